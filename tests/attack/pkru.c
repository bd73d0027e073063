// SPDX-License-Identifier: GPL-2.0
/*
 * WRPKRU and XRSTOR of a program's own making, by every way in which bytes become code. A guest has
 * no protection keys, so WRPKRU is an invalid opcode; XRSTOR it has, and it loads no rights.
 */
#include "attack.h"

#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <sys/ptrace.h>
#include <sys/uio.h>

#define RWX (PROT_READ | PROT_WRITE | PROT_EXEC)

static const struct insn { const char *name; unsigned char len, bytes[8]; } insns[] = {
	{ "WRPKRU", 3, { 0x0f, 0x01, 0xef } },
	{ "XRSTOR", 3, { 0x0f, 0xae, 0x2f } },			/* (%edi) */
	{ "XRSTOR disp", 4, { 0x0f, 0xae, 0x6f, 0x00 } },	/* 0(%edi) */
	{ "XRSTOR sib", 4, { 0x0f, 0xae, 0x2c, 0x27 } },	/* (%edi) */
	{ "XRSTORS", 3, { 0x0f, 0xc7, 0x1f } },
	{ "WRPKRU prefixed", 4, { 0x3e, 0x0f, 0x01, 0xef } },
	{ "XRSTOR64", 4, { 0x48, 0x0f, 0xae, 0x2f } },		/* dec %eax; xrstor in 32 bits */
};

static unsigned char image[PAGE] __attribute__((aligned(64)));

/* Runs what is at @at, an insn and a RET, with registers that load all rights. */
static void execute(const struct insn *insn, const void *at, const char *how, bool wide)
{
	struct registers in;
	struct outcome o;

	for (int kind = 0; kind < 3; kind++) {
		registers_init(&in, wide);
		in.ip = (uintptr_t)at;
		in.r[DI] = (uintptr_t)image;
		/* As standard image, compacted, and with PKRU in its initial state. */
		memset(image, 0, sizeof(image));
		if (insn->bytes[insn->bytes[0] == 0x48 || insn->bytes[0] == 0x3e ? 2 : 1] != 0x01) {
			in.r[AX] = 0x200 + (insn->bytes[0] == 0x48);
			image[512 + 1] = kind == 2 ? 0 : 2;
			if (kind == 1)
				memcpy(image + 512 + 8, &(uint64_t){ 1ull << 63 | 0x200 }, 8);
		} else {
			in.r[AX] = kind == 0 ? 0 : kind == 1 ? PKRU_KERNEL : 0x55555550;
		}
		try_note("%s %s, %d bits", insn->name, how, wide ? 64 : 32);
		try_it(&o, &in);
		if (insn->bytes[1] == 0x01 && !wide && !caught(&o, SIGILL, ILL_ILLOPN))
			FAIL("%s %s: signal %d code %d, want SIGILL", insn->name, how, o.sig, o.code);
		if (o.sig == SIGALRM)
			FAIL("%s %s: no end", insn->name, how);
	}
}

static void put_insn(unsigned char *at, const struct insn *insn)
{
	memcpy(at, insn->bytes, insn->len);
	at[insn->len] = 0xc3;
}

#define EACH(insn) (const struct insn *insn = insns; insn < insns + ARRAY_SIZE(insns); insn++)

/* The page runs once as 32-bit code, so that the 64-bit try does not fault on it. */
static void run_ret(unsigned char *p)
{
	((void (*)(void))(uintptr_t)p)();
}

static void written(void)
{
	need_keys();
	for EACH(insn) {
		unsigned char *p = xmmap(PAGE, RWX);

		p[0] = 0xc3;
		put_insn(p + 64, insn);
		execute(insn, p + 64, "written and run", false);
		run_ret(p);
		put_insn(p + 128, insn);
		execute(insn, p + 128, "written into a page that ran", false);
		execute(insn, p + 64, "run again", true);
		CHECK_SYS(mprotect(p, PAGE, PROT_READ | PROT_EXEC));
		execute(insn, p + 64, "under another protection", false);
		CHECK_SYS(mprotect(p, PAGE, PROT_READ));
		execute(insn, p + 64, "in a page that is not executable", false);
		execute(insn, p + 64, "in a page that is not executable", true);
		CHECK_SYS(munmap(p, PAGE));
	}
}

