// SPDX-License-Identifier: GPL-2.0
/*
 * Signals as POSIX gives them: masks, queues, values, flags of sigaction, and the ways to wait
 * for one without a handler.
 */
#include "conform.h"

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <sys/signalfd.h>

static volatile int count, depth, max_depth;
static volatile int order[64];

static void on_count(int sig, siginfo_t *si, void *uc)
{
	(void)si;
	(void)uc;
	order[count & 63] = sig;
	count++;
}

static sigset_t one(int sig)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, sig);
	return set;
}

static void every_signal(void)
{
	for (int sig = 1; sig <= SIGRTMAX; sig++) {
		if (sig == SIGKILL || sig == SIGSTOP || sig == 32 || sig == 33)
			continue;
		catch_signal(sig, on_count, 0);
		count = 0;
		CHECK_SYS(raise(sig));
		CHECK_EQ(count, 1);
		CHECK_EQ(order[0], sig);
	}
	CHECK_ERR(signal(SIGKILL, SIG_IGN) == SIG_ERR ? -1 : 0, EINVAL);
	CHECK_ERR(signal(SIGSTOP, SIG_IGN) == SIG_ERR ? -1 : 0, EINVAL);
	CHECK_ERR(kill(getpid(), 65), EINVAL);
	CHECK_SYS(kill(getpid(), 0));
}

static void blocked_then_delivered(void)
{
	sigset_t set = one(SIGUSR1), pending;

	catch_signal(SIGUSR1, on_count, 0);
	CHECK_SYS(sigprocmask(SIG_BLOCK, &set, NULL));
	/* A plain signal is remembered once. */
	for (int i = 0; i < 5; i++)
		raise(SIGUSR1);
	CHECK_EQ(count, 0);
	CHECK_SYS(sigpending(&pending));
	CHECK(sigismember(&pending, SIGUSR1));
	CHECK_SYS(sigprocmask(SIG_UNBLOCK, &set, NULL));
	CHECK_EQ(count, 1);
	CHECK_SYS(sigpending(&pending));
	CHECK(!sigismember(&pending, SIGUSR1));
}

static void mask_ops(void)
{
	sigset_t a = one(SIGUSR1), b = one(SIGUSR2), got, all;

	CHECK_SYS(sigprocmask(SIG_SETMASK, &a, NULL));
	CHECK_SYS(sigprocmask(SIG_BLOCK, &b, &got));
	CHECK(sigismember(&got, SIGUSR1) && !sigismember(&got, SIGUSR2));
	CHECK_SYS(sigprocmask(SIG_UNBLOCK, &a, NULL));
	CHECK_SYS(sigprocmask(SIG_BLOCK, NULL, &got));
	CHECK(!sigismember(&got, SIGUSR1) && sigismember(&got, SIGUSR2));
	/* KILL and STOP can't be blocked. */
	sigfillset(&all);
	CHECK_SYS(sigprocmask(SIG_SETMASK, &all, NULL));
	CHECK_SYS(sigprocmask(SIG_BLOCK, NULL, &got));
	CHECK(!sigismember(&got, SIGKILL) && !sigismember(&got, SIGSTOP));
	CHECK_ERR(sigprocmask(99, &a, NULL), EINVAL);
	CHECK_ERR(syscall(SYS_rt_sigprocmask, SIG_BLOCK, &a, NULL, 4), EINVAL);
}

static volatile int values[64], value_count;
static volatile int value_code, value_pid;

static void on_value(int sig, siginfo_t *si, void *uc)
{
	(void)sig;
	(void)uc;
	values[value_count++ & 63] = si->si_value.sival_int;
	value_code = si->si_code;
	value_pid = si->si_pid;
}

