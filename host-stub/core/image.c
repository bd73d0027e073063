// SPDX-License-Identifier: GPL-2.0
/*
 * Loading a guest: the kernel's ELF file into guest RAM, its site table
 * rewritten to the shared-page form where the host has no PVI, and the boot
 * parameters of the Linux/x86 32-bit boot protocol.
 *
 * The file is not trusted: every offset, size and address in it is checked.
 */
#include <elf.h>

#include "image.h"

#define NOTE_ALIGN(n)	(((n) + 3) & ~3ull)
#define NOTES_MAX	1024u		/* a kernel has some three */

static const Elf32_Phdr *phdr_at(const u8 *file, u64 size,
				 const Elf32_Ehdr *ehdr, u32 n)
{
	u64 at = ehdr->e_phoff + (u64)n * ehdr->e_phentsize;

	if (at > size || sizeof(Elf32_Phdr) > size - at)
		return NULL;
	return (const Elf32_Phdr *)(const void *)(file + at);
}

/* @left: so many notes may still be looked at. */
static const char *find_note(const u8 *file, u64 size,
			     const Elf32_Phdr *phdr, u32 *left,
			     struct plex86_note *out)
{
	u64 at = phdr->p_offset, end = at + phdr->p_filesz;
	Elf32_Nhdr nhdr;

	if (at > size || phdr->p_filesz > size - at)
		return "truncated: a note segment lies beyond the end of the file";
	while (end - at >= sizeof(nhdr)) {
		u64 name, desc;

		if (!*left)
			return "damaged: it has more notes than any kernel";
		--*left;
		memcpy(&nhdr, file + at, sizeof(nhdr));
		name = at + sizeof(nhdr);
		desc = name + NOTE_ALIGN((u64)nhdr.n_namesz);
		if (desc > end || nhdr.n_descsz > end - desc)
			return "damaged: a note is longer than its segment";
		if (nhdr.n_type == PLEX86_NOTE &&
		    nhdr.n_namesz == sizeof(PLEX86_NOTE_NAME) &&
		    !memcmp(file + name, PLEX86_NOTE_NAME,
			    sizeof(PLEX86_NOTE_NAME))) {
			if (nhdr.n_descsz < sizeof(*out))
				return "damaged: the plex86 note is too short";
			memcpy(out, file + desc, sizeof(*out));
			return NULL;
		}
		at = desc + NOTE_ALIGN((u64)nhdr.n_descsz);
		if (at > end)
			break;
	}
	return NULL;
}

/*
 * image_check() - read what a kernel file says of itself
 * @file, @size: the whole file
 * @image: filled in
 *
 * Returns NULL, or what is wrong with the file, as the rest of a sentence.
 */
