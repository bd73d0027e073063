// SPDX-License-Identifier: GPL-2.0
/*
 * Time: the guest's one-shot timer on a POSIX timer of the host, its clocks,
 * and the sleep of an idle guest.
 *
 * The host's timer is set again only for an earlier deadline: setting it costs
 * more than a signal that comes too early and finds nothing to do.
 */
#include <asm/signal.h>
#include <asm/siginfo.h>
#include <linux/futex.h>
#include <linux/prctl.h>
#include <linux/time_types.h>
#include <linux/time.h>

#include "space.h"
#include "sys.h"

#define NS_PER_S	1000000000ull
#define LOOK_OUT	16000u		/* PAUSEs; some 0.2 to 0.9 ms */
#define YIELD		512u		/* of those, until others may run */
#define TIMER_NEVER	(~0ull)
/* Farther deadlines are cut to this (292 years would overflow the host's). */
#define TIMER_FARTHEST	(NS_PER_S * 3600 * 24 * 365)

static u64 now(int clock)
{
	struct __kernel_timespec ts = { 0 };

	sys3(__NR_clock_gettime, clock, (long)&ts, 0);
	return (u64)ts.tv_sec * NS_PER_S + (u64)ts.tv_nsec;
}

u64 host_clock(struct vm *vm, u32 which)
{
	(void)vm;
	return now(which == PLEX86_CLOCK_REALTIME ? CLOCK_REALTIME :
						    CLOCK_MONOTONIC);
}

void host_trap_tsc(struct vm *vm, bool on)
{
	state_of(vm)->tsc_trapped = on;
	this_space()->tsc_trapped = on;
	if (sys3(__NR_prctl, PR_SET_TSC, on ? PR_TSC_SIGSEGV : PR_TSC_ENABLE, 0))
		monitor_die(state_of(vm), "prctl(PR_SET_TSC) failed");
}

/* The monitor runs at CPL 3 as well, so it must open the counter to itself. */
u64 host_read_tsc(struct vm *vm)
{
	u32 low, high;

	host_trap_tsc(vm, false);
	__asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
	host_trap_tsc(vm, true);
	return (u64)high << 32 | low;
}

/*
 * Creates this space's timer.  Each space has one, because a timer can only
 * interrupt the process that made it; the guest has one timer, and it is armed
 * in whichever space runs.
 */
void clock_start(struct state *state)
{
	struct space *space = this_space();
	struct sigevent event = {
		.sigev_signo = SIG_KICK,
		.sigev_notify = SIGEV_THREAD_ID,
		._sigev_un._tid = (int)space->pid,
	};

	if (sys3(__NR_timer_create, CLOCK_MONOTONIC, (long)&event,
		 (long)&space->timer_id))
		monitor_die(state, "timer_create failed");
}

static void raise_timer(struct state *state)
{
	state->timer_deadline = 0;
	__atomic_or_fetch(&state->vm.info->irq_pending,
			  1u << PLEX86_IRQ_TIMER, __ATOMIC_RELEASE);
}

static void arm(struct state *state, u64 deadline)
{
	struct __kernel_itimerspec value = {
		.it_value.tv_sec = (s64)(deadline / NS_PER_S),
		.it_value.tv_nsec = (s64)(deadline % NS_PER_S),
	};

	state->vm.stats.timer_arms++;
	state->timer_armed = deadline;
	if (sys4(__NR_timer_settime, this_space()->timer_id, TIMER_ABSTIME,
		 (long)&value, 0))
		monitor_die(state, "timer_settime failed");
}

/*
 * host_timer() - the guest's timer
 * @ns: from now; 0: at once; all ones: off
 */
