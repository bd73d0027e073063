// SPDX-License-Identifier: GPL-2.0
/*
 * monitor/code.c: code that is done a step at a time, with the real core and a
 * small guest, on a processor that knows a dozen instructions.
 *
 * The processor goes by what the space has mapped, not by the guest's tables,
 * and fetches only what is executable there.  It never gets to load PKRU.
 */
#include "spaces.h"

/* Guest-physical, and linear from OFFSET on; small pages. */
#define PD		0x1000u
#define PT_USER		0x2000u
#define PT_KERNEL	0x3000u
#define IDT		0x5000u
#define TSS		0x6000u
#define HANDLERS	0x7000u		/* + 16 * vector */
#define STACK		0xa000u		/* its top */
#define CODE		0x10000u
#define DATA		0x18000u
#define USER_GPA	0x20000u
#define USER_PAGES	8u
#define KERNEL_PAGES	64u

#define USER		0x08000000u
#define USER_STACK	(USER + 0x7000)	/* its top */

static struct vcpu *const cpu = &machine.vm.cpu;
static u32 pkru_loads;		/* never to happen */
static u32 debug_traps;		/* that the guest got */

static void poke32(u32 gpa, u32 value)
{
	memcpy(ram + gpa, &value, 4);
}

static void map_page(u32 linear, u32 entry)
{
	poke32((linear < OFFSET ? PT_USER : PT_KERNEL) +
	       linear / PAGE_SIZE % 1024 * 4, entry);
}

static int setup(void **state)
{
	u32 i;

	(void)state;
	spaces_new(true);
	pkru_loads = 0;
	debug_traps = 0;
	poke32(PD + (USER >> 22) * 4, PT_USER | PTE_P | PTE_W | PTE_U);
	poke32(PD + (OFFSET >> 22) * 4, PT_KERNEL | PTE_P | PTE_W);
	for (i = 0; i < KERNEL_PAGES; i++)
		map_page(OFFSET + i * PAGE_SIZE, i * PAGE_SIZE | PTE_P | PTE_W);
	for (i = 0; i < USER_PAGES; i++)
		map_page(USER + i * PAGE_SIZE, (USER_GPA + i * PAGE_SIZE) |
					       PTE_P | PTE_W | PTE_U);
	for (i = 0; i < 32; i++) {
		u32 handler = OFFSET + HANDLERS + 16 * i;

		poke32(IDT + 8 * i, 0x100000 | (handler & 0xffff));
		poke32(IDT + 8 * i + 4, (handler & 0xffff0000) | 0x8e00);
		memset(ram + HANDLERS + 16 * i, 0x90, 16);
	}
	poke32(TSS + 4, OFFSET + STACK);
	cpu->cr0 = CR0_PE | CR0_ET | CR0_WP | CR0_PG;
	cpu->cr3 = PD;
	cpu->idt.base = OFFSET + IDT;
	cpu->idt.limit = 32 * 8 - 1;
	cpu->tss_base = OFFSET + TSS;
	cpu->eflags = 2;
	cpu->reg[ESP] = OFFSET + STACK;
	cpu->eip = OFFSET + CODE;
	memset(ram + CODE, 0x90, 0x8000);
	memset(ram + USER_GPA, 0x90, USER_PAGES * PAGE_SIZE);
	return 0;
}

static void user_mode(void)
{
	cpu->cpl = 3;
	cpu->ss = 0x2b;
	cpu->reg[ESP] = USER_STACK;
	cpu->eip = USER;
}

/* The processor. */

struct fault {
	u32 linear, error;	/* of a page fault */
	u32 vector;
};

static struct fault fault;

static bool raise(u32 vector, u32 linear, u32 error)
{
	fault = (struct fault){ linear, error, vector };
	return false;
}

static bool fetch(u32 at, u8 *byte)
{
	u32 page = host_page()[at / PAGE_SIZE];

	if (!(page & EXECUTABLE))
		return raise(VEC_PF, at, PFEC_I | (page ? PFEC_P : 0));
	*byte = ram[(page & PAGE_MASK) + at % PAGE_SIZE];
	return true;
}

