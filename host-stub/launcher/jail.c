// SPDX-License-Identifier: GPL-2.0
/*
 * The jail: what the launcher, its spaces and its keeper may ask of the host's
 * kernel once all that the options name is open.
 *
 * Two lists below say which system calls there are, and with which arguments;
 * libseccomp makes filters of them.  The launcher's is inherited by its spaces,
 * so that it has what they need as well; theirs is put in front of it by the
 * monitor, as the last thing it does before the guest runs (monitor.c), and has
 * next to nothing.  What goes by a file's name is in neither: the launcher's
 * calls of that kind trap, and the keeper is asked.
 *
 * docs/security.md says who is kept from what, and what is not.
 */
#include "launcher.h"

#include <asm/prctl.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/fs.h>
#include <linux/if_tun.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <seccomp.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#ifndef PR_SET_SYSCALL_USER_DISPATCH
#define PR_SET_SYSCALL_USER_DISPATCH 59
#endif

/* In place of the process IDs of spaces, until they are known: above any. */
#define PID_OF_SPACE(n)	(0x7fff0000u + (n))

/* No core dump, also where a program takes them, which 0 does not prevent. */
#define NO_CORE		1u

/* Which options a rule is for. */
#define ALL		0u
#define SOCKETS		1u	/* something that talks over one, or to clients */
#define USER		2u	/* --net user: sockets of the Internet */
#define PEER		4u	/* --net socket: a peer that is looked for */
#define TAP		8u
#define DISK_FILE	16u

struct rule {
	int nr;
	u32 needs;		/* one of these options; ALL: always */
	u32 args;
	struct scmp_arg_cmp arg[5];
};

#define ANY(name, needs) \
	{ SCMP_SYS(name), needs, 0, { { 0 } } }
#define ONE(name, needs, a) \
	{ SCMP_SYS(name), needs, 1, { a } }
#define TWO(name, needs, a, b) \
	{ SCMP_SYS(name), needs, 2, { a, b } }
#define THREE(name, needs, a, b, c) \
	{ SCMP_SYS(name), needs, 3, { a, b, c } }
#define FIVE(name, needs, a, b, c, d, e) \
	{ SCMP_SYS(name), needs, 5, { a, b, c, d, e } }
#define IS(n, value) \
	{ .arg = (n), .op = SCMP_CMP_EQ, .datum_a = (value) }
/* Of the bits of @mask these are set. */
#define BITS(n, mask, value) \
	{ .arg = (n), .op = SCMP_CMP_MASKED_EQ, .datum_a = (mask), .datum_b = (value) }
#define BELOW_4G(n)	BITS(n, 0xffffffff00000000ull, 0)

/* A mapping of @fd in the guest's part of the address space. */
#define MAP_GUEST(fd) \
	FIVE(mmap, ALL, BELOW_4G(0), BELOW_4G(1), BITS(2, ~7ull, 0), \
	     BITS(3, ~(u64)MAP_POPULATE, MAP_SHARED | MAP_FIXED), IS(4, fd))
/* Another space, or itself, is told to look. */
#define KICK(n) \
	THREE(tgkill, ALL, IS(0, PID_OF_SPACE(n)), IS(1, PID_OF_SPACE(n)), \
	      IS(2, SIG_KICK))

/*
 * The spaces'.  Calls that are allowed whatever their arguments cost nothing: the
 * kernel knows them without running a filter.  The others are in the order of
 * how often they come.
 */
static const struct rule space_rules[] = {
	MAP_GUEST(SPACE_RAM_FD),
	TWO(munmap, ALL, BELOW_4G(0), BELOW_4G(1)),
	TWO(mprotect, ALL, BELOW_4G(0), BELOW_4G(1)),
	TWO(pkey_mprotect, ALL, BELOW_4G(0), BELOW_4G(1)),
	ONE(write, ALL, IS(0, SPACE_DOORBELL_FD)),
	KICK(0), KICK(1), KICK(2), KICK(3), KICK(4), KICK(5),
	MAP_GUEST(SPACE_STATE_FD),
	TWO(madvise, ALL, IS(0, ALT_STACK), IS(2, MADV_DONTNEED)),
	ONE(prctl, ALL, IS(0, PR_SET_TSC)),
	ANY(futex, ALL), ANY(timer_settime, ALL), ANY(clock_gettime, ALL),
	ANY(sigaltstack, ALL), ANY(rt_sigreturn, ALL), ANY(rt_sigprocmask, ALL),
	ANY(nanosleep, ALL), ANY(restart_syscall, ALL), ANY(exit_group, ALL),
	ANY(sched_yield, ALL),
};

