// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit tests of the guest's half of the rings, and of reading a configuration.
 *
 * The device is one of the test's own: a page of memory, whose queue the test
 * serves as a host would, rightly or not.  No host knows of it, so a doorbell is
 * never rung here: of a kick only the first half is called.
 */
#include <kunit/test.h>
#include <linux/string.h>
#include <asm/plex86_bus.h>
#include <asm/plex86_ring.h>

#include "plex86.h"

#define ENTRIES		8
#define NO_DEVICE	(PLEX86_MAX_DEVICES - 1)	/* nowhere a device */

struct ring_test {
	struct plex86_device pdev;
	struct plex86_dev *page;
	struct plex86_ring ring;
	struct plex86_seg segs[PLEX86_INLINE_SEGS + 1];
	char token[4 * ENTRIES];	/* their addresses are tokens */
};

static int ring_test_init(struct kunit *test)
{
	struct ring_test *t = kunit_kzalloc(test, sizeof(*t), GFP_KERNEL);

	if (!t)
		return -ENOMEM;
	t->page = kunit_kzalloc(test, PAGE_SIZE, GFP_KERNEL);
	if (!t->page)
		return -ENOMEM;
	t->page->magic = PLEX86_DEV_MAGIC;
	t->page->queues = 1;
	t->page->queue_entries = ENTRIES;
	t->page->segs = PLEX86_INLINE_SEGS;
	t->pdev.page = t->page;
	t->pdev.index = NO_DEVICE;
	t->pdev.dev.init_name = "ring-test";
	test->priv = t;
	return plex86_ring_alloc(&t->ring, &t->pdev, 0, ENTRIES);
}

static void ring_test_exit(struct kunit *test)
{
	struct ring_test *t = test->priv;

	if (!t || !t->ring.shared)
		return;
	while (plex86_ring_take_back(&t->ring))
		;
	plex86_ring_free(&t->ring);
}

/*
 * The host's part.
 */

static struct plex86_comp *ring_test_comp(struct ring_test *t, u32 index)
{
	return (struct plex86_comp *)&t->ring.comp[index % t->ring.entries];
}

static void ring_test_complete(struct ring_test *t, u32 id, u16 status, u32 bytes)
{
	struct plex86_comp *comp = ring_test_comp(t, t->ring.shared->comp_prod);

	comp->id = id;
	comp->status = status;
	comp->flags = 0;
	comp->bytes = bytes;
	t->ring.shared->comp_prod++;
}

/* The id of the submission number @index. */
static u32 ring_test_sub_id(struct ring_test *t, u32 index)
{
	return t->ring.sub[index % t->ring.entries].id;
}

/*
 * The driver's part.
 */

static int ring_test_add(struct ring_test *t, unsigned int number, u32 bytes)
{
	struct plex86_request request = { .op = 1, .nsegs = 1, .segs = t->segs };

	t->segs[0].bytes = bytes;
	return plex86_ring_add(&t->ring, &request, &t->token[number]);
}

/* Added, and told to the device. */
static void ring_test_give(struct kunit *test, unsigned int number, u32 bytes)
{
	struct ring_test *t = test->priv;

	KUNIT_ASSERT_EQ(test, ring_test_add(t, number, bytes), 0);
	plex86_ring_kick_prepare(&t->ring);
}

static void ring_test_take(struct kunit *test, unsigned int number, u16 status,
			   u32 bytes)
{
	struct ring_test *t = test->priv;
	struct plex86_result result = {};

	KUNIT_ASSERT_TRUE(test, plex86_ring_get(&t->ring, &result));
	KUNIT_EXPECT_PTR_EQ(test, result.token, (void *)&t->token[number]);
	KUNIT_EXPECT_EQ(test, result.status, status);
	KUNIT_EXPECT_EQ(test, result.bytes, bytes);
}

static void ring_test_nothing(struct kunit *test)
{
	struct ring_test *t = test->priv;
	struct plex86_result result;

	KUNIT_EXPECT_FALSE(test, plex86_ring_get(&t->ring, &result));
}

/*
 * The tests.
 */

