// SPDX-License-Identifier: GPL-2.0
/*
 * Processes: fork, wait in all its forms, vfork, clone, and who inherits an orphan.
 */
#include "conform.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/time.h>

static void exit_codes(void)
{
	for (int code = 0; code < 256; code += 5) {
		pid_t pid = xfork();

		if (!pid)
			_exit(code);
		if (code == 99 || code == 100)
			continue;
		expect_exit(pid, code);
	}
}

static void exit_truncated(void)
{
	pid_t pid = xfork();

	if (!pid)
		_exit(0x1234);
	expect_exit(pid, 0x34);
}

static void death_signals(void)
{
	static const int sigs[] = { SIGHUP, SIGINT, SIGQUIT, SIGILL, SIGABRT, SIGFPE, SIGKILL,
		SIGSEGV, SIGPIPE, SIGALRM, SIGTERM, SIGUSR1, SIGUSR2, SIGBUS, SIGXCPU, SIGVTALRM,
		SIGSYS, 34, 64 };

	for (size_t i = 0; i < ARRAY_SIZE(sigs); i++) {
		pid_t pid = xfork();

		if (!pid) {
			default_signal(sigs[i] == SIGKILL || sigs[i] > 32 ? SIGUSR1 : sigs[i]);
			syscall(SYS_kill, getpid(), sigs[i]);
			_exit(1);
		}
		expect_signal(pid, sigs[i]);
	}
}

static void wait_none(void)
{
	CHECK_ERR(waitpid(-1, NULL, 0), ECHILD);
	CHECK_ERR(waitpid(getpid(), NULL, 0), ECHILD);
	CHECK_ERR(waitpid(-1, NULL, 0x40), EINVAL);
}

static void wait_nohang(void)
{
	int fd[2];
	char c;
	pid_t pid;

	CHECK_SYS(pipe(fd));
	pid = xfork();
	if (!pid) {
		close(fd[1]);
		_exit(read(fd[0], &c, 1) != 0);
	}
	CHECK_EQ(waitpid(pid, NULL, WNOHANG), 0);
	close(fd[1]);
	expect_exit(pid, 0);
	CHECK_ERR(waitpid(pid, NULL, WNOHANG), ECHILD);
}

static void stop_continue(void)
{
	int status;
	pid_t pid = xfork();

	if (!pid)
		for (;;)
			pause();
	for (int i = 0; i < rounds(20); i++) {
		CHECK_SYS(kill(pid, SIGSTOP));
		CHECK_EQ(waitpid(pid, &status, WUNTRACED), pid);
		CHECK(WIFSTOPPED(status) && WSTOPSIG(status) == SIGSTOP);
		CHECK_SYS(kill(pid, SIGCONT));
		CHECK_EQ(waitpid(pid, &status, WCONTINUED), pid);
		CHECK(WIFCONTINUED(status));
	}
	CHECK_SYS(kill(pid, SIGSTOP));
	CHECK_EQ(waitpid(pid, &status, WUNTRACED), pid);
	CHECK_SYS(kill(pid, SIGKILL));
	expect_signal(pid, SIGKILL);
}

static void job_stop_signals(void)
{
	static const int sigs[] = { SIGSTOP, SIGTSTP, SIGTTIN, SIGTTOU };
	int status;

	for (size_t i = 0; i < ARRAY_SIZE(sigs); i++) {
		pid_t pid = xfork();

		/* An orphaned process group ignores the terminal's stops; this one has a parent. */
		if (!pid) {
			raise(sigs[i]);
			_exit(7);
		}
		CHECK_EQ(waitpid(pid, &status, WUNTRACED), pid);
		CHECK(WIFSTOPPED(status));
		CHECK_EQ(WSTOPSIG(status), sigs[i]);
		CHECK_SYS(kill(pid, SIGCONT));
		expect_exit(pid, 7);
	}
}

