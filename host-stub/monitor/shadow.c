// SPDX-License-Identifier: GPL-2.0
/*
 * Shadow paging: the mappings of a space are a TLB for the guest's page tables.
 * They are made on demand, dropped when the guest flushes, and shared by
 * nobody: what is dropped in the kernel half is written to a log that every
 * space follows before it runs again.
 *
 * space->pages says what is mapped, a word a page: 0, or the page of guest RAM
 * and whether it is writable; space->large does so for a row of 4 MiB that was
 * filled whole.  With them nothing is unmapped that is not there, and the number
 * of VMAs is known well enough to stay below the limit of a process.
 */
#include <asm/mman.h>
#include <linux/mman.h>

#include "space.h"
#include "sys.h"

/* VMAs the monitor needs for itself, with room to spare. */
#define MAPPINGS_OWN	64u

#define ENTRY_MAPPED	1u
#define ENTRY_WRITABLE	2u
#define ENTRY_NEXT	4u		/* adds one to the page number */

#define ROW_PAGES	(LARGE_SIZE / PAGE_SIZE)
#define ROW_SHIFT	22

static long map(u64 address, u64 bytes, int prot, int flags, int fd, u64 offset)
{
	return sys6(__NR_mmap, (long)address, (long)bytes, prot,
		    MAP_SHARED | MAP_FIXED | flags, fd, (long)offset);
}

/* Maps what the contract keeps in the top 4 MiB. */
void shadow_map_host_pages(struct state *state)
{
	static const struct {
		u32 linear;
		u32 bytes;
		u64 offset;
		int prot;
		u32 key;
	} pages[] = {
		{ PLEX86_INFO, PAGE_SIZE, offsetof(struct state, info_page),
		  PROT_READ | PROT_WRITE, KEY_KERNEL },
		{ PLEX86_INFO_STI, PAGE_SIZE, offsetof(struct state, info_page),
		  PROT_READ | PROT_WRITE, KEY_KERNEL },
		{ PLEX86_GATES, PAGE_SIZE, offsetof(struct state, gates_page),
		  PROT_READ | PROT_EXEC, KEY_USER },
		{ GATE_KERNEL, PAGE_SIZE,
		  offsetof(struct state, gate_kernel_page),
		  PROT_READ | PROT_WRITE, KEY_KERNEL },
		{ GATE_USER, PAGE_SIZE, offsetof(struct state, gate_user_page),
		  PROT_READ | PROT_WRITE, KEY_USER },
		{ LOW_PAGE, PAGE_SIZE, offsetof(struct state, low_page),
		  PROT_READ | PROT_WRITE, KEY_MONITOR },
		{ PLEX86_DEVICES, PLEX86_MAX_DEVICES * PAGE_SIZE,
		  offsetof(struct state, device_page), PROT_READ, KEY_KERNEL },
	};
	u32 i;

	for (i = 0; i < sizeof(pages) / sizeof(pages[0]); i++) {
		if (map(pages[i].linear, pages[i].bytes, pages[i].prot, 0,
			state->state_fd, pages[i].offset) < 0)
			monitor_die(state, "cannot map the info page");
		keys_set(state, pages[i].linear, pages[i].bytes, pages[i].prot,
			 pages[i].key);
	}
}

static u32 row_bit(u32 row)
{
	return 1u << (row & 31);
}

static u32 entry_at(const struct space *space, u32 page)
{
	u32 large = space->large[page / ROW_PAGES];

	if (large)
		return large + page % ROW_PAGES * ENTRY_NEXT;
	return space->filled[page / 64] & 1ull << page % 64 ?
	       space->pages[page] : 0;
}

/*
 * Clears the record of the pages @page to below @end, of one row.  Widens
 * *@first and *@last (linear addresses) to hold what was there.
 */
static void clear_pages(struct space *space, u32 page, u32 end, u32 *first,
			u32 *last)
{
	while (page < end) {
		u64 *word = &space->filled[page / 64], bits = *word;
		u32 base = page & ~63u;

		bits &= ~0ull << page % 64;
		if (end < base + 64)
			bits &= ~(~0ull << end % 64);
		page = base + 64;
		if (!bits)
			continue;
		*word &= ~bits;
		if (*first > (base + (u32)__builtin_ctzll(bits)) * PAGE_SIZE)
			*first = (base + (u32)__builtin_ctzll(bits)) * PAGE_SIZE;
		*last = (base + 63 - (u32)__builtin_clzll(bits)) * PAGE_SIZE +
			(PAGE_SIZE - 1);
	}
}

/*
 * Forgets @from to @to, in this space only; a row that was filled whole goes as
 * one.
 */
