// SPDX-License-Identifier: GPL-2.0
/*
 * launcher/queue.c: the host's end of a queue against a well-behaved guest and
 * against hostile ones, and plex86_need_event() of abi/plex86.h against what
 * its comment says.
 */
#include "queue.h"
#include "unit.h"

#include <stdlib.h>

#define RAM	(64u << 10)
#define GPA	0x2000u
#define ENTRIES	8u

/* A device whose guest accepted indirect lists. */
static const struct plex86_dev dev = { .accepted = { PLEX86_F_INDIRECT } };

static u8 *ram;
static struct queue_state qs;
static struct queue q;
static struct plex86_queue *ring;
static struct plex86_sub *subs;
static struct plex86_comp *comps;
static struct request *req;	/* on the heap: an overflow is seen */

static void place(u32 entries)
{
	memset(&qs, 0, sizeof(qs));
	qs.gpa = GPA;
	qs.entries = entries;
	qs.ready = 1;
	ring = (struct plex86_queue *)(void *)(ram + GPA);
	subs = (struct plex86_sub *)(void *)(ram + GPA + PLEX86_SUB_OFFSET);
	comps = (struct plex86_comp *)(void *)(subs + entries);
	queue_init(&q, &qs, &dev, ram, RAM, 16);
}

static int setup(void **state)
{
	(void)state;
	ram = calloc(1, RAM);
	req = calloc(1, sizeof(*req));
	place(ENTRIES);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	free(ram);
	free(req);
	return 0;
}

/* Puts @sub into the ring at the guest's index, and moves that on. */
static void submit(const struct plex86_sub *sub)
{
	subs[ring->sub_prod & (ENTRIES - 1)] = *sub;
	ring->sub_prod++;
}

static struct plex86_sub one_segment(u32 id, u64 gpa, u32 bytes)
{
	return (struct plex86_sub){
		.op = 2, .id = id, .segs = 1, .seg = { { gpa, bytes, 0 } },
	};
}

/* The completion made last, and how many there are. */
static const struct plex86_comp *last_comp(void)
{
	return &comps[(ring->comp_prod - 1) & (ENTRIES - 1)];
}

static void not_attached_until_set(void **state)
{
	(void)state;
	qs.ready = 0;
	CHECK_EQ("not set", queue_attach(&q), false);
	CHECK_EQ("not set", queue_wants_interrupt(&q), false);
	qs.ready = 1;
	CHECK_EQ("set", queue_attach(&q), true);
	CHECK_EQ("again", queue_attach(&q), true);
}

/*
 * Where a queue lies is written by the monitor, which a guest may have broken:
 * the launcher must not follow it out of guest RAM.
 */
static void attach_checks_state(void **state)
{
	u32 fits = (RAM - plex86_queue_bytes(16)) & PAGE_MASK;
	const struct {
		u64 gpa;
		u32 entries;
		bool ok;
	} table[] = {
		{ 0, 2, true },
		{ GPA, 8, true },
		{ fits, 16, true },
		{ fits + PAGE_SIZE, 16, false },
		{ RAM, 2, false },
		{ RAM - PAGE_SIZE, 256, false },
		{ 0x100000000, 8, false },
		{ 0xfffffffffffff000, 8, false },
		{ 0x8000000000000000, 8, false },
		{ GPA, 0, false },
		{ GPA, 1, false },
		{ GPA, 7, false },
		{ GPA, 24, false },
		{ GPA, 0x80000000, false },
		{ GPA, 0xffffffff, false },
		{ GPA + 1, 8, false },
		{ GPA + 8, 8, false },
	};
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(table); i++) {
		const char *r = row("gpa %#llx entries %u",
				    (unsigned long long)table[i].gpa,
				    table[i].entries);

		place(ENTRIES);
		qs.gpa = table[i].gpa;
		qs.entries = table[i].entries;
		CHECK_EQ(r, queue_attach(&q), table[i].ok);
		/* What was attached does not move. */
		if (!table[i].ok)
			continue;
		qs.gpa = 0x10000000;
		qs.entries = 0x40000000;
		CHECK_EQ(r, queue_attach(&q), true);
		CHECK_EQ(r, queue_next(&q, req), false);
	}
}

