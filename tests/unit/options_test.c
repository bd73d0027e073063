// SPDX-License-Identifier: GPL-2.0
/*
 * launcher/options.c: each option in both spellings, and every way to say it
 * wrong with the words of the message.
 */
#include "launcher.h"
#include "unit.h"

#define MIB	(1ull << 20)

static char message[4096];

/* main.c's: what would be printed. */
void complain(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(message, sizeof(message), format, args);
	va_end(args);
}

static struct options options;

/* Parses the words up to NULL, at most four. */
static int parse(const char *a, const char *b, const char *c, const char *d)
{
	const char *words[] = { a, b, c, d };
	char *argv[5] = { 0 }, copy[4][4096];
	int argc = 0;

	message[0] = 0;
	memset(&options, 0xa5, sizeof(options));
	while (argc < 4 && words[argc]) {
		snprintf(copy[argc], sizeof(copy[0]), "%s", words[argc]);
		argv[argc] = copy[argc];
		argc++;
	}
	return options_parse(&options, argc, argv);
}

static void defaults(void **state)
{
	(void)state;
	CHECK_EQ("defaults", parse("--kernel", "k", NULL, NULL), 0);
	CHECK_STR("defaults", options.kernel, "k");
	CHECK_STR("defaults", options.initrd, NULL);
	CHECK_EQ("defaults", options.append[0], 0);
	CHECK_EQ("defaults", strcmp(options.console, "stdio"), 0);
	CHECK_STR("defaults", options.stats, NULL);
	CHECK_EQ("defaults", options.mem_bytes, 128 * MIB);
	CHECK_EQ("defaults", options.no_reboot, false);
	CHECK_EQ("defaults", options.nets, 1);
	CHECK_EQ("defaults", options.net[0].kind, NET_USER);
	CHECK_EQ("defaults", options.no_net, false);
	CHECK_EQ("defaults", options.mask_ia32, false);
	CHECK_EQ("defaults", options.mask_sud, false);
	CHECK_EQ("defaults", options.mask_cpuid, false);
	CHECK_EQ("defaults", message[0], 0);
}

static void no_kernel(void **state)
{
	(void)state;
	CHECK_EQ("nothing", parse(NULL, NULL, NULL, NULL), (u64)-1);
	CHECK_STR("nothing", message, "--kernel FILE");
	CHECK_EQ("other", parse("--mem=64M", NULL, NULL, NULL), (u64)-1);
	CHECK_STR("other", message, "--kernel FILE");
}

/* Every option that takes a string, as two words and as one. */
static void both_spellings(void **state)
{
	static const struct {
		const char *name, *value;
		size_t field;
	} table[] = {
		{ "kernel", "a/vmlinux", offsetof(struct options, kernel) },
		{ "initrd", "root.cpio", offsetof(struct options, initrd) },
		{ "append", "quiet init=/bin/sh",
		  offsetof(struct options, append) },
		{ "append", "", offsetof(struct options, append) },
		{ "append", "--mem", offsetof(struct options, append) },
		{ "append", "=", offsetof(struct options, append) },
		{ "console", "pty", offsetof(struct options, console) },
		{ "console", "log.txt", offsetof(struct options, console) },
		{ "stats", "s.json", offsetof(struct options, stats) },
		{ "control", "run/socket", offsetof(struct options, control) },
	};
	size_t i, spelling;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(table); i++)
	for (spelling = 0; spelling < 2; spelling++) {
		const char *r = row("--%s, spelling %zu", table[i].name,
				    spelling);
		char one[64], name[32];
		const char *got;
		char keep[64];
		char *argv[4];
		int argc = 0;

		snprintf(name, sizeof(name), "--%s", table[i].name);
		snprintf(one, sizeof(one), "--%s=%s", table[i].name,
			 table[i].value);
		snprintf(keep, sizeof(keep), "%s", table[i].value);
		argv[argc++] = (char[]){ "--kernel=other" };
		argv[argc++] = spelling ? one : name;
		if (!spelling)
			argv[argc++] = keep;
		CHECK_EQ(r, options_parse(&options, argc, argv), 0);
		memcpy(&got, (u8 *)&options + table[i].field, sizeof(got));
		CHECK_EQ(r, strcmp(got, table[i].value), 0);
	}
}

