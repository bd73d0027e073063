// SPDX-License-Identifier: GPL-2.0
/*
 * halnet's back end, what all kinds have alike: the queues, the headers, which
 * frames the guest wants, what it may do in a second, and the record of what
 * went through.  Where frames come from and go to is the kind's (struct
 * net_backend).
 *
 * A frame for the guest is put together in its own buffers, which are taken from
 * the queue and held for that before one is there: so a tap device is read right
 * into them.
 */
#include "launcher.h"
#include "net.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#define QUEUE_ENTRIES	1024u
#define SEGS		32u
#define HEADER_BYTES	((u32)sizeof(struct plex86_net_hdr))
#define TURN_FRAMES	64u	/* each way, before others have their turn */

#define PIPE_BYTES	(1 << 20)	/* of the record, if its reader is slow */

#define NS_PER_S	1000000000ull
#define BURST_NS	50000000ull	/* what a rate gives in this time may come at once */

/* Of no effect without PLEX86_NET_F_CSUM, and without PLEX86_NET_F_GUEST_CSUM. */
#define TSO_FEATURES	(PLEX86_NET_F_TSO4 | PLEX86_NET_F_TSO6 | \
			 PLEX86_NET_F_TSO_ECN)
#define GUEST_TSO_FEATURES	(PLEX86_NET_F_GUEST_TSO4 | \
				 PLEX86_NET_F_GUEST_TSO6 | \
				 PLEX86_NET_F_GUEST_ECN)

static const struct net_backend *const backends[] = {
	[NET_USER] = &net_user, [NET_TAP] = &net_tap, [NET_SOCKET] = &net_socket,
};

static struct queue *control_queue(struct net *net)
{
	return &net->device.queue[PLEX86_NET_CONTROL(net->config.pairs)];
}

/*
 * net_copy() - copy what a request holds
 * @from: where in it, in bytes
 * @bytes: at most so many
 *
 * Returns how many there were.
 */
u32 net_copy(const struct request *req, u32 from, void *to, u32 bytes)
{
	u32 done = 0, i;

	for (i = 0; i < req->segs && done < bytes; i++) {
		u32 len = (u32)req->seg[i].iov_len, n;

		if (from >= len) {
			from -= len;
			continue;
		}
		n = len - from < bytes - done ? len - from : bytes - done;
		memcpy((u8 *)to + done, (u8 *)req->seg[i].iov_base + from, n);
		done += n;
		from = 0;
	}
	return done;
}

/*
 * Rates.
 */

static void rate_set(struct net_rate *rate, u64 bits_s)
{
	rate->bytes_s = bits_s / 8;
	rate->burst = rate->bytes_s / (NS_PER_S / BURST_NS);
	rate->credit = (s64)rate->burst;
	rate->when_ns = now_ns();
}

/* May a frame go?  With *@until: when to ask again. */
static bool rate_allows(struct net_rate *rate, u64 *until)
{
	unsigned __int128 gain;
	u64 now;

	if (!rate->bytes_s || rate->credit > 0)
		return true;
	now = now_ns();
	gain = (unsigned __int128)(now - rate->when_ns) * rate->bytes_s /
	       NS_PER_S;
	if (gain > rate->burst + (u64)-rate->credit) {
		rate->credit = (s64)rate->burst;
		rate->when_ns = now;
	} else {
		/* The time of a part of a byte counts for the next one. */
		rate->credit += (s64)gain;
		rate->when_ns += (u64)(gain * NS_PER_S / rate->bytes_s);
	}
	*until = rate->when_ns + 1 +
		 (u64)(1 - rate->credit) * NS_PER_S / rate->bytes_s;
	return rate->credit > 0;
}

static void rate_take(struct net_rate *rate, u32 bytes)
{
	if (rate->bytes_s)
		rate->credit -= bytes;
}

/*
 * The record of frames, as libpcap's file format has it.
 */

