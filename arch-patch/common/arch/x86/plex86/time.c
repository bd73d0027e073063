// SPDX-License-Identifier: GPL-2.0
/*
 * Time: a one-shot clock event, two clocksources, and the wall clock.
 *
 * x86's own TSC clocksource is the better one where the host says that the TSC
 * is constant: user space reads it without a trap, in the vDSO.  Where it is
 * not, the host's monotonic clock is the clocksource, at a HAL call a reading,
 * and the TSC is marked unstable, so that sched_clock() corrects itself by the
 * clocksource at every tick.
 */
#include <linux/clockchips.h>
#include <linux/clocksource.h>
#include <linux/cpufeature.h>
#include <linux/errno.h>
#include <linux/interrupt.h>
#include <linux/ktime.h>
#include <linux/math64.h>
#include <linux/timekeeping.h>
#include <linux/timer.h>
#include <linux/workqueue.h>
#include <asm/plex86_call.h>
#include <asm/tsc.h>
#include <asm/x86_init.h>

#include "plex86.h"

static void plex86_timer_arm(u64 delta_ns)
{
	plex86_call(PLEX86_CALL_TIMER, lower_32_bits(delta_ns),
		    upper_32_bits(delta_ns), 0, 0, 0);
}

/*
 * A ktime, because the cycle count that clock events get is 32 bits wide: an
 * idle guest would wake up every other second for nothing.
 *
 * For such a device the core does not look whether the time has passed.  The
 * periodic tick moves on to the next one only when told -ETIME, and with jiffies
 * as its clock would never leave the present without; whoever must have an
 * interrupt all the same ignores the result, so the timer is armed too.
 */
static int plex86_timer_next(ktime_t expires, struct clock_event_device *ce)
{
	s64 delta_ns = ktime_to_ns(ktime_sub(expires, ktime_get()));

	plex86_timer_arm(max_t(s64, delta_ns, 1));
	return delta_ns > 0 ? 0 : -ETIME;
}

static int plex86_timer_stop(struct clock_event_device *ce)
{
	plex86_call(PLEX86_CALL_TIMER, PLEX86_TIMER_OFF, PLEX86_TIMER_OFF,
		    0, 0, 0);
	return 0;
}

static struct clock_event_device plex86_clock_event = {
	.name			= "plex86",
	.features		= CLOCK_EVT_FEAT_ONESHOT | CLOCK_EVT_FEAT_KTIME,
	.rating			= 300,
	.irq			= PLEX86_IRQ_TIMER,
	.set_next_ktime		= plex86_timer_next,
	.set_state_shutdown	= plex86_timer_stop,
	.set_state_oneshot_stopped = plex86_timer_stop,
};

static irqreturn_t plex86_timer_interrupt(int irq, void *dev_id)
{
	plex86_clock_event.event_handler(&plex86_clock_event);
	return IRQ_HANDLED;
}

static u64 plex86_clocksource_read(struct clocksource *cs)
{
	return plex86_clock(PLEX86_CLOCK_MONOTONIC);
}

/* Below the TSC's 300, and above all else. */
static struct clocksource plex86_clocksource = {
	.name	= "plex86",
	.rating	= 250,
	.read	= plex86_clocksource_read,
	.mask	= CLOCKSOURCE_MASK(64),
	.flags	= CLOCK_SOURCE_IS_CONTINUOUS,
};

static void __init plex86_timer_init(void)
{
	clocksource_register_hz(&plex86_clocksource, NSEC_PER_SEC);
	if (!(plex86_info->host_flags & PLEX86_HOST_TSC))
		mark_tsc_unstable("the host says so");

	plex86_clock_event.cpumask = cpumask_of(0);
	if (request_irq(PLEX86_IRQ_TIMER, plex86_timer_interrupt,
			IRQF_TIMER | IRQF_NOBALANCING, "plex86-timer", NULL))
		panic("plex86: no timer interrupt");
	clockevents_config_and_register(&plex86_clock_event, NSEC_PER_SEC, 1,
					LONG_MAX);
}