/* Limits of a device that make no sense, a queue that it refuses, and sizes. */
static void ring_limits(struct kunit *test)
{
	static const u32 wrong[] = { 0, 1, 3, 24, 2 * PLEX86_QUEUE_MAX, ~0u };
	static const struct { u32 wanted, most, got; } sizes[] = {
		{ 0, 8, 2 }, { 5, 8, 8 }, { 100, 8, 8 }, { 100, 256, 128 },
	};
	struct ring_test *t = test->priv;
	struct plex86_ring ring = {};
	int i;

	for (i = 0; i < ARRAY_SIZE(wrong); i++) {
		t->page->queue_entries = wrong[i];
		KUNIT_EXPECT_EQ(test, plex86_ring_init(&ring, &t->pdev, 0, 8),
				-EINVAL);
	}
	t->page->queue_entries = ENTRIES;
	KUNIT_EXPECT_EQ(test, plex86_ring_init(&ring, &t->pdev, 0, 8), -ENODEV);
	KUNIT_EXPECT_NULL(test, ring.shared);
	KUNIT_EXPECT_NULL(test, ring.slots);
	plex86_ring_free(&ring);

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		t->page->queue_entries = sizes[i].most;
		KUNIT_ASSERT_EQ(test, plex86_ring_alloc(&ring, &t->pdev, 0,
							sizes[i].wanted), 0);
		KUNIT_EXPECT_EQ(test, ring.entries, sizes[i].got);
		plex86_ring_free(&ring);
	}
}

/* As many as there are entries, no more, and then again as many. */
static void ring_full(struct kunit *test)
{
	struct ring_test *t = test->priv;
	u32 round, i;

	for (round = 0; round < 3; round++) {
		for (i = 0; i < ENTRIES; i++) {
			KUNIT_EXPECT_FALSE(test, plex86_ring_full(&t->ring));
			ring_test_give(test, i, 100);
		}
		KUNIT_EXPECT_TRUE(test, plex86_ring_full(&t->ring));
		KUNIT_EXPECT_EQ(test, ring_test_add(t, ENTRIES, 100), -ENOSPC);
		/* The last first. */
		for (i = ENTRIES; i--;) {
			u32 id = ring_test_sub_id(t, round * ENTRIES + i);

			ring_test_complete(t, id, PLEX86_S_OK, i);
		}
		for (i = ENTRIES; i--;)
			ring_test_take(test, i, PLEX86_S_OK, i);
		ring_test_nothing(test);
	}
	KUNIT_EXPECT_FALSE(test, t->ring.broken);
}

/* Indices past 2^32, with one to four requests in flight. */
static void ring_wraps(struct kunit *test)
{
	struct ring_test *t = test->priv;
	u32 start = (u32)-10, round, some, i;

	t->ring.sub_prod = start;
	t->ring.sub_known = start;
	t->ring.comp_cons = start;
	t->ring.shared->sub_prod = start;
	t->ring.shared->comp_prod = start;
	t->ring.shared->comp_cons = start;
	for (round = 0; round < 20; round++) {
		some = 1 + round % 4;
		for (i = 0; i < some; i++)
			ring_test_give(test, i, 1 + i);
		for (i = 0; i < some; i++)
			ring_test_complete(t, ring_test_sub_id(t, t->ring.sub_prod -
							       some + i),
					   PLEX86_S_OK, 1 + i);
		for (i = 0; i < some; i++)
			ring_test_take(test, i, PLEX86_S_OK, 1 + i);
		ring_test_nothing(test);
	}
	KUNIT_EXPECT_EQ(test, t->ring.shared->sub_prod, start + 50);
	KUNIT_EXPECT_EQ(test, t->ring.shared->comp_cons, start + 50);
	KUNIT_EXPECT_FALSE(test, t->ring.broken);
}

/* Requests that the device does not take, and what is too long to count. */
static void ring_requests(struct kunit *test)
{
	struct ring_test *t = test->priv;
	struct plex86_request request = { .segs = t->segs };

	request.nsegs = PLEX86_INLINE_SEGS + 1;
	KUNIT_EXPECT_EQ(test, plex86_ring_add(&t->ring, &request, t), -EINVAL);
	t->ring.max_segs = request.nsegs;	/* but not in a list elsewhere */
	KUNIT_EXPECT_EQ(test, plex86_ring_add(&t->ring, &request, t), -EINVAL);
	t->ring.indirect = true;
	KUNIT_EXPECT_EQ(test, plex86_ring_add(&t->ring, &request, t), 0);
	KUNIT_EXPECT_EQ(test, t->ring.sub[0].flags, PLEX86_SUB_INDIRECT);
	KUNIT_EXPECT_EQ(test, t->ring.sub[0].seg[0].bytes, sizeof(t->segs));

	request.nsegs = 2;
	t->segs[0].bytes = 0x80000000;
	t->segs[1].bytes = 0x80000000;
	KUNIT_EXPECT_EQ(test, plex86_ring_add(&t->ring, &request, t), -EINVAL);
	KUNIT_EXPECT_EQ(test, t->ring.in_flight, 1);
}

