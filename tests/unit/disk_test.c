// SPDX-License-Identifier: GPL-2.0
/*
 * launcher/disk.c on a medium that only records: what reaches it, what the guest
 * is answered and when, and what a hostile guest can make of it.
 */
#include "disk.h"
#include "launcher.h"
#include "unit.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#define RAM	(1u << 20)
#define GPA	0x2000u
#define ENTRIES	16u
#define SECTORS	1000u		/* of the medium */
#define MS	1000000ull

static u64 now = 1000000 * MS;
static u64 tick;		/* what it takes to ask */

/* The rest of the launcher. */
u64 now_ns(void)
{
	now += tick;
	return now;
}

void complain(const char *format, ...)
{
	(void)format;
}

void vm_device_interrupt(struct vm_context *ctx, u32 device)
{
	(void)ctx;
	(void)device;
}

static u32 aparts;

void balance_apart(struct vm_context *ctx, u64 when)
{
	(void)ctx;
	CHECK_EQ("now", when, now);
	aparts++;
}

bool vm_signals(struct vm_context *ctx)
{
	(void)ctx;
	return false;
}

bool vm_hold(void *ctx, u64 gpa, u64 bytes)
{
	(void)ctx;
	(void)gpa;
	(void)bytes;
	return true;
}

void vm_release(void *ctx, u64 gpa, u64 bytes)
{
	(void)ctx;
	(void)gpa;
	(void)bytes;
}

struct medium *disk_file_open(const struct disk_options *options, u32 number)
{
	(void)options;
	(void)number;
	return NULL;
}

struct medium *disk_nbd_open(const struct disk_options *options, u32 number)
{
	(void)options;
	(void)number;
	return NULL;
}

static struct device *dev;
static struct vm_context *ctx;	/* of some tests */

/* A medium that has done nothing before it is told to. */
static struct {
	struct medium medium;
	struct disk_request *got[256];	/* submitted, and not done yet */
	u32 count, submitted;
	bool at_once;			/* done while it is submitted */
	bool attentive;			/* the guest was to look out then */
} record;

static void record_submit(struct medium *m, struct disk_request *dr)
{
	CHECK("medium", m == &record.medium);
	CHECK("medium", dr->at + dr->bytes <= m->bytes &&
			dr->at + dr->bytes >= dr->at);
	CHECK("medium", !(dr->at % m->block_bytes) &&
			!(dr->bytes % m->block_bytes));
	record.submitted++;
	record.attentive = dev->ctx && dev->ctx->state->attentive;
	if (record.at_once) {
		disk_done(dr, 0);
		return;
	}
	CHECK("medium", record.count < ARRAY_SIZE(record.got));
	record.got[record.count++] = dr;
}

static void record_wait(struct medium *m, struct waits *waits)
{
	(void)m;
	(void)waits;
}

static void record_work(struct medium *m, const struct waits *waits)
{
	(void)m;
	(void)waits;
}

static int record_measure(struct medium *m)
{
	(void)m;
	return 0;
}

static void record_close(struct medium *m)
{
	(void)m;
}

static const struct medium_ops record_ops = {
	.submit = record_submit, .wait = record_wait, .work = record_work,
	.measure = record_measure, .close = record_close,
};

/* The medium is through with request @n of those it has. */
static void done(u32 n, int error)
{
	struct disk_request *dr = record.got[n];

	memmove(&record.got[n], &record.got[n + 1],
		(--record.count - n) * sizeof(dr));
	disk_done(dr, error);
}

static struct plex86_dev *page;
static u8 *ram;
static struct queue_state qs;
static struct plex86_queue *ring;
static struct plex86_sub *subs;
static struct plex86_comp *comps;
static u64 until_ns;

static const struct memory_holder *holder;
static struct {
	u32 held;			/* bytes, now */
	struct memory_holder holder;
} holds;

static bool hold(void *context, u64 gpa, u64 bytes)
{
	(void)context;
	(void)gpa;
	holds.held += (u32)bytes;
	return true;
}

static void release(void *context, u64 gpa, u64 bytes)
{
	(void)context;
	(void)gpa;
	holds.held -= (u32)bytes;
}

static void connect_queue(void)
{
	static const struct queue_state none;
	u32 n;

	for (n = 1; n < QUEUES_MAX; n++)
		queue_init(&dev->queue[n], &none, page, ram, RAM, page->segs);
	memset(ram + GPA, 0, plex86_queue_bytes(ENTRIES));
	queue_init(&dev->queue[0], &qs, page, ram, RAM, page->segs);
	dev->queue[0].holder = holder;
	queue_attach(&dev->queue[0]);
	holds.held = 0;			/* the ring's is not looked at */
}

