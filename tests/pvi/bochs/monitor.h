/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the Bochs port asks its monitor beyond the contract: HAL calls with
 * numbers of their own.
 */
#ifndef PVI_MONITOR_H
#define PVI_MONITOR_H

#define MON_STATE	0x100	/* EBX: hardware IF, VIF, VIP, exactly so */
#define MON_BREAK	0x101	/* EBX: address, 0 for none */
#define MON_BROKE	0x102	/* EBX out: did the last MON_BREAK happen */
#define MON_RAISE	0x103	/* the test interrupt is pending */
#define MON_STATS	0x104	/* EBX: MON_STAT_* -> EBX */
#define MON_PVI		0x105	/* EBX: CR4.PVI on or off */

#define MON_STAT_SLEEPS	0	/* HLT with nothing pending; ends at once */
#define MON_STAT_STI	1	/* STI that raised #GP */
#define MON_STAT_CLI	2	/* CLI that raised #GP */
#define MON_STAT_EXITS	3	/* all entries into the monitor */
#define MON_STATS_NR	4

/* Selectors of the real GDT. */
#define MON_CS		0x08
#define MON_GUEST_CS	0x23
#define MON_GUEST_DS	0x2b
#define MON_DS		0x30
#define MON_TSS		0x38

#endif
