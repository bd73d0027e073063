// SPDX-License-Identifier: GPL-2.0
/*
 * What the machine and its kernel offer, found out by trying.
 */
#include "launcher.h"

#include <asm/prctl.h>
#include <cpuid.h>
#include <inttypes.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

#ifndef PR_SET_SYSCALL_USER_DISPATCH
#define PR_SET_SYSCALL_USER_DISPATCH 59
#define PR_SYS_DISPATCH_ON 1
#endif

#define NR_GETPID_32	20

/* Runs @probe in a child of its own; a crash there is a "no". */
static bool probe(bool (*try)(void))
{
	pid_t pid = fork();
	int status;

	if (pid < 0)
		return false;
	if (!pid) {
		signal(SIGSEGV, SIG_DFL);
		_exit(try() ? 0 : 1);
	}
	if (waitpid(pid, &status, 0) != pid)
		return false;
	return WIFEXITED(status) && !WEXITSTATUS(status);
}

static bool try_ia32(void)
{
	long ret;

	__asm__ volatile("int $0x80" : "=a"(ret) : "a"(NR_GETPID_32)
			 : "memory", "r8", "r9", "r10", "r11");
	return ret == getpid();
}

static bool try_sud(void)
{
	char selector = 0;

	/* All of memory is exempt: it shall be accepted, not felt. */
	return !prctl(PR_SET_SYSCALL_USER_DISPATCH, PR_SYS_DISPATCH_ON,
		      0, ~0ul >> 1, &selector);
}

static bool try_cpuid_faulting(void)
{
	return !syscall(SYS_arch_prctl, ARCH_SET_CPUID, 0);
}

/*
 * Protection keys 1 to 3, as the monitor numbers them: a process has all of its
 * keys when it starts.
 */
static bool take_keys(void)
{
	u32 key;

	for (key = KEY_KERNEL; key <= KEY_READ; key++)
		if (pkey_alloc(0, 0) != (int)key)
			return false;
	return true;
}

/*
 * host_check() - can this machine run a guest at all?
 *
 * Takes the protection keys, unless told to do without.  Returns 0, or -1 after
 * saying what is missing.
 */
int host_check(const struct options *options)
{
	if (options->mask_ia32 || !probe(try_ia32)) {
		complain("host: the kernel cannot run 32-bit code; it needs CONFIG_IA32_EMULATION=y and no ia32_emulation=off on its command line");
		return -1;
	}
	if (options->mask_sud || !probe(try_sud)) {
		complain("host: the kernel has no Syscall User Dispatch; it needs Linux 5.11 or later");
		return -1;
	}
	if (options->isolation != ISOLATION_KEYS) {
		complain("--isolation=%s: guest programs are kept neither from the guest's kernel nor from the monitor%s",
			 options->isolation == ISOLATION_NONE ? "none" : "scan",
			 options->jail ? ", which has its jail alone" :
					 ", which has your rights");
	} else if (options->mask_keys || !take_keys()) {
		complain("host: the machine has no protection keys (or this process none to give), which keep guest programs from the guest's kernel and from the monitor; to run without, say --isolation=none");
		return -1;
	}
	if (2 * host_frame_bytes() > ALT_STACK_BYTES) {
		complain("host: a signal frame takes %u bytes here; this version has room for two of %u",
			 host_frame_bytes(), ALT_STACK_BYTES / 2);
		return -1;
	}
	return 0;
}

/* Can CPUID be made to trap? */
static bool host_can_fault_cpuid(const struct options *options)
{
	return !options->mask_cpuid && probe(try_cpuid_faulting);
}

void host_cpuid(u32 leaf, u32 subleaf, struct cpuid_leaf *out)
{
	out->leaf = leaf;
	out->subleaf = subleaf;
	__cpuid_count(leaf, subleaf, out->eax, out->ebx, out->ecx, out->edx);
}

/* host_xcr0() - the state components in use, 0 without XSAVE */
u64 host_xcr0(void)
{
	struct cpuid_leaf leaf;
	u32 low, high;

	host_cpuid(1, 0, &leaf);
	if (!(leaf.ecx & bit_OSXSAVE))
		return 0;
	__asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
	return (u64)high << 32 | low;
}

/* host_xsave_bytes() - room that XSAVE needs for @mask, in standard format */
u32 host_xsave_bytes(u64 mask)
{
	u32 bytes = mask ? 576 : 512;	/* with the header; FXSAVE */
	u32 bit;

	for (bit = 2; bit < 63; bit++) {
		struct cpuid_leaf leaf;

		if (!(mask & 1ull << bit))
			continue;
		host_cpuid(0xd, bit, &leaf);
		if (bytes < leaf.ebx + leaf.eax)
			bytes = leaf.ebx + leaf.eax;
	}
	return bytes;
}

/* host_frame_bytes() - the size of the largest signal frame, at most */
u32 host_frame_bytes(void)
{
	long bytes = sysconf(_SC_MINSIGSTKSZ);

	/* Kernels before Linux 5.14 do not say, and know no AMX. */
	return bytes < PAGE_SIZE ? PAGE_SIZE : (u32)bytes;
}

/* How many mappings a process may have. */
static u32 host_map_count(void)
{
	FILE *file = fopen("/proc/sys/vm/max_map_count", "re");
	unsigned int count = 65530;

	if (file) {
		if (fscanf(file, "%u", &count) != 1)
			count = 65530;
		fclose(file);
	}
	return count;
}

