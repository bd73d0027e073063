// SPDX-License-Identifier: GPL-2.0
/*
 * Shadow paging: the mappings of a space are a TLB for the guest's page tables.
 * They are made on demand, dropped or looked up again when the guest flushes,
 * and shared by nobody: what is dropped in the kernel half is written to a log
 * that every space follows before it runs again.
 *
 * space->pages says what is mapped, a word a page: 0, or the page of guest RAM
 * and whether it may be written; space->large does so for a row of 4 MiB that was
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

/* In space->where: 0, or a linear page plus 1; and whether it has been others. */
#define WHERE_MORE	0x80000000u

#define ROW_PAGES	(LARGE_SIZE / PAGE_SIZE)
#define ROW_SHIFT	22

/* Of the user half, that a flush looks at one by one, at most. */
#define RENEW_PAGES	64u

/* Of a large page that is not filled whole. */
#define PIECE_BYTES	0x40000u

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
			if (from > start || to - 1 < start + (LARGE_SIZE - 1))
				space->cut[row / 32] |= row_bit(row);
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

/* For lack of mappings. */
static void drop_all(struct state *state)
{
	state->vm.stats.shadow_limit_flushes++;
	drop_user(state);
	drop_kernel(state);
}

/* One in the middle of another makes two more of it. */
#define MAPPINGS_CUT	2u

/* No room for @more mappings. */
static bool mappings_full(const struct state *state, u32 more)
{
	const struct space *space = this_space();

	return space->mappings_low + space->mappings_high + more +
	       MAPPINGS_OWN >= state->map_count_max;
}

/* There are @more in the half that @linear, a page, is in. */
static void count_mappings(const struct state *state, u32 linear, u32 more)
{
	if (linear < state->vm.page_offset / PAGE_SIZE)
		this_space()->mappings_low += more;
	else
		this_space()->mappings_high += more;
}

/* shadow_page_at() - which page of RAM is mapped at page @linear? */
bool shadow_page_at(u32 linear, u32 *page)
{
	u32 entry = linear < SHADOW_PAGES ? entry_at(this_space(), linear) : 0;

	*page = entry / ENTRY_NEXT;
	return entry;
}

static int protection(const struct state *state, u32 linear, u32 entry)
{
	return code_protection(state, linear, entry / ENTRY_NEXT,
			       entry & ENTRY_WRITABLE);
}

/* Where there are too many mappings for that, there are none afterwards. */
static void protect(struct state *state, u32 linear, int prot)
{
	long ret = sys3(__NR_mprotect, (long)linear * PAGE_SIZE, PAGE_SIZE,
			prot);

	if (ret == -12)			/* ENOMEM */
		drop_all(state);
	else if (ret)
		monitor_die(state, "mprotect of guest memory failed");
}

/* shadow_allow_step() - page @linear is executable for now, or no longer */
void shadow_allow_step(struct state *state, u32 linear, bool on)
{
	u32 entry = linear < SHADOW_PAGES ? entry_at(this_space(), linear) : 0;

	if (entry)
		protect(state, linear, protection(state, linear, entry) |
				       (on ? PROT_EXEC : 0));
}

/* Has page @linear, which is mapped, follow the state of its page of RAM. */
static void follow(struct state *state, u32 linear)
{
	if (mappings_full(state, MAPPINGS_CUT)) {
		drop_all(state);
		return;
	}
	protect(state, linear,
		protection(state, linear, entry_at(this_space(), linear)));
	count_mappings(state, linear, MAPPINGS_CUT);
}

/* Page @linear now maps page @page of RAM; for shadow_reprotect(). */
static void record_where(struct space *space, u32 linear, u32 page)
{
	u32 where = space->where[page], entry;

	if (where == linear + 1)
		return;
	if (where & WHERE_MORE) {
		space->where[page] = (linear + 1) | WHERE_MORE;
		return;
	}
	entry = where ? entry_at(space, where - 1) : 0;
	space->where[page] = linear + 1;
	if (entry && entry / ENTRY_NEXT == page)
		space->where[page] |= WHERE_MORE;
}

/* shadow_reprotect() - page @page of RAM has become code, or is it no longer */
void shadow_reprotect(struct state *state, u32 page)
{
	struct space *space = this_space();
	u32 where = space->where[page], row, i, entry;

	for (row = 0; row < 1024; row++) {
		u32 at = page - space->large[row] / ENTRY_NEXT;

		if (!space->large[row] || at >= ROW_PAGES)
			continue;
		follow(state, at + row * ROW_PAGES);
	}
	if (!where)
		return;
	if (!(where & WHERE_MORE)) {
		entry = entry_at(space, where - 1);
		if (entry && entry / ENTRY_NEXT == page &&
		    !space->large[(where - 1) / ROW_PAGES])
			follow(state, where - 1);
		return;
	}
	space->where[page] = 0;
	for (i = 0; i < SHADOW_PAGES; i++) {
		if (!(i % 64) && !space->filled[i / 64]) {
			i += 63;
			continue;
		}
		entry = entry_at(space, i);
		if (space->large[i / ROW_PAGES] || !entry ||
		    entry / ENTRY_NEXT != page)
			continue;
		record_where(space, i, page);
		follow(state, i);
	}
}

