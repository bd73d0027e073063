"""The instructions that the scanner must find, as assembly and as bytes.

Imported by tests/35-scanner. LISTED has one line for each way to write an
instruction: the assembler's, the scanner's name for it, and the verdict outside of
a site in a kernel whose configuration is not known. OTHERS must not be found.
"""

_READS = {"es": "native", "cs": "fault", "ss": "fault", "ds": "native", "fs": "native",
          "gs": "native"}


def _segments():
    for reg, verdict in _READS.items():
        name = f"read of {reg.upper()}"
        yield f"push %{reg}", name, verdict
        yield f"pushw %{reg}", name, verdict
        for to in "%eax", "%di", "(%ebx)", "0x1000(%ebp,%esi,4)", "%gs:(%edi)":
            yield f"mov %{reg}, {to}", name, verdict
        if reg != "cs":
            yield f"pop %{reg}", "segment load", "emulated"
            yield f"popw %{reg}", "segment load", "emulated"
            for of in "%eax", "%cx", "(%esi)", "4(%esp)", "0x12345678(,%eax,8)":
                yield f"mov {of}, %{reg}", "segment load", "emulated"
            yield f"mov %fs:(%esi), %{reg}", "segment load", "fault"
    for insn in "lds", "les", "lss", "lfs", "lgs":
        for operands in "(%eax), %ecx", "0x1234, %ebp", "8(%esp), %edi":
            yield f"{insn} {operands}", insn.upper(), "emulated"
        yield f"data16 {insn} (%eax), %ecx", insn.upper(), "emulated"


def _registers():
    for n in 0, 2, 3, 4:
        for reg in "eax", "esp", "edi":
            yield f"mov %cr{n}, %{reg}", "MOV from CR", "emulated"
            yield f"mov %{reg}, %cr{n}", "MOV to CR", "emulated"
    for n in range(8):
        yield f"mov %db{n}, %ecx", "MOV from DR", "emulated"
        yield f"mov %ecx, %db{n}", "MOV to DR", "emulated"
    yield "clts", "CLTS", "emulated"
    for operand in "%ax", "(%eax)", "0x10(%ebp)":
        yield f"lmsw {operand}", "LMSW", "emulated"
    yield "xsetbv", "XSETBV", "emulated"
    yield "xgetbv", "XGETBV", "native"


def _tables():
    for insn in "lgdt", "lidt":
        for operand in "(%eax)", "0x12345678", "-8(%esp)":
            yield f"{insn} {operand}", insn.upper(), "emulated"
        yield f"data16 {insn} (%eax)", insn.upper(), "emulated"
        yield f"{insn} %fs:(%eax)", insn.upper(), "fault"
        yield f"{insn} (%bx)", insn.upper(), "fault"
    for insn in "lldt", "ltr":
        for operand in "%ax", "(%eax)", "0x12345678":
            yield f"{insn} {operand}", insn.upper(), "emulated"
    for insn in "sgdt", "sidt":
        for operand in "(%eax)", "0x12345678", "%gs:8(%esp)":
            yield f"{insn} {operand}", insn.upper(), "fault"
    for insn in "sldt", "str", "smsw":
        for operand in "%eax", "%cx", "(%eax)", "0x12345678":
            yield f"{insn} {operand}", insn.upper(), "fault"
    for insn in "verr", "verw":
        for operand in "%cx", "(%eax)", "4(%esp)":
            yield f"{insn} {operand}", insn.upper(), "fault"
    for insn in "lar", "lsl":
        for operands in "%ecx, %eax", "%cx, %ax", "(%eax), %edx", "0x123(%esp), %si":
            yield f"{insn} {operands}", insn.upper(), "fault"
    for operand in "(%eax)", "0x12345678", "8(%esp,%ecx,2)":
        yield f"invlpg {operand}", "INVLPG", "emulated"


def _flags():
    for insn in "pushf", "pushfw":
        yield insn, "PUSHF", "fault"
    for insn in "popf", "popfw":
        yield insn, "POPF", "fault"
    for insn in "iret", "iretw":
        yield insn, "IRET", "fault"
    yield "cli", "CLI", "emulated"
    yield "sti", "STI", "emulated"
    yield "hlt", "HLT", "emulated"
    yield "cpuid", "CPUID", "fault"


def _ports():
    for reg in "al", "ax", "eax":
        yield f"in $0x80, %{reg}", "IN", "fault"
        yield f"in (%dx), %{reg}", "IN", "fault"
        yield f"out %{reg}, $0x80", "OUT", "fault"
        yield f"out %{reg}, (%dx)", "OUT", "fault"
    for size in "bwl":
        yield f"ins{size}", "INS", "fault"
        yield f"rep ins{size}", "INS", "fault"
        yield f"outs{size}", "OUTS", "fault"
        yield f"rep outs{size}", "OUTS", "fault"


def _far():
    yield "ljmp $0x10, $0x1000", "far JMP", "emulated"
    yield "ljmpw $0x10, $0x1000", "far JMP", "fault"
    yield "ljmp *(%eax)", "far JMP", "fault"
    yield "ljmp *0x12345678", "far JMP", "fault"
    yield "lcall $0x10, $0x1000", "far CALL", "fault"
    yield "lcallw $0x10, $0x1000", "far CALL", "fault"
    yield "lcall *4(%esp)", "far CALL", "fault"
    yield "lret", "far RET", "emulated"
    yield "lretw", "far RET", "fault"
    yield "lret $8", "far RET", "fault"