static void waitid_codes(void)
{
	siginfo_t si;
	int go[2];
	char c = 0;
	pid_t pid;

	CHECK_SYS(pipe(go));
	pid = xfork();
	if (!pid) {
		raise(SIGSTOP);
		/* An exit would hide that it was continued: wait until that has been seen. */
		CHECK_EQ(read(go[0], &c, 1), 1);
		_exit(42);
	}
	memset(&si, 0, sizeof(si));
	CHECK_SYS(waitid(P_PID, (id_t)pid, &si, WSTOPPED));
	CHECK_EQ(si.si_code, CLD_STOPPED);
	CHECK_EQ(si.si_status, SIGSTOP);
	CHECK_EQ(si.si_pid, pid);
	CHECK_EQ(si.si_uid, getuid());
	CHECK_EQ(si.si_signo, SIGCHLD);
	CHECK_SYS(kill(pid, SIGCONT));
	CHECK_SYS(waitid(P_PID, (id_t)pid, &si, WCONTINUED));
	CHECK_EQ(si.si_code, CLD_CONTINUED);
	CHECK_EQ(si.si_status, SIGCONT);
	CHECK_EQ(write(go[1], &c, 1), 1);
	CHECK_SYS(waitid(P_PID, (id_t)pid, &si, WEXITED | WNOWAIT));
	CHECK_EQ(si.si_code, CLD_EXITED);
	CHECK_EQ(si.si_status, 42);
	/* WNOWAIT left it to be waited for again. */
	memset(&si, 0, sizeof(si));
	CHECK_SYS(waitid(P_ALL, 0, &si, WEXITED));
	CHECK_EQ(si.si_pid, pid);
	CHECK_ERR(waitid(P_ALL, 0, &si, WEXITED), ECHILD);

	pid = xfork();
	if (!pid) {
		raise(SIGKILL);
		_exit(1);
	}
	CHECK_SYS(waitid(P_PID, (id_t)pid, &si, WEXITED));
	CHECK_EQ(si.si_code, CLD_KILLED);
	CHECK_EQ(si.si_status, SIGKILL);
	CHECK_ERR(waitid(P_PID, 1, &si, 0), EINVAL);
}

static void waitid_nohang(void)
{
	siginfo_t si;
	pid_t pid = xfork();

	if (!pid)
		for (;;)
			pause();
	memset(&si, 0x55, sizeof(si));
	CHECK_SYS(waitid(P_PID, (id_t)pid, &si, WEXITED | WNOHANG));
	CHECK_EQ(si.si_pid, 0);
	CHECK_EQ(si.si_signo, 0);
	kill(pid, SIGKILL);
	expect_signal(pid, SIGKILL);
}

static void wait_group(void)
{
	pid_t a = xfork(), b;
	int status;

	if (!a) {
		setpgid(0, 0);
		for (;;)
			pause();
	}
	setpgid(a, a);
	b = xfork();
	if (!b) {
		setpgid(0, a);
		_exit(3);
	}
	setpgid(b, a);
	CHECK_EQ(waitpid(-a, &status, 0), b);
	CHECK_EQ(WEXITSTATUS(status), 3);
	CHECK_SYS(kill(-a, SIGTERM));
	expect_signal(a, SIGTERM);
}

static void wait4_rusage(void)
{
	struct rusage ru;
	int status;
	pid_t pid = xfork();

	if (!pid) {
		int64_t end;
		struct rusage self;

		/* CPU time is charged as the clock ticks: go on until some is. */
		do {
			end = now_ns(CLOCK_MONOTONIC) + 5 * NSEC_PER_MSEC;
			while (now_ns(CLOCK_MONOTONIC) < end)
				;
			getrusage(RUSAGE_SELF, &self);
		} while (!self.ru_utime.tv_sec && self.ru_utime.tv_usec < 10000 &&
			 !self.ru_stime.tv_sec && self.ru_stime.tv_usec < 10000);
		_exit(0);
	}
	memset(&ru, 0, sizeof(ru));
	CHECK_EQ(wait4(pid, &status, 0, &ru), pid);
	CHECK(ru.ru_utime.tv_sec + ru.ru_utime.tv_usec + ru.ru_stime.tv_sec +
	      ru.ru_stime.tv_usec > 0);
	CHECK(ru.ru_minflt > 0);
	memset(&ru, 0, sizeof(ru));
	CHECK_SYS(getrusage(RUSAGE_CHILDREN, &ru));
	CHECK(ru.ru_minflt > 0);
}