/* The vDSO of this process and its children; the end is 0 if it is not known. */
static u64 vdso_start, vdso_end;

static void find_vdso(void)
{
	FILE *file = fopen("/proc/self/maps", "re");
	char line[256];

	vdso_end = 0;
	if (!file)
		return;
	while (!vdso_end && fgets(line, sizeof(line), file))
		if (strstr(line, "[vdso]") &&
		    sscanf(line, "%" SCNx64 "-%" SCNx64, &vdso_start,
			   &vdso_end) != 2)
			vdso_end = 0;
	fclose(file);
}

/*
 * host_move_vdso() - move the vDSO of this process to LANDING_BASE, and unmap it
 *
 * For a child, after host_sysenter_landing(); libc's clocks cannot be used any
 * more.  Returns false if it cannot be moved.
 */
bool host_move_vdso(void)
{
	u64 bytes = vdso_end - vdso_start;
	void *to = (void *)LANDING_BASE;

	return vdso_end && bytes <= LANDING_STACK - LANDING_BASE &&
	       mremap((void *)vdso_start, bytes, bytes,
		      MREMAP_MAYMOVE | MREMAP_FIXED, to) == to &&
	       !munmap(to, bytes);
}

static u32 *landed_at;

static void landed(int signal, siginfo_t *si, void *context)
{
	ucontext_t *uc = context;

	(void)signal;
	(void)si;
	/* Behind the INT3. */
	*landed_at = (u32)uc->uc_mcontext.gregs[REG_RIP] - 1 - LANDING_BASE;
	_exit(0);
}

/* In a child: makes a 32-bit system call by SYSENTER, into a field of INT3. */
static bool try_sysenter(void)
{
	static u8 stack[64 << 10];
	stack_t ss = { .ss_sp = stack, .ss_size = sizeof(stack) };
	struct sigaction sa = {
		.sa_sigaction = landed,
		.sa_flags = SA_SIGINFO | SA_ONSTACK,
	};
	int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED;
	size_t bytes = LANDING_STACK - LANDING_BASE;

	if (!host_move_vdso() ||
	    mmap((void *)LANDING_BASE, bytes, PROT_READ | PROT_WRITE, flags, -1,
		 0) == MAP_FAILED ||
	    mmap((void *)LANDING_STACK, LANDING_STACK_BYTES,
		 PROT_READ | PROT_WRITE, flags, -1, 0) == MAP_FAILED ||
	    !memset((void *)LANDING_BASE, 0xcc, bytes) ||
	    mprotect((void *)LANDING_BASE, bytes, PROT_READ | PROT_EXEC) ||
	    sigaltstack(&ss, NULL) || sigaction(SIGTRAP, &sa, NULL))
		return false;
	signal(SIGILL, SIG_DFL);
	__asm__ volatile("mov %1, %%ebp; sysenter"
			 : : "a"(NR_GETPID_32),
			     "r"(LANDING_STACK + LANDING_STACK_BYTES - 16)
			 : "memory");
	return false;
}

/*
 * Where SYSENTER returns to, from LANDING_BASE on, in a
 * process after host_move_vdso(); 0 if it cannot be used
 */
static u32 host_sysenter_landing(const struct options *options)
{
	u32 offset = 0;

	if (options->mask_sysenter)
		return 0;
	find_vdso();
	landed_at = mmap(NULL, sizeof(u32), PROT_READ | PROT_WRITE,
			 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (landed_at == MAP_FAILED)
		return 0;
	if (probe(try_sysenter))
		offset = *landed_at;
	munmap(landed_at, sizeof(u32));
	return offset < LANDING_STACK - LANDING_BASE - 2 * PAGE_SIZE ? offset : 0;
}

/* host_learn() - find out what make_vm() wants to know, for all boots */
void host_learn(struct host *host, const struct options *options)
{
	host->map_count = host_map_count();
	host->fault_cpuid = host_can_fault_cpuid(options);
	host->landing = host_sysenter_landing(options);
}

/*
 * verb_host() - `plex86 host`: what this machine offers, a line each
 *
 * Returns 0 if it can run a guest with --isolation=keys, 1 if not.
 */
int verb_host(int argc, char **argv)
{
	const struct options all = { 0 };
	bool ia32 = probe(try_ia32), sud = probe(try_sud);
	bool keys = probe(take_keys);
	u32 landlock = landlock_version(&all);
	char version[32];

	(void)argc;
	(void)argv;
	snprintf(version, sizeof(version), "yes: version %u", landlock);
	printf("32-bit code             %s\n"
	       "Syscall User Dispatch   %s\n"
	       "protection keys         %s\n"
	       "CPUID faulting          %s\n"
	       "SYSENTER                %s\n"
	       "seccomp                 %s\n"
	       "Landlock                %s\n",
	       ia32 ? "yes" : "no: cannot run a guest",
	       sud ? "yes" : "no: cannot run a guest",
	       keys ? "yes" : "no: can run a guest with --isolation=none",
	       host_can_fault_cpuid(&all) ? "yes" : "no",
	       host_sysenter_landing(&all) ? "yes" : "no",
	       jail_has_seccomp(&all) ? "yes" : "no: the jail leaves all system calls open",
	       landlock ? version : "no: the jail is its filters alone");
	return ia32 && sud && keys ? 0 : EXIT_CANNOT;
}
