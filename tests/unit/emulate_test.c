// SPDX-License-Identifier: GPL-2.0
/*
 * core/emulate.c: every instruction it knows, in several encodings, in kernel
 * mode and in user mode; SDM vol. 2, instruction by instruction, where the
 * contract's "The virtual CPU" does not say otherwise.
 *
 * LAR, LSL, VERR, VERW are in descriptor_test.c.
 */
#include "guest.h"
#include "image.h"
#include "unit.h"

#include <stdlib.h>
#include <sys/mman.h>

static struct fake *f;
static struct vcpu before;	/* as the instruction found it */

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

/* An instruction as a literal: BYTES(0x0f, 0x06). */
#define BYTES(...) \
	{ __VA_ARGS__ }, sizeof((u8[]){ __VA_ARGS__ })

/* How the guest runs. */
enum mode { KERNEL, USER };

/* Puts the guest before @n bytes of code, each register of another value. */
static void prepare(enum mode mode, const u8 *code, u32 n)
{
	u32 i, at = mode == USER ? G_USER_CODE : G_CODE;

	for (i = 0; i < 8; i++)
		f->vm.cpu.reg[i] = 0x01010000 * (i + 1) + i;
	if (mode == USER)
		guest_user(f);
	else
		guest_kernel(f);
	memset(guest_at(f, at), 0x90, 64);
	memcpy(guest_at(f, at), code, n);
	memset(&f->vm.end, 0, sizeof(f->vm.end));
	fake_forget(f);
	before = f->vm.cpu;
}

static void gp(const char *r, u32 error)
{
	struct expected e = { VEC_GP, error, before.eip };

	guest_expect(r, f, &e, &before);
}

static void ud(const char *r)
{
	struct expected e = { VEC_UD, NO_ERROR, before.eip };

	guest_expect(r, f, &e, &before);
}

static void page_fault(const char *r, u32 linear, u32 error)
{
	struct expected e = { VEC_PF, error, before.eip };

	guest_expect(r, f, &e, &before);
	CHECK_EQ(r, f->vm.cpu.cr2, linear);
	CHECK_EQ(r, f->info.cr2, linear);
}

/* The instruction of @n bytes was done: EIP is behind it, flags are as before,
 * and no general register but those in @changed has another value.
 */
static void done(const char *r, u32 n, u32 changed)
{
	u32 i;

	CHECK_EQ(r, f->vm.end.how, END_NOT);
	CHECK_EQ(r, f->vm.cpu.eip, before.eip + n);
	CHECK_EQ(r, f->vm.cpu.cpl, before.cpl);
	CHECK_EQ(r, f->vm.cpu.eflags, before.eflags);
	for (i = 0; i < 8; i++)
		if (!(changed >> i & 1))
			CHECK_EQ(r, f->vm.cpu.reg[i], before.reg[i]);
}

/* MOV between every CR and every register: 0F 20 and 0F 22. */
static void mov_cr(void **state)
{
	u32 to, cr, reg, mod;

	(void)state;
	for (to = 0; to < 2; to++)
	for (cr = 0; cr < 8; cr++)
	for (reg = 0; reg < 8; reg++)
	for (mod = 0; mod < 4; mod++) {
		/* mod is ignored: it is always taken as 3 */
		const u8 code[] = { 0x0f, (u8)(0x20 + 2 * to),
				    (u8)(mod << 6 | cr << 3 | reg) };
		const char *r = row("%02x %02x", code[1], code[2]);
		u32 want, value = 0x80050023 + reg;
		bool known = cr == 0 || (cr >= 2 && cr <= 4);

		f->vm.cpu.cr0 = CR0_PE | CR0_ET | CR0_WP | CR0_PG;
		f->vm.cpu.cr2 = 0x02020202;
		f->vm.cpu.cr3 = G_PD;
		f->vm.cpu.cr4 = CR4_PSE | CR4_PGE;
		prepare(KERNEL, code, sizeof(code));
		if (cr == 3)
			value = G_PD | 0x18;
		if (cr == 4)
			value = CR4_PSE | CR4_PGE | CR4_OSXSAVE;
		if (to && known) {
			f->vm.cpu.reg[reg] = value;
			before.reg[reg] = value;
		}
		core_general_protection(&f->vm, 0);
		if (!known) {
			gp(r, 0);
			continue;
		}
		want = to ? value : cr == 0 ? before.cr0 : cr == 2 ? before.cr2 :
				    cr == 3 ? before.cr3 : before.cr4;
		done(r, 3, to ? 0 : 1u << reg);
		if (!to) {
			CHECK_EQ(r, f->vm.cpu.reg[reg], want);
			continue;
		}
		if (cr == 0)
			CHECK_EQ(r, f->vm.cpu.cr0, value | CR0_ET);
		if (cr == 2) {
			CHECK_EQ(r, f->vm.cpu.cr2, value);
			CHECK_EQ(r, f->info.cr2, value);
		}
		if (cr == 3)
			CHECK_EQ(r, f->vm.cpu.cr3, value);
		if (cr == 4)
			CHECK_EQ(r, f->vm.cpu.cr4, value);
	}
}

/* What of the shadow a write of a control register forgets. */
static void cr_flushes(void **state)
{
	static const struct {
		u32 cr, from, to;
		s32 flush;		/* -1: none; 0: not global; 1: all */
	} table[] = {
		{ 0, 0x80010011, 0x80010011, -1 },
		{ 0, 0x80010011, 0x80010019, -1 },		/* TS */
		{ 0, 0x80010011, 0x80000011, 1 },		/* WP */
		{ 0, 0x80000011, 0x80010011, 1 },
		{ 0, 0x80010011, 0x00010011, 1 },		/* PG */
		{ 3, G_PD, G_PD, 0 },				/* with PGE */
		{ 3, G_PD, G_PD + PAGE_SIZE, 0 },
		{ 4, CR4_PGE | CR4_PSE, CR4_PGE | CR4_PSE, -1 },
		{ 4, CR4_PGE | CR4_PSE, CR4_PSE, 1 },
		{ 4, CR4_PSE, CR4_PSE | CR4_PGE, 1 },
		{ 4, CR4_PGE | CR4_PSE, CR4_PGE, 1 },
		{ 4, CR4_PGE, CR4_PGE | CR4_OSXSAVE, -1 },
		{ 4, CR4_PGE, CR4_PGE | 0x600, -1 },		/* OSFXSR.. */
		{ 2, 0, 0x1234, -1 },
	};
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(table); i++) {
		const u8 code[] = { 0x0f, 0x22, (u8)(0xc0 | table[i].cr << 3) };
		const char *r = row("row %zu", i);
		u32 *crs[] = { &f->vm.cpu.cr0, NULL, &f->vm.cpu.cr2,
			       &f->vm.cpu.cr3, &f->vm.cpu.cr4 };

		f->vm.cpu.cr4 = CR4_PGE | CR4_PSE;
		*crs[table[i].cr] = table[i].from;
		prepare(KERNEL, code, sizeof(code));
		f->vm.cpu.reg[EAX] = table[i].to;
		core_general_protection(&f->vm, 0);
		CHECK_EQ(r, f->vm.cpu.eip, G_CODE + 3);
		CHECK_EQ(r, fake_count(f, CALL_FLUSH), table[i].flush >= 0);
		if (table[i].flush >= 0)
			CHECK_EQ(r, fake_call(f, CALL_FLUSH)->arg[0],
				 table[i].flush);
		f->vm.cpu.cr0 = 0x80010011;
		f->vm.cpu.cr3 = G_PD;
	}
	/* Without PGE a load of CR3 forgets all. */
	f->vm.cpu.cr4 = CR4_PSE;
	prepare(KERNEL, (const u8[]){ 0x0f, 0x22, 0xd8 }, 3);
	f->vm.cpu.reg[EAX] = G_PD;
	core_general_protection(&f->vm, 0);
	CHECK_EQ("no PGE", fake_call(f, CALL_FLUSH)->arg[0], 1);
}

/*
 * MOV to CR3 where CR4.PCIDE is set: the host goes on in the space that is
 * named, or there is #GP and nothing changes.  That something is kept is for
 * this load and no part of CR3.  A host that flushes may look at the new tables.
 */
static void cr3_spaces(void **state)
{
	static const struct {
		u32 asids, value;
		bool ok;
		u32 asid;
		bool keep;
	} table[] = {
		{ 7, 0x000, true, 0, false }, { 7, 0x800, true, 0, true },
		{ 7, 0x001, true, 1, false }, { 7, 0x801, true, 1, true },
		{ 7, 0x006, true, 6, false }, { 7, 0x806, true, 6, true },
		{ 7, 0x007, false, 7, false }, { 7, 0x807, false, 7, true },
		{ 7, 0x7ff, false, 0x7ff, false },
		{ 7, 0xfff, false, 0x7ff, true },
		{ 0x800, 0xfff, true, 0x7ff, true },
		{ 0, 0x000, false, 0, false },
	};
	size_t i;
	u32 reg;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(table); i++)
	for (reg = 0; reg < 8; reg++) {
		const char *r = row("%u spaces, %#x, register %u",
				    table[i].asids, table[i].value, reg);
		u8 code[] = { 0x0f, 0x22, (u8)(0xd8 | reg) };
		u64 loads = f->vm.stats.cr3_loads;

		/* The same tables, so that #GP can be delivered. */
		f->vm.cpu.cr3 = G_PD | 2;
		f->vm.cpu.cr4 = CR4_PSE | CR4_PGE | CR4_PCIDE;
		f->asids = table[i].asids;
		prepare(KERNEL, code, sizeof(code));
		f->vm.cpu.reg[reg] = G_PD | table[i].value;
		if (reg == ESP && !table[i].ok)
			continue;	/* no stack for the #GP */
		before = f->vm.cpu;
		core_general_protection(&f->vm, 0);
		CHECK_EQ(r, fake_count(f, CALL_FLUSH), 0);
		CHECK_EQ(r, fake_count(f, CALL_SPACE), 1);
		CHECK_EQ(r, fake_call(f, CALL_SPACE)->arg[0], table[i].asid);
		CHECK_EQ(r, fake_call(f, CALL_SPACE)->arg[1], table[i].keep);
		CHECK_EQ(r, fake_call(f, CALL_SPACE)->arg[2],
			 G_PD | (table[i].value & 0x7ff));
		if (!table[i].ok) {
			gp(r, 0);
			CHECK_EQ(r, f->vm.cpu.cr3, G_PD | 2);
			CHECK_EQ(r, f->vm.stats.cr3_loads, loads);
			continue;
		}
		done(r, 3, 0);
		CHECK_EQ(r, f->vm.cpu.cr3, G_PD | (table[i].value & 0x7ff));
		CHECK_EQ(r, f->vm.stats.cr3_loads, loads + 1);
		code[1] = 0x20;
		prepare(KERNEL, code, sizeof(code));
		core_general_protection(&f->vm, 0);
		CHECK_EQ(r, f->vm.cpu.reg[reg],
			 G_PD | (table[i].value & 0x7ff));
	}
	/* Without PCIDE all bits are CR3's, and no space is named. */
	f->vm.cpu.cr4 = CR4_PSE | CR4_PGE;
	prepare(KERNEL, (const u8[]){ 0x0f, 0x22, 0xd8 }, 3);
	f->vm.cpu.reg[EAX] = before.reg[EAX] = G_PD | 0xfff;
	core_general_protection(&f->vm, 0);
	done("no PCIDE", 3, 0);
	CHECK_EQ("no PCIDE", f->vm.cpu.cr3, G_PD | 0xfff);
	CHECK_EQ("no PCIDE", fake_count(f, CALL_SPACE), 0);
	CHECK_EQ("no PCIDE", fake_count(f, CALL_FLUSH), 1);
	CHECK_EQ("no PCIDE", fake_call(f, CALL_FLUSH)->arg[1], G_PD | 0xfff);
}

static void clts_and_lmsw(void **state)
{
	static const struct {
		u32 cr0, operand, want;
	} table[] = {
		{ 0x80050033, 0x0000, 0x80050031 },	/* PE stays */
		{ 0x80050033, 0xffff, 0x8005003f },	/* 4 bits only */
		{ 0x80050031, 0x000a, 0x8005003b },
		{ 0x8005003f, 0x0001, 0x80050031 },
		{ 0x80050033, 0xabcd0004, 0x80050035 },
	};
	size_t i, memory;

	(void)state;
	prepare(KERNEL, (const u8[]){ 0x0f, 0x06 }, 2);
	f->vm.cpu.cr0 = 0x8005003b;
	core_general_protection(&f->vm, 0);
	done("clts", 2, 0);
	CHECK_EQ("clts", f->vm.cpu.cr0, 0x80050033);
	CHECK_EQ("clts", fake_count(f, CALL_FLUSH), 0);

	for (i = 0; i < ARRAY_SIZE(table); i++)
	for (memory = 0; memory < 2; memory++) {
		const char *r = row("lmsw row %zu memory %zu", i, memory);

		/* lmsw %cx; lmsw (%ecx), of which 2 bytes count */
		prepare(KERNEL, (const u8[]){ 0x0f, 0x01,
					      memory ? 0x31 : 0xf1 }, 3);
		before.reg[ECX] = memory ? G_DATA + 0xffe : table[i].operand;
		f->vm.cpu.reg[ECX] = before.reg[ECX];
		if (memory)
			memcpy(guest_at(f, G_DATA + 0xffe), &table[i].operand, 2);
		guest_map(f, G_DATA + 0x1000, 0);
		f->vm.cpu.cr0 = table[i].cr0;
		core_general_protection(&f->vm, 0);
		done(r, 3, 0);
		CHECK_EQ(r, f->vm.cpu.cr0, table[i].want);
	}
}

/* MOV between every DR and a register; 4 and 5 are 6 and 7 without CR4.DE. */
static void mov_dr(void **state)
{
	static const struct {
		u32 dr, write, read;
	} table[] = {
		{ 0, 0x12345678, 0x12345678 }, { 1, 0xffffffff, 0xffffffff },
		{ 2, 0, 0 }, { 3, 0x80000001, 0x80000001 },
		{ 6, 0, 0xffff0ff0 }, { 6, 0xffffffff, 0xffffefff },
		{ 6, 0x400f, 0xffff4fff },
		{ 7, 0, 0x400 }, { 7, 0xffffffff, 0xffff2fff },
		{ 7, 0x00010101, 0x00010501 },
		{ 4, 0x1, 0xffff0ff1 }, { 5, 0x2, 0x402 },
	};
	size_t i;
	u32 reg;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(table); i++)
	for (reg = 0; reg < 8; reg++) {
		const char *r = row("dr%u <- %#x, register %u", table[i].dr,
				    table[i].write, reg);
		u8 code[3] = { 0x0f, 0x23,
			       (u8)(0xc0 | table[i].dr << 3 | reg) };

		prepare(KERNEL, code, 3);
		f->vm.cpu.reg[reg] = before.reg[reg] = table[i].write;
		core_general_protection(&f->vm, 0);
		done(r, 3, 0);
		CHECK_EQ(r, f->vm.cpu.dr[table[i].dr | (table[i].dr & 4) >> 1],
			 table[i].read);
		code[1] = 0x21;
		prepare(KERNEL, code, 3);
		core_general_protection(&f->vm, 0);
		done(r, 3, 1u << reg);
		CHECK_EQ(r, f->vm.cpu.reg[reg], table[i].read);
	}
}

/* Where a memory operand of LGDT or LIDT is put in the tests below. */
#define TABLE	(G_DATA + 0x100)

static void lgdt_and_lidt(void **state)
{
	static const struct {
		const char *what;
		u8 code[10];
		u32 bytes;
		u32 reg, value;		/* a register set before */
		bool idt, operand16;
	} table[] = {
		{ "lgdt disp32", BYTES(0x0f, 0x01, 0x15, 0x00, 0x01, 0x02, 0xc0),
		  EAX, 0, false, false },
		{ "lidt disp32", BYTES(0x0f, 0x01, 0x1d, 0x00, 0x01, 0x02, 0xc0),
		  EAX, 0, true, false },
		{ "lgdt (%esi)", BYTES(0x0f, 0x01, 0x16), ESI, TABLE, false,
		  false },
		{ "lidt -8(%ebp)", BYTES(0x0f, 0x01, 0x5d, 0xf8), EBP, TABLE + 8,
		  true, false },
		{ "lgdt 0x80(%eax)", BYTES(0x0f, 0x01, 0x90, 0x80, 0, 0, 0), EAX,
		  TABLE - 0x80, false, false },
		{ "lgdt (%esp)", BYTES(0x0f, 0x01, 0x14, 0x24), ESP, TABLE,
		  false, false },
		{ "cs lgdt (%ebx)", BYTES(0x2e, 0x0f, 0x01, 0x13), EBX, TABLE,
		  false, false },
		{ "ds lidt (%edi)", BYTES(0x3e, 0x0f, 0x01, 0x1f), EDI, TABLE,
		  true, false },
		{ "data16 lgdt (%ecx)", BYTES(0x66, 0x0f, 0x01, 0x11), ECX,
		  TABLE, false, true },
		{ "data16 lidt (%ecx)", BYTES(0x66, 0x0f, 0x01, 0x19), ECX,
		  TABLE, true, true },
	};
	static const u8 image[] = { 0x7f, 0x12, 0x78, 0x56, 0x34, 0xc2, 0xee };
	size_t i;

	(void)state;
	memcpy(guest_at(f, TABLE), image, sizeof(image));
	for (i = 0; i < ARRAY_SIZE(table); i++) {
		const char *r = table[i].what;
		struct descriptor_table gdt = f->vm.cpu.gdt, idt = f->vm.cpu.idt;
		const struct descriptor_table *got, *other, *was;

		prepare(KERNEL, table[i].code, table[i].bytes);
		if (table[i].value)
			f->vm.cpu.reg[table[i].reg] = table[i].value;
		before = f->vm.cpu;
		core_general_protection(&f->vm, 0);
		done(r, table[i].bytes, 0);
		got = table[i].idt ? &f->vm.cpu.idt : &f->vm.cpu.gdt;
		other = table[i].idt ? &f->vm.cpu.gdt : &f->vm.cpu.idt;
		was = table[i].idt ? &gdt : &idt;
		CHECK_EQ(r, got->limit, 0x127f);
		/* With 16-bit operands the base has 24 bits. */
		CHECK_EQ(r, got->base, table[i].operand16 ? 0x345678 :
							    0xc2345678);
		CHECK_MEM(r, other, was, sizeof(*was));
		f->vm.cpu.gdt = gdt;
		f->vm.cpu.idt = idt;
	}
}

