// SPDX-License-Identifier: GPL-2.0
/*
 * core/image.c: hand-made kernel files, whole and damaged in every way, each a
 * heap block of exactly its size; and the boot parameters against the system's
 * <asm/bootparam.h>.
 */
#include "fake.h"
#include "image.h"
#include "unit.h"

#include <asm/bootparam.h>
#include <elf.h>
#include <stdlib.h>

#define OFFSET	0xc0000000u
#define RAM	(IMAGE_LOWEST + 2 * PAGE_SIZE)
#define DATA	1024u		/* bytes of the one segment in the file */
#define SITES	6u

/* The file: headers, the note, the segment with the site table at its end. */
struct file {
	Elf32_Ehdr ehdr;
	Elf32_Phdr phdr[3];
	Elf32_Nhdr other;
	char other_name[4];
	u32 other_desc;
	Elf32_Nhdr nhdr;
	char name[8];
	struct plex86_note note;
	u8 data[DATA];
};

#define SITE_TABLE	(IMAGE_LOWEST + DATA - SITES * sizeof(struct plex86_site))

static struct file good;
static struct fake *f;

static const struct plex86_site good_sites[SITES] = {
	{ OFFSET + IMAGE_LOWEST, PLEX86_SITE_CLI, 7, 0 },
	{ OFFSET + IMAGE_LOWEST + 16, PLEX86_SITE_STI, 7, 0 },
	{ OFFSET + IMAGE_LOWEST + 32, PLEX86_SITE_PUSHF, 28, 0 },
	{ OFFSET + IMAGE_LOWEST + 64, PLEX86_SITE_POPF, 14, 0 },
	{ OFFSET + IMAGE_LOWEST + 80, PLEX86_SITE_IRET, 7, 0 },
	{ OFFSET + IMAGE_LOWEST + 88, PLEX86_SITE_CALL, 6, 0 },
};

static void make_good(void)
{
	u32 i;

	memset(&good, 0, sizeof(good));
	memcpy(good.ehdr.e_ident, ELFMAG, SELFMAG);
	good.ehdr.e_ident[EI_CLASS] = ELFCLASS32;
	good.ehdr.e_ident[EI_DATA] = ELFDATA2LSB;
	good.ehdr.e_ident[EI_VERSION] = EV_CURRENT;
	good.ehdr.e_type = ET_EXEC;
	good.ehdr.e_machine = EM_386;
	good.ehdr.e_version = EV_CURRENT;
	good.ehdr.e_entry = IMAGE_LOWEST + 4;
	good.ehdr.e_phoff = offsetof(struct file, phdr);
	good.ehdr.e_ehsize = sizeof(Elf32_Ehdr);
	good.ehdr.e_phentsize = sizeof(Elf32_Phdr);
	good.ehdr.e_phnum = 3;
	good.phdr[0] = (Elf32_Phdr){
		.p_type = PT_LOAD, .p_offset = offsetof(struct file, data),
		.p_vaddr = OFFSET + IMAGE_LOWEST, .p_paddr = IMAGE_LOWEST,
		.p_filesz = DATA, .p_memsz = DATA,
	};
	good.phdr[1] = (Elf32_Phdr){
		.p_type = PT_NOTE, .p_offset = offsetof(struct file, other),
		.p_filesz = offsetof(struct file, data) -
			    offsetof(struct file, other),
	};
	good.phdr[2] = (Elf32_Phdr){
		.p_type = PT_LOAD, .p_paddr = IMAGE_LOWEST + PAGE_SIZE,
		.p_memsz = 64,
	};
	good.other = (Elf32_Nhdr){ 4, 4, 3 };
	memcpy(good.other_name, "GNU", 4);
	good.nhdr = (Elf32_Nhdr){ 7, sizeof(struct plex86_note), PLEX86_NOTE };
	memcpy(good.name, PLEX86_NOTE_NAME, 7);
	good.note = (struct plex86_note){
		.abi_major = PLEX86_ABI_MAJOR, .page_offset = OFFSET,
		.sites = OFFSET + SITE_TABLE,
		.sites_end = OFFSET + IMAGE_LOWEST + DATA, .ram_max_mib = 768,
	};
	for (i = 0; i < DATA; i++)
		good.data[i] = (u8)(0x80 | i);
	memcpy(good.data + DATA - sizeof(good_sites), good_sites,
	       sizeof(good_sites));
}

static int setup(void **state)
{
	(void)state;
	f = fake_new(RAM);
	make_good();
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	fake_free(f);
	return 0;
}

static struct image image;

