// SPDX-License-Identifier: GPL-2.0
/*
 * The kernel's own reads and writes of user memory: it must see the same protections as the
 * process, fault in what is missing, break copy-on-write, and report how far it came.
 */
#include "conform.h"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/utsname.h>

static int pipe_fd[2];

static void with_pipe(const void *data, size_t len_bytes)
{
	CHECK_SYS(pipe(pipe_fd));
	CHECK_EQ(write(pipe_fd[1], data, len_bytes), len_bytes);
}

static void read_into_read_only(void)
{
	char *p = xmmap(PAGE, PROT_READ | PROT_WRITE);

	with_pipe("secret", 6);
	for (int touched = 0; touched < 3; touched++) {
		if (touched == 1)
			CHECK_EQ(*(volatile char *)p, 0);
		if (touched == 2) {
			CHECK_SYS(mprotect(p, PAGE, PROT_READ | PROT_WRITE));
			*p = 'k';
		}
		CHECK_SYS(mprotect(p, PAGE, PROT_READ));
		CHECK_ERR(read(pipe_fd[0], p, 6), EFAULT);
	}
	CHECK_EQ(*p, 'k');
	/* Nothing was lost. */
	CHECK_SYS(mprotect(p, PAGE, PROT_READ | PROT_WRITE));
	CHECK_EQ(read(pipe_fd[0], p, 6), 6);
	CHECK(!memcmp(p, "secret", 6));
}

static void read_into_text(void)
{
	unsigned char before = *code_ret;

	with_pipe("xxxx", 4);
	CHECK_ERR(read(pipe_fd[0], (void *)code_ret, 4), EFAULT);
	CHECK_EQ(*code_ret, before);
}

static void write_from_none(void)
{
	char *p = xmmap(2 * PAGE, PROT_READ | PROT_WRITE);

	memset(p, 'd', 2 * PAGE);
	with_pipe("", 0);
	CHECK_SYS(mprotect(p, PAGE, PROT_NONE));
	CHECK_ERR(write(pipe_fd[1], p, 10), EFAULT);
	CHECK_SYS(mprotect(p, PAGE, PROT_READ));
	CHECK_EQ(write(pipe_fd[1], p, 10), 10);
}

/* Into pages shared by fork: the reader gets its own copy, the other keeps the old. */
static void read_breaks_cow(void)
{
	char *p = xmmap(8 * PAGE, PROT_READ | PROT_WRITE), buf[8];

	for (int page = 0; page < 8; page++)
		memset(p + page * PAGE, 'a' + page, PAGE);
	pid_t pid = xfork();

	if (!pid) {
		for (int page = 0; page < 8; page++) {
			with_pipe("NEWDATA", 7);
			CHECK_EQ(read(pipe_fd[0], p + page * PAGE + 100, 7), 7);
			CHECK(!memcmp(p + page * PAGE + 100, "NEWDATA", 7));
			CHECK_EQ(p[page * PAGE + 99], 'a' + page);
			CHECK_EQ(p[page * PAGE + 107], 'a' + page);
			close(pipe_fd[0]);
			close(pipe_fd[1]);
		}
		_exit(0);
	}
	expect_exit(pid, 0);
	for (int page = 0; page < 8; page++) {
		memset(buf, 'a' + page, sizeof(buf));
		CHECK(!memcmp(p + page * PAGE + 98, buf, sizeof(buf)));
	}
	/* And the other way about: the parent's read, with the child looking. */
	int go[2];

	CHECK_SYS(pipe(go));
	pid = xfork();
	if (!pid) {
		char c;

		CHECK_EQ(read(go[0], &c, 1), 1);
		for (int page = 0; page < 8; page++)
			CHECK_EQ(p[page * PAGE + 5], 'a' + page);
		_exit(0);
	}
	for (int page = 0; page < 8; page++) {
		with_pipe("QQQQQQQ", 7);
		CHECK_EQ(read(pipe_fd[0], p + page * PAGE, 7), 7);
		close(pipe_fd[0]);
		close(pipe_fd[1]);
	}
	CHECK_EQ(write(go[1], "g", 1), 1);
	expect_exit(pid, 0);
	CHECK_EQ(p[5], 'Q');
}

