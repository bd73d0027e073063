// SPDX-License-Identifier: GPL-2.0
/*
 * core/cpuid.c: what a guest sees of a processor that has everything, of ones
 * that have less, and of this one; the sizes of leaf 0xd against what XSAVE and
 * XSAVEC of this processor really write.
 */
#include "fake.h"
#include "unit.h"

#include <cpuid.h>

static struct fake *f;

static int setup(void **state)
{
	(void)state;
	f = fake_new(PAGE_SIZE);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	fake_free(f);
	return 0;
}

/* A processor with every bit set that there is; leaf 0xd is a plausible one. */
static void everything(u32 leaf, u32 subleaf, struct cpuid_leaf *out)
{
	static const struct {
		u32 size, offset, flags;
	} part[8] = {
		[2] = { 256, 576, 0 }, [3] = { 64, 960, 0 },
		[4] = { 64, 1024, 0 }, [5] = { 40, 1088, 0 },
		[6] = { 512, 1152, 2 }, [7] = { 1024, 1664, 0 },
	};

	*out = (struct cpuid_leaf){ leaf, subleaf, ~0u, ~0u, ~0u, ~0u };
	if (leaf == 0)
		out->eax = 0x20;
	if (leaf == 0x80000000)
		out->eax = 0x80000021;
	if (leaf == 0xd && subleaf >= 2 && subleaf < 8) {
		out->eax = part[subleaf].size;
		out->ebx = part[subleaf].offset;
		out->ecx = part[subleaf].flags;
		out->edx = 0;
	}
}

/* One from before leaf 4, XSAVE and the extended leaves. */
static void old(u32 leaf, u32 subleaf, struct cpuid_leaf *out)
{
	/* Beyond its last leaf a processor answers as for the last. */
	*out = (struct cpuid_leaf){ leaf, subleaf, 0x633, 0x1234, 0, ~0u };
	if (leaf == 0)
		out->eax = 2;
	if (leaf >> 31)
		out->eax = 0x633;
}

static void host(u32 leaf, u32 subleaf, struct cpuid_leaf *out)
{
	out->leaf = leaf;
	out->subleaf = subleaf;
	__cpuid_count(leaf, subleaf, out->eax, out->ebx, out->ecx, out->edx);
}

static u64 xcr0_of_host(void)
{
	struct cpuid_leaf leaf;
	u32 low, high;

	host(1, 0, &leaf);
	if (!(leaf.ecx & bit_OSXSAVE))
		return 0;
	__asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
	return (u64)high << 32 | low;
}

static struct cpuid_leaf get(u32 leaf, u32 subleaf)
{
	struct cpuid_leaf out;

	memset(&out, 0xa5, sizeof(out));
	core_cpuid(&f->vm, leaf, subleaf, &out);
	return out;
}

enum reg { A, B, C, D };

static u32 reg_of(const struct cpuid_leaf *leaf, enum reg reg)
{
	return reg == A ? leaf->eax : reg == B ? leaf->ebx :
	       reg == C ? leaf->ecx : leaf->edx;
}

struct feature {
	const char *name;
	u32 leaf, subleaf;
	enum reg reg;
	u32 bit;
};

