#!/usr/bin/env python3
"""Whether `powercut.py` replays a trace as the kernel acted: small traces worked out by hand."""

import sys
import tempfile
from pathlib import Path

from powercut import Disk, apply, calls

HERE = "/"


def quoted(path):
    return '"' + "".join(f"\\x{byte:02x}" for byte in str(path).encode()) + '"'


def left(lines):
    """The names that a power cut leaves for certain after some lines, in a folder that has the folder `log`."""
    with tempfile.TemporaryDirectory() as work:
        root = Path(work) / "data"
        (root / "log").mkdir(parents=True)
        trace = Path(work) / "trace"
        text = "".join(line + "\n" for line in lines)
        for path in ("log/1", "log/2", "log", "new/1", "new", "other"):
            text = text.replace(f"<{path}>", quoted(root / path))
        trace.write_text(text)
        disk = Disk(root)
        for name, arguments, result, begins in calls(trace):
            apply(disk, name, arguments, result, begins, HERE)
        return set(disk.left(names=False))


CASES = {
    "a number given to another thread before its close is told belongs to that thread": (
        [
            "1  openat(AT_FDCWD, <other>, O_RDONLY|O_CLOEXEC) = 9",
            "1  close(9 <unfinished ...>",
            "2  openat(AT_FDCWD, <log>, O_RDONLY|O_CLOEXEC) = 9",
            "1  <... close resumed>) = 0",
            "3  openat(AT_FDCWD, <log/1>, O_WRONLY|O_CREAT, 0666) = 10",
            "2  fsync(9) = 0",
        ],
        {"log/", "log/1"},
    ),
    "a sync promises what was there when it began, and not what came meanwhile": (
        [
            "2  openat(AT_FDCWD, <log>, O_RDONLY|O_CLOEXEC) = 9",
            "3  openat(AT_FDCWD, <log/1>, O_WRONLY|O_CREAT, 0666) = 10",
            "2  fsync(9 <unfinished ...>",
            "3  openat(AT_FDCWD, <log/2>, O_WRONLY|O_CREAT, 0666) = 11",
            "2  <... fsync resumed>) = 0",
        ],
        {"log/", "log/1"},
    ),
    "a folder is there for others before its making is told, and goes where its name was not synced": (
        [
            "1  mkdir(<new>, 0777 <unfinished ...>",
            "2  openat(AT_FDCWD, <new/1>, O_WRONLY|O_CREAT, 0666) = 10",
            "1  <... mkdir resumed>) = 0",
            "2  openat(AT_FDCWD, <new>, O_RDONLY|O_CLOEXEC) = 9",
            "2  fsync(9) = 0",
        ],
        {"log/"},
    ),
    "a sync that began earlier and ended later takes nothing back that another one promised": (
        [
            "2  openat(AT_FDCWD, <log>, O_RDONLY|O_CLOEXEC) = 9",
            "3  openat(AT_FDCWD, <log>, O_RDONLY|O_CLOEXEC) = 10",
            "2  fsync(9 <unfinished ...>",
            "3  openat(AT_FDCWD, <log/1>, O_WRONLY|O_CREAT, 0666) = 11",
            "3  fsync(10) = 0",
            "2  <... fsync resumed>) = 0",
        ],
        {"log/", "log/1"},
    ),
    "a sync that failed promises nothing": (
        [
            "2  openat(AT_FDCWD, <log>, O_RDONLY|O_CLOEXEC) = 9",
            "3  openat(AT_FDCWD, <log/1>, O_WRONLY|O_CREAT, 0666) = 10",
            "2  fsync(9) = -1 EIO (Input/output error)",
        ],
        {"log/"},
    ),
}


def main():
    failures = 0
    for case, (lines, expected) in CASES.items():
        found = left(lines)
        if found != expected:
            failures += 1
            print(f"{case}: {sorted(found)}, not {sorted(expected)}")
    print(f"{len(CASES)} hand-made traces, {failures} failures")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
