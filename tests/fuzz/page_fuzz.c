// SPDX-License-Identifier: GPL-2.0
/*
 * The walk of the guest's page tables, core/page.c, and the filling of the shadow
 * from them, core_page_fault(): on tables that are the input's, against a walk
 * that is written anew here, after SDM vol. 3, 4.3.
 *
 * The input is the registers, then entries that are put somewhere, then accesses.
 */
#include "fake.h"
#include "fuzz.h"

#define RAM		(64u << 10)
#define ENTRIES_MAX	64u
#define ACCESSES_MAX	16u
#define COPY_MAX	(3 * PAGE_SIZE)

static struct fake *f;

/* What the walk of one address says. */
struct walk {
	bool ok;
	u32 error;		/* P, if not */
	u32 gpa, bytes;
	bool may_write, user, global;
	u32 at[2], bits[2];	/* entries that it looked at, and what it sets there */
	u32 levels;
};

static u32 get(u32 gpa)
{
	u32 value;

	memcpy(&value, f->vm.ram + gpa, sizeof(value));
	return value;
}

static bool bit(u32 word, u32 n)
{
	return word >> n & 1;
}

static struct walk walk_paging(u32 linear, bool user, bool write)
{
	bool big_pages = bit(f->vm.cpu.cr4, 4), protect = bit(f->vm.cpu.cr0, 16);
	u32 table = f->vm.cpu.cr3 & 0xfffff000, entry = 0, frame = 0, span = 22;
	struct walk w = { .may_write = true, .user = true };

	do {
		u32 at = table + (linear >> span) % 1024 * 4;

		if (at < table || at > RAM - 4)
			return w;
		entry = get(at);
		w.at[w.levels++] = at;
		if (!bit(entry, 0))
			return w;
		w.may_write &= bit(entry, 1);
		w.user &= bit(entry, 2);
		table = entry & 0xfffff000;
		frame = span;
		span -= 10;
	} while (frame == 22 && !(big_pages && bit(entry, 7)));

	w.error = 1;
	if ((user && !w.user) || (write && !w.may_write && (user || protect)))
		return w;
	w.ok = true;
	w.bytes = 1u << frame;
	w.gpa = (entry & ~(w.bytes - 1)) | (linear & (w.bytes - 1));
	w.global = bit(entry, 8) && bit(f->vm.cpu.cr4, 7);
	w.bits[0] = 0x20;
	w.bits[1] = 0x20;
	if (write)
		w.bits[w.levels - 1] |= 0x40;
	return w;
}

static struct walk walk(u32 linear, bool user, bool write)
{
	struct walk w = { 0 };

	if (linear >= 0xffc00000)
		return w;
	if (bit(f->vm.cpu.cr0, 31))
		return walk_paging(linear, user, write);
	w.ok = true;
	w.gpa = linear;
	w.bytes = linear < 4u << 20 ? 4096 : 4u << 20;
	w.may_write = true;
	return w;
}

/* What the entries must hold after the walk; before, if it failed. */
static void expect_entries(const char *r, const struct walk *w, const u32 *before)
{
	u32 i;

	/* The two may be one. */
	for (i = 0; i < w->levels; i++) {
		u32 want = before[i] | w->bits[i];

		if (w->levels == 2 && w->at[0] == w->at[1])
			want |= w->bits[1 - i];
		CHECK_EQ(r, get(w->at[i]), want);
	}
}

static void translate(u32 linear, u32 access)
{
	struct walk w = walk(linear, access & PFEC_U, access & PFEC_W);
	const char *r = row("%08x access %x", linear, access);
	struct translation tr, near;
	u32 before[2] = { 0 }, i, own;
	bool peeked;

	for (i = 0; i < w.levels; i++)
		before[i] = get(w.at[i]);
	peeked = linear < PLEX86_TOP && !core_peek(&f->vm, linear, &near);
	for (i = 0; i < w.levels; i++)
		CHECK_EQ(r, get(w.at[i]), before[i]);
	own = core_translate(&f->vm, linear, access, &tr) ? 0 : 1;
	CHECK_EQ(r, own, w.ok);
	expect_entries(r, &w, before);
	if (!w.ok) {
		CHECK_EQ(r, tr.gpa, w.error);
		return;
	}
	CHECK_EQ(r, tr.gpa, w.gpa);
	CHECK_EQ(r, tr.page_bytes, w.bytes);
	CHECK_EQ(r, tr.page_gpa, w.gpa & ~(w.bytes - 1));
	CHECK_EQ(r, tr.user, w.user);
	CHECK_EQ(r, tr.global, w.global);
	/* To be written without a walk it must be allowed, and dirty. */
	if (tr.writable && w.levels)
		CHECK(r, get(w.at[w.levels - 1]) & PTE_D);
	if (tr.writable && !(access & PFEC_W))
		CHECK(r, w.may_write);
	if (peeked) {
		CHECK_EQ(r, w.bytes, PAGE_SIZE);
		CHECK_EQ(r, near.page_gpa, tr.page_gpa);
		CHECK(r, near.page_gpa <= RAM - PAGE_SIZE);
		CHECK(r, !near.writable || tr.writable);
	}
}

