// SPDX-License-Identifier: GPL-2.0
/*
 * Memory: how the kernel is to use what the host offers, a TLB made of mappings
 * whose misses are dear.
 *
 * To the kernel the host's address spaces are PCIDs.  PLEX86_CALL_CR3 and
 * PLEX86_CALL_FLUSH are in asm/plex86_guest.h; here is the rest of what existing
 * code calls, and what is set once.
 */
#include <linux/cpufeature.h>
#include <linux/gfp.h>
#include <linux/init.h>
#include <linux/kernel.h>
#include <linux/limits.h>
#include <linux/log2.h>
#include <linux/memcontrol.h>
#include <linux/mm.h>
#include <linux/oom.h>
#include <linux/plex86.h>
#include <linux/ptrace.h>
#include <linux/rmap.h>
#include <linux/sched.h>
#include <linux/sched/task_stack.h>
#include <linux/swap.h>
#include <linux/userfaultfd_k.h>
#include <asm/plex86_call.h>
#include <asm/plex86_compat.h>
#include <asm/tlbflush.h>
#include <asm/x86_init.h>

#include "../mm/mm_internal.h"
#include "plex86.h"

/* Since the last fork(), in halves of a page: the kernel asks twice for each. */
static unsigned int copied;

/**
 * plex86_protect() - flush the TLB of writable translations
 * @mm: whose
 *
 * In place of flush_tlb_mm(), whose one caller that matters here is fork().  It
 * has taken write permission away and no more, and the parent is to keep the
 * rest.  What other callers have taken away needs another CPU to have deferred
 * its flush to (mm/rmap.c), PAE, soft-dirty bits, or huge pages (khugepaged); only
 * the last can be configured.
 *
 * The generation of @mm stays as it is: it is for CPUs, and spaces, that have to
 * catch up.  There is one CPU, and an mm has no space but the one loaded.
 *
 * Return: false if it has to be flush_tlb_mm().
 */
bool plex86_protect(struct mm_struct *mm)
{
	if (IS_ENABLED(CONFIG_TRANSPARENT_HUGEPAGE) ||
	    mm != this_cpu_read(cpu_tlbstate.loaded_mm))
		return false;
	copied = 0;
	return !plex86_call2(PLEX86_CALL_PROTECT, 0, PAGE_OFFSET);
}

/* The context that each ASID had when its mm was dead. */
static u64 dead[TLB_NR_DYN_ASIDS];

static bool is_dead(u16 asid)
{
	return dead[asid] &&
	       dead[asid] == this_cpu_read(cpu_tlbstate.ctxs[asid].ctx_id);
}

/**
 * plex86_flush_later() - flush the TLB of what is loaded when it is used again
 * @mm: what is loaded
 *
 * A lazy mm is not in use on this CPU.  Before it is, switch_mm_irqs_off()
 * compares generations, and flushes.  A flush at once would be to keep the CPU
 * from reading ahead in page tables that are about to be freed; the host reads
 * them at a fault and at a load of CR3 only (abi/plex86-abi.md, 8.8).
 *
 * A dead mm is not used again.  The next new one gets its ASID, and so the space
 * where the host has what a process much like it had mapped: that of another
 * child of the same parent, mostly.  In turn it could be the parent's.  For those
 * that come after it, this begins where most dead ones are in a row.
 *
 * Return: false if @mm is in use.
 */
bool plex86_flush_later(struct mm_struct *mm)
{
	u16 asid = this_cpu_read(cpu_tlbstate.loaded_mm_asid);
	u16 first, n, most = 0;

	if (!this_cpu_read(cpu_tlbstate_shared.is_lazy))
		return false;
	if (atomic_read(&mm->mm_users))
		return true;
	dead[asid] = this_cpu_read(cpu_tlbstate.ctxs[asid].ctx_id);
	for (first = 0; first < TLB_NR_DYN_ASIDS; first += n + 1) {
		for (n = 0; first + n < TLB_NR_DYN_ASIDS; n++)
			if (!is_dead(first + n))
				break;
		if (n <= most)
			continue;
		most = n;
		this_cpu_write(cpu_tlbstate.next_asid, first);
	}
	return true;
}

/*
 * What fork() copies: of any area some pages at its start, small areas as a
 * whole, and around the stack pointer; all in all COPY_MOST pages.  (Two forks at
 * a time, of which one sleeps, share that.)
 */
#define COPY_MOST	128U
#define COPY_START	8U
#define COPY_SMALL	32U
#define COPY_BELOW_SP	1U
#define COPY_ABOVE_SP	2U

/**
 * plex86_copies() - does fork() copy a page at once?
 * @vma: the parent's area, private memory
 * @index: of the page, which nobody else has
 *
 * If not, both share it, and whoever writes first takes a page fault and copies
 * it, and the other takes one as well.  The parent has written to it since
 * it forked last, or it would share it with that child.
 */
bool plex86_copies(struct vm_area_struct *vma, unsigned long index)
{
	unsigned long page = index - vma->vm_pgoff;
	unsigned long at = PFN_DOWN(vma->vm_start) + page;
	unsigned long sp = PFN_DOWN(current_pt_regs()->sp);

	/* Of huge pages there is no little to copy. */
	if (IS_ENABLED(CONFIG_TRANSPARENT_HUGEPAGE) ||
	    (vma->vm_flags & (VM_WRITE | VM_HUGETLB)) != VM_WRITE)
		return false;
	if (page >= COPY_START && vma_pages(vma) > COPY_SMALL &&
	    at + COPY_BELOW_SP - sp > COPY_BELOW_SP + COPY_ABOVE_SP)
		return false;
	return copied++ < 2 * COPY_MOST;
}

