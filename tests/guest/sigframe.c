// SPDX-License-Identifier: GPL-2.0
/*
 * The signal frame as data: what a handler reads in it is the interrupted state, and what it
 * writes there is the state that sigreturn puts in force, within what user mode may have.
 */
#include "conform.h"

#include <sched.h>
#include <unwind.h>

static struct regs forge_to, seen;
static volatile uint32_t seen_esp, seen_cs, seen_ss, seen_ds, seen_eip;
static volatile int calls;

static void on_forge(int sig, siginfo_t *si, void *context)
{
	greg_t *g = ((ucontext_t *)context)->uc_mcontext.gregs;

	(void)sig;
	(void)si;
	seen = (struct regs){
		.eax = (uint32_t)g[REG_EAX], .ebx = (uint32_t)g[REG_EBX],
		.ecx = (uint32_t)g[REG_ECX], .edx = (uint32_t)g[REG_EDX],
		.esi = (uint32_t)g[REG_ESI], .edi = (uint32_t)g[REG_EDI],
		.ebp = (uint32_t)g[REG_EBP], .eflags = (uint32_t)g[REG_EFL],
	};
	seen_esp = (uint32_t)g[REG_ESP];
	seen_cs = (uint32_t)g[REG_CS];
	seen_ss = (uint32_t)g[REG_SS];
	seen_ds = (uint32_t)g[REG_DS];
	seen_eip = (uint32_t)g[REG_EIP];
	g[REG_EAX] = (int)forge_to.eax;
	g[REG_EBX] = (int)forge_to.ebx;
	g[REG_ECX] = (int)forge_to.ecx;
	g[REG_EDX] = (int)forge_to.edx;
	g[REG_ESI] = (int)forge_to.esi;
	g[REG_EDI] = (int)forge_to.edi;
	g[REG_EBP] = (int)forge_to.ebp;
	g[REG_EFL] = (int)forge_to.eflags;
	/* Faults are not repeated. */
	if (sig == SIGILL)
		g[REG_EIP] += 2;
	calls++;
}

/* Registers of every value, in at a fault or a call, out at the return. */
__asm__(".text; frame_ud2: ud2; frame_after: ret");
extern const unsigned char frame_ud2[], frame_after[];

static void random_regs(struct regs *r, uint32_t *seed)
{
	r->eax = prng(seed);
	r->ebx = prng(seed);
	r->ecx = prng(seed);
	r->edx = prng(seed);
	r->esi = prng(seed);
	r->edi = prng(seed);
	r->ebp = prng(seed);
	r->eflags = FL_BASE | (prng(seed) & (FL_CF | FL_PF | FL_AF | FL_ZF | FL_SF | FL_OF | FL_DF));
}

static void both_ways(void)
{
	uint32_t seed = 99;

	catch_signal(SIGILL, on_forge, 0);
	for (int i = 0; i < rounds(300); i++) {
		struct regs r, in;

		random_regs(&r, &seed);
		random_regs(&forge_to, &seed);
		in = r;
		reg_call(&r, frame_ud2);
		seen.eflags &= ~FL_RF;
		if (memcmp(&seen, &in, sizeof(in)))
			FAIL("the frame does not show the registers at the fault");
		if (memcmp(&r, &forge_to, sizeof(r)))
			FAIL("the frame's registers did not come into force");
		CHECK_EQ(seen_eip, (uint32_t)(uintptr_t)frame_ud2);
	}
	CHECK_EQ(calls, rounds(300));
}

/* The old form of the frame, without siginfo: its context lies on the stack behind the number. */
struct old_context {
	uint16_t gs, gs_high, fs, fs_high, es, es_high, ds, ds_high;
	uint32_t edi, esi, ebp, esp, ebx, edx, ecx, eax, trapno, err, eip;
	uint16_t cs, cs_high;
	uint32_t eflags, esp_at_signal;
};

static uint32_t old_edx;

static void on_old(int sig, struct old_context c)
{
	volatile struct old_context *p = &c;

	CHECK_EQ(sig, SIGILL);
	CHECK_EQ(p->eip, (uint32_t)(uintptr_t)frame_ud2);
	CHECK_EQ(p->trapno, 6);
	CHECK_EQ(p->edx, old_edx);
	CHECK_EQ(p->esp, p->esp_at_signal);
	p->eip = p->eip + 2;
	p->edx = ~old_edx;
	calls++;
}

struct kernel_sigaction {
	void *handler;
	unsigned long flags;
	void *restorer;
	uint64_t mask;
};

