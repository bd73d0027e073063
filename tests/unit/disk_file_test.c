// SPDX-License-Identifier: GPL-2.0
/*
 * launcher/disk_file.c on real files, with the system calls that count recorded
 * and, where a case wants it, failed or cut short: by io_uring and without.
 */
#include "disk.h"
#include "launcher.h"
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <liburing.h>
#include <stdlib.h>
#include <sys/uio.h>
#include <unistd.h>

#define SECTORS	256u
#define BYTES	(SECTORS * 512u)

/* The rest of the launcher. */
static char message[512];

u64 now_ns(void)
{
	return 0;
}

void complain(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(message, sizeof(message), format, args);
	va_end(args);
}

void vm_device_interrupt(struct vm_context *ctx, u32 device)
{
	(void)ctx;
	(void)device;
}

bool vm_signals(struct vm_context *ctx)
{
	(void)ctx;
	return false;
}

bool vm_hold(void *ctx, u64 gpa, u64 bytes)
{
	(void)ctx;
	return gpa + bytes;
}

void vm_release(void *ctx, u64 gpa, u64 bytes)
{
	(void)ctx;
	(void)gpa;
	(void)bytes;
}

/* What was asked of the system, in order, and disk_done() among it. */
enum event { READ, WRITE, WRITE_DURABLE, SYNC, ALLOCATE, DONE };

static struct {
	enum event event[256];
	u32 count;
	int error;		/* of the request that was done last */
	u32 done;
} log_of;

static struct {
	int sync_error;		/* fdatasync() fails */
	int zero_error;		/* fallocate() does */
	u32 most;		/* bytes of one transfer; 0: all */
	u32 interrupt;		/* every so manieth is EINTR */
	u32 calls;
} plan;

static void note(enum event event)
{
	if (log_of.count < ARRAY_SIZE(log_of.event))
		log_of.event[log_of.count++] = event;
}

void disk_done(struct disk_request *dr, int error)
{
	(void)dr;
	note(DONE);
	log_of.error = error;
	log_of.done++;
}

int __real_fdatasync(int fd);
int __wrap_fdatasync(int fd);
int __wrap_fdatasync(int fd)
{
	int ret = __real_fdatasync(fd);

	/* When it has returned: that is what counts. */
	note(SYNC);
	if (!plan.sync_error)
		return ret;
	errno = plan.sync_error;
	return -1;
}

int __real_fallocate(int fd, int mode, off_t at, off_t bytes);
int __wrap_fallocate(int fd, int mode, off_t at, off_t bytes);
int __wrap_fallocate(int fd, int mode, off_t at, off_t bytes)
{
	note(ALLOCATE);
	if (!plan.zero_error)
		return __real_fallocate(fd, mode, at, bytes);
	errno = plan.zero_error;
	return -1;
}

/* Cuts a list of segments to plan.most bytes; false: interrupted. */
static bool cut_short(const struct iovec *iov, int *count, struct iovec *cut)
{
	u64 left = plan.most;
	int i;

	if (plan.interrupt && !(++plan.calls % plan.interrupt)) {
		errno = EINTR;
		return false;
	}
	for (i = 0; i < *count; i++) {
		cut[i] = iov[i];
		if (!plan.most)
			continue;
		if (cut[i].iov_len > left)
			cut[i].iov_len = left;
		left -= cut[i].iov_len;
		if (!left) {
			*count = i + 1;
			break;
		}
	}
	return true;
}

ssize_t __real_preadv2(int fd, const struct iovec *iov, int n, off_t at, int f);
ssize_t __wrap_preadv2(int fd, const struct iovec *iov, int n, off_t at, int f);
ssize_t __wrap_preadv2(int fd, const struct iovec *iov, int n, off_t at, int f)
{
	struct iovec cut[256];

	note(READ);
	return cut_short(iov, &n, cut) ? __real_preadv2(fd, cut, n, at, f) : -1;
}

ssize_t __real_pwritev2(int fd, const struct iovec *iov, int n, off_t at, int f);
ssize_t __wrap_pwritev2(int fd, const struct iovec *iov, int n, off_t at, int f);
ssize_t __wrap_pwritev2(int fd, const struct iovec *iov, int n, off_t at, int f)
{
	struct iovec cut[256];

	note(f & RWF_DSYNC ? WRITE_DURABLE : WRITE);
	return cut_short(iov, &n, cut) ? __real_pwritev2(fd, cut, n, at, f) : -1;
}

