// SPDX-License-Identifier: GPL-2.0
/*
 * core/inject.c: what is on the guest's stack after an exception, an interrupt
 * or INT n, what IRET makes of a frame, and when interrupts are delivered; by
 * SDM vol. 3, 6.11 to 6.14, and vol. 2, "INT n" and "IRET".
 */
#include "guest.h"
#include "unit.h"

#include <stddef.h>

/* Flags a frame carries as they are: all but IF, IOPL, VM, VIF, VIP. */
#define CARRIED	(FL_CF | 0x4 | 0x10 | FL_ZF | 0x80 | FL_TF | FL_DF | 0x800 | \
		 FL_NT | FL_RF | FL_AC | FL_ID)

static struct fake *f;

static int setup(void **state)
{
	(void)state;
	f = guest_new();
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	fake_free(f);
	return 0;
}

static void put32le(u8 *at, u32 value)
{
	at[0] = (u8)value;
	at[1] = (u8)(value >> 8);
	at[2] = (u8)(value >> 16);
	at[3] = (u8)(value >> 24);
}

/* The frames of SDM vol. 3, figures 6-4 and 6-7, byte by byte. */
static void frames(void **state)
{
	static const struct {
		u32 vector, error;
		bool has_error;
	} table[] = {
		{ VEC_DE, 0x1111, false }, { VEC_DB, 0x1111, false },
		{ VEC_BP, 0x1111, false }, { VEC_OF, 0x1111, false },
		{ VEC_BR, 0x1111, false }, { VEC_UD, 0x1111, false },
		{ 7, 0x1111, false },
		{ VEC_DF, 0, true }, { 9, 0x1111, false },
		{ VEC_TS, 0x40, true }, { VEC_NP, 0x2b, true },
		{ VEC_SS, 0x63, true }, { VEC_GP, 0xdeadbeef, true },
		{ VEC_MF, 0x1111, false }, { VEC_AC, 0, true },
		{ 18, 0x1111, false }, { VEC_XM, 0x1111, false },
	};
	size_t i, user;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(table); i++)
	for (user = 0; user < 2; user++) {
		const char *r = row("vector %u, from %s", table[i].vector,
				    user ? "user" : "kernel");
		u8 want[24 + 8], *at;
		u32 n = 0, top, sp;

		if (user)
			guest_user(f);
		else
			guest_kernel(f);
		f->vm.cpu.eflags = 0x202 | FL_ZF | FL_CF;
		f->vm.cpu.ss = 0x2b;
		top = user ? G_SP0 : G_STACK;
		/* What is above and below the frame is not touched. */
		memset(guest_at(f, top - 64), 0xcc, 64);
		memset(want, 0xcc, sizeof(want));
		if (table[i].has_error) {
			put32le(want + 4 + n, table[i].error);
			n += 4;
		}
		put32le(want + 4 + n, user ? G_USER_CODE : G_CODE);
		put32le(want + 8 + n, user ? 0x23 : 0x10);
		put32le(want + 12 + n, 0x202 | FL_ZF | FL_CF);
		n += 12;
		if (user) {
			put32le(want + 4 + n, G_USER_STACK);
			put32le(want + 8 + n, 0x2b);
			n += 8;
		}
		sp = top - n;

		core_inject(&f->vm, table[i].vector, table[i].error);
		CHECK_EQ(r, f->vm.end.how, END_NOT);
		CHECK_EQ(r, f->vm.cpu.reg[ESP], sp);
		at = guest_at(f, sp - 4);
		CHECK_MEM(r, at, want, n + 4);
		CHECK_EQ(r, f->vm.cpu.eip, G_HANDLERS + 16 * table[i].vector);
		CHECK_EQ(r, f->vm.cpu.cpl, 0);
		CHECK_EQ(r, f->vif, false);
	}
	CHECK_EQ("count", f->vm.stats.injected_exceptions,
		 2 * ARRAY_SIZE(table));
}

