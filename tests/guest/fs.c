// SPDX-License-Identifier: GPL-2.0
/*
 * Files in the temporary directory: what any file system gives, locks, and change notices.
 */
#include "conform.h"

#include <dirent.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/stat.h>

static void random_io(void)
{
	enum { LEN = 1 << 18 };
	unsigned char *model = calloc(1, LEN), *buf = malloc(LEN);
	uint32_t seed = 3, state = 9;
	uint64_t pos = 0;
	int fd = temp_file(LEN);

	CHECK(model && buf);
	for (int i = 0; i < rounds(400); i++) {
		uint32_t at = prng(&seed) % LEN, len = prng(&seed) % 9000 + 1;

		if (at + len > LEN)
			len = LEN - at;
		if (prng(&seed) & 1) {
			pattern_fill(model + at, len, &pos, &state);
			CHECK_EQ(pwrite(fd, model + at, len, at), len);
		} else {
			CHECK_EQ(pread(fd, buf, len, at), len);
			if (memcmp(buf, model + at, len))
				FAIL("step %d: the file is not what was written", i);
		}
	}
	CHECK_SYS(fsync(fd));
	CHECK_EQ(pread(fd, buf, LEN, 0), LEN);
	CHECK_EQ(crc32_add(0, buf, LEN), crc32_add(0, model, LEN));
	free(model);
	free(buf);
}

static void names(void)
{
	char dir[200], a[300], b[300], c[300], link_text[300];
	struct stat st, st2;
	int fd;
	ssize_t n;

	temp_dir(dir, sizeof(dir));
	snprintf(a, sizeof(a), "%s/a", dir);
	snprintf(b, sizeof(b), "%s/b", dir);
	snprintf(c, sizeof(c), "%s/c", dir);
	fd = CHECK_SYS(open(a, O_CREAT | O_EXCL | O_RDWR, 0640));
	CHECK_ERR(open(a, O_CREAT | O_EXCL | O_RDWR, 0640), EEXIST);
	CHECK_EQ(write(fd, "hello", 5), 5);
	CHECK_SYS(fstat(fd, &st));
	CHECK_EQ(st.st_size, 5);
	CHECK_EQ(st.st_nlink, 1);
	CHECK(S_ISREG(st.st_mode));
	CHECK_SYS(link(a, b));
	CHECK_SYS(stat(b, &st2));
	CHECK_EQ(st2.st_ino, st.st_ino);
	CHECK_EQ(st2.st_nlink, 2);
	CHECK_SYS(symlink("a", c));
	n = readlink(c, link_text, sizeof(link_text));
	CHECK(n == 1 && link_text[0] == 'a');
	CHECK_SYS(lstat(c, &st2));
	CHECK(S_ISLNK(st2.st_mode));
	CHECK_SYS(unlink(c));
	CHECK_SYS(rename(a, c));
	CHECK_ERR(access(a, F_OK), ENOENT);
	CHECK_ERR(rmdir(dir), ENOTEMPTY);
	CHECK_ERR(mkdir(dir, 0700), EEXIST);
	CHECK_SYS(unlink(b));
	CHECK_SYS(unlink(c));
	/* Without a name it lives on while open. */
	CHECK_SYS(fstat(fd, &st));
	CHECK_EQ(st.st_nlink, 0);
	CHECK_EQ(pread(fd, link_text, 5, 0), 5);
	CHECK_SYS(chmod(dir, 0700));
	CHECK_SYS(rmdir(dir));
	CHECK_ERR(open(a, O_RDONLY), ENOENT);
}

