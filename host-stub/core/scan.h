/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The search for instructions that load PKRU.
 */
#ifndef CORE_SCAN_H
#define CORE_SCAN_H

#include "types.h"

/* What core_scan() finds in a page; the last six, at its ends. */
#define SCAN_HIT		0x01u
#define SCAN_ENDS_0F		0x02u
#define SCAN_ENDS_0F01		0x04u
#define SCAN_ENDS_0FAE		0x08u
#define SCAN_BEGINS_2		0x10u	/* with the two bytes behind 0F */
#define SCAN_BEGINS_EF		0x20u	/* with the byte behind 0F 01 */
#define SCAN_BEGINS_MEM5	0x40u	/* and behind 0F AE */
#define SCAN_ALL		0x7fu

u32 core_scan(const u8 *page);
bool core_scan_hit(const u8 *b);
bool core_scan_border(u32 first, u32 second);

#endif