/* A disk on the medium, and a guest that accepts all it offers but @refused. */
static void make(const struct disk_options *options, u64 refused)
{
	record.medium.ops = &record_ops;
	dev = disk_new(options, &record.medium);
	dev->ops = &disk_ops;
	dev->ops->start(dev, page);
	page->accepted[0] = PLEX86_F_INDIRECT;
	page->accepted[1] = page->features[1] & ~(u32)(refused >> 32);
	holds.holder = (struct memory_holder){ hold, release, NULL };
	holder = &holds.holder;
	connect_queue();
}

static int setup(void **state)
{
	(void)state;
	memset(&record, 0, sizeof(record));
	memset(&holds, 0, sizeof(holds));
	record.medium.bytes = SECTORS * 512;
	record.medium.block_bytes = 512;
	record.medium.physical_bytes = 4096;
	record.medium.discard_bytes = 4096;
	record.medium.zeroes = true;
	record.medium.cached = true;
	page = calloc(1, PAGE_SIZE);
	ram = calloc(1, RAM);
	qs = (struct queue_state){ .ready = 1, .entries = ENTRIES, .gpa = GPA };
	ring = (struct plex86_queue *)(void *)(ram + GPA);
	subs = (struct plex86_sub *)(void *)(ram + GPA + PLEX86_SUB_OFFSET);
	comps = (struct plex86_comp *)(void *)(subs + ENTRIES);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	if (dev)
		dev->ops->close(dev);
	dev = NULL;
	if (ctx)
		free(ctx->state);
	free(ctx);
	ctx = NULL;
	free(page);
	free(ram);
	return 0;
}

static const struct disk_options plain;

/* A disk without options, of a VM. */
static void make_in_vm(void)
{
	ctx = calloc(1, sizeof(*ctx));
	ctx->state = aligned_alloc(PAGE_SIZE, sizeof(*ctx->state));
	memset(ctx->state, 0, sizeof(*ctx->state));
	make(&plain, 0);
	dev->ctx = ctx;
}

static void work(void)
{
	struct waits waits = { .until_ns = WAITS_FOREVER };

	dev->ops->work(dev, &waits);
	dev->ops->wait(dev, &waits);
	until_ns = waits.until_ns;
	free(waits.fds);
}

static void submit(u16 op, u16 flags, u64 sector, u32 sectors, u32 bytes)
{
	struct plex86_sub sub = {
		.op = op, .flags = flags, .id = ring->sub_prod, .arg = sector,
		.arg2 = sectors, .segs = bytes ? 1 : 0,
		.seg = { { 0x10000, bytes, 0 } },
	};

	subs[ring->sub_prod % ENTRIES] = sub;
	ring->sub_prod++;
}

/* The completion that was made last; all are taken then. */
static const struct plex86_comp *last(void)
{
	ring->comp_cons = ring->comp_prod;
	return &comps[(ring->comp_prod - 1) % ENTRIES];
}

