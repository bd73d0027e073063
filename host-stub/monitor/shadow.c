// SPDX-License-Identifier: GPL-2.0
/*
 * Shadow paging: the mappings of this process are a TLB for the guest's page
 * tables.  They are made on demand at the granularity of the guest's mapping,
 * and dropped when the guest flushes.
 *
 * state->shadow says what is mapped, a word a page: 0, or the page of guest RAM
 * and whether it is writable.  With it the number of VMAs is known exactly,
 * neighbours that the host kernel merges included, and is kept below the
 * limit of a process; and nothing is unmapped that is not there.
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

static long map(u64 address, u64 bytes, int prot, int fd, u64 offset)
{
	return sys6(__NR_mmap, (long)address, (long)bytes, prot,
		    MAP_SHARED | MAP_FIXED, fd, (long)offset);
}

static void unmap(struct state *state, u64 from, u64 to)
{
	if (sys3(__NR_munmap, (long)from, (long)(to - from), 0))
		monitor_die(state, "munmap of guest memory failed");
}

/* Maps what the contract keeps in the top 4 MiB. */
void shadow_map_host_pages(struct state *state)
{
	int rw = PROT_READ | PROT_WRITE;
	u64 info = offsetof(struct state, info_page);
	u64 low = offsetof(struct state, low_page);
	u64 devices = offsetof(struct state, device_page);
	u64 device_bytes = sizeof(state->device_page);

	if (map(PLEX86_INFO, PAGE_SIZE, rw, state->state_fd, info) < 0 ||
	    map(PLEX86_INFO_STI, PAGE_SIZE, rw, state->state_fd, info) < 0 ||
	    map(LOW_PAGE, PAGE_SIZE, rw, state->state_fd, low) < 0 ||
	    map(PLEX86_DEVICES, device_bytes, PROT_READ, state->state_fd,
		devices) < 0)
		monitor_die(state, "cannot map the info page");
}

static u32 *mappings_of(struct state *state, u32 page)
{
	return page < state->vm.page_offset / PAGE_SIZE ?
	       &state->mappings_low : &state->mappings_high;
}

/* Does a VMA start at @page?  It does not where it continues the one before. */
static u32 starts(const struct state *state, u32 page)
{
	u32 entry = state->shadow[page];

	return entry && !(page && state->shadow[page - 1] &&
			  state->shadow[page - 1] + ENTRY_NEXT == entry);
}

/* Records @pages from @page on: @entry and its successors, or 0 for none. */
static void record(struct state *state, u32 page, u32 pages, u32 entry)
{
	u32 i;

	/* The page behind may become a start, or cease to be one. */
	for (i = page; i <= page + pages && i < SHADOW_PAGES; i++)
		*mappings_of(state, i) -= starts(state, i);
	for (i = page; i < page + pages; i++) {
		state->shadow[i] = entry;
		if (entry)
			entry += ENTRY_NEXT;
		state->rows[i >> 15] |= 1u << ((i >> 10) & 31);
	}
	for (i = page; i <= page + pages && i < SHADOW_PAGES; i++)
		*mappings_of(state, i) += starts(state, i);
}

/* Forgets the records of the first @rows times 4 MiB. */
static void clear_rows(struct state *state, u32 rows)
{
	u32 i;

	for (i = 0; i < rows; i++) {
		u32 bit = 1u << (i & 31);

		if (!(state->rows[i >> 5] & bit))
			continue;
		state->rows[i >> 5] &= ~bit;
		state->large[i >> 5] &= ~bit;
		memset(&state->shadow[i << 10], 0, 1024 * sizeof(u32));
	}
}

int host_fill(struct vm *vm, u32 linear, u32 gpa, u32 bytes, bool writable,
	      bool global)
{
	struct state *state = state_of(vm);
	int prot = PROT_READ | PROT_EXEC | (writable ? PROT_WRITE : 0);
	long ret;

	/* One in the middle of another makes two more of it. */
	if (state->mappings_low + state->mappings_high + 2 + MAPPINGS_OWN >=
	    state->map_count_max) {
		vm->stats.shadow_limit_flushes++;
		host_flush(vm, true);
	}
	if (bytes > PLEX86_TOP - linear)
		bytes = PLEX86_TOP - linear;
	ret = map(linear, bytes, prot, state->ram_fd, gpa);
	if (ret == -12)			/* ENOMEM */
		monitor_die(state, "the host is out of memory for the shadow of the guest");
	if (ret < 0)
		return -1;		/* below vm.mmap_min_addr */

	vm->stats.shadow_fills++;
	vm->stats.shadow_pages += bytes / PAGE_SIZE;
	record(state, linear / PAGE_SIZE, bytes / PAGE_SIZE,
	       gpa / PAGE_SIZE * ENTRY_NEXT | ENTRY_MAPPED |
	       (writable ? ENTRY_WRITABLE : 0));
	if (linear >= vm->page_offset && !global)
		state->high_local = 1;
	if (bytes > PAGE_SIZE)
		state->large[linear >> 27] |= 1u << ((linear >> 22) & 31);
	return 0;
}

void host_drop(struct vm *vm, u32 linear)
{
	struct state *state = state_of(vm);
	u32 *word = &state->large[linear >> 27];
	u32 bit = 1u << ((linear >> 22) & 31), bytes = PAGE_SIZE;

	if (linear >= PLEX86_TOP)
		return;
	linear &= PAGE_MASK;
	if (*word & bit) {
		*word &= ~bit;
		linear &= LARGE_MASK;
		bytes = LARGE_SIZE;
	} else if (!state->shadow[linear / PAGE_SIZE]) {
		return;
	}
	vm->stats.shadow_drops++;
	unmap(state, linear, (u64)linear + bytes);
	record(state, linear / PAGE_SIZE, bytes / PAGE_SIZE, 0);
}

void host_flush(struct vm *vm, bool global)
{
	struct state *state = state_of(vm);

	vm->stats.shadow_flushes++;
	if (global || state->high_local) {
		vm->stats.shadow_flushes_global++;
		unmap(state, 0, PLEX86_TOP);
		clear_rows(state, PLEX86_TOP / LARGE_SIZE);
		state->mappings_low = 0;
		state->mappings_high = 0;
		state->high_local = 0;
		return;
	}
	if (!state->mappings_low)
		return;
	unmap(state, 0, vm->page_offset);
	clear_rows(state, vm->page_offset / LARGE_SIZE);
	state->mappings_low = 0;
}
