// SPDX-License-Identifier: GPL-2.0
/*
 * Every exception but the page fault, one instruction each, as the process sees it: the signal,
 * si_code, si_addr, and trap number, error code and EIP of the frame.
 *
 * A table a kind. Each line's bytes are copied to a page of their own and run by fault_call();
 * the reason of a failure names the instruction.
 */
#include "conform.h"

#include <sched.h>

/* What si_addr must be. */
enum { ADDR_NONE, ADDR_EIP };

struct line {
	const char *insn;
	unsigned char len, bytes[24];
	/* Offset of the reported EIP from the start of the bytes. */
	unsigned char eip_off;
	struct regs r;
	/* Error code; ERR_SEL: the selector in EAX with its RPL cleared. */
	int err;
};

#define ERR_SEL (-1)
#define B(...) .bytes = { __VA_ARGS__ }, .len = sizeof((unsigned char[]){ __VA_ARGS__ })

static void run_line(const struct line *l, const unsigned char *at, int sig, int code, int trapno,
		     int addr)
{
	struct regs r = l->r;
	struct fault f;
	uint32_t err = l->err == ERR_SEL ? r.eax & 0xfffc : (uint32_t)l->err;

	r.eflags |= FL_BASE;
	if (!fault_call(&f, &r, at))
		FAIL("`%s` raised nothing", l->insn);
	if (f.sig != sig || f.code != code)
		FAIL("`%s`: signal %d code %d, want %d code %d", l->insn, f.sig, f.code, sig, code);
	if (f.trapno != trapno || f.err != err)
		FAIL("`%s`: trap %d error 0x%x, want %d error 0x%x", l->insn, f.trapno, f.err,
		     trapno, err);
	if (f.eip != (uintptr_t)at + l->eip_off)
		FAIL("`%s`: EIP off by %ld", l->insn, (long)(f.eip - (uintptr_t)at) - l->eip_off);
	if (f.addr != (addr == ADDR_EIP ? f.eip : 0))
		FAIL("`%s`: si_addr is not %s", l->insn, addr == ADDR_EIP ? "EIP" : "null");
}

static void run_table(const struct line *table, size_t n, int sig, int code, int trapno, int addr)
{
	unsigned char *at[64];
	struct pad p;

	CHECK(n <= ARRAY_SIZE(at));
	pad_new(&p, (unsigned int)n);
	for (size_t i = 0; i < n; i++)
		at[i] = pad_add(&p, table[i].bytes, table[i].len);
	pad_seal(&p);
	for (size_t i = 0; i < n; i++)
		run_line(&table[i], at[i], sig, code, trapno, addr);
	pad_free(&p);
}

static const struct line privileged_lines[] = {
	{ "cli", B(0xfa) }, { "sti", B(0xfb) }, { "hlt", B(0xf4) },
	{ "in $0x80,%al", B(0xe4, 0x80) }, { "in $0x80,%eax", B(0xe5, 0x80) },
	{ "out %al,$0x80", B(0xe6, 0x80) }, { "out %eax,$0x80", B(0xe7, 0x80) },
	{ "in %dx,%al", B(0xec) }, { "in %dx,%eax", B(0xed) }, { "in %dx,%ax", B(0x66, 0xed) },
	{ "out %al,%dx", B(0xee) }, { "out %eax,%dx", B(0xef) },
	{ "insb", B(0x6c) }, { "insl", B(0x6d) }, { "outsb", B(0x6e) }, { "outsl", B(0x6f) },
	{ "rep insb", B(0xf3, 0x6c), .r.ecx = 1 }, { "rep outsb", B(0xf3, 0x6e), .r.ecx = 1 },
	{ "lgdt (%esp)", B(0x0f, 0x01, 0x14, 0x24) }, { "lidt (%esp)", B(0x0f, 0x01, 0x1c, 0x24) },
	{ "lldt %ax", B(0x0f, 0x00, 0xd0) }, { "ltr %ax", B(0x0f, 0x00, 0xd8) },
	{ "lmsw %ax", B(0x0f, 0x01, 0xf0) }, { "clts", B(0x0f, 0x06) },
	{ "invd", B(0x0f, 0x08) }, { "wbinvd", B(0x0f, 0x09) },
	{ "invlpg (%esp)", B(0x0f, 0x01, 0x3c, 0x24) },
	{ "mov %cr0,%eax", B(0x0f, 0x20, 0xc0) }, { "mov %eax,%cr0", B(0x0f, 0x22, 0xc0) },
	{ "mov %cr2,%eax", B(0x0f, 0x20, 0xd0) }, { "mov %eax,%cr2", B(0x0f, 0x22, 0xd0) },
	{ "mov %cr3,%eax", B(0x0f, 0x20, 0xd8) }, { "mov %eax,%cr3", B(0x0f, 0x22, 0xd8) },
	{ "mov %cr4,%eax", B(0x0f, 0x20, 0xe0) }, { "mov %eax,%cr4", B(0x0f, 0x22, 0xe0) },
	{ "mov %dr0,%eax", B(0x0f, 0x21, 0xc0) }, { "mov %eax,%dr0", B(0x0f, 0x23, 0xc0) },
	{ "mov %dr6,%eax", B(0x0f, 0x21, 0xf0) }, { "mov %dr7,%eax", B(0x0f, 0x21, 0xf8) },
	{ "mov %eax,%dr7", B(0x0f, 0x23, 0xf8) },
	{ "rdmsr", B(0x0f, 0x32) }, { "wrmsr", B(0x0f, 0x30) }, { "sysexit", B(0x0f, 0x35) },
};

