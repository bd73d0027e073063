// SPDX-License-Identifier: GPL-2.0
/*
 * The instructions that the host does for the guest, core/emulate.c, against
 * Unicorn (QEMU's translator), which does the same one on the same registers and
 * memory; and the decoder against Zydis.
 *
 * The input is the mode, up to 15 bytes of an instruction, registers, descriptors
 * and data. What is left to the host by the contract (abi/plex86-abi.md, "The virtual
 * CPU") is not compared; see leave(). Every other instruction is gone through
 * too, for the sanitizers.
 *
 * Unicorn 2.0.1 checks a linear address against what is mapped as physical ones, so
 * it runs without paging: the guest's RAM is mapped where its page tables have it.
 * Those are page_fuzz.c's. Nor does it notice code that was changed: so each is
 * put where none was before, and a jump to such a place has it begin anew.
 */
#include "fuzz.h"
#include "guest.h"

#include <Zydis/Zydis.h>
#include <unicorn/unicorn.h>

#define SLOTS_GPA	0x80000u	/* for code; it is read beyond its end */
#define SLOT_BYTES	32u
#define SLOTS		((G_RAM - SLOTS_GPA - PAGE_SIZE) / SLOT_BYTES)
#define USER_SLOTS	(G_USER + 0x100000)
#define RAM_PAGES_HERE	(G_RAM / PAGE_SIZE)
#define DESCRIPTORS	9u		/* entries of the GDT from here on are the input's */
#define DATA_BYTES	64u

/* How one is compared. */
enum kind {
	NONE,		/* not at all */
	PORT,		/* by hand: Unicorn has no bus */
	PLAIN,		/* all registers and memory */
	SEGMENT,	/* the host's descriptors decide, too */
	FAR,		/* to the kernel's code segment */
	IRET,
	TABLE,		/* LLDT and LTR take any descriptor */
};

static const struct {
	ZydisMnemonic mnemonic;
	enum kind kind;
	bool next;	/* behind UD1 NEXT */
	bool user;	/* in user mode too */
} known[] = {
	{ ZYDIS_MNEMONIC_CLI, PLAIN, false, false },
	{ ZYDIS_MNEMONIC_STI, PLAIN, false, false },
	{ ZYDIS_MNEMONIC_HLT, PLAIN, false, false },
	{ ZYDIS_MNEMONIC_IN, PORT, false, false },
	{ ZYDIS_MNEMONIC_OUT, PORT, false, false },
	{ ZYDIS_MNEMONIC_CLTS, PLAIN, false, false },
	{ ZYDIS_MNEMONIC_LMSW, PLAIN, false, false },
	{ ZYDIS_MNEMONIC_LGDT, PLAIN, false, false },
	{ ZYDIS_MNEMONIC_LIDT, PLAIN, false, false },
	{ ZYDIS_MNEMONIC_LLDT, TABLE, false, false },
	{ ZYDIS_MNEMONIC_LTR, TABLE, false, false },
	{ ZYDIS_MNEMONIC_INVD, PLAIN, false, false },
	{ ZYDIS_MNEMONIC_WBINVD, PLAIN, false, false },
	{ ZYDIS_MNEMONIC_INVLPG, PLAIN, false, false },
	{ ZYDIS_MNEMONIC_JMP, FAR, false, false },
	{ ZYDIS_MNEMONIC_RET, FAR, false, false },
	{ ZYDIS_MNEMONIC_IRETD, IRET, false, false },
	{ ZYDIS_MNEMONIC_MOV, SEGMENT, false, true },
	{ ZYDIS_MNEMONIC_POP, SEGMENT, false, true },
	{ ZYDIS_MNEMONIC_LDS, SEGMENT, false, true },
	{ ZYDIS_MNEMONIC_LES, SEGMENT, false, true },
	{ ZYDIS_MNEMONIC_LFS, SEGMENT, false, true },
	{ ZYDIS_MNEMONIC_LGS, SEGMENT, false, true },
	{ ZYDIS_MNEMONIC_LSS, SEGMENT, false, true },
	{ ZYDIS_MNEMONIC_SGDT, PLAIN, true, false },
	{ ZYDIS_MNEMONIC_SIDT, PLAIN, true, false },
	{ ZYDIS_MNEMONIC_SLDT, PLAIN, true, false },
	{ ZYDIS_MNEMONIC_STR, PLAIN, true, false },
	{ ZYDIS_MNEMONIC_SMSW, PLAIN, true, false },
	{ ZYDIS_MNEMONIC_LAR, PLAIN, true, true },
	{ ZYDIS_MNEMONIC_LSL, PLAIN, true, true },
	{ ZYDIS_MNEMONIC_VERR, PLAIN, true, true },
	{ ZYDIS_MNEMONIC_VERW, PLAIN, true, true },
};

