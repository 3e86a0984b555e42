#!/usr/bin/env python3
"""What the layout of a table costs and brings: keys, row groups, order, bloom filters, partitions.

    pip install duckdb datafusion pyarrow
    python tests/bench/layout.py [--policies N] [--temp DIR]

Policies, their units and their premium receipts, as a province has them: text keys, policies in the order in
which they arrive. Every variant holds the same rows and is written by DataFusion's writer, which is ours too
(LZ4), and read by DataFusion and by DuckDB, each with two threads; times are the least of three. Answers of all
variants and engines must be equal. Nothing is asserted about time.

KEYS: joins on the text keys, and on 64-bit numbers that stand beside them.
GROUPS: rows of one row group: what a scan takes, and which share of all rows lies in groups that a batch of 1 %
touches, for keys of which 90 % are in the newest tenth and for uniform ones, in order of arrival, by key, and
in buckets by a hash of the key.
LOOK-UP: one policy by its number, in order of arrival and by key, without and with bloom filters.
PARTITIONS: the sums of one city, from one table and from one partitioned by city.
"""

import argparse
import pathlib
import statistics
import tempfile
import time

INSURERS = ("PICC", "CPIC", "PAIC", "ZJPC", "GPIC", "YGCX")
GROUP = 131_072

# A policy's number tells its insurer and the year; numbers of an insurer follow each other.
UNIT_ID = "'91330' || lpad((({n}) * 7919 % 100000007)::varchar, 9, '0') || lpad((({n}) % 10000)::varchar, 4, '0')"
POLICY_NO = "(['PICC', 'CPIC', 'PAIC', 'ZJPC', 'GPIC', 'YGCX'])[1 + ({n}) % 6] || (2018 + ({n}) * 8 // {rows})::varchar || lpad(({n})::varchar, 8, '0')"
TABLES = {
    "unit": """
        select i as unit_key, {unit_id} as unit_id, '单位' || i as name, (['L', 'M', 'S', 'XS'])[1 + i % 4] as size,
            330100 + 100 * (i % 11) + 2 + i % 7 as region, (i % 500)::integer as employees
        from range({units}) as r(i)""",
    "policy": """
        select i as policy_key, (i * 104729) % {units} as unit_key, {policy_no} as policy_no, {policy_unit} as unit_id,
            (['mine', 'hazchem', 'transport', 'construction', 'other'])[1 + i % 5] as sector,
            330100 + 100 * (i % 11) + 2 + i % 7 as region,
            date '2018-01-01' + (i * 2920 // {rows})::integer as inception,
            (1000 + i % 90000)::decimal(18, 2) as premium
        from range({rows}) as r(i)""",
    "receipt": """
        select i as receipt_key, (i * 7919) % {rows} as policy_key, 'R' || lpad(i::varchar, 12, '0') as receipt_no,
            {receipt_policy} as policy_no, (500 + i % 40000)::decimal(18, 2) as amount,
            date '2018-01-01' + (i * 2920 // {receipts})::integer as received_on
        from range({receipts}) as r(i)""",
}
NUMBERS = {"unit": ["unit_key"], "policy": ["policy_key", "unit_key"], "receipt": ["receipt_key", "policy_key"]}
JOINS = {
    "premium by size of unit": "select u.size, sum(p.premium) as s from policy as p join unit as u on p.{unit} = u.{unit} group by 1 order by 1",
    "receipts by region of policy": "select p.region, sum(r.amount) as s from receipt as r join policy as p on r.{policy} = p.{policy} group by 1 order by 1",
    "collected by size of unit": "select u.size, sum(r.amount) as s from receipt as r join policy as p on r.{policy} = p.{policy} join unit as u on p.{unit} = u.{unit} group by 1 order by 1",
    "policies with receipts": "select p.sector, count(*) as n from policy as p where p.{policy} in (select {policy} from receipt) group by 1 order by 1",
}
SCAN = "select sector, sum(premium) as s, count(*) as n from policy where inception < date '2024-01-01' group by 1 order by 1"
CITY = "select sector, sum(premium) as s from policy where region >= 330300 and region < 330400 group by 1 order by 1"


def duck():
    import duckdb

    db = duckdb.connect()
    db.execute("set threads = 2; set memory_limit = '8GB'; set preserve_insertion_order = true")
    return db


def fusion():
    from datafusion import RuntimeEnvBuilder, SessionConfig, SessionContext

    return SessionContext(SessionConfig().with_target_partitions(2), RuntimeEnvBuilder())


