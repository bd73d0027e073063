// SPDX-License-Identifier: GPL-2.0
/*
 * Is the certificate that came with the kernel one for it?  The scanner writes it
 * (scanner/certificate.c): a JSON object that names the kernel by size and CRC-32,
 * and the scanner by version and rules.
 */
#include "pvi.h"
#include "version.h"

static u32 text_length(const char *s)
{
	u32 n = 0;

	while (s[n])
		n++;
	return n;
}

/* Where the value of member @name of the object itself begins, or NULL. */
static const u8 *member(const struct module *text, const char *name)
{
	const u8 *at = text->data, *end = at + text->bytes, *string;
	u32 bytes = text_length(name), depth = 0;

	for (; at < end; at++) {
		if (*at == '{' || *at == '[')
			depth++;
		if (*at == '}' || *at == ']')
			depth--;
		if (*at != '"')
			continue;
		string = ++at;
		while (at < end && *at != '"')
			at += *at == '\\' ? 2 : 1;
		if (depth != 1 || at >= end || (u32)(at - string) != bytes ||
		    memcmp(string, name, bytes))
			continue;
		for (at++; at < end && (*at == ' ' || *at == ':'); at++)
			;
		return at;
	}
	return NULL;
}

/* Does a value end here, where there is more text? */
static bool ends(const u8 *at, const u8 *end)
{
	return at < end && (*at == ',' || *at == '}' || *at == ' ' ||
			    *at == '\n' || *at == '\r' || *at == '\t');
}

static bool is(const struct module *text, const char *name, const char *value)
{
	const u8 *at = member(text, name), *end = text->data + text->bytes;
	u32 bytes = text_length(value);

	return at && bytes <= (u32)(end - at) && !memcmp(at, value, bytes) &&
	       ends(at + bytes, end);
}

static bool is_number(const struct module *text, const char *name, u32 value)
{
	const u8 *at = member(text, name), *end = text->data + text->bytes;
	u64 n = 0;

	if (!at || at == end || *at < '0' || *at > '9')
		return false;
	for (; at < end && *at >= '0' && *at <= '9' && n <= ~0u; at++)
		n = n * 10 + (u32)(*at - '0');
	return n == value && ends(at, end);
}

/* CRC-32 as in zlib and Ethernet. */
static u32 crc_of(const u8 *data, u32 bytes)
{
	u32 table[256], crc = ~0u, i, bit;

	for (i = 0; i < 256; i++) {
		table[i] = i;
		for (bit = 0; bit < 8; bit++)
			table[i] = table[i] >> 1 ^
				   (table[i] & 1 ? 0xedb88320u : 0);
	}
	for (i = 0; i < bytes; i++)
		crc = crc >> 8 ^ table[(crc ^ data[i]) & 0xff];
	return ~crc;
}

/*
 * certificate_check() - does @text say that @kernel was found without a fault?
 *
 * Returns NULL, or what is wrong.
 */
const char *certificate_check(const struct module *text,
			      const struct module *kernel)
{
	if (!text->bytes)
		return "it has no certificate (module 3): it may have raw instructions; give vmlinux.certificate, or the option unchecked";
	if (!is(text, "certified", "true"))
		return "its certificate does not say that it is free of raw instructions; see what `plex86 check` says";
	if (!is(text, "plex86", "\"" PLEX86_VERSION "\"") ||
	    !is(text, "rules", "\"" SCANNER_RULES "\""))
		return "its certificate is another version's; make a new one with this version's `plex86 check`";
	if (!is_number(text, "bytes", kernel->bytes) ||
	    !is_number(text, "crc32", crc_of(kernel->data, kernel->bytes)))
		return "its certificate is another kernel's; make one with `plex86 check --certificate`";
	return NULL;
}
