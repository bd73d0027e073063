// SPDX-License-Identifier: GPL-2.0
/*
 * The list of attempts; see taken.h.  It is compiled twice: for the launcher, and
 * like the monitor, without libc and without variables.
 *
 * Relative names are of files that the test has made.
 */
#include "taken.h"

#include <asm/prctl.h>
#include <asm/unistd_64.h>
#include <linux/fcntl.h>
#include <linux/futex.h>
#include <linux/mman.h>
#include <linux/prctl.h>
#include <linux/ptrace.h>
#include <linux/sched.h>

#include "layout.h"
#include "sys.h"

#define AF_UNIX_	1
#define AF_INET_	2
#define AF_NETLINK_	16
#define STREAM		1
#define DATAGRAM	2
#define SIG_CHLD	17
#define SIG_CONT	18
#define SIG_URG		23
#define TIOCSTI_	0x5412
#define SOL_SOCKET_	1
#define SO_PASSPIDFD_	76
#define SO_PEERCRED_	17
#define SO_PEERPIDFD_	77
#define NR_GETPID_32	20
#define VICTIM_FILE	"victim"
#define VICTIM_SOCKET	"victim.socket"
#define NOWHERE		"nowhere/at/all"

struct sockaddr_unix {
	u16 family;
	char path[20];
};

/* A child of it ends at once. */
static long forked(long pid)
{
	if (!pid)
		for (;;)
			sys3(__NR_exit_group, 0, 0, 0);
	return pid;
}

static long connect_unix(void)
{
	const struct sockaddr_unix to = { AF_UNIX_, VICTIM_SOCKET };
	long fd = sys3(__NR_socket, AF_UNIX_, STREAM, 0);

	if (fd < 0)
		return fd;
	return sys3(__NR_connect, fd, (long)&to, sizeof(to));
}

static long map_file(void)
{
	long fd = sys3(__NR_open, (long)VICTIM_FILE, O_RDWR, 0);

	if (fd < 0)
		return fd;
	return sys6(__NR_mmap, 0, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
		    0) > 0 ? 0 : -1;
}

static long copy_to_process(int nr, u32 pid)
{
	u64 a = 1, b = 2;
	struct { void *at; u64 bytes; } here = { &a, 8 }, there = { &b, 8 };

	return sys6(nr, pid, (long)&here, 1, (long)&there, 1, 0);
}

static long by_pidfd(u32 pid)
{
	long fd = sys3(__NR_pidfd_open, pid, 0, 0);

	return fd < 0 ? fd : sys4(__NR_pidfd_send_signal, fd, SIG_CONT, 0, 0);
}

static long open_how(void)
{
	u64 how[3] = { O_RDONLY, 0, 0 };

	return sys4(__NR_openat2, AT_FDCWD, (long)VICTIM_FILE, (long)how,
		    sizeof(how));
}

static long new_ring(void)
{
	u8 params[120] = { 0 };

	return sys3(__NR_io_uring_setup, 4, (long)params, 0);
}

static long limits_of(u32 pid)
{
	u64 old[2];

	return sys4(__NR_prlimit64, pid, 7, 0, (long)old);
}

static long stat_file(long flags)
{
	u64 stat[32];

	return sys4(__NR_newfstatat, AT_FDCWD, (long)VICTIM_FILE, (long)stat,
		    flags);
}

/* By no socket: whoever gets so far as to look for it may send to anybody. */
static long send_to(void)
{
	const struct sockaddr_unix to = { AF_UNIX_, VICTIM_SOCKET };

	return sys6(__NR_sendto, -1, (long)&to, 1, 0, (long)&to, sizeof(to));
}

static long own_pid(void)
{
	return sys3(__NR_getpid, 0, 0, 0);
}

