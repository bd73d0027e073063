// SPDX-License-Identifier: GPL-2.0
/*
 * The start of the machine: what the loader left is found and checked, memory is
 * laid out, and the guest loaded and entered; again, if it reboots.
 *
 * Modules: the kernel's vmlinux, its initial RAM disk, its certificate.
 */
#include "machine.h"
#include "pvi.h"

#define MB_MEMORY	0x01u
#define MB_CMDLINE	0x04u
#define MB_MODULES	0x08u

#define MB_MEM_UPPER	2		/* words of the loader's structure */
#define MB_CMDLINE_AT	4
#define MB_MODULE_COUNT	5
#define MB_MODULE_LIST	6
#define MB_MODULE_WORDS	4		/* start, end, text, 0 */

#define MIB		(1u << 20)
#define TABLES_BYTES	(ROOTS * 1024 * PAGE_SIZE)
#define LEAST_RAM	(32 * MIB)

struct host host;

/* Takes what is needed of the loader's memory, which is the guest's soon. */
static const char *take_loader(const u32 *mb)
{
	const u32 *list = (const u32 *)mb[MB_MODULE_LIST];
	u32 upper = mb[MB_MEM_UPPER], i;

	host.memory_free = physical(image_bss_end);
	if (mb[0] & MB_MEMORY)
		host.memory_end = upper < (PLEX86_TOP - MIB) / 1024 ?
				  MIB + upper * 1024 : PLEX86_TOP;
	if (mb[0] & MB_MODULES) {
		for (i = 0; i < mb[MB_MODULE_COUNT] && i < MODULES; i++) {
			const u32 *m = list + i * MB_MODULE_WORDS;

			host.module[i].data = (const u8 *)m[0];
			host.module[i].bytes = m[1] - m[0];
			if (m[1] > host.memory_free)
				host.memory_free = m[1];
		}
	}
	return mb[0] & MB_CMDLINE ?
	       options_parse(&host.options, (const char *)mb[MB_CMDLINE_AT]) :
	       NULL;
}

/* Loaders put modules where no memory is; then there is nothing to be read. */
static void check_memory(void)
{
	if (host.memory_free > host.memory_end)
		cannot("too little memory: the machine has %u KiB, and the host with its modules needs %u alone; give the machine more",
		       host.memory_end / 1024, host.memory_free / 1024);
}

static void check_kernel(void)
{
	const struct module *kernel = &host.module[MODULE_KERNEL];
	const char *error;

	if (!kernel->bytes)
		cannot("there is no kernel: give vmlinux as module 1, its initramfs as 2 and its certificate as 3");
	error = image_check(kernel->data, kernel->bytes, &host.image);
	if (!error && !host.options.unchecked)
		error = certificate_check(&host.module[MODULE_CERTIFICATE],
					  kernel);
	if (error)
		cannot("kernel: %s", error);
}

static u32 align_up(u32 value, u32 to)
{
	return (value + to - 1) & ~(to - 1);
}

/*
 * From the end of the modules on: the shadow's page tables, then the guest's RAM,
 * whose first byte is that of a large page.
 */
static void lay_out(void)
{
	u32 want = host.options.mem_bytes, most = host.image.note.ram_max_mib;
	u32 tables = align_up(host.memory_free, PAGE_SIZE);
	u32 ram = align_up(tables + TABLES_BYTES, LARGE_SIZE), there = 0;
	u32 need = host.image.end + host.module[MODULE_INITRD].bytes + PAGE_SIZE;

	if (ram > tables && ram < host.memory_end)
		there = (host.memory_end - ram) & PAGE_MASK;
	if (need < LEAST_RAM)
		need = LEAST_RAM;
	if (want / MIB > most)
		cannot("mem=: too much; this kernel's memory split (CONFIG_VMSPLIT_*) can use %uM",
		       most);
	if (want > there || there < need)
		cannot("too little memory: the machine has %u KiB left for the guest, which is to have %u; give the machine more, or say mem=",
		       there / 1024, (want > need ? want : need) / 1024);
	if (want && want < need)
		cannot("mem=: too little: this kernel and its initramfs need %u KiB",
		       need / 1024);
	if (!want)
		want = there / MIB > most ? most * MIB : there;
	host.vm.ram = (u8 *)ram;
	host.vm.ram_bytes = want;
	shadow_start((u32 *)tables);
}

/* The page of the gates: a RET, and a HAL call for who calls one. */
static void make_gates(void)
{
	struct plex86_gates *gates = (void *)gates_page;
	static const u8 code[] = { 0xc3, 0x0f, 0xb9, PLEX86_UD1_CALL, 0xc3 };

	memcpy(gates_page + sizeof(*gates), code, sizeof(code));
	gates->system_call = PLEX86_GATES + sizeof(*gates);
	gates->call = gates->system_call + 1;
}

static void make_info(void)
{
	struct plex86_info *info = (void *)info_page;

	memset(info, 0, sizeof(*info));
	info->abi_major = PLEX86_ABI_MAJOR;
	info->abi_minor = PLEX86_ABI_MINOR;
	info->host_flags = PLEX86_HOST_TSC | (host.pvi ? PLEX86_HOST_PVI : 0);
	info->tsc_khz = host.tsc_khz;
	host.vm.info = info;
}

/* guest_start() - load the guest and enter it; RAM, shadow and devices anew */
void guest_start(void)
{
	const struct module *kernel = &host.module[MODULE_KERNEL];
	const struct module *initrd = &host.module[MODULE_INITRD];
	struct vm *vm = &host.vm;
	u8 seed[IMAGE_SEED_BYTES];
	const char *error;
	u32 at;

	memset(&vm->stats, 0, sizeof(vm->stats));
	memset(&vm->end, 0, sizeof(vm->end));
	vm->stepped = false;
	vm->refill = false;
	clear_pages(vm->ram, vm->ram_bytes / PAGE_SIZE);
	error = image_load(vm, kernel->data, kernel->bytes, &host.image);
	if (!error)
		error = image_pvi_form(vm, &host.image);
	if (!error && !host.pvi)
		error = sites_trap_form(vm, &host.image);
	if (error)
		cannot("kernel: %s", error);
	at = (vm->ram_bytes - initrd->bytes) & PAGE_MASK;
	memcpy(vm->ram + at, initrd->data, initrd->bytes);
	image_boot_params(vm, &host.image, at, initrd->bytes,
			  host.options.append,
			  processor_random(seed, sizeof(seed)) ? seed : NULL);
	make_gates();
	make_info();
	shadow_reset();
	segments_reset();
	console_reset();
	host.vif = false;
	host.vip = false;
	host.trap_tsc = false;
	host.deadline_ns = 0;
	guest_enter();
}

/* pvi_main() - from start.S; @multiboot: what the loader knows */
void pvi_main(const u32 *multiboot)
{
	const char *error = take_loader(multiboot);

	console_start();
	segments_start();
	if (error)
		cannot("%s", error);
	error = processor_check();
	if (error)
		cannot("this CPU has no %s, which a guest needs: give the machine a Pentium II or later",
		       error);
	check_memory();
	check_kernel();
	lay_out();
	processor_start();
	clock_start();
	say("ring-0 host of ABI %u.%u: %u KiB for the guest, TSC %u kHz",
	    PLEX86_ABI_MAJOR, PLEX86_ABI_MINOR, host.vm.ram_bytes / 1024,
	    host.tsc_khz);
	guest_start();
}