_Static_assert(SPACES == 6, "there is a KICK() for each space");

/*
 * A guest's program can call the vsyscall page, which Syscall User Dispatch does
 * not see: an error, as where there is no such page, and not the VM's end.
 */
static const int vsyscalls[] = {
	SCMP_SYS(gettimeofday), SCMP_SYS(time), SCMP_SYS(getcpu),
};

static const struct rule launcher_rules[] = {
	/* What spaces do often. */
	ANY(mmap, ALL), ANY(munmap, ALL), ANY(mprotect, ALL),
	ANY(pkey_mprotect, ALL), ANY(write, ALL), ANY(futex, ALL),
	/* A kick does nothing to a process that did not ask for it. */
	ONE(tgkill, ALL, IS(2, SIG_KICK)),
	ANY(madvise, ALL), ANY(timer_settime, ALL), ANY(clock_gettime, ALL),
	ANY(sigaltstack, ALL), ANY(rt_sigreturn, ALL), ANY(rt_sigprocmask, ALL),
	ANY(nanosleep, ALL), ANY(restart_syscall, ALL), ANY(exit_group, ALL),

	/* Descriptors that it has. */
	ANY(read, ALL), ANY(readv, ALL), ANY(writev, ALL), ANY(close, ALL),
	ANY(pread64, ALL), ANY(pwrite64, ALL), ANY(preadv2, ALL),
	ANY(pwritev2, ALL), ANY(lseek, ALL), ANY(poll, ALL), ANY(ppoll, ALL),
	ANY(fstat, ALL), ANY(ftruncate, ALL), ANY(fdatasync, DISK_FILE),
	ANY(fallocate, DISK_FILE), ANY(io_uring_enter, DISK_FILE),
	ONE(fcntl, ALL, IS(1, F_GETFL)), ONE(fcntl, ALL, IS(1, F_SETFL)),
	ONE(fcntl, ALL, IS(1, F_GETFD)), ONE(fcntl, ALL, IS(1, F_SETFD)),
	ONE(fcntl, ALL, IS(1, F_DUPFD)), ONE(fcntl, ALL, IS(1, F_ADD_SEALS)),
	ONE(fcntl, ALL, IS(1, F_SETPIPE_SZ)),
	/* IORING_UNREGISTER_FILES */
	ONE(io_uring_register, DISK_FILE, IS(1, 3)),
	ONE(ioctl, ALL, IS(1, TCGETS)), ONE(ioctl, ALL, IS(1, TCSETS)),
	ONE(ioctl, ALL, IS(1, TCSETSW)), ONE(ioctl, ALL, IS(1, TIOCGWINSZ)),
	ONE(ioctl, ALL, IS(1, FIONREAD)), ONE(ioctl, USER, IS(1, FIONBIO)),
	ONE(ioctl, DISK_FILE, IS(1, BLKGETSIZE64)),
	ONE(ioctl, TAP, IS(1, TUNSETQUEUE)),
	ONE(ioctl, TAP, IS(1, TUNSETOFFLOAD)),
	ONE(ioctl, TAP, IS(1, SIOCGIFNAME)), ONE(ioctl, TAP, IS(1, SIOCGIFFLAGS)),

	/* Memory, time, and itself. */
	ANY(brk, ALL), ANY(mremap, ALL), ANY(memfd_create, ALL),
	ANY(clock_nanosleep, ALL), ANY(getrandom, ALL), ANY(getpid, ALL),
	ANY(gettid, ALL), ANY(getppid, ALL), ANY(exit, ALL),
	ANY(rt_sigaction, ALL), ANY(sched_yield, ALL), ANY(sysinfo, ALL),

	/* The keeper; and clients of --control, NBD servers, peers. */
	TWO(sendto, ALL, IS(4, 0), IS(5, 0)),	/* to who is connected */
	ANY(recvfrom, ALL), ANY(recvmsg, ALL), ANY(accept4, SOCKETS),
	ANY(shutdown, SOCKETS), ANY(sendto, USER), ANY(sendmsg, USER),
	/* Of libslirp and libnbd; one to get a pidfd of who is connected is none. */
	TWO(getsockopt, SOCKETS, IS(1, SOL_SOCKET), IS(2, SO_ERROR)),
	TWO(setsockopt, USER, IS(1, SOL_SOCKET), IS(2, SO_REUSEADDR)),
	TWO(setsockopt, USER, IS(1, SOL_SOCKET), IS(2, SO_OOBINLINE)),
	ONE(setsockopt, USER, IS(1, IPPROTO_IP)),
	ONE(setsockopt, USER, IS(1, IPPROTO_IPV6)),
	ONE(setsockopt, USER, IS(1, IPPROTO_TCP)),
	ONE(socket, USER, IS(0, AF_INET)), ONE(socket, USER, IS(0, AF_INET6)),
	ANY(accept, USER), ANY(bind, USER), ANY(listen, USER),
	ANY(getsockname, USER), ANY(getpeername, USER),
	ANY(connect, USER | PEER),
	TWO(socket, PEER, IS(0, AF_UNIX), BITS(1, 15, SOCK_STREAM)),

	/* Its spaces, from their birth to their end. */
	ONE(clone, ALL, IS(0, SPACE_CLONE)), ANY(wait4, ALL),
	THREE(pidfd_send_signal, ALL, IS(1, SIGKILL), IS(2, 0), IS(3, 0)),
	ANY(sched_setaffinity, ALL), ANY(sched_getaffinity, ALL),
	ONE(prctl, ALL, IS(0, PR_SET_PDEATHSIG)), ONE(prctl, ALL, IS(0, PR_SET_NAME)),
	ONE(prctl, ALL, IS(0, PR_SET_TSC)),
	ONE(prctl, ALL, IS(0, PR_SET_SYSCALL_USER_DISPATCH)),
	ANY(setsid, ALL), ANY(dup2, ALL), ANY(close_range, ALL), ANY(rseq, ALL),
	ANY(set_tid_address, ALL), ANY(set_robust_list, ALL),
	ONE(prlimit64, ALL, IS(0, 0)), ANY(timer_create, ALL),
	ONE(arch_prctl, ALL, IS(0, ARCH_SET_CPUID)),
	TWO(seccomp, ALL, IS(0, 1), IS(1, 0)),	/* SECCOMP_SET_MODE_FILTER */
};

