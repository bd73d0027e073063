// SPDX-License-Identifier: GPL-2.0
/*
 * The stack pointer where the host may look at it: around the stack that signals of the host come
 * on, and what is left there behind a trap of the guest's kernel.
 */
#include "attack.h"

#include <fcntl.h>

#define ALT_FROM	SPACE_STACK_TOP

/* Ways to trap: an invalid opcode, a system call, a breakpoint, a privileged instruction, a push. */
static const struct { const char *name; unsigned char len, bytes[4]; } traps[] = {
	{ "ud2", 2, { 0x0f, 0x0b } }, { "syscall", 2, { 0x0f, 0x05 } }, { "int3", 1, { 0xcc } },
	{ "hlt", 1, { 0xf4 } }, { "push", 1, { 0x50 } }, { "int80", 2, { 0xcd, 0x80 } },
	{ "fault", 3, { 0x8b, 0x04, 0x24 } },
};

static unsigned char *code;

static void trap_with(uint64_t sp, size_t kind, bool wide)
{
	struct registers in;
	struct outcome o;

	memset(code, 0x90, 64);
	code[0] = 0xc3;
	memcpy(code + 16, traps[kind].bytes, traps[kind].len);
	/* Whatever that left alone ends here. */
	code[16 + traps[kind].len] = 0x0f;
	code[17 + traps[kind].len] = 0x0b;
	((void (*)(void))(uintptr_t)code)();
	registers_init(&in, wide);
	in.r[SP] = sp;
	in.r[AX] = 39;			/* getpid, or nothing of note */
	in.ip = (uintptr_t)code + 16;
	try_note("%s with the stack at 0x%llx, %d bits", traps[kind].name, (unsigned long long)sp,
		 wide ? 64 : 32);
	try_it(&o, &in);
	if (o.sig == SIGALRM)
		FAIL("no end: %s with the stack at 0x%llx", traps[kind].name, (unsigned long long)sp);
}

static void alternate(void)
{
	static const int64_t ends[] = { 0, ALT_STACK_BYTES, 0x8000, -0x20000, 0x20000 };
	static const int near[] = {
		-4096, -256, -129, -128, -64, -16, -8, -4, -1, 0, 1, 4, 8, 16, 64, 127, 128, 129, 256, 4096,
	};

	code = xmmap(PAGE, PROT_READ | PROT_WRITE | PROT_EXEC);
	for (size_t k = 0; k < ARRAY_SIZE(traps); k++)
		for (size_t e = 0; e < ARRAY_SIZE(ends); e++)
			for (size_t n = 0; n < ARRAY_SIZE(near); n++)
				/* By a push they are written, where keys do not forbid it. */
				if (keys || strcmp(traps[k].name, "push"))
					trap_with(ALT_FROM + (uint64_t)(ends[e] + near[n]), k, true);
	still_kept_out();
}

/* The same number in 32 bits, and stacks that are no memory of the program's. */
static void narrow(void)
{
	static const uint32_t sps[] = {
		0, 1, 4, 0xfffffffc, 0xffffffff, 0x80000000, (uint32_t)ALT_FROM,
		(uint32_t)(ALT_FROM + ALT_STACK_BYTES), 0xbffffffc, 0xc0000000, 0xc0000004, 0xc1000000,
		LANDING_STACK, LANDING_STACK + 0x8000, LANDING_STACK + LANDING_STACK_BYTES - 16,
		GATE_USER + 0x800, GATE_KERNEL + 0x800, PLEX86_INFO + 0x800, PLEX86_GATES + 0x10,
	};

	code = xmmap(PAGE, PROT_READ | PROT_WRITE | PROT_EXEC);
	for (size_t k = 0; k < ARRAY_SIZE(traps); k++)
		for (size_t i = 0; i < ARRAY_SIZE(sps); i++)
			if (keys || strcmp(traps[k].name, "push"))
				trap_with(sps[i], k, false);
	still_kept_out();
}

/* A frame has them too, and numbers of ours may look like addresses. */
static void clear_vectors(void)
{
	if (__builtin_cpu_supports("avx"))
		__asm__ volatile("vzeroall");
	else
		__asm__ volatile("pxor %xmm0, %xmm0; pxor %xmm1, %xmm1; pxor %xmm2, %xmm2;"
				 "pxor %xmm3, %xmm3; pxor %xmm4, %xmm4; pxor %xmm5, %xmm5;"
				 "pxor %xmm6, %xmm6; pxor %xmm7, %xmm7");
	__asm__ volatile("fninit");
}

/* What lies on the alternate stack, and in the page that the gates have for programs. */
static uint64_t seen[(ALT_STACK_BYTES + PAGE) / 8] __attribute__((aligned(4096)));

static void look(void)
{
	/* A timer may end it. */
	for (int i = 0; i < 10; i++) {
		memset(seen, 0, sizeof(seen));
		memcpy(seen + ALT_STACK_BYTES / 8, (void *)(uintptr_t)GATE_USER, PAGE);
		if (copy_wide((uintptr_t)seen, ALT_FROM, ALT_STACK_BYTES))
			return;
	}
	FAIL("the alternate stack cannot be read");
}

/* Addresses of the kernel half, as registers are saved. */
static void look_for_kernel(const char *behind)
{
	look();
	for (size_t i = 0; i < ALT_STACK_BYTES / 8; i++)
		if (seen[i] >= 0xc0000000 && seen[i] < PLEX86_TOP)
			FAIL("behind %s 0x%llx is on the alternate stack at + 0x%zx", behind,
			     (unsigned long long)seen[i], i * 8);
}