/* Real-time signals queue, in order, with their values. */
static void queue_values(void)
{
	sigset_t set = one(SIGRTMIN);

	catch_signal(SIGRTMIN, on_value, 0);
	CHECK_SYS(sigprocmask(SIG_BLOCK, &set, NULL));
	for (int i = 0; i < 40; i++)
		CHECK_SYS(sigqueue(getpid(), SIGRTMIN, (union sigval){ .sival_int = i * 3 }));
	CHECK_EQ(value_count, 0);
	CHECK_SYS(sigprocmask(SIG_UNBLOCK, &set, NULL));
	CHECK_EQ(value_count, 40);
	for (int i = 0; i < 40; i++)
		CHECK_EQ(values[i], i * 3);
	CHECK_EQ(value_code, SI_QUEUE);
	CHECK_EQ(value_pid, getpid());
}

/* Of several pending, the lowest number is taken first: plain ones before real-time ones. */
static void delivery_order(void)
{
	const int sigs[] = { SIGRTMIN + 5, SIGUSR2, SIGRTMIN + 1, SIGHUP, SIGUSR1,
		SIGRTMIN + 3 };
	sigset_t set, got;
	siginfo_t si;
	int last = 0;

	sigemptyset(&set);
	for (size_t i = 0; i < ARRAY_SIZE(sigs); i++)
		sigaddset(&set, sigs[i]);
	CHECK_SYS(sigprocmask(SIG_BLOCK, &set, NULL));
	for (size_t i = 0; i < ARRAY_SIZE(sigs); i++)
		raise(sigs[i]);
	for (size_t i = 0; i < ARRAY_SIZE(sigs); i++) {
		int sig = CHECK_SYS(sigwaitinfo(&set, &si));

		CHECK(sig > last);
		last = sig;
	}
	CHECK_SYS(sigpending(&got));
	CHECK(sigisemptyset(&got));
	/* Delivered to handlers they stack: the highest number's handler runs first, on top. */
	for (size_t i = 0; i < ARRAY_SIZE(sigs); i++) {
		catch_signal(sigs[i], on_count, 0);
		raise(sigs[i]);
	}
	CHECK_SYS(sigprocmask(SIG_UNBLOCK, &set, NULL));
	CHECK_EQ(count, ARRAY_SIZE(sigs));
	for (size_t i = 1; i < ARRAY_SIZE(sigs); i++)
		CHECK(order[i] < order[i - 1]);
}

static void on_nest(int sig, siginfo_t *si, void *uc)
{
	(void)si;
	(void)uc;
	depth++;
	if (depth > max_depth)
		max_depth = depth;
	count++;
	if (depth < 20 && sig == SIGUSR1)
		raise(SIGUSR1);
	depth--;
}

static void nodefer(void)
{
	/* Masked while it runs: twenty levels become one, and one more afterwards. */
	catch_signal(SIGUSR1, on_nest, SA_NODEFER);
	raise(SIGUSR1);
	CHECK_EQ(max_depth, 20);
	CHECK_EQ(count, 20);

	count = max_depth = 0;
	catch_signal(SIGUSR1, on_count, 0);
	raise(SIGUSR1);
	CHECK_EQ(count, 1);
}

static void on_self_blocked(int sig, siginfo_t *si, void *uc)
{
	int now = ++count;

	(void)si;
	(void)uc;
	if (now < 10) {
		raise(sig);
		/* Still in this one: it waits for the return. */
		CHECK_EQ(count, now);
	}
}

static void deferred(void)
{
	catch_signal(SIGUSR1, on_self_blocked, 0);
	raise(SIGUSR1);
	CHECK_EQ(count, 10);
}

static void on_masked(int sig, siginfo_t *si, void *uc)
{
	sigset_t set;

	(void)si;
	(void)uc;
	CHECK_SYS(sigprocmask(SIG_BLOCK, NULL, &set));
	CHECK(sigismember(&set, sig));
	CHECK(sigismember(&set, SIGUSR2));
	CHECK(sigismember(&set, SIGRTMIN + 4));
	CHECK(!sigismember(&set, SIGHUP));
	count++;
}

