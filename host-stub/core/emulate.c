// SPDX-License-Identifier: GPL-2.0
/*
 * What reaches the host as #GP, #UD or #PF: privileged instructions of the
 * guest kernel are emulated, HAL calls dispatched, missing shadow pages filled,
 * and everything else handed back to the guest as the exception it is.
 *
 * The decoder knows the instructions that can trap at CPL 3 and are legal at
 * CPL 0 in a kernel without segmentation games; anything else that traps is
 * the guest's own exception.
 */
#include "image.h"

/* An instruction as far as emulation needs it. */
struct insn {
	u8 byte[INSN_MAX];
	u32 have;		/* bytes that could be fetched */
	u32 len;		/* decoded so far */
	bool operand16;
	bool rep;
	bool odd;		/* a prefix that changes the operand's address */
	u8 opcode;		/* the last opcode byte */
	bool two_byte;		/* behind 0F */
	u8 mod, reg, rm;
	u32 address;		/* of the memory operand, where mod != 3 */
};

static bool fetch(struct insn *in, u8 *byte)
{
	if (in->len >= in->have)
		return false;
	*byte = in->byte[in->len++];
	return true;
}

static bool fetch32(struct insn *in, u32 *value)
{
	if (in->len + 4 > in->have)
		return false;
	memcpy(value, in->byte + in->len, 4);
	in->len += 4;
	return true;
}

/* ModRM, SIB and displacement, 32-bit addressing (SDM vol. 2, table 2-2). */
static bool fetch_modrm(struct vcpu *cpu, struct insn *in)
{
	u8 modrm, sib, disp8;
	u32 disp;

	if (!fetch(in, &modrm))
		return false;
	in->mod = modrm >> 6;
	in->reg = (modrm >> 3) & 7;
	in->rm = modrm & 7;
	if (in->mod == 3)
		return true;

	in->address = 0;
	if (in->rm == 4) {
		if (!fetch(in, &sib))
			return false;
		if (((sib >> 3) & 7) != 4)
			in->address = cpu->reg[(sib >> 3) & 7] << (sib >> 6);
		if ((sib & 7) == 5 && in->mod == 0) {
			if (!fetch32(in, &disp))
				return false;
			in->address += disp;
		} else {
			in->address += cpu->reg[sib & 7];
		}
	} else if (in->rm == 5 && in->mod == 0) {
		if (!fetch32(in, &disp))
			return false;
		in->address = disp;
	} else {
		in->address = cpu->reg[in->rm];
	}
	if (in->mod == 1) {
		if (!fetch(in, &disp8))
			return false;
		in->address += (u32)(s32)(int8_t)disp8;
	} else if (in->mod == 2) {
		if (!fetch32(in, &disp))
			return false;
		in->address += disp;
	}
	return true;
}

/* Fetches at EIP + @skip; prefixes and opcode are decoded. */
static bool decode_any(struct vm *vm, struct insn *in, u32 skip)
{
	u32 access = vm->cpu.cpl == 3 ? PFEC_U : 0, fault;
	u8 byte;

	memset(in, 0, sizeof(*in));
	if (!core_read(vm, vm->cpu.eip + skip, in->byte, INSN_MAX, access,
		       &fault))
		in->have = INSN_MAX;
	for (; in->have < INSN_MAX; in->have++)
		if (core_read(vm, vm->cpu.eip + skip + in->have,
			      in->byte + in->have, 1, access, &fault))
			break;
	for (;;) {
		if (!fetch(in, &byte))
			return false;
		switch (byte) {
		case 0x66:
			in->operand16 = true;
			continue;
		case 0xf2:
		case 0xf3:
			in->rep = true;
			continue;
		case 0x26: case 0x2e: case 0x36: case 0x3e: case 0xf0:
			continue;	/* flat segments: no effect */
		case 0x64: case 0x65: case 0x67:
			in->odd = true;
			continue;
		case 0x0f:
			in->two_byte = true;
			return fetch(in, &in->opcode);
		default:
			in->opcode = byte;
			return true;
		}
	}
}

/* The same, for what can be emulated. */
static bool decode(struct vm *vm, struct insn *in, u32 skip)
{
	return decode_any(vm, in, skip) && !in->odd;
}

static void done(struct vm *vm, const struct insn *in)
{
	core_advance(vm, in->len);
}

/*
 * Is @selector one of the flat segments of a guest kernel, as its GDT has it?
 * The hardware runs the guest kernel on the host's flat user segments instead.
 */
