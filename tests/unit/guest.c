// SPDX-License-Identifier: GPL-2.0
/*
 * A small guest: page tables, a GDT as a plex86 guest kernel has it, an IDT
 * with a gate for every vector, a TSS, and registers for either privilege.
 *
 * Guest memory is reached here by a walk of its own, so that a mistake in the
 * core's does not hide itself.
 */
#include "guest.h"
#include "unit.h"

static void poke32(struct fake *f, u32 gpa, u32 value)
{
	memcpy(f->vm.ram + gpa, &value, 4);
}

/* guest_map() - the page-table entry of @linear becomes @entry */
void guest_map(struct fake *f, u32 linear, u32 entry)
{
	u32 table = linear >= G_KERNEL ? G_PT_KERNEL : G_PT_USER;

	poke32(f, table + ((linear >> 12) & 1023) * 4, entry);
}

/* guest_gate() - IDT entry of @vector; @type has P, DPL and type in place */
void guest_gate(struct fake *f, u32 vector, u32 type, u32 selector)
{
	u32 handler = G_HANDLERS + 16 * vector;

	poke32(f, G_IDT + vector * 8, selector << 16 | (handler & 0xffff));
	poke32(f, G_IDT + vector * 8 + 4, (handler & 0xffff0000) | type);
}

void guest_descriptor(struct fake *f, u32 n, u64 descriptor)
{
	memcpy(f->vm.ram + G_GDT + n * 8, &descriptor, 8);
}

/* guest_new() - the guest, in kernel mode at G_CODE, interrupts on */
struct fake *guest_new(void)
{
	struct fake *f = fake_new(G_RAM);
	struct vcpu *cpu = &f->vm.cpu;
	u32 i;

	poke32(f, G_PD + (G_KERNEL >> 22) * 4, G_PT_KERNEL | PTE_P | PTE_W);
	poke32(f, G_PD + (G_USER >> 22) * 4, G_PT_USER | PTE_P | PTE_W | PTE_U);
	for (i = 0; i < G_RAM / PAGE_SIZE; i++)
		guest_map(f, G_KERNEL + i * PAGE_SIZE,
			  i * PAGE_SIZE | PTE_P | PTE_W);
	for (i = 0; i < G_USER_PAGES; i++)
		guest_map(f, G_USER + i * PAGE_SIZE,
			  (G_USER_GPA + i * PAGE_SIZE) | PTE_P | PTE_W | PTE_U);

	guest_descriptor(f, 2, 0x00cf9a000000ffff);	/* kernel code */
	guest_descriptor(f, 3, 0x00cf92000000ffff);	/* kernel data */
	guest_descriptor(f, 4, 0x00cffa000000ffff);	/* user code */
	guest_descriptor(f, 5, 0x00cff2000000ffff);	/* user data */
	guest_descriptor(f, 8, 0xc000890070000067);	/* TSS at G_TSS */
	for (i = 0; i < 256; i++)
		guest_gate(f, i, GATE_INT, 0x10);
	poke32(f, G_TSS + 4, G_SP0);

	cpu->cr0 = CR0_PE | CR0_ET | CR0_WP | CR0_PG;
	cpu->cr3 = G_PD;
	cpu->cr4 = CR4_PSE | CR4_PGE;
	cpu->gdt.base = G_KERNEL + G_GDT;
	cpu->gdt.limit = G_GDT_ENTRIES * 8 - 1;
	cpu->idt.base = G_KERNEL + G_IDT;
	cpu->idt.limit = 256 * 8 - 1;
	cpu->tr = 0x40;
	cpu->tss_base = G_KERNEL + G_TSS;
	cpu->ss = 0x2b;
	f->vm.page_offset = G_KERNEL;
	guest_kernel(f);
	return f;
}

/* guest_kernel() - the registers of kernel code at G_CODE */
void guest_kernel(struct fake *f)
{
	struct vcpu *cpu = &f->vm.cpu;

	cpu->cpl = 0;
	cpu->eip = G_CODE;
	cpu->reg[ESP] = G_STACK;
	cpu->eflags = 2;
	f->vif = true;
}

/* guest_user() - the registers of user code at G_USER_CODE */
void guest_user(struct fake *f)
{
	struct vcpu *cpu = &f->vm.cpu;

	cpu->cpl = 3;
	cpu->eip = G_USER_CODE;
	cpu->reg[ESP] = G_USER_STACK;
	cpu->eflags = 2;
	f->vif = true;
}

/* guest_at() - the byte at @linear; fails the test where there is none */
u8 *guest_at(struct fake *f, u32 linear)
{
	u32 pde, pte;

	memcpy(&pde, f->vm.ram + G_PD + (linear >> 22) * 4, 4);
	if (!(pde & PTE_P))
		fail_msg("the test looks at linear %#x, not mapped", linear);
	memcpy(&pte, f->vm.ram + (pde & PAGE_MASK) + ((linear >> 12) & 1023) * 4,
	       4);
	if (!(pte & PTE_P))
		fail_msg("the test looks at linear %#x, not mapped", linear);
	return f->vm.ram + (pte & PAGE_MASK) + (linear & (PAGE_SIZE - 1));
}

u32 guest_read32(struct fake *f, u32 linear)
{
	u32 value;

	memcpy(&value, guest_at(f, linear), 4);
	return value;
}

void guest_write32(struct fake *f, u32 linear, u32 value)
{
	memcpy(guest_at(f, linear), &value, 4);
}

/* guest_delivered() - is the guest at the first instruction of @vector? */
bool guest_delivered(const struct fake *f, u32 vector)
{
	return f->vm.cpu.eip == G_HANDLERS + 16 * vector && !f->vm.cpu.cpl;
}

/*
 * guest_expect() - the exception *@e was raised in the state *@before, and
 * nothing else happened to the registers
 *
 * Checks the frame's error code, EIP, CS, and for user code ESP and SS; EFLAGS
 * is inject_test.c's.
 */
void guest_expect(const char *row, struct fake *f, const struct expected *e,
		  const struct vcpu *before)
{
	const struct vcpu *cpu = &f->vm.cpu;
	bool user = before->cpl == 3;
	u32 words = (user ? 5 : 3) + (e->error != NO_ERROR), i;
	u32 sp = (user ? G_SP0 : before->reg[ESP]) - 4 * words;

	CHECK_EQ(row, f->vm.end.how, END_NOT);
	if (cpu->eip >= G_HANDLERS && cpu->eip < G_HANDLERS + 16 * 256)
		CHECK_EQ(row, (cpu->eip - G_HANDLERS) / 16, e->vector);
	CHECK_EQ(row, cpu->eip, G_HANDLERS + 16 * e->vector);
	CHECK_EQ(row, cpu->cpl, 0);
	CHECK_EQ(row, cpu->reg[ESP], sp);
	if (e->error != NO_ERROR) {
		CHECK_EQ(row, guest_read32(f, sp), e->error);
		sp += 4;
	}
	CHECK_EQ(row, guest_read32(f, sp), e->eip);
	CHECK_EQ(row, guest_read32(f, sp + 4), user ? 0x23 : 0x10);
	if (user) {
		CHECK_EQ(row, guest_read32(f, sp + 12), before->reg[ESP]);
		CHECK_EQ(row, guest_read32(f, sp + 16), before->ss);
	}
	for (i = 0; i < 8; i++)
		if (i != ESP)
			CHECK_EQ(row, cpu->reg[i], before->reg[i]);
}
