// SPDX-License-Identifier: GPL-2.0
/*
 * The host's end of a queue: takes submissions, checks them, makes completions.
 *
 * The ring lies in guest RAM and the guest may write it at any time, so every
 * submission is copied before it is looked at, every range is checked against
 * guest RAM, and the host's own indices are kept here, not read back.
 */
#include "queue.h"

#include <string.h>

#define FLAGS_COMMON	0x00ffu		/* every type's; its own lie above */

/*
 * queue_init() - describe a queue that the guest has not set up yet
 * @state: where the monitor records the guest's PLEX86_CALL_QUEUE_SET
 * @dev: the device page, for the features that the guest accepted
 * @segs_max: segments in one request, at most QUEUE_SEGS_MAX
 */
void queue_init(struct queue *q, const struct queue_state *state,
		const struct plex86_dev *dev, u8 *ram, u64 ram_bytes,
		u32 segs_max)
{
	memset(q, 0, sizeof(*q));
	q->state = state;
	q->dev = dev;
	q->ram = ram;
	q->ram_bytes = ram_bytes;
	q->segs_max = segs_max < QUEUE_SEGS_MAX ? segs_max : QUEUE_SEGS_MAX;
}

/*
 * queue_attach() - is the queue there and sound? Finds out when it comes up.
 *
 * A turn of its back end begins with it: until the next call queue_next() takes
 * as many submissions as there are entries, and no more.  A guest that makes
 * them as fast as they are taken would hold up all the others.
 *
 * The core has checked the geometry, but it runs in the monitor, and a guest
 * that has broken that must not reach beyond its own RAM from here.
 */
bool queue_attach(struct queue *q)
{
	u32 entries;
	u64 gpa;

	q->left = q->entries;
	if (q->entries)
		return !q->broken;
	if (!__atomic_load_n(&q->state->ready, __ATOMIC_ACQUIRE))
		return false;
	/* Read once: the monitor may write them at any time. */
	entries = __atomic_load_n(&q->state->entries, __ATOMIC_RELAXED);
	gpa = __atomic_load_n(&q->state->gpa, __ATOMIC_RELAXED);
	if (entries < PLEX86_QUEUE_MIN || entries > PLEX86_QUEUE_MAX ||
	    (entries & (entries - 1)) || (gpa & (PAGE_SIZE - 1)) ||
	    gpa > q->ram_bytes ||
	    plex86_queue_bytes(entries) > q->ram_bytes - gpa)
		return false;
	/* For good: the ring is written whenever the guest writes to it. */
	if (q->holder && !q->holder->hold(q->holder->context, gpa,
					  plex86_queue_bytes(entries)))
		return false;
	q->ring = (struct plex86_queue *)(void *)(q->ram + gpa);
	q->subs = (struct plex86_sub *)(void *)(q->ram + gpa +
						PLEX86_SUB_OFFSET);
	q->comps = (struct plex86_comp *)(void *)(q->subs + entries);
	q->sub_cons = 0;
	q->comp_prod = 0;
	q->comp_told = 0;
	q->broken = false;
	q->entries = entries;
	q->left = entries;
	return true;
}

/* queue_detach() - let go of the queue, before it is described anew */
void queue_detach(struct queue *q)
{
	if (q->entries && q->holder)
		q->holder->release(q->holder->context,
				   (u64)((u8 *)q->ring - q->ram),
				   plex86_queue_bytes(q->entries));
	q->entries = 0;
}

/*
 * queue_hold_range() - the back end is going to write to @range, a segment
 *
 * For back ends that keep segments longer than requests.  To be followed by
 * queue_release_range().  Returns false if it must not write, and the queue is
 * broken then.
 */
bool queue_hold_range(struct queue *q, const struct iovec *range)
{
	if (!q->holder ||
	    q->holder->hold(q->holder->context,
			    (u64)((u8 *)range->iov_base - q->ram),
			    range->iov_len))
		return true;
	q->broken = true;
	return false;
}

/* queue_release_range() - it has written */
void queue_release_range(struct queue *q, const struct iovec *range)
{
	if (q->holder)
		q->holder->release(q->holder->context,
				   (u64)((u8 *)range->iov_base - q->ram),
				   range->iov_len);
}

/*
 * queue_hold() - the same of all segments of @req
 *
 * To be followed by queue_release().
 */
bool queue_hold(struct queue *q, const struct request *req)
{
	u32 i;

	for (i = 0; i < req->segs; i++) {
		if (queue_hold_range(q, &req->seg[i]))
			continue;
		while (i--)
			queue_release_range(q, &req->seg[i]);
		return false;
	}
	return true;
}

/* queue_release() - it has written */
void queue_release(struct queue *q, const struct request *req)
{
	u32 i;

	for (i = 0; i < req->segs; i++)
		queue_release_range(q, &req->seg[i]);
}

/* Adds the guest's range to @req; false if it is not all guest RAM. */
static bool add_seg(struct queue *q, struct request *req,
		    const struct plex86_seg *seg)
{
	if (seg->gpa > q->ram_bytes || seg->bytes > q->ram_bytes - seg->gpa ||
	    req->bytes + seg->bytes < req->bytes)
		return false;
	req->seg[req->segs].iov_base = q->ram + seg->gpa;
	req->seg[req->segs].iov_len = seg->bytes;
	req->segs++;
	req->bytes += seg->bytes;
	return true;
}

