// SPDX-License-Identifier: GPL-2.0
/*
 * The test table: every instruction in every state, against model.h; sequences
 * with an interrupt at every boundary; nesting; and the bare instructions in
 * the same states, which must fail.
 *
 * One group of combinations is one line of output.  This file is compiled with
 * macros.s in front, like the kernel, and knows no host (port.h does).
 */
#include "cases.h"
#include "model.h"
#include "port.h"

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))

/* What a check returns when something is wrong; NULL otherwise. */
#define WHY(...)	(format(reason, sizeof(reason), __VA_ARGS__), reason)

/* ---- groups: one line of output each ---- */

static struct {
	char name[64];
	uint32_t runs, wrong;
	char why[160];
} group;

static uint32_t passed, failed;
static char reason[160];

void group_begin(const char *name)
{
	format(group.name, sizeof(group.name), "%s", name);
	group.runs = 0;
	group.wrong = 0;
}

void group_run(const char *why)
{
	group.runs++;
	if (why && !group.wrong++)
		format(group.why, sizeof(group.why), "%s", why);
}

static void print(bool ok, const char *comment)
{
	char line[320];
	uint32_t n;

	n = format(line, sizeof(line), "%s %s%s%s\n", ok ? "ok" : "not ok",
		   group.name, ok ? " # " : ": ", comment);
	guest_write(line, n);
	if (ok)
		passed++;
	else
		failed++;
}

/* Without a single run: said, and counted as nothing. */
static void print_skip(void)
{
	char line[160];

	guest_write(line, format(line, sizeof(line),
				 "# skip %s: not possible on %s\n",
				 group.name, port_name));
}

void group_end(void)
{
	char comment[240];

	if (!group.runs) {
		print_skip();
		return;
	}
	if (!group.wrong)
		format(comment, sizeof(comment), "%u combinations", group.runs);
	else
		format(comment, sizeof(comment), "%u of %u wrong; first: %s",
		       group.wrong, group.runs, group.why);
	print(!group.wrong, comment);
}

/* The same for a group that must go wrong, and only in the way @how. */
static void group_end_bare(const char *how, uint32_t other)
{
	char comment[240];

	format(comment, sizeof(comment), "%s: %u of %u combinations wrong%s%s",
	       how, group.wrong, group.runs, other ? ", also: " : "",
	       other ? group.why : "");
	print(group.wrong && !other, comment);
}

/* ---- combinations ---- */

static const uint32_t free_flags[] = {
	FL_CF, FL_PF, FL_AF, FL_ZF, FL_SF, FL_DF, FL_OF, FL_NT, FL_AC, FL_ID,
};

_Static_assert(COMBINATIONS == 1u << ARRAY_SIZE(free_flags), "COMBINATIONS");

uint32_t flags_of(uint32_t n)
{
	uint32_t flags = FL_ONE;

	for (uint32_t i = 0; i < ARRAY_SIZE(free_flags); i++)
		if (n & (1u << i))
			flags |= free_flags[i];
	return flags;
}

/* A few that differ in much, for where all would take too long. */
static const uint32_t few_flags[] = {
	FL_ONE,
	FL_ONE | FL_CF | FL_AF | FL_SF | FL_AC,
	FL_ONE | FL_PF | FL_ZF | FL_OF | FL_DF | FL_ID,
	FL_ONE | (MODEL_LOADED & ~(FL_TF | FL_NT)),
};

/* ---- one run ---- */

#define STACK_WORDS	1024
#define STACK_ABOVE	16
#define CANARY		0xc0ffee00

static uint32_t stack[STACK_WORDS] __attribute__((aligned(16)));
static uint32_t user_stack[STACK_WORDS] __attribute__((aligned(16)));

extern const char user_end[], user_second[], user_cli[], user_sti[],
	user_hlt[], user_ud1_iret[], user_ud1_call[];
extern const char trap_exit[], trap_exit_end[];

static inline void sti(void)
{
	__asm__ volatile("sti" : : : "memory");
}

static inline void cli(void)
{
	__asm__ volatile("cli" : : : "memory");
}

static inline uint32_t save_flags(void)
{
	uint32_t flags;

	__asm__ volatile("pushf ; pop %0" : "=rm" (flags) : : "memory");
	return flags;
}

uint32_t *prepare(uint32_t flags, uint32_t words)
{
	uint32_t *top = stack + STACK_WORDS - STACK_ABOVE;

	for (uint32_t i = 0; i < STACK_ABOVE; i++)
		top[i] = CANARY + i;
	case_in.eax = 0xa0a1a2a3;
	case_in.ecx = 0xc0c1c2c3;
	case_in.edx = 0xd0d1d2d3;
	case_in.ebx = 0xb0b1b2b3;
	case_in.ebp = 0xe0e1e2e3;
	case_in.esi = 0x51525354;
	case_in.edi = 0xd1d2d3d4;
	case_in.esp = (uint32_t)(top - words);
	case_in.flags = flags;
	memset(&case_out, 0, sizeof(case_out));
	traps_reset();
	return top - words;
}

/* What must hold after every run, whatever ran. */
static const char *check_kept(uint32_t esp)
{
	const uint32_t *top = stack + STACK_WORDS - STACK_ABOVE;

	if (trap_fault)
		return trap_fault;
	if (case_out.eax != case_in.eax || case_out.ecx != case_in.ecx ||
	    case_out.edx != case_in.edx || case_out.ebx != case_in.ebx ||
	    case_out.ebp != case_in.ebp || case_out.esi != case_in.esi ||
	    case_out.edi != case_in.edi)
		return WHY("a register changed, flags %x", case_in.flags);
	if (case_out.esp != esp)
		return WHY("ESP is %x, not %x", case_out.esp, esp);
	for (uint32_t i = 0; i < STACK_ABOVE; i++)
		if (top[i] != CANARY + i)
			return WHY("stack changed above ESP, word %u", i);
	return NULL;
}

static const char *check_flags(uint32_t want)
{
	if ((case_out.flags ^ want) & MODEL_LOADED)
		return WHY("flags are %x, not %x, from %x",
			   case_out.flags, want, case_in.flags);
	return NULL;
}

