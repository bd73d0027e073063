// SPDX-License-Identifier: GPL-2.0
/*
 * The kernel proper out of a bzImage: Documentation/arch/x86/boot.rst, "payload".
 */
#include "scanner.h"

#include <lzma.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>
#include <zstd.h>

#define SECTOR		512u
#define HEADER_END	0x250u
#define VERSION_MIN	0x0208u		/* has payload_offset */

/* What unpacked bytes go to; it grows. */
struct output {
	u8 *data;
	u64 bytes, room;
};

static const char *const too_large =
	"damaged: its payload is larger than any kernel";
static const char *const bad_payload =
	"damaged: its payload cannot be unpacked";

/* Room for more, behind the @out->bytes that are there; NULL or an error. */
static const char *grow(struct output *out)
{
	u64 room = out->room ? out->room * 2 : 1u << 20;
	u8 *data;

	if (out->bytes < out->room)
		return NULL;
	if (room > KERNEL_MAX_BYTES)
		return too_large;
	data = realloc(out->data, room);
	if (!data)
		return "too large for this machine's memory";
	out->data = data;
	out->room = room;
	return NULL;
}

static const char *unpack_gzip(const u8 *in, u32 bytes, struct output *out)
{
	z_stream z = { .next_in = (u8 *)(uintptr_t)in, .avail_in = bytes };
	const char *error = NULL;
	int ret = Z_OK;

	if (inflateInit2(&z, 16 + MAX_WBITS) != Z_OK)
		return bad_payload;
	while (!error && ret != Z_STREAM_END) {
		error = grow(out);
		if (error)
			break;
		z.next_out = out->data + out->bytes;
		z.avail_out = (u32)(out->room - out->bytes);
		ret = inflate(&z, Z_NO_FLUSH);
		out->bytes = out->room - z.avail_out;
		if (ret != Z_OK && ret != Z_STREAM_END)
			error = bad_payload;
	}
	inflateEnd(&z);
	return error;
}

static const char *unpack_xz(const u8 *in, u32 bytes, struct output *out)
{
	lzma_stream s = LZMA_STREAM_INIT;
	const char *error = NULL;
	lzma_ret ret = LZMA_OK;

	if (lzma_auto_decoder(&s, KERNEL_MAX_BYTES, 0) != LZMA_OK)
		return bad_payload;
	s.next_in = in;
	s.avail_in = bytes;
	while (!error && ret != LZMA_STREAM_END) {
		error = grow(out);
		if (error)
			break;
		s.next_out = out->data + out->bytes;
		s.avail_out = out->room - out->bytes;
		ret = lzma_code(&s, LZMA_RUN);
		out->bytes = out->room - s.avail_out;
		if (ret != LZMA_OK && ret != LZMA_STREAM_END)
			error = bad_payload;
		else if (ret == LZMA_OK && !s.avail_in && s.avail_out)
			error = bad_payload;	/* it ends too early */
	}
	lzma_end(&s);
	return error;
}

static const char *unpack_zstd(const u8 *in, u32 bytes, struct output *out)
{
	ZSTD_inBuffer from = { in, bytes, 0 };
	ZSTD_DStream *z = ZSTD_createDStream();
	const char *error = NULL;
	size_t ret = 1;

	/* The kernel's is packed with a window of up to 128 MiB. */
	if (!z || ZSTD_isError(ZSTD_DCtx_setParameter(z, ZSTD_d_windowLogMax, 27)))
		error = bad_payload;
	while (!error && ret) {
		ZSTD_outBuffer to;

		error = grow(out);
		if (error)
			break;
		to = (ZSTD_outBuffer){ out->data, out->room, out->bytes };
		ret = ZSTD_decompressStream(z, &to, &from);
		if (ZSTD_isError(ret) ||
		    (ret && from.pos == from.size && to.pos < to.size))
			error = bad_payload;
		out->bytes = to.pos;
	}
	ZSTD_freeDStream(z);
	return error;
}

static const struct packing {
	const char *magic;
	u32 bytes;
	const char *format;
	const char *(*unpack)(const u8 *in, u32 bytes, struct output *out);
	const char *refusal;
} packings[] = {
	{ "\x1f\x8b", 2, "bzImage (gzip)", unpack_gzip, NULL },
	{ "\xfd" "7zXZ\0", 6, "bzImage (xz)", unpack_xz, NULL },
	{ "\x5d\0\0", 3, "bzImage (lzma)", unpack_xz, NULL },
	{ "\x28\xb5\x2f\xfd", 4, "bzImage (zstd)", unpack_zstd, NULL },
	{ "\x7f" "ELF", 4, "bzImage (not packed)", NULL, NULL },
	{ "BZh", 3, NULL, NULL, "a bzImage packed with bzip2, which is not read here; unpack it with the kernel's scripts/extract-vmlinux" },
	{ "\x89LZO", 4, NULL, NULL, "a bzImage packed with lzo, which is not read here; unpack it with the kernel's scripts/extract-vmlinux" },
	{ "\x02\x21\x4c\x18", 4, NULL, NULL, "a bzImage packed with lz4, which is not read here; unpack it with the kernel's scripts/extract-vmlinux" },
};

static u32 get16(const u8 *at)
{
	return at[0] | (u32)at[1] << 8;
}

static u32 get32(const u8 *at)
{
	return get16(at) | get16(at + 2) << 16;
}

/*
 * unpack() - the ELF file within a bzImage
 * @file, @bytes: a file that is no ELF file
 * @out, @out_bytes: what was in it, to be freed
 * @format: set to what it was
 *
 * Returns NULL, or what is wrong as the rest of a sentence.
 */
const char *unpack(const u8 *file, u64 bytes, u8 **out, u64 *out_bytes,
		   const char **format)
{
	struct output output = { 0 };
	const char *error = "damaged: its payload is no packed kernel";
	u64 at, size;
	u32 i, sectors;

	if (bytes < 0x206 || get16(file + 0x1fe) != 0xaa55 ||
	    memcmp(file + 0x202, "HdrS", 4))
		return "neither an ELF file nor a bzImage; give a kernel's vmlinux";
	if (bytes < HEADER_END)
		return "truncated: the header of the bzImage is incomplete";
	if (get16(file + 0x206) < VERSION_MIN)
		return "a bzImage older than Linux 2.6.26, which does not say where the kernel is";
	sectors = file[0x1f1] ? file[0x1f1] : 4;
	at = (u64)(sectors + 1) * SECTOR + get32(file + 0x248);
	size = get32(file + 0x24c);
	if (at > bytes || size > bytes - at)
		return "truncated: the payload of the bzImage lies beyond the end of the file";

	for (i = 0; i < sizeof(packings) / sizeof(packings[0]); i++) {
		const struct packing *p = &packings[i];

		if (size < p->bytes || memcmp(file + at, p->magic, p->bytes))
			continue;
		*format = p->format;
		if (p->refusal)
			return p->refusal;
		if (p->unpack) {
			error = p->unpack(file + at, (u32)size, &output);
			break;
		}
		output.data = malloc(size);
		output.bytes = size;
		error = "too large for this machine's memory";
		if (output.data) {
			memcpy(output.data, file + at, size);
			error = NULL;
		}
		break;
	}
	if (error) {
		free(output.data);
		return error;
	}
	*out = output.data;
	*out_bytes = output.bytes;
	return NULL;
}
