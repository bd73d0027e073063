// SPDX-License-Identifier: GPL-2.0
/*
 * kick COUNT LAUNCHER SPACE... - how long a guest that computes takes to notice
 *
 * Interrupts a guest as its launcher does (raise_irq() of launcher/run.c), and
 * watches for the guest's answer in the state that launcher and spaces share: a
 * bit of dev_pending is set, the space is signalled, and the guest's interrupt
 * handler begins by taking the bit.  The bit is that of a device that is not
 * there, so that handling the interrupt is all that comes of it.
 *
 * Runs on the host, on another processor than the guest.  Prints JSON with the
 * nanoseconds that each kick took, from just before the bit is set.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "state.h"

#define NO_DEVICE	(PLEX86_MAX_DEVICES - 1)
#define PATIENCE_NS	1000000000ull

/* Between kicks: a time that no tick of the guest's is a multiple of. */
#define PAUSE_NS	1370000

static void __attribute__((noreturn, format(printf, 1, 2)))
die(const char *format, ...)
{
	va_list args;

	fputs("kick: ", stderr);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	exit(1);
}

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

/* The state of the VM of @launcher, by way of the launcher's descriptor. */
static struct state *map_state(const char *launcher)
{
	char place[64], path[PATH_MAX], to[64];
	struct state *state = NULL;
	struct dirent *entry;
	DIR *dir;

	snprintf(place, sizeof(place), "/proc/%s/fd", launcher);
	dir = opendir(place);
	if (!dir)
		die("%s: %s", place, strerror(errno));
	while (!state && (entry = readdir(dir))) {
		ssize_t n;
		int fd;

		snprintf(path, sizeof(path), "%s/%s", place, entry->d_name);
		n = readlink(path, to, sizeof(to) - 1);
		if (n < 0)
			continue;
		to[n] = 0;
		if (!strstr(to, "memfd:plex86-state"))
			continue;
		fd = open(path, O_RDWR | O_CLOEXEC);
		if (fd < 0)
			die("%s: %s", path, strerror(errno));
		state = mmap(NULL, sizeof(*state), PROT_READ | PROT_WRITE,
			     MAP_SHARED, fd, 0);
		if (state == MAP_FAILED)
			die("%s: mmap: %s", path, strerror(errno));
		close(fd);
	}
	closedir(dir);
	if (!state)
		die("process %s: has no plex86-state; is it plex86?", launcher);
	return state;
}

/*
 * One kick; the nanoseconds it took, or 0 if another was on its way already and
 * this one had a part of the time only.
 */
static uint64_t kick(struct state *state, char **spaces)
{
	struct plex86_info *info = (void *)state->info_page;
	u32 *taken = &info->dev_pending[NO_DEVICE / 32];
	u32 bit = 1u << (NO_DEVICE % 32);
	uint64_t start = now_ns(), ns;
	bool mine;
	pid_t pid;

	__atomic_or_fetch(taken, bit, __ATOMIC_SEQ_CST);
	__atomic_or_fetch(&info->irq_pending, 1u << PLEX86_IRQ_BUS,
			  __ATOMIC_SEQ_CST);
	mine = !__atomic_exchange_n(&state->kicked, 1, __ATOMIC_SEQ_CST);
	if (mine) {
		pid = (pid_t)__atomic_load_n(&state->active_pid,
					     __ATOMIC_SEQ_CST);
		while (*spaces && atoi(*spaces) != pid)
			spaces++;
		if (!*spaces)
			die("process %d: is no space of this guest", pid);
		if (syscall(SYS_tgkill, pid, pid, SIG_KICK))
			die("tgkill: %s", strerror(errno));
	}
	do {
		ns = now_ns() - start;
		if (ns > PATIENCE_NS)
			die("the guest has not taken an interrupt for a second");
	} while (__atomic_load_n(taken, __ATOMIC_ACQUIRE) & bit);
	return mine ? ns : 0;
}

int main(int argc, char **argv)
{
	const struct timespec between = { .tv_nsec = PAUSE_NS };
	struct state *state;
	const char *comma = "";
	long count = argc < 4 ? 0 : atol(argv[1]);

	if (count < 1) {
		fputs("usage: kick COUNT LAUNCHER SPACE...\n", stderr);
		return 2;
	}
	state = map_state(argv[2]);
	fputs("{\"ns\": [", stdout);
	while (count) {
		uint64_t ns;

		nanosleep(&between, NULL);
		ns = kick(state, argv + 3);
		if (!ns)
			continue;
		printf("%s%llu", comma, (unsigned long long)ns);
		comma = ", ";
		count--;
	}
	puts("]}");
	return 0;
}
