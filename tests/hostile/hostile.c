// SPDX-License-Identifier: GPL-2.0
/*
 * A launcher that is wrong about a device: put in front of some of its functions
 * by the linker (hostile.mk), this makes build/hostile/plex86 of them.
 *
 * What it does wrong, and when, another says: the file that the environment's
 * HOSTILE names holds a line "DEVICE KIND", and nothing when it is to be right
 * again.  It is read every few milliseconds.  Of what a boot begins with there
 * may be several lines, and these count when it does.  kinds[] has the kinds.
 *
 * How often it has done so is in the file of that name with ".done" behind, when
 * the orders are others: "DEVICE KIND COUNT".
 *
 * What it never does is to write to memory that the guest may have taken back:
 * no guest could stand that.  So a request that it has completed before its time
 * it never carries out.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "launcher.h"

#define POLL_NS		5000000u	/* between two looks at the orders */
#define LATE_NS		2000000000u
#define LATE_MOST	1024u
#define IDS_MOST	1024u		/* no queue of the launcher's has more */

/* When it is done wrong, of which there is a function for each. */
enum place {
	AT_NEXT,	/* a request is taken */
	AT_COMPLETE,	/* a completion is to be made */
	AT_START,	/* a boot begins */
	AT_ANY_TIME,	/* over and over */
};

struct kind;

/* A completion that is held back. */
struct late {
	struct queue *q;
	struct plex86_comp comp;
	u64 due_ns;
};

/* A queue of the device that it is about. */
struct account {
	bool taken[IDS_MOST];		/* ids that the launcher is at work on */
	bool early[IDS_MOST];		/* ids that it will find completed */
	bool old[IDS_MOST];		/* ids that were under way before a reset */
	u8 *first[IDS_MOST];		/* where their memory begins */
	u32 frame_left;			/* buffers of a frame that were not completed */
};

static struct hostile {
	int orders_fd, done_fd;
	char orders[64];		/* as they were read last */
	u64 read_ns;
	const struct kind *kind;	/* NULL: be right */
	struct device *device;
	unsigned long done;
	bool once;			/* what is done once was */
	u64 seed;

	u8 page[PAGE_SIZE];		/* of the device, as it is right */
	bool spoilt_page;
	struct account account[QUEUES_MAX];
	struct late late[LATE_MOST];
	u32 lates;
} h = {
	.orders_fd = -1, .done_fd = -1,
	.seed = 88172645463325252ull,
};

bool __real_queue_next(struct queue *q, struct request *req);
void __real_queue_complete(struct queue *q, u32 id, u16 status, u16 flags,
			   u32 bytes);
void __real_queue_detach(struct queue *q);
int __real_jail_note_inherited(struct vm_context *ctx);
void __real_devices_start(struct vm_context *ctx);
void __real_devices_wait(struct vm_context *ctx, struct waits *waits);
void __real_devices_work(struct vm_context *ctx, const struct waits *waits);
void __real_devices_stop(struct vm_context *ctx);

bool __wrap_queue_next(struct queue *q, struct request *req);
void __wrap_queue_complete(struct queue *q, u32 id, u16 status, u16 flags,
			   u32 bytes);
void __wrap_queue_detach(struct queue *q);
int __wrap_jail_note_inherited(struct vm_context *ctx);
void __wrap_devices_start(struct vm_context *ctx);
void __wrap_devices_wait(struct vm_context *ctx, struct waits *waits);
void __wrap_devices_work(struct vm_context *ctx, const struct waits *waits);
void __wrap_devices_stop(struct vm_context *ctx);

static u32 any(void)
{
	h.seed ^= h.seed << 13;
	h.seed ^= h.seed >> 7;
	h.seed ^= h.seed << 17;
	return (u32)(h.seed >> 16);
}

/* Values at the edges of what makes sense, or any. */
static u32 odd(void)
{
	static const u32 some[] = {
		0, 1, 3, 13, 256, 4095, 4097, 0x7fff, 0xffff, 0x10000,
		0x7fffffff, 0x80000000, ~0u,
	};

	return any() % 3 ? some[any() % (sizeof(some) / sizeof(some[0]))] : any();
}

/*
 * Rings.
 */

/* The account of @q, or NULL: it is of another device, or all is right. */
static struct account *account_of(const struct queue *q)
{
	struct device *dev = h.device;