static int pcap_open(struct net *net)
{
	const char *name = net->options->pcap, *why;

	net->pcap = file_create(name, &why);
	if (net->pcap >= 0)
		return 0;
	complain("--net %s: %s: %s", net->options->text, name, why);
	return -1;
}

/* It could not be written, for the reason in errno or for want of room. */
static void pcap_end(struct net *net)
{
	complain("--net %s: %s: %s; it ends here", net->options->text,
		 net->options->pcap, errno && errno != EAGAIN ?
		 strerror(errno) : "no room for more");
	close(net->pcap);
	net->pcap = -1;
}

/* The first boot begins, and the record: what was in the file is lost only now. */
static void pcap_begin(struct net *net)
{
	static const struct {
		u32 magic;
		u16 major, minor;
		u32 zone, accuracy, most, link;
	} head = { 0xa1b23c4d, 2, 4, 0, 0, 262144, 1 };

	/* Only a file has a length, and only a FIFO has a size to be set. */
	if (ftruncate(net->pcap, 0) < 0)
		fcntl(net->pcap, F_SETPIPE_SZ, PIPE_BYTES);
	errno = 0;
	if (write(net->pcap, &head, sizeof(head)) != (ssize_t)sizeof(head))
		pcap_end(net);
}

/* The frame of @bytes behind the header that @iov begins with. */
static void pcap_write(struct net *net, const struct iovec *iov, u32 count,
		       u32 bytes)
{
	struct {
		u32 s, ns, have, len;
	} head;
	struct iovec out[NET_BUFFERS + 1];
	u32 skip = HEADER_BYTES, left = bytes, n = 1, i;
	struct timespec ts;

	if (net->pcap < 0)
		return;
	clock_gettime(CLOCK_REALTIME, &ts);
	head.s = (u32)ts.tv_sec;
	head.ns = (u32)ts.tv_nsec;
	head.have = bytes;
	head.len = bytes;
	out[0] = (struct iovec){ &head, sizeof(head) };
	for (i = 0; i < count && left; i++) {
		size_t len = iov[i].iov_len;

		if (skip >= len) {
			skip -= (u32)len;
			continue;
		}
		len -= skip;
		if (len > left)
			len = left;
		out[n++] = (struct iovec){ (u8 *)iov[i].iov_base + skip, len };
		left -= (u32)len;
		skip = 0;
	}
	errno = 0;
	if (writev(net->pcap, out, (int)n) != (ssize_t)(sizeof(head) + bytes))
		pcap_end(net);
}

/*
 * To the guest.
 */

/* Lets go of the buffers that were taken; the guest's queue is gone. */
static void forget_buffers(struct net_pair *pair)
{
	while (pair->buffers) {
		queue_release_range(pair->rx, &pair->buffer[pair->first++]);
		pair->buffers--;
	}
	pair->first = 0;
	pair->room = 0;
}

/*
 * net_room() - take buffers until there is room for @bytes, header included
 * @which: of which pair of queues
 *
 * Returns false if the guest has not enough of them, and has asked to be asked
 * for more.
 */
bool net_room(struct net *net, u32 which, u32 bytes)
{
	struct net_pair *pair = &net->pair[which];
	struct request *req = &net->taken;

	if (pair->room >= bytes)
		return true;
	memmove(pair->id, pair->id + pair->first,
		pair->buffers * sizeof(pair->id[0]));
	memmove(pair->buffer, pair->buffer + pair->first,
		pair->buffers * sizeof(pair->buffer[0]));
	pair->first = 0;
	while (pair->room < bytes) {
		if (!queue_next(pair->rx, req))
			break;
		if (req->op != PLEX86_NET_OP_RX || req->flags) {
			queue_complete(pair->rx, req->id,
				       PLEX86_S_UNSUPPORTED, 0, 0);
			continue;
		}
		if (req->segs != 1 || req->bytes < PLEX86_NET_RX_MIN) {
			queue_complete(pair->rx, req->id, PLEX86_S_BADREQ, 0,
				       0);
			continue;
		}
		if (!queue_hold_range(pair->rx, &req->seg[0]))
			break;
		pair->id[pair->buffers] = req->id;
		pair->buffer[pair->buffers++] = req->seg[0];
		pair->room += req->bytes;
	}
	if (pair->room >= bytes)
		return true;
	pair->dry = true;
	return false;
}

