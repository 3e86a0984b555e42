#!/usr/bin/env python3
"""The whole catalogue beside DuckDB on the same files: cold, and what a batch of 1 % costs afterwards.

    pip install duckdb deltalake pyarrow
    python tests/bench/catalogue.py [--anze PATH] [--scale N] [--years N] [--deployment DIR] [--limit SECONDS]

The rows are those of a demo (scale 1 and 8 years are about 12m rows); --deployment takes one that is there.

COLD: every metric of the release's year in total and by its finest dimensions is asked of `anze serve` just started;
of DuckDB with two threads the SQL of tests/oracle over the Parquet files that the release names, its
tables of what is seen made first, as its own script does, in a database file. Numerators and denominators must be
equal. What DuckDB does not answer within the limit counts as the limit, and is told.
AFTER A BATCH: 1 % of the hazards, the newest, are sent again with another day of rectification.
`metric_value` (every metric, month and dimension) is then brought up to date, beside making it anew.
AD HOC: scans and joins as an analyst writes them, run by both engines over the same files.

Also told: bytes a row, and the time from start to ready. Nothing is asserted about time.
"""

import argparse
import contextlib
import datetime
import json
import math
import os
import pathlib
import resource
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request

import ingest
from ingest import MEBI, ROOT, measured

sys.path.insert(0, str(ROOT / "tests" / "oracle"))

HELD = 3
SCANS = {
    "premium by month": "select date_trunc('month', inception) as m, count(*) as n, sum(premium_written) as p from policy group by 1 order by 1",
    "hazards by county": "select s.region_code, count(*) as n from hazard as h join service as s using (service_no) group by 1 order by 2 desc, 1",
    "days to verify": "select grade, avg(verified_on - rectified_on) as d, count(*) as n from hazard where rectified_on is not null group by 1 order by 1",
    "large receipts": "select insurer_code, sum(amount) as a from premium_receipt where amount > 20000 group by 1 order by 2 desc, 1",
    "units by status": "select sector, status, count(*) as n, sum(employees) as e from unit group by 1, 2 order by 1, 2",
}
JOINS = {
    "premium by size": "select u.size, sum(p.premium_written) as a from policy as p join unit as u using (unit_id) group by 1 order by 1",
    "claims by sector": "select p.sector, count(*) as n, sum(c.paid_amount) as a from claim as c join policy as p using (policy_no, unit_id) group by 1 order by 1",
    "served policies": "select p.insurer_code, count(distinct p.policy_no) as n from policy as p join service as s on s.policy_no = p.policy_no and s.unit_id = p.unit_id group by 1 order by 1",
    "hazards of the covered": "select u.risk_level, count(*) as n from hazard as h join unit as u using (unit_id) join service as s using (service_no) where s.finished_at is not null group by 1 order by 1",
    "collected of written": "select p.region_code, sum(r.amount) as a from premium_receipt as r join (select policy_no, min(region_code) as region_code from policy group by 1) as p using (policy_no) group by 1 order by 1",
}


# Ours


@contextlib.contextmanager
def served(anze, folder, writes=False, env=None, log=subprocess.DEVNULL):
    """The address of a server that was just started, and how long it took to be ready."""
    begun = time.perf_counter()
    only = [] if writes else ["--only", "api"]
    server = subprocess.Popen(
        [str(anze), "-C", str(folder), "serve", *only, "--bind", "127.0.0.1:0"],
        stdout=subprocess.PIPE, stderr=log, text=True, env=env,
    )
    try:
        address = server.stdout.readline().strip()
        if not address.startswith("http"):
            raise SystemExit("the server did not start")
        with urllib.request.urlopen(f"{address}/readyz") as answer:
            answer.read()
        yield address, time.perf_counter() - begun, server.pid
    finally:
        server.terminate()
        server.wait()