/* #PF: CR2 where both the instruction and the info page show it. */
static void page_fault_frame(void **state)
{
	static const u32 errors[] = { 0, 2, 4, 5, 6, 7, 3 };
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(errors); i++) {
		struct expected e = { VEC_PF, errors[i], G_USER_CODE };
		struct vcpu before;

		guest_user(f);
		before = f->vm.cpu;
		core_inject_page_fault(&f->vm, 0x12345678 + (u32)i, errors[i]);
		guest_expect(row("error %u", errors[i]), f, &e, &before);
		CHECK_EQ("cr2", f->vm.cpu.cr2, 0x12345678 + i);
		CHECK_EQ("cr2", f->info.cr2, 0x12345678 + i);
	}
	CHECK_EQ("count", f->vm.stats.injected_page_faults, ARRAY_SIZE(errors));
}

/* The EFLAGS image, for each flag alone, by privilege and virtual IF. */
static void flags_image(void **state)
{
	u32 bit, user, vif;

	(void)state;
	for (bit = 0; bit < 32; bit++)
	for (user = 0; user < 2; user++)
	for (vif = 0; vif < 2; vif++) {
		const char *r = row("bit %u user %u vif %u", bit, user, vif);
		u32 flag = 1u << bit, image;

		if (user)
			guest_user(f);
		else
			guest_kernel(f);
		f->vif = vif;		/* of no account to user code */
		f->vm.cpu.eflags = flag | 2;
		core_inject(&f->vm, VEC_UD, 0);
		image = guest_read32(f, f->vm.cpu.reg[ESP] + 8);
		CHECK_EQ(r, image, (flag & CARRIED) | 2 |
				   (vif || user ? FL_IF : 0));
	}
}

/* What the way in clears: TF, NT, RF, VM; AC because CPL 0 ignores it. */
static void flags_after_entry(void **state)
{
	u32 cleared = FL_TF | FL_NT | FL_RF | FL_VM | FL_AC;
	u32 kept = CARRIED & ~cleared;
	u32 type;

	(void)state;
	for (type = 0; type < 2; type++) {
		guest_gate(f, VEC_UD, type ? GATE_TRAP : GATE_INT, 0x10);
		guest_user(f);
		f->vm.cpu.eflags = CARRIED | FL_VM | 2;
		core_inject(&f->vm, VEC_UD, 0);
		CHECK_EQ(row("type %u", type), f->vm.cpu.eflags & cleared, 0);
		CHECK_EQ(row("type %u", type), f->vm.cpu.eflags & kept, kept);
	}
}

/* An interrupt gate turns interrupts off; a trap gate leaves them. */
static void gate_types(void **state)
{
	u32 trap, vif;

	(void)state;
	for (trap = 0; trap < 2; trap++)
	for (vif = 0; vif < 2; vif++) {
		const char *r = row("trap %u vif %u", trap, vif);

		guest_gate(f, VEC_UD, trap ? GATE_TRAP : GATE_INT, 0x10);
		guest_kernel(f);
		f->vif = vif;
		fake_forget(f);
		core_inject(&f->vm, VEC_UD, 0);
		CHECK_EQ(r, f->vif, trap && vif);
		CHECK_EQ(r, fake_count(f, CALL_SET_VIF), !trap);
		CHECK(r, guest_delivered(f, VEC_UD));
	}
}

/* The target's two halves lie apart in the gate. */
static void gate_offset(void **state)
{
	(void)state;
	guest_write32(f, G_KERNEL + G_IDT + VEC_UD * 8, 0x0010fedc);
	guest_write32(f, G_KERNEL + G_IDT + VEC_UD * 8 + 4, 0x12348e00);
	core_inject(&f->vm, VEC_UD, 0);
	CHECK_EQ("offset", f->vm.cpu.eip, 0x1234fedc);
}

/*
 * INT n by gate: the DPL counts for what software raises and for nothing else,
 * and the frame's EIP is behind the instruction.  A gate that is not present
 * is #GP like any other that cannot be used, where a processor has #NP: so
 * the contract has it.
 */
