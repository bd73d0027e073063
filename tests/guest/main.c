// SPDX-License-Identifier: GPL-2.0
/*
 * The runner of a suite: the command line, the running of each test in a process of its own,
 * the watchdog and the verdict lines. Never tests anything itself, and never prints what could
 * differ between two healthy kernels (pids, addresses, times).
 */
#include "conform.h"

#include <stdarg.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#define WATCHDOG_S 120

enum { RUNNING, FAILED, SKIPPED };

struct verdict {
	int state;
	char reason[400];
};

unsigned int rounds_percent = 100;
const char *self_path = "/proc/self/exe";

static struct verdict *verdict;

int rounds(int n)
{
	long long v = (long long)n * rounds_percent / 100;

	return v < 1 ? 1 : (int)v;
}

static void record(int state, const char *fmt, va_list ap)
{
	int was = RUNNING;

	/* Only the first reason counts: what follows a failure is mostly its consequence. */
	if (__atomic_compare_exchange_n(&verdict->state, &was, state, false,
					__ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
		vsnprintf(verdict->reason, sizeof(verdict->reason), fmt, ap);
	_exit(99);
}

void test_fail(const char *file, int line, const char *fmt, ...)
{
	const char *base = strrchr(file, '/');
	char with_place[300];
	va_list ap;

	snprintf(with_place, sizeof(with_place), "%s (%s:%d)", fmt, base ? base + 1 : file, line);
	va_start(ap, fmt);
	record(FAILED, with_place, ap);
	va_end(ap);
	_exit(99);
}

void test_skip(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	record(SKIPPED, fmt, ap);
	va_end(ap);
	_exit(99);
}

static void set_reason(const char *fmt, ...)
{
	va_list ap;
	int was = RUNNING;

	va_start(ap, fmt);
	if (__atomic_compare_exchange_n(&verdict->state, &was, FAILED, false,
					__ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
		vsnprintf(verdict->reason, sizeof(verdict->reason), fmt, ap);
	va_end(ap);
}

/*
 * Tests use SIGALRM and SIGCHLD themselves, so the watchdog is the runner's: it waits for the
 * child with a time limit, then kills the test's process group. Orphans come to the runner
 * (a subreaper) and are collected before the next test starts.
 */
static void run_in_child(const struct test *t)
{
	struct timespec limit = { .tv_sec = WATCHDOG_S };
	sigset_t chld;
	int status;
	pid_t pid, got;

	memset(verdict, 0, sizeof(*verdict));
	sigemptyset(&chld);
	sigaddset(&chld, SIGCHLD);

	fflush(NULL);
	pid = fork();
	if (pid == 0) {
		setpgid(0, 0);
		sigprocmask(SIG_UNBLOCK, &chld, NULL);
		prctl(PR_SET_CHILD_SUBREAPER, 0);
		t->run();
		_exit(0);
	}
	if (pid < 0) {
		set_reason("fork: %s", strerror(errno));
		return;
	}
	setpgid(pid, pid);
	for (;;) {
		got = waitpid(-1, &status, WNOHANG);
		if (got == pid)
			break;
		if (got > 0)
			continue;
		if (sigtimedwait(&chld, NULL, &limit) < 0 && errno == EAGAIN) {
			set_reason("no end after %d s", WATCHDOG_S);
			kill(pid, SIGKILL);
			waitpid(pid, &status, 0);
			break;
		}
	}
	kill(-pid, SIGKILL);
	while (waitpid(-pid, NULL, 0) > 0)
		;
	while (waitpid(-1, NULL, WNOHANG) > 0)
		;
	if (WIFSIGNALED(status))
		set_reason("died by signal %d", WTERMSIG(status));
	else if (WEXITSTATUS(status))
		set_reason("exited with %d", WEXITSTATUS(status));
}

static int passed, failed, skipped;

static void run_test(const struct test *t)
{
	run_in_child(t);
	if (suite.after && verdict->state != FAILED) {
		const char *why = suite.after();

		if (why) {
			verdict->state = RUNNING;
			set_reason("%s", why);
		}
	}
	for (char *c = verdict->reason; *c; c++)
		if (*c == '\n')
			*c = ' ';
	if (verdict->state == FAILED) {
		failed++;
		printf("not ok %s: %s\n", t->name, verdict->reason);
	} else if (verdict->state == SKIPPED) {
		skipped++;
		printf("skip %s: %s\n", t->name, verdict->reason);
	} else {
		passed++;
		printf("ok %s\n", t->name);
	}
	fflush(stdout);
}

/* A name chooses the test of that name, or, as a whole leading part, every test of the area. */
static bool name_matches(const char *test, const char *want)
{
	size_t n = strlen(want);

	return !strncmp(test, want, n) && (!test[n] || test[n] == '-');
}

static bool chosen(const struct test *t, int n, char **names, bool *used)
{
	bool hit = false;

	if (!n)
		return !(t->flags & T_MANUAL);
	for (int i = 0; i < n; i++) {
		bool exact = !strcmp(t->name, names[i]);

		if (exact || (!(t->flags & T_MANUAL) && name_matches(t->name, names[i])))
			hit = used[i] = true;
	}
	return hit;
}

static void list(void)
{
	for (const struct test *const *area = suite.areas; *area; area++)
		for (const struct test *t = *area; t->name; t++)
			printf("%s%s\n", t->name, t->flags & T_MANUAL ? " (by name only)" : "");
}

static void help(FILE *to)
{
	fprintf(to, "usage: %s [OPTION...] [NAME...]\n"
		"  NAME               a test, or an area (the part of a name before a `-`)\n"
		"  --rounds PERCENT   how often to repeat, of what is usual (default 100)\n"
		"  --list             the tests\n"
		"  --help             this\n", suite.name);
	for (const struct mode *m = suite.modes; m->name; m++)
		if (m->help)
			fprintf(to, "  %-9s %-8s %s\n", m->name, m->args, m->help);
}

int main(int argc, char **argv)
{
	static char path[4096];
	sigset_t chld;
	bool *used;
	int i = 1;

	if (access(self_path, X_OK) && realpath(argv[0], path))
		self_path = path;

	for (; i < argc && argv[i][0] == '-'; i++) {
		if (!strcmp(argv[i], "--help")) {
			help(stdout);
			return 0;
		}
		if (!strcmp(argv[i], "--list")) {
			list();
			return 0;
		}
		if (!strcmp(argv[i], "--rounds") && i + 1 < argc) {
			char *end;
			unsigned long v = strtoul(argv[++i], &end, 10);

			if (*end || !v || v > 100000) {
				fprintf(stderr, "%s: --rounds %s: give a percentage from 1 to "
					"100000\n", suite.name, argv[i]);
				return 2;
			}
			rounds_percent = (unsigned int)v;
			continue;
		}
		for (const struct mode *m = suite.modes; m->name; m++)
			if (m->run && !strcmp(argv[i], m->name))
				return m->run(argc - i, argv + i);
		if (suite.option) {
			int taken = suite.option(argc - i, argv + i);

			if (taken) {
				i += taken - 1;
				continue;
			}
		}
		fprintf(stderr, "%s: %s: no such option; see %s --help\n", suite.name, argv[i],
			suite.name);
		return 2;
	}

	verdict = mmap(NULL, sizeof(*verdict), PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	used = calloc((size_t)argc, sizeof(*used));
	if (verdict == MAP_FAILED || !used) {
		perror("memory for the verdict");
		return 2;
	}
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	sigemptyset(&chld);
	sigaddset(&chld, SIGCHLD);
	sigprocmask(SIG_BLOCK, &chld, NULL);
	signal(SIGPIPE, SIG_DFL);
	/* Tests die by signal a thousand times: no core files. */
	setrlimit(RLIMIT_CORE, &(struct rlimit){ 0, 0 });
	if (suite.before)
		suite.before();

	for (const struct test *const *area = suite.areas; *area; area++)
		for (const struct test *t = *area; t->name; t++)
			if (chosen(t, argc - i, argv + i, used))
				run_test(t);
	for (int n = 0; n < argc - i; n++) {
		if (!used[n]) {
			printf("not ok %s: no such test; see %s --list\n", argv[i + n],
			       suite.name);
			failed++;
		}
	}
	printf("%s: %d passed, %d failed, %d skipped\n", suite.name, passed, failed, skipped);
	return failed != 0;
}
