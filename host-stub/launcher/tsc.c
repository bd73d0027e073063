// SPDX-License-Identifier: GPL-2.0
/*
 * The rate of the time-stamp counter, which the guest keeps its time by.
 */
#include "launcher.h"

#include <time.h>

#define WINDOW_NS	5000000ull

static u64 rdtsc(void)
{
	u32 low, high;

	__asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
	return (u64)high << 32 | low;
}

/* A reading of both clocks, as close together as can be had. */
static void sample(u64 *ns, u64 *tsc)
{
	u64 best = ~0ull;
	int i;

	*ns = 0;
	*tsc = 0;
	for (i = 0; i < 16; i++) {
		u64 before = rdtsc(), t = now_ns(), after = rdtsc();

		if (after - before < best) {
			best = after - before;
			*ns = t;
			*tsc = before + best / 2;
		}
	}
}

/*
 * tsc_start() - take the first of the two readings that the rate comes from
 *
 * The longer it lies before tsc_khz(), the better the rate: each reading is
 * good to some 20 ns, so 5 ms apart they give a few millionths.
 */
void tsc_start(struct tsc_sample *start)
{
	sample(&start->ns, &start->tsc);
}

/* tsc_khz() - the TSC's rate in kHz */
u32 tsc_khz(const struct tsc_sample *start)
{
	struct timespec wait = { 0 };
	u64 ns = now_ns(), tsc;

	if (ns < start->ns + WINDOW_NS) {
		wait.tv_nsec = (long)(start->ns + WINDOW_NS - ns);
		nanosleep(&wait, NULL);
	}
	sample(&ns, &tsc);
	return (u32)(((tsc - start->tsc) * 1000000 + (ns - start->ns) / 2) /
		     (ns - start->ns));
}

/* tsc_invariant() - does it run at one rate always? (SDM vol. 3, 18.17.1) */
bool tsc_invariant(void)
{
	struct cpuid_leaf leaf;

	host_cpuid(0x80000000, 0, &leaf);
	if (leaf.eax < 0x80000007)
		return false;
	host_cpuid(0x80000007, 0, &leaf);
	return leaf.edx & 0x100;
}