static bool kernel_flat(struct vm *vm, u32 selector)
{
	u32 entry[2], fault;

	if ((selector & 7) || selector + 7 > vm->cpu.gdt.limit ||
	    core_read(vm, vm->cpu.gdt.base + selector, entry, 8, 0, &fault))
		return false;
	/* base 0, limit 4 GiB, present, DPL 0, code or data, 32-bit */
	return (entry[0] >> 16) == 0 && !(entry[1] & 0xff0000ff) &&
	       (entry[0] & 0xffff) == 0xffff &&
	       (entry[1] & 0x00cff000) == 0x00cf9000;
}

/*
 * core_stack_selector() - can user mode run on stack segment @selector?
 *
 * The user's flat segment, or a present writable data segment of DPL 3 in the
 * guest's GDT (a TLS slot).
 */
bool core_stack_selector(struct vm *vm, u32 selector)
{
	u32 entry[2], fault;

	if (selector == 0x2b)
		return true;
	if ((selector & 7) != 3 || (selector | 7) > vm->cpu.gdt.limit ||
	    core_read(vm, vm->cpu.gdt.base + (selector & ~7u), entry, 8, 0,
		      &fault))
		return false;
	return (entry[1] & 0xfa00) == 0xf200;
}

static u32 read_cr(struct vcpu *cpu, u32 cr)
{
	switch (cr) {
	case 0:
		return cpu->cr0;
	case 2:
		return cpu->cr2;
	case 3:
		return cpu->cr3;
	default:
		return cpu->cr4;
	}
}

/*
 * core_load_cr3() - MOV to CR3
 *
 * Returns 0, or -1 where CR4.PCIDE is set and the host has no such address
 * space.
 */
int core_load_cr3(struct vm *vm, u32 value)
{
	struct vcpu *cpu = &vm->cpu;
	u32 old = cpu->cr3;

	/* A flush may look at the new tables. */
	cpu->cr3 = value;
	if (!(cpu->cr4 & CR4_PCIDE)) {
		host_flush(vm, !(cpu->cr4 & CR4_PGE));
	} else {
		cpu->cr3 &= ~(u32)PLEX86_CR3_KEEP;
		if (host_space(vm, value & PLEX86_CR3_ASID,
			       value & PLEX86_CR3_KEEP)) {
			cpu->cr3 = old;
			return -1;
		}
	}
	vm->stats.cr3_loads++;
	return 0;
}

/* Returns false where the CPU would raise #GP. */
static bool write_cr(struct vm *vm, u32 cr, u32 value)
{
	struct vcpu *cpu = &vm->cpu;
	u32 changed;

	switch (cr) {
	case 0:
		changed = cpu->cr0 ^ value;
		cpu->cr0 = value | CR0_ET;
		if (changed & (CR0_PG | CR0_WP))
			host_flush(vm, true);
		break;
	case 2:
		cpu->cr2 = value;
		vm->info->cr2 = value;
		break;
	case 3:
		if (core_load_cr3(vm, value))
			return false;
		break;
	default:
		changed = cpu->cr4 ^ value;
		cpu->cr4 = value;
		if (changed & (CR4_PGE | CR4_PSE | CR4_PCIDE))
			host_flush(vm, true);
		if (changed & CR4_TSD)
			host_trap_tsc(vm, value & CR4_TSD);
		break;
	}
	return true;
}

/* MOV to and from CRn and DRn: 0F 20..23. */
static void mov_special(struct vm *vm, struct insn *in)
{
	struct vcpu *cpu = &vm->cpu;
	bool to = in->opcode & 2;
	u8 modrm;
	u32 n, *reg;

	if (!fetch(in, &modrm))
		goto gp;
	n = (modrm >> 3) & 7;
	reg = &cpu->reg[modrm & 7];
	if (in->opcode & 1) {
		vm->stats.dr_access++;
		if (n == 4 || n == 5)
			n += 2;
		/* Watchpoints do not fire (docs/limits.md); fixed bits do. */
		if (to && n == 6)
			cpu->dr[n] = (*reg & 0xe00f) | DR6_FIXED;
		else if (to && n == 7)
			cpu->dr[n] = (*reg & ~0xd000u) | 0x400;
		else if (to)
			cpu->dr[n] = *reg;
		else
			*reg = cpu->dr[n];
	} else {
		if (n == 1 || n > 4)
			goto gp;
		vm->stats.cr_access++;
		if (!to)
			*reg = read_cr(cpu, n);
		else if (!write_cr(vm, n, *reg))
			goto gp;
	}
	done(vm, in);
	return;
gp:
	core_inject(vm, VEC_GP, 0);
}

/* LGDT and LIDT: 0F 01 /2, /3. */
static void load_table(struct vm *vm, struct insn *in,
		       struct descriptor_table *table)
{
	u8 image[6];
	u16 limit;
	u32 fault;