static void two_mappings(void)
{
	need_keys();
	for EACH(insn) {
		int fd = CHECK_SYS(memfd_create("pkru", 0));
		unsigned char *w, *x;

		CHECK_SYS(ftruncate(fd, PAGE));
		w = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
		x = mmap(NULL, PAGE, PROT_READ | PROT_EXEC, MAP_SHARED, fd, 0);
		CHECK(w != MAP_FAILED && x != MAP_FAILED);
		w[0] = 0xc3;
		w[64] = 0xc3;
		run_ret(x);
		run_ret(x + 64);
		put_insn(w + 64, insn);
		execute(insn, x + 64, "by another mapping", false);
		run_ret(x);
		w[64] = 0xc3;
		run_ret(x);
		put_insn(w + 64, insn);
		execute(insn, x + 64, "by another mapping", true);
		CHECK_SYS(munmap(w, PAGE));
		CHECK_SYS(munmap(x, PAGE));
		close(fd);
	}
}

/* By the kernel: write(2), read(2) into the page, process_vm_writev, and by another process. */
static void by_kernel(void)
{
	need_keys();
	for EACH(insn) {
		int fd = CHECK_SYS(memfd_create("pkru", 0)), data = CHECK_SYS(memfd_create("data", 0));
		unsigned char *x, *p = xmmap(PAGE, RWX), bytes[16] = { 0 };
		struct iovec from = { bytes, sizeof(bytes) }, to = { p + 256, sizeof(bytes) };
		pid_t pid;

		put_insn(bytes, insn);
		CHECK_SYS(ftruncate(fd, PAGE));
		x = mmap(NULL, PAGE, PROT_READ | PROT_EXEC, MAP_SHARED, fd, 0);
		CHECK(x != MAP_FAILED);
		CHECK_EQ(pwrite(fd, "\xc3", 1, 0), 1);
		run_ret(x);
		CHECK_EQ(pwrite(fd, bytes, sizeof(bytes), 64), (long)sizeof(bytes));
		execute(insn, x + 64, "by write(2) into a mapping that ran", false);
		run_ret(x);
		execute(insn, x + 64, "by write(2) into a mapping that ran", true);

		p[0] = 0xc3;
		run_ret(p);
		CHECK_EQ(pwrite(data, bytes, sizeof(bytes), 0), (long)sizeof(bytes));
		CHECK_EQ(pread(data, p + 64, sizeof(bytes), 0), (long)sizeof(bytes));
		execute(insn, p + 64, "by read(2) into a page that ran", false);
		run_ret(p);
		if (process_vm_writev(getpid(), &from, 1, &to, 1, 0) == (long)sizeof(bytes))
			execute(insn, p + 256, "by process_vm_writev", false);

		/* Another process changes the file while this one has run it. */
		CHECK_EQ(pwrite(fd, "\xc3", 1, 512), 1);
		run_ret(x + 512);
		pid = xfork();
		if (!pid)
			_exit(pwrite(fd, bytes, sizeof(bytes), 512) != sizeof(bytes));
		expect_exit(pid, 0);
		execute(insn, x + 512, "by another process", false);
		CHECK_SYS(munmap(x, PAGE));
		CHECK_SYS(munmap(p, PAGE));
		close(fd);
		close(data);
	}
}

