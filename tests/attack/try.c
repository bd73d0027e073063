// SPDX-License-Identifier: GPL-2.0
/*
 * Tries: sets registers, jumps, and takes the signal that ends it.
 */
#include "attack.h"

#include <asm/ldt.h>
#include <poll.h>
#include <stdarg.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/time.h>

#define STEPS_MAX	400u	/* single steps of a try */
#define STACK_BYTES	16384u
#define STACK_USED	512u	/* what is made good for the next try */
#define NOBODY		65534

void try_handler(int sig, siginfo_t *si, void *context);

uint32_t landing;
bool keys, keys_wanted, trace, emulated, old_host;
uint64_t seed = 1;

static unsigned char stack[2 * STACK_BYTES] __attribute__((aligned(4096)));
unsigned char *const try_stack_top = stack + STACK_BYTES;
static char handler_stack[64 * 1024] __attribute__((aligned(4096)));
static char where[160];

static struct outcome *result;
static unsigned int tries, try_at_tick;

static const int signals[] = { SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP, SIGSYS, SIGALRM };

void try_note(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(where, sizeof(where), fmt, ap);
	va_end(ap);
}

static uint32_t rdpkru(void)
{
	uint32_t pkru, edx;

	__asm__ volatile(".byte 0x0f, 0x01, 0xee" : "=a"(pkru), "=d"(edx) : "c"(0));
	return pkru;
}

uint32_t read_pkru(void)
{
	struct fault f;
	struct regs r = { .eflags = FL_BASE };
	static const unsigned char code[] __attribute__((section(".text.rdpkru"))) = {
		0x0f, 0x01, 0xee, 0xc3
	};

	return fault_call(&f, &r, code) ? 0 : r.eax;
}

void need_keys(void)
{
	if (!keys && !keys_wanted)
		SKIP("without protection keys");
}

__attribute__((used))
void try_handler(int sig, siginfo_t *si, void *context)
{
	const ucontext_t *uc = context;
	const greg_t *g = uc->uc_mcontext.gregs;
	struct outcome *o = result;
	static const int numbers[] = {
		REG_EAX, REG_ECX, REG_EDX, REG_EBX, REG_ESP, REG_EBP, REG_ESI, REG_EDI,
	};
	uint32_t eip = (uint32_t)g[REG_EIP];

	if (keys && rdpkru() != PKRU_USER)
		FAIL("a signal handler has PKRU 0x%x (%s)", rdpkru(), where);
	if (sig == SIGALRM) {
		/* Twice in the same try is too long. */
		if (!o || try_at_tick != tries) {
			try_at_tick = tries;
			return;
		}
	}
	if (!o)
		FAIL("signal %d outside a try: eip 0x%x, address 0x%x, error 0x%x (%s)", sig, eip,
		     (uint32_t)(uintptr_t)si->si_addr, (uint32_t)g[REG_ERR], where);
	if (sig == SIGTRAP && si->si_code == TRAP_TRACE && ++o->steps < STEPS_MAX)
		return;
	o->sig = sig;
	o->code = si->si_code;
	o->trapno = g[REG_TRAPNO];
	o->err = (uint32_t)g[REG_ERR];
	o->eip = eip;
	o->addr = (uint32_t)(uintptr_t)si->si_addr;
	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++)
		o->r[i] = (uint32_t)g[numbers[i]];
	if (eip == (uintptr_t)try_breached)
		FAIL("PKRU is 0x%x (%s)", o->r[AX], where);
	o->landed = eip == (uintptr_t)try_landed_pku || eip == (uintptr_t)try_landed_plain;
	o->done = eip == (uintptr_t)try_read_done || eip == (uintptr_t)try_write_done;
	o->refused = eip >= (uintptr_t)try_start && eip < (uintptr_t)try_jump_end;
	result = NULL;
	try_back();
}

static void fill_stack(bool wide, unsigned int from, unsigned int to)
{
	uint32_t *p = (uint32_t *)(void *)(stack + from), *end = (uint32_t *)(void *)(stack + to);

	while (p < end) {
		*p++ = landing;
		*p++ = wide ? 0 : landing;
	}
}

