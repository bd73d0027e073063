// SPDX-License-Identifier: GPL-2.0
/*
 * ptrace as a debugger uses it: memory, registers, breakpoints, steps, system call stops.
 *
 * Owns children that call PTRACE_TRACEME and stop themselves. Their code under test is
 * assembly between labels, so every EIP can be named.
 */
#include "conform.h"

#include <elf.h>
#include <sched.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/user.h>

static int wait_stop(pid_t pid)
{
	int status = 0;

	CHECK_EQ(waitpid(pid, &status, __WALL), pid);
	if (!WIFSTOPPED(status)) {
		if (WIFEXITED(status) && WEXITSTATUS(status) == 99)
			_exit(99);
		FAIL("status 0x%x where a stop was expected", status);
	}
	return status >> 8;
}

static struct user_regs_struct get_regs(pid_t pid)
{
	struct user_regs_struct r;

	CHECK_SYS(ptrace(PTRACE_GETREGS, pid, NULL, &r));
	return r;
}

static void set_regs(pid_t pid, struct user_regs_struct *r)
{
	CHECK_SYS(ptrace(PTRACE_SETREGS, pid, NULL, r));
}

static void resume(enum __ptrace_request how, pid_t pid, int sig)
{
	CHECK_SYS(ptrace(how, pid, NULL, (void *)(uintptr_t)sig));
}

/* A child stopped just before it calls fn(arg), and exits with its result. */
static pid_t traced(int (*fn)(void *), void *arg)
{
	pid_t pid = xfork();

	if (!pid) {
		CHECK_SYS(ptrace(PTRACE_TRACEME, 0, NULL, NULL));
		raise(SIGSTOP);
		_exit(fn(arg));
	}
	CHECK_EQ(wait_stop(pid), SIGSTOP);
	CHECK_SYS(ptrace(PTRACE_SETOPTIONS, pid, NULL, (void *)PTRACE_O_EXITKILL));
	return pid;
}

/* A child stopped with EIP at @code, registers as in @r; when the code returns it exits 0. */
static int run_code(void *arg)
{
	struct regs r = { .eflags = FL_BASE };

	reg_call(&r, arg);
	return 0;
}

static pid_t traced_at(const void *code)
{
	pid_t pid;
	long word;

	pid = traced(run_code, (void *)code);
	/* A breakpoint takes it there. */
	errno = 0;
	word = ptrace(PTRACE_PEEKTEXT, pid, code, NULL);
	CHECK_EQ(errno, 0);
	CHECK_SYS(ptrace(PTRACE_POKETEXT, pid, code, (void *)((word & ~0xffl) | 0xcc)));
	resume(PTRACE_CONT, pid, 0);
	CHECK_EQ(wait_stop(pid), SIGTRAP);
	struct user_regs_struct r = get_regs(pid);

	CHECK_EQ(r.eip, (uintptr_t)code + 1);
	r.eip--;
	set_regs(pid, &r);
	CHECK_SYS(ptrace(PTRACE_POKETEXT, pid, code, (void *)word));
	return pid;
}

static void finish(pid_t pid, int code)
{
	resume(PTRACE_CONT, pid, 0);
	expect_exit(pid, code);
}

static int return_data(void *arg)
{
	return *(volatile int *)arg;
}

static void peek_poke(void)
{
	static volatile int data = 17;
	static volatile int other[3] = { 1, 2, 3 };
	pid_t pid = traced(return_data, (void *)&data);

	errno = 0;
	CHECK_EQ(ptrace(PTRACE_PEEKDATA, pid, &data, NULL), 17);
	CHECK_EQ(errno, 0);
	CHECK_SYS(ptrace(PTRACE_POKEDATA, pid, &data, (void *)55));
	CHECK_EQ(data, 17);
	CHECK_EQ(ptrace(PTRACE_PEEKDATA, pid, &data, NULL), 55);
	/* Unaligned, over two words. */
	CHECK_SYS(ptrace(PTRACE_POKEDATA, pid, (char *)other + 2, (void *)0x0a0b0c0d));
	CHECK_EQ(ptrace(PTRACE_PEEKDATA, pid, &other[0], NULL), 0x0c0d0001);
	CHECK_EQ(ptrace(PTRACE_PEEKDATA, pid, &other[1], NULL), 0x00000a0b);
	CHECK_ERR(ptrace(PTRACE_PEEKDATA, pid, (void *)8, NULL), EIO);
	CHECK_ERR(ptrace(PTRACE_POKEDATA, pid, (void *)8, NULL), EIO);
	finish(pid, 55);
}