static void good_requests(void **state)
{
	struct plex86_sub sub = {
		.op = 0x1234, .flags = 0x5600, .id = 0x89abcdef,
		.arg = 0x0102030405060708, .arg2 = 0x11223344, .segs = 2,
		.seg = { { 0x3000, 100, 0 }, { 0x5000, 200, 0 } },
	};

	(void)state;
	CHECK_EQ("attach", queue_attach(&q), true);
	CHECK_EQ("empty", queue_next(&q, req), false);
	submit(&sub);
	CHECK_EQ("one", queue_next(&q, req), true);
	CHECK_EQ("one", req->op, 0x1234);
	CHECK_EQ("one", req->flags, 0x5600);
	CHECK_EQ("one", req->id, 0x89abcdef);
	CHECK_EQ("one", req->arg, 0x0102030405060708);
	CHECK_EQ("one", req->arg2, 0x11223344);
	CHECK_EQ("one", req->segs, 2);
	CHECK_EQ("one", req->bytes, 300);
	CHECK("one", req->seg[0].iov_base == ram + 0x3000);
	CHECK_EQ("one", req->seg[0].iov_len, 100);
	CHECK("one", req->seg[1].iov_base == ram + 0x5000);
	CHECK_EQ("one", req->seg[1].iov_len, 200);
	CHECK_EQ("taken", ring->sub_cons, 1);
	CHECK_EQ("none made", ring->comp_prod, 0);
	CHECK_EQ("empty", queue_next(&q, req), false);

	queue_complete(&q, 0x89abcdef, PLEX86_S_NOSPACE, 0x77, 250);
	CHECK_EQ("done", ring->comp_prod, 1);
	CHECK_EQ("done", comps[0].id, 0x89abcdef);
	CHECK_EQ("done", comps[0].status, PLEX86_S_NOSPACE);
	CHECK_EQ("done", comps[0].flags, 0x77);
	CHECK_EQ("done", comps[0].bytes, 250);
	CHECK_EQ("done", comps[0].zero, 0);
}

/* What the host looks at is a copy: the guest may write on. */
static void request_is_a_copy(void **state)
{
	struct plex86_sub sub = one_segment(1, 0x3000, 64);

	(void)state;
	queue_attach(&q);
	submit(&sub);
	CHECK_EQ("copy", queue_next(&q, req), true);
	subs[0].seg[0].gpa = ~0ull;
	subs[0].id = 99;
	CHECK_EQ("copy", req->id, 1);
	CHECK("copy", req->seg[0].iov_base == ram + 0x3000);
}

/* Inline segments; what is malformed is completed as such, and not shown. */
static void segments(void **state)
{
	const struct {
		u32 segs;
		u64 gpa0;
		u32 bytes0;
		u64 gpa1;
		u32 bytes1;
		bool ok;
	} table[] = {
		{ 0, ~0ull, ~0u, ~0ull, ~0u, true },	/* not looked at */
		{ 1, 0, 0, ~0ull, ~0u, true },
		{ 1, 0, RAM, 0, 0, true },
		{ 1, 0, RAM + 1, 0, 0, false },
		{ 1, RAM - 1, 1, 0, 0, true },
		{ 1, RAM - 1, 2, 0, 0, false },
		{ 1, RAM, 0, 0, 0, true },
		{ 1, RAM, 1, 0, 0, false },
		{ 1, RAM + 1, 0, 0, 0, false },
		{ 1, 0x100000000, 16, 0, 0, false },
		{ 1, ~0ull, 1, 0, 0, false },
		{ 1, ~0ull - 15, 32, 0, 0, false },
		{ 1, 0, 0xffffffff, 0, 0, false },
		{ 2, 0, 16, RAM - 16, 16, true },
		{ 2, 0, 16, RAM - 16, 17, false },
		{ 2, 0, RAM, 0, RAM, true },		/* twice the same */
		{ 3, 0, 16, 0, 16, false },		/* there are two */
		{ 16, 0, 16, 0, 16, false },
		{ 17, 0, 16, 0, 16, false },
		{ ~0u, 0, 16, 0, 16, false },
	};
	size_t i;

	(void)state;
	queue_attach(&q);
	for (i = 0; i < ARRAY_SIZE(table); i++) {
		const char *r = row("row %zu", i);
		struct plex86_sub sub = {
			.id = 100 + (u32)i, .segs = table[i].segs,
			.seg = { { table[i].gpa0, table[i].bytes0, 0 },
				 { table[i].gpa1, table[i].bytes1, 0 } },
		};
		u32 comp = ring->comp_prod;

		ring->comp_cons = comp;
		queue_attach(&q);
		submit(&sub);
		CHECK_EQ(r, queue_next(&q, req), table[i].ok);
		CHECK_EQ(r, ring->sub_cons, ring->sub_prod);
		CHECK_EQ(r, ring->comp_prod, comp + !table[i].ok);
		if (table[i].ok) {
			CHECK_EQ(r, req->segs, table[i].segs);
			continue;
		}
		CHECK_EQ(r, last_comp()->id, 100 + i);
		CHECK_EQ(r, last_comp()->status, PLEX86_S_BADREQ);
		CHECK_EQ(r, last_comp()->bytes, 0);
	}
}