/*
 * Let a pending interrupt in, with interrupts off again afterwards.  Then the
 * run must have seen exactly @want in all.
 */
const char *check_drained(uint32_t want)
{
	sti();
	__asm__ volatile("nop ; nop ; nop" : : : "memory");
	cli();
	if (log_irq.count != want)
		return WHY("%u interrupts delivered, not %u, flags %x",
			   log_irq.count, want, case_in.flags);
	return trap_fault;
}

/* ---- single instructions ---- */

struct state {
	bool vif, vip, tf;
};

static uint32_t state_bits(const struct state *s, bool real_if)
{
	return (s->vif ? FL_VIF : 0) | (s->vip ? FL_VIP : 0) |
	       (real_if ? FL_IF : 0);
}

static void model_start(struct model *m, uint32_t flags, const struct state *s)
{
	m->flags = flags | (s->vif ? FL_IF : 0);
	m->pending = s->vip;
	m->delivered = false;
}

/*
 * Deliveries during the run against the model's.  With VIF and VIP both set
 * the interrupt is on its way already and may come at any trap before.
 */
static const char *check_delivered(const struct model *m, const struct state *s)
{
	uint32_t n = log_irq.count;

	if (n == m->delivered || (s->vif && s->vip && n <= 1))
		return NULL;
	return WHY("%u interrupts where the model says %u, flags %x", n,
		   (uint32_t)m->delivered, case_in.flags);
}

static const char *check_vif(const struct model *m, uint32_t vif)
{
	if (!vif != !(m->flags & FL_IF))
		return WHY("VIF is %u, flags %x", (uint32_t)!!vif,
			   case_in.flags);
	return NULL;
}

static const char *run_pushf(const char *insn, uint32_t flags,
			     const struct state *s)
{
	const char *why;
	struct model m;
	uint32_t image, vif;

	model_start(&m, flags, s);
	case_run(insn);
	vif = port_vif();
	image = *(uint32_t *)case_out.esp;

	why = check_kept(case_in.esp - 4);
	if (!why && image != model_pushf(&m))
		why = WHY("image is %x, not %x", image, model_pushf(&m));
	if (!why)
		why = check_flags(m.flags);
	if (!why)
		why = check_vif(&m, vif);
	if (!why && log_irq.count && !(s->vif && s->vip) && !irq_hook)
		why = WHY("an interrupt came, flags %x", flags);
	return why;
}

/* The first #DB must come behind the first instruction that TF held for. */
static const char *check_first_step(uint32_t image, const char *where)
{
	if (!(image & FL_TF)) {
		if (log_debug.count)
			return WHY("#DB without TF at %x", log_debug.first.eip);
		return NULL;
	}
	if (!log_debug.count || log_debug.first.eip != (uint32_t)where)
		return WHY("first #DB at %x, not %x, count %u",
			   log_debug.first.eip, (uint32_t)where,
			   log_debug.count);
	return NULL;
}

static const char *run_popf(const char *insn, const char *insn_end,
			    uint32_t image, const struct state *s)
{
	const char *why;
	struct model m;
	uint32_t vif, eip;

	model_start(&m, case_in.flags, s);
	case_run(insn);
	vif = port_vif();
	model_popf(&m, image);

	why = check_kept(case_in.esp + 4);
	if (!why)
		why = check_flags(m.flags);
	if (!why)
		why = check_vif(&m, vif);
	if (!why)
		why = check_delivered(&m, s);
	if (!why && m.delivered && log_irq.count && !(s->vif && s->vip)) {
		eip = log_irq.first.eip;
		if (eip <= (uint32_t)insn || eip > (uint32_t)insn_end)
			why = WHY("interrupt at %x, instruction at %x", eip,
				  (uint32_t)insn);
		else if (eip == (uint32_t)insn_end &&
			 log_irq.first.eflags != model_pushf(&m))
			why = WHY("interrupt's frame shows %x, not %x",
				  log_irq.first.eflags, model_pushf(&m));
	}
	if (!why && !(case_in.flags & FL_TF))
		why = check_first_step(image, case_end);
	return why;
}

static const char *run_iret(const char *insn, uint32_t image,
			    const struct state *s)
{
	const char *why;
	struct model m;
	uint32_t vif;

	model_start(&m, case_in.flags, s);
	case_run(insn);
	vif = port_vif();
	model_popf(&m, image);

	why = check_kept(case_in.esp + 12);
	if (!why)
		why = check_flags(m.flags);
	if (!why)
		why = check_vif(&m, vif);
	if (!why)
		why = check_delivered(&m, s);
	if (!why && m.delivered && log_irq.count && !(s->vif && s->vip)) {
		if (log_irq.first.eip != (uint32_t)case_end)
			why = WHY("interrupt at %x, IRET went to %x",
				  log_irq.first.eip, (uint32_t)case_end);
		else if (log_irq.first.eflags != model_pushf(&m))
			why = WHY("interrupt's frame shows %x, not %x",
				  log_irq.first.eflags, model_pushf(&m));
		else if (log_irq.first.cs != KERNEL_CS)
			why = WHY("interrupt's frame CS is %x",
				  log_irq.first.cs);
	}
	if (!why && (image & FL_TF) && !log_debug.count)
		why = WHY("no #DB, image %x", image);
	if (!why && !(image & FL_TF) && log_debug.count)
		why = WHY("#DB without TF, image %x", image);
	return why;
}

static void pushf_groups(const char *name, const char *insn)
{
	for (uint32_t g = 0; g < 8; g++) {
		struct state s = { g & 1, g & 2, g & 4 };
		char title[64];

		format(title, sizeof(title), "%s VIF=%u VIP=%u TF=%u", name,
		       (uint32_t)s.vif, (uint32_t)s.vip, (uint32_t)s.tf);
		group_begin(title);
		for (uint32_t n = 0; n < 2 * COMBINATIONS; n++) {
			uint32_t flags = flags_of(n / 2) | (s.tf ? FL_TF : 0);
			const char *why, *lost;

			prepare(flags, 0);
			if (!port_state(state_bits(&s, n & 1)))
				continue;
			why = run_pushf(insn, flags, &s);
			lost = check_drained(s.vip);
			group_run(why ? why : lost);
		}
		group_end();
	}
}