/* The three steps on a copy of exactly @size bytes; NULL or what is wrong. */
static const char *load(const void *file, u32 size)
{
	u8 *copy = malloc(size);
	const char *error;

	memcpy(copy, file, size);
	error = image_check(copy, size, &image);
	if (!error)
		error = image_load(&f->vm, copy, size, &image);
	if (!error)
		error = image_shared_form(&f->vm, &image);
	free(copy);
	return error;
}

/* A good file is where it says, its sites rewritten and nothing else. */
static void good_file(void **state)
{
	static const struct {
		u32 at, n;
		u8 code[28];
	} forms[] = {
		{ 0, 7, { 0xc6, 0x05, 0x01, 0x00, 0xc0, 0xff, 0x00 } },
		{ 16, 7, { 0xc6, 0x05, 0x01, 0x10, 0xc0, 0xff, 0x02 } },
		{ 32, 28, { 0x9c, 0x50, 0x51, 0x8b, 0x44, 0x24, 0x08, 0x8b,
			    0x0d, 0x00, 0x00, 0xc0, 0xff, 0x8d, 0x84, 0x08,
			    0x00, 0xfe, 0xff, 0xff, 0x89, 0x44, 0x24, 0x08,
			    0x59, 0x58, 0x66, 0x90 } },
		{ 64, 14, { 0x50, 0x8a, 0x44, 0x24, 0x05, 0x24, 0x02, 0xa2,
			    0x01, 0x10, 0xc0, 0xff, 0x58, 0x9d } },
		{ 80, 7, { 0x36, 0xff, 0x25, 0x0c, 0x20, 0xc0, 0xff } },
		{ 88, 6, { 0xff, 0x15, 0x04, 0x20, 0xc0, 0xff } },
	};
	u8 want[DATA];
	size_t i;

	(void)state;
	CHECK_STR("good", load(&good, sizeof(good)), NULL);
	CHECK_EQ("good", image.entry, IMAGE_LOWEST + 4);
	CHECK_EQ("good", image.first, IMAGE_LOWEST);
	CHECK_EQ("good", image.end, IMAGE_LOWEST + PAGE_SIZE + 64);
	CHECK_EQ("good", image.note.ram_max_mib, 768);
	CHECK_EQ("good", f->vm.page_offset, OFFSET);
	memcpy(want, good.data, DATA);
	for (i = 0; i < ARRAY_SIZE(forms); i++)
		memcpy(want + forms[i].at, forms[i].code, forms[i].n);
	CHECK_MEM("good", f->vm.ram + IMAGE_LOWEST, want, DATA);
	for (i = IMAGE_LOWEST + DATA; i < RAM; i++)
		CHECK_EQ("good", f->vm.ram[i], 0);
	/* The forms name the addresses of the contract. */
	CHECK_MEM("cli", &(u32){ PLEX86_INFO + 1 }, forms[0].code + 2, 4);
	CHECK_MEM("sti", &(u32){ PLEX86_INFO_STI + 1 }, forms[1].code + 2, 4);
	CHECK_MEM("pushf", &(u32){ PLEX86_INFO }, forms[2].code + 9, 4);
	CHECK_MEM("popf", &(u32){ PLEX86_INFO_STI + 1 }, forms[3].code + 8, 4);
	CHECK_MEM("iret", &(u32){ IMAGE_IRET_POINTERS }, forms[4].code + 3, 4);
	CHECK_MEM("call", &(u32){ PLEX86_GATES +
				  offsetof(struct plex86_gates, call) },
		  forms[5].code + 2, 4);
	CHECK_EQ("iret", image.irets, 1);
	CHECK_EQ("iret", image.iret[0], OFFSET + IMAGE_LOWEST + 80);
}

/*
 * IRET sites: the first ones in the table have a pointer each, in its order,
 * behind struct plex86_gates and in the same page; the others are an INT.
 */
