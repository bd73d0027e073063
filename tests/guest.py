"""What the test groups in Python share: a guest on a terminal of its own.

Imported, never run. Starts build/plex86 and nothing else.
"""

import os
import pty
import select
import signal
import subprocess
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
BUILD = os.environ.get("BUILD", os.path.join(ROOT, "build"))
LINES = os.environ.get("BUILT_LINES", "6.12 6.1").split()
INITRD = os.path.join(BUILD, "initramfs.cpio.gz")
PROMPT = "# "


class Problem(Exception):
    """What a test has found, in words for its line."""


class Guest:
    """A running guest. Use as a context: it never outlives its test."""

    def __init__(self, line, append="", initrd=INITRD, options=()):
        args = [os.path.join(BUILD, "plex86"), "run",
                "--kernel", os.path.join(BUILD, f"linux-{line}", "vmlinux"),
                "--initrd", initrd, *options]
        if append:
            args += ["--append", append]
        self.said = ""
        self.mark = 0
        self.master, slave = pty.openpty()
        self.child = subprocess.Popen(args, stdin=slave, stdout=slave, stderr=slave,
                                      start_new_session=True)
        os.close(slave)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.child.poll() is None:
            os.killpg(self.child.pid, signal.SIGKILL)
            self.child.wait()
        os.close(self.master)
        for text in self.said.splitlines():
            print("\t" + text)

    def read(self, deadline):
        """More of the output; False at its end or when the time is up."""
        ready, _, _ = select.select([self.master], [], [], max(0, deadline - time.monotonic()))
        if not ready:
            return False
        try:
            data = os.read(self.master, 65536)
        except OSError:     # the other side is closed
            data = b""
        self.said += data.decode(errors="replace")
        return bool(data)

    def expect(self, text, seconds=30):
        """Wait for text after what was expected before."""
        deadline = time.monotonic() + seconds
        while (at := self.said.find(text, self.mark)) < 0:
            if not self.read(deadline):
                raise Problem(f"{text!r} did not come; last: {self.said[-80:]!r}")
        self.mark = at + len(text)

    def send(self, text):
        os.write(self.master, text.encode())

    def status(self, seconds=60):
        """Wait for the end; the exit status, as a shell has it."""
        deadline = time.monotonic() + seconds
        while self.read(deadline):
            pass
        try:
            status = self.child.wait(max(1, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            raise Problem(f"did not end; last: {self.said[-80:]!r}") from None
        return status if status >= 0 else 128 - status

    def ends(self, want, seconds=60):
        if (status := self.status(seconds)) != want:
            raise Problem(f"exit status {status}, wanted {want}; last: {self.said[-80:]!r}")


def run(tests, *args):
    """Run each test with args; print its line. True if all passed."""
    good = True
    for test in tests:
        name = "-".join([test.__name__.replace("_", "-"), *args])
        try:
            test(*args)
            print(f"ok {name}", flush=True)
        except (Problem, OSError) as problem:
            print(f"not ok {name}: {problem}", flush=True)
            good = False
    return good


def main(tests):
    results = [run(tests, line) for line in LINES]
    sys.exit(0 if all(results) else 1)