/* Is the frame that begins with @to, the destination's address, wanted? */
static bool wanted(const struct net *net, const u8 *to)
{
	static const u8 all[6] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };
	u32 i;

	if (!net->filtered || (net->filter.flags & PLEX86_NET_PROMISC) ||
	    !memcmp(to, all, sizeof(all)))
		return true;
	if ((to[0] & 1) && (net->filter.flags & PLEX86_NET_ALLMULTI))
		return true;
	for (i = 0; i < net->filter.count; i++)
		if (!memcmp(to, net->filter.mac[i], sizeof(all)))
			return true;
	return false;
}

/*
 * net_received() - header and frame lie in the buffers of pair @which, from the
 * first on
 * @bytes: of both; net_room() was asked for as many or more
 *
 * A frame that the guest does not want leaves the buffers for the next one.
 */
void net_received(struct net *net, u32 which, u32 bytes)
{
	struct net_pair *pair = &net->pair[which];
	const struct iovec *iov = &pair->buffer[pair->first];
	u8 *hdr = iov->iov_base;	/* at any address */
	u32 left = bytes, len;
	u16 n = 0;

	if (!wanted(net, hdr + HEADER_BYTES))
		return;
	while (left > iov[n].iov_len)
		left -= (u32)iov[n++].iov_len;
	n++;
	memcpy(hdr + offsetof(struct plex86_net_hdr, buffers), &n, sizeof(n));
	pcap_write(net, iov, n, bytes - HEADER_BYTES);
	rate_take(&net->rx_rate, bytes);
	for (left = bytes; left; left -= len) {
		len = (u32)iov->iov_len < left ? (u32)iov->iov_len : left;
		pair->room -= (u32)iov->iov_len;
		pair->buffers--;
		queue_release_range(pair->rx, iov);
		queue_complete(pair->rx, pair->id[pair->first++], PLEX86_S_OK,
			       0, len);
		iov++;
	}
}

/*
 * The pair for a frame: the same for all of a connection.  By the addresses, and
 * the ports where each frame has them.
 */
static u32 pair_for(const struct net *net, const u8 *frame, u32 bytes)
{
	u32 at = 0, end = 0, sum = 0;

	if (net->up <= 1 || bytes < 58)
		return 0;
	if (frame[12] == 0x08 && frame[13] == 0x00) {		/* IPv4 */
		at = 26;
		end = frame[14] == 0x45 && frame[23] == IPPROTO_TCP ? 38 : 34;
	} else if (frame[12] == 0x86 && frame[13] == 0xdd) {	/* IPv6 */
		at = 22;
		end = frame[20] == IPPROTO_TCP ? 58 : 54;
	}
	for (; at < end; at++)
		sum = sum * 31 + frame[at];
	return sum % net->up;
}

/* Does the rate let a frame to the guest? */
static bool may_receive(struct net *net)
{
	if (rate_allows(&net->rx_rate, &net->rx_until))
		return true;
	net->rx_limited = true;
	return false;
}

/*
 * net_give() - give the guest a frame that lies elsewhere
 * @flags: of the header
 * @frame, @bytes: the frame
 *
 * Returns false if there is no room for it, or it is too early.
 */
