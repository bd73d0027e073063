// SPDX-License-Identifier: GPL-2.0
/*
 * core/hal.c: every HAL call with good arguments and with every kind of bad
 * ones, against the result codes and limits of abi/plex86.h.
 */
#include "fake.h"
#include "unit.h"

#define RAM	(1u << 20)
#define DEVICE	5u

static struct fake *f;

static int setup(void **state)
{
	struct plex86_dev *dev;

	(void)state;
	f = fake_new(RAM);
	dev = &f->devices[DEVICE];
	dev->magic = PLEX86_DEV_MAGIC;
	dev->type = PLEX86_DEV_CONSOLE;
	dev->queues = 2;
	dev->queue_entries = 256;
	dev->features[0] = PLEX86_F_INDIRECT | 0x40;
	dev->features[1] = 0x80000005;
	f->vm.devices[DEVICE] = dev;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	fake_free(f);
	return 0;
}

/* Makes a call; returns EAX.  The registers not named hold rubbish. */
static s32 call(u32 number, u32 ebx, u32 ecx, u32 edx, u32 esi, u32 edi)
{
	u32 *r = f->vm.cpu.reg;

	r[EAX] = number;
	r[EBX] = ebx;
	r[ECX] = ecx;
	r[EDX] = edx;
	r[ESI] = esi;
	r[EDI] = edi;
	r[ESP] = 0xdead0001;
	r[EBP] = 0xdead0002;
	fake_forget(f);
	core_hal_call(&f->vm);
	CHECK_EQ("call", r[EDX], edx);
	CHECK_EQ("call", r[ESI], esi);
	CHECK_EQ("call", r[EDI], edi);
	CHECK_EQ("call", r[ESP], 0xdead0001);
	CHECK_EQ("call", r[EBP], 0xdead0002);
	if (number != PLEX86_CALL_CLOCK) {
		CHECK_EQ("call", r[EBX], ebx);
		CHECK_EQ("call", r[ECX], ecx);
	}
	return (s32)r[EAX];
}

static void nop_and_irq(void **state)
{
	(void)state;
	CHECK_EQ("nop", call(PLEX86_CALL_NOP, ~0u, ~0u, ~0u, ~0u, ~0u), 0);
	CHECK_EQ("nop", f->n_calls, 0);
	CHECK_EQ("irq", call(PLEX86_CALL_IRQ, ~0u, ~0u, ~0u, ~0u, ~0u), 0);
	CHECK_EQ("irq", f->n_calls, 0);
}

static void unknown_calls(void **state)
{
	static const u32 numbers[] = {
		PLEX86_CALL_PROTECT + 1, 100, 0x10000, 0x7fffffff, 0x80000000,
		(u32)-PLEX86_ENOSYS, 0xffffffff,
	};
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(numbers); i++) {
		CHECK_EQ(row("call %#x", numbers[i]),
			 call(numbers[i], 0, 0, 0, 0, 0),
			 (u64)-PLEX86_ENOSYS);
		CHECK_EQ(row("call %#x", numbers[i]), f->n_calls, 0);
	}
}

static void write_text(void **state)
{
	static const struct {
		u32 gpa, bytes;
		s32 result;
	} table[] = {
		{ 0, 0, 0 },
		{ 0, 1, 0 },
		{ 0x1234, PLEX86_WRITE_MAX, 0 },
		{ 0x1234, PLEX86_WRITE_MAX + 1, -PLEX86_EINVAL },
		{ 0x1234, 0xffffffff, -PLEX86_EINVAL },
		{ RAM - 1, 1, 0 },
		{ RAM - 1, 2, -PLEX86_EFAULT },
		{ RAM - PLEX86_WRITE_MAX, PLEX86_WRITE_MAX, 0 },
		{ RAM - PLEX86_WRITE_MAX + 1, PLEX86_WRITE_MAX, -PLEX86_EFAULT },
		{ RAM, 0, 0 },
		{ RAM, 1, -PLEX86_EFAULT },
		{ RAM + 1, 0, -PLEX86_EFAULT },
		{ 0xffffffff, 1, -PLEX86_EFAULT },
		{ 0xfffff800, PLEX86_WRITE_MAX, -PLEX86_EFAULT },
	};
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(table); i++) {
		const char *r = row("gpa %#x, %u bytes", table[i].gpa,
				    table[i].bytes);
		s32 ret = call(PLEX86_CALL_WRITE, table[i].gpa, table[i].bytes,
			       0, 0, 0);

		CHECK_EQ(r, ret, (s64)table[i].result);
		CHECK_EQ(r, f->n_calls, !table[i].result);
		if (ret)
			continue;
		CHECK_EQ(r, f->calls[0].kind, CALL_WRITE);
		CHECK_EQ(r, f->calls[0].arg[0], table[i].gpa);
		CHECK_EQ(r, f->calls[0].arg[1], table[i].bytes);
	}
}

