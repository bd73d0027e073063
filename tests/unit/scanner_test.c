// SPDX-License-Identifier: GPL-2.0
/*
 * The scanner's readers on a small kernel file that is right, and on such that are
 * damaged at random: each a heap block of exactly its size, so that the sanitizers
 * see what lies beyond.
 */
#include "scanner.h"
#include "unit.h"

#include <elf.h>
#include <stdlib.h>
#include <zlib.h>

#define OFFSET		0xc0000000u
#define CODE		(OFFSET + IMAGE_LOWEST)
#define CODE_BYTES	256u
#define ROUNDS		6000u

/* Sections, by number. */
enum { S_NULL, S_TEXT, S_SITES, S_NOTE, S_SYMTAB, S_STRTAB, S_NAMES, SECTIONS };

struct small {
	Elf32_Ehdr ehdr;
	Elf32_Phdr phdr[2];
	Elf32_Shdr shdr[SECTIONS];
	Elf32_Nhdr nhdr;
	char note_name[8];
	struct plex86_note note;
	Elf32_Sym symbol[4];
	char strings[32];
	char names[8];
	u8 code[CODE_BYTES];
	struct plex86_site site[2];
	u8 config[512];
};

static struct small good;

static const char config_text[] =
	"CONFIG_PLEX86_GUEST=y\nCONFIG_X86_32=y\n# CONFIG_SMP is not set\n";

static u32 pack(u8 *to, u32 room, const void *from, u32 bytes)
{
	z_stream z = { .next_in = (u8 *)(uintptr_t)from, .avail_in = bytes,
		       .next_out = to, .avail_out = room };

	deflateInit2(&z, 9, Z_DEFLATED, 16 + MAX_WBITS, 8, Z_DEFAULT_STRATEGY);
	assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
	deflateEnd(&z);
	return (u32)z.total_out;
}

static void section(u32 n, u32 type, u32 flags, const void *at, u32 bytes,
		    u32 address, u32 link)
{
	good.shdr[n] = (Elf32_Shdr){
		.sh_type = type, .sh_flags = flags, .sh_addr = address,
		.sh_offset = (u32)((const u8 *)at - (const u8 *)&good),
		.sh_size = bytes, .sh_link = link,
	};
}

/* CLI and PUSHF sites, a raw POPF, an IN in a function, XRSTOR within a MOV. */
static const u8 behind[] = {
	0x9d, 0xe4, 0x60, 0xb8, 0x0f, 0xae, 0x28, 0x00, 0x0f, 0x01, 0xef, 0xc3,
};

static int setup(void **state)
{
	const u32 start = offsetof(struct small, code);
	const u32 loaded = sizeof(good) - start;
	u32 bytes, n;

	(void)state;
	memset(&good, 0, sizeof(good));
	memset(good.code, 0x90, sizeof(good.code));
	memcpy(good.code, site_form(PLEX86_SITE_CLI, &bytes),
	       PLEX86_SITE_CLI_LEN);
	memcpy(good.code + 32, site_form(PLEX86_SITE_PUSHF, &bytes),
	       PLEX86_SITE_PUSHF_LEN);
	memcpy(good.code + 64, behind, sizeof(behind));
	good.site[0] = (struct plex86_site){ CODE, PLEX86_SITE_CLI, 7, 0 };
	good.site[1] = (struct plex86_site){ CODE + 32, PLEX86_SITE_PUSHF, 28, 0 };
	memcpy(good.config, "IKCFG_ST", 8);
	n = 8 + pack(good.config + 8, 400, config_text, sizeof(config_text) - 1);
	memcpy(good.config + n, "IKCFG_ED", 8);

	memcpy(good.ehdr.e_ident, ELFMAG, SELFMAG);
	good.ehdr.e_ident[EI_CLASS] = ELFCLASS32;
	good.ehdr.e_ident[EI_DATA] = ELFDATA2LSB;
	good.ehdr.e_type = ET_EXEC;
	good.ehdr.e_machine = EM_386;
	good.ehdr.e_entry = IMAGE_LOWEST;
	good.ehdr.e_phoff = offsetof(struct small, phdr);
	good.ehdr.e_phentsize = sizeof(Elf32_Phdr);
	good.ehdr.e_phnum = 2;
	good.ehdr.e_shoff = offsetof(struct small, shdr);
	good.ehdr.e_shentsize = sizeof(Elf32_Shdr);
	good.ehdr.e_shnum = SECTIONS;
	good.ehdr.e_shstrndx = S_NAMES;
	good.phdr[0] = (Elf32_Phdr){
		.p_type = PT_LOAD, .p_offset = start, .p_vaddr = CODE,
		.p_paddr = IMAGE_LOWEST, .p_filesz = loaded, .p_memsz = loaded,
	};
	good.phdr[1] = (Elf32_Phdr){
		.p_type = PT_NOTE, .p_offset = offsetof(struct small, nhdr),
		.p_filesz = offsetof(struct small, symbol) -
			    offsetof(struct small, nhdr),
	};
	section(S_TEXT, SHT_PROGBITS, SHF_ALLOC | SHF_EXECINSTR, good.code,
		CODE_BYTES, CODE, 0);
	section(S_SITES, SHT_PROGBITS, SHF_ALLOC, good.site, sizeof(good.site),
		CODE + CODE_BYTES, 0);
	section(S_SYMTAB, SHT_SYMTAB, 0, good.symbol, sizeof(good.symbol), 0,
		S_STRTAB);
	section(S_STRTAB, SHT_STRTAB, 0, good.strings, sizeof(good.strings), 0, 0);
	section(S_NAMES, SHT_STRTAB, 0, good.names, sizeof(good.names), 0, 0);
	memcpy(good.strings, "\0first\0second", 14);
	good.symbol[1] = (Elf32_Sym){ .st_name = 1, .st_value = CODE,
				      .st_info = STT_FUNC, .st_shndx = S_TEXT };
	good.symbol[2] = (Elf32_Sym){ .st_name = 7, .st_value = CODE + 64,
				      .st_info = STT_FUNC, .st_shndx = S_TEXT };
	good.nhdr = (Elf32_Nhdr){ 7, sizeof(struct plex86_note), PLEX86_NOTE };
	memcpy(good.note_name, "plex86", 7);
	good.note = (struct plex86_note){
		PLEX86_ABI_MAJOR, 0, OFFSET, CODE + CODE_BYTES,
		CODE + CODE_BYTES + sizeof(good.site), 1024,
	};
	return 0;
}

