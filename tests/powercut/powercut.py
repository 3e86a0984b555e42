#!/usr/bin/env python3
"""A power cut at every sync: what was not synced is gone, and the warehouse must still be whole.

    powercut.py ANZE [POINTS]

The real binary ingests, compacts, vacuums and backs up under strace, which tells every write, name and sync. After
each sync two disks are made of what a power cut may leave, and each is checked and read:

    strict   only synced bytes, under names whose folder was synced
    names    every name there was, with only the synced bytes of its file (names can reach the disk before bytes)

POINTS syncs are taken, evenly spread; by default all. Exit code 0: nothing was lost that had been acknowledged, and
`maintain check` found nothing on any disk.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

CALLS = "openat,open,creat,write,pwrite64,writev,fsync,fdatasync,rename,renameat,renameat2,link,linkat,unlink,unlinkat,rmdir,mkdir,mkdirat,ftruncate,truncate,close,copy_file_range,sendfile,dup,dup2,dup3,fcntl"
LINE = re.compile(r"^(\d+)\s+(.*)$")
CALL = re.compile(r"^(\w+)\((.*)\)\s+=\s+(-?\d+)(.*)$", re.S)


class File:
    def __init__(self, data=b""):
        self.data = bytearray(data)
        self.synced = bytes(data)
        self.synced_from = 0


class Folder:
    def __init__(self):
        self.names = {}
        self.synced = {}
        self.synced_from = 0


def loaded(path):
    """What lies on the disk before: all of it synced."""
    folder = Folder()
    for entry in os.scandir(path):
        folder.names[entry.name] = loaded(entry.path) if entry.is_dir() else File(Path(entry.path).read_bytes())
    folder.synced = dict(folder.names)
    return folder


class Disk:
    """The folder under test, as the calls change it."""

    def __init__(self, root):
        self.root = os.path.realpath(root)
        self.top = loaded(self.root)
        self.open = {}
        self.syncing = {}
        self.begun = 0

    def parts(self, path):
        path = os.path.normpath(path)
        if path == self.root:
            return []
        return path[len(self.root) + 1 :].split("/") if path.startswith(self.root + "/") else None

    def find(self, parts):
        node = self.top
        for part in parts:
            node = node.names.get(part) if isinstance(node, Folder) else None
            if node is None:
                return None
        return node

    def folder_and_name(self, path):
        parts = self.parts(path)
        if not parts:
            return None, None
        return self.find(parts[:-1]), parts[-1]

    def opened(self, fd, path, flags):
        parts = self.parts(path)
        if parts is None:
            self.open.pop(fd, None)
            return
        node = self.find(parts)
        if node is None and "O_CREAT" in flags:
            folder, name = self.folder_and_name(path)
            node = folder.names[name] = File()
        if isinstance(node, File) and "O_TRUNC" in flags:
            node.data = bytearray()
        self.open[fd] = [node, 0, "O_APPEND" in flags]

    def write(self, fd, data, at=None):
        if fd not in self.open or not isinstance(self.open[fd][0], File):
            return
        node, position, appends = self.open[fd]
        start = at if at is not None else (len(node.data) if appends else position)
        node.data[start : start + len(data)] = data
        if at is None:
            self.open[fd][1] = start + len(data)

    def begin_sync(self, fd):
        node = self.open.get(fd, [None])[0]
        if node is not None:
            self.begun += 1
            held = bytes(node.data) if isinstance(node, File) else dict(node.names)
            self.syncing.setdefault(fd, []).append((node, held, self.begun))

    def sync(self, fd):
        """What was there when it began is on the disk now; whether it is of this disk."""
        begun = self.syncing.get(fd)
        if not begun:
            return False
        node, held, since = begun.pop(0)
        # Another sync of it may have begun later and ended earlier.
        if since > node.synced_from:
            node.synced, node.synced_from = held, since
        return True

    def left(self, names):
        """Paths and bytes of what a power cut leaves now."""
        found = {}

        def walk(folder, path):
            for name, node in (folder.names if names else folder.synced).items():
                if isinstance(node, Folder):
                    found[f"{path}{name}/"] = None
                    walk(node, f"{path}{name}/")
                else:
                    found[path + name] = node.synced

        walk(self.top, "")
        return found


def text(quoted):
    return bytes.fromhex(quoted.replace("\\x", ""))


# The kernel lets go of a number, and makes a folder, before the call is told as ended: another thread may already have
# been given the number, or found the folder, in a line that stands before that one.
AT_ONCE = ("close", "mkdir", "mkdirat")
SYNCS = ("fsync", "fdatasync")


def calls(trace):
    """(call, arguments, result, whether it begins here) in the order in which they take effect.

    A call takes effect when it has ended, those of AT_ONCE when they begin. A sync is told both times: it promises
    only what was there when it began.
    """
    told, waiting = [], {}
    for line in trace.read_text().splitlines():
        match = LINE.match(line)
        if not match:
            continue
        process, rest = match.groups()
        if rest.endswith("<unfinished ...>"):
            waiting[process] = (len(told), rest[: -len("<unfinished ...>")].rstrip())
            told.append(None)
            continue
        began = None
        resumed = re.match(r"^<\.\.\. \w+ resumed>(.*)$", rest, re.S)
        if resumed:
            began, start = waiting.pop(process, (None, ""))
            rest = start + resumed.group(1)
        call = CALL.match(rest)
        if not call or int(call.group(3)) < 0:
            continue
        name, event = call.group(1), (call.group(1), call.group(2), int(call.group(3)))
        if name in AT_ONCE and began is not None:
            told[began] = (*event, False)
            continue
        if name in SYNCS:
            if began is None:
                told.append((*event, True))
            else:
                told[began] = (*event, True)
        told.append((*event, False))
    return [event for event in told if event]


PATH = r'"((?:\\x[0-9a-f]{2})*)"'


def paths(arguments, here):
    return [os.path.join(here, text(path).decode()) for path in re.findall(PATH, arguments)]


def apply(disk, name, arguments, result, begins, here):
    """Applies a call; whether it was a sync of something on the disk, and that has ended."""
    fd = int(found.group(1)) if (found := re.match(r"^(\d+)", arguments)) else None
    if name in ("openat", "open", "creat"):
        flags = arguments.split('"')[-1] + ("O_CREAT|O_TRUNC" if name == "creat" else "")
        disk.opened(result, paths(arguments, here)[0], flags)
    elif name == "close":
        disk.open.pop(fd, None)
    elif name in ("dup", "dup2", "dup3") or (name == "fcntl" and "F_DUPFD" in arguments):
        if fd in disk.open:
            disk.open[result] = disk.open[fd]
    elif name == "write":
        disk.write(fd, text(re.search(PATH, arguments).group(1))[:result])
    elif name == "pwrite64":
        disk.write(fd, text(re.search(PATH, arguments).group(1))[:result], int(arguments.rsplit(",", 1)[1]))
    elif name == "writev":
        disk.write(fd, b"".join(text(part) for part in re.findall(PATH, arguments))[:result])
    elif name in ("ftruncate",) and fd in disk.open:
        node, length = disk.open[fd][0], int(arguments.rsplit(",", 1)[1])
        node.data = node.data[:length] + bytearray(max(0, length - len(node.data)))
    elif name in ("copy_file_range", "sendfile") and result > 0:
        if any(int(other) in disk.open for other in re.findall(r"\b(\d+)<", arguments)):
            raise SystemExit(f"{name} is not understood: {arguments[:200]}")
    elif name in ("rename", "renameat", "renameat2"):
        old, new = paths(arguments, here)
        (source, was), (target, is_now) = disk.folder_and_name(old), disk.folder_and_name(new)
        if source is not None and was in source.names:
            node = source.names.pop(was)
            if target is not None:
                target.names[is_now] = node
    elif name in ("link", "linkat"):
        old, new = paths(arguments, here)
        (source, was), (target, is_now) = disk.folder_and_name(old), disk.folder_and_name(new)
        if source is not None and target is not None and was in source.names:
            target.names[is_now] = source.names[was]
    elif name in ("unlink", "unlinkat", "rmdir"):
        folder, last = disk.folder_and_name(paths(arguments, here)[0])
        if folder is not None:
            folder.names.pop(last, None)
    elif name in ("mkdir", "mkdirat"):
        folder, last = disk.folder_and_name(paths(arguments, here)[0])
        if folder is not None:
            folder.names.setdefault(last, Folder())
    elif name in SYNCS and begins:
        disk.begin_sync(fd)
    elif name in SYNCS:
        return disk.sync(fd)
    return False


class Deployment:
    def __init__(self, anze, folder):
        self.anze, self.folder = anze, folder

    def run(self, *arguments, trace=None, codes=(0, 3)):
        command = [self.anze, "-C", str(self.folder), *arguments]
        if trace:
            command = ["strace", "-f", "-xx", "-s", "100000000", "-e", f"trace={CALLS}", "-o", str(trace), *command]
        done = subprocess.run(command, capture_output=True, stdin=subprocess.DEVNULL)
        if done.returncode not in codes:
            raise SystemExit(f"{arguments} ended with {done.returncode}: {done.stderr.decode()}{done.stdout.decode()}")
        return done.stdout

    def rows(self, statement):
        answer = self.run("sql", "--format", "json", statement)
        return json.loads(answer)["rows"]


def feed(dataset, name):
    return f'dataset = "{dataset}"\nreporter = "R"\n[source]\nkind = "directory"\npath = "inbox/{name}"\n[format]\nkind = "csv"\n'


def deliver(folder, day):
    insurers = "code,name\n" + "".join(f"I{n},机构{n} {day}\n" for n in range(day, day + 4))
    agencies = "code,name,high_hazard,department\n" + f"other,其他 {day},false,other\n"
    for name, body in (("insurers", insurers), ("sectors", agencies)):
        inbox = folder / "inbox" / name
        inbox.mkdir(parents=True, exist_ok=True)
        (inbox / f"{day}.csv").write_text(body)


SEEN = "select code, name, batch_id, row_no, version_state from history.insurer order by code, batch_id, row_no"


def age(data, before):
    """Lets the releases so far have been published in another year, so that vacuum has something to do."""
    for path in sorted((data / "releases").glob("0*.json"))[:before]:
        manifest = json.loads(path.read_text())
        manifest["published_at"], manifest["day"] = "2020-03-05T00:00:00Z", "2020-03-05"
        path.write_text(json.dumps(manifest))


def main(anze, points):
    work = Path(tempfile.mkdtemp(prefix="anze-powercut-"))
    try:
        faults, states = [], 0
        folder = work / "deployment"
        deployment = Deployment(anze, folder)
        subprocess.run([anze, "init", str(folder)], check=True, capture_output=True)
        for name, dataset in (("insurers", "insurer"), ("sectors", "sector")):
            (folder / "feeds" / f"{name}.toml").write_text(feed(dataset, name))
        jobs = [
            ("first ingest", ["ingest", "run", "--all"], lambda: deliver(folder, 0)),
            ("ingest", ["ingest", "run", "--all"], lambda: deliver(folder, 2)),
            ("compact", ["maintain", "compact"], lambda: deliver(folder, 4) or deployment.run("ingest", "run", "--all")),
            ("vacuum", ["maintain", "vacuum"], lambda: age(folder / "data", 4)),
            ("backup", ["maintain", "backup", str(work / "backup")], lambda: None),
        ]
        for job, arguments, before in jobs:
            before()
            (folder / "data").mkdir(exist_ok=True)
            known = {row["batch_id"] for row in batches(deployment)}
            disk = Disk(folder / "data")
            trace = work / "trace"
            deployment.run(*arguments, trace=trace)
            expected = {row["batch_id"] for row in batches(deployment)}
            seen = deployment.rows(SEEN)
            events = calls(trace)
            replayed, syncs = Disk(folder / "data"), 0
            replayed.top = disk.top
            total = sum(1 for name, _, _, begins in events if name in SYNCS and not begins)
            wanted = None if points is None else {total * point // points for point in range(1, points + 1)}
            for number, (name, arguments_of, result, begins) in enumerate(events):
                synced = apply(replayed, name, arguments_of, result, begins, os.getcwd())
                last = number == len(events) - 1
                if name in SYNCS and not begins:
                    syncs += 1
                if not last and not (synced and (wanted is None or syncs in wanted)):
                    continue
                for names in (False, True):
                    states += 1
                    where = f"{job}, sync {syncs} of {total}, {'names' if names else 'strict'}"
                    fault = look(anze, work, folder, replayed.left(names), known, expected if last else None)
                    if fault:
                        faults.append(f"{where}: {fault}")
                    elif last or syncs % 7 == 0:
                        fault = again(anze, work, arguments, seen)
                        faults += [f"{where}, run again: {fault}"] if fault else []
            print(f"{job}: {total} syncs", flush=True)
        for fault in faults:
            print(fault)
        print(f"{states} disks after a power cut, {len(faults)} faults")
        return 1 if faults else 0
    finally:
        shutil.rmtree(work)


def batches(deployment):
    if not any((deployment.folder / "data").glob("releases/0*.json")):
        return []
    return deployment.rows("select batch_id from system.batch order by 1")


def look(anze, work, folder, left, known, expected):
    """What is wrong with a disk, if anything; it stays for being run on."""
    after = work / "after"
    shutil.rmtree(after, ignore_errors=True)
    shutil.copytree(folder, after, ignore=lambda path, names: ["data"] if Path(path) == folder else [])
    for path, data in left.items():
        place = after / "data" / path
        if data is None:
            place.mkdir(parents=True, exist_ok=True)
        else:
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(data)
    deployment = Deployment(anze, after)
    check = subprocess.run(
        [anze, "-C", str(after), "maintain", "check", "--format", "json"], capture_output=True, stdin=subprocess.DEVNULL
    )
    if check.returncode != 0:
        return f"check ended with {check.returncode}: {check.stdout.decode()[-800:]}{check.stderr.decode()}"
    found = {row["batch_id"] for row in batches(deployment)}
    if known - found:
        return f"acknowledged batches are gone: {known - found}"
    if expected is not None and found != expected:
        return f"the command had ended, and {expected - found} are gone"
    return None


def again(anze, work, arguments, seen):
    deployment = Deployment(anze, work / "after")
    moved = [str(work / "backup-again") if argument == str(work / "backup") else argument for argument in arguments]
    deployment.run(*moved)
    shutil.rmtree(work / "backup-again", ignore_errors=True)
    now = deployment.rows(SEEN)
    return None if now == seen else f"{len(now)} versions, not {len(seen)}, or others"


if __name__ == "__main__":
    sys.exit(main(os.path.abspath(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else None))
