/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The ways into the monitor, which are the gates of its IDT, and the one way out.
 *
 * What interrupts the guest leaves DS and ES behind the registers, loads the
 * monitor's root of the page tables, and goes to pvi_trap(), which returns the
 * root to leave with.  FS and GS are the guest's all the time.  While the monitor
 * runs, interrupts come in host_halt() only; these keep the root.
 */
#include "layout.h"

#define FRAME_CS	52		/* offset in struct frame */

	.text
	.balign	16
	.globl	entries
entries:
	vector = 0
	.rept	VECTORS
	.balign	16
	.if	vector != 8 && (vector < 10 || vector > 14) && vector != 17
	pushl	$0
	.endif
	pushl	$vector
	jmp	trap
	vector = vector + 1
	.endr
	.balign	16
	pushl	$0			/* INT 0x80 */
	pushl	$0x80

trap:
	pushal
	pushl	%ds
	pushl	%es
	movl	$MON_DS, %eax
	movl	%eax, %ds
	movl	%eax, %es
	cld
	testb	$3, FRAME_CS(%esp)
	jz	inside
	movl	$root_monitor - LINK_BASE + LOAD_BASE, %eax
	movl	%eax, %cr3
	pushl	%esp
	call	pvi_trap
	addl	$4, %esp
leave:
	movl	%eax, %cr3
back:
	popl	%es
	popl	%ds
	popal
	addl	$8, %esp		/* vector, error code */
	iretl

inside:
	pushl	%esp
	call	pvi_trap_inside
	addl	$4, %esp
	jmp	back

	.globl	pvi_enter
/* void pvi_enter(struct frame *frame, u32 root): leaves as a trap does. */
pvi_enter:
	movl	8(%esp), %eax
	movl	4(%esp), %esp
	jmp	leave

	.globl	pvi_restart
/* void pvi_restart(void (*function)(void)): on an empty stack. */
pvi_restart:
	movl	4(%esp), %eax
	movl	$stack_end, %esp
	call	*%eax

/*
 * What gcc calls for an atomic load of 64 bits: with one CPU and interrupts off,
 * two loads.
 */
	.globl	__atomic_load_8
__atomic_load_8:
	movl	4(%esp), %ecx
	movl	(%ecx), %eax
	movl	4(%ecx), %edx
	ret

	.section .note.GNU-stack, "", @progbits
