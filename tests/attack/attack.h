/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the attacks of a guest program on its guest's kernel and its monitor share: one *try* is a
 * jump to some address with all registers, segments and flags chosen, in 32-bit or 64-bit mode,
 * and what came of it.
 *
 * Wherever a try may end up in code of ours again (a return, a frame that was taken for one of the
 * monitor's) there is the address of try_land. The code there compares PKRU with what a program
 * has; that needs no memory and no segment. So a gate that gives rights away is found out even if
 * all it does with them is to return.
 */
#ifndef ATTACK_H
#define ATTACK_H

#ifdef __ASSEMBLER__

/* struct registers */
#define IN_IP		0x80
#define IN_FLAGS	0x88
#define IN_DS		0x90
#define IN_ES		0x94
#define IN_SS		0x98
#define IN_FS		0x9c
#define IN_GS		0xa0
#define IN_WIDE		0xa4

#else

#include "../guest/conform.h"

#include "layout.h"

#ifndef ALT_STACK_BYTES
#define ALT_STACK_BYTES	0x18000
#endif

extern const struct test half_tests[], gates_tests[], stack_tests[],
	pkru_tests[], call_tests[], frame_tests[], ends_tests[], maps_tests[], random_tests[];

/* --- one try ------------------------------------------------------------------------------ */

enum { AX, CX, DX, BX, SP, BP, SI, DI };

struct registers {
	uint64_t r[16];			/* by their numbers in instructions */
	uint64_t ip, flags;
	uint32_t ds, es, ss, fs, gs;
	uint32_t wide;			/* enter in 64-bit mode */
};

struct outcome {
	int sig, code, trapno;
	uint32_t err, eip, addr;
	uint32_t r[8];
	unsigned int steps;		/* single steps before it */
	bool landed;			/* came back with the rights of a program */
	bool done;			/* a probe has done what it was to do */
	bool refused;			/* faulted before the jump, at a segment register */
};

/* Flat segments, plain flags, a stack full of landings, and 0. */
void registers_init(struct registers *in, bool wide);
/* The test fails if the try has gained rights. */
void try_it(struct outcome *o, const struct registers *in);
/* Calls try_it() until it was not a timer that ended it: in 64-bit mode that shows as a fault. */
void try_code(struct outcome *o, const void *code, bool wide);
bool caught(const struct outcome *o, int sig, int code);
/* A name for where a try came from, for the reason of a failure. */
void try_note(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* The top of the stack that registers_init() chooses, and the landing. */
extern unsigned char *const try_stack_top;
extern uint32_t landing;

enum { READ, WRITE };			/* WRITE changes nothing */
bool probe(uint64_t address, int what, bool wide, struct outcome *o, uint32_t *value);

/* Copies by 64-bit code, to and from where a program can; false if it can't, or something came between. */
bool copy_wide(uint64_t to, uint64_t from, uint32_t len_bytes);

/* PKRU says what it should of a guest program. */
extern bool keys, keys_wanted, trace;
/* By QEMU's TCG, where an IRET of user mode obeys EFLAGS.VM: that is the end of its machine. */
extern bool emulated;
/* By Linux before 6.12, which ends a process that has a signal while its PKRU denies key 0. */
extern bool old_host;
void need_keys(void);
uint32_t read_pkru(void);
/* Reads and writes what no program may, now; the test fails if one succeeds. */
void still_kept_out(void);

/* Numbers of 64 bits from xorshift64*, never two seeds alike. */
struct dice { uint64_t state; };
extern uint64_t seed;
void dice_init(struct dice *d, uint64_t stream);
uint32_t roll(struct dice *d);
#define ONE_OF(d, a) ((a)[roll(d) % ARRAY_SIZE(a)])

/*
 * Many tries in a child of few rights, numbered from 0 to @n - 1. One that the child does not
 * survive is over with it, and the next child goes on behind it.
 */
void sweep(void (*one)(uint32_t i), uint32_t n);

/* TLS descriptors 13 and 14; LDT is what modify_ldt would take. */
void set_segment(int entry, uint32_t base, bool present);
#define SEL_HOSTILE	0x6bu
#define SEL_EMPTY	0x73u

/* Pages that are written, executed and shared as the caller says. */
void put(unsigned char **at, const void *bytes, size_t len_bytes);
#define PUT(at, ...) \
	put(at, (const unsigned char[]){ __VA_ARGS__ }, sizeof((unsigned char[]){ __VA_ARGS__ }))

/* --- enter.S ------------------------------------------------------------------------------ */

extern struct registers try_in;
extern uint32_t try_gs;
void try_enter(void);
void try_back(void) __attribute__((noreturn));
void try_entry(int sig, siginfo_t *si, void *uc);
extern const unsigned char try_land_pku[], try_land_plain[], try_landed_pku[],
	try_landed_plain[], try_breached[], try_read[], try_read_done[], try_write[],
	try_write_done[], try_start[], try_jump_end[], try_ret[];

/* --- suite.c ------------------------------------------------------------------------------ */

/* Lists given on the command line. */
#define LIST_MAX 4096
struct range { uint64_t from, to; bool writable, executable; };
extern struct range host_maps[];
extern unsigned int host_maps_n;
extern uint32_t loaders[LIST_MAX];
extern unsigned int loaders_n;
extern uint32_t sweep_from, random_from, random_count;

#endif
#endif
