// SPDX-License-Identifier: GPL-2.0
/*
 * Pipes, sockets and the descriptors that carry events: megabytes through each, checksummed.
 */
#include "conform.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/select.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>

/* The reader makes the same pattern by itself and compares; sizes vary at both ends. */
static void send_pattern(int fd, size_t total, uint32_t seed)
{
	static unsigned char buf[100000];
	uint32_t state = seed, sizes = seed ^ 0xabcdef;
	uint64_t pos = 0;

	while (total) {
		size_t len = prng(&sizes) % sizeof(buf) + 1;

		if (len > total)
			len = total;
		pattern_fill(buf, len, &pos, &state);
		for (size_t at = 0; at < len;) {
			ssize_t n = CHECK_SYS(write(fd, buf + at, len - at));

			at += (size_t)n;
		}
		total -= len;
	}
}

static void receive_pattern(int fd, size_t total, uint32_t seed)
{
	static unsigned char buf[70000], want[70000];
	uint32_t state = seed, sizes = seed ^ 0x13579b;
	uint64_t pos = 0;

	while (total) {
		size_t len = prng(&sizes) % sizeof(buf) + 1;
		ssize_t n = CHECK_SYS(read(fd, buf, len));

		if (!n)
			FAIL("the stream ended early");
		pattern_fill(want, (size_t)n, &pos, &state);
		if (memcmp(buf, want, (size_t)n))
			FAIL("the data is not what was sent");
		total -= (size_t)n;
	}
	CHECK_EQ(read(fd, buf, 1), 0);
}

static size_t amount(void)
{
	return (size_t)rounds(4) << 20;
}

static void stream(int out, int in, int close_in_child)
{
	pid_t pid = xfork();

	if (!pid) {
		close(in);
		if (close_in_child >= 0)
			close(close_in_child);
		send_pattern(out, amount(), 77);
		_exit(0);
	}
	close(out);
	receive_pattern(in, amount(), 77);
	expect_exit(pid, 0);
}

static void pipe_stream(void)
{
	int fd[2];

	CHECK_SYS(pipe(fd));
	stream(fd[1], fd[0], -1);
}

static void unix_stream(void)
{
	int fd[2];

	CHECK_SYS(socketpair(AF_UNIX, SOCK_STREAM, 0, fd));
	stream(fd[1], fd[0], -1);
}

/* Sockets of a family the kernel lacks are no failure of the guest. */
static int inet_socket(int type)
{
	int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);
	struct ifreq ifr = { .ifr_name = "lo" };

	if (fd < 0 && errno == EAFNOSUPPORT)
		SKIP("no IPv4");
	CHECK_SYS(fd);
	/* An init that does little may have left the loopback down. */
	if (ioctl(fd, SIOCGIFFLAGS, &ifr) == 0 && !(ifr.ifr_flags & IFF_UP)) {
		ifr.ifr_flags |= IFF_UP;
		if (ioctl(fd, SIOCSIFFLAGS, &ifr))
			SKIP("the loopback interface is down");
	}
	return fd;
}

static void tcp_pair(int fd[2])
{
	struct sockaddr_in sin = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(sin);
	int listener = inet_socket(SOCK_STREAM);

	CHECK_SYS(bind(listener, (struct sockaddr *)&sin, sizeof(sin)));
	CHECK_SYS(listen(listener, 5));
	CHECK_SYS(getsockname(listener, (struct sockaddr *)&sin, &len));
	fd[1] = inet_socket(SOCK_STREAM);
	CHECK_SYS(connect(fd[1], (struct sockaddr *)&sin, sizeof(sin)));
	fd[0] = CHECK_SYS(accept(listener, NULL, NULL));
	close(listener);
}

static void tcp_stream(void)
{
	int fd[2];

	tcp_pair(fd);
	stream(fd[1], fd[0], -1);
}

static void tcp_refused(void)
{
	struct sockaddr_in sin = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(sin);
	int fd = inet_socket(SOCK_STREAM), other = inet_socket(SOCK_STREAM);

	/* Bound, not listening: nobody else can have the port meanwhile. */
	CHECK_SYS(bind(fd, (struct sockaddr *)&sin, sizeof(sin)));
	CHECK_SYS(getsockname(fd, (struct sockaddr *)&sin, &len));
	CHECK_ERR(connect(other, (struct sockaddr *)&sin, sizeof(sin)), ECONNREFUSED);
}

