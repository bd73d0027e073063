// SPDX-License-Identifier: GPL-2.0
/*
 * monitor/code.c: no page of RAM is both executable and writable, nor is one
 * executable before it was looked through, in whichever space.
 *
 * Three spaces take turns with random steps.  What each has mapped is compared
 * with a model that knows of each page of RAM whether it is code, and finds the
 * instructions that load PKRU by looking at every byte.
 */
#include "spaces.h"

#define WINDOW		48u	/* pages of RAM that the small mappings are of */
#define LAST_ROW	(2 * ROW_PAGES)	/* a large page that is not all RAM */

static const u32 rows_used[] = {
	0x08000000, 0x08400000, OFFSET - LARGE_SIZE, OFFSET, OFFSET + LARGE_SIZE,
};

/* What is known of a page of RAM. */
static struct {
	bool code;
	bool hit;	/* it has such an instruction; follows each write */
	u32 held;
} model[RAM_PAGES];

static u64 seed;
static u32 step;
static u32 seen_code, seen_crossings, seen_hits, seen_pieces;

static int setup(void **state)
{
	(void)state;
	spaces_new(true);
	memset(model, 0, sizeof(model));
	return 0;
}

static u32 below(u32 n)
{
	return random32(&seed) % n;
}

static bool loads_pkru(const u8 *b)
{
	return b[0] == 0x0f &&
	       ((b[1] == 0x01 && b[2] == 0xef) ||
		(b[1] == 0xae && b[2] < 0xc0 && (b[2] & 0x38) == 0x28));
}

/* Somebody who may do so writes a few bytes to page @page of RAM. */
static void plant(u32 page)
{
	static const u8 forms[][3] = {
		{ 0x0f, 0x01, 0xef }, { 0x0f, 0xae, 0x28 }, { 0x0f, 0xae, 0xe8 },
	};
	/* Across a border only a part of it is in the page. */
	static const int places[] = { -2, -2, -1, -1, 0, 2047, 4093,
				      4094, 4094, 4095, 4095 };
	u8 *at = ram + (u64)page * PAGE_SIZE;
	u32 i, n;

	CHECK("the test writes data only", !model[page].code);
	memset(at, 0, PAGE_SIZE);
	for (n = below(4); n; n--) {
		const u8 *form = forms[below(ARRAY_SIZE(forms))];
		int place = places[below(ARRAY_SIZE(places))];

		for (i = 0; i < 3; i++)
			if (place + (int)i >= 0 && place + i < PAGE_SIZE)
				at[place + (int)i] = form[i];
	}
	model[page].hit = false;
	for (i = 0; i + 3 <= PAGE_SIZE; i++)
		model[page].hit |= loads_pkru(at + i);
}

/* As host_use(), and the model takes part. */
static void use(u32 page, u32 access)
{
	host_use(&machine.vm, page * PAGE_SIZE + below(PAGE_SIZE), access);
	if (access & PFEC_W)
		model[page].code = false;
	else if ((access & PFEC_I) && !model[page].held)
		model[page].code = true;
}

/* One such instruction, across the border of two pages of RAM? */
static bool crosses(u32 page, u32 next)
{
	u8 b[4];

	memcpy(b, ram + (u64)page * PAGE_SIZE + PAGE_SIZE - 2, 2);
	memcpy(b + 2, ram + (u64)next * PAGE_SIZE, 2);
	return loads_pkru(b) || loads_pkru(b + 1);
}

static void check_page(u32 linear)
{
	const u32 *at = &host_page()[linear];
	u32 entry = entry_at(here, linear), page = entry / ENTRY_NEXT;
	const char *r;
	bool in_ram = entry && page < machine.vm.ram_bytes / PAGE_SIZE;

	if (!*at && !in_ram)
		return;
	r = row("step %u: space %u, %#x, page %#x", step, here->number,
		linear * PAGE_SIZE, page);
	CHECK(r, *at && in_ram);
	CHECK_EQ(r, *at / PAGE_SIZE, page);
	CHECK_EQ(r, *at & KEYED(15),
		 linear < OFFSET / PAGE_SIZE ? 0 : KEYED(KEY_KERNEL));
	CHECK_EQ(r, *at & WRITABLE,
		 (entry & ENTRY_WRITABLE) && !model[page].code ? WRITABLE : 0);
	if (!(*at & EXECUTABLE))
		return;
	CHECK(r, model[page].code && !model[page].hit && !model[page].held);
	CHECK(r, !(*at & WRITABLE));
	if (at[1] & EXECUTABLE)
		CHECK(r, !crosses(page, at[1] / PAGE_SIZE));
	seen_code++;
}

