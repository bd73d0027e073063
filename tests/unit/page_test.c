// SPDX-License-Identifier: GPL-2.0
/*
 * core/page.c: the walk of the guest's page tables and the access to
 * guest-linear memory, by SDM vol. 3, 4.3 (the walk), 4.6 (rights), 4.7 (error
 * codes), 4.8 (accessed and dirty) and 4.10.2.4 (global).
 *
 * Not asked for: reserved bits.  The guest's CPUID has neither PSE-36 nor PAT,
 * so bits 21:12 of a 4 MiB entry and bit 7 of a 4 KiB entry would fault; the
 * core takes them as clear and ignored.
 */
#include "fake.h"
#include "unit.h"

#define RAM	(12u << 20)
#define PD	0x1000u
#define PT	0x2000u

#define LINEAR	0x40123abcu		/* PDE 0x100, PTE 0x123 */
#define PDE_AT	(PD + 0x100 * 4)
#define PTE_AT	(PT + 0x123 * 4)
#define PAGE_4K	0x00555000u
#define PAGE_4M	0x00800000u

static struct fake *f;

static int setup(void **state)
{
	(void)state;
	f = fake_new(RAM);
	f->vm.cpu.cr0 = CR0_PE | CR0_PG | CR0_WP;
	f->vm.cpu.cr3 = PD;
	f->vm.cpu.cr4 = CR4_PSE | CR4_PGE;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	fake_free(f);
	return 0;
}

static u32 get(u32 gpa)
{
	u32 value;

	memcpy(&value, f->vm.ram + gpa, 4);
	return value;
}

static void put(u32 gpa, u32 value)
{
	memcpy(f->vm.ram + gpa, &value, 4);
}

/*
 * SDM vol. 3, 4.6.1, as a table: what PDE & PTE of U and W allow whom.
 * "w0": with CR0.WP clear.
 */
static const struct {
	u32 rights;
	bool user_read, user_write, kernel_read, kernel_write, kernel_write_w0;
} rights_table[] = {
	{ 0,		 false, false, true, false, true },
	{ PTE_W,	 false, false, true, true,  true },
	{ PTE_U,	 true,  false, true, false, true },
	{ PTE_U | PTE_W, true,  true,  true, true,  true },
};

static bool allowed(u32 rights, u32 access, bool wp)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(rights_table); i++) {
		if (rights_table[i].rights != (rights & (PTE_U | PTE_W)))
			continue;
		switch (access) {
		case PFEC_U:
			return rights_table[i].user_read;
		case PFEC_U | PFEC_W:
			return rights_table[i].user_write;
		case PFEC_W:
			return wp ? rights_table[i].kernel_write :
				    rights_table[i].kernel_write_w0;
		}
		return rights_table[i].kernel_read;
	}
	return false;
}

static const u32 accesses[] = { 0, PFEC_W, PFEC_U, PFEC_U | PFEC_W };

/* Every P, W, U, A of the PDE x P, W, U, A, D of the PTE x access x WP. */
static void rights_4k(void **state)
{
	static const u32 bits[] = { PTE_P, PTE_W, PTE_U, PTE_A, PTE_D };
	u32 d, t, a, wp, i;

	(void)state;
	for (d = 0; d < 16; d++)
	for (t = 0; t < 32; t++)
	for (a = 0; a < 4; a++)
	for (wp = 0; wp < 2; wp++) {
		u32 pde = PT, pte = PAGE_4K, access = accesses[a];
		struct translation tr;
		const char *r;
		bool ok;
		int ret;

		for (i = 0; i < 5; i++) {
			pde |= d >> i & 1 ? bits[i] : 0;
			pte |= t >> i & 1 ? bits[i] : 0;
		}
		r = row("pde %03x pte %03x access %x wp %u", pde & 0xfff,
			pte & 0xfff, access, wp);
		f->vm.cpu.cr0 = CR0_PE | CR0_PG | (wp ? CR0_WP : 0);
		put(PDE_AT, pde);
		put(PTE_AT, pte);
		ret = core_translate(&f->vm, LINEAR, access, &tr);

		if (!(pde & pte & PTE_P)) {
			CHECK_EQ(r, ret, (u64)-1);
			CHECK_EQ(r, tr.gpa, 0);
		} else if (!allowed(pde & pte, access, wp)) {
			CHECK_EQ(r, ret, (u64)-1);
			CHECK_EQ(r, tr.gpa, PFEC_P);
		} else {
			CHECK_EQ(r, ret, 0);
			CHECK_EQ(r, tr.gpa, PAGE_4K + 0xabc);
			CHECK_EQ(r, tr.page_gpa, PAGE_4K);
			CHECK_EQ(r, tr.page_bytes, 4096);
			CHECK_EQ(r, tr.global, 0);
			CHECK_EQ(r, tr.user, (pde & pte & PTE_U) != 0);
			CHECK_EQ(r, tr.accessed, true);
			pde |= PTE_A;
			pte |= PTE_A | (access & PFEC_W ? PTE_D : 0);
			/* Clean pages must come back here to get dirty. */
			ok = (pte & PTE_D) &&
			     ((pde & pte & PTE_W) || (access & PFEC_W));
			CHECK_EQ(r, tr.writable, ok);
		}
		CHECK_EQ(r, get(PDE_AT), pde);
		CHECK_EQ(r, get(PTE_AT), pte);
	}
}

