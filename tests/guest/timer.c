// SPDX-License-Identifier: GPL-2.0
/*
 * Timers and sleeps: never early, every expiration counted. How late they may be is not said.
 */
#include "conform.h"

#include <poll.h>
#include <sched.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/time.h>
#include <sys/timerfd.h>

static const int delays_us[] = { 1, 50, 200, 999, 1000, 3000, 10000, 20001 };

static void nanosleep_never_early(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(delays_us); i++) {
		struct timespec ts = { .tv_nsec = delays_us[i] * 1000 };
		int64_t start = now_ns(CLOCK_MONOTONIC);

		CHECK_SYS(nanosleep(&ts, NULL));
		if (now_ns(CLOCK_MONOTONIC) - start < delays_us[i] * 1000ll)
			FAIL("a sleep of %d us ended early", delays_us[i]);
	}
	CHECK_ERR(nanosleep(&(struct timespec){ .tv_nsec = NSEC_PER_SEC }, NULL), EINVAL);
	CHECK_ERR(nanosleep(&(struct timespec){ .tv_sec = -1 }, NULL), EINVAL);
	CHECK_SYS(nanosleep(&(struct timespec){ 0 }, NULL));
}

static void sleep_until(clockid_t clock)
{
	for (size_t i = 0; i < ARRAY_SIZE(delays_us); i++) {
		int64_t end = now_ns(clock) + delays_us[i] * 1000ll;
		struct timespec ts = { (time_t)(end / NSEC_PER_SEC), (long)(end % NSEC_PER_SEC) };

		CHECK_0(clock_nanosleep(clock, TIMER_ABSTIME, &ts, NULL));
		if (now_ns(clock) < end)
			FAIL("an absolute sleep on clock %d ended early", clock);
		/* In the past: at once. */
		CHECK_0(clock_nanosleep(clock, TIMER_ABSTIME, &ts, NULL));
	}
}

static void absolute_sleep(void)
{
	sleep_until(CLOCK_MONOTONIC);
	sleep_until(CLOCK_REALTIME);
	sleep_until(CLOCK_BOOTTIME);
}

static void poll_never_early(void)
{
	static const int delays_ms[] = { 1, 2, 5, 10, 21 };
	int ep = CHECK_SYS(epoll_create1(0));

	for (size_t i = 0; i < ARRAY_SIZE(delays_ms); i++) {
		int64_t want = delays_ms[i] * NSEC_PER_MSEC, start = now_ns(CLOCK_MONOTONIC);
		struct epoll_event ev;
		struct timeval tv = { .tv_usec = delays_ms[i] * 1000 };
		struct timespec ts = { .tv_nsec = (long)want };

		CHECK_EQ(poll(NULL, 0, delays_ms[i]), 0);
		CHECK(now_ns(CLOCK_MONOTONIC) - start >= want);
		start = now_ns(CLOCK_MONOTONIC);
		CHECK_EQ(ppoll(NULL, 0, &ts, NULL), 0);
		CHECK(now_ns(CLOCK_MONOTONIC) - start >= want);
		start = now_ns(CLOCK_MONOTONIC);
		CHECK_EQ(select(0, NULL, NULL, NULL, &tv), 0);
		CHECK(now_ns(CLOCK_MONOTONIC) - start >= want);
		/* What is left is reported. */
		CHECK_EQ(tv.tv_sec, 0);
		CHECK_EQ(tv.tv_usec, 0);
		start = now_ns(CLOCK_MONOTONIC);
		CHECK_EQ(epoll_wait(ep, &ev, 1, delays_ms[i]), 0);
		CHECK(now_ns(CLOCK_MONOTONIC) - start >= want);
	}
}

