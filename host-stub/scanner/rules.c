// SPDX-License-Identifier: GPL-2.0
/*
 * What becomes of an instruction of a guest kernel's at CPL 3: one table of those
 * that are privileged, or do something else there without a trap; and why some
 * that no host does are not executed.
 *
 * It says the same as core/emulate.c does, and as core/cpuid.c offers;
 * tests/unit/rules_test.c runs both over every opcode.
 */
#include "scanner.h"

#include <Zydis/Zydis.h>
#include <fnmatch.h>
#include <stdio.h>
#include <string.h>

enum effect {
	TRAPS,		/* the host emulates it */
	NEXT,		/* silent; emulated behind UD1 NEXT */
	SILENT,		/* silent, and there is a macro for it */
	PORT,		/* traps, and there is no port */
	MSR,		/* traps, and there is no MSR */
	NATIVE,
	REFUSED,
	HIDDEN,		/* CPUID does not offer it */
};

struct rule {
	ZydisMnemonic mnemonic;
	enum effect effect;
	const char *name, *why;
	struct feature hidden;
};

#define FEATURE(leaf, subleaf, reg, bit) { leaf, subleaf, reg, 1u << (bit) }

static const struct rule rules[] = {
	{ ZYDIS_MNEMONIC_CLI, TRAPS, "CLI", "traps: the host clears the virtual IF; slower than a site", { 0 } },
	{ ZYDIS_MNEMONIC_STI, TRAPS, "STI", "traps: the host sets the virtual IF; slower than a site", { 0 } },
	{ ZYDIS_MNEMONIC_HLT, TRAPS, "HLT", "traps: the host waits for an interrupt", { 0 } },
	{ ZYDIS_MNEMONIC_CLTS, TRAPS, "CLTS", "traps: the virtual CR0", { 0 } },
	{ ZYDIS_MNEMONIC_LMSW, TRAPS, "LMSW", "traps: the virtual CR0", { 0 } },
	{ ZYDIS_MNEMONIC_LGDT, TRAPS, "LGDT", "traps: the host takes note", { 0 } },
	{ ZYDIS_MNEMONIC_LIDT, TRAPS, "LIDT", "traps: the host takes note", { 0 } },
	{ ZYDIS_MNEMONIC_LLDT, TRAPS, "LLDT", "traps: the host takes note", { 0 } },
	{ ZYDIS_MNEMONIC_LTR, TRAPS, "LTR", "traps: the host takes note", { 0 } },
	{ ZYDIS_MNEMONIC_INVD, TRAPS, "INVD", "traps: nothing to do", { 0 } },
	{ ZYDIS_MNEMONIC_WBINVD, TRAPS, "WBINVD", "traps: nothing to do", { 0 } },
	{ ZYDIS_MNEMONIC_INVLPG, TRAPS, "INVLPG", "traps: the host drops the page", { 0 } },
	{ ZYDIS_MNEMONIC_XSETBV, TRAPS, "XSETBV", "traps: the virtual XCR0", { 0 } },
	{ ZYDIS_MNEMONIC_LDS, TRAPS, "LDS", "traps where the host lacks the descriptor", { 0 } },
	{ ZYDIS_MNEMONIC_LES, TRAPS, "LES", "traps where the host lacks the descriptor", { 0 } },
	{ ZYDIS_MNEMONIC_LFS, TRAPS, "LFS", "traps where the host lacks the descriptor", { 0 } },
	{ ZYDIS_MNEMONIC_LGS, TRAPS, "LGS", "traps where the host lacks the descriptor", { 0 } },
	{ ZYDIS_MNEMONIC_LSS, TRAPS, "LSS", "traps where the host lacks the descriptor", { 0 } },
	{ ZYDIS_MNEMONIC_XRSTOR, TRAPS, "XRSTOR", "where the host has protection keys it goes through the page step by step; slower than a site", { 0 } },

	{ ZYDIS_MNEMONIC_SGDT, NEXT, "SGDT", "gives the host's, without a trap", { 0 } },
	{ ZYDIS_MNEMONIC_SIDT, NEXT, "SIDT", "gives the host's, without a trap", { 0 } },
	{ ZYDIS_MNEMONIC_SLDT, NEXT, "SLDT", "gives the host's, without a trap", { 0 } },
	{ ZYDIS_MNEMONIC_STR, NEXT, "STR", "gives the host's, without a trap", { 0 } },
	{ ZYDIS_MNEMONIC_SMSW, NEXT, "SMSW", "gives the host's, without a trap", { 0 } },
	{ ZYDIS_MNEMONIC_LAR, NEXT, "LAR", "looks into the host's GDT, without a trap", { 0 } },
	{ ZYDIS_MNEMONIC_LSL, NEXT, "LSL", "looks into the host's GDT, without a trap", { 0 } },
	{ ZYDIS_MNEMONIC_VERR, NEXT, "VERR", "looks into the host's GDT, without a trap", { 0 } },
	{ ZYDIS_MNEMONIC_VERW, NEXT, "VERW", "looks into the host's GDT, without a trap", { 0 } },

	{ ZYDIS_MNEMONIC_PUSHF, SILENT, "PUSHF", "pushes the host's IF, without a trap", { 0 } },
	{ ZYDIS_MNEMONIC_PUSHFD, SILENT, "PUSHF", "pushes the host's IF, without a trap", { 0 } },
	{ ZYDIS_MNEMONIC_POPF, SILENT, "POPF", "leaves IF as it is, without a trap", { 0 } },
	{ ZYDIS_MNEMONIC_POPFD, SILENT, "POPF", "leaves IF as it is, without a trap", { 0 } },
	{ ZYDIS_MNEMONIC_IRET, SILENT, "IRET", "goes to a program without a trap, and the host still takes it for the kernel", { 0 } },
	{ ZYDIS_MNEMONIC_IRETD, SILENT, "IRET", "goes to a program without a trap, and the host still takes it for the kernel", { 0 } },
	{ ZYDIS_MNEMONIC_CPUID, SILENT, "CPUID", "describes the host's CPU, without a trap", { 0 } },

	{ ZYDIS_MNEMONIC_IN, PORT, "IN", "there are no ports: it reads all ones", { 0 } },
	{ ZYDIS_MNEMONIC_OUT, PORT, "OUT", "there are no ports: it goes nowhere", { 0 } },
	{ ZYDIS_MNEMONIC_INSB, PORT, "INS", "there are no ports: #GP", { 0 } },
	{ ZYDIS_MNEMONIC_INSW, PORT, "INS", "there are no ports: #GP", { 0 } },
	{ ZYDIS_MNEMONIC_INSD, PORT, "INS", "there are no ports: #GP", { 0 } },
	{ ZYDIS_MNEMONIC_OUTSB, PORT, "OUTS", "there are no ports: #GP", { 0 } },
	{ ZYDIS_MNEMONIC_OUTSW, PORT, "OUTS", "there are no ports: #GP", { 0 } },
	{ ZYDIS_MNEMONIC_OUTSD, PORT, "OUTS", "there are no ports: #GP", { 0 } },

	{ ZYDIS_MNEMONIC_RDMSR, MSR, "RDMSR", "there are no MSRs: #GP, to which the exception table has no answer", { 0 } },
	{ ZYDIS_MNEMONIC_WRMSR, MSR, "WRMSR", "there are no MSRs: #GP, to which the exception table has no answer", { 0 } },

	{ ZYDIS_MNEMONIC_XGETBV, NATIVE, "XGETBV", "gives the underlying XCR0, as the ABI says (8.3)", { 0 } },

	{ ZYDIS_MNEMONIC_WRPKRU, REFUSED, "WRPKRU", "#UD where the host isolates by protection keys", { 0 } },
	{ ZYDIS_MNEMONIC_VMCALL, REFUSED, "VMCALL", "is for the hypervisor below the host, if there is one", { 0 } },
	{ ZYDIS_MNEMONIC_VMMCALL, REFUSED, "VMMCALL", "is for the hypervisor below the host, if there is one", { 0 } },
	{ ZYDIS_MNEMONIC_RDPRU, REFUSED, "RDPRU", "reads the host's counters, without a trap", { 0 } },
	/* Zydis does not say of these that they are privileged. */
	{ ZYDIS_MNEMONIC_GETSEC, REFUSED, "GETSEC", "privileged, and no host does it", { 0 } },
	{ ZYDIS_MNEMONIC_ENCLV, REFUSED, "enclv", "privileged, and no host does it", { 0 } },

	{ ZYDIS_MNEMONIC_RDPMC, HIDDEN, "RDPMC", "performance monitoring", { 0xa, 0, REG_EAX, 0xff } },
	{ ZYDIS_MNEMONIC_MONITOR, HIDDEN, "MONITOR", "MONITOR", FEATURE(1, 0, REG_ECX, 3) },
	{ ZYDIS_MNEMONIC_MWAIT, HIDDEN, "MWAIT", "MONITOR", FEATURE(1, 0, REG_ECX, 3) },
	{ ZYDIS_MNEMONIC_MONITORX, HIDDEN, "MONITORX", "MONITORX", FEATURE(0x80000001, 0, REG_ECX, 29) },
	{ ZYDIS_MNEMONIC_MWAITX, HIDDEN, "MWAITX", "MONITORX", FEATURE(0x80000001, 0, REG_ECX, 29) },
	{ ZYDIS_MNEMONIC_TPAUSE, HIDDEN, "TPAUSE", "WAITPKG", FEATURE(7, 0, REG_ECX, 5) },
	{ ZYDIS_MNEMONIC_UMONITOR, HIDDEN, "UMONITOR", "WAITPKG", FEATURE(7, 0, REG_ECX, 5) },
	{ ZYDIS_MNEMONIC_UMWAIT, HIDDEN, "UMWAIT", "WAITPKG", FEATURE(7, 0, REG_ECX, 5) },
	{ ZYDIS_MNEMONIC_INVPCID, HIDDEN, "INVPCID", "INVPCID", FEATURE(7, 0, REG_EBX, 10) },
	{ ZYDIS_MNEMONIC_CLAC, HIDDEN, "CLAC", "SMAP", FEATURE(7, 0, REG_EBX, 20) },
	{ ZYDIS_MNEMONIC_STAC, HIDDEN, "STAC", "SMAP", FEATURE(7, 0, REG_EBX, 20) },
	{ ZYDIS_MNEMONIC_XSAVES, HIDDEN, "XSAVES", "XSAVES", FEATURE(0xd, 1, REG_EAX, 3) },
	{ ZYDIS_MNEMONIC_XRSTORS, HIDDEN, "XRSTORS", "XSAVES", FEATURE(0xd, 1, REG_EAX, 3) },
	{ ZYDIS_MNEMONIC_RDTSCP, HIDDEN, "RDTSCP", "RDTSCP", FEATURE(0x80000001, 0, REG_EDX, 27) },
	{ ZYDIS_MNEMONIC_RDPID, HIDDEN, "RDPID", "RDPID", FEATURE(7, 0, REG_ECX, 22) },
	{ ZYDIS_MNEMONIC_RDPKRU, HIDDEN, "RDPKRU", "OSPKE", FEATURE(7, 0, REG_ECX, 4) },
	{ ZYDIS_MNEMONIC_SYSENTER, HIDDEN, "SYSENTER", "SEP", FEATURE(1, 0, REG_EDX, 11) },
	{ ZYDIS_MNEMONIC_SYSEXIT, HIDDEN, "SYSEXIT", "SEP", FEATURE(1, 0, REG_EDX, 11) },
	{ ZYDIS_MNEMONIC_SYSCALL, HIDDEN, "SYSCALL", "SYSCALL", FEATURE(0x80000001, 0, REG_EDX, 11) },
	{ ZYDIS_MNEMONIC_VMRUN, HIDDEN, "vmrun", "SVM", FEATURE(0x80000001, 0, REG_ECX, 2) },
	{ ZYDIS_MNEMONIC_VMLOAD, HIDDEN, "vmload", "SVM", FEATURE(0x80000001, 0, REG_ECX, 2) },
	{ ZYDIS_MNEMONIC_VMSAVE, HIDDEN, "vmsave", "SVM", FEATURE(0x80000001, 0, REG_ECX, 2) },
	{ ZYDIS_MNEMONIC_STGI, HIDDEN, "stgi", "SVM", FEATURE(0x80000001, 0, REG_ECX, 2) },
	{ ZYDIS_MNEMONIC_CLGI, HIDDEN, "clgi", "SVM", FEATURE(0x80000001, 0, REG_ECX, 2) },
	{ ZYDIS_MNEMONIC_INVLPGA, HIDDEN, "invlpga", "SVM", FEATURE(0x80000001, 0, REG_ECX, 2) },
	{ ZYDIS_MNEMONIC_SKINIT, HIDDEN, "skinit", "SKINIT", FEATURE(0x80000001, 0, REG_ECX, 12) },
	{ ZYDIS_MNEMONIC_VMXON, HIDDEN, "vmxon", "VMX", FEATURE(1, 0, REG_ECX, 5) },
	{ ZYDIS_MNEMONIC_VMXOFF, HIDDEN, "vmxoff", "VMX", FEATURE(1, 0, REG_ECX, 5) },
	{ ZYDIS_MNEMONIC_VMLAUNCH, HIDDEN, "vmlaunch", "VMX", FEATURE(1, 0, REG_ECX, 5) },
	{ ZYDIS_MNEMONIC_VMRESUME, HIDDEN, "vmresume", "VMX", FEATURE(1, 0, REG_ECX, 5) },
	{ ZYDIS_MNEMONIC_VMPTRLD, HIDDEN, "vmptrld", "VMX", FEATURE(1, 0, REG_ECX, 5) },
	{ ZYDIS_MNEMONIC_VMPTRST, HIDDEN, "vmptrst", "VMX", FEATURE(1, 0, REG_ECX, 5) },
	{ ZYDIS_MNEMONIC_VMCLEAR, HIDDEN, "vmclear", "VMX", FEATURE(1, 0, REG_ECX, 5) },
	{ ZYDIS_MNEMONIC_VMREAD, HIDDEN, "vmread", "VMX", FEATURE(1, 0, REG_ECX, 5) },
	{ ZYDIS_MNEMONIC_VMWRITE, HIDDEN, "vmwrite", "VMX", FEATURE(1, 0, REG_ECX, 5) },
	{ ZYDIS_MNEMONIC_INVEPT, HIDDEN, "invept", "VMX", FEATURE(1, 0, REG_ECX, 5) },
	{ ZYDIS_MNEMONIC_INVVPID, HIDDEN, "invvpid", "VMX", FEATURE(1, 0, REG_ECX, 5) },
	{ ZYDIS_MNEMONIC_VMFUNC, HIDDEN, "vmfunc", "VMX", FEATURE(1, 0, REG_ECX, 5) },
	{ ZYDIS_MNEMONIC_ENQCMDS, HIDDEN, "enqcmds", "ENQCMD", FEATURE(7, 0, REG_ECX, 29) },
	{ ZYDIS_MNEMONIC_SYSRET, HIDDEN, "SYSRET", "SYSCALL", FEATURE(0x80000001, 0, REG_EDX, 11) },
};