static void timer(void **state)
{
	static const u64 table[] = {
		0, 1, 0xffffffff, 0x100000000, 0x123456789abcdef0,
		0x7fffffffffffffff, 0x8000000000000000, ~0ull,
	};
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(table); i++) {
		const char *r = row("row %zu", i);

		CHECK_EQ(r, call(PLEX86_CALL_TIMER, (u32)table[i],
				 (u32)(table[i] >> 32), 0, 0, 0), 0);
		CHECK_EQ(r, f->n_calls, 1);
		CHECK_EQ(r, fake_call(f, CALL_TIMER)->arg[0], table[i]);
	}
}

static void clocks(void **state)
{
	(void)state;
	f->clock[PLEX86_CLOCK_MONOTONIC] = 0x0123456789abcdef;
	f->clock[PLEX86_CLOCK_REALTIME] = 0xfedcba9876543210;
	CHECK_EQ("monotonic",
		 call(PLEX86_CALL_CLOCK, PLEX86_CLOCK_MONOTONIC, 0, 0, 0, 0), 0);
	CHECK_EQ("monotonic", f->vm.cpu.reg[EBX], 0x89abcdef);
	CHECK_EQ("monotonic", f->vm.cpu.reg[ECX], 0x01234567);
	CHECK_EQ("realtime",
		 call(PLEX86_CALL_CLOCK, PLEX86_CLOCK_REALTIME, 0, 0, 0, 0), 0);
	CHECK_EQ("realtime", f->vm.cpu.reg[EBX], 0x76543210);
	CHECK_EQ("realtime", f->vm.cpu.reg[ECX], 0xfedcba98);
	CHECK_EQ("bad", call(PLEX86_CALL_CLOCK, 2, 7, 0, 0, 0),
		 (u64)-PLEX86_EINVAL);
	CHECK_EQ("bad", f->vm.cpu.reg[EBX], 2);
	CHECK_EQ("bad", f->vm.cpu.reg[ECX], 7);
	CHECK_EQ("bad", f->n_calls, 0);
	CHECK_EQ("bad", call(PLEX86_CALL_CLOCK, ~0u, 7, 0, 0, 0),
		 (u64)-PLEX86_EINVAL);
}

static void end(void **state)
{
	static const struct {
		u32 how, status;
		s32 result;
		u32 end, end_status;
	} table[] = {
		{ PLEX86_END_POWEROFF, 0, 0, END_POWEROFF, 0 },
		{ PLEX86_END_POWEROFF, 64, 0, END_POWEROFF, 64 },
		{ PLEX86_END_POWEROFF, 127, 0, END_POWEROFF, 127 },
		{ PLEX86_END_POWEROFF, 1, -PLEX86_EINVAL, END_NOT, 0 },
		{ PLEX86_END_POWEROFF, 63, -PLEX86_EINVAL, END_NOT, 0 },
		{ PLEX86_END_POWEROFF, 128, -PLEX86_EINVAL, END_NOT, 0 },
		{ PLEX86_END_POWEROFF, ~0u, -PLEX86_EINVAL, END_NOT, 0 },
		{ PLEX86_END_REBOOT, 0, 0, END_REBOOT, 0 },
		{ PLEX86_END_CRASH, 0, 0, END_CRASH, 0 },
		{ 3, 0, -PLEX86_EINVAL, END_NOT, 0 },
		{ ~0u, 0, -PLEX86_EINVAL, END_NOT, 0 },
	};
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(table); i++) {
		const char *r = row("how %u status %u", table[i].how,
				    table[i].status);

		memset(&f->vm.end, 0, sizeof(f->vm.end));
		CHECK_EQ(r, call(PLEX86_CALL_END, table[i].how, table[i].status,
				 0, 0, 0), (s64)table[i].result);
		CHECK_EQ(r, f->vm.end.how, table[i].end);
		CHECK_EQ(r, f->vm.end.status, table[i].end_status);
		CHECK_EQ(r, f->vm.end.reason[0] != 0, table[i].end == END_CRASH);
	}
}

