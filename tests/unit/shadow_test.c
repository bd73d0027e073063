// SPDX-License-Identifier: GPL-2.0
/*
 * monitor/shadow.c: what it records, and what it asks the host's kernel for.
 *
 * The kernel is a table here: what each page below 4 GiB is mapped to.  After
 * each step the record has to say the same, and the number of mappings that
 * the table comes to is to be no more than the monitor counts.
 */
#include <errno.h>
#include <sys/mman.h>

#include "unit.h"

/* In place of sys.h: the system calls that shadow.c makes. */
#define MONITOR_SYS_H
#include <asm/unistd_64.h>

static long sys6(long nr, long a, long b, long c, long d, long e, long f);

static long sys3(long nr, long a, long b, long c)
{
	return sys6(nr, a, b, c, 0, 0, 0);
}

#include "state.h"

static struct state machine;
static struct space here;

/* Where the monitor has struct space the sanitizer has its own. */
#undef SPACE_BASE
#define SPACE_BASE	(void *)&here

#include "shadow.c"

#define RAM		(12u << 20)
#define RAM_FD		7
#define OFFSET		0xc0000000u	/* of the kernel half */
#define A		0x08048000u	/* some page of the user half */

/* A page of the process: its gpa, MAPPED, and WRITABLE if it is. */
#define MAPPED		1u
#define WRITABLE	2u

static u32 host_page[SHADOW_PAGES];
static u32 protects;			/* calls of mprotect() */

void monitor_die(struct state *state, const char *reason)
{
	(void)state;
	print_error("ERROR: the monitor died: %s\n", reason);
	fail();
}

/* No page has a key here. */
void keys_set(struct state *state, u64 address, u64 bytes, int prot, u32 key)
{
	(void)address;
	(void)bytes;
	(void)prot;
	(void)key;
	CHECK("protection keys", !state->keys);
}

void keys_forget(struct state *state)
{
	CHECK("protection keys", !state->keys);
}

static long host_mprotect(u32 page, u32 end, int prot)
{
	CHECK_EQ("mprotect", prot, PROT_READ | PROT_EXEC);
	protects++;
	for (; page < end; page++) {
		if (!host_page[page])
			return -ENOMEM;
		host_page[page] &= ~WRITABLE;
	}
	return 0;
}

static long sys6(long nr, long a, long b, long c, long d, long e, long f)
{
	u32 page = (u32)((u64)a / PAGE_SIZE), n = (u32)((u64)b / PAGE_SIZE), i;

	CHECK_EQ("system call", (a | b | f) % PAGE_SIZE, 0);
	CHECK("system call", b > 0 && a + b <= PLEX86_TOP);
	if (nr == __NR_mprotect)
		return host_mprotect(page, page + n, (int)c);
	if (nr == __NR_munmap) {
		memset(host_page + page, 0, n * sizeof(host_page[0]));
		return 0;
	}
	CHECK_EQ("system call", nr, __NR_mmap);
	CHECK_EQ("mmap", d & ~MAP_POPULATE, MAP_SHARED | MAP_FIXED);
	CHECK_EQ("mmap", e, RAM_FD);
	CHECK("mmap", f + b <= RAM);
	for (i = 0; i < n; i++)
		host_page[page + i] = (u32)(f + i * PAGE_SIZE) | MAPPED |
				      (c & PROT_WRITE ? WRITABLE : 0);
	return 0;
}

static int setup(void **state)
{
	(void)state;
	memset(&here, 0, sizeof(here));
	memset(&machine, 0, sizeof(machine));
	memset(host_page, 0, sizeof(host_page));
	machine.vm.page_offset = OFFSET;
	machine.vm.ram_bytes = RAM;
	machine.ram_fd = RAM_FD;
	machine.map_count_max = 65530;
	protects = 0;
	return 0;
}

/* How many mappings of the process there are from page @page to below @end. */
static u32 mappings(u32 page, u32 end)
{
	u32 n = 0, follows = 0;

	for (; page < end; page++) {
		n += host_page[page] && host_page[page] != follows;
		follows = host_page[page] ? host_page[page] + PAGE_SIZE : 0;
	}
	return n;
}

/*
 * What is recorded is mapped, and so.  A page of a large one that is not RAM is
 * recorded only.
 */
static void check_record(const char *r)
{
	u32 page;

	for (page = 0; page < PLEX86_TOP / PAGE_SIZE; page++) {
		u32 entry = entry_at(&here, page), want = 0;

		if (page % ROW_PAGES == 0 &&
		    !(here.rows[page / ROW_PAGES / 32] &
		      row_bit(page / ROW_PAGES))) {
			CHECK_EQ(r, mappings(page, page + ROW_PAGES), 0);
			page += ROW_PAGES - 1;
			continue;
		}
		if (entry)
			want = entry / ENTRY_NEXT * PAGE_SIZE | MAPPED |
			       (entry & ENTRY_WRITABLE ? WRITABLE : 0);
		if ((want & PAGE_MASK) < RAM && want != host_page[page])
			CHECK_EQ(row("%s: page %#x", r, page * PAGE_SIZE),
				 host_page[page], want);
	}
	CHECK(r, mappings(0, OFFSET / PAGE_SIZE) <= here.mappings_low);
	CHECK(r, mappings(OFFSET / PAGE_SIZE, PLEX86_TOP / PAGE_SIZE) <=
	      here.mappings_high);
}

