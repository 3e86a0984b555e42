"""Computes the metrics of a deployment again, from its landed files, with another engine.

    python tests/oracle/oracle.py DEPLOYMENT --anze target/debug/anze

Needs `duckdb` from PyPI. Decoding, mapping, checks and versions are done again in Python (landed.py),
the metrics again in DuckDB (metrics.sql); then every number is compared with `anze metrics run`, in
total and by dimension, for several days and periods. Money and counts must be equal, ratios to 1e-12.
Exit code 0: all equal; 1: something differs.
"""

import argparse
import csv
import json
import subprocess
import sys
import tempfile
from collections import defaultdict
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import duckdb
from datasets import COLUMNS, columns
from landed import load_all

HERE = Path(__file__).resolve().parent
AS_OF = ["coverage_rate", "headcount_coverage_rate", "death_limit_compliance_rate"]
PERIOD = ["renewal_rate", "claim_settlement_days", "hazard_rectification_rate", "prevention_spend_ratio"]
DIMENSIONS = {
    "coverage_rate": ["city", "county", "sector", "size", "department"],
    "headcount_coverage_rate": ["city", "county", "sector", "size", "department"],
    "death_limit_compliance_rate": ["city", "county", "sector", "size", "insurer", "department"],
    "renewal_rate": ["city", "county", "sector", "size", "insurer", "department", "month"],
    "claim_settlement_days": ["city", "county", "sector", "insurer", "department", "month"],
    "hazard_rectification_rate": ["city", "county", "sector", "size", "insurer", "department", "month"],
    "prevention_spend_ratio": ["insurer", "month"],
}


