// SPDX-License-Identifier: GPL-2.0
/*
 * `plex86 run`: build a VM, start its spaces, serve its devices until it ends.
 */
#include "launcher.h"
#include "scan.h"
#include "scanner.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/rseq.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#ifndef MFD_EXEC
#define MFD_EXEC 0x0010U
#endif

#define RSEQ_BYTES	32u	/* what glibc registers, to any __rseq_size */

#define WRPKRU_BYTES	3u

/* No guest has more memory. */
#define INITRD_MAX_BYTES (4ull << 30)

#define NS_PER_MS	1000000ull

/* A space lets go of a page within this time, or it is broken. */
#define RELEASE_NS	1000000000ull

/* XCR0 bits of what goes from space to space: x87, SSE, AVX and AVX-512. */
#define XSAVE_CARRIED	0xe7u

extern const u8 monitor_image[], monitor_image_end[];
extern const u8 gates_image[], gates_image_end[];

/* In place of WRPKRU where there are no protection keys. */
static const u8 nop3[WRPKRU_BYTES] = { 0x0f, 0x1f, 0x00 };

/* Sees to it that the monitor has a turn. */
static void kick(struct vm_context *ctx)
{
	struct state *state = ctx->state;
	pid_t pid;
	u32 i;

	/* What we have to tell is stored: it sees that. */
	if (__atomic_load_n(&state->alert, __ATOMIC_SEQ_CST))
		return;
	if (__atomic_exchange_n(&state->kicked, 1, __ATOMIC_SEQ_CST))
		return;
	/* 0: no space runs yet; the first looks before it does. */
	pid = (pid_t)__atomic_load_n(&state->active_pid, __ATOMIC_SEQ_CST);
	for (i = 0; i < SPACES; i++)
		if (pid && ctx->spaces[i] == pid)
			syscall(SYS_tgkill, pid, pid, SIG_KICK);
}

/* Raises IRQ @irq in the guest and sees that it notices. */
static void raise_irq(struct vm_context *ctx, u32 irq)
{
	struct plex86_info *info = (void *)ctx->state->info_page;

	__atomic_or_fetch(&info->irq_pending, 1u << irq, __ATOMIC_SEQ_CST);
	kick(ctx);
}

/* Has the monitor make page @page of RAM data again; false: it did not. */
static bool want_data(struct vm_context *ctx, u32 page)
{
	struct state *state = ctx->state;
	const struct timespec nap = { .tv_nsec = 20000 };
	u64 until = now_ns() + RELEASE_NS;

	while (__atomic_load_n(&state->page_state[page], __ATOMIC_SEQ_CST) &
	       (PAGE_CODE | PAGE_STEP)) {
		__atomic_store_n(&state->page_wanted, page + 1,
				 __ATOMIC_SEQ_CST);
		kick(ctx);
		if (now_ns() > until)
			return false;
		nanosleep(&nap, NULL);
	}
	return true;
}

/*
 * vm_hold(), vm_release() - a back end writes to @bytes of RAM at @gpa
 *
 * What is held does not become executable (monitor, code.c); what is so already
 * the monitor must let go of first.  vm_hold() returns false if it does not, and
 * holds nothing then.
 */
bool vm_hold(void *context, u64 gpa, u64 bytes)
{
	struct vm_context *ctx = context;
	u32 first = (u32)(gpa / PAGE_SIZE), page;
	u32 end = (u32)((gpa + bytes + PAGE_SIZE - 1) / PAGE_SIZE);

	for (page = first; page < end; page++) {
		__atomic_add_fetch(&ctx->state->page_held[page], 1,
				   __ATOMIC_SEQ_CST);
		if (want_data(ctx, page))
			continue;
		vm_release(ctx, gpa, ((u64)page + 1) * PAGE_SIZE - gpa);
		return false;
	}
	return true;
}

void vm_release(void *context, u64 gpa, u64 bytes)
{
	struct vm_context *ctx = context;
	u32 page = (u32)(gpa / PAGE_SIZE);
	u32 end = (u32)((gpa + bytes + PAGE_SIZE - 1) / PAGE_SIZE);

	for (; page < end; page++)
		__atomic_sub_fetch(&ctx->state->page_held[page], 1,
				   __ATOMIC_SEQ_CST);
}

