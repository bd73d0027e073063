/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What differs between the kernel lines that the plex86 guest is built for.
 * All of it is here, so that every other file of the port is the same text in
 * each line; a difference that no line has any more leaves with that line.
 */
#ifndef _ASM_X86_PLEX86_COMPAT_H
#define _ASM_X86_PLEX86_COMPAT_H

#include <linux/blk-mq.h>
#include <linux/version.h>

/* A bus is const since 6.4, and so is the driver it matches since 6.11. */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 11, 0)
#define PLEX86_BUS_CONST	const
#else
#define PLEX86_BUS_CONST
#endif

/* The types of hv_ops::get_chars and put_chars changed in 6.8. */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 8, 0)
#define PLEX86_HVC_CHAR		u8
#define PLEX86_HVC_SIZE		size_t
#define PLEX86_HVC_RESULT	ssize_t
#else
#define PLEX86_HVC_CHAR		char
#define PLEX86_HVC_SIZE		int
#define PLEX86_HVC_RESULT	int
#endif

/* A new anonymous page became a folio in 6.7, with flags in 6.11. */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 11, 0)
#define plex86_new_anon_rmap(page, vma, addr) \
	folio_add_new_anon_rmap(page_folio(page), vma, addr, RMAP_EXCLUSIVE)
#else
#define plex86_new_anon_rmap(page, vma, addr) \
	page_add_new_anon_rmap(page, vma, addr)
#endif

/*
 * A disk's queue limits are given with its allocation since 6.9, and its cache
 * is one of them since 6.11.
 *
 * plex86_alloc_disk(): of @lim, what is used is what the first version sets.
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

#endif /* _ASM_X86_PLEX86_COMPAT_H */