/*
 * The rate the host names.  Where it names none, x86 still wants a number, for
 * its delay loops: 1 ms by the host's clock gives it well enough.
 */
static unsigned long plex86_tsc_khz(void)
{
	u64 start_ns, ns, start;

	if (plex86_info->tsc_khz)
		return plex86_info->tsc_khz;

	start_ns = plex86_clock(PLEX86_CLOCK_MONOTONIC);
	start = rdtsc();
	do {
		ns = plex86_clock(PLEX86_CLOCK_MONOTONIC) - start_ns;
	} while (ns < NSEC_PER_MSEC);
	return div64_u64((rdtsc() - start) * USEC_PER_SEC, ns);
}

static void plex86_get_wallclock(struct timespec64 *now)
{
	*now = ns_to_timespec64(plex86_clock(PLEX86_CLOCK_REALTIME));
}

/*
 * The host's clock may be set, and then this one is set to it.  Only that changes
 * the distance between the host's two clocks, so it is looked at now and then.
 * Whoever sets the guest's own keeps what they set until the host's is set.
 */
#define PLEX86_WALL_PERIOD	(2 * HZ)
#define PLEX86_WALL_STEP_NS	(10 * NSEC_PER_MSEC)

static s64 plex86_wall_distance;

/* Returns false if something came between the two readings. */
static bool plex86_read_distance(s64 *distance)
{
	u64 before = plex86_clock(PLEX86_CLOCK_MONOTONIC);

	*distance = plex86_clock(PLEX86_CLOCK_REALTIME) - before;
	return plex86_clock(PLEX86_CLOCK_MONOTONIC) - before < NSEC_PER_MSEC;
}

static void plex86_follow_wallclock(struct work_struct *work)
{
	struct timespec64 now;
	s64 distance, set_ms;
	int err;

	if (plex86_read_distance(&distance) &&
	    abs(distance - plex86_wall_distance) > PLEX86_WALL_STEP_NS) {
		set_ms = div_s64(distance - plex86_wall_distance,
				 NSEC_PER_MSEC);
		plex86_get_wallclock(&now);
		err = do_settimeofday64(&now);
		if (err)
			pr_warn("plex86: the host's clock was set by %lld ms, and this one cannot be: error %d\n",
				set_ms, err);
		else
			pr_info("plex86: the host's clock was set by %lld ms, and so is this one\n",
				set_ms);
		/* A time that is none is not tried again until there is another. */
		plex86_wall_distance = distance;
	}
	schedule_delayed_work(to_delayed_work(work), PLEX86_WALL_PERIOD);
}

/* Nobody sees the clock of an idle guest: it is not woken for that. */
static DECLARE_DEFERRABLE_WORK(plex86_wall_work, plex86_follow_wallclock);

static int __init plex86_wallclock_init(void)
{
	schedule_delayed_work(&plex86_wall_work, PLEX86_WALL_PERIOD);
	return 0;
}
device_initcall(plex86_wallclock_init);

/* The host's clock is the host's. */
static int plex86_set_wallclock(const struct timespec64 *now)
{
	return -ENODEV;
}

void __init plex86_time_init(void)
{
	x86_init.timers.timer_init = plex86_timer_init;
	x86_init.timers.wallclock_init = x86_init_noop;
	x86_platform.calibrate_cpu = plex86_tsc_khz;
	x86_platform.calibrate_tsc = plex86_tsc_khz;
	x86_platform.get_wallclock = plex86_get_wallclock;
	x86_platform.set_wallclock = plex86_set_wallclock;
	/* One that is not exact has the clock set once more, to what it is. */
	plex86_read_distance(&plex86_wall_distance);

	if (plex86_info->host_flags & PLEX86_HOST_TSC) {
		setup_force_cpu_cap(X86_FEATURE_TSC_KNOWN_FREQ);
		setup_force_cpu_cap(X86_FEATURE_TSC_RELIABLE);
		setup_force_cpu_cap(X86_FEATURE_CONSTANT_TSC);
		setup_force_cpu_cap(X86_FEATURE_NONSTOP_TSC);
	}
}
