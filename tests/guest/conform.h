/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the tests of the guest-conformance suite share, and those of tests/attack with them.
 *
 * A test is a void function that returns when all it asserts held. Anything it finds wrong goes
 * through FAIL() or one of the CHECK macros, from any process or thread of the test: the first
 * reason is kept in memory shared with the runner, and the process that found it exits.
 *
 * Never put a pid, an address or a time in a reason: the lines of two kernels are compared.
 */
#ifndef CONFORM_H
#define CONFORM_H

#define _GNU_SOURCE 1
#define _FILE_OFFSET_BITS 64

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))
#define PAGE		4096u
#define NSEC_PER_SEC	1000000000ll
#define NSEC_PER_MSEC	1000000ll

/* Run only when asked for by name. */
#define T_MANUAL	1u

struct test {
	const char *name;
	void (*run)(void);
	unsigned int flags;
};

/* Each area ends its table with an empty entry. */
extern const struct test proc_tests[], exec_tests[], thread_tests[], futex_tests[],
	tls_tests[], fault_tests[], pagefault_tests[], step_tests[], flags_tests[],
	sysabi_tests[], restart_tests[], signal_tests[], sigframe_tests[], mm_tests[],
	mmrand_tests[], jit_tests[], uaccess_tests[], fpu_tests[], clock_tests[],
	timer_tests[], ptrace_tests[], limit_tests[], io_tests[], fs_tests[], ipc_tests[],
	seccomp_tests[];

/*
 * An option that is not a test: it takes the rest of the line, and its value is the status. One
 * without a function is suite.option()'s, here for the help.
 */
struct mode {
	const char *name, *args, *help;
	int (*run)(int argc, char **argv);
};

/* What a program made of the runner consists of. */
struct suite {
	const char *name;
	const struct test *const *areas;	/* ends with NULL */
	const struct mode *modes;		/* ends with an empty entry */
	/* These may be NULL. Returns how many arguments it took, 0: none of its own. */
	int (*option)(int argc, char **argv);
	void (*before)(void);			/* the first test */
	/* Each test that has not failed; returns why it has all the same, or NULL. */
	const char *(*after)(void);
};

extern const struct suite suite;

/* Options of the run, set before the first test. */
extern unsigned int rounds_percent;
extern const char *self_path;

/* n scaled by --rounds, never below one. */
int rounds(int n);

__attribute__((noreturn, format(printf, 3, 4)))
void test_fail(const char *file, int line, const char *fmt, ...);
__attribute__((noreturn, format(printf, 1, 2)))
void test_skip(const char *fmt, ...);

#define FAIL(...)	test_fail(__FILE__, __LINE__, __VA_ARGS__)
#define SKIP(...)	test_skip(__VA_ARGS__)

#define CHECK(cond) do { if (!(cond)) FAIL("%s", #cond); } while (0)

#define CHECK_EQ(a, b) do { \
	long long a_ = (long long)(a), b_ = (long long)(b); \
	if (a_ != b_) \
		FAIL("%s is %lld (0x%llx), want %s %lld (0x%llx)", \
		     #a, a_, a_, #b, b_, b_); \
} while (0)

/* The value of a call that must not return -1. */
#define CHECK_SYS(call) ({ \
	__typeof__(call) r_ = (call); \
	if ((long)r_ == -1) \
		FAIL("%s: %s", #call, strerror(errno)); \
	r_; })

/* A call that must fail with one given errno. */
#define CHECK_ERR(call, err) do { \
	errno = 0; \
	long r_ = (long)(call); \
	if (r_ != -1 || errno != (err)) \
		FAIL("%s: returned %s, errno %s; want %s", #call, \
		     r_ == -1 ? "-1" : "no error", strerrorname_np(errno), #err); \
} while (0)

/* Calls that answer with an error number, as the pthread ones do. */
#define CHECK_0(call) do { \
	int r_ = (call); \
	if (r_) \
		FAIL("%s: %s", #call, strerror(r_)); \
} while (0)

/* --- processes ---------------------------------------------------------------------------- */

/* fork() that fails the test instead of returning -1. */
pid_t xfork(void);
/* Wait for @pid and return its raw status. Leaves if the child has already failed the test. */
int wait_status(pid_t pid);
void expect_exit(pid_t pid, int code);
void expect_signal(pid_t pid, int sig);