/* vm_device_interrupt() - tell the guest that @device has news */
void vm_device_interrupt(struct vm_context *ctx, u32 device)
{
	struct plex86_info *info = (void *)ctx->state->info_page;

	__atomic_or_fetch(&info->dev_pending[device / 32], 1u << (device % 32),
			  __ATOMIC_SEQ_CST);
	raise_irq(ctx, PLEX86_IRQ_BUS);
}

/* A sealed memfd of @bytes, mapped at @address; -1 after saying why not. */
static int make_memory(const char *name, u64 bytes, u64 address)
{
	int seals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;
	unsigned int flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
	int fd = memfd_create(name, flags | MFD_EXEC);
	void *at;

	if (fd < 0 && errno == EINVAL)		/* before Linux 6.3 */
		fd = memfd_create(name, flags);
	if (fd < 0 || ftruncate(fd, (off_t)bytes) ||
	    fcntl(fd, F_ADD_SEALS, seals)) {
		complain("cannot make %llu MiB of guest memory: %s",
			 (unsigned long long)(bytes >> 20), strerror(errno));
		goto fail;
	}
	at = mmap((void *)address, bytes, PROT_READ | PROT_WRITE,
		  MAP_SHARED | MAP_FIXED_NOREPLACE | MAP_NORESERVE, fd, 0);
	if (at == (void *)address) {
		madvise(at, bytes, MADV_HUGEPAGE);
		return fd;
	}
	complain("cannot map guest memory: %s", strerror(errno));
fail:
	if (fd >= 0)
		close(fd);
	return -1;
}

/* Maps the monitor where it was linked. */
static int map_monitor(const struct options *o)
{
	size_t bytes = (size_t)(monitor_image_end - monitor_image);
	void *at = mmap((void *)MONITOR_BASE, MONITOR_TEXT_MAX,
			PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS |
			MAP_FIXED_NOREPLACE, -1, 0);
	u64 wrpkru[2];		/* where the list starts and ends */
	u8 *site;

	if (at != (void *)MONITOR_BASE || bytes > MONITOR_TEXT_MAX) {
		complain("cannot map the monitor: %s", strerror(errno));
		return -1;
	}
	memcpy(at, monitor_image, bytes);
	memcpy(wrpkru, (u8 *)at + MONITOR_WRPKRU, sizeof(wrpkru));
	for (; o->isolation != ISOLATION_KEYS && wrpkru[0] < wrpkru[1];
	     wrpkru[0] += sizeof(site)) {
		memcpy(&site, (u8 *)wrpkru[0], sizeof(site));
		memcpy(site, nop3, sizeof(nop3));
	}
	return mprotect(at, MONITOR_TEXT_MAX, PROT_READ | PROT_EXEC);
}

/* The page of the gates, for the kernel that was loaded. */
static void make_gates(struct vm_context *ctx)
{
	u8 *page = ctx->state->gates_page;
	const struct gate_table *table = (const void *)(page + GATE_TABLE);
	u32 i;

	memcpy(page, gates_image, (size_t)(gates_image_end - gates_image));
	memcpy(ctx->state->iret_site, ctx->image.iret,
	       sizeof(ctx->state->iret_site));
	for (i = 0; ctx->options.isolation != ISOLATION_KEYS &&
	     i < sizeof(table->wrpkru) / sizeof(u32); i++)
		memcpy(page + table->wrpkru[i] - PLEX86_GATES, nop3,
		       sizeof(nop3));
	if (ctx->options.isolation != ISOLATION_KEYS)
		memcpy(page + table->rdpkru - PLEX86_GATES, nop3, sizeof(nop3));
}

/* Where SYSENTER comes back to: "ljmp", and behind it 64-bit code. */
static void make_landing(struct state *state)
{
	static const u8 movabs_rcx[] = { 0x48, 0xb9 }, jmp_rcx[] = { 0xff, 0xe1 };
	u32 there = LANDING_BASE + state->landing + 7;
	u16 cs = HOST_CS64;
	u8 *at = state->landing_pages + (state->landing & (PAGE_SIZE - 1));

	*at = 0xea;
	memcpy(at + 1, &there, sizeof(there));
	memcpy(at + 5, &cs, sizeof(cs));
	memcpy(at + 7, movabs_rcx, sizeof(movabs_rcx));
	memcpy(at + 9, (u8 *)MONITOR_BASE + MONITOR_LANDED, sizeof(u64));
	memcpy(at + 17, jmp_rcx, sizeof(jmp_rcx));
}

