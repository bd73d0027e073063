// SPDX-License-Identifier: GPL-2.0
/*
 * Memory mappings: what is shared, what is copied, what a change of the map does to the data.
 */
#include "conform.h"

#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <sys/resource.h>

static void *map_file(int fd, size_t len, int prot, int flags, off_t off)
{
	void *p = mmap(NULL, len, prot, flags, fd, off);

	CHECK(p != MAP_FAILED);
	return p;
}

static sigjmp_buf probe_env;

static void on_probe(int sig)
{
	(void)sig;
	siglongjmp(probe_env, 1);
}

/* One access by the process itself: did it work? */
static bool can_read(const volatile char *p)
{
	signal(SIGSEGV, on_probe);
	if (sigsetjmp(probe_env, 1))
		return false;
	(void)*p;
	return true;
}

static bool can_write(volatile char *p)
{
	signal(SIGSEGV, on_probe);
	if (sigsetjmp(probe_env, 1))
		return false;
	*p = *p;
	return true;
}

static void anonymous_zero(void)
{
	for (int round = 0; round < rounds(10); round++) {
		uint32_t *p = xmmap(64 * PAGE, PROT_READ | PROT_WRITE);

		for (unsigned int i = 0; i < 64 * PAGE / 4; i++)
			CHECK_EQ(p[i], 0);
		memset(p, 0xee, 64 * PAGE);
		CHECK_SYS(munmap(p, 64 * PAGE));
	}
}

static void cow_child_writes(void)
{
	uint32_t *p = xmmap(32 * PAGE, PROT_READ | PROT_WRITE);

	for (unsigned int i = 0; i < 32; i++)
		p[i * 1024] = i;
	pid_t pid = xfork();

	if (!pid) {
		for (unsigned int i = 0; i < 32; i++) {
			CHECK_EQ(p[i * 1024], i);
			p[i * 1024] = i + 1000;
		}
		for (unsigned int i = 0; i < 32; i++)
			CHECK_EQ(p[i * 1024], i + 1000);
		_exit(0);
	}
	expect_exit(pid, 0);
	for (unsigned int i = 0; i < 32; i++)
		CHECK_EQ(p[i * 1024], i);
}

static void cow_parent_writes(void)
{
	uint32_t *p = xmmap(32 * PAGE, PROT_READ | PROT_WRITE);
	volatile int *stage = shared_alloc(PAGE);

	for (unsigned int i = 0; i < 32; i++)
		p[i * 1024] = i;
	pid_t pid = xfork();

	if (!pid) {
		await_atleast(stage, 1);
		for (unsigned int i = 0; i < 32; i++)
			CHECK_EQ(p[i * 1024], i);
		_exit(0);
	}
	for (unsigned int i = 0; i < 32; i++)
		p[i * 1024] = ~i;
	__atomic_store_n(stage, 1, __ATOMIC_SEQ_CST);
	expect_exit(pid, 0);
	for (unsigned int i = 0; i < 32; i++)
		CHECK_EQ(p[i * 1024], ~i);
}

/* Ten generations, each changing one page: each sees its ancestors' changes and no others. */
static void cow_generations(void)
{
	volatile uint32_t *p = xmmap(10 * PAGE, PROT_READ | PROT_WRITE);
	pid_t pid;

	for (unsigned int i = 0; i < 10; i++)
		p[i * 1024] = 0;
	for (unsigned int gen = 0; gen < 10; gen++) {
		p[gen * 1024] = gen + 1;
		pid = xfork();
		if (pid) {
			/* Dirty all of it while the descendants live. */
			for (unsigned int i = 0; i < 10; i++)
				p[i * 1024 + 1] = 0xbad;
			expect_exit(pid, 0);
			if (gen)
				_exit(0);
			return;
		}
		for (unsigned int i = 0; i < 10; i++) {
			CHECK_EQ(p[i * 1024], i <= gen ? i + 1 : 0);
			CHECK_EQ(p[i * 1024 + 1], 0);
		}
	}
	_exit(0);
}