static void lgdt_faults(void **state)
{
	struct descriptor_table gdt = f->vm.cpu.gdt;

	(void)state;
	/* Across the border to a page that is not there. */
	guest_map(f, G_DATA + 0x1000, 0);
	prepare(KERNEL, (const u8[]){ 0x0f, 0x01, 0x16 }, 3);
	before.reg[ESI] = f->vm.cpu.reg[ESI] = G_DATA + 0xffc;
	core_general_protection(&f->vm, 0);
	page_fault("missing", G_DATA + 0x1000, 0);
	CHECK_MEM("missing", &f->vm.cpu.gdt, &gdt, sizeof(gdt));
	/* The info page is not the guest's to have tables in. */
	prepare(KERNEL, (const u8[]){ 0x0f, 0x01, 0x16 }, 3);
	before.reg[ESI] = f->vm.cpu.reg[ESI] = PLEX86_INFO;
	core_general_protection(&f->vm, 0);
	page_fault("top", PLEX86_INFO, 0);
}

static void ltr_and_lldt(void **state)
{
	static const u8 ltr_ax[] = { 0x0f, 0x00, 0xd8 };
	static const u8 ltr_mem[] = { 0x0f, 0x00, 0x1b };	/* (%ebx) */
	static const u8 lldt_ax[] = { 0x0f, 0x00, 0xd0 };

	(void)state;
	guest_descriptor(f, 9, 0xab00890000000067 | 0x12ull << 32 |
			       0x3456ull << 16);
	prepare(KERNEL, ltr_ax, 3);
	before.reg[EAX] = f->vm.cpu.reg[EAX] = 0xffff0048;
	core_general_protection(&f->vm, 0);
	done("ltr", 3, 0);
	CHECK_EQ("ltr", f->vm.cpu.tr, 0x48);
	CHECK_EQ("ltr", f->vm.cpu.tss_base, 0xab123456);

	prepare(KERNEL, ltr_mem, 3);
	before.reg[EBX] = f->vm.cpu.reg[EBX] = G_DATA;
	guest_write32(f, G_DATA, 0xffff0040);
	core_general_protection(&f->vm, 0);
	done("ltr m", 3, 0);
	CHECK_EQ("ltr m", f->vm.cpu.tr, 0x40);
	CHECK_EQ("ltr m", f->vm.cpu.tss_base, G_KERNEL + G_TSS);

	/* Beyond the limit: #GP(selector), and TR as before. */
	f->vm.cpu.gdt.limit = 0x46;
	prepare(KERNEL, ltr_ax, 3);
	before.reg[EAX] = f->vm.cpu.reg[EAX] = 0x40;
	core_general_protection(&f->vm, 0);
	gp("limit", 0x40);
	CHECK_EQ("limit", f->vm.cpu.tss_base, G_KERNEL + G_TSS);
	f->vm.cpu.gdt.limit = 0x7f;

	prepare(KERNEL, lldt_ax, 3);
	before.reg[EAX] = f->vm.cpu.reg[EAX] = 0;
	core_general_protection(&f->vm, 0);
	done("lldt", 3, 0);
	CHECK_EQ("lldt", f->vm.cpu.ldtr, 0);

	guest_map(f, G_DATA, 0);
	prepare(KERNEL, ltr_mem, 3);
	before.reg[EBX] = f->vm.cpu.reg[EBX] = G_DATA;
	core_general_protection(&f->vm, 0);
	page_fault("fault", G_DATA, 0);
}

static void xsetbv(void **state)
{
	static const struct {
		u32 ecx, eax, edx, cr4;
		u64 allowed;
		bool ok;
	} table[] = {
		{ 0, 0x1, 0, CR4_OSXSAVE, 0xe7, true },
		{ 0, 0x3, 0, CR4_OSXSAVE, 0xe7, true },
		{ 0, 0x7, 0, CR4_OSXSAVE, 0xe7, true },
		{ 0, 0xe7, 0, CR4_OSXSAVE, 0xe7, true },
		{ 0, 0x7, 0, CR4_OSXSAVE, 0x7, true },
		{ 0, 0xe7, 0, CR4_OSXSAVE, 0x7, false },
		{ 0, 0x7, 0, CR4_OSXSAVE, 0x3, false },
		{ 0, 0x0, 0, CR4_OSXSAVE, 0xe7, false },	/* x87 is a must */
		{ 0, 0x6, 0, CR4_OSXSAVE, 0xe7, false },
		{ 0, 0x207, 0, CR4_OSXSAVE, 0xe7, false },	/* PKRU */
		{ 0, 0x60007, 0, CR4_OSXSAVE, 0xe7, false },	/* AMX */
		{ 0, 0x7, 0x80000000, CR4_OSXSAVE, 0xe7, false },
		{ 1, 0x7, 0, CR4_OSXSAVE, 0xe7, false },
		{ ~0u, 0x7, 0, CR4_OSXSAVE, 0xe7, false },
		{ 0, 0x7, 0, 0, 0xe7, false },
		/* SDM vol. 1, 13.3: AVX needs SSE; AVX-512 all its parts. */
		{ 0, 0x5, 0, CR4_OSXSAVE, 0xe7, false },
		{ 0, 0xe3, 0, CR4_OSXSAVE, 0xe7, false },
		{ 0, 0x27, 0, CR4_OSXSAVE, 0xe7, false },
		{ 0, 0x67, 0, CR4_OSXSAVE, 0xe7, false },
		{ 0, 0xe5, 0, CR4_OSXSAVE, 0xe7, false },
	};
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(table); i++) {
		const char *r = row("row %zu, xcr0 %#x", i, table[i].eax);

		f->vm.cpuid.xcr0_allowed = table[i].allowed;
		f->vm.cpu.xcr0 = 0x55;
		f->vm.cpu.cr4 = CR4_PSE | CR4_PGE | table[i].cr4;
		prepare(KERNEL, (const u8[]){ 0x0f, 0x01, 0xd1 }, 3);
		f->vm.cpu.reg[EAX] = table[i].eax;
		f->vm.cpu.reg[ECX] = table[i].ecx;
		f->vm.cpu.reg[EDX] = table[i].edx;
		before = f->vm.cpu;
		core_general_protection(&f->vm, 0);
		if (table[i].ok)
			done(r, 3, 0);
		else
			gp(r, 0);
		CHECK_EQ(r, f->vm.cpu.xcr0, table[i].ok ? table[i].eax : 0x55);
	}
}

/* CR4.TSD keeps RDTSC from user mode only. */
static void rdtsc(void **state)
{
	static const u8 code[] = { 0x0f, 0x31 }, mov[] = { 0x0f, 0x22, 0xe0 };

	(void)state;
	prepare(KERNEL, mov, 3);
	f->vm.cpu.reg[EAX] = f->vm.cpu.cr4 | CR4_TSD;
	core_general_protection(&f->vm, 0);
	CHECK_EQ("on", fake_count(f, CALL_TRAP_TSC), 1);
	CHECK_EQ("on", fake_call(f, CALL_TRAP_TSC)->arg[0], 1);
	prepare(KERNEL, mov, 3);
	f->vm.cpu.reg[EAX] = f->vm.cpu.cr4 & ~CR4_TSD;
	core_general_protection(&f->vm, 0);
	CHECK_EQ("off", fake_count(f, CALL_TRAP_TSC), 1);
	CHECK_EQ("off", fake_call(f, CALL_TRAP_TSC)->arg[0], 0);

	prepare(KERNEL, code, sizeof(code));
	core_general_protection(&f->vm, 0);
	CHECK_EQ("kernel", f->vm.cpu.eip, before.eip + 2);
	CHECK_EQ("kernel", f->vm.cpu.reg[EAX], 0x9abcdef0);
	CHECK_EQ("kernel", f->vm.cpu.reg[EDX], 0x12345678);
	prepare(USER, code, sizeof(code));
	core_general_protection(&f->vm, 0);
	gp("user", 0);
}

/* The INT that stands at IRET's sites: the kernel's alone. */
static void int_iret(void **state)
{
	static const u8 code[] = { 0xcd, IMAGE_INT_IRET };
	u32 error = IMAGE_INT_IRET * 8 + 2;

	(void)state;
	prepare(KERNEL, code, sizeof(code));
	guest_write32(f, f->vm.cpu.reg[ESP], G_CODE + 0x123);
	guest_write32(f, f->vm.cpu.reg[ESP] + 4, 0x10);
	guest_write32(f, f->vm.cpu.reg[ESP] + 8, 0x46);
	core_general_protection(&f->vm, error);
	CHECK_EQ("kernel", f->vm.cpu.eip, G_CODE + 0x123);
	CHECK_EQ("kernel", f->vm.cpu.reg[ESP], before.reg[ESP] + 12);
	CHECK_EQ("kernel", f->vm.cpu.eflags, 0x46);
	CHECK_EQ("kernel", f->vif, false);
	prepare(USER, code, sizeof(code));
	core_general_protection(&f->vm, error);
	gp("user", error);
}

static void wbinvd_and_invd(void **state)
{
	(void)state;
	prepare(KERNEL, (const u8[]){ 0x0f, 0x09 }, 2);
	core_general_protection(&f->vm, 0);
	done("wbinvd", 2, 0);
	prepare(KERNEL, (const u8[]){ 0x0f, 0x08 }, 2);
	core_general_protection(&f->vm, 0);
	done("invd", 2, 0);
	prepare(KERNEL, (const u8[]){ 0xf3, 0x0f, 0x09 }, 3);	/* WBNOINVD */
	core_general_protection(&f->vm, 0);
	done("wbnoinvd", 3, 0);
	CHECK_EQ("calls", f->n_calls, 0);
}

static void hlt(void **state)
{
	(void)state;
	prepare(KERNEL, (const u8[]){ 0xf4 }, 1);
	core_general_protection(&f->vm, 0);
	done("on", 1, 0);
	CHECK_EQ("on", fake_count(f, CALL_HALT), 1);
	prepare(KERNEL, (const u8[]){ 0xf4 }, 1);
	f->vif = false;
	core_general_protection(&f->vm, 0);
	CHECK_EQ("off", f->vm.end.how, END_CRASH);
	CHECK_STR("off", f->vm.end.reason, "HLT with interrupts off");
	CHECK_EQ("off", fake_count(f, CALL_HALT), 0);
}

static void cli_and_sti(void **state)
{
	static const struct {
		u8 code[3];
		u32 bytes;
		bool on;
	} table[] = {
		{ BYTES(0xfa), false }, { BYTES(0xfb), true },
		{ BYTES(0x66, 0xfa), false }, { BYTES(0xf3, 0x66, 0xfb), true },
	};
	size_t i, was;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(table); i++)
	for (was = 0; was < 2; was++) {
		const char *r = row("row %zu, was %zu", i, was);

		prepare(KERNEL, table[i].code, table[i].bytes);
		f->vif = was;
		core_general_protection(&f->vm, 0);
		done(r, table[i].bytes, 0);
		CHECK_EQ(r, f->vif, table[i].on);
	}
}

/* IN reads ones, in as many bytes as it has; OUT changes nothing. */
static void ports(void **state)
{
	static const struct {
		const char *what;
		u8 code[4];
		u32 bytes;
		u32 eax;		/* of 0x12345678 */
	} table[] = {
		{ "in imm8, al", BYTES(0xe4, 0x64), 0x123456ff },
		{ "in imm8, eax", BYTES(0xe5, 0x64), 0xffffffff },
		{ "in imm8, ax", BYTES(0x66, 0xe5, 0x64), 0x1234ffff },
		{ "data16 in imm8, al", BYTES(0x66, 0xe4, 0x64), 0x123456ff },
		{ "in dx, al", BYTES(0xec), 0x123456ff },
		{ "in dx, eax", BYTES(0xed), 0xffffffff },
		{ "in dx, ax", BYTES(0x66, 0xed), 0x1234ffff },
		{ "out al, imm8", BYTES(0xe6, 0x80), 0x12345678 },
		{ "out eax, imm8", BYTES(0xe7, 0x80), 0x12345678 },
		{ "out ax, imm8", BYTES(0x66, 0xe7, 0x80), 0x12345678 },
		{ "out al, dx", BYTES(0xee), 0x12345678 },
		{ "out eax, dx", BYTES(0xef), 0x12345678 },
		{ "out ax, dx", BYTES(0x66, 0xef), 0x12345678 },
	};
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(table); i++) {
		const char *r = table[i].what;

		prepare(KERNEL, table[i].code, table[i].bytes);
		f->vm.cpu.reg[EAX] = 0x12345678;
		core_general_protection(&f->vm, 0);
		done(r, table[i].bytes, 1u << EAX);
		CHECK_EQ(r, f->vm.cpu.reg[EAX], table[i].eax);
		CHECK_EQ(r, f->n_calls, 0);
	}
}

/* What the core does not emulate stays the guest's #GP. */
static void not_emulated(void **state)
{
	static const struct {
		const char *what;
		u8 code[8];
		u32 bytes;
	} table[] = {
		{ "insb", BYTES(0x6c) }, { "insl", BYTES(0x6d) },
		{ "outsb", BYTES(0x6e) }, { "rep outsl", BYTES(0xf3, 0x6f) },
		{ "rdmsr", BYTES(0x0f, 0x32) }, { "wrmsr", BYTES(0x0f, 0x30) },
		{ "rdpmc", BYTES(0x0f, 0x33) },
		{ "sysexit", BYTES(0x0f, 0x35) },
		{ "lldt's group, /6", BYTES(0x0f, 0x00, 0xf0) },
		{ "lgdt of a register", BYTES(0x0f, 0x01, 0xd4) },
		{ "lidt of a register", BYTES(0x0f, 0x01, 0xd9) },
		{ "invlpg of a register", BYTES(0x0f, 0x01, 0xf8) },
		{ "data16 far jump", BYTES(0x66, 0xea, 0, 1, 0x10, 0, 0x10, 0) },
		{ "data16 far return", BYTES(0x66, 0xcb) },
		{ "data16 iret", BYTES(0x66, 0xcf) },
		{ "far call", BYTES(0x9a, 0, 0, 1, 0xc0, 0x10, 0) },
		{ "lret $8", BYTES(0xca, 8, 0) },
		{ "movaps, misaligned", BYTES(0x0f, 0x28, 0x00) },
		{ "mov to a bad address", BYTES(0x8b, 0x00) },
	};
	size_t i;
	u32 mode;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(table); i++)
	for (mode = KERNEL; mode <= USER; mode++) {
		prepare((enum mode)mode, table[i].code, table[i].bytes);
		/* For RETF and IRET to fall for: a frame of the kernel's. */
		if (mode == KERNEL) {
			guest_write32(f, G_STACK - 16, 0x00100040);
			guest_write32(f, G_STACK - 12, 0x00000010);
			guest_write32(f, G_STACK - 8, 2);
			before.reg[ESP] = f->vm.cpu.reg[ESP] = G_STACK - 16;
		}
		core_general_protection(&f->vm, 0);
		gp(table[i].what, 0);
		CHECK_EQ(table[i].what, f->n_calls, 1);	/* #GP's own CLI */
	}
}

/* In user mode privileged instructions are #GP with the hardware's error code,
 * and have no effect.
 */
static void privileged_in_user_mode(void **state)
{
	static const struct {
		const char *what;
		u8 code[8];
		u32 bytes;
	} table[] = {
		{ "hlt", BYTES(0xf4) }, { "cli", BYTES(0xfa) },
		{ "sti", BYTES(0xfb) },
		{ "in imm8", BYTES(0xe4, 0x60) }, { "in dx", BYTES(0xed) },
		{ "out imm8", BYTES(0xe6, 0x60) }, { "out dx", BYTES(0xef) },
		{ "clts", BYTES(0x0f, 0x06) }, { "wbinvd", BYTES(0x0f, 0x09) },
		{ "invd", BYTES(0x0f, 0x08) },
		{ "mov cr0, eax", BYTES(0x0f, 0x20, 0xc0) },
		{ "mov cr2, ecx", BYTES(0x0f, 0x20, 0xd1) },
		{ "mov eax, cr0", BYTES(0x0f, 0x22, 0xc0) },
		{ "mov eax, cr3", BYTES(0x0f, 0x22, 0xd8) },
		{ "mov dr7, eax", BYTES(0x0f, 0x21, 0xf8) },
		{ "mov eax, dr7", BYTES(0x0f, 0x23, 0xf8) },
		{ "lgdt", BYTES(0x0f, 0x01, 0x10) },
		{ "lidt", BYTES(0x0f, 0x01, 0x18) },
		{ "lldt", BYTES(0x0f, 0x00, 0xd0) },
		{ "ltr", BYTES(0x0f, 0x00, 0xd8) },
		{ "lmsw", BYTES(0x0f, 0x01, 0xf0) },
		{ "invlpg", BYTES(0x0f, 0x01, 0x38) },
		{ "xsetbv", BYTES(0x0f, 0x01, 0xd1) },
		{ "rdmsr", BYTES(0x0f, 0x32) }, { "wrmsr", BYTES(0x0f, 0x30) },
		{ "far jump", BYTES(0xea, 0, 0, 1, 0xc0, 0x10, 0) },
		{ "far return", BYTES(0xcb) }, { "iret", BYTES(0xcf) },
	};
	static const u32 errors[] = { 0, 0x10, 0x33 };
	size_t i, e;

	(void)state;
	f->vm.cpuid.xcr0_allowed = 0xe7;
	f->vm.cpu.cr4 |= CR4_OSXSAVE;
	for (i = 0; i < ARRAY_SIZE(table); i++)
	for (e = 0; e < ARRAY_SIZE(errors); e++) {
		struct vcpu *cpu = &f->vm.cpu;
		const char *r = table[i].what;

		prepare(USER, table[i].code, table[i].bytes);
		cpu->reg[EAX] = before.reg[EAX] = G_USER_DATA;
		guest_write32(f, G_USER_STACK, G_CODE);
		guest_write32(f, G_USER_STACK + 4, 0x10);
		guest_write32(f, G_USER_STACK + 8, 2);
		core_general_protection(&f->vm, errors[e] & ~2u);
		gp(r, errors[e] & ~2u);
		CHECK_EQ(r, f->n_calls, 1);
		CHECK_EQ(r, f->calls[0].kind, CALL_SET_VIF);
		CHECK_EQ(r, cpu->cr0, before.cr0);
		CHECK_EQ(r, cpu->cr3, before.cr3);
		CHECK_EQ(r, cpu->cr4, before.cr4);
		CHECK_EQ(r, cpu->xcr0, before.xcr0);
		CHECK_EQ(r, cpu->tr, before.tr);
		CHECK_MEM(r, cpu->dr, before.dr, sizeof(before.dr));
		CHECK_MEM(r, &cpu->gdt, &before.gdt, sizeof(before.gdt));
		CHECK_MEM(r, &cpu->idt, &before.idt, sizeof(before.idt));
	}
}

