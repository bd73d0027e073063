// SPDX-License-Identifier: GPL-2.0
/*
 * The TLB: how the kernel is to use what the host offers.
 *
 * To the kernel the host's address spaces are PCIDs.  PLEX86_CALL_CR3 and
 * PLEX86_CALL_FLUSH are in asm/plex86_guest.h; here is what is set once.
 */
#include <linux/cpufeature.h>
#include <linux/init.h>
#include <linux/limits.h>
#include <linux/mm.h>
#include <asm/plex86_call.h>
#include <asm/tlbflush.h>
#include <asm/x86_init.h>

#include "../mm/mm_internal.h"
#include "plex86.h"

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
