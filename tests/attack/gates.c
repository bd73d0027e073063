// SPDX-License-Identifier: GPL-2.0
/*
 * A jump to every byte of the gates and of the monitor, in both modes, with registers, segments,
 * stacks and flags that a gate might trust.
 */
#include "attack.h"

#define GATES_BYTES	0x480u		/* as far as there is code, and what lies behind it */
#define ENTRANCES_BYTES	0x300u		/* entry.S is the start of the monitor's text */
#define MONITOR_BYTES	0xb000u
#define FL_CLEAN	FL_BASE

/* The registers of a gate: what it loads, leaves, and returns. The last denies key 0. */
static const uint32_t all_rights[] = {
	0, PKRU_USER, PKRU_KERNEL, 0x55555554, 0x55555550, 0x200, 0xffffffff,
};

static uint32_t some_rights(struct dice *d)
{
	return all_rights[roll(d) % (ARRAY_SIZE(all_rights) - (old_host ? 1 : 0))];
}

static const uint32_t some_flags[] = {
	FL_CLEAN, FL_CLEAN, FL_CLEAN, FL_CLEAN | FL_AC, FL_CLEAN | FL_NT, FL_CLEAN | FL_DF,
	FL_CLEAN | FL_ID, FL_CLEAN | FL_ZF | FL_CF | FL_SF, FL_CLEAN | FL_ZF,
	FL_CLEAN | FL_AC | FL_NT | FL_DF | FL_ID | FL_CF,
};

static const uint32_t selectors[] = { HOST_DS, HOST_DS, HOST_DS, SEL_HOSTILE, 0, HOST_CS32 };
static const uint64_t places[] = {
	GATE_USER, GATE_USER + GATE_FRAME, GATE_USER + GU_EFLAGS, GATE_KERNEL,
	GATE_KERNEL + GATE_FRAME, GATE_KERNEL + GATE_JUMP, PLEX86_INFO, LOW_PAGE,
	LANDING_STACK + LANDING_STACK_BYTES - 16, 0, 4, 0xfffffffc, 0xc1000000,
};

static const uint64_t high_places[] = {
	MONITOR_BASE, STATE_BASE, SPACE_BASE, SPACE_STACK_TOP, SPACE_STACK_TOP + 0x8000,
	SPACE_STACK_TOP - 64, RAM_BASE, 0xffffffffff600000ull, 0x8000000000000000ull,
};

/* Memory that may pass for a space, the state, or a signal frame. */
static uint64_t fake[1024] __attribute__((aligned(4096)));

/* What the monitor's exit and the gates take out of GATE_USER, set to land. */
static void arm_gate_user(struct dice *d)
{
	uint32_t from = GATE_USER + GATE_FRAME, words[16];
	struct outcome o;

	if (!probe(GATE_USER, WRITE, false, &o, NULL))
		return;
	memset(words, 0, sizeof(words));
	words[0] = some_rights(d);
	words[6] = landing;
	words[8] = roll(d) & 1 ? HOST_CS32 : HOST_CS64;
	words[10] = FL_BASE;
	words[12] = roll(d) & 3 ? (uint32_t)(uintptr_t)try_stack_top : (uint32_t)ONE_OF(d, places);
	words[14] = HOST_DS;
	memcpy((void *)(uintptr_t)from, words, sizeof(words));
	for (uint32_t at = GATE_USER; at < GATE_USER + 24; at += 4)
		*(volatile uint32_t *)(uintptr_t)at = 0;
	*(volatile uint32_t *)(uintptr_t)(GATE_USER + GU_EAX) = some_rights(d);
	*(volatile uint32_t *)(uintptr_t)(GATE_USER + GU_EFLAGS) = ONE_OF(d, some_flags);
	*(volatile uint32_t *)(uintptr_t)(GATE_USER + GU_EIP) = landing;
	*(volatile uint32_t *)(uintptr_t)(GATE_USER + GU_ESP) =
		roll(d) & 3 ? (uint32_t)(uintptr_t)try_stack_top : (uint32_t)ONE_OF(d, places);
}

static uint64_t any_register(struct dice *d, bool wide)
{
	switch (roll(d) % (wide ? 6 : 4)) {
	case 0:
		return some_rights(d);
	case 1:
		return landing;
	case 2:
		return ONE_OF(d, places);
	case 3:
		return (uintptr_t)fake + roll(d) % 2 * 2048;
	case 4:
		return ONE_OF(d, high_places);
	default:
		return (uint64_t)roll(d) << 32 | roll(d);
	}
}

