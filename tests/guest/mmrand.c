// SPDX-License-Identifier: GPL-2.0
/*
 * A random walk over the memory calls, checked against a model: for each page of a window, is
 * it mapped, with what protection, and what are its words. Seeds are fixed, so that a failure
 * repeats; the reason names the seed and the step.
 *
 * Owns one window of addresses; never touches memory outside it but through the C library.
 */
#include "conform.h"

#include <sched.h>
#include <setjmp.h>

#define PAGES 96u

struct page {
	bool mapped, shared;
	int prot;
	/* The words at both ends of the page. */
	uint32_t first, last;
};

static struct page model[PAGES];
static char *window;
static uint32_t seed;
static unsigned int step_no, seed_no;
static sigjmp_buf env;

#define DIFFER(what, page) \
	FAIL("seed %u step %u page %u: %s", seed_no, step_no, page, what)

static void on_fault(int sig)
{
	(void)sig;
	siglongjmp(env, 1);
}

static volatile uint32_t *word(unsigned int page, bool last)
{
	return (volatile uint32_t *)(window + page * PAGE + (last ? PAGE - 4 : 0));
}

static void check_page(unsigned int i)
{
	struct page *m = &model[i];
	volatile uint32_t first = 0, last = 0;
	volatile bool fault = false;

	if (sigsetjmp(env, 1)) {
		fault = true;
	} else {
		first = *word(i, false);
		last = *word(i, true);
	}
	if (fault != !(m->mapped && m->prot))
		DIFFER(fault ? "a read faulted that should not" : "a read worked that should not", i);
	if (!fault && first != m->first)
		DIFFER("the first word is wrong", i);
	if (!fault && last != m->last)
		DIFFER("the last word is wrong", i);
}

static void write_page(unsigned int i)
{
	struct page *m = &model[i];
	uint32_t v = prng(&seed);
	bool last = v & 1;
	volatile bool fault = false;

	if (sigsetjmp(env, 1))
		fault = true;
	else
		*word(i, last) = v;
	if (fault != !(m->mapped && m->prot & PROT_WRITE))
		DIFFER(fault ? "a write faulted that should not" : "a write worked that should not",
		       i);
	if (fault)
		return;
	if (last)
		m->last = v;
	else
		m->first = v;
}

static int random_prot(void)
{
	static const int prots[] = { PROT_NONE, PROT_READ, PROT_READ | PROT_WRITE,
		PROT_READ | PROT_WRITE, PROT_READ | PROT_EXEC, PROT_READ | PROT_WRITE | PROT_EXEC };

	return prots[prng(&seed) % ARRAY_SIZE(prots)];
}

static void do_map(unsigned int at, unsigned int n)
{
	int prot = random_prot(), flags = MAP_ANONYMOUS | MAP_FIXED;

	flags |= prng(&seed) % 4 ? MAP_PRIVATE : MAP_SHARED;
	if (prng(&seed) % 8 == 0)
		flags |= MAP_POPULATE;
	if (mmap(window + at * PAGE, n * PAGE, prot, flags, -1, 0) == MAP_FAILED)
		DIFFER("mmap failed", at);
	for (unsigned int i = at; i < at + n; i++)
		model[i] = (struct page){ .mapped = true, .shared = flags & MAP_SHARED, .prot = prot };
}

static void do_unmap(unsigned int at, unsigned int n)
{
	if (munmap(window + at * PAGE, n * PAGE))
		DIFFER("munmap failed", at);
	for (unsigned int i = at; i < at + n; i++)
		model[i] = (struct page){ .mapped = false };
}

static void do_protect(unsigned int at, unsigned int n)
{
	int prot = random_prot(), r = mprotect(window + at * PAGE, n * PAGE, prot);
	unsigned int i;

	/* Up to a hole it is done, then ENOMEM. */
	for (i = at; i < at + n && model[i].mapped; i++)
		model[i].prot = prot;
	if ((r == 0) != (i == at + n))
		DIFFER("mprotect's answer is wrong", at);
}

