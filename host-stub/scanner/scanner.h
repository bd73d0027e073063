/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the files of the scanner share: a kernel file, what is found in it, and
 * the functions that work on these. `plex86 check` prints all of it, `plex86
 * run` only asks whether there is a fault.
 *
 * The scanner reads bytes in memory. It owns what it unpacks and finds, and
 * changes nothing of the file.
 */
#ifndef SCANNER_H
#define SCANNER_H

#include "image.h"
#include "version.h"

/* No kernel is larger, packed or unpacked; a file that says so is refused. */
#define KERNEL_MAX_BYTES	(1ull << 30)

/* What becomes of an instruction at CPL 3. */
enum verdict {
	VERDICT_SITE,		/* of a recorded site: the host rewrites it */
	VERDICT_EMULATED,	/* traps, and the host does it */
	VERDICT_NATIVE,		/* does what the ABI says without a trap */
	VERDICT_UNREACHABLE,	/* by configuration, or a CPU feature not offered */
	VERDICT_FAULT,
	VERDICTS,
};

/* A stretch of code: an executable section. */
struct code {
	const char *name;
	u32 address;		/* linear */
	u32 bytes;
	const u8 *data;
};

struct symbol {
	u32 address;
	u32 code;		/* which of the stretches it is in */
	bool function;		/* it is said to be one */
	const char *name;
};

/* An ELF file in memory, its headers checked; elf.c. */
struct kernel {
	const u8 *elf;
	u64 elf_bytes;
	u8 *unpacked;		/* what holds it, if it was packed */
	const char *format;	/* "ELF", "bzImage (xz)" */
	struct code *code;
	u32 codes;
	struct symbol *symbol;	/* sorted by address */
	u32 symbols;
	bool named;		/* it has a symbol table */
	u32 *caught;		/* sorted: addresses that the exception table has */
	u32 catches;
	const char *stray;	/* a function where no executable section is, or NULL */
	char *config;		/* the embedded configuration, or NULL */
	const char *foreign;	/* what it is, if it is no 32-bit x86 program */
};

/* One instruction that is privileged, or silent at CPL 3. */
struct finding {
	u32 address;		/* linear */
	u8 len;
	u8 verdict;
	const char *name;	/* "PUSHF", "MOV from CR" */
	const char *why;
	const char *option;	/* that makes it unreachable, or NULL */
	const char *feature;	/* of the CPU's that does, or NULL */
	const char *section;
	const char *function;	/* NULL: not known */
	u32 offset;		/* in the function */
};

/* Bytes that are WRPKRU or XRSTOR for who jumps there. */
struct pkru {
	u32 address;
	bool wrpkru;
	enum { PKRU_SITE, PKRU_INSTRUCTION, PKRU_ACCIDENT } is;
	const char *host;	/* what the host does about it */
	const char *section, *function;
	u32 offset;
};

/* An option of the kernel's configuration. */
struct option_want {
	const char *name;	/* without CONFIG_ */
	char want;		/* 'y' or 'n' */
	const char *why;
};

/* What is wrong with the file as a whole. */
struct problem {
	char text[200];
};

#define PROBLEMS_MAX	64

struct report {
	struct image image;
	bool has_note;
	struct finding *finding;
	u32 findings;
	struct pkru *pkru;
	u32 pkrus;
	u32 undecoded;		/* of the findings: bytes that are no instruction */
	u32 verdicts[VERDICTS];
	u32 sites[SITE_KINDS];	/* by kind; [0]: of no known kind */
	u32 instructions;	/* all that were decoded */
	struct problem problem[PROBLEMS_MAX];
	u32 problems;		/* all of them, though only so many are kept */
	u32 options_wrong;	/* of these problems */
};

/* A decoded instruction, as far as rules.c needs it. */
struct judged {
	const char *name;	/* NULL: of no interest */
	enum verdict verdict;
	const char *why;
	const char *option;	/* that makes it unreachable, or NULL */
	const char *feature;	/* of the CPU's that is not offered, or NULL */
	bool by_next;		/* done because UD1 NEXT is before it */
	/* What may make a fault of it none: who does it. */
	enum reach { REACH_ALWAYS, REACH_PORT, REACH_SS, REACH_MSR } reach;
};

/* Where an instruction is. */
struct where {
	const char *section;
	const char *function;	/* NULL: not known */
	bool caught;		/* the exception table has an answer to its fault */
};

struct ZydisDecodedInstruction_;

struct ZydisDecoder_;

/* rules.c */
void rules_decoder(struct ZydisDecoder_ *decoder);
struct judged rules_judge(const struct ZydisDecodedInstruction_ *insn,
			  const u8 *bytes, bool behind_next);
void rules_reach(struct judged *judged, const struct where *where, bool named,
		 const char *config);

/* A CPU feature that keeps an instruction from being executed. */
struct feature {
	u32 leaf, subleaf;
	enum { REG_EAX, REG_EBX, REG_ECX, REG_EDX } reg;
	u32 mask;
};

const struct feature *rules_hidden(u32 n, const char **name);

/* config.c */
extern const struct option_want config_wants[];
extern const u32 config_wants_count;
char config_value(const char *config, const char *option);
char *config_extract(const u8 *data, u64 bytes);

/* unpack.c */
const char *unpack(const u8 *file, u64 bytes, u8 **out, u64 *out_bytes,
		   const char **format);

/* elf.c */
const char *kernel_open(struct kernel *kernel, const u8 *file, u64 bytes);
void kernel_close(struct kernel *kernel);
const u8 *kernel_at(const struct kernel *kernel, u32 address, u32 bytes);
const struct code *kernel_code_at(const struct kernel *kernel, u32 address);
const struct symbol *kernel_symbol(const struct kernel *kernel, u32 address);
bool kernel_catches(const struct kernel *kernel, u32 address);
const char *kernel_release(const struct kernel *kernel, u32 *len);

/* scan.c */
int scan(const struct kernel *kernel, struct report *report);
bool report_certified(const struct report *report);
void report_free(struct report *report);

/* lines.c */
struct lines;
struct lines *lines_open(const struct kernel *kernel);
bool lines_find(struct lines *lines, u32 address, const char **file, int *line);
void lines_close(struct lines *lines);

/* print.c */
struct print {
	const char *name;	/* of the file */
	const struct kernel *kernel;
	const struct report *report;
	struct lines *lines;	/* NULL: no debug information */
	bool all;		/* every instruction, not only faults */
};

void print_text(const struct print *p);
int print_json(const struct print *p);

struct json_t;
struct json_t *print_summary(const struct print *p);

/* certificate.c: its file's name is the kernel's and this */
#define CERTIFICATE_SUFFIX	".certificate"

struct file;
const char *certificate_write(const char *name, const struct print *p,
			      const struct file *file);
bool certificate_holds(const char *kernel_name, const u8 *file, u64 bytes);

#endif