/* Ids that are none: those completions are lost, and no others. */
static void ring_wrong_ids(struct kunit *test)
{
	static const u32 wrong[] = { ENTRIES, 0x7fffffff, 0x80000000, ~0u };
	struct ring_test *t = test->priv;
	int i;

	ring_test_give(test, 0, 100);
	for (i = 0; i < ARRAY_SIZE(wrong); i++)
		ring_test_complete(t, wrong[i], PLEX86_S_OK, 100);
	/* Of an id that is, and of no request. */
	ring_test_complete(t, ring_test_sub_id(t, 0) + 1, PLEX86_S_OK, 100);
	ring_test_complete(t, ring_test_sub_id(t, 0), PLEX86_S_OK, 100);
	ring_test_take(test, 0, PLEX86_S_OK, 100);
	ring_test_nothing(test);
	KUNIT_EXPECT_EQ(test, t->ring.in_flight, 0);
	KUNIT_EXPECT_FALSE(test, t->ring.broken);
}

/* Twice: the second one is of no request, and takes no other's place. */
static void ring_twice(struct kunit *test)
{
	struct ring_test *t = test->priv;
	u32 id;

	ring_test_give(test, 0, 100);
	ring_test_give(test, 1, 100);
	id = ring_test_sub_id(t, 0);
	ring_test_complete(t, id, PLEX86_S_OK, 1);
	ring_test_complete(t, id, PLEX86_S_OK, 2);
	ring_test_complete(t, ring_test_sub_id(t, 1), PLEX86_S_OK, 3);
	ring_test_take(test, 0, PLEX86_S_OK, 1);
	ring_test_take(test, 1, PLEX86_S_OK, 3);
	ring_test_nothing(test);
	/* Every id is free once: all requests there is room for have another. */
	for (id = 0; id < ENTRIES; id++)
		ring_test_give(test, id, 100);
	for (id = 0; id < ENTRIES; id++)
		ring_test_complete(t, id, PLEX86_S_OK, 0);
	for (id = 0; id < ENTRIES; id++) {
		struct plex86_result result;

		KUNIT_EXPECT_TRUE(test, plex86_ring_get(&t->ring, &result));
	}
	ring_test_nothing(test);
}

/* A request that the device was not told of is not its to complete. */
static void ring_untold(struct kunit *test)
{
	struct ring_test *t = test->priv;
	u32 id;

	KUNIT_ASSERT_EQ(test, ring_test_add(t, 0, 100), 0);
	id = ring_test_sub_id(t, 0);
	ring_test_complete(t, id, PLEX86_S_OK, 0);
	ring_test_nothing(test);
	KUNIT_EXPECT_EQ(test, t->ring.in_flight, 1);

	plex86_ring_kick_prepare(&t->ring);
	ring_test_complete(t, id, PLEX86_S_OK, 100);
	ring_test_take(test, 0, PLEX86_S_OK, 100);
}

/* No completion claims more than its request had room for. */
static void ring_lengths(struct kunit *test)
{
	static const struct { u32 given, said, taken; } lengths[] = {
		{ 100, 0, 0 }, { 100, 99, 99 }, { 100, 100, 100 },
		{ 100, 101, 100 }, { 100, 0x80000000, 100 }, { 100, ~0u, 100 },
		{ 0, 1, 0 },
	};
	struct ring_test *t = test->priv;
	int i;

	for (i = 0; i < ARRAY_SIZE(lengths); i++) {
		ring_test_give(test, 0, lengths[i].given);
		ring_test_complete(t, ring_test_sub_id(t, i), 0xabcd,
				   lengths[i].said);
		ring_test_take(test, 0, 0xabcd, lengths[i].taken);
	}
}