bool net_give(struct net *net, u8 flags, const void *frame, u32 bytes)
{
	u32 which = pair_for(net, frame, bytes), done = 0, i;
	struct net_pair *pair = &net->pair[which];
	struct plex86_net_hdr hdr = { .flags = flags };
	u32 skip = HEADER_BYTES;

	if (!wanted(net, frame))
		return true;
	if (!may_receive(net) || !net_room(net, which, bytes + skip))
		return false;
	memcpy(pair->buffer[pair->first].iov_base, &hdr, skip);
	for (i = pair->first; done < bytes; i++) {
		u32 n = (u32)pair->buffer[i].iov_len - skip;

		if (n > bytes - done)
			n = bytes - done;
		memcpy((u8 *)pair->buffer[i].iov_base + skip,
		       (const u8 *)frame + done, n);
		done += n;
		skip = 0;
	}
	net_received(net, which, bytes + HEADER_BYTES);
	return true;
}

/*
 * From the guest.
 */

/* What is wrong with a frame and its header: a status. */
static u16 check_frame(const struct net *net, const struct request *req)
{
	struct plex86_net_hdr hdr;
	u64 need = 0;
	u32 frame;

	if (req->op != PLEX86_NET_OP_TX || req->flags)
		return PLEX86_S_UNSUPPORTED;
	if (req->bytes < HEADER_BYTES + PLEX86_NET_FRAME_MIN ||
	    req->bytes > NET_BYTES)
		return PLEX86_S_BADREQ;
	net_copy(req, 0, &hdr, HEADER_BYTES);
	frame = req->bytes - HEADER_BYTES;
	if (hdr.flags & ~PLEX86_NET_HDR_NEEDS_CSUM)
		return PLEX86_S_BADREQ;
	if (hdr.flags) {
		need = PLEX86_NET_F_CSUM;
		if ((u32)hdr.csum_start + hdr.csum_offset + 2 > frame)
			return PLEX86_S_BADREQ;
	}
	switch (hdr.gso_type & ~PLEX86_NET_HDR_GSO_ECN) {
	case PLEX86_NET_HDR_GSO_NONE:
		if (hdr.gso_type)
			return PLEX86_S_BADREQ;
		break;
	case PLEX86_NET_HDR_GSO_TCPV4:
		need |= PLEX86_NET_F_TSO4;
		break;
	case PLEX86_NET_HDR_GSO_TCPV6:
		need |= PLEX86_NET_F_TSO6;
		break;
	default:
		return PLEX86_S_BADREQ;
	}
	if (hdr.gso_type & PLEX86_NET_HDR_GSO_ECN)
		need |= PLEX86_NET_F_TSO_ECN;
	if (hdr.gso_type && (!hdr.gso_size || !hdr.flags))
		return PLEX86_S_BADREQ;
	return need & ~net->features ? PLEX86_S_BADREQ : PLEX86_S_OK;
}

/* Takes what the guest transmits by one pair: at most a turn's worth. */
static void transmit(struct net *net, u32 which)
{
	struct net_pair *pair = &net->pair[which];
	struct request *req = &pair->request;
	u32 frames = 0;
	u16 status;

	for (; frames < TURN_FRAMES; frames++) {
		if (!rate_allows(&net->tx_rate, &net->tx_until)) {
			net->tx_limited = true;
			break;
		}
		if (!pair->busy && !queue_next(pair->tx, req))
			break;
		status = pair->busy ? PLEX86_S_OK : check_frame(net, req);
		if (!status && (net->config.link & PLEX86_NET_LINK_UP)) {
			pair->busy = !net->backend->send(net, which, req);
			if (pair->busy)
				break;
			rate_take(&net->tx_rate, req->bytes);
			pcap_write(net, req->seg, req->segs,
				   req->bytes - HEADER_BYTES);
		}
		pair->busy = false;
		queue_complete(pair->tx, req->id, status, 0,
			       status ? 0 : req->bytes);
	}
	if (frames && net->backend->sent)
		net->backend->sent(net);
	if (frames == TURN_FRAMES)
		net->more = true;
}

static void receive(struct net *net, u32 which)
{
	u32 frames = 0;

	for (; frames < TURN_FRAMES; frames++)
		if (!may_receive(net) || !net->backend->receive(net, which))
			return;
	net->more = true;
}