/* The tracer writes where the child may not: its own copy of a read-only page. */
static void poke_read_only(void)
{
	int *page = xmmap(PAGE, PROT_READ | PROT_WRITE);

	*page = 4;
	CHECK_SYS(mprotect(page, PAGE, PROT_READ));
	pid_t pid = traced(return_data, page);

	CHECK_SYS(ptrace(PTRACE_POKEDATA, pid, page, (void *)9));
	finish(pid, 9);
	CHECK_EQ(*page, 4);
}

__asm__(".text; pt_loop: movl $3, %ecx; pt_bp: incl %ebx; loop pt_bp; ret");
extern const unsigned char pt_loop[], pt_bp[];

/* A breakpoint hit three times: removed, stepped over, put back. */
static void breakpoints(void)
{
	pid_t pid = traced_at(pt_loop);
	long word = ptrace(PTRACE_PEEKTEXT, pid, pt_bp, NULL);

	for (int i = 0; i < 3; i++) {
		CHECK_SYS(ptrace(PTRACE_POKETEXT, pid, pt_bp, (void *)((word & ~0xffl) | 0xcc)));
		resume(PTRACE_CONT, pid, 0);
		CHECK_EQ(wait_stop(pid), SIGTRAP);
		struct user_regs_struct r = get_regs(pid);

		CHECK_EQ(r.eip, (uintptr_t)pt_bp + 1);
		CHECK_EQ(r.ecx, 3 - i);
		CHECK_EQ(r.ebx, i);
		siginfo_t si;

		CHECK_SYS(ptrace(PTRACE_GETSIGINFO, pid, NULL, &si));
		CHECK_EQ(si.si_code, SI_KERNEL);
		CHECK_SYS(ptrace(PTRACE_POKETEXT, pid, pt_bp, (void *)word));
		r.eip--;
		set_regs(pid, &r);
		resume(PTRACE_SINGLESTEP, pid, 0);
		CHECK_EQ(wait_stop(pid), SIGTRAP);
		r = get_regs(pid);
		CHECK_EQ(r.eip, (uintptr_t)pt_bp + 1);
		CHECK_EQ(r.ebx, i + 1);
	}
	finish(pid, 0);
}

static void step_list(pid_t pid, const uintptr_t *list)
{
	for (int i = 0; list[i]; i++) {
		resume(PTRACE_SINGLESTEP, pid, 0);
		int sig = wait_stop(pid);
		struct user_regs_struct r = get_regs(pid);

		if (sig != SIGTRAP)
			FAIL("step %d: signal %d", i, sig);
		if ((uintptr_t)r.eip != list[i])
			FAIL("step %d: EIP off by %ld", i, (long)((uintptr_t)r.eip - list[i]));
	}
}

#define LIST(name, list) \
	".section .rodata; .balign 4; " #name ": .long " list ", 0; .text;"

__asm__(".text; st_plain: nop; 1: movl $5, %eax; 2: call 4f; 3: jmp 5f; 4: ret; 5: xorl %ecx, %ecx;"
	"6: jecxz 7f; nop; 7: pushl %eax; 8: popl %edx; 9: ret;"
	LIST(st_plain_list, "1b, 2b, 4b, 3b, 5b, 6b, 7b, 8b, 9b"));
extern const unsigned char st_plain[];
extern const uintptr_t st_plain_list[];

static void step_plain(void)
{
	pid_t pid = traced_at(st_plain);

	step_list(pid, st_plain_list);
	finish(pid, 0);
}

/*
 * Over PUSHF and POPF. The image shows the hardware's TF. After a step over POPF the kernel no
 * longer knows TF to be the debugger's, and leaves it set when the child goes on: so the test,
 * as a debugger does, clears it.
 */
__asm__(".text; st_flags: stc; 1: pushf; 2: popl %ebx; 3: clc; 4: pushl %ebx; 5: popf; 6: pushf;"
	"7: popl %esi; 8: ret;" LIST(st_flags_list, "1b, 2b, 3b, 4b, 5b, 6b, 7b, 8b"));
