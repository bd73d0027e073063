// SPDX-License-Identifier: GPL-2.0
/*
 * A guest that does to the queues of a device what the input says, and the rest of
 * the launcher around the device's back end.
 *
 * The input is a list of steps: an opcode, and its arguments. A guest runs while
 * the back end does, so a step that writes to memory and has MEANWHILE in its
 * opcode is taken in the middle of a turn: where the back end copies something, asks
 * for the time, or takes hold of memory. The same input does the same each time.
 *
 * What must hold: the sanitizers' rules, guest RAM being a heap block of its size;
 * no memory of the guest's is written that the back end has no hold of; what it
 * holds it lets go; and no more is completed than was taken.
 */
#include "ring.h"

#define STEPS_MAX	256u
#define MEANWHILE	0x80u

enum action {
	DO_WORK,		/* u8 came: the back end has a turn; see work() */
	DO_WRITE,		/* u16 gpa, u8 bytes, and these */
	DO_PUT32,		/* u16 gpa, u32 */
	DO_SUBMIT,		/* u8 queue, and a submission; see submit() */
	DO_TAKE,		/* u8 queue: all completions are taken */
	DO_QUEUE,		/* u8 queue, u16 gpa, u16 entries: it is set up */
	DO_ACCEPT,		/* u32 features: 32 to 63; u8: 0 to 7 */
	DO_RESET,
	DO_TIME,		/* u32 us */
	DO_EVENT,		/* the target's own */
	DO_DRAIN,
	ACTIONS,
};

struct vm_context ring_vm;
struct input ring_input;
bool ring_turn;

static u8 *ram, *seen;		/* and how it would look without a back end */
static u32 holds[RAM_PAGES_HERE];
static bool held[RAM_PAGES_HERE];	/* since it was compared last */
static u64 now;
static struct device *dev;

/* The rest of the launcher. */

u64 now_ns(void)
{
	ring_interlude();
	return now += 1000;
}

void vm_device_interrupt(struct vm_context *ctx, u32 device)
{
	CHECK("interrupt", ctx == &ring_vm && device < PLEX86_MAX_DEVICES);
}

bool vm_signals(struct vm_context *ctx)
{
	(void)ctx;
	return false;
}

void balance_apart(struct vm_context *ctx, u64 when)
{
	CHECK("apart", ctx == &ring_vm && when <= now);
}

bool vm_hold(void *ctx, u64 gpa, u64 bytes)
{
	u64 page;

	(void)ctx;
	CHECK("hold", gpa <= RAM_HERE && bytes <= RAM_HERE - gpa);
	for (page = gpa / PAGE_SIZE; bytes && page <= (gpa + bytes - 1) / PAGE_SIZE;
	     page++) {
		holds[page]++;
		held[page] = true;
	}
	ring_interlude();
	return true;
}

void vm_release(void *ctx, u64 gpa, u64 bytes)
{
	u64 page;

	(void)ctx;
	CHECK("release", gpa <= RAM_HERE && bytes <= RAM_HERE - gpa);
	for (page = gpa / PAGE_SIZE; bytes && page <= (gpa + bytes - 1) / PAGE_SIZE;
	     page++)
		CHECK("release", holds[page]--);
}

void *__real_memcpy(void *restrict to, const void *restrict from, size_t n);
void *__wrap_memcpy(void *restrict to, const void *restrict from, size_t n);

/* Whoever copies in a turn may read what has just been changed. */
void *__wrap_memcpy(void *restrict to, const void *restrict from, size_t n)
{
	ring_interlude();
	return __real_memcpy(to, from, n);
}

/* The guest. */

/* A step that writes to guest RAM, but for its opcode. */
static void write_memory(u8 step)
{
	u32 gpa = take16(&ring_input), bytes = 4;
	u8 data[256];

	if (step == DO_WRITE)
		bytes = take8(&ring_input);
	take(&ring_input, data, bytes);
	if (bytes > RAM_HERE - gpa)
		bytes = RAM_HERE - gpa;
	memcpy(ram + gpa, data, bytes);
	memcpy(seen + gpa, data, bytes);
}