static void int_n(void **state)
{
	static const struct {
		u32 type;
		bool user;
		u32 vector;		/* what arrives */
		s64 error;
	} table[] = {
		{ GATE_INT | GATE_DPL3, true, 0x80, NO_ERROR },
		{ GATE_INT | GATE_DPL3, false, 0x80, NO_ERROR },
		{ GATE_TRAP | GATE_DPL3, true, 0x80, NO_ERROR },
		{ GATE_INT, false, 0x80, NO_ERROR },
		{ GATE_INT, true, VEC_GP, 0x80 * 8 + 2 },
		{ GATE_INT | 0x2000, true, VEC_GP, 0x80 * 8 + 2 },
		{ GATE_INT | 0x4000, true, VEC_GP, 0x80 * 8 + 2 },
		/* not a gate at all: an empty entry */
		{ 0, true, VEC_GP, 0x80 * 8 + 2 },
		{ 0, false, VEC_GP, 0x80 * 8 + 2 },
		{ GATE_INT & ~0x8000u, true, VEC_GP, 0x80 * 8 + 2 },
		{ (GATE_INT | GATE_DPL3) & ~0x8000u, true, VEC_GP,
		  0x80 * 8 + 2 },
		{ (GATE_TRAP | GATE_DPL3) & ~0x8000u, true, VEC_GP,
		  0x80 * 8 + 2 },
		{ GATE_INT & ~0x8000u, false, VEC_GP, 0x80 * 8 + 2 },
	};
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(table); i++) {
		const char *r = row("row %zu", i);
		struct expected e = { table[i].vector, table[i].error, 0 };
		struct vcpu before;

		if (table[i].user)
			guest_user(f);
		else
			guest_kernel(f);
		guest_gate(f, 0x80, table[i].type, 0x10);
		before = f->vm.cpu;
		e.eip = before.eip + (e.error == NO_ERROR ? 2 : 0);
		core_soft_interrupt(&f->vm, 0x80, 2);
		guest_expect(r, f, &e, &before);
	}
}

/* A hardware exception does not ask for the gate's DPL. */
static void exceptions_ignore_dpl(void **state)
{
	u32 dpl;

	(void)state;
	for (dpl = 0; dpl < 4; dpl++) {
		guest_gate(f, VEC_UD, GATE_INT | dpl << 13, 0x10);
		guest_user(f);
		core_inject(&f->vm, VEC_UD, 0);
		CHECK(row("DPL %u", dpl), guest_delivered(f, VEC_UD));
	}
}

static void crashed(const char *r, const char *words)
{
	CHECK_EQ(r, f->vm.end.how, END_CRASH);
	CHECK_STR(r, f->vm.end.reason, words);
	memset(&f->vm.end, 0, sizeof(f->vm.end));
}

/* The limit is that of the last byte: an entry must fit whole. */
static void idt_limit(void **state)
{
	(void)state;
	f->vm.cpu.idt.limit = VEC_XM * 8 + 7;
	core_inject(&f->vm, VEC_XM, 0);
	CHECK("fits", guest_delivered(f, VEC_XM));
	guest_kernel(f);
	f->vm.cpu.idt.limit = VEC_XM * 8 + 6;
	core_inject(&f->vm, VEC_XM, 0);
	crashed("cut", "double fault");
	f->vm.cpu.idt.limit = 0;
	core_inject(&f->vm, VEC_UD, 0);
	crashed("none", "triple fault");
	/* INT n beyond the limit is #GP, if that has its gate. */
	guest_user(f);
	f->vm.cpu.idt.limit = 0x80 * 8 + 6;
	core_soft_interrupt(&f->vm, 0x80, 2);
	CHECK_EQ("INT n", f->vm.end.how, END_NOT);
	CHECK("INT n", guest_delivered(f, VEC_GP));
	CHECK_EQ("INT n", guest_read32(f, f->vm.cpu.reg[ESP]), 0x402);
	CHECK_EQ("INT n", guest_read32(f, f->vm.cpu.reg[ESP] + 4), G_USER_CODE);
}

