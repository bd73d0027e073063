"""What the network's tests and its benchmark share: the other end of connections
(tests/net/nettool.c) on either side, guests with interfaces, and namespaces to
put tap devices into.

Imported, never run; see lib.py.
"""

import os
import re
import select
import socket
import subprocess

from lib import Failed, Guest, ROOT, Skipped, WORK, agent, command_line, hold, wait_until, with_agent

NETTOOL = os.path.join(WORK, "nettool")
NETTOOL_FILE = f"{NETTOOL}=/bin/nettool"
TRANSFER = 100 << 20


def build_nettool():
    """The other end of connections, for guest and host."""
    subprocess.run(["gcc", "-m32", "-static", "-O2", "-std=gnu11", "-Wall", "-Wextra", "-Werror",
                    "-o", NETTOOL, os.path.join(ROOT, "tests", "net", "nettool.c")], check=True)


def guest(line, *nets, append="", options=(), **more):
    """An agent with nettool and these interfaces."""
    words = [word for net in nets for word in ("--net", net)]
    g = agent(line, *words, *options, files=(NETTOOL_FILE,), append=append, **more)
    try:
        g.ready()
    except Failed:
        g.__exit__(Failed)
        raise
    return g


def leave(g):
    g.send("0 poweroff -f\n")
    g.ends(0)


class Tool:
    """nettool on the host, perhaps in a namespace."""

    def __init__(self, *args, inside=None):
        self.args = args
        command = [NETTOOL, *map(str, args)]
        self.child = subprocess.Popen(inside.command(*command) if inside else command,
                                      stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                      start_new_session=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.child.poll() is None:
            self.child.kill()
        self.child.communicate()

    def listening(self):
        ready, _, _ = select.select([self.child.stdout], [], [], 10)
        hold(ready and self.child.stdout.readline() == b"listening\n",
             f"nettool {self.args} does not listen")
        return self

    def ends(self, seconds=120):
        try:
            out, err = self.child.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            raise Failed(f"nettool {self.args}: no end after {seconds} s") from None
        hold(self.child.returncode == 0, f"nettool {self.args}: {err.decode().strip()}")
        return out.decode()


def mbits(said):
    return float(re.search(r"ok \d+ [\d.]+ ([\d.]+)", said)[1])


def free_port(kind=socket.SOCK_STREAM):
    with socket.socket(socket.AF_INET, kind) as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def static(g, address, device="eth0"):
    g.ask(f"ip link set {device} up; ip addr add {address} dev {device}")


def carrier(g, want, device="eth0"):
    wait_until(lambda: g.ask(f"cat /sys/class/net/{device}/carrier").strip() == want,
               f"carrier {want} of {device}", 15)


def both_ways(g, address, inside=None, bytes_=TRANSFER):
    """The guest connects; returns what was measured, out and in."""
    rates = []
    port = free_port()
    with Tool("take", port, bytes_, inside=inside).listening() as tool:
        g.ask(f"nettool send {address} {port} {bytes_}", 120)
        rates.append(mbits(tool.ends()))
    with Tool("give", port, bytes_, inside=inside).listening() as tool:
        rates.append(mbits(g.ask(f"nettool fetch {address} {port} {bytes_}", 120)))
        tool.ends()
    return "guest to host {:.0f} Mbit/s, host to guest {:.0f}".format(*rates)


class Namespace:
    """A network namespace that a process holds."""

    def __init__(self):
        flags = [] if os.geteuid() == 0 else ["-r"]
        self.child = subprocess.Popen(["unshare", *flags, "-n", "sh", "-c", "echo; exec sleep 3600"],
                                      stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                                      start_new_session=True)
        if self.child.stdout.readline() != b"\n":
            self.child.wait()
            raise Skipped("no network namespace to be had")
        self.pid = self.child.pid

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.child.kill()
        self.child.wait()
        self.child.stdout.close()

    def command(self, *args):
        user = [] if os.geteuid() == 0 else ["-U"]
        return ["nsenter", "-t", str(self.pid), *user, "-n", "--preserve-credentials", *args]

    def do(self, *commands):
        for command in commands:
            done = subprocess.run(self.command("sh", "-c", command), stdout=subprocess.PIPE,
                                  stderr=subprocess.STDOUT, check=False)
            hold(done.returncode == 0, f"{command}: {done.stdout.decode().strip()}")


def need_tun():
    if not os.access("/dev/net/tun", os.R_OK | os.W_OK):
        raise Skipped("/dev/net/tun cannot be opened")


def tap_guest(ns, line, net="tap,ifname=tap0"):
    """A guest at 10.9.0.2 whose other end is tap0, 10.9.0.1, in a namespace."""
    args = command_line(line, "--net", net, initrd=with_agent(NETTOOL_FILE),
                        append="plex86.exec=agent")
    need_tun()
    g = Guest(ns.command(*args))
    try:
        g.ready()
        ns.do("ip link set lo up", "ip addr add 10.9.0.1/24 dev tap0", "ip link set tap0 up")
        static(g, "10.9.0.2/24")
        carrier(g, "1")
    except Failed:
        g.__exit__(Failed)
        raise
    return g
