// SPDX-License-Identifier: GPL-2.0
/*
 * Files that are read whole, and those that are written anew.
 *
 * What was read is in memory for as long as it is needed.  The memory is a
 * mapping of its own, so that all of it goes back to the system with
 * file_drop().  A mapping of the file instead would change, or end in SIGBUS,
 * with what others do to the file.
 */
#include "launcher.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define HUGE_PAGE	(2ull << 20)

static u64 whole_huge(u64 bytes)
{
	return (bytes + HUGE_PAGE - 1) & ~(HUGE_PAGE - 1);
}

/* Whole huge pages where there are any: far fewer faults. */
static u8 *make_room(u64 bytes)
{
	u64 room = whole_huge(bytes), before;
	u8 *at = mmap(NULL, room + HUGE_PAGE, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (at == MAP_FAILED)
		return NULL;
	before = whole_huge((u64)at) - (u64)at;
	if (before)
		munmap(at, before);
	at += before;
	munmap(at + room, HUGE_PAGE - before);
	madvise(at, bytes, MADV_HUGEPAGE);
	return at;
}

/*
 * file_read() - take in the whole of file @name
 * @file: filled in; nothing is held before, nor after an error
 * @max_bytes: a larger one is refused
 *
 * Returns NULL, or what is wrong, as the rest of a sentence.
 */
const char *file_read(struct file *file, const char *name, u64 max_bytes)
{
	/* Without waiting for somebody to write, should it be a FIFO. */
	int fd = open(name, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	const char *error = NULL;
	u64 at = 0;

	if (fd < 0)
		return strerror(errno);
	if (fstat(fd, &file->stat)) {
		error = strerror(errno);
	} else if (!S_ISREG(file->stat.st_mode)) {
		error = "not a regular file";
	} else if (!file->stat.st_size) {
		error = "the file is empty";
	} else if ((u64)file->stat.st_size > max_bytes) {
		error = "too large to load";
	} else {
		file->bytes = (u64)file->stat.st_size;
		file->data = make_room(file->bytes);
		if (!file->data)
			error = "too large to load";
	}
	while (!error && at < file->bytes) {
		ssize_t n = read(fd, file->data + at, file->bytes - at);

		if (n > 0)
			at += (u64)n;
		else
			error = n ? strerror(errno) :
				    "it shrank while it was read";
	}
	close(fd);
	if (error)
		file_drop(file);
	return error;
}

/* file_drop() - let go of the memory; what was read stays known to file_same() */
void file_drop(struct file *file)
{
	if (file->data)
		munmap(file->data, whole_huge(file->bytes));
	file->data = NULL;
}

/*
 * file_create() - a file to be written anew, which is made if there is none
 *
 * What it holds is still there: a file that others may use is the caller's to
 * truncate once nothing can be wrong any more.  One that is locked is somebody's,
 * a disk's for instance; this one is locked too, as long as the descriptor is open.
 * Nobody is waited for, should it be a FIFO.  Returns the descriptor, or -1 with
 * what is wrong, as the rest of a sentence, in @why.
 */
int file_create(const char *name, const char **why)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	int fd = open(name, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOCTTY |
		      O_NONBLOCK, 0666);

	if (fd < 0) {
		*why = errno == ENXIO ? "nobody reads from it; start the reader first" :
					strerror(errno);
		return -1;
	}
	/* What cannot be locked at all, a terminal or a file system's, is nobody's. */
	if (fcntl(fd, F_OFD_SETLK, &lock) &&
	    (errno == EAGAIN || errno == EACCES)) {
		*why = "in use: a guest's disk, or another guest's output";
		close(fd);
		return -1;
	}
	return fd;
}

/* file_same() - was the same read both times, by all that tells of a change? */
bool file_same(const struct file *a, const struct file *b)
{
	return a->stat.st_dev == b->stat.st_dev &&
	       a->stat.st_ino == b->stat.st_ino &&
	       a->stat.st_size == b->stat.st_size &&
	       a->stat.st_mtim.tv_sec == b->stat.st_mtim.tv_sec &&
	       a->stat.st_mtim.tv_nsec == b->stat.st_mtim.tv_nsec;
}