/* What makes a delivery fail ends the guest, and changes no register. */
static void undeliverable(void **state)
{
	static const struct {
		const char *what;
		u32 gate, selector;	/* 0: as they are */
		u32 unmap;		/* linear */
		bool user;
	} table[] = {
		{ "not present", GATE_INT & ~0x8000u, 0x10, 0, false },
		{ "task gate", 0x8500, 0x40, 0, false },
		{ "call gate", 0x8c00, 0x10, 0, false },
		{ "16-bit interrupt gate", 0x8600, 0x10, 0, false },
		{ "16-bit trap gate", 0x8700, 0x10, 0, false },
		{ "S bit set", 0x9e00, 0x10, 0, false },
		{ "null selector", GATE_INT, 0, 0, false },
		{ "user's selector", GATE_INT, 0x23, 0, false },
		{ "data selector", GATE_INT, 0x18, 0, false },
		{ "IDT unmapped", 0, 0, G_KERNEL + G_IDT, false },
		{ "stack unmapped", 0, 0, G_STACK - 4, false },
		{ "sp0's page unmapped", 0, 0, G_SP0 - 4, true },
		{ "TSS unmapped", 0, 0, G_KERNEL + G_TSS, true },
	};
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(table); i++) {
		const char *r = table[i].what;
		u32 unmap = table[i].unmap, gpa = unmap & 0xff000;
		struct vcpu before;

		if (table[i].user)
			guest_user(f);
		else
			guest_kernel(f);
		guest_gate(f, VEC_UD, table[i].gate ? table[i].gate : GATE_INT,
			   table[i].gate ? table[i].selector : 0x10);
		if (unmap)
			guest_map(f, unmap, 0);
		before = f->vm.cpu;
		core_inject(&f->vm, VEC_UD, 0);
		crashed(r, "double fault: an exception could not be delivered");
		CHECK_EQ(r, f->vm.cpu.eip, before.eip);
		CHECK_EQ(r, f->vm.cpu.cpl, before.cpl);
		CHECK_EQ(r, f->vm.cpu.eflags, before.eflags);
		CHECK_MEM(r, f->vm.cpu.reg, before.reg, sizeof(before.reg));
		CHECK_EQ(r, f->vif, true);
		if (unmap)
			guest_map(f, unmap, gpa | PTE_P | PTE_W);
	}
	guest_gate(f, VEC_PF, 0, 0x10);
	core_inject_page_fault(&f->vm, 0, 0);
	crashed("#PF", "double fault: a page fault could not be delivered");
	f->vif = true;
	f->info.irq_pending = f->info.irq_enabled = 1;
	guest_gate(f, PLEX86_IRQ_VECTOR, 0, 0x10);
	core_interrupts(&f->vm);
	crashed("IRQ", "double fault: an interrupt could not be delivered");
}

/* A stack the kernel may only read is no stack, CR0.WP or not. */
static void read_only_stack(void **state)
{
	(void)state;
	guest_map(f, G_STACK - 4, ((G_STACK - 4) & 0xff000) | PTE_P);
	core_inject(&f->vm, VEC_UD, 0);
	crashed("WP", "double fault");
	f->vm.cpu.cr0 &= ~CR0_WP;
	core_inject(&f->vm, VEC_UD, 0);
	CHECK("no WP", guest_delivered(f, VEC_UD));
}

/* A frame may lie across a page border. */
static void frame_across_pages(void **state)
{
	(void)state;
	f->vm.cpu.reg[ESP] = G_STACK - PAGE_SIZE + 8;
	core_inject(&f->vm, VEC_GP, 0x5a5a);
	CHECK("across", guest_delivered(f, VEC_GP));
	CHECK_EQ("across", f->vm.cpu.reg[ESP], G_STACK - PAGE_SIZE - 8);
	CHECK_EQ("error", guest_read32(f, G_STACK - PAGE_SIZE - 8), 0x5a5a);
	CHECK_EQ("eip", guest_read32(f, G_STACK - PAGE_SIZE - 4), G_CODE);
	CHECK_EQ("cs", guest_read32(f, G_STACK - PAGE_SIZE), 0x10);
}

/* The first crash is the one reported, cut to what there is room for. */
static void crash_reason(void **state)
{
	char longer[300];

	(void)state;
	memset(longer, 'x', sizeof(longer));
	longer[299] = 0;
	core_crash(&f->vm, longer);
	CHECK_EQ("long", f->vm.end.how, END_CRASH);
	CHECK_EQ("long", strlen(f->vm.end.reason),
		 sizeof(f->vm.end.reason) - 1);
	core_crash(&f->vm, "second");
	CHECK_EQ("second", f->vm.end.reason[0], 'x');
	f->vm.end.how = END_POWEROFF;
	core_crash(&f->vm, "after the end");
	CHECK_EQ("after", f->vm.end.how, END_POWEROFF);
}