/* The name of each, and what it does. */
#define FOR_BOTH(X) \
	X("open", sys3(__NR_open, (long)VICTIM_FILE, O_RDONLY, 0)) \
	X("openat", sys4(__NR_openat, AT_FDCWD, (long)VICTIM_FILE, O_RDONLY, 0)) \
	X("openat2", open_how()) \
	X("open-write", sys4(__NR_openat, AT_FDCWD, (long)VICTIM_FILE, O_WRONLY, 0)) \
	X("creat", sys4(__NR_openat, AT_FDCWD, (long)"made", O_WRONLY | O_CREAT, 0600)) \
	X("map-file", map_file()) \
	X("truncate", sys3(__NR_truncate, (long)VICTIM_FILE, 4096, 0)) \
	X("chmod", sys3(__NR_chmod, (long)VICTIM_FILE, 0600, 0)) \
	X("link", sys3(__NR_link, (long)VICTIM_FILE, (long)"linked", 0)) \
	X("symlink", sys3(__NR_symlink, (long)VICTIM_FILE, (long)"symlinked", 0)) \
	X("rename", sys3(__NR_rename, (long)"removed", (long)"renamed", 0)) \
	X("unlink", sys3(__NR_unlink, (long)"unlinked", 0, 0)) \
	X("mkdir", sys3(__NR_mkdir, (long)"directory", 0700, 0)) \
	X("chdir", sys3(__NR_chdir, (long)".", 0, 0)) \
	X("access", sys3(__NR_access, (long)VICTIM_FILE, 0, 0)) \
	X("stat", stat_file(0)) \
	X("stat-empty-path", stat_file(AT_EMPTY_PATH)) \
	X("socket-unix", sys3(__NR_socket, AF_UNIX_, STREAM, 0)) \
	X("socket-inet", sys3(__NR_socket, AF_INET_, STREAM, 0)) \
	X("socket-unix-datagram", sys3(__NR_socket, AF_UNIX_, DATAGRAM, 0)) \
	X("socket-inet-datagram", sys3(__NR_socket, AF_INET_, DATAGRAM, 0)) \
	X("sendto", send_to()) \
	X("sendmsg", sys3(__NR_sendmsg, -1, 0, 0)) \
	X("socket-netlink", sys3(__NR_socket, AF_NETLINK_, 3, 0)) \
	X("connect-unix", connect_unix()) \
	X("execve", sys3(__NR_execve, (long)NOWHERE, 0, 0)) \
	X("execveat", sys6(__NR_execveat, AT_FDCWD, (long)NOWHERE, 0, 0, 0, 0)) \
	X("fork", forked(sys3(__NR_fork, 0, 0, 0))) \
	X("clone", forked(sys6(__NR_clone, SIG_CHLD, 0, 0, 0, 0, 0))) \
	X("clone3", sys3(__NR_clone3, 0, 0, 0)) \
	X("ptrace", sys4(__NR_ptrace, PTRACE_SEIZE, victim, 0, 0)) \
	X("kill", sys3(__NR_kill, victim, SIG_CONT, 0)) \
	X("tkill", sys3(__NR_tkill, victim, SIG_CONT, 0)) \
	X("tgkill", sys3(__NR_tgkill, victim, victim, SIG_CONT)) \
	X("kick", sys3(__NR_tgkill, victim, victim, SIG_URG)) \
	X("pidfd", by_pidfd(victim)) \
	X("pidfd-signal", sys4(__NR_pidfd_send_signal, -1, SIG_CONT, 0, 0)) \
	X("peer-credentials", sys6(__NR_getsockopt, -1, SOL_SOCKET_, SO_PEERCRED_, 0, 0, 0)) \
	X("peer-pidfd", sys6(__NR_getsockopt, -1, SOL_SOCKET_, SO_PEERPIDFD_, 0, 0, 0)) \
	X("pass-pidfd", sys6(__NR_setsockopt, -1, SOL_SOCKET_, SO_PASSPIDFD_, 0, 0, 0)) \
	X("process-vm-readv", copy_to_process(__NR_process_vm_readv, (u32)own_pid())) \
	X("process-vm-writev", copy_to_process(__NR_process_vm_writev, (u32)own_pid())) \
	X("prlimit", limits_of(victim)) \
	X("io-uring-setup", new_ring()) \
	X("prctl", sys3(__NR_prctl, PR_GET_DUMPABLE, 0, 0)) \
	X("mount", sys6(__NR_mount, 0, (long)NOWHERE, 0, 0, 0, 0)) \
	X("umount", sys3(__NR_umount2, (long)NOWHERE, 0, 0)) \
	X("chroot", sys3(__NR_chroot, (long)NOWHERE, 0, 0)) \
	X("unshare", sys3(__NR_unshare, CLONE_FILES, 0, 0)) \
	X("setns", sys3(__NR_setns, -1, 0, 0)) \
	X("bpf", sys3(__NR_bpf, 5, 0, 0)) \
	X("perf-event-open", sys6(__NR_perf_event_open, 0, 0, -1, -1, 0, 0)) \
	X("userfaultfd", sys3(__NR_userfaultfd, 1, 0, 0)) \
	X("setuid", sys3(__NR_setuid, sys3(__NR_getuid, 0, 0, 0), 0, 0)) \
	X("setgroups", sys3(__NR_setgroups, 70000, 0, 0)) \
	X("keyctl", sys4(__NR_keyctl, 0, -3, 0, 0)) \
	X("shmget", sys3(__NR_shmget, 0, 4096, 01600)) \
	X("inotify", sys3(__NR_inotify_init1, 0, 0, 0)) \
	X("pipe", sys3(__NR_pipe2, 0, 0, 0)) \
	X("terminal-input", sys3(__NR_ioctl, 0, TIOCSTI_, 0)) \
	X("compat-getpid", sys_compat1(NR_GETPID_32, 0))

