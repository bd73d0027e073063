// SPDX-License-Identifier: GPL-2.0
/*
 * Resource limits and the end of memory: refused cleanly, and the rest of the system lives on.
 */
#include "conform.h"

#include <fcntl.h>
#include <sys/resource.h>

/* Where RLIMIT_AS ends, allocation says ENOMEM, and what was had before is still good. */
static void address_space(void)
{
	pid_t pid = xfork();

	if (!pid) {
		struct rlimit rl = { 64u << 20, 64u << 20 };
		unsigned char *block[256];
		int n = 0;

		CHECK_SYS(setrlimit(RLIMIT_AS, &rl));
		while (n < 256) {
			block[n] = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE,
					MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
			if (block[n] == MAP_FAILED)
				break;
			memset(block[n], n + 1, PAGE);
			n++;
		}
		CHECK_EQ(errno, ENOMEM);
		CHECK(n > 10 && n < 64);
		CHECK(!malloc(64u << 20));
		CHECK_ERR((long)mremap(block[0], 1 << 20, 2 << 20, MREMAP_MAYMOVE), ENOMEM);
		for (int i = 0; i < n; i++)
			CHECK_EQ(block[i][PAGE - 1], i + 1);
		/* Given back, it can be had again. */
		CHECK_SYS(munmap(block[0], 1 << 20));
		CHECK(mmap(NULL, 1 << 20, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) !=
		      MAP_FAILED);
		_exit(0);
	}
	expect_exit(pid, 0);
}

static void too_much_at_once(void)
{
	CHECK_ERR((long)mmap(NULL, 0xfffff000u, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0),
		  ENOMEM);
	CHECK_ERR((long)mmap((void *)0xfffff000u, 2 * PAGE, PROT_READ,
			     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0), ENOMEM);
}

static void open_files(void)
{
	struct rlimit rl = { 20, 20 };
	int last = -1, fd;

	CHECK_SYS(setrlimit(RLIMIT_NOFILE, &rl));
	while ((fd = open("/dev/null", O_RDONLY)) >= 0) {
		CHECK(fd < 20);
		last = fd;
	}
	CHECK_EQ(errno, EMFILE);
	CHECK_EQ(last, 19);
	CHECK_ERR(dup2(0, 20), EBADF);
	close(last);
	CHECK_EQ(CHECK_SYS(dup(0)), last);
}

static volatile int hits;

static void on_limit(int sig, siginfo_t *si, void *uc)
{
	(void)sig;
	(void)si;
	(void)uc;
	hits++;
}

static void file_size(void)
{
	struct rlimit rl = { 1000, 1000 };
	int fd = temp_file(0);
	char buf[600] = "";

	catch_signal(SIGXFSZ, on_limit, 0);
	CHECK_SYS(setrlimit(RLIMIT_FSIZE, &rl));
	CHECK_EQ(write(fd, buf, 600), 600);
	CHECK_EQ(write(fd, buf, 600), 400);
	CHECK_EQ(hits, 0);
	CHECK_ERR(write(fd, buf, 1), EFBIG);
	CHECK_EQ(hits, 1);
}

static void cpu_time(void)
{
	pid_t pid = xfork();

	if (!pid) {
		struct rlimit rl = { 1, 2 };

		catch_signal(SIGXCPU, on_limit, 0);
		CHECK_SYS(setrlimit(RLIMIT_CPU, &rl));
		/* The soft limit's signal comes, and before the hard limit's death. How much was
		 * used is not compared: the limit counts ticks, the clock counts nanoseconds.
		 */
		while (!hits)
			;
		_exit(0);
	}
	expect_exit(pid, 0);
}

static void inherited(void)
{
	struct rlimit rl = { 77, 99 }, got;

	CHECK_SYS(setrlimit(RLIMIT_NOFILE, &rl));
	pid_t pid = xfork();

	if (!pid) {
		CHECK_SYS(getrlimit(RLIMIT_NOFILE, &got));
		CHECK_EQ(got.rlim_cur, 77);
		CHECK_EQ(got.rlim_max, 99);
		_exit(0);
	}
	expect_exit(pid, 0);
	CHECK_SYS(prlimit(getpid(), RLIMIT_NOFILE, NULL, &got));
	CHECK_EQ(got.rlim_cur, 77);
	rl.rlim_cur = 100;
	CHECK_ERR(setrlimit(RLIMIT_NOFILE, &rl), EINVAL);
	CHECK_ERR(getrlimit(999, &got), EINVAL);
}

static void priority(void)
{
	errno = 0;
	int before = getpriority(PRIO_PROCESS, 0);

	CHECK_EQ(errno, 0);
	if (before < 19)
		CHECK_EQ(nice(1), before + 1);
	CHECK_EQ(getpriority(PRIO_PROCESS, 0), before < 19 ? before + 1 : 19);
}

/* Blocks of 1 MiB, each holding the address of the one before. */
#define OOM_BLOCK (1u << 20)

static void dirty(char *block)
{
	for (unsigned int i = sizeof(block); i < OOM_BLOCK; i += PAGE)
		block[i]++;
}

/*
 * Take memory until killed. One address space may be smaller than the memory: then a child
 * takes its own copy of all of it, and so on.
 */
static void take_everything(void)
{
	char *last = NULL;

	for (;;) {
		char *p = mmap(NULL, OOM_BLOCK, PROT_READ | PROT_WRITE,
			       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		if (p != MAP_FAILED) {
			*(char **)p = last;
			last = p;
			dirty(p);
			continue;
		}
		pid_t next = fork();

		if (next < 0)
			_exit(4);
		if (next) {
			int status = 0;

			waitpid(next, &status, 0);
			/* Nobody is left to take more: this one answers for it. */
			if (WIFSIGNALED(status))
				raise(WTERMSIG(status));
			_exit(5);
		}
		for (p = last; p; p = *(char **)p)
			dirty(p);
	}
}

/*
 * The whole machine out of memory: the child that took it is killed, the parent goes on. By
 * name only: on a machine with much memory this takes it all.
 */
static void oom(void)
{
	pid_t pid = xfork();

	if (!pid) {
		int fd = open("/proc/self/oom_score_adj", O_WRONLY);

		if (fd >= 0 && write(fd, "1000", 4) != 4)
			_exit(3);
		take_everything();
	}
	expect_signal(pid, SIGKILL);
	/* Memory is there again. */
	char *p = xmmap(4 << 20, PROT_READ | PROT_WRITE);

	memset(p, 1, 4 << 20);
	pid = xfork();
	if (!pid)
		_exit(7);
	expect_exit(pid, 7);
}

const struct test limit_tests[] = {
	{ "limit-address-space", address_space, 0 },
	{ "limit-too-much", too_much_at_once, 0 },
	{ "limit-open-files", open_files, 0 },
	{ "limit-file-size", file_size, 0 },
	{ "limit-cpu-time", cpu_time, 0 },
	{ "limit-inherited", inherited, 0 },
	{ "limit-priority", priority, 0 },
	{ "oom", oom, T_MANUAL },
	{ NULL, NULL, 0 },
};
