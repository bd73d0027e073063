// SPDX-License-Identifier: GPL-2.0
/*
 * A plex86 host in one file, for the test table alone: ring 0 of the image that
 * Bochs boots.  It runs the guest at CPL 3 with IOPL 0 under CR4.PVI and plays
 * every part of the contract that the macros rely on: UD1 for IRET and HAL
 * calls, #GP of STI with VIP set, HLT, loads of descriptor tables, delivery of
 * interrupts and exceptions through the guest's IDT.
 *
 * Virtual IF of the virtual kernel is VIF in the hardware's EFLAGS.  While the
 * virtual user runs, CR4.PVI is off, so that CLI and STI fault as on a bare
 * CPU, and VIF is kept in vm.user_if.
 *
 * Known weaknesses: no paging and no protection of itself; segment registers
 * are never virtual; one interrupt line; only the addressing forms that the
 * guest uses are decoded.
 */
#include "../guest.h"
#include "../model.h"
#include "monitor.h"

struct exit_frame {
	uint32_t edi, esi, ebp, pad, ebx, edx, ecx, eax;
	uint32_t vector, error;
	uint32_t eip, cs, eflags, esp, ss;
};

struct table_pointer {
	uint16_t limit;
	uint32_t base;
} __attribute__((packed));

struct gate {
	uint16_t low, selector, type, high;
};

static struct {
	bool user;			/* virtual CPL is 3 */
	bool user_if;			/* virtual IF while it is */
	bool pending;			/* the test interrupt */
	bool broke;			/* the breakpoint was reached */
	struct table_pointer gdt, idt;
	uint32_t tss;			/* linear */
	uint32_t stats[MON_STATS_NR];
} vm;

static uint64_t real_gdt[8];
static struct gate real_idt[48];
static uint32_t real_tss[26];
struct table_pointer monitor_gdt_pointer, monitor_idt_pointer;

extern const char monitor_entries[], monitor_stack_end[];
void monitor_load(void);
void monitor_init(void);
void monitor_exit(struct exit_frame *f);

/* ---- the machine ---- */

static void outb(uint16_t port, uint8_t value)
{
	__asm__ volatile("outb %0, %1" : : "a" (value), "Nd" (port));
}

#define CR4_PVI		(1 << 1)
#define CR0_AM		(1 << 18)

static void set_pvi(bool on)
{
	uint32_t cr4;

	__asm__ volatile("movl %%cr4, %0" : "=r" (cr4));
	cr4 = on ? cr4 | CR4_PVI : cr4 & ~CR4_PVI;
	__asm__ volatile("movl %0, %%cr4" : : "r" (cr4));
}

/* DR0 as an instruction breakpoint at @addr; 0: none. */
static void set_break(uint32_t addr)
{
	__asm__ volatile("movl %0, %%dr0" : : "r" (addr));
	__asm__ volatile("movl %0, %%dr7" : : "r" (addr ? 0x402 : 0x400));
}

static void say(const char *s, uint32_t len)
{
	while (len--)
		outb(0xe9, *s++);
}

/* Bochs ends when it reads this on its shutdown port. */
static void __attribute__((noreturn)) power_off(void)
{
	for (const char *s = "Shutdown"; *s; s++)
		outb(0x8900, *s);
	for (;;)
		__asm__ volatile("cli ; hlt");
}

static void __attribute__((noreturn))
die(const struct exit_frame *f, const char *why)
{
	char line[160];

	say(line, format(line, sizeof(line),
			 "not ok monitor: %s: vector %u error %x at %x:%x flags %x\n",
			 why, f->vector, f->error, f->cs, f->eip, f->eflags));
	power_off();
}

/* ---- the virtual CPU ---- */

static bool virtual_if(const struct exit_frame *f)
{
	return vm.user ? vm.user_if : f->eflags & FL_VIF;
}

static void set_virtual_if(struct exit_frame *f, bool on)
{
	if (vm.user)
		vm.user_if = on;
	else
		f->eflags = on ? f->eflags | FL_VIF : f->eflags & ~FL_VIF;
}

/* Change the virtual CPL; IF goes along. */
static void set_user(struct exit_frame *f, bool user)
{
	bool on = virtual_if(f);

	vm.user = user;
	f->eflags &= ~(FL_VIF | FL_VIP);
	set_virtual_if(f, on);
	set_pvi(!user);
}

static void push(struct exit_frame *f, uint32_t value)
{
	f->esp -= 4;
	*(uint32_t *)f->esp = value;
}

static uint32_t pop(struct exit_frame *f)
{
	uint32_t value = *(uint32_t *)f->esp;

	f->esp += 4;
	return value;
}

/* Vectors that push an error code (SDM vol. 3, 6.3.1). */
static bool has_error(uint32_t vector)
{
	return vector == 8 || (vector >= 10 && vector <= 14) || vector == 17;
}