/* INT n reaches the core as #GP with the IDT bit in the error code. */
static void int_n(void **state)
{
	static const struct {
		u8 code[4];
		u32 bytes, vector;
	} table[] = {
		{ BYTES(0xcd, 0x80), 0x80 }, { BYTES(0xcd, 0x03), 3 },
		{ BYTES(0xcd, 0xff), 0xff }, { BYTES(0xcd, 0x00), 0 },
		{ BYTES(0x66, 0xcd, 0x80), 0x80 },
		{ BYTES(0x2e, 0x66, 0xcd, 0x21), 0x21 },
	};
	size_t i;
	u32 mode, dpl3;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(table); i++)
	for (mode = KERNEL; mode <= USER; mode++)
	for (dpl3 = 0; dpl3 < 2; dpl3++) {
		const char *r = row("int %#x mode %u dpl3 %u", table[i].vector,
				    mode, dpl3);
		struct expected e = {
			table[i].vector, NO_ERROR, 0
		};

		guest_gate(f, table[i].vector,
			   GATE_INT | (dpl3 ? GATE_DPL3 : 0), 0x10);
		prepare((enum mode)mode, table[i].code, table[i].bytes);
		e.eip = before.eip + table[i].bytes;
		core_general_protection(&f->vm, table[i].vector * 8 + 2);
		if (mode == KERNEL || dpl3)
			guest_expect(r, f, &e, &before);
		else
			gp(r, table[i].vector * 8 + 2);
	}
	/* Without that bit it is some other #GP, at an INT by chance. */
	prepare(USER, (const u8[]){ 0xcd, 0x80 }, 2);
	core_general_protection(&f->vm, 0x68);
	gp("no IDT bit", 0x68);
}

static void far_transfers(void **state)
{
	static const struct {
		u32 selector;
		bool ok;
	} table[] = {
		{ 0x10, true }, { 0, false }, { 0x13, false }, { 0x14, false },
		{ 0x23, false }, { 0x33, false }, { 0x40, false },
		{ 0x48, false }, { 0x50, false }, { 0x58, false },
		{ 0x60, false }, { 0xfff0, false },
	};
	size_t i;

	(void)state;
	guest_descriptor(f, 9, 0x00cf9a000001ffff);	/* base 1 */
	guest_descriptor(f, 10, 0x00cf1a000000ffff);	/* not present */
	guest_descriptor(f, 11, 0x00cf9a000000fffe);	/* limit */
	guest_descriptor(f, 12, 0x008f9a000000ffff);	/* 16-bit */
	for (i = 0; i < ARRAY_SIZE(table); i++) {
		u32 sel = table[i].selector;
		const u8 jump[] = { 0xea, 0x78, 0x56, 0x34, 0x12, (u8)sel,
				    (u8)(sel >> 8) };
		const char *r = row("ljmp %#x", sel);

		prepare(KERNEL, jump, sizeof(jump));
		core_general_protection(&f->vm, 0);
		if (table[i].ok) {
			CHECK_EQ(r, f->vm.cpu.eip, 0x12345678);
			CHECK_EQ(r, f->vm.cpu.cpl, 0);
			CHECK_EQ(r, f->vm.cpu.reg[ESP], before.reg[ESP]);
		} else {
			CHECK(r, guest_delivered(f, VEC_GP));
			CHECK_EQ(r, guest_read32(f, f->vm.cpu.reg[ESP] + 4),
				 before.eip);
		}

		r = row("lret %#x", sel);
		prepare(KERNEL, (const u8[]){ 0xcb }, 1);
		before.reg[ESP] = f->vm.cpu.reg[ESP] = G_STACK - 8;
		guest_write32(f, G_STACK - 8, 0x12345678);
		guest_write32(f, G_STACK - 4, 0xabcd0000 | sel);
		core_general_protection(&f->vm, 0);
		if (table[i].ok) {
			CHECK_EQ(r, f->vm.cpu.eip, 0x12345678);
			CHECK_EQ(r, f->vm.cpu.reg[ESP], G_STACK);
		} else {
			gp(r, sel & 0xfffc);
		}
	}
	prepare(KERNEL, (const u8[]){ 0xcb }, 1);
	guest_map(f, G_STACK, 0);
	before.reg[ESP] = f->vm.cpu.reg[ESP] = G_STACK - 4;
	core_general_protection(&f->vm, 0);
	page_fault("lret", G_STACK, 0);
}

/* IRET as an instruction that trapped, not a site. */
static void raw_iret(void **state)
{
	(void)state;
	prepare(KERNEL, (const u8[]){ 0xcf }, 1);
	f->vm.cpu.reg[ESP] = G_STACK - 12;
	guest_write32(f, G_STACK - 12, G_CODE + 0x80);
	guest_write32(f, G_STACK - 8, 0x10);
	guest_write32(f, G_STACK - 4, 2 | FL_ZF);
	core_general_protection(&f->vm, 0x10);
	CHECK_EQ("iret", f->vm.cpu.eip, G_CODE + 0x80);
	CHECK_EQ("iret", f->vm.cpu.reg[ESP], G_STACK);
	CHECK_EQ("iret", f->vm.cpu.eflags, 2 | FL_ZF);
	CHECK_EQ("iret", f->vif, false);
}

/* Every way to load a segment register that can trap, with a TLS selector. */
static void segment_loads(void **state)
{
	static const struct {
		const char *what;
		u8 code[8];
		u32 bytes, segment;
		u32 popped;		/* bytes of stack */
		u32 pointer;		/* bytes of offset loaded into ESI */
	} table[] = {
		{ "mov %ax, %es", BYTES(0x8e, 0xc0), SEG_ES, 0, 0 },
		{ "mov %ax, %ds", BYTES(0x8e, 0xd8), SEG_DS, 0, 0 },
		{ "mov %ax, %fs", BYTES(0x8e, 0xe0), SEG_FS, 0, 0 },
		{ "mov %ax, %gs", BYTES(0x8e, 0xe8), SEG_GS, 0, 0 },
		{ "data16 mov %ax, %gs", BYTES(0x66, 0x8e, 0xe8), SEG_GS, 0, 0 },
		{ "mov (%ebx), %ds", BYTES(0x8e, 0x1b), SEG_DS, 0, 0 },
		{ "mov 4(%ebx,%ecx,2), %fs", BYTES(0x8e, 0x64, 0x4b, 0x04),
		  SEG_FS, 0, 0 },
		{ "pop %es", BYTES(0x07), SEG_ES, 4, 0 },
		{ "pop %ds", BYTES(0x1f), SEG_DS, 4, 0 },
		{ "pop %fs", BYTES(0x0f, 0xa1), SEG_FS, 4, 0 },
		{ "pop %gs", BYTES(0x0f, 0xa9), SEG_GS, 4, 0 },
		{ "popw %ds", BYTES(0x66, 0x1f), SEG_DS, 2, 0 },
		{ "popw %gs", BYTES(0x66, 0x0f, 0xa9), SEG_GS, 2, 0 },
		{ "les (%edx), %esi", BYTES(0xc4, 0x32), SEG_ES, 0, 4 },
		{ "lds (%edx), %esi", BYTES(0xc5, 0x32), SEG_DS, 0, 4 },
		{ "lfs (%edx), %esi", BYTES(0x0f, 0xb4, 0x32), SEG_FS, 0, 4 },
		{ "lgs (%edx), %esi", BYTES(0x0f, 0xb5, 0x32), SEG_GS, 0, 4 },
		{ "lgs (%edx), %si", BYTES(0x66, 0x0f, 0xb5, 0x32), SEG_GS, 0,
		  2 },
		{ "les (%edx), %si", BYTES(0x66, 0xc4, 0x32), SEG_ES, 0, 2 },
	};
	static const u32 selectors[] = { 0x63, 0x6b, 0x73, 0x07, 0x33, 0xfff3 };
	size_t i, s;
	u32 mode, refused;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(table); i++)
	for (s = 0; s < ARRAY_SIZE(selectors); s++)
	for (mode = KERNEL; mode <= USER; mode++)
	for (refused = 0; refused < 2; refused++) {
		u32 sel = selectors[s], changed, data, offset = 0xaabbccdd;
		const char *r = row("%s, %#x, mode %u, refused %u",
				    table[i].what, sel, mode, refused);
		struct vcpu *cpu = &f->vm.cpu;

		prepare((enum mode)mode, table[i].code, table[i].bytes);
		data = mode == USER ? G_USER_DATA : G_DATA;
		cpu->reg[EAX] = 0x12340000 | sel;
		cpu->reg[EBX] = data;
		cpu->reg[ECX] = 0x10;
		cpu->reg[EDX] = data + 0x40;
		cpu->reg[ESP] -= 0x10;
		guest_write32(f, data, 0x56780000 | sel);
		guest_write32(f, data + 0x24, 0x9abc0000 | sel);
		memcpy(guest_at(f, data + 0x40), &offset, 4);
		memcpy(guest_at(f, data + 0x40 + table[i].pointer), &sel, 2);
		guest_write32(f, cpu->reg[ESP], 0xdef00000 | sel);
		f->segment_result = refused ? -1 : 0;
		before = *cpu;
		core_general_protection(&f->vm, sel & 0xfffc);

		CHECK_EQ(r, fake_count(f, CALL_LOAD_SEGMENT), 1);
		CHECK_EQ(r, fake_call(f, CALL_LOAD_SEGMENT)->arg[0],
			 table[i].segment);
		CHECK_EQ(r, fake_call(f, CALL_LOAD_SEGMENT)->arg[1], sel);
		if (refused) {
			gp(r, sel & 0xfffc);
			continue;
		}
		changed = (table[i].popped ? 1u << ESP : 0) |
			  (table[i].pointer ? 1u << ESI : 0);
		done(r, table[i].bytes, changed);
		CHECK_EQ(r, cpu->reg[ESP], before.reg[ESP] + table[i].popped);
		if (table[i].pointer == 4)
			CHECK_EQ(r, cpu->reg[ESI], 0xaabbccdd);
		if (table[i].pointer == 2)
			CHECK_EQ(r, cpu->reg[ESI], 0xccdd |
				 (before.reg[ESI] & 0xffff0000));
	}
}

/* The kernel's flat segments stand for the user's, in kernel mode only. */
static void flat_segments(void **state)
{
	static const struct {
		u64 descriptor;
		bool flat;
	} table[] = {
		{ 0x00cf92000000ffff, true },
		{ 0x00cf93000000ffff, true },	/* accessed */
		{ 0x00cf9a000000ffff, true },
		{ 0x00df92000000ffff, true },	/* AVL */
		{ 0x00cf12000000ffff, false },	/* not present */
		{ 0x00cf82000000ffff, false },	/* system */
		{ 0x00cf92000001ffff, false },	/* base */
		{ 0x01cf92000000ffff, false },
		{ 0x00cf92010000ffff, false },
		{ 0x00cf92000000fffe, false },	/* limit */
		{ 0x00ce92000000ffff, false },
		{ 0x004f92000000ffff, false },	/* limit in bytes */
		{ 0x008f92000000ffff, false },	/* 16-bit */
		{ 0x00cfb2000000ffff, false },	/* DPL 1 */
	};
	size_t i;
	u32 mode, segment;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(table); i++)
	for (mode = KERNEL; mode <= USER; mode++)
	for (segment = 0; segment < 6; segment++) {
		const u8 code[] = { 0x8e, (u8)(0xc0 | segment << 3) };
		const char *r = row("%016llx, mode %u, segment %u",
				    (unsigned long long)table[i].descriptor,
				    mode, segment);
		const struct call *load;

		if (segment == SEG_CS)
			continue;	/* #UD */
		guest_descriptor(f, 3, table[i].descriptor);
		prepare((enum mode)mode, code, sizeof(code));
		f->vm.cpu.reg[EAX] = before.reg[EAX] = 0x18;
		f->segment_result = 0;
		/* A host has no such descriptor for the guest. */
		if (!table[i].flat || mode == USER)
			f->segment_result = -1;
		core_general_protection(&f->vm, 0x18);
		load = fake_call(f, CALL_LOAD_SEGMENT);
		if (f->segment_result) {
			gp(r, 0x18);
			continue;
		}
		done(r, 2, 0);
		CHECK_EQ(r, f->vm.cpu.ss, before.ss);
		CHECK_EQ(r, load != NULL, segment != SEG_SS);
		if (load)
			CHECK_EQ(r, load->arg[1], 0x2b);
	}
	/* The error code is what was loaded, not what stands for it. */
	guest_descriptor(f, 3, 0x00cf92000000ffff);
	prepare(KERNEL, (const u8[]){ 0x8e, 0xd8 }, 2);
	f->vm.cpu.reg[EAX] = before.reg[EAX] = 0x18;
	f->segment_result = -1;
	core_general_protection(&f->vm, 0x18);
	gp("refused", 0x18);
}

/* SS takes the kernel's flat segment by every form, and nothing else. */
static void stack_segment(void **state)
{
	static const struct {
		const char *what;
		u8 code[4];
		u32 bytes, popped;
	} table[] = {
		{ "mov %ax, %ss", BYTES(0x8e, 0xd0), 0 },
		{ "mov (%ebx), %ss", BYTES(0x8e, 0x13), 0 },
		{ "pop %ss", BYTES(0x17), 4 },
		{ "popw %ss", BYTES(0x66, 0x17), 2 },
	};
	static const u32 selectors[] = { 0x18, 0x63, 0x33, 0x0 };
	size_t i, s;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(table); i++)
	for (s = 0; s < ARRAY_SIZE(selectors); s++) {
		const char *r = row("%s, %#x", table[i].what, selectors[s]);

		prepare(KERNEL, table[i].code, table[i].bytes);
		f->vm.cpu.reg[EAX] = selectors[s];
		f->vm.cpu.reg[EBX] = G_DATA;
		f->vm.cpu.reg[ESP] = G_STACK - 16;
		guest_write32(f, G_DATA, selectors[s]);
		guest_write32(f, G_STACK - 16, selectors[s]);
		before = f->vm.cpu;
		core_general_protection(&f->vm, selectors[s] & 0xfffc);
		CHECK_EQ(r, fake_count(f, CALL_LOAD_SEGMENT), 0);
		if (selectors[s] != 0x18) {
			gp(r, selectors[s] & 0xfffc);
			continue;
		}
		done(r, table[i].bytes, table[i].popped ? 1u << ESP : 0);
		CHECK_EQ(r, f->vm.cpu.reg[ESP], before.reg[ESP] +
						table[i].popped);
	}
	prepare(KERNEL, (const u8[]){ 0x0f, 0xb2, 0x23 }, 3);	/* lss, %esp */
	f->vm.cpu.reg[EBX] = before.reg[EBX] = G_DATA;
	guest_write32(f, G_DATA, G_STACK - 0x100);
	guest_write32(f, G_DATA + 4, 0x18);
	core_general_protection(&f->vm, 0x18);
	done("lss", 3, 1u << ESP);
	CHECK_EQ("lss", f->vm.cpu.reg[ESP], G_STACK - 0x100);
}

/* The memory operand of a segment load faults as the guest's own access. */
static void segment_load_faults(void **state)
{
	static const struct {
		const char *what;
		u8 code[4];
		u32 bytes, at;		/* bytes before the border */
	} table[] = {
		{ "mov (%ebx), %ds", BYTES(0x8e, 0x1b), 1 },
		{ "mov (%ebx), %ds", BYTES(0x8e, 0x1b), 0 },
		{ "les (%ebx), %eax", BYTES(0xc4, 0x03), 4 },
		{ "les (%ebx), %eax", BYTES(0xc4, 0x03), 5 },
		{ "lgs (%ebx), %ax", BYTES(0x66, 0x0f, 0xb5, 0x03), 3 },
	};
	size_t i;
	u32 mode;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(table); i++)
	for (mode = KERNEL; mode <= USER; mode++) {
		u32 page = (mode == USER ? G_USER_DATA : G_DATA) + PAGE_SIZE;

		guest_map(f, page, 0);
		prepare((enum mode)mode, table[i].code, table[i].bytes);
		f->vm.cpu.reg[EBX] = before.reg[EBX] = page - table[i].at;
		core_general_protection(&f->vm, 0);
		page_fault(table[i].what, page, mode == USER ? PFEC_U : 0);
		CHECK_EQ(table[i].what, fake_count(f, CALL_LOAD_SEGMENT), 0);
	}
	/* User code may not make the core read the kernel's memory. */
	prepare(USER, (const u8[]){ 0x8e, 0x1b }, 2);
	f->vm.cpu.reg[EBX] = before.reg[EBX] = G_DATA;
	core_general_protection(&f->vm, 0);
	page_fault("kernel's", G_DATA, PFEC_U | PFEC_P);
	/* POP reads 2 bytes; the 4-byte slot may end beyond the page. */
	guest_map(f, G_STACK, 0);
	prepare(KERNEL, (const u8[]){ 0x1f }, 1);
	f->vm.cpu.reg[ESP] = before.reg[ESP] = G_STACK + 2;
	guest_map(f, G_STACK - PAGE_SIZE, ((G_STACK - PAGE_SIZE) & 0xff000) |
					  PTE_P | PTE_W);
	f->vm.cpu.reg[ESP] = before.reg[ESP] = G_STACK - 2;
	memcpy(guest_at(f, G_STACK - 2), &(u16){ 0x63 }, 2);
	core_general_protection(&f->vm, 0);
	done("pop", 1, 1u << ESP);
}

