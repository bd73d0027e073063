/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The outside of the core as the tests see it: a virtual machine whose
 * host_*() functions only note that they were called; see fake.c.
 */
#ifndef FAKE_H
#define FAKE_H

#include "vm.h"

enum call_kind {
	CALL_SET_VIF, CALL_SET_VIP, CALL_FILL, CALL_DROP, CALL_PROTECT, CALL_FLUSH,
	CALL_SPACE, CALL_LOAD_SEGMENT, CALL_SYNC_TLS, CALL_TRAP_TSC, CALL_READ_TSC,
	CALL_HALT, CALL_TIMER, CALL_CLOCK, CALL_WRITE, CALL_DOORBELL,
	CALL_RESET_DEVICE,
};

/* A call of a host_*() function, its arguments in order. */
struct call {
	enum call_kind kind;
	u64 arg[6];
};

#define CALLS_MAX	64

/* A call of host_use(): any number of them may come, so they are no calls. */
struct use {
	u32 gpa, access;
};

#define USES_MAX	64	/* the last so many are kept */

struct fake {
	struct vm vm;		/* first: the core knows only this */
	struct plex86_info info;
	struct queue_state queues[PLEX86_MAX_DEVICES * QUEUES_MAX];
	struct plex86_dev devices[PLEX86_MAX_DEVICES];

	bool vif, vip;
	int fill_result, segment_result;
	bool use_result;	/* of host_use() */
	u32 piece;		/* what host_large() says; 0: LARGE_SIZE */
	u32 refuse_from, refuse_to;	/* linear: host_fill() fails there too */
	u32 asids;			/* host_space() fails from this one on */
	u64 clock[2];

	u32 *shadow[1024];	/* what is filled, a row for 4 MiB; fake_shadow() */

	struct call calls[CALLS_MAX];
	u32 n_calls;		/* since fake_forget(), CALLS_MAX at most kept */
	struct use uses[USES_MAX];
	u32 n_uses;		/* since fake_forget() too */
};

struct fake *fake_new(u32 ram_bytes);
void fake_free(struct fake *f);
void fake_forget(struct fake *f);
u32 fake_count(const struct fake *f, enum call_kind kind);
bool fake_used(const struct fake *f, u32 gpa, u32 access);
const struct call *fake_call(const struct fake *f, enum call_kind kind);

/* A page that is filled: its gpa, this, and the flags of host_fill(). */
#define FAKE_FILLED	0x800u

u32 fake_shadow(const struct fake *f, u32 linear);

#endif