static siginfo_t seen_chld;
static volatile int chld_count;

static void on_chld(int sig, siginfo_t *si, void *uc)
{
	(void)sig;
	(void)uc;
	seen_chld = *si;
	chld_count++;
}

static void sigchld_info(void)
{
	sigset_t block, old;
	pid_t pid;

	catch_signal(SIGCHLD, on_chld, 0);
	sigemptyset(&block);
	sigaddset(&block, SIGCHLD);
	sigprocmask(SIG_BLOCK, &block, &old);
	pid = xfork();
	if (!pid)
		_exit(17);
	while (!chld_count)
		sigsuspend(&old);
	CHECK_EQ(seen_chld.si_code, CLD_EXITED);
	CHECK_EQ(seen_chld.si_status, 17);
	CHECK_EQ(seen_chld.si_pid, pid);
	expect_exit(pid, 17);
}

static void sigchld_ignored(void)
{
	pid_t pid;

	signal(SIGCHLD, SIG_IGN);
	pid = xfork();
	if (!pid)
		_exit(1);
	CHECK_ERR(waitpid(pid, NULL, 0), ECHILD);
	signal(SIGCHLD, SIG_DFL);
}

static void nocldwait(void)
{
	struct sigaction sa = { .sa_handler = SIG_DFL, .sa_flags = SA_NOCLDWAIT };
	pid_t pid;

	CHECK_SYS(sigaction(SIGCHLD, &sa, NULL));
	pid = xfork();
	if (!pid)
		_exit(1);
	CHECK_ERR(waitpid(pid, NULL, 0), ECHILD);
}

static void nocldstop(void)
{
	int status;
	pid_t pid;

	catch_signal(SIGCHLD, on_chld, SA_NOCLDSTOP | SA_RESTART);
	pid = xfork();
	if (!pid)
		for (;;)
			pause();
	CHECK_SYS(kill(pid, SIGSTOP));
	CHECK_EQ(waitpid(pid, &status, WUNTRACED), pid);
	CHECK_EQ(chld_count, 0);
	kill(pid, SIGKILL);
	expect_signal(pid, SIGKILL);
	CHECK_EQ(chld_count, 1);
	CHECK_EQ(seen_chld.si_code, CLD_KILLED);
}

/* A tree of depth d and width 3: each node exits with the sum of its children plus one. */
static int tree(int depth)
{
	pid_t pid[3];
	int sum = 1;

	if (!depth)
		return 1;
	for (int i = 0; i < 3; i++) {
		pid[i] = fork();
		if (pid[i] < 0)
			FAIL("fork in a tree: %s", strerror(errno));
		if (!pid[i])
			_exit(tree(depth - 1));
	}
	for (int i = 0; i < 3; i++) {
		int status = wait_status(pid[i]);

		CHECK(WIFEXITED(status));
		sum += WEXITSTATUS(status);
	}
	return sum;
}

static void fork_tree(void)
{
	CHECK_EQ(tree(4), 121);
}

static void fork_chain(void)
{
	pid_t pid = xfork();
	int depth = 0;

	if (pid) {
		expect_exit(pid, 50);
		return;
	}
	for (;;) {
		if (++depth == 50)
			_exit(depth);
		pid = xfork();
		if (pid) {
			int status = wait_status(pid);

			_exit(WIFEXITED(status) ? WEXITSTATUS(status) : 98);
		}
	}
}