/* Of a larger area fork() copies no page tables that it need not. */
#define COPY_TABLES	512U

/**
 * plex86_copies_tables() - does fork() copy the page tables of an area of a file?
 * @vma: the parent's area
 */
bool plex86_copies_tables(struct vm_area_struct *vma)
{
	return !(vma->vm_flags & VM_SHARED) && vma_pages(vma) <= COPY_TABLES;
}

/*
 * Anonymous memory that is written page after page is mapped up to the next
 * border of so many pages, a power of two.
 */
#define AROUND_PAGES	16U
#define AROUND_SIZE	(AROUND_PAGES * PAGE_SIZE)

/* For a page that nobody asked for nothing is reclaimed, and nobody woken. */
#define AROUND_GFP	((GFP_HIGHUSER_MOVABLE & ~__GFP_RECLAIM) | __GFP_ZERO | \
			 __GFP_NORETRY | __GFP_NOMEMALLOC | __GFP_NOWARN)

/*
 * Private memory of no file, whose user has not said that it matters which pages
 * are there.  Nor is it the stack that exec() is about to move, VM_RAND_READ.
 */
static bool around_allowed(struct vm_area_struct *vma)
{
	const unsigned long flags = VM_WRITE | VM_SHARED | VM_LOCKED |
				    VM_SPECIAL | VM_RAND_READ | VM_NOHUGEPAGE;

	return vma_is_anonymous(vma) && vma->anon_vma &&
	       (vma->vm_flags & flags) == VM_WRITE && !userfaultfd_armed(vma);
}

/*
 * How many pages to map behind @addr: those that are not there, and no more than
 * are there in a row up to @addr, two at least.  So memory of which little is
 * used takes up no more than twice that.
 */
static unsigned int around_pages(struct vm_area_struct *vma, unsigned long addr,
				 pte_t *ptep)
{
	unsigned long end = min(ALIGN(addr + PAGE_SIZE, AROUND_SIZE),
				vma->vm_end);
	unsigned int room = (end - addr) / PAGE_SIZE - 1;
	unsigned int row = min(pte_index(addr),
			       (addr - vma->vm_start) / PAGE_SIZE);
	unsigned int none = 0, seen = 0;

	while (none < room && pte_none(ptep_get(ptep + 1 + none)))
		none++;
	while (seen < min(none, row) && pte_present(ptep_get(ptep - 1 - seen)))
		seen++;
	return seen ? min(none, seen + 1) : 0;
}

/**
 * plex86_mapped() - a page of user memory was mapped
 * @vma: where
 * @addr: its address
 * @ptep: its entry, whose table is locked
 *
 * A page fault costs a guest far more than a page.  So the first of some pages
 * of anonymous memory brings the others, as do_anonymous_page() would, and if
 * possible in one piece, which is one mapping to the host.
 *
 * Who gets here holds mmap_lock or the VMA's, so that what is mapped ahead is not
 * mapped behind the back of an munmap().
 */
void plex86_mapped(struct vm_area_struct *vma, unsigned long addr, pte_t *ptep)
{
	struct mm_struct *mm = vma->vm_mm;
	pte_t pte = ptep_get(ptep);
	unsigned int pages, order, i, n;
	struct page *page;

	/* Migration puts back locked pages, and holds no mmap_lock. */
	if (!pte_write(pte) || !pte_dirty(pte) || !around_allowed(vma) ||
	    PageLocked(pte_page(pte)) || check_stable_address_space(mm))
		return;

	addr &= PAGE_MASK;
	pages = around_pages(vma, addr, ptep);
	if (!pages)
		return;

	/* One may be left over: 15 follow the first. */
	for (order = ilog2(pages + 1);; order--) {
		page = alloc_pages(AROUND_GFP, order);
		if (page)
			break;
		if (!order)
			return;
	}
	split_page(page, order);

	pages = min(pages, 1U << order);
	for (n = 0; n < pages; n++) {
		if (mem_cgroup_charge(page_folio(page + n), mm, AROUND_GFP))
			break;
	}
	for (i = n; i < 1U << order; i++)
		__free_page(page + i);

	add_mm_counter(mm, MM_ANONPAGES, n);
	for (; n; n--, page++) {
		__folio_mark_uptodate(page_folio(page));
		pte = mk_pte(page, vma->vm_page_prot);
		pte = maybe_mkwrite(pte_mkdirty(pte_sw_mkyoung(pte)), vma);
		addr += PAGE_SIZE;
		plex86_new_anon_rmap(page, vma, addr);
		folio_add_lru_vma(page_folio(page), vma);
		set_pte_at(mm, addr, ++ptep, pte);
	}
}

/*
 * Early in setup_arch(): after early_identify_cpu(), which takes PCID from
 * every 32-bit CPU, and before cpu_init(), which loads the first CR3 with an
 * identifier.  A feature that is forced wins over one that is cleared.
 */
static void __init plex86_mmu_setup(void)
{
	/* A range is one call, whatever its size. */
	tlb_single_page_flush_ceiling = ULONG_MAX >> PAGE_SHIFT;

	/* PCID 0 and one for each ASID, see kern_pcid(). */
	if (plex86_info->asids <= TLB_NR_DYN_ASIDS)
		return;
	setup_force_cpu_cap(X86_FEATURE_PCID);
	cr4_set_bits(X86_CR4_PCIDE);
}

void __init plex86_mmu_init(void)
{
	x86_init.oem.arch_setup = plex86_mmu_setup;
}
