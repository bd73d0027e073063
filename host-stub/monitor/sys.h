/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The host's system calls, made without libc: a space has no thread-local
 * storage, so not even errno.  All return the kernel's value, -errno included.
 */
#ifndef MONITOR_SYS_H
#define MONITOR_SYS_H

#include <asm/unistd_64.h>

#include "types.h"

static inline long sys6(long nr, long a, long b, long c, long d, long e,
			long f)
{
	register long r10 __asm__("r10") = d;
	register long r8 __asm__("r8") = e;
	register long r9 __asm__("r9") = f;
	long ret;

	__asm__ volatile("syscall" : "=a"(ret)
			 : "a"(nr), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8),
			   "r"(r9)
			 : "rcx", "r11", "memory");
	return ret;
}

static inline long sys4(long nr, long a, long b, long c, long d)
{
	return sys6(nr, a, b, c, d, 0, 0);
}

static inline long sys3(long nr, long a, long b, long c)
{
	return sys6(nr, a, b, c, 0, 0, 0);
}

/* A 32-bit system call: set_thread_area has no other way in. */
static inline long sys_compat1(long nr, long a)
{
	long ret;

	__asm__ volatile("int $0x80" : "=a"(ret) : "a"(nr), "b"(a)
			 : "memory", "r8", "r9", "r10", "r11");
	return ret;
}

#endif
