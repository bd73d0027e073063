// SPDX-License-Identifier: GPL-2.0
/*
 * The monitor of the reference host: a 64-bit signal handler in the process
 * that runs the guest as 32-bit code.
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
#include <linux/prctl.h>

#include "space.h"
#include "sys.h"

#define HOST_USER32_CS	0x23u
#define HOST_USER_DS	0x2bu

#define SYSCALL_DISPATCHED 2		/* si_code of Syscall User Dispatch */

u32 monitor_trap(int signal, siginfo_t *si, struct ucontext *uc);
/* In entry.S; hidden, so that no global offset table is needed to find it. */
void monitor_signal(void) __attribute__((visibility("hidden")));
void monitor_start(struct state *state);

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

	if (state->vip_shown == on)
		return;
	state->vip_shown = on;
	vm->info->vip = on;
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
			       __ATOMIC_SEQ_CST) != n)
		nap();
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

static void trap(struct state *state, int signal, siginfo_t *si,
		 const struct sigcontext_64 *sc)
{
	struct vm *vm = &state->vm;

	if (signal == SIG_KICK) {
		clock_kick(state, si);
		return;
	}
	if ((sc->cs & 0xffff) != HOST_USER32_CS) {
		/* The guest left 32-bit mode: it has no such code segment. */
		core_inject(vm, VEC_GP, 0);
		return;
	}
	if (signal == SIGSYS) {
		system_call(vm, si);
		return;
	}
	if (si->si_code <= 0)
		return;			/* sent by another process */
	switch (sc->trapno) {
	case VEC_PF:
		if (signal == SIGBUS)
			monitor_die(state, "the host is out of memory for the guest's RAM");
		if (!sti_store(vm, (u32)sc->cr2))
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
	case VEC_DE: case VEC_OF: case VEC_BR: case VEC_NP: case VEC_SS:
	case VEC_MF: case VEC_AC: case VEC_XM:
		core_inject(vm, (u32)sc->trapno, (u32)sc->err);
		return;
	}
	monitor_die(state, "an exception of a kind the monitor does not know");
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

/*
 * Every signal comes here.  Returns the ID and NT flags for the guest.
 */
u32 monitor_trap(int signal, siginfo_t *si, struct ucontext *uc)
{
	struct state *state = the_state();
	struct vm *vm = &state->vm;
	struct vcpu *cpu = &vm->cpu;
	struct sigcontext_64 *sc = (struct sigcontext_64 *)&uc->uc_mcontext;

	vm->stats.exits++;
	if (state->running)
		take_registers(cpu, sc);
	state->running = 1;

	trap(state, signal, si, sc);
	if (vm->end.how == END_NOT)
		core_interrupts(vm);
	if (vm->end.how != END_NOT)
		leave(state);

	sc->ax = cpu->reg[EAX];
	sc->cx = cpu->reg[ECX];
	sc->dx = cpu->reg[EDX];
	sc->bx = cpu->reg[EBX];
	sc->sp = cpu->reg[ESP];
	sc->bp = cpu->reg[EBP];
	sc->si = cpu->reg[ESI];
	sc->di = cpu->reg[EDI];
	sc->ip = cpu->eip;
	sc->flags = cpu->eflags | FL_IF;
	sc->cs = HOST_USER32_CS;
	sc->ss = cpu->cpl == 3 ? (u16)cpu->ss : HOST_USER_DS;
	return cpu->eflags & (FL_ID | FL_NT);
}

static void handle(struct state *state, int signal, u64 mask)
{
	struct {
		void (*handler)(void);
		u64 flags;
		void (*restorer)(void);
		u64 mask;
	} action = {
		.handler = monitor_signal,
		.flags = SA_SIGINFO | SA_ONSTACK | 0x04000000, /* SA_RESTORER */
		.restorer = monitor_signal,	/* never returned to */
		.mask = mask,
	};

	if (sys4(__NR_rt_sigaction, signal, (long)&action, 0, sizeof(u64)))
		monitor_die(state, "rt_sigaction failed");
}

/*
 * monitor_start() - make this process a space and run the guest
 *
 * The process is a fork of the launcher.  What it inherited is unmapped; what
 * stays is the monitor, struct state and guest RAM.
 */
void monitor_start(struct state *state)
{
	static const u8 signals[] = {
		SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP, SIGSYS, SIG_KICK,
	};
	struct {
		void *sp;
		s32 flags;
		u64 size;
	} stack = {
		.sp = state->alt_stack,
		.size = sizeof(state->alt_stack),
	};
	u64 ram_end = RAM_BASE + state->vm.ram_bytes, mask = 0;
	u64 kick = 1ull << (SIG_KICK - 1);
	u32 i;

	sys3(__NR_munmap, 0, (long)MONITOR_BASE, 0);
	sys3(__NR_munmap, (long)ram_end, (long)(USER_END - ram_end), 0);
	shadow_map_host_pages(state);

	for (i = 0; i < sizeof(signals); i++)
		mask |= 1ull << (signals[i] - 1);
	if (sys3(__NR_sigaltstack, (long)&stack, 0, 0))
		monitor_die(state, "sigaltstack failed");
	for (i = 0; i < sizeof(signals); i++)
		handle(state, signals[i], mask);
	/* A kick must not enter the guest before all of this is done. */
	mask = ~mask | kick;
	sys4(__NR_rt_sigprocmask, SIG_SETMASK, (long)&mask, 0, sizeof(mask));
	clock_start(state);
	if (state->fault_cpuid)
		sys3(__NR_arch_prctl, ARCH_SET_CPUID, 0, 0);

	/*
	 * From here on every system call is dispatched to SIGSYS but for those
	 * made from the monitor's text.
	 */
	state->vm.info->vif = 0;
	state->dispatch[0] = SYSCALL_DISPATCH_FILTER_BLOCK;
	if (sys6(__NR_prctl, PR_SET_SYSCALL_USER_DISPATCH, PR_SYS_DISPATCH_ON,
		 (long)MONITOR_BASE, MONITOR_TEXT_MAX, (long)state->dispatch, 0))
		monitor_die(state, "Syscall User Dispatch cannot be turned on");

	__asm__ volatile("mov %0, %%ds; mov %0, %%es; mov %1, %%fs; mov %1, %%gs"
			 : : "r"(HOST_USER_DS), "r"(0));
	/* The first kick's handler returns into the guest. */
	sys3(__NR_tgkill, state->space_pid, state->space_pid, SIG_KICK);
	sys4(__NR_rt_sigprocmask, SIG_UNBLOCK, (long)&kick, 0, sizeof(kick));
	monitor_die(state, "the first kick did not come");
}
