// SPDX-License-Identifier: GPL-2.0
/*
 * halcon's back end: the guest's console on this terminal, on a pseudo-terminal
 * or in a file.  Owns the descriptors, the escape key and what was typed but
 * not yet taken by the guest.
 */
#include "launcher.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#define INPUT_BYTES	65536u		/* a power of two */
#define QUEUE_ENTRIES	256u
#define SEGS		16u
/* A pipe that polls writable takes this much without blocking. */
#define WRITE_BYTES	4096u
#define TURN_WRITES	64u		/* before others have their turn */
#define ESCAPE		0x01		/* Ctrl-A */

static const char escape_help[] =
	"\r\n"
	"Ctrl-A x  quit: the guest is stopped at once\r\n"
	"Ctrl-A b  send a break (then a key: magic SysRq)\r\n"
	"Ctrl-A a  send Ctrl-A to the guest\r\n"
	"Ctrl-A h  this help\r\n";

struct console {
	int in, out;		/* in: -1 where there is no input */
	int slave;		/* of the pty, held open */
	int reads;		/* inotify: there was a read from it */
	bool terminal;		/* this terminal, with the escape key */
	bool escaped;		/* the last key was the escape */
	bool broken;		/* output failed; it is thrown away */
	bool blocked;		/* output waits for the descriptor */
	bool begun;		/* a boot has had it */
	u32 writes;		/* that this turn may still make */

	struct device device;
	struct queue *rx, *tx;
	u32 in_wait;		/* waits_fd() of @in */

	u8 input[INPUT_BYTES];
	u32 in_prod, in_cons;
	bool send_break;	/* before input byte number break_at */
	u32 break_at;

	struct request out_req;	/* being written */
	bool out_busy;
	u32 out_seg;
	size_t out_done;	/* bytes of that segment */

	struct request in_req;
};

/*
 * Standard output.  A terminal that polls writable may have room for one byte,
 * and waits with the others: so it is written by an open file of our own that
 * does not wait.  The one we were given is the shell's, too, and stays as it is.
 */
static int open_output(void)
{
	int fd = -1;

	if (isatty(STDOUT_FILENO))
		fd = open("/proc/self/fd/1",
			  O_WRONLY | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);
	return fd < 0 ? STDOUT_FILENO : fd;
}

static int open_pty(struct console *con)
{
	struct termios raw;
	const char *name = NULL;

	con->in = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);
	if (con->in >= 0 && !grantpt(con->in) && !unlockpt(con->in))
		name = ptsname(con->in);
	if (!name) {
		complain("--console pty: %s", strerror(errno));
		return -1;
	}
	con->out = con->in;
	/* Held open, the other end may come and go without a hang-up. */
	con->slave = open(name, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (con->slave < 0 || tcgetattr(con->slave, &raw)) {
		complain("--console pty: %s: %s", name, strerror(errno));
		return -1;
	}
	cfmakeraw(&raw);
	tcsetattr(con->slave, TCSANOW, &raw);
	con->reads = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	if (con->reads < 0 ||
	    inotify_add_watch(con->reads, name, IN_ACCESS) < 0) {
		complain("--console pty: inotify: %s", strerror(errno));
		return -1;
	}
	fprintf(stderr, "plex86: the guest's console is on %s\n", name);
	return 0;
}

/* Opens what --console named; NULL after saying what is wrong. */
static struct console *console_open(const struct options *options)
{
	struct console *con = calloc(1, sizeof(*con));
	const char *why = "it cannot be waited for";

	if (!con) {
		complain("out of memory");
		return NULL;
	}
	con->in = -1;
	con->slave = -1;
	if (!strcmp(options->console, "stdio")) {
		con->in = STDIN_FILENO;
		con->out = open_output();
		return con;
	}
	if (!strcmp(options->console, "pty")) {
		if (!open_pty(con))
			return con;
	} else {
		con->out = file_create(options->console, &why);
		if (con->out >= 0 &&
		    (isatty(con->out) || !fcntl(con->out, F_SETFL, 0)))
			return con;
		complain("--console: %s: %s", options->console, why);
	}
	free(con);
	return NULL;
}