static void privileged(void)
{
	run_table(privileged_lines, ARRAY_SIZE(privileged_lines), SIGSEGV, SI_KERNEL, 13, ADDR_NONE);
}

/* INT n with no gate that user mode may use: the error code names the vector. */
static void int_vectors(void)
{
	struct pad p;
	unsigned char *at[256];

	pad_new(&p, 256);
	for (int n = 0; n < 256; n++)
		at[n] = pad_add(&p, (unsigned char[]){ 0xcd, (unsigned char)n }, 2);
	pad_seal(&p);
	for (int n = 0; n < 256; n++) {
		char insn[16];
		struct line l = { .insn = insn, .err = n * 8 + 2 };

		if (n == 3 || n == 4 || n == 0x80)
			continue;
		snprintf(insn, sizeof(insn), "int $0x%x", n);
		run_line(&l, at[n], SIGSEGV, SI_KERNEL, 13, ADDR_NONE);
	}
	pad_free(&p);
}

#define BOGUS 0x1fb		/* beyond the table */
#define LDT_BOGUS 0xffff	/* beyond any local table */

/* The selector goes through EAX; where it is popped or taken from memory, EAX is pushed first. */
static void bad_selectors(void)
{
	static const struct line lines[] = {
		{ "mov %eax,%ds", B(0x8e, 0xd8) }, { "mov %eax,%es", B(0x8e, 0xc0) },
		{ "mov %eax,%ss", B(0x8e, 0xd0) }, { "mov %eax,%fs", B(0x8e, 0xe0) },
		{ "mov %eax,%gs", B(0x8e, 0xe8) },
		{ "pop %ds", B(0x50, 0x1f), .eip_off = 1 }, { "pop %es", B(0x50, 0x07), .eip_off = 1 },
		{ "pop %ss", B(0x50, 0x17), .eip_off = 1 },
		{ "pop %fs", B(0x50, 0x0f, 0xa1), .eip_off = 1 },
		{ "pop %gs", B(0x50, 0x0f, 0xa9), .eip_off = 1 },
		{ "lds (%esp),%ecx", B(0x50, 0x50, 0xc5, 0x0c, 0x24), .eip_off = 2 },
		{ "les (%esp),%ecx", B(0x50, 0x50, 0xc4, 0x0c, 0x24), .eip_off = 2 },
		{ "lss (%esp),%ecx", B(0x50, 0x50, 0x0f, 0xb2, 0x0c, 0x24), .eip_off = 2 },
		{ "lfs (%esp),%ecx", B(0x50, 0x50, 0x0f, 0xb4, 0x0c, 0x24), .eip_off = 2 },
		{ "lgs (%esp),%ecx", B(0x50, 0x50, 0x0f, 0xb5, 0x0c, 0x24), .eip_off = 2 },
		{ "lret", B(0x50, 0x50, 0xcb), .eip_off = 2 },
		{ "lret $4", B(0x50, 0x50, 0xca, 4, 0), .eip_off = 2 },
		{ "iret", B(0x9c, 0x50, 0x50, 0xcf), .eip_off = 3 },
	};
	static const uint32_t sels[] = { BOGUS, BOGUS & ~3u, LDT_BOGUS, 7, 0xf007 };

	for (size_t s = 0; s < ARRAY_SIZE(sels); s++) {
		struct line copy[ARRAY_SIZE(lines)];

		memcpy(copy, lines, sizeof(lines));
		for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
			copy[i].r.eax = sels[s];
			copy[i].err = ERR_SEL;
		}
		run_table(copy, ARRAY_SIZE(copy), SIGSEGV, SI_KERNEL, 13, ADDR_NONE);
	}
}

