// SPDX-License-Identifier: GPL-2.0
/*
 * System calls interrupted by signals: restarted at the same instruction with SA_RESTART, EINTR
 * without, and the sleeps that carry on with what is left.
 *
 * A helper process sends signals until the handler saw one that fell inside the call: its frame
 * tells, by EIP. So no test depends on how long anything takes.
 */
#include "conform.h"

#include <poll.h>
#include <sys/epoll.h>
#include <sys/ptrace.h>
#include <sys/socket.h>

struct shared {
	volatile int hits, stop, handled;
	volatile uint32_t frame_eip, frame_eax;
};

static struct shared *sh;

/* The call under test is made here and nowhere else. */
__asm__(".text; restart_code: int $0x80; restart_after: ret");
extern const unsigned char restart_code[], restart_after[];

static void on_usr1(int sig, siginfo_t *si, void *context)
{
	ucontext_t *uc = context;
	uint32_t eip = (uint32_t)uc->uc_mcontext.gregs[REG_EIP];

	(void)sig;
	(void)si;
	sh->handled++;
	if (eip == (uint32_t)(uintptr_t)restart_code || eip == (uint32_t)(uintptr_t)restart_after) {
		sh->frame_eip = eip;
		sh->frame_eax = (uint32_t)uc->uc_mcontext.gregs[REG_EAX];
		sh->hits++;
	}
}

/* A child that signals its parent until it is told to stop. */
static pid_t start_sender(void)
{
	pid_t parent = getpid(), pid = xfork();

	if (!pid) {
		while (!sh->stop && getppid() == parent) {
			kill(parent, SIGUSR1);
			sleep_ms(2);
		}
		_exit(0);
	}
	return pid;
}

static long call(long nr, long a, long b, long c, long d, long e)
{
	struct regs r = {
		.eax = (uint32_t)nr, .ebx = (uint32_t)a, .ecx = (uint32_t)b, .edx = (uint32_t)c,
		.esi = (uint32_t)d, .edi = (uint32_t)e, .ebp = 0x5a5a5a5a, .eflags = FL_BASE,
	};
	struct regs in = r;

	reg_call(&r, restart_code);
	in.eax = r.eax;
	r.eflags = in.eflags;
	if (memcmp(&r, &in, sizeof(r)))
		FAIL("a register changed over an interrupted call");
	return (long)(int32_t)r.eax;
}

static void begin(int flags)
{
	sh = shared_alloc(PAGE);
	catch_signal(SIGUSR1, on_usr1, flags);
}

static void end(pid_t sender)
{
	sh->stop = 1;
	expect_exit(sender, 0);
}

static void read_restarts(void)
{
	int fd[2];
	pid_t sender, writer;
	char c = 0;

	begin(SA_RESTART);
	CHECK_SYS(pipe(fd));
	writer = xfork();
	if (!writer) {
		while (sh->hits < 3)
			sleep_ms(1);
		CHECK_EQ(write(fd[1], "r", 1), 1);
		_exit(0);
	}
	sender = start_sender();
	CHECK_EQ(call(SYS_read, fd[0], (long)&c, 1, 0, 0), 1);
	CHECK_EQ(c, 'r');
	CHECK(sh->hits >= 3);
	end(sender);
	expect_exit(writer, 0);
}

/* The frame of a call to be restarted points at INT 0x80 with its number back in EAX. */
static void restart_frame(void)
{
	int fd[2];
	pid_t sender, writer;
	char c;

	begin(SA_RESTART);
	CHECK_SYS(pipe(fd));
	writer = xfork();
	if (!writer) {
		while (!sh->hits)
			sleep_ms(1);
		CHECK_EQ(write(fd[1], "r", 1), 1);
		_exit(0);
	}
	sender = start_sender();
	CHECK_EQ(call(SYS_read, fd[0], (long)&c, 1, 0, 0), 1);
	/* The last hit may have come after the data did, behind the call. */
	if (sh->frame_eip == (uint32_t)(uintptr_t)restart_code)
		CHECK_EQ(sh->frame_eax, SYS_read);
	else
		CHECK_EQ(sh->frame_eax, 1);
	end(sender);
	expect_exit(writer, 0);
}