/* The contract's list of what a host must hide. */
static const struct feature hidden[] = {
	{ "VME", 1, 0, D, 1 }, { "DE", 1, 0, D, 2 }, { "MSR", 1, 0, D, 5 },
	{ "PAE", 1, 0, D, 6 }, { "MCE", 1, 0, D, 7 }, { "APIC", 1, 0, D, 9 },
	{ "SEP", 1, 0, D, 11 }, { "MTRR", 1, 0, D, 12 }, { "MCA", 1, 0, D, 14 },
	{ "PAT", 1, 0, D, 16 }, { "PSE-36", 1, 0, D, 17 },
	{ "PSN", 1, 0, D, 18 }, { "DS", 1, 0, D, 21 }, { "ACPI", 1, 0, D, 22 },
	{ "SS", 1, 0, D, 27 }, { "HTT", 1, 0, D, 28 }, { "TM", 1, 0, D, 29 },
	{ "PBE", 1, 0, D, 31 },
	{ "DTES64", 1, 0, C, 2 }, { "MONITOR", 1, 0, C, 3 },
	{ "DS-CPL", 1, 0, C, 4 }, { "VMX", 1, 0, C, 5 }, { "SMX", 1, 0, C, 6 },
	{ "EST", 1, 0, C, 7 }, { "TM2", 1, 0, C, 8 }, { "CNXT-ID", 1, 0, C, 10 },
	{ "SDBG", 1, 0, C, 11 }, { "xTPR", 1, 0, C, 14 },
	{ "PDCM", 1, 0, C, 15 }, { "PCID", 1, 0, C, 17 }, { "DCA", 1, 0, C, 18 },
	{ "x2APIC", 1, 0, C, 21 }, { "TSC-deadline", 1, 0, C, 24 },
	{ "OSXSAVE without CR4", 1, 0, C, 27 },
	{ "FSGSBASE", 7, 0, B, 0 }, { "TSC_ADJUST", 7, 0, B, 1 },
	{ "SGX", 7, 0, B, 2 }, { "HLE", 7, 0, B, 4 }, { "SMEP", 7, 0, B, 7 },
	{ "INVPCID", 7, 0, B, 10 }, { "RTM", 7, 0, B, 11 },
	{ "RDT-M", 7, 0, B, 12 }, { "MPX", 7, 0, B, 14 },
	{ "RDT-A", 7, 0, B, 15 }, { "SMAP", 7, 0, B, 20 },
	{ "PT", 7, 0, B, 25 },
	{ "UMIP", 7, 0, C, 2 }, { "PKU", 7, 0, C, 3 }, { "OSPKE", 7, 0, C, 4 },
	{ "WAITPKG", 7, 0, C, 5 }, { "CET_SS", 7, 0, C, 7 },
	{ "TME", 7, 0, C, 13 }, { "LA57", 7, 0, C, 16 }, { "RDPID", 7, 0, C, 22 },
	{ "KL", 7, 0, C, 23 }, { "ENQCMD", 7, 0, C, 29 },
	{ "PKS", 7, 0, C, 31 },
	{ "UINTR", 7, 0, D, 5 }, { "MD_CLEAR", 7, 0, D, 10 },
	{ "SERIALIZE", 7, 0, D, 14 }, { "HYBRID", 7, 0, D, 15 },
	{ "CET_IBT", 7, 0, D, 20 }, { "AMX-BF16", 7, 0, D, 22 },
	{ "AMX-TILE", 7, 0, D, 24 }, { "AMX-INT8", 7, 0, D, 25 },
	{ "IBRS", 7, 0, D, 26 }, { "STIBP", 7, 0, D, 27 },
	{ "L1D_FLUSH", 7, 0, D, 28 }, { "ARCH_CAPABILITIES", 7, 0, D, 29 },
	{ "CORE_CAPABILITIES", 7, 0, D, 30 }, { "SSBD", 7, 0, D, 31 },
	{ "FRED", 7, 1, A, 17 }, { "LAM", 7, 1, A, 26 },
	{ "XSAVES", 0xd, 1, A, 3 }, { "XGETBV 1", 0xd, 1, A, 2 },
	{ "XFD", 0xd, 1, A, 4 },
	{ "PKRU", 0xd, 0, A, 9 }, { "AMX config", 0xd, 0, A, 17 },
	{ "AMX data", 0xd, 0, A, 18 }, { "MPX state", 0xd, 0, A, 3 },
	{ "CET state", 0xd, 1, C, 11 },
	{ "SYSCALL", 0x80000001, 0, D, 11 }, { "NX", 0x80000001, 0, D, 20 },
	{ "1G pages", 0x80000001, 0, D, 26 },
	{ "RDTSCP", 0x80000001, 0, D, 27 }, { "LM", 0x80000001, 0, D, 29 },
	{ "SVM", 0x80000001, 0, C, 2 }, { "ExtApic", 0x80000001, 0, C, 3 },
	{ "FMA4", 0x80000001, 0, C, 16 }, { "MWAITX", 0x80000001, 0, C, 29 },
};