static void far_transfers(void)
{
	static const struct line lines[] = {
		{ "ljmp to a bogus selector", B(0xea, 0, 0, 1, 0, BOGUS & 0xff, BOGUS >> 8),
		  .r.eax = BOGUS, .err = ERR_SEL },
		{ "lcall to a bogus selector", B(0x9a, 0, 0, 1, 0, BOGUS & 0xff, BOGUS >> 8),
		  .r.eax = BOGUS, .err = ERR_SEL },
		{ "ljmp to a null selector", B(0xea, 0, 0, 1, 0, 0, 0) },
		{ "lcall to a null selector", B(0x9a, 0, 0, 1, 0, 3, 0) },
		{ "ljmp to the LDT", B(0xea, 0, 0, 1, 0, 0xff, 0xff), .r.eax = 0xffff, .err = ERR_SEL },
		{ "lret to a null selector", B(0x6a, 0, 0x6a, 0, 0xcb), .eip_off = 4 },
		{ "iret to a null selector", B(0x9c, 0x6a, 0, 0x6a, 0, 0xcf), .eip_off = 5 },
		/* The frame's flags do not matter: to go back to another task is not for it. */
		{ "iret with NT", B(0x9c, 0x80, 0x4c, 0x24, 0x01, 0x40, 0x9d, 0xcf), .eip_off = 7 },
		{ "mov of a null selector to %ss", B(0x31, 0xc0, 0x8e, 0xd0), .eip_off = 2 },
		{ "ljmp *(%esp), bogus", B(0x50, 0x50, 0xff, 0x2c, 0x24), .eip_off = 2,
		  .r.eax = BOGUS, .err = ERR_SEL },
		{ "lcall *(%esp), bogus", B(0x50, 0x50, 0xff, 0x1c, 0x24), .eip_off = 2,
		  .r.eax = BOGUS, .err = ERR_SEL },
	};
	struct line own = { "ljmp to the data selector", B(0x50, 0x50, 0xff, 0x2c, 0x24),
		.eip_off = 2, .err = ERR_SEL };
	uint32_t ds, cs;

	run_table(lines, ARRAY_SIZE(lines), SIGSEGV, SI_KERNEL, 13, ADDR_NONE);
	__asm__("movl %%ds, %0; movl %%cs, %1" : "=r"(ds), "=r"(cs));
	own.r.eax = ds;
	run_table(&own, 1, SIGSEGV, SI_KERNEL, 13, ADDR_NONE);
	/* A readable code segment is fine as data, not as a stack. */
	struct line code_ss = { "mov %cs,%ss", B(0x8e, 0xd0), .r.eax = cs, .err = ERR_SEL };

	run_table(&code_ss, 1, SIGSEGV, SI_KERNEL, 13, ADDR_NONE);
}

/* What a program may do with its own selectors. */
static void far_allowed(void)
{
	uint32_t mark = 0, cs, flags;

	__asm__ volatile("movl %%cs, %0" : "=r"(cs));
	__asm__ volatile("pushl %%cs; pushl $1f; lret; 1: incl %0" : "+r"(mark));
	CHECK_EQ(mark, 1);
	__asm__ volatile("pushl %%cs; pushl $1f; pushl $2f; movl 8(%%esp), %%ecx; movw %%cx, 8(%%esp);"
			 "addl $4, %%esp; ljmp *(%%esp); 2: ud2; 1: addl $8, %%esp; incl %0"
			 : "+r"(mark) : : "ecx");
	CHECK_EQ(mark, 2);
	/* lcall pushes CS and EIP; lret comes back. */
	__asm__ volatile("pushl %%cs; pushl $1f; lcall *(%%esp); addl $8, %%esp; jmp 2f;"
			 "1: incl %0; lret; 2:" : "+r"(mark));
	CHECK_EQ(mark, 3);
	/* IRET at the same level restores flags. */
	__asm__ volatile("pushl $0x2d7; pushl %%cs; pushl $1f; iret; 1: pushf; popl %1; incl %0"
			 : "+r"(mark), "=r"(flags) : : "cc");
	CHECK_EQ(mark, 4);
	CHECK_EQ(flags & ~FL_RF, 0x2d7);
	__asm__ volatile("pushl $0xa02; pushl %%cs; pushl $1f; iret; 1: pushf; popl %1; incl %0"
			 : "+r"(mark), "=r"(flags) : : "cc");
	CHECK_EQ(flags & ~FL_RF, 0xa02);
	/* The code segment can be read through. */
	__asm__ volatile("pushl %%es; pushl %%cs; popl %%es; movl %%es:(%%esp), %0; popl %%es"
			 : "=r"(flags));
}