static void drop(struct state *state, u32 from, u32 to)
{
	struct space *space = this_space();
	u32 row, first = to, last = from;

	for (row = from >> ROW_SHIFT; row <= (to - 1) >> ROW_SHIFT; row++) {
		u32 start = row << ROW_SHIFT, page, end;

		if (!(space->rows[row / 32] & row_bit(row)))
			continue;
		if (space->large[row]) {
			space->large[row] = 0;
			space->rows[row / 32] &= ~row_bit(row);
			if (first > start)
				first = start;
			last = start + (LARGE_SIZE - 1);
			continue;
		}
		page = (start > from ? start : from) / PAGE_SIZE;
		end = ((to - 1) >> ROW_SHIFT == row ? to - 1 :
		       start + (LARGE_SIZE - 1)) / PAGE_SIZE + 1;
		if (end - page == ROW_PAGES)
			space->rows[row / 32] &= ~row_bit(row);
		clear_pages(space, page, end, &first, &last);
	}
	if (first > last)
		return;
	if (last >= PLEX86_TOP)
		last = PLEX86_TOP - 1;
	state->vm.stats.shadow_drops++;
	if (sys3(__NR_munmap, first, last + 1 - first, 0))
		monitor_die(state, "munmap of guest memory failed");
	/* A hole in the middle of a mapping makes two of it. */
	if (first < state->vm.page_offset)
		space->mappings_low++;
	else
		space->mappings_high++;
}

static void drop_user(struct state *state)
{
	drop(state, 0, state->vm.page_offset);
	this_space()->mappings_low = 0;
}

static void drop_kernel(struct state *state)
{
	drop(state, state->vm.page_offset, PLEX86_TOP);
	this_space()->mappings_high = 0;
	this_space()->high_local = 0;
}

/* No room for two more, which one in the middle of another makes of it. */
static bool mappings_full(const struct state *state)
{
	const struct space *space = this_space();

	return space->mappings_low + space->mappings_high + 2 + MAPPINGS_OWN >=
	       state->map_count_max;
}

/* host_fill() - see core/vm.h */
int host_fill(struct vm *vm, u32 linear, u32 gpa, u32 bytes, u32 flags)
{
	struct state *state = state_of(vm);
	struct space *space = this_space();
	bool writable = flags & FILL_WRITABLE;
	u32 entry = gpa / PAGE_SIZE * ENTRY_NEXT | ENTRY_MAPPED |
		    (writable ? ENTRY_WRITABLE : 0);
	u32 page = linear / PAGE_SIZE, row = linear >> ROW_SHIFT, i;
	u32 *count = linear < vm->page_offset ? &space->mappings_low :
						&space->mappings_high;
	int prot = PROT_READ | PROT_EXEC | (writable ? PROT_WRITE : 0);
	long ret;

	if (mappings_full(state)) {
		vm->stats.shadow_limit_flushes++;
		drop_user(state);
		drop_kernel(state);
	}
	if (bytes > PLEX86_TOP - linear)
		bytes = PLEX86_TOP - linear;
	if (space->large[row] && !(flags & FILL_LARGE))
		drop(state, linear, linear + 1);
	ret = map(linear, bytes, prot, bytes > PAGE_SIZE &&
		  !(flags & FILL_LARGE) ? MAP_POPULATE : 0, state->ram_fd, gpa);
	if (ret == -12)			/* ENOMEM */
		monitor_die(state, "the host is out of memory for the shadow of the guest");
	if (ret < 0)
		return -1;		/* below vm.mmap_min_addr */
	if (!(flags & FILL_USER))
		keys_set(state, linear, bytes, prot, KEY_KERNEL);

	vm->stats.shadow_fills++;
	vm->stats.shadow_pages += bytes / PAGE_SIZE;
	if (entry_at(space, page))
		*count += 2;
	else if (!page || !entry_at(space, page - 1) ||
		 entry_at(space, page - 1) + ENTRY_NEXT != entry)
		*count += 1;
	if (linear >= vm->page_offset && !(flags & FILL_GLOBAL))
		space->high_local = 1;
	if (flags & FILL_LARGE) {
		for (i = 0; i < bytes; i += LARGE_SIZE, row++) {
			/* What the large one covers is not looked at again. */
			if (!space->large[row] &&
			    space->rows[row / 32] & row_bit(row))
				memset(&space->filled[row * ROW_PAGES / 64], 0,
				       ROW_PAGES / 8);
			space->large[row] = entry;
			space->rows[row / 32] |= row_bit(row);
			entry += ROW_PAGES * ENTRY_NEXT;
		}
		return 0;
	}
	for (i = 0; i < bytes / PAGE_SIZE; i++) {
		space->pages[page + i] = entry;
		space->filled[(page + i) / 64] |= 1ull << (page + i) % 64;
		entry += ENTRY_NEXT;
	}
	space->rows[row / 32] |= row_bit(row);
	return 0;
}

/* host_filled() - see core/vm.h */
bool host_filled(struct vm *vm, u32 linear, bool writable)
{
	u32 entry = entry_at(this_space(), linear / PAGE_SIZE);

	(void)vm;
	return entry && (!writable || (entry & ENTRY_WRITABLE));
}

