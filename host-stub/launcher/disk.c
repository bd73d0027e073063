// SPDX-License-Identifier: GPL-2.0
/*
 * halblk's back end: a disk of the guest's on a medium.
 *
 * Requests come from the guest's queues, are checked here against the medium
 * and the contract, wait here if the user limited their rate, and go to the
 * medium.  A completion is made when the medium has said disk_done(), never
 * before: what a FLUSH or a durable write promises hangs on that.
 *
 * Waking a process on another processor takes longer than many a request.  So
 * as long as one thing follows the other quickly, a disk looks out for the next,
 * request or completion, instead of sleeping; and it says that it is at work
 * (state.attentive): a guest that halts meanwhile looks out for its answer.
 *
 * Guest RAM that a read goes to is held from submission to completion, so that
 * the guest executes nothing that is being written.
 */
#include "disk.h"
#include "launcher.h"

#include <errno.h>
#include <string.h>

#define QUEUE_ENTRIES	128u
#define SEGS		128u
#define REQUEST_BYTES	(1u << 20)
#define RANGE_BYTES	(1ull << 30)	/* of one DISCARD or WRITE_ZEROES */
#define CHUNK		8u		/* submitted before completions are told; */
#define CHUNK_BYTES	(256u << 10)	/* or so much: the guest goes on meanwhile */
#define LOOK_OUT_NS	200000u		/* what is quick, and how long to look out */
#define YIELD_NS	5000u		/* others may run then: workers of the kernel's */
#define BUSY_NS		1000000u	/* from a request to the next: work */
#define TURN_NS		1000000u	/* before others have their turn */
#define OTHERS_NS	50000u		/* how often to see whether they want it */
#define NS_PER_S	1000000000ull

#define SECTOR		((u64)PLEX86_BLK_SECTOR)

/* A limited rate: the time at which all that was let through would be due. */
struct meter {
	struct disk_rate rate;
	u64 due_ns;
};

struct disk {
	struct device device;
	struct medium *medium;
	struct disk_options options;
	u64 sectors;			/* as the guest was told */
	struct meter iops, bps;
	bool more;			/* the guest may have more, unseen */

	struct disk_request *requests;	/* all of them */
	struct disk_request *unused;
	struct disk_request *waiting, **waiting_end;	/* in the guest's order */
	u32 in_flight;			/* with the medium */
	u64 events;			/* requests passed on, and completions */
	u64 seen;			/* of those, when last looked at */
	u64 seen_ns;			/* and when that was, CLOCK_MONOTONIC */
	u64 others_ns;			/* when to look at what others wait for */
	u64 passed_ns;			/* when the medium got a request last */
};

static struct disk *disk_of(struct device *dev)
{
	return device_of(dev, struct disk, device);
}

/*
 * Limits.
 */

/* ns that @units take at the rate. */
static u64 meter_ns(const struct meter *m, u64 units)
{
	return (u64)((unsigned __int128)units * NS_PER_S / m->rate.per_s);
}

/* 0: let it through; or when to ask again, CLOCK_MONOTONIC. */
static u64 meter_ask(const struct meter *m, u64 now)
{
	return !m->rate.per_s || m->due_ns <= now ? 0 : m->due_ns;
}

static void meter_count(struct meter *m, u64 units, u64 now)
{
	u64 burst;

	if (!m->rate.per_s)
		return;
	burst = meter_ns(m, m->rate.burst);
	if (now > burst && m->due_ns < now - burst)
		m->due_ns = now - burst;
	m->due_ns += meter_ns(m, units);
}

/*
 * Requests.
 */

static void finish(struct disk_request *dr, u16 status, u32 bytes)
{
	struct disk *disk = dr->disk;

	if (dr->held)
		queue_release(dr->queue, &dr->req);
	dr->held = false;
	/* What a reset finds under way is not completed. */
	if (!disk->device.resetting)
		queue_complete(dr->queue, dr->req.id, status, 0, bytes);
	dr->next = disk->unused;
	disk->unused = dr;
}

static u16 status_of(int error)
{
	switch (error) {
	case 0:
		return PLEX86_S_OK;
	case ENOSPC:
	case EDQUOT:
	case EFBIG:
		return PLEX86_S_NOSPACE;
	case EOPNOTSUPP:
		return PLEX86_S_UNSUPPORTED;
	}
	return PLEX86_S_IOERR;
}

/*
 * disk_done() - the medium is through with @dr
 * @error: 0, or an errno
 */
void disk_done(struct disk_request *dr, int error)
{
	dr->disk->in_flight--;
	dr->disk->events++;
	finish(dr, status_of(error), error ? 0 : dr->req.bytes);
}

