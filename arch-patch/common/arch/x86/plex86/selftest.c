// SPDX-License-Identifier: GPL-2.0
/*
 * Tests of the host that only a kernel can make.
 *
 * plex86.selftest=NAME[,NAME...] on the command line runs the named tests, in
 * that order, at the end of the boot.  Each is a line on the console:
 *
 *	plex86-selftest: NAME: pass: DETAIL
 *	plex86-selftest: NAME: fail: DETAIL
 *
 * A test that takes the guest with it prints "plex86-selftest: NAME: start"
 * and no more, and its verdict is what the host says.
 */
#define pr_fmt(fmt) "plex86-selftest: " fmt

#include <linux/init.h>
#include <linux/irqflags.h>
#include <linux/kernel.h>
#include <linux/ktime.h>
#include <linux/math64.h>
#include <linux/moduleparam.h>
#include <linux/printk.h>
#include <linux/string.h>
#include <asm/page.h>
#include <asm/plex86_call.h>

#include "plex86.h"

struct selftest {
	const char *name;
	/* Fills in @detail; returns whether it passed. */
	bool (*run)(char *detail, size_t size);
};

#define ROUNDS		1000000
#define TRAP_ROUNDS	100000	/* of what may cost microseconds */

/* @expression, a statement, @rounds times; @detail says what one took. */
#define TIME_IT(detail, size, rounds, expression)			\
do {									\
	u32 rounds_ = (rounds), round_;					\
	u64 start_ = ktime_get_ns(), ns_;				\
									\
	for (round_ = 0; round_ < rounds_; round_++)			\
		expression;						\
	ns_ = div_u64((ktime_get_ns() - start_) * 10, rounds_);		\
	snprintf(detail, size, "%llu.%llu ns each",			\
		 div_u64(ns_, 10), ns_ - div_u64(ns_, 10) * 10);	\
} while (0)

static bool test_halcall(char *detail, size_t size)
{
	int wrong = 0;

	TIME_IT(detail, size, ROUNDS,
		wrong |= plex86_call2(PLEX86_CALL_NOP, 0, 0));
	return !wrong;
}

/* All registers come back as they were, and an unknown call is refused. */
static bool test_halregs(char *detail, size_t size)
{
	u32 a = ~0u, b = 0xb0b0b0b0, c = 0xc0c0c0c0, d = 0xd0d0d0d0;
	u32 esi = 0x51515151, edi = 0xd1d1d1d1;

	asm volatile("plex86_hal_call"
		     : "+a" (a), "+b" (b), "+c" (c), "+d" (d), "+S" (esi),
		       "+D" (edi), ASM_CALL_CONSTRAINT
		     : : "memory", "cc");
	snprintf(detail, size, "eax %#x ebx %#x ecx %#x edx %#x esi %#x edi %#x",
		 a, b, c, d, esi, edi);
	return a == (u32)-PLEX86_ENOSYS && b == 0xb0b0b0b0 && c == 0xc0c0c0c0 &&
	       d == 0xd0d0d0d0 && esi == 0x51515151 && edi == 0xd1d1d1d1;
}

/* The instruction itself, on a page that is never touched. */
static bool test_invlpg(char *detail, size_t size)
{
	TIME_IT(detail, size, TRAP_ROUNDS,
		asm volatile("invlpg (%0)" : : "r" (PAGE_SIZE) : "memory"));
	return true;
}

static bool test_flush(char *detail, size_t size)
{
	int wrong = 0;

	TIME_IT(detail, size, TRAP_ROUNDS,
		wrong |= plex86_call2(PLEX86_CALL_FLUSH, PAGE_SIZE,
				      2 * PAGE_SIZE));
	return !wrong;
}

static bool test_pushf(char *detail, size_t size)
{
	unsigned long seen = 0;

	TIME_IT(detail, size, ROUNDS, seen |= native_save_fl());
	return seen & X86_EFLAGS_IF;
}

static bool test_cli_sti(char *detail, size_t size)
{
	TIME_IT(detail, size, ROUNDS,
		({ native_irq_disable(); native_irq_enable(); }));
	return !irqs_disabled();
}

static const struct selftest selftests[] = {
	{ "halcall", test_halcall },
	{ "halregs", test_halregs },
	{ "invlpg", test_invlpg },
	{ "flush", test_flush },
	{ "pushf", test_pushf },
	{ "cli-sti", test_cli_sti },
	{ "attack-memory", test_attack_memory },
	{ "attack-gates", test_attack_gates },
	{ "attack-wrpkru", test_attack_wrpkru },
	{ "attack-calls", test_attack_calls },
	{ "attack-random", test_attack_random },
};

#undef MODULE_PARAM_PREFIX
#define MODULE_PARAM_PREFIX "plex86."
static char wanted[256];
module_param_string(selftest, wanted, sizeof(wanted), 0);
MODULE_PARM_DESC(selftest, "names of tests to run, separated by commas");

static void __init plex86_selftest_one(const char *name)
{
	char detail[128] = "";
	unsigned int i;
	bool passed;

	for (i = 0; i < ARRAY_SIZE(selftests); i++) {
		if (strcmp(name, selftests[i].name))
			continue;
		pr_emerg("%s: start\n", name);
		passed = selftests[i].run(detail, sizeof(detail));
		pr_emerg("%s: %s: %s\n", name, passed ? "pass" : "fail", detail);
		return;
	}
	pr_emerg("%s: fail: no such test\n", name);
}

static int __init plex86_selftest(void)
{
	char *names = wanted, *name;

	while ((name = strsep(&names, ",")))
		if (*name)
			plex86_selftest_one(name);
	return 0;
}
late_initcall(plex86_selftest);
