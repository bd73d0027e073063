// SPDX-License-Identifier: GPL-2.0
/*
 * The plex86 CPU, and with it everything that makes this kernel a guest.
 *
 * The host answers CPUID with a vendor of its own.  The kernel's list of
 * vendors is the earliest place that calls us without a change to it: in
 * early_cpu_init(), with the kernel's own page tables loaded and before memory
 * map, parameters, interrupts or clocks.  From here every hook is set.
 *
 * A host that answers with another vendor would get a kernel that looks for a
 * PC.  No check can catch that: before CPUID is answered nothing tells that
 * there is a host to complain to, and on a bare CPU CPUID is an invalid opcode
 * in this kernel, long before it could print.
 */
#define pr_fmt(fmt) "plex86: " fmt

#include <linux/cache.h>
#include <linux/container_of.h>
#include <linux/cpufeature.h>
#include <linux/pgtable.h>
#include <linux/printk.h>
#include <linux/processor.h>
#include <linux/sched.h>
#include <linux/string.h>
#include <asm/plex86_call.h>
#include <asm/setup.h>
#include <asm/x86_init.h>

#include "../kernel/cpu/cpu.h"
#include "plex86.h"

/**
 * plex86_load_tls() - store a task's TLS descriptors in the GDT
 * @gdt: where they belong
 * @tls: the descriptors, tls_array of the task
 * @bytes: of all of them
 *
 * The host need not look at them unless told; most tasks that take turns have
 * none or the same.  A kernel thread, which has none, leaves what is there:
 * mostly the next program is the one before.
 *
 * Return: true.
 */
bool plex86_load_tls(void *gdt, const void *tls, size_t bytes)
{
	const struct task_struct *task =
		container_of(tls, struct task_struct, thread.tls_array);

	if (!(task->flags & PF_KTHREAD) && memcmp(gdt, tls, bytes)) {
		memcpy(gdt, tls, bytes);
		plex86_call2(PLEX86_CALL_TLS, 0, 0);
	}
	return true;
}

static unsigned char plex86_nmi_reason(void)
{
	return 0;
}

/* No firmware: nothing to look for in low memory, nothing at a known port. */
static void __init plex86_no_firmware(void)
{
	struct x86_legacy_features *legacy = &x86_platform.legacy;

	legacy->i8042 = X86_LEGACY_I8042_PLATFORM_ABSENT;
	legacy->rtc = 0;
	legacy->warm_reset = 0;
	legacy->no_vga = 1;
	legacy->reserve_bios_regions = 0;
	legacy->devices.pnpbios = 0;

	x86_init.resources.probe_roms = x86_init_noop;
	x86_init.resources.reserve_resources = x86_init_noop;
	x86_init.resources.dmi_setup = x86_init_noop;
	x86_platform.realmode_reserve = x86_init_noop;
	x86_platform.realmode_init = x86_init_noop;
	x86_platform.get_nmi_reason = plex86_nmi_reason;
}

/* Only early_identify_cpu() calls it, at init; its table stays. */
static void __ref plex86_early_init(struct cpuinfo_x86 *c)
{
	u16 major = plex86_info->abi_major;

	plex86_console_init();
	if (major != PLEX86_ABI_MAJOR) {
		pr_emerg("the host speaks version %u.%u of the ABI, this kernel %u.%u\n",
			 major, plex86_info->abi_minor, PLEX86_ABI_MAJOR,
			 PLEX86_ABI_MINOR);
		plex86_end(PLEX86_END_CRASH, 0);
	}
	pr_info("ABI %u.%u, host flags %#x\n", major, plex86_info->abi_minor,
		plex86_info->host_flags);

	/* The host's part of our address space: no fixmap there. */
	reserve_top_address(PLEX86_TOP_BYTES);

	plex86_no_firmware();
	plex86_mmu_init();
	plex86_irq_init();
	plex86_time_init();
	plex86_reset_init();
}

static const struct cpu_dev plex86_cpu_dev = {
	.c_vendor	= "plex86",
	.c_ident	= { PLEX86_CPU_VENDOR },
	.c_early_init	= plex86_early_init,
	.c_x86_vendor	= X86_VENDOR_UNKNOWN,
};

cpu_dev_register(plex86_cpu_dev);
