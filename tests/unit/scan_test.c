// SPDX-License-Identifier: GPL-2.0
/*
 * core/scan.c against a search that looks at every byte: each form of the
 * instructions with each ModRM byte at each place that could be special, pages
 * at random, and pairs of pages.
 */
#include "scan.h"
#include "unit.h"

/* Two pages, side by side as the guest may have them. */
static _Alignas(8) u8 pages[2 * PAGE_SIZE];

/* WRPKRU, or XRSTOR: 0F AE /5 with a memory operand (SDM vol. 2). */
static bool begins(const u8 *b)
{
	return (b[0] == 0x0f && b[1] == 0x01 && b[2] == 0xef) ||
	       (b[0] == 0x0f && b[1] == 0xae && b[2] >> 6 != 3 &&
		(b[2] & 0x38) == 0x28);
}

/* Where the bytes under test are; there is nothing outside. */
static u32 first, last;

/* Does one lie between @from and @to? */
static bool model(u32 from, u32 to)
{
	from = from > first ? from : first;
	to = to < last ? to : last;
	for (; from + 3 <= to; from++)
		if (begins(pages + from))
			return true;
	return false;
}

/* What is found in the two pages has to be what the model finds. */
static void check(const char *r)
{
	u32 a = core_scan(pages), b = core_scan(pages + PAGE_SIZE);

	CHECK_EQ(r, (a | b) & ~SCAN_ALL, 0);
	CHECK_EQ(r, a & SCAN_HIT, model(0, PAGE_SIZE) ? SCAN_HIT : 0);
	CHECK_EQ(r, b & SCAN_HIT,
		 model(PAGE_SIZE, sizeof(pages)) ? SCAN_HIT : 0);
	if (!((a | b) & SCAN_HIT))
		CHECK_EQ(r, core_scan_border(a, b), model(0, sizeof(pages)));
}

/* Is one at @at, and a few bytes around it? */
static void check_at(const char *r, u32 at)
{
	first = at > 8 ? at - 8 : 0;
	last = at + 11 < sizeof(pages) ? at + 11 : sizeof(pages);
	check(r);
}

/* Each second and third byte behind 0F, wherever it may matter. */
static void each_form(void **state)
{
	static const u8 around[] = { 0x00, 0x0f };
	static const u32 at[] = {
		0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 15, 16, 2043, 2044, 2045, 2046,
		2047, 2048, 4085, 4086, 4087, 4088, 4089, 4090, 4091, 4092,
		4093, 4094, 4095, 4096, 4097, 4098, 4103, 4104, 8189,
	};
	u32 i, code, n;

	(void)state;
	for (n = 0; n < ARRAY_SIZE(around); n++) {
		memset(pages, around[n], sizeof(pages));
		for (i = 0; i < ARRAY_SIZE(at); i++) {
			for (code = 0; code < 0x10000; code++) {
				u8 second = (u8)(code >> 8);

				/* Of the others a few stand for all. */
				if (second != 0x01 && second != 0xae &&
				    code % 64 != 0x2f && code % 256 != 0xef)
					continue;
				pages[at[i]] = 0x0f;
				pages[at[i] + 1] = second;
				pages[at[i] + 2] = (u8)code;
				check_at(row("0f %02x %02x at %u in %02x",
					     second, code & 0xff, at[i],
					     around[n]), at[i]);
			}
			memset(pages + at[i], around[n], 3);
		}
	}
}

/* At every offset one that is found, and one that only looks like it. */
static void each_offset(void **state)
{
	static const u8 forms[][3] = {
		{ 0x0f, 0x01, 0xef }, { 0x0f, 0xae, 0x28 }, { 0x0f, 0xae, 0x6c },
		{ 0x0f, 0xae, 0xaf }, { 0x0f, 0xae, 0xe8 }, { 0x0f, 0x01, 0xee },
		{ 0x0f, 0xae, 0x20 }, { 0x0f, 0x0f, 0x01 }, { 0x0f, 0x02, 0xef },
		{ 0x0e, 0x01, 0xef }, { 0x8f, 0x01, 0xef }, { 0x0f, 0x2e, 0x28 },
	};
	u32 i, at;

	(void)state;
	memset(pages, 0, sizeof(pages));
	for (i = 0; i < ARRAY_SIZE(forms); i++)
		for (at = 0; at + 3 <= sizeof(pages); at++) {
			memcpy(pages + at, forms[i], 3);
			check_at(row("form %u at %u", i, at), at);
			memset(pages + at, 0, 3);
		}
}

