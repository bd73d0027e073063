# SPDX-License-Identifier: GPL-2.0
#
# The plex86 assembler macros: every instruction that misbehaves without a trap
# at CPL 3 gets its ring-0 meaning back.
#
# The assembler reads this file before each source file of the kernel (gas
# concatenates its inputs, so one -Wa,macros.s does it), and a macro named like
# an instruction then replaces it everywhere, inline assembly included.
#
# What is emitted is the PVI form: CR4.PVI = 1, CPL 3, IOPL 0, where CLI and
# STI act on EFLAGS.VIF (SDM vol. 3, 21.4, "Protected-Mode Virtual
# Interrupts").  A host without PVI writes the shared-page form over the sites,
# which it finds in section .plex86_sites; the site lengths leave room for it.
# abi/plex86-abi.md, "Sites", gives both forms byte by byte.
#
# All macros keep every flag and register that the instruction they replace
# keeps, and use only the stack below %esp (i386 kernel code has no red zone).
# Inside, an original instruction is written as bytes or as "{load} insn",
# because a macro name is looked up only as the first word of a statement.

.macro PLEX86_SITE kind len
	.pushsection .plex86_sites, "a"
	.balign 4
	.long .Lplex86_site\@
	.byte \kind, \len, 0, 0
	.popsection
.Lplex86_site\@:
.endm

# CLI and STI: the instruction itself.  The padding comes first, so that STI
# directly precedes what follows it: nothing comes between STI and HLT.
.macro cli
	PLEX86_SITE 1 7
	.byte 0x66, 0x0f, 0x1f, 0x44, 0x00, 0x00	# nop
	.byte 0xfa
.endm

.macro sti
	PLEX86_SITE 2 7
	.byte 0x66, 0x0f, 0x1f, 0x44, 0x00, 0x00	# nop
	.byte 0xfb
.endm

# PUSHF: IF (bit 9) of the image is VIF (bit 19); VIF and VIP (bit 20) do not
# show.  The second PUSHF keeps the flags that the work in between changes.
.macro pushf
	PLEX86_SITE 3 28
	.byte 0x9c			# pushf		the image
	.byte 0x9c			# pushf		the flags to come back to
	pushl	%eax
	movl	8(%esp), %eax
	andl	$0xffe7fdff, %eax
	testb	$0x08, 10(%esp)		# VIF
	{disp8} jz .Lplex86_off\@
	orb	$0x02, %ah		# IF
.Lplex86_off\@:
	movl	%eax, 8(%esp)
	popl	%eax
	.byte 0x9d			# popf
.endm

# POPF: VIF becomes IF of the image, the rest is POPF's own.  An STI that finds
# VIP set raises #GP and so reaches the host.
.macro popf
	PLEX86_SITE 4 14
	.byte 0x66, 0x90		# nop
	testb	$0x02, 1(%esp)		# IF
	{disp8} jz .Lplex86_off\@
	.byte 0xfb			# sti
	{disp8} jmp .Lplex86_end\@
.Lplex86_off\@:
	.byte 0xfa			# cli
.Lplex86_end\@:
	.byte 0x9d			# popf
.endm

# IRET: always the host's, by UD1.  A fault in the virtual IRET is reported at
# the first byte.
.macro iret
	PLEX86_SITE 5 7
	.byte 0x0f, 0xb9, 0xf0
	.byte 0x0f, 0x1f, 0x40, 0x00	# nop
.endm

# A HAL call, for asm/plex86_call.h: by UD1 too, or a call of host code.
.macro plex86_hal_call
	PLEX86_SITE 6 6
	.byte 0x0f, 0xb9, 0xf1
	.byte 0x0f, 0x1f, 0x00		# nop
.endm

# For the vDSO, right before INT 0x80: host code that makes the system call and
# returns behind the INT, or returns to it.  It calls through the first word of
# PLEX86_GATES.
.macro plex86_system_call
	call	*0xffc02000
.endm

# For the vDSO's sigreturn stubs, which are their SYSCALL_ENTER_KERNEL: the word
# that CALL writes is the frame's signal number or its return address, which the
# kernel does not read back.
.macro plex86_sigreturn
	plex86_system_call
	int	$0x80
.endm

.macro pushfl
	pushf
.endm

.macro popfl
	popf
.endm

.macro iretl
	iret
.endm

# CPUID: always the host's.
.macro cpuid
	.byte 0x0f, 0xb9, 0xf2
.endm

# Reads of system registers that do not trap (or that a UMIP host answers with
# dummies): a UD1 that says "emulate the next instruction", and the instruction.
.macro PLEX86_NEXT insn operands:vararg
	.byte 0x0f, 0xb9, 0xf3
	{load} \insn \operands
.endm

.irp insn, sgdt, sidt, sldt, str, smsw, lar, lsl, verr, verw
.macro \insn operands:vararg
	PLEX86_NEXT \insn \operands
.endm
.endr

.irp insn, sgdtl, sidtl, sgdtw, sidtw, sldtw, sldtl, strw, strl, smsww, smswl, larl, lsll
.macro \insn operands:vararg
	PLEX86_NEXT \insn \operands
.endm
.endr

# XRSTOR can load PKRU, so a host that isolates by protection keys does it for
# the guest.  The kernel has it with this operand only; the mask is in EDX:EAX.
.macro xrstor operand
	.ifnc "\operand", "(%edi)"
	.error "xrstor is a site with the operand (%edi) only"
	.endif
	PLEX86_SITE 7 6
	.byte 0x0f, 0xae, 0x2f
	.byte 0x0f, 0x1f, 0x00		# nop
.endm

# A load of PKRU would break a host that isolates by protection keys; an i386
# kernel has no use for it.
.macro wrpkru
	.error "wrpkru is not virtualizable"
.endm