/* Is the guest to know of this operation, on this medium? */
static bool known(const struct disk *disk, u16 op, u16 flags, u64 accepted)
{
	const struct medium *m = disk->medium;
	bool flush = accepted & PLEX86_BLK_F_FLUSH;

	switch (op) {
	case PLEX86_BLK_OP_READ:
		return !flags;
	case PLEX86_BLK_OP_WRITE:
		return !m->read_only && !(flags & (flush ? ~PLEX86_BLK_FUA : ~0));
	case PLEX86_BLK_OP_FLUSH:
		return flush && !flags;
	case PLEX86_BLK_OP_DISCARD:
		return (accepted & PLEX86_BLK_F_DISCARD) && !m->read_only &&
		       !flags;
	case PLEX86_BLK_OP_WRITE_ZEROES:
		return (accepted & PLEX86_BLK_F_WRITE_ZEROES) && !m->read_only &&
		       !(flags & ~(PLEX86_BLK_UNMAP |
				   (flush ? PLEX86_BLK_FUA : 0)));
	}
	return false;
}

/* Fills in what is wanted of the medium; false if it makes no sense. */
static bool understand(struct disk *disk, struct disk_request *dr)
{
	const struct request *req = &dr->req;
	u64 sectors, max = RANGE_BYTES, block = disk->medium->block_bytes / SECTOR;

	dr->at = 0;
	dr->bytes = 0;
	if (req->op == PLEX86_BLK_OP_FLUSH)
		return !req->segs;
	if (req->op == PLEX86_BLK_OP_READ || req->op == PLEX86_BLK_OP_WRITE) {
		max = REQUEST_BYTES;
		if (req->bytes % SECTOR)
			return false;
		sectors = req->bytes / SECTOR;
	} else if (req->segs) {
		return false;
	} else {
		sectors = req->arg2;
	}
	if (!sectors || sectors > max / SECTOR || req->arg % block ||
	    sectors % block || req->arg > disk->sectors ||
	    sectors > disk->sectors - req->arg)
		return false;
	dr->at = req->arg * SECTOR;
	dr->bytes = sectors * SECTOR;
	return true;
}

/* A request was taken from its queue: what becomes of it? */
static void sort(struct disk *disk, struct disk_request *dr)
{
	u64 accepted = device_accepted(dr->queue->dev);

	if (!known(disk, dr->req.op, dr->req.flags, accepted)) {
		finish(dr, PLEX86_S_UNSUPPORTED, 0);
		return;
	}
	if (!understand(disk, dr)) {
		finish(dr, PLEX86_S_BADREQ, 0);
		return;
	}
	dr->unmap = dr->req.flags & PLEX86_BLK_UNMAP;
	/* Without FLUSH the guest takes every write that is done for safe. */
	dr->durable = (dr->req.flags & PLEX86_BLK_FUA) ||
		      (disk->medium->cached && !(accepted & PLEX86_BLK_F_FLUSH));
	dr->next = NULL;
	*disk->waiting_end = dr;
	disk->waiting_end = &dr->next;
}

/* Takes what the guest has made, as far as there is room for it. */
static void take(struct disk *disk)
{
	u32 n;

	for (n = 0; n < QUEUES_MAX && !disk->device.resetting; n++) {
		struct queue *q = &disk->device.queue[n];

		if (!queue_attach(q))
			continue;
		while (disk->unused) {
			struct disk_request *dr = disk->unused;

			if (!queue_next(q, &dr->req))
				break;
			disk->unused = dr->next;
			dr->queue = q;
			sort(disk, dr);
		}
	}
}

/*
 * Has the medium begin what it was given, and tells the guest of what it has
 * completed in doing so, which goes on while we do.
 */
static void go(struct disk *disk)
{
	if (disk->medium->ops->go)
		disk->medium->ops->go(disk->medium);
	device_tell(&disk->device);
}

/*
 * Is there something to look out for?  Not for what goes through the host's cache
 * and was not done at once: a worker of the kernel's copies it, and wants the
 * processor.
 */
static bool expectant(const struct disk *disk)
{
	return !disk->waiting &&
	       (!disk->in_flight || (disk->options.cache == CACHE_NONE &&
				     disk->medium->ops->ready));
}

