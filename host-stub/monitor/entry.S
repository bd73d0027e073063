/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The monitor's only entrances: the start of a space, and signal delivery.
 *
 * A signal handler starts with the guest's DS, ES, FS and GS and with those
 * flags of the guest that signal delivery keeps (AC, NT, ID).
 */
	.section .text.entry, "ax"
	.globl	monitor_entry
	.type	monitor_entry, @function
monitor_entry:
	/* rdi: struct state; rsi: top of a stack in it */
	mov	%rsi, %rsp
	xor	%ebp, %ebp
	call	monitor_start
	ud2
	.size	monitor_entry, . - monitor_entry

/*
 * void monitor_signal(int signal, siginfo_t *, struct ucontext *)
 *
 * monitor_trap() returns the ID and NT flags the guest shall have:
 * rt_sigreturn restores all flags from the frame but these, which stay as they
 * are at the system call.
 */
	.globl	monitor_signal
	.type	monitor_signal, @function
monitor_signal:
	pushfq
	andl	$~0x44000, (%rsp)		/* AC, NT */
	popfq
	mov	%rsp, %rbx			/* at the frame's return address */
	and	$-16, %rsp
	call	monitor_trap
	lea	8(%rbx), %rsp			/* where rt_sigreturn finds the frame */
	pushfq
	andl	$~0x204000, (%rsp)		/* ID, NT */
	or	%eax, (%rsp)
	popfq
	mov	$15, %eax			/* rt_sigreturn */
	syscall
	ud2
	.size	monitor_signal, . - monitor_signal

	.section .note.GNU-stack, "", @progbits
