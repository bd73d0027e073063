// SPDX-License-Identifier: GPL-2.0
/*
 * launcher/net.c: a network device against guests that keep to the contract and
 * guests that do not.  The back end is this file's: it keeps what it is sent, and
 * gives what a test wants received.
 */
#include "launcher.h"
#include "unit.h"

#include <stdlib.h>

#define RAM		(1u << 20)
#define ENTRIES		64u
#define HDR		((u32)sizeof(struct plex86_net_hdr))

/* Where things are in guest RAM: the queues, then buffers. */
#define QUEUE_GPA(n)	((n) * 0x4000u)
#define BUFFERS		0x10000u

static u8 *ram;
static struct vm_context ctx;
static struct device *dev;
static struct queue_state states[QUEUES_MAX];
static u64 now = 1000000000;

/* What the back end has seen, and what it does. */
static u8 sent[NET_BYTES];
static u32 sent_bytes, sends;
static bool send_refuses;
static u8 give[PLEX86_NET_FRAME_MAX];
static u32 give_bytes, gives;
static u64 agreed;

/* What the rest of the launcher would do. */

void complain(const char *format, ...)
{
	(void)format;
}

u64 now_ns(void)
{
	return now;
}

void vm_device_interrupt(struct vm_context *context, u32 device)
{
	(void)context;
	(void)device;
}

bool vm_signals(struct vm_context *context)
{
	(void)context;
	return false;
}

bool vm_hold(void *context, u64 gpa, u64 bytes)
{
	(void)context;
	(void)gpa;
	(void)bytes;
	return true;
}

void vm_release(void *context, u64 gpa, u64 bytes)
{
	(void)context;
	(void)gpa;
	(void)bytes;
}

static int fake_open(struct net *net)
{
	net->own = net;
	return 0;
}

static void fake_close(struct net *net)
{
	(void)net;
}

static void fake_agree(struct net *net)
{
	agreed = net->features;
}

static bool fake_send(struct net *net, u32 pair, const struct request *req)
{
	(void)net;
	(void)pair;
	if (send_refuses)
		return false;
	sends++;
	sent_bytes = net_copy(req, 0, sent, sizeof(sent));
	return true;
}

static bool fake_receive(struct net *net, u32 pair)
{
	(void)pair;
	if (!gives || !net_give(net, 0, give, give_bytes))
		return false;
	gives--;
	return true;
}

static void fake_wait(struct net *net, struct waits *waits, bool receive)
{
	(void)net;
	(void)waits;
	(void)receive;
}

static void fake_work(struct net *net, const struct waits *waits)
{
	(void)net;
	(void)waits;
}

#define ALL_FEATURES	(PLEX86_NET_F_CSUM | PLEX86_NET_F_TSO4 | \
			 PLEX86_NET_F_TSO6 | PLEX86_NET_F_TSO_ECN | \
			 PLEX86_NET_F_GUEST_CSUM | PLEX86_NET_F_GUEST_TSO4)

const struct net_backend net_user = {
	.features = ALL_FEATURES,
	.mtu = 1500,
	.open = fake_open,
	.close = fake_close,
	.agree = fake_agree,
	.send = fake_send,
	.receive = fake_receive,
	.wait = fake_wait,
	.work = fake_work,
};

const struct net_backend net_tap, net_socket;

/* The guest. */

static struct plex86_queue *ring(u32 n)
{
	return (void *)(ram + QUEUE_GPA(n));
}

static struct plex86_sub *sub_at(u32 n, u32 index)
{
	return (struct plex86_sub *)(void *)(ram + QUEUE_GPA(n) +
			PLEX86_SUB_OFFSET) + index % ENTRIES;
}

static const struct plex86_comp *comp_at(u32 n, u32 index)
{
	return (const struct plex86_comp *)(void *)sub_at(n, 0) +
	       ENTRIES * sizeof(struct plex86_sub) / sizeof(struct plex86_comp) +
	       index % ENTRIES;
}

static void submit(u32 n, const struct plex86_sub *sub)
{
	*sub_at(n, ring(n)->sub_prod) = *sub;
	ring(n)->sub_prod++;
}