/* What is in the ring when it is submitted. */
int __real_io_uring_submit(struct io_uring *ring);
int __wrap_io_uring_submit(struct io_uring *ring);
int __wrap_io_uring_submit(struct io_uring *ring)
{
	unsigned int i;

	for (i = ring->sq.sqe_head; i != ring->sq.sqe_tail; i++) {
		const struct io_uring_sqe *sqe =
			&ring->sq.sqes[i & (*ring->sq.kring_entries - 1)];

		switch (sqe->opcode) {
		case IORING_OP_READV:
			note(READ);
			break;
		case IORING_OP_WRITEV:
			note((u32)sqe->rw_flags & 2 ? WRITE_DURABLE : WRITE);
			break;
		case IORING_OP_FSYNC:
			note(SYNC);
			break;
		default:
			note(ALLOCATE);
		}
	}
	return __real_io_uring_submit(ring);
}

static char name[] = "/var/tmp/plex86-test-XXXXXX";
static int file;
static struct medium *m;
static bool uring;
static struct disk_request *dr;		/* on the heap: an overflow is seen */
static u8 *memory;

static void open_medium(struct disk_options o)
{
	o.place = name;
	o.no_uring = !uring;
	m = disk_file_open(&o, 1);
	memset(&log_of, 0, sizeof(log_of));
}

static int setup(void **state)
{
	u32 i;

	(void)state;
	strcpy(name + sizeof(name) - 7, "XXXXXX");
	file = mkostemp(name, O_CLOEXEC);
	dr = calloc(1, sizeof(*dr));
	memory = aligned_alloc(4096, BYTES);
	for (i = 0; i < BYTES; i++)
		memory[i] = (u8)(i * 7 + i / 512);
	memset(&plan, 0, sizeof(plan));
	memset(&log_of, 0, sizeof(log_of));
	return write(file, memory, BYTES) == BYTES ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	if (m)
		m->ops->close(m);
	m = NULL;
	unlink(name);
	close(file);
	free(dr);
	free(memory);
	return 0;
}

/* Has @dr done, with its segments where they are; returns the error. */
static int do_it(void)
{
	struct waits waits = { .until_ns = WAITS_FOREVER };
	u32 before = log_of.done, i;

	log_of.count = 0;
	dr->error = 0;
	m->ops->submit(m, dr);
	for (i = 0; i < 20000 && log_of.done == before; i++) {
		m->ops->go(m);
		m->ops->wait(m, &waits);
		if (log_of.done == before)
			usleep(100);
	}
	free(waits.fds);
	/* Each step was the ring's at once: there was nothing to come back for. */
	CHECK_EQ("no delay", waits.until_ns, WAITS_FOREVER);
	CHECK_EQ("done", log_of.done, before + 1);
	return log_of.error;
}

static int request(u16 op, u64 sector, u32 sectors, u8 *data)
{
	memset(dr, 0, sizeof(*dr));
	dr->req.op = op;
	dr->at = sector * 512;
	dr->bytes = sectors * 512ull;
	if (data) {
		dr->req.segs = 1;
		dr->req.seg[0] = (struct iovec){ data, dr->bytes };
		dr->req.bytes = (u32)dr->bytes;
	}
	return 0;
}

static void events(const char *r, const enum event *want, u32 n)
{
	CHECK_EQ(r, log_of.count, n);
	CHECK_MEM(r, log_of.event, want, n * sizeof(*want));
}

#define EVENTS(r, ...) \
	events(r, (const enum event[]){ __VA_ARGS__ }, \
	       sizeof((enum event[]){ __VA_ARGS__ }) / sizeof(enum event))