	if (!dev || q < dev->queue || q >= dev->queue + QUEUES_MAX)
		return NULL;
	return &h.account[q - dev->queue];
}

/*
 * Completions all at once: the guest sees none before the last.  Those that there
 * is no room for are not made.
 */
static void put(struct queue *q, const struct plex86_comp *comps, u32 n)
{
	u32 cons = __atomic_load_n(&q->ring->comp_cons, __ATOMIC_ACQUIRE), i;

	for (i = 0; i < n && q->comp_prod - cons < q->entries; i++)
		q->comps[q->comp_prod++ & (q->entries - 1)] = comps[i];
	__atomic_store_n(&q->ring->comp_prod, q->comp_prod, __ATOMIC_RELEASE);
}

/* Has the guest made a request of this id that was not taken? */
static bool is_pending(const struct queue *q, u32 id)
{
	u32 prod = __atomic_load_n(&q->ring->sub_prod, __ATOMIC_ACQUIRE), i;

	for (i = q->sub_cons; i != prod; i++)
		if (q->subs[i & (q->entries - 1)].id == id)
			return true;
	return false;
}

static u32 bad_id(const struct queue *q)
{
	return q->entries + any() % (0u - q->entries);
}

/*
 * What is done when a completion is to be made: each is given the right one, and
 * may change it, and make others in front of it and behind.  Returns false if it
 * has left it as it was.
 */

struct answer {
	struct queue *q;
	struct account *account;
	struct plex86_comp comp[2];	/* what is to be made */
	u32 n;
};

static bool wrong_id(struct answer *a)
{
	a->comp[1] = a->comp[0];
	a->comp[0].id = bad_id(a->q);
	a->n = 2;
	return true;
}

static bool twice(struct answer *a)
{
	a->comp[1] = a->comp[0];
	a->n = 2;
	return true;
}

/* Of one that the guest has not made: it uses the upper half of ids last. */
static bool not_in_flight(struct answer *a)
{
	u32 id = a->q->entries / 2 + any() % (a->q->entries / 2);

	if (a->account->taken[id] || is_pending(a->q, id))
		return false;
	a->comp[1] = a->comp[0];
	a->comp[0].id = id;
	a->n = 2;
	return true;
}

/* Of the last one that it has made, which was not even looked at. */
static bool early(struct answer *a)
{
	struct queue *q = a->q;
	u32 prod = __atomic_load_n(&q->ring->sub_prod, __ATOMIC_ACQUIRE), id;

	if (prod == q->sub_cons)
		return false;
	id = q->subs[(prod - 1) & (q->entries - 1)].id;
	if (id >= q->entries || a->account->early[id])
		return false;
	a->account->early[id] = true;
	a->comp[1] = a->comp[0];
	a->comp[0] = (struct plex86_comp){ .id = id, .status = PLEX86_S_IOERR };
	a->n = 2;
	return true;
}

static bool too_long(struct answer *a)
{
	a->comp[0].bytes = any() % 2 ? ~0u : a->comp[0].bytes + 1 + any() % 70000;
	return true;
}

static bool too_short(struct answer *a)
{
	if (!a->comp[0].bytes)
		return false;
	a->comp[0].bytes = any() % a->comp[0].bytes;
	return true;
}

static bool of_nothing(struct answer *a)
{
	if (!a->comp[0].bytes)
		return false;
	a->comp[0].bytes = 0;
	return true;
}

static bool status(struct answer *a)
{
	a->comp[0].status = (u16)(1 + any() % 0xffff);
	a->comp[0].flags = (u16)odd();
	return true;
}

static bool flags(struct answer *a)
{
	a->comp[0].flags = (u16)odd();
	a->comp[0].zero = odd();
	return true;
}

/* The header of a frame that is complete but for telling of it. */
static struct plex86_net_hdr *header(struct answer *a)
{
	struct plex86_net_hdr *hdr = (void *)a->account->first[a->comp[0].id];
	u32 n = (u32)(a->q - h.device->queue);

	if (h.device->ops->type != PLEX86_DEV_NET || n % 2 ||
	    a->comp[0].bytes < sizeof(*hdr))
		return NULL;
	if (a->account->frame_left) {
		a->account->frame_left--;
		return NULL;
	}
	a->account->frame_left = hdr->buffers - 1u;
	return hdr;
}

