/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What code of every architecture asks about memory: asm/plex86_guest.h for
 * those that have no such guest.
 */
#ifndef _LINUX_PLEX86_H
#define _LINUX_PLEX86_H

#include <linux/types.h>

struct vm_area_struct;

#ifdef CONFIG_PLEX86_GUEST

/* arch/x86/plex86/mmu.c */
bool plex86_copies(struct vm_area_struct *vma, unsigned long index);
bool plex86_copies_tables(struct vm_area_struct *vma);

#else /* CONFIG_PLEX86_GUEST */

static inline bool plex86_copies(struct vm_area_struct *vma,
				 unsigned long index)
{
	return false;
}

static inline bool plex86_copies_tables(struct vm_area_struct *vma)
{
	return false;
}

#endif /* CONFIG_PLEX86_GUEST */

#endif /* _LINUX_PLEX86_H */
