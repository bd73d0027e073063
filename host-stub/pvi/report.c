// SPDX-License-Identifier: GPL-2.0
/*
 * What the monitor says, and the end of the machine.
 *
 * Its lines go to the guest's console and to port 0xE9, where an emulator prints
 * them.  The guest reaches no port, so where its console is COM1 they are alone
 * there, and whoever started the emulator can believe them; the last is "plex86:
 * exit STATUS".
 */
#include <stdarg.h>

#include "machine.h"
#include "pvi.h"

#define QEMU_EXIT	0xf4		/* isa-debug-exit, as tools/pvi-run has it */
#define QEMU_POWER	0x604		/* the PM1a control register of its ACPI */
#define QEMU_POWER_OFF	0x2000
#define BOCHS_POWER	0x8900
#define CODE_BYTES	16u

struct line {
	char text[192];
	u32 bytes;
};

static void add(struct line *l, char c)
{
	if (l->bytes < sizeof(l->text))
		l->text[l->bytes++] = c;
}

static void add_number(struct line *l, u64 value, u32 base, u32 width)
{
	char digits[20];
	u32 n = 0;

	do {
		digits[n++] = "0123456789abcdef"[value % base];
		value /= base;
	} while (value);
	while (n < width)
		digits[n++] = '0';
	while (n)
		add(l, digits[--n]);
}

/* %s, %u, %x (8 digits) and %llu. */
static void format(struct line *l, const char *f, va_list ap)
{
	const char *s;

	for (; *f; f++) {
		if (*f != '%') {
			add(l, *f);
			continue;
		}
		switch (*++f) {
		case 's':
			for (s = va_arg(ap, const char *); *s; s++)
				add(l, *s);
			break;
		case 'u':
			add_number(l, va_arg(ap, u32), 10, 1);
			break;
		case 'x':
			add_number(l, va_arg(ap, u32), 16, 8);
			break;
		case 'l':
			f += 2;
			add_number(l, va_arg(ap, u64), 10, 1);
			break;
		}
	}
}

static void put(const struct line *l, bool aside)
{
	u32 i;

	if (!aside && host.com1 && !host.options.port_e9)
		console_put((const u8 *)l->text, l->bytes);
	for (i = 0; i < l->bytes; i++)
		outb(0xe9, (u8)l->text[i]);
}

/* @aside: on port 0xE9 only. */
static void put_line(bool aside, const char *f, va_list ap)
{
	struct line l = { .bytes = 0 };
	const char *start;

	for (start = "plex86: "; *start; start++)
		add(&l, *start);
	format(&l, f, ap);
	if (l.bytes > sizeof(l.text) - 2)
		l.bytes = sizeof(l.text) - 2;
	add(&l, '\r');
	add(&l, '\n');
	put(&l, aside);
}

/* say() - a line of the monitor's */
void say(const char *f, ...)
{
	va_list ap;

	va_start(ap, f);
	put_line(false, f, ap);
	va_end(ap);
}

static void __attribute__((format(printf, 1, 2))) say_aside(const char *f, ...)
{
	va_list ap;

	va_start(ap, f);
	put_line(true, f, ap);
	va_end(ap);
}

/* Ends the emulator, or if there is none, stops. */
static void __attribute__((noreturn)) machine_end(u32 status)
{
	const char *s;

	say("exit %u", status);
	console_flush();
	if (status)
		outb(QEMU_EXIT, (u8)status);
	outw(QEMU_POWER, QEMU_POWER_OFF);
	for (s = "Shutdown"; *s; s++)
		outb(BOCHS_POWER, (u8)*s);
	for (;;)
		__asm__ volatile("cli; hlt");
}

/* cannot() - say why there is no guest, and end */
void cannot(const char *f, ...)
{
	va_list ap;

	va_start(ap, f);
	put_line(false, f, ap);
	va_end(ap);
	machine_end(EXIT_CANNOT);
}

static void report_stats(void)
{
	const struct stats *s = &host.vm.stats;

#define X(name) say_aside("counter " #name " %llu", s->name);
	STATS(X)
#undef X
}

static void report_crash(void)
{
	struct vcpu *cpu = &host.vm.cpu;
	const u32 *r = cpu->reg;
	struct line code = { .bytes = 0 };
	u32 fault, i;
	u8 byte;

	say("the guest crashed: %s", host.vm.end.reason);
	say("  at %x, in %s mode", cpu->eip, cpu->cpl ? "user" : "kernel");
	say("  eax %x  ebx %x  ecx %x  edx %x", r[EAX], r[EBX], r[ECX], r[EDX]);
	say("  esi %x  edi %x  ebp %x  esp %x", r[ESI], r[EDI], r[EBP], r[ESP]);
	say("  eflags %x  cr0 %x  cr2 %x  cr3 %x  cr4 %x", cpu->eflags,
	    cpu->cr0, cpu->cr2, cpu->cr3, cpu->cr4);
	for (i = 0; i < CODE_BYTES; i++) {
		if (core_read(&host.vm, cpu->eip + i, &byte, 1, 0, &fault))
			break;
		add(&code, ' ');
		add_number(&code, byte, 16, 2);
	}
	add(&code, 0);
	say("  code%s", code.text);
}

/* report_end() - the guest has ended: say how, and end or begin anew */
void report_end(void)
{
	const struct end *end = &host.vm.end;
	u32 status = 0;

	console_drain();
	if (end->how == END_CRASH) {
		report_crash();
		status = EXIT_CRASHED;
	} else if (end->how == END_HOST) {
		cannot("%s", end->reason);
	} else if (end->how == END_POWEROFF) {
		status = end->status;
	}
	if (host.options.stats)
		report_stats();
	if (end->how == END_REBOOT && !host.options.no_reboot) {
		say("the guest reboots");
		pvi_restart(guest_start);
	}
	machine_end(status);
}

/* report_fault() - something came that the monitor has no way to deal with */
void report_fault(const struct frame *f)
{
	cannot("the monitor cannot go on: vector %u, error %x, at %x:%x, flags %x, cr2 %x",
	       f->vector, f->error, f->cs, f->eip, f->eflags, read_cr2());
}
