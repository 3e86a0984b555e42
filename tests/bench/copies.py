#!/usr/bin/env python3
"""A deployment whose rows are those of another one many times over, each time under other keys.

    pip install duckdb deltalake
    python tests/bench/copies.py FROM TO --copies N [--anze PATH]

FROM is a deployment with a release, such as a demo of a whole province; TO is made. The facts of FROM are
written as Parquet with a number at the end of every key and every reference to one, and ingested, copy by
copy, through one feed a dataset; code lists are taken once. A line is printed for each copy: what was loaded
and how long it took, so that it shows whether loading stays as fast while the tables grow.
"""

import argparse
import json
import pathlib
import sys

from catalogue import files_of
from ingest import MEBI, ROOT, measured

# Their keys and what refers to keys; `subject_id` names a unit where `subject_kind` says so.
FACTS = {
    "unit": ["unit_id"],
    "roster": ["unit_id"],
    "deferral": ["unit_id", "hazard_no"],
    "policy": ["policy_no", "unit_id", "previous_policy_no"],
    "premium_receipt": ["receipt_no", "policy_no"],
    "service": ["service_no", "policy_no", "unit_id", "plan_no"],
    "hazard": ["hazard_no", "service_no", "unit_id"],
    "expense": ["line_no", "service_no", "policy_no", "voucher_no", "reverses_line_no"],
    "accident": ["accident_no", "unit_id"],
    "claim": ["claim_no", "policy_no", "unit_id", "accident_no"],
    "complaint": ["complaint_no", "unit_id"],
    "visit": ["visit_no", "subject_id"],
    "inspection": ["finding_no", "visit_no", "subject_id"],
}
CODES = ["insurer", "agency", "budget", "rule", "service_norm"]
# Columns that the warehouse adds to a row; the sender's clock is the sender's.
LINEAGE = {"batch_id", "row_no", "feed_id", "reporter", "landed_at", "key_reporter"}


def write(db, files, columns, path, copy):
    """The rows of some files under the keys of a copy."""
    names = [row[0] for row in db.execute(f"describe select * from read_parquet({files})").fetchall()]

    def expression(name):
        if name == "subject_id":
            return f"case subject_kind when 'unit' then subject_id || '~{copy}' else subject_id end as subject_id"
        if name in columns:
            return f"{name} || '~{copy}' as {name}"
        # A number at the end is no part of a credit code.
        if name == "id_kind":
            return "case id_kind when 'uscc' then 'permit' else id_kind end as id_kind"
        return name

    chosen = ", ".join(expression(name) for name in names if name not in LINEAGE)
    # What the product ships comes with it, not with a feed.
    where = "where not starts_with(feed_id, 'anze-')"
    db.execute(f"copy (select {chosen} from read_parquet({files}) {where}) to '{path}' (format parquet, compression zstd)")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", metavar="FROM")
    parser.add_argument("target", metavar="TO")
    parser.add_argument("--copies", type=int, required=True)
    parser.add_argument("--anze", default=str(ROOT / "target" / "debug" / "anze"), help="the binary (target/debug/anze)")
    args = parser.parse_args()
    import duckdb

    anze, source, target = (pathlib.Path(path).resolve() for path in (args.anze, args.source, args.target))
    (target / "feeds").mkdir(parents=True)
    (target / "anze.toml").write_text(
        '[server]\nloopback_role = "admin"\n\n[metric_value]\nfollow = false\n\n[maintenance]\nautomatic = false\n\n'
        # Many provinces in one: their questions may take as long and as much as they need.
        '[query]\ndeadline = "15m"\nmemory = "12GiB"\n',
        encoding="utf-8",
    )
    for dataset in [*CODES, *FACTS]:
        (target / "feeds" / f"{dataset}.toml").write_text(
            f"dataset = \"{dataset}\"\nreporter = \"ZJIA\"\n\n[source]\nkind = \"directory\"\npath = '{target}/inbox/{dataset}'\n\n"
            '[format]\nkind = "parquet"\ntimezone = "UTC"\n',
            encoding="utf-8",
        )
        (target / "inbox" / dataset).mkdir(parents=True)
    db = duckdb.connect()
    db.execute("set threads = 2; set timezone = 'UTC'")
    present = {dataset: files_of(source, f"tables/{dataset}") for dataset in [*CODES, *FACTS]}
    for copy in range(1, args.copies + 1):
        for dataset, files in present.items():
            if files and (copy == 1 or dataset in FACTS):
                write(db, files, FACTS.get(dataset, ()), target / "inbox" / dataset / f"copy-{copy}.parquet", copy)
        run = measured([str(anze), "-C", str(target), "--format", "json", "ingest", "run", "--all"], target, (0, 3))
        batches = json.loads(run.output)["batches"]
        accepted, held = (sum(batch[count] for batch in batches) for count in ("rows_accepted", "rows_quarantined"))
        print(f"copy {copy}: {accepted:,} rows, {held:,} held, wall {run.wall:.1f} s, CPU {run.cpu:.1f} s, peak {run.peak / MEBI:,.0f} MiB", flush=True)
        for file in (target / "inbox").glob("*/*.parquet"):
            file.unlink()


if __name__ == "__main__":
    sys.exit(main())
