// SPDX-License-Identifier: GPL-2.0
/*
 * Protection keys: what guest user code, guest kernel and monitor may touch of
 * one address space (layout.h), and what else keeps guest user code out.
 */
#include <asm/mman.h>
#include <asm/sigcontext.h>
#include <asm/siginfo.h>
#include <asm/signal.h>
/* The order matters: ucontext.h expects sigcontext.h and signal.h. */
#include <asm/ucontext.h>
#include <linux/mman.h>

#include "space.h"
#include "sys.h"

_Static_assert(sizeof(struct ucontext) == UCONTEXT_BYTES &&
	       sizeof(siginfo_t) == SIGINFO_BYTES,
	       "the kernel's signal frame is not what layout.h says");

/* Gives the pages at @address, mapped with @prot, to @key; see layout.h. */
void keys_set(struct state *state, u64 address, u64 bytes, int prot, u32 key)
{
	if (state->keys && key &&
	    sys4(__NR_pkey_mprotect, (long)address, (long)bytes, prot, key))
		monitor_die(state, "pkey_mprotect failed");
}

/*
 * The monitor's own memory.  The alternate stack stays everybody's: kernels
 * before Linux 6.12 write the signal frame with the rights of what was
 * interrupted.  The kernel reads Syscall User Dispatch's selector with them too.
 */
void keys_protect_monitor(struct state *state)
{
	const int prot = PROT_READ | PROT_WRITE;
	u64 behind = ALT_STACK + ALT_STACK_BYTES;

	keys_set(state, STATE_BASE, sizeof(struct state), prot, KEY_MONITOR);
	keys_set(state, RAM_BASE, state->vm.ram_bytes, prot, KEY_MONITOR);
	keys_set(state, SPACE_BASE, PAGE_SIZE, prot, KEY_READ);
	keys_set(state, SPACE_BASE + PAGE_SIZE,
		 ALT_STACK - SPACE_BASE - PAGE_SIZE, prot, KEY_MONITOR);
	keys_set(state, behind, SPACE_BASE + sizeof(struct space) - behind,
		 prot, KEY_MONITOR);
}

/* Where frames can come on the alternate stack, in whole pages. */
static u32 frames_bytes(const struct state *state)
{
	return (2 * state->frame_bytes + PAGE_SIZE - 1) & ~(PAGE_SIZE - 1);
}

/*
 * Forgets what signals left on the alternate stack: registers of the guest's
 * kernel or the monitor's.  One frame may lie below another.
 */
void keys_wipe(struct state *state)
{
	struct space *space = this_space();
	u32 bytes = frames_bytes(state);

	if (state->keys)
		memset(space->alt_stack + ALT_STACK_BYTES - bytes, 0, bytes);
	space->alt_stack_dirty = 0;
}

/*
 * keys_forget() - another program is about to run
 *
 * What guest user code can read of the monitor's is the last one's.
 */
void keys_forget(struct state *state)
{
	if (state->keys)
		memset(state->gate_user_page, 0, PAGE_SIZE);
	this_space()->alt_stack_dirty = 1;
}

/*
 * keys_renew() - the space is another address space's from now on
 *
 * What a program itself has left on the alternate stack, where no frame comes,
 * would be a way for two to talk past their kernel.
 */
void keys_renew(struct state *state)
{
	u32 bytes = ALT_STACK_BYTES - frames_bytes(state);

	if (state->keys && bytes &&
	    sys3(__NR_madvise, (long)ALT_STACK, bytes, MADV_DONTNEED))
		monitor_die(state, "madvise of the alternate stack failed");
	keys_forget(state);
}

/*
 * keys_check_frame() - are these parts of a signal frame on the alternate stack?
 *
 * Guest user code can write one there, and enter where signals do.  The
 * registers it makes up are its own; but a pointer that led elsewhere would show
 * it the monitor's memory.  entry.S checks the same of the frame it passes on.
 */
bool keys_check_frame(u64 si, u64 uc)
{
	return uc >= ALT_STACK &&
	       uc <= ALT_STACK + ALT_STACK_BYTES - UCONTEXT_BYTES -
		     SIGINFO_BYTES && si == uc + UCONTEXT_BYTES;
}

/*
 * keys_vectors() - where a frame has the vector registers
 *
 * NULL if not on the alternate stack: it is no frame of the kernel's then, and
 * they are where they were.
 */
const void *keys_vectors(const struct state *state,
			 const struct sigcontext_64 *sc)
{
	u64 at = sc->fpstate;

	return at >= ALT_STACK &&
	       at <= ALT_STACK + ALT_STACK_BYTES - state->xsave_bytes ?
	       (const void *)at : NULL;
}
