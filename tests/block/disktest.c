// SPDX-License-Identifier: GPL-2.0
/*
 * What the tests of disks run in the guest, and on the host over what a guest
 * has left: a static 32-bit program.
 *
 *   disktest random DEV SEED COUNT TASKS   random writes and reads, all verified
 *   disktest check DEV SEED COUNT TASKS    what that left, once more
 *   disktest read|write DEV AT BYTES       one transfer
 *   disktest flush DEV                     fsync
 *   disktest zero|discard DEV AT BYTES     BLKZEROOUT, BLKDISCARD
 *   disktest steady DEV SECONDS TASKS      transfers, errors and all; counts
 *   disktest journal DIR                   durable files, acknowledged, for ever
 *   disktest journal-check DIR COUNT       are files 0 to COUNT - 1 whole?
 *   disktest blocks DEV                    durable blocks, likewise
 *   disktest blocks-check DEV COUNT
 *
 *   disktest speed DEV read|write|randread|randwrite BYTES DEPTH SECONDS
 *
 * All I/O on devices is O_DIRECT.  An operation that fails prints the name of its
 * error, and the status is 1; a comparison that fails says where, status 2.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <linux/fs.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define BLOCK	4096u
#define MOST	64u		/* blocks in one transfer */

static void __attribute__((noreturn)) failed(const char *what)
{
	printf("%s: %s\n", what, strerrorname_np(errno));
	exit(1);
}

static void *zeroed(size_t count, size_t bytes)
{
	void *p = calloc(count, bytes);

	if (!p)
		failed("memory");
	return p;
}

static uint32_t next(uint64_t *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	*seed ^= *seed << 17;
	return (uint32_t)(*seed >> 32);
}

/* Block @block of generation @generation: no two are alike. */
static void fill(uint8_t *at, uint64_t block, uint32_t seed, uint32_t generation)
{
	uint64_t state = (block + 1) * 0x9e3779b97f4a7c15 + generation;
	uint32_t *word = (uint32_t *)(void *)at, i;

	state ^= (uint64_t)seed << 32;
	for (i = 0; i < BLOCK / 4; i++)
		word[i] = next(&state);
}

static void verify(const uint8_t *got, uint64_t block, uint32_t seed,
		   uint32_t generation)
{
	static uint8_t want[BLOCK];

	if (!generation)
		return;		/* what was there before */
	fill(want, block, seed, generation);
	if (!memcmp(got, want, BLOCK))
		return;
	printf("block %llu is not of generation %u\n",
	       (unsigned long long)block, generation);
	exit(2);
}

static uint8_t *buffer(void)
{
	void *at;

	if (posix_memalign(&at, BLOCK, MOST * BLOCK))
		failed("memory");
	return at;
}

static int open_device(const char *name, int flags)
{
	int fd = open(name, flags | O_DIRECT);

	if (fd < 0)
		failed(name);
	return fd;
}

static uint64_t size_of(int fd)
{
	off64_t end = lseek64(fd, 0, SEEK_END);

	if (end < 0)
		failed("lseek");
	return (uint64_t)end;
}

/*
 * A task has a stretch of the device to itself, and knows the generation of each
 * block.  The sequence of operations follows from the seed alone.
 */
static void __attribute__((noreturn))
task(int fd, uint32_t seed, uint32_t count, uint64_t first,
		 uint32_t blocks, int only_check)
{
	uint32_t *generation = zeroed(blocks, sizeof(*generation));
	uint64_t state = 0x2545f4914f6cdd1d ^ ((first + 1) << 20) ^ seed;
	uint8_t *data = buffer();
	uint32_t i, n;

	for (n = 0; n < count; n++) {
		uint32_t at = next(&state) % blocks;
		uint32_t some = 1 + next(&state) % MOST, writes = next(&state);

		if (some > blocks - at)
			some = blocks - at;
		if (writes & 1) {
			for (i = 0; i < some; i++)
				fill(data + i * BLOCK, first + at + i, seed,
				     ++generation[at + i]);
			if (!only_check &&
			    pwrite64(fd, data, some * BLOCK,
				     (off64_t)(first + at) * BLOCK) !=
			    (ssize_t)(some * BLOCK))
				failed("write");
		} else if (!only_check) {
			if (pread64(fd, data, some * BLOCK,
				    (off64_t)(first + at) * BLOCK) !=
			    (ssize_t)(some * BLOCK))
				failed("read");
			for (i = 0; i < some; i++)
				verify(data + i * BLOCK, first + at + i, seed,
				       generation[at + i]);
		}
		if (!only_check && writes % 64 == 1 && fsync(fd))
			failed("fsync");
	}
	if (!only_check && fsync(fd))
		failed("fsync");
	for (i = 0; i < blocks; i++) {
		if (pread64(fd, data, BLOCK, (off64_t)(first + i) * BLOCK) !=
		    BLOCK)
			failed("read");
		verify(data, first + i, seed, generation[i]);
	}
	exit(0);
}

