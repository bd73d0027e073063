// SPDX-License-Identifier: GPL-2.0
/*
 * Delivery of exceptions and interrupts to the guest, and the way back, IRET:
 * what the processor does in SDM vol. 3, 6.12 "Exception and Interrupt
 * Handling", with the virtual privilege level in place of the real one.
 *
 * The guest kernel runs with the user's CS and SS, but its frames show the
 * selectors it knows: CS 0x10 with RPL 0.
 */
#include "vm.h"

#define KERNEL_CS	0x10u
#define USER_CS		0x23u

#define FL_FIXED	0x00000002u

#define GATE_PRESENT	0x8000u
#define GATE_TYPE	0x1f00u
#define GATE_INTERRUPT	0x0e00u
#define GATE_TRAP	0x0f00u

static const u8 has_error_code[32] = {
	[VEC_DF] = 1, [VEC_TS] = 1, [VEC_NP] = 1, [VEC_SS] = 1,
	[VEC_GP] = 1, [VEC_PF] = 1, [VEC_AC] = 1,
};

/*
 * core_crash() - end the guest: it did what no processor survives, or what
 * this host cannot honour
 * @reason: for the report; the first one stays
 */
void core_crash(struct vm *vm, const char *reason)
{
	struct end *end = &vm->end;
	size_t i;

	if (end->how != END_NOT)
		return;
	end->how = END_CRASH;
	for (i = 0; i < sizeof(end->reason) - 1 && reason[i]; i++)
		end->reason[i] = reason[i];
	end->reason[i] = 0;
}

/* The EFLAGS image a frame gets. */
static u32 flags_image(struct vm *vm)
{
	u32 image = (vm->cpu.eflags & FL_CARRIED) | FL_FIXED;

	if (vm->cpu.cpl == 3 || host_vif(vm))
		image |= FL_IF;
	return image;
}

/*
 * Delivers @vector through the guest's IDT.  @soft: by INT n, so the gate's
 * DPL counts.  Returns 0; -1 if a fault came up on the way, which makes it a
 * double fault; -2 if the gate's DPL forbids it.
 */
static int deliver(struct vm *vm, u32 vector, u32 error, bool has_error,
		   bool soft)
{
	struct vcpu *cpu = &vm->cpu;
	u32 gate[2], frame[6], esp, fault, n = 0;

	if (vector * 8 + 7 > cpu->idt.limit ||
	    core_read(vm, cpu->idt.base + vector * 8, gate, sizeof(gate), 0,
		      &fault))
		return -1;
	if (soft && ((gate[1] >> 13) & 3) < cpu->cpl)
		return -2;
	if (!(gate[1] & GATE_PRESENT) ||
	    ((gate[1] & GATE_TYPE) != GATE_INTERRUPT &&
	     (gate[1] & GATE_TYPE) != GATE_TRAP) ||
	    (gate[0] >> 16) != KERNEL_CS)
		return -1;

	if (has_error)
		frame[n++] = error;
	frame[n++] = cpu->eip;
	frame[n++] = cpu->cpl == 3 ? USER_CS : KERNEL_CS;
	frame[n++] = flags_image(vm);
	esp = cpu->reg[ESP];
	if (cpu->cpl == 3) {
		u32 sp0;

		frame[n++] = esp;
		frame[n++] = cpu->ss;
		if (core_read(vm, cpu->tss_base + 4, &sp0, 4, 0, &fault))
			return -1;
		esp = sp0;
	}
	esp -= 4 * n;
	if (core_write(vm, esp, frame, 4 * n, 0, &fault))
		return -1;

	cpu->reg[ESP] = esp;
	cpu->cpl = 0;
	cpu->eip = (gate[0] & 0xffff) | (gate[1] & 0xffff0000);
	/* AC has no effect at CPL 0; here it would, so the kernel goes without. */
	cpu->eflags &= ~(FL_TF | FL_NT | FL_RF | FL_AC | FL_VM);
	if ((gate[1] & GATE_TYPE) == GATE_INTERRUPT)
		host_set_vif(vm, false);
	return 0;
}

/*
 * core_inject() - raise an exception in the guest
 * @vector: below 32
 * @error: its error code; ignored where the vector has none
 */
void core_inject(struct vm *vm, u32 vector, u32 error)
{
	vm->stats.injected_exceptions++;
	if (deliver(vm, vector, error, has_error_code[vector], false))
		core_crash(vm, vm->cpu.idt.limit ?
			   "double fault: an exception could not be delivered" :
			   "triple fault: an exception with no IDT loaded");
}

/*
 * core_exception() - the hardware raised an exception that the host has no part in
 *
 * One that says something of the guest's own instruction is passed on.  Any other
 * is of what the guest does not see, as #TS is, which an IRET with NT set raises
 * by the host's TSS; for it that is #GP, as where there are no tasks.
 */