/* The same of a 4 MiB page. */
static void rights_4m(void **state)
{
	static const u32 bits[] = { PTE_P, PTE_W, PTE_U, PTE_A, PTE_D };
	u32 d, a, wp, i;

	(void)state;
	for (d = 0; d < 32; d++)
	for (a = 0; a < 4; a++)
	for (wp = 0; wp < 2; wp++) {
		u32 pde = PAGE_4M | PTE_PS, access = accesses[a];
		struct translation tr;
		const char *r;
		bool ok;
		int ret;

		for (i = 0; i < 5; i++)
			pde |= d >> i & 1 ? bits[i] : 0;
		r = row("pde %03x access %x wp %u", pde & 0xfff, access, wp);
		f->vm.cpu.cr0 = CR0_PE | CR0_PG | (wp ? CR0_WP : 0);
		put(PDE_AT, pde);
		ret = core_translate(&f->vm, LINEAR, access, &tr);

		if (!(pde & PTE_P)) {
			CHECK_EQ(r, ret, (u64)-1);
			CHECK_EQ(r, tr.gpa, 0);
		} else if (!allowed(pde, access, wp)) {
			CHECK_EQ(r, ret, (u64)-1);
			CHECK_EQ(r, tr.gpa, PFEC_P);
		} else {
			CHECK_EQ(r, ret, 0);
			CHECK_EQ(r, tr.gpa, PAGE_4M + 0x123abc);
			CHECK_EQ(r, tr.page_gpa, PAGE_4M);
			CHECK_EQ(r, tr.page_bytes, 4 << 20);
			CHECK_EQ(r, tr.user, (pde & PTE_U) != 0);
			CHECK_EQ(r, tr.accessed, true);
			pde |= PTE_A | (access & PFEC_W ? PTE_D : 0);
			ok = (pde & PTE_D) &&
			     ((pde & PTE_W) || (access & PFEC_W));
			CHECK_EQ(r, tr.writable, ok);
		}
		CHECK_EQ(r, get(PDE_AT), pde);
	}
}

/* PS means nothing without CR4.PSE: the entry is a page table's then. */
static void ps_without_pse(void **state)
{
	struct translation tr;

	(void)state;
	f->vm.cpu.cr4 = CR4_PGE;
	put(PDE_AT, PT | PTE_P | PTE_PS);
	put(PTE_AT, PAGE_4K | PTE_P);
	CHECK_EQ("off", core_translate(&f->vm, LINEAR, 0, &tr), 0);
	CHECK_EQ("off", tr.gpa, PAGE_4K + 0xabc);
	CHECK_EQ("off", tr.page_bytes, 4096);
}

/* G counts in the leaf only, and only with CR4.PGE. */
static void global_bit(void **state)
{
	static const struct {
		u32 pde, pte, cr4;
		bool global;
	} table[] = {
		{ PT | PTE_P,		     PTE_P,	    CR4_PGE, false },
		{ PT | PTE_P,		     PTE_P | PTE_G, CR4_PGE, true },
		{ PT | PTE_P | PTE_G,	     PTE_P,	    CR4_PGE, false },
		{ PT | PTE_P,		     PTE_P | PTE_G, 0,	     false },
		{ PTE_P | PTE_PS | PTE_G,    0, CR4_PGE | CR4_PSE, true },
		{ PTE_P | PTE_PS,	     0, CR4_PGE | CR4_PSE, false },
		{ PTE_P | PTE_PS | PTE_G,    0, CR4_PSE,	   false },
	};
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(table); i++) {
		struct translation tr;
		const char *r = row("row %zu", i);

		f->vm.cpu.cr4 = table[i].cr4;
		put(PDE_AT, table[i].pde);
		put(PTE_AT, table[i].pte);
		CHECK_EQ(r, core_translate(&f->vm, LINEAR, 0, &tr), 0);
		CHECK_EQ(r, tr.global, table[i].global);
	}
}

