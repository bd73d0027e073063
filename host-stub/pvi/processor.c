// SPDX-License-Identifier: GPL-2.0
/*
 * The processor: what it must have, the modes it runs in, its CPUID and its
 * random numbers.
 */
#include "machine.h"
#include "pvi.h"

#define CR0_MP		0x00000002u
#define CR0_NE		0x00000020u
#define CR0_AM		0x00040000u
#define CR4_OSFXSR	0x00000200u
#define CR4_OSXMMEXCPT	0x00000400u

#define LEAF1_VME	(1u << 1)	/* and with it CR4.PVI */
#define LEAF1_FXSR	(1u << 24)
#define LEAF1_SSE	(1u << 25)
#define LEAF1_XSAVE	(1u << 26)	/* of ECX */
#define LEAF1_RDRAND	(1u << 30)	/* of ECX */

#define XCR0_AVX512	0xe0u
#define XCR0_CARRIED	0xe7u		/* x87, SSE, AVX, AVX-512 */

#define RDRAND_TRIES	10u

static void cpuid(u32 leaf, u32 subleaf, struct cpuid_leaf *out)
{
	__asm__ volatile("cpuid" : "=a"(out->eax), "=b"(out->ebx),
			 "=c"(out->ecx), "=d"(out->edx)
			 : "a"(leaf), "c"(subleaf));
}

/* processor_check() - NULL, or the name of what this CPU lacks */
const char *processor_check(void)
{
	/* What the ABI has a host offer; leaf 1, EDX. */
	static const struct {
		u32 bit;
		const char *name;
	} needed[] = {
		{ 0, "FPU" }, { 3, "PSE" }, { 4, "TSC" }, { 8, "CMPXCHG8B" },
		{ 13, "PGE" }, { 15, "CMOV" },
	};
	struct cpuid_leaf leaf;
	u32 i;

	cpuid(1, 0, &leaf);
	for (i = 0; i < sizeof(needed) / sizeof(needed[0]); i++)
		if (!(leaf.edx & 1u << needed[i].bit))
			return needed[i].name;
	return NULL;
}

/* Turns on all the state components that a guest may use; 0: no XSAVE. */
static u64 start_xsave(void)
{
	struct cpuid_leaf leaf;
	u64 xcr0;

	cpuid(0xd, 0, &leaf);
	xcr0 = leaf.eax & XCR0_CARRIED;
	if ((xcr0 & XCR0_AVX512) != XCR0_AVX512 || !(xcr0 & 4))
		xcr0 &= ~(u64)XCR0_AVX512;
	host.cr4 |= CR4_OSXSAVE;
	write_cr4(host.cr4);
	xsetbv(xcr0);
	return xcr0;
}

/*
 * processor_start() - the modes of the processor, and the guest's CPUID
 *
 * The FPU is always the guest's; the monitor does not touch it.
 */
void processor_start(void)
{
	struct cpuid_leaf leaf;
	u64 xcr0 = 0;

	cpuid(1, 0, &leaf);
	/*
	 * Alignment checks, as user code may turn them on for itself.  Nothing is
	 * kept of what a loader has left on.
	 */
	write_cr0(CR0_PE | CR0_MP | CR0_ET | CR0_NE | CR0_WP | CR0_AM | CR0_PG);
	host.cr4 = CR4_PSE;
	if (leaf.edx & LEAF1_FXSR)
		host.cr4 |= CR4_OSFXSR;
	if (leaf.edx & LEAF1_SSE)
		host.cr4 |= CR4_OSXMMEXCPT;
	write_cr4(host.cr4);
	if (leaf.ecx & LEAF1_XSAVE)
		xcr0 = start_xsave();
	host.cr4_now = host.cr4;
	core_cpuid_build(&host.vm.cpuid, cpuid, xcr0);
	host.rdrand = leaf.ecx & LEAF1_RDRAND;
	host.pvi = (leaf.edx & LEAF1_VME) && !host.options.trap;
	if (host.pvi)
		say("CR4.PVI is on: CLI and STI of the guest's kernel do not trap");
	else if (host.options.trap)
		say("CR4.PVI stays off, as the command line says: CLI, STI, PUSHF and POPF of the guest's kernel trap");
	else
		say("this CPU has no CR4.PVI: CLI, STI, PUSHF and POPF of the guest's kernel trap");
}

/* processor_random() - random bytes, a multiple of 4; false: there are none */
bool processor_random(u8 *to, u32 bytes)
{
	u32 i, value = 0, tries;
	u8 got;

	if (!host.rdrand)
		return false;
	for (i = 0; i < bytes; i += sizeof(value)) {
		for (tries = 0, got = 0; !got && tries < RDRAND_TRIES; tries++)
			__asm__ volatile("rdrand %0; setc %1"
					 : "=r"(value), "=qm"(got) : : "cc");
		if (!got)
			return false;
		memcpy(to + i, &value, sizeof(value));
	}
	return true;
}