#define RULES	(sizeof(rules) / sizeof(rules[0]))

/* rules_decoder() - a decoder for what rules_judge() is asked */
void rules_decoder(struct ZydisDecoder_ *decoder)
{
	ZydisDecoderInit(decoder, ZYDIS_MACHINE_MODE_LEGACY_32,
			 ZYDIS_STACK_WIDTH_32);
}

/*
 * rules_hidden() - the CPU feature that the @n-th rule relies on not to be offered
 * @name: set to the instruction's
 *
 * Returns NULL behind the last.
 */
const struct feature *rules_hidden(u32 n, const char **name)
{
	u32 i;

	for (i = 0; i < RULES; i++) {
		if (rules[i].effect != HIDDEN || n--)
			continue;
		*name = rules[i].name;
		return &rules[i].hidden;
	}
	return NULL;
}

/*
 * Functions, or sections, whose port I/O, read of SS, or access to an MSR that the
 * exception table does not know, does not matter; and why.
 */
static const struct {
	const char *place;		/* a pattern of fnmatch() */
	enum reach reach;
	const char *option;		/* this one, without CONFIG_ */
	char value;			/* has this value */
	const char *why;
} harmless[] = {
	{ "*8259A*", REACH_PORT, "PLEX86_GUEST", 'y', "no interrupt controller: legacy_pic is another" },
	{ "quick_pit_calibrate", REACH_PORT, "PLEX86_GUEST", 'y', "no PIT: the host says the TSC's rate" },
	{ "pit_hpet_ptimer_calibrate_cpu", REACH_PORT, "PLEX86_GUEST", 'y', "no PIT: the host says the TSC's rate" },
	{ "i8253_read", REACH_PORT, "PLEX86_GUEST", 'y', "no PIT: the timer is another" },
	{ "pit_set_periodic", REACH_PORT, "PLEX86_GUEST", 'y', "no PIT: the timer is another" },
	{ "pit_set_oneshot", REACH_PORT, "PLEX86_GUEST", 'y', "no PIT: the timer is another" },
	{ "pit_next_event", REACH_PORT, "PLEX86_GUEST", 'y', "no PIT: the timer is another" },
	{ "pit_shutdown", REACH_PORT, "PLEX86_GUEST", 'y', "no PIT: the timer is another" },
	{ "clockevent_i8253_disable", REACH_PORT, "PLEX86_GUEST", 'y', "no PIT: the timer is another" },
	{ "rtc_cmos_read", REACH_PORT, "PLEX86_GUEST", 'y', "no RTC: the wall clock is another" },
	{ "rtc_cmos_write", REACH_PORT, "PLEX86_GUEST", 'y', "no RTC: the wall clock is another" },
	{ "native_machine_emergency_restart", REACH_PORT, "PLEX86_GUEST", 'y', "no keyboard controller: machine_ops are others" },
	{ "default_get_nmi_reason", REACH_PORT, "PLEX86_GUEST", 'y', "no NMI comes" },
	{ "default_do_nmi", REACH_PORT, "PLEX86_GUEST", 'y', "no NMI comes" },
	{ "native_io_delay", REACH_PORT, "IO_DELAY_NONE", 'y', "no delay behind port I/O" },
	{ "ioread*", REACH_PORT, "PCI", 'n', "no bus whose registers are ports" },
	{ "iowrite*", REACH_PORT, "PCI", 'n', "no bus whose registers are ports" },
	{ "asm_common_interrupt", REACH_SS, NULL, 0, "nothing reads SS of a frame of the kernel's own" },
	{ "asm_exc_nmi", REACH_SS, NULL, 0, "nothing reads SS of a frame of the kernel's own" },
	{ "entry_INT80_32", REACH_SS, NULL, 0, "nothing reads SS of a frame of the kernel's own" },
	{ "entry_SYSENTER_32", REACH_SS, NULL, 0, "nothing reads SS of a frame of the kernel's own" },
	{ "handle_exception", REACH_SS, NULL, 0, "nothing reads SS of a frame of the kernel's own" },
	{ "startup_32_smp", REACH_MSR, "X86_PAE", 'n', "EFER is for NX, which is not offered" },
	{ "verify_cpu", REACH_MSR, "SMP", 'n', "is asked of a second processor" },
	{ "entry_ibpb", REACH_MSR, "PLEX86_GUEST", 'y', "IBPB is not offered" },
	{ ".altinstr_replacement", REACH_MSR, "PLEX86_GUEST", 'y', "takes its place where a mitigation is on: none is" },
};