/* A table where there is no RAM reads as not present, and nothing is read. */
static void tables_beyond_ram(void **state)
{
	static const u32 beyond[] = {
		RAM, RAM + PAGE_SIZE, 0x7ffff000, 0xfffff000,
	};
	struct translation tr;
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(beyond); i++) {
		const char *r = row("at %#x", beyond[i]);

		f->vm.cpu.cr3 = beyond[i];
		CHECK_EQ(r, core_translate(&f->vm, LINEAR, 0, &tr), (u64)-1);
		CHECK_EQ(r, tr.gpa, 0);
		/* Its first entry is the one right behind RAM. */
		CHECK_EQ(r, core_translate(&f->vm, 0, 0, &tr), (u64)-1);
		f->vm.cpu.cr3 = PD;
		put(PDE_AT, beyond[i] | PTE_P | PTE_W | PTE_U);
		CHECK_EQ(r, core_translate(&f->vm, LINEAR, 0, &tr), (u64)-1);
		CHECK_EQ(r, tr.gpa, 0);
	}
	/* The last table that fits: its last entry is the last word of RAM. */
	put(PD + 0xfc, (RAM - PAGE_SIZE) | PTE_P);
	put(RAM - 4, PAGE_4K | PTE_P);
	CHECK_EQ("last", core_translate(&f->vm, 0x0fffffff, 0, &tr), 0);
	CHECK_EQ("last", tr.gpa, PAGE_4K + 0xfff);
}

/* CR3's low 12 bits (PWT, PCD; an ASID) do not move the directory. */
static void cr3_low_bits(void **state)
{
	static const u32 cr4[] = { CR4_PGE, CR4_PGE | CR4_PCIDE };
	struct translation tr;
	size_t i;

	(void)state;
	put(PDE_AT, PT | PTE_P);
	put(PTE_AT, PAGE_4K | PTE_P);
	f->vm.cpu.cr3 = PD | 0xfff;
	for (i = 0; i < ARRAY_SIZE(cr4); i++) {
		f->vm.cpu.cr4 = cr4[i];
		CHECK_EQ("cr3", core_translate(&f->vm, LINEAR, 0, &tr), 0);
		CHECK_EQ("cr3", tr.gpa, PAGE_4K + 0xabc);
		CHECK_EQ("peek", core_peek(&f->vm, LINEAR, &tr), 0);
		CHECK_EQ("peek", tr.page_gpa, PAGE_4K);
	}
}

/* core_peek(): all bits of both levels, and none of them is changed. */
static void peek(void **state)
{
	static const u32 bits[] = {
		PTE_P, PTE_W, PTE_U, PTE_A, PTE_D, PTE_G,
	};
	struct translation tr;
	u32 d, t, pge, i;

	(void)state;
	for (d = 0; d < 64; d++)
	for (t = 0; t < 64; t++)
	for (pge = 0; pge < 2; pge++) {
		u32 pde = PT, pte = PAGE_4K;
		const char *r;
		int ret;

		for (i = 0; i < 6; i++) {
			pde |= d >> i & 1 ? bits[i] : 0;
			pte |= t >> i & 1 ? bits[i] : 0;
		}
		r = row("pde %03x pte %03x pge %u", pde & 0xfff, pte & 0xfff,
			pge);
		f->vm.cpu.cr4 = CR4_PSE | (pge ? CR4_PGE : 0);
		put(PDE_AT, pde);
		put(PTE_AT, pte);
		ret = core_peek(&f->vm, LINEAR, &tr);
		CHECK_EQ(r, get(PDE_AT), pde);
		CHECK_EQ(r, get(PTE_AT), pte);
		CHECK_EQ(r, ret, pde & pte & PTE_P ? 0 : (u64)-1);
		if (ret)
			continue;
		CHECK_EQ(r, tr.page_gpa, PAGE_4K);
		CHECK_EQ(r, tr.page_bytes, 4096);
		/* Nobody writes now, so WP and D as they are. */
		CHECK_EQ(r, tr.writable, (pde & pte & PTE_W) && (pte & PTE_D));
		CHECK_EQ(r, tr.global, (pte & PTE_G) && pge);
		CHECK_EQ(r, tr.user, (pde & pte & PTE_U) != 0);
		/* The leaf's: it is what a fill would have to set. */
		CHECK_EQ(r, tr.accessed, (pte & PTE_A) != 0);
	}
	/* CR0.WP clear makes nothing writable that is not. */
	f->vm.cpu.cr0 = CR0_PE | CR0_PG;
	put(PDE_AT, PT | PTE_P | PTE_W);
	put(PTE_AT, PAGE_4K | PTE_P | PTE_D);
	CHECK_EQ("WP", core_peek(&f->vm, LINEAR, &tr), 0);
	CHECK_EQ("WP", tr.writable, false);
}

