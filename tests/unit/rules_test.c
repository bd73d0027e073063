// SPDX-License-Identifier: GPL-2.0
/*
 * scanner/rules.c against what it speaks of: every opcode of one and two bytes,
 * with every ModRM byte and some prefixes, is judged, and given to core/emulate.c;
 * and every CPU feature that keeps an instruction from being executed is looked
 * for in what core/cpuid.c offers of a CPU that has everything.
 */
#include "guest.h"
#include "image.h"
#include "scanner.h"
#include "unit.h"

#include <Zydis/Zydis.h>
#include <stdlib.h>

#define DATA		(G_DATA + 0x18)	/* low half: the kernel's data selector */

static struct fake *f;
static struct vcpu before;
static ZydisDecoder decoder;
static u16 selectors[PAGE_SIZE / sizeof(u16)];	/* a page of them */

static int setup(void **state)
{
	u32 i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(selectors); i++)
		selectors[i] = 0x18;
	f = guest_new();
	guest_kernel(f);
	before = f->vm.cpu;
	rules_decoder(&decoder);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	fake_free(f);
	return 0;
}

/* Puts the guest before @code, with operands that make a trap succeed. */
static void prepare(const u8 *code, bool xsetbv)
{
	u32 i;

	f->vm.cpu = before;
	f->vm.cpu.cr4 &= ~CR4_PCIDE;
	for (i = 0; i < 8; i++)
		f->vm.cpu.reg[i] = DATA;
	if (xsetbv) {
		f->vm.cpu.cr4 |= CR4_OSXSAVE;
		f->vm.cpu.reg[ECX] = 0;
		f->vm.cpu.reg[EDX] = 0;
		f->vm.cpu.reg[EAX] = 1;
		f->vm.cpuid.xcr0_allowed = 7;
	}
	f->vif = true;
	memcpy(guest_at(f, G_CODE), code, INSN_MAX);
	memcpy(guest_at(f, G_DATA), selectors, sizeof(selectors));
	f->vm.cpu.eip = G_CODE;
	memset(&f->vm.end, 0, sizeof(f->vm.end));
	fake_forget(f);
}

/* SIB and displacement, such that a memory operand lies at or near DATA. */
static void put_operand(u8 *at, u8 modrm)
{
	const u32 mod = modrm >> 6, rm = modrm & 7, data = DATA;

	if (mod != 3 && rm == 4)
		*at = 0x24;		/* (%esp); what follows is 0 */
	else if (mod == 0 && rm == 5)
		memcpy(at, &data, sizeof(data));
}

static bool emulated(u32 vector)
{
	return f->vm.end.how == END_NOT && !guest_delivered(f, vector);
}

/*
 * What traps and what the emulator does of it: the rules differ on purpose in
 * IN and OUT, which go nowhere, and IRET, of which not all trap. RDTSC is not
 * listed, because it traps in no kernel that the ABI allows. XRSTOR does not get
 * there by #GP.
 */
static bool differs(const char *name, const ZydisDecodedInstruction *insn)
{
	if (insn->mnemonic == ZYDIS_MNEMONIC_RDTSC)
		return true;
	return name && (!strcmp(name, "IN") || !strcmp(name, "OUT") ||
			!strcmp(name, "IRET") || !strcmp(name, "XRSTOR") ||
			!strncmp(name, "UD1 ", 4));
}

static void one(const u8 *code, u32 prefixes, u32 *compared, u32 *done)
{
	ZydisDecodedInstruction insn;
	struct judged judged;
	bool did;

	if (ZYAN_FAILED(ZydisDecoderDecodeInstruction(&decoder, NULL, code,
						      INSN_MAX, &insn)) ||
	    insn.raw.prefix_count != prefixes)
		return;
	judged = rules_judge(&insn, code, false);
	if (differs(judged.name, &insn))
		return;
	prepare(code, insn.mnemonic == ZYDIS_MNEMONIC_XSETBV);
	core_general_protection(&f->vm, 0);
	did = emulated(VEC_GP);
	CHECK_EQ(row("%02x %02x %02x %02x (%s)", code[0], code[1], code[2],
		     code[3], judged.name ? judged.name : "-"), did,
		 judged.name && judged.verdict == VERDICT_EMULATED);
	++*compared;
	*done += did;
}