def asked(address, path, body=None):
    begun = time.perf_counter()
    data = json.dumps(body).encode() if body else None
    request = urllib.request.Request(f"{address}{path}", data=data, headers={"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=900) as answer:
            told = json.load(answer)
    except urllib.error.HTTPError as error:
        raise SystemExit(f"{path}: {error.code}: {error.read()[:500].decode()}") from error
    return told, time.perf_counter() - begun


def rss(pid):
    status = pathlib.Path(f"/proc/{pid}/status").read_text()
    return next(int(line.split()[1]) / 1024 for line in status.splitlines() if line.startswith("VmHWM"))


# DuckDB over the same files


def files_of(folder, table):
    from deltalake import DeltaTable

    path = folder / "data" / table
    return [uri.removeprefix("file://") for uri in DeltaTable(str(path)).file_uris()] if (path / "_delta_log").is_dir() else []


class Peer:
    def __init__(self, folder, limit=None):
        import duckdb
        from answers import BOOKS, Oracle
        from datasets import COLUMNS, columns

        begun = time.perf_counter()
        self.limit, self.interrupted = limit, duckdb.InterruptException
        # Its tables may be larger than the memory, and it would spill beside whoever runs this.
        self.place = tempfile.TemporaryDirectory(prefix="anze-duckdb-")
        self.db = duckdb.connect(f"{self.place.name}/tables.duckdb")
        self.db.execute(f"set threads = 2; set temp_directory = '{self.place.name}/spilled'")
        for dataset in COLUMNS:
            files = files_of(folder, f"tables/{dataset}")
            cols = columns(dataset)
            if not files:
                self.db.execute(f"create table {dataset} ({', '.join(f'{c.name} {c.sql_type}' for c in cols)})")
                continue
            names = [f"{c.name} at time zone 'UTC' as {c.name}" if c.kind == "timestamp" else c.name for c in cols]
            self.db.execute(f"create view {dataset} as select {', '.join(names)} from read_parquet({files})")
        for book, types in BOOKS.items():
            self.db.execute(f"create table {book} ({types})")
        self.book(folder, "book_batch", "system/batch", BOOKS)
        self.book(folder, "book_slot", "system/slot_state", BOOKS)
        self.book(folder, "book_quarantine", "system/quarantine", BOOKS)
        self.book(folder, "book_feed", "system/feed_state", BOOKS)
        self.book(folder, "book_release", "system/release", BOOKS)
        # The one that is asked, which is the newest.
        self.db.execute("delete from book_release where published_at < (select max(published_at) from book_release)")
        self.oracle = Oracle(self.db)
        self.made = time.perf_counter() - begun

    def book(self, folder, book, table, books):
        files = files_of(folder, table)
        if files:
            cols = [column.split() for column in books[book].split(", ")]
            names = [f"{name} at time zone 'UTC'" if kind == "timestamp" else name for name, kind in cols]
            self.db.execute(f"insert into {book} select {', '.join(names)} from read_parquet({files})")

    def timed(self, work):
        """What a statement or a function gives, none where it took longer than the limit, and how long it took."""
        begun = time.perf_counter()
        alarm = threading.Timer(self.limit or threading.TIMEOUT_MAX, self.db.interrupt)
        alarm.daemon = True
        alarm.start()
        try:
            found = work() if callable(work) else self.db.execute(work).fetchall()
        except self.interrupted:
            found = None
        finally:
            alarm.cancel()
        return found, time.perf_counter() - begun


# The parts


def catalogue(anze, folder, day, limit):
    from catalogue import METRICS

    metrics = list(METRICS.values() if isinstance(METRICS, dict) else METRICS)
    new_year, tomorrow = day.replace(month=1, day=1), day + datetime.timedelta(days=1)
    finest = {metric.name: "county" if "county" in metric.dimensions else metric.dimensions[0] for metric in metrics}
    ours, totals = {}, {}
    with served(anze, folder) as (address, ready, pid):
        for metric in metrics:
            _, by = asked(address, f"/api/v1/metrics/{metric.name}?by={finest[metric.name]}")
            told, total = asked(address, f"/api/v1/metrics/{metric.name}")
            ours[metric.name] = by + total
            row = told["rows"][0]
            totals[metric.name] = (row["numerator"], row["denominator"])
        peak = rss(pid)
    print(f"start to ready {ready:.2f} s; ours {sum(ours.values()):.2f} s; peak {peak:,.0f} MiB after every metric", flush=True)
    peer = Peer(folder, limit)
    made, seen = peer.timed(lambda: peer.oracle.observe(day) or True)
    if made is None:
        print(f"DuckDB had not made its tables of what is seen after {seen:.0f} s; its peak {own_peak():,.0f} MiB")
        return
    print(f"DuckDB's tables of what is seen: {seen:.2f} s", flush=True)
    theirs, differ, unanswered = {}, [], set()
    for metric in metrics:
        days = (new_year, tomorrow) if metric.over_period else (day,)
        call = f"{metric.name}({', '.join(f'''date '{each}' ''' for each in days)})"
        if metric.name == "market_concentration":
            _, theirs[metric.name] = peer.timed(f"select count(*) from {call}")
            continue
        sums = "sum(numerator) filter (not without_rule), sum(denominator) filter (not without_rule)"
        by_member, by = peer.timed(f"select {finest[metric.name]}, {sums} from {call} group by 1")
        # What took too long once is not asked twice.
        rows, total = peer.timed(f"select {sums} from {call}") if by_member is not None else (None, 0)
        theirs[metric.name] = by + total
        if rows is None:
            unanswered.add(metric.name)
            continue
        (row,) = rows
        same = all(theirs_ is None and not float(ours_ or 0) or ours_ is None or float(ours_) == float(theirs_ or 0) for ours_, theirs_ in zip(totals[metric.name], row))
        if not same:
            differ.append((metric.name, totals[metric.name], row))
    ours_total, theirs_total = sum(ours.values()), sum(theirs.values()) + seen + peer.made
    least = " at least" if unanswered else ""
    print(
        f"catalogue, cold: ours {ours_total:.2f} s, DuckDB{least} {theirs_total:.2f} s (of that {seen:.2f} s for what is seen):"
        f" ratio {ours_total / theirs_total:.2f}; peak of DuckDB {own_peak():,.0f} MiB"
    )
    dearest = max(theirs, key=theirs.get)
    rest = (ours_total - ours[dearest]) / (theirs_total - theirs[dearest])
    print(f"without {dearest}, on which DuckDB spends {theirs[dearest]:.2f} s: ratio {rest:.2f}")
    for name in sorted(ours, key=ours.get, reverse=True)[:12]:
        print(f"    {name:<34} ours {ours[name]:6.2f} s   DuckDB {theirs[name]:6.2f} s")
    if unanswered:
        print(f"DuckDB did not answer within {limit:.0f} s: {', '.join(sorted(unanswered))}")
    if differ:
        print("DIFFERENT:", *differ, sep="\n    ")


def own_peak():
    """The most memory in MiB that this process, in which DuckDB runs, ever took."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def ad_hoc(anze, folder):
    peer = Peer(folder)
    with served(anze, folder) as (address, _, _):
        for name, statements in (("scans", SCANS), ("joins", JOINS)):
            ratios = []
            for title, sql in statements.items():
                ours, theirs = [], []
                for _ in range(3):
                    told, took = asked(address, "/api/v1/sql", {"sql": sql})
                    ours.append(took)
                    rows, took = peer.timed(sql)
                    theirs.append(took)
                if len(told["rows"]) != len(rows):
                    raise SystemExit(f"{title}: {len(told['rows'])} rows, DuckDB {len(rows)}")
                ratios.append(min(ours) / min(theirs))
                print(f"    {title:<24} ours {min(ours):6.3f} s   DuckDB {min(theirs):6.3f} s   ratio {ratios[-1]:5.2f}")
            print(f"ad hoc, {name}: geometric mean {math.exp(sum(map(math.log, ratios)) / len(ratios)):.2f}, worst {max(ratios):.2f}")


def follow(anze, folder, switch):
    """How long a command takes that has nothing else to do than to bring `metric_value` up to date."""
    settings = folder / "anze.toml"
    text = settings.read_text(encoding="utf-8")
    plain = text.split("\n[metric_value]")[0]
    settings.write_text(plain + f"\n[metric_value]\nfollow = {'true' if switch else 'false'}\n", encoding="utf-8")
    return measured([str(anze), "-C", str(folder), "--format", "json", "ingest", "run", "bench-hazard"], folder, (0, HELD))


def after_a_batch(anze, folder):
    inbox = folder / "bench-inbox"
    inbox.mkdir(exist_ok=True)
    db = Peer(folder).db
    count = db.execute("select count(*) from hazard").fetchone()[0]
    reporters = sorted({row[0] for row in db.execute(f"select distinct key_reporter from read_parquet({files_of(folder, 'tables/hazard')})").fetchall()})
    (folder / "feeds" / "bench-hazard.toml").write_text(
        f'dataset = "hazard"\nreporter = "BENCH"\ntakes_over = {json.dumps(reporters)}\n\n'
        f"[source]\nkind = \"directory\"\npath = '{inbox}'\n\n[format]\nkind = \"csv\"\ntimezone = \"UTC\"\n",
        encoding="utf-8",
    )
    newest = db.execute("select max(found_at) from hazard").fetchone()[0]

    def load(name, column, rows):
        """Sends the newest hazards again, with another day of rectification."""
        db.execute(
            f"copy (select * replace ({column} as rectified_on), now() as source_updated_at from hazard"
            f" where {column} >= cast(found_at as date) and found_at > timestamp '{newest}' - interval 60 day"
            f" order by found_at desc limit {rows}) to '{inbox}/{name}.csv' (header)"
        )
        run = follow(anze, folder, False)
        (batch,) = json.loads(run.output)["batches"]
        return batch["rows_accepted"], run

    # A release of today first: what only the passing of days changes is no part of the batch.
    stamp = int(time.time())
    load(f"today-{stamp}", "due_on - 1", 1)
    shutil.rmtree(folder / "data" / "values", ignore_errors=True)
    whole = follow(anze, folder, True)
    print(f"metric_value anew: wall {whole.wall:.2f} s, CPU {whole.cpu:.2f} s, peak {whole.peak / MEBI:,.0f} MiB")
    idle = follow(anze, folder, True)
    accepted, loaded = load(f"batch-{stamp}", "due_on", count // 100)
    refreshed = follow(anze, folder, True)
    share = (refreshed.cpu - idle.cpu) / max(whole.cpu - idle.cpu, 0.001)
    print(f"after {accepted:,} of {count:,} hazards: loaded in {loaded.wall:.2f} s; refreshed in wall {refreshed.wall:.2f} s, CPU {refreshed.cpu:.2f} s")
    print(f"refresh over making anew, by CPU and without what a command without news takes ({idle.cpu:.2f} s): {share:.2f}")


def weight(folder):
    rows = size = 0
    for table in sorted((folder / "data" / "tables").iterdir()):
        files = files_of(folder, f"tables/{table.name}")
        if files:
            import pyarrow.parquet

            rows += sum(pyarrow.parquet.read_metadata(file).num_rows for file in files)
            size += sum(map(os.path.getsize, files))
    print(f"{rows:,} current rows, {size / max(rows, 1):.0f} bytes a row in their Parquet files")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--anze", default=str(ROOT / "target" / "debug" / "anze"), help="the binary (target/debug/anze)")
    parser.add_argument("--scale", type=float, default=1.0)
    parser.add_argument("--years", type=int, default=8)
    parser.add_argument("--deployment", help="a demo that is there; its data get one more release")
    parser.add_argument("--parts", default="catalogue,adhoc,batch")
    parser.add_argument("--limit", type=float, default=900, help="seconds that one statement of DuckDB may take (900)")
    parser.add_argument("--temp")
    args = parser.parse_args()
    # Every metric of every month of a whole province takes longer than any ingestion.
    ingest.CHILD_TIMEOUT = 3600
    anze = pathlib.Path(args.anze).resolve()
    with tempfile.TemporaryDirectory(prefix="anze-catalogue-", dir=args.temp) as temp:
        folder = pathlib.Path(args.deployment or pathlib.Path(temp) / "demo").resolve()
        if not args.deployment:
            command = ["demo", "--no-serve", "--scale", str(args.scale), "--years", str(args.years), "--dir", str(folder)]
            subprocess.run([str(anze), *command], check=True)
        weight(folder)
        newest = max((folder / "data" / "releases").glob("*.json"))
        day = datetime.date.fromisoformat(json.loads(newest.read_text())["day"])
        parts = args.parts.split(",")
        if "catalogue" in parts:
            catalogue(anze, folder, day, args.limit)
        if "adhoc" in parts:
            ad_hoc(anze, folder)
        if "batch" in parts:
            after_a_batch(anze, folder)


if __name__ == "__main__":
    main()
