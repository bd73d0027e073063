// SPDX-License-Identifier: GPL-2.0
/*
 * bench32 - the program tools/bench measures with, on the bare host, in the
 * guest and under an emulator: one static 32-bit binary, so that all run the
 * same instructions.
 *
 * It prints one line of JSON for each row, the first of a run being
 * {"bench": ...}; lines that begin otherwise are somebody else's (a kernel's,
 * on a console).  As process 1 it prints {"init": true} before anything else,
 * takes its options from the environment variable BENCH32 (which the kernel's
 * command line sets), prints {"end": ...} when done and ends the machine; or
 * it stays, as --stay says, and prints {"stay": ...}.
 *
 * This file owns options, measuring and reporting; the rows are in rows.c, what
 * stays is in stay.c.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "bench32.h"

#define WALK_MIB_MAX	256
#define BATCHES_MAX	1000
#define ROW_SECONDS_MAX	120	/* then the row is taken to hang */

struct options options = {
	.cpu = -1,
	.batches = 9,
	.batch_ms = 20,
};

static const struct row *current;

uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + ts.tv_nsec;
}

static void report_failure(const char *row, const char *what, const char *why)
{
	printf("{\"row\": \"%s\", \"error\": \"%s%s%s\"}\n", row, what,
	       *why ? ": " : "", why);
	fflush(stdout);
}