static void durability(void)
{
	open_medium((struct disk_options){ 0 });
	CHECK("open", m && m->cached);
	request(PLEX86_BLK_OP_WRITE, 0, 8, memory);
	CHECK_EQ("write", do_it(), 0);
	EVENTS("write", WRITE, DONE);
	request(PLEX86_BLK_OP_WRITE, 0, 8, memory);
	dr->durable = true;
	CHECK_EQ("durable", do_it(), 0);
	EVENTS("durable", WRITE_DURABLE, DONE);
	request(PLEX86_BLK_OP_FLUSH, 0, 0, NULL);
	CHECK_EQ("flush", do_it(), 0);
	EVENTS("flush", SYNC, DONE);
	request(PLEX86_BLK_OP_WRITE_ZEROES, 8, 8, NULL);
	CHECK_EQ("zeroes", do_it(), 0);
	EVENTS("zeroes", ALLOCATE, DONE);
	request(PLEX86_BLK_OP_WRITE_ZEROES, 8, 8, NULL);
	dr->durable = true;
	CHECK_EQ("durable zeroes", do_it(), 0);
	EVENTS("durable zeroes", ALLOCATE, SYNC, DONE);
	request(PLEX86_BLK_OP_DISCARD, 8, 8, NULL);
	CHECK_EQ("discard", do_it(), 0);
	EVENTS("discard", ALLOCATE, DONE);
}

static void durability_by_ring(void **state)
{
	(void)state;
	uring = true;
	durability();
}

static void durability_by_calls(void **state)
{
	(void)state;
	uring = false;
	durability();
}

/* A sync that fails is a request that fails. */
static void sync_fails(void **state)
{
	(void)state;
	uring = false;
	open_medium((struct disk_options){ 0 });
	plan.sync_error = EIO;
	request(PLEX86_BLK_OP_FLUSH, 0, 0, NULL);
	CHECK_EQ("flush", do_it(), EIO);
	EVENTS("flush", SYNC, DONE);
	request(PLEX86_BLK_OP_WRITE_ZEROES, 8, 8, NULL);
	dr->durable = true;
	CHECK_EQ("zeroes", do_it(), EIO);
	EVENTS("zeroes", ALLOCATE, SYNC, DONE);
	plan.zero_error = EOPNOTSUPP;
	CHECK_EQ("unknown", do_it(), EOPNOTSUPP);
	EVENTS("unknown", ALLOCATE, DONE);
}

static void write_through(void **state)
{
	int flags;

	(void)state;
	uring = false;
	open_medium((struct disk_options){ .cache = CACHE_WRITETHROUGH });
	CHECK("no cache", m && !m->cached);
	/* O_DSYNC is a write's; zeroes take a sync of their own. */
	request(PLEX86_BLK_OP_WRITE_ZEROES, 8, 8, NULL);
	CHECK_EQ("zeroes", do_it(), 0);
	EVENTS("zeroes", ALLOCATE, SYNC, DONE);
	flags = -1;
	for (int fd = 3; fd < 64; fd++)
		if (fd != file && fcntl(fd, F_GETFL) >= 0 &&
		    (fcntl(fd, F_GETFL) & O_DSYNC))
			flags = fcntl(fd, F_GETFL);
	CHECK("O_DSYNC", flags >= 0);
}

/* Transfers of which the system does some bytes at a time. */
static void bit_by_bit(void **state)
{
	static const u32 sizes[] = { 1, 100, 511, 512, 513, 4095, 5000 };
	u8 *got = malloc(BYTES);
	size_t i;

	(void)state;
	uring = false;
	open_medium((struct disk_options){ 0 });
	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		const char *r = row("%u at a time", sizes[i]);
		u32 sectors = 8, s;

		plan.most = sizes[i];
		plan.interrupt = 3;
		for (s = 0; s < sectors * 512; s++)
			memory[s] = (u8)(s * 13 + i);
		request(PLEX86_BLK_OP_WRITE, 16, sectors, memory);
		dr->req.segs = 3;
		dr->req.seg[0] = (struct iovec){ memory, 700 };
		dr->req.seg[1] = (struct iovec){ memory + 700, 0 };
		dr->req.seg[2] = (struct iovec){ memory + 700,
						 sectors * 512 - 700 };
		CHECK_EQ(r, do_it(), 0);
		memset(got, 0, BYTES);
		request(PLEX86_BLK_OP_READ, 16, sectors, got);
		dr->req.segs = 2;
		dr->req.seg[0] = (struct iovec){ got, 3 };
		dr->req.seg[1] = (struct iovec){ got + 3, sectors * 512 - 3 };
		CHECK_EQ(r, do_it(), 0);
		CHECK_MEM(r, got, memory, sectors * 512);
	}
	free(got);
}

