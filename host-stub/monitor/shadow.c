// SPDX-License-Identifier: GPL-2.0
/*
 * Shadow paging: the mappings of this process are a TLB for the guest's page
 * tables.  They are made on demand at the granularity of the guest's mapping,
 * and dropped when the guest flushes.
 *
 * The host's page tables are never looked at; it is enough to know how much was
 * mapped since the last flush, in either half (user, kernel).
 */
#include <asm/mman.h>
#include <linux/mman.h>

#include "space.h"
#include "sys.h"

/* VMAs the monitor needs for itself, with room to spare. */
#define MAPPINGS_OWN	64u

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

int host_fill(struct vm *vm, u32 linear, u32 gpa, u32 bytes, bool writable,
	      bool global)
{
	struct state *state = state_of(vm);
	int prot = PROT_READ | PROT_EXEC | (writable ? PROT_WRITE : 0);
	long ret;

	if (state->mappings_low + state->mappings_high + MAPPINGS_OWN >=
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
	/* A mapping in the middle of another splits it: at most two more. */
	if (linear < vm->page_offset) {
		state->mappings_low += 2;
	} else {
		state->mappings_high += 2;
		if (!global)
			state->high_local = 1;
	}
	if (bytes > PAGE_SIZE)
		state->large[linear >> 27] |= 1u << ((linear >> 22) & 31);
	return 0;
}

void host_drop(struct vm *vm, u32 linear)
{
	struct state *state = state_of(vm);
	u32 *word = &state->large[linear >> 27];
	u32 bit = 1u << ((linear >> 22) & 31);

	if (linear >= PLEX86_TOP)
		return;
	vm->stats.shadow_drops++;
	if (*word & bit) {
		*word &= ~bit;
		linear &= LARGE_MASK;
		unmap(state, linear, (u64)linear + LARGE_SIZE);
		return;
	}
	linear &= PAGE_MASK;
	unmap(state, linear, (u64)linear + PAGE_SIZE);
	/* A hole in a mapping splits it. */
	if (linear < vm->page_offset)
		state->mappings_low++;
	else
		state->mappings_high++;
}

void host_flush(struct vm *vm, bool global)
{
	struct state *state = state_of(vm);

	vm->stats.shadow_flushes++;
	if (global || state->high_local) {
		vm->stats.shadow_flushes_global++;
		unmap(state, 0, PLEX86_TOP);
		memset(state->large, 0, sizeof(state->large));
		state->mappings_low = 0;
		state->mappings_high = 0;
		state->high_local = 0;
		return;
	}
	if (!state->mappings_low)
		return;
	unmap(state, 0, vm->page_offset);
	memset(state->large, 0, vm->page_offset >> 25);
	state->mappings_low = 0;
}
