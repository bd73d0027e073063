// SPDX-License-Identifier: GPL-2.0
/*
 * The guest's half of the ring protocol; asm/plex86_ring.h says how to use it.
 *
 * The device may be slow, wrong or hostile.  What it writes is read once, and
 * nothing it writes is used as an index, a pointer or a length before it is
 * checked against our own record (struct plex86_slot): a wrong id costs that
 * completion, an impossible index costs the ring.  So do as many wrong ids in a
 * row as there are entries: who makes them as fast as they are looked at would
 * keep us, with interrupts off, for as long as it likes.  For that reason too a
 * request is the device's only when it was told of it.
 *
 * The kernel is built for one CPU, the host is not: barriers between the two
 * are virt_*(), which on UP do not vanish as smp_*() do.
 */
#include <linux/bug.h>
#include <linux/device.h>
#include <linux/errno.h>
#include <linux/gfp.h>
#include <linux/log2.h>
#include <linux/minmax.h>
#include <linux/overflow.h>
#include <linux/slab.h>
#include <asm/barrier.h>
#include <asm/plex86_bus.h>
#include <asm/plex86_call.h>
#include <asm/plex86_ring.h>

#include "plex86.h"

#define NO_ID	U32_MAX

/* One id: in flight with a token, or free and in the list of those. */
struct plex86_slot {
	void *token;
	u32 bytes;		/* of the request's segments */
	u32 at;			/* sub_prod when it was added */
	u32 next;
};

/**
 * plex86_ring_alloc() - make a ring that its device knows nothing of
 * @ring: the ring, all zeroes
 * @pdev: the device
 * @queue: number of the queue
 * @entries: as of plex86_ring_init(), whose first half this is
 *
 * Return: 0, -ENOMEM, or -EINVAL if the device's limits make no sense.
 */
int plex86_ring_alloc(struct plex86_ring *ring, struct plex86_device *pdev,
		      unsigned int queue, u32 entries)
{
	u32 most = READ_ONCE(pdev->page->queue_entries);
	void *memory;
	u32 i;

	if (most < PLEX86_QUEUE_MIN || most > PLEX86_QUEUE_MAX ||
	    !is_power_of_2(most))
		return -EINVAL;
	entries = clamp_t(u32, entries, PLEX86_QUEUE_MIN, most);
	entries = roundup_pow_of_two(entries);

	ring->slots = kvcalloc(entries, sizeof(*ring->slots), GFP_KERNEL);
	memory = alloc_pages_exact(plex86_queue_bytes(entries),
				   GFP_KERNEL | __GFP_ZERO);
	if (!ring->slots || !memory) {
		if (memory)
			free_pages_exact(memory, plex86_queue_bytes(entries));
		kvfree(ring->slots);
		ring->slots = NULL;
		return -ENOMEM;
	}

	ring->pdev = pdev;
	ring->queue = queue;
	ring->entries = entries;
	ring->shared = memory;
	ring->sub = memory + PLEX86_SUB_OFFSET;
	ring->comp = (void *)(ring->sub + entries);
	ring->max_segs = READ_ONCE(pdev->page->segs);
	ring->indirect = plex86_has_feature(pdev, PLEX86_F_INDIRECT);
	for (i = 0; i < entries; i++)
		ring->slots[i].next = i + 1 < entries ? i + 1 : NO_ID;
	plex86_ring_disable(ring);
	return 0;
}

/**
 * plex86_ring_init() - set up a queue of a device
 * @ring: the ring, all zeroes
 * @pdev: the device
 * @queue: number of the queue
 * @entries: how many requests are wanted in flight at most; rounded up to a
 *	power of two, and down to what the device takes
 *
 * Completions are not notified before plex86_ring_enable().
 *
 * Return: 0, -ENOMEM, -EINVAL if the device's limits make no sense, or what the
 * host answered.
 */
int plex86_ring_init(struct plex86_ring *ring, struct plex86_device *pdev,
		     unsigned int queue, u32 entries)
{
	phys_addr_t gpa;
	int err;

	err = plex86_ring_alloc(ring, pdev, queue, entries);
	if (err)
		return err;
	gpa = __pa(ring->shared);
	err = plex86_call(PLEX86_CALL_QUEUE_SET, pdev->index, queue,
			  lower_32_bits(gpa), upper_32_bits(gpa),
			  ring->entries);
	if (err)
		plex86_ring_free(ring);
	return err;
}
EXPORT_SYMBOL_GPL(plex86_ring_init);

