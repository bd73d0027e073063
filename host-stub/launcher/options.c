// SPDX-License-Identifier: GPL-2.0
/*
 * The command line of `plex86 run`: one table with each option's help, and
 * what sets it.
 */
#include "launcher.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define MEM_DEFAULT	(128ull << 20)
#define MEM_MIN		(32ull << 20)

struct option_entry {
	const char *name;
	const char *argument;	/* NULL: a switch */
	const char *help;
	int (*set)(struct options *options, const char *value);
};

static int set_kernel(struct options *o, const char *value)
{
	o->kernel = value;
	return 0;
}

static int set_initrd(struct options *o, const char *value)
{
	o->initrd = value;
	return 0;
}

static int set_append(struct options *o, const char *value)
{
	if (strlen(value) >= IMAGE_CMDLINE_MAX) {
		complain("--append: the command line is too long (%zu bytes; at most %u)",
			 strlen(value), IMAGE_CMDLINE_MAX - 1);
		return -1;
	}
	o->append = value;
	return 0;
}

static int set_mem(struct options *o, const char *value)
{
	unsigned long long n;
	char *end;

	errno = 0;
	n = strtoull(value, &end, 10);
	if (*value < '0' || *value > '9' || errno)	/* no blank, no sign */
		goto bad;
	switch (*end) {
	case 'G': case 'g':
		if (n > 1 << 20)
			goto bad;
		n <<= 30;
		end++;
		break;
	case 'K': case 'k':
		if (n > 1ull << 40)
			goto bad;
		n <<= 10;
		end++;
		break;
	case 'M': case 'm':
		end++;
		/* fall through */
	case 0:
		if (n > 1 << 30)
			goto bad;
		n <<= 20;
		break;
	}
	if (*end)
		goto bad;
	if (n < MEM_MIN) {
		complain("--mem %s: too little memory; a guest needs at least %lluM",
			 value, MEM_MIN >> 20);
		return -1;
	}
	o->mem_bytes = n & ~(u64)(PAGE_SIZE - 1);
	return 0;
bad:
	complain("--mem %s: not a size; write 256M or 1G", value);
	return -1;
}

static int set_console(struct options *o, const char *value)
{
	o->console = value;
	return 0;
}

static int set_disk(struct options *o, const char *value)
{
	if (o->disks == PLEX86_MAX_DEVICES - 1) {
		complain("--disk %s: too many; at most %u", value,
			 PLEX86_MAX_DEVICES - 1);
		return -1;
	}
	return disk_option(&o->disk[o->disks++], value);
}

static int set_stats(struct options *o, const char *value)
{
	o->stats = value;
	return 0;
}

static int set_control(struct options *o, const char *value)
{
	o->control = value;
	return 0;
}

/* Each adds one; "none" is all there is then. */
static int set_net(struct options *o, const char *value)
{
	if (o->no_net || (o->nets && !strcmp(value, "none"))) {
		complain("--net none: there is another --net; say one of them");
		return -1;
	}
	if (!strcmp(value, "none")) {
		o->no_net = true;
		return 0;
	}
	if (o->nets == NETS_MAX) {
		complain("--net %s: too many; %u are possible", value, NETS_MAX);
		return -1;
	}
	return net_options_parse(&o->net[o->nets++], value);
}

static int set_no_reboot(struct options *o, const char *value)
{
	(void)value;
	o->no_reboot = true;
	return 0;
}

static int set_unchecked(struct options *o, const char *value)
{
	(void)value;
	o->unchecked = true;
	return 0;
}

static int set_isolation(struct options *o, const char *value)
{
	if (!strcmp(value, "keys")) {
		o->isolation = ISOLATION_KEYS;
	} else if (!strcmp(value, "none")) {
		o->isolation = ISOLATION_NONE;
	} else if (!strcmp(value, "scan")) {
		o->isolation = ISOLATION_SCAN;
	} else {
		complain("--isolation %s: no such way; keys (protection keys) or none",
			 value);
		return -1;
	}
	return 0;
}

static int set_jail(struct options *o, const char *value)
{
	if (strcmp(value, "on") && strcmp(value, "off")) {
		complain("--jail %s: no such way; on or off", value);
		return -1;
	}
	o->jail = !strcmp(value, "on");
	return 0;
}

static int set_mask_host(struct options *o, const char *value)
{
	if (!strcmp(value, "ia32")) {
		o->mask_ia32 = true;
	} else if (!strcmp(value, "sud")) {
		o->mask_sud = true;
	} else if (!strcmp(value, "cpuid")) {
		o->mask_cpuid = true;
	} else if (!strcmp(value, "sysenter")) {
		o->mask_sysenter = true;
	} else if (!strcmp(value, "keys")) {
		o->mask_keys = true;
	} else if (!strcmp(value, "uring")) {
		o->mask_uring = true;
	} else if (!strcmp(value, "seccomp")) {
		o->mask_seccomp = true;
	} else if (!strcmp(value, "landlock")) {
		o->mask_landlock = true;
	} else {
		complain("--mask-host %s: no such feature; one of ia32, sud, cpuid, sysenter, keys, uring, seccomp, landlock",
			 value);
		return -1;
	}
	return 0;
}