static void the_same_traps(void **state)
{
	static const u8 prefixes[] = { 0, 0x66, 0x67, 0x65, 0x2e, 0xf3 };
	u32 p, two, op, modrm, compared = 0, done = 0;

	(void)state;
	for (p = 0; p < ARRAY_SIZE(prefixes); p++)
	for (two = 0; two < 2; two++)
	for (op = 0; op < 256; op++)
	for (modrm = 0; modrm < 256; modrm++) {
		u8 code[INSN_MAX] = { 0 };
		u32 n = 0;

		if (prefixes[p])
			code[n++] = prefixes[p];
		if (two)
			code[n++] = 0x0f;
		code[n++] = (u8)op;
		code[n++] = (u8)modrm;
		put_operand(code + n, (u8)modrm);
		if (!two && op == 0xea)		/* the selector of a far jump */
			code[n + 3] = 0x18;
		one(code, prefixes[p] != 0, &compared, &done);
	}
	print_message("# %u compared, %u are emulated\n", compared, done);
	CHECK("enough", compared > 300000 && done > 3000);
}

/* Behind UD1 NEXT, which is #UD. */
static void the_same_next(void **state)
{
	u32 op, modrm, done = 0;

	(void)state;
	for (op = 0; op < 256; op++)
	for (modrm = 0; modrm < 256; modrm++) {
		u8 code[INSN_MAX] = { 0x0f, 0xb9, PLEX86_UD1_NEXT, 0x0f,
				      (u8)op, (u8)modrm };
		ZydisDecodedInstruction insn;
		struct judged judged;
		bool did;

		put_operand(code + 6, (u8)modrm);
		if (ZYAN_FAILED(ZydisDecoderDecodeInstruction(&decoder, NULL,
				code + 3, INSN_MAX - 3, &insn)))
			continue;
		judged = rules_judge(&insn, code + 3, true);
		prepare(code, false);
		core_undefined(&f->vm);
		did = emulated(VEC_UD);
		CHECK_EQ(row("ud1 0f %02x %02x (%s)", op, modrm,
			     judged.name ? judged.name : "-"), did,
			 judged.by_next);
		done += did;
	}
	/* LAR, LSL; SLDT, STR, VERR, VERW; SGDT, SIDT in memory; SMSW. */
	CHECK_EQ("all", done, 2 * 256 + 4 * 32 + 2 * 24 + 32);
}

/* A CPU with every bit of CPUID set, but for the numbers of leaves. */
static void everything(u32 leaf, u32 subleaf, struct cpuid_leaf *out)
{
	(void)subleaf;
	memset(out, 0xff, sizeof(*out));
	if (leaf == 0)
		out->eax = 0x20;
	if (leaf == 0x80000000)
		out->eax = 0x80000020;
	if (leaf == 4 || leaf == 0xb)
		out->eax = 0;
}

static void hidden_features(void **state)
{
	const struct feature *feature;
	const char *name;
	u32 n;

	(void)state;
	core_cpuid_build(&f->vm.cpuid, everything, 0xe7);
	for (n = 0; (feature = rules_hidden(n, &name)); n++) {
		struct cpuid_leaf leaf;
		u32 regs[4];

		core_cpuid(&f->vm, feature->leaf, feature->subleaf, &leaf);
		regs[REG_EAX] = leaf.eax;
		regs[REG_EBX] = leaf.ebx;
		regs[REG_ECX] = leaf.ecx;
		regs[REG_EDX] = leaf.edx;
		CHECK_EQ(name, regs[feature->reg] & feature->mask, 0);
		CHECK(name, feature->mask != 0);
	}
	CHECK("enough", n > 20);
	/* And one that is offered is seen. */
	{
		struct cpuid_leaf leaf;

		core_cpuid(&f->vm, 1, 0, &leaf);
		CHECK("TSC", leaf.edx & 0x10);
	}
}

