// SPDX-License-Identifier: GPL-2.0
/*
 * The table of devices: what every back end needs alike.  It places them on
 * device pages, describes their queues, has them reset when the guest wants it,
 * gathers what they wait for, gives them their turns, and tells the guest of
 * completions.
 */
#include "device.h"
#include "launcher.h"

#include <errno.h>
#include <string.h>
#include <time.h>

/* waits_begin() - wait for nothing, for ever */
void waits_begin(struct waits *waits)
{
	waits->count = 0;
	waits->until_ns = WAITS_FOREVER;
}

/*
 * waits_fd() - wait for @events of @fd
 *
 * Returns what waits_came() wants to know.  Where memory is short that is
 * WAITS_NOTHING, and the wait is a short one instead.
 */
u32 waits_fd(struct waits *waits, int fd, short events)
{
	if (waits->count == waits->room) {
		u32 room = waits->room ? waits->room * 2 : 64;
		void *fds = realloc(waits->fds, room * sizeof(*waits->fds));

		if (!fds) {
			waits_until(waits, now_ns() + 10000000);
			return WAITS_NOTHING;
		}
		waits->fds = fds;
		waits->room = room;
	}
	waits->fds[waits->count] = (struct pollfd){ .fd = fd, .events = events };
	return waits->count++;
}

/* waits_until() - wait no longer than until @ns, CLOCK_MONOTONIC */
void waits_until(struct waits *waits, u64 ns)
{
	if (ns < waits->until_ns)
		waits->until_ns = ns;
}

/* waits_poll() - wait; 0, or -1 with errno */
int waits_poll(struct waits *waits)
{
	u64 now = now_ns(), left = 0;
	struct timespec ts;

	if (waits->until_ns > now)
		left = waits->until_ns - now;
	ts.tv_sec = (time_t)(left / 1000000000);
	ts.tv_nsec = (long)(left % 1000000000);
	if (ppoll(waits->fds, waits->count,
		  waits->until_ns == WAITS_FOREVER ? NULL : &ts, NULL) < 0 &&
	    errno != EINTR)
		return -1;
	return 0;
}

/* waits_more() - has something come by now, and is not taken? */
bool waits_more(const struct waits *waits)
{
	return poll(waits->fds, waits->count, 0) > 0;
}

/* waits_came() - the events that came of waits_fd()'s @index; 0: none */
short waits_came(const struct waits *waits, u32 index)
{
	return index < waits->count ? waits->fds[index].revents : 0;
}

/* device_page() - the device page of @dev, in this boot */
struct plex86_dev *device_page(struct device *dev)
{
	return (void *)dev->ctx->state->device_page[dev->number];
}

/* device_offer() - the features of the type that the guest may accept */
void device_offer(struct plex86_dev *page, u64 features)
{
	page->features[1] = (u32)(features >> 32);
}

/* device_accepted() - those that it says it has accepted, offered or not */
u64 device_accepted(const struct plex86_dev *page)
{
	return (u64)__atomic_load_n(&page->accepted[1], __ATOMIC_RELAXED) << 32;
}

/* device_tell() - interrupt the guest, if it asked to be for what was completed */
void device_tell(struct device *dev)
{
	bool tell = false;
	u32 n;

	for (n = 0; n < QUEUES_MAX; n++)
		tell |= queue_wants_interrupt(&dev->queue[n]);
	if (tell)
		vm_device_interrupt(dev->ctx, dev->number);
}

/*
 * device_configure() - change the configuration of @dev, and tell the guest
 * @config, @bytes: all of it
 */
void device_configure(struct device *dev, const void *config, u32 bytes)
{
	struct plex86_dev *page = device_page(dev);

	__atomic_add_fetch(&page->generation, 1, __ATOMIC_SEQ_CST);
	memcpy((u8 *)page + PLEX86_DEV_CONFIG, config, bytes);
	__atomic_add_fetch(&page->generation, 1, __ATOMIC_SEQ_CST);
	if (dev->ctx->spaces[0])
		vm_device_interrupt(dev->ctx, dev->number);
}

/* Forgets what was known of the queues. */
static void init_queues(struct device *dev)
{
	struct state *state = dev->ctx->state;
	const struct plex86_dev *page = device_page(dev);
	u32 n;

	for (n = 0; n < QUEUES_MAX; n++) {
		struct queue *q = &dev->queue[n];

		queue_detach(q);
		queue_init(q, &state->queues[dev->number * QUEUES_MAX + n], page,
			   (u8 *)RAM_BASE, dev->ctx->options.mem_bytes,
			   page->segs);
		q->holder = &dev->holder;
	}
}

/*
 * devices_add() - put @dev into the table, as the next device
 * @name: what the user knows it by
 *
 * Returns 0, or -1 after saying that the table is full.
 */
int devices_add(struct devices *devices, struct device *dev,
		const struct device_ops *ops, const char *name)
{
	if (devices->count == PLEX86_MAX_DEVICES) {
		complain("too many devices; a guest has %u at most",
			 PLEX86_MAX_DEVICES);
		return -1;
	}
	dev->ops = ops;
	snprintf(dev->name, sizeof(dev->name), "%s", name);
	dev->number = devices->count;
	devices->device[devices->count++] = dev;
	return 0;
}

/* devices_find() - the device of that name, or NULL */
struct device *devices_find(struct devices *devices, const char *name)
{
	u32 i;

	for (i = 0; i < devices->count; i++)
		if (devices->device[i] && !strcmp(devices->device[i]->name, name))
			return devices->device[i];
	return NULL;
}