static void handler_mask(void)
{
	struct sigaction sa = { .sa_sigaction = on_masked, .sa_flags = SA_SIGINFO };
	sigset_t set;

	sigaddset(&sa.sa_mask, SIGUSR2);
	sigaddset(&sa.sa_mask, SIGRTMIN + 4);
	CHECK_SYS(sigaction(SIGUSR1, &sa, NULL));
	raise(SIGUSR1);
	CHECK_EQ(count, 1);
	CHECK_SYS(sigprocmask(SIG_BLOCK, NULL, &set));
	CHECK(sigisemptyset(&set));
}

static void resethand(void)
{
	struct sigaction sa;

	catch_signal(SIGUSR1, on_count, SA_RESETHAND);
	raise(SIGUSR1);
	CHECK_EQ(count, 1);
	CHECK_SYS(sigaction(SIGUSR1, NULL, &sa));
	CHECK(sa.sa_handler == SIG_DFL);
	pid_t pid = xfork();

	if (!pid) {
		raise(SIGUSR1);
		_exit(0);
	}
	expect_signal(pid, SIGUSR1);
}

static void plain_handler_hit(int sig)
{
	count += sig;
}

/* Without SA_SIGINFO: the old frame, and the old sigreturn. */
static void old_frame(void)
{
	struct sigaction sa = { .sa_handler = plain_handler_hit };

	CHECK_SYS(sigaction(SIGUSR1, &sa, NULL));
	for (int i = 1; i <= rounds(100); i++) {
		raise(SIGUSR1);
		CHECK_EQ(count, i * SIGUSR1);
	}
}

static char alt_stack[65536];
static volatile int on_alt;

static void on_altstack(int sig, siginfo_t *si, void *uc)
{
	stack_t ss, other = { .ss_flags = SS_DISABLE };
	char *here = (char *)&ss;

	(void)si;
	on_alt = here >= alt_stack && here < alt_stack + sizeof(alt_stack);
	CHECK_SYS(sigaltstack(NULL, &ss));
	CHECK_EQ(!!(ss.ss_flags & SS_ONSTACK), on_alt);
	if (on_alt)
		CHECK_ERR(sigaltstack(&other, NULL), EPERM);
	CHECK(((ucontext_t *)uc)->uc_stack.ss_sp == alt_stack);
	count++;
	/* Nested on the same stack: it goes on below, not from the top again. */
	if (sig == SIGUSR1 && count < 10) {
		volatile char keep[500];

		memset((char *)keep, count, sizeof(keep));
		int mine = count;

		raise(SIGUSR1);
		for (size_t i = 0; i < sizeof(keep); i++)
			CHECK_EQ(keep[i], mine);
	}
}

static void altstack(void)
{
	stack_t ss = { .ss_sp = alt_stack, .ss_size = sizeof(alt_stack) }, got;
	stack_t small = { .ss_sp = alt_stack, .ss_size = 100 };

	CHECK_SYS(sigaltstack(&ss, NULL));
	CHECK_SYS(sigaltstack(NULL, &got));
	CHECK(got.ss_sp == ss.ss_sp && got.ss_size == ss.ss_size && !got.ss_flags);
	CHECK_ERR(sigaltstack(&small, NULL), ENOMEM);
	catch_signal(SIGUSR1, on_altstack, SA_ONSTACK | SA_NODEFER);
	raise(SIGUSR1);
	CHECK_EQ(count, 10);
	CHECK_EQ(on_alt, 1);
	count = 0;
	catch_signal(SIGUSR2, on_altstack, 0);
	raise(SIGUSR2);
	CHECK_EQ(on_alt, 0);
	/* A child of fork keeps it. */
	pid_t pid = xfork();

	if (!pid) {
		count = 9;
		raise(SIGUSR1);
		CHECK_EQ(on_alt, 1);
		_exit(0);
	}
	expect_exit(pid, 0);
}

