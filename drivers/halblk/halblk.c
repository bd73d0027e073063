// SPDX-License-Identifier: GPL-2.0
/*
 * halblk: the disks of a plex86 guest, as hblka, hblkb, ... hblkaa, ...
 *
 * A request of the block layer is one submission, its tag's memory holds the
 * list of segments, and the device's limits are the queue's: so a request is
 * never split or copied here.  Requests are made known to the device when the
 * block layer has no more for now, and completed in the order the device likes.
 *
 * A request ends in one of three ways.  The device completes it; any answer that
 * is not understood, or is for less than was asked, is an error.  Or the device
 * is withdrawn: from then on it touches no memory, and all that it had ends with
 * an error at once.  Or the device answers nothing that makes sense any more, or
 * nothing at all for as long as halblk.patience says: it is reset, which stops
 * it, and then the same is done, and so with all requests that come after.  A
 * device that is merely slow is waited for, with a word in the log each time the
 * queue's timeout has passed: what it has was given to it with its memory, and
 * only it can give that back.
 */
#define pr_fmt(fmt) "halblk: " fmt

#include <linux/bitops.h>
#include <linux/blk-mq.h>
#include <linux/blkdev.h>
#include <linux/err.h>
#include <linux/idr.h>
#include <linux/init.h>
#include <linux/jiffies.h>
#include <linux/log2.h>
#include <linux/minmax.h>
#include <linux/module.h>
#include <linux/moduleparam.h>
#include <linux/mutex.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/string.h>
#include <linux/sysfs.h>
#include <linux/workqueue.h>
#include <asm/plex86_bus.h>
#include <asm/plex86_compat_blk.h>
#include <asm/plex86_ring.h>

#define HALBLK_DEPTH	128	/* requests in flight, at most: 300 KiB of tags */
#define HALBLK_SEGS	128	/* of one request: 2 KiB for each tag */
#define HALBLK_TIMEOUT	(30 * HZ)

/* Behind each request. */
struct halblk_request {
	blk_status_t status;
	struct plex86_seg segs[];
};

struct halblk_queue {
	struct halblk *blk;
	spinlock_t lock;		/* of all that follows */
	struct plex86_ring ring;
	unsigned long silent;		/* jiffies without a completion, counted */
	unsigned long counted;		/* when that was, last */
};

struct halblk {
	struct plex86_device *pdev;
	struct gendisk *disk;
	struct blk_mq_tag_set tags;
	int index;			/* in the name */
	struct mutex cache_type;	/* held while that is set */
	bool write_through;		/* as it was set */
	char serial[PLEX86_BLK_SERIAL + 1];
	struct work_struct broken;
	unsigned long stopped;		/* bit 0: who sets it resets the device */
	unsigned int nr_queues;
	struct halblk_queue queues[];
};

static DEFINE_IDA(halblk_ida);

/* Is the device of no more use?  It was reset then, or is about to be. */
static bool halblk_stopped(const struct halblk *blk)
{
	return test_bit(0, &blk->stopped);
}

static unsigned int patience = 300;
module_param(patience, uint, 0644);
MODULE_PARM_DESC(patience, "seconds after which a silent disk is given up; 0: never");

/*
 * Requests.
 */

/* The data of @rq as segments: neighbours in memory are one.  0: too many. */
static u32 halblk_map(struct request *rq, struct plex86_seg *segs, u32 most)
{
	struct req_iterator iter;
	struct bio_vec bvec;
	u64 end = 0;
	u32 n = 0;

	rq_for_each_bvec(bvec, rq, iter) {
		u64 gpa = page_to_phys(bvec.bv_page) + bvec.bv_offset;

		if (n && gpa == end) {
			segs[n - 1].bytes += bvec.bv_len;
		} else {
			if (n == most)
				return 0;
			segs[n].gpa = gpa;
			segs[n].bytes = bvec.bv_len;
			segs[n].zero = 0;
			n++;
		}
		end = gpa + bvec.bv_len;
	}
	return n;
}

