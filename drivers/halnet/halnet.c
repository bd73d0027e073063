// SPDX-License-Identifier: GPL-2.0
/*
 * halnet: the network interface of a plex86 guest, as eth0, eth1, ...
 *
 * Rings live while the interface is up: ndo_open sets them up and ndo_stop
 * resets the device, so that a closed interface has no buffer anywhere.
 *
 * Receiving: whole pages are posted, and the device fills as many as a frame
 * needs.  Headers are copied out, the rest of each page becomes a fragment; a
 * short frame is copied as a whole and its page posted again.  Pages come from a
 * page pool, and go back there when the stack is done with them.
 *
 * Transmitting: the device reads an skb where it lies.  A short frame is copied
 * into its slot instead, and its skb is free at once: such frames, which are
 * most of those that a receiver sends, then need no completion to be told of.
 * Of others one is asked for when three quarters of what is in flight are done.
 *
 * There is one interrupt for all rings, and one poll for both rings of a pair.
 * A ring's notification comes once until it is asked for again, so interrupts
 * need not be turned off while polling.
 */
#include <linux/etherdevice.h>
#include <linux/ethtool.h>
#include <linux/gfp.h>
#include <linux/init.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/netdevice.h>
#include <linux/rtnetlink.h>
#include <linux/skbuff.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/string.h>
#include <linux/u64_stats_sync.h>
#include <linux/virtio_net.h>
#include <linux/workqueue.h>
#include <asm/plex86_bus.h>
#include <asm/plex86_compat_net.h>
#include <asm/plex86_ring.h>

#define RX_ENTRIES	256
#define TX_ENTRIES	256
#define CONTROL_ENTRIES	2
#define MAX_PAIRS	8		/* of what is offered */

#define COPY_BYTES	256		/* a frame this short is copied */
#define TX_SEGS		(MAX_SKB_FRAGS + 2)	/* header, head, fragments */
#define RX_PAGES	DIV_ROUND_UP(PLEX86_NET_FRAME_MAX + \
				     sizeof(struct plex86_net_hdr), PAGE_SIZE)
#define REFILL_JIFFIES	(HZ / 10)	/* when memory was short */
#define RESTART_JIFFIES	HZ		/* a device that is always wrong is no load */

/* The device's header is virtio's, and is handed to virtio's helpers. */
union halnet_hdr {
	struct plex86_net_hdr plex86;
	struct virtio_net_hdr virtio;
};

/* A frame on its way out. */
struct halnet_slot {
	struct sk_buff *skb;		/* NULL: it was copied */
	struct halnet_slot *next;	/* of the free ones */
	union halnet_hdr hdr;
	union {
		struct plex86_seg segs[TX_SEGS];
		u8 data[COPY_BYTES];	/* right behind the header */
	};
};

static_assert(offsetof(struct halnet_slot, data) ==
	      offsetofend(struct halnet_slot, hdr));

enum {
	RX_FRAMES, RX_BYTES, RX_BUFFERS, RX_NO_PAGE, RX_NO_MEMORY, RX_BAD,
	RX_STATS
};

enum {
	TX_FRAMES, TX_BYTES, TX_COPIED, TX_KICKS, TX_STOPS, TX_TIMEOUTS,
	TX_DROPPED, TX_STATS
};

static const char halnet_rx_names[RX_STATS][16] = {
	"packets", "bytes", "buffers", "no_page", "no_memory", "bad",
};

static const char halnet_tx_names[TX_STATS][16] = {
	"packets", "bytes", "copied", "kicks", "stops", "timeouts", "dropped",
};

struct halnet_rx {
	struct plex86_ring ring;
	struct page_pool *pool;
	struct sk_buff *skb;		/* a frame of which some is still to come */
	union halnet_hdr hdr;		/* its header */
	u32 missing;			/* buffers of it */
	bool drop;			/* it is to be dropped when it is complete */
	struct delayed_work refill;

	struct u64_stats_sync sync;
	u64_stats_t stats[RX_STATS];
};

struct halnet_tx {
	struct plex86_ring ring;
	struct halnet_slot *free;
	u32 skbs;			/* slots in flight that hold one */

	struct u64_stats_sync sync;
	u64_stats_t stats[TX_STATS];
};

struct halnet_pair {
	struct halnet *net;
	unsigned int index;
	struct napi_struct napi;
	struct halnet_rx rx;
	struct halnet_tx tx;
};

struct halnet_control {
	struct plex86_ring ring;
	unsigned int queue;
	spinlock_t lock;		/* the interrupt takes completions */
	struct plex86_net_filter wanted;
	struct plex86_net_filter *sent;	/* the device's while busy */
	bool busy;
	bool again;			/* wanted is newer than sent */
};

struct halnet {
	struct plex86_device *pdev;
	struct net_device *dev;
	struct halnet_pair *pairs;
	unsigned int nr_pairs;
	u32 speed_mbps;
	bool up;			/* the rings are set up; under rtnl */
	struct delayed_work restart;
	struct halnet_control control;
};

/*
 * Statistics.  Each is changed with softirqs off, and so by one at a time.
 */

