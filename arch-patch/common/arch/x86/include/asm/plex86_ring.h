/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Rings: how a driver talks to its device, in packets.
 *
 * A driver adds requests, makes them known together with plex86_ring_kick(),
 * and takes completions, in the device's order, with plex86_ring_get().  The
 * token it gave with a request comes back.  What the device says is checked:
 * each token comes back once, and no completion claims more bytes than its
 * request had.
 *
 * A ring has no lock.  Its driver calls one function at a time for one ring,
 * and with interrupts off where its interrupt handler calls some too.
 */
#ifndef _ASM_X86_PLEX86_RING_H
#define _ASM_X86_PLEX86_RING_H

#include <linux/types.h>
#include <asm/page.h>
#include <asm/plex86_abi.h>

struct plex86_device;
struct plex86_slot;

/**
 * struct plex86_ring - one queue of a device, as the guest keeps it
 * @pdev: the device
 * @queue: number of the queue
 * @entries: how many it has, a power of two
 * @in_flight: requests added and not yet taken back
 * @shared: the queue in memory; the host writes its second half
 * @sub: submissions in memory
 * @comp: completions in memory
 * @slots: our own record of every id
 * @free: head of the list of unused ids
 * @sub_prod: submissions added, known to the device or not
 * @sub_known: submissions that the device knows of
 * @comp_cons: completions taken
 * @strays: of those, the last in a row that were of no request
 * @max_segs: of one request, as the device says
 * @indirect: segment lists may lie outside the packet
 * @broken: the device left the contract; nothing goes in or out any more
 */
struct plex86_ring {
	struct plex86_device *pdev;
	unsigned int queue;
	u32 entries;
	u32 in_flight;
	struct plex86_queue *shared;
	struct plex86_sub *sub;
	const struct plex86_comp *comp;
	struct plex86_slot *slots;
	u32 free;
	u32 sub_prod;
	u32 sub_known;
	u32 comp_cons;
	u32 strays;
	u32 max_segs;
	bool indirect;
	bool broken;
};

/**
 * struct plex86_request - what the device is asked for
 * @op: operation, by device type
 * @flags: of the type's own, from bit 8
 * @arg: by operation
 * @arg2: by operation
 * @nsegs: how many segments
 * @segs: the segments, in order.  Up to PLEX86_INLINE_SEGS are copied; of more,
 *	the list itself goes to the device, and must be physically contiguous
 *	and stay until the request comes back.
 */
struct plex86_request {
	u16 op;
	u16 flags;
	u64 arg;
	u32 arg2;
	u32 nsegs;
	struct plex86_seg *segs;
};

/**
 * struct plex86_result - how a request ended
 * @token: the token given with it
 * @status: PLEX86_S_*
 * @flags: by operation
 * @bytes: how many the device wrote or consumed; at most what was given
 */
struct plex86_result {
	void *token;
	u16 status;
	u16 flags;
	u32 bytes;
};

int plex86_ring_init(struct plex86_ring *ring, struct plex86_device *pdev,
		     unsigned int queue, u32 entries);
void plex86_ring_free(struct plex86_ring *ring);
int plex86_ring_add(struct plex86_ring *ring,
		    const struct plex86_request *request, void *token);
bool plex86_ring_kick_prepare(struct plex86_ring *ring);
void plex86_ring_notify(struct plex86_ring *ring);
bool plex86_ring_get(struct plex86_ring *ring, struct plex86_result *result);
bool plex86_ring_enable(struct plex86_ring *ring, u32 after);
void plex86_ring_disable(struct plex86_ring *ring);
void *plex86_ring_take_back(struct plex86_ring *ring);

/**
 * plex86_ring_kick() - make the added requests known to the device
 * @ring: the ring
 *
 * Rings the doorbell if the device asked for it.  A driver that holds a lock
 * may rather call the two halves itself, the second without the lock.
 */
static inline void plex86_ring_kick(struct plex86_ring *ring)
{
	if (plex86_ring_kick_prepare(ring))
		plex86_ring_notify(ring);
}

/**
 * plex86_ring_full() - is there no room for a request?
 * @ring: the ring
 */
static inline bool plex86_ring_full(const struct plex86_ring *ring)
{
	return ring->broken || ring->in_flight == ring->entries;
}

/**
 * plex86_seg_set() - make a segment of memory in the kernel's linear map
 * @seg: the segment
 * @addr: start
 * @bytes: length
 */
static inline void plex86_seg_set(struct plex86_seg *seg, const void *addr,
				  u32 bytes)
{
	seg->gpa = __pa(addr);
	seg->bytes = bytes;
	seg->zero = 0;
}

#endif /* _ASM_X86_PLEX86_RING_H */