/* What the guest must have, and what user code may use. */
static const struct feature offered[] = {
	{ "FPU", 1, 0, D, 0 }, { "PSE", 1, 0, D, 3 }, { "TSC", 1, 0, D, 4 },
	{ "CX8", 1, 0, D, 8 }, { "PGE", 1, 0, D, 13 }, { "CMOV", 1, 0, D, 15 },
	{ "CLFSH", 1, 0, D, 19 }, { "MMX", 1, 0, D, 23 },
	{ "FXSR", 1, 0, D, 24 }, { "SSE", 1, 0, D, 25 }, { "SSE2", 1, 0, D, 26 },
	{ "SSE3", 1, 0, C, 0 }, { "PCLMULQDQ", 1, 0, C, 1 },
	{ "SSSE3", 1, 0, C, 9 }, { "CX16", 1, 0, C, 13 },
	{ "SSE4.1", 1, 0, C, 19 }, { "SSE4.2", 1, 0, C, 20 },
	{ "MOVBE", 1, 0, C, 22 }, { "POPCNT", 1, 0, C, 23 },
	{ "AES", 1, 0, C, 25 }, { "RDRAND", 1, 0, C, 30 },
	{ "hypervisor", 1, 0, C, 31 },
	{ "BMI1", 7, 0, B, 3 }, { "BMI2", 7, 0, B, 8 }, { "ERMS", 7, 0, B, 9 },
	{ "RDSEED", 7, 0, B, 18 }, { "ADX", 7, 0, B, 19 },
	{ "SHA", 7, 0, B, 29 }, { "GFNI", 7, 0, C, 8 }, { "FSRM", 7, 0, D, 4 },
	{ "LAHF", 0x80000001, 0, C, 0 }, { "LZCNT", 0x80000001, 0, C, 5 },
	{ "invariant TSC", 0x80000007, 0, D, 8 },
};

/* What needs XSAVE, AVX and AVX-512 state, and goes without it. */
static const struct feature needs_xsave[] = {
	{ "XSAVE", 1, 0, C, 26 },
};

static const struct feature needs_avx[] = {
	{ "FMA", 1, 0, C, 12 }, { "AVX", 1, 0, C, 28 }, { "F16C", 1, 0, C, 29 },
	{ "AVX2", 7, 0, B, 5 }, { "VAES", 7, 0, C, 9 },
	{ "VPCLMULQDQ", 7, 0, C, 10 }, { "AVX-VNNI", 7, 1, A, 4 },
};

static const struct feature needs_avx512[] = {
	{ "AVX512F", 7, 0, B, 16 }, { "AVX512DQ", 7, 0, B, 17 },
	{ "AVX512IFMA", 7, 0, B, 21 }, { "AVX512CD", 7, 0, B, 28 },
	{ "AVX512BW", 7, 0, B, 30 }, { "AVX512VL", 7, 0, B, 31 },
	{ "AVX512VBMI", 7, 0, C, 1 }, { "AVX512VBMI2", 7, 0, C, 6 },
	{ "AVX512VNNI", 7, 0, C, 11 }, { "AVX512BITALG", 7, 0, C, 12 },
	{ "AVX512VPOPCNTDQ", 7, 0, C, 14 }, { "VP2INTERSECT", 7, 0, D, 8 },
	{ "AVX512FP16", 7, 0, D, 23 }, { "AVX512BF16", 7, 1, A, 5 },
};

static void expect(const char *of, const struct feature *list, size_t n,
		   bool want)
{
	size_t i;

	for (i = 0; i < n; i++) {
		struct cpuid_leaf leaf = get(list[i].leaf, list[i].subleaf);

		CHECK_EQ(row("%s: %s", of, list[i].name),
			 reg_of(&leaf, list[i].reg) >> list[i].bit & 1, want);
	}
}

static const struct {
	const char *what;
	u64 host;
	u64 allowed;
} xcr0s[] = {
	{ "no XSAVE", 0, 0 }, { "x87 only", 1, 0 }, { "SSE", 3, 3 },
	{ "AVX", 7, 7 }, { "AVX-512", 0xe7, 0xe7 },
	{ "AVX-512, PKRU, AMX", 0x602e7, 0xe7 }, { "AVX, MPX", 0x1f, 7 },
	{ "AVX-512 without AVX", 0xe3, 3 }, { "a part of AVX-512", 0x67, 7 },
	{ "AVX without SSE", 5, 0 },
};

