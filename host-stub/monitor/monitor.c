// SPDX-License-Identifier: GPL-2.0
/*
 * The monitor of the reference host: 64-bit code in each process that runs the
 * guest as 32-bit code, entered by signals and by the gates.
 *
 * It owns the space it runs in and struct state.  It uses no libc, no
 * thread-local storage and no stack protector: signals arrive with the guest's
 * segment registers, and nothing but the monitor is mapped beside the guest.
 */
#include <asm/prctl.h>
#include <asm/sigcontext.h>
#include <asm/siginfo.h>
#include <asm/signal.h>
/* The order matters: ucontext.h expects sigcontext.h and signal.h. */
#include <asm/ucontext.h>
#include <linux/futex.h>
#include <linux/prctl.h>
#include <linux/seccomp.h>

#include "space.h"
#include "sys.h"

/* Flags that a HAL call keeps; the guest kernel has them off. */
#define FL_BESIDE	(FL_TF | FL_NT | FL_RF | FL_AC | FL_ID)

#define SYSCALL_DISPATCHED 2		/* si_code of Syscall User Dispatch */

/* Entered from entry.S. */
u32 monitor_gate(u32 iret);
u32 monitor_trap(int signal, siginfo_t *si, struct ucontext *uc);
u32 monitor_again(void);
u32 monitor_start(struct state *state, u32 number);
void monitor_nested(int signal, siginfo_t *si, struct ucontext *uc);

/*
 * Places in entry.S; hidden, so that no global offset table is needed to find
 * them.
 */
extern const u8 monitor_gate_start[] __attribute__((visibility("hidden")));
extern const u8 monitor_gate_moved[] __attribute__((visibility("hidden")));
extern const u8 monitor_gate_end[] __attribute__((visibility("hidden")));
extern const u8 monitor_exit_start[] __attribute__((visibility("hidden")));
extern const u8 monitor_exit_end[] __attribute__((visibility("hidden")));
extern const u8 monitor_signal_end[] __attribute__((visibility("hidden")));
extern const u8 monitor_bad[] __attribute__((visibility("hidden")));
extern const u8 monitor_xrstor[] __attribute__((visibility("hidden")));
extern const u8 monitor_fxrstor[] __attribute__((visibility("hidden")));
extern const u8 monitor_peek_load[] __attribute__((visibility("hidden")));
extern const u8 monitor_peek_bad[] __attribute__((visibility("hidden")));
extern const u8 monitor_vectors_bad[] __attribute__((visibility("hidden")));
void monitor_signal(void) __attribute__((visibility("hidden")));

#define ST_REG(n) (offsetof(struct state, vm.cpu.reg) + 4 * (n))
_Static_assert(ST_REG(EAX) == ST_EAX && ST_REG(ECX) == ST_ECX &&
	       ST_REG(EDX) == ST_EDX && ST_REG(EBX) == ST_EBX &&
	       ST_REG(ESP) == ST_ESP && ST_REG(EBP) == ST_EBP &&
	       ST_REG(ESI) == ST_ESI && ST_REG(EDI) == ST_EDI &&
	       offsetof(struct state, vm.cpu.eflags) == ST_EFLAGS,
	       "struct vcpu is not what layout.h says");
_Static_assert(offsetof(struct space, dispatch) == 0 &&
	       offsetof(struct space, kicked) == SP_KICKED &&
	       offsetof(struct space, stack_pointer) == SP_STACK &&
	       offsetof(struct space, alt_stack) == ALT_STACK - SPACE_BASE,
	       "struct space is not what layout.h says");
_Static_assert(offsetof(struct gate_kernel, frame) == GATE_FRAME &&
	       offsetof(struct gate_kernel, jump) == GATE_JUMP &&
	       offsetof(struct gate_jump, sp) == GJ_ESP &&
	       offsetof(struct gate_jump, ip) == GJ_EIP &&
	       offsetof(struct gate_kernel, site) == GK_SITE &&
	       offsetof(struct gate_user, frame) == GATE_FRAME &&
	       offsetof(struct gate_user, eip) == GU_EIP,
	       "the pages of the gates are not what layout.h says");
_Static_assert(sizeof(struct space) < RAM_BASE - SPACE_BASE &&
	       sizeof(struct state) < SPACE_BASE - STATE_BASE,
	       "no room for the state");

