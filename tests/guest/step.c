// SPDX-License-Identifier: GPL-2.0
/*
 * Single-stepping by the process itself: TF set with POPF or through a signal frame, and the
 * addresses at which the traps arrive.
 *
 * The code lies in the text section between labels, run by reg_call(); each starts with TF
 * clear, sets it, and clears it. The list of expected addresses ends a test's code block.
 */
#include "conform.h"

#include <sched.h>

#define MAX_STEPS 64

static volatile int steps;
static volatile uintptr_t step_eip[MAX_STEPS], step_addr[MAX_STEPS];
static volatile int step_code[MAX_STEPS];
static volatile uint32_t handler_flags;

static void on_trap(int sig, siginfo_t *si, void *context)
{
	ucontext_t *uc = context;
	uint32_t flags;

	(void)sig;
	__asm__ volatile("pushf; popl %0" : "=r"(flags));
	handler_flags |= flags;
	if (steps < MAX_STEPS) {
		step_eip[steps] = (uintptr_t)uc->uc_mcontext.gregs[REG_EIP];
		step_addr[steps] = (uintptr_t)si->si_addr;
		step_code[steps] = si->si_code;
		if (uc->uc_mcontext.gregs[REG_TRAPNO] != 1)
			FAIL("trap number %d in a step, want 1", uc->uc_mcontext.gregs[REG_TRAPNO]);
	}
	steps++;
}

#define TF_ON	"pushf; orl $0x100, (%esp); popf;"
#define TF_OFF	"pushf; andl $~0x100, (%esp); popf;"

