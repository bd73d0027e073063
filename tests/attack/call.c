// SPDX-License-Identifier: GPL-2.0
/*
 * Instructions that lead somewhere: HAL calls, system calls of the host's by every way there is,
 * INT n, far transfers to every selector. Each from 32-bit and from 64-bit code.
 */
#include "attack.h"

#include <asm/ldt.h>

static unsigned char *code;

/* What is put there is run, with a landing behind it. */
static void code_new(void)
{
	code = xmmap(PAGE, PROT_READ | PROT_WRITE | PROT_EXEC);
	memset(code, 0x90, PAGE);
}

/* @bytes, then a return into the landing. The page has run as 32-bit code before. */
static void code_put(const void *bytes, size_t len_bytes)
{
	memcpy(code + 16, bytes, len_bytes);
	code[16 + len_bytes] = 0xc3;
	code[0] = 0xc3;
	((void (*)(void))(uintptr_t)code)();
}

#define CODE(...) code_put((const unsigned char[]){ __VA_ARGS__ }, \
			   sizeof((unsigned char[]){ __VA_ARGS__ }))

static void code_try(struct outcome *o, struct registers *in, bool wide)
{
	/* A page that is not mapped, or a timer, is a fault of 64-bit code: that is no answer. */
	for (int i = 0; i < 5; i++) {
		struct registers use = *in;

		use.wide = wide;
		use.ip = (uintptr_t)code + 16;
		try_it(o, &use);
		if (!wide || o->sig != SIGSEGV || o->eip < (uintptr_t)try_start ||
		    o->eip >= (uintptr_t)try_jump_end)
			return;
		((void (*)(void))(uintptr_t)code)();
	}
}

/* --- HAL calls ---------------------------------------------------------------------------- */

static void hal_ud1(void)
{
	struct registers in;
	struct outcome o;

	code_new();
	for (unsigned int n = 0xf0; n < 0x100; n++) {
		CODE(0x0f, 0xb9, (unsigned char)n);
		for (uint32_t nr = 0; nr < 16; nr++)
			for (int wide = 0; wide < 2; wide++) {
				registers_init(&in, wide);
				in.r[AX] = nr;
				code_try(&o, &in, wide);
				if (wide ? !caught(&o, SIGSEGV, SI_KERNEL) :
					   !caught(&o, SIGILL, ILL_ILLOPN))
					FAIL("UD1 0x%x, %d bits, eax %u: signal %d code %d", n,
					     wide ? 64 : 32, nr, o.sig, o.code);
			}
	}
}

/* Both ways pass through 64-bit code, where a timer is a fault: that is no answer. */
static void hal_refused(struct outcome *o, const struct registers *in)
{
	for (int i = 0; i < 5; i++) {
		try_it(o, in);
		if (!caught(o, SIGSEGV, SI_KERNEL))
			return;
	}
}

static void hal_gate(void)
{
	struct registers in;
	struct outcome o;

	/* Without keys the gate's look at the virtual CPL is all there is, and it holds. */
	for (uint32_t nr = 0; nr < 16; nr++) {
		registers_init(&in, false);
		in.r[AX] = nr;
		in.ip = *(volatile uint32_t *)(PLEX86_GATES + 4);
		try_note("HAL call %u by the gate", nr);
		hal_refused(&o, &in);
		if (!caught(&o, SIGILL, ILL_ILLOPN) || o.r[AX] != nr)
			FAIL("HAL call %u by the gate: signal %d code %d eax 0x%x", nr, o.sig, o.code,
			     o.r[AX]);
		in.wide = 1;
		in.ip = MONITOR_BASE + MONITOR_CALL;
		hal_refused(&o, &in);
		if (!caught(&o, SIGILL, ILL_ILLOPN))
			FAIL("HAL call %u by the monitor's entrance: signal %d code %d", nr, o.sig, o.code);
	}
	/* Without keys a stub would note the site for the kernel too: left alone. */
	for (uint32_t site = 0; keys && site < 16; site++) {
		registers_init(&in, false);
		in.ip = *(volatile uint32_t *)(PLEX86_GATES + sizeof(struct plex86_gates) + 4 * site);
		try_note("IRET site %u", site);
		try_it(&o, &in);
		in.r[AX] = PKRU_USER;
		try_it(&o, &in);
	}
}

/* --- system calls of the host's ----------------------------------------------------------- */

