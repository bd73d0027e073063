// SPDX-License-Identifier: GPL-2.0
/*
 * A disk's medium on an NBD server, by libnbd: remote disks, and files in any
 * format that qemu-nbd or nbdkit knows.
 *
 * libnbd is loaded by the first disk that is on a server: with all the libraries
 * that it needs itself it takes longer to load than a guest takes to boot.
 *
 * The connection is made before the guest starts, and after that nothing here
 * waits.  A server that goes away, or that answers nothing for too long, costs
 * the connection, and all requests from then on are errors.  What has not been
 * answered is not in anybody's hands any more when it is failed: libnbd has
 * closed its socket.
 *
 * libnbd's callbacks come while it holds its lock: they call nothing of it.
 */
#include "disk.h"
#include "launcher.h"

#include <dlfcn.h>
#include <errno.h>
#include <libnbd.h>
#include <string.h>
#include <unistd.h>

#define SECTOR		((u64)PLEX86_BLK_SECTOR)
#define FILE_BLOCK	4096u
#define TIMEOUT_S	30u
#define NS_PER_S	1000000000ull
#define GOODBYE_MS	100
#define LIBRARY		"libnbd.so.0"

/* What of libnbd is called; each as nbd_NAME(). */
#define CALLS(X) \
	X(create) X(close) X(aio_connect_uri) X(aio_is_connecting) \
	X(aio_is_ready) X(aio_is_dead) X(aio_is_closed) X(aio_disconnect) \
	X(poll) X(aio_get_fd) X(aio_get_direction) X(aio_notify_read) \
	X(aio_notify_write) X(aio_pread) X(aio_pwrite) X(aio_flush) \
	X(aio_trim) X(aio_zero) X(get_errno) X(get_error) \
	X(get_size) X(get_block_size) X(is_read_only) X(is_rotational) \
	X(can_flush) X(can_fua) X(can_trim) X(can_zero)

struct lib {
#define X(name) __typeof__(&nbd_##name) name;
	CALLS(X)
#undef X
};

struct disk_nbd {
	struct medium medium;
	struct lib lib;
	u32 number;
	const char *uri;
	struct nbd_handle *nbd;		/* NULL: the connection is gone */
	u64 timeout_ns;
	u64 heard_ns;			/* when it answered last */
	bool through;			/* all that is written is durable */
	bool fua;			/* the server can do that in one step */
	struct command *first, **end;	/* on their way, the oldest first */
	struct command *flushes;	/* of those, written and to be flushed */
	u32 fd_wait;			/* waits_fd() */
	u32 direction;			/* what for */
};

/* A request on its way to the server and back. */
struct command {
	struct command *next, **back;
	struct disk_nbd *disk;
	struct disk_request *dr;
	u64 since_ns;
	bool flush;			/* the second step of a durable write */
	struct command *next_flush;
	u8 *buffer;			/* for more than one segment, or NULL */
};

static struct disk_nbd *nbd_of(struct medium *m)
{
	return device_of(m, struct disk_nbd, medium);
}

static void copy(struct command *c, bool to_guest)
{
	u8 *at = c->buffer;
	u32 i;

	for (i = 0; i < c->dr->req.segs; i++) {
		const struct iovec *seg = &c->dr->req.seg[i];

		if (to_guest)
			memcpy(seg->iov_base, at, seg->iov_len);
		else
			memcpy(at, seg->iov_base, seg->iov_len);
		at += seg->iov_len;
	}
}

static void end_command(struct command *c, int error)
{
	struct disk_nbd *n = c->disk;
	struct disk_request *dr = c->dr;

	if (c->buffer && !error && dr->req.op == PLEX86_BLK_OP_READ)
		copy(c, true);
	*c->back = c->next;
	if (c->next)
		c->next->back = c->back;
	else
		n->end = c->back;
	free(c->buffer);
	free(c);
	disk_done(dr, error);
}

/* libnbd's: the server has answered, or will not.  1: it may forget of it. */
static int answered(void *data, int *error)
{
	struct command *c = data;
	struct disk_nbd *n = c->disk;

	if (!n->nbd)
		return 1;		/* it is being closed, see hang_up() */
	n->heard_ns = now_ns();
	if (!*error && c->dr->durable && !n->fua && !c->flush &&
	    c->dr->req.op != PLEX86_BLK_OP_READ) {
		c->flush = true;
		c->next_flush = n->flushes;
		n->flushes = c;
	} else {
		end_command(c, *error);
	}
	return 1;
}

