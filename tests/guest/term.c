// SPDX-License-Identifier: GPL-2.0
/*
 * Helper modes for console tests that are driven from outside: window sizes, and a known stream
 * of bytes in either direction.
 *
 * The pattern of --source: a xorshift32 generator (x ^= x << 13; x ^= x >> 17; x ^= x << 5)
 * seeded with 0x9e3779b9 and advanced once a byte; the byte is 0x20 + (x >> 8) % 95, but every
 * 64th (positions 63, 127, ...) is a newline. CRC-32 is the common one (polynomial 0xedb88320,
 * as zlib's), printed as eight upper-case hexadecimal digits.
 *
 * Never leaves the terminal changed: its settings are put back before the last line.
 */
#include "conform.h"

#include <poll.h>
#include <sys/ioctl.h>
#include <termios.h>

static volatile sig_atomic_t resized;

static void on_winch(int sig)
{
	(void)sig;
	resized = 1;
}

static int print_size(void)
{
	struct winsize ws;

	if (ioctl(0, TIOCGWINSZ, &ws)) {
		perror("conform: --winsize: the size of stdin");
		return -1;
	}
	printf("winsize %dx%d\n", ws.ws_row, ws.ws_col);
	fflush(stdout);
	return 0;
}

int mode_winsize(int argc, char **argv)
{
	long left = argc > 1 ? strtol(argv[1], NULL, 10) : -1;
	struct sigaction sa = { .sa_handler = on_winch };
	sigset_t winch, none;

	/* Blocked but while waiting, so that a change between the two is not missed. */
	sigemptyset(&winch);
	sigaddset(&winch, SIGWINCH);
	sigprocmask(SIG_BLOCK, &winch, &none);
	sigdelset(&none, SIGWINCH);
	sigaction(SIGWINCH, &sa, NULL);
	if (print_size())
		return 1;
	while (left) {
		struct pollfd in = { .fd = 0, .events = POLLIN };
		int n = ppoll(&in, 1, NULL, &none);

		if (resized) {
			resized = 0;
			if (print_size())
				return 1;
			if (left > 0)
				left--;
		} else if (n > 0) {
			break;
		}
	}
	return 0;
}

/* A byte count, or -1 after a message. */
static long long parse_bytes(const char *mode, int argc, char **argv)
{
	char *end;
	long long n;

	if (argc > 1) {
		n = strtoll(argv[1], &end, 10);
		if (!*end && end != argv[1] && n >= 0)
			return n;
	}
	fprintf(stderr, "conform: %s: give a number of bytes\n", mode);
	return -1;
}

int mode_sink(int argc, char **argv)
{
	long long want = parse_bytes("--sink", argc, argv), got = 0;
	struct termios old, raw;
	bool tty = !tcgetattr(0, &old);
	static char buf[65536];
	uint32_t crc = 0;

	if (want < 0)
		return 2;
	if (tty) {
		raw = old;
		cfmakeraw(&raw);
		raw.c_iflag &= ~(tcflag_t)(IXON | IXOFF | IXANY);
		raw.c_lflag &= ~(tcflag_t)ISIG;
		/* Output stays cooked: the lines below are read by people and scripts. */
		raw.c_oflag = old.c_oflag;
		raw.c_cc[VMIN] = 1;
		raw.c_cc[VTIME] = 0;
		tcsetattr(0, TCSANOW, &raw);
	}
	printf("ready\n");
	fflush(stdout);
	while (got < want) {
		size_t ask = want - got < (long long)sizeof(buf) ? (size_t)(want - got) : sizeof(buf);
		ssize_t n = read(0, buf, ask);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		crc = crc32_add(crc, buf, (size_t)n);
		got += n;
	}
	if (tty)
		tcsetattr(0, TCSANOW, &old);
	printf("sink %lld crc32=%08X\n", got, crc);
	return got != want;
}

int mode_source(int argc, char **argv)
{
	long long want = parse_bytes("--source", argc, argv), done = 0;
	uint32_t state = 0x9e3779b9, crc = 0;
	struct termios old, raw;
	bool tty = !tcgetattr(1, &old);
	static char buf[65536];
	uint64_t pos = 0;

	if (want < 0)
		return 2;
	if (tty) {
		raw = old;
		raw.c_oflag &= ~(tcflag_t)OPOST;
		tcsetattr(1, TCSADRAIN, &raw);
	}
	while (done < want) {
		size_t len = want - done < (long long)sizeof(buf) ? (size_t)(want - done) : sizeof(buf);

		pattern_fill(buf, len, &pos, &state);
		crc = crc32_add(crc, buf, len);
		for (size_t at = 0; at < len;) {
			ssize_t n = write(1, buf + at, len - at);

			if (n < 0 && errno == EINTR)
				continue;
			if (n <= 0) {
				perror("conform: --source: write");
				return 1;
			}
			at += (size_t)n;
		}
		done += (long long)len;
	}
	if (tty) {
		tcdrain(1);
		tcsetattr(1, TCSADRAIN, &old);
	}
	printf("source %lld crc32=%08X\n", done, crc);
	return 0;
}