static u16 set_filter(struct net *net, const struct request *req)
{
	struct plex86_net_filter filter;
	u32 head = offsetof(struct plex86_net_filter, mac);
	u32 have = net_copy(req, 0, &filter, sizeof(filter));

	if (req->op != PLEX86_NET_OP_FILTER || req->flags)
		return PLEX86_S_UNSUPPORTED;
	if (have < head || filter.count > PLEX86_NET_FILTER_MAX ||
	    have < head + filter.count * sizeof(filter.mac[0]))
		return PLEX86_S_BADREQ;
	if (filter.flags & ~(u32)(PLEX86_NET_PROMISC | PLEX86_NET_ALLMULTI))
		return PLEX86_S_UNSUPPORTED;
	net->filter = filter;
	net->filtered = true;
	return PLEX86_S_OK;
}

/* What the guest accepted, as far as it goes. */
static u64 accepted(struct net *net)
{
	u64 features = device_accepted(device_page(&net->device));

	features &= net->backend->features | PLEX86_NET_F_FILTER;
	if (!(features & PLEX86_NET_F_CSUM))
		features &= ~TSO_FEATURES;
	if (!(features & PLEX86_NET_F_GUEST_CSUM))
		features &= ~GUEST_TSO_FEATURES;
	return features;
}

static void control(struct net *net)
{
	struct queue *q = control_queue(net);
	struct request *req = &net->taken;
	u16 status;

	if (!(accepted(net) & PLEX86_NET_F_FILTER) || !queue_attach(q))
		return;
	while (queue_next(q, req)) {
		status = set_filter(net, req);
		queue_complete(q, req->id, status, 0, status ? 0 : req->bytes);
	}
}

/*
 * The device.
 */

static struct net *net_of(struct device *dev)
{
	return device_of(dev, struct net, device);
}

static void init(struct net *net)
{
	u32 i;

	for (i = 0; i < NET_PAIRS_MAX; i++) {
		net->pair[i].busy = false;
		net->pair[i].dry = false;
	}
	net->up = 0;
	net->more = false;
	net->rx_limited = false;
	net->tx_limited = false;
	net->filtered = false;
	net->features = 0;
}

static void net_start(struct device *dev, struct plex86_dev *page)
{
	struct net *net = net_of(dev);
	u64 features = net->backend->features | PLEX86_NET_F_FILTER;
	u32 i;

	/* Buffers of an earlier boot went with its memory. */
	for (i = 0; i < NET_PAIRS_MAX; i++) {
		net->pair[i].first = 0;
		net->pair[i].buffers = 0;
		net->pair[i].room = 0;
	}
	init(net);
	if (net->pcap >= 0 && !net->recording)
		pcap_begin(net);
	net->recording = true;
	device_offer(page, features);
	page->queues = PLEX86_NET_CONTROL(net->config.pairs) + 1u;
	page->queue_entries = QUEUE_ENTRIES;
	page->segs = SEGS;
	page->config_bytes = sizeof(net->config);
	memcpy((u8 *)page + PLEX86_DEV_CONFIG, &net->config,
	       sizeof(net->config));
}

static bool net_reset(struct device *dev)
{
	struct net *net = net_of(dev);

	u32 i;

	for (i = 0; i < NET_PAIRS_MAX; i++)
		forget_buffers(&net->pair[i]);
	init(net);
	return true;
}

/* Sees how many pairs the guest has set. */
static void look_up(struct net *net)
{
	u32 was = net->up, n = 0;

	while (n < net->config.pairs && queue_attach(net->pair[n].rx) &&
	       queue_attach(net->pair[n].tx))
		n++;
	net->up = n;
	if (n <= was)		/* fewer: one was broken */
		return;
	net->features = accepted(net);
	if (net->backend->agree)
		net->backend->agree(net);
}

