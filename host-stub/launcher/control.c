// SPDX-License-Identifier: GPL-2.0
/*
 * What a running VM can be told: a UNIX socket of the launcher's (--control),
 * and the verb that speaks to it.
 *
 * A command is a line of words, the answer is one line: "ok", or what is wrong.
 * Who may connect says the socket's mode: its owner.  The guest waits for no
 * client.  There are few places: for a new client the one that has been silent
 * for longest makes room, if that is a while.
 */
#include "launcher.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define AGAIN_NS	100000000u
#define SILENT_NS	1000000000u	/* who has said nothing for so long makes room */

static const char *do_remove(struct vm_context *ctx, const char *name)
{
	struct device *dev = devices_find(&ctx->devices, name);

	if (!dev)
		return "no such device; there are disk1, net1, ..., in the order of --disk and --net";
	if (dev == ctx->console)
		return "the console stays";
	device_remove(dev);
	return NULL;
}

static const char *do_resize(struct vm_context *ctx, const char *name)
{
	struct device *dev = devices_find(&ctx->devices, name);
	int error;

	if (!dev)
		return "no such device; disks are disk1, disk2, ..., in the order of --disk";
	if (!dev->ops->resize)
		return "only a disk has a size";
	error = dev->ops->resize(dev);
	if (error == EOPNOTSUPP)
		return "its server tells the size only at the start";
	if (error == EINVAL)
		return "its file is empty, or no multiple of its blocks; the size stays";
	if (error == ENOENT)
		return "its file was deleted, perhaps for another; the size stays";
	return error ? strerror(error) : NULL;
}

static const struct {
	const char *name;
	const char *(*run)(struct vm_context *ctx, const char *name);
} commands[] = {
	{ "remove", do_remove },
	{ "resize", do_resize },
};

static const char *run(struct vm_context *ctx, char *line)
{
	char *rest = line, *name = strsep(&rest, " ");
	size_t i;

	for (i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		if (strcmp(commands[i].name, name))
			continue;
		if (!rest || !*rest || strchr(rest, ' '))
			return "it wants one device: disk1, net1, ..., in the order of --disk and --net";
		return commands[i].run(ctx, rest);
	}
	return "no such command; remove NAME or resize NAME, of a device: disk1, net1, ...";
}

