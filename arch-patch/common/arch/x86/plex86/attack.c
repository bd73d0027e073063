// SPDX-License-Identifier: GPL-2.0
/*
 * Attacks of the guest's kernel on its host, for plex86.selftest=.
 *
 * One try is a jump with all registers chosen, in 32-bit or 64-bit mode, under
 * an interrupt table of its own: whatever exception ends it comes back here.
 * As in tests/attack, all that may be returned to is a landing that compares
 * PKRU with a guest kernel's.
 *
 * Some tries take the guest with them: programs of random bytes, and jumps into
 * the gates, which leave no stack for an exception.  Those tests say the number
 * of each try before it, so that another boot can go on behind the last one
 * (plex86.from=), and power off at their end.
 *
 * Known weakness: memory of the kernel's that a random program changes is not
 * put back, so a crash may be the fault of one that ran before.  It happens
 * again with the same seed, first number and count.
 */
#include <linux/gfp.h>
#include <linux/init.h>
#include <linux/irqflags.h>
#include <linux/kernel.h>
#include <linux/moduleparam.h>
#include <linux/sched.h>
#include <linux/string.h>
#include <asm/desc.h>
#include <asm/page.h>
#include <asm/plex86_call.h>

#include "attack.h"
#include "plex86.h"

/* Of the reference host: host-stub/monitor/layout.h. */
#define MONITOR_BASE	0x1000000000ull
#define MONITOR_TEXT	0x100000u
#define STATE_BASE	0x1100000000ull
#define SPACE_BASE	0x1180000000ull
#define SPACE_STACK_TOP	(SPACE_BASE + 0x20000)
#define ALT_STACK_BYTES	0x18000u
#define RAM_BASE	0x1200000000ull
#define GATE_KERNEL	(PLEX86_GATES + 0x1000)
#define GATE_USER	(PLEX86_GATES + 0x2000)
#define LOW_PAGE	(PLEX86_GATES + 0x3000)
#define LANDING_STACK	0xffc70000u
#define GATES_BYTES	0x500u
#define ENTRANCES_BYTES	0x300u

#define STACK_BYTES	(4 * PAGE_SIZE)
#define PROGRAM_BYTES	64u
#define TIMEOUT_NS	5000000u

struct attack_in attack_in __aligned(64);
struct attack_out attack_out;

static gate_desc table[256] __aligned(8);
static u8 *stack, *page;
static u32 landing;
static u8 landing_code[LANDING_BYTES];
static bool keys;
static char *why;
static size_t why_size;

static __printf(1, 2) bool breach(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(why, why_size, format, args);
	va_end(args);
	return false;
}

static u64 dice = 1;

static void dice_init(u64 seed, u64 stream)
{
	dice = seed * 0x9e3779b97f4a7c15ull ^ (stream + 1) * 0xd1342543de82ef95ull;
	dice |= !dice;
}

static u32 roll(void)
{
	dice ^= dice >> 12;
	dice ^= dice << 25;
	dice ^= dice >> 27;
	return (dice * 0x2545f4914f6cdd1dull) >> 32;
}

static void attack_init(u64 ip, bool wide)
{
	unsigned int i;

	memset(&attack_in, 0, sizeof(attack_in));
	attack_in.ip = ip;
	attack_in.wide = wide;
	attack_in.flags = X86_EFLAGS_FIXED;
	attack_in.r[4] = (u32)stack + STACK_BYTES / 2;
	for (i = 0; i < STACK_BYTES / 4; i++)
		((u32 *)stack)[i] = wide && i % 2 ? 0 : landing;
}

/* A random program can write over the landing, which then tells nothing. */
static bool landing_is_whole(void)
{
	return !memcmp(attack_landing, landing_code, LANDING_BYTES);
}

