// SPDX-License-Identifier: GPL-2.0
/*
 * monitor/shadow.c: what it records, and what it asks the host's kernel for.
 *
 * After each step the record has to say what is mapped, and the number of
 * mappings that this comes to is to be no more than the monitor counts.  All of
 * it without a search through the code, and with one; all pages are data here,
 * code is code_test.c's.
 */
#include "spaces.h"

#define A		0x08048000u	/* some page of the user half */

static int setup(void **state)
{
	(void)state;
	spaces_new(false);
	return 0;
}

static int setup_scan(void **state)
{
	(void)state;
	spaces_new(true);
	return 0;
}

/*
 * What is recorded is mapped, and so.  A page of a large one that is not RAM is
 * recorded only.
 */
static void check_record(const char *r)
{
	static const u32 nothing[ROW_PAGES];
	u32 page;

	for (page = 0; page < PLEX86_TOP / PAGE_SIZE; page++) {
		u32 entry = entry_at(here, page), want = 0;

		if (page % ROW_PAGES == 0 &&
		    !(here->rows[page / ROW_PAGES / 32] &
		      row_bit(page / ROW_PAGES))) {
			CHECK(r, !memcmp(host_page() + page, nothing,
					 sizeof(nothing)));
			page += ROW_PAGES - 1;
			continue;
		}
		if (entry)
			want = entry / ENTRY_NEXT * PAGE_SIZE | MAPPED |
			       (entry & ENTRY_WRITABLE ? WRITABLE : 0) |
			       (machine.scan ? 0 : EXECUTABLE);
		if (want && machine.keys && page >= OFFSET / PAGE_SIZE)
			want |= KEYED(KEY_KERNEL);
		if ((want & PAGE_MASK) >= RAM)
			want = 0;
		if (want != host_page()[page])
			CHECK_EQ(row("%s: page %#x", r, page * PAGE_SIZE),
				 host_page()[page], want);
	}
	CHECK(r, mappings(0, OFFSET / PAGE_SIZE) <= here->mappings_low);
	CHECK(r, mappings(OFFSET / PAGE_SIZE, PLEX86_TOP / PAGE_SIZE) <=
	      here->mappings_high);
}

/* 'w', 'r' or '.': the page at @linear is writable, read-only or not there-> */
static char seen(u32 linear)
{
	u32 page = host_page()[linear / PAGE_SIZE];

	return !page ? '.' : page & WRITABLE ? 'w' : 'r';
}

/* Pages from A on before and after, as letters; [from, to) of them protected. */
static void protect_table(void **state)
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

		(machine.scan ? setup_scan : setup)(state);
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
		CHECK_EQ(r, mprotects, table[i].calls);
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
	CHECK_EQ("dropped", mprotects, 2);
	CHECK("dropped", here->pages[A / PAGE_SIZE + 2] & ENTRY_WRITABLE);
	check_record("dropped");

	fill_at(A + 2 * PAGE_SIZE, 2 * PAGE_SIZE, 1, FILL_USER | FILL_WRITABLE);
	CHECK_EQ("filled again", seen(A + 2 * PAGE_SIZE), 'w');
	check_record("filled again");

	host_drop(&machine.vm, 0, OFFSET);
	mprotects = 0;
	host_protect(&machine.vm, 0, OFFSET);
	CHECK_EQ("all dropped", mprotects, 0);
	check_record("all dropped");
}

/*
 * A large page goes as a whole, or is dropped; as one that is not all RAM may be.
 */
static void protect_large(void **state)
{
	const u32 at = 0x40000000;

	(void)state;
	fill_at(at, 0, ROW_PAGES, FILL_USER | FILL_WRITABLE | FILL_LARGE);
	fill_at(at + LARGE_SIZE, LARGE_SIZE, 1, FILL_USER | FILL_WRITABLE);
	host_protect(&machine.vm, at + 5 * PAGE_SIZE, at + 6 * PAGE_SIZE);
	CHECK_EQ("large", seen(at), machine.scan ? '.' : 'r');
	CHECK_EQ("large", seen(at + LARGE_SIZE - PAGE_SIZE),
		 machine.scan ? '.' : 'r');
	CHECK_EQ("large", seen(at + LARGE_SIZE), 'w');
	CHECK_EQ("large", mprotects, machine.scan ? 0 : 1);
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
		/* Often contiguous with what is there-> */
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
		if (!(i % 16))
			check_record(row("step %u", i));
	}
}

/*
 * A large page of which the end is no RAM takes the place of small ones: none of
 * them stays behind, where nobody knows of it.
 */
static void large_not_all_ram(void **state)
{
	const u32 at = 0x40000000;

	(void)state;
	fill_at(at, 0, 1, FILL_USER | FILL_WRITABLE);
	fill_at(at + LARGE_SIZE - PAGE_SIZE, PAGE_SIZE, 1,
		FILL_USER | FILL_WRITABLE);
	fill_at(at, RAM - PAGE_SIZE * 2, 2,
		FILL_USER | FILL_WRITABLE | FILL_LARGE);
	CHECK_EQ("RAM", seen(at + PAGE_SIZE), 'w');
	CHECK_EQ("no RAM", seen(at + LARGE_SIZE - PAGE_SIZE), '.');
	check_record("not all RAM");
}