/*
 * The launcher's that trap: asked() asks the keeper.  AT_EMPTY_PATH allows an
 * empty name and does not want one, so fstat() as libc makes it traps as well.
 */
static const struct rule asked_for[] = {
	ANY(openat, ALL), ANY(unlink, ALL), ONE(newfstatat, ALL, IS(3, 0)),
	ONE(newfstatat, ALL, IS(3, AT_EMPTY_PATH)),
};

static const struct rule keeper_rules[] = {
	ANY(recvfrom, ALL), ANY(sendmsg, ALL), ANY(read, ALL), ANY(close, ALL),
	ONE(openat, ALL, BITS(2, O_ACCMODE | O_CREAT | O_TRUNC, O_RDONLY)),
	ANY(newfstatat, ALL), ANY(unlink, ALL),
	ONE(ioctl, ALL, IS(1, TCGETS)), ONE(ioctl, ALL, IS(1, TCSETS)),
	ANY(exit_group, ALL), ANY(rt_sigreturn, ALL), ANY(restart_syscall, ALL),
};

/* What the options need, of SOCKETS and so on. */
static u32 needed(const struct options *o)
{
	u32 needs = o->control ? SOCKETS : ALL, i;

	for (i = 0; i < o->nets; i++) {
		if (o->net[i].kind == NET_USER)
			needs |= USER | SOCKETS;
		else if (o->net[i].kind == NET_TAP)
			needs |= TAP | SOCKETS;
		else
			needs |= SOCKETS | (o->net[i].server ? 0 : PEER);
	}
	for (i = 0; i < o->disks; i++)
		needs |= o->disk[i].medium == MEDIUM_NBD ? SOCKETS : DISK_FILE;
	return needs;
}