static blk_status_t halblk_prepare(struct halblk *blk, struct request *rq,
				   u32 most, struct plex86_request *request)
{
	struct halblk_request *hr = blk_mq_rq_to_pdu(rq);

	memset(request, 0, sizeof(*request));
	request->arg = blk_rq_pos(rq);
	if (rq->cmd_flags & REQ_FUA)
		request->flags |= PLEX86_BLK_FUA;

	switch (req_op(rq)) {
	case REQ_OP_READ:
		request->op = PLEX86_BLK_OP_READ;
		request->flags = 0;
		break;
	case REQ_OP_WRITE:
		request->op = PLEX86_BLK_OP_WRITE;
		if (READ_ONCE(blk->write_through))
			request->flags |= PLEX86_BLK_FUA;
		break;
	case REQ_OP_FLUSH:
		request->op = PLEX86_BLK_OP_FLUSH;
		request->flags = 0;
		request->arg = 0;
		return BLK_STS_OK;
	case REQ_OP_DISCARD:
		request->op = PLEX86_BLK_OP_DISCARD;
		request->flags = 0;
		request->arg2 = blk_rq_sectors(rq);
		return BLK_STS_OK;
	case REQ_OP_WRITE_ZEROES:
		request->op = PLEX86_BLK_OP_WRITE_ZEROES;
		request->arg2 = blk_rq_sectors(rq);
		if (!(rq->cmd_flags & REQ_NOUNMAP))
			request->flags |= PLEX86_BLK_UNMAP;
		if (READ_ONCE(blk->write_through))
			request->flags |= PLEX86_BLK_FUA;
		return BLK_STS_OK;
	default:
		return BLK_STS_NOTSUPP;
	}
	request->segs = hr->segs;
	request->nsegs = halblk_map(rq, hr->segs, most);
	return request->nsegs ? BLK_STS_OK : BLK_STS_IOERR;
}

static blk_status_t halblk_queue_rq(struct blk_mq_hw_ctx *hctx,
				    const struct blk_mq_queue_data *bd)
{
	struct halblk *blk = hctx->queue->queuedata;
	struct halblk_queue *queue = hctx->driver_data;
	struct plex86_request request;
	bool notify = false;
	unsigned long flags;
	blk_status_t status;
	int err = -ENODEV;

	status = halblk_prepare(blk, bd->rq,
				queue_max_segments(hctx->queue), &request);
	if (status)
		return status;

	blk_mq_start_request(bd->rq);
	spin_lock_irqsave(&queue->lock, flags);
	/* Looked at before what was added is taken back. */
	if (!plex86_device_gone(blk->pdev) && !halblk_stopped(blk))
		err = plex86_ring_add(&queue->ring, &request, bd->rq);
	if (bd->last)
		notify = plex86_ring_kick_prepare(&queue->ring);
	spin_unlock_irqrestore(&queue->lock, flags);

	if (notify)
		plex86_ring_notify(&queue->ring);
	return err ? BLK_STS_IOERR : BLK_STS_OK;
}

static void halblk_commit_rqs(struct blk_mq_hw_ctx *hctx)
{
	struct halblk_queue *queue = hctx->driver_data;
	unsigned long flags;
	bool notify;

	spin_lock_irqsave(&queue->lock, flags);
	notify = plex86_ring_kick_prepare(&queue->ring);
	spin_unlock_irqrestore(&queue->lock, flags);
	if (notify)
		plex86_ring_notify(&queue->ring);
}

static int halblk_init_hctx(struct blk_mq_hw_ctx *hctx, void *data,
			    unsigned int number)
{
	struct halblk *blk = data;

	hctx->driver_data = &blk->queues[number];
	return 0;
}

static blk_status_t halblk_status(struct request *rq,
				  const struct plex86_result *result)
{
	switch (result->status) {
	case PLEX86_S_OK:
		break;
	case PLEX86_S_UNSUPPORTED:
		return BLK_STS_NOTSUPP;
	case PLEX86_S_NOSPACE:
		return BLK_STS_NOSPC;
	default:
		return BLK_STS_IOERR;
	}
	/* Less than all of it is nothing that the block layer could use. */
	if ((req_op(rq) == REQ_OP_READ || req_op(rq) == REQ_OP_WRITE) &&
	    result->bytes != blk_rq_bytes(rq))
		return BLK_STS_IOERR;
	return BLK_STS_OK;
}

/* With the queue's lock held. */
static void halblk_end(struct request *rq, blk_status_t status)
{
	struct halblk_request *hr = blk_mq_rq_to_pdu(rq);

	hr->status = status;
	blk_mq_complete_request(rq);
}