/*
 * The kernel's text is code from the start, so that it need not become so page
 * after page.
 */
static void scan_text(struct vm_context *ctx)
{
	struct state *state = ctx->state;
	u32 page = (ctx->image.text + PAGE_SIZE - 1) / PAGE_SIZE;

	for (; state->scan && page < ctx->image.text_end / PAGE_SIZE; page++)
		state->page_state[page] = (u16)(PAGE_CODE |
			core_scan(state->vm.ram + (u64)page * PAGE_SIZE));
}

/* Loads kernel and initrd; 0, or -1 after saying what is wrong. */
static int load_guest(struct vm_context *ctx)
{
	const struct options *o = &ctx->options;
	u64 initrd_bytes = o->initrd ? ctx->initrd.bytes : 0;
	struct vm *vm = &ctx->state->vm;
	u8 seed[IMAGE_SEED_BYTES];
	u32 initrd_gpa = 0;
	const char *error;

	error = image_load(vm, ctx->kernel.data, ctx->kernel.bytes, &ctx->image);
	if (!error)
		error = image_shared_form(vm, &ctx->image);
	if (error) {
		complain("kernel: %s: %s", o->kernel, error);
		return -1;
	}
	make_gates(ctx);
	scan_text(ctx);
	if (initrd_bytes) {
		if (initrd_bytes > vm->ram_bytes - ctx->image.end) {
			complain("initrd: %s: %llu MiB do not fit beside the kernel in %u MiB of memory; give more with --mem",
				 o->initrd,
				 (unsigned long long)(initrd_bytes >> 20),
				 vm->ram_bytes >> 20);
			return -1;
		}
		initrd_gpa = (vm->ram_bytes - (u32)initrd_bytes) & PAGE_MASK;
		if (initrd_gpa < ctx->image.end) {
			complain("initrd: %s: no room between it and the kernel; give more with --mem",
				 o->initrd);
			return -1;
		}
		memcpy(vm->ram + initrd_gpa, ctx->initrd.data, initrd_bytes);
	}
	if (getrandom(seed, sizeof(seed), 0) != (ssize_t)sizeof(seed)) {
		complain("getrandom: %s", strerror(errno));
		return -1;
	}
	image_boot_params(vm, &ctx->image, initrd_gpa, (u32)initrd_bytes,
			  o->append, seed);
	explicit_bzero(seed, sizeof(seed));
	return 0;
}

/* Makes state and RAM for one boot. */
static int make_vm(struct vm_context *ctx)
{
	const struct options *o = &ctx->options;
	struct state *state;

	ctx->state_fd = make_memory("plex86-state", sizeof(struct state),
				    STATE_BASE);
	if (ctx->state_fd < 0)
		return -1;
	ctx->ram_fd = make_memory("plex86-ram", o->mem_bytes, RAM_BASE);
	if (ctx->ram_fd < 0)
		return -1;
	state = (struct state *)STATE_BASE;
	ctx->state = state;
	state->map_count_max = ctx->host.map_count;
	state->fault_cpuid = ctx->host.fault_cpuid;
	state->keys = o->isolation == ISOLATION_KEYS;
	state->scan = o->isolation != ISOLATION_NONE;
	state->frame_bytes = host_frame_bytes();
	state->xsave_mask = host_xcr0() & XSAVE_CARRIED;
	state->xsave_bytes = host_xsave_bytes(state->xsave_mask);
	state->landing = ctx->host.landing;
	if (state->landing)
		make_landing(state);

	state->vm.ram = (u8 *)RAM_BASE;
	state->vm.ram_bytes = (u32)o->mem_bytes;
	state->vm.info = (struct plex86_info *)(void *)state->info_page;
	state->vm.queues = state->queues;
	state->vm.info->abi_major = PLEX86_ABI_MAJOR;
	state->vm.info->abi_minor = PLEX86_ABI_MINOR;
	state->vm.info->asids = SPACES + 1;	/* 0 is none of the guest's */
	if (tsc_invariant())
		state->vm.info->host_flags |= PLEX86_HOST_TSC;
	core_cpuid_build(&state->vm.cpuid, host_cpuid, host_xcr0());
	return 0;
}

