/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Instructions that C has no words for.
 */
#ifndef PVI_MACHINE_H
#define PVI_MACHINE_H

#include "types.h"

static inline void outb(u16 port, u8 value)
{
	__asm__ volatile("outb %0, %1" : : "a"(value), "Nd"(port));
}

static inline void outw(u16 port, u16 value)
{
	__asm__ volatile("outw %0, %1" : : "a"(value), "Nd"(port));
}

static inline u8 inb(u16 port)
{
	u8 value;

	__asm__ volatile("inb %1, %0" : "=a"(value) : "Nd"(port));
	return value;
}

static inline void write_cr0(u32 value)
{
	__asm__ volatile("movl %0, %%cr0" : : "r"(value));
}

static inline u32 read_cr2(void)
{
	u32 value;

	__asm__ volatile("movl %%cr2, %0" : "=r"(value));
	return value;
}

static inline void write_cr4(u32 value)
{
	__asm__ volatile("movl %0, %%cr4" : : "r"(value));
}

static inline u32 read_dr6(void)
{
	u32 value;

	__asm__ volatile("movl %%dr6, %0" : "=r"(value));
	return value;
}

static inline void write_dr6(u32 value)
{
	__asm__ volatile("movl %0, %%dr6" : : "r"(value));
}

static inline u64 rdtsc(void)
{
	u64 value;

	__asm__ volatile("rdtsc" : "=A"(value));
	return value;
}

static inline void xsetbv(u64 value)
{
	__asm__ volatile("xsetbv" : : "A"(value), "c"(0));
}

/* Pages, at once by dwords. */
static inline void clear_pages(void *at, u32 pages)
{
	u32 dwords = pages * (PAGE_SIZE / 4);

	__asm__ volatile("rep stosl" : "+D"(at), "+c"(dwords) : "a"(0) : "memory");
}

/* Sleeps until an interrupt has come and been handled. */
static inline void wait_for_interrupt(void)
{
	__asm__ volatile("sti; hlt; cli" : : : "memory");
}

#endif