static void altstack_too_small(void)
{
	pid_t pid = xfork();

	if (!pid) {
		stack_t ss = { .ss_sp = alt_stack, .ss_size = 2048 };
		char *page = xmmap(2 * PAGE, PROT_READ | PROT_WRITE);

		/* The legal size, but the memory under it is gone: no frame, so SIGSEGV, death. */
		ss.ss_sp = page;
		ss.ss_size = 2 * PAGE;
		CHECK_SYS(sigaltstack(&ss, NULL));
		catch_signal(SIGUSR1, on_altstack, SA_ONSTACK);
		CHECK_SYS(munmap(page, 2 * PAGE));
		raise(SIGUSR1);
		_exit(0);
	}
	expect_signal(pid, SIGSEGV);
}

static void suspend(void)
{
	sigset_t block = one(SIGUSR1), none;
	pid_t pid, parent = getpid();

	sigemptyset(&none);
	catch_signal(SIGUSR1, on_count, 0);
	CHECK_SYS(sigprocmask(SIG_BLOCK, &block, NULL));
	for (int i = 0; i < rounds(50); i++) {
		count = 0;
		pid = xfork();
		if (!pid) {
			kill(parent, SIGUSR1);
			_exit(0);
		}
		while (!count)
			CHECK_ERR(sigsuspend(&none), EINTR);
		CHECK_EQ(count, 1);
		sigset_t now;

		CHECK_SYS(sigprocmask(SIG_BLOCK, NULL, &now));
		CHECK(sigismember(&now, SIGUSR1));
		expect_exit(pid, 0);
	}
}

static void wait_info(void)
{
	sigset_t set = one(SIGUSR2);
	struct timespec ts = { .tv_nsec = 10 * NSEC_PER_MSEC };
	int64_t start;
	siginfo_t si;
	pid_t pid, parent = getpid();

	CHECK_SYS(sigprocmask(SIG_BLOCK, &set, NULL));
	start = now_ns(CLOCK_MONOTONIC);
	CHECK_ERR(sigtimedwait(&set, &si, &ts), EAGAIN);
	CHECK(now_ns(CLOCK_MONOTONIC) - start >= 10 * NSEC_PER_MSEC);
	pid = xfork();
	if (!pid) {
		CHECK_SYS(sigqueue(parent, SIGUSR2, (union sigval){ .sival_int = 4711 }));
		_exit(0);
	}
	CHECK_EQ(sigwaitinfo(&set, &si), SIGUSR2);
	CHECK_EQ(si.si_code, SI_QUEUE);
	CHECK_EQ(si.si_pid, pid);
	CHECK_EQ(si.si_uid, getuid());
	CHECK_EQ(si.si_int, 4711);
	expect_exit(pid, 0);
	pid = xfork();
	if (!pid) {
		kill(parent, SIGUSR2);
		_exit(0);
	}
	CHECK_EQ(sigwaitinfo(&set, &si), SIGUSR2);
	CHECK_EQ(si.si_code, SI_USER);
	CHECK_EQ(si.si_pid, pid);
	expect_exit(pid, 0);
}

static void signal_fd(void)
{
	struct signalfd_siginfo ssi;
	struct pollfd pfd;
	sigset_t set;
	int fd;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGRTMIN + 1);
	CHECK_SYS(sigprocmask(SIG_BLOCK, &set, NULL));
	fd = signalfd(-1, &set, SFD_NONBLOCK);
	if (fd < 0 && errno == ENOSYS)
		SKIP("no signalfd");
	CHECK_SYS(fd);
	CHECK_ERR(read(fd, &ssi, sizeof(ssi)), EAGAIN);
	pfd = (struct pollfd){ .fd = fd, .events = POLLIN };
	CHECK_EQ(poll(&pfd, 1, 0), 0);
	for (int i = 0; i < 3; i++)
		CHECK_SYS(sigqueue(getpid(), SIGRTMIN + 1, (union sigval){ .sival_int = 50 + i }));
	raise(SIGUSR1);
	CHECK_EQ(poll(&pfd, 1, 0), 1);
	CHECK_EQ(read(fd, &ssi, sizeof(ssi)), sizeof(ssi));
	CHECK_EQ(ssi.ssi_signo, SIGUSR1);
	for (int i = 0; i < 3; i++) {
		CHECK_EQ(read(fd, &ssi, sizeof(ssi)), sizeof(ssi));
		CHECK_EQ(ssi.ssi_signo, (uint32_t)SIGRTMIN + 1);
		CHECK_EQ(ssi.ssi_int, 50 + i);
		CHECK_EQ(ssi.ssi_code, SI_QUEUE);
	}
	CHECK_ERR(read(fd, &ssi, sizeof(ssi)), EAGAIN);
}