/* Puts an IRET frame at the kernel's stack. */
static void put_frame(u32 eip, u32 cs, u32 flags, u32 esp, u32 ss)
{
	guest_kernel(f);
	f->vm.cpu.reg[ESP] = G_STACK - 20;
	guest_write32(f, G_STACK - 20, eip);
	guest_write32(f, G_STACK - 16, cs);
	guest_write32(f, G_STACK - 12, flags);
	guest_write32(f, G_STACK - 8, esp);
	guest_write32(f, G_STACK - 4, ss);
	fake_forget(f);
}

static void iret_to_user(void **state)
{
	(void)state;
	f->vif = false;
	put_frame(G_USER_CODE, 0x23, 0x202, G_USER_STACK, 0x2b);
	core_iret(&f->vm);
	CHECK_EQ("user", f->vm.cpu.cpl, 3);
	CHECK_EQ("user", f->vm.cpu.eip, G_USER_CODE);
	CHECK_EQ("user", f->vm.cpu.reg[ESP], G_USER_STACK);
	CHECK_EQ("user", f->vm.cpu.ss, 0x2b);
	CHECK_EQ("user", f->vif, true);
	CHECK_EQ("user", fake_count(f, CALL_SYNC_TLS), 0);	/* by a call */
	CHECK_EQ("user", fake_count(f, CALL_FILL), 0);
	CHECK_EQ("user", f->vm.stats.iret_user, 1);
	/* The upper halves of selectors in a frame are rubbish by rule. */
	put_frame(G_USER_CODE, 0xabcd0023, 0x202, G_USER_STACK, 0x1234002b);
	core_iret(&f->vm);
	CHECK_EQ("upper", f->vm.cpu.cpl, 3);
	CHECK_EQ("upper", f->vm.cpu.ss, 0x2b);
}

static void iret_to_kernel(void **state)
{
	u32 on;

	(void)state;
	for (on = 0; on < 2; on++) {
		const char *r = row("IF %u", on);

		put_frame(G_CODE + 0x40, 0x10, 2 | (on ? FL_IF : 0),
			  0xaaaaaaaa, 0xbbbbbbbb);
		f->vif = !on;
		core_iret(&f->vm);
		CHECK_EQ(r, f->vm.cpu.cpl, 0);
		CHECK_EQ(r, f->vm.cpu.eip, G_CODE + 0x40);
		CHECK_EQ(r, f->vm.cpu.reg[ESP], G_STACK - 8);	/* 12 popped */
		CHECK_EQ(r, f->vif, on);
		CHECK_EQ(r, fake_count(f, CALL_SYNC_TLS), 0);
	}
	CHECK_EQ("count", f->vm.stats.iret_kernel, 2);
}

/* Each flag alone in the image: TF, NT, RF, AC, ID and the others go through;
 * IF becomes the virtual one; IOPL, VIF and VIP are not for a guest to set.
 */
static void iret_flags(void **state)
{
	u32 bit, user;

	(void)state;
	for (bit = 0; bit < 32; bit++)
	for (user = 0; user < 2; user++) {
		const char *r = row("bit %u user %u", bit, user);
		u32 flag = 1u << bit;

		if (flag == FL_VM)
			continue;
		put_frame(G_CODE, user ? 0x23 : 0x10, flag, G_USER_STACK, 0x2b);
		f->vm.cpu.eflags = ~0u & ~FL_VM;	/* none is kept */
		core_iret(&f->vm);
		CHECK_EQ(r, f->vm.end.how, END_NOT);
		CHECK_EQ(r, f->vm.cpu.cpl, user ? 3 : 0);
		CHECK_EQ(r, f->vm.cpu.eflags & ~FL_IF, (flag & CARRIED) | 2);
		CHECK_EQ(r, f->vif, user || flag == FL_IF);
	}
}

