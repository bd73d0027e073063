/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the files of the launcher share: the one context of a running VM, and
 * the functions that work on it.
 */
#ifndef LAUNCHER_H
#define LAUNCHER_H

#include <inttypes.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "device.h"
#include "disk.h"
#include "image.h"
#include "jail.h"
#include "net.h"
#include "state.h"
#include "version.h"

/* Exit statuses; 64..127 are the guest's own. */
enum {
	EXIT_POWEROFF = 0,
	EXIT_CANNOT = 1,
	EXIT_CRASHED = 3,
};

/* What `plex86 run` was asked for. */
struct options {
	const char *kernel;
	const char *initrd;
	const char *append;
	const char *console;	/* "stdio", "pty" or a file */
	const char *stats;
	const char *control;
	u64 mem_bytes;
	struct disk_options disk[PLEX86_MAX_DEVICES];
	u32 disks;
	struct net_options net[NETS_MAX];
	u32 nets;
	bool no_net;		/* --net none */
	bool no_reboot;
	bool jail;		/* nobody has more rights than needed */
	bool unchecked;		/* the kernel may be one that is not certified */
	enum { ISOLATION_KEYS, ISOLATION_NONE, ISOLATION_SCAN } isolation;
	/* --mask-host, for tests */
	bool mask_ia32, mask_sud, mask_cpuid, mask_sysenter, mask_keys, mask_uring;
	bool mask_seccomp, mask_landlock;
};

/* A reading of the TSC; tsc.c. */
struct tsc_sample {
	u64 ns;			/* CLOCK_MONOTONIC */
	u64 tsc;
};

/* A file that was read; file.c. */
struct file {
	u8 *data;		/* NULL: not held */
	u64 bytes;
	struct stat stat;	/* when it was read */
};

#define CONTROL_CLIENTS	4
#define CONTROL_LINE	256

struct control_client {
	int fd;			/* -1: none */
	u32 wait;		/* waits_fd() */
	u64 heard_ns;		/* when it said something last, or came */
	u32 bytes;		/* of a line */
	char line[CONTROL_LINE];
};

/* Who tells this VM what to do; control.c. */
struct control {
	const char *path;	/* NULL: nobody can */
	int listener;
	u32 listener_wait;	/* waits_fd() */
	u64 listen_ns;		/* not before this time, CLOCK_MONOTONIC */
	struct control_client client[CONTROL_CLIENTS];
};

/* Where the spaces run; balance.c. */
enum launcher_place {
	LAUNCHER_FREE,		/* on any processor it may be on */
	LAUNCHER_JOINED,	/* where the spaces are */
	LAUNCHER_APART,		/* not there */
};

struct run_times {
	u64 ran, waited;	/* ns; waited: was ready to run and did not */
};

struct balance {
	bool on;		/* there is more than one processor */
	bool pinned;
	enum launcher_place launcher;
	cpu_set_t allowed, place;
	struct run_times spaces, own;	/* when last looked at */
	u64 look_ns;		/* look again at, CLOCK_MONOTONIC */
	u64 apart_ns;		/* until then the launcher keeps out */
	u64 leave_ns;		/* from then on it may leave again */
};

/* What was found out of the host, before the jail was shut; host.c. */
struct host {
	u32 map_count;		/* how many mappings a process may have */
	bool fault_cpuid;	/* CPUID can be made to trap */
	u32 landing;		/* host_sysenter_landing() */
};

/* What the host does when it is out of memory; oom.c. */
struct oom {
	int score_fd, vmstat_fd;
	char score[16];		/* of this process, as text */
	u64 kills;		/* how many there were at the last look */
	u64 kills_before;	/* and at the one before that */
	u64 look_ns;		/* when to look again */
};

struct vm_context {
	struct options options;
	struct state *state;
	u64 state_bytes;
	struct image image;
	struct file kernel, initrd;	/* held from reading to loading */
	int state_fd, ram_fd, doorbell_fd, signal_fd;
	int stats_fd;		/* --stats; -1: none */
	struct host host;
	struct jail jail;
	pid_t spaces[SPACES];
	int space_fd[SPACES];	/* pidfds of these */
	struct balance balance;
	struct oom oom;
	struct end end;		/* how it ended, copied and checked */
	struct devices devices;
	struct device *console;
	struct control control;
	struct waits waits;
	bool quit;		/* the user wants the guest stopped at once */
	int quit_status;	/* the exit status then */
	struct tsc_sample tsc_start;
	u64 start_ns;		/* when this boot began, CLOCK_MONOTONIC */
};

/* main.c */
void complain(const char *format, ...) __attribute__((format(printf, 1, 2)));
u64 now_ns(void);

/* options.c */
int options_parse(struct options *options, int argc, char **argv);
void options_free(struct options *options);
void options_help(FILE *to);

/* run.c */
int verb_run(int argc, char **argv);
bool vm_signals(struct vm_context *ctx);
void vm_device_interrupt(struct vm_context *ctx, u32 device);
bool vm_hold(void *ctx, u64 gpa, u64 bytes);
void vm_release(void *ctx, u64 gpa, u64 bytes);

/* file.c */
const char *file_read(struct file *file, const char *name, u64 max_bytes);
void file_drop(struct file *file);
int file_create(const char *name, const char **why);
bool file_same(const struct file *a, const struct file *b);

/* scanner/check.c */
int verb_check(int argc, char **argv);
int verb_check_help(void);
int check_run(const char *name, const u8 *file, u64 bytes);

/* host.c */
int verb_host(int argc, char **argv);
int host_check(const struct options *options);
void host_learn(struct host *host, const struct options *options);
u64 host_xcr0(void);
u32 host_xsave_bytes(u64 mask);
u32 host_frame_bytes(void);
void host_cpuid(u32 leaf, u32 subleaf, struct cpuid_leaf *out);
bool host_move_vdso(void);

/* balance.c */
void balance_start(struct vm_context *ctx);
void balance_apart(struct vm_context *ctx, u64 now);
int balance_work(struct vm_context *ctx);

/* oom.c */
void oom_open(struct oom *oom);
void oom_first(const struct oom *oom, bool on);
void oom_look(struct oom *oom);
bool oom_killed(const struct oom *oom);
void oom_close(struct oom *oom);

/* tsc.c */
void tsc_start(struct tsc_sample *start);
u32 tsc_khz(const struct tsc_sample *start);
bool tsc_invariant(void);

/* terminal.c */
int terminal_raw(int fd);
void terminal_restore(void);
bool terminal_is_raw(void);
void terminal_continued(void);

/* socket.c */
int socket_connect(const char *path);
int socket_listen(const char *path, int backlog);

/* control.c */
int control_open(struct control *control, const char *path);
void control_wait(struct control *control, struct waits *waits);
void control_work(struct vm_context *ctx);
void control_close(struct control *control);
int verb_control(int argc, char **argv);

/* console.c */
struct device *console_add(struct devices *devices,
			   const struct options *options);
void console_resize(struct device *dev);

/* report.c */
void report_crash(struct vm_context *ctx);
int report_check(struct vm_context *ctx);
int report_stats(struct vm_context *ctx);

#endif