static int reap(uint32_t tasks)
{
	int status, worst = 0;

	while (tasks--) {
		if (wait(&status) < 0)
			failed("wait");
		if (!WIFEXITED(status))
			worst = 3;
		else if (WEXITSTATUS(status) > worst)
			worst = WEXITSTATUS(status);
	}
	return worst;
}

static int random_tasks(const char *name, uint32_t seed, uint32_t count,
			uint32_t tasks, int only_check)
{
	int fd = open_device(name, only_check ? O_RDONLY : O_RDWR);
	uint32_t blocks = (uint32_t)(size_of(fd) / BLOCK / tasks), i;

	fflush(stdout);
	for (i = 0; i < tasks; i++)
		if (!fork())
			task(fd, seed, count, (uint64_t)i * blocks, blocks,
			     only_check);
	return reap(tasks);
}

static int transfer(const char *name, uint64_t at, uint32_t bytes, int writes)
{
	int fd = open_device(name, writes ? O_RDWR : O_RDONLY);
	uint8_t *data = buffer();
	ssize_t n;

	if (bytes > MOST * BLOCK)
		return 3;
	memset(data, 0x5a, bytes);
	n = writes ? pwrite64(fd, data, bytes, (off64_t)at) :
		     pread64(fd, data, bytes, (off64_t)at);
	if (n < 0)
		failed(writes ? "write" : "read");
	printf("%zd bytes, the first %02x\n", n, data[0]);
	return 0;
}

static int range(const char *name, unsigned long request, uint64_t at,
		 uint64_t bytes)
{
	uint64_t what[2] = { at, bytes };
	int fd = open_device(name, O_RDWR);

	if (ioctl(fd, request, what))
		failed("ioctl");
	return 0;
}

static int flush(const char *name)
{
	int fd = open_device(name, O_RDWR);

	if (fsync(fd))
		failed("fsync");
	return 0;
}

/* Keeps the device busy, whatever comes of it. */
static int steady(const char *name, uint32_t seconds, uint32_t tasks)
{
	int fd = open_device(name, O_RDWR);
	uint64_t blocks = size_of(fd) / BLOCK;
	time_t end = time(NULL) + (time_t)seconds;
	uint32_t i;

	printf("busy\n");
	fflush(stdout);
	for (i = 0; i < tasks; i++) {
		uint64_t state = 0x9e3779b97f4a7c15 + i;
		uint32_t good = 0, bad = 0;
		uint8_t *data;

		if (fork())
			continue;
		data = buffer();
		while (time(NULL) < end && bad < 100) {
			off64_t at = (off64_t)(next(&state) % blocks) * BLOCK;
			ssize_t n = next(&state) & 1 ?
				    pread64(fd, data, BLOCK, at) :
				    pwrite64(fd, data, BLOCK, at);

			if (n == BLOCK)
				good++;
			else
				bad++;
		}
		printf("task %u: %u good, %u bad\n", i, good, bad);
		exit(0);
	}
	return reap(tasks);
}

/* Says of each file when it is on the disk, name and all. */
static void __attribute__((noreturn)) journal(const char *dir)
{
	int here = open(dir, O_RDONLY | O_DIRECTORY);
	uint8_t *data = buffer();
	uint32_t n;

	if (here < 0 || chdir(dir))
		failed(dir);
	for (n = 0; ; n++) {
		char name[32];
		uint32_t i, some = 1 + n % 7;
		int fd;

		snprintf(name, sizeof(name), "f%u", n);
		fd = open(name, O_WRONLY | O_CREAT | O_TRUNC, 0666);
		for (i = 0; i < some; i++)
			fill(data + i * BLOCK, i, n, 1);
		if (fd < 0 || write(fd, data, some * BLOCK) !=
			      (ssize_t)(some * BLOCK) ||
		    fsync(fd) || close(fd) || fsync(here))
			failed(name);
		printf("acked %u\n", n);
		fflush(stdout);
	}
}

static int journal_check(const char *dir, uint32_t count)
{
	uint8_t *data = buffer();
	uint32_t n, i;

	if (chdir(dir))
		failed(dir);
	for (n = 0; n < count; n++) {
		char name[32];
		uint32_t some = 1 + n % 7;
		int fd;

		snprintf(name, sizeof(name), "f%u", n);
		fd = open(name, O_RDONLY);
		if (fd < 0 || read(fd, data, MOST * BLOCK) !=
			      (ssize_t)(some * BLOCK))
			failed(name);
		for (i = 0; i < some; i++)
			verify(data + i * BLOCK, i, n, 1);
		close(fd);
	}
	return 0;
}

/* The same of blocks: one by O_DSYNC (FUA), one by a flush behind it. */
static int blocks(const char *name)
{
	int through = open_device(name, O_RDWR | O_DSYNC);
	int cached = open_device(name, O_RDWR);
	uint64_t most = size_of(cached) / BLOCK;
	uint8_t *data = buffer();
	uint32_t n;

	for (n = 0; n < most; n++) {
		int fd = n & 1 ? through : cached;

		fill(data, n, 1, 1);
		if (pwrite64(fd, data, BLOCK, (off64_t)n * BLOCK) != BLOCK ||
		    (fd == cached && fsync(fd)))
			failed("write");
		printf("acked %u\n", n);
		fflush(stdout);
	}
	return 0;
}