/* A frame that does not load is #GP at the IRET, nothing popped. */
static void iret_bad_frames(void **state)
{
	static const struct {
		const char *what;
		u32 cs, flags, ss;
		u32 error;
	} table[] = {
		{ "null CS", 0, 2, 0x2b, 0 },
		{ "null CS, RPL 3", 3, 2, 0x2b, 0 },
		{ "kernel CS, RPL 1", 0x11, 2, 0x2b, 0x10 },
		{ "kernel CS, RPL 3", 0x13, 2, 0x2b, 0x10 },
		{ "user CS, RPL 0", 0x20, 2, 0x2b, 0x20 },
		{ "user CS, RPL 1", 0x21, 2, 0x2b, 0x20 },
		{ "kernel data for CS", 0x18, 2, 0x2b, 0x18 },
		{ "user data for CS", 0x2b, 2, 0x2b, 0x28 },
		{ "64-bit host's CS", 0x33, 2, 0x2b, 0x30 },
		{ "CS in an LDT", 0x27, 2, 0x2b, 0x24 },
		{ "CS beyond the GDT", 0xfff3, 2, 0x2b, 0xfff0 },
		{ "null SS", 0x23, 2, 0, 0 },
		{ "kernel SS", 0x23, 2, 0x18, 0x18 },
		{ "SS with RPL 0", 0x23, 2, 0x28, 0x28 },
		{ "SS with RPL 2", 0x23, 2, 0x2a, 0x28 },
		{ "code for SS", 0x23, 2, 0x23, 0x20 },
		{ "SS in an LDT", 0x23, 2, 0x2f, 0x2c },
		{ "SS beyond the GDT", 0x23, 2, 0x1003, 0x1000 },
		{ "read-only SS", 0x23, 2, 0x6b, 0x68 },
		{ "SS of DPL 0", 0x23, 2, 0x73, 0x70 },
	};
	size_t i;

	(void)state;
	guest_descriptor(f, 12, 0x00cff20000001fff);
	guest_descriptor(f, 13, 0x00cff00000001fff);	/* read-only */
	guest_descriptor(f, 14, 0x00cf920000001fff);	/* DPL 0 */
	for (i = 0; i < ARRAY_SIZE(table); i++) {
		struct expected e = { VEC_GP, table[i].error, G_CODE };
		struct vcpu before;

		put_frame(G_USER_CODE, table[i].cs, table[i].flags,
			  G_USER_STACK, table[i].ss);
		before = f->vm.cpu;
		core_iret(&f->vm);
		guest_expect(table[i].what, f, &e, &before);
		CHECK_EQ(table[i].what, f->vif, false);	/* by #GP's gate */
	}
	/* A TLS slot makes a stack segment. */
	put_frame(G_USER_CODE, 0x23, 2, G_USER_STACK, 0x63);
	core_iret(&f->vm);
	CHECK_EQ("TLS", f->vm.cpu.cpl, 3);
	CHECK_EQ("TLS", f->vm.cpu.ss, 0x63);
}

/* No virtual-8086 mode, whatever the CS says. */
static void iret_vm_flag(void **state)
{
	static const u32 cs[] = { 0x10, 0x23, 0xf000 };
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(cs); i++) {
		put_frame(G_USER_CODE, cs[i], 2 | FL_VM, G_USER_STACK, 0x2b);
		core_iret(&f->vm);
		CHECK(row("cs %#x", cs[i]), guest_delivered(f, VEC_GP));
	}
}

/* #PF while the frame is read: at the IRET, with the address of the read. */
static void iret_page_fault(void **state)
{
	static const u32 offsets[] = { 0, 4, 8, 12, 16 };
	size_t i;
	u32 j;

	(void)state;
	/* The frame lies across the border below an unmapped page; its #PF is
	 * taken on the stack below.
	 */
	for (i = 0; i < ARRAY_SIZE(offsets); i++) {
		const u32 words[] = { G_USER_CODE, 0x23, 2, G_USER_STACK, 0x2b };
		u32 border = G_STACK + PAGE_SIZE, at = border - offsets[i];
		const char *r = row("%u bytes mapped", offsets[i]);
		struct expected e = { VEC_PF, 0, G_CODE };
		struct vcpu before;

		guest_kernel(f);
		for (j = 0; j < 5; j++)
			guest_write32(f, at + j * 4, words[j]);
		guest_map(f, border, 0);
		f->vm.cpu.reg[ESP] = at;
		before = f->vm.cpu;
		core_iret(&f->vm);
		guest_expect(r, f, &e, &before);
		CHECK_EQ(r, f->info.cr2, border);
		CHECK_EQ(r, f->vm.cpu.cr2, border);
		guest_map(f, border, (border & 0xff000) | PTE_P | PTE_W);
	}
	/* A frame to the kernel is 3 words: the 4th may be unmapped. */
	guest_kernel(f);
	guest_write32(f, G_STACK + PAGE_SIZE - 12, G_CODE + 8);
	guest_write32(f, G_STACK + PAGE_SIZE - 8, 0x10);
	guest_write32(f, G_STACK + PAGE_SIZE - 4, 2);
	guest_map(f, G_STACK + PAGE_SIZE, 0);
	f->vm.cpu.reg[ESP] = G_STACK + PAGE_SIZE - 12;
	core_iret(&f->vm);
	CHECK_EQ("3 words", f->vm.cpu.eip, G_CODE + 8);
}