static void passed_on(void **state)
{
	static const struct {
		u16 op, flags;
		u64 sector;
		u32 sectors, bytes;
		u64 at, length;
		bool durable, unmap;
	} table[] = {
		{ PLEX86_BLK_OP_READ, 0, 7, 0, 1024, 3584, 1024, false, false },
		{ PLEX86_BLK_OP_READ, 0, SECTORS - 1, 0, 512, 511488, 512,
		  false, false },
		{ PLEX86_BLK_OP_READ, 0, 0, 0, SECTORS * 512, 0, SECTORS * 512,
		  false, false },
		{ PLEX86_BLK_OP_WRITE, 0, 0, 0, 4096, 0, 4096, false, false },
		{ PLEX86_BLK_OP_WRITE, PLEX86_BLK_FUA, 8, 0, 512, 4096, 512,
		  true, false },
		{ PLEX86_BLK_OP_FLUSH, 0, ~0ull, ~0u, 0, 0, 0, false, false },
		{ PLEX86_BLK_OP_DISCARD, 0, 8, 16, 0, 4096, 8192, false, false },
		{ PLEX86_BLK_OP_WRITE_ZEROES, 0, 8, 16, 0, 4096, 8192, false,
		  false },
		{ PLEX86_BLK_OP_WRITE_ZEROES, PLEX86_BLK_FUA | PLEX86_BLK_UNMAP,
		  0, SECTORS, 0, 0, SECTORS * 512, true, true },
	};
	size_t i;

	(void)state;
	make(&plain, 0);
	for (i = 0; i < ARRAY_SIZE(table); i++) {
		const char *r = row("row %zu", i);
		bool reads = table[i].op == PLEX86_BLK_OP_READ;
		struct disk_request *dr;

		submit(table[i].op, table[i].flags, table[i].sector,
		       table[i].sectors, table[i].bytes);
		work();
		CHECK_EQ(r, record.count, 1);
		dr = record.got[0];
		CHECK_EQ(r, dr->req.op, table[i].op);
		CHECK_EQ(r, dr->at, table[i].at);
		CHECK_EQ(r, dr->bytes, table[i].length);
		CHECK_EQ(r, dr->durable, table[i].durable);
		CHECK_EQ(r, dr->unmap, table[i].unmap);
		/* Not before the medium says so, however often one looks. */
		work();
		work();
		CHECK_EQ(r, ring->comp_prod, i);
		CHECK_EQ(r, holds.held, reads ? table[i].bytes : 0);
		done(0, 0);
		CHECK_EQ(r, ring->comp_prod, i + 1);
		CHECK_EQ(r, holds.held, 0);
		CHECK_EQ(r, last()->status, PLEX86_S_OK);
		CHECK_EQ(r, last()->id, i);
		CHECK_EQ(r, last()->bytes, table[i].bytes);
	}
}

struct bad {
	u16 op, flags;
	u64 sector;
	u32 sectors, bytes;
	u16 status;
};

/* Answered here, and unknown to the medium. */
static void refused(const struct bad *table, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++) {
		const char *r = row("row %zu", i);
		u32 before = ring->comp_prod;

		submit(table[i].op, table[i].flags, table[i].sector,
		       table[i].sectors, table[i].bytes);
		work();
		CHECK_EQ(r, record.submitted, 0);
		CHECK_EQ(r, ring->comp_prod, before + 1);
		CHECK_EQ(r, last()->status, table[i].status);
		CHECK_EQ(r, last()->id, before);
		CHECK_EQ(r, last()->bytes, 0);
	}
}

static void bad_arguments(void **state)
{
	static const struct bad table[] = {
		{ 0, 0, 0, 0, 512, PLEX86_S_UNSUPPORTED },
		{ 6, 0, 0, 0, 0, PLEX86_S_UNSUPPORTED },
		{ 0xffff, 0, 0, 0, 0, PLEX86_S_UNSUPPORTED },
		{ PLEX86_BLK_OP_READ, PLEX86_BLK_FUA, 0, 0, 512,
		  PLEX86_S_UNSUPPORTED },
		{ PLEX86_BLK_OP_READ, 0x8000, 0, 0, 512, PLEX86_S_UNSUPPORTED },
		{ PLEX86_BLK_OP_WRITE, PLEX86_BLK_UNMAP, 0, 0, 512,
		  PLEX86_S_UNSUPPORTED },
		{ PLEX86_BLK_OP_FLUSH, PLEX86_BLK_FUA, 0, 0, 0,
		  PLEX86_S_UNSUPPORTED },
		{ PLEX86_BLK_OP_DISCARD, PLEX86_BLK_FUA, 0, 8, 0,
		  PLEX86_S_UNSUPPORTED },
		{ PLEX86_BLK_OP_READ, 0, 0, 0, 0, PLEX86_S_BADREQ },
		{ PLEX86_BLK_OP_READ, 0, 0, 8, 0, PLEX86_S_BADREQ },
		{ PLEX86_BLK_OP_WRITE, 0, 0, 0, 511, PLEX86_S_BADREQ },
		{ PLEX86_BLK_OP_WRITE, 0, 0, 0, 513, PLEX86_S_BADREQ },
		{ PLEX86_BLK_OP_WRITE, 0, SECTORS, 0, 512, PLEX86_S_BADREQ },
		{ PLEX86_BLK_OP_WRITE, 0, SECTORS - 1, 0, 1024, PLEX86_S_BADREQ },
		{ PLEX86_BLK_OP_WRITE, 0, ~0ull, 0, 512, PLEX86_S_BADREQ },
		{ PLEX86_BLK_OP_WRITE, 0, 1ull << 55, 0, 512, PLEX86_S_BADREQ },
		{ PLEX86_BLK_OP_FLUSH, 0, 0, 0, 512, PLEX86_S_BADREQ },
		{ PLEX86_BLK_OP_DISCARD, 0, 0, 0, 0, PLEX86_S_BADREQ },
		{ PLEX86_BLK_OP_DISCARD, 0, 0, 8, 512, PLEX86_S_BADREQ },
		{ PLEX86_BLK_OP_DISCARD, 0, 0, SECTORS + 1, 0, PLEX86_S_BADREQ },
		{ PLEX86_BLK_OP_DISCARD, 0, 1, ~0u, 0, PLEX86_S_BADREQ },
		{ PLEX86_BLK_OP_WRITE_ZEROES, 0, ~0ull, 1, 0, PLEX86_S_BADREQ },
	};

	(void)state;
	make(&plain, 0);
	refused(table, ARRAY_SIZE(table));
}