/* Numbers that name no device, and devices that are not there. */
static void no_device(void **state)
{
	static const u32 numbers[] = {
		0, DEVICE - 1, DEVICE + 1, PLEX86_MAX_DEVICES - 1,
		PLEX86_MAX_DEVICES, PLEX86_MAX_DEVICES + DEVICE, 0x40000005,
		0x80000005, ~0u,
	};
	static const u32 calls[] = {
		PLEX86_CALL_DEV_RESET, PLEX86_CALL_DEV_ACCEPT,
		PLEX86_CALL_QUEUE_SET, PLEX86_CALL_NOTIFY,
	};
	struct plex86_dev *dev = &f->devices[DEVICE];
	size_t i, c;
	u32 calls_host;

	(void)state;
	for (c = 0; c < ARRAY_SIZE(calls); c++) {
		for (i = 0; i < ARRAY_SIZE(numbers); i++) {
			const char *r = row("call %u device %#x", calls[c],
					    numbers[i]);

			CHECK_EQ(r, call(calls[c], numbers[i], 0, 0, 0, 2),
				 (u64)-PLEX86_ENODEV);
			CHECK_EQ(r, f->n_calls, 0);
		}
		/* The back end hears of a reset, though: it may have gone on. */
		calls_host = calls[c] == PLEX86_CALL_DEV_RESET;
		dev->magic = 0;
		CHECK_EQ("no magic", call(calls[c], DEVICE, 0, 0, 0, 2),
			 (u64)-PLEX86_ENODEV);
		CHECK_EQ("no magic", f->n_calls, calls_host);
		dev->magic = PLEX86_DEV_MAGIC;
		dev->status = PLEX86_DEV_GONE;
		CHECK_EQ("gone", call(calls[c], DEVICE, 0, 0, 0, 2),
			 (u64)-PLEX86_ENODEV);
		CHECK_EQ("gone", f->n_calls, calls_host);
		if (calls_host)
			CHECK_EQ("gone", fake_call(f, CALL_RESET_DEVICE)->arg[0],
				 DEVICE);
		dev->status = 0;
	}
}

static void reset(void **state)
{
	struct plex86_dev *dev = &f->devices[DEVICE];

	(void)state;
	dev->accepted[0] = 1;
	dev->accepted[1] = 2;
	CHECK_EQ("reset", call(PLEX86_CALL_DEV_RESET, DEVICE, 0, 0, 0, 0), 0);
	CHECK_EQ("reset", f->n_calls, 1);
	CHECK_EQ("reset", fake_call(f, CALL_RESET_DEVICE)->arg[0], DEVICE);
	CHECK_EQ("reset", dev->accepted[0], 0);
	CHECK_EQ("reset", dev->accepted[1], 0);
	CHECK_EQ("reset", dev->features[0], PLEX86_F_INDIRECT | 0x40);
}

static void accept_features(void **state)
{
	static const struct {
		u32 low, high;
		s32 result;
	} table[] = {
		{ 0, 0, 0 },
		{ PLEX86_F_INDIRECT, 0, 0 },
		{ PLEX86_F_INDIRECT | 0x40, 0x80000005, 0 },
		{ 0, 0x80000001, 0 },
		{ 0x2, 0, -PLEX86_EINVAL },
		{ 0, 0x2, -PLEX86_EINVAL },
		{ 0x80000000, 0, -PLEX86_EINVAL },
		{ 0x80000005, 0x41, -PLEX86_EINVAL },	/* words swapped */
		{ ~0u, ~0u, -PLEX86_EINVAL },
	};
	struct plex86_dev *dev = &f->devices[DEVICE];
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(table); i++) {
		const char *r = row("row %zu", i);
		bool ok = !table[i].result;

		dev->accepted[0] = 0x40;
		dev->accepted[1] = 0x4;
		CHECK_EQ(r, call(PLEX86_CALL_DEV_ACCEPT, DEVICE, table[i].low,
				 table[i].high, 0, 0), (s64)table[i].result);
		CHECK_EQ(r, dev->accepted[0], ok ? table[i].low : 0x40);
		CHECK_EQ(r, dev->accepted[1], ok ? table[i].high : 0x4);
	}
	/* Not while a queue works by the old ones. */
	dev->accepted[0] = 0x40;
	f->queues[DEVICE * QUEUES_MAX + 1].ready = 1;
	CHECK_EQ("busy", call(PLEX86_CALL_DEV_ACCEPT, DEVICE, 0, 0, 0, 0),
		 -PLEX86_EBUSY);
	CHECK_EQ("busy", dev->accepted[0], 0x40);
}