static void halnet_rx_count(struct halnet_rx *rx, int what, u32 n)
{
	u64_stats_update_begin(&rx->sync);
	u64_stats_add(&rx->stats[what], n);
	u64_stats_update_end(&rx->sync);
}

static void halnet_tx_count(struct halnet_tx *tx, int what, u32 n)
{
	u64_stats_update_begin(&tx->sync);
	u64_stats_add(&tx->stats[what], n);
	u64_stats_update_end(&tx->sync);
}

static void halnet_read_stats(const struct u64_stats_sync *sync,
			      const u64_stats_t *stats, unsigned int n, u64 *to)
{
	unsigned int start, i;

	do {
		start = u64_stats_fetch_begin(sync);
		for (i = 0; i < n; i++)
			to[i] = u64_stats_read(&stats[i]);
	} while (u64_stats_fetch_retry(sync, start));
}

/*
 * Transmitting.
 */

static struct netdev_queue *halnet_txq(const struct halnet_pair *pair)
{
	return netdev_get_tx_queue(pair->net->dev, pair->index);
}

static void halnet_slot_free(struct halnet_tx *tx, struct halnet_slot *slot)
{
	slot->skb = NULL;
	slot->next = tx->free;
	tx->free = slot;
}

/* Take back what was sent; the caller holds the queue's lock. */
static void halnet_tx_reclaim(struct halnet_pair *pair)
{
	struct halnet_tx *tx = &pair->tx;
	struct plex86_result result;
	struct halnet_slot *slot;

	while (plex86_ring_get(&tx->ring, &result)) {
		slot = result.token;
		if (slot->skb) {
			tx->skbs--;
			/* Not always in a softirq: a device that is reset. */
			dev_consume_skb_any(slot->skb);
		}
		halnet_slot_free(tx, slot);
		if (unlikely(result.status != PLEX86_S_OK))
			halnet_tx_count(tx, TX_DROPPED, 1);
	}
	if (netif_tx_queue_stopped(halnet_txq(pair)) &&
	    !plex86_ring_full(&tx->ring) &&
	    tx->ring.in_flight <= tx->ring.entries / 2)
		netif_tx_wake_queue(halnet_txq(pair));
}

/*
 * Ask to be told of completions, if somebody waits for one: the stack for its
 * skb, or a stopped queue for room.
 */
static void halnet_tx_events(struct halnet_pair *pair)
{
	struct halnet_tx *tx = &pair->tx;
	u32 after;

	do {
		if (netif_tx_queue_stopped(halnet_txq(pair)))
			after = tx->ring.in_flight / 2;
		else if (tx->skbs)
			after = tx->ring.in_flight * 3 / 4;
		else
			return;
		if (plex86_ring_enable(&tx->ring, after))
			return;
		halnet_tx_reclaim(pair);
	} while (true);
}

static int halnet_tx_add(struct halnet_tx *tx, struct sk_buff *skb)
{
	struct halnet_slot *slot = tx->free;
	struct plex86_request request = {
		.op = PLEX86_NET_OP_TX, .segs = slot->segs,
	};
	struct plex86_seg whole;
	skb_frag_t *frag;
	int i, err;

	if (virtio_net_hdr_from_skb(skb, &slot->hdr.virtio, true, false, 0))
		return -EINVAL;
	slot->hdr.plex86.buffers = 0;

	if (skb->len <= COPY_BYTES) {
		skb_copy_bits(skb, 0, slot->data, skb->len);
		plex86_seg_set(&whole, &slot->hdr, sizeof(slot->hdr) + skb->len);
		request.segs = &whole;
		request.nsegs = 1;
	} else {
		plex86_seg_set(&slot->segs[0], &slot->hdr, sizeof(slot->hdr));
		plex86_seg_set(&slot->segs[1], skb->data, skb_headlen(skb));
		request.nsegs = 2;
		for (i = 0; i < skb_shinfo(skb)->nr_frags; i++) {
			frag = &skb_shinfo(skb)->frags[i];
			slot->segs[request.nsegs++] = (struct plex86_seg){
				.gpa = page_to_phys(skb_frag_page(frag)) +
				       skb_frag_off(frag),
				.bytes = skb_frag_size(frag),
			};
		}
	}
	err = plex86_ring_add(&tx->ring, &request, slot);
	if (err)
		return err;

	tx->free = slot->next;
	if (skb->len > COPY_BYTES) {
		slot->skb = skb;
		tx->skbs++;
	}
	return 0;
}

static void halnet_tx_kick(struct halnet_tx *tx)
{
	if (plex86_ring_kick_prepare(&tx->ring)) {
		plex86_ring_notify(&tx->ring);
		halnet_tx_count(tx, TX_KICKS, 1);
	}
}

