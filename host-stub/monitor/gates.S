/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The gates: code at PLEX86_GATES that passes between guest user code, guest
 * kernel and monitor without a signal.
 *
 * Everything here may be entered at any byte, in 32-bit or 64-bit mode, with
 * any registers, segments and flags.  So nothing that was checked before a
 * WRPKRU counts behind it: there come first the value just loaded, the code
 * segment (from here on the instructions mean what is written), the data
 * segments, and the virtual CPL, which guest user code cannot write; and what
 * is then stored and jumped to comes from memory that it cannot write either.
 *
 * A gate never resumes in its middle.  Whatever traps in one, gate.c makes of
 * the registers and GATE_USER the state at its start, and does the rest of it.
 * That is possible up to the store to GK_CPL, where the new mode begins.
 *
 * XRSTOR is another WRPKRU, of whatever PKRU the caller likes.
 *
 * "WRPKRU" is one instruction, which the launcher replaces by a NOP on a host
 * without protection keys; so is RDPKRU.  .gate_table says where they are.
 */
#include "image.h"
#include "layout.h"

#define FL_SLOW_ENTRY	0x00044500	/* AC, NT, DF, TF */
#define FL_SLOW_IRET	0x00034100	/* VM, RF, NT, TF */
#define FL_CARRIED	0x00240cd5	/* ID, AC and the arithmetic flags */
#define FL_USER		0x00000202

	.macro	WRPKRU
.Lwrpkru\@: .byte 0x0f, 0x01, 0xef
	.pushsection .gate_table.wrpkru, "a"
	.long	.Lwrpkru\@
	.popsection
	.endm

	/* Behind a load of PKRU: 32-bit code, and its data where it says. */
	.macro	CHECK_SEGMENTS
	mov	%cs, %ecx
	cmp	$HOST_CS32, %ecx
	jne	gate_slow
	mov	%ds, %ecx
	cmp	$HOST_DS, %ecx
	jne	gate_slow
	.endm

	.section .gates, "ax"
	.code32
	.globl	_start
_start:
gates_start:
	/* struct plex86_gates */
	.long	system_call
	.long	call
	.long	xrstor
	/*
	 * For each IRET site the address that its JMP goes to, and there the
	 * number by which gate.c knows where a fault of the IRET is reported.
	 * Not the site's address: the kernel's file says what that is, and so
	 * could put bytes of its choice here.
	 */
	stub = iret_stubs
	.rept	IMAGE_IRETS
	.long	stub
	stub = stub + 16
	.endr
	.balign	16
iret_stubs:
	number = 0
	.rept	IMAGE_IRETS
	movl	$number, %ss:GATE_KERNEL + GK_SITE
	.byte	0xe9				/* jmp, in its longer form */
	.long	iret - (. + 4)
	number = number + 1
	.endr

/*
 * System call: from user mode, by CALL with the INT 0x80 behind it.
 *
 * Where a segment is not the flat one it returns, and INT 0x80 does it.
 */
	.balign	64
system_call:
	push	%ecx
system_call_pushed:
	mov	%ds, %ecx
	cmp	$HOST_DS, %ecx
	jne	system_call_return
	mov	%es, %ecx
	cmp	$HOST_DS, %ecx
	jne	system_call_return
	mov	%ss, %ecx
	cmp	$HOST_DS, %ecx
	jne	system_call_return
	mov	4(%esp), %ecx
	mov	%ecx, GATE_USER + GU_EIP
	pop	%ecx
system_call_popped:
	mov	%eax, GATE_USER + GU_EAX
	mov	%ecx, GATE_USER + GU_ECX
	mov	%edx, GATE_USER + GU_EDX
	mov	%esp, GATE_USER + GU_ESP
system_call_saved:
	xor	%ecx, %ecx
	xor	%edx, %edx
	mov	$PKRU_KERNEL, %eax
	WRPKRU
	cmp	$PKRU_KERNEL, %eax
	jne	gate_slow
	CHECK_SEGMENTS
	mov	%ss, %ecx
	cmp	$HOST_DS, %ecx
	jne	gate_slow
	cmpl	$3, GATE_KERNEL + GK_CPL
	jne	gate_slow
	mov	GATE_KERNEL + GK_SP0, %ecx
	mov	(%ecx), %ecx
	mov	GATE_USER + GU_ESP, %edx
	lea	-8(%ecx), %esp
	pushf
	testl	$FL_SLOW_ENTRY, (%esp)
	jnz	gate_slow
	cmpl	$0, GATE_KERNEL + GK_ENTRY
	je	gate_slow
	add	$4, %edx
	movl	$HOST_DS, -4(%ecx)
	mov	%edx, -8(%ecx)
	mov	GATE_USER + GU_EIP, %edx
	push	$HOST_CS32
	add	$2, %edx			/* behind INT 0x80 */
	push	%edx
	movl	$0, PLEX86_INFO			/* vif */
	mov	GATE_USER + GU_EAX, %eax
	mov	GATE_USER + GU_ECX, %ecx
	mov	GATE_USER + GU_EDX, %edx
	movl	$0, GATE_KERNEL + GK_CPL
	jmp	*GATE_KERNEL + GK_ENTRY
system_call_end:

gate_slow:
	int	$GATE_INT_SLOW

system_call_return:
	pop	%ecx
	ret