/* Hands to the medium what may go now. */
static void pass(struct disk *disk)
{
	struct disk_request *dr;
	u64 now = now_ns(), bytes = 0;
	u32 some = 0, chunk = 0;

	while ((dr = disk->waiting)) {
		bool counts = dr->req.op != PLEX86_BLK_OP_FLUSH;

		if (counts && (meter_ask(&disk->iops, now) ||
			       meter_ask(&disk->bps, now)))
			break;
		disk->waiting = dr->next;
		if (!disk->waiting)
			disk->waiting_end = &disk->waiting;
		if (dr->req.op == PLEX86_BLK_OP_READ) {
			dr->held = queue_hold(dr->queue, &dr->req);
			if (!dr->held) {
				finish(dr, PLEX86_S_IOERR, 0);
				continue;
			}
		}
		if (counts) {
			meter_count(&disk->iops, 1, now);
			meter_count(&disk->bps, dr->req.bytes, now);
		}
		disk->in_flight++;
		disk->events++;
		disk->medium->ops->submit(disk->medium, dr);
		some++;
		chunk++;
		bytes += dr->req.bytes;
		if (chunk == CHUNK || bytes >= CHUNK_BYTES) {
			go(disk);
			chunk = 0;
			bytes = 0;
		}
	}
	if (chunk)
		go(disk);
	if (!some)
		return;
	if (disk->device.ctx && now - disk->passed_ns < BUSY_NS &&
	    expectant(disk))
		balance_apart(disk->device.ctx, now);
	/* Much may have been copied meanwhile. */
	disk->passed_ns = now_ns();
}

static bool ready(const struct disk *disk)
{
	return disk->in_flight && disk->medium->ops->ready(disk->medium);
}

/* Every so often: has something come that is for others? */
static bool others_want(struct disk *disk, const struct waits *waits, u64 now)
{
	if (now < disk->others_ns)
		return false;
	disk->others_ns = now + OTHERS_NS;
	return waits_more(waits);
}

/*
 * Looks out for a request, of whatever device, and for completions.  Returns
 * false if others want their turn.
 */
static bool look_out(struct disk *disk, const struct waits *waits)
{
	struct vm_context *ctx = disk->device.ctx;
	u64 now = now_ns(), until = now + LOOK_OUT_NS, yield = now + YIELD_NS;
	u32 n;

	for (n = 0; n < QUEUES_MAX; n++)
		queue_quiet(&disk->device.queue[n]);
	for (;;) {
		if (others_want(disk, waits, now))
			return false;
		if (devices_pending(ctx) || ready(disk) || now >= until)
			return true;
		__builtin_ia32_pause();
		if (now >= yield) {
			sched_yield();
			yield = now + YIELD_NS;
		}
		now = now_ns();
	}
}

/*
 * The device.
 */

static void fill_config(struct disk *disk, struct plex86_blk_config *config)
{
	const struct medium *m = disk->medium;
	const struct disk_options *o = &disk->options;

	memset(config, 0, sizeof(*config));
	config->sectors = disk->sectors;
	config->flags = (m->read_only ? PLEX86_BLK_READ_ONLY : 0) |
			(m->rotational ? PLEX86_BLK_ROTATIONAL : 0);
	config->block_bytes = m->block_bytes;
	config->physical_bytes = m->physical_bytes;
	config->optimal_bytes = m->optimal_bytes;
	config->request_bytes = REQUEST_BYTES;
	config->discard_sectors = m->discard_bytes ? RANGE_BYTES / SECTOR : 0;
	config->discard_bytes = m->discard_bytes;
	config->zeroes_sectors = m->zeroes ? RANGE_BYTES / SECTOR : 0;
	if (o->serial)
		memcpy(config->serial, o->serial,
		       strnlen(o->serial, sizeof(config->serial)));
}

static void measure(struct disk *disk)
{
	const struct medium *m = disk->medium;

	disk->sectors = m->bytes / m->block_bytes * (m->block_bytes / SECTOR);
}

static void disk_start(struct device *dev, struct plex86_dev *page)
{
	struct disk *disk = disk_of(dev);
	const struct medium *m = disk->medium;
	struct plex86_blk_config config;

	fill_config(disk, &config);
	device_offer(page,
		     (m->cached ? PLEX86_BLK_F_FLUSH : 0) |
		     (m->discard_bytes && !m->read_only ?
			PLEX86_BLK_F_DISCARD : 0) |
		     (m->zeroes && !m->read_only ?
			PLEX86_BLK_F_WRITE_ZEROES : 0));
	page->queues = 1;
	page->queue_entries = QUEUE_ENTRIES;
	page->segs = SEGS;
	page->config_bytes = sizeof(config);
	memcpy((u8 *)page + PLEX86_DEV_CONFIG, &config, sizeof(config));
}

static bool disk_reset(struct device *dev)
{
	struct disk *disk = disk_of(dev);
	struct disk_request *dr;

	dev->resetting = true;
	while ((dr = disk->waiting)) {
		disk->waiting = dr->next;
		finish(dr, PLEX86_S_IOERR, 0);
	}
	disk->waiting_end = &disk->waiting;
	if (dev->ctx && dev->ctx->quit && disk->medium->ops->abandon)
		disk->medium->ops->abandon(disk->medium);
	return !disk->in_flight;
}

