/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the test table needs of the host it runs on, and nothing more.
 *
 * Two implementations: bochs/port.c asks the ring-0 monitor of the same image,
 * plex86/port.c makes do with what the contract (abi/) gives every guest.  The
 * table itself never names a host.
 */
#ifndef PVI_PORT_H
#define PVI_PORT_H

#include <stdbool.h>
#include <stdint.h>

/* Its name, for the first line of output. */
extern const char port_name[];

/*
 * Does this host let user code run with IF 0?  No kernel asks for it, and a
 * host may run every user with IF 1 whatever the IRET said.
 */
extern const bool port_user_if_off;

/* Once, after descriptor tables are loaded and before any other call. */
void port_init(void);

/*
 * Put the virtual CPU into the state that @bits says: FL_VIF interrupts on,
 * FL_VIP the test interrupt is pending, FL_IF the *hardware's* IF.  Returns
 * false, and does nothing, if this host has no such state.  FL_VIF with FL_VIP
 * is the state between an interrupt's arrival and its delivery: the host
 * delivers at its next chance.
 */
bool port_state(uint32_t bits);

/* FL_VIF or 0; must not reach the host. */
uint32_t port_vif(void);

/* The test interrupt becomes pending; pending or delivered on return. */
void port_raise(void);

/*
 * The test interrupt becomes pending when execution reaches @addr, before the
 * instruction there; once.  Returns false if this host cannot.
 */
bool port_break(uint32_t addr);

/* Forget about port_break(); returns whether it came to pass. */
bool port_broke(void);

/*
 * The test interrupt, @ns from now; PORT_TIMER_OFF: never.  Returns false if
 * this host cannot.
 */
#define PORT_TIMER_OFF	0xffffffff
bool port_timer(uint32_t ns);

/*
 * How many HLTs so far found nothing pending, which a host that has
 * port_break() ends at once with a test interrupt of its own.
 */
uint32_t port_sleeps(void);

/* Groups that make sense on this host only. */
void port_cases(void);

#endif
