// SPDX-License-Identifier: GPL-2.0
/*
 * --net socket: a peer at the other end of a Unix stream socket, which may be
 * passt, a switch, QEMU (-netdev stream) or another plex86.  Each frame is
 * preceded by its length in 4 bytes, the most significant one first.
 *
 * The link is up while there is a peer.  One that went away is looked for again,
 * or waited for by a server.
 */
#include "launcher.h"
#include "net.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define MTU_DEFAULT	1500u
#define BUFFER_BYTES	(256u << 10)
#define LENGTH_BYTES	4u
#define RETRY_NS	500000000ull

/* A stretch of the stream: bytes from first on. */
struct stream {
	u32 first, bytes;
	u8 data[BUFFER_BYTES];
};

struct peer {
	int listener;		/* of a server; else -1 */
	int fd;			/* -1: there is nobody */
	bool blocked;		/* takes no more at the moment */
	bool drained;		/* had no more at the moment */
	bool blamed;		/* it was said that its frames are bad */
	u64 retry_ns;		/* when to look for one again; 0: no need */
	u32 fd_wait, listener_wait;
	struct stream in, out;
};

static void socket_close(struct net *net)
{
	struct peer *peer = net->own;

	if (peer->fd >= 0)
		close(peer->fd);
	if (peer->listener >= 0) {
		close(peer->listener);
		unlink(net->options->path);
	}
	free(peer);
}

/* A new peer, or -1: none. */
static void set_peer(struct net *net, int fd)
{
	struct peer *peer = net->own;

	if (peer->fd >= 0)
		close(peer->fd);
	peer->fd = fd;
	peer->blocked = false;
	peer->drained = false;
	peer->in.bytes = 0;
	peer->out.bytes = 0;
	peer->retry_ns = fd < 0 && peer->listener < 0 ? now_ns() + RETRY_NS : 0;
	net_link(net, fd >= 0);
}

static int socket_open(struct net *net)
{
	const struct net_options *o = net->options;
	struct peer *peer = calloc(1, sizeof(*peer));
	int fd;

	if (!peer) {
		complain("out of memory");
		return -1;
	}
	peer->fd = -1;
	peer->listener = -1;
	net->own = peer;
	fd = o->server ? socket_listen(o->path, 1) : socket_connect(o->path);
	if (fd < 0) {
		complain("--net %s: %s: %s%s", o->text, o->path, strerror(errno),
			 !o->server && (errno == ENOENT || errno == ECONNREFUSED) ?
			 "; start the other side first, or say server=on" : "");
		return -1;
	}
	if (o->server)
		peer->listener = fd;
	set_peer(net, o->server ? -1 : fd);
	return 0;
}

/* Writes what there is; false if some is left. */
static bool flush(struct net *net)
{
	struct peer *peer = net->own;
	struct stream *out = &peer->out;
	ssize_t n;

	while (out->bytes) {
		n = send(peer->fd, out->data + out->first, out->bytes,
			 MSG_NOSIGNAL);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN) {
			peer->blocked = true;
			return false;
		}
		if (n < 0) {
			set_peer(net, -1);
			return true;
		}
		out->first += (u32)n;
		out->bytes -= (u32)n;
	}
	out->first = 0;
	return true;
}

static bool socket_send(struct net *net, u32 pair, const struct request *req)
{
	struct peer *peer = net->own;
	struct stream *out = &peer->out;
	u32 bytes = req->bytes - (u32)sizeof(struct plex86_net_hdr);
	u32 length = htonl(bytes);
	u8 *to;

	(void)pair;
	if (peer->fd >= 0 &&
	    BUFFER_BYTES - out->first - out->bytes < LENGTH_BYTES + bytes &&
	    !flush(net))
		return false;
	if (peer->fd < 0)
		return true;
	to = out->data + out->first + out->bytes;
	memcpy(to, &length, LENGTH_BYTES);
	net_copy(req, sizeof(struct plex86_net_hdr), to + LENGTH_BYTES, bytes);
	out->bytes += LENGTH_BYTES + bytes;
	return true;
}

static void socket_sent(struct net *net)
{
	struct peer *peer = net->own;

	if (peer->fd >= 0)
		flush(net);
}

