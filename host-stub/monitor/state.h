/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The state of the monitor: what the spaces (the processes that run the guest,
 * one for each of its address spaces) and the launcher share, one memfd mapped
 * at one address in all, so that pointers into it mean the same everywhere; and
 * what each space has for itself.
 */
#ifndef MONITOR_STATE_H
#define MONITOR_STATE_H

#include <linux/filter.h>

#include "image.h"
#include "layout.h"

#define EARLY_BYTES	(64u << 10)		/* a power of two */
#define SHADOW_PAGES	(1u << 20)		/* of the linear address space */
#define RAM_PAGES	(1u << 20)		/* at most */
#define TLS_SLOTS	3
#define GDT_TLS_MIN	12			/* the host's and the guest's */

#define JAIL_INSNS	512u			/* of a space's filter, at most */

/*
 * Signal by which the launcher and the timer interrupt the guest.  SIGURG: who did
 * not ask for it ignores it, should it get to another process.
 */
#define SIG_KICK	23

/* What set_thread_area takes; a 32-bit call, so it lies below 4 GiB. */
struct low_page {
	u32 entry_number;
	u32 base;
	u32 limit;
	u32 flags;
};

/* What to do when the host is out of memory. */
#define LESS_MEMORY "give the guest less with --mem, or the host more"

#define SPACES		6u	/* as many as a Linux guest has ASIDs */
#define KERNEL_LOG	256u		/* a power of two */
#define CODE_LOG	256u		/* likewise */
#define XSAVE_BYTES	4096u		/* x87 to AVX-512, standard format */
#define GATE_TABLE	0xc00u		/* in the page of the gates */

/* Behind the code of the gates: its labels, as gates.S lists them. */
struct gate_table {
	u32 system_call, system_call_pushed, system_call_popped;
	u32 system_call_saved, system_call_end, system_call_return;
	u32 iret, iret_saved, iret_user, iret_user_end;
	u32 iret_slow_saved, iret_slow;
	u32 iret_kernel, iret_kernel_saved, iret_kernel_restored;
	u32 iret_kernel_last, call, to_monitor_iret;
	u32 end, xrstor, xrstor_saved, xrstor_end, rdpkru;
	u32 wrpkru[2];
};

/* A frame for IRETQ, below it the registers that are popped first. */
struct gate_frame {
	u64 ax, cx, dx, ip, cs, flags, sp, ss;
};

/* The same for a far jump. */
struct gate_jump {
	u32 ax, cx, dx, sp, ip, cs;
};

/* GATE_KERNEL: written by guest kernel, gates and monitor. */
struct gate_kernel {
	u32 cpl;
	u32 entry;
	u32 sp0;
	u32 work;
	u32 site;
	u32 eax, ecx, edx;
	u8 unused[GATE_FRAME - 8 * 4];
	struct gate_frame frame;
	struct gate_jump jump;
};

/* GATE_USER: written by everyone. */
struct gate_user {
	u32 eax, ecx, edx, eflags, esp, eip;
	u8 unused[GATE_FRAME - 6 * 4];
	struct gate_frame frame;
};

/* A range of the kernel half that every space has to forget. */
struct drop {
	u32 from, to;
};

/*
 * In state.page_state, of a page of RAM: it is code, or executable for a step.
 * The rest is code.c's.
 */
#define PAGE_CODE	0x80u
#define PAGE_STEP	0x4000u

struct state {
	struct vm vm;		/* first, and its registers first: layout.h */

	/* Set by the launcher before the first space starts. */
	s32 ram_fd;
	s32 state_fd;
	s32 doorbell_fd;	/* eventfd: look at the queues, the console, .end */
	u32 map_count_max;	/* mappings of one space */
	u32 fault_cpuid;	/* CPUID is made to trap */
	u32 keys;		/* protection keys are in use */
	u32 scan;		/* and code is looked through, code.c */
	u32 frame_bytes;	/* the largest signal frame of the host's */
	u64 xsave_mask;		/* state components to carry; 0: no XSAVE */
	u32 xsave_bytes;	/* room that they take */
	u32 landing;		/* offset at LANDING_BASE; 0: no SYSENTER */
	u32 iret_site[IMAGE_IRETS];	/* linear addresses, by their numbers */

	/*
	 * The vCPU's token.  The space that has it is the only one that runs;
	 * the others sleep on their run[].
	 */
	u32 active_pid;
	u32 born;		/* the launcher has made all of them: */
	u32 pid[SPACES];
	u32 run[SPACES];	/* 1: take it */
	u32 ready[SPACES];	/* its process ID, once it can take it */

