// SPDX-License-Identifier: GPL-2.0
/*
 * The hardware's descriptor tables, and the guest's segment registers.
 *
 * The guest's kernel and programs run on the same flat segments of DPL 3; the TLS
 * descriptors of the guest's GDT are carried to the same entries of ours.
 */
#include "pvi.h"

#define DESC_PRESENT	(1ull << 47)
#define DESC_SEGMENT	(1ull << 44)	/* not a system descriptor */
#define DESC_CODE	(1ull << 43)
#define DESC_RW		(1ull << 41)	/* data: writable; code: readable */
#define DESC_DPL3	(3ull << 45)
#define FLAT_CODE	0x00cf9a000000ffffull
#define FLAT_DATA	0x00cf92000000ffffull
#define TYPE_TSS	(0x89ull << 40)

#define GATE_INTERRUPT	0x8e00u
#define GATE_DPL3	0x6000u

#define ENTRY_BYTES	16u		/* of entry.S */

#define TSS_ESP0	1
#define TSS_SS0		2
#define TSS_IO_MAP	25

static void set_gate(u32 vector, u32 entry, u32 type)
{
	u32 address = (u32)entries + entry * ENTRY_BYTES;

	host.idt[vector] = (u64)((address & 0xffff0000) | type) << 32 |
			   MON_CS << 16 | (address & 0xffff);
}

/*
 * segments_start() - our GDT, IDT and TSS, and no LDT: a reset leaves one of 64 KiB
 *
 * Gates that INT n of the guest shall not reach have DPL 0: it raises #GP then,
 * which names n.
 */
void segments_start(void)
{
	struct descriptor_pointer gdt = { sizeof(host.gdt) - 1, (u32)host.gdt };
	struct descriptor_pointer idt = { sizeof(host.idt) - 1, (u32)host.idt };
	u32 tss = (u32)host.tss, i;

	host.gdt[MON_CS / 8] = FLAT_CODE;
	host.gdt[MON_DS / 8] = FLAT_DATA;
	host.gdt[GUEST_CS / 8] = FLAT_CODE | DESC_DPL3;
	host.gdt[GUEST_DS / 8] = FLAT_DATA | DESC_DPL3;
	host.gdt[MON_TSS / 8] = (u64)(tss & 0xff000000) << 32 |
				(u64)(tss & 0x00ffffff) << 16 | TYPE_TSS |
				(sizeof(host.tss) - 1);
	host.tss[TSS_ESP0] = (u32)stack_end;
	host.tss[TSS_SS0] = MON_DS;
	host.tss[TSS_IO_MAP] = sizeof(host.tss) << 16;	/* none */
	for (i = 0; i < VECTORS; i++)
		set_gate(i, i, GATE_INTERRUPT);
	set_gate(VEC_BP, VEC_BP, GATE_INTERRUPT | GATE_DPL3);
	set_gate(VEC_OF, VEC_OF, GATE_INTERRUPT | GATE_DPL3);
	set_gate(VEC_SYSCALL, VECTORS, GATE_INTERRUPT | GATE_DPL3);
	__asm__ volatile("lgdt %0; lidt %1; ljmp %2, $1f; 1:"
			 "movw %w3, %%ds; movw %w3, %%es; movw %w3, %%ss;"
			 "movw %w4, %%fs; movw %w4, %%gs; lldt %w4; ltr %w5"
			 : : "m"(gdt), "m"(idt), "i"(MON_CS), "r"(MON_DS),
			     "r"(0), "r"(MON_TSS) : "memory");
}

/*
 * segment_usable() - would ring 3 get @selector loaded?
 * @stack: into SS
 */
bool segment_usable(u32 selector, bool stack)
{
	u64 d;

	if (!(selector & ~3u))
		return !stack;
	if ((selector & 4) || selector / 8 >= GDT_ENTRIES)
		return false;
	d = host.gdt[selector / 8];
	if ((d & (DESC_PRESENT | DESC_SEGMENT | DESC_DPL3)) !=
	    (DESC_PRESENT | DESC_SEGMENT | DESC_DPL3))
		return false;
	if (stack)
		return (selector & 3) == 3 && (d & DESC_RW) && !(d & DESC_CODE);
	return !(d & DESC_CODE) || (d & DESC_RW);
}

static u32 read_fs(void)
{
	u32 selector;

	__asm__ volatile("movl %%fs, %0" : "=r"(selector));
	return selector & 0xffff;
}

static u32 read_gs(void)
{
	u32 selector;

	__asm__ volatile("movl %%gs, %0" : "=r"(selector));
	return selector & 0xffff;
}

static void write_fs(u32 selector)
{
	__asm__ volatile("movl %0, %%fs" : : "r"(selector));
}

static void write_gs(u32 selector)
{
	__asm__ volatile("movl %0, %%gs" : : "r"(selector));
}

/*
 * What a program may have in its TLS entries: data.  Anything else counts as
 * absent; code would be another CS than the one that each way out loads.
 */
static u64 allowed(u64 d)
{
	u64 want = DESC_PRESENT | DESC_SEGMENT | DESC_DPL3;

	return (d & (want | DESC_CODE)) == want ? d : 0;
}

/* Loads FS and GS anew where they refer to @entry; null if it takes none now. */
static void reload(u32 entry)
{
	u32 fs = read_fs(), gs = read_gs();

	if (fs / 8 == entry)
		write_fs(segment_usable(fs, false) ? fs : 0);
	if (gs / 8 == entry)
		write_gs(segment_usable(gs, false) ? gs : 0);
}

/* segments_reset() - flat, but for FS and GS; no TLS; for a guest that begins */
void segments_reset(void)
{
	u32 i;

	host.ds = GUEST_DS;
	host.es = GUEST_DS;
	write_fs(0);
	write_gs(0);
	for (i = 0; i < TLS_SLOTS; i++)
		host.gdt[TLS_MIN + i] = 0;
}

/* host_sync_tls() - see core/vm.h; DS and ES are loaded at each way out */
void host_sync_tls(struct vm *vm)
{
	u64 want[TLS_SLOTS];
	u32 fault, i;

	if (vm->cpu.gdt.limit < GDT_ENTRIES * 8 - 1 ||
	    core_read(vm, vm->cpu.gdt.base + TLS_MIN * 8, want, sizeof(want), 0,
		      &fault))
		return;
	for (i = 0; i < TLS_SLOTS; i++) {
		u64 d = allowed(want[i]);

		if (d == host.gdt[TLS_MIN + i])
			continue;
		vm->stats.tls_syncs++;
		host.gdt[TLS_MIN + i] = d;
		reload(TLS_MIN + i);
	}
}

/* host_load_segment() - see core/vm.h */
int host_load_segment(struct vm *vm, u32 segment, u32 selector)
{
	if (selector / 8 - TLS_MIN < TLS_SLOTS)
		host_sync_tls(vm);
	if (!segment_usable(selector, false))
		return -1;
	switch (segment) {
	case SEG_DS:
		host.ds = selector;
		break;
	case SEG_ES:
		host.es = selector;
		break;
	case SEG_FS:
		write_fs(selector);
		break;
	case SEG_GS:
		write_gs(selector);
		break;
	}
	return 0;
}