/* The guest's tables: one of user pages, 8 of which are at A. */
#define TABLE		(8u << 20)
#define USED		(PTE_P | PTE_U | PTE_A)

static u32 *guest_entry(u32 page)
{
	return (u32 *)(void *)(ram + TABLE + PAGE_SIZE) +
	       A / PAGE_SIZE % ROW_PAGES + page;
}

static void page_the_guest(void)
{
	u32 *directory = (u32 *)(void *)(ram + TABLE);

	machine.vm.cpu.cr0 = CR0_PG | CR0_WP;
	machine.vm.cpu.cr3 = TABLE;
	directory[A >> ROW_SHIFT] = (TABLE + PAGE_SIZE) | USED | PTE_W;
}

/*
 * What becomes of what is mapped of pages from A on, to page 0 and so on of RAM,
 * when the guest's tables have something else: letters as above, and capital ones
 * where the accessed bit is not set; "n" is a page that is not the user's, and "2"
 * one that is mapped writable to another page of RAM.
 */
static void renew_table(void **state)
{
	static const struct {
		const char *before, *tables, *after;
		u32 calls;		/* of the host's kernel */
	} table[] = {
		{ "........", "wwwwrrrr", "........", 0 },
		{ "wrwrwrwr", "wrwrwrwr", "wrwrwrwr", 0 },
		{ "wwwwrrrr", "........", "........", 1 },
		{ "w.w.r.r.", "........", "........", 1 },
		{ "wwwwwwww", "w......w", "w......w", 1 },
		{ "wwwwwwww", "w.w.w.w.", "w.w.w.w.", 4 },
		{ "wwww....", "rrrr....", "rrrr....", 1 },
		{ "rrrr....", "wwww....", "wwww....", 1 },
		{ "wwwwwwww", "2222wwww", "2222wwww", 1 },
		{ "ww..rrrr", "22ww.2..", "22...2..", 4 },
		{ "rrr.www.", "RRR.WWW.", "rrr.www.", 0 },
		{ "wwww....", "nn.n....", "........", 1 },
	};
	static const u32 bits[] = {
		['w'] = USED | PTE_W | PTE_D, ['2'] = USED | PTE_W | PTE_D,
		['r'] = USED, ['R'] = USED & ~PTE_A, ['n'] = USED & ~PTE_U,
		['W'] = (USED | PTE_W | PTE_D) & ~PTE_A, ['.'] = 0,
	};
	size_t i;
	u32 j;

	for (i = 0; i < ARRAY_SIZE(table); i++) {
		const char *r = row("%s, %s", table[i].before,
				    table[i].tables);

		(machine.scan ? setup_scan : setup)(state);
		page_the_guest();
		for (j = 0; j < 8; j++) {
			u8 t = (u8)table[i].tables[j];
			u32 gpa = (j + (t == '2' ? 64 : 0)) * PAGE_SIZE;

			*guest_entry(j) = bits[t] ? gpa | bits[t] : 0;
			if (table[i].before[j] != '.')
				fill_at(A + j * PAGE_SIZE, j * PAGE_SIZE, 1,
					FILL_USER |
					(table[i].before[j] == 'w' ?
					 FILL_WRITABLE : 0));
		}
		calls = 0;
		host_flush(&machine.vm, false);
		if (!machine.scan)
			CHECK_EQ(r, calls, table[i].calls);
		for (j = 0; j < 8; j++) {
			char want = table[i].after[j];
			u32 page = host_page()[A / PAGE_SIZE + j];

			CHECK_EQ(r, seen(A + j * PAGE_SIZE),
				 want == '2' ? 'w' : want);
			if (want == '.')
				continue;
			CHECK_EQ(r, (page & PAGE_MASK) / PAGE_SIZE,
				 j + (want == '2' ? 64 : 0));
			CHECK(r, *guest_entry(j) & PTE_A);
		}
		check_record(r);
	}
}

/* Much of it is forgotten, and what is not small pages. */
static void renew_much(void **state)
{
	const u32 at = A + LARGE_SIZE;
	u32 i;

	(void)state;
	page_the_guest();
	for (i = 0; i < 8; i++) {
		*guest_entry(i) = i * PAGE_SIZE | USED;
		fill_at(A + i * PAGE_SIZE, i * PAGE_SIZE, 1, FILL_USER);
	}
	for (i = 0; i < RENEW_PAGES - 8; i++)
		fill_at(at + i * PAGE_SIZE, i * PAGE_SIZE, 1, FILL_USER);
	host_flush(&machine.vm, false);
	CHECK_EQ("not much", seen(A), 'r');
	CHECK_EQ("not much", seen(at), '.');
	CHECK_EQ("not much", here->mappings_low, 8);
	for (i = 0; i < RENEW_PAGES - 7; i++)
		fill_at(at + i * PAGE_SIZE, i * PAGE_SIZE, 1, FILL_USER);
	host_flush(&machine.vm, false);
	CHECK_EQ("much", seen(A), '.');
	CHECK_EQ("much", here->mappings_low, 0);
	check_record("much");

	fill_at(A, 0, 1, FILL_USER);
	fill_at(at & ~(LARGE_SIZE - 1), 0, ROW_PAGES, FILL_USER | FILL_LARGE);
	host_flush(&machine.vm, false);
	CHECK_EQ("large", seen(A), '.');
	CHECK_EQ("large", seen(at), '.');
	check_record("large");

	fill_at(A, 0, 1, FILL_USER);
	host_flush(&machine.vm, true);
	CHECK_EQ("global", seen(A), '.');
}

