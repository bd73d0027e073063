// SPDX-License-Identifier: GPL-2.0
/*
 * attack: a program in a guest that wants what is its kernel's or its monitor's.
 *
 * Owns the command line, and the canary: another process of the guest's, whose memory and vector
 * registers must be the same after each test. Runs in a guest only: on a bare host many of its
 * tries are nothing unusual.
 */
#include "attack.h"

#include <fcntl.h>
#include <poll.h>

#define CANARY_PAGES	64u

struct range host_maps[LIST_MAX];
unsigned int host_maps_n, loaders_n;
uint32_t loaders[LIST_MAX], sweep_from, random_from, random_count;

/* --- the canary --------------------------------------------------------------------------- */

static int ask[2], answer[2];

static bool vectors_kept(uint32_t seconds)
{
	static const uint32_t want[4] = { 0xcafe0001, 0xcafe0002, 0xcafe0003, 0xcafe0004 };
	uint32_t got[4];

	/* Held in a register through whatever the others do in the meantime. */
	__asm__ volatile("movups %1, %%xmm5\n\t"
			 "movups %1, %%xmm7\n\t"
			 "1: movl $162, %%eax\n\t"	/* nanosleep(ts, 0) */
			 "int $0x80\n\t"
			 "subl $1, %2\n\t"
			 "jnz 1b\n\t"
			 "pxor %%xmm5, %%xmm7\n\t"
			 "movups %%xmm5, %0\n\t"
			 "por %%xmm7, %%xmm5\n\t"
			 : "=m"(got)
			 : "m"(want), "S"(seconds), "b"(&(struct timespec){ 0, 1000000 }), "c"(0)
			 : "eax", "memory", "cc");
	return !memcmp(got, want, sizeof(want));
}

static void canary(void)
{
	uint32_t *p = xmmap(CANARY_PAGES * PAGE, PROT_READ | PROT_WRITE);
	char c;

	for (uint32_t i = 0; i < CANARY_PAGES * PAGE / 4; i++)
		p[i] = i * 2654435761u;
	for (;;) {
		struct pollfd fd = { ask[0], POLLIN, 0 };
		char verdict = 'y';

		if (!vectors_kept(3))
			verdict = 'v';
		if (!poll(&fd, 1, 0) && verdict == 'y')
			continue;
		if (read(ask[0], &c, 1) != 1)
			_exit(0);
		for (uint32_t i = 0; i < CANARY_PAGES * PAGE / 4; i++)
			if (p[i] != i * 2654435761u)
				verdict = 'm';
		if (write(answer[1], &verdict, 1) != 1)
			_exit(1);
	}
}

static void before(void)
{
	static const unsigned char int1[] __attribute__((section(".text.int1"))) = { 0xf1, 0xc3 };
	struct regs r = { .eflags = FL_BASE };
	uint32_t pkru = read_pkru();
	struct fault f;

	/* It does not know INT1. */
	emulated = fault_call(&f, &r, int1) && f.sig == SIGILL;
	keys = pkru == PKRU_USER;
	if (keys_wanted && !keys) {
		printf("not ok rights: PKRU is 0x%x, not 0x%x\n", pkru, PKRU_USER);
		exit(1);
	}
	if (pipe2(ask, O_CLOEXEC) || pipe2(answer, O_CLOEXEC)) {
		perror("attack: pipe");
		exit(2);
	}
	if (!fork()) {
		close(ask[1]);
		close(answer[0]);
		canary();
	}
	close(ask[0]);
	close(answer[1]);
}

static const char *after(void)
{
	struct pollfd fd = { answer[0], POLLIN, 0 };
	char verdict = 0;

	if (write(ask[1], "?", 1) != 1 || poll(&fd, 1, 20000) != 1 ||
	    read(answer[0], &verdict, 1) != 1)
		return "another process is gone";
	if (verdict == 'v')
		return "another process has other vector registers";
	if (verdict == 'm')
		return "another process has other memory";
	return NULL;
}

/* --- the command line --------------------------------------------------------------------- */

static int usage(const char *text)
{
	fprintf(stderr, "attack: %s; see attack --help\n", text);
	exit(2);
}

static void read_maps(const char *name)
{
	FILE *f = fopen(name, "r");
	unsigned long long from, to;
	char line[300], rights[8];

	if (!f)
		usage("--maps: no such file");
	while (fgets(line, sizeof(line), f) && host_maps_n < LIST_MAX)
		if (sscanf(line, "%llx-%llx %7s", &from, &to, rights) == 3)
			host_maps[host_maps_n++] = (struct range){
				from, to, rights[1] == 'w', rights[2] == 'x'
			};
	fclose(f);
}

static void read_loaders(const char *name)
{
	FILE *f = fopen(name, "r");

	if (!f)
		usage("--loaders: no such file");
	while (loaders_n < LIST_MAX && fscanf(f, "%x", &loaders[loaders_n]) == 1)
		loaders_n++;
	fclose(f);
}

static int option(int argc, char **argv)
{
	if (!strcmp(argv[0], "--keys")) {
		keys_wanted = true;
		return 1;
	}
	if (!strcmp(argv[0], "--old-host")) {
		old_host = true;
		return 1;
	}
	if (!strcmp(argv[0], "--trace")) {
		trace = true;
		return 1;
	}
	if (argc > 1 && !strcmp(argv[0], "--seed")) {
		seed = strtoull(argv[1], NULL, 0);
		return 2;
	}
	if (argc > 1 && !strcmp(argv[0], "--from")) {
		sweep_from = (uint32_t)strtoul(argv[1], NULL, 0);
		return 2;
	}
	if (argc > 1 && !strcmp(argv[0], "--maps")) {
		read_maps(argv[1]);
		return 2;
	}
	if (argc > 1 && !strcmp(argv[0], "--loaders")) {
		read_loaders(argv[1]);
		return 2;
	}
	if (argc > 2 && !strcmp(argv[0], "--random")) {
		random_from = (uint32_t)strtoul(argv[1], NULL, 0);
		random_count = (uint32_t)strtoul(argv[2], NULL, 0);
		return 3;
	}
	return 0;
}

static const struct test *const areas[] = {
	call_tests, gates_tests, half_tests, stack_tests, maps_tests, frame_tests, ends_tests,
	pkru_tests, random_tests, NULL,
};

/* Here for the help; option() takes them. */
static const struct mode modes[] = {
	{ "--keys", "", "PKRU must be a guest program's: keys are in use", NULL },
	{ "--old-host", "", "the host's Linux is before 6.12: leave out what ends a guest there", NULL },
	{ "--seed", "N", "of all that is random (1)", NULL },
	{ "--from", "N", "leave out the first N of tries that are numbered", NULL },
	{ "--trace", "", "say each try before it: the last is the one that ended everything", NULL },
	{ "--maps", "FILE", "/proc/PID/maps of the host's processes", NULL },
	{ "--loaders", "FILE", "addresses of kernel text that loads PKRU", NULL },
	{ "--random", "N M", "M random programs, from number N on", NULL },
	{ NULL, NULL, NULL, NULL },
};

const struct suite suite = {
	.name = "attack", .areas = areas, .modes = modes, .option = option, .before = before,
	.after = after,
};
