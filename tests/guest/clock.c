// SPDX-License-Identifier: GPL-2.0
/*
 * Clocks: none goes back, they agree with one another, and the vDSO's answer lies between two
 * system calls'. Never says anything about how fast a clock is read.
 */
#include "conform.h"

#include <pthread.h>
#include <sched.h>
#include <sys/time.h>
#include <sys/timex.h>

static int64_t raw_ns(clockid_t clock)
{
	struct timespec ts;
	long r = int80(SYS_clock_gettime, clock, (long)&ts, 0, 0, 0, 0);

	if (r)
		FAIL("clock_gettime(%d): error %ld", clock, -r);
	return ts.tv_sec * NSEC_PER_SEC + ts.tv_nsec;
}

static const clockid_t forward[] = { CLOCK_MONOTONIC, CLOCK_MONOTONIC_RAW, CLOCK_MONOTONIC_COARSE,
	CLOCK_BOOTTIME, CLOCK_PROCESS_CPUTIME_ID, CLOCK_THREAD_CPUTIME_ID };

static void never_back(void)
{
	for (size_t k = 0; k < ARRAY_SIZE(forward); k++) {
		int64_t last = 0;

		for (int i = 0; i < rounds(20000); i++) {
			int64_t now = i % 16 ? now_ns(forward[k]) : raw_ns(forward[k]);

			if (now < last)
				FAIL("clock %d went back", forward[k]);
			last = now;
		}
		CHECK(last > 0);
	}
}

static volatile int64_t latest;
static pthread_mutex_t latest_lock = PTHREAD_MUTEX_INITIALIZER;

static void *read_clock(void *arg)
{
	for (int i = 0; i < rounds(5000); i++) {
		int64_t now;

		pthread_mutex_lock(&latest_lock);
		now = now_ns(CLOCK_MONOTONIC);
		if (now < latest)
			FAIL("one thread reads an earlier time than another did before");
		latest = now;
		pthread_mutex_unlock(&latest_lock);
		if (i % 64 == 0)
			sched_yield();
	}
	return arg;
}

static void between_threads(void)
{
	pthread_t t[4];

	for (int i = 0; i < 4; i++)
		CHECK_0(pthread_create(&t[i], NULL, read_clock, NULL));
	for (int i = 0; i < 4; i++)
		CHECK_0(pthread_join(t[i], NULL));
}

/* From process to process, through a pipe. */
static void between_processes(void)
{
	int there[2], back[2];
	int64_t t = 0, now;

	CHECK_SYS(pipe(there));
	CHECK_SYS(pipe(back));
	pid_t pid = xfork();

	for (int i = 0; i < rounds(300); i++) {
		if (!pid) {
			CHECK_EQ(read(there[0], &t, sizeof(t)), sizeof(t));
			now = now_ns(CLOCK_MONOTONIC);
			CHECK(now >= t);
			CHECK_EQ(write(back[1], &now, sizeof(now)), sizeof(now));
		} else {
			now = now_ns(CLOCK_MONOTONIC);
			CHECK(now >= t);
			CHECK_EQ(write(there[1], &now, sizeof(now)), sizeof(now));
			CHECK_EQ(read(back[0], &t, sizeof(t)), sizeof(t));
			CHECK(t >= now);
		}
	}
	if (!pid)
		_exit(0);
	expect_exit(pid, 0);
}

static void vdso_agrees(void)
{
	static const clockid_t clocks[] = { CLOCK_MONOTONIC, CLOCK_REALTIME, CLOCK_BOOTTIME,
		CLOCK_MONOTONIC_RAW };

	for (size_t k = 0; k < ARRAY_SIZE(clocks); k++) {
		for (int i = 0; i < rounds(2000); i++) {
			int64_t a = raw_ns(clocks[k]), b = now_ns(clocks[k]), c = raw_ns(clocks[k]);

			if (b < a || b > c)
				FAIL("clock %d through the C library is outside the system calls around it",
				     clocks[k]);
		}
	}
}

