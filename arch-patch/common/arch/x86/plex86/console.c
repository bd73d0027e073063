// SPDX-License-Identifier: GPL-2.0
/*
 * The early console: every message from the first on, with nothing on the
 * command line.  It writes by HAL call, some 2 us each, and leaves when halcon
 * registers hvc0, which is the default console.
 */
#include <linux/console.h>
#include <linux/minmax.h>
#include <asm/page.h>
#include <asm/plex86_call.h>

#include "plex86.h"

/* One message, with the line ends that a terminal wants. */
static void plex86_early_write(struct console *con, const char *s,
			       unsigned int n)
{
	static char line[256];	/* in the linear map; the console lock guards it */
	unsigned int i = 0;

	while (n--) {
		if (*s == '\n')
			line[i++] = '\r';
		line[i++] = *s++;
		if (!n || i >= sizeof(line) - 1) {
			plex86_call(PLEX86_CALL_WRITE, __pa(line), i, 0, 0, 0);
			i = 0;
		}
	}
}

static struct console plex86_early_console = {
	.name	= "early",
	.write	= plex86_early_write,
	.flags	= CON_PRINTBUFFER | CON_BOOT | CON_ANYTIME,
	.index	= -1,
};

/*
 * Before the command line is read, so that a console= there still has the last
 * word.
 */
void __init plex86_console_init(void)
{
	register_console(&plex86_early_console);
	add_preferred_console("hvc", 0, NULL);
}