	vm->stats.descriptor_tables++;
	if (core_read(vm, in->address, image, sizeof(image), 0, &fault)) {
		core_inject_page_fault(vm, vm->fault_linear, fault);
		return;
	}
	memcpy(&limit, image, 2);
	memcpy(&table->base, image + 2, 4);
	if (in->operand16)
		table->base &= 0x00ffffff;
	table->limit = limit;
	done(vm, in);
}

/* A 16-bit source operand. */
static bool read_rm16(struct vm *vm, struct insn *in, u32 *value)
{
	u16 word = 0;
	u32 fault;

	if (in->mod == 3) {
		*value = vm->cpu.reg[in->rm] & 0xffff;
		return true;
	}
	if (core_read(vm, in->address, &word, 2, vm->cpu.cpl == 3 ? PFEC_U : 0,
		      &fault)) {
		core_inject_page_fault(vm, vm->fault_linear, fault);
		return false;
	}
	*value = word;
	return true;
}

/* LLDT and LTR: 0F 00 /2, /3. */
static void group6(struct vm *vm, struct insn *in)
{
	struct vcpu *cpu = &vm->cpu;
	u32 selector, entry[2], fault;

	if (!fetch_modrm(cpu, in) || (in->reg != 2 && in->reg != 3)) {
		core_inject(vm, VEC_GP, 0);
		return;
	}
	vm->stats.descriptor_tables++;
	if (!read_rm16(vm, in, &selector))
		return;
	if (in->reg == 2) {
		/* No LDT: CONFIG_MODIFY_LDT_SYSCALL is off in the guest. */
		cpu->ldtr = selector;
		done(vm, in);
		return;
	}
	if ((selector | 7) > cpu->gdt.limit ||
	    core_read(vm, cpu->gdt.base + (selector & ~7u), entry, 8, 0,
		      &fault)) {
		core_inject(vm, VEC_GP, selector & ~3u);
		return;
	}
	cpu->tr = selector;
	cpu->tss_base = (entry[0] >> 16) | ((entry[1] & 0xff) << 16) |
			(entry[1] & 0xff000000);
	done(vm, in);
}

/*
 * Are these state components the guest may enable together (SDM vol. 1, 13.3)?
 * x87 always, AVX with SSE, and AVX-512 whole and with AVX.
 */
static bool xcr0_valid(struct vm *vm, u64 xcr0)
{
	u64 avx512 = xcr0 & 0xe0;

	return (xcr0 & 1) && !(xcr0 & ~vm->cpuid.xcr0_allowed) &&
	       (!(xcr0 & 4) || (xcr0 & 2)) &&
	       (!avx512 || (avx512 == 0xe0 && (xcr0 & 4)));
}

/* LGDT, LIDT, LMSW, INVLPG, XSETBV: 0F 01. */
static void group7(struct vm *vm, struct insn *in)
{
	struct vcpu *cpu = &vm->cpu;
	u32 value;

	if (in->len < in->have && in->byte[in->len] == 0xd1) {
		u64 xcr = (u64)cpu->reg[EDX] << 32 | cpu->reg[EAX];

		if (cpu->reg[ECX] || !(cpu->cr4 & CR4_OSXSAVE) ||
		    !xcr0_valid(vm, xcr))
			goto gp;
		in->len++;
		cpu->xcr0 = xcr;
		vm->stats.other_emulated++;
		done(vm, in);
		return;
	}
	if (!fetch_modrm(cpu, in))
		goto gp;
	switch (in->reg) {
	case 2:
	case 3:
		if (in->mod == 3)
			goto gp;
		load_table(vm, in, in->reg == 2 ? &cpu->gdt : &cpu->idt);
		return;
	case 6:
		if (!read_rm16(vm, in, &value))
			return;
		write_cr(vm, 0, (cpu->cr0 & ~0xeu) | (value & 0xf));
		vm->stats.cr_access++;
		done(vm, in);
		return;
	case 7:
		if (in->mod == 3)
			goto gp;
		vm->stats.invlpg++;
		host_drop(vm, in->address, (in->address & PAGE_MASK) + PAGE_SIZE);
		done(vm, in);
		return;
	}
gp:
	core_inject(vm, VEC_GP, 0);
}

