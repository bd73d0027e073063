// SPDX-License-Identifier: GPL-2.0
/*
 * core/string.c against the C library's functions, whose names it has: it is
 * compiled here under others.
 */
#include "unit.h"

void *core_memcpy(void *restrict to, const void *restrict from, size_t n);
void *core_memset(void *to, int c, size_t n);
int core_memcmp(const void *a, const void *b, size_t n);
void *core_memmove(void *to, const void *from, size_t n);

#define memcpy	core_memcpy
#define memset	core_memset
#define memcmp	core_memcmp
#define memmove	core_memmove
#include "string.c"
#undef memcpy
#undef memset
#undef memcmp
#undef memmove

#define N	24

static void fill(u8 *a, u8 *b)
{
	u32 i;

	for (i = 0; i < N; i++)
		a[i] = b[i] = (u8)(i * 37 + 1);
}

/* Every source, target and length in a small block, overlapping or not. */
static void copies(void **state)
{
	u32 from, to, n;
	u8 a[N], b[N];

	(void)state;
	for (from = 0; from < N; from++)
	for (to = 0; to < N; to++)
	for (n = 0; n + (from > to ? from : to) <= N; n++) {
		const char *r = row("%u -> %u, %u bytes", from, to, n);

		fill(a, b);
		CHECK(r, core_memmove(a + to, a + from, n) == a + to);
		memmove(b + to, b + from, n);
		CHECK_MEM(r, a, b, N);
		if (from + n > to && to + n > from)
			continue;
		fill(a, b);
		CHECK(r, core_memcpy(a + to, a + from, n) == a + to);
		memcpy(b + to, b + from, n);
		CHECK_MEM(r, a, b, N);
	}
}

static void sets(void **state)
{
	static const int values[] = { 0, 1, 0x80, 0xff, 0x1234, -1 };
	u8 a[N], b[N];
	size_t v;
	u32 at, n;

	(void)state;
	for (v = 0; v < ARRAY_SIZE(values); v++)
	for (at = 0; at < N; at++)
	for (n = 0; at + n <= N; n++) {
		fill(a, b);
		CHECK("memset", core_memset(a + at, values[v], n) == a + at);
		memset(b + at, values[v], n);
		CHECK_MEM(row("%u, %u bytes", at, n), a, b, N);
	}
}

static int sign(int n)
{
	return (n > 0) - (n < 0);
}

static void compares(void **state)
{
	static const u8 values[] = { 0, 1, 0x7f, 0x80, 0xff };
	u8 a[N], b[N];
	size_t x, y;
	u32 at, n;

	(void)state;
	for (at = 0; at < N; at++)
	for (n = 0; n <= N; n++)
	for (x = 0; x < ARRAY_SIZE(values); x++)
	for (y = 0; y < ARRAY_SIZE(values); y++) {
		fill(a, b);
		a[at] = values[x];
		b[at] = values[y];
		CHECK_EQ(row("byte %u of %u: %u, %u", at, n, a[at], b[at]),
			 sign(core_memcmp(a, b, n)), sign(memcmp(a, b, n)));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(copies), cmocka_unit_test(sets),
		cmocka_unit_test(compares),
	};

	return RUN_TESTS("string", tests, NULL, NULL);
}
