// SPDX-License-Identifier: GPL-2.0
/*
 * The rate of the time-stamp counter, which the guest keeps its time by.
 */
#include "launcher.h"

#include <linux/perf_event.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
#include <x86intrin.h>

/* The host kernel's own figure, where it lets us read it; else 0. */
static u32 khz_from_perf(void)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_SOFTWARE,
		.size = sizeof(attr),
		.config = PERF_COUNT_SW_DUMMY,
		.exclude_kernel = 1,
		.exclude_hv = 1,
	};
	int fd = (int)syscall(SYS_perf_event_open, &attr, 0, -1, -1, 0);
	struct perf_event_mmap_page *page;
	u32 khz = 0;

	if (fd < 0)
		return 0;
	page = mmap(NULL, PAGE_SIZE, PROT_READ, MAP_SHARED, fd, 0);
	if (page != MAP_FAILED) {
		if (page->cap_user_time && page->time_mult &&
		    page->time_shift < 40)
			khz = (u32)((1000000ull << page->time_shift) /
				    page->time_mult);
		munmap(page, PAGE_SIZE);
	}
	close(fd);
	return khz;
}

/* A reading of both clocks, as close together as can be had. */
static void sample(u64 *ns, u64 *tsc)
{
	u64 best = ~0ull;
	int i;

	for (i = 0; i < 16; i++) {
		u64 before = __rdtsc(), t = now_ns(), after = __rdtsc();

		if (after - before < best) {
			best = after - before;
			*ns = t;
			*tsc = before + best / 2;
		}
	}
}

/* Against CLOCK_MONOTONIC, over 20 ms: good to a few millionths. */
static u32 khz_measured(void)
{
	struct timespec wait = { .tv_nsec = 20000000 };
	u64 ns0 = 0, ns1 = 0, tsc0 = 0, tsc1 = 0;

	sample(&ns0, &tsc0);
	nanosleep(&wait, NULL);
	sample(&ns1, &tsc1);
	return (u32)((tsc1 - tsc0) * 1000000 / (ns1 - ns0));
}

/* tsc_khz() - the TSC's rate in kHz */
u32 tsc_khz(void)
{
	u32 khz = khz_from_perf();

	return khz ? khz : khz_measured();
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
