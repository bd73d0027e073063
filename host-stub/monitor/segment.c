// SPDX-License-Identifier: GPL-2.0
/*
 * Segment registers: the guest's TLS descriptors live in the host's GDT slots
 * of the same numbers, because the hardware reads no other table.
 */
#include "space.h"
#include "sys.h"

#define NR_SET_THREAD_AREA	243	/* of the 32-bit table */

/* struct user_desc.flags */
#define UD_SEG_32BIT		0x01u
#define UD_CONTENTS(n)		((u32)(n) << 1)
#define UD_READ_EXEC_ONLY	0x08u
#define UD_LIMIT_IN_PAGES	0x10u
#define UD_SEG_NOT_PRESENT	0x20u
#define UD_USEABLE		0x40u

#define DESC_PRESENT		(1ull << 47)

static const u8 segments[] = { SEG_DS, SEG_ES, SEG_FS, SEG_GS };

static u32 selector_of(u32 segment)
{
	u32 selector = 0;

	switch (segment) {
	case SEG_DS:
		__asm__ volatile("mov %%ds, %0" : "=r"(selector));
		break;
	case SEG_ES:
		__asm__ volatile("mov %%es, %0" : "=r"(selector));
		break;
	case SEG_FS:
		__asm__ volatile("mov %%fs, %0" : "=r"(selector));
		break;
	case SEG_GS:
		__asm__ volatile("mov %%gs, %0" : "=r"(selector));
		break;
	}
	return selector;
}

/* The selector must be one the hardware takes: a refusal here is fatal. */
static void load_selector(u32 segment, u32 selector)
{
	switch (segment) {
	case SEG_DS:
		__asm__ volatile("mov %0, %%ds" : : "r"(selector));
		break;
	case SEG_ES:
		__asm__ volatile("mov %0, %%es" : : "r"(selector));
		break;
	case SEG_FS:
		__asm__ volatile("mov %0, %%fs" : : "r"(selector));
		break;
	case SEG_GS:
		__asm__ volatile("mov %0, %%gs" : : "r"(selector));
		break;
	}
}

/* Writes descriptor @d into the host's slot @n; an empty one is always taken. */
static void install(struct state *state, u32 n, u64 d)
{
	struct low_page *low = (struct low_page *)(void *)state->low_page;
	struct space *space = this_space();
	u32 high = (u32)(d >> 32), i;

	low->entry_number = GDT_TLS_MIN + n;
	if (d & DESC_PRESENT) {
		low->base = (u32)(d >> 16 & 0xffffff) | (high & 0xff000000);
		low->limit = (u32)(d & 0xffff) | (high & 0x000f0000);
		low->flags = UD_CONTENTS(high >> 10 & 3) |
			     (high & 1u << 22 ? UD_SEG_32BIT : 0) |
			     (high & 1u << 9 ? 0 : UD_READ_EXEC_ONLY) |
			     (high & 1u << 23 ? UD_LIMIT_IN_PAGES : 0) |
			     (high & 1u << 20 ? UD_USEABLE : 0);
	} else {
		low->base = 0;
		low->limit = 0;
		low->flags = UD_READ_EXEC_ONLY | UD_SEG_NOT_PRESENT;
	}
	space->tls[n] = d;
	space->tls_live &= ~(1u << n);
	state->vm.stats.tls_syncs++;
	/*
	 * The guest's kernel checks what its users set by the same rules as the
	 * host's, so a refusal means the guest kernel made it up: it has no
	 * such segment then.
	 */
	if (space->sysenter ? monitor_sysenter(NR_SET_THREAD_AREA, LOW_PAGE) :
			      sys_compat1(NR_SET_THREAD_AREA, LOW_PAGE)) {
		install(state, n, 0);
		space->tls[n] = d;
		return;
	}
	if (!(d & DESC_PRESENT))
		return;
	space->tls_live |= 1u << n;
	/*
	 * The guest kernel may have loaded the selector before the host knew
	 * of the new descriptor, and holds the old one then.
	 */
	for (i = 0; i < sizeof(segments); i++)
		if (selector_of(segments[i]) >> 3 == GDT_TLS_MIN + n)
			load_selector(segments[i], selector_of(segments[i]));
}

/* The guest's TLS descriptors; false if it has no table that holds any. */
static bool guest_tls(struct vm *vm, u64 *tls)
{
	u32 fault;

	return vm->cpu.gdt.limit >= (GDT_TLS_MIN + TLS_SLOTS) * 8 - 1 &&
	       !core_read(vm, vm->cpu.gdt.base + GDT_TLS_MIN * 8, tls,
			  TLS_SLOTS * sizeof(u64), 0, &fault);
}

/* host_sync_tls() - see core/vm.h */
void host_sync_tls(struct vm *vm)
{
	struct state *state = state_of(vm);
	struct space *space = this_space();
	u64 want[TLS_SLOTS];
	u32 n;

	space->tls_stale = 0;
	if (!guest_tls(vm, want))
		return;
	for (n = 0; n < TLS_SLOTS; n++)
		if (want[n] != space->tls[n])
			install(state, n, want[n]);
}

/* What the registers hold, for the space that the vCPU goes to. */
void segments_save(struct state *state)
{
	u32 i;

	for (i = 0; i < sizeof(segments); i++)
		state->segment[i] = selector_of(segments[i]);
}

/*
 * This space's descriptors may be those of a program that ran in it long ago.
 * The guest's kernel uses none, and may be about to change them, so they are
 * looked at again when it goes to user mode; but a selector that is to be
 * loaded now must refer to something.
 */
void segments_load(struct state *state)
{
	struct space *space = this_space();
	u64 want[TLS_SLOTS];
	u32 i;

	space->tls_stale = guest_tls(&state->vm, want) &&
			   memcmp(want, space->tls, sizeof(want));

	for (i = 0; i < sizeof(segments); i++) {
		u32 selector = state->segment[i];

		if (selector == selector_of(segments[i]))
			continue;
		if (selector & ~3u && selector != HOST_DS) {
			u32 slot = (selector >> 3) - GDT_TLS_MIN;

			if (slot >= TLS_SLOTS)
				continue;
			if (!(space->tls_live & (1u << slot)))
				host_sync_tls(&state->vm);
			if (!(space->tls_live & (1u << slot)))
				continue;
		}
		load_selector(segments[i], selector);
	}
}

/*
 * Loads a selector that trapped.  Only two kinds can: the kernel's flat
 * segment, for which the caller passes the user's, and a TLS slot that the
 * host did not know of yet.
 */
int host_load_segment(struct vm *vm, u32 segment, u32 selector)
{
	u32 slot = (selector >> 3) - GDT_TLS_MIN;

	if (selector != 0x2b) {
		if (slot >= TLS_SLOTS || (selector & 4))
			return -1;
		host_sync_tls(vm);
		if (!(this_space()->tls_live & (1u << slot)))
			return -1;
	}
	load_selector(segment, selector);
	return 0;
}
