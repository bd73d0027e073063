"""What the benchmarks share: where things are, the programs they measure with, and
QEMU's emulator as a machine.

Imported, never run.
"""

import os
import pathlib
import re
import shutil
import subprocess

ROOT = pathlib.Path(__file__).resolve().parent.parent
BUILD = pathlib.Path(os.environ.get("BUILD", ROOT / "build")).resolve()
SOURCE = ROOT / "tests" / "bench"


class Failure(Exception):
    """Something that ends the run; the text says what and what to do."""


def relative(path):
    """A path as a reader at the top of the tree would write it."""
    try:
        return str(pathlib.Path(path).resolve().relative_to(ROOT))
    except ValueError:
        return str(path)


def tool(command):
    """Run a helper; its own words are enough when it fails."""
    try:
        subprocess.run(command, check=True, cwd=ROOT)
    except OSError as error:
        raise Failure(f"{command[0]}: {error.strerror}") from None
    except subprocess.CalledProcessError as error:
        raise Failure(f"{relative(command[0])}: failed"
                      f" ({error.returncode})") from None


def output_of(command):
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, check=False)
    text = done.stdout.decode(errors="replace")
    if done.returncode:
        said = (done.stderr.decode(errors="replace") or text).strip()
        raise Failure(f"{command[0]}: status {done.returncode}: {said[-300:]}")
    return text


def isolation_of_host(plex86):
    """What the host has of --isolation; that it lacks keys is no failure."""
    try:
        said = subprocess.run([plex86, "host"], stdout=subprocess.PIPE,
                              text=True, check=False).stdout
    except OSError as error:
        raise Failure(f"{relative(plex86)}: {error.strerror}") from None
    keys = re.search(r"^protection keys +yes", said, re.MULTILINE)
    return "keys" if keys else "none"


def compile_program(name, sources, *flags):
    """The sources are all it is made from, headers included."""
    program = BUILD / "bench" / name
    if not program.exists() or program.stat().st_mtime < max(
            source.stat().st_mtime for source in sources):
        program.parent.mkdir(parents=True, exist_ok=True)
        tool([os.environ.get("CC", "gcc"), *flags, "-O2", "-std=gnu11",
              "-Wall", "-Wextra", "-Werror", "-o", program,
              *(source for source in sources if source.suffix == ".c")])
    return program


def build_program():
    return compile_program("bench32", sorted(SOURCE.glob("*.[ch]")),
                           "-m32", "-static")


class Emulator:
    """QEMU's TCG with a plain build of a guest's kernel."""

    # A restart by triple fault ends qemu under -no-reboot.
    append = "quiet panic=-1 console=ttyS0 reboot=t"

    def __init__(self, qemu, kernel, program):
        self.qemu = qemu
        self.kernel = kernel
        # TCG's time stamp counter is the host's. The kernel must be told its
        # rate and that it can be trusted: a PIT that is emulated on a busy
        # processor is no measure, and without a counter each clock_gettime
        # would read that PIT.
        khz = output_of([program, "--tsc-khz"]).strip()
        self.clock = f" tsc=reliable tsc_early_khz={khz}"

    def command(self, initrd, mem, append, devices=()):
        return [self.qemu, "-accel", "tcg", "-m", str(mem), "-nodefaults", "-no-user-config",
                "-display", "none", "-serial", "stdio", "-no-reboot", "-kernel", self.kernel,
                *(["-initrd", initrd] if initrd else []), *devices, "-append", append + self.clock]


def find_emulator(line, program, kernel=None):
    """An Emulator; None where there is no QEMU. Without a kernel one is built."""
    qemu = shutil.which("qemu-system-i386")
    if not qemu:
        print("TCG left out: qemu-system-i386 is not installed")
        return None
    if not kernel:
        tool([ROOT / "tools" / "bench-kernel", line])
        kernel = BUILD / f"plain-{line}/arch/x86/boot/bzImage"
    return Emulator(qemu, kernel, program)
