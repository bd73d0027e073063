/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The host's end of a queue (abi/plex86-abi.md, "Queues"); see queue.c.
 */
#ifndef LAUNCHER_QUEUE_H
#define LAUNCHER_QUEUE_H

#include <sys/uio.h>

#include "vm.h"

#define QUEUE_SEGS_MAX	256

/*
 * Before a back end writes to guest RAM it takes hold of the pages, so that no
 * space executes them meanwhile.  hold() returns false if that cannot be had.
 */
struct memory_holder {
	bool (*hold)(void *context, u64 gpa, u64 bytes);
	void (*release)(void *context, u64 gpa, u64 bytes);
	void *context;
};

/* The host's end of one queue. */
struct queue {
	const struct memory_holder *holder;	/* NULL: there is no need */
	const struct queue_state *state;
	const struct plex86_dev *dev;
	u8 *ram;
	u64 ram_bytes;
	u32 entries;		/* 0: not set up */
	u32 segs_max;
	u32 sub_cons, comp_prod, comp_told;
	u32 left;		/* submissions that this turn may still take */
	bool broken;		/* the guest broke the rules; reset mends it */
	struct plex86_queue *ring;
	struct plex86_sub *subs;
	struct plex86_comp *comps;
};

/* A request as the guest made it, copied and checked. */
struct request {
	u16 op;
	u16 flags;		/* the type's own, from bit 8 */
	u32 id;
	u64 arg;
	u32 arg2;
	u32 bytes;		/* of all segments */
	u32 segs;
	struct iovec seg[QUEUE_SEGS_MAX];
};

void queue_init(struct queue *q, const struct queue_state *state,
		const struct plex86_dev *dev, u8 *ram, u64 ram_bytes,
		u32 segs_max);
bool queue_attach(struct queue *q);
void queue_detach(struct queue *q);
bool queue_pending(const struct queue *q);
bool queue_unfinished(const struct queue *q);
void queue_quiet(struct queue *q);
bool queue_next(struct queue *q, struct request *req);
bool queue_hold_range(struct queue *q, const struct iovec *range);
void queue_release_range(struct queue *q, const struct iovec *range);
bool queue_hold(struct queue *q, const struct request *req);
void queue_release(struct queue *q, const struct request *req);
void queue_complete(struct queue *q, u32 id, u16 status, u16 flags, u32 bytes);
bool queue_wants_interrupt(struct queue *q);

#endif
