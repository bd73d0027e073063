/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The jump of a try, and where it may land. All of it lies in one page, so that 32-bit code which
 * has just run there is a reason for 64-bit code to be mapped: a fault of 64-bit code is fatal to
 * the try.
 *
 * The landings and probes mean the same in both modes.
 */
#define __ASSEMBLY__
#include "layout.h"
#include "attack.h"

	.data
	.balign	4096
	.globl	try_in, try_gs
try_in:
	.fill	0x100
try_sp:	.long	0
try_gs:	.long	0
tried:	.long	0
	.balign	4096

	.text
	.balign	4096
	.globl	try_start, try_enter, try_jump_end, try_back, try_entry, try_ret
	.type	try_enter, @function
	.type	try_back, @function
	.type	try_entry, @function
try_start:
try_ret:
	ret

try_enter:
	pushal
	push	%gs
	push	%fs
	mov	%esp, try_sp
	/*
	 * A jump into the way out of the gates goes where the last IRET went. That
	 * be to here, not to what would go on with this try's registers.
	 */
	movl	$0, tried
	mov	$20, %eax			/* getpid */
	int	$0x80
	cmpl	$0, %cs:tried
	jne	again
	movl	$1, tried
	cmpl	$0, try_in + IN_WIDE
	jne	wide
	push	try_in + IN_FLAGS
	mov	%cs:try_in + IN_FS, %fs
	mov	%cs:try_in + IN_GS, %gs
	mov	%cs:try_in + IN_ES, %es
	mov	%cs:try_in + IN_DS, %ds
	mov	%cs:try_in + 0x00, %eax
	mov	%cs:try_in + 0x08, %ecx
	mov	%cs:try_in + 0x10, %edx
	mov	%cs:try_in + 0x18, %ebx
	mov	%cs:try_in + 0x28, %ebp
	mov	%cs:try_in + 0x30, %esi
	mov	%cs:try_in + 0x38, %edi
	popf
	mov	%cs:try_in + IN_SS, %ss
	mov	%cs:try_in + 0x20, %esp
	jmp	*%cs:try_in + IN_IP

wide:
	ljmp	$HOST_CS64, $1f
	.code64
1:
	push	try_in + IN_FLAGS(%rip)
	mov	try_in + IN_FS(%rip), %fs
	mov	try_in + IN_GS(%rip), %gs
	mov	try_in + IN_ES(%rip), %es
	mov	try_in + IN_DS(%rip), %ds
	mov	try_in + 0x00(%rip), %rax
	mov	try_in + 0x08(%rip), %rcx
	mov	try_in + 0x10(%rip), %rdx
	mov	try_in + 0x18(%rip), %rbx
	mov	try_in + 0x28(%rip), %rbp
	mov	try_in + 0x30(%rip), %rsi
	mov	try_in + 0x38(%rip), %rdi
	mov	try_in + 0x40(%rip), %r8
	mov	try_in + 0x48(%rip), %r9
	mov	try_in + 0x50(%rip), %r10
	mov	try_in + 0x58(%rip), %r11
	mov	try_in + 0x60(%rip), %r12
	mov	try_in + 0x68(%rip), %r13
	mov	try_in + 0x70(%rip), %r14
	mov	try_in + 0x78(%rip), %r15
	popfq
	mov	try_in + IN_SS(%rip), %ss
	mov	try_in + 0x20(%rip), %rsp
	jmp	*try_in + IN_IP(%rip)
	.code32
try_jump_end:

again:
	ud2

/* From the handler. */
try_back:
	mov	try_sp, %esp
	pop	%fs
	pop	%gs
	popal
	push	$0x202
	popf
	ret

/* A handler is entered with AC, NT and GS as the fault found them. */
try_entry:
	pushl	$0x202
	popf
	movw	try_gs, %gs
	jmp	try_handler

	.globl	try_land_pku, try_landed_pku, try_breached
	.balign	16
try_land_pku:
	.fill	16, 1, 0x90
	xor	%ecx, %ecx
	.byte	0x0f, 0x01, 0xee		/* rdpkru */
	.byte	0x3d				/* cmp $, %eax */
	.long	PKRU_USER
	jne	try_breached
try_landed_pku:
	ud2
try_breached:
	ud2

	.globl	try_land_plain, try_landed_plain
	.balign	16
try_land_plain:
	.fill	16, 1, 0x90
try_landed_plain:
	ud2

	/* Of the address in ESI. */
	.globl	try_read, try_read_done, try_write, try_write_done
try_read:
	mov	(%esi), %eax
try_read_done:
	ud2
try_write:
	lock orl $0, (%esi)
try_write_done:
	ud2

	.section .note.GNU-stack, "", @progbits