/* What the space that runs could do now. */
static void check_space(void)
{
	u32 i, j, low = 0, high = 0;

	for (i = 0; i < ARRAY_SIZE(rows_used); i++) {
		u32 page = rows_used[i] / PAGE_SIZE;
		u32 n = mappings(page, page + ROW_PAGES);

		for (j = 0; j < ROW_PAGES; j++)
			check_page(page + j);
		if (page < OFFSET / PAGE_SIZE)
			low += n;
		else
			high += n;
	}
	/* Counted by rows: one that goes on in the next row is counted twice. */
	low -= low > 2 ? 2 : low;
	high -= high > 2 ? 2 : high;
	CHECK(row("step %u: %u and %u mappings", step, low, high),
	      low <= here->mappings_low && high <= here->mappings_high);
}

static void go_on_in(u32 space)
{
	here = &spaces[space];
	shadow_catch_up(&machine);
}

static u32 some_linear(void)
{
	u32 at = below(4) ? below(24) : ROW_PAGES - 1 - below(16);

	return rows_used[below(ARRAY_SIZE(rows_used))] + at * PAGE_SIZE;
}

static u32 some_page(void)
{
	u32 kind = below(16);

	return kind == 0 ? ROW_PAGES - 1 - below(16) :
	       kind == 1 ? LAST_ROW + below(16) : below(WINDOW);
}

static u32 fill_bits(u32 linear)
{
	return (below(4) ? FILL_WRITABLE : 0) |
	       (linear < OFFSET ? FILL_USER : below(8) ? FILL_GLOBAL : 0);
}

/* As the core does for a page fault. */
static void fault(u32 access)
{
	u32 linear = some_linear(), page = some_page(), n = 1, i;
	bool near;

	if (below(2))
		n = 1 + below(8);
	while (n > 1 && ((linear + (n - 1) * PAGE_SIZE) >> 22 != linear >> 22 ||
			 page + n > machine.vm.ram_bytes / PAGE_SIZE))
		n--;
	for (i = 0; i < n; i++)
		if (!i || ((access & PFEC_I) && below(2)))
			use(page + i, access);
	fill_at(linear, page * PAGE_SIZE, n, fill_bits(linear));
	if (n != 1 || access != PFEC_I)
		return;
	/* It goes on, but where the page is not to be executed. */
	linear /= PAGE_SIZE;
	near = host_page()[linear - 1] || host_page()[linear + 1];
	if (host_page()[linear] & EXECUTABLE)
		return;
	seen_hits += model[page].hit;
	seen_crossings += !model[page].hit && near;
	CHECK(row("page %#x", page), model[page].hit || near ||
	      model[page].held);
}

static void fault_large(u32 access)
{
	u32 linear = rows_used[below(ARRAY_SIZE(rows_used))];
	u32 first = below(3) * ROW_PAGES, n = ROW_PAGES, flags = FILL_LARGE, i;

	/* As much as the shadow wants of it, or all the same. */
	if (below(2))
		n = host_large(&machine.vm, linear, first * PAGE_SIZE) /
		    PAGE_SIZE;
	if (n != ROW_PAGES) {
		i = below(2) * (ROW_PAGES - n);
		linear += i * PAGE_SIZE;
		first += i;
		flags = FILL_PIECE;
		seen_pieces++;
	}
	if (first >= machine.vm.ram_bytes / PAGE_SIZE)
		return;
	if (first + n > machine.vm.ram_bytes / PAGE_SIZE)
		n = machine.vm.ram_bytes / PAGE_SIZE - first;
	use(first + below(16), access);
	fill_at(linear, first * PAGE_SIZE, n, fill_bits(linear) | flags);
}

/* The guest writes, where it can. */
static void guest_writes(void)
{
	u32 tries;

	for (tries = 0; tries < 20; tries++) {
		u32 at = host_page()[some_linear() / PAGE_SIZE];

		if (at & WRITABLE) {
			plant(at / PAGE_SIZE);
			return;
		}
	}
}

/* A back end takes hold of a page, writes to it, and lets go. */
static void back_end(void)
{
	u32 page = some_page();

	if (model[page].held) {
		if (!model[page].code)
			plant(page);
		if (below(2)) {
			machine.page_held[page]--;
			model[page].held--;
		}
		return;
	}
	machine.page_held[page]++;
	model[page].held++;
	if (machine.page_state[page] & PAGE_CODE) {
		machine.page_wanted = page + 1;
		code_release(&machine);
		model[page].code = false;
	}
	CHECK_EQ("held", machine.page_wanted, 0);
	CHECK_EQ("held", machine.page_state[page] & PAGE_CODE, 0);
	plant(page);
}