extern const unsigned char st_flags[];
extern const uintptr_t st_flags_list[];

static void step_flags(void)
{
	pid_t pid = traced_at(st_flags);
	struct user_regs_struct r;

	step_list(pid, st_flags_list);
	r = get_regs(pid);
	CHECK((uint32_t)r.ebx & FL_CF);
	CHECK((uint32_t)r.esi & FL_CF);
	CHECK_EQ((uint32_t)r.ebx & FL_IF, FL_IF);
	r.eflags &= ~(long)FL_TF;
	set_regs(pid, &r);
	finish(pid, 0);
}

/* Over a system call: the next stop is right behind it. */
__asm__(".text; st_call: movl $20, %eax; 1: int $0x80; 2: nop; 3: movl $64, %eax; 4: int $0x80;"
	"5: ret;" LIST(st_call_list, "1b, 2b, 3b, 4b, 5b"));
extern const unsigned char st_call[];
extern const uintptr_t st_call_list[];

static void step_syscall(void)
{
	pid_t pid = traced_at(st_call);

	step_list(pid, st_call_list);
	CHECK_EQ(get_regs(pid).eax, getpid());
	finish(pid, 0);
}

/* A step onto a fault reports the fault, at the same EIP; skipped, stepping goes on. */
__asm__(".text; st_fault: nop; st_ud: ud2; st_ud_after: nop; st_ud_end: ret");
extern const unsigned char st_fault[], st_ud[], st_ud_after[], st_ud_end[];

static void step_fault(void)
{
	pid_t pid = traced_at(st_fault);
	struct user_regs_struct r;

	resume(PTRACE_SINGLESTEP, pid, 0);
	CHECK_EQ(wait_stop(pid), SIGTRAP);
	resume(PTRACE_SINGLESTEP, pid, 0);
	CHECK_EQ(wait_stop(pid), SIGILL);
	r = get_regs(pid);
	CHECK_EQ(r.eip, (uintptr_t)st_ud);
	r.eip = (long)(uintptr_t)st_ud_after;
	set_regs(pid, &r);
	resume(PTRACE_SINGLESTEP, pid, 0);
	CHECK_EQ(wait_stop(pid), SIGTRAP);
	CHECK_EQ(get_regs(pid).eip, (uintptr_t)st_ud_end);
	finish(pid, 0);
}

static void on_ill(int sig, siginfo_t *si, void *context)
{
	(void)sig;
	(void)si;
	((ucontext_t *)context)->uc_mcontext.gregs[REG_EIP] += 2;
}

/* With the signal delivered, the step ends on the handler's first instruction. */
static void step_into_handler(void)
{
	struct user_regs_struct r;
	pid_t pid;

	catch_signal(SIGILL, on_ill, 0);
	pid = traced_at(st_ud);
	resume(PTRACE_SINGLESTEP, pid, 0);
	CHECK_EQ(wait_stop(pid), SIGILL);
	resume(PTRACE_SINGLESTEP, pid, SIGILL);
	CHECK_EQ(wait_stop(pid), SIGTRAP);
	r = get_regs(pid);
	CHECK_EQ(r.eip, (uintptr_t)on_ill);
	/* Its arguments are on the stack: the return address, then the number. */
	CHECK_EQ(ptrace(PTRACE_PEEKDATA, pid, r.esp + 4, NULL), SIGILL);
	CHECK(!((uint32_t)r.eflags & FL_DF));
	/* Step on, through sigreturn, until it is back. */
	for (int i = 0; (uintptr_t)r.eip != (uintptr_t)st_ud_after; i++) {
		CHECK(i < 300);
		resume(PTRACE_SINGLESTEP, pid, 0);
		CHECK_EQ(wait_stop(pid), SIGTRAP);
		r = get_regs(pid);
	}
	finish(pid, 0);
}

