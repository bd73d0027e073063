// SPDX-License-Identifier: GPL-2.0
/*
 * Time: the clocks are the TSC, whose rate is measured against the PIT; the timer
 * is the PIT, and the day comes from the CMOS clock.
 *
 * Every TSC since 2008 or so keeps its rate; on an older CPU that changes its own,
 * the guest's clock would change with it.
 */
#include "machine.h"
#include "pvi.h"

#define PIT_HZ		1193182u
#define PIT_COUNTER0	0x40
#define PIT_COUNTER2	0x42
#define PIT_CONTROL	0x43
#define PIT_SET0	0x30		/* counter 0, both bytes, mode 0: once */
#define PIT_SET2	0xb0
#define PIT_LATCH2	0x80
#define PIT_MOST	0xffffu
#define PIT_PER_NS	5124677ull	/* ticks a ns, by 2^-32 */
#define PORT_B		0x61
#define PORT_B_GATE2	0x01
#define PORT_B_SPEAKER	0x02
#define PORT_B_OUT2	0x20

#define MEASURE_TICKS	24000u		/* 20 ms */
#define MEASURE_TRIES	40u
#define READ_TRIES	30u
#define AGREE		2000u		/* to one part in so many */

#define NS_PER_S	1000000000ull
#define SHIFT		22		/* of ns_per_tick */
#define TIMER_NEVER	(~0ull)
#define TIMER_FARTHEST	(NS_PER_S * 3600 * 24 * 365)

#define PIC_MASK	1		/* port behind the first */
#define PIC_UNMASKED	0xee		/* all but the timer and COM1 */

/* A moment by both clocks. */
struct moment {
	u64 tsc;
	u32 ticks;		/* of the PIT, since its counter was set */
};

/*
 * Reads both clocks.  An emulator's or hypervisor's thread may lose its processor
 * in between, for long; so of several readings the one counts during which the
 * least time went by.
 */
static struct moment read_both(void)
{
	struct moment best = { 0, 0 };
	u64 least = ~0ull;
	u32 i;

	for (i = 0; i < READ_TRIES; i++) {
		u64 before = rdtsc(), after;
		u32 count;

		outb(PIT_CONTROL, PIT_LATCH2);
		after = rdtsc();
		count = inb(PIT_COUNTER2);
		count |= (u32)inb(PIT_COUNTER2) << 8;
		if (after - before >= least)
			continue;
		least = after - before;
		best.tsc = before + least / 2;
		best.ticks = PIT_MOST - count;
	}
	return best;
}

/* The rate of the TSC in kHz over some 20 ms; 0: they became too many. */
static u32 measure(void)
{
	struct moment start, end;

	outb(PORT_B, (inb(PORT_B) & ~PORT_B_SPEAKER) | PORT_B_GATE2);
	outb(PIT_CONTROL, PIT_SET2);
	outb(PIT_COUNTER2, PIT_MOST & 0xff);
	outb(PIT_COUNTER2, PIT_MOST >> 8);
	start = read_both();
	do {
		end = read_both();
		/* The counter goes round after 55 ms, and says so. */
		if (inb(PORT_B) & PORT_B_OUT2)
			return 0;
	} while (end.ticks - start.ticks < MEASURE_TICKS);
	return (u32)((end.tsc - start.tsc) * PIT_HZ /
		     (end.ticks - start.ticks) / 1000);
}

/* The rate on which two measurements in a row agree, or the last one's. */
static u32 rate(void)
{
	u32 last = 0, khz = 0, i;

	for (i = 0; i < MEASURE_TRIES; i++) {
		u32 now = measure(), difference;

		if (!now)
			continue;
		last = khz;
		khz = now;
		difference = khz > last ? khz - last : last - khz;
		if (difference <= khz / AGREE)
			break;
	}
	return khz;
}

#define CMOS_INDEX	0x70
#define CMOS_NO_NMI	0x80		/* of the index */
#define CMOS_DATA	0x71
#define RTC_D		0x0d		/* has no effect when read */

static u8 cmos(u8 index)
{
	outb(CMOS_INDEX, index | CMOS_NO_NMI);
	return inb(CMOS_DATA);
}

/* The index is followed by an access, as the clock wants it. */
static void allow_nmi(void)
{
	outb(CMOS_INDEX, RTC_D);
	inb(CMOS_DATA);
}

enum { RTC_SECOND, RTC_MINUTE, RTC_HOUR, RTC_DAY, RTC_MONTH, RTC_YEAR, RTC_N };

#define RTC_A		0x0a
#define RTC_A_UPDATE	0x80
#define RTC_B		0x0b
#define RTC_B_24H	0x02
#define RTC_B_BINARY	0x04
#define RTC_PM		0x80
#define RTC_WAIT	100000u

static void read_rtc(u8 *value)
{
	static const u8 index[RTC_N] = { 0, 2, 4, 7, 8, 9 };
	u32 i;

	for (i = 0; i < RTC_WAIT && (cmos(RTC_A) & RTC_A_UPDATE); i++)
		;
	for (i = 0; i < RTC_N; i++)
		value[i] = cmos(index[i]);
}

