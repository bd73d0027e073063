/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What a row of the benchmark is.  The rows themselves are in rows.c; how they
 * are run and reported is in bench32.c; what a guest does while it is measured
 * from outside is in stay.c.
 */
#ifndef BENCH32_H
#define BENCH32_H

#include <stdint.h>

struct row {
	const char *name;
	const char *unit;	/* what one of the counted things is */
	void (*setup)(void);	/* may be NULL */
	/*
	 * Do @n units and return the nanoseconds they took.  @n is always a
	 * multiple of the row's grain.
	 */
	uint64_t (*run)(unsigned long n);
	unsigned long grain;
	/* A value that must be the same on every machine, or NULL. */
	uint32_t (*check)(void);
};

extern const struct row rows[];		/* ends with a NULL name */

struct options {
	long cpu;		/* to run on; -1: wherever */
	long batches;
	long batch_ms;
	long walk_mib;		/* 0: what the machine's memory suggests */
	const char *rows;	/* comma-separated names; NULL: all */
	int tsc_khz;		/* print the time stamp counter's rate only */
	int boot;		/* as init: come up and go down, no rows */
	const char *stay;	/* as init: do this from then on; NULL: end */
	int restart;		/* as init: restart at the end, not power off */
};

extern struct options options;

/* CLOCK_MONOTONIC in nanoseconds. */
uint64_t now_ns(void);

/*
 * Give up this row: @what failed, with errno's reason.  Every row runs in a
 * process of its own, so the others are not harmed.
 */
void fail(const char *what) __attribute__((noreturn));

/*
 * Stay "busy", "idle" or, with memory and address spaces in use, "loaded", for
 * good: says so in a line first, or why it cannot.
 */
void stay(const char *what) __attribute__((noreturn));

/* The argument that makes bench32 exit at once: what the exec row executes. */
#define EXIT_AT_ONCE "--exit"

#endif