/* What is injected and returned from leaves the guest where it was. */
static void there_and_back(void **state)
{
	u64 seed = 0x082efa98ec4e6c89;
	u32 i;

	(void)state;
	for (i = 0; i < 20000; i++) {
		struct vcpu before;
		bool user = random32(&seed) & 1, vif;
		const char *r = row("round %u", i);

		if (user)
			guest_user(f);
		else
			guest_kernel(f);
		f->vm.cpu.eip = random32(&seed);
		f->vm.cpu.eflags = (random32(&seed) & CARRIED) | 2;
		f->vif = user || (random32(&seed) & 1);
		f->vm.cpu.ss = random32(&seed) & 1 ? 0x2b : 0x63;
		guest_descriptor(f, 12, 0x00cff20000001fff);
		before = f->vm.cpu;
		vif = f->vif;
		core_inject(&f->vm, VEC_XM, 0);
		CHECK(r, guest_delivered(f, VEC_XM));
		core_iret(&f->vm);
		CHECK_MEM(r, f->vm.cpu.reg, before.reg, sizeof(before.reg));
		CHECK_EQ(r, f->vm.cpu.eip, before.eip);
		CHECK_EQ(r, f->vm.cpu.eflags, before.eflags);
		CHECK_EQ(r, f->vm.cpu.cpl, before.cpl);
		CHECK_EQ(r, f->vm.cpu.ss, before.ss);
		CHECK_EQ(r, f->vif, vif);
	}
}

/* The lowest number first, masked ones never, each once. */
static void interrupt_priority(void **state)
{
	static const struct {
		u32 pending, enabled;
		s32 irq;		/* -1: none */
		bool vip;
	} table[] = {
		{ 0, 0xffff, -1, false },
		{ 0xffff, 0, -1, false },
		{ 0x0001, 0xffff, 0, false },
		{ 0x0002, 0xffff, 1, false },
		{ 0x8000, 0xffff, 15, false },
		{ 0x8001, 0xffff, 0, true },
		{ 0x8001, 0xfffe, 15, false },
		{ 0x0006, 0x0004, 2, false },
		{ 0x00f0, 0x00c0, 6, true },
		{ 0x0003, 0xfffc, -1, false },
	};
	size_t i, user;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(table); i++)
	for (user = 0; user < 2; user++) {
		const char *r = row("pending %#x enabled %#x", table[i].pending,
				    table[i].enabled);
		u32 left = table[i].pending;
		struct vcpu before;

		if (user)
			guest_user(f);
		else
			guest_kernel(f);
		before = f->vm.cpu;
		f->info.irq_pending = table[i].pending;
		f->info.irq_enabled = table[i].enabled;
		core_interrupts(&f->vm);
		if (table[i].irq < 0) {
			CHECK_EQ(r, f->vm.cpu.eip, before.eip);
			CHECK_EQ(r, f->vif, true);
		} else {
			struct expected e = {
				PLEX86_IRQ_VECTOR + (u32)table[i].irq,
				NO_ERROR, before.eip,
			};

			guest_expect(r, f, &e, &before);
			CHECK_EQ(r, f->vif, false);
			left &= ~(1u << table[i].irq);
		}
		CHECK_EQ(r, f->info.irq_pending, left);
		CHECK_EQ(r, f->info.irq_enabled, table[i].enabled);
		CHECK_EQ(r, f->vip, table[i].vip);
	}
}