/* What the name of a function, and the configuration, change. */
static void reach(void **state)
{
	static const char guest[] = "CONFIG_PLEX86_GUEST=y\n# CONFIG_PCI is not set\nCONFIG_IO_DELAY_NONE=y\n";
	static const char bus[] = "CONFIG_PLEX86_GUEST=y\nCONFIG_PCI=y\n";
	static const struct {
		const char *function, *config;
		bool named;
		enum reach reach;
		enum verdict want;
	} table[] = {
		{ "i8259A_irq_pending", guest, true, REACH_PORT, VERDICT_UNREACHABLE },
		{ "mask_8259A", guest, true, REACH_PORT, VERDICT_UNREACHABLE },
		{ "probe_8259A.cold", guest, true, REACH_PORT, VERDICT_UNREACHABLE },
		{ "i8259A_irq_pending", "CONFIG_PLEX86_GUESTS=y\n", true, REACH_PORT, VERDICT_FAULT },
		{ "i8259A_irq_pending", NULL, true, REACH_PORT, VERDICT_FAULT },
		{ "i8259A_irq_pending", guest, false, REACH_PORT, VERDICT_FAULT },
		{ "ioread8", guest, true, REACH_PORT, VERDICT_UNREACHABLE },
		{ "ioread8", bus, true, REACH_PORT, VERDICT_FAULT },
		{ "native_io_delay", guest, true, REACH_PORT, VERDICT_UNREACHABLE },
		{ "native_io_delay", bus, true, REACH_PORT, VERDICT_FAULT },
		{ "some_driver_probe", guest, true, REACH_PORT, VERDICT_FAULT },
		{ "my_ioread8", guest, true, REACH_PORT, VERDICT_FAULT },
		{ NULL, guest, true, REACH_PORT, VERDICT_FAULT },
		{ "handle_exception", guest, true, REACH_SS, VERDICT_NATIVE },
		{ "handle_exception", guest, true, REACH_PORT, VERDICT_FAULT },
		{ "ioread8", guest, true, REACH_SS, VERDICT_FAULT },
		{ "entry_ibpb", guest, true, REACH_MSR, VERDICT_UNREACHABLE },
		{ "entry_ibpb", guest, true, REACH_PORT, VERDICT_FAULT },
		{ "verify_cpu", guest, true, REACH_MSR, VERDICT_UNREACHABLE },
		{ "verify_cpu", "CONFIG_SMP=y\n", true, REACH_MSR, VERDICT_FAULT },
		{ "some_driver_probe", guest, true, REACH_MSR, VERDICT_FAULT },
	};
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(table); i++) {
		struct judged judged = {
			.name = "x", .verdict = VERDICT_FAULT, .why = "x",
			.reach = table[i].reach,
		};
		struct where where = { ".text", table[i].function, false };

		rules_reach(&judged, &where, table[i].named, table[i].config);
		CHECK_EQ(row("row %zu", i), judged.verdict, table[i].want);
		CHECK_EQ(row("row %zu", i), judged.option != NULL,
			 table[i].want == VERDICT_UNREACHABLE);
	}
	for (i = REACH_PORT; i <= REACH_MSR; i++) {
		struct judged judged = { .verdict = VERDICT_FAULT, .reach = i };
		struct where where = { ".text", "some_driver_probe", true };

		rules_reach(&judged, &where, true, guest);
		CHECK_EQ(row("caught %zu", i), judged.verdict == VERDICT_EMULATED,
			 i == REACH_MSR);
		judged = (struct judged){ .verdict = VERDICT_FAULT, .reach = i };
		where = (struct where){ ".altinstr_replacement", NULL, false };
		rules_reach(&judged, &where, false, guest);
		CHECK_EQ(row("section %zu", i),
			 judged.verdict == VERDICT_UNREACHABLE, i == REACH_MSR);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_same_traps),
		cmocka_unit_test(the_same_next),
		cmocka_unit_test(hidden_features),
		cmocka_unit_test(reach),
	};

	return RUN_TESTS("rules", tests, setup, teardown);
}