/* The instruction of the input. */
static struct {
	u8 byte[INSN_MAX];
	bool user;
	const u8 *op;		/* behind the prefixes */
	ZydisDecodedInstruction insn;
	enum kind kind;
	bool next;
} it;

static struct fake *f;
static struct vcpu fresh, before;
static u8 *theirs;			/* RAM as Unicorn has it */
static u8 *pristine;
static bool touched[RAM_PAGES_HERE];
static u32 slot;
static bool stale;			/* Unicorn has seen a slot before its code */

static uc_engine *uc;
static uc_context *contexts[2];		/* of the kernel, and of user mode */

/* What Unicorn made of it. */
static struct {
	int vector;			/* -1: none */
	u32 fault_at, fault_error;	/* of a page fault */
	bool kernel_memory;		/* touched in user mode */
	u32 reg[8], eip, eflags, cr0, cr2, cr3, cr4, cs;
	uc_x86_mmr gdt, idt, tr, ldtr;
} ref;

static const int reg_ids[8] = {
	UC_X86_REG_EAX, UC_X86_REG_ECX, UC_X86_REG_EDX, UC_X86_REG_EBX,
	UC_X86_REG_ESP, UC_X86_REG_EBP, UC_X86_REG_ESI, UC_X86_REG_EDI,
};

/*
 * Unicorn.
 */

static void on_interrupt(uc_engine *engine, uint32_t vector, void *unused)
{
	(void)unused;
	ref.vector = (int)vector;
	uc_emu_stop(engine);
}

static bool on_unmapped(uc_engine *engine, uc_mem_type type, uint64_t at, int bytes,
			int64_t value, void *unused)
{
	(void)engine;
	(void)bytes;
	(void)value;
	(void)unused;
	/* That is the next instruction, behind a jump. */
	if (type == UC_MEM_FETCH_UNMAPPED)
		return false;
	ref.vector = VEC_PF;
	ref.fault_at = (u32)at;
	ref.fault_error = type == UC_MEM_WRITE_UNMAPPED ? PFEC_W : 0;
	return false;
}

/* In user mode the kernel's half faults, but for what the CPU reads for itself. */
static void on_access(uc_engine *engine, uc_mem_type type, uint64_t at, int bytes,
		      int64_t value, void *unused)
{
	u32 gpa;

	(void)engine;
	(void)value;
	(void)unused;
	if (it.user && at >= G_KERNEL)
		ref.kernel_memory = true;
	if (type != UC_MEM_WRITE)
		return;
	gpa = at >= G_KERNEL ? (u32)at - G_KERNEL : (u32)at - G_USER + G_USER_GPA;
	touched[gpa / PAGE_SIZE % RAM_PAGES_HERE] = true;
	touched[(gpa + (u32)bytes - 1) / PAGE_SIZE % RAM_PAGES_HERE] = true;
}

static void good(uc_err err)
{
	CHECK_STR("Unicorn", err ? uc_strerror(err) : NULL, NULL);
}

static void set_reg(int id, u32 value)
{
	good(uc_reg_write(uc, id, &value));
}

static u32 get_reg(int id)
{
	u32 value = 0;

	good(uc_reg_read(uc, id, &value));
	return value;
}

static void set_segments(const u32 selector)
{
	static const int ids[] = {
		UC_X86_REG_DS, UC_X86_REG_ES, UC_X86_REG_FS, UC_X86_REG_GS,
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(ids); i++)
		set_reg(ids[i], selector);
}