/* Through the guest's IDT, as the CPU would (SDM vol. 3, 6.12.1). */
static void inject(struct exit_frame *f, uint32_t vector, uint32_t error)
{
	const struct gate *gate = (const struct gate *)vm.idt.base + vector;
	uint32_t cs = vm.user ? USER_CS : KERNEL_CS;
	uint32_t flags, esp = f->esp;

	if (vector * sizeof(*gate) + 7 > vm.idt.limit || !(gate->type & 0x8000))
		die(f, "no gate in the guest's IDT");

	flags = f->eflags & (MODEL_LOADED | FL_RF);
	if (virtual_if(f))
		flags |= FL_IF;
	if (vm.user) {
		set_user(f, false);
		f->esp = ((const uint32_t *)vm.tss)[1];
		push(f, USER_DS);
		push(f, esp);
	}
	push(f, flags | FL_ONE);
	push(f, cs);
	push(f, f->eip);
	if (has_error(vector))
		push(f, error);
	f->eip = gate->low | (uint32_t)gate->high << 16;
	f->eflags &= ~(FL_TF | FL_NT | FL_RF);
	if (!(gate->type & 0x100))
		set_virtual_if(f, false);
}

/* The UD1 that stands for IRET (SDM vol. 2, "IRET"); the kernel's alone. */
static void virtual_iret(struct exit_frame *f)
{
	uint32_t eip = pop(f), cs = pop(f), flags = pop(f), esp, ss;

	if (cs != KERNEL_CS && cs != USER_CS)
		die(f, "IRET to a CS that no test uses");
	f->eip = eip;
	f->eflags &= ~(MODEL_LOADED | FL_VIF);
	f->eflags |= flags & MODEL_LOADED;
	if (flags & FL_IF)
		f->eflags |= FL_VIF;
	if (cs != USER_CS)
		return;
	esp = pop(f);
	ss = pop(f);
	if (ss != USER_DS)
		die(f, "IRET to an SS that no test uses");
	f->esp = esp;
	set_user(f, true);
}

/*
 * Let the interrupt in if that may be, or make sure to hear of the STI.  At a
 * HLT it comes behind it: STI; HLT is one unit, and for any other HLT it might
 * as well have come one instruction later.
 */
static void settle(struct exit_frame *f)
{
	if (vm.pending && virtual_if(f)) {
		vm.pending = false;
		if (!vm.user && *(const uint8_t *)f->eip == 0xf4)
			f->eip++;
		inject(f, VEC_IRQ, 0);
	}
	f->eflags &= ~FL_VIP;
	if (vm.pending && !vm.user)
		f->eflags |= FL_VIP;
}

/* ---- exits ---- */

/* Returns whether the state is to be left exactly as it is. */
static bool hal_call(struct exit_frame *f)
{
	f->eip += 3;
	switch (f->eax) {
	case PLEX86_CALL_WRITE:
		say((const char *)f->ebx, f->ecx);
		break;
	case PLEX86_CALL_END:
		power_off();
	case MON_STATE:
		vm.pending = f->ebx & FL_VIP;
		f->eflags &= ~(FL_IF | FL_VIF | FL_VIP);
		f->eflags |= f->ebx & (FL_IF | FL_VIF | FL_VIP);
		f->eax = 0;
		return true;
	case MON_BREAK:
		vm.broke = false;
		set_break(f->ebx);
		break;
	case MON_BROKE:
		f->ebx = vm.broke;
		vm.broke = false;
		set_break(0);
		break;
	case MON_RAISE:
		vm.pending = true;
		break;
	case MON_PVI:
		set_pvi(f->ebx);
		break;
	case MON_STATS:
		f->ebx = f->ebx < MON_STATS_NR ? vm.stats[f->ebx] : 0;
		break;
	default:
		f->eax = -PLEX86_ENOSYS;
		return false;
	}
	f->eax = 0;
	return false;
}

static uint32_t base_of(uint32_t selector)
{
	const uint8_t *d = (const uint8_t *)vm.gdt.base + (selector & ~7);

	return d[2] | d[3] << 8 | d[4] << 16 | (uint32_t)d[7] << 24;
}

/* #GP of the virtual kernel: what it may do, and the hardware may not. */
static bool privileged(struct exit_frame *f)
{
	const uint8_t *insn = (const uint8_t *)f->eip;
	const void *operand;

	/* Bochs will not fetch with VIF and VIP both set; it means: deliver. */
	if ((f->eflags & FL_VIF) && (f->eflags & FL_VIP))
		return true;
	if (insn[0] == 0xfa) {				/* cli without PVI */
		vm.stats[MON_STAT_CLI]++;
		f->eflags &= ~FL_VIF;
		f->eip++;
		return true;
	}
	if (insn[0] == 0xfb) {				/* sti, VIP set */
		vm.stats[MON_STAT_STI]++;
		f->eflags |= FL_VIF;
		f->eip++;
		return true;
	}
	if (insn[0] == 0xf4) {				/* hlt */
		f->eip++;
		if (!vm.pending)
			vm.stats[MON_STAT_SLEEPS]++;
		vm.pending = true;
		return true;
	}
	if (insn[0] == 0x0f && insn[1] == 0x01 &&
	    (insn[2] == 0x15 || insn[2] == 0x1d)) {	/* lgdt, lidt disp32 */
		operand = *(const void *const *)(insn + 3);
		memcpy(insn[2] == 0x15 ? &vm.gdt : &vm.idt, operand,
		       sizeof(vm.gdt));
		f->eip += 7;
		return true;
	}
	if (insn[0] == 0x0f && insn[1] == 0x00 && insn[2] == 0xd8) {
		vm.tss = base_of(f->eax);		/* ltr %ax */
		f->eip += 3;
		return true;
	}
	return false;
}