static void shared_anonymous(void)
{
	volatile uint32_t *p = shared_alloc(16 * PAGE);

	pid_t pid = xfork();

	if (!pid) {
		for (unsigned int i = 0; i < 16; i++)
			p[i * 1024] = i + 7;
		_exit(0);
	}
	expect_exit(pid, 0);
	for (unsigned int i = 0; i < 16; i++)
		CHECK_EQ(p[i * 1024], i + 7);
}

static void shared_file(void)
{
	int fd = temp_file(4 * PAGE);
	char *a = map_file(fd, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, 0);
	char *b = map_file(fd, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, 2 * PAGE);
	char buf[16];

	/* Written through one, read by all. */
	for (int i = 0; i < rounds(100); i++) {
		a[2 * PAGE + 5] = (char)i;
		CHECK_EQ(b[5], (char)i);
		CHECK_EQ(pread(fd, buf, 1, 2 * PAGE + 5), 1);
		CHECK_EQ(buf[0], (char)i);
		buf[0] = (char)~i;
		CHECK_EQ(pwrite(fd, buf, 1, 2 * PAGE + 6), 1);
		CHECK_EQ(a[2 * PAGE + 6], (char)~i);
		CHECK_EQ(b[6], (char)~i);
	}
	CHECK_SYS(msync(a, 4 * PAGE, MS_SYNC));
	CHECK_SYS(msync(a, 4 * PAGE, MS_ASYNC));
	CHECK_ERR(msync(a + 1, PAGE, MS_SYNC), EINVAL);
	CHECK_SYS(munmap(a, 4 * PAGE));
	CHECK_EQ(pread(fd, buf, 1, 2 * PAGE + 5), 1);
	CHECK_EQ(buf[0], (char)(rounds(100) - 1));
}

/*
 * The first write to each page, after the page was only read: the write must reach the file,
 * which it does only if the page is known to be dirty.
 */
static void dirty_seen(void)
{
	enum { N = 64 };
	int fd = temp_file(N * PAGE);
	volatile char *p = map_file(fd, N * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, 0);
	char c;

	for (int round = 1; round <= 3; round++) {
		for (unsigned int i = 0; i < N; i++)
			CHECK_EQ(p[i * PAGE], round - 1);
		for (unsigned int i = 0; i < N; i++)
			p[i * PAGE] = (char)round;
		CHECK_SYS(msync((void *)p, N * PAGE, MS_SYNC));
		/* Clean again: the next write is a first one again. */
		CHECK_SYS(fsync(fd));
	}
	CHECK_SYS(munmap((void *)p, N * PAGE));
	posix_fadvise(fd, 0, N * PAGE, POSIX_FADV_DONTNEED);
	for (unsigned int i = 0; i < N; i++) {
		CHECK_EQ(pread(fd, &c, 1, i * PAGE), 1);
		CHECK_EQ(c, 3);
	}
}

static void private_file(void)
{
	int fd = temp_file(0);
	char *p, *q, buf[4];

	CHECK_EQ(write(fd, "original contents", 17), 17);
	p = map_file(fd, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, 0);
	q = map_file(fd, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, 0);
	CHECK(!memcmp(p, "original", 8));
	memcpy(p, "CHANGED!", 8);
	CHECK(!memcmp(q, "original", 8));
	CHECK_EQ(pread(fd, buf, 4, 0), 4);
	CHECK(!memcmp(buf, "orig", 4));
	/* Not yet copied: the file's change is seen. Copied: not any more. */
	CHECK_EQ(pwrite(fd, "ORIG", 4, 0), 4);
	CHECK(!memcmp(q, "ORIG", 4));
	CHECK(!memcmp(p, "CHAN", 4));
	/* The copy thrown away, the file is back. */
	CHECK_SYS(madvise(p, PAGE, MADV_DONTNEED));
	CHECK(!memcmp(p, "ORIG", 4));
}

