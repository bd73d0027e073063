// SPDX-License-Identifier: GPL-2.0
/*
 * halcon's back end, launcher/console.c, between a hostile guest and a terminal
 * that types anything, takes what it likes, fails and changes its size.
 */
#include "ring.h"

#include <errno.h>
#include <sanitizer/asan_interface.h>
#include <stdarg.h>
#include <sys/ioctl.h>
#include <unistd.h>

static u8 typed;		/* bytes that can be read; 0: there is an end */
static u8 room;			/* what a write takes; 0: it fails */
static u16 size;
static bool raw;

int terminal_raw(int fd)
{
	(void)fd;
	return raw ? 0 : -1;
}

void terminal_restore(void)
{
}

/* The terminal's side of what the console calls; of no others. */
ssize_t __real_read(int fd, void *to, size_t bytes);
ssize_t __real_write(int fd, const void *from, size_t bytes);
ssize_t __wrap_read(int fd, void *to, size_t bytes);
ssize_t __wrap_write(int fd, const void *from, size_t bytes);
int __wrap_ioctl(int fd, unsigned long request, ...);
int __wrap_poll(struct pollfd *fds, nfds_t n, int timeout);
int __wrap_isatty(int fd);

ssize_t __wrap_read(int fd, void *to, size_t bytes)
{
	if (!ring_turn)
		return __real_read(fd, to, bytes);
	ring_interlude();
	if (bytes > typed)
		bytes = typed;
	take(&ring_input, to, bytes);
	return (ssize_t)bytes;
}

ssize_t __wrap_write(int fd, const void *from, size_t bytes)
{
	if (!ring_turn)
		return __real_write(fd, from, bytes);
	ring_interlude();
	CHECK("bytes to write", !__asan_region_is_poisoned((void *)(uintptr_t)from, bytes));
	if (room)
		return (ssize_t)(bytes < room ? bytes : room);
	errno = typed & 1 ? EAGAIN : EIO;
	return -1;
}

int __wrap_ioctl(int fd, unsigned long request, ...)
{
	struct winsize *to;
	va_list args;

	(void)fd;
	va_start(args, request);
	to = va_arg(args, struct winsize *);
	va_end(args);
	if (request != TIOCGWINSZ || !size)
		return -1;
	*to = (struct winsize){ .ws_row = size, .ws_col = size };
	return 0;
}

int __wrap_poll(struct pollfd *fds, nfds_t n, int timeout)
{
	(void)timeout;
	fds->revents = POLLOUT;
	return n && typed != 0xff;
}

int __wrap_isatty(int fd)
{
	(void)fd;
	return 0;
}

static void event(void)
{
	struct state *state = ring_vm.state;

	typed = take8(&ring_input);
	room = take8(&ring_input);
	size = take8(&ring_input);
	/* What the kernel says early: the monitor's indices, not to be trusted. */
	state->early_prod += take8(&ring_input);
	if (size == 0xee)
		state->early_prod = take32(&ring_input);
	console_resize(ring_vm.devices.device[0]);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t bytes)
{
	struct options options = { .console = "stdio" };
	struct device *console;

	ring_begin(data, bytes);
	typed = 1;
	room = 255;
	size = 0;
	raw = take8(&ring_input) & 1;
	console = console_add(&ring_vm.devices, &options);
	CHECK("console", console);
	ring_run(console, event);
	devices_close(&ring_vm);
	ring_end();
	return 0;
}
