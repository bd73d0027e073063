/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What existing code asks before it does a thing the way of a bare CPU.
 *
 * Each of these does it the host's way, for the price of a call or of nothing,
 * and returns true.  In a kernel that is no plex86 guest each is a constant
 * false, and the code around it is what it always was.  plex86_mapped() is told,
 * not asked.
 *
 * For all but TLS descriptors the bare CPU's way works in a guest too, by a trap.
 * What is rare is left at that: reads of CR3, writes of CR0 and CR4, and the few
 * of all these that assembly has.
 */
#ifndef _ASM_X86_PLEX86_GUEST_H
#define _ASM_X86_PLEX86_GUEST_H

#include <linux/types.h>
#include <asm/pgtable_types.h>

struct mm_struct;
struct vm_area_struct;

#ifdef CONFIG_PLEX86_GUEST

#include <linux/compiler.h>
#include <asm/page_types.h>
#include <asm/plex86_call.h>

/**
 * plex86_read_cr2() - the linear address of the last page fault
 * @cr2: where to put it
 */
static __always_inline bool plex86_read_cr2(unsigned long *cr2)
{
	*cr2 = READ_ONCE(plex86_info->cr2);
	return true;
}

/**
 * plex86_write_cr3() - load page tables, see PLEX86_CR3_ASID
 * @cr3: as for MOV to CR3
 */
static __always_inline bool plex86_write_cr3(unsigned long cr3)
{
	plex86_call2(PLEX86_CALL_CR3, cr3, 0);
	return true;
}

/**
 * plex86_flush() - flush what the TLB has of a range, global or not
 * @from: where it starts
 * @to: where it ends, exclusive
 *
 * A large page that only overlaps the range goes as a whole.  User addresses
 * are those of the address space that is loaded, kernel addresses those of all.
 */
static __always_inline bool plex86_flush(unsigned long from, unsigned long to)
{
	plex86_call2(PLEX86_CALL_FLUSH, from & PAGE_MASK,
		     (to + PAGE_SIZE - 1) & PAGE_MASK);
	return true;
}

/* arch/x86/plex86/cpu.c */
bool plex86_load_tls(void *gdt, const void *tls, size_t bytes);

/* arch/x86/plex86/mmu.c */
bool plex86_protect(struct mm_struct *mm);
bool plex86_flush_later(struct mm_struct *mm);
void plex86_mapped(struct vm_area_struct *vma, unsigned long addr, pte_t *ptep);

#else /* CONFIG_PLEX86_GUEST */

static __always_inline bool plex86_read_cr2(unsigned long *cr2)
{
	return false;
}

static __always_inline bool plex86_write_cr3(unsigned long cr3)
{
	return false;
}

static __always_inline bool plex86_flush(unsigned long from, unsigned long to)
{
	return false;
}

static __always_inline bool plex86_load_tls(void *gdt, const void *tls,
					    size_t bytes)
{
	return false;
}

static __always_inline bool plex86_protect(struct mm_struct *mm)
{
	return false;
}

static __always_inline bool plex86_flush_later(struct mm_struct *mm)
{
	return false;
}

static __always_inline void plex86_mapped(struct vm_area_struct *vma,
					  unsigned long addr, pte_t *ptep)
{
}

#endif /* CONFIG_PLEX86_GUEST */

#endif /* _ASM_X86_PLEX86_GUEST_H */
