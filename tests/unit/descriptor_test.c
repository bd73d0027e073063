// SPDX-License-Identifier: GPL-2.0
/*
 * core/emulate.c: LAR, LSL, VERR and VERW behind UD1 NEXT, for every kind of
 * descriptor by SDM vol. 2, and for descriptors that this host's GDT holds too,
 * against the instructions themselves.
 */
#include "guest.h"
#include "unit.h"

#include <asm/ldt.h>
#include <sys/mman.h>

#define NR_SET_THREAD_AREA	243	/* of the 32-bit table */

static struct fake *f;

static int setup(void **state)
{
	(void)state;
	f = guest_new();
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	fake_free(f);
	return 0;
}

enum op { LAR, LSL, VERR, VERW };

static const char *const op_name[] = { "lar", "lsl", "verr", "verw" };

/* How the operand is given. */
enum form { REG32, REG16, MEM, FORMS };

#define MARK	0xdead1234u	/* in the destination before */

/* What the instruction left: ZF, and of LAR and LSL the destination. */
struct result {
	bool zf;
	u32 value;
};

/* Runs one for @selector at @cpl through the core. */
static struct result emulated(const char *r, enum op op, u32 selector, u32 cpl,
			      enum form form)
{
	u8 code[8] = { 0x0f, 0xb9, PLEX86_UD1_NEXT };
	u32 n = 3, data = cpl ? G_USER_DATA : G_DATA;
	struct vcpu *cpu = &f->vm.cpu, before;

	if (form == REG16)
		code[n++] = 0x66;
	code[n++] = 0x0f;
	code[n++] = op == LAR ? 2 : op == LSL ? 3 : 0;
	/* %ecx, or (%ebx); the destination of LAR and LSL is %esi */
	code[n++] = (u8)((form == MEM ? 0x03 : 0xc1) |
			 (op == VERR ? 4 : op == VERW ? 5 : ESI) << 3);
	if (cpl)
		guest_user(f);
	else
		guest_kernel(f);
	memcpy(guest_at(f, cpu->eip), code, n);
	cpu->reg[ECX] = 0xbeef0000 | selector;
	cpu->reg[EBX] = data;
	cpu->reg[ESI] = MARK;
	guest_write32(f, data, 0xbeef0000 | selector);
	cpu->eflags = 0x8d7 ^ ((selector & 8) << 3);	/* ZF of either kind */
	before = *cpu;
	core_undefined(&f->vm);
	CHECK_EQ(r, cpu->eip, before.eip + n);
	CHECK_EQ(r, cpu->eflags & ~FL_ZF, before.eflags & ~FL_ZF);
	CHECK_EQ(r, cpu->cpl, cpl);
	if (op >= VERR || !(cpu->eflags & FL_ZF))
		CHECK_EQ(r, cpu->reg[ESI], MARK);
	before.reg[ESI] = cpu->reg[ESI];
	CHECK_MEM(r, cpu->reg, before.reg, sizeof(before.reg));
	return (struct result){ cpu->eflags & FL_ZF, cpu->reg[ESI] };
}

/* The manual's words, for a descriptor that is within the table. */
static struct result by_manual(enum op op, u64 d, u32 rpl, u32 cpl)
{
	u32 type = d >> 40 & 15, s = d >> 44 & 1, dpl = d >> 45 & 3;
	bool code = type & 8, conforming = code && (type & 4);
	bool visible = s && (conforming || (cpl <= dpl && rpl <= dpl));
	u32 limit = (u32)((d & 0xffff) | (d >> 32 & 0xf0000));
	struct result res = { visible, MARK };

	if (op == VERR)
		res.zf = visible && (!code || (type & 2));
	if (op == VERW)
		res.zf = visible && !code && (type & 2);
	if (op == LAR && visible)
		res.value = (u32)(d >> 32) & 0x00f0ff00;
	if (op == LSL && visible)
		res.value = d >> 55 & 1 ? limit << 12 | 0xfff : limit;
	return res;
}

/* Bits 19:16 of LAR's result are undefined. */
static u32 defined(enum op op, bool zf, u32 value)
{
	return op == LAR && zf ? value & ~0x000f0000u : value;
}

