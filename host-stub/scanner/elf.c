// SPDX-License-Identifier: GPL-2.0
/*
 * A kernel file as the scanner sees it: its executable sections, its symbols,
 * its configuration. Every offset and size is checked here, before anything else
 * looks at the file.
 */
#include "scanner.h"

#include <elf.h>
#include <stdlib.h>
#include <string.h>

/* A kernel has some ten. */
#define CODES_MAX	256u
/* Of all code; a kernel with everything in it has 30 MiB. */
#define CODE_MAX_BYTES	(256u << 20)

/* The kernel's own limit, KSYM_NAME_LEN. */
#define NAME_MAX_BYTES	512u

static bool inside(const struct kernel *k, u64 offset, u64 bytes)
{
	return offset <= k->elf_bytes && bytes <= k->elf_bytes - offset;
}

static const Elf32_Ehdr *ehdr_of(const struct kernel *k)
{
	return (const void *)k->elf;
}

/* The headers are read by copies: nothing says that they are aligned. */
static Elf32_Shdr section_at(const struct kernel *k, u32 n)
{
	Elf32_Shdr shdr;

	memcpy(&shdr, k->elf + ehdr_of(k)->e_shoff + (u64)n * sizeof(shdr),
	       sizeof(shdr));
	return shdr;
}

/*
 * A NUL-terminated string of section @strings; "" if it is none, or too long, or
 * would do something to a terminal.
 */
static const char *string_at(const struct kernel *k, const Elf32_Shdr *strings,
			     u32 offset)
{
	const char *at = (const char *)k->elf + strings->sh_offset + offset;
	u32 left, i;

	if (strings->sh_type != SHT_STRTAB || offset >= strings->sh_size)
		return "";
	left = strings->sh_size - offset;
	for (i = 0; i < left && i < NAME_MAX_BYTES; i++) {
		if (!at[i])
			return at;
		if (at[i] <= ' ' || at[i] > '~')
			break;
	}
	return "";
}

/* Does the file hold bytes of it? */
static bool has_bytes(const Elf32_Shdr *shdr)
{
	return shdr->sh_type != SHT_NOBITS && shdr->sh_type != SHT_NULL;
}

static const char *check_sections(const struct kernel *k)
{
	const Elf32_Ehdr *ehdr = ehdr_of(k);
	u32 i, codes = 0;
	u64 code = 0;

	if (!inside(k, ehdr->e_shoff,
		    (u64)ehdr->e_shnum * sizeof(Elf32_Shdr)))
		return "truncated: the section headers lie beyond the end of the file";
	if (ehdr->e_shnum &&
	    (ehdr->e_shentsize != sizeof(Elf32_Shdr) ||
	     ehdr->e_shstrndx >= ehdr->e_shnum))
		return "damaged: its section headers contradict each other";
	for (i = 0; i < ehdr->e_shnum; i++) {
		Elf32_Shdr shdr = section_at(k, i);

		if (!has_bytes(&shdr))
			continue;
		if (!inside(k, shdr.sh_offset, shdr.sh_size))
			return "truncated: a section lies beyond the end of the file";
		if (!(shdr.sh_flags & SHF_EXECINSTR))
			continue;
		if ((u64)shdr.sh_addr + shdr.sh_size > 0xffffffffu)
			return "damaged: a section's sizes contradict each other";
		code += shdr.sh_size;
		codes++;
	}
	if (codes > CODES_MAX)
		return "damaged: it has more executable sections than any kernel";
	if (code > k->elf_bytes)
		return "damaged: its sections overlap";
	if (code > CODE_MAX_BYTES)
		return "damaged: it has more code than any kernel";
	return NULL;
}

