/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The segments of a plex86 guest: what asm/segment.h defines of them.
 *
 * The numbers are those of a 64-bit kernel's GDT: this kernel and its programs
 * run as a compat task of one, so their selectors must be those that load there.
 */
#ifndef _ASM_X86_PLEX86_SEGMENT_H
#define _ASM_X86_PLEX86_SEGMENT_H

#define GDT_ENTRY_TLS_MIN		12
#define GDT_ENTRY_TLS_MAX		(GDT_ENTRY_TLS_MIN + GDT_ENTRY_TLS_ENTRIES - 1)

#define GDT_ENTRY_KERNEL_CS		2
#define GDT_ENTRY_KERNEL_DS		3
#define GDT_ENTRY_DEFAULT_USER_CS	4
#define GDT_ENTRY_DEFAULT_USER_DS	5

#endif /* _ASM_X86_PLEX86_SEGMENT_H */