static const struct option_entry entries[] = {
	{ "kernel", "FILE", "the guest kernel's vmlinux", set_kernel },
	{ "initrd", "FILE", "its initial RAM disk (a cpio archive)", set_initrd },
	{ "append", "STRING", "the kernel's command line", set_append },
	{ "mem", "SIZE", "the guest's memory, e.g. 256M or 1G (128M)", set_mem },
	{ "console", "stdio|pty|FILE",
	  "where the guest's console is (stdio);\n"
	  "a FILE gets the output, and there is no input", set_console },
	{ "disk", "file=PATH[,...]",
	  "a disk on a file or block device, hblka and so on.\n"
	  "Or nbd=URI, on an NBD server. Options:\n"
	  "ro               the guest only reads it\n"
	  "snapshot=on      what it writes is thrown away\n"
	  "cache=writeback|writethrough|none   (writeback)\n"
	  "serial=STRING    for /sys/block/hblka/serial\n"
	  "block=BYTES      size of its blocks (512)\n"
	  "iops=N, bps=N    at most so many a second; N:BURST\n"
	  "format=raw       it is, whatever it begins with\n"
	  "timeout=SECONDS  for an answer of the server (30)\n"
	  "A comma in a name is written twice", set_disk },
	{ "net", "KIND[,OPTION...]",
	  "a network interface of the guest's (user); KIND is\n"
	  "user: a network of its own behind this host, with\n"
	  "  DHCP and DNS; hostfwd=tcp:[ADDR]:PORT-[ADDR]:PORT\n"
	  "  makes a port of the guest's one of the host's\n"
	  "tap: an interface of the host's; ifname=NAME\n"
	  "socket: a peer at path=NAME; server=on: wait for it\n"
	  "none: no interface\n"
	  "Options of all: mac=ADDR, mtu=BYTES, queues=N,\n"
	  "rx-rate=BITS/S, tx-rate=BITS/S, pcap=FILE (what goes\n"
	  "through)", set_net },
	{ "isolation", "keys|none",
	  "keep guest programs, guest kernel and monitor\n"
	  "apart by protection keys (keys), or not at all, for\n"
	  "hosts that have none",
	  set_isolation },
	{ "jail", "on|off",
	  "give up all rights that the other options do not\n"
	  "need, before the guest starts (on)", set_jail },
	{ "stats", "FILE", "write counters and times there as JSON", set_stats },
	{ "control", "SOCKET",
	  "listen there for 'plex86 control SOCKET COMMAND':\n"
	  "remove DEVICE    take it from the guest\n"
	  "resize DEVICE    its file has another size\n"
	  "A DEVICE is disk1, net1, ... in the order given", set_control },
	{ "no-reboot", NULL, "end when the guest reboots", set_no_reboot },
	{ "unchecked", NULL, "boot it even if 'plex86 check' finds faults",
	  set_unchecked },
	{ "mask-host", "FEATURE",
	  "do as if the host lacked it (for tests): ia32, sud,\n"
	  "cpuid (that it can be made to fault), sysenter,\n"
	  "keys, uring, seccomp, landlock",
	  set_mask_host },
};

#define N_ENTRIES (sizeof(entries) / sizeof(entries[0]))

/* options_free() - let go of what options_parse() has made */
void options_free(struct options *options)
{
	while (options->nets)
		net_options_free(&options->net[--options->nets]);
	while (options->disks)
		disk_option_free(&options->disk[--options->disks]);
}

/* options_help() - print the table */
void options_help(FILE *to)
{
	size_t i;

	for (i = 0; i < N_ENTRIES; i++) {
		const char *line = entries[i].help, *end;
		char head[64];

		snprintf(head, sizeof(head), "--%s%s%s", entries[i].name,
			 entries[i].argument ? " " : "",
			 entries[i].argument ? entries[i].argument : "");
		fprintf(to, "  %-26s", head);
		if (strlen(head) > 25)
			fprintf(to, "\n%28s", "");
		while ((end = strchr(line, '\n'))) {
			fprintf(to, "%.*s\n%28s", (int)(end - line), line, "");
			line = end + 1;
		}
		fprintf(to, "%s\n", line);
	}
}

static const struct option_entry *find(const char *name, size_t len)
{
	size_t i;

	for (i = 0; i < N_ENTRIES; i++)
		if (strlen(entries[i].name) == len &&
		    !memcmp(entries[i].name, name, len))
			return &entries[i];
	return NULL;
}

/*
 * options_parse() - read the words behind `plex86 run`
 *
 * Both --name VALUE and --name=VALUE are understood.  Returns 0, or -1 after
 * saying what is wrong.
 */
int options_parse(struct options *options, int argc, char **argv)
{
	int i;

	memset(options, 0, sizeof(*options));
	options->append = "";
	options->console = "stdio";
	options->mem_bytes = MEM_DEFAULT;
	options->jail = true;
	for (i = 0; i < argc; i++) {
		const struct option_entry *entry;
		const char *word = argv[i], *value;

		if (strncmp(word, "--", 2)) {
			complain("%s: not an option; see 'plex86 help'", word);
			return -1;
		}
		value = strchr(word, '=');
		entry = find(word + 2, value ? (size_t)(value - word - 2) :
					       strlen(word + 2));
		if (!entry) {
			complain("%s: no such option; see 'plex86 help'", word);
			return -1;
		}
		if (!entry->argument && value) {
			complain("--%s takes no value", entry->name);
			return -1;
		}
		if (value)
			value++;
		else if (entry->argument)
			value = ++i < argc ? argv[i] : NULL;
		if (entry->argument && !value) {
			complain("--%s wants a value: %s", entry->name,
				 entry->argument);
			return -1;
		}
		if (entry->set(options, value))
			return -1;
	}
	if (!options->kernel) {
		complain("no kernel: say --kernel FILE");
		return -1;
	}
	if (!options->nets && !options->no_net)
		return net_options_parse(&options->net[options->nets++],
					 "user");
	return 0;
}