static void time_agrees(void)
{
	for (int i = 0; i < rounds(1000); i++) {
		struct timeval tv;
		int64_t before = raw_ns(CLOCK_REALTIME_COARSE), mid, after;
		time_t t;

		CHECK_SYS(gettimeofday(&tv, NULL));
		mid = tv.tv_sec * NSEC_PER_SEC + tv.tv_usec * 1000ll;
		after = raw_ns(CLOCK_REALTIME);
		CHECK(mid + 999 >= before && mid <= after);
		t = time(NULL);
		CHECK(t >= before / NSEC_PER_SEC && t <= raw_ns(CLOCK_REALTIME) / NSEC_PER_SEC);
	}
}

/* The 64-bit forms of 32-bit programs say the same. */
static void time64(void)
{
	int64_t ts[2] = { 0 }, old, after;
	long r;

	for (int i = 0; i < rounds(200); i++) {
		old = raw_ns(CLOCK_MONOTONIC);
		r = int80(SYS_clock_gettime64, CLOCK_MONOTONIC, (long)ts, 0, 0, 0, 0);
		if (r == -ENOSYS)
			SKIP("no clock_gettime64");
		after = raw_ns(CLOCK_MONOTONIC);
		CHECK(ts[0] * NSEC_PER_SEC + ts[1] >= old);
		CHECK(ts[0] * NSEC_PER_SEC + ts[1] <= after);
	}
}

/* Over some tens of milliseconds, REALTIME, MONOTONIC and RAW advance alike. */
static void advance_alike(void)
{
	int64_t m0 = now_ns(CLOCK_MONOTONIC), r0 = now_ns(CLOCK_REALTIME);
	int64_t w0 = now_ns(CLOCK_MONOTONIC_RAW), m1 = now_ns(CLOCK_MONOTONIC);
	int64_t m2, r1, w1, m3, lower, upper;

	sleep_ms(100);
	m2 = now_ns(CLOCK_MONOTONIC);
	r1 = now_ns(CLOCK_REALTIME);
	w1 = now_ns(CLOCK_MONOTONIC_RAW);
	m3 = now_ns(CLOCK_MONOTONIC);
	/* The readings are framed, so preemption widens the frame instead of failing the test. */
	lower = (m2 - m1) * 9 / 10;
	upper = (m3 - m0) * 11 / 10;
	CHECK(r1 - r0 >= lower && r1 - r0 <= upper);
	CHECK(w1 - w0 >= lower && w1 - w0 <= upper);
}

static void coarse(void)
{
	for (int i = 0; i < rounds(500); i++) {
		int64_t c = now_ns(CLOCK_MONOTONIC_COARSE), m = now_ns(CLOCK_MONOTONIC);

		CHECK(c <= m);
	}
}

static void resolution(void)
{
	struct timespec ts;

	CHECK_SYS(clock_getres(CLOCK_MONOTONIC, &ts));
	/* High-resolution timers. */
	CHECK(ts.tv_sec == 0 && ts.tv_nsec == 1);
	CHECK_SYS(clock_getres(CLOCK_REALTIME, &ts));
	CHECK(ts.tv_sec == 0 && ts.tv_nsec == 1);
	CHECK_ERR(clock_getres(77, &ts), EINVAL);
	CHECK_ERR(clock_gettime(77, &ts), EINVAL);
}

/* CPU time stands still asleep and runs awake. */
static void cpu_time(void)
{
	int64_t before = now_ns(CLOCK_PROCESS_CPUTIME_ID), after, start = now_ns(CLOCK_MONOTONIC);
	int64_t slept;

	sleep_ms(50);
	after = now_ns(CLOCK_PROCESS_CPUTIME_ID);
	slept = now_ns(CLOCK_MONOTONIC) - start;
	CHECK(slept >= 50 * NSEC_PER_MSEC);
	CHECK(after - before < slept / 2);
	before = after;
	/* Ends only if it advances. */
	while (now_ns(CLOCK_PROCESS_CPUTIME_ID) < before + 10 * NSEC_PER_MSEC)
		;
}