/* Runs "lea OPERAND, %edi" natively; all registers are those of @reg. */
static u32 native_lea(u8 *page, const u8 *operand, u32 n, const u32 *reg)
{
	static const u8 head[] = {
		0x53, 0x55, 0x41, 0x54,		/* push %rbx, %rbp, %r12 */
		0x49, 0x89, 0xe4,		/* mov %rsp, %r12 */
		0x49, 0x89, 0xf8,		/* mov %rdi, %r8 */
		0x41, 0x8b, 0x00,		/* mov 0(%r8), %eax */
		0x41, 0x8b, 0x48, 0x04,		/* mov 4(%r8), %ecx */
		0x41, 0x8b, 0x50, 0x08,		/* mov 8(%r8), %edx */
		0x41, 0x8b, 0x58, 0x0c,		/* mov 12(%r8), %ebx */
		0x41, 0x8b, 0x60, 0x10,		/* mov 16(%r8), %esp */
		0x41, 0x8b, 0x68, 0x14,		/* mov 20(%r8), %ebp */
		0x41, 0x8b, 0x70, 0x18,		/* mov 24(%r8), %esi */
		0x41, 0x8b, 0x78, 0x1c,		/* mov 28(%r8), %edi */
		0x67, 0x44, 0x8d,		/* addr32 lea ..., %r8d.. */
	};
	static const u8 tail[] = {
		0x4c, 0x89, 0xe4,		/* mov %r12, %rsp */
		0x44, 0x89, 0xc8,		/* mov %r9d, %eax */
		0x41, 0x5c, 0x5d, 0x5b, 0xc3,	/* pop, ret */
	};
	u32 (*run)(const u32 *reg) = (u32 (*)(const u32 *))(void *)page;

	memcpy(page, head, sizeof(head));
	memcpy(page + sizeof(head), operand, n);
	/* REX.R and a reg field of 1: the target is R9D. */
	page[sizeof(head)] = (u8)((operand[0] & 0xc7) | 1 << 3);
	memcpy(page + sizeof(head) + n, tail, sizeof(tail));
	return run(reg);
}

/*
 * INVLPG by every ModRM and SIB byte, its address compared with what LEA makes
 * of the same bytes on this CPU.
 */
static void addresses(void **state)
{
	u8 *page = mmap(NULL, PAGE_SIZE, PROT_READ | PROT_WRITE | PROT_EXEC,
			MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	u64 seed = 0xc0ac29b7c97c50dd;
	u32 mod, rm, sib, i, n;

	(void)state;
	if (page == MAP_FAILED)
		skip();
	for (mod = 0; mod < 3; mod++)
	for (rm = 0; rm < 8; rm++)
	for (sib = 0; sib < (rm == 4 ? 256u : 4u); sib++) {
		u8 code[16] = { 0x0f, 0x01, (u8)(mod << 6 | 7 << 3 | rm) };
		u32 disp = random32(&seed), want, bytes;
		const char *r;

		n = 3;
		if (rm == 4)
			code[n++] = (u8)sib;
		bytes = mod == 1 ? 1 : mod == 2 ? 4 : 0;
		if (mod == 0 && (rm == 5 || (rm == 4 && (sib & 7) == 5)))
			bytes = 4;
		memcpy(code + n, &disp, bytes);
		n += bytes;
		prepare(KERNEL, code, n);
		for (i = 0; i < 8; i++)
			f->vm.cpu.reg[i] = random32(&seed);
		before = f->vm.cpu;
		core_general_protection(&f->vm, 0);
		r = row("modrm %02x sib %02x disp %08x", code[2], code[3], disp);
		/* Without a SIB byte 64-bit code takes this EIP-relative. */
		if (mod == 0 && rm == 5)
			want = disp;
		else
			want = native_lea(page, code + 2, n - 2, before.reg);
		done(r, n, 0);
		CHECK_EQ(r, fake_count(f, CALL_DROP), 1);
		CHECK_EQ(r, fake_call(f, CALL_DROP)->arg[0] & PAGE_MASK,
			 want & PAGE_MASK);
		/* One page; 0 behind the last one, which is the host's. */
		CHECK_EQ(r, fake_call(f, CALL_DROP)->arg[1],
			 (want & PAGE_MASK) + PAGE_SIZE);
	}
	munmap(page, PAGE_SIZE);
}

/* A page border behind @have bytes of the instruction; nothing behind it. */
static void cut(enum mode mode, const u8 *code, u32 have)
{
	u32 page = mode == USER ? G_USER_CODE : G_CODE, at;

	prepare(mode, (const u8[]){ 0x90 }, 1);
	guest_map(f, page + PAGE_SIZE, 0);
	at = page + PAGE_SIZE - have;
	memcpy(guest_at(f, page) + PAGE_SIZE - have, code, have);
	f->vm.cpu.eip = at;
	before = f->vm.cpu;
}

/* At the end of what is mapped: whole instructions are emulated, and of cut
 * ones nothing is done.
 */
static void truncated(void **state)
{
	static const struct {
		const char *what;
		u8 code[12];
		u32 bytes;
	} table[] = {
		{ "mov cr0, eax", BYTES(0x0f, 0x20, 0xc0) },
		{ "clts", BYTES(0x0f, 0x06) },
		{ "lgdt disp32", BYTES(0x0f, 0x01, 0x15, 0, 1, 2, 0xc0) },
		{ "lidt sib disp32", BYTES(0x0f, 0x01, 0x1c, 0x25, 0, 1, 2, 0xc0) },
		{ "invlpg disp8", BYTES(0x0f, 0x01, 0x7b, 0x10) },
		{ "invlpg disp32", BYTES(0x0f, 0x01, 0xbb, 0, 0, 1, 0) },
		{ "lldt", BYTES(0x0f, 0x00, 0xd0) },
		{ "in imm8", BYTES(0xe4, 0x60) },
		{ "out imm8, data16", BYTES(0x66, 0xe7, 0x60) },
		{ "far jump", BYTES(0xea, 0, 0, 1, 0xc0, 0x10, 0) },
		{ "mov ax, ds", BYTES(0x8e, 0xd8) },
		{ "pop fs", BYTES(0x0f, 0xa1) },
		{ "les disp32", BYTES(0xc4, 0x05, 0, 1, 2, 0xc0) },
		{ "lgs", BYTES(0x66, 0x0f, 0xb5, 0x03) },
		{ "int n", BYTES(0xcd, 0x80) },
		{ "xsetbv", BYTES(0x0f, 0x01, 0xd1) },
	};
	size_t i;
	u32 have;

	(void)state;
	f->vm.cpuid.xcr0_allowed = 7;
	f->vm.cpu.cr4 |= CR4_OSXSAVE;
	for (i = 0; i < ARRAY_SIZE(table); i++)
	for (have = 1; have <= table[i].bytes; have++) {
		const char *r = row("%s, %u bytes", table[i].what, have);
		struct descriptor_table gdt = f->vm.cpu.gdt;
		struct descriptor_table idt = f->vm.cpu.idt;
		u32 error = table[i].code[0] == 0xcd ? 0x402 : 0;

		cut(KERNEL, table[i].code, have);
		f->vm.cpu.reg[EBX] = before.reg[EBX] = G_DATA;
		f->vm.cpu.reg[EAX] = before.reg[EAX] = 3;
		f->vm.cpu.reg[ECX] = before.reg[ECX] = 0;
		f->vm.cpu.reg[EDX] = before.reg[EDX] = 0;
		core_general_protection(&f->vm, error);
		if (have < table[i].bytes) {
			gp(r, error);
			CHECK_EQ(r, f->n_calls, 1);
			CHECK_MEM(r, &f->vm.cpu.gdt, &gdt, sizeof(gdt));
			CHECK_MEM(r, &f->vm.cpu.idt, &idt, sizeof(idt));
		} else {
			CHECK_EQ(r, f->vm.end.how, END_NOT);
			CHECK(r, !guest_delivered(f, VEC_GP));
		}
		f->vm.cpu.gdt = gdt;
		f->vm.cpu.idt = idt;
		f->vm.cpu.cr0 = CR0_PE | CR0_ET | CR0_WP | CR0_PG;
	}
}

/* The decoder looks beyond the instruction: that is no page fault. */
static void cr2_survives_decoding(void **state)
{
	static const u8 mov_cr2[] = { 0x0f, 0x20, 0xd0 };
	u32 have;

	(void)state;
	for (have = 3; have < 16; have++) {
		u8 code[16] = { 0 };

		memcpy(code, mov_cr2, 3);
		cut(KERNEL, code, have);
		f->vm.cpu.cr2 = 0x12345678;
		core_general_protection(&f->vm, 0);
		done(row("%u bytes", have), 3, 1u << EAX);
		CHECK_EQ(row("%u bytes", have), f->vm.cpu.reg[EAX], 0x12345678);
		CHECK_EQ(row("%u bytes", have), f->vm.cpu.cr2, 0x12345678);
	}
}

/* 15 bytes are an instruction, 16 are #GP. */
static void longest_instruction(void **state)
{
	u8 code[17];

	(void)state;
	memset(code, 0x66, sizeof(code));
	code[13] = 0x0f;
	code[14] = 0x06;
	prepare(KERNEL, code, 15);
	f->vm.cpu.cr0 |= CR0_TS;
	core_general_protection(&f->vm, 0);
	done("15", 15, 0);
	CHECK_EQ("15", f->vm.cpu.cr0 & CR0_TS, 0);

	memset(code, 0x66, sizeof(code));
	code[14] = 0x0f;
	code[15] = 0x06;
	prepare(KERNEL, code, 16);
	f->vm.cpu.cr0 |= CR0_TS;
	core_general_protection(&f->vm, 0);
	gp("16", 0);
	CHECK_EQ("16", f->vm.cpu.cr0 & CR0_TS, CR0_TS);

	/* The 16th byte is a displacement's last. */
	memset(code, 0x3e, sizeof(code));
	memcpy(code + 9, (const u8[]){ 0x0f, 0x01, 0x3d, 0, 1, 2, 0xc0 }, 7);
	prepare(KERNEL, code, 16);
	core_general_protection(&f->vm, 0);
	gp("disp32", 0);
	memset(code, 0xf0, sizeof(code));
	prepare(KERNEL, code, sizeof(code));
	core_general_protection(&f->vm, 0);
	gp("prefixes", 0);
}

/* Of two segment or lock prefixes any number may stand before an opcode. */
static void prefixes(void **state)
{
	static const u8 list[] = { 0x26, 0x2e, 0x36, 0x3e, 0x66, 0xf2, 0xf3 };
	size_t a, b;

	(void)state;
	for (a = 0; a < ARRAY_SIZE(list); a++)
	for (b = 0; b < ARRAY_SIZE(list); b++) {
		const u8 code[] = { list[a], list[b], 0x0f, 0x20, 0xc1 };
		const char *r = row("%02x %02x", list[a], list[b]);

		prepare(KERNEL, code, sizeof(code));
		core_general_protection(&f->vm, 0);
		/* MOV from CR has 32-bit operands whatever stands before it. */
		done(r, 5, 1u << ECX);
		CHECK_EQ(r, f->vm.cpu.reg[ECX], before.cr0);
	}
}

/* CPUID of a program, where the host makes it trap. */
static void cpuid_of_a_program(void **state)
{
	struct cpuid_leaf leaf = { 0x80000001, 0, 1, 2, 3, 4 };

	(void)state;
	f->vm.cpuid.count = 1;
	f->vm.cpuid.leaf[0] = leaf;
	prepare(USER, (const u8[]){ 0x0f, 0xa2 }, 2);
	f->vm.cpu.reg[EAX] = 0x80000001;
	f->vm.cpu.reg[ECX] = 77;	/* this leaf has no subleaves */
	core_general_protection(&f->vm, 0);
	done("cpuid", 2, 1u << EAX | 1u << EBX | 1u << ECX | 1u << EDX);
	CHECK_EQ("cpuid", f->vm.cpu.reg[EAX], 1);
	CHECK_EQ("cpuid", f->vm.cpu.reg[EBX], 2);
	CHECK_EQ("cpuid", f->vm.cpu.reg[ECX], 3);
	CHECK_EQ("cpuid", f->vm.cpu.reg[EDX], 4);
}

/* UD1: the kernel's way to the host, and #UD for everything else. */
static void ud1(void **state)
{
	u32 third, mode;

	(void)state;
	f->vm.cpuid.count = 1;
	f->vm.cpuid.leaf[0] = (struct cpuid_leaf){ 1, 0, 11, 12, 13, 14 };
	for (third = 0; third < 256; third++)
	for (mode = KERNEL; mode <= USER; mode++) {
		const u8 code[] = { 0x0f, 0xb9, (u8)third };
		const char *r = row("0f b9 %02x mode %u", third, mode);

		prepare((enum mode)mode, code, 3);
		f->vm.cpu.reg[EAX] = before.reg[EAX] = 1;
		if (mode == KERNEL) {
			f->vm.cpu.reg[ESP] = before.reg[ESP] = G_STACK - 12;
			guest_write32(f, G_STACK - 12, G_CODE + 0x99);
			guest_write32(f, G_STACK - 8, 0x10);
			guest_write32(f, G_STACK - 4, 2);
		}
		if (third == PLEX86_UD1_CALL)
			f->vm.cpu.reg[EAX] = before.reg[EAX] = 0x1000;
		core_undefined(&f->vm);
		if (mode == USER || third < PLEX86_UD1_IRET ||
		    third > PLEX86_UD1_CPUID) {
			ud(r);
			continue;
		}
		switch (third) {
		case PLEX86_UD1_IRET:
			CHECK_EQ(r, f->vm.cpu.eip, G_CODE + 0x99);
			CHECK_EQ(r, f->vm.cpu.reg[ESP], G_STACK);
			break;
		case PLEX86_UD1_CALL:
			done(r, 3, 1u << EAX);
			CHECK_EQ(r, f->vm.cpu.reg[EAX], (u32)-PLEX86_ENOSYS);
			break;
		case PLEX86_UD1_CPUID:
			done(r, 3, 0xf);
			CHECK_EQ(r, f->vm.cpu.reg[EBX], 12);
			break;
		}
	}
}

/* Other undefined opcodes, and UD1 with a prefix, are the guest's #UD. */
static void other_undefined(void **state)
{
	static const u8 table[][4] = {
		{ 0x0f, 0x0b }, { 0x0f, 0xff, 0xc0 }, { 0x0f, 0xba, 0xf1 },
		{ 0xf0, 0x0f, 0xb9, 0xf1 }, { 0x66, 0x0f, 0xb9, 0xf1 },
		{ 0x2e, 0x0f, 0xb9, 0xf0 },
	};
	size_t i;
	u32 mode, have;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(table); i++)
	for (mode = KERNEL; mode <= USER; mode++) {
		prepare((enum mode)mode, table[i], 4);
		core_undefined(&f->vm);
		ud(row("row %zu mode %u", i, mode));
	}
	/* Cut by the end of what is mapped. */
	for (have = 1; have < 3; have++) {
		cut(KERNEL, (const u8[]){ 0x0f, 0xb9 }, have);
		core_undefined(&f->vm);
		ud(row("%u bytes", have));
	}
}

/* SGDT, SIDT, SLDT, STR, SMSW behind UD1 NEXT: registers and memory. */
static void next_stores(void **state)
{
	static const struct {
		const char *what;
		u8 code[12];
		u32 bytes;
		bool memory;
		u32 stored, value;	/* bytes in memory, or all of %ecx */
	} table[] = {
		{ "sldt %ecx", BYTES(0x0f, 0x00, 0xc1), false, 4, 0x58 },
		{ "sldt %cx", BYTES(0x66, 0x0f, 0x00, 0xc1), false, 2, 0x58 },
		{ "str %ecx", BYTES(0x0f, 0x00, 0xc9), false, 4, 0x40 },
		{ "str %cx", BYTES(0x66, 0x0f, 0x00, 0xc9), false, 2, 0x40 },
		{ "smsw %ecx", BYTES(0x0f, 0x01, 0xe1), false, 4, 0x80010011 },
		{ "smsw %cx", BYTES(0x66, 0x0f, 0x01, 0xe1), false, 2, 0x0011 },
		{ "sldt (%ebx)", BYTES(0x0f, 0x00, 0x03), true, 2, 0x58 },
		{ "str 4(%ebx)", BYTES(0x0f, 0x00, 0x4b, 0x00), true, 2, 0x40 },
		{ "smsw (%ebx)", BYTES(0x0f, 0x01, 0x23), true, 2, 0x0011 },
		{ "data16 smsw (%ebx)", BYTES(0x66, 0x0f, 0x01, 0x23), true, 2,
		  0x0011 },
		{ "ds str (%ebx)", BYTES(0x3e, 0x0f, 0x00, 0x0b), true, 2, 0x40 },
	};
	static const u8 ud1_next[] = { 0x0f, 0xb9, PLEX86_UD1_NEXT };
	u32 mode;
	size_t i;

	(void)state;
	f->vm.cpu.ldtr = 0x58;
	for (i = 0; i < ARRAY_SIZE(table); i++)
	for (mode = KERNEL; mode <= USER; mode++) {
		const char *r = table[i].what;
		u32 data = mode == USER ? G_USER_DATA : G_DATA, want, got;
		u8 code[16];

		memcpy(code, ud1_next, 3);
		memcpy(code + 3, table[i].code, table[i].bytes);
		prepare((enum mode)mode, code, 3 + table[i].bytes);
		f->vm.cpu.reg[EBX] = before.reg[EBX] = data;
		f->vm.cpu.reg[ECX] = before.reg[ECX] = 0x5a5a5a5a;
		guest_write32(f, data, 0x5a5a5a5a);
		core_undefined(&f->vm);
		if (mode == USER) {
			ud(r);
			CHECK_EQ(r, guest_read32(f, data), 0x5a5a5a5a);
			continue;
		}
		done(r, 3 + table[i].bytes, 1u << ECX);
		got = table[i].memory ? guest_read32(f, data) :
					f->vm.cpu.reg[ECX];
		want = table[i].stored == 2 ? 0x5a5a0000 | table[i].value :
					      table[i].value;
		CHECK_EQ(r, got, want);
		if (table[i].memory)
			CHECK_EQ(r, f->vm.cpu.reg[ECX], 0x5a5a5a5a);
	}
}