/* Flags in force before a POPF: none, all. */
static const uint32_t before[] = { FL_ONE, FL_ONE | MODEL_LOADED };

static void popf_groups(const char *name, const char *insn,
			const char *insn_end)
{
	for (uint32_t g = 0; g < 16; g++) {
		struct state s = { g & 1, g & 2, false };
		uint32_t with = (g & 4 ? FL_IF : 0) | (g & 8 ? FL_TF : 0);
		char title[64];

		format(title, sizeof(title),
		       "%s image IF=%u TF=%u VIF=%u VIP=%u", name,
		       (uint32_t)!!(g & 4), (uint32_t)!!(g & 8),
		       (uint32_t)s.vif, (uint32_t)s.vip);
		group_begin(title);
		for (uint32_t n = 0; n < 4 * COMBINATIONS; n++) {
			uint32_t image = flags_of(n / 4) | with;
			const char *why, *lost;

			*prepare(before[(n >> 1) & 1], 1) = image;
			if (!port_state(state_bits(&s, n & 1)))
				continue;
			why = run_popf(insn, insn_end, image, &s);
			lost = check_drained(s.vip);
			group_run(why ? why : lost);
		}
		group_end();
	}
}

static void iret_groups(const char *name, const char *insn)
{
	for (uint32_t g = 0; g < 16; g++) {
		struct state s = { g & 1, g & 2, false };
		uint32_t with = (g & 4 ? FL_IF : 0) | (g & 8 ? FL_TF : 0);
		char title[64];

		format(title, sizeof(title),
		       "%s to kernel, image IF=%u TF=%u VIF=%u VIP=%u", name,
		       (uint32_t)!!(g & 4), (uint32_t)!!(g & 8),
		       (uint32_t)s.vif, (uint32_t)s.vip);
		group_begin(title);
		for (uint32_t n = 0; n < 4 * COMBINATIONS; n++) {
			uint32_t image = flags_of(n / 4) | with;
			/* NT at IRET is a task return, TF a step before it. */
			uint32_t flags = before[(n >> 1) & 1] &
					 ~(FL_NT | FL_TF);
			const char *why, *lost;
			uint32_t *frame = prepare(flags, 3);

			frame[0] = (uint32_t)case_end;
			frame[1] = KERNEL_CS;
			frame[2] = image;
			if (!port_state(state_bits(&s, n & 1)))
				continue;
			why = run_iret(insn, image, &s);
			lost = check_drained(s.vip);
			group_run(why ? why : lost);
		}
		group_end();
	}
}

/* IRET to user at @eip, and back in a handler. */
static void user_run(const char *eip, uint32_t flags, uint32_t image)
{
	uint32_t *frame = prepare(flags, 5);

	frame[0] = (uint32_t)eip;
	frame[1] = USER_CS;
	frame[2] = image;
	frame[3] = (uint32_t)(user_stack + STACK_WORDS / 2);
	frame[4] = USER_DS;
}

static const char *run_user(const char *insn, uint32_t image,
			    const struct state *s)
{
	uint32_t user_esp = (uint32_t)(user_stack + STACK_WORDS / 2);
	const struct trap_frame *end = &log_user_end.first;
	const struct trap_frame *irq = &log_irq.first;
	struct model m;
	const char *why;

	model_start(&m, case_in.flags, s);
	case_run(insn);
	model_popf(&m, image);

	why = check_kept(user_esp);
	if (!why)
		why = check_flags(m.flags);
	if (!why && log_user_end.count != 1)
		why = WHY("user's INT came %u times", log_user_end.count);
	if (!why && end->cs != USER_CS)
		why = WHY("user's INT came from CS %x", end->cs);
	if (!why && end->eflags != model_pushf(&m))
		why = WHY("user's INT shows flags %x, not %x", end->eflags,
			  model_pushf(&m));
	if (!why && end->esp != user_esp)
		why = WHY("user's INT shows ESP %x, not %x", end->esp,
			  user_esp);
	if (!why)
		why = check_delivered(&m, s);
	if (!why && m.delivered && log_irq.count && !(s->vif && s->vip)) {
		if (irq->cs != USER_CS || irq->eip != (uint32_t)user_end ||
		    irq->esp != user_esp || irq->eflags != model_pushf(&m))
			why = WHY("interrupt's frame is %x:%x flags %x ESP %x",
				  irq->cs, irq->eip, irq->eflags, irq->esp);
	}
	if (!why)
		why = check_first_step(image, user_second);
	return why;
}

static void iret_user_groups(const char *insn)
{
	for (uint32_t g = 0; g < 16; g++) {
		struct state s = { g & 1, g & 2, false };
		uint32_t with = (g & 4 ? FL_IF : 0) | (g & 8 ? FL_TF : 0);
		char title[64];

		format(title, sizeof(title),
		       "iret to user, image IF=%u TF=%u VIF=%u VIP=%u",
		       (uint32_t)!!(g & 4), (uint32_t)!!(g & 8),
		       (uint32_t)s.vif, (uint32_t)s.vip);
		group_begin(title);
		for (uint32_t n = 0; n < 2 * COMBINATIONS; n++) {
			uint32_t image = flags_of(n / 2) | with;
			const char *why, *lost;

			user_run(user_end, FL_ONE, image);
			if (!(image & FL_IF) && !port_user_if_off)
				continue;
			if (!port_state(state_bits(&s, n & 1)))
				continue;
			why = run_user(insn, image, &s);
			lost = check_drained(s.vip);
			group_run(why ? why : lost);
		}
		group_end();
	}
}

