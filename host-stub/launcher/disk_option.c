// SPDX-License-Identifier: GPL-2.0
/*
 * What --disk says: where the medium is, and a table of what may be said of it.
 *
 * The value is a list of words with commas between them; two commas are one
 * that belongs to a word.
 */
#include "disk.h"
#include "launcher.h"

#include <errno.h>
#include <string.h>

#define RATE_MAX	(1ull << 40)

/* A number with K, M, G, T behind it; false if it is none, or above @max. */
static bool number(const char *text, size_t len, u64 max, u64 *n)
{
	static const char units[] = "KMGT";
	const char *unit;
	char copy[32], *end;

	if (!len || len >= sizeof(copy) || *text < '0' || *text > '9')
		return false;
	memcpy(copy, text, len);
	copy[len] = 0;
	errno = 0;
	*n = strtoull(copy, &end, 10);
	if (errno || *n > max)
		return false;
	unit = *end ? strchr(units, *end & ~0x20) : NULL;
	if (unit) {
		u32 shift = 10 * (u32)(unit - units + 1);

		if (*n > max >> shift)
			return false;
		*n <<= shift;
		end++;
	}
	return !*end;
}

/* RATE or RATE:BURST; a tenth of a second's worth is the burst of the first. */
static int set_rate(struct disk_rate *rate, const char *name, const char *value)
{
	const char *colon = strchr(value, ':');
	size_t len = colon ? (size_t)(colon - value) : strlen(value);

	if (number(value, len, RATE_MAX, &rate->per_s) && rate->per_s) {
		rate->burst = rate->per_s / 10;
		if (!colon || number(colon + 1, strlen(colon + 1), RATE_MAX,
				     &rate->burst))
			return 0;
	}
	complain("--disk: %s=%s: not a rate; write %s=1000, or %s=1000:5000 for 5000 at once after a pause",
		 name, value, name, name);
	return -1;
}

static int set_iops(struct disk_options *o, const char *value)
{
	return set_rate(&o->iops, "iops", value);
}

static int set_bps(struct disk_options *o, const char *value)
{
	return set_rate(&o->bps, "bps", value);
}

static int set_cache(struct disk_options *o, const char *value)
{
	if (!strcmp(value, "writeback")) {
		o->cache = CACHE_WRITEBACK;
	} else if (!strcmp(value, "writethrough")) {
		o->cache = CACHE_WRITETHROUGH;
	} else if (!strcmp(value, "none")) {
		o->cache = CACHE_NONE;
	} else {
		complain("--disk: cache=%s: no such cache; writeback, writethrough or none",
			 value);
		return -1;
	}
	return 0;
}

static int set_flag(bool *flag, const char *name, const char *value)
{
	if (strcmp(value, "on") && strcmp(value, "off")) {
		complain("--disk: %s=%s: on or off", name, value);
		return -1;
	}
	*flag = !strcmp(value, "on");
	return 0;
}

static int set_ro(struct disk_options *o, const char *value)
{
	return set_flag(&o->read_only, "ro", value);
}

static int set_snapshot(struct disk_options *o, const char *value)
{
	return set_flag(&o->snapshot, "snapshot", value);
}

static int set_serial(struct disk_options *o, const char *value)
{
	const char *c;

	if (strlen(value) > PLEX86_BLK_SERIAL) {
		complain("--disk: serial=%s: too long (%zu; at most %u)", value,
			 strlen(value), PLEX86_BLK_SERIAL);
		return -1;
	}
	for (c = value; *c; c++) {
		if (*c > ' ' && *c <= '~')
			continue;
		complain("--disk: serial=%s: only visible ASCII characters, no blanks",
			 value);
		return -1;
	}
	o->serial = value;
	return 0;
}

static int set_block(struct disk_options *o, const char *value)
{
	u64 n;

	if (!number(value, strlen(value), PAGE_SIZE, &n) ||
	    n < PLEX86_BLK_SECTOR || (n & (n - 1))) {
		complain("--disk: block=%s: 512, 1024, 2048 or 4096", value);
		return -1;
	}
	o->block_bytes = (u32)n;
	return 0;
}