/* Loading a null selector is allowed, using it is not. */
static void null_use(void)
{
	static const struct line lines[] = {
		{ "%ds null, read", B(0x31, 0xc0, 0x8e, 0xd8, 0xa1, 0, 0, 1, 0), .eip_off = 4 },
		{ "%es null, read", B(0x31, 0xc0, 0x8e, 0xc0, 0x26, 0xa1, 0, 0, 1, 0), .eip_off = 4 },
		{ "%es null, stosl", B(0x31, 0xc0, 0x8e, 0xc0, 0xab), .eip_off = 4 },
		{ "%fs null, read", B(0x31, 0xc0, 0x8e, 0xe0, 0x64, 0xa1, 0, 0, 1, 0), .eip_off = 4 },
		{ "%gs null, read", B(0x31, 0xc0, 0x8e, 0xe8, 0x65, 0xa1, 0, 0, 1, 0), .eip_off = 4 },
		{ "%gs null, write", B(0x31, 0xc0, 0x8e, 0xe8, 0x65, 0xa3, 0, 0, 1, 0), .eip_off = 4 },
		{ "write through %cs", B(0x2e, 0xa3, 0, 0, 1, 0), .eip_off = 0 },
	};

	run_table(lines, ARRAY_SIZE(lines), SIGSEGV, SI_KERNEL, 13, ADDR_NONE);
}

/* LAR, LSL, VERR, VERW only report. */
static void selector_queries(void)
{
	uint32_t ds, cs, v = 0;
	unsigned char zf;

	__asm__("movl %%ds, %0; movl %%cs, %1" : "=r"(ds), "=r"(cs));
	__asm__("lsl %2, %0; setz %1" : "+r"(v), "=q"(zf) : "r"(ds) : "cc");
	CHECK_EQ(zf, 1);
	CHECK_EQ(v, 0xffffffffu);
	__asm__("lar %2, %0; setz %1" : "+r"(v), "=q"(zf) : "r"(cs) : "cc");
	CHECK_EQ(zf, 1);
	/* Present, level 3, code. */
	CHECK_EQ(v & 0xf800, 0xf800);
	__asm__("verr %w1; setz %0" : "=q"(zf) : "r"(ds) : "cc");
	CHECK_EQ(zf, 1);
	__asm__("verw %w1; setz %0" : "=q"(zf) : "r"(ds) : "cc");
	CHECK_EQ(zf, 1);
	__asm__("verw %w1; setz %0" : "=q"(zf) : "r"(cs) : "cc");
	CHECK_EQ(zf, 0);
	v = 0x1234;
	__asm__("lar %2, %0; setz %1" : "+r"(v), "=q"(zf) : "r"(BOGUS) : "cc");
	CHECK_EQ(zf, 0);
	CHECK_EQ(v, 0x1234);
	__asm__("lsl %2, %0; setz %1" : "+r"(v), "=q"(zf) : "r"(0) : "cc");
	CHECK_EQ(zf, 0);
}

/* Unprivileged reads of system registers: emulated or real, they go on; SMSW shows PE. */
static void system_reads(void)
{
	unsigned char table[8] = { 0 };
	uint32_t msw = 0;

	__asm__ volatile("smsw %0" : "=r"(msw));
	CHECK(msw & 1);
	__asm__ volatile("sgdt %0" : "=m"(table));
	__asm__ volatile("sidt %0" : "=m"(table));
}

static const struct line divide_lines[] = {
	{ "divb, zero", B(0xf6, 0xf3), .r.eax = 100 },
	{ "divw, zero", B(0x66, 0xf7, 0xf3), .r.eax = 100 },
	{ "divl, zero", B(0xf7, 0xf3), .r.eax = 100 },
	{ "idivl, zero", B(0xf7, 0xfb), .r.eax = 100 },
	{ "idivl, INT_MIN / -1", B(0xf7, 0xfb), .r = { .eax = 0x80000000, .edx = ~0u, .ebx = ~0u } },
	{ "divl, overflow", B(0xf7, 0xf3), .r = { .eax = 0, .edx = 5, .ebx = 5 } },
	{ "idivb, overflow", B(0xf6, 0xfb), .r = { .eax = 0x8000, .ebx = 1 } },
	{ "aam $0", B(0xd4, 0x00) },
	{ "divl after a prefix", B(0x3e, 0xf7, 0xf3), .r.eax = 1 },
	{ "divl later in code", B(0x90, 0x90, 0x90, 0xf7, 0xf3), .eip_off = 3 },
};