/* Does @pattern fit @function, without what the compiler put behind a dot? */
static bool fits(const char *pattern, const char *function)
{
	size_t len = strcspn(function, ".");
	char name[128];

	if (len >= sizeof(name))
		return false;
	memcpy(name, function, len);
	name[len] = 0;
	return !fnmatch(pattern, name, 0);
}

/* Says that an instruction is not executed, or does no harm, and why. */
static void excuse(struct judged *judged, size_t n, const char *config)
{
	if (!harmless[n].option) {
		judged->verdict = VERDICT_NATIVE;
	} else if (config && config_value(config, harmless[n].option) ==
				     harmless[n].value) {
		judged->verdict = VERDICT_UNREACHABLE;
		judged->option = harmless[n].option;
	} else {
		return;
	}
	judged->why = harmless[n].why;
}

/*
 * rules_reach() - is an instruction that no host does well executed at all?
 * @judged: by rules_judge(); changed if it is not, or does no harm
 * @named: the kernel has a symbol table
 * @config: the embedded configuration, or NULL
 */
void rules_reach(struct judged *judged, const struct where *where, bool named,
		 const char *config)
{
	size_t i;

	if (judged->reach == REACH_ALWAYS)
		return;
	if (judged->reach == REACH_MSR && where->caught) {
		judged->verdict = VERDICT_EMULATED;
		judged->why = "there are no MSRs: #GP, to which the exception table has an answer";
		return;
	}
	for (i = 0; i < sizeof(harmless) / sizeof(harmless[0]); i++)
		if (harmless[i].reach == judged->reach &&
		    ((named && where->function && fits(harmless[i].place, where->function)) ||
		     !strcmp(harmless[i].place, where->section))) {
			excuse(judged, i, config);
			return;
		}
	if (named)
		return;
	judged->why = judged->reach == REACH_SS ?
		"a selector of the host's; without a symbol table nothing says what for: check the vmlinux" :
		judged->reach == REACH_PORT ?
		"port I/O; without a symbol table nothing says of what: check the vmlinux" :
		"there are no MSRs; without a symbol table nothing says when it is executed: check the vmlinux";
}