static netdev_tx_t halnet_start_xmit(struct sk_buff *skb, struct net_device *dev)
{
	struct halnet *net = netdev_priv(dev);
	struct halnet_pair *pair = &net->pairs[skb_get_queue_mapping(skb)];
	struct halnet_tx *tx = &pair->tx;
	u32 bytes = skb->len;

	halnet_tx_reclaim(pair);
	skb_tx_timestamp(skb);
	if (unlikely(!tx->free || halnet_tx_add(tx, skb))) {
		halnet_tx_count(tx, TX_DROPPED, 1);
		dev_kfree_skb_any(skb);
	} else {
		u64_stats_update_begin(&tx->sync);
		u64_stats_inc(&tx->stats[TX_FRAMES]);
		u64_stats_add(&tx->stats[TX_BYTES], bytes);
		if (bytes <= COPY_BYTES)
			u64_stats_inc(&tx->stats[TX_COPIED]);
		u64_stats_update_end(&tx->sync);
		if (bytes <= COPY_BYTES)
			dev_consume_skb_any(skb);
	}

	if (unlikely(plex86_ring_full(&tx->ring))) {
		netif_tx_stop_queue(halnet_txq(pair));
		halnet_tx_count(tx, TX_STOPS, 1);
	}
	if (!netdev_xmit_more() || netif_xmit_stopped(halnet_txq(pair))) {
		halnet_tx_kick(tx);
		halnet_tx_events(pair);
	}
	return NETDEV_TX_OK;
}

/*
 * Receiving.
 */

/* Post pages until the ring is full; false if there are not enough to be had. */
static bool halnet_rx_refill(struct halnet_rx *rx)
{
	struct plex86_seg seg = { .bytes = PAGE_SIZE };
	struct plex86_request request = {
		.op = PLEX86_NET_OP_RX, .nsegs = 1, .segs = &seg,
	};
	struct page *page;

	while (!plex86_ring_full(&rx->ring)) {
		page = page_pool_dev_alloc_pages(rx->pool);
		if (!page) {
			halnet_rx_count(rx, RX_NO_PAGE, 1);
			break;
		}
		seg.gpa = page_to_phys(page);
		if (plex86_ring_add(&rx->ring, &request, page)) {
			page_pool_put_full_page(rx->pool, page, false);
			break;
		}
	}
	plex86_ring_kick(&rx->ring);
	return plex86_ring_full(&rx->ring);
}

/* Have a pair polled, from a process. */
static void halnet_kick_poll(struct halnet_pair *pair)
{
	local_bh_disable();
	napi_schedule(&pair->napi);
	local_bh_enable();
}

/* The refill that comes later when memory was short. */
static void halnet_rx_refill_later(struct work_struct *work)
{
	halnet_kick_poll(container_of(to_delayed_work(work), struct halnet_pair,
				      rx.refill));
}

/* The host did what it must not: this frame is lost. */
static void halnet_rx_bad(struct halnet_rx *rx)
{
	if (!rx->drop)
		halnet_rx_count(rx, RX_BAD, 1);
	rx->drop = true;
}

/* The device is done with a frame, or with what was to be one. */
static void halnet_rx_end(struct halnet_rx *rx)
{
	kfree_skb(rx->skb);
	rx->skb = NULL;
	rx->missing = 0;
	rx->drop = false;
}

/* The first buffer of a frame: what it says decides on all of it. */
static void halnet_rx_first(struct halnet_pair *pair, struct page *page,
			    u32 bytes)
{
	struct halnet_rx *rx = &pair->rx;
	struct net_device *dev = pair->net->dev;
	u8 *data = page_address(page);
	u32 head;

	memcpy(&rx->hdr, data, sizeof(rx->hdr));
	rx->missing = rx->hdr.plex86.buffers;
	if (!rx->missing || rx->missing > RX_PAGES) {
		rx->missing = 1;
		halnet_rx_bad(rx);
		return;
	}

	data += sizeof(rx->hdr);
	bytes -= sizeof(rx->hdr);
	if (bytes <= COPY_BYTES)
		head = bytes;
	else
		head = eth_get_headlen(dev, data, COPY_BYTES);
	rx->skb = napi_alloc_skb(&pair->napi, COPY_BYTES);
	if (unlikely(!rx->skb)) {
		halnet_rx_count(rx, RX_NO_MEMORY, 1);
		rx->drop = true;
		return;
	}
	skb_mark_for_recycle(rx->skb);
	skb_put_data(rx->skb, data, head);
	if (head < bytes) {
		skb_add_rx_frag(rx->skb, 0, page,
				sizeof(rx->hdr) + head, bytes - head, PAGE_SIZE);
		return;
	}
	page_pool_recycle_direct(rx->pool, page);
}

/* Does a frame come with no offload but those that were agreed on? */
static bool halnet_rx_agreed(const struct plex86_device *pdev,
			     const struct plex86_net_hdr *hdr)
{
	u64 needed = PLEX86_NET_F_GUEST_CSUM;

	if (!hdr->flags && !hdr->gso_type)
		return true;
	switch (hdr->gso_type & ~PLEX86_NET_HDR_GSO_ECN) {
	case PLEX86_NET_HDR_GSO_NONE:
		break;
	case PLEX86_NET_HDR_GSO_TCPV4:
		needed |= PLEX86_NET_F_GUEST_TSO4;
		break;
	case PLEX86_NET_HDR_GSO_TCPV6:
		needed |= PLEX86_NET_F_GUEST_TSO6;
		break;
	default:
		return false;
	}
	if (hdr->gso_type & PLEX86_NET_HDR_GSO_ECN)
		needed |= PLEX86_NET_F_GUEST_ECN;
	if (hdr->gso_type && !(hdr->flags & PLEX86_NET_HDR_NEEDS_CSUM))
		return false;
	return (pdev->features & needed) == needed;
}