static void last_one_counts(void **state)
{
	(void)state;
	CHECK_EQ("two", parse("--kernel=a", "--mem=64M", "--mem=96M",
			      "--kernel=b"), 0);
	CHECK_EQ("two", strcmp(options.kernel, "b"), 0);
	CHECK_EQ("two", options.mem_bytes, 96 * MIB);
}

static void switches(void **state)
{
	(void)state;
	CHECK_EQ("no-reboot", parse("--no-reboot", "--kernel=k", NULL, NULL), 0);
	CHECK_EQ("no-reboot", options.no_reboot, true);
	CHECK_EQ("value", parse("--kernel=k", "--no-reboot=1", NULL, NULL),
		 (u64)-1);
	CHECK_STR("value", message, "--no-reboot takes no value");
	CHECK_EQ("value", parse("--kernel=k", "--no-reboot=", NULL, NULL),
		 (u64)-1);
	/* A switch takes no second word either. */
	CHECK_EQ("word", parse("--kernel=k", "--no-reboot", "yes", NULL),
		 (u64)-1);
	CHECK_STR("word", message, "yes: not an option");
}

static void mask_host(void **state)
{
	(void)state;
	CHECK_EQ("ia32", parse("--kernel=k", "--mask-host=ia32", NULL, NULL), 0);
	CHECK("ia32", options.mask_ia32 && !options.mask_sud &&
		      !options.mask_cpuid);
	CHECK_EQ("sud", parse("--kernel=k", "--mask-host", "sud", NULL), 0);
	CHECK("sud", !options.mask_ia32 && options.mask_sud &&
		     !options.mask_cpuid);
	CHECK_EQ("two", parse("--kernel=k", "--mask-host=sud",
			      "--mask-host=cpuid", NULL), 0);
	CHECK("two", !options.mask_ia32 && options.mask_sud &&
		     options.mask_cpuid);
	CHECK_EQ("bad", parse("--kernel=k", "--mask-host=avx", NULL, NULL),
		 (u64)-1);
	CHECK_STR("bad", message, "--mask-host avx: no such feature");
	CHECK_EQ("empty", parse("--kernel=k", "--mask-host=", NULL, NULL),
		 (u64)-1);
	CHECK_EQ("case", parse("--kernel=k", "--mask-host=SUD", NULL, NULL),
		 (u64)-1);
}

static void sizes(void **state)
{
	static const struct {
		const char *text;
		u64 bytes;		/* 0: refused */
		const char *message;
	} table[] = {
		{ "32", 32 * MIB, NULL },
		{ "32M", 32 * MIB, NULL },
		{ "32m", 32 * MIB, NULL },
		{ "256M", 256 * MIB, NULL },
		{ "0256M", 256 * MIB, NULL },
		{ "1G", 1024 * MIB, NULL },
		{ "3g", 3072 * MIB, NULL },
		{ "4G", 4096 * MIB, NULL },
		{ "32768K", 32 * MIB, NULL },
		{ "32772k", 32 * MIB + 4096, NULL },
		{ "32769K", 32 * MIB, NULL },		/* whole pages */
		{ "31M", 0, "too little" },
		{ "32767K", 0, "too little" },
		{ "0", 0, "too little" },
		{ "0G", 0, "too little" },
		{ "", 0, "not a size" },
		{ "M", 0, "not a size" },
		{ "-64M", 0, "not a size" },
		{ "-1", 0, "not a size" },
		{ " -18446744073709551488M", 0, "not a size" },
		{ " 64M", 0, "not a size" },
		{ "\t64M", 0, "not a size" },
		{ "+64M", 0, "not a size" },
		{ "64T", 0, "not a size" },
		{ "64MB", 0, "not a size" },
		{ "64MiB", 0, "not a size" },
		{ "64M ", 0, "not a size" },
		{ "64 M", 0, "not a size" },
		{ "64GM", 0, "not a size" },
		{ "64,5M", 0, "not a size" },
		{ "1.5G", 0, "not a size" },
		{ "0x40M", 0, "not a size" },
		{ "x", 0, "not a size" },
		{ "18446744073709551616", 0, "not a size" },	/* 2^64 */
		{ "18446744073709551615G", 0, "not a size" },
		{ "99999999999999999999999", 0, "not a size" },
		{ "17592186044417M", 0, "not a size" },		/* 2^44 + 1 */
		{ "17179869185G", 0, "not a size" },		/* 2^34 + 1 */
		{ "18014398509481985K", 0, "not a size" },	/* 2^54 + 1 */
	};
	size_t i, spelling;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(table); i++)
	for (spelling = 0; spelling < 2; spelling++) {
		const char *r = row("--mem '%s', spelling %zu", table[i].text,
				    spelling);
		char one[64];
		int ret;

		snprintf(one, sizeof(one), "--mem=%s", table[i].text);
		if (spelling)
			ret = parse("--kernel=k", one, NULL, NULL);
		else
			ret = parse("--kernel=k", "--mem", table[i].text, NULL);
		if (table[i].bytes) {
			CHECK_EQ(r, ret, 0);
			CHECK_EQ(r, options.mem_bytes, table[i].bytes);
			continue;
		}
		CHECK_EQ(r, ret, (u64)-1);
		CHECK_STR(r, message, table[i].message);
		CHECK_STR(r, message, "--mem");
	}
}

