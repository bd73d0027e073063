/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What a monitor or a launcher that was taken over attempts: system calls that
 * neither has any business with.  Each attempt is harmless where it succeeds.
 */
#ifndef JAIL_TAKEN_H
#define JAIL_TAKEN_H

#include "types.h"

/* The guest's call for attempt EBX, with process ECX for its victim. */
#define CALL_TAKEN	0x7e57

/*
 * attempt() - do number @number of the list (attempts.c, from 1 on)
 * @victim: the ID of a process that is not the VM's
 *
 * Returns what the system call did, -errno included; -1000 behind the list.
 */
long attempt(u32 number, u32 victim);
const char *attempt_name(u32 number);

#endif
