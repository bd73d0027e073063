/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A VM's devices as the launcher has them: a table of back ends, each with a
 * device page and queues; see device.c.
 */
#ifndef LAUNCHER_DEVICE_H
#define LAUNCHER_DEVICE_H

#include <poll.h>
#include <stddef.h>

#include "queue.h"

struct device;
struct vm_context;

/* What the launcher waits for, filled in anew before each poll(). */
struct waits {
	struct pollfd *fds;
	u32 count, room;
	u64 until_ns;		/* CLOCK_MONOTONIC; WAITS_FOREVER: no end */
};

#define WAITS_FOREVER	(~0ull)
#define WAITS_NOTHING	(~0u)	/* no index of fds */

/*
 * A kind of back end.  None of these may wait for anything.  Only start, work
 * and close must be there; what has no reset can always go.
 */
struct device_ops {
	u32 type;		/* PLEX86_DEV_* */

	/*
	 * A boot begins: fill in the device page but for magic and type, the
	 * configuration too.  Nothing is known of the guest yet.
	 */
	void (*start)(struct device *dev, struct plex86_dev *page);

	/*
	 * The guest resets the device, or it is to go.  Returns true when the
	 * back end touches no memory of the guest's any more; until then it is
	 * asked again, and takes no new request.
	 */
	bool (*reset)(struct device *dev);

	/* Add what is to be waited for: waits_fd(), waits_until(). */
	void (*wait)(struct device *dev, struct waits *waits);

	/* Do what can be done; @waits has what came. */
	void (*work)(struct device *dev, const struct waits *waits);

	/*
	 * The guest has ended: go on with what it left in the queues.  Returns
	 * true while there is some.
	 */
	bool (*drain)(struct device *dev);

	/* Its size may be another: look.  Returns 0 or an errno. */
	int (*resize)(struct device *dev);

	void (*close)(struct device *dev);
};

/* Part of each back end's own structure. */
struct device {
	const struct device_ops *ops;
	char name[16];
	struct vm_context *ctx;	/* NULL: no boot has had it */
	u32 number;		/* of its device page */
	bool resetting;		/* ops->reset() was asked, and is not through */
	bool removing;		/* it is to go as soon as that is through */
	u32 receives;		/* a bit for each queue that waits for what comes in */
	struct memory_holder holder;
	struct queue queue[QUEUES_MAX];
};

/* The table; a device's number is its index.  NULL: it was removed. */
struct devices {
	struct device *device[PLEX86_MAX_DEVICES];
	u32 count;
};

#define device_of(dev, type, member) \
	((type *)(void *)((u8 *)(dev) - offsetof(type, member)))

void waits_begin(struct waits *waits);
u32 waits_fd(struct waits *waits, int fd, short events);
void waits_until(struct waits *waits, u64 ns);
int waits_poll(struct waits *waits);
bool waits_more(const struct waits *waits);
short waits_came(const struct waits *waits, u32 index);

int devices_add(struct devices *devices, struct device *dev,
		const struct device_ops *ops, const char *name);
struct device *devices_find(struct devices *devices, const char *name);
void devices_start(struct vm_context *ctx);
void devices_reset(struct vm_context *ctx);
void devices_wait(struct vm_context *ctx, struct waits *waits);
void devices_work(struct vm_context *ctx, const struct waits *waits);
void devices_stop(struct vm_context *ctx);
bool devices_pending(struct vm_context *ctx);
bool devices_drain(struct vm_context *ctx);
void devices_close(struct vm_context *ctx);

void device_remove(struct device *dev);
struct plex86_dev *device_page(struct device *dev);
void device_offer(struct plex86_dev *page, u64 features);
u64 device_accepted(const struct plex86_dev *page);
void device_tell(struct device *dev);
void device_configure(struct device *dev, const void *config, u32 bytes);

#endif
