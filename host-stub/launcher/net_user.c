// SPDX-License-Identifier: GPL-2.0
/*
 * --net user: a network of the guest's own, 10.0.2.0/24, with this process for
 * its router.  libslirp ends the guest's connections and makes others of the
 * host's instead, as the user who runs it: so it needs no privilege.
 *
 * It takes and gives whole frames without offloads.  What it has for the guest
 * and finds no room for waits in a list, and as long as there is one libslirp
 * takes nothing more from its sockets.
 *
 * A frame costs about the same whatever its size, so the MTU is large, but two
 * segments of TCP fit into a window, which libslirp does not scale.  Were one as
 * large as a window, the guest (6.1) would not tell of room for half of one, nor
 * libslirp send that much before its timer runs out after 5 s.
 */
#include "launcher.h"
#include "net.h"

#include <errno.h>
#include <malloc.h>
#include <slirp/libslirp.h>
#include <string.h>

#define MTU_DEFAULT	32768u
#define MTU_MOST	65520u	/* libslirp takes 65521 at most */
#define LIST_BYTES	(16u << 20)	/* of frames that wait; others are dropped */

/*
 * libslirp has two buffers of 128 KiB for each connection.  Each is to be a
 * mapping of its own, of which only what is used takes memory, and all is given
 * back at the end.  malloc() would put them into its heap once the first was
 * freed, and of that nothing is given back below what is still in use.
 */
#define MMAP_BYTES	(96 << 10)	/* more than a frame has */

#define NS_PER_MS	1000000

/* A frame that waits. */
struct frame {
	struct frame *next;
	u32 bytes;
	u8 data[];
};

struct timer {
	struct timer *next;
	SlirpTimerId id;
	void *opaque;
	u64 at_ns;		/* CLOCK_MONOTONIC; 0: not set */
};

struct user {
	Slirp *slirp;
	struct timer *timers;
	struct frame *list, **last;
	u32 waiting;		/* bytes in the list */
	struct waits *waits;	/* while libslirp says what it waits for */
	const struct waits *came;	/* and while it asks what came */
	bool polled;		/* it was asked */
	u8 flags;		/* of the header of what it gives */
	u8 frame[PLEX86_NET_FRAME_MAX];
};

/*
 * What libslirp calls; @opaque is the network.
 */

static ssize_t from_slirp(const void *frame, size_t bytes, void *opaque)
{
	struct net *net = opaque;
	struct user *user = net->own;
	struct frame *f;

	if (!net->up || bytes < PLEX86_NET_FRAME_MIN ||
	    bytes > PLEX86_NET_FRAME_MAX)
		return (ssize_t)bytes;
	if (!user->list && net_give(net, user->flags, frame, (u32)bytes))
		return (ssize_t)bytes;
	f = user->waiting < LIST_BYTES ? malloc(sizeof(*f) + bytes) : NULL;
	if (!f)
		return (ssize_t)bytes;	/* lost, as frames may be */
	f->next = NULL;
	f->bytes = (u32)bytes;
	memcpy(f->data, frame, bytes);
	*user->last = f;
	user->last = &f->next;
	user->waiting += f->bytes;
	return (ssize_t)bytes;
}

static void guest_error(const char *text, void *opaque)
{
	(void)text;		/* nobody's business but the guest's */
	(void)opaque;
}

static int64_t clock_ns(void *opaque)
{
	(void)opaque;
	return (int64_t)now_ns();
}

static void *timer_new(SlirpTimerId id, void *timer_opaque, void *opaque)
{
	struct user *user = ((struct net *)opaque)->own;
	struct timer *timer = calloc(1, sizeof(*timer));

	if (!timer)
		return NULL;
	timer->id = id;
	timer->opaque = timer_opaque;
	timer->next = user->timers;
	user->timers = timer;
	return timer;
}