/* Hand a whole frame to the stack, if it can be one. */
static void halnet_rx_frame(struct halnet_pair *pair)
{
	struct halnet_rx *rx = &pair->rx;
	struct net_device *dev = pair->net->dev;
	struct sk_buff *skb = rx->skb;

	if (rx->drop)
		return;
	if (rx->hdr.plex86.flags & PLEX86_NET_HDR_DATA_VALID)
		skb->ip_summed = CHECKSUM_UNNECESSARY;
	if (!halnet_rx_agreed(pair->net->pdev, &rx->hdr.plex86) ||
	    virtio_net_hdr_to_skb(skb, &rx->hdr.virtio, true)) {
		halnet_rx_bad(rx);
		return;
	}

	rx->skb = NULL;
	u64_stats_update_begin(&rx->sync);
	u64_stats_inc(&rx->stats[RX_FRAMES]);
	u64_stats_add(&rx->stats[RX_BYTES], skb->len);
	u64_stats_update_end(&rx->sync);
	skb_record_rx_queue(skb, pair->index);
	skb->protocol = eth_type_trans(skb, dev);
	napi_gro_receive(&pair->napi, skb);
}

/* A filled buffer; true if a frame ends with it. */
static bool halnet_rx_buffer(struct halnet_pair *pair,
			     const struct plex86_result *result)
{
	struct halnet_rx *rx = &pair->rx;
	struct page *page = result->token;
	bool first = !rx->missing;
	u32 least = first ? sizeof(rx->hdr) + ETH_HLEN : 1;
	struct sk_buff *skb;

	if (unlikely(result->status != PLEX86_S_OK || result->bytes < least)) {
		rx->missing = first ? 1 : rx->missing;
		halnet_rx_bad(rx);
	}

	if (rx->drop) {
		page_pool_recycle_direct(rx->pool, page);
	} else if (first) {
		halnet_rx_first(pair, page, result->bytes);
		if (rx->drop)
			page_pool_recycle_direct(rx->pool, page);
	} else {
		skb = rx->skb;
		if (skb_shinfo(skb)->nr_frags < MAX_SKB_FRAGS) {
			skb_add_rx_frag(skb, skb_shinfo(skb)->nr_frags, page, 0,
					result->bytes, PAGE_SIZE);
		} else {
			page_pool_recycle_direct(rx->pool, page);
			halnet_rx_bad(rx);
		}
	}

	if (--rx->missing)
		return false;
	halnet_rx_frame(pair);
	halnet_rx_end(rx);
	return true;
}

/* A ring that the device has broken is mended by a reset only. */
static void halnet_check(struct halnet *net, const struct plex86_ring *ring)
{
	if (unlikely(ring->broken))
		schedule_delayed_work(&net->restart, RESTART_JIFFIES);
}

static int halnet_poll(struct napi_struct *napi, int budget)
{
	struct halnet_pair *pair = container_of(napi, struct halnet_pair, napi);
	struct halnet_rx *rx = &pair->rx;
	struct plex86_result result;
	u32 buffers = 0;
	int done = 0;

	__netif_tx_lock(halnet_txq(pair), smp_processor_id());
	halnet_tx_reclaim(pair);
	halnet_tx_events(pair);
	__netif_tx_unlock(halnet_txq(pair));

	/* Called without a budget it is for room to transmit only. */
	if (!budget)
		return 0;
	while (done < budget && plex86_ring_get(&rx->ring, &result)) {
		buffers++;
		done += halnet_rx_buffer(pair, &result);
	}
	if (buffers)
		halnet_rx_count(rx, RX_BUFFERS, buffers);
	if (!halnet_rx_refill(rx))
		schedule_delayed_work(&rx->refill, REFILL_JIFFIES);
	halnet_check(pair->net, &rx->ring);
	halnet_check(pair->net, &pair->tx.ring);

	if (done < budget && napi_complete_done(napi, done) &&
	    !plex86_ring_enable(&rx->ring, 0))
		napi_schedule(napi);
	return done;
}

/*
 * Control: the filter.
 */

/* Send what is wanted, unless that is under way; the lock is held. */
static void halnet_control_send(struct halnet_control *control)
{
	struct plex86_seg seg;
	struct plex86_request request = {
		.op = PLEX86_NET_OP_FILTER, .nsegs = 1, .segs = &seg,
	};

	if (control->busy || !control->again)
		return;
	*control->sent = control->wanted;
	plex86_seg_set(&seg, control->sent, sizeof(*control->sent));
	if (plex86_ring_add(&control->ring, &request, control))
		return;
	control->busy = true;
	control->again = false;
	plex86_ring_kick(&control->ring);
}

/* The one before stays in force then: all frames are better than too few. */
static void halnet_filter_refused(struct halnet *net, u16 status)
{
	struct halnet_control *control = &net->control;

	if (control->again || control->wanted.flags & PLEX86_NET_PROMISC)
		return;
	netdev_warn_once(net->dev, "filter refused: status %u\n", status);
	control->wanted.flags = PLEX86_NET_PROMISC;
	control->wanted.count = 0;
	control->again = true;
}