static void free_vm(struct vm_context *ctx)
{
	if (ctx->state_fd >= 0)
		close(ctx->state_fd);
	if (ctx->ram_fd >= 0)
		close(ctx->ram_fd);
	munmap((void *)STATE_BASE, sizeof(struct state));
	munmap((void *)RAM_BASE, ctx->options.mem_bytes);
	ctx->state = NULL;
	ctx->state_fd = -1;
	ctx->ram_fd = -1;
}

/* In the child: say that the host is to blame, and go. */
static void __attribute__((noreturn)) cannot_enter(struct state *state,
						   const char *what)
{
	snprintf(state->vm.end.reason, sizeof(state->vm.end.reason), "%s: %s",
		 what, strerror(errno));
	state->vm.end.how = END_HOST;
	_exit(EXIT_CANNOT);
}

/*
 * In the child: become space @number.  Nothing of libc is used after this.
 *
 * Its descriptors become 3, 4 and 5, by way of copies above these, and all
 * others are closed.
 */
static void __attribute__((noreturn)) enter_space(struct vm_context *ctx,
						  u32 number, pid_t launcher)
{
	struct state *state = ctx->state;
	monitor_entry_fn entry = (monitor_entry_fn)(MONITOR_BASE +
						    MONITOR_ENTRY);
	int keep[] = { ctx->state_fd, ctx->ram_fd, ctx->doorbell_fd };
	u8 *thread;
	void *at;
	int fd;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != launcher)
		_exit(EXIT_CANNOT);	/* and nobody is there to be told */
	prctl(PR_SET_NAME, "plex86-space");
	setsid();
	at = mmap((void *)SPACE_BASE, sizeof(struct space),
		  PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS |
		  MAP_FIXED_NOREPLACE | MAP_NORESERVE, -1, 0);
	if (at != (void *)SPACE_BASE)
		cannot_enter(state, "cannot map the state of a space");
	for (fd = 0; fd < 3; fd++) {
		keep[fd] = fcntl(keep[fd], F_DUPFD, SPACE_STATE_FD + 3);
		if (keep[fd] < 0)
			cannot_enter(state, "cannot pass on a descriptor");
	}
	for (fd = 0; fd < 3; fd++)
		if (dup2(keep[fd], SPACE_STATE_FD + fd) < 0)
			cannot_enter(state, "cannot pass on a descriptor");
	close_range(0, SPACE_STATE_FD - 1, 0);
	close_range(SPACE_STATE_FD + 3, ~0u, 0);
	jail_limit_space(ctx);
	while (!__atomic_load_n(&state->born, __ATOMIC_ACQUIRE))
		syscall(SYS_futex, &state->born, FUTEX_WAIT, 0, NULL, NULL, 0);
	jail_space_filter(ctx, state->pid);
	if (state->landing && !host_move_vdso())
		cannot_enter(state, "cannot move the vDSO");
	/* The kernel must not touch this thread's memory once it is gone. */
	__asm__("mov %%fs:0, %0" : "=r"(thread));
	if (__rseq_size &&
	    syscall(SYS_rseq, thread + __rseq_offset, RSEQ_BYTES,
		    RSEQ_FLAG_UNREGISTER, RSEQ_SIG))
		cannot_enter(state, "cannot end the registration for rseq");
	syscall(SYS_set_tid_address, NULL);
	syscall(SYS_set_robust_list, NULL, 24ul);	/* struct robust_list_head */
	entry(state, number);
	__builtin_unreachable();
}