/* The guest's, in its mode: kernel pages have a key that user mode lacks. */
static bool access_byte(u32 at, u8 *byte, bool write)
{
	u32 page = host_page()[at / PAGE_SIZE];

	if (!page || (write && !(page & WRITABLE)) ||
	    (cpu->cpl && (page & KEYED(15))))
		return raise(VEC_PF, at, (write ? PFEC_W : 0) |
					 (page ? PFEC_P : 0));
	if (write)
		ram[(page & PAGE_MASK) + at % PAGE_SIZE] = *byte;
	else
		*byte = ram[(page & PAGE_MASK) + at % PAGE_SIZE];
	return true;
}

/* All of it or nothing, as far as that matters here. */
static bool store(u32 at, u32 value, u32 bytes)
{
	u8 byte;
	u32 i;

	for (i = 0; i < bytes; i++)
		if (!(host_page()[(at + i) / PAGE_SIZE] & WRITABLE) ||
		    (cpu->cpl && (host_page()[(at + i) / PAGE_SIZE] & KEYED(15))))
			return raise(VEC_PF, at + i, PFEC_W);
	for (i = 0; i < bytes; i++) {
		byte = (u8)(value >> 8 * i);
		access_byte(at + i, &byte, true);
	}
	return true;
}

static bool load(u32 at, u32 *value, u32 bytes)
{
	u8 byte;
	u32 i;

	*value = 0;
	for (i = 0; i < bytes; i++) {
		if (!access_byte(at + i, &byte, false))
			return false;
		*value |= (u32)byte << 8 * i;
	}
	return true;
}

static bool fetch32(u32 at, u32 *value)
{
	u8 byte;
	u32 i;

	*value = 0;
	for (i = 0; i < 4; i++) {
		if (!fetch(at + i, &byte))
			return false;
		*value |= (u32)byte << 8 * i;
	}
	return true;
}

/* One instruction; *@holds: it holds back a trap behind it. */
static bool execute(bool *holds)
{
	u32 size = 4, at = cpu->eip, value;
	u8 op, byte;

	*holds = false;
	if (!fetch(at++, &op))
		return false;
	if (op == 0x66) {
		size = 2;
		if (!fetch(at++, &op))
			return false;
	}
	switch (op) {
	case 0x90:				/* nop */
		break;
	case 0x9c:				/* pushf */
		if (!store(cpu->reg[ESP] - size, cpu->eflags, size))
			return false;
		cpu->reg[ESP] -= size;
		break;
	case 0xa3:				/* mov moffs32, eax */
		if (!fetch32(at, &value) || !store(value, cpu->reg[EAX], 4))
			return false;
		at += 4;
		break;
	case 0xa1:				/* mov eax, moffs32 */
		if (!fetch32(at, &value) || !load(value, &value, 4))
			return false;
		cpu->reg[EAX] = value;
		at += 4;
		break;
	case 0xb8:				/* mov eax, imm32 */
		if (!fetch32(at, &value))
			return false;
		cpu->reg[EAX] = value;
		at += 4;
		break;
	case 0xeb:				/* jmp rel8 */
		if (!fetch(at++, &byte))
			return false;
		at += (u32)(int8_t)byte;
		break;
	case 0x8e:				/* mov ss, ax */
		if (!fetch(at++, &byte))
			return false;
		if (byte != 0xd0)
			return raise(VEC_UD, 0, 0);
		*holds = true;
		break;
	case 0x0f:
		if (!fetch(at++, &op) || !fetch(at++, &byte))
			return false;
		if ((op == 0x01 && byte == 0xef) ||
		    (op == 0xae && byte < 0xc0 && (byte & 0x38) == 0x28)) {
			pkru_loads++;
			break;
		}
		return raise(VEC_UD, 0, 0);
	default:
		return raise(VEC_UD, 0, 0);
	}
	cpu->eip = at;
	return true;
}

