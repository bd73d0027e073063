// SPDX-License-Identifier: GPL-2.0
/*
 * Code made at run time: written and executed in one page, through two mappings, changed under
 * way, by the kernel, by a sibling, and in the page that runs.
 */
#include "conform.h"

#include <fcntl.h>
#include <pthread.h>
#include <sched.h>

/* mov $imm,%eax; ret */
static void put_return(volatile unsigned char *at, uint32_t v)
{
	at[0] = 0xb8;
	at[1] = (unsigned char)v;
	at[2] = (unsigned char)(v >> 8);
	at[3] = (unsigned char)(v >> 16);
	at[4] = (unsigned char)(v >> 24);
	at[5] = 0xc3;
}

static uint32_t run(const void *at)
{
	uint32_t v;

	__asm__ volatile("call *%1" : "=a"(v) : "r"(at) : "memory", "cc");
	return v;
}

#define RWX (PROT_READ | PROT_WRITE | PROT_EXEC)

static void write_run(void)
{
	unsigned char *p = xmmap(PAGE, RWX);

	for (uint32_t i = 0; i < (uint32_t)rounds(300); i++) {
		put_return(p + i % 100 * 16, i * 2654435761u);
		CHECK_EQ(run(p + i % 100 * 16), i * 2654435761u);
	}
}

/* The usual way of a compiler: write, make executable, run, make writable, change, again. */
static void toggled(void)
{
	unsigned char *p = xmmap(PAGE, PROT_READ | PROT_WRITE);

	for (uint32_t i = 0; i < (uint32_t)rounds(200); i++) {
		put_return(p + 64, i + 7);
		CHECK_SYS(mprotect(p, PAGE, PROT_READ | PROT_EXEC));
		CHECK_EQ(run(p + 64), i + 7);
		CHECK_SYS(mprotect(p, PAGE, PROT_READ | PROT_WRITE));
	}
}

static void two_mappings(void)
{
	int fd = memfd_create("jit", 0);
	volatile unsigned char *w;
	unsigned char *x;

	if (fd < 0 && errno == ENOSYS)
		SKIP("no memfd_create");
	CHECK_SYS(fd);
	CHECK_SYS(ftruncate(fd, 4 * PAGE));
	w = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	x = mmap(NULL, 4 * PAGE, PROT_READ | PROT_EXEC, MAP_SHARED, fd, 0);
	CHECK((void *)w != MAP_FAILED && x != MAP_FAILED);
	for (uint32_t i = 0; i < (uint32_t)rounds(300); i++) {
		uint32_t at = i % 4 * PAGE + i % 200 * 16;

		put_return(w + at, ~i);
		CHECK_EQ(run(x + at), ~i);
		/* Changed in place, after it has run. */
		put_return(w + at, i ^ 0x55aa55aa);
		CHECK_EQ(run(x + at), i ^ 0x55aa55aa);
	}
}

