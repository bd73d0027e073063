// SPDX-License-Identifier: GPL-2.0
/*
 * Signal frames that no signal made: for the host's rt_sigreturn, for the monitor's handler, which
 * is code like any other to who jumps there, and for the guest's own sigreturn. And rseq, by which
 * a kernel moves an instruction pointer.
 */
#include "attack.h"

#include <linux/rseq.h>

#define ALT_FROM	SPACE_STACK_TOP
#define HANDLER_FROM	0x180u		/* somewhere in there it begins */
#define HANDLER_TO	0x340u

/* struct ucontext of a 64-bit process, and where in it things are, in words of 8 bytes. */
enum {
	UC_FLAGS, UC_LINK, UC_STACK, UC_R8 = 5, UC_RDI = 13, UC_RSI, UC_RBP, UC_RBX, UC_RDX, UC_RAX,
	UC_RCX, UC_RSP, UC_RIP, UC_EFLAGS, UC_SEGMENTS, UC_ERR, UC_TRAPNO, UC_OLDMASK, UC_CR2,
	UC_FPSTATE, UC_WORDS = 40,
};

#define FRAME_WORDS	(UC_WORDS + 16)	/* with the siginfo behind it */

static uint64_t forged[FRAME_WORDS + 512] __attribute__((aligned(4096)));

static uint64_t place(struct dice *d)
{
	static const uint64_t some[] = {
		MONITOR_BASE, MONITOR_BASE + 0x70, MONITOR_BASE + 0x100, MONITOR_BASE + 0x1b0,
		MONITOR_BASE + 0x210, STATE_BASE, SPACE_BASE, SPACE_STACK_TOP, RAM_BASE,
		PLEX86_GATES + 0x200, PLEX86_GATES + 0x280, GATE_KERNEL, GATE_USER, 0xc1000000,
		0x8000000000000000ull, 0,
	};

	switch (roll(d) % 4) {
	case 0:
		return ONE_OF(d, some) + roll(d) % 256;
	case 1:
		return landing;
	case 2:
		return (uintptr_t)forged + roll(d) % sizeof(forged);
	default:
		return (uint64_t)roll(d) << 32 | roll(d);
	}
}

static void forge(struct dice *d)
{
	static const uint32_t traps[] = { 0, 1, 3, 4, 5, 6, 7, 8, 11, 12, 13, 14, 16, 17, 19, 20, 99 };
	static const uint32_t segments[] = { HOST_CS32, HOST_CS64, 0x10, 0, 0xffff };
	uint32_t *si = (uint32_t *)(forged + UC_WORDS - 2);

	for (int i = 0; i < UC_WORDS; i++)
		forged[i] = place(d);
	forged[UC_RSP] = roll(d) & 1 ? (uintptr_t)try_stack_top : place(d);
	forged[UC_EFLAGS] = roll(d);
	forged[UC_SEGMENTS] = ONE_OF(d, segments) | (uint64_t)HOST_DS << 48;
	forged[UC_TRAPNO] = ONE_OF(d, traps);
	forged[UC_ERR] = roll(d) % 16;
	forged[UC_CR2] = roll(d) & 1 ? PLEX86_INFO_STI + 1 : place(d);
	forged[UC_FPSTATE] = roll(d) & 1 ? (uintptr_t)(forged + FRAME_WORDS) / 64 * 64 + 64 : place(d);
	for (int i = 0; i < 32; i++)
		si[i] = roll(d);
	si[0] = ONE_OF(d, ((const uint32_t[]){ 4, 5, 7, 8, 10, 11, 31 }));
	si[2] = roll(d) & 1 ? 1 : roll(d);
	for (int i = 0; i < 512; i++)
		forged[FRAME_WORDS + i] = roll(d) % 4 ? 0 : roll(d);
}