/* jail_has_seccomp() - does the host have filters? */
bool jail_has_seccomp(const struct options *options)
{
	u32 action = SCMP_ACT_KILL_PROCESS;

	return !options->mask_seccomp &&
	       !syscall(SYS_seccomp, 2 /* GET_ACTION_AVAIL */, 0, &action);
}

/*
 * Building filters.
 */

/* Adds the rules that the options call for, the first ones first. */
static int add_rules(scmp_filter_ctx filter, const struct rule *rule,
		     size_t rules, u32 needs)
{
	int error = 0;
	size_t i;

	for (i = 0; i < rules && !error; i++) {
		if (rule[i].needs && !(rule[i].needs & needs))
			continue;
		seccomp_syscall_priority(filter, rule[i].nr, (u8)(255 - (i > 255 ? 255 : i)));
		error = seccomp_rule_add_array(filter, SCMP_ACT_ALLOW,
					       rule[i].nr, rule[i].args,
					       rule[i].arg);
	}
	return error;
}

/* set_thread_area is made by 32-bit code, and nothing else is. */
static int add_compat(scmp_filter_ctx filter, u32 action)
{
	scmp_filter_ctx compat = seccomp_init(action);
	int error;

	if (!compat)
		return -ENOMEM;
	error = seccomp_arch_remove(compat, SCMP_ARCH_NATIVE);
	if (!error)
		error = seccomp_arch_add(compat, SCMP_ARCH_X86);
	if (!error)
		error = seccomp_attr_set(compat, SCMP_FLTATR_ACT_BADARCH,
					 SCMP_ACT_KILL_PROCESS);
	if (!error)
		error = seccomp_rule_add(compat, SCMP_ACT_ALLOW,
					 SCMP_SYS(set_thread_area), 0);
	if (!error)
		error = seccomp_merge(filter, compat);
	if (error)
		seccomp_release(compat);
	return error;
}

static scmp_filter_ctx new_filter(u32 action)
{
	scmp_filter_ctx filter = seccomp_init(action);

	if (filter && seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH,
				       SCMP_ACT_KILL_PROCESS)) {
		seccomp_release(filter);
		filter = NULL;
	}
	return filter;
}

/* Takes the filter's program into memory; a negative errno. */
static int export(scmp_filter_ctx filter, struct jail *jail)
{
	int fd = memfd_create("filter", MFD_CLOEXEC), error;
	struct stat st;

	if (fd < 0)
		return -errno;
	error = seccomp_export_bpf(filter, fd);
	if (!error && fstat(fd, &st))
		error = -errno;
	if (!error && st.st_size > (off_t)sizeof(((struct space *)0)->jail))
		error = -E2BIG;
	if (!error) {
		jail->space = malloc((size_t)st.st_size);
		jail->space_insns = (u32)((size_t)st.st_size /
					  sizeof(*jail->space));
		if (!jail->space ||
		    pread(fd, jail->space, (size_t)st.st_size, 0) != st.st_size)
			error = -ENOMEM;
	}
	close(fd);
	return error;
}

static int make_space_filter(struct jail *jail)
{
	scmp_filter_ctx filter = new_filter(SCMP_ACT_KILL_PROCESS);
	int error = -ENOMEM;
	size_t i;

	if (!filter)
		return error;
	error = add_rules(filter, space_rules,
			  sizeof(space_rules) / sizeof(space_rules[0]), ALL);
	for (i = 0; i < sizeof(vsyscalls) / sizeof(vsyscalls[0]) && !error; i++)
		error = seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS),
					 vsyscalls[i], 0);
	if (!error)
		error = add_compat(filter, SCMP_ACT_KILL_PROCESS);
	if (!error)
		error = export(filter, jail);
	seccomp_release(filter);
	return error;
}

/* Also of an abort(): raise() is a signal to itself. */
static int add_own(scmp_filter_ctx filter)
{
	const struct scmp_arg_cmp self = IS(0, (u64)getpid());

	return seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(tgkill), 1,
				self);
}