/*
 * The first boot: all that could be wrong was found to be right, so what the
 * file held may go, and the terminal be the guest's.
 */
static void begin(struct console *con)
{
	con->begun = true;
	if (con->slave >= 0)
		return;
	if (con->in >= 0)
		con->terminal = !terminal_raw(con->in);
	else if (ftruncate(con->out, 0) && errno != EINVAL)
		complain("console: what the file held is still there: %s",
			 strerror(errno));
}

static void console_start(struct device *dev, struct plex86_dev *page)
{
	struct console *con = device_of(dev, struct console, device);
	struct winsize size;
	struct plex86_con_config config = { 0 };

	if (!ioctl(con->out, TIOCGWINSZ, &size)) {
		config.rows = size.ws_row;
		config.cols = size.ws_col;
	}
	if (!con->begun)
		begin(con);
	con->out_busy = false;
	page->queues = 2;
	page->queue_entries = QUEUE_ENTRIES;
	page->segs = SEGS;
	page->config_bytes = sizeof(config);
	memcpy((u8 *)page + PLEX86_DEV_CONFIG, &config, sizeof(config));
}

/* What was being written is nobody's any more. */
static bool console_reset(struct device *dev)
{
	device_of(dev, struct console, device)->out_busy = false;
	return true;
}

/* The terminal's size may have changed: tell the guest. */
static void resize(struct console *con)
{
	struct plex86_con_config config;
	struct winsize size;

	if (!con->device.ctx || ioctl(con->out, TIOCGWINSZ, &size))
		return;
	memcpy(&config, (u8 *)device_page(&con->device) + PLEX86_DEV_CONFIG,
	       sizeof(config));
	if (config.rows == size.ws_row && config.cols == size.ws_col)
		return;
	config.rows = size.ws_row;
	config.cols = size.ws_col;
	device_configure(&con->device, &config, sizeof(config));
}

/* console_resize() - the size of the terminal of @dev, a console, may be another */
void console_resize(struct device *dev)
{
	resize(device_of(dev, struct console, device));
}

static void type(struct console *con, u8 byte)
{
	con->input[con->in_prod++ % INPUT_BYTES] = byte;
}

/* A key of this terminal: the escape and what follows it stay here. */
static void key(struct console *con, u8 byte)
{
	if (!con->escaped) {
		if (byte == ESCAPE)
			con->escaped = true;
		else
			type(con, byte);
		return;
	}
	con->escaped = false;
	switch (byte) {
	case 'x':
	case 'X':
		con->device.ctx->quit = true;
		complain("quit");
		break;
	case 'b':
	case 'B':
		con->send_break = true;
		con->break_at = con->in_prod;
		break;
	case 'a':
	case ESCAPE:
		type(con, ESCAPE);
		break;
	default:
		if (write(con->out, escape_help, sizeof(escape_help) - 1) < 0 &&
		    errno != EAGAIN)
			con->broken = true;
	}
}

static u32 input_room(const struct console *con)
{
	return INPUT_BYTES - (con->in_prod - con->in_cons);
}

/* Is this terminal no more?  Then nobody can reach the guest. */
static bool hung_up(const struct console *con)
{
	struct termios now;

	return con->terminal && tcgetattr(con->in, &now) && errno == EIO;
}

static void read_input(struct console *con)
{
	u8 buf[4096];
	u32 room = input_room(con);
	ssize_t n, i;

	if (room > sizeof(buf))
		room = sizeof(buf);
	n = read(con->in, buf, room);
	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return;
	if (n <= 0 && hung_up(con)) {
		con->in = -1;
		raise(SIGHUP);	/* which the kernel sends its session's leader only */
		return;
	}
	if (n < 0 && errno == EIO)
		return;
	if (n <= 0) {
		con->in = -1;		/* end of input; the guest goes on */
		return;
	}
	for (i = 0; i < n; i++) {
		if (con->terminal)
			key(con, buf[i]);
		else
			type(con, buf[i]);
	}
	if (con->slave >= 0)
		resize(con);	/* a pty's size changes without notice */
}