static void handler(uint32_t i)
{
	static const uint32_t numbers[] = { 4, 5, 7, 8, 10, 11, 31, 0, 64 };
	struct registers in;
	struct outcome o;
	struct dice d;
	uint64_t at = (uintptr_t)forged;

	dice_init(&d, 0x6000000 + i);
	registers_init(&in, true);
	forge(&d);
	if (roll(&d) % 2) {
		at = ALT_FROM + roll(&d) % (ALT_STACK_BYTES / 16) * 16;
		/* A trap of the copy's own would come over it; near the start it does not reach. */
		if (roll(&d) & 1)
			at = ALT_FROM + roll(&d) % 64 * 16;
		/* Where the monitor expects frames; it need not be writable. */
		copy_wide(at, (uintptr_t)forged, FRAME_WORDS * 8);
	}
	in.r[DI] = ONE_OF(&d, numbers);
	in.r[SI] = at + (UC_WORDS - 2) * 8;
	in.r[DX] = at;
	in.r[8] = roll(&d) & 3 ? at : place(&d);
	in.r[AX] = roll(&d) & 1 ? 0 : SPACE_BASE;
	if (roll(&d) & 1)
		in.r[SP] = at - 8;
	in.ip = MONITOR_BASE + HANDLER_FROM + i % (HANDLER_TO - HANDLER_FROM);
	try_note("a forged frame at 0x%llx for 0x%llx, seed %llu, number %u", (unsigned long long)at,
		 (unsigned long long)in.ip, (unsigned long long)seed, i);
	try_it(&o, &in);
}

static void for_handler(void)
{
	need_keys();
	sweep(handler, (uint32_t)rounds(6000));
	still_kept_out();
}

/* rt_sigreturn of the host, by each way of making a system call, to a frame on the stack. */
static void for_host(void)
{
	static const unsigned char ways[][2] = { { 0x0f, 0x05 }, { 0xcd, 0x80 }, { 0x0f, 0x34 } };
	static const uint32_t numbers[] = { 15, 173, 119, 0x40000201 };
	unsigned char *p = xmmap(PAGE, PROT_READ | PROT_WRITE | PROT_EXEC);
	struct dice d;

	dice_init(&d, 4);
	for (size_t w = 0; w < ARRAY_SIZE(ways); w++)
		for (size_t n = 0; n < ARRAY_SIZE(numbers); n++)
			for (int i = 0; i < rounds(20); i++) {
				struct registers in;
				struct outcome o;

				p[0] = 0xc3;
				memcpy(p + 16, ways[w], 2);
				p[18] = 0xc3;
				((void (*)(void))(uintptr_t)p)();
				registers_init(&in, true);
				forge(&d);
				forged[UC_RIP] = landing;
				forged[UC_SEGMENTS] = HOST_CS64 | (uint64_t)HOST_DS << 48;
				in.r[AX] = numbers[n];
				in.r[SP] = (uintptr_t)forged;
				in.ip = (uintptr_t)p + 16;
				try_note("rt_sigreturn 0x%x by way %zu", numbers[n], w);
				try_it(&o, &in);
				if (o.landed)
					FAIL("the host's rt_sigreturn 0x%x works (way %zu)",
					     numbers[n], w);
			}
	still_kept_out();
}

/* The guest's own: selectors, flags and addresses of a frame are its kernel's to check. */
static void for_guest(uint32_t i)
{
	static const uint32_t selectors[] = {
		0, 3, 0x10, 0x18, 0x23, 0x2b, 0x33, 0x63, 0x6b, 0x73, 0x7b, 0xffff, 0x13, 0x1b, 0x07,
	};
	/* What sigreturn pops: the signal number, then struct sigcontext of 22 words. */
	static uint32_t frame[512] __attribute__((aligned(64)));
	static unsigned char *p;
	struct registers in;
	struct outcome o;
	struct dice d;

	if (!p) {
		p = xmmap(PAGE, PROT_READ | PROT_WRITE);
		memcpy(p, "\xcd\x80\x0f\x0b", 4);
		CHECK_SYS(mprotect(p, PAGE, PROT_READ | PROT_EXEC));
	}
	dice_init(&d, 0x7000000 + i);
	registers_init(&in, false);
	for (size_t w = 0; w < ARRAY_SIZE(frame); w++)
		frame[w] = roll(&d) & 1 ? (uint32_t)place(&d) : 0;
	for (int s = 1; s < 5; s++)
		frame[s] = roll(&d) & 1 ? HOST_DS : ONE_OF(&d, selectors);
	frame[15] = roll(&d) & 3 ? landing : (uint32_t)place(&d);
	frame[16] = roll(&d) & 1 ? HOST_CS32 : ONE_OF(&d, selectors);
	frame[17] = roll(&d);
	frame[18] = roll(&d) & 1 ? (uint32_t)(uintptr_t)try_stack_top : (uint32_t)place(&d);
	frame[19] = roll(&d) & 1 ? HOST_DS : ONE_OF(&d, selectors);
	frame[20] = roll(&d) & 1 ? 0 : (uint32_t)place(&d);
	in.r[AX] = 119;
	in.r[SP] = (uintptr_t)frame;
	in.ip = (uintptr_t)p;
	try_note("a forged frame for sigreturn, seed %llu, number %u", (unsigned long long)seed, i);
	try_it(&o, &in);
}

