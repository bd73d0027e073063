/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A hostile guest for the back ends, and the launcher around them; see ring.c.
 */
#ifndef RING_H
#define RING_H

#include "fuzz.h"
#include "launcher.h"

#define RAM_PAGES_HERE	16u
#define RAM_HERE	(RAM_PAGES_HERE * PAGE_SIZE)

extern struct vm_context ring_vm;	/* what the back end is given */
extern struct input ring_input;		/* what is left of the input */
extern bool ring_turn;			/* the back end is at work */

/* What a target adds to the guest: an event of the other side's. */
typedef void (*ring_event)(void);

void ring_begin(const u8 *data, size_t bytes);
void ring_run(struct device *dev, ring_event event);
void ring_end(void);
void ring_interlude(void);

#endif
