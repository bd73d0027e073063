/* SPDX-License-Identifier: GPL-2.0 */
/* The ways into and out of a try; see attack.h. */
#include <asm/segment.h>

#include "attack.h"

	.text

/*
 * These and all behind them go without DS, and without a stack but for the
 * frame: SS is flat in a kernel.
 */
	.balign	16
	.globl	attack_stubs
attack_stubs:
	n = 0
	.rept	256
	.balign	16
	.if	(n != 8) && ((n < 10) || (n > 14)) && (n != 17) && (n != 21)
	push	$0				/* no error code */
	.endif
	push	$n
	.byte	0xe9				/* jmp, in the same length */
	.long	trap - . - 4
	n = n + 1
	.endr

trap:
	mov	%edi, %ss:attack_out + 0
	mov	%esi, %ss:attack_out + 4
	mov	%ebp, %ss:attack_out + 8
	mov	%ebx, %ss:attack_out + 16
	mov	%edx, %ss:attack_out + 20
	mov	%ecx, %ss:attack_out + 24
	mov	%eax, %ss:attack_out + 28
	pop	%ss:attack_out + 32
	pop	%ss:attack_out + 36
	pop	%ss:attack_out + 40
	/* Once: a fault of what called, over and over, would never end. */
	xor	%esp, %esp
	xchg	%ss:caller_sp, %esp
	mov	$__USER_DS, %eax
	mov	%eax, %ds
	mov	%eax, %es
	cld
	popa
	ret

	.globl	attack_enter
attack_enter:
	pusha
	mov	%esp, caller_sp
	cmpl	$0, attack_in + IN_WIDE
	jne	1f
	push	attack_in + IN_FLAGS
	mov	attack_in + 0x00, %eax
	mov	attack_in + 0x08, %ecx
	mov	attack_in + 0x10, %edx
	mov	attack_in + 0x18, %ebx
	mov	attack_in + 0x28, %ebp
	mov	attack_in + 0x30, %esi
	mov	attack_in + 0x38, %edi
	popf
	mov	attack_in + 0x20, %esp
	jmp	*attack_in + IN_IP
1:	ljmp	$0x33, $1f
	.code64
1:	mov	attack_in + 0x00(%rip), %rax
	mov	attack_in + 0x08(%rip), %rcx
	mov	attack_in + 0x10(%rip), %rdx
	mov	attack_in + 0x18(%rip), %rbx
	mov	attack_in + 0x28(%rip), %rbp
	mov	attack_in + 0x30(%rip), %rsi
	mov	attack_in + 0x38(%rip), %rdi
	mov	attack_in + 0x40(%rip), %r8
	mov	attack_in + 0x48(%rip), %r9
	mov	attack_in + 0x50(%rip), %r10
	mov	attack_in + 0x58(%rip), %r11
	mov	attack_in + 0x60(%rip), %r12
	mov	attack_in + 0x68(%rip), %r13
	mov	attack_in + 0x70(%rip), %r14
	mov	attack_in + 0x78(%rip), %r15
	mov	attack_in + 0x20(%rip), %rsp
	jmp	*attack_in + IN_IP(%rip)
	.code32

/* From here on the bytes mean the same in both modes. */
	.balign	64
	.globl	attack_landing, attack_land_pku, attack_landed_pku, attack_breached
attack_landing:
	.fill	LANDING_STACK_BYTES, 1, 0x90
attack_land_pku:
	.fill	16, 1, 0x90			/* entered before or behind */
	xor	%ecx, %ecx
	.byte	0x0f, 0x01, 0xee		/* rdpkru */
	cmp	$PKRU_USER, %eax
	je	attack_landed_pku
	cmp	$PKRU_KERNEL, %eax
	jne	attack_breached
attack_landed_pku:
	ud2
attack_breached:
	ud2

	.globl	attack_land_plain, attack_landed
attack_land_plain:
	.fill	16, 1, 0x90
attack_landed:
	ud2

	.balign	64
	.globl	attack_rdpkru
attack_rdpkru:
	xor	%ecx, %ecx
	.byte	0x0f, 0x01, 0xee
	jmp	attack_landed

	.globl	attack_read, attack_read_done
attack_read:
	mov	(%esi), %eax
attack_read_done:
	ud2

	.globl	attack_write, attack_write_done
attack_write:
	lock orl $0, (%esi)
attack_write_done:
	ud2

	.data
	.balign	4
caller_sp:
	.long	0