/* Instructions that a user must not reach the host or VIF with. */
static void user_groups(void)
{
	static const struct {
		const char *name, *eip;
		struct trap_log *log;
	} user[] = {
		{ "cli at user raises #GP", user_cli, &log_protection },
		{ "sti at user raises #GP", user_sti, &log_protection },
		{ "hlt at user raises #GP", user_hlt, &log_protection },
		{ "ud1 (iret) at user raises #UD", user_ud1_iret,
		  &log_undefined },
		{ "ud1 (call) at user raises #UD", user_ud1_call,
		  &log_undefined },
	};

	for (uint32_t i = 0; i < ARRAY_SIZE(user); i++) {
		struct trap_log *log = user[i].log;

		group_begin(user[i].name);
		for (uint32_t n = 0; n < 2; n++) {
			uint32_t image = FL_ONE | (n ? FL_IF : 0);
			const char *why = NULL;

			user_run(user[i].eip, FL_ONE, image);
			if (!(image & FL_IF) && !port_user_if_off)
				continue;
			port_state(FL_IF);
			case_run(insn_iret);
			if (log->count != 1 || log_user_end.count)
				why = WHY("%u traps, IF=%u", log->count, n);
			else if (log->first.eip != (uint32_t)user[i].eip ||
				 log->first.cs != USER_CS ||
				 (log->first.eflags & ~FL_RF) != image)
				why = WHY("frame is %x:%x flags %x",
					  log->first.cs, log->first.eip,
					  log->first.eflags);
			group_run(why ? why : check_drained(0));
		}
		group_end();
	}
}

static void cli_sti_groups(void)
{
	for (uint32_t g = 0; g < 8; g++) {
		bool on = g & 4;
		const char *insn = on ? insn_sti : insn_cli;
		const char *insn_done = on ? insn_sti_end : insn_cli_end;
		struct state s = { g & 1, g & 2, false };
		char title[64];

		format(title, sizeof(title), "%s VIF=%u VIP=%u",
		       on ? "sti" : "cli", (uint32_t)s.vif, (uint32_t)s.vip);
		group_begin(title);
		for (uint32_t n = 0; n < 2 * COMBINATIONS; n++) {
			uint32_t flags = flags_of(n / 2), vif;
			const char *why, *lost;
			struct model m;

			prepare(flags, 0);
			if (!port_state(state_bits(&s, n & 1)))
				continue;
			model_start(&m, flags, &s);
			case_run(insn);
			vif = port_vif();
			if (on)
				model_sti(&m);
			else
				model_cli(&m);
			why = check_kept(case_in.esp);
			if (!why)
				why = check_flags(m.flags);
			if (!why)
				why = check_vif(&m, vif);
			if (!why)
				why = check_delivered(&m, &s);
			/* The shadow of STI may hold it off one instruction. */
			if (!why && m.delivered && log_irq.count && !s.vif &&
			    log_irq.first.eip != (uint32_t)insn_done &&
			    log_irq.first.eip != (uint32_t)case_end)
				why = WHY("interrupt at %x, sti ends at %x",
					  log_irq.first.eip,
					  (uint32_t)insn_done);
			if (!why && m.delivered && log_irq.count && !s.vif &&
			    log_irq.first.eflags != model_pushf(&m))
				why = WHY("interrupt's frame shows %x, not %x",
					  log_irq.first.eflags,
					  model_pushf(&m));
			lost = check_drained(s.vip);
			group_run(why ? why : lost);
		}
		group_end();
	}
}

/* ---- the bare instructions ---- */

/*
 * The same states and checks; here a difference from the model is what is
 * expected, and it must be the one that the macro exists for.
 */
static void bare_groups(void)
{
	struct state s = { false, false, false };
	uint32_t other, hw_cs;

	/* The image shows the hardware's IF, VIF and VIP instead of IF. */
	group_begin("bare PUSHF misbehaves");
	other = 0;
	for (uint32_t n = 0; n < 8 * COMBINATIONS; n++) {
		uint32_t flags = flags_of(n / 8), image;
		const char *why;

		s.vif = n & 2;
		s.vip = n & 4;
		prepare(flags, 0);
		if (!port_state(state_bits(&s, n & 1)))
			continue;
		why = run_pushf(insn_bare_pushf, flags, &s);
		group_run(why);
		image = *(uint32_t *)case_out.esp;
		if (!(image & FL_IF) != !(n & 1) ||
		    ((image ^ flags) & MODEL_LOADED))
			other++;
		check_drained(s.vip);
	}
	group_end_bare("image shows the hardware's IF, not VIF", other);

	group_begin("bare POPF misbehaves");
	other = 0;
	for (uint32_t n = 0; n < 16 * COMBINATIONS; n++) {
		uint32_t image = flags_of(n / 16) | (n & 8 ? FL_IF : 0);
		const char *why;

		s.vif = n & 2;
		s.vip = n & 4;
		*prepare(FL_ONE, 1) = image;
		if (!port_state(state_bits(&s, n & 1)))
			continue;
		why = run_popf(insn_bare_popf, insn_bare_popf_end, image, &s);
		group_run(why);
		if (!port_vif() != !s.vif || check_flags(image))
			other++;
		check_drained(s.vip);
	}
	group_end_bare("VIF stays as it was, an interrupt waits on", other);

	/* With the CS that the hardware has; with RPL 0 it could only fault. */
	__asm__("movl %%cs, %0" : "=r" (hw_cs));
	group_begin("bare IRET misbehaves");
	other = 0;
	for (uint32_t n = 0; n < 16 * COMBINATIONS; n++) {
		uint32_t image = flags_of(n / 16) | (n & 8 ? FL_IF : 0);
		uint32_t *frame = prepare(FL_ONE, 3);
		const char *why;

		frame[0] = (uint32_t)case_end;
		frame[1] = hw_cs;
		frame[2] = image;
		s.vif = n & 2;
		s.vip = n & 4;
		if (!port_state(state_bits(&s, n & 1)))
			continue;
		why = run_iret(insn_bare_iret, image, &s);
		group_run(why);
		if (!port_vif() != !s.vif || check_flags(image))
			other++;
		check_drained(s.vip);
	}
	group_end_bare("no trap, VIF stays as it was", other);
}

/* ---- sequences ---- */

enum { OFF, ON, EITHER };