/* No page is executable that should not be, but for a step. */
static void check_mapped(const char *r)
{
	u32 rows[] = { USER >> 22, OFFSET >> 22 }, i, j, n;

	for (i = 0; i < 2; i++)
		for (j = 0; j < KERNEL_PAGES; j++) {
			u32 linear = rows[i] * ROW_PAGES + j;
			u32 at = host_page()[linear], state;
			bool stepped = false;

			if (!(at & EXECUTABLE))
				continue;
			for (n = 0; n < here->step_pages; n++)
				stepped |= here->step_at[n].linear == linear;
			state = machine.page_state[at / PAGE_SIZE];
			r = row("%s: page %#x", r, linear * PAGE_SIZE);
			CHECK(r, stepped || ((state & PAGE_CODE) &&
					     !(state & SCAN_HIT) &&
					     !(at & WRITABLE)));
			CHECK(r, !stepped || (state & PAGE_STEP));
		}
}

/* A back end that writes whenever it has the right to; 0: none does. */
static u32 held_page;

static void back_end_writes(void)
{
	static u32 turn;
	u8 *at = ram + held_page * PAGE_SIZE;

	if (!held_page ||
	    (machine.page_state[held_page] & (PAGE_CODE | PAGE_STEP)))
		return;
	if (++turn % 2)
		memset(at, 0x90, PAGE_SIZE);
	else
		memcpy(at + turn % 64 * 16, "\x0f\x01\xef", 3);
}

/*
 * One turn of the guest, as monitor_trap() and finish() make it: up to the next
 * trap, or a kick after @most instructions.  Returns false when the guest has
 * ended.
 */
static bool turn(u32 most)
{
	bool step = code_prepare(&machine), ok = true, holds, trap = false;
	bool own = cpu->eflags & FL_TF;
	u32 i;

	if (machine.vm.end.how != END_NOT)
		return false;
	check_mapped("turn");
	cpu->eflags = (cpu->eflags & FL_CARRIED) | FL_IF | 2 |
		      (step ? FL_TF : 0);
	for (i = 0; i < most && ok && !trap; i++) {
		back_end_writes();
		trap = cpu->eflags & FL_TF;
		ok = execute(&holds);
		if (holds && trap) {
			/* Only the first holds it back. */
			back_end_writes();
			ok = execute(&holds);
		}
	}
	CHECK_EQ(row("at %#x", cpu->eip), pkru_loads, 0);
	if (ok && !trap) {
		code_trapped(&machine, false, false);
	} else if (ok) {
		if (!code_trapped(&machine, true, false)) {
			debug_traps++;
			core_inject(&machine.vm, VEC_DB, 0);
			own = false;
		}
	} else {
		code_trapped(&machine, false, fault.vector == VEC_PF &&
					      (fault.error & PFEC_W));
		CHECK_EQ("faulted", here->step_pages, 0);
		check_mapped("faulted");
		if (fault.vector == VEC_PF)
			core_page_fault(&machine.vm, fault.linear, fault.error);
		else
			core_inject(&machine.vm, fault.vector, 0);
		own = own && (cpu->eflags & FL_TF);
	}
	CHECK_EQ(row("TF at %#x", cpu->eip), cpu->eflags & FL_TF,
		 own ? FL_TF : 0);
	code_release(&machine);
	return true;
}

/* Turns until the guest is at @eip; fails if it does not get there. */
static void run_to(const char *r, u32 eip)
{
	u32 i;

	for (i = 0; i < 200 && cpu->eip != eip; i++)
		CHECK(r, turn(1));
	CHECK_EQ(r, cpu->eip, eip);
}

static u32 handler(u32 vector)
{
	return OFFSET + HANDLERS + 16 * vector;
}

static u32 word_at(u32 gpa)
{
	u32 word;

	memcpy(&word, ram + gpa, 4);
	return word;
}

static u32 mapped_at(u32 linear)
{
	return host_page()[linear / PAGE_SIZE];
}

#define CODE_AT(gpa, ...) \
	memcpy(ram + (gpa), (u8[]){ __VA_ARGS__ }, sizeof((u8[]){ __VA_ARGS__ }))