/* Makes an engine, in kernel mode and in user mode, at the first slot. */
static void start_unicorn(void)
{
	static const u32 to_user[5] = { USER_SLOTS, 0x23, 2, G_USER_STACK, 0x2b };
	uc_x86_mmr gdt = { .base = G_KERNEL + G_GDT, .limit = G_GDT_ENTRIES * 8 - 1 };
	uc_hook hook;

	if (uc) {
		good(uc_context_free(contexts[0]));
		good(uc_context_free(contexts[1]));
		good(uc_close(uc));
	}
	slot = 1;		/* the first is for IRET */
	stale = false;
	good(uc_open(UC_ARCH_X86, UC_MODE_32, &uc));
	good(uc_mem_map_ptr(uc, G_KERNEL, G_RAM, UC_PROT_ALL, theirs));
	good(uc_mem_map_ptr(uc, G_USER, G_USER_PAGES * PAGE_SIZE, UC_PROT_ALL,
			  theirs + G_USER_GPA));
	good(uc_mem_map_ptr(uc, USER_SLOTS, G_RAM - SLOTS_GPA, UC_PROT_ALL,
			  theirs + SLOTS_GPA));
	good(uc_hook_add(uc, &hook, UC_HOOK_INTR, (void *)on_interrupt, NULL, 1, 0));
	good(uc_hook_add(uc, &hook, UC_HOOK_MEM_UNMAPPED, (void *)on_unmapped, NULL,
		       1, 0));
	good(uc_hook_add(uc, &hook, UC_HOOK_MEM_READ | UC_HOOK_MEM_WRITE,
		       (void *)on_access, NULL, 1, 0));
	good(uc_reg_write(uc, UC_X86_REG_GDTR, &gdt));
	set_reg(UC_X86_REG_CS, 0x10);
	set_reg(UC_X86_REG_SS, 0x18);
	set_segments(0x18);
	set_reg(UC_X86_REG_CR0, CR0_PE | CR0_ET | CR0_WP);
	set_reg(UC_X86_REG_CR4, CR4_PSE | CR4_PGE);
	good(uc_context_alloc(uc, &contexts[0]));
	good(uc_context_save(uc, contexts[0]));

	theirs[SLOTS_GPA] = 0xcf;
	memcpy(theirs + G_STACK - G_KERNEL - sizeof(to_user), to_user, sizeof(to_user));
	set_reg(UC_X86_REG_ESP, G_STACK - sizeof(to_user));
	set_segments(0x2b);
	good(uc_emu_start(uc, G_KERNEL + SLOTS_GPA, 0, 0, 1));
	CHECK_EQ("user mode", get_reg(UC_X86_REG_CS), 0x23);
	good(uc_context_alloc(uc, &contexts[1]));
	good(uc_context_save(uc, contexts[1]));
	memcpy(theirs, pristine, G_RAM);
}

static bool in_slots(u32 eip)
{
	return eip - (G_KERNEL + SLOTS_GPA) < G_RAM - SLOTS_GPA ||
	       eip - USER_SLOTS < G_RAM - SLOTS_GPA;
}

/* MOV to or from CR0. */
static bool moves_cr0(void)
{
	return it.op[0] == 0x0f && (it.op[1] & 0xfd) == 0x20 && !(it.op[2] & 0x38);
}

static bool jumps(void)
{
	return it.kind == FAR || it.kind == IRET;
}