static void registers(void)
{
	pid_t pid = traced_at(st_plain);
	struct user_regs_struct r = get_regs(pid), got;
	uint32_t ds;

	__asm__("movl %%ds, %0" : "=r"(ds));
	CHECK_EQ(r.xds & 0xffff, ds & 0xffff);
	CHECK_EQ(r.eflags & (int)FL_IF, FL_IF);
	r.ebx = 0x11111111;
	r.ecx = 0x22222222;
	r.edx = 0x33333333;
	r.esi = 0x44444444;
	r.edi = 0x55555555;
	r.ebp = 0x66666666;
	r.eax = 0x77777777;
	r.eflags |= FL_CF | FL_DF;
	set_regs(pid, &r);
	got = get_regs(pid);
	CHECK(!memcmp(&r, &got, sizeof(r)));
	/* What user mode may not have is not taken. */
	r.eflags |= FL_IOPL | FL_VM;
	r.eflags &= ~(long)FL_IF;
	set_regs(pid, &r);
	got = get_regs(pid);
	CHECK_EQ((uint32_t)got.eflags & (FL_IOPL | FL_VM | FL_IF), FL_IF);
	r.eflags = got.eflags;
	/* A kernel code segment is refused. */
	struct user_regs_struct bad = r;

	bad.xcs = 0x10;
	CHECK_ERR(ptrace(PTRACE_SETREGS, pid, NULL, &bad), EIO);
	/* One by one, by offset. */
	CHECK_EQ(ptrace(PTRACE_PEEKUSER, pid, offsetof(struct user_regs_struct, ebx), NULL), 0x11111111);
	CHECK_SYS(ptrace(PTRACE_POKEUSER, pid, offsetof(struct user_regs_struct, ebx), 0x12121212));
	CHECK_EQ(get_regs(pid).ebx, 0x12121212);
	CHECK_ERR(ptrace(PTRACE_PEEKUSER, pid, 3, NULL), EIO);
	/* And by the regset interface. */
	struct iovec iov = { &got, sizeof(got) };

	CHECK_SYS(ptrace(PTRACE_GETREGSET, pid, NT_PRSTATUS, &iov));
	CHECK_EQ(iov.iov_len, sizeof(got));
	CHECK_EQ(got.esi, 0x44444444);
	kill(pid, SIGKILL);
	expect_signal(pid, SIGKILL);
}

__asm__(".text; fp_code: fninit; fld1; fldpi; movl $0x3f800000, %eax; movd %eax, %xmm3;"
	"fp_here: nop; fstpl fp_out; movd %xmm3, fp_xmm; fninit; ret");
extern const unsigned char fp_code[], fp_here[];
double fp_out;
uint32_t fp_xmm;

static int run_fp(void *arg)
{
	struct regs r = { .eflags = FL_BASE };

	(void)arg;
	reg_call(&r, fp_code);
	return fp_xmm == 0x12345678 && fp_out == 1.0 ? 0 : 5;
}

static void fp_registers(void)
{
	struct user_fpregs_struct fp;
	struct user_fpxregs_struct fx;
	pid_t pid = traced(run_fp, NULL);
	long word = ptrace(PTRACE_PEEKTEXT, pid, fp_here, NULL);

	CHECK_SYS(ptrace(PTRACE_POKETEXT, pid, fp_here, (void *)((word & ~0xffl) | 0xcc)));
	resume(PTRACE_CONT, pid, 0);
	CHECK_EQ(wait_stop(pid), SIGTRAP);
	CHECK_SYS(ptrace(PTRACE_GETFPREGS, pid, NULL, &fp));
	CHECK_EQ(fp.cwd & 0xffff, 0x37f);
	CHECK_EQ((fp.swd >> 11) & 7, 6);
	/* ST0 is pi, ST1 one: their exponents. */
	unsigned char *st = (unsigned char *)fp.st_space;

	CHECK_EQ(st[9], 0x40);
	CHECK_EQ(st[8], 0x00);
	CHECK_EQ(st[19], 0x3f);
	CHECK_EQ(st[18], 0xff);
	/* One in place of pi. */
	memcpy(st, st + 10, 10);
	CHECK_SYS(ptrace(PTRACE_SETFPREGS, pid, NULL, &fp));
	CHECK_SYS(ptrace(PTRACE_GETFPXREGS, pid, NULL, &fx));
	uint32_t *xmm = (uint32_t *)fx.xmm_space;

	CHECK_EQ(xmm[12], 0x3f800000);
	CHECK_EQ(fx.mxcsr, 0x1f80);
	xmm[12] = 0x12345678;
	CHECK_SYS(ptrace(PTRACE_SETFPXREGS, pid, NULL, &fx));
	finish(pid, 0);
}

