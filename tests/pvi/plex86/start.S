/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Entry of the plex86 guest, and the note that makes it one.
 */
#include "../../../abi/plex86.h"

	.section .text.start, "ax"
	.globl	start
start:
	movl	$stack_end, %esp
	call	guest_start

	.bss
	.balign	16
	.skip	16384
stack_end:

	.section .note.plex86, "a", @note
	.balign	4
	.long	2f - 1f, 4f - 3f, PLEX86_NOTE
1:	.asciz	PLEX86_NOTE_NAME
2:	.balign	4
3:	.short	PLEX86_ABI_MAJOR, PLEX86_ABI_MINOR
	.long	0			/* page_offset: linear is physical */
	.long	plex86_sites, plex86_sites_end
	.long	1024			/* ram_max_mib */
4:

	.section .note.GNU-stack, "", @progbits
