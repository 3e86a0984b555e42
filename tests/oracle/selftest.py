"""Small worlds made by hand, each with the answer that was worked out by hand before.

    python tests/oracle/selftest.py [NAME …]

Every metric of the catalogue has at least one in cases/, with a day on a boundary in it.
"""

import importlib
import sys
import traceback
from datetime import date, datetime, timedelta
from fractions import Fraction
from pathlib import Path

from answers import BOOKS, Oracle, empty_tables
from catalogue import METRICS
from datasets import COLUMNS, columns

MINE = {"region_code": "330102", "sector": "mine"}
DEFAULTS = {
    "sector": {"high_hazard": True, "department": "emergency"},
    "rule": {"region_code": "000000", "sector": "", "effective_from": "2020-01-01"},
    "service_norm": {"region_code": "", "sector": "mine", "size": "S", "effective_from": "2020-01-01"},
    "agency": {"qualification": "甲级"},
    "unit": {**MINE, "id_kind": "permit", "status": "open", "size": "S", "employees": 10},
    "roster": {**MINE, "unit_id": "U1", "valid_from": "2025-01-01", "department": "emergency", "kind": "annual"},
    "policy": {
        **MINE, "unit_id": "U1", "insurer_code": "A", "policy_type": "annual", "inception": "2025-01-01",
        "expiry": "2026-01-01", "premium_written": "1000.00", "insured_persons": 10,
        "death_limit_per_person": "400000.00",
    },
    "premium_receipt": {"policy_no": "P1", "insurer_code": "A", "received_on": "2025-03-01", "payer_kind": "unit"},
    "service": {
        **MINE, "policy_no": "P1", "unit_id": "U1", "insurer_code": "A", "service_type": "T4", "provider_kind": "own",
    },
    "hazard": {"service_no": "S1", "unit_id": "U1", "grade": "general", "found_at": "2025-03-01 10:00"},
    "expense": {"insurer_code": "A", "category": "T4", "booked_on": "2025-04-01", "budget_year": 2025},
    "budget": {"insurer_code": "A", "year": 2025},
    "claim": {
        "policy_no": "P1", "unit_id": "U1", "insurer_code": "A", "accident_at": "2025-03-01 08:00",
        "reported_at": "2025-03-01 09:00",
    },
    "accident": {**MINE, "unit_id": "U1", "occurred_at": "2025-03-01 08:00"},
    "complaint": {"insurer_code": "A"},
    "visit": {**MINE, "department": "emergency", "subject_kind": "unit", "subject_id": "U1", "visited_on": "2025-03-01"},
    "inspection": {
        **MINE, "department": "emergency", "subject_kind": "unit", "subject_id": "U1", "found_on": "2025-03-01",
        "violation": "uninsured",
    },
    "book_batch": {"state": "published", "dataset": "policy", "reporter": "A"},
    "book_feed": {"reporter": "A", "dataset": "policy", "region_code": "330000"},
}


class World:
    """Tables filled by hand. Instants are written as clocks show them in Shanghai."""

    def __init__(self):
        self.engine = empty_tables()
        self.kinds = {name: {column.name: column.kind for column in columns(name)} for name in COLUMNS}
        for book, types in BOOKS.items():
            self.kinds[book] = dict(column.split() for column in types.split(", "))
        self.add("sector", code="mine", name="矿山")
        self.add("sector", code="construction", name="建筑施工", department="construction")
        self.add("sector", code="other", name="其他", high_hazard=False, department="other")

    def add(self, dataset, **values):
        """Inserts a row; what is not said is the dataset's default, or null."""
        row = {**DEFAULTS.get(dataset, {}), **values}
        assert row.keys() <= self.kinds[dataset].keys(), row.keys() - self.kinds[dataset].keys()
        for name, value in row.items():
            if self.kinds[dataset][name] == "timestamp" and value is not None:
                row[name] = datetime.fromisoformat(value) - timedelta(hours=8)
        names, marks = ", ".join(row), ", ".join("?" for _ in row)
        self.engine.execute(f"insert into {dataset} ({names}) values ({marks})", list(row.values()))
        return self

    def valid_service(self, service_no, day, **values):
        """A service finished and confirmed by both on a day."""
        at = f"{day} 15:00"
        return self.add(
            "service", service_no=service_no, finished_at=at, unit_confirmed_at=at, insurer_confirmed_at=at, **values
        )

    def answer(self, metric, *days, until="2026-06-30", by=(), where=None, **params):
        """Rows by their members, and the cases without a rule."""
        if isinstance(by, str):
            by = (by,)
        days = [date.fromisoformat(day) for day in days]
        rows, without_rule = Oracle(self.engine).answer(
            metric, by, where or {}, tuple(days), date.fromisoformat(until), params
        )
        return rows, without_rule

    def expect(self, metric, *days, gives, without_rule=0, **options):
        """Checks numerator, denominator and value, in total or as a dict by member."""
        checked.add(metric)
        rows, found_without = self.answer(metric, *days, **options)
        if not isinstance(gives, dict):
            gives = {(): gives}
        gives = {members if isinstance(members, tuple) else (members,): row for members, row in gives.items()}
        found = {members: (row["numerator"], row["denominator"], row["value"]) for members, row in rows.items()}
        wanted = {members: tuple(exact(figure) for figure in row) for members, row in gives.items()}
        found = {members: tuple(exact(figure) for figure in row) for members, row in found.items()}
        assert found == wanted, f"{metric} {days} {options}: {found} instead of {wanted}"
        assert found_without == without_rule, f"{metric}: {found_without} without a rule instead of {without_rule}"
        return rows


def exact(figure):
    return None if figure is None else Fraction(figure)


checked = set()


def is_case(test, module):
    """A function of the module that takes a world and nothing else."""
    if getattr(test, "__module__", None) != module.__name__:
        return False
    return test.__code__.co_varnames[: test.__code__.co_argcount] == ("world",)


def main():
    folder = Path(__file__).resolve().parent
    failures, run = 0, 0
    for path in sorted((folder / "cases").glob("*.py")):
        module = importlib.import_module(f"cases.{path.stem}")
        tests = [(name, test) for name, test in vars(module).items() if is_case(test, module)]
        for name, test in tests:
            if sys.argv[1:] and name not in sys.argv[1:]:
                continue
            run += 1
            try:
                test(World())
            except Exception:  # a test that cannot run has failed as well
                failures += 1
                print(f"{path.stem}: {name}")
                traceback.print_exc(limit=-2, file=sys.stdout)
    if not sys.argv[1:]:
        for metric in METRICS.keys() - checked:
            failures += 1
            print(f"no case for {metric}")
    print(f"{run} hand-made cases, {failures} failures")
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    # The cases count in this very module, also when it is run as a program.
    sys.modules["selftest"] = sys.modules["__main__"]
    main()