/* INT n: all gates of the real IDT are the monitor's, so it is a #GP. */
static bool software_interrupt(struct exit_frame *f)
{
	const uint8_t *insn = (const uint8_t *)f->eip;
	const struct gate *gate;

	if (insn[0] != 0xcd || f->error != insn[1] * 8u + 2)
		return false;
	gate = (const struct gate *)vm.idt.base + insn[1];
	if (vm.user && (gate->type & 0x6000) != 0x6000)
		return false;
	f->eip += 2;
	f->eflags &= ~FL_RF;
	inject(f, insn[1], 0);
	return true;
}

static void debug(struct exit_frame *f)
{
	uint32_t dr6;

	__asm__ volatile("movl %%dr6, %0" : "=r" (dr6));
	__asm__ volatile("movl %0, %%dr6" : : "r" (0));
	if (dr6 & 1) {
		vm.broke = true;
		vm.pending = true;
		set_break(0);
	}
	f->eflags &= ~FL_RF;
	if (dr6 & (1 << 14))
		inject(f, VEC_DEBUG, 0);
}

void monitor_exit(struct exit_frame *f)
{
	const uint8_t *insn = (const uint8_t *)f->eip;

	if (!(f->cs & 3))
		die(f, "fault in the monitor");
	vm.stats[MON_STAT_EXITS]++;
	f->cs &= 0xffff;
	f->ss &= 0xffff;

	switch (f->vector) {
	case 1:
		debug(f);
		break;
	case 6:
		if (!vm.user && insn[0] == 0x0f && insn[1] == 0xb9) {
			if (insn[2] == PLEX86_UD1_CALL) {
				if (hal_call(f))
					return;
				break;
			}
			if (insn[2] == PLEX86_UD1_IRET) {
				virtual_iret(f);
				break;
			}
		}
		inject(f, 6, 0);
		break;
	case 13:
		if (software_interrupt(f))
			break;
		if (vm.user || !privileged(f))
			inject(f, 13, f->error);
		break;
	default:
		if (f->vector >= 32)
			die(f, "hardware interrupt");
		inject(f, f->vector, f->error);
	}
	/*
	 * A fault's frame has RF set (SDM vol. 3, 17.3.1.1), and the fault of
	 * an instruction that has been emulated is nobody's.
	 */
	f->eflags &= ~FL_RF;
	settle(f);
}

static void descriptor(uint32_t selector, uint32_t base, uint32_t limit,
		       uint32_t type)
{
	real_gdt[selector / 8] = (limit & 0xffff) | (uint64_t)(base & 0xffffff) << 16 |
		(uint64_t)type << 40 | (uint64_t)(base >> 24) << 56;
}

void monitor_init(void)
{
	uint32_t cr0;

	/* Flat segments; type includes granularity and limit 19:16. */
	descriptor(MON_CS, 0, 0xffff, 0xcf9a);
	descriptor(MON_DS, 0, 0xffff, 0xcf92);
	descriptor(MON_GUEST_CS, 0, 0xffff, 0xcffa);
	descriptor(MON_GUEST_DS, 0, 0xffff, 0xcff2);
	descriptor(MON_TSS, (uint32_t)real_tss, sizeof(real_tss) - 1, 0x0089);
	real_tss[1] = (uint32_t)monitor_stack_end;
	real_tss[2] = MON_DS;
	real_tss[25] = sizeof(real_tss) << 16;	/* no I/O bitmap */
	monitor_gdt_pointer.base = (uint32_t)real_gdt;
	monitor_gdt_pointer.limit = sizeof(real_gdt) - 1;

	for (uint32_t i = 0; i < 48; i++) {
		uint32_t entry = (uint32_t)monitor_entries + 16 * i;

		real_idt[i].low = entry;
		real_idt[i].high = entry >> 16;
		real_idt[i].selector = MON_CS;
		real_idt[i].type = 0x8e00;
	}
	monitor_idt_pointer.base = (uint32_t)real_idt;
	monitor_idt_pointer.limit = sizeof(real_idt) - 1;

	outb(0x21, 0xff);		/* no hardware interrupts, ever */
	outb(0xa1, 0xff);
	monitor_load();
	/* Alignment checks on, as under the host this stands for. */
	__asm__ volatile("movl %%cr0, %0" : "=r" (cr0));
	__asm__ volatile("movl %0, %%cr0" : : "r" (cr0 | CR0_AM));
	set_break(0);
	set_pvi(true);
}
