// SPDX-License-Identifier: GPL-2.0
/*
 * A disk's medium in a file or on a block device of the host's.
 *
 * I/O goes through io_uring; where the host does not allow that, it is one
 * system call after the other.  A request becomes one part, or with a snapshot
 * one for each stretch that is all in the image or all in the overlay, which is
 * a temporary file that takes what is written.  A part of which the system did
 * some is gone on with.
 *
 * The file is locked as a whole, so that no two write it at a time.  Whoever
 * ignores locks can still make it shorter: reads behind its end, and writes, are
 * errors then, and do not make it longer again.
 */
#include "disk.h"
#include "launcher.h"

#include <errno.h>
#include <fcntl.h>
#include <liburing.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define SECTOR		((u64)PLEX86_BLK_SECTOR)
#define FILE_BLOCK	4096u		/* what file systems work in */
#define BOUNCE_ALIGN	4096u
#define URING_ENTRIES	256u
#define RING_FILE	0		/* places in the ring's table of files */
#define RING_OVERLAY	1
#define LOCK_TRIES	50
#define LOCK_NS		500000000
#define AGAIN_NS	1000000u	/* where the system is short of memory */

struct disk_file {
	struct medium medium;
	u32 number;
	const char *name;
	int fd;
	bool block_device;
	bool direct;			/* O_DIRECT: past the host's cache */
	u32 align;			/* what that wants of memory */
	bool through;			/* all that is written is durable */

	int overlay;			/* -1: no snapshot */
	u64 *written;			/* bit n: sector n is in the overlay */
	u64 written_bytes;		/* size of that map */

	bool async;			/* there is a ring */
	struct io_uring ring;
	u32 under_way;			/* parts in the ring */
};

/* Of a request: a range in one file. */
struct part {
	struct disk_request *dr;
	int fd;
	bool sync;			/* its last step: make it durable */
	u64 at, left;
	u8 *bounce;			/* goes in place of the segments, or NULL */
	u32 segs;
	u32 left_segs;
	struct iovec *left_seg;		/* what is still to be done */
	struct iovec seg[];		/* the guest's; behind it a copy to use up */
};

static struct disk_file *file_of(struct medium *m)
{
	return device_of(m, struct disk_file, medium);
}

/*
 * The overlay.
 */

static bool in_overlay(const struct disk_file *f, u64 sector)
{
	return f->written[sector / 64] >> sector % 64 & 1;
}

static void mark_written(struct disk_file *f, u64 at, u64 bytes)
{
	u64 sector = at / SECTOR, end = (at + bytes) / SECTOR;

	while (sector < end) {
		if (!(sector % 64) && end - sector >= 64) {
			f->written[sector / 64] = ~0ull;
			sector += 64;
		} else {
			f->written[sector / 64] |= 1ull << sector % 64;
			sector++;
		}
	}
}

/* What is behind @end is not in the overlay any more; @old: where that ended. */
static void cut_written(struct disk_file *f, u64 end, u64 old)
{
	u64 sector = end / SECTOR;

	for (; sector < old / SECTOR; sector = (sector | 63) + 1)
		if (f->written[sector / 64])
			f->written[sector / 64] &= (1ull << sector % 64) - 1;
}

/*
 * Makes the overlay and its map as large as the medium, which had @old bytes; 0
 * or an errno.
 */
static int fit_overlay(struct disk_file *f, u64 old)
{
	u64 bytes = (f->medium.bytes / SECTOR / 64 + 1) * sizeof(u64);
	void *map;

	if (ftruncate(f->overlay, (off_t)f->medium.bytes))
		return errno;
	cut_written(f, f->medium.bytes, old);
	if (bytes <= f->written_bytes)
		return 0;
	if (f->written)
		map = mremap(f->written, f->written_bytes, bytes,
			     MREMAP_MAYMOVE);
	else
		map = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE |
			   MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (map == MAP_FAILED)
		return errno;
	f->written = map;
	f->written_bytes = bytes;
	return 0;
}