struct mark {
	uint32_t addr, state;
};

extern const struct mark seq_marks[], seq_marks_end[];

struct seq {
	const char *name, *start, *end;
	uint32_t images, image_ifs;	/* how many; bit n: IF of image n */
	const char *halts;		/* where, or NULL */
};

extern const char seq_sti_hlt_hlt[], seq_idle_hlt[];

#define SEQ(name, n, ifs, halts)	\
	extern const char seq_##name[], seq_##name##_end[];	\
	static const struct seq s_##name = {			\
		#name, seq_##name, seq_##name##_end, n, ifs, halts }

SEQ(toggle, 0, 0, NULL);
SEQ(save_restore, 5, 0x09, NULL);
SEQ(popf_made, 4, 0x03, NULL);
SEQ(iret, 2, 0x01, NULL);
SEQ(sti_hlt, 1, 0x01, seq_sti_hlt_hlt);
SEQ(idle, 0, 0, seq_idle_hlt);

static const struct seq *const seqs[] = {
	&s_toggle, &s_save_restore, &s_popf_made, &s_iret, &s_sti_hlt, &s_idle,
};

extern const char seq_handler[], seq_handler_end[];

/* Interrupts at @addr: OFF, ON or EITHER. */
static uint32_t seq_state(uint32_t addr)
{
	uint32_t state = OFF;

	for (const struct mark *m = seq_marks;
	     m < seq_marks_end && m->addr <= addr; m++)
		state = m->state;
	return state;
}

/* Where one that becomes pending at @addr must be in at the latest. */
static uint32_t seq_deadline(uint32_t addr, uint32_t end)
{
	if (seq_state(addr) == ON)
		return addr;
	for (const struct mark *m = seq_marks; m < seq_marks_end; m++)
		if (m->addr > addr && m->addr < end && m->state == ON)
			return m->addr;
	return 0xffffffff;
}

/* One that came at @addr and was delivered at @eip. */
static const char *check_place(const struct seq *seq, uint32_t addr,
			       uint32_t eip)
{
	uint32_t end = (uint32_t)seq->end;
	uint32_t deadline = seq_deadline(addr, end);
	bool inside = eip >= (uint32_t)seq->start && eip < end;

	if (inside ? eip < addr || eip > deadline || seq_state(eip) == OFF :
		     deadline != 0xffffffff)
		return WHY("came at +%x, delivered at +%x, due by +%x",
			   addr - (uint32_t)seq->start,
			   eip - (uint32_t)seq->start,
			   deadline - (uint32_t)seq->start);
	return NULL;
}

static struct {
	struct machine out;
	uint32_t images[ARRAY_SIZE(case_images)];
} golden;

static const char *check_golden(const struct seq *seq)
{
	const uint32_t *a = (const uint32_t *)&case_out;
	const uint32_t *b = (const uint32_t *)&golden.out;

	for (uint32_t i = 0; i < M_FLAGS / 4; i++)
		if (a[i] != b[i])
			return WHY("register %u is %x, not %x", i, a[i], b[i]);
	if ((case_out.flags ^ golden.out.flags) & MODEL_LOADED)
		return WHY("flags are %x, not %x", case_out.flags,
			   golden.out.flags);
	for (uint32_t i = 0; i < seq->images; i++) {
		if (case_images[i] != golden.images[i])
			return WHY("image %u is %x, not %x", i, case_images[i],
				   golden.images[i]);
		if (!(case_images[i] & FL_IF) != !(seq->image_ifs & (1u << i)))
			return WHY("image %u is %x", i, case_images[i]);
	}
	return trap_fault;
}

/* Long against anything that may keep a busy host from running the guest. */
#define GUARD_NS	2000000000

static bool guard_armed;

/* Wakes a HLT that sleeps over the interrupt; never needed where all is well. */
static void hook_guard(struct trap_frame *frame)
{
	(void)frame;
	if (guard_armed && log_irq.count == 1)
		port_timer(GUARD_NS);
}

/* What the sequence comes to without an interrupt in its way. */
static void run_golden(const struct seq *seq, uint32_t flags)
{
	prepare(flags, 0);
	port_state(seq->halts ? FL_IF | FL_VIP : FL_IF);
	irq_hook = hook_guard;
	guard_armed = seq->halts != NULL;
	case_run(seq->start);
	guard_armed = false;
	port_timer(PORT_TIMER_OFF);
	golden.out = case_out;
	memcpy(golden.images, case_images, sizeof(case_images));
}

/* One interrupt, at @addr, by port_break(). */
static const char *run_break(const struct seq *seq, uint32_t addr, bool *hit)
{
	uint32_t sleeps = port_sleeps(), want;
	const char *why;

	case_run(seq->start);
	*hit = port_broke();
	sleeps = port_sleeps() - sleeps;

	/* HLT sleeps only if the one at @addr is yet to come, or never does. */
	want = seq->halts && (!*hit || addr > (uint32_t)seq->halts);
	why = check_golden(seq);
	if (!why && sleeps != want)
		why = WHY("came at +%x, HLT slept %u times",
			  addr - (uint32_t)seq->start, sleeps);
	if (!why)
		why = check_drained(*hit + want);
	if (!why && *hit)
		why = check_place(seq, addr, log_irq.last.eip);
	return why;
}

/* An interrupt before every instruction of every sequence. */
static void seq_break_groups(void)
{
	for (uint32_t i = 0; i < ARRAY_SIZE(seqs); i++) {
		const struct seq *seq = seqs[i];
		uint32_t runs = ARRAY_SIZE(few_flags) *
				(uint32_t)(seq->end - seq->start);
		char title[64];

		format(title, sizeof(title),
		       "%s, interrupt at every boundary", seq->name);
		group_begin(title);
		for (uint32_t n = 0; n < runs; n++) {
			uint32_t flags = few_flags[n % ARRAY_SIZE(few_flags)];
			uint32_t addr = (uint32_t)seq->start +
					n / ARRAY_SIZE(few_flags);
			const char *why;
			bool hit;

			run_golden(seq, flags);
			prepare(flags, 0);
			port_state(FL_IF);
			if (!port_break(addr))
				break;
			why = run_break(seq, addr, &hit);
			/* Inside an instruction nothing comes; no run then. */
			if (hit || why)
				group_run(why);
		}
		group_end();
	}
}