/* What core_peek() is not for: large pages, and what lies outside RAM. */
static void peek_fails(void **state)
{
	static const struct {
		const char *what;
		u32 cr3, pde, pte;
		bool ok;
	} table[] = {
		{ "large", PD, PAGE_4M | PTE_P | PTE_PS, 0, false },
		{ "last page", PD, PT | PTE_P, (RAM - PAGE_SIZE) | PTE_P, true },
		{ "behind it", PD, PT | PTE_P, RAM | PTE_P, false },
		{ "far behind", PD, PT | PTE_P, 0x80000000 | PTE_P, false },
		{ "end of 4 GiB", PD, PT | PTE_P, PAGE_MASK | PTE_P, false },
		{ "table behind RAM", PD, RAM | PTE_P, 0, false },
		{ "table far behind", PD, PAGE_MASK | PTE_P, 0, false },
		{ "directory behind RAM", RAM, 0, 0, false },
		{ "directory far behind", PAGE_MASK, 0, 0, false },
		{ "nothing", PD, 0, 0, false },
	};
	struct translation tr;
	size_t i;

	(void)state;
	/* What the large page would be as a table, and what is at gpa 0. */
	put(PAGE_4M + 0x123 * 4, PAGE_4K | PTE_P);
	put(0x123 * 4, PAGE_4K | PTE_P);
	for (i = 0; i < ARRAY_SIZE(table); i++) {
		f->vm.cpu.cr3 = table[i].cr3;
		put(PDE_AT, table[i].pde);
		put(PTE_AT, table[i].pte);
		CHECK_EQ(table[i].what, core_peek(&f->vm, LINEAR, &tr),
			 table[i].ok ? 0 : (u64)-1);
	}
	/* RAM that ends inside the page. */
	f->vm.cpu.cr3 = PD;
	f->vm.ram_bytes = RAM - 8;
	put(PDE_AT, PT | PTE_P);
	put(PTE_AT, (RAM - PAGE_SIZE) | PTE_P);
	CHECK_EQ("odd", core_peek(&f->vm, LINEAR, &tr), (u64)-1);
}

static void paging_off(void **state)
{
	static const u32 linear[] = { 0, 0x1234567, 0x80000000, PLEX86_TOP - 1 };
	struct translation tr;
	size_t i, a;

	(void)state;
	f->vm.cpu.cr0 = CR0_PE;
	f->vm.cpu.cr3 = 0xfffff000;		/* not looked at */
	for (i = 0; i < ARRAY_SIZE(linear); i++)
	for (a = 0; a < ARRAY_SIZE(accesses); a++) {
		const char *r = row("linear %#x access %x", linear[i],
				    accesses[a]);

		CHECK_EQ(r, core_translate(&f->vm, linear[i], accesses[a], &tr),
			 0);
		CHECK_EQ(r, tr.gpa, linear[i]);
		/* What of it is mapped at a time is the core's choice. */
		CHECK(r, tr.page_bytes == 4096 || tr.page_bytes == 4 << 20);
		CHECK_EQ(r, tr.page_gpa, linear[i] & ~(tr.page_bytes - 1));
		CHECK_EQ(r, tr.writable, true);
		CHECK_EQ(r, tr.global, false);
		CHECK_EQ(r, tr.user, false);
	}
}

/* The top 4 MiB are the host's, whatever the guest's tables say. */
static void top_is_the_hosts(void **state)
{
	static const u32 linear[] = {
		PLEX86_TOP, PLEX86_INFO + 4, PLEX86_INFO_STI, PLEX86_DEVICES,
		0xffffffff,
	};
	struct translation tr;
	size_t i, pg;

	(void)state;
	put(PD + 1023 * 4, PAGE_4M | PTE_PS | PTE_P | PTE_W | PTE_U);
	for (i = 0; i < ARRAY_SIZE(linear); i++)
	for (pg = 0; pg < 2; pg++) {
		const char *r = row("linear %#x, PG %zu", linear[i], pg);

		f->vm.cpu.cr0 = CR0_PE | (pg ? CR0_PG : 0);
		CHECK_EQ(r, core_translate(&f->vm, linear[i], 0, &tr), (u64)-1);
		CHECK_EQ(r, tr.gpa, 0);
	}
	CHECK_EQ("entry", get(PD + 1023 * 4),
		 PAGE_4M | PTE_PS | PTE_P | PTE_W | PTE_U);
}