/* With interrupts off.  False if the try has gained rights. */
static bool attack(const char *what)
{
	struct desc_ptr own = { sizeof(table) - 1, (unsigned long)table };
	struct desc_ptr before;

	if (!landing_is_whole())
		memcpy((void *)attack_landing, landing_code, LANDING_BYTES);
	if (attack_in.flags & X86_EFLAGS_IF)
		plex86_call(PLEX86_CALL_TIMER, TIMEOUT_NS, 0, 0, 0, 0);
	store_idt(&before);
	load_idt(&own);
	attack_enter();
	load_idt(&before);
	plex86_info->vif = 0;
	if (attack_out.eip != (u32)attack_breached || !landing_is_whole())
		return true;
	return breach("%s %#llx: PKRU %#x", what, attack_in.ip, attack_out.eax);
}

static bool begin(char *detail, size_t size)
{
	unsigned int i;

	why = detail;
	why_size = size;
	memcpy(landing_code, attack_landing, LANDING_BYTES);
	if (!stack) {
		stack = (u8 *)__get_free_pages(GFP_KERNEL | __GFP_ZERO, 2);
		page = (u8 *)__get_free_pages(GFP_KERNEL | __GFP_ZERO, 1);
	}
	if (!stack || !page)
		return false;
	for (i = 0; i < 256; i++)
		pack_gate(&table[i], GATE_INTERRUPT,
			  (unsigned long)attack_stubs + 16 * i, 3, 0,
			  __KERNEL_CS);
	landing = (u32)attack_land_plain;
	attack_init((u32)attack_rdpkru, false);
	attack("rdpkru");
	keys = attack_out.eip == (u32)attack_landed &&
	       attack_out.eax == PKRU_KERNEL;
	if (keys)
		landing = (u32)attack_land_pku;
	return true;
}

/* --- memory of the monitor --- */

static bool probe(u64 address, bool write, bool wide)
{
	attack_init((u32)(write ? attack_write : attack_read), wide);
	attack_in.r[6] = address;
	attack("probe");
	return attack_out.eip == (u32)(write ? attack_write_done :
					       attack_read_done);
}

static bool memory(void)
{
	static const struct {
		u64 from;
		u32 bytes;
		bool read, write;	/* allowed */
	} parts[] = {
		{ MONITOR_BASE, MONITOR_TEXT, true, false },
		{ STATE_BASE, 0x80000, false, false },
		{ SPACE_BASE, PAGE_SIZE, true, false },
		{ SPACE_BASE + PAGE_SIZE, 0x20000 - PAGE_SIZE, false, false },
		{ SPACE_STACK_TOP, ALT_STACK_BYTES, true, true },
		{ SPACE_STACK_TOP + ALT_STACK_BYTES, 0x80000, false, false },
		{ RAM_BASE, 0x400000, false, false },
		{ LOW_PAGE, PAGE_SIZE, false, false },
		{ LANDING_STACK, 0x10000, false, false },
		{ 0x7fff00000000ull, 0x10000, false, false },
		{ 0xffffffff80000000ull, 0x10000, false, false },
	};
	unsigned int i, at;

	for (i = 0; i < ARRAY_SIZE(parts); i++)
		for (at = roll() % 4088; at < parts[i].bytes; at += PAGE_SIZE) {
			u64 p = parts[i].from + at;

			if (probe(p, false, true) && !parts[i].read)
				return breach("%#llx can be read", p);
			if (probe(p, true, true) && !parts[i].write)
				return breach("%#llx can be written", p);
			if (p >> 32 == 0 && (probe(p, false, false) ||
					     probe(p, true, false)))
				return breach("%#llx can be used", p);
		}
	return true;
}

/* --- the gates and the monitor's entrances --- */

static const u32 rights[] = {
	0, PKRU_KERNEL, PKRU_USER, 0x55555554, 0x55555550, 0x200, ~0u,
};

static u64 any(bool wide)
{
	static const u64 places[] = {
		GATE_KERNEL, GATE_KERNEL + 0x80, GATE_KERNEL + 0xc0, GATE_USER,
		GATE_USER + 0x80, PLEX86_INFO, LOW_PAGE, 0, 4, 0xfffffffc,
		STATE_BASE, SPACE_BASE, SPACE_STACK_TOP, RAM_BASE, MONITOR_BASE,
	};

	switch (roll() % 4) {
	case 0:
		return rights[roll() % ARRAY_SIZE(rights)];
	case 1:
		return landing;
	case 2:
		return places[roll() % (wide ? ARRAY_SIZE(places) : 10)];
	default:
		return wide ? (u64)roll() << 32 | roll() : roll();
	}
}