static void halnet_control_interrupt(struct halnet *net)
{
	struct halnet_control *control = &net->control;
	struct plex86_result result;
	unsigned long flags;

	spin_lock_irqsave(&control->lock, flags);
	do {
		while (plex86_ring_get(&control->ring, &result)) {
			control->busy = false;
			if (result.status != PLEX86_S_OK)
				halnet_filter_refused(net, result.status);
		}
		halnet_control_send(control);
	} while (!plex86_ring_enable(&control->ring, 0));
	halnet_check(net, &control->ring);
	spin_unlock_irqrestore(&control->lock, flags);
}

static void halnet_filter_add(struct plex86_net_filter *filter, const u8 *mac)
{
	ether_addr_copy(filter->mac[filter->count++], mac);
}

/* Called with the lock of the address lists held. */
static void halnet_set_rx_mode(struct net_device *dev)
{
	struct halnet *net = netdev_priv(dev);
	struct halnet_control *control = &net->control;
	struct plex86_net_filter *filter = &control->wanted;
	struct netdev_hw_addr *ha;
	unsigned long flags;

	if (!control->ring.shared)
		return;
	spin_lock_irqsave(&control->lock, flags);
	filter->flags = 0;
	filter->count = 0;
	halnet_filter_add(filter, dev->dev_addr);

	/* What does not fit into the list comes with all the others. */
	if (dev->flags & IFF_PROMISC ||
	    netdev_uc_count(dev) > PLEX86_NET_FILTER_MAX - filter->count)
		filter->flags |= PLEX86_NET_PROMISC;
	else
		netdev_for_each_uc_addr(ha, dev)
			halnet_filter_add(filter, ha->addr);
	if (dev->flags & IFF_ALLMULTI ||
	    netdev_mc_count(dev) > PLEX86_NET_FILTER_MAX - filter->count)
		filter->flags |= PLEX86_NET_ALLMULTI;
	else
		netdev_for_each_mc_addr(ha, dev)
			halnet_filter_add(filter, ha->addr);

	control->again = true;
	halnet_control_send(control);
	spin_unlock_irqrestore(&control->lock, flags);
}

static int halnet_set_mac_address(struct net_device *dev, void *addr)
{
	int err = eth_mac_addr(dev, addr);

	if (err)
		return err;
	netif_addr_lock_bh(dev);
	halnet_set_rx_mode(dev);
	netif_addr_unlock_bh(dev);
	return 0;
}

/*
 * Up and down.
 */

static void halnet_rx_free(struct halnet_rx *rx)
{
	struct page *page;

	while ((page = plex86_ring_take_back(&rx->ring)))
		page_pool_put_full_page(rx->pool, page, false);
	halnet_rx_end(rx);
	plex86_ring_free(&rx->ring);
	page_pool_destroy(rx->pool);
	rx->pool = NULL;
}

static int halnet_rx_init(struct halnet_pair *pair)
{
	struct page_pool_params params = {
		.pool_size = RX_ENTRIES, .nid = NUMA_NO_NODE,
	};
	struct halnet_rx *rx = &pair->rx;
	struct page_pool *pool = page_pool_create(&params);
	int err;

	if (IS_ERR(pool))
		return PTR_ERR(pool);
	err = plex86_ring_init(&rx->ring, pair->net->pdev,
			       PLEX86_NET_RX(pair->index), RX_ENTRIES);
	if (err) {
		page_pool_destroy(pool);
		return err;
	}
	rx->pool = pool;
	return 0;
}

static void halnet_tx_free(struct halnet_tx *tx)
{
	struct halnet_slot *slot;

	while ((slot = plex86_ring_take_back(&tx->ring))) {
		if (slot->skb)
			dev_kfree_skb_any(slot->skb);
		halnet_slot_free(tx, slot);
	}
	while ((slot = tx->free)) {
		tx->free = slot->next;
		kfree(slot);
	}
	plex86_ring_free(&tx->ring);
	tx->skbs = 0;
}

static int halnet_tx_init(struct halnet_pair *pair)
{
	struct halnet_tx *tx = &pair->tx;
	struct halnet_slot *slot;
	u32 i;
	int err;

	err = plex86_ring_init(&tx->ring, pair->net->pdev,
			       PLEX86_NET_TX(pair->index), TX_ENTRIES);
	if (err)
		return err;
	for (i = 0; i < tx->ring.entries; i++) {
		slot = kzalloc(sizeof(*slot), GFP_KERNEL);
		if (!slot)
			return -ENOMEM;
		halnet_slot_free(tx, slot);
	}
	return 0;
}

/* Free what the device, reset, has left. */
static void halnet_free(struct halnet *net)
{
	struct halnet_control *control = &net->control;
	unsigned int i;

	for (i = 0; i < net->nr_pairs; i++) {
		if (net->pairs[i].rx.pool)
			halnet_rx_free(&net->pairs[i].rx);
		halnet_tx_free(&net->pairs[i].tx);
	}
	while (plex86_ring_take_back(&control->ring))
		;
	plex86_ring_free(&control->ring);
	control->busy = false;
}

