/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The jail: what keeps a monitor, or a back end, that was taken over from the
 * host; docs/security.md.
 */
#ifndef LAUNCHER_JAIL_H
#define LAUNCHER_JAIL_H

#include <linux/filter.h>
#include <sys/stat.h>
#include <termios.h>

#include "types.h"

struct options;
struct waits;
struct vm_context;

/* The descriptors of a space, and how it is forked. */
#define SPACE_STATE_FD	3
#define SPACE_RAM_FD	4
#define SPACE_DOORBELL_FD 5
#define SPACE_CLONE	(CLONE_PIDFD | SIGCHLD)

#define PATH_MAX_BYTES	4096u	/* of a file's name, with its end */

/* jail.c */
struct jail {
	/* What spaces run under, but for their process IDs; NULL: no filter. */
	struct sock_filter *space;
	u32 space_insns;

	int *inherited;		/* descriptors that are to be closed */
	u32 inherited_fds;
};

/* jail.c */
int jail_note_inherited(struct vm_context *ctx);
int jail_shut(struct vm_context *ctx);
void jail_limit_space(const struct vm_context *ctx);
void jail_space_filter(const struct vm_context *ctx, const u32 *pid);
bool jail_has_seccomp(const struct options *options);
int jail_shut_keeper(const struct options *options, const char *const *sockets);

/* landlock.c */
u32 landlock_version(const struct options *options);
int landlock_shut(const struct options *options, bool tcp, bool reads,
		  const char *const *removes);

/* keeper.c */
int keepers_start(struct vm_context *ctx);
void keepers_wait(struct waits *waits);
bool keepers_gone(const struct waits *waits);
void keeper_sockets_made(void);
void keeper_terminal(const struct termios *saved);
int keeper_open(const char *name, int flags);
int keeper_stat(const char *name, struct stat *stat);
int keeper_unlink(const char *name);
void keepers_end(void);

#endif
