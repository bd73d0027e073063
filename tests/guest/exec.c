// SPDX-License-Identifier: GPL-2.0
/*
 * execve: what it keeps, what it resets, and a long row of them.
 *
 * Owns the --exec-helper mode: conform executes itself with a task name and arguments, and the
 * exit status is the answer (0 right, anything else wrong).
 */
#include "conform.h"

#include <elf.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <sys/stat.h>

static int self_fd = -1;

/* /proc/self/exe names another file once the caller is another program: hold it open instead. */
static void exec_self(char *const argv[], char *const envp[])
{
	if (self_fd < 0)
		self_fd = open(self_path, O_RDONLY | O_CLOEXEC);
	execve(self_path, argv, envp);
	_exit(98);
}

static int run_helper(char *const argv[], char *const envp[])
{
	pid_t pid = xfork();
	int status;

	if (!pid)
		exec_self(argv, envp);
	status = wait_status(pid);
	if (!WIFEXITED(status))
		FAIL("the executed program died by signal %d", WTERMSIG(status));
	return WEXITSTATUS(status);
}

static char *empty_env[] = { NULL };

#define HELPER(...) ((char *[]){ "conform", "--exec-helper", __VA_ARGS__, NULL })

static void exec_status(void)
{
	CHECK_EQ(run_helper(HELPER("exit", "0"), empty_env), 0);
	CHECK_EQ(run_helper(HELPER("exit", "93"), empty_env), 93);
}

/* One process, a thousand images: the counter travels in the arguments, the pid stays. */
static void exec_1000(void)
{
	char left[16], pid_text[16];
	pid_t pid = xfork();

	if (!pid) {
		snprintf(left, sizeof(left), "%d", 1000);
		snprintf(pid_text, sizeof(pid_text), "%d", getpid());
		exec_self(HELPER("chain", left, pid_text), empty_env);
	}
	expect_exit(pid, 0);
}

static void fork_exec_many(void)
{
	for (int i = 0; i < rounds(100); i++) {
		char code[8];

		snprintf(code, sizeof(code), "%d", i % 90);
		CHECK_EQ(run_helper(HELPER("exit", code), empty_env), i % 90);
	}
}

static void exec_args_env(void)
{
	enum { N = 200 };
	char *argv[N + 5], *envp[N + 1];
	static char text[2 * N][40];

	argv[0] = "conform";
	argv[1] = "--exec-helper";
	argv[2] = "args";
	for (int i = 0; i < N; i++) {
		snprintf(text[i], sizeof(text[i]), "arg %d \001 %d", i, i * i);
		snprintf(text[N + i], sizeof(text[N + i]), "VAR%d=value %d", i, i * 7);
		argv[i + 3] = text[i];
		envp[i] = text[N + i];
	}
	argv[N + 3] = NULL;
	envp[N] = NULL;
	CHECK_EQ(run_helper(argv, envp), 0);
}

static void exec_big_args(void)
{
	size_t len = 120 * 1024;
	char *big = malloc(len), text[32];

	CHECK(big);
	memset(big, 'x', len);
	big[len - 1] = 0;
	snprintf(text, sizeof(text), "%zu", len - 1);
	CHECK_EQ(run_helper(HELPER("length", text, big), empty_env), 0);

	/* One string may be 32 pages; one longer is refused and the caller lives on. */
	free(big);
	len = 33 * PAGE;
	big = malloc(len);
	CHECK(big);
	memset(big, 'x', len);
	big[len - 1] = 0;
	CHECK_ERR(execve(self_path, HELPER("length", big), empty_env), E2BIG);
	free(big);
}

static void exec_cloexec(void)
{
	char keep[16], gone[16];
	int a = CHECK_SYS(open("/dev/null", O_RDONLY));
	int b = CHECK_SYS(open("/dev/null", O_RDONLY | O_CLOEXEC));

	snprintf(keep, sizeof(keep), "%d", a);
	snprintf(gone, sizeof(gone), "%d", b);
	CHECK_EQ(run_helper(HELPER("fds", keep, gone), empty_env), 0);
}

