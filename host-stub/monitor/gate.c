// SPDX-License-Identifier: GPL-2.0
/*
 * What traps inside a gate (gates.S): the state the gate was entered with is
 * put together again, and the monitor does the gate's work.
 *
 * Guest user code can come here from anywhere in a gate.  What is put together
 * for it is made of its own registers and of GATE_USER, which it can write, so
 * it gets nothing by that which it could not have had.
 */
#include "space.h"

/* gate_holds() - is @ip in the page of the gates? */
bool gate_holds(const struct state *state, u64 ip)
{
	return ip >= PLEX86_GATES && ip < gate_table_of(state)->end;
}

/*
 * gate_learn_entry() - find out where the guest's kernel takes system calls
 *
 * Done at one that the gate did not make; it holds for that interrupt table.
 */
void gate_learn_entry(struct state *state)
{
	struct vm *vm = &state->vm;
	u32 gate[2], fault;

	state->gate_idt = vm->cpu.idt.base;
	if (core_read(vm, vm->cpu.idt.base + VEC_SYSCALL * 8, gate,
		      sizeof(gate), 0, &fault))
		return;
	/* Present, DPL 3, an interrupt gate: interrupts go off. */
	if ((gate[1] & 0xff00) == 0xee00)
		gate_kernel_of(state)->entry = (gate[0] & 0xffff) |
					       (gate[1] & 0xffff0000);
}

#define POP_BYTES	1u

/*
 * A system call.  Up to system_call_popped the gate is user code like any
 * other; returns false there if what came was a fault of its stack.
 */
static bool finish_system_call(struct state *state, u32 ip, bool kick)
{
	const struct gate_table *t = gate_table_of(state);
	const struct gate_user *gu = gate_user_of(state);
	struct vcpu *cpu = &state->vm.cpu;
	/* The way back to the INT 0x80 is POP and RET. */
	bool back_to_int = ip >= t->system_call_return;
	bool pushed = back_to_int ? ip == t->system_call_return :
				    ip >= t->system_call_pushed;
	u32 fault, back;

	if (back_to_int || ip < t->system_call_popped) {
		if (!kick)
			return false;
		if (pushed) {
			if (core_read(&state->vm, cpu->reg[ESP], &cpu->reg[ECX],
				      4, PFEC_U, &fault))
				return false;
			cpu->reg[ESP] += 4;
		}
	} else if (ip >= t->system_call_saved) {
		cpu->reg[EAX] = gu->eax;
		cpu->reg[ECX] = gu->ecx;
		cpu->reg[EDX] = gu->edx;
		cpu->reg[ESP] = gu->esp;
	}
	/* As if the gate had returned to the INT 0x80 behind the CALL. */
	if (core_read(&state->vm, cpu->reg[ESP], &back, 4, PFEC_U, &fault)) {
		core_inject_page_fault(&state->vm, cpu->reg[ESP], fault);
		return true;
	}
	cpu->reg[ESP] += 4;
	cpu->eip = back;
	if (!kick) {
		/* Only the gate reads it there, so only this brings it in. */
		core_touch(&state->vm, gate_kernel_of(state)->sp0);
		gate_learn_entry(state);
		state->vm.stats.system_calls++;
		core_soft_interrupt(&state->vm, VEC_SYSCALL, 2);
	}
	return true;
}

/* The guest's user mode begins behind iret_user: all but this is done. */
static void finish_to_user(struct state *state)
{
	const struct gate_user *gu = gate_user_of(state);
	struct vcpu *cpu = &state->vm.cpu;

	cpu->reg[EAX] = gu->eax;
	cpu->reg[ECX] = gu->ecx;
	cpu->reg[EDX] = gu->edx;
	cpu->reg[ESP] = gu->esp;
	cpu->eip = gu->eip;
	cpu->eflags = gu->eflags & FL_CARRIED;
	cpu->ss = HOST_DS;
}