/*
 * A trap of the kernel's leaves registers there, kernel addresses among them, and each signal the
 * address of the last page fault. What a program's own traps leave has none of the kernel half.
 */
static void leftovers(void)
{
	int fds[2];

	need_keys();
	CHECK_SYS(pipe(fds));
	for (int round = 0; round < rounds(200); round++) {
		unsigned char *fresh = xmmap(16 * PAGE, PROT_READ | PROT_WRITE);

		/* The kernel faults in copying, on pages nobody has touched. */
		CHECK_EQ(write(fds[1], "0123456789", 10), 10);
		CHECK_EQ(read(fds[0], fresh + 9 * PAGE - 5, 10), 10);
		clear_vectors();
		look_for_kernel("a fault of the kernel's");
		/* The gate begins, and gives up. */
		__asm__ volatile("std\n\t"
				 "call *%0\n\t"
				 "int $0x80\n\t"
				 "cld"
				 : : "m"(*(uint32_t *)PLEX86_GATES), "a"(SYS_getppid)
				 : "ecx", "edx", "memory", "cc");
		look_for_kernel("a gate that gave up");
		CHECK_SYS(munmap(fresh, 16 * PAGE));
	}
	close(fds[0]);
	close(fds[1]);
}

/* INT 0x80 with NT set, which the gate's IRET leaves to the monitor. */
#define INT80_NT						\
	"pushfl\n\t"						\
	"orl $0x4000, (%%esp)\n\t"				\
	"popfl\n\t"						\
	"int $0x80\n\t"						\
	"pushfl\n\t"						\
	"andl $~0x4000, (%%esp)\n\t"				\
	"popfl\n\t"

static uint32_t call_nt(uint32_t nr, uint32_t a, uint32_t b, uint32_t c)
{
	uint32_t value;

	__asm__ volatile(INT80_NT : "=a"(value)
			 : "0"(nr), "b"(a), "c"(b), "d"(c) : "memory", "cc");
	return value;
}

#define MARK	0x5ec12e7c

/*
 * In the page that the gates keep a program's registers in there are none of the kernel's.
 *
 * The program's own EAX, ECX and EDX are put there when it is interrupted. So from the marks to the
 * look at them these have only what the call takes and gives.
 */
static void kernel_registers(void)
{
	static unsigned char buf[1 << 20];

	need_keys();
	for (int round = 0; round < rounds(1000); round++) {
		uint32_t got, there[3];

		__asm__ volatile("movl %[mark], %c[page]\n\t"
				 "movl %[mark], %c[page] + 4\n\t"
				 "movl %[mark], %c[page] + 8\n\t"
				 INT80_NT
				 "movl %c[page], %%esi\n\t"
				 "movl %c[page] + 4, %%edi\n\t"
				 "movl %c[page] + 8, %%ebx"
				 : "=a"(got), "=S"(there[0]), "=D"(there[1]), "=b"(there[2])
				 : "0"(SYS_getrandom), "3"(buf), "c"(sizeof(buf)), "d"(0),
				   [mark]"i"(MARK), [page]"i"(GATE_USER) : "memory", "cc");
		for (int i = 0; i < 3; i++)
			if (there[i] != MARK && there[i] && there[i] != SYS_getrandom &&
			    there[i] != got && there[i] != sizeof(buf))
				FAIL("word %d there is 0x%x", i, there[i]);
	}
}

/* Nor of another process's, there or on the alternate stack. */
static void other_registers(void)
{
	pid_t other;

	need_keys();
	other = xfork();
	if (!other) {
		CHECK(mmap((void *)(MARK & ~(PAGE - 1)), PAGE, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) != MAP_FAILED);
		/* System calls without end, all registers marked. */
		__asm__ volatile("movl %0, %%ecx\n\t"
				 "movl %%ecx, %%edx\n\t"
				 "movl %%ecx, %%ebp\n\t"
				 "movl %%ecx, %%esi\n\t"
				 "movl %%ecx, %%edi\n\t"
				 "movl %%ecx, %%esp\n"
				 "1: xorl %%ebx, %%ebx\n\t"
				 "movl $158, %%eax\n\t"	/* sched_yield */
				 "call *%1\n\t"
				 "int $0x80\n\t"
				 "jmp 1b"
				 : : "r"(MARK), "m"(*(uint32_t *)PLEX86_GATES) : "memory");
	}
	for (int round = 0; round < rounds(200); round++) {
		call_nt(SYS_nanosleep, (uint32_t)(uintptr_t)&(struct timespec){ 0, 1000000 }, 0, 0);
		look();
		for (size_t i = 0; i < sizeof(seen) / 4; i++)
			if (((uint32_t *)seen)[i] == MARK)
				FAIL("another process's register is there at + 0x%zx", i * 4);
	}
	kill(other, SIGKILL);
	wait_status(other);
}

const struct test stack_tests[] = {
	{ "stack-alternate", alternate, 0 },
	{ "stack-32", narrow, 0 },
	{ "stack-leftovers", leftovers, 0 },
	{ "stack-kernel-registers", kernel_registers, 0 },
	{ "stack-other-registers", other_registers, 0 },
	{ NULL, NULL, 0 },
};
