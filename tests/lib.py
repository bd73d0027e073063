"""What the system test groups share: results, guests and what watches them.

Imported, never run. A test is a function that returns (with a remark, if it
has one) when what it checks holds, and raises Failed or Skipped when not.

A group keeps what it makes in WORK, below build/tests. It starts build/plex86
and ends what it started, by process id.
"""

import fcntl
import os
import pty
import re
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import termios
import threading
import time

TESTS = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(TESTS)
BUILD = os.environ.get("BUILD", os.path.join(ROOT, "build"))
SPACES = 6      # processes of one VM that run its guest
KEEPERS = 2     # and that tidy up
LINES = os.environ.get("BUILT_LINES", "6.12 6.1").split()
PLEX86 = os.path.join(BUILD, "plex86")
INITRD = os.path.join(BUILD, "initramfs.cpio.gz")
CONFORM = os.path.join(BUILD, "conform")
WORK = os.path.join(BUILD, "tests", os.path.basename(sys.argv[0]) + ".d")
HOSTILE = os.path.join(WORK, "hostile")

# Not a measure of speed: what has not happened by then is not going to.
HANG_S = 40

# The guest's side of Guest.ask(). A request is a line, a number and a command;
# the answer ends with a line of the number and the command's status.
AGENT = r"""#!/bin/sh
dmesg -n 1
stty -echo -onlcr
echo agent ready
while read -r number command; do
	eval "$command" < /dev/null
	echo "<$number:$?>"
done
"""


class Failed(Exception):
    """What a test has found, in words for its line."""


class Skipped(Exception):
    """Why a test cannot be done here."""


def kernel(line):
    return os.path.join(BUILD, f"linux-{line}", "vmlinux")


def note(text):
    """A figure worth keeping, for the log."""
    print(f"# {text}", flush=True)


# --- Results

def check(name, test, *args):
    """Run one test and print its line; True unless it failed.

    Words behind the name of the group choose the tests that have one in theirs.
    """
    if sys.argv[1:] and not any(word in name for word in sys.argv[1:]):
        return True
    try:
        remark = test(*args)
    except Skipped as why:
        print(f"skip {name}: {why}", flush=True)
        return True
    except (Failed, OSError, ValueError, subprocess.SubprocessError) as why:
        text = " ".join(str(why).split()) or type(why).__name__
        print(f"not ok {name}: {text}", flush=True)
        return False
    print(f"ok {name}" + (f" ({remark})" if remark else ""), flush=True)
    return True


def check_lines(tests):
    """Each test on each line, which is its argument."""
    for line in LINES:
        for test in tests:
            check(f"{test.__name__.replace('_', '-')}-{line}", test, line)


def begin():
    """An empty WORK; the end of this group ends what it has started."""
    shutil.rmtree(WORK, ignore_errors=True)
    os.makedirs(WORK)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))


def same(what, is_, want):
    if is_ != want:
        raise Failed(f"{what} is {is_!r}, wanted {want!r}")


def hold(condition, text):
    if not condition:
        raise Failed(text)


def shown(data, n=200):
    """The end of some output, for a reason."""
    return repr(bytes(data[-n:]).decode(errors="replace"))


# --- Processes

def children(pid):
    found = []
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                with open(f"/proc/{name}/stat", encoding="latin-1") as f:
                    fields = f.read().rpartition(")")[2].split()
            except OSError:
                continue
            if int(fields[1]) == pid:
                found.append(int(name))
    return found


def process_state(pid):
    """The letter of ps, or None when there is no such process."""
    try:
        with open(f"/proc/{pid}/stat", encoding="latin-1") as f:
            return f.read().rpartition(")")[2].split()[0]
    except OSError:
        return None


def alive(pid):
    return process_state(pid) not in (None, "Z", "X")


def cpu_ns(pid):
    """What a process has used of a processor."""
    with open(f"/proc/{pid}/schedstat", encoding="latin-1") as f:
        return int(f.read().split()[0])


def process_status(pid, key):
    with open(f"/proc/{pid}/status", encoding="latin-1") as f:
        for text in f:
            name, _, value = text.partition(":")
            if name == key:
                return value.strip()
    raise Failed(f"/proc/{pid}/status has no {key}")


