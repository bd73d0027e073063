// SPDX-License-Identifier: GPL-2.0
/*
 * launcher/net.c: a network device against guests that keep to the contract and
 * guests that do not.  The back end is this file's: it keeps what it is sent, and
 * gives what a test wants received.
 *
 * And launcher/net_socket.c and net_tap.c, whose other end this file is: no
 * wake-up is lost, and there is none for nothing.
 */
#include "launcher.h"
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define RAM		(1u << 20)
#define ENTRIES		64u
#define HDR		((u32)sizeof(struct plex86_net_hdr))

/* Where things are in guest RAM: the queues, then buffers. */
#define QUEUE_GPA(n)	((n) * 0x2000u)
#define BUFFERS		0x10000u

static u8 *ram;
static struct vm_context ctx;
static struct device *dev;
static struct queue_state states[QUEUES_MAX];
static u64 now = 1000000000;
static u64 tick_ns;		/* that it takes to ask what time it is */
static u32 complaints;

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
	complaints++;
}

u64 now_ns(void)
{
	now += tick_ns;
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

/*
 * The other ends of a tap's queues; the first is a socket's too.  And what the
 * system calls do that lead there.
 */
static int other_end[NET_PAIRS_MAX];
static u32 taps;
static short tap_flags;
static bool news_lost, accept_fails;
static u32 drain_after;		/* so many attempts to send in vain */

int __real_open(const char *name, int flags, ...);
int __real_accept4(int fd, struct sockaddr *name, socklen_t *bytes, int flags);
ssize_t __real_recv(int fd, void *to, size_t bytes, int flags);
ssize_t __real_send(int fd, const void *from, size_t bytes, int flags);
int __wrap_open(const char *name, int flags, ...);
int __wrap_ioctl(int fd, unsigned long request, ...);
int __wrap_accept4(int fd, struct sockaddr *name, socklen_t *bytes, int flags);
ssize_t __wrap_recv(int fd, void *to, size_t bytes, int flags);
ssize_t __wrap_send(int fd, const void *from, size_t bytes, int flags);

int __wrap_open(const char *name, int flags, ...)
{
	int ends[2];

	if (strcmp(name, "/dev/net/tun"))
		return __real_open(name, flags, 0666);
	CHECK_EQ("tap", socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0,
				   ends), 0);
	other_end[taps++] = ends[1];
	return ends[0];
}

int __wrap_ioctl(int fd, unsigned long request, ...)
{
	va_list args;

	(void)fd;
	va_start(args, request);
	if (request == SIOCGIFFLAGS)
		va_arg(args, struct ifreq *)->ifr_flags = tap_flags;
	va_end(args);
	return 0;
}

int __wrap_accept4(int fd, struct sockaddr *name, socklen_t *bytes, int flags)
{
	if (!accept_fails)
		return __real_accept4(fd, name, bytes, flags);
	errno = EMFILE;
	return -1;
}

ssize_t __wrap_recv(int fd, void *to, size_t bytes, int flags)
{
	if (!news_lost)
		return __real_recv(fd, to, bytes, flags);
	news_lost = false;
	errno = ENOBUFS;
	return -1;
}

static void drain(void)
{
	static u8 bytes[1 << 18];

	while (__real_recv(other_end[0], bytes, sizeof(bytes), MSG_DONTWAIT) > 0)
		;
}

ssize_t __wrap_send(int fd, const void *from, size_t bytes, int flags)
{
	ssize_t n = __real_send(fd, from, bytes, flags);

	if (n < 0 && errno == EAGAIN && drain_after && !--drain_after) {
		drain();
		errno = EAGAIN;
	}
	return n;
}

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
	/* What a test that failed has left. */
	devices_close(&ctx);
	tick_ns = 0;
	drain_after = 0;
	news_lost = false;
	accept_fails = false;
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
		states[n] = (struct queue_state){
			n <= PLEX86_NET_CONTROL(options->pairs), ENTRIES,
			QUEUE_GPA(n),
		};
		queue_init(&dev->queue[n], &states[n], d, ram, RAM, d->segs);
	}
	sends = 0;
	gives = 0;
	send_refuses = false;
	agreed = 0;
	complaints = 0;
}

