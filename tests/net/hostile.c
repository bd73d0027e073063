// SPDX-License-Identifier: GPL-2.0
/*
 * A host that is wrong about a device: takes the device's queues over from a
 * launcher that was stopped (SIGSTOP), and answers the guest with nonsense.
 *
 *   hostile PID DEVICE SECONDS WHAT
 *   hostile PID DEVICE poke OFFSET VALUE...	words of the device page; the
 *						launcher may go on
 *
 * WHAT is, for a network device,
 *   answers	completions: headers, lengths, statuses and ids of any value, some
 *		of them twice, between frames that are right
 *   indices	the same, and in between completions that were never made
 *   page	the device page: limits, configuration, generation
 *   offloads	frames with GSO_TCPV4, 200 of them
 *   refuse	no filter is taken; prints the flags of the last one
 * and for any
 *   break N	completions of more than there is, in queue N, once
 *
 * PID is the launcher's, whose memory files are opened by way of /proc.  Prints
 * how much it has done.
 *
 * What it does not do is to write to a buffer that it has given back, as no guest
 * could stand that.
 */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "state.h"

static u64 seed = 88172645463325252ull;

static u32 any(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (u32)(seed >> 16);
}

/* Values at the edges of what makes sense, or any. */
static u32 odd(void)
{
	static const u32 some[] = {
		0, 1, 2, 11, 12, 13, 14, 25, 26, 255, 256, 257, 4095, 4096, 4097,
		0x7fff, 0x8000, 0xffff, 0x10000, 0x7fffffff, 0x80000000, ~0u,
	};

	return any() % 3 ? some[any() % (sizeof(some) / sizeof(some[0]))] : any();
}

/* The memory file of @pid whose name ends with @name, mapped. */
static void *map(const char *pid, const char *name)
{
	char dir[64], path[512], target[512];
	struct dirent *entry;
	struct stat st;
	ssize_t n;
	void *at;
	DIR *fds;
	int fd;

	snprintf(dir, sizeof(dir), "/proc/%s/fd", pid);
	fds = opendir(dir);
	while (fds && (entry = readdir(fds))) {
		snprintf(path, sizeof(path), "%s/%s", dir, entry->d_name);
		n = readlink(path, target, sizeof(target) - 1);
		if (n <= 0)
			continue;
		target[n] = 0;
		if (!strstr(target, name))
			continue;
		fd = open(path, O_RDWR);
		if (fd < 0 || fstat(fd, &st))
			break;
		at = mmap(NULL, (size_t)st.st_size, PROT_READ | PROT_WRITE,
			  MAP_SHARED, fd, 0);
		if (at != MAP_FAILED)
			return at;
		break;
	}
	perror(name);
	exit(1);
}

/* A queue as its device sees it. */
struct queue_end {
	struct plex86_queue *ring;
	struct plex86_sub *subs;
	struct plex86_comp *comps;
	u32 entries, sub_cons, comp_prod;
};

static u8 *ram;
static struct state *state;
static u32 device;
static unsigned long done;

static void take_over(struct queue_end *end, u32 n)
{
	const struct queue_state *q = &state->queues[device * QUEUES_MAX + n];

	if (!q->ready) {
		fputs("hostile: the queue is not set\n", stderr);
		exit(1);
	}
	end->entries = q->entries;
	end->ring = (void *)(ram + q->gpa);
	end->subs = (void *)(ram + q->gpa + PLEX86_SUB_OFFSET);
	end->comps = (void *)(end->subs + q->entries);
	end->sub_cons = end->ring->sub_cons;
	end->comp_prod = end->ring->comp_prod;
}

/* The launcher's way to interrupt the guest (run.c). */
static void interrupt(void)
{
	struct plex86_info *info = (void *)state->info_page;
	pid_t pid = (pid_t)state->active_pid;

	__atomic_or_fetch(&info->dev_pending[device / 32], 1u << device % 32,
			  __ATOMIC_SEQ_CST);
	__atomic_or_fetch(&info->irq_pending, 1u << PLEX86_IRQ_BUS,
			  __ATOMIC_SEQ_CST);
	__atomic_store_n(&state->kicked, 1, __ATOMIC_SEQ_CST);
	syscall(SYS_tgkill, pid, pid, SIG_KICK);
}