static void on_usr1(int sig, siginfo_t *si, void *uc)
{
	(void)sig;
	(void)si;
	(void)uc;
}

static void exec_signals(void)
{
	sigset_t set;

	/* Handlers fall back to the default, ignored stays ignored; mask and pending are kept. */
	catch_signal(SIGUSR1, on_usr1, 0);
	signal(SIGUSR2, SIG_IGN);
	sigemptyset(&set);
	sigaddset(&set, SIGRTMIN + 2);
	CHECK_SYS(sigprocmask(SIG_BLOCK, &set, NULL));
	pid_t pid = xfork();

	if (!pid) {
		raise(SIGRTMIN + 2);
		exec_self(HELPER("signals"), empty_env);
	}
	expect_exit(pid, 0);
}

static void exec_machine_state(void)
{
	pid_t pid = xfork();

	if (!pid) {
		uint32_t mxcsr = 0x9fc0;
		uint16_t cw = 0x0c7f;

		/* Everything here must be gone in the new image. */
		__asm__ volatile("fldcw %0; ldmxcsr %1; fldpi; pushf; orl $0x240000, (%%esp); popf;"
				 "pushf; andl $~0x40000, (%%esp); popf"
				 : : "m"(cw), "m"(mxcsr) : "st", "cc", "memory");
		exec_self(HELPER("machine"), empty_env);
	}
	expect_exit(pid, 0);
}

static void exec_memory_gone(void)
{
	char text[32];
	pid_t pid = xfork();

	if (!pid) {
		void *at = mmap((void *)0x60000000, PAGE, PROT_READ | PROT_WRITE,
				MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);

		CHECK(at != MAP_FAILED);
		memset(at, 0x5a, PAGE);
		CHECK_SYS(mlock(at, PAGE));
		snprintf(text, sizeof(text), "%lx", (unsigned long)at);
		exec_self(HELPER("unmapped", text), empty_env);
	}
	expect_exit(pid, 0);
}

static void exec_errors(void)
{
	char dir[256], path[300];
	int fd;
	char *argv[] = { "x", NULL };
	char *volatile nowhere = (char *)1;

	CHECK_ERR(execve("/nonexistent/program", argv, empty_env), ENOENT);
	CHECK_ERR(execve("/dev/null", argv, empty_env), EACCES);
	temp_dir(dir, sizeof(dir));
	CHECK_ERR(execve(dir, argv, empty_env), EACCES);
	snprintf(path, sizeof(path), "%s/f", dir);
	fd = CHECK_SYS(open(path, O_CREAT | O_WRONLY, 0755));
	CHECK_EQ(write(fd, "\177ELF garbage", 12), 12);
	CHECK_ERR(execve(path, argv, empty_env), ETXTBSY);
	close(fd);
	CHECK_ERR(execve(path, argv, empty_env), ENOEXEC);
	CHECK_ERR(execve(nowhere, argv, empty_env), EFAULT);
	CHECK_SYS(unlink(path));
	CHECK_SYS(rmdir(dir));
}

static void exec_script(void)
{
	char dir[256], path[300], text[5000];
	const char *file = realpath(self_path, NULL);
	pid_t pid;
	int fd, n;

	CHECK(file);
	temp_dir(dir, sizeof(dir));
	snprintf(path, sizeof(path), "%s/s", dir);
	fd = CHECK_SYS(open(path, O_CREAT | O_WRONLY, 0755));
	/* The rest of the line is one argument: an option that takes none serves. */
	n = snprintf(text, sizeof(text), "#!%s --exec-helper\nignored\n", file);
	if (n > 250)
		SKIP("the program's path is too long for a script's first line");
	CHECK_EQ(write(fd, text, (size_t)n), n);
	close(fd);
	pid = xfork();
	if (!pid) {
		char *argv[] = { path, "script-argument", NULL };

		execve(path, argv, empty_env);
		_exit(97);
	}
	expect_exit(pid, 0);
	CHECK_SYS(unlink(path));
	CHECK_SYS(rmdir(dir));
}