/* The second of two, which the first one's handler arms. */
static uint32_t second_break;

static void hook_second(struct trap_frame *frame)
{
	(void)frame;
	if (log_irq.count == 1)
		port_break(second_break);
}

/* Two interrupts, at every pair of boundaries. */
static void seq_pair_groups(void)
{
	for (uint32_t i = 0; i < ARRAY_SIZE(seqs); i++) {
		const struct seq *seq = seqs[i];
		uint32_t start = (uint32_t)seq->start;
		uint32_t end = (uint32_t)seq->end;
		char title[64];

		if (seq->halts)
			continue;
		format(title, sizeof(title),
		       "%s, interrupts at every pair of boundaries", seq->name);
		group_begin(title);
		run_golden(seq, few_flags[1]);
		for (uint32_t a = start; a < end; a++) {
			for (uint32_t b = a; b < end; b++) {
				const char *why;
				uint32_t want;

				prepare(few_flags[1], 0);
				port_state(FL_IF);
				if (!port_break(a))
					break;
				irq_hook = hook_second;
				second_break = b;
				case_run(seq->start);
				irq_hook = NULL;
				/* Delivered and armed, or pending, or never. */
				want = log_irq.count;
				if (port_broke() && want < 2)
					want++;
				if (!want)
					break;
				why = check_golden(seq);
				if (!why)
					why = check_drained(want);
				if (!why)
					why = check_place(seq, a,
							  log_irq.first.eip);
				if (!why && want == 2)
					why = check_place(seq, b,
							  log_irq.last.eip);
				group_run(why);
			}
		}
		group_end();
	}
}

/*
 * The same by single step: TF stays set through the whole sequence, and the #DB
 * handler raises the interrupt.  A sequence with HLT is left out: a bare CPU's
 * #DB, too, would let the interrupt in between STI and HLT.
 */
static void seq_step_groups(void)
{
	for (uint32_t i = 0; i < ARRAY_SIZE(seqs); i++) {
		const struct seq *seq = seqs[i];
		uint32_t start = (uint32_t)seq->start;
		uint32_t flags = few_flags[3] | FL_TF;
		char title[64];

		if (seq->halts)
			continue;
		format(title, sizeof(title),
		       "%s, single step, interrupt at every boundary",
		       seq->name);
		group_begin(title);
		run_golden(seq, flags);
		for (uint32_t a = start; a < (uint32_t)seq->end; a++) {
			const char *why;

			prepare(flags, 0);
			port_state(FL_IF);
			step_target = a;
			case_run(seq->start);
			if (!step_hit)
				continue;
			why = check_golden(seq);
			if (!why)
				why = check_drained(1);
			if (!why)
				why = check_place(seq, a, log_irq.first.eip);
			group_run(why);
		}
		group_end();
	}
}

#define TIMER_STEP_NS	50
#define TIMER_STEPS	600
/* And by timer, at many delays. */
static void seq_timer_groups(void)
{
	for (uint32_t i = 0; i < ARRAY_SIZE(seqs); i++) {
		const struct seq *seq = seqs[i];
		char title[64];

		format(title, sizeof(title), "%s, timer at %u delays",
		       seq->name, TIMER_STEPS);
		group_begin(title);
		run_golden(seq, few_flags[1]);
		/* A sleep takes the guard's time: a few are enough. */
		for (uint32_t n = 0; n < TIMER_STEPS && group.wrong < 3; n++) {
			const char *why;
			uint32_t eip;

			prepare(few_flags[1], 0);
			port_state(FL_IF);
			irq_hook = hook_guard;
			guard_armed = seq->halts != NULL;
			if (!port_timer(n * TIMER_STEP_NS))
				break;
			case_run(seq->start);
			why = check_golden(seq);
			while (!log_irq.count) {
				sti();
				cli();
			}
			guard_armed = false;
			port_timer(PORT_TIMER_OFF);
			if (!why)
				why = check_drained(1);
			eip = log_irq.first.eip;
			if (!why && eip >= (uint32_t)seq->start &&
			    eip < (uint32_t)seq->end && seq_state(eip) == OFF)
				why = WHY("delivered at +%x",
					  eip - (uint32_t)seq->start);
			group_run(why);
		}
		group_end();
	}
}

/* ---- interrupts inside a macro, in all its states ---- */

static void hook_touch_flags(struct trap_frame *frame)
{
	uint32_t flags;

	(void)frame;
	/* local_irq_save, then something that sets every flag, and restore. */
	__asm__ volatile("pushf ; cli ; cmpl $1, %%esp ; popf ; pushf ; pop %0"
			 : "=r" (flags) : : "cc", "memory");
	if (flags & FL_IF)
		trap_fault = "handler saw IF";
}

