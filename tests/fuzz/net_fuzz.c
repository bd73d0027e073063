// SPDX-License-Identifier: GPL-2.0
/*
 * halnet's back end, launcher/net.c, between a hostile guest and a hostile peer.
 * The peer is the other end of launcher/net_socket.c's stream, or a back end here
 * that takes and gives frames at once and offers all offloads.
 */
#include "ring.h"

#include <errno.h>
#include <sanitizer/asan_interface.h>
#include <sys/socket.h>

#define PEER_FD		0x40000000	/* no descriptor: calls with it come here */

static u8 most;			/* bytes that it takes at a time, in units of 64 */
static u16 offered;		/* bytes that it has sent: they are the next input */
static bool gone;		/* the peer hangs up */
static u8 frames;		/* that the other back end has to give */

int socket_connect(const char *path)
{
	(void)path;
	if (!gone)
		return PEER_FD;
	errno = ECONNREFUSED;
	return -1;
}

int socket_listen(const char *path, int backlog)
{
	(void)backlog;
	return socket_connect(path);
}

ssize_t __wrap_recv(int fd, void *to, size_t bytes, int flags);
ssize_t __wrap_send(int fd, const void *from, size_t bytes, int flags);
int __wrap_accept4(int fd, struct sockaddr *name, socklen_t *bytes, int flags);
int __wrap_close(int fd);
int __real_close(int fd);

ssize_t __wrap_recv(int fd, void *to, size_t bytes, int flags)
{
	(void)flags;
	CHECK_EQ("recv", fd, PEER_FD);
	ring_interlude();
	if (bytes > offered)
		bytes = offered;
	if (bytes > ring_input.left)
		bytes = ring_input.left;
	if (!bytes && !gone) {
		errno = EAGAIN;
		return -1;
	}
	offered -= (u16)bytes;
	take(&ring_input, to, bytes);
	return (ssize_t)bytes;
}

ssize_t __wrap_send(int fd, const void *from, size_t bytes, int flags)
{
	(void)flags;
	CHECK_EQ("send", fd, PEER_FD);
	ring_interlude();
	CHECK("bytes to write", !__asan_region_is_poisoned((void *)(uintptr_t)from, bytes));
	if (!most)
		errno = gone ? EPIPE : EAGAIN;
	return !most ? -1 : (ssize_t)(bytes < most * 64u ? bytes : most * 64u);
}

int __wrap_accept4(int fd, struct sockaddr *name, socklen_t *bytes, int flags)
{
	(void)fd;
	(void)name;
	(void)bytes;
	(void)flags;
	return gone ? -1 : PEER_FD;
}

int __wrap_close(int fd)
{
	return fd == PEER_FD ? 0 : __real_close(fd);
}

/* The back end without a stream. */

static int plain_open(struct net *net)
{
	net->own = net;
	return 0;
}

static void plain_close(struct net *net)
{
	(void)net;
}

static bool plain_send(struct net *net, u32 pair, const struct request *req)
{
	static u8 frame[NET_BYTES];

	(void)pair;
	CHECK("sent", req->bytes <= NET_BYTES &&
		      req->bytes >= sizeof(struct plex86_net_hdr) +
				    PLEX86_NET_FRAME_MIN);
	CHECK_EQ("sent", net_copy(req, 0, frame, sizeof(frame)), req->bytes);
	(void)net;
	return most;
}

/* Into the guest's buffers, as from a tap; or from elsewhere. */
static bool plain_receive(struct net *net, u32 pair)
{
	static u8 frame[PLEX86_NET_FRAME_MAX];
	u32 bytes = (PLEX86_NET_FRAME_MIN + most * 257u) % sizeof(frame), left, i;

	if (!frames)
		return false;
	frames--;
	if (bytes < PLEX86_NET_FRAME_MIN)
		bytes = PLEX86_NET_FRAME_MIN;
	if (frames & 1)
		return net_give(net, 0, frame, bytes);
	bytes += sizeof(struct plex86_net_hdr);
	if (!net_room(net, pair, bytes))
		return false;
	for (i = net->pair[pair].first, left = bytes; left; i++) {
		const struct iovec *iov = &net->pair[pair].buffer[i];
		u32 n = iov->iov_len < left ? (u32)iov->iov_len : left;

		memset(iov->iov_base, 0, n);
		left -= n;
	}
	net_received(net, pair, bytes);
	return true;
}

static void plain_wait(struct net *net, struct waits *waits, bool receive)
{
	(void)net;
	(void)waits;
	(void)receive;
}

static void plain_work(struct net *net, const struct waits *waits)
{
	(void)net;
	(void)waits;
}

const struct net_backend net_user = {
	.features = PLEX86_NET_F_CSUM | PLEX86_NET_F_TSO4 | PLEX86_NET_F_TSO6 |
		    PLEX86_NET_F_TSO_ECN | PLEX86_NET_F_GUEST_CSUM |
		    PLEX86_NET_F_GUEST_TSO4,
	.mtu = 1500,
	.open = plain_open,
	.close = plain_close,
	.send = plain_send,
	.receive = plain_receive,
	.wait = plain_wait,
	.work = plain_work,
};

static void event(void)
{
	u8 what = take8(&ring_input);

	gone = what & 1;
	frames = what >> 1;
	most = take8(&ring_input);
	offered = take16(&ring_input);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t bytes)
{
	struct net_options *options = &ring_vm.options.net[0];
	static char path[] = "/nonexistent/peer";
	u8 kind;

	ring_begin(data, bytes);
	most = 255;
	offered = 0;
	gone = false;
	frames = 0;
	kind = take8(&ring_input);
	options->text = "fuzz";
	options->kind = kind & 1 ? NET_USER : NET_SOCKET;
	options->server = kind & 2;
	options->path = path;
	options->pairs = 1 + (kind >> 2 & 3);
	if (kind & 16)
		options->rx_rate = 8000u << (kind >> 5);
	if (kind & 32)
		options->tx_rate = 8000u << (kind >> 5);
	ring_vm.options.nets = 1;
	CHECK_EQ("net", nets_add(&ring_vm), 0);
	ring_run(ring_vm.devices.device[0], event);
	devices_close(&ring_vm);
	ring_end();
	return 0;
}