static void next_sgdt_sidt(void **state)
{
	static const struct {
		const char *what;
		u8 code[12];
		u32 bytes;
		bool idt;
	} table[] = {
		{ "sgdt (%ebx)", BYTES(0x0f, 0x01, 0x03), false },
		{ "sidt (%ebx)", BYTES(0x0f, 0x01, 0x0b), true },
		{ "sgdt disp32", BYTES(0x0f, 0x01, 0x05, 0, 0, 2, 0xc0), false },
		{ "sidt (%ebx,%esi,1)", BYTES(0x0f, 0x01, 0x0c, 0x33), true },
	};
	size_t i;

	(void)state;
	f->vm.cpu.gdt.limit = 0x7f;
	for (i = 0; i < ARRAY_SIZE(table); i++) {
		const struct descriptor_table *t = table[i].idt ?
			&f->vm.cpu.idt : &f->vm.cpu.gdt;
		const char *r = table[i].what;
		u8 code[16] = { 0x0f, 0xb9, PLEX86_UD1_NEXT }, want[8];

		memcpy(code + 3, table[i].code, table[i].bytes);
		prepare(KERNEL, code, 3 + table[i].bytes);
		f->vm.cpu.reg[EBX] = before.reg[EBX] = G_DATA;
		f->vm.cpu.reg[ESI] = before.reg[ESI] = 0;
		memset(guest_at(f, G_DATA), 0xee, 8);
		core_undefined(&f->vm);
		done(r, 3 + table[i].bytes, 0);
		memset(want, 0xee, 8);
		memcpy(want, &t->limit, 2);
		memcpy(want + 2, &t->base, 4);
		CHECK_MEM(r, guest_at(f, G_DATA), want, 8);
	}
	/* A store that faults: the fault is a write's, at the UD1. */
	guest_map(f, G_DATA + PAGE_SIZE, ((G_DATA + PAGE_SIZE) & 0xff000) | PTE_P);
	prepare(KERNEL, (const u8[]){ 0x0f, 0xb9, 0xf3, 0x0f, 0x01, 0x03 }, 6);
	f->vm.cpu.reg[EBX] = before.reg[EBX] = G_DATA + PAGE_SIZE - 2;
	core_undefined(&f->vm);
	page_fault("read-only", G_DATA + PAGE_SIZE, PFEC_P | PFEC_W);
	prepare(KERNEL, (const u8[]){ 0x0f, 0xb9, 0xf3, 0x0f, 0x00, 0x03 }, 6);
	f->vm.cpu.reg[EBX] = before.reg[EBX] = G_DATA + PAGE_SIZE - 1;
	core_undefined(&f->vm);
	page_fault("sldt", G_DATA + PAGE_SIZE, PFEC_P | PFEC_W);
}

/* What may not stand behind UD1 NEXT is #UD at the UD1. */
static void next_unknown(void **state)
{
	static const struct {
		const char *what;
		u8 code[8];
		u32 bytes;
	} table[] = {
		{ "nop", BYTES(0x90) },
		{ "hlt", BYTES(0xf4) },
		{ "lldt", BYTES(0x0f, 0x00, 0xd0) },
		{ "ltr", BYTES(0x0f, 0x00, 0xd8) },
		{ "0f 00 /6", BYTES(0x0f, 0x00, 0xf0) },
		{ "0f 00 /7", BYTES(0x0f, 0x00, 0xf8) },
		{ "sgdt of a register", BYTES(0x0f, 0x01, 0xc0) },
		{ "sidt of a register", BYTES(0x0f, 0x01, 0xc8) },
		{ "lgdt", BYTES(0x0f, 0x01, 0x10) },
		{ "lidt", BYTES(0x0f, 0x01, 0x18) },
		{ "0f 01 /5", BYTES(0x0f, 0x01, 0xe8) },
		{ "lmsw", BYTES(0x0f, 0x01, 0xf0) },
		{ "invlpg", BYTES(0x0f, 0x01, 0x38) },
		{ "0f 04", BYTES(0x0f, 0x04, 0xc0) },
		{ "mov cr0", BYTES(0x0f, 0x20, 0xc0) },
		{ "cpuid", BYTES(0x0f, 0xa2) },
		{ "ud1 next", BYTES(0x0f, 0xb9, 0xf3) },
		{ "lar, 16 bytes", BYTES(0x66, 0x66, 0x66, 0x66, 0x66, 0x66,
					 0x66, 0x66) },
	};
	size_t i;
	u32 mode;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(table); i++)
	for (mode = KERNEL; mode <= USER; mode++) {
		u8 code[24] = { 0x0f, 0xb9, PLEX86_UD1_NEXT };
		u32 n = 3 + table[i].bytes;

		memcpy(code + 3, table[i].code, table[i].bytes);
		if (table[i].bytes == 8) {
			/* 13 prefixes and 0f 02 c0: one byte too many */
			memset(code + 3, 0x66, 13);
			memcpy(code + 16, (const u8[]){ 0x0f, 0x02, 0xc0 }, 3);
			n = 19;
		}
		prepare((enum mode)mode, code, n);
		f->vm.cpu.reg[EAX] = before.reg[EAX] = G_DATA;
		core_undefined(&f->vm);
		ud(table[i].what);
	}
	cut(KERNEL, (const u8[]){ 0x0f, 0xb9, 0xf3, 0x0f, 0x01, 0x25, 0 }, 7);
	core_undefined(&f->vm);
	ud("cut");
}

/* #PF: filled where the guest's tables allow it. */
static void fills(void **state)
{
	static const struct {
		const char *what;
		u32 linear, entry, error;
		bool user;
		s32 writable;		/* -1: the guest's own #PF */
		u32 code;		/* its error code */
	} table[] = {
		{ "kernel read", G_DATA, 0x20000 | PTE_P | PTE_W, 0, false, 0,
		  0 },
		{ "kernel write", G_DATA, 0x20000 | PTE_P | PTE_W, PFEC_W,
		  false, 1, 0 },
		{ "dirty, read", G_DATA, 0x20000 | PTE_P | PTE_W | PTE_D, 0,
		  false, 1, 0 },
		{ "kernel read-only, write", G_DATA, 0x20000 | PTE_P, PFEC_W,
		  false, -1, PFEC_P | PFEC_W },
		{ "user read", G_USER_DATA, 0x44000 | PTE_P | PTE_U, 0, true, 0,
		  0 },
		{ "user write", G_USER_DATA, 0x44000 | PTE_P | PTE_W | PTE_U,
		  PFEC_W, true, 1, 0 },
		{ "user write, read-only", G_USER_DATA, 0x44000 | PTE_P | PTE_U,
		  PFEC_W, true, -1, PFEC_P | PFEC_W | PFEC_U },
		{ "user, kernel's page", G_USER_DATA, 0x44000 | PTE_P | PTE_W,
		  0, true, -1, PFEC_P | PFEC_U },
		{ "kernel, kernel's page", G_USER_DATA, 0x44000 | PTE_P | PTE_W,
		  0, false, 0, 0 },
		{ "user, not present", G_USER_DATA, 0, 0, true, -1, PFEC_U },
		{ "user write, not present", G_USER_DATA, 0x44000 | PTE_W,
		  PFEC_W, true, -1, PFEC_U | PFEC_W },
		{ "kernel, not present", G_DATA, 0, PFEC_W, false, -1, PFEC_W },
		/* The hardware's P, U and I/D bits are about the shadow. */
		{ "other error bits", G_USER_DATA,
		  0x44000 | PTE_P | PTE_W | PTE_U, 0x1d, false, 0, 0 },
		{ "other error bits", G_USER_DATA, 0, 0x1d, false, -1, 0 },
	};
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(table); i++) {
		const char *r = table[i].what;
		u32 linear = table[i].linear + 0x123;
		const struct call *fill;

		prepare(table[i].user ? USER : KERNEL, (const u8[]){ 0x90 }, 1);
		guest_map(f, table[i].linear, table[i].entry);
		core_page_fault(&f->vm, linear, table[i].error);
		fill = fake_call(f, CALL_FILL);
		CHECK_EQ(r, fill != NULL, table[i].writable >= 0);
		if (table[i].writable < 0) {
			page_fault(r, linear, table[i].code);
			continue;
		}
		done(r, 0, 0);
		CHECK_EQ(r, fill->arg[0], table[i].linear);
		CHECK_EQ(r, fill->arg[1], table[i].entry & PAGE_MASK);
		CHECK_EQ(r, fill->arg[2], 4096);
		CHECK_EQ(r, fill->arg[3], (table[i].writable ? FILL_WRITABLE : 0) |
			 (table[i].linear == G_USER_DATA &&
			  (table[i].entry & PTE_U) ? FILL_USER : 0));
	}
}

/*
 * The window that a fill looks at: 16 pages, here with one more on either side,
 * and where in RAM they would lie if they followed each other.
 */
#define PAGES		16u
#define WINDOW		(G_USER + 2 * PAGES * PAGE_SIZE)
#define WINDOW_GPA	0x60000u

static u32 get_pte(u32 linear)
{
	u32 pte;

	memcpy(&pte, f->vm.ram + G_PT_USER + ((linear >> 12) & 1023) * 4, 4);
	return pte;
}

/*
 * Page @i of the window as one letter.  Those of F, f, u and v are filled
 * already; all but those of N and n have been accessed.
 */
static void window_page(char kind, u32 i)
{
	u32 linear = WINDOW + i * PAGE_SIZE, gpa = WINDOW_GPA + i * PAGE_SIZE;
	u32 bits = PTE_P | PTE_W | PTE_U | PTE_A;
	s32 filled = -1;

	switch (kind) {
	case '.':			/* not present */
		guest_map(f, linear, gpa | PTE_W | PTE_U | PTE_A | PTE_D);
		return;
	case 'n':			/* not accessed */
		bits &= ~PTE_A;
		break;
	case 'N':
		bits = (bits & ~PTE_A) | PTE_D;
		break;
	case 'a':			/* clean */
		break;
	case 'd':
		bits |= PTE_D;
		break;
	case 'r':			/* read-only, clean and dirty */
		bits &= ~PTE_W;
		break;
	case 'w':
		bits = (bits & ~PTE_W) | PTE_D;
		break;
	case 'g':
		bits |= PTE_G;
		break;
	case 'k':			/* the kernel's */
		bits &= ~PTE_U;
		break;
	case 'x':			/* elsewhere: with gaps, backwards, all */
		gpa = 0x80000 + 2 * i * PAGE_SIZE;	/* the same page */
		break;
	case 'b':
		gpa = 0x80000 + (PAGES - i) * PAGE_SIZE;
		break;
	case 's':
		gpa = 0x80000;
		break;
	case 'h':			/* what the page before would be */
		gpa -= PAGE_SIZE;
		break;
	case 'y':			/* elsewhere, in a row */
		gpa = 0xa0000 + i * PAGE_SIZE;
		break;
	case 'e':			/* the end of RAM is behind the 8th */
		gpa = G_RAM + i * PAGE_SIZE - 8 * PAGE_SIZE;
		break;
	case 'o':			/* beyond RAM */
		gpa = 0x80000000 + i * PAGE_SIZE;
		break;
	case 'O':
		gpa = PAGE_MASK;
		break;
	case 'f':			/* filled: read-only and clean */
		filled = FILL_USER;
		break;
	case 'F':			/* writable */
		bits |= PTE_D;
		filled = FILL_USER | FILL_WRITABLE;
		break;
	case 'u':			/* read-only, but writable now */
		bits |= PTE_D;
		filled = FILL_USER;
		break;
	case 'v':			/* writable, but cleaned now */
		filled = FILL_USER | FILL_WRITABLE;
		break;
	default:
		fail_msg("page of kind %c", kind);
	}
	guest_map(f, linear, gpa | bits);
	if (filled >= 0)
		host_fill(&f->vm, linear, gpa, PAGE_SIZE, (u32)filled);
}

/* The flags by which a page with this entry is filled. */
static u32 flags_of(u32 pte)
{
	return ((pte & PTE_W) && (pte & PTE_D) ? FILL_WRITABLE : 0) |
	       (pte & PTE_G ? FILL_GLOBAL : 0) | (pte & PTE_U ? FILL_USER : 0);
}

/* What was filled was @fills: a letter for each call, from A on. */
static void check_window(const char *r, const char *fills)
{
	u32 n = 0, i, first, at = 0;

	for (i = 0; i < PAGES; i++) {
		u32 pte = get_pte(WINDOW + i * PAGE_SIZE);
		const struct call *c;

		if (fills[i] == '.')
			continue;
		CHECK_EQ(r, fills[i], 'A' + n);
		first = i;
		while (i + 1 < PAGES && fills[i + 1] == fills[first])
			i++;
		while (at < f->n_calls && f->calls[at].kind != CALL_FILL)
			at++;
		CHECK(r, at < f->n_calls);
		c = &f->calls[at++];
		CHECK_EQ(r, c->arg[0], WINDOW + first * PAGE_SIZE);
		CHECK_EQ(r, c->arg[1], pte & PAGE_MASK);
		CHECK_EQ(r, c->arg[2], (i + 1 - first) * PAGE_SIZE);
		CHECK_EQ(r, c->arg[3], flags_of(pte));
		n++;
	}
	CHECK_EQ(r, fake_count(f, CALL_FILL), n);
}

/* What is around the page that is filled, and what of it is filled too. */
static void fills_around(void **state)
{
	static const struct {
		const char *what;
		u32 at;			/* where the fault is */
		bool write;
		const char *pages, *fills;
	} table[] = {
		{ "alone", 5, false,
		  ".....n..........",
		  ".....A.........." },
		{ "all", 7, false,
		  "aaaaaaanaaaaaaaa",
		  "AAAAAAAAAAAAAAAA" },
		{ "all, written", 7, true,
		  "dddddddndddddddd",
		  "AAAAAAAAAAAAAAAA" },
		{ "first page", 0, false,
		  "naaa............",
		  "AAAA............" },
		{ "last page", 15, false,
		  "............aaan",
		  "............AAAA" },
		{ "first and last", 8, false,
		  "a.......n......a",
		  "A.......B......C" },
		{ "holes", 3, false,
		  "aa.naa.aaaa.a..a",
		  "AA.BBB.CCCC.D..E" },
		{ "not accessed", 4, false,
		  "nnaananNnaan....",
		  "..AAAA...BB....." },
		{ "only not accessed", 4, false,
		  "NnNnnNnNNnNnNnNn",
		  "....A..........." },
		{ "written among clean", 4, true,
		  "aaddaddaa.......",
		  "AABBBBBCC......." },
		{ "read among dirty", 4, false,
		  "ddddaddd........",
		  "AAAABCCC........" },
		{ "dirty among dirty, read", 4, false,
		  "dddddddd........",
		  "AAAAAAAA........" },
		{ "read-only and clean", 1, false,
		  "aarrwwaa........",
		  "AAAAAAAA........" },
		{ "read-only and dirty", 1, false,
		  "rrddwwdd........",
		  "AABBCCDD........" },
		{ "the kernel's", 3, false,
		  "akkaakka........",
		  "ABBCCDDE........" },
		{ "global", 2, false,
		  "aaagggaa........",
		  "AAABBBCC........" },
		{ "elsewhere", 6, false,
		  "aaxxaaaxyyyxa...",
		  "AABCDDDEFFFGH..." },
		{ "backwards", 2, false,
		  "bbbbb...........",
		  "ABCDE..........." },
		{ "one page many times", 15, false,
		  "............ssss",
		  "............ABCD" },
		{ "follows but for a hole", 0, false,
		  "n.hhh.nh........",
		  "A.BBB..C........" },
		{ "follows but for what is filled", 3, false,
		  ".aanfhhh........",
		  ".AAA.BBB........" },
		{ "filled", 3, false,
		  "affaaFFaauuavv..",
		  "A..BB..CCDDE...." },
		{ "filled, and written now", 2, true,
		  "fffaF...........",
		  "..AB............" },
		{ "filled, and read", 2, false,
		  "ffffF...........",
		  "..A............." },
		{ "filled with more, and read", 2, false,
		  "fvvfF...........",
		  "..A............." },
		{ "all to be filled with more", 8, true,
		  "uuuuuuuuuuuuuuuu",
		  "AAAAAAAAAAAAAAAA" },
		{ "beyond RAM", 5, false,
		  "aaaooaaaoOaa....",
		  "AAA..BBB..CC...." },
		{ "up to the end of RAM", 3, false,
		  "eeeeeeeeeeeeeeee",
		  "AAAAAAAA........" },
		{ "the last page of RAM", 7, true,
		  ".......eeeeeeeee",
		  ".......A........" },
	};
	size_t i;
	u32 mode, n;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(table); i++)
	for (mode = KERNEL; mode <= USER; mode++) {
		const char *r = row("%s, mode %u", table[i].what, mode);
		u32 linear = WINDOW + table[i].at * PAGE_SIZE + 0xabc, pte;
		u8 tables[PAGE_SIZE];

		host_flush(&f->vm, true);
		prepare((enum mode)mode, (const u8[]){ 0x90 }, 1);
		for (n = 0; n < PAGES; n++)
			window_page(table[i].pages[n], n);
		window_page('a', -1u);
		window_page('a', PAGES);
		memcpy(tables, f->vm.ram + G_PT_USER, PAGE_SIZE);
		fake_forget(f);
		core_page_fault(&f->vm, linear, table[i].write ? PFEC_W : 0);
		done(r, 0, 0);
		check_window(r, table[i].fills);
		CHECK_EQ(r, f->n_calls, fake_count(f, CALL_FILL));
		CHECK_EQ(r, fake_shadow(f, WINDOW - PAGE_SIZE), 0);
		CHECK_EQ(r, fake_shadow(f, WINDOW + PAGES * PAGE_SIZE), 0);
		/* Only what was asked for is accessed now, or dirty. */
		memcpy(&pte, tables + ((linear >> 12) & 1023) * 4, 4);
		pte |= PTE_A | (table[i].write ? PTE_D : 0);
		memcpy(tables + ((linear >> 12) & 1023) * 4, &pte, 4);
		CHECK_MEM(r, f->vm.ram + G_PT_USER, tables, PAGE_SIZE);
	}
}

