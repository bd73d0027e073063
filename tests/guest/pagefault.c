// SPDX-License-Identifier: GPL-2.0
/*
 * Page faults the kernel hands to the process: the address to the byte, whether anything was
 * mapped there, and the error code, for every kind of access; and SIGBUS behind a file's end.
 *
 * The instruction-fetch bit of the error code is masked: an i386 kernel without PAE has no NX,
 * and the bit with it.
 */
#include "conform.h"

#include <sched.h>
#include <sys/resource.h>

#define PF_PRESENT	1
#define PF_WRITE	2
#define PF_USER		4
#define PF_FETCH	0x10u

static struct pad pad;
static unsigned char *read8, *read32, *write32, *rmw32, *movsb, *stosb, *pushes, *jump, *call_low;
static unsigned char *popm, *movdqu;

/* EBX is the address; ESI, EDI, ECX for strings. */
static void make_pad(void)
{
	pad_new(&pad, 16);
#define ADD(...) pad_add(&pad, (unsigned char[]){ __VA_ARGS__ }, \
			 sizeof((unsigned char[]){ __VA_ARGS__ }))
	read8 = ADD(0x8a, 0x03);
	read32 = ADD(0x8b, 0x03);
	write32 = ADD(0x89, 0x03);
	rmw32 = ADD(0x01, 0x03);
	movsb = ADD(0xf3, 0xa4);
	stosb = ADD(0xf3, 0xaa);
	pushes = ADD(0x89, 0xdc, 0x50);		/* mov %ebx,%esp; push %eax */
	call_low = ADD(0x89, 0xdc, 0xe8, 0, 0, 0, 0);
	jump = ADD(0xff, 0xe3);
	popm = ADD(0x50, 0x8f, 0x03);		/* push %eax; pop (%ebx) */
	movdqu = ADD(0xf3, 0x0f, 0x6f, 0x03);
	pad_seal(&pad);
}

static void want(const char *what, const unsigned char *code, struct regs r, int sig, int si_code,
		 uintptr_t addr, uint32_t err, uintptr_t eip)
{
	struct fault f;

	r.eflags |= FL_BASE;
	if (!fault_call(&f, &r, code))
		FAIL("%s: no fault", what);
	if (f.sig != sig || f.code != si_code)
		FAIL("%s: signal %d code %d, want %d code %d", what, f.sig, f.code, sig, si_code);
	if (f.addr != addr || f.cr2 != addr)
		FAIL("%s: si_addr off by %ld, CR2 by %ld", what, (long)(f.addr - addr),
		     (long)(f.cr2 - addr));
	if (f.trapno != 14 || (f.err & ~PF_FETCH) != err)
		FAIL("%s: trap %d error 0x%x, want 14 error 0x%x", what, f.trapno, f.err, err);
	if (f.eip != eip)
		FAIL("%s: EIP off by %ld", what, (long)(f.eip - eip));
}

static void unmapped(void)
{
	char *p = xmmap(4 * PAGE, PROT_READ | PROT_WRITE);

	make_pad();
	CHECK_SYS(munmap(p + PAGE, 2 * PAGE));
	for (uintptr_t off = 0; off < PAGE; off += 509) {
		uintptr_t a = (uintptr_t)p + PAGE + off;

		want("byte read", read8, (struct regs){ .ebx = a }, SIGSEGV, SEGV_MAPERR, a, PF_USER,
		     (uintptr_t)read8);
		want("read", read32, (struct regs){ .ebx = a }, SIGSEGV, SEGV_MAPERR, a, PF_USER,
		     (uintptr_t)read32);
		want("write", write32, (struct regs){ .ebx = a }, SIGSEGV, SEGV_MAPERR, a,
		     PF_USER | PF_WRITE, (uintptr_t)write32);
		want("pop to memory", popm, (struct regs){ .ebx = a }, SIGSEGV, SEGV_MAPERR, a,
		     PF_USER | PF_WRITE, (uintptr_t)popm + 1);
		want("16-byte read", movdqu, (struct regs){ .ebx = a }, SIGSEGV, SEGV_MAPERR, a,
		     PF_USER, (uintptr_t)movdqu);
		want("jump", jump, (struct regs){ .ebx = a }, SIGSEGV, SEGV_MAPERR, a, PF_USER, a);
	}
	for (uintptr_t a = 0; a < 64; a += 13)
		want("null read", read8, (struct regs){ .ebx = a }, SIGSEGV, SEGV_MAPERR, a, PF_USER,
		     (uintptr_t)read8);
	want("null call", jump, (struct regs){ .ebx = 0 }, SIGSEGV, SEGV_MAPERR, 0, PF_USER, 0);
}