/* The first runs the guest; the others are there before it asks for them. */
static int start_spaces(struct vm_context *ctx)
{
	pid_t self = getpid(), pid;
	int ret = 0;
	u32 i;

	ctx->state->state_fd = SPACE_STATE_FD;
	ctx->state->ram_fd = SPACE_RAM_FD;
	ctx->state->doorbell_fd = SPACE_DOORBELL_FD;
	oom_first(&ctx->oom, true);
	for (i = 0; i < SPACES && !ret; i++) {
		/* fork(), and a descriptor by which it alone can be killed. */
		pid = (pid_t)syscall(SYS_clone, SPACE_CLONE, NULL,
				     &ctx->space_fd[i], NULL, 0);
		if (!pid)
			enter_space(ctx, i, self);
		if (pid < 0) {
			complain("fork: %s", strerror(errno));
			ret = -1;
		} else {
			ctx->spaces[i] = pid;
			ctx->state->pid[i] = (u32)pid;
		}
	}
	oom_first(&ctx->oom, false);
	if (ret)
		return ret;
	__atomic_store_n(&ctx->state->born, 1, __ATOMIC_RELEASE);
	syscall(SYS_futex, &ctx->state->born, FUTEX_WAKE, SPACES, NULL, NULL, 0);
	return 0;
}

/*
 * vm_signals() - take what signals came; one that ends us is the user's quit
 *
 * Returns true if a space may have ended.
 */
bool vm_signals(struct vm_context *ctx)
{
	struct signalfd_siginfo si;
	bool child = false;
	int number;

	while (read(ctx->signal_fd, &si, sizeof(si)) == (ssize_t)sizeof(si)) {
		switch (si.ssi_signo) {
		case SIGCHLD:
			child = true;
			break;
		case SIGWINCH:
			console_resize(ctx->console);
			break;
		case SIGCONT:
			terminal_continued();
			break;
		default:
			if (ctx->quit)
				break;
			number = (int)si.ssi_signo;
			complain("stopped by signal %d (%s)", number,
				 strsignal(number));
			ctx->quit = true;
			ctx->quit_status = 128 + number;
		}
	}
	return child;
}

/* Kills and reaps all spaces. */
static void stop_spaces(struct vm_context *ctx)
{
	u32 i;

	for (i = 0; i < SPACES; i++) {
		if (!ctx->spaces[i])
			continue;
		syscall(SYS_pidfd_send_signal, ctx->space_fd[i], SIGKILL, NULL, 0);
		while (waitpid(ctx->spaces[i], NULL, 0) < 0 && errno == EINTR)
			;
		close(ctx->space_fd[i]);
		ctx->spaces[i] = 0;
	}
}

/* Has one ended?  With *@status as waitpid() has it. */
static bool space_ended(struct vm_context *ctx, int *status)
{
	u32 i;

	for (i = 0; i < SPACES; i++)
		if (ctx->spaces[i] &&
		    waitpid(ctx->spaces[i], status, WNOHANG) == ctx->spaces[i]) {
			close(ctx->space_fd[i]);
			ctx->spaces[i] = 0;
			return true;
		}
	return false;
}

/*
 * How it ended, from what the space left; @status is waitpid()'s.  The space
 * ran the guest, so what it left is checked like the guest's own.
 */
static void take_end(struct vm_context *ctx, int status)
{
	struct end *end = &ctx->end;

	*end = ctx->state->vm.end;
	end->reason[sizeof(end->reason) - 1] = 0;
	if (end->how == END_POWEROFF && end->status &&
	    (end->status < 64 || end->status > 127))
		end->how = END_NOT;
	if (end->how != END_NOT && end->how <= END_HOST)
		return;
	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL &&
	    oom_killed(&ctx->oom)) {
		end->how = END_HOST;
		snprintf(end->reason, sizeof(end->reason),
			 "out of memory: its kernel killed a space; " LESS_MEMORY);
		return;
	}
	end->how = END_CRASH;
	if (ctx->jail.space && WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS)
		snprintf(end->reason, sizeof(end->reason),
			 "its monitor made a system call that its jail does not have");
	else
		snprintf(end->reason, sizeof(end->reason),
			 "its monitor died (%s %d)",
			 WIFSIGNALED(status) ? "signal" : "status",
			 WIFSIGNALED(status) ? WTERMSIG(status) :
					       WEXITSTATUS(status));
}

/*
 * Serves the devices until the guest has ended.  Returns -1 when it has, or
 * the exit status if the user ended it.
 */