def write(folder, source, select, *, group=GROUP, dictionary=True, bloom=(), compression="lz4_raw", by=None):
    """Writes what a statement selects of some source tables, as one variant."""
    session = fusion()
    for name, place in source.items():
        session.register_parquet(name, str(place))
    folder.parent.mkdir(parents=True, exist_ok=True)
    options = [
        f"'format.compression' '{compression}'", f"'format.max_row_group_size' '{group}'",
        f"'format.dictionary_enabled' '{str(dictionary).lower()}'",
        *(f"'format.bloom_filter_enabled::{column}' 'true'" for column in bloom),
    ]
    parts = f" partitioned by ({by})" if by else ""
    session.sql(f"copy ({select}) to '{folder}/' stored as parquet{parts} options ({', '.join(options)})").collect()
    return folder


def size(folder):
    return sum(path.stat().st_size for path in folder.rglob("*.parquet"))


def least(ask, times=3):
    took = []
    for _ in range(times):
        begun = time.perf_counter()
        rows = ask()
        took.append(time.perf_counter() - begun)
    return rows, min(took)


def ask_fusion(tables, sql):
    session = fusion()
    for name, place in tables.items():
        session.register_parquet(name, str(place))
    return least(lambda: plain(row for batch in session.sql(sql).collect() for row in batch.to_pylist()))


def ask_duck(tables, sql):
    db = duck()
    for name, place in tables.items():
        db.execute(f"create view {name} as select * from read_parquet('{place}/**/*.parquet')")
    return least(lambda: plain(dict(zip((c[0] for c in found.description), row)) for found in [db.execute(sql)] for row in found.fetchall()))


def plain(rows):
    return [tuple(map(str, row.values())) for row in rows]


def same(name, one, other):
    if one != other:
        raise SystemExit(f"{name}: {one[:3]} is not {other[:3]}")


