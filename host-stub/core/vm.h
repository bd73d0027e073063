/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The virtual machine as the core sees it, and the narrow interface between
 * the core and the host it is compiled into.
 *
 * The core is what every plex86 host does alike: instruction emulation,
 * injection of exceptions and interrupts, the walk of the guest's page tables,
 * CPUID, HAL dispatch, image loading.  It makes no system call, keeps no state
 * outside struct vm, and reaches the outside only through the host_*()
 * functions declared at the end, which each host defines.
 */
#ifndef CORE_VM_H
#define CORE_VM_H

#include "types.h"
#include "plex86.h"

/* What exits are counted by; the name is the key in --stats. */
#define STATS(X) \
	X(exits) X(page_faults) X(shadow_fills) X(shadow_pages) \
	X(shadow_flushes) X(shadow_flushes_global) X(shadow_drops) \
	X(shadow_limit_flushes) X(space_switches) \
	X(injected_page_faults) X(injected_exceptions) X(injected_interrupts) \
	X(system_calls) X(gate_calls) X(iret_user) X(iret_kernel) X(hal_calls) X(doorbells) \
	X(kicks) X(nmis) X(timer_signals) X(timer_arms) X(halts) X(sti_pending) \
	X(cr_access) X(cr3_loads) X(dr_access) X(invlpg) X(segment_loads) \
	X(flush_calls) X(protect_calls) X(descriptor_tables) X(far_transfers) \
	X(cpuid) X(msr) X(port_io) X(cli_sti_raw) X(next_emulated) X(tls_syncs) \
	X(code_scans) X(code_writes) X(code_steps) X(other_emulated)

struct stats {
#define X(name) u64 name;
	STATS(X)
#undef X
};

struct descriptor_table {
	u32 base;
	u32 limit;
};

/* A virtual CPU: what the guest believes, and the registers of the trap. */
struct vcpu {
	u32 reg[8];		/* ModRM order */
	u32 eip;
	u32 eflags;		/* as the hardware has it, IF and IOPL aside */
	u32 ss;			/* hardware selector while in user mode */
	u32 cpl;		/* virtual: 0 or 3 */
	u32 cr0, cr2, cr3, cr4;
	u32 dr[8];
	struct descriptor_table gdt, idt;
	u32 tr, ldtr;
	u32 tss_base;
	u64 xcr0;
};

#define CPUID_LEAVES	48

struct cpuid_leaf {
	u32 leaf, subleaf;
	u32 eax, ebx, ecx, edx;
};

struct cpuid_table {
	u32 count;
	u32 pad;
	u64 xcr0_allowed;	/* state components the guest may enable */
	struct cpuid_leaf leaf[CPUID_LEAVES];
};

/* How the guest ended. */
enum end_how { END_NOT, END_POWEROFF, END_REBOOT, END_CRASH, END_HOST };

struct end {
	u32 how;		/* enum end_how */
	u32 status;		/* the guest's exit status, for END_POWEROFF */
	char reason[128];	/* for END_CRASH and END_HOST */
};

struct vm {
	struct vcpu cpu;
	u8 *ram;		/* guest-physical 0, mapped for the host */
	u32 ram_bytes;
	u32 page_offset;	/* from the guest's note */
	bool stepped;		/* an instruction with TF set was emulated */
	bool refill;		/* user mode waits for the page at refill_linear */
	u32 refill_linear;
	u32 fault_linear;	/* where core_read() or core_write() failed last */
	struct plex86_info *info;
	struct plex86_dev *devices[PLEX86_MAX_DEVICES];
	struct queue_state *queues;
	struct cpuid_table cpuid;
	struct stats stats;
	struct end end;
};

#define QUEUES_MAX	17	/* of one device */

/* Where a queue lies; written by the core for the guest, read by back ends. */
struct queue_state {
	u32 ready;		/* 0, or set last: the fields below are valid */
	u32 entries;
	u64 gpa;
};

/* page.c */

/* A translation of one linear page. */
struct translation {
	u32 gpa;		/* of the address asked for */
	u32 page_gpa;		/* of the first byte of its page */
	u32 page_bytes;		/* PAGE_SIZE or LARGE_SIZE */
	bool writable;		/* a write needs no further walk */
	bool global;
	bool user;
	bool accessed;
};

int core_translate(struct vm *vm, u32 linear, u32 access,
		   struct translation *tr);
int core_peek(struct vm *vm, u32 linear, struct translation *tr);
int core_read(struct vm *vm, u32 linear, void *to, u32 bytes, u32 access,
	      u32 *fault);
int core_write(struct vm *vm, u32 linear, const void *from, u32 bytes,
	       u32 access, u32 *fault);

/*
 * An instruction of @length was emulated: it is through, and so is its RF.  A
 * single-step trap comes behind it, as behind any other (SDM vol. 3, 17.3.1.4).
 */
static inline void core_advance(struct vm *vm, u32 length)
{
	vm->cpu.eip += length;
	vm->cpu.eflags &= ~FL_RF;
	vm->stepped = vm->cpu.eflags & FL_TF;
}