/* What a port read of @bytes finds on an empty bus; writes go nowhere. */
static void port_io(struct vm *vm, struct insn *in)
{
	u32 bytes = !(in->opcode & 1) ? 1 : in->operand16 ? 2 : 4;
	u32 mask = bytes == 4 ? ~0u : (1u << (8 * bytes)) - 1;
	u8 port;

	vm->stats.port_io++;
	if (!(in->opcode & 8) && !fetch(in, &port)) {
		core_inject(vm, VEC_GP, 0);
		return;
	}
	if (!(in->opcode & 2))
		vm->cpu.reg[EAX] |= mask;
	done(vm, in);
}

/* Loads DS, ES, FS, GS or the virtual SS with @selector. */
static bool load_segment(struct vm *vm, u32 segment, u32 selector)
{
	u32 load = selector;

	vm->stats.segment_loads++;
	if (vm->cpu.cpl == 0 && kernel_flat(vm, selector)) {
		if (segment == SEG_SS)
			return true;	/* the kernel's SS is never shown */
		load = 0x2b;
	}
	if (segment == SEG_CS || segment == SEG_SS ||
	    host_load_segment(vm, segment, load)) {
		core_inject(vm, VEC_GP, selector & 0xfffc);
		return false;
	}
	return true;
}

static void mov_segment(struct vm *vm, struct insn *in)
{
	u32 selector;

	if (!fetch_modrm(&vm->cpu, in) || in->reg > SEG_GS) {
		core_inject(vm, VEC_GP, 0);
		return;
	}
	if (read_rm16(vm, in, &selector) &&
	    load_segment(vm, in->reg, selector))
		done(vm, in);
}

static void pop_segment(struct vm *vm, struct insn *in, u32 segment)
{
	struct vcpu *cpu = &vm->cpu;
	u16 selector;
	u32 fault;

	if (core_read(vm, cpu->reg[ESP], &selector, 2,
		      cpu->cpl == 3 ? PFEC_U : 0, &fault)) {
		core_inject_page_fault(vm, vm->fault_linear, fault);
		return;
	}
	if (!load_segment(vm, segment, selector))
		return;
	cpu->reg[ESP] += in->operand16 ? 2 : 4;
	done(vm, in);
}

/* LDS, LES, LSS, LFS, LGS. */
static void load_far_pointer(struct vm *vm, struct insn *in, u32 segment)
{
	struct vcpu *cpu = &vm->cpu;
	u32 fault, offset_bytes = in->operand16 ? 2 : 4, offset = 0;
	u8 image[6];
	u16 selector;

	if (!fetch_modrm(cpu, in) || in->mod == 3) {
		core_inject(vm, VEC_GP, 0);
		return;
	}
	if (core_read(vm, in->address, image, offset_bytes + 2,
		      cpu->cpl == 3 ? PFEC_U : 0, &fault)) {
		core_inject_page_fault(vm, vm->fault_linear, fault);
		return;
	}
	memcpy(&offset, image, offset_bytes);
	memcpy(&selector, image + offset_bytes, 2);
	if (!load_segment(vm, segment, selector))
		return;
	if (in->operand16)
		offset |= cpu->reg[in->reg] & 0xffff0000;
	cpu->reg[in->reg] = offset;
	done(vm, in);
}

/* JMP ptr16:32 within the kernel's flat code segment, as start-up code does. */
static void far_jump(struct vm *vm, struct insn *in)
{
	u32 offset;
	u16 selector;

	if (!fetch32(in, &offset) || in->len + 2 > in->have)
		goto gp;
	memcpy(&selector, in->byte + in->len, 2);
	if (!kernel_flat(vm, selector))
		goto gp;
	vm->stats.far_transfers++;
	vm->cpu.eip = offset;
	return;
gp:
	core_inject(vm, VEC_GP, 0);
}

/* RETF within the kernel's flat code segment. */
static void far_return(struct vm *vm)
{
	struct vcpu *cpu = &vm->cpu;
	u32 frame[2], fault;

	if (core_read(vm, cpu->reg[ESP], frame, 8, 0, &fault)) {
		core_inject_page_fault(vm, vm->fault_linear, fault);
		return;
	}
	if (!kernel_flat(vm, frame[1] & 0xffff)) {
		core_inject(vm, VEC_GP, frame[1] & 0xfffc);
		return;
	}
	vm->stats.far_transfers++;
	cpu->reg[ESP] += 8;
	cpu->eip = frame[0];
}

static void halt(struct vm *vm, struct insn *in)
{
	vm->stats.halts++;
	done(vm, in);
	if (!host_vif(vm)) {
		core_crash(vm, "HLT with interrupts off: nothing can wake the guest");
		return;
	}
	host_halt(vm);
}

