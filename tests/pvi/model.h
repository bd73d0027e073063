/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Ring-0 semantics: what PUSHF, POPF, IRET, CLI and STI do on a bare CPU at
 * CPL 0 (SDM vol. 2), as plain C.  IF in the model's flags is the IF that the
 * kernel must see; the model knows no VIF and no VIP.
 *
 * IOPL, RF and VM stay out: a plex86 guest runs with IOPL 0, PUSHF never shows
 * RF and VM, and POPF never changes them.
 */
#ifndef PVI_MODEL_H
#define PVI_MODEL_H

#include "guest.h"

/* Flags that POPF and IRET load, but for IF. */
#define MODEL_LOADED	(FL_CF | FL_PF | FL_AF | FL_ZF | FL_SF | FL_TF | \
			 FL_DF | FL_OF | FL_NT | FL_AC | FL_ID)

struct model {
	uint32_t flags;
	bool pending;		/* an interrupt waits for IF */
	bool delivered;		/* it came in, as IF went or was 1 */
};

static inline void model_settle(struct model *m)
{
	if (m->pending && (m->flags & FL_IF)) {
		m->pending = false;
		m->delivered = true;
	}
}

static inline uint32_t model_pushf(const struct model *m)
{
	return m->flags | FL_ONE;
}

/* IRET loads the same flags; where it goes is the caller's to know. */
static inline void model_popf(struct model *m, uint32_t image)
{
	m->flags &= ~(MODEL_LOADED | FL_IF);
	m->flags |= image & (MODEL_LOADED | FL_IF);
	model_settle(m);
}

static inline void model_cli(struct model *m)
{
	m->flags &= ~FL_IF;
}

static inline void model_sti(struct model *m)
{
	m->flags |= FL_IF;
	model_settle(m);
}

#endif