static void *spin_thread(void *arg)
{
	volatile int *up = arg;

	__atomic_add_fetch(up, 1, __ATOMIC_SEQ_CST);
	for (;;)
		sched_yield();
	return NULL;
}

static void *exec_thread(void *arg)
{
	char pid_text[16];

	(void)arg;
	snprintf(pid_text, sizeof(pid_text), "%d", getpid());
	exec_self(HELPER("chain", "1", pid_text), empty_env);
	return NULL;
}

/* exec from a thread other than the leader: the others die, the pid remains. */
static void exec_from_thread(void)
{
	pid_t pid = xfork();

	if (!pid) {
		static volatile int up;
		pthread_t t;

		for (int i = 0; i < 4; i++)
			CHECK_0(pthread_create(&t, NULL, spin_thread, (void *)&up));
		await_atleast(&up, 4);
		CHECK_0(pthread_create(&t, NULL, exec_thread, NULL));
		for (;;)
			pause();
	}
	expect_exit(pid, 0);
}

static pid_t vfork_exec(void)
{
	pid_t pid = vfork();

	if (!pid) {
		execve(self_path, HELPER("exit", "6"), empty_env);
		_exit(98);
	}
	return pid;
}

static void exec_vfork(void)
{
	for (int i = 0; i < rounds(50); i++) {
		pid_t pid = vfork_exec();

		CHECK(pid > 0);
		expect_exit(pid, 6);
	}
}

static void execveat_fd(void)
{
	int fd = CHECK_SYS(open(self_path, O_RDONLY | O_CLOEXEC));
	pid_t pid = xfork();

	if (!pid) {
		syscall(SYS_execveat, fd, "", HELPER("exit", "4"), empty_env, 0x1000);
		_exit(97);
	}
	expect_exit(pid, 4);
}

/* The C library rewrites some of what getauxval() answers: read the kernel's own, after environ. */
static unsigned long auxv(unsigned long type)
{
	char **p = environ;
	unsigned long *v;

	while (*p)
		p++;
	for (v = (unsigned long *)(p + 1); v[0] != AT_NULL; v += 2)
		if (v[0] == type)
			return v[1];
	FAIL("auxiliary vector entry %lu is missing", type);
}

static void exec_auxv(void)
{
	uint32_t leaf1[4];

	CHECK_EQ(auxv(AT_PAGESZ), PAGE);
	CHECK_EQ(auxv(AT_UID), getuid());
	CHECK_EQ(auxv(AT_EGID), getegid());
	CHECK_EQ(auxv(AT_PHENT), 32);
	CHECK(auxv(AT_PHNUM) > 0 && auxv(AT_PHDR) != 0);
	CHECK(auxv(AT_RANDOM) != 0);
	CHECK(auxv(AT_EXECFN) != 0);
	CHECK_EQ(auxv(AT_CLKTCK), 100);
	CHECK_EQ(auxv(AT_SECURE), 0);
	CHECK(!strcmp((char *)auxv(AT_PLATFORM), "i686"));
	/* CPUID leaf 1 EDX as the kernel uses it: FPU, TSC, CX8, CMOV, FXSR, SSE, SSE2 at least. */
	CHECK_EQ(auxv(AT_HWCAP) & 0x07008111, 0x07008111);
	/* And nothing that CPUID does not have, but for what is not architectural there. */
	cpuid(1, 0, leaf1);
	CHECK_EQ(auxv(AT_HWCAP) & ~leaf1[3] & 0x07808111, 0);
}

/* --- the other side ----------------------------------------------------------------------- */

static int helper_chain(int argc, char **argv)
{
	char left[16];
	int n = argc > 0 ? atoi(argv[0]) : 0;

	if (argc != 2 || atoi(argv[1]) != getpid())
		return 2;
	if (n == 0)
		return 0;
	snprintf(left, sizeof(left), "%d", n - 1);
	exec_self(HELPER("chain", left, argv[1]), empty_env);
	return 3;
}

