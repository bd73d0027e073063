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
 * for each other, and to be woken by who gives up the same processor is quick.  So
 * it is while both have much to do, but what they do on two processors is hardly more
 * than one can: on a virtual machine much of that is to wake each other, and a peer
 * of the guest's that runs on this machine may want the other.  With a disk to serve
 * that is busy it keeps out, or the scheduler would have it run where it is woken:
 * there the guest looks out for what it does meanwhile.
 */
#include "launcher.h"

#include <string.h>
#include <unistd.h>

#define NS_PER_MS	1000000ull
#define LOOK_NS		(250 * NS_PER_MS)	/* a pinned VM is looked at so often, */
#define SETTLE_NS	(100 * NS_PER_MS)	/* and is let go for so long */
#define APART_NS	(500 * NS_PER_MS)	/* the launcher may soon have more work */
#define TOGETHER_NS	(4000 * NS_PER_MS)	/* before it is seen what they do apart */

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

/* Adds what process @pid has run and waited to run since it began. */
static void add_times(pid_t pid, struct run_times *t)
{
	char name[32];
	u64 ran, waited;
	FILE *file;

	snprintf(name, sizeof(name), "/proc/%d/schedstat", pid);
	file = fopen(name, "re");
	if (!file)
		return;
	if (fscanf(file, "%" SCNu64 " %" SCNu64, &ran, &waited) == 2) {
		t->ran += ran;
		t->waited += waited;
	}
	fclose(file);
}

static u64 added(u64 last, u64 now)
{
	return now > last ? now - last : 0;
}

/*
 * *@t is what has been added since @last, which becomes @now; that is less when
 * a space has ended.
 */
static void since(struct run_times *last, const struct run_times *now,
		  struct run_times *t)
{
	t->ran = added(last->ran, now->ran);
	t->waited = added(last->waited, now->waited);
	*last = *now;
}

/* What the spaces, and the launcher, did since this was last asked. */
static void times(struct vm_context *ctx, struct run_times *spaces,
		  struct run_times *own)
{
	struct run_times spaces_now = { 0 }, own_now = { 0 };
	u32 i;

	for (i = 0; i < SPACES; i++)
		add_times(ctx->spaces[i], &spaces_now);
	add_times(getpid(), &own_now);
	since(&ctx->balance.spaces, &spaces_now, spaces);
	since(&ctx->balance.own, &own_now, own);
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

	b->apart_ns = now + APART_NS;
	if (b->pinned)
		place_launcher(b, LAUNCHER_APART);
}

static void pin(struct vm_context *ctx)
{
	struct balance *b = &ctx->balance;
	struct run_times spaces, own;
	pid_t pid = (pid_t)__atomic_load_n(&ctx->state->active_pid,
					   __ATOMIC_SEQ_CST);
	int cpu = processor_of(pid ? pid : ctx->spaces[0]);

	b->look_ns = now_ns() + LOOK_NS;
	if (cpu < 0 || cpu >= CPU_SETSIZE)
		return;
	CPU_ZERO(&b->place);
	CPU_SET(cpu, &b->place);
	allow(ctx, &b->place);
	b->pinned = true;
	times(ctx, &spaces, &own);
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

/* Where the launcher shall be, by what was done since the last look. */
static enum launcher_place decide(struct balance *b, const struct run_times *spaces,
				  const struct run_times *own, u64 now)
{
	u64 both = spaces->ran + own->ran;

	if (now < b->apart_ns)
		return b->launcher;
	if (spaces->ran >= LOOK_NS / 8) {
		if (spaces->ran > LOOK_NS / 8 * 7 || own->ran < LOOK_NS / 8)
			return LAUNCHER_FREE;
		if (b->launcher == LAUNCHER_JOINED)
			return both < LOOK_NS / 8 * 7 || now < b->leave_ns ?
				LAUNCHER_JOINED : LAUNCHER_FREE;
		if (both > LOOK_NS / 4 * 5)
			return LAUNCHER_FREE;
	}
	b->leave_ns = now + TOGETHER_NS;
	return LAUNCHER_JOINED;
}

/*
 * balance_work() - to be called now and then
 *
 * Returns in how many ms it wants to be called again; -1: never.
 */
int balance_work(struct vm_context *ctx)
{
	struct balance *b = &ctx->balance;
	struct run_times spaces, own;
	enum launcher_place place;
	u64 now = now_ns(), waited;

	if (!b->on)
		return -1;
	if (now >= b->look_ns && !b->pinned) {
		pin(ctx);
	} else if (now >= b->look_ns) {
		times(ctx, &spaces, &own);
		b->look_ns = now + LOOK_NS;
		place = decide(b, &spaces, &own, now);
		/* For the launcher they may wait. */
		waited = spaces.waited;
		if (place == LAUNCHER_JOINED)
			waited -= own.ran < waited ? own.ran : waited;
		/* A hand-over is a short wait, too. */
		if (waited > spaces.ran / 2 && waited > LOOK_NS / 4) {
			place = LAUNCHER_FREE;
			allow(ctx, &b->allowed);
			b->pinned = false;
			b->look_ns = now + SETTLE_NS;
		}
		place_launcher(b, place);
	}
	return (int)((b->look_ns - now) / NS_PER_MS) + 1;
}
