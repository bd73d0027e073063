"""The verdicts of the conformance program of tests/guest, for the groups that run it."""

import re

from lib import CONFORM, Failed, Skipped

CONFORM_FILE = f"{CONFORM}=/bin/conform"
# One test after the other, each with a watchdog of its own.
ALL_S = 300
# What a guest may lack and the host have.
CONFIGURED = {"tls-ldt": "CONFIG_MODIFY_LDT_SYSCALL"}
RESULT = re.compile(r"(ok|not ok|skip) ([\w-]+)(?:: (.*))?")


def results(text):
    """{name: (ok, not ok or skip; reason)}, in order."""
    found = {}
    for line in text.splitlines():
        m = RESULT.fullmatch(line.strip())
        if m:
            found[m[2]] = (m[1], m[3] or "")
        elif line.strip():
            print("\t" + line)
    return found


def compare(name, host, guest):
    """The verdict on a test from those of both sides."""
    if host is None:
        raise Failed("not a test of the bare host's")
    if guest is None:
        raise Failed("not reached in the guest")
    if host[0] == "not ok":
        raise Failed(f"on the bare host: {host[1]}")
    if guest[0] == "not ok":
        raise Failed(guest[1])
    if guest[0] == "skip":
        if host[0] == "skip" or name in CONFIGURED:
            raise Skipped(guest[1])
        raise Failed(f"skipped in the guest only: {guest[1]}")
    if host[0] == "skip":
        return f"the bare host skips it: {host[1]}"
    return None