static void too_long(void **state)
{
	static const struct bad table[] = {
		{ PLEX86_BLK_OP_DISCARD, 0, 0, (1u << 21) + 1, 0,
		  PLEX86_S_BADREQ },
		{ PLEX86_BLK_OP_WRITE_ZEROES, 0, 0, 0xfffffff8, 0,
		  PLEX86_S_BADREQ },
		/* More than one segment of RAM, but one range may overlap. */
		{ PLEX86_BLK_OP_READ, 0, 0, 0, RAM - 0x10000 + 512,
		  PLEX86_S_BADREQ },
	};

	(void)state;
	record.medium.bytes = 1ull << 40;
	make(&plain, 0);
	refused(table, ARRAY_SIZE(table));
}

static void large_blocks(void **state)
{
	static const struct bad table[] = {
		{ PLEX86_BLK_OP_READ, 0, 1, 0, 4096, PLEX86_S_BADREQ },
		{ PLEX86_BLK_OP_READ, 0, 0, 0, 512, PLEX86_S_BADREQ },
		{ PLEX86_BLK_OP_WRITE, 0, 8, 0, 6144, PLEX86_S_BADREQ },
		{ PLEX86_BLK_OP_WRITE, 0, 992, 0, 8192, PLEX86_S_BADREQ },
		{ PLEX86_BLK_OP_DISCARD, 0, 4, 8, 0, PLEX86_S_BADREQ },
		{ PLEX86_BLK_OP_WRITE_ZEROES, 0, 8, 4, 0, PLEX86_S_BADREQ },
	};

	(void)state;
	record.medium.block_bytes = 4096;
	record.medium.bytes = SECTORS * 512 + 1024;	/* the end is no block */
	make(&plain, 0);
	refused(table, ARRAY_SIZE(table));
	submit(PLEX86_BLK_OP_READ, 0, 992, 0, 4096);
	work();
	CHECK_EQ("last block", record.submitted, 1);
}

static void read_only(void **state)
{
	static const struct bad table[] = {
		{ PLEX86_BLK_OP_WRITE, 0, 0, 0, 512, PLEX86_S_UNSUPPORTED },
		{ PLEX86_BLK_OP_DISCARD, 0, 0, 8, 0, PLEX86_S_UNSUPPORTED },
		{ PLEX86_BLK_OP_WRITE_ZEROES, 0, 0, 8, 0, PLEX86_S_UNSUPPORTED },
	};
	struct plex86_blk_config config;

	(void)state;
	record.medium.read_only = true;
	make(&plain, 0);
	memcpy(&config, (u8 *)page + PLEX86_DEV_CONFIG, sizeof(config));
	CHECK_EQ("config", config.flags, PLEX86_BLK_READ_ONLY);
	CHECK_EQ("offers", page->features[1], PLEX86_BLK_F_FLUSH >> 32);
	/* Even a guest that says it has accepted them. */
	page->accepted[1] = ~0u;
	refused(table, ARRAY_SIZE(table));
}

/* What was not accepted is not there, and then every write is durable. */
static void nothing_accepted(void **state)
{
	static const struct bad table[] = {
		{ PLEX86_BLK_OP_WRITE, PLEX86_BLK_FUA, 0, 0, 512,
		  PLEX86_S_UNSUPPORTED },
		{ PLEX86_BLK_OP_FLUSH, 0, 0, 0, 0, PLEX86_S_UNSUPPORTED },
		{ PLEX86_BLK_OP_DISCARD, 0, 0, 8, 0, PLEX86_S_UNSUPPORTED },
		{ PLEX86_BLK_OP_WRITE_ZEROES, 0, 0, 8, 0, PLEX86_S_UNSUPPORTED },
	};

	(void)state;
	make(&plain, ~0ull);
	refused(table, ARRAY_SIZE(table));
	submit(PLEX86_BLK_OP_WRITE, 0, 0, 0, 512);
	work();
	CHECK_EQ("write", record.count, 1);
	CHECK_EQ("write", record.got[0]->durable, true);
}

