// SPDX-License-Identifier: GPL-2.0
/*
 * The guest around the test table: descriptor tables, trap bookkeeping, output
 * through the contract's HAL calls.  It owns the log_* records and judges every
 * interrupt's arrival by the rules that hold for all of them; what a particular
 * test expects is cases.c's.
 */
#include <stdarg.h>

#include "guest.h"
#include "port.h"

struct gate {
	uint16_t low, selector, type, high;
};

struct table_pointer {
	uint16_t limit;
	uint32_t base;
} __attribute__((packed));

/* The part of a TSS that a kernel with one privilege change needs. */
struct tss {
	uint32_t link, esp0, ss0, rest[23];
};

#define GATE_INTERRUPT	0x8e00
#define GATE_DPL3	0x6000

static uint8_t user_trap_stack[4096] __attribute__((aligned(16)));
static struct tss tss;
static struct gate idt[256];
static uint64_t gdt[8];

struct table_pointer gdt_pointer, idt_pointer;
struct machine case_in, case_out;
uint32_t case_images[8];
struct trap_log log_debug, log_undefined, log_protection, log_irq,
		log_user_end;
const char *trap_fault;
void (*irq_hook)(struct trap_frame *frame);
uint32_t step_target;
bool step_hit;

void gdt_load(void);
uint32_t trap(struct trap_frame *frame);

void *memset(void *to, int c, size_t n)
{
	uint8_t *p = to;

	while (n--)
		*p++ = c;
	return to;
}

void *memcpy(void *to, const void *from, size_t n)
{
	uint8_t *p = to;
	const uint8_t *q = from;

	while (n--)
		*p++ = *q++;
	return to;
}

uint32_t guest_call(uint32_t nr, uint32_t b, uint32_t c, uint32_t *out_b)
{
	__asm__ volatile(".byte 0x0f, 0xb9, %c3"
			 : "+a" (nr), "+b" (b), "+c" (c)
			 : "i" (PLEX86_UD1_CALL)
			 : "memory");
	if (out_b)
		*out_b = b;
	return nr;
}

/* Guest-physical equals linear in both artifacts. */
void guest_write(const char *s, uint32_t len)
{
	guest_call(PLEX86_CALL_WRITE, (uint32_t)s, len, NULL);
}

void guest_end(bool failed)
{
	for (;;)
		guest_call(PLEX86_CALL_END, PLEX86_END_POWEROFF,
			   failed ? STATUS_FAILED : 0, NULL);
}

static char *put_number(char *p, char *end, uint32_t v, uint32_t base)
{
	char digits[10];
	uint32_t n = 0;

	do {
		digits[n++] = "0123456789abcdef"[v % base];
		v /= base;
	} while (v);
	while (n && p < end)
		*p++ = digits[--n];
	return p;
}

uint32_t format(char *buf, uint32_t size, const char *fmt, ...)
{
	char *p = buf, *end = buf + size - 1;
	va_list ap;

	va_start(ap, fmt);
	for (; *fmt && p < end; fmt++) {
		const char *s;

		if (*fmt != '%') {
			*p++ = *fmt;
			continue;
		}
		switch (*++fmt) {
		case 's':
			for (s = va_arg(ap, const char *); *s && p < end; s++)
				*p++ = *s;
			break;
		case 'u':
			p = put_number(p, end, va_arg(ap, uint32_t), 10);
			break;
		case 'x':
			p = put_number(p, end, va_arg(ap, uint32_t), 16);
			break;
		}
	}
	va_end(ap);
	*p = 0;
	return p - buf;
}

void traps_reset(void)
{
	log_debug.count = 0;
	log_undefined.count = 0;
	log_protection.count = 0;
	log_irq.count = 0;
	log_user_end.count = 0;
	trap_fault = NULL;
	irq_hook = NULL;
	step_target = 0;
	step_hit = false;
}

static void remember(struct trap_log *log, const struct trap_frame *frame)
{
	if (!log->count++)
		log->first = *frame;
	log->last = *frame;
}

/*
 * Entry through an interrupt gate (SDM vol. 3, 6.12.1): TF, NT, RF and IF are
 * cleared; the frame holds the flags from before, IF among them, and none that
 * only the hardware's PVI knows.
 */