/* The configuration's link, which may have changed. */
static void halnet_link(struct halnet *net)
{
	struct plex86_net_config config;

	if (plex86_config_read(net->pdev, &config, sizeof(config)))
		return;
	net->speed_mbps = config.speed_mbps;
	if (config.link & PLEX86_NET_LINK_UP)
		netif_carrier_on(net->dev);
	else
		netif_carrier_off(net->dev);
}

static int halnet_up(struct halnet *net)
{
	struct halnet_control *control = &net->control;
	unsigned int i;
	int err;

	err = plex86_device_restart(net->pdev);
	for (i = 0; !err && i < net->nr_pairs; i++) {
		err = halnet_rx_init(&net->pairs[i]);
		if (!err)
			err = halnet_tx_init(&net->pairs[i]);
	}
	if (!err && control->sent)
		err = plex86_ring_init(&control->ring, net->pdev,
				       control->queue, CONTROL_ENTRIES);
	if (err) {
		plex86_device_reset(net->pdev);
		halnet_free(net);
		return err;
	}

	net->up = true;
	plex86_device_ready(net->pdev);
	if (control->ring.shared)
		halnet_control_interrupt(net);
	for (i = 0; i < net->nr_pairs; i++) {
		napi_enable(&net->pairs[i].napi);
		/* The first poll posts buffers and asks for interrupts. */
		halnet_kick_poll(&net->pairs[i]);
	}
	halnet_link(net);
	return 0;
}

static void halnet_down(struct halnet *net)
{
	unsigned int i;

	if (!net->up)
		return;
	net->up = false;
	plex86_device_reset(net->pdev);
	for (i = 0; i < net->nr_pairs; i++) {
		napi_disable(&net->pairs[i].napi);
		cancel_delayed_work_sync(&net->pairs[i].rx.refill);
	}
	netif_tx_disable(net->dev);
	netif_carrier_off(net->dev);
	halnet_free(net);
}

static int halnet_open(struct net_device *dev)
{
	int err = halnet_up(netdev_priv(dev));

	if (!err)
		netif_tx_start_all_queues(dev);
	return err;
}

static int halnet_stop(struct net_device *dev)
{
	struct halnet *net = netdev_priv(dev);

	/* One that waits for rtnl already finds nothing to do. */
	cancel_delayed_work(&net->restart);
	halnet_down(net);
	return 0;
}

/*
 * A device that transmits nothing, or has broken a ring: begin again with empty
 * rings, as often as it takes.
 */
static void halnet_restart(struct work_struct *work)
{
	struct halnet *net = container_of(to_delayed_work(work), struct halnet,
					  restart);
	struct net_device *dev = net->dev;
	bool first;
	int err;

	rtnl_lock();
	if (netif_running(dev)) {
		first = net->up;
		halnet_down(net);
		err = halnet_up(net);
		if (err) {
			if (first)
				netdev_err(dev, "no restart: %d; trying again\n",
					   err);
			schedule_delayed_work(&net->restart, RESTART_JIFFIES);
		} else {
			netif_addr_lock_bh(dev);
			halnet_set_rx_mode(dev);
			netif_addr_unlock_bh(dev);
			netif_tx_wake_all_queues(dev);
		}
	}
	rtnl_unlock();
}

static void halnet_tx_timeout(struct net_device *dev, unsigned int txqueue)
{
	struct halnet *net = netdev_priv(dev);

	halnet_tx_count(&net->pairs[txqueue].tx, TX_TIMEOUTS, 1);
	netdev_warn(dev, "queue %u: %u frames are not sent, resetting\n",
		    txqueue, net->pairs[txqueue].tx.ring.in_flight);
	schedule_delayed_work(&net->restart, 0);
}

static void halnet_get_stats64(struct net_device *dev,
			       struct rtnl_link_stats64 *total)
{
	struct halnet *net = netdev_priv(dev);
	u64 rx[RX_STATS], tx[TX_STATS];
	unsigned int i;

	for (i = 0; i < net->nr_pairs; i++) {
		halnet_read_stats(&net->pairs[i].rx.sync, net->pairs[i].rx.stats,
				  RX_STATS, rx);
		halnet_read_stats(&net->pairs[i].tx.sync, net->pairs[i].tx.stats,
				  TX_STATS, tx);
		total->rx_packets += rx[RX_FRAMES];
		total->rx_bytes += rx[RX_BYTES];
		total->rx_dropped += rx[RX_NO_MEMORY];
		total->rx_errors += rx[RX_BAD];
		total->tx_packets += tx[TX_FRAMES];
		total->tx_bytes += tx[TX_BYTES];
		total->tx_dropped += tx[TX_DROPPED];
	}
}

static const struct net_device_ops halnet_ops = {
	.ndo_open		= halnet_open,
	.ndo_stop		= halnet_stop,
	.ndo_start_xmit		= halnet_start_xmit,
	.ndo_tx_timeout		= halnet_tx_timeout,
	.ndo_set_rx_mode	= halnet_set_rx_mode,
	.ndo_set_mac_address	= halnet_set_mac_address,
	.ndo_validate_addr	= eth_validate_addr,
	.ndo_get_stats64	= halnet_get_stats64,
};

/*
 * ethtool.
 */