static void ranges(void)
{
	u32 from = some_linear(), to = from + (1 + below(20)) * PAGE_SIZE;

	if (!below(16))
		from = 0;
	if (!below(32))
		to = PLEX86_TOP;
	if (below(2))
		host_drop(&machine.vm, from, to);
	else
		host_protect(&machine.vm, from, to);
}

static void one_step(void)
{
	u32 page;

	switch (below(16)) {
	case 0: case 1: case 2:
		fault(PFEC_I);
		break;
	case 3: case 4:
		fault(PFEC_W);
		break;
	case 5:
		fault(0);
		break;
	case 6:
		if (!below(4))
			fault_large(below(2) ? PFEC_I : PFEC_W);
		break;
	case 7:
		/* The host writes for the guest. */
		page = some_page();
		use(page, PFEC_W);
		plant(page);
		break;
	case 8:
		use(some_page(), PFEC_I);
		break;
	case 9: case 10:
		guest_writes();
		break;
	case 11:
		ranges();
		break;
	case 12:
		if (!below(8))
			host_flush(&machine.vm, !below(4));
		break;
	case 13: case 14:
		if (below(4))
			break;
		machine.flush_next = !below(16);
		go_on_in(below(N_SPACES));
		break;
	default:
		back_end();
	}
}

static void random_walk(void)
{
	u32 n;

	machine.vm.ram_bytes = (LAST_ROW + 40) * PAGE_SIZE;
	seen_code = seen_crossings = seen_hits = seen_pieces = 0;
	for (step = 0; step < 12000; step++) {
		one_step();
		check_space();
		/* And each as it would go on, from time to time. */
		for (n = 0; step % 200 == 199 && n < N_SPACES; n++) {
			go_on_in(n);
			check_space();
		}
	}
	CHECK(row("%u pages of code, %u with a hit, %u with a neighbour, %u pieces",
		  seen_code, seen_hits, seen_crossings, seen_pieces), seen_code > 100000 && seen_hits > 20 &&
	      seen_crossings > 20 && seen_pieces > 20);
}

static void spaces_take_turns(void **state)
{
	(void)state;
	seed = 0x9216d5d98979fb1b;
	random_walk();
}

/* The same with so few mappings that all are dropped now and then. */
static void few_mappings(void **state)
{
	(void)state;
	seed = 0xd1310ba698dfb5ac;
	machine.map_count_max = 3000;
	random_walk();
}

/*
 * More changed than the log holds, or just as much, while a space slept with
 * a page that was data and is code now, and one the other way round.
 */
static void long_log(void **state)
{
	static const u32 changes[] = {
		2, CODE_LOG - 1, CODE_LOG, CODE_LOG + 1, 2 * CODE_LOG,
		2 * CODE_LOG + 1,
	};
	u32 i, n;

	for (i = 0; i < ARRAY_SIZE(changes); i++) {
		setup(state);
		for (n = 0; n < 2; n++) {
			go_on_in(n);
			fill_at(0x08000000, 0, 1, FILL_USER | FILL_WRITABLE);
			use(1, PFEC_I);
			fill_at(0x08001000, PAGE_SIZE, 1, FILL_USER |
				FILL_WRITABLE);
			fill_at(0x08002000, 2 * PAGE_SIZE, 8, FILL_USER |
				FILL_WRITABLE);
			check_space();
		}
		/* Others first, for these two to be the oldest. */
		use(0, PFEC_I);
		use(1, PFEC_W);
		for (n = 2; n < changes[i]; n++)
			use(2 + n % 8, model[2 + n % 8].code ? PFEC_W : PFEC_I);
		check_space();
		CHECK_EQ("the log", machine.code_changes, changes[i]);
		go_on_in(0);
		check_space();
		CHECK_EQ(row("%u changes", changes[i]),
			 host_page()[0x08000] != 0, changes[i] <= CODE_LOG);
		CHECK_EQ("caught up", here->code_changes, machine.code_changes);
	}
}

#define TEST(name) cmocka_unit_test_setup(name, setup)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(spaces_take_turns), TEST(few_mappings), TEST(long_log),
	};

	return RUN_TESTS("code", tests, NULL, NULL);
}
