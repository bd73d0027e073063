// SPDX-License-Identifier: GPL-2.0
/*
 * Landlock: what of the host's files, networks and processes this process, and
 * its children to come, can still reach.  Debian 12's headers know its second
 * version; what later ones added is here by number.
 */
#include "launcher.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define FS_REFER	(1ull << 13)	/* from version 2 on */
#define FS_TRUNCATE	(1ull << 14)	/* 3 */
#define FS_IOCTL_DEV	(1ull << 15)	/* 5 */
#define NET_TCP		3ull		/* 4: bind, connect */
#define SCOPES		3ull		/* 6: abstract Unix sockets, signals */

struct ruleset {
	u64 fs, net, scoped;
};

/* landlock_version() - of the host; 0: it has none, or it is turned off */
u32 landlock_version(const struct options *options)
{
	long version = options->mask_landlock ? 0 :
		syscall(SYS_landlock_create_ruleset, NULL, 0ul,
			LANDLOCK_CREATE_RULESET_VERSION);

	return version < 0 ? 0 : (u32)version;
}

static u64 file_rights(u32 version)
{
	u64 rights = (1ull << 13) - 1;

	if (version >= 2)
		rights |= FS_REFER;
	if (version >= 3)
		rights |= FS_TRUNCATE;
	if (version >= 5)
		rights |= FS_IOCTL_DEV;
	return rights;
}

/* Files in the directory of @name may be removed. */
static int may_remove(int ruleset, const char *name)
{
	struct landlock_path_beneath_attr rule = {
		.allowed_access = LANDLOCK_ACCESS_FS_REMOVE_FILE,
	};
	const char *slash = strrchr(name, '/');
	char directory[PATH_MAX_BYTES];
	size_t bytes = slash ? (size_t)(slash - name) + 1 : 1;
	long ret;

	if (bytes >= sizeof(directory))
		return -1;
	memcpy(directory, slash ? name : ".", bytes);
	directory[bytes] = 0;
	rule.parent_fd = open(directory, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (rule.parent_fd < 0)
		return -1;
	ret = syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH,
		      &rule, 0);
	close(rule.parent_fd);
	return ret ? -1 : 0;
}

/*
 * landlock_shut() - give up what Landlock can take
 * @tcp: keep TCP; what has no sockets by its filter does not need this
 * @reads: keep reading of files
 * @removes: files in whose directories files may be removed; NULL ends them
 *
 * Takes no_new_privs.  Returns 0, also where the host has no Landlock, or -1
 * with errno.
 */
int landlock_shut(const struct options *options, bool tcp, bool reads,
		  const char *const *removes)
{
	u32 version = landlock_version(options);
	struct ruleset set = { .fs = file_rights(version) };
	size_t bytes = sizeof(set.fs);
	int fd, ret = 0;

	if (!version)
		return 0;
	if (reads)
		set.fs &= ~(u64)LANDLOCK_ACCESS_FS_READ_FILE;
	if (version >= 4) {
		bytes += sizeof(set.net);
		set.net = tcp ? 0 : NET_TCP;
	}
	if (version >= 6) {
		bytes += sizeof(set.scoped);
		set.scoped = SCOPES;
	}
	fd = (int)syscall(SYS_landlock_create_ruleset, &set, bytes, 0);
	if (fd < 0)
		return -1;
	for (; removes && *removes && !ret; removes++)
		ret = may_remove(fd, *removes);
	if (!ret)
		ret = (int)syscall(SYS_landlock_restrict_self, fd, 0);
	close(fd);
	return ret;
}