static void queue_set(void **state)
{
	u32 bytes16 = plex86_queue_bytes(16);
	u32 last16 = (RAM - bytes16) & PAGE_MASK;
	const struct {
		u32 queue;
		u64 gpa;
		u32 entries;
		s32 result;
	} table[] = {
		{ 0, 0x1000, 16, 0 },
		{ 1, 0, PLEX86_QUEUE_MIN, 0 },
		{ 0, 0x8000, 256, 0 },
		{ 0, last16, 16, 0 },
		{ 2, 0x1000, 16, -PLEX86_ENODEV },
		{ QUEUES_MAX, 0x1000, 16, -PLEX86_ENODEV },
		{ ~0u, 0x1000, 16, -PLEX86_ENODEV },
		{ 0, 0x1000, 0, -PLEX86_EINVAL },
		{ 0, 0x1000, 1, -PLEX86_EINVAL },
		{ 0, 0x1000, 3, -PLEX86_EINVAL },
		{ 0, 0x1000, 255, -PLEX86_EINVAL },
		{ 0, 0x1000, 512, -PLEX86_EINVAL },	/* above the device's */
		{ 0, 0x1000, 0x80000000, -PLEX86_EINVAL },
		{ 0, 0x1000, ~0u, -PLEX86_EINVAL },
		{ 0, 0x1001, 16, -PLEX86_EINVAL },
		{ 0, 0x1800, 16, -PLEX86_EINVAL },
		{ 0, 0x1fff, 16, -PLEX86_EINVAL },
		{ 0, last16 + PAGE_SIZE, 16, -PLEX86_EFAULT },
		{ 0, RAM, 16, -PLEX86_EFAULT },
		{ 0, 0xfffff000, 16, -PLEX86_EFAULT },
		{ 0, 0x100001000, 16, -PLEX86_EFAULT },	/* the high word */
		{ 0, 0xfffffffffffff000, 16, -PLEX86_EFAULT },
		{ 0, RAM - PAGE_SIZE, 256, -PLEX86_EFAULT },
	};
	struct queue_state *q;
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(table); i++) {
		const char *r = row("queue %u gpa %#llx entries %u",
				    table[i].queue,
				    (unsigned long long)table[i].gpa,
				    table[i].entries);
		s32 ret;

		memset(f->queues, 0, sizeof(f->queues));
		ret = call(PLEX86_CALL_QUEUE_SET, DEVICE, table[i].queue,
			   (u32)table[i].gpa, (u32)(table[i].gpa >> 32),
			   table[i].entries);
		CHECK_EQ(r, ret, (s64)table[i].result);
		CHECK_EQ(r, f->n_calls, !ret);
		q = &f->queues[DEVICE * QUEUES_MAX + (table[i].queue & 1)];
		CHECK_EQ(r, q->ready, !ret);
		if (ret)
			continue;
		CHECK_EQ(r, q->gpa, table[i].gpa);
		CHECK_EQ(r, q->entries, table[i].entries);
		CHECK_EQ(r, f->calls[0].kind, CALL_DOORBELL);
		CHECK_EQ(r, f->calls[0].arg[0], DEVICE);
		CHECK_EQ(r, f->calls[0].arg[1], table[i].queue);
	}
}

/* The device says how many queues it has; the host, how many it can hold. */
static void queue_number(void **state)
{
	(void)state;
	f->devices[DEVICE].queues = QUEUES_MAX + 8;
	CHECK_EQ("last", call(PLEX86_CALL_QUEUE_SET, DEVICE, QUEUES_MAX - 1,
			      0x1000, 0, 16), 0);
	CHECK_EQ("one more", call(PLEX86_CALL_QUEUE_SET, DEVICE, QUEUES_MAX,
				  0x1000, 0, 16), (u64)-PLEX86_ENODEV);
	CHECK_EQ("next device's", f->queues[(DEVICE + 1) * QUEUES_MAX].ready, 0);
}