/* Written by another process through shared memory. */
static void other_process_writes(void)
{
	struct { volatile int stage; } *s = shared_alloc(PAGE);
	unsigned char *x = mmap(NULL, PAGE, RWX, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int n = rounds(100);

	CHECK(x != MAP_FAILED);
	pid_t pid = xfork();

	for (int i = 0; i < n; i++) {
		if (!pid) {
			await_atleast(&s->stage, 2 * i);
			put_return(x, (uint32_t)i * 77);
			__atomic_store_n(&s->stage, 2 * i + 1, __ATOMIC_SEQ_CST);
		} else {
			await_atleast(&s->stage, 2 * i + 1);
			/* Cross-modified code needs a serializing instruction before it runs. */
			uint32_t r[4];

			cpuid(0, 0, r);
			CHECK_EQ(run(x), i * 77);
			__atomic_store_n(&s->stage, 2 * i + 2, __ATOMIC_SEQ_CST);
		}
	}
	if (!pid)
		_exit(0);
	expect_exit(pid, 0);
}

/* Read from a file straight into a page that has been executed. */
static void kernel_writes(void)
{
	unsigned char *p = xmmap(PAGE, RWX), code[16];
	int fd = temp_file(0);

	for (uint32_t i = 0; i < (uint32_t)rounds(100); i++) {
		put_return(code, i + 0x10000);
		CHECK_EQ(pwrite(fd, code, 6, 0), 6);
		CHECK_EQ(pread(fd, p + 32, 6, 0), 6);
		CHECK_EQ(run(p + 32), i + 0x10000);
	}
}

/* A file mapping that is executed while the file is written. */
static void file_changes(void)
{
	unsigned char code[16], *x;
	int fd = temp_file(PAGE);

	x = mmap(NULL, PAGE, PROT_READ | PROT_EXEC, MAP_SHARED, fd, 0);
	if (x == MAP_FAILED && errno == EPERM)
		SKIP("the temporary directory forbids executable mappings");
	CHECK(x != MAP_FAILED);
	for (uint32_t i = 0; i < (uint32_t)rounds(100); i++) {
		put_return(code, i + 0x20000);
		CHECK_EQ(pwrite(fd, code, 6, 128), 6);
		CHECK_EQ(run(x + 128), i + 0x20000);
	}
}

/* Code that changes an instruction further on in its own page, and one that counts in it. */
static void own_page(void)
{
	/* movl $0x11111111, imm of the second; jmp to it; mov $0,%eax; ret */
	unsigned char *p = xmmap(PAGE, RWX);

	for (uint32_t i = 0; i < (uint32_t)rounds(100); i++) {
		uintptr_t imm = (uintptr_t)p + 33;
		unsigned char code[] = { 0xc7, 0x05, 0, 0, 0, 0, 0, 0, 0, 0, 0xeb, 20 };

		memcpy(code + 2, &imm, 4);
		memcpy(code + 6, &i, 4);
		memcpy(p, code, sizeof(code));
		put_return(p + 32, 0xffffffff);
		CHECK_EQ(run(p), i);
	}
	/* incl counter, in the page it runs from; loop: a thousand stores into running code. */
	uintptr_t counter = (uintptr_t)p + 2048;
	unsigned char loop[] = { 0xb9, 0xe8, 3, 0, 0, 0xff, 0x05, 0, 0, 0, 0, 0xe2, 0xf8, 0xa1, 0, 0, 0,
		0, 0xc3 };
	uint32_t v;

	memcpy(loop + 7, &counter, 4);
	memcpy(loop + 14, &counter, 4);
	memcpy(p, loop, sizeof(loop));
	*(volatile uint32_t *)counter = 5;
	__asm__ volatile("call *%1" : "=a"(v) : "r"(p) : "ecx", "memory", "cc");
	CHECK_EQ(v, 1005);
}

/* Data and stack in the page that runs: push and pop on the code page itself. */
static void stack_in_code(void)
{
	/* mov %esp,%edx; mov %ebx,%esp; push %eax; pop %ecx; mov %edx,%esp; ret */
	static const unsigned char code[] = { 0x89, 0xe2, 0x89, 0xdc, 0x50, 0x59, 0x89, 0xd4, 0xc3 };
	unsigned char *p = xmmap(PAGE, RWX);

	memcpy(p, code, sizeof(code));
	for (uint32_t i = 0; i < (uint32_t)rounds(100); i++) {
		struct regs r = { .eax = i, .ebx = (uintptr_t)p + 4096, .eflags = FL_BASE };

		reg_call(&r, p);
		CHECK_EQ(r.ecx, i);
	}
}

/* An instruction over a page border, whose second half changes. */
static void over_border(void)
{
	unsigned char *p = xmmap(2 * PAGE, RWX);

	for (uint32_t i = 0; i < (uint32_t)rounds(100); i++) {
		uint32_t off = PAGE - 1 - i % 5;

		put_return(p + off, i * 0x01010101);
		CHECK_EQ(run(p + off), i * 0x01010101);
	}
}

/* fork: each changes its own copy of code that was the same page. */
static void over_fork(void)
{
	unsigned char *p = xmmap(PAGE, RWX);

	put_return(p, 1);
	CHECK_EQ(run(p), 1);
	pid_t pid = xfork();

	if (!pid) {
		CHECK_EQ(run(p), 1);
		put_return(p, 2);
		CHECK_EQ(run(p), 2);
		_exit(0);
	}
	CHECK_EQ(run(p), 1);
	put_return(p, 3);
	expect_exit(pid, 0);
	CHECK_EQ(run(p), 3);
}

static volatile int thread_stop;
static unsigned char *thread_page;

static void *runner(void *arg)
{
	/* Of two instructions stored whole, one or the other, never a mix. */
	while (!thread_stop) {
		uint32_t v = run(thread_page);

		if (v != 1 && v != 2)
			FAIL("half-written code was executed");
		sched_yield();
	}
	return arg;
}

static void thread_patches(void)
{
	pthread_t t[2];

	thread_page = xmmap(PAGE, RWX);
	/* One byte of the constant changes: a store of one byte is never seen in part. */
	put_return(thread_page, 1);
	for (int i = 0; i < 2; i++)
		CHECK_0(pthread_create(&t[i], NULL, runner, NULL));
	for (int i = 0; i < rounds(300); i++) {
		*(volatile unsigned char *)(thread_page + 1) = (unsigned char)(1 + (i & 1));
		sched_yield();
	}
	thread_stop = 1;
	for (int i = 0; i < 2; i++)
		CHECK_0(pthread_join(t[i], NULL));
}

/* Bytes a monitor may dislike, as data in the middle of a page that runs. */
static void odd_bytes(void)
{
	static const unsigned char odd[] = {
		0x0f, 0x01, 0xef,		/* WRPKRU */
		0x0f, 0xae, 0x2c, 0x24,		/* XRSTOR (%esp) */
		0x0f, 0xc7, 0x1c, 0x24,		/* XRSTORS (%esp) */
		0x0f, 0x01, 0xf8, 0x0f, 0x05, 0x0f, 0x34,
	};
	unsigned char *p = xmmap(2 * PAGE, PROT_READ | PROT_WRITE);

	for (unsigned int at = 100; at < 2 * PAGE - 100; at += 97)
		memcpy(p + at, odd, sizeof(odd));
	/* Over the border too. */
	memcpy(p + PAGE - 1, odd, 3);
	put_return(p, 0x600d);
	put_return(p + PAGE + 20, 0x900d);
	CHECK_SYS(mprotect(p, 2 * PAGE, PROT_READ | PROT_EXEC));
	for (int i = 0; i < rounds(50); i++) {
		CHECK_EQ(run(p), 0x600d);
		CHECK_EQ(run(p + PAGE + 20), 0x900d);
		CHECK(!memcmp(p + 100, odd, sizeof(odd)));
		CHECK(!memcmp(p + PAGE - 1, odd, 3));
	}
}

const struct test jit_tests[] = {
	{ "jit-write-run", write_run, 0 },
	{ "jit-toggled", toggled, 0 },
	{ "jit-two-mappings", two_mappings, 0 },
	{ "jit-other-process-writes", other_process_writes, 0 },
	{ "jit-kernel-writes", kernel_writes, 0 },
	{ "jit-file-changes", file_changes, 0 },
	{ "jit-own-page", own_page, 0 },
	{ "jit-stack-in-code", stack_in_code, 0 },
	{ "jit-over-border", over_border, 0 },
	{ "jit-over-fork", over_fork, 0 },
	{ "jit-thread-patches", thread_patches, 0 },
	{ "jit-odd-bytes", odd_bytes, 0 },
	{ NULL, NULL, 0 },
};
