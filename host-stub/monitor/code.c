// SPDX-License-Identifier: GPL-2.0
/*
 * What the guest executes: an instruction that loads PKRU would undo the keys,
 * so no page of RAM is both executable and writable, anywhere, and before it is
 * executable it is looked through.
 *
 * A page is data at first: writable where the guest's tables allow it, and never
 * executable.  An instruction fetch makes it code: readable and executable, and
 * no longer writable in any space; a store makes it data again.  A code page in
 * which such an instruction begins (at any byte, for code may be entered at any)
 * is not executable either: what the guest does there is done a step at a time,
 * and each instruction is looked at before.  So is one that writes to the very
 * page it is in, for which the page would have to be both.
 *
 * Two pages that are harmless alone can hold such an instruction across their
 * border; then the later one to be mapped is not executable.
 */
#include <asm/mman.h>

#include "scan.h"
#include "space.h"
#include "sys.h"

/* In state->page_state, with PAGE_CODE and what core_scan() found. */
#define STATE_SPACE(n)	(0x100u << (n))	/* has it mapped */
#define STATE_SPACES	(STATE_SPACE(SPACES) - STATE_SPACE(0))

/* Instructions that are seen to in one turn of the monitor's. */
#define ROUNDS_MAX	16u

static bool is_code(const struct state *state, u32 page)
{
	return state->page_state[page] & PAGE_CODE;
}

/* code_mapped() - page @page of RAM is mapped in this space */
void code_mapped(struct state *state, u32 page)
{
	state->page_state[page] |= (u16)STATE_SPACE(this_space()->number);
}

/* code_runs() - is page @page of RAM mapped for execution, where it is? */
bool code_runs(const struct state *state, u32 page)
{
	return state->scan && is_code(state, page);
}

/* Is the page at @linear executable code, with what at its ends? */
static bool runs(const struct state *state, u32 linear, u32 *found)
{
	u32 page;

	if (!shadow_page_at(linear, &page) || !is_code(state, page) ||
	    (state->page_state[page] & SCAN_HIT))
		return false;
	*found = state->page_state[page];
	return true;
}

/*
 * code_protection() - how a page is to be mapped
 * @linear: where, a page number
 * @page: of RAM
 * @writable: by the guest's tables
 */
int code_protection(const struct state *state, u32 linear, u32 page,
		    bool writable)
{
	const u32 found = state->page_state[page];
	u32 other;

	if (!state->scan)
		return PROT_READ | PROT_EXEC | (writable ? PROT_WRITE : 0);
	if (!is_code(state, page))
		return PROT_READ | (writable ? PROT_WRITE : 0);
	if ((found & SCAN_HIT) ||
	    (runs(state, linear - 1, &other) && core_scan_border(other, found)) ||
	    (runs(state, linear + 1, &other) && core_scan_border(found, other)))
		return PROT_READ;
	return PROT_READ | PROT_EXEC;
}

/* Has every mapping of @page follow its state. */
static void retract(struct state *state, u32 page)
{
	const u32 mine = STATE_SPACE(this_space()->number);

	if (state->page_state[page] & mine)
		shadow_reprotect(state, page);
	if (!(state->page_state[page] & STATE_SPACES & ~mine))
		return;
	state->code_log[state->code_changes++ % CODE_LOG] = page;
	this_space()->code_changes = state->code_changes;
}

/*
 * Sets @bit of @page, unless a back end is about to write there: that has a hold
 * of it (launcher, vm_hold()), and looks at these bits after it took that.
 */
static bool claim(struct state *state, u32 page, u16 bit)
{
	u16 *word = &state->page_state[page];

	__atomic_or_fetch(word, bit, __ATOMIC_SEQ_CST);
	if (!__atomic_load_n(&state->page_held[page], __ATOMIC_SEQ_CST))
		return true;
	__atomic_and_fetch(word, (u16)~bit, __ATOMIC_SEQ_CST);
	return false;
}

/* Makes a page code; one that is held stays data, and the fetch faults again. */
static void make_code(struct state *state, u32 page)
{
	if (!claim(state, page, PAGE_CODE))
		return;
	state->page_state[page] |=
		(u16)core_scan(state->vm.ram + (u64)page * PAGE_SIZE);
	state->vm.stats.code_scans++;
	retract(state, page);
}