static void fixed_over(void)
{
	int fd = temp_file(2 * PAGE);
	char *p = xmmap(5 * PAGE, PROT_READ | PROT_WRITE);

	memset(p, 'o', 5 * PAGE);
	CHECK_EQ(pwrite(fd, "file", 4, PAGE), 4);
	CHECK(mmap(p + 2 * PAGE, PAGE, PROT_READ, MAP_PRIVATE | MAP_FIXED, fd, PAGE) == p + 2 * PAGE);
	CHECK_EQ(p[2 * PAGE - 1], 'o');
	CHECK(!memcmp(p + 2 * PAGE, "file", 4));
	CHECK_EQ(p[3 * PAGE], 'o');
	CHECK(!can_write(p + 2 * PAGE));
	CHECK(mmap(p + PAGE, 3 * PAGE, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == p + PAGE);
	CHECK_EQ(p[2 * PAGE], 0);
	CHECK_EQ(p[0], 'o');
	CHECK_EQ(p[4 * PAGE], 'o');
	CHECK_ERR((long)mmap(p, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE,
			     -1, 0), EEXIST);
	CHECK_ERR((long)mmap(p + 1, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0),
		  EINVAL);
	CHECK_ERR((long)mmap(NULL, 0, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), EINVAL);
}

static void partial_unmap(void)
{
	char *p = xmmap(9 * PAGE, PROT_READ | PROT_WRITE);
	unsigned char vec[9];

	for (int i = 0; i < 9; i++)
		p[i * PAGE] = (char)i;
	CHECK_SYS(munmap(p + 3 * PAGE, 2 * PAGE));
	CHECK_SYS(munmap(p, PAGE));
	CHECK_SYS(munmap(p + 8 * PAGE, PAGE));
	for (int i = 0; i < 9; i++) {
		bool there = i != 0 && i != 3 && i != 4 && i != 8;

		CHECK_EQ(can_read(p + i * PAGE), there);
		if (there)
			CHECK_EQ(p[i * PAGE], i);
	}
	CHECK_ERR(mincore(p + 2 * PAGE, 3 * PAGE, vec), ENOMEM);
	/* Of nothing: no error. Of what is misaligned: an error. */
	CHECK_SYS(munmap(p + 3 * PAGE, 2 * PAGE));
	CHECK_ERR(munmap(p + 1, PAGE), EINVAL);
	/* The hole can be used again, empty. */
	CHECK(mmap(p + 3 * PAGE, PAGE, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) == p + 3 * PAGE);
	CHECK_EQ(p[3 * PAGE], 0);
}

static void protect_all_ways(void)
{
	static const int prots[] = { PROT_NONE, PROT_READ, PROT_READ | PROT_WRITE,
		PROT_READ | PROT_EXEC, PROT_READ | PROT_WRITE | PROT_EXEC };
	volatile char *p = xmmap(PAGE, PROT_READ | PROT_WRITE);
	char value = 1;

	p[9] = value;
	for (size_t from = 0; from < ARRAY_SIZE(prots); from++) {
		for (size_t to = 0; to < ARRAY_SIZE(prots); to++) {
			CHECK_SYS(mprotect((void *)p, PAGE, prots[from]));
			if (prots[from] & PROT_READ)
				CHECK_EQ(p[9], value);
			if (prots[from] & PROT_WRITE)
				p[9] = ++value;
			CHECK_SYS(mprotect((void *)p, PAGE, prots[to]));
			CHECK_EQ(can_read(p + 9), !!prots[to]);
			CHECK_EQ(can_write(p + 9), !!(prots[to] & PROT_WRITE));
			if (prots[to])
				CHECK_EQ(p[9], value);
		}
	}
	CHECK_ERR(mprotect((char *)p + 1, PAGE, PROT_READ), EINVAL);
	CHECK_SYS(munmap((void *)p, PAGE));
	CHECK_ERR(mprotect((void *)p, PAGE, PROT_READ), ENOMEM);
	int fd = CHECK_SYS(open(self_path, O_RDONLY));
	char *ro = map_file(fd, PAGE, PROT_READ, MAP_SHARED, 0);

	CHECK_ERR(mprotect(ro, PAGE, PROT_READ | PROT_WRITE), EACCES);
}

static void protect_splits(void)
{
	char *p = xmmap(16 * PAGE, PROT_READ | PROT_WRITE);

	memset(p, 1, 16 * PAGE);
	for (int i = 0; i < 16; i += 2)
		CHECK_SYS(mprotect(p + i * PAGE, PAGE, PROT_READ));
	for (int i = 0; i < 16; i++)
		CHECK_EQ(can_write(p + i * PAGE), i & 1);
	CHECK_SYS(mprotect(p, 16 * PAGE, PROT_READ | PROT_WRITE));
	for (int i = 0; i < 16; i++)
		CHECK(can_write(p + i * PAGE));
	CHECK_SYS(mprotect(p + 3 * PAGE, 7 * PAGE, PROT_NONE));
	for (int i = 0; i < 16; i++)
		CHECK_EQ(can_read(p + i * PAGE), i < 3 || i >= 10);
	CHECK_SYS(mprotect(p, 16 * PAGE, PROT_READ));
	for (int i = 0; i < 16; i++)
		CHECK_EQ(p[i * PAGE + 100], 1);
}

static void remap_grow_shrink(void)
{
	char *p = xmmap(4 * PAGE, PROT_READ | PROT_WRITE), *q;

	for (int i = 0; i < 4; i++)
		p[i * PAGE] = (char)(i + 1);
	q = mremap(p, 4 * PAGE, 64 * PAGE, MREMAP_MAYMOVE);
	CHECK(q != MAP_FAILED);
	for (int i = 0; i < 4; i++)
		CHECK_EQ(q[i * PAGE], i + 1);
	for (int i = 4; i < 64; i++)
		CHECK_EQ(q[i * PAGE], 0);
	q[63 * PAGE] = 99;
	CHECK(mremap(q, 64 * PAGE, 2 * PAGE, 0) == q);
	CHECK_EQ(q[PAGE], 2);
	CHECK(!can_read(q + 2 * PAGE));
	/* Blocked from growing in place. */
	CHECK(mmap(q + 2 * PAGE, PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE,
		   -1, 0) == q + 2 * PAGE);
	CHECK_ERR((long)mremap(q, 2 * PAGE, 3 * PAGE, 0), ENOMEM);
	p = mremap(q, 2 * PAGE, 3 * PAGE, MREMAP_MAYMOVE);
	CHECK(p != MAP_FAILED && p != q);
	CHECK_EQ(p[0], 1);
	CHECK_EQ(p[PAGE], 2);
	CHECK_EQ(p[2 * PAGE], 0);
	CHECK(!can_read(q));
}

static void remap_fixed(void)
{
	char *p = xmmap(4 * PAGE, PROT_READ | PROT_WRITE), *q = xmmap(8 * PAGE, PROT_READ | PROT_WRITE);

	memset(p, 'p', 4 * PAGE);
	memset(q, 'q', 8 * PAGE);
	CHECK(mremap(p, 4 * PAGE, 4 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, q + 2 * PAGE) ==
	      q + 2 * PAGE);
	CHECK(!can_read(p));
	for (int i = 0; i < 8; i++)
		CHECK_EQ(q[i * PAGE], i >= 2 && i < 6 ? 'p' : 'q');
	/* To and fro, as a moving window does. */
	for (int i = 0; i < rounds(50); i++) {
		CHECK(mremap(q + 2 * PAGE, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, p) == p);
		CHECK_EQ(p[0], 'p');
		p[1] = (char)i;
		CHECK(!can_read(q + 2 * PAGE));
		CHECK(mremap(p, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, q + 2 * PAGE) ==
		      q + 2 * PAGE);
		CHECK_EQ(q[2 * PAGE + 1], (char)i);
		CHECK(!can_read(p));
	}
	CHECK_ERR((long)mremap(q, 8 * PAGE, 8 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, q + PAGE), EINVAL);
}

/* A shared mapping moved is still the same memory. */
static void remap_shared(void)
{
	int fd = temp_file(2 * PAGE);
	char *a = map_file(fd, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, 0);
	char *b = map_file(fd, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, 0);
	char *spot = xmmap(2 * PAGE, PROT_NONE);

	a[0] = 1;
	CHECK_EQ(b[0], 1);
	CHECK(mremap(a, 2 * PAGE, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, spot) == spot);
	spot[PAGE] = 2;
	CHECK_EQ(b[PAGE], 2);
	b[0] = 3;
	CHECK_EQ(spot[0], 3);
	/* Old length 0 makes a second mapping of shared memory. */
	char *c = mremap(b, 0, 2 * PAGE, MREMAP_MAYMOVE);

	CHECK(c != MAP_FAILED && c != b);
	c[1] = 4;
	CHECK_EQ(spot[1], 4);
}

static void dontneed(void)
{
	volatile char *p = xmmap(16 * PAGE, PROT_READ | PROT_WRITE);

	for (int round = 0; round < rounds(50); round++) {
		for (int i = 0; i < 16; i++)
			p[i * PAGE] = 1;
		CHECK_SYS(madvise((void *)(p + 4 * PAGE), 8 * PAGE, MADV_DONTNEED));
		for (int i = 0; i < 16; i++)
			CHECK_EQ(p[i * PAGE], i < 4 || i >= 12);
	}
	volatile char *s = shared_alloc(PAGE);

	s[0] = 1;
	CHECK_SYS(madvise((void *)s, PAGE, MADV_DONTNEED));
	CHECK_EQ(s[0], 1);
	CHECK_ERR(madvise((void *)p, PAGE, 12345), EINVAL);
}

static void fork_advice(void)
{
	char *drop = xmmap(PAGE, PROT_READ | PROT_WRITE), *wipe = xmmap(PAGE, PROT_READ | PROT_WRITE);

	*drop = *wipe = 5;
	CHECK_SYS(madvise(drop, PAGE, MADV_DONTFORK));
	CHECK_SYS(madvise(wipe, PAGE, MADV_WIPEONFORK));
	pid_t pid = xfork();

	if (!pid) {
		CHECK(!can_read(drop));
		CHECK_EQ(*wipe, 0);
		_exit(0);
	}
	expect_exit(pid, 0);
	CHECK_EQ(*drop, 5);
	CHECK_EQ(*wipe, 5);
}

static void heap(void)
{
	char *start = (char *)syscall(SYS_brk, 0);

	CHECK((char *)syscall(SYS_brk, start + 10 * PAGE) == start + 10 * PAGE);
	for (int i = 0; i < 10; i++) {
		CHECK_EQ(start[i * PAGE + 8], 0);
		start[i * PAGE + 8] = (char)i;
	}
	CHECK((char *)syscall(SYS_brk, start + 3 * PAGE) == start + 3 * PAGE);
	CHECK(!can_read(start + 4 * PAGE));
	CHECK((char *)syscall(SYS_brk, start + 10 * PAGE) == start + 10 * PAGE);
	CHECK_EQ(start[5 * PAGE + 8], 0);
	CHECK_EQ(start[2 * PAGE + 8], 2);
	/* Below the heap: refused, the old end comes back. */
	CHECK((char *)syscall(SYS_brk, (void *)0x1000) == start + 10 * PAGE);
	CHECK((char *)syscall(SYS_brk, start) == start);
}

/* A map of 512 MiB, of which a page here and there is used. */
static void sparse(void)
{
	size_t len = 512u << 20, step = 3u << 20;
	char *p = mmap(NULL, len, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (p == MAP_FAILED)
		SKIP("no room for 512 MiB of address space");
	CHECK_SYS(madvise(p, len, MADV_NOHUGEPAGE) == 0 || errno == EINVAL ? 0 : -1);
	for (size_t at = 0; at < len; at += step)
		*(uint32_t *)(p + at) = (uint32_t)at;
	for (size_t at = 0; at < len; at += step) {
		CHECK_EQ(*(uint32_t *)(p + at), at);
		CHECK_EQ(*(uint32_t *)(p + at + PAGE), 0);
	}
	pid_t pid = xfork();

	if (!pid) {
		for (size_t at = 0; at < len; at += step)
			CHECK_EQ(*(uint32_t *)(p + at), at);
		_exit(0);
	}
	expect_exit(pid, 0);
	CHECK_SYS(munmap(p, len));
}

static void grows_down(void)
{
	/* Room of its own: the guard gap below is 1 MiB. */
	char *room = xmmap(8u << 20, PROT_NONE), *top = room + (6u << 20);

	CHECK_SYS(munmap(room, 8u << 20));
	char *p = mmap(top, PAGE, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE | MAP_GROWSDOWN, -1, 0);
	CHECK(p == top);
	for (int i = 0; i < 64; i++) {
		volatile char *at = p - i * (int)PAGE;

		CHECK_EQ(*at, 0);
		*at = (char)i;
	}
	for (int i = 0; i < 64; i++)
		CHECK_EQ(p[-i * (int)PAGE], i);
}

/* Many small mappings of changing protection, which cannot be merged. */
static void many_maps(void)
{
	enum { N = 2000 };
	char *p = xmmap(N * PAGE, PROT_READ | PROT_WRITE);

	for (int i = 0; i < N; i++) {
		*(int *)(p + i * PAGE) = i;
		if (i & 1)
			CHECK_SYS(mprotect(p + i * PAGE, PAGE, PROT_READ));
	}
	for (int i = 0; i < N; i++)
		CHECK_EQ(*(int *)(p + i * PAGE), i);
	for (int i = 0; i < N; i += 3)
		CHECK_SYS(munmap(p + i * PAGE, PAGE));
	for (int i = 1; i < N; i += 3)
		CHECK_EQ(*(int *)(p + i * PAGE), i);
	CHECK_SYS(munmap(p, N * PAGE));
}

/* One memfd page seen at many addresses. */
static void aliases(void)
{
	enum { N = 32 };
	volatile uint32_t *at[N];
	int fd = memfd_create("alias", 0);

	if (fd < 0 && errno == ENOSYS)
		SKIP("no memfd_create");
	CHECK_SYS(fd);
	CHECK_SYS(ftruncate(fd, PAGE));
	for (int i = 0; i < N; i++)
		at[i] = map_file(fd, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, 0);
	for (int i = 0; i < N; i++) {
		*at[i] = (uint32_t)i;
		for (int k = 0; k < N; k++)
			CHECK_EQ(*at[k], i);
		CHECK_EQ(__atomic_add_fetch(at[(i + 1) % N], 1000, __ATOMIC_SEQ_CST), i + 1000);
	}
}

static void file_seals(void)
{
	int fd = memfd_create("seal", MFD_ALLOW_SEALING);

	if (fd < 0 && errno == ENOSYS)
		SKIP("no memfd_create");
	CHECK_SYS(fd);
	CHECK_SYS(ftruncate(fd, PAGE));
	CHECK_SYS(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE));
	CHECK_ERR(ftruncate(fd, 0), EPERM);
	CHECK_ERR(write(fd, "x", 1), EPERM);
	CHECK_ERR((long)mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0), EPERM);
	char *p = map_file(fd, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, 0);
	*p = 1;
}

