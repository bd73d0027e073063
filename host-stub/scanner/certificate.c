// SPDX-License-Identifier: GPL-2.0
/*
 * The certificate: a JSON file beside the kernel which says that the scanner has
 * found no fault in it. It names the kernel by size and CRC-32, which `plex86 run`
 * can compare in some milliseconds; a scan takes a hundred times as long.
 *
 * It says that a kernel works, not that it means well: the monitor guards the
 * host against any kernel.
 */
#include "scanner.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <zlib.h>

#define NAME_MAX_BYTES	4096u

/* A CRC-32 as zlib has it, of any number of bytes. */
static u32 crc_of(const u8 *file, u64 bytes)
{
	return (u32)crc32_z(0, file, bytes);
}

/*
 * certificate_write() - write a certificate to file @name
 * @p: what was found, without a fault
 * @file, @bytes: the kernel file
 *
 * Returns 0, or -1 with errno.
 */
int certificate_write(const char *name, const struct print *p, const u8 *file,
		      u64 bytes)
{
	json_t *o = print_summary(p);
	FILE *to = fopen(name, "we");
	int ret = -1;

	json_object_set_new(o, "plex86", json_string(PLEX86_VERSION));
	json_object_set_new(o, "bytes", json_integer((json_int_t)bytes));
	json_object_set_new(o, "crc32", json_integer(crc_of(file, bytes)));
	if (to) {
		ret = json_dumpf(o, to, JSON_INDENT(1) | JSON_PRESERVE_ORDER);
		if (fputc('\n', to) == EOF)
			ret = -1;
		if (fclose(to))
			ret = -1;
	}
	json_decref(o);
	return ret;
}

/*
 * certificate_holds() - is there a certificate for a kernel file?
 * @kernel_name: of the file; the certificate's is CERTIFICATE_SUFFIX longer
 * @file, @bytes: what was read of it
 */
bool certificate_holds(const char *kernel_name, const u8 *file, u64 bytes)
{
	const char *version = "";
	char name[NAME_MAX_BYTES];
	json_int_t size = 0, crc = 0;
	int certified = 0, n;
	json_t *o;
	bool holds;

	n = snprintf(name, sizeof(name), "%s" CERTIFICATE_SUFFIX, kernel_name);
	if (n < 0 || n >= (int)sizeof(name))
		return false;
	o = json_load_file(name, JSON_REJECT_DUPLICATES, NULL);
	holds = o &&
		!json_unpack(o, "{s:s, s:I, s:I, s:b}", "plex86", &version,
			     "bytes", &size, "crc32", &crc, "certified",
			     &certified) &&
		certified && !strcmp(version, PLEX86_VERSION) &&
		(u64)size == bytes && (u64)crc == crc_of(file, bytes);
	json_decref(o);
	return holds;
}
