// SPDX-License-Identifier: GPL-2.0
/*
 * The x87, SSE and AVX registers: each task's own over every kind of switch, and part of the
 * signal frame. Code between loading and storing a pattern is assembly only, so that no
 * compiler's use of a register comes in between; of SSE the i386 compiler knows nothing, which
 * is why no clobber names its registers.
 */
#include "conform.h"

#include <pthread.h>
#include <sched.h>

struct state {
	uint8_t st[8][10], pad[16];
	uint16_t cw;
	uint32_t mxcsr;
	uint8_t xmm[8][16] __attribute__((aligned(16)));
	uint8_t ymm[8][32] __attribute__((aligned(32)));
};

static void make_state(struct state *s, uint32_t who)
{
	uint32_t seed = who * 2654435761u + 12345;

	memset(s, 0, sizeof(*s));
	for (int i = 0; i < 8; i++) {
		/* Normal numbers: a pattern in the significand, a plain exponent. */
		for (int k = 0; k < 8; k++)
			s->st[i][k] = (uint8_t)prng(&seed);
		s->st[i][7] |= 0x80;
		s->st[i][8] = (uint8_t)(prng(&seed) % 255);
		s->st[i][9] = 0x3f;
		for (int k = 0; k < 16; k++)
			s->xmm[i][k] = (uint8_t)prng(&seed);
		for (int k = 0; k < 32; k++)
			s->ymm[i][k] = (uint8_t)prng(&seed);
	}
	/* Rounding, precision and masks differ between tasks; no exception is unmasked. */
	s->cw = (uint16_t)(0x37f & ~0xc00) | (uint16_t)((who % 4) << 10);
	s->mxcsr = 0x1f80 | (who / 4 % 4) << 13;
}

