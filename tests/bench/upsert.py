#!/usr/bin/env python3
"""Upserting 1 % into a large table: `anze ingest run` beside delta-rs MERGE and DuckDB, on this machine.

    pip install duckdb deltalake pyarrow
    python tests/bench/upsert.py [--anze PATH] [--rows N] [--keys recent|uniform|both]

The table is `unit`, keyed by unit_id, 12 columns and 7 of lineage. A batch has 1 % of its keys, all of them
known: `recent` takes 90 % from the newest tenth of the keys and the rest from anywhere, `uniform` takes all
from anywhere. All sides start from the same rows, each in a process of its own, whose wall time, CPU time
and peak memory the kernel counts.

OURS: `anze ingest run unit` from the CSV of the batch to a published release. That includes what the peers
do not do: landing with SHA-256, checks, versions by the source's clock, replaced rows to the history.
DELTA-RS: MERGE of the typed batch by key into a Delta table of the same rows and columns, as it writes it.
DUCKDB: the Parquet files of ours written again, the batch in the place of the rows of its keys. It rewrites
everything, whatever the batch.

Rows and a checksum over the changed column must be the same on all sides. Nothing is asserted about time.
"""

import argparse
import json
import os
import pathlib
import shutil
import sys
import tempfile

from ingest import MEBI, ROOT, ingest, measured

# Files of the first load; each is a batch, its keys follow those of the one before.
FILE_ROWS = 2_500_000
COLUMNS = (
    "unit_id", "id_kind", "name", "region_code", "address", "sector", "industry_code", "size", "employees",
    "risk_level", "status",
)
ROW = """
    select
        'U' || lpad(i::varchar, 10, '0') as unit_id,
        'project' as id_kind,
        '单位' || i as name,
        (['330102', '330106', '330203', '330302', '330402', '330502', '330602', '330702'])[1 + i % 8] as region_code,
        '路' || (i * 7919 % 9973) || '号' as address,
        (['mine', 'hazchem', 'transport', 'construction', 'other'])[1 + i % 5] as sector,
        'C' || (1000 + i % 800) as industry_code,
        (['L', 'M', 'S', 'XS'])[1 + i % 4] as size,
        {employees} as employees,
        (['red', 'orange', 'yellow', 'blue'])[1 + i % 4] as risk_level,
        'open' as status,
        {clock} as source_updated_at
    from {numbers}
"""
# Our own columns beside those of the file, for sides that have no landing.
LINEAGE = """
    'batch-2' as batch_id, row_number() over () as row_no, 'unit' as feed_id, 'ZJIA' as reporter,
    now() as landed_at, 'ZJIA' as key_reporter
"""


def connect():
    import duckdb

    db = duckdb.connect()
    db.execute("set threads = 2; set memory_limit = '6GB'; set preserve_insertion_order = true; set TimeZone = 'UTC'")
    return db


# Input


def base_file(folder, number, rows):
    number, rows = int(number), int(rows)
    first, last = number * FILE_ROWS, min((number + 1) * FILE_ROWS, rows)
    numbers = f"(select unnest(range({first}, {last})) as i)"
    row = ROW.format(employees="i % 500", clock="timestamp '2026-01-01 00:00:00' + to_seconds(i % 86400)", numbers=numbers)
    connect().execute(f"copy ({row}) to '{folder}/base-{number:04}.csv.zst' (header, compression zstd)")


def batch_files(folder, rows, keys):
    """The batch as a CSV file for us and as Parquet for the peers."""
    rows = int(rows)
    count, tenth = rows // 100, rows - rows // 10
    recent = count * 9 // 10 if keys == "recent" else 0
    db = connect()
    # A permutation by a prime beside the range: distinct keys without a table of all of them.
    db.execute(f"""
        create table picked as
        select {tenth} + (i * 7919) % {rows // 10} as i from (select unnest(range({recent})) as i)
        union
        select (i * 15485863) % {tenth if recent else rows} as i from (select unnest(range({count - recent})) as i)
    """)
    row = ROW.format(employees="600 + i % 100", clock="timestamp '2026-02-01 00:00:00'", numbers="picked")
    db.execute(f"create table batch as {row} order by hash(i)")
    (folder / "unit").mkdir(parents=True)
    db.execute(f"copy batch to '{folder}/unit/batch.csv' (header)")
    db.execute(f"copy (select * replace (source_updated_at::timestamptz as source_updated_at), {LINEAGE} from batch) to '{folder}/batch.parquet'")
    print(db.execute("select count(*) from batch").fetchone()[0])