class Product:
    """The deployment as its users ask it."""

    def __init__(self, anze, deployment):
        self.command = [str(anze.resolve()), "-C", str(deployment)]

    def ask(self, *arguments):
        command = [*self.command, *arguments, "--format", "json"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            sys.exit(f"{' '.join(command)} failed:\n{done.stderr}")
        return json.loads(done.stdout, parse_float=Decimal)

    def batches(self):
        """The book of deliveries, in order of arrival."""
        sql = (
            "select batch_id, feed_id, object, landed_path, landed_at, slot_at, state, rows_read, rows_quarantined "
            "from system.batch where reporter <> 'anze'"
        )
        batches = self.ask("sql", sql)["rows"]
        for batch in batches:
            batch["landed_at"], batch["slot_at"] = micros(batch["landed_at"]), micros(batch["slot_at"])
            batch["order"] = (batch["landed_at"], batch["feed_id"], batch["object"])
        return batches

    def metric(self, metric, by=(), **days):
        arguments = ["metrics", "run", metric]
        if by:
            arguments += ["--by", ",".join(by)]
        for name, value in days.items():
            arguments += [f"--{name.replace('_', '-').strip('-')}", str(value)]
        return self.ask(*arguments)


def micros(text):
    if text is None:
        return None
    when = datetime.fromisoformat(text)
    return (when - datetime(1970, 1, 1, tzinfo=timezone.utc)) // timedelta(microseconds=1)


def written(value, kind):
    """A value as DuckDB's CSV reader takes it."""
    if value is None:
        return "\\N"
    if kind == "date":
        return (date(1970, 1, 1) + timedelta(days=value)).isoformat()
    if kind == "timestamp":
        return (datetime(1970, 1, 1) + timedelta(microseconds=value)).isoformat(sep=" ")
    return str(value).lower() if kind == "bool" else str(value)


def tables(warehouse):
    """The current rows in DuckDB."""
    engine = duckdb.connect()
    with tempfile.TemporaryDirectory() as folder:
        for dataset in COLUMNS:
            cols = columns(dataset)
            path = Path(folder, f"{dataset}.csv")
            with path.open("w", encoding="utf-8", newline="") as file:
                writer = csv.writer(file)
                for row in warehouse.rows(dataset):
                    writer.writerow([written(value, column.kind) for value, column in zip(row, cols)])
            types = ", ".join(f"'{column.name}': '{column.sql_type}'" for column in cols)
            engine.execute(
                f"create table {dataset} as select * from read_csv('{path}', header = false, delim = ',', quote = '\"', "
                f"escape = '\"', nullstr = '\\N', auto_detect = false, columns = {{{types}}})"
            )
    engine.execute((HERE / "metrics.sql").read_text(encoding="utf-8"))
    return engine


class Oracle:
    """Answers from DuckDB."""

    def __init__(self, engine):
        self.engine = engine

    def cases(self, metric, *days):
        literal = ", ".join(f"date '{day}'" for day in days)
        found = self.engine.execute(f"select * from {metric}({literal})")
        names = [column[0] for column in found.description]
        return [dict(zip(names, row)) for row in found.fetchall()]

    def answer(self, metric, by, days, until):
        """Rows by their members, as the product must give them, and the cases without a rule."""
        if "month" not in by:
            return self.grouped(metric, by, self.cases(metric, *days, until))
        rows, without_rule = {}, 0
        for label, start, end in months(*days):
            cases = self.cases(metric, start, end, until)
            for case in cases:
                case["month"] = label
            part, missing = self.grouped(metric, by, cases)
            rows.update(part)
            without_rule += missing
        return rows, without_rule

    @staticmethod
    def grouped(metric, by, cases):
        groups = defaultdict(list)
        if not by:
            groups[()] = []
        for case in cases:
            county = case["county"]
            case["city"] = county[:4] + "00" if county else None
            groups[tuple(case[dimension] or "unknown" for dimension in by)].append(case)
        rows = {}
        for members, cases_of in groups.items():
            counted = [case for case in cases_of if not case["without_rule"]]
            numerator = sum((case["numerator"] for case in counted), start=0)
            denominators = [case["denominator"] for case in counted if case["denominator"] is not None]
            denominator = sum(denominators, start=0)
            if by and not denominators and not numerator:
                continue
            value = Fraction(numerator) / Fraction(denominator) if denominator > 0 else None
            row = {"numerator": numerator, "denominator": denominator, "value": value}
            if metric == "claim_settlement_days":
                row.update(survival([(case["days"], case["paid"]) for case in counted]))
            rows[members] = row
        return rows, sum(case["without_rule"] for case in cases)


def months(start, end):
    while start < end:
        following = (start.replace(day=1) + timedelta(days=32)).replace(day=1)
        yield f"{start:%Y-%m}", start, min(following, end)
        start = following


def survival(cases):
    """Kaplan–Meier in whole fractions; payments come before censoring on the same day."""
    curve, left, at_risk = [], Fraction(1), len(cases)
    for day in sorted({day for day, _ in cases}):
        paid = sum(1 for other, event in cases if other == day and event)
        gone = sum(1 for other, _ in cases if other == day)
        if paid:
            left *= Fraction(at_risk - paid, at_risk)
            curve.append((day, left))
        at_risk -= gone

    def quantile(most):
        return next((day for day, share in curve if share <= most), None)

    def within(days):
        return 1 - next((share for day, share in reversed(curve) if day <= days), Fraction(1)) if cases else None

    return {
        "value": quantile(Fraction(1, 2)),
        "p90": quantile(Fraction(1, 10)),
        "within_10": within(10),
        "within_30": within(30),
        "within_60": within(60),
        "not_reached": True if cases and quantile(Fraction(1, 2)) is None else None,
    }


def same(ours, theirs):
    """Counts and money exactly, ratios to 1e-12."""
    if ours is None or theirs is None or isinstance(ours, bool):
        return ours is theirs
    if isinstance(theirs, str):
        return Decimal(theirs) == Decimal(ours)
    if isinstance(theirs, Decimal) or isinstance(ours, Fraction):
        return abs(Fraction(ours) - Fraction(theirs)) <= Fraction(1, 10**12)
    return ours == theirs


def compare(oracle, product, metric, by, days, until, asked):
    """Differences in one answer."""
    answer = product.metric(metric, by, **asked)
    rows, without_rule = oracle.answer(metric, by, days, until)
    place = f"{metric} by {','.join(by) or 'nothing'} {asked}"
    theirs = {tuple(row[dimension] for dimension in by): row for row in answer["rows"]}
    if answer["without_rule"] != without_rule:
        yield f"{place}: without_rule is {answer['without_rule']}, here {without_rule}"
    for members in sorted(rows.keys() ^ theirs.keys()):
        where = "only here" if members in rows else "only in the answer"
        yield f"{place}: {members} is {where}: {rows.get(members) or theirs.get(members)}"
    for members in sorted(rows.keys() & theirs.keys()):
        for name, ours in rows[members].items():
            if not same(ours, theirs[members].get(name)):
                yield f"{place}: {members}: {name} is {theirs[members].get(name)}, here {ours}"


def compare_findings(oracle, product, until):
    """Differences in the view expense_finding, line by line."""
    sql = "select insurer_code, line_no, finding from expense_finding"
    theirs = {(row["insurer_code"], row["line_no"], row["finding"]) for row in product.ask("sql", sql)["rows"]}
    found = f"select insurer_code, line_no, unnest(findings) from ledger(date '{until}')"
    ours = set(oracle.engine.execute(found).fetchall())
    for finding in sorted(ours ^ theirs):
        yield f"expense_finding: {finding} is {'only here' if finding in ours else 'only in the view'}"


def questions(release_day):
    """Metric, dimensions, days for the oracle, observation day, days for the product."""
    day = timedelta(days=1)
    new_year = release_day.replace(month=1, day=1)
    last_year = new_year.replace(year=new_year.year - 1)
    earlier = release_day - 45 * day
    for metric in AS_OF:
        finest = DIMENSIONS[metric]
        for by in [(), *[(dimension,) for dimension in finest]]:
            yield metric, by, (release_day,), release_day, {}
        for as_of in (release_day - day, release_day - 200 * day, new_year, date(2024, 2, 29)):
            for by in ((), finest):
                yield metric, by, (as_of,), release_day, {"as_of": as_of}
        yield metric, finest, (earlier,), earlier, {"observed_until": earlier}
    for metric in PERIOD:
        finest = DIMENSIONS[metric]
        for by in [(), *[(dimension,) for dimension in finest]]:
            yield metric, by, (new_year, release_day + day), release_day, {}
        for start, end in ((last_year, new_year), (last_year + 45 * day, release_day - 20 * day)):
            for by in ((), finest):
                yield metric, by, (start, end), release_day, {"from": start, "to": end}
        asked = {"from": last_year, "to": release_day, "observed_until": earlier}
        yield metric, finest, (last_year, release_day), earlier, asked


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("deployment", type=Path)
    parser.add_argument("--anze", type=Path, required=True, help="the binary")
    parser.add_argument("--reference", type=Path, default=HERE.parents[1] / "warehouse" / "reference")
    options = parser.parse_args()
    product = Product(options.anze, options.deployment)
    batches = product.batches()
    warehouse, differences = load_all(options.deployment, batches, options.reference)
    oracle = Oracle(tables(warehouse))
    release_day = date.fromisoformat(product.metric("coverage_rate")["observed_until"])
    differences.extend(compare_findings(oracle, product, release_day))
    compared = 1
    for metric, by, days, until, asked in questions(release_day):
        differences.extend(compare(oracle, product, metric, by, days, until, asked))
        compared += 1
    for difference in differences[:50]:
        print(difference)
    print(f"{len(batches)} landed files, {compared} answers compared, {len(differences)} differences")
    sys.exit(1 if differences else 0)


if __name__ == "__main__":
    main()
