/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Loading a guest; see image.c.
 */
#ifndef CORE_IMAGE_H
#define CORE_IMAGE_H

#define IMAGE_LOWEST		0x100000u	/* no segment lies below */
#define BOOT_PARAMS_GPA		0x10000u
#define CMDLINE_GPA		0x20000u
#define SETUP_DATA_GPA		0x30000u
#define IMAGE_CMDLINE_MAX	2048u		/* COMMAND_LINE_SIZE */
#define IMAGE_INT_IRET		0xf0u		/* INT of IRET's shared-page form */
#define IMAGE_RAM_MAX_MIB	4092u		/* below the top 4 MiB */
#define IMAGE_SEED_BYTES	32u

/*
 * So many IRET sites become a JMP through a pointer of their own, which lie
 * behind struct plex86_gates; more would become an INT.
 */
#define IMAGE_IRETS		16
#define IMAGE_IRET_POINTERS	(PLEX86_GATES + 12)

#ifndef __ASSEMBLER__

#include "vm.h"

/* What a kernel file says of itself. */
struct image {
	struct plex86_note note;
	u32 entry;		/* physical */
	u32 first, end;		/* the guest-physical range it occupies */
	u32 text, text_end;	/* what of it is to be executed, or none */
	u32 irets;		/* IRET sites that have a pointer */
	u32 iret[IMAGE_IRETS];	/* their linear addresses */
};

/* What is to be done at a site; false if it cannot be. */
typedef bool (*site_fn)(u8 *at, const struct plex86_site *site,
			struct image *image);

const char *image_check(const u8 *file, u64 size, struct image *image);
const char *image_load(struct vm *vm, const u8 *file, u64 size,
		       const struct image *image);
const char *image_sites(struct vm *vm, struct image *image, site_fn fn);
const char *image_shared_form(struct vm *vm, struct image *image);
const char *image_pvi_form(struct vm *vm, struct image *image);
void image_boot_params(struct vm *vm, const struct image *image,
		       u32 initrd_gpa, u32 initrd_bytes, const char *cmdline,
		       const u8 *seed);

/* sites.c */
#define SITE_KINDS	8

const u8 *site_form(u32 kind, u32 *bytes);
const char *site_name(u32 kind);

#endif /* __ASSEMBLER__ */
#endif