static void complete(struct queue_end *end, u32 id, u16 status, u16 flags, u32 bytes)
{
	struct plex86_comp *comp;

	/* As it would be, but for what it says. */
	if (end->comp_prod - end->ring->comp_cons >= end->entries)
		return;
	comp = &end->comps[end->comp_prod & (end->entries - 1)];
	comp->id = id;
	comp->status = status;
	comp->flags = flags;
	comp->bytes = bytes;
	end->comp_prod++;
	__atomic_store_n(&end->ring->comp_prod, end->comp_prod,
			 __ATOMIC_RELEASE);
	done++;
}

/* Something like a frame, behind something like a header. */
static void make_frame(u8 *to)
{
	static const u16 kinds[] = { 0x0008, 0xdd86, 0x0608, 0x0081 };
	struct plex86_net_hdr *hdr = (void *)to;
	u32 i;

	for (i = 0; i < 300; i += 4) {
		u32 word = any();

		memcpy(to + i, &word, sizeof(word));
	}
	memset(to + sizeof(*hdr), 0xff, 6);
	memcpy(to + sizeof(*hdr) + 12, &kinds[any() % 4], 2);
	to[sizeof(*hdr) + 14] = any() % 2 ? 0x45 : 0x60;
	to[sizeof(*hdr) + 14 + 9] = 6;		/* TCP */
	memset(hdr, 0, sizeof(*hdr));
	hdr->buffers = 1;
	if (any() % 4)
		return;
	hdr->flags = (u8)(any() % 4);
	hdr->gso_type = any() % 2 ? (u8)(any() % 8) : (u8)odd();
	hdr->gso_size = (u16)odd();
	hdr->csum_start = (u16)(any() % 2 ? 34 : odd());
	hdr->csum_offset = (u16)(any() % 2 ? 16 : odd());
	hdr->buffers = (u16)(any() % 4 ? any() % 20 : odd());
}

static void answer(struct queue_end *end)
{
	struct plex86_sub sub = end->subs[end->sub_cons & (end->entries - 1)];
	u32 bytes = sub.op == PLEX86_NET_OP_RX ? 26 + any() % 1500 : 0;

	end->sub_cons++;
	end->ring->sub_cons = end->sub_cons;
	if (sub.op == PLEX86_NET_OP_RX)
		make_frame(ram + sub.seg[0].gpa);
	switch (any() % 8) {
	case 0:		/* of nobody's */
		complete(end, end->entries + any() % (0u - end->entries), 0, 0,
			 bytes);
		break;
	case 1:		/* twice */
		if (sub.op == PLEX86_NET_OP_TX)
			complete(end, sub.id, 0, 0, 0);
		break;
	case 2:
		bytes = odd();
		break;
	}
	complete(end, sub.id, any() % 8 ? 0 : (u16)odd(), (u16)odd(), bytes);
}

/* Right in all, but for a guest that did not accept PLEX86_NET_F_GUEST_TSO4. */
static void answer_offload(struct queue_end *end)
{
	struct plex86_sub sub = end->subs[end->sub_cons++ & (end->entries - 1)];
	struct plex86_net_hdr *hdr = (void *)(ram + sub.seg[0].gpa);
	u8 *frame = (void *)(hdr + 1);

	make_frame((void *)hdr);
	frame[12] = 8;
	frame[13] = 0;
	frame[14] = 0x45;
	*hdr = (struct plex86_net_hdr){
		.flags = PLEX86_NET_HDR_NEEDS_CSUM,
		.gso_type = PLEX86_NET_HDR_GSO_TCPV4, .gso_size = 100,
		.csum_start = 34, .csum_offset = 16, .buffers = 1,
	};
	complete(end, sub.id, PLEX86_S_OK, 0, 300);
}