static void net_fields(void **state)
{
	static const u8 mac[6] = { 0x52, 0x54, 0, 0xAB, 0xcd, 0xef };
	const struct net_options *o = options.net;

	(void)state;
	CHECK_EQ("user", parse("--kernel=k", "--net",
			       "user,hostfwd=tcp::2222-:22,hostfwd=udp:127.0.0.1:53-10.0.2.20:5353",
			       NULL), 0);
	CHECK_EQ("user", options.nets, 1);
	CHECK_EQ("user", o->forwards, 2);
	CHECK_EQ("tcp", o->forward[0].udp, false);
	CHECK_EQ("tcp", o->forward[0].host.s_addr, 0);
	CHECK_EQ("tcp", o->forward[0].host_port, 2222);
	CHECK_EQ("tcp", o->forward[0].guest.s_addr, 0);
	CHECK_EQ("tcp", o->forward[0].guest_port, 22);
	CHECK_EQ("udp", o->forward[1].udp, true);
	CHECK_EQ("udp", ntohl(o->forward[1].host.s_addr), 0x7f000001);
	CHECK_EQ("udp", o->forward[1].host_port, 53);
	CHECK_EQ("udp", ntohl(o->forward[1].guest.s_addr), 0x0a000214);
	CHECK_EQ("udp", o->forward[1].guest_port, 5353);
	options_free(&options);

	CHECK_EQ("two", parse("--kernel=k",
			      "--net=tap,ifname=vm0,mac=52:54:00:AB:cd:ef,mtu=9000,pcap=a.pcap",
			      "--net=socket,path=/tmp/s,server=on,rx-rate=10M,tx-rate=1500k,queues=8",
			      NULL), 0);
	CHECK_EQ("two", options.nets, 2);
	CHECK_EQ("tap", o[0].kind, NET_TAP);
	CHECK_STR("tap", o[0].ifname, "vm0");
	CHECK_STR("tap", o[0].pcap, "a.pcap");
	CHECK_EQ("tap", memcmp(o[0].mac, mac, sizeof(mac)), 0);
	CHECK_EQ("tap", o[0].mtu, 9000);
	CHECK_EQ("tap", o[0].rx_rate, 0);
	CHECK_EQ("tap", o[0].pairs, 1);
	CHECK_EQ("socket", o[1].pairs, 8);
	CHECK_EQ("socket", o[1].kind, NET_SOCKET);
	CHECK_STR("socket", o[1].path, "/tmp/s");
	CHECK_EQ("socket", o[1].server, true);
	CHECK_EQ("socket", o[1].rx_rate, 10000000);
	CHECK_EQ("socket", o[1].tx_rate, 1500000);
	CHECK_EQ("socket", o[1].mtu, 0);
	options_free(&options);

	CHECK_EQ("none", parse("--kernel=k", "--net=none", NULL, NULL), 0);
	CHECK_EQ("none", options.nets, 0);
	CHECK_EQ("none", options.no_net, true);
}