static bool take_segs(struct queue *q, struct request *req,
		      const struct plex86_sub *sub)
{
	struct plex86_seg seg;
	u32 i, list_bytes;

	if (sub->segs > q->segs_max)
		return false;
	if (!(sub->flags & PLEX86_SUB_INDIRECT)) {
		if (sub->segs > PLEX86_INLINE_SEGS)
			return false;
		for (i = 0; i < sub->segs; i++)
			if (!add_seg(q, req, &sub->seg[i]))
				return false;
		return true;
	}
	if (!(q->dev->accepted[0] & PLEX86_F_INDIRECT))
		return false;
	list_bytes = sub->segs * (u32)sizeof(seg);
	if (sub->seg[0].gpa > q->ram_bytes ||
	    list_bytes > q->ram_bytes - sub->seg[0].gpa ||
	    sub->seg[0].bytes < list_bytes)
		return false;
	for (i = 0; i < sub->segs; i++) {
		memcpy(&seg, q->ram + sub->seg[0].gpa + i * sizeof(seg),
		       sizeof(seg));
		if (!add_seg(q, req, &seg))
			return false;
	}
	return true;
}

/* queue_pending() - has the guest made something that was not taken? */
bool queue_pending(const struct queue *q)
{
	return q->entries && !q->broken &&
	       __atomic_load_n(&q->ring->sub_prod, __ATOMIC_RELAXED) !=
	       q->sub_cons;
}

/* queue_unfinished() - did the turn end with more there than it may take? */
bool queue_unfinished(const struct queue *q)
{
	return !q->left && queue_pending(q);
}

/* queue_quiet() - the guest need not ring, until queue_next() finds nothing */
void queue_quiet(struct queue *q)
{
	if (q->entries && !q->broken)
		__atomic_store_n(&q->ring->sub_event, q->sub_cons - 1,
				 __ATOMIC_RELAXED);
}

/*
 * queue_next() - take the next submission
 *
 * Malformed ones are completed with PLEX86_S_BADREQ, those with unknown flags
 * with PLEX86_S_UNSUPPORTED, and not shown.  When there are none left, the guest
 * is asked to ring for the next; when this turn may take no more, it is not, and
 * queue_unfinished() says so.
 */
bool queue_next(struct queue *q, struct request *req)
{
	struct plex86_sub sub;
	u32 prod;

	for (;;) {
		if (q->broken)
			return false;
		prod = __atomic_load_n(&q->ring->sub_prod, __ATOMIC_ACQUIRE);
		if (prod == q->sub_cons) {
			__atomic_store_n(&q->ring->sub_event, q->sub_cons,
					 __ATOMIC_SEQ_CST);
			prod = __atomic_load_n(&q->ring->sub_prod,
					       __ATOMIC_SEQ_CST);
			if (prod == q->sub_cons)
				return false;
		}
		if (prod - q->sub_cons > q->entries) {
			q->broken = true;
			return false;
		}
		if (!q->left)
			return false;
		q->left--;
		memcpy(&sub, &q->subs[q->sub_cons & (q->entries - 1)],
		       sizeof(sub));
		q->sub_cons++;
		__atomic_store_n(&q->ring->sub_cons, q->sub_cons,
				 __ATOMIC_RELEASE);

		req->op = sub.op;
		req->flags = sub.flags & (u16)~FLAGS_COMMON;
		req->id = sub.id;
		req->arg = sub.arg;
		req->arg2 = sub.arg2;
		req->segs = 0;
		req->bytes = 0;
		if (sub.flags & FLAGS_COMMON & ~PLEX86_SUB_INDIRECT)
			queue_complete(q, sub.id, PLEX86_S_UNSUPPORTED, 0, 0);
		else if (take_segs(q, req, &sub))
			return true;
		else
			queue_complete(q, sub.id, PLEX86_S_BADREQ, 0, 0);
		if (q->broken)
			return false;
	}
}

/*
 * queue_complete() - make a completion
 * @bytes: written to the guest's segments, or consumed from them
 *
 * There is room for it as long as the guest takes its completions: a guest
 * that does not has broken the queue.  In a broken one none is made.
 */
void queue_complete(struct queue *q, u32 id, u16 status, u16 flags, u32 bytes)
{
	u32 cons = __atomic_load_n(&q->ring->comp_cons, __ATOMIC_ACQUIRE);
	struct plex86_comp *comp;

	if (q->broken)
		return;
	if (q->comp_prod - cons >= q->entries) {
		q->broken = true;
		return;
	}
	comp = &q->comps[q->comp_prod & (q->entries - 1)];
	comp->id = id;
	comp->status = status;
	comp->flags = flags;
	comp->bytes = bytes;
	comp->zero = 0;
	q->comp_prod++;
	__atomic_store_n(&q->ring->comp_prod, q->comp_prod, __ATOMIC_RELEASE);
}

/* queue_wants_interrupt() - did completions since the last call pass the event? */
bool queue_wants_interrupt(struct queue *q)
{
	u32 event, told = q->comp_told;

	if (!q->entries || q->broken || q->comp_prod == told)
		return false;
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	event = __atomic_load_n(&q->ring->comp_event, __ATOMIC_RELAXED);
	q->comp_told = q->comp_prod;
	return plex86_need_event(event, q->comp_prod, told);
}
