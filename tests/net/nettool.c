// SPDX-License-Identifier: GPL-2.0
/*
 * The network tests' other end of a connection, and what ethtool would say: one
 * static 32-bit program for guest and host.
 *
 *   nettool send ADDRESS PORT BYTES	connect, and send that much of the pattern
 *   nettool take PORT BYTES		wait for somebody, and check that it comes
 *   nettool give PORT BYTES		wait for somebody, and send it
 *   nettool fetch ADDRESS PORT BYTES	connect, and check that it comes
 *   nettool echo PORT			answer each message of one connection
 *   nettool datagram PORT		answer one datagram
 *   nettool rtt ADDRESS PORT COUNT	ask so often: median and maximum, in us
 *   nettool calls ADDRESS PORT COUNT	so many connections and datagrams, each with
 *					an answer that is what was sent
 *   nettool ethtool IFACE		driver, rings, features, statistics
 *   nettool flood ADDRESS BYTES SECONDS	UDP datagrams to the discard port
 *   nettool join IFACE GROUP		be in an IPv4 group until killed
 *   nettool offload IFACE 0|1		checksums and segmentation by the interface
 *
 * A transfer prints "ok BYTES SECONDS MBIT/S".
 */
#define _GNU_SOURCE 1
#define _FILE_OFFSET_BITS 64

#include <arpa/inet.h>
#include <errno.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define CHUNK		(256u << 10)
#define PATTERN		(1u << 20)
#define CALL_MOST	32768u

static uint8_t pattern[PATTERN + CHUNK];

static void __attribute__((noreturn)) die(const char *what)
{
	fprintf(stderr, "nettool: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void *zeroed(size_t bytes)
{
	void *p = calloc(1, bytes);

	if (!p)
		die("memory");
	return p;
}

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

/* A stretch of bytes that differs at any two offsets nearby, over and over. */
static void make_pattern(void)
{
	uint32_t x = 2463534242u, i;

	for (i = 0; i < PATTERN; i++) {
		x ^= x << 13;
		x ^= x >> 17;
		x ^= x << 5;
		pattern[i] = (uint8_t)x;
	}
	memcpy(pattern + PATTERN, pattern, CHUNK);
}

static struct sockaddr_in address(const char *host, const char *port)
{
	struct sockaddr_in at = {
		.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port)),
	};

	if (host && inet_pton(AF_INET, host, &at.sin_addr) != 1) {
		errno = EINVAL;
		die(host);
	}
	return at;
}

static int tcp_connect(const char *host, const char *port)
{
	struct sockaddr_in at = address(host, port);
	int fd = socket(AF_INET, SOCK_STREAM, 0), tries = 0;

	while (connect(fd, (void *)&at, sizeof(at))) {
		if (errno != ECONNREFUSED || ++tries == 50)
			die("connect");
		close(fd);
		usleep(100000);
		fd = socket(AF_INET, SOCK_STREAM, 0);
	}
	return fd;
}

static int tcp_accept(const char *port)
{
	struct sockaddr_in at = address(NULL, port);
	int fd = socket(AF_INET, SOCK_STREAM, 0), one = 1;

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(fd, (void *)&at, sizeof(at)) || listen(fd, 1))
		die("listen");
	puts("listening");
	fflush(stdout);
	fd = accept(fd, NULL, NULL);
	if (fd < 0)
		die("accept");
	return fd;
}

static int report(double start, uint64_t bytes)
{
	double s = now() - start;

	printf("ok %llu %.3f %.1f\n", (unsigned long long)bytes, s,
	       (double)bytes * 8 / s / 1e6);
	return 0;
}

/*
 * Ends when the other side says that it has taken all of it.  The connection is
 * never closed by half: passt of 2023 repeats without end what a host sends to a
 * guest that has done so.
 */
static int give(int fd, uint64_t bytes)
{
	double start = now();
	uint64_t done = 0;
	char end;

	while (done < bytes) {
		uint64_t left = bytes - done;
		ssize_t n = write(fd, pattern + done % PATTERN,
				  left < CHUNK ? (size_t)left : CHUNK);

		if (n <= 0)
			die("write");
		done += (uint64_t)n;
	}
	if (read(fd, &end, 1) != 1)
		die("the other side did not take it");
	return report(start, bytes);
}

static int take(int fd, uint64_t bytes)
{
	static uint8_t buf[CHUNK];
	double start = now();
	uint64_t done = 0;
	ssize_t n;

	while (done < bytes) {
		n = read(fd, buf, sizeof(buf));
		if (n < 0)
			die("read");
		if (!n)
			break;
		if (memcmp(buf, pattern + done % PATTERN, (size_t)n)) {
			fprintf(stderr, "nettool: wrong bytes after %llu\n",
				(unsigned long long)done);
			return 1;
		}
		done += (uint64_t)n;
	}
	report(start, done);
	if (done == bytes && write(fd, "!", 1) != 1)
		die("write");
	if (done == bytes && !read(fd, buf, 1))
		return 0;
	fprintf(stderr, "nettool: %llu bytes came%s, wanted %llu\n",
		(unsigned long long)done, done == bytes ? ", and more" : "",
		(unsigned long long)bytes);
	return 1;
}

