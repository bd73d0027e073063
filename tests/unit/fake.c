// SPDX-License-Identifier: GPL-2.0
/*
 * The host_*() functions that the core expects of a host: each notes its
 * arguments in struct fake, and answers as the test has set it.
 *
 * What host_fill() was asked for is remembered until it is dropped or flushed,
 * for host_filled() and the tests to look at; what breaks the rules of vm.h
 * fails the test.
 *
 * Guest RAM is a heap block of exactly its size, so that the sanitizer sees an
 * access beyond it.
 */
#include "fake.h"
#include "unit.h"

#include <stdlib.h>

#define ROW_PAGES	(LARGE_SIZE / PAGE_SIZE)

static struct fake *fake_of(struct vm *vm)
{
	return (struct fake *)(void *)vm;
}

static void note(struct vm *vm, struct call call)
{
	struct fake *f = fake_of(vm);

	if (f->n_calls < CALLS_MAX)
		f->calls[f->n_calls] = call;
	f->n_calls++;
}

/* fake_new() - a machine with @ram_bytes of zeroed RAM and no devices */
struct fake *fake_new(u32 ram_bytes)
{
	struct fake *f = calloc(1, sizeof(*f));

	f->vm.ram = calloc(1, ram_bytes);
	f->vm.ram_bytes = ram_bytes;
	f->vm.info = &f->info;
	f->vm.queues = f->queues;
	return f;
}

void fake_free(struct fake *f)
{
	u32 i;

	for (i = 0; i < 1024; i++)
		free(f->shadow[i]);
	free(f->vm.ram);
	free(f);
}

/* fake_forget() - from here on only later calls count */
void fake_forget(struct fake *f)
{
	f->n_calls = 0;
	f->n_uses = 0;
}

/* fake_used() - was the page at @gpa said to be used for @access? */
bool fake_used(const struct fake *f, u32 gpa, u32 access)
{
	u32 i;

	for (i = 0; i < f->n_uses && i < USES_MAX; i++)
		if (f->uses[i].gpa / PAGE_SIZE == gpa / PAGE_SIZE &&
		    (f->uses[i].access & access) == access)
			return true;
	return false;
}

u32 fake_count(const struct fake *f, enum call_kind kind)
{
	u32 i, n = 0;

	for (i = 0; i < f->n_calls && i < CALLS_MAX; i++)
		n += f->calls[i].kind == kind;
	return n;
}

/* fake_call() - the last call of @kind, NULL if there was none */
const struct call *fake_call(const struct fake *f, enum call_kind kind)
{
	u32 i = f->n_calls < CALLS_MAX ? f->n_calls : CALLS_MAX;

	while (i--)
		if (f->calls[i].kind == kind)
			return &f->calls[i];
	return NULL;
}

bool host_vif(struct vm *vm)
{
	return fake_of(vm)->vif;
}

void host_set_vif(struct vm *vm, bool on)
{
	fake_of(vm)->vif = on;
	note(vm, (struct call){ CALL_SET_VIF, { on } });
}

void host_set_vip(struct vm *vm, bool on)
{
	fake_of(vm)->vip = on;
	note(vm, (struct call){ CALL_SET_VIP, { on } });
}

/* fake_shadow() - what is filled at @linear: 0, or see FAKE_FILLED */
u32 fake_shadow(const struct fake *f, u32 linear)
{
	const u32 *pages = f->shadow[linear >> 22];

	return pages ? pages[linear / PAGE_SIZE % ROW_PAGES] : 0;
}

u32 host_large(struct vm *vm, u32 linear, u32 gpa)
{
	const char *r = row("host_large(%#x, %#x)", linear, gpa);

	CHECK_EQ(r, gpa % LARGE_SIZE, 0);
	return fake_of(vm)->piece ? fake_of(vm)->piece : LARGE_SIZE;
}

int host_fill(struct vm *vm, u32 linear, u32 gpa, u32 bytes, u32 flags)
{
	struct fake *f = fake_of(vm);
	u32 align = flags & FILL_LARGE ? LARGE_SIZE : PAGE_SIZE, i;
	char r[80];		/* row() is the test's */

	snprintf(r, sizeof(r), "host_fill(%#x, %#x, %#x, %#x)", linear, gpa,
		 bytes, flags);
	note(vm, (struct call){ CALL_FILL, { linear, gpa, bytes, flags } });
	CHECK_EQ(r, linear % align | gpa % align | bytes % PAGE_SIZE, 0);
	CHECK(r, bytes && bytes <= LARGE_SIZE);
	CHECK_EQ(r, (linear + bytes - 1) >> 22, linear >> 22);
	CHECK(r, linear < PLEX86_TOP);
	CHECK(r, gpa < vm->ram_bytes && bytes <= vm->ram_bytes - gpa);
	CHECK_EQ(r, flags & ~(FILL_WRITABLE | FILL_GLOBAL | FILL_USER |
			      FILL_LARGE | FILL_PIECE), 0);
	if (f->fill_result ||
	    (linear < f->refuse_to && linear + (bytes - 1) >= f->refuse_from))
		return -1;

	if (!f->shadow[linear >> 22])
		f->shadow[linear >> 22] = calloc(ROW_PAGES, sizeof(u32));
	for (i = 0; i < bytes; i += PAGE_SIZE)
		f->shadow[linear >> 22][(linear + i) / PAGE_SIZE % ROW_PAGES] =
			(gpa + i) | FAKE_FILLED | flags;
	return 0;
}