/* Load all, run %ecx turns of a loop or a system call, store all. */
static void hold(const struct state *in, struct state *out, uint32_t spin, bool yield, bool avx)
{
	memset(out, 0, sizeof(*out));
	for (int i = 0; i < 8; i++)
		__asm__ volatile("" : : "m"(in->st[i]), "m"(out->st[i]));
	__asm__ volatile(
		"	fninit\n"
		"	fldcw	%c[cw](%%esi)\n"
		"	ldmxcsr	%c[mx](%%esi)\n"
		"	fldt	70(%%esi)\n fldt 60(%%esi)\n fldt 50(%%esi)\n fldt 40(%%esi)\n"
		"	fldt	30(%%esi)\n fldt 20(%%esi)\n fldt 10(%%esi)\n fldt (%%esi)\n"
		"	testl	%%edx, %%edx\n"
		"	jz	1f\n"
		"	vmovdqu	%c[ymm](%%esi), %%ymm0\n vmovdqu %c[ymm]+32(%%esi), %%ymm1\n"
		"	vmovdqu	%c[ymm]+64(%%esi), %%ymm2\n vmovdqu %c[ymm]+96(%%esi), %%ymm3\n"
		"	vmovdqu	%c[ymm]+128(%%esi), %%ymm4\n vmovdqu %c[ymm]+160(%%esi), %%ymm5\n"
		"	vmovdqu	%c[ymm]+192(%%esi), %%ymm6\n vmovdqu %c[ymm]+224(%%esi), %%ymm7\n"
		"	jmp	2f\n"
		"1:	movdqu	%c[xmm](%%esi), %%xmm0\n movdqu %c[xmm]+16(%%esi), %%xmm1\n"
		"	movdqu	%c[xmm]+32(%%esi), %%xmm2\n movdqu %c[xmm]+48(%%esi), %%xmm3\n"
		"	movdqu	%c[xmm]+64(%%esi), %%xmm4\n movdqu %c[xmm]+80(%%esi), %%xmm5\n"
		"	movdqu	%c[xmm]+96(%%esi), %%xmm6\n movdqu %c[xmm]+112(%%esi), %%xmm7\n"
		"2:	testl	%%eax, %%eax\n"
		"	jz	4f\n"
		"	int	$0x80\n"
		"4:	decl	%%ecx\n"
		"	jnz	4b\n"
		"	testl	%%edx, %%edx\n"
		"	jz	5f\n"
		"	vmovdqu	%%ymm0, %c[ymm](%%edi)\n vmovdqu %%ymm1, %c[ymm]+32(%%edi)\n"
		"	vmovdqu	%%ymm2, %c[ymm]+64(%%edi)\n vmovdqu %%ymm3, %c[ymm]+96(%%edi)\n"
		"	vmovdqu	%%ymm4, %c[ymm]+128(%%edi)\n vmovdqu %%ymm5, %c[ymm]+160(%%edi)\n"
		"	vmovdqu	%%ymm6, %c[ymm]+192(%%edi)\n vmovdqu %%ymm7, %c[ymm]+224(%%edi)\n"
		"	vzeroupper\n"
		"	jmp	6f\n"
		"5:	movdqu	%%xmm0, %c[xmm](%%edi)\n movdqu %%xmm1, %c[xmm]+16(%%edi)\n"
		"	movdqu	%%xmm2, %c[xmm]+32(%%edi)\n movdqu %%xmm3, %c[xmm]+48(%%edi)\n"
		"	movdqu	%%xmm4, %c[xmm]+64(%%edi)\n movdqu %%xmm5, %c[xmm]+80(%%edi)\n"
		"	movdqu	%%xmm6, %c[xmm]+96(%%edi)\n movdqu %%xmm7, %c[xmm]+112(%%edi)\n"
		"6:	fnstcw	%c[cw](%%edi)\n"
		"	stmxcsr	%c[mx](%%edi)\n"
		"	fstpt	(%%edi)\n fstpt 10(%%edi)\n fstpt 20(%%edi)\n fstpt 30(%%edi)\n"
		"	fstpt	40(%%edi)\n fstpt 50(%%edi)\n fstpt 60(%%edi)\n fstpt 70(%%edi)\n"
		"	fninit\n"
		"	pushl	$0x1f80\n"
		"	ldmxcsr	(%%esp)\n"
		"	popl	%%eax\n"
		: "+a"((int){ yield ? SYS_sched_yield : 0 }), "+c"(spin)
		: "d"((int)avx), "S"(in), "D"(out), [cw] "i"(offsetof(struct state, cw)),
		  [mx] "i"(offsetof(struct state, mxcsr)), [xmm] "i"(offsetof(struct state, xmm)),
		  [ymm] "i"(offsetof(struct state, ymm))
		: "memory", "cc",
		  "st", "st(1)", "st(2)", "st(3)", "st(4)", "st(5)", "st(6)", "st(7)");
}

static void compare(const struct state *a, const struct state *b, bool avx, const char *over)
{
	for (int i = 0; i < 8; i++) {
		if (memcmp(a->st[i], b->st[i], 10))
			FAIL("ST%d changed over %s", i, over);
		if (avx && memcmp(a->ymm[i], b->ymm[i], 32))
			FAIL("YMM%d changed over %s", i, over);
		if (!avx && memcmp(a->xmm[i], b->xmm[i], 16))
			FAIL("XMM%d changed over %s", i, over);
	}
	if (a->cw != b->cw)
		FAIL("the control word changed over %s", over);
	if (a->mxcsr != (b->mxcsr & ~0x3fu))
		FAIL("MXCSR changed over %s", over);
}

static void keep(uint32_t who, int times, bool avx)
{
	struct state in, out;

	for (int i = 0; i < times; i++) {
		make_state(&in, who + (uint32_t)i * 64);
		hold(&in, &out, i & 1 ? 20000 : 1, true, avx);
		compare(&in, &out, avx, "a yield");
		hold(&in, &out, 40000, false, avx);
		compare(&in, &out, avx, "preemption");
	}
}

static void alone(void)
{
	keep(1, rounds(50), false);
}

