/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What differs between the kernel lines that the plex86 guest is built for.
 * All of it is here, and for disks and the network in plex86_compat_blk.h and
 * plex86_compat_net.h, so that every other file of the port is the same text in
 * each line; a difference that no line has any more leaves with that line.
 */
#ifndef _ASM_X86_PLEX86_COMPAT_H
#define _ASM_X86_PLEX86_COMPAT_H

#include <linux/version.h>

/* A bus is const since 6.4, and so is the driver it matches since 6.11. */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 11, 0)
#define PLEX86_BUS_CONST	const
#else
#define PLEX86_BUS_CONST
#endif

/* The types of hv_ops::get_chars and put_chars changed in 6.8. */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 8, 0)
#define PLEX86_HVC_CHAR		u8
#define PLEX86_HVC_SIZE		size_t
#define PLEX86_HVC_RESULT	ssize_t
#else
#define PLEX86_HVC_CHAR		char
#define PLEX86_HVC_SIZE		int
#define PLEX86_HVC_RESULT	int
#endif

/* A new anonymous page became a folio in 6.7, with flags in 6.11. */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 11, 0)
#define plex86_new_anon_rmap(page, vma, addr) \
	folio_add_new_anon_rmap(page_folio(page), vma, addr, RMAP_EXCLUSIVE)
#else
#define plex86_new_anon_rmap(page, vma, addr) \
	page_add_new_anon_rmap(page, vma, addr)
#endif

#endif /* _ASM_X86_PLEX86_COMPAT_H */