static const char *temporary_place(void)
{
	const char *place = getenv("TMPDIR");

	return place && *place ? place : "/var/tmp";
}

/* A file that has no name, so that it goes with its last descriptor. */
static int temporary_file(void)
{
	const char *place = temporary_place();
	char name[4096];
	int fd;

	fd = open(place, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (fd >= 0 || (errno != EOPNOTSUPP && errno != EISDIR))
		return fd;
	snprintf(name, sizeof(name), "%s/plex86-XXXXXX", place);
	fd = mkostemp(name, O_CLOEXEC);
	if (fd >= 0)
		unlink(name);
	return fd;
}

/*
 * Parts.
 */

static void put_request(struct disk_file *f, struct disk_request *dr)
{
	if (--dr->parts)
		return;
	if (!dr->error && f->overlay >= 0 &&
	    dr->req.op != PLEX86_BLK_OP_READ)
		mark_written(f, dr->at, dr->bytes);
	disk_done(dr, dr->error);
}

static void copy_bounce(struct part *part, bool to_guest)
{
	u8 *at = part->bounce;
	u32 i;

	for (i = 0; i < part->segs; i++) {
		const struct iovec *seg = &part->seg[i];

		if (to_guest)
			memcpy(seg->iov_base, at, seg->iov_len);
		else
			memcpy(at, seg->iov_base, seg->iov_len);
		at += seg->iov_len;
	}
}

static void end_part(struct disk_file *f, struct part *part, int error)
{
	struct disk_request *dr = part->dr;

	if (part->bounce && !error && dr->req.op == PLEX86_BLK_OP_READ)
		copy_bounce(part, true);
	free(part->bounce);
	free(part);
	if (error)
		dr->error = error;
	put_request(f, dr);
}

/* What of the request's segments is @bytes from @skip on; returns how many. */
static u32 slice(const struct request *req, u64 skip, u64 bytes,
		 struct iovec *seg)
{
	u32 i, n = 0;

	for (i = 0; i < req->segs && bytes; i++) {
		u64 len = req->seg[i].iov_len;

		if (skip >= len) {
			skip -= len;
			continue;
		}
		len -= skip;
		if (len > bytes)
			len = bytes;
		seg[n].iov_base = (u8 *)req->seg[i].iov_base + skip;
		seg[n++].iov_len = len;
		skip = 0;
		bytes -= len;
	}
	return n;
}

/* O_DIRECT takes whole blocks only, in memory too. */
static bool needs_bounce(const struct disk_file *f, const struct part *part)
{
	u32 i, mask = f->align - 1;

	if (!f->direct || part->fd != f->fd)
		return false;
	for (i = 0; i < part->segs; i++)
		if (((u64)part->seg[i].iov_base | part->seg[i].iov_len) & mask)
			return true;
	return false;
}

static struct part *new_part(struct disk_file *f, struct disk_request *dr,
			     int fd, u64 at, u64 bytes)
{
	struct part *part = malloc(sizeof(*part) + 2 * sizeof(struct iovec) *
				   (dr->req.segs + 1ul));

	if (!part)
		return NULL;
	part->dr = dr;
	part->fd = fd;
	part->sync = false;
	part->at = at;
	part->left = bytes;
	part->bounce = NULL;
	part->segs = slice(&dr->req, at - dr->at, bytes, part->seg);
	part->left_segs = part->segs;
	part->left_seg = part->seg + part->segs;
	memcpy(part->left_seg, part->seg, part->segs * sizeof(struct iovec));
	if (!needs_bounce(f, part))
		return part;
	part->bounce = aligned_alloc(BOUNCE_ALIGN, (bytes + BOUNCE_ALIGN - 1) &
				     ~(u64)(BOUNCE_ALIGN - 1));
	if (!part->bounce) {
		free(part);
		return NULL;
	}
	if (dr->req.op == PLEX86_BLK_OP_WRITE)
		copy_bounce(part, false);
	part->left_segs = 1;
	part->left_seg->iov_base = part->bounce;
	part->left_seg->iov_len = bytes;
	return part;
}

static int zero_mode(const struct disk_file *f, const struct disk_request *dr)
{
	int keep = FALLOC_FL_KEEP_SIZE;

	/* A block device's discard need not leave zeroes. */
	if (dr->req.op == PLEX86_BLK_OP_DISCARD && f->block_device &&
	    f->overlay < 0)
		return FALLOC_FL_PUNCH_HOLE | FALLOC_FL_NO_HIDE_STALE | keep;
	if (dr->req.op == PLEX86_BLK_OP_DISCARD || dr->unmap || f->overlay >= 0)
		return FALLOC_FL_PUNCH_HOLE | keep;
	return FALLOC_FL_ZERO_RANGE | keep;
}

/* What @part is just now: its request's operation, or FLUSH at its end. */
static u16 step_of(const struct part *part)
{
	return part->sync ? PLEX86_BLK_OP_FLUSH : part->dr->req.op;
}

static int write_flags(const struct part *part)
{
	return part->dr->durable ? RWF_DSYNC : 0;
}

/* Does @part's next step now.  Returns bytes or a negative errno. */
static int do_step(struct disk_file *f, struct part *part)
{
	off_t at = (off_t)part->at, left = (off_t)part->left;
	ssize_t n;

	switch (step_of(part)) {
	case PLEX86_BLK_OP_READ:
		n = preadv2(part->fd, part->left_seg, (int)part->left_segs, at,
			    0);
		break;
	case PLEX86_BLK_OP_WRITE:
		n = pwritev2(part->fd, part->left_seg, (int)part->left_segs, at,
			     write_flags(part));
		break;
	case PLEX86_BLK_OP_FLUSH:
		n = fdatasync(part->fd);
		break;
	default:
		n = fallocate(part->fd, zero_mode(f, part->dr), at, left);
	}
	return n < 0 ? -errno : (int)n;
}

/* Puts @part's next step into the ring; false: there is no room. */
static bool queue_step(struct disk_file *f, struct part *part)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&f->ring);
	/* By its place among those that the ring has. */
	int file = part->fd == f->fd ? RING_FILE : RING_OVERLAY;

	if (!sqe) {
		io_uring_submit(&f->ring);
		sqe = io_uring_get_sqe(&f->ring);
	}
	if (!sqe)
		return false;
	switch (step_of(part)) {
	case PLEX86_BLK_OP_READ:
		io_uring_prep_readv(sqe, file, part->left_seg,
				    part->left_segs, part->at);
		break;
	case PLEX86_BLK_OP_WRITE:
		io_uring_prep_writev2(sqe, file, part->left_seg,
				      part->left_segs, part->at,
				      write_flags(part));
		break;
	case PLEX86_BLK_OP_FLUSH:
		io_uring_prep_fsync(sqe, file, IORING_FSYNC_DATASYNC);
		break;
	default:
		io_uring_prep_fallocate(sqe, file, zero_mode(f, part->dr),
					(off_t)part->at, (off_t)part->left);
	}
	io_uring_sqe_set_flags(sqe, IOSQE_FIXED_FILE);
	io_uring_sqe_set_data(sqe, part);
	f->under_way++;
	return true;
}