static void halnet_get_drvinfo(struct net_device *dev,
			       struct ethtool_drvinfo *info)
{
	struct halnet *net = netdev_priv(dev);

	strscpy(info->driver, "halnet", sizeof(info->driver));
	strscpy(info->bus_info, dev_name(&net->pdev->dev),
		sizeof(info->bus_info));
}

static int halnet_get_link_ksettings(struct net_device *dev,
				     struct ethtool_link_ksettings *cmd)
{
	struct halnet *net = netdev_priv(dev);

	cmd->base.speed = net->speed_mbps ?: SPEED_UNKNOWN;
	cmd->base.duplex = DUPLEX_FULL;
	cmd->base.port = PORT_OTHER;
	return 0;
}

static void halnet_get_ringparam(struct net_device *dev,
				 struct ethtool_ringparam *ring,
				 struct kernel_ethtool_ringparam *kernel_ring,
				 struct netlink_ext_ack *extack)
{
	struct halnet *net = netdev_priv(dev);
	u32 most = READ_ONCE(net->pdev->page->queue_entries);

	/* Those that are; while there are none, those that would be. */
	ring->rx_max_pending = net->pairs[0].rx.ring.entries ?:
			       min_t(u32, most, RX_ENTRIES);
	ring->tx_max_pending = net->pairs[0].tx.ring.entries ?:
			       min_t(u32, most, TX_ENTRIES);
	ring->rx_pending = ring->rx_max_pending;
	ring->tx_pending = ring->tx_max_pending;
}

static void halnet_get_channels(struct net_device *dev,
				struct ethtool_channels *channels)
{
	struct halnet *net = netdev_priv(dev);

	channels->max_combined = net->nr_pairs;
	channels->combined_count = net->nr_pairs;
}

static int halnet_get_sset_count(struct net_device *dev, int set)
{
	struct halnet *net = netdev_priv(dev);

	return set == ETH_SS_STATS ? net->nr_pairs * (RX_STATS + TX_STATS) :
				     -EOPNOTSUPP;
}

static void halnet_get_strings(struct net_device *dev, u32 set, u8 *to)
{
	struct halnet *net = netdev_priv(dev);
	unsigned int i, n;

	if (set != ETH_SS_STATS)
		return;
	for (i = 0; i < net->nr_pairs; i++) {
		for (n = 0; n < RX_STATS; n++)
			ethtool_sprintf(&to, "rx%u_%s", i, halnet_rx_names[n]);
		for (n = 0; n < TX_STATS; n++)
			ethtool_sprintf(&to, "tx%u_%s", i, halnet_tx_names[n]);
	}
}

static void halnet_get_ethtool_stats(struct net_device *dev,
				     struct ethtool_stats *stats, u64 *to)
{
	struct halnet *net = netdev_priv(dev);
	unsigned int i;

	for (i = 0; i < net->nr_pairs; i++) {
		halnet_read_stats(&net->pairs[i].rx.sync, net->pairs[i].rx.stats,
				  RX_STATS, to);
		to += RX_STATS;
		halnet_read_stats(&net->pairs[i].tx.sync, net->pairs[i].tx.stats,
				  TX_STATS, to);
		to += TX_STATS;
	}
}

static const struct ethtool_ops halnet_ethtool_ops = {
	.get_drvinfo		= halnet_get_drvinfo,
	.get_link		= ethtool_op_get_link,
	.get_link_ksettings	= halnet_get_link_ksettings,
	.get_ringparam		= halnet_get_ringparam,
	.get_channels		= halnet_get_channels,
	.get_sset_count		= halnet_get_sset_count,
	.get_strings		= halnet_get_strings,
	.get_ethtool_stats	= halnet_get_ethtool_stats,
	.get_ts_info		= ethtool_op_get_ts_info,
};

/*
 * The device.
 */

static void halnet_interrupt(struct plex86_device *pdev)
{
	struct halnet *net = plex86_get_drvdata(pdev);
	unsigned int i;

	if (net->control.ring.shared)
		halnet_control_interrupt(net);
	for (i = 0; i < net->nr_pairs; i++)
		napi_schedule(&net->pairs[i].napi);
}

static void halnet_config_changed(struct plex86_device *pdev)
{
	struct halnet *net = plex86_get_drvdata(pdev);

	rtnl_lock();
	if (net->up)
		halnet_link(net);
	rtnl_unlock();
}

/* What the stack may do, by what was agreed. */
static void halnet_features(struct halnet *net)
{
	struct plex86_device *pdev = net->pdev;
	struct net_device *dev = net->dev;

	if (plex86_has_feature(pdev, PLEX86_F_INDIRECT) &&
	    READ_ONCE(pdev->page->segs) >= TX_SEGS)
		dev->hw_features |= NETIF_F_SG;
	if (plex86_has_feature(pdev, PLEX86_NET_F_CSUM)) {
		dev->hw_features |= NETIF_F_HW_CSUM;
		if (plex86_has_feature(pdev, PLEX86_NET_F_TSO4))
			dev->hw_features |= NETIF_F_TSO;
		if (plex86_has_feature(pdev, PLEX86_NET_F_TSO6))
			dev->hw_features |= NETIF_F_TSO6;
		if (plex86_has_feature(pdev, PLEX86_NET_F_TSO_ECN))
			dev->hw_features |= NETIF_F_TSO_ECN;
	}
	dev->features = dev->hw_features | NETIF_F_HIGHDMA;
	dev->vlan_features = dev->features;
	if (plex86_has_feature(pdev, PLEX86_NET_F_GUEST_CSUM))
		dev->features |= NETIF_F_RXCSUM;
}

