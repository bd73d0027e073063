// SPDX-License-Identifier: GPL-2.0
/*
 * What tools/pvi-compare has a guest do: some thing so many times, and how many
 * ticks of the TSC and timer interrupts went by.
 *
 *	costs none|syscall|switch|timer N
 *
 * Prints "cost NAME: N done, T ticks, I interrupts".
 */
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static uint64_t ticks(void)
{
	return __builtin_ia32_rdtsc();
}

static unsigned long interrupts(void)
{
	FILE *f = fopen("/proc/interrupts", "r");
	char line[200];
	unsigned long n = 0;

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, " 0: %lu", &n) == 1)
			break;
	if (f)
		fclose(f);
	return n;
}

/* getppid() through the vDSO, which is the way of C libraries. */
static void system_calls(unsigned long n)
{
	void *entry = (void *)getauxval(AT_SYSINFO);
	long ret;

	while (n--)
		__asm__ volatile("call *%1" : "=a"(ret)
				 : "r"(entry), "0"(SYS_getppid) : "memory", "cc");
}

/* A byte to another process and back: two switches, of a write and a read each. */
static void switches(unsigned long n)
{
	int there[2], back[2];
	char byte = 0;
	pid_t pid;

	if (pipe(there) || pipe(back))
		exit(1);
	pid = fork();
	while (!pid) {
		if (read(there[0], &byte, 1) != 1 || write(back[1], &byte, 1) != 1)
			_exit(0);
	}
	close(there[0]);
	for (n /= 2; n--;)
		if (write(there[1], &byte, 1) != 1 || read(back[0], &byte, 1) != 1)
			exit(1);
	close(there[1]);
	close(back[1]);
	kill(pid, 9);
	waitpid(pid, NULL, 0);
}

/* Two instructions, @n times: what interrupts it is all there is besides. */
static void spin(unsigned long n)
{
	__asm__ volatile("1: decl %0; jnz 1b" : "+r"(n) : : "cc");
}

int main(int argc, char **argv)
{
	unsigned long n = argc > 2 ? strtoul(argv[2], NULL, 10) : 1, irqs;
	const char *what = argc > 1 ? argv[1] : "none";
	uint64_t start;

	irqs = interrupts();
	start = ticks();
	if (!strcmp(what, "syscall"))
		system_calls(n);
	else if (!strcmp(what, "switch"))
		switches(n);
	else if (!strcmp(what, "timer"))
		spin(n);
	start = ticks() - start;
	printf("cost %s: %lu done, %llu ticks, %lu interrupts\n", what, n,
	       (unsigned long long)start, interrupts() - irqs);
	return 0;
}
