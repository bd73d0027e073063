// SPDX-License-Identifier: GPL-2.0
/*
 * The system call instruction itself: which registers survive, six arguments, numbers that do
 * not exist, pointers that lead nowhere; by INT 0x80 and by the vDSO's __kernel_vsyscall.
 */
#include "conform.h"

#include <elf.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <sys/uio.h>

/* __kernel_vsyscall, or null: then the vDSO tests are skipped. */
static const void *vsyscall_entry(void)
{
	char **p = environ;

	while (*p)
		p++;
	for (unsigned long *v = (unsigned long *)(p + 1); v[0] != AT_NULL; v += 2)
		if (v[0] == AT_SYSINFO)
			return (const void *)v[1];
	return NULL;
}

static const void *entry;
static const char *entry_name;

static long call6(long nr, long a, long b, long c, long d, long e, long f)
{
	struct regs r = {
		.eax = (uint32_t)nr, .ebx = (uint32_t)a, .ecx = (uint32_t)b, .edx = (uint32_t)c,
		.esi = (uint32_t)d, .edi = (uint32_t)e, .ebp = (uint32_t)f, .eflags = FL_BASE,
	};
	struct regs in = r;

	reg_call(&r, entry);
	if (r.ebx != in.ebx || r.ecx != in.ecx || r.edx != in.edx || r.esi != in.esi ||
	    r.edi != in.edi || r.ebp != in.ebp)
		FAIL("%s changed a register over call %ld", entry_name, nr);
	return (long)(int32_t)r.eax;
}

/* Calls that ignore their arguments, with registers of every kind of value. */
static void registers_body(void)
{
	static const long quiet[] = { SYS_getpid, SYS_getppid, SYS_gettid, SYS_getuid32,
		SYS_sched_yield, SYS_getpgrp };
	uint32_t seed = 1;

	for (int i = 0; i < rounds(500); i++) {
		long nr = quiet[(unsigned int)i % ARRAY_SIZE(quiet)], got;

		got = call6(nr, (long)prng(&seed), (long)prng(&seed), (long)prng(&seed),
			    (long)prng(&seed), (long)prng(&seed), (long)prng(&seed));
		CHECK_EQ(got, syscall(nr));
	}
}

static void six_arguments_body(void)
{
	int fd = temp_file(8 * PAGE), pipefd[2], out[2];
	char word[16];
	uint32_t *p;
	long r;

	/* mmap2 takes the offset, in pages, in EBP: read the page's number back. */
	for (uint32_t i = 0; i < 8; i++)
		CHECK_EQ(pwrite(fd, &i, sizeof(i), i * PAGE), sizeof(i));
	for (uint32_t i = 0; i < 8; i++) {
		r = call6(SYS_mmap2, 0, PAGE, PROT_READ, MAP_PRIVATE, fd, (long)i);
		CHECK(r > 0 || r < -4095);
		p = (uint32_t *)r;
		CHECK_EQ(*p, i);
		CHECK_EQ(call6(SYS_munmap, r, PAGE, 0, 0, 0, 0), 0);
	}
	/* mmap2 beyond the file's end is fine, a bad descriptor is not. */
	CHECK_EQ(call6(SYS_mmap2, 0, PAGE, PROT_READ, MAP_PRIVATE, 9999, 0), -EBADF);

	/* pselect6: the sixth is a pointer to a pair. */
	CHECK_SYS(pipe(pipefd));
	CHECK_EQ(write(pipefd[1], "x", 1), 1);
	uint32_t set[32] = { 0 };
	uint64_t mask = 0;
	struct { uintptr_t set; uint32_t len; } pair = { (uintptr_t)&mask, 8 };
	struct timespec ts = { 0 };

	set[pipefd[0] / 32] = 1u << pipefd[0] % 32;
	CHECK_EQ(call6(SYS_pselect6, pipefd[0] + 1, (long)set, 0, 0, (long)&ts, (long)&pair), 1);
	CHECK_EQ(set[pipefd[0] / 32], 1u << pipefd[0] % 32);
	pair.len = 5;
	CHECK_EQ(call6(SYS_pselect6, pipefd[0] + 1, (long)set, 0, 0, (long)&ts, (long)&pair), -EINVAL);
	CHECK_EQ(call6(SYS_pselect6, pipefd[0] + 1, (long)set, 0, 0, (long)&ts, 8), -EFAULT);

	/* futex: val3, the bit set of a wake, must not be zero. */
	uint32_t futex = 0;

	CHECK_EQ(call6(SYS_futex, (long)&futex, 10, 1, 0, 0, 1), 0);
	CHECK_EQ(call6(SYS_futex, (long)&futex, 10, 1, 0, 0, 0), -EINVAL);

	/* splice: six that all matter. */
	CHECK_SYS(pipe(out));
	off_t off = 2 * PAGE;

	r = call6(SYS_splice, fd, (long)&off, out[1], 0, 4, 0);
	CHECK_EQ(r, 4);
	CHECK_EQ(off, 2 * PAGE + 4);
	CHECK_EQ(read(out[0], word, 4), 4);
	CHECK_EQ(*(uint32_t *)word, 2);
	CHECK_EQ(call6(SYS_splice, fd, (long)&off, out[1], 0, 4, 0x100), -EINVAL);

	/* process_vm_readv: the flags are the sixth. */
	uint32_t from = 0x600d, to = 0;
	struct iovec l = { &to, 4 }, m = { &from, 4 };

	r = call6(SYS_process_vm_readv, getpid(), (long)&l, 1, (long)&m, 1, 0);
	if (r != -ENOSYS) {
		CHECK_EQ(r, 4);
		CHECK_EQ(to, 0x600d);
		CHECK_EQ(call6(SYS_process_vm_readv, getpid(), (long)&l, 1, (long)&m, 1, 7), -EINVAL);
	}
}