/*
 * Maps what was recorded at @linear, in as many pieces as there are kinds of
 * protection.  Returns 0, or a negative errno.
 */
static long map_recorded(struct state *state, u32 linear, u32 bytes, u32 gpa,
			 u32 flags)
{
	struct space *space = this_space();
	u32 page = linear / PAGE_SIZE, end = page + bytes / PAGE_SIZE;

	while (page < end) {
		u32 first = page, size;
		int prot = protection(state, page, entry_at(space, page));
		long ret;

		page = state->scan ? page + 1 : end;
		while (page < end &&
		       protection(state, page, entry_at(space, page)) == prot)
			page++;
		size = (page - first) * PAGE_SIZE;
		ret = map(first * PAGE_SIZE, size, prot, size > PAGE_SIZE &&
			  !(flags & (FILL_LARGE | FILL_PIECE)) ? MAP_POPULATE : 0,
			  state->ram_fd, gpa);
		if (ret == -12)			/* ENOMEM */
			monitor_die(state, "the host is out of memory for the shadow of the guest");
		if (ret < 0)
			return ret;
		if (!(flags & FILL_USER))
			keys_set(state, first * PAGE_SIZE, size, prot,
				 KEY_KERNEL);
		gpa += size;
		count_mappings(state, first, page < end);
	}
	return 0;
}

/* Does @entry at page @page go on what is mapped before it? */
static bool continues(const struct state *state, u32 page, u32 entry)
{
	u32 before = page ? entry_at(this_space(), page - 1) : 0;

	return before && before + ENTRY_NEXT == entry &&
	       !code_runs(state, before / ENTRY_NEXT) &&
	       !code_runs(state, entry / ENTRY_NEXT);
}

/*
 * host_large() - see core/vm.h
 *
 * A row goes as one, and comes back at the next fetch of an instruction from
 * it.  So one of which the guest flushes pages, one after the other as it
 * protects its text, is filled by pieces from then on; and so is one that has
 * code pages, which are many mappings.
 */
u32 host_large(struct vm *vm, u32 linear, u32 gpa)
{
	struct state *state = state_of(vm);
	u32 row = linear >> ROW_SHIFT, page = gpa / PAGE_SIZE, i;

	if (this_space()->cut[row / 32] & row_bit(row))
		return PIECE_BYTES;
	for (i = 0; state->scan && i < ROW_PAGES; i++)
		if (code_runs(state, page + i))
			return PIECE_BYTES;
	return LARGE_SIZE;
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

	if (bytes > PLEX86_TOP - linear)
		bytes = PLEX86_TOP - linear;
	/* Of code and data each page may be a mapping of its own. */
	if (mappings_full(state, MAPPINGS_CUT +
				 (state->scan ? bytes / PAGE_SIZE : 0)))
		drop_all(state);
	if (space->large[row] && !(flags & FILL_LARGE))
		drop(state, linear, linear + 1);
	/* What is not RAM is not mapped, and small pages there would stay. */
	if ((flags & FILL_LARGE) && bytes < LARGE_SIZE)
		drop(state, linear, linear + LARGE_SIZE);

	vm->stats.shadow_fills++;
	vm->stats.shadow_pages += bytes / PAGE_SIZE;
	if (entry_at(space, page))
		count_mappings(state, page, MAPPINGS_CUT);
	else if (!continues(state, page, entry))
		count_mappings(state, page, 1);
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
	} else {
		for (i = 0; i < bytes / PAGE_SIZE; i++) {
			if (state->scan)
				record_where(space, page + i,
					     entry / ENTRY_NEXT);
			space->pages[page + i] = entry;
			space->filled[(page + i) / 64] |=
				1ull << (page + i) % 64;
			entry += ENTRY_NEXT;
		}
		space->rows[row / 32] |= row_bit(row);
	}
	for (i = 0; state->scan && i < bytes / PAGE_SIZE; i++)
		code_mapped(state, gpa / PAGE_SIZE + i);
	if (!map_recorded(state, linear, bytes, gpa, flags))
		return 0;
	/* Below vm.mmap_min_addr. */
	drop(state, linear, linear + bytes);
	return -1;
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
		   (long)(end - first) * PAGE_SIZE,
		   state->scan ? PROT_READ : PROT_READ | PROT_EXEC);
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

static u32 translation_entry(const struct translation *tr)
{
	return tr->page_gpa / PAGE_SIZE * ENTRY_NEXT | ENTRY_MAPPED |
	       (tr->writable ? ENTRY_WRITABLE : 0);
}