/* Hands typed bytes to the guest's buffers. */
static void give_input(struct console *con)
{
	if (!queue_attach(con->rx))
		return;
	while ((con->in_prod != con->in_cons || con->send_break) &&
	       queue_next(con->rx, &con->in_req)) {
		struct request *req = &con->in_req;
		u32 seg, bytes = 0, end = con->in_prod;
		u16 flags = 0;

		if (req->op != PLEX86_CON_OP_RX || req->flags) {
			queue_complete(con->rx, req->id, PLEX86_S_UNSUPPORTED,
				       0, 0);
			continue;
		}
		if (!queue_hold(con->rx, req))
			return;
		if (con->send_break && con->break_at == con->in_cons) {
			flags = PLEX86_CON_COMP_BREAK;
			con->send_break = false;
		} else if (con->send_break) {
			end = con->break_at;	/* what came before it first */
		}
		for (seg = 0; seg < req->segs; seg++) {
			u8 *to = req->seg[seg].iov_base;
			size_t i;

			for (i = 0; i < req->seg[seg].iov_len &&
			     con->in_cons != end; i++, bytes++)
				to[i] = con->input[con->in_cons++ % INPUT_BYTES];
		}
		queue_release(con->rx, req);
		queue_complete(con->rx, req->id, PLEX86_S_OK, flags, bytes);
	}
}

/*
 * Writes at most WRITE_BYTES.  Returns the number of bytes taken; 0: the
 * descriptor is not ready.
 */
static size_t put(struct console *con, const u8 *from, size_t bytes)
{
	struct pollfd fd = { .fd = con->out, .events = POLLOUT };
	ssize_t n;

	if (con->broken)
		return bytes;
	if (bytes > WRITE_BYTES)
		bytes = WRITE_BYTES;
	if (!con->writes || poll(&fd, 1, 0) <= 0)
		return 0;
	con->writes--;
	n = write(con->out, from, bytes);
	if (n >= 0)
		return (size_t)n;
	if (errno == EINTR || errno == EAGAIN)
		return 0;
	con->broken = true;
	complain("console: %s; the guest's output is lost from here on",
		 strerror(errno));
	return bytes;
}

/* What the kernel says before halcon is up. */
static bool write_early(struct console *con)
{
	struct state *state = con->device.ctx->state;

	for (;;) {
		u32 cons = state->early_cons;
		u32 prod = __atomic_load_n(&state->early_prod, __ATOMIC_ACQUIRE);
		u32 at = cons % EARLY_BYTES, bytes = prod - cons;
		size_t n;

		if (!bytes)
			return true;
		if (bytes > EARLY_BYTES)
			bytes = EARLY_BYTES;
		if (bytes > EARLY_BYTES - at)
			bytes = EARLY_BYTES - at;
		n = put(con, state->early + at, bytes);
		if (!n)
			return false;
		__atomic_store_n(&state->early_cons, cons + (u32)n,
				 __ATOMIC_RELEASE);
	}
}

/*
 * Writes what the guest submitted; false if the descriptor would block, or the
 * turn is over.
 */