static struct state *the_state(void)
{
	return (struct state *)STATE_BASE;
}

static void leave(struct state *state) __attribute__((noreturn));
static void leave(struct state *state)
{
	u64 one = 1;

	sys3(__NR_write, state->doorbell_fd, (long)&one, sizeof(one));
	for (;;)
		sys3(__NR_exit_group, 0, 0, 0);
}

/* Ends the guest for a reason that is the host's. */
void monitor_die(struct state *state, const char *reason)
{
	state->vm.end.how = END_NOT;
	core_crash(&state->vm, reason);
	state->vm.end.how = END_HOST;
	leave(state);
}

/* The virtual interrupt flag lies in the info page, where CLI and STI store. */
bool host_vif(struct vm *vm)
{
	return vm->info->vif & FL_IF;
}

void host_set_vif(struct vm *vm, bool on)
{
	vm->info->vif = on ? FL_IF : 0;
}

/* Makes the page that STI stores through read-only while one is pending. */
void host_set_vip(struct vm *vm, bool on)
{
	struct state *state = state_of(vm);
	struct space *space = this_space();

	vm->info->vip = on;
	if (space->vip_shown == on)
		return;
	space->vip_shown = on;
	if (sys3(__NR_mprotect, PLEX86_INFO_STI, PAGE_SIZE, on ? 1 : 3))
		monitor_die(state, "mprotect of the info page failed");
}

static void ring_launcher(struct state *state)
{
	u64 one = 1;

	sys3(__NR_write, state->doorbell_fd, (long)&one, sizeof(one));
}

void host_doorbell(struct vm *vm, u32 device, u32 queue)
{
	(void)device;
	(void)queue;
	ring_launcher(state_of(vm));
}

static void nap(void)
{
	struct { s64 s, ns; } ts = { 0, 50000 };

	sys3(__NR_nanosleep, (long)&ts, 0, 0);
}

void host_write(struct vm *vm, const u8 *text, u32 bytes)
{
	struct state *state = state_of(vm);
	u32 i, prod = state->early_prod;

	for (i = 0; i < bytes; i++) {
		while (prod - __atomic_load_n(&state->early_cons,
					      __ATOMIC_ACQUIRE) == EARLY_BYTES) {
			ring_launcher(state);
			code_release(state);
			nap();
		}
		state->early[prod++ % EARLY_BYTES] = text[i];
		__atomic_store_n(&state->early_prod, prod, __ATOMIC_RELEASE);
	}
	ring_launcher(state);
}

/* The back end lets go of the device's queues before this returns. */
void host_reset_device(struct vm *vm, u32 device)
{
	struct state *state = state_of(vm);
	u32 n = __atomic_add_fetch(&state->reset_wanted[device], 1,
				   __ATOMIC_SEQ_CST);

	ring_launcher(state);
	while (__atomic_load_n(&state->reset_done[device],
			       __ATOMIC_SEQ_CST) != n) {
		code_release(state);
		nap();
	}
}

/* A store through the STI alias while an interrupt is pending. */
static bool sti_store(struct vm *vm, u32 linear)
{
	struct vcpu *cpu = &vm->cpu;
	u8 op[7];
	u32 fault;

	if (linear != PLEX86_INFO_STI + 1 || cpu->cpl ||
	    core_read(vm, cpu->eip, op, sizeof(op), 0, &fault))
		return false;
	if (op[0] == 0xc6 && op[1] == 0x05) {		/* the STI site */
		host_set_vif(vm, op[6] & 2);
		core_advance(vm, 7);
	} else if (op[0] == 0xa2) {			/* the POPF site */
		host_set_vif(vm, cpu->reg[EAX] & 2);
		core_advance(vm, 5);
	} else {
		return false;
	}
	vm->stats.sti_pending++;
	return true;
}

/* What the gates go by. */
static void update_gates(struct state *state)
{
	struct gate_kernel *gk = gate_kernel_of(state);
	struct vcpu *cpu = &state->vm.cpu;

	gk->work = state->vm.refill || this_space()->tls_stale;
	gk->sp0 = cpu->tss_base + 4;
	if (state->gate_idt != cpu->idt.base)
		gk->entry = 0;
}

