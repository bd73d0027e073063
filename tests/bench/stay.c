// SPDX-License-Identifier: GPL-2.0
/*
 * What a guest does while tools/bench measures it from outside: compute, sleep,
 * or sleep with memory and address spaces in use.  It ends by being killed.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#include "bench32.h"

#define PAGE_BYTES	4096ul

/* More processes than the monitor has spaces, so that each space is in use. */
#define PROCESSES	8
#define PROCESS_BYTES	(16ul << 20)	/* at most */
#define ROUNDS		200
#define TOUCHED		32		/* pages a turn */

static const char *staying;

static void report(const char *error)
{
	printf("{\"stay\": \"%s\"", staying);
	if (error)
		printf(", \"error\": \"%s: %s\"", error, strerror(errno));
	puts("}");
	fflush(stdout);
}

static void __attribute__((noreturn)) sleep_on(void)
{
	for (;;)
		pause();
}

static void __attribute__((noreturn)) cannot(const char *what)
{
	report(what);
	sleep_on();
}

static void __attribute__((noreturn)) stay_busy(void)
{
	const struct row *row;

	for (row = rows; row->name; row++)
		if (!strcmp(row->name, "compute"))
			break;
	row->setup();
	report(NULL);
	for (;;)
		row->run(1000000);
}

/*
 * In a process of its own: touch some pages at each turn, so that all are in
 * use at the end, and pass the turn on.
 */
static void __attribute__((noreturn))
take_turns(int in, int out, volatile char *p, unsigned long pages)
{
	unsigned long at = 0, i;
	char c;

	for (i = 0; i < pages; i++)
		p[i * PAGE_BYTES] = 1;
	for (;;) {
		if (read(in, &c, 1) != 1)
			_exit(1);
		for (i = 0; i < TOUCHED; i++, at++)
			p[at % pages * PAGE_BYTES]++;
		if (write(out, &c, 1) != 1)
			_exit(1);
	}
}

/* Processes in a ring, of which this one is the first. */
static void load(void)
{
	unsigned long pages = PROCESS_BYTES / PAGE_BYTES, share;
	int ring[PROCESSES + 1][2], i;
	struct sysinfo info;
	char *memory, c = 0;

	if (sysinfo(&info))
		cannot("sysinfo");
	share = (uint64_t)info.totalram * info.mem_unit / 2 / PROCESSES /
		PAGE_BYTES;
	if (pages > share)
		pages = share;
	/* Of which each process gets pages of its own as it touches them. */
	memory = mmap(NULL, pages * PAGE_BYTES, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (memory == MAP_FAILED)
		cannot("mmap");
	for (i = 0; i <= PROCESSES; i++)
		if (pipe(ring[i]))
			cannot("pipe");
	for (i = 0; i < PROCESSES; i++) {
		switch (fork()) {
		case -1:
			cannot("fork");
		case 0:
			take_turns(ring[i][0], ring[i + 1][1], memory, pages);
		}
	}
	for (i = 0; i < ROUNDS; i++)
		if (write(ring[0][1], &c, 1) != 1 ||
		    read(ring[PROCESSES][0], &c, 1) != 1)
			cannot("the ring of processes");
}

void stay(const char *what)
{
	staying = what;
	if (!strcmp(what, "busy"))
		stay_busy();
	if (!strcmp(what, "loaded")) {
		load();
	} else if (strcmp(what, "idle")) {
		errno = EINVAL;
		cannot("--stay");
	}
	report(NULL);
	sleep_on();
}