static void many_files(void)
{
	enum { N = 200 };
	char dir[200], path[300];
	bool seen[N] = { false };
	struct dirent *e;
	int count = 0;
	DIR *d;

	temp_dir(dir, sizeof(dir));
	for (int i = 0; i < N; i++) {
		snprintf(path, sizeof(path), "%s/file-%d", dir, i);
		int fd = CHECK_SYS(open(path, O_CREAT | O_WRONLY, 0600));

		CHECK_EQ(write(fd, &i, sizeof(i)), sizeof(i));
		close(fd);
	}
	d = opendir(dir);
	CHECK(d);
	while ((e = readdir(d))) {
		int i;

		if (sscanf(e->d_name, "file-%d", &i) != 1)
			continue;
		CHECK(i >= 0 && i < N && !seen[i]);
		seen[i] = true;
		count++;
	}
	closedir(d);
	CHECK_EQ(count, N);
	for (int i = 0; i < N; i++) {
		int v = -1, fd;

		snprintf(path, sizeof(path), "%s/file-%d", dir, i);
		fd = CHECK_SYS(open(path, O_RDONLY));
		CHECK_EQ(read(fd, &v, sizeof(v)), sizeof(v));
		CHECK_EQ(v, i);
		close(fd);
		CHECK_SYS(unlink(path));
	}
	CHECK_SYS(rmdir(dir));
}

static void sizes(void)
{
	int fd = temp_file(0);
	struct stat st;
	char c = 1;

	CHECK_EQ(pwrite(fd, "x", 1, 1 << 20), 1);
	CHECK_SYS(fstat(fd, &st));
	CHECK_EQ(st.st_size, (1 << 20) + 1);
	CHECK_EQ(pread(fd, &c, 1, 5000), 1);
	CHECK_EQ(c, 0);
	CHECK_SYS(ftruncate(fd, 10));
	CHECK_SYS(ftruncate(fd, 1 << 20));
	CHECK_EQ(pread(fd, &c, 1, 10), 1);
	CHECK_EQ(c, 0);
	CHECK_EQ(lseek(fd, -5, SEEK_END), (1 << 20) - 5);
	CHECK_ERR(lseek(fd, -1, SEEK_SET), EINVAL);
	int append = CHECK_SYS(fcntl(fd, F_GETFL));

	CHECK_SYS(fcntl(fd, F_SETFL, append | O_APPEND));
	CHECK_SYS(lseek(fd, 0, SEEK_SET));
	CHECK_EQ(write(fd, "end", 3), 3);
	CHECK_SYS(fstat(fd, &st));
	CHECK_EQ(st.st_size, (1 << 20) + 3);
	CHECK_SYS(fcntl(fd, F_SETFL, append));
	/* Beyond 4 GiB, if the file system goes so far. */
	if (pwrite(fd, "y", 1, 5ll << 30) == 1) {
		CHECK_SYS(fstat(fd, &st));
		CHECK_EQ(st.st_size, (5ll << 30) + 1);
	}
}

static void append_together(void)
{
	enum { WRITERS = 4, LEN = 100 };
	char dir[200], path[300], buf[LEN];
	int n = rounds(50), seen[WRITERS] = { 0 }, fd;
	pid_t pid[WRITERS];

	snprintf(path, sizeof(path), "%s/log", temp_dir(dir, sizeof(dir)));
	fd = CHECK_SYS(open(path, O_CREAT | O_RDWR, 0600));
	for (int w = 0; w < WRITERS; w++) {
		pid[w] = xfork();
		if (pid[w])
			continue;
		int mine = CHECK_SYS(open(path, O_WRONLY | O_APPEND));

		memset(buf, 'A' + w, LEN);
		for (int i = 0; i < n; i++)
			CHECK_EQ(write(mine, buf, LEN), LEN);
		_exit(0);
	}
	for (int w = 0; w < WRITERS; w++)
		expect_exit(pid[w], 0);
	while (read(fd, buf, LEN) == LEN) {
		for (int i = 1; i < LEN; i++)
			CHECK_EQ(buf[i], buf[0]);
		seen[buf[0] - 'A']++;
	}
	for (int w = 0; w < WRITERS; w++)
		CHECK_EQ(seen[w], n);
	CHECK_SYS(unlink(path));
	CHECK_SYS(rmdir(dir));
}