/* What is to be recorded of page @page of the user half, by the guest's tables. */
static u32 shadow_entry(struct vm *vm, u32 page)
{
	struct translation tr;

	return core_peek(vm, page * PAGE_SIZE, &tr) || !tr.user ?
	       0 : translation_entry(&tr);
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
	if (mappings_full(state, MAPPINGS_CUT)) {
		drop_user(state);
		return;
	}
	last = (to - 1) / PAGE_SIZE;
	for (page = from / PAGE_SIZE; page <= last; page++) {
		u32 row = page / ROW_PAGES, *entry = &space->large[row];
		u64 bits;

		if (!(space->rows[row / 32] & row_bit(row)) || *entry) {
			if (state->scan) {
				drop(state, page * PAGE_SIZE,
				     (page + 1) * PAGE_SIZE);
			} else if (*entry & ENTRY_WRITABLE) {
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
		if (code_runs(state, *entry / ENTRY_NEXT)) {
			*entry &= ~ENTRY_WRITABLE;
			gap = true;
			continue;
		}
		if (!(*entry & ENTRY_WRITABLE))
			continue;
		/*
		 * The guest has left it alone, as fork() does what it copies.
		 * Each such place may cut a mapping in two.
		 */
		if (!mappings_full(state, MAPPINGS_CUT) &&
		    shadow_entry(vm, page) == *entry) {
			gap = true;
			continue;
		}
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

/*
 * The pages of the user half that are mapped, by number in ascending order.
 * Returns how many, or more than RENEW_PAGES.
 */
static u32 user_pages(const struct state *state, u32 *list)
{
	const struct space *space = this_space();
	u32 row, word, n = 0;

	for (row = 0; row < state->vm.page_offset >> ROW_SHIFT; row++) {
		if (!(space->rows[row / 32] & row_bit(row)))
			continue;
		if (space->large[row])
			return RENEW_PAGES + 1;
		for (word = row * ROW_PAGES / 64;
		     word < (row + 1) * ROW_PAGES / 64; word++) {
			u64 bits = space->filled[word];

			for (; bits; bits &= bits - 1) {
				if (n == RENEW_PAGES)
					return RENEW_PAGES + 1;
				list[n++] = word * 64 +
					    (u32)__builtin_ctzll(bits);
			}
		}
	}
	return n;
}

/*
 * As shadow_entry(), for a page that is taken to be used now: that shows in its
 * accessed bit.
 */
static u32 use_entry(struct vm *vm, u32 page)
{
	struct translation tr;

	if (core_peek(vm, page * PAGE_SIZE, &tr) || !tr.user)
		return 0;
	if (!tr.accessed &&
	    core_translate(vm, page * PAGE_SIZE, PFEC_U, &tr))
		return 0;
	return translation_entry(&tr);
}

/*
 * Forgets the user half, and then maps what was mapped again, by the guest's
 * tables as they are now.
 *
 * What a space held is the best guess at what the next in it uses: that is
 * mostly the child of a fork(), after another of the same parent.  So what is
 * right stays, what is elsewhere now is mapped there, because a fault would cost
 * more, and the rest goes.  Where there is much of it, all of it goes, in one
 * piece.
 */
static void renew_user(struct state *state)
{
	u32 list[RENEW_PAGES], n = user_pages(state, list), i, end, kept = 0;
	struct space *space = this_space();
	struct vm *vm = &state->vm;

	if (n > RENEW_PAGES) {
		drop_user(state);
		return;
	}
	for (i = 0; i < n; i = end) {
		u32 page = list[i], entry = use_entry(vm, page);

		end = i + 1;
		if (!entry) {
			while (end < n && !use_entry(vm, list[end]))
				end++;
			drop(state, page * PAGE_SIZE,
			     (list[end - 1] + 1) * PAGE_SIZE);
			continue;
		}
		if (entry != space->pages[page]) {
			/* One page table's, for host_fill(). */
			while (end < n && list[end] == page + end - i &&
			       list[end] % ROW_PAGES &&
			       use_entry(vm, list[end]) ==
			       entry + (end - i) * ENTRY_NEXT)
				end++;
			if (host_fill(vm, page * PAGE_SIZE,
				      entry / ENTRY_NEXT * PAGE_SIZE,
				      (end - i) * PAGE_SIZE, FILL_USER |
				      (entry & ENTRY_WRITABLE ? FILL_WRITABLE : 0)))
				continue;
		}
		kept += end - i;
	}
	/* A mapping has a page at least. */
	space->mappings_low = kept;
}

/* host_flush() - see core/vm.h */
void host_flush(struct vm *vm, bool global)
{
	struct state *state = state_of(vm);
	struct space *space = this_space();

	vm->stats.shadow_flushes++;
	if (global)
		drop_user(state);
	else
		renew_user(state);
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
			keys_renew(state);
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

	if (space->flush_epoch != state->flush_epoch ||
	    state->code_changes - space->code_changes > CODE_LOG) {
		drop_user(state);
		drop_kernel(state);
	} else if (behind > KERNEL_LOG) {
		drop_kernel(state);
	} else {
		for (; behind; behind--) {
			u32 at = (state->kernel_drops - behind) % KERNEL_LOG;
			const struct drop *log = &state->kernel_log[at];

			drop(state, log->from, log->to);
		}
	}
	/* What is still mapped; dropped pages are none of it any more. */
	code_catch_up(state);
	space->flush_epoch = state->flush_epoch;
	space->kernel_drops = state->kernel_drops;
	if (state->flush_next) {
		state->flush_next = 0;
		host_flush(&state->vm, false);
		keys_renew(state);
	}
}