/* RDTSC, which traps only while CR4.TSD keeps user mode from it. */
static void read_tsc(struct vm *vm, struct insn *in)
{
	u64 tsc = host_read_tsc(vm);

	vm->stats.other_emulated++;
	vm->cpu.reg[EAX] = (u32)tsc;
	vm->cpu.reg[EDX] = (u32)(tsc >> 32);
	done(vm, in);
}

/* Instructions that only CPL 0 may execute, behind 0F. */
static bool privileged_0f(struct vm *vm, struct insn *in)
{
	switch (in->opcode) {
	case 0x00:
		group6(vm, in);
		return true;
	case 0x01:
		group7(vm, in);
		return true;
	case 0x06:			/* CLTS */
		vm->cpu.cr0 &= ~CR0_TS;
		vm->stats.cr_access++;
		done(vm, in);
		return true;
	case 0x08:			/* INVD, WBINVD: RAM is coherent */
	case 0x09:
		vm->stats.other_emulated++;
		done(vm, in);
		return true;
	case 0x20: case 0x21: case 0x22: case 0x23:
		mov_special(vm, in);
		return true;
	case 0x31:
		read_tsc(vm, in);
		return true;
	case 0x30:			/* WRMSR, RDMSR: there is none */
	case 0x32:
		vm->stats.msr++;
		return false;
	}
	return false;
}

/* Instructions that only CPL 0 (or IOPL 3) may execute, one-byte opcodes. */
static bool privileged(struct vm *vm, struct insn *in)
{
	switch (in->opcode) {
	case 0xf4:
		halt(vm, in);
		return true;
	case 0xfa:			/* CLI, STI outside the recorded sites */
	case 0xfb:
		vm->stats.cli_sti_raw++;
		done(vm, in);
		host_set_vif(vm, in->opcode == 0xfb);
		return true;
	case 0xe4: case 0xe5: case 0xe6: case 0xe7:
	case 0xec: case 0xed: case 0xee: case 0xef:
		port_io(vm, in);
		return true;
	}
	/* Far transfers, with 32-bit operands only. */
	if (in->operand16)
		return false;
	switch (in->opcode) {
	case 0xea:
		far_jump(vm, in);
		return true;
	case 0xcb:
		far_return(vm);
		return true;
	case 0xcf:			/* a raw IRET to the kernel's own CS */
		core_iret(vm);
		return true;
	}
	return false;
}

/* Segment loads trap at any CPL where the host's GDT lacks the descriptor. */
static bool segment_load(struct vm *vm, struct insn *in)
{
	if (!in->two_byte) {
		switch (in->opcode) {
		case 0x8e:
			mov_segment(vm, in);
			return true;
		case 0x07:
			pop_segment(vm, in, SEG_ES);
			return true;
		case 0x17:
			pop_segment(vm, in, SEG_SS);
			return true;
		case 0x1f:
			pop_segment(vm, in, SEG_DS);
			return true;
		case 0xc4:
			load_far_pointer(vm, in, SEG_ES);
			return true;
		case 0xc5:
			load_far_pointer(vm, in, SEG_DS);
			return true;
		}
		return false;
	}
	switch (in->opcode) {
	case 0xa1:
		pop_segment(vm, in, SEG_FS);
		return true;
	case 0xa9:
		pop_segment(vm, in, SEG_GS);
		return true;
	case 0xb2: case 0xb4: case 0xb5:
		load_far_pointer(vm, in, in->opcode == 0xb2 ? SEG_SS :
				 in->opcode == 0xb4 ? SEG_FS : SEG_GS);
		return true;
	}
	return false;
}

/*
 * core_general_protection() - #GP at EIP
 * @error: the hardware's error code
 */
void core_general_protection(struct vm *vm, u32 error)
{
	struct insn in;

	/* The vector is in the error code: nothing else need be looked at. */
	if (error == IMAGE_INT_IRET * 8 + 2 && !vm->cpu.cpl) {
		core_iret(vm);
		return;
	}
	if (decode(vm, &in, 0)) {
		if (!in.two_byte && in.opcode == 0xcd && (error & 2)) {
			u8 vector;

			if (fetch(&in, &vector)) {
				/* QEMU's TCG (7.2) says INT n as n * 16 + 2. */
				if (vector == IMAGE_INT_IRET && !vm->cpu.cpl) {
					core_iret(vm);
					return;
				}
				vm->stats.other_emulated++;
				core_soft_interrupt(vm, vector, in.len);
				return;
			}
		}
		if (vm->cpu.cpl == 0 &&
		    (in.two_byte ? privileged_0f(vm, &in) :
				   privileged(vm, &in)))
			return;
		if (segment_load(vm, &in))
			return;
		if (vm->cpu.cpl == 3 && in.two_byte && in.opcode == 0xa2) {
			core_emulate_cpuid(vm, in.len);
			return;
		}
	}
	core_inject(vm, VEC_GP, error);
}

