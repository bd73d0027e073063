// SPDX-License-Identifier: GPL-2.0
/*
 * EFLAGS in user mode: what PUSHF and POPF may see and change, and that nothing the kernel does
 * (calls, signals, faults, preemption) changes a bit of it.
 */
#include "conform.h"

#include <sched.h>

/* Every combination of the flags a program may set freely, as a number from 0 to COMBOS - 1. */
static const uint32_t free_flags[] = {
	FL_CF, FL_PF, FL_AF, FL_ZF, FL_SF, FL_OF, FL_DF, FL_AC, FL_NT, FL_ID,
};

#define COMBOS 1024

static uint32_t combo(uint32_t n)
{
	uint32_t flags = FL_BASE;

	for (size_t i = 0; i < ARRAY_SIZE(free_flags); i++)
		if (n & 1u << i)
			flags |= free_flags[i];
	return flags;
}

static void keep(const char *what, const void *code, struct regs r, uint32_t flags)
{
	r.eflags = flags;
	reg_call(&r, code);
	if (r.eflags != flags)
		FAIL("flags 0x%x became 0x%x over %s", flags, r.eflags, what);
}

static void pushf_popf(void)
{
	for (uint32_t n = 0; n < COMBOS; n++)
		keep("PUSHF and POPF", code_ret, (struct regs){ .eax = 0 }, combo(n));
}

static uint32_t popf_image(uint32_t image)
{
	uint32_t back;

	__asm__ volatile("pushl %1; popf; pushf; popl %0; pushl $0x202; popf"
			 : "=r"(back) : "r"(image) : "cc", "memory");
	return back;
}

/* What user mode can't change: IF is set and stays so, IOPL is 0, the rest reads as 0. */
static void fixed_bits(void)
{
	CHECK_EQ(popf_image(0), FL_BASE);
	CHECK_EQ(popf_image(FL_1), FL_BASE);
	CHECK_EQ(popf_image(FL_IF), FL_BASE);
	CHECK_EQ(popf_image(FL_IOPL), FL_BASE);
	CHECK_EQ(popf_image(FL_VM), FL_BASE);
	CHECK_EQ(popf_image(FL_RF), FL_BASE);
	CHECK_EQ(popf_image(FL_VIF), FL_BASE);
	CHECK_EQ(popf_image(FL_VIP), FL_BASE);
	CHECK_EQ(popf_image(0x8028), FL_BASE);
	CHECK_EQ(popf_image(0xffc00000), FL_BASE);
	CHECK_EQ(popf_image(~(FL_TF | FL_AC)), FL_BASE | FL_CF | FL_PF | FL_AF | FL_ZF | FL_SF |
		 FL_DF | FL_OF | FL_NT | FL_ID);
}

static void short_forms(void)
{
	uint32_t back;

	/* 16-bit POPF leaves the upper half. */
	__asm__ volatile("pushl $0x240202; popf; pushw $0; popfw; pushf; popl %0; pushl $0x202; popf"
			 : "=r"(back) : : "cc", "memory");
	CHECK_EQ(back, FL_BASE | FL_ID | FL_AC);
	/* 16-bit PUSHF is the lower half. */
	__asm__ volatile("pushl $0x2402d7; popf; xorl %0, %0; pushl $0x2402d7; popf; pushfw;"
			 "popw %w0; pushl $0x202; popf" : "=&r"(back) : : "cc", "memory");
	CHECK_EQ(back, 0x2d7);
	/* LAHF and SAHF. */
	__asm__ volatile("movl $0xd500, %%eax; sahf; lahf; movzbl %%ah, %0"
			 : "=r"(back) : : "eax", "cc");
	CHECK_EQ(back, 0xd7);
	/* STD, CLD, STC, CLC, CMC. */
	__asm__ volatile("std; stc; pushf; popl %0; cld" : "=r"(back) : : "cc");
	CHECK_EQ(back & (FL_DF | FL_CF), FL_DF | FL_CF);
	__asm__ volatile("stc; cmc; pushf; popl %0" : "=r"(back) : : "cc");
	CHECK_EQ(back & (FL_DF | FL_CF), 0);
}

static void over_syscall(void)
{
	for (uint32_t n = 0; n < COMBOS; n++) {
		keep("INT $0x80 getppid", code_int80, (struct regs){ .eax = SYS_getppid }, combo(n));
		if (n % 8 == 0)
			keep("INT $0x80 sched_yield", code_int80,
			     (struct regs){ .eax = SYS_sched_yield }, combo(n));
		if (n % 8 == 1)
			keep("a bad system call", code_int80, (struct regs){ .eax = 123456 },
			     combo(n));
	}
}

static volatile uint32_t seen_flags, frame_flags;
static volatile int handled;

__asm__(".text; flags_entry: pushf; popl seen_flags_raw; pushl $0x202; popf; jmp flags_handler");
void flags_entry(int sig, siginfo_t *si, void *uc);
void flags_handler(int sig, siginfo_t *si, void *uc);
uint32_t seen_flags_raw;

__attribute__((used))
void flags_handler(int sig, siginfo_t *si, void *context)
{
	ucontext_t *uc = context;

	(void)sig;
	(void)si;
	seen_flags = seen_flags_raw;
	frame_flags = (uint32_t)uc->uc_mcontext.gregs[REG_EFL];
	handled++;
}

/*
 * A handler starts with DF and TF clear; the frame shows the flags as they were, and the return
 * restores them. NT and ID are not in the set that the frame restores: what the handler left
 * stays, and this one leaves them clear.
 */