static void hidden_and_offered(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(xcr0s); i++) {
		u64 allowed = xcr0s[i].allowed;
		const char *w = xcr0s[i].what;

		core_cpuid_build(&f->vm.cpuid, everything, xcr0s[i].host);
		CHECK_EQ(w, f->vm.cpuid.xcr0_allowed, allowed);
		CHECK(w, f->vm.cpuid.count < CPUID_LEAVES);
		expect(w, hidden, ARRAY_SIZE(hidden), false);
		expect(w, offered, ARRAY_SIZE(offered), true);
		expect(w, needs_xsave, ARRAY_SIZE(needs_xsave), allowed != 0);
		expect(w, needs_avx, ARRAY_SIZE(needs_avx), allowed & 4);
		expect(w, needs_avx512, ARRAY_SIZE(needs_avx512),
		       allowed & 0x80);
		CHECK_EQ(w, get(0xd, 0).eax, (u32)allowed);
		CHECK_EQ(w, get(0xd, 0).edx, 0);
	}
}

/* This host's processor: nothing of it comes through that must not. */
static void this_host(void **state)
{
	u64 xcr0 = xcr0_of_host();
	size_t i;
	u32 leaf, subleaf;

	(void)state;
	core_cpuid_build(&f->vm.cpuid, host, xcr0);
	expect("host", hidden, ARRAY_SIZE(hidden), false);
	if (!(f->vm.cpuid.xcr0_allowed & 0x80))
		expect("host", needs_avx512, ARRAY_SIZE(needs_avx512), false);
	/* And nothing is made up. */
	for (i = 0; i < ARRAY_SIZE(offered); i++) {
		struct cpuid_leaf guest = get(offered[i].leaf,
					      offered[i].subleaf), own;

		if (!strcmp(offered[i].name, "hypervisor"))
			continue;
		host(offered[i].leaf, offered[i].subleaf, &own);
		CHECK_EQ(offered[i].name,
			 reg_of(&guest, offered[i].reg) >> offered[i].bit & 1,
			 reg_of(&own, offered[i].reg) >> offered[i].bit & 1);
	}
	for (leaf = 1; leaf <= 7; leaf += 6)
	for (subleaf = 0; subleaf < 2; subleaf++) {
		struct cpuid_leaf guest = get(leaf, subleaf), own;

		host(leaf, subleaf, &own);
		CHECK_EQ(row("leaf %u.%u", leaf, subleaf),
			 guest.edx & ~own.edx, 0);
		CHECK_EQ(row("leaf %u.%u", leaf, subleaf),
			 guest.ecx & ~own.ecx & ~(leaf == 1 ? 1u << 31 : 0), 0);
	}
}

static void names(void **state)
{
	struct cpuid_leaf leaf;
	char text[13] = { 0 };

	(void)state;
	core_cpuid_build(&f->vm.cpuid, everything, 0xe7);
	leaf = get(0, 0);
	CHECK_EQ("leaf 0", leaf.eax, 0xd);
	memcpy(text, &leaf.ebx, 4);
	memcpy(text + 4, &leaf.edx, 4);
	memcpy(text + 8, &leaf.ecx, 4);
	CHECK_EQ("leaf 0", strcmp(text, "plex86 guest"), 0);
	leaf = get(0x40000000, 0);
	CHECK_EQ("hypervisor", leaf.eax, 0x40000000);
	memcpy(text, &leaf.ebx, 4);
	memcpy(text + 4, &leaf.ecx, 4);
	memcpy(text + 8, &leaf.edx, 4);
	CHECK_EQ("hypervisor", strcmp(text, "plex86 guest"), 0);
	leaf = get(0x80000000, 0);
	CHECK_EQ("extended", leaf.eax, 0x80000008);
	leaf = get(0x80000008, 0);
	CHECK_EQ("address bits", leaf.eax, 0x2020);
	CHECK_EQ("address bits", leaf.ebx | leaf.ecx | leaf.edx, 0);
	leaf = get(1, 0);
	CHECK_EQ("one CPU, id 0", leaf.ebx >> 16, 1);
	CHECK_EQ("no brand index", leaf.ebx & 0xff, 0);
	leaf = get(4, 0);
	CHECK_EQ("cache shared by one", leaf.eax >> 14, 0);
	leaf = get(7, 0);
	CHECK_EQ("subleaves of 7", leaf.eax, 1);
}