static int load_launcher_filter(const struct options *o)
{
	scmp_filter_ctx filter = new_filter(SCMP_ACT_ERRNO(EPERM));
	int error = -ENOMEM;
	size_t i;

	if (!filter)
		return error;
	error = add_rules(filter, launcher_rules,
			  sizeof(launcher_rules) / sizeof(launcher_rules[0]),
			  needed(o));
	for (i = 0; i < sizeof(asked_for) / sizeof(asked_for[0]) && !error; i++)
		error = seccomp_rule_add_array(filter, SCMP_ACT_TRAP,
					       asked_for[i].nr,
					       asked_for[i].args,
					       asked_for[i].arg);
	if (!error)
		error = add_own(filter);
	if (!error)
		error = add_compat(filter, SCMP_ACT_ERRNO(EPERM));
	if (!error)
		error = seccomp_load(filter);
	seccomp_release(filter);
	return error;
}

/* SIGSYS of the launcher's: a call that goes by a file's name. */
static void asked(int signal, siginfo_t *si, void *context)
{
	ucontext_t *uc = context;
	greg_t *reg = uc->uc_mcontext.gregs;
	const char *name = (const char *)reg[REG_RSI];
	int here = (int)reg[REG_RDI];
	long result = -EPERM;
	int error = errno;

	(void)signal;
	if (si->si_syscall == __NR_unlink)
		result = keeper_unlink((const char *)reg[REG_RDI]);
	else if (si->si_syscall == __NR_openat && here == AT_FDCWD)
		result = keeper_open(name, (int)reg[REG_RDX]);
	else if (si->si_syscall == __NR_newfstatat && !*name &&
		 reg[REG_R10] == AT_EMPTY_PATH)
		result = syscall(SYS_fstat, here, reg[REG_RDX]) ? -errno : 0;
	else if (si->si_syscall == __NR_newfstatat && here == AT_FDCWD)
		result = keeper_stat(name, (struct stat *)reg[REG_RDX]);
	reg[REG_RAX] = result;
	errno = error;
}

/*
 * Shutting.
 */

/* All capabilities but those of @keep, for good; 0, or -1 with errno. */
static int drop_privileges(u64 keep)
{
	struct __user_cap_header_struct header = {
		.version = _LINUX_CAPABILITY_VERSION_3,
	};
	struct __user_cap_data_struct data[2] = { { 0 } };
	u32 more = 0, i, cap;

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
	    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0))
		return -1;
	/* Fails at the first that the kernel does not know, or without CAP_SETPCAP. */
	for (cap = 0; !prctl(PR_CAPBSET_DROP, cap, 0, 0, 0); cap++)
		;
	if (syscall(SYS_capget, &header, data))
		return -1;
	for (i = 0; i < 2; i++) {
		u32 kept = (u32)(keep >> 32 * i);

		more |= data[i].inheritable |
			((data[i].permitted | data[i].effective) & ~kept);
		data[i].permitted &= kept;
		data[i].effective &= kept;
		data[i].inheritable = 0;
	}
	return more ? (int)syscall(SYS_capset, &header, data) : 0;
}

static int refuse(const char *what, int error)
{
	complain("the jail cannot be shut: %s: %s; --jail off does without it",
		 what, strerror(error));
	return -1;
}

/* At most @most of @resource, for good; 0, or -1 with errno. */
static int limit(int resource, u64 most)
{
	struct rlimit rlimit;

	if (getrlimit((__rlimit_resource_t)resource, &rlimit))
		return -1;
	if (rlimit.rlim_max <= most)
		return 0;
	rlimit.rlim_cur = most;
	rlimit.rlim_max = most;
	return setrlimit((__rlimit_resource_t)resource, &rlimit);
}

/*
 * jail_note_inherited() - what is open now, but for the standard streams, is of
 * who started us, and nobody's business: jail_shut() closes it.  Until then an
 * option may name it, as /dev/fd/N
 *
 * Returns 0, or -1 after saying what is wrong.
 */
