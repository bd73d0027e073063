// SPDX-License-Identifier: GPL-2.0
/*
 * The keepers: small processes beside the launcher, with two jobs.
 *
 * They outlive a launcher that was killed by just as much as it takes to put the
 * terminal back into its mode, and to remove the sockets that this VM has made.
 * The spaces need nobody for that: they end with the launcher (PR_SET_PDEATHSIG).
 *
 * And they do what the launcher in its jail cannot, where a file has to be found
 * by its name: open, look at or remove those that the options name, a few others,
 * and nothing else.  They map nothing of the guest's and are told nothing by it:
 * they get short questions of the launcher's, and take none on trust.
 *
 * There are two, so that one is left to tidy up when the other is killed, which
 * ends the VM; the first is the one that is asked.  They must never write to a
 * file, nor wait for anything but the next question.
 */
#include "launcher.h"
#include "scanner.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define KEEPERS		2u
#define KEEPER_FD	3	/* a keeper's end */
#define RESOLVER	"/etc/resolv.conf"	/* libslirp follows its changes */

enum { ASK_OPEN, ASK_STAT, ASK_UNLINK, TELL_TERMINAL, TELL_SOCKETS };

struct question {
	u32 what;
	int flags;			/* of open() */
	struct termios saved;		/* how the terminal was */
	char name[PATH_MAX_BYTES];
};

struct answer {
	int result;			/* 0 or a negative errno */
	struct stat stat;
};

/* What the keeper itself knows. */
struct keeper {
	const struct options *options;
	pid_t launcher;
	bool raw;			/* the terminal was made raw */
	struct termios saved, changed;	/* how it was, and was made */
	const char *socket[NETS_MAX + 2];	/* names; NULL ends them */
	struct stat made[NETS_MAX + 1];	/* what is theirs; st_mode 0: nothing */
	bool told;			/* of these; another's are never told of */
};

/* The launcher's ends.  The handler of SIGSYS asks too, so they are in no context. */
static struct connection {
	int fd;
	pid_t pid;
	u32 wait;		/* waits_fd() */
} connections[KEEPERS] = { { .fd = -1 }, { .fd = -1 } };

/*
 * The keeper's side.
 */

static void list_sockets(struct keeper *k)
{
	const struct options *o = k->options;
	u32 i, n = 0;

	if (o->control)
		k->socket[n++] = o->control;
	for (i = 0; i < o->nets; i++)
		if (o->net[i].server && o->net[i].path)
			k->socket[n++] = o->net[i].path;
}

static void sockets_made(struct keeper *k)
{
	u32 i;

	for (i = 0; k->socket[i]; i++)
		if (lstat(k->socket[i], &k->made[i]) ||
		    !S_ISSOCK(k->made[i].st_mode))
			k->made[i].st_mode = 0;
}

/* Removes socket @i if it is still the one that was made; a negative errno. */
static int remove_socket(struct keeper *k, u32 i)
{
	const struct stat *was = &k->made[i];
	struct stat is;

	if (!was->st_mode)
		return -ENOENT;
	if (lstat(k->socket[i], &is))
		return -errno;
	if (is.st_dev != was->st_dev || is.st_ino != was->st_ino ||
	    is.st_mtim.tv_sec != was->st_mtim.tv_sec ||
	    is.st_mtim.tv_nsec != was->st_mtim.tv_nsec)
		return -EEXIST;
	return unlink(k->socket[i]) ? -errno : 0;
}

static int remove_named(struct keeper *k, const char *name)
{
	u32 i;

	for (i = 0; k->socket[i]; i++)
		if (!strcmp(k->socket[i], name))
			return remove_socket(k, i);
	return -EACCES;
}