/*
 * @result is what became of a step.  Returns true if nothing is left of the
 * part, with *@error, and false if there is another step.
 */
static bool stepped(struct disk_file *f, struct part *part, int result,
		    int *error)
{
	u16 step = step_of(part);
	u64 n = (u64)result;

	*error = 0;
	if (result == -EINTR || result == -EAGAIN)
		return false;
	if (result < 0) {
		*error = -result;
		return true;
	}
	if (step == PLEX86_BLK_OP_WRITE_ZEROES &&
	    (part->dr->durable || f->through)) {
		part->sync = true;
		return false;
	}
	if (step != PLEX86_BLK_OP_READ && step != PLEX86_BLK_OP_WRITE)
		return true;
	if (!n || n > part->left) {
		*error = EIO;		/* behind the end of the file */
		return true;
	}
	part->at += n;
	part->left -= n;
	if (!part->left)
		return true;
	while (n >= part->left_seg->iov_len) {
		n -= part->left_seg->iov_len;
		part->left_seg++;
		part->left_segs--;
	}
	part->left_seg->iov_base = (u8 *)part->left_seg->iov_base + n;
	part->left_seg->iov_len -= n;
	return false;
}

/* Has the next step of @part done, now or later. */
static void step(struct disk_file *f, struct part *part)
{
	int error;

	if (f->async && queue_step(f, part))
		return;
	while (!stepped(f, part, do_step(f, part), &error))
		;
	end_part(f, part, error);
}

