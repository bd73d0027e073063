// SPDX-License-Identifier: GPL-2.0
/*
 * What many tests need and none owns: children, shared memory, temporary files, checksums and
 * clocks. Never decides a verdict beyond `this helper could not do its work`.
 */
#include "conform.h"

#include <fcntl.h>
#include <sched.h>

pid_t xfork(void)
{
	return CHECK_SYS(fork());
}

int wait_status(pid_t pid)
{
	int status;

	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			FAIL("waitpid: %s", strerror(errno));
	/* The child wrote the reason already. */
	if (WIFEXITED(status) && WEXITSTATUS(status) == 99)
		_exit(99);
	return status;
}

void expect_exit(pid_t pid, int code)
{
	int status = wait_status(pid);

	if (WIFSIGNALED(status))
		FAIL("child died by signal %d, want exit %d", WTERMSIG(status), code);
	if (!WIFEXITED(status) || WEXITSTATUS(status) != code)
		FAIL("child status 0x%x, want exit %d", status, code);
}

void expect_signal(pid_t pid, int sig)
{
	int status = wait_status(pid);

	if (!WIFSIGNALED(status) || WTERMSIG(status) != sig)
		FAIL("child status 0x%x, want death by signal %d", status, sig);
}

void *shared_alloc(size_t len_bytes)
{
	void *p = mmap(NULL, len_bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	CHECK(p != MAP_FAILED);
	return p;
}

void *xmmap(size_t len_bytes, int prot)
{
	void *p = mmap(NULL, len_bytes, prot, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	CHECK(p != MAP_FAILED);
	return p;
}

static const char *tmp(void)
{
	const char *dir = getenv("TMPDIR");

	return dir && *dir ? dir : "/tmp";
}

int temp_file(off_t len_bytes)
{
	char name[300];
	int fd;

	snprintf(name, sizeof(name), "%s/conformXXXXXX", tmp());
	fd = mkstemp(name);
	if (fd < 0)
		FAIL("mkstemp in the temporary directory: %s", strerror(errno));
	CHECK_SYS(unlink(name));
	CHECK_SYS(ftruncate(fd, len_bytes));
	return fd;
}

char *temp_dir(char *buf, size_t len_bytes)
{
	snprintf(buf, len_bytes, "%s/conformXXXXXX", tmp());
	if (!mkdtemp(buf))
		FAIL("mkdtemp in the temporary directory: %s", strerror(errno));
	return buf;
}

char task_state(const char *path)
{
	char text[256] = "";
	int fd = open(path, O_RDONLY);
	const char *name_end;
	ssize_t n;

	if (fd < 0)
		return '\0';
	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	/* The name before it may have any character in it. */
	name_end = n > 0 ? strrchr(text, ')') : NULL;
	return name_end && name_end[1] ? name_end[2] : '\0';
}

void await_atleast(volatile int *p, int v)
{
	while (__atomic_load_n(p, __ATOMIC_SEQ_CST) < v)
		sched_yield();
}

int64_t now_ns(clockid_t clock)
{
	struct timespec ts;

	CHECK_SYS(clock_gettime(clock, &ts));
	return ts.tv_sec * NSEC_PER_SEC + ts.tv_nsec;
}

void sleep_ms(int ms)
{
	struct timespec ts = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * NSEC_PER_MSEC };

	while (nanosleep(&ts, &ts) < 0 && errno == EINTR)
		;
}

uint32_t crc32_add(uint32_t crc, const void *buf, size_t len_bytes)
{
	static uint32_t table[256];
	const unsigned char *p = buf;

	if (!table[1]) {
		for (uint32_t i = 0; i < 256; i++) {
			uint32_t v = i;

			for (int k = 0; k < 8; k++)
				v = v >> 1 ^ (v & 1 ? 0xedb88320u : 0);
			table[i] = v;
		}
	}
	crc = ~crc;
	while (len_bytes--)
		crc = crc >> 8 ^ table[(crc ^ *p++) & 0xff];
	return ~crc;
}

uint32_t prng(uint32_t *state)
{
	uint32_t x = *state;

	x ^= x << 13;
	x ^= x >> 17;
	x ^= x << 5;
	return *state = x;
}

void pattern_fill(void *buf, size_t len_bytes, uint64_t *pos, uint32_t *state)
{
	unsigned char *p = buf;

	for (size_t i = 0; i < len_bytes; i++, (*pos)++) {
		uint32_t x = prng(state);

		p[i] = *pos % 64 == 63 ? '\n' : (unsigned char)(0x20 + (x >> 8) % 95);
	}
}

void catch_signal(int sig, siginfo_fn fn, int flags)
{
	struct sigaction sa = { .sa_sigaction = fn, .sa_flags = SA_SIGINFO | flags };

	CHECK_SYS(sigaction(sig, &sa, NULL));
}

void default_signal(int sig)
{
	struct sigaction sa = { .sa_handler = SIG_DFL };

	CHECK_SYS(sigaction(sig, &sa, NULL));
}
