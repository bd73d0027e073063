// SPDX-License-Identifier: GPL-2.0
/*
 * A launcher that was taken over: it attempts what it must not be able to when a
 * client of --control names the device "try:NUMBER:PID", or "ring"; or asks its
 * keepers for what they must not do: "open:FLAGS:FILE", or "sockets".
 */
#include "launcher.h"
#include "taken.h"

#include <fcntl.h>
#include <liburing.h>
#include <string.h>

struct device *__real_devices_find(struct devices *devices, const char *name);
struct device *__wrap_devices_find(struct devices *devices, const char *name);
int __real_io_uring_submit(struct io_uring *ring);
int __wrap_io_uring_submit(struct io_uring *ring);

static bool ring_wanted;

struct device *__wrap_devices_find(struct devices *devices, const char *name)
{
	unsigned int number, victim;
	int flags, at = 0;

	if (!strcmp(name, "ring"))
		ring_wanted = true;
	if (!strcmp(name, "sockets"))
		keeper_sockets_made();
	if (sscanf(name, "open:%d:%n", &flags, &at) == 1 && at)
		complain("open: %d", keeper_open(name + at, flags));
	if (sscanf(name, "try:%u:%u", &number, &victim) != 2)
		return __real_devices_find(devices, name);
	if (attempt_name(number))
		complain("%s: %ld", attempt_name(number), attempt(number, victim));
	else
		complain("no more");
	return NULL;
}

/* Has the ring open a file in place of the request that was put in last. */
int __wrap_io_uring_submit(struct io_uring *ring)
{
	struct io_uring_sqe *sqe = &ring->sq.sqes[(ring->sq.sqe_tail - 1) &
						  *ring->sq.kring_mask];
	struct io_uring_cqe *cqe;
	int ret;

	if (!ring_wanted)
		return __real_io_uring_submit(ring);
	ring_wanted = false;
	sqe->opcode = IORING_OP_OPENAT;
	sqe->fd = AT_FDCWD;
	sqe->flags = 0;
	sqe->addr = (u64)"victim";
	sqe->len = 0;
	sqe->open_flags = O_RDONLY;
	sqe->off = 0;
	ret = __real_io_uring_submit(ring);
	if (!io_uring_wait_cqe(ring, &cqe))
		complain("ring: %d", cqe->res);
	return ret;
}