static void timer_free(void *which, void *opaque)
{
	struct user *user = ((struct net *)opaque)->own;
	struct timer **at = &user->timers;

	while (*at && *at != which)
		at = &(*at)->next;
	if (*at)
		*at = (*at)->next;
	free(which);
}

static void timer_mod(void *which, int64_t at_ms, void *opaque)
{
	struct timer *timer = which;

	(void)opaque;
	if (timer)
		timer->at_ns = (u64)at_ms * NS_PER_MS;
}

static void poll_fd(int fd, void *opaque)
{
	(void)fd;		/* all are asked for before each wait */
	(void)opaque;
}

static void notify(void *opaque)
{
	((struct net *)opaque)->more = true;
}

static const SlirpCb callbacks = {
	.send_packet		= from_slirp,
	.guest_error		= guest_error,
	.clock_get_ns		= clock_ns,
	.timer_free		= timer_free,
	.timer_mod		= timer_mod,
	.register_poll_fd	= poll_fd,
	.unregister_poll_fd	= poll_fd,
	.notify			= notify,
	.timer_new_opaque	= timer_new,
};

static int add_poll(int fd, int events, void *opaque)
{
	struct user *user = ((struct net *)opaque)->own;
	short poll = 0;

	if (events & SLIRP_POLL_IN)
		poll |= POLLIN;
	if (events & SLIRP_POLL_OUT)
		poll |= POLLOUT;
	if (events & SLIRP_POLL_PRI)
		poll |= POLLPRI;
	return (int)waits_fd(user->waits, fd, poll);
}

static int get_revents(int index, void *opaque)
{
	struct user *user = ((struct net *)opaque)->own;
	short came = waits_came(user->came, (u32)index);
	int events = 0;

	if (came & POLLIN)
		events |= SLIRP_POLL_IN;
	if (came & POLLOUT)
		events |= SLIRP_POLL_OUT;
	if (came & POLLPRI)
		events |= SLIRP_POLL_PRI;
	if (came & POLLERR)
		events |= SLIRP_POLL_ERR;
	if (came & POLLHUP)
		events |= SLIRP_POLL_HUP;
	return events;
}

/*
 * The back end.
 */

static void drop_list(struct user *user)
{
	struct frame *f;

	while ((f = user->list)) {
		user->list = f->next;
		free(f);
	}
	user->last = &user->list;
	user->waiting = 0;
}

static void user_close(struct net *net)
{
	struct user *user = net->own;

	/* It may say good-bye to its connections. */
	net->up = 0;
	if (user->slirp)
		slirp_cleanup(user->slirp);
	drop_list(user);
	free(user);
}

static struct in_addr ipv4(u32 address)
{
	return (struct in_addr){ htonl(address) };
}

/* fec0::@host */
static struct in6_addr ipv6(u8 host)
{
	struct in6_addr address = { 0 };

	address.s6_addr[0] = 0xfe;
	address.s6_addr[1] = 0xc0;
	address.s6_addr[15] = host;
	return address;
}

static int add_forward(struct net *net, const struct net_forward *forward)
{
	struct user *user = net->own;
	struct in_addr guest = forward->guest;
	char text[INET_ADDRSTRLEN];

	if (!guest.s_addr)
		guest = ipv4(0x0a00020f);
	if (!slirp_add_hostfwd(user->slirp, forward->udp, forward->host,
			       forward->host_port, guest, forward->guest_port))
		return 0;
	complain("--net %s: hostfwd: cannot listen on %s port %u of the host: %s",
		 net->options->text,
		 inet_ntop(AF_INET, &forward->host, text, sizeof(text)),
		 forward->host_port, strerror(errno));
	return -1;
}