static void fill_at(u32 linear, u32 gpa, u32 pages, u32 flags)
{
	CHECK_EQ("fill", host_fill(&machine.vm, linear, gpa, pages * PAGE_SIZE,
				   flags), 0);
}

/* 'w', 'r' or '.': the page at @linear is writable, read-only or not there. */
static char seen(u32 linear)
{
	u32 page = host_page[linear / PAGE_SIZE];

	return !page ? '.' : page & WRITABLE ? 'w' : 'r';
}

/* Pages from A on before and after, as letters; [from, to) of them protected. */
static void protect(void **state)
{
	static const struct {
		const char *before;
		u32 from, to;
		const char *after;
		u32 calls;
	} table[] = {
		{ "........", 0, 8, "........", 0 },
		{ "w.......", 0, 8, "r.......", 1 },
		{ "wwwwwwww", 0, 8, "rrrrrrrr", 1 },
		{ "wwwwwwww", 2, 5, "wwrrrwww", 1 },
		{ "rrrrrrrr", 0, 8, "rrrrrrrr", 0 },
		{ "wrrwwrww", 0, 8, "rrrrrrrr", 1 },
		{ "ww.wwr.w", 0, 8, "rr.rrr.r", 3 },
		{ "w.w.w.w.", 1, 6, "w.r.r.w.", 2 },
		{ ".wwwwww.", 3, 3, ".wwwwww.", 0 },
		{ ".wwwwww.", 4, 3, ".wwwwww.", 0 },
	};
	size_t i;
	u32 j;

	for (i = 0; i < ARRAY_SIZE(table); i++) {
		const char *r = row("%s, %u to %u", table[i].before,
				    table[i].from, table[i].to);

		setup(state);
		for (j = 0; j < 8; j++)
			if (table[i].before[j] != '.')
				fill_at(A + j * PAGE_SIZE, j * PAGE_SIZE, 1,
					FILL_USER |
					(table[i].before[j] == 'w' ?
					 FILL_WRITABLE : 0));
		host_protect(&machine.vm, A + table[i].from * PAGE_SIZE,
			     A + table[i].to * PAGE_SIZE);
		for (j = 0; j < 8; j++)
			CHECK_EQ(r, seen(A + j * PAGE_SIZE), table[i].after[j]);
		CHECK_EQ(r, protects, table[i].calls);
		check_record(r);
	}
}

/* What was dropped is still in pages[], writable, and does not count. */
static void protect_dropped(void **state)
{
	(void)state;
	fill_at(A, 0, 8, FILL_USER | FILL_WRITABLE);
	host_drop(&machine.vm, A + 2 * PAGE_SIZE, A + 4 * PAGE_SIZE);
	host_protect(&machine.vm, 0, OFFSET);
	CHECK_EQ("dropped", protects, 2);
	CHECK("dropped", here.pages[A / PAGE_SIZE + 2] & ENTRY_WRITABLE);
	check_record("dropped");

	fill_at(A + 2 * PAGE_SIZE, 2 * PAGE_SIZE, 1, FILL_USER | FILL_WRITABLE);
	CHECK_EQ("filled again", seen(A + 2 * PAGE_SIZE), 'w');
	check_record("filled again");

	host_drop(&machine.vm, 0, OFFSET);
	protects = 0;
	host_protect(&machine.vm, 0, OFFSET);
	CHECK_EQ("all dropped", protects, 0);
	check_record("all dropped");
}

/* A large page goes as a whole; one that is not all RAM may be dropped. */
static void protect_large(void **state)
{
	const u32 at = 0x40000000;

	(void)state;
	fill_at(at, 0, ROW_PAGES, FILL_USER | FILL_WRITABLE | FILL_LARGE);
	fill_at(at + LARGE_SIZE, LARGE_SIZE, 1, FILL_USER | FILL_WRITABLE);
	host_protect(&machine.vm, at + 5 * PAGE_SIZE, at + 6 * PAGE_SIZE);
	CHECK_EQ("large", seen(at), 'r');
	CHECK_EQ("large", seen(at + LARGE_SIZE - PAGE_SIZE), 'r');
	CHECK_EQ("large", seen(at + LARGE_SIZE), 'w');
	CHECK_EQ("large", protects, 1);
	check_record("large");

	fill_at(at, RAM - PAGE_SIZE * 2, 2,
		FILL_USER | FILL_WRITABLE | FILL_LARGE);
	host_drop(&machine.vm, at, at + 1);
	fill_at(at, RAM - PAGE_SIZE * 2, 2,
		FILL_USER | FILL_WRITABLE | FILL_LARGE);
	host_protect(&machine.vm, at, at + LARGE_SIZE);
	CHECK("not all RAM", seen(at) != 'w' && seen(at + PAGE_SIZE) != 'w');
	CHECK("not all RAM", !host_filled(&machine.vm, at, true));
	check_record("not all RAM");
}