static int set_format(struct disk_options *o, const char *value)
{
	if (strcmp(value, "raw")) {
		complain("--disk: format=%s: only raw; serve others with qemu-nbd and say nbd=URI",
			 value);
		return -1;
	}
	o->raw = true;
	return 0;
}

static int set_timeout(struct disk_options *o, const char *value)
{
	u64 n;

	if (!number(value, strlen(value), 86400, &n) || !n) {
		complain("--disk: timeout=%s: seconds, from 1 on", value);
		return -1;
	}
	o->timeout_s = (u32)n;
	return 0;
}

static int set_place(struct disk_options *o, const char *name, const char *value,
		     int medium)
{
	if (o->place) {
		complain("--disk: %s=%s: one place for one disk; say --disk once more",
			 name, value);
		return -1;
	}
	if (!*value) {
		complain("--disk: %s= names nothing", name);
		return -1;
	}
	o->place = value;
	o->medium = medium;
	return 0;
}

static int set_file(struct disk_options *o, const char *value)
{
	return set_place(o, "file", value, MEDIUM_FILE);
}

static int set_nbd(struct disk_options *o, const char *value)
{
	return set_place(o, "nbd", value, MEDIUM_NBD);
}

static const struct {
	const char *name;
	const char *alone;	/* the value of the name alone, or NULL */
	int (*set)(struct disk_options *o, const char *value);
} words[] = {
	{ "file", NULL, set_file },
	{ "nbd", NULL, set_nbd },
	{ "ro", "on", set_ro },
	{ "snapshot", "on", set_snapshot },
	{ "cache", NULL, set_cache },
	{ "serial", NULL, set_serial },
	{ "block", NULL, set_block },
	{ "iops", NULL, set_iops },
	{ "bps", NULL, set_bps },
	{ "format", NULL, set_format },
	{ "timeout", NULL, set_timeout },
};

static int set_word(struct disk_options *o, char *word)
{
	char *value = strchr(word, '=');
	size_t i;

	if (value)
		*value++ = 0;
	for (i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (strcmp(words[i].name, word))
			continue;
		if (!value && !words[i].alone) {
			complain("--disk: %s wants a value", word);
			return -1;
		}
		return words[i].set(o, value ? value : words[i].alone);
	}
	complain("--disk: %s: no such option; %ssee 'plex86 help'", word,
		 o->place ? "" : "file=PATH or nbd=URI comes first, ");
	return -1;
}

/* Ends the word at @from; returns where the next one starts, or NULL. */
static char *cut(char *from)
{
	char *to = from;

	for (; *from; from++) {
		if (*from == ',' && *++from != ',') {
			*to = 0;
			return from;
		}
		*to++ = *from;
	}
	*to = 0;
	return NULL;
}

/* What goes together. */
static int check(const struct disk_options *o)
{
	const char *what = NULL;

	if (!o->place) {
		complain("--disk: no medium: say file=PATH or nbd=URI");
		return -1;
	}
	if (o->medium == MEDIUM_NBD && o->snapshot)
		what = "snapshot: only of a file; have the server do it (qemu-nbd -s)";
	else if (o->medium == MEDIUM_NBD && o->cache == CACHE_NONE)
		what = "cache=none: only of a file; the cache is the server's";
	else if (o->medium == MEDIUM_FILE && o->timeout_s)
		what = "timeout: only of nbd=URI";
	if (what)
		complain("--disk: %s: %s", o->place, what);
	return what ? -1 : 0;
}

/*
 * disk_option() - read the value of one --disk
 * @options: filled in
 *
 * Returns 0, or -1 after saying what is wrong.  disk_option_free() is for both.
 */
int disk_option(struct disk_options *options, const char *value)
{
	char *word = strdup(value);

	memset(options, 0, sizeof(*options));
	options->words = word;
	if (!word) {
		complain("out of memory");
		return -1;
	}
	while (word) {
		char *next = cut(word);

		if (set_word(options, word))
			return -1;
		word = next;
	}
	return check(options);
}

/* disk_option_free() - let go of what disk_option() has made */
void disk_option_free(struct disk_options *options)
{
	free(options->words);
}