static void udp(void)
{
	struct sockaddr_in sin = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(sin);
	int a = inet_socket(SOCK_DGRAM), b = inet_socket(SOCK_DGRAM);
	char buf[2000], text[32];

	CHECK_SYS(bind(a, (struct sockaddr *)&sin, sizeof(sin)));
	CHECK_SYS(getsockname(a, (struct sockaddr *)&sin, &len));
	for (int i = 0; i < rounds(100); i++) {
		int n = snprintf(text, sizeof(text), "datagram %d", i);

		CHECK_EQ(sendto(b, text, (size_t)n, 0, (struct sockaddr *)&sin, sizeof(sin)), n);
		CHECK_EQ(recv(a, buf, sizeof(buf), 0), n);
		CHECK(!memcmp(buf, text, (size_t)n));
	}
}

static void pipe_semantics(void)
{
	int fd[2];
	char buf[64];

	CHECK_SYS(pipe2(fd, O_NONBLOCK));
	CHECK_ERR(read(fd[0], buf, 1), EAGAIN);
	size_t put = 0;

	while (write(fd[1], buf, sizeof(buf)) > 0)
		put += sizeof(buf);
	CHECK_EQ(errno, EAGAIN);
	CHECK(put >= PAGE);
	int left;

	CHECK_SYS(ioctl(fd[0], FIONREAD, &left));
	CHECK_EQ(left, put);
	while (read(fd[0], buf, sizeof(buf)) > 0)
		put -= sizeof(buf);
	CHECK_EQ(put, 0);
	close(fd[1]);
	CHECK_EQ(read(fd[0], buf, 1), 0);
}

/* Writes up to PIPE_BUF are never torn, from however many writers. */
static void pipe_atomic(void)
{
	enum { WRITERS = 6, LEN = 200 };
	int fd[2], seen[WRITERS] = { 0 }, n = rounds(200);
	pid_t pid[WRITERS];
	char buf[LEN];

	CHECK_SYS(pipe(fd));
	for (int w = 0; w < WRITERS; w++) {
		pid[w] = xfork();
		if (pid[w])
			continue;
		memset(buf, 'a' + w, LEN);
		for (int i = 0; i < n; i++)
			CHECK_EQ(write(fd[1], buf, LEN), LEN);
		_exit(0);
	}
	close(fd[1]);
	for (;;) {
		size_t got = 0;

		while (got < LEN) {
			ssize_t r = CHECK_SYS(read(fd[0], buf + got, LEN - got));

			if (!r)
				break;
			got += (size_t)r;
		}
		if (!got)
			break;
		CHECK_EQ(got, LEN);
		for (int i = 1; i < LEN; i++)
			CHECK_EQ(buf[i], buf[0]);
		seen[buf[0] - 'a']++;
	}
	for (int w = 0; w < WRITERS; w++) {
		expect_exit(pid[w], 0);
		CHECK_EQ(seen[w], n);
	}
}

static void ping_pong(void)
{
	int there[2], back[2], n = rounds(1000);

	CHECK_SYS(pipe(there));
	CHECK_SYS(pipe(back));
	pid_t pid = xfork();

	for (int i = 0; i < n; i++) {
		int v = i;

		if (pid) {
			CHECK_EQ(write(there[1], &v, sizeof(v)), sizeof(v));
			CHECK_EQ(read(back[0], &v, sizeof(v)), sizeof(v));
			CHECK_EQ(v, ~i);
		} else {
			CHECK_EQ(read(there[0], &v, sizeof(v)), sizeof(v));
			CHECK_EQ(v, i);
			v = ~v;
			CHECK_EQ(write(back[1], &v, sizeof(v)), sizeof(v));
		}
	}
	if (!pid)
		_exit(0);
	expect_exit(pid, 0);
}

static void event_fd(void)
{
	int fd = eventfd(3, EFD_NONBLOCK);
	uint64_t v;

	if (fd < 0 && errno == ENOSYS)
		SKIP("no eventfd");
	CHECK_SYS(fd);
	CHECK_EQ(read(fd, &v, 8), 8);
	CHECK_EQ(v, 3);
	CHECK_ERR(read(fd, &v, 8), EAGAIN);
	v = 0xfffffffffffffffeull;
	CHECK_EQ(write(fd, &v, 8), 8);
	v = 1;
	CHECK_ERR(write(fd, &v, 8), EAGAIN);
	CHECK_EQ(read(fd, &v, 8), 8);
	CHECK_EQ(v, 0xfffffffffffffffeull);
	int sem = CHECK_SYS(eventfd(5, EFD_SEMAPHORE | EFD_NONBLOCK));

	for (int i = 0; i < 5; i++) {
		CHECK_EQ(read(sem, &v, 8), 8);
		CHECK_EQ(v, 1);
	}
	CHECK_ERR(read(sem, &v, 8), EAGAIN);
}

