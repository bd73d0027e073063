/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What every unit test shares: cmocka, checks that name the row of a table
 * that failed, and random numbers from a fixed seed.
 *
 * A failed check prints one line "ERROR: ROW: WHAT is X, not Y", which
 * tests/15-unit shows as the reason.
 */
#ifndef UNIT_H
#define UNIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "types.h"

#include <cmocka.h>

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))

/* CHECK_EQ() - @got must equal @want; @row says which case of the test it is */
#define CHECK_EQ(row, got, want) \
	check_eq(__FILE__, __LINE__, row, #got, (u64)(got), (u64)(want))

/* CHECK() - @cond must hold */
#define CHECK(row, cond) \
	check_true(__FILE__, __LINE__, row, #cond, (cond))

/* CHECK_STR() - a message must hold @want; NULL: there must be none */
#define CHECK_STR(row, got, want) \
	check_str(__FILE__, __LINE__, row, #got, got, want)

/* CHECK_MEM() - @n bytes must be equal */
#define CHECK_MEM(row, got, want, n) \
	check_mem(__FILE__, __LINE__, row, #got, got, want, n)

static inline void check_eq(const char *file, int line, const char *row,
			    const char *what, u64 got, u64 want)
{
	if (got == want)
		return;
	print_error("ERROR: %s: %s is 0x%llx, not 0x%llx\n", row, what,
		    (unsigned long long)got, (unsigned long long)want);
	_fail(file, line);
}

static inline void check_true(const char *file, int line, const char *row,
			      const char *what, bool ok)
{
	if (ok)
		return;
	print_error("ERROR: %s: not so: %s\n", row, what);
	_fail(file, line);
}

static inline void check_str(const char *file, int line, const char *row,
			     const char *what, const char *got,
			     const char *want)
{
	if (!got != !want || (got && !strstr(got, want))) {
		print_error("ERROR: %s: %s is \"%s\", not \"%s\"\n", row, what,
			    got ? got : "(none)", want ? want : "(none)");
		_fail(file, line);
	}
}

static inline void check_mem(const char *file, int line, const char *row,
			     const char *what, const void *got,
			     const void *want, size_t n)
{
	const u8 *g = got, *w = want;
	size_t i;

	for (i = 0; i < n; i++) {
		if (g[i] == w[i])
			continue;
		print_error("ERROR: %s: byte %zu of %s is 0x%02x, not 0x%02x\n",
			    row, i, what, g[i], w[i]);
		_fail(file, line);
	}
}

/* A row's name made up as printf does; good until the 4th next. */
__attribute__((format(printf, 1, 2)))
static inline const char *row(const char *format, ...)
{
	static char text[4][160];
	static unsigned int turn;
	char *at = text[turn++ % 4];
	va_list args;

	va_start(args, format);
	vsnprintf(at, sizeof(text[0]), format, args);
	va_end(args);
	return at;
}

/* random32() - the next number of a sequence that *@seed starts (xorshift) */
static inline u32 random32(u64 *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	*seed ^= *seed << 17;
	return (u32)(*seed >> 32);
}

/* Results must come out in the order of what is said about them. */
#define RUN_TESTS(name, tests, setup, teardown) \
	(setvbuf(stdout, NULL, _IOLBF, 0), \
	 cmocka_run_group_tests_name(name, tests, setup, teardown))

#endif