/* A system call of the guest, stopped by Syscall User Dispatch. */
static void system_call(struct vm *vm, siginfo_t *si)
{
	struct vcpu *cpu = &vm->cpu;
	u32 after = (u32)(u64)si->si_call_addr, fault;
	u8 op[2];

	if (si->si_code != SYSCALL_DISPATCHED)
		return;
	if (core_read(vm, after - 2, op, 2, cpu->cpl ? PFEC_U : 0, &fault) ||
	    op[0] != 0xcd || op[1] != VEC_SYSCALL) {
		/* SYSENTER or SYSCALL, which the guest's CPUID does not offer. */
		core_inject(vm, VEC_UD, 0);
		return;
	}
	/* The frame's EAX and EIP may have been adjusted for a restart. */
	cpu->reg[EAX] = (u32)si->si_syscall;
	cpu->eip = after - 2;
	vm->stats.system_calls++;
	gate_learn_entry(state_of(vm));
	core_soft_interrupt(vm, VEC_SYSCALL, 2);
}

static void debug_trap(struct vm *vm, u64 trapno, siginfo_t *si)
{
	if (trapno == VEC_BP) {
		core_inject(vm, VEC_BP, 0);
		return;
	}
	vm->cpu.dr[6] = DR6_FIXED;
	if (si->si_code == TRAP_TRACE)
		vm->cpu.dr[6] |= DR6_BS;
	core_inject(vm, VEC_DB, 0);
}

/*
 * SIGBUS: where a page of RAM could not be had.  It is asked for again, by the
 * monitor itself: guest user code may have made the signal up.
 */
static void try_again(struct vm *vm, u32 linear)
{
	u32 fault;
	u8 byte;

	core_read(vm, linear, &byte, 1, 0, &fault);
}

/* @inside: what was interrupted is known to be no code of the guest's. */
static void trap(struct state *state, int signal, siginfo_t *si,
		 const struct sigcontext_64 *sc, bool inside)
{
	struct vm *vm = &state->vm;

	if (signal == SIG_KICK)
		clock_kick(state, si);
	if (!inside && sc->ip == (u64)monitor_bad) {
		/* A HAL call is no instruction that guest user code has. */
		vm->cpu.eip = gate_table_of(state)->call;
		core_inject(vm, VEC_UD, 0);
		return;
	}
	if (!inside && (sc->cs & 0xffff) != HOST_CS32) {
		/* The guest left 32-bit mode: it has no such code segment. */
		core_inject(vm, VEC_GP, 0);
		return;
	}
	if (signal == SIG_KICK)
		return;
	if (signal == SIGSYS) {
		system_call(vm, si);
		return;
	}
	if (si->si_code <= 0)
		return;			/* sent by another process */
	switch (sc->trapno) {
	case VEC_PF:
		if (signal == SIGBUS)
			try_again(vm, (u32)sc->cr2);
		else if (!sti_store(vm, (u32)sc->cr2))
			core_page_fault(vm, (u32)sc->cr2, (u32)sc->err);
		return;
	case VEC_GP:
		core_general_protection(vm, (u32)sc->err);
		return;
	case VEC_UD:
		core_undefined(vm);
		return;
	case VEC_DB:
	case VEC_BP:
		debug_trap(vm, sc->trapno, si);
		return;
	}
	core_exception(vm, (u32)sc->trapno, (u32)sc->err);
}

/* The registers the trap left. */
static void take_registers(struct vcpu *cpu, const struct sigcontext_64 *sc)
{
	cpu->reg[EAX] = (u32)sc->ax;
	cpu->reg[ECX] = (u32)sc->cx;
	cpu->reg[EDX] = (u32)sc->dx;
	cpu->reg[EBX] = (u32)sc->bx;
	cpu->reg[ESP] = (u32)sc->sp;
	cpu->reg[EBP] = (u32)sc->bp;
	cpu->reg[ESI] = (u32)sc->si;
	cpu->reg[EDI] = (u32)sc->di;
	cpu->eip = (u32)sc->ip;
	cpu->eflags = (u32)sc->flags;
	if (cpu->cpl == 3)
		cpu->ss = sc->ss;
}

static bool within(u64 ip, const void *from, const void *to)
{
	return ip >= (u64)from && ip < (u64)to;
}