/* What the launcher may, or may not need. */
#define FOR_MONITOR(X) \
	X("map-anonymous", sys6(__NR_mmap, 0, 4096, 3, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)) \
	X("map-high", sys6(__NR_mmap, 0x2000000000, 4096, 3, MAP_SHARED | MAP_FIXED, 4, 0)) \
	X("map-long", sys6(__NR_mmap, 0x10000, 1l << 47, 3, MAP_SHARED | MAP_FIXED, 4, 0)) \
	X("map-doorbell", sys6(__NR_mmap, 0x10000, 4096, 3, MAP_SHARED | MAP_FIXED, 5, 0)) \
	X("unprotect-monitor", sys3(__NR_mprotect, MONITOR_BASE, 4096, 7)) \
	X("unmap-high", sys3(__NR_munmap, 0x2000000000, 4096, 0)) \
	X("madvise", sys3(__NR_madvise, RAM_BASE, 4096, 4)) \
	X("write", sys3(__NR_write, 3, 0, 0)) \
	X("read", sys3(__NR_read, 3, 0, 0)) \
	X("dup", sys3(__NR_dup, 3, 0, 0)) \
	X("fcntl", sys3(__NR_fcntl, 3, F_GETFL, 0)) \
	X("memfd", sys3(__NR_memfd_create, (long)"x", 0, 0)) \
	X("set-signal", sys4(__NR_rt_sigaction, 10, 0, 0, 8)) \
	X("dispatch-off", sys6(__NR_prctl, 59, 0, 0, 0, 0, 0)) \
	X("arch-prctl", sys3(__NR_arch_prctl, ARCH_SET_CPUID, 0, 0)) \
	X("getrandom", sys3(__NR_getrandom, 0, 0, 0)) \
	X("getpid", own_pid())

#if __STDC_HOSTED__
#define LIST(X)	FOR_BOTH(X)
#else
#define LIST(X)	FOR_BOTH(X) FOR_MONITOR(X)
#endif

long attempt(u32 number, u32 victim)
{
	u32 n = 0;

#define X(name, call) \
	if (++n == number) \
		return call;
	LIST(X)
#undef X
	return -1000;
}

#if __STDC_HOSTED__
/* attempt_name() - NULL behind the list; the monitor's are behind the launcher's */
const char *attempt_name(u32 number)
{
	u32 n = 0;

#define X(name, call) \
	if (++n == number) \
		return name;
	FOR_BOTH(X)
	FOR_MONITOR(X)
#undef X
	return NULL;
}
#endif