/* The kernel refuses a siginfo that claims to come from itself. */
static void forged_siginfo(void)
{
	siginfo_t si;
	pid_t pid = xfork();

	if (!pid)
		for (;;)
			pause();
	memset(&si, 0, sizeof(si));
	si.si_code = SI_KERNEL;
	CHECK_ERR(syscall(SYS_rt_sigqueueinfo, pid, SIGUSR1, &si), EPERM);
	si.si_code = SI_USER;
	CHECK_ERR(syscall(SYS_rt_sigqueueinfo, pid, SIGUSR1, &si), EPERM);
	kill(pid, SIGKILL);
	expect_signal(pid, SIGKILL);
}

static void ignored(void)
{
	sigset_t pending;

	signal(SIGUSR1, SIG_IGN);
	raise(SIGUSR1);
	CHECK_SYS(sigpending(&pending));
	CHECK(!sigismember(&pending, SIGUSR1));
	/* Setting to ignore drops what is pending. */
	sigset_t set = one(SIGUSR2);

	catch_signal(SIGUSR2, on_count, 0);
	CHECK_SYS(sigprocmask(SIG_BLOCK, &set, NULL));
	raise(SIGUSR2);
	signal(SIGUSR2, SIG_IGN);
	catch_signal(SIGUSR2, on_count, 0);
	CHECK_SYS(sigprocmask(SIG_UNBLOCK, &set, NULL));
	CHECK_EQ(count, 0);
}

/* Two processes hand a signal back and forth, with no other means. */
static void ping_pong(void)
{
	sigset_t set = one(SIGUSR1);
	siginfo_t si;
	pid_t pid, parent = getpid();
	int n = rounds(500);

	CHECK_SYS(sigprocmask(SIG_BLOCK, &set, NULL));
	pid = xfork();
	for (int i = 0; i < n; i++) {
		if (pid)
			CHECK_SYS(sigqueue(pid, SIGUSR1, (union sigval){ .sival_int = i }));
		CHECK_EQ(sigwaitinfo(&set, &si), SIGUSR1);
		if (!pid) {
			CHECK_EQ(si.si_int, i);
			CHECK_SYS(sigqueue(parent, SIGUSR1, (union sigval){ .sival_int = ~i }));
		} else {
			CHECK_EQ(si.si_int, ~i);
		}
	}
	if (!pid)
		_exit(0);
	expect_exit(pid, 0);
}

/*
 * Signals that come faster than handlers are entered would fill the stack: who sends
 * them waits until the last ones are done.
 */
static volatile struct storm {
	int stop, depth, count;
} *shared;

static void on_storm(int sig, siginfo_t *si, void *uc)
{
	(void)sig;
	(void)si;
	(void)uc;
	shared->depth++;
	shared->count++;
	shared->depth--;
}

/* A storm of handlers in a process that computes: the sum at the end is right. */
static void storm(void)
{
	pid_t pid, parent = getpid();
	uint32_t sum, crc = 0;
	unsigned char data[256];

	for (int i = 0; i < 256; i++)
		data[i] = (unsigned char)i;
	sum = crc32_add(0, data, sizeof(data));
	shared = shared_alloc(PAGE);
	catch_signal(SIGUSR1, on_storm, SA_RESTART);
	catch_signal(SIGUSR2, on_storm, SA_RESTART | SA_NODEFER);
	pid = xfork();
	if (!pid) {
		while (!shared->stop) {
			int seen = shared->count;

			kill(parent, SIGUSR1);
			kill(parent, SIGUSR2);
			while (!shared->stop && (shared->count == seen || shared->depth))
				sched_yield();
		}
		_exit(0);
	}
	while (shared->count < rounds(1000)) {
		crc = crc32_add(0, data, sizeof(data));
		CHECK_EQ(crc, sum);
		sched_yield();
	}
	shared->stop = 1;
	expect_exit(pid, 0);
}