/* Nothing is durable that need not be, on a medium that has no cache. */
static void no_cache(void **state)
{
	(void)state;
	record.medium.cached = false;
	make(&plain, 0);
	CHECK_EQ("offers", page->features[1],
		 (PLEX86_BLK_F_DISCARD | PLEX86_BLK_F_WRITE_ZEROES) >> 32);
	submit(PLEX86_BLK_OP_WRITE, 0, 0, 0, 512);
	work();
	CHECK_EQ("write", record.got[0]->durable, false);
}

static void errors(void **state)
{
	static const struct {
		int error;
		u16 status;
	} table[] = {
		{ EIO, PLEX86_S_IOERR }, { ENOSPC, PLEX86_S_NOSPACE },
		{ EDQUOT, PLEX86_S_NOSPACE }, { EFBIG, PLEX86_S_NOSPACE },
		{ EOPNOTSUPP, PLEX86_S_UNSUPPORTED }, { ENOMEM, PLEX86_S_IOERR },
		{ EBADF, PLEX86_S_IOERR }, { 12345, PLEX86_S_IOERR },
	};
	u16 op;
	size_t i;

	(void)state;
	make(&plain, 0);
	for (i = 0; i < ARRAY_SIZE(table); i++)
	for (op = PLEX86_BLK_OP_READ; op <= PLEX86_BLK_OP_FLUSH; op++) {
		const char *r = row("error %d of op %u", table[i].error, op);

		submit(op, 0, 0, 0, op == PLEX86_BLK_OP_FLUSH ? 0 : 512);
		work();
		done(0, table[i].error);
		CHECK_EQ(r, last()->status, table[i].status);
		CHECK_EQ(r, last()->bytes, 0);
		CHECK_EQ(r, holds.held, 0);
	}
}

/*
 * A FLUSH, and a write with FUA, are complete only behind the medium's own word
 * for that very request, whatever else completes before and after.
 */
static void flush_is_the_mediums(void **state)
{
	u32 i;

	(void)state;
	make(&plain, 0);
	submit(PLEX86_BLK_OP_WRITE, 0, 0, 0, 512);
	submit(PLEX86_BLK_OP_FLUSH, 0, 0, 0, 0);
	submit(PLEX86_BLK_OP_WRITE, PLEX86_BLK_FUA, 1, 0, 512);
	submit(PLEX86_BLK_OP_WRITE, 0, 2, 0, 512);
	work();
	CHECK_EQ("under way", record.count, 4);
	done(3, 0);
	CHECK_EQ("first", last()->id, 3);
	done(0, 0);
	CHECK_EQ("second", last()->id, 0);
	for (i = 0; i < 20; i++)
		work();
	CHECK_EQ("neither", ring->comp_prod, 2);
	done(1, 0);
	CHECK_EQ("third", last()->id, 2);
	done(0, EIO);
	CHECK_EQ("fourth", last()->id, 1);
	CHECK_EQ("fourth", last()->status, PLEX86_S_IOERR);
}

/* A reset waits for what is under way, and completes none of it. */
static void reset(void **state)
{
	static const struct disk_options slow = { .iops = { 1, 1 } };

	(void)state;
	make(&slow, 0);
	submit(PLEX86_BLK_OP_READ, 0, 0, 0, 512);
	submit(PLEX86_BLK_OP_READ, 0, 0, 0, 512);
	submit(PLEX86_BLK_OP_READ, 0, 0, 0, 512);
	work();
	CHECK_EQ("with the medium", record.count, 2);
	CHECK_EQ("not yet", dev->ops->reset(dev), false);
	submit(PLEX86_BLK_OP_READ, 0, 0, 0, 512);
	work();
	CHECK_EQ("takes no more", record.submitted, 2);
	done(0, 0);
	CHECK_EQ("not yet", dev->ops->reset(dev), false);
	CHECK_EQ("held", holds.held, 512);
	done(0, EIO);
	CHECK_EQ("now", dev->ops->reset(dev), true);
	CHECK_EQ("let go", holds.held, 0);
	CHECK_EQ("none completed", ring->comp_prod, 0);

	/* And all works again. */
	dev->resetting = false;
	connect_queue();
	now += 10000 * MS;
	submit(PLEX86_BLK_OP_READ, 0, 3, 0, 512);
	work();
	CHECK_EQ("again", record.count, 1);
	done(0, 0);
	CHECK_EQ("again", last()->status, PLEX86_S_OK);
}