/* Eight pages from linear 0x40000000, back to front in physical memory. */
static void map_eight(u32 flags)
{
	u32 i;

	put(PDE_AT, PT | PTE_P | PTE_W | PTE_U);
	for (i = 0; i < 8; i++)
		put(PT + i * 4, (0x107000 - i * PAGE_SIZE) | flags);
}

/* The byte of guest RAM behind linear 0x40000000 + @offset. */
static u8 *byte_at(u32 offset)
{
	return f->vm.ram + 0x107000 - (offset & PAGE_MASK) +
	       (offset & (PAGE_SIZE - 1));
}

/* Reads and writes of every length around a page border. */
static void copy_across_pages(void **state)
{
	static const u32 lengths[] = { 1, 2, 3, 4, 8, 20, 4095, 4096, 4097, 9000 };
	u8 buf[9000], back[9000];
	u32 i, at, n, fault;
	s32 delta;

	(void)state;
	map_eight(PTE_P | PTE_W | PTE_U);
	for (n = 0; n < ARRAY_SIZE(lengths); n++)
	for (delta = -9; delta <= 9; delta++) {
		const char *r = row("%u bytes, border %+d", lengths[n], delta);

		at = (u32)(8192 + delta);
		for (i = 0; i < lengths[n]; i++)
			buf[i] = (u8)(i * 7 + n + (u32)delta);
		CHECK_EQ(r, core_write(&f->vm, 0x40000000 + at, buf, lengths[n],
				       0, &fault), 0);
		for (i = 0; i < lengths[n]; i++)
			CHECK_EQ(r, *byte_at(at + i), buf[i]);
		memset(back, 0, sizeof(back));
		CHECK_EQ(r, core_read(&f->vm, 0x40000000 + at, back, lengths[n],
				      PFEC_U, &fault), 0);
		CHECK_MEM(r, back, buf, lengths[n]);
	}
}

/* A read sets no D; a write sets D in the pages it touches and no other. */
static void copy_sets_bits(void **state)
{
	u8 buf[8] = { 0 };
	u32 fault;

	(void)state;
	map_eight(PTE_P | PTE_W | PTE_U);
	CHECK_EQ("read", core_read(&f->vm, 0x40000ffc, buf, 8, 0, &fault), 0);
	CHECK_EQ("read", get(PT) & 0xfff, PTE_P | PTE_W | PTE_U | PTE_A);
	CHECK_EQ("read", get(PT + 4) & 0xfff, PTE_P | PTE_W | PTE_U | PTE_A);
	CHECK_EQ("read", get(PT + 8) & 0xfff, PTE_P | PTE_W | PTE_U);
	CHECK_EQ("write", core_write(&f->vm, 0x40001ffc, buf, 8, 0, &fault), 0);
	CHECK_EQ("write", get(PT) & PTE_D, 0);
	CHECK_EQ("write", get(PT + 4) & PTE_D, PTE_D);
	CHECK_EQ("write", get(PT + 8) & PTE_D, PTE_D);
	CHECK_EQ("write", get(PT + 12) & (PTE_A | PTE_D), 0);
}

/* What comes before the fault is done; the error code tells what failed. */
static void copy_faults(void **state)
{
	static const struct {
		u32 second;		/* flags of the second page */
		u32 access;
		bool write;
		s64 fault;		/* -1: none */
	} table[] = {
		{ 0,			 0,	 false, 0 },
		{ 0,			 0,	 true,	PFEC_W },
		{ 0,			 PFEC_U, false, PFEC_U },
		{ 0,			 PFEC_U, true,	PFEC_U | PFEC_W },
		{ PTE_P,		 0,	 false, -1 },
		{ PTE_P,		 0,	 true,	PFEC_P | PFEC_W },
		{ PTE_P,		 PFEC_U, false, PFEC_P | PFEC_U },
		{ PTE_P | PTE_U,	 PFEC_U, false, -1 },
		{ PTE_P | PTE_U,	 PFEC_U, true,
		  PFEC_P | PFEC_U | PFEC_W },
		{ PTE_P | PTE_W,	 PFEC_U, true,
		  PFEC_P | PFEC_U | PFEC_W },
		{ PTE_P | PTE_W,	 0,	 true,	-1 },
	};
	size_t i;
	u32 j;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(table); i++) {
		const char *r = row("row %zu", i);
		u8 buf[8] = { 1, 2, 3, 4, 5, 6, 7, 8 };
		u32 fault = 0xdead;
		int ret;

		map_eight(PTE_P | PTE_W | PTE_U);
		put(PT + 4, 0x106000 | table[i].second);
		for (j = 0; j < 8; j++)
			*byte_at(4092 + j) = (u8)(0xa0 + j);
		if (table[i].write)
			ret = core_write(&f->vm, 0x40000ffc, buf, 8,
					 table[i].access, &fault);
		else
			ret = core_read(&f->vm, 0x40000ffc, buf, 8,
					table[i].access, &fault);
		if (table[i].fault < 0) {
			CHECK_EQ(r, ret, 0);
			CHECK_EQ(r, fault, 0xdead);
			continue;
		}
		CHECK_EQ(r, ret, (u64)-1);
		CHECK_EQ(r, fault, table[i].fault);
		for (j = 0; j < 8; j++) {
			u8 done = (u8)(table[i].write ? 1 + j : 0xa0 + j);
			u8 not_done = (u8)(table[i].write ? 0xa0 + j : 1 + j);
			u8 got = table[i].write ? *byte_at(4092 + j) : buf[j];

			CHECK_EQ(r, got, j < 4 ? done : not_done);
		}
		CHECK_EQ(r, get(PT + 4) & (PTE_A | PTE_D), 0);
	}
}