/* CPUID, @length bytes long. */
void core_emulate_cpuid(struct vm *vm, u32 length)
{
	struct vcpu *cpu = &vm->cpu;
	struct cpuid_leaf leaf;

	vm->stats.cpuid++;
	core_cpuid(vm, cpu->reg[EAX], cpu->reg[ECX], &leaf);
	cpu->reg[EAX] = leaf.eax;
	cpu->reg[EBX] = leaf.ebx;
	cpu->reg[ECX] = leaf.ecx;
	cpu->reg[EDX] = leaf.edx;
	core_advance(vm, length);
}

/* A destination operand of 2 bytes in memory, or a register. */
static bool write_rm(struct vm *vm, struct insn *in, u32 value)
{
	u32 fault;

	if (in->mod == 3) {
		if (in->operand16)
			value = (value & 0xffff) |
				(vm->cpu.reg[in->rm] & 0xffff0000);
		vm->cpu.reg[in->rm] = value;
		return true;
	}
	if (core_write(vm, in->address, &value, 2,
		       vm->cpu.cpl == 3 ? PFEC_U : 0, &fault)) {
		core_inject_page_fault(vm, vm->fault_linear, fault);
		return false;
	}
	return true;
}

static void set_zf(struct vcpu *cpu, bool on)
{
	cpu->eflags = on ? cpu->eflags | FL_ZF : cpu->eflags & ~FL_ZF;
}

/* LAR, LSL, VERR, VERW of @selector (SDM vol. 2) on the guest's GDT. */
static bool look_up(struct vm *vm, u32 selector, u32 entry[2])
{
	u32 fault, dpl;

	if ((selector & 4) || (selector & ~3u) == 0 ||
	    (selector | 7) > vm->cpu.gdt.limit ||
	    core_read(vm, vm->cpu.gdt.base + (selector & ~7u), entry, 8, 0,
		      &fault))
		return false;
	dpl = (entry[1] >> 13) & 3;
	if (!(entry[1] & 0x1000))
		return false;
	/* A conforming code segment is visible from everywhere. */
	if ((entry[1] & 0x0c00) == 0x0c00)
		return true;
	return dpl >= vm->cpu.cpl && dpl >= (selector & 3);
}

static void look_up_and_report(struct vm *vm, struct insn *in)
{
	struct vcpu *cpu = &vm->cpu;
	u32 selector, entry[2], value;
	bool found, ok;

	if (!read_rm16(vm, in, &selector))
		return;
	found = look_up(vm, selector, entry);
	if (!in->two_byte || in->opcode == 0x00) {
		/* VERR wants readable, VERW writable. */
		bool code = found && (entry[1] & 0x0800);
		bool w_or_r = found && (entry[1] & 0x0200);

		ok = found && (in->reg == 4 ? !code || w_or_r :
					      !code && w_or_r);
		set_zf(cpu, ok);
		done(vm, in);
		return;
	}
	set_zf(cpu, found);
	if (found) {
		if (in->opcode == 0x02) {
			value = entry[1] & 0x00ffff00;
		} else {
			value = (entry[0] & 0xffff) | (entry[1] & 0x000f0000);
			if (entry[1] & 0x00800000)
				value = value << 12 | 0xfff;
		}
		if (in->operand16)
			value = (value & 0xffff) |
				(cpu->reg[in->reg] & 0xffff0000);
		cpu->reg[in->reg] = value;
	}
	done(vm, in);
}

/* SGDT and SIDT. */
static void store_table(struct vm *vm, struct insn *in,
			const struct descriptor_table *table)
{
	u8 image[6];
	u32 fault;

	memcpy(image, &table->limit, 2);
	memcpy(image + 2, &table->base, 4);
	if (core_write(vm, in->address, image, sizeof(image), 0, &fault))
		core_inject_page_fault(vm, vm->fault_linear, fault);
	else
		done(vm, in);
}

/*
 * The instruction behind PLEX86_UD1_NEXT: one that reads system registers or
 * descriptors without a trap.  User code may have LAR, LSL, VERR and VERW,
 * which its vDSO needs.
 */