static int echo(int fd)
{
	char buf[64];
	int one = 1;
	ssize_t n;

	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	while ((n = read(fd, buf, sizeof(buf))) > 0)
		if (write(fd, buf, (size_t)n) != n)
			die("write");
	return 0;
}

static int datagram(const char *port)
{
	struct sockaddr_in at = address(NULL, port), from;
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	socklen_t from_bytes = sizeof(from);
	static char buf[65536];
	ssize_t n;

	if (bind(fd, (void *)&at, sizeof(at)))
		die("bind");
	puts("listening");
	fflush(stdout);
	n = recvfrom(fd, buf, sizeof(buf), 0, (void *)&from, &from_bytes);
	if (n < 0 || sendto(fd, buf, (size_t)n, 0, (void *)&from,
			    from_bytes) != n)
		die("datagram");
	return 0;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static int rtt(int fd, int count)
{
	double *us = zeroed((size_t)count * sizeof(*us)), start;
	int one = 1, i;
	char byte = 'x';

	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	for (i = 0; i < count; i++) {
		start = now();
		if (write(fd, &byte, 1) != 1 || read(fd, &byte, 1) != 1)
			die("echo");
		us[i] = (now() - start) * 1e6;
	}
	qsort(us, (size_t)count, sizeof(*us), compare);
	printf("rtt %.1f %.1f\n", us[count / 2], us[count - 1]);
	return 0;
}

/*
 * One connection: all comes back.  Of the most that there is the other side ends
 * it, else this one does.
 */
static int call(const char *host, const char *port, size_t bytes)
{
	static uint8_t buf[CHUNK];
	int fd = tcp_connect(host, port);
	size_t done = 0;
	ssize_t n;

	while (done < bytes) {
		n = write(fd, pattern + done, bytes - done);
		if (n <= 0)
			die("write");
		done += (size_t)n;
	}
	if (bytes < CALL_MOST)
		shutdown(fd, SHUT_WR);
	for (done = 0; (n = read(fd, buf + done, sizeof(buf) - done)) > 0;
	     done += (size_t)n)
		;
	if (n < 0)
		die("read");
	close(fd);
	return done != bytes || memcmp(buf, pattern, bytes);
}

/* One datagram, which may get lost, from a port that is always the same. */
static int ask(int fd, struct sockaddr_in *to, size_t bytes)
{
	static uint8_t buf[2048];
	ssize_t n = -1;
	int tries;

	for (tries = 0; tries < 20 && n < 0; tries++) {
		if (sendto(fd, pattern, bytes, 0, (void *)to, sizeof(*to)) < 0)
			die("sendto");
		do
			n = recv(fd, buf, sizeof(buf), 0);
		while (n >= 0 && (size_t)n != bytes);	/* a late one */
	}
	return n < 0 || memcmp(buf, pattern, bytes);
}

static int calls(const char *host, const char *port, unsigned int count)
{
	struct sockaddr_in to = address(host, port);
	struct sockaddr_in from = address(NULL, "7777");
	const struct timeval patience = { .tv_sec = 1 };
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	unsigned int i;

	if (bind(fd, (void *)&from, sizeof(from)) ||
	    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)))
		die("bind");
	for (i = 0; i < count; i++) {
		size_t bytes = i % 2 ? CALL_MOST : 1 + i * 7919 % (CALL_MOST - 1);

		if (call(host, port, bytes) ||
		    ask(fd, &to, 1 + bytes % 1400)) {
			fprintf(stderr, "nettool: call %u: not what was sent\n", i);
			return 1;
		}
	}
	return 0;
}

static int ethtool_ioctl(int fd, const char *name, void *data)
{
	struct ifreq ifr = { .ifr_data = data };

	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", name);
	return ioctl(fd, SIOCETHTOOL, &ifr);
}

static struct ethtool_gstrings *strings(int fd, const char *name, uint32_t set)
{
	struct {
		struct ethtool_sset_info info;
		uint32_t count;
	} sset = { .info = { .cmd = ETHTOOL_GSSET_INFO, .sset_mask = 1ull << set } };
	struct ethtool_gstrings *s;

	if (ethtool_ioctl(fd, name, &sset))
		die("ETHTOOL_GSSET_INFO");
	s = zeroed(sizeof(*s) + (size_t)sset.count * ETH_GSTRING_LEN);
	s->cmd = ETHTOOL_GSTRINGS;
	s->string_set = set;
	s->len = sset.count;
	if (ethtool_ioctl(fd, name, s))
		die("ETHTOOL_GSTRINGS");
	return s;
}