static void epoll(void)
{
	enum { N = 20 };
	int ep = CHECK_SYS(epoll_create1(0)), fd[N][2];
	struct epoll_event ev[N], e;

	for (int i = 0; i < N; i++) {
		CHECK_SYS(pipe(fd[i]));
		e = (struct epoll_event){ .events = i & 1 ? EPOLLIN | EPOLLET : EPOLLIN,
			.data.u64 = (uint64_t)i << 32 | 0x77 };
		CHECK_SYS(epoll_ctl(ep, EPOLL_CTL_ADD, fd[i][0], &e));
	}
	CHECK_ERR(epoll_ctl(ep, EPOLL_CTL_ADD, fd[0][0], &e), EEXIST);
	CHECK_EQ(epoll_wait(ep, ev, N, 0), 0);
	for (int i = 0; i < N; i += 3)
		CHECK_EQ(write(fd[i][1], "e", 1), 1);
	CHECK_EQ(epoll_wait(ep, ev, N, -1), 7);
	for (int i = 0; i < 7; i++) {
		CHECK_EQ((ev[i].data.u64 >> 32) % 3, 0);
		CHECK_EQ(ev[i].data.u64 & 0xffffffff, 0x77);
		CHECK_EQ(ev[i].events, EPOLLIN);
	}
	/* The edge-triggered say it once: 3, 9, 15 are odd. */
	CHECK_EQ(epoll_wait(ep, ev, N, 0), 4);
	CHECK_EQ(write(fd[3][1], "e", 1), 1);
	CHECK_EQ(epoll_wait(ep, ev, N, 0), 5);
	CHECK_SYS(epoll_ctl(ep, EPOLL_CTL_DEL, fd[0][0], NULL));
	CHECK_EQ(epoll_wait(ep, ev, N, 0), 3);
	close(fd[6][1]);
	CHECK_EQ(epoll_wait(ep, ev, N, 0), 3);
	CHECK_ERR(epoll_ctl(ep, EPOLL_CTL_DEL, fd[0][0], NULL), ENOENT);
	/* Woken from a real wait by another process. */
	pid_t pid = xfork();

	if (!pid) {
		CHECK_EQ(write(fd[1][1], "w", 1), 1);
		_exit(0);
	}
	for (;;) {
		int n = CHECK_SYS(epoll_wait(ep, ev, N, -1));
		bool found = false;

		for (int i = 0; i < n; i++)
			found |= ev[i].data.u64 >> 32 == 1;
		if (found)
			break;
	}
	expect_exit(pid, 0);
}

static void poll_events(void)
{
	int fd[2];
	struct pollfd p[3];

	CHECK_SYS(socketpair(AF_UNIX, SOCK_STREAM, 0, fd));
	p[0] = (struct pollfd){ .fd = fd[0], .events = POLLIN | POLLOUT };
	p[1] = (struct pollfd){ .fd = -1, .events = POLLIN, .revents = 99 };
	p[2] = (struct pollfd){ .fd = 999, .events = POLLIN };
	CHECK_EQ(poll(p, 3, -1), 2);
	CHECK_EQ(p[0].revents, POLLOUT);
	CHECK_EQ(p[1].revents, 0);
	CHECK_EQ(p[2].revents, POLLNVAL);
	CHECK_EQ(write(fd[1], "x", 1), 1);
	CHECK_EQ(poll(p, 1, -1), 1);
	CHECK_EQ(p[0].revents, POLLIN | POLLOUT);
	shutdown(fd[1], SHUT_WR);
	p[0].events = POLLRDHUP;
	CHECK_EQ(poll(p, 1, -1), 1);
	CHECK_EQ(p[0].revents, POLLRDHUP);
	close(fd[1]);
	CHECK_EQ(poll(p, 1, -1), 1);
	CHECK(p[0].revents & POLLHUP);
}

