/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The boot sector: loads SECTORS sectors behind it to LOAD_ADDR by BIOS int
 * 13h, function 42h, enters flat protected mode and jumps there.
 */
	.code16
	.text
	.globl	boot
boot:
	ljmp	$0, $1f
1:	cli
	xorw	%ax, %ax
	movw	%ax, %ds
	movw	%ax, %ss
	movw	$0x7c00, %sp
	sti
	movb	%dl, drive

	movw	$SECTORS, %cx
2:	pushw	%cx
	movb	drive, %dl
	movb	$0x42, %ah
	movw	$packet, %si
	int	$0x13
	popw	%cx
	jc	failed
	incl	packet_lba
	addw	$512 / 16, packet_segment
	loop	2b

	cli
	lgdt	gdt_pointer
	movl	%cr0, %eax
	orb	$1, %al
	movl	%eax, %cr0
	ljmp	$8, $flat

failed:
	movw	$message, %si
3:	lodsb
	outb	%al, $0xe9
	testb	%al, %al
	jnz	3b
4:	hlt
	jmp	4b

	.code32
flat:
	movw	$16, %ax
	movw	%ax, %ds
	movw	%ax, %es
	movw	%ax, %ss
	movl	$LOAD_ADDR, %eax
	jmp	*%eax

message:
	.asciz	"not ok boot: disk read error\n"
drive:
	.byte	0
	.balign	4
packet:
	.byte	16, 0
	.word	1			/* one sector a call */
	.word	0
packet_segment:
	.word	LOAD_ADDR / 16
packet_lba:
	.long	1, 0

	.balign	8
gdt:
	.quad	0, 0x00cf9a000000ffff, 0x00cf92000000ffff
gdt_pointer:
	.word	. - gdt - 1
	.long	gdt

	.org	510
	.word	0xaa55

	.section .note.GNU-stack, "", @progbits