/* A bad request between two good ones costs neither. */
static void bad_between_good(void **state)
{
	struct plex86_sub sub;

	(void)state;
	queue_attach(&q);
	sub = one_segment(1, 0, 16);
	submit(&sub);
	sub = one_segment(2, RAM, 16);
	submit(&sub);
	submit(&sub);
	sub = one_segment(3, 16, 16);
	submit(&sub);
	CHECK_EQ("first", queue_next(&q, req), true);
	CHECK_EQ("first", req->id, 1);
	CHECK_EQ("second", queue_next(&q, req), true);
	CHECK_EQ("second", req->id, 3);
	CHECK_EQ("second", req->segs, 1);
	CHECK_EQ("second", req->bytes, 16);
	CHECK_EQ("bad", ring->comp_prod, 2);
	CHECK_EQ("bad", comps[1].id, 2);
}

static void indirect_lists(void **state)
{
	const struct {
		u32 segs;
		u64 gpa;
		u32 bytes;
		u32 max;
		bool ok;
	} table[] = {
		{ 0, 0x4000, 0, 16, true },
		{ 1, 0x4000, 16, 16, true },
		{ 3, 0x4000, 48, 16, true },
		{ 3, 0x4000, 4096, 16, true },		/* room for more */
		{ 3, 0x4000, 47, 16, false },		/* room for less */
		{ 16, 0x4000, 256, 16, true },
		{ 17, 0x4000, 272, 16, false },		/* above the device's */
		{ 17, 0x4000, 272, 17, true },
		{ QUEUE_SEGS_MAX, 0x4000, 4096, 1000, true },
		{ QUEUE_SEGS_MAX + 1, 0x4000, 8192, 1000, false },
		{ 0x10000001, 0x4000, 16, 1000, false },	/* * 16 wraps */
		{ 0xffffffff, 0x4000, ~0u, 1000, false },
		{ 3, RAM - 48, 48, 16, true },
		{ 3, RAM - 47, 48, 16, false },
		{ 3, RAM, 48, 16, false },
		{ 3, 0x100004000, 48, 16, false },
		{ 3, ~0ull - 15, 48, 16, false },
		{ 2, 0x4004, 32, 16, true },		/* no alignment asked */
	};
	size_t i;
	u32 j;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(table); i++) {
		const char *r = row("row %zu", i);
		struct plex86_sub sub = {
			.flags = PLEX86_SUB_INDIRECT, .id = 7,
			.segs = table[i].segs,
			.seg = { { table[i].gpa, table[i].bytes, 0 } },
		};
		u64 at = table[i].gpa;

		memset(ram, 0, RAM);
		place(ENTRIES);
		queue_init(&q, &qs, &dev, ram, RAM, table[i].max);
		queue_attach(&q);
		for (j = 0; j < table[i].segs && j < 256 && at < RAM &&
		     at + 16 * j + 16 <= RAM; j++) {
			struct plex86_seg seg = { 0x100 * j, j + 1, 0 };

			memcpy(ram + at + 16 * j, &seg, sizeof(seg));
		}
		submit(&sub);
		CHECK_EQ(r, queue_next(&q, req), table[i].ok);
		if (!table[i].ok) {
			CHECK_EQ(r, last_comp()->status, PLEX86_S_BADREQ);
			continue;
		}
		CHECK_EQ(r, req->segs, table[i].segs);
		for (j = 0; j < req->segs; j++) {
			CHECK(r, req->seg[j].iov_base == ram + 0x100 * j);
			CHECK_EQ(r, req->seg[j].iov_len, j + 1);
		}
		CHECK_EQ(r, req->bytes, req->segs * (req->segs + 1) / 2);
	}
}

/* Segments of a list are checked one by one, and their sum must not wrap. */
static void indirect_segments(void **state)
{
	struct plex86_sub sub = {
		.flags = PLEX86_SUB_INDIRECT, .segs = 2,
		.seg = { { 0x4000, 64, 0 } },
	};
	struct plex86_seg list[2] = { { 0, 16, 0 }, { RAM - 15, 16, 0 } };
	u64 big = 5ull << 30;

	(void)state;
	queue_attach(&q);
	memcpy(ram + 0x4000, list, sizeof(list));
	submit(&sub);
	CHECK_EQ("outside", queue_next(&q, req), false);
	CHECK_EQ("outside", last_comp()->status, PLEX86_S_BADREQ);

	/* Only with more RAM than a guest can have does the sum wrap. */
	list[0].bytes = 0x80000000;
	list[1] = (struct plex86_seg){ 0, 0x80000000, 0 };
	memcpy(ram + 0x4000, list, sizeof(list));
	queue_init(&q, &qs, &dev, ram, big, 16);
	CHECK_EQ("attach", queue_attach(&q), true);
	ring->sub_cons = 0;
	ring->sub_prod = 0;
	ring->comp_cons = 0;
	submit(&sub);
	CHECK_EQ("wrap", queue_next(&q, req), false);
	CHECK_EQ("wrap", last_comp()->status, PLEX86_S_BADREQ);
}

