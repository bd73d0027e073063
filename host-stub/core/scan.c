// SPDX-License-Identifier: GPL-2.0
/*
 * Looks for instructions that load PKRU: WRPKRU, 0F 01 EF, and XRSTOR, 0F AE
 * with a memory operand and /5 (SDM vol. 2).  Prefixes do not matter, nor does
 * where an instruction begins: code can be entered at any byte.
 */
#include "scan.h"

#define ONES		0x0101010101010101ull

/* Is it a ModRM byte with a memory operand and /5? */
static bool modrm_mem5(u8 byte)
{
	return (byte >> 3 & 7) == 5 && byte < 0xc0;
}

/* core_scan_hit() - do the 3 bytes at @b, of which the first is 0F, begin one? */
bool core_scan_hit(const u8 *b)
{
	return (b[1] == 0x01 && b[2] == 0xef) ||
	       (b[1] == 0xae && modrm_mem5(b[2]));
}

/*
 * core_scan() - look through a page
 * @page: PAGE_SIZE bytes, aligned to 8
 *
 * Returns SCAN_HIT if one lies in it, and what of one its ends could be.
 */
u32 core_scan(const u8 *page)
{
	const u8 *end = page + PAGE_SIZE, *at, *b;
	u32 found = 0;

	for (at = page; at < end; at += sizeof(u64)) {
		u64 word;

		memcpy(&word, at, sizeof(word));
		word ^= 0x0f * ONES;
		/* Bit 7 of each byte that is 0F now, and of some above one. */
		word = (word - ONES) & ~word & 0x80 * ONES;
		for (; word; word &= word - 1) {
			b = at + __builtin_ctzll(word) / 8;
			if (b < end - 2 && *b == 0x0f && core_scan_hit(b))
				return SCAN_HIT;
		}
	}
	if (end[-1] == 0x0f)
		found |= SCAN_ENDS_0F;
	if (end[-2] == 0x0f && end[-1] == 0x01)
		found |= SCAN_ENDS_0F01;
	if (end[-2] == 0x0f && end[-1] == 0xae)
		found |= SCAN_ENDS_0FAE;
	if ((page[0] == 0x01 && page[1] == 0xef) ||
	    (page[0] == 0xae && modrm_mem5(page[1])))
		found |= SCAN_BEGINS_2;
	if (page[0] == 0xef)
		found |= SCAN_BEGINS_EF;
	if (modrm_mem5(page[0]))
		found |= SCAN_BEGINS_MEM5;
	return found;
}

/* core_scan_border() - does one lie across the border of two pages? */
bool core_scan_border(u32 first, u32 second)
{
	return ((first & SCAN_ENDS_0F) && (second & SCAN_BEGINS_2)) ||
	       ((first & SCAN_ENDS_0F01) && (second & SCAN_BEGINS_EF)) ||
	       ((first & SCAN_ENDS_0FAE) && (second & SCAN_BEGINS_MEM5));
}