static void end(void)
{
	devices_close(&ctx);
}

static void work(void)
{
	static const struct waits nothing;

	dev->ops->work(dev, &nothing);
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

/* Asked more often than a byte takes, and when it said it wants to be. */
static void slow_rate(void **state)
{
	struct net_options o = { .text = "user", .pairs = 1, .tx_rate = 8000 };
	struct plex86_sub sub = {
		.op = PLEX86_NET_OP_TX, .segs = 1,
		.seg = { { BUFFERS, 1000, 0 } },
	};
	u32 i;

	(void)state;
	begin(0, &o);
	for (i = 0; i < 30; i++)
		submit(1, &sub);
	for (i = 0; i < 100000; i++) {
		work();
		now += 100000;
	}
	CHECK_EQ("10 s", sends, 11);
	for (i = 12; i < 25; i++) {
		struct waits waits = { .until_ns = WAITS_FOREVER };

		dev->ops->wait(dev, &waits);
		now = waits.until_ns - 2;
		work();
		CHECK_EQ(row("before %u", i), sends, i - 1);
		now += 2;
		work();
		CHECK_EQ(row("at %u", i), sends, i);
	}
	end();
}

/* A pair that is asked when the time has come does not hide that another waits. */
static void limited_pair(void **state)
{
	struct net_options o = { .text = "user", .pairs = 2, .tx_rate = 8000 };
	struct plex86_sub sub = {
		.op = PLEX86_NET_OP_TX, .segs = 1,
		.seg = { { BUFFERS, 1000, 0 } },
	};
	struct waits waits = { .until_ns = WAITS_FOREVER };

	(void)state;
	begin(0, &o);
	submit(PLEX86_NET_TX(0), &sub);
	submit(PLEX86_NET_TX(0), &sub);
	tick_ns = 600000000;
	work();
	tick_ns = 0;
	CHECK_EQ("pair 0", sends, 1);
	dev->ops->wait(dev, &waits);
	CHECK("it waits", waits.until_ns != WAITS_FOREVER);
	end();
}

static const char template[] = "/tmp/plex86-net-test-XXXXXX";
static char place[sizeof(template)];

/*
 * A record: what was in its file stays until a boot begins, and a reader that
 * does not read holds up nobody.
 */
static void records(void **state)
{
	struct net_options o = { .text = "user", .pairs = 1, .pcap = place };
	struct plex86_net_hdr hdr = { 0 };
	static struct vm_context other;
	static u8 bytes[1 << 16];
	int fd, i;

	(void)state;
	strcpy(place, template);
	fd = mkstemp(place);
	CHECK_EQ("file", write(fd, "precious", 8), 8);
	other.options.net[0] = o;
	other.options.nets = 1;
	CHECK_EQ("opened", nets_add(&other), 0);
	CHECK_EQ("opened", lseek(fd, 0, SEEK_END), 8);
	devices_close(&other);
	begin(0, &o);
	CHECK_EQ("begun", lseek(fd, 0, SEEK_END), 24);
	CHECK_EQ("frame", transmit("frame", &hdr, HDR + 60), 0);
	CHECK_EQ("frame", lseek(fd, 0, SEEK_END), 24 + 16 + 60);
	dev->ops->start(dev, device_page(dev));
	CHECK_EQ("next boot", lseek(fd, 0, SEEK_END), 24 + 16 + 60);
	end();
	close(fd);
	unlink(place);

	/* No reader, and one that does not read. */
	CHECK_EQ("FIFO", mkfifo(place, 0600), 0);
	CHECK_EQ("no reader", nets_add(&other), (u64)-1);
	fd = open(place, O_RDONLY | O_NONBLOCK);
	begin(0, &o);
	for (i = 0; i < 40; i++)
		CHECK_EQ("FIFO", transmit("FIFO", &hdr, HDR + 60000), 0);
	CHECK_EQ("FIFO", complaints, 1);
	for (i = 0; read(fd, bytes, sizeof(bytes)) > 0; i++)
		;
	CHECK("some of them", i >= 3);
	CHECK_EQ("its end", read(fd, bytes, sizeof(bytes)), 0);
	end();
	close(fd);
	unlink(place);
}

/* One turn of the launcher; false: it would sleep instead. */
static bool turn(void)
{
	static struct waits waits;
	bool come;

	waits_begin(&waits);
	dev->ops->wait(dev, &waits);
	come = poll(waits.fds, waits.count, 0) > 0 || waits.until_ns <= now;
	if (come)
		dev->ops->work(dev, &waits);
	return come;
}

/* Turns until it sleeps, which it must. */
static void settle(const char *r)
{
	u32 i;

	for (i = 0; turn(); i++)
		CHECK(row("%s: sleeps", r), i < 20);
}

/* Submits frames, more than the other end takes without reading. */
static void fill(u32 frames)
{
	struct plex86_sub sub = {
		.op = PLEX86_NET_OP_TX, .segs = 1,
		.seg = { { BUFFERS, 60000, 0 } },
	};
	u32 i;

	for (i = 0; i < frames; i++)
		submit(1, &sub);
	work();
	settle("full");
	CHECK("full", ring(1)->comp_prod < frames);
}

/* All of them go, whenever the other end reads. */
static void all_go(u32 frames)
{
	u32 i;

	fill(frames);
	for (i = 0; ring(1)->comp_prod < frames; i++) {
		drain();
		/* It reads again just before the back end's own turn. */
		drain_after = 2;
		CHECK(row("wake-up %u", i), turn());
	}
	drain_after = 0;
	drain();
	settle("all sent");
}

static void connect_to_place(void)
{
	struct sockaddr_un name = { .sun_family = AF_UNIX };

	strcpy(name.sun_path, place);
	other_end[0] = socket(AF_UNIX, SOCK_STREAM, 0);
	CHECK_EQ("connect", connect(other_end[0], (void *)&name, sizeof(name)),
		 0);
}

static void hang_up(void)
{
	close(other_end[0]);
	other_end[0] = -1;
}

/* A device of --net socket, and its peer. */
static void begin_socket(bool server)
{
	struct net_options o = {
		.text = "socket", .kind = NET_SOCKET, .pairs = 1, .path = place,
		.server = server,
	};
	struct sockaddr_un name = { .sun_family = AF_UNIX };
	int fd;

	strcpy(place, template);
	close(mkstemp(place));
	unlink(place);
	if (server) {
		begin(0, &o);
		connect_to_place();
		return;
	}
	strcpy(name.sun_path, place);
	fd = socket(AF_UNIX, SOCK_STREAM, 0);
	CHECK_EQ("bind", bind(fd, (void *)&name, sizeof(name)), 0);
	CHECK_EQ("listen", listen(fd, 1), 0);
	begin(0, &o);
	other_end[0] = accept(fd, NULL, NULL);
	/* Nobody is there when it looks for another. */
	close(fd);
	unlink(place);
}

static void end_socket(void)
{
	end();
	hang_up();
}

static bool link_is_up(void)
{
	const struct plex86_net_config *config =
		(void *)((u8 *)device_page(dev) + PLEX86_DEV_CONFIG);

	return config->link & PLEX86_NET_LINK_UP;
}

/* 60 bytes for everybody, and what is said to be their number. */
static void peer_sends(u8 length)
{
	u8 bytes[64] = { 0, 0, 0, length, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };

	CHECK_EQ("frame", write(other_end[0], bytes, sizeof(bytes)),
		 sizeof(bytes));
}

static void socket_wakes(void **state)
{
	(void)state;
	begin_socket(false);
	all_go(40);
	end_socket();
}

static void socket_hangs_up(void **state)
{
	(void)state;
	/* While a frame of its own waits for buffers. */
	begin_socket(false);
	work();
	peer_sends(60);
	settle("no buffers");
	hang_up();
	settle("hung up");
	CHECK("not read yet", link_is_up());
	post(1, BUFFERS, 1024);
	work();
	CHECK_EQ("frame", ring(0)->comp_prod, 1);
	settle("read");
	CHECK("read", !link_is_up());
	end_socket();

	/* While there is no driver. */
	begin_socket(false);
	states[0].ready = false;
	settle("no driver");
	hang_up();
	settle("no driver");
	CHECK("no driver", !link_is_up());
	end_socket();
}

/* What one peer did not take does not wait for the next. */
static void socket_drops(void **state)
{
	(void)state;
	begin_socket(true);
	settle("connected");
	fill(40);
	peer_sends(1);
	settle("dropped");
	CHECK("dropped", !link_is_up());
	CHECK_EQ("dropped", ring(1)->comp_prod, 40);
	end_socket();
}

static void no_descriptor(void **state)
{
	(void)state;
	begin_socket(true);
	accept_fails = true;
	settle("none");
	CHECK("none", !link_is_up());
	accept_fails = false;
	now += 1000000000;
	settle("later");
	CHECK("later", link_is_up());
	end_socket();
}

/* Said once, until there was a good one. */
static void bad_frames(void **state)
{
	static const struct {
		u8 length;
		u32 complaints;
	} table[] = { { 1, 1 }, { 2, 1 }, { 60, 1 }, { 3, 2 }, { 4, 2 } };
	u32 i;

	(void)state;
	begin_socket(true);
	post(1, BUFFERS, 1024);
	for (i = 0; i < ARRAY_SIZE(table); i++) {
		settle("connected");
		CHECK("connected", link_is_up());
		peer_sends(table[i].length);
		settle("sent");
		CHECK_EQ(row("frame %u", i), complaints, table[i].complaints);
		hang_up();
		settle("hung up");
		connect_to_place();
	}
	CHECK_EQ("the good one", ring(0)->comp_prod, 1);
	end_socket();
}

/* A device of --net tap.  Its index is that of an interface that is there. */
static void begin_tap(u32 pairs)
{
	static char name[] = "lo";
	struct net_options o = {
		.text = "tap", .kind = NET_TAP, .pairs = pairs, .ifname = name,
	};

	taps = 0;
	tap_flags = IFF_UP;
	begin(0, &o);
	CHECK_EQ("open", taps, pairs);
}

static void end_tap(void)
{
	end();
	while (taps)
		close(other_end[--taps]);
}

static void tap_wakes(void **state)
{
	(void)state;
	begin_tap(1);
	all_go(40);
	end_tap();
}

/* A pair without buffers holds up itself alone. */
static void dry_pair(void **state)
{
	struct plex86_sub sub = {
		.op = PLEX86_NET_OP_RX, .segs = 1,
		.seg = { { BUFFERS, NET_BYTES, 0 } },
	};
	u8 bytes[HDR + 60];
	u32 i;

	(void)state;
	memset(bytes, 0, HDR);
	memset(bytes + HDR, 0xff, 60);
	begin_tap(2);
	submit(PLEX86_NET_RX(1), &sub);
	work();
	for (i = 0; i < 2; i++) {
		CHECK_EQ("frame", write(other_end[i], bytes, sizeof(bytes)),
			 sizeof(bytes));
		settle(row("frame %u", i));
	}
	CHECK_EQ("0", ring(PLEX86_NET_RX(0))->comp_prod, 0);
	CHECK_EQ("1", ring(PLEX86_NET_RX(1))->comp_prod, 1);
	end_tap();
}

/* More news of links than the socket holds: the interface is asked. */
static void lost_news(void **state)
{
	struct waits waits = { 0 };
	u32 i;

	(void)state;
	begin_tap(1);
	settle("up");
	CHECK("up", link_is_up());
	dev->ops->wait(dev, &waits);
	for (i = 0; i < waits.count; i++)
		waits.fds[i].revents = POLLERR;
	news_lost = true;
	tap_flags = 0;
	dev->ops->work(dev, &waits);
	CHECK("down", !link_is_up());
	free(waits.fds);
	end_tap();
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
		cmocka_unit_test(rates), cmocka_unit_test(slow_rate),
		cmocka_unit_test(limited_pair), cmocka_unit_test(records),
		cmocka_unit_test(socket_wakes),
		cmocka_unit_test(socket_hangs_up),
		cmocka_unit_test(socket_drops), cmocka_unit_test(no_descriptor),
		cmocka_unit_test(bad_frames), cmocka_unit_test(tap_wakes),
		cmocka_unit_test(dry_pair), cmocka_unit_test(lost_news),
		cmocka_unit_test(hostile_guest),
	};

	return RUN_TESTS("net", tests, setup, teardown);
}