static int user_open(struct net *net)
{
	SlirpConfig config = {
		.version = 4,
		.in_enabled = true,
		.vnetwork = ipv4(0x0a000200),
		.vnetmask = ipv4(0xffffff00),
		.vhost = ipv4(0x0a000202),
		.vdhcp_start = ipv4(0x0a00020f),
		.vnameserver = ipv4(0x0a000203),
		.in6_enabled = true,
		.vprefix_addr6 = ipv6(0),
		.vprefix_len = 64,
		.vhost6 = ipv6(2),
		.vnameserver6 = ipv6(3),
	};
	struct user *user = calloc(1, sizeof(*user));
	u32 i;

	mallopt(M_MMAP_THRESHOLD, MMAP_BYTES);
	if (!user) {
		complain("out of memory");
		return -1;
	}
	net->config.mtu_max = MTU_MOST;
	user->last = &user->list;
	net->own = user;
	if (net->config.mtu > MTU_MOST) {
		complain("--net %s: mtu: libslirp takes %u at most",
			 net->options->text, MTU_MOST);
		return -1;
	}
	config.if_mtu = net->config.mtu;
	config.if_mru = config.if_mtu;
	user->slirp = slirp_new(&config, &callbacks, net);
	if (!user->slirp) {
		complain("--net %s: libslirp cannot", net->options->text);
		return -1;
	}
	for (i = 0; i < net->options->forwards; i++)
		if (add_forward(net, &net->options->forward[i]))
			return -1;
	return 0;
}

static void user_agree(struct net *net)
{
	struct user *user = net->own;

	/* What was for another driver of the guest's. */
	drop_list(user);
	/* Checksums are libslirp's own work. */
	user->flags = net->features & PLEX86_NET_F_GUEST_CSUM ?
		      PLEX86_NET_HDR_DATA_VALID : 0;
}

/* A copy: the guest could change its own while libslirp looks at it. */
static bool user_send(struct net *net, u32 pair, const struct request *req)
{
	struct user *user = net->own;
	u32 n = net_copy(req, sizeof(struct plex86_net_hdr), user->frame,
			 sizeof(user->frame));

	(void)pair;
	slirp_input(user->slirp, user->frame, (int)n);
	return true;
}

static bool user_receive(struct net *net, u32 pair)
{
	struct user *user = net->own;
	struct frame *f = user->list;

	(void)pair;
	if (!f || !net_give(net, user->flags, f->data, f->bytes))
		return false;
	user->list = f->next;
	if (!user->list)
		user->last = &user->list;
	user->waiting -= f->bytes;
	free(f);
	return true;
}

static void user_wait(struct net *net, struct waits *waits, bool receive)
{
	struct user *user = net->own;
	const struct timer *timer;
	uint32_t ms = UINT32_MAX;

	user->polled = net->up && !user->list;
	(void)receive;
	for (timer = user->timers; timer; timer = timer->next)
		if (timer->at_ns)
			waits_until(waits, timer->at_ns);
	if (!user->polled)
		return;
	user->waits = waits;
	slirp_pollfds_fill(user->slirp, &ms, add_poll, net);
	if (ms != UINT32_MAX)
		waits_until(waits, now_ns() + (u64)ms * NS_PER_MS);
}

static void user_work(struct net *net, const struct waits *waits)
{
	struct user *user = net->own;
	u64 now = now_ns();
	struct timer *timer;

	for (timer = user->timers; timer; timer = timer->next) {
		if (!timer->at_ns || timer->at_ns > now)
			continue;
		timer->at_ns = 0;
		slirp_handle_timer(user->slirp, timer->id, timer->opaque);
	}
	if (!user->polled)
		return;
	user->polled = false;
	user->came = waits;
	slirp_pollfds_poll(user->slirp, 0, get_revents, net);
}

const struct net_backend net_user = {
	.features = PLEX86_NET_F_GUEST_CSUM,
	.mtu	 = MTU_DEFAULT,
	.open	 = user_open,
	.close	 = user_close,
	.agree	 = user_agree,
	.send	 = user_send,
	.receive = user_receive,
	.wait	 = user_wait,
	.work	 = user_work,
};