static struct judged says(const char *name, enum verdict verdict,
			  const char *why)
{
	return (struct judged){ .name = name, .verdict = verdict, .why = why };
}

/* A prefix with which emulate.c leaves an instruction to the guest. */
static bool odd_prefix(const ZydisDecodedInstruction *insn)
{
	u32 i;

	for (i = 0; i < insn->raw.prefix_count; i++) {
		u8 value = insn->raw.prefixes[i].value;

		if (value == 0x64 || value == 0x65 || value == 0x67)
			return true;
	}
	return false;
}

static struct judged traps(const ZydisDecodedInstruction *insn,
			   const char *name, const char *why)
{
	if (odd_prefix(insn))
		return says(name, VERDICT_FAULT,
			    "traps, and the host does not do it with this prefix");
	return says(name, VERDICT_EMULATED, why);
}

/* Reads of segment registers: MOV and PUSH. */
static struct judged reads_segment(u32 segment)
{
	static const char *const names[] = {
		"read of ES", "read of CS", "read of SS",
		"read of DS", "read of FS", "read of GS",
	};
	struct judged judged;

	if (segment != SEG_CS && segment != SEG_SS)
		return says(names[segment], VERDICT_NATIVE,
			    "gives the selector that was loaded, or the flat one (ABI, 8.5)");
	judged = says(names[segment], VERDICT_FAULT,
		      "gives the host's selector, without a trap");
	if (segment == SEG_SS)
		judged.reach = REACH_SS;
	return judged;
}