static void no_such_call_body(void)
{
	static const uint32_t bad[] = { 223, 1000, 4096, 0xffff, 0x10000, 0x20000014, 0x40000000,
		0x40000014, 0x7fffffff, 0x80000000, 0x80000014, 0xfffffffe, 0xffffffff };

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		if (call6((long)bad[i], 1, 2, 3, 4, 5, 6) != -ENOSYS)
			FAIL("%s: call number 0x%x is not ENOSYS", entry_name, bad[i]);
}

static void bad_pointers_body(void)
{
	/* Not above 0xc0000000: there the two kernels differ in what is the user's. */
	static const uint32_t where[] = { 0, 8, 0xfff, 0x1000, 0x8000 };
	char *gone = xmmap(2 * PAGE, PROT_READ | PROT_WRITE);
	int fd[2];

	CHECK_SYS(munmap(gone, 2 * PAGE));
	CHECK_SYS(pipe(fd));
	CHECK_EQ(write(fd[1], "data", 4), 4);
	for (size_t i = 0; i <= ARRAY_SIZE(where); i++) {
		long p = i < ARRAY_SIZE(where) ? (long)where[i] : (long)(uintptr_t)gone;

		CHECK_EQ(call6(SYS_write, fd[1], p, 100, 0, 0, 0), -EFAULT);
		CHECK_EQ(call6(SYS_read, fd[0], p, 4, 0, 0, 0), -EFAULT);
		CHECK_EQ(call6(SYS_nanosleep, p, 0, 0, 0, 0, 0), -EFAULT);
		CHECK_EQ(call6(SYS_rt_sigaction, SIGUSR1, p, 0, 8, 0, 0), p ? -EFAULT : 0);
		CHECK_EQ(call6(SYS_uname, p, 0, 0, 0, 0, 0), -EFAULT);
		CHECK_EQ(call6(SYS_pipe, p, 0, 0, 0, 0, 0), -EFAULT);
		CHECK_EQ(call6(SYS_open, p, 0, 0, 0, 0, 0), -EFAULT);
	}
	/* The descriptor numbers of the failed pipe calls were given back. */
	int next = CHECK_SYS(dup(0));

	CHECK_EQ(next, fd[1] + 1);
}

static void stack_body(void)
{
	/* The caller's stack keeps its content below nothing but the return address. */
	volatile uint32_t guard[64];

	for (uint32_t i = 0; i < 64; i++)
		guard[i] = i * 0x01010101;
	for (int i = 0; i < 100; i++)
		call6(SYS_getppid, 0, 0, 0, 0, 0, 0);
	for (uint32_t i = 0; i < 64; i++)
		CHECK_EQ(guard[i], i * 0x01010101);
}

#define BOTH(name) \
static void name##_int80(void) \
{ \
	entry = code_int80; \
	entry_name = "int $0x80"; \
	name##_body(); \
} \
static void name##_vdso(void) \
{ \
	entry = vsyscall_entry(); \
	entry_name = "__kernel_vsyscall"; \
	if (!entry) \
		SKIP("no AT_SYSINFO"); \
	name##_body(); \
}