/* A device that the guest has brought up, with these features accepted. */
static void begin(u64 features, struct net_options *options)
{
	static struct net_options plain;
	struct plex86_dev *d;
	u32 n;

	if (!options) {
		memset(&plain, 0, sizeof(plain));
		plain.text = "user";
		plain.pairs = 1;
		options = &plain;
	}
	memset(ram, 0, RAM);
	memset(ctx.state, 0, sizeof(*ctx.state));
	ctx.options.net[0] = *options;
	ctx.options.nets = 1;
	CHECK_EQ("nets_add", nets_add(&ctx), 0);
	dev = ctx.devices.device[0];
	dev->ctx = &ctx;
	d = device_page(dev);
	dev->ops->start(dev, d);
	d->accepted[0] = PLEX86_F_INDIRECT;
	d->accepted[1] = (u32)(features >> 32);
	for (n = 0; n < QUEUES_MAX; n++) {
		states[n] = (struct queue_state){ n < 3, ENTRIES, QUEUE_GPA(n) };
		queue_init(&dev->queue[n], &states[n], d, ram, RAM, d->segs);
	}
	sends = 0;
	gives = 0;
	send_refuses = false;
	agreed = 0;
}

static void end(void)
{
	devices_close(&ctx);
}

static void work(void)
{
	dev->ops->work(dev, NULL);
}

/* The completion made last in queue @n; each is taken. */
static const struct plex86_comp *answer(u32 n, const char *r)
{
	CHECK_EQ(r, ring(n)->comp_prod, ring(n)->comp_cons + 1);
	ring(n)->comp_cons++;
	return comp_at(n, ring(n)->comp_cons - 1);
}

static int setup(void **state)
{
	(void)state;
	ram = calloc(1, RAM);
	ctx.state = aligned_alloc(PAGE_SIZE, sizeof(*ctx.state));
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	free(ctx.state);
	free(ram);
	return 0;
}

/* Header and frame of @bytes at BUFFERS, submitted; the status. */
static u16 transmit(const char *r, const struct plex86_net_hdr *hdr, u32 bytes)
{
	struct plex86_sub sub = {
		.op = PLEX86_NET_OP_TX, .id = 7, .segs = 1,
		.seg = { { BUFFERS, bytes, 0 } },
	};
	const struct plex86_comp *comp;

	memcpy(ram + BUFFERS, hdr, HDR);
	submit(1, &sub);
	work();
	comp = answer(1, r);
	CHECK_EQ(r, comp->id, 7);
	CHECK_EQ(r, comp->bytes, comp->status ? 0 : bytes);
	return comp->status;
}

static void transmits(void **state)
{
	struct plex86_net_hdr hdr = { 0 };
	struct plex86_sub sub = {
		.op = PLEX86_NET_OP_TX, .id = 9, .segs = 3,
		.flags = PLEX86_SUB_INDIRECT,
		.seg = { { BUFFERS, 3 * sizeof(struct plex86_seg), 0 } },
	};
	struct plex86_seg *list;
	u32 i;

	(void)state;
	begin(0, NULL);
	for (i = 0; i < 100; i++)
		ram[BUFFERS + HDR + i] = (u8)(i * 3);
	CHECK_EQ("one segment", transmit("one segment", &hdr, HDR + 100), 0);
	CHECK_EQ("one segment", sends, 1);
	CHECK_EQ("one segment", sent_bytes, HDR + 100);
	CHECK_MEM("one segment", sent + HDR, ram + BUFFERS + HDR, 100);

	/* The header may be cut anywhere. */
	memset(sent, 0xee, sizeof(sent));
	list = (void *)(ram + BUFFERS);
	list[0] = (struct plex86_seg){ 0x20000, 5, 0 };
	list[1] = (struct plex86_seg){ 0x20100, 0, 0 };
	list[2] = (struct plex86_seg){ 0x20200, HDR - 5 + 20, 0 };
	memset(ram + 0x20200 + HDR - 5, 0x5a, 20);
	submit(1, &sub);
	work();
	CHECK_EQ("three", answer(1, "three")->status, 0);
	CHECK_EQ("three", sent_bytes, HDR + 20);
	CHECK_EQ("three", sent[HDR + 19], 0x5a);

	/* A back end that cannot now is asked again, and nothing is lost. */
	send_refuses = true;
	sub = (struct plex86_sub){
		.op = PLEX86_NET_OP_TX, .id = 1, .segs = 1,
		.seg = { { 0x20200, HDR + 14, 0 } },
	};
	memset(ram + 0x20200, 0, HDR);
	submit(1, &sub);
	work();
	work();
	CHECK_EQ("refused", ring(1)->comp_prod, ring(1)->comp_cons);
	send_refuses = false;
	work();
	CHECK_EQ("later", answer(1, "later")->status, 0);
	CHECK_EQ("later", sends, 3);
	end();
}

