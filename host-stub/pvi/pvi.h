/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The state of the PVI host, and what its files have of each other.
 *
 * A freestanding monitor at ring 0 of a bare PC, with the guest at ring 3.  The
 * core (../core) does what every host does; here are the machine below it, real
 * page tables and descriptors, and one console.
 */
#ifndef PVI_H
#define PVI_H

#include "image.h"
#include "layout.h"
#include "queue.h"

#define FL_VIF		0x00080000u
#define FL_VIP		0x00100000u

#define TLS_MIN		12u		/* the guest's GDT entries, and ours */
#define TLS_SLOTS	3u
#define GDT_ENTRIES	(TLS_MIN + TLS_SLOTS)

#define PIC1		0x20		/* ports of the interrupt controllers */
#define PIC2		0xa0

#define INPUT_BYTES	65536u		/* a power of two */

/* Exit statuses; those of `plex86 run`. */
enum { EXIT_CANNOT = 1, EXIT_CRASHED = 3 };

/* What entry.S pushes, and the processor before it. */
struct frame {
	u32 es, ds;
	u32 edi, esi, ebp, unused, ebx, edx, ecx, eax;
	u32 vector, error;
	u32 eip, cs, eflags;
	u32 esp, ss;		/* of the guest only */
};

/* The words of the command line before "--", and what is behind it. */
struct options {
	u32 mem_bytes;		/* 0: as much as there is */
	bool port_e9;		/* the guest's console is port 0xE9, not COM1 */
	bool trap;		/* CR4.PVI is not used */
	bool unchecked;		/* the kernel needs no certificate */
	bool stats;		/* counters are printed at the end */
	bool no_reboot;
	char append[IMAGE_CMDLINE_MAX];
};

/* A file that the loader has left in memory. */
struct module {
	const u8 *data;
	u32 bytes;
};

enum { MODULE_KERNEL, MODULE_INITRD, MODULE_CERTIFICATE, MODULES };

/* The two address spaces of the guest: indices of shadow tables. */
enum { ROOT_KERNEL, ROOT_USER, ROOTS };

struct descriptor_pointer {
	u16 limit;
	u32 base;
} __attribute__((packed));

struct host {
	struct vm vm;			/* first: host_of() */
	struct image image;
	struct options options;
	struct module module[MODULES];
	u32 memory_end;			/* of the machine's, from 1 MiB on */
	u32 memory_free;		/* nothing of use lies from here on */

	/* Interrupt flag; the hardware's EFLAGS while the guest runs. */
	bool pvi;			/* kernel mode runs with CR4.PVI */
	bool vif, vip;

	/* Processor. */
	u32 cr4;			/* without PVI and TSD */
	u32 cr4_now;			/* as loaded */
	bool trap_tsc;
	bool rdrand;

	/* Segments: the hardware's tables. */
	u64 gdt[GDT_ENTRIES];
	u64 idt[256];
	u32 tss[26];
	u32 ds, es;			/* the guest's */

	/* Shadow: tables[root][4 MiB row][page]. */
	u32 (*tables)[1024][1024];
	u32 rows[ROOTS][32];		/* bit n: row n has an entry in the root */
	u32 cut[32];			/* bit n: the guest flushed parts of it */
	bool high_local;		/* kernel half: something not global */

	/* Time. */
	u64 tsc_start;
	u32 tsc_khz;
	u32 ns_per_tick;		/* by 2^-22 */
	u64 wall_start_ns;		/* of 1970, at tsc_start */
	u64 deadline_ns;		/* of the guest's timer; 0: none */
	u64 armed_ns;			/* when the PIT goes off; 0: it does not */

	/* Console. */
	bool com1;			/* it is there */
	u32 com1_fifo_bytes;
	struct queue rx, tx;
	struct request request;
	u8 input[INPUT_BYTES];
	u32 in_prod, in_cons;
	struct queue_state queues[PLEX86_MAX_DEVICES * QUEUES_MAX];
};

extern struct host host;

static inline struct host *host_of(struct vm *vm)
{
	return (struct host *)(void *)vm;
}

/* Pages that the guest sees in the top 4 MiB. */
extern u8 info_page[PAGE_SIZE], gates_page[PAGE_SIZE];
extern u8 console_page[PAGE_SIZE], no_device_page[PAGE_SIZE];

/* start.S, entry.S */
extern u32 root_monitor[1024], root_kernel[1024], root_user[1024];
extern u32 top_kernel[1024], top_user[1024];
extern const u8 image_start[], image_bss_end[], stack_end[], entries[];
void pvi_enter(struct frame *frame, u32 root) __attribute__((noreturn));
void pvi_restart(void (*function)(void)) __attribute__((noreturn));

/* A linear address of the monitor's own, as a physical one. */
static inline u32 physical(const void *p)
{
	return (u32)p - LINK_BASE + LOAD_BASE;
}

/* main.c */
void pvi_main(const u32 *multiboot) __attribute__((noreturn));
void guest_start(void) __attribute__((noreturn));

/* options.c */
const char *options_parse(struct options *o, const char *text);

/* certificate.c */
const char *certificate_check(const struct module *text,
			      const struct module *kernel);

/* trap.c */
void guest_enter(void) __attribute__((noreturn));
u32 pvi_trap(struct frame *f);
void pvi_trap_inside(const struct frame *f);

/* sites.c */
const char *sites_trap_form(struct vm *vm, struct image *image);
bool sites_trapped(struct vm *vm);

/* processor.c */
const char *processor_check(void);
void processor_start(void);
bool processor_random(u8 *to, u32 bytes);

/* segment.c */
void segments_start(void);
void segments_reset(void);
bool segment_usable(u32 selector, bool stack);

/* shadow.c */
void shadow_start(u32 *tables);
void shadow_reset(void);

/* clock.c */
void clock_start(void);
void clock_tick(void);

/* console.c */
void console_start(void);
void console_reset(void);
void console_input(void);
void console_drain(void);
void console_flush(void);
void console_put(const u8 *text, u32 bytes);

/* report.c */
void say(const char *format, ...) __attribute__((format(printf, 1, 2)));
void cannot(const char *format, ...)
	__attribute__((format(printf, 1, 2), noreturn));
void report_end(void) __attribute__((noreturn));
void report_fault(const struct frame *f) __attribute__((noreturn));

#endif