static int show_ethtool(const char *name)
{
	struct ethtool_drvinfo info = { .cmd = ETHTOOL_GDRVINFO };
	struct ethtool_ringparam ring = { .cmd = ETHTOOL_GRINGPARAM };
	struct ethtool_value link = { .cmd = ETHTOOL_GLINK };
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	struct ethtool_gstrings *names;
	struct ethtool_gfeatures *features;
	struct ethtool_stats *stats;
	uint32_t i;

	if (ethtool_ioctl(fd, name, &info) || ethtool_ioctl(fd, name, &ring) ||
	    ethtool_ioctl(fd, name, &link))
		die(name);
	printf("driver %s\nbus %s\nrings %u %u of %u %u\nlink %u\n", info.driver,
	       info.bus_info, ring.rx_pending, ring.tx_pending,
	       ring.rx_max_pending, ring.tx_max_pending, link.data);

	names = strings(fd, name, ETH_SS_FEATURES);
	features = zeroed(sizeof(*features) + (names->len + 31) / 32 *
			  sizeof(features->features[0]));
	features->cmd = ETHTOOL_GFEATURES;
	features->size = (names->len + 31) / 32;
	if (ethtool_ioctl(fd, name, features))
		die("ETHTOOL_GFEATURES");
	for (i = 0; i < names->len; i++)
		if (features->features[i / 32].active & 1u << i % 32)
			printf("feature %s\n",
			       (char *)names->data + i * ETH_GSTRING_LEN);

	names = strings(fd, name, ETH_SS_STATS);
	stats = zeroed(sizeof(*stats) + names->len * sizeof(uint64_t));
	stats->cmd = ETHTOOL_GSTATS;
	stats->n_stats = names->len;
	if (ethtool_ioctl(fd, name, stats))
		die("ETHTOOL_GSTATS");
	for (i = 0; i < names->len; i++)
		printf("stat %s %llu\n", (char *)names->data + i * ETH_GSTRING_LEN,
		       (unsigned long long)stats->data[i]);
	return 0;
}

static int offload(const char *name, uint32_t on)
{
	static const uint32_t commands[] = {
		ETHTOOL_STSO, ETHTOOL_SGSO, ETHTOOL_STXCSUM, ETHTOOL_SRXCSUM,
		ETHTOOL_SGRO,
	};
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	size_t i;

	for (i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		struct ethtool_value value = { .cmd = commands[i], .data = on };

		if (ethtool_ioctl(fd, name, &value))
			die(name);
	}
	return 0;
}

static int flood(const char *host, size_t bytes, double seconds)
{
	struct sockaddr_in to = address(host, "9");
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	double end = now() + seconds;
	unsigned long sent = 0;

	while (now() < end)
		if (sendto(fd, pattern, bytes, MSG_DONTWAIT, (void *)&to,
			   sizeof(to)) == (ssize_t)bytes)
			sent++;
	printf("sent %lu\n", sent);
	return 0;
}

static int join(const char *iface, const char *group)
{
	struct ip_mreqn who = { .imr_ifindex = (int)if_nametoindex(iface) };
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	if (inet_pton(AF_INET, group, &who.imr_multiaddr) != 1 ||
	    setsockopt(fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, &who, sizeof(who)))
		die(group);
	puts("joined");
	fflush(stdout);
	pause();
	return 0;
}

int main(int argc, char **argv)
{
	const char *verb = argc > 1 ? argv[1] : "";

	make_pattern();
	if (!strcmp(verb, "send") && argc == 5)
		return give(tcp_connect(argv[2], argv[3]), strtoull(argv[4], NULL, 0));
	if (!strcmp(verb, "take") && argc == 4)
		return take(tcp_accept(argv[2]), strtoull(argv[3], NULL, 0));
	if (!strcmp(verb, "give") && argc == 4)
		return give(tcp_accept(argv[2]), strtoull(argv[3], NULL, 0));
	if (!strcmp(verb, "fetch") && argc == 5)
		return take(tcp_connect(argv[2], argv[3]), strtoull(argv[4], NULL, 0));
	if (!strcmp(verb, "echo") && argc == 3)
		return echo(tcp_accept(argv[2]));
	if (!strcmp(verb, "datagram") && argc == 3)
		return datagram(argv[2]);
	if (!strcmp(verb, "rtt") && argc == 5)
		return rtt(tcp_connect(argv[2], argv[3]), atoi(argv[4]));
	if (!strcmp(verb, "calls") && argc == 5)
		return calls(argv[2], argv[3], (unsigned int)atoi(argv[4]));
	if (!strcmp(verb, "ethtool") && argc == 3)
		return show_ethtool(argv[2]);
	if (!strcmp(verb, "flood") && argc == 5)
		return flood(argv[2], strtoul(argv[3], NULL, 0), atof(argv[4]));
	if (!strcmp(verb, "join") && argc == 4)
		return join(argv[2], argv[3]);
	if (!strcmp(verb, "offload") && argc == 4)
		return offload(argv[2], (uint32_t)atoi(argv[3]));
	fputs("nettool: see its first comment\n", stderr);
	return 2;
}