static void bad_transmits(void **state)
{
	static const struct {
		const char *what;
		u64 features;
		struct plex86_net_hdr hdr;
		u32 bytes;
		u16 status;
	} table[] = {
		{ "least", 0, { 0 }, HDR + 14, 0 },
		{ "less", 0, { 0 }, HDR + 13, PLEX86_S_BADREQ },
		{ "header alone", 0, { 0 }, HDR, PLEX86_S_BADREQ },
		{ "half a header", 0, { 0 }, 6, PLEX86_S_BADREQ },
		{ "nothing", 0, { 0 }, 0, PLEX86_S_BADREQ },
		{ "largest", 0, { 0 }, NET_BYTES, 0 },
		{ "larger", 0, { 0 }, NET_BYTES + 1, PLEX86_S_BADREQ },
		{ "buffers ignored", 0, { .buffers = 9 }, 100, 0 },
		{ "csum not agreed", 0, { .flags = 1 }, 100, PLEX86_S_BADREQ },
		{ "csum", ALL_FEATURES, { .flags = 1, .csum_start = 34,
		  .csum_offset = 16 }, HDR + 60, 0 },
		{ "csum at the end", ALL_FEATURES, { .flags = 1,
		  .csum_start = 34, .csum_offset = 24 }, HDR + 60, 0 },
		{ "csum beyond", ALL_FEATURES, { .flags = 1, .csum_start = 34,
		  .csum_offset = 25 }, HDR + 60, PLEX86_S_BADREQ },
		{ "csum that wraps", ALL_FEATURES, { .flags = 1,
		  .csum_start = 0xffff, .csum_offset = 3 }, HDR + 60,
		  PLEX86_S_BADREQ },
		{ "valid is not sent", ALL_FEATURES, { .flags = 2 }, 100,
		  PLEX86_S_BADREQ },
		{ "unknown flag", ALL_FEATURES, { .flags = 0x80 }, 100,
		  PLEX86_S_BADREQ },
		{ "tso4", ALL_FEATURES, { .flags = 1, .gso_type = 1,
		  .gso_size = 1448, .csum_start = 34, .csum_offset = 16 },
		  30000, 0 },
		{ "tso4 not agreed", PLEX86_NET_F_CSUM, { .flags = 1,
		  .gso_type = 1, .gso_size = 1448, .csum_start = 34,
		  .csum_offset = 16 }, 30000, PLEX86_S_BADREQ },
		{ "tso4 without csum", PLEX86_NET_F_TSO4, { .flags = 1,
		  .gso_type = 1, .gso_size = 1448, .csum_start = 34,
		  .csum_offset = 16 }, 30000, PLEX86_S_BADREQ },
		{ "tso without a sum", ALL_FEATURES, { .gso_type = 1,
		  .gso_size = 1448 }, 30000, PLEX86_S_BADREQ },
		{ "tso of 0", ALL_FEATURES, { .flags = 1, .gso_type = 1,
		  .csum_start = 34, .csum_offset = 16 }, 30000,
		  PLEX86_S_BADREQ },
		{ "tso6 ecn", ALL_FEATURES, { .flags = 1, .gso_type = 0x84,
		  .gso_size = 1448, .csum_start = 54, .csum_offset = 16 },
		  30000, 0 },
		{ "ecn not agreed", PLEX86_NET_F_CSUM | PLEX86_NET_F_TSO6,
		  { .flags = 1, .gso_type = 0x84, .gso_size = 1448,
		  .csum_start = 54, .csum_offset = 16 }, 30000,
		  PLEX86_S_BADREQ },
		{ "ecn alone", ALL_FEATURES, { .flags = 1, .gso_type = 0x80,
		  .gso_size = 1448, .csum_start = 34, .csum_offset = 16 },
		  30000, PLEX86_S_BADREQ },
		{ "ufo", ALL_FEATURES, { .flags = 1, .gso_type = 3,
		  .gso_size = 1448, .csum_start = 34, .csum_offset = 6 },
		  30000, PLEX86_S_BADREQ },
		{ "both", ALL_FEATURES, { .flags = 1, .gso_type = 5,
		  .gso_size = 1448, .csum_start = 34, .csum_offset = 16 },
		  30000, PLEX86_S_BADREQ },
	};
	struct plex86_net_hdr hdr = { 0 };
	struct plex86_sub sub = { .op = 1, .segs = 1,
		.seg = { { BUFFERS, 100, 0 } } };
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(table); i++) {
		begin(table[i].features, NULL);
		CHECK_EQ(table[i].what, transmit(table[i].what, &table[i].hdr,
						 table[i].bytes),
			 table[i].status);
		CHECK_EQ(table[i].what, sends, !table[i].status);
		end();
	}
	begin(0, NULL);
	memcpy(ram + BUFFERS, &hdr, HDR);
	submit(1, &sub);
	work();
	CHECK_EQ("op", answer(1, "op")->status, PLEX86_S_UNSUPPORTED);
	sub.op = PLEX86_NET_OP_TX;
	sub.flags = 0x100;
	submit(1, &sub);
	work();
	CHECK_EQ("flag", answer(1, "flag")->status, PLEX86_S_UNSUPPORTED);
	CHECK_EQ("flag", sends, 0);
	end();
}