/* Free-running indices pass 2^32 without a seam. */
static void index_wrap(void **state)
{
	u32 start = 0xfffffff0, i, n;

	(void)state;
	queue_attach(&q);
	q.sub_cons = q.comp_prod = q.comp_told = start;
	ring->sub_prod = ring->sub_cons = ring->comp_prod = start;
	ring->comp_cons = ring->comp_event = start;
	for (i = 0; i < 64; i++) {
		u32 batch = 1 + i % ENTRIES;

		queue_attach(&q);
		for (n = 0; n < batch; n++) {
			struct plex86_sub sub = one_segment(i * 16 + n, n, 1);

			submit(&sub);
		}
		for (n = 0; n < batch; n++) {
			CHECK_EQ(row("batch %u", i), queue_next(&q, req), true);
			CHECK_EQ(row("batch %u", i), req->id, i * 16 + n);
			queue_complete(&q, req->id, 0, 0, 0);
			CHECK_EQ(row("batch %u", i), last_comp()->id,
				 i * 16 + n);
		}
		CHECK_EQ(row("batch %u", i), queue_next(&q, req), false);
		CHECK_EQ(row("batch %u", i), ring->sub_event, ring->sub_prod);
		ring->comp_event = ring->comp_prod - 1;
		CHECK_EQ(row("batch %u", i), queue_wants_interrupt(&q), true);
		ring->comp_cons = ring->comp_prod;
	}
	CHECK("wrapped", ring->sub_prod < start);
	CHECK_EQ("sound", queue_attach(&q), true);
}

/* An index that claims more than the ring holds breaks the queue for good. */
static void hostile_prod(void **state)
{
	static const struct {
		u32 start, jump;
		bool ok;
	} table[] = {
		{ 0, ENTRIES, true },
		{ 0, ENTRIES + 1, false },
		{ 0, 0x7fffffff, false },
		{ 0, 0x80000000, false },
		{ 0, 0xffffffff, false },		/* back by one */
		{ 5, 0xfffffffb, false },
		{ 0xfffffffc, ENTRIES, true },
		{ 0xfffffffc, ENTRIES + 1, false },
		{ 0xfffffffc, 0x80000000, false },
	};
	size_t i;
	u32 n;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(table); i++) {
		const char *r = row("%#x + %#x", table[i].start, table[i].jump);

		memset(ram, 0, RAM);
		place(ENTRIES);
		queue_attach(&q);
		q.sub_cons = table[i].start;
		ring->sub_prod = table[i].start + table[i].jump;
		for (n = 0; queue_next(&q, req); n++)
			CHECK(r, n < ENTRIES);
		CHECK_EQ(r, n, table[i].ok ? ENTRIES : 0);
		CHECK_EQ(r, queue_attach(&q), table[i].ok);
		if (table[i].ok)
			continue;
		/* Taking it back does not mend it. */
		ring->sub_prod = table[i].start;
		CHECK_EQ(r, queue_attach(&q), false);
	}
}

static void completion_overflow(void **state)
{
	static const u32 hostile[] = { 1, 2, 0x7fffffff, 0x80000000 };
	size_t i;
	u32 n;

	(void)state;
	queue_attach(&q);
	for (n = 0; n < ENTRIES; n++)
		queue_complete(&q, n, 0, 0, 0);
	CHECK_EQ("full", queue_attach(&q), true);
	CHECK_EQ("full", ring->comp_prod, ENTRIES);
	queue_complete(&q, 77, 0, 0, 0);
	CHECK_EQ("over", queue_attach(&q), false);
	CHECK_EQ("over", ring->comp_prod, ENTRIES);
	CHECK_EQ("over", comps[0].id, 0);
	/* A guest that claims to have taken what was not made. */
	for (i = 0; i < ARRAY_SIZE(hostile); i++) {
		const char *r = row("cons %#x", hostile[i]);

		memset(ram, 0, RAM);
		place(ENTRIES);
		queue_attach(&q);
		ring->comp_cons = hostile[i];
		queue_complete(&q, 77, 0, 0, 0);
		CHECK_EQ(r, queue_attach(&q), false);
		CHECK_EQ(r, ring->comp_prod, 0);
	}
}

/* A broken queue gives nothing more, and nothing more is put into it. */
static void broken_is_left_alone(void **state)
{
	struct plex86_sub sub;
	u32 n;

	(void)state;
	queue_attach(&q);
	for (n = 0; n < ENTRIES; n++)
		queue_complete(&q, n, 0, 0, 0);
	/* No room for the BADREQ of the first; the second is good. */
	sub = one_segment(1, RAM, 16);
	submit(&sub);
	sub = one_segment(2, 0, 16);
	submit(&sub);
	CHECK_EQ("next", queue_next(&q, req), false);
	CHECK_EQ("next", queue_attach(&q), false);
	CHECK_EQ("next", ring->comp_prod, ENTRIES);
	/* What was under way when it broke, though there is room by now. */
	ring->comp_cons = ring->comp_prod;
	queue_complete(&q, 77, PLEX86_S_OK, 0, 0);
	CHECK_EQ("under way", ring->comp_prod, ENTRIES);
	CHECK_EQ("under way", queue_wants_interrupt(&q), false);
}

