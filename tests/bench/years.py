#!/usr/bin/env python3
"""Years of small daily batches: do file counts, logs, start-up and questions stay flat?

    apt-get install libfaketime; pip install deltalake
    python tests/bench/years.py [--anze PATH] [--years N] [--a-year N] [--upkeep DAYS]

One server takes a push a day for each of two feeds, units and their services: a few new rows, and a few
sent again with other values, as old as the warehouse allows. The pushes of a day come one after the other, so
that every one of them makes a release: ten years are 7,300. The server's wall clock is one that goes a day
after both (libfaketime), so that releases grow old and go; its upkeep is ordered every few days, where a
server left alone for so long does it every day. At the end of every year the server is started again, and a
line is printed:

    year, pushes, releases that are kept; files of the two tables, of their history and of the books; entries
    and bytes of their logs; what the data weigh, landed files and manifests included; start to ready; a
    statement over the current rows; a metric; the same statement in the first month's release; the median and
    the slowest push of the year, and the slowest upkeep, in milliseconds.
"""

import argparse
import json
import os
import pathlib
import random
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

from catalogue import asked, served
from ingest import MEBI, ROOT

FEEDS = {"units": "unit", "services": "service"}
# Rows of a push: new ones, and ones sent before.
NEW, AGAIN = 12, 4
FIRST = 1_640_995_200  # 1 January 2022
DAY = 86_400
STATEMENT = "select size, count(*) as n, sum(employees) as e from unit group by size order by size"
# When the units of a day come, and when its services do.
HOURS = {"units": 8 * 3600, "services": 9 * 3600}


class FakedClock:
    """The wall clock of programs that run in its environment: it stands where it is set."""

    def __init__(self, folder):
        libraries = sorted(pathlib.Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))
        if not libraries:
            raise SystemExit("libfaketime is not there: apt-get install libfaketime")
        # Its time is when this file was changed.
        self.file = folder / "clock"
        self.file.touch()
        self.environment = {
            **os.environ, "LD_PRELOAD": str(libraries[0]), "FAKETIME": "%", "FAKETIME_FOLLOW_FILE": str(self.file),
            "FAKETIME_NO_CACHE": "1", "FAKETIME_DONT_FAKE_MONOTONIC": "1", "NO_FAKE_STAT": "1", "TZ": "UTC",
        }
        self.set(FIRST)

    def set(self, seconds):
        os.utime(self.file, (seconds, seconds))


def deployment(anze, folder, clock):
    (folder / "feeds").mkdir(parents=True)
    settings = '[server]\nloopback_role = "admin"\n\n[metric_value]\nfollow = false\n\n[maintenance]\nautomatic = false\n'
    (folder / "anze.toml").write_text(settings, encoding="utf-8")
    for feed, dataset in FEEDS.items():
        (folder / "feeds" / f"{feed}.toml").write_text(
            f'dataset = "{dataset}"\nreporter = "ZJIA"\n\n[source]\nkind = "push"\n\n[format]\nkind = "csv"\ntimezone = "UTC"\n',
            encoding="utf-8",
        )
    made = subprocess.run(
        [str(anze), "-C", str(folder), "token", "create", "--role", "admin", "--format", "json"],
        check=True, capture_output=True, env=clock.environment,
    )
    return json.loads(made.stdout)["token"]


def stamp(seconds):
    return time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(seconds))


def body(feed, day, chance):
    """The push of a day: new keys follow those of the days before, others are drawn from all of them."""
    first = day * NEW
    keys = list(range(first, first + NEW)) + [chance.randrange(first) for _ in range(AGAIN if day else 0)]
    now = stamp(FIRST + day * DAY)
    if feed == "units":
        lines = ["unit_id,id_kind,name,region_code,sector,size,employees,status,source_updated_at"]
        lines += [
            f"U{key:08d},project,单位{key},33010{2 + key % 2 * 4},mine,{'LMS'[key % 3]},{chance.randrange(300)},open,{now}"
            for key in dict.fromkeys(keys)
        ]
    else:
        lines = ["service_no,policy_no,unit_id,insurer_code,sector,region_code,service_type,provider_kind,finished_at,source_updated_at"]
        lines += [
            f"S{key:08d},P{key},U{key:08d},PICC,mine,330102,T4,own,{stamp(FIRST + key // NEW * DAY)},{now}"
            for key in dict.fromkeys(keys)
        ]
    return "\n".join(lines) + "\n"