/* Clean code runs as it is; what loads PKRU is #UD, and all else is done. */
static void wrpkru(void **state)
{
	static const u8 forms[][4] = {
		{ 0x0f, 0x01, 0xef, 0x90 },
		{ 0x66, 0x0f, 0x01, 0xef },		/* prefixes do not matter */
		{ 0x64, 0x0f, 0xae, 0x2f },
		{ 0x8e, 0xd0, 0x0f, 0x01 },		/* EF follows */
		{ 0x66, 0x0f, 0xae, 0x2f },
	};
	u32 i;

	for (i = 0; i < ARRAY_SIZE(forms); i++) {
		const char *r = row("form %u", i);

		setup(state);
		run_to(r, OFFSET + CODE + 8);
		CHECK(r, mapped_at(cpu->eip) & EXECUTABLE);
		CHECK_EQ(r, machine.vm.stats.code_steps, 0);

		setup(state);
		memcpy(ram + CODE + 8, forms[i], 4);
		ram[CODE + 12] = i == 3 ? 0xef : 0x90;
		run_to(r, OFFSET + CODE + 8);
		CHECK_EQ(r, machine.vm.stats.code_steps, 8);
		run_to(r, handler(VEC_UD));
		CHECK_EQ(r, word_at(STACK - 12), OFFSET + CODE + 8);
		/* The handler is no such page. */
		CHECK(r, turn(1));
		CHECK(r, turn(1));
		CHECK_EQ(r, here->step_pages, 0);
		CHECK_EQ(r, mapped_at(OFFSET + CODE) & EXECUTABLE, 0);
		CHECK_EQ(r, machine.page_state[CODE / PAGE_SIZE] & PAGE_STEP, 0);
	}
}

/* Across the border of two pages that are harmless alone. */
static void across(void **state)
{
	u32 at;

	for (at = PAGE_SIZE - 2; at < PAGE_SIZE; at++) {
		setup(state);
		CODE_AT(CODE + at, 0x0f, 0x01, 0xef);
		cpu->eip = OFFSET + CODE + PAGE_SIZE + 16;
		CHECK("second", turn(4) && turn(4));
		CHECK("second", mapped_at(cpu->eip) & EXECUTABLE);
		cpu->eip = OFFSET + CODE + at - 8;
		run_to("first", OFFSET + CODE + at);
		CHECK_EQ("first", machine.vm.stats.code_steps, 8);
		run_to("first", handler(VEC_UD));
		CHECK_EQ("first", word_at(STACK - 12), OFFSET + CODE + at);
	}
}

/* XRSTOR is done for the guest, or is the fault that it would be. */
static void xrstor_emulated(void **state)
{
	static const struct {
		u32 edi, vector, next;
		u64 mask;
	} table[] = {
		{ OFFSET + DATA, 0, 3, 7 },
		{ OFFSET + DATA + 32, VEC_GP, 0, 7 },
		{ OFFSET + DATA + 64, 0, 3, 7 },
		{ OFFSET + DATA, VEC_UD, 0, 0 },
		{ 0x40000000, VEC_PF, 0, 7 },
	};
	u32 i;

	for (i = 0; i < ARRAY_SIZE(table); i++) {
		const char *r = row("row %u", i);
		u32 to = table[i].vector ? handler(table[i].vector) :
					   OFFSET + CODE + 4 + table[i].next;

		setup(state);
		machine.xsave_mask = table[i].mask;
		machine.xsave_bytes = 832;
		cpu->reg[EAX] = 7;
		cpu->reg[EDI] = table[i].edi;
		CODE_AT(CODE + 4, 0x0f, 0xae, 0x2f, 0xeb, 0xfe);
		run_to(r, to);
		if (table[i].vector == VEC_PF)
			CHECK_EQ(r, cpu->cr2, table[i].edi);
	}
	/* Its fault cannot be delivered: the guest ends. */
	setup(state);
	machine.xsave_mask = 7;
	machine.xsave_bytes = 832;
	cpu->reg[EDI] = 0x40000000;
	CODE_AT(CODE, 0x0f, 0xae, 0x2f);
	CHECK("fetched", turn(1));
	cpu->idt.limit = 0;
	CHECK("ended", !turn(1));
	CHECK_EQ("ended", machine.vm.end.how, END_CRASH);
}