/* Each block: NAME_code is the entry, NAME_list the addresses, null-ended. */
#define BLOCK(name, body, list) \
	__asm__(".text; " #name "_code: " body " ret; .section .rodata; .balign 4; " \
		#name "_list: .long " list ", 0; .text"); \
	extern const unsigned char name##_code[]; \
	extern const uintptr_t name##_list[]

static void run_block(const unsigned char *code, const uintptr_t *list, struct regs r)
{
	int n = 0;

	catch_signal(SIGTRAP, on_trap, 0);
	steps = 0;
	handler_flags = 0;
	r.eflags |= FL_BASE;
	reg_call(&r, code);
	for (; list[n]; n++) {
		if (n >= steps)
			break;
		if (step_eip[n] != list[n])
			FAIL("step %d at code+%ld, want code+%ld", n,
			     (long)(step_eip[n] - (uintptr_t)code), (long)(list[n] - (uintptr_t)code));
		CHECK_EQ(step_code[n], TRAP_TRACE);
		CHECK(step_addr[n] == step_eip[n]);
	}
	if (list[n] || steps != n)
		FAIL("%d steps; %s", steps, list[n] ? "too few" : "too many");
	CHECK_EQ(handler_flags & FL_TF, 0);
}

BLOCK(plain, TF_ON "nop; 1: nop; 2: incl %ebx; 3: jmp 4f; nop; 4: pushf; 5: andl $~0x100, (%esp);"
      "6: popf; 7:", "1b, 2b, 3b, 4b, 5b, 6b, 7b");

static void plain(void)
{
	run_block(plain_code, plain_list, (struct regs){ .eax = 0 });
}

/* The same, and an INT1, where bytes of WRPKRU lie in the page: a monitor may step it by itself. */
__asm__(".section .text.beside, \"ax\"; .balign 4096;"
	"beside_code: " TF_ON "nop; 1: incl %ebx; 2: pushf; 3: andl $~0x100, (%esp); 4: popf; 5: ret;"
	"beside_int1: nop; .byte 0xf1; 6: nop; movl %ss, %eax; movl %eax, %ss; .byte 0xf1; 7: nop; ret;"
	".byte 0x0f, 0x01, 0xef; .balign 4096;"
	".section .rodata; .balign 4; beside_list: .long 1b, 2b, 3b, 4b, 5b, 0;"
	"beside_int1_at: .long 6b, 7b; .text");
extern const unsigned char beside_code[], beside_int1[];
extern const uintptr_t beside_list[], beside_int1_at[];

static void beside_wrpkru(void)
{
	struct regs r = { .eflags = FL_BASE };

	run_block(beside_code, beside_list, r);
	steps = 0;
	reg_call(&r, beside_int1);
	CHECK_EQ(steps, 2);
	CHECK(step_eip[0] == beside_int1_at[0]);
	CHECK(step_eip[1] == beside_int1_at[1]);
}

/* The trap after the setting POPF comes one instruction later, whichever that is. */
BLOCK(call, TF_ON "call 2f; 1: nop; 5: pushf; 6: andl $~0x100, (%esp); 7: popf; 8: jmp 9f;"
      "2: nop; 3: ret; 9:", "2b, 3b, 1b, 5b, 6b, 7b, 8b");

static void calls(void)
{
	run_block(call_code, call_list, (struct regs){ .eax = 0 });
}

/* An instruction that a monitor may have to emulate traps like any other. */
BLOCK(cpuid, TF_ON "nop; 1: cpuid; 2: nop; 3: xorl %eax, %eax; 4: cpuid; 5: cpuid; 6: pushf;"
      "7: andl $~0x100, (%esp); 8: popf; 9:", "1b, 2b, 3b, 4b, 5b, 6b, 7b, 8b, 9b");

static void over_cpuid(void)
{
	run_block(cpuid_code, cpuid_list, (struct regs){ .eax = 0 });
}

/* Each turn of a repeated string instruction is one step. */
BLOCK(rep, TF_ON "nop; 1: rep stosb; 2: nop; 3: pushf; 4: andl $~0x100, (%esp); 5: popf; 6:",
      "1b, 1b, 1b, 1b, 2b, 3b, 4b, 5b, 6b");

static void repeated(void)
{
	static char buf[16];

	/* Four turns: three traps still on the instruction, the fourth behind it. */
	run_block(rep_code, rep_list, (struct regs){ .edi = (uintptr_t)buf, .ecx = 4, .eax = 'z' });
	CHECK(!strcmp(buf, "zzzz"));
}

/* A load of SS holds the trap back over the next instruction. */
BLOCK(movss, "movl %ss, %eax;" TF_ON "nop; 1: movl %eax, %ss; nop; 2: nop; 3: pushf;"
      "4: andl $~0x100, (%esp); 5: popf; 6:", "1b, 2b, 3b, 4b, 5b, 6b");

static void load_ss(void)
{
	run_block(movss_code, movss_list, (struct regs){ .eax = 0 });
}

/* POPF that keeps TF set, and branches of each kind. */
BLOCK(branch, TF_ON "nop; 1: pushf; 2: popf; 3: xorl %eax, %eax; 4: jz 5f; ud2; 5: jnz 6f;"
      "6: loop 7f; 7: pushf; 8: andl $~0x100, (%esp); 9: popf; 10:",
      "1b, 2b, 3b, 4b, 5b, 6b, 7b, 8b, 9b, 10b");

static void branches(void)
{
	run_block(branch_code, branch_list, (struct regs){ .ecx = 2 });
}

/*
 * INT goes through a gate, which drops TF; the IRET that ends the call restores it, and the
 * first trap is behind the instruction after the INT.
 */
BLOCK(syscall, TF_ON "nop; 1: movl $20, %eax; 2: int $0x80; nop; 3: nop; 4: pushf;"
      "5: andl $~0x100, (%esp); 6: popf; 7:", "1b, 2b, 3b, 4b, 5b, 6b, 7b");

static void over_int80(void)
{
	run_block(syscall_code, syscall_list, (struct regs){ .eax = 0 });
}

/* Into a page not there yet: the page fault is invisible, the step count is the same. */
BLOCK(touch, TF_ON "nop; 1: movl %eax, (%ebx); 2: movl (%esi), %ecx; 3: pushf;"
      "4: andl $~0x100, (%esp); 5: popf; 6:", "1b, 2b, 3b, 4b, 5b, 6b");

static void over_page_fault(void)
{
	for (int i = 0; i < rounds(20); i++) {
		char *p = xmmap(2 * PAGE, PROT_READ | PROT_WRITE);

		run_block(touch_code, touch_list,
			  (struct regs){ .ebx = (uintptr_t)p, .esi = (uintptr_t)p + PAGE, .eax = 9 });
		CHECK_EQ(*p, 9);
		CHECK_SYS(munmap(p, 2 * PAGE));
	}
}

/* An instruction that faults makes no trace trap; the handler skips it and stepping goes on. */
static volatile int ills;

static void on_ill(int sig, siginfo_t *si, void *context)
{
	ucontext_t *uc = context;

	(void)sig;
	(void)si;
	CHECK(uc->uc_mcontext.gregs[REG_EFL] & (int)FL_TF);
	ills++;
	uc->uc_mcontext.gregs[REG_EIP] += 2;
}

BLOCK(ill, TF_ON "nop; 1: ud2; nop; 2: nop; 3: pushf; 4: andl $~0x100, (%esp); 5: popf; 6:",
      "1b, 2b, 3b, 4b, 5b, 6b");

static void over_fault(void)
{
	catch_signal(SIGILL, on_ill, 0);
	run_block(ill_code, ill_list, (struct regs){ .eax = 0 });
	CHECK_EQ(ills, 1);
}

/* PUSHF while stepping shows TF set; the other flags are the program's. */
BLOCK(image, TF_ON "stc; 1: pushf; 2: popl %edx; 3: pushf; 4: andl $~0x100, (%esp); 5: popf; 6:"
      "pushf; popl %esi;", "1b, 2b, 3b, 4b, 5b, 6b");

static void pushf_image(void)
{
	struct regs r = { .eflags = FL_BASE | FL_ZF };

	catch_signal(SIGTRAP, on_trap, 0);
	reg_call(&r, image_code);
	/* TF_ON's OR changed the arithmetic flags before POPF put them back. */
	CHECK_EQ(r.edx, FL_BASE | FL_ZF | FL_CF | FL_TF);
	CHECK_EQ(r.esi & FL_TF, 0);
}

/* TF through a signal frame, on and off. */
static volatile uintptr_t frame_steps[8];
static volatile int frame_count;

static void on_usr1_set(int sig, siginfo_t *si, void *context)
{
	ucontext_t *uc = context;

	(void)sig;
	(void)si;
	uc->uc_mcontext.gregs[REG_EFL] |= (int)FL_TF;
}

static void on_trap_count(int sig, siginfo_t *si, void *context)
{
	ucontext_t *uc = context;

	(void)sig;
	(void)si;
	frame_steps[frame_count++ & 7] = (uintptr_t)uc->uc_mcontext.gregs[REG_EIP];
	if (frame_count == 4)
		uc->uc_mcontext.gregs[REG_EFL] &= ~(int)FL_TF;
}

/* EBX pid, ECX SIGUSR1: kill, and then steps. */
__asm__(".text; frame_code: movl $37, %eax; int $0x80; frame_0: nop; frame_1: nop; frame_2: nop;"
	"frame_3: nop; frame_4: nop; nop; nop; ret");
extern const unsigned char frame_code[], frame_1[], frame_2[], frame_3[], frame_4[];

static void through_frame(void)
{
	struct regs r = { .ebx = (uint32_t)getpid(), .ecx = SIGUSR1, .eflags = FL_BASE };

	catch_signal(SIGUSR1, on_usr1_set, 0);
	catch_signal(SIGTRAP, on_trap_count, 0);
	reg_call(&r, frame_code);
	CHECK_EQ(frame_count, 4);
	CHECK(frame_steps[0] == (uintptr_t)frame_1);
	CHECK(frame_steps[1] == (uintptr_t)frame_2);
	CHECK(frame_steps[2] == (uintptr_t)frame_3);
	CHECK(frame_steps[3] == (uintptr_t)frame_4);
}

/* A long run, counted: no step lost and none doubled while others take the CPU. */
__asm__(".text; long_code: " TF_ON "1: decl %ecx; jnz 1b; " TF_OFF " ret");
extern const unsigned char long_code[];

static void on_trap_only_count(int sig, siginfo_t *si, void *uc)
{
	(void)sig;
	(void)si;
	(void)uc;
	steps++;
}

static void long_run(void)
{
	int n = rounds(1000);
	struct regs r = { .ecx = (uint32_t)n, .eflags = FL_BASE };
	volatile int *stop = shared_alloc(PAGE);
	pid_t pid = xfork();

	if (!pid) {
		while (!*stop)
			sched_yield();
		_exit(0);
	}
	catch_signal(SIGTRAP, on_trap_only_count, 0);
	steps = 0;
	reg_call(&r, long_code);
	/* Two a turn, three to switch it off. */
	CHECK_EQ(steps, 2 * n + 3);
	*stop = 1;
	expect_exit(pid, 0);
}

/* No handler: the first step kills. */
static void unhandled(void)
{
	pid_t pid = xfork();

	if (!pid) {
		struct regs r = { .ecx = 1, .eflags = FL_BASE };

		default_signal(SIGTRAP);
		reg_call(&r, long_code);
		_exit(0);
	}
	expect_signal(pid, SIGTRAP);
}

const struct test step_tests[] = {
	{ "step-plain", plain, 0 },
	{ "step-beside-wrpkru", beside_wrpkru, 0 },
	{ "step-calls", calls, 0 },
	{ "step-over-cpuid", over_cpuid, 0 },
	{ "step-repeated", repeated, 0 },
	{ "step-load-ss", load_ss, 0 },
	{ "step-branches", branches, 0 },
	{ "step-over-int80", over_int80, 0 },
	{ "step-over-page-fault", over_page_fault, 0 },
	{ "step-over-fault", over_fault, 0 },
	{ "step-pushf-image", pushf_image, 0 },
	{ "step-through-frame", through_frame, 0 },
	{ "step-long-run", long_run, 0 },
	{ "step-unhandled", unhandled, 0 },
	{ NULL, NULL, 0 },
};
