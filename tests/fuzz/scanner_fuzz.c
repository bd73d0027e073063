// SPDX-License-Identifier: GPL-2.0
/*
 * `plex86 check FILE`: host-stub/scanner on a file that may be anything, up to the
 * report.
 *
 * The input's first byte says what the rest is: a file; what is packed in a
 * bzImage, whose checksums the fuzzer cannot make; or the text of a configuration.
 */
#include "fuzz.h"
#include "scanner.h"

#include <jansson.h>
#include <sys/mman.h>
#include <zlib.h>

#define PAYLOAD	1024u		/* of a bzImage with one sector of setup code */

static void check_report(const struct report *r)
{
	u32 i, verdicts = 0, of[VERDICTS] = { 0 };

	for (i = 0; i < r->findings; i++) {
		CHECK("finding", r->finding[i].verdict < VERDICTS);
		CHECK("finding", r->finding[i].name && r->finding[i].len);
		of[r->finding[i].verdict]++;
	}
	for (i = 0; i < VERDICTS; i++) {
		CHECK_EQ("verdicts", r->verdicts[i], of[i]);
		verdicts += r->verdicts[i];
	}
	CHECK_EQ("verdicts", verdicts, r->findings);
	CHECK("options", r->options_wrong <= r->problems);
	/* Whoever certifies it says that it can be loaded. */
	if (report_certified(r))
		CHECK("certified", r->has_note && r->image.end > r->image.first);
}

static void check_file(const u8 *file, u64 bytes)
{
	struct print p = { .name = "fuzz", .all = true };
	struct report report = { 0 };
	struct kernel kernel;

	if (kernel_open(&kernel, file, bytes))
		return;
	CHECK_EQ("scan", scan(&kernel, &report), 0);
	check_report(&report);
	p.kernel = &kernel;
	p.report = &report;
	print_text(&p);
	CHECK_EQ("JSON", print_json(&p), 0);
	report_free(&report);
	kernel_close(&kernel);
}

/* Packs the input as the payload of a bzImage, and has that checked. */
static void check_packed(const struct input *in)
{
	u32 room = PAYLOAD + (u32)in->left + 1024;
	z_stream z = { .next_in = (u8 *)(uintptr_t)in->at,
		       .avail_in = (u32)in->left };
	const u16 signature = 0xaa55, version = 0x20f;
	u8 *file = calloc(1, room), *exact;
	u32 packed;

	file[0x1f1] = 1;
	memcpy(file + 0x1fe, &signature, sizeof(signature));
	memcpy(file + 0x202, "HdrS", 4);
	memcpy(file + 0x206, &version, sizeof(version));
	z.next_out = file + PAYLOAD;
	z.avail_out = room - PAYLOAD;
	deflateInit2(&z, 1, Z_DEFLATED, 16 + MAX_WBITS, 8, Z_DEFAULT_STRATEGY);
	CHECK_EQ("deflate", deflate(&z, Z_FINISH), Z_STREAM_END);
	packed = (u32)z.total_out;
	deflateEnd(&z);
	memcpy(file + 0x24c, &packed, sizeof(packed));
	exact = realloc(file, PAYLOAD + packed);
	check_file(exact, PAYLOAD + packed);
	free(exact);
}

static void check_config(const struct input *in)
{
	char *text = malloc(in->left + 1);
	u32 i;

	memcpy(text, in->at, in->left);
	text[in->left] = 0;
	for (i = 0; i < config_wants_count; i++) {
		char value = config_value(text, config_wants[i].name);

		CHECK("config", value > ' ' && value <= '~');
	}
	free(text);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t bytes)
{
	struct input in = { data, bytes };
	u8 kind = take8(&in), *file;
	static bool quiet;

	/* The report is made, and not shown. */
	if (!quiet)
		quiet = freopen("/dev/null", "w", stdout);
	switch (kind) {
	case 'c':
		check_config(&in);
		break;
	case 'z':
		check_packed(&in);
		break;
	default:
		file = malloc(in.left ? in.left : 1);
		memcpy(file, in.at, in.left);
		check_file(file, in.left);
		free(file);
	}
	return 0;
}
