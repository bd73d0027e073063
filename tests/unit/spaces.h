/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The shadow as the tests see it: monitor/shadow.c, code.c and keys.c, compiled
 * into the test that includes this, with a few spaces and what is around them.
 *
 * The host's kernel is a table here, one for each space: what each page below
 * 4 GiB is mapped to.  The core is the real one; of the outside that it knows
 * only the shadow is.
 */
#ifndef SPACES_H
#define SPACES_H

/* No stdlib.h: its sigset_t is not the kernel's, which keys.c goes by. */
#include <errno.h>
#include <sys/mman.h>

#include "unit.h"

/* In place of sys.h: the system calls that these files make. */
#define MONITOR_SYS_H
#include <asm/unistd_64.h>

static long sys6(long nr, long a, long b, long c, long d, long e, long f);

static inline long sys3(long nr, long a, long b, long c)
{
	return sys6(nr, a, b, c, 0, 0, 0);
}

static inline long sys4(long nr, long a, long b, long c, long d)
{
	return sys6(nr, a, b, c, d, 0, 0);
}

#include "state.h"

#define N_SPACES	3u

static struct state machine;
static struct space spaces[N_SPACES];
static struct space *here = spaces;	/* the one that runs */

/* Where the monitor has struct space the sanitizer has its own. */
#undef SPACE_BASE
#define SPACE_BASE ((u64)here)

#include "keys.c"
#include "code.c"
#include "shadow.c"

#define RAM		(12u << 20)
#define RAM_FD		7
#define OFFSET		0xc0000000u	/* of the kernel half */

/* A page of a process: its gpa, how it may be used, and its key. */
#define MAPPED		1u
#define WRITABLE	2u
#define EXECUTABLE	4u
#define KEYED(key)	((key) << 4)

static _Alignas(4096) u8 ram[RAM];
static u32 host_pages[N_SPACES][SHADOW_PAGES];
static u32 calls, mprotects;		/* of the host's kernel, of mprotect() */

/* The table of the space that runs. */
static inline u32 *host_page(void)
{
	return host_pages[here->number];
}

void monitor_die(struct state *state, const char *reason)
{
	(void)state;
	print_error("ERROR: the monitor died: %s\n", reason);
	fail();
}

static inline u32 bits_of(int prot)
{
	CHECK("protection", prot & PROT_READ);
	return (prot & PROT_WRITE ? WRITABLE : 0) |
	       (prot & PROT_EXEC ? EXECUTABLE : 0);
}

static inline long host_mprotect(u32 page, u32 end, int prot)
{
	mprotects++;
	for (; page < end; page++) {
		u32 *at = &host_page()[page];

		if (!*at)
			return -ENOMEM;
		*at = (*at & ~(WRITABLE | EXECUTABLE)) | bits_of(prot);
	}
	return 0;
}

static long sys6(long nr, long a, long b, long c, long d, long e, long f)
{
	u32 page = (u32)((u64)a / PAGE_SIZE), n = (u32)((u64)b / PAGE_SIZE), i;
	u32 *at = host_page() + page;

	if (nr == __NR_madvise) {	/* by keys_renew() */
		CHECK_EQ("madvise", (u64)a, ALT_STACK);
		CHECK_EQ("madvise", (u64)b, ALT_STACK_BYTES);	/* no frames here */
		return 0;
	}
	calls++;
	CHECK_EQ("system call", (a | b | f) % PAGE_SIZE, 0);
	CHECK("system call", b > 0 && a + b <= PLEX86_TOP);
	switch (nr) {
	case __NR_mprotect:
		return host_mprotect(page, page + n, (int)c);
	case __NR_pkey_mprotect:
		CHECK("keys", machine.keys);
		for (i = 0; i < n; i++) {
			CHECK_EQ("pkey_mprotect",
				 at[i] & (WRITABLE | EXECUTABLE),
				 bits_of((int)c));
			CHECK("pkey_mprotect", at[i]);
			at[i] = (at[i] & ~KEYED(15)) | KEYED((u32)d);
		}
		return 0;
	case __NR_munmap:
		memset(at, 0, n * sizeof(*at));
		return 0;
	}
	CHECK_EQ("system call", nr, __NR_mmap);
	CHECK_EQ("mmap", d & ~MAP_POPULATE, MAP_SHARED | MAP_FIXED);
	CHECK_EQ("mmap", e, RAM_FD);
	CHECK("mmap", f + b <= machine.vm.ram_bytes);
	for (i = 0; i < n; i++)
		at[i] = (u32)(f + i * PAGE_SIZE) | MAPPED | bits_of((int)c);
	return 0;
}

/* Of the outside of the core and the monitor: nothing that matters here. */

int monitor_vectors_load(const void *from, u64 mask)
{
	(void)from;
	(void)mask;
	return 0;
}

bool host_vif(struct vm *vm)
{
	(void)vm;
	return true;
}

void host_set_vif(struct vm *vm, bool on)
{
	(void)vm;
	(void)on;
}

void host_set_vip(struct vm *vm, bool on)
{
	(void)vm;
	(void)on;
}

int host_load_segment(struct vm *vm, u32 segment, u32 selector)
{
	(void)vm;
	(void)segment;
	(void)selector;
	return 0;
}

void host_sync_tls(struct vm *vm)
{
	(void)vm;
}

void host_trap_tsc(struct vm *vm, bool on)
{
	(void)vm;
	(void)on;
}

u64 host_read_tsc(struct vm *vm)
{
	(void)vm;
	return 0;
}

void host_halt(struct vm *vm)
{
	(void)vm;
}

void host_timer(struct vm *vm, u64 ns)
{
	(void)vm;
	(void)ns;
}

u64 host_clock(struct vm *vm, u32 which)
{
	(void)vm;
	(void)which;
	return 0;
}

void host_write(struct vm *vm, const u8 *text, u32 bytes)
{
	(void)vm;
	(void)text;
	(void)bytes;
}

void host_doorbell(struct vm *vm, u32 device, u32 queue)
{
	(void)vm;
	(void)device;
	(void)queue;
}

void host_reset_device(struct vm *vm, u32 device)
{
	(void)vm;
	(void)device;
}

/* spaces_new() - nothing is mapped, RAM is zeroes, and space 0 runs */
static inline void spaces_new(bool scan)
{
	u32 n;

	memset(spaces, 0, sizeof(spaces));
	memset(&machine, 0, sizeof(machine));
	memset(host_pages, 0, sizeof(host_pages));
	memset(ram, 0, sizeof(ram));
	machine.vm.page_offset = OFFSET;
	machine.vm.ram = ram;
	machine.vm.ram_bytes = RAM;
	machine.vm.info = (struct plex86_info *)(void *)machine.info_page;
	machine.ram_fd = RAM_FD;
	machine.map_count_max = 65530;
	machine.scan = scan;
	machine.keys = scan;
	for (n = 0; n < N_SPACES; n++)
		spaces[n].number = n;
	here = spaces;
	mprotects = 0;
}

/* How many mappings of the process there are from page @page to below @end. */
static inline u32 mappings(u32 page, u32 end)
{
	u32 n = 0, follows = 0;

	for (; page < end; page++) {
		u32 at = host_page()[page];

		n += at && at != follows;
		follows = at ? at + PAGE_SIZE : 0;
	}
	return n;
}

static inline void fill_at(u32 linear, u32 gpa, u32 pages, u32 flags)
{
	CHECK_EQ("fill", host_fill(&machine.vm, linear, gpa, pages * PAGE_SIZE,
				   flags), 0);
}

#endif