static void inside_groups(void)
{
	static const uint32_t step = 5;		/* of 1024: 205 flag sets */

	for (uint32_t vif = 0; vif < 2; vif++) {
		struct state s = { vif, false, false };

		group_begin(vif ? "interrupt inside pushf, VIF=1" :
				  "interrupt inside pushf, VIF=0");
		for (const char *a = insn_pushf; a < insn_pushf_end; a++) {
			for (uint32_t n = 0; n < COMBINATIONS; n += step) {
				uint32_t flags = flags_of(n);
				const char *why, *lost;
				uint32_t seen;

				prepare(flags, 0);
				port_state(state_bits(&s, true));
				if (!port_break((uint32_t)a))
					break;
				irq_hook = hook_touch_flags;
				why = run_pushf(insn_pushf, flags, &s);
				if (!port_broke())
					break;
				seen = log_irq.count;
				lost = check_drained(1);
				/* With VIF it does come, and right there. */
				if (vif && (seen != 1 ||
				    log_irq.first.eip != (uint32_t)a))
					lost = "interrupt not at its boundary";
				else if (!vif && seen)
					lost = "interrupt in spite of IF 0";
				group_run(why ? why : lost);
			}
		}
		group_end();
	}

	for (uint32_t g = 0; g < 4; g++) {
		struct state s = { g & 1, false, false };
		uint32_t on = g & 2 ? FL_IF : 0;
		char title[64];

		format(title, sizeof(title),
		       "interrupt inside popf, image IF=%u VIF=%u",
		       (uint32_t)!!on, (uint32_t)s.vif);
		group_begin(title);
		for (const char *a = insn_popf; a < insn_popf_end; a++) {
			for (uint32_t n = 0; n < COMBINATIONS; n += step) {
				uint32_t image = flags_of(n) | on;
				const char *why;
				struct model m;
				uint32_t vif;

				*prepare(before[n & 1] & ~FL_TF, 1) = image;
				port_state(state_bits(&s, true));
				if (!port_break((uint32_t)a))
					break;
				irq_hook = hook_touch_flags;
				model_start(&m, case_in.flags, &s);
				case_run(insn_popf);
				vif = port_vif();
				model_popf(&m, image);
				if (!port_broke())
					break;
				why = check_kept(case_in.esp + 4);
				if (!why)
					why = check_flags(m.flags);
				if (!why)
					why = check_vif(&m, vif);
				if (!why && on && log_irq.count != 1)
					why = "interrupt not delivered";
				if (!why)
					why = check_drained(1);
				group_run(why);
			}
		}
		group_end();
	}
}

/* ---- nesting ---- */

#define DEPTH	8

static uint32_t depth, deepest;
static const char *nest_why;

static void nest_expect(bool ok, const char *why)
{
	if (!ok && !nest_why)
		nest_why = why;
}

/* Every level raises the next one, lets it in, and looks around. */
static void hook_deeper(struct trap_frame *frame)
{
	uint32_t here = ++depth, flags;

	(void)frame;
	if (here > deepest)
		deepest = here;
	flags = save_flags();
	nest_expect(!(flags & FL_IF), "handler starts with IF");
	if (here < DEPTH) {
		port_raise();
		nest_expect(depth == here, "interrupt in spite of IF 0");
		sti();
		__asm__ volatile("nop ; nop" : : : "memory");
		nest_expect(deepest == DEPTH, "interrupt did not nest");
		flags = save_flags();
		nest_expect(flags & FL_IF, "IF lost after nested IRET");
		if (here & 1)
			cli();
	}
	depth--;
}

/* Leaves one behind, which must come right where this one came. */
static void hook_tail(struct trap_frame *frame)
{
	(void)frame;
	if (log_irq.count == 1) {
		port_raise();
		nest_expect(log_irq.count == 1, "interrupt in spite of IF 0");
	}
}

/* An exception in the handler; IRET from it leaves interrupts off. */
static void hook_exception(struct trap_frame *frame)
{
	(void)frame;
	if (log_irq.count > 1)
		return;
	port_raise();
	__asm__ volatile("ud2" : : : "memory");
	nest_expect(log_undefined.count == 1, "UD2 raised no #UD");
	nest_expect(!(log_undefined.first.eflags & FL_IF),
		    "#UD's frame shows IF");
	nest_expect(!(save_flags() & FL_IF), "IF 1 after #UD in a handler");
	nest_expect(log_irq.count == 1, "interrupt in spite of IF 0");
}

static void call_seq_handler(void)
{
	__asm__ volatile("pusha ; call seq_handler ; popa"
			 : : : "cc", "memory");
}

static void hook_seq(struct trap_frame *frame)
{
	(void)frame;
	if (log_irq.count > 1)
		return;
	if (second_break)
		port_break(second_break);
	call_seq_handler();
}

static void nest_begin(const char *name)
{
	group_begin(name);
	nest_why = NULL;
	depth = 0;
	deepest = 0;
}

/*
 * POPF lets an interrupt in whose handler is @hook; all must be as if nothing
 * had happened.
 */
static void nest_popf(const char *name, void (*hook)(struct trap_frame *),
		      uint32_t want)
{
	struct state s = { false, true, false };

	nest_begin(name);
	for (uint32_t n = 0; n < COMBINATIONS; n += 3) {
		uint32_t image = flags_of(n) | FL_IF;
		struct model m;
		const char *why;

		*prepare(FL_ONE, 1) = image;
		port_state(FL_IF | FL_VIP);
		irq_hook = hook;
		model_start(&m, FL_ONE, &s);
		case_run(insn_popf);
		model_popf(&m, image);
		why = check_kept(case_in.esp + 4);
		if (!why)
			why = check_flags(m.flags);
		if (!why)
			why = check_vif(&m, port_vif());
		if (!why && log_irq.count != want)
			why = WHY("%u interrupts, not %u", log_irq.count,
				  want);
		if (!why && want == 2 &&
		    log_irq.first.eip != log_irq.last.eip)
			why = WHY("second at %x, first at %x",
				  log_irq.last.eip, log_irq.first.eip);
		if (!why)
			why = check_drained(want);
		group_run(why ? why : nest_why);
	}
	group_end();
}

/* The same for one that comes as IRET reaches user. */
static void nest_user(const char *name, void (*hook)(struct trap_frame *),
		      uint32_t want)
{
	struct state s = { false, true, false };

	nest_begin(name);
	for (uint32_t n = 0; n < COMBINATIONS; n += 3) {
		uint32_t image = flags_of(n) | FL_IF;
		struct model m;
		const char *why;

		user_run(user_end, FL_ONE, image);
		port_state(FL_IF | FL_VIP);
		irq_hook = hook;
		model_start(&m, FL_ONE, &s);
		case_run(insn_iret);
		model_popf(&m, image);
		why = check_kept((uint32_t)(user_stack + STACK_WORDS / 2));
		if (!why)
			why = check_flags(m.flags);
		if (!why && log_user_end.first.eflags != model_pushf(&m))
			why = WHY("user's INT shows flags %x, not %x",
				  log_user_end.first.eflags, model_pushf(&m));
		if (!why && log_irq.first.cs != USER_CS)
			why = WHY("interrupt's frame CS is %x",
				  log_irq.first.cs);
		if (!why)
			why = check_drained(want);
		group_run(why ? why : nest_why);
	}
	group_end();
}