static void start_part(struct disk_file *f, struct disk_request *dr, int fd,
		       u64 at, u64 bytes)
{
	struct part *part = new_part(f, dr, fd, at, bytes);

	if (!part) {
		dr->error = ENOMEM;
		return;
	}
	dr->parts++;
	step(f, part);
}

/* Stretches that are in one of both files. */
static void read_snapshot(struct disk_file *f, struct disk_request *dr)
{
	u64 sector = dr->at / SECTOR, end = sector + dr->bytes / SECTOR;

	while (sector < end) {
		bool over = in_overlay(f, sector);
		u64 first = sector;

		while (sector < end && in_overlay(f, sector) == over)
			sector++;
		start_part(f, dr, over ? f->overlay : f->fd, first * SECTOR,
			   (sector - first) * SECTOR);
	}
}

/* Would this write make a file longer that another has made shorter? */
static int check_end(const struct disk_file *f, const struct disk_request *dr)
{
	struct stat st;

	if (f->block_device || f->overlay >= 0 ||
	    dr->req.op == PLEX86_BLK_OP_READ ||
	    dr->req.op == PLEX86_BLK_OP_FLUSH)
		return 0;
	if (fstat(f->fd, &st))
		return errno;
	return (u64)st.st_size < dr->at + dr->bytes ? EIO : 0;
}

static void file_submit(struct medium *m, struct disk_request *dr)
{
	struct disk_file *f = file_of(m);

	dr->parts = 1;			/* until all are started */
	dr->error = check_end(f, dr);
	if (dr->error)
		;
	else if (f->overlay < 0)
		start_part(f, dr, f->fd, dr->at, dr->bytes);
	else if (dr->req.op == PLEX86_BLK_OP_READ)
		read_snapshot(f, dr);
	else
		start_part(f, dr, f->overlay, dr->at, dr->bytes);
	put_request(f, dr);
}

/* Takes what the ring has completed; steps that follow are put into it. */
static void reap(struct disk_file *f)
{
	struct io_uring_cqe *cqe;

	while (!io_uring_peek_cqe(&f->ring, &cqe)) {
		struct part *part = io_uring_cqe_get_data(cqe);
		int result = cqe->res, error;

		io_uring_cqe_seen(&f->ring, cqe);
		f->under_way--;
		if (stepped(f, part, result, &error))
			end_part(f, part, error);
		else
			step(f, part);
	}
}

static void submit_steps(struct disk_file *f)
{
	if (io_uring_sq_ready(&f->ring))
		io_uring_submit(&f->ring);
}

static void file_go(struct medium *m)
{
	struct disk_file *f = file_of(m);

	if (!f->async)
		return;
	submit_steps(f);
	reap(f);
	submit_steps(f);
}

static bool file_ready(struct medium *m)
{
	struct disk_file *f = file_of(m);

	return f->async && io_uring_cq_ready(&f->ring);
}