static bool write_output(struct console *con)
{
	struct request *req = &con->out_req;

	con->writes = TURN_WRITES;
	if (!write_early(con))
		return false;
	if (!queue_attach(con->tx))
		return true;
	for (;;) {
		if (!con->out_busy) {
			if (!queue_next(con->tx, req))
				return true;
			if (req->op != PLEX86_CON_OP_TX || req->flags) {
				queue_complete(con->tx, req->id,
					       PLEX86_S_UNSUPPORTED, 0, 0);
				continue;
			}
			con->out_busy = true;
			con->out_seg = 0;
			con->out_done = 0;
		}
		while (con->out_seg < req->segs) {
			const struct iovec *seg = &req->seg[con->out_seg];
			size_t n;

			if (con->out_done == seg->iov_len) {
				con->out_seg++;
				con->out_done = 0;
				continue;
			}
			n = put(con, (u8 *)seg->iov_base + con->out_done,
				seg->iov_len - con->out_done);
			if (!n)
				return false;
			con->out_done += n;
		}
		con->out_busy = false;
		queue_complete(con->tx, req->id,
			       con->broken ? PLEX86_S_IOERR : PLEX86_S_OK, 0,
			       req->bytes);
	}
}

static void console_wait(struct device *dev, struct waits *waits)
{
	struct console *con = device_of(dev, struct console, device);

	con->in_wait = WAITS_NOTHING;
	if (con->in >= 0 && input_room(con))
		con->in_wait = waits_fd(waits, con->in, POLLIN);
	if (con->blocked)
		waits_fd(waits, con->out, POLLOUT);
}

static void console_work(struct device *dev, const struct waits *waits)
{
	struct console *con = device_of(dev, struct console, device);

	if (waits_came(waits, con->in_wait))
		read_input(con);
	con->blocked = !write_output(con);
	give_input(con);
}

static bool console_drain(struct device *dev)
{
	struct console *con = device_of(dev, struct console, device);

	con->blocked = !write_output(con);
	return con->blocked;
}

/* Has somebody read from the pseudo-terminal since this was last asked? */
static bool was_read(const struct console *con)
{
	struct inotify_event event;

	return read(con->reads, &event, sizeof(event)) > 0;
}

/*
 * Closing a pseudo-terminal throws away what its reader has not yet taken: give
 * one that is there the time to, a second from the last read.  FIONREAD counts
 * only what the kernel has moved to where it is read from, and stays the same
 * where that is filled up again; poll(2) has it move the rest.  A reader may have
 * taken all and not yet made room: so nothing is to be there for a while.
 */
static void await_reader(const struct console *con)
{
	struct timespec step = { .tv_nsec = 10000000 };
	struct pollfd slave = { .fd = con->slave, .events = POLLIN };
	int i, unread, none = 0;

	for (i = 0; i < 100 && none < 10; i++) {
		if (poll(&slave, 1, 0) < 0 ||
		    ioctl(con->slave, FIONREAD, &unread))
			break;
		none = unread ? 0 : none + 1;
		if (was_read(con))
			i = 0;
		nanosleep(&step, NULL);
	}
}

static void console_close(struct device *dev)
{
	struct console *con = device_of(dev, struct console, device);

	terminal_restore();
	if (con->slave >= 0) {
		await_reader(con);
		close(con->reads);
		close(con->slave);
		close(con->in);
	} else if (con->out != STDOUT_FILENO) {
		close(con->out);
	}
	free(con);
}

static const struct device_ops console_ops = {
	.type	= PLEX86_DEV_CONSOLE,
	.start	= console_start,
	.reset	= console_reset,
	.wait	= console_wait,
	.work	= console_work,
	.drain	= console_drain,
	.close	= console_close,
};

/*
 * console_add() - open what --console named, and make it the next device
 *
 * Returns the device, or NULL after saying what is wrong.
 */
struct device *console_add(struct devices *devices,
			   const struct options *options)
{
	struct console *con = console_open(options);

	if (!con)
		return NULL;
	con->rx = &con->device.queue[PLEX86_CON_RX];
	con->tx = &con->device.queue[PLEX86_CON_TX];
	con->device.receives = 1u << PLEX86_CON_RX;
	if (!devices_add(devices, &con->device, &console_ops, "console"))
		return &con->device;
	console_close(&con->device);
	return NULL;
}