static void divide(void)
{
	run_table(divide_lines, ARRAY_SIZE(divide_lines), SIGFPE, FPE_INTDIV, 0, ADDR_EIP);
}

static const struct line illegal_lines[] = {
	{ "ud2", B(0x0f, 0x0b) }, { "ud1 %eax,%eax", B(0x0f, 0xb9, 0xc0) },
	{ "ud1 %esp,%ecx", B(0x0f, 0xb9, 0xcc) }, { "ud1 (%esp),%ecx", B(0x0f, 0xb9, 0x0c, 0x24) },
	{ "ud0 %eax,%eax", B(0x0f, 0xff, 0xc0) },
	{ "mov %eax,%cs", B(0x8e, 0xc8) }, { "mov to sreg 6", B(0x8e, 0xf0) },
	{ "lock nop", B(0xf0, 0x90) }, { "lock add reg", B(0xf0, 0x01, 0xc0) },
	{ "lock mov", B(0xf0, 0x89, 0x04, 0x24) },
	{ "group 5 /7", B(0xff, 0xf8) }, { "group 4 /2", B(0xfe, 0xd0) },
	{ "lcall reg", B(0xff, 0xd8) }, { "ljmp reg", B(0xff, 0xe8) },
	{ "lss reg", B(0x0f, 0xb2, 0xc0) }, { "cmpxchg8b reg", B(0x0f, 0xc7, 0xc8) },
	{ "group 8 /0", B(0x0f, 0xba, 0xc0, 0x00) },
	{ "ud2 later in code", B(0x90, 0x66, 0x90, 0x0f, 0x0b), .eip_off = 3 },
};

static void illegal(void)
{
	run_table(illegal_lines, ARRAY_SIZE(illegal_lines), SIGILL, ILL_ILLOPN, 6, ADDR_EIP);
}

static void too_long(void)
{
	static const struct line lines[] = {
		{ "sixteen bytes", B(0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66,
				     0x66, 0x66, 0x66, 0x66, 0x90) },
	};
	struct regs r = { .eflags = FL_BASE };
	struct fault f;
	struct pad p;
	unsigned char *at;

	run_table(lines, 1, SIGSEGV, SI_KERNEL, 13, ADDR_NONE);
	/* Fifteen are right. */
	pad_new(&p, 1);
	at = pad_add(&p, lines[0].bytes + 1, 15);
	pad_seal(&p);
	CHECK(!fault_call(&f, &r, at));
	pad_free(&p);
}

static void breakpoint(void)
{
	static const struct line lines[] = {
		{ "int3", B(0xcc), .eip_off = 1 }, { "int $3", B(0xcd, 0x03), .eip_off = 2 },
		{ "int3 later in code", B(0x90, 0xcc), .eip_off = 2 },
	};

	run_table(lines, ARRAY_SIZE(lines), SIGTRAP, SI_KERNEL, 3, ADDR_NONE);
}

static void icebp(void)
{
	static const struct line lines[] = { { "icebp", B(0xf1), .eip_off = 1 } };

	run_table(lines, 1, SIGTRAP, TRAP_BRKPT, 1, ADDR_EIP);
}

static void overflow(void)
{
	static const struct line lines[] = {
		{ "into", B(0xce), .eip_off = 1, .r.eflags = FL_OF },
		{ "int $4", B(0xcd, 0x04), .eip_off = 2 },
	};
	struct regs r = { .eflags = FL_BASE | FL_CF | FL_SF };
	struct fault f;
	struct pad p;
	unsigned char *at;

	run_table(lines, ARRAY_SIZE(lines), SIGSEGV, SI_KERNEL, 4, ADDR_NONE);
	pad_new(&p, 1);
	at = pad_add(&p, lines[0].bytes, 1);
	pad_seal(&p);
	CHECK(!fault_call(&f, &r, at));
	pad_free(&p);
}