static void file_wait(struct medium *m, struct waits *waits)
{
	struct disk_file *f = file_of(m);

	if (!f->under_way)
		return;
	waits_fd(waits, f->ring.ring_fd, POLLIN);
	if (io_uring_sq_ready(&f->ring))
		waits_until(waits, now_ns() + AGAIN_NS);
}

static void file_work(struct medium *m, const struct waits *waits)
{
	(void)waits;
	file_go(m);
}

static int file_measure(struct medium *m)
{
	struct disk_file *f = file_of(m);
	struct stat st;
	u64 bytes, old = m->bytes;
	bool removed = false;
	int error;

	if (f->block_device) {
		if (ioctl(f->fd, BLKGETSIZE64, &bytes))
			return errno;
	} else {
		if (fstat(f->fd, &st))
			return errno;
		bytes = (u64)st.st_size;
		removed = !st.st_nlink;
	}
	/* What a disk cannot begin with it cannot become. */
	if (old && removed)
		return ENOENT;
	if (old && (!bytes || bytes % m->block_bytes))
		return EINVAL;
	m->bytes = bytes;
	error = f->overlay < 0 ? 0 : fit_overlay(f, old);
	if (error)
		m->bytes = old;
	return error;
}

/* What Debian 12's liburing declares functions for, and has none. */
static long set_ring(struct disk_file *f, u32 what, const void *from, u32 count)
{
	return syscall(SYS_io_uring_register, f->ring.ring_fd, what, from, count);
}

static void file_close(struct medium *m)
{
	struct disk_file *f = file_of(m);

	/* It would keep its files for some time. */
	if (f->async) {
		set_ring(f, IORING_UNREGISTER_FILES, NULL, 0);
		io_uring_queue_exit(&f->ring);
	}
	if (f->written)
		munmap(f->written, f->written_bytes);
	if (f->overlay >= 0)
		close(f->overlay);
	if (f->fd >= 0)
		close(f->fd);
	free(f);
}

static const struct medium_ops file_ops = {
	.submit		= file_submit,
	.go		= file_go,
	.ready		= file_ready,
	.wait		= file_wait,
	.work		= file_work,
	.measure	= file_measure,
	.close		= file_close,
};

/*
 * Opening.  Each function says what is wrong, and returns -1 then.
 */

static int wrong(const struct disk_file *f, const char *what)
{
	complain("disk%u: %s: %s", f->number, f->name, what);
	return -1;
}

/*
 * Some time for the ring of a plex86 that was killed, whose lock ends with it.
 * 0, or -1 with errno.
 */
static int lock_file(int fd, struct flock *lock)
{
	const struct timespec nap = { .tv_nsec = LOCK_NS / LOCK_TRIES };
	int tries = LOCK_TRIES;

	while (fcntl(fd, F_OFD_SETLK, lock)) {
		if ((errno != EAGAIN && errno != EACCES) || !tries--)
			return -1;
		nanosleep(&nap, NULL);
	}
	return 0;
}