BOTH(registers)
BOTH(six_arguments)
BOTH(no_such_call)
BOTH(bad_pointers)
BOTH(stack)

/* The signal frame's segment and flag words are not touched by a call that does nothing. */
static void segments(void)
{
	/* int80; mov ds,ebx; mov es,ecx; mov ss,edx; mov cs,esi; mov fs,edi; mov gs,ebp */
	static const unsigned char code[] = {
		0xcd, 0x80, 0x8c, 0xdb, 0x8c, 0xc1, 0x8c, 0xd2, 0x8c, 0xce, 0x8c, 0xe7, 0x8c, 0xed,
		0xc3,
	};
	uint32_t ds, cs, gs;
	struct pad p;
	unsigned char *at;

	__asm__("movl %%ds, %0; movl %%cs, %1; movl %%gs, %2" : "=r"(ds), "=r"(cs), "=r"(gs));
	pad_new(&p, 1);
	at = pad_add(&p, code, sizeof(code));
	pad_seal(&p);
	for (int i = 0; i < rounds(200); i++) {
		struct regs r = { .eax = i & 1 ? SYS_sched_yield : SYS_getppid, .eflags = FL_BASE };

		reg_call(&r, at);
		CHECK_EQ(r.ebx & 0xffff, ds & 0xffff);
		CHECK_EQ(r.ecx & 0xffff, ds & 0xffff);
		CHECK_EQ(r.edx & 0xffff, ds & 0xffff);
		CHECK_EQ(r.esi & 0xffff, cs & 0xffff);
		CHECK_EQ(r.edi & 0xffff, 0);
		CHECK_EQ(r.ebp & 0xffff, gs & 0xffff);
	}
	pad_free(&p);
}

/* Registers over preemption, with no system call: every one is checked at the end of a spin. */
__asm__(".text; spin_regs: 1: decl %eax; jnz 1b; ret");
extern const unsigned char spin_regs[];

static void preemption(void)
{
	pid_t pid[4];

	for (uint32_t who = 0; who < 4; who++) {
		pid[who] = xfork();
		if (pid[who])
			continue;
		for (int i = 0; i < rounds(200); i++) {
			uint32_t k = who << 24 | (uint32_t)i << 4;
			struct regs r = {
				.eax = 20000, .ebx = k + 1, .ecx = k + 2, .edx = k + 3,
				.esi = k + 4, .edi = k + 5, .ebp = k + 6, .eflags = FL_BASE,
			};

			reg_call(&r, spin_regs);
			CHECK_EQ(r.eax, 0);
			CHECK_EQ(r.ebx, k + 1);
			CHECK_EQ(r.ecx, k + 2);
			CHECK_EQ(r.edx, k + 3);
			CHECK_EQ(r.esi, k + 4);
			CHECK_EQ(r.edi, k + 5);
			CHECK_EQ(r.ebp, k + 6);
		}
		_exit(0);
	}
	for (int i = 0; i < 4; i++)
		expect_exit(pid[i], 0);
}

/* INT 0x80 at the very end of a page: the return address is in the next one. */
static void at_page_end(void)
{
	unsigned char *p = xmmap(2 * PAGE, PROT_READ | PROT_WRITE);
	struct regs r = { .eax = SYS_getppid, .eflags = FL_BASE };
	struct fault f;

	p[PAGE - 2] = 0xcd;
	p[PAGE - 1] = 0x80;
	p[PAGE] = 0xc3;
	CHECK_SYS(mprotect(p, 2 * PAGE, PROT_READ | PROT_EXEC));
	reg_call(&r, p + PAGE - 2);
	CHECK_EQ(r.eax, getppid());
	/* And with the two bytes of the instruction in two pages. */
	CHECK_SYS(mprotect(p, 2 * PAGE, PROT_READ | PROT_WRITE));
	p[PAGE - 1] = 0xcd;
	p[PAGE] = 0x80;
	p[PAGE + 1] = 0xc3;
	CHECK_SYS(mprotect(p, 2 * PAGE, PROT_READ | PROT_EXEC));
	r.eax = SYS_getppid;
	reg_call(&r, p + PAGE - 1);
	CHECK_EQ(r.eax, getppid());
	/* The call is made before the missing next page is noticed. */
	CHECK_SYS(mprotect(p, PAGE, PROT_READ | PROT_WRITE));
	p[PAGE - 2] = 0xcd;
	p[PAGE - 1] = 0x80;
	CHECK_SYS(mprotect(p, PAGE, PROT_READ | PROT_EXEC));
	CHECK_SYS(munmap(p + PAGE, PAGE));
	r = (struct regs){ .eax = SYS_getppid, .eflags = FL_BASE };
	CHECK(fault_call(&f, &r, p + PAGE - 2));
	CHECK_EQ(f.addr, (uintptr_t)p + PAGE);
	CHECK_EQ(f.eip, (uintptr_t)p + PAGE);
	CHECK_EQ(f.r.eax, getppid());
}