static struct judged loads_segment(const ZydisDecodedInstruction *insn)
{
	return traps(insn, "segment load",
		     "traps where the host lacks the descriptor");
}

static struct judged control_register(const ZydisDecodedInstruction *insn)
{
	const char *name = insn->opcode & 2 ? "MOV to CR" : "MOV from CR";
	u32 n = insn->raw.modrm.reg;

	if (insn->attributes & ZYDIS_ATTRIB_HAS_LOCK || n == 1 || n > 4)
		return says(name, VERDICT_FAULT,
			    "there is no such control register");
	return traps(insn, name, "traps: the virtual control registers");
}

static struct judged far_transfer(const ZydisDecodedInstruction *insn)
{
	bool known = insn->opcode == 0xea || insn->opcode == 0xcb;
	const char *name = insn->mnemonic == ZYDIS_MNEMONIC_CALL ? "far CALL" :
			   insn->mnemonic == ZYDIS_MNEMONIC_JMP ? "far JMP" :
								  "far RET";

	if (!known || insn->operand_width != 32)
		return says(name, VERDICT_FAULT,
			    "a far transfer that no host does");
	return traps(insn, name, "traps: to the kernel's flat code segment");
}

static struct judged ud1(u8 modrm)
{
	switch (modrm) {
	case PLEX86_UD1_IRET:
		return says("UD1 IRET", VERDICT_EMULATED, "the macros' IRET");
	case PLEX86_UD1_CALL:
		return says("UD1 CALL", VERDICT_EMULATED, "a HAL call");
	case PLEX86_UD1_CPUID:
		return says("UD1 CPUID", VERDICT_EMULATED, "the macros' CPUID");
	case PLEX86_UD1_NEXT:
		return says("UD1 NEXT", VERDICT_EMULATED,
			    "the host does what follows");
	}
	return (struct judged){ 0 };
}