/* A process's clock counts its threads, and another's can be read by id. */
static void *burn(void *arg)
{
	while (now_ns(CLOCK_THREAD_CPUTIME_ID) < 10 * NSEC_PER_MSEC)
		;
	return arg;
}

static void cpu_time_threads(void)
{
	pthread_t t[3];
	clockid_t c;

	for (int i = 0; i < 3; i++)
		CHECK_0(pthread_create(&t[i], NULL, burn, NULL));
	for (int i = 0; i < 3; i++)
		CHECK_0(pthread_join(t[i], NULL));
	CHECK(now_ns(CLOCK_PROCESS_CPUTIME_ID) >= 29 * NSEC_PER_MSEC);
	CHECK_0(clock_getcpuclockid(getpid(), &c));
	int64_t a = now_ns(CLOCK_PROCESS_CPUTIME_ID), b = now_ns(c);

	CHECK(b >= a);
}

/* The time-stamp counter, on one CPU: forward, over switches too. */
static void tsc(void)
{
	uint64_t last = 0;
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET((unsigned int)sched_getcpu(), &set);
	CHECK_SYS(sched_setaffinity(0, sizeof(set), &set));
	for (int i = 0; i < rounds(20000); i++) {
		uint64_t now = rdtsc();

		if (now < last)
			FAIL("the time-stamp counter went back");
		last = now;
		if (i % 256 == 0)
			sched_yield();
	}
	uint64_t start = rdtsc();

	sleep_ms(20);
	CHECK(rdtsc() > start);
}

/* And between processes on that CPU. */
static void tsc_processes(void)
{
	volatile uint64_t *seen = shared_alloc(PAGE);
	volatile uint32_t *turn = (volatile uint32_t *)(seen + 1);
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET((unsigned int)sched_getcpu(), &set);
	CHECK_SYS(sched_setaffinity(0, sizeof(set), &set));
	pid_t pid = xfork();

	for (uint32_t i = 0; i < (uint32_t)rounds(500); i++) {
		while (__atomic_load_n(turn, __ATOMIC_SEQ_CST) != i * 2 + !pid)
			sched_yield();
		uint64_t now = rdtsc();

		CHECK(now >= *seen);
		*seen = now;
		__atomic_add_fetch(turn, 1, __ATOMIC_SEQ_CST);
	}
	if (!pid)
		_exit(0);
	expect_exit(pid, 0);
}

static void cpu_number(void)
{
	long n = sysconf(_SC_NPROCESSORS_CONF);
	unsigned int cpu = 99999, node = 99999;

	for (int i = 0; i < rounds(1000); i++) {
		int c = CHECK_SYS(sched_getcpu());

		CHECK(c >= 0 && c < n);
		if (i % 32 == 0)
			sched_yield();
	}
	CHECK_SYS(syscall(SYS_getcpu, &cpu, &node, NULL));
	CHECK(cpu < (unsigned int)n);
	CHECK_EQ(node, 0);
}

static void adjtime_reads(void)
{
	struct timex tx = { .modes = 0 };
	int r = CHECK_SYS(adjtimex(&tx));

	CHECK(r >= 0 && r <= 5);
	CHECK(tx.tick > 9000 && tx.tick < 11000);
}

const struct test clock_tests[] = {
	{ "clock-never-back", never_back, 0 },
	{ "clock-between-threads", between_threads, 0 },
	{ "clock-between-processes", between_processes, 0 },
	{ "clock-vdso-agrees", vdso_agrees, 0 },
	{ "clock-time-agrees", time_agrees, 0 },
	{ "clock-time64", time64, 0 },
	{ "clock-advance-alike", advance_alike, 0 },
	{ "clock-coarse", coarse, 0 },
	{ "clock-resolution", resolution, 0 },
	{ "clock-cpu-time", cpu_time, 0 },
	{ "clock-cpu-time-threads", cpu_time_threads, 0 },
	{ "clock-tsc", tsc, 0 },
	{ "clock-tsc-processes", tsc_processes, 0 },
	{ "clock-cpu-number", cpu_number, 0 },
	{ "clock-adjtimex", adjtime_reads, 0 },
	{ NULL, NULL, 0 },
};
