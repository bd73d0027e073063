/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What differs between the kernel lines for a disk driver; plex86_compat.h has
 * the rest.
 */
#ifndef _ASM_X86_PLEX86_COMPAT_BLK_H
#define _ASM_X86_PLEX86_COMPAT_BLK_H

#include <linux/blk-mq.h>
#include <linux/version.h>

/*
 * A disk's queue limits are given with its allocation since 6.9, and its cache
 * is one of them since 6.11.
 *
 * plex86_alloc_disk(): of @lim only these are used: logical_block_size,
 * physical_block_size, io_min, io_opt, max_hw_sectors, max_segment_size,
 * max_segments, max_hw_discard_sectors, discard_granularity and
 * max_write_zeroes_sectors.  Returns the disk, or an ERR_PTR().
 * plex86_disk_write_cache(): 0 or a negative error number.
 */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 11, 0)
static inline struct gendisk *plex86_alloc_disk(struct blk_mq_tag_set *tags,
						struct queue_limits *lim,
						bool cache, bool rotational,
						void *queuedata)
{
	if (cache)
		lim->features |= BLK_FEAT_WRITE_CACHE | BLK_FEAT_FUA;
	if (rotational)
		lim->features |= BLK_FEAT_ROTATIONAL;
	return blk_mq_alloc_disk(tags, lim, queuedata);
}

static inline int plex86_disk_write_cache(struct gendisk *disk, bool on)
{
	struct queue_limits lim = queue_limits_start_update(disk->queue);
	int err;

	lim.features &= ~(BLK_FEAT_WRITE_CACHE | BLK_FEAT_FUA);
	if (on)
		lim.features |= BLK_FEAT_WRITE_CACHE | BLK_FEAT_FUA;
	blk_mq_freeze_queue(disk->queue);
	err = queue_limits_commit_update(disk->queue, &lim);
	blk_mq_unfreeze_queue(disk->queue);
	return err;
}
#else
static inline struct gendisk *plex86_alloc_disk(struct blk_mq_tag_set *tags,
						struct queue_limits *lim,
						bool cache, bool rotational,
						void *queuedata)
{
	struct gendisk *disk = blk_mq_alloc_disk(tags, queuedata);
	struct request_queue *q;

	if (IS_ERR(disk))
		return disk;
	q = disk->queue;
	blk_queue_logical_block_size(q, lim->logical_block_size);
	blk_queue_physical_block_size(q, lim->physical_block_size);
	blk_queue_io_min(q, lim->io_min);
	blk_queue_io_opt(q, lim->io_opt);
	blk_queue_max_hw_sectors(q, lim->max_hw_sectors);
	blk_queue_max_segment_size(q, lim->max_segment_size);
	blk_queue_max_segments(q, lim->max_segments);
	blk_queue_max_discard_sectors(q, lim->max_hw_discard_sectors);
	q->limits.discard_granularity = lim->discard_granularity;
	blk_queue_max_write_zeroes_sectors(q, lim->max_write_zeroes_sectors);
	blk_queue_write_cache(q, cache, cache);
	if (!rotational)
		blk_queue_flag_set(QUEUE_FLAG_NONROT, q);
	return disk;
}

static inline int plex86_disk_write_cache(struct gendisk *disk, bool on)
{
	blk_queue_write_cache(disk->queue, on, on);
	return 0;
}
#endif

#endif /* _ASM_X86_PLEX86_COMPAT_BLK_H */
