/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What freestanding code needs before anything else: integer types, flag and
 * register names of the processor, and the few memory functions that gcc may
 * call on its own.  Owns no state.
 */
#ifndef CORE_TYPES_H
#define CORE_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;
typedef int32_t s32;
typedef int64_t s64;

#define PAGE_SIZE	4096u
#define PAGE_MASK	(~(PAGE_SIZE - 1))
#define LARGE_SIZE	(4u << 20)
#define LARGE_MASK	(~(LARGE_SIZE - 1))

/* EFLAGS, SDM vol. 1, 3.4.3. */
#define FL_CF		0x00000001u
#define FL_TF		0x00000100u
#define FL_IF		0x00000200u
#define FL_DF		0x00000400u
#define FL_NT		0x00004000u
#define FL_RF		0x00010000u
#define FL_VM		0x00020000u
#define FL_AC		0x00040000u
#define FL_ID		0x00200000u
#define FL_ZF		0x00000040u

/*
 * What IRET and interrupt frames carry: ID AC RF NT OF DF TF SF ZF AF PF CF; IF
 * is virtual, and IOPL always 0.
 */
#define FL_CARRIED	0x00254dd5u

/* Control registers, SDM vol. 3, 2.5. */
#define CR0_PE		0x00000001u
#define CR0_ET		0x00000010u
#define CR0_TS		0x00000008u
#define CR0_WP		0x00010000u
#define CR0_PG		0x80000000u
#define CR4_TSD		0x00000004u
#define CR4_PSE		0x00000010u
#define CR4_PGE		0x00000080u
#define CR4_PCIDE	0x00020000u
#define CR4_OSXSAVE	0x00040000u

/* DR6, SDM vol. 3, 17.2.3. */
#define DR6_FIXED	0xffff0ff0u
#define DR6_BS		0x00004000u

/* Page-table entries without PAE, SDM vol. 3, 4.3. */
#define PTE_P		0x001u
#define PTE_W		0x002u
#define PTE_U		0x004u
#define PTE_A		0x020u
#define PTE_D		0x040u
#define PTE_PS		0x080u
#define PTE_G		0x100u

/* Page-fault error code, SDM vol. 3, 4.7. */
#define PFEC_P		0x1u
#define PFEC_W		0x2u
#define PFEC_U		0x4u
#define PFEC_I		0x10u	/* an instruction fetch */

/* Vectors, SDM vol. 3, 6.3. */
enum {
	VEC_DE = 0, VEC_DB = 1, VEC_BP = 3, VEC_OF = 4, VEC_BR = 5, VEC_UD = 6,
	VEC_DF = 8, VEC_TS = 10, VEC_NP = 11, VEC_SS = 12, VEC_GP = 13,
	VEC_PF = 14, VEC_MF = 16, VEC_AC = 17, VEC_MC = 18, VEC_XM = 19,
	VEC_SYSCALL = 0x80,
};

/* General registers in ModRM order. */
enum { EAX, ECX, EDX, EBX, ESP, EBP, ESI, EDI };

/* Segment registers in ModRM order. */
enum { SEG_ES, SEG_CS, SEG_SS, SEG_DS, SEG_FS, SEG_GS };

void *memcpy(void *restrict to, const void *restrict from, size_t n);
void *memset(void *to, int c, size_t n);
int memcmp(const void *a, const void *b, size_t n);
void *memmove(void *to, const void *from, size_t n);

#endif
