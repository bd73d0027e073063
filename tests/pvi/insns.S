/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The instructions under test, each alone: assembled with macros.s in front, so
 * that `pushf` here is what `pushf` is in the kernel.  A fragment starts with
 * the state of case_in and jumps to case_end, which files the state away.
 *
 * Where the harness needs the bare instruction it says so by its bytes.
 */
#include "guest.h"

#define BARE_PUSHF	.byte 0x9c
#define BARE_POPF	.byte 0x9d
#define BARE_IRET	.byte 0xcf
#define BARE_CLI	.byte 0xfa
#define BARE_STI	.byte 0xfb

	.text

/* void case_run(const char *fragment) */
	.globl	case_run
case_run:
	pusha
	movl	36(%esp), %eax
	movl	%eax, case_fragment
	movl	%esp, case_c_esp
	movl	case_in+M_ESP, %esp
	pushl	case_in+M_FLAGS
	movl	case_in+M_EAX, %eax
	movl	case_in+M_ECX, %ecx
	movl	case_in+M_EDX, %edx
	movl	case_in+M_EBX, %ebx
	movl	case_in+M_EBP, %ebp
	movl	case_in+M_ESI, %esi
	movl	case_in+M_EDI, %edi
	BARE_POPF
	jmp	*case_fragment

	.globl	case_end
case_end:
	movl	%eax, case_out+M_EAX
	movl	%ecx, case_out+M_ECX
	movl	%edx, case_out+M_EDX
	movl	%ebx, case_out+M_EBX
	movl	%esp, case_out+M_ESP
	movl	%ebp, case_out+M_EBP
	movl	%esi, case_out+M_ESI
	movl	%edi, case_out+M_EDI
	BARE_PUSHF
	popl	case_out+M_FLAGS

/* Also where the handler of VEC_USER_END goes, so ESP may be anything. */
	.globl	case_back
case_back:
	movl	case_c_esp, %esp
	pushl	$FL_ONE
	BARE_POPF
	popa
	ret

/* The target of IRET to user: the same filing, and back by INT. */
	.globl	user_end, user_second
user_end:
	movl	%eax, case_out+M_EAX
user_second:
	movl	%ecx, case_out+M_ECX
	movl	%edx, case_out+M_EDX
	movl	%ebx, case_out+M_EBX
	movl	%esp, case_out+M_ESP
	movl	%ebp, case_out+M_EBP
	movl	%esi, case_out+M_ESI
	movl	%edi, case_out+M_EDI
	BARE_PUSHF
	popl	case_out+M_FLAGS
	int	$VEC_USER_END

/*
 * A fragment, with insn_NAME at its first byte and insn_NAME_end behind its
 * last.
 */
.macro FRAGMENT name insn:vararg
	.globl	insn_\name, insn_\name\()_end
insn_\name:
	\insn
insn_\name\()_end:
	jmp	case_end
.endm

	FRAGMENT pushf	pushf
	FRAGMENT popf	popf
	FRAGMENT iret	iret
	FRAGMENT cli	cli
	FRAGMENT sti	sti
	FRAGMENT pushfl	pushfl
	FRAGMENT popfl	popfl
	FRAGMENT iretl	iretl

	FRAGMENT bare_pushf	BARE_PUSHF
	FRAGMENT bare_popf	BARE_POPF
	FRAGMENT bare_iret	BARE_IRET
	FRAGMENT bare_cli	BARE_CLI
	FRAGMENT bare_sti	BARE_STI

/* What user code must not get away with. */
	.globl	user_cli, user_sti, user_hlt, user_ud1_iret, user_ud1_call
user_cli:
	BARE_CLI
	int	$VEC_USER_END
user_sti:
	BARE_STI
	int	$VEC_USER_END
user_hlt:
	hlt
	int	$VEC_USER_END
user_ud1_iret:
	.byte	0x0f, 0xb9, PLEX86_UD1_IRET
	int	$VEC_USER_END
user_ud1_call:
	.byte	0x0f, 0xb9, PLEX86_UD1_CALL
	int	$VEC_USER_END

	.bss
	.balign	4
case_fragment:
	.long	0
case_c_esp:
	.long	0

	.section .note.GNU-stack, "", @progbits