/* Of the kernel half every space forgets what is protected. */
static void protect_kernel(void **state)
{
	(void)state;
	fill_at(OFFSET - PAGE_SIZE, 0, 1, FILL_USER | FILL_WRITABLE);
	fill_at(OFFSET, PAGE_SIZE, 2, FILL_GLOBAL | FILL_WRITABLE);
	host_protect(&machine.vm, OFFSET - PAGE_SIZE, OFFSET + PAGE_SIZE);
	CHECK_EQ("user", seen(OFFSET - PAGE_SIZE), 'r');
	CHECK_EQ("kernel", seen(OFFSET), '.');
	CHECK_EQ("kernel", seen(OFFSET + PAGE_SIZE), 'w');
	CHECK_EQ("log", machine.kernel_drops, 1);
	CHECK_EQ("log", machine.kernel_log[0].from, OFFSET);
	CHECK_EQ("log", machine.kernel_log[0].to, OFFSET + PAGE_SIZE);
	check_record("kernel");

	host_protect(&machine.vm, 0, 0xffffffff);
	CHECK_EQ("all", seen(OFFSET - PAGE_SIZE), 'r');
	CHECK_EQ("all", seen(OFFSET + PAGE_SIZE), '.');
	check_record("all");
}

/* Protecting cuts mappings in two: never more of them than there may be. */
static void protect_limit(void **state)
{
	u32 i;

	(void)state;
	machine.map_count_max = 200;
	for (i = 0; i < 300; i++) {
		u32 at = A + i * 2 * PAGE_SIZE;

		if (!(i % 64))
			fill_at(at, 0, 128, FILL_USER | FILL_WRITABLE);
		host_protect(&machine.vm, at, at + PAGE_SIZE);
		CHECK(row("%u", i), seen(at) != 'w');
		CHECK(row("%u", i), mappings(0, OFFSET / PAGE_SIZE) +
		      MAPPINGS_OWN <= machine.map_count_max);
	}
	check_record("limit");
}

/* Random steps in a few rows: the record stays true. */
static void random_steps(void **state)
{
	static const u32 rows[] = { 0x08000000, 0x08400000, OFFSET - LARGE_SIZE,
				    OFFSET };
	u64 seed = 0x452821e638d01377;
	u32 i;

	(void)state;
	machine.map_count_max = 500;
	for (i = 0; i < 4000; i++) {
		u32 what = random32(&seed), at, to, n, gpa, flags;

		n = random32(&seed) % 16 + 1;
		at = rows[what % 4] + random32(&seed) % 64 * PAGE_SIZE;
		to = at + n * PAGE_SIZE;
		/* Often contiguous with what is there. */
		gpa = (at & (LARGE_SIZE - 1)) + (what & 16 ? PAGE_SIZE : 0);
		flags = (what & 32 ? FILL_WRITABLE : 0) |
			(at < OFFSET ? FILL_USER : FILL_GLOBAL);
		if (what & 64) {
			u32 least = at & ~(LARGE_SIZE - 1);

			at = what & 128 ? 0 : least;
			to = what & 256 ? OFFSET : to;
		}
		switch ((what >> 9) % 8) {
		case 0:
			host_drop(&machine.vm, at, to);
			break;
		case 1:
		case 2:
			host_protect(&machine.vm, at, to);
			for (; at < to && to <= OFFSET; at += PAGE_SIZE)
				if (seen(at) == 'w')
					CHECK_EQ(row("step %u", i), at, 0);
			break;
		case 3:
			if (n == 1)
				host_flush(&machine.vm, what & 512);
			if (n == 2)
				fill_at(rows[what % 4], LARGE_SIZE, ROW_PAGES,
					flags | FILL_LARGE);
			break;
		default:
			fill_at(rows[what % 4] + (gpa & ~PAGE_SIZE) % (64 * PAGE_SIZE),
				gpa, n, flags);
		}
		if (!(i % 8))
			check_record(row("step %u", i));
	}
}

#define TEST(name) cmocka_unit_test_setup(name, setup)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(protect), TEST(protect_dropped), TEST(protect_large),
		TEST(protect_kernel), TEST(protect_limit), TEST(random_steps),
	};

	return RUN_TESTS("shadow", tests, NULL, NULL);
}