# Ours


def deployment(folder, inputs):
    (folder / "feeds").mkdir(parents=True)
    # What metrics make of a release is measured by catalogue.py.
    (folder / "anze.toml").write_text('[server]\nloopback_role = "admin"\n\n[metric_value]\nfollow = false\n', encoding="utf-8")
    source(folder, inputs)


def source(folder, inputs):
    (folder / "feeds" / "unit.toml").write_text(
        'dataset = "unit"\nreporter = "ZJIA"\n\n'
        f"[source]\nkind = \"directory\"\npath = '{inputs}'\n\n"
        '[format]\nkind = "csv"\n\n'
        "[columns]\nsource_updated_at = \"source_updated_at\"\n",
        encoding="utf-8",
    )


def copied(base, folder):
    """A copy of a deployment; what is never written again is shared with it."""

    def copy(source, target):
        if source.endswith(".parquet"):
            os.link(source, target)
        else:
            shutil.copy2(source, target)

    def ignore(directory, names):
        return {"landed"} & set(names)

    shutil.copytree(base, folder, copy_function=copy, ignore=ignore)


def table_files(folder):
    from deltalake import DeltaTable

    return [uri.removeprefix("file://") for uri in DeltaTable(str(folder)).file_uris()]


# The peers, each in a process of its own


def delta_base(folder, target):
    """The rows of ours as delta-rs writes them."""
    import pyarrow.dataset
    from deltalake import write_deltalake

    rows = pyarrow.dataset.dataset(table_files(folder), format="parquet")
    batches = rows.scanner(batch_size=131_072).to_reader()
    write_deltalake(str(target), batches)


def delta_merge(folder, batch):
    import pyarrow.parquet
    from deltalake import DeltaTable

    table = DeltaTable(str(folder))
    names = table.schema().to_arrow() if hasattr(table.schema(), "to_arrow") else table.schema().to_pyarrow()
    columns = [field.name for field in names]
    source = pyarrow.parquet.read_table(str(batch))
    given = [name for name in columns if name in source.column_names]
    changed = {name: f"s.{name}" for name in given}
    (
        table.merge(
            source.select(given), predicate="t.unit_id = s.unit_id", source_alias="s", target_alias="t"
        )
        .when_matched_update(changed)
        .when_not_matched_insert(changed)
        .execute()
    )


def duckdb_rewrite(folder, batch, target):
    files = table_files(folder)
    pathlib.Path(target).mkdir()
    db = connect()
    db.execute("set preserve_insertion_order = false")
    db.execute(
        "copy (from read_parquet($files) as old anti join read_parquet($batch) as new using (unit_id)"
        f" union all by name from read_parquet($batch)) to '{target}' (format parquet, compression lz4_raw, per_thread_output)",
        {"files": files, "batch": str(batch)},
    )


def checked(folder):
    """Files, bytes, rows and a checksum of a Delta table or of plain Parquet files."""
    files = table_files(folder) if (folder / "_delta_log").is_dir() else [str(path) for path in folder.glob("*.parquet")]
    sums = "select count(*), sum(employees)::bigint from read_parquet($files)"
    rows, checksum = connect().execute(sums, {"files": files}).fetchone()
    print(json.dumps([len(files), sum(map(os.path.getsize, files)), rows, checksum]))


CHILDREN = {
    "--base": lambda folder, number, rows: base_file(pathlib.Path(folder), number, rows),
    "--batch": lambda folder, rows, keys: batch_files(pathlib.Path(folder), rows, keys),
    "--checked": lambda folder: checked(pathlib.Path(folder)),
    "--delta-base": lambda *paths: delta_base(*map(pathlib.Path, paths)),
    "--delta-merge": lambda *paths: delta_merge(*map(pathlib.Path, paths)),
    "--duckdb": lambda *paths: duckdb_rewrite(*map(pathlib.Path, paths)),
}