static void bound(void)
{
	/* push $10; push $-5; bound %eax,(%esp); add $8,%esp; ret */
	static const struct line lines[] = {
		{ "bound, above", B(0x6a, 10, 0x6a, 0xfb, 0x62, 0x04, 0x24, 0x83, 0xc4, 8),
		  .eip_off = 4, .r.eax = 11 },
		{ "bound, below", B(0x6a, 10, 0x6a, 0xfb, 0x62, 0x04, 0x24, 0x83, 0xc4, 8),
		  .eip_off = 4, .r.eax = (uint32_t)-6 },
	};
	static const uint32_t fine[] = { 0, 10, (uint32_t)-5 };
	struct fault f;
	struct pad p;
	unsigned char *at;

	run_table(lines, ARRAY_SIZE(lines), SIGSEGV, SI_KERNEL, 5, ADDR_NONE);
	pad_new(&p, 1);
	at = pad_add(&p, lines[0].bytes, lines[0].len);
	pad_seal(&p);
	for (size_t i = 0; i < ARRAY_SIZE(fine); i++) {
		struct regs r = { .eax = fine[i], .eflags = FL_BASE };

		CHECK(!fault_call(&f, &r, at));
	}
	pad_free(&p);
}

/* AC set in EFLAGS: every unaligned access of two bytes or more. */
static void alignment(void)
{
	static const struct line lines[] = {
		{ "movl 1(%esp)", B(0x8b, 0x44, 0x24, 1), .r.eflags = FL_AC },
		{ "movl 2(%esp)", B(0x8b, 0x44, 0x24, 2), .r.eflags = FL_AC },
		{ "movw 1(%esp)", B(0x66, 0x8b, 0x44, 0x24, 1), .r.eflags = FL_AC },
		{ "movl store", B(0x89, 0x44, 0x24, 0xf9), .r.eflags = FL_AC },
	};
	static const unsigned char fine[] = {
		0x8a, 0x44, 0x24, 1,		/* movb 1(%esp) */
		0x66, 0x8b, 0x44, 0x24, 2,	/* movw 2(%esp) */
		0x8b, 0x44, 0x24, 4,		/* movl 4(%esp) */
	};
	struct regs r = { .eflags = FL_BASE | FL_AC };
	struct fault f;
	struct pad p;
	unsigned char *ok, *odd;

	run_table(lines, ARRAY_SIZE(lines), SIGBUS, BUS_ADRALN, 17, ADDR_NONE);
	pad_new(&p, 2);
	ok = pad_add(&p, fine, sizeof(fine));
	odd = pad_add(&p, lines[0].bytes, lines[0].len);
	pad_seal(&p);
	CHECK(!fault_call(&f, &r, ok));
	/* Without AC nothing is checked. */
	r.eflags = FL_BASE;
	CHECK(!fault_call(&f, &r, odd));
	pad_free(&p);
}

/* x87: an unmasked error is reported by the next waiting instruction. */
struct x87_line {
	const char *what;
	uint16_t cw;
	unsigned char len, bytes[24], eip_off;
	int code;
};

static const struct x87_line x87_lines[] = {
	{ "1/0", 0x37b, B(0xd9, 0xe8, 0xd9, 0xee, 0xde, 0xf9, 0x9b), .eip_off = 6,
	  .code = FPE_FLTDIV },
	{ "0/0", 0x37e, B(0xd9, 0xee, 0xd9, 0xee, 0xde, 0xf9, 0x9b), .eip_off = 6,
	  .code = FPE_FLTINV },
	{ "sqrt(-1)", 0x37e, B(0xd9, 0xe8, 0xd9, 0xe0, 0xd9, 0xfa, 0x9b), .eip_off = 6,
	  .code = FPE_FLTINV },
	{ "stack underflow", 0x37e, B(0xdb, 0xe3, 0xd9, 0x2c, 0x24, 0xd9, 0xe0, 0x9b), .eip_off = 7,
	  .code = FPE_FLTINV },
	{ "pi + 1, inexact", 0x35f, B(0xd9, 0xeb, 0xd9, 0xe8, 0xd9, 0xfa, 0xde, 0xc1, 0x9b),
	  .eip_off = 8, .code = FPE_FLTRES },
	/* 1 scaled by 2^20000 is beyond even the 80-bit form. */
	{ "overflow", 0x377, B(0x68, 0x20, 0x4e, 0, 0, 0xdb, 0x04, 0x24, 0x58, 0xd9, 0xe8, 0xd9, 0xfd,
			       0x9b), .eip_off = 13, .code = FPE_FLTOVF },
	{ "underflow", 0x36f, B(0x68, 0xe0, 0xb1, 0xff, 0xff, 0xdb, 0x04, 0x24, 0x58, 0xd9, 0xe8,
				0xd9, 0xfd, 0x9b), .eip_off = 13, .code = FPE_FLTUND },
};