void core_exception(struct vm *vm, u32 vector, u32 error)
{
	switch (vector) {
	case VEC_DE: case VEC_OF: case VEC_BR: case VEC_NP: case VEC_SS:
	case VEC_MF: case VEC_AC: case VEC_XM:
		core_inject(vm, vector, error);
		return;
	}
	core_inject(vm, VEC_GP, 0);
}

/*
 * core_inject_page_fault() - raise #PF
 * @error: the processor's error code (SDM vol. 3, 4.7)
 */
void core_inject_page_fault(struct vm *vm, u32 linear, u32 error)
{
	vm->stats.injected_page_faults++;
	if (vm->cpu.cpl == 3) {
		vm->refill = true;
		vm->refill_linear = linear;
	}
	vm->cpu.cr2 = linear;
	vm->info->cr2 = linear;
	if (deliver(vm, VEC_PF, error, true, false))
		core_crash(vm, "double fault: a page fault could not be delivered");
}

/*
 * core_soft_interrupt() - INT @vector, of @length bytes, at EIP
 *
 * Raises #GP where the gate's DPL is below the CPL (SDM vol. 2, "INT n").
 */
void core_soft_interrupt(struct vm *vm, u32 vector, u32 length)
{
	u32 eip = vm->cpu.eip;
	int ret;

	/* The gate takes TF away before it could trap. */
	vm->cpu.eip += length;
	vm->cpu.eflags &= ~FL_RF;
	ret = deliver(vm, vector, 0, false, true);
	if (!ret)
		return;
	vm->cpu.eip = eip;
	core_inject(vm, VEC_GP, vector * 8 + 2);
}

/*
 * core_iret() - IRET at virtual CPL 0 (SDM vol. 2, "IRET/IRETD")
 *
 * A frame that would not load raises #GP at the instruction itself.
 */
void core_iret(struct vm *vm)
{
	struct vcpu *cpu = &vm->cpu;
	u32 frame[5], fault, bytes = 12;

	if (core_read(vm, cpu->reg[ESP], frame, 12, 0, &fault))
		goto page_fault;
	if ((frame[1] & 3) == 3) {
		if (core_read(vm, cpu->reg[ESP] + 12, frame + 3, 8, 0, &fault))
			goto page_fault;
		bytes = 20;
	}
	if ((frame[1] & 0xffff) != (bytes == 20 ? USER_CS : KERNEL_CS) ||
	    (frame[2] & FL_VM)) {
		core_inject(vm, VEC_GP, frame[1] & 0xfffc);
		return;
	}
	if (bytes == 20 && !core_stack_selector(vm, frame[4] & 0xffff)) {
		core_inject(vm, VEC_GP, frame[4] & 0xfffc);
		return;
	}

	cpu->reg[ESP] += bytes;
	cpu->eip = frame[0];
	cpu->eflags = (frame[2] & FL_CARRIED) | FL_FIXED;
	if (bytes == 20) {
		cpu->reg[ESP] = frame[3];
		cpu->ss = frame[4] & 0xffff;
		cpu->cpl = 3;
		host_set_vif(vm, true);
		core_refill(vm);
		vm->stats.iret_user++;
	} else {
		host_set_vif(vm, frame[2] & FL_IF);
		vm->stats.iret_kernel++;
	}
	return;

page_fault:
	core_inject_page_fault(vm, vm->fault_linear, fault);
}

/* Is the instruction at EIP a HLT of the guest kernel? */
static bool at_hlt(struct vm *vm)
{
	u32 fault;
	u8 byte;

	return vm->cpu.cpl == 0 &&
	       !core_read(vm, vm->cpu.eip, &byte, 1, 0, &fault) && byte == 0xf4;
}

/*
 * core_interrupts() - deliver a pending interrupt, or see that enabling
 * interrupts reaches the host
 *
 * To be called before every return to the guest.  An interrupt at a HLT is
 * delivered behind it: STI;HLT is one unit, and an interrupt in between would
 * be slept over.  For any other HLT it is what the processor does when the
 * interrupt comes one instruction later.
 */
void core_interrupts(struct vm *vm)
{
	struct plex86_info *info = vm->info;
	u32 ready, irq;

	if (vm->stepped) {
		vm->stepped = false;
		vm->cpu.dr[6] = DR6_FIXED | DR6_BS;
		core_inject(vm, VEC_DB, 0);
	}
	ready = __atomic_load_n(&info->irq_pending, __ATOMIC_ACQUIRE) &
		    info->irq_enabled;

	if (ready && (vm->cpu.cpl == 3 || host_vif(vm))) {
		irq = (u32)__builtin_ctz(ready);
		__atomic_and_fetch(&info->irq_pending, ~(1u << irq),
				   __ATOMIC_ACQ_REL);
		if (at_hlt(vm))
			vm->cpu.eip++;
		vm->stats.injected_interrupts++;
		if (deliver(vm, PLEX86_IRQ_VECTOR + irq, 0, false, false))
			core_crash(vm, "double fault: an interrupt could not be delivered");
		ready &= ~(1u << irq);
	}
	host_set_vip(vm, ready);
}