static bool emulate_next(struct vm *vm)
{
	struct vcpu *cpu = &vm->cpu;
	struct insn in;

	vm->stats.next_emulated++;
	if (!decode(vm, &in, 3) || !in.two_byte || in.opcode > 0x03 ||
	    !fetch_modrm(cpu, &in))
		return false;
	in.len += 3;
	if (in.opcode >= 0x02 || (in.opcode == 0x00 && in.reg >= 4)) {
		if (in.opcode == 0x00 && in.reg > 5)
			return false;
		look_up_and_report(vm, &in);
		return true;
	}
	if (cpu->cpl == 3)
		return false;
	if (in.opcode == 0x00) {
		if (in.reg > 1)
			return false;
		if (write_rm(vm, &in, in.reg ? cpu->tr : cpu->ldtr))
			done(vm, &in);
		return true;
	}
	switch (in.reg) {
	case 0:
	case 1:
		if (in.mod == 3)
			return false;
		store_table(vm, &in, in.reg ? &cpu->idt : &cpu->gdt);
		return true;
	case 4:
		if (write_rm(vm, &in, cpu->cr0))
			done(vm, &in);
		return true;
	}
	return false;
}

/*
 * core_undefined() - #UD at EIP: the guest's way to reach the host, or its own
 * exception
 */
void core_undefined(struct vm *vm)
{
	struct vcpu *cpu = &vm->cpu;
	u32 access = cpu->cpl == 3 ? PFEC_U : 0, fault;
	u8 op[3];

	if (core_read(vm, cpu->eip, op, 3, access, &fault) || op[0] != 0x0f ||
	    op[1] != 0xb9)
		goto undefined;
	if (op[2] == PLEX86_UD1_NEXT && emulate_next(vm))
		return;
	if (cpu->cpl == 3)
		goto undefined;
	switch (op[2]) {
	case PLEX86_UD1_IRET:
		core_iret(vm);
		return;
	case PLEX86_UD1_CALL:
		vm->stats.hal_calls++;
		core_advance(vm, 3);
		core_hal_call(vm);
		return;
	case PLEX86_UD1_CPUID:
		core_emulate_cpuid(vm, 3);
		return;
	}
undefined:
	core_inject(vm, VEC_UD, 0);
}

/*
 * core_next() - what is the instruction at EIP?
 * @address: of its operand, for NEXT_XRSTOR
 * @length: its length, for NEXT_XRSTOR; up to its end, for NEXT_PUSHF
 *
 * A load of SS holds back a single-step trap (SDM vol. 3, 6.8.3), so it counts as
 * what follows it.
 */
enum next core_next(struct vm *vm, u32 *address, u32 *length)
{
	struct insn in;
	u32 skip = 0;

	while (decode_any(vm, &in, skip)) {
		if (!in.two_byte && in.opcode == 0x9c) {
			*length = skip + in.len;
			return NEXT_PUSHF;
		}
		if (!in.two_byte && (in.opcode == 0x9d || in.opcode == 0xcf))
			return NEXT_POPF;
		if (!in.two_byte && in.opcode == 0xf1)
			return NEXT_INT1;
		if (in.two_byte && in.opcode == 0x01 && in.len < in.have &&
		    in.byte[in.len] == 0xef)
			return NEXT_LOADS_PKRU;
		if (in.two_byte ? in.opcode != 0xae && in.opcode != 0xb2 :
				  in.opcode != 0x8e && in.opcode != 0x17)
			return NEXT_OTHER;
		if (in.opcode != 0x17 && !fetch_modrm(&vm->cpu, &in))
			return NEXT_OTHER;
		if (in.opcode == 0xae) {
			if (in.mod == 3 || in.reg != 5)
				return NEXT_OTHER;
			if (in.odd || in.rep || in.operand16 || skip)
				return NEXT_LOADS_PKRU;
			*address = in.address;
			*length = in.len;
			return NEXT_XRSTOR;
		}
		if (in.opcode == 0x8e && in.reg != SEG_SS)
			return NEXT_OTHER;
		/* SS; what cannot be told is taken for the worst. */
		skip += in.len;
		if (in.odd || skip > INSN_MAX)
			return NEXT_LOADS_PKRU;
	}
	return NEXT_OTHER;
}

#define AROUND_PAGES	16u	/* that a fill may look at; a power of two */

static u32 fill_flags(const struct translation *tr)
{
	return (tr->writable ? FILL_WRITABLE : 0) |
	       (tr->global ? FILL_GLOBAL : 0) | (tr->user ? FILL_USER : 0);
}

/*
 * Fills the small page at @linear and what lies around it: neighbours that
 * continue it in guest-physical memory too, because one mapping does for all,
 * and others that the guest has used before, as after a flush, because a fault
 * costs more than a mapping that was made for nothing.
 *
 * Of neighbours of what is executed (@fetch), those that are no data will be
 * executed too.
 *
 * Neighbours without their accessed bit are left out: it would have to be set,
 * and they would look used.
 */