/*
 * IRET of the guest kernel.  To user mode where nothing has to be looked at,
 * to kernel mode likewise; all else the monitor does.
 *
 * DS and ES are the user's by now, SS is flat.
 */
	.balign	64
iret:
	cmpl	$HOST_CS32, 4(%esp)
	jne	iret_kernel
	testl	$FL_SLOW_IRET, 8(%esp)
	jnz	iret_slow
	cmpl	$HOST_DS, 16(%esp)
	jne	iret_slow
	mov	%eax, %ss:GATE_USER + GU_EAX
	mov	%ecx, %ss:GATE_USER + GU_ECX
	mov	%edx, %ss:GATE_USER + GU_EDX
iret_saved:
	mov	(%esp), %eax
	mov	8(%esp), %ecx
	mov	12(%esp), %edx
	and	$FL_CARRIED, %ecx
	or	$FL_USER, %ecx
	mov	%eax, %ss:GATE_USER + GU_EIP
	mov	%ecx, %ss:GATE_USER + GU_EFLAGS
	mov	%edx, %ss:GATE_USER + GU_ESP
	mov	%ss:PLEX86_INFO + 8, %eax	/* irq_pending */
	and	%ss:PLEX86_INFO + 12, %eax	/* irq_enabled */
	or	%ss:GATE_KERNEL + GK_WORK, %eax
	jnz	iret_slow_saved
	movl	$0x200, %ss:PLEX86_INFO		/* vif */
	movl	$3, %ss:GATE_KERNEL + GK_CPL
iret_user:
	xor	%ecx, %ecx
	xor	%edx, %edx
	mov	$PKRU_USER, %eax
	WRPKRU
	cmp	$PKRU_USER, %eax
	jne	gate_slow
	mov	$GATE_USER + GU_EFLAGS, %esp
	popf
	mov	%ss:GATE_USER + GU_EAX, %eax
	mov	%ss:GATE_USER + GU_ECX, %ecx
	mov	%ss:GATE_USER + GU_EDX, %edx
	mov	%ss:GATE_USER + GU_ESP, %esp
	jmp	*%ss:GATE_USER + GU_EIP
iret_user_end:

iret_slow_saved:
	mov	%ss:GATE_USER + GU_EAX, %eax
	mov	%ss:GATE_USER + GU_ECX, %ecx
	mov	%ss:GATE_USER + GU_EDX, %edx
iret_slow:
	ljmp	$HOST_CS64, $to_monitor_iret

iret_kernel:
	cmpl	$0x10, 4(%esp)
	jne	iret_slow
	testl	$FL_SLOW_IRET | 0x40000, 8(%esp)
	jnz	iret_slow
	testl	$0x200, 8(%esp)
	jz	iret_kernel_off
	mov	%eax, %ss:GATE_KERNEL + GK_EAX
iret_kernel_saved:
	mov	%ss:PLEX86_INFO + 8, %eax
	and	%ss:PLEX86_INFO + 12, %eax
	mov	%ss:GATE_KERNEL + GK_EAX, %eax
iret_kernel_restored:
	jnz	iret_slow
	movl	$0x200, %ss:PLEX86_INFO
	jmp	1f
iret_kernel_off:
	movl	$0, %ss:PLEX86_INFO
1:
	movl	$HOST_CS32, 4(%esp)
iret_kernel_last:
	iretl

/*
 * XRSTOR of the guest kernel, with the caller's rights behind it or not at all.
 */
	.balign	64
xrstor:
	mov	%eax, GATE_KERNEL + GK_EAX
	mov	%ecx, GATE_KERNEL + GK_ECX
	mov	%edx, GATE_KERNEL + GK_EDX
xrstor_saved:
	xrstor	(%edi)
	xor	%ecx, %ecx
	mov	$PKRU_KERNEL, %eax
rdpkru:
	rdpkru
	cmp	$PKRU_KERNEL, %eax
	jne	gate_slow
	CHECK_SEGMENTS
	cmpl	$0, GATE_KERNEL + GK_CPL
	jne	gate_slow
	mov	GATE_KERNEL + GK_EAX, %eax
	mov	GATE_KERNEL + GK_ECX, %ecx
	mov	GATE_KERNEL + GK_EDX, %edx
	ret
xrstor_end:

/*
 * To the monitor: a HAL call, or an IRET that it has to do.
 */
	.balign	16
call:
	ljmp	$HOST_CS64, $to_monitor
	.code64
to_monitor:
	movabs	$MONITOR_BASE + MONITOR_CALL, %r11
	jmp	*%r11
to_monitor_iret:
	movabs	$MONITOR_BASE + MONITOR_IRET, %r11
	jmp	*%r11
gates_end:

	/* For gate.c: struct gate_table. */
	.section .gate_table, "a"
	.long	system_call, system_call_pushed, system_call_popped
	.long	system_call_saved, system_call_end, system_call_return
	.long	iret, iret_saved, iret_user, iret_user_end
	.long	iret_slow_saved, iret_slow
	.long	iret_kernel, iret_kernel_saved, iret_kernel_restored
	.long	iret_kernel_last, call, to_monitor_iret
	.long	gates_end, xrstor, xrstor_saved, xrstor_end, rdpkru

	.section .note.GNU-stack, "", @progbits