static bool header_gso(struct answer *a)
{
	struct plex86_net_hdr *hdr = header(a);
	static const u8 types[] = {
		PLEX86_NET_HDR_GSO_TCPV4, PLEX86_NET_HDR_GSO_TCPV6,
		PLEX86_NET_HDR_GSO_TCPV4 | PLEX86_NET_HDR_GSO_ECN, 3, 5, 0x7f,
	};

	if (!hdr)
		return false;
	hdr->gso_type = types[any() % sizeof(types)];
	hdr->flags = (u8)(any() % 4);
	hdr->gso_size = (u16)odd();
	hdr->hdr_len = (u16)odd();
	hdr->csum_start = any() % 2 ? 34 : (u16)odd();
	hdr->csum_offset = any() % 2 ? 16 : (u16)odd();
	return true;
}

static bool header_csum(struct answer *a)
{
	struct plex86_net_hdr *hdr = header(a);

	if (!hdr)
		return false;
	hdr->gso_type = PLEX86_NET_HDR_GSO_NONE;
	hdr->flags = PLEX86_NET_HDR_NEEDS_CSUM;
	hdr->csum_start = (u16)odd();
	hdr->csum_offset = (u16)odd();
	return true;
}

static bool header_buffers(struct answer *a)
{
	struct plex86_net_hdr *hdr = header(a);

	if (!hdr)
		return false;
	hdr->buffers = any() % 2 ? (u16)odd() : (u16)(any() % 20);
	return true;
}

/* Once.  The index is right again with the next completion, if one is made. */
static bool index_jumps(struct answer *a)
{
	if (h.once)
		return false;
	h.once = true;
	__atomic_store_n(&a->q->ring->comp_prod,
			 a->q->comp_prod + a->q->entries + 1 + any() % 1000,
			 __ATOMIC_RELEASE);
	vm_device_interrupt(h.device->ctx, h.device->number);
	usleep(100000);		/* until the guest has seen it */
	return true;
}

static bool index_goes_back(struct answer *a)
{
	if (h.once)
		return false;
	h.once = true;
	__atomic_store_n(&a->q->ring->comp_prod, a->q->comp_prod - 1,
			 __ATOMIC_RELEASE);
	vm_device_interrupt(h.device->ctx, h.device->number);
	usleep(100000);
	return true;
}

static bool late(struct answer *a)
{
	if (h.lates == LATE_MOST || any() % 16)
		return false;
	h.late[h.lates++] = (struct late){ a->q, a->comp[0], now_ns() + LATE_NS };
	a->n = 0;
	return true;
}

/*
 * What is done over and over.
 */

static void interrupts(void)
{
	vm_device_interrupt(h.device->ctx, h.device->number);
}

/* As many completions of nothing as the guest takes. */
static void flood(void)
{
	struct plex86_comp comps[16];
	u32 n, i, turn;

	for (turn = 0; turn < 64; turn++)
		for (n = 0; n < QUEUES_MAX; n++) {
			struct queue *q = &h.device->queue[n];

			if (!q->entries || q->broken)
				continue;
			for (i = 0; i < 16; i++)
				comps[i] = (struct plex86_comp){ .id = bad_id(q) };
			put(q, comps, 16);
		}
	interrupts();
}

/* Completions that were made change while the guest reads them. */
static void rewrite(void)
{
	u32 n, i, turn;

	interrupts();
	for (n = 0; n < QUEUES_MAX; n++) {
		struct queue *q = &h.device->queue[n];

		for (turn = 0; q->entries && turn < 2000; turn++) {
			struct plex86_comp *comp;

			i = (q->comp_prod - 1 - any() % 8) & (q->entries - 1);
			comp = &q->comps[i];
			/* Nobody's, and no other's: that may be under way. */
			__atomic_fetch_xor(&comp->id, 0x80000000,
					   __ATOMIC_RELAXED);
			__atomic_store_n(&comp->status,
					 (u16)(any() % 2 ? 0 : odd()),
					 __ATOMIC_RELAXED);
			__atomic_store_n(&comp->flags, (u16)odd(),
					 __ATOMIC_RELAXED);
			__atomic_store_n(&comp->bytes, odd(), __ATOMIC_RELAXED);
		}
		for (i = 0; i < q->entries; i++)
			q->comps[i].id &= 0x7fffffff;
	}
}