/* core_read() is for reading, whatever else the caller's access says. */
static void read_ignores_w(void **state)
{
	u32 fault, value;

	(void)state;
	map_eight(PTE_P | PTE_U);
	CHECK_EQ("read", core_read(&f->vm, 0x40000000, &value, 4,
				   PFEC_U | PFEC_W, &fault), 0);
	CHECK_EQ("read", get(PT) & PTE_D, 0);
}

/* The last bytes of RAM can be had, and not one more. */
static void copy_at_ram_end(void **state)
{
	static const struct {
		u32 page, offset, bytes;
		bool ok;
	} table[] = {
		{ RAM - PAGE_SIZE, 4092, 4, true },
		{ RAM - PAGE_SIZE, 0, 4096, true },
		{ RAM - PAGE_SIZE, 4095, 1, true },
		{ RAM, 0, 1, false },
		{ RAM, 4092, 4, false },
		{ 0x80000000, 0, 4, false },
		{ 0xfffff000, 0xffc, 4, false },
	};
	u8 buf[PAGE_SIZE];
	size_t i;
	u32 fault;

	(void)state;
	put(PDE_AT, PT | PTE_P | PTE_W);
	for (i = 0; i < ARRAY_SIZE(table); i++) {
		const char *r = row("page %#x + %#x, %u bytes", table[i].page,
				    table[i].offset, table[i].bytes);
		u64 want = table[i].ok ? 0 : (u64)-1;

		put(PT, table[i].page | PTE_P | PTE_W);
		memset(buf, 0x5a, sizeof(buf));
		CHECK_EQ(r, core_write(&f->vm, 0x40000000 + table[i].offset,
				       buf, table[i].bytes, 0, &fault), want);
		CHECK_EQ(r, core_read(&f->vm, 0x40000000 + table[i].offset,
				      buf, table[i].bytes, 0, &fault), want);
	}
	/* A 4 MiB page with its end, or all of it, outside. */
	put(PD, 0x00c00000 | PTE_P | PTE_W | PTE_PS);
	CHECK_EQ("4M", core_read(&f->vm, 0, buf, 4, 0, &fault), (u64)-1);
	/* RAM that ends inside a page, as a host might have it. */
	f->vm.ram_bytes = RAM - 6;
	put(PT, (RAM - PAGE_SIZE) | PTE_P | PTE_W);
	CHECK_EQ("odd", core_read(&f->vm, 0x40000ff6, buf, 4, 0, &fault), 0);
	CHECK_EQ("odd", core_read(&f->vm, 0x40000ff7, buf, 4, 0, &fault),
		 (u64)-1);
}

/* The linear address space ends where the host's part begins. */
static void copy_into_top(void **state)
{
	u8 buf[8];
	u32 fault = 0;

	(void)state;
	put(PD + 1022 * 4, PAGE_4M | PTE_PS | PTE_P | PTE_W);
	put(PD + 1023 * 4, PAGE_4M | PTE_PS | PTE_P | PTE_W);
	CHECK_EQ("below", core_read(&f->vm, PLEX86_TOP - 8, buf, 8, 0, &fault),
		 0);
	CHECK_EQ("into", core_read(&f->vm, PLEX86_TOP - 4, buf, 8, 0, &fault),
		 (u64)-1);
	CHECK_EQ("into", fault, 0);
	CHECK_EQ("end", core_write(&f->vm, 0xfffffffc, buf, 8, 0, &fault),
		 (u64)-1);
	CHECK_EQ("end", fault, PFEC_W);
}