/* The doorbell is asked for once the queue is seen empty, not before. */
static void sub_event(void **state)
{
	struct plex86_sub sub = one_segment(1, 0, 1);

	(void)state;
	queue_attach(&q);
	ring->sub_event = 0x55;
	submit(&sub);
	submit(&sub);
	queue_next(&q, req);
	CHECK_EQ("more", ring->sub_event, 0x55);
	queue_next(&q, req);
	queue_next(&q, req);
	CHECK_EQ("empty", ring->sub_event, 2);
	CHECK_EQ("rings", plex86_need_event(ring->sub_event, 3, 2), 1);
}

static void interrupt_suppression(void **state)
{
	static const struct {
		u32 event, completions;
		bool wanted;
	} table[] = {
		{ 0, 1, true },		/* tell me of the first */
		{ 1, 1, false },
		{ 1, 2, true },
		{ 3, 2, false },
		{ 0xffffffff, 2, false },
		{ 0x80000000, 8, false },
		{ 7, 8, true },
	};
	size_t i;
	u32 n;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(table); i++) {
		const char *r = row("row %zu", i);

		memset(ram, 0, RAM);
		place(ENTRIES);
		queue_attach(&q);
		ring->comp_event = table[i].event;
		CHECK_EQ(r, queue_wants_interrupt(&q), false);
		for (n = 0; n < table[i].completions; n++)
			queue_complete(&q, n, 0, 0, 0);
		CHECK_EQ(r, queue_wants_interrupt(&q), table[i].wanted);
		/* Said once. */
		CHECK_EQ(r, queue_wants_interrupt(&q), false);
	}
}

/*
 * plex86_need_event() by its comment: the entries from @old to @new - 1 were
 * added; is @event among them?  Every small case, around several places.
 */
static void need_event_model(void **state)
{
	static const u32 bases[] = {
		0, 1, 100, 0x7ffffff0, 0x80000000, 0xffffffe0, 0xffffffff,
	};
	size_t b;
	u32 n, k;
	s32 e;

	(void)state;
	for (b = 0; b < ARRAY_SIZE(bases); b++)
	for (n = 0; n <= 40; n++)
	for (e = -50; e <= 50; e++) {
		u32 old = bases[b], event = old + (u32)e;
		bool among = false;

		for (k = 0; k < n; k++)
			among |= old + k == event;
		CHECK_EQ(row("old %#x new +%u event %+d", old, n, e),
			 plex86_need_event(event, old + n, old), among);
	}
}

/* No submission is slept over: whoever waits was promised a ring. */
static void no_lost_doorbell(void **state)
{
	u64 seed = 0x13198a2e03707344;
	u32 i, rung = 1;

	(void)state;
	queue_attach(&q);
	q.sub_cons = 0xffffff00;
	ring->sub_prod = 0xffffff00;
	for (i = 0; i < 100000; i++) {
		u32 r = random32(&seed), old = ring->sub_prod, n;

		if (r & 1) {
			n = r >> 8 & 7;
			if (ring->sub_prod + n - q.sub_cons > ENTRIES)
				n = 0;
			memset(subs, 0, ENTRIES * sizeof(*subs));
			ring->sub_prod += n;
			rung |= plex86_need_event(ring->sub_event,
						  ring->sub_prod, old) != 0;
		} else if (rung) {
			queue_attach(&q);
			while (queue_next(&q, req))
				;
			rung = queue_unfinished(&q);
		}
		CHECK(row("step %u", i), rung || q.sub_cons == ring->sub_prod);
	}
}