static void shorter_file(void)
{
	open_medium((struct disk_options){ 0 });
	CHECK_EQ("truncate", ftruncate(file, BYTES / 2), 0);
	request(PLEX86_BLK_OP_READ, SECTORS - 8, 8, memory);
	CHECK_EQ("read", do_it(), EIO);
	request(PLEX86_BLK_OP_READ, SECTORS / 2 - 1, 2, memory);
	CHECK_EQ("read over the end", do_it(), EIO);
	request(PLEX86_BLK_OP_WRITE, SECTORS - 8, 8, memory);
	CHECK_EQ("write", do_it(), EIO);
	request(PLEX86_BLK_OP_WRITE_ZEROES, SECTORS / 2 - 1, 2, NULL);
	CHECK_EQ("zeroes", do_it(), EIO);
	CHECK_EQ("size", lseek(file, 0, SEEK_END), BYTES / 2);
	request(PLEX86_BLK_OP_READ, SECTORS / 2 - 1, 1, memory);
	CHECK_EQ("before the end", do_it(), 0);
	CHECK_EQ("measure", m->ops->measure(m), 0);
	CHECK_EQ("measure", m->bytes, BYTES / 2);
}

static void shorter_by_ring(void **state)
{
	(void)state;
	uring = true;
	shorter_file();
}

static void shorter_by_calls(void **state)
{
	(void)state;
	uring = false;
	shorter_file();
}

/*
 * Requests at random against a model in memory, in pieces of odd sizes and
 * alignment: what is read is what was written, and with a snapshot the file is as
 * it was.
 */
static void model(struct disk_options o)
{
	u64 seed = 0x9e3779b97f4a7c15;
	u8 *want = malloc(BYTES), *data = aligned_alloc(4096, BYTES + 8192);
	u8 *before = malloc(BYTES);
	u32 i, s;

	open_medium(o);
	CHECK(message, m != NULL);
	CHECK_EQ("file", pread(file, want, BYTES, 0), BYTES);
	memcpy(before, want, BYTES);
	for (i = 0; i < 3000; i++) {
		u32 block = m->block_bytes / 512;
		u32 at = random32(&seed) % SECTORS / block * block;
		u32 n = (1 + random32(&seed) % 24) * block;
		u32 kind = random32(&seed) % 8, left, offset;
		u8 *place = data + (random32(&seed) & 1 ?
				    random32(&seed) % 4096 : 0);

		if (n > SECTORS - at)
			n = SECTORS - at;
		request(kind < 4 ? PLEX86_BLK_OP_READ : kind < 7 ?
			PLEX86_BLK_OP_WRITE : PLEX86_BLK_OP_WRITE_ZEROES,
			at, n, NULL);
		dr->unmap = random32(&seed) & 1;
		for (s = 0; kind < 7 && s < n * 512; s++)
			place[s] = kind < 4 ? 0 : (u8)random32(&seed);
		for (left = n * 512, offset = 0; kind < 7 && left; ) {
			u32 len = dr->req.segs < 100 ?
				  random32(&seed) % 3000 : left;

			if (len > left)
				len = left;
			dr->req.seg[dr->req.segs++] =
				(struct iovec){ place + offset, len };
			offset += len;
			left -= len;
		}
		CHECK_EQ(row("request %u", i), do_it(), 0);
		if (kind == 7)
			memset(want + at * 512, 0, n * 512);
		else if (kind >= 4)
			memcpy(want + at * 512, place, n * 512);
		else
			CHECK_MEM(row("request %u", i), place, want + at * 512,
				  n * 512);
	}
	CHECK_EQ("file", pread(file, data, BYTES, 0), BYTES);
	CHECK_MEM("file", data, o.snapshot ? before : want, BYTES);
	free(want);
	free(data);
	free(before);
}

static void model_by_ring(void **state)
{
	(void)state;
	uring = true;
	model((struct disk_options){ 0 });
}

static void model_by_calls(void **state)
{
	(void)state;
	uring = false;
	model((struct disk_options){ 0 });
}

static void snapshot_by_ring(void **state)
{
	(void)state;
	uring = true;
	model((struct disk_options){ .snapshot = true });
}

static void snapshot_by_calls(void **state)
{
	(void)state;
	uring = false;
	plan.most = 777;
	model((struct disk_options){ .snapshot = true });
}