static void answer(int fd, const char *error)
{
	char text[256];
	int n = snprintf(text, sizeof(text), "%s\n", error ? error : "ok");

	/* A client that does not take one line of ours gets none. */
	if (send(fd, text, (size_t)n, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
		return;
}

/*
 * control_open() - listen on a socket at @path; NULL: do not
 *
 * Returns 0, or -1 after saying what is wrong.
 */
int control_open(struct control *control, const char *path)
{
	mode_t mask;
	u32 i;

	for (i = 0; i < CONTROL_CLIENTS; i++)
		control->client[i].fd = -1;
	control->listener = -1;
	if (!path)
		return 0;
	mask = umask(077);
	control->listener = socket_listen(path, CONTROL_CLIENTS);
	umask(mask);
	if (control->listener < 0) {
		complain("--control: %s: %s", path, errno == EADDRINUSE ?
			 "another plex86 listens there" : strerror(errno));
		return -1;
	}
	control->path = path;
	return 0;
}

/* A free place, or that of who has been silent for longest. */
static struct control_client *place_for_client(struct control *control)
{
	struct control_client *place = &control->client[0];
	u32 i;

	for (i = 0; i < CONTROL_CLIENTS; i++) {
		if (control->client[i].fd < 0)
			return &control->client[i];
		if (control->client[i].heard_ns < place->heard_ns)
			place = &control->client[i];
	}
	return place;
}

/* control_wait() - add to @waits what may come */
void control_wait(struct control *control, struct waits *waits)
{
	const struct control_client *place = place_for_client(control);
	u64 listen_ns = control->listen_ns;
	u32 i;

	for (i = 0; i < CONTROL_CLIENTS; i++)
		if (control->client[i].fd >= 0)
			control->client[i].wait =
				waits_fd(waits, control->client[i].fd, POLLIN);
	control->listener_wait = WAITS_NOTHING;
	if (!control->path)
		return;
	if (place->fd >= 0 && place->heard_ns + SILENT_NS > listen_ns)
		listen_ns = place->heard_ns + SILENT_NS;
	if (now_ns() < listen_ns)
		waits_until(waits, listen_ns);
	else
		control->listener_wait = waits_fd(waits, control->listener,
						  POLLIN);
}

/* Reads of @client; false: it has gone, or says what is no line. */
static bool listen_to(struct vm_context *ctx, struct control_client *client)
{
	char *line = client->line, *end;
	ssize_t n = recv(client->fd, line + client->bytes,
			 CONTROL_LINE - client->bytes, MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return true;
	if (n <= 0)
		return false;
	client->heard_ns = now_ns();
	client->bytes += (u32)n;
	while ((end = memchr(line, '\n', client->bytes))) {
		u32 used = (u32)(end - line) + 1;

		*end = 0;
		answer(client->fd, run(ctx, line));
		client->bytes -= used;
		memmove(line, line + used, client->bytes);
	}
	return client->bytes < CONTROL_LINE;
}

static void take_client(struct control *control)
{
	struct control_client *place = place_for_client(control);
	int fd = accept4(control->listener, NULL, NULL,
			 SOCK_CLOEXEC | SOCK_NONBLOCK);

	/* Out of descriptors, most likely: it stays there, and is readable. */
	if (fd < 0) {
		control->listen_ns = now_ns() + AGAIN_NS;
		return;
	}
	if (place->fd >= 0)
		close(place->fd);
	*place = (struct control_client){
		.fd = fd, .wait = WAITS_NOTHING, .heard_ns = now_ns(),
	};
}

/* control_work() - do what clients have asked for */
void control_work(struct vm_context *ctx)
{
	struct control *control = &ctx->control;
	u32 i;

	for (i = 0; i < CONTROL_CLIENTS; i++) {
		struct control_client *client = &control->client[i];

		if (client->fd < 0 ||
		    !waits_came(&ctx->waits, client->wait) ||
		    listen_to(ctx, client))
			continue;
		close(client->fd);
		client->fd = -1;
	}
	if (waits_came(&ctx->waits, control->listener_wait))
		take_client(control);
}

/* control_close() - listen no more */
void control_close(struct control *control)
{
	u32 i;

	for (i = 0; i < CONTROL_CLIENTS && control->path; i++)
		if (control->client[i].fd >= 0)
			close(control->client[i].fd);
	if (!control->path)
		return;
	unlink(control->path);
	close(control->listener);
}

/* verb_control() - `plex86 control PATH WORD...`; returns the exit status */
int verb_control(int argc, char **argv)
{
	char line[CONTROL_LINE] = "";
	size_t used = 0;
	ssize_t n;
	int fd, i;

	if (argc < 2) {
		complain("control: say the socket that --control named, and a command");
		return EXIT_CANNOT;
	}
	for (i = 1; i < argc && used < sizeof(line); i++)
		used += (size_t)snprintf(line + used, sizeof(line) - used,
					 "%s%s", argv[i],
					 i + 1 < argc ? " " : "\n");
	if (used >= sizeof(line)) {
		complain("control: the command is too long");
		return EXIT_CANNOT;
	}
	fd = socket_connect(argv[0]);
	if (fd < 0 || fcntl(fd, F_SETFL, 0) ||
	    send(fd, line, used, MSG_NOSIGNAL) != (ssize_t)used) {
		complain("control: %s: %s", argv[0], strerror(errno));
		return EXIT_CANNOT;
	}
	n = recv(fd, line, sizeof(line) - 1, 0);
	if (n <= 0) {
		complain("control: %s: no answer", argv[0]);
		return EXIT_CANNOT;
	}
	close(fd);
	line[n] = 0;
	line[strcspn(line, "\n")] = 0;
	if (!strcmp(line, "ok"))
		return EXIT_POWEROFF;
	complain("control: %s", line);
	return EXIT_CANNOT;
}
