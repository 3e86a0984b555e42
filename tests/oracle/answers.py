"""Answers from DuckDB: the cases of sql/*.sql, summed exactly in Python."""

import csv
import tempfile
from collections import defaultdict
from datetime import date, datetime, timedelta
from decimal import Decimal, getcontext
from fractions import Fraction
from pathlib import Path

import duckdb
from catalogue import METRICS
from datasets import COLUMNS, columns
from product import micros

SQL = Path(__file__).resolve().parent / "sql"
SUBJECTS = [
    "policies", "premiums", "services", "expenses", "claims", "accidents", "complaints", "enforcement",
    "reporting", "leads",
]
BOOKS = {
    "book_batch": "batch_id varchar, feed_id varchar, reporter varchar, dataset varchar, state varchar, "
    "landed_at timestamp, slot_at timestamp, rows_read bigint",
    "book_slot": "feed_id varchar, slot_at timestamp, due_at timestamp, fulfilled_by varchar",
    "book_quarantine": "batch_id varchar, row_no bigint, state varchar",
    "book_feed": "feed_id varchar, reporter varchar, dataset varchar, region_code varchar, department varchar",
    "book_release": "published_at timestamp, day date",
}

# Sums of money squared need more digits than the default 28.
getcontext().prec = 80


def empty_tables():
    """An engine with every dataset and book, empty."""
    engine = duckdb.connect()
    for dataset in COLUMNS:
        types = ", ".join(f"{column.name} {column.sql_type}" for column in columns(dataset))
        engine.execute(f"create table {dataset} ({types})")
    for book, types in BOOKS.items():
        engine.execute(f"create table {book} ({types})")
    return engine


def written(value, kind):
    """A value as DuckDB's CSV reader takes it."""
    if value is None:
        return "\\N"
    if kind == "date":
        return (date(1970, 1, 1) + timedelta(days=value)).isoformat()
    if kind == "timestamp":
        return (datetime(1970, 1, 1) + timedelta(microseconds=value)).isoformat(sep=" ")
    return str(value).lower() if kind == "bool" else str(value)


def fill(engine, warehouse, books):
    """Puts the current rows of every dataset and the books into the engine."""
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
                f"insert into {dataset} select * from read_csv('{path}', header = false, delim = ',', quote = '\"', "
                f"escape = '\"', nullstr = '\\N', auto_detect = false, columns = {{{types}}})"
            )
        for book, types in BOOKS.items():
            cols = [column.split() for column in types.split(", ")]
            path = Path(folder, f"{book}.csv")
            with path.open("w", encoding="utf-8", newline="") as file:
                writer = csv.writer(file)
                for row in books[book]:
                    writer.writerow([booked(row[name], kind) for name, kind in cols])
            declared = ", ".join(f"'{name}': '{kind}'" for name, kind in cols)
            engine.execute(
                f"insert into {book} select * from read_csv('{path}', header = false, delim = ',', quote = '\"', "
                f"escape = '\"', nullstr = '\\N', auto_detect = false, columns = {{{declared}}})"
            )


def booked(value, kind):
    """A value of a book as DuckDB's CSV reader takes it; the product writes instants with their zone."""
    if kind == "timestamp" and value is not None:
        return written(micros(value), kind)
    return "\\N" if value is None else str(value)


class Oracle:
    """Answers every metric from an engine that holds the rows."""

    def __init__(self, engine):
        self.engine = engine
        self.observed = None
        self.known_cases = {}
        self.run("shared")

    def run(self, name):
        self.engine.execute((SQL / f"{name}.sql").read_text(encoding="utf-8"))

    def observe(self, until):
        """Makes `until` the observation day."""
        if self.observed == until:
            return
        self.engine.execute(f"set variable o = date '{until}'")
        for name in ("observed", "ledger", *(SUBJECTS if self.observed is None else ())):
            self.run(name)
        self.observed, self.known_cases = until, {}

    def cases(self, metric, days, params):
        """The cases of a metric for a day, or for the two ends of a period."""
        literals = [f"date '{day}'" for day in days]
        literals += [f"{name} := {value!r}" for name, value in sorted(params.items())]
        call = f"{metric}({', '.join(literals)})"
        if call not in self.known_cases:
            found = self.engine.execute(f"select * from {call}")
            names = [column[0] for column in found.description]
            cases = [dict(zip(names, row)) for row in found.fetchall()]
            for case in cases:
                county = case.get("county")
                case["city"] = county[:4] + "00" if county else None
            self.known_cases[call] = cases
        return self.known_cases[call]

    def answer(self, metric, by, where, days, until, params):
        """Rows by their members, as the product must give them, and the count of cases without a rule."""
        self.observe(until)

        def chosen(start_and_end):
            cases = self.cases(metric, start_and_end, params)
            return [
                case
                for case in cases
                if all((case[dimension] or "unknown") == member for dimension, member in where.items())
            ]

        if "month" not in by:
            return grouped(metric, by, chosen(days))
        rows, without_rule = {}, 0
        for label, start, end in months(*days):
            part, missing = grouped(metric, by, [{**case, "month": label} for case in chosen((start, end))])
            rows.update(part)
            without_rule += missing
        return rows, without_rule


def grouped(metric, by, cases):
    """Cases summed by their members, and how many have no rule."""
    groups = defaultdict(list)
    if not by:
        groups[()] = []
    for case in cases:
        groups[tuple(case[dimension] or "unknown" for dimension in by)].append(case)
    rows = {}
    for members, cases_of in groups.items():
        counted = [case for case in cases_of if not case["without_rule"]]
        has_denominator = any(case["denominator"] is not None for case in counted)
        row = figures(metric, counted)
        if by and not has_denominator and not row["numerator"]:
            continue
        rows[members] = row
    return rows, sum(case["without_rule"] for case in cases)


def figures(metric, cases):
    """Numerator, denominator, value and further figures of one group."""
    if metric == "market_concentration":
        return concentration(cases)
    numerator = sum((case["numerator"] for case in cases if case["numerator"] is not None), start=0)
    denominator = sum((case["denominator"] for case in cases if case["denominator"] is not None), start=0)
    unit = METRICS[metric].unit
    value = None
    if metric == "visits":
        joint = sum(case["joint"] for case in cases)
        return {"numerator": numerator, "denominator": None, "value": numerator, "joint": joint}
    if denominator > 0:
        value = Fraction(numerator) / Fraction(denominator)
        if unit == "per_mille":
            value *= 1000
        if unit in ("count", "amount"):
            value = numerator
    row = {"numerator": numerator, "denominator": denominator, "value": value}
    if metric == "claim_settlement_days":
        row.update(survival([(case["days"], case["paid"]) for case in cases]))
    return row


def concentration(cases):
    """The index of insurers' receipts: squares over the square of their sum."""
    by_insurer = defaultdict(Decimal)
    for case in cases:
        by_insurer[case["insurer"]] += case["amount"]
    total = sum(by_insurer.values(), start=Decimal(0))
    squares = sum((amount**2 for amount in by_insurer.values()), start=Decimal(0))
    shared = total != 0
    return {
        "numerator": squares,
        "denominator": total**2,
        "value": Fraction(squares) / Fraction(total**2) if shared else None,
        # Where more was refunded than received nobody has a share.
        "largest_share": Fraction(max(by_insurer.values())) / Fraction(total) if total > 0 else None,
        "insurers": len(by_insurer),
    }


def months(start, end):
    """The calendar months of a period, cut to it."""
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