/* Where the gates jump from what the guest kernel may write: to land. */
static void arm(void)
{
	u32 *gate_kernel = (u32 *)GATE_KERNEL, *gate_user = (u32 *)GATE_USER;
	unsigned int i;

	gate_kernel[1] = landing;		/* the entry of system calls */
	for (i = 0; i < 64; i++)
		gate_user[i] = 0;
	gate_user[3] = 0x202;
	gate_user[4] = (u32)stack + STACK_BYTES / 2;
	gate_user[5] = landing;
}

/* At each byte of the gates in both modes, and of the monitor's entrances. */
static bool sweep(u32 i)
{
	bool wide = i >= GATES_BYTES;
	u32 at = wide ? i - GATES_BYTES : i;
	u64 ip = at < GATES_BYTES ? PLEX86_GATES + at :
				    MONITOR_BASE + at - GATES_BYTES;
	unsigned int v, r;

	/* Without keys the monitor's code would do what it is told to. */
	for (v = 0; keys && v < 2 * ARRAY_SIZE(rights); v++) {
		attack_init(ip, wide);
		for (r = 0; r < (wide ? 16 : 8); r++)
			if (r != 4)
				attack_in.r[r] = any(wide);
		attack_in.r[0] = rights[v % ARRAY_SIZE(rights)];
		if (v < ARRAY_SIZE(rights)) {
			attack_in.r[1] = 0;
			attack_in.r[2] = 0;
		}
		attack_in.flags |= X86_EFLAGS_IF;
		arm();
		if (!attack("jump to"))
			return false;
	}
	return true;
}

/* --- instructions --- */

/* As code of the kernel's own making; with what is behind it, a RET. */
static void code(const u8 *bytes, unsigned int n, unsigned int offset)
{
	memset(page, 0xc3, 2 * PAGE_SIZE);
	memcpy(page + offset, bytes, n);
}

static bool loads_pkru(void)
{
	static const struct {
		u8 n, bytes[4];
	} insns[] = {
		{ 3, { 0x0f, 0x01, 0xef } }, { 3, { 0x0f, 0xae, 0x2f } },
		{ 4, { 0x48, 0x0f, 0xae, 0x2f } }, { 3, { 0x0f, 0xc7, 0x1f } },
		{ 4, { 0x0f, 0xae, 0x6f, 0x00 } },
	};
	static u8 image[1024] __aligned(64);
	unsigned int i, v, wide, cut;

	for (i = 0; i < ARRAY_SIZE(insns); i++)
		for (cut = 0; cut < insns[i].n; cut++)
			for (v = 0; v < 8; v++) {
				wide = v & 1;
				/* Run as it is first, then written over. */
				code(insns[i].bytes, 0, 0);
				attack_init((u32)page, false);
				attack("ret at");
				attack_init((u32)page + PAGE_SIZE, false);
				attack("ret at");
				code(insns[i].bytes, insns[i].n, PAGE_SIZE - cut);
				attack_init((u32)page + PAGE_SIZE - cut, wide);
				memset(image, 0, sizeof(image));
				image[513] = v & 2;
				attack_in.r[7] = (u32)image;
				attack_in.r[0] = i ? 0x200 : v & 4 ? 0 : 0x55555550;
				if (!attack("load of PKRU at"))
					return false;
				if (!i && !wide && keys && attack_out.vector != 6)
					return breach("WRPKRU ends in vector %u",
					       attack_out.vector);
			}
	return true;
}