static void net_refused(void **state)
{
	static const struct {
		const char *text, *message;
	} table[] = {
		{ "", "one of user, tap, socket, none" },
		{ "User", "one of user, tap, socket, none" },
		{ "tapx", "one of user, tap, socket, none" },
		{ "none,mtu=1500", "one of user, tap, socket, none" },
		{ "user,", "no such option of user" },
		{ "user,ifname=x", "ifname: no such option of user" },
		{ "tap,path=x", "path: no such option of tap" },
		{ "socket,hostfwd=tcp::1-:1", "no such option of socket" },
		{ "user,mtu", "mtu wants a value" },
		{ "user,mtu=", "not an MTU" },
		{ "user,mtu=575", "not an MTU" },
		{ "user,mtu=65536", "not an MTU" },
		{ "user,mtu=-1", "not an MTU" },
		{ "user,mtu=1500x", "not an MTU" },
		{ "user,mtu=99999999999999999999", "not an MTU" },
		{ "user,queues=0", "not a number of queues" },
		{ "user,queues=9", "not a number of queues" },
		{ "user,queues=two", "not a number of queues" },
		{ "user,mac=", "not an address" },
		{ "user,mac=52:54:00:12:34", "not an address" },
		{ "user,mac=52:54:00:12:34:5g", "not an address" },
		{ "user,mac=52:54:00:12:34:567", "not an address" },
		{ "user,mac=5:54:00:12:34:567", "not an address" },
		{ "user,mac=53:54:00:12:34:56", "must be even" },
		{ "user,mac=00:00:00:00:00:00", "one not zero" },
		{ "user,hostfwd=", "not a forward" },
		{ "user,hostfwd=2222-22", "not a forward" },
		{ "user,hostfwd=tcp:2222-:22", "not a forward" },
		{ "user,hostfwd=tcp::2222", "not a forward" },
		{ "user,hostfwd=tcp::2222-", "not a forward" },
		{ "user,hostfwd=tcp::2222-22", "not a forward" },
		{ "user,hostfwd=tcp::0-:22", "not a forward" },
		{ "user,hostfwd=tcp::65536-:22", "not a forward" },
		{ "user,hostfwd=tcp::2222-:0", "not a forward" },
		{ "user,hostfwd=tcp::2222-:22x", "not a forward" },
		{ "user,hostfwd=sctp::2222-:22", "not a forward" },
		{ "user,hostfwd=tcp:host:2222-:22", "not a forward" },
		{ "user,hostfwd=tcp:1.2.3:2222-:22", "not a forward" },
		{ "tap,ifname=", "not a name of an interface" },
		{ "tap,ifname=sixteen-letters-", "not a name of an interface" },
		{ "tap,ifname=a/b", "not a name of an interface" },
		{ "tap,ifname=tap%d", "not a name of an interface" },
		{ "socket", "say path=NAME" },
		{ "socket,server=on", "say path=NAME" },
		{ "socket,path=", "not a name for a socket" },
		{ "socket,path=x,server=yes", "say on or off" },
		{ "user,pcap=", "name a file" },
		{ "user,rx-rate=", "not a rate" },
		{ "user,rx-rate=0", "not a rate" },
		{ "user,rx-rate=7999", "not a rate" },
		{ "user,rx-rate=1T", "not a rate" },
		{ "user,rx-rate=1MM", "not a rate" },
		{ "user,rx-rate=1001G", "not a rate" },
		{ "user,tx-rate=1000000000000G", "not a rate" },
		/* A product that would not fit 64 bits. */
		{ "user,rx-rate=18446744074G", "not a rate" },
		{ "user,tx-rate=-1M", "tx-rate=-1M" },
	};
	char longer[200];
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(table); i++) {
		CHECK_EQ(table[i].text, parse("--kernel=k", "--net",
					      table[i].text, NULL), (u64)-1);
		CHECK_STR(table[i].text, message, table[i].message);
		CHECK_STR(table[i].text, message, "--net ");
		options_free(&options);
	}
	snprintf(longer, sizeof(longer), "socket,path=%0108d", 1);
	CHECK_EQ("path", parse("--kernel=k", "--net", longer, NULL), (u64)-1);
	CHECK_STR("path", message, "not a name for a socket");
	options_free(&options);
	CHECK_EQ("none", parse("--kernel=k", "--net=user", "--net=none", NULL),
		 (u64)-1);
	CHECK_STR("none", message, "there is another --net");
	options_free(&options);
	CHECK_EQ("none", parse("--kernel=k", "--net=none", "--net=user", NULL),
		 (u64)-1);
	CHECK_STR("none", message, "there is another --net");
}