static int blocks_check(const char *name, uint32_t count)
{
	int fd = open_device(name, O_RDONLY);
	uint8_t *data = buffer();
	uint32_t n;

	for (n = 0; n < count; n++) {
		if (pread64(fd, data, BLOCK, (off64_t)n * BLOCK) != BLOCK)
			failed("read");
		verify(data, n, 1, 1);
	}
	return 0;
}

/* Transfers of @bytes with @depth of them under way, by the kernel's own AIO. */
static int speed(const char *name, const char *how, uint32_t bytes,
		 uint32_t depth, uint32_t seconds)
{
	int random = !strncmp(how, "rand", 4), writes = strstr(how, "write") != 0;
	int fd = open_device(name, writes ? O_RDWR : O_RDONLY);
	uint64_t places = size_of(fd) / bytes, at = 0, count = 0;
	uint64_t state = 0x9e3779b97f4a7c15;
	struct iocb *iocb = zeroed(depth, sizeof(*iocb));
	struct io_event *event = zeroed(depth, sizeof(*event));
	struct timespec start, now;
	aio_context_t ctx = 0;
	uint32_t i, free = 0;
	double s;

	if (syscall(SYS_io_setup, depth, &ctx) < 0)
		failed("io_setup");
	for (i = 0; i < depth; i++) {
		void *data;

		if (posix_memalign(&data, BLOCK, bytes))
			failed("memory");
		iocb[i].aio_lio_opcode = writes ? IOCB_CMD_PWRITE :
						  IOCB_CMD_PREAD;
		iocb[i].aio_fildes = (uint32_t)fd;
		iocb[i].aio_buf = (uintptr_t)data;
		iocb[i].aio_nbytes = bytes;
		event[i].obj = (uintptr_t)&iocb[i];
	}
	clock_gettime(CLOCK_MONOTONIC, &start);
	free = depth;
	do {
		struct iocb *list[MOST];
		long n;

		for (i = 0; i < free; i++) {
			list[i] = (struct iocb *)(uintptr_t)event[i].obj;
			list[i]->aio_offset = (int64_t)(bytes *
				(random ? next(&state) % places :
					  at++ % places));
		}
		if (syscall(SYS_io_submit, ctx, free, list) != (long)free)
			failed("io_submit");
		n = syscall(SYS_io_getevents, ctx, 1, depth, event, NULL);
		if (n < 1)
			failed("io_getevents");
		for (i = 0; i < (uint32_t)n; i++)
			if (event[i].res != bytes)
				failed("transfer");
		free = (uint32_t)n;
		count += free;
		clock_gettime(CLOCK_MONOTONIC, &now);
		s = (double)(now.tv_sec - start.tv_sec) +
		    (double)(now.tv_nsec - start.tv_nsec) / 1e9;
	} while (s < seconds);
	printf("%.0f a second, %.1f MB/s, %.1f us each\n", (double)count / s,
	       (double)count * bytes / s / 1e6, s * 1e6 / (double)count);
	return 0;
}

int main(int argc, char **argv)
{
	const char *verb = argc > 2 ? argv[1] : "";
	uint64_t arg[3];
	int i;

	for (i = 0; i < 3; i++)
		arg[i] = i + 3 < argc ? strtoull(argv[i + 3], NULL, 0) : 0;
	if (!strcmp(verb, "random") || !strcmp(verb, "check"))
		return random_tasks(argv[2], (uint32_t)arg[0], (uint32_t)arg[1],
				    (uint32_t)arg[2], *verb == 'c');
	if (!strcmp(verb, "read") || !strcmp(verb, "write"))
		return transfer(argv[2], arg[0], (uint32_t)arg[1], *verb == 'w');
	if (!strcmp(verb, "flush"))
		return flush(argv[2]);
	if (!strcmp(verb, "zero"))
		return range(argv[2], BLKZEROOUT, arg[0], arg[1]);
	if (!strcmp(verb, "discard"))
		return range(argv[2], BLKDISCARD, arg[0], arg[1]);
	if (!strcmp(verb, "steady"))
		return steady(argv[2], (uint32_t)arg[0], (uint32_t)arg[1]);
	if (!strcmp(verb, "journal"))
		journal(argv[2]);
	if (!strcmp(verb, "journal-check"))
		return journal_check(argv[2], (uint32_t)arg[0]);
	if (!strcmp(verb, "speed") && argc == 7 && arg[2] <= MOST)
		return speed(argv[2], argv[3], (uint32_t)arg[1],
			     (uint32_t)arg[2], (uint32_t)atoi(argv[6]));
	if (!strcmp(verb, "blocks"))
		return blocks(argv[2]);
	if (!strcmp(verb, "blocks-check"))
		return blocks_check(argv[2], (uint32_t)arg[0]);
	fprintf(stderr, "disktest: no such verb; its source lists them\n");
	return 3;
}