/* Pages locked, populated, resident. */
static void populate(void)
{
	unsigned char vec[8];
	char *p = mmap(NULL, 8 * PAGE, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	struct rusage before, after;

	CHECK(p != MAP_FAILED);
	CHECK_SYS(mincore(p, 8 * PAGE, vec));
	for (int i = 0; i < 8; i++)
		CHECK_EQ(vec[i] & 1, 1);
	CHECK_SYS(mlock(p, 8 * PAGE));
	CHECK_SYS(getrusage(RUSAGE_SELF, &before));
	for (int i = 0; i < 8; i++)
		p[i * PAGE] = 1;
	CHECK_SYS(getrusage(RUSAGE_SELF, &after));
	/* In the kernel's books these are no faults, whatever a monitor does below. */
	CHECK_EQ(after.ru_minflt, before.ru_minflt);
	CHECK_SYS(munlock(p, 8 * PAGE));
}

/* A write by one process while another forks, unmaps and remaps the same range. */
static void reuse_address(void)
{
	char *p = xmmap(PAGE, PROT_NONE);

	for (int i = 0; i < rounds(200); i++) {
		CHECK(mmap(p, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED,
			   -1, 0) == p);
		CHECK_EQ(p[77], 0);
		p[77] = (char)(i | 1);
		if (i % 10 == 0) {
			pid_t pid = xfork();

			if (!pid) {
				CHECK_EQ(p[77], (char)(i | 1));
				CHECK_SYS(munmap(p, PAGE));
				CHECK(!can_read(p));
				_exit(0);
			}
			expect_exit(pid, 0);
		}
		CHECK_SYS(munmap(p, PAGE));
		CHECK(!can_read(p));
	}
}

/* The same addresses in several processes, different data, switched between at every turn. */
static void same_address(void)
{
	volatile uint32_t *p = xmmap(16 * PAGE, PROT_READ | PROT_WRITE);
	pid_t pid[6];

	for (uint32_t who = 0; who < 6; who++) {
		pid[who] = xfork();
		if (pid[who])
			continue;
		for (uint32_t i = 0; i < (uint32_t)rounds(200); i++) {
			uint32_t page = i % 16 * 1024;

			p[page] = who << 16 | i;
			sched_yield();
			CHECK_EQ(p[page], who << 16 | i);
			if (i >= 16)
				CHECK_EQ(p[(i + 1) % 16 * 1024], who << 16 | (i - 15));
		}
		_exit(0);
	}
	for (int i = 0; i < 6; i++)
		expect_exit(pid[i], 0);
}

const struct test mm_tests[] = {
	{ "mm-anonymous-zero", anonymous_zero, 0 },
	{ "mm-cow-child-writes", cow_child_writes, 0 },
	{ "mm-cow-parent-writes", cow_parent_writes, 0 },
	{ "mm-cow-generations", cow_generations, 0 },
	{ "mm-shared-anonymous", shared_anonymous, 0 },
	{ "mm-shared-file", shared_file, 0 },
	{ "mm-dirty-seen", dirty_seen, 0 },
	{ "mm-private-file", private_file, 0 },
	{ "mm-fixed-over", fixed_over, 0 },
	{ "mm-partial-unmap", partial_unmap, 0 },
	{ "mm-protect-all-ways", protect_all_ways, 0 },
	{ "mm-protect-splits", protect_splits, 0 },
	{ "mm-remap-grow-shrink", remap_grow_shrink, 0 },
	{ "mm-remap-fixed", remap_fixed, 0 },
	{ "mm-remap-shared", remap_shared, 0 },
	{ "mm-dontneed", dontneed, 0 },
	{ "mm-fork-advice", fork_advice, 0 },
	{ "mm-heap", heap, 0 },
	{ "mm-sparse", sparse, 0 },
	{ "mm-grows-down", grows_down, 0 },
	{ "mm-many-maps", many_maps, 0 },
	{ "mm-aliases", aliases, 0 },
	{ "mm-seals", file_seals, 0 },
	{ "mm-populate", populate, 0 },
	{ "mm-reuse-address", reuse_address, 0 },
	{ "mm-same-address", same_address, 0 },
	{ NULL, NULL, 0 },
};