/* More completions than there can be, or fewer than there were. */
static void ring_index_jumps(struct kunit *test)
{
	static const u32 jumps[] = { ENTRIES + 1, 0x80000000, ~0u };
	struct ring_test *t = test->priv;
	struct plex86_result result;
	int i;

	for (i = 0; i < ARRAY_SIZE(jumps); i++) {
		ring_test_give(test, i, 100);
		t->ring.shared->comp_prod = t->ring.comp_cons + jumps[i];
		KUNIT_EXPECT_FALSE(test, plex86_ring_get(&t->ring, &result));
		KUNIT_EXPECT_TRUE(test, t->ring.broken);
		/* Nothing goes in or out, though it be right again. */
		t->ring.shared->comp_prod = t->ring.comp_cons;
		ring_test_complete(t, ring_test_sub_id(t, i), 0, 100);
		KUNIT_EXPECT_FALSE(test, plex86_ring_get(&t->ring, &result));
		KUNIT_EXPECT_EQ(test, ring_test_add(t, 7, 100), -EIO);
		KUNIT_EXPECT_FALSE(test, plex86_ring_kick_prepare(&t->ring));
		KUNIT_EXPECT_TRUE(test, plex86_ring_enable(&t->ring, 0));
		KUNIT_EXPECT_TRUE(test, plex86_ring_full(&t->ring));
		/* What it had is to be had again. */
		KUNIT_EXPECT_PTR_EQ(test, plex86_ring_take_back(&t->ring),
				    (void *)&t->token[i]);
		KUNIT_EXPECT_NULL(test, plex86_ring_take_back(&t->ring));
		t->ring.broken = false;
		t->ring.shared->comp_prod = t->ring.comp_cons;
	}
}

/* Completions of no request without an end: there is one all the same. */
static void ring_flood(struct kunit *test)
{
	struct ring_test *t = test->priv;
	u32 i;

	/* One less than are too many, over and over. */
	for (i = 0; i < 3; i++) {
		u32 n;

		ring_test_give(test, 0, 100);
		for (n = 0; n < ENTRIES - 1; n++)
			ring_test_complete(t, ENTRIES + n, PLEX86_S_OK, 0);
		ring_test_complete(t, ring_test_sub_id(t, i), PLEX86_S_OK, 5);
		ring_test_take(test, 0, PLEX86_S_OK, 5);
	}
	KUNIT_EXPECT_FALSE(test, t->ring.broken);

	ring_test_give(test, 1, 100);
	for (i = 0; i < ENTRIES; i++)
		ring_test_complete(t, ENTRIES, PLEX86_S_OK, 0);
	ring_test_nothing(test);
	KUNIT_EXPECT_TRUE(test, t->ring.broken);
	KUNIT_EXPECT_PTR_EQ(test, plex86_ring_take_back(&t->ring),
			    (void *)&t->token[1]);
}

/* Reset with requests in flight: each comes back once, told or not. */
static void ring_reset(struct kunit *test)
{
	struct ring_test *t = test->priv;
	u32 seen = 0, i;
	char *token;

	for (i = 0; i < 5; i++)
		ring_test_give(test, i, 100);
	KUNIT_ASSERT_EQ(test, ring_test_add(t, 5, 100), 0);
	ring_test_complete(t, ring_test_sub_id(t, 2), PLEX86_S_OK, 100);
	ring_test_take(test, 2, PLEX86_S_OK, 100);
	/* One completion is there, and is not looked at any more. */
	ring_test_complete(t, ring_test_sub_id(t, 3), PLEX86_S_OK, 100);
	while ((token = plex86_ring_take_back(&t->ring)))
		seen |= 1u << (token - t->token);
	KUNIT_EXPECT_EQ(test, seen, 0x3b);
	KUNIT_EXPECT_EQ(test, t->ring.in_flight, 0);
	ring_test_nothing(test);
}

