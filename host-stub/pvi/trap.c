// SPDX-License-Identifier: GPL-2.0
/*
 * Traps of the guest: what each is handed to, and the way back.
 *
 * In kernel mode the guest runs with CR4.PVI, and its interrupt flag is VIF of the
 * hardware's EFLAGS: it is taken from there at each trap, and put back with VIP at
 * each return.  Where there is no PVI the flag is ours, and the info page shows it.
 * The guest's programs run without PVI, so that CLI and STI are their faults; for
 * them the flag is always on.
 */
#include "machine.h"
#include "pvi.h"

#define CR4_PVI		0x00000002u

#define PIC_EOI		0x20
#define PIC_READ_ISR	0x0b

#define IRQ_TIMER	0
#define IRQ_COM1	4
#define IRQ_SPURIOUS	7

#define VEC_NMI		2u

/* See vm.h. */
bool host_vif(struct vm *vm)
{
	(void)vm;
	return host.vif;
}

void host_set_vif(struct vm *vm, bool on)
{
	(void)vm;
	host.vif = on;
}

void host_set_vip(struct vm *vm, bool on)
{
	(void)vm;
	host.vip = on;
}

void host_trap_tsc(struct vm *vm, bool on)
{
	(void)vm;
	host.trap_tsc = on;
}

static void interrupt(u32 irq)
{
	if (irq == IRQ_TIMER)
		clock_tick();
	else if (irq == IRQ_COM1)
		console_input();
	if (irq == IRQ_SPURIOUS) {
		outb(PIC1, PIC_READ_ISR);
		if (!(inb(PIC1) & 1u << IRQ_SPURIOUS))
			return;
	}
	/* None comes of the second controller's, which are masked. */
	outb(PIC1, PIC_EOI);
}

static void take_registers(struct vcpu *cpu, const struct frame *f)
{
	cpu->reg[EAX] = f->eax;
	cpu->reg[ECX] = f->ecx;
	cpu->reg[EDX] = f->edx;
	cpu->reg[EBX] = f->ebx;
	cpu->reg[ESP] = f->esp;
	cpu->reg[EBP] = f->ebp;
	cpu->reg[ESI] = f->esi;
	cpu->reg[EDI] = f->edi;
	cpu->eip = f->eip;
	cpu->eflags = f->eflags;
	host.ds = f->ds & 0xffff;
	host.es = f->es & 0xffff;
	if (cpu->cpl == 3)
		cpu->ss = f->ss & 0xffff;
	else if (host.pvi)
		host.vif = f->eflags & FL_VIF;
}

static void put_registers(const struct vcpu *cpu, struct frame *f)
{
	f->eax = cpu->reg[EAX];
	f->ecx = cpu->reg[ECX];
	f->edx = cpu->reg[EDX];
	f->ebx = cpu->reg[EBX];
	f->esp = cpu->reg[ESP];
	f->ebp = cpu->reg[EBP];
	f->esi = cpu->reg[ESI];
	f->edi = cpu->reg[EDI];
	f->eip = cpu->eip;
	f->eflags = (cpu->eflags & FL_CARRIED) | FL_IF | 2;
	f->cs = GUEST_CS;
	f->ss = GUEST_DS;
	f->ds = segment_usable(host.ds, false) ? host.ds : 0;
	f->es = segment_usable(host.es, false) ? host.es : 0;
	if (cpu->cpl == 3)
		f->ss = cpu->ss;
	else if (host.pvi)
		f->eflags |= (host.vif ? FL_VIF : 0) | (host.vip ? FL_VIP : 0);
	else
		host.vm.info->vif = host.vif ? FL_IF : 0;
}

/* Sees to it that IRET will take the SS of a program. */
static void check_stack(struct vm *vm)
{
	struct vcpu *cpu = &vm->cpu;

	if (cpu->cpl != 3 || segment_usable(cpu->ss, true))
		return;
	host_sync_tls(vm);
	if (segment_usable(cpu->ss, true))
		return;
	core_inject(vm, VEC_GP, cpu->ss & 0xfffc);
}

static void load_cr4(bool user)
{
	u32 cr4 = host.cr4;

	if (!user && host.pvi)
		cr4 |= CR4_PVI;
	if (user && host.trap_tsc)
		cr4 |= CR4_TSD;
	if (cr4 == host.cr4_now)
		return;
	write_cr4(cr4);
	host.cr4_now = cr4;
}

/* The end of each of the monitor's turns; returns the root to go on with. */
static u32 finish(struct frame *f)
{
	struct vm *vm = &host.vm;

	if (vm->end.how == END_NOT)
		check_stack(vm);
	if (vm->end.how == END_NOT)
		core_interrupts(vm);
	if (vm->end.how != END_NOT)
		report_end();
	put_registers(&vm->cpu, f);
	load_cr4(vm->cpu.cpl == 3);
	return physical(vm->cpu.cpl == 3 ? root_user : root_kernel);
}

/* guest_enter() - for the first time, with the registers in the vCPU */
void guest_enter(void)
{
	struct frame f = { 0 };
	u32 root;

	root = finish(&f);
	pvi_enter(&f, root);
}

static void debug_trap(struct vm *vm)
{
	vm->cpu.dr[6] = DR6_FIXED | (read_dr6() & DR6_BS);
	write_dr6(DR6_FIXED);
	core_inject(vm, VEC_DB, 0);
}

/*
 * #GP.  That of an STI which finds VIP set is why there is VIP: an interrupt waits
 * for it.
 */
static void general_protection(struct vm *vm, const struct frame *f)
{
	u32 fault;
	u8 op;

	if (!vm->cpu.cpl && host.pvi && (f->eflags & FL_VIP) && !f->error &&
	    !core_read(vm, f->eip, &op, 1, 0, &fault) && op == 0xfb) {
		vm->stats.sti_pending++;
		core_advance(vm, 1);
		host_set_vif(vm, true);
		return;
	}
	core_general_protection(vm, f->error);
}

/* pvi_trap() - the guest was interrupted; returns the root to go on with */
u32 pvi_trap(struct frame *f)
{
	struct vm *vm = &host.vm;
	u32 cr2 = read_cr2();

	vm->stats.exits++;
	take_registers(&vm->cpu, f);
	switch (f->vector) {
	case VEC_PF:
		core_page_fault(vm, cr2, f->error);
		break;
	case VEC_GP:
		general_protection(vm, f);
		break;
	case VEC_UD:
		if (!sites_trapped(vm))
			core_undefined(vm);
		break;
	case VEC_DB:
		debug_trap(vm);
		break;
	case VEC_BP:
		core_inject(vm, VEC_BP, 0);
		break;
	case VEC_SYSCALL:
		vm->stats.system_calls++;
		vm->cpu.eip -= 2;
		core_soft_interrupt(vm, VEC_SYSCALL, 2);
		break;
	case VEC_NMI:
		vm->stats.nmis++;	/* nobody has anything to say by one */
		break;
	case VEC_DF: case VEC_MC:
		report_fault(f);
	default:
		if (f->vector < IRQ_BASE)
			core_exception(vm, f->vector, f->error);
		else
			interrupt(f->vector - IRQ_BASE);
	}
	return finish(f);
}

/* pvi_trap_inside() - the monitor was: while it waited, or by a fault of its own */
void pvi_trap_inside(const struct frame *f)
{
	if (f->vector >= IRQ_BASE && f->vector < VECTORS)
		interrupt(f->vector - IRQ_BASE);
	else if (f->vector == VEC_NMI)
		host.vm.stats.nmis++;
	else
		report_fault(f);
}
