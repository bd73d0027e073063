/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The guest's trap entries.  One common tail builds struct trap_frame, calls
 * trap() and goes back by IRET (the macro).  The hardware's flags on entry are
 * kept for trap() to judge; then they are cleared, AC above all.
 */
#include "guest.h"

	.text

.macro TRAP vector has_error=0
	.globl	trap_\vector
trap_\vector:
	.if	!\has_error
	pushl	$0
	.endif
	pushl	$\vector
	jmp	trap_common
.endm

	.irp	vector, 0, 1, 2, 3, 4, 5, 6, 7, 9, 16, 18, 19
	TRAP	\vector
	.endr
	.irp	vector, 8, 10, 11, 12, 13, 14, 17
	TRAP	\vector, 1
	.endr
	TRAP	0x30
	TRAP	0x80

trap_common:
	pusha
	.byte	0x9c			# bare pushf
	pushl	$FL_ONE
	.byte	0x9d			# bare popf
	pushl	%esp
	call	trap
	addl	$8, %esp
	testl	%eax, %eax
	jnz	case_back
	.globl	trap_exit, trap_exit_end
trap_exit:
	popa
	addl	$8, %esp
	iret
trap_exit_end:

	.globl	gdt_load
/* void gdt_load(void): all three reach the host, by #GP. */
gdt_load:
	lgdt	gdt_pointer
	lidt	idt_pointer
	movl	$TSS_SEL, %eax
	ltr	%ax
	ret

	.section .note.GNU-stack, "", @progbits