static void make_data(struct state *state, u32 page)
{
	__atomic_and_fetch(&state->page_state[page],
			   (u16)~(PAGE_CODE | SCAN_ALL), __ATOMIC_SEQ_CST);
	state->vm.stats.code_writes++;
	retract(state, page);
}

/* host_use() - see core/vm.h */
bool host_use(struct vm *vm, u32 gpa, u32 access)
{
	struct state *state = state_of(vm);
	u32 page = gpa / PAGE_SIZE;

	if (!state->scan)
		return false;
	if ((access & PFEC_W) && is_code(state, page))
		make_data(state, page);
	else if ((access & (PFEC_W | PFEC_I)) == PFEC_I && !is_code(state, page))
		make_code(state, page);
	else
		return false;
	return true;
}

/* code_unstep() - pages that were executable for a step are so no more */
void code_unstep(struct state *state)
{
	struct space *space = this_space();
	u32 i;

	for (i = 0; i < space->step_pages; i++) {
		shadow_allow_step(state, space->step_at[i].linear, false);
		__atomic_and_fetch(&state->page_state[space->step_at[i].page],
				   (u16)~PAGE_STEP, __ATOMIC_SEQ_CST);
	}
	space->step_pages = 0;
}

/* Makes the page at @linear executable for a step. */
static void allow_step(struct state *state, u32 linear)
{
	struct space *space = this_space();
	u32 page;

	if (!shadow_page_at(linear, &page) || !claim(state, page, PAGE_STEP))
		return;
	space->step_at[space->step_pages].linear = linear;
	space->step_at[space->step_pages++].page = page;
	shadow_allow_step(state, linear, true);
}

/* code_release() - a back end waits to write to a page */
void code_release(struct state *state)
{
	u32 page = __atomic_load_n(&state->page_wanted, __ATOMIC_SEQ_CST);

	if (!page)
		return;
	code_unstep(state);
	if (page - 1 < state->vm.ram_bytes / PAGE_SIZE)
		host_use(&state->vm, (page - 1) * PAGE_SIZE, PFEC_W);
	__atomic_store_n(&state->page_wanted, 0, __ATOMIC_SEQ_CST);
}

/* code_catch_up() - what changed while other spaces ran */
void code_catch_up(struct state *state)
{
	struct space *space = this_space();
	u64 behind = state->code_changes - space->code_changes;

	if (behind > CODE_LOG)		/* and nothing is mapped */
		behind = 0;
	for (; behind; behind--)
		shadow_reprotect(state,
				 state->code_log[(state->code_changes - behind) %
						 CODE_LOG]);
	space->code_changes = state->code_changes;
}

/*
 * code_trapped() - something came; with the registers in vm->cpu
 * @step_trap: a single-step trap
 * @store: a page fault by a store
 *
 * Takes back what was done for a step.  Returns true if there is nothing else to
 * do: a step ended.
 */
bool code_trapped(struct state *state, bool step_trap, bool store)
{
	struct space *space = this_space();
	struct vcpu *cpu = &state->vm.cpu;
	bool ours = space->step != STEP_NONE && !space->step_guest;
	/* The #DB of INT1 is the only one that comes, and the guest's. */
	bool int1 = space->step == STEP_INT1;

	if (!step_trap)
		code_unstep(state);
	if (ours) {
		u32 user = cpu->cpl ? PFEC_U : 0, fault;
		u16 flags;		/* there may be no more of them */

		/* What POPF or IRET has loaded is the guest's. */
		if (!step_trap || space->step != STEP_POPF)
			cpu->eflags &= ~FL_TF;
		if (step_trap && space->step == STEP_PUSHF &&
		    cpu->eip == space->step_end &&
		    !core_read(&state->vm, cpu->reg[ESP], &flags, sizeof(flags),
			       user, &fault)) {
			flags &= (u16)~FL_TF;
			core_write(&state->vm, cpu->reg[ESP], &flags,
				   sizeof(flags), user, &fault);
		}
	}
	space->step = STEP_NONE;
	if (store) {
		space->store_at = cpu->eip;
		space->stored = 1;
	} else if (space->store_at != cpu->eip) {
		space->stored = 0;
	}
	return ours && step_trap && !int1;
}