/**
 * plex86_ring_free() - give up a queue
 * @ring: the ring; one that was never set up is fine
 *
 * The device must have been reset, and what was in flight taken back.
 */
void plex86_ring_free(struct plex86_ring *ring)
{
	if (!ring->shared)
		return;
	WARN_ON(ring->in_flight);
	free_pages_exact(ring->shared, plex86_queue_bytes(ring->entries));
	kvfree(ring->slots);
	memset(ring, 0, sizeof(*ring));
}
EXPORT_SYMBOL_GPL(plex86_ring_free);

/**
 * plex86_ring_add() - add a request
 * @ring: the ring
 * @request: what is wanted; read before this returns, but for a long @segs
 * @token: what plex86_ring_get() is to return with the result; not NULL
 *
 * The device learns of it by the next plex86_ring_kick().
 *
 * Return: 0, -ENOSPC if the ring is full, -EINVAL if the device does not take
 * so many segments or so many bytes, -EIO if the ring is broken.
 */
int plex86_ring_add(struct plex86_ring *ring,
		    const struct plex86_request *request, void *token)
{
	bool indirect = request->nsegs > PLEX86_INLINE_SEGS;
	struct plex86_slot *slot;
	struct plex86_sub *sub;
	u32 bytes = 0, id, i;

	if (ring->broken)
		return -EIO;
	if (ring->in_flight == ring->entries)
		return -ENOSPC;
	if (request->nsegs > ring->max_segs || (indirect && !ring->indirect))
		return -EINVAL;
	for (i = 0; i < request->nsegs; i++)
		if (check_add_overflow(bytes, request->segs[i].bytes, &bytes))
			return -EINVAL;

	id = ring->free;
	slot = &ring->slots[id];
	ring->free = slot->next;
	slot->token = token;
	slot->bytes = bytes;
	slot->at = ring->sub_prod;

	sub = &ring->sub[ring->sub_prod & (ring->entries - 1)];
	sub->op = request->op;
	sub->flags = request->flags | (indirect ? PLEX86_SUB_INDIRECT : 0);
	sub->id = id;
	sub->arg = request->arg;
	sub->arg2 = request->arg2;
	sub->segs = request->nsegs;
	sub->zero = 0;
	if (indirect)
		plex86_seg_set(&sub->seg[0], request->segs,
			       request->nsegs * sizeof(*request->segs));
	else
		memcpy(sub->seg, request->segs,
		       request->nsegs * sizeof(*request->segs));

	ring->sub_prod++;
	ring->in_flight++;
	return 0;
}
EXPORT_SYMBOL_GPL(plex86_ring_add);

/**
 * plex86_ring_kick_prepare() - publish what was added
 * @ring: the ring
 *
 * Return: true if the device must be notified with plex86_ring_notify().
 */
bool plex86_ring_kick_prepare(struct plex86_ring *ring)
{
	u32 old = ring->sub_known;

	if (ring->broken || old == ring->sub_prod)
		return false;
	ring->sub_known = ring->sub_prod;

	/* The packets first, then the index that makes them the device's. */
	virt_store_release(&ring->shared->sub_prod, ring->sub_prod);

	/* The device writes sub_event, then looks at sub_prod once more. */
	virt_mb();
	return plex86_need_event(READ_ONCE(ring->shared->sub_event),
				 ring->sub_prod, old);
}
EXPORT_SYMBOL_GPL(plex86_ring_kick_prepare);

/**
 * plex86_ring_notify() - ring the doorbell
 * @ring: the ring
 */
void plex86_ring_notify(struct plex86_ring *ring)
{
	plex86_call(PLEX86_CALL_NOTIFY, ring->pdev->index, ring->queue, 0, 0,
		    0);
}
EXPORT_SYMBOL_GPL(plex86_ring_notify);