static void attempt(uint64_t ip, bool wide, uint32_t stream, uint32_t more_flags)
{
	struct registers in;
	struct outcome o;
	struct dice d;

	dice_init(&d, stream);
	registers_init(&in, wide);
	for (int r = 0; r < (wide ? 16 : 8); r++)
		if (r != SP)
			in.r[r] = any_register(&d, wide);
	/* Mostly those with which a gate would load PKRU. */
	if (roll(&d) % 4) {
		in.r[AX] = some_rights(&d);
		in.r[CX] = in.r[DX] = 0;
	}
	if (old_host)
		in.r[AX] &= ~3ull;
	if (roll(&d) % 3 == 0)
		in.r[SP] = wide && roll(&d) & 1 ? ONE_OF(&d, high_places) : ONE_OF(&d, places);
	/* QEMU pops a far return with the rights of a kernel: there are such bytes by accident. */
	if (emulated && ip >= MONITOR_BASE)
		in.r[SP] = (uintptr_t)try_stack_top;
	in.flags = ONE_OF(&d, some_flags) | more_flags;
	in.ds = ONE_OF(&d, selectors);
	in.es = ONE_OF(&d, selectors);
	in.fs = ONE_OF(&d, selectors);
	in.gs = ONE_OF(&d, selectors);
	in.ss = roll(&d) % 8 ? HOST_DS : SEL_HOSTILE;
	in.ip = ip;
	for (size_t i = 0; i < ARRAY_SIZE(fake); i++)
		fake[i] = any_register(&d, true);
	if (stream % 4 == 0)
		set_segment(13, roll(&d) & 1 ? roll(&d) : 0u - (uint32_t)GATE_KERNEL +
			    (uint32_t)(uintptr_t)fake, true);
	arm_gate_user(&d);
	try_note("jump to 0x%llx, %d bits, seed %llu, number %u", (unsigned long long)ip,
		 wide ? 64 : 32, (unsigned long long)seed, stream);
	try_it(&o, &in);
}

static bool sweep_wide;
static uint32_t sweep_flags, sweep_bytes;
static uint64_t sweep_base;

/* Every byte before one comes again, and few tries are spread over all. */
static void one(uint32_t i)
{
	const uint64_t stride = 1009;		/* a prime that no length is a multiple of */

	attempt(sweep_base + (i + seed) * stride % sweep_bytes, sweep_wide, i, sweep_flags);
}

static void gates(uint64_t base, uint32_t bytes, bool wide, uint32_t flags, int percent)
{
	need_keys();
	sweep_base = base;
	sweep_bytes = bytes;
	sweep_wide = wide;
	sweep_flags = flags;
	sweep(one, (uint32_t)(bytes * (uint64_t)rounds(percent) / 100));
	still_kept_out();
}

static void gates_32(void)	{ gates(PLEX86_GATES, GATES_BYTES, false, 0, 1200); }
static void gates_64(void)	{ gates(PLEX86_GATES, GATES_BYTES, true, 0, 1200); }
static void gates_step(void)	{ gates(PLEX86_GATES, GATES_BYTES, false, FL_TF, 100); }
static void gates_step_64(void)	{ gates(PLEX86_GATES, GATES_BYTES, true, FL_TF, 100); }
static void gates_rest(void)	{ gates(PLEX86_GATES + GATES_BYTES, PAGE - GATES_BYTES, false, 0, 100); }
static void monitor_in(void)	{ gates(MONITOR_BASE, ENTRANCES_BYTES, true, 0, 2400); }
static void monitor_step(void)	{ gates(MONITOR_BASE, ENTRANCES_BYTES, true, FL_TF, 200); }
static void monitor_text(void)	{ gates(MONITOR_BASE, MONITOR_BYTES, true, 0, 100); }

/* The entrance itself, as the vDSO uses it, with everything that may be odd about it. */
static unsigned char *legit_code;