static void over_signal(void)
{
	struct sigaction sa = { .sa_sigaction = flags_entry, .sa_flags = SA_SIGINFO };

	CHECK_SYS(sigaction(SIGUSR1, &sa, NULL));
	for (uint32_t n = 0; n < COMBOS; n += 1) {
		uint32_t flags = combo(n);
		struct regs r = {
			.eax = SYS_kill, .ebx = (uint32_t)getpid(), .ecx = SIGUSR1, .eflags = flags,
		};

		handled = 0;
		reg_call(&r, code_int80);
		CHECK_EQ(handled, 1);
		CHECK_EQ(frame_flags & ~FL_RF, flags);
		CHECK_EQ(seen_flags & (FL_DF | FL_TF), 0);
		CHECK_EQ(seen_flags & FL_IF, FL_IF);
		CHECK_EQ(r.eflags, flags & ~(FL_NT | FL_ID));
	}
}

/* An asynchronous signal, wherever it falls; arithmetic flags kept by code that tests them. */
static void on_tick(int sig, siginfo_t *si, void *uc)
{
	(void)sig;
	(void)si;
	(void)uc;
	handled++;
	__asm__ volatile("" : : : "cc");
}

/* LEA and JECXZ change no flag: EFLAGS goes through the whole loop. */
__asm__(".text; spin_code: 1: leal -1(%ecx), %ecx; jecxz 2f; jmp 1b; 2: ret");
extern const unsigned char spin_code[];

static void over_preemption(void)
{
	volatile int *stop = shared_alloc(PAGE);
	struct timespec quick = { .tv_nsec = 500000 };
	timer_t timer;
	pid_t pid = xfork();

	if (!pid) {
		while (!*stop)
			reg_call(&(struct regs){ .ecx = 20000, .eflags = FL_BASE | FL_OF | FL_DF },
				 spin_code);
		_exit(0);
	}
	catch_signal(SIGALRM, on_tick, 0);
	CHECK_SYS(timer_create(CLOCK_MONOTONIC, NULL, &timer));
	CHECK_SYS(timer_settime(timer, 0, &(struct itimerspec){ quick, quick }, NULL));
	handled = 0;
	for (uint32_t n = 0; handled < rounds(100); n++) {
		/* The handler is C: AC would fault in it. NT and ID: see over_signal. */
		uint32_t flags = combo(n & 127);

		keep("preemption and signals", spin_code, (struct regs){ .ecx = 20000 }, flags);
	}
	*stop = 1;
	expect_exit(pid, 0);
}

/* The same without signals, for the flags a C handler can't bear. */
static void over_switches(void)
{
	pid_t pid[3];

	for (uint32_t i = 0; i < 3; i++) {
		pid[i] = xfork();
		if (pid[i])
			continue;
		for (uint32_t n = 0; n < (uint32_t)rounds(300); n++)
			keep("context switches", spin_code, (struct regs){ .ecx = 5000 },
			     combo(n * 331 + i * 97));
		_exit(0);
	}
	for (int i = 0; i < 3; i++)
		expect_exit(pid[i], 0);
}

__asm__(".text; load_code: movl (%ebx), %eax; movl %eax, (%ebx); ret");
extern const unsigned char load_code[];

static void over_page_fault(void)
{
	char *p = xmmap(PAGE, PROT_READ | PROT_WRITE);

	for (uint32_t n = 0; n < COMBOS; n++) {
		CHECK_SYS(madvise(p, PAGE, MADV_DONTNEED));
		keep("a page fault", load_code, (struct regs){ .ebx = (uintptr_t)p }, combo(n));
	}
}

/* Flags set through a signal frame come into force; forbidden ones do not. */
static volatile uint32_t forge;

static void on_forge(int sig, siginfo_t *si, void *context)
{
	ucontext_t *uc = context;

	(void)sig;
	(void)si;
	uc->uc_mcontext.gregs[REG_EFL] = (int)forge;
}

static void through_frame(void)
{
	static const uint32_t may = FL_CF | FL_PF | FL_AF | FL_ZF | FL_SF | FL_DF | FL_OF | FL_AC;
	static const uint32_t images[] = {
		0, ~(FL_TF | FL_VM), FL_IOPL, FL_VIF | FL_VIP, FL_NT, FL_CF | FL_ZF,
		FL_DF | FL_AC | FL_OF, 0xffe00000,
	};

	catch_signal(SIGUSR1, on_forge, 0);
	for (size_t i = 0; i < ARRAY_SIZE(images); i++) {
		struct regs r = {
			.eax = SYS_kill, .ebx = (uint32_t)getpid(), .ecx = SIGUSR1, .eflags = FL_BASE,
		};

		forge = images[i];
		reg_call(&r, code_int80);
		CHECK_EQ(r.eflags, FL_BASE | (forge & may));
	}
}

static void fork_keeps(void)
{
	for (uint32_t n = 0; n < 256; n += 5) {
		uint32_t flags = combo(n);
		struct regs r = { .eax = SYS_fork, .eflags = flags };

		reg_call(&r, code_int80);
		CHECK_EQ(r.eflags, flags);
		if (!r.eax)
			_exit(0);
		CHECK((int)r.eax > 0);
		expect_exit((pid_t)r.eax, 0);
	}
}

const struct test flags_tests[] = {
	{ "flags-pushf-popf", pushf_popf, 0 },
	{ "flags-fixed-bits", fixed_bits, 0 },
	{ "flags-short-forms", short_forms, 0 },
	{ "flags-over-syscall", over_syscall, 0 },
	{ "flags-over-signal", over_signal, 0 },
	{ "flags-over-preemption", over_preemption, 0 },
	{ "flags-over-switches", over_switches, 0 },
	{ "flags-over-page-fault", over_page_fault, 0 },
	{ "flags-through-frame", through_frame, 0 },
	{ "flags-over-fork", fork_keeps, 0 },
	{ NULL, NULL, 0 },
};
