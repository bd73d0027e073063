/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The ELF note by which a host knows this image: struct plex86_note.
 *
 * Without highmem a kernel uses what is left of its linear addresses above
 * PAGE_OFFSET: less 128 MiB of vmalloc space, the 4 MiB of the host, and the
 * 4 MiB slots of fixmap, LDT and CPU entry area.  With highmem two-level tables
 * reach 4 GiB, of which the map of its own pages (32 bytes for 4 KiB) must fit
 * in lowmem beside everything else; 3 GiB is what i386 is known to do well.
 */
#include <linux/elfnote.h>
#include <asm/page_types.h>
#include <asm/plex86_abi.h>

#ifdef CONFIG_HIGHMEM
#define RAM_MAX_MIB	3072
#else
#define RAM_MAX_MIB	(4096 - (CONFIG_PAGE_OFFSET >> 20) - 144)
#endif

ELFNOTE_START(plex86, PLEX86_NOTE, "a")
	.short	PLEX86_ABI_MAJOR
	.short	PLEX86_ABI_MINOR
	.long	CONFIG_PAGE_OFFSET
	.long	__plex86_sites
	.long	__plex86_sites_end
	.long	RAM_MAX_MIB
ELFNOTE_END
