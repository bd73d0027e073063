/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The monitor's first instructions in protected mode and its trap entries.
 * Ring 0, so assembled without the macros: IRET here is IRET.
 */
#include "monitor.h"

	.section .text.start, "ax"
	.globl	monitor_start
monitor_start:
	movl	$__bss_start, %edi
	movl	$__bss_end, %ecx
	subl	%edi, %ecx
	xorl	%eax, %eax
	cld
	rep stosb
	movl	$monitor_stack_end, %esp
	call	monitor_init

	/* Everything from here on is ring 3's. */
	movl	$MON_GUEST_DS, %eax
	movl	%eax, %ds
	movl	%eax, %es
	xorl	%ecx, %ecx
	movl	%ecx, %fs
	movl	%ecx, %gs
	pushl	%eax
	pushl	$guest_stack_end
	pushl	$0x00000202
	pushl	$MON_GUEST_CS
	pushl	$guest_start
	iret

	.text
	.globl	monitor_load
/* void monitor_load(void): the real GDT, IDT and TSS. */
monitor_load:
	lgdt	monitor_gdt_pointer
	lidt	monitor_idt_pointer
	movl	$MON_TSS, %eax
	ltr	%ax
	movl	$MON_DS, %eax
	movl	%eax, %ss
	ret

	/* 32 exceptions and IRQs we never enable, 16 bytes each. */
	.balign	16
	.globl	monitor_entries
monitor_entries:
	vector = 0
	.rept	48
	.balign	16
	.if	vector != 8 && (vector < 10 || vector > 14) && vector != 17
	pushl	$0
	.endif
	pushl	$vector
	jmp	monitor_entry
	vector = vector + 1
	.endr

monitor_entry:
	pusha
	cld
	pushl	%esp
	call	monitor_exit
	addl	$4, %esp
	popa
	addl	$8, %esp
	iret

	.bss
	.balign	16
	.skip	8192
	.globl	monitor_stack_end
monitor_stack_end:
	.skip	16384
guest_stack_end:

	.section .note.GNU-stack, "", @progbits