/* A guest that writes anything anywhere in its ring, at any time. */
static void hostile_fuzz(void **state)
{
	static const u32 gpas[] = {
		0, GPA, 0x4000, RAM - 1, RAM, RAM + 1, 0x7fffffff, ~0u,
	};
	u64 seed = 0xa4093822299f31d0;
	u32 round, i, shown = 0, broken = 0, bad = 0;

	(void)state;
	for (round = 0; round < 20000; round++) {
		u32 entries = 2u << random32(&seed) % 6;

		place(entries);
		queue_init(&q, &qs, &dev, ram, RAM, random32(&seed) % 300);
		memset(ring, 0, sizeof(*ring));
		for (i = 0; i < 24; i++) {
			struct plex86_sub *s = &subs[random32(&seed) % entries];
			u32 r = random32(&seed);

			s->op = (u16)random32(&seed);
			s->flags = (u16)(random32(&seed) & 3);
			s->segs = r & 3 ? r >> 8 & 3 : r & 4 ? r >> 8 : r >> 24;
			s->seg[0].gpa = gpas[r >> 4 & 7];
			s->seg[0].bytes = r & 8 ? random32(&seed) & 0x1fff :
						  random32(&seed);
			s->seg[1].gpa = (u64)random32(&seed) << (r & 16);
			s->seg[1].bytes = random32(&seed) & 0xffff;
			if ((r & 0xff) == 0xff)
				ring->sub_prod = random32(&seed);
			else
				ring->sub_prod += r >> 28 & 1;
			if ((r & 0xff00) == 0xff00)
				ring->comp_cons = random32(&seed);
			else if (r & 0x10000)
				ring->comp_cons = ring->comp_prod;
			ring->comp_event = random32(&seed);
			if (!queue_attach(&q))
				continue;
			if (queue_next(&q, req)) {
				u32 j, sum = 0;

				shown++;
				CHECK("segs", req->segs <= q.segs_max);
				for (j = 0; j < req->segs; j++) {
					u64 at = (u64)((u8 *)req->seg[j].iov_base -
						       ram);

					CHECK("seg", at <= RAM &&
					      req->seg[j].iov_len <= RAM - at);
					sum += (u32)req->seg[j].iov_len;
				}
				CHECK_EQ("bytes", req->bytes, sum);
				queue_complete(&q, req->id, 0, 0, 0);
			}
			queue_wants_interrupt(&q);
		}
		bad += q.comp_prod;
		broken += q.broken;
	}
	CHECK("mix", shown > 1000 && broken > 1000 && bad > shown + 1000);
}

/* Common flags: INDIRECT where it was accepted, no other ever. */
static void common_flags(void **state)
{
	static const struct plex86_dev plain;
	static const struct {
		u16 flags;
		bool accepted;
		int status;		/* -1: the request is shown */
		u16 shown;
	} table[] = {
		{ 0, true, -1, 0 },
		{ 0x8100, true, -1, 0x8100 },
		{ PLEX86_SUB_INDIRECT | 0x200, true, -1, 0x200 },
		{ PLEX86_SUB_INDIRECT, false, PLEX86_S_BADREQ, 0 },
		{ 0x2, true, PLEX86_S_UNSUPPORTED, 0 },
		{ 0x80 | PLEX86_SUB_INDIRECT, true, PLEX86_S_UNSUPPORTED, 0 },
	};
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(table); i++) {
		const char *r = row("row %zu", i);
		struct plex86_sub sub = {
			.id = (u32)i, .flags = table[i].flags,
			.seg = { { 0x1000, 64, 0 } },
		};

		memset(ram, 0, RAM);
		queue_init(&q, &qs, table[i].accepted ? &dev : &plain, ram, RAM,
			   16);
		queue_attach(&q);
		submit(&sub);
		CHECK_EQ(r, queue_next(&q, req), table[i].status < 0);
		CHECK_EQ(r, ring->comp_prod, table[i].status >= 0);
		if (table[i].status < 0)
			CHECK_EQ(r, req->flags, table[i].shown);
		else
			CHECK_EQ(r, last_comp()->status, table[i].status);
	}
}

/* A holder that counts, page by page, and refuses to hold @refuse_page. */
static struct {
	u32 count[RAM / PAGE_SIZE + 1];
	u32 refuse_page;
	u32 calls;
} holds;

static bool hold_or_release(u64 gpa, u64 bytes, bool on)
{
	u64 page, end = (gpa + bytes + PAGE_SIZE - 1) / PAGE_SIZE;

	CHECK("held", gpa <= RAM && bytes <= RAM - gpa);
	for (page = gpa / PAGE_SIZE; on && page < end; page++)
		if (page == holds.refuse_page)
			return false;
	for (page = gpa / PAGE_SIZE; page < end; page++) {
		if (!on)
			CHECK("released", holds.count[page]);
		holds.count[page] += on ? 1 : ~0u;
	}
	return true;
}

static bool fake_hold(void *context, u64 gpa, u64 bytes)
{
	CHECK("context", context == &holds);
	holds.calls++;
	return hold_or_release(gpa, bytes, true);
}

static void fake_release(void *context, u64 gpa, u64 bytes)
{
	CHECK("context", context == &holds);
	hold_or_release(gpa, bytes, false);
}

static const struct memory_holder holder = {
	fake_hold, fake_release, &holds,
};

static void place_held(u32 refuse_page)
{
	memset(&holds, 0, sizeof(holds));
	holds.refuse_page = refuse_page;
	memset(ram, 0, RAM);
	place(ENTRIES);
	q.holder = &holder;
}

/* @text has a digit a page: how often it is held. */
static void check_held(const char *r, const char *text)
{
	u32 i;

	for (i = 0; i < RAM / PAGE_SIZE; i++)
		CHECK_EQ(row("%s: page %u", r, i), holds.count[i],
			 text[i] ? text[i] - '0' : 0);
}