int jail_note_inherited(struct vm_context *ctx)
{
	struct jail *jail = &ctx->jail;
	DIR *dir;
	const struct dirent *entry;
	int *more, fd;

	if (!ctx->options.jail)
		return 0;
	dir = opendir("/proc/self/fd");
	if (!dir) {
		complain("host: /proc/self/fd: %s; files that were open before stay open to a back end that is broken into",
			 strerror(errno));
		return 0;
	}
	while ((entry = readdir(dir))) {
		fd = (int)strtol(entry->d_name, NULL, 10);
		if (fd <= STDERR_FILENO || fd == dirfd(dir))
			continue;
		more = realloc(jail->inherited,
			       (jail->inherited_fds + 1) * sizeof(*more));
		if (!more) {
			complain("out of memory");
			closedir(dir);
			return -1;
		}
		jail->inherited = more;
		jail->inherited[jail->inherited_fds++] = fd;
	}
	closedir(dir);
	return 0;
}

/*
 * jail_shut() - the launcher's, for good: everything that the options name is
 * open, and no space was started
 *
 * Returns 0, or -1 after saying what is wrong.
 */
int jail_shut(struct vm_context *ctx)
{
	const struct options *o = &ctx->options;
	struct sigaction action = { .sa_sigaction = asked, .sa_flags = SA_SIGINFO };
	int error;

	if (!o->jail) {
		complain("--jail off: a guest that breaks out of its monitor, or into a back end, can do what you can");
		return 0;
	}
	while (ctx->jail.inherited_fds)
		close(ctx->jail.inherited[--ctx->jail.inherited_fds]);
	if (drop_privileges(0))
		return refuse("privileges", errno);
	/* As under a filter of somebody else's: ours makes up for the others. */
	if (limit(RLIMIT_CORE, NO_CORE))
		complain("host: no limit can be set: %s; the guest's memory may be in a core dump",
			 strerror(errno));
	/* Without a filter nothing traps: the launcher reads files itself. */
	if (landlock_shut(o, needed(o) & USER, !jail_has_seccomp(o), NULL))
		return refuse("Landlock", errno);
	if (!jail_has_seccomp(o)) {
		complain("host: the kernel has no seccomp filters (CONFIG_SECCOMP_FILTER); a monitor or a back end that is broken into can make any system call");
		return 0;
	}
	error = make_space_filter(&ctx->jail);
	if (error)
		return refuse("the spaces' filter", -error);
	sigaction(SIGSYS, &action, NULL);
	error = load_launcher_filter(o);
	return error ? refuse("the launcher's filter", -error) : 0;
}

/* jail_limit_space() - in a space to be: no new file, process or descriptor */
void jail_limit_space(const struct vm_context *ctx)
{
	if (!ctx->options.jail)
		return;
	limit(RLIMIT_NOFILE, 0);
	limit(RLIMIT_NPROC, 0);
	limit(RLIMIT_FSIZE, 0);
}

/*
 * jail_space_filter() - in a space to be: the filter that its monitor puts on
 * @pid: of the spaces
 */
void jail_space_filter(const struct vm_context *ctx, const u32 *pid)
{
	struct space *space = (struct space *)SPACE_BASE;
	u32 i, n;

	for (i = 0; i < ctx->jail.space_insns; i++) {
		space->jail[i] = ctx->jail.space[i];
		for (n = 0; n < SPACES; n++)
			if (BPF_CLASS(space->jail[i].code) == BPF_JMP &&
			    space->jail[i].k == PID_OF_SPACE(n))
				space->jail[i].k = pid[n];
	}
	space->jail_insns = ctx->jail.space_insns;
}

/*
 * jail_shut_keeper() - the keeper's: it reads files, and removes those of
 * @sockets, ended by NULL
 *
 * Returns 0, or -1 if it cannot be shut.
 */
int jail_shut_keeper(const struct options *options, const char *const *sockets)
{
	scmp_filter_ctx filter;
	int error;

	limit(RLIMIT_CORE, NO_CORE);
	limit(RLIMIT_NPROC, 0);
	limit(RLIMIT_FSIZE, 0);
	if (drop_privileges(1ull << CAP_DAC_OVERRIDE) ||
	    landlock_shut(options, false, true, sockets))
		return -1;
	if (!jail_has_seccomp(options))
		return 0;
	filter = new_filter(SCMP_ACT_KILL_PROCESS);
	if (!filter)
		return -1;
	error = add_rules(filter, keeper_rules,
			  sizeof(keeper_rules) / sizeof(keeper_rules[0]), ALL);
	if (!error)
		error = seccomp_load(filter);
	seccomp_release(filter);
	return error ? -1 : 0;
}
