// SPDX-License-Identifier: GPL-2.0
/*
 * Seccomp filters: what each answer does to a call, and what the SIGSYS of a trap tells.
 */
#include "conform.h"

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>

/* Answer @action for @nr, allow the rest. False where the kernel has no filters. */
static bool filter(int nr, uint32_t action)
{
	struct sock_filter prog[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_I386, 1, 0),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)nr, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, action),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog fprog = { ARRAY_SIZE(prog), prog };

	CHECK_SYS(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
	if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &fprog)) {
		if (errno == EINVAL || errno == ENOSYS)
			return false;
		FAIL("prctl(PR_SET_SECCOMP): %s", strerror(errno));
	}
	return true;
}

#define FILTER(nr, action) do { if (!filter(nr, action)) SKIP("no seccomp filters"); } while (0)

static siginfo_t trap_info;
static volatile int traps;
static volatile uint32_t trap_eip, trap_eax;

static void on_sys(int sig, siginfo_t *si, void *context)
{
	greg_t *g = ((ucontext_t *)context)->uc_mcontext.gregs;

	(void)sig;
	trap_info = *si;
	trap_eip = (uint32_t)g[REG_EIP];
	trap_eax = (uint32_t)g[REG_EAX];
	g[REG_EAX] = 4321;
	traps++;
}

static void trap(void)
{
	struct regs r = { .eax = SYS_getpgrp, .ebx = 5, .eflags = FL_BASE | FL_CF };

	catch_signal(SIGSYS, on_sys, 0);
	FILTER(SYS_getpgrp, SECCOMP_RET_TRAP | 0x77);
	for (int i = 1; i <= rounds(50); i++) {
		r.eax = SYS_getpgrp;
		reg_call(&r, code_int80);
		CHECK_EQ(traps, i);
		/* SYS_SECCOMP, which the C library does not name. */
		CHECK_EQ(trap_info.si_code, 1);
		CHECK_EQ(trap_info.si_errno, 0x77);
		CHECK_EQ(trap_info.si_syscall, SYS_getpgrp);
		CHECK_EQ(trap_info.si_arch, AUDIT_ARCH_I386);
		CHECK(trap_info.si_call_addr == (void *)(code_int80 + 2));
		CHECK_EQ(trap_eip, (uintptr_t)code_int80 + 2);
		CHECK_EQ(trap_eax, SYS_getpgrp);
		CHECK_EQ(r.eax, 4321);
		CHECK_EQ(r.ebx, 5);
		CHECK_EQ(r.eflags, FL_BASE | FL_CF);
	}
	/* Through the C library's way in too. */
	CHECK_EQ(syscall(SYS_getpgrp), 4321);
	CHECK_EQ(trap_info.si_syscall, SYS_getpgrp);
}

static void error(void)
{
	FILTER(SYS_getppid, SECCOMP_RET_ERRNO | EXDEV);
	CHECK_EQ(int80(SYS_getppid, 0, 0, 0, 0, 0, 0), -EXDEV);
	CHECK_ERR(syscall(SYS_getppid), EXDEV);
	CHECK_EQ(syscall(SYS_getpid), int80(SYS_getpid, 0, 0, 0, 0, 0, 0));
	/* Children and their children inherit it. */
	pid_t pid = xfork();

	if (!pid) {
		CHECK_ERR(syscall(SYS_getppid), EXDEV);
		_exit(0);
	}
	expect_exit(pid, 0);
}

static void kill_process(void)
{
	pid_t pid = xfork();

	if (!pid) {
		FILTER(SYS_getppid, SECCOMP_RET_KILL_PROCESS);
		int80(SYS_getppid, 0, 0, 0, 0, 0, 0);
		_exit(0);
	}
	expect_signal(pid, SIGSYS);
}

static void strict(void)
{
	pid_t pid = xfork();

	if (!pid) {
		if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT))
			SKIP("no seccomp");
		syscall(SYS_exit, 14);
	}
	expect_exit(pid, 14);
	pid = xfork();
	if (!pid) {
		CHECK_SYS(prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT));
		syscall(SYS_getppid);
		syscall(SYS_exit, 0);
	}
	expect_signal(pid, SIGKILL);
}

/* Filters see the arguments: the call with one value is refused, with others not. */
static void arguments(void)
{
	struct sock_filter prog[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getpgid, 0, 3),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[5])),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0xdeadbeef, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPROTO),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog fprog = { ARRAY_SIZE(prog), prog };

	CHECK_SYS(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
	if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &fprog))
		SKIP("no seccomp filters");
	CHECK_EQ(int80(SYS_getpgid, 0, 0, 0, 0, 0, 0xdeadbeefL), -EPROTO);
	CHECK_EQ(int80(SYS_getpgid, 0, 0, 0, 0, 0, 0), getpgrp());
}

const struct test seccomp_tests[] = {
	{ "seccomp-trap", trap, 0 },
	{ "seccomp-errno", error, 0 },
	{ "seccomp-kill", kill_process, 0 },
	{ "seccomp-strict", strict, 0 },
	{ "seccomp-arguments", arguments, 0 },
	{ NULL, NULL, 0 },
};