/* The entry of @linear, in a table that is made where there is none. */
static void map_anywhere(u32 linear, u32 entry, u32 *tables)
{
	u32 at = G_PD + (linear >> 22) * 4, pde;

	memcpy(&pde, f->vm.ram + at, 4);
	if (!pde) {
		pde = *tables | PTE_P | PTE_W | PTE_U;
		memcpy(f->vm.ram + at, &pde, 4);
		*tables += PAGE_SIZE;
	}
	memcpy(f->vm.ram + (pde & PAGE_MASK) + ((linear >> 12) & 1023) * 4,
	       &entry, 4);
}

/*
 * A window ends at its borders whatever is behind: another window, another page
 * table, the other half, the host's part of the address space.
 */
static void window_borders(void **state)
{
	static const u32 windows[] = {
		0x00000000, 0x00010000, 0x08000000, 0x08010000, 0x080f0000,
		0x083f0000, 0x08400000, 0xbfff0000, 0xc0000000, 0xffbf0000,
	};
	size_t w;
	u32 i, n;

	(void)state;
	for (w = 0; w < ARRAY_SIZE(windows); w++)
	for (i = 0; i < PAGES; i++) {
		const char *r = row("window %#x, page %u", windows[w], i);
		u32 tables = 0x58000, user = FILL_USER;

		fake_free(f);
		f = guest_new();
		/* Page @n - 20 of what follows each other far to both sides. */
		for (n = 0; n < 56; n++)
			map_anywhere(windows[w] + (n - 20) * PAGE_SIZE,
				     (0x80000 + n * PAGE_SIZE) | PTE_P | PTE_W |
				     PTE_U | PTE_A | PTE_D, &tables);
		if (windows[w] == G_KERNEL)
			user = 0;	/* by the directory's entry */
		core_page_fault(&f->vm, windows[w] + i * PAGE_SIZE + 0xfff, 0);
		CHECK_EQ(r, f->vm.end.how, END_NOT);
		CHECK_EQ(r, f->n_calls, 1);
		CHECK_EQ(r, f->calls[0].kind, CALL_FILL);
		CHECK_EQ(r, f->calls[0].arg[0], windows[w]);
		CHECK_EQ(r, f->calls[0].arg[1], 0x80000 + 20 * PAGE_SIZE);
		CHECK_EQ(r, f->calls[0].arg[2], PAGES * PAGE_SIZE);
		CHECK_EQ(r, f->calls[0].arg[3], FILL_WRITABLE | user);
	}
}

/* That a neighbour cannot be filled is nothing to the guest. */
static void neighbour_refused(void **state)
{
	static const struct {
		const char *what, *pages, *fills;
		u32 at, from, to;	/* pages that the host refuses */
		bool gp;
	} table[] = {
		{ "before", "aa.n.aa.........", "AA.B.CC.........", 3, 0, 2,
		  false },
		{ "behind", "aa.n.aa.........", "AA.B.CC.........", 3, 5, 6,
		  false },
		{ "both", "aa.n.aa.........", "AA.B.CC.........", 3, 0, 3,
		  false },
		{ "adjacent", "xxxnxx..........", "ABCDEF..........", 3, 4, 16,
		  false },
		{ "itself", "aa.n.aa.........", "AA.B.CC.........", 3, 3, 4,
		  true },
		{ "itself, last", "aa.x............", "AA.B............", 3, 3,
		  4, true },
		{ "itself, first", "n.aa............", "A.BB............", 0, 0,
		  1, true },
		{ "all", "aaanaaa.........", "AAAAAAA.........", 3, 0, 16,
		  true },
	};
	size_t i;
	u32 mode, n;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(table); i++)
	for (mode = KERNEL; mode <= USER; mode++) {
		const char *r = row("%s, mode %u", table[i].what, mode);
		u32 linear = WINDOW + table[i].at * PAGE_SIZE;

		host_flush(&f->vm, true);
		prepare((enum mode)mode, (const u8[]){ 0x90 }, 1);
		for (n = 0; n < PAGES; n++)
			window_page(table[i].pages[n], n);
		f->refuse_from = WINDOW + table[i].from * PAGE_SIZE;
		f->refuse_to = WINDOW + table[i].to * PAGE_SIZE;
		fake_forget(f);
		core_page_fault(&f->vm, linear, 0);
		CHECK_EQ(r, fake_shadow(f, linear) != 0, !table[i].gp);
		if (table[i].gp) {
			gp(r, 0);
			continue;
		}
		done(r, 0, 0);
		check_window(r, table[i].fills);
	}
}

/*
 * Random tables that change under what is filled: what is filled is what the
 * tables say, and after a fault the access goes on.
 */
static void fills_agree(void **state)
{
	static const u32 gives[] = { PTE_W, PTE_U, PTE_A, PTE_D };
	u64 seed = 0x13198a2e03707344;
	u32 round, i, runs = 0, faults = 0;

	(void)state;
	for (round = 0; round < 20000; round++) {
		enum mode mode = random32(&seed) & 1 ? USER : KERNEL;
		u32 page = random32(&seed) % (3 * PAGES), dice = random32(&seed);
		u32 linear = WINDOW + page * PAGE_SIZE, pte, error;
		const char *r = row("round %u", round);

		prepare(mode, (const u8[]){ 0x90 }, 1);
		if ((dice & 15) == 0) {
			/* Another page, or none: INVLPG. */
			pte = random32(&seed) & (PTE_W | PTE_U | PTE_A | PTE_D |
						 PTE_G);
			pte |= dice & 0x70 ? PTE_P : 0;
			pte |= dice & 0x180 ? WINDOW_GPA + page * PAGE_SIZE :
			       0x90000 + (random32(&seed) & 0x7f000);
			guest_map(f, linear, pte);
			host_drop(&f->vm, linear, linear + 1);
			continue;
		}
		if ((dice & 15) == 1) {
			/* To give something takes no flush. */
			guest_map(f, linear, get_pte(linear) |
					     gives[dice >> 4 & 3]);
			continue;
		}
		if ((dice & 15) == 2)
			host_flush(&f->vm, true);
		fake_forget(f);
		error = dice & 0x10 ? PFEC_W : 0;
		core_page_fault(&f->vm, linear, error);
		runs += fake_count(f, CALL_FILL) > 1;
		for (i = 0; i < 3 * PAGES; i++) {
			u32 at = WINDOW + i * PAGE_SIZE, e = fake_shadow(f, at);

			pte = get_pte(at);
			if (!e)
				continue;
			CHECK_EQ(r, pte & (PTE_P | PTE_A), PTE_P | PTE_A);
			CHECK_EQ(r, e & PAGE_MASK, pte & PAGE_MASK);
			CHECK_EQ(r, e & ~PAGE_MASK & ~(FAKE_FILLED |
						       flags_of(pte)), 0);
			CHECK_EQ(r, !(e & FILL_GLOBAL), !(pte & PTE_G));
		}
		pte = get_pte(linear);
		if (f->vm.end.how != END_NOT) {
			CHECK(r, (pte & PAGE_MASK) >= G_RAM);
			continue;
		}
		if (f->vm.cpu.eip != before.eip) {
			CHECK(r, guest_delivered(f, VEC_PF));
			faults++;
			continue;
		}
		i = fake_shadow(f, linear);
		CHECK(r, i != 0);
		CHECK(r, mode == KERNEL || (i & FILL_USER));
		CHECK(r, !error || (i & FILL_WRITABLE));
	}
	CHECK("mix", runs > 1000 && faults > 1000);
}

/* With paging off there is nothing to look around for. */
static void fills_unpaged(void **state)
{
	u32 i, tables = 0x58000;

	(void)state;
	/* The tables that would be there are not looked at. */
	for (i = 0; i < 2 * PAGES; i++)
		map_anywhere(0x60000 + i * PAGE_SIZE,
			     (0x60000 + i * PAGE_SIZE) | PTE_P | PTE_W | PTE_A |
			     PTE_D, &tables);
	prepare(KERNEL, (const u8[]){ 0x90 }, 1);
	f->vm.cpu.cr0 = CR0_PE | CR0_ET;
	core_page_fault(&f->vm, 0x61234, PFEC_W);
	done("small", 0, 0);
	CHECK_EQ("small", f->n_calls, 1);
	CHECK_EQ("small", f->calls[0].arg[0], 0x61000);
	CHECK_EQ("small", f->calls[0].arg[2], PAGE_SIZE);
	CHECK_EQ("small", fake_shadow(f, 0x61000),
		 0x61000 | FAKE_FILLED | FILL_WRITABLE);
	core_page_fault(&f->vm, G_RAM - 1, 0);
	CHECK_EQ("last", f->n_calls, 2);
	CHECK_EQ("last", fake_shadow(f, G_RAM - 1),
		 (G_RAM - PAGE_SIZE) | FAKE_FILLED | FILL_WRITABLE);
	core_page_fault(&f->vm, G_RAM, 0);
	CHECK_EQ("behind", f->vm.end.how, END_CRASH);
	CHECK_EQ("behind", f->n_calls, 2);
}

/* Gives the guest @bytes of RAM. */
static void more_ram(u32 bytes)
{
	u8 *ram = calloc(1, bytes);

	memcpy(ram, f->vm.ram, f->vm.ram_bytes);
	free(f->vm.ram);
	f->vm.ram = ram;
	f->vm.ram_bytes = bytes;
}

static void fills_large(void **state)
{
	u32 pde = (0x30000000 >> 22) * 4 + G_PD, entry;
	const struct call *fill;

	(void)state;
	entry = PTE_P | PTE_W | PTE_PS | PTE_G | PTE_D;	/* gpa 0 */
	memcpy(f->vm.ram + pde, &entry, 4);
	prepare(KERNEL, (const u8[]){ 0x90 }, 1);
	core_page_fault(&f->vm, 0x30012345, 0);
	fill = fake_call(f, CALL_FILL);
	CHECK("large", fill != NULL);
	CHECK_EQ("large", fill->arg[0], 0x30000000);
	CHECK_EQ("large", fill->arg[1], 0);
	CHECK_EQ("large", fill->arg[2], G_RAM);	/* no more than there is */
	CHECK_EQ("large", fill->arg[3],
		 FILL_WRITABLE | FILL_GLOBAL | FILL_LARGE);
	/* The part of it behind the end of RAM. */
	core_page_fault(&f->vm, 0x30000000 + G_RAM, 0);
	CHECK_EQ("outside", f->vm.end.how, END_CRASH);
	CHECK_STR("outside", f->vm.end.reason, "no memory");
}

/* One large page at a time, whole but for what lies beyond RAM. */
static void large_pages(void **state)
{
	static const struct {
		const char *what;
		u32 entry, error, offset;
		enum mode mode;
		u32 gpa, bytes, flags;	/* no bytes: beyond RAM */
	} table[] = {
		{ "first", PTE_W | PTE_U | PTE_D, 0, 0, USER,
		  0, 4 << 20, FILL_WRITABLE | FILL_USER },
		{ "clean, read", PTE_W | PTE_U | 0x400000, 0, 0x3fffff, USER,
		  0x400000, 4 << 20, FILL_USER },
		{ "clean, written", PTE_W | PTE_U | 0x400000, PFEC_W, 0x12345,
		  USER, 0x400000, 4 << 20, FILL_WRITABLE | FILL_USER },
		{ "the kernel's", PTE_W | PTE_D | PTE_G | 0x400000, 0, 0x200000,
		  KERNEL, 0x400000, 4 << 20, FILL_WRITABLE | FILL_GLOBAL },
		{ "read-only", PTE_D | 0x400000, 0, 0x200000, KERNEL,
		  0x400000, 4 << 20, 0 },
		{ "the user's, by the kernel", PTE_U | 0x400000, 0, 0x200000,
		  KERNEL, 0x400000, 4 << 20, FILL_USER },
		{ "with the end of RAM", PTE_W | 0x800000, 0, 0x17fff, KERNEL,
		  0x800000, 0x18000, 0 },
		{ "behind the end of RAM", PTE_W | 0x800000, 0, 0x18000, KERNEL,
		  0, 0, 0 },
		{ "beyond RAM", PTE_W | 0xc00000, 0, 0, KERNEL, 0, 0, 0 },
		{ "the last of all", PTE_W | 0xffc00000, 0, 0x3fffff, KERNEL,
		  0, 0, 0 },
	};
	size_t i;
	u32 at, n, pde, mapped;

	(void)state;
	more_ram(0x818000);
	for (i = 0; i < ARRAY_SIZE(table); i++) {
		const char *r = table[i].what;

		host_flush(&f->vm, true);
		prepare(table[i].mode, (const u8[]){ 0x90 }, 1);
		/* Others on both sides, small ones of the kernel's below. */
		for (at = 0x3fc00000, n = 0; n < 3; n++, at += LARGE_SIZE) {
			pde = PTE_P | PTE_W | PTE_A | PTE_D | PTE_PS |
			      n << 22;
			if (n == 1)
				pde = table[i].entry | PTE_P | PTE_PS;
			memcpy(f->vm.ram + G_PD + (at >> 22) * 4, &pde, 4);
		}
		core_page_fault(&f->vm, 0x40000000 + table[i].offset,
				table[i].error);
		if (!table[i].bytes) {
			CHECK_EQ(r, f->vm.end.how, END_CRASH);
			CHECK_EQ(r, f->n_calls, 0);
			continue;
		}
		done(r, 0, 0);
		CHECK_EQ(r, f->n_calls, 1);
		CHECK_EQ(r, f->calls[0].arg[0], 0x40000000);
		CHECK_EQ(r, f->calls[0].arg[1], table[i].gpa);
		CHECK_EQ(r, f->calls[0].arg[2], table[i].bytes);
		CHECK_EQ(r, f->calls[0].arg[3], table[i].flags | FILL_LARGE);
		memcpy(&mapped, f->vm.ram + G_PD + 0x400, 4);
		CHECK_EQ(r, mapped, table[i].entry | PTE_P | PTE_PS | PTE_A |
			 (table[i].error ? PTE_D : 0));
	}
	/* With paging off they are large from 4 MiB on. */
	prepare(KERNEL, (const u8[]){ 0x90 }, 1);
	f->vm.cpu.cr0 = CR0_PE | CR0_ET;
	core_page_fault(&f->vm, 0x3fffff, 0);
	CHECK_EQ("unpaged", f->calls[0].arg[0], 0x3ff000);
	CHECK_EQ("unpaged", f->calls[0].arg[2], PAGE_SIZE);
	core_page_fault(&f->vm, 0x400000, 0);
	CHECK_EQ("unpaged", f->calls[1].arg[1], 0x400000);
	CHECK_EQ("unpaged", f->calls[1].arg[2], LARGE_SIZE);
	CHECK_EQ("unpaged", f->calls[1].arg[3], FILL_WRITABLE | FILL_LARGE);
	core_page_fault(&f->vm, 0x817fff, 0);
	CHECK_EQ("unpaged", f->calls[2].arg[0], 0x800000);
	CHECK_EQ("unpaged", f->calls[2].arg[2], 0x18000);
	CHECK_EQ("unpaged", f->n_calls, 3);
}

/* A page fault of a program that the guest's kernel has to handle. */
static void user_fault(const char *r, u32 linear, u32 error)
{
	prepare(USER, (const u8[]){ 0x90 }, 1);
	core_page_fault(&f->vm, linear, error);
	CHECK(r, guest_delivered(f, VEC_PF));
	CHECK_EQ(r, fake_count(f, CALL_FILL), 0);
	CHECK_EQ(r, f->vm.refill, true);
	CHECK_EQ(r, f->vm.refill_linear, linear);
	fake_forget(f);
}

/* The IRET of a handler whose exception pushed @words more than a frame. */
static void handler_iret(const char *r, u32 words)
{
	f->vm.cpu.reg[ESP] += 4 * words;
	core_iret(&f->vm);
	CHECK_EQ(r, f->vm.end.how, END_NOT);
}