static void halnet_destroy(struct halnet *net)
{
	unsigned int i;

	for (i = 0; net->pairs && i < net->nr_pairs; i++)
		netif_napi_del(&net->pairs[i].napi);
	kfree(net->control.sent);
	kfree(net->pairs);
	free_netdev(net->dev);
}

static int halnet_probe(struct plex86_device *pdev)
{
	u32 queues = READ_ONCE(pdev->page->queues);
	struct plex86_net_config config;
	struct net_device *dev;
	unsigned int nr_pairs, i;
	struct halnet *net;
	int err;

	err = plex86_config_read(pdev, &config, sizeof(config));
	if (err)
		return err;
	if (!config.pairs || PLEX86_NET_CONTROL(config.pairs) > queues ||
	    READ_ONCE(pdev->page->segs) < 2) {
		dev_err(&pdev->dev, "%u pairs of %u queues, %u segments\n",
			config.pairs, queues, READ_ONCE(pdev->page->segs));
		return -EINVAL;
	}
	nr_pairs = min_t(unsigned int, config.pairs, MAX_PAIRS);
	dev = alloc_etherdev_mq(sizeof(*net), nr_pairs);
	if (!dev)
		return -ENOMEM;
	net = netdev_priv(dev);
	net->pdev = pdev;
	net->dev = dev;
	net->nr_pairs = nr_pairs;
	net->control.queue = PLEX86_NET_CONTROL(config.pairs);
	INIT_DELAYED_WORK(&net->restart, halnet_restart);
	spin_lock_init(&net->control.lock);
	SET_NETDEV_DEV(dev, &pdev->dev);
	plex86_set_drvdata(pdev, net);

	net->pairs = kcalloc(net->nr_pairs, sizeof(*net->pairs), GFP_KERNEL);
	if (plex86_has_feature(pdev, PLEX86_NET_F_FILTER) &&
	    queues > net->control.queue)
		net->control.sent = kzalloc(sizeof(*net->control.sent),
					    GFP_KERNEL);
	if (!net->pairs) {
		err = -ENOMEM;
		goto fail;
	}
	for (i = 0; i < net->nr_pairs; i++) {
		net->pairs[i].net = net;
		net->pairs[i].index = i;
		u64_stats_init(&net->pairs[i].rx.sync);
		u64_stats_init(&net->pairs[i].tx.sync);
		INIT_DELAYED_WORK(&net->pairs[i].rx.refill,
				  halnet_rx_refill_later);
		netif_napi_add(dev, &net->pairs[i].napi, halnet_poll);
	}

	dev->netdev_ops = &halnet_ops;
	dev->ethtool_ops = &halnet_ethtool_ops;
	dev->priv_flags |= IFF_UNICAST_FLT | IFF_LIVE_ADDR_CHANGE;
	dev->min_mtu = ETH_MIN_MTU;
	dev->max_mtu = clamp_t(u32, config.mtu_max, ETH_MIN_MTU, ETH_MAX_MTU);
	dev->mtu = min(dev->mtu, dev->max_mtu);
	if (config.mtu >= dev->min_mtu && config.mtu <= dev->max_mtu)
		dev->mtu = config.mtu;
	if (is_valid_ether_addr(config.mac))
		eth_hw_addr_set(dev, config.mac);
	else
		eth_hw_addr_random(dev);
	halnet_features(net);
	netif_carrier_off(dev);

	err = register_netdev(dev);
	if (!err)
		return 0;
fail:
	halnet_destroy(net);
	return err;
}

static void halnet_remove(struct plex86_device *pdev)
{
	struct halnet *net = plex86_get_drvdata(pdev);

	/* Closes it, and so resets the device. */
	unregister_netdev(net->dev);
	cancel_delayed_work_sync(&net->restart);
	halnet_destroy(net);
}

static struct plex86_driver halnet_driver = {
	.driver.name	= "halnet",
	.type		= PLEX86_DEV_NET,
	.features	= PLEX86_F_INDIRECT | PLEX86_NET_F_CSUM |
			  PLEX86_NET_F_TSO4 | PLEX86_NET_F_TSO6 |
			  PLEX86_NET_F_TSO_ECN | PLEX86_NET_F_GUEST_CSUM |
			  PLEX86_NET_F_GUEST_TSO4 | PLEX86_NET_F_GUEST_TSO6 |
			  PLEX86_NET_F_GUEST_ECN | PLEX86_NET_F_FILTER,
	.probe		= halnet_probe,
	.remove		= halnet_remove,
	.interrupt	= halnet_interrupt,
	.config_changed	= halnet_config_changed,
};

static int __init halnet_init(void)
{
	return plex86_driver_register(&halnet_driver);
}
device_initcall(halnet_init);