/*
 * ring_interlude() - the back end is somewhere in its turn: what the guest does now
 */
void ring_interlude(void)
{
	u8 step;

	if (!ring_turn || !ring_input.left || !(*ring_input.at & MEANWHILE))
		return;
	ring_turn = false;
	step = take8(&ring_input) & (u8)~MEANWHILE;
	write_memory(step & 1 ? DO_WRITE : DO_PUT32);
	ring_turn = true;
}

static struct queue *some_queue(void)
{
	return &dev->queue[take8(&ring_input) % QUEUES_MAX];
}

/* Where the guest's end of a queue is, or NULL: it is not set up. */
static u8 *ring_of(struct queue *q)
{
	return q->entries ? (u8 *)q->ring : NULL;
}

static void poke(u8 *at, const void *from, size_t n)
{
	memcpy(at, from, n);
	memcpy(seen + (at - ram), from, n);
}

/*
 * u8 op, u8 flags (bits 0 and 8 of a submission's), u8 segments, u32 arg, u16 arg2,
 * then for each segment (of an indirect list, its own) u16 gpa, u16 bytes.
 */
static void submit(void)
{
	struct queue *q = some_queue();
	u8 op = take8(&ring_input), flags = take8(&ring_input), i;
	struct plex86_sub sub = {
		.op = op, .flags = (u16)((flags & 0xf) | (flags & 0xf0) << 4),
		.segs = take8(&ring_input),
	};
	u8 *at = ring_of(q);
	u32 prod;

	sub.arg = take32(&ring_input);
	sub.arg2 = take16(&ring_input);
	for (i = 0; i < PLEX86_INLINE_SEGS; i++) {
		sub.seg[i].gpa = take16(&ring_input);
		sub.seg[i].bytes = take16(&ring_input);
	}
	if (!at)
		return;
	memcpy(&prod, at + offsetof(struct plex86_queue, sub_prod), sizeof(prod));
	sub.id = prod;
	poke((u8 *)&q->subs[prod % q->entries], &sub, sizeof(sub));
	prod++;
	poke(at + offsetof(struct plex86_queue, sub_prod), &prod, sizeof(prod));
}

static void take_completions(void)
{
	struct queue *q = some_queue();
	u8 *at = ring_of(q);

	if (at)
		poke(at + offsetof(struct plex86_queue, comp_cons), &q->comp_prod,
		     sizeof(q->comp_prod));
}

static struct queue_state *state_of(u32 n)
{
	return &ring_vm.state->queues[dev->number * QUEUES_MAX + n];
}

static void set_queue(void)
{
	u32 n = take8(&ring_input) % QUEUES_MAX;
	u32 gpa = take16(&ring_input), entries = take16(&ring_input);

	/* What the monitor lets pass, as a rule; and anything. */
	if (!(entries & 0x8000)) {
		gpa &= PAGE_MASK;
		entries = 2u << entries % 8;
	}
	*state_of(n) = (struct queue_state){ 1, entries, gpa };
}

static void accept_features(void)
{
	struct plex86_dev *page = device_page(dev);

	page->accepted[1] = take32(&ring_input);
	page->accepted[0] = take8(&ring_input);
}

/* The launcher's part: describes the queues, whose guest RAM is this file's. */
static void describe(void)
{
	const struct plex86_dev *page = device_page(dev);
	u32 n;

	for (n = 0; n < QUEUES_MAX; n++) {
		queue_detach(&dev->queue[n]);
		queue_init(&dev->queue[n], state_of(n), page, ram, RAM_HERE,
			   page->segs);
		dev->queue[n].holder = &dev->holder;
	}
}

/* No memory was written but what is held, or was since the last look. */
static void compare(void)
{
	u32 page;

	for (page = 0; page < RAM_PAGES_HERE; page++) {
		u8 *at = ram + page * PAGE_SIZE, *was = seen + page * PAGE_SIZE;

		if (held[page])
			memcpy(was, at, PAGE_SIZE);
		else
			CHECK(row("page %u", page), !memcmp(at, was, PAGE_SIZE));
		held[page] = holds[page];
	}
}