static int serve(struct vm_context *ctx)
{
	struct waits *waits = &ctx->waits;
	bool ended = false;

	for (;;) {
		int ms = balance_work(ctx), status = 0;
		u32 doorbell, signals;
		bool child = false;
		u64 count;

		waits_begin(waits);
		if (ms >= 0)
			waits_until(waits, now_ns() + (u64)ms * NS_PER_MS);
		doorbell = waits_fd(waits, ctx->doorbell_fd, POLLIN);
		signals = waits_fd(waits, ctx->signal_fd, POLLIN);
		keepers_wait(waits);
		control_wait(&ctx->control, waits);
		devices_wait(ctx, waits);
		if (waits_poll(waits)) {
			complain("poll: %s", strerror(errno));
			return EXIT_CANNOT;
		}
		if (waits_came(waits, doorbell) &&
		    read(ctx->doorbell_fd, &count, sizeof(count)) < 0 &&
		    errno != EAGAIN)
			complain("doorbell: %s", strerror(errno));
		if (waits_came(waits, signals))
			child = vm_signals(ctx);
		oom_look(&ctx->oom);
		if (keepers_gone(waits) && !ctx->quit) {
			complain("a keeper was killed, so the guest is stopped");
			ctx->quit = true;
			ctx->quit_status = EXIT_CANNOT;
		}
		control_work(ctx);
		devices_reset(ctx);
		devices_work(ctx, waits);
		if (ctx->quit)
			return ctx->quit_status;
		if (child && !ended && space_ended(ctx, &status)) {
			take_end(ctx, status);
			ended = true;
		}
		/* What it left in the queues is still to be written. */
		if (ended && !devices_drain(ctx))
			return -1;
	}
}

static void drop_guest(struct vm_context *ctx)
{
	file_drop(&ctx->kernel);
	file_drop(&ctx->initrd);
}

/*
 * One boot, of the files that were read.  Returns the exit status; *@again: the
 * guest wants to reboot.
 */
static int boot(struct vm_context *ctx, bool *again)
{
	struct end *end = &ctx->end;
	int status = EXIT_CANNOT;

	ctx->start_ns = now_ns();
	memset(end, 0, sizeof(*end));
	*again = false;
	if (make_vm(ctx) || load_guest(ctx))
		goto out;
	/* The guest has its copy.  Before the spaces are forked, for theirs too. */
	drop_guest(ctx);
	/* As late as can be: the longer it was measured the better it is. */
	ctx->state->vm.info->tsc_khz = tsc_khz(&ctx->tsc_start);
	devices_start(ctx);
	if (!start_spaces(ctx)) {
		balance_start(ctx);
		status = serve(ctx);
	}
	stop_spaces(ctx);
	devices_stop(ctx);
	/* By a signal, maybe, while that waited for a device. */
	if (status < 0 && ctx->quit) {
		status = ctx->quit_status;
	} else if (status < 0) {
		switch (end->how) {
		case END_REBOOT:
			*again = !ctx->options.no_reboot;
			status = EXIT_POWEROFF;
			break;
		case END_CRASH:
			report_crash(ctx);
			status = EXIT_CRASHED;
			break;
		case END_HOST:
			complain("host: %s", end->reason);
			status = EXIT_CANNOT;
			break;
		default:
			status = (int)end->status;
		}
	}
	if (ctx->stats_fd >= 0 && report_stats(ctx) && !status)
		status = EXIT_CANNOT;
out:
	free_vm(ctx);
	return status;
}

/*
 * Signals are read from a descriptor, so that nothing is cut short by one.  Until
 * then, as long as a server or a peer may keep us waiting, they end us as ever.
 */