static void fork_300(void)
{
	enum { N = 300 };
	volatile int *up = shared_alloc(PAGE), *go = up + 1;
	uint32_t *slot = shared_alloc(N * sizeof(*slot));
	pid_t pid[N];

	for (int i = 0; i < N; i++) {
		pid[i] = xfork();
		if (!pid[i]) {
			/* Each has its own copy of this stack, proven after all have started. */
			volatile uint32_t mine = (uint32_t)i * 2654435761u;

			__atomic_add_fetch(up, 1, __ATOMIC_SEQ_CST);
			while (!__atomic_load_n(go, __ATOMIC_SEQ_CST))
				syscall(SYS_futex, go, 0, 0, NULL, NULL, 0);
			slot[i] = mine;
			_exit(i % 90);
		}
	}
	await_atleast(up, N);
	__atomic_store_n(go, 1, __ATOMIC_SEQ_CST);
	CHECK_SYS(syscall(SYS_futex, go, 1, N, NULL, NULL, 0));
	for (int i = 0; i < N; i++)
		expect_exit(pid[i], i % 90);
	for (int i = 0; i < N; i++)
		CHECK_EQ(slot[i], (uint32_t)i * 2654435761u);
}

static void fork_rapid(void)
{
	for (int i = 0; i < rounds(400); i++) {
		pid_t pid = xfork();

		if (!pid)
			_exit(i & 63);
		expect_exit(pid, i & 63);
	}
}

static void fork_identity(void)
{
	struct { pid_t pid, ppid, pgrp, sid; } *s = shared_alloc(PAGE);
	pid_t pid = xfork();

	if (!pid) {
		s->pid = getpid();
		s->ppid = getppid();
		s->pgrp = getpgrp();
		s->sid = getsid(0);
		_exit(0);
	}
	expect_exit(pid, 0);
	CHECK_EQ(s->pid, pid);
	CHECK_EQ(s->ppid, getpid());
	CHECK_EQ(s->pgrp, getpgrp());
	CHECK_EQ(s->sid, getsid(0));
	CHECK(pid != getpid());
}

static void fork_files(void)
{
	int fd = temp_file(0);
	pid_t pid;

	CHECK_EQ(write(fd, "parent", 6), 6);
	pid = xfork();
	if (!pid) {
		/* The offset is shared, the descriptor table is not. */
		CHECK_EQ(write(fd, "child", 5), 5);
		close(fd);
		_exit(0);
	}
	expect_exit(pid, 0);
	CHECK_EQ(lseek(fd, 0, SEEK_CUR), 11);
}

static void fork_signals(void)
{
	sigset_t set, pending;
	pid_t pid;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	CHECK_SYS(sigprocmask(SIG_BLOCK, &set, NULL));
	raise(SIGUSR1);
	pid = xfork();
	if (!pid) {
		/* The mask is inherited, what is pending is not. */
		CHECK_SYS(sigpending(&pending));
		CHECK(!sigismember(&pending, SIGUSR1));
		CHECK_SYS(sigprocmask(SIG_BLOCK, NULL, &set));
		CHECK(sigismember(&set, SIGUSR1));
		_exit(0);
	}
	expect_exit(pid, 0);
	CHECK_SYS(sigpending(&pending));
	CHECK(sigismember(&pending, SIGUSR1));
}

static void orphan(void)
{
	int fd[2], ready[2];
	pid_t pid, grandchild, who[2];
	char c = 0;

	CHECK_SYS(prctl(PR_SET_CHILD_SUBREAPER, 1));
	CHECK_SYS(pipe(fd));
	CHECK_SYS(pipe(ready));
	pid = xfork();
	if (!pid) {
		grandchild = xfork();
		if (!grandchild) {
			pid_t first = getppid();

			/* Only now may the parent go: its pid has been read. */
			CHECK_EQ(write(ready[1], &c, 1), 1);
			while (getppid() == first)
				sched_yield();
			who[0] = getpid();
			who[1] = getppid();
			CHECK_EQ(write(fd[1], who, sizeof(who)), sizeof(who));
			_exit(23);
		}
		CHECK_EQ(read(ready[0], &c, 1), 1);
		_exit(5);
	}
	expect_exit(pid, 5);
	CHECK_EQ(read(fd[0], who, sizeof(who)), sizeof(who));
	CHECK_EQ(who[1], getpid());
	expect_exit(who[0], 23);
}

