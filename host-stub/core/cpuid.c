// SPDX-License-Identifier: GPL-2.0
/*
 * The processor a guest sees: the host's, less what it cannot have.
 *
 * The table is built once, where CPUID still executes; core_cpuid() answers
 * from it (SDM vol. 2, "CPUID"; leaf and bit names are the manual's).
 */
#include "vm.h"

/* Leaf 1 EDX: FPU PSE TSC CX8 PGE CMOV CLFSH MMX FXSR SSE SSE2. */
#define LEAF1_EDX	0x0788a119u
/*
 * Leaf 1 ECX: SSE3 PCLMULQDQ SSSE3 FMA CX16 SSE4.1 SSE4.2 MOVBE POPCNT AES
 * XSAVE AVX F16C RDRAND.
 */
#define LEAF1_ECX	0x76d83203u
#define LEAF1_ECX_XSAVE	0x04000000u
#define LEAF1_ECX_OSXSAVE 0x08000000u
#define LEAF1_ECX_HYPERVISOR 0x80000000u
/* Leaf 7 EBX: BMI1 AVX2 BMI2 ERMS RDSEED ADX CLFLUSHOPT CLWB SHA, AVX512*. */
#define LEAF7_EBX	0xf1af0328u
/* Leaf 7 ECX: VBMI VBMI2 GFNI VAES VPCLMULQDQ VNNI BITALG VPOPCNTDQ MOVDIR*. */
#define LEAF7_ECX	0x18005f42u
/* Leaf 7 EDX: FSRM, AVX512_VP2INTERSECT, AVX512_FP16. */
#define LEAF7_EDX	0x00800110u
/* Leaf 7.1 EAX: AVX_VNNI, AVX512_BF16. */
#define LEAF71_EAX	0x00000030u
/* What of these needs AVX-512 state, and what needs AVX state. */
#define LEAF7_EBX_AVX512 0xd0230000u
#define LEAF7_ECX_AVX512 0x00005842u
#define LEAF7_EDX_AVX512 0x00800100u
#define LEAF71_EAX_AVX512 0x00000020u
#define LEAF1_ECX_AVX	0x30001000u
#define LEAF7_EBX_AVX	0x00000020u
#define LEAF7_ECX_AVX	0x00000600u
#define LEAF71_EAX_AVX	0x00000010u
/* Leaf 0xd.1 EAX: XSAVEOPT, XSAVEC; no XSAVES, which is CPL 0's. */
#define LEAFD1_EAX	0x00000003u
/* Leaf 0x80000001 ECX: LAHF, LZCNT, PREFETCHW. */
#define LEAFX1_ECX	0x00000121u
/* Leaf 0x80000007 EDX: invariant TSC. */
#define LEAFX7_EDX	0x00000100u

/* XCR0: x87, SSE, AVX and the three parts of AVX-512. */
#define XCR0_OFFERED	0x000000e7u

#define MAX_BASIC	0x0000000du
#define MAX_EXTENDED	0x80000008u
#define HYPERVISOR_BASE	0x40000000u

static void add(struct cpuid_table *table, const struct cpuid_leaf *leaf)
{
	if (table->count < CPUID_LEAVES)
		table->leaf[table->count++] = *leaf;
}

static void set_vendor(u32 *a, u32 *b, u32 *c)
{
	memcpy(a, PLEX86_CPU_VENDOR, 4);
	memcpy(b, PLEX86_CPU_VENDOR + 4, 4);
	memcpy(c, PLEX86_CPU_VENDOR + 8, 4);
}

