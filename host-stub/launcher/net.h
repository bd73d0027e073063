/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Network devices as the launcher has them: what --net says (net_options.c),
 * the device (net.c), and what a back end is (net_user.c, net_tap.c,
 * net_socket.c).
 */
#ifndef LAUNCHER_NET_H
#define LAUNCHER_NET_H

#include <netinet/in.h>

#include "device.h"

#define NETS_MAX	8u	/* of one VM */
#define FORWARDS_MAX	32u	/* of one --net user */
#define NET_PAIRS_MAX	((QUEUES_MAX - 1u) / 2)	/* of queues; one is for control */

/* Header and the largest frame. */
#define NET_BYTES	((u32)sizeof(struct plex86_net_hdr) + PLEX86_NET_FRAME_MAX)

/* hostfwd=: connections to the host's port are the guest's. */
struct net_forward {
	bool udp;
	struct in_addr host, guest;	/* guest: 0.0.0.0, the one that DHCP gives */
	u16 host_port, guest_port;
};

/* One --net. */
struct net_options {
	const char *text;	/* as it was said, for messages */
	enum net_kind { NET_USER, NET_TAP, NET_SOCKET } kind;
	char *ifname;		/* tap; NULL: the kernel chooses */
	char *path;		/* socket */
	bool server;
	char *pcap;
	u8 mac[6];		/* all zero: not said */
	u32 mtu;		/* 0: not said */
	u32 pairs;		/* of queues */
	u64 rx_rate, tx_rate;	/* bits a second, seen from the guest; 0: no limit */
	struct net_forward forward[FORWARDS_MAX];
	u32 forwards;
};

int net_options_parse(struct net_options *o, const char *text);
void net_options_free(struct net_options *o);

/* A limit of bytes a second: what there is may go into debt by one frame. */
struct net_rate {
	u64 bytes_s;		/* 0: none */
	u64 burst;
	s64 credit;		/* bytes */
	u64 when_ns;		/* of the credit */
};

/* A buffer of the guest's that is to be filled. */
#define NET_BUFFERS	(NET_BYTES / PLEX86_NET_RX_MIN + 2)

/* A pair of queues. */
struct net_pair {
	struct queue *rx, *tx;
	struct request request;	/* being sent */
	bool busy;		/* the back end has not taken it yet */
	bool dry;		/* there are not enough buffers */

	/* Receive buffers, taken and held; from first on. */
	u32 first, buffers;
	u32 room;		/* bytes of all of them */
	u32 id[NET_BUFFERS];
	struct iovec buffer[NET_BUFFERS];
};

struct net;

/* How a kind of back end does it.  None of these may wait for anything. */
struct net_backend {
	u64 features;		/* PLEX86_NET_F_* that it can do */
	u32 mtu;		/* of a guest that was told nothing else */

	/* Returns 0, or -1 after saying what is wrong. */
	int (*open)(struct net *net);
	void (*close)(struct net *net);

	/* The guest uses net->up pairs now, with net->features. */
	void (*agree)(struct net *net);

	/*
	 * Takes header and frame that the guest sends by @pair; false: it cannot
	 * yet, and wait() sees to it that its time will come.
	 */
	bool (*send)(struct net *net, u32 pair, const struct request *req);

	/* What was sent in a row ends here. */
	void (*sent)(struct net *net);

	/*
	 * Gives a frame to the guest, if it has one: by net_room() and
	 * net_received() with @pair, or by net_give(), which chooses a pair.
	 * Returns false if there is none, or no room for it.
	 */
	bool (*receive)(struct net *net, u32 pair);

	/* What its own descriptors and times are; @receive: it may. */
	void (*wait)(struct net *net, struct waits *waits, bool receive);
	void (*work)(struct net *net, const struct waits *waits);
};

struct net {
	struct device device;
	struct net_options *options;
	const struct net_backend *backend;
	void *own;		/* the back end's */

	struct net_pair pair[NET_PAIRS_MAX];
	u32 up;			/* pairs that the guest has set */
	u64 features;		/* that it accepted */
	struct plex86_net_config config;
	struct plex86_net_filter filter;
	bool filtered;		/* there is one */

	struct request taken;	/* a buffer of the guest's, or of control */
	bool more;		/* there is more to do than one turn does */
	bool rx_limited, tx_limited;	/* by a rate, for now: */
	u64 rx_until, tx_until;	/* until then, CLOCK_MONOTONIC ns */

	struct net_rate rx_rate, tx_rate;
	int pcap;		/* -1: none */
	bool recording;		/* it has begun */
};

int nets_add(struct vm_context *ctx);
bool net_room(struct net *net, u32 pair, u32 bytes);
void net_received(struct net *net, u32 pair, u32 bytes);
bool net_give(struct net *net, u8 flags, const void *frame, u32 bytes);
void net_link(struct net *net, bool up);
u32 net_copy(const struct request *req, u32 from, void *to, u32 bytes);

extern const struct net_backend net_user, net_tap, net_socket;

#endif
