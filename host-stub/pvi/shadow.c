// SPDX-License-Identifier: GPL-2.0
/*
 * Shadow page tables: what the hardware walks while the guest runs.
 *
 * There are two roots, because the guest's kernel and its programs run at the same
 * ring.  The kernel's has all that the guest has used, every entry with U/S set;
 * the user's only what the guest's tables have U/S set for.  So U/S is enforced by
 * a page being there or not, and a change of the virtual CPL is a load of CR3.
 * The alternative, one root whose U/S bits are turned at each change of the CPL,
 * would cost a walk through the kernel half each time.
 *
 * Each root has a page table for each of its rows of 4 MiB, at a fixed place: none
 * is ever allocated, and so none is ever missing.  An entry of a root that is
 * absent says that its table holds rubbish.
 *
 * Nothing is invalidated by INVLPG: the monitor has a root of its own, so every way
 * back to the guest loads CR3, and no entry of ours has G set.
 */
#include "machine.h"
#include "pvi.h"

#define ROW_SHIFT	22
#define ROW_PAGES	(LARGE_SIZE / PAGE_SIZE)
#define PIECE_BYTES	0x10000u	/* of a large page that is not filled whole */
#define TABLE_FLAGS	(PTE_P | PTE_W | PTE_U | PTE_A)

u8 info_page[PAGE_SIZE] __attribute__((aligned(PAGE_SIZE)));
u8 gates_page[PAGE_SIZE] __attribute__((aligned(PAGE_SIZE)));

static u32 *const roots[ROOTS] = { root_kernel, root_user };

static u32 row_bit(u32 row)
{
	return 1u << (row & 31);
}

static bool has_row(u32 root, u32 row)
{
	return host.rows[root][row / 32] & row_bit(row);
}

static void clear_row(u32 root, u32 row)
{
	roots[root][row] = 0;
	host.rows[root][row / 32] &= ~row_bit(row);
}

static void set_row(u32 root, u32 row, u32 entry)
{
	roots[root][row] = entry;
	host.rows[root][row / 32] |= row_bit(row);
}

static void map_top(u32 *table, u32 linear, const u8 *page, u32 flags)
{
	table[linear / PAGE_SIZE % ROW_PAGES] = physical(page) | flags | PTE_P;
}

/*
 * shadow_start() - what never changes: the top 4 MiB in both roots
 * @tables: room for all page tables, not cleared
 *
 * The monitor's pages are there for the hardware, which enters it before CR3 is
 * loaded; they are the supervisor's.
 */
void shadow_start(u32 *tables)
{
	u32 i;

	host.tables = (u32 (*)[1024][1024])(void *)tables;
	memcpy(top_user, top_kernel, PAGE_SIZE);
	map_top(top_kernel, PLEX86_INFO, info_page, PTE_U | PTE_W);
	map_top(top_kernel, PLEX86_GATES, gates_page, PTE_U);
	map_top(top_user, PLEX86_GATES, gates_page, PTE_U);
	for (i = 0; i < PLEX86_MAX_DEVICES; i++)
		map_top(top_kernel, PLEX86_DEVICES + i * PAGE_SIZE,
			i ? no_device_page : console_page, PTE_U);
	root_kernel[PLEX86_TOP >> ROW_SHIFT] = physical(top_kernel) | TABLE_FLAGS;
	root_user[PLEX86_TOP >> ROW_SHIFT] = physical(top_user) | TABLE_FLAGS;
}

/* shadow_reset() - nothing is mapped, for a guest that begins */
void shadow_reset(void)
{
	host_flush(&host.vm, true);
	memset(host.cut, 0, sizeof(host.cut));
}

/* host_large() - see core/vm.h; a row of which parts were flushed goes by pieces */
u32 host_large(struct vm *vm, u32 linear, u32 gpa)
{
	u32 row = linear >> ROW_SHIFT;

	if ((host.cut[row / 32] & row_bit(row)) || gpa > vm->ram_bytes ||
	    LARGE_SIZE > vm->ram_bytes - gpa)
		return PIECE_BYTES;
	return LARGE_SIZE;
}

/* @entry: of the first page; those behind continue it. */
static void fill(u32 root, u32 linear, u32 pages, u32 entry, bool large)
{
	u32 row = linear >> ROW_SHIFT, page = linear / PAGE_SIZE % ROW_PAGES;
	u32 *table = host.tables[root][row];

	if (large) {
		set_row(root, row, entry | PTE_PS);
		return;
	}
	if (!has_row(root, row) || (roots[root][row] & PTE_PS)) {
		clear_pages(table, 1);
		set_row(root, row, (u32)table | TABLE_FLAGS);
	}
	for (; pages--; entry += PAGE_SIZE)
		table[page++] = entry;
}