/* flock and fcntl locks: exclusion shown by a counter in the file. */
static void count_under(int fd, bool posix, int n)
{
	for (int i = 0; i < n; i++) {
		struct flock fl = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_len = 8 };
		int v = 0;

		if (posix)
			CHECK_SYS(fcntl(fd, F_SETLKW, &fl));
		else
			CHECK_SYS(flock(fd, LOCK_EX));
		CHECK_EQ(pread(fd, &v, sizeof(v), 0), sizeof(v));
		if (i % 8 == 0)
			sched_yield();
		v++;
		CHECK_EQ(pwrite(fd, &v, sizeof(v), 0), sizeof(v));
		fl.l_type = F_UNLCK;
		if (posix)
			CHECK_SYS(fcntl(fd, F_SETLK, &fl));
		else
			CHECK_SYS(flock(fd, LOCK_UN));
	}
}

static void locks(bool posix)
{
	char dir[200], path[300];
	int fd, v = 0, n = rounds(100);
	pid_t pid[4];

	snprintf(path, sizeof(path), "%s/lock", temp_dir(dir, sizeof(dir)));
	fd = CHECK_SYS(open(path, O_CREAT | O_RDWR, 0600));
	CHECK_EQ(write(fd, &v, sizeof(v)), sizeof(v));
	for (int i = 0; i < 4; i++) {
		pid[i] = xfork();
		if (!pid[i]) {
			count_under(CHECK_SYS(open(path, O_RDWR)), posix, n);
			_exit(0);
		}
	}
	for (int i = 0; i < 4; i++)
		expect_exit(pid[i], 0);
	CHECK_EQ(pread(fd, &v, sizeof(v), 0), sizeof(v));
	CHECK_EQ(v, 4 * n);
	CHECK_SYS(unlink(path));
	CHECK_SYS(rmdir(dir));
}

static void flocks(void)
{
	locks(false);
}

static void fcntl_locks(void)
{
	struct flock fl = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 10, .l_len = 10 };
	int fd = temp_file(100), ready[2];
	char c, state, path[64];

	locks(true);
	CHECK_SYS(pipe(ready));
	CHECK_SYS(fcntl(fd, F_SETLK, &fl));
	pid_t pid = xfork();

	if (!pid) {
		struct flock q = { .l_type = F_RDLCK, .l_whence = SEEK_SET, .l_start = 15, .l_len = 1 };

		CHECK_SYS(fcntl(fd, F_GETLK, &q));
		CHECK_EQ(q.l_type, F_WRLCK);
		CHECK_EQ(q.l_pid, getppid());
		CHECK_EQ(q.l_start, 10);
		q = (struct flock){ .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 19, .l_len = 1 };
		CHECK_ERR(fcntl(fd, F_SETLK, &q), EAGAIN);
		q.l_start = 20;
		CHECK_SYS(fcntl(fd, F_SETLK, &q));
		/* Now wait for the parent's, while the parent waits for this one: a deadlock. */
		CHECK_EQ(write(ready[1], "r", 1), 1);
		q.l_start = 10;
		CHECK_SYS(fcntl(fd, F_SETLKW, &q));
		_exit(0);
	}
	CHECK_EQ(read(ready[0], &c, 1), 1);
	/* The kernel sees the circle as soon as the child waits; until then this succeeds never. */
	fl.l_start = 20;
	fl.l_len = 1;
	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	for (;;) {
		if (fcntl(fd, F_SETLK, &fl) == 0)
			FAIL("a lock another process holds was given");
		state = task_state(path);
		if (!state)
			break;
		if (state == 'S') {
			CHECK_ERR(fcntl(fd, F_SETLKW, &fl), EDEADLK);
			break;
		}
		sched_yield();
	}
	fl = (struct flock){ .l_type = F_UNLCK, .l_whence = SEEK_SET };
	CHECK_SYS(fcntl(fd, F_SETLK, &fl));
	expect_exit(pid, 0);
}