/* PUSHF shows the flags as the guest has them. */
static void pushf(void **state)
{
	static const struct {
		u8 code[5];
		u32 n, esp, bytes, tf;
	} table[] = {
		{ { 0x9c }, 1, STACK, 4, 0 },
		{ { 0x66, 0x9c }, 2, STACK, 2, 0 },
		{ { 0x66, 0x9c }, 2, STACK + PAGE_SIZE, 2, 0 },
		{ { 0x8e, 0xd0, 0x9c }, 3, STACK, 4, 0 },
		{ { 0x8e, 0xd0, 0x66, 0x9c }, 4, STACK + PAGE_SIZE, 2, 0 },
		{ { 0x9c }, 1, STACK, 4, FL_TF },
		{ { 0x66, 0x9c }, 2, STACK, 2, FL_TF },
	};
	u32 i;

	for (i = 0; i < ARRAY_SIZE(table); i++) {
		const char *r = row("row %u", i);
		u32 at, esp = table[i].esp;
		u16 image;

		setup(state);
		/* Behind the stack there is nothing in some rows. */
		map_page(OFFSET + STACK + PAGE_SIZE, 0);
		CODE_AT(CODE + 64, 0x0f, 0x01, 0xef);
		memcpy(ram + CODE, table[i].code, table[i].n);
		cpu->reg[ESP] = OFFSET + esp;
		/* No fault in between, where the load of SS would be done. */
		core_page_fault(&machine.vm, OFFSET + esp - 4, PFEC_W);
		cpu->eflags |= FL_CF | FL_DF | table[i].tf;
		at = table[i].tf ? handler(VEC_DB) : OFFSET + CODE + table[i].n;
		run_to(r, at);
		CHECK("stepped", machine.vm.stats.code_steps > 0);
		memcpy(&image, ram + esp - table[i].bytes, 2);
		CHECK_EQ(r, image, 2 | FL_CF | FL_DF | FL_IF | table[i].tf);
		CHECK_EQ(r, debug_traps, table[i].tf ? 1 : 0);
		if (table[i].tf)
			CHECK_EQ(r, word_at(esp - table[i].bytes - 4) & FL_TF,
				 FL_TF);
	}
}

/* Code that writes to its own page, and what it wrote is looked at. */
static void self_modifying(void **state)
{
	(void)state;
	CODE_AT(CODE, 0xa3, 0x00, 0x0a, 0x01, 0xc0);	/* OFFSET + CODE + a00 */
	CODE_AT(CODE + 0xa00, 0x90, 0x90, 0x90, 0x90);
	cpu->reg[EAX] = 0x90ef010f;
	run_to("stored", OFFSET + CODE + 5);
	CHECK_EQ("stored", word_at(CODE + 0xa00), 0x90ef010f);
	CHECK_EQ("stored", machine.page_state[CODE / PAGE_SIZE] & PAGE_CODE, 0);
	CHECK("then it is code", turn(1) && turn(1));
	CHECK("then it is code",
	      machine.page_state[CODE / PAGE_SIZE] & PAGE_CODE);
	CHECK_EQ("not to be written", mapped_at(OFFSET + CODE) & WRITABLE, 0);
	cpu->eip = OFFSET + CODE + 0xa00;
	run_to("what it wrote", handler(VEC_UD));
}

/*
 * The guest has one page mapped, and changes its tables without a flush: what
 * is looked at is what will be executed.
 */
