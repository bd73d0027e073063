/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A small guest for the tests to put instructions and frames into; see
 * guest.c.
 */
#ifndef GUEST_H
#define GUEST_H

#include "fake.h"

/* Guest-physical: where things are; what is left of the RAM is free. */
#define G_RAM		(1u << 20)
#define G_PD		0x01000u
#define G_PT_KERNEL	0x02000u	/* of linear G_KERNEL.. */
#define G_PT_USER	0x03000u	/* of linear G_USER.. */
#define G_GDT		0x05000u
#define G_IDT		0x06000u
#define G_TSS		0x07000u

/*
 * Linear: the kernel half maps all RAM, supervisor, writable; the user half
 * maps G_USER_PAGES pages at gpa G_USER_GPA, user, writable.
 */
#define G_KERNEL	0xc0000000u
#define G_USER		0x08000000u
#define G_USER_GPA	0x40000u
#define G_USER_PAGES	16u

#define G_CODE		(G_KERNEL + 0x10000)	/* kernel code */
#define G_DATA		(G_KERNEL + 0x20000)
#define G_STACK		(G_KERNEL + 0x31000)	/* top; as the kernel runs */
#define G_SP0		(G_KERNEL + 0x33000)	/* top; of the TSS */
#define G_HANDLERS	(G_KERNEL + 0x38000)	/* + 16 * vector */
#define G_USER_CODE	(G_USER + 0x1000)
#define G_USER_DATA	(G_USER + 0x4000)
#define G_USER_STACK	(G_USER + 0x8000)

#define G_GDT_ENTRIES	16u

#define GATE_INT	0x8e00u
#define GATE_TRAP	0x8f00u
#define GATE_DPL3	0x6000u

struct fake *guest_new(void);
void guest_kernel(struct fake *f);
void guest_user(struct fake *f);
void guest_gate(struct fake *f, u32 vector, u32 type, u32 selector);
void guest_map(struct fake *f, u32 linear, u32 entry);
void guest_descriptor(struct fake *f, u32 n, u64 descriptor);
u8 *guest_at(struct fake *f, u32 linear);
u32 guest_read32(struct fake *f, u32 linear);
void guest_write32(struct fake *f, u32 linear, u32 value);

/* What an exception is expected to look like. */
struct expected {
	u32 vector;
	s64 error;		/* NO_ERROR: none pushed */
	u32 eip;		/* in the frame */
};

#define NO_ERROR	(-1)

bool guest_delivered(const struct fake *f, u32 vector);
void guest_expect(const char *row, struct fake *f, const struct expected *e,
		  const struct vcpu *before);

#endif