static int helper_args(int argc, char **argv)
{
	char text[40];
	int n = 0;

	for (; n < argc; n++) {
		snprintf(text, sizeof(text), "arg %d \001 %d", n, n * n);
		if (strcmp(text, argv[n]))
			return 2;
	}
	if (n != 200)
		return 3;
	for (n = 0; environ[n]; n++) {
		snprintf(text, sizeof(text), "VAR%d=value %d", n, n * 7);
		if (strcmp(text, environ[n]))
			return 4;
	}
	return n == 200 ? 0 : 5;
}

static int helper_signals(void)
{
	struct sigaction sa;
	sigset_t set;

	if (sigaction(SIGUSR1, NULL, &sa) || sa.sa_handler != SIG_DFL)
		return 2;
	if (sigaction(SIGUSR2, NULL, &sa) || sa.sa_handler != SIG_IGN)
		return 3;
	if (sigprocmask(SIG_BLOCK, NULL, &set) || !sigismember(&set, SIGRTMIN + 2))
		return 4;
	if (sigpending(&set) || !sigismember(&set, SIGRTMIN + 2))
		return 5;
	return 0;
}

/* What the kernel hands a new image, as the C runtime has not changed it. */
static int helper_machine(void)
{
	uint32_t mxcsr, flags;
	uint16_t cw;

	__asm__ volatile("fnstcw %0; stmxcsr %1; pushf; popl %2"
			 : "=m"(cw), "=m"(mxcsr), "=r"(flags));
	if (cw != 0x37f)
		return 2;
	if ((mxcsr & 0xffc0) != 0x1f80)
		return 3;
	if (flags & (FL_AC | FL_NT | FL_DF | FL_ID))
		return 4;
	return 0;
}

static int helper_unmapped(const char *text)
{
	unsigned char vec;
	uintptr_t at = strtoul(text, NULL, 16);

	return mincore((void *)at, PAGE, &vec) == -1 && errno == ENOMEM ? 0 : 2;
}

int mode_exec_helper(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";
	const char *base = strrchr(what, '/');

	if (!strcmp(what, "exit") && argc == 3)
		return atoi(argv[2]);
	if (!strcmp(what, "chain"))
		return helper_chain(argc - 2, argv + 2);
	if (!strcmp(what, "args"))
		return helper_args(argc - 2, argv + 2);
	if (!strcmp(what, "length") && argc == 4)
		return strlen(argv[3]) == strtoul(argv[2], NULL, 10) ? 0 : 2;
	if (!strcmp(what, "fds") && argc == 4)
		return fcntl(atoi(argv[2]), F_GETFD) == 0 && fcntl(atoi(argv[3]), F_GETFD) == -1 ?
			0 : 2;
	if (!strcmp(what, "signals"))
		return helper_signals();
	if (!strcmp(what, "machine"))
		return helper_machine();
	if (!strcmp(what, "unmapped") && argc == 3)
		return helper_unmapped(argv[2]);
	/* A script: its path, then its first argument. */
	if (base && !strcmp(base, "/s") && argc == 3 && !strcmp(argv[2], "script-argument"))
		return 0;
	return 96;
}

const struct test exec_tests[] = {
	{ "exec-status", exec_status, 0 },
	{ "exec-1000", exec_1000, 0 },
	{ "exec-fork-many", fork_exec_many, 0 },
	{ "exec-args-env", exec_args_env, 0 },
	{ "exec-big-args", exec_big_args, 0 },
	{ "exec-cloexec", exec_cloexec, 0 },
	{ "exec-signals", exec_signals, 0 },
	{ "exec-machine-state", exec_machine_state, 0 },
	{ "exec-memory-gone", exec_memory_gone, 0 },
	{ "exec-errors", exec_errors, 0 },
	{ "exec-script", exec_script, 0 },
	{ "exec-from-thread", exec_from_thread, 0 },
	{ "exec-vfork", exec_vfork, 0 },
	{ "exec-execveat", execveat_fd, 0 },
	{ "exec-auxv", exec_auxv, 0 },
	{ NULL, NULL, 0 },
};