const char *image_check(const u8 *file, u64 size, struct image *image)
{
	const Elf32_Ehdr *ehdr = (const void *)file;
	const Elf32_Phdr *phdr;
	u32 notes = NOTES_MAX, i;
	const char *error;
	u64 loaded = 0;

	memset(image, 0, sizeof(*image));
	if (!size)
		return "the file is empty";
	if (size < EI_NIDENT || memcmp(file, ELFMAG, SELFMAG))
		return "not an ELF file; give the kernel's vmlinux, not bzImage";
	if (file[EI_CLASS] == ELFCLASS64)
		return "a 64-bit kernel; build it with ARCH=i386";
	if (size < sizeof(*ehdr))
		return "truncated: the ELF header is incomplete";
	if (file[EI_CLASS] != ELFCLASS32 || file[EI_DATA] != ELFDATA2LSB ||
	    ehdr->e_machine != EM_386 || ehdr->e_type != ET_EXEC ||
	    ehdr->e_phentsize < sizeof(Elf32_Phdr) || !ehdr->e_phnum ||
	    (ehdr->e_phentsize & 3) || (ehdr->e_phoff & 3))
		return "not an executable for 32-bit x86; give the kernel's vmlinux";

	image->entry = ehdr->e_entry;
	image->first = ~0u;
	for (i = 0; i < ehdr->e_phnum; i++) {
		phdr = phdr_at(file, size, ehdr, i);
		if (!phdr)
			return "truncated: the program headers are incomplete";
		if (phdr->p_type == PT_NOTE) {
			error = find_note(file, size, phdr, &notes,
					  &image->note);
			if (error)
				return error;
		}
		if (phdr->p_type != PT_LOAD || !phdr->p_memsz)
			continue;
		if (phdr->p_offset > size ||
		    phdr->p_filesz > size - phdr->p_offset)
			return "truncated: a segment lies beyond the end of the file";
		loaded += phdr->p_filesz;
		if (loaded > size)
			return "damaged: its segments overlap";
		if (phdr->p_filesz > phdr->p_memsz ||
		    (u64)phdr->p_paddr + phdr->p_memsz > 0xffffffffu)
			return "damaged: a segment's sizes contradict each other";
		if ((phdr->p_flags & (PF_X | PF_W)) == PF_X &&
		    !image->text_end) {
			image->text = phdr->p_paddr;
			image->text_end = phdr->p_paddr + phdr->p_memsz;
		}
		if (phdr->p_paddr < image->first)
			image->first = phdr->p_paddr;
		if (phdr->p_paddr + phdr->p_memsz > image->end)
			image->end = phdr->p_paddr + phdr->p_memsz;
	}
	if (!image->end)
		return "damaged: it has nothing to load";
	if (!image->note.abi_major)
		return "not a plex86 guest (no plex86 note): build it with CONFIG_PLEX86_GUEST=y, from a tree with the plex86 patch";
	if (image->note.abi_major != PLEX86_ABI_MAJOR)
		return "made for another version of the plex86 ABI; rebuild it with this version's patch";
	if (image->note.page_offset & ~LARGE_MASK ||
	    image->note.page_offset >= PLEX86_TOP)
		return "damaged: its memory split is no multiple of 4 MiB";
	if (image->note.ram_max_mib > IMAGE_RAM_MAX_MIB)
		return "damaged: it claims to use more memory than 32 bits address";
	if (image->first < IMAGE_LOWEST)
		return "its load address is below 1 MiB; set CONFIG_PHYSICAL_START";
	return NULL;
}

/* The shared-page forms; abi/plex86-abi.md, "Sites". */
static const u8 form_cli[PLEX86_SITE_CLI_LEN] = {
	0xc6, 0x05, 0x01, 0x00, 0xc0, 0xff, 0x00,	/* movb $0, vif+1 */
};

static const u8 form_sti[PLEX86_SITE_STI_LEN] = {
	0xc6, 0x05, 0x01, 0x10, 0xc0, 0xff, 0x02,	/* movb $2, sti alias+1 */
};

static const u8 form_pushf[PLEX86_SITE_PUSHF_LEN] = {
	0x9c,						/* pushf */
	0x50,						/* push %eax */
	0x51,						/* push %ecx */
	0x8b, 0x44, 0x24, 0x08,				/* mov 8(%esp),%eax */
	0x8b, 0x0d, 0x00, 0x00, 0xc0, 0xff,		/* mov vif,%ecx */
	0x8d, 0x84, 0x08, 0x00, 0xfe, 0xff, 0xff,	/* lea -0x200(%eax,%ecx),%eax */
	0x89, 0x44, 0x24, 0x08,				/* mov %eax,8(%esp) */
	0x59,						/* pop %ecx */
	0x58,						/* pop %eax */
	0x66, 0x90,
};

static const u8 form_popf[PLEX86_SITE_POPF_LEN] = {
	0x50,						/* push %eax */
	0x8a, 0x44, 0x24, 0x05,				/* mov 5(%esp),%al */
	0x24, 0x02,					/* and $2,%al */
	0xa2, 0x01, 0x10, 0xc0, 0xff,			/* mov %al,sti alias+1 */
	0x58,						/* pop %eax */
	0x9d,						/* popf */
};

static const u8 form_call[PLEX86_SITE_CALL_LEN] = {
	0xff, 0x15, 0x04, 0x20, 0xc0, 0xff,		/* call *gates.call */
};

static const u8 form_xrstor[PLEX86_SITE_XRSTOR_LEN] = {
	0xff, 0x15, 0x08, 0x20, 0xc0, 0xff,		/* call *gates.xrstor */
};