/* Called by halblk_end(), on one CPU at once: in its context. */
static void halblk_complete(struct request *rq)
{
	struct halblk_request *hr = blk_mq_rq_to_pdu(rq);

	blk_mq_end_request(rq, hr->status);
}

/*
 * Take what the device has completed, and ask to be told of the next.  Returns
 * true if the ring is broken.
 */
static bool halblk_reap(struct halblk_queue *queue)
{
	struct halblk *blk = queue->blk;
	struct plex86_result result;
	unsigned long flags;
	bool broken;

	spin_lock_irqsave(&queue->lock, flags);
	do {
		while (plex86_ring_get(&queue->ring, &result)) {
			queue->silent = 0;
			halblk_end(result.token,
				   halblk_status(result.token, &result));
		}
	} while (!plex86_ring_enable(&queue->ring, 0));
	broken = queue->ring.broken;
	spin_unlock_irqrestore(&queue->lock, flags);
	/* A reset may take its time. */
	if (broken && !halblk_stopped(blk))
		schedule_work(&blk->broken);
	return broken;
}

/* The device completes nothing any more, and touches no memory. */
static void halblk_give_up(struct halblk *blk)
{
	unsigned long flags;
	struct request *rq;
	unsigned int i;

	for (i = 0; i < blk->nr_queues; i++) {
		struct halblk_queue *queue = &blk->queues[i];

		spin_lock_irqsave(&queue->lock, flags);
		while ((rq = plex86_ring_take_back(&queue->ring)))
			halblk_end(rq, BLK_STS_IOERR);
		spin_unlock_irqrestore(&queue->lock, flags);
	}
}

/*
 * The device is of no more use: for requests that are there, and all later ones.
 * It is reset once.  Who comes second leaves the requests alone, too: the reset
 * may not be done yet.
 */
static void halblk_break(struct halblk *blk)
{
	if (test_and_set_bit(0, &blk->stopped))
		return;
	plex86_device_reset(blk->pdev);
	halblk_give_up(blk);
}

static void halblk_broken(struct work_struct *work)
{
	halblk_break(container_of(work, struct halblk, broken));
}

/*
 * A request was not answered for another @timeout jiffies: is it enough?  What
 * counts is that no request was.  It is counted by timeouts, once for all that
 * have passed meanwhile: a guest that was stopped for an hour has waited for one.
 *
 * Returns 0 if it is not, or for how many seconds there was no answer; then the
 * ring is broken.
 */
static unsigned long halblk_impatient(struct halblk_queue *queue, unsigned int timeout)
{
	unsigned long most = HZ * min_t(unsigned long, READ_ONCE(patience),
					ULONG_MAX / HZ);
	unsigned long flags, waited = 0;

	spin_lock_irqsave(&queue->lock, flags);
	if (!queue->silent ||
	    time_after_eq(jiffies, queue->counted + timeout)) {
		queue->silent += timeout;
		queue->counted = jiffies;
	}
	if (most && queue->silent >= most) {
		waited = queue->silent / HZ;
		queue->ring.broken = true;
	}
	spin_unlock_irqrestore(&queue->lock, flags);
	return waited;
}

static enum blk_eh_timer_return halblk_timeout(struct request *rq)
{
	struct halblk *blk = rq->q->queuedata;
	struct halblk_queue *queue = rq->mq_hctx->driver_data;
	bool broken = halblk_reap(queue);
	unsigned long waited;

	if (plex86_device_gone(blk->pdev)) {
		halblk_give_up(blk);
	} else if (broken) {
		halblk_break(blk);
	} else if (blk_mq_rq_state(rq) == MQ_RQ_IN_FLIGHT) {
		waited = halblk_impatient(queue, rq->timeout);
		if (waited) {
			dev_err(&blk->pdev->dev,
				"%s: sector %llu: no answer for %lu s; giving the disk up\n",
				blk->disk->disk_name,
				(unsigned long long)blk_rq_pos(rq), waited);
			halblk_break(blk);
		}
	}
	/* On one CPU it has ended at once, and is not even complete any more. */
	if (blk_mq_rq_state(rq) != MQ_RQ_IN_FLIGHT)
		return BLK_EH_DONE;