static void run_unicorn(u32 eip)
{
	uc_x86_mmr table;
	uc_err err;
	u32 i;

	memset(&ref, 0, sizeof(ref));
	ref.vector = -1;
	good(uc_context_restore(uc, contexts[it.user]));
	for (i = 0; i < 8; i++)
		set_reg(reg_ids[i], before.reg[i]);
	/* It must stay without paging. */
	if (moves_cr0())
		set_reg(reg_ids[it.op[2] & 7], before.reg[it.op[2] & 7] & ~CR0_PG);
	for (i = 0; i < 4; i++)
		set_reg(UC_X86_REG_DR0 + (int)i, before.dr[i]);
	set_reg(UC_X86_REG_EFLAGS, before.eflags | (f->vif ? FL_IF : 0));
	set_reg(UC_X86_REG_CR2, before.cr2);
	set_reg(UC_X86_REG_CR3, before.cr3);
	table = (uc_x86_mmr){ .base = before.idt.base, .limit = before.idt.limit };
	good(uc_reg_write(uc, UC_X86_REG_IDTR, &table));
	/* No LDT: its limit is 0. */
	table = (uc_x86_mmr){ .selector = (u16)before.ldtr, .flags = 0x8200 };
	good(uc_reg_write(uc, UC_X86_REG_LDTR, &table));
	table = (uc_x86_mmr){ .selector = (u16)before.tr, .base = before.tss_base,
			      .limit = 0x67, .flags = 0x8b00 };
	good(uc_reg_write(uc, UC_X86_REG_TR, &table));
	err = uc_emu_start(uc, eip, 0, 0, 1);
	for (i = 0; i < 8; i++)
		ref.reg[i] = get_reg(reg_ids[i]);
	ref.eip = get_reg(UC_X86_REG_EIP);
	ref.eflags = get_reg(UC_X86_REG_EFLAGS);
	ref.cr0 = get_reg(UC_X86_REG_CR0);
	ref.cr2 = get_reg(UC_X86_REG_CR2);
	ref.cr3 = get_reg(UC_X86_REG_CR3);
	ref.cr4 = get_reg(UC_X86_REG_CR4);
	ref.cs = get_reg(UC_X86_REG_CS);
	good(uc_reg_read(uc, UC_X86_REG_GDTR, &ref.gdt));
	good(uc_reg_read(uc, UC_X86_REG_IDTR, &ref.idt));
	good(uc_reg_read(uc, UC_X86_REG_TR, &ref.tr));
	good(uc_reg_read(uc, UC_X86_REG_LDTR, &ref.ldtr));
	/* What it has jumped to it has translated too. */
	stale = jumps() && ref.vector < 0 && !err && in_slots(ref.eip);
	/* It says so, or stays where it is. */
	if (ref.vector < 0 && (err == UC_ERR_INSN_INVALID || ref.eip == eip))
		ref.vector = VEC_UD;
}

/*
 * The guest of the tests, here and there.
 */

static void poke(u32 gpa, const void *from, u32 bytes)
{
	memcpy(f->vm.ram + gpa, from, bytes);
	memcpy(theirs + gpa, from, bytes);
	touched[gpa / PAGE_SIZE] = true;
	touched[(gpa + bytes - 1) / PAGE_SIZE] = true;
}

static void start(void)
{
	u32 i;

	f = guest_new();
	for (i = 0; i < G_RAM - SLOTS_GPA; i += PAGE_SIZE)
		guest_map(f, USER_SLOTS + i,
			  (SLOTS_GPA + i) | PTE_P | PTE_W | PTE_U);
	/* Accessed and dirty all, so that a walk changes nothing. */
	for (i = 0; i < 3 * PAGE_SIZE; i += 4) {
		u32 *entry = (u32 *)(void *)(f->vm.ram + G_PD + i);

		if (*entry & PTE_P)
			*entry |= PTE_A | PTE_D;
	}
	fresh = f->vm.cpu;
	pristine = malloc(G_RAM);
	memcpy(pristine, f->vm.ram, G_RAM);
	theirs = aligned_alloc(PAGE_SIZE, G_RAM);
	memcpy(theirs, pristine, G_RAM);
	start_unicorn();
}

/* All pages that were written are as they were. */
static void restore(void)
{
	u32 i;

	for (i = 0; i < f->n_uses && i < USES_MAX; i++)
		touched[f->uses[i].gpa / PAGE_SIZE] = true;
	for (i = 0; i < RAM_PAGES_HERE; i++) {
		if (!touched[i])
			continue;
		memcpy(f->vm.ram + i * PAGE_SIZE, pristine + i * PAGE_SIZE, PAGE_SIZE);
		memcpy(theirs + i * PAGE_SIZE, pristine + i * PAGE_SIZE, PAGE_SIZE);
		touched[i] = false;
	}
	memset(&f->vm.end, 0, sizeof(f->vm.end));
	f->vm.stepped = false;
	f->vm.refill = false;
	fake_forget(f);
}

static bool has_prefix(u8 byte)
{
	u32 i;

	for (i = 0; i < it.insn.raw.prefix_count; i++)
		if (it.byte[i] == byte)
			return true;
	return false;
}