static void iret_sites(void **state)
{
	static const u32 counts[] = {
		0, 1, 2, IMAGE_IRETS - 1, IMAGE_IRETS, IMAGE_IRETS + 1,
		IMAGE_IRETS + 9,
	};
	static const u8 last[] = {
		0xcd, IMAGE_INT_IRET, 0x0f, 0x1f, 0x44, 0x00, 0x00,
	};
	size_t c;
	u32 i, n;

	(void)state;
	CHECK_EQ("pointers", IMAGE_IRET_POINTERS,
		 PLEX86_GATES + sizeof(struct plex86_gates));
	for (c = 0; c < ARRAY_SIZE(counts); c++) {
		struct file file = good;
		u32 at = DATA;

		/* Backwards in memory, and sites of another kind in between. */
		for (i = 0; i < counts[c]; i++) {
			struct plex86_site site = {
				OFFSET + IMAGE_LOWEST + 16 * (counts[c] - i),
				PLEX86_SITE_IRET, PLEX86_SITE_IRET_LEN, 0,
			};

			at -= sizeof(site);
			memcpy(file.data + at, &site, sizeof(site));
			if (i % 3)
				continue;
			site.addr += 8;
			site.kind = PLEX86_SITE_CALL;
			site.len = PLEX86_SITE_CALL_LEN;
			at -= sizeof(site);
			memcpy(file.data + at, &site, sizeof(site));
		}
		file.note.sites = OFFSET + IMAGE_LOWEST + at;
		CHECK_STR(row("%u", counts[c]), load(&file, sizeof(file)), NULL);
		n = counts[c] < IMAGE_IRETS ? counts[c] : IMAGE_IRETS;
		CHECK_EQ(row("%u", counts[c]), image.irets, n);
		/* It counts for itself. */
		CHECK_STR("again", image_shared_form(&f->vm, &image), NULL);
		CHECK_EQ("again", image.irets, n);
		/* In the table the one at the lowest address comes first. */
		for (i = 0; i < counts[c]; i++) {
			u32 gpa = IMAGE_LOWEST + 16 * (i + 1);
			u32 pointer = IMAGE_IRET_POINTERS + 4 * i;
			const char *r = row("site %u of %u", i, counts[c]);
			const u8 *code = f->vm.ram + gpa;

			CHECK_EQ(r, code[7], file.data[16 * (i + 1) + 7]);
			if (i >= IMAGE_IRETS) {
				CHECK_MEM(r, code, last, sizeof(last));
				continue;
			}
			CHECK_MEM(r, code, ((u8[]){ 0x36, 0xff, 0x25 }), 3);
			CHECK_MEM(r, code + 3, &pointer, 4);
			CHECK_EQ(r, image.iret[i], OFFSET + gpa);
			CHECK(r, pointer + 4 <= PLEX86_GATES + PAGE_SIZE);
		}
	}
}

/* Every length a file can be cut to is an error, and never a wild read. */
static void truncated(void **state)
{
	u32 size;

	(void)state;
	for (size = 0; size < sizeof(good); size++)
		CHECK(row("%u bytes", size), load(&good, size) != NULL);
	CHECK_STR("0", load(&good, 0), "empty");
	CHECK_STR("3", load(&good, 3), "not an ELF file");
	CHECK_STR("51", load(&good, 51), "truncated");
	CHECK_STR("all but one", load(&good, sizeof(good) - 1), "truncated");
}

