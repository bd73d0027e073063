// SPDX-License-Identifier: GPL-2.0
/*
 * Unix stream sockets that have a name: of --control, and of --net socket.
 */
#include "launcher.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static int new_socket(struct sockaddr_un *name, const char *path)
{
	*name = (struct sockaddr_un){ .sun_family = AF_UNIX };
	if (!*path || strlen(path) >= sizeof(name->sun_path)) {
		errno = *path ? ENAMETOOLONG : ENOENT;
		return -1;
	}
	strcpy(name->sun_path, path);
	return socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
}

static int closed(int fd)
{
	int error = errno;

	close(fd);
	errno = error;
	return -1;
}

/* socket_connect() - to whoever listens at @path; the socket, or -1 with errno */
int socket_connect(const char *path)
{
	struct sockaddr_un name;
	int fd = new_socket(&name, path);

	if (fd < 0 || !connect(fd, (void *)&name, sizeof(name)))
		return fd;
	return closed(fd);
}

/*
 * socket_listen() - at @path, with room for @backlog who wait
 *
 * A socket's name that nobody listens to is taken, and nothing else that has it:
 * EADDRINUSE is a listener's, EEXIST another file's.  Returns the listening
 * socket, or -1 with errno.
 */
int socket_listen(const char *path, int backlog)
{
	struct sockaddr_un name;
	struct stat stat;
	int fd = socket_connect(path);

	if (fd >= 0) {
		errno = EADDRINUSE;
		return closed(fd);
	}
	if (errno == ECONNREFUSED && !lstat(path, &stat) &&
	    S_ISSOCK(stat.st_mode))
		unlink(path);
	fd = new_socket(&name, path);
	if (fd < 0)
		return -1;
	if (!bind(fd, (void *)&name, sizeof(name)) && !listen(fd, backlog))
		return fd;
	if (errno == EADDRINUSE)
		errno = EEXIST;
	return closed(fd);
}