/* The 64-bit table and the x32 bit; the numbers past the end too. */
static void wide_calls(const unsigned char *bytes, size_t len_bytes, const char *name)
{
	static const uint32_t bases[] = { 0, 0x40000000, 0x80000000, 0xfffffe00 };
	struct registers in;
	struct outcome o;

	code_new();
	code_put(bytes, len_bytes);
	for (size_t b = 0; b < ARRAY_SIZE(bases); b++)
		for (uint32_t nr = 0; nr < 512; nr++) {
			registers_init(&in, true);
			in.r[AX] = bases[b] + nr;
			/* Arguments with which little happens if it does. */
			in.r[DI] = in.r[SI] = in.r[DX] = in.r[10] = ~0ull;
			in.r[BX] = in.r[CX] = in.r[BP] = ~0ull;
			try_note("%s 0x%x of 64-bit code", name, bases[b] + nr);
			code_try(&o, &in, true);
			if (!caught(&o, SIGSEGV, SI_KERNEL) && !caught(&o, SIGILL, ILL_ILLOPN))
				FAIL("%s 0x%x of 64-bit code: signal %d code %d at 0x%x", name,
				     bases[b] + nr, o.sig, o.code, o.eip);
			if (o.landed)
				FAIL("%s 0x%x of 64-bit code returns 0x%x", name, bases[b] + nr,
				     o.r[AX]);
		}
}

static void syscall_wide(void)
{
	wide_calls((const unsigned char[]){ 0x0f, 0x05 }, 2, "SYSCALL");
}

static void sysenter_wide(void)
{
	wide_calls((const unsigned char[]){ 0x0f, 0x34 }, 2, "SYSENTER");
}

static void int80_wide(void)
{
	wide_calls((const unsigned char[]){ 0xcd, 0x80 }, 2, "INT 0x80");
}

/* The 32-bit ones: not offered by CPUID, so no instructions. */
static void narrow_calls(const unsigned char *bytes, size_t len_bytes, const char *name)
{
	static const uint64_t stacks[] = {
		0, 4, 0xfffffffc, 0xc1000000, GATE_USER + 0x800,
		LANDING_STACK + LANDING_STACK_BYTES - 16, PLEX86_INFO,
	};
	struct registers in;
	struct outcome o;

	code_new();
	code_put(bytes, len_bytes);
	for (uint32_t nr = 0; nr < 512; nr++)
		for (size_t s = 0; s <= ARRAY_SIZE(stacks); s++) {
			if (s && nr % 16)
				continue;
			registers_init(&in, false);
			in.r[AX] = nr;
			in.r[BX] = in.r[CX] = in.r[DX] = in.r[SI] = in.r[DI] = ~0u;
			in.r[BP] = s ? stacks[s - 1] : in.r[SP];
			try_note("%s %u, ebp 0x%llx", name, nr, (unsigned long long)in.r[BP]);
			code_try(&o, &in, false);
			if (o.landed)
				FAIL("%s %u returns 0x%x", name, nr, o.r[AX]);
			/* Where the stack cannot be read the host returns to where it has nothing. */
			if (!caught(&o, SIGILL, ILL_ILLOPN) && o.sig != SIGSEGV)
				FAIL("%s %u, ebp 0x%llx: signal %d code %d", name, nr,
				     (unsigned long long)in.r[BP], o.sig, o.code);
		}
}

static void sysenter_narrow(void)
{
	narrow_calls((const unsigned char[]){ 0x0f, 0x34 }, 2, "SYSENTER");
}

static void syscall_narrow(void)
{
	narrow_calls((const unsigned char[]){ 0x0f, 0x05 }, 2, "SYSCALL");
}

/* Entries of the host's 64-bit vsyscall page, which no selector byte guards. */
static void vsyscall(void)
{
	static const uint64_t stores[] = {
		0, 1, STATE_BASE, SPACE_BASE, PLEX86_INFO, GATE_KERNEL, RAM_BASE, MONITOR_BASE,
	};
	struct registers in;
	struct outcome o;

	need_keys();
	for (int offset = -16; offset < 4096; offset += offset < 16 ? 1 : 64)
		for (size_t s = 0; s < ARRAY_SIZE(stores); s++) {
			registers_init(&in, true);
			in.ip = 0xffffffffff600000ull + (uint64_t)(int64_t)offset;
			in.r[DI] = in.r[SI] = in.r[DX] = stores[s];
			try_note("vsyscall + 0x%x", (unsigned int)offset);
			try_it(&o, &in);
		}
	still_kept_out();
}

/* --- INT n -------------------------------------------------------------------------------- */

static void int_n(void)
{
	struct registers in;
	struct outcome o;

	code_new();
	for (unsigned int n = 0; n < 256; n++) {
		CODE(0xcd, (unsigned char)n);
		if (n == 3 || n == 4 || n == 0x80)
			continue;
		registers_init(&in, false);
		in.r[AX] = PKRU_USER;
		try_note("INT 0x%x", n);
		code_try(&o, &in, false);
		if (!caught(&o, SIGSEGV, SI_KERNEL) || o.eip != (uintptr_t)code + 16 ||
		    (o.err != n * 8 + 2 && o.err != n * 16 + 2))
			FAIL("INT 0x%x: signal %d code %d error 0x%x", n, o.sig, o.code, o.err);
		code_try(&o, &in, true);
		if (!caught(&o, SIGSEGV, SI_KERNEL))
			FAIL("INT 0x%x of 64-bit code: signal %d code %d", n, o.sig, o.code);
	}
	CODE(0xf1);
	registers_init(&in, false);
	code_try(&o, &in, false);
	code_try(&o, &in, true);
}