static void wrong_files(void **state)
{
	static const struct {
		const char *what;
		size_t at, bytes;
		u32 value;
		const char *message;
	} table[] = {
#define AT(field) offsetof(struct file, field), sizeof(good.field)
		{ "magic", AT(ehdr.e_ident[0]), 'M', "not an ELF file" },
		{ "64-bit", AT(ehdr.e_ident[EI_CLASS]), ELFCLASS64, "64-bit" },
		{ "no class", AT(ehdr.e_ident[EI_CLASS]), 0, "32-bit x86" },
		{ "big endian", AT(ehdr.e_ident[EI_DATA]), ELFDATA2MSB,
		  "32-bit x86" },
		{ "ARM", AT(ehdr.e_machine), EM_ARM, "32-bit x86" },
		{ "x86-64", AT(ehdr.e_machine), EM_X86_64, "32-bit x86" },
		{ "object", AT(ehdr.e_type), ET_REL, "32-bit x86" },
		{ "library", AT(ehdr.e_type), ET_DYN, "32-bit x86" },
		{ "core", AT(ehdr.e_type), ET_CORE, "32-bit x86" },
		{ "no headers", AT(ehdr.e_phnum), 0, "32-bit x86" },
		{ "headers too small", AT(ehdr.e_phentsize), 28, "32-bit x86" },
		{ "headers misaligned", AT(ehdr.e_phoff), 53, "32-bit x86" },
		{ "headers of odd size", AT(ehdr.e_phentsize), 33,
		  "32-bit x86" },
		{ "headers beyond the end", AT(ehdr.e_phoff), 0xfffffffc,
		  "truncated" },
		{ "too many headers", AT(ehdr.e_phnum), 0xffff, "truncated" },
		{ "large headers", AT(ehdr.e_phentsize), 0xfffc, "truncated" },
		{ "segment beyond the end", AT(phdr[0].p_offset), 0x10000,
		  "truncated" },
		{ "segment offset wraps", AT(phdr[0].p_offset), 0xffffff80,
		  "truncated" },
		{ "segment too long", AT(phdr[0].p_filesz), DATA + 1,
		  "truncated" },
		{ "file larger than memory", AT(phdr[0].p_memsz), DATA - 1,
		  "contradict" },
		{ "memory wraps", AT(phdr[0].p_memsz), 0xfff00000,
		  "contradict" },
		{ "address wraps", AT(phdr[0].p_paddr), 0xffffff80,
		  "contradict" },
		{ "below 1 MiB", AT(phdr[0].p_paddr), IMAGE_LOWEST - 1,
		  "below 1 MiB" },
		{ "end beyond RAM", AT(phdr[0].p_paddr), RAM - DATA + 1,
		  "larger than the guest's memory" },
		{ "beyond RAM", AT(phdr[0].p_paddr), RAM + 1,
		  "larger than the guest's memory" },
		{ "memsz beyond RAM", AT(phdr[0].p_memsz), RAM,
		  "larger than the guest's memory" },
		{ "bss beyond RAM", AT(phdr[2].p_memsz), PAGE_SIZE + 1,
		  "larger than the guest's memory" },
		{ "bss far beyond RAM", AT(phdr[2].p_paddr), 0x40000000,
		  "larger than the guest's memory" },
		{ "file bytes for no memory", AT(phdr[2].p_filesz), 0x34000000,
		  "truncated" },
		{ "note segment beyond the end", AT(phdr[1].p_offset), 0x10000,
		  "truncated" },
		{ "note segment too long", AT(phdr[1].p_filesz), 0x10000,
		  "truncated" },
		{ "no note segment", AT(phdr[1].p_type), PT_NULL,
		  "no plex86 note" },
		{ "note of another owner", AT(name[0]), 'q', "no plex86 note" },
		{ "name not ended", AT(name[6]), 'x', "no plex86 note" },
		{ "longer name", AT(nhdr.n_namesz), 8, "no plex86 note" },
		{ "note of another type", AT(nhdr.n_type), 2, "no plex86 note" },
		{ "note too short", AT(nhdr.n_descsz), 19, "too short" },
		{ "note too long", AT(nhdr.n_descsz), 21, "longer than its" },
		{ "name too long", AT(nhdr.n_namesz), 0x1000,
		  "longer than its" },
		{ "name of 4 GiB", AT(nhdr.n_namesz), 0xffffffff,
		  "longer than its" },
		{ "descriptor of 4 GiB", AT(nhdr.n_descsz), 0xffffffff,
		  "longer than its" },
		{ "first name of 4 GiB", AT(other.n_namesz), 0xfffffffd,
		  "longer than its" },
		{ "ABI 0", AT(note.abi_major), 0, "no plex86 note" },
		{ "next ABI", AT(note.abi_major), PLEX86_ABI_MAJOR + 1,
		  "another version" },
		{ "ABI 65535", AT(note.abi_major), 0xffff, "another version" },
		{ "sites before the image", AT(note.sites),
		  OFFSET + IMAGE_LOWEST - 8, "site table" },
		{ "sites beyond the image", AT(note.sites_end),
		  OFFSET + IMAGE_LOWEST + 2 * PAGE_SIZE, "site table" },
		{ "sites backwards", AT(note.sites_end),
		  OFFSET + SITE_TABLE - 8, "site table" },
		{ "half a site", AT(note.sites_end),
		  OFFSET + IMAGE_LOWEST + DATA - 4, "site table" },
		{ "sites in user space", AT(note.sites), IMAGE_LOWEST,
		  "site table" },
		{ "page offset", AT(note.page_offset), 0x80000000,
		  "site table" },
	};
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(table); i++) {
		struct file bad = good;

		memcpy((u8 *)&bad + table[i].at, &table[i].value,
		       table[i].bytes < 4 ? table[i].bytes : 4);
		CHECK_STR(table[i].what, load(&bad, sizeof(bad)),
			  table[i].message);
	}
}

/*
 * A file that would take hours to be looked at: as many headers as there can be,
 * each of all that is behind them, which is read as notes too.
 */