static void legit(uint32_t i)
{
	struct registers in;
	struct outcome o;
	struct dice d;

	dice_init(&d, 0x5000000 + i);
	registers_init(&in, false);
	for (int r = 0; r < 8; r++)
		if (r != SP)
			in.r[r] = any_register(&d, false);
	in.r[AX] = i & 1 ? PKRU_KERNEL : SYS_getppid;
	in.flags = ONE_OF(&d, some_flags) & ~FL_AC;
	in.ds = ONE_OF(&d, selectors);
	in.es = ONE_OF(&d, selectors);
	in.fs = ONE_OF(&d, selectors);
	in.gs = ONE_OF(&d, selectors);
	in.ip = (uintptr_t)legit_code;
	set_segment(13, roll(&d), true);
	arm_gate_user(&d);
	try_note("a system call by the gate, flags 0x%llx ds 0x%x es 0x%x fs 0x%x gs 0x%x, number %u",
		 (unsigned long long)in.flags, in.ds, in.es, in.fs, in.gs, i);
	try_it(&o, &in);
	if (!o.landed)
		FAIL("number %u: signal %d at 0x%x, ds 0x%x es 0x%x flags 0x%llx", i, o.sig, o.eip,
		     in.ds, in.es, (unsigned long long)in.flags);
}

static void gates_legit(void)
{
	unsigned char *at = legit_code = xmmap(PAGE, PROT_READ | PROT_WRITE);
	struct registers in;
	uint32_t back;

	registers_init(&in, false);
	back = landing;
	/* call *%cs:PLEX86_GATES; int $0x80; push $landing; ret */
	PUT(&at, 0x2e, 0xff, 0x15);
	put(&at, &(uint32_t){ PLEX86_GATES }, 4);
	PUT(&at, 0xcd, 0x80, 0x68);
	put(&at, &back, 4);
	PUT(&at, 0xc3);
	CHECK_SYS(mprotect(legit_code, PAGE, PROT_READ | PROT_EXEC));
	sweep(legit, (uint32_t)rounds(1000));
}

/* A register keeps no segment that was emptied: the kernel's way out loads it again. */
static void gates_emptied(void)
{
	struct registers in;
	struct outcome o;

	set_segment(14, 0x1000, true);
	__asm__ volatile("movw %w0, %%fs" : : "r"(SEL_EMPTY));
	set_segment(14, 0, false);
	for (uint32_t i = 0; i < PAGE; i += 7) {
		unsigned int fs;

		__asm__ volatile("movl %%fs, %0" : "=r"(fs));
		if (fs == SEL_EMPTY && i == 0) {
			/* Allowed if it faults. */
			registers_init(&in, false);
			in.fs = SEL_EMPTY;
			in.ip = landing;
			try_it(&o, &in);
			if (o.landed)
				FAIL("an emptied segment can be loaded");
		}
		registers_init(&in, false);
		in.ip = PLEX86_GATES + i % GATES_BYTES;
		in.ds = in.es = i & 1 ? SEL_EMPTY : 0;
		in.gs = SEL_EMPTY;
		try_note("emptied segments, gates + 0x%x", i % GATES_BYTES);
		try_it(&o, &in);
		if (!o.refused)
			FAIL("an emptied segment can be loaded");
		in.gs = 0;
		in.ds = in.es = 0;
		if (keys)
			try_it(&o, &in);
	}
}

/* PKRU loaded with each of the values that a gate knows, by the gates' own instructions. */
static void gates_pkru(void)
{
	struct registers in;
	struct outcome o;

	need_keys();
	for (int wide = 0; wide < 2; wide++) {
		uint64_t base = wide ? MONITOR_BASE : PLEX86_GATES;

		for (uint32_t at = 0; at < (wide ? ENTRANCES_BYTES : GATES_BYTES); at++)
			for (size_t v = 0; v < ARRAY_SIZE(all_rights) - (old_host ? 1 : 0); v++) {
				registers_init(&in, wide);
				in.r[AX] = all_rights[v];
				in.ip = base + at;
				try_note("jump to 0x%llx with eax 0x%x", (unsigned long long)in.ip,
					 all_rights[v]);
				try_it(&o, &in);
			}
	}
	still_kept_out();
}

const struct test gates_tests[] = {
	{ "gates-legit", gates_legit, 0 },
	{ "gates-emptied", gates_emptied, 0 },
	{ "gates-pkru", gates_pkru, 0 },
	{ "gates-32", gates_32, 0 },
	{ "gates-64", gates_64, 0 },
	{ "gates-step", gates_step, 0 },
	{ "gates-step-64", gates_step_64, 0 },
	{ "gates-rest", gates_rest, 0 },
	{ "gates-monitor", monitor_in, 0 },
	{ "gates-monitor-step", monitor_step, 0 },
	{ "gates-monitor-text", monitor_text, 0 },
	{ NULL, NULL, 0 },
};