/* What the launcher waits for, with this device alone: until when. */
static u64 awaited(void)
{
	struct vm_context *alone = calloc(1, sizeof(*alone));
	struct waits waits;
	u64 until;

	alone->devices.device[alone->devices.count++] = dev;
	memset(&waits, 0, sizeof(waits));
	waits_begin(&waits);
	devices_wait(alone, &waits);
	until = waits.until_ns;
	free(waits.fds);
	free(alone);
	return until;
}

/* The reset goes on as soon as the last request is done. */
static void reset_is_not_slept_over(void **state)
{
	(void)state;
	make(&plain, 0);
	submit(PLEX86_BLK_OP_READ, 0, 0, 0, 512);
	work();
	CHECK_EQ("not yet", dev->ops->reset(dev), false);
	CHECK_EQ("the medium's", awaited(), WAITS_FOREVER);
	done(0, 0);
	CHECK_EQ("at once", awaited(), 0);
}

static bool hostile_goes_on;

/* Makes as many requests as there is room for, and takes all completions. */
static void *hostile_guest(void *unused)
{
	while (__atomic_load_n(&hostile_goes_on, __ATOMIC_SEQ_CST)) {
		u32 made = __atomic_load_n(&ring->comp_prod, __ATOMIC_SEQ_CST);

		__atomic_store_n(&ring->comp_cons, made, __ATOMIC_SEQ_CST);
		__atomic_store_n(&ring->sub_prod, made + ENTRIES,
				 __ATOMIC_SEQ_CST);
	}
	return unused;
}

/* Requests that are bad, and answered at once, without end. */
static void turn_ends(void **state)
{
	pthread_t guest;
	u32 before, i;

	(void)state;
	make(&plain, 0);
	hostile_goes_on = true;
	CHECK_EQ("thread", pthread_create(&guest, NULL, hostile_guest, NULL), 0);
	alarm(20);
	for (i = 0; i < 100; i++) {
		before = ring->comp_prod;
		work();
		CHECK("a turn", ring->comp_prod - before <= ENTRIES);
	}
	alarm(0);
	hostile_goes_on = false;
	pthread_join(guest, NULL);
	CHECK_EQ("sound", queue_attach(&dev->queue[0]), true);
	/* Left over: another turn follows at once. */
	ring->comp_cons = ring->comp_prod;
	work();
	ring->comp_cons = ring->comp_prod;
	for (i = 0; i < ENTRIES; i++)
		submit(0, 0, 0, 0, 0);
	work();
	CHECK_EQ("none left", awaited(), WAITS_FOREVER);
	submit(0, 0, 0, 0, 0);
	CHECK_EQ("left over", awaited(), 0);
}

static void limited(void **state)
{
	static const struct disk_options slow = {
		.iops = { .per_s = 100, .burst = 5 },
	};
	u32 i, before;

	(void)state;
	record.at_once = true;
	make(&slow, 0);
	for (i = 0; i < 12; i++)
		submit(PLEX86_BLK_OP_READ, 0, i, 0, 512);
	work();
	/* The burst, and the first of the time that follows. */
	CHECK_EQ("burst", record.submitted, 6);
	CHECK_EQ("next", until_ns, now + 10 * MS);
	now += 10 * MS - 1;
	work();
	CHECK_EQ("too early", record.submitted, 6);
	now += 1;
	work();
	CHECK_EQ("in time", record.submitted, 7);
	/* A flush is no transfer, but keeps its place. */
	submit(PLEX86_BLK_OP_FLUSH, 0, 0, 0, 0);
	now += 40 * MS;
	work();
	CHECK_EQ("four more", record.submitted, 11);
	now += 10 * MS;
	work();
	CHECK_EQ("the rest", record.submitted, 13);
	last();

	/* Over a long time the rate holds. */
	before = record.submitted;
	for (i = 0; i < 1000; i++) {
		submit(PLEX86_BLK_OP_READ, 0, 0, 0, 512);
		work();
		last();
		while (record.submitted < before + i + 1) {
			CHECK("wakes up", until_ns > now &&
					  until_ns != WAITS_FOREVER);
			now = until_ns;
			work();
			last();
		}
	}
}