static void too_many_nets(void **state)
{
	char net[] = "--net=user", kernel[] = "--kernel=k";
	char *argv[NETS_MAX + 2];
	u32 i;

	(void)state;
	argv[0] = kernel;
	for (i = 0; i <= NETS_MAX; i++)
		argv[i + 1] = net;
	CHECK_EQ("8", options_parse(&options, NETS_MAX + 1, argv), 0);
	options_free(&options);
	CHECK_EQ("9", options_parse(&options, NETS_MAX + 2, argv), (u64)-1);
	CHECK_STR("9", message, "too many");
	options_free(&options);
}

/* The words of --disk, and which of them say what. */
static void disks(void **state)
{
	static const struct {
		const char *text;
		struct disk_options want;	/* place NULL: refused */
	} table[] = {
		{ "file=a", { .place = "a" } },
		{ "file=a,,b", { .place = "a,b" } },
		{ "file=,,", { .place = "," } },
		{ "file=a,,,ro", { .place = "a,", .read_only = true } },
		{ "file=a=b", { .place = "a=b" } },
		{ "nbd=nbd://h/x?a=b", { .place = "nbd://h/x?a=b",
					 .medium = MEDIUM_NBD } },
		{ "ro,file=a", { .place = "a", .read_only = true } },
		{ "file=a,ro=on", { .place = "a", .read_only = true } },
		{ "file=a,ro,ro=off", { .place = "a" } },
		{ "file=a,snapshot", { .place = "a", .snapshot = true } },
		{ "file=a,snapshot=on", { .place = "a", .snapshot = true } },
		{ "file=a,cache=none", { .place = "a", .cache = CACHE_NONE } },
		{ "file=a,cache=writethrough",
		  { .place = "a", .cache = CACHE_WRITETHROUGH } },
		{ "file=a,block=4K", { .place = "a", .block_bytes = 4096 } },
		{ "file=a,block=512", { .place = "a", .block_bytes = 512 } },
		{ "file=a,iops=1000", { .place = "a", .iops = { 1000, 100 } } },
		{ "file=a,iops=5", { .place = "a", .iops = { 5, 0 } } },
		{ "file=a,bps=1m:4K", { .place = "a", .bps = { 1 << 20, 4096 } } },
		{ "file=a,bps=1G:0", { .place = "a", .bps = { 1 << 30, 0 } } },
		{ "nbd=n,timeout=5", { .place = "n", .medium = MEDIUM_NBD,
				       .timeout_s = 5 } },
		{ "file=a,format=raw", { .place = "a", .raw = true } },
		{ "", { 0 } }, { ",", { 0 } }, { "file=a,", { 0 } },
		{ ",file=a", { 0 } }, { "file", { 0 } }, { "file=", { 0 } },
		{ "a", { 0 } }, { "File=a", { 0 } }, { "file=a,RO", { 0 } },
		{ "file=a,file=b", { 0 } }, { "file=a,nbd=b", { 0 } },
		{ "file=a,iops=", { 0 } }, { "file=a,iops=-1", { 0 } },
		{ "file=a,iops=1:", { 0 } }, { "file=a,iops=1:2:3", { 0 } },
		{ "file=a,iops=2T", { 0 } }, { "file=a,iops=1KK", { 0 } },
		{ "file=a,bps=18446744073709551617", { 0 } },
		{ "file=a,block=0", { 0 } }, { "file=a,block=513", { 0 } },
		{ "file=a,serial=", { .place = "a", .serial = "" } },
		{ "file=a,serial=x", { .place = "a", .serial = "x" } },
		{ "file=a,serial=a,,b", { .place = "a", .serial = "a,b" } },
		{ "file=a,timeout=1", { 0 } }, { "nbd=n,timeout=0", { 0 } },
	};
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(table); i++) {
		const struct disk_options *want = &table[i].want;
		const char *r = row("--disk '%s'", table[i].text);
		struct disk_options got;
		int ret = disk_option(&got, table[i].text);

		if (!want->place) {
			CHECK_EQ(r, ret, (u64)-1);
			CHECK_STR(r, message, "--disk: ");
			disk_option_free(&got);
			continue;
		}
		CHECK_EQ(r, ret, 0);
		CHECK_EQ(r, strcmp(got.place, want->place), 0);
		CHECK_EQ(r, !got.serial, !want->serial);
		if (got.serial)
			CHECK_EQ(r, strcmp(got.serial, want->serial), 0);
		disk_option_free(&got);
		got.words = want->words;
		got.place = want->place;
		got.serial = want->serial;
		CHECK_EQ(r, memcmp(&got, want, sizeof(got)), 0);
	}
}