/* Many sleepers at once, of different lengths: they end in order of their ends. */
static void many_sleepers(void)
{
	enum { N = 20 };
	pid_t pid[N];
	int64_t start = now_ns(CLOCK_MONOTONIC);

	for (int i = 0; i < N; i++) {
		pid[i] = xfork();
		if (!pid[i]) {
			int64_t end = start + (i * 7 % N + 20) * 2 * NSEC_PER_MSEC;
			struct timespec ts = { (time_t)(end / NSEC_PER_SEC),
				(long)(end % NSEC_PER_SEC) };

			CHECK_0(clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL));
			CHECK(now_ns(CLOCK_MONOTONIC) >= end);
			_exit(0);
		}
	}
	for (int i = 0; i < N; i++)
		expect_exit(pid[i], 0);
}

static void timer_fd(void)
{
	int fd = timerfd_create(CLOCK_MONOTONIC, 0);
	struct itimerspec its = { { .tv_nsec = 2 * NSEC_PER_MSEC }, { .tv_nsec = 5 * NSEC_PER_MSEC } };
	struct itimerspec left;
	int64_t start, now;
	uint64_t n, total = 0;

	if (fd < 0 && errno == ENOSYS)
		SKIP("no timerfd");
	CHECK_SYS(fd);
	start = now_ns(CLOCK_MONOTONIC);
	CHECK_SYS(timerfd_settime(fd, 0, &its, NULL));
	while (total < 20) {
		CHECK_EQ(read(fd, &n, sizeof(n)), sizeof(n));
		CHECK(n >= 1);
		total += n;
		now = now_ns(CLOCK_MONOTONIC) - start;
		/* The nth comes at 5 + (n - 1) * 2 ms, no earlier. */
		CHECK(now >= (5 + ((int64_t)total - 1) * 2) * NSEC_PER_MSEC);
	}
	CHECK_SYS(timerfd_gettime(fd, &left));
	CHECK_EQ(left.it_interval.tv_nsec, 2 * NSEC_PER_MSEC);
	CHECK(left.it_value.tv_sec == 0 && left.it_value.tv_nsec <= 2 * NSEC_PER_MSEC);
	/* Missed ones are counted when it is read late. */
	CHECK_EQ(read(fd, &n, sizeof(n)), sizeof(n));
	sleep_ms(20);
	CHECK_EQ(read(fd, &n, sizeof(n)), sizeof(n));
	CHECK(n >= 9);
	memset(&its, 0, sizeof(its));
	CHECK_SYS(timerfd_settime(fd, 0, &its, NULL));
	struct pollfd p = { .fd = fd, .events = POLLIN };

	CHECK_EQ(poll(&p, 1, 5), 0);
}

static volatile int fired;
static volatile int fired_value, fired_overrun;

static void on_timer(int sig, siginfo_t *si, void *uc)
{
	(void)sig;
	(void)uc;
	CHECK_EQ(si->si_code, SI_TIMER);
	fired_value = si->si_value.sival_int;
	fired_overrun += si->si_overrun;
	fired++;
}

static void posix_timer(void)
{
	struct sigevent sev = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN,
		.sigev_value.sival_int = 1234 };
	struct itimerspec its = { { .tv_nsec = 2 * NSEC_PER_MSEC }, { .tv_nsec = 2 * NSEC_PER_MSEC } };
	timer_t t;
	int64_t start, elapsed;

	catch_signal(SIGRTMIN, on_timer, 0);
	CHECK_SYS(timer_create(CLOCK_MONOTONIC, &sev, &t));
	start = now_ns(CLOCK_MONOTONIC);
	CHECK_SYS(timer_settime(t, 0, &its, NULL));
	while (fired < 20)
		sched_yield();
	CHECK_SYS(timer_delete(t));
	elapsed = now_ns(CLOCK_MONOTONIC) - start;
	CHECK_EQ(fired_value, 1234);
	/* Signals and overruns together: no more than the time allows. */
	CHECK((fired + fired_overrun) * 2 * NSEC_PER_MSEC <= elapsed);
	CHECK_ERR(timer_settime(t, 0, &its, NULL), EINVAL);
}

