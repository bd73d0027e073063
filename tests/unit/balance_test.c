// SPDX-License-Identifier: GPL-2.0
/*
 * launcher/balance.c on a host that is played here: where the spaces and the
 * launcher are put, by what they are said to have done.
 */
#include "launcher.h"
#include "unit.h"

#include <unistd.h>

#define MS		1000000ull
#define FIRST_SPACE	5000000	/* process IDs: more than Linux has */
#define LOOK		250	/* ms between looks at what was done */
#define SETTLE		100	/* ms that the spaces are let go for */

struct process {
	u32 cpu;		/* where it is found */
	u64 ran, waited;
	unsigned long cpus;	/* where it may be */
};

static struct state state_of_vm;
static struct vm_context vm = { .state = &state_of_vm }, *ctx = &vm;
static u64 now;
static unsigned long host_cpus;
static struct process spaces[SPACES], launcher;

/* The rest of the launcher. */
u64 now_ns(void)
{
	return now;
}

/* NULL: there is none of that number; 0 is oneself, but in /proc. */
static struct process *process(pid_t pid)
{
	if (pid == getpid() || !pid)
		return &launcher;
	return pid >= FIRST_SPACE && pid < FIRST_SPACE + (pid_t)SPACES ?
		&spaces[pid - FIRST_SPACE] : NULL;
}

int __wrap_sched_setaffinity(pid_t pid, size_t bytes, const cpu_set_t *set);
int __wrap_sched_getaffinity(pid_t pid, size_t bytes, cpu_set_t *set);
FILE *__wrap_fopen(const char *name, const char *mode);

int __wrap_sched_setaffinity(pid_t pid, size_t bytes, const cpu_set_t *set)
{
	struct process *p = process(pid);

	CHECK_EQ("affinity", bytes, sizeof(*set));
	if (!p)
		return -1;
	memcpy(&p->cpus, set, sizeof(p->cpus));
	CHECK("affinity", p->cpus && !(p->cpus & ~host_cpus));
	return 0;
}

int __wrap_sched_getaffinity(pid_t pid, size_t bytes, cpu_set_t *set)
{
	CHECK_EQ("affinity", pid, 0);
	memset(set, 0, bytes);
	memcpy(set, &launcher.cpus, sizeof(launcher.cpus));
	return 0;
}

FILE *__wrap_fopen(const char *name, const char *mode)
{
	static char text[512];
	char file[16] = "";
	struct process *p;
	int pid = 0;

	if (sscanf(name, "/proc/%d/%15s", &pid, file) != 2)
		fail_msg("%s: opened", name);
	CHECK_STR(name, mode, "re");
	p = pid ? process(pid) : NULL;
	if (!p)
		return NULL;
	if (!strcmp(file, "schedstat"))
		snprintf(text, sizeof(text), "%llu %llu 7\n",
			 (unsigned long long)p->ran,
			 (unsigned long long)p->waited);
	else
		/* proc(5): 2 is the name, 39 the processor. */
		snprintf(text, sizeof(text), "%d (a) 5 (b)) S 4 5 6 7 8 9 10 11 "
			 "12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 "
			 "29 30 31 32 33 34 35 36 37 38 %u 40 41 42\n", pid,
			 p->cpu);
	return fmemopen(text, strlen(text), "r");
}

/* A VM of two spaces on @cpus, of which the second runs, on @cpu. */
static void start(unsigned long cpus, u32 cpu)
{
	memset(spaces, 0, sizeof(spaces));
	memset(&launcher, 0, sizeof(launcher));
	memset(ctx->spaces, 0, sizeof(ctx->spaces));
	memset(&ctx->balance, 0, sizeof(ctx->balance));
	now = 1000000 * MS;
	host_cpus = cpus;
	launcher.cpus = cpus;
	spaces[0].cpus = cpus;
	spaces[1].cpus = cpus;
	spaces[1].cpu = cpu;
	/* What they did before is not looked at. */
	spaces[0].ran = 12345678 * MS;
	launcher.ran = 23456789 * MS;
	ctx->spaces[0] = FIRST_SPACE;
	ctx->spaces[1] = FIRST_SPACE + 1;
	ctx->state->active_pid = FIRST_SPACE + 1;
	balance_start(ctx);
}

