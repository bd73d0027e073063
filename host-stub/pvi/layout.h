/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Numbers that C, assembly and the linker's script of the PVI host share.
 */
#ifndef PVI_LAYOUT_H
#define PVI_LAYOUT_H

/*
 * The monitor is loaded at physical LOAD_BASE and runs in the top 4 MiB of the
 * linear address space, which are the host's in every address space.
 */
#define LOAD_BASE	0x00100000
#define LINK_BASE	0xffe00000

/*
 * Segments.  The guest's are those of the ABI; 0x10 and 0x18, which its kernel
 * believes to be its own, have DPL 0, so that loading them traps.
 */
#define MON_CS		0x10
#define MON_DS		0x18
#define GUEST_CS	0x23
#define GUEST_DS	0x2b
#define MON_TSS		0x40

/* Vectors that the interrupt controllers are set to. */
#define IRQ_BASE	0x20
#define VECTORS		0x30	/* entries of entry.S, and one for VEC_SYSCALL */

#define STACK_BYTES	16384

#endif
