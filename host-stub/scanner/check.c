// SPDX-License-Identifier: GPL-2.0
/*
 * `plex86 check`: is a kernel ready for plex86 hosts? And the same question as
 * `plex86 run` asks it.
 */
#include "scanner.h"
#include "launcher.h"

#include <errno.h>
#include <string.h>

enum {
	EXIT_CERTIFIED = 0,
	EXIT_UNREADABLE = 1,
	EXIT_FAULTS = 2,
};

struct check_options {
	const char *kernel;
	const char *certificate;	/* write one there */
	bool json, all;
};

static void help(void)
{
	puts("plex86 check - is a kernel ready for plex86 hosts?\n"
	     "\n"
	     "  plex86 check [OPTION...] FILE\n"
	     "\n"
	     "FILE is a kernel's vmlinux or bzImage, made for plex86 or not. It is taken\n"
	     "apart, not run. Looked at are the plex86 note and the version of the guest\n"
	     "ABI, the recorded sites, the options it was configured with, and each\n"
	     "instruction of its executable sections. Those that are privileged, or that\n"
	     "fail without a trap at CPL 3, are\n"
	     "\n"
	     "  site          part of a recorded site, which the host rewrites\n"
	     "  emulated      trapped, and done by the host\n"
	     "  native        right as they are: what they do the guest ABI says\n"
	     "  unreachable   not executed: an option of the configuration or a CPU\n"
	     "                feature that is not offered keeps the kernel from it\n"
	     "  fault         none of these\n"
	     "\n"
	     "A kernel without a fault is certified. WRPKRU and XRSTOR are looked for at\n"
	     "any byte, since code can be entered at any: where they are no site, it is\n"
	     "said what a host with protection keys does about them.\n"
	     "\n"
	     "Options:\n"
	     "  --all                list every such instruction, not only faults\n"
	     "  --json               print JSON, with every such instruction\n"
	     "  --certificate FILE   write a certificate there, if it is certified.\n"
	     "                       'plex86 run --kernel K' looks for K" CERTIFICATE_SUFFIX "\n"
	     "\n"
	     "A bzImage has no names of functions, which is needed to tell that some\n"
	     "code is unreachable; and 'plex86 run' wants the vmlinux.\n"
	     "\n"
	     "Exit status: 0 certified; 1 the file cannot be read, or what was asked for\n"
	     "not be done; 2 not virtualizable.");
}

/* 0, or -1 after saying what is wrong. */
static int parse(struct check_options *o, int argc, char **argv)
{
	bool words_only = false;
	int i;

	for (i = 0; i < argc; i++) {
		const char *word = argv[i];

		if (!words_only && !strcmp(word, "--")) {
			words_only = true;
		} else if (!words_only && !strcmp(word, "--json")) {
			o->json = true;
		} else if (!words_only && !strcmp(word, "--all")) {
			o->all = true;
		} else if (!words_only && !strncmp(word, "--certificate=", 14)) {
			o->certificate = word + 14;
		} else if (!words_only && !strcmp(word, "--certificate")) {
			if (++i == argc) {
				complain("--certificate wants a value: FILE");
				return -1;
			}
			o->certificate = argv[i];
		} else if (!words_only && *word == '-') {
			complain("%s: no such option; see 'plex86 check --help'",
				 word);
			return -1;
		} else if (o->kernel) {
			complain("%s: one file at a time", word);
			return -1;
		} else {
			o->kernel = word;
		}
	}
	if (!o->kernel) {
		complain("no file: say plex86 check FILE, a kernel's vmlinux or bzImage");
		return -1;
	}
	return 0;
}

static int show(const struct check_options *o, const struct file *file,
		const struct kernel *kernel, const struct report *report)
{
	struct print p = {
		.name = o->kernel, .kernel = kernel, .report = report,
		.all = o->all,
	};
	int status = report_certified(report) ? EXIT_CERTIFIED : EXIT_FAULTS;
	int bad = 0;

	p.lines = kernel->foreign ? NULL : lines_open(kernel);
	if (o->json)
		bad = print_json(&p);
	else
		print_text(&p);
	if (fflush(stdout) || ferror(stdout) || bad) {
		complain("standard output: %s", strerror(errno));
		status = EXIT_UNREADABLE;
	} else if (o->certificate && status == EXIT_CERTIFIED) {
		const char *error = certificate_write(o->certificate, &p, file);

		if (error) {
			complain("--certificate %s: %s", o->certificate, error);
			status = EXIT_UNREADABLE;
		}
	}
	lines_close(p.lines);
	return status;
}

/* verb_check() - `plex86 check`; returns the exit status */
int verb_check(int argc, char **argv)
{
	struct check_options o = { 0 };
	int status = EXIT_UNREADABLE;
	struct report report = { 0 };
	struct kernel kernel = { 0 };
	struct file file = { 0 };
	const char *error;

	if (parse(&o, argc, argv))
		return EXIT_UNREADABLE;
	error = file_read(&file, o.kernel, KERNEL_MAX_BYTES);
	if (!error)
		error = kernel_open(&kernel, file.data, file.bytes);
	if (!error && scan(&kernel, &report))
		error = "too large for this machine's memory";
	if (error)
		complain("%s: %s", o.kernel, error);
	else
		status = show(&o, &file, &kernel, &report);
	report_free(&report);
	kernel_close(&kernel);
	file_drop(&file);
	return status;
}

/* verb_check_help() - `plex86 check --help` */
int verb_check_help(void)
{
	help();
	return 0;
}

/*
 * check_run() - may `plex86 run` boot a kernel file?
 * @name: of the file
 * @file, @bytes: what was read of it, and is an image by image_check()
 *
 * A certificate beside it is believed; else it is scanned. Returns 0, or -1
 * after saying why not.
 */
int check_run(const char *name, const u8 *file, u64 bytes)
{
	struct report report = { 0 };
	struct kernel kernel;
	const char *error;
	int ret = -1;

	if (certificate_holds(name, file, bytes))
		return 0;
	error = kernel_open(&kernel, file, bytes);
	if (!error && scan(&kernel, &report))
		error = "too large for this machine's memory";
	if (error) {
		complain("kernel: %s: %s", name, error);
	} else if (report_certified(&report)) {
		ret = 0;
	} else if (report.problems) {
		complain("kernel: %s: %s%s; see 'plex86 check', or say --unchecked",
			 name, report.problem[0].text,
			 report.problems > 1 ? ", and more" : "");
	} else {
		complain("kernel: %s: not virtualizable: %u of its instructions would go wrong; see 'plex86 check', or say --unchecked",
			 name, report.verdicts[VERDICT_FAULT]);
	}
	report_free(&report);
	kernel_close(&kernel);
	return ret;
}
