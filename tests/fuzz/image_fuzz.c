// SPDX-License-Identifier: GPL-2.0
/*
 * Loading a guest: core/image.c on a file that may be anything, into RAM of a size
 * that is the input's.
 *
 * The input is that size in pages, then the file.
 */
#include "fake.h"
#include "fuzz.h"
#include "image.h"

#include <sys/mman.h>

#define PAGES_MAX	2048u		/* of RAM; the smallest kernels are at 4 MiB */
#define RAM_AT_LEAST	(IMAGE_LOWEST + PAGE_SIZE)

/* RAM ends where nothing may be touched, and is zero without being written. */
static u8 *ram_end;

static void make_ram(void)
{
	ram_end = mmap(NULL, (PAGES_MAX + 1) * (size_t)PAGE_SIZE, PROT_NONE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ram_end += PAGES_MAX * (size_t)PAGE_SIZE;
	mprotect(ram_end - PAGES_MAX * (size_t)PAGE_SIZE,
		 PAGES_MAX * (size_t)PAGE_SIZE, PROT_READ | PROT_WRITE);
}

static void load(struct vm *vm, const u8 *file, size_t bytes)
{
	static const u8 seed[IMAGE_SEED_BYTES];
	char cmdline[IMAGE_CMDLINE_MAX];
	struct image image, again;
	u32 i;

	if (image_check(file, bytes, &image))
		return;
	CHECK("image", image.first >= IMAGE_LOWEST && image.first < image.end);
	CHECK("image", image.note.abi_major == PLEX86_ABI_MAJOR);
	CHECK("image", image.note.page_offset < PLEX86_TOP);
	again = image;
	if (image_load(vm, file, bytes, &image))
		return;
	CHECK("loaded", image.end <= vm->ram_bytes);
	CHECK_MEM("loaded", &image, &again, sizeof(image));
	if (image_shared_form(vm, &image))
		return;
	CHECK("sites", image.irets <= IMAGE_IRETS);
	for (i = 0; i < image.irets; i++)
		CHECK("sites", image.iret[i] - image.note.page_offset >= image.first &&
			       image.iret[i] - image.note.page_offset < image.end);
	memset(cmdline, 'x', sizeof(cmdline) - 1);
	cmdline[sizeof(cmdline) - 1] = 0;
	image_boot_params(vm, &image, 0, 0, cmdline, seed);
	CHECK_EQ("entry", vm->cpu.eip, image.entry);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t bytes)
{
	struct input in = { data, bytes };
	struct vm vm = { 0 };
	u8 *file;

	if (!ram_end)
		make_ram();
	vm.ram_bytes = take16(&in) % PAGES_MAX * PAGE_SIZE;
	if (vm.ram_bytes < RAM_AT_LEAST)
		vm.ram_bytes = RAM_AT_LEAST;
	vm.ram = ram_end - vm.ram_bytes;
	/* On the heap, so that a byte behind its end is seen. */
	file = malloc(in.left ? in.left : 1);
	memcpy(file, in.at, in.left);
	load(&vm, file, in.left);
	free(file);
	madvise(vm.ram, vm.ram_bytes, MADV_DONTNEED);
	return 0;
}
