// SPDX-License-Identifier: GPL-2.0
/*
 * Every mapping of the processes that run the guest, as the host lists them (--maps), from 64-bit
 * code: which of them a program can read, write and execute. And the host's address space where
 * nothing is listed.
 */
#include "attack.h"

/* What is for programs, by the contract or because it says nothing. */
static bool may_read(uint64_t at)
{
	return at < 0xc0000000 || at >> 12 == PLEX86_GATES >> 12 || at >> 12 == GATE_USER >> 12 ||
	       (at >= LANDING_BASE && at < LANDING_STACK) ||
	       /* The monitor's text is no secret; its selector byte the host's kernel reads. */
	       (at >= MONITOR_BASE && at < MONITOR_BASE + MONITOR_TEXT_MAX) ||
	       at >> 12 == SPACE_BASE >> 12 ||
	       /* The alternate stack, which the host's kernel writes with a program's rights. */
	       (at >= SPACE_STACK_TOP && at < SPACE_STACK_TOP + ALT_STACK_BYTES);
}

static bool may_write(uint64_t at)
{
	return at < 0xc0000000 || at >> 12 == GATE_USER >> 12 ||
	       (at >= SPACE_STACK_TOP && at < SPACE_STACK_TOP + ALT_STACK_BYTES);
}

static void page(uint64_t at)
{
	struct outcome o;

	if (probe(at, READ, true, &o, NULL) && !may_read(at))
		FAIL("0x%llx can be read", (unsigned long long)at);
	if (probe(at, WRITE, true, &o, NULL) && !may_write(at))
		FAIL("0x%llx can be written", (unsigned long long)at);
}

static void run_at(uint64_t at)
{
	struct registers in;
	struct outcome o;

	registers_init(&in, true);
	in.r[AX] = PKRU_USER;
	in.ip = at;
	try_note("code at 0x%llx", (unsigned long long)at);
	try_it(&o, &in);
}

static void listed(void)
{
	struct dice d;

	need_keys();
	if (!host_maps_n)
		SKIP("no --maps");
	dice_init(&d, 5);
	for (unsigned int i = 0; i < host_maps_n; i++) {
		const struct range *r = &host_maps[i];
		uint64_t pages = (r->to - r->from) / PAGE;

		/* What lies below the kernel half is a program's, and may be this one's own. */
		if (r->to <= 0xc0000000 || !pages)
			continue;
		page(r->from);
		page(r->from + 8);
		page(r->to - 8);
		for (int n = 0; n < 24; n++)
			page(r->from + roll(&d) % pages * PAGE + roll(&d) % 4088);
		run_at(r->from);
		run_at(r->to - 2);
	}
	still_kept_out();
}

/* The parts of the monitor by their addresses, page by page. */
static void known(void)
{
	static const struct { uint64_t from, bytes; } parts[] = {
		{ MONITOR_BASE, MONITOR_TEXT_MAX }, { STATE_BASE, 512 << 10 },
		{ SPACE_BASE, 512 << 10 }, { RAM_BASE, 4 << 20 },
	};
	struct dice d;

	need_keys();
	dice_init(&d, 6);
	for (size_t i = 0; i < ARRAY_SIZE(parts); i++)
		for (uint64_t at = 0; at < parts[i].bytes; at += PAGE)
			page(parts[i].from + at + roll(&d) % 4088);
	for (int i = 0; i < rounds(2000); i++)
		page(((uint64_t)roll(&d) << 32 | roll(&d)) >> roll(&d) % 33);
	still_kept_out();
}

const struct test maps_tests[] = {
	{ "maps-listed", listed, 0 },
	{ "maps-known", known, 0 },
	{ NULL, NULL, 0 },
};