static void endless_headers(void **state)
{
	const u32 headers = 0xffff, behind = 4u << 20;
	const u32 at = sizeof(Elf32_Ehdr), bytes = headers * sizeof(Elf32_Phdr);
	static const struct {
		u32 type;
		const char *error;
	} table[] = {
		{ PT_NOTE, "more notes" }, { PT_LOAD, "overlap" },
	};
	u8 *file = calloc(1, at + bytes + behind);
	Elf32_Phdr *phdr = (Elf32_Phdr *)(void *)(file + at);
	struct image found;
	u32 i, n;

	(void)state;
	memcpy(file, &good.ehdr, sizeof(good.ehdr));
	((Elf32_Ehdr *)(void *)file)->e_phoff = at;
	((Elf32_Ehdr *)(void *)file)->e_phnum = headers;
	for (n = 0; n < ARRAY_SIZE(table); n++) {
		for (i = 0; i < headers; i++)
			phdr[i] = (Elf32_Phdr){
				.p_type = table[n].type, .p_offset = at + bytes,
				.p_paddr = IMAGE_LOWEST, .p_filesz = behind,
				.p_memsz = behind,
			};
		CHECK_STR(table[n].error,
			  image_check(file, at + bytes + behind, &found),
			  table[n].error);
	}
	free(file);
}

/* What is not wrong: later minors, longer notes, an empty table. */
static void tolerated(void **state)
{
	struct file file = good;

	(void)state;
	file.note.abi_minor = 99;
	CHECK_STR("minor", load(&file, sizeof(file)), NULL);
	file = good;
	file.note.sites_end = file.note.sites;
	CHECK_STR("no sites", load(&file, sizeof(file)), NULL);
	file = good;
	file.phdr[2].p_type = PT_GNU_STACK;
	file.phdr[2].p_paddr = ~0u;
	CHECK_STR("other segment", load(&file, sizeof(file)), NULL);
	file = good;
	file.phdr[2].p_memsz = PAGE_SIZE;
	CHECK_STR("to the last byte", load(&file, sizeof(file)), NULL);
	CHECK_EQ("to the last byte", image.end, RAM);
}

/* A segment without memory is not loaded, whatever the file has for it. */
static void no_memory_many_bytes(void **state)
{
	struct file file = good;

	(void)state;
	file.phdr[2].p_memsz = 0;
	file.phdr[2].p_filesz = 0x34000000;
	CHECK_STR("skipped", load(&file, sizeof(file)), NULL);
	CHECK_EQ("skipped", image.end, IMAGE_LOWEST + DATA);
}

static void nothing_to_load(void **state)
{
	struct file file = good;

	(void)state;
	file.phdr[0].p_type = PT_NULL;
	file.phdr[2].p_memsz = 0;
	CHECK_STR("nothing", load(&file, sizeof(file)), "nothing to load");
}