/* All types, system ones too, x DPL x P x G x RPL x CPL x instruction x form. */
static void every_descriptor(void **state)
{
	u32 type, p, g, rpl, cpl, op, form;

	(void)state;
	for (type = 0; type < 128; type++)	/* DPL, S, type */
	for (p = 0; p < 2; p++)
	for (g = 0; g < 2; g++)
	for (rpl = 0; rpl < 4; rpl++)
	for (cpl = 0; cpl < 4; cpl += 3)
	for (op = LAR; op <= VERW; op++)
	for (form = 0; form < FORMS; form++) {
		u64 d = 0x126503a4587b9cdeull;
		struct result want, got;
		const char *r;

		d &= ~(0xffull << 40 | 1ull << 55);
		d |= (u64)type << 40 | (u64)p << 47 | (u64)g << 55;
		guest_descriptor(f, 9, d);
		r = row("%s %016llx rpl %u cpl %u form %u", op_name[op],
			(unsigned long long)d, rpl, cpl, form);
		want = by_manual((enum op)op, d, rpl, cpl);
		got = emulated(r, (enum op)op, 9 * 8 + rpl, cpl,
			       (enum form)form);
		CHECK_EQ(r, got.zf, want.zf);
		got.value = defined((enum op)op, got.zf, got.value);
		if (form == REG16 && op < VERR && want.zf)
			want.value = (MARK & 0xffff0000) |
				     (want.value & 0xffff);
		want.value = defined((enum op)op, want.zf, want.value);
		CHECK_EQ(r, got.value, want.value);
	}
}

/* Null, LDT and out-of-range selectors, and a table that is not mapped. */
static void no_descriptor(void **state)
{
	static const u32 selectors[] = {
		0, 1, 2, 3, 4, 7, 0x24, 0x2f, 0x80, 0x83, 0x1000, 0xfff8, 0xffff,
	};
	size_t i;
	u32 op, cpl;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(selectors); i++)
	for (op = LAR; op <= VERW; op++)
	for (cpl = 0; cpl < 4; cpl += 3) {
		const char *r = row("%s %#x", op_name[op], selectors[i]);

		CHECK_EQ(r, emulated(r, (enum op)op, selectors[i], cpl,
				     REG32).zf, false);
	}
	/* The limit is the last byte's: 0x2f holds entry 5, 0x2e does not. */
	f->vm.cpu.gdt.limit = 0x2f;
	CHECK_EQ("limit", emulated("limit", LSL, 0x2b, 3, REG32).zf, true);
	f->vm.cpu.gdt.limit = 0x2e;
	CHECK_EQ("limit", emulated("limit", LSL, 0x2b, 3, REG32).zf, false);
	f->vm.cpu.gdt.limit = 0x7f;
	guest_map(f, G_KERNEL + G_GDT, 0);
	f->vm.cpu.cr2 = 0x4321;
	CHECK_EQ("unmapped", emulated("unmapped", LSL, 0x2b, 3, REG32).zf,
		 false);
	CHECK_EQ("unmapped", f->vm.cpu.cr2, 0x4321);
}

/* The operand in memory faults as user code's own access. */
static void operand_faults(void **state)
{
	static const u8 code[] = { 0x0f, 0xb9, 0xf3, 0x0f, 0x03, 0x33 };
	struct expected e = { VEC_PF, PFEC_U, G_USER_CODE };
	struct vcpu before;

	(void)state;
	guest_map(f, G_USER_DATA + PAGE_SIZE, 0);
	guest_user(f);
	memcpy(guest_at(f, G_USER_CODE), code, sizeof(code));
	f->vm.cpu.reg[EBX] = G_USER_DATA + PAGE_SIZE - 1;
	before = f->vm.cpu;
	core_undefined(&f->vm);
	guest_expect("missing", f, &e, &before);
	CHECK_EQ("missing", f->info.cr2, G_USER_DATA + PAGE_SIZE);
	/* The kernel's memory is not for user code to look at. */
	guest_user(f);
	f->vm.cpu.reg[EBX] = G_DATA;
	before = f->vm.cpu;
	e.error = PFEC_U | PFEC_P;
	core_undefined(&f->vm);
	guest_expect("kernel's", f, &e, &before);
}

static struct result native(enum op op, u32 selector)
{
	struct result res = { false, MARK };
	u8 zf = 0;

	switch (op) {
	case LAR:
		__asm__ volatile("lar %2, %0; setz %1"
				 : "+r"(res.value), "=qm"(zf)
				 : "r"(selector) : "cc");
		break;
	case LSL:
		__asm__ volatile("lsl %2, %0; setz %1"
				 : "+r"(res.value), "=qm"(zf)
				 : "r"(selector) : "cc");
		break;
	case VERR:
		__asm__ volatile("verr %w1; setz %0" : "=qm"(zf)
				 : "r"(selector) : "cc");
		break;
	case VERW:
		__asm__ volatile("verw %w1; setz %0" : "=qm"(zf)
				 : "r"(selector) : "cc");
		break;
	}
	res.zf = zf;
	return res;
}