static void *keep_thread(void *arg)
{
	keep((uint32_t)(uintptr_t)arg, rounds(60), (uintptr_t)arg & 0x100);
	return NULL;
}

static void many(bool avx)
{
	enum { PROCS = 4, THREADS = 3 };
	pid_t pid[PROCS];

	for (uintptr_t p = 0; p < PROCS; p++) {
		pid[p] = xfork();
		if (pid[p])
			continue;
		pthread_t t[THREADS];

		for (uintptr_t i = 0; i < THREADS; i++)
			CHECK_0(pthread_create(&t[i], NULL, keep_thread,
					       (void *)((p * THREADS + i) | (avx ? 0x100 : 0))));
		for (int i = 0; i < THREADS; i++)
			CHECK_0(pthread_join(t[i], NULL));
		_exit(0);
	}
	for (int p = 0; p < PROCS; p++)
		expect_exit(pid[p], 0);
}

static void sse_many(void)
{
	many(false);
}

static void avx_many(void)
{
	if (!have_avx())
		SKIP("no AVX");
	many(true);
}

/* Tasks with AVX state among tasks without: what one does not use, it must not see. */
static void avx_mixed(void)
{
	pid_t pid[4];

	if (!have_avx())
		SKIP("no AVX");
	for (uint32_t p = 0; p < 4; p++) {
		pid[p] = xfork();
		if (!pid[p]) {
			keep(p, rounds(60), p & 1);
			_exit(0);
		}
	}
	for (int p = 0; p < 4; p++)
		expect_exit(pid[p], 0);
}

/* fork hands the registers on. */
static void over_fork(void)
{
	static const uint32_t want[4] = { 0xdead0001, 0xdead0002, 0xdead0003, 0xdead0004 };
	uint32_t got[4], cw = 0;
	long pid;

	for (int i = 0; i < rounds(20); i++) {
		__asm__ volatile("movdqu %[w], %%xmm5; fninit; pushl $0xf7f; fldcw (%%esp);"
				 "addl $4, %%esp; int $0x80; movdqu %%xmm5, %[g]; fnstcw %[cw]; fninit"
				 : "=a"(pid), [g] "=m"(got), [cw] "+m"(cw)
				 : "0"(SYS_fork), [w] "m"(want) : "memory", "cc");
		if (memcmp(got, want, 16) || (uint16_t)cw != 0xf7f)
			FAIL("%s lost its registers", pid ? "the parent" : "the child");
		if (!pid)
			_exit(0);
		expect_exit((pid_t)pid, 0);
	}
}

/* Handlers that use the unit themselves, at any moment. */
static volatile int ticks;

static void on_tick(int sig, siginfo_t *si, void *uc)
{
	uint16_t cw;
	uint32_t mxcsr;

	(void)sig;
	(void)si;
	(void)uc;
	/* A handler starts with a clean unit. */
	__asm__ volatile("fnstcw %0; stmxcsr %1" : "=m"(cw), "=m"(mxcsr));
	CHECK_EQ(cw, 0x37f);
	CHECK_EQ(mxcsr, 0x1f80);
	__asm__ volatile("fninit; fldz; fldz; fldz; fldz; fldz; fldz; fldz; fldz;"
			 "pxor %%xmm0, %%xmm0; pxor %%xmm1, %%xmm1; pxor %%xmm2, %%xmm2;"
			 "pxor %%xmm3, %%xmm3; pxor %%xmm4, %%xmm4; pxor %%xmm5, %%xmm5;"
			 "pxor %%xmm6, %%xmm6; pxor %%xmm7, %%xmm7; fninit"
			 : : : "memory");
	ticks++;
}

static void over_signals_with(bool avx)
{
	struct timespec quick = { .tv_nsec = 700000 };
	struct state in, out;
	timer_t timer;

	catch_signal(SIGALRM, on_tick, 0);
	CHECK_SYS(timer_create(CLOCK_MONOTONIC, NULL, &timer));
	CHECK_SYS(timer_settime(timer, 0, &(struct itimerspec){ quick, quick }, NULL));
	for (uint32_t i = 0; ticks < rounds(100); i++) {
		make_state(&in, i);
		hold(&in, &out, 100000, false, avx);
		compare(&in, &out, avx, "signals");
	}
}

