// SPDX-License-Identifier: GPL-2.0
/*
 * The rows of the benchmark: what is measured, and nothing of how.
 *
 * Each row runs in a process of its own that exits afterwards, so what a row
 * sets up (memory, threads, children waiting on a pipe) is never taken down.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "bench32.h"

#define PAGE_BYTES	4096ul
#define FAULT_BYTES	(16ul << 20)
#define FAULT_PAGES	(FAULT_BYTES / PAGE_BYTES)

/*
 * System calls.  getppid() is the least a kernel can be asked for: it is not
 * cached by libc and takes no lock.
 */
static void *vsyscall_entry;

static void syscall_setup(void)
{
	vsyscall_entry = (void *)getauxval(AT_SYSINFO);
	if (!vsyscall_entry)
		fail("the kernel offers no __kernel_vsyscall");
}

static uint64_t syscall_run(unsigned long n)
{
	uint64_t start = now_ns();
	long ret;

	while (n--)
		asm volatile("call *%1"
			     : "=a" (ret)
			     : "r" (vsyscall_entry), "0" (SYS_getppid)
			     : "memory", "cc");
	return now_ns() - start;
}

static uint64_t int80_run(unsigned long n)
{
	uint64_t start = now_ns();
	long ret;

	while (n--)
		asm volatile("int $0x80"
			     : "=a" (ret)
			     : "0" (SYS_getppid)
			     : "memory", "cc");
	return now_ns() - start;
}

static int zero_fd;

static void read_setup(void)
{
	zero_fd = open("/dev/zero", O_RDONLY);
	if (zero_fd < 0)
		fail("open /dev/zero");
}

static uint64_t read_run(unsigned long n)
{
	static char buf[4096];
	uint64_t start = now_ns();

	while (n--)
		if (read(zero_fd, buf, sizeof(buf)) != sizeof(buf))
			fail("read /dev/zero");
	return now_ns() - start;
}

static uint64_t clock_run(unsigned long n)
{
	uint64_t start = now_ns();
	struct timespec ts;

	while (n--)
		if (clock_gettime(CLOCK_MONOTONIC, &ts))
			fail("clock_gettime");
	return now_ns() - start;
}

/* A signal to oneself: sent, handled, returned from. */
static volatile sig_atomic_t signals;

static void on_signal(int sig)
{
	(void)sig;
	signals++;
}

static void signal_setup(void)
{
	struct sigaction sa = { .sa_handler = on_signal };

	if (sigaction(SIGUSR1, &sa, NULL))
		fail("sigaction");
}

static uint64_t signal_run(unsigned long n)
{
	pid_t pid = getpid();
	unsigned long i;
	uint64_t start;

	signals = 0;
	start = now_ns();
	for (i = 0; i < n; i++)
		if (syscall(SYS_tgkill, pid, pid, SIGUSR1))
			fail("tgkill");
	start = now_ns() - start;
	if ((unsigned long)signals != n)
		fail("a signal to self was not delivered at once");
	return start;
}

/*
 * Two threads of one process hand a turn to each other: each sleeps until the
 * turn is its own, takes it, and wakes the other.
 */
static volatile int turn;

static void turn_wait(int mine)
{
	while (turn != mine)
		if (syscall(SYS_futex, &turn, FUTEX_WAIT_PRIVATE, !mine,
			    NULL, NULL, 0) && errno != EAGAIN && errno != EINTR)
			fail("FUTEX_WAIT");
}

static void turn_pass(int to)
{
	turn = to;
	if (syscall(SYS_futex, &turn, FUTEX_WAKE_PRIVATE, 1,
		    NULL, NULL, 0) < 0)
		fail("FUTEX_WAKE");
}

static void *turn_partner(void *arg)
{
	for (;;) {
		turn_wait(1);
		turn_pass(0);
	}
	return arg;
}

static void threads_setup(void)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, turn_partner, NULL))
		fail("pthread_create");
}

/* There and back is two switches: the grain is 2. */
static uint64_t threads_run(unsigned long n)
{
	uint64_t start = now_ns();

	for (; n; n -= 2) {
		turn_pass(1);
		turn_wait(0);
	}
	return now_ns() - start;
}