/*
 * INT raises #GP where UD1 raises #UD.  A host that is a virtual machine itself
 * may have a hypervisor that takes every #UD for a look: 9.3 us on such a one,
 * against 1.3 us for #GP.
 */
static const u8 form_iret_int[PLEX86_SITE_IRET_LEN] = {
	0xcd, IMAGE_INT_IRET,				/* int */
	0x0f, 0x1f, 0x44, 0x00, 0x00,			/* nop, never reached */
};

/* The IRET site at @address: a JMP through its pointer, if there is one left. */
static void write_iret(u8 *at, struct image *image, u32 address)
{
	u32 pointer = IMAGE_IRET_POINTERS + image->irets * 4;

	if (image->irets == IMAGE_IRETS) {
		memcpy(at, form_iret_int, sizeof(form_iret_int));
		return;
	}
	image->iret[image->irets++] = address;
	/* By SS, which is the kernel's own; DS is the user's again by now. */
	at[0] = 0x36;					/* jmp *%ss:pointer */
	at[1] = 0xff;
	at[2] = 0x25;
	memcpy(at + 3, &pointer, sizeof(pointer));
}

/* Writes the form of @site, if its kind is known and its length the kind's. */
static bool write_form(u8 *at, const struct plex86_site *site,
		       struct image *image)
{
	static const struct {
		const u8 *form;
		u32 bytes;
	} kinds[] = {
		[PLEX86_SITE_CLI] = { form_cli, sizeof(form_cli) },
		[PLEX86_SITE_STI] = { form_sti, sizeof(form_sti) },
		[PLEX86_SITE_PUSHF] = { form_pushf, sizeof(form_pushf) },
		[PLEX86_SITE_POPF] = { form_popf, sizeof(form_popf) },
		[PLEX86_SITE_IRET] = { form_iret_int, sizeof(form_iret_int) },
		[PLEX86_SITE_CALL] = { form_call, sizeof(form_call) },
		[PLEX86_SITE_XRSTOR] = { form_xrstor, sizeof(form_xrstor) },
	};

	if (site->kind >= sizeof(kinds) / sizeof(kinds[0]) ||
	    !kinds[site->kind].bytes || site->len != kinds[site->kind].bytes)
		return false;
	if (site->kind == PLEX86_SITE_IRET)
		write_iret(at, image, site->addr);
	else
		memcpy(at, kinds[site->kind].form, site->len);
	return true;
}

/*
 * image_load() - copy the checked @image from @file into guest RAM
 * @vm: its RAM is zero
 *
 * Returns NULL or what is wrong.
 */
const char *image_load(struct vm *vm, const u8 *file, u64 size,
		       const struct image *image)
{
	const Elf32_Ehdr *ehdr = (const void *)file;
	u32 i;

	for (i = 0; i < ehdr->e_phnum; i++) {
		const Elf32_Phdr *phdr = phdr_at(file, size, ehdr, i);

		if (!phdr)
			return "truncated";
		if (phdr->p_type != PT_LOAD || !phdr->p_memsz)
			continue;
		if (phdr->p_paddr > vm->ram_bytes ||
		    phdr->p_memsz > vm->ram_bytes - phdr->p_paddr)
			return "larger than the guest's memory; give more with --mem";
		memcpy(vm->ram + phdr->p_paddr, file + phdr->p_offset,
		       phdr->p_filesz);
	}
	vm->page_offset = image->note.page_offset;
	return NULL;
}

/*
 * image_sites() - do something at each of the recorded sites of the loaded image
 * @fn: gets the site in guest RAM
 *
 * Returns NULL, or what is wrong with the site table.
 */
const char *image_sites(struct vm *vm, struct image *image, site_fn fn)
{
	u32 offset = image->note.page_offset;
	u32 at = image->note.sites - offset, end = image->note.sites_end - offset;
	struct plex86_site site;

	if (at > end || at < image->first || end > image->end ||
	    (end - at) % sizeof(site))
		return "damaged: the site table lies outside the kernel";
	for (; at < end; at += sizeof(site)) {
		u32 gpa;

		memcpy(&site, vm->ram + at, sizeof(site));
		gpa = site.addr - offset;
		if (gpa < image->first || gpa > image->end ||
		    site.len > image->end - gpa ||
		    !fn(vm->ram + gpa, &site, image))
			return "damaged: a recorded site lies outside the kernel or is of no known kind";
	}
	return NULL;
}