static void pass_descriptor(void)
{
	union { struct cmsghdr h; char space[CMSG_SPACE(sizeof(int))]; } u;
	int sv[2], file = temp_file(0), got;
	char c = 'c';
	struct iovec iov = { &c, 1 };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &u,
		.msg_controllen = sizeof(u) };

	CHECK_SYS(socketpair(AF_UNIX, SOCK_DGRAM, 0, sv));
	pid_t pid = xfork();

	if (!pid) {
		CHECK_EQ(write(file, "passed", 6), 6);
		memset(&u, 0, sizeof(u));
		u.h.cmsg_level = SOL_SOCKET;
		u.h.cmsg_type = SCM_RIGHTS;
		u.h.cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(&u.h), &file, sizeof(int));
		CHECK_EQ(sendmsg(sv[1], &m, 0), 1);
		_exit(0);
	}
	close(file);
	CHECK_EQ(recvmsg(sv[0], &m, 0), 1);
	CHECK_EQ(u.h.cmsg_type, SCM_RIGHTS);
	memcpy(&got, CMSG_DATA(&u.h), sizeof(int));
	char buf[8];

	CHECK_EQ(pread(got, buf, 8, 0), 6);
	CHECK(!memcmp(buf, "passed", 6));
	expect_exit(pid, 0);
}

static void unix_named(void)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	char dir[100];
	int l, c, s;
	struct ucred cred;
	socklen_t len = sizeof(cred);

	snprintf(sun.sun_path, sizeof(sun.sun_path), "%s/s", temp_dir(dir, sizeof(dir)));
	l = CHECK_SYS(socket(AF_UNIX, SOCK_STREAM, 0));
	CHECK_SYS(bind(l, (struct sockaddr *)&sun, sizeof(sun)));
	CHECK_SYS(listen(l, 1));
	c = CHECK_SYS(socket(AF_UNIX, SOCK_STREAM, 0));
	CHECK_SYS(connect(c, (struct sockaddr *)&sun, sizeof(sun)));
	s = CHECK_SYS(accept(l, NULL, NULL));
	CHECK_SYS(getsockopt(s, SOL_SOCKET, SO_PEERCRED, &cred, &len));
	CHECK_EQ(cred.pid, getpid());
	CHECK_EQ(send(c, "hi", 2, 0), 2);
	char buf[4];

	CHECK_EQ(recv(s, buf, 4, MSG_PEEK), 2);
	CHECK_EQ(recv(s, buf, 4, 0), 2);
	CHECK_SYS(unlink(sun.sun_path));
	CHECK_SYS(rmdir(dir));
}

static void make_file(int fd, size_t len)
{
	static unsigned char buf[65536];
	uint32_t state = 5;
	uint64_t pos = 0;

	for (size_t at = 0; at < len; at += sizeof(buf)) {
		pattern_fill(buf, sizeof(buf), &pos, &state);
		CHECK_EQ(write(fd, buf, sizeof(buf)), sizeof(buf));
	}
}

static uint32_t file_crc(int fd)
{
	static unsigned char buf[65536];
	uint32_t crc = 0;
	ssize_t n;

	CHECK_SYS(lseek(fd, 0, SEEK_SET));
	while ((n = CHECK_SYS(read(fd, buf, sizeof(buf)))))
		crc = crc32_add(crc, buf, (size_t)n);
	return crc;
}

static void send_file(void)
{
	int from = temp_file(0), to = temp_file(0), fd[2];
	size_t len = 1 << 20;
	off_t off = 0;

	make_file(from, len);
	while ((size_t)off < len)
		CHECK(CHECK_SYS(sendfile(to, from, &off, len - (size_t)off)) > 0);
	CHECK_EQ(file_crc(to), file_crc(from));
	/* Into a socket, with a reader. */
	CHECK_SYS(socketpair(AF_UNIX, SOCK_STREAM, 0, fd));
	pid_t pid = xfork();

	if (!pid) {
		close(fd[0]);
		for (off = 0; (size_t)off < len;)
			CHECK(CHECK_SYS(sendfile(fd[1], from, &off, len - (size_t)off)) > 0);
		_exit(0);
	}
	close(fd[1]);
	receive_pattern(fd[0], len, 5);
	expect_exit(pid, 0);
}