/* @ms pass, of which the spaces, and the launcher, run and wait so many. */
static int pass(u32 ms, u32 spaces_ran, u32 waited, u32 own)
{
	now += ms * MS;
	/* Each of them has a part in it. */
	spaces[0].ran += spaces_ran * MS / 4;
	spaces[1].ran += spaces_ran * MS / 4 * 3;
	spaces[0].waited += waited * MS / 4;
	spaces[1].waited += waited * MS / 4 * 3;
	launcher.ran += own * MS;
	return balance_work(ctx);
}

static void starts(void **state)
{
	static const struct { unsigned long cpus; u32 cpu; } cases[] = {
		{ 0x3, 0 }, { 0x3, 1 }, { 0xf0, 6 }, { 1ul << 63 | 1, 63 },
	};
	u32 i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		const char *name = row("%lx", cases[i].cpus);

		start(cases[i].cpus, cases[i].cpu);
		CHECK_EQ(name, spaces[0].cpus, 1ul << cases[i].cpu);
		CHECK_EQ(name, spaces[1].cpus, 1ul << cases[i].cpu);
		CHECK_EQ(name, spaces[2].cpus, 0);
		CHECK_EQ(name, launcher.cpus, cases[i].cpus);
		/* Nothing to be seen yet. */
		CHECK_EQ(name, pass(LOOK - 1, 0, 0, 0), 2);
		CHECK_EQ(name, launcher.cpus, cases[i].cpus);
		CHECK_EQ(name, pass(1, 0, 0, 0), LOOK + 1);
	}
}

static void one_processor(void **state)
{
	(void)state;
	start(0x4, 2);
	CHECK_EQ("one", pass(LOOK, LOOK, LOOK, 0), -1);
	balance_apart(ctx, now);
	CHECK_EQ("spaces", spaces[0].cpus, 0x4);
	CHECK_EQ("launcher", launcher.cpus, 0x4);
}

/* By what both did in one look. */
static void decides(void **state)
{
	static const struct {
		const char *name;
		u32 spaces, own;
		unsigned long cpus;	/* the launcher's */
	} cases[] = {
		{ "idle", 0, 0, 0x2 },
		{ "a guest that waits for its host", 31, LOOK, 0x2 },
		{ "a guest that computes", LOOK, 0, 0x3 },
		{ "a guest that computes, and asks", 219, 40, 0x3 },
		{ "a guest with a little to do", 40, 20, 0x3 },
		{ "a guest with hardly a launcher", 100, 31, 0x3 },
		{ "both", 100, 32, 0x2 },
		{ "both, hardly more than one can", 200, 112, 0x2 },
		{ "both, more than one can", 200, 113, 0x3 },
	};
	u32 i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		start(0x3, 1);
		pass(LOOK, cases[i].spaces, 0, cases[i].own);
		CHECK_EQ(cases[i].name, launcher.cpus, cases[i].cpus);
		CHECK_EQ(cases[i].name, spaces[0].cpus, 0x2);
	}
}

/* While one processor is all they have, what they would do on two is tried. */
static void tries(void **state)
{
	u32 looks;

	(void)state;
	start(0x3, 0);
	pass(LOOK, 120, 0, 60);
	CHECK_EQ("together", launcher.cpus, 0x1);
	for (looks = 0; launcher.cpus == 0x1 && looks < 100; looks++)
		pass(LOOK, 150, 0, 100);
	CHECK_EQ("looks before it is tried", looks, 4000 / LOOK);
	CHECK_EQ("tried", launcher.cpus, 0x3);
	/* Not worth it. */
	pass(LOOK, 160, 0, 130);
	CHECK_EQ("back", launcher.cpus, 0x1);
	for (looks = 0; launcher.cpus == 0x1 && looks < 100; looks++)
		pass(LOOK, 150, 0, 100);
	CHECK_EQ("looks before it is tried again", looks, 4000 / LOOK);
	/* Worth it, for as long as it is. */
	for (looks = 0; looks < 100; looks++) {
		pass(LOOK, 200, 0, 200);
		CHECK_EQ("apart", launcher.cpus, 0x3);
	}
	pass(LOOK, 100, 0, 100);
	CHECK_EQ("back", launcher.cpus, 0x1);
	/* With room to spare there is nothing to try. */
	for (looks = 0; looks < 100; looks++) {
		pass(LOOK, 110, 0, 100);
		CHECK_EQ("together", launcher.cpus, 0x1);
	}
}

