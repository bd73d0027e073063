/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The guest around the test table: flags and selectors by name, output, trap
 * handling, and the machine state that a fragment of insns.S starts from and
 * leaves behind.
 */
#ifndef PVI_GUEST_H
#define PVI_GUEST_H

#include "../../abi/plex86.h"

#define FL_CF		(1 << 0)
#define FL_ONE		(1 << 1)	/* always set */
#define FL_PF		(1 << 2)
#define FL_AF		(1 << 4)
#define FL_ZF		(1 << 6)
#define FL_SF		(1 << 7)
#define FL_TF		(1 << 8)
#define FL_IF		(1 << 9)
#define FL_DF		(1 << 10)
#define FL_OF		(1 << 11)
#define FL_IOPL		(3 << 12)
#define FL_NT		(1 << 14)
#define FL_RF		(1 << 16)
#define FL_VM		(1 << 17)
#define FL_AC		(1 << 18)
#define FL_VIF		(1 << 19)
#define FL_VIP		(1 << 20)
#define FL_ID		(1 << 21)

#define KERNEL_CS	0x10		/* virtual: only frames ever show it */
#define USER_CS		0x23
#define USER_DS		0x2b
#define TSS_SEL		0x30

#define VEC_DEBUG	1
#define VEC_UNDEFINED	6
#define VEC_PROTECTION	13
#define VEC_IRQ		PLEX86_IRQ_VECTOR
#define VEC_USER_END	0x80

/* Offsets into struct machine. */
#define M_EAX		0
#define M_ECX		4
#define M_EDX		8
#define M_EBX		12
#define M_ESP		16
#define M_EBP		20
#define M_ESI		24
#define M_EDI		28
#define M_FLAGS		32

#ifndef __ASSEMBLY__

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct machine {
	uint32_t eax, ecx, edx, ebx, esp, ebp, esi, edi;
	uint32_t flags;
};

/* As traps.S leaves it on the stack. */
struct trap_frame {
	uint32_t entry_flags;		/* the hardware's, on entry */
	uint32_t edi, esi, ebp, pad, ebx, edx, ecx, eax;
	uint32_t vector, error;
	uint32_t eip, cs, eflags;
	uint32_t esp, ss;		/* from user only */
};

/* What is remembered of the traps since traps_reset(). */
struct trap_log {
	uint32_t count;
	struct trap_frame first;
	struct trap_frame last;
};

extern struct trap_log log_debug, log_undefined, log_protection, log_irq,
		       log_user_end;

/* First rule that an interrupt's arrival broke since traps_reset(), or NULL. */
extern const char *trap_fault;

/* Called by the test interrupt's handler, interrupts off. */
extern void (*irq_hook)(struct trap_frame *frame);

/* #DB with EIP here raises the test interrupt; 0: none does. */
extern uint32_t step_target;
extern bool step_hit;

void *memset(void *to, int c, size_t n);
void *memcpy(void *to, const void *from, size_t n);

void traps_reset(void);
void guest_init(void);
void guest_main(void) __attribute__((noreturn));
void guest_write(const char *s, uint32_t len);

/* Power off; the host's exit status is then 0 or STATUS_FAILED. */
#define STATUS_FAILED	65
void guest_end(bool failed) __attribute__((noreturn));

/* A HAL call; results beyond EAX go to the pointers that are not NULL. */
uint32_t guest_call(uint32_t nr, uint32_t b, uint32_t c, uint32_t *out_b);

/* snprintf of %s %u %x; returns the length written, without the 0. */
uint32_t format(char *buf, uint32_t size, const char *fmt, ...);

/* The state a fragment starts from, and the one it left behind. */
extern struct machine case_in, case_out;
extern uint32_t case_images[8];

/* Run the code at @fragment from case_in until it jumps to case_end. */
void case_run(const char *fragment);
extern const char case_end[];

#endif /* __ASSEMBLY__ */
#endif