/* host_drop() - see core/vm.h */
void host_drop(struct vm *vm, u32 from, u32 to)
{
	struct state *state = state_of(vm);
	struct drop *log;

	from &= PAGE_MASK;
	if (to > PLEX86_TOP)
		to = PLEX86_TOP;
	if (from >= to)
		return;
	drop(state, from, to);
	if (to <= vm->page_offset)
		return;
	/* This space has followed the log to its end: it runs. */
	log = &state->kernel_log[state->kernel_drops++ % KERNEL_LOG];
	log->from = from < vm->page_offset ? vm->page_offset : from;
	log->to = to;
	this_space()->kernel_drops = state->kernel_drops;
}

/*
 * Takes the permission to write from pages @first to below @end, all of them
 * recorded, as read-only ones.  At either end that may cut a mapping in two.
 */
static void protect_run(struct state *state, u32 first, u32 end)
{
	struct space *space = this_space();
	long ret;

	if (first == end)
		return;
	ret = sys3(__NR_mprotect, (long)first * PAGE_SIZE,
		   (long)(end - first) * PAGE_SIZE, PROT_READ | PROT_EXEC);
	if (ret == -12) {		/* ENOMEM: a large page not all RAM */
		drop(state, first * PAGE_SIZE, end * PAGE_SIZE);
		return;
	}
	if (ret)
		monitor_die(state, "mprotect of guest memory failed");
	if (first && (entry_at(space, first - 1) & ENTRY_WRITABLE))
		space->mappings_low++;
	if (entry_at(space, end) & ENTRY_WRITABLE)
		space->mappings_low++;
}

/* host_protect() - see core/vm.h */
void host_protect(struct vm *vm, u32 from, u32 to)
{
	struct state *state = state_of(vm);
	struct space *space = this_space();
	u32 first = 0, end = 0, page, last;
	bool gap = true;		/* since @end: something not recorded */

	from &= PAGE_MASK;
	/* Kernel pages are every space's, and their log knows only drops. */
	if (to > vm->page_offset) {
		host_drop(vm, from > vm->page_offset ? from : vm->page_offset,
			  to);
		to = vm->page_offset;
	}
	if (from >= to)
		return;
	if (mappings_full(state)) {
		drop_user(state);
		return;
	}
	last = (to - 1) / PAGE_SIZE;
	for (page = from / PAGE_SIZE; page <= last; page++) {
		u32 row = page / ROW_PAGES, *entry = &space->large[row];
		u64 bits;

		if (!(space->rows[row / 32] & row_bit(row)) || *entry) {
			if (*entry & ENTRY_WRITABLE) {
				*entry &= ~ENTRY_WRITABLE;
				protect_run(state, row * ROW_PAGES,
					    (row + 1) * ROW_PAGES);
			}
			gap = true;
			page |= ROW_PAGES - 1;
			continue;
		}
		bits = space->filled[page / 64] >> page % 64;
		if (!(bits & 1)) {
			gap = true;
			if (!bits)
				page |= 63;
			continue;
		}
		entry = &space->pages[page];
		if (!(*entry & ENTRY_WRITABLE))
			continue;
		*entry &= ~ENTRY_WRITABLE;
		if (gap) {
			protect_run(state, first, end);
			first = page;
			gap = false;
		}
		end = page + 1;
	}
	protect_run(state, first, end);
}

/* host_flush() - see core/vm.h */
void host_flush(struct vm *vm, bool global)
{
	struct state *state = state_of(vm);
	struct space *space = this_space();

	vm->stats.shadow_flushes++;
	drop_user(state);
	if (global) {
		vm->stats.shadow_flushes_global++;
		space->flush_epoch = ++state->flush_epoch;
	}
	if (global || space->high_local)
		drop_kernel(state);
}

/* host_space() - see core/vm.h */
int host_space(struct vm *vm, u32 asid, bool keep)
{
	struct state *state = state_of(vm);
	/* 0 is used at boot only, so it can share a space. */
	u32 n = asid ? asid - 1 : 0;

	if (n >= SPACES)
		return -1;
	if (state->asid[n] != asid)
		keep = false;
	state->asid[n] = asid;
	state->next = n;
	if (n == this_space()->number) {
		if (!keep) {
			host_flush(vm, false);
			keys_forget(state);
		}
		return 0;
	}
	state->flush_next = !keep;
	return 0;
}

/* What happened to the page tables while other spaces ran. */
void shadow_catch_up(struct state *state)
{
	struct space *space = this_space();
	u32 behind = state->kernel_drops - space->kernel_drops;

	if (space->flush_epoch != state->flush_epoch) {
		drop_user(state);
		drop_kernel(state);
	} else if (behind > KERNEL_LOG) {
		drop_kernel(state);
	} else {
		for (; behind; behind--) {
			struct drop *log = &state->kernel_log[
				(state->kernel_drops - behind) % KERNEL_LOG];

			drop(state, log->from, log->to);
		}
	}
	space->flush_epoch = state->flush_epoch;
	space->kernel_drops = state->kernel_drops;
	if (state->flush_next) {
		state->flush_next = 0;
		host_flush(&state->vm, false);
	}
}