static void prepare(void)
{
	stack_t ss = { .ss_sp = handler_stack, .ss_size = sizeof(handler_stack) };
	struct sigaction sa = {
		.sa_sigaction = try_entry, .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER,
	};
	struct itimerval tick = { { 0, 400000 }, { 0, 400000 } };
	static pid_t prepared;

	if (prepared == getpid())
		return;
	prepared = getpid();
	landing = (uint32_t)(uintptr_t)(keys ? try_land_pku : try_land_plain);
	__asm__ volatile("movl %%gs, %0" : "=r"(try_gs));
	CHECK_SYS(sigaltstack(&ss, NULL));
	for (size_t i = 0; i < ARRAY_SIZE(signals); i++)
		CHECK_SYS(sigaction(signals[i], &sa, NULL));
	CHECK_SYS(setitimer(ITIMER_REAL, &tick, NULL));
	fill_stack(false, 0, sizeof(stack));
}

void registers_init(struct registers *in, bool wide)
{
	prepare();
	memset(in, 0, sizeof(*in));
	in->wide = wide;
	in->r[SP] = (uintptr_t)try_stack_top;
	in->flags = FL_BASE;
	in->ds = in->es = in->ss = HOST_DS;
	in->fs = in->gs = 0;
}

void try_it(struct outcome *o, const struct registers *in)
{
	memset(o, 0, sizeof(*o));
	fill_stack(in->wide, STACK_BYTES - STACK_USED, STACK_BYTES + STACK_USED);
	if (trace)
		dprintf(2, "%s\n", where);
	try_in = *in;
	/* With a base under its data segments QEMU's machine stands still, now and then. */
	if (emulated) {
		try_in.ds = in->ds == SEL_HOSTILE ? 0 : in->ds;
		try_in.es = in->es == SEL_HOSTILE ? 0 : in->es;
		try_in.ss = in->ss == SEL_HOSTILE ? HOST_DS : in->ss;
	}
	__atomic_store_n(&tries, tries + 1, __ATOMIC_SEQ_CST);
	result = o;
	try_enter();
}

bool caught(const struct outcome *o, int sig, int code)
{
	return o->sig == sig && o->code == code;
}

/* Makes sure that the page is mapped for code: 64-bit code cannot fault it in. */
static void execute_first(const void *page)
{
	((void (*)(void))(uintptr_t)page)();
}

void try_code(struct outcome *o, const void *code, bool wide)
{
	struct registers in;

	registers_init(&in, wide);
	in.ip = (uintptr_t)code;
	if (wide)
		execute_first(try_ret);
	try_it(o, &in);
}

bool probe(uint64_t address, int what, bool wide, struct outcome *o, uint32_t *value)
{
	struct registers in;
	struct outcome own;

	o = o ? o : &own;
	registers_init(&in, wide);
	in.r[SI] = address;
	in.ip = (uintptr_t)(what == READ ? try_read : try_write);
	try_it(o, &in);
	if (value)
		*value = o->r[AX];
	return o->done;
}

bool copy_wide(uint64_t to, uint64_t from, uint32_t len_bytes)
{
	static unsigned char *code;
	struct registers in;
	struct outcome o;

	if (!code) {
		unsigned char *at = code = xmmap(PAGE, PROT_READ | PROT_WRITE);

		/* ret; rep movsb; ret */
		PUT(&at, 0xc3, 0xf3, 0xa4, 0xc3);
		CHECK_SYS(mprotect(code, PAGE, PROT_READ | PROT_EXEC));
	}
	execute_first(code);
	registers_init(&in, true);
	in.r[SI] = from;
	in.r[DI] = to;
	in.r[CX] = len_bytes;
	in.ip = (uintptr_t)code + 1;
	try_it(&o, &in);
	return o.landed;
}