static int open_file(struct disk_file *f, const struct disk_options *o)
{
	bool writes = !o->read_only && !o->snapshot;
	struct flock lock = {
		.l_type = writes ? F_WRLCK : F_RDLCK, .l_whence = SEEK_SET,
	};
	int flags = (writes ? O_RDWR : O_RDONLY) | O_CLOEXEC | O_NONBLOCK |
		    O_NOCTTY;
	struct stat st;

	if (o->cache == CACHE_NONE)
		flags |= O_DIRECT;
	if (f->through)
		flags |= O_DSYNC;
	/* Of a block device it means: and nobody mounts it. */
	if (writes && !stat(f->name, &st) && S_ISBLK(st.st_mode))
		flags |= O_EXCL;
	f->fd = open(f->name, flags);
	if (f->fd < 0 && errno == EINVAL && f->direct)
		return wrong(f, !stat(f->name, &st) && S_ISDIR(st.st_mode) ?
			     strerror(EISDIR) :
			     "its file system has a cache always; say cache=writeback");
	if (f->fd < 0 && writes && (errno == EACCES || errno == EROFS)) {
		complain("disk%u: %s: %s; for reading only say ro or snapshot=on",
			 f->number, f->name, strerror(errno));
		return -1;
	}
	if (f->fd < 0 && errno == EBUSY)
		return wrong(f, "in use: mounted, or part of another device");
	if (f->fd < 0 || fstat(f->fd, &st))
		return wrong(f, strerror(errno));
	f->block_device = S_ISBLK(st.st_mode);
	if (!f->block_device && !S_ISREG(st.st_mode))
		return wrong(f, "neither a file nor a block device");
	if (fcntl(f->fd, F_SETFL, flags & ~O_NONBLOCK))
		return wrong(f, strerror(errno));
	if (!lock_file(f->fd, &lock))
		return 0;
	if (errno != EAGAIN && errno != EACCES)
		return wrong(f, strerror(errno));
	lock.l_type = F_RDLCK;
	return wrong(f, !writes || fcntl(f->fd, F_OFD_SETLK, &lock) ?
		     "in use: another guest, or another --disk, writes it; end that first" :
		     "in use: others read it; end them first, or say ro or snapshot=on");
}

/* Can @bytes be read at a time, to memory aligned like that? */
static bool reads(const struct disk_file *f, u32 bytes)
{
	u8 *buffer = aligned_alloc(BOUNCE_ALIGN, 2 * BOUNCE_ALIGN);
	bool yes = buffer &&
		   pread(f->fd, buffer + BOUNCE_ALIGN - bytes, bytes, 0) >= 0;

	free(buffer);
	return yes;
}

static int find_blocks(struct disk_file *f, const struct disk_options *o)
{
	struct medium *m = &f->medium;
	unsigned int physical = FILE_BLOCK, optimal = 0;
	int logical = (int)SECTOR;
	unsigned short rotational = 0;

	if (f->block_device) {
		if (ioctl(f->fd, BLKSSZGET, &logical) ||
		    ioctl(f->fd, BLKPBSZGET, &physical) ||
		    ioctl(f->fd, BLKIOOPT, &optimal) ||
		    ioctl(f->fd, BLKROTATIONAL, &rotational))
			return wrong(f, strerror(errno));
	} else if (f->direct && !reads(f, (u32)logical)) {
		logical = (int)FILE_BLOCK;
	}
	if (o->block_bytes && o->block_bytes < (u32)logical) {
		complain("disk%u: %s: block=%u is too small; its own blocks have %d bytes",
			 f->number, f->name, o->block_bytes, logical);
		return -1;
	}
	f->align = (u32)logical;
	m->block_bytes = o->block_bytes ? o->block_bytes : (u32)logical;
	m->physical_bytes = physical > m->block_bytes ? physical :
							m->block_bytes;
	m->optimal_bytes = optimal % m->physical_bytes ? 0 : optimal;
	m->discard_bytes = m->physical_bytes;
	m->zeroes = true;
	m->rotational = rotational;
	return 0;
}

static int check_size(struct disk_file *f)
{
	struct medium *m = &f->medium;
	int error = file_measure(m);

	if (error)
		return wrong(f, strerror(error));
	if (!m->bytes)
		return wrong(f, "it is empty");
	if (!(m->bytes % m->block_bytes))
		return 0;
	complain("disk%u: %s: not a multiple of %u bytes (%llu); make it one with truncate -s %%%u",
		 f->number, f->name, m->block_bytes,
		 (unsigned long long)m->bytes, m->block_bytes);
	return -1;
}