static void out_of_range(void **state)
{
	static const u32 leaves[][2] = {
		{ 3, 0 }, { 5, 0 }, { 6, 0 }, { 8, 0 }, { 9, 0 }, { 0xa, 0 },
		{ 0xb, 0 }, { 0xc, 0 }, { 0xe, 0 }, { 0xf, 0 }, { 0x10, 0 },
		{ 0x12, 0 }, { 0x14, 0 }, { 0x15, 0 }, { 0x16, 0 },
		{ 0x1f, 0 }, { 0x20, 0 }, { 0x3fffffff, 0 },
		{ 0x40000001, 0 }, { 0x40000010, 0 }, { 0x7fffffff, 0 },
		{ 0x80000009, 0 }, { 0x8000001f, 0 }, { 0x80000021, 0 },
		{ 0x80860000, 0 }, { 0xc0000000, 0 }, { 0xffffffff, 0 },
		{ 4, 8 }, { 4, ~0u }, { 7, 2 }, { 7, ~0u }, { 0xd, 3 },
		{ 0xd, 4 }, { 0xd, 8 }, { 0xd, 9 }, { 0xd, 17 }, { 0xd, 18 },
		{ 0xd, 63 }, { 0xd, ~0u },
	};
	size_t i;

	(void)state;
	core_cpuid_build(&f->vm.cpuid, everything, 0x602e7);
	for (i = 0; i < ARRAY_SIZE(leaves); i++) {
		struct cpuid_leaf leaf = get(leaves[i][0], leaves[i][1]);

		CHECK_EQ(row("leaf %#x.%#x", leaves[i][0], leaves[i][1]),
			 leaf.eax | leaf.ebx | leaf.ecx | leaf.edx, 0);
	}
	/* Leaves without subleaves do not look at ECX. */
	CHECK_EQ("leaf 1", get(1, 77).edx, get(1, 0).edx);
	CHECK("leaf 1", get(1, 77).edx != 0);
	CHECK_EQ("leaf 0", get(0, ~0u).eax, 0xd);
}

/* A processor with 3 leaves must not lend the others its last one's bits. */
static void old_processor(void **state)
{
	u32 leaf;

	(void)state;
	core_cpuid_build(&f->vm.cpuid, old, 0);
	for (leaf = 3; leaf < 0x10; leaf++)
		CHECK_EQ(row("leaf %u", leaf), get(leaf, 0).eax |
			 get(leaf, 0).ebx | get(leaf, 0).ecx |
			 get(leaf, 0).edx, 0);
	CHECK_EQ("brand", get(0x80000002, 0).eax, 0);
	CHECK_EQ("extended", get(0x80000001, 0).ecx, 0);
	CHECK_EQ("features", get(1, 0).edx, 0x0788a119);
}

static void osxsave_follows_cr4(void **state)
{
	(void)state;
	core_cpuid_build(&f->vm.cpuid, everything, 0xe7);
	CHECK_EQ("off", get(1, 0).ecx >> 27 & 1, 0);
	f->vm.cpu.cr4 = CR4_OSXSAVE;
	CHECK_EQ("on", get(1, 0).ecx >> 27 & 1, 1);
	f->vm.cpu.cr4 = ~CR4_OSXSAVE;
	CHECK_EQ("off", get(1, 0).ecx >> 27 & 1, 0);
}

/* Sizes for the plausible processor, worked out by hand (SDM vol. 1, 13.4). */
static void xsave_sizes(void **state)
{
	static const struct {
		u64 xcr0;
		u32 standard, compacted;
	} table[] = {
		{ 0x1, 576, 576 }, { 0x3, 576, 576 },
		{ 0x7, 832, 832 },
		/* 576 + 256 + 40, up to a multiple of 64; + 512 + 1024 */
		{ 0xe7, 2688, 2432 },
	};
	size_t i;

	(void)state;
	core_cpuid_build(&f->vm.cpuid, everything, 0x602e7);
	for (i = 0; i < ARRAY_SIZE(table); i++) {
		const char *r = row("xcr0 %#llx",
				    (unsigned long long)table[i].xcr0);

		f->vm.cpu.xcr0 = table[i].xcr0;
		CHECK_EQ(r, get(0xd, 0).ebx, table[i].standard);
		CHECK_EQ(r, get(0xd, 0).ecx, 2688);
		CHECK_EQ(r, get(0xd, 1).ebx, table[i].compacted);
	}
	CHECK_EQ("part", get(0xd, 6).eax, 512);
	CHECK_EQ("part", get(0xd, 6).ebx, 1152);
}

