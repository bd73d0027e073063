// SPDX-License-Identifier: GPL-2.0
/*
 * Command lines: launcher/options.c, and with it disk_option.c and net_options.c.
 *
 * The input is the words behind `plex86 run`, a line each. What is accepted must
 * be within the limits that the rest of the launcher stands on.
 */
#include "fuzz.h"
#include "launcher.h"

#define WORDS_MAX	32

static bool power_of_two(u32 n)
{
	return n && !(n & (n - 1));
}

static void check_disk(const struct disk_options *o)
{
	CHECK("disk", o->place && *o->place);
	CHECK("disk", !o->block_bytes || (power_of_two(o->block_bytes) &&
					  o->block_bytes >= PLEX86_BLK_SECTOR &&
					  o->block_bytes <= PAGE_SIZE));
	CHECK("disk", !o->serial || strlen(o->serial) <= PLEX86_BLK_SERIAL);
	CHECK("disk", o->iops.per_s <= 1ull << 40 && o->iops.burst <= 1ull << 40);
	CHECK("disk", o->bps.per_s <= 1ull << 40 && o->bps.burst <= 1ull << 40);
	CHECK("disk", o->timeout_s <= 86400);
	CHECK("disk", o->medium != MEDIUM_NBD || !o->snapshot);
}

static void check_net(const struct net_options *o)
{
	u32 i;

	CHECK("net", o->kind <= NET_SOCKET);
	CHECK("net", !(o->mac[0] & 1));
	CHECK("net", !o->mtu || (o->mtu >= 576 && o->mtu <= PLEX86_NET_MTU_MAX));
	CHECK("net", o->pairs && o->pairs <= NET_PAIRS_MAX);
	CHECK("net", !o->rx_rate || (o->rx_rate >= 8000 && o->rx_rate <= 1000000000000));
	CHECK("net", !o->tx_rate || (o->tx_rate >= 8000 && o->tx_rate <= 1000000000000));
	CHECK("net", o->kind != NET_SOCKET || o->path);
	CHECK("net", !o->path || (*o->path && strlen(o->path) < 108));
	CHECK("net", !o->ifname || (*o->ifname && strlen(o->ifname) < 16));
	CHECK("net", o->forwards <= FORWARDS_MAX);
	for (i = 0; i < o->forwards; i++)
		CHECK("net", o->forward[i].host_port && o->forward[i].guest_port);
}

static void check(const struct options *o)
{
	u32 i;

	CHECK("options", o->kernel && o->append && o->console);
	CHECK("options", strlen(o->append) < IMAGE_CMDLINE_MAX);
	CHECK("options", o->mem_bytes >= 32u << 20 && o->mem_bytes <= 1ull << 50);
	CHECK_EQ("options", o->mem_bytes % PAGE_SIZE, 0);
	CHECK("options", o->disks < PLEX86_MAX_DEVICES && o->nets <= NETS_MAX);
	CHECK("options", o->no_net ? !o->nets : o->nets);
	for (i = 0; i < o->disks; i++)
		check_disk(&o->disk[i]);
	for (i = 0; i < o->nets; i++)
		check_net(&o->net[i]);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t bytes)
{
	char *text = malloc(bytes + 1), *at = text, *argv[WORDS_MAX + 1];
	static struct options options;
	int argc = 0;

	memcpy(text, data, bytes);
	text[bytes] = 0;
	while (argc < WORDS_MAX && (argv[argc] = strsep(&at, "\n")))
		argc++;
	argv[argc] = NULL;
	if (!options_parse(&options, argc, argv))
		check(&options);
	options_free(&options);
	free(text);
	return 0;
}