/* What is it, by Zydis? */
static void decode(void)
{
	static ZydisDecoder decoder;
	size_t i;

	if (!decoder.machine_mode)
		ZydisDecoderInit(&decoder, ZYDIS_MACHINE_MODE_LEGACY_32,
				 ZYDIS_STACK_WIDTH_32);
	if (ZYAN_FAILED(ZydisDecoderDecodeInstruction(&decoder, NULL, it.byte,
			sizeof(it.byte), &it.insn)))
		return;
	it.op = it.byte + it.insn.raw.prefix_count;
	for (i = 0; i < ARRAY_SIZE(known); i++) {
		if (it.insn.mnemonic != known[i].mnemonic)
			continue;
		it.next = known[i].next;
		if (it.user && !known[i].user)
			break;
		it.kind = known[i].kind;
	}
	/* Which of those that are so called. */
	switch (it.insn.mnemonic) {
	case ZYDIS_MNEMONIC_MOV:
		if (it.op[0] == 0x0f && !it.user)
			it.kind = PLAIN;
		else if (it.op[0] != 0x8e)
			it.kind = NONE;
		/* Unicorn crashes of DR7, which is DR5 too, and has no fixed bits. */
		if (it.op[0] == 0x0f && (it.op[1] & 1) && (it.op[2] & 0x20))
			it.kind = NONE;
		break;
	case ZYDIS_MNEMONIC_POP:
		if (it.op[0] == 0x8f || (it.op[0] & 0xf8) == 0x58)
			it.kind = NONE;
		break;
	case ZYDIS_MNEMONIC_JMP:
		if (it.op[0] != 0xea)
			it.kind = NONE;
		break;
	case ZYDIS_MNEMONIC_RET:
		if (it.op[0] != 0xcb)
			it.kind = NONE;
		break;
	default:
		break;
	}
	/* Not in a kernel without segments: the address is another. */
	if (has_prefix(0x64) || has_prefix(0x65) || has_prefix(0x67) ||
	    has_prefix(0xf0))
		it.kind = NONE;
	/* They store 32 bits of base, as CPUs do; Unicorn 24, as the manual has it. */
	if ((it.insn.mnemonic == ZYDIS_MNEMONIC_SGDT ||
	     it.insn.mnemonic == ZYDIS_MNEMONIC_SIDT) && has_prefix(0x66))
		it.kind = NONE;
	/* Far transfers are of 32 bits. */
	if (jumps() && has_prefix(0x66))
		it.kind = NONE;
}

/* A register's value: anything, or an address in the data. */
static u32 some_value(struct input *in)
{
	u32 value = take32(in);

	if (value >> 31)
		return value;
	return (it.user ? G_USER_DATA : G_DATA) + (value & 0xff) - 0x20;
}

/* The input: everything but where the code is. */
static void take_input(struct input *in)
{
	u8 mode = take8(in), data[DATA_BYTES];
	struct vcpu *cpu = &f->vm.cpu;
	static const u64 none;
	u64 descriptor;
	u32 i;

	memset(&it, 0, sizeof(it));
	it.user = mode & 1;
	take(in, it.byte, sizeof(it.byte));
	decode();
	*cpu = fresh;
	if (it.user)
		guest_user(f);
	else
		guest_kernel(f);
	for (i = 0; i < 8; i++)
		if (i != ESP)
			cpu->reg[i] = some_value(in);
	f->vif = it.user || (mode & 2);
	f->segment_result = mode & 4 ? -1 : 0;
	cpu->eflags = (take32(in) & FL_CARRIED & ~(FL_TF | FL_NT | FL_RF | FL_AC)) | 2;
	for (i = 0; i < 4; i++)
		cpu->dr[i] = take32(in);
	cpu->tr = take16(in);
	cpu->ldtr = take16(in);
	/* System descriptors are for LTR and LLDT; none else sees them here. */
	if (it.next)
		poke(G_GDT + 8 * 8, &none, sizeof(none));
	for (i = 0; i < 3; i++) {
		descriptor = take64(in);
		if (it.next)
			descriptor |= 1ull << 44;
		poke(G_GDT + (DESCRIPTORS + i) * 8, &descriptor, sizeof(descriptor));
	}
	take(in, data, sizeof(data));
	poke((it.user ? G_USER_DATA - G_USER + G_USER_GPA : G_DATA - G_KERNEL) - 0x20,
	     data, sizeof(data));
	take(in, data, 20);
	poke(cpu->reg[ESP] - (it.user ? G_USER - G_USER_GPA : G_KERNEL), data, 20);
}

/*
 * The comparison.
 */