/* The ring is held from when it is attached to when it is detached. */
static void ring_is_held(void **state)
{
	(void)state;
	place_held(~0u);
	qs.ready = 0;
	CHECK_EQ("not set", queue_attach(&q), false);
	queue_detach(&q);
	CHECK_EQ("not set", holds.calls, 0);
	qs.ready = 1;
	CHECK_EQ("set", queue_attach(&q), true);
	CHECK_EQ("set", queue_attach(&q), true);
	check_held("attached", "0010000000000000");
	CHECK_EQ("once", holds.calls, 1);
	/* What the guest says of it now does not matter. */
	qs.gpa = 0x4000;
	qs.entries = 2;
	queue_detach(&q);
	check_held("detached", "0000000000000000");
	queue_detach(&q);
	check_held("again", "0000000000000000");
	CHECK_EQ("moved", queue_attach(&q), true);
	check_held("moved", "0000100000000000");
	queue_detach(&q);

	/* A broken one too, and one of several pages. */
	place_held(~0u);
	qs.entries = 256;
	CHECK_EQ("large", queue_attach(&q), true);
	CHECK("large", holds.count[GPA / PAGE_SIZE + 1] == 1 &&
	      holds.count[(GPA + plex86_queue_bytes(256) - 1) / PAGE_SIZE] == 1);
	ring->sub_prod = 1000;
	CHECK_EQ("broken", queue_next(&q, req), false);
	CHECK_EQ("broken", queue_attach(&q), false);
	queue_detach(&q);
	check_held("broken", "0000000000000000");
}

/* What cannot be held is not attached, nor written; later it may be. */
static void ring_refused(void **state)
{
	u8 *copy = malloc(RAM);

	(void)state;
	place_held(GPA / PAGE_SIZE);
	memcpy(copy, ram, RAM);
	CHECK_EQ("refused", queue_attach(&q), false);
	CHECK_EQ("refused", queue_wants_interrupt(&q), false);
	check_held("refused", "0000000000000000");
	CHECK_MEM("refused", ram, copy, RAM);
	queue_detach(&q);
	check_held("refused", "0000000000000000");
	holds.refuse_page = ~0u;
	CHECK_EQ("granted", queue_attach(&q), true);
	check_held("granted", "0010000000000000");
	free(copy);
}

/* Segments are held from queue_hold() to queue_release(), all or none. */
static void segments_held(void **state)
{
	static const struct {
		struct plex86_seg seg[4];
		u32 segs;
		const char *held;	/* the ring's page 2 too */
		u32 refuse;
	} table[] = {
		{ { { 0x4000, 100, 0 } }, 1, "0010100000000000", 4 },
		{ { { 0x4fff, 2, 0 } }, 1, "0010110000000000", 5 },
		{ { { 0x4000, 0x1000, 0 } }, 1, "0010100000000000", 4 },
		{ { { 0x4000, 0x1001, 0 } }, 1, "0010110000000000", 5 },
		{ { { 0x4000, 0, 0 } }, 1, "0010000000000000", ~0u },
		{ { { RAM, 0, 0 } }, 1, "0010000000000000", ~0u },
		{ { { RAM - 1, 1, 0 } }, 1, "0010000000000001", 15 },
		{ { { 0, RAM, 0 } }, 1, "1121111111111111", 15 },
		{ { { 0x4000, 8, 0 }, { 0x4800, 8, 0 } }, 2,
		  "0010200000000000", 4 },
		{ { { 0x4000, 8, 0 }, { 0x6000, 8, 0 }, { 0x4000, 0x3000, 0 } },
		  3, "0010212000000000", 5 },
		{ { { 0x5000, 8, 0 }, { 0x4000, 8, 0 }, { 0x6000, 8, 0 },
		    { 0xf000, 8, 0 } }, 4, "0010111000000001", 15 },
		{ { { 0, 0, 0 } }, 0, "0010000000000000", ~0u },
	};
	u32 i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(table); i++) {
		const char *r = row("row %u", i);
		struct plex86_sub sub = {
			.flags = PLEX86_SUB_INDIRECT, .segs = (u16)table[i].segs,
			.seg = { { 0xe000, sizeof(table[i].seg), 0 } },
		};
		u32 n;

		place_held(~0u);
		memcpy(ram + 0xe000, table[i].seg, sizeof(table[i].seg));
		queue_attach(&q);
		submit(&sub);
		CHECK_EQ(r, queue_next(&q, req), true);
		/* It is the back end's to know when it writes. */
		check_held(r, "0010000000000000");
		for (n = 0; n < 3; n++) {
			CHECK_EQ(r, queue_hold(&q, req), true);
			check_held(r, table[i].held);
			queue_release(&q, req);
			check_held(r, "0010000000000000");
		}
		CHECK_EQ(r, queue_attach(&q), true);

		/* The same, where the last page is not to be had. */
		holds.refuse_page = table[i].refuse;
		if (holds.refuse_page == ~0u)
			continue;
		CHECK_EQ(r, queue_hold(&q, req), false);
		check_held(r, "0010000000000000");
		CHECK_EQ(r, queue_attach(&q), false);
		queue_detach(&q);
		check_held(r, "0000000000000000");
	}
}