static void over_signals(void)
{
	over_signals_with(false);
}

static void avx_over_signals(void)
{
	if (!have_avx())
		SKIP("no AVX");
	over_signals_with(true);
}

/*
 * The frame's copy. On i386 it has two parts: the old FSAVE image, then, when `magic` is 0, an
 * FXSAVE image at offset 112; with XSAVE, the extended area behind that, announced by a magic
 * number in its last bytes.
 */
#define FXSAVE_AT	112
#define XMM_AT		(FXSAVE_AT + 160)
#define MXCSR_AT	(FXSAVE_AT + 24)
#define SW_RESERVED_AT	(FXSAVE_AT + 464)
#define XSTATE_MAGIC	0x46505853u

static volatile int frames;
static uint32_t seen_xmm[8][4], seen_mxcsr, seen_cw;
static uint8_t seen_st0[10];
static bool has_xstate;
static uint32_t ymm_at;
static uint32_t seen_ymm_high[4];

static void on_frame(int sig, siginfo_t *si, void *context)
{
	ucontext_t *uc = context;
	char *fp = (char *)uc->uc_mcontext.fpregs;
	struct _libc_fpstate *old = uc->uc_mcontext.fpregs;
	uint32_t v;

	(void)sig;
	(void)si;
	CHECK(fp);
	CHECK_EQ(old->status >> 16, 0);
	memcpy(seen_xmm, fp + XMM_AT, sizeof(seen_xmm));
	memcpy(&seen_mxcsr, fp + MXCSR_AT, 4);
	seen_cw = (uint32_t)old->cw & 0xffff;
	memcpy(seen_st0, &old->_st[0], 10);
	memcpy(&v, fp + SW_RESERVED_AT, 4);
	has_xstate = v == XSTATE_MAGIC;
	if (has_xstate && ymm_at) {
		uint32_t add = 0x01010101;

		memcpy(seen_ymm_high, fp + FXSAVE_AT + ymm_at + 3 * 16, 16);
		for (int i = 0; i < 4; i++) {
			v = seen_ymm_high[i] + add;
			memcpy(fp + FXSAVE_AT + ymm_at + 3 * 16 + i * 4, &v, 4);
		}
	}
	/* Changed for the return: every XMM register, MXCSR's rounding, ST0's significand. */
	for (int i = 0; i < 8; i++) {
		for (int k = 0; k < 4; k++) {
			v = seen_xmm[i][k] ^ 0xffffffff;
			memcpy(fp + XMM_AT + i * 16 + k * 4, &v, 4);
		}
	}
	v = 0x7f80;
	memcpy(fp + MXCSR_AT, &v, 4);
	old->_st[0].significand[0] ^= 0xff;
	old->cw = (old->cw & 0xffff0000) | 0xb7f;
	uc->uc_mcontext.gregs[REG_EIP] += 2;
	frames++;
}