static void refuse(struct queue_end *end)
{
	struct plex86_sub sub = end->subs[end->sub_cons++ & (end->entries - 1)];
	const struct plex86_net_filter *filter = (void *)(ram + sub.seg[0].gpa);
	u32 flags = filter->flags;

	complete(end, sub.id, PLEX86_S_UNSUPPORTED, 0, 0);
	done = flags;
}

static bool waits(const struct queue_end *end)
{
	return end->sub_cons !=
	       __atomic_load_n(&end->ring->sub_prod, __ATOMIC_ACQUIRE);
}

/* All of queue @n until @end, or until @most of it is done. */
static void serve(u32 n, void (*answer_one)(struct queue_end *), time_t end,
		  unsigned long most)
{
	struct queue_end queue;

	take_over(&queue, n);
	while (time(NULL) < end && done < most) {
		while (waits(&queue) && done < most)
			answer_one(&queue);
		queue.ring->sub_event = queue.sub_cons;
		interrupt();
		usleep(1000);
	}
}

static void break_queue(u32 n)
{
	struct queue_end end;

	take_over(&end, n);
	end.ring->comp_prod = end.ring->comp_cons + end.entries + 1;
	done++;
	interrupt();
	usleep(100000);		/* until the guest has seen it */
}

static void spoil_index(struct queue_end *end)
{
	end->ring->comp_prod = any() % 2 ? odd() :
		end->ring->comp_cons + end->entries + 1 + any() % 9;
	done++;
}

static void spoil_page(struct plex86_dev *page)
{
	struct plex86_net_config *config =
		(void *)((u8 *)page + PLEX86_DEV_CONFIG);

	done++;
	switch (any() % 6) {
	case 0:
		page->generation = any();
		break;
	case 1:
		config->link = odd();
		break;
	case 2:
		config->speed_mbps = odd();
		break;
	case 3:
		config->pairs = (u16)odd();
		config->mtu = odd();
		config->mtu_max = odd();
		break;
	case 4:
		page->queues = odd();
		page->segs = odd();
		page->queue_entries = odd();
		break;
	default:
		page->config_bytes = odd();
	}
}

/* "answers", "indices" and "page" */
static void nonsense(const char *what, time_t end)
{
	bool indices = !strcmp(what, "indices"), page = !strcmp(what, "page");
	struct queue_end ends[2];
	u32 n;

	for (n = 0; n < 2; n++)
		take_over(&ends[n], n);
	while (time(NULL) < end) {
		for (n = 0; n < 2 && !page; n++) {
			struct queue_end *e = &ends[n];
			u32 turn = 1 + any() % 32;

			while (turn-- && waits(e))
				answer(e);
			/* As a device that has nothing to do asks for a doorbell. */
			e->ring->sub_event = e->sub_cons;
			if (indices && !(any() % 1000))
				spoil_index(e);
		}
		if (page)
			spoil_page((void *)state->device_page[device]);
		interrupt();
		usleep(any() % 500);
	}
}

int main(int argc, char **argv)
{
	time_t end;
	int word;

	if (argc < 5)
		return 2;
	state = map(argv[1], "plex86-state");
	ram = map(argv[1], "plex86-ram");
	device = (u32)atoi(argv[2]);
	if (!strcmp(argv[3], "poke")) {
		for (word = 4; word + 1 < argc; word += 2)
			*(u32 *)(state->device_page[device] + atoi(argv[word])) =
				(u32)strtoul(argv[word + 1], NULL, 0);
		interrupt();
		return 0;
	}
	end = time(NULL) + atoi(argv[3]);
	if (!strcmp(argv[4], "break") && argc == 6)
		break_queue((u32)atoi(argv[5]));
	else if (!strcmp(argv[4], "offloads"))
		serve(0, answer_offload, end, 200);
	else if (!strcmp(argv[4], "refuse"))
		serve(2, refuse, end, ~0ul);
	else
		nonsense(argv[4], end);
	printf("%lu\n", done);
	return 0;
}
