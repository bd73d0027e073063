// SPDX-License-Identifier: GPL-2.0
/*
 * The port layer for the image that Bochs boots; guest side, ring 3.
 */
#include "../cases.h"
#include "../port.h"
#include "monitor.h"

const char port_name[] = "Bochs, CR4.PVI";
const bool port_user_if_off = true;

void guest_start(void) __attribute__((noreturn));

void guest_start(void)
{
	guest_init();
	port_init();
	guest_main();
}

void port_init(void)
{
}

bool port_state(uint32_t bits)
{
	guest_call(MON_STATE, bits, 0, NULL);
	return true;
}

uint32_t port_vif(void)
{
	uint32_t flags;

	__asm__ volatile(".byte 0x9c ; popl %0" : "=r" (flags) : : "memory");
	return flags & FL_VIF;
}

void port_raise(void)
{
	guest_call(MON_RAISE, 0, 0, NULL);
}

bool port_break(uint32_t addr)
{
	guest_call(MON_BREAK, addr, 0, NULL);
	return true;
}

bool port_broke(void)
{
	uint32_t broke;

	guest_call(MON_BROKE, 0, 0, &broke);
	return broke;
}

bool port_timer(uint32_t ns)
{
	(void)ns;
	return false;
}

static uint32_t stat(uint32_t which)
{
	uint32_t n;

	guest_call(MON_STATS, which, 0, &n);
	return n;
}

uint32_t port_sleeps(void)
{
	return stat(MON_STAT_SLEEPS);
}

/* Bare @insn from VIF 0 and 1: is VIF, by its bit in EFLAGS, then as said? */
static void bit_19(const char *name, const char *insn, uint32_t from_0,
		   uint32_t from_1)
{
	group_begin(name);
	for (uint32_t n = 0; n < 4 * COMBINATIONS; n++) {
		uint32_t image = flags_of(n / 4) | (n & 1 ? FL_IF : 0);
		uint32_t vif = n & 2 ? FL_VIF : 0;

		*prepare(FL_ONE, 1) = image;
		port_state(vif | FL_IF);
		case_run(insn);
		group_run((case_out.flags & FL_VIF) == (vif ? from_1 : from_0) ?
			  NULL : "bit 19 is wrong");
	}
	group_end();
}

void port_cases(void)
{
	bit_19("bare sti sets bit 19", insn_bare_sti, FL_VIF, FL_VIF);
	bit_19("bare cli clears bit 19", insn_bare_cli, 0, 0);
	bit_19("bare popf leaves bit 19 alone", insn_bare_popf, 0, FL_VIF);

	group_begin("sti reaches the host iff an interrupt is pending");
	for (uint32_t n = 0; n < 2 * COMBINATIONS; n++) {
		uint32_t before = stat(MON_STAT_STI);
		const char *why;

		prepare(flags_of(n / 2), 0);
		port_state(FL_IF | (n & 1 ? FL_VIP : 0));
		case_run(insn_sti);
		why = check_drained(n & 1);
		group_run(stat(MON_STAT_STI) - before == (n & 1) ? why :
			  "wrong number of traps");
	}
	group_end();

	group_begin("without CR4.PVI bare cli and sti raise #GP");
	for (uint32_t n = 0; n < COMBINATIONS; n++) {
		uint32_t before = stat(MON_STAT_STI) + stat(MON_STAT_CLI);

		prepare(flags_of(n), 0);
		port_state(FL_IF);
		guest_call(MON_PVI, 0, 0, NULL);
		case_run(insn_bare_cli);
		case_run(insn_bare_sti);
		guest_call(MON_PVI, 1, 0, NULL);
		group_run(stat(MON_STAT_STI) + stat(MON_STAT_CLI) - before ==
			  2 ? NULL : "no trap");
	}
	group_end();
}
