// SPDX-License-Identifier: GPL-2.0
/*
 * The configuration that a kernel has in it (CONFIG_IKCONFIG), and what a guest's
 * must be.
 */
#include "scanner.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#define CONFIG_MAX_BYTES	(4u << 20)
#define STARTS_MAX		16u	/* that may be no configuration's */

/*
 * The conditions of PLEX86_GUEST (arch-patch, plex86/Kconfig), which say
 * what the ABI stands on, and privileges that a program cannot have here.
 */
const struct option_want config_wants[] = {
	{ "PLEX86_GUEST", 'y', "the guest's side of the ABI" },
	{ "X86_32", 'y', "the host has a 32-bit CPU" },
	{ "SMP", 'n', "the host has one CPU" },
	{ "X86_PAE", 'n', "the host walks two-level page tables" },
	{ "X86_LOCAL_APIC", 'n', "the host has no APIC" },
	{ "RELOCATABLE", 'n', "the host writes to sites where they are linked" },
	{ "MODULES", 'n', "a module's sites would not be known" },
	{ "KEXEC_CORE", 'n', "another kernel's sites would not be known" },
	{ "PCI", 'n', "the host has no such bus" },
	{ "ACPI", 'n', "the host has no firmware" },
	{ "EFI", 'n', "the host has no firmware" },
	{ "X86_16BIT", 'n', "the host loads flat segments only" },
	{ "MODIFY_LDT_SYSCALL", 'n', "the host has no LDT" },
	{ "X86_LEGACY_VM86", 'n', "the host has no virtual-8086 mode" },
	{ "X86_IOPL_IOPERM", 'n', "no program can have ports" },
};

const u32 config_wants_count = sizeof(config_wants) / sizeof(config_wants[0]);

/*
 * config_value() - 'y', or 'n' for an option that is not set
 * @config: as .config has it
 * @option: without CONFIG_
 *
 * An option with another value has its first character, or '?'.
 */
char config_value(const char *config, const char *option)
{
	const size_t len = strlen(option);
	const char *at = config;

	while (at) {
		if (!strncmp(at, "CONFIG_", 7) &&
		    !strncmp(at + 7, option, len) && at[7 + len] == '=')
			return at[8 + len] > ' ' && at[8 + len] <= '~' ?
				at[8 + len] : '?';
		at = strchr(at, '\n');
		if (at)
			at++;
	}
	return 'n';
}

/* gunzips into memory of its own, which ends with a NUL; NULL: it is none. */
static char *gunzip_text(const u8 *data, u64 bytes)
{
	char *text = malloc(CONFIG_MAX_BYTES + 1);
	z_stream z = {
		.next_in = (u8 *)(uintptr_t)data,
		.avail_in = bytes > CONFIG_MAX_BYTES ? CONFIG_MAX_BYTES :
						       (u32)bytes,
		.next_out = (u8 *)text, .avail_out = CONFIG_MAX_BYTES,
	};
	int ret;

	if (!text || inflateInit2(&z, 16 + MAX_WBITS) != Z_OK) {
		free(text);
		return NULL;
	}
	ret = inflate(&z, Z_FINISH);
	text[z.total_out] = 0;
	inflateEnd(&z);
	/* A NUL within would hide what is behind. */
	if (ret == Z_STREAM_END && strlen(text) == z.total_out)
		return text;
	free(text);
	return NULL;
}

/*
 * config_extract() - the configuration that lies in @bytes of a kernel
 *
 * Returns it in memory to be freed, or NULL if there is none.
 */
char *config_extract(const u8 *data, u64 bytes)
{
	static const char start[] = "IKCFG_ST", end[] = "IKCFG_ED";
	const u8 *at = data, *stop = data + bytes, *last;
	char *text;
	u32 n;

	for (n = 0; n < STARTS_MAX; n++) {
		at = memmem(at, (size_t)(stop - at), start, 8);
		if (!at)
			return NULL;
		at += 8;
		last = memmem(at, (size_t)(stop - at), end, 8);
		if (!last)
			return NULL;
		text = gunzip_text(at, (u64)(last - at));
		if (text)
			return text;
	}
	return NULL;
}