static void post(u32 id, u32 gpa, u32 bytes)
{
	struct plex86_sub sub = {
		.op = PLEX86_NET_OP_RX, .id = id, .segs = 1,
		.seg = { { gpa, bytes, 0 } },
	};

	submit(0, &sub);
}

static void receives(void **state)
{
	static const u32 sizes[] = {
		14, 60, 1011, 1012, 1013, 2035, 2036, 2037, 9000, 30000,
	};
	struct plex86_net_hdr hdr;
	size_t i;
	u32 n, id, left, used;

	(void)state;
	for (n = 0; n < sizeof(give); n++)
		give[n] = (u8)(n * 7 + n / 256);
	give[0] = 0xff;
	memset(give, 0xff, 6);
	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		const char *r = row("%u bytes", sizes[i]);
		u8 *got = ram + BUFFERS;

		begin(PLEX86_NET_F_GUEST_CSUM, NULL);
		give_bytes = sizes[i];
		gives = 2;
		work();
		CHECK_EQ(r, gives, 2);		/* no buffers yet */
		for (id = 0; id < 40; id++)
			post(100 + id, BUFFERS + id * 1024, 1024);
		gives = 1;
		work();
		CHECK_EQ(r, gives, 0);
		memcpy(&hdr, got, HDR);
		used = (sizes[i] + HDR + 1023) / 1024;
		CHECK_EQ(r, hdr.buffers, used);
		CHECK_EQ(r, hdr.flags, 0);
		CHECK_EQ(r, ring(0)->comp_prod, used);
		left = sizes[i] + HDR;
		for (n = 0; n < used; n++) {
			CHECK_EQ(r, comp_at(0, n)->id, 100 + n);
			CHECK_EQ(r, comp_at(0, n)->status, 0);
			CHECK_EQ(r, comp_at(0, n)->bytes,
				 left < 1024 ? left : 1024);
			left -= comp_at(0, n)->bytes;
		}
		CHECK_MEM(r, got + HDR, give, sizes[i]);
		/* Nothing behind it was written. */
		CHECK_EQ(r, got[HDR + sizes[i]], 0);
		end();
	}
}