/* Takes from leaf 1 or 7 what uses state that @xcr0 does not hold. */
static void filter_vectors(struct cpuid_leaf *leaf, u64 xcr0)
{
	bool avx = xcr0 & 4, avx512 = xcr0 & 0xe0;

	if (leaf->leaf == 1) {
		if (!avx)
			leaf->ecx &= ~LEAF1_ECX_AVX;
		if (!xcr0)
			leaf->ecx &= ~LEAF1_ECX_XSAVE;
	} else if (leaf->subleaf) {
		if (!avx)
			leaf->eax &= ~LEAF71_EAX_AVX;
		if (!avx512)
			leaf->eax &= ~LEAF71_EAX_AVX512;
	} else {
		if (!avx) {
			leaf->ebx &= ~LEAF7_EBX_AVX;
			leaf->ecx &= ~LEAF7_ECX_AVX;
		}
		if (!avx512) {
			leaf->ebx &= ~LEAF7_EBX_AVX512;
			leaf->ecx &= ~LEAF7_ECX_AVX512;
			leaf->edx &= ~LEAF7_EDX_AVX512;
		}
	}
}

/* Takes from @leaf what a guest cannot have. */
static void filter(struct cpuid_leaf *leaf, u64 xcr0)
{
	switch (leaf->leaf) {
	case 0:
		leaf->eax = MAX_BASIC;
		set_vendor(&leaf->ebx, &leaf->edx, &leaf->ecx);
		break;
	case 1:
		leaf->ebx &= 0x0000ff00;	/* CLFLUSH size; one CPU, id 0 */
		leaf->ebx |= 0x00010000;
		leaf->ecx &= LEAF1_ECX;
		leaf->ecx |= LEAF1_ECX_HYPERVISOR;
		leaf->edx &= LEAF1_EDX;
		filter_vectors(leaf, xcr0);
		break;
	case 4:
		leaf->eax &= 0x00003fff;	/* shared with no other core */
		break;
	case 7:
		if (leaf->subleaf) {
			leaf->eax &= LEAF71_EAX;
			leaf->ebx = 0;
			leaf->ecx = 0;
			leaf->edx = 0;
			filter_vectors(leaf, xcr0);
			break;
		}
		leaf->eax = 1;
		leaf->ebx &= LEAF7_EBX;
		leaf->ecx &= LEAF7_ECX;
		leaf->edx &= LEAF7_EDX;
		filter_vectors(leaf, xcr0);
		break;
	case 0xd:
		if (leaf->subleaf == 0) {
			leaf->eax = (u32)xcr0;
			leaf->edx = 0;
		} else if (leaf->subleaf == 1) {
			leaf->eax &= LEAFD1_EAX;
			leaf->ebx = 0;
			leaf->ecx = 0;
			leaf->edx = 0;
		}
		break;
	case 0x80000000:
		leaf->eax = MAX_EXTENDED;
		set_vendor(&leaf->ebx, &leaf->edx, &leaf->ecx);
		break;
	case 0x80000001:
		leaf->ebx = 0;
		leaf->ecx &= LEAFX1_ECX;
		leaf->edx = 0;
		break;
	case 0x80000007:
		leaf->eax = 0;
		leaf->ebx = 0;
		leaf->ecx = 0;
		leaf->edx &= LEAFX7_EDX;
		break;
	case 0x80000008:
		leaf->eax = 0x2020;		/* 32 physical, 32 linear bits */
		leaf->ebx = 0;
		leaf->ecx = 0;
		leaf->edx = 0;
		break;
	}
}

/*
 * core_cpuid_build() - make the guest's CPUID table
 * @host: executes CPUID
 * @host_xcr0: the host's XCR0, 0 where XSAVE is not in use
 */