/* Into memory never touched: the zero page must not be written. */
static void read_into_fresh(void)
{
	char *p = xmmap(64 * PAGE, PROT_READ | PROT_WRITE), *q = xmmap(PAGE, PROT_READ);

	for (int i = 0; i < 64; i++) {
		if (i & 1)
			CHECK_EQ(*(volatile char *)(p + i * PAGE + 2), 0);
		with_pipe("fresh", 5);
		CHECK_EQ(read(pipe_fd[0], p + i * PAGE + PAGE - 3 - (i == 63) * 8, 5), 5);
		close(pipe_fd[0]);
		close(pipe_fd[1]);
	}
	for (unsigned int i = 0; i < PAGE; i++)
		CHECK_EQ(q[i], 0);
}

/* Ends in the second of two pages that may not be used: as much as fits, or EFAULT. */
static void across_pages(void)
{
	char *p = xmmap(2 * PAGE, PROT_READ | PROT_WRITE), buf[200];
	int fd = temp_file(0), sv[2];
	ssize_t n;

	memset(p, 'z', 2 * PAGE);
	CHECK_SYS(mprotect(p + PAGE, PAGE, PROT_NONE));
	/*
	 * A file takes what could be read.  The edge is a multiple of 4 bytes
	 * from the start: where it is not, write() of an i386 kernel never ends,
	 * because it copies words, gets none of the last one, and tries again
	 * as long as a byte before the edge can be read (6.1 and 6.12, on a PC
	 * as well).
	 */
	n = write(fd, p + PAGE - 52, 100);
	CHECK(n == 52);
	CHECK_EQ(lseek(fd, 0, SEEK_END), 52);
	CHECK_EQ(pread(fd, buf, sizeof(buf), 0), 52);
	for (int i = 0; i < 52; i++)
		CHECK_EQ(buf[i], 'z');
	/* Reading a file into it stops at the edge. */
	CHECK_SYS(ftruncate(fd, 100));
	n = pread(fd, p + PAGE - 30, 100, 0);
	CHECK_EQ(n, 30);
	/* A datagram is all or nothing. */
	CHECK_SYS(socketpair(AF_UNIX, SOCK_DGRAM, 0, sv));
	CHECK_ERR(send(sv[0], p + PAGE - 50, 100, 0), EFAULT);
	CHECK_EQ(send(sv[0], p + PAGE - 50, 50, 0), 50);
	CHECK_EQ(recv(sv[1], buf, sizeof(buf), 0), 50);
	/* A structure that straddles the edge. */
	struct utsname *u = (void *)(p + PAGE - sizeof(*u) + 1);

	CHECK_ERR(uname(u), EFAULT);
	CHECK_SYS(uname((void *)(p + PAGE - sizeof(*u))));
	/* A string that runs into it without an end, and one that ends on the last byte. */
	memset(p, '/', PAGE);
	CHECK_ERR(open(p + PAGE - 20, O_RDONLY), EFAULT);
	p[PAGE - 1] = 0;
	n = open(p + PAGE - 20, O_RDONLY | O_DIRECTORY);
	CHECK(n >= 0);
}

static void vectors(void)
{
	char *p = xmmap(2 * PAGE, PROT_READ | PROT_WRITE), buf[64];
	struct iovec iov[3] = {
		{ "abc", 3 }, { p + PAGE - 4, 8 }, { "xyz", 3 },
	};
	int fd = temp_file(0);

	memset(p, 'v', 2 * PAGE);
	CHECK_SYS(mprotect(p + PAGE, PAGE, PROT_NONE));
	CHECK_EQ(writev(fd, iov, 3), 7);
	CHECK_EQ(pread(fd, buf, sizeof(buf), 0), 7);
	CHECK(!memcmp(buf, "abcvvvv", 7));
	CHECK_ERR(syscall(SYS_writev, fd, 8, 3), EFAULT);
	CHECK_ERR(syscall(SYS_writev, fd, iov, -1), EINVAL);
	/* The vector itself across the edge. */
	struct iovec *edge = (void *)(p + PAGE - sizeof(*edge));

	edge[0] = iov[0];
	CHECK_ERR(writev(fd, edge, 2), EFAULT);
	CHECK_EQ(writev(fd, edge, 1), 3);
}

