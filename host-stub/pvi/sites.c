// SPDX-License-Identifier: GPL-2.0
/*
 * Without CR4.PVI: PUSHF and POPF sites that trap.
 *
 * CLI and STI raise #GP at CPL 3 then, so their sites may stay, and the flag is
 * the monitor's.  PUSHF's site reads EFLAGS.VIF, which nobody keeps there: IRET of
 * QEMU's TCG leaves that bit alone.  So over both is written an invalid opcode
 * that the ABI leaves to hosts, and a jump over the rest.
 */
#include "pvi.h"

#define UD1_PUSHF	0xf4
#define UD1_POPF	0xf5
#define UD1_BYTES	3u
#define FORM_BYTES	5u		/* with the jump */

static bool write_trap(u8 *at, const struct plex86_site *site,
		       struct image *image)
{
	const u8 form[FORM_BYTES] = {
		0x0f, 0xb9,
		site->kind == PLEX86_SITE_PUSHF ? UD1_PUSHF : UD1_POPF,
		0xeb, (u8)(site->len - FORM_BYTES),
	};

	(void)image;
	if (site->kind == PLEX86_SITE_PUSHF || site->kind == PLEX86_SITE_POPF)
		memcpy(at, form, sizeof(form));
	return true;
}

/* sites_trap_form() - write it; all sites have their PVI form */
const char *sites_trap_form(struct vm *vm, struct image *image)
{
	return image_sites(vm, image, write_trap);
}

static void pushf(struct vm *vm)
{
	struct vcpu *cpu = &vm->cpu;
	u32 flags = (cpu->eflags & FL_CARRIED & ~FL_RF) | 2, fault;

	if (host_vif(vm))
		flags |= FL_IF;
	if (core_write(vm, cpu->reg[ESP] - 4, &flags, 4, 0, &fault)) {
		core_inject_page_fault(vm, vm->fault_linear, fault);
		return;
	}
	cpu->reg[ESP] -= 4;
	core_advance(vm, UD1_BYTES);
}

static void popf(struct vm *vm)
{
	struct vcpu *cpu = &vm->cpu;
	u32 flags, fault;

	if (core_read(vm, cpu->reg[ESP], &flags, 4, 0, &fault)) {
		core_inject_page_fault(vm, vm->fault_linear, fault);
		return;
	}
	cpu->reg[ESP] += 4;
	/* A TF that it sets traps behind the next instruction. */
	core_advance(vm, UD1_BYTES);
	cpu->eflags = (flags & FL_CARRIED & ~FL_RF) | 2;
	host_set_vif(vm, flags & FL_IF);
}

/* sites_trapped() - was the #UD at EIP one of these?  Then it is done. */
bool sites_trapped(struct vm *vm)
{
	u32 fault;
	u8 op[UD1_BYTES];

	if (host.pvi || vm->cpu.cpl ||
	    core_read(vm, vm->cpu.eip, op, sizeof(op), 0, &fault) ||
	    op[0] != 0x0f || op[1] != 0xb9 ||
	    (op[2] != UD1_PUSHF && op[2] != UD1_POPF))
		return false;
	vm->stats.other_emulated++;
	if (op[2] == UD1_PUSHF)
		pushf(vm);
	else
		popf(vm);
	return true;
}
