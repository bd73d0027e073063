/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The state that a space (the process that runs the guest) and the launcher
 * share: one memfd, mapped at one address in both, so that pointers into it
 * mean the same everywhere.  It is all the state the monitor has.
 */
#ifndef MONITOR_STATE_H
#define MONITOR_STATE_H

#include "vm.h"

/*
 * Addresses, the same in every process.  All lie above 4 GiB, out of reach of
 * the guest's 32-bit code.
 */
#define MONITOR_BASE	0x1000000000ull		/* the monitor's text */
#define STATE_BASE	0x1100000000ull		/* struct state */
#define RAM_BASE	0x1200000000ull		/* guest RAM */
#define USER_END	0x7ffffffff000ull	/* of a process's address space */

#define MONITOR_TEXT_MAX 0x100000u		/* room for it */
#define ALT_STACK_BYTES	(96u << 10)
#define EARLY_BYTES	(64u << 10)		/* a power of two */
#define SHADOW_PAGES	(1u << 20)		/* of the linear address space */
#define TLS_SLOTS	3
#define GDT_TLS_MIN	12			/* the host's and the guest's */

/* Signal by which the launcher and the timer interrupt the guest. */
#define SIG_KICK	10			/* SIGUSR1 */

/* What set_thread_area takes; a 32-bit call, so it lies below 4 GiB. */
struct low_page {
	u32 entry_number;
	u32 base;
	u32 limit;
	u32 flags;
};

/* Low pages start at PLEX86_GATES + PAGE_SIZE in a space. */
#define LOW_PAGE	(PLEX86_GATES + PAGE_SIZE)

struct state {
	struct vm vm;

	/* Set by the launcher before the space starts. */
	s32 ram_fd;
	s32 state_fd;
	s32 doorbell_fd;	/* eventfd: look at the queues, the console, .end */
	u32 space_pid;
	u32 map_count_max;	/* mappings of one space */
	u32 fault_cpuid;	/* CPUID is made to trap */

	/* The monitor's own. */
	u32 running;		/* the guest has been entered */
	u8 dispatch[8];		/* [0]: Syscall User Dispatch's selector */
	u32 mappings_low;	/* VMAs that shadow the user half */
	u32 mappings_high;	/* and the kernel half */
	u32 high_local;		/* kernel half: something not global is mapped */
	u32 rows[32];		/* bit n: linear n * 4 MiB has entries in shadow */
	u32 large[32];		/* bit n: linear n * 4 MiB was filled whole */
	u32 vip_shown;		/* the STI alias is read-only */
	s32 timer_id;
	u64 timer_deadline;	/* CLOCK_MONOTONIC ns; 0: none */
	u64 timer_armed;	/* what the host's timer is set to; 0: nothing */
	u64 tls[TLS_SLOTS];	/* as the guest has them, and the host was told */
	u32 tls_live;		/* bit n: the host's slot n can be loaded */

	/* Between the two. */
	u32 kicked;		/* a kick is on its way */
	u32 reset_wanted[PLEX86_MAX_DEVICES];	/* counts up */
	u32 reset_done[PLEX86_MAX_DEVICES];
	u32 early_prod;		/* early console bytes, free-running */
	u32 early_cons;
	u8 early[EARLY_BYTES];

	struct queue_state queues[PLEX86_MAX_DEVICES * QUEUES_MAX];

	u32 shadow[SHADOW_PAGES];	/* shadow.c */

	/* Pages that spaces map below 4 GiB. */
	_Alignas(4096) u8 info_page[PAGE_SIZE];
	_Alignas(4096) u8 low_page[PAGE_SIZE];
	_Alignas(4096) u8 device_page[PLEX86_MAX_DEVICES][PAGE_SIZE];
	_Alignas(4096) u8 alt_stack[ALT_STACK_BYTES];
	_Alignas(4096) u8 start_stack[2 * PAGE_SIZE];
};

/* The monitor's entry, at MONITOR_BASE: does not return. */
typedef void (*monitor_entry_fn)(struct state *state, void *stack_top);

#endif