def _features():
    for insn in "rdmsr", "wrmsr":
        yield insn, insn.upper(), "fault"
    for insn in ("rdpmc", "monitor", "mwait", "monitorx", "mwaitx", "clac", "stac",
                 "rdtscp", "rdpkru", "sysenter", "sysexit"):
        yield insn, insn.upper(), "unreachable"
    yield "rdpid %eax", "RDPID", "unreachable"
    yield "invpcid (%eax), %ecx", "INVPCID", "unreachable"
    for insn in "xsaves", "xrstors":
        yield f"{insn} (%edi)", insn.upper(), "unreachable"
    for insn in "tpause", "umwait", "umonitor":
        yield f"{insn} %eax", insn.upper(), "unreachable"
    yield "wrpkru", "WRPKRU", "fault"
    yield "vmcall", "VMCALL", "fault"
    yield "vmmcall", "VMMCALL", "fault"
    for operand in "(%edi)", "8(%esp)", "0x12345678":
        yield f"xrstor {operand}", "XRSTOR", "emulated"
    for insn in "invd", "wbinvd":
        yield insn, insn.upper(), "emulated"
    yield "wbnoinvd", "WBINVD", "emulated"


def _host():
    yield "ud1 %eax, %esi", "UD1 IRET", "emulated"
    yield "ud1 %ecx, %esi", "UD1 CALL", "emulated"
    yield "ud1 %edx, %esi", "UD1 CPUID", "emulated"
    # NEXT must have something behind it.
    yield "ud1 %ebx, %esi", "UD1 NEXT", "fault"


LISTED = [case for part in (_segments, _registers, _tables, _flags, _ports, _far, _features, _host)
          for case in part()]

# Behind UD1 NEXT, all of these are the host's.
NEXT = [(insn, name) for insn, name, _ in _tables()
        if name in ("SGDT", "SIDT", "SLDT", "STR", "SMSW", "VERR", "VERW", "LAR", "LSL")
        and "%gs" not in insn]

OTHERS = """nop; ret; ret $4; call *%eax; call *(%eax); jmp *(%eax); push %eax; pop %eax; push $0xfa
mov $0x9c, %al; mov $0xfb, %bl; mov %gs:(%eax), %eax; add %fs:4, %eax; lahf; sahf; cld; std; clc; cmc
int3; int $0x80; ud2; rdtsc; fxsave (%eax); fxrstor (%eax); xsave (%eax); xsaveopt (%eax)
xsavec (%eax); clflush (%eax); lfence; mfence; sfence; rdrand %eax; rdseed %ecx; pause; into
lock cmpxchg8b (%eax); prefetchw (%eax); ldmxcsr (%eax); stmxcsr (%eax); fwait; arpl %ax, (%eax)
bound %eax, (%ecx); enter $8, $0; leave; xlat; aaa; daa; pusha; popa; ud1 %ecx, %eax; endbr32
movsb; rep movsl; stosl; cmpsb; lodsl; scasb; vzeroupper; vpaddd %ymm0, %ymm1, %ymm2
jmp .; jecxz .; loop .; test $0xf4, %al; lea 0xf4(%eax), %ecx"""


def source():
    """The assembly, a case a line, and the cases of LISTED by their line."""
    lines = [".text", ".globl _start", "_start:"]
    expected = {}
    for text, name, verdict in LISTED:
        lines.append(text + "; nop")
        expected[len(lines)] = (name, verdict)
    for text, name in NEXT:
        lines.append("ud1 %ebx, %esi")
        expected[len(lines)] = ("UD1 NEXT", "emulated")
        lines.append(text)
        expected[len(lines)] = (name, "emulated")
    for text in OTHERS.replace("\n", ";").split(";"):
        lines.append(text.strip())
    return "\n".join(lines) + "\n", expected


# Opcodes whose every ModRM byte is tried, behind each prefix.
OPCODES = ["8c", "8e", "c4", "c5", "ff", "0f00", "0f01", "0f02", "0f03", "0fb2", "0fb4", "0fb5",
           "0fae", "0fc7", "0f20", "0f21", "0f22", "0f23", "0fb9"]
SHORT = ["06", "0e", "16", "1e", "07", "17", "1f", "6c", "6d", "6e", "6f", "9c", "9d", "cb", "ca0400",
         "cf", "e480", "e580", "e680", "e780", "ec", "ed", "ee", "ef", "f4", "fa", "fb",
         "9a001000001000", "ea001000001000", "0f06", "0f08", "0f09", "0f30", "0f32", "0f33", "0f34",
         "0f35", "0fa0", "0fa1", "0fa2", "0fa8", "0fa9"]

# WBINVD, VMMCALL and RDPRU with a prefix that the CPU ignores.
OBJDUMP_LACKS = tuple(bytes.fromhex(code) for code in (
    "660f09", "f20f09", "660f01d9", "f20f01d9", "660f01fd", "f20f01fd", "f30f01fd"))


def encodings():
    """Every encoding as bytes, each followed by enough NOPs to be in step again."""
    for prefix in "", "66", "67", "f3", "f2", "2e", "64":
        for short in SHORT:
            yield bytes.fromhex(prefix + short) + b"\x90" * 15
        for opcode in OPCODES:
            for modrm in range(256):
                yield bytes.fromhex(prefix + opcode) + bytes([modrm]) + b"\x24" + b"\x90" * 15