static void disk_wait(struct device *dev, struct waits *waits)
{
	struct disk *disk = disk_of(dev);
	u64 now = now_ns(), iops = meter_ask(&disk->iops, now);
	u64 bps = meter_ask(&disk->bps, now);

	disk->medium->ops->wait(disk->medium, waits);
	if (disk->more)
		waits_until(waits, now);
	if (disk->waiting)
		waits_until(waits, iops > bps ? iops : bps);
}

/* May this disk keep a processor busy with looking out? */
static bool eager(const struct disk *disk)
{
	const struct vm_context *ctx = disk->device.ctx;

	return ctx && ctx->balance.launcher == LAUNCHER_APART &&
	       !disk->device.resetting;
}

/* Tells the guest whether it shall look out for its answers. */
static void attend(struct disk *disk, bool attentive)
{
	if (disk->device.ctx)
		__atomic_store_n(&disk->device.ctx->state->attentive, attentive,
				 __ATOMIC_RELAXED);
}

static void disk_work(struct device *dev, const struct waits *waits)
{
	struct disk *disk = disk_of(dev);
	u64 now = now_ns(), end = now + TURN_NS;
	bool attentive;

	disk->more = false;
	disk->others_ns = now + OTHERS_NS;
	for (;;) {
		attentive = now - disk->seen_ns < LOOK_OUT_NS && eager(disk);
		disk->medium->ops->work(disk->medium, waits);
		take(disk);
		if (attentive)
			attend(disk, true);
		pass(disk);
		device_tell(dev);
		if (disk->events == disk->seen)
			break;
		disk->seen = disk->events;
		now = now_ns();
		disk->seen_ns = now;
		attentive = attentive && expectant(disk);
		if (now > end ||
		    (attentive && !look_out(disk, waits))) {
			disk->more = !dev->resetting;
			break;
		}
		now = now_ns();
	}
	if (!disk->more || !attentive)
		attend(disk, false);
}

static void disk_close(struct device *dev)
{
	struct disk *disk = disk_of(dev);

	disk->medium->ops->close(disk->medium);
	free(disk->requests);
	free(disk);
}

static int disk_resize(struct device *dev)
{
	struct disk *disk = disk_of(dev);
	struct plex86_blk_config config;
	u64 before = disk->sectors;
	int error;

	if (!disk->medium->ops->measure)
		return EOPNOTSUPP;
	error = disk->medium->ops->measure(disk->medium);
	if (error)
		return error;
	measure(disk);
	if (disk->sectors == before || !dev->ctx)
		return 0;
	fill_config(disk, &config);
	device_configure(dev, &config, sizeof(config));
	return 0;
}

const struct device_ops disk_ops = {
	.type	= PLEX86_DEV_BLOCK,
	.start	= disk_start,
	.reset	= disk_reset,
	.wait	= disk_wait,
	.work	= disk_work,
	.resize	= disk_resize,
	.close	= disk_close,
};

/*
 * disk_new() - make a disk on @medium, which is the disk's from then on
 *
 * Returns it, or NULL if memory is short.
 */
struct device *disk_new(const struct disk_options *options,
			struct medium *medium)
{
	struct disk *disk = calloc(1, sizeof(*disk));
	u32 i;

	if (!disk)
		return NULL;
	disk->requests = calloc(QUEUE_ENTRIES, sizeof(*disk->requests));
	if (!disk->requests) {
		free(disk);
		return NULL;
	}
	for (i = 0; i < QUEUE_ENTRIES; i++) {
		disk->requests[i].disk = disk;
		disk->requests[i].next = disk->unused;
		disk->unused = &disk->requests[i];
	}
	disk->waiting_end = &disk->waiting;
	disk->medium = medium;
	disk->options = *options;
	disk->iops.rate = options->iops;
	disk->bps.rate = options->bps;
	measure(disk);
	return &disk->device;
}

/*
 * disk_add() - open what a --disk named, and make it the next device
 * @number: counts them from 1, for messages
 *
 * Returns 0, or -1 after saying what is wrong.
 */
int disk_add(struct devices *devices, const struct disk_options *options,
	     u32 number)
{
	struct medium *medium;
	struct device *dev;
	char name[16];

	medium = options->medium == MEDIUM_NBD ?
		 disk_nbd_open(options, number) :
		 disk_file_open(options, number);
	if (!medium)
		return -1;
	dev = disk_new(options, medium);
	if (!dev) {
		complain("disk%u: out of memory", number);
		medium->ops->close(medium);
		return -1;
	}
	snprintf(name, sizeof(name), "disk%u", number);
	if (!devices_add(devices, dev, &disk_ops, name))
		return 0;
	disk_close(dev);
	return -1;
}