def push(address, token, feed, key, text):
    begun = time.perf_counter()
    request = urllib.request.Request(
        f"{address}/api/v1/feeds/{feed}/batches/{key}", data=text.encode(), method="PUT",
        headers={"Authorization": f"Bearer {token}"},
    )
    while True:
        try:
            with urllib.request.urlopen(request, timeout=120) as answer:
                told = json.load(answer)
            break
        except urllib.error.HTTPError as error:
            # The service behind the address begins a moment after it.
            if error.code != 503:
                raise SystemExit(f"{error.code}: {error.read()[:500]}") from error
            begun = time.perf_counter()
    if told["rows_quarantined"]:
        raise SystemExit(f"rows were held: {told}")
    return (time.perf_counter() - begun) * 1000


def upkeep(address):
    """What a server does by itself once a day, and how long it took in all."""
    orders = [{"kind": "compact", "worthwhile": True}, {"kind": "vacuum"}]
    return sum(asked(address, "/api/v1/maintenance", order)[1] for order in orders) * 1000


def state(folder):
    from deltalake import DeltaTable

    def files(pattern):
        tables = [path.parent for path in (folder / "data").glob(pattern)]
        return sum(len(DeltaTable(str(table)).file_uris()) for table in tables)

    logs = [path for path in (folder / "data").glob("*/*/_delta_log/*") if path.is_file()]
    weight = sum(path.stat().st_size for path in (folder / "data").rglob("*") if path.is_file())
    return {
        "tables": files("tables/*/_delta_log"), "history": files("history/*/_delta_log"), "books": files("system/*/_delta_log"),
        "log entries": len(logs), "log MiB": sum(path.stat().st_size for path in logs) / MEBI, "data MiB": weight / MEBI,
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--anze", default=str(ROOT / "target" / "debug" / "anze"), help="the binary (target/debug/anze)")
    parser.add_argument("--years", type=int, default=10)
    parser.add_argument("--a-year", type=int, default=365, help="days of a year (365)")
    parser.add_argument("--upkeep", type=int, default=30, metavar="DAYS", help="days between two of them (30)")
    parser.add_argument("--temp")
    args = parser.parse_args()
    anze = pathlib.Path(args.anze).resolve()
    chance = random.Random(1)
    with tempfile.TemporaryDirectory(prefix="anze-years-", dir=args.temp) as temp, tempfile.TemporaryFile() as log:
        folder, clock = pathlib.Path(temp) / "deployment", FakedClock(pathlib.Path(temp))
        token = deployment(anze, folder, clock)
        (folder / "feeds" / "insurer.toml").write_text(
            'dataset = "insurer"\nreporter = "NFRA"\n\n[source]\nkind = "push"\n\n[format]\nkind = "csv"\n', encoding="utf-8"
        )
        print(
            "year pushes kept | files: tables history books | log: entries MiB | data MiB"
            " | ready s  sql ms  metric ms  old release ms | push ms: median max | upkeep ms"
        )
        day, month_end = 0, None
        for year in range(args.years + 1):
            took, kept_up = [], []
            with served(anze, folder, writes=True, env=clock.environment, log=log) as (address, ready, _):
                if not year:
                    push(address, token, "insurer", "first", "code,name\nPICC,人保财险\n")
                else:
                    _, sql = asked(address, "/api/v1/sql", {"sql": STATEMENT})
                    _, metric = asked(address, "/api/v1/metrics/service_record_completeness_rate?from=2022-01-01&to=2022-02-01")
                    # The first month's last release is kept for ever.
                    told, old = asked(address, "/api/v1/sql", {"sql": STATEMENT, "release": month_end})
                    if sum(int(row["n"]) for row in told["rows"]) != 31 * NEW:
                        raise SystemExit(f"release {month_end} is not what it was: {told}")
                    found = state(folder)
                    kept = sum(release["kept"] for release in asked(address, "/api/v1/releases")[0]["releases"])
                    print(
                        f"{year:4} {day * 2:6} {kept:4} | {found['tables']:13} {found['history']:7} {found['books']:5}"
                        f" | {found['log entries']:12} {found['log MiB']:3.1f} | {found['data MiB']:8.0f}"
                        f" | {ready:7.2f} {sql * 1000:7.0f} {metric * 1000:10.0f} {old * 1000:15.0f}"
                        f" | {median:15.0f} {slowest:3.0f} | {slowest_upkeep:9.0f}",
                        flush=True,
                    )
                if year < args.years:
                    for _ in range(args.a_year):
                        for feed in FEEDS:
                            clock.set(FIRST + day * DAY + HOURS[feed])
                            took.append(push(address, token, feed, f"day-{day}", body(feed, day, chance)))
                        day += 1
                        if day == 31:
                            month_end = max(release["release"] for release in asked(address, "/api/v1/releases")[0]["releases"])
                        if day % args.upkeep == 0:
                            kept_up.append(upkeep(address))
                    kept_up.append(upkeep(address))
                    median, slowest, slowest_upkeep = statistics.median(took), max(took), max(kept_up)


if __name__ == "__main__":
    sys.exit(main())