/* Each site alone wrong; the last bytes of the image are a redzone's border. */
static void wrong_sites(void **state)
{
	const u32 end = OFFSET + IMAGE_LOWEST + PAGE_SIZE + 64;
	const struct {
		struct plex86_site site;
		bool ok;
	} table[] = {
		{ { OFFSET + IMAGE_LOWEST, PLEX86_SITE_IRET, 7, 0 }, true },
		{ { OFFSET + IMAGE_LOWEST, PLEX86_SITE_IRET, 7, 7 }, true },
		{ { OFFSET + IMAGE_LOWEST, PLEX86_SITE_IRET, 6, 0 }, false },
		{ { OFFSET + IMAGE_LOWEST, PLEX86_SITE_IRET, 8, 0 }, false },
		{ { OFFSET + IMAGE_LOWEST, PLEX86_SITE_CALL, 6, 0 }, true },
		{ { OFFSET + IMAGE_LOWEST, PLEX86_SITE_CALL, 5, 0 }, false },
		{ { OFFSET + IMAGE_LOWEST, PLEX86_SITE_CALL, 7, 0 }, false },
		{ { OFFSET + IMAGE_LOWEST, PLEX86_SITE_XRSTOR, 6, 0 }, true },
		{ { OFFSET + IMAGE_LOWEST, PLEX86_SITE_XRSTOR, 5, 0 }, false },
		{ { OFFSET + IMAGE_LOWEST, 0, 6, 0 }, false },
		{ { OFFSET + IMAGE_LOWEST, 0, 0, 0 }, false },
		{ { OFFSET + IMAGE_LOWEST, 8, 6, 0 }, false },
		{ { OFFSET + IMAGE_LOWEST, 8, 0, 0 }, false },
		{ { OFFSET + IMAGE_LOWEST, 255, 7, 0 }, false },
		{ { OFFSET + IMAGE_LOWEST, PLEX86_SITE_CLI, 6, 0 }, false },
		{ { OFFSET + IMAGE_LOWEST, PLEX86_SITE_CLI, 8, 0 }, false },
		{ { OFFSET + IMAGE_LOWEST, PLEX86_SITE_STI, 0, 0 }, false },
		{ { OFFSET + IMAGE_LOWEST, PLEX86_SITE_PUSHF, 27, 0 }, false },
		{ { OFFSET + IMAGE_LOWEST, PLEX86_SITE_POPF, 255, 0 }, false },
		{ { OFFSET + IMAGE_LOWEST - 1, PLEX86_SITE_CLI, 7, 0 }, false },
		{ { 0, PLEX86_SITE_CLI, 7, 0 }, false },
		{ { 0xffffffff, PLEX86_SITE_CLI, 7, 0 }, false },
		{ { end - 7, PLEX86_SITE_CLI, 7, 0 }, true },
		{ { end - 6, PLEX86_SITE_CLI, 7, 0 }, false },
		{ { end, PLEX86_SITE_CLI, 7, 0 }, false },
		{ { end + 1, PLEX86_SITE_CLI, 7, 0 }, false },
		{ { end - 7, PLEX86_SITE_IRET, 7, 0 }, true },
		{ { end - 6, PLEX86_SITE_IRET, 7, 0 }, false },
		{ { end - 6, PLEX86_SITE_CALL, 6, 0 }, true },
		{ { end - 5, PLEX86_SITE_CALL, 6, 0 }, false },
		{ { end - 28, PLEX86_SITE_PUSHF, 28, 0 }, true },
		{ { end - 6, PLEX86_SITE_PUSHF, 6, 0 }, false },
		{ { end - 7, PLEX86_SITE_PUSHF, 7, 0 }, false },
		{ { end - 6, PLEX86_SITE_POPF, 6, 0 }, false },
	};
	size_t i;

	(void)state;
	/* A refused site is not written, not even to see that it is wrong. */
	for (i = 0; i < ARRAY_SIZE(table); i++) {
		struct file file = good;
		const char *r = row("row %zu", i);
		u32 gpa = table[i].site.addr - OFFSET, n;
		u8 *ram = f->vm.ram;

		memset(ram, 0, RAM);
		memcpy(file.data + DATA - 8, &table[i].site, 8);
		CHECK_STR(r, load(&file, sizeof(file)),
			  table[i].ok ? NULL : "a recorded site");
		if (table[i].ok || gpa < IMAGE_LOWEST + DATA)
			continue;
		for (n = image.end; n < RAM; n++)
			CHECK_EQ(r, ram[n], 0);
	}
	/* The same where the image ends with RAM. */
	for (i = 0; i < 512; i++) {
		struct file file = good;
		u8 kind = (u8)i, len = i < 256 ? 6 : 7;
		struct plex86_site site = { OFFSET + RAM - len, kind, len, 0 };
		bool ok = len == 6 ? kind == PLEX86_SITE_CALL ||
				     kind == PLEX86_SITE_XRSTOR :
			  kind == PLEX86_SITE_CLI || kind == PLEX86_SITE_STI ||
			  kind == PLEX86_SITE_IRET;

		file.phdr[2].p_memsz = PAGE_SIZE;
		memcpy(file.data + DATA - 8, &site, 8);
		CHECK_EQ(row("kind %u, %u bytes", kind, len),
			 load(&file, sizeof(file)) == NULL, ok);
	}
}

/* Every byte of headers, note and sites with every value. */
static void every_byte(void **state)
{
	u32 at, value, n = 0, bad = 0;

	(void)state;
	for (at = 0; at < sizeof(good); at++) {
		if (at == offsetof(struct file, data))
			at = sizeof(good) - sizeof(good_sites);
		for (value = 0; value < 256; value++) {
			struct file file = good;

			((u8 *)&file)[at] = (u8)value;
			bad += load(&file, sizeof(file)) != NULL;
			n++;
		}
	}
	CHECK("mix", bad > n / 10 && bad < n);
}

/* Several words at once, with values that are near the limits; also cut. */
static void fuzz(void **state)
{
	static const u32 values[] = {
		0, 1, 4, 7, 0x20, 0x34, DATA, PAGE_SIZE, IMAGE_LOWEST - 1,
		IMAGE_LOWEST, RAM - 1, RAM, RAM + 1, OFFSET, OFFSET + RAM,
		OFFSET + SITE_TABLE, 0x7fffffff, 0x80000000, 0xfff00000,
		0xfffffff8, 0xfffffffc, 0xffffffff,
	};
	u64 seed = 0xb5470917c0ac29b7;
	u32 round, i, passed = 0;

	(void)state;
	for (round = 0; round < 100000; round++) {
		struct file file = good;
		u32 size = sizeof(file), n = 1 + random32(&seed) % 4;

		for (i = 0; i < n; i++) {
			u32 r = random32(&seed), at;
			u32 value = values[r % ARRAY_SIZE(values)];

			at = r >> 8 & 1 ? sizeof(good) - sizeof(good_sites) +
					  (r >> 9) % (sizeof(good_sites) - 3) :
			     (r >> 9) % (offsetof(struct file, data) - 3);
			if (r >> 30)
				at &= ~3u;
			if (!(r >> 28 & 3))
				value = random32(&seed);
			memcpy((u8 *)&file + at, &value, 4);
		}
		if (round % 16 == 0)
			size = random32(&seed) % sizeof(file);
		passed += !load(&file, size);
	}
	CHECK("mix", passed > 1000);
}