/* devices_start() - give all of them to a new boot */
void devices_start(struct vm_context *ctx)
{
	struct state *state = ctx->state;
	u32 i, n;

	for (i = 0; i < ctx->devices.count; i++) {
		struct device *dev = ctx->devices.device[i];
		struct plex86_dev *page;

		if (!dev)
			continue;
		dev->ctx = ctx;
		dev->resetting = false;
		dev->holder = (struct memory_holder){ vm_hold, vm_release, ctx };
		page = device_page(dev);
		page->type = dev->ops->type;
		page->features[0] = PLEX86_F_INDIRECT;
		dev->ops->start(dev, page);
		/* Those of an earlier boot are gone with its memory. */
		for (n = 0; n < QUEUES_MAX; n++)
			dev->queue[n].entries = 0;
		init_queues(dev);
		page->magic = PLEX86_DEV_MAGIC;
		state->vm.devices[i] = page;
	}
}

/* device_remove() - take @dev from the guest, as soon as it is at rest */
void device_remove(struct device *dev)
{
	dev->removing = true;
}

/* The back end of @dev is at rest: it goes, and the guest is told. */
static void drop(struct vm_context *ctx, struct device *dev)
{
	struct plex86_dev *page = device_page(dev);
	u32 n, number = dev->number;

	for (n = 0; n < QUEUES_MAX; n++)
		queue_detach(&dev->queue[n]);
	ctx->devices.device[number] = NULL;
	dev->ops->close(dev);
	__atomic_or_fetch(&page->status, PLEX86_DEV_GONE, __ATOMIC_SEQ_CST);
	vm_device_interrupt(ctx, number);
}

static bool at_rest(struct device *dev)
{
	dev->resetting = dev->ops->reset && !dev->ops->reset(dev);
	return !dev->resetting;
}

/* devices_reset() - do the resets that the guest asked for, and the removals */
void devices_reset(struct vm_context *ctx)
{
	struct state *state = ctx->state;
	u32 i, n, wanted;

	for (i = 0; i < ctx->devices.count; i++) {
		struct device *dev = ctx->devices.device[i];

		wanted = __atomic_load_n(&state->reset_wanted[i],
					 __ATOMIC_SEQ_CST);
		if (dev && (dev->removing || state->reset_done[i] != wanted) &&
		    !at_rest(dev))
			continue;
		if (dev && dev->removing) {
			drop(ctx, dev);
		} else if (state->reset_done[i] == wanted) {
			continue;
		} else if (dev) {
			for (n = 0; n < QUEUES_MAX; n++)
				__atomic_store_n(&state->queues[i * QUEUES_MAX + n].ready,
						 0, __ATOMIC_SEQ_CST);
			init_queues(dev);
		}
		__atomic_store_n(&state->reset_done[i], wanted,
				 __ATOMIC_SEQ_CST);
	}
}

/* devices_wait() - add to @waits what the devices wait for */
void devices_wait(struct vm_context *ctx, struct waits *waits)
{
	u32 i, n;

	for (i = 0; i < ctx->devices.count; i++) {
		struct device *dev = ctx->devices.device[i];

		if (!dev)
			continue;
		if (dev->ops->wait)
			dev->ops->wait(dev, waits);
		/* At work it came to rest, or found that it is to go. */
		if (dev->resetting ? at_rest(dev) : dev->removing)
			waits_until(waits, 0);
		for (n = 0; n < QUEUES_MAX && !dev->resetting; n++)
			if (queue_unfinished(&dev->queue[n]))
				waits_until(waits, 0);
	}
}

/* devices_work() - give each its turn, and tell the guest of what was done */
void devices_work(struct vm_context *ctx, const struct waits *waits)
{
	u32 i;

	for (i = 0; i < ctx->devices.count; i++) {
		struct device *dev = ctx->devices.device[i];

		if (!dev)
			continue;
		dev->ops->work(dev, waits);
		device_tell(dev);
	}
}

/*
 * devices_pending() - has the guest made a request that nobody has taken?
 *
 * A buffer to receive into is none: it may lie there until something comes.
 */
bool devices_pending(struct vm_context *ctx)
{
	u32 i, n;

	for (i = 0; i < ctx->devices.count; i++) {
		const struct device *dev = ctx->devices.device[i];

		for (n = 0; dev && n < QUEUES_MAX; n++)
			if (!(dev->receives & 1u << n) &&
			    queue_pending(&dev->queue[n]))
				return true;
	}
	return false;
}

/* devices_drain() - the guest has ended: is there something left to be done? */
bool devices_drain(struct vm_context *ctx)
{
	bool left = false;
	u32 i;

	for (i = 0; i < ctx->devices.count; i++) {
		struct device *dev = ctx->devices.device[i];

		if (dev && dev->ops->drain)
			left |= dev->ops->drain(dev);
	}
	return left;
}

/*
 * devices_stop() - the boot is over: return when no back end touches the
 * guest's memory any more
 *
 * If the user quits, those that can do not wait for what is under way.
 */
void devices_stop(struct vm_context *ctx)
{
	struct waits *waits = &ctx->waits;
	u32 i;

	for (i = 0; i < ctx->devices.count; i++) {
		struct device *dev = ctx->devices.device[i];

		while (dev && dev->ops->reset && !dev->ops->reset(dev)) {
			u32 signals;

			waits_begin(waits);
			signals = waits_fd(waits, ctx->signal_fd, POLLIN);
			dev->ops->wait(dev, waits);
			waits_poll(waits);
			if (waits_came(waits, signals))
				vm_signals(ctx);
			dev->ops->work(dev, waits);
		}
	}
}

/* devices_close() - let go of all of them */
void devices_close(struct vm_context *ctx)
{
	while (ctx->devices.count) {
		struct device *dev =
			ctx->devices.device[--ctx->devices.count];

		if (dev)
			dev->ops->close(dev);
	}
}