/* Behind a fault that was handled the page is there at once, if it can be. */
static void refill(void **state)
{
#define P_U	(PTE_P | PTE_U)
#define P_UW	(PTE_P | PTE_U | PTE_W)
#define A_D	(PTE_A | PTE_D)
#define RO	FILL_USER
#define RW	(FILL_USER | FILL_WRITABLE)
	static const struct {
		const char *what;
		u32 first, error;	/* what the fault found */
		s32 had;		/* and the host had filled; -1: nothing */
		bool flush;
		u32 then;		/* what the guest made of it */
		s32 fill;		/* -1: none */
	} table[] = {
		{ "there now", 0, 0, -1, false, 0x60000 | P_UW | PTE_A, RO },
		{ "not accessed", 0, 0, -1, false, 0x60000 | P_UW, RO },
		{ "dirty", 0, PFEC_W, -1, false, 0x60000 | P_UW | A_D, RW },
		{ "dirty, not accessed", 0, PFEC_W, -1, false,
		  0x60000 | P_UW | PTE_D, RW },
		{ "clean, to be written", 0, PFEC_W, -1, false, 0x60000 | P_UW,
		  RO },
		{ "read-only", 0, 0, -1, false, 0x60000 | P_U | A_D, RO },
		{ "global", 0, 0, -1, false, 0x60000 | P_U | PTE_G,
		  RO | FILL_GLOBAL },
		{ "last page of RAM", 0, 0, -1, false,
		  (G_RAM - PAGE_SIZE) | P_UW, RO },
		{ "not handled", 0, 0, -1, false, 0, -1 },
		{ "swapped", 0, 0, -1, false, 0x60000 | PTE_U | PTE_W | A_D,
		  -1 },
		{ "the kernel's", 0, 0, -1, false,
		  0x60000 | PTE_P | PTE_W | A_D, -1 },
		{ "the kernel's as before", 0x60000 | PTE_P | PTE_W | A_D, 0,
		  -1, false, 0x60000 | PTE_P | PTE_W | A_D, -1 },
		{ "beyond RAM", 0, 0, -1, false, G_RAM | P_UW, -1 },
		{ "far beyond RAM", 0, 0, -1, false, PAGE_MASK | P_UW, -1 },
		{ "copied on write", 0x60000 | P_U | PTE_A, PFEC_W, RO, true,
		  0x70000 | P_UW | A_D, RW },
		{ "copied, not accessed", 0x60000 | P_U | PTE_A, PFEC_W, RO,
		  true, 0x70000 | P_UW | PTE_D, RW },
		{ "copied, clean", 0x60000 | P_U | PTE_A, PFEC_W, RO, true,
		  0x70000 | P_UW, RO },
		{ "made writable", 0x60000 | P_U | PTE_A, PFEC_W, RO, false,
		  0x60000 | P_UW | A_D, RW },
		{ "made writable, not filled", 0x60000 | P_U | PTE_A, PFEC_W,
		  -1, false, 0x60000 | P_UW | A_D, RW },
		{ "made writable, clean", 0x60000 | P_U | PTE_A, PFEC_W, RO,
		  false, 0x60000 | P_UW | PTE_A, -1 },
		{ "still read-only", 0x60000 | P_U | PTE_A, PFEC_W, RO, false,
		  0x60000 | P_U | PTE_A, -1 },
		{ "still read-only, dirty", 0x60000 | P_U | A_D, PFEC_W, RO,
		  false, 0x60000 | P_U | A_D, -1 },
	};
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(table); i++) {
		u32 linear = WINDOW + 3 * PAGE_SIZE + 0x123;
		u64 count = f->vm.stats.injected_page_faults;
		const char *r = table[i].what;
		struct vcpu user;

		host_flush(&f->vm, true);
		guest_map(f, linear, table[i].first);
		if (table[i].had >= 0)
			host_fill(&f->vm, linear & PAGE_MASK,
				  table[i].first & PAGE_MASK, PAGE_SIZE,
				  (u32)table[i].had);
		user_fault(r, linear, table[i].error);
		user = before;
		guest_map(f, linear, table[i].then);
		if (table[i].flush)
			host_drop(&f->vm, linear, linear + 1);
		handler_iret(r, 1);
		CHECK_EQ(r, f->vm.cpu.cpl, 3);
		CHECK_EQ(r, f->vm.cpu.eip, user.eip);
		CHECK_EQ(r, f->vm.cpu.reg[ESP], user.reg[ESP]);
		CHECK_EQ(r, f->vm.refill, false);
		CHECK_EQ(r, f->vm.stats.injected_page_faults, count + 1);
		CHECK_EQ(r, fake_count(f, CALL_FILL), table[i].fill >= 0);
		/* As if the program had read there; not as if it had written. */
		CHECK_EQ(r, get_pte(linear), table[i].then |
			 (table[i].fill >= 0 ? PTE_A : 0));
		if (table[i].fill >= 0)
			CHECK_EQ(r, fake_shadow(f, linear), FAKE_FILLED |
				 (table[i].then & PAGE_MASK) |
				 (u32)table[i].fill);
		/* Once. */
		host_drop(&f->vm, linear, linear + 1);
		core_inject(&f->vm, VEC_UD, 0);
		fake_forget(f);
		handler_iret(r, 0);
		CHECK_EQ(r, f->vm.cpu.cpl, 3);
		CHECK_EQ(r, fake_count(f, CALL_FILL), 0);
	}
}

/* What is no page that a refill could fill, and what goes wrong with one. */
static void refill_of_nothing(void **state)
{
	u32 linear = WINDOW, pde, at = G_PD + (linear >> 22) * 4, i;
	const u32 pdes[] = {
		0,
		PTE_P | PTE_W | PTE_U | PTE_PS | PTE_A | PTE_D,
		G_RAM | PTE_P | PTE_W | PTE_U,
	};

	(void)state;
	/* The page directory's entry changes; back before the IRET's end. */
	memcpy(&pde, f->vm.ram + at, 4);
	for (i = 0; i < ARRAY_SIZE(pdes); i++) {
		const char *r = row("pde %#x", pdes[i]);

		user_fault(r, linear, 0);
		guest_map(f, linear, 0x60000 | P_UW | PTE_A);
		memcpy(f->vm.ram + at, &pdes[i], 4);
		handler_iret(r, 1);
		memcpy(f->vm.ram + at, &pde, 4);
		CHECK_EQ(r, f->vm.cpu.cpl, 3);
		CHECK_EQ(r, f->vm.refill, false);
		CHECK_EQ(r, fake_count(f, CALL_FILL), 0);
		guest_map(f, linear, 0);
	}
	/* The host's part of the address space, whatever the tables say. */
	pde = G_PT_USER | PTE_P | PTE_W | PTE_U;
	memcpy(f->vm.ram + G_PD + 1023 * 4, &pde, 4);
	guest_map(f, PLEX86_INFO, 0x60000 | P_UW | A_D);
	guest_map(f, G_USER, 0x60000 | P_UW | A_D);	/* the same entry */
	user_fault("top", PLEX86_INFO, 0);
	handler_iret("top", 1);
	CHECK_EQ("top", f->vm.cpu.cpl, 3);
	CHECK_EQ("top", fake_count(f, CALL_FILL), 0);
	/* What the host refuses is for the access itself to find out. */
	user_fault("refused", linear, 0);
	guest_map(f, linear, 0x60000 | P_UW | PTE_A);
	f->fill_result = -1;
	handler_iret("refused", 1);
	CHECK_EQ("refused", f->vm.cpu.cpl, 3);
	CHECK_EQ("refused", f->vm.cpu.eip, G_USER_CODE);
	CHECK_EQ("refused", fake_count(f, CALL_FILL), 1);
}

/* It is the next IRET to user mode that counts, and the last fault. */
static void refill_when(void **state)
{
	u32 a = WINDOW, b = WINDOW + 2 * PAGES * PAGE_SIZE, value, i;

	(void)state;
	/* An interrupt of the handler comes back to the handler. */
	user_fault("nested", a, 0);
	guest_map(f, a, 0x60000 | P_UW);
	core_inject(&f->vm, VEC_UD, 0);
	handler_iret("nested", 0);
	CHECK_EQ("nested", f->vm.cpu.cpl, 0);
	CHECK_EQ("nested", fake_count(f, CALL_FILL), 0);
	CHECK_EQ("nested", get_pte(a), 0x60000 | P_UW);
	handler_iret("nested", 1);
	CHECK_EQ("nested", f->vm.cpu.cpl, 3);
	CHECK_EQ("nested", fake_count(f, CALL_FILL), 1);
	/* An IRET that faults is none. */
	host_flush(&f->vm, true);
	guest_map(f, a, 0);
	user_fault("bad frame", a, 0);
	guest_map(f, a, 0x60000 | P_UW);
	i = f->vm.cpu.reg[ESP];
	value = guest_read32(f, i + 8);
	guest_write32(f, i + 8, 0x33);
	handler_iret("bad frame", 1);
	CHECK("bad frame", guest_delivered(f, VEC_GP));
	CHECK_EQ("bad frame", fake_count(f, CALL_FILL), 0);
	f->vm.cpu.reg[ESP] = i;
	guest_write32(f, i + 8, value);
	handler_iret("bad frame", 1);
	CHECK_EQ("bad frame", f->vm.cpu.cpl, 3);
	CHECK_EQ("bad frame", fake_count(f, CALL_FILL), 1);
	/* The handler's own faults, and those that a fill ends, are none. */
	host_flush(&f->vm, true);
	guest_map(f, b, 0);
	prepare(KERNEL, (const u8[]){ 0x90 }, 1);
	core_page_fault(&f->vm, b, 0);
	CHECK("kernel", guest_delivered(f, VEC_PF));
	CHECK_EQ("kernel", f->vm.refill, false);
	prepare(USER, (const u8[]){ 0x90 }, 1);
	core_page_fault(&f->vm, a, 0);
	CHECK_EQ("filled", fake_count(f, CALL_FILL), 1);
	CHECK_EQ("filled", f->vm.refill, false);
	/* A fault in the handler leaves the program's where it is. */
	host_flush(&f->vm, true);
	guest_map(f, a, 0);
	user_fault("handler faults", a, 0);
	core_page_fault(&f->vm, b, PFEC_W);
	CHECK_EQ("handler faults", f->vm.refill_linear, a);
	guest_map(f, a, 0x60000 | P_UW);
	guest_map(f, b, 0x61000 | P_UW);
	handler_iret("handler faults", 1);
	CHECK_EQ("handler faults", f->vm.cpu.cpl, 0);
	handler_iret("handler faults", 1);
	CHECK_EQ("handler faults", f->vm.cpu.cpl, 3);
	CHECK_EQ("handler faults", fake_shadow(f, a),
		 0x60000 | FAKE_FILLED | FILL_USER);
	CHECK_EQ("handler faults", fake_shadow(f, b), 0);
	/* The handler may have used the page itself, through the same shadow. */
	host_flush(&f->vm, true);
	guest_map(f, a, 0);
	user_fault("filled by the handler", a, 0);
	guest_map(f, a, 0x60000 | P_UW);
	core_page_fault(&f->vm, a, 0);
	CHECK_EQ("filled by the handler", fake_count(f, CALL_FILL), 1);
	handler_iret("filled by the handler", 1);
	CHECK_EQ("filled by the handler", fake_count(f, CALL_FILL), 1);
	/* An instruction that is emulated faults like any other: LAR. */
	guest_map(f, b, 0);
	prepare(USER, (const u8[]){ 0x0f, 0xb9, 0xf3, 0x0f, 0x02, 0x03 }, 6);
	f->vm.cpu.reg[EBX] = b + 8;
	core_undefined(&f->vm);
	CHECK("emulated", guest_delivered(f, VEC_PF));
	CHECK_EQ("emulated", f->vm.refill, true);
	CHECK_EQ("emulated", f->vm.refill_linear, b + 8);
	guest_map(f, b, 0x61000 | P_UW | A_D);
	handler_iret("emulated", 1);
	CHECK_EQ("emulated", fake_shadow(f, b),
		 0x61000 | FAKE_FILLED | FILL_USER | FILL_WRITABLE);
}

/* A refill is a fill: with its neighbours, and by the tables of the day. */
static void refill_around(void **state)
{
	u32 linear = WINDOW + 5 * PAGE_SIZE, other_pd = 0x58000, i, pde;

	(void)state;
	for (i = 0; i < PAGES; i++)
		window_page("aa.aa.aana......"[i], i);
	guest_map(f, linear, 0);
	user_fault("around", linear, 0);
	window_page('n', 5);
	handler_iret("around", 1);
	check_window("around", "AA.BBBBB.C......");

	/* The kernel went on to another task, of other tables. */
	host_flush(&f->vm, true);
	guest_map(f, linear, 0);
	user_fault("other task", linear, 0);
	memcpy(f->vm.ram + other_pd, f->vm.ram + G_PD, PAGE_SIZE);
	pde = (other_pd + PAGE_SIZE) | PTE_P | PTE_W | PTE_U;
	memcpy(f->vm.ram + other_pd + (linear >> 22) * 4, &pde, 4);
	pde = 0x70000 | P_UW | A_D;
	memcpy(f->vm.ram + other_pd + PAGE_SIZE + ((linear >> 12) & 1023) * 4,
	       &pde, 4);
	f->vm.cpu.cr3 = other_pd;
	handler_iret("other task", 1);
	CHECK_EQ("other task", f->vm.cpu.cpl, 3);
	CHECK_EQ("other task", fake_shadow(f, linear),
		 0x70000 | FAKE_FILLED | FILL_USER | FILL_WRITABLE);
	CHECK_EQ("other task", get_pte(linear), 0);
}

/* core_touch(): what kernel mode may read is filled, the rest is let be. */
static void touch(void **state)
{
	static const struct {
		const char *what;
		u32 entry;
		s32 had;		/* filled before with, -1: not */
		s32 fill;		/* -1: not */
	} table[] = {
		{ "the user's", 0x60000 | P_UW | PTE_A, -1, RO },
		{ "not accessed", 0x60000 | P_UW, -1, RO },
		{ "dirty", 0x60000 | P_UW | PTE_D, -1, RW },
		{ "the kernel's", 0x60000 | PTE_P | PTE_W | A_D, -1,
		  FILL_WRITABLE },
		{ "read-only, global", 0x60000 | PTE_P | PTE_G, -1,
		  FILL_GLOBAL },
		{ "not present", 0x60000 | PTE_W | PTE_U, -1, -1 },
		{ "beyond RAM", G_RAM | P_UW, -1, -1 },
		{ "far beyond RAM", PAGE_MASK | P_UW, -1, -1 },
		{ "filled", 0x60000 | P_UW | A_D, RW, -1 },
		/* Enough to read there. */
		{ "filled read-only", 0x60000 | P_UW | A_D, RO, -1 },
	};
	size_t i;
	u32 mode;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(table); i++)
	for (mode = KERNEL; mode <= USER; mode++) {
		const char *r = row("%s, mode %u", table[i].what, mode);
		u32 linear = WINDOW + 0x4ffc;

		host_flush(&f->vm, true);
		guest_map(f, linear, table[i].entry);
		if (table[i].had >= 0)
			host_fill(&f->vm, linear & PAGE_MASK,
				  table[i].entry & PAGE_MASK, PAGE_SIZE,
				  (u32)table[i].had);
		prepare((enum mode)mode, (const u8[]){ 0x90 }, 1);
		core_touch(&f->vm, linear);
		done(r, 0, 0);
		CHECK_EQ(r, f->n_calls, table[i].fill >= 0);
		CHECK_EQ(r, f->vm.refill, false);
		if (table[i].fill < 0)
			continue;
		CHECK_EQ(r, fake_shadow(f, linear), FAKE_FILLED |
			 (table[i].entry & PAGE_MASK) | (u32)table[i].fill);
		CHECK_EQ(r, get_pte(linear), table[i].entry | PTE_A);
	}
	prepare(KERNEL, (const u8[]){ 0x90 }, 1);
	core_touch(&f->vm, PLEX86_INFO);
	core_touch(&f->vm, 0xffffffff);
	done("top", 0, 0);
	CHECK_EQ("top", f->n_calls, 0);
	/* Refused: nobody asked. */
	host_flush(&f->vm, true);
	guest_map(f, WINDOW + 0x4000, 0);
	guest_map(f, WINDOW, 0x60000 | P_UW);
	prepare(KERNEL, (const u8[]){ 0x90 }, 1);
	f->fill_result = -1;
	core_touch(&f->vm, WINDOW);
	done("refused", 0, 0);
	CHECK_EQ("refused", f->n_calls, 1);
	f->fill_result = 0;
	prepare(KERNEL, (const u8[]){ 0x90 }, 1);
	f->vm.cpu.cr0 = CR0_PE | CR0_ET;
	core_touch(&f->vm, 0x60ffc);
	core_touch(&f->vm, G_RAM);
	done("unpaged", 0, 0);
	CHECK_EQ("unpaged", f->n_calls, 1);
	CHECK_EQ("unpaged", fake_shadow(f, 0x60000),
		 0x60000 | FAKE_FILLED | FILL_WRITABLE);
}

#undef P_U
#undef P_UW
#undef A_D
#undef RO
#undef RW

static void fill_refused(void **state)
{
	(void)state;
	prepare(USER, (const u8[]){ 0x90 }, 1);
	f->fill_result = -1;
	core_page_fault(&f->vm, G_USER_DATA, 0);
	gp("refused", 0);
	prepare(KERNEL, (const u8[]){ 0x90 }, 1);
	guest_map(f, G_DATA, G_RAM | PTE_P | PTE_W);
	core_page_fault(&f->vm, G_DATA, 0);
	CHECK_EQ("no RAM", f->vm.end.how, END_CRASH);
}

/* The top 4 MiB: a fault there that reaches the core is the guest's. */
static void fault_in_top(void **state)
{
	(void)state;
	prepare(USER, (const u8[]){ 0x90 }, 1);
	core_page_fault(&f->vm, PLEX86_DEVICES, PFEC_W);
	page_fault("top", PLEX86_DEVICES, PFEC_W | PFEC_U);
	CHECK_EQ("top", fake_count(f, CALL_FILL), 0);
}

/* Random bytes at EIP, by every entry: the sanitizer must stay silent, and
 * the guest is either on, in a handler or ended.
 */