/* gate_call(), gate_iret() - what the guest kernel came for */
void gate_call(struct state *state)
{
	struct vm *vm = &state->vm;
	u32 back, fault;

	/* The CALL has just written it, if that is where the kernel has a stack. */
	if ((vm->cpu.reg[ESP] > PLEX86_TOP - 4 ||
	     monitor_peek(vm->cpu.reg[ESP], &back)) &&
	    core_read(vm, vm->cpu.reg[ESP], &back, 4, 0, &fault)) {
		core_inject_page_fault(vm, vm->cpu.reg[ESP], fault);
		return;
	}
	vm->cpu.reg[ESP] += 4;
	vm->cpu.eip = back;
	vm->stats.hal_calls++;
	core_hal_call(vm);
}

void gate_iret(struct state *state)
{
	/* The guest's kernel can write it. */
	u32 site = gate_kernel_of(state)->site % IMAGE_IRETS;

	state->vm.cpu.eip = state->iret_site[site];
	core_iret(&state->vm);
}

static void finish_iret(struct state *state, u32 ip)
{
	const struct gate_table *t = gate_table_of(state);
	const struct gate_user *gu = gate_user_of(state);
	const struct gate_kernel *gk = gate_kernel_of(state);
	struct vm *vm = &state->vm;
	struct vcpu *cpu = &vm->cpu;

	if ((ip >= t->iret_saved && ip < t->iret_user) ||
	    (ip >= t->iret_slow_saved && ip < t->iret_slow)) {
		cpu->reg[EAX] = gu->eax;
		cpu->reg[ECX] = gu->ecx;
		cpu->reg[EDX] = gu->edx;
	} else if (ip >= t->iret_kernel_saved && ip < t->iret_kernel_restored) {
		cpu->reg[EAX] = gk->eax;
	} else if (ip == t->iret_kernel_last) {
		u32 cs = 0x10, fault;

		/* What the hardware is to take for it. */
		core_write(vm, cpu->reg[ESP] + 4, &cs, sizeof(cs), 0, &fault);
	}
	gate_iret(state);
}

/*
 * An XRSTOR: as if it had trapped at its site, which does it again.  The vector
 * registers that it has loaded already it loads then.
 */
static void finish_xrstor(struct state *state, u32 ip)
{
	const struct gate_kernel *gk = gate_kernel_of(state);
	struct vcpu *cpu = &state->vm.cpu;
	u32 back, fault;

	if (core_read(&state->vm, cpu->reg[ESP], &back, 4, 0, &fault))
		return;
	if (ip >= gate_table_of(state)->xrstor_saved) {
		cpu->reg[EAX] = gk->eax;
		cpu->reg[ECX] = gk->ecx;
		cpu->reg[EDX] = gk->edx;
	}
	cpu->reg[ESP] += 4;
	cpu->eip = back - PLEX86_SITE_XRSTOR_LEN;
}

/*
 * gate_finish() - something trapped in a gate
 * @kick: by a signal from outside, not by what the gate did
 *
 * The registers in vm->cpu are those of the trap.  Returns false if it is to be
 * treated as a trap of any other code at that place.
 */
bool gate_finish(struct state *state, const struct sigcontext_64 *sc, bool kick)
{
	const struct gate_table *t = gate_table_of(state);
	struct vcpu *cpu = &state->vm.cpu;
	u32 ip = (u32)sc->ip;

	if (cpu->cpl == 3) {
		if ((ip >= t->system_call && ip < t->system_call_end) ||
		    ip == t->system_call_return ||
		    ip == t->system_call_return + POP_BYTES)
			return finish_system_call(state, ip, kick);
		if (ip >= t->iret_user && ip < t->iret_user_end && kick) {
			finish_to_user(state);
			return true;
		}
		if (ip == t->system_call_end)		/* gate_slow */
			return finish_system_call(state, t->system_call_saved,
						  kick);
		return false;
	}
	if (ip >= t->system_call && ip <= t->system_call_end)
		return false;
	if (ip >= t->xrstor && ip < t->xrstor_end) {
		finish_xrstor(state, ip);
		return false;
	}
	if (ip >= t->iret && ip < t->call) {
		finish_iret(state, ip);
		return true;
	}
	if (ip < t->call)
		return false;
	if (ip >= t->to_monitor_iret)
		gate_iret(state);
	else
		gate_call(state);
	return true;
}