	dev_warn_ratelimited(&blk->pdev->dev,
			     "%s: sector %llu: no answer for %u s; waiting\n",
			     blk->disk->disk_name,
			     (unsigned long long)blk_rq_pos(rq),
			     rq->timeout / HZ);
	plex86_ring_notify(&queue->ring);
	return BLK_EH_RESET_TIMER;
}

static const struct blk_mq_ops halblk_mq_ops = {
	.queue_rq	= halblk_queue_rq,
	.commit_rqs	= halblk_commit_rqs,
	.init_hctx	= halblk_init_hctx,
	.complete	= halblk_complete,
	.timeout	= halblk_timeout,
};

static void halblk_interrupt(struct plex86_device *pdev)
{
	struct halblk *blk = plex86_get_drvdata(pdev);
	unsigned int i;

	for (i = 0; i < blk->nr_queues; i++)
		halblk_reap(&blk->queues[i]);
	if (plex86_device_gone(pdev))
		halblk_give_up(blk);
}

/*
 * The disk.
 */

static ssize_t serial_show(struct device *dev, struct device_attribute *attr,
			   char *buf)
{
	struct halblk *blk = dev_to_disk(dev)->private_data;

	return sysfs_emit(buf, "%s\n", blk->serial);
}
static DEVICE_ATTR_RO(serial);

static const char *const halblk_cache_types[] = {
	"write through", "write back",
};

static bool halblk_write_back(const struct halblk *blk)
{
	return plex86_has_feature(blk->pdev, PLEX86_BLK_F_FLUSH) && !blk->write_through;
}

static ssize_t cache_type_show(struct device *dev,
			       struct device_attribute *attr, char *buf)
{
	struct halblk *blk = dev_to_disk(dev)->private_data;

	return sysfs_emit(buf, "%s\n",
			  halblk_cache_types[halblk_write_back(blk)]);
}

/*
 * Without the device's help: write through is FUA with every write.  On the way
 * from one to the other both are in force, so that nothing is acknowledged by
 * neither.
 */
static int halblk_set_write_back(struct halblk *blk, bool back)
{
	int err;

	if (back == !blk->write_through)
		return 0;
	if (back) {
		err = plex86_disk_write_cache(blk->disk, true);
		if (!err)
			WRITE_ONCE(blk->write_through, false);
		return err;
	}
	WRITE_ONCE(blk->write_through, true);
	/* What was written without FUA before is for a flush. */
	blk_mq_freeze_queue(blk->disk->queue);
	blk_mq_unfreeze_queue(blk->disk->queue);
	err = blkdev_issue_flush(blk->disk->part0);
	if (!err)
		err = plex86_disk_write_cache(blk->disk, false);
	if (err)
		WRITE_ONCE(blk->write_through, false);
	return err;
}

static ssize_t cache_type_store(struct device *dev,
				struct device_attribute *attr, const char *buf,
				size_t count)
{
	struct halblk *blk = dev_to_disk(dev)->private_data;
	int back = sysfs_match_string(halblk_cache_types, buf);
	int err;

	if (back < 0)
		return back;
	if (!plex86_has_feature(blk->pdev, PLEX86_BLK_F_FLUSH))
		return back ? -EOPNOTSUPP : count;
	mutex_lock(&blk->cache_type);
	err = halblk_set_write_back(blk, back);
	mutex_unlock(&blk->cache_type);
	return err ?: count;
}
static DEVICE_ATTR_RW(cache_type);

static struct attribute *halblk_attrs[] = {
	&dev_attr_serial.attr,
	&dev_attr_cache_type.attr,
	NULL
};
ATTRIBUTE_GROUPS(halblk);

/* The last one who had it open is gone. */
static void halblk_free_disk(struct gendisk *disk)
{
	struct halblk *blk = disk->private_data;

	ida_free(&halblk_ida, blk->index);
	kfree(blk);
}

static const struct block_device_operations halblk_fops = {
	.owner		= THIS_MODULE,
	.free_disk	= halblk_free_disk,
};

/* a to z, aa to zz, aaa ...: a number with digits from 1 on. */
static void halblk_name(char *name, size_t bytes, unsigned int index)
{
	char letters[8];
	int at = sizeof(letters) - 1;

	letters[at] = 0;
	for (index++; index && at; index = (index - 1) / 26)
		letters[--at] = 'a' + (index - 1) % 26;
	snprintf(name, bytes, "hblk%s", letters + at);
}