static void queue_set_twice(void **state)
{
	struct queue_state *q = &f->queues[DEVICE * QUEUES_MAX];

	(void)state;
	CHECK_EQ("once", call(PLEX86_CALL_QUEUE_SET, DEVICE, 0, 0x1000, 0, 16),
		 0);
	CHECK_EQ("twice", call(PLEX86_CALL_QUEUE_SET, DEVICE, 0, 0x2000, 0, 32),
		 (u64)-PLEX86_EBUSY);
	CHECK_EQ("twice", f->n_calls, 0);
	/* Errors come in the order in which the contract lists them. */
	CHECK_EQ("busy first", call(PLEX86_CALL_QUEUE_SET, DEVICE, 0, 0x2001, 0,
				    3), (u64)-PLEX86_EBUSY);
	CHECK_EQ("range last", call(PLEX86_CALL_QUEUE_SET, DEVICE, 1, RAM, 0,
				    3), (u64)-PLEX86_EINVAL);
	CHECK_EQ("twice", q->gpa, 0x1000);
	CHECK_EQ("twice", q->entries, 16);
	CHECK_EQ("other", call(PLEX86_CALL_QUEUE_SET, DEVICE, 1, 0x2000, 0, 32),
		 0);
}

static void notify(void **state)
{
	static const u32 bad[] = { 1, 2, QUEUES_MAX, 0x80000000, ~0u };
	size_t i;

	(void)state;
	CHECK_EQ("not set", call(PLEX86_CALL_NOTIFY, DEVICE, 0, 0, 0, 0),
		 (u64)-PLEX86_ENODEV);
	call(PLEX86_CALL_QUEUE_SET, DEVICE, 0, 0x1000, 0, 16);
	CHECK_EQ("set", call(PLEX86_CALL_NOTIFY, DEVICE, 0, 0, 0, 0), 0);
	CHECK_EQ("set", f->n_calls, 1);
	CHECK_EQ("set", fake_call(f, CALL_DOORBELL)->arg[0], DEVICE);
	CHECK_EQ("set", fake_call(f, CALL_DOORBELL)->arg[1], 0);
	CHECK_EQ("set", f->vm.stats.doorbells, 1);
	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		CHECK_EQ(row("queue %#x", bad[i]),
			 call(PLEX86_CALL_NOTIFY, DEVICE, bad[i], 0, 0, 0),
			 (u64)-PLEX86_ENODEV);
		CHECK_EQ(row("queue %#x", bad[i]), f->n_calls, 0);
	}
}

/*
 * CR3 by a call: as MOV to CR3, but for the error.  What CR3 keeps has no bit
 * 11 where that is not a bit of CR3.
 */
static void load_cr3(void **state)
{
	static const struct {
		u32 cr4, asids, value;
		s32 result;
		u32 cr3;
		s32 asid;		/* -1: the host is not asked for a space */
		bool keep;
	} table[] = {
		{ 0, 7, 0x5000, 0, 0x5000, -1, false },
		{ CR4_PGE, 7, 0x5000, 0, 0x5000, -1, false },
		{ CR4_PGE, 0, 0x5fff, 0, 0x5fff, -1, false },
		{ CR4_PCIDE, 7, 0x5000, 0, 0x5000, 0, false },
		{ CR4_PCIDE, 7, 0x5800, 0, 0x5000, 0, true },
		{ CR4_PCIDE, 7, 0x5001, 0, 0x5001, 1, false },
		{ CR4_PCIDE, 7, 0x5801, 0, 0x5001, 1, true },
		{ CR4_PCIDE | CR4_PGE, 7, 0x5006, 0, 0x5006, 6, false },
		{ CR4_PCIDE | CR4_PGE, 7, 0x5806, 0, 0x5006, 6, true },
		{ CR4_PCIDE, 7, 0x5007, -PLEX86_EINVAL, 0, 7, false },
		{ CR4_PCIDE, 7, 0x5807, -PLEX86_EINVAL, 0, 7, true },
		{ CR4_PCIDE, 7, 0x57ff, -PLEX86_EINVAL, 0, 0x7ff, false },
		{ CR4_PCIDE, 7, 0xffffffff, -PLEX86_EINVAL, 0, 0x7ff, true },
		{ CR4_PCIDE, 0x800, 0xffffffff, 0, 0xfffff7ff, 0x7ff, true },
		{ CR4_PCIDE, 0, 0x5000, -PLEX86_EINVAL, 0, 0, false },
	};
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(table); i++) {
		const char *r = row("row %zu", i);
		u64 loads = f->vm.stats.cr3_loads;
		bool ok = !table[i].result;

		f->vm.cpu.cr3 = 0x1234000;
		f->vm.cpu.cr4 = table[i].cr4;
		f->asids = table[i].asids;
		CHECK_EQ(r, call(PLEX86_CALL_CR3, table[i].value, ~0u, ~0u, ~0u,
				 ~0u), (s64)table[i].result);
		CHECK_EQ(r, f->vm.cpu.cr3, ok ? table[i].cr3 : 0x1234000);
		CHECK_EQ(r, f->vm.cpu.cr4, table[i].cr4);
		CHECK_EQ(r, f->vm.stats.cr3_loads, loads + ok);
		CHECK_EQ(r, f->n_calls, 1);
		if (table[i].asid < 0) {
			CHECK_EQ(r, f->calls[0].kind, CALL_FLUSH);
			CHECK_EQ(r, f->calls[0].arg[0],
				 !(table[i].cr4 & CR4_PGE));
		} else {
			CHECK_EQ(r, f->calls[0].kind, CALL_SPACE);
			CHECK_EQ(r, f->calls[0].arg[0], table[i].asid);
			CHECK_EQ(r, f->calls[0].arg[1], table[i].keep);
		}
	}
}

