// SPDX-License-Identifier: GPL-2.0
/*
 * The port layer for a plex86 guest: physical mode, the timer of the contract
 * as the test interrupt, VIF and VIP in the info page.
 */
#include "../guest.h"
#include "../port.h"

#define INFO ((volatile struct plex86_info *)PLEX86_INFO)

const char port_name[] = "a plex86 host, shared-page form";
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

/* The hardware's IF is 1 in a process, and what is pending and on comes. */
bool port_state(uint32_t bits)
{
	if (!(bits & FL_IF) || (bits & (FL_VIF | FL_VIP)) == (FL_VIF | FL_VIP))
		return false;
	INFO->vif = 0;
	if (bits & FL_VIP)
		port_raise();
	else
		INFO->vif = bits & FL_VIF ? FL_IF : 0;
	return true;
}

uint32_t port_vif(void)
{
	return INFO->vif & FL_IF ? FL_VIF : 0;
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

void port_cases(void)
{
}