/* One byte to another process and back. */
static int pipe_to[2], pipe_from[2];

static void pipe_setup(void)
{
	pid_t pid;
	char c;

	if (pipe(pipe_to) || pipe(pipe_from))
		fail("pipe");
	pid = fork();
	if (pid < 0)
		fail("fork");
	if (!pid) {
		close(pipe_to[1]);
		close(pipe_from[0]);
		while (read(pipe_to[0], &c, 1) == 1)
			if (write(pipe_from[1], &c, 1) != 1)
				break;
		_exit(0);
	}
	close(pipe_to[0]);
	close(pipe_from[1]);
}

static uint64_t pipe_run(unsigned long n)
{
	uint64_t start = now_ns();
	char c = 0;

	while (n--)
		if (write(pipe_to[1], &c, 1) != 1 ||
		    read(pipe_from[0], &c, 1) != 1)
			fail("pipe round trip");
	return now_ns() - start;
}

/* Processes: each is waited for before the next is made. */
static void reap(pid_t pid)
{
	int status;

	if (waitpid(pid, &status, 0) != pid)
		fail("waitpid");
	if (status)
		fail("a child did not exit with 0");
}

static uint64_t fork_run(unsigned long n)
{
	uint64_t start = now_ns();
	pid_t pid;

	while (n--) {
		pid = fork();
		if (pid < 0)
			fail("fork");
		if (!pid)
			_exit(0);
		reap(pid);
	}
	return now_ns() - start;
}

/* What is executed is bench32 itself, which is static and exits at once. */
static uint64_t exec_run(unsigned long n)
{
	char *path = (char *)getauxval(AT_EXECFN);
	char *args[] = { path, EXIT_AT_ONCE, NULL };
	char *env[] = { NULL };
	uint64_t start = now_ns();
	pid_t pid;

	while (n--) {
		pid = fork();
		if (pid < 0)
			fail("fork");
		if (!pid) {
			execve(path, args, env);
			_exit(127);
		}
		reap(pid);
	}
	return now_ns() - start;
}

/*
 * Page faults: the first touch of each page of a fresh mapping of 16 MiB.  The
 * mapping and its end are not counted.  Huge pages are refused: with them the
 * row would count something else.
 */
static uint64_t touch_run(unsigned long n, int flags, int fd)
{
	uint64_t start, sum = 0;
	volatile char *p;
	unsigned long i;
	void *map;

	for (; n; n -= FAULT_PAGES) {
		map = mmap(NULL, FAULT_BYTES,
			   fd < 0 ? PROT_READ | PROT_WRITE : PROT_READ,
			   flags, fd, 0);
		if (map == MAP_FAILED)
			fail("mmap 16 MiB");
		madvise(map, FAULT_BYTES, MADV_NOHUGEPAGE);
		p = map;
		start = now_ns();
		if (fd < 0)
			for (i = 0; i < FAULT_BYTES; i += PAGE_BYTES)
				p[i] = 1;
		else
			for (i = 0; i < FAULT_BYTES; i += PAGE_BYTES)
				(void)p[i];
		sum += now_ns() - start;
		munmap(map, FAULT_BYTES);
	}
	return sum;
}

static uint64_t fault_anon_run(unsigned long n)
{
	return touch_run(n, MAP_PRIVATE | MAP_ANONYMOUS, -1);
}

/* A memfd, to have the same kind of file, all in memory, on every machine. */
static int file_fd;

static void fault_file_setup(void)
{
	static char buf[65536];
	unsigned long done;

	file_fd = memfd_create("bench32", 0);
	if (file_fd < 0)
		fail("memfd_create");
	memset(buf, 1, sizeof(buf));
	for (done = 0; done < FAULT_BYTES; done += sizeof(buf))
		if (write(file_fd, buf, sizeof(buf)) != sizeof(buf))
			fail("write 16 MiB to a memfd");
}

static uint64_t fault_file_run(unsigned long n)
{
	return touch_run(n, MAP_SHARED, file_fd);
}

/*
 * Compute: a generator of 32-bit numbers drives multiplications, a division,
 * a table in the first-level cache, an unpredictable branch, and a floating
 * point recurrence with a division.  No system call, no new memory.
 */