/* Reads until there is a frame; its length, or 0 if there is no whole one. */
static u32 next_frame(struct net *net)
{
	struct peer *peer = net->own;
	struct stream *in = &peer->in;
	u32 length;
	ssize_t n;

	for (;;) {
		if (in->bytes >= LENGTH_BYTES) {
			memcpy(&length, in->data + in->first, LENGTH_BYTES);
			length = ntohl(length);
			if (length < PLEX86_NET_FRAME_MIN ||
			    length > PLEX86_NET_FRAME_MAX) {
				if (!peer->blamed)
					complain("--net %s: the peer sent a frame of %u bytes; hanging up",
						 net->options->text, length);
				peer->blamed = true;
				set_peer(net, -1);
				return 0;
			}
			if (in->bytes >= LENGTH_BYTES + length) {
				peer->blamed = false;
				return length;
			}
		}
		if (peer->drained)
			return 0;
		memmove(in->data, in->data + in->first, in->bytes);
		in->first = 0;
		n = recv(peer->fd, in->data + in->bytes,
			 BUFFER_BYTES - in->bytes, 0);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN) {
			peer->drained = true;
			return 0;
		}
		if (n <= 0) {
			set_peer(net, -1);
			return 0;
		}
		/* Less than there was room for: all that there was. */
		peer->drained = (u32)n < BUFFER_BYTES - in->bytes;
		in->bytes += (u32)n;
	}
}

static bool socket_receive(struct net *net, u32 pair)
{
	struct peer *peer = net->own;
	struct stream *in = &peer->in;
	u32 length;

	(void)pair;
	if (peer->fd < 0)
		return false;
	length = next_frame(net);
	if (!length || !net_give(net, 0, in->data + in->first + LENGTH_BYTES,
				 length))
		return false;
	in->first += LENGTH_BYTES + length;
	in->bytes -= LENGTH_BYTES + length;
	return true;
}

static void socket_wait(struct net *net, struct waits *waits, bool receive)
{
	struct peer *peer = net->own;
	short events;
	u32 i;

	/* The next frame may be for any pair. */
	for (i = 0; i < net->up; i++)
		receive &= !net->pair[i].dry;
	events = (short)((receive ? POLLIN : 0) |
			 (peer->blocked ? POLLOUT : 0));
	peer->fd_wait = WAITS_NOTHING;
	peer->listener_wait = WAITS_NOTHING;
	/*
	 * That the peer went away is told without being asked for, again and
	 * again: only if there is no guest that reads what it left first.
	 */
	if (peer->fd >= 0 && (events || !net->up))
		peer->fd_wait = waits_fd(waits, peer->fd, events);
	if (peer->fd < 0 && peer->listener >= 0 && !peer->retry_ns)
		peer->listener_wait = waits_fd(waits, peer->listener, POLLIN);
	if (peer->retry_ns)
		waits_until(waits, peer->retry_ns);
}

static void socket_work(struct net *net, const struct waits *waits)
{
	struct peer *peer = net->own;
	short came = waits_came(waits, peer->fd_wait);
	int fd;

	if (came & POLLIN)
		peer->drained = false;
	if (peer->fd >= 0 && (came & POLLOUT)) {
		peer->blocked = false;
		/* There is room for what transmit() could not send. */
		if (flush(net))
			net->more = true;
	}
	/* A guest that receives nothing does not see the end of the stream. */
	if (peer->fd >= 0 && !net->up && (came & (POLLHUP | POLLERR)))
		set_peer(net, -1);
	if (waits_came(waits, peer->listener_wait)) {
		fd = accept4(peer->listener, NULL, NULL,
			     SOCK_CLOEXEC | SOCK_NONBLOCK);
		if (fd >= 0)
			set_peer(net, fd);
		else	/* as without a descriptor, which lasts */
			peer->retry_ns = now_ns() + RETRY_NS;
	}
	if (peer->retry_ns && now_ns() >= peer->retry_ns) {
		if (peer->listener >= 0)
			peer->retry_ns = 0;
		else
			set_peer(net, socket_connect(net->options->path));
	}
}

const struct net_backend net_socket = {
	.mtu	 = MTU_DEFAULT,
	.open	 = socket_open,
	.close	 = socket_close,
	.send	 = socket_send,
	.sent	 = socket_sent,
	.receive = socket_receive,
	.wait	 = socket_wait,
	.work	 = socket_work,
};