static void pdeathsig(void)
{
	int fd[2];
	pid_t pid, victim;

	CHECK_SYS(prctl(PR_SET_CHILD_SUBREAPER, 1));
	CHECK_SYS(pipe(fd));
	pid = xfork();
	if (!pid) {
		victim = xfork();
		if (!victim) {
			CHECK_SYS(prctl(PR_SET_PDEATHSIG, SIGUSR2));
			victim = getpid();
			CHECK_EQ(write(fd[1], &victim, sizeof(victim)), sizeof(victim));
			for (;;)
				pause();
		}
		CHECK_EQ(read(fd[0], &victim, sizeof(victim)), sizeof(victim));
		CHECK_EQ(write(fd[1], &victim, sizeof(victim)), sizeof(victim));
		_exit(0);
	}
	expect_exit(pid, 0);
	CHECK_EQ(read(fd[0], &victim, sizeof(victim)), sizeof(victim));
	expect_signal(victim, SIGUSR2);
}

static void session(void)
{
	pid_t pid = xfork();

	if (!pid) {
		pid_t self = getpid();

		CHECK_EQ(setsid(), self);
		CHECK_EQ(getsid(0), self);
		CHECK_EQ(getpgrp(), self);
		CHECK_ERR(setsid(), EPERM);
		CHECK_ERR(setpgid(0, 0), EPERM);
		_exit(0);
	}
	expect_exit(pid, 0);
}

/*
 * vfork: the parent sees what the child wrote, and does not run before the child is done.
 * Through a raw clone, so that the compiler's rules for vfork don't matter.
 */
static void vfork_order(void)
{
	static volatile int stage;
	static char stack[32768] __attribute__((aligned(16)));

	int vfork_child(void *arg);
	pid_t pid;

	for (int i = 0; i < rounds(50); i++) {
		stage = 0;
		pid = CHECK_SYS(clone(vfork_child, stack + sizeof(stack),
				      CLONE_VM | CLONE_VFORK | SIGCHLD, (void *)&stage));
		CHECK_EQ(stage, 2);
		expect_exit(pid, 11);
	}
}

int vfork_child(void *arg)
{
	volatile int *stage = arg;
	struct timespec ts = { .tv_nsec = 200000 };

	*stage = 1;
	nanosleep(&ts, NULL);
	*stage = 2;
	_exit(11);
}

static void vfork_libc(void)
{
	static volatile int seen;
	pid_t pid = vfork();

	if (!pid) {
		seen = 77;
		_exit(12);
	}
	CHECK(pid > 0);
	CHECK_EQ(seen, 77);
	expect_exit(pid, 12);
}

struct clone_arg {
	volatile int *value;
	int fd;
};

static int clone_child(void *arg)
{
	struct clone_arg *a = arg;

	*a->value = 5;
	close(a->fd);
	chdir("/");
	umask(0123);
	return 21;
}

