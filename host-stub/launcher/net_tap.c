// SPDX-License-Identifier: GPL-2.0
/*
 * --net tap: an interface of the host's.  Frames go in and out by one system
 * call each, from and to the guest's memory, with checksums and segmentation
 * left to whoever needs them.
 *
 * The guest's link is up while the host's interface is; a netlink socket tells
 * of changes.
 */
#include "launcher.h"
#include "net.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define MTU_DEFAULT	1500u

struct tap {
	int fd[NET_PAIRS_MAX];	/* -1: none */
	u32 attached;		/* as many of them the kernel uses */
	int netlink;		/* -1: nobody tells of the link */
	int index;
	bool gone;		/* the interface was deleted */
	u32 wait;		/* waits_fd() of @netlink */
};

static void tap_close(struct net *net)
{
	struct tap *tap = net->own;
	u32 i;

	for (i = 0; i < NET_PAIRS_MAX; i++)
		if (tap->fd[i] >= 0)
			close(tap->fd[i]);
	if (tap->netlink >= 0)
		close(tap->netlink);
	free(tap);
}

/* Why not, and what else there is. */
static int refuse(const struct net *net, const char *what, int error)
{
	complain("--net %s: %s: %s%s", net->options->text, what,
		 strerror(error), error == EPERM || error == EACCES ?
		 "; it takes root, or a tap of yours (ip tuntap add); --net user works without" :
		 "");
	return -1;
}

/*
 * Is the interface up?  Changes are told, unless there are too many at once.  It
 * asks by the socket there is, as any will do: the jail lets no other be made.
 */
static bool is_up(const struct tap *tap)
{
	struct ifreq ifr = { .ifr_ifindex = tap->index };

	return !ioctl(tap->netlink, SIOCGIFNAME, &ifr) &&
	       !ioctl(tap->netlink, SIOCGIFFLAGS, &ifr) &&
	       (ifr.ifr_flags & IFF_UP);
}

static int open_netlink(void)
{
	struct sockaddr_nl groups = {
		.nl_family = AF_NETLINK, .nl_groups = RTMGRP_LINK,
	};
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK,
			NETLINK_ROUTE);

	if (fd < 0 || !bind(fd, (void *)&groups, sizeof(groups)))
		return fd;
	close(fd);
	return -1;
}

/* Opens queue @n of the interface that @ifr names, or makes it. */
static int open_queue(struct net *net, u32 n, struct ifreq *ifr)
{
	static const char device[] = "/dev/net/tun";
	int header = sizeof(struct plex86_net_hdr), little = 1;
	struct tap *tap = net->own;
	int fd = open(device, O_RDWR | O_CLOEXEC | O_NONBLOCK);

	tap->fd[n] = fd;
	if (fd < 0)
		return refuse(net, device, errno);
	ifr->ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR;
	if (net->config.pairs > 1)
		ifr->ifr_flags |= IFF_MULTI_QUEUE;
	if (ioctl(fd, TUNSETIFF, ifr))
		return refuse(net, *ifr->ifr_name ? ifr->ifr_name : device,
			      errno);
	if (ioctl(fd, TUNSETVNETHDRSZ, &header) ||
	    ioctl(fd, TUNSETVNETLE, &little))
		return refuse(net, "headers", errno);
	return 0;
}

static int tap_open(struct net *net)
{
	const struct net_options *o = net->options;
	struct tap *tap = calloc(1, sizeof(*tap));
	struct ifreq ifr = { 0 };
	u32 i;

	if (!tap)
		return refuse(net, "memory", ENOMEM);
	tap->netlink = -1;
	for (i = 0; i < NET_PAIRS_MAX; i++)
		tap->fd[i] = -1;
	net->own = tap;
	if (o->ifname)
		strcpy(ifr.ifr_name, o->ifname);
	for (i = 0; i < net->config.pairs; i++)
		if (open_queue(net, i, &ifr))
			return -1;
	tap->attached = net->config.pairs;
	tap->index = (int)if_nametoindex(ifr.ifr_name);
	/* First the socket, so that no change gets lost. */
	tap->netlink = open_netlink();
	net_link(net, tap->netlink < 0 || is_up(tap));
	if (!o->ifname)
		fprintf(stderr, "plex86: --net %s: the other end is %s\n",
			o->text, ifr.ifr_name);
	return 0;
}

/* Has the kernel use as many queues as the guest does; one at least. */
static void use_queues(struct net *net)
{
	struct tap *tap = net->own;
	struct ifreq ifr = { 0 };

	while (tap->attached != net->up) {
		bool more = tap->attached < net->up;
		u32 n = more ? tap->attached : tap->attached - 1;

		ifr.ifr_flags = more ? IFF_ATTACH_QUEUE : IFF_DETACH_QUEUE;
		if (ioctl(tap->fd[n], TUNSETQUEUE, &ifr)) {
			complain("--net %s: queues: %s", net->options->text,
				 strerror(errno));
			return;
		}
		tap->attached = more ? n + 1 : n;
	}
}