bool host_filled(struct vm *vm, u32 linear, bool writable)
{
	u32 page = fake_shadow(fake_of(vm), linear);

	return page && (!writable || (page & FILL_WRITABLE));
}

/* Forgets what lies from @from to below @to; @local: and is not global. */
static void forget(struct fake *f, u64 from, u64 to, bool local)
{
	u32 n, i;

	for (n = 0; n < 1024; n++) {
		for (i = 0; f->shadow[n] && i < ROW_PAGES; i++) {
			u64 at = ((u64)n * ROW_PAGES + i) * PAGE_SIZE;
			u32 *page = &f->shadow[n][i];
			bool in = at < to && at + PAGE_SIZE > from;

			/* Of a large one all goes. */
			if (*page & FILL_LARGE)
				in = (u64)n << 22 < to &&
				     (u64)(n + 1) << 22 > from;
			if (in && !(local && (*page & FILL_GLOBAL)))
				*page = 0;
		}
	}
}

void host_drop(struct vm *vm, u32 from, u32 to)
{
	note(vm, (struct call){ CALL_DROP, { from, to } });
	if (from < to)
		forget(fake_of(vm), from, to, false);
}

void host_protect(struct vm *vm, u32 from, u32 to)
{
	note(vm, (struct call){ CALL_PROTECT, { from, to } });
}

void host_flush(struct vm *vm, bool global)
{
	note(vm, (struct call){ CALL_FLUSH, { global, vm->cpu.cr3 } });
	forget(fake_of(vm), 0, PLEX86_TOP, !global);
}

bool host_use(struct vm *vm, u32 gpa, u32 access)
{
	struct fake *f = fake_of(vm);

	CHECK("host_use", gpa < vm->ram_bytes);
	f->uses[f->n_uses++ % USES_MAX] = (struct use){ gpa, access };
	return f->use_result;
}

int host_space(struct vm *vm, u32 asid, bool keep)
{
	note(vm, (struct call){ CALL_SPACE, { asid, keep, vm->cpu.cr3 } });
	if (asid >= fake_of(vm)->asids)
		return -1;
	forget(fake_of(vm), 0, PLEX86_TOP, true);
	return 0;
}

int host_load_segment(struct vm *vm, u32 segment, u32 selector)
{
	note(vm, (struct call){ CALL_LOAD_SEGMENT, { segment, selector } });
	return fake_of(vm)->segment_result;
}

void host_sync_tls(struct vm *vm)
{
	note(vm, (struct call){ CALL_SYNC_TLS, { 0 } });
}

void host_trap_tsc(struct vm *vm, bool on)
{
	note(vm, (struct call){ CALL_TRAP_TSC, { on } });
}

u64 host_read_tsc(struct vm *vm)
{
	note(vm, (struct call){ CALL_READ_TSC, { 0 } });
	return 0x123456789abcdef0;
}

void host_halt(struct vm *vm)
{
	note(vm, (struct call){ CALL_HALT, { 0 } });
}

void host_timer(struct vm *vm, u64 ns)
{
	note(vm, (struct call){ CALL_TIMER, { ns } });
}

u64 host_clock(struct vm *vm, u32 which)
{
	note(vm, (struct call){ CALL_CLOCK, { which } });
	return which < 2 ? fake_of(vm)->clock[which] : 0;
}

/* Reads the whole text, for the sanitizer to see. */
void host_write(struct vm *vm, const u8 *text, u32 bytes)
{
	u64 sum = 0;
	u32 i;

	for (i = 0; i < bytes; i++)
		sum += text[i];
	note(vm, (struct call){ CALL_WRITE,
				{ (u64)(text - vm->ram), bytes, sum } });
}

void host_doorbell(struct vm *vm, u32 device, u32 queue)
{
	note(vm, (struct call){ CALL_DOORBELL, { device, queue } });
}

void host_reset_device(struct vm *vm, u32 device)
{
	note(vm, (struct call){ CALL_RESET_DEVICE, { device } });
}