/*
 * The end of each of the monitor's turns: interrupts, and whatever else is to be
 * done before the guest goes on, possibly elsewhere.  Returns the linear address
 * of what takes it there, in GATE_USER or GATE_KERNEL.
 * @fpstate: the guest's vector registers where a signal left them, or NULL
 */
static u32 finish(struct state *state, const void *fpstate)
{
	struct space *space = this_space();
	struct vm *vm = &state->vm;
	struct vcpu *cpu = &vm->cpu;
	struct gate_frame *frame;
	bool step;

	for (;;) {
		if (__atomic_load_n(&space->kicked, __ATOMIC_RELAXED))
			__atomic_store_n(&space->kicked, 0, __ATOMIC_SEQ_CST);
		clock_fired(state);
		code_release(state);
		if (vm->end.how == END_NOT)
			core_interrupts(vm);
		if (vm->end.how != END_NOT)
			leave(state);
		if (state->next == space->number)
			break;
		code_unstep(state);
		space_leave(state, fpstate);
		fpstate = NULL;
	}
	if (fpstate)
		vectors_load(state, fpstate);
	space_arm_stack(state);
	step = code_prepare(state);
	if (vm->end.how != END_NOT)
		leave(state);
	if (cpu->cpl == 3 && space->tls_stale)
		host_sync_tls(vm);

	if (space->alt_stack_dirty)
		keys_wipe(state);

	update_gates(state);
	gate_kernel_of(state)->cpl = cpu->cpl;
	space->exit_cpl = cpu->cpl;
	if (cpu->cpl == 0 && state->in_call && !step &&
	    !(cpu->eflags & FL_BESIDE)) {
		struct gate_jump *jump = &gate_kernel_of(state)->jump;

		jump->ax = cpu->reg[EAX];
		jump->cx = cpu->reg[ECX];
		jump->dx = cpu->reg[EDX];
		jump->sp = cpu->reg[ESP];
		jump->ip = cpu->eip;
		jump->cs = HOST_CS32;
		return GATE_KERNEL + GATE_JUMP;
	}
	frame = cpu->cpl == 3 ? &gate_user_of(state)->frame :
				&gate_kernel_of(state)->frame;
	frame->ax = cpu->reg[EAX];
	frame->cx = cpu->reg[ECX];
	frame->dx = cpu->reg[EDX];
	frame->ip = cpu->eip;
	frame->cs = HOST_CS32;
	frame->flags = (cpu->eflags & FL_CARRIED) | FL_IF | 2 |
		       (step ? FL_TF : 0);
	frame->sp = cpu->reg[ESP];
	frame->ss = cpu->cpl == 3 ? (u16)cpu->ss : HOST_DS;
	return cpu->cpl == 3 ? GATE_USER + GATE_FRAME : GATE_KERNEL + GATE_FRAME;
}

/* The guest kernel came through a gate: for a HAL call, or an IRET. */
u32 monitor_gate(u32 iret)
{
	struct state *state = the_state();

	state->vm.stats.gate_calls++;
	state->vm.cpu.cpl = 0;
	state->in_call = !iret;
	if (iret)
		gate_iret(state);
	else
		gate_call(state);
	return finish(state, NULL);
}

/* A kick came between the end of the monitor's turn and its exit. */
u32 monitor_again(void)
{
	this_space()->step = STEP_NONE;		/* it has not begun */
	return finish(the_state(), NULL);
}

/*
 * A signal while the monitor was in charge: noted.  Anything but a kick is the
 * monitor's own fault.
 */
void monitor_nested(int signal, siginfo_t *si, struct ucontext *uc)
{
	struct state *state = the_state();
	struct sigcontext_64 *sc = (struct sigcontext_64 *)&uc->uc_mcontext;

	this_space()->alt_stack_dirty = 1;
	if (signal == SIG_KICK) {
		clock_kick(state, si);
		return;
	}
	if (signal == SIGSEGV && (sc->ip == (u64)monitor_xrstor ||
				  sc->ip == (u64)monitor_fxrstor)) {
		sc->ip = (u64)monitor_vectors_bad;
		return;
	}
	if (signal == SIGSEGV && sc->ip == (u64)monitor_peek_load) {
		sc->ip = (u64)monitor_peek_bad;
		return;
	}
	if (signal == SIGBUS)
		monitor_die(state, "out of memory; " LESS_MEMORY);
	monitor_die(state, "the monitor faulted");
}