/* Byte by byte what core_read() or core_write() does at once. */
static void copy(u32 linear, u32 access, u32 bytes)
{
	static u8 buf[COPY_MAX], want[COPY_MAX];
	bool write = access & PFEC_W, user = access & PFEC_U;
	const char *r = row("%u bytes at %08x access %x", bytes, linear, access);
	u32 done = 0, fault = ~0u, i;
	struct walk w = { 0 };
	int ret;

	if (write) {
		/* It might write to the tables: see only that it stays in RAM. */
		for (i = 0; i < bytes; i++)
			buf[i] = (u8)(i * 7);
		core_write(&f->vm, linear, buf, bytes, access & PFEC_U, &fault);
		return;
	}
	/* Accessed bits, set before, are no difference then. */
	for (i = 0; i < bytes; i += PAGE_SIZE)
		core_read(&f->vm, linear + i, buf, 1, access, &fault);
	if (bytes)
		core_read(&f->vm, linear + bytes - 1, buf, 1, access, &fault);
	for (; done < bytes; done++) {
		w = walk(linear + done, user, write);
		if (!w.ok || w.gpa >= RAM)
			break;
		want[done] = f->vm.ram[w.gpa];
	}
	ret = core_read(&f->vm, linear, buf, bytes, access, &fault);
	CHECK_EQ(r, !ret, done == bytes);
	/* A page is had whole, or not at all. */
	CHECK_MEM(r, buf, want, done);
	if (!ret)
		return;
	CHECK_EQ(r, f->vm.fault_linear, linear + done);
	CHECK_EQ(r, fault, (w.ok ? 0 : w.error) | access);
}

/* A page fault: what is filled is what the tables say. */
static void page_fault(u32 linear, u32 access)
{
	struct walk w = walk(linear, access & PFEC_U, access & PFEC_W);
	const char *r = row("fault at %08x access %x", linear, access);
	u32 page, want;

	memset(&f->vm.end, 0, sizeof(f->vm.end));
	f->vm.cpu.cpl = access & PFEC_U ? 3 : 0;
	core_page_fault(&f->vm, linear, access);
	page = linear < PLEX86_TOP ? fake_shadow(f, linear) : 0;
	if (!w.ok) {
		/* No IDT: what is raised ends the guest. */
		CHECK_EQ(r, f->vm.end.how, END_CRASH);
		CHECK_EQ(r, f->vm.cpu.cr2, linear);
		return;
	}
	if (w.gpa >= RAM) {
		CHECK_EQ(r, f->vm.end.how, END_CRASH);
		return;
	}
	CHECK_EQ(r, f->vm.end.how, END_NOT);
	want = (w.gpa & PAGE_MASK) | FAKE_FILLED;
	CHECK_EQ(r, page & (PAGE_MASK | FAKE_FILLED), want);
	CHECK_EQ(r, !!(page & FILL_USER), w.user);
	CHECK_EQ(r, !!(page & FILL_GLOBAL), w.global);
	if (access & PFEC_W)
		CHECK(r, page & FILL_WRITABLE);
	else if (page & FILL_WRITABLE)
		CHECK(r, w.may_write);
}

/* The registers and tables of an input. */
static void start(struct input *in)
{
	struct vcpu *cpu;
	u32 n;

	f = fake_new(RAM);
	cpu = &f->vm.cpu;
	cpu->cr0 = CR0_PE | (take8(in) & 7 ? CR0_PG : 0) |
		   (take8(in) & 1 ? CR0_WP : 0);
	cpu->cr4 = take8(in) & (CR4_PSE | CR4_PGE);
	cpu->cr3 = take32(in);
	/* Most are in RAM. */
	if (cpu->cr3 >> 28)
		cpu->cr3 %= RAM;
	for (n = take8(in) % ENTRIES_MAX; n; n--) {
		u32 at = take16(in) & ~3u, entry = take32(in);

		if (entry & 0x800)
			entry = (entry % RAM) | (entry & 0xfff);
		memcpy(f->vm.ram + at, &entry, sizeof(entry));
	}
	f->piece = take8(in) & 1 ? 1u << (12 + take8(in) % 10) : 0;
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t bytes)
{
	struct input in = { data, bytes };
	u32 n;

	start(&in);
	for (n = 0; n < ACCESSES_MAX && in.left; n++) {
		u8 what = take8(&in);
		u32 linear = take32(&in), access = what & (PFEC_W | PFEC_U);

		switch (what >> 4 & 3) {
		case 0:
		case 1:
			translate(linear, access);
			break;
		case 2:
			copy(linear, access, take16(&in) % COPY_MAX);
			break;
		default:
			page_fault(linear, access);
		}
	}
	fake_free(f);
	return 0;
}