static void keeps_apart(void **state)
{
	u32 i;

	(void)state;
	start(0xf, 2);
	pass(LOOK, 0, 0, 0);
	CHECK_EQ("together", launcher.cpus, 0x4);
	balance_apart(ctx, now);
	CHECK_EQ("at once", launcher.cpus, 0xb);
	for (i = 0; i < 10; i++) {
		pass(LOOK, i % 2 ? LOOK : 0, 0, 0);
		CHECK_EQ("while there is work", launcher.cpus, 0xb);
		balance_apart(ctx, now);
	}
	pass(LOOK, 100, 0, 100);
	CHECK_EQ("soon after", launcher.cpus, 0xb);
	pass(LOOK, 100, 0, 100);
	CHECK_EQ("later", launcher.cpus, 0x4);
}

/* Others want the spaces' processor. */
static void moves(void **state)
{
	(void)state;
	start(0x3, 0);
	pass(LOOK, 100, 0, 100);
	/* For the launcher, and from one to the next, they may wait. */
	pass(LOOK, 100, 150, 100);
	CHECK_EQ("for the launcher", spaces[0].cpus, 0x1);
	pass(LOOK, 200, 90, 0);
	CHECK_EQ("for each other", spaces[0].cpus, 0x1);
	pass(LOOK, 10, 50, 0);
	CHECK_EQ("not for long", spaces[0].cpus, 0x1);

	CHECK_EQ("let go", pass(LOOK, 225, 150, 100), SETTLE + 1);
	CHECK_EQ("let go", spaces[0].cpus, 0x3);
	CHECK_EQ("let go", spaces[1].cpus, 0x3);
	CHECK_EQ("with them", launcher.cpus, 0x3);
	/* A disk is no reason to move until there is a place. */
	balance_apart(ctx, now);
	CHECK_EQ("no place", launcher.cpus, 0x3);
	spaces[1].cpu = 1;
	pass(SETTLE - 1, 10, 80, 0);
	CHECK_EQ("still", spaces[0].cpus, 0x3);
	pass(1, 0, 0, 0);
	CHECK_EQ("the new place", spaces[0].cpus, 0x2);
	CHECK_EQ("the new place", spaces[1].cpus, 0x2);
	/* What was waited for until then is forgotten. */
	pass(LOOK, 100, 0, 0);
	CHECK_EQ("stays", spaces[0].cpus, 0x2);
	balance_apart(ctx, now);
	CHECK_EQ("a place", launcher.cpus, 0x1);
}

/* What a space that is gone has done is forgotten with it. */
static void gone(void **state)
{
	(void)state;
	start(0x3, 1);
	pass(LOOK, 100, 20, 100);
	CHECK_EQ("together", launcher.cpus, 0x2);
	ctx->spaces[0] = FIRST_SPACE + SPACES;
	pass(LOOK, 100, 0, 100);
	CHECK_EQ("one of two", launcher.cpus, 0x2);
	CHECK_EQ("one of two", spaces[1].cpus, 0x2);
	pass(LOOK, 0, 200, 0);
	CHECK_EQ("let go", spaces[1].cpus, 0x3);
	ctx->spaces[1] = ctx->spaces[0];
	ctx->state->active_pid = 0;
	CHECK_EQ("all", pass(SETTLE + 1, 0, 0, 0), LOOK + 1);
	/* There is no place to be at, or to keep out of. */
	pass(LOOK + 1, 0, 0, 0);
	CHECK_EQ("all", launcher.cpus, 0x3);
	balance_apart(ctx, now);
	CHECK_EQ("all", launcher.cpus, 0x3);
}

/* The next boot of a guest begins anew. */
static void again(void **state)
{
	(void)state;
	start(0x3, 1);
	pass(LOOK, 0, 0, 0);
	CHECK_EQ("together", launcher.cpus, 0x2);
	spaces[1].cpu = 0;
	balance_start(ctx);
	CHECK_EQ("again", launcher.cpus, 0x3);
	CHECK_EQ("again", spaces[0].cpus, 0x1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(starts), cmocka_unit_test(one_processor),
		cmocka_unit_test(decides), cmocka_unit_test(tries),
		cmocka_unit_test(keeps_apart), cmocka_unit_test(moves),
		cmocka_unit_test(gone), cmocka_unit_test(again),
	};

	return RUN_TESTS("balance", tests, NULL, NULL);
}
