// SPDX-License-Identifier: GPL-2.0
/*
 * Random programs: bytes of every value, among them more of what a monitor must look out for than
 * chance would have. They run as a user of few rights; nothing is known of what each should do but
 * that everyone else is there afterwards.
 */
#include "attack.h"

#define PROGRAM_BYTES	64u
#define PROGRAMS	10000u

static unsigned char *programs;
static uint32_t first;

static const struct { unsigned char len, bytes[7]; } words[] = {
	{ 3, { 0x0f, 0x01, 0xef } }, { 3, { 0x0f, 0xae, 0x2f } }, { 3, { 0x0f, 0xae, 0x2e } },
	{ 3, { 0x0f, 0xc7, 0x1f } }, { 2, { 0x0f, 0x05 } }, { 2, { 0x0f, 0x34 } },
	{ 2, { 0xcd, 0x80 } }, { 3, { 0x0f, 0xb9, 0xf0 } }, { 3, { 0x0f, 0xb9, 0xf1 } },
	{ 3, { 0x0f, 0xb9, 0xf2 } }, { 3, { 0x0f, 0xb9, 0xf3 } },
	{ 6, { 0xff, 0x15, 0x00, 0x20, 0xc0, 0xff } }, { 6, { 0xff, 0x15, 0x04, 0x20, 0xc0, 0xff } },
	{ 2, { 0x8e, 0xd8 } }, { 2, { 0x8e, 0xd0 } }, { 2, { 0x8e, 0xe8 } }, { 1, { 0x9d } },
	{ 1, { 0xcf } }, { 1, { 0xcb } }, { 1, { 0xf4 } }, { 1, { 0xfa } }, { 1, { 0xfb } },
	{ 1, { 0xf1 } }, { 1, { 0xcc } }, { 2, { 0xcd, 0xf1 } }, { 2, { 0xcd, 0xf0 } },
	{ 3, { 0x0f, 0x01, 0x3f } }, { 3, { 0x0f, 0x20, 0xd8 } }, { 3, { 0x0f, 0x22, 0xe0 } },
	{ 3, { 0x0f, 0x22, 0xd8 } }, { 2, { 0x0f, 0xa2 } }, { 2, { 0x0f, 0x31 } },
	{ 2, { 0x0f, 0x30 } }, { 1, { 0x06 } }, { 1, { 0x17 } }, { 2, { 0x0f, 0xa1 } },
	{ 2, { 0x0f, 0xa9 } }, { 1, { 0xec } }, { 1, { 0xef } }, { 3, { 0x0f, 0x01, 0xd1 } },
	{ 5, { 0xb8, 0x90, 0x55, 0x55, 0x55 } }, { 5, { 0xb8, 0x94, 0x55, 0x55, 0x55 } },
	{ 6, { 0x31, 0xc0, 0x31, 0xc9, 0x31, 0xd2 } }, { 1, { 0x58 } }, { 1, { 0x50 } },
};

static void program(unsigned char *p, uint32_t number)
{
	struct dice d;
	unsigned int at = 0;

	dice_init(&d, 0x9000000 + number);
	while (at < PROGRAM_BYTES) {
		uint32_t r = roll(&d);

		if (r % 4 == 0) {
			size_t w = (r >> 8) % ARRAY_SIZE(words), n = words[w].len;

			n = n < PROGRAM_BYTES - at ? n : PROGRAM_BYTES - at;
			memcpy(p + at, words[w].bytes, n);
			at += (unsigned int)n;
			continue;
		}
		/* A far jump to 64-bit code, which is what comes behind it. */
		if (r % 64 == 1 && at + 7 <= PROGRAM_BYTES) {
			uint32_t next = (uint32_t)(uintptr_t)p + at + 7;

			p[at] = 0xea;
			memcpy(p + at + 1, &next, 4);
			p[at + 5] = HOST_CS64;
			p[at + 6] = 0;
			at += 7;
			continue;
		}
		p[at++] = (unsigned char)(r >> 16);
	}
	/* An IRET whose image has VM, and a far return from anywhere, end the machine of QEMU's. */
	for (at = 0; emulated && at < PROGRAM_BYTES; at++)
		if (p[at] == 0xcf || p[at] == 0xcb || p[at] == 0xca)
			p[at] = 0x90;
}

static void one(uint32_t i)
{
	static const uint32_t places[] = {
		PLEX86_INFO, PLEX86_GATES, GATE_KERNEL, GATE_USER, LOW_PAGE, LANDING_BASE, LANDING_STACK,
		0xc1000000, 0xbffff000, 0x10000, 0, 0xffffffff,
	};
	static const uint32_t selectors[] = { HOST_DS, HOST_DS, SEL_HOSTILE, 0, HOST_CS32 };
	uint32_t number = first + i;
	struct registers in;
	struct outcome o;
	struct dice d;

	dice_init(&d, 0xa000000 + number);
	registers_init(&in, false);
	for (int r = 0; r < 8; r++) {
		switch (roll(&d) % 6) {
		case 0: in.r[r] = roll(&d) % 512; break;
		case 1: in.r[r] = ONE_OF(&d, places) + roll(&d) % 64; break;
		case 2: in.r[r] = landing; break;
		case 3: in.r[r] = (uintptr_t)try_stack_top + roll(&d) % 64 * 4; break;
		default: in.r[r] = roll(&d); break;
		}
	}
	if (roll(&d) % 4)
		in.r[SP] = (uintptr_t)try_stack_top;
	in.flags = (roll(&d) & (FL_CF | FL_ZF | FL_SF | FL_OF | FL_DF | FL_ID)) | FL_BASE;
	if (roll(&d) % 16 == 0)
		in.flags |= roll(&d) & (FL_TF | FL_NT | FL_AC);
	in.ds = ONE_OF(&d, selectors);
	in.es = ONE_OF(&d, selectors);
	in.fs = ONE_OF(&d, selectors);
	in.gs = ONE_OF(&d, selectors);
	/* QEMU's machine goes on using a base of DS in 64-bit mode, its kernel's too, and hangs. */
	if (i % 64 == 0)
		set_segment(13, emulated ? 0 : roll(&d), true);
	in.ip = (uintptr_t)programs + i * PROGRAM_BYTES;
	try_note("random program, --seed %llu --random %u 1", (unsigned long long)seed, number);
	try_it(&o, &in);
}

static void programs_run(void)
{
	uint32_t n = random_count ? random_count : (uint32_t)rounds(PROGRAMS);

	first = random_from;
	need_keys();
	programs = xmmap((n + 2) * PROGRAM_BYTES, PROT_READ | PROT_WRITE);
	for (uint32_t i = 0; i < n; i++)
		program(programs + i * PROGRAM_BYTES, first + i);
	CHECK_SYS(mprotect(programs, (n + 2) * PROGRAM_BYTES, PROT_READ | PROT_EXEC));
	set_segment(13, emulated ? 0 : 0x10000, true);
	sweep(one, n);
	still_kept_out();
}

const struct test random_tests[] = {
	{ "random-programs", programs_run, 0 },
	{ NULL, NULL, 0 },
};
