/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The monitor's entrances and its exit.
 *
 * It is entered by the kernel with a signal, and by the guest kernel through a
 * gate (gates.S).  Both begin with a WRPKRU to which guest user code can jump,
 * with any registers: so the stack and all pointers come from constants, and
 * what the registers hold is believed no more than what any trap brings.
 *
 * Syscall User Dispatch's selector says whether the monitor is in charge: from
 * the store of ALLOW to that of BLOCK.  A signal in that time is a kick (or an
 * error of the monitor's), is noted, and returns by rt_sigreturn; no system call
 * of the guest can come in that time.  Before and after it, monitor_trap() makes
 * of a signal in one of the windows below what it would have been a moment
 * before or after.
 */
#include "layout.h"

#define FL_CLEAR	0x00044500	/* AC, NT, DF, TF */

	.macro	WRPKRU
.Lwrpkru\@: .byte 0x0f, 0x01, 0xef
	.pushsection .wrpkru, "a"
	.quad	.Lwrpkru\@
	.popsection
	.endm

	.macro	HIDDEN name
	.globl	\name
	.hidden	\name
\name:
	.endm

	.section .text.entry, "ax"
HIDDEN monitor_gate_start
	.balign	16			/* MONITOR_CALL */
	xor	%r12d, %r12d
	jmp	from_gate
	.balign	16			/* MONITOR_IRET */
	mov	$1, %r12d
	jmp	from_gate
	.balign	16			/* MONITOR_ENTRY */
	/* rdi: struct state; esi: the space's number */
	movabs	$SPACE_STACK_TOP, %rsp
	call	monitor_start
	jmp	monitor_exit
	.balign	64			/* MONITOR_WRPKRU */
	.quad	wrpkru_start, wrpkru_end
	.quad	monitor_landed		/* MONITOR_LANDED */

from_gate:
	mov	%eax, %r8d
	mov	%ecx, %r9d
	mov	%edx, %r10d
	mov	%esp, %r11d
HIDDEN monitor_gate_moved
	xor	%eax, %eax
	xor	%ecx, %ecx
	xor	%edx, %edx
	WRPKRU
	test	%eax, %eax
	jne	bad
	mov	$GATE_KERNEL, %eax
	cmpl	$0, GK_CPL(%rax)
	jne	not_kernel
	movabs	$SPACE_BASE, %rax
	movabs	$SPACE_STACK_TOP, %rsp
	movb	$DISPATCH_ALLOW, (%rax)
HIDDEN monitor_gate_end
	pushfq
	pop	%r13
	test	$FL_CLEAR, %r13d
	jz	1f
	push	$2
	popfq
1:
	movabs	$STATE_BASE, %rax
	mov	%r8d, ST_EAX(%rax)
	mov	%r9d, ST_ECX(%rax)
	mov	%r10d, ST_EDX(%rax)
	mov	%r11d, ST_ESP(%rax)
	mov	%ebx, ST_EBX(%rax)
	mov	%ebp, ST_EBP(%rax)
	mov	%esi, ST_ESI(%rax)
	mov	%edi, ST_EDI(%rax)
	mov	%r13d, ST_EFLAGS(%rax)
	mov	%r12d, %edi
	call	monitor_gate

/*
 * To the guest.  rax: a struct gate_frame in GATE_USER or GATE_KERNEL, or the
 * struct gate_jump, which is as good as saying in which mode and how.
 */
monitor_exit:
	mov	%rax, %r8
	movabs	$STATE_BASE, %r9
	movabs	$SPACE_BASE, %r10
	mov	ST_EBX(%r9), %ebx
	mov	ST_EBP(%r9), %ebp
	mov	ST_ESI(%r9), %esi
	mov	ST_EDI(%r9), %edi
	movb	$DISPATCH_BLOCK, (%r10)
HIDDEN monitor_exit_start
	cmpl	$0, SP_KICKED(%r10)
	jne	again
	mov	%r8, %rsp
	xor	%ecx, %ecx
	xor	%edx, %edx
	xor	%r9d, %r9d
	xor	%r10d, %r10d
	xor	%r11d, %r11d
	xor	%r12d, %r12d
	xor	%r13d, %r13d
	xor	%r14d, %r14d
	xor	%r15d, %r15d
	cmp	$GATE_KERNEL + GATE_JUMP, %r8d
	je	exit_jump
	cmp	$GATE_KERNEL + GATE_FRAME, %r8d
	mov	$0, %r8d
	je	exit_kernel

	mov	$PKRU_USER, %eax
	WRPKRU
	cmp	$PKRU_USER, %eax
	jne	bad
	pop	%rax
	pop	%rcx
	pop	%rdx
	iretq

exit_kernel:
	mov	$PKRU_KERNEL, %eax
	WRPKRU
	cmp	$PKRU_KERNEL, %eax
	jne	bad
	mov	$GATE_KERNEL, %eax
	cmpl	$0, GK_CPL(%rax)
	jne	bad
	pop	%rax
	pop	%rcx
	pop	%rdx
	iretq

exit_jump:
	mov	$PKRU_KERNEL, %eax
	WRPKRU
	cmp	$PKRU_KERNEL, %eax
	jne	bad
	mov	$GATE_KERNEL, %r8d
	cmpl	$0, GK_CPL(%r8)
	jne	bad
	mov	GATE_JUMP + GJ_EAX(%r8), %eax
	mov	GATE_JUMP + GJ_ECX(%r8), %ecx
	mov	GATE_JUMP + GJ_EDX(%r8), %edx
	mov	GATE_JUMP + GJ_ESP(%r8), %esp
	ljmp	*GATE_JUMP + GJ_EIP(%r8)

	/* A kick came too late for what was looked at. */
again:
	movabs	$SPACE_STACK_TOP, %rsp
	movb	$DISPATCH_ALLOW, (%r10)
HIDDEN monitor_exit_end
	call	monitor_again
	jmp	monitor_exit

	/* Where guest code should not be; with its registers, if it took a gate. */
not_kernel:
	mov	%r8d, %eax
	mov	%r9d, %ecx
	mov	%r10d, %edx
HIDDEN monitor_bad
bad:
	ud2

/*
 * long monitor_sysenter(u32 nr, u32 argument)
 *
 * A 32-bit system call by SYSENTER.  The kernel takes the stack pointer from
 * EBP, brings none of R8 to R15 back, and returns to 32-bit code, which the
 * launcher wrote: a far jump to monitor_landed.
 */
HIDDEN monitor_sysenter
	push	%rbx
	push	%rbp
	push	%r12
	push	%r13
	push	%r14
	push	%r15
	movabs	$SPACE_BASE, %rax
	mov	%rsp, SP_STACK(%rax)
	mov	%edi, %eax
	mov	%esi, %ebx
	mov	$LANDING_STACK + LANDING_STACK_BYTES - 16, %ebp
	sysenter
monitor_landed:
	movabs	$SPACE_BASE, %rcx
	cmpb	$DISPATCH_ALLOW, (%rcx)
	jne	bad				/* no system call of ours */
	mov	SP_STACK(%rcx), %rsp
	pop	%r15
	pop	%r14
	pop	%r13
	pop	%r12
	pop	%rbp
	pop	%rbx
	movslq	%eax, %rax
	ret

/*
 * int monitor_vectors_load(const void *from, u64 mask)
 *
 * XRSTOR, SDM vol. 1, 13.8; FXRSTOR with no mask.  Returns -1 if that is no
 * image of registers: monitor_nested() goes on at monitor_vectors_bad.  XRSTOR
 * loads PKRU if it is told to, so it is followed by a check of what only the
 * monitor can have written.
 */
HIDDEN monitor_vectors_load
	mov	%esi, %eax
	mov	%rsi, %rdx
	shr	$32, %rdx
	test	%rsi, %rsi
	jz	1f
HIDDEN monitor_xrstor
	xrstor64 (%rdi)
	movabs	$SPACE_BASE, %rdx
	cmpb	$DISPATCH_ALLOW, (%rdx)
	jne	bad
	xor	%eax, %eax
	ret
1:
HIDDEN monitor_fxrstor
	fxrstor64 (%rdi)
	xor	%eax, %eax
	ret
HIDDEN monitor_vectors_bad
	mov	$-1, %eax
	ret

/*
 * int monitor_peek(u32 linear, u32 *value)
 *
 * Reads what the guest has mapped there, without a walk of its tables.  Returns
 * 0, or -1 if nothing is: monitor_nested() goes on at monitor_peek_bad.
 */
HIDDEN monitor_peek
	mov	%edi, %edi
HIDDEN monitor_peek_load
	mov	(%rdi), %eax
	mov	%eax, (%rsi)
	xor	%eax, %eax
	ret
HIDDEN monitor_peek_bad
	mov	$-1, %eax
	ret

/* void monitor_signal(int signal, siginfo_t *, struct ucontext *) */
HIDDEN monitor_signal
	mov	%rdx, %r8
	xor	%eax, %eax
	xor	%ecx, %ecx
	xor	%edx, %edx
	WRPKRU
	test	%eax, %eax
	jne	bad
	movabs	$SPACE_BASE, %rax
	cmpb	$DISPATCH_ALLOW, (%rax)
	je	1f
	/* As keys_check_frame(). */
	movabs	$ALT_STACK, %r11
	mov	%r8, %rdx
	sub	%r11, %rdx
	cmp	$ALT_STACK_BYTES - UCONTEXT_BYTES - SIGINFO_BYTES, %rdx
	ja	bad
	lea	UCONTEXT_BYTES(%r8), %rdx
	cmp	%rdx, %rsi
	jne	bad
	/* From the stack that the frame is on: another may come on top of it. */
	movb	$DISPATCH_ALLOW, (%rax)
HIDDEN monitor_signal_end
	movabs	$SPACE_STACK_TOP, %rsp
	push	$2
	popfq
	mov	%r8, %rdx
	call	monitor_trap
	jmp	monitor_exit

	/* While the monitor is in charge. */
1:
	mov	%r8, %rdx
	mov	%rsp, %rbx			/* at the frame's return address */
	and	$-16, %rsp
	call	monitor_nested
	lea	8(%rbx), %rsp			/* where rt_sigreturn finds the frame */
	mov	$15, %eax			/* rt_sigreturn */
	syscall
	ud2

	.section .note.GNU-stack, "", @progbits
