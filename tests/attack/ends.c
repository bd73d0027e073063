// SPDX-License-Identifier: GPL-2.0
/*
 * Off every end: code that runs on, data that reaches over, and stacks that grow over the borders
 * of what a program has.
 */
#include "attack.h"

static void jump(uint64_t ip, bool wide, const char *what)
{
	struct registers in;
	struct outcome o;

	registers_init(&in, wide);
	for (int r = 0; r < 8; r++)
		if (r != SP)
			in.r[r] = (uintptr_t)try_stack_top;
	in.r[AX] = PKRU_USER;
	in.r[CX] = in.r[DX] = 0;
	in.ip = ip;
	try_note("code at 0x%llx, %s, %d bits", (unsigned long long)ip, what, wide ? 64 : 32);
	try_it(&o, &in);
	if (o.sig == SIGALRM)
		FAIL("code at 0x%llx, %s: no end", (unsigned long long)ip, what);
}

static void code_ends(void)
{
	static const struct { uint64_t at; const char *what; } ends[] = {
		{ 0, "page 0" }, { 0x10000, "the lowest" }, { 0xc0000000, "the program's" },
		{ PLEX86_TOP, "the kernel's" }, { PLEX86_GATES, "before the gates" },
		{ PLEX86_GATES + PAGE, "the gates'" }, { GATE_USER, "the gates' data" },
		{ GATE_USER + PAGE, "behind it" }, { LANDING_BASE, "the way back" },
		{ LANDING_BASE + 2 * PAGE, "behind it" }, { LANDING_STACK, "its stack" },
		{ 0x100000000ull, "32 bits'" }, { MONITOR_BASE, "before the monitor" },
		{ MONITOR_BASE + MONITOR_TEXT_MAX, "behind the monitor" }, { STATE_BASE, "the state" },
		{ SPACE_BASE, "the space" }, { RAM_BASE, "RAM" }, { 0x800000000000ull, "all" },
		{ 0xffff800000000000ull, "the host's kernel" }, { 0xffffffffff600000ull, "vsyscall" },
	};

	need_keys();
	for (size_t e = 0; e < ARRAY_SIZE(ends); e++)
		for (int back = 8; back >= -8; back--)
			for (int wide = 0; wide < 2; wide++)
				if (wide || ends[e].at - (uint64_t)(int64_t)back < 1ull << 32)
					jump(ends[e].at - (uint64_t)(int64_t)back, wide, ends[e].what);
	still_kept_out();
}

/* Accesses of each size over the border between what may be touched and what may not. */
static void data_ends(void)
{
	static const struct { const char *name; unsigned char len, bytes[6]; } ways[] = {
		{ "movw", 3, { 0x66, 0x8b, 0x06 } }, { "movl", 2, { 0x8b, 0x06 } },
		{ "fldl", 2, { 0xdd, 0x06 } }, { "fldt", 2, { 0xdb, 0x2e } },
		{ "fxsave", 3, { 0x0f, 0xae, 0x06 } }, { "movups", 3, { 0x0f, 0x10, 0x06 } },
		{ "movups to", 3, { 0x0f, 0x11, 0x06 } }, { "rep movsb", 2, { 0xf3, 0xa4 } },
		{ "rep lodsl", 2, { 0xf3, 0xad } }, { "cmpxchg8b", 4, { 0xf0, 0x0f, 0xc7, 0x0e } },
		{ "fstenv", 2, { 0xd9, 0x36 } }, { "fnsave", 2, { 0xdd, 0x36 } },
		{ "xsave", 3, { 0x0f, 0xae, 0x26 } }, { "bts", 4, { 0x0f, 0xab, 0x06, 0x90 } },
	};
	static const uint32_t borders[] = {
		0xc0000000, PLEX86_TOP, GATE_USER, GATE_USER + PAGE, PLEX86_GATES + PAGE, 0,
	};
	unsigned char *p = xmmap(PAGE, PROT_READ | PROT_WRITE | PROT_EXEC);
	struct registers in;
	struct outcome o;

	need_keys();
	for (size_t w = 0; w < ARRAY_SIZE(ways); w++)
		for (size_t b = 0; b < ARRAY_SIZE(borders); b++)
			for (uint32_t back = 1; back < 16; back++) {
				bool inside = borders[b] == GATE_USER || borders[b] == GATE_USER + PAGE ||
					      borders[b] == PLEX86_GATES + PAGE;

				memset(p, 0x90, 64);
				memcpy(p, ways[w].bytes, ways[w].len);
				p[ways[w].len] = 0x0f;
				p[ways[w].len + 1] = 0x0b;
				registers_init(&in, false);
				in.r[SI] = borders[b] - back;
				in.r[DI] = (uintptr_t)try_stack_top;
				in.r[CX] = 64;
				in.r[AX] = in.r[DX] = 0;
				in.ip = (uintptr_t)p;
				try_note("%s at 0x%x", ways[w].name, borders[b] - back);
				try_it(&o, &in);
				if (!inside && o.sig != SIGSEGV && o.sig != SIGBUS &&
				    o.eip == (uintptr_t)p + ways[w].len && back == 1 &&
				    strcmp(ways[w].name, "bts"))
					FAIL("%s at 0x%x: signal %d", ways[w].name,
					     borders[b] - back, o.sig);
			}
	still_kept_out();
}

const struct test ends_tests[] = {
	{ "ends-code", code_ends, 0 },
	{ "ends-data", data_ends, 0 },
	{ NULL, NULL, 0 },
};
