// SPDX-License-Identifier: GPL-2.0
/*
 * The kernel half from user mode: every page of it, read, written, and executed.
 *
 * What the guest's kernel has used is mapped for it in the very process; without keys a program
 * reads it as its own.
 */
#include "attack.h"

#include <fcntl.h>

#define HALF	0xc0000000u

/* What the contract lets a program read; and the host's way back from SYSENTER. */
static bool open_to_read(uint32_t address)
{
	return (address & ~0xfffu) == PLEX86_GATES || (address & ~0xfffu) == GATE_USER ||
	       (address >= LANDING_BASE && address < LANDING_STACK);
}

static bool open_to_write(uint32_t address)
{
	return (address & ~0xfffu) == GATE_USER;
}

static int what;

/* Linux shows a page fault in its half as one of protection, whatever it was. */
static void page(uint32_t address)
{
	struct outcome o;
	bool open = what == READ ? open_to_read(address) : open_to_write(address);
	const char *verb = what == READ ? "read" : "written";

	if (probe(address, what, false, &o, NULL)) {
		if (!open)
			FAIL("0x%x can be %s", address, verb);
		return;
	}
	if (open && (address & ~0xfffu) == PLEX86_GATES)
		FAIL("the gates cannot be %s: signal %d", verb, o.sig);
	if (!caught(&o, SIGSEGV, SEGV_MAPERR) || o.trapno != 14 || o.addr != address ||
	    /* QEMU reads before it writes. */
	    (o.err != (what == READ ? 5u : 7u) && !(emulated && o.err == 5)))
		FAIL("0x%x %s: signal %d code %d trap %d error 0x%x address 0x%x", address, verb,
		     o.sig, o.code, o.trapno, o.err, o.addr);
}

/* Everything the kernel has touched lately is mapped: have it touch something. */
static void busy_kernel(void)
{
	char buf[4096];
	int fd = open("/proc/kallsyms", O_RDONLY);

	if (fd < 0)
		fd = open("/proc/self/maps", O_RDONLY);
	CHECK_SYS(fd);
	for (int i = 0; i < 64 && read(fd, buf, sizeof(buf)) > 0; i++)
		;
	close(fd);
}

/* All of it in steps that end up everywhere, and of the top 4 MiB every page. */
static void every_page(void)
{
	uint32_t pages = (PLEX86_TOP - HALF) / PAGE, n = (uint32_t)rounds((int)pages);
	struct dice d;

	dice_init(&d, 1);
	for (uint32_t i = 0; i < n; i++) {
		uint32_t at = n >= pages ? i : roll(&d) % pages;

		if (i % 4096 == 0)
			busy_kernel();
		page(HALF + at * PAGE + roll(&d) % (PAGE - 4));
	}
	for (uint32_t at = PLEX86_TOP; at; at += PAGE)
		page(at + roll(&d) % (PAGE - 4));
	still_kept_out();
}

static void half_read(void)
{
	need_keys();
	what = READ;
	every_page();
}

static void half_write(void)
{
	need_keys();
	what = WRITE;
	every_page();
}

/* The same through the ways of 64-bit code, where each trap is a general protection fault. */
static void half_wide(void)
{
	struct dice d;

	need_keys();
	dice_init(&d, 2);
	for (int i = 0; i < rounds(4000); i++) {
		uint32_t at = HALF + roll(&d) % (0u - HALF - 8);
		struct outcome o;

		if (probe(at, READ, true, &o, NULL) && !open_to_read(at))
			FAIL("0x%x can be read by 64-bit code", at);
		if (probe(at, WRITE, true, &o, NULL) && !open_to_write(at))
			FAIL("0x%x can be written by 64-bit code", at);
	}
}

static struct dice execute_dice;

static void execute(uint32_t i)
{
	struct dice *d = &execute_dice;
	struct registers in;
	struct outcome o;

	dice_init(d, 0x10000 + i);
	registers_init(&in, i % 4 == 3);
	in.ip = HALF + roll(d) % (i & 1 ? PLEX86_TOP - HALF : 0x1800000);
	for (int r = 0; r < 8; r++)
		if (r != SP)
			in.r[r] = roll(d) % 3 ? landing : roll(d) & (emulated ? ~FL_VM : ~0u);
	try_note("execute 0x%llx, seed %llu, number %u", (unsigned long long)in.ip,
		 (unsigned long long)seed, i);
	try_it(&o, &in);
}

/*
 * Kernel text may run: keys do not cover fetches. It gains nothing. Half of it is tried where text
 * is, with the registers full of landings.
 */
static void half_execute(void)
{
	need_keys();
	sweep(execute, (uint32_t)rounds(8000));
	still_kept_out();
}

/*
 * The places in the kernel's text whose bytes load PKRU, given by --loaders: they are there as
 * instructions (XRSTOR) or by accident, and all there is to do is to jump.
 */
static unsigned char image[PAGE] __attribute__((aligned(64)));

static void load(uint32_t i)
{
	static const uint32_t rights[] = { 0, PKRU_KERNEL, 0x55555550 };
	uint32_t at = i / 4 % loaders_n;
	struct registers in;
	struct outcome o;

	registers_init(&in, false);
	in.ip = loaders[at];
	in.r[AX] = i & 1 ? 0x200 : rights[i / 4 / loaders_n % 3];
	/* XRSTOR: the memory operand is where any register points; the bit is PKRU's. */
	if (i & 1) {
		memset(image, 0, sizeof(image));
		image[512 + 1] = 2;		/* XSTATE_BV */
		for (int r = 1; r < 8; r++)
			if (r != SP)
				in.r[r] = (uintptr_t)image;
		in.r[DX] = i & 2 ? 0 : (uintptr_t)image;
	}
	try_note("kernel text at 0x%x that loads PKRU, eax 0x%llx", loaders[at],
		 (unsigned long long)in.r[AX]);
	try_it(&o, &in);
}

static void half_loaders(void)
{
	need_keys();
	if (!loaders_n)
		SKIP("no --loaders");
	sweep(load, loaders_n * 12);
	still_kept_out();
}

const struct test half_tests[] = {
	{ "half-read", half_read, 0 },
	{ "half-write", half_write, 0 },
	{ "half-wide", half_wide, 0 },
	{ "half-execute", half_execute, 0 },
	{ "half-loaders", half_loaders, 0 },
	{ NULL, NULL, 0 },
};