/* What of the configuration a wrong host could hurt us with. */
static bool halblk_sound(const struct plex86_blk_config *config)
{
	return is_power_of_2(config->block_bytes) &&
	       config->block_bytes >= SECTOR_SIZE &&
	       config->block_bytes <= PAGE_SIZE &&
	       is_power_of_2(config->physical_bytes) &&
	       config->physical_bytes >= config->block_bytes &&
	       config->optimal_bytes % config->physical_bytes == 0 &&
	       config->request_bytes >= PAGE_SIZE &&
	       (!config->discard_bytes ||
		(is_power_of_2(config->discard_bytes) &&
		 config->discard_bytes >= config->block_bytes)) &&
	       config->sectors <= (u64)LLONG_MAX >> SECTOR_SHIFT;
}

static void halblk_limits(const struct halblk *blk,
			  const struct plex86_blk_config *config,
			  struct queue_limits *lim)
{
	u32 blocks = ~(config->block_bytes / SECTOR_SIZE - 1);

	memset(lim, 0, sizeof(*lim));
	lim->logical_block_size = config->block_bytes;
	lim->physical_block_size = config->physical_bytes;
	lim->io_min = config->physical_bytes;
	lim->io_opt = config->optimal_bytes;
	lim->max_hw_sectors = config->request_bytes / SECTOR_SIZE & blocks;
	lim->max_segment_size = UINT_MAX;
	lim->max_segments =
		min_t(u32, READ_ONCE(blk->pdev->page->segs), HALBLK_SEGS);
	if (!plex86_has_feature(blk->pdev, PLEX86_F_INDIRECT))
		lim->max_segments = min_t(u32, lim->max_segments,
					  PLEX86_INLINE_SEGS);
	if (plex86_has_feature(blk->pdev, PLEX86_BLK_F_DISCARD)) {
		lim->max_hw_discard_sectors = config->discard_sectors & blocks;
		lim->discard_granularity = max(config->discard_bytes,
					       config->block_bytes);
	}
	if (plex86_has_feature(blk->pdev, PLEX86_BLK_F_WRITE_ZEROES))
		lim->max_write_zeroes_sectors = config->zeroes_sectors & blocks;
}

static u64 halblk_capacity(const struct plex86_blk_config *config)
{
	return round_down(config->sectors,
			  (u64)config->block_bytes / SECTOR_SIZE);
}

static void halblk_config_changed(struct plex86_device *pdev)
{
	struct halblk *blk = plex86_get_drvdata(pdev);
	struct plex86_blk_config config;

	/* Of the rest nothing changes while the device is there. */
	if (!plex86_config_read(pdev, &config, sizeof(config)) &&
	    halblk_sound(&config))
		set_capacity_and_notify(blk->disk, halblk_capacity(&config));
}

static int halblk_init_rings(struct halblk *blk)
{
	unsigned int i;
	int err;

	for (i = 0; i < blk->nr_queues; i++) {
		spin_lock_init(&blk->queues[i].lock);
		blk->queues[i].blk = blk;
		err = plex86_ring_init(&blk->queues[i].ring, blk->pdev, i,
				       HALBLK_DEPTH);
		if (err)
			return err;
	}
	return 0;
}

/* The device was reset, or is gone. */
static void halblk_free_rings(struct halblk *blk)
{
	unsigned int i;

	for (i = 0; i < blk->nr_queues; i++)
		plex86_ring_free(&blk->queues[i].ring);
}

static int halblk_alloc_tags(struct halblk *blk, u32 segs)
{
	struct halblk_request *hr;

	blk->tags.ops = &halblk_mq_ops;
	blk->tags.nr_hw_queues = blk->nr_queues;
	blk->tags.queue_depth = blk->queues[0].ring.entries;
	blk->tags.numa_node = NUMA_NO_NODE;
	blk->tags.cmd_size = struct_size(hr, segs, segs);
	blk->tags.timeout = HALBLK_TIMEOUT;
	/* The host has a scheduler, which knows the disk. */
	blk->tags.flags = BLK_MQ_F_SHOULD_MERGE | BLK_MQ_F_NO_SCHED_BY_DEFAULT;
	blk->tags.driver_data = blk;
	return blk_mq_alloc_tag_set(&blk->tags);
}