static int by_value(const void *a, const void *b)
{
	const u32 *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

/*
 * What the kernel has answers to: entries of three words, the first of which is
 * how far its instruction is from it. A table that is none has fewer answers.
 */
static const char *take_caught(struct kernel *k)
{
	const Elf32_Ehdr *ehdr = ehdr_of(k);
	Elf32_Shdr names, table;
	u32 entry[3], i, n;

	for (i = 0; i < ehdr->e_shnum; i++) {
		names = section_at(k, ehdr->e_shstrndx);
		table = section_at(k, i);
		if (has_bytes(&table) && (table.sh_flags & SHF_ALLOC) &&
		    !strcmp(string_at(k, &names, table.sh_name), "__ex_table"))
			break;
	}
	if (i == ehdr->e_shnum)
		return NULL;
	n = table.sh_size / sizeof(entry);
	k->caught = calloc(n + 1u, sizeof(*k->caught));
	if (!k->caught)
		return "too large for this machine's memory";
	for (i = 0; i < n; i++) {
		memcpy(entry, k->elf + table.sh_offset + (u64)i * sizeof(entry),
		       sizeof(entry));
		k->caught[i] = table.sh_addr + i * (u32)sizeof(entry) + entry[0];
	}
	k->catches = n;
	qsort(k->caught, n, sizeof(*k->caught), by_value);
	return NULL;
}

static int by_address(const void *a, const void *b)
{
	const struct symbol *x = a, *y = b;

	if (x->address != y->address)
		return x->address < y->address ? -1 : 1;
	if (x->code != y->code)
		return x->code < y->code ? -1 : 1;
	if (x->function != y->function)
		return x->function ? -1 : 1;
	return strcmp(x->name, y->name);
}

/* The section headers' number of each stretch of code, for symbols. */
static const char *take_code(struct kernel *k, u32 *code_of)
{
	const Elf32_Ehdr *ehdr = ehdr_of(k);
	Elf32_Shdr names, shdr;
	u32 i;

	k->code = calloc(ehdr->e_shnum + 1u, sizeof(*k->code));
	if (!k->code)
		return "too large for this machine's memory";
	for (i = 0; i < ehdr->e_shnum; i++) {
		shdr = section_at(k, i);
		code_of[i] = ~0u;
		if (!(shdr.sh_flags & SHF_EXECINSTR) || !shdr.sh_size ||
		    !(shdr.sh_flags & SHF_ALLOC) || !has_bytes(&shdr))
			continue;
		names = section_at(k, ehdr->e_shstrndx);
		code_of[i] = k->codes;
		k->code[k->codes++] = (struct code){
			.name = string_at(k, &names, shdr.sh_name),
			.address = shdr.sh_addr, .bytes = shdr.sh_size,
			.data = k->elf + shdr.sh_offset,
		};
	}
	return NULL;
}

/* Is section @n part of what runs, though no code? */
static bool loaded(const struct kernel *k, u32 n)
{
	Elf32_Shdr shdr = section_at(k, n);

	return (shdr.sh_flags & SHF_ALLOC) && has_bytes(&shdr) && shdr.sh_size;
}

static const char *take_symbols(struct kernel *k, const u32 *code_of)
{
	const Elf32_Ehdr *ehdr = ehdr_of(k);
	Elf32_Shdr table = { 0 }, strings;
	u32 i, n, kept = 0;

	for (i = 0; i < ehdr->e_shnum && table.sh_type != SHT_SYMTAB; i++)
		table = section_at(k, i);
	if (table.sh_type != SHT_SYMTAB || table.sh_link >= ehdr->e_shnum)
		return NULL;
	strings = section_at(k, table.sh_link);
	n = table.sh_size / sizeof(Elf32_Sym);
	k->symbol = calloc(n + 1u, sizeof(*k->symbol));
	if (!k->symbol)
		return "too large for this machine's memory";
	for (i = 0; i < n; i++) {
		const struct code *code;
		const char *name;
		Elf32_Sym sym;
		u32 type;

		memcpy(&sym, k->elf + table.sh_offset + (u64)i * sizeof(sym),
		       sizeof(sym));
		type = ELF32_ST_TYPE(sym.st_info);
		if (sym.st_shndx >= ehdr->e_shnum || type == STT_SECTION ||
		    type == STT_FILE)
			continue;
		if (code_of[sym.st_shndx] == ~0u) {
			if (type == STT_FUNC && loaded(k, sym.st_shndx))
				k->stray = string_at(k, &strings, sym.st_name);
			continue;
		}
		code = &k->code[code_of[sym.st_shndx]];
		if (sym.st_value - code->address >= code->bytes)
			continue;
		name = string_at(k, &strings, sym.st_name);
		if (!*name)
			continue;
		k->symbol[k->symbols++] = (struct symbol){
			.address = sym.st_value, .code = code_of[sym.st_shndx],
			.name = name, .function = type == STT_FUNC,
		};
	}
	k->named = k->symbols;
	qsort(k->symbol, k->symbols, sizeof(*k->symbol), by_address);
	/* Of several at one address, the first in the order. */
	for (i = 0; i < k->symbols; i++)
		if (!kept || k->symbol[i].address != k->symbol[kept - 1].address ||
		    k->symbol[i].code != k->symbol[kept - 1].code)
			k->symbol[kept++] = k->symbol[i];
	k->symbols = kept;
	return NULL;
}

/* What the file is instead of a 32-bit x86 kernel; NULL: it may be one. */
static const char *foreign(const struct kernel *k)
{
	const Elf32_Ehdr *ehdr = ehdr_of(k);

	if (k->elf[EI_CLASS] == ELFCLASS64)
		return "a 64-bit kernel; build it with ARCH=i386";
	if (k->elf[EI_CLASS] != ELFCLASS32 || k->elf[EI_DATA] != ELFDATA2LSB ||
	    ehdr->e_machine != EM_386)
		return "not for 32-bit x86";
	return NULL;
}

static const char *take(struct kernel *k)
{
	const Elf32_Ehdr *ehdr = ehdr_of(k);
	const char *error;
	u32 *code_of;
	u32 i;

	if (k->elf_bytes < EI_NIDENT)
		return "truncated: the ELF header is incomplete";
	if (k->elf[EI_CLASS] != ELFCLASS32 && k->elf[EI_CLASS] != ELFCLASS64)
		return "damaged: it is of no known class of ELF file";
	if (k->elf_bytes < sizeof(Elf32_Ehdr))
		return "truncated: the ELF header is incomplete";
	k->foreign = foreign(k);
	if (k->foreign)
		return NULL;
	if (!inside(k, ehdr->e_phoff,
		    (u64)ehdr->e_phnum * ehdr->e_phentsize))
		return "truncated: the program headers are incomplete";
	for (i = 0; i < ehdr->e_phnum && ehdr->e_phentsize >= sizeof(Elf32_Phdr); i++) {
		Elf32_Phdr phdr;

		memcpy(&phdr, k->elf + ehdr->e_phoff + (u64)i * ehdr->e_phentsize,
		       sizeof(phdr));
		if (phdr.p_type == PT_LOAD && !inside(k, phdr.p_offset, phdr.p_filesz))
			return "truncated: a segment lies beyond the end of the file";
	}
	error = check_sections(k);
	if (error)
		return error;
	code_of = calloc(ehdr->e_shnum + 1u, sizeof(*code_of));
	if (!code_of)
		return "too large for this machine's memory";
	error = take_code(k, code_of);
	if (!error)
		error = take_symbols(k, code_of);
	if (!error)
		error = take_caught(k);
	free(code_of);
	k->config = config_extract(k->elf, k->elf_bytes);
	return error;
}

/*
 * kernel_open() - take apart a kernel file
 * @kernel: filled in; it points into @file
 * @file: aligned to 8
 *
 * Returns NULL, or why it cannot be read as the rest of a sentence. A file that
 * can be read may still be no kernel for us: @kernel->foreign says so.
 */
const char *kernel_open(struct kernel *kernel, const u8 *file, u64 bytes)
{
	const char *error = NULL;

	memset(kernel, 0, sizeof(*kernel));
	kernel->elf = file;
	kernel->elf_bytes = bytes;
	kernel->format = "ELF";
	if (!bytes)
		return "the file is empty";
	if (bytes < SELFMAG || memcmp(file, ELFMAG, SELFMAG)) {
		error = unpack(file, bytes, &kernel->unpacked,
			       &kernel->elf_bytes, &kernel->format);
		if (error)
			return error;
		kernel->elf = kernel->unpacked;
		if (kernel->elf_bytes < SELFMAG ||
		    memcmp(kernel->elf, ELFMAG, SELFMAG))
			error = "damaged: what is packed in it is no ELF file";
	}
	if (!error)
		error = take(kernel);
	if (error)
		kernel_close(kernel);
	return error;
}

/* kernel_close() - let go of what kernel_open() has made */
void kernel_close(struct kernel *kernel)
{
	free(kernel->unpacked);
	free(kernel->code);
	free(kernel->symbol);
	free(kernel->caught);
	free(kernel->config);
	memset(kernel, 0, sizeof(*kernel));
}

/* kernel_code_at() - the stretch of code that @address lies in, or NULL */
const struct code *kernel_code_at(const struct kernel *kernel, u32 address)
{
	u32 i;

	for (i = 0; i < kernel->codes; i++)
		if (address - kernel->code[i].address < kernel->code[i].bytes)
			return &kernel->code[i];
	return NULL;
}

/*
 * kernel_at() - @bytes of what is loaded at linear @address
 *
 * Returns NULL where the file has none.
 */
const u8 *kernel_at(const struct kernel *kernel, u32 address, u32 bytes)
{
	const Elf32_Ehdr *ehdr = ehdr_of(kernel);
	u32 i;

	for (i = 0; i < ehdr->e_shnum; i++) {
		Elf32_Shdr shdr = section_at(kernel, i);
		u32 offset = address - shdr.sh_addr;

		if (!(shdr.sh_flags & SHF_ALLOC) || !has_bytes(&shdr))
			continue;
		if (offset < shdr.sh_size && bytes <= shdr.sh_size - offset)
			return kernel->elf + shdr.sh_offset + offset;
	}
	return NULL;
}

/*
 * kernel_symbol() - the name that @address is said behind
 *
 * Returns NULL if there is none in its section.
 */
const struct symbol *kernel_symbol(const struct kernel *kernel, u32 address)
{
	u32 low = 0, high = kernel->symbols;
	const struct symbol *symbol;
	const struct code *code;

	/* The first one above. */
	while (low < high) {
		u32 middle = low + (high - low) / 2;

		if (kernel->symbol[middle].address <= address)
			low = middle + 1;
		else
			high = middle;
	}
	if (!low)
		return NULL;
	symbol = &kernel->symbol[low - 1];
	code = &kernel->code[symbol->code];
	return address - code->address < code->bytes ? symbol : NULL;
}

/*
 * kernel_release() - the kernel's version, as "Linux version" says it
 * @len: of it
 *
 * Returns NULL if it is not found.
 */
const char *kernel_release(const struct kernel *kernel, u32 *len)
{
	static const char banner[] = "Linux version ";
	const u8 *at = kernel->elf, *end = at + kernel->elf_bytes;

	while ((at = memmem(at, (size_t)(end - at), banner,
			    sizeof(banner) - 1))) {
		at += sizeof(banner) - 1;
		for (*len = 0; at + *len < end && *len < 64; ++*len)
			if (at[*len] <= ' ' || at[*len] > '~' || at[*len] == '%')
				break;
		if (*len && at + *len < end && at[*len] == ' ')
			return (const char *)at;
	}
	return NULL;
}

/* kernel_catches() - does the exception table have what the instruction at @address does? */
bool kernel_catches(const struct kernel *kernel, u32 address)
{
	return kernel->catches &&
	       bsearch(&address, kernel->caught, kernel->catches,
		       sizeof(address), by_value);
}