/*
 * Lets kicks in again: one is blocked while another is handled, so that any
 * number of them needs room for one.
 */
static void unblock_kicks(void)
{
	u64 kick = 1ull << (SIG_KICK - 1);

	sys4(__NR_rt_sigprocmask, SIG_UNBLOCK, (long)&kick, 0, sizeof(kick));
}

/* Something came at the monitor's own side of a gate, before it is in charge. */
static void enter_by_gate(struct state *state, const struct sigcontext_64 *sc)
{
	struct vcpu *cpu = &state->vm.cpu;
	u64 at = sc->ip - (u64)monitor_gate_start;

	if (cpu->cpl == 3 || (at >= MONITOR_ENTRY && at < MONITOR_HEADER_END)) {
		core_inject(&state->vm, VEC_GP, 0);
		return;
	}
	if (sc->ip >= (u64)monitor_gate_moved) {
		cpu->reg[EAX] = (u32)sc->r8;
		cpu->reg[ECX] = (u32)sc->r9;
		cpu->reg[EDX] = (u32)sc->r10;
		cpu->reg[ESP] = (u32)sc->r11;
	}
	if (at < MONITOR_ENTRY ? at >= MONITOR_IRET : sc->r12)
		gate_iret(state);
	else
		gate_call(state);
}

/*
 * A signal of the guest comes here; or guest user code with a frame of its own
 * making, of which nothing may be believed that it could not do otherwise.
 *
 * The signal may also have come while the monitor was on its way in or out.  On
 * the way in by a signal the first one is taken up instead; on the way in by a gate
 * the gate's work is done; and on the way out all registers are where the exit
 * takes them from.
 */
static u32 take_trap(int signal, siginfo_t *si, struct ucontext *uc)
{
	struct state *state = the_state();
	struct space *space = this_space();
	struct vm *vm = &state->vm;
	struct vcpu *cpu = &vm->cpu;
	struct sigcontext_64 *sc = (struct sigcontext_64 *)&uc->uc_mcontext;
	bool kick = signal == SIG_KICK, inside, stepped = false;
	const void *vectors;

	space->alt_stack_used = 1;
	state->in_call = 0;
	vm->stats.exits++;
	if (kick)
		unblock_kicks();
	if (kick && within(sc->ip, monitor_signal, monitor_signal_end)) {
		/* rdx is in r8 by then, or both are. */
		u64 first = sc->ip == (u64)monitor_signal ? sc->dx : sc->r8;

		if (keys_check_frame(sc->si, first)) {
			clock_kick(state, si);
			space->alt_stack_dirty = 1;
			signal = (int)sc->di;
			si = (siginfo_t *)sc->si;
			uc = (struct ucontext *)first;
			sc = (struct sigcontext_64 *)&uc->uc_mcontext;
			kick = signal == SIG_KICK;
		}
	}
	vectors = keys_vectors(state, sc);
	cpu->cpl = gate_kernel_of(state)->cpl ? 3 : 0;
	/* A gate from user mode has the kernel's stack before it is there. */
	if (!cpu->cpl || gate_holds(state, sc->ip))
		space->alt_stack_dirty = 1;
	inside = true;
	if (within(sc->ip, monitor_exit_start, monitor_exit_end) &&
	    cpu->cpl == space->exit_cpl) {
		space->step = STEP_NONE;	/* it has not begun, or is over */
		if (!kick) {
			core_inject(vm, VEC_GP, 0);
			return finish(state, vectors);
		}
	} else if (within(sc->ip, monitor_gate_start, monitor_gate_end)) {
		take_registers(cpu, sc);
		code_trapped(state, false, false);
		enter_by_gate(state, sc);
		if (!kick)
			return finish(state, vectors);
	} else {
		/* A single step ends behind a gate, as one of a CALL would. */
		bool outside = kick || sc->trapno == VEC_DB;
		bool store = signal == SIGSEGV && sc->trapno == VEC_PF &&
			     (sc->err & PFEC_W);

		take_registers(cpu, sc);
		stepped = code_trapped(state, signal == SIGTRAP &&
				       sc->trapno == VEC_DB, store);
		inside = gate_holds(state, sc->ip) &&
			 gate_finish(state, sc, outside);
		if (inside && !outside)
			return finish(state, vectors);
	}
	if (!stepped)
		trap(state, signal, si, sc, inside);
	return finish(state, vectors);
}