static void stack_pointer(void)
{
	char *p = xmmap(4 * PAGE, PROT_READ | PROT_WRITE);
	uintptr_t top = (uintptr_t)p + 2 * PAGE;

	make_pad();
	CHECK_SYS(munmap(p + PAGE, PAGE));
	want("push", pushes, (struct regs){ .ebx = top }, SIGSEGV, SEGV_MAPERR, top - 4,
	     PF_USER | PF_WRITE, (uintptr_t)pushes + 2);
	want("call", call_low, (struct regs){ .ebx = top }, SIGSEGV, SEGV_MAPERR, top - 4,
	     PF_USER | PF_WRITE, (uintptr_t)call_low + 2);
	want("push near zero", pushes, (struct regs){ .ebx = 8 }, SIGSEGV, SEGV_MAPERR, 4,
	     PF_USER | PF_WRITE, (uintptr_t)pushes + 2);
}

/* Accesses that begin in a good page and end in a bad one: the address is the bad page's. */
static void straddle(void)
{
	char *p = xmmap(3 * PAGE, PROT_READ | PROT_WRITE);
	uintptr_t bad = (uintptr_t)p + PAGE;

	make_pad();
	memset(p, 0, PAGE);
	CHECK_SYS(munmap(p + PAGE, 2 * PAGE));
	for (uintptr_t k = 1; k < 4; k++) {
		want("read over the edge", read32, (struct regs){ .ebx = bad - k }, SIGSEGV,
		     SEGV_MAPERR, bad, PF_USER, (uintptr_t)read32);
		want("write over the edge", write32, (struct regs){ .ebx = bad - k, .eax = ~0u },
		     SIGSEGV, SEGV_MAPERR, bad, PF_USER | PF_WRITE, (uintptr_t)write32);
		/* All or nothing. */
		CHECK_EQ(p[PAGE - k], 0);
	}
	want("16-byte read over the edge", movdqu, (struct regs){ .ebx = bad - 7 }, SIGSEGV,
	     SEGV_MAPERR, bad, PF_USER, (uintptr_t)movdqu);
	/* And one that begins in a bad page. */
	CHECK(mmap(p + PAGE, 2 * PAGE, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) != MAP_FAILED);
	p[PAGE] = 1;
	CHECK_SYS(munmap(p, PAGE));
	want("read from a bad page", read32, (struct regs){ .ebx = bad - 2 }, SIGSEGV, SEGV_MAPERR,
	     bad - 2, PF_USER, (uintptr_t)read32);
}

/* The first byte of an instruction is there, the rest is not. */
static void straddle_fetch(void)
{
	unsigned char *p = xmmap(2 * PAGE, PROT_READ | PROT_WRITE | PROT_EXEC);
	uintptr_t bad = (uintptr_t)p + PAGE;

	make_pad();
	memset(p, 0x90, PAGE);
	p[PAGE - 2] = 0xb8;	/* mov $imm32,%eax */
	CHECK_SYS(munmap(p + PAGE, PAGE));
	want("fetch over the edge", p + PAGE - 2, (struct regs){ .ebx = 0 }, SIGSEGV, SEGV_MAPERR,
	     bad, PF_USER, bad - 2);
	/* Run up to the edge and off it. */
	p[PAGE - 2] = 0x90;
	want("run off the edge", p + PAGE - 64, (struct regs){ .ebx = 0 }, SIGSEGV, SEGV_MAPERR, bad,
	     PF_USER, bad);
}