/* A file of nothing but rubbish behind its magic. */
static void rubbish(void **state)
{
	u64 seed = 0x452821e638d01377;
	u8 file[300];
	u32 round, i;

	(void)state;
	for (round = 0; round < 20000; round++) {
		for (i = 0; i < sizeof(file); i++)
			file[i] = (u8)random32(&seed);
		memcpy(file, &good.ehdr, round & 1 ? 28 : 20);
		CHECK("rubbish", load(file, random32(&seed) % 300) != NULL);
	}
}

static void boot_params(void **state)
{
	static const char cmdline[] = "console=hvc0 quiet";
	struct boot_params *bp;
	struct setup_data *sd;
	u8 seed[IMAGE_SEED_BYTES];
	const struct vcpu *cpu = &f->vm.cpu;
	u32 i;

	(void)state;
	for (i = 0; i < sizeof(seed); i++)
		seed[i] = (u8)(0xc0 + i);
	memset(f->vm.ram + BOOT_PARAMS_GPA, 0xee, PAGE_SIZE);
	memset(f->vm.ram + CMDLINE_GPA, 0xee, PAGE_SIZE);
	memset(&f->vm.cpu, 0xee, sizeof(f->vm.cpu));
	image.entry = 0x123456;
	image_boot_params(&f->vm, &image, 0x5000, 0x777, cmdline, seed);
	bp = (struct boot_params *)(void *)(f->vm.ram + BOOT_PARAMS_GPA);
	CHECK_EQ("page", sizeof(*bp), PAGE_SIZE);
	CHECK_EQ("bp", bp->e820_entries, 2);
	CHECK_EQ("bp", bp->e820_table[0].addr, 0);
	CHECK_EQ("bp", bp->e820_table[0].size, 0x9f000);
	CHECK_EQ("bp", bp->e820_table[0].type, 1);
	CHECK_EQ("bp", bp->e820_table[1].addr, 0x100000);
	CHECK_EQ("bp", bp->e820_table[1].size, RAM - 0x100000);
	CHECK_EQ("bp", bp->e820_table[1].type, 1);
	CHECK_EQ("bp", bp->hdr.header, 0x53726448);
	CHECK_EQ("bp", bp->hdr.version, 0x020f);
	CHECK_EQ("bp", bp->hdr.type_of_loader, 0xff);
	CHECK_EQ("bp", bp->hdr.loadflags, LOADED_HIGH);
	CHECK_EQ("bp", bp->hdr.ramdisk_image, 0x5000);
	CHECK_EQ("bp", bp->hdr.ramdisk_size, 0x777);
	CHECK_EQ("bp", bp->hdr.cmd_line_ptr, CMDLINE_GPA);
	CHECK_EQ("bp", bp->hdr.setup_data, SETUP_DATA_GPA);
	CHECK_EQ("cmdline", strcmp((char *)f->vm.ram + CMDLINE_GPA, cmdline), 0);
	sd = (struct setup_data *)(void *)(f->vm.ram + SETUP_DATA_GPA);
	CHECK_EQ("seed", sd->next, 0);
	CHECK_EQ("seed", sd->type, SETUP_RNG_SEED);
	CHECK_EQ("seed", sd->len, IMAGE_SEED_BYTES);
	CHECK_MEM("seed", sd->data, seed, sizeof(seed));
	/* All else is zero. */
	bp->e820_entries = 0;
	memset(bp->e820_table, 0, 2 * sizeof(bp->e820_table[0]));
	bp->hdr.header = 0;
	bp->hdr.version = 0;
	bp->hdr.type_of_loader = 0;
	bp->hdr.loadflags = 0;
	bp->hdr.ramdisk_image = 0;
	bp->hdr.ramdisk_size = 0;
	bp->hdr.cmd_line_ptr = 0;
	bp->hdr.setup_data = 0;
	for (i = 0; i < PAGE_SIZE; i++)
		CHECK_EQ(row("offset %#x", i), f->vm.ram[BOOT_PARAMS_GPA + i],
			 0);

	CHECK_EQ("eip", cpu->eip, 0x123456);
	for (i = 0; i < 8; i++)
		CHECK_EQ("registers", cpu->reg[i], i == ESI ? BOOT_PARAMS_GPA : 0);
	CHECK_EQ("cpl", cpu->cpl, 0);
	CHECK_EQ("eflags", cpu->eflags, 2);
	CHECK_EQ("cr0", cpu->cr0, 0x11);
	CHECK_EQ("cr", cpu->cr2 | cpu->cr3 | cpu->cr4, 0);
	CHECK_EQ("xcr0", cpu->xcr0, 1);
	CHECK_EQ("dr6", cpu->dr[6], 0xffff0ff0);
	CHECK_EQ("dr7", cpu->dr[7], 0x400);
	CHECK_EQ("tables", cpu->gdt.base | cpu->gdt.limit | cpu->idt.base |
			   cpu->idt.limit | cpu->tr | cpu->ldtr, 0);
}

