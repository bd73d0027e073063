/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the files of the monitor share.
 */
#ifndef MONITOR_SPACE_H
#define MONITOR_SPACE_H

#include <asm/sigcontext.h>
#include <asm/siginfo.h>

#include "state.h"

/* struct vm is the first member of the one struct state. */
static inline struct state *state_of(struct vm *vm)
{
	return (struct state *)(void *)vm;
}

/* The space that runs this. */
static inline struct space *this_space(void)
{
	return (struct space *)SPACE_BASE;
}

static inline struct gate_kernel *gate_kernel_of(struct state *state)
{
	return (struct gate_kernel *)(void *)state->gate_kernel_page;
}

static inline struct gate_user *gate_user_of(struct state *state)
{
	return (struct gate_user *)(void *)state->gate_user_page;
}

static inline const struct gate_table *gate_table_of(const struct state *state)
{
	return (const void *)(state->gates_page + GATE_TABLE);
}

/* shadow.c */
void shadow_map_host_pages(struct state *state);
void shadow_catch_up(struct state *state);
bool shadow_page_at(u32 linear, u32 *page);
void shadow_reprotect(struct state *state, u32 page);
void shadow_allow_step(struct state *state, u32 linear, bool on);

/* code.c */
int code_protection(const struct state *state, u32 linear, u32 page,
		    bool writable);
void code_mapped(struct state *state, u32 page);
bool code_runs(const struct state *state, u32 page);
void code_catch_up(struct state *state);
void code_release(struct state *state);
bool code_trapped(struct state *state, bool step_trap, bool store);
bool code_prepare(struct state *state);
void code_unstep(struct state *state);

/* space.c */
void space_await(u32 *word);
void space_wait(struct state *state);
void space_leave(struct state *state, const void *fpstate);
void space_arm_stack(struct state *state);
void space_prepare_sysenter(struct state *state);
void vectors_load(struct state *state, const void *from);

/* gate.c */
bool gate_holds(const struct state *state, u64 ip);
void gate_learn_entry(struct state *state);
void gate_call(struct state *state);
void gate_iret(struct state *state);
bool gate_finish(struct state *state, const struct sigcontext_64 *sc,
		 bool kick);

/* clock.c */
void clock_start(struct state *state);
void clock_kick(struct state *state, const siginfo_t *si);
void clock_fired(struct state *state);

/* keys.c */
void keys_set(struct state *state, u64 address, u64 bytes, int prot, u32 key);
void keys_protect_monitor(struct state *state);
void keys_wipe(struct state *state);
void keys_forget(struct state *state);
void keys_renew(struct state *state);
bool keys_check_frame(u64 si, u64 uc);
const void *keys_vectors(const struct state *state,
			 const struct sigcontext_64 *sc);

/* segment.c */
void segments_save(struct state *state);
void segments_load(struct state *state);

/* entry.S */
long monitor_sysenter(u32 nr, u32 argument)
	__attribute__((visibility("hidden")));
int monitor_peek(u32 linear, u32 *value)
	__attribute__((visibility("hidden")));
int monitor_vectors_load(const void *from, u64 mask)
	__attribute__((visibility("hidden")));

/* monitor.c */
void monitor_die(struct state *state, const char *reason);

#endif