static void strings(void)
{
	char *src = xmmap(2 * PAGE, PROT_READ | PROT_WRITE);
	char *low = xmmap(3 * PAGE, PROT_READ | PROT_WRITE), *dst = low + PAGE;
	struct regs r;
	struct fault f;

	make_pad();
	memset(src, 7, 2 * PAGE);
	memset(dst, 0, 2 * PAGE);
	CHECK_SYS(munmap(dst + PAGE, PAGE));
	/* The registers tell how far it came. */
	r = (struct regs){
		.esi = (uintptr_t)src, .edi = (uintptr_t)dst + PAGE - 100, .ecx = 300,
		.eflags = FL_BASE,
	};
	CHECK(fault_call(&f, &r, movsb));
	CHECK_EQ(f.addr, (uintptr_t)dst + PAGE);
	CHECK_EQ(f.err, PF_USER | PF_WRITE);
	CHECK_EQ(f.eip, (uintptr_t)movsb);
	CHECK_EQ(f.r.ecx, 200);
	CHECK_EQ(f.r.esi, (uintptr_t)src + 100);
	CHECK_EQ(f.r.edi, (uintptr_t)dst + PAGE);
	for (int i = 0; i < 100; i++)
		CHECK_EQ(dst[PAGE - 100 + i], 7);
	CHECK_EQ(dst[PAGE - 101], 0);

	CHECK_SYS(munmap(src + PAGE, PAGE));
	r = (struct regs){
		.esi = (uintptr_t)src + PAGE - 5, .edi = (uintptr_t)dst, .ecx = 50,
		.eflags = FL_BASE,
	};
	CHECK(fault_call(&f, &r, movsb));
	CHECK_EQ(f.addr, (uintptr_t)src + PAGE);
	CHECK_EQ(f.err, PF_USER);
	CHECK_EQ(f.r.ecx, 45);

	/* Downward. */
	r = (struct regs){
		.edi = (uintptr_t)dst + 10, .ecx = 100, .eax = 3, .eflags = FL_BASE | FL_DF,
	};
	CHECK_SYS(mprotect(low, PAGE, PROT_NONE));
	CHECK(fault_call(&f, &r, stosb));
	CHECK_EQ(f.addr, (uintptr_t)dst - 1);
	CHECK_EQ(f.r.ecx, 89);
	CHECK(f.r.eflags & FL_DF);
}

static void protections(void)
{
	char *ro = xmmap(PAGE, PROT_READ | PROT_WRITE);
	char *none = xmmap(PAGE, PROT_READ | PROT_WRITE);
	char *fresh = xmmap(PAGE, PROT_NONE);

	make_pad();
	ro[0] = none[0] = 1;
	CHECK_SYS(mprotect(ro, PAGE, PROT_READ));
	CHECK_SYS(mprotect(none, PAGE, PROT_NONE));
	for (uintptr_t off = 0; off < PAGE - 3; off += 1021) {
		uintptr_t a = (uintptr_t)ro + off;

		CHECK_EQ(*(volatile char *)a, off ? 0 : 1);
		want("write to read-only", write32, (struct regs){ .ebx = a }, SIGSEGV, SEGV_ACCERR,
		     a, PF_USER | PF_WRITE | PF_PRESENT, (uintptr_t)write32);
		want("add to read-only", rmw32, (struct regs){ .ebx = a }, SIGSEGV, SEGV_ACCERR, a,
		     PF_USER | PF_WRITE | PF_PRESENT, (uintptr_t)rmw32);
		/* PROT_NONE is an entry that is not present. */
		a = (uintptr_t)none + off;
		want("read of PROT_NONE", read32, (struct regs){ .ebx = a }, SIGSEGV, SEGV_ACCERR, a,
		     PF_USER, (uintptr_t)read32);
		want("write to PROT_NONE", write32, (struct regs){ .ebx = a }, SIGSEGV, SEGV_ACCERR,
		     a, PF_USER | PF_WRITE, (uintptr_t)write32);
		want("jump to PROT_NONE", jump, (struct regs){ .ebx = a }, SIGSEGV, SEGV_ACCERR, a,
		     PF_USER, a);
		a = (uintptr_t)fresh + off;
		want("read of fresh PROT_NONE", read32, (struct regs){ .ebx = a }, SIGSEGV,
		     SEGV_ACCERR, a, PF_USER, (uintptr_t)read32);
	}
	/* The code of the program and its constants. */
	uintptr_t text = (uintptr_t)code_ret;

	CHECK_EQ(*(volatile unsigned char *)text, 0xc3);
	want("write to the text", write32, (struct regs){ .ebx = text }, SIGSEGV, SEGV_ACCERR, text,
	     PF_USER | PF_WRITE | PF_PRESENT, (uintptr_t)write32);
}

