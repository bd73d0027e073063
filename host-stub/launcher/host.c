// SPDX-License-Identifier: GPL-2.0
/*
 * What the machine and its kernel offer, found out by trying.
 */
#include "launcher.h"

#include <asm/prctl.h>
#include <cpuid.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
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
 * host_check() - can this machine run a guest at all?
 *
 * Returns 0, or -1 after saying what is missing.
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
	return 0;
}

/* host_can_fault_cpuid() - can CPUID be made to trap? */
bool host_can_fault_cpuid(const struct options *options)
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

/* host_map_count() - how many mappings a process may have */
u32 host_map_count(void)
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
