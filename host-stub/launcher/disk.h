/* SPDX-License-Identifier: GPL-2.0 */
/*
 * halblk's back end: what the files of a disk share.
 *
 * disk.c is the device: it takes the guest's requests, checks them, keeps to
 * the user's limits, and completes them.  A medium (disk_file.c, disk_nbd.c) is
 * where the bytes are.  disk_option.c reads what the user said.
 */
#ifndef LAUNCHER_DISK_H
#define LAUNCHER_DISK_H

#include "device.h"

/* At most so many a second, after @burst at once; per_s 0: no limit. */
struct disk_rate {
	u64 per_s;
	u64 burst;
};

/* What one --disk said. */
struct disk_options {
	enum { MEDIUM_FILE, MEDIUM_NBD } medium;
	char *words;		/* where the strings are */
	const char *place;	/* file name or URI */
	bool read_only;
	bool snapshot;
	enum { CACHE_WRITEBACK, CACHE_WRITETHROUGH, CACHE_NONE } cache;
	u32 block_bytes;	/* 0: as the medium likes */
	const char *serial;
	struct disk_rate iops, bps;
	bool raw;		/* whatever the first bytes look like */
	u32 timeout_s;		/* of a server's answer; 0: the default */
	bool no_uring;		/* for tests */
};

struct disk;
struct medium;

/* A request under way. */
struct disk_request {
	struct disk_request *next;	/* in whatever list it is */
	struct disk *disk;
	struct queue *queue;
	u64 at, bytes;			/* range of the medium */
	bool durable;			/* a write: on the medium when it is done */
	bool unmap;			/* zeroes: room may be given up */
	bool held;			/* the segments are, queue_hold() */
	u32 parts;			/* the medium's: still to be done */
	int error;			/* the medium's: of a part, an errno */
	struct request req;
};

struct medium_ops {
	/*
	 * Do @dr: req.op and its segments, at, bytes, durable, unmap have been
	 * checked against the medium.  disk_done() says that it is done, from
	 * within or later.
	 */
	void (*submit)(struct medium *m, struct disk_request *dr);

	/* Nothing more is submitted for now; may be absent. */
	void (*go)(struct medium *m);

	/* Will work() find completions?  Absent: only wait() can tell. */
	bool (*ready)(struct medium *m);

	void (*wait)(struct medium *m, struct waits *waits);
	void (*work)(struct medium *m, const struct waits *waits);

	/* Find out the size again, into bytes.  0 or an errno; may be absent. */
	int (*measure)(struct medium *m);

	/*
	 * Nobody waits for what is under way: end it, without touching the
	 * guest's memory any more.  Absent: it takes its time.
	 */
	void (*abandon)(struct medium *m);

	void (*close)(struct medium *m);
};

/* Part of each medium's own structure; filled in before the disk is made. */
struct medium {
	const struct medium_ops *ops;
	u64 bytes;
	u32 block_bytes;	/* whole ones are read and written */
	u32 physical_bytes;
	u32 optimal_bytes;	/* 0: unknown */
	u32 discard_bytes;	/* granularity; 0: no DISCARD */
	bool zeroes;		/* there is WRITE_ZEROES */
	bool read_only;
	bool cached;		/* a write is durable after a flush only */
	bool rotational;
};

int disk_option(struct disk_options *options, const char *value);
void disk_option_free(struct disk_options *options);

int disk_add(struct devices *devices, const struct disk_options *options,
	     u32 number);
struct device *disk_new(const struct disk_options *options,
			struct medium *medium);
void disk_done(struct disk_request *dr, int error);

struct medium *disk_file_open(const struct disk_options *options, u32 number);
struct medium *disk_nbd_open(const struct disk_options *options, u32 number);

extern const struct device_ops disk_ops;

#endif