/* The host's other words of a ring: those that the guest reads, and its own. */
static void events(void)
{
	u32 n;

	for (n = 0; n < QUEUES_MAX; n++) {
		struct queue *q = &h.device->queue[n];

		if (!q->entries)
			continue;
		__atomic_store_n(&q->ring->sub_event, odd(), __ATOMIC_RELAXED);
		__atomic_store_n(&q->ring->sub_cons, odd(), __ATOMIC_RELAXED);
	}
}

static void page_changes(void)
{
	struct plex86_dev *page = device_page(h.device);
	u32 *config = (void *)((u8 *)page + PLEX86_DEV_CONFIG);

	h.spoilt_page = true;
	switch (any() % 8) {
	case 0:
		page->queues = odd();
		break;
	case 1:
		page->queue_entries = odd();
		break;
	case 2:
		page->segs = odd();
		break;
	case 3:
		page->config_bytes = odd();
		break;
	case 4:
		page->features[any() % 2] = odd();
		break;
	case 5:
		page->generation = odd();
		break;
	default:
		config[any() % 10] = odd();
	}
	interrupts();
}

/* Never twice the same, and always one that it may be. */
static void generation_runs(void)
{
	struct plex86_dev *page = device_page(h.device);

	h.spoilt_page = true;
	__atomic_add_fetch(&page->generation, 2, __ATOMIC_SEQ_CST);
	interrupts();
}

static void generation_odd(void)
{
	struct plex86_dev *page = device_page(h.device);

	h.spoilt_page = true;
	__atomic_or_fetch(&page->generation, 1, __ATOMIC_SEQ_CST);
	interrupts();
}

/*
 * What is said when a boot begins: words of the device page.
 */

#define OF(type, member)	((u32)offsetof(struct type, member))
#define CONFIG(type, member)	(PLEX86_DEV_CONFIG + OF(type, member))

struct word {
	u32 at;
	u32 bytes;
	u64 value;
};

struct kind {
	const char *name;
	enum place place;
	bool (*answer)(struct answer *a);	/* AT_COMPLETE */
	void (*act)(void);			/* AT_ANY_TIME */
	u32 pause_us;				/* between two of these */
	struct word word[2];			/* AT_START; no bytes: none */
};

#define PAGE_WORD(member, value) \
	{ { OF(plex86_dev, member), 4, value } }
#define BLK_WORD(member, bytes, value) \
	{ { CONFIG(plex86_blk_config, member), bytes, value } }
#define NET_WORD(member, bytes, value) \
	{ { CONFIG(plex86_net_config, member), bytes, value } }