/* Looking without taking; and a guest that need not ring, until it must again. */
static void pending_and_quiet(void **state)
{
	struct plex86_sub sub = one_segment(1, 0x4000, 16);
	u32 i, old;

	(void)state;
	CHECK_EQ("not set", queue_pending(&q), false);
	queue_quiet(&q);
	queue_attach(&q);
	CHECK_EQ("empty", queue_pending(&q), false);
	for (i = 0; i < 3 * ENTRIES; i++) {
		const char *r = row("request %u", i);

		queue_attach(&q);
		CHECK_EQ(r, queue_next(&q, req), false);
		queue_quiet(&q);
		old = ring->sub_prod;
		submit(&sub);
		CHECK_EQ(r, queue_pending(&q), true);
		CHECK_EQ(r, plex86_need_event(ring->sub_event, ring->sub_prod,
					      old), false);
		CHECK_EQ(r, queue_next(&q, req), true);
		CHECK_EQ(r, queue_pending(&q), false);
		queue_complete(&q, req->id, PLEX86_S_OK, 0, 0);
		ring->comp_cons = ring->comp_prod;
	}
	CHECK_EQ("empty", queue_next(&q, req), false);
	CHECK_EQ("rings again", plex86_need_event(ring->sub_event,
						  ring->sub_prod + 1,
						  ring->sub_prod), true);
	ring->sub_prod += 1000;
	CHECK_EQ("broken", queue_next(&q, req), false);
	CHECK_EQ("broken", queue_pending(&q), false);
	old = ring->sub_event;
	queue_quiet(&q);
	CHECK_EQ("left alone", ring->sub_event, old);
}

/* A guest that makes them as fast as they are taken: good ones, and bad ones. */
static void turn_ends(void **state)
{
	struct plex86_sub good = one_segment(1, 0, 16);
	struct plex86_sub bad = one_segment(2, RAM, 16);
	u32 n, i;

	(void)state;
	queue_attach(&q);
	for (i = 0; i < ENTRIES; i++)
		submit(&good);
	CHECK_EQ("before", queue_unfinished(&q), false);
	for (n = 0; queue_next(&q, req); n++) {
		CHECK("good", n < ENTRIES);
		queue_complete(&q, req->id, PLEX86_S_OK, 0, 0);
		ring->comp_cons = ring->comp_prod;
		submit(&good);
	}
	CHECK_EQ("good", n, ENTRIES);
	CHECK_EQ("good", queue_unfinished(&q), true);
	/* What is left is taken without a ring: none is asked for. */
	CHECK_EQ("no ring", ring->sub_event, 0);

	memset(ram, 0, RAM);
	place(ENTRIES);
	queue_attach(&q);
	submit(&good);
	CHECK_EQ("one", queue_next(&q, req), true);
	for (i = 0; i < ENTRIES; i++)
		submit(&bad);
	CHECK_EQ("bad", queue_next(&q, req), false);
	CHECK_EQ("bad", ring->sub_cons, ENTRIES);
	CHECK_EQ("bad", queue_unfinished(&q), true);
	queue_attach(&q);
	CHECK_EQ("next turn", queue_next(&q, req), false);
	CHECK_EQ("next turn", ring->sub_cons, ENTRIES + 1);
	CHECK_EQ("next turn", ring->sub_event, ENTRIES + 1);
	CHECK_EQ("next turn", queue_unfinished(&q), false);
}

/* Without a holder there is nothing to hold. */
static void no_holder(void **state)
{
	struct plex86_sub sub = one_segment(1, 0x4000, 16);

	(void)state;
	memset(&holds, 0, sizeof(holds));
	queue_attach(&q);
	submit(&sub);
	CHECK_EQ("next", queue_next(&q, req), true);
	CHECK_EQ("hold", queue_hold(&q, req), true);
	queue_release(&q, req);
	queue_detach(&q);
	CHECK_EQ("calls", holds.calls, 0);
	CHECK_EQ("again", queue_attach(&q), true);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(common_flags), TEST(not_attached_until_set), TEST(attach_checks_state),
		TEST(good_requests), TEST(request_is_a_copy), TEST(segments),
		TEST(bad_between_good), TEST(indirect_lists),
		TEST(indirect_segments), TEST(index_wrap), TEST(hostile_prod),
		TEST(completion_overflow), TEST(broken_is_left_alone),
		TEST(sub_event),
		TEST(interrupt_suppression), TEST(need_event_model),
		TEST(no_lost_doorbell), TEST(hostile_fuzz),
		TEST(ring_is_held), TEST(ring_refused), TEST(segments_held),
		TEST(no_holder), TEST(pending_and_quiet), TEST(turn_ends),
	};

	return RUN_TESTS("queue", tests, NULL, NULL);
}