def descriptors(pid):
    """What each descriptor is; those of a socket or pipe without a number."""
    found = []
    for fd in os.listdir(f"/proc/{pid}/fd"):
        try:
            found.append(re.sub(r"\d+", "N", os.readlink(f"/proc/{pid}/fd/{fd}")))
        except OSError:
            pass
    return sorted(found)


def wait_until(condition, what, seconds=HANG_S):
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise Failed(f"{what}: not within {seconds} s")
        time.sleep(0.02)


# --- Kernel files

class Image:
    """A kernel file to be damaged: its bytes, and where things are in it."""

    TEXT = struct.Struct("<8I")         # Elf32_Phdr
    PT_LOAD, PT_NOTE = 1, 4

    def __init__(self, line):
        with open(kernel(line), "rb") as f:
            self.data = bytearray(f.read())
        self.phoff, = struct.unpack_from("<I", self.data, 28)
        self.entry, = struct.unpack_from("<I", self.data, 24)
        self.phnum, = struct.unpack_from("<H", self.data, 44)

    def header(self, n):
        """type, offset, vaddr, paddr, filesz, memsz, flags, align"""
        return list(self.TEXT.unpack_from(self.data, self.phoff + n * self.TEXT.size))

    def put_header(self, n, fields):
        self.TEXT.pack_into(self.data, self.phoff + n * self.TEXT.size, *fields)

    def find(self, kind):
        return [n for n in range(self.phnum) if self.header(n)[0] == kind]

    def at(self, paddr):
        """Where in the file the byte of a physical address is."""
        for n in self.find(self.PT_LOAD):
            _, offset, _, start, size, *_ = self.header(n)
            if start <= paddr < start + size:
                return offset + paddr - start
        raise Failed(f"the kernel file has nothing at {paddr:#x}")

    def note(self):
        """Where in the file the header of the plex86 note is."""
        for n in self.find(self.PT_NOTE):
            _, at, _, _, size, *_ = self.header(n)
            end = at + size
            while at + 12 <= end:
                names, descs, _ = struct.unpack_from("<3I", self.data, at)
                if self.data[at + 12:at + 12 + names] == b"plex86\0":
                    return at
                at += 12 + (names + 3 & ~3) + (descs + 3 & ~3)
        raise Failed("the kernel file has no plex86 note")

    def save(self, name):
        path = os.path.join(WORK, name)
        with open(path, "wb") as f:
            f.write(self.data)
        return path


# --- Guests

def with_agent(*files):
    """An initramfs with the agent, and with SRC=DEST files; made once."""
    names = "-".join(["agent"] + [os.path.basename(f) for f in files])
    out = os.path.join(WORK, names + ".cpio.gz")
    if not os.path.exists(out):
        agent = os.path.join(WORK, "agent")
        with open(agent, "w", encoding="ascii") as f:
            f.write(AGENT)
        os.chmod(agent, 0o755)
        args = [os.path.join(ROOT, "tools", "mkinitramfs"), "-b", INITRD,
                "-f", f"{agent}=/bin/agent", "-o", out]
        for f in files:
            args += ["-f", f]
        subprocess.run(args, check=True)
    return out


def isolation():
    """What the host has of --isolation."""
    host = subprocess.run([PLEX86, "host"], stdout=subprocess.PIPE, check=False).stdout
    return "keys" if re.search(rb"protection keys +yes", host) else "none"


ISOLATION = isolation()


def command_line(line, *options, kernel_file=None, initrd=INITRD, append=""):
    args = [PLEX86, "run", "--isolation", ISOLATION, "--kernel", kernel_file or kernel(line)]
    if kernel_file:         # made here, to be wrong in some way
        args += ["--unchecked"]
    if initrd:
        args += ["--initrd", initrd]
    if append:
        args += ["--append", append]
    return args + list(options)


def expected_removed(err):
    """Standard error without what is said of --isolation=none, which has a test of its own."""
    return re.sub(rb"^plex86: --isolation=none: .*\n", b"", err, flags=re.MULTILINE)