static void do_dontneed(unsigned int at, unsigned int n)
{
	bool hole = false;
	int r = madvise(window + at * PAGE, n * PAGE, MADV_DONTNEED);

	for (unsigned int i = at; i < at + n; i++) {
		hole |= !model[i].mapped;
		if (!model[i].shared)
			model[i].first = model[i].last = 0;
	}
	if ((r == 0) == hole)
		DIFFER("madvise's answer is wrong", at);
}

/* One page moved, or two exchanged places by way of a third; a move wants one whole mapping. */
static void do_move(unsigned int from, unsigned int to)
{
	if (from == to || !model[from].mapped)
		return;
	if (mremap(window + from * PAGE, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED,
		   window + to * PAGE) == MAP_FAILED)
		DIFFER("mremap failed", from);
	model[to] = model[from];
	model[from] = (struct page){ .mapped = false };
}

static void check_all(void)
{
	for (unsigned int i = 0; i < PAGES; i++)
		check_page(i);
}

/*
 * A child goes its own way for some steps, then the parent's view is checked. What they share
 * is left alone by the child, so that the parent's model stays true.
 */
static void do_fork(void)
{
	pid_t pid = xfork();
	uint32_t spare = seed;

	if (!pid) {
		check_all();
		for (unsigned int k = 0; k < 30; k++) {
			unsigned int i = prng(&seed) % PAGES;

			if (!model[i].shared)
				write_page(i);
		}
		check_all();
		do_unmap(0, PAGES / 2);
		check_all();
		_exit(0);
	}
	/* Both at once, on purpose. */
	for (unsigned int k = 0; k < 10; k++) {
		unsigned int i = prng(&spare) % PAGES;

		if (!model[i].shared)
			write_page(i);
	}
	expect_exit(pid, 0);
	check_all();
}

static void walk(unsigned int number)
{
	seed_no = number;
	seed = number * 2654435761u + 1;
	window = xmmap(PAGES * PAGE, PROT_NONE);
	memset(model, 0, sizeof(model));
	for (unsigned int i = 0; i < PAGES; i++)
		model[i].mapped = true;
	signal(SIGSEGV, on_fault);
	for (step_no = 0; step_no < (unsigned int)rounds(1500); step_no++) {
		unsigned int at = prng(&seed) % PAGES, n = prng(&seed) % 8 + 1;

		if (at + n > PAGES)
			n = PAGES - at;
		switch (prng(&seed) % 40) {
		case 0: case 1: case 2: case 3:
			do_map(at, n);
			break;
		case 4: case 5:
			do_unmap(at, n);
			break;
		case 6: case 7: case 8: case 9:
			do_protect(at, n);
			break;
		case 10: case 11:
			do_dontneed(at, n);
			break;
		case 12: case 13:
			do_move(at, prng(&seed) % PAGES);
			break;
		case 14:
			if (step_no % 8 == 0)
				do_fork();
			break;
		case 15: case 16: case 17: case 18: case 19: case 20:
			check_page(at);
			break;
		default:
			write_page(at);
		}
	}
	check_all();
	CHECK_SYS(munmap(window, PAGES * PAGE));
}

static void seeds_1_to_4(void)
{
	for (unsigned int i = 1; i <= 4; i++)
		walk(i);
}

/* Several at once: the addresses are the same in each, the contents are not. */
static void at_once(void)
{
	pid_t pid[4];

	for (unsigned int i = 0; i < 4; i++) {
		pid[i] = xfork();
		if (!pid[i]) {
			walk(10 + i);
			_exit(0);
		}
	}
	for (unsigned int i = 0; i < 4; i++)
		expect_exit(pid[i], 0);
}

const struct test mmrand_tests[] = {
	{ "mmrand-walks", seeds_1_to_4, 0 },
	{ "mmrand-at-once", at_once, 0 },
	{ NULL, NULL, 0 },
};