/* "/proc/PID/schedstat" of the launcher or a child of its, or a child's "stat"? */
static bool of_this_vm(const struct keeper *k, const char *name)
{
	char text[1024], stat[64], *at;
	int pid, end = 0, parent, fd;
	ssize_t n;

	if (sscanf(name, "/proc/%7d/%n", &pid, &end) != 1 || !end ||
	    (strcmp(name + end, "stat") && strcmp(name + end, "schedstat")))
		return false;
	if (pid == k->launcher)
		return !strcmp(name + end, "schedstat");
	snprintf(stat, sizeof(stat), "/proc/%d/stat", pid);
	fd = open(stat, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	text[n > 0 ? n : 0] = 0;
	at = strrchr(text, ')');
	return at && sscanf(at, ") %*c %d", &parent) == 1 &&
	       parent == k->launcher;
}

static bool may_open(const struct keeper *k, const struct question *q)
{
	const struct options *o = k->options;
	size_t kernel = strlen(o->kernel);

	if (q->flags & ~(O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY | O_LARGEFILE))
		return false;
	return (!strncmp(q->name, o->kernel, kernel) &&
		(!q->name[kernel] ||
		 !strcmp(q->name + kernel, CERTIFICATE_SUFFIX))) ||
	       (o->initrd && !strcmp(q->name, o->initrd)) ||
	       !strcmp(q->name, RESOLVER) || of_this_vm(k, q->name);
}

/* Sends @a, and descriptor @fd unless it is -1. */
static void reply(const struct answer *a, int fd)
{
	_Alignas(struct cmsghdr) char room[CMSG_SPACE(sizeof(int))] = { 0 };
	struct iovec iov = { (void *)(uintptr_t)a, sizeof(*a) };
	struct msghdr message = { .msg_iov = &iov, .msg_iovlen = 1 };
	struct cmsghdr *control;

	if (fd >= 0) {
		message.msg_control = room;
		message.msg_controllen = sizeof(room);
		control = CMSG_FIRSTHDR(&message);
		control->cmsg_level = SOL_SOCKET;
		control->cmsg_type = SCM_RIGHTS;
		control->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(control), &fd, sizeof(fd));
	}
	/* It fails if the launcher has gone, which is heard of next. */
	if (sendmsg(KEEPER_FD, &message, MSG_NOSIGNAL) < 0)
		return;
}

static void hear(struct keeper *k, const struct question *q)
{
	struct answer a = { .result = -EACCES };
	int fd = -1;

	switch (q->what) {
	case ASK_OPEN:
		if (may_open(k, q)) {
			/* A FIFO may have the name, and a keeper waits for nobody. */
			fd = open(q->name, q->flags | O_CLOEXEC | O_NOCTTY |
				  O_NONBLOCK);
			a.result = fd < 0 ? -errno : 0;
		}
		break;
	case ASK_STAT:
		if (!strcmp(q->name, RESOLVER))
			a.result = stat(q->name, &a.stat) ? -errno : 0;
		break;
	case ASK_UNLINK:
		a.result = remove_named(k, q->name);
		break;
	case TELL_TERMINAL:
		k->saved = q->saved;
		k->raw = !tcgetattr(STDIN_FILENO, &k->changed);
		a.result = 0;
		break;
	case TELL_SOCKETS:
		if (!k->told)
			sockets_made(k);
		k->told = true;
		a.result = 0;
	}
	reply(&a, fd);
	if (fd >= 0)
		close(fd);
}

/* If it is still as the launcher made it, and not as a shell has since. */
static void restore_terminal(const struct keeper *k)
{
	struct termios now;

	if (!k->raw || tcgetattr(STDIN_FILENO, &now) ||
	    now.c_iflag != k->changed.c_iflag ||
	    now.c_oflag != k->changed.c_oflag ||
	    now.c_lflag != k->changed.c_lflag ||
	    now.c_cflag != k->changed.c_cflag)
		return;
	tcsetattr(STDIN_FILENO, TCSANOW, &k->saved);
}

/* In the child: be the keeper.  It inherits what the options name. */
static void __attribute__((noreturn)) keep(struct vm_context *ctx, int fd,
					   pid_t launcher)
{
	static const int ignored[] = { SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGTSTP };
	static struct question q;
	struct keeper k = { .options = &ctx->options, .launcher = launcher };
	ssize_t n;
	size_t i;

	prctl(PR_SET_NAME, "plex86-keeper");
	setsid();
	for (i = 0; i < sizeof(ignored) / sizeof(ignored[0]); i++)
		signal(ignored[i], SIG_IGN);
	file_drop(&ctx->kernel);
	file_drop(&ctx->initrd);
	list_sockets(&k);
	if (dup2(fd, KEEPER_FD) < 0)
		_exit(EXIT_CANNOT);
	close_range(STDOUT_FILENO, STDERR_FILENO, 0);
	close_range(KEEPER_FD + 1, ~0u, 0);
	if (!isatty(STDIN_FILENO))
		close(STDIN_FILENO);
	if (ctx->options.jail && jail_shut_keeper(&ctx->options, k.socket))
		_exit(EXIT_CANNOT);
	while ((n = recv(KEEPER_FD, &q, sizeof(q), 0)) > 0) {
		q.name[sizeof(q.name) - 1] = 0;
		if (n == (ssize_t)sizeof(q))
			hear(&k, &q);
	}
	restore_terminal(&k);
	for (i = 0; k.socket[i]; i++)
		remove_socket(&k, (u32)i);
	_exit(0);
}

/*
 * The launcher's side.
 */