/* Returns 0 or an errno. */
static int send_command(struct command *c)
{
	struct disk_nbd *n = c->disk;
	struct disk_request *dr = c->dr;
	nbd_completion_callback done = { .callback = answered, .user_data = c };
	void *data = c->buffer;
	u32 flags = dr->durable && n->fua ? LIBNBD_CMD_FLAG_FUA : 0;
	s64 cookie;

	if (!data && dr->req.segs)
		data = dr->req.seg[0].iov_base;
	switch (c->flush ? PLEX86_BLK_OP_FLUSH : dr->req.op) {
	case PLEX86_BLK_OP_READ:
		cookie = n->lib.aio_pread(n->nbd, data, dr->bytes, dr->at, done, 0);
		break;
	case PLEX86_BLK_OP_WRITE:
		cookie = n->lib.aio_pwrite(n->nbd, data, dr->bytes, dr->at, done,
					flags);
		break;
	case PLEX86_BLK_OP_FLUSH:
		cookie = n->lib.aio_flush(n->nbd, done, 0);
		break;
	case PLEX86_BLK_OP_DISCARD:
		cookie = n->lib.aio_trim(n->nbd, dr->bytes, dr->at, done, 0);
		break;
	default:
		if (!dr->unmap)
			flags |= LIBNBD_CMD_FLAG_NO_HOLE;
		cookie = n->lib.aio_zero(n->nbd, dr->bytes, dr->at, done, flags);
	}
	if (cookie >= 0)
		return 0;
	return n->lib.get_errno() ? n->lib.get_errno() : EIO;
}

/* The second steps of what the server has written. */
static void send_flushes(struct disk_nbd *n)
{
	struct command *c;
	int error;

	while ((c = n->flushes)) {
		n->flushes = c->next_flush;
		error = send_command(c);
		if (error)
			end_command(c, error);
	}
}

/* Closes the connection, and fails what was on its way. */
static void hang_up(struct disk_nbd *n)
{
	struct nbd_handle *nbd = n->nbd;

	n->nbd = NULL;
	n->flushes = NULL;
	n->lib.close(nbd);
	while (n->first)
		end_command(n->first, EIO);
}

static void give_up(struct disk_nbd *n, const char *why)
{
	complain("disk%u: %s: %s; the guest's requests are errors from here on",
		 n->number, n->uri, why);
	hang_up(n);
}

static void nbd_abandon(struct medium *m)
{
	struct disk_nbd *n = nbd_of(m);

	if (n->nbd)
		hang_up(n);
}

/* When the server has said nothing for too long; there are commands. */
static u64 deadline_ns(const struct disk_nbd *n)
{
	u64 since = n->first->since_ns;

	return (since > n->heard_ns ? since : n->heard_ns) + n->timeout_ns;
}

static void nbd_submit(struct medium *m, struct disk_request *dr)
{
	struct disk_nbd *n = nbd_of(m);
	struct command *c;
	int error;

	if (!n->nbd) {
		disk_done(dr, EIO);
		return;
	}
	c = calloc(1, sizeof(*c));
	if (c && dr->req.segs > 1)
		c->buffer = malloc(dr->bytes);
	if (!c || (dr->req.segs > 1 && !c->buffer)) {
		free(c);
		disk_done(dr, ENOMEM);
		return;
	}
	c->disk = n;
	c->dr = dr;
	c->since_ns = now_ns();
	c->back = n->end;
	*n->end = c;
	n->end = &c->next;
	if (n->through)
		dr->durable = true;
	if (c->buffer && dr->req.op == PLEX86_BLK_OP_WRITE)
		copy(c, false);
	error = send_command(c);
	if (error)
		end_command(c, error);
	send_flushes(n);
}

static void nbd_wait(struct medium *m, struct waits *waits)
{
	struct disk_nbd *n = nbd_of(m);
	short events = 0;

	n->fd_wait = WAITS_NOTHING;
	if (!n->nbd)
		return;
	n->direction = n->lib.aio_get_direction(n->nbd);
	if (n->direction & LIBNBD_AIO_DIRECTION_READ)
		events |= POLLIN;
	if (n->direction & LIBNBD_AIO_DIRECTION_WRITE)
		events |= POLLOUT;
	n->fd_wait = waits_fd(waits, n->lib.aio_get_fd(n->nbd), events);
	if (n->first)
		waits_until(waits, deadline_ns(n));
}

static void nbd_work(struct medium *m, const struct waits *waits)
{
	struct disk_nbd *n = nbd_of(m);
	short came = waits_came(waits, n->fd_wait);

	n->fd_wait = WAITS_NOTHING;	/* it came once */
	if (!n->nbd)
		return;
	if ((came & (POLLIN | POLLHUP | POLLERR)) &&
	    (n->direction & LIBNBD_AIO_DIRECTION_READ))
		n->lib.aio_notify_read(n->nbd);
	else if (came & POLLOUT)
		n->lib.aio_notify_write(n->nbd);
	if (n->lib.aio_is_dead(n->nbd) || n->lib.aio_is_closed(n->nbd))
		give_up(n, "the server has gone");
	else if (n->first && deadline_ns(n) < now_ns())
		give_up(n, "the server does not answer");
	else
		send_flushes(n);
}

static void nbd_end(struct medium *m)
{
	struct disk_nbd *n = nbd_of(m);

	if (n->nbd && !n->lib.aio_disconnect(n->nbd, 0))
		while (!n->lib.aio_is_closed(n->nbd) &&
		       n->lib.poll(n->nbd, GOODBYE_MS) > 0)
			;
	if (n->nbd)
		n->lib.close(n->nbd);
	free(n);
}

