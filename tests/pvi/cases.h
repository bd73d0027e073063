/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What a port's own groups share with the table: the fragments of insns.S and
 * the machinery of cases.c.
 */
#ifndef PVI_CASES_H
#define PVI_CASES_H

#include "guest.h"

/* Combinations of the flags that nothing here depends on, and number @n. */
#define COMBINATIONS	1024u
uint32_t flags_of(uint32_t n);

/* A line of output: its name, a run each with NULL or what was wrong, done. */
void group_begin(const char *name);
void group_run(const char *why);
void group_end(void);

/*
 * A fresh case_in with @flags and @words words on its stack, which the caller
 * fills in at the returned address.  Also forgets all traps so far.
 */
uint32_t *prepare(uint32_t flags, uint32_t words);

/*
 * Let a pending interrupt in, with interrupts off again afterwards.  Then the
 * run must have seen exactly @want in all.
 */
const char *check_drained(uint32_t want);

#define INSN(name)	extern const char insn_##name[], insn_##name##_end[]

INSN(pushf);
INSN(popf);
INSN(iret);
INSN(cli);
INSN(sti);
INSN(pushfl);
INSN(popfl);
INSN(iretl);
INSN(bare_pushf);
INSN(bare_popf);
INSN(bare_iret);
INSN(bare_cli);
INSN(bare_sti);

extern const struct plex86_site plex86_sites[], plex86_sites_end[];

#endif
