// SPDX-License-Identifier: GPL-2.0
/*
 * What a program can reach of its kernel's half below the PVI host: nothing but
 * the page of the gates.  Also that CLI, STI and a HAL call are its faults.
 *
 *	roots STRIDE	look at every STRIDE-th page of the half
 *
 * Prints "ok NAME" or "not ok NAME: REASON"; status 0 if all are ok.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PAGE		4096u
#define HALF		0xc0000000u
#define GATES		0xffc02000u
#define IMAGE_PAGES	4096u		/* where the kernel is: every page */

static sigjmp_buf back;
static volatile int failed;

static void caught(int number)
{
	siglongjmp(back, number);
}

/* 0 if it went through, else the signal. */
static int try_read(unsigned int at)
{
	int number = sigsetjmp(back, 1);

	if (!number)
		*(volatile unsigned char *)at;
	return number;
}

static int try_write(unsigned int at)
{
	int number = sigsetjmp(back, 1);

	/* What is there stays, should it go through. */
	if (!number)
		__asm__ volatile("lock; orb $0, %0" : "+m"(*(unsigned char *)at));
	return number;
}

static void verdict(const char *name, const char *why, unsigned int at)
{
	if (why) {
		printf("not ok %s: %s at %#x\n", name, why, at);
		failed = 1;
	} else {
		printf("ok %s\n", name);
	}
}

static void half(unsigned int stride)
{
	unsigned int at = HALF, n = 0;

	/* The kernel has been there, just now. */
	getppid();
	for (; at >= HALF; at += PAGE * (n < IMAGE_PAGES ? 1 : stride), n++) {
		if (at == GATES)
			continue;
		if (try_read(at) != SIGSEGV) {
			verdict("half-read", "a read went through", at);
			return;
		}
		if (try_write(at) != SIGSEGV) {
			verdict("half-write", "a write went through", at);
			return;
		}
	}
	verdict("half-read", NULL, 0);
	verdict("half-write", NULL, 0);
}

static void top(void)
{
	const char *why = NULL;
	unsigned int at;

	for (at = 0xffc00000u; at; at += PAGE)
		if (at != GATES && (!try_read(at) || !try_write(at))) {
			why = "a page of the host's was reached";
			break;
		}
	if (!why && (try_read(GATES) || try_write(GATES) != SIGSEGV)) {
		at = GATES;
		why = "the page of the gates is not read-only";
	}
	verdict("top", why, at);
}

#define INSTRUCTION(name, bytes, want)					\
	do {								\
		int number = sigsetjmp(back, 1);			\
									\
		if (!number)						\
			__asm__ volatile(bytes : : "a"(0), "b"(0));	\
		verdict(name, number == (want) ? NULL : "no fault", 0);	\
	} while (0)

int main(int argc, char **argv)
{
	int signals[] = { SIGSEGV, SIGBUS, SIGILL };
	struct sigaction action = { .sa_handler = caught };
	unsigned int i;

	setvbuf(stdout, NULL, _IOLBF, 0);
	for (i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		sigaction(signals[i], &action, NULL);
	half(argc > 1 ? (unsigned int)atoi(argv[1]) : 64);
	top();
	INSTRUCTION("cli", "cli", SIGSEGV);
	INSTRUCTION("sti", "sti", SIGSEGV);
	INSTRUCTION("hlt", "hlt", SIGSEGV);
	INSTRUCTION("hal-call", ".byte 0x0f, 0xb9, 0xf1", SIGILL);
	INSTRUCTION("pushf-site", ".byte 0x0f, 0xb9, 0xf4", SIGILL);
	return failed;
}