static void vm_readv(void)
{
	char *p = xmmap(3 * PAGE, PROT_READ | PROT_WRITE), buf[2 * PAGE];
	struct iovec l = { buf, sizeof(buf) }, r;
	int ready[2];
	char c;

	for (unsigned int i = 0; i < 3 * PAGE; i++)
		p[i] = (char)(i * 7);
	CHECK_SYS(pipe(ready));
	pid_t pid = xfork();

	if (!pid) {
		/* Its own copy differs from here on. */
		p[10] = 'C';
		CHECK_SYS(mprotect(p + 2 * PAGE, PAGE, PROT_NONE));
		CHECK_EQ(write(ready[1], "r", 1), 1);
		for (;;)
			pause();
	}
	CHECK_EQ(read(ready[0], &c, 1), 1);
	r = (struct iovec){ p, PAGE + 100 };
	l.iov_len = PAGE + 100;
	ssize_t n = process_vm_readv(pid, &l, 1, &r, 1, 0);

	if (n < 0 && errno == ENOSYS) {
		kill(pid, SIGKILL);
		SKIP("no process_vm_readv");
	}
	CHECK_EQ(n, PAGE + 100);
	CHECK_EQ(buf[10], 'C');
	CHECK_EQ(p[10], 70);
	CHECK_EQ(buf[PAGE + 99], (char)((PAGE + 99) * 7));
	/* Up to the forbidden page. */
	r = (struct iovec){ p + 2 * PAGE - 10, 20 };
	l.iov_len = 20;
	CHECK_EQ(process_vm_readv(pid, &l, 1, &r, 1, 0), 10);
	r = (struct iovec){ p + 2 * PAGE, 20 };
	CHECK_ERR(process_vm_readv(pid, &l, 1, &r, 1, 0), EFAULT);
	/* Written there, seen there only. */
	memcpy(buf, "written by the parent", 22);
	r = (struct iovec){ p + PAGE - 4, 22 };
	l.iov_len = 22;
	CHECK_EQ(process_vm_writev(pid, &l, 1, &r, 1, 0), 22);
	memset(buf, 0, 22);
	CHECK_EQ(process_vm_readv(pid, &l, 1, &r, 1, 0), 22);
	CHECK(!memcmp(buf, "written by the parent", 22));
	CHECK_EQ(p[PAGE], (char)(PAGE * 7));
	kill(pid, SIGKILL);
	expect_signal(pid, SIGKILL);
}

static void futex_on_read_only(void)
{
	uint32_t *p = xmmap(PAGE, PROT_READ | PROT_WRITE);

	*p = 5;
	CHECK_SYS(mprotect(p, PAGE, PROT_READ));
	/* A wait only reads. */
	CHECK_ERR(syscall(SYS_futex, p, 0 | 128, 6, NULL, NULL, 0), EAGAIN);
	CHECK_EQ(syscall(SYS_futex, p, 1 | 128, 1, NULL, NULL, 0), 0);
	/* FUTEX_WAKE_OP and LOCK_PI write. */
	CHECK_ERR(syscall(SYS_futex, p, 5 | 128, 1, 1, p, 0), EFAULT);
	*(volatile uint32_t *)xmmap(PAGE, PROT_READ | PROT_WRITE) = 1;
	CHECK_ERR(syscall(SYS_futex, xmmap(PAGE, PROT_READ), 6 | 128, 0, NULL, NULL, 0), EFAULT);
	CHECK_SYS(mprotect(p, PAGE, PROT_NONE));
	CHECK_ERR(syscall(SYS_futex, p, 0 | 128, 5, NULL, NULL, 0), EFAULT);
	CHECK_SYS(mprotect(p, PAGE, PROT_READ));
	CHECK_EQ(*p, 5);
}

/* The kernel's results go to memory that may not be written: EFAULT, and no half of them. */
static void results_refused(void)
{
	char *ro = xmmap(PAGE, PROT_READ);
	int fd = temp_file(PAGE), sv[2];
	struct timespec *ts = (void *)ro;

	CHECK_EQ(*(volatile char *)ro, 0);
	CHECK_EQ(int80(SYS_clock_gettime, CLOCK_MONOTONIC, (long)ts, 0, 0, 0, 0), -EFAULT);
	CHECK_EQ(int80(SYS_gettimeofday, (long)ts, 0, 0, 0, 0, 0), -EFAULT);
	CHECK_EQ(int80(SYS_fstat64, fd, (long)ro, 0, 0, 0, 0), -EFAULT);
	CHECK_EQ(int80(SYS_uname, (long)ro, 0, 0, 0, 0, 0), -EFAULT);
	CHECK_EQ(int80(SYS_getrusage, 0, (long)ro, 0, 0, 0, 0), -EFAULT);
	CHECK_EQ(int80(SYS_sysinfo, (long)ro, 0, 0, 0, 0, 0), -EFAULT);
	CHECK_EQ(int80(SYS_getcwd, (long)ro, PAGE, 0, 0, 0, 0), -EFAULT);
	CHECK_EQ(int80(SYS_rt_sigaction, SIGUSR1, 0, (long)ro, 8, 0, 0), -EFAULT);
	CHECK_EQ(int80(SYS_rt_sigprocmask, SIG_BLOCK, 0, (long)ro, 8, 0, 0), -EFAULT);
	CHECK_EQ(int80(SYS_sched_getaffinity, 0, 128, (long)ro, 0, 0, 0), -EFAULT);
	CHECK_SYS(socketpair(AF_UNIX, SOCK_STREAM, 0, sv));
	CHECK_EQ(write(sv[0], "12345", 5), 5);
	CHECK_EQ(ioctl(sv[1], FIONREAD, ro), -1);
	CHECK_EQ(errno, EFAULT);
	CHECK_ERR(read(sv[1], ro, 5), EFAULT);
	for (unsigned int i = 0; i < PAGE; i++)
		CHECK_EQ(ro[i], 0);
}