static void x87(void)
{
	struct pad p;
	unsigned char *at[ARRAY_SIZE(x87_lines)];
	unsigned char code[64];

	pad_new(&p, ARRAY_SIZE(x87_lines));
	for (size_t i = 0; i < ARRAY_SIZE(x87_lines); i++) {
		const struct x87_line *l = &x87_lines[i];
		/* fninit; push $cw; fldcw (%esp); the line; fninit; pop %eax; ret */
		size_t n = 0;

		code[n++] = 0xdb; code[n++] = 0xe3;
		code[n++] = 0x68;
		memcpy(code + n, &(uint32_t){ l->cw }, 4);
		n += 4;
		code[n++] = 0xd9; code[n++] = 0x2c; code[n++] = 0x24;
		memcpy(code + n, l->bytes, l->len);
		n += l->len;
		code[n++] = 0xdb; code[n++] = 0xe3; code[n++] = 0x58;
		at[i] = pad_add(&p, code, n);
	}
	pad_seal(&p);
	for (size_t i = 0; i < ARRAY_SIZE(x87_lines); i++) {
		const struct x87_line *l = &x87_lines[i];
		struct line as = { .insn = l->what, .eip_off = (unsigned char)(l->eip_off + 10) };

		run_line(&as, at[i], SIGFPE, l->code, 16, ADDR_EIP);
		/* The handler began, and left, with a clean unit. */
		uint16_t sw;

		__asm__ volatile("fnstsw %0" : "=a"(sw));
		CHECK_EQ(sw & 0x80, 0);
	}
	pad_free(&p);
}

/* SSE: EAX holds MXCSR, the operands are built from integers. */
static void sse(void)
{
	/* push %eax; ldmxcsr (%esp); movd %ebx,%xmm0; movd %ecx,%xmm1; op; pop; ret */
	static const unsigned char head[] = {
		0x50, 0x0f, 0xae, 0x14, 0x24, 0x66, 0x0f, 0x6e, 0xc3, 0x66, 0x0f, 0x6e, 0xc9,
	};
	static const struct { const char *what; unsigned char op; uint32_t mxcsr, a, b; int code; } l[] = {
		{ "divss 1/0", 0x5e, 0x1d80, 0x3f800000, 0, FPE_FLTDIV },
		{ "divss 0/0", 0x5e, 0x1f00, 0, 0, FPE_FLTINV },
		{ "mulss overflow", 0x59, 0x1b80, 0x7f000000, 0x7f000000, FPE_FLTOVF },
		{ "mulss underflow", 0x59, 0x1780, 0x00800000, 0x00800000, FPE_FLTUND },
		{ "divss inexact", 0x5e, 0x0f80, 0x3f800000, 0x40400000, FPE_FLTRES },
		{ "addss denormal", 0x58, 0x1e80, 0x3f800000, 0x00000001, FPE_FLTUND },
	};
	struct pad p;
	unsigned char *at[ARRAY_SIZE(l)], code[32];

	pad_new(&p, ARRAY_SIZE(l));
	for (size_t i = 0; i < ARRAY_SIZE(l); i++) {
		memcpy(code, head, sizeof(head));
		memcpy(code + sizeof(head), (unsigned char[]){ 0xf3, 0x0f, l[i].op, 0xc1, 0x58 }, 5);
		at[i] = pad_add(&p, code, sizeof(head) + 5);
	}
	pad_seal(&p);
	for (size_t i = 0; i < ARRAY_SIZE(l); i++) {
		struct line as = { .insn = l[i].what, .eip_off = sizeof(head),
			.r = { .eax = l[i].mxcsr, .ebx = l[i].a, .ecx = l[i].b } };
		uint32_t mxcsr;

		run_line(&as, at[i], SIGFPE, l[i].code, 19, ADDR_EIP);
		__asm__ volatile("stmxcsr %0" : "=m"(mxcsr));
		CHECK_EQ(mxcsr, 0x1f80);
	}
	pad_free(&p);
	/* A reserved bit in MXCSR. */
	struct line bad = { "ldmxcsr, reserved bit", B(0x50, 0x0f, 0xae, 0x14, 0x24, 0x58),
		.eip_off = 1, .r.eax = 0x80001f80 };
	run_table(&bad, 1, SIGSEGV, SI_KERNEL, 13, ADDR_NONE);
	/* Unaligned operand of an instruction that wants 16. */
	struct line odd = { "movaps, unaligned", B(0x83, 0xe4, 0xf0, 0x0f, 0x28, 0x44, 0x24, 4),
		.eip_off = 3 };
	run_table(&odd, 1, SIGSEGV, SI_KERNEL, 13, ADDR_NONE);
}