/* System call stops come in pairs: entry with ENOSYS in EAX, then exit with the result. */
__asm__(".text; sc_code: movl $20, %eax; int $0x80; sc_1: movl $64, %eax; int $0x80; sc_2: ret");
extern const unsigned char sc_code[], sc_1[], sc_2[];

static void syscall_stops(void)
{
	pid_t pid = traced_at(sc_code);
	struct user_regs_struct r;
	static const int numbers[] = { SYS_getpid, SYS_getppid };

	CHECK_SYS(ptrace(PTRACE_SETOPTIONS, pid, NULL, (void *)PTRACE_O_TRACESYSGOOD));
	for (int i = 0; i < 2; i++) {
		resume(PTRACE_SYSCALL, pid, 0);
		CHECK_EQ(wait_stop(pid), SIGTRAP | 0x80);
		r = get_regs(pid);
		CHECK_EQ(r.orig_eax, numbers[i]);
		CHECK_EQ(r.eax, -ENOSYS);
		CHECK_EQ(r.eip, (uintptr_t)(i ? sc_2 : sc_1));
		resume(PTRACE_SYSCALL, pid, 0);
		CHECK_EQ(wait_stop(pid), SIGTRAP | 0x80);
		r = get_regs(pid);
		CHECK_EQ(r.eax, i ? getpid() : pid);
		CHECK_EQ(r.eip, (uintptr_t)(i ? sc_2 : sc_1));
	}
	finish(pid, 0);
}

/* The number and the result in the tracer's hands. */
static void tamper(void)
{
	pid_t pid = traced_at(sc_code);
	struct user_regs_struct r;

	CHECK_SYS(ptrace(PTRACE_SETOPTIONS, pid, NULL, (void *)PTRACE_O_TRACESYSGOOD));
	/* getpid becomes getppid. */
	resume(PTRACE_SYSCALL, pid, 0);
	CHECK_EQ(wait_stop(pid), SIGTRAP | 0x80);
	r = get_regs(pid);
	r.orig_eax = SYS_getppid;
	set_regs(pid, &r);
	resume(PTRACE_SYSCALL, pid, 0);
	CHECK_EQ(wait_stop(pid), SIGTRAP | 0x80);
	CHECK_EQ(get_regs(pid).eax, getpid());
	/* No call at all, and a result made up. */
	resume(PTRACE_SYSCALL, pid, 0);
	CHECK_EQ(wait_stop(pid), SIGTRAP | 0x80);
	r = get_regs(pid);
	r.orig_eax = -1;
	set_regs(pid, &r);
	resume(PTRACE_SYSCALL, pid, 0);
	CHECK_EQ(wait_stop(pid), SIGTRAP | 0x80);
	r = get_regs(pid);
	CHECK_EQ(r.eax, -ENOSYS);
	r.eax = 0x1234;
	set_regs(pid, &r);
	CHECK_EQ(get_regs(pid).eax, 0x1234);
	finish(pid, 0);
}

static void sysemu(void)
{
	pid_t pid = traced_at(sc_code);
	struct user_regs_struct r;

	for (int i = 0; i < 2; i++) {
		/* 31: PTRACE_SYSEMU. One stop a call, which is not made. */
		resume(31, pid, 0);
		CHECK_EQ(wait_stop(pid) & 0x7f, SIGTRAP);
		r = get_regs(pid);
		CHECK_EQ(r.orig_eax, i ? SYS_getppid : SYS_getpid);
		r.eax = 77;
		set_regs(pid, &r);
	}
	resume(PTRACE_SINGLESTEP, pid, 0);
	CHECK_EQ(wait_stop(pid), SIGTRAP);
	CHECK_EQ(get_regs(pid).eax, 77);
	finish(pid, 0);
}

static int forker(void *arg)
{
	(void)arg;
	pid_t pid = xfork();

	if (!pid)
		_exit(6);
	int status = wait_status(pid);

	return WIFEXITED(status) ? WEXITSTATUS(status) : 50;
}