static const struct kind kinds[] = {
	/* Answers that are wrong. */
	{ "wrong-id", AT_COMPLETE, .answer = wrong_id },
	{ "twice", AT_COMPLETE, .answer = twice },
	{ "not-in-flight", AT_COMPLETE, .answer = not_in_flight },
	{ "early", AT_COMPLETE, .answer = early },
	{ "too-long", AT_COMPLETE, .answer = too_long },
	{ "too-short", AT_COMPLETE, .answer = too_short },
	{ "of-nothing", AT_COMPLETE, .answer = of_nothing },
	{ "status", AT_COMPLETE, .answer = status },
	{ "flags", AT_COMPLETE, .answer = flags },
	{ "header-gso", AT_COMPLETE, .answer = header_gso },
	{ "header-csum", AT_COMPLETE, .answer = header_csum },
	{ "header-buffers", AT_COMPLETE, .answer = header_buffers },
	{ "index-jumps", AT_COMPLETE, .answer = index_jumps },
	{ "index-goes-back", AT_COMPLETE, .answer = index_goes_back },
	/* Answers that come late, in the next life of a queue, or not at all. */
	{ "late", AT_COMPLETE, .answer = late },
	{ .name = "never", .place = AT_NEXT },
	/* What is done besides. */
	{ "interrupts", AT_ANY_TIME, .act = interrupts, .pause_us = 20 },
	{ "flood", AT_ANY_TIME, .act = flood, .pause_us = 1 },
	{ "rewrite", AT_ANY_TIME, .act = rewrite, .pause_us = 1 },
	{ "events", AT_ANY_TIME, .act = events, .pause_us = 50 },
	{ "page", AT_ANY_TIME, .act = page_changes, .pause_us = 200 },
	{ "generation-runs", AT_ANY_TIME, .act = generation_runs, .pause_us = 50 },
	{ "generation-odd", AT_ANY_TIME, .act = generation_odd, .pause_us = 1000 },
	/* What a boot begins with. */
	{ "start-type", AT_START, .word = PAGE_WORD(type, 99) },
	{ "start-gone", AT_START, .word = PAGE_WORD(status, PLEX86_DEV_GONE) },
	{ "start-generation", AT_START, .word = PAGE_WORD(generation, 1) },
	{ "start-features", AT_START,
	  .word = { { OF(plex86_dev, features), 8, ~0ull } } },
	{ "start-queues-0", AT_START, .word = PAGE_WORD(queues, 0) },
	{ "start-queues-most", AT_START, .word = PAGE_WORD(queues, ~0u) },
	{ "start-entries-0", AT_START, .word = PAGE_WORD(queue_entries, 0) },
	{ "start-entries-3", AT_START, .word = PAGE_WORD(queue_entries, 3) },
	{ "start-entries-most", AT_START, .word = PAGE_WORD(queue_entries, 1u << 31) },
	{ "start-segs-0", AT_START, .word = PAGE_WORD(segs, 0) },
	{ "start-segs-most", AT_START, .word = PAGE_WORD(segs, ~0u) },
	{ "start-config-0", AT_START, .word = PAGE_WORD(config_bytes, 0) },
	{ "start-config-most", AT_START, .word = PAGE_WORD(config_bytes, ~0u) },
	{ "start-block-0", AT_START, .word = BLK_WORD(block_bytes, 4, 0) },
	{ "start-block-513", AT_START, .word = BLK_WORD(block_bytes, 4, 513) },
	{ "start-block-most", AT_START,
	  .word = { { CONFIG(plex86_blk_config, block_bytes), 4, 1u << 31 },
		    { CONFIG(plex86_blk_config, physical_bytes), 4, 1u << 31 } } },
	{ "start-physical-0", AT_START, .word = BLK_WORD(physical_bytes, 4, 0) },
	{ "start-optimal-odd", AT_START, .word = BLK_WORD(optimal_bytes, 4, 4097) },
	{ "start-request-0", AT_START, .word = BLK_WORD(request_bytes, 4, 0) },
	{ "start-sectors-most", AT_START, .word = BLK_WORD(sectors, 8, ~0ull) },
	{ "start-discard-odd", AT_START, .word = BLK_WORD(discard_bytes, 4, 12289) },
	{ "start-serial-full", AT_START,
	  .word = { { CONFIG(plex86_blk_config, serial), 8, ~0ull },
		    { CONFIG(plex86_blk_config, serial) + 56, 8, ~0ull } } },
	{ "start-pairs-0", AT_START, .word = NET_WORD(pairs, 2, 0) },
	{ "start-pairs-most", AT_START, .word = NET_WORD(pairs, 2, 0xffff) },
	{ "start-mtu-0", AT_START,
	  .word = { { CONFIG(plex86_net_config, mtu), 8, 0 } } },
	{ "start-mtu-most", AT_START,
	  .word = { { CONFIG(plex86_net_config, mtu), 8, ~0ull } } },
	{ "start-mac-group", AT_START, .word = NET_WORD(mac, 6, 0xffffffffffff) },
	{ "start-speed-most", AT_START, .word = NET_WORD(speed_mbps, 4, ~0u) },
	{ "start-size-most", AT_START,
	  .word = { { CONFIG(plex86_con_config, rows), 4, ~0u } } },
};

/* The device and the kind that a line of orders names. */
static void understand(struct vm_context *ctx, const char *line,
		       struct device **dev, const struct kind **kind)
{
	char device[32] = "", name[32] = "";
	u32 i;

	*dev = NULL;
	*kind = NULL;
	if (sscanf(line, "%31s %31s", device, name) != 2)
		return;
	*dev = devices_find(&ctx->devices, device);
	for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (!strcmp(kinds[i].name, name))
			*kind = &kinds[i];
	if (*dev && *kind)
		return;
	complain("hostile: %s %s: no such device, or no such kind", device, name);
	exit(EXIT_CANNOT);
}