/* Any range is a range; what of it there is, is the host's to know. */
static void ranges(u32 number, enum call_kind kind, const u64 *counter)
{
	static const struct {
		u32 from, to;
	} table[] = {
		{ 0, 0xc0000000 }, { 0x08048000, 0x08049000 },
		{ 0xc0000000, PLEX86_TOP }, { 0, 0xffffffff },
		{ 0x1001, 0x1002 }, { PLEX86_INFO, PLEX86_INFO + PAGE_SIZE },
		{ 0x5000, 0x5000 }, { 0x6000, 0x5000 }, { 0xfffff000, 0 },
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(table); i++) {
		const char *r = row("%#x to %#x", table[i].from, table[i].to);

		CHECK_EQ(r, call(number, table[i].from, table[i].to, ~0u, ~0u,
				 ~0u), 0);
		CHECK_EQ(r, f->n_calls, 1);
		CHECK_EQ(r, f->calls[0].kind, kind);
		CHECK_EQ(r, f->calls[0].arg[0], table[i].from);
		CHECK_EQ(r, f->calls[0].arg[1], table[i].to);
		CHECK_EQ(r, *counter, i + 1);
	}
}

static void flush(void **state)
{
	(void)state;
	ranges(PLEX86_CALL_FLUSH, CALL_DROP, &f->vm.stats.flush_calls);
}

static void protect(void **state)
{
	(void)state;
	ranges(PLEX86_CALL_PROTECT, CALL_PROTECT, &f->vm.stats.protect_calls);
}

static void tls(void **state)
{
	(void)state;
	CHECK_EQ("tls", call(PLEX86_CALL_TLS, ~0u, ~0u, ~0u, ~0u, ~0u), 0);
	CHECK_EQ("tls", f->n_calls, 1);
	CHECK_EQ("tls", f->calls[0].kind, CALL_SYNC_TLS);
}

/* Random calls: no more is checked than that the sanitizer stays silent. */
static void random_calls(void **state)
{
	static const u32 values[] = {
		0, 1, 2, 16, 64, DEVICE, 256, 0x1000, RAM - 4096, RAM - 1, RAM,
		0x7fffffff, 0x80000000, 0xfffff000, 0xffffffff,
	};
	u64 seed = 0x243f6a8885a308d3;
	u32 i, j, arg[5], number;

	(void)state;
	for (i = 0; i < 200000; i++) {
		for (j = 0; j < 5; j++)
			arg[j] = random32(&seed) & 1 ?
				 values[random32(&seed) % ARRAY_SIZE(values)] :
				 random32(&seed);
		number = random32(&seed) % 16;
		if (number >= PLEX86_CALL_DEV_RESET && (i & 1))
			arg[0] = DEVICE;
		call(number, arg[0], arg[1], arg[2], arg[3], arg[4]);
		if (i % 64 == 0)
			memset(f->queues, 0, sizeof(f->queues));
	}
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(nop_and_irq), TEST(unknown_calls), TEST(write_text),
		TEST(timer), TEST(clocks), TEST(end), TEST(no_device),
		TEST(reset), TEST(accept_features), TEST(queue_set),
		TEST(queue_number), TEST(queue_set_twice), TEST(notify),
		TEST(load_cr3), TEST(flush), TEST(protect), TEST(tls),
		TEST(random_calls),
	};

	return RUN_TESTS("hal", tests, NULL, NULL);
}