/* Blocked: one signal is queued, the rest are overruns. */
static void timer_overrun(void)
{
	struct sigevent sev = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN };
	struct itimerspec its = { { .tv_nsec = NSEC_PER_MSEC }, { .tv_nsec = NSEC_PER_MSEC } };
	sigset_t set;
	siginfo_t si;
	timer_t t;
	int64_t start;

	sigemptyset(&set);
	sigaddset(&set, SIGRTMIN);
	CHECK_SYS(sigprocmask(SIG_BLOCK, &set, NULL));
	CHECK_SYS(timer_create(CLOCK_MONOTONIC, &sev, &t));
	start = now_ns(CLOCK_MONOTONIC);
	CHECK_SYS(timer_settime(t, 0, &its, NULL));
	sleep_ms(30);
	CHECK_EQ(sigwaitinfo(&set, &si), SIGRTMIN);
	CHECK_EQ(si.si_code, SI_TIMER);
	int n = si.si_overrun, again = timer_getoverrun(t);

	CHECK_EQ(n, again);
	/* At least what the sleep covered, at most what the whole time allows. */
	CHECK(n >= 28);
	CHECK((int64_t)(n + 1) * NSEC_PER_MSEC <= now_ns(CLOCK_MONOTONIC) - start);
	CHECK_SYS(timer_delete(t));
}

static void timer_once(void)
{
	struct itimerspec its = { .it_value.tv_nsec = 5 * NSEC_PER_MSEC }, left;
	struct sigevent sev = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN };
	struct sigevent none = { .sigev_notify = SIGEV_NONE };
	timer_t t;
	int64_t start;

	catch_signal(SIGRTMIN, on_timer, 0);
	CHECK_SYS(timer_create(CLOCK_REALTIME, &sev, &t));
	start = now_ns(CLOCK_REALTIME);
	CHECK_SYS(timer_settime(t, 0, &its, NULL));
	/* Not pause(): the signal may come just before it. */
	while (!fired)
		sched_yield();
	CHECK(now_ns(CLOCK_REALTIME) - start >= 5 * NSEC_PER_MSEC);
	CHECK_SYS(timer_gettime(t, &left));
	CHECK_EQ(left.it_value.tv_sec | left.it_value.tv_nsec, 0);
	sleep_ms(10);
	CHECK_EQ(fired, 1);
	CHECK_SYS(timer_create(CLOCK_MONOTONIC, &none, &t));
	its.it_value.tv_sec = 1000;
	CHECK_SYS(timer_settime(t, 0, &its, NULL));
	CHECK_SYS(timer_gettime(t, &left));
	CHECK(left.it_value.tv_sec > 900 && left.it_value.tv_sec <= 1000);
}

static volatile int alarms[65];

static void on_itimer(int sig, siginfo_t *si, void *uc)
{
	(void)si;
	(void)uc;
	alarms[sig]++;
}

static void itimer_real(void)
{
	struct itimerval it = { { .tv_usec = 2000 }, { .tv_usec = 3000 } }, old;
	int64_t start = now_ns(CLOCK_MONOTONIC);

	catch_signal(SIGALRM, on_itimer, SA_RESTART);
	CHECK_SYS(setitimer(ITIMER_REAL, &it, NULL));
	while (alarms[SIGALRM] < 10)
		pause();
	CHECK(now_ns(CLOCK_MONOTONIC) - start >= (3 + 9 * 2) * NSEC_PER_MSEC);
	CHECK_SYS(getitimer(ITIMER_REAL, &old));
	CHECK_EQ(old.it_interval.tv_usec, 2000);
	memset(&it, 0, sizeof(it));
	CHECK_SYS(setitimer(ITIMER_REAL, &it, NULL));
	CHECK_SYS(getitimer(ITIMER_REAL, &old));
	CHECK_EQ(old.it_value.tv_usec | old.it_value.tv_sec, 0);
	CHECK_ERR(setitimer(9, &it, NULL), EINVAL);
}

