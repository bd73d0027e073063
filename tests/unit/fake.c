// SPDX-License-Identifier: GPL-2.0
/*
 * The host_*() functions that the core expects of a host: each notes its
 * arguments in struct fake, and answers as the test has set it.
 *
 * Guest RAM is a heap block of exactly its size, so that the sanitizer sees an
 * access beyond it.
 */
#include "fake.h"

#include <stdlib.h>

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
	free(f->vm.ram);
	free(f);
}

/* fake_forget() - from here on only later calls count */
void fake_forget(struct fake *f)
{
	f->n_calls = 0;
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

int host_fill(struct vm *vm, u32 linear, u32 gpa, u32 bytes, bool writable,
	      bool global)
{
	note(vm, (struct call){ CALL_FILL,
				{ linear, gpa, bytes, writable, global } });
	return fake_of(vm)->fill_result;
}

void host_drop(struct vm *vm, u32 linear)
{
	note(vm, (struct call){ CALL_DROP, { linear } });
}

void host_flush(struct vm *vm, bool global)
{
	note(vm, (struct call){ CALL_FLUSH, { global } });
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