def run(args, seconds=HANG_S, **more):
    """A run of plex86 that gets no input, from its start to its end.

    The answer has returncode, stdout and stderr. One that does not end is
    ended, and is a failure.
    """
    more.setdefault("stdin", subprocess.DEVNULL)
    more.setdefault("stdout", subprocess.PIPE)
    more.setdefault("stderr", subprocess.PIPE)
    child = subprocess.Popen(args, start_new_session=True, **more)
    try:
        out, err = child.communicate(timeout=seconds)
    except BaseException as why:
        child.kill()
        out, err = child.communicate()
        if isinstance(why, subprocess.TimeoutExpired):
            raise Failed(f"no end after {seconds} s; last: {shown(out or b'')}") from None
        raise
    return subprocess.CompletedProcess(args, child.returncode, out or b"",
                                       expected_removed(err or b""))


def run_command(line, command, *options, quiet=True, seconds=HANG_S):
    """Boot, have the guest do a shell command without a double quote, end."""
    append = ("quiet " if quiet else "") + f'plex86.exec="{command}"'
    return run(command_line(line, *options, append=append), seconds)


def ended(done, status=0):
    hold(done.returncode == status,
         f"exit status {done.returncode}, wanted {status}; stderr: {shown(done.stderr)}; "
         f"last of stdout: {shown(done.stdout)}")
    return done


def write_all(fd, data, seconds=HANG_S):
    """Write to somebody who may have stopped reading."""
    problem = []

    def write():
        left = data
        try:
            while left:
                left = left[os.write(fd, left):]
        except OSError as why:
            problem.append(why)

    writer = threading.Thread(target=write, daemon=True)
    writer.start()
    writer.join(seconds)
    if writer.is_alive():
        raise Failed(f"{len(data)} bytes of input were not taken within {seconds} s")
    if problem:
        raise Failed(f"input: {problem[0].strerror}")


class Reader(threading.Thread):
    """Takes what a descriptor gives, until its end."""

    def __init__(self, fd):
        super().__init__(daemon=True)
        self.fd = fd
        self.data = bytearray()
        self.news = threading.Condition()
        self.over = False
        self.start()

    def run(self):
        while True:
            try:
                data = os.read(self.fd, 65536)
            except OSError:         # a terminal whose other side is closed
                data = b""
            with self.news:
                self.data += data
                self.over = not data
                self.news.notify_all()
            if not data:
                return


