// SPDX-License-Identifier: GPL-2.0
/*
 * plex86: run a Linux guest kernel in an ordinary process.  This file is the
 * table of verbs.
 */
#include "launcher.h"

#include <fcntl.h>
#include <stdarg.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* One line to standard error, which looks right on a raw terminal as well. */
void complain(const char *format, ...)
{
	va_list args;

	fputs(terminal_is_raw() ? "\rplex86: " : "plex86: ", stderr);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputs(terminal_is_raw() ? "\r\n" : "\n", stderr);
}

/* CLOCK_MONOTONIC in nanoseconds. */
u64 now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (u64)ts.tv_sec * 1000000000ull + (u64)ts.tv_nsec;
}

static int verb_version(int argc, char **argv)
{
	(void)argc;
	(void)argv;
	printf("plex86 %s (guest ABI %d.%d)\n", PLEX86_VERSION,
	       PLEX86_ABI_MAJOR, PLEX86_ABI_MINOR);
	return 0;
}

static int verb_help(int argc, char **argv)
{
	(void)argc;
	(void)argv;
	puts("plex86 runs a Linux kernel made for it in an ordinary process:\n"
	     "no hardware virtualization, no kernel module, no root.\n"
	     "\n"
	     "  plex86 run --kernel FILE [OPTION...]   boot a guest\n"
	     "  plex86 check FILE                      is a kernel ready for it?\n"
	     "  plex86 control SOCKET COMMAND...       tell a running one, see --control\n"
	     "  plex86 host                            say what this machine offers\n"
	     "  plex86 version                         print the version\n"
	     "  plex86 help                            print this\n"
	     "\n"
	     "Options of run:");
	options_help(stdout);
	puts("\n"
	     "Options of check: see 'plex86 check --help'.\n"
	     "\n"
	     "On the guest's console Ctrl-A is the escape: Ctrl-A x quits, Ctrl-A h\n"
	     "lists the others.\n"
	     "\n"
	     "Exit status: 0 the guest powered off, or was quit; 64-127 it powered off\n"
	     "with a status of its own; 1 the host could not start it or go on; 3 it crashed;\n"
	     "128+N ended by signal N.");
	return 0;
}

static const struct {
	const char *name;
	int (*run)(int argc, char **argv);
	bool alone;		/* takes no argument */
} verbs[] = {
	{ "run", verb_run, false },
	{ "check", verb_check, false },
	{ "control", verb_control, false },
	{ "host", verb_host, true },
	{ "version", verb_version, true },
	{ "--version", verb_version, true },
	{ "help", verb_help, true },
	{ "--help", verb_help, true },
	{ "-h", verb_help, true },
};

/* No file of ours shall take the place of a standard stream that is closed. */
static void fill_streams(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd >= 0)
		close(fd);
}

int main(int argc, char **argv)
{
	size_t i;

	fill_streams();
	if (argc < 2) {
		complain("nothing to do; see 'plex86 help'");
		return EXIT_CANNOT;
	}
	for (i = 2; i < (size_t)argc; i++)
		if (!strcmp(argv[i], "--help") || !strcmp(argv[i], "-h"))
			return strcmp(argv[1], "check") ?
				verb_help(0, NULL) : verb_check_help();
	for (i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++) {
		if (strcmp(argv[1], verbs[i].name))
			continue;
		if (verbs[i].alone && argc > 2) {
			complain("%s: 'plex86 %s' takes no argument", argv[2],
				 argv[1]);
			return EXIT_CANNOT;
		}
		return verbs[i].run(argc - 2, argv + 2);
	}
	complain("%s: no such command; see 'plex86 help'", argv[1]);
	return EXIT_CANNOT;
}