/* The second interrupt at every boundary of the first one's handler. */
static void nest_boundaries(const char *name, const char *from, const char *to,
			    bool inner_seq)
{
	nest_begin(name);
	for (const char *a = from; a < to; a++) {
		for (uint32_t f = 0; f < ARRAY_SIZE(few_flags); f++) {
			uint32_t image = few_flags[f] | FL_IF;
			const char *why;

			*prepare(FL_ONE, 1) = image;
			second_break = (uint32_t)a;
			port_state(FL_IF | FL_VIP);
			if (!port_break((uint32_t)a))
				break;
			irq_hook = inner_seq ? hook_seq : NULL;
			case_run(insn_popf);
			if (!port_broke())
				break;
			why = check_kept(case_in.esp + 4);
			if (!why)
				why = check_flags(image);
			if (!why && !port_vif())
				why = "interrupts off at the end";
			if (!why && inner_seq &&
			    (!(case_images[5] & FL_IF) ||
			     !(case_images[6] & FL_IF)))
				why = WHY("images in the handler: %x, %x",
					  case_images[5], case_images[6]);
			if (!why)
				why = check_drained(2);
			group_run(why);
		}
	}
	group_end();
}

static void nest_groups(void)
{
	nest_popf("handlers that re-enable, 8 deep", hook_deeper, DEPTH);
	nest_popf("interrupt pending at a handler's iret", hook_tail, 2);
	nest_popf("exception in a handler, interrupt pending", hook_exception,
		  2);
	nest_user("handlers that re-enable, 8 deep, from user", hook_deeper,
		  DEPTH);
	nest_user("interrupt pending at a handler's iret to user", hook_tail,
		  2);
	nest_boundaries("interrupt at every boundary of a handler's exit",
			trap_exit, trap_exit_end, false);
	nest_boundaries("interrupt at every boundary of a handler's sti..cli",
			seq_handler, seq_handler_end, true);
}

/* ---- the macros as such ---- */

static bool same_bytes(const char *a, const char *a_end, const char *b,
		       const char *b_end)
{
	if (a_end - a != b_end - b)
		return false;
	while (a < a_end)
		if (*a++ != *b++)
			return false;
	return true;
}

static void site_groups(void)
{
	static const uint8_t lengths[] = {
		[PLEX86_SITE_CLI] = PLEX86_SITE_CLI_LEN,
		[PLEX86_SITE_STI] = PLEX86_SITE_STI_LEN,
		[PLEX86_SITE_PUSHF] = PLEX86_SITE_PUSHF_LEN,
		[PLEX86_SITE_POPF] = PLEX86_SITE_POPF_LEN,
		[PLEX86_SITE_IRET] = PLEX86_SITE_IRET_LEN,
		[PLEX86_SITE_CALL] = PLEX86_SITE_CALL_LEN,
		[PLEX86_SITE_XRSTOR] = PLEX86_SITE_XRSTOR_LEN,
	};
	static const struct {
		const char *start, *end;
		uint32_t kind;
	} insns[] = {
		{ insn_cli, insn_cli_end, PLEX86_SITE_CLI },
		{ insn_sti, insn_sti_end, PLEX86_SITE_STI },
		{ insn_pushf, insn_pushf_end, PLEX86_SITE_PUSHF },
		{ insn_popf, insn_popf_end, PLEX86_SITE_POPF },
		{ insn_iret, insn_iret_end, PLEX86_SITE_IRET },
		{ insn_iretl, insn_iretl_end, PLEX86_SITE_IRET },
	};

	group_begin("site table has every site at its length");
	for (uint32_t i = 0; i < ARRAY_SIZE(insns); i++) {
		const struct plex86_site *site = plex86_sites;

		while (site < plex86_sites_end &&
		       site->addr != (uint32_t)insns[i].start)
			site++;
		if (site == plex86_sites_end)
			group_run(WHY("kind %u is missing", insns[i].kind));
		else if (site->kind != insns[i].kind ||
			 insns[i].end - insns[i].start != site->len)
			group_run(WHY("kind %u is %u, length %u of %u",
				      insns[i].kind, (uint32_t)site->kind,
				      (uint32_t)site->len, (uint32_t)
				      (insns[i].end - insns[i].start)));
	}
	for (const struct plex86_site *site = plex86_sites;
	     site < plex86_sites_end; site++)
		group_run(!site->kind || site->kind >= sizeof(lengths) ||
			  site->len != lengths[site->kind] || site->zero ?
			  WHY("site at %x: kind %u, length %u", site->addr,
			      (uint32_t)site->kind, (uint32_t)site->len) :
			  NULL);
	group_end();

	/* Not iretl: a host may write something else over each IRET. */
	group_begin("pushfl, popfl are pushf, popf");
	group_run(same_bytes(insn_pushf, insn_pushf_end, insn_pushfl,
			     insn_pushfl_end) ? NULL : "pushfl differs");
	group_run(same_bytes(insn_popf, insn_popf_end, insn_popfl,
			     insn_popfl_end) ? NULL : "popfl differs");
	group_end();
}

void guest_main(void)
{
	char line[80];
	uint32_t n;

	n = format(line, sizeof(line), "# pvi conformance on %s\n", port_name);
	guest_write(line, n);

	site_groups();
	cli_sti_groups();
	pushf_groups("pushf", insn_pushf);
	popf_groups("popf", insn_popf, insn_popf_end);
	iret_groups("iret", insn_iret);
	iret_user_groups(insn_iret);
	user_groups();
	seq_break_groups();
	seq_pair_groups();
	seq_step_groups();
	seq_timer_groups();
	inside_groups();
	nest_groups();
	bare_groups();
	port_cases();

	n = format(line, sizeof(line), "pvi: %u passed, %u failed\n", passed,
		   failed);
	guest_write(line, n);
	guest_end(failed != 0);
}
