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
	int fd;
	int netlink;		/* -1: nobody tells of the link */
	int index;
	bool blocked;		/* it takes no frame now */
	bool gone;		/* the interface was deleted */
	u32 wait;		/* waits_fd() of @netlink */
};

static void tap_close(struct net *net)
{
	struct tap *tap = net->own;

	if (tap->fd >= 0)
		close(tap->fd);
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

/* Is the interface up?  Asked once at the start; changes are told. */
static bool is_up(const char *name)
{
	struct ifreq ifr = { 0 };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), err;

	memcpy(ifr.ifr_name, name, IFNAMSIZ);
	err = fd < 0 || ioctl(fd, SIOCGIFFLAGS, &ifr);
	if (fd >= 0)
		close(fd);
	return !err && (ifr.ifr_flags & IFF_UP);
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

static int tap_open(struct net *net)
{
	static const char device[] = "/dev/net/tun";
	const struct net_options *o = net->options;
	struct tap *tap = calloc(1, sizeof(*tap));
	int header = sizeof(struct plex86_net_hdr), little = 1;
	struct ifreq ifr = { .ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR };

	if (!tap)
		return refuse(net, "memory", ENOMEM);
	tap->netlink = -1;
	net->own = tap;
	tap->fd = open(device, O_RDWR | O_CLOEXEC | O_NONBLOCK);
	if (tap->fd < 0)
		return refuse(net, device, errno);
	if (o->ifname)
		strcpy(ifr.ifr_name, o->ifname);
	if (ioctl(tap->fd, TUNSETIFF, &ifr))
		return refuse(net, o->ifname ? o->ifname : device, errno);
	if (ioctl(tap->fd, TUNSETVNETHDRSZ, &header) ||
	    ioctl(tap->fd, TUNSETVNETLE, &little))
		return refuse(net, "headers", errno);
	tap->index = (int)if_nametoindex(ifr.ifr_name);
	/* First the socket, so that no change gets lost. */
	tap->netlink = open_netlink();
	net_link(net, tap->netlink < 0 || is_up(ifr.ifr_name));
	if (!o->ifname)
		fprintf(stderr, "plex86: --net %s: the other end is %s\n",
			o->text, ifr.ifr_name);
	return 0;
}

/* What the guest takes, the host may give. */
static void tap_agree(struct net *net, u64 features)
{
	struct tap *tap = net->own;
	unsigned int offload = 0;

	if (features & PLEX86_NET_F_GUEST_CSUM)
		offload |= TUN_F_CSUM;
	if (features & PLEX86_NET_F_GUEST_TSO4)
		offload |= TUN_F_TSO4;
	if (features & PLEX86_NET_F_GUEST_TSO6)
		offload |= TUN_F_TSO6;
	if (features & PLEX86_NET_F_GUEST_ECN)
		offload |= TUN_F_TSO_ECN;
	if (ioctl(tap->fd, TUNSETOFFLOAD, offload))
		complain("--net %s: offloads: %s", net->options->text,
			 strerror(errno));
}

static bool tap_send(struct net *net, const struct request *req)
{
	struct tap *tap = net->own;

	if (writev(tap->fd, req->seg, (int)req->segs) < 0 && errno == EAGAIN) {
		tap->blocked = true;
		return false;
	}
	/* What the interface does not take, as when it is down, is dropped. */
	return true;
}

static bool tap_receive(struct net *net)
{
	struct tap *tap = net->own;
	ssize_t n;

	if (tap->gone || !net_room(net, NET_BYTES))
		return false;
	n = readv(tap->fd, &net->buffer[net->first], (int)net->buffers);
	if (n < 0 && errno == EBADFD) {
		tap->gone = true;
		complain("--net %s: the interface was deleted", net->options->text);
		device_remove(&net->device);
	}
	if (n < (ssize_t)sizeof(struct plex86_net_hdr) + PLEX86_NET_FRAME_MIN)
		return n >= 0;
	net_received(net, (u32)n);
	return true;
}

static void tap_wait(struct net *net, struct waits *waits, bool receive)
{
	struct tap *tap = net->own;

	if (receive || tap->blocked)
		waits_fd(waits, tap->fd, (short)((receive ? POLLIN : 0) |
						 (tap->blocked ? POLLOUT : 0)));
	tap->wait = tap->netlink < 0 ? WAITS_NOTHING :
				       waits_fd(waits, tap->netlink, POLLIN);
}

/* What has become of the link, of all that the socket tells. */
static void read_netlink(struct net *net)
{
	_Alignas(struct nlmsghdr) char buf[8192];
	struct tap *tap = net->own;
	ssize_t n;

	while ((n = recv(tap->netlink, buf, sizeof(buf), 0)) > 0) {
		const struct nlmsghdr *msg = (void *)buf;
		unsigned int left = (unsigned int)n;

		for (; NLMSG_OK(msg, left); msg = NLMSG_NEXT(msg, left)) {
			const struct ifinfomsg *info = NLMSG_DATA(msg);

			if (msg->nlmsg_type == RTM_NEWLINK &&
			    info->ifi_index == tap->index)
				net_link(net, info->ifi_flags & IFF_UP);
		}
	}
}

static void tap_work(struct net *net, const struct waits *waits)
{
	struct tap *tap = net->own;

	tap->blocked = false;
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