static void judge_entry(const struct trap_frame *frame)
{
	if (frame->cs != KERNEL_CS && frame->cs != USER_CS)
		trap_fault = "frame CS is neither kernel's nor user's";
	else if (frame->eflags & (FL_VIF | FL_VIP | FL_VM | FL_IOPL))
		trap_fault = "frame shows VIF, VIP, VM or IOPL";
	else if (!(frame->eflags & FL_ONE))
		trap_fault = "frame flags lack bit 1";
	else if (frame->entry_flags & (FL_TF | FL_NT))
		trap_fault = "entry left TF or NT set";
	else if (port_vif())
		trap_fault = "entry left interrupts on";
	else if (frame->vector == VEC_IRQ && !(frame->eflags & FL_IF))
		trap_fault = "interrupt while IF is 0";
	else if (frame->cs == USER_CS && frame->ss != USER_DS)
		trap_fault = "frame SS is not user's";
}

static void unexpected(const struct trap_frame *frame)
{
	char line[160];
	uint32_t n;

	n = format(line, sizeof(line),
		   "not ok run: trap %u error %x at %x:%x flags %x\n",
		   frame->vector, frame->error, frame->cs, frame->eip,
		   frame->eflags);
	guest_write(line, n);
	guest_end(true);
}

/* Returns nonzero to end the running case instead of going back. */
uint32_t trap(struct trap_frame *frame)
{
	if (!trap_fault)
		judge_entry(frame);

	switch (frame->vector) {
	case VEC_DEBUG:
		remember(&log_debug, frame);
		if (step_target && frame->eip == step_target && !step_hit) {
			step_hit = true;
			port_raise();
		}
		return 0;
	case VEC_IRQ:
		remember(&log_irq, frame);
		if (irq_hook)
			irq_hook(frame);
		return 0;
	case VEC_UNDEFINED:
		remember(&log_undefined, frame);
		if (frame->cs == USER_CS)
			return 1;
		frame->eip += 2;	/* UD2 */
		return 0;
	case VEC_PROTECTION:
		if (frame->cs != USER_CS)
			unexpected(frame);
		remember(&log_protection, frame);
		return 1;
	case VEC_USER_END:
		remember(&log_user_end, frame);
		return 1;
	default:
		unexpected(frame);
	}
	return 0;
}

static void set_gate(uint32_t vector, void (*entry)(void), uint16_t type)
{
	idt[vector].low = (uint32_t)entry;
	idt[vector].high = (uint32_t)entry >> 16;
	idt[vector].selector = KERNEL_CS;
	idt[vector].type = type;
}

#define GATE(vector, type) do {				\
	void trap_##vector(void);			\
	set_gate(vector, trap_##vector, type);		\
} while (0)

/* Load the GDT, IDT and TSS that all tests run with. */
void guest_init(void)
{
	uint32_t base = (uint32_t)&tss;

	gdt[KERNEL_CS / 8] = 0x00cf9a000000ffffull;
	gdt[KERNEL_CS / 8 + 1] = 0x00cf92000000ffffull;
	gdt[USER_CS / 8] = 0x00cffa000000ffffull;
	gdt[USER_DS / 8] = 0x00cff2000000ffffull;
	gdt[TSS_SEL / 8] = (sizeof(tss) - 1) | (uint64_t)(base & 0xffffff) << 16 |
			   0x890000000000ull | (uint64_t)(base >> 24) << 56;
	gdt_pointer.limit = sizeof(gdt) - 1;
	gdt_pointer.base = (uint32_t)gdt;

	tss.ss0 = KERNEL_CS + 8;
	tss.esp0 = (uint32_t)user_trap_stack + sizeof(user_trap_stack);

	GATE(0, GATE_INTERRUPT);
	GATE(1, GATE_INTERRUPT);
	GATE(2, GATE_INTERRUPT);
	GATE(3, GATE_INTERRUPT);
	GATE(4, GATE_INTERRUPT);
	GATE(5, GATE_INTERRUPT);
	GATE(6, GATE_INTERRUPT);
	GATE(7, GATE_INTERRUPT);
	GATE(8, GATE_INTERRUPT);
	GATE(9, GATE_INTERRUPT);
	GATE(10, GATE_INTERRUPT);
	GATE(11, GATE_INTERRUPT);
	GATE(12, GATE_INTERRUPT);
	GATE(13, GATE_INTERRUPT);
	GATE(14, GATE_INTERRUPT);
	GATE(16, GATE_INTERRUPT);
	GATE(17, GATE_INTERRUPT);
	GATE(18, GATE_INTERRUPT);
	GATE(19, GATE_INTERRUPT);
	GATE(0x30, GATE_INTERRUPT);
	GATE(0x80, GATE_INTERRUPT | GATE_DPL3);
	idt_pointer.limit = sizeof(idt) - 1;
	idt_pointer.base = (uint32_t)idt;

	gdt_load();
}