static void clone_flags(void)
{
	static char stack[65536] __attribute__((aligned(16)));
	static volatile int value;
	struct clone_arg a = { .value = &value };
	pid_t pid;
	int status;

	/* Nothing shared: a copy of memory and of the descriptors. */
	a.fd = CHECK_SYS(open("/dev/null", O_RDONLY));
	pid = CHECK_SYS(clone(clone_child, stack + sizeof(stack), SIGCHLD, &a));
	expect_exit(pid, 21);
	CHECK_EQ(value, 0);
	CHECK(fcntl(a.fd, F_GETFD) == 0);

	/* CLONE_FILES: the close is seen; still not the memory. */
	pid = CHECK_SYS(clone(clone_child, stack + sizeof(stack), CLONE_FILES | SIGCHLD, &a));
	expect_exit(pid, 21);
	CHECK_EQ(value, 0);
	CHECK_ERR(fcntl(a.fd, F_GETFD), EBADF);

	/* CLONE_VM: the memory is seen. */
	a.fd = CHECK_SYS(open("/dev/null", O_RDONLY));
	pid = CHECK_SYS(clone(clone_child, stack + sizeof(stack), CLONE_VM | SIGCHLD, &a));
	expect_exit(pid, 21);
	CHECK_EQ(value, 5);

	/* CLONE_FS: umask and working directory are seen. */
	umask(022);
	pid = CHECK_SYS(clone(clone_child, stack + sizeof(stack), CLONE_FS | SIGCHLD, &a));
	expect_exit(pid, 21);
	CHECK_EQ(umask(022), 0123);

	/* No exit signal: only __WCLONE or __WALL finds it. */
	pid = CHECK_SYS(clone(clone_child, stack + sizeof(stack), 0, &a));
	CHECK_ERR(waitpid(pid, &status, 0), ECHILD);
	CHECK_EQ(waitpid(pid, &status, __WALL), pid);
	CHECK_EQ(WEXITSTATUS(status), 21);

	/* CLONE_SIGHAND wants CLONE_VM, CLONE_THREAD wants CLONE_SIGHAND. */
	CHECK_ERR(syscall(SYS_clone, CLONE_SIGHAND, 0, 0, 0, 0), EINVAL);
	CHECK_ERR(syscall(SYS_clone, CLONE_THREAD | CLONE_VM, 0, 0, 0, 0), EINVAL);
}

static void clone_tids(void)
{
	volatile pid_t *tid = shared_alloc(PAGE);
	long pid = syscall(SYS_clone, CLONE_PARENT_SETTID | CLONE_CHILD_SETTID | SIGCHLD, 0,
			   &tid[0], 0, &tid[1]);

	CHECK(pid >= 0);
	if (!pid) {
		CHECK_EQ(tid[1], syscall(SYS_getpid));
		_exit(0);
	}
	expect_exit((pid_t)pid, 0);
	CHECK_EQ(tid[0], pid);
	CHECK_EQ(tid[1], pid);
}

static int clone_nothing(void *arg)
{
	return *(volatile int *)arg == 1 ? 33 : 34;
}

static void clone_cleartid(void)
{
	static char stack[65536] __attribute__((aligned(16)));
	volatile int *tid = shared_alloc(PAGE);
	pid_t pid;

	*tid = 1;
	pid = CHECK_SYS(clone(clone_nothing, stack + sizeof(stack),
			      CLONE_CHILD_CLEARTID | CLONE_VM | SIGCHLD, (void *)tid, NULL, NULL,
			      tid));
	/* Cleared and woken at its end, as pthread_join needs it. */
	while (__atomic_load_n(tid, __ATOMIC_SEQ_CST) == 1)
		syscall(SYS_futex, tid, 0, 1, NULL, NULL, 0);
	CHECK_EQ(*tid, 0);
	expect_exit(pid, 33);
}

static void clone_parent(void)
{
	int status;
	pid_t pid = xfork();
	volatile pid_t *who = shared_alloc(PAGE);

	if (!pid)
		_exit(0);
	expect_exit(pid, 0);
	pid = xfork();
	if (!pid) {
		long sibling = syscall(SYS_clone, CLONE_PARENT | SIGCHLD, 0, 0, 0, 0);

		CHECK(sibling >= 0);
		if (!sibling)
			_exit(31);
		*who = (pid_t)sibling;
		_exit(30);
	}
	expect_exit(pid, 30);
	CHECK_EQ(waitpid(*who, &status, 0), *who);
	CHECK_EQ(WEXITSTATUS(status), 31);
}

struct clone3_args {
	uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls;
};