static void read_eintr(void)
{
	int fd[2];
	pid_t sender;
	char c;

	begin(0);
	CHECK_SYS(pipe(fd));
	sender = start_sender();
	CHECK_EQ(call(SYS_read, fd[0], (long)&c, 1, 0, 0), -EINTR);
	/* The call had returned as far as its frame: EIP behind it, the error in EAX. */
	CHECK_EQ(sh->frame_eip, (uint32_t)(uintptr_t)restart_after);
	CHECK_EQ((int32_t)sh->frame_eax, -EINTR);
	end(sender);
}

/* Those that never restart, whatever the handler asks for. */
static void never_restarted(void)
{
	struct timespec ts = { .tv_sec = 3600 };
	uint64_t mask = 0;
	int ep;
	pid_t sender;

	begin(SA_RESTART);
	sender = start_sender();
	CHECK_EQ(call(SYS_pause, 0, 0, 0, 0, 0), -EINTR);
	CHECK_EQ(call(SYS_nanosleep, (long)&ts, 0, 0, 0, 0), -EINTR);
	CHECK_EQ(call(SYS_poll, 0, 0, -1, 0, 0), -EINTR);
	CHECK_EQ(call(SYS__newselect, 0, 0, 0, 0, 0), -EINTR);
	CHECK_EQ(call(SYS_rt_sigsuspend, (long)&mask, 8, 0, 0, 0), -EINTR);
	ep = CHECK_SYS(epoll_create1(0));
	struct epoll_event ev;

	CHECK_EQ(call(SYS_epoll_wait, ep, (long)&ev, 1, -1, 0), -EINTR);
	end(sender);
}

static void nanosleep_remainder(void)
{
	struct timespec ts = { .tv_sec = 3600 }, rem = { 0 };
	pid_t sender;

	begin(0);
	sender = start_sender();
	CHECK_EQ(call(SYS_nanosleep, (long)&ts, (long)&rem, 0, 0, 0), -EINTR);
	end(sender);
	CHECK(rem.tv_sec > 3000 && rem.tv_sec <= 3600);
}

static void wait_restarts(void)
{
	pid_t sender, child;

	begin(SA_RESTART);
	child = xfork();
	if (!child) {
		while (sh->hits < 3)
			sleep_ms(1);
		_exit(8);
	}
	sender = start_sender();
	int status = 0;

	CHECK_EQ(call(SYS_wait4, child, (long)&status, 0, 0, 0), child);
	CHECK_EQ(WEXITSTATUS(status), 8);
	end(sender);
}

/* Stop and continue the child until it ends by itself; what it found is in its exit status. */
static void stop_and_go(pid_t pid)
{
	int status;

	for (;;) {
		kill(pid, SIGSTOP);
		CHECK_EQ(waitpid(pid, &status, WUNTRACED), pid);
		if (!WIFSTOPPED(status))
			break;
		CHECK_SYS(kill(pid, SIGCONT));
		sleep_ms(3);
	}
	if (WIFEXITED(status) && WEXITSTATUS(status) == 99)
		_exit(99);
	CHECK_EQ(status, 0);
}

/* No handler runs: restart_syscall carries a sleep on to its end, not from its beginning. */
static void sleep_over_stop(void)
{
	pid_t pid = xfork();

	if (!pid) {
		struct timespec ts = { .tv_nsec = 60 * NSEC_PER_MSEC };
		int64_t start = now_ns(CLOCK_MONOTONIC);
		struct regs r = {
			.eax = SYS_nanosleep, .ebx = (uint32_t)(uintptr_t)&ts, .eflags = FL_BASE,
		};

		reg_call(&r, code_int80);
		CHECK_EQ(r.eax, 0);
		CHECK_EQ(r.ebx, (uintptr_t)&ts);
		CHECK(now_ns(CLOCK_MONOTONIC) - start >= 60 * NSEC_PER_MSEC);
		_exit(0);
	}
	stop_and_go(pid);
}

