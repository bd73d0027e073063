/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The monitor's image and that of the gates, carried in the launcher.
 */
	.section .rodata
	.globl	monitor_image, monitor_image_end
	.balign	16
monitor_image:
	.incbin	MONITOR_BIN
monitor_image_end:
	.globl	gates_image, gates_image_end
	.balign	16
gates_image:
	.incbin	GATES_BIN
gates_image_end:
	.section .note.GNU-stack, "", @progbits