/* Read-only again after it was writable, back and forth. */
static void protection_toggle(void)
{
	char *p = xmmap(PAGE, PROT_READ | PROT_WRITE);
	uintptr_t a = (uintptr_t)p + 16;

	make_pad();
	for (int i = 0; i < rounds(50); i++) {
		CHECK_SYS(mprotect(p, PAGE, PROT_READ | PROT_WRITE));
		p[16] = (char)i;
		CHECK_SYS(mprotect(p, PAGE, PROT_READ));
		want("write after mprotect", write32, (struct regs){ .ebx = a }, SIGSEGV, SEGV_ACCERR,
		     a, PF_USER | PF_WRITE | PF_PRESENT, (uintptr_t)write32);
		CHECK_EQ(p[16], (char)i);
	}
}

/* The zero page, read before the first write: the write is no error. */
static void zero_then_write(void)
{
	volatile char *p = xmmap(64 * PAGE, PROT_READ | PROT_WRITE);

	for (int i = 0; i < 64; i++)
		CHECK_EQ(p[i * PAGE], 0);
	for (int i = 0; i < 64; i++)
		p[i * PAGE + 1] = 1;
	for (int i = 0; i < 64; i++)
		CHECK_EQ(p[i * PAGE], 0);
}

static void bus_beyond_eof(void)
{
	int fd = temp_file(PAGE + 100);
	char *p = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	uintptr_t a;

	CHECK(p != MAP_FAILED);
	make_pad();
	/* The rest of the last page reads zero. */
	CHECK_EQ(p[2 * PAGE - 1], 0);
	for (uintptr_t off = 0; off < PAGE; off += 1023) {
		a = (uintptr_t)p + 2 * PAGE + off;
		want("read beyond the end", read8, (struct regs){ .ebx = a }, SIGBUS, BUS_ADRERR, a,
		     PF_USER, (uintptr_t)read8);
		want("write beyond the end", write32, (struct regs){ .ebx = a & ~3u }, SIGBUS,
		     BUS_ADRERR, a & ~3u, PF_USER | PF_WRITE, (uintptr_t)write32);
	}
	/* Grown: good. Cut: bad again. */
	CHECK_SYS(ftruncate(fd, 4 * PAGE));
	p[2 * PAGE] = 5;
	CHECK_SYS(ftruncate(fd, PAGE));
	a = (uintptr_t)p + 2 * PAGE;
	want("read after truncate", read8, (struct regs){ .ebx = a }, SIGBUS, BUS_ADRERR, a, PF_USER,
	     (uintptr_t)read8);
	CHECK_SYS(ftruncate(fd, 4 * PAGE));
	CHECK_EQ(p[2 * PAGE], 0);
}

static void bus_private(void)
{
	int fd = temp_file(10);
	char *p = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	uintptr_t a = (uintptr_t)p + PAGE + 8;

	CHECK(p != MAP_FAILED);
	make_pad();
	p[0] = 1;
	want("private read beyond the end", read8, (struct regs){ .ebx = a }, SIGBUS, BUS_ADRERR, a,
	     PF_USER, (uintptr_t)read8);
}

/* The stack grows by itself down to its limit, and the handler on another stack hears the end. */
static int recurse(volatile char *above, int depth)
{
	volatile char frame[2048];

	frame[0] = above[0];
	frame[sizeof(frame) - 1] = (char)depth;
	return depth ? recurse(frame, depth - 1) + frame[0] : frame[0];
}

static volatile uintptr_t overflow_addr;

static void on_overflow(int sig, siginfo_t *si, void *uc)
{
	const ucontext_t *c = uc;
	uintptr_t esp = (uintptr_t)c->uc_mcontext.gregs[REG_ESP];

	CHECK_EQ(sig, SIGSEGV);
	overflow_addr = (uintptr_t)si->si_addr;
	/* The bad address is near the stack pointer. */
	CHECK(overflow_addr + 65536 > esp && overflow_addr < esp + 65536);
	_exit(55);
}

static void stack_grows(void)
{
	volatile char first = 1;

	CHECK_EQ(recurse(&first, 1000), 1001);
}

