// SPDX-License-Identifier: GPL-2.0
/*
 * The bridge between C and single instructions: call code with every register chosen, and see
 * what fault it raised.
 *
 * Owns the fault handler and its alternate stack. Never lets C run with flags or segments that
 * the code under test left behind: AC or a null GS would fault in the C library, far from the
 * instruction that was meant.
 */
#include "conform.h"

#include <setjmp.h>

__asm__(
"	.text\n"
"	.globl	reg_call, code_ret, code_int80\n"
"	.type	reg_call, @function\n"
"reg_call:\n"
"	pushl	%ebp\n"
"	pushl	%ebx\n"
"	pushl	%esi\n"
"	pushl	%edi\n"
"	pushl	%gs\n"
"	movl	24(%esp), %eax\n"
"	movl	28(%esp), %ecx\n"
"	pushl	%eax\n"
"	pushl	%ecx\n"
"	pushl	28(%eax)\n"
"	movl	4(%eax), %ebx\n"
"	movl	8(%eax), %ecx\n"
"	movl	12(%eax), %edx\n"
"	movl	16(%eax), %esi\n"
"	movl	20(%eax), %edi\n"
"	movl	24(%eax), %ebp\n"
"	movl	(%eax), %eax\n"
"	popf\n"
"	call	*(%esp)\n"
"	pushf\n"
"	pushl	%eax\n"
"	pushl	%ss\n"
"	popl	%ds\n"
"	pushl	%ss\n"
"	popl	%es\n"
"	movl	12(%esp), %eax\n"
"	popl	(%eax)\n"
"	popl	28(%eax)\n"
"	movl	%ebx, 4(%eax)\n"
"	movl	%ecx, 8(%eax)\n"
"	movl	%edx, 12(%eax)\n"
"	movl	%esi, 16(%eax)\n"
"	movl	%edi, 20(%eax)\n"
"	movl	%ebp, 24(%eax)\n"
"	addl	$8, %esp\n"
"	pushl	$0x202\n"
"	popf\n"
"	popl	%gs\n"
"	popl	%edi\n"
"	popl	%esi\n"
"	popl	%ebx\n"
"	popl	%ebp\n"
"	ret\n"
"	.size	reg_call, . - reg_call\n"
"code_int80:\n"
"	int	$0x80\n"
"code_ret:\n"
"	ret\n"
/* A handler is entered with AC, NT and GS as the fault found them. */
"	.type	fault_entry, @function\n"
"fault_entry:\n"
"	pushl	$0x202\n"
"	popf\n"
"	movw	fault_gs, %gs\n"
"	jmp	fault_handler\n"
);

void fault_entry(int sig, siginfo_t *si, void *uc);
void fault_handler(int sig, siginfo_t *si, void *uc);
uint32_t fault_gs;

static sigjmp_buf fault_env;
static struct fault *fault_out;
static const int fault_signals[] = { SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP };

__attribute__((used))
void fault_handler(int sig, siginfo_t *si, void *context)
{
	const ucontext_t *uc = context;
	const greg_t *g = uc->uc_mcontext.gregs;
	struct fault *f = fault_out;

	f->sig = sig;
	f->code = si->si_code;
	f->trapno = g[REG_TRAPNO];
	f->err = (uint32_t)g[REG_ERR];
	f->addr = (uintptr_t)si->si_addr;
	f->cr2 = uc->uc_mcontext.cr2;
	f->eip = (uintptr_t)g[REG_EIP];
	f->esp = (uintptr_t)g[REG_ESP];
	f->r = (struct regs){
		.eax = (uint32_t)g[REG_EAX], .ebx = (uint32_t)g[REG_EBX],
		.ecx = (uint32_t)g[REG_ECX], .edx = (uint32_t)g[REG_EDX],
		.esi = (uint32_t)g[REG_ESI], .edi = (uint32_t)g[REG_EDI],
		.ebp = (uint32_t)g[REG_EBP], .eflags = (uint32_t)g[REG_EFL],
	};
	siglongjmp(fault_env, 1);
}

bool fault_call(struct fault *f, struct regs *r, const void *code)
{
	static char alt[64 * 1024] __attribute__((aligned(16)));
	stack_t old, ss = { .ss_sp = alt, .ss_size = sizeof(alt) };
	struct sigaction before[ARRAY_SIZE(fault_signals)];
	struct sigaction sa = { .sa_sigaction = fault_entry, .sa_flags = SA_SIGINFO | SA_ONSTACK };
	volatile bool hit = false;

	__asm__ volatile("movl %%gs, %0" : "=r"(fault_gs));
	memset(f, 0, sizeof(*f));
	fault_out = f;
	CHECK_SYS(sigaltstack(&ss, &old));
	for (size_t i = 0; i < ARRAY_SIZE(fault_signals); i++)
		CHECK_SYS(sigaction(fault_signals[i], &sa, &before[i]));
	if (sigsetjmp(fault_env, 1))
		hit = true;
	else
		reg_call(r, code);
	for (size_t i = 0; i < ARRAY_SIZE(fault_signals); i++)
		CHECK_SYS(sigaction(fault_signals[i], &before[i], NULL));
	CHECK_SYS(sigaltstack(&old, NULL));
	return hit;
}

long int80(long nr, long a, long b, long c, long d, long e, long f)
{
	struct regs r = {
		.eax = (uint32_t)nr, .ebx = (uint32_t)a, .ecx = (uint32_t)b, .edx = (uint32_t)c,
		.esi = (uint32_t)d, .edi = (uint32_t)e, .ebp = (uint32_t)f, .eflags = FL_BASE,
	};

	reg_call(&r, code_int80);
	return (long)(int32_t)r.eax;
}

void pad_new(struct pad *p, unsigned int slots)
{
	p->slots = slots;
	p->used = 0;
	p->mem = xmmap(slots * PAD_SLOT, PROT_READ | PROT_WRITE);
	memset(p->mem, 0xc3, slots * PAD_SLOT);
}

unsigned char *pad_add(struct pad *p, const void *bytes, size_t len_bytes)
{
	unsigned char *at = p->mem + p->used++ * PAD_SLOT;

	CHECK(p->used <= p->slots && len_bytes < PAD_SLOT);
	memcpy(at, bytes, len_bytes);
	return at;
}

void pad_seal(struct pad *p)
{
	CHECK_SYS(mprotect(p->mem, p->slots * PAD_SLOT, PROT_READ | PROT_EXEC));
}

void pad_free(struct pad *p)
{
	CHECK_SYS(munmap(p->mem, p->slots * PAD_SLOT));
}

bool have_avx(void)
{
	uint32_t r[4], lo, hi;

	cpuid(1, 0, r);
	if ((r[2] & (3u << 27)) != 3u << 27)
		return false;
	__asm__ volatile("xgetbv" : "=a"(lo), "=d"(hi) : "c"(0));
	return (lo & 6) == 6;
}