/* The state in a stat file of proc_pid_stat(5), such as 'S'; '\0' if the task is gone. */
char task_state(const char *path);

/* Memory shared with every child forked afterwards. */
void *shared_alloc(size_t len_bytes);
void *xmmap(size_t len_bytes, int prot);
/* An unlinked temporary file of the given length, on TMPDIR or /tmp. */
int temp_file(off_t len_bytes);
/* A directory for this test's files; remove with temp_dir_remove(). */
char *temp_dir(char *buf, size_t len_bytes);

/* Spin until *p is at least v, giving up the CPU each time round. */
void await_atleast(volatile int *p, int v);

int64_t now_ns(clockid_t clock);
void sleep_ms(int ms);

/* --- data --------------------------------------------------------------------------------- */

uint32_t crc32_add(uint32_t crc, const void *buf, size_t len_bytes);
/* xorshift32; never zero when seeded with non-zero. */
uint32_t prng(uint32_t *state);
/* Fill with the printable pattern that --source writes; *pos and *state carry over calls. */
void pattern_fill(void *buf, size_t len_bytes, uint64_t *pos, uint32_t *state);

/* --- signals ------------------------------------------------------------------------------ */

typedef void (*siginfo_fn)(int sig, siginfo_t *si, void *uc);
void catch_signal(int sig, siginfo_fn fn, int flags);
void default_signal(int sig);

/* --- machine level ------------------------------------------------------------------------ */

struct regs {
	uint32_t eax, ebx, ecx, edx, esi, edi, ebp, eflags;
};

#define FL_CF	0x1u
#define FL_1	0x2u
#define FL_PF	0x4u
#define FL_AF	0x10u
#define FL_ZF	0x40u
#define FL_SF	0x80u
#define FL_TF	0x100u
#define FL_IF	0x200u
#define FL_DF	0x400u
#define FL_OF	0x800u
#define FL_IOPL	0x3000u
#define FL_NT	0x4000u
#define FL_RF	0x10000u
#define FL_VM	0x20000u
#define FL_AC	0x40000u
#define FL_VIF	0x80000u
#define FL_VIP	0x100000u
#define FL_ID	0x200000u
#define FL_BASE	(FL_1 | FL_IF)

/*
 * Load every register but ESP from @r, EFLAGS last, call @code, and store them all back.
 * DS, ES and GS are put back and EFLAGS cleaned before C code goes on.
 */
void reg_call(struct regs *r, const void *code);

extern const unsigned char code_ret[], code_int80[];

/* Raw system call by INT 0x80: the kernel's own answer, -errno included. */
long int80(long nr, long a, long b, long c, long d, long e, long f);

struct fault {
	int sig, code, trapno;
	uint32_t err;
	uintptr_t addr, cr2, eip, esp;
	struct regs r;
};

/*
 * reg_call(@r, @code) with the five fault signals caught on an alternate stack: true and
 * *@f filled if one came, in which case @r is as it was before. One thread at a time.
 */
bool fault_call(struct fault *f, struct regs *r, const void *code);

/* A pad of executable code, 64 bytes a slot: written once, then only executed. */
#define PAD_SLOT 64u
struct pad {
	unsigned char *mem;
	unsigned int used, slots;
};

void pad_new(struct pad *p, unsigned int slots);
unsigned char *pad_add(struct pad *p, const void *bytes, size_t len_bytes);
void pad_seal(struct pad *p);
void pad_free(struct pad *p);

static inline void cpuid(uint32_t leaf, uint32_t sub, uint32_t out[4])
{
	__asm__ volatile("cpuid"
			 : "=a"(out[0]), "=b"(out[1]), "=c"(out[2]), "=d"(out[3])
			 : "0"(leaf), "2"(sub));
}

static inline uint64_t rdtsc(void)
{
	uint32_t lo, hi;

	__asm__ volatile("lfence; rdtsc" : "=a"(lo), "=d"(hi) : : "memory");
	return (uint64_t)hi << 32 | lo;
}

/* True when the CPU has AVX and the kernel switches its state. */
bool have_avx(void);

/* --- helper modes ------------------------------------------------------------------------- */

int mode_winsize(int argc, char **argv);
int mode_sink(int argc, char **argv);
int mode_source(int argc, char **argv);
/* What a test re-executes itself as. */
int mode_exec_helper(int argc, char **argv);

#endif
