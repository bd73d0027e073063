// SPDX-License-Identifier: GPL-2.0
/*
 * The guest's page tables: translation with the processor's rules, and access
 * to guest-linear memory from the host.
 *
 * Page tables are two-level with 4 KiB and 4 MiB pages (SDM vol. 3, 4.3,
 * "32-bit paging"); the guest's CPUID offers neither PAE nor NX.
 */
#include "vm.h"

static u32 *entry_at(struct vm *vm, u32 gpa)
{
	if (gpa > vm->ram_bytes - sizeof(u32))
		return NULL;
	return (u32 *)(vm->ram + gpa);
}

static void set_bits(struct vm *vm, u32 *entry, u32 bits)
{
	if ((*entry & bits) == bits)
		return;
	host_use(vm, (u32)((u8 *)entry - vm->ram), PFEC_W);
	*entry |= bits;
}

/*
 * core_translate() - walk the guest's page tables
 * @access: PFEC_W for a write, PFEC_U for an access from user mode
 * @tr: the translation
 *
 * Sets the accessed and dirty bits as the processor does (SDM vol. 3, 4.8).
 * Returns 0, or -1 and leaves in @tr->gpa the page-fault error code's P bit.
 */
int core_translate(struct vm *vm, u32 linear, u32 access,
		   struct translation *tr)
{
	struct vcpu *cpu = &vm->cpu;
	bool write = access & PFEC_W, user = access & PFEC_U;
	u32 *pde, *pte, *leaf, rights, offset;
	bool ignore_ro;

	tr->gpa = 0;
	if (linear >= PLEX86_TOP)
		return -1;
	if (!(cpu->cr0 & CR0_PG)) {
		/* Small at the bottom: not all of that can be mapped. */
		tr->page_bytes = linear < LARGE_SIZE ? PAGE_SIZE : LARGE_SIZE;
		tr->gpa = linear;
		tr->page_gpa = linear & ~(tr->page_bytes - 1);
		tr->writable = true;
		tr->global = false;
		tr->user = false;
		tr->accessed = true;
		return 0;
	}

	pde = entry_at(vm, (cpu->cr3 & PAGE_MASK) + (linear >> 22) * 4);
	if (!pde || !(*pde & PTE_P))
		return -1;
	if ((*pde & PTE_PS) && (cpu->cr4 & CR4_PSE)) {
		leaf = pde;
		pte = NULL;
		rights = *pde;
		tr->page_bytes = LARGE_SIZE;
	} else {
		pte = entry_at(vm, (*pde & PAGE_MASK) +
				   ((linear >> 12) & 1023) * 4);
		if (!pte || !(*pte & PTE_P))
			return -1;
		leaf = pte;
		rights = *pde & *pte;
		tr->page_bytes = PAGE_SIZE;
	}

	tr->gpa = PFEC_P;
	ignore_ro = !user && !(cpu->cr0 & CR0_WP);
	if (user && !(rights & PTE_U))
		return -1;
	if (write && !(rights & PTE_W) && !ignore_ro)
		return -1;

	set_bits(vm, pde, PTE_A);
	if (pte)
		set_bits(vm, pte, PTE_A);
	if (write)
		set_bits(vm, leaf, PTE_D);

	offset = linear & (tr->page_bytes - 1);
	tr->page_gpa = *leaf & ~(tr->page_bytes - 1);
	tr->gpa = tr->page_gpa + offset;
	tr->writable = ((rights & PTE_W) || write) && (*leaf & PTE_D);
	tr->global = (*leaf & PTE_G) && (cpu->cr4 & CR4_PGE);
	tr->user = rights & PTE_U;
	tr->accessed = true;
	return 0;
}

/*
 * core_peek() - how is the 4 KiB page at @linear mapped?
 *
 * For pages beside one that was asked for: changes no accessed and no dirty bit.
 * Returns 0, or -1 if it is not present, not small or not all RAM.
 */
int core_peek(struct vm *vm, u32 linear, struct translation *tr)
{
	struct vcpu *cpu = &vm->cpu;
	u32 *pde, *pte, rights;

	pde = entry_at(vm, (cpu->cr3 & PAGE_MASK) + (linear >> 22) * 4);
	if (!(cpu->cr0 & CR0_PG) || !pde || !(*pde & PTE_P) ||
	    ((*pde & PTE_PS) && (cpu->cr4 & CR4_PSE)))
		return -1;
	pte = entry_at(vm, (*pde & PAGE_MASK) + ((linear >> 12) & 1023) * 4);
	if (!pte || !(*pte & PTE_P))
		return -1;
	rights = *pde & *pte;
	tr->page_gpa = *pte & PAGE_MASK;
	tr->page_bytes = PAGE_SIZE;
	tr->writable = (rights & PTE_W) && (*pte & PTE_D);
	tr->global = (*pte & PTE_G) && (cpu->cr4 & CR4_PGE);
	tr->user = rights & PTE_U;
	tr->accessed = *pte & PTE_A;
	return tr->page_gpa > vm->ram_bytes - PAGE_SIZE ? -1 : 0;
}

/* Reads or writes guest-linear memory page by page. */
static int copy(struct vm *vm, u32 linear, u8 *buf, u32 bytes, u32 access,
		u32 *fault)
{
	while (bytes) {
		struct translation tr;
		u32 chunk = PAGE_SIZE - (linear & (PAGE_SIZE - 1));

		if (chunk > bytes)
			chunk = bytes;
		if (core_translate(vm, linear, access, &tr)) {
			*fault = tr.gpa | access;
			vm->fault_linear = linear;
			return -1;
		}
		if (tr.gpa > vm->ram_bytes || chunk > vm->ram_bytes - tr.gpa) {
			*fault = access;
			vm->fault_linear = linear;
			return -1;
		}
		if (access & PFEC_W) {
			host_use(vm, tr.gpa, PFEC_W);
			memcpy(vm->ram + tr.gpa, buf, chunk);
		} else {
			memcpy(buf, vm->ram + tr.gpa, chunk);
		}
		linear += chunk;
		buf += chunk;
		bytes -= chunk;
	}
	return 0;
}

/*
 * core_read(), core_write() - copy from or to guest-linear memory
 * @access: 0 as the kernel, PFEC_U as user code
 * @fault: the page-fault error code, where -1 is returned
 *
 * Returns 0, or -1 with *@fault and vm->fault_linear set, having copied what
 * came before the fault.  CR2 is left alone: not every failure becomes a #PF.
 */
int core_read(struct vm *vm, u32 linear, void *to, u32 bytes, u32 access,
	      u32 *fault)
{
	return copy(vm, linear, to, bytes, access & ~PFEC_W, fault);
}

int core_write(struct vm *vm, u32 linear, const void *from, u32 bytes,
	       u32 access, u32 *fault)
{
	return copy(vm, linear, (u8 *)(uintptr_t)from, bytes, access | PFEC_W,
		    fault);
}
