/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A small kernel file, the seed of image_fuzz and scanner_fuzz: a note, a recorded
 * site, and instructions that the scanner finds. It is never run.
 */
#include "plex86.h"

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
	.type	start, @function
start:
site:	.byte	0x66, 0x0f, 0x1f, 0x44, 0x00, 0x00, 0xfa	/* its form: nopw, cli */
	pushf
	lgdt	(%eax)
	in	$0x60, %al
	mov	%cr3, %eax
	.type	next, @function
next:
	.byte	0x0f, 0xb9, PLEX86_UD1_NEXT
	sgdt	(%eax)
	mov	$0x00ef010f, %eax	/* WRPKRU within */
	xrstor	(%eax)
	.byte	0x0f, 0xff		/* no instruction */
	iret

	.section .plex86_sites, "a"
	.balign	4
sites:
	.long	site
	.byte	PLEX86_SITE_CLI, PLEX86_SITE_CLI_LEN
	.short	0
sites_end:

	.section .rodata, "a"
	.ascii	"Linux version 6.12.0 (seed) "

	.section .note.GNU-stack, "", @progbits