/* The same for poll and futex, whose remaining time is kept the same way. */
static void poll_over_stop(void)
{
	pid_t pid = xfork();

	if (!pid) {
		struct timespec ts = { .tv_nsec = 40 * NSEC_PER_MSEC };
		uint32_t word = 0;
		int64_t start = now_ns(CLOCK_MONOTONIC);

		CHECK_EQ(int80(SYS_poll, 0, 0, 40, 0, 0, 0), 0);
		CHECK(now_ns(CLOCK_MONOTONIC) - start >= 40 * NSEC_PER_MSEC);
		start = now_ns(CLOCK_MONOTONIC);
		CHECK_EQ(int80(SYS_futex, (long)&word, 0, 0, (long)&ts, 0, 0), -ETIMEDOUT);
		CHECK(now_ns(CLOCK_MONOTONIC) - start >= 40 * NSEC_PER_MSEC);
		_exit(0);
	}
	stop_and_go(pid);
}

/* A write of much into a full pipe, interrupted: what went in is reported. */
static void partial_write(void)
{
	static char big[1 << 20];
	int fd[2];
	pid_t sender;
	long n;

	begin(SA_RESTART);
	CHECK_SYS(pipe(fd));
	sender = start_sender();
	n = call(SYS_write, fd[1], (long)big, sizeof(big), 0, 0);
	end(sender);
	CHECK(n > 0 && n < (long)sizeof(big));
	CHECK_EQ(n % PAGE, 0);
}

static void socket_restarts(void)
{
	int fd[2];
	pid_t sender, writer;
	char c = 0;

	begin(SA_RESTART);
	CHECK_SYS(socketpair(AF_UNIX, SOCK_STREAM, 0, fd));
	writer = xfork();
	if (!writer) {
		while (sh->hits < 3)
			sleep_ms(1);
		CHECK_EQ(write(fd[1], "s", 1), 1);
		_exit(0);
	}
	sender = start_sender();
	unsigned long args[4] = { (unsigned long)fd[0], (unsigned long)&c, 1, 0 };

	CHECK_EQ(call(SYS_socketcall, 10, (long)args, 0, 0, 0), 1);
	CHECK_EQ(c, 's');
	end(sender);
	expect_exit(writer, 0);
}

/* Ignored signals and those blocked don't interrupt at all. */
static void not_interrupted(void)
{
	int fd[2];
	pid_t sender, writer;
	sigset_t set;
	char c;

	begin(0);
	signal(SIGUSR1, SIG_IGN);
	for (int round = 0; round < 2; round++) {
		CHECK_SYS(pipe(fd));
		sh->stop = 0;
		if (round) {
			catch_signal(SIGUSR1, on_usr1, 0);
			sigemptyset(&set);
			sigaddset(&set, SIGUSR1);
			sigprocmask(SIG_BLOCK, &set, NULL);
		}
		writer = xfork();
		if (!writer) {
			sleep_ms(15);
			CHECK_EQ(write(fd[1], "n", 1), 1);
			_exit(0);
		}
		sender = start_sender();
		CHECK_EQ(call(SYS_read, fd[0], (long)&c, 1, 0, 0), 1);
		end(sender);
		expect_exit(writer, 0);
	}
	CHECK_EQ(sh->handled, 0);
}

/* By the C library's way in, whichever that is. */
static void libc_restarts(void)
{
	int fd[2];
	pid_t sender, writer;
	char c = 0;

	begin(SA_RESTART);
	CHECK_SYS(pipe(fd));
	writer = xfork();
	if (!writer) {
		while (sh->handled < 5)
			sleep_ms(1);
		sleep_ms(10);
		CHECK_EQ(write(fd[1], "l", 1), 1);
		_exit(0);
	}
	sender = start_sender();
	CHECK_EQ(read(fd[0], &c, 1), 1);
	CHECK_EQ(c, 'l');
	end(sender);
	expect_exit(writer, 0);
}

const struct test restart_tests[] = {
	{ "restart-read", read_restarts, 0 },
	{ "restart-frame", restart_frame, 0 },
	{ "restart-eintr", read_eintr, 0 },
	{ "restart-never", never_restarted, 0 },
	{ "restart-nanosleep-remainder", nanosleep_remainder, 0 },
	{ "restart-wait", wait_restarts, 0 },
	{ "restart-sleep-over-stop", sleep_over_stop, 0 },
	{ "restart-poll-over-stop", poll_over_stop, 0 },
	{ "restart-partial-write", partial_write, 0 },
	{ "restart-socket", socket_restarts, 0 },
	{ "restart-not-interrupted", not_interrupted, 0 },
	{ "restart-libc", libc_restarts, 0 },
	{ NULL, NULL, 0 },
};