static void spoil_starts(struct vm_context *ctx, char *orders)
{
	const struct kind *kind;
	struct device *dev;
	char *line, *rest;
	u32 i;

	for (line = strtok_r(orders, "\n", &rest); line;
	     line = strtok_r(NULL, "\n", &rest)) {
		understand(ctx, line, &dev, &kind);
		for (i = 0; kind && i < 2 && kind->word[i].bytes; i++)
			memcpy((u8 *)device_page(dev) + kind->word[i].at,
			       &kind->word[i].value, kind->word[i].bytes);
	}
}

/*
 * Orders.
 */

/* The device page as it was, if it was another meanwhile, and news of that. */
static void mend_page(void)
{
	const struct plex86_dev *right = (void *)h.page;
	struct plex86_dev *page;

	if (!h.spoilt_page)
		return;
	h.spoilt_page = false;
	page = device_page(h.device);
	page->features[0] = right->features[0];
	page->features[1] = right->features[1];
	page->queues = right->queues;
	page->queue_entries = right->queue_entries;
	page->segs = right->segs;
	page->config_bytes = right->config_bytes;
	memcpy((u8 *)page + PLEX86_DEV_CONFIG, h.page + PLEX86_DEV_CONFIG,
	       PAGE_SIZE - PLEX86_DEV_CONFIG);
	__atomic_store_n(&page->generation, (page->generation | 1) + 1,
			 __ATOMIC_SEQ_CST);
	interrupts();
}

/* So that who gave the orders knows how often they were carried out. */
static void tell(void)
{
	char text[128];
	int n = snprintf(text, sizeof(text), "%s %lu\n", h.orders, h.done);

	if (h.orders[0] &&
	    (ftruncate(h.done_fd, 0) || pwrite(h.done_fd, text, (size_t)n, 0) != n))
		complain("hostile: cannot say what was done: %s", strerror(errno));
}

static void make_late_ones(void)
{
	u64 now = now_ns();
	u32 i, n;

	for (i = n = 0; i < h.lates; i++) {
		struct late *l = &h.late[i];

		if (l->due_ns > now) {
			h.late[n++] = *l;
			continue;
		}
		h.account[l->q - h.device->queue].taken[l->comp.id] = false;
		if (l->q->entries && !l->q->broken)
			put(l->q, &l->comp, 1);
		interrupts();
	}
	h.lates = n;
}

/* The end of some orders, and the beginning of others. */
static void obey(struct vm_context *ctx, const char *line)
{
	const struct kind *kind;
	struct device *dev;
	u32 i;

	tell();
	mend_page();
	/* What was held back is to come all the same, and now. */
	for (i = 0; i < h.lates; i++)
		h.late[i].due_ns = 0;
	make_late_ones();
	snprintf(h.orders, sizeof(h.orders), "%s", line);
	h.kind = NULL;
	h.done = 0;
	h.once = false;
	understand(ctx, line, &dev, &kind);
	if (!dev || kind->place == AT_START)
		return;
	/* Requests under way are of one device: the account is its. */
	if (h.device != dev)
		memset(h.account, 0, sizeof(h.account));
	h.device = dev;
	h.kind = kind;
	memcpy(h.page, device_page(dev), sizeof(h.page));
}

/*
 * The file that HOSTILE names, and the one beside it: before the jail lets no file
 * be opened, and after it has noted which descriptors are to be closed.
 */