static void stale_tables(void **state)
{
	u32 second;

	/* The page itself, and the one with the end of the instruction. */
	for (second = 0; second < 2; second++) {
		u32 page = CODE + second * PAGE_SIZE;
		u32 at = second ? CODE + PAGE_SIZE - 2 : CODE + 16;
		u32 gone;

		for (gone = 0; gone < 2; gone++) {
			const char *r = row("page %u, %s", second,
					    gone ? "gone" : "another");

			setup(state);
			CODE_AT(at, 0x0f, 0x01, 0xef);
			CODE_AT(CODE + 8, 0x0f, 0x01, 0xef);
			cpu->eip = OFFSET + CODE + PAGE_SIZE + 16;
			CHECK(r, turn(4) && turn(4));
			cpu->eip = OFFSET + at - 1;
			CHECK(r, turn(1) && turn(1));
			map_page(OFFSET + page, gone ? 0 :
				 (CODE + 4 * PAGE_SIZE) | PTE_P | PTE_W);
			cpu->eip = OFFSET + at;
			CHECK(r, turn(1) && turn(1) && turn(1));
			CHECK_EQ(r, pkru_loads, 0);
			if (gone)
				CHECK_EQ(r, cpu->cr2,
					 OFFSET + (second ? page : at));
		}
	}
}

/* User code at an address of its kernel's, where a kick finds it. */
static void kernel_from_user_mode(void **state)
{
	(void)state;
	CODE_AT(CODE, 0x90, 0x0f, 0x01, 0xef);
	CHECK("kernel", turn(1) && turn(1));
	user_mode();
	cpu->eip = OFFSET + CODE + 1;
	CHECK("user", turn(1));
	CHECK_EQ("user", cpu->eip, handler(VEC_PF));
	CHECK_EQ("user", cpu->cr2, OFFSET + CODE + 1);
}

/* What a back end writes to is not executed, not even for a step. */
static void held(void **state)
{
	u32 i, steps = 0, gpa = USER_GPA;

	(void)state;
	user_mode();
	/* It is data: the step is for a store to its own page. */
	CODE_AT(gpa, 0xa3, 0x00, 0x0a, 0x00, 0x08, 0xeb, 0xf9);
	for (i = 0; i < 80; i++) {
		CHECK("loop", turn(1));
		if (machine.page_held[gpa / PAGE_SIZE]) {
			CHECK_EQ("held", mapped_at(USER) & EXECUTABLE, 0);
			CHECK_EQ("held", here->step_pages, 0);
			machine.page_held[gpa / PAGE_SIZE] = i % 4;
			continue;
		}
		if (!here->step_pages)
			continue;
		/* As vm_hold() does until it has the page. */
		steps++;
		machine.page_held[gpa / PAGE_SIZE] = 1;
		CHECK_EQ("stepped", machine.page_state[gpa / PAGE_SIZE] &
			 PAGE_STEP, PAGE_STEP);
		machine.page_wanted = gpa / PAGE_SIZE + 1;
		code_release(&machine);
		CHECK_EQ("let go", machine.page_state[gpa / PAGE_SIZE] &
			 (PAGE_CODE | PAGE_STEP), 0);
		CHECK_EQ("let go", mapped_at(USER) & EXECUTABLE, 0);
	}
	CHECK(row("%u steps", steps), steps > 5);
	CHECK("stored", word_at(gpa + 0xa00) == cpu->reg[EAX]);
}

/* A #UD handler that loads PKRU, on a stack that never ends. */
static void endless_handler(void **state)
{
	u32 i;

	(void)state;
	for (i = 0; i < PLEX86_TOP >> 22; i++)
		poke32(PD + 4 * i, PT_KERNEL | PTE_P | PTE_W);
	for (i = KERNEL_PAGES; i < 1024; i++)
		map_page(OFFSET + i * PAGE_SIZE, DATA | PTE_P | PTE_W);
	for (i = 0; i < 16; i++)
		map_page(OFFSET + i * PAGE_SIZE, i * PAGE_SIZE | PTE_P | PTE_W);
	CODE_AT(HANDLERS + 16 * VEC_UD, 0x0f, 0x01, 0xef);
	cpu->reg[ESP] = 0x40000000 + 512 * PAGE_SIZE;
	cpu->eip = handler(VEC_UD);
	/* Kicks are seen in between. */
	for (i = 0; i < 50; i++)
		CHECK("goes on", turn(1));
}

