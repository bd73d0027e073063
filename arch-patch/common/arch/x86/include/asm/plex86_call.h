/* SPDX-License-Identifier: GPL-2.0 */
/*
 * HAL calls: how a plex86 guest asks its host for something at once.
 *
 * The macro plex86_hal_call (arch/x86/plex86/macros.s) is the instruction: one
 * that is #UD at every privilege, or a call of host code where the host writes
 * one over it, hence the constraint.  The number is in EAX, arguments in EBX,
 * ECX, EDX, ESI and EDI, the result in EAX: 0 or the negative of one of
 * PLEX86_E*, which are Linux's own error numbers.  Nothing else changes but the
 * flags.  Requests that take time go through a ring instead (asm/plex86_ring.h).
 */
#ifndef _ASM_X86_PLEX86_CALL_H
#define _ASM_X86_PLEX86_CALL_H

#include <linux/types.h>
#include <asm/asm.h>
#include <asm/plex86_abi.h>

/*
 * The page that host and guest share, at its fixed address.  The host changes
 * the live part at any time: use READ_ONCE() and WRITE_ONCE() there.
 */
#define plex86_info	((struct plex86_info *)PLEX86_INFO)

/**
 * plex86_call() - make a HAL call
 * @number: PLEX86_CALL_*
 * @a: first argument, in EBX
 * @b: second argument, in ECX
 * @c: third argument, in EDX
 * @d: fourth argument, in ESI
 * @e: fifth argument, in EDI
 *
 * The host reads and writes guest memory by its own mapping, so all of it
 * counts as accessed.  Callable from any context.
 *
 * Return: 0, or a negative error number.
 */
static __always_inline int plex86_call(u32 number, u32 a, u32 b, u32 c, u32 d,
				       u32 e)
{
	int result;

	asm volatile("plex86_hal_call"
		     : "=a" (result), ASM_CALL_CONSTRAINT
		     : "a" (number), "b" (a), "c" (b), "d" (c), "S" (d), "D" (e)
		     : "memory", "cc");
	return result;
}

/**
 * plex86_call2() - make a HAL call of no more than two arguments
 * @number: PLEX86_CALL_*
 * @a: first argument
 * @b: second argument
 *
 * For small functions: it leaves the other registers to the code around it.
 *
 * Return: 0, or a negative error number.
 */
static __always_inline int plex86_call2(u32 number, u32 a, u32 b)
{
	int result;

	asm volatile("plex86_hal_call"
		     : "=a" (result), ASM_CALL_CONSTRAINT
		     : "a" (number), "b" (a), "c" (b)
		     : "memory", "cc");
	return result;
}

/**
 * plex86_clock() - read one of the host's clocks
 * @which: PLEX86_CLOCK_MONOTONIC or PLEX86_CLOCK_REALTIME
 *
 * Return: nanoseconds since that clock's start.
 */
static __always_inline u64 plex86_clock(u32 which)
{
	u32 result, low = which, high;

	asm volatile("plex86_hal_call"
		     : "=a" (result), "+b" (low), "=c" (high),
		       ASM_CALL_CONSTRAINT
		     : "a" (PLEX86_CALL_CLOCK)
		     : "memory", "cc");
	return (u64)high << 32 | low;
}

/**
 * plex86_end() - end this machine
 * @how: PLEX86_END_*
 * @status: the exit status that the host is asked for; 0 unless powering off
 *
 * The host takes what is in the consoles' rings first.
 */
static __always_inline void __noreturn plex86_end(u32 how, u32 status)
{
	for (;;)
		plex86_call(PLEX86_CALL_END, how, status, 0, 0, 0);
}

#endif /* _ASM_X86_PLEX86_CALL_H */