static void limited_bytes(void **state)
{
	static const struct disk_options slow = {
		.bps = { .per_s = 1 << 20, .burst = 4096 },
	};
	u64 start = now, took;
	u32 i;

	(void)state;
	record.at_once = true;
	make(&slow, 0);
	for (i = 0; i < 64; i++) {
		submit(PLEX86_BLK_OP_WRITE, 0, 0, 0, 65536);
		work();
		while (record.submitted <= i) {
			now = until_ns;
			work();
		}
		last();
	}
	/* 4 MiB at 1 MiB/s, but for the last, which is only begun. */
	took = (now - start) / MS;
	CHECK("rate", took >= 3900 && took <= 4000);
}

/* More requests than we have: the rest waits in the guest's ring. */
static void many(void **state)
{
	u32 i, n = 0;

	(void)state;
	qs.entries = 512;
	qs.gpa = 0;
	comps = (struct plex86_comp *)(void *)
		(ram + PLEX86_SUB_OFFSET + 512 * sizeof(*subs));
	ring = (struct plex86_queue *)(void *)ram;
	subs = (struct plex86_sub *)(void *)(ram + PLEX86_SUB_OFFSET);
	make(&plain, 0);
	memset(ram, 0, plex86_queue_bytes(512));
	for (i = 0; i < 512; i++)
		subs[i] = (struct plex86_sub){
			.op = PLEX86_BLK_OP_READ, .id = i, .arg = i, .segs = 1,
			.seg = { { 0x40000, 512, 0 } },
		};
	ring->sub_prod = 512;
	work();
	CHECK_EQ("as many as there are", record.count, 128);
	CHECK("no busy waiting", until_ns > now);
	while (record.count) {
		done(record.count / 2, 0);
		work();
		n++;
	}
	CHECK_EQ("all of them", n, 512);
	CHECK_EQ("all of them", ring->comp_prod, 512);
}

static void resized(void **state)
{
	struct plex86_blk_config *config;

	(void)state;
	make_in_vm();
	config = (void *)((u8 *)device_page(dev) + PLEX86_DEV_CONFIG);
	record.medium.bytes = 10 * 512 + 100;
	CHECK_EQ("resize", dev->ops->resize(dev), 0);
	CHECK_EQ("told", config->sectors, 10);
	CHECK_EQ("told", device_page(dev)->generation, 2);
	CHECK_EQ("again", dev->ops->resize(dev), 0);
	CHECK_EQ("no news", device_page(dev)->generation, 2);
	submit(PLEX86_BLK_OP_READ, 0, 10, 0, 512);
	work();
	CHECK_EQ("behind the end", last()->status, PLEX86_S_BADREQ);
	submit(PLEX86_BLK_OP_READ, 0, 9, 0, 512);
	work();
	CHECK_EQ("the last", record.submitted, 1);
	done(0, 0);
}

/* The launcher is told to keep out when one request follows another, not by one. */
static void apart(void **state)
{
	u32 i;

	(void)state;
	make_in_vm();
	record.at_once = true;
	aparts = 0;
	for (i = 0; i < 3; i++) {
		submit(PLEX86_BLK_OP_READ, 0, i, 1, 512);
		work();
		CHECK_EQ("one", aparts, 0);
		now += 2 * MS;
	}
	for (i = 0; i < 3; i++) {
		submit(PLEX86_BLK_OP_READ, 0, i, 1, 512);
		work();
		CHECK_EQ("one after the other", aparts, i);
		now += MS / 2;
	}
	record.at_once = false;
	aparts = 0;
	for (i = 0; i < 3; i++) {
		submit(PLEX86_BLK_OP_READ, 0, i, 1, 512);
		work();
		CHECK_EQ("copied by a worker", aparts, 0);
		done(0, 0);
		now += MS / 2;
	}
}

/*
 * Guest and launcher look out while one request follows the other quickly, but the
 * launcher not for a worker, and neither where they share a processor.
 */
