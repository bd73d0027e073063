// SPDX-License-Identifier: GPL-2.0
/*
 * halblk's back end, launcher/disk.c, between a hostile guest and a medium that
 * takes its time, fails, and completes in any order.
 */
#include "ring.h"

#include <errno.h>

#define SECTORS		64u
#define REQUESTS_MAX	256u

static struct disk_request *under_way[REQUESTS_MAX];
static u32 count;
static bool at_once;

struct medium *disk_file_open(const struct disk_options *options, u32 number)
{
	(void)options;
	(void)number;
	return NULL;
}

struct medium *disk_nbd_open(const struct disk_options *options, u32 number)
{
	return disk_file_open(options, number);
}

/* The medium reads or writes the guest's memory, as long as it has the request. */
static void transfer(struct disk_request *dr)
{
	static u8 bytes[RAM_HERE];
	u32 i;

	for (i = 0; i < dr->req.segs; i++) {
		const struct iovec *seg = &dr->req.seg[i];

		CHECK("segment", seg->iov_len <= sizeof(bytes));
		if (dr->req.op == PLEX86_BLK_OP_READ)
			memcpy(seg->iov_base, bytes, seg->iov_len);
		else
			memcpy(bytes, seg->iov_base, seg->iov_len);
	}
}

static void finish(u32 n)
{
	static const int errors[] = { 0, 0, 0, EIO, ENOSPC, EOPNOTSUPP };
	struct disk_request *dr = under_way[n];

	under_way[n] = under_way[--count];
	transfer(dr);
	disk_done(dr, errors[take8(&ring_input) % ARRAY_SIZE(errors)]);
}

static void event(void)
{
	u8 what = take8(&ring_input);

	if (count) {
		finish(what % count);
		return;
	}
	at_once = what & 1;
	if (what & 2)
		disk_ops.resize(ring_vm.devices.device[0]);
}

static void submit(struct medium *m, struct disk_request *dr)
{
	const struct request *req = &dr->req;
	u64 bytes = 0;
	u32 i;

	for (i = 0; i < req->segs; i++)
		bytes += req->seg[i].iov_len;
	if (req->op == PLEX86_BLK_OP_READ || req->op == PLEX86_BLK_OP_WRITE)
		CHECK_EQ("request", bytes, dr->bytes);
	else
		CHECK_EQ("request", bytes, 0);
	CHECK("request", dr->at <= m->bytes && dr->bytes <= m->bytes - dr->at);
	CHECK_EQ("request", dr->at % m->block_bytes + dr->bytes % m->block_bytes, 0);
	CHECK("request", !m->read_only || req->op == PLEX86_BLK_OP_READ ||
			 req->op == PLEX86_BLK_OP_FLUSH);
	CHECK("request", count < REQUESTS_MAX);
	ring_interlude();
	under_way[count++] = dr;
	if (at_once)
		finish(count - 1);
}

static void nothing(struct medium *m, struct waits *waits)
{
	(void)m;
	(void)waits;
}

static void no_work(struct medium *m, const struct waits *waits)
{
	(void)m;
	(void)waits;
}

static void no_close(struct medium *m)
{
	(void)m;
}

/* It grows: what was checked before stays right. */
static int measure(struct medium *m)
{
	m->bytes += take8(&ring_input) * 512u;
	return 0;
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t bytes)
{
	static const struct medium_ops ops = {
		.submit = submit, .wait = nothing, .work = no_work,
		.measure = measure, .close = no_close,
	};
	struct medium medium = { .ops = &ops, .bytes = SECTORS * 512 };
	struct disk_options options = { 0 };
	struct device *disk;
	u8 kind;

	ring_begin(data, bytes);
	count = 0;
	at_once = false;
	kind = take8(&ring_input);
	medium.block_bytes = kind & 1 ? 4096 : 512;
	medium.physical_bytes = medium.block_bytes;
	medium.read_only = kind & 2;
	medium.cached = kind & 4;
	medium.zeroes = kind & 8;
	medium.discard_bytes = kind & 16 ? medium.block_bytes : 0;
	if (kind & 32)
		options.iops = (struct disk_rate){ 1000, take8(&ring_input) };
	if (kind & 64)
		options.bps = (struct disk_rate){ 1 << 20, take16(&ring_input) };
	disk = disk_new(&options, &medium);
	CHECK_EQ("disk", devices_add(&ring_vm.devices, disk, &disk_ops, "disk"), 0);
	ring_run(disk, event);
	CHECK_EQ("under way", count, 0);
	devices_close(&ring_vm);
	ring_end();
	return 0;
}
