/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Instruction sequences that interrupts are aimed at, boundary by boundary.
 *
 * Every sequence starts and ends with interrupts off and runs straight through,
 * so that address order is time order.  Marks in .seq_marks say from where on
 * interrupts are off, on, or may be either: in the middle of a macro, and for
 * one instruction after STI (whose shadow a host may drop).  HLT is marked off
 * after STI: the pair is one unit, an interrupt comes before it or after it.
 *
 * Images of PUSHF end up in case_images[]; bit n of what the table in cases.c
 * says about a sequence is IF of image n.
 */
#include "guest.h"

#define OFF	0
#define ON	1
#define EITHER	2

	.text

.macro MARK state
	.pushsection .seq_marks, "a"
	.long	.Lmark\@, \state
	.popsection
.Lmark\@:
.endm

.macro SEQ name
	.globl	seq_\name
seq_\name:
	MARK	OFF
.endm

.macro SEQ_END name
	.globl	seq_\name\()_end
seq_\name\()_end:
	MARK	OFF
	jmp	case_end
.endm

/* STI and the instruction in its shadow. */
.macro STI_THEN insn:vararg
	sti
	MARK	EITHER
	\insn
	MARK	ON
.endm

.macro CLI_
	cli
	MARK	OFF
.endm

.macro IMAGE n
	pushf
	popl	case_images + 4 * \n
.endm

/* POPF of the flags on the stack; IF changes somewhere inside. */
.macro POPF_TO state
	.pushsection .seq_marks, "a"
	.long	.Lpopf\@ + 1, EITHER
	.popsection
.Lpopf\@:
	popf
	MARK	\state
.endm

/* Work whose outcome shows a flag or register that did not survive. */
.macro WORK
	adcl	$0x1234567, %eax
	rcll	$3, %ebx
	leal	1(%ecx,%eax), %ecx
	sbbl	%edx, %edx
.endm

	/* local_irq_enable, local_irq_disable */
	SEQ	toggle
	nop
	STI_THEN nop
	WORK
	nop
	CLI_
	WORK
	STI_THEN nop
	CLI_
	nop
	sti
	MARK	EITHER
	CLI_
	CLI_
	sti
	MARK	EITHER
	STI_THEN nop
	WORK
	STI_THEN nop
	WORK
	CLI_
	WORK
	SEQ_END toggle

	/* local_irq_save, local_irq_restore, nested, starting on */
	SEQ	save_restore
	STI_THEN nop
	WORK
	IMAGE	0
	pushf
	CLI_
	WORK
	IMAGE	1
	pushf
	cli
	WORK
	popf
	IMAGE	2
	WORK
	POPF_TO	ON
	IMAGE	3
	WORK
	pushf
	CLI_
	POPF_TO	ON
	WORK
	CLI_
	pushf
	STI_THEN nop
	WORK
	POPF_TO	OFF
	IMAGE	4
	WORK
	SEQ_END save_restore

	/* Flags made by hand, both ways, with IF going on, staying and off. */
	SEQ	popf_made
	pushf
	orl	$FL_IF, (%esp)
	POPF_TO	ON
	IMAGE	0
	pushf
	orl	$FL_IF | FL_CF, (%esp)
	popf
	IMAGE	1
	WORK
	pushf
	andl	$~FL_IF, (%esp)
	POPF_TO	OFF
	IMAGE	2
	WORK
	pushf
	popf
	IMAGE	3
	SEQ_END popf_made

	/* IRET on and off again */
	SEQ	iret
	pushf
	orl	$FL_IF, (%esp)
	pushl	$KERNEL_CS
	pushl	$1f
	iret
1:	MARK	ON
	WORK
	IMAGE	0
	pushf
	pushl	$KERNEL_CS
	pushl	$1f
	iret
1:	WORK
	pushf
	andl	$~FL_IF, (%esp)
	pushl	$KERNEL_CS
	pushl	$1f
	iret
1:	MARK	OFF
	IMAGE	1
	WORK
	SEQ_END iret

	/* safe_halt */
	SEQ	sti_hlt
	WORK
	sti
	.globl	seq_sti_hlt_hlt
seq_sti_hlt_hlt:
	hlt
	MARK	ON
	IMAGE	0
	CLI_
	WORK
	SEQ_END sti_hlt

	/* The idle loop: look for work with interrupts off, then sti; hlt. */
	SEQ	idle
1:	cli
	WORK
	cmpl	$0, log_irq
	jne	2f
	sti
	.globl	seq_idle_hlt
seq_idle_hlt:
	hlt
	MARK	EITHER
	nop
	jmp	1b
2:	MARK	OFF
	nop
	SEQ_END idle

/* void seq_handler(void): what a handler that re-enables does. */
	.globl	seq_handler, seq_handler_end
seq_handler:
	MARK	OFF
	nop
	STI_THEN nop
	WORK
	IMAGE	5
	pushf
	CLI_
	WORK
	POPF_TO	ON
	WORK
	IMAGE	6
	CLI_
	nop
seq_handler_end:
	ret

	.section .note.GNU-stack, "", @progbits