#define AREA	16384

struct areas {
	u8 own[AREA], fill[AREA], out[2][2][AREA];	/* [compacted][pattern] */
} __attribute__((aligned(64)));

/* How far this processor writes for @parts, none of them in its initial state. */
static u32 written(struct areas *a, u64 parts, int compacted)
{
	u32 low = (u32)parts, mxcsr = 0x1f80, i, end = 0, eax;
	int p;

	for (p = 0; p < 2; p++) {
		memset(a->out[compacted][p], p ? 0x5a : 0xa5, AREA);
		memset(a->fill, 0x11, AREA);
		/* XRSTOR of AVX state takes MXCSR along, which has rules. */
		memcpy(a->fill + 24, &mxcsr, 4);
		memset(a->fill + 512, 0, 64);
		a->fill[512] = (u8)(low & ~3u);
		eax = low;
		/* A header that is not cleared would be read by XRSTOR. */
		memset(a->own + 512, 0, 64);
		__asm__ volatile("xsave64 (%[own])\n\t"
				 "mov %[rest], %%eax\n\t"
				 "xrstor64 (%[fill])\n\t"
				 "mov %[all], %%eax\n\t"
				 "test %[compact], %[compact]\n\t"
				 "jz 1f\n\t"
				 "xsavec64 (%[out])\n\t"
				 "jmp 2f\n"
				 "1:\n\t"
				 "xsave64 (%[out])\n"
				 "2:\n\t"
				 "xrstor64 (%[own])"
				 : "+&a"(eax)
				 : [own] "r"(a->own), [fill] "r"(a->fill),
				   [out] "r"(a->out[compacted][p]),
				   [rest] "r"(low & ~3u), [all] "r"(low),
				   [compact] "r"(compacted), "d"(0)
				 : "memory", "cc");
	}
	for (i = 0; i < AREA; i++)
		if (a->out[compacted][0][i] != 0xa5 ||
		    a->out[compacted][1][i] != 0x5a)
			end = i + 1;
	return end;
}

/* The sizes told are what the processor writes, for each XCR0 it can have. */
static void xsave_sizes_of_this_host(void **state)
{
	static const u64 xcr0[] = { 3, 7, 0xe7 };
	static struct areas a;
	u64 have = xcr0_of_host();
	struct cpuid_leaf leaf;
	size_t i;

	(void)state;
	host(0xd, 1, &leaf);
	if ((have & 3) != 3 || !(leaf.eax & 2))
		skip();
	core_cpuid_build(&f->vm.cpuid, host, have);
	for (i = 0; i < ARRAY_SIZE(xcr0); i++) {
		const char *r = row("xcr0 %#llx", (unsigned long long)xcr0[i]);
		u32 end;

		if ((have & xcr0[i]) != xcr0[i])
			continue;
		f->vm.cpu.xcr0 = xcr0[i];
		/* Of the header at 512..575 only a part is written. */
		end = written(&a, xcr0[i], 0);
		CHECK_EQ(r, get(0xd, 0).ebx, end > 576 ? end : 576);
		end = written(&a, xcr0[i], 1);
		CHECK_EQ(r, get(0xd, 1).ebx, end > 576 ? end : 576);
	}
	/* Where the guest is offered all the host has, so must the sums be. */
	if (have == f->vm.cpuid.xcr0_allowed) {
		f->vm.cpu.xcr0 = have;
		host(0xd, 0, &leaf);
		CHECK_EQ("all", get(0xd, 0).ebx, leaf.ebx);
		CHECK_EQ("all", get(0xd, 0).ecx, leaf.ebx);
	}
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(hidden_and_offered), TEST(this_host), TEST(names),
		TEST(out_of_range), TEST(old_processor),
		TEST(osxsave_follows_cr4), TEST(xsave_sizes),
		TEST(xsave_sizes_of_this_host),
	};

	return RUN_TESTS("cpuid", tests, NULL, NULL);
}