/* What the guest takes, the host may give. */
static void tap_agree(struct net *net)
{
	struct tap *tap = net->own;
	u64 features = net->features;
	unsigned int offload = 0;

	if (features & PLEX86_NET_F_GUEST_CSUM)
		offload |= TUN_F_CSUM;
	if (features & PLEX86_NET_F_GUEST_TSO4)
		offload |= TUN_F_TSO4;
	if (features & PLEX86_NET_F_GUEST_TSO6)
		offload |= TUN_F_TSO6;
	if (features & PLEX86_NET_F_GUEST_ECN)
		offload |= TUN_F_TSO_ECN;
	if (ioctl(tap->fd[0], TUNSETOFFLOAD, offload))
		complain("--net %s: offloads: %s", net->options->text,
			 strerror(errno));
	use_queues(net);
}

static bool tap_send(struct net *net, u32 pair, const struct request *req)
{
	struct tap *tap = net->own;

	/* What the interface does not take, as when it is down, is dropped. */
	return writev(tap->fd[pair], req->seg, (int)req->segs) >= 0 ||
	       errno != EAGAIN;
}

static bool tap_receive(struct net *net, u32 which)
{
	const struct net_pair *pair = &net->pair[which];
	struct tap *tap = net->own;
	ssize_t n;

	if (tap->gone || !net_room(net, which, NET_BYTES))
		return false;
	n = readv(tap->fd[which], &pair->buffer[pair->first],
		  (int)pair->buffers);
	if (n < 0 && errno == EBADFD) {
		tap->gone = true;
		complain("--net %s: the interface was deleted", net->options->text);
		device_remove(&net->device);
	}
	if (n < (ssize_t)sizeof(struct plex86_net_hdr) + PLEX86_NET_FRAME_MIN)
		return n >= 0;
	net_received(net, which, (u32)n);
	return true;
}

static void tap_wait(struct net *net, struct waits *waits, bool receive)
{
	struct tap *tap = net->own;
	short events;
	u32 i;

	for (i = 0; i < net->up; i++) {
		const struct net_pair *pair = &net->pair[i];

		events = (short)((receive && !pair->dry ? POLLIN : 0) |
				 (pair->busy && !net->tx_limited ? POLLOUT : 0));
		if (events)
			waits_fd(waits, tap->fd[i], events);
	}
	tap->wait = tap->netlink < 0 ? WAITS_NOTHING :
				       waits_fd(waits, tap->netlink, POLLIN);
}

/* What has become of the link, of all that the socket tells. */
static void read_netlink(struct net *net)
{
	_Alignas(struct nlmsghdr) char buf[8192];
	struct tap *tap = net->own;
	bool lost = false;
	ssize_t n;

	for (;;) {
		const struct nlmsghdr *msg = (void *)buf;
		unsigned int left;

		n = recv(tap->netlink, buf, sizeof(buf), 0);
		if (n < 0 && errno == ENOBUFS) {
			lost = true;
			continue;
		}
		if (n <= 0)
			break;
		left = (unsigned int)n;
		for (; NLMSG_OK(msg, left); msg = NLMSG_NEXT(msg, left)) {
			const struct ifinfomsg *info = NLMSG_DATA(msg);

			if (msg->nlmsg_type == RTM_NEWLINK &&
			    info->ifi_index == tap->index)
				net_link(net, info->ifi_flags & IFF_UP);
		}
	}
	if (lost)
		net_link(net, is_up(tap));
}

static void tap_work(struct net *net, const struct waits *waits)
{
	struct tap *tap = net->own;

	if (waits_came(waits, tap->wait))
		read_netlink(net);
}

const struct net_backend net_tap = {
	.features = PLEX86_NET_F_CSUM | PLEX86_NET_F_TSO4 | PLEX86_NET_F_TSO6 |
		    PLEX86_NET_F_TSO_ECN | PLEX86_NET_F_GUEST_CSUM |
		    PLEX86_NET_F_GUEST_TSO4 | PLEX86_NET_F_GUEST_TSO6 |
		    PLEX86_NET_F_GUEST_ECN,
	.mtu	 = MTU_DEFAULT,
	.open	 = tap_open,
	.close	 = tap_close,
	.agree	 = tap_agree,
	.send	 = tap_send,
	.receive = tap_receive,
	.wait	 = tap_wait,
	.work	 = tap_work,
};
