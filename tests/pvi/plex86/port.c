// SPDX-License-Identifier: GPL-2.0
/*
 * The port layer for a plex86 guest: physical mode, the timer of the contract
 * as the test interrupt, VIF in the info page or, under a host with CR4.PVI,
 * in EFLAGS.
 */
#include "../cases.h"
#include "../port.h"

#define INFO ((volatile struct plex86_info *)PLEX86_INFO)

const char port_name[] = "a plex86 host";
const bool port_user_if_off = false;

void guest_start(void) __attribute__((noreturn));

void guest_start(void)
{
	guest_init();
	port_init();
	guest_main();
}

void port_init(void)
{
	INFO->irq_enabled = 1 << PLEX86_IRQ_TIMER;
	guest_call(PLEX86_CALL_IRQ, 0, 0, NULL);
}

static bool has_pvi(void)
{
	return INFO->host_flags & PLEX86_HOST_PVI;
}

static void set_vif(bool on)
{
	/* No sites, and right whatever form those have. */
	if (on)
		__asm__ volatile(".byte 0xfb" : : : "memory");	/* bare sti */
	else
		__asm__ volatile(".byte 0xfa" : : : "memory");	/* bare cli */
}

/* The hardware's IF is the host's, and what is pending and on comes at once. */
bool port_state(uint32_t bits)
{
	if (!(bits & FL_IF) || (bits & (FL_VIF | FL_VIP)) == (FL_VIF | FL_VIP))
		return false;
	set_vif(false);
	if (bits & FL_VIP)
		port_raise();
	else
		set_vif(bits & FL_VIF);
	return true;
}

uint32_t port_vif(void)
{
	uint32_t flags;

	if (!has_pvi())
		return INFO->vif & FL_IF ? FL_VIF : 0;
	__asm__ volatile(".byte 0x9c ; popl %0" : "=r" (flags) : : "memory");
	return flags & FL_VIF;
}

void port_raise(void)
{
	guest_call(PLEX86_CALL_TIMER, 0, 0, NULL);
}

bool port_break(uint32_t addr)
{
	(void)addr;
	return false;
}

bool port_broke(void)
{
	return false;
}

bool port_timer(uint32_t ns)
{
	guest_call(PLEX86_CALL_TIMER, ns, ns == PORT_TIMER_OFF ?
		   PLEX86_TIMER_OFF : 0, NULL);
	return true;
}

uint32_t port_sleeps(void)
{
	return 0;
}

/* PUSHF adds the word to an image, so other bits in it would show. */
static void vif_word(const char *name, const char *insn, uint32_t image,
		     uint32_t want)
{
	group_begin(name);
	for (uint32_t n = 0; n < 2 * COMBINATIONS && !has_pvi(); n++) {
		*prepare(FL_ONE, 1) = flags_of(n / 2) | image;
		port_state(FL_IF | (n & 1 ? FL_VIF : 0));
		case_run(insn);
		group_run(INFO->vif == want ? NULL : "it is not");
	}
	group_end();
}

void port_cases(void)
{
	/* The PVI form starts with a prefix of its NOP. */
	bool rewritten = *insn_cli != 0x66;

	group_begin(has_pvi() ? "sites are in the PVI form" :
				"sites are in the shared-page form");
	group_run(rewritten != has_pvi() ? NULL : "they are not");
	group_end();

	vif_word("cli makes the vif word 0", insn_cli, 0, 0);
	vif_word("sti makes the vif word 0x200", insn_sti, 0, FL_IF);
	vif_word("popf, image IF=0, makes the vif word 0", insn_popf, 0, 0);
	vif_word("popf, image IF=1, makes the vif word 0x200", insn_popf,
		 FL_IF, FL_IF);
}