def child(command, *arguments):
    """Everything runs in children: the peak of a child counts that of the parent it was forked from."""
    return measured([sys.executable, __file__, command, *map(str, arguments)], ROOT)


def sums_of(folder):
    return json.loads(child("--checked", folder).output)


# The comparison


def tell(name, run, of=None):
    ratio = f"   time ours/its {of.wall / run.wall:5.2f}   memory ours/its {of.peak / run.peak:5.2f}" if of else ""
    print(f"{name:<9} wall {run.wall:7.2f} s   CPU {run.cpu:7.2f} s   peak {run.peak / MEBI:7.0f} MiB{ratio}", flush=True)


def written(folder, before):
    now = {path: path.stat().st_size for path in folder.rglob("*.parquet")}
    return sum(size for path, size in now.items() if path.relative_to(folder) not in before) / MEBI


def compare(args):
    anze = pathlib.Path(args.anze).resolve()
    with tempfile.TemporaryDirectory(prefix="anze-upsert-", dir=args.temp) as temp:
        temp = pathlib.Path(temp)
        inputs, base = temp / "inputs", temp / "base"
        inputs.mkdir()
        deployment(base, inputs)
        for number in range(-(-args.rows // FILE_ROWS)):
            child("--base", inputs, number, args.rows)
            run = ingest(anze, base, "unit")
            (inputs / f"base-{number:04}.csv.zst").unlink()
        tell("last load", run)
        table = base / "data" / "tables" / "unit"
        files, size, rows, _ = sums_of(table)
        print(f"{rows:,} rows in {files} files, {size / MEBI:,.0f} MiB")
        delta = temp / "delta"
        if "delta" in args.peers:
            tell("delta-rs writes the rows", child("--delta-base", table, delta))
        for keys in ("recent", "uniform") if args.keys == "both" else (args.keys,):
            scenario(args, anze, temp, base, delta, keys)


def scenario(args, anze, temp, base, delta, keys):
    folder = temp / keys
    folder.mkdir()
    count = int(child("--batch", folder, args.rows, keys).output)
    print(f"\n{keys}: {count:,} keys")
    ours = folder / "ours"
    copied(base, ours)
    source(ours, folder / "unit")
    table = ours / "data" / "tables" / "unit"
    before = {path.relative_to(ours) for path in ours.rglob("*.parquet")}
    our_run = ingest(anze, ours, "unit")
    (batch,) = json.loads(our_run.output)["batches"]
    if batch["rows_accepted"] != count:
        raise SystemExit(f"not every row was accepted: {batch}")
    tell("ours", our_run)
    print(f"          wrote {written(ours, before):,.0f} MiB")
    expected = sums_of(table)[2:]
    if "delta" in args.peers:
        merged = folder / "delta"
        copied(delta, merged)
        before = {path.relative_to(merged) for path in merged.rglob("*.parquet")}
        tell("delta-rs", child("--delta-merge", merged, folder / "batch.parquet"), our_run)
        print(f"          wrote {written(merged, before):,.0f} MiB")
        agree("delta-rs", expected, sums_of(merged)[2:])
        shutil.rmtree(merged)
    if "duckdb" in args.peers:
        target = folder / "duckdb"
        tell("DuckDB", child("--duckdb", base / "data" / "tables" / "unit", folder / "batch.parquet", target), our_run)
        agree("DuckDB", expected, sums_of(target)[2:])
    shutil.rmtree(folder)


def agree(name, expected, found):
    if found != expected:
        raise SystemExit(f"{name} has {found}, ours {expected}")


def main():
    if sys.argv[1:2] and sys.argv[1] in CHILDREN:
        return CHILDREN[sys.argv[1]](*sys.argv[2:])
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--anze", default=str(ROOT / "target" / "debug" / "anze"), help="the binary (target/debug/anze)")
    parser.add_argument("--rows", type=int, default=50_000_000, help="rows of the table (50000000)")
    parser.add_argument("--keys", choices=("recent", "uniform", "both"), default="both")
    parser.add_argument("--peers", default="delta,duckdb", help="which peers (delta,duckdb)")
    parser.add_argument("--temp", help="where to work")
    compare(parser.parse_args())


if __name__ == "__main__":
    main()