struct mix {
	uint32_t x, sum;
	double f;
	uint32_t table[1024];
};

static void mix_start(struct mix *m)
{
	unsigned int i;

	m->x = 0x2545f491;
	m->sum = 1;
	m->f = 1.0;
	for (i = 0; i < 1024; i++)
		m->table[i] = i * 0x9e3779b9u;
}

static void mix_steps(struct mix *m, unsigned long n)
{
	uint32_t x = m->x, sum = m->sum;
	double f = m->f;

	while (n--) {
		x ^= x << 13;
		x ^= x >> 17;
		x ^= x << 5;
		sum += m->table[x & 1023] * (x | 1);
		if (x & 0x10000)
			sum ^= x / ((sum & 0xff) + 3);
		else
			m->table[sum & 1023] += x;
		f = f * 0.75 + (double)(x >> 8) / (f + 1.5);
	}
	m->x = x;
	m->sum = sum;
	m->f = f;
}

static struct mix compute_mix;

static void compute_setup(void)
{
	mix_start(&compute_mix);
}

static uint64_t compute_run(unsigned long n)
{
	uint64_t start = now_ns();

	mix_steps(&compute_mix, n);
	return now_ns() - start;
}

/* Also says whether the machine computes right, the x87 included. */
static uint32_t compute_check(void)
{
	static struct mix m;
	uint64_t bits;

	mix_start(&m);
	mix_steps(&m, 100000);
	memcpy(&bits, &m.f, sizeof(bits));
	return m.sum ^ (uint32_t)bits ^ (uint32_t)(bits >> 32);
}

/*
 * Memory walk: dependent loads, each from another cache line, in an order that
 * visits every line once and that no prefetcher guesses.  Whether large pages
 * are used is left to the kernel's settings, as it is for any program.
 */
#define LINE_BYTES	64

static char *walk;
static uint32_t walk_at;

static void walk_setup(void)
{
	size_t bytes = (size_t)options.walk_mib << 20;
	uint32_t lines = bytes / LINE_BYTES, line;

	walk = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (walk == MAP_FAILED)
		fail("mmap the memory to walk over");
	/*
	 * The successor of line l is a full-period linear congruential
	 * generator modulo the number of lines, a power of two.
	 */
	for (line = 0; line < lines; line++)
		*(uint32_t *)(walk + line * LINE_BYTES) =
			((line * 1664525u + 1013904223u) & (lines - 1)) *
			LINE_BYTES;
}

static uint64_t walk_run(unsigned long n)
{
	uint64_t start = now_ns();
	uint32_t at = walk_at;

	while (n--)
		at = *(volatile uint32_t *)(walk + at);
	walk_at = at;
	return now_ns() - start;
}

const struct row rows[] = {
	{ .name = "syscall",	.unit = "call",
	  .setup = syscall_setup,	.run = syscall_run },
	{ .name = "int80",	.unit = "call",
	  .run = int80_run },
	{ .name = "read",	.unit = "call",
	  .setup = read_setup,		.run = read_run },
	{ .name = "clock",	.unit = "call",
	  .run = clock_run },
	{ .name = "signal",	.unit = "signal",
	  .setup = signal_setup,	.run = signal_run },
	{ .name = "threads",	.unit = "switch",
	  .setup = threads_setup,	.run = threads_run, .grain = 2 },
	{ .name = "pipe",	.unit = "round trip",
	  .setup = pipe_setup,		.run = pipe_run },
	{ .name = "fork",	.unit = "process",
	  .run = fork_run },
	{ .name = "exec",	.unit = "process",
	  .run = exec_run },
	{ .name = "fault-anon",	.unit = "page",
	  .run = fault_anon_run, .grain = FAULT_PAGES },
	{ .name = "fault-file",	.unit = "page",
	  .setup = fault_file_setup,	.run = fault_file_run,
	  .grain = FAULT_PAGES },
	{ .name = "compute",	.unit = "step",
	  .setup = compute_setup,	.run = compute_run,
	  .check = compute_check },
	{ .name = "memory",	.unit = "load",
	  .setup = walk_setup,		.run = walk_run },
	{ .name = NULL }
};