/* When the device is to be told: of what it asked for, and whatever it wrote. */
static void ring_doorbell(struct kunit *test)
{
	static const struct { u32 event, add; bool ring; } cases[] = {
		{ 0, 1, true },		/* the next */
		{ 1, 2, true },		/* the last of these */
		{ 2, 2, false },	/* one later */
		{ ~0u, 1, false },	/* one before: none for long */
		{ 0x80000000, 3, false },
	};
	struct ring_test *t = test->priv;
	u32 i, n;

	KUNIT_EXPECT_FALSE(test, plex86_ring_kick_prepare(&t->ring));
	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		t->ring.shared->sub_event = t->ring.sub_prod + cases[i].event;
		for (n = 0; n < cases[i].add; n++)
			KUNIT_ASSERT_EQ(test, ring_test_add(t, n, 100), 0);
		KUNIT_EXPECT_EQ(test, plex86_ring_kick_prepare(&t->ring),
				cases[i].ring);
		KUNIT_EXPECT_EQ(test, t->ring.shared->sub_prod, t->ring.sub_prod);
		KUNIT_EXPECT_FALSE(test, plex86_ring_kick_prepare(&t->ring));
		while (plex86_ring_take_back(&t->ring))
			;
	}
}

/* When the guest is: the event is where it asked for it, and nothing is missed. */
static void ring_events(struct kunit *test)
{
	struct ring_test *t = test->priv;
	u32 i;

	for (i = 0; i < 4; i++)
		ring_test_give(test, i, 100);
	KUNIT_EXPECT_TRUE(test, plex86_ring_enable(&t->ring, 0));
	KUNIT_EXPECT_EQ(test, t->ring.shared->comp_event, 0);
	KUNIT_EXPECT_TRUE(test, plex86_ring_enable(&t->ring, 2));
	KUNIT_EXPECT_EQ(test, t->ring.shared->comp_event, 2);
	ring_test_complete(t, ring_test_sub_id(t, 0), PLEX86_S_OK, 0);
	KUNIT_EXPECT_FALSE(test, plex86_ring_enable(&t->ring, 0));
	KUNIT_EXPECT_TRUE(test, plex86_ring_enable(&t->ring, 1));
	ring_test_take(test, 0, PLEX86_S_OK, 0);
	KUNIT_EXPECT_TRUE(test, plex86_ring_enable(&t->ring, 0));
	KUNIT_EXPECT_EQ(test, t->ring.shared->comp_event, 1);
	plex86_ring_disable(&t->ring);
	/* Nobody is told of the next ones, as far as there can be any. */
	KUNIT_EXPECT_FALSE(test, plex86_need_event(t->ring.shared->comp_event,
						   1 + ENTRIES, 1));
}

/* A configuration: of one generation, of a length that is, or none. */
static void config_read(struct kunit *test)
{
	struct ring_test *t = test->priv;
	u8 *from = (u8 *)t->page + PLEX86_DEV_CONFIG, config[64], zero[64] = {};

	memset(from, 0x5a, PAGE_SIZE - PLEX86_DEV_CONFIG);
	t->page->generation = 4;
	t->page->config_bytes = ~0u;
	KUNIT_EXPECT_EQ(test, plex86_config_read(&t->pdev, config, 64), 0);
	KUNIT_EXPECT_EQ(test, memcmp(config, from, 64), 0);

	t->page->config_bytes = 10;
	KUNIT_EXPECT_EQ(test, plex86_config_read(&t->pdev, config, 64), 0);
	KUNIT_EXPECT_EQ(test, memcmp(config, from, 10), 0);
	KUNIT_EXPECT_EQ(test, memcmp(config + 10, zero, 54), 0);

	/* A host that is never through with changing it. */
	t->page->generation = 5;
	KUNIT_EXPECT_EQ(test, plex86_config_read(&t->pdev, config, 64), -EBUSY);
	KUNIT_EXPECT_EQ(test, memcmp(config, zero, 64), 0);
}

static struct kunit_case ring_test_cases[] = {
	KUNIT_CASE(ring_limits),
	KUNIT_CASE(ring_full),
	KUNIT_CASE(ring_wraps),
	KUNIT_CASE(ring_requests),
	KUNIT_CASE(ring_wrong_ids),
	KUNIT_CASE(ring_twice),
	KUNIT_CASE(ring_untold),
	KUNIT_CASE(ring_lengths),
	KUNIT_CASE(ring_index_jumps),
	KUNIT_CASE(ring_flood),
	KUNIT_CASE(ring_reset),
	KUNIT_CASE(ring_doorbell),
	KUNIT_CASE(ring_events),
	KUNIT_CASE(config_read),
	{}
};

static struct kunit_suite ring_test_suite = {
	.name = "plex86-ring",
	.init = ring_test_init,
	.exit = ring_test_exit,
	.test_cases = ring_test_cases,
};

kunit_test_suite(ring_test_suite);