static void clone3_pidfd(void)
{
	int pidfd = -1;
	siginfo_t si;
	struct clone3_args a = {
		.flags = CLONE_PIDFD, .pidfd = (uintptr_t)&pidfd, .exit_signal = SIGCHLD,
	};
	long pid = syscall(SYS_clone3, &a, sizeof(a));

	if (pid < 0 && errno == ENOSYS)
		SKIP("no clone3");
	CHECK_SYS(pid);
	if (!pid)
		_exit(9);
	CHECK(pidfd >= 0);
	CHECK_SYS(waitid(P_PIDFD, (id_t)pidfd, &si, WEXITED));
	CHECK_EQ(si.si_status, 9);
	CHECK_ERR(syscall(SYS_pidfd_send_signal, pidfd, 0, NULL, 0), ESRCH);
}

static void atexit_order(void)
{
	int fd[2];
	char got[4] = "";

	void first(void), second(void);
	pid_t pid;

	CHECK_SYS(pipe(fd));
	pid = xfork();
	if (!pid) {
		CHECK_SYS(dup2(fd[1], 1));
		atexit(first);
		atexit(second);
		exit(0);
	}
	expect_exit(pid, 0);
	CHECK_EQ(read(fd[0], got, 3), 2);
	CHECK(!strcmp(got, "21"));
}

void first(void)
{
	if (write(1, "1", 1) != 1)
		_exit(1);
}

void second(void)
{
	if (write(1, "2", 1) != 1)
		_exit(1);
}

static void pid_wrap_unique(void)
{
	enum { N = 64 };
	pid_t pid[N];

	for (int i = 0; i < N; i++) {
		pid[i] = xfork();
		if (!pid[i])
			_exit(0);
	}
	for (int i = 0; i < N; i++)
		for (int j = 0; j < i; j++)
			CHECK(pid[i] != pid[j]);
	for (int i = 0; i < N; i++)
		expect_exit(pid[i], 0);
}

const struct test proc_tests[] = {
	{ "proc-exit-codes", exit_codes, 0 },
	{ "proc-exit-truncated", exit_truncated, 0 },
	{ "proc-death-signals", death_signals, 0 },
	{ "proc-wait-none", wait_none, 0 },
	{ "proc-wait-nohang", wait_nohang, 0 },
	{ "proc-stop-continue", stop_continue, 0 },
	{ "proc-job-stop-signals", job_stop_signals, 0 },
	{ "proc-waitid-codes", waitid_codes, 0 },
	{ "proc-waitid-nohang", waitid_nohang, 0 },
	{ "proc-wait-group", wait_group, 0 },
	{ "proc-wait4-rusage", wait4_rusage, 0 },
	{ "proc-sigchld-info", sigchld_info, 0 },
	{ "proc-sigchld-ignored", sigchld_ignored, 0 },
	{ "proc-nocldwait", nocldwait, 0 },
	{ "proc-nocldstop", nocldstop, 0 },
	{ "proc-fork-tree", fork_tree, 0 },
	{ "proc-fork-chain", fork_chain, 0 },
	{ "proc-fork-300", fork_300, 0 },
	{ "proc-fork-rapid", fork_rapid, 0 },
	{ "proc-fork-identity", fork_identity, 0 },
	{ "proc-fork-files", fork_files, 0 },
	{ "proc-fork-signals", fork_signals, 0 },
	{ "proc-orphan", orphan, 0 },
	{ "proc-pdeathsig", pdeathsig, 0 },
	{ "proc-session", session, 0 },
	{ "proc-vfork-order", vfork_order, 0 },
	{ "proc-vfork-libc", vfork_libc, 0 },
	{ "proc-clone-flags", clone_flags, 0 },
	{ "proc-clone-tids", clone_tids, 0 },
	{ "proc-clone-cleartid", clone_cleartid, 0 },
	{ "proc-clone-parent", clone_parent, 0 },
	{ "proc-clone3-pidfd", clone3_pidfd, 0 },
	{ "proc-atexit-order", atexit_order, 0 },
	{ "proc-pids-unique", pid_wrap_unique, 0 },
	{ NULL, NULL, 0 },
};
