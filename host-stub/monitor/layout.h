/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Where things lie in a space, for C and assembly.
 *
 * Below 4 GiB are the guest's linear addresses, with the host's part at
 * PLEX86_TOP; above it the monitor, where 32-bit code cannot reach.
 */
#ifndef MONITOR_LAYOUT_H
#define MONITOR_LAYOUT_H

#include "plex86.h"

/* The assembler knows no suffix. */
#ifdef __ASSEMBLER__
#define ADDRESS(n)	n
#else
#define ADDRESS(n)	n##ull
#endif

#define MONITOR_BASE	ADDRESS(0x1000000000)	/* the monitor's text */
#define STATE_BASE	ADDRESS(0x1100000000)	/* struct state, the same for all */
#define SPACE_BASE	ADDRESS(0x1180000000)	/* struct space, each its own */
#define RAM_BASE	ADDRESS(0x1200000000)	/* guest RAM */
#define USER_END	ADDRESS(0x7ffffffff000)	/* of a process's address space */

#define MONITOR_TEXT_MAX 0x100000	/* room for it */

/* Entrances, from MONITOR_BASE on; entry.S. */
#define MONITOR_CALL	0x00		/* the gates' */
#define MONITOR_IRET	0x10
#define MONITOR_ENTRY	0x20		/* the launcher's */
/* Not code, for the launcher: the list of WRPKRU, from and to; and an address. */
#define MONITOR_WRPKRU	0x40
#define MONITOR_LANDED	0x50
#define MONITOR_HEADER_END 0x58

/*
 * Data of the gates, behind the page with their code (PLEX86_GATES): one page
 * for the guest kernel and the gates, and one that guest user code may see and
 * change too.  Then the page that set_thread_area takes its argument from.
 */
#define GATE_KERNEL	(PLEX86_GATES + 0x1000)
#define GATE_USER	(PLEX86_GATES + 0x2000)
#define LOW_PAGE	(PLEX86_GATES + 0x3000)

/*
 * Where the kernel returns to from SYSENTER, and the stack that is in use
 * until then; space.c.
 */
#define LANDING_BASE	0xffc60000
#define LANDING_STACK	0xffc70000
#define LANDING_STACK_BYTES 0x10000

/* GATE_KERNEL; struct gate_kernel. */
#define GK_CPL		0x00	/* virtual: 0 or 3 */
#define GK_ENTRY	0x04	/* of the guest's INT 0x80 */
#define GK_SP0		0x08	/* address of SP0 in the guest's TSS */
#define GK_WORK		0x0c	/* an IRET to user mode shall see the monitor */
#define GK_SITE		0x10	/* the number of the IRET site entered last */
#define GK_EAX		0x14	/* of who is in a gate between kernel and kernel */
#define GK_ECX		0x18
#define GK_EDX		0x1c

/* GATE_USER; struct gate_user. */
#define GU_EAX		0x00
#define GU_ECX		0x04
#define GU_EDX		0x08
#define GU_EFLAGS	0x0c
#define GU_ESP		0x10
#define GU_EIP		0x14

/* At the same offset in both: what the monitor leaves for its last IRETQ. */
#define GATE_FRAME	0x80

/* GATE_KERNEL: the same for a far jump, which is faster and takes no flags. */
#define GATE_JUMP	0xc0
#define GJ_EAX		0x00
#define GJ_ECX		0x04
#define GJ_EDX		0x08
#define GJ_ESP		0x0c
#define GJ_EIP		0x10

/*
 * Protection keys: of guest user memory and what all may use, of the guest
 * kernel's, of the monitor's, and of what all may read.  And the rights to them
 * (PKRU, SDM vol. 3, 4.6.2) of guest user code and guest kernel; the monitor's
 * are 0, all.
 */
#define KEY_USER	0
#define KEY_KERNEL	1
#define KEY_MONITOR	2
#define KEY_READ	3
#define PKRU_USER	0x55555594
#define PKRU_KERNEL	0x55555590

/* Segments of the host's 32-bit and 64-bit user code. */
#define HOST_CS32	0x23
#define HOST_CS64	0x33
#define HOST_DS		0x2b

/* Vectors of INT by which a gate gives up; #GP tells them in its error code. */
#define GATE_INT_SLOW	0xf1

/* Syscall User Dispatch's selector is the first byte of struct space. */
#define DISPATCH_ALLOW	0
#define DISPATCH_BLOCK	1

#define SPACE_STACK_TOP	(SPACE_BASE + 0x20000)

/* The alternate stack is behind it; monitor.c checks the sizes. */
#define ALT_STACK	SPACE_STACK_TOP
#define ALT_STACK_BYTES	0x18000
#define UCONTEXT_BYTES	0x130	/* struct ucontext */
#define SIGINFO_BYTES	0x80

/* Offsets in struct state; monitor.c checks them. */
#define ST_EAX		0x00
#define ST_ECX		0x04
#define ST_EDX		0x08
#define ST_EBX		0x0c
#define ST_ESP		0x10
#define ST_EBP		0x14
#define ST_ESI		0x18
#define ST_EDI		0x1c
#define ST_EIP		0x20
#define ST_EFLAGS	0x24

/* Offsets in struct space. */
#define SP_KICKED	0x1000
#define SP_STACK	0x1008

#endif