static void bad_buffers(void **state)
{
	static const struct {
		const char *what;
		struct plex86_sub sub;
		u16 status;
	} table[] = {
		{ "short", { .op = 1, .segs = 1, .seg = { { BUFFERS, 1023, 0 } } },
		  PLEX86_S_BADREQ },
		{ "no segment", { .op = 1 }, PLEX86_S_BADREQ },
		{ "two", { .op = 1, .segs = 2, .seg = { { BUFFERS, 1024, 0 },
		  { BUFFERS + 4096, 1024, 0 } } }, PLEX86_S_BADREQ },
		{ "outside", { .op = 1, .segs = 1,
		  .seg = { { RAM - 1024, 1025, 0 } } }, PLEX86_S_BADREQ },
		{ "op", { .op = 2, .segs = 1, .seg = { { BUFFERS, 1024, 0 } } },
		  PLEX86_S_UNSUPPORTED },
		{ "flag", { .op = 1, .flags = 0x8000, .segs = 1,
		  .seg = { { BUFFERS, 1024, 0 } } }, PLEX86_S_UNSUPPORTED },
	};
	size_t i;

	(void)state;
	memset(give, 0xff, 6);
	give_bytes = 100;
	for (i = 0; i < ARRAY_SIZE(table); i++) {
		begin(0, NULL);
		submit(0, &table[i].sub);
		post(5, BUFFERS + 8192, 2048);
		gives = 1;
		work();
		CHECK_EQ(table[i].what, ring(0)->comp_prod, 2);
		CHECK_EQ(table[i].what, comp_at(0, 0)->status, table[i].status);
		CHECK_EQ(table[i].what, comp_at(0, 1)->id, 5);
		CHECK_EQ(table[i].what, comp_at(0, 1)->status, 0);
		CHECK_EQ(table[i].what, comp_at(0, 1)->bytes, 112);
		end();
	}
}

/* The filter as it is in RAM, sent with @bytes; the status. */
static u16 set_filter(const char *r, const struct plex86_net_filter *filter,
		      u32 bytes)
{
	struct plex86_sub sub = {
		.op = PLEX86_NET_OP_FILTER, .segs = 1,
		.seg = { { BUFFERS + 0x8000, bytes, 0 } },
	};

	memcpy(ram + BUFFERS + 0x8000, filter, sizeof(*filter));
	submit(2, &sub);
	work();
	return answer(2, r)->status;
}

/* Does a frame to the address that begins with @first and ends with @last come? */
static bool comes(u8 first, u8 last)
{
	u32 before = ring(0)->comp_prod;

	memset(give, 0, 6);
	give[0] = first;
	give[5] = last;
	if (first == 0xff)
		memset(give, 0xff, 6);
	give_bytes = 60;
	gives = 1;
	work();
	CHECK_EQ("it was taken", gives, 0);
	ring(0)->comp_cons = ring(0)->comp_prod;
	return ring(0)->comp_prod != before;
}

static void filters(void **state)
{
	struct plex86_net_filter f = { .count = 2 };
	u32 i;

	(void)state;
	f.mac[0][0] = 2;
	f.mac[0][5] = 1;
	f.mac[1][0] = 3;
	f.mac[1][5] = 9;
	begin(PLEX86_NET_F_FILTER, NULL);
	for (i = 0; i < 30; i++)
		post(i, BUFFERS + i * 1024, 1024);
	CHECK("no filter", comes(2, 1) && comes(2, 2) && comes(3, 9));
	CHECK_EQ("list", set_filter("list", &f, 8 + 12), 0);
	CHECK("list", comes(2, 1) && comes(3, 9) && comes(0xff, 0));
	CHECK("list", !comes(2, 2) && !comes(3, 8));

	/* What is refused changes nothing. */
	f.flags = PLEX86_NET_PROMISC;
	CHECK_EQ("short", set_filter("short", &f, 8 + 11), PLEX86_S_BADREQ);
	CHECK_EQ("head", set_filter("head", &f, 7), PLEX86_S_BADREQ);
	CHECK_EQ("empty", set_filter("empty", &f, 0), PLEX86_S_BADREQ);
	f.count = PLEX86_NET_FILTER_MAX + 1;
	CHECK_EQ("many", set_filter("many", &f, sizeof(f)), PLEX86_S_BADREQ);
	f.count = 0xffff;
	CHECK_EQ("most", set_filter("most", &f, sizeof(f)), PLEX86_S_BADREQ);
	f.count = 2;
	f.flags = 4;
	CHECK_EQ("flag", set_filter("flag", &f, 8 + 12), PLEX86_S_UNSUPPORTED);
	CHECK("as before", comes(2, 1) && !comes(2, 2));

	f.flags = PLEX86_NET_ALLMULTI;
	CHECK_EQ("groups", set_filter("groups", &f, 8 + 12), 0);
	CHECK("groups", comes(3, 8) && comes(1, 1) && !comes(2, 2));
	f.flags = PLEX86_NET_PROMISC;
	f.count = 0;
	CHECK_EQ("all", set_filter("all", &f, 8), 0);
	CHECK("all", comes(3, 8) && comes(2, 2));
	f.flags = 0;
	CHECK_EQ("none", set_filter("none", &f, sizeof(f)), 0);
	CHECK("none", !comes(3, 8) && !comes(2, 1) && comes(0xff, 0));

	/* After a reset it is as at first. */
	dev->ops->reset(dev);
	CHECK("reset", comes(2, 2));
	end();
}