/* What is missing is named only if it is. */
static void disk_hint(void **state)
{
	struct disk_options got;

	(void)state;
	CHECK_EQ("foo", disk_option(&got, "foo"), (u64)-1);
	CHECK_STR("foo", message, "foo: no such option; file=PATH or nbd=URI comes first");
	disk_option_free(&got);
	CHECK_EQ("file=a,foo", disk_option(&got, "file=a,foo"), (u64)-1);
	CHECK_STR("file=a,foo", message, "foo: no such option; see 'plex86 help'");
	disk_option_free(&got);
}

static void missing_values(void **state)
{
	static const char *const names[] = {
		"--kernel", "--initrd", "--append", "--mem", "--console",
		"--stats", "--net", "--mask-host", "--disk", "--control",
	};
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(names); i++) {
		CHECK_EQ(names[i], parse("--kernel=k", names[i], NULL, NULL),
			 (u64)-1);
		CHECK_STR(names[i], message, names[i]);
		CHECK_STR(names[i], message, "wants a value");
	}
}

static void unknown_names(void **state)
{
	static const char *const words[] = {
		"--", "--=", "--=x", "--kern", "--kernels", "--Kernel", "--k=x",
		"--memory=64M", "--no-reboots", "--kernel k", "---kernel",
	};
	static const char *const no_options[] = {
		"", "-", "kernel", "-kernel=k", "-k", " --kernel",
	};
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(words); i++) {
		CHECK_EQ(words[i], parse("--kernel=k", words[i], "x", NULL),
			 (u64)-1);
		CHECK_STR(words[i], message, "no such option");
		CHECK_STR(words[i], message, words[i]);
	}
	for (i = 0; i < ARRAY_SIZE(no_options); i++) {
		CHECK_EQ(no_options[i], parse("--kernel=k", no_options[i], "x",
					      NULL), (u64)-1);
		CHECK_STR(no_options[i], message, "not an option");
	}
}

/* The command line's buffer in the guest takes 2048 bytes with the NUL. */
static void long_append(void **state)
{
	char text[IMAGE_CMDLINE_MAX + 2];

	(void)state;
	memset(text, 'a', sizeof(text));
	text[IMAGE_CMDLINE_MAX - 1] = 0;
	CHECK_EQ("2047", parse("--kernel=k", "--append", text, NULL), 0);
	CHECK_EQ("2047", strlen(options.append), 2047);
	text[IMAGE_CMDLINE_MAX - 1] = 'a';
	text[IMAGE_CMDLINE_MAX] = 0;
	CHECK_EQ("2048", parse("--kernel=k", "--append", text, NULL), (u64)-1);
	CHECK_STR("2048", message, "too long (2048 bytes; at most 2047)");
}

/* Every option is in the help, a line each, none wider than a terminal. */
static void help_names_all(void **state)
{
	static const char *const names[] = {
		"--kernel FILE", "--initrd FILE", "--append STRING",
		"--mem SIZE", "--console stdio|pty|FILE", "--stats FILE",
		"--no-reboot", "--mask-host FEATURE",
		"--net KIND[,OPTION...]", "--control SOCKET",
		"--disk file=PATH[,...]",
	};
	char text[4096] = { 0 }, *line;
	FILE *to = fmemopen(text, sizeof(text), "w");
	size_t i;

	(void)state;
	options_help(to);
	fclose(to);
	for (i = 0; i < ARRAY_SIZE(names); i++)
		CHECK_STR("help", text, names[i]);
	for (line = strtok(text, "\n"); line; line = strtok(NULL, "\n"))
		CHECK(line, strlen(line) <= 80);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(defaults), cmocka_unit_test(no_kernel),
		cmocka_unit_test(both_spellings),
		cmocka_unit_test(last_one_counts), cmocka_unit_test(switches),
		cmocka_unit_test(mask_host), cmocka_unit_test(sizes),
		cmocka_unit_test(net_fields), cmocka_unit_test(net_refused),
		cmocka_unit_test(too_many_nets),
		cmocka_unit_test(missing_values), cmocka_unit_test(disks),
		cmocka_unit_test(disk_hint),
		cmocka_unit_test(unknown_names), cmocka_unit_test(long_append),
		cmocka_unit_test(help_names_all),
	};

	return RUN_TESTS("options", tests, NULL, NULL);
}
