// SPDX-License-Identifier: GPL-2.0
/*
 * conform: the same program on the bare host and inside the guest, the same lines expected.
 */
#include "conform.h"

static const struct test *const areas[] = {
	proc_tests, exec_tests, thread_tests, futex_tests, tls_tests, fault_tests,
	pagefault_tests, step_tests, flags_tests, sysabi_tests, restart_tests, signal_tests,
	sigframe_tests, mm_tests, mmrand_tests, jit_tests, uaccess_tests, fpu_tests,
	clock_tests, timer_tests, ptrace_tests, limit_tests, io_tests, fs_tests, ipc_tests,
	seccomp_tests, NULL,
};

static const struct mode modes[] = {
	{ "--winsize", "[N]", "print `winsize ROWSxCOLS` of stdin now and at each SIGWINCH,\n"
	  "                     until N changes or a line on stdin", mode_winsize },
	{ "--sink", "BYTES", "raw stdin: print `ready`, read BYTES, print their CRC-32", mode_sink },
	{ "--source", "BYTES", "raw stdout: write BYTES of the pattern, then their CRC-32",
	  mode_source },
	{ "--exec-helper", NULL, NULL, mode_exec_helper },
	{ NULL, NULL, NULL, NULL },
};

const struct suite suite = { .name = "conform", .areas = areas, .modes = modes };