static int fill_small(struct vm *vm, u32 linear, const struct translation *tr,
		      bool fetch)
{
	struct translation run = *tr, next;
	u32 first = linear & ~(AROUND_PAGES * PAGE_SIZE - 1);
	u32 end = first + AROUND_PAGES * PAGE_SIZE, at, start = 0, bytes = 0;
	bool mine = false;
	int ret = 0;

	for (at = first; at < end; at += PAGE_SIZE) {
		if (at == linear)
			next = *tr;
		else if (core_peek(vm, at, &next) || !next.accessed ||
			 host_filled(vm, at, next.writable))
			continue;
		else if (fetch && !next.writable)
			host_use(vm, next.page_gpa, PFEC_I);
		if (bytes && at == start + bytes &&
		    next.page_gpa == run.page_gpa + bytes &&
		    fill_flags(&next) == fill_flags(&run)) {
			bytes += PAGE_SIZE;
			mine |= at == linear;
			continue;
		}
		if (bytes && host_fill(vm, start, run.page_gpa, bytes,
				       fill_flags(&run)) && mine)
			ret = -1;
		run = next;
		start = at;
		bytes = PAGE_SIZE;
		mine = at == linear;
	}
	if (bytes && host_fill(vm, start, run.page_gpa, bytes,
			       fill_flags(&run)) && mine)
		ret = -1;
	return ret;
}

/* The large page at @linear, as far as it is RAM, or what is to be had of it. */
static int fill_large(struct vm *vm, u32 linear, const struct translation *tr)
{
	u32 bytes = host_large(vm, linear, tr->page_gpa);
	u32 gpa = tr->gpa & ~(bytes - 1), flags = fill_flags(tr);

	linear &= ~(bytes - 1);
	flags |= bytes == LARGE_SIZE ? FILL_LARGE : FILL_PIECE;
	if (bytes > vm->ram_bytes - gpa)
		bytes = vm->ram_bytes - gpa;
	return host_fill(vm, linear, gpa, bytes, flags);
}

static int fill(struct vm *vm, u32 linear, const struct translation *tr,
		bool fetch)
{
	if (tr->page_bytes == LARGE_SIZE)
		return fill_large(vm, linear, tr);
	if (!(vm->cpu.cr0 & CR0_PG))
		return host_fill(vm, linear & PAGE_MASK, tr->page_gpa,
				 PAGE_SIZE, fill_flags(tr));
	return fill_small(vm, linear & PAGE_MASK, tr, fetch);
}

/*
 * core_page_fault() - #PF at @linear
 * @error: the hardware's error code; only its W and I bits are believed, for
 *         the hardware knows neither the guest's page tables nor its CPL
 *
 * Fills the shadow where the guest's tables allow the access, and raises the
 * fault in the guest where they do not.
 */
void core_page_fault(struct vm *vm, u32 linear, u32 error)
{
	u32 access = (error & PFEC_W) | (vm->cpu.cpl == 3 ? PFEC_U : 0);
	struct translation tr;

	vm->stats.page_faults++;
	if (core_translate(vm, linear, access, &tr)) {
		core_inject_page_fault(vm, linear, tr.gpa | access);
		return;
	}
	if (tr.gpa >= vm->ram_bytes) {
		core_crash(vm, "access to a physical address where there is no memory");
		return;
	}
	/* There is much of a large page, and but this was wrong with it. */
	if (host_use(vm, tr.gpa, error) && tr.page_bytes == LARGE_SIZE &&
	    host_filled(vm, linear, tr.writable))
		return;
	if (fill(vm, linear, &tr, error & PFEC_I))
		core_inject(vm, VEC_GP, 0);
}

/*
 * core_refill() - user mode goes on behind a page fault that the guest handled
 *
 * Fills what it waited for, if it is there now, so that it does not trap again.
 */
void core_refill(struct vm *vm)
{
	struct translation tr;

	if (!vm->refill)
		return;
	vm->refill = false;
	if (core_peek(vm, vm->refill_linear, &tr) || !tr.user ||
	    host_filled(vm, vm->refill_linear, tr.writable))
		return;
	if (!core_translate(vm, vm->refill_linear, PFEC_U, &tr) &&
	    tr.gpa < vm->ram_bytes)
		fill(vm, vm->refill_linear, &tr, false);
}

/* core_touch() - fill @linear, if kernel mode may read there */
void core_touch(struct vm *vm, u32 linear)
{
	struct translation tr;

	if (!core_translate(vm, linear, 0, &tr) && tr.gpa < vm->ram_bytes &&
	    !host_filled(vm, linear, false))
		fill(vm, linear, &tr, false);
}