/*
 * host_fill() - see core/vm.h
 *
 * A page goes to the user's root as well if programs may have it just as the
 * kernel does, which without CR0.WP is not known at a fault of the kernel's.
 */
int host_fill(struct vm *vm, u32 linear, u32 gpa, u32 bytes, u32 flags)
{
	u32 entry = ((u32)vm->ram + gpa) | PTE_P | PTE_U | PTE_A | PTE_D |
		    (flags & FILL_WRITABLE ? PTE_W : 0);
	bool large = flags & FILL_LARGE;

	vm->stats.shadow_fills++;
	vm->stats.shadow_pages += bytes / PAGE_SIZE;
	if (linear >= vm->page_offset && !(flags & FILL_GLOBAL))
		host.high_local = true;
	fill(ROOT_KERNEL, linear, bytes / PAGE_SIZE, entry, large);
	if ((flags & FILL_USER) && (vm->cpu.cpl == 3 || (vm->cpu.cr0 & CR0_WP)))
		fill(ROOT_USER, linear, bytes / PAGE_SIZE, entry, large);
	return 0;
}

/* host_filled() - see core/vm.h; for the mode that the guest is in */
bool host_filled(struct vm *vm, u32 linear, bool writable)
{
	u32 root = vm->cpu.cpl == 3 ? ROOT_USER : ROOT_KERNEL;
	u32 row = linear >> ROW_SHIFT, entry = roots[root][row];

	if ((entry & PTE_P) && !(entry & PTE_PS))
		entry = host.tables[root][row][linear / PAGE_SIZE % ROW_PAGES];
	return (entry & PTE_P) && (!writable || (entry & PTE_W));
}

/* Has @mask left of the entries of @from to below @to, of one root. */
static void mask_range(u32 root, u32 from, u32 to, u32 mask)
{
	u32 row, first, last, pages;

	for (row = from >> ROW_SHIFT; row <= (to - 1) >> ROW_SHIFT; row++) {
		u32 start = row << ROW_SHIFT;
		bool whole;

		if (!host.rows[root][row / 32]) {
			row |= 31;
			continue;
		}
		if (!has_row(root, row))
			continue;
		first = from > start ? from : start;
		last = to - 1 < start + (LARGE_SIZE - 1) ? to - 1 :
							   start + (LARGE_SIZE - 1);
		whole = first == start && last == start + (LARGE_SIZE - 1);
		if (roots[root][row] & PTE_PS) {
			if (!whole)
				host.cut[row / 32] |= row_bit(row);
			if (mask)
				roots[root][row] &= mask;
			else
				clear_row(root, row);
		} else if (whole && !mask) {
			clear_row(root, row);
		} else {
			u32 *entry = host.tables[root][row] +
				     first / PAGE_SIZE % ROW_PAGES;

			for (pages = (last - first) / PAGE_SIZE + 1; pages;
			     pages--)
				*entry++ &= mask;
		}
	}
}

static void mask_both(u32 from, u32 to, u32 mask)
{
	from &= PAGE_MASK;
	if (to > PLEX86_TOP)
		to = PLEX86_TOP;
	if (from >= to)
		return;
	mask_range(ROOT_KERNEL, from, to, mask);
	mask_range(ROOT_USER, from, to, mask);
}

/* host_drop(), host_protect(), host_flush() - see core/vm.h */
void host_drop(struct vm *vm, u32 from, u32 to)
{
	vm->stats.shadow_drops++;
	mask_both(from, to, 0);
}

void host_protect(struct vm *vm, u32 from, u32 to)
{
	(void)vm;
	mask_both(from, to, ~PTE_W);
}

void host_flush(struct vm *vm, bool global)
{
	vm->stats.shadow_flushes++;
	vm->stats.shadow_flushes_global += global;
	if (global || host.high_local) {
		mask_both(0, PLEX86_TOP, 0);
		host.high_local = false;
	} else {
		mask_both(0, vm->page_offset, 0);
	}
}

/* host_space() - see core/vm.h; there are none, info->asids is 0 */
int host_space(struct vm *vm, u32 asid, bool keep)
{
	(void)vm;
	(void)asid;
	(void)keep;
	return -1;
}

/* host_use() - see core/vm.h; code may be written, as on the processor */
bool host_use(struct vm *vm, u32 gpa, u32 access)
{
	(void)vm;
	(void)gpa;
	(void)access;
	return false;
}
