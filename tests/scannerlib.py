"""What `plex86 check` says of a file."""

import json
import re
import struct

from lib import PLEX86, hold, run, same, shown


def scan(path, *options, status=None):
    """The answer's returncode, stdout and stderr; a bad end is a failure."""
    done = run([PLEX86, "check", *options, path])
    hold(done.returncode in (0, 1, 2), f"exit status {done.returncode}: {shown(done.stderr)}")
    if status is not None:
        same(f"exit status ({shown(done.stderr)})", done.returncode, status)
    if done.returncode == 1:
        said = done.stderr.decode(errors="replace")
        hold(re.fullmatch(r"plex86: [^\n]+\n", said) and not done.stdout,
             f"said {said!r} and {shown(done.stdout)}")
    else:
        hold(not done.stderr, f"stderr: {shown(done.stderr)}")
    return done


def report(path, status=None):
    return json.loads(scan(path, "--json", status=status).stdout)


def faults(said):
    return {i["address"]: i["name"] for i in said["instructions"] if i["verdict"] == "fault"}


def table_of(image):
    """The kernel's offset, where its table of sites is in the file, and the sites."""
    at = image.note() + 20
    offset, start, end = struct.unpack_from("<III", image.data, at + 4)
    where = image.at(start - offset)
    return offset, where, [list(struct.unpack_from("<IBBH", image.data, where + i))
                           for i in range(0, end - start, 8)]