/* Does the page at @linear stand in the way of the next instruction? */
static bool must_step(const struct state *state, u32 linear)
{
	u32 page;

	if (!shadow_page_at(linear, &page))
		return false;
	if (is_code(state, page))
		return !(code_protection(state, linear, page, false) &
			 PROT_EXEC);
	return this_space()->stored &&
	       this_space()->store_at == state->vm.cpu.eip;
}

/*
 * Forgets page @linear if it is mapped otherwise than the guest's tables have it
 * now, for its privilege.  The instruction is looked at by the tables, and done
 * by what is mapped.  Returns true if it was forgotten.
 */
static bool forget_stale(struct state *state, u32 linear)
{
	struct vm *vm = &state->vm;
	struct translation tr;
	u32 page;

	if (!shadow_page_at(linear, &page) ||
	    (!core_translate(vm, linear * PAGE_SIZE, vm->cpu.cpl ? PFEC_U : 0,
			     &tr) && tr.gpa / PAGE_SIZE == page))
		return false;
	host_drop(vm, linear * PAGE_SIZE, (linear + 1) * PAGE_SIZE);
	return true;
}

/* XRSTOR from @address, of what the guest may have (SDM vol. 1, 13.8). */
static void xrstor(struct state *state, u32 address, u32 length)
{
	struct space *space = this_space();
	struct vm *vm = &state->vm;
	u64 mask = (u64)vm->cpu.reg[EDX] << 32 | vm->cpu.reg[EAX];
	u32 fault;

	mask &= state->xsave_mask;
	if (!state->xsave_mask) {
		core_inject(vm, VEC_UD, 0);
	} else if (address % 64) {
		core_inject(vm, VEC_GP, 0);
	} else if (core_read(vm, address, space->xrstor, state->xsave_bytes,
			     vm->cpu.cpl ? PFEC_U : 0, &fault)) {
		core_inject_page_fault(vm, vm->fault_linear, fault);
	} else if (mask && monitor_vectors_load(space->xrstor, mask)) {
		core_inject(vm, VEC_GP, 0);
	} else {
		vm->stats.other_emulated++;
		core_advance(vm, length);
	}
}

/*
 * code_prepare() - the guest goes on at EIP; does it need a step?
 *
 * May emulate instructions, or raise an exception.  Returns true if the next is
 * to be stepped over.
 */
bool code_prepare(struct state *state)
{
	struct space *space = this_space();
	struct vm *vm = &state->vm;
	struct vcpu *cpu = &vm->cpu;
	u32 pages[2], count, i, round;

	if (!state->scan)
		return false;
	for (round = 0;; round++) {
		u32 address, length;
		bool forgot = false;

		pages[0] = cpu->eip / PAGE_SIZE;
		/* With the one behind a load of SS, which holds back the trap. */
		pages[1] = (cpu->eip + 2 * INSN_MAX - 1) / PAGE_SIZE;
		count = pages[0] == pages[1] ? 1 : 2;
		/* What shall not be executed faults, and comes back. */
		if (vm->end.how != END_NOT || round == ROUNDS_MAX ||
		    (!must_step(state, pages[0]) &&
		     (count == 1 || !must_step(state, pages[1])))) {
			code_unstep(state);
			return false;
		}
		for (i = 0; i < count; i++)
			forgot |= forget_stale(state, pages[i]);
		if (forgot)
			continue;
		switch (core_next(vm, &address, &length)) {
		case NEXT_LOADS_PKRU:
			core_inject(vm, VEC_UD, 0);
			continue;
		case NEXT_XRSTOR:
			code_unstep(state);
			xrstor(state, address, length);
			continue;
		case NEXT_PUSHF:
			space->step = STEP_PUSHF;
			space->step_end = cpu->eip + length;
			break;
		case NEXT_POPF:
			space->step = STEP_POPF;
			break;
		case NEXT_INT1:
			space->step = STEP_INT1;
			break;
		default:
			space->step = STEP_ON;
			break;
		}
		break;
	}
	space->step_guest = cpu->eflags & FL_TF;
	vm->stats.code_steps++;
	if (space->step_pages == count &&
	    space->step_at[0].linear == pages[0] &&
	    (count == 1 || space->step_at[1].linear == pages[1]))
		return true;
	code_unstep(state);
	for (i = 0; i < count; i++)
		allow_step(state, pages[i]);
	return true;
}