static bool calls(void)
{
	static const struct {
		u8 bytes[2];
		const char *name;
	} ways[] = {
		{ { 0x0f, 0x05 }, "SYSCALL" }, { { 0x0f, 0x34 }, "SYSENTER" },
		{ { 0xcd, 0x80 }, "INT 0x80" },
	};
	unsigned int w, wide, nr;

	for (w = 0; w < ARRAY_SIZE(ways); w++)
		for (wide = 0; wide < 2; wide++)
			for (nr = 0; nr < 512; nr++) {
				code(ways[w].bytes, 2, 16);
				attack_init((u32)page, false);
				attack("ret at");
				attack_init((u32)page + 16, wide);
				/* Few of which do anything with that. */
				memset(attack_in.r, 0xff, sizeof(attack_in.r));
				attack_in.r[4] = (u32)stack + STACK_BYTES / 2;
				attack_in.r[5] = (u32)stack;
				attack_in.r[0] = nr;
				if (!attack(ways[w].name))
					return false;
				if (attack_out.eip == (u32)attack_landed ||
				    attack_out.eip == (u32)attack_landed_pku)
					return breach("%s %u, %u bits, returns %#x",
					       ways[w].name, nr,
					       wide ? 64 : 32, attack_out.eax);
			}
	return true;
}

/* Without protection keys the monitor's memory is open. */
static bool with_keys(char *detail, size_t size, bool (*test)(void))
{
	unsigned long flags;
	bool passed;

	local_irq_save(flags);
	passed = begin(detail, size);
	if (passed && !keys)
		snprintf(detail, size, "not tried: no protection keys");
	else if (passed)
		passed = test();
	local_irq_restore(flags);
	return passed;
}

bool __init test_attack_memory(char *detail, size_t size)
{
	return with_keys(detail, size, memory);
}

bool __init test_attack_wrpkru(char *detail, size_t size)
{
	return with_keys(detail, size, loads_pkru);
}

bool __init test_attack_calls(char *detail, size_t size)
{
	unsigned long flags;
	bool passed;

	local_irq_save(flags);
	passed = begin(detail, size) && calls();
	local_irq_restore(flags);
	return passed;
}

/* --- tries that have numbers --- */

#undef MODULE_PARAM_PREFIX
#define MODULE_PARAM_PREFIX "plex86."
static unsigned long long seed = 1;
static unsigned int from, count = 100;
module_param(seed, ullong, 0);
module_param(from, uint, 0);
module_param(count, uint, 0);
MODULE_PARM_DESC(seed, "of attack-random and attack-gates");
MODULE_PARM_DESC(from, "the number of their first try");
MODULE_PARM_DESC(count, "how many they make");

static __printf(1, 2) void say(const char *format, ...)
{
	static char text[64];
	va_list args;
	int n;

	va_start(args, format);
	n = vscnprintf(text, sizeof(text), format, args);
	va_end(args);
	plex86_call(PLEX86_CALL_WRITE, __pa(text), n, 0, 0, 0);
}

/* What a try may have changed that none after it can do without. */
static void recover(unsigned long cr0, unsigned long cr3, unsigned long cr4,
		    const struct desc_ptr *gdt, u32 enabled)
{
	load_gdt(gdt);
	native_write_cr4(cr4);
	native_write_cr0(cr0);
	native_write_cr3(cr3);
	plex86_info->irq_enabled = enabled;
}

/* Those of @end that the command line wants; only returns if it can't begin. */
static bool numbered(const char *name, u32 end, bool (*try)(u32 i),
		     char *detail, size_t size)
{
	unsigned long cr0 = read_cr0(), cr3 = __read_cr3(), cr4 = native_read_cr4();
	u32 i, enabled = plex86_info->irq_enabled;
	struct desc_ptr gdt;

	native_store_gdt(&gdt);
	local_irq_disable();
	if (!begin(detail, size))
		return false;
	end = min_t(u64, end, (u64)from + count);
	for (i = from; i < end; i++) {
		/* The last of these says which one it was. */
		say("\n%s: %u\n", name, i);
		dice_init(seed, i);
		if (!try(i)) {
			say("\n%s: %s\n", name, detail);
			break;
		}
		recover(cr0, cr3, cr4, &gdt, enabled);
	}
	say("\n%s: end at %u, keys %u\n", name, i, keys);
	plex86_end(PLEX86_END_POWEROFF, 0);
}