static void check(void)
{
	u32 n;

	compare();
	for (n = 0; n < QUEUES_MAX; n++) {
		const struct queue *q = &dev->queue[n];

		if (q->entries)
			CHECK(row("queue %u", n),
			      q->sub_cons - q->comp_prod <= 0x10000);
	}
}

/* Of what it waits for, the events in @came are there; and ends and errors. */
static void work(struct waits *waits, u8 came)
{
	u32 i;

	for (i = 0; i < waits->count; i++)
		waits->fds[i].revents = came & (waits->fds[i].events | POLLHUP |
						POLLERR);
	ring_turn = true;
	dev->ops->work(dev, waits);
	device_tell(dev);
	waits_begin(waits);
	if (dev->ops->wait)
		dev->ops->wait(dev, waits);
	ring_turn = false;
	check();
}

static void reset(struct waits *waits, ring_event event)
{
	u32 n, tries;

	/* The other side may have to do something first. */
	for (tries = 0; dev->ops->reset && !dev->ops->reset(dev); tries++) {
		CHECK("reset", tries < 1000);
		event();
		dev->ops->work(dev, waits);
	}
	dev->resetting = false;
	for (n = 0; n < QUEUES_MAX; n++)
		*state_of(n) = (struct queue_state){ 0 };
	describe();
	for (n = 0; n < RAM_PAGES_HERE; n++)
		CHECK_EQ("held after a reset", holds[n], 0);
	compare();
}

/* ring_begin() - a machine for the @bytes of @data, without a device yet */
void ring_begin(const u8 *data, size_t bytes)
{
	static struct state *state;
	u32 n;

	ring_turn = false;
	ring_input = (struct input){ data, bytes };
	now = 1000000000;
	if (!state)
		state = aligned_alloc(PAGE_SIZE, sizeof(*state));
	memset(state->early, 'e', sizeof(state->early));
	memset(state->device_page, 0, sizeof(state->device_page));
	memset(state->queues, 0, sizeof(state->queues));
	state->early_prod = 0;
	state->early_cons = 0;
	memset(&ring_vm, 0, sizeof(ring_vm));
	ring_vm.state = state;
	ram = calloc(1, RAM_HERE);
	seen = calloc(1, RAM_HERE);
	for (n = 0; n < RAM_PAGES_HERE; n++) {
		holds[n] = 0;
		held[n] = false;
	}
}

/*
 * ring_run() - do the input's steps to the device @which
 * @event: the other side does something, as the input says
 */
void ring_run(struct device *which, ring_event event)
{
	struct waits waits = { 0 };
	u32 n;

	dev = which;
	dev->ctx = &ring_vm;
	dev->holder = (struct memory_holder){ vm_hold, vm_release, &ring_vm };
	waits_begin(&waits);
	dev->ops->start(dev, device_page(dev));
	device_page(dev)->features[0] = PLEX86_F_INDIRECT;
	describe();
	for (n = 0; n < STEPS_MAX && ring_input.left; n++) {
		u8 step = (take8(&ring_input) & (u8)~MEANWHILE) % ACTIONS;

		switch (step) {
		case DO_WORK:
			work(&waits, take8(&ring_input));
			break;
		case DO_WRITE:
		case DO_PUT32:
			write_memory(step);
			break;
		case DO_SUBMIT:
			submit();
			break;
		case DO_TAKE:
			take_completions();
			break;
		case DO_QUEUE:
			set_queue();
			break;
		case DO_ACCEPT:
			accept_features();
			break;
		case DO_RESET:
			reset(&waits, event);
			break;
		case DO_TIME:
			now += take32(&ring_input) * 1000ull;
			break;
		case DO_EVENT:
			event();
			check();
			break;
		case DO_DRAIN:
			ring_turn = true;
			if (dev->ops->drain)
				dev->ops->drain(dev);
			ring_turn = false;
			check();
			break;
		}
	}
	work(&waits, 0);
	reset(&waits, event);
	free(waits.fds);
}

/* ring_end() - the device is closed */
void ring_end(void)
{
	free(ram);
	free(seen);
}