static void random_code(void **state)
{
	static const u8 first[] = {
		0x0f, 0x66, 0xf3, 0x8e, 0xea, 0xcb, 0xcd, 0xcf, 0xc4, 0x1f,
	};
	u64 seed = 0x3f84d5b5b5470917;
	u32 round, i;

	(void)state;
	for (round = 0; round < 100000; round++) {
		enum mode mode = random32(&seed) & 1 ? USER : KERNEL;
		u8 code[32];

		for (i = 0; i < sizeof(code); i++)
			code[i] = (u8)random32(&seed);
		if (round & 1)
			code[0] = first[random32(&seed) % ARRAY_SIZE(first)];
		if (round & 2)
			code[1] = (u8)(random32(&seed) & 0x2f);
		if ((round & 12) == 12) {
			memcpy(code, (const u8[]){ 0x0f, 0xb9, 0xf3, 0x0f }, 4);
			code[4] &= 3;
		}
		if (round % 64 == 0) {
			fake_free(f);
			f = guest_new();
		}
		prepare(mode, code, sizeof(code));
		for (i = 0; i < 8; i++)
			if (i != ESP && (random32(&seed) & 3))
				f->vm.cpu.reg[i] = random32(&seed) & 1 ?
					G_DATA + (random32(&seed) & 0xffff) :
					random32(&seed);
		f->vm.cpu.gdt.base = G_KERNEL + G_GDT;
		f->vm.cpu.gdt.limit = 127;
		f->vm.cpu.idt.base = G_KERNEL + G_IDT;
		f->vm.cpu.idt.limit = 2047;
		f->vm.cpu.cr0 = CR0_PE | CR0_ET | CR0_WP | CR0_PG;
		f->vm.cpu.cr3 = G_PD;
		f->vm.cpu.tss_base = G_KERNEL + G_TSS;
		if (round % 3 == 0)
			core_general_protection(&f->vm, random32(&seed));
		else if (round % 3 == 1)
			core_undefined(&f->vm);
		else
			core_page_fault(&f->vm, random32(&seed),
					random32(&seed) & 31);
		CHECK(row("round %u", round), f->vm.cpu.cpl == 0 ||
					      f->vm.cpu.cpl == 3);
		/* User code stays user code or enters by a gate. */
		if (mode == USER && f->vm.cpu.cpl == 0)
			CHECK(row("round %u", round),
			      f->vm.cpu.eip >= G_HANDLERS &&
			      f->vm.cpu.eip < G_HANDLERS + 16 * 256);
	}
}

/* What core_next() says of @n bytes of code; of XRSTOR its operand too. */
static enum next next_of(enum mode mode, const u8 *code, u32 n, u32 *address,
			 u32 *length)
{
	enum next next;
	u32 i;

	prepare(mode, code, n);
	*address = *length = 0;
	next = core_next(&f->vm, address, length);
	/* It looks, and no more. */
	CHECK_EQ("core_next()", f->n_calls, 0);
	CHECK_EQ("core_next()", f->vm.cpu.eip, before.eip);
	for (i = 0; i < 8; i++)
		CHECK_EQ("core_next()", f->vm.cpu.reg[i], before.reg[i]);
	return next;
}

/* XRSTOR with each ModRM and SIB byte; the operand's address is found. */
static void next_xrstor(void **state)
{
	static const u32 disp = 0x87654321;
	enum mode mode;
	u32 modrm, sib, sibs;

	(void)state;
	for (mode = KERNEL; mode <= USER; mode++)
	for (modrm = 0; modrm < 256; modrm++) {
		u32 mod = modrm >> 6, rm = modrm & 7;
		bool xrstor = mod != 3 && (modrm >> 3 & 7) == 5;

		sibs = mod != 3 && rm == 4 ? 256 : 1;
		for (sib = 0; sib < sibs; sib++) {
			u8 code[15] = { 0x0f, 0xae, (u8)modrm };
			u32 n = 3, want = 0, address, length, base = rm;
			const u32 *reg = f->vm.cpu.reg;
			const char *r = row("0f ae %02x %02x", modrm, sib);
			enum next next;

			if (mod != 3 && rm == 4) {
				code[n++] = (u8)sib;
				base = sib & 7;
			}
			memcpy(code + n, &disp, 4);
			/* The registers are what prepare() makes them. */
			next = next_of(mode, code, 15, &address, &length);
			CHECK_EQ(r, next, xrstor ? NEXT_XRSTOR : NEXT_OTHER);
			if (!xrstor)
				continue;
			if (rm == 4 && (sib >> 3 & 7) != 4)
				want += reg[sib >> 3 & 7] << (sib >> 6);
			if (mod == 0 && base == 5)
				want += disp;
			else
				want += reg[base];
			if (mod == 1)
				want += 0x21;
			if (mod == 2)
				want += disp;
			CHECK_EQ(r, address, want);
			CHECK_EQ(r, length, n + (mod == 1 ? 1 :
				 mod == 2 || (!mod && base == 5) ? 4 : 0));
		}
	}
}

/* Each prefix, and up to as many as fit, before what matters. */
static void next_prefixes(void **state)
{
	static const u8 prefixes[] = {
		0x66, 0x67, 0xf0, 0xf2, 0xf3, 0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65,
	};
	static const struct {
		u8 code[4];
		u32 n;
		enum next next;
	} table[] = {
		{ { 0x0f, 0x01, 0xef }, 3, NEXT_LOADS_PKRU },
		{ { 0x0f, 0xae, 0x2f }, 3, NEXT_XRSTOR },
		{ { 0x0f, 0xae, 0xef }, 3, NEXT_OTHER },	/* LFENCE */
		{ { 0x0f, 0xae, 0x27 }, 3, NEXT_OTHER },	/* XSAVE */
		{ { 0x0f, 0x01, 0xee }, 3, NEXT_OTHER },	/* RDPKRU */
		{ { 0x9c }, 1, NEXT_PUSHF },
		{ { 0x9d }, 1, NEXT_POPF },
		{ { 0xcf }, 1, NEXT_POPF },			/* IRET */
		{ { 0xf1 }, 1, NEXT_INT1 },
		{ { 0x0f, 0x9c, 0xc0 }, 3, NEXT_OTHER },	/* SETL */
		{ { 0x0f, 0x9d, 0xc0 }, 3, NEXT_OTHER },	/* SETGE */
		{ { 0x01, 0xef }, 2, NEXT_OTHER },		/* ADD */
		{ { 0xae, 0x2f }, 2, NEXT_OTHER },		/* SCASB */
		{ { 0x8e, 0xd8 }, 2, NEXT_OTHER },		/* MOV DS */
		{ { 0x90 }, 1, NEXT_OTHER },
	};
	u64 seed = 0x7c3a9f21d0b4e586;
	u32 i, round, n;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(table); i++)
	for (round = 0; round < 400; round++) {
		u32 count = round < ARRAY_SIZE(prefixes) ? 1 :
			    random32(&seed) % 17, address, length;
		enum next want = table[i].next, next;
		const char *r = row("row %u, round %u, %u prefixes", i, round,
				    count);
		bool changes = false;
		u8 code[32];

		memset(code, 0x90, sizeof(code));
		for (n = 0; n < count; n++) {
			u8 byte = prefixes[round < ARRAY_SIZE(prefixes) ? round :
					   random32(&seed) % 11];

			code[n] = byte;
			/* Another form, or another address: not emulated. */
			changes |= byte == 0x66 || byte == 0x67 ||
				   byte == 0xf2 || byte == 0xf3 ||
				   byte == 0x64 || byte == 0x65;
		}
		memcpy(code + count, table[i].code, table[i].n);
		if (want == NEXT_XRSTOR && changes)
			want = NEXT_LOADS_PKRU;
		/* Longer than an instruction can be. */
		if (count + table[i].n > 15)
			want = NEXT_OTHER;
		next = next_of(round & 1 ? USER : KERNEL, code, 32, &address,
			       &length);
		CHECK_EQ(r, next, want);
		if (want == NEXT_XRSTOR)
			CHECK_EQ(r, address, before.reg[EDI]);
		if (want == NEXT_XRSTOR || want == NEXT_PUSHF)
			CHECK_EQ(r, length, count + table[i].n);
	}
}

/* A load of SS counts as what follows it. */
static void next_behind_ss(void **state)
{
	static const struct {
		u8 code[12];
		u32 n;
		bool loads;
	} loads[] = {
		{ { 0x17 }, 1, true },				/* POP SS */
		{ { 0x66, 0x17 }, 2, true },
		{ { 0x8e, 0xd0 }, 2, true },			/* MOV SS, EAX */
		{ { 0x8e, 0x17 }, 2, true },			/* (EDI) */
		{ { 0x8e, 0x54, 0x24, 0x08 }, 4, true },
		{ { 0x8e, 0x15, 1, 2, 3, 4 }, 6, true },
		{ { 0x8e, 0x94, 0x85, 1, 2, 3, 4 }, 7, true },
		{ { 0x3e, 0x8e, 0xd0 }, 3, true },
		{ { 0x0f, 0xb2, 0x27 }, 3, true },		/* LSS */
		{ { 0x0f, 0xb2, 0x64, 0x24, 0x04 }, 5, true },
		{ { 0x17, 0x8e, 0xd0, 0x17 }, 4, true },
		{ { 0x8e, 0xd8 }, 2, false },			/* MOV DS */
		{ { 0x8e, 0xc0 }, 2, false },
		{ { 0x1f }, 1, false },				/* POP DS */
		{ { 0x0f, 0xb4, 0x27 }, 3, false },		/* LFS */
		{ { 0x0f, 0x17, 0x07 }, 3, false },		/* MOVHPS */
	};
	static const struct {
		u8 code[3];
		u32 n;
		enum next next;
	} then[] = {
		{ { 0x0f, 0x01, 0xef }, 3, NEXT_LOADS_PKRU },
		{ { 0x0f, 0xae, 0x2f }, 3, NEXT_LOADS_PKRU },
		{ { 0x9c }, 1, NEXT_PUSHF },
		{ { 0x66, 0x9c }, 2, NEXT_PUSHF },
		{ { 0x90 }, 1, NEXT_OTHER },
		{ { 0x0f, 0xae, 0xe8 }, 3, NEXT_OTHER },
	};
	u32 i, j, address, length;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(loads); i++)
	for (j = 0; j < ARRAY_SIZE(then); j++) {
		const char *r = row("row %u, then row %u", i, j);
		u8 code[16];

		memcpy(code, loads[i].code, loads[i].n);
		memcpy(code + loads[i].n, then[j].code, then[j].n);
		CHECK_EQ(r, next_of(KERNEL, code, loads[i].n + then[j].n,
				    &address, &length),
			 loads[i].loads ? then[j].next : NEXT_OTHER);
		if (loads[i].loads && then[j].next == NEXT_PUSHF)
			CHECK_EQ(r, length, loads[i].n + then[j].n);
	}
	/* Too many, or one that cannot be told: the worst. */
	CHECK_EQ("16 of them",
		 next_of(KERNEL, (const u8 *)"\x17\x17\x17\x17\x17\x17\x17\x17"
			 "\x17\x17\x17\x17\x17\x17\x17\x17", 16, &address,
			 &length), NEXT_LOADS_PKRU);
	CHECK_EQ("16-bit address",
		 next_of(KERNEL, (const u8 *)"\x67\x8e\x17\x90", 4, &address,
			 &length), NEXT_LOADS_PKRU);
}

/*
 * Where the next page is not mapped what lies before its border counts, and the
 * rest cannot be executed.
 */
static void next_truncated(void **state)
{
	static const struct {
		u8 code[9];
		u32 n;
		enum next next;
	} table[] = {
		{ { 0x0f, 0x01, 0xef }, 3, NEXT_LOADS_PKRU },
		{ { 0x0f, 0xae, 0x2f }, 3, NEXT_XRSTOR },
		{ { 0x0f, 0xae, 0x6c, 0x24, 0x10 }, 5, NEXT_XRSTOR },
		{ { 0x0f, 0xae, 0xac, 0x85, 1, 2, 3, 4 }, 8, NEXT_XRSTOR },
		{ { 0x0f, 0xae, 0x2d, 1, 2, 3, 4 }, 7, NEXT_XRSTOR },
		{ { 0x66, 0x9c }, 2, NEXT_PUSHF },
		{ { 0x8e, 0xd0, 0x0f, 0x01, 0xef }, 5, NEXT_LOADS_PKRU },
	};
	const u32 end = G_USER + 2 * PAGE_SIZE;
	u32 i, have, address, length;

	(void)state;
	guest_map(f, end, 0);
	for (i = 0; i < ARRAY_SIZE(table); i++)
	for (have = 0; have <= table[i].n; have++) {
		const char *r = row("row %u, %u bytes", i, have);

		guest_user(f);
		f->vm.cpu.eip = end - have;
		if (have)
			memcpy(guest_at(f, end - have), table[i].code, have);
		fake_forget(f);
		CHECK_EQ(r, core_next(&f->vm, &address, &length),
			 have == table[i].n ? table[i].next : NEXT_OTHER);
		CHECK_EQ(r, f->n_calls, 0);
		CHECK_EQ(r, f->vm.cpu.eip, end - have);
	}
	/* User code cannot look at its kernel's pages. */
	prepare(KERNEL, table[0].code, 3);
	CHECK_EQ("kernel", core_next(&f->vm, &address, &length),
		 NEXT_LOADS_PKRU);
	f->vm.cpu.cpl = 3;
	CHECK_EQ("user", core_next(&f->vm, &address, &length), NEXT_OTHER);
}

/* What core_page_fault() tells the host: what the page is used for. */
static void faults_are_told(void **state)
{
	static const u32 errors[] = {
		0, PFEC_W, PFEC_I, PFEC_P | PFEC_W, PFEC_P | PFEC_I,
	};
	u32 i, at, gpa = G_USER_GPA + PAGE_SIZE, large;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(errors); i++) {
		const char *r = row("error %#x", errors[i]);

		prepare(USER, (const u8[]){ 0x90 }, 1);
		core_page_fault(&f->vm, G_USER_CODE, errors[i]);
		CHECK_EQ(r, fake_used(f, gpa, PFEC_W), !!(errors[i] & PFEC_W));
		CHECK_EQ(r, fake_used(f, gpa, PFEC_I), !!(errors[i] & PFEC_I));
	}
	/* Around a fetch what the guest has read-only is code too. */
	for (i = 0; i < 8; i++)
		guest_map(f, G_USER + i * PAGE_SIZE,
			  (G_USER_GPA + i * PAGE_SIZE) | PTE_P | PTE_U |
			  (i < 6 ? PTE_A : 0) | (i & 1 ? PTE_W | PTE_D : 0));
	for (i = 0; i < 2; i++) {
		host_drop(&f->vm, 0, PLEX86_TOP);
		prepare(USER, (const u8[]){ 0x90 }, 1);
		core_page_fault(&f->vm, G_USER + 4 * PAGE_SIZE,
				i ? PFEC_I : 0);
		for (at = 0; at < 8; at++)
			CHECK_EQ(row("page %u, %u", at, i),
				 fake_used(f, G_USER_GPA + at * PAGE_SIZE, PFEC_I),
				 i && at < 6 && !(at & 1));
	}

	/* A large page comes whole, or in pieces of what the host wants. */
	large = (G_RAM & LARGE_MASK) | PTE_P | PTE_W | PTE_PS | PTE_D;
	memcpy(f->vm.ram + G_PD + (0x30000000 >> 22) * 4, &large, 4);
	f->piece = 0x40000;
	prepare(KERNEL, (const u8[]){ 0x90 }, 1);
	core_page_fault(&f->vm, 0x30000000 + 0x81234, PFEC_I);
	CHECK_EQ("piece", fake_count(f, CALL_FILL), 1);
	CHECK_EQ("piece", fake_call(f, CALL_FILL)->arg[0], 0x30080000);
	CHECK_EQ("piece", fake_call(f, CALL_FILL)->arg[1], 0x80000);
	CHECK_EQ("piece", fake_call(f, CALL_FILL)->arg[2], 0x40000);
	CHECK_EQ("piece", fake_call(f, CALL_FILL)->arg[3],
		 FILL_WRITABLE | FILL_PIECE);
	CHECK("piece", fake_used(f, 0x81000, PFEC_I));
	/* Where that changed what it is used for it is not filled again. */
	f->use_result = true;
	core_page_fault(&f->vm, 0x30000000 + 0x82000, PFEC_I);
	CHECK_EQ("filled", fake_count(f, CALL_FILL), 1);
	core_page_fault(&f->vm, 0x30000000 + 0xc0000, PFEC_I);
	CHECK_EQ("not filled", fake_count(f, CALL_FILL), 2);
	f->use_result = false;
	core_page_fault(&f->vm, 0x30000000 + 0x82000, PFEC_I);
	CHECK_EQ("changed nothing", fake_count(f, CALL_FILL), 3);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(mov_cr), TEST(cr_flushes), TEST(cr3_spaces),
		TEST(clts_and_lmsw),
		TEST(mov_dr), TEST(lgdt_and_lidt), TEST(lgdt_faults),
		TEST(ltr_and_lldt), TEST(xsetbv), TEST(wbinvd_and_invd),
		TEST(hlt), TEST(cli_and_sti), TEST(ports), TEST(not_emulated),
		TEST(privileged_in_user_mode), TEST(int_n),
		TEST(far_transfers), TEST(raw_iret), TEST(segment_loads),
		TEST(flat_segments), TEST(stack_segment),
		TEST(segment_load_faults), TEST(addresses), TEST(truncated),
		TEST(cr2_survives_decoding), TEST(longest_instruction),
		TEST(prefixes), TEST(cpuid_of_a_program), TEST(ud1),
		TEST(rdtsc), TEST(int_iret), TEST(other_undefined), TEST(next_stores),
		TEST(next_xrstor), TEST(next_prefixes), TEST(next_behind_ss),
		TEST(next_truncated), TEST(faults_are_told),
		TEST(next_sgdt_sidt), TEST(next_unknown), TEST(fills),
		TEST(fills_around), TEST(window_borders),
		TEST(neighbour_refused), TEST(fills_agree), TEST(fills_unpaged),
		TEST(fills_large), TEST(large_pages), TEST(refill),
		TEST(refill_of_nothing), TEST(refill_when), TEST(refill_around),
		TEST(touch), TEST(fill_refused), TEST(fault_in_top),
		TEST(random_code),
	};

	return RUN_TESTS("emulate", tests, NULL, NULL);
}