static const struct medium_ops nbd_ops = {
	.submit		= nbd_submit,
	.wait		= nbd_wait,
	.work		= nbd_work,
	.abandon	= nbd_abandon,
	.close		= nbd_end,
};

/* What libnbd says begins with the name of its function. */
static const char *reason(const struct disk_nbd *n)
{
	const char *said = n->lib.get_error(), *behind;

	if (!said)
		return "libnbd is out of memory";
	behind = strncmp(said, "nbd_", 4) ? NULL : strstr(said, ": ");
	return behind ? behind + 2 : said;
}

static int wrong(const struct disk_nbd *n, const char *what)
{
	complain("disk%u: %s: %s", n->number, n->uri, what);
	return -1;
}

/* The library stays, for whoever asks for it next. */
static int load(struct disk_nbd *n)
{
	void *library = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL);

	if (!library)
		return wrong(n, "this takes " LIBRARY ", which is not installed (Debian's package libnbd0)");
#define X(name) \
	*(void **)&n->lib.name = dlsym(library, "nbd_" #name); \
	if (!n->lib.name) \
		return wrong(n, LIBRARY " is too old: it has no nbd_" #name);
	CALLS(X)
#undef X
	return 0;
}

static int connect_server(struct disk_nbd *n)
{
	u64 until_ns = now_ns() + n->timeout_ns, now;
	int ready;

	n->nbd = n->lib.create();
	if (!n->nbd || n->lib.aio_connect_uri(n->nbd, n->uri) < 0)
		return wrong(n, reason(n));
	while (n->lib.aio_is_connecting(n->nbd)) {
		now = now_ns();
		ready = now < until_ns ?
			n->lib.poll(n->nbd, (int)((until_ns - now) / 1000000) + 1) : 0;
		if (ready < 0)
			return wrong(n, reason(n));
		if (!ready)
			return wrong(n, "the server does not answer");
	}
	return n->lib.aio_is_ready(n->nbd) ? 0 : wrong(n, reason(n));
}

static int learn(struct disk_nbd *n, const struct disk_options *o)
{
	struct medium *m = &n->medium;
	struct nbd_handle *h = n->nbd;
	s64 block = n->lib.get_block_size(h, LIBNBD_SIZE_MINIMUM);
	s64 optimal = n->lib.get_block_size(h, LIBNBD_SIZE_PREFERRED);
	bool writes = !o->read_only, flush = n->lib.can_flush(h) > 0;
	s64 bytes = n->lib.get_size(h);

	if (bytes < 0)
		return wrong(n, reason(n));
	m->bytes = (u64)bytes;
	if (writes && n->lib.is_read_only(h) > 0)
		return wrong(n, "the server lets nobody write; say ro");
	if (block < (s64)SECTOR)
		block = (s64)SECTOR;
	if (block > (s64)PAGE_SIZE)
		return wrong(n, "its blocks are larger than a page");
	if (o->block_bytes && o->block_bytes < (u32)block)
		return wrong(n, "block= is smaller than the server's blocks");
	m->block_bytes = o->block_bytes ? o->block_bytes : (u32)block;
	m->physical_bytes = FILE_BLOCK;
	if (optimal > 0 && optimal <= UINT32_MAX && !(optimal % FILE_BLOCK))
		m->optimal_bytes = (u32)optimal;
	m->read_only = o->read_only;
	m->discard_bytes = n->lib.can_trim(h) > 0 ? FILE_BLOCK : 0;
	m->zeroes = n->lib.can_zero(h) > 0;
	m->rotational = n->lib.is_rotational(h) > 0;
	n->through = writes && flush && o->cache == CACHE_WRITETHROUGH;
	m->cached = writes && flush && !n->through;
	n->fua = n->lib.can_fua(h) > 0;
	if (!m->bytes)
		return wrong(n, "it is empty");
	if (m->bytes % m->block_bytes)
		return wrong(n, "its size is no multiple of the block");
	return 0;
}

/*
 * disk_nbd_open() - connect to the server that a --disk named
 * @number: of the disk, for messages
 *
 * Returns NULL after saying what is wrong.
 */
struct medium *disk_nbd_open(const struct disk_options *o, u32 number)
{
	struct disk_nbd *n = calloc(1, sizeof(*n));

	if (!n) {
		complain("disk%u: out of memory", number);
		return NULL;
	}
	n->medium.ops = &nbd_ops;
	n->number = number;
	n->uri = o->place;
	n->timeout_ns = (o->timeout_s ? o->timeout_s : TIMEOUT_S) * NS_PER_S;
	n->end = &n->first;
	n->fd_wait = WAITS_NOTHING;
	if (!load(n) && !connect_server(n) && !learn(n, o))
		return &n->medium;
	nbd_end(&n->medium);
	return NULL;
}