static void direct(void **state)
{
	int fd = open(name, O_RDONLY | O_DIRECT);

	(void)state;
	if (fd < 0)
		skip();		/* a file system that is a cache itself */
	close(fd);
	uring = true;
	model((struct disk_options){ .cache = CACHE_NONE });
}

static void direct_snapshot(void **state)
{
	int fd = open(name, O_RDONLY | O_DIRECT);

	(void)state;
	if (fd < 0)
		skip();
	close(fd);
	uring = true;
	model((struct disk_options){ .cache = CACHE_NONE, .snapshot = true });
}

static void grows_under_snapshot(void **state)
{
	u8 *data = calloc(1, 4096);

	(void)state;
	uring = true;
	open_medium((struct disk_options){ .snapshot = true });
	request(PLEX86_BLK_OP_WRITE, 3, 5, memory);
	CHECK_EQ("write", do_it(), 0);
	CHECK_EQ("grow", ftruncate(file, 1ll << 32), 0);
	CHECK_EQ("measure", m->ops->measure(m), 0);
	CHECK_EQ("measure", m->bytes, 1ull << 32);
	request(PLEX86_BLK_OP_WRITE, (1u << 23) - 8, 8, memory);
	CHECK_EQ("write", do_it(), 0);
	request(PLEX86_BLK_OP_READ, (1u << 23) - 8, 8, data);
	CHECK_EQ("read", do_it(), 0);
	CHECK_MEM("read", data, memory, 4096);
	request(PLEX86_BLK_OP_READ, 3, 5, data);
	CHECK_EQ("read", do_it(), 0);
	CHECK_MEM("read", data, memory, 5 * 512);
	free(data);
}

/* What was cut off with the image is the image's again when that grows. */
static void shrinks_under_snapshot(void **state)
{
	static const struct {
		u32 sectors;	/* of the image while it is short */
		u32 first, end;	/* then in the overlay still */
	} table[] = {
		{ SECTORS / 2, 3, 100 }, { 128, 3, 100 }, { 70, 3, 70 },
		{ 64, 3, 64 }, { 63, 3, 63 }, { 1, 1, 1 }, { 3, 3, 3 },
	};
	u8 *data = malloc(BYTES), *late = malloc(BYTES);
	size_t i;
	u32 s;

	(void)state;
	uring = true;
	memset(late, 0xe1, BYTES);
	for (i = 0; i < ARRAY_SIZE(table); i++) {
		const char *r = row("%u sectors", table[i].sectors);

		CHECK_EQ(r, pwrite(file, late, BYTES, 0), BYTES);
		open_medium((struct disk_options){ .snapshot = true });
		request(PLEX86_BLK_OP_WRITE, 3, 97, memory);
		CHECK_EQ(r, do_it(), 0);
		request(PLEX86_BLK_OP_WRITE, SECTORS - 1, 1, memory);
		CHECK_EQ(r, do_it(), 0);
		CHECK_EQ(r, ftruncate(file, table[i].sectors * 512), 0);
		CHECK_EQ(r, m->ops->measure(m), 0);
		CHECK_EQ(r, pwrite(file, late, BYTES, 0), BYTES);
		CHECK_EQ(r, m->ops->measure(m), 0);
		request(PLEX86_BLK_OP_READ, 0, SECTORS, data);
		CHECK_EQ(r, do_it(), 0);
		for (s = 0; s < SECTORS; s++) {
			bool over = s >= table[i].first && s < table[i].end;

			CHECK_MEM(row("%u sectors, sector %u",
				      table[i].sectors, s), data + s * 512,
				  over ? memory + (s - 3) * 512 : late, 512);
		}
		m->ops->close(m);
		m = NULL;
	}
	free(data);
	free(late);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(durability_by_ring), TEST(durability_by_calls),
		TEST(sync_fails), TEST(write_through), TEST(bit_by_bit),
		TEST(shorter_by_ring), TEST(shorter_by_calls),
		TEST(model_by_ring), TEST(model_by_calls),
		TEST(snapshot_by_ring), TEST(snapshot_by_calls), TEST(direct),
		TEST(direct_snapshot), TEST(grows_under_snapshot),
		TEST(shrinks_under_snapshot),
	};

	return RUN_TESTS("disk_file", tests, NULL, NULL);
}
