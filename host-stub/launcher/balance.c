// SPDX-License-Identifier: GPL-2.0
/*
 * Which processor the spaces run on: all on one, because one at a time runs, and
 * waking the next on another processor costs many times what the hand-over does
 * (a pipe round trip in the guest: 95 us against 5 on a virtual machine).
 *
 * Left alone the kernel's scheduler would spread them, and pinned it cannot move
 * them where others want that processor too.  So they are pinned together, and
 * let go for a moment when they had to wait; where the one that runs is found
 * then is their next place.
 *
 * The launcher is with them while they have little to do: then they mostly wait
 * for each other, and to be woken by who gives up the same processor is quick.  With
 * a device to serve that is busy it keeps out, or the scheduler would have it run
 * where it is woken: there the guest looks out for what it does meanwhile.
 */
#include "launcher.h"

#include <string.h>

#define LOOK_MS		250	/* how often a pinned VM is looked at */
#define SETTLE_MS	100	/* how long it is let go */
#define LITTLE		8	/* of a processor's time: one part in so many */
#define APART_MS	500	/* the launcher had work, and may soon have more */
#define NS_PER_MS	1000000ull

static void allow(struct vm_context *ctx, const cpu_set_t *set)
{
	u32 i;

	/* One that fails has ended, or may not: it runs anyway. */
	for (i = 0; i < SPACES; i++)
		if (ctx->spaces[i])
			sched_setaffinity(ctx->spaces[i], sizeof(*set), set);
}

/* The processor that process @pid is on, or was last; -1 if it is gone. */
static int processor_of(pid_t pid)
{
	char name[32], line[1024], *at;
	FILE *file;
	int i, cpu = -1;

	snprintf(name, sizeof(name), "/proc/%d/stat", pid);
	file = fopen(name, "re");
	if (!file)
		return -1;
	/* Field 39, counted from the state behind "(name)", which is 3. */
	if (fgets(line, sizeof(line), file)) {
		at = strrchr(line, ')');
		for (i = 3; at && i <= 39; i++)
			at = strchr(at + 1, ' ');
		if (at)
			cpu = (int)strtol(at, NULL, 10);
	}
	fclose(file);
	return cpu;
}

/* What the spaces have run and waited to run since they began, in ns. */
static void times(struct vm_context *ctx, u64 *ran, u64 *waited)
{
	char name[32];
	u32 i;

	*ran = 0;
	*waited = 0;
	for (i = 0; i < SPACES; i++) {
		u64 run, wait;
		FILE *file;

		snprintf(name, sizeof(name), "/proc/%d/schedstat",
			 ctx->spaces[i]);
		file = fopen(name, "re");
		if (!file)
			continue;
		if (fscanf(file, "%" SCNu64 " %" SCNu64, &run, &wait) == 2) {
			*ran += run;
			*waited += wait;
		}
		fclose(file);
	}
}

static void place_launcher(struct balance *b, enum launcher_place place)
{
	const cpu_set_t *set = &b->allowed;
	cpu_set_t others;

	if (b->launcher == place)
		return;
	if (place == LAUNCHER_JOINED) {
		set = &b->place;
	} else if (place == LAUNCHER_APART) {
		CPU_XOR(&others, &b->allowed, &b->place);
		set = &others;
	}
	if (!sched_setaffinity(0, sizeof(*set), set))
		b->launcher = place;
}

/*
 * balance_apart() - the launcher has work that takes a processor of its own
 * @now: CLOCK_MONOTONIC, ns
 */
void balance_apart(struct vm_context *ctx, u64 now)
{
	struct balance *b = &ctx->balance;

	b->apart_ns = now + APART_MS * NS_PER_MS;
	if (b->pinned)
		place_launcher(b, LAUNCHER_APART);
}

static void pin(struct vm_context *ctx)
{
	struct balance *b = &ctx->balance;
	pid_t pid = (pid_t)__atomic_load_n(&ctx->state->active_pid,
					   __ATOMIC_SEQ_CST);
	int cpu = processor_of(pid ? pid : ctx->spaces[0]);

	if (cpu < 0 || cpu >= CPU_SETSIZE)
		return;
	CPU_ZERO(&b->place);
	CPU_SET(cpu, &b->place);
	allow(ctx, &b->place);
	b->pinned = true;
	times(ctx, &b->ran, &b->waited);
	b->look_ns = now_ns() + LOOK_MS * NS_PER_MS;
}

/* balance_start() - the spaces were just started */
void balance_start(struct vm_context *ctx)
{
	struct balance *b = &ctx->balance;

	place_launcher(b, LAUNCHER_FREE);	/* of an earlier boot */
	memset(b, 0, sizeof(*b));
	if (sched_getaffinity(0, sizeof(b->allowed), &b->allowed) ||
	    CPU_COUNT(&b->allowed) < 2)
		return;
	b->on = true;
	pin(ctx);
}

/*
 * balance_work() - to be called now and then
 *
 * Returns in how many ms it wants to be called again; -1: never.
 */
int balance_work(struct vm_context *ctx)
{
	struct balance *b = &ctx->balance;
	u64 now = now_ns(), ran, waited;

	if (!b->on)
		return -1;
	if (now >= b->look_ns && !b->pinned) {
		pin(ctx);
	} else if (now >= b->look_ns) {
		times(ctx, &ran, &waited);
		ran -= b->ran;
		waited -= b->waited;
		b->ran += ran;
		b->waited += waited;
		b->look_ns = now + LOOK_MS * NS_PER_MS;
		/* A hand-over is a short wait, too. */
		if (waited > ran / 2 && waited > LOOK_MS * NS_PER_MS / 4) {
			place_launcher(b, LAUNCHER_FREE);
			allow(ctx, &b->allowed);
			b->pinned = false;
			b->look_ns = now + SETTLE_MS * NS_PER_MS;
		} else if (now >= b->apart_ns) {
			place_launcher(b, ran < LOOK_MS * NS_PER_MS / LITTLE ?
						LAUNCHER_JOINED : LAUNCHER_FREE);
		}
	}
	return (int)((b->look_ns - now) / NS_PER_MS) + 1;
}