/* Waits for the answer; its result, with *@fd if there came one. */
static int listen_for(const struct connection *c, struct answer *a, int *fd)
{
	_Alignas(struct cmsghdr) char room[CMSG_SPACE(sizeof(int))];
	struct iovec iov = { a, sizeof(*a) };
	struct msghdr message = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = room, .msg_controllen = sizeof(room),
	};
	const struct cmsghdr *control;
	ssize_t n;

	do
		n = recvmsg(c->fd, &message, MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	control = CMSG_FIRSTHDR(&message);
	*fd = -1;
	if (n == (ssize_t)sizeof(*a) && control &&
	    control->cmsg_type == SCM_RIGHTS)
		memcpy(fd, CMSG_DATA(control), sizeof(*fd));
	return n == (ssize_t)sizeof(*a) ? a->result : -EIO;
}

/*
 * Asks, and waits for the answer.  Called by a signal's handler, too, so the
 * question is not on a stack that may be small, and errno is the caller's.
 */
static int ask(const struct connection *c, u32 what, const char *name,
	       int flags, const struct termios *saved, struct answer *a, int *fd)
{
	static struct question q;
	int error = errno, ret = -EIO, none;

	q.what = what;
	q.flags = flags;
	if (saved)
		q.saved = *saved;
	q.name[0] = 0;
	if (name && strlen(name) >= sizeof(q.name))
		return -ENAMETOOLONG;
	if (name)
		strcpy(q.name, name);
	if (send(c->fd, &q, sizeof(q), MSG_NOSIGNAL) == (ssize_t)sizeof(q))
		ret = listen_for(c, a, fd ? fd : &none);
	errno = error;
	return ret;
}

/* Tells all of them. */
static void tell(u32 what, const struct termios *saved)
{
	struct answer a = { 0 };
	u32 i;

	for (i = 0; i < KEEPERS; i++)
		if (connections[i].fd >= 0)
			ask(&connections[i], what, NULL, 0, saved, &a, NULL);
}

static int start(struct vm_context *ctx, struct connection *c)
{
	pid_t self = getpid();
	int fd[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fd)) {
		complain("cannot talk to a keeper: %s", strerror(errno));
		return -1;
	}
	c->pid = fork();
	if (!c->pid)
		keep(ctx, fd[1], self);
	close(fd[1]);
	c->fd = fd[0];
	if (c->pid > 0)
		return 0;
	complain("fork: %s", strerror(errno));
	return -1;
}

/*
 * keepers_start() - have keepers, before there is anything for them to do
 *
 * Returns 0, or -1 after saying why not.
 */
int keepers_start(struct vm_context *ctx)
{
	u32 i;

	for (i = 0; i < KEEPERS; i++)
		if (start(ctx, &connections[i]))
			return -1;
	return 0;
}

/* keepers_wait() - add to @waits that one of them has gone */
void keepers_wait(struct waits *waits)
{
	u32 i;

	for (i = 0; i < KEEPERS; i++)
		connections[i].wait = waits_fd(waits, connections[i].fd, POLLIN);
}

/* keepers_gone() - has one? */
bool keepers_gone(const struct waits *waits)
{
	bool gone = false;
	u32 i;

	for (i = 0; i < KEEPERS; i++)
		gone |= waits_came(waits, connections[i].wait);
	return gone;
}

/* keeper_sockets_made() - the sockets that the options name are this VM's now */
void keeper_sockets_made(void)
{
	tell(TELL_SOCKETS, NULL);
}

/* keeper_terminal() - the terminal is raw now; it was as in @saved */
void keeper_terminal(const struct termios *saved)
{
	tell(TELL_TERMINAL, saved);
}

/*
 * keeper_open(), keeper_stat(), keeper_unlink() - as the system calls
 *
 * For names that the keeper knows.  They return a descriptor or 0, or a negative
 * errno.
 */
int keeper_open(const char *name, int flags)
{
	struct answer a = { 0 };
	int fd = -1, ret = ask(&connections[0], ASK_OPEN, name, flags, NULL, &a, &fd);

	if (ret)
		return ret;
	return fd < 0 ? -EMFILE : fd;
}

int keeper_stat(const char *name, struct stat *stat)
{
	struct answer a = { 0 };
	int ret = ask(&connections[0], ASK_STAT, name, 0, NULL, &a, NULL);

	if (!ret)
		*stat = a.stat;
	return ret;
}

int keeper_unlink(const char *name)
{
	struct answer a = { 0 };

	return ask(&connections[0], ASK_UNLINK, name, 0, NULL, &a, NULL);
}

/* keepers_end() - there is nothing to keep any more; they have gone after this */
void keepers_end(void)
{
	u32 i;

	for (i = 0; i < KEEPERS && connections[i].fd >= 0; i++) {
		close(connections[i].fd);
		connections[i].fd = -1;
		while (connections[i].pid > 0 &&
		       waitpid(connections[i].pid, NULL, 0) < 0 &&
		       errno == EINTR)
			;
	}
}