int __wrap_jail_note_inherited(struct vm_context *ctx)
{
	int ret = __real_jail_note_inherited(ctx);
	const char *name = getenv("HOSTILE");
	char done[512];

	if (name) {
		snprintf(done, sizeof(done), "%s.done", name);
		h.orders_fd = open(name, O_RDONLY | O_CLOEXEC);
		h.done_fd = open(done, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	}
	if (h.orders_fd >= 0 && h.done_fd >= 0)
		return ret;
	complain("hostile: HOSTILE=%s: %s; let it name a file with orders",
		 name ? name : "", name ? strerror(errno) : "not set");
	exit(EXIT_CANNOT);
}

static void read_orders(struct vm_context *ctx, bool start)
{
	char text[4096] = "", line[sizeof(h.orders)];
	ssize_t n = pread(h.orders_fd, text, sizeof(text) - 1, 0);

	h.read_ns = now_ns();
	text[n > 0 ? n : 0] = 0;
	snprintf(line, sizeof(line), "%.*s", (int)strcspn(text, "\n"), text);
	if (start)
		spoil_starts(ctx, text);
	if (strcmp(line, h.orders))
		obey(ctx, line);
}

/*
 * In front of the launcher's own.
 */

/*
 * What was under way before a reset is completed after it, where the guest has
 * a request of that id again.
 */
static void complete_old_ones(struct queue *q, struct account *account)
{
	u32 id;

	for (id = 0; id < q->entries && id < IDS_MOST; id++) {
		struct plex86_comp comp = { .id = id, .status = PLEX86_S_IOERR };

		if (!account->old[id])
			continue;
		account->old[id] = false;
		account->early[id] = is_pending(q, id);
		if (account->early[id])
			h.done++;
		if (account->early[id])
			put(q, &comp, 1);
	}
}

bool __wrap_queue_next(struct queue *q, struct request *req)
{
	struct account *account = account_of(q);

	if (account && q->entries)
		complete_old_ones(q, account);
	while (__real_queue_next(q, req)) {
		if (!account || req->id >= IDS_MOST)
			return true;
		if (account->early[req->id]) {
			account->early[req->id] = false;
			continue;
		}
		account->taken[req->id] = true;
		account->first[req->id] = req->segs ? req->seg[0].iov_base : NULL;
		if (!h.kind || h.kind->place != AT_NEXT)
			return true;
		h.done++;
	}
	return false;
}

void __wrap_queue_complete(struct queue *q, u32 id, u16 status_, u16 flags_,
			   u32 bytes)
{
	struct answer a = {
		.q = q, .account = account_of(q), .n = 1,
		.comp[0] = { .id = id, .status = status_, .flags = flags_,
			     .bytes = bytes },
	};

	if (a.account && id < IDS_MOST) {
		if (h.kind && h.kind->place == AT_COMPLETE && !q->broken) {
			if (h.kind->answer(&a))
				h.done++;
		}
		if (a.n)
			a.account->taken[id] = false;
	}
	if (a.n == 1)
		__real_queue_complete(q, id, a.comp[0].status, a.comp[0].flags,
				      a.comp[0].bytes);
	else if (a.n && !q->broken)
		put(q, a.comp, a.n);
}

/* The guest has reset the device, or it goes: its memory is its own again. */
void __wrap_queue_detach(struct queue *q)
{
	struct account *account = account_of(q);
	u32 i, n;

	if (account && q->entries) {
		memcpy(account->old, account->taken, sizeof(account->old));
		memset(account->taken, 0, sizeof(account->taken));
		memset(account->early, 0, sizeof(account->early));
		account->frame_left = 0;
	}
	for (i = n = 0; i < h.lates; i++)
		if (h.late[i].q != q)
			h.late[n++] = h.late[i];
	h.lates = n;
	__real_queue_detach(q);
}

void __wrap_devices_start(struct vm_context *ctx)
{
	__real_devices_start(ctx);
	read_orders(ctx, true);
}

void __wrap_devices_wait(struct vm_context *ctx, struct waits *waits)
{
	u64 pause_ns = POLL_NS;

	__real_devices_wait(ctx, waits);
	if (h.kind && h.kind->place == AT_ANY_TIME)
		pause_ns = h.kind->pause_us * 1000ull;
	waits_until(waits, now_ns() + pause_ns);
}

void __wrap_devices_work(struct vm_context *ctx, const struct waits *waits)
{
	make_late_ones();
	if (now_ns() - h.read_ns > POLL_NS)
		read_orders(ctx, false);
	__real_devices_work(ctx, waits);
	if (h.device && h.kind && h.kind->place == AT_ANY_TIME) {
		h.kind->act();
		h.done++;
	}
}

/* The boot is over, and its memory goes. */
void __wrap_devices_stop(struct vm_context *ctx)
{
	tell();
	h.orders[0] = 0;
	h.device = NULL;
	h.kind = NULL;
	h.spoilt_page = false;
	h.lates = 0;
	__real_devices_stop(ctx);
}