static void itimer_cpu(void)
{
	struct itimerval it = { { .tv_usec = 5000 }, { .tv_usec = 5000 } };

	catch_signal(SIGVTALRM, on_itimer, 0);
	catch_signal(SIGPROF, on_itimer, 0);
	CHECK_SYS(setitimer(ITIMER_PROF, &it, NULL));
	CHECK_SYS(setitimer(ITIMER_VIRTUAL, &it, NULL));
	/* Ends only if both count. */
	while (alarms[SIGVTALRM] < 3 || alarms[SIGPROF] < 3)
		for (volatile int i = 0; i < 10000; i++)
			;
	memset(&it, 0, sizeof(it));
	CHECK_SYS(setitimer(ITIMER_PROF, &it, NULL));
	CHECK_SYS(setitimer(ITIMER_VIRTUAL, &it, NULL));
	/* Asleep, neither runs. */
	int n = alarms[SIGPROF];

	it.it_value.tv_sec = 5;
	CHECK_SYS(setitimer(ITIMER_PROF, &it, NULL));
	sleep_ms(10);
	CHECK_EQ(alarms[SIGPROF], n);
}

static void alarm_clock(void)
{
	catch_signal(SIGALRM, on_itimer, 0);
	CHECK_EQ(alarm(100), 0);
	int64_t start = now_ns(CLOCK_MONOTONIC);
	unsigned int left = alarm(1);

	CHECK(left > 50 && left <= 100);
	while (!alarms[SIGALRM])
		sleep_ms(1);
	CHECK(now_ns(CLOCK_MONOTONIC) - start >= NSEC_PER_SEC);
	CHECK_EQ(alarm(0), 0);
	/* exec and fork: a child has none. */
	alarm(100);
	pid_t pid = xfork();

	if (!pid)
		_exit(alarm(0) != 0);
	expect_exit(pid, 0);
}

/* A busy process among timers of another: both get on. */
static void timer_preempts(void)
{
	struct itimerval it = { { .tv_usec = 1000 }, { .tv_usec = 1000 } };
	volatile uint64_t count = 0;

	catch_signal(SIGALRM, on_itimer, 0);
	CHECK_SYS(setitimer(ITIMER_REAL, &it, NULL));
	/* No system call in this loop: the signals come through interrupts alone. */
	while (alarms[SIGALRM] < 50)
		count++;
	CHECK(count > 0);
}

/* Two processes that only compute share one CPU. */
static void fair(void)
{
	volatile uint32_t *n = shared_alloc(PAGE);
	cpu_set_t set;
	pid_t pid[2];

	CPU_ZERO(&set);
	CPU_SET((unsigned int)sched_getcpu(), &set);
	CHECK_SYS(sched_setaffinity(0, sizeof(set), &set));
	for (int i = 0; i < 2; i++) {
		pid[i] = xfork();
		if (!pid[i])
			for (;;)
				n[i * 16]++;
	}
	/* Ends only if both run. */
	while (n[0] < 1000 || n[16] < 1000)
		sleep_ms(1);
	uint32_t a = n[0], b = n[16];

	while (n[0] - a < 1000 || n[16] - b < 1000)
		sleep_ms(1);
	for (int i = 0; i < 2; i++) {
		kill(pid[i], SIGKILL);
		expect_signal(pid[i], SIGKILL);
	}
}

const struct test timer_tests[] = {
	{ "timer-nanosleep", nanosleep_never_early, 0 },
	{ "timer-absolute-sleep", absolute_sleep, 0 },
	{ "timer-poll-select-epoll", poll_never_early, 0 },
	{ "timer-many-sleepers", many_sleepers, 0 },
	{ "timer-timerfd", timer_fd, 0 },
	{ "timer-posix", posix_timer, 0 },
	{ "timer-overrun", timer_overrun, 0 },
	{ "timer-once", timer_once, 0 },
	{ "timer-itimer-real", itimer_real, 0 },
	{ "timer-itimer-cpu", itimer_cpu, 0 },
	{ "timer-alarm", alarm_clock, 0 },
	{ "timer-preempts", timer_preempts, 0 },
	{ "timer-fair", fair, 0 },
	{ NULL, NULL, 0 },
};
