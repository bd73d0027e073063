/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the files of the monitor share.
 */
#ifndef MONITOR_SPACE_H
#define MONITOR_SPACE_H

#include <asm/siginfo.h>

#include "state.h"

/* struct vm is the first member of the one struct state. */
static inline struct state *state_of(struct vm *vm)
{
	return (struct state *)(void *)vm;
}

/* shadow.c */
void shadow_map_host_pages(struct state *state);

/* clock.c */
void clock_start(struct state *state);
void clock_kick(struct state *state, const siginfo_t *si);

/* segment.c is reached through the host_*() functions of core/vm.h only. */

/* monitor.c */
void monitor_die(struct state *state, const char *reason);

#endif