/* --- far transfers ------------------------------------------------------------------------ */

enum { JUMP, CALL, RETURN, IRET, WAYS };

static void far_to(int way, uint32_t selector, bool wide)
{
	static const char *const names[] = { "far jump", "far call", "far return", "IRET" };
	unsigned char bytes[32], *at = bytes;
	struct registers in;
	struct outcome o;
	uint32_t target;

	registers_init(&in, wide);
	target = landing;
	if (wide && way < RETURN) {
		/* ljmp or lcall *(%rsi) */
		static struct { uint32_t ip; uint16_t cs; } to;

		to.ip = target;
		to.cs = (uint16_t)selector;
		in.r[SI] = (uintptr_t)&to;
		PUT(&at, 0xff, way == JUMP ? 0x2e : 0x1e);
	} else if (way < RETURN) {
		PUT(&at, way == JUMP ? 0xea : 0x9a);
		put(&at, &target, 4);
		put(&at, &selector, 2);
	} else {
		/* EIP, CS, EFLAGS, ESP, SS, each a dword in either mode. */
		static uint32_t frame[16] __attribute__((aligned(64)));

		frame[0] = target;
		frame[1] = selector;
		frame[2] = way == RETURN ? (uint32_t)(uintptr_t)try_stack_top : FL_BASE | (emulated ? 0 : FL_VM);
		frame[3] = way == RETURN ? HOST_DS : (uint32_t)(uintptr_t)try_stack_top;
		frame[4] = HOST_DS;
		in.r[SP] = (uintptr_t)frame;
		PUT(&at, way == RETURN ? 0xcb : 0xcf);
	}
	code_put(bytes, (size_t)(at - bytes));
	try_note("%s to 0x%x, %d bits", names[way], selector, wide ? 64 : 32);
	code_try(&o, &in, wide);
	if ((selector & 0xfffc) == (HOST_CS32 & 0xfffc) || (selector & 0xfffc) == (HOST_CS64 & 0xfffc))
		return;
	if (o.landed)
		FAIL("%s to 0x%x, %d bits, arrives", names[way], selector, wide ? 64 : 32);
	if (o.sig != SIGSEGV && o.sig != SIGBUS)
		FAIL("%s to 0x%x, %d bits: signal %d code %d", names[way], selector,
		     wide ? 64 : 32, o.sig, o.code);
}

/* All of the GDT a kernel may have with each RPL and from both tables, and a sample behind it. */
static void far(void)
{
	struct dice d;

	code_new();
	dice_init(&d, 3);
	set_segment(13, 0x10000, true);
	for (int way = 0; way < WAYS; way++)
		for (int wide = 0; wide < 2; wide++) {
			for (uint32_t selector = 0; selector < 33 * 8; selector++)
				far_to(way, selector, wide);
			for (int i = 0; i < rounds(100); i++)
				far_to(way, 33 * 8 + roll(&d) % (0x10000 - 33 * 8), wide);
		}
	still_kept_out();
}

/* A descriptor of code in a slot that a program may set: none of 64 bits, none of the kernel. */
static void far_tls(void)
{
	need_keys();
	code_new();
	for (unsigned int kind = 0; kind < 64; kind++) {
		struct user_desc d = {
			.entry_number = 13, .limit = 0xfffff, .seg_32bit = kind & 1,
			.contents = kind >> 1 & 3, .read_exec_only = kind >> 3 & 1,
			.limit_in_pages = kind >> 4 & 1, .useable = kind >> 5 & 1,
		};
		struct registers in;
		struct outcome o;

		if (syscall(SYS_set_thread_area, &d))
			continue;
		for (int way = JUMP; way <= CALL; way++)
			for (int wide = 0; wide < 2; wide++) {
				unsigned char bytes[16], *at = bytes;
				static struct { uint32_t ip; uint16_t cs; } to;

				registers_init(&in, wide);
				to.ip = landing;
				to.cs = SEL_HOSTILE;
				in.r[SI] = (uintptr_t)&to;
				PUT(&at, 0xff, way == CALL ? 0x1e : 0x2e);
				code_put(bytes, (size_t)(at - bytes));
				try_note("far transfer to a segment of kind 0x%x", kind);
				code_try(&o, &in, wide);
			}
	}
	still_kept_out();
}

const struct test call_tests[] = {
	{ "call-hal-ud1", hal_ud1, 0 },
	{ "call-hal-gate", hal_gate, 0 },
	{ "call-syscall-64", syscall_wide, 0 },
	{ "call-sysenter-64", sysenter_wide, 0 },
	{ "call-int80-64", int80_wide, 0 },
	{ "call-syscall-32", syscall_narrow, 0 },
	{ "call-sysenter-32", sysenter_narrow, 0 },
	{ "call-vsyscall", vsyscall, 0 },
	{ "call-int", int_n, 0 },
	{ "call-far", far, 0 },
	{ "call-far-tls", far_tls, 0 },
	{ NULL, NULL, 0 },
};