/* Was an exception raised, and all else left alone? */
static void raised(const char *r, u32 vector, s64 error)
{
	struct expected e = { vector, error, before.eip };

	guest_expect(r, f, &e, &before);
}

static bool injected(void)
{
	return f->vm.cpu.eip >= G_HANDLERS &&
	       f->vm.cpu.eip < G_HANDLERS + 16 * 256 && !f->vm.cpu.cpl;
}

/*
 * Is it one whose result the contract leaves to the host?  Or a far jump to itself,
 * which looks like an invalid one.
 */
static bool leave(void)
{
	bool done = !injected();

	switch (it.kind) {
	case SEGMENT:
		/* The host's descriptors count, and SS is virtual. */
		return ref.vector != VEC_PF && (ref.vector >= 0 || !done);
	case FAR:
		return ref.vector != VEC_PF && (ref.vector >= 0 || ref.cs != 0x10);
	case IRET:
		return (ref.vector != VEC_PF && ref.vector >= 0) ||
		       (ref.cs != 0x10 && ref.cs != 0x23) || ref.eflags & FL_VM;
	case TABLE:
		/* Of any type, present or not. */
		return ref.vector != VEC_PF && ref.vector >= 0 &&
		       ref.vector != VEC_UD;
	default:
		return false;
	}
}

static void same_registers(const char *r)
{
	const struct vcpu *cpu = &f->vm.cpu;
	u32 i;

	for (i = 0; i < 8; i++) {
		u32 mask = ~0u;

		/* Unicorn is without paging; and what the manual calls undefined. */
		if (moves_cr0())
			mask = ~CR0_PG;
		if (it.insn.mnemonic == ZYDIS_MNEMONIC_SMSW)
			mask = i == it.insn.raw.modrm.rm ? 0xffff : ~0u;
		if (it.insn.mnemonic == ZYDIS_MNEMONIC_LAR)
			mask = ~0x000f0000u;
		CHECK_EQ(r, cpu->reg[i] & mask, ref.reg[i] & mask);
	}
	CHECK_EQ(r, cpu->eflags & FL_CARRIED & ~FL_RF,
		 ref.eflags & FL_CARRIED & ~FL_RF);
	CHECK_EQ(r, (cpu->cr0 ^ ref.cr0) & ~(CR0_PG | CR0_PE), 0);
	CHECK_EQ(r, cpu->cr2, ref.cr2);
	CHECK_EQ(r, cpu->cr3, ref.cr3);
	CHECK_EQ(r, (cpu->cr4 ^ ref.cr4) & (CR4_PSE | CR4_PGE | CR4_TSD), 0);
	for (i = 0; i < 4; i++)
		CHECK_EQ(r, cpu->dr[i], get_reg(UC_X86_REG_DR0 + (int)i));
	CHECK_EQ(r, cpu->gdt.base, ref.gdt.base);
	CHECK_EQ(r, cpu->gdt.limit, ref.gdt.limit);
	CHECK_EQ(r, cpu->idt.base, ref.idt.base);
	CHECK_EQ(r, cpu->idt.limit, ref.idt.limit);
	if (it.insn.mnemonic == ZYDIS_MNEMONIC_LTR) {
		CHECK_EQ(r, cpu->tr, ref.tr.selector);
		CHECK_EQ(r, cpu->tss_base, ref.tr.base);
	}
	if (it.insn.mnemonic == ZYDIS_MNEMONIC_LLDT)
		CHECK_EQ(r, cpu->ldtr, ref.ldtr.selector);
	if (it.kind == IRET)
		CHECK_EQ(r, cpu->cpl, ref.cs & 3);
	if (!cpu->cpl)
		CHECK_EQ(r, f->vif, !!(ref.eflags & FL_IF));
}

static void same_memory(const char *r)
{
	u32 i;

	for (i = 0; i < f->n_uses && i < USES_MAX; i++)
		touched[f->uses[i].gpa / PAGE_SIZE] = true;
	/* LTR's busy bit is not the host's; a segment's accessed bit is hardware's. */
	if (it.kind == TABLE || it.kind == SEGMENT || jumps())
		touched[G_GDT / PAGE_SIZE] = false;
	for (i = 0; i < RAM_PAGES_HERE; i++)
		if (touched[i])
			CHECK_MEM(r, f->vm.ram + i * PAGE_SIZE,
				  theirs + i * PAGE_SIZE, PAGE_SIZE);
	touched[G_GDT / PAGE_SIZE] = true;
}