static void attentive(void **state)
{
	static const struct {
		enum launcher_place place;
		bool at_once, attentive, looks;
		u64 after;
	} cases[] = {
		{ LAUNCHER_APART, true, true, true, MS / 10 },
		{ LAUNCHER_APART, true, false, false, MS },
		{ LAUNCHER_APART, false, true, false, MS / 10 },
		{ LAUNCHER_JOINED, true, false, false, MS / 10 },
		{ LAUNCHER_FREE, true, false, false, MS / 10 },
	};
	u32 i;

	(void)state;
	make_in_vm();
	tick = 1000;
	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		u64 before;

		ctx->balance.launcher = LAUNCHER_FREE;
		record.at_once = true;
		submit(PLEX86_BLK_OP_READ, 0, 1, 1, 512);
		work();
		now += cases[i].after;
		before = now;
		ctx->balance.launcher = cases[i].place;
		record.at_once = cases[i].at_once;
		submit(PLEX86_BLK_OP_READ, 0, 2, 1, 512);
		work();
		CHECK_EQ("the guest", record.attentive, cases[i].attentive);
		CHECK_EQ("the launcher", now - before > MS / 5, cases[i].looks);
		CHECK_EQ("the guest, later", ctx->state->attentive, 0);
		if (!cases[i].at_once)
			done(0, 0);
		now += MS;
		work();
	}
	tick = 0;
}

static void serial(void **state)
{
	struct disk_options o = { .serial = "abc-123" };
	struct plex86_blk_config config;
	char full[PLEX86_BLK_SERIAL + 1];

	(void)state;
	make(&o, 0);
	memcpy(&config, (u8 *)page + PLEX86_DEV_CONFIG, sizeof(config));
	CHECK_EQ("serial", memcmp(config.serial, "abc-123\0", 8), 0);
	CHECK_EQ("sectors", config.sectors, SECTORS);
	CHECK_EQ("block", config.block_bytes, 512);
	CHECK_EQ("physical", config.physical_bytes, 4096);
	dev->ops->close(dev);
	memset(full, 'x', sizeof(full) - 1);
	full[sizeof(full) - 1] = 0;
	o.serial = full;
	make(&o, 0);
	memcpy(&config, (u8 *)page + PLEX86_DEV_CONFIG, sizeof(config));
	CHECK_MEM("full", config.serial, full, PLEX86_BLK_SERIAL);
}

/*
 * A guest that writes anything: record_submit() checks what reaches the medium;
 * each request that was taken is answered once, unless the queue is broken.
 */
static void hostile(void **state)
{
	u64 seed = 0x9e3779b97f4a7c15;
	u32 i, j, broken = 0;

	(void)state;
	make(&plain, 0);
	for (i = 0; i < 200000; i++) {
		struct plex86_sub *sub = &subs[ring->sub_prod % ENTRIES];
		u32 r = random32(&seed);

		for (j = 0; j < sizeof(*sub) / 4; j++)
			((u32 *)(void *)sub)[j] = random32(&seed);
		if (r & 7)
			sub->op = (u16)(r >> 4 & 7);
		if (r & 56)
			sub->flags = (u16)(r >> 8 & 0x300);
		if (r & 448)
			sub->arg = r >> 16 & 1023;
		if (r & 3584) {
			sub->segs = r >> 5 & 3;
			for (j = 0; j < 2; j++) {
				sub->seg[j].gpa = random32(&seed) & (RAM - 1);
				sub->seg[j].bytes = r >> 12 & 0x1e00;
			}
			sub->arg2 = r >> 20 & 255;
		}
		page->accepted[1] = random32(&seed) & 7;
		ring->sub_prod++;
		if (!(random32(&seed) & 1023))
			ring->sub_prod += random32(&seed);
		if (random32(&seed) & 31)
			ring->comp_cons = ring->comp_prod;
		work();
		while (record.count && (random32(&seed) & 1))
			done(random32(&seed) % record.count,
			     random32(&seed) & 1 ? EIO : 0);
		if (!dev->queue[0].broken)
			continue;
		broken++;
		while (record.count)
			done(0, 0);
		connect_queue();
	}
	while (record.count)
		done(0, 0);
	CHECK_EQ("held", holds.held, 0);
	CHECK("some were good, some queues broken",
	      record.submitted > 1000 && broken > 10);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(passed_on), TEST(bad_arguments), TEST(too_long),
		TEST(large_blocks), TEST(read_only), TEST(nothing_accepted),
		TEST(no_cache), TEST(errors), TEST(flush_is_the_mediums),
		TEST(reset), TEST(reset_is_not_slept_over),
		TEST(turn_ends), TEST(limited), TEST(limited_bytes), TEST(many),
		TEST(resized), TEST(apart), TEST(attentive), TEST(serial),
		TEST(hostile),
	};

	return RUN_TESTS("disk", tests, NULL, NULL);
}