	/* Of the vCPU, and so handed over with it. */
	u32 asid[SPACES];	/* what the space holds */
	u32 in_call;		/* a HAL call by the gate: flags need not come back */
	u32 next;		/* space to go on in */
	u32 flush_next;		/* and its user half is to be forgotten */
	u32 tsc_trapped;
	u64 timer_deadline;	/* CLOCK_MONOTONIC ns; 0: none */
	u64 timer_armed;	/* when some space's timer will go off; 0: none */
	u32 timer_fired;	/* one did */
	u32 segment[4];		/* DS, ES, FS, GS */
	u32 gate_idt;		/* the interrupt table that the gates know */
	u32 kernel_drops;	/* how often kernel_log was written */
	u32 flush_epoch;	/* how often everything was to be forgotten */
	struct drop kernel_log[KERNEL_LOG];
	u64 code_changes;	/* how often code_log was written */
	u32 code_log[CODE_LOG];	/* pages of RAM, now code or no longer */
	_Alignas(64) u8 vectors[XSAVE_BYTES];

	/* Between the monitor and the launcher. */
	u32 kicked;		/* a kick is on its way */
	u32 attentive;		/* the launcher is at work, or waits for the guest */
	u32 alert;		/* the guest is idle, and sees by itself what comes */
	u32 page_wanted;	/* 0, or a page of RAM that shall be data, plus 1 */
	u32 reset_wanted[PLEX86_MAX_DEVICES];	/* counts up */
	u32 reset_done[PLEX86_MAX_DEVICES];
	u32 early_prod;		/* early console bytes, free-running */
	u32 early_cons;
	u8 early[EARLY_BYTES];

	struct queue_state queues[PLEX86_MAX_DEVICES * QUEUES_MAX];

	/* Pages that spaces map below 4 GiB. */
	_Alignas(4096) u8 info_page[PAGE_SIZE];
	_Alignas(4096) u8 gates_page[PAGE_SIZE];
	_Alignas(4096) u8 gate_kernel_page[PAGE_SIZE];
	_Alignas(4096) u8 gate_user_page[PAGE_SIZE];
	_Alignas(4096) u8 low_page[PAGE_SIZE];
	_Alignas(4096) u8 landing_pages[2 * PAGE_SIZE];
	_Alignas(4096) u8 device_page[PLEX86_MAX_DEVICES][PAGE_SIZE];

	/* Of each page of RAM; code.c. */
	u16 page_state[RAM_PAGES];
	u32 page_held[RAM_PAGES];	/* how often back ends have a hold of it */
};

/* The guest was to do one instruction (code.c), and it was a PUSHF. */
enum step { STEP_NONE, STEP_ON, STEP_PUSHF, STEP_POPF, STEP_INT1 };

/*
 * What a space has of its own, at SPACE_BASE: private memory of its process.
 * The offsets of the first three are layout.h's.
 */
struct space {
	u8 dispatch;		/* Syscall User Dispatch's selector */
	_Alignas(4096) u32 kicked;	/* a kick came while the monitor ran */
	u32 sysenter;		/* SYSENTER can be used */
	u64 stack_pointer;	/* over a SYSENTER */
	u32 number;
	u32 pid;
	u32 exit_cpl;		/* of the last return to the guest */
	u32 alt_stack_used;	/* the kernel has taken it away */
	u32 alt_stack_dirty;	/* it holds what guest user code must not see */
	_Alignas(4096) u8 stack[SPACE_STACK_TOP - SPACE_BASE - 2 * 4096];

	_Alignas(4096) u8 alt_stack[ALT_STACK_BYTES];

	u32 mappings_low;	/* VMAs that shadow the user half, at most */
	u32 mappings_high;	/* and the kernel half */
	u32 high_local;		/* kernel half: something not global is mapped */
	u32 kernel_drops;	/* as far as state.kernel_log was followed */
	u32 flush_epoch;
	u64 code_changes;	/* as far as state.code_log was followed */
	u32 vip_shown;		/* the STI alias is read-only */
	u32 tsc_trapped;
	s32 timer_id;
	u64 tls[TLS_SLOTS];	/* as the guest has them, and the host was told */
	u32 tls_live;		/* bit n: the host's slot n can be loaded */
	u32 tls_stale;		/* what the guest has may be something else */
	u32 step;		/* enum step */
	u32 step_guest;		/* it had TF set itself */
	u32 step_end;		/* EIP behind the PUSHF that it was to do */
	u32 step_pages;		/* executable for that: so many */
	struct {
		u32 linear, page;	/* page numbers; of RAM */
	} step_at[2];
	u32 stored;		/* the instruction here made a store that faulted: */
	u32 store_at;		/* its EIP */
	_Alignas(64) u8 xrstor[XSAVE_BYTES];
	u32 rows[32];		/* bit n: linear n * 4 MiB has entries */
	u32 cut[32];		/* bit n: and the guest flushed parts of that row */
	u32 large[1024];	/* the mapping of a whole row, or 0; shadow.c */
	u64 filled[SHADOW_PAGES / 64];	/* bit n: pages[n] counts */
	u32 pages[SHADOW_PAGES];
	u32 where[RAM_PAGES];	/* of each page of RAM, where it is mapped */

	/* The filter that is to be put on, from the launcher; 0: none. */
	u32 jail_insns;
	struct sock_filter jail[JAIL_INSNS];
};

/* The monitor's entry, at MONITOR_BASE + MONITOR_ENTRY: does not return. */
typedef void (*monitor_entry_fn)(struct state *state, u32 number);

#endif