class Guest:
    """A guest to talk to. Use as a context: it never outlives its test.

    on_pty: its console is a terminal of its own, self.master the other side;
    else two pipes. What it says is self.out.data, and after it has ended what
    plex86 itself said is self.errors().
    """

    def __init__(self, args, on_pty=False, size=None, reachable=False, **more):
        self.place = None
        if reachable:
            args = self.copied(args)
            more["cwd"] = "/"
        self.master = None
        self.cursor = 0
        self.requests = 0
        self.before = None
        err_r, err_w = os.pipe()
        if on_pty:
            self.master, slave = pty.openpty()
            if size:
                self.resize(*size)
            self.before = termios.tcgetattr(slave)
            self.child = subprocess.Popen(args, stdin=slave, stdout=slave, stderr=err_w,
                                          start_new_session=True, **more)
            # Held, so that its settings can be read after plex86 is gone.
            self.slave = slave
            self.out = Reader(self.master)
        else:
            self.child = subprocess.Popen(args, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                          stderr=err_w, start_new_session=True, **more)
            self.out = Reader(self.child.stdout.fileno())
        os.close(err_w)
        self.err_fd = err_r
        self.err = Reader(err_r)
        self.pid = self.child.pid

    def copied(self, args):
        """The same with files that another user can read."""
        self.place = tempfile.TemporaryDirectory()
        os.chmod(self.place.name, 0o755)
        out = []
        for n, arg in enumerate(args):
            if n == 0 or args[n - 1] in ("--kernel", "--initrd"):
                arg = shutil.copy2(arg, self.place.name)
                os.chmod(arg, 0o755)
            out.append(arg)
        return out

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        if self.child.poll() is None:
            self.child.send_signal(signal.SIGCONT)
            self.child.kill()
            self.child.wait()
        self.err.join(5)
        if self.master is None:
            self.child.stdin.close()
            self.out.join(5)
            self.child.stdout.close()
        else:
            os.close(self.slave)
            self.out.join(5)
            os.close(self.master)
        os.close(self.err_fd)
        if self.place:
            self.place.cleanup()
        if kind:
            for text in bytes(self.out.data + self.err.data).decode(errors="replace").splitlines():
                print("\t" + text)

    # Talk

    def send(self, data):
        if isinstance(data, str):
            data = data.encode()
        fd = self.child.stdin.fileno() if self.master is None else self.master
        write_all(fd, data)

    def expect(self, pattern, seconds=HANG_S, reader=None):
        """Wait for a pattern (bytes) behind what was expected before."""
        reader = reader or self.out
        compiled = re.compile(pattern, re.S | re.M)
        deadline = time.monotonic() + seconds
        with reader.news:
            while True:
                start = self.cursor if reader is self.out else 0
                found = compiled.search(reader.data, start)
                if found:
                    if reader is self.out:
                        self.cursor = found.end()
                    return found
                left = deadline - time.monotonic()
                if reader.over or left <= 0:
                    why = "the output ended" if reader.over else f"not within {seconds} s"
                    raise Failed(f"{pattern!r} did not come ({why}); last: {shown(reader.data)}; "
                                 f"stderr: {shown(self.err.data)}")
                reader.news.wait(left)

    def ready(self):
        self.expect(rb"^agent ready\r?\n")

    def ask(self, command, seconds=HANG_S, status=0):
        """A command's output, from the agent; it is to end with status."""
        self.requests += 1
        self.send(f"{self.requests} {command}\n")
        found = self.expect(rb"(.*?)<%d:(\d+)>\r?\n" % self.requests, seconds)
        said = found[1].decode(errors="replace").replace("\r\n", "\n")
        if status is not None and int(found[2]) != status:
            raise Failed(f"in the guest: {command}: status {int(found[2])}: {said[-200:]!r}")
        return said

    def errors(self):
        return expected_removed(bytes(self.err.data)).decode(errors="replace")

    # Watch

    def spaces(self):
        """The processes that run the guest."""
        def found():
            return [p for p in children(self.pid)
                    if process_status(p, "Name") == "plex86-space"]
        wait_until(lambda: len(found()) == SPACES, f"plex86 has not its {SPACES} spaces")
        return found()

    def resize(self, rows, cols):
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, cols, 0, 0))

    def attributes(self):
        return termios.tcgetattr(self.slave)

    def signal(self, number):
        self.child.send_signal(number)

    def ends(self, status, seconds=HANG_S):
        """Wait for the end; status is as a shell has it."""
        try:
            got = self.child.wait(seconds)
        except subprocess.TimeoutExpired:
            raise Failed(f"no end after {seconds} s; last: {shown(self.out.data)}") from None
        self.err.join(5)
        got = 128 - got if got < 0 else got
        hold(got == status, f"exit status {got}, wanted {status}; "
             f"stderr: {self.errors()[-300:]!r}; last: {shown(self.out.data)}")


def build_hostile():
    """A host that is wrong about a device."""
    host = os.path.join(ROOT, "host-stub")
    subprocess.run(["gcc", "-O2", "-std=gnu11", "-Wall", "-Wextra", "-Werror", f"-I{ROOT}/abi",
                    f"-I{host}/core", f"-I{host}/monitor", "-o", HOSTILE,
                    os.path.join(ROOT, "tests", "net", "hostile.c")], check=True)


def hostile(g, *words, stopped=False):
    """Have it at device 1 of this guest, in place of the launcher or beside it; what it says."""
    if stopped:
        g.signal(signal.SIGSTOP)
    try:
        done = subprocess.run([HOSTILE, str(g.pid), "1", *map(str, words)], stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, check=False)
    finally:
        if stopped:
            g.signal(signal.SIGCONT)
    hold(done.returncode == 0, f"hostile: {done.stderr.decode().strip()}")
    return done.stdout.decode().strip()


def ordinary():
    """For Guest: not as root. Its files must be within that user's reach."""
    if os.geteuid():
        return {}
    return dict(user=65534, group=65534, extra_groups=[], reachable=True)


def agent(line, *options, files=(), on_pty=False, size=None, append="", **more):
    """A guest that waits for Guest.ask()."""
    append = f"{append} plex86.exec=agent".strip()
    return Guest(command_line(line, *options, initrd=with_agent(*files), append=append),
                 on_pty=on_pty, size=size, **more)
