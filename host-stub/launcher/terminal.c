// SPDX-License-Identifier: GPL-2.0
/*
 * The terminal's mode: raw while a guest has it, and as it was on every way
 * out, fatal signals included.
 */
#include "launcher.h"

#include <signal.h>
#include <stdlib.h>
#include <termios.h>
#include <unistd.h>

/* A signal handler must reach it, so it cannot hang on a context. */
static struct {
	int fd;
	volatile sig_atomic_t changed;
	struct termios saved;
} terminal = { .fd = -1 };

void terminal_restore(void)
{
	if (!terminal.changed)
		return;
	terminal.changed = 0;
	tcsetattr(terminal.fd, TCSADRAIN, &terminal.saved);
}

/* terminal_is_raw() - is a line ended by CR and LF just now? */
bool terminal_is_raw(void)
{
	return terminal.changed;
}

static void fatal(int signal_number)
{
	terminal_restore();
	raise(signal_number);
}

static int set_raw(void)
{
	struct termios raw = terminal.saved;

	cfmakeraw(&raw);
	raw.c_cc[VMIN] = 1;
	raw.c_cc[VTIME] = 0;
	return tcsetattr(terminal.fd, TCSADRAIN, &raw);
}

/*
 * terminal_raw() - put the terminal @fd into raw mode
 *
 * Returns 0, or -1 if it is no terminal or refuses.
 */
int terminal_raw(int fd)
{
	static const int signals[] = { SIGSEGV, SIGBUS, SIGABRT, SIGFPE, SIGILL };
	struct sigaction action = {
		.sa_handler = fatal,
		.sa_flags = (int)SA_RESETHAND,
	};
	size_t i;

	if (terminal.changed)
		return 0;
	if (tcgetattr(fd, &terminal.saved))
		return -1;
	terminal.fd = fd;
	for (i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		sigaction(signals[i], &action, NULL);
	atexit(terminal_restore);

	terminal.changed = 1;
	if (set_raw()) {
		terminal.changed = 0;
		return -1;
	}
	keeper_terminal(&terminal.saved);
	return 0;
}

/*
 * terminal_continued() - after SIGCONT: a shell that had the terminal in the
 * meantime left it in a mode of its own
 */
void terminal_continued(void)
{
	if (terminal.changed)
		set_raw();
}
