#!/usr/bin/env python3
"""Ingestion of one large policy file: `anze ingest run` beside DuckDB, on this machine.

    pip install duckdb
    python tests/bench/ingest.py [--anze PATH] [--rows N] [--runs N]

Both sides start from the same CSV and run in alternation, each in a process of its own, whose wall
time, CPU time and peak memory the kernel counts.

OURS: `anze ingest run policy` in a fresh copy of a deployment that knows regions, sectors, insurers
and units: from the CSV to a published release. That includes what the peer does not do: landing the
file with its SHA-256, lineage on every row, history of superseded versions, quarantine with the raw
line and all reasons in two languages, findings, Delta commits.

PEER: DuckDB with two threads: every column read as text, the contract's checks as SQL, the newest
version of each key by a window, valid rows to one Parquet file (LZ4, as ours), rejected ones with their
first reason to another, and a look-up of unknown units.

Both must end with the same numbers of current, outrun and held rows, or the script fails. It asserts
nothing about time.
"""

import argparse
import csv
import dataclasses
import datetime
import json
import os
import pathlib
import random
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
REFERENCE = ROOT / "warehouse" / "reference"
COLUMNS = (
    "policy_no", "unit_id", "insurer_code", "sector", "region_code", "policy_type", "inception", "expiry",
    "issued_at", "premium_written", "death_limit_per_person", "insured_persons", "endorsement_no",
    "source_updated_at",
)
INSURERS = ("PICC", "CPIC", "PAIC", "ZKIC", "GPIC", "TAIC", "CLPC", "YDPC", "OYPC", "XLPC")
POLICIES_PER_UNIT = 4
# Shares of all rows.
BROKEN = 0.005
REVISED = 0.005
FIRST_DAY = datetime.date(2022, 1, 1)
CHILD_TIMEOUT = 600
# Exit code of `anze` where records were held for a person.
HELD = 3
MEBI = 1024 * 1024


# Input


def unit_id(number):
    return f"U{number:08d}"