/* What the manual says a walk does, in the order the manual says it. */
struct model {
	bool ok;
	u32 error_p, gpa, bytes;
	bool global, user;
	u32 entry_at[2], entry[2];	/* after the walk */
	u32 levels;			/* entries used */
};

static void model_walk(struct model *m, u32 linear, bool user, bool write)
{
	const struct vcpu *cpu = &f->vm.cpu;
	u32 table = cpu->cr3 >> 12 << 12, level, index, e = 0;
	bool can_write = true, can_user = true, leaf = false;

	memset(m, 0, sizeof(*m));
	if (linear >> 22 == 1023)
		return;
	for (level = 0; level < 2 && !leaf; level++) {
		index = level ? linear >> 12 & 0x3ff : linear >> 22;
		if ((u64)table + index * 4 + 4 > f->vm.ram_bytes)
			return;
		m->entry_at[level] = table + index * 4;
		e = get(table + index * 4);
		m->entry[level] = e;
		if ((e & 1) == 0)
			return;
		can_write &= (e >> 1) & 1;
		can_user &= (e >> 2) & 1;
		table = e & 0xfffff000;
		leaf = level == 1 || ((e >> 7 & 1) && (cpu->cr4 >> 4 & 1));
		m->levels = level + 1;
	}
	m->error_p = 1;
	if (user && !can_user)
		return;
	if (write && !can_write && (user || (cpu->cr0 >> 16 & 1)))
		return;
	m->ok = true;
	for (level = 0; level < m->levels; level++)
		m->entry[level] |= 1 << 5;
	if (write)
		m->entry[m->levels - 1] |= 1 << 6;
	m->global = (e >> 8 & 1) && (cpu->cr4 >> 7 & 1);
	m->user = can_user;
	if (m->levels == 1) {
		m->bytes = 0x400000;
		m->gpa = (e & 0xffc00000) + (linear & 0x3fffff);
	} else {
		m->bytes = 0x1000;
		m->gpa = (e & 0xfffff000) + (linear & 0xfff);
	}
}

/* A random page-table entry; most are present, some point out of RAM. */
static u32 random_entry(u64 *seed, bool directory)
{
	u32 r = random32(seed), e = random32(seed) & 0xfff;

	if (r & 7)
		e |= PTE_P;
	if (r & 0x30)
		e &= ~PTE_PS;
	if (e & PTE_PS && directory)
		return e | (random32(seed) & LARGE_MASK);
	if ((r & 0x3f00) == 0)
		return e | (random32(seed) & PAGE_MASK);
	return e | (0x10000 + (random32(seed) & 0x1f000));
}

/* Random tables and accesses, against the model. */
static void random_walks(void **state)
{
	u64 seed = 0x9e3779b97f4a7c15;
	u32 round, i, ok = 0, faults = 0, peeks = 0;

	(void)state;
	for (round = 0; round < 200000; round++) {
		u32 linear, user, write, access, level;
		u32 entry[2] = { 0 };
		struct translation tr, peeked;
		struct model m;
		const char *r;
		int ret, peek_ret;

		if (round % 1000 == 0) {
			for (i = 0; i < 1024; i++)
				put(PD + i * 4, random_entry(&seed, true));
			for (i = 0x10000; i < 0x30000; i += 4)
				put(i, random_entry(&seed, false));
			f->vm.cpu.cr3 = PD | (random32(&seed) & 0x18);
			f->vm.cpu.cr4 = random32(&seed) & (CR4_PSE | CR4_PGE);
			f->vm.cpu.cr0 = CR0_PE | CR0_PG |
					(random32(&seed) & CR0_WP);
		}
		linear = random32(&seed);
		user = random32(&seed) & 1;
		write = random32(&seed) & 1;
		access = (user ? PFEC_U : 0) | (write ? PFEC_W : 0);
		r = row("round %u linear %08x access %x", round, linear, access);
		model_walk(&m, linear, user, write);
		for (level = 0; level < m.levels; level++)
			entry[level] = get(m.entry_at[level]);
		peek_ret = core_peek(&f->vm, linear, &peeked);
		for (level = 0; level < m.levels; level++)
			CHECK_EQ(r, get(m.entry_at[level]), entry[level]);
		ret = core_translate(&f->vm, linear, access, &tr);

		CHECK_EQ(r, ret, m.ok ? 0 : (u64)-1);
		for (level = 0; level < m.levels; level++)
			CHECK_EQ(r, get(m.entry_at[level]), m.entry[level]);
		if (!m.ok) {
			CHECK_EQ(r, tr.gpa, m.error_p);
			faults++;
			continue;
		}
		CHECK_EQ(r, tr.gpa, m.gpa);
		CHECK_EQ(r, tr.page_bytes, m.bytes);
		CHECK_EQ(r, tr.page_gpa, m.gpa & ~(m.bytes - 1));
		CHECK_EQ(r, tr.global, m.global);
		CHECK_EQ(r, tr.user, m.user);
		/* A small page of RAM looks the same from beside. */
		if (m.bytes == 0x1000 && m.gpa < RAM && !(entry[0] & PTE_PS)) {
			CHECK_EQ(r, peek_ret, 0);
			CHECK_EQ(r, peeked.page_gpa, tr.page_gpa);
			CHECK_EQ(r, peeked.global, tr.global);
			CHECK_EQ(r, peeked.user, tr.user);
			CHECK_EQ(r, peeked.accessed, (entry[1] & PTE_A) != 0);
			CHECK(r, !peeked.writable || tr.writable);
			peeks++;
		} else if (m.bytes != 0x1000 || m.gpa >= RAM) {
			CHECK_EQ(r, peek_ret, (u64)-1);
		}
		/* A page that may be written without a walk is dirty. */
		if (tr.writable)
			CHECK(r, m.entry[m.levels - 1] & PTE_D);
		if (write)
			CHECK(r, tr.writable);
		ok++;
	}
	/* The dice must not be loaded. */
	CHECK("mix", ok > 20000 && faults > 20000 && peeks > 10000);
}