/* Random code, tables and back ends. */
static void random_code(void **state)
{
	static const u8 some[] = {
		0x0f, 0x01, 0xef, 0xae, 0x2f, 0x28, 0x90, 0x9c, 0x66, 0x8e, 0xd0,
		0xa3, 0xa1, 0xb8, 0xeb, 0xf9,
	};
	u64 seed = 0x2ba7c9a1f5d3e680;
	u32 i, n, uds = 0, steps = 0, stores = 0;

	for (i = 0; i < 60000; i++) {
		u32 r = random32(&seed), linear, gpa;

		if (i % 1500 == 0) {
			steps += (u32)machine.vm.stats.code_steps;
			stores += (u32)machine.vm.stats.code_writes;
			held_page = 0;
			setup(state);
			cpu->cpl = 0;
			for (n = 0; n < 8 * PAGE_SIZE; n++) {
				/* Stores into the pages of code. */
				bool kernel = r & 1;
				u8 *at = ram + (kernel ? CODE : USER_GPA) + n;

				if (random32(&seed) % 4)
					continue;
				*at = some[random32(&seed) % 16];
				if (*at != 0xa3 || n > 8 * PAGE_SIZE - 8)
					continue;
				linear = (kernel ? OFFSET + CODE : USER) +
					 random32(&seed) % (8 * PAGE_SIZE - 4);
				memcpy(at + 1, &linear, 4);
				n += 4;
			}
		}
		/* Somewhere near a border, or anywhere. */
		if (cpu->eip - (OFFSET + HANDLERS) < 512 || r % 16 == 0) {
			uds += cpu->eip == handler(VEC_UD);
			cpu->cpl = r & 32 ? 3 : 0;
			cpu->ss = 0x2b;
			cpu->reg[ESP] = cpu->cpl ? USER_STACK : OFFSET + STACK;
			cpu->eip = cpu->cpl && r & 64 ? USER : OFFSET + CODE;
			cpu->eip += r & 128 ? (r >> 8) % (8 * PAGE_SIZE) :
				    (r >> 8) % 7 * PAGE_SIZE + PAGE_SIZE - 16 +
				    (r >> 16) % 20;
			cpu->eflags = 2;
		}
		cpu->reg[EAX] = r & 0x100000 ? 0x90ef010f : r & 0x200000 ?
				0x0f2fae0f : cpu->reg[EAX];
		if ((r >> 22) % 16 == 0) {
			/* Another page, or none, and a flush seldom. */
			n = random32(&seed) % USER_PAGES;
			gpa = random32(&seed) % 16;
			gpa = gpa < 8 ? CODE + gpa * PAGE_SIZE :
					USER_GPA + (gpa - 8) * PAGE_SIZE;
			linear = (n & 1 ? USER : OFFSET + CODE) + n * PAGE_SIZE;
			host_use(&machine.vm, PT_USER, PFEC_W);
			host_use(&machine.vm, PT_KERNEL, PFEC_W);
			map_page(linear, !(random32(&seed) % 8) ? 0 :
				 gpa | PTE_P | PTE_W | (n & 1 ? PTE_U : 0));
			if (random32(&seed) % 8 == 0)
				host_drop(&machine.vm, linear,
					  linear + PAGE_SIZE);
		}
		if ((r >> 26) % 32 == 0) {
			/* A back end lets go, and another takes hold. */
			machine.page_held[held_page] = 0;
			held_page = 0;
			if (r & 2) {
				held_page = USER_GPA / PAGE_SIZE +
					    (r >> 2) % USER_PAGES;
				machine.page_held[held_page] = 1;
				machine.page_wanted = held_page + 1;
			}
		}
		CHECK("goes on", turn(1 + r % 8));
	}
	held_page = 0;
	CHECK(row("%u steps, %u #UD, %u stores", steps, uds, stores),
	      steps > 5000 && uds > 1000 && stores > 200);
}

#define TEST(name) cmocka_unit_test_setup(name, setup)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(wrpkru), TEST(across), TEST(xrstor_emulated), TEST(pushf),
		TEST(self_modifying), TEST(stale_tables),
		TEST(kernel_from_user_mode), TEST(held), TEST(endless_handler),
		TEST(random_code),
	};

	return RUN_TESTS("step", tests, NULL, NULL);
}