def generate(folder, rows):
    """Writes insurer.csv, unit.csv and policy.csv; the same rows give the same bytes."""
    chance = random.Random(20260401)
    units = max(rows // POLICIES_PER_UNIT, 1)
    regions = codes("region.csv", lambda row: row["level"] == "county" and not row["successor_code"] and not row["valid_to"])
    sectors = codes("sector.csv", lambda row: True)
    for kind in ("insurer", "unit", "policy"):
        (folder / kind).mkdir()
    with open(folder / "insurer" / "insurer.csv", "w", encoding="utf-8", newline="") as out:
        out.write("code,name\n")
        out.writelines(f"{code},{code} 财产保险\n" for code in INSURERS)
    with open(folder / "unit" / "unit.csv", "w", encoding="utf-8", newline="") as out:
        out.write("unit_id,id_kind,name,sector,region_code\n")
        out.writelines(
            f"{unit_id(number)},project,单位{number},{sectors[number % len(sectors)]},{regions[number % len(regions)]}\n"
            for number in range(units)
        )
    days = [(FIRST_DAY + datetime.timedelta(days=day)).isoformat() for day in range(5 * 366)]
    breaks = (bad_date, unknown_region, expiry_before_inception, too_many_digits, too_fine)
    with open(folder / "policy" / "policy.csv", "w", encoding="utf-8", newline="") as out:
        out.write(",".join(COLUMNS) + "\n")
        lines = []
        for number in range(rows):
            # A revision is an endorsement of some earlier row, whatever became of that.
            revises = number > 0 and chance.random() < REVISED
            policy = chance.randrange(number) if revises else number
            unit = (policy * 7919) % units
            day = (policy * 31) % 1200
            endorsement = chance.randrange(1, 9) if revises else 0
            second = number % 86_400
            clock = f"{second // 3600:02d}:{second // 60 % 60:02d}:{second % 60:02d}"
            row = [
                f"PZJ{policy:012d}",
                unit_id(unit),
                INSURERS[policy % len(INSURERS)],
                sectors[unit % len(sectors)],
                regions[unit % len(regions)],
                "project" if policy % 10 == 0 else "annual",
                days[day],
                days[day + 365],
                f"{days[day]} {clock}",
                f"{chance.randrange(50_000, 50_000_000) / 100:.2f}",
                f"{(40 + 10 * (policy % 7)) * 10_000}.00",
                str(chance.randrange(1, 2_000)),
                str(endorsement),
                # Strictly later than that of the revised row: a newer version, never the same clock.
                f"{days[1300 + number // 86_400 % 100]} {clock}",
            ]
            if chance.random() < BROKEN:
                breaks[chance.randrange(len(breaks))](row)
            lines.append(",".join(row))
            if len(lines) == 50_000:
                out.write("\n".join(lines) + "\n")
                lines.clear()
        if lines:
            out.write("\n".join(lines) + "\n")


def bad_date(row):
    row[6] = "2024-02-30"


def unknown_region(row):
    row[4] = "999999"


def expiry_before_inception(row):
    row[6], row[7] = row[7], row[6]


def too_many_digits(row):
    row[9] = "12345678901234567890.00"


def too_fine(row):
    row[10] = "400000.005"


def codes(name, wanted):
    with open(REFERENCE / name, encoding="utf-8", newline="") as source:
        return [row["code"] for row in csv.DictReader(source) if wanted(row)]


# A process and what it took


@dataclasses.dataclass
class Measured:
    wall: float
    cpu: float
    peak: int
    output: bytes


def measured(command, cwd, accepted=(0,)):
    """Runs a child, bounded, and takes its own counts from the kernel."""
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
        begun = time.perf_counter()
        child = subprocess.Popen(command, cwd=cwd, stdin=subprocess.DEVNULL, stdout=output, stderr=errors)
        usage = wait(child)
        wall = time.perf_counter() - begun
        output.seek(0)
        errors.seek(0)
        told = output.read()
        if child.returncode not in accepted:
            said = (told[-2000:] + errors.read()[-2000:]).decode(errors="replace")
            raise SystemExit(f"{command[0]} ended with {child.returncode}:\n{said}")
        return Measured(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024, told)


def wait(child):
    # wait4 has no timeout: a timer ends a child that hangs. The child is ours until it is reaped.
    timer = threading.Timer(CHILD_TIMEOUT, lambda: os.kill(child.pid, signal.SIGKILL))
    timer.start()
    try:
        _, status, usage = os.wait4(child.pid, 0)
    finally:
        timer.cancel()
    child.returncode = os.waitstatus_to_exitcode(status)
    return usage


# Ours


def deployment(folder, inputs):
    (folder / "feeds").mkdir(parents=True)
    # What metrics make of a release comes after it and is no part of an ingestion.
    settings = '[server]\nloopback_role = "admin"\n\n[metric_value]\nfollow = false\n'
    (folder / "anze.toml").write_text(settings, encoding="utf-8")
    for dataset in ("insurer", "unit", "policy"):
        (folder / "feeds" / f"{dataset}.toml").write_text(
            f'dataset = "{dataset}"\nreporter = "ZJIA"\n\n'
            f"[source]\nkind = \"directory\"\npath = '{inputs / dataset}'\n\n"
            '[format]\nkind = "csv"\n',
            encoding="utf-8",
        )


def ingest(anze, folder, feed):
    return measured([str(anze), "-C", str(folder), "--format", "json", "ingest", "run", feed], folder, (0, HELD))


def ours(anze, base, folder):
    shutil.copytree(base, folder, symlinks=True)
    run = ingest(anze, folder, "policy")
    batch = batch_of(run.output)
    # Counted in the release, not taken from the report: a version that stood between two segments
    # of a large batch is reported as accepted although a later line of the same file replaced it.
    current = answer(anze, folder, "select count(*) as rows from policy")
    counts = {"current": current, "outrun": batch["accepted"] + batch["superseded"] - current, "held": batch["held"]}
    return run, counts, sizes(folder / "data", sizes(base / "data"))


def answer(anze, folder, sql):
    """The one number of a statement."""
    told = measured([str(anze), "-C", str(folder), "--format", "csv", "sql", sql], folder).output
    return int(told.split()[-1])


def batch_of(output):
    """What became of the one batch of a run."""
    (batch,) = json.loads(output)["batches"]
    if batch["state"] != "published":
        raise SystemExit(f"the batch was not published: {batch}")
    counts = {name: batch[f"rows_{name}"] for name in ("accepted", "superseded", "quarantined")}
    return {"accepted": counts["accepted"], "superseded": counts["superseded"], "held": counts["quarantined"]}


def sizes(folder, before=None):
    """Bytes by top folders of a tree, less those that were there before."""
    total = {}
    for path in folder.rglob("*"):
        if path.is_file():
            *folders, name = path.relative_to(folder).parts
            place = "/".join(folders[:2]) or name
            total[place] = total.get(place, 0) + path.stat().st_size
    grown = {place: size - (before or {}).get(place, 0) for place, size in total.items()}
    return {place: size for place, size in sorted(grown.items()) if size > 0}


# The peer

PEER_SQL = """
create view region as select code from read_csv('{reference}/region.csv', all_varchar = true);
create view sector as select code from read_csv('{reference}/sector.csv', all_varchar = true);
create view insurer as select code from read_csv('{inputs}/insurer/insurer.csv', all_varchar = true);
create view unit as select unit_id from read_csv('{inputs}/unit/unit.csv', all_varchar = true);

create temp table typed as
with text as (select * from read_csv('{inputs}/policy/policy.csv', all_varchar = true, header = true)),
cast_ as (
    select
        p.*,
        try_cast(p.inception as date) as inception_d,
        try_cast(p.expiry as date) as expiry_d,
        try_cast(p.issued_at as timestamp) - interval 8 hours as issued_t,
        try_cast(p.premium_written as decimal(18, 2)) as premium_n,
        try_cast(p.death_limit_per_person as decimal(18, 2)) as limit_n,
        try_cast(p.insured_persons as bigint) as persons_n,
        try_cast(p.endorsement_no as bigint) as endorsement_n,
        try_cast(p.source_updated_at as timestamp) - interval 8 hours as clock_t,
        r.code is not null as region_known,
        s.code is not null as sector_known,
        i.code is not null as insurer_known
    from text p
    left join region r on p.region_code = r.code
    left join sector s on p.sector = s.code
    left join insurer i on p.insurer_code = i.code
)
select *, case
    when policy_no is null then 'required: policy_no'
    when unit_id is null then 'required: unit_id'
    when not insurer_known then 'unknown_insurer'
    when not sector_known then 'unknown_sector'
    when not region_known then 'unknown_region'
    when policy_type is null or policy_type not in ('annual', 'project') then 'code: policy_type'
    when inception_d is null then 'date: inception'
    when expiry_d is null then 'date: expiry'
    when issued_at is not null and issued_t is null then 'timestamp: issued_at'
    when issued_t > (now() at time zone 'UTC') + interval 1 day then 'future_event: issued_at'
    when premium_n is null or not ({scale_premium}) then 'decimal: premium_written'
    when premium_n < 0 then 'range: premium_written'
    when death_limit_per_person is not null and (limit_n is null or not ({scale_limit}))
        then 'decimal: death_limit_per_person'
    when limit_n < 0 then 'range: death_limit_per_person'
    when persons_n is null then 'int: insured_persons'
    when persons_n < 0 then 'range: insured_persons'
    when endorsement_no is not null and endorsement_n is null then 'int: endorsement_no'
    when source_updated_at is not null and clock_t is null then 'timestamp: source_updated_at'
    when expiry_d <= inception_d then 'expiry_after_inception'
end as reason
from cast_;

copy (
    select policy_no, unit_id, insurer_code, sector, region_code, policy_type, inception_d as inception,
        expiry_d as expiry, issued_t as issued_at, premium_n as premium_written,
        limit_n as death_limit_per_person, persons_n as insured_persons, endorsement_n as endorsement_no,
        clock_t as source_updated_at
    from typed where reason is null
    qualify row_number() over (partition by policy_no, unit_id order by clock_t desc) = 1
) to '{folder}/policy.parquet' (format parquet, compression lz4_raw);

copy (select {columns}, reason from typed where reason is not null)
to '{folder}/rejected.parquet' (format parquet, compression lz4_raw);
"""


UNKNOWN_UNITS = """
select count(*) from typed p
where reason is null and not exists (from unit u where u.unit_id = p.unit_id)
"""


def fits_scale(column):
    return f"instr({column}, '.') = 0 or length({column}) - instr({column}, '.') <= 2"


def peer_child(inputs, folder):
    import duckdb

    db = duckdb.connect()
    db.execute("set threads = 2")
    db.execute(
        PEER_SQL.format(
            reference=REFERENCE,
            inputs=inputs,
            folder=folder,
            columns=", ".join(COLUMNS),
            scale_premium=fits_scale("premium_written"),
            scale_limit=fits_scale("death_limit_per_person"),
        )
    )
    def number(sql):
        return db.execute(sql).fetchone()[0]

    unknown = number(UNKNOWN_UNITS)
    current = number(f"select count(*) from '{folder}/policy.parquet'")
    held = number(f"select count(*) from '{folder}/rejected.parquet'")
    total = number("select count(*) from typed")
    counts = {"current": current, "outrun": total - current - held, "held": held}
    print(json.dumps({"counts": counts, "unknown_units": unknown}))


def peer(inputs, folder):
    folder.mkdir()
    run = measured([sys.executable, __file__, "--peer", str(inputs), str(folder)], folder)
    return run, json.loads(run.output)["counts"], sizes(folder)


# The report


def line(name, rows, runs):
    per_second = statistics.median(rows / run.wall for run in runs)
    peak = max(run.peak for run in runs) / MEBI
    wall = statistics.median(run.wall for run in runs)
    cpu = statistics.median(run.cpu for run in runs)
    return f"{name:<5} {per_second:>12,.0f} rows/s   wall {wall:6.2f} s   CPU {cpu:6.2f} s   peak {peak:7.0f} MiB"


def in_mebibytes(found):
    return ", ".join(f"{place} {size / MEBI:.1f}" for place, size in found.items())


def compare(args):
    import duckdb

    anze = pathlib.Path(args.anze).resolve()
    if not anze.is_file():
        raise SystemExit(f"no binary at {anze}: build it, or name it with --anze")
    with tempfile.TemporaryDirectory(prefix="anze-bench-", dir=args.temp) as temp:
        temp = pathlib.Path(temp)
        inputs, base = temp / "inputs", temp / "base"
        inputs.mkdir()
        # In a process of its own: a child's peak memory counts that of the parent it was forked from.
        subprocess.run([sys.executable, __file__, "--generate", str(inputs), str(args.rows)], check=True)
        deployment(base, inputs)
        for feed in ("insurer",) if args.without_units else ("insurer", "unit"):
            batch = batch_of(ingest(anze, base, feed).output)
            if batch["held"] or not batch["accepted"]:
                raise SystemExit(f"the feed {feed} was not loaded whole: {batch}")
        csv_size = (inputs / "policy" / "policy.csv").stat().st_size
        print(f"{args.rows:,} rows x {len(COLUMNS)} columns, {csv_size / MEBI:.0f} MiB of CSV, {os.cpu_count()} CPUs, DuckDB {duckdb.__version__}")
        pairs = []
        for number in range(args.runs):
            folder = temp / f"ours-{number}"
            our_run, our_counts, our_sizes = ours(anze, base, folder)
            if not (args.keep and number == args.runs - 1):
                shutil.rmtree(folder)
            folder = temp / f"peer-{number}"
            peer_run, peer_counts, peer_sizes = peer(inputs, folder)
            shutil.rmtree(folder)
            if our_counts != peer_counts:
                raise SystemExit(f"the sides disagree: ours {our_counts}, peer {peer_counts}")
            pairs.append((our_run, peer_run))
        print(f"both: {', '.join(f'{name} {count:,}' for name, count in our_counts.items())}")
        print(line("ours", args.rows, [our for our, _ in pairs]))
        print(line("peer", args.rows, [other for _, other in pairs]))
        ratios = sorted(our.wall / other.wall for our, other in pairs)
        print(f"wall ours/peer, pair by pair: min {ratios[0]:.2f}, median {statistics.median(ratios):.2f}, max {ratios[-1]:.2f}")
        print(f"ours wrote (MiB): {in_mebibytes(our_sizes)}")
        print(f"peer wrote (MiB): {in_mebibytes(peer_sizes)}")
        if args.keep:
            shutil.copytree(temp, args.keep, symlinks=True)


def main():
    # What the script asks of itself, in processes of their own.
    if sys.argv[1:2] == ["--peer"]:
        return peer_child(pathlib.Path(sys.argv[2]), pathlib.Path(sys.argv[3]))
    if sys.argv[1:2] == ["--generate"]:
        return generate(pathlib.Path(sys.argv[2]), int(sys.argv[3]))
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--anze", default=str(ROOT / "target" / "debug" / "anze"), help="the binary (target/debug/anze)")
    parser.add_argument("--rows", type=int, default=1_000_000, help="rows of the policy file (1000000)")
    parser.add_argument("--runs", type=int, default=3, help="runs of each side (3)")
    parser.add_argument("--without-units", action="store_true", help="load no units, so that every row gets a finding")
    parser.add_argument("--temp", help="where the temporary folder is made")
    parser.add_argument("--keep", help="copy inputs, deployment and our last run into this new folder")
    args = parser.parse_args()
    if args.rows < 1 or args.runs < 1:
        parser.error("--rows and --runs must be at least 1")
    return compare(args)


if __name__ == "__main__":
    sys.exit(main())