/* What goes by its opcode. */
static bool by_opcode(const ZydisDecodedInstruction *insn,
		      struct judged *judged)
{
	u8 op = insn->opcode;

	if (insn->opcode_map == ZYDIS_OPCODE_MAP_DEFAULT) {
		if (op == 0x06 || op == 0x0e || op == 0x16 || op == 0x1e)
			*judged = reads_segment(op >> 3);
		else if (op == 0x8c)
			*judged = reads_segment(insn->raw.modrm.reg);
		else if (op == 0x07 || op == 0x17 || op == 0x1f || op == 0x8e)
			*judged = loads_segment(insn);
		else if (insn->meta.branch_type == ZYDIS_BRANCH_TYPE_FAR &&
			 (insn->mnemonic == ZYDIS_MNEMONIC_CALL ||
			  insn->mnemonic == ZYDIS_MNEMONIC_JMP ||
			  insn->mnemonic == ZYDIS_MNEMONIC_RET))
			*judged = far_transfer(insn);
		else
			return false;
		return true;
	}
	if (insn->opcode_map != ZYDIS_OPCODE_MAP_0F)
		return false;
	if (op == 0xa0 || op == 0xa8)
		*judged = reads_segment(op == 0xa0 ? SEG_FS : SEG_GS);
	else if (op == 0xa1 || op == 0xa9)
		*judged = loads_segment(insn);
	else if (op == 0x20 || op == 0x22)
		*judged = control_register(insn);
	else if (op == 0x21 || op == 0x23)
		*judged = traps(insn, op & 2 ? "MOV to DR" : "MOV from DR",
				"traps: the virtual debug registers");
	else
		return false;
	return true;
}