/* set_thread_area() of the 32-bit table, as the monitor calls it. */
static long set_thread_area(struct user_desc *low)
{
	long ret;

	__asm__ volatile("int $0x80" : "=a"(ret)
			 : "a"(NR_SET_THREAD_AREA), "b"(low)
			 : "memory", "r8", "r9", "r10", "r11");
	return ret;
}

/*
 * Random TLS descriptors in the guest's GDT and in this host's: the core's
 * results must be the processor's.
 */
static void tls_as_native(void **state)
{
	struct user_desc *low = mmap(NULL, PAGE_SIZE, PROT_READ | PROT_WRITE,
				     MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT,
				     -1, 0);
	u64 seed = 0x9216d5d98979fb1b;
	u32 round, op, found = 0;

	(void)state;
	if (low == MAP_FAILED)
		skip();
	for (round = 0; round < 2000; round++) {
		u32 slot = 12 + random32(&seed) % 3, base = random32(&seed);
		u32 limit = random32(&seed) & 0xfffff, r32 = random32(&seed);
		u32 type, selector = slot * 8 + (r32 >> 8 & 3);
		bool empty = (r32 & 0x70000) == 0;
		u64 d;

		memset(low, 0, sizeof(*low));
		low->entry_number = slot;
		low->base_addr = base;
		low->limit = limit;
		low->seg_32bit = 1;
		low->contents = r32 & 1;
		low->read_exec_only = r32 >> 1 & 1;
		low->limit_in_pages = r32 >> 2 & 1;
		low->useable = r32 >> 3 & 1;
		if (empty) {
			memset(low, 0, sizeof(*low));
			low->entry_number = slot;
			low->read_exec_only = 1;
			low->seg_not_present = 1;
		}
		if (set_thread_area(low))
			skip();
		/* Linux sets the accessed bit itself. */
		type = (u32)low->contents << 2 |
		       (low->read_exec_only ? 0u : 2u) | 1u;
		d = (limit & 0xffff) | (u64)(base & 0xffffff) << 16 |
		    (u64)(type | 0x10 | 3 << 5 | 0x80) << 40 |
		    (u64)(limit >> 16) << 48 | (u64)low->useable << 52 |
		    1ull << 54 | (u64)low->limit_in_pages << 55 |
		    (u64)(base >> 24) << 56;
		guest_descriptor(f, slot, empty ? 0 : d);
		for (op = LAR; op <= VERW; op++) {
			const char *r = row("%s %#x of %016llx", op_name[op],
					    selector, (unsigned long long)d);
			struct result want = native((enum op)op, selector);
			struct result got = emulated(r, (enum op)op, selector,
						     3, REG32);

			CHECK_EQ(r, got.zf, want.zf);
			CHECK_EQ(r, defined((enum op)op, got.zf, got.value),
				 defined((enum op)op, want.zf, want.value));
			found += want.zf;
		}
	}
	memset(low, 0, sizeof(*low));
	low->read_exec_only = low->seg_not_present = 1;
	for (round = 12; round < 15; round++) {
		low->entry_number = round;
		set_thread_area(low);
	}
	munmap(low, PAGE_SIZE);
	CHECK("mix", found > 2000);
}

/* The user's flat segments, and null and LDT selectors, are the host's own. */
static void flat_as_native(void **state)
{
	static const u32 selectors[] = {
		0, 1, 2, 3, 0x20, 0x21, 0x22, 0x23, 0x28, 0x29, 0x2a, 0x2b,
		0x84, 0x87, 0x8f, 0xfff3, 0xfff7, 0xffff,
	};
	size_t i;
	u32 op;

	(void)state;
	/* Linux gives them with the accessed bit set. */
	guest_descriptor(f, 4, 0x00cffb000000ffff);
	guest_descriptor(f, 5, 0x00cff3000000ffff);
	for (i = 0; i < ARRAY_SIZE(selectors); i++)
	for (op = LAR; op <= VERW; op++) {
		const char *r = row("%s %#x", op_name[op], selectors[i]);
		struct result want = native((enum op)op, selectors[i]);
		struct result got = emulated(r, (enum op)op, selectors[i], 3,
					     REG32);

		CHECK_EQ(r, got.zf, want.zf);
		CHECK_EQ(r, defined((enum op)op, got.zf, got.value),
			 defined((enum op)op, want.zf, want.value));
	}
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(every_descriptor), TEST(no_descriptor),
		TEST(operand_faults), TEST(tls_as_native),
		TEST(flat_as_native),
	};

	return RUN_TESTS("descriptor", tests, NULL, NULL);
}