static void stack_overflow(void)
{
	pid_t pid = xfork();

	if (!pid) {
		static char alt[65536];
		stack_t ss = { .ss_sp = alt, .ss_size = sizeof(alt) };
		struct rlimit rl = { 1 << 20, 1 << 20 };
		volatile char first = 1;

		CHECK_SYS(setrlimit(RLIMIT_STACK, &rl));
		CHECK_SYS(sigaltstack(&ss, NULL));
		catch_signal(SIGSEGV, on_overflow, SA_ONSTACK);
		_exit(recurse(&first, 100000) & 1);
	}
	expect_exit(pid, 55);
	/* With no other stack there is nowhere to put the frame: death. */
	pid = xfork();
	if (!pid) {
		struct rlimit rl = { 1 << 20, 1 << 20 };
		volatile char first = 1;

		CHECK_SYS(setrlimit(RLIMIT_STACK, &rl));
		catch_signal(SIGSEGV, on_overflow, 0);
		_exit(recurse(&first, 100000) & 1);
	}
	expect_signal(pid, SIGSEGV);
}

/* A handler that repairs the mapping: the access is done again and succeeds. */
static char *repair_base;
static volatile int repairs;

static void on_repair(int sig, siginfo_t *si, void *uc)
{
	char *page = (char *)((uintptr_t)si->si_addr & ~(PAGE - 1));

	(void)sig;
	(void)uc;
	CHECK(page >= repair_base && page < repair_base + 64 * PAGE);
	CHECK_SYS(mprotect(page, PAGE, PROT_READ | PROT_WRITE));
	repairs++;
}

static void repair(void)
{
	uint32_t seed = 42;

	repair_base = xmmap(64 * PAGE, PROT_NONE);
	catch_signal(SIGSEGV, on_repair, 0);
	for (int i = 0; i < rounds(500); i++) {
		unsigned int at = prng(&seed) % (64 * PAGE - 4);
		volatile uint32_t *w = (volatile uint32_t *)(repair_base + (at & ~3u));

		if (prng(&seed) % 4 == 0)
			CHECK_SYS(mprotect(repair_base + (at & ~(PAGE - 1)), PAGE, PROT_NONE));
		*w = at;
		CHECK_EQ(*w, at);
	}
	CHECK(repairs > 0);
}

/* A straddling access whose two pages are each repaired in turn. */
static void repair_straddle(void)
{
	repair_base = xmmap(64 * PAGE, PROT_READ | PROT_WRITE);
	catch_signal(SIGSEGV, on_repair, 0);
	for (int i = 0; i < rounds(50); i++) {
		uint32_t v = 0x01020304u * (uint32_t)(i + 1), got;
		void *at = repair_base + PAGE * (i % 60 + 1) - 1 - i % 3;

		CHECK_SYS(mprotect(repair_base, 64 * PAGE, PROT_NONE));
		repairs = 0;
		__asm__ volatile("movl %1, (%0)" : : "r"(at), "r"(v) : "memory");
		CHECK_EQ(repairs, 2);
		CHECK_SYS(mprotect(repair_base, 64 * PAGE, PROT_NONE));
		__asm__ volatile("movl (%1), %0" : "=r"(got) : "r"(at) : "memory");
		CHECK_EQ(repairs, 4);
		CHECK_EQ(got, v);
	}
}

const struct test pagefault_tests[] = {
	{ "pagefault-unmapped", unmapped, 0 },
	{ "pagefault-stack-pointer", stack_pointer, 0 },
	{ "pagefault-straddle", straddle, 0 },
	{ "pagefault-straddle-fetch", straddle_fetch, 0 },
	{ "pagefault-strings", strings, 0 },
	{ "pagefault-protections", protections, 0 },
	{ "pagefault-toggle", protection_toggle, 0 },
	{ "pagefault-zero-then-write", zero_then_write, 0 },
	{ "pagefault-bus-beyond-eof", bus_beyond_eof, 0 },
	{ "pagefault-bus-private", bus_private, 0 },
	{ "pagefault-stack-grows", stack_grows, 0 },
	{ "pagefault-stack-overflow", stack_overflow, 0 },
	{ "pagefault-repair", repair, 0 },
	{ "pagefault-repair-straddle", repair_straddle, 0 },
	{ NULL, NULL, 0 },
};