/*
 * image_shared_form() - write the shared-page form over the recorded sites
 * @image: takes note of the IRET sites
 *
 * Returns NULL or what is wrong with the site table.
 */
const char *image_shared_form(struct vm *vm, struct image *image)
{
	image->irets = 0;
	return image_sites(vm, image, write_form);
}

/* Is @site of a known kind, and are its bytes the kind's PVI form? */
static bool has_pvi_form(u8 *at, const struct plex86_site *site,
			 struct image *image)
{
	u32 bytes = 0;
	const u8 *form = site_form(site->kind, &bytes);

	(void)image;
	return form && site->len == bytes && !memcmp(at, form, bytes);
}

/*
 * image_pvi_form() - see that the recorded sites have their PVI form
 *
 * Returns NULL or what is wrong.
 */
const char *image_pvi_form(struct vm *vm, struct image *image)
{
	return image_sites(vm, image, has_pvi_form) ?
	       "damaged: a recorded site lies outside the kernel, or has not its PVI form" :
	       NULL;
}

static void put32(u8 *at, u32 value)
{
	memcpy(at, &value, 4);
}

static void put64(u8 *at, u64 value)
{
	memcpy(at, &value, 8);
}

/*
 * image_boot_params() - write the boot parameters (Documentation/arch/x86,
 * "boot" and "zero-page"), and set the registers of the entry point
 * @initrd_gpa, @initrd_bytes: where the initial RAM disk lies, 0 bytes: none
 * @cmdline: at most IMAGE_CMDLINE_MAX bytes with its NUL
 * @seed: IMAGE_SEED_BYTES random bytes for the guest's entropy pool; NULL: the
 *	  host has none
 */
void image_boot_params(struct vm *vm, const struct image *image,
		       u32 initrd_gpa, u32 initrd_bytes, const char *cmdline,
		       const u8 *seed)
{
	u8 *zero = vm->ram + BOOT_PARAMS_GPA;
	u8 *data = vm->ram + SETUP_DATA_GPA;
	struct vcpu *cpu = &vm->cpu;
	u32 i = 0;

	memset(zero, 0, PAGE_SIZE);
	zero[0x1e8] = 2;			/* entries of the memory map */
	put64(zero + 0x2d0, 0);
	put64(zero + 0x2d8, 0x9f000);
	put32(zero + 0x2e0, 1);
	put64(zero + 0x2e4, IMAGE_LOWEST);
	put64(zero + 0x2ec, vm->ram_bytes - IMAGE_LOWEST);
	put32(zero + 0x2f4, 1);
	put32(zero + 0x202, 0x53726448);	/* "HdrS" */
	zero[0x206] = 0x0f;			/* protocol 2.15 */
	zero[0x207] = 0x02;
	zero[0x210] = 0xff;			/* a loader without a number */
	zero[0x211] = 0x01;			/* loaded high */
	put32(zero + 0x218, initrd_bytes ? initrd_gpa : 0);
	put32(zero + 0x21c, initrd_bytes);
	put32(zero + 0x228, CMDLINE_GPA);
	put64(zero + 0x250, seed ? SETUP_DATA_GPA : 0);
	for (; cmdline[i]; i++)
		vm->ram[CMDLINE_GPA + i] = (u8)cmdline[i];
	vm->ram[CMDLINE_GPA + i] = 0;

	if (seed) {
		put64(data, 0);			/* the only one */
		put32(data + 8, 9);		/* SETUP_RNG_SEED */
		put32(data + 12, IMAGE_SEED_BYTES);
		memcpy(data + 16, seed, IMAGE_SEED_BYTES);
	}

	memset(cpu, 0, sizeof(*cpu));
	cpu->eip = image->entry;
	cpu->reg[ESI] = BOOT_PARAMS_GPA;
	cpu->eflags = 2;
	cpu->cr0 = CR0_PE | CR0_ET;
	cpu->dr[6] = DR6_FIXED;
	cpu->dr[7] = 0x400;
	cpu->xcr0 = 1;
	cpu->ss = 0x2b;
}