/* A call does not need a stack. */
static void no_stack(void)
{
	/* mov %esp,%esi; mov %ebx,%esp; int $0x80; mov %esi,%esp; ret */
	static const unsigned char code[] = { 0x89, 0xe6, 0x89, 0xdc, 0xcd, 0x80, 0x89, 0xf4, 0xc3 };
	static const uint32_t stacks[] = { 0, 4, 0x1003, 0xffffffff, 0xfffffffc, 0x80000000 };
	struct pad p;
	unsigned char *at;

	pad_new(&p, 1);
	at = pad_add(&p, code, sizeof(code));
	pad_seal(&p);
	for (size_t i = 0; i < ARRAY_SIZE(stacks); i++) {
		struct regs r = { .eax = SYS_getppid, .ebx = stacks[i], .eflags = FL_BASE };

		reg_call(&r, at);
		CHECK_EQ(r.eax, getppid());
	}
	pad_free(&p);
}

/* System calls from many processes at once give each its own answer. */
static void answers_not_mixed(void)
{
	pid_t pid[8];

	for (int i = 0; i < 8; i++) {
		pid[i] = xfork();
		if (pid[i])
			continue;
		long self = syscall(SYS_getpid);

		for (int k = 0; k < rounds(500); k++) {
			CHECK_EQ(int80(SYS_getpid, 0, 0, 0, 0, 0, 0), self);
			CHECK_EQ(syscall(SYS_gettid), self);
			if (k % 16 == 0)
				sched_yield();
		}
		_exit(0);
	}
	for (int i = 0; i < 8; i++)
		expect_exit(pid[i], 0);
}

/* 64-bit values in register pairs. */
static void register_pairs(void)
{
	int fd = temp_file(0);
	long long res = 0;
	char c = 0;

	CHECK_EQ(int80(SYS_ftruncate64, fd, 0x1000, 1, 0, 0, 0), 0);
	CHECK_EQ(int80(SYS__llseek, fd, 1, 0x800, (long)&res, SEEK_SET, 0), 0);
	CHECK_EQ(res, 0x100000800ll);
	CHECK_EQ(int80(SYS_pwrite64, fd, (long)"q", 1, 0x900, 1, 0), 1);
	CHECK_EQ(int80(SYS_pread64, fd, (long)&c, 1, 0x900, 1, 0), 1);
	CHECK_EQ(c, 'q');
	CHECK_EQ(lseek(fd, 0, SEEK_END), 0x100001000ll);
}

const struct test sysabi_tests[] = {
	{ "sysabi-registers-int80", registers_int80, 0 },
	{ "sysabi-registers-vdso", registers_vdso, 0 },
	{ "sysabi-six-arguments-int80", six_arguments_int80, 0 },
	{ "sysabi-six-arguments-vdso", six_arguments_vdso, 0 },
	{ "sysabi-no-such-call-int80", no_such_call_int80, 0 },
	{ "sysabi-no-such-call-vdso", no_such_call_vdso, 0 },
	{ "sysabi-bad-pointers-int80", bad_pointers_int80, 0 },
	{ "sysabi-bad-pointers-vdso", bad_pointers_vdso, 0 },
	{ "sysabi-stack-int80", stack_int80, 0 },
	{ "sysabi-stack-vdso", stack_vdso, 0 },
	{ "sysabi-segments", segments, 0 },
	{ "sysabi-preemption", preemption, 0 },
	{ "sysabi-page-end", at_page_end, 0 },
	{ "sysabi-no-stack", no_stack, 0 },
	{ "sysabi-answers", answers_not_mixed, 0 },
	{ "sysabi-register-pairs", register_pairs, 0 },
	{ NULL, NULL, 0 },
};
