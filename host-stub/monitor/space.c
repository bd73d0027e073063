// SPDX-License-Identifier: GPL-2.0
/*
 * The vCPU's way from space to space: one has it, the others sleep.
 *
 * A CR3 load of the guest ends up here.  The registers are in struct state
 * already; what goes along is what a process has of its own: vector registers,
 * segment selectors, and what the shadow, the STI alias and the time-stamp
 * counter have missed.
 */
#include <asm/mman.h>
#include <asm/signal.h>
#include <linux/futex.h>
#include <linux/mman.h>
#include <linux/prctl.h>

#include "space.h"
#include "sys.h"

#define SS_AUTODISARM	(1u << 31)

/*
 * The alternate stack, for the next signal.  The kernel takes it away when a
 * handler starts (SS_AUTODISARM), because otherwise it would look at the
 * guest's stack pointer to find out whether it is in use.
 */
void space_arm_stack(struct state *state)
{
	struct space *space = this_space();
	struct {
		void *sp;
		u32 flags;
		u64 size;
	} stack = {
		.sp = space->alt_stack,
		.flags = SS_AUTODISARM,
		.size = sizeof(space->alt_stack),
	};

	if (!space->alt_stack_used)
		return;
	space->alt_stack_used = 0;
	if (sys3(__NR_sigaltstack, (long)&stack, 0, 0))
		monitor_die(state, "sigaltstack failed");
}

/*
 * set_thread_area is a 32-bit system call, and INT 0x80 is slow where the host
 * is a virtual machine (it reads the interrupt controller: 8 us on such a one).
 * SYSENTER is not, but the kernel returns from it to where it believes its 32-bit
 * vDSO to be.  The launcher has moved the 64-bit one to LANDING_BASE, which is
 * what the kernel goes by; here code of ours takes its place.
 */
void space_prepare_sysenter(struct state *state)
{
	u32 page = LANDING_BASE + (state->landing & PAGE_MASK);

	if (!state->landing)
		return;
	if (sys6(__NR_mmap, page, sizeof(state->landing_pages),
		 PROT_READ | PROT_EXEC, MAP_SHARED | MAP_FIXED, state->state_fd,
		 offsetof(struct state, landing_pages)) < 0 ||
	    sys6(__NR_mmap, LANDING_STACK, LANDING_STACK_BYTES,
		 PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) < 0)
		monitor_die(state, "cannot map the way back from SYSENTER");
	keys_set(state, LANDING_STACK, LANDING_STACK_BYTES,
		 PROT_READ | PROT_WRITE, KEY_MONITOR);
	this_space()->sysenter = 1;
}

/* XSAVE, SDM vol. 1, 13.7; FXSAVE where there is none. */
static void vectors_save(struct state *state)
{
	u32 low = (u32)state->xsave_mask, high = (u32)(state->xsave_mask >> 32);

	if (state->xsave_mask)
		__asm__ volatile("xsave64 (%0)"
				 : : "r"(state->vectors), "a"(low), "d"(high)
				 : "memory");
	else
		__asm__ volatile("fxsave64 (%0)"
				 : : "r"(state->vectors) : "memory");
}

/* Loads the guest's vector registers from @from. */
void vectors_load(struct state *state, const void *from)
{
	static const _Alignas(64) u8 initial[XSAVE_BYTES];

	/*
	 * What guest user code could have written to the alternate stack may be
	 * no image of registers.
	 */
	if (monitor_vectors_load(from, state->xsave_mask))
		monitor_vectors_load(initial, state->xsave_mask);
}

static void futex(u32 *word, int op, u32 value)
{
	sys6(__NR_futex, (long)word, op, value, 0, 0, 0);
}

/* space_await() - sleep until @word, which another space sets, is not 0 */
void space_await(u32 *word)
{
	while (!__atomic_load_n(word, __ATOMIC_ACQUIRE))
		futex(word, FUTEX_WAIT, 0);
}

/* Sleeps until the vCPU is handed to this space, and takes it. */
void space_wait(struct state *state)
{
	struct space *space = this_space();
	u32 *run = &state->run[space->number];

	space_await(run);
	*run = 0;
	keys_forget(state);
	shadow_catch_up(state);
	host_set_vip(&state->vm, state->vm.info->vip);
	if (space->tsc_trapped != state->tsc_trapped)
		host_trap_tsc(&state->vm, state->tsc_trapped);
	segments_load(state);
	vectors_load(state, state->vectors);
}

/*
 * Hands the vCPU to state->next, and returns when this space has it again.
 * @fpstate: the guest's vector registers where a signal left them, or NULL
 */
void space_leave(struct state *state, const void *fpstate)
{
	u32 next = state->next;

	if (fpstate)
		vectors_load(state, fpstate);
	vectors_save(state);
	segments_save(state);
	space_arm_stack(state);
	state->vm.stats.space_switches++;
	__atomic_store_n(&state->active_pid, state->ready[next],
			 __ATOMIC_SEQ_CST);
	__atomic_store_n(&state->run[next], 1, __ATOMIC_RELEASE);
	futex(&state->run[next], FUTEX_WAKE, 1);
	space_wait(state);
}