/* The host is told of each page before it is written, and of no other. */
static void writes_are_told(void **state)
{
	u32 fault, n;
	u8 buf[3 * PAGE_SIZE] = { 0 };
	struct translation tr;

	(void)state;
	put(PDE_AT, PT | PTE_P | PTE_W | PTE_A);
	for (n = 0; n < 3; n++)
		put(PTE_AT + 4 * n, (PAGE_4K + 2 * n * PAGE_SIZE) | PTE_P |
		    PTE_W | PTE_A | PTE_D);
	CHECK_EQ("read", core_read(&f->vm, LINEAR, buf, sizeof(buf) - 0xabc, 0,
				   &fault), 0);
	CHECK_EQ("translated", core_translate(&f->vm, LINEAR, PFEC_W, &tr), 0);
	CHECK_EQ("read", f->n_uses, 0);
	CHECK_EQ("written", core_write(&f->vm, LINEAR, buf, sizeof(buf) - 0xabc,
				       0, &fault), 0);
	CHECK_EQ("written", f->n_uses, 3);
	for (n = 0; n < 3; n++)
		CHECK("written", fake_used(f, PAGE_4K + 2 * n * PAGE_SIZE,
					   PFEC_W));

	/* Accessed and dirty bits are writes to the tables. */
	for (n = 0; n < 3; n++) {
		const char *r = row("bits, %u", n);

		put(PDE_AT, PT | PTE_P | PTE_W | (n ? PTE_A : 0));
		put(PTE_AT, PAGE_4K | PTE_P | PTE_W | (n > 1 ? PTE_A : 0));
		fake_forget(f);
		CHECK_EQ(r, core_translate(&f->vm, LINEAR, PFEC_W, &tr), 0);
		CHECK_EQ(r, fake_used(f, PD, PFEC_W), n == 0);
		CHECK_EQ(r, fake_used(f, PT, PFEC_W), true);
		CHECK_EQ(r, f->n_uses, 3 - n);
	}

	/* What is refused is not written. */
	put(PTE_AT, PAGE_4K | PTE_P | PTE_A);
	fake_forget(f);
	CHECK_EQ("refused", core_write(&f->vm, LINEAR, buf, 4, 0, &fault), -1);
	CHECK_EQ("refused", f->n_uses, 0);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(rights_4k), TEST(rights_4m), TEST(ps_without_pse),
		TEST(global_bit), TEST(tables_beyond_ram), TEST(cr3_low_bits),
		TEST(peek), TEST(peek_fails),
		TEST(paging_off), TEST(top_is_the_hosts),
		TEST(copy_across_pages), TEST(copy_sets_bits),
		TEST(copy_faults), TEST(read_ignores_w), TEST(copy_at_ram_end),
		TEST(copy_into_top), TEST(random_walks),
		TEST(writes_are_told),
	};

	return RUN_TESTS("page", tests, NULL, NULL);
}