static void old_form(void)
{
	struct kernel_sigaction sa = { .handler = (void *)on_old };

	/* No SA_RESTORER either: the return goes through the kernel's own code. */
	CHECK_SYS(syscall(SYS_rt_sigaction, SIGILL, &sa, NULL, 8));
	for (int i = 0; i < rounds(100); i++) {
		struct regs r = { .edx = (uint32_t)i * 12345, .ebx = 7, .eflags = FL_BASE | FL_CF };

		old_edx = r.edx;
		reg_call(&r, frame_ud2);
		CHECK_EQ(r.edx, ~old_edx);
		CHECK_EQ(r.ebx, 7);
		CHECK_EQ(r.eflags, FL_BASE | FL_CF);
	}
	CHECK_EQ(calls, rounds(100));
}

/* The return by code of the program's own, of either form. */
__asm__(".text; own_return: popl %eax; movl $119, %eax; int $0x80;"
	"own_rt_return: movl $173, %eax; int $0x80");
extern const unsigned char own_return[], own_rt_return[];

static void own_restorer(void)
{
	struct kernel_sigaction sa = {
		.handler = (void *)on_old, .flags = 0x04000000, .restorer = (void *)own_return,
	};
	struct regs r = { .edx = 3, .eflags = FL_BASE };

	CHECK_SYS(syscall(SYS_rt_sigaction, SIGILL, &sa, NULL, 8));
	old_edx = 3;
	reg_call(&r, frame_ud2);
	CHECK_EQ(r.edx, ~old_edx);

	sa = (struct kernel_sigaction){
		.handler = (void *)on_forge, .flags = SA_SIGINFO | 0x04000000,
		.restorer = (void *)own_rt_return,
	};
	CHECK_SYS(syscall(SYS_rt_sigaction, SIGILL, &sa, NULL, 8));
	forge_to = (struct regs){ .ebx = 11, .edx = 12, .eflags = FL_BASE | FL_CF };
	reg_call(&r, frame_ud2);
	CHECK(!memcmp(&r, &forge_to, sizeof(r)));
	CHECK_EQ(calls, 2);
}

/* Who looks for a handler's callers gets past the kernel's code to what was interrupted. */
static uintptr_t caller;
static volatile int callers;

static _Unwind_Reason_Code on_frame(struct _Unwind_Context *context, void *unused)
{
	(void)unused;
	callers += _Unwind_GetIP(context) == caller;
	return _URC_NO_REASON;
}

static void on_unwind(int sig)
{
	(void)sig;
	_Unwind_Backtrace(on_frame, NULL);
}

static void on_unwind_info(int sig, siginfo_t *si, void *context)
{
	(void)si;
	(void)context;
	on_unwind(sig);
}

__attribute__((noinline)) static void interrupted(void)
{
	caller = (uintptr_t)__builtin_return_address(0);
	raise(SIGUSR1);
}

static void unwind(void)
{
	struct sigaction sa = { .sa_handler = on_unwind };

	CHECK_SYS(sigaction(SIGUSR1, &sa, NULL));
	interrupted();
	CHECK_EQ(callers, 1);
	catch_signal(SIGUSR1, on_unwind_info, 0);
	interrupted();
	CHECK_EQ(callers, 2);
}

static void segments_shown(void)
{
	uint32_t cs, ss, ds;
	struct regs r = { .eflags = FL_BASE };

	__asm__("movl %%cs, %0; movl %%ss, %1; movl %%ds, %2" : "=r"(cs), "=r"(ss), "=r"(ds));
	catch_signal(SIGILL, on_forge, 0);
	forge_to = r;
	reg_call(&r, frame_ud2);
	CHECK_EQ(seen_cs & 0xffff, cs & 0xffff);
	CHECK_EQ(seen_ss & 0xffff, ss & 0xffff);
	CHECK_EQ(seen_ds & 0xffff, ds & 0xffff);
}

/* EIP and ESP moved: the program goes on elsewhere, on another stack. */
static uint32_t other_stack[1024];

__asm__(".text; landing: movl %esp, landing_esp; incl landing_count; movl landing_back, %esp; ret");
extern const unsigned char landing[];
uint32_t landing_esp, landing_count, landing_back;

static void on_move(int sig, siginfo_t *si, void *context)
{
	greg_t *g = ((ucontext_t *)context)->uc_mcontext.gregs;

	(void)sig;
	(void)si;
	landing_back = (uint32_t)g[REG_ESP];
	g[REG_ESP] = (int)(uintptr_t)(other_stack + 1000);
	g[REG_EIP] = (int)(uintptr_t)landing;
}