/* A big transfer over pages of every state: fresh, written, shared by fork, from a file. */
static void mixed_pages(void)
{
	enum { N = 64 };
	unsigned char *p = xmmap(N * PAGE, PROT_READ | PROT_WRITE), *check = malloc(N * PAGE);
	int fd = temp_file(N * PAGE), in = temp_file(0);
	uint32_t seed = 5, crc;
	uint64_t pos = 0;

	CHECK(check);
	for (int i = 0; i < N; i++) {
		switch (i % 4) {
		case 0:
			break;
		case 1:
			p[i * PAGE] = 1;
			break;
		case 2:
			CHECK(mmap(p + i * PAGE, PAGE, PROT_READ | PROT_WRITE,
				   MAP_PRIVATE | MAP_FIXED, fd, i * PAGE) != MAP_FAILED);
			break;
		default:
			CHECK(mmap(p + i * PAGE, PAGE, PROT_READ | PROT_WRITE,
				   MAP_SHARED | MAP_FIXED, fd, i * PAGE) != MAP_FAILED);
		}
	}
	pattern_fill(check, N * PAGE, &pos, &seed);
	crc = crc32_add(0, check, N * PAGE);
	CHECK_EQ(write(in, check, N * PAGE), N * PAGE);
	pid_t pid = xfork();

	if (!pid)
		for (;;)
			pause();
	CHECK_EQ(pread(in, p, N * PAGE, 0), N * PAGE);
	CHECK_EQ(crc32_add(0, p, N * PAGE), crc);
	memset(check, 0, N * PAGE);
	CHECK_EQ(pwrite(in, p, N * PAGE, 0), N * PAGE);
	CHECK_EQ(pread(in, check, N * PAGE, 0), N * PAGE);
	CHECK_EQ(crc32_add(0, check, N * PAGE), crc);
	kill(pid, SIGKILL);
	expect_signal(pid, SIGKILL);
	free(check);
}

/* The file's own page as the buffer. */
static void own_page(void)
{
	int fd = temp_file(2 * PAGE);
	char *p = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	CHECK(p != MAP_FAILED);
	memcpy(p, "first", 6);
	CHECK_EQ(pwrite(fd, p, PAGE, PAGE), PAGE);
	CHECK(!memcmp(p + PAGE, "first", 6));
	memcpy(p + PAGE, "again", 6);
	CHECK_EQ(pread(fd, p, PAGE, PAGE), PAGE);
	CHECK(!memcmp(p, "again", 6));
}

const struct test uaccess_tests[] = {
	{ "uaccess-read-only", read_into_read_only, 0 },
	{ "uaccess-text", read_into_text, 0 },
	{ "uaccess-none", write_from_none, 0 },
	{ "uaccess-breaks-cow", read_breaks_cow, 0 },
	{ "uaccess-fresh", read_into_fresh, 0 },
	{ "uaccess-across-pages", across_pages, 0 },
	{ "uaccess-vectors", vectors, 0 },
	{ "uaccess-process-vm", vm_readv, 0 },
	{ "uaccess-futex-read-only", futex_on_read_only, 0 },
	{ "uaccess-results-refused", results_refused, 0 },
	{ "uaccess-mixed-pages", mixed_pages, 0 },
	{ "uaccess-own-page", own_page, 0 },
	{ NULL, NULL, 0 },
};