/* What is found in the small kernel, and where. */
static void small(void **state)
{
	static const struct {
		u32 at;
		const char *name;
		enum verdict verdict;
		const char *function;
	} want[] = {
		{ 6, "CLI", VERDICT_SITE, "first" },
		{ 32, "PUSHF", VERDICT_SITE, "first" },
		{ 33, "PUSHF", VERDICT_SITE, "first" },
		{ 59, "POPF", VERDICT_SITE, "first" },
		{ 64, "POPF", VERDICT_FAULT, "second" },
		{ 65, "IN", VERDICT_FAULT, "second" },
		{ 72, "WRPKRU", VERDICT_FAULT, "second" },
	};
	struct kernel kernel;
	struct report report;
	size_t i;

	(void)state;
	CHECK_STR("open", kernel_open(&kernel, (u8 *)&good, sizeof(good)), NULL);
	CHECK_EQ("scan", scan(&kernel, &report), 0);
	CHECK_STR("config", kernel.config, config_text);
	for (i = 0; i < report.problems; i++)
		print_message("# %s\n", report.problem[i].text);
	CHECK_EQ("problems", report.problems, 0);
	CHECK_EQ("findings", report.findings, ARRAY_SIZE(want));
	for (i = 0; i < ARRAY_SIZE(want); i++) {
		const struct finding *f = &report.finding[i];
		const char *r = row("row %zu", i);

		CHECK_EQ(r, f->address, CODE + want[i].at);
		CHECK_STR(r, f->name, want[i].name);
		CHECK_EQ(r, f->verdict, want[i].verdict);
		CHECK_STR(r, f->function, want[i].function);
	}
	CHECK_EQ("pkru", report.pkrus, 2);
	CHECK_EQ("XRSTOR", report.pkru[0].address, CODE + 68);
	CHECK_EQ("XRSTOR", report.pkru[0].is, PKRU_ACCIDENT);
	CHECK_EQ("WRPKRU", report.pkru[1].is, PKRU_INSTRUCTION);
	report_free(&report);
	kernel_close(&kernel);
}

static u32 opened;

static void try(const void *data, u32 bytes)
{
	u8 *file = malloc(bytes ? bytes : 1);
	struct report report = { 0 };
	struct kernel kernel;

	memcpy(file, data, bytes);
	if (!kernel_open(&kernel, file, bytes)) {
		opened++;
		CHECK_EQ("scan", scan(&kernel, &report), 0);
		report_free(&report);
		kernel_close(&kernel);
	}
	free(file);
}

/* Bytes changed, most of them in the headers, and the file cut. */
static u32 damage(u8 *data, u32 bytes, u32 headers, u64 *seed)
{
	u32 n = 1 + random32(seed) % 4;

	while (n--) {
		u32 at = random32(seed) % (random32(seed) % 4 ? headers : bytes);

		switch (random32(seed) % 4) {
		case 0:
			data[at] = 0xff;
			break;
		case 1:
			data[at] = 0;
			break;
		case 2:
			data[at] ^= (u8)(1u << random32(seed) % 8);
			break;
		default:
			data[at] = (u8)random32(seed);
		}
	}
	return random32(seed) % 8 ? bytes : random32(seed) % (bytes + 1);
}