/* The second page comes later, by a store, a move, a mapping, and a file. */
static void over_border(void)
{
	need_keys();
	for EACH(insn)
		for (unsigned int cut = 1; cut < insn->len; cut++) {
			unsigned char *p = xmmap(2 * PAGE, RWX), *q, bytes[16] = { 0 };
			unsigned char *at = p + PAGE - cut;
			int fd = CHECK_SYS(memfd_create("pkru", 0));

			put_insn(bytes, insn);
			memset(p, 0xc3, 2 * PAGE);
			memcpy(at, bytes, cut);
			run_ret(p);
			run_ret(p + PAGE);
			memcpy(p + PAGE, bytes + cut, sizeof(bytes) - cut);
			execute(insn, at, "over two pages", false);
			execute(insn, at, "over two pages", true);
			/* The half that was scanned first goes elsewhere, and another comes. */
			q = xmmap(PAGE, RWX);
			memset(q, 0xc3, PAGE);
			memcpy(q, bytes + cut, sizeof(bytes) - cut);
			memset(p + PAGE, 0xc3, PAGE);
			run_ret(p);
			run_ret(p + PAGE);
			run_ret(q + 64);
			CHECK(mremap(q, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, p + PAGE) ==
			      (void *)(p + PAGE));
			execute(insn, at, "over two pages, the second moved there", false);
			run_ret(p);
			execute(insn, at, "over two pages, the second moved there", true);
			CHECK_EQ(pwrite(fd, bytes + cut, sizeof(bytes) - cut, 0),
				 (long)(sizeof(bytes) - cut));
			CHECK_SYS(ftruncate(fd, PAGE));
			CHECK(mmap(p + PAGE, PAGE, RWX, MAP_PRIVATE | MAP_FIXED, fd, 0) !=
			      MAP_FAILED);
			execute(insn, at, "over two pages, the second a file's", false);
			/* The first is changed while the second stays. */
			CHECK_SYS(madvise(p, PAGE, MADV_DONTNEED));
			memset(p, 0xc3, PAGE);
			run_ret(p);
			memcpy(at, bytes, cut);
			execute(insn, at, "over two pages, the first later", false);
			execute(insn, at, "over two pages, the first later", true);
			close(fd);
			CHECK_SYS(munmap(p, 2 * PAGE));
		}
}

static void by_ptrace(void)
{
	need_keys();
	for EACH(insn) {
		unsigned char *p = xmmap(PAGE, RWX), bytes[8] = { 0 };
		int status;
		pid_t pid;

		memset(p, 0xc3, PAGE);
		run_ret(p + 64);
		CHECK_SYS(mprotect(p, PAGE, PROT_READ | PROT_EXEC));
		pid = xfork();
		if (!pid) {
			CHECK_SYS(ptrace(PTRACE_TRACEME, 0, 0, 0));
			run_ret(p + 64);
			raise(SIGSTOP);
			execute(insn, p + 64, "by ptrace", false);
			run_ret(p);
			execute(insn, p + 64, "by ptrace", true);
			_exit(0);
		}
		CHECK(waitpid(pid, &status, 0) == pid && WIFSTOPPED(status));
		put_insn(bytes, insn);
		for (unsigned int i = 0; i < sizeof(bytes); i += 4) {
			long word;

			memcpy(&word, bytes + i, 4);
			CHECK_SYS(ptrace(PTRACE_POKETEXT, pid, p + 64 + i, word));
		}
		CHECK_SYS(ptrace(PTRACE_DETACH, pid, 0, 0));
		expect_exit(pid, 0);
		CHECK_SYS(munmap(p, PAGE));
	}
}

/* A page in common with a child: who writes gets a copy, and who runs must see whose it is. */
static void over_fork(void)
{
	need_keys();
	for EACH(insn) {
		unsigned char *p = xmmap(PAGE, RWX);
		pid_t pid;

		memset(p, 0xc3, PAGE);
		run_ret(p + 64);
		pid = xfork();
		if (!pid) {
			run_ret(p + 64);
			put_insn(p + 64, insn);
			execute(insn, p + 64, "after fork", false);
			_exit(0);
		}
		put_insn(p + 64, insn);
		execute(insn, p + 64, "after fork", false);
		expect_exit(pid, 0);
		execute(insn, p + 64, "after fork", true);
		CHECK_SYS(munmap(p, PAGE));
	}
}

/* What the file has comes back when the private copy is thrown away. */
static void thrown_away(void)
{
	need_keys();
	for EACH(insn) {
		int fd = CHECK_SYS(memfd_create("pkru", 0));
		unsigned char *p, bytes[16] = { 0 };

		put_insn(bytes, insn);
		CHECK_SYS(ftruncate(fd, PAGE));
		CHECK_EQ(pwrite(fd, bytes, sizeof(bytes), 64), (long)sizeof(bytes));
		p = mmap(NULL, PAGE, RWX, MAP_PRIVATE, fd, 0);
		CHECK(p != MAP_FAILED);
		memset(p, 0xc3, PAGE);
		run_ret(p + 64);
		CHECK_SYS(madvise(p, PAGE, MADV_DONTNEED));
		execute(insn, p + 64, "in the file below a private page", false);
		execute(insn, p + 64, "in the file below a private page", true);
		CHECK_SYS(munmap(p, PAGE));
		close(fd);
	}
}

