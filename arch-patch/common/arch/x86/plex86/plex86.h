/* SPDX-License-Identifier: GPL-2.0 */
/* What the files of arch/x86/plex86 have for each other. */
#ifndef ARCH_X86_PLEX86_H
#define ARCH_X86_PLEX86_H

#include <linux/init.h>
#include <linux/types.h>

void __init plex86_console_init(void);
void __init plex86_mmu_init(void);
void __init plex86_irq_init(void);
void __init plex86_time_init(void);
void __init plex86_reset_init(void);

/* ring.c, for ring_test.c. */
struct plex86_device;
struct plex86_ring;
int plex86_ring_alloc(struct plex86_ring *ring, struct plex86_device *pdev,
		      unsigned int queue, u32 entries);

/* Tests in attack.c, for selftest.c. */
bool __init test_attack_memory(char *detail, size_t size);
bool __init test_attack_gates(char *detail, size_t size);
bool __init test_attack_wrpkru(char *detail, size_t size);
bool __init test_attack_calls(char *detail, size_t size);
bool __init test_attack_random(char *detail, size_t size);

#endif /* ARCH_X86_PLEX86_H */