def made(folder, rows):
    """The rows, as DuckDB makes them."""
    counts = {"rows": rows, "units": rows // 4, "receipts": rows * 7 // 5}
    keys = {
        "unit_id": UNIT_ID.format(n="i"),
        "policy_no": POLICY_NO.format(n="i", rows=rows),
        "policy_unit": UNIT_ID.format(n=f"(i * 104729) % {rows // 4}"),
        "receipt_policy": POLICY_NO.format(n=f"((i * 7919) % {rows})", rows=rows),
    }
    db = duck()
    for name, select in TABLES.items():
        (folder / name).mkdir(parents=True)
        db.execute(f"copy ({select.format(**counts, **keys)}) to '{folder}/{name}/0.parquet' (format parquet)")
    return {name: folder / name for name in TABLES}


def keys(temp, source):
    print("KEYS")
    text, both = {}, {}
    for name in TABLES:
        numbers = ", ".join(NUMBERS[name])
        text[name] = write(temp / "text" / name, source, f"select * except ({numbers}) from {name}")
        both[name] = write(temp / "both" / name, source, f"select * from {name}")
    for name in TABLES:
        rows = duck().execute(f"select count(*) from read_parquet('{text[name]}/*.parquet')").fetchone()[0]
        print(f"    {name:<8} {rows:>11,} rows: {size(text[name]) / rows:5.1f} bytes a row with text keys, {size(both[name]) / rows:5.1f} with numbers beside them")
    print(f"    {'':<30} {'DataFusion':>21} {'DuckDB':>21}\n    {'':<30} {'text':>10} {'numbers':>10} {'text':>10} {'numbers':>10}")
    for title, sql in JOINS.items():
        by_text, by_number = sql.format(unit="unit_id", policy="policy_no"), sql.format(unit="unit_key", policy="policy_key")
        asked = [(ask_fusion, text, by_text), (ask_fusion, both, by_number), (ask_duck, text, by_text), (ask_duck, both, by_number)]
        answers = [ask(tables, sql) for ask, tables, sql in asked]
        for rows, _ in answers[1:]:
            same(title, answers[0][0], rows)
        print(f"    {title:<30}" + "".join(f" {took:8.3f} s" for _, took in answers))


def groups(temp, source, rows):
    print("GROUPS")
    select = "select policy_no, unit_id, sector, region, inception, premium from policy"
    for group in (4_096, 32_768, 131_072, 1_048_576):
        folder = write(temp / f"groups-{group}", source, select, group=group)
        _, took = ask_fusion({"policy": folder}, SCAN)
        print(f"    {group:>9,} rows a group: scan {took:6.3f} s, {size(folder) / rows:5.1f} bytes a row")
    for name, how in {"Zstandard": {"compression": "zstd(3)"}, "without dictionaries": {"dictionary": False}}.items():
        folder = write(temp / "other", source, select, **how)
        _, took = ask_fusion({"policy": folder}, SCAN)
        print(f"    {name:>23}: scan {took:6.3f} s, {size(folder) / rows:5.1f} bytes a row")
    print("    share of all rows in groups that a batch of 1 % touches")
    db = duck()
    db.execute(f"create table batch_recent as select {rows - rows // 10} + (i * 7919) % {rows // 10} as n from range({rows * 9 // 1000}) as r(i) union select (i * 15485863) % {rows - rows // 10} from range({rows // 1000}) as r(i)")
    db.execute(f"create table batch_uniform as select (i * 15485863) % {rows} as n from range({rows // 100}) as r(i)")
    db.execute(f"create table place as select i as n, i as arrival, row_number() over (order by hash(i) % 64, i) - 1 as bucket, row_number() over (order by (['PICC', 'CPIC', 'PAIC', 'ZJPC', 'GPIC', 'YGCX'])[1 + i % 6], i) - 1 as by_key from range({rows}) as r(i)")
    print(f"    {'':>22} {'recent':>32} {'uniform':>32}\n    {'':>22} {'arrival':>10} {'by key':>10} {'buckets':>10} {'arrival':>10} {'by key':>10} {'buckets':>10}")
    for group in (1_024, 4_096, 32_768, 131_072):
        shares = []
        for batch in ("batch_recent", "batch_uniform"):
            for order in ("arrival", "by_key", "bucket"):
                touched = db.execute(f"select count(distinct {order} // {group}) from place join {batch} using (n)").fetchone()[0]
                shares.append(min(1.0, touched * group / rows))
        print(f"    {group:>9,} rows a group" + "".join(f" {share:9.1%} " for share in shares))


def look_up(temp, source, rows):
    print("LOOK-UP")
    numbers = [rows * 37 // 100 + step * rows // 50 for step in range(20)]
    wanted = [duck().execute(f"select {POLICY_NO.format(n=n, rows=rows)}").fetchone()[0] for n in numbers]
    for name, order in {"in order of arrival": "", "by key": " order by policy_no"}.items():
        for bloom in ((), ("policy_no",)):
            folder = write(temp / "looked-up", source, f"select * from policy{order}", group=32_768, bloom=bloom)
            session = fusion()
            session.register_parquet("policy", str(folder))
            took = []
            for key in wanted:
                begun = time.perf_counter()
                found = sum(batch.num_rows for batch in session.sql(f"select * from policy where policy_no = '{key}'").collect())
                took.append(time.perf_counter() - begun)
                if found != 1:
                    raise SystemExit(f"{key}: {found} rows")
            print(f"    {name:<20} {'with' if bloom else 'without'} bloom filters: median {statistics.median(took) * 1000:7.1f} ms, {size(folder) / rows:5.1f} bytes a row")
            for path in folder.rglob("*.parquet"):
                path.unlink()


def partitions(temp, source):
    print("PARTITIONS")
    whole = write(temp / "whole", source, "select * from policy")
    parts = write(temp / "parts", source, "select *, region / 100 as city from policy", by="city")
    answers = []
    for name, folder, sql in (("one table", whole, CITY), ("by city", parts, CITY), ("by city, asked by city", parts, CITY.replace("where", "where city = 3303 and"))):
        files = len(list(folder.rglob("*.parquet")))
        session = fusion()
        session.sql(f"create external table policy stored as parquet location '{folder}/'" + (" partitioned by (city)" if "city" in name else "")).collect()
        rows_, took = least(lambda: plain(row for batch in session.sql(sql.replace("city = 3303", "city = '3303'")).collect() for row in batch.to_pylist()))
        answers.append(rows_)
        print(f"    {name:<24} {files:>4} files: {took:6.3f} s")
    for rows_ in answers[1:]:
        same("one city", answers[0], rows_)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--policies", type=int, default=5_000_000)
    parser.add_argument("--temp")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="anze-layout-", dir=args.temp) as temp:
        temp = pathlib.Path(temp)
        source = made(temp / "made", args.policies)
        keys(temp, source)
        groups(temp, source, args.policies)
        look_up(temp, source, args.policies)
        partitions(temp, source)


if __name__ == "__main__":
    main()