static void splicing(void)
{
	int from = temp_file(0), to = temp_file(0), fd[2], second[2];
	size_t len = 1 << 20, done = 0;

	make_file(from, len);
	CHECK_SYS(lseek(from, 0, SEEK_SET));
	CHECK_SYS(pipe(fd));
	CHECK_SYS(pipe(second));
	while (done < len) {
		ssize_t n = CHECK_SYS(splice(from, NULL, fd[1], NULL, 60000, SPLICE_F_MOVE));

		CHECK(n > 0);
		for (ssize_t left = n; left > 0;) {
			/* By way of tee and a second pipe. */
			ssize_t t = CHECK_SYS(tee(fd[0], second[1], (size_t)left, 0));
			ssize_t m = CHECK_SYS(splice(second[0], NULL, to, NULL, (size_t)t, 0));

			CHECK_EQ(m, t);
			static char drop[65536];

			CHECK_EQ(read(fd[0], drop, (size_t)t), t);
			left -= t;
		}
		done += (size_t)n;
	}
	CHECK_EQ(file_crc(to), file_crc(from));
	/* vmsplice: pages of the process. */
	char *page = xmmap(PAGE, PROT_READ | PROT_WRITE), buf[8];

	memcpy(page, "vmsplice", 8);
	struct iovec iov = { page, 8 };

	CHECK_EQ(vmsplice(fd[1], &iov, 1, 0), 8);
	CHECK_EQ(read(fd[0], buf, 8), 8);
	CHECK(!memcmp(buf, "vmsplice", 8));
}

/* Several streams at once, each with its own data. */
static void many_streams(void)
{
	pid_t pid[4];

	for (uint32_t i = 0; i < 4; i++) {
		pid[i] = xfork();
		if (pid[i])
			continue;
		int fd[2];

		CHECK_SYS(i & 1 ? pipe(fd) : socketpair(AF_UNIX, SOCK_STREAM, 0, fd));
		pid_t w = xfork();

		if (!w) {
			close(fd[0]);
			send_pattern(fd[1], amount() / 4, i + 100);
			_exit(0);
		}
		close(fd[1]);
		receive_pattern(fd[0], amount() / 4, i + 100);
		expect_exit(w, 0);
		_exit(0);
	}
	for (int i = 0; i < 4; i++)
		expect_exit(pid[i], 0);
}

static void devices(void)
{
	unsigned char buf[4096];
	int zero = CHECK_SYS(open("/dev/zero", O_RDWR)), null = CHECK_SYS(open("/dev/null", O_RDWR));
	int rnd = CHECK_SYS(open("/dev/urandom", O_RDONLY));

	memset(buf, 1, sizeof(buf));
	CHECK_EQ(read(zero, buf, sizeof(buf)), sizeof(buf));
	for (size_t i = 0; i < sizeof(buf); i++)
		CHECK_EQ(buf[i], 0);
	CHECK_EQ(write(null, buf, sizeof(buf)), sizeof(buf));
	CHECK_EQ(read(null, buf, sizeof(buf)), 0);
	CHECK_EQ(read(rnd, buf, sizeof(buf)), sizeof(buf));
	/* 4096 random bytes hold at least 200 of the 256 values, as sure as anything is. */
	bool seen[256] = { false };
	int n = 0;

	for (size_t i = 0; i < sizeof(buf); i++) {
		n += !seen[buf[i]];
		seen[buf[i]] = true;
	}
	CHECK(n > 200);
	CHECK_EQ(syscall(SYS_getrandom, buf, 64, 0), 64);
}

const struct test io_tests[] = {
	{ "io-pipe-stream", pipe_stream, 0 },
	{ "io-unix-stream", unix_stream, 0 },
	{ "io-tcp-stream", tcp_stream, 0 },
	{ "io-tcp-refused", tcp_refused, 0 },
	{ "io-udp", udp, 0 },
	{ "io-pipe-semantics", pipe_semantics, 0 },
	{ "io-pipe-atomic", pipe_atomic, 0 },
	{ "io-ping-pong", ping_pong, 0 },
	{ "io-eventfd", event_fd, 0 },
	{ "io-epoll", epoll, 0 },
	{ "io-poll", poll_events, 0 },
	{ "io-pass-descriptor", pass_descriptor, 0 },
	{ "io-unix-named", unix_named, 0 },
	{ "io-sendfile", send_file, 0 },
	{ "io-splice", splicing, 0 },
	{ "io-many-streams", many_streams, 0 },
	{ "io-devices", devices, 0 },
	{ NULL, NULL, 0 },
};
