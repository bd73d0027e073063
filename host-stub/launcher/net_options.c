// SPDX-License-Identifier: GPL-2.0
/*
 * The words of --net: KIND[,OPTION...].
 */
#include "launcher.h"
#include "net.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <string.h>
#include <sys/un.h>

#define MTU_MIN		576u

/* Which kinds an option is for. */
#define FOR_USER	(1u << NET_USER)
#define FOR_TAP		(1u << NET_TAP)
#define FOR_SOCKET	(1u << NET_SOCKET)
#define FOR_ALL		(FOR_USER | FOR_TAP | FOR_SOCKET)

static const char *const kinds[] = {
	[NET_USER] = "user", [NET_TAP] = "tap", [NET_SOCKET] = "socket",
};

static int bad(const struct net_options *o, const char *what, const char *value,
	       const char *hint)
{
	complain("--net %s: %s=%s: %s", o->text, what, value, hint);
	return -1;
}

/* A decimal number of nothing but digits, up to @max; *@end is behind it. */
static bool number(const char *text, u64 max, u64 *n, char **end)
{
	errno = 0;
	*n = strtoull(text, end, 10);
	return *text >= '0' && *text <= '9' && !errno && *n <= max;
}

static int set_text(char **to, const char *value)
{
	free(*to);
	*to = strdup(value);
	if (*to)
		return 0;
	complain("out of memory");
	return -1;
}

static int set_ifname(struct net_options *o, const char *value)
{
	if (!*value || strlen(value) >= IFNAMSIZ || strpbrk(value, "/% \t"))
		return bad(o, "ifname", value,
			   "not a name of an interface (1 to 15 characters)");
	return set_text(&o->ifname, value);
}

static int set_path(struct net_options *o, const char *value)
{
	if (!*value || strlen(value) >= sizeof(((struct sockaddr_un *)0)->sun_path))
		return bad(o, "path", value,
			   "not a name for a socket (1 to 107 bytes)");
	return set_text(&o->path, value);
}

static int set_server(struct net_options *o, const char *value)
{
	if (strcmp(value, "on") && strcmp(value, "off"))
		return bad(o, "server", value, "say on or off");
	o->server = !strcmp(value, "on");
	return 0;
}

static int set_pcap(struct net_options *o, const char *value)
{
	if (!*value)
		return bad(o, "pcap", value, "name a file");
	return set_text(&o->pcap, value);
}

static int set_mac(struct net_options *o, const char *value)
{
	static const u8 none[6];
	char end;

	/* %hhx would take a sign and blanks. */
	if (strlen(value) != 17 ||
	    strspn(value, "0123456789abcdefABCDEF:") != 17 ||
	    sscanf(value, "%2hhx:%2hhx:%2hhx:%2hhx:%2hhx:%2hhx%c", &o->mac[0],
		   &o->mac[1], &o->mac[2], &o->mac[3], &o->mac[4], &o->mac[5],
		   &end) != 6)
		return bad(o, "mac", value,
			   "not an address; write 52:54:00:12:34:56");
	if ((o->mac[0] & 1) || !memcmp(o->mac, none, sizeof(none)))
		return bad(o, "mac", value,
			   "not a station's address: the first byte must be even, and one not zero");
	return 0;
}

static int set_mtu(struct net_options *o, const char *value)
{
	char *end;
	u64 n;

	if (!number(value, PLEX86_NET_MTU_MAX, &n, &end) || *end || n < MTU_MIN)
		return bad(o, "mtu", value, "not an MTU (576 to 65535)");
	o->mtu = (u32)n;
	return 0;
}

static int set_queues(struct net_options *o, const char *value)
{
	char *end;
	u64 n;

	if (!number(value, NET_PAIRS_MAX, &n, &end) || *end || !n)
		return bad(o, "queues", value, "not a number of queues (1 to 8)");
	o->pairs = (u32)n;
	return 0;
}

static int set_rate(struct net_options *o, const char *what, u64 *rate,
		    const char *value)
{
	const u64 most = 1000000000000;
	const char *units = "kKmMgG", *unit;
	char *end;
	u64 n;
	long i;

	if (!number(value, most, &n, &end) || !n)
		goto fail;
	unit = *end ? strchr(units, *end) : NULL;
	if (unit) {
		for (i = (unit - units) / 2; i >= 0 && n <= most; i--)
			n *= 1000;
		end++;
	}
	/* So slow a link does not pass a frame in a second. */
	if (*end || n < 8000 || n > most)
		goto fail;
	*rate = n;
	return 0;
fail:
	return bad(o, what, value,
		   "not a rate in bits a second (8K to 1000G)");
}