/* Off is off: nothing is delivered, and VIP says that something waits. */
static void interrupts_off(void **state)
{
	u32 pending;

	(void)state;
	f->info.irq_enabled = 0x00ff;
	for (pending = 0; pending < 0x10000; pending += 0x55) {
		const char *r = row("pending %#x", pending);

		guest_kernel(f);
		f->vif = false;
		f->info.irq_pending = pending;
		core_interrupts(&f->vm);
		CHECK_EQ(r, f->vm.cpu.eip, G_CODE);
		CHECK_EQ(r, f->vm.cpu.reg[ESP], G_STACK);
		CHECK_EQ(r, f->info.irq_pending, pending);
		CHECK_EQ(r, f->vip, (pending & 0xff) != 0);
		CHECK_EQ(r, f->vif, false);
	}
	CHECK_EQ("count", f->vm.stats.injected_interrupts, 0);
}

/* User code has interrupts on, whatever the flag in the info page says. */
static void user_cannot_mask(void **state)
{
	(void)state;
	guest_user(f);
	f->vif = false;
	f->info.irq_enabled = f->info.irq_pending = 2;
	core_interrupts(&f->vm);
	CHECK("user", guest_delivered(f, PLEX86_IRQ_VECTOR + 1));
	CHECK_EQ("user", guest_read32(f, f->vm.cpu.reg[ESP] + 8) & FL_IF, FL_IF);
	CHECK_EQ("user", f->vip, false);
}

/* VIP goes away with its cause: taken, or masked. */
static void vip_goes(void **state)
{
	(void)state;
	f->info.irq_enabled = f->info.irq_pending = 3;
	core_interrupts(&f->vm);
	CHECK_EQ("second waits", f->vip, true);
	f->vif = true;
	core_interrupts(&f->vm);
	CHECK_EQ("both taken", f->vip, false);
	CHECK_EQ("both taken", f->info.irq_pending, 0);
	CHECK_EQ("both taken", f->vm.stats.injected_interrupts, 2);
	f->info.irq_pending = 4;
	f->info.irq_enabled = 4;
	core_interrupts(&f->vm);
	CHECK_EQ("waits", f->vip, true);
	f->info.irq_enabled = 0;
	core_interrupts(&f->vm);
	CHECK_EQ("masked", f->vip, false);
}

/* STI;HLT is one unit: the interrupt's frame points behind the HLT. */
static void hlt_is_skipped(void **state)
{
	static const struct {
		u8 byte;
		bool user, mapped;
		u32 skip;
	} table[] = {
		{ 0xf4, false, true, 1 },
		{ 0x90, false, true, 0 },
		{ 0xf4, true, true, 0 },	/* user's HLT is a #GP to come */
		{ 0xf4, false, false, 0 },
	};
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(table); i++) {
		const char *r = row("row %zu", i);
		u32 eip = table[i].user ? G_USER_CODE : G_CODE;
		struct vcpu before;
		struct expected e;

		if (table[i].user)
			guest_user(f);
		else
			guest_kernel(f);
		*guest_at(f, eip) = table[i].byte;
		if (!table[i].mapped)
			guest_map(f, eip, 0);
		f->vm.cpu.cr2 = 0x7777;
		before = f->vm.cpu;
		f->info.irq_enabled = f->info.irq_pending = 1;
		core_interrupts(&f->vm);
		e = (struct expected){ PLEX86_IRQ_VECTOR, NO_ERROR,
				       eip + table[i].skip };
		guest_expect(r, f, &e, &before);
		/* CR2 is the last page fault's; looking around is none. */
		CHECK_EQ(r, f->vm.cpu.cr2, 0x7777);
		if (!table[i].mapped)
			guest_map(f, eip, (eip & 0xff000) | PTE_P | PTE_W);
	}
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(frames), TEST(page_fault_frame), TEST(flags_image),
		TEST(flags_after_entry), TEST(gate_types), TEST(gate_offset),
		TEST(int_n), TEST(exceptions_ignore_dpl), TEST(idt_limit),
		TEST(undeliverable), TEST(read_only_stack),
		TEST(frame_across_pages), TEST(crash_reason),
		TEST(iret_to_user), TEST(iret_to_kernel), TEST(iret_flags),
		TEST(iret_bad_frames), TEST(iret_vm_flag),
		TEST(iret_page_fault), TEST(there_and_back),
		TEST(interrupt_priority), TEST(interrupts_off),
		TEST(user_cannot_mask), TEST(vip_goes),
		TEST(hlt_is_skipped),
	};

	return RUN_TESTS("inject", tests, NULL, NULL);
}