static void net_wait(struct device *dev, struct waits *waits)
{
	struct net *net = net_of(dev);

	if (net->more)
		waits_until(waits, 0);
	if (net->rx_limited)
		waits_until(waits, net->rx_until);
	if (net->tx_limited)
		waits_until(waits, net->tx_until);
	net->backend->wait(net, waits, net->up && !net->rx_limited);
}

static void net_work(struct device *dev, const struct waits *waits)
{
	struct net *net = net_of(dev);
	u32 i;

	net->more = false;
	net->rx_limited = false;
	net->tx_limited = false;
	for (i = 0; i < NET_PAIRS_MAX; i++)
		net->pair[i].dry = false;
	look_up(net);
	control(net);
	for (i = 0; i < net->up; i++)
		transmit(net, i);
	net->backend->work(net, waits);
	for (i = 0; i < net->up; i++)
		receive(net, i);
}

static void net_close(struct device *dev)
{
	struct net *net = net_of(dev);

	if (net->own)
		net->backend->close(net);
	if (net->pcap >= 0)
		close(net->pcap);
	free(net);
}

/* net_link() - the link went up or down: tell the guest */
void net_link(struct net *net, bool up)
{
	if (up == (net->config.link & PLEX86_NET_LINK_UP))
		return;
	net->config.link ^= PLEX86_NET_LINK_UP;
	/* A frame that waited for the other end may go, or is dropped. */
	net->more = true;
	if (net->device.ctx)
		device_configure(&net->device, &net->config,
				 sizeof(net->config));
}

static const struct device_ops net_ops = {
	.type	= PLEX86_DEV_NET,
	.start	= net_start,
	.reset	= net_reset,
	.wait	= net_wait,
	.work	= net_work,
	.close	= net_close,
};

/* What the guest is told of its interface. */
static void configure(struct net *net)
{
	const struct net_options *o = net->options;
	struct plex86_net_config *config = &net->config;
	static const u8 local[3] = { 0x52, 0x54, 0x00 };

	memcpy(config->mac, o->mac, sizeof(config->mac));
	if (!o->mac[0] && !o->mac[1] && !o->mac[2] && !o->mac[3] &&
	    !o->mac[4] && !o->mac[5]) {
		memcpy(config->mac, local, sizeof(local));
		if (getrandom(config->mac + 3, 3, 0) != 3)
			memset(config->mac, 0, sizeof(config->mac));
	}
	config->pairs = (u16)o->pairs;
	config->mtu = o->mtu ? o->mtu : net->backend->mtu;
	config->mtu_max = PLEX86_NET_MTU_MAX;
	config->link = PLEX86_NET_LINK_UP;
	config->speed_mbps = (u32)(o->tx_rate / 1000000);
	rate_set(&net->rx_rate, o->rx_rate);
	rate_set(&net->tx_rate, o->tx_rate);
}

static int net_add(struct vm_context *ctx, u32 number)
{
	struct net_options *options = &ctx->options.net[number];
	struct net *net = calloc(1, sizeof(*net));
	char name[16];
	u32 i;

	if (!net) {
		complain("out of memory");
		return -1;
	}
	for (i = 0; i < NET_PAIRS_MAX; i++) {
		net->pair[i].rx = &net->device.queue[PLEX86_NET_RX(i)];
		net->pair[i].tx = &net->device.queue[PLEX86_NET_TX(i)];
		net->device.receives |= 1u << PLEX86_NET_RX(i);
	}
	net->options = options;
	net->backend = backends[options->kind];
	net->pcap = -1;
	configure(net);
	snprintf(name, sizeof(name), "net%u", number + 1);
	if (!net->backend->open(net) && (!options->pcap || !pcap_open(net)) &&
	    !devices_add(&ctx->devices, &net->device, &net_ops, name))
		return 0;
	net_close(&net->device);
	return -1;
}

/* nets_add() - a device for each --net; 0, or -1 after saying what is wrong */
int nets_add(struct vm_context *ctx)
{
	u32 i;

	for (i = 0; i < ctx->options.nets; i++)
		if (net_add(ctx, i))
			return -1;
	return 0;
}