static void damaged(void **state)
{
	struct small bad;
	u64 seed = 86;
	u32 i, bytes;

	(void)state;
	opened = 0;
	for (i = 0; i < ROUNDS; i++) {
		bad = good;
		bytes = damage((u8 *)&bad, sizeof(bad),
			       offsetof(struct small, code), &seed);
		try(&bad, bytes);
	}
	CHECK("enough are opened", opened > ROUNDS / 4 && opened < ROUNDS);
}

/* The same within a bzImage; unpacking must stop where the payload does. */
static void damaged_bzimage(void **state)
{
	static u8 file[1024 + sizeof(good)], bad[sizeof(file)];
	const u16 version = 0x20f, signature = 0xaa55;
	u64 seed = 87;
	u32 i, bytes, packed;

	(void)state;
	memset(file, 0, sizeof(file));
	file[0x1f1] = 1;
	memcpy(file + 0x1fe, &signature, 2);
	memcpy(file + 0x202, "HdrS", 4);
	memcpy(file + 0x206, &version, 2);
	packed = pack(file + 1024, sizeof(good), &good, sizeof(good));
	memcpy(file + 0x24c, &packed, 4);
	opened = 0;
	try(file, 1024 + packed);
	CHECK_EQ("whole", opened, 1);
	for (i = 0; i < ROUNDS / 10; i++) {
		memcpy(bad, file, sizeof(bad));
		bytes = damage(bad + 0x1f1, 1024 + packed - 0x1f1, 96, &seed);
		try(bad, bytes + 0x1f1);
	}
	CHECK("some are opened", opened > 1);
}

/*
 * Files that are not large, but of which it would take hours to look at all that
 * they could mean: an end is found, or made.
 */
#define HOSTILE_BYTES	(8u << 20)

/* Symbols, and a string of 8 MB that each names the rest of. */
static void endless_names(void **state)
{
	u32 symbols = HOSTILE_BYTES / sizeof(Elf32_Sym), i;
	struct small *file = calloc(1, sizeof(*file) + 2 * HOSTILE_BYTES);
	Elf32_Sym *symbol = (Elf32_Sym *)(void *)(file + 1);
	struct kernel kernel;

	(void)state;
	*file = good;
	file->shdr[S_SYMTAB].sh_offset = sizeof(*file);
	file->shdr[S_SYMTAB].sh_size = symbols * (u32)sizeof(*symbol);
	file->shdr[S_STRTAB].sh_offset = sizeof(*file) + HOSTILE_BYTES;
	file->shdr[S_STRTAB].sh_size = HOSTILE_BYTES;
	for (i = 0; i < symbols; i++)
		symbol[i] = (Elf32_Sym){ .st_name = i, .st_value = CODE,
					 .st_info = STT_FUNC, .st_shndx = S_TEXT };
	memset((u8 *)symbol + HOSTILE_BYTES, 'a', HOSTILE_BYTES);
	CHECK_STR("open", kernel_open(&kernel, (u8 *)file, sizeof(*file) +
				      2 * HOSTILE_BYTES), NULL);
	CHECK_EQ("named", kernel.symbols, 0);
	kernel_close(&kernel);
	free(file);
}

/* Starts of a configuration, and their one end. */
static void endless_configs(void **state)
{
	u8 *data = malloc(HOSTILE_BYTES);
	u32 i;

	(void)state;
	for (i = 0; i < HOSTILE_BYTES; i += 8)
		memcpy(data + i, "IKCFG_ST", 8);
	memcpy(data + HOSTILE_BYTES - 8, "IKCFG_ED", 8);
	CHECK_STR("none", config_extract(data, HOSTILE_BYTES), NULL);
	free(data);
}

/* Options by their whole names; what is not "is not set" either. */
static void config_values(void **state)
{
	static const char config[] =
		"CONFIG_A=y\n# CONFIG_B is not set\nCONFIG_CC=m\nXCONFIG_D=y\nCONFIG_E=0x1\nCONFIG_F=\033\nCONFIG_G=";
	static const struct {
		const char *name;
		char want;
	} table[] = {
		{ "A", 'y' }, { "B", 'n' }, { "C", 'n' }, { "CC", 'm' },
		{ "D", 'n' }, { "E", '0' }, { "F", '?' }, { "G", '?' }, { "AA", 'n' }, { "", 'n' },
	};
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(table); i++)
		CHECK_EQ(table[i].name, config_value(config, table[i].name),
			 table[i].want);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(small),
		cmocka_unit_test(damaged),
		cmocka_unit_test(damaged_bzimage),
		cmocka_unit_test(endless_names),
		cmocka_unit_test(endless_configs),
		cmocka_unit_test(config_values),
	};

	return RUN_TESTS("scanner", tests, setup, NULL);
}
