/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A guest for tests/63-jail: its kernel asks the monitor that was taken over for
 * an attempt, whose number and argument the test writes in place of NUMBER and
 * ARGUMENT; for none, it waits for ever, or with ARGUMENT 1 reboots, or with 2 calls
 * the host's vsyscall page, and ends with 64 if that says ENOSYS, else with 65.
 */
#include "plex86.h"

#define NUMBER		0x6e756d62
#define ARGUMENT	0x61726775
#define STACK		0x80000
#define VSYSCALL_TIME	0xffffffffff600400
#define CALL_TAKEN	0x7e57		/* taken.h's */

	.section .note.plex86, "a", @note
	.balign	4
	.long	2f - 1f, 4f - 3f, PLEX86_NOTE
1:	.asciz	PLEX86_NOTE_NAME
2:	.balign	4
3:	.short	PLEX86_ABI_MAJOR, PLEX86_ABI_MINOR
	.long	0			/* page_offset */
	.long	sites, sites_end
	.long	1024			/* ram_max_mib */
4:

	.text
	.globl	start
start:
	mov	$CALL_TAKEN, %eax
	mov	$NUMBER, %ebx
	mov	$ARGUMENT, %ecx
	test	%ebx, %ebx
	jz	wait
	.byte	0x0f, 0xb9, PLEX86_UD1_CALL
wait:
	test	%ecx, %ecx
	jz	1f
	cmp	$2, %ecx
	je	vsyscall
	mov	$PLEX86_CALL_END, %eax
	mov	$PLEX86_END_REBOOT, %ebx
	xor	%ecx, %ecx
	.byte	0x0f, 0xb9, PLEX86_UD1_CALL
1:	sti
	hlt
	jmp	1b

vsyscall:
	mov	$STACK, %esp
	push	%ecx			/* it is there from now on */
	pop	%ecx
	ljmp	$0x33, $1f
	.code64
1:	xor	%edi, %edi
	mov	$VSYSCALL_TIME, %rax
	call	*%rax
	push	$0x23
	mov	$2f, %ecx
	push	%rcx
	lretq
	.code32
2:	mov	$PLEX86_END_POWEROFF, %ebx
	mov	$64, %ecx
	cmp	$-38, %eax		/* -ENOSYS */
	je	3f
	inc	%ecx
3:	mov	$PLEX86_CALL_END, %eax
	.byte	0x0f, 0xb9, PLEX86_UD1_CALL

	/* The note's table must not be empty. */
	.section .plex86_sites, "a"
	.balign	4
sites:
sites_end:

	.section .rodata, "a"
	.ascii	"Linux version 0 (jail) "

	.section .note.GNU-stack, "", @progbits