static int halblk_alloc_disk(struct halblk *blk,
			     const struct plex86_blk_config *config)
{
	struct queue_limits lim;
	struct gendisk *disk;
	int err;

	halblk_limits(blk, config, &lim);
	if (!lim.max_segments)
		return -EINVAL;
	err = halblk_alloc_tags(blk, lim.max_segments);
	if (err)
		return err;
	disk = plex86_alloc_disk(&blk->tags, &lim, halblk_write_back(blk),
				 config->flags & PLEX86_BLK_ROTATIONAL, blk);
	if (IS_ERR(disk)) {
		blk_mq_free_tag_set(&blk->tags);
		return PTR_ERR(disk);
	}
	halblk_name(disk->disk_name, sizeof(disk->disk_name), blk->index);
	disk->fops = &halblk_fops;
	disk->private_data = blk;
	set_capacity(disk, halblk_capacity(config));
	if (config->flags & PLEX86_BLK_READ_ONLY)
		set_disk_ro(disk, true);
	blk->disk = disk;
	return 0;
}

static int halblk_probe(struct plex86_device *pdev)
{
	struct plex86_blk_config config;
	unsigned int nr_queues, i;
	struct halblk *blk;
	int err;

	err = plex86_config_read(pdev, &config, sizeof(config));
	if (err)
		return err;
	/* More than there are CPUs are of no use to blk-mq. */
	nr_queues = min(READ_ONCE(pdev->page->queues), nr_cpu_ids);
	if (!halblk_sound(&config) || !nr_queues)
		return -EINVAL;

	blk = kzalloc(struct_size(blk, queues, nr_queues), GFP_KERNEL);
	if (!blk)
		return -ENOMEM;
	blk->pdev = pdev;
	blk->nr_queues = nr_queues;
	mutex_init(&blk->cache_type);
	INIT_WORK(&blk->broken, halblk_broken);
	memcpy(blk->serial, config.serial, sizeof(config.serial));
	blk->index = ida_alloc(&halblk_ida, GFP_KERNEL);
	if (blk->index < 0) {
		err = blk->index;
		goto fail_free;
	}
	err = halblk_init_rings(blk);
	if (!err)
		err = halblk_alloc_disk(blk, &config);
	if (err)
		goto fail_rings;

	plex86_set_drvdata(pdev, blk);
	plex86_device_ready(pdev);
	for (i = 0; i < nr_queues; i++)
		halblk_reap(&blk->queues[i]);
	err = device_add_disk(&pdev->dev, blk->disk, halblk_groups);
	if (!err)
		return 0;

	/* Of one that was not added this needs the tags, and does not free blk. */
	put_disk(blk->disk);
	blk_mq_free_tag_set(&blk->tags);
fail_rings:
	plex86_device_reset(pdev);
	cancel_work_sync(&blk->broken);
	halblk_free_rings(blk);
	ida_free(&halblk_ida, blk->index);
fail_free:
	kfree(blk);
	return err;
}

static void halblk_remove(struct plex86_device *pdev)
{
	struct halblk *blk = plex86_get_drvdata(pdev);

	/* Nobody waits for a disk that is gone to take what was written. */
	if (plex86_device_gone(pdev)) {
		blk_mark_disk_dead(blk->disk);
		halblk_give_up(blk);
	}
	del_gendisk(blk->disk);
	plex86_device_reset(pdev);
	cancel_work_sync(&blk->broken);
	halblk_give_up(blk);
	halblk_free_rings(blk);
	blk_mq_free_tag_set(&blk->tags);
	put_disk(blk->disk);
}

static struct plex86_driver halblk_driver = {
	.driver.name	= "halblk",
	.type		= PLEX86_DEV_BLOCK,
	.features	= PLEX86_F_INDIRECT | PLEX86_BLK_F_FLUSH |
			  PLEX86_BLK_F_DISCARD | PLEX86_BLK_F_WRITE_ZEROES,
	.probe		= halblk_probe,
	.remove		= halblk_remove,
	.interrupt	= halblk_interrupt,
	.config_changed	= halblk_config_changed,
};

static int __init halblk_init(void)
{
	return plex86_driver_register(&halblk_driver);
}
device_initcall(halblk_init);