/* Is there a request of that id, which the device was told of? */
static bool plex86_ring_knows(const struct plex86_ring *ring, u32 id)
{
	return id < ring->entries && ring->slots[id].token &&
	       (s32)(ring->sub_known - ring->slots[id].at) > 0;
}

/* The id is ours again; its token is the caller's. */
static void *plex86_ring_release(struct plex86_ring *ring, u32 id)
{
	struct plex86_slot *slot = &ring->slots[id];
	void *token = slot->token;

	slot->token = NULL;
	slot->next = ring->free;
	ring->free = id;
	ring->in_flight--;
	return token;
}

/**
 * plex86_ring_get() - take a completion
 * @ring: the ring
 * @result: where it goes
 *
 * Return: true if there was one.
 */
bool plex86_ring_get(struct plex86_ring *ring, struct plex86_result *result)
{
	const struct plex86_comp *comp;
	u32 prod, id;

	if (ring->broken)
		return false;
	for (;;) {
		/* The index first, then the packets it makes ours. */
		prod = virt_load_acquire(&ring->shared->comp_prod);
		if (prod == ring->comp_cons)
			return false;
		if (prod - ring->comp_cons > ring->entries) {
			dev_err(&ring->pdev->dev,
				"queue %u: %u completions of %u requests\n",
				ring->queue, prod - ring->comp_cons,
				ring->entries);
			ring->broken = true;
			return false;
		}

		comp = &ring->comp[ring->comp_cons & (ring->entries - 1)];
		id = READ_ONCE(comp->id);
		result->status = READ_ONCE(comp->status);
		result->flags = READ_ONCE(comp->flags);
		result->bytes = READ_ONCE(comp->bytes);

		ring->comp_cons++;
		/* Read first: from here on the place is the device's again. */
		virt_store_release(&ring->shared->comp_cons, ring->comp_cons);

		if (plex86_ring_knows(ring, id)) {
			ring->strays = 0;
			result->bytes = min(result->bytes,
					    ring->slots[id].bytes);
			result->token = plex86_ring_release(ring, id);
			return true;
		}
		dev_warn_ratelimited(&ring->pdev->dev,
				     "queue %u: completion of no request (%u)\n",
				     ring->queue, id);
		if (++ring->strays == ring->entries) {
			dev_err(&ring->pdev->dev,
				"queue %u: nothing but completions of no request\n",
				ring->queue);
			ring->broken = true;
			return false;
		}
	}
}
EXPORT_SYMBOL_GPL(plex86_ring_get);

/**
 * plex86_ring_enable() - ask to be notified of completions
 * @ring: the ring
 * @after: how many more to let pass first; fewer than are in flight
 *
 * One notification comes, and then no other until this is called again.  After
 * it returned false the caller must look for completions again, as it may not
 * be notified of them.
 *
 * Return: true if there is no completion to take now, or not more than @after.
 */
bool plex86_ring_enable(struct plex86_ring *ring, u32 after)
{
	if (ring->broken)
		return true;
	WRITE_ONCE(ring->shared->comp_event, ring->comp_cons + after);

	/* The device writes comp_prod, then reads comp_event. */
	virt_mb();
	return READ_ONCE(ring->shared->comp_prod) - ring->comp_cons <= after;
}
EXPORT_SYMBOL_GPL(plex86_ring_enable);

/**
 * plex86_ring_disable() - ask not to be notified of completions
 * @ring: the ring
 *
 * A hint: one that is on its way still comes.
 */
void plex86_ring_disable(struct plex86_ring *ring)
{
	/* The place that will be passed last of all. */
	WRITE_ONCE(ring->shared->comp_event, ring->comp_cons - 1);
}
EXPORT_SYMBOL_GPL(plex86_ring_disable);

/**
 * plex86_ring_take_back() - take back a request that will not complete
 * @ring: the ring, of a device that was reset
 *
 * Return: the token of a request in flight, or NULL if there is none left.
 */
void *plex86_ring_take_back(struct plex86_ring *ring)
{
	u32 id;

	if (!ring->in_flight)
		return NULL;
	for (id = 0; id < ring->entries; id++)
		if (ring->slots[id].token)
			return plex86_ring_release(ring, id);
	return NULL;
}
EXPORT_SYMBOL_GPL(plex86_ring_take_back);