static void trace_fork(void)
{
	pid_t pid = traced(forker, NULL), child;
	unsigned long msg;
	int status;

	CHECK_SYS(ptrace(PTRACE_SETOPTIONS, pid, NULL,
			 (void *)(PTRACE_O_TRACEFORK | PTRACE_O_TRACEEXIT)));
	resume(PTRACE_CONT, pid, 0);
	CHECK_EQ(wait_stop(pid), SIGTRAP | PTRACE_EVENT_FORK << 8);
	CHECK_SYS(ptrace(PTRACE_GETEVENTMSG, pid, NULL, &msg));
	child = (pid_t)msg;
	CHECK_EQ(wait_stop(child), SIGSTOP);
	resume(PTRACE_CONT, child, 0);
	CHECK_EQ(wait_stop(child), SIGTRAP | PTRACE_EVENT_EXIT << 8);
	CHECK_SYS(ptrace(PTRACE_GETEVENTMSG, child, NULL, &msg));
	CHECK_EQ(msg, 6 << 8);
	resume(PTRACE_CONT, child, 0);
	/* The tracer hears of it first; then its parent does. */
	CHECK_EQ(waitpid(child, &status, __WALL), child);
	CHECK_EQ(WEXITSTATUS(status), 6);
	resume(PTRACE_CONT, pid, 0);
	int stop = wait_stop(pid);

	if (stop == SIGCHLD) {
		resume(PTRACE_CONT, pid, SIGCHLD);
		stop = wait_stop(pid);
	}
	CHECK_EQ(stop, SIGTRAP | PTRACE_EVENT_EXIT << 8);
	finish(pid, 6);
}

static int execer(void *arg)
{
	char *argv[] = { "conform", "--exec-helper", "exit", "12", NULL }, *envp[] = { NULL };

	(void)arg;
	execve(self_path, argv, envp);
	return 13;
}

static void trace_exec(void)
{
	pid_t pid = traced(execer, NULL);

	CHECK_SYS(ptrace(PTRACE_SETOPTIONS, pid, NULL, (void *)PTRACE_O_TRACEEXEC));
	resume(PTRACE_CONT, pid, 0);
	CHECK_EQ(wait_stop(pid), SIGTRAP | PTRACE_EVENT_EXEC << 8);
	finish(pid, 12);
}

static void attach_detach(void)
{
	volatile int *count = shared_alloc(PAGE), before;
	pid_t pid = xfork();

	if (!pid)
		for (;;)
			__atomic_add_fetch(count, 1, __ATOMIC_SEQ_CST);
	await_atleast(count, 1);
	for (int i = 0; i < rounds(20); i++) {
		CHECK_SYS(ptrace(PTRACE_ATTACH, pid, NULL, NULL));
		CHECK_EQ(wait_stop(pid), SIGSTOP);
		before = *count;
		sched_yield();
		/* Stopped is stopped. */
		CHECK_EQ(*count, before);
		resume(PTRACE_SINGLESTEP, pid, 0);
		CHECK_EQ(wait_stop(pid), SIGTRAP);
		CHECK_SYS(ptrace(PTRACE_DETACH, pid, NULL, NULL));
		while (*count <= before + 1)
			sched_yield();
	}
	CHECK_ERR(ptrace(PTRACE_CONT, pid, NULL, NULL), ESRCH);
	kill(pid, SIGKILL);
	expect_signal(pid, SIGKILL);
}

static void seize(void)
{
	volatile int *count = shared_alloc(PAGE);
	pid_t pid = xfork();

	if (!pid)
		for (;;)
			__atomic_add_fetch(count, 1, __ATOMIC_SEQ_CST);
	await_atleast(count, 1);
	CHECK_SYS(ptrace(PTRACE_SEIZE, pid, NULL, NULL));
	CHECK_SYS(ptrace(PTRACE_INTERRUPT, pid, NULL, NULL));
	CHECK_EQ(wait_stop(pid), SIGTRAP | PTRACE_EVENT_STOP << 8);
	CHECK_SYS(ptrace(PTRACE_DETACH, pid, NULL, NULL));
	kill(pid, SIGKILL);
	expect_signal(pid, SIGKILL);
}

static void kill_stopped(void)
{
	pid_t pid = traced_at(st_plain);

	CHECK_SYS(ptrace(PTRACE_KILL, pid, NULL, NULL));
	expect_signal(pid, SIGKILL);
	pid = traced_at(st_plain);
	CHECK_SYS(kill(pid, SIGKILL));
	expect_signal(pid, SIGKILL);
	CHECK_ERR(ptrace(PTRACE_PEEKDATA, pid, &pid, NULL), ESRCH);
}