void fail(const char *what)
{
	report_failure(current->name, what, errno ? strerror(errno) : "");
	_exit(1);
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/*
 * The number of units that take about a batch's time here.  Finding it is also
 * the warm-up.  The better of two runs counts: one may be held up by others,
 * and would make the batches too small.
 */
static unsigned long calibrate(const struct row *row, unsigned long grain)
{
	uint64_t batch_ns = options.batch_ms * 1000000ull, took, again;
	unsigned long n = grain;

	for (;;) {
		took = row->run(n);
		again = row->run(n);
		if (again < took)
			took = again;
		if (took >= batch_ns / 4)
			break;
		n *= 2;
	}
	n = (uint64_t)n * batch_ns / took / grain * grain;
	return n ? n : grain;
}

static void measure(const struct row *row)
{
	unsigned long grain = row->grain ? row->grain : 1, n;
	double ns[BATCHES_MAX];
	long i, count = options.batches;

	current = row;
	errno = 0;
	alarm(ROW_SECONDS_MAX);
	if (row->setup)
		row->setup();
	n = calibrate(row, grain);
	for (i = 0; i < count; i++)
		ns[i] = (double)row->run(n) / n;
	qsort(ns, count, sizeof(ns[0]), compare);
	printf("{\"row\": \"%s\", \"unit\": \"%s\", \"ns\": %.2f, "
	       "\"min\": %.2f, \"max\": %.2f, \"batches\": %ld, \"n\": %lu",
	       row->name, row->unit,
	       (ns[(count - 1) / 2] + ns[count / 2]) / 2,
	       ns[0], ns[count - 1], count, n);
	if (row->check)
		printf(", \"check\": \"%08x\"", row->check());
	puts("}");
	fflush(stdout);
}

/* Each row in a process of its own: none inherits what another left. */
static bool measure_apart(const struct row *row)
{
	char why[64] = "";
	int status;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (!pid) {
		measure(row);
		_exit(0);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid) {
		report_failure(row->name, "fork", strerror(errno));
		return false;
	}
	if (WIFSIGNALED(status)) {
		snprintf(why, sizeof(why), "ended by signal %d",
			 WTERMSIG(status));
		report_failure(row->name, why, "");
	}
	return status == 0;
}

static bool wanted(const char *name)
{
	const char *list = options.rows, *hit;
	size_t len = strlen(name);

	if (!list)
		return true;
	for (hit = list; (hit = strstr(hit, name)); hit += len)
		if ((hit == list || hit[-1] == ',') &&
		    (hit[len] == ',' || !hit[len]))
			return true;
	return false;
}

/* The largest power of two that leaves half of the memory to others. */
static long walk_mib_default(void)
{
	struct sysinfo info;
	uint64_t half;
	long mib = WALK_MIB_MAX;

	if (sysinfo(&info))
		return 1;
	half = (uint64_t)info.totalram * info.mem_unit / 2;
	while (mib > 1 && (uint64_t)mib << 20 > half)
		mib /= 2;
	return mib;
}

static int measure_all(void)
{
	const struct row *row;
	struct utsname name;
	cpu_set_t set;
	int failed = 0;

	if (options.cpu >= 0) {
		CPU_ZERO(&set);
		CPU_SET(options.cpu, &set);
		if (sched_setaffinity(0, sizeof(set), &set)) {
			fprintf(stderr, "bench32: --cpu %ld: %s\n",
				options.cpu, strerror(errno));
			return 2;
		}
	}
	if (!options.walk_mib)
		options.walk_mib = walk_mib_default();
	uname(&name);
	printf("{\"bench\": {\"kernel\": \"%s\", \"machine\": \"%s\", \"walk_mib\": %ld}}\n",
	       name.release, name.machine, options.walk_mib);
	for (row = rows; row->name; row++)
		if (wanted(row->name) && !measure_apart(row))
			failed = 1;
	return failed;
}

/*
 * The rate of the time stamp counter, for a machine whose kernel has nothing
 * else to tell it by.
 */
static int print_tsc_khz(void)
{
	uint64_t start = now_ns(), ticks = __builtin_ia32_rdtsc(), ns;

	do
		ns = now_ns() - start;
	while (ns < 200000000);
	ticks = __builtin_ia32_rdtsc() - ticks;
	printf("%llu\n", (unsigned long long)(ticks * 1000000 / ns));
	return 0;
}

/* Options: a name, whether it takes a value, where that goes, its bounds. */
static const struct {
	const char *name;
	long *number, min, max;
	const char **text;
	int *flag;
	const char *help;
} known_options[] = {
	{ "--cpu", &options.cpu, 0, CPU_SETSIZE - 1,
	  .help = "N        run on processor N only" },
	{ "--batches", &options.batches, 1, BATCHES_MAX,
	  .help = "N    batches a row is measured in" },
	{ "--batch-ms", &options.batch_ms, 1, 10000,
	  .help = "N   about what a batch takes" },
	{ "--walk-mib", &options.walk_mib, 1, WALK_MIB_MAX,
	  .help = "N   memory to walk over, a power of two" },
	{ "--rows", .text = &options.rows,
	  .help = "A,B,..  only these rows" },
	{ "--tsc-khz", .flag = &options.tsc_khz,
	  .help = "      print the time stamp counter's rate, no rows" },
	{ "--boot", .flag = &options.boot,
	  .help = "         as init: end the machine at once" },
	{ "--stay", .text = &options.stay,
	  .help = "WHAT    as init: stay busy, idle, or loaded (after the rows)" },
	{ "--restart", .flag = &options.restart,
	  .help = "      as init: end it by a restart" },
};

#define NR_OPTIONS (sizeof(known_options) / sizeof(known_options[0]))

static int usage(void)
{
	const struct row *row;
	size_t i;

	fputs("usage: bench32 [OPTION...]\n", stderr);
	for (i = 0; i < NR_OPTIONS; i++)
		fprintf(stderr, "  %s %s\n", known_options[i].name,
			known_options[i].help);
	fputs("rows:", stderr);
	for (row = rows; row->name; row++)
		fprintf(stderr, " %s", row->name);
	fputs("\n", stderr);
	return 2;
}

static bool parse(char **args)
{
	size_t i;
	char *end;

	for (; *args; args++) {
		for (i = 0; i < NR_OPTIONS; i++)
			if (!strcmp(*args, known_options[i].name))
				break;
		if (i == NR_OPTIONS)
			return false;
		if (known_options[i].flag) {
			*known_options[i].flag = 1;
			continue;
		}
		if (!*++args)
			return false;
		if (known_options[i].text) {
			*known_options[i].text = *args;
			continue;
		}
		*known_options[i].number = strtol(*args, &end, 10);
		if (end == *args || *end ||
		    *known_options[i].number < known_options[i].min ||
		    *known_options[i].number > known_options[i].max)
			return false;
	}
	return !(options.walk_mib & (options.walk_mib - 1));
}

/*
 * As process 1.  The rows are run by a child, since process 1 is treated
 * specially by signals and adopts orphans.
 */
static int init(void)
{
	static const char marker[] = "{\"init\": true}\n";
	char *args[32], *text = getenv("BENCH32");
	int count = 0, status = 0;
	pid_t pid;

	if (write(1, marker, sizeof(marker) - 1) < 0)
		status = 1;
	for (text = strtok(text ? text : "", " "); text && count < 31;
	     text = strtok(NULL, " "))
		args[count++] = text;
	args[count] = NULL;
	if (!parse(args)) {
		status = usage();
	} else if (!options.boot) {
		mkdir("/dev", 0755);
		mount("dev", "/dev", "devtmpfs", 0, NULL);
		if (options.stay && strcmp(options.stay, "loaded"))
			stay(options.stay);
		pid = fork();
		if (!pid)
			exit(measure_all());
		if (pid < 0 || waitpid(pid, &status, 0) != pid)
			status = -1;
		else if (WIFEXITED(status))
			status = WEXITSTATUS(status);
		if (options.stay && !status)
			stay(options.stay);
	}
	printf("{\"end\": %d}\n", status);
	fflush(stdout);
	tcdrain(1);
	sync();
	reboot(options.restart ? RB_AUTOBOOT : RB_POWER_OFF);
	for (;;)
		pause();
}

int main(int argc, char **argv)
{
	if (argc == 2 && !strcmp(argv[1], EXIT_AT_ONCE))
		return 0;
	if (getpid() == 1)
		return init();
	if (!parse(argv + 1))
		return usage();
	return options.tsc_khz ? print_tsc_khz() : measure_all();
}