/* inject.c */
void core_inject(struct vm *vm, u32 vector, u32 error);
void core_exception(struct vm *vm, u32 vector, u32 error);
void core_inject_page_fault(struct vm *vm, u32 linear, u32 error);
void core_soft_interrupt(struct vm *vm, u32 vector, u32 length);
void core_iret(struct vm *vm);
void core_interrupts(struct vm *vm);
void core_crash(struct vm *vm, const char *reason);

/* emulate.c */
void core_general_protection(struct vm *vm, u32 error);
void core_undefined(struct vm *vm);
void core_page_fault(struct vm *vm, u32 linear, u32 error);
void core_refill(struct vm *vm);
void core_touch(struct vm *vm, u32 linear);
int core_load_cr3(struct vm *vm, u32 value);
void core_emulate_cpuid(struct vm *vm, u32 length);
bool core_stack_selector(struct vm *vm, u32 selector);

#define INSN_MAX	15u	/* bytes of an instruction */

/* What the next instruction is, to a host that steps. */
enum next {
	NEXT_OTHER,
	NEXT_PUSHF,
	NEXT_POPF,
	NEXT_INT1,
	NEXT_LOADS_PKRU,	/* WRPKRU, or what is treated like it */
	NEXT_XRSTOR,
};

enum next core_next(struct vm *vm, u32 *address, u32 *length);

/* cpuid.c */
typedef void (*cpuid_fn)(u32 leaf, u32 subleaf, struct cpuid_leaf *out);
void core_cpuid_build(struct cpuid_table *table, cpuid_fn host, u64 host_xcr0);
void core_cpuid(struct vm *vm, u32 leaf, u32 subleaf, struct cpuid_leaf *out);

/* hal.c */
void core_hal_call(struct vm *vm);

/* What the host provides. */

/*
 * The virtual interrupt flag.
 * host_set_vip(): an enabled interrupt is pending while the flag is off, so
 * enabling it must reach the host; or no longer.
 */
bool host_vif(struct vm *vm);
void host_set_vif(struct vm *vm, bool on);
void host_set_vip(struct vm *vm, bool on);

/*
 * Shadow paging.
 * host_fill() makes @bytes at @linear refer to @gpa: some pages of one page
 * table, or with FILL_LARGE a large one, or with FILL_PIECE some of that; returns
 * 0, or -1 where the host cannot map there.  host_large() says how much of the
 * large page @gpa is to be filled at a time around @linear: LARGE_SIZE, or a lower
 * power of two. host_filled(): is @linear, and as @writable?
 * host_drop() forgets the pages (and large pages) from @from to below @to; those
 * of the kernel half in every address space.
 * host_protect() drops no more than the permission to write there, where it can.
 * host_flush() forgets everything of all address spaces, or what is not global
 * of the present one.
 * host_space() goes on in address space @asid, @keep: with what the host holds
 * of it; returns 0, or -1 if it offers no such space.
 */
#define FILL_WRITABLE	1u
#define FILL_GLOBAL	2u
#define FILL_USER	4u
#define FILL_LARGE	8u
#define FILL_PIECE	16u

u32 host_large(struct vm *vm, u32 linear, u32 gpa);
int host_fill(struct vm *vm, u32 linear, u32 gpa, u32 bytes, u32 flags);
bool host_filled(struct vm *vm, u32 linear, bool writable);
void host_drop(struct vm *vm, u32 from, u32 to);
void host_protect(struct vm *vm, u32 from, u32 to);
void host_flush(struct vm *vm, bool global);
int host_space(struct vm *vm, u32 asid, bool keep);

/*
 * host_use() - the page of RAM at @gpa is about to be written (@access: PFEC_W),
 * by guest or host, or executed (PFEC_I).  Returns true if that changed how it is
 * mapped, wherever it is.
 */
bool host_use(struct vm *vm, u32 gpa, u32 access);

/*
 * Segment registers DS, ES, FS, GS (SS is virtual in struct vcpu).
 * host_load_segment() loads @selector, which the guest's GDT allows at CPL 3,
 * after bringing the host's descriptor up to date; returns 0, or -1 if the
 * hardware refuses it.  host_sync_tls() carries the guest's TLS descriptors to
 * where the hardware finds them.
 */
int host_load_segment(struct vm *vm, u32 segment, u32 selector);
void host_sync_tls(struct vm *vm);

/*
 * The time-stamp counter: host_trap_tsc() makes RDTSC trap at CPL 3, or no
 * longer (CR4.TSD); host_read_tsc() reads it all the same.
 */
void host_trap_tsc(struct vm *vm, bool on);
u64 host_read_tsc(struct vm *vm);

/*
 * host_halt() returns when an enabled interrupt is pending.
 * host_timer() asks for PLEX86_IRQ_TIMER in @ns; ~0: never.
 */
void host_halt(struct vm *vm);
void host_timer(struct vm *vm, u64 ns);
u64 host_clock(struct vm *vm, u32 which);
void host_write(struct vm *vm, const u8 *text, u32 bytes);
void host_doorbell(struct vm *vm, u32 device, u32 queue);
void host_reset_device(struct vm *vm, u32 device);

#endif
