// SPDX-License-Identifier: GPL-2.0
/*
 * A monitor that was taken over: a HAL call of the guest's has it attempt what it
 * must not be able to.  If it lives on, the VM ends with a word of the result.
 */
#include "taken.h"
#include "vm.h"

void __real_core_hal_call(struct vm *vm);
void __wrap_core_hal_call(struct vm *vm);

/* "taken: N", with the sign. */
static void say(struct vm *vm, long result)
{
	char text[32] = "taken: ", digits[20];
	u32 at = 7, n = 0;
	u64 value = result < 0 ? -(u64)result : (u64)result;

	if (result < 0)
		text[at++] = '-';
	do {
		digits[n++] = (char)('0' + value % 10);
		value /= 10;
	} while (value && n < sizeof(digits));
	while (n)
		text[at++] = digits[--n];
	text[at] = 0;
	core_crash(vm, text);
}

void __wrap_core_hal_call(struct vm *vm)
{
	const u32 *r = vm->cpu.reg;

	if (r[EAX] == CALL_TAKEN)
		say(vm, attempt(r[EBX], r[ECX]));
	else
		__real_core_hal_call(vm);
}