u32 monitor_trap(int signal, siginfo_t *si, struct ucontext *uc)
{
	struct sigcontext_64 *sc = (struct sigcontext_64 *)&uc->uc_mcontext;
	u32 exit = take_trap(signal, si, uc);

	/* In every frame that is of the last page fault, be it the kernel's. */
	sc->cr2 = 0;
	return exit;
}

static void handle(struct state *state, int signal)
{
	struct {
		void (*handler)(void);
		u64 flags;
		void (*restorer)(void);
		u64 mask;
	} action = {
		.handler = monitor_signal,
		.flags = SA_SIGINFO | SA_ONSTACK | SA_RESTORER |
			 (signal == SIG_KICK ? 0 : SA_NODEFER),
		.restorer = monitor_signal,	/* never returned to */
	};

	if (sys4(__NR_rt_sigaction, signal, (long)&action, 0, sizeof(u64)))
		monitor_die(state, "rt_sigaction failed");
}

/*
 * From here on there are the system calls of the launcher's list, space_rules
 * in jail.c, and no others.
 */
static void shut_jail(struct state *state)
{
	struct space *space = this_space();
	struct sock_fprog filter = {
		.len = (u16)space->jail_insns, .filter = space->jail,
	};

	if (filter.len && sys3(__NR_seccomp, SECCOMP_SET_MODE_FILTER, 0,
			       (long)&filter))
		monitor_die(state, "the jail cannot be shut");
}

/*
 * monitor_start() - make this process a space
 * @number: of the space; the first runs the guest at once, the others wait for
 *	    the vCPU
 *
 * The process is a fork of the launcher.  What it inherited is unmapped; what
 * stays is the monitor, struct state, struct space and guest RAM.
 */
u32 monitor_start(struct state *state, u32 number)
{
	static const u8 signals[] = {
		SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP, SIGSYS, SIG_KICK,
	};
	u64 ram_end = RAM_BASE + state->vm.ram_bytes, mask = ~0ull;
	struct space *space = this_space();
	u32 i;

	sys3(__NR_munmap, 0, (long)MONITOR_BASE, 0);
	sys3(__NR_munmap, (long)ram_end, (long)(USER_END - ram_end), 0);
	shadow_map_host_pages(state);

	space_prepare_sysenter(state);
	keys_protect_monitor(state);
	space->number = number;
	space->pid = (u32)sys3(__NR_getpid, 0, 0, 0);
	space->alt_stack_used = 1;
	space_arm_stack(state);
	for (i = 0; i < sizeof(signals); i++) {
		handle(state, signals[i]);
		mask &= ~(1ull << (signals[i] - 1));
	}
	clock_start(state);
	if (state->fault_cpuid)
		sys3(__NR_arch_prctl, ARCH_SET_CPUID, 0, 0);
	/* From here on every system call is dispatched while the guest runs. */
	if (sys6(__NR_prctl, PR_SET_SYSCALL_USER_DISPATCH, PR_SYS_DISPATCH_ON,
		 0, 0, (long)&space->dispatch, 0))
		monitor_die(state, "Syscall User Dispatch cannot be turned on");
	sys4(__NR_rt_sigprocmask, SIG_SETMASK, (long)&mask, 0, sizeof(mask));
	shut_jail(state);
	__asm__ volatile("mov %0, %%ds; mov %0, %%es; mov %1, %%fs; mov %1, %%gs"
			 : : "r"(HOST_DS), "r"(0));

	__atomic_store_n(&state->ready[number], space->pid, __ATOMIC_SEQ_CST);
	if (number) {
		sys6(__NR_futex, (long)&state->ready[number], FUTEX_WAKE, 1, 0,
		     0, 0);
		space_wait(state);
	} else {
		/* No instruction of the guest's before all are in their jails. */
		for (i = 1; i < SPACES; i++)
			space_await(&state->ready[i]);
		state->vm.info->vif = 0;
		__atomic_store_n(&state->active_pid, space->pid,
				 __ATOMIC_SEQ_CST);
		__atomic_store_n(&state->kicked, 0, __ATOMIC_SEQ_CST);
	}
	return finish(state, NULL);
}