void still_kept_out(void)
{
	static const uint64_t secret[] = {
		PLEX86_INFO, PLEX86_INFO_STI, GATE_KERNEL, LOW_PAGE, PLEX86_DEVICES, 0xc1000000,
		STATE_BASE, STATE_BASE + 0x1000, SPACE_BASE + 0x1000, SPACE_STACK_TOP - 0x1000, RAM_BASE,
	};

	if (!keys && !keys_wanted)
		return;
	for (size_t i = 0; i < ARRAY_SIZE(secret); i++)
		for (int what = READ; what <= WRITE; what++)
			if (probe(secret[i], what, secret[i] >> 32, NULL, NULL))
				FAIL("0x%llx can be %s (%s)", (unsigned long long)secret[i],
				     what == READ ? "read" : "written", where);
}

/* --- dice --------------------------------------------------------------------------------- */

void dice_init(struct dice *d, uint64_t stream)
{
	d->state = (seed * 0x9e3779b97f4a7c15ull) ^ (stream + 1) * 0xd1342543de82ef95ull;
	if (!d->state)
		d->state = 1;
	for (int i = 0; i < 4; i++)
		roll(d);
}

uint32_t roll(struct dice *d)
{
	uint64_t x = d->state;

	x ^= x >> 12;
	x ^= x << 25;
	x ^= x >> 27;
	d->state = x;
	return (uint32_t)((x * 0x2545f4914f6cdd1dull) >> 32);
}

/* --- sweeps ------------------------------------------------------------------------------- */

static void few_rights(void)
{
	CHECK_SYS(setpgid(0, 0));
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	setrlimit(RLIMIT_FSIZE, &(struct rlimit){ 0, 0 });
	setrlimit(RLIMIT_NPROC, &(struct rlimit){ 8, 8 });
	setrlimit(RLIMIT_AS, &(struct rlimit){ 64 << 20, 64 << 20 });
	setrlimit(RLIMIT_NOFILE, &(struct rlimit){ 16, 16 });
	if (!geteuid()) {
		CHECK_SYS(setresgid(NOBODY, NOBODY, NOBODY));
		CHECK_SYS(setresuid(NOBODY, NOBODY, NOBODY));
		prctl(PR_SET_PDEATHSIG, SIGKILL);
	}
}

void sweep(void (*one)(uint32_t i), uint32_t n)
{
	struct { volatile uint32_t next; } *s = shared_alloc(PAGE);
	struct timespec limit = { .tv_sec = 4 };
	sigset_t chld;

	sigemptyset(&chld);
	sigaddset(&chld, SIGCHLD);
	sigprocmask(SIG_BLOCK, &chld, NULL);
	s->next = sweep_from;
	while (s->next < n) {
		uint32_t at = s->next;
		pid_t pid = xfork();
		int status;

		if (!pid) {
			sigprocmask(SIG_UNBLOCK, &chld, NULL);
			few_rights();
			while (s->next < n)
				one(s->next++);
			_exit(0);
		}
		for (;;) {
			pid_t got = waitpid(pid, &status, WNOHANG | WUNTRACED);

			if (got == pid && !WIFSTOPPED(status))
				break;
			if (got == pid ||
			    (sigtimedwait(&chld, NULL, &limit) < 0 && errno == EAGAIN &&
			     at == s->next)) {
				/* Stopped itself, or waits for what never comes. */
				kill(-pid, SIGKILL);
				kill(pid, SIGKILL);
				waitpid(pid, &status, 0);
				break;
			}
			at = s->next;
		}
		kill(-pid, SIGKILL);
		if (WIFEXITED(status) && WEXITSTATUS(status) == 99)
			_exit(99);
		/* One that gets nowhere, because its first try ends it before the count. */
		if (s->next == at && !WIFEXITED(status))
			s->next++;
	}
	CHECK_SYS(munmap(s, PAGE));
}

/* --- segments and bytes ------------------------------------------------------------------- */

void set_segment(int entry, uint32_t base, bool present)
{
	struct user_desc d = {
		.entry_number = (unsigned int)entry, .base_addr = present ? base : 0,
		.limit = present ? 0xfffff : 0, .seg_32bit = present, .limit_in_pages = present,
		.read_exec_only = !present, .seg_not_present = !present, .useable = present,
	};

	CHECK_SYS(syscall(SYS_set_thread_area, &d));
}

void put(unsigned char **at, const void *bytes, size_t len_bytes)
{
	memcpy(*at, bytes, len_bytes);
	*at += len_bytes;
}
