// SPDX-License-Identifier: GPL-2.0
/*
 * What stands around every target: the launcher's messages, which go nowhere, and
 * an end by abort() for a check that fails, so that libFuzzer keeps the input.
 */
#include "fuzz.h"
#include "launcher.h"

void complain(const char *format, ...)
{
	char text[4096];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	return setenv("CMOCKA_TEST_ABORT", "1", 1);
}