static void move_stack(void)
{
	catch_signal(SIGILL, on_move, 0);
	for (int i = 1; i <= rounds(100); i++) {
		struct regs r = { .ebx = 3, .eflags = FL_BASE };

		reg_call(&r, frame_ud2);
		CHECK_EQ(landing_count, i);
		CHECK_EQ(landing_esp, (uintptr_t)(other_stack + 1000));
		CHECK_EQ(r.ebx, 3);
	}
}

/* The mask in the frame is the mask after the return. */
static void on_mask(int sig, siginfo_t *si, void *context)
{
	ucontext_t *uc = context;

	(void)sig;
	(void)si;
	sigaddset(&uc->uc_sigmask, SIGHUP);
	sigaddset(&uc->uc_sigmask, SIGRTMIN + 9);
	/* Not possible, and no error. */
	sigaddset(&uc->uc_sigmask, SIGKILL);
}

static void mask(void)
{
	sigset_t set;

	catch_signal(SIGUSR1, on_mask, 0);
	raise(SIGUSR1);
	CHECK_SYS(sigprocmask(SIG_BLOCK, NULL, &set));
	CHECK(sigismember(&set, SIGHUP) && sigismember(&set, SIGRTMIN + 9));
	CHECK(!sigismember(&set, SIGUSR1) && !sigismember(&set, SIGKILL));
}

/* A selector that can't be loaded becomes null in DS, ES, FS; the program goes on. */
static volatile int which_reg, bogus_sel;

static void on_segment(int sig, siginfo_t *si, void *context)
{
	greg_t *g = ((ucontext_t *)context)->uc_mcontext.gregs;

	(void)sig;
	(void)si;
	g[which_reg] = bogus_sel;
	g[REG_EIP] += 2;
}

static void bogus_data_segments(void)
{
	static const int regs_no[] = { REG_ES, REG_FS };
	static const int sels[] = { 0x1fb, 0xffff, 7, 0 };
	/* ud2; mov %es,%ebx; mov %fs,%ecx; ret */
	static const unsigned char code[] = { 0x0f, 0x0b, 0x8c, 0xc3, 0x8c, 0xe1, 0xc3 };
	struct pad p;
	unsigned char *at;

	pad_new(&p, 1);
	at = pad_add(&p, code, sizeof(code));
	pad_seal(&p);
	catch_signal(SIGILL, on_segment, 0);
	for (size_t k = 0; k < ARRAY_SIZE(regs_no); k++) {
		for (size_t s = 0; s < ARRAY_SIZE(sels); s++) {
			struct regs r = { .eflags = FL_BASE };

			which_reg = regs_no[k];
			bogus_sel = sels[s];
			reg_call(&r, at);
			CHECK_EQ((k ? r.ecx : r.ebx) & 0xfffc, 0);
		}
	}
	pad_free(&p);
}

/*
 * A code or stack segment that can't be loaded kills: SIGSEGV or SIGILL, the two kernels'
 * ways differ, and either is an orderly death.
 */
static void bogus_code_segment(void)
{
	static const int sels[] = { 0x1fb, 0xffff, 0x3 };
	static const int regs_no[] = { REG_CS, REG_SS };

	for (size_t k = 0; k < ARRAY_SIZE(regs_no); k++) {
		for (size_t s = 0; s < ARRAY_SIZE(sels); s++) {
			pid_t pid = xfork();
			int status;

			if (!pid) {
				struct regs r = { .eflags = FL_BASE };

				catch_signal(SIGILL, on_segment, SA_RESETHAND);
				which_reg = regs_no[k];
				bogus_sel = sels[s];
				reg_call(&r, frame_ud2);
				_exit(0);
			}
			status = wait_status(pid);
			CHECK(WIFSIGNALED(status));
			CHECK(WTERMSIG(status) == SIGSEGV || WTERMSIG(status) == SIGILL);
		}
	}
}

/* sigreturn with no frame: ESP nowhere. SIGSEGV. */
static void no_frame(void)
{
	static const long calls_nr[] = { SYS_sigreturn, SYS_rt_sigreturn };

	for (size_t i = 0; i < ARRAY_SIZE(calls_nr); i++) {
		pid_t pid = xfork();

		if (!pid) {
			__asm__ volatile("movl $0x1000, %%esp; int $0x80; ud2" : : "a"(calls_nr[i]));
			_exit(0);
		}
		expect_signal(pid, SIGSEGV);
	}
}

/* Frames within frames, each with its own registers to restore. */
static volatile int nest_depth, nest_seen;

static void on_nest(int sig, siginfo_t *si, void *context)
{
	greg_t *g = ((ucontext_t *)context)->uc_mcontext.gregs;
	int me = nest_depth++;

	(void)sig;
	(void)si;
	CHECK_EQ(g[REG_EBX], me);
	if (me < 15) {
		struct regs r = { .ebx = (uint32_t)me + 1, .ecx = 0, .eflags = FL_BASE };

		reg_call(&r, frame_ud2);
		CHECK_EQ(r.ecx, me + 1000 + 1);
	}
	nest_seen++;
	g[REG_ECX] = me + 1000;
	g[REG_EIP] += 2;
}