static void for_own_kernel(void)
{
	sweep(for_guest, (uint32_t)rounds(2000));
	still_kept_out();
}

/*
 * A critical section that is all of the gates, with an abort handler that lands: the guest's kernel
 * goes there after a preemption within it. The host's, which cannot tell, must know of no rseq.
 */
static void rseq_tries(void)
{
	static struct rseq area __attribute__((aligned(32)));
	static struct rseq_cs cs __attribute__((aligned(32)));
	unsigned char *p = xmmap(PAGE, PROT_READ | PROT_WRITE);
	struct registers in;
	struct outcome o;
	uint32_t back;
	pid_t other;

	registers_init(&in, false);
	back = landing;
	/* the signature; push $landing; ret */
	memcpy(p, "\x53\x30\x05\x53\x68", 5);
	memcpy(p + 5, &back, 4);
	p[9] = 0xc3;
	/* call *%cs:PLEX86_GATES; int $0x80; dec %edi; jnz: many system calls. */
	memcpy(p + 64, "\x2e\xff\x15\x00\x20\xc0\xff\xcd\x80\xb8\x40\x00\x00\x00\x4f\x75\xf0\xc3", 18);
	CHECK_SYS(mprotect(p, PAGE, PROT_READ | PROT_EXEC));
	/* glibc's goes first, where it has one. */
	extern const ptrdiff_t __rseq_offset __attribute__((weak));
	extern const unsigned int __rseq_size __attribute__((weak));
	if (&__rseq_size && __rseq_size) {
		char *tp;

		__asm__("movl %%gs:0, %0" : "=r"(tp));
		if (syscall(386, tp + __rseq_offset, 32, 1, 0x53053053))
			CHECK_SYS(syscall(386, tp + __rseq_offset, __rseq_size, 1, 0x53053053));
	}
	if (syscall(386, &area, 32, 0, 0x53053053))
		SKIP("no rseq");
	/* Someone to be preempted by. */
	other = xfork();
	if (!other)
		for (;;)
			usleep(100);
	for (int i = 0; i < rounds(60); i++) {
		cs.start_ip = PLEX86_GATES;
		cs.post_commit_offset = PAGE;
		cs.abort_ip = (uintptr_t)p + 4;
		area.rseq_cs = (uintptr_t)&cs;
		registers_init(&in, false);
		in.r[AX] = SYS_getppid;
		in.r[DI] = 20000;
		in.ip = (uintptr_t)p + 64;
		try_note("rseq over the gates");
		try_it(&o, &in);
		if (!o.landed && o.sig != SIGSEGV && o.sig != SIGALRM)
			FAIL("signal %d code %d at 0x%x", o.sig, o.code, o.eip);
	}
	kill(other, SIGKILL);
	wait_status(other);
	still_kept_out();
}

/* The gates lie in the kernel half: Linux ends who claims to have a section there. */
static void rseq_gates(void)
{
	pid_t pid;
	int status;

	need_keys();
	pid = xfork();
	if (!pid) {
		rseq_tries();
		_exit(0);
	}
	status = wait_status(pid);
	if (status && !(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV))
		FAIL("status 0x%x", status);
	still_kept_out();
}

const struct test frame_tests[] = {
	{ "frame-handler", for_handler, 0 },
	{ "frame-host", for_host, 0 },
	{ "frame-guest", for_own_kernel, 0 },
	{ "frame-rseq", rseq_gates, 0 },
	{ NULL, NULL, 0 },
};
