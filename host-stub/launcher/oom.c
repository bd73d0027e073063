// SPDX-License-Identifier: GPL-2.0
/*
 * When the host is out of memory its kernel kills processes.  Of a VM it shall
 * kill a space first, for then the launcher is left to say what happened.
 *
 * Owns two files of /proc, opened before the launcher gives up opening files.
 */
#include "launcher.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* oom_score_adj of a process that is to be killed before all others. */
#define SCORE_FIRST	"1000"

/* What was killed longer ago than two looks is no reason for what ends now. */
#define LOOK_NS		10000000000ull

/* How many processes the host's kernel has killed so far; 0 if it does not say. */
static u64 kills(const struct oom *oom)
{
	static const char key[] = "\noom_kill ";
	char text[16384];
	ssize_t bytes = pread(oom->vmstat_fd, text, sizeof(text) - 1, 0);
	const char *at;

	if (bytes <= 0)
		return 0;
	text[bytes] = 0;
	at = strstr(text, key);
	return at ? strtoull(at + strlen(key), NULL, 10) : 0;
}

/*
 * oom_open() - remember how things are
 *
 * Where /proc is not to be had nothing comes of the other functions.
 */
void oom_open(struct oom *oom)
{
	ssize_t bytes = -1;

	oom->score_fd = open("/proc/self/oom_score_adj", O_RDWR | O_CLOEXEC);
	oom->vmstat_fd = open("/proc/vmstat", O_RDONLY | O_CLOEXEC);
	if (oom->score_fd >= 0)
		bytes = pread(oom->score_fd, oom->score,
			      sizeof(oom->score) - 1, 0);
	oom->score[bytes > 0 ? bytes : 0] = 0;
	oom->kills = kills(oom);
	oom->kills_before = oom->kills;
	oom->look_ns = now_ns() + LOOK_NS;
}

/*
 * oom_first() - have processes that are forked from now on be killed first; or,
 * not @on, like this one
 */
void oom_first(const struct oom *oom, bool on)
{
	const char *score = on ? SCORE_FIRST : oom->score;

	/* A score may always be raised, and lowered to what it was. */
	if (*oom->score && pwrite(oom->score_fd, score, strlen(score), 0) < 0)
		complain("oom_score_adj: cannot be set to %s: %s", score,
			 strerror(errno));
}

/* oom_look() - to be called now and then, so that oom_killed() speaks of lately */
void oom_look(struct oom *oom)
{
	u64 now = now_ns();

	if (now < oom->look_ns)
		return;
	oom->kills_before = oom->kills;
	oom->kills = kills(oom);
	oom->look_ns = now + LOOK_NS;
}

/* oom_killed() - has the host's kernel killed processes since the last look but one? */
bool oom_killed(const struct oom *oom)
{
	return kills(oom) > oom->kills_before;
}

void oom_close(struct oom *oom)
{
	if (oom->score_fd >= 0)
		close(oom->score_fd);
	if (oom->vmstat_fd >= 0)
		close(oom->vmstat_fd);
}