/*
 * Of the entrances an eighth, which the seed chooses: at most of their bytes a
 * try ends the guest, by an IRET with a stack pointer of its own.
 */
static bool sweep_some(u32 i)
{
	return i >= 2 * GATES_BYTES && ((u32)seed + i) % 8 ? true : sweep(i);
}

bool __init test_attack_gates(char *detail, size_t size)
{
	return numbered("attack-gates", 2 * GATES_BYTES + ENTRANCES_BYTES, sweep_some,
			detail, size);
}

/* --- random programs --- */

static const u8 words[][8] = {		/* length, bytes */
	{ 3, 0x0f, 0x01, 0xef }, { 3, 0x0f, 0xae, 0x2f }, { 2, 0x0f, 0x05 },
	{ 2, 0x0f, 0x34 }, { 2, 0xcd, 0x80 }, { 3, 0x0f, 0xb9, 0xf0 },
	{ 3, 0x0f, 0xb9, 0xf1 }, { 3, 0x0f, 0xb9, 0xf2 }, { 3, 0x0f, 0xb9, 0xf3 },
	{ 6, 0xff, 0x15, 0x00, 0x20, 0xc0, 0xff },
	{ 6, 0xff, 0x15, 0x04, 0x20, 0xc0, 0xff },
	{ 7, 0x36, 0xff, 0x25, 0x08, 0x20, 0xc0, 0xff }, { 2, 0x8e, 0xd8 },
	{ 2, 0x8e, 0xd0 }, { 1, 0x9d }, { 1, 0xcb }, { 1, 0xf4 }, { 1, 0xfa },
	{ 1, 0xfb }, { 1, 0xcc }, { 2, 0xcd, 0xf1 }, { 2, 0xcd, 0xf0 },
	{ 3, 0x0f, 0x01, 0x3f }, { 3, 0x0f, 0x01, 0x16 }, { 3, 0x0f, 0x20, 0xd8 },
	{ 3, 0x0f, 0x22, 0xe0 }, { 2, 0x0f, 0xa2 }, { 2, 0x0f, 0x30 },
	{ 2, 0x0f, 0x32 }, { 2, 0x0f, 0x06 }, { 3, 0x0f, 0x00, 0xd8 },
	{ 3, 0x0f, 0x01, 0xd1 }, { 3, 0x0f, 0x23, 0xf8 }, { 1, 0xec }, { 1, 0xef },
	{ 7, 0xc6, 0x05, 0x01, 0x10, 0xc0, 0xff, 0x02 }, { 1, 0x58 }, { 1, 0x50 },
};

static void program(u8 *p)
{
	unsigned int at = 0, n;

	while (at < PROGRAM_BYTES) {
		u32 r = roll();
		const u8 *word = words[(r >> 8) % ARRAY_SIZE(words)];

		if (r % 4) {
			/* IRET would obey VM on an emulated processor. */
			p[at++] = r >> 24 == 0xcf ? 0x90 : r >> 24;
			continue;
		}
		n = min_t(unsigned int, word[0], PROGRAM_BYTES - at);
		memcpy(p + at, word + 1, n);
		at += n;
	}
}

static bool random_program(u32 i)
{
	u32 r;

	memset(page, 0xc3, 2 * PAGE_SIZE);
	program(page + 64);
	attack_init((u32)page + 64, false);
	for (r = 0; r < 8; r++)
		if (r != 4)
			attack_in.r[r] = roll() & 1 ? (u32)any(false) : roll();
	attack_in.flags |= roll() & (X86_EFLAGS_CF | X86_EFLAGS_ZF |
				     X86_EFLAGS_DF | X86_EFLAGS_ID);
	attack_in.flags |= X86_EFLAGS_IF;
	if (roll() % 16 == 0)
		attack_in.flags |= X86_EFLAGS_TF;
	return attack("program");
}

bool __init test_attack_random(char *detail, size_t size)
{
	return numbered("attack-random", U32_MAX, random_program, detail, size);
}