/* What each tag says of the ends, byte by byte. */
static void tags(void **state)
{
	u32 a, b;

	(void)state;
	memset(pages, 0x90, sizeof(pages));
	for (a = 0; a < 256; a++)
		for (b = 0; b < 256; b++) {
			const char *r = row("%02x %02x", a, b);
			bool mem5 = (b & 0x38) == 0x28 && b < 0xc0, first5;
			u32 found;

			pages[PAGE_SIZE - 2] = (u8)a;
			pages[PAGE_SIZE - 1] = (u8)b;
			found = core_scan(pages);
			CHECK_EQ(r, found & SCAN_ENDS_0F,
				 b == 0x0f ? SCAN_ENDS_0F : 0);
			CHECK_EQ(r, found & SCAN_ENDS_0F01,
				 a == 0x0f && b == 0x01 ? SCAN_ENDS_0F01 : 0);
			CHECK_EQ(r, found & SCAN_ENDS_0FAE,
				 a == 0x0f && b == 0xae ? SCAN_ENDS_0FAE : 0);
			CHECK_EQ(r, found & ~(SCAN_ENDS_0F | SCAN_ENDS_0F01 |
					      SCAN_ENDS_0FAE), 0);
			pages[PAGE_SIZE] = (u8)a;
			pages[PAGE_SIZE + 1] = (u8)b;
			first5 = (a & 0x38) == 0x28 && a < 0xc0;
			CHECK_EQ(r, core_scan(pages + PAGE_SIZE),
				 ((a == 0x01 && b == 0xef) ||
				  (a == 0xae && mem5) ? SCAN_BEGINS_2 : 0) |
				 (a == 0xef ? SCAN_BEGINS_EF : 0) |
				 (first5 ? SCAN_BEGINS_MEM5 : 0));
			memset(pages + PAGE_SIZE - 2, 0x90, 4);
		}
}

/* All pairs of ends out of the bytes that count. */
static void borders(void **state)
{
	static const u8 some[] = {
		0x0f, 0x01, 0xef, 0xae, 0x28, 0x2f, 0x68, 0xa8, 0xe8, 0x20, 0x90,
	};
	const u32 n = ARRAY_SIZE(some);
	u32 i, j, all = n * n * n * n;

	(void)state;
	memset(pages, 0, sizeof(pages));
	for (i = 0; i < all; i++) {
		u32 left = i;

		for (j = 0; j < 4; j++, left /= n)
			pages[PAGE_SIZE - 2 + j] = some[left % n];
		check_at(row("border %u", i), PAGE_SIZE);
	}
}

/* Random pages, of all bytes and of those that count. */
static void random_pages(void **state)
{
	static const u8 some[] = { 0x0f, 0x01, 0xef, 0xae, 0x28, 0xe8, 0x0e, 0 };
	u64 seed = 0x082efa98ec4e6c89;
	u32 round, i, hits = 0, crossings = 0;

	(void)state;
	for (round = 0; round < 2000; round++) {
		/* How seldom a byte is one of them: all pages would have one. */
		u32 seldom = round % 3 ? 1u << random32(&seed) % 12 : 0;

		for (i = 0; i < sizeof(pages); i++) {
			u32 r = random32(&seed);

			if (!seldom)
				pages[i] = (u8)r;
			else
				pages[i] = r % seldom ? 0x90 : some[r >> 16 & 7];
		}
		for (i = PAGE_SIZE - 3; i < PAGE_SIZE + 3; i++)
			pages[i] = some[random32(&seed) & 7];
		first = 0;
		last = sizeof(pages);
		check(row("round %u", round));
		hits += core_scan(pages) & SCAN_HIT;
		crossings += core_scan_border(core_scan(pages),
					      core_scan(pages + PAGE_SIZE));
	}
	CHECK("mix", hits > 200 && hits < 1800 && crossings > 10);
}

#define TEST(name) cmocka_unit_test(name)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(each_form), TEST(each_offset), TEST(tags), TEST(borders),
		TEST(random_pages),
	};

	return RUN_TESTS("scan", tests, NULL, NULL);
}