/* On a stack that is executed, by PUSH. */
static void pushed(void)
{
	unsigned char *p;

	need_keys();
	p = xmmap(16 * PAGE, RWX);
	for (int i = 0; i < rounds(20); i++) {
		struct registers in;
		struct outcome o;

		memset(p, 0xc3, 16 * PAGE);
		run_ret(p + 15 * PAGE);
		registers_init(&in, false);
		in.r[SP] = (uintptr_t)p + 15 * PAGE + 512;
		in.r[DX] = in.r[CX] = 0;
		in.ip = (uintptr_t)p;
		unsigned char *at = p;

		/* push the two; push $landing; and jump to them. */
		PUT(&at, 0x68);
		put_insn(at, &insns[0]);
		at += 4;
		PUT(&at, 0x31, 0xc0, 0x68);
		put(&at, &landing, 4);
		PUT(&at, 0x8d, 0x44, 0x24, 0x04, 0x89, 0xc3, 0x31, 0xc0, 0xff, 0xe3);
		try_note("WRPKRU pushed on a stack that runs");
		try_it(&o, &in);
		if (!caught(&o, SIGILL, ILL_ILLOPN))
			FAIL("WRPKRU on the stack: signal %d code %d at 0x%x", o.sig, o.code, o.eip);
	}
}

static struct {
	unsigned char *w;
	volatile int stop;
} race;

static void *racer(void *arg)
{
	while (!race.stop) {
		memcpy(race.w + 64, "\xc3\xc3\xc3\xc3", 4);
		for (int i = 0; i < 50; i++)
			__asm__ volatile("pause");
		put_insn(race.w + 64, &insns[0]);
		sched_yield();
	}
	return arg;
}

/* One thread writes by one mapping, the other runs the other; a timer lets them change anywhere. */
static void raced(void)
{
	int fd;
	unsigned char *x;
	pthread_t t;

	need_keys();
	fd = CHECK_SYS(memfd_create("pkru", 0));
	CHECK_SYS(ftruncate(fd, PAGE));
	race.w = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	x = mmap(NULL, PAGE, PROT_READ | PROT_EXEC, MAP_SHARED, fd, 0);
	CHECK(race.w != MAP_FAILED && x != MAP_FAILED);
	memset(race.w, 0xc3, PAGE);
	CHECK_0(pthread_create(&t, NULL, racer, NULL));
	for (int i = 0; i < rounds(2000); i++) {
		struct registers in;
		struct outcome o;

		registers_init(&in, false);
		in.ip = (uintptr_t)x + 64;
		try_note("WRPKRU that a thread writes");
		try_it(&o, &in);
		if (i % 16 == 0)
			sched_yield();
	}
	race.stop = 1;
	CHECK_0(pthread_join(t, NULL));
	still_kept_out();
}

/* In the program's own file, in a page of their own: what is there is stepped. */
__asm__(".section .text.loaders, \"ax\"\n"
	".balign 4096\n"
	"file_wrpkru: .byte 0x0f, 0x01, 0xef, 0xc3\n"
	"file_xrstor: .byte 0x0f, 0xae, 0x2f, 0xc3\n"
	".balign 4096\n"
	".previous\n");
extern const unsigned char file_wrpkru[], file_xrstor[];

static void in_file(void)
{
	need_keys();
	for (int wide = 0; wide < 2; wide++) {
		execute(&insns[0], file_wrpkru, "of the program's file", wide);
		execute(&insns[1], file_xrstor, "of the program's file", wide);
	}
}

const struct test pkru_tests[] = {
	{ "pkru-in-file", in_file, 0 },
	{ "pkru-written", written, 0 },
	{ "pkru-two-mappings", two_mappings, 0 },
	{ "pkru-by-kernel", by_kernel, 0 },
	{ "pkru-over-border", over_border, 0 },
	{ "pkru-by-ptrace", by_ptrace, 0 },
	{ "pkru-over-fork", over_fork, 0 },
	{ "pkru-thrown-away", thrown_away, 0 },
	{ "pkru-pushed", pushed, 0 },
	{ "pkru-raced", raced, 0 },
	{ NULL, NULL, 0 },
};