static void features(void **state)
{
	(void)state;
	begin(ALL_FEATURES | PLEX86_NET_F_FILTER | 1ull << 63, NULL);
	work();
	CHECK_EQ("not offered", agreed, ALL_FEATURES | PLEX86_NET_F_FILTER);
	end();
	begin(PLEX86_NET_F_TSO4 | PLEX86_NET_F_GUEST_TSO4, NULL);
	work();
	CHECK_EQ("without sums", agreed, 0);
	end();
}

static void rates(void **state)
{
	struct net_options o = {
		.text = "user", .pairs = 1, .tx_rate = 8000000,
	};
	struct plex86_sub sub = {
		.op = PLEX86_NET_OP_TX, .segs = 1,
		.seg = { { BUFFERS, 10000, 0 } },
	};
	struct waits waits = { .until_ns = WAITS_FOREVER };
	u32 i;

	(void)state;
	begin(0, &o);
	for (i = 0; i < 30; i++)
		submit(1, &sub);
	/* 50 ms' worth at once, into debt by one frame; then 1 MB in a second. */
	work();
	CHECK_EQ("at once", sends, 5);
	dev->ops->wait(dev, &waits);
	CHECK("when", waits.until_ns > now && waits.until_ns < now + 1000000);
	work();
	CHECK_EQ("no sooner", sends, 5);
	now += 45000000;
	work();
	CHECK_EQ("45 ms later", sends, 10);
	now += 3600000000000ull;
	work();
	CHECK_EQ("an hour later", sends, 15);
	end();
}

/* Anything in all rings, for ever: nothing but statuses may come of it. */
static void hostile_guest(void **state)
{
	static const u32 odd[] = {
		0, 1, 11, 12, 13, 26, 1023, 1024, 4096, 65569, 65570, RAM - 1,
		RAM, RAM + 1, 0x7fffffff, 0x80000000, 0xffffffff,
	};
	u64 seed = 42;
	u32 round, i, n;

	(void)state;
	for (round = 0; round < 300; round++) {
		begin((u64)random32(&seed) << 32, NULL);
		for (i = 0; i < 200; i++) {
			struct plex86_sub sub;
			u8 *bytes = (u8 *)&sub;

			n = random32(&seed) % 3;
			for (u32 b = 0; b < sizeof(sub); b++)
				bytes[b] = (u8)random32(&seed);
			if (random32(&seed) % 8)
				sub.op = (u16)(1 + random32(&seed) % 3);
			if (random32(&seed) % 8)
				sub.flags = (u16)(random32(&seed) % 2);
			if (random32(&seed) % 8)
				sub.segs = random32(&seed) % 4;
			for (u32 s = 0; s < PLEX86_INLINE_SEGS; s++) {
				sub.seg[s].gpa = random32(&seed) % 4 ?
					random32(&seed) % RAM :
					odd[random32(&seed) % ARRAY_SIZE(odd)];
				sub.seg[s].bytes = random32(&seed) % 4 ?
					random32(&seed) % 4096 :
					odd[random32(&seed) % ARRAY_SIZE(odd)];
			}
			submit(n, &sub);
			if (!(random32(&seed) % 50))
				ring(n)->sub_prod = random32(&seed);
			if (random32(&seed) % 4)
				ring(n)->comp_cons = ring(n)->comp_prod;
			give_bytes = 14 + random32(&seed) % (PLEX86_NET_FRAME_MAX -
							     13);
			gives = random32(&seed) % 4;
			send_refuses = !(random32(&seed) % 4);
			work();
		}
		dev->ops->reset(dev);
		end();
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(transmits), cmocka_unit_test(bad_transmits),
		cmocka_unit_test(receives), cmocka_unit_test(bad_buffers),
		cmocka_unit_test(filters), cmocka_unit_test(features),
		cmocka_unit_test(rates), cmocka_unit_test(hostile_guest),
	};

	return RUN_TESTS("net", tests, setup, teardown);
}
