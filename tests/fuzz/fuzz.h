/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the fuzz targets share: the input, taken from its start, and the checks
 * of the unit tests (tests/unit/unit.h), of which one that fails ends the program.
 */
#ifndef FUZZ_H
#define FUZZ_H

#include <stdlib.h>

#include "unit.h"

/* What libFuzzer wants of a target. */
int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const u8 *data, size_t bytes);

/* The rest of an input; what lies beyond its end is 0. */
struct input {
	const u8 *at;
	size_t left;
};

/* take() - the next @n bytes into @to */
static inline void take(struct input *in, void *to, size_t n)
{
	size_t have = n < in->left ? n : in->left;
	const u8 *from = in->at;

	/* First: a copy may be where the guest acts (ring.c), and takes more. */
	in->at += have;
	in->left -= have;
	memset(to, 0, n);
	if (have)
		memcpy(to, from, have);
}

static inline u8 take8(struct input *in)
{
	u8 n;

	take(in, &n, sizeof(n));
	return n;
}

static inline u16 take16(struct input *in)
{
	u16 n;

	take(in, &n, sizeof(n));
	return n;
}

static inline u32 take32(struct input *in)
{
	u32 n;

	take(in, &n, sizeof(n));
	return n;
}

static inline u64 take64(struct input *in)
{
	u64 n;

	take(in, &n, sizeof(n));
	return n;
}

#endif