static int open_signals(struct vm_context *ctx)
{
	static const int signals[] = {
		SIGCHLD, SIGWINCH, SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGCONT,
	};
	struct sigaction inherited;
	sigset_t set, blocked;
	size_t i;

	/* What we were told to ignore, as by nohup, is ignored. */
	sigemptyset(&set);
	for (i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		if (!sigaction(signals[i], NULL, &inherited) &&
		    inherited.sa_handler != SIG_IGN)
			sigaddset(&set, signals[i]);
	signal(SIGCHLD, SIG_DFL);
	sigaddset(&set, SIGCHLD);
	/* Spaces are born with their kicks blocked, until they can take one. */
	blocked = set;
	sigaddset(&blocked, SIG_KICK);
	sigprocmask(SIG_BLOCK, &blocked, NULL);
	ctx->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	ctx->doorbell_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (ctx->signal_fd < 0 || ctx->doorbell_fd < 0) {
		complain("cannot watch for signals: %s", strerror(errno));
		return -1;
	}
	return 0;
}

/* The kernel file's own limits against --mem. */
static int check_kernel(struct vm_context *ctx)
{
	const struct options *o = &ctx->options;
	const char *error = image_check(ctx->kernel.data, ctx->kernel.bytes,
					&ctx->image);
	u64 max = (u64)ctx->image.note.ram_max_mib << 20;

	if (error) {
		complain("kernel: %s: %s", o->kernel, error);
		return -1;
	}
	if (o->mem_bytes > max) {
		complain("--mem %lluM: too much memory; this kernel's memory split (CONFIG_VMSPLIT_*) can use %uM",
			 (unsigned long long)(o->mem_bytes >> 20),
			 ctx->image.note.ram_max_mib);
		return -1;
	}
	return o->unchecked ? 0 : check_run(o->kernel, ctx->kernel.data,
					    ctx->kernel.bytes);
}

/* Reads what is to be booted; 0, or -1 after saying what is wrong. */
static int read_guest(struct vm_context *ctx)
{
	const struct options *o = &ctx->options;
	const char *error = file_read(&ctx->kernel, o->kernel, KERNEL_MAX_BYTES);

	if (error) {
		complain("kernel: %s: %s", o->kernel, error);
		return -1;
	}
	if (check_kernel(ctx))
		return -1;
	error = o->initrd ? file_read(&ctx->initrd, o->initrd, INITRD_MAX_BYTES) : NULL;
	if (error) {
		complain("initrd: %s: %s", o->initrd, error);
		return -1;
	}
	return 0;
}

static int add_disks(struct vm_context *ctx)
{
	struct options *o = &ctx->options;
	u32 i;

	for (i = 0; i < o->disks; i++) {
		o->disk[i].no_uring = o->mask_uring;
		if (disk_add(&ctx->devices, &o->disk[i], i + 1))
			return -1;
	}
	return 0;
}

/* verb_run() - `plex86 run`; returns the exit status */
int verb_run(int argc, char **argv)
{
	struct vm_context ctx = {
		.state_fd = -1, .ram_fd = -1, .doorbell_fd = -1, .signal_fd = -1,
		.stats_fd = -1,
	};
	int status = EXIT_CANNOT;
	bool again = true;

	/* An error of that write is enough. */
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);
	tsc_start(&ctx.tsc_start);
	if (options_parse(&ctx.options, argc, argv) ||
	    jail_note_inherited(&ctx)) {
		options_free(&ctx.options);
		free(ctx.jail.inherited);
		return EXIT_CANNOT;
	}
	oom_open(&ctx.oom);
	if (read_guest(&ctx) || host_check(&ctx.options) ||
	    map_monitor(&ctx.options) || keepers_start(&ctx))
		goto out;
	ctx.console = console_add(&ctx.devices, &ctx.options);
	if (!ctx.console || add_disks(&ctx) || nets_add(&ctx) ||
	    control_open(&ctx.control, ctx.options.control) ||
	    open_signals(&ctx))
		goto out;
	keeper_sockets_made();
	host_learn(&ctx.host, &ctx.options);
	if (report_check(&ctx) || jail_shut(&ctx))
		again = false;
	while (again) {
		status = boot(&ctx, &again);
		/* The files may be other ones by now. */
		if (again && read_guest(&ctx)) {
			status = EXIT_CANNOT;
			again = false;
		}
	}
out:
	control_close(&ctx.control);
	devices_close(&ctx);
	keepers_end();
	free(ctx.waits.fds);
	free(ctx.jail.space);
	free(ctx.jail.inherited);
	drop_guest(&ctx);
	options_free(&ctx.options);
	oom_close(&ctx.oom);
	return status;
}