/*
 * rules_judge() - what becomes of an instruction outside of a site
 * @insn: decoded, by Zydis
 * @bytes: its own
 * @behind_next: right before it is UD1 NEXT
 *
 * The answer's name is NULL if it is neither privileged nor silent.
 */
struct judged rules_judge(const struct ZydisDecodedInstruction_ *insn,
			  const u8 *bytes, bool behind_next)
{
	const struct rule *rule = rules;
	struct judged judged = { 0 };

	if (insn->encoding != ZYDIS_INSTRUCTION_ENCODING_LEGACY)
		return judged;
	if (by_opcode(insn, &judged))
		return judged;
	if (insn->mnemonic == ZYDIS_MNEMONIC_UD1 && bytes[0] == 0x0f)
		return ud1(bytes[2]);
	while (rule < rules + RULES && rule->mnemonic != insn->mnemonic)
		rule++;
	if (rule == rules + RULES) {
		if (insn->attributes & ZYDIS_ATTRIB_IS_PRIVILEGED)
			return says(ZydisMnemonicGetString(insn->mnemonic),
				    VERDICT_FAULT,
				    "privileged, and no host does it");
		return judged;
	}
	switch (rule->effect) {
	case TRAPS:
		return traps(insn, rule->name, rule->why);
	case NEXT:
		if (!behind_next)
			break;
		judged = traps(insn, rule->name, "behind UD1: the host does it");
		judged.by_next = judged.verdict == VERDICT_EMULATED;
		return judged;
	case PORT:
		judged = says(rule->name, VERDICT_FAULT, rule->why);
		judged.reach = REACH_PORT;
		return judged;
	case MSR:
		judged = says(rule->name, VERDICT_FAULT, rule->why);
		judged.reach = REACH_MSR;
		return judged;
	case NATIVE:
		return says(rule->name, VERDICT_NATIVE, rule->why);
	case HIDDEN:
		judged = says(rule->name, VERDICT_UNREACHABLE,
			      "its CPU feature is not offered");
		judged.feature = rule->why;
		return judged;
	case SILENT:
	case REFUSED:
		break;
	}
	return says(rule->name, VERDICT_FAULT, rule->why);
}