/* Every register in the frame is the one at the fault. */
static void frame_registers(void)
{
	static const struct line lines[] = {
		{ "ud2", B(0x0f, 0x0b) }, { "cli", B(0xfa) }, { "int $0x21", B(0xcd, 0x21) },
		{ "mov 0x40,%eax", B(0xa1, 0x40, 0, 0, 0) },
	};
	struct pad p;

	pad_new(&p, ARRAY_SIZE(lines));
	for (size_t i = 0; i < ARRAY_SIZE(lines); i++)
		pad_add(&p, lines[i].bytes, lines[i].len);
	pad_seal(&p);
	for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
		struct regs r = {
			.eax = 0x11223344, .ebx = 0x55667788, .ecx = 0x99aabbcc, .edx = 0xddeeff00,
			.esi = 0x13572468, .edi = 0x24681357, .ebp = 0xdeadbeef,
			.eflags = FL_BASE | FL_CF | FL_PF | FL_SF | FL_OF | FL_DF | FL_ID,
		};
		struct regs want = r;
		struct fault f;

		CHECK(fault_call(&f, &r, p.mem + i * PAD_SLOT));
		f.r.eflags &= ~FL_RF;
		if (memcmp(&f.r, &want, sizeof(want)))
			FAIL("`%s`: registers in the frame differ from those at the fault",
			     lines[i].insn);
	}
	pad_free(&p);
}

/* The same without a handler: the process dies of it. Blocked or ignored: it dies all the same. */
static void unhandled(void)
{
	for (int how = 0; how < 3; how++) {
		for (int kind = 0; kind < 4; kind++) {
			static const int sig[] = { SIGSEGV, SIGILL, SIGFPE, SIGTRAP };
			pid_t pid = xfork();

			if (!pid) {
				sigset_t set;

				sigfillset(&set);
				if (how == 1)
					sigprocmask(SIG_BLOCK, &set, NULL);
				if (how == 2)
					signal(sig[kind], SIG_IGN);
				switch (kind) {
				case 0:
					__asm__ volatile("hlt");
					break;
				case 1:
					__asm__ volatile("ud2");
					break;
				case 2:
					__asm__ volatile("xorl %%ecx, %%ecx; divl %%ecx"
							 : : : "eax", "ecx", "edx", "cc");
					break;
				default:
					__asm__ volatile("int3");
				}
				_exit(0);
			}
			expect_signal(pid, sig[kind]);
		}
	}
}

/* Faults in many processes at once, each seeing its own. */
static void concurrent(void)
{
	pid_t pid[8];

	for (int i = 0; i < 8; i++) {
		pid[i] = xfork();
		if (pid[i])
			continue;
		for (int k = 0; k < rounds(100); k++) {
			uintptr_t where = 0x20000u + (uintptr_t)i * 0x1000 + (uintptr_t)k * 4;
			struct regs r = { .ebx = where, .eflags = FL_BASE };
			struct fault f;
			static struct pad p;

			if (!p.mem) {
				/* mov (%ebx),%eax */
				pad_new(&p, 1);
				pad_add(&p, (unsigned char[]){ 0x8b, 0x03 }, 2);
				pad_seal(&p);
			}
			CHECK(fault_call(&f, &r, p.mem));
			CHECK_EQ(f.addr, where);
			CHECK_EQ(f.cr2, where);
			sched_yield();
		}
		_exit(0);
	}
	for (int i = 0; i < 8; i++)
		expect_exit(pid[i], 0);
}

const struct test fault_tests[] = {
	{ "fault-privileged", privileged, 0 },
	{ "fault-int-vectors", int_vectors, 0 },
	{ "fault-bad-selectors", bad_selectors, 0 },
	{ "fault-far-transfers", far_transfers, 0 },
	{ "fault-far-allowed", far_allowed, 0 },
	{ "fault-null-selector-use", null_use, 0 },
	{ "fault-selector-queries", selector_queries, 0 },
	{ "fault-system-reads", system_reads, 0 },
	{ "fault-divide", divide, 0 },
	{ "fault-illegal", illegal, 0 },
	{ "fault-too-long", too_long, 0 },
	{ "fault-breakpoint", breakpoint, 0 },
	{ "fault-icebp", icebp, 0 },
	{ "fault-overflow", overflow, 0 },
	{ "fault-bound", bound, 0 },
	{ "fault-alignment", alignment, 0 },
	{ "fault-x87", x87, 0 },
	{ "fault-sse", sse, 0 },
	{ "fault-frame-registers", frame_registers, 0 },
	{ "fault-unhandled", unhandled, 0 },
	{ "fault-concurrent", concurrent, 0 },
	{ NULL, NULL, 0 },
};
