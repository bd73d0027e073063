/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A disk that boots the PVI host: what is behind this code is put where the table
 * of tools/pvi-image says, and the host entered as by a Multiboot loader.
 *
 * The first sector loads the rest of this code and the table.  Then the BIOS (int
 * 13h, function 42h) reads 32 KiB at a time into low memory, and a turn in protected
 * mode copies them to their place.
 */
#define LOAD		0x7c00
#define TABLE		0x8000		/* behind two sectors of code */
#define CODE_SECTORS	3		/* these and the table */
#define STACK		0x7000
#define BUFFER		0x10000
#define BUFFER_SECTORS	64
#define MULTIBOOT_LOADED 0x2badb002
#define MEM_UPPER	8		/* offset in what the loader tells */

	.code16
	.text
	.globl	disk
disk:
	ljmp	$0, $1f
1:	cli
	xorw	%ax, %ax
	movw	%ax, %ds
	movw	%ax, %es
	movw	%ax, %ss
	movw	$STACK, %sp
	sti
	movb	%dl, drive

	movl	$1, lba
	movw	$CODE_SECTORS - 1, sectors
	movw	$0, at
	movw	$(LOAD + 512) / 16, at_segment
	call	read
	jmp	stage2

/* Reads what the packet says. */
read:
	movb	drive, %dl
	movb	$0x42, %ah
	movw	$packet, %si
	int	$0x13
	movw	$no_disk, %si
	jc	failed
	ret

failed:				/* says %si */
2:	lodsb
	testb	%al, %al
	jz	3f
	outb	%al, $0xe9
	movb	$0x0e, %ah		/* and to the screen */
	int	$0x10
	jmp	2b
3:	hlt
	jmp	3b

no_disk:
	.asciz	"plex86: the disk cannot be read\r\n"
drive:
	.byte	0
	.balign	4
packet:
	.byte	16, 0
sectors:
	.word	0
at:
	.word	0
at_segment:
	.word	0
lba:
	.long	0, 0

	.org	510
	.word	0xaa55

no_memory:
	.asciz	"plex86: the BIOS does not tell how much memory there is\r\n"

stage2:
	movw	$0x2401, %ax		/* A20 */
	int	$0x15
	inb	$0x92, %al
	orb	$2, %al
	andb	$0xfe, %al
	outb	%al, $0x92
	movw	$0, at
	movw	$BUFFER / 16, at_segment
	movw	$TABLE + 8, %bx		/* entries: sector, sectors, address */
next:
	movl	(%bx), %eax
	movl	%eax, lba
4:	movl	4(%bx), %eax
	testl	%eax, %eax
	jz	6f
	cmpl	$BUFFER_SECTORS, %eax
	jbe	5f
	movl	$BUFFER_SECTORS, %eax
5:	movw	%ax, sectors
	call	read
	movzwl	sectors, %ecx
	addl	%ecx, lba
	subl	%ecx, 4(%bx)
	shll	$9, %ecx
	movl	8(%bx), %edi
	addl	%ecx, 8(%bx)
	shrl	$2, %ecx
	movl	$BUFFER, %esi
	call	copy
	jmp	4b
6:	addw	$12, %bx
	cmpl	$0, 8(%bx)		/* the last has no address */
	jnz	next

	/* How much memory: AX or CX in KiB up to 16 MiB, BX or DX in 64 KiB. */
	xorw	%cx, %cx
	xorw	%dx, %dx
	movw	$0xe801, %ax
	int	$0x15
	movw	$no_memory, %si
	jc	failed
	testw	%cx, %cx
	jz	7f
	movw	%cx, %ax
	movw	%dx, %bx
7:	movzwl	%ax, %eax
	movzwl	%bx, %ebx
	cmpl	$15 * 1024, %eax	/* less: there is a hole, and it ends there */
	jb	8f
	shll	$6, %ebx
	addl	%ebx, %eax
8:	cli
	lgdt	gdt_pointer
	movl	%eax, %ecx
	movl	%cr0, %eax
	orb	$1, %al
	movl	%eax, %cr0
	ljmp	$8, $flat

/* Copies %ecx dwords from %esi to %edi, wherever that is. */
copy:
	cli
	lgdt	gdt_pointer
	movl	%cr0, %eax
	orb	$1, %al
	movl	%eax, %cr0
	ljmp	$8, $copy32
copied:
	movl	%cr0, %eax
	andb	$0xfe, %al
	movl	%eax, %cr0
	ljmp	$0, $9f
9:	xorw	%ax, %ax
	movw	%ax, %ds
	movw	%ax, %es
	sti
	ret

	.code32
copy32:
	movw	$16, %ax
	movw	%ax, %ds
	movw	%ax, %es
	cld
	rep movsl
	movw	$32, %ax
	movw	%ax, %ds
	movw	%ax, %es
	ljmp	$24, $copied

flat:
	movw	$16, %ax
	movw	%ax, %ds
	movw	%ax, %es
	movw	%ax, %ss
	movl	TABLE, %ebx		/* what the loader tells */
	movl	%ecx, MEM_UPPER(%ebx)
	movl	$MULTIBOOT_LOADED, %eax
	jmp	*TABLE + 4

	.balign	8
gdt:
	.quad	0, 0x00cf9a000000ffff, 0x00cf92000000ffff
	.quad	0x00009a000000ffff, 0x000092000000ffff	/* 16 bits, to go back */
gdt_pointer:
	.word	. - gdt - 1
	.long	gdt

	.org	TABLE - LOAD

	.section .note.GNU-stack, "", @progbits
