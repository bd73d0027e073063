// SPDX-License-Identifier: GPL-2.0
/*
 * The certificate: a JSON file beside the kernel which says that the scanner has
 * found no fault in it. It names the kernel by size and CRC-32, which `plex86 run`
 * can compare in some milliseconds; a scan takes a hundred times as long. It holds
 * for the very rules by which it was made: SCANNER_RULES, from the Makefile, sums
 * up the source that they are in.
 *
 * It says that a kernel works, not that it means well: the monitor guards the
 * host against any kernel.
 */
#include "scanner.h"
#include "launcher.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#define NAME_MAX_BYTES	4096u
#define CERTIFICATE_MAX_BYTES 65536u

/* A CRC-32 as zlib has it, of any number of bytes. */
static u32 crc_of(const u8 *file, u64 bytes)
{
	return (u32)crc32_z(0, file, bytes);
}

/*
 * certificate_write() - write a certificate to file @name
 * @p: what was found, without a fault
 * @file: the kernel's
 *
 * Returns NULL, or what is wrong, as the rest of a sentence.
 */
const char *certificate_write(const char *name, const struct print *p,
			      const struct file *file)
{
	const char *error = NULL;
	int fd = file_create(name, &error);
	struct stat st;
	json_t *o;

	if (fd < 0)
		return error;
	if (fstat(fd, &st) ||
	    (st.st_dev == file->stat.st_dev && st.st_ino == file->stat.st_ino)) {
		close(fd);
		return "is the kernel itself";
	}
	o = print_summary(p);
	json_object_set_new(o, "plex86", json_string(PLEX86_VERSION));
	json_object_set_new(o, "rules", json_string(SCANNER_RULES));
	json_object_set_new(o, "bytes", json_integer((json_int_t)file->bytes));
	json_object_set_new(o, "crc32",
			    json_integer(crc_of(file->data, file->bytes)));
	/* A pipe cannot be truncated, and need not. */
	if ((S_ISREG(st.st_mode) && ftruncate(fd, 0)) ||
	    json_dumpfd(o, fd, JSON_INDENT(1) | JSON_PRESERVE_ORDER) ||
	    write(fd, "\n", 1) != 1)
		error = strerror(errno);
	if (close(fd) && !error)
		error = strerror(errno);
	json_decref(o);
	return error;
}

/*
 * certificate_holds() - is there a certificate for a kernel file?
 * @kernel_name: of the file; the certificate's is CERTIFICATE_SUFFIX longer
 * @file, @bytes: what was read of it
 */
bool certificate_holds(const char *kernel_name, const u8 *file, u64 bytes)
{
	const char *version = "", *rules = "";
	char name[NAME_MAX_BYTES];
	json_int_t size = 0, crc = 0;
	struct file text = { 0 };
	int certified = 0, n;
	json_t *o;
	bool holds;

	n = snprintf(name, sizeof(name), "%s" CERTIFICATE_SUFFIX, kernel_name);
	if (n < 0 || n >= (int)sizeof(name))
		return false;
	if (file_read(&text, name, CERTIFICATE_MAX_BYTES))
		return false;
	o = json_loadb((const char *)text.data, text.bytes,
		       JSON_REJECT_DUPLICATES, NULL);
	holds = o &&
		!json_unpack(o, "{s:s, s:s, s:I, s:I, s:b}", "plex86", &version,
			     "rules", &rules, "bytes", &size, "crc32", &crc,
			     "certified", &certified) &&
		certified && !strcmp(version, PLEX86_VERSION) &&
		!strcmp(rules, SCANNER_RULES) &&
		(u64)size == bytes && (u64)crc == crc_of(file, bytes);
	json_decref(o);
	file_drop(&text);
	return holds;
}