static void frame_both_ways(void)
{
	static uint32_t in[8][4], out[8][4];
	static uint8_t st_in[10] = { 1, 2, 3, 4, 5, 6, 7, 0x88, 0xff, 0x3f }, st_out[10];
	uint32_t mxcsr_in = 0x3f80, mxcsr_out;
	uint16_t cw_in = 0x77f, cw_out;

	catch_signal(SIGILL, on_frame, 0);
	for (uint32_t round = 0; round < (uint32_t)rounds(100); round++) {
		for (uint32_t i = 0; i < 32; i++)
			in[i / 4][i % 4] = round << 16 | i;
		__asm__ volatile("fninit; fldcw %[cw]; fldt %[st]; ldmxcsr %[mx];"
				 "movdqu (%[in]), %%xmm0; movdqu 16(%[in]), %%xmm1;"
				 "movdqu 32(%[in]), %%xmm2; movdqu 48(%[in]), %%xmm3;"
				 "movdqu 64(%[in]), %%xmm4; movdqu 80(%[in]), %%xmm5;"
				 "movdqu 96(%[in]), %%xmm6; movdqu 112(%[in]), %%xmm7;"
				 "ud2;"
				 "movdqu %%xmm0, (%[out]); movdqu %%xmm1, 16(%[out]);"
				 "movdqu %%xmm2, 32(%[out]); movdqu %%xmm3, 48(%[out]);"
				 "movdqu %%xmm4, 64(%[out]); movdqu %%xmm5, 80(%[out]);"
				 "movdqu %%xmm6, 96(%[out]); movdqu %%xmm7, 112(%[out]);"
				 "stmxcsr %[mxo]; fnstcw %[cwo]; fstpt %[sto]; fninit;"
				 "pushl $0x1f80; ldmxcsr (%%esp); popl %%eax"
				 : [mxo] "=m"(mxcsr_out), [cwo] "=m"(cw_out), [sto] "=m"(st_out)
				 : [in] "r"(in), [out] "r"(out), [mx] "m"(mxcsr_in), [cw] "m"(cw_in),
				   [st] "m"(st_in)
				 : "eax", "memory", "cc");
		CHECK(!memcmp(seen_xmm, in, sizeof(in)));
		CHECK_EQ(seen_mxcsr, 0x3f80);
		CHECK_EQ(seen_cw, 0x77f);
		CHECK(!memcmp(seen_st0, st_in, 10));
		for (int i = 0; i < 32; i++)
			CHECK_EQ(out[i / 4][i % 4], ~in[i / 4][i % 4]);
		CHECK_EQ(mxcsr_out, 0x7f80);
		CHECK_EQ(cw_out, 0xb7f);
		CHECK_EQ(st_out[0], 1 ^ 0xff);
		CHECK(!memcmp(st_out + 1, st_in + 1, 9));
	}
	CHECK_EQ(frames, rounds(100));
}

static void avx_frame(void)
{
	static const uint32_t in[8] = { 1, 2, 3, 4, 0x50, 0x60, 0x70, 0x80 };
	uint32_t out[8], leaf[4];

	if (!have_avx())
		SKIP("no AVX");
	cpuid(0xd, 2, leaf);
	ymm_at = leaf[1];
	CHECK_EQ(leaf[0], 256);
	catch_signal(SIGILL, on_frame, 0);
	for (int round = 0; round < rounds(50); round++) {
		__asm__ volatile("vmovdqu %1, %%ymm3; ud2; vmovdqu %%ymm3, %0; vzeroupper"
				 : "=m"(out) : "m"(in) : "memory");
		CHECK(has_xstate);
		CHECK(!memcmp(seen_ymm_high, in + 4, 16));
		for (int i = 0; i < 4; i++)
			CHECK_EQ(out[i], ~in[i]);
		for (int i = 4; i < 8; i++)
			CHECK_EQ(out[i], in[i] + 0x01010101);
	}
	__asm__ volatile("pushl $0x1f80; ldmxcsr (%%esp); popl %%eax; fninit" : : : "eax", "memory");
}

/* A pointer to no state in the frame: the unit is as new afterwards. */
static void on_drop(int sig, siginfo_t *si, void *context)
{
	ucontext_t *uc = context;

	(void)sig;
	(void)si;
	uc->uc_mcontext.fpregs = NULL;
	uc->uc_mcontext.gregs[REG_EIP] += 2;
}

static void frame_dropped(void)
{
	uint16_t cw = 0xf7f, got;
	uint32_t mxcsr = 0x7f80, mxgot, xmm[4] = { 1, 2, 3, 4 }, xgot[4];

	catch_signal(SIGILL, on_drop, 0);
	__asm__ volatile("fldcw %3; ldmxcsr %4; movdqu %5, %%xmm1; ud2; fnstcw %0; stmxcsr %1;"
			 "movdqu %%xmm1, %2"
			 : "=m"(got), "=m"(mxgot), "=m"(xgot) : "m"(cw), "m"(mxcsr), "m"(xmm)
			 : "memory");
	CHECK_EQ(got, 0x37f);
	CHECK_EQ(mxgot, 0x1f80);
	CHECK_EQ(xgot[0] | xgot[1] | xgot[2] | xgot[3], 0);
}

