/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Where a Multiboot loader enters: physical addresses, no paging.  Looks whether
 * there is a processor that can go on, maps physical memory as it is and the
 * monitor at LINK_BASE, and calls pvi_main() there.
 *
 * What is said here goes to port 0xE9 and, as nothing is known of it yet, to COM1
 * as it is found.
 */
#include "layout.h"

#define PHYS(x)		((x) - LINK_BASE + LOAD_BASE)

#define MULTIBOOT_MAGIC	0x1badb002
#define MULTIBOOT_FLAGS	0x00010003	/* page-aligned modules, memory, addresses */
#define MULTIBOOT_LOADED 0x2badb002

#define EFLAGS_ID	0x00200000
#define CPUID_PSE	(1 << 3)
#define CR4_PSE		(1 << 4)
#define CR0_PG_WP	0x80010000
#define PDE_LARGE	0x83		/* present, writable, 4 MiB */
#define PTE_KERNEL	0x03

	.section .text.start, "ax"
	.balign	4
header:
	.long	MULTIBOOT_MAGIC, MULTIBOOT_FLAGS
	.long	-(MULTIBOOT_MAGIC + MULTIBOOT_FLAGS)
	.long	PHYS(header)
	.long	PHYS(image_start)
	.long	PHYS(image_end)
	.long	PHYS(image_bss_end)
	.long	PHYS(start)

	.globl	start
start:
	cli
	cld
	movl	%eax, %ebp		/* the loader's magic number */
	movl	%ebx, %esi		/* what it knows */
	movl	$PHYS(image_end), %edi
	movl	$PHYS(image_bss_end), %ecx
	subl	%edi, %ecx
	xorl	%eax, %eax
	rep stosb
	movl	$PHYS(stack_end), %esp

	movl	$PHYS(no_loader), %ebx
	cmpl	$MULTIBOOT_LOADED, %ebp
	jne	refuse
	movl	$PHYS(no_cpu), %ebx
	pushfl
	popl	%eax
	movl	%eax, %ecx
	xorl	$EFLAGS_ID, %eax
	pushl	%eax
	popfl
	pushfl
	popl	%eax
	xorl	%ecx, %eax
	testl	$EFLAGS_ID, %eax
	jz	refuse
	movl	$1, %eax
	cpuid
	movl	$PHYS(no_cpu), %ebx
	testl	$CPUID_PSE, %edx
	jz	refuse

	/* Physical memory as it is, but for the top 4 MiB. */
	movl	$PHYS(root_monitor), %edi
	movl	$PDE_LARGE, %eax
1:	stosl
	addl	$0x400000, %eax
	jnc	1b
	movl	$PHYS(top_kernel) + PTE_KERNEL, -4(%edi)
	movl	$PHYS(top_kernel) + (LINK_BASE >> 12 & 1023) * 4, %edi
	movl	$LOAD_BASE + PTE_KERNEL, %eax
2:	stosl
	addl	$4096, %eax
	cmpl	$PHYS(image_bss_end), %eax
	jb	2b

	movl	%cr4, %eax
	orl	$CR4_PSE, %eax
	movl	%eax, %cr4
	movl	$PHYS(root_monitor), %eax
	movl	%eax, %cr3
	movl	%cr0, %eax
	orl	$CR0_PG_WP, %eax
	movl	%eax, %cr0
	movl	$high, %eax
	jmp	*%eax
high:
	movl	$stack_end, %esp
	pushl	%esi
	call	pvi_main		/* does not return */

/* Says the text at %ebx, and the end. */
refuse:
	movl	%ebx, %esi
	call	say
	movl	$PHYS(the_end), %esi
	call	say
	movw	$0xf4, %dx		/* QEMU's isa-debug-exit */
	movb	$1, %al
	outb	%al, %dx
	movw	$0x604, %dx		/* its power button */
	movw	$0x2000, %ax
	outw	%ax, %dx
	movl	$PHYS(shutdown), %esi	/* Bochs' */
	movw	$0x8900, %dx
	movl	$8, %ecx
	rep outsb
3:	hlt
	jmp	3b

say:
	lodsb
	testb	%al, %al
	jz	4f
	outb	%al, $0xe9
	movb	%al, %ah
	movw	$0x3fd, %dx
	movl	$100000, %ecx
5:	inb	%dx, %al
	testb	$0x20, %al
	loopz	5b
	movb	%ah, %al
	movw	$0x3f8, %dx
	outb	%al, %dx
	jmp	say
4:	ret

no_loader:
	.asciz	"plex86: not loaded by a Multiboot loader\r\n"
no_cpu:
	.asciz	"plex86: this CPU has no CPUID or no 4 MiB pages (PSE): give the machine a Pentium II or later\r\n"
the_end:
	.asciz	"plex86: exit 1\r\n"
shutdown:
	.ascii	"Shutdown"

	.bss
	.balign	4096
	.globl	root_monitor, root_kernel, root_user, top_kernel, top_user
root_monitor:
	.skip	4096
root_kernel:
	.skip	4096
root_user:
	.skip	4096
top_kernel:
	.skip	4096
top_user:
	.skip	4096
	.skip	STACK_BYTES
	.globl	stack_end
stack_end:

	.section .note.GNU-stack, "", @progbits
