/* SPDX-License-Identifier: GPL-2.0 */
/* One try of attack.c's, as attack_entry.S makes it. */
#ifndef ARCH_X86_PLEX86_ATTACK_H
#define ARCH_X86_PLEX86_ATTACK_H

/* The reference host's, of guest kernels and of programs, which have less. */
#define PKRU_KERNEL	0x55555590
#define PKRU_USER	0x55555594

/* In front of the landings, for tries that make a stack pointer of their address. */
#define LANDING_STACK_BYTES	1024
#define LANDING_BYTES	(LANDING_STACK_BYTES + 64)

/* Offsets in struct attack_in. */
#define IN_IP		0x80
#define IN_FLAGS	0x88
#define IN_WIDE		0x90

#ifndef __ASSEMBLY__

#include <linux/build_bug.h>
#include <linux/stddef.h>
#include <linux/types.h>

struct attack_in {
	u64 r[16];		/* by their numbers in instructions */
	u64 ip;
	u64 flags;
	u32 wide;		/* enter in 64-bit mode */
};

static_assert(offsetof(struct attack_in, ip) == IN_IP);
static_assert(offsetof(struct attack_in, flags) == IN_FLAGS);
static_assert(offsetof(struct attack_in, wide) == IN_WIDE);

struct attack_out {
	u32 edi, esi, ebp, esp, ebx, edx, ecx, eax;	/* as PUSHA has them */
	u32 vector, error, eip;
};

extern struct attack_in attack_in;
extern struct attack_out attack_out;

/* Jumps as attack_in says; returns with attack_out when an exception ends it. */
void attack_enter(void);

/* The handlers of all vectors, 16 bytes each. */
extern const u8 attack_stubs[];

/*
 * To return to: with keys the landing compares PKRU with a kernel's, which needs
 * no memory and no segment; where the try faults next says how that came out.
 */
extern const u8 attack_landing[], attack_land_pku[], attack_land_plain[];
extern const u8 attack_landed[], attack_landed_pku[], attack_breached[];

/* Code that reads its PKRU, and reads or writes what ESI points to. */
extern const u8 attack_rdpkru[];
extern const u8 attack_read[], attack_read_done[];
extern const u8 attack_write[], attack_write_done[];

#endif /* __ASSEMBLY__ */

#endif /* ARCH_X86_PLEX86_ATTACK_H */