/* Days since 1970-01-01, in the Gregorian calendar; @month from 1. */
static u32 days(u32 year, u32 month, u32 day)
{
	static const u16 before[] = {
		0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334,
	};
	u32 leaps = year - (month <= 2);

	leaps = leaps / 4 - leaps / 100 + leaps / 400;
	/* 477 leap days were before 1970. */
	return (year - 1970) * 365 + (leaps - 477) + before[month - 1] + day - 1;
}

/* Seconds since 1970 by the CMOS clock, which is taken to be UTC of this century. */
static u64 wall_clock(void)
{
	u8 v[RTC_N], again[RTC_N], b = cmos(RTC_B);
	bool pm;
	u32 i;

	do {
		read_rtc(v);
		read_rtc(again);
	} while (memcmp(v, again, sizeof(v)));
	pm = !(b & RTC_B_24H) && (v[RTC_HOUR] & RTC_PM);
	v[RTC_HOUR] = (u8)(v[RTC_HOUR] & (RTC_PM - 1));
	for (i = 0; i < RTC_N && !(b & RTC_B_BINARY); i++)
		v[i] = (u8)(v[i] / 16 * 10 + v[i] % 16);
	if (!(b & RTC_B_24H))
		v[RTC_HOUR] = (u8)(v[RTC_HOUR] % 12 + (pm ? 12 : 0));
	if (v[RTC_MONTH] < 1 || v[RTC_MONTH] > 12)
		return 0;
	return (u64)days(2000 + v[RTC_YEAR], v[RTC_MONTH], v[RTC_DAY]) * 86400 +
	       v[RTC_HOUR] * 3600u + v[RTC_MINUTE] * 60u + v[RTC_SECOND];
}

static void start_pic(void)
{
	static const u8 words[][2] = {
		{ 0x11, 0x11 },			/* four words follow, cascaded */
		{ IRQ_BASE, IRQ_BASE + 8 },	/* vectors */
		{ 0x04, 0x02 },			/* where */
		{ 0x01, 0x01 },			/* 8086 */
	};
	u32 i;

	for (i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		outb(PIC1 + (i ? PIC_MASK : 0), words[i][0]);
		outb(PIC2 + (i ? PIC_MASK : 0), words[i][1]);
	}
	outb(PIC1 + PIC_MASK, PIC_UNMASKED);
	outb(PIC2 + PIC_MASK, 0xff);
}

/* clock_start() - find out rate and time, set up the interrupt controllers */
void clock_start(void)
{
	host.tsc_khz = rate();
	if (host.tsc_khz < 1000)
		cannot("the TSC counts at %u kHz by the PIT, which no CPU's does",
		       host.tsc_khz);
	host.tsc_start = rdtsc();
	host.ns_per_tick = (u32)((1000000ull << SHIFT) / host.tsc_khz);
	host.wall_start_ns = wall_clock() * NS_PER_S;
	allow_nmi();
	start_pic();
}

static u64 now_ns(void)
{
	u64 ticks = rdtsc() - host.tsc_start;

	return ((ticks & ~0u) * host.ns_per_tick >> SHIFT) +
	       ((ticks >> 32) * host.ns_per_tick << (32 - SHIFT));
}

u64 host_clock(struct vm *vm, u32 which)
{
	(void)vm;
	return now_ns() + (which == PLEX86_CLOCK_REALTIME ? host.wall_start_ns : 0);
}

u64 host_read_tsc(struct vm *vm)
{
	(void)vm;
	return rdtsc();
}

/* Has the PIT go off at the deadline, or as late before it as it can. */
static void arm(void)
{
	u64 now = now_ns(), ticks = 1;

	if (host.deadline_ns > now) {
		u64 ns = host.deadline_ns - now;

		ticks = ns < NS_PER_S ? (ns * PIT_PER_NS >> 32) + 1 : PIT_MOST;
	}
	if (ticks > PIT_MOST)
		ticks = PIT_MOST;
	host.vm.stats.timer_arms++;
	host.armed_ns = host.deadline_ns;
	outb(PIT_CONTROL, PIT_SET0);
	outb(PIT_COUNTER0, (u8)ticks);
	outb(PIT_COUNTER0, (u8)(ticks >> 8));
}

static void raise_timer(void)
{
	host.deadline_ns = 0;
	host.vm.info->irq_pending |= 1u << PLEX86_IRQ_TIMER;
}

/* See vm.h. */
void host_timer(struct vm *vm, u64 ns)
{
	(void)vm;
	host.deadline_ns = 0;
	if (ns == TIMER_NEVER)
		return;
	if (!ns) {
		raise_timer();
		return;
	}
	if (ns > TIMER_FARTHEST)
		ns = TIMER_FARTHEST;
	host.deadline_ns = now_ns() + ns;
	/* One that comes too early finds nothing to do, and costs less. */
	if (!host.armed_ns || host.armed_ns > host.deadline_ns)
		arm();
}

/* clock_tick() - the PIT went off */
void clock_tick(void)
{
	host.vm.stats.timer_signals++;
	host.armed_ns = 0;
	if (!host.deadline_ns)
		return;
	if (now_ns() >= host.deadline_ns)
		raise_timer();
	else
		arm();
}

/* See vm.h. */
void host_halt(struct vm *vm)
{
	while (!(__atomic_load_n(&vm->info->irq_pending, __ATOMIC_RELAXED) &
		 vm->info->irq_enabled))
		wait_for_interrupt();
}