/* A page that the guest's tables let be written stays writable. */
static void protect_but(void **state)
{
	(void)state;
	page_the_guest();
	*guest_entry(0) = 0 * PAGE_SIZE | USED;
	*guest_entry(1) = 1 * PAGE_SIZE | USED | PTE_W | PTE_D;
	*guest_entry(2) = 9 * PAGE_SIZE | USED | PTE_W | PTE_D;
	*guest_entry(3) = 3 * PAGE_SIZE | USED | PTE_W;
	fill_at(A, 0, 4, FILL_USER | FILL_WRITABLE);
	host_protect(&machine.vm, 0, OFFSET);
	CHECK_EQ("read-only", seen(A), 'r');
	CHECK_EQ("writable", seen(A + PAGE_SIZE), 'w');
	CHECK_EQ("another page", seen(A + 2 * PAGE_SIZE), 'r');
	CHECK_EQ("clean", seen(A + 3 * PAGE_SIZE), 'r');
	check_record("but");
}

/* Every other page stays writable: no more mappings than there may be. */
static void protect_gaps(void **state)
{
	u32 *directory = (u32 *)(void *)(ram + TABLE), i;
	u32 *table = (u32 *)(void *)(ram + TABLE + PAGE_SIZE);

	(void)state;
	machine.map_count_max = 200;
	machine.vm.cpu.cr0 = CR0_PG | CR0_WP;
	machine.vm.cpu.cr3 = TABLE;
	directory[A >> ROW_SHIFT] = (TABLE + PAGE_SIZE) | USED | PTE_W;
	for (i = 0; i < 400; i++)
		table[A / PAGE_SIZE % ROW_PAGES + i] =
			i * PAGE_SIZE | USED | (i % 2 ? PTE_W | PTE_D : 0);
	for (i = 0; i < 400; i += 16)
		fill_at(A + i * PAGE_SIZE, i * PAGE_SIZE, 16,
			FILL_USER | FILL_WRITABLE);
	host_protect(&machine.vm, 0, OFFSET);
	CHECK("gaps", mappings(0, OFFSET / PAGE_SIZE) + MAPPINGS_OWN <=
		      machine.map_count_max);
	check_record("gaps");
}

/* Neighbours of two page tables, when there are too many mappings. */
static void renew_border(void **state)
{
	const u32 at = 0x08400000;
	u32 *directory = (u32 *)(void *)(ram + TABLE);
	u32 *table = (u32 *)(void *)(ram + TABLE + PAGE_SIZE);

	(void)state;
	machine.vm.cpu.cr0 = CR0_PG | CR0_WP;
	machine.vm.cpu.cr3 = TABLE;
	directory[(at >> ROW_SHIFT) - 1] = (TABLE + PAGE_SIZE) | USED | PTE_W;
	directory[at >> ROW_SHIFT] = (TABLE + 2 * PAGE_SIZE) | USED | PTE_W;
	fill_at(at - PAGE_SIZE, 0, 1, FILL_USER | FILL_WRITABLE);
	fill_at(at, PAGE_SIZE, 1, FILL_USER | FILL_WRITABLE);
	table[ROW_PAGES - 1] = 64 * PAGE_SIZE | USED | PTE_W | PTE_D;
	table[ROW_PAGES] = 65 * PAGE_SIZE | USED | PTE_W | PTE_D;
	here->mappings_high = machine.map_count_max - MAPPINGS_OWN - 1;
	host_flush(&machine.vm, false);
	host_drop(&machine.vm, 0, OFFSET);
	CHECK_EQ("first", seen(at - PAGE_SIZE), '.');
	CHECK_EQ("second", seen(at), '.');
	check_record("border");
}

#define TEST(name) \
	cmocka_unit_test_setup(name, setup), \
	{ #name "_scan", name, setup_scan, NULL, NULL }

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(protect_table), TEST(protect_dropped), TEST(protect_large),
		TEST(protect_kernel), TEST(protect_limit), TEST(random_steps),
		TEST(large_not_all_ram), TEST(renew_table), TEST(renew_much),
		TEST(protect_but), TEST(protect_gaps), TEST(renew_border),
	};

	return RUN_TESTS("shadow", tests, NULL, NULL);
}