void host_timer(struct vm *vm, u64 ns)
{
	struct state *state = state_of(vm);

	state->timer_deadline = 0;
	if (ns == TIMER_NEVER)
		return;
	if (!ns) {
		raise_timer(state);
		return;
	}
	if (ns > TIMER_FARTHEST)
		ns = TIMER_FARTHEST;
	state->timer_deadline = now(CLOCK_MONOTONIC) + ns;
	if (!state->timer_armed || state->timer_armed > state->timer_deadline)
		arm(state, state->timer_deadline);
}

/* clock_fired() - the host's timer went off, in this space or another */
void clock_fired(struct state *state)
{
	if (!__atomic_load_n(&state->timer_fired, __ATOMIC_RELAXED) ||
	    !__atomic_exchange_n(&state->timer_fired, 0, __ATOMIC_ACQ_REL))
		return;
	state->vm.stats.timer_signals++;
	state->timer_armed = 0;
	if (!state->timer_deadline)
		return;
	if (now(CLOCK_MONOTONIC) >= state->timer_deadline)
		raise_timer(state);
	else
		arm(state, state->timer_deadline);
}

/*
 * clock_kick() - SIG_KICK came, from a timer or from the launcher
 *
 * It is passed on if the vCPU is elsewhere by now.
 *
 * While the timer's is pending the kernel drops the launcher's (never the other
 * way round: the timer has its own place in the queue), so either means that
 * the launcher must send another for what comes next.
 */
void clock_kick(struct state *state, const siginfo_t *si)
{
	u32 pid;

	if (si->si_code == SI_TIMER)
		__atomic_store_n(&state->timer_fired, 1, __ATOMIC_RELEASE);
	pid = __atomic_load_n(&state->active_pid, __ATOMIC_SEQ_CST);
	if (pid != this_space()->pid) {
		sys3(__NR_tgkill, pid, pid, SIG_KICK);
		return;
	}
	state->vm.stats.kicks += si->si_code != SI_TIMER;
	__atomic_store_n(&this_space()->kicked, 1, __ATOMIC_SEQ_CST);
	__atomic_store_n(&state->kicked, 0, __ATOMIC_SEQ_CST);
}

static bool pending(struct plex86_info *info)
{
	return __atomic_load_n(&info->irq_pending, __ATOMIC_SEQ_CST) &
	       info->irq_enabled;
}

/*
 * Looks out for a moment instead of sleeping, while the launcher does so too: to
 * be woken would take longer.  It need not kick us meanwhile.  What it waits for
 * may need this processor, such as a worker of the kernel's that ends a write: so
 * this yields to them, which a process that only runs would not.
 */
static void look_out(struct state *state)
{
	u32 i;

	__atomic_store_n(&state->alert, 1, __ATOMIC_SEQ_CST);
	for (i = 0; i < LOOK_OUT && !pending(state->vm.info) &&
	     !__atomic_load_n(&state->page_wanted, __ATOMIC_SEQ_CST) &&
	     !__atomic_load_n(&this_space()->kicked, __ATOMIC_RELAXED) &&
	     __atomic_load_n(&state->attentive, __ATOMIC_RELAXED); i++) {
		__builtin_ia32_pause();
		if (i % YIELD == YIELD - 1)
			sys3(__NR_sched_yield, 0, 0, 0);
	}
	__atomic_store_n(&state->alert, 0, __ATOMIC_SEQ_CST);
}

/*
 * Sleeps until an enabled interrupt is pending.  A kick sets the word that is
 * slept on, so one that comes before the sleep prevents it.
 */
void host_halt(struct vm *vm)
{
	struct state *state = state_of(vm);
	struct plex86_info *info = vm->info;
	u32 *kicked = &this_space()->kicked;

	for (;;) {
		if (__atomic_load_n(&state->attentive, __ATOMIC_RELAXED))
			look_out(state);
		__atomic_store_n(kicked, 0, __ATOMIC_SEQ_CST);
		clock_fired(state);
		code_release(state);
		if (pending(info))
			return;
		sys6(__NR_futex, (long)kicked, FUTEX_WAIT_PRIVATE, 0, 0, 0, 0);
	}
}