/* No RAM disk: address and size are 0.  The longest command line fits. */
static void boot_params_limits(void **state)
{
	u8 seed[IMAGE_SEED_BYTES] = { 0 };
	char cmdline[IMAGE_CMDLINE_MAX];
	struct boot_params *bp;

	(void)state;
	memset(cmdline, 'a', sizeof(cmdline));
	cmdline[IMAGE_CMDLINE_MAX - 1] = 0;
	image_boot_params(&f->vm, &image, 0x5000, 0, cmdline, seed);
	bp = (struct boot_params *)(void *)(f->vm.ram + BOOT_PARAMS_GPA);
	CHECK_EQ("none", bp->hdr.ramdisk_image, 0);
	CHECK_EQ("none", bp->hdr.ramdisk_size, 0);
	CHECK_EQ("longest", strlen((char *)f->vm.ram + CMDLINE_GPA), 2047);
	image_boot_params(&f->vm, &image, 0, 0, "", seed);
	CHECK_EQ("empty", f->vm.ram[CMDLINE_GPA], 0);
	CHECK_EQ("empty", bp->hdr.cmd_line_ptr, CMDLINE_GPA);
}

/* Of a host with PVI: each byte of each site counts, and nothing is written. */
static void pvi_form(void **state)
{
	u8 *before;
	u32 i, n;

	(void)state;
	CHECK_STR("rubbish", load(&good, sizeof(good)), NULL);
	CHECK("rubbish", image_pvi_form(&f->vm, &image));
	for (i = 0; i < SITES; i++) {
		u32 bytes;
		const u8 *form = site_form(good_sites[i].kind, &bytes);

		CHECK_EQ(row("site %u", i), bytes, good_sites[i].len);
		memcpy(f->vm.ram + good_sites[i].addr - OFFSET, form, bytes);
	}
	before = malloc(f->vm.ram_bytes);
	memcpy(before, f->vm.ram, f->vm.ram_bytes);
	CHECK_STR("all", image_pvi_form(&f->vm, &image), NULL);
	CHECK_MEM("all", f->vm.ram, before, f->vm.ram_bytes);
	free(before);
	for (i = 0; i < SITES; i++) {
		for (n = 0; n < good_sites[i].len; n++) {
			u8 *byte = f->vm.ram + good_sites[i].addr - OFFSET + n;

			*byte ^= 1;
			CHECK(row("site %u, byte %u", i, n),
			      image_pvi_form(&f->vm, &image));
			*byte ^= 1;
		}
	}
	/* One of a kind that is none. */
	f->vm.ram[SITE_TABLE + 4] = SITE_KINDS;
	CHECK("kind", image_pvi_form(&f->vm, &image));
	f->vm.ram[SITE_TABLE + 4] = good_sites[0].kind;
	CHECK_STR("again", image_pvi_form(&f->vm, &image), NULL);
}

/* Without a source of random numbers there is no setup data. */
static void no_seed(void **state)
{
	u64 at;

	(void)state;
	CHECK_STR("load", load(&good, sizeof(good)), NULL);
	image_boot_params(&f->vm, &image, 0, 0, "", NULL);
	memcpy(&at, f->vm.ram + BOOT_PARAMS_GPA + 0x250, sizeof(at));
	CHECK_EQ("setup_data", at, 0);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(pvi_form),
		TEST(no_seed),
		TEST(good_file), TEST(iret_sites), TEST(truncated), TEST(wrong_files),
		TEST(endless_headers),
		TEST(tolerated), TEST(no_memory_many_bytes),
		TEST(nothing_to_load), TEST(wrong_sites), TEST(every_byte),
		TEST(fuzz), TEST(rubbish), TEST(boot_params),
		TEST(boot_params_limits),
	};

	return RUN_TESTS("image", tests, NULL, NULL);
}