/* A handler that interrupts itself: kill, sigqueue and tgkill, and their si_code. */
static volatile int last_code;

static void on_code(int sig, siginfo_t *si, void *uc)
{
	(void)sig;
	(void)uc;
	last_code = si->si_code;
	CHECK_EQ(si->si_pid, getpid());
	CHECK_EQ(si->si_signo, sig);
}

static void codes(void)
{
	catch_signal(SIGUSR1, on_code, 0);
	kill(getpid(), SIGUSR1);
	CHECK_EQ(last_code, SI_USER);
	syscall(SYS_tgkill, getpid(), syscall(SYS_gettid), SIGUSR1);
	CHECK_EQ(last_code, SI_TKILL);
	sigqueue(getpid(), SIGUSR1, (union sigval){ .sival_int = 1 });
	CHECK_EQ(last_code, SI_QUEUE);
}

static void sigio(void)
{
	int fd[2];
	sigset_t set = one(SIGRTMIN + 6);
	siginfo_t si;

	CHECK_SYS(sigprocmask(SIG_BLOCK, &set, NULL));
	CHECK_SYS(pipe(fd));
	CHECK_SYS(fcntl(fd[0], F_SETOWN, getpid()));
	CHECK_SYS(fcntl(fd[0], F_SETSIG, SIGRTMIN + 6));
	CHECK_SYS(fcntl(fd[0], F_SETFL, O_ASYNC));
	CHECK_EQ(write(fd[1], "x", 1), 1);
	CHECK_EQ(sigwaitinfo(&set, &si), SIGRTMIN + 6);
	CHECK_EQ(si.si_fd, fd[0]);
	CHECK(si.si_band & POLLIN);
}

static void sigpipe(void)
{
	int fd[2];

	CHECK_SYS(pipe(fd));
	close(fd[0]);
	catch_signal(SIGPIPE, on_count, 0);
	CHECK_ERR(write(fd[1], "x", 1), EPIPE);
	CHECK_EQ(count, 1);
	signal(SIGPIPE, SIG_IGN);
	CHECK_ERR(write(fd[1], "x", 1), EPIPE);
	pid_t pid = xfork();

	if (!pid) {
		signal(SIGPIPE, SIG_DFL);
		if (write(fd[1], "x", 1) < 0)
			_exit(1);
		_exit(0);
	}
	expect_signal(pid, SIGPIPE);
}

const struct test signal_tests[] = {
	{ "signal-every", every_signal, 0 },
	{ "signal-blocked", blocked_then_delivered, 0 },
	{ "signal-mask-ops", mask_ops, 0 },
	{ "signal-queue-values", queue_values, 0 },
	{ "signal-order", delivery_order, 0 },
	{ "signal-nodefer", nodefer, 0 },
	{ "signal-deferred", deferred, 0 },
	{ "signal-handler-mask", handler_mask, 0 },
	{ "signal-resethand", resethand, 0 },
	{ "signal-old-frame", old_frame, 0 },
	{ "signal-altstack", altstack, 0 },
	{ "signal-altstack-gone", altstack_too_small, 0 },
	{ "signal-suspend", suspend, 0 },
	{ "signal-wait-info", wait_info, 0 },
	{ "signal-signalfd", signal_fd, 0 },
	{ "signal-forged-siginfo", forged_siginfo, 0 },
	{ "signal-ignored", ignored, 0 },
	{ "signal-ping-pong", ping_pong, 0 },
	{ "signal-storm", storm, 0 },
	{ "signal-codes", codes, 0 },
	{ "signal-sigio", sigio, 0 },
	{ "signal-sigpipe", sigpipe, 0 },
	{ NULL, NULL, 0 },
};