static int set_rx_rate(struct net_options *o, const char *value)
{
	return set_rate(o, "rx-rate", &o->rx_rate, value);
}

static int set_tx_rate(struct net_options *o, const char *value)
{
	return set_rate(o, "tx-rate", &o->tx_rate, value);
}

/* "[ADDR]:PORT" up to @last, which is left behind. */
static bool address(char **at, char last, struct in_addr *addr, u16 *port)
{
	char *colon = strchr(*at, ':'), *end;
	u64 n;

	if (!colon)
		return false;
	*colon = 0;
	if (**at && inet_pton(AF_INET, *at, addr) != 1)
		return false;
	if (!number(colon + 1, 65535, &n, &end) || !n || *end != last)
		return false;
	*port = (u16)n;
	*at = last ? end + 1 : end;
	return true;
}

/* tcp:[ADDR]:PORT-[ADDR]:PORT */
static int set_hostfwd(struct net_options *o, const char *value)
{
	struct net_forward forward = { 0 };
	char copy[128], *at = copy;

	if (o->forwards == FORWARDS_MAX)
		return bad(o, "hostfwd", value, "too many; 32 are possible");
	if (strlen(value) >= sizeof(copy))
		goto fail;
	strcpy(copy, value);
	forward.udp = !strncmp(at, "udp:", 4);
	if (!forward.udp && strncmp(at, "tcp:", 4))
		goto fail;
	at += 4;
	if (!address(&at, '-', &forward.host, &forward.host_port) ||
	    !address(&at, 0, &forward.guest, &forward.guest_port))
		goto fail;
	o->forward[o->forwards++] = forward;
	return 0;
fail:
	return bad(o, "hostfwd", value,
		   "not a forward; write tcp::2222-:22 (the host's port, the guest's)");
}

static const struct {
	const char *name;
	u32 kinds;
	int (*set)(struct net_options *o, const char *value);
} entries[] = {
	{ "hostfwd", FOR_USER, set_hostfwd },
	{ "ifname", FOR_TAP, set_ifname },
	{ "path", FOR_SOCKET, set_path },
	{ "server", FOR_SOCKET, set_server },
	{ "mac", FOR_ALL, set_mac },
	{ "mtu", FOR_ALL, set_mtu },
	{ "pcap", FOR_ALL, set_pcap },
	{ "queues", FOR_ALL, set_queues },
	{ "rx-rate", FOR_ALL, set_rx_rate },
	{ "tx-rate", FOR_ALL, set_tx_rate },
};

#define N_ENTRIES (sizeof(entries) / sizeof(entries[0]))

static int set_option(struct net_options *o, char *word)
{
	char *value = strchr(word, '=');
	size_t i;

	if (value)
		*value++ = 0;
	for (i = 0; i < N_ENTRIES; i++)
		if (!strcmp(entries[i].name, word))
			break;
	if (i == N_ENTRIES || !(entries[i].kinds & 1u << o->kind)) {
		complain("--net %s: %s: no such option of %s; see 'plex86 help'",
			 o->text, word, kinds[o->kind]);
		return -1;
	}
	if (!value) {
		complain("--net %s: %s wants a value", o->text, word);
		return -1;
	}
	return entries[i].set(o, value);
}

/*
 * net_options_parse() - read what is behind --net
 * @text: KIND[,NAME=VALUE...], which stays where it is
 *
 * Returns 0, or -1 after saying what is wrong.  net_options_free() is for both.
 */
int net_options_parse(struct net_options *o, const char *text)
{
	char *copy = strdup(text), *at = copy, *word;
	int err = -1;
	size_t i;

	memset(o, 0, sizeof(*o));
	o->text = text;
	o->pairs = 1;
	if (!copy) {
		complain("out of memory");
		return -1;
	}
	word = strsep(&at, ",");
	for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (!strcmp(kinds[i], word))
			break;
	if (i == sizeof(kinds) / sizeof(kinds[0])) {
		complain("--net %s: no such kind of network; one of user, tap, socket, none",
			 text);
		goto out;
	}
	o->kind = (enum net_kind)i;
	while ((word = strsep(&at, ",")))
		if (set_option(o, word))
			goto out;
	if (o->kind == NET_SOCKET && !o->path) {
		complain("--net %s: which socket? say path=NAME", text);
		goto out;
	}
	err = 0;
out:
	free(copy);
	return err;
}

/* net_options_free() - let go of what net_options_parse() has made */
void net_options_free(struct net_options *o)
{
	free(o->ifname);
	free(o->path);
	free(o->pcap);
}