static void nested(void)
{
	struct regs r = { .ebx = 0, .eflags = FL_BASE };

	catch_signal(SIGILL, on_nest, SA_NODEFER);
	reg_call(&r, frame_ud2);
	CHECK_EQ(r.ecx, 1000);
	CHECK_EQ(nest_seen, 16);
}

/* Two kinds of fault, each handler raising the other's. */
static void on_ill_then_segv(int sig, siginfo_t *si, void *context)
{
	greg_t *g = ((ucontext_t *)context)->uc_mcontext.gregs;

	(void)si;
	if (++calls < 20) {
		if (sig == SIGILL)
			__asm__ volatile("hlt");
		else
			__asm__ volatile("ud2");
	}
	g[REG_EIP] += sig == SIGILL ? 2 : 1;
}

static void crossed(void)
{
	catch_signal(SIGILL, on_ill_then_segv, SA_NODEFER);
	catch_signal(SIGSEGV, on_ill_then_segv, SA_NODEFER);
	__asm__ volatile("ud2");
	CHECK_EQ(calls, 20);
}

/* A fault while its signal is blocked kills, though there is a handler. */
static void on_fault_again(int sig, siginfo_t *si, void *uc)
{
	(void)sig;
	(void)si;
	(void)uc;
	__asm__ volatile("ud2");
}

static void fault_in_own_handler(void)
{
	pid_t pid = xfork();

	if (!pid) {
		catch_signal(SIGILL, on_fault_again, 0);
		__asm__ volatile("ud2");
		_exit(0);
	}
	expect_signal(pid, SIGILL);
}

/* Two tasks built on frames alone: each signal puts the other one's registers in the frame. */
static greg_t task[2][NGREG];
static volatile int current, switches;
static volatile uint32_t progress[2];
static uint32_t task_stack[16384] __attribute__((aligned(16)));

static void on_switch(int sig, siginfo_t *si, void *context)
{
	greg_t *g = ((ucontext_t *)context)->uc_mcontext.gregs;

	(void)sig;
	(void)si;
	memcpy(task[current], g, sizeof(task[0]));
	current = !current;
	memcpy(g, task[current], sizeof(task[0]));
	switches++;
}

static void second_task(void)
{
	for (;;) {
		CHECK_EQ(current, 1);
		progress[1]++;
		raise(SIGUSR1);
	}
}

static void switch_contexts(void)
{
	int n = rounds(200);

	__asm__ volatile("movl %%gs, %0" : "=r"(task[1][REG_GS]));
	__asm__ volatile("movl %%cs, %0" : "=r"(task[1][REG_CS]));
	__asm__ volatile("movl %%ds, %0" : "=r"(task[1][REG_DS]));
	task[1][REG_ES] = task[1][REG_SS] = task[1][REG_DS];
	task[1][REG_EFL] = FL_BASE;
	task[1][REG_EIP] = (greg_t)(uintptr_t)second_task;
	task[1][REG_ESP] = (greg_t)(uintptr_t)(task_stack + ARRAY_SIZE(task_stack) - 5);
	catch_signal(SIGUSR1, on_switch, 0);
	for (int i = 0; i < n; i++) {
		CHECK_EQ(current, 0);
		progress[0]++;
		raise(SIGUSR1);
	}
	CHECK_EQ(progress[0], n);
	CHECK_EQ(progress[1], n);
	CHECK_EQ(switches, 2 * n);
}

const struct test sigframe_tests[] = {
	{ "sigframe-both-ways", both_ways, 0 },
	{ "sigframe-old-form", old_form, 0 },
	{ "sigframe-own-restorer", own_restorer, 0 },
	{ "sigframe-unwind", unwind, 0 },
	{ "sigframe-segments-shown", segments_shown, 0 },
	{ "sigframe-move-stack", move_stack, 0 },
	{ "sigframe-mask", mask, 0 },
	{ "sigframe-bogus-data-segments", bogus_data_segments, 0 },
	{ "sigframe-bogus-code-segment", bogus_code_segment, 0 },
	{ "sigframe-no-frame", no_frame, 0 },
	{ "sigframe-nested", nested, 0 },
	{ "sigframe-crossed", crossed, 0 },
	{ "sigframe-fault-in-handler", fault_in_own_handler, 0 },
	{ "sigframe-switch-contexts", switch_contexts, 0 },
	{ NULL, NULL, 0 },
};