/* A guest would see, and soon write over, another format's own data. */
static int check_format(struct disk_file *f, const struct disk_options *o)
{
	static const char qcow2[] = { 'Q', 'F', 'I', '\xfb' };
	u8 *start;
	int ret = 0;

	if (o->raw)
		return 0;
	start = aligned_alloc(BOUNCE_ALIGN, BOUNCE_ALIGN);
	if (start)
		memset(start, 0, sizeof(qcow2));	/* it may be shorter */
	if (!start || pread(f->fd, start, f->medium.block_bytes, 0) < 0)
		ret = wrong(f, strerror(errno));
	else if (!memcmp(start, qcow2, sizeof(qcow2)))
		ret = wrong(f, "a qcow2 image; serve it with qemu-nbd and say nbd=URI, or format=raw if you mean it");
	free(start);
	return ret;
}

static int make_overlay(struct disk_file *f)
{
	int error;

	f->overlay = temporary_file();
	error = f->overlay < 0 ? errno : fit_overlay(f, 0);
	if (!error)
		return 0;
	complain("disk%u: %s: no snapshot of %s there: %s; TMPDIR names the directory",
		 f->number, temporary_place(), f->name, strerror(error));
	return -1;
}

/*
 * A ring that does, whoever fills it, what queue_step() asks for, and with the
 * medium's own files only: what is put in one no filter of system calls sees.
 */
static int open_ring(struct disk_file *f)
{
	struct io_uring_restriction allowed[] = {
		{ .opcode = IORING_RESTRICTION_REGISTER_OP,
		  .register_op = IORING_UNREGISTER_FILES },
		{ .opcode = IORING_RESTRICTION_SQE_OP,
		  .sqe_op = IORING_OP_READV },
		{ .opcode = IORING_RESTRICTION_SQE_OP,
		  .sqe_op = IORING_OP_WRITEV },
		{ .opcode = IORING_RESTRICTION_SQE_OP,
		  .sqe_op = IORING_OP_FSYNC },
		{ .opcode = IORING_RESTRICTION_SQE_OP,
		  .sqe_op = IORING_OP_FALLOCATE },
		{ .opcode = IORING_RESTRICTION_SQE_FLAGS_ALLOWED,
		  .sqe_flags = IOSQE_FIXED_FILE },
		{ .opcode = IORING_RESTRICTION_SQE_FLAGS_REQUIRED,
		  .sqe_flags = IOSQE_FIXED_FILE },
	};
	/* -1 is an empty place. */
	const int files[] = { [RING_FILE] = f->fd, [RING_OVERLAY] = f->overlay };

	if (io_uring_queue_init(URING_ENTRIES, &f->ring, IORING_SETUP_R_DISABLED))
		return -1;
	if (!io_uring_register_files(&f->ring, files, 2) &&
	    !set_ring(f, IORING_REGISTER_RESTRICTIONS, allowed,
		      sizeof(allowed) / sizeof(allowed[0])) &&
	    !set_ring(f, IORING_REGISTER_ENABLE_RINGS, NULL, 0))
		return 0;
	io_uring_queue_exit(&f->ring);
	return -1;
}

/*
 * disk_file_open() - open the file or block device that a --disk named
 * @number: of the disk, for messages
 *
 * Returns NULL after saying what is wrong.
 */
struct medium *disk_file_open(const struct disk_options *o, u32 number)
{
	struct disk_file *f = calloc(1, sizeof(*f));

	if (!f) {
		complain("disk%u: out of memory", number);
		return NULL;
	}
	f->medium.ops = &file_ops;
	f->medium.read_only = o->read_only;
	f->medium.cached = !o->read_only && !o->snapshot &&
			   o->cache != CACHE_WRITETHROUGH;
	f->number = number;
	f->name = o->place;
	f->fd = -1;
	f->overlay = -1;
	f->direct = o->cache == CACHE_NONE;
	f->through = o->cache == CACHE_WRITETHROUGH && !o->snapshot;
	if (open_file(f, o) || find_blocks(f, o) || check_format(f, o) ||
	    check_size(f) || (o->snapshot && make_overlay(f))) {
		file_close(&f->medium);
		return NULL;
	}
	f->async = !o->no_uring && !open_ring(f);
	return &f->medium;
}
