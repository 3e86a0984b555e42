#!/usr/bin/env python3
"""Other tools open every table of a warehouse and count the rows that a release has.

    readers.py ANZE DEPLOYMENT

Polars and delta-rs (PyPI: polars, deltalake) read the Delta tables without any code of ours; DuckDB reads the Parquet
files that delta-rs lists. All must count what `anze sql` counts, table by table. Of the oldest release that is kept
delta-rs and Polars open every table at the version that its manifest names. Exit code 1 where one does not.
"""

import json
import subprocess
import sys
from pathlib import Path

import deltalake
import duckdb
import polars

FOLDERS = {"tables": "public", "history": None, "system": "system"}


def said(anze, deployment, *command):
    done = subprocess.run([anze, "-C", deployment, *command, "--format", "json"], capture_output=True, check=True, stdin=subprocess.DEVNULL)
    return json.loads(done.stdout)


def counted(anze, deployment, folder, table, *release):
    schema = FOLDERS[folder]
    # The view history.<dataset> adds the current rows to those that are stored.
    where = "" if schema else " where version_state <> 'current'"
    statement = f"select count(*) as n from {schema or 'history'}.{table}{where}"
    return said(anze, deployment, "sql", statement, *release)["rows"][0]["n"]


def oldest(anze, deployment, data):
    """What differs in the oldest release that is kept, and how many tables it names."""
    release = min(release["release"] for release in said(anze, deployment, "releases", "list")["releases"] if release["kept"])
    tables, wrong = json.loads((data / "releases" / f"{release:010}.json").read_text())["tables"], []
    for path, version in tables.items():
        if path == "system/metric_value":
            # What a release shows of it may follow its manifest.
            continue
        expected = counted(anze, deployment, *path.split("/"), "--release", str(release))
        found = {
            "delta-rs": sum(deltalake.DeltaTable(str(data / path), version=version).get_add_actions(flatten=True).column("num_records").to_pylist()),
            "polars": polars.scan_delta(str(data / path), version=version).select(polars.len()).collect().item(),
        }
        wrong += [f"{path} of release {release}: {reader} counts {n} rows, not {expected}" for reader, n in found.items() if n != expected]
    return wrong, release, len(tables)


def main(anze, deployment):
    data, wrong, tables, rows = Path(deployment) / "data", [], 0, 0
    for folder in FOLDERS:
        for place in sorted((data / folder).iterdir()):
            if not (place / "_delta_log").is_dir():
                continue
            expected = counted(anze, deployment, folder, place.name)
            delta = deltalake.DeltaTable(str(place))
            files = [str(place / path) for path in delta.file_uris()]
            found = {
                "delta-rs": delta.to_pyarrow_table().num_rows if hasattr(delta, "to_pyarrow_table") and arrow() else None,
                "polars": polars.scan_delta(str(place)).select(polars.len()).collect().item(),
                "duckdb": duckdb.sql("select count(*) from read_parquet($files)", params={"files": files}).fetchall()[0][0]
                if files
                else 0,
            }
            tables, rows = tables + 1, rows + expected
            for reader, number in found.items():
                if number is not None and number != expected:
                    wrong.append(f"{folder}/{place.name}: {reader} counts {number} rows, not {expected}")
    differing, release, named = oldest(anze, deployment, data)
    wrong += differing
    for line in wrong:
        print(line)
    print(f"{named} tables of release {release}, at the versions that it names")
    print(f"{tables} tables, {rows} rows: delta-rs {deltalake.__version__}, polars {polars.__version__}, duckdb {duckdb.__version__}")
    return 1 if wrong or tables == 0 else 0


def arrow():
    """delta-rs hands rows to pyarrow only where that is installed."""
    try:
        import pyarrow  # noqa: F401
    except ImportError:
        return False
    return True


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2]))