void core_cpuid_build(struct cpuid_table *table, cpuid_fn host, u64 host_xcr0)
{
	static const u32 plain[] = {
		0, 1, 2, 0x80000000, 0x80000001, 0x80000002, 0x80000003,
		0x80000004, 0x80000005, 0x80000006, 0x80000007, 0x80000008,
	};
	struct cpuid_leaf leaf, top, top_extended;
	u64 xcr0 = host_xcr0 & XCR0_OFFERED;
	u32 i;

	if ((xcr0 & 3) != 3)
		xcr0 = 0;
	if ((xcr0 & 0xe0) != 0xe0 || !(xcr0 & 4))
		xcr0 &= 7;
	table->count = 0;
	table->xcr0_allowed = xcr0;
	host(0, 0, &top);
	host(0x80000000, 0, &top_extended);

	for (i = 0; i < sizeof(plain) / sizeof(plain[0]); i++) {
		u32 max = plain[i] >> 31 ? top_extended.eax : top.eax;

		memset(&leaf, 0, sizeof(leaf));
		if (plain[i] <= max)
			host(plain[i], 0, &leaf);
		leaf.leaf = plain[i];
		leaf.subleaf = 0;
		filter(&leaf, xcr0);
		add(table, &leaf);
	}
	for (i = 0; i < 8 && top.eax >= 4; i++) {
		host(4, i, &leaf);
		if (!(leaf.eax & 0x1f))
			break;
		leaf.leaf = 4;
		leaf.subleaf = i;
		filter(&leaf, xcr0);
		add(table, &leaf);
	}
	for (i = 0; i < 2 && top.eax >= 7; i++) {
		host(7, i, &leaf);
		leaf.leaf = 7;
		leaf.subleaf = i;
		filter(&leaf, xcr0);
		add(table, &leaf);
	}
	for (i = 0; i < 8 && top.eax >= 0xd && xcr0; i++) {
		if (i >= 2 && !(xcr0 & (1u << i)))
			continue;
		host(0xd, i, &leaf);
		leaf.leaf = 0xd;
		leaf.subleaf = i;
		filter(&leaf, xcr0);
		add(table, &leaf);
	}
}

static const struct cpuid_leaf *find(const struct cpuid_table *table,
				     u32 leaf, u32 subleaf)
{
	u32 i;

	for (i = 0; i < table->count; i++)
		if (table->leaf[i].leaf == leaf &&
		    table->leaf[i].subleaf == subleaf)
			return &table->leaf[i];
	return NULL;
}

/* Bytes an XSAVE area of @components takes (SDM vol. 1, 13.4). */
static u32 xsave_bytes(const struct cpuid_table *table, u64 components,
		       bool compacted)
{
	u32 bytes = 576, i;

	for (i = 2; i < 8; i++) {
		const struct cpuid_leaf *part;

		if (!(components & (1u << i)))
			continue;
		part = find(table, 0xd, i);
		if (!part)
			continue;
		if (compacted && (part->ecx & 2))
			bytes = (bytes + 63) & ~63u;
		if (compacted)
			bytes += part->eax;
		else if (part->ebx + part->eax > bytes)
			bytes = part->ebx + part->eax;
	}
	return bytes;
}

/*
 * core_cpuid() - what CPUID returns to the guest
 *
 * Leaves beyond the table are zero, as in the manual for reserved ones.
 */
void core_cpuid(struct vm *vm, u32 leaf, u32 subleaf, struct cpuid_leaf *out)
{
	const struct cpuid_leaf *found;
	bool by_subleaf = leaf == 4 || leaf == 7 || leaf == 0xd;

	memset(out, 0, sizeof(*out));
	if (leaf == HYPERVISOR_BASE) {
		out->eax = HYPERVISOR_BASE;
		set_vendor(&out->ebx, &out->ecx, &out->edx);
		return;
	}
	found = find(&vm->cpuid, leaf, by_subleaf ? subleaf : 0);
	if (!found)
		return;
	*out = *found;
	if (leaf == 1 && (vm->cpu.cr4 & CR4_OSXSAVE))
		out->ecx |= LEAF1_ECX_OSXSAVE;
	if (leaf == 0xd && subleaf == 0) {
		out->ebx = xsave_bytes(&vm->cpuid, vm->cpu.xcr0, false);
		out->ecx = xsave_bytes(&vm->cpuid, vm->cpuid.xcr0_allowed,
				       false);
	}
	if (leaf == 0xd && subleaf == 1)
		out->ebx = xsave_bytes(&vm->cpuid, vm->cpu.xcr0, true);
}