static void notices(void)
{
	char dir[200], path[300], to[300];
	char buf[4096] __attribute__((aligned(8)));
	static const uint32_t want[] = { IN_CREATE, IN_OPEN, IN_MODIFY, IN_CLOSE_WRITE, IN_MOVED_FROM,
		IN_MOVED_TO, IN_DELETE };
	size_t got = 0;
	int in = inotify_init1(IN_NONBLOCK), fd;

	if (in < 0 && errno == ENOSYS)
		SKIP("no inotify");
	CHECK_SYS(in);
	temp_dir(dir, sizeof(dir));
	CHECK_SYS(inotify_add_watch(in, dir, IN_ALL_EVENTS & ~IN_ACCESS & ~IN_ATTRIB));
	snprintf(path, sizeof(path), "%s/f", dir);
	snprintf(to, sizeof(to), "%s/g", dir);
	fd = CHECK_SYS(open(path, O_CREAT | O_WRONLY, 0600));
	CHECK_EQ(write(fd, "x", 1), 1);
	close(fd);
	CHECK_SYS(rename(path, to));
	CHECK_SYS(unlink(to));
	for (;;) {
		ssize_t n = read(in, buf, sizeof(buf));

		if (n < 0)
			break;
		for (char *p = buf; p < buf + n;) {
			struct inotify_event *e = (void *)p;

			CHECK(got < ARRAY_SIZE(want));
			CHECK_EQ(e->mask, want[got]);
			CHECK(!strcmp(e->name, got < 5 ? "f" : "g"));
			got++;
			p += sizeof(*e) + e->len;
		}
	}
	CHECK_EQ(errno, EAGAIN);
	CHECK_EQ(got, ARRAY_SIZE(want));
	CHECK_SYS(rmdir(dir));
}

static void directories(void)
{
	char dir[200], cwd[300], real[300];
	int fd;

	temp_dir(dir, sizeof(dir));
	CHECK(realpath(dir, real));
	CHECK_SYS(chdir(dir));
	CHECK(getcwd(cwd, sizeof(cwd)));
	CHECK(!strcmp(cwd, real));
	CHECK_SYS(mkdir("sub", 0755));
	fd = CHECK_SYS(open("sub", O_RDONLY | O_DIRECTORY));
	int f = CHECK_SYS(openat(fd, "inner", O_CREAT | O_WRONLY, 0600));

	close(f);
	CHECK_SYS(faccessat(AT_FDCWD, "sub/inner", F_OK, 0));
	CHECK_SYS(fchdir(fd));
	CHECK_SYS(access("inner", F_OK));
	CHECK_SYS(unlinkat(fd, "inner", 0));
	CHECK_SYS(chdir(".."));
	CHECK_SYS(unlinkat(AT_FDCWD, "sub", AT_REMOVEDIR));
	CHECK_SYS(chdir("/"));
	CHECK_SYS(rmdir(dir));
	CHECK_ERR(chdir(dir), ENOENT);
}

static void times(void)
{
	int fd = temp_file(0);
	struct timespec ts[2] = { { 1000000000, 123456789 }, { 1100000000, 0 } };
	struct stat st;

	CHECK_SYS(futimens(fd, ts));
	CHECK_SYS(fstat(fd, &st));
	CHECK_EQ(st.st_atime, 1000000000);
	CHECK_EQ(st.st_mtime, 1100000000);
	CHECK_EQ(write(fd, "x", 1), 1);
	CHECK_SYS(fstat(fd, &st));
	CHECK(st.st_mtime != 1100000000);
}

const struct test fs_tests[] = {
	{ "fs-random-io", random_io, 0 },
	{ "fs-names", names, 0 },
	{ "fs-many-files", many_files, 0 },
	{ "fs-sizes", sizes, 0 },
	{ "fs-append", append_together, 0 },
	{ "fs-flock", flocks, 0 },
	{ "fs-fcntl-locks", fcntl_locks, 0 },
	{ "fs-inotify", notices, 0 },
	{ "fs-directories", directories, 0 },
	{ "fs-times", times, 0 },
	{ NULL, NULL, 0 },
};
