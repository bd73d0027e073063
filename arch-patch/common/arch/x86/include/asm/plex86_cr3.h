/* SPDX-License-Identifier: GPL-2.0 */
/*
 * CR3 in a plex86 guest: what asm/processor-flags.h defines of it.
 *
 * The host takes address-space identifiers where a 64-bit CPU has its PCIDs,
 * but that the bit which keeps translations is bit 11: there is no bit 63.
 */
#ifndef _ASM_X86_PLEX86_CR3_H
#define _ASM_X86_PLEX86_CR3_H

#include <asm/plex86_abi.h>

#define CR3_ADDR_MASK	0xfffff000ul
#define CR3_PCID_MASK	PLEX86_CR3_ASID
#define CR3_NOFLUSH	PLEX86_CR3_KEEP

#endif /* _ASM_X86_PLEX86_CR3_H */