/* Signals pass through the tracer, which may change or drop them. */
static int two_signals(void *arg)
{
	(void)arg;
	raise(SIGUSR1);
	raise(SIGTERM);
	return 3;
}

static void change_signals(void)
{
	pid_t pid = traced(two_signals, NULL);

	resume(PTRACE_CONT, pid, 0);
	CHECK_EQ(wait_stop(pid), SIGUSR1);
	resume(PTRACE_CONT, pid, 0);
	CHECK_EQ(wait_stop(pid), SIGTERM);
	resume(PTRACE_CONT, pid, SIGHUP);
	expect_signal(pid, SIGHUP);
}

static void page_fault_info(void)
{
	/* The child writes to address 0x40; the tracer repairs EIP. */
	static const unsigned char bad[] = { 0xc7, 0x05, 0x40, 0, 0, 0, 1, 0, 0, 0, 0xc3 };
	unsigned char *p = xmmap(PAGE, PROT_READ | PROT_WRITE);
	siginfo_t si;

	memcpy(p, bad, sizeof(bad));
	CHECK_SYS(mprotect(p, PAGE, PROT_READ | PROT_EXEC));
	pid_t pid = traced(run_code, p);

	resume(PTRACE_CONT, pid, 0);
	CHECK_EQ(wait_stop(pid), SIGSEGV);
	CHECK_SYS(ptrace(PTRACE_GETSIGINFO, pid, NULL, &si));
	CHECK_EQ(si.si_code, SEGV_MAPERR);
	CHECK_EQ((uintptr_t)si.si_addr, 0x40);
	struct user_regs_struct r = get_regs(pid);

	CHECK_EQ((uintptr_t)r.eip, (uintptr_t)p);
	CHECK_EQ(r.orig_eax, -1);
	r.eip += 10;
	set_regs(pid, &r);
	finish(pid, 0);
}

/* A thousand steps over real code, C library and all. */
static int compute(void *arg)
{
	char text[32];

	(void)arg;
	return snprintf(text, sizeof(text), "%d", 123456) == 6 ? 0 : 1;
}

static void step_many(void)
{
	pid_t pid = traced(compute, NULL);
	int n = rounds(1000);

	for (int i = 0; i < n; i++) {
		int status;

		resume(PTRACE_SINGLESTEP, pid, 0);
		CHECK_EQ(waitpid(pid, &status, 0), pid);
		if (WIFEXITED(status)) {
			CHECK_EQ(WEXITSTATUS(status), 0);
			return;
		}
		CHECK(WIFSTOPPED(status));
		CHECK_EQ(WSTOPSIG(status), SIGTRAP);
	}
	finish(pid, 0);
}

const struct test ptrace_tests[] = {
	{ "ptrace-peek-poke", peek_poke, 0 },
	{ "ptrace-poke-read-only", poke_read_only, 0 },
	{ "ptrace-breakpoints", breakpoints, 0 },
	{ "ptrace-step-plain", step_plain, 0 },
	{ "ptrace-step-flags", step_flags, 0 },
	{ "ptrace-step-syscall", step_syscall, 0 },
	{ "ptrace-step-fault", step_fault, 0 },
	{ "ptrace-step-into-handler", step_into_handler, 0 },
	{ "ptrace-step-many", step_many, 0 },
	{ "ptrace-registers", registers, 0 },
	{ "ptrace-fp-registers", fp_registers, 0 },
	{ "ptrace-syscall-stops", syscall_stops, 0 },
	{ "ptrace-tamper", tamper, 0 },
	{ "ptrace-sysemu", sysemu, 0 },
	{ "ptrace-fork", trace_fork, 0 },
	{ "ptrace-exec", trace_exec, 0 },
	{ "ptrace-attach-detach", attach_detach, 0 },
	{ "ptrace-seize", seize, 0 },
	{ "ptrace-kill", kill_stopped, 0 },
	{ "ptrace-change-signals", change_signals, 0 },
	{ "ptrace-page-fault-info", page_fault_info, 0 },
	{ NULL, NULL, 0 },
};