static void compare(const char *r)
{
	u32 access = it.user ? PFEC_U : 0;

	if (it.user && ref.kernel_memory) {
		/* The GDT is the CPU's own to read. */
		if (it.kind == PLAIN && !injected())
			same_registers(r);
		return;
	}
	if (leave())
		return;
	switch (ref.vector) {
	case -1:
		if (it.insn.mnemonic == ZYDIS_MNEMONIC_HLT && !f->vif) {
			CHECK_EQ(r, f->vm.end.how, END_CRASH);
			return;
		}
		CHECK_EQ(r, f->vm.end.how, END_NOT);
		CHECK_EQ(r, f->vm.cpu.eip, ref.eip);
		same_registers(r);
		same_memory(r);
		return;
	case VEC_PF:
		raised(r, VEC_PF, ref.fault_error | access);
		CHECK_EQ(r, f->vm.cpu.cr2 & PAGE_MASK, ref.fault_at & PAGE_MASK);
		return;
	case VEC_UD:
		/* The hardware may see that it is privileged first. */
		CHECK(r, injected() && f->vm.cpu.cpl == 0);
		CHECK_EQ(r, guest_read32(f, f->vm.cpu.reg[ESP] +
				 (f->vm.cpu.eip == G_HANDLERS + 16 * VEC_UD ? 0 : 4)),
			 before.eip);
		return;
	case VEC_GP:
		CHECK_EQ(r, f->vm.cpu.eip, G_HANDLERS + 16 * VEC_GP);
		return;
	default:
		CHECK_EQ(r, ref.vector, -1);
	}
}

/* The bus is empty: all ones are read, and a write goes nowhere. */
static void ports(const char *r)
{
	u32 bits = !(it.op[0] & 1) ? 8 : has_prefix(0x66) ? 16 : 32;

	if (!(it.op[0] & 2))
		before.reg[EAX] |= ~0u >> (32 - bits);
	CHECK_EQ(r, f->vm.cpu.eip, before.eip + it.insn.length);
	CHECK_EQ(r, f->vm.cpu.eflags, before.eflags);
	CHECK_MEM(r, f->vm.cpu.reg, before.reg, sizeof(before.reg));
}

/* Puts the code into the next slot. */
static void place_code(void)
{
	static const u8 next[3] = { 0x0f, 0xb9, PLEX86_UD1_NEXT };
	static const u8 jump[2] = { 0xeb, 0xfe };
	u32 gpa;

	gpa = SLOTS_GPA + slot++ * SLOT_BYTES;
	f->vm.cpu.eip = (it.user ? USER_SLOTS - SLOTS_GPA : G_KERNEL) + gpa;
	if (it.next) {
		poke(gpa, next, sizeof(next));
		gpa += (u32)sizeof(next);
	}
	poke(gpa, it.byte, sizeof(it.byte));
	/* Unicorn translates what follows, up to a jump, and fails of some of it. */
	if (it.kind)
		poke(gpa + it.insn.length, jump, sizeof(jump));
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t bytes)
{
	struct input in = { data, bytes };
	const char *r;

	if (!f)
		start();
	else if (slot == SLOTS || stale)
		start_unicorn();
	take_input(&in);
	place_code();
	before = f->vm.cpu;
	r = row("%02x %02x %02x %02x %02x, %s", it.byte[0], it.byte[1], it.byte[2],
		it.byte[3], it.byte[4], it.user ? "user" : "kernel");
	if (it.kind > PORT)
		run_unicorn(before.eip + (it.next ? 3 : 0));
	if (it.next || (it.byte[0] == 0x0f && it.byte[1] == 0xb9))
		core_undefined(&f->vm);
	else
		core_general_protection(&f->vm, 0);
	if (it.kind == PORT)
		ports(r);
	else if (it.kind)
		compare(r);
	else if (it.user && it.next && it.insn.length && !has_prefix(0xf0))
		raised(r, VEC_UD, NO_ERROR);
	CHECK(r, f->vm.cpu.cpl == 0 || f->vm.cpu.cpl == 3);
	restore();
	return 0;
}
