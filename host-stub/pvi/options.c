// SPDX-License-Identifier: GPL-2.0
/*
 * The command line that the loader was given: words for the monitor up to "--",
 * the guest's own behind it.  Some loaders put the host's file name in front.
 */
#include "pvi.h"

static bool word_is(const char *at, u32 bytes, const char *word)
{
	u32 i;

	for (i = 0; i < bytes; i++)
		if (at[i] != word[i])
			return false;
	return !word[i];
}

static bool word_begins(const char *at, u32 bytes, const char *with, u32 *skip)
{
	for (*skip = 0; with[*skip]; ++*skip)
		if (*skip == bytes || at[*skip] != with[*skip])
			return false;
	return true;
}

/* A number with K, M or G behind it; false if it is none, or beyond 4 GiB. */
static bool size_of(const char *at, u32 bytes, u32 *value)
{
	u64 n = 0;
	u32 i;

	for (i = 0; i < bytes && at[i] >= '0' && at[i] <= '9'; i++) {
		n = n * 10 + (u32)(at[i] - '0');
		if (n > ~0u)
			return false;
	}
	if (!i)
		return false;
	if (i + 1 == bytes && (at[i] == 'K' || at[i] == 'k'))
		n <<= 10;
	else if (i + 1 == bytes && (at[i] == 'M' || at[i] == 'm'))
		n <<= 20;
	else if (i + 1 == bytes && (at[i] == 'G' || at[i] == 'g'))
		n <<= 30;
	else if (i != bytes)
		return false;
	*value = (u32)n;
	return n && n <= ~0u && !(n & (PAGE_SIZE - 1));
}

static bool is_file_name(const char *at, u32 bytes)
{
	u32 i;

	for (i = 0; i < bytes; i++)
		if (at[i] == '/')
			return true;
	return word_is(at, bytes, "pvi-host");
}

static const char *take(struct options *o, const char *at, u32 bytes)
{
	u32 skip;

	if (word_begins(at, bytes, "mem=", &skip)) {
		if (!size_of(at + skip, bytes - skip, &o->mem_bytes))
			return "mem=: not a size, a multiple of 4K below 4G; say mem=64M";
	} else if (word_is(at, bytes, "console=e9")) {
		o->port_e9 = true;
	} else if (word_is(at, bytes, "console=com1")) {
		o->port_e9 = false;
	} else if (word_begins(at, bytes, "console=", &skip)) {
		return "console=: no such console; say console=com1 or console=e9";
	} else if (word_is(at, bytes, "pvi=off")) {
		o->trap = true;
	} else if (word_is(at, bytes, "unchecked")) {
		o->unchecked = true;
	} else if (word_is(at, bytes, "stats")) {
		o->stats = true;
	} else if (word_is(at, bytes, "no-reboot")) {
		o->no_reboot = true;
	} else {
		return "the command line has a word that is no option; there are mem=, console=, pvi=off, unchecked, stats and no-reboot, and what is the guest's comes behind --";
	}
	return NULL;
}

/*
 * options_parse() - take the command line apart
 * @text: all of it
 *
 * Returns NULL or what is wrong.
 */
const char *options_parse(struct options *o, const char *text)
{
	bool first = true;
	const char *error;
	u32 bytes, i;

	for (;; text += bytes, first = false) {
		while (*text == ' ')
			text++;
		if (!*text)
			return NULL;
		for (bytes = 0; text[bytes] && text[bytes] != ' '; bytes++)
			;
		if (word_is(text, bytes, "--"))
			break;
		if (first && is_file_name(text, bytes))
			continue;
		error = take(o, text, bytes);
		if (error)
			return error;
	}
	for (text += 2; *text == ' '; text++)
		;
	for (i = 0; text[i]; i++) {
		if (i == sizeof(o->append) - 1)
			return "the guest's command line is longer than 2047 bytes";
		o->append[i] = text[i];
	}
	return NULL;
}
