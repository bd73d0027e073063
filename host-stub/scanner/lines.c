// SPDX-License-Identifier: GPL-2.0
/*
 * File and line of an address, where the kernel has debug information (DWARF).
 */
#include "scanner.h"

#include <elfutils/libdw.h>
#include <libelf.h>
#include <stdlib.h>

struct lines {
	Elf *elf;
	Dwarf *dwarf;
};

/*
 * lines_open() - be able to say lines of @kernel
 *
 * Returns NULL if it has no debug information. @kernel must stay.
 */
struct lines *lines_open(const struct kernel *kernel)
{
	struct lines *lines;

	if (elf_version(EV_CURRENT) == EV_NONE)
		return NULL;
	lines = calloc(1, sizeof(*lines));
	if (!lines)
		return NULL;
	/* It only reads, though it does not say so. */
	lines->elf = elf_memory((char *)(uintptr_t)kernel->elf,
				kernel->elf_bytes);
	if (lines->elf)
		lines->dwarf = dwarf_begin_elf(lines->elf, DWARF_C_READ, NULL);
	if (lines->dwarf)
		return lines;
	lines_close(lines);
	return NULL;
}

static bool printable(const char *text)
{
	while (*text >= ' ' && *text <= '~')
		text++;
	return !*text;
}

/*
 * lines_find() - where in the source is @address?
 * @file, @line: set
 */
bool lines_find(struct lines *lines, u32 address, const char **file, int *line)
{
	Dwarf_Die unit;
	Dwarf_Line *at;

	if (!lines || !dwarf_addrdie(lines->dwarf, address, &unit))
		return false;
	at = dwarf_getsrc_die(&unit, address);
	if (!at || dwarf_lineno(at, line))
		return false;
	*file = dwarf_linesrc(at, NULL, NULL);
	return *file && printable(*file);
}

/* lines_close() - let go of what lines_open() has made */
void lines_close(struct lines *lines)
{
	if (!lines)
		return;
	if (lines->dwarf)
		dwarf_end(lines->dwarf);
	if (lines->elf)
		elf_end(lines->elf);
	free(lines);
}