/* A frame with reserved MXCSR bits set cannot be restored as it is. */
static void on_bad_mxcsr(int sig, siginfo_t *si, void *context)
{
	ucontext_t *uc = context;
	uint32_t bad = 0xffffffff;

	(void)sig;
	(void)si;
	memcpy((char *)uc->uc_mcontext.fpregs + MXCSR_AT, &bad, 4);
	uc->uc_mcontext.gregs[REG_EIP] += 2;
}

static void frame_bad_mxcsr(void)
{
	pid_t pid = xfork();
	int status;

	if (!pid) {
		uint32_t mxcsr;

		catch_signal(SIGILL, on_bad_mxcsr, 0);
		__asm__ volatile("ud2; stmxcsr %0" : "=m"(mxcsr) : : "memory");
		/* Taken with the bad bits masked off; or the process died of SIGSEGV. */
		_exit(mxcsr & 0xffff0000 ? 1 : 0);
	}
	status = wait_status(pid);
	CHECK((WIFEXITED(status) && !WEXITSTATUS(status)) ||
	      (WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV));
}

/* Floating-point work with a known result, in many tasks. */
static double series(int n)
{
	volatile double sum = 0;

	for (int i = 1; i <= n; i++)
		sum += 1.0 / ((double)i * i);
	return sum;
}

static void arithmetic(void)
{
	double want = series(20000);
	pid_t pid[6];

	CHECK(want > 1.6448 && want < 1.6450);
	for (int i = 0; i < 6; i++) {
		pid[i] = xfork();
		if (!pid[i]) {
			for (int k = 0; k < rounds(10); k++)
				CHECK(series(20000) == want);
			_exit(0);
		}
	}
	for (int i = 0; i < 6; i++)
		expect_exit(pid[i], 0);
}

/* MMX registers are the x87's, and kept as those are. */
static void mmx(void)
{
	pid_t pid[4];

	for (uint32_t who = 0; who < 4; who++) {
		pid[who] = xfork();
		if (pid[who])
			continue;
		for (uint32_t i = 0; i < (uint32_t)rounds(200); i++) {
			uint32_t in[2] = { who << 16 | i, ~i }, out[2];

			__asm__ volatile("movq %1, %%mm6; int $0x80; movl $5000, %%ecx;"
					 "1: decl %%ecx; jnz 1b; movq %%mm6, %0; emms"
					 : "=m"(out) : "m"(in), "a"(SYS_sched_yield)
					 : "ecx", "cc", "memory");
			CHECK(!memcmp(in, out, 8));
		}
		_exit(0);
	}
	for (int i = 0; i < 4; i++)
		expect_exit(pid[i], 0);
}

const struct test fpu_tests[] = {
	{ "fpu-alone", alone, 0 },
	{ "fpu-sse-many", sse_many, 0 },
	{ "fpu-avx-many", avx_many, 0 },
	{ "fpu-avx-mixed", avx_mixed, 0 },
	{ "fpu-over-fork", over_fork, 0 },
	{ "fpu-over-signals", over_signals, 0 },
	{ "fpu-avx-over-signals", avx_over_signals, 0 },
	{ "fpu-frame", frame_both_ways, 0 },
	{ "fpu-avx-frame", avx_frame, 0 },
	{ "fpu-frame-dropped", frame_dropped, 0 },
	{ "fpu-frame-bad-mxcsr", frame_bad_mxcsr, 0 },
	{ "fpu-arithmetic", arithmetic, 0 },
	{ "fpu-mmx", mmx, 0 },
	{ NULL, NULL, 0 },
};
