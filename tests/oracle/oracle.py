"""Computes the metrics of a deployment again, from its landed files, with another engine.

    python tests/oracle/oracle.py DEPLOYMENT --anze target/debug/anze [--all] [--only METRIC …]

Needs `duckdb` from PyPI. Decoding, mapping, checks and versions are done again in Python (landed.py),
the metrics again in DuckDB (sql/); then every number is compared with `anze metrics run`, in total and
by dimension, for several days, periods and parameters. Money and counts must be equal, ratios to 1e-12.
A metric of the catalogue that the product lacks is computed and reported; with --all it is a failure.
Exit code 0: all equal; 1: something differs.
"""

import argparse
import os
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

from answers import Oracle, empty_tables, fill
from catalogue import METRICS, PARAMETERS
from landed import load_all
from leads import compare_leads
from product import Refused, Served

HERE = Path(__file__).resolve().parent
DAY = timedelta(days=1)


class Question(NamedTuple):
    """One question to both sides."""

    metric: str
    by: tuple
    where: dict
    days: tuple  # a day, or a half-open period, as the oracle takes them
    until: date
    params: dict
    asked: dict  # the days as options of the product

    def __str__(self):
        by = ",".join(self.by) or "nothing"
        options = {**self.where, **self.params, **self.asked}
        return f"{self.metric} by {by} " + " ".join(f"{name}={value}" for name, value in options.items())


def questions(metric, release_day, other_params):
    """What is asked of a metric; only the first has no options."""
    finest, name = metric.dimensions, metric.name
    new_year = release_day.replace(month=1, day=1)
    last_year = new_year.replace(year=new_year.year - 1)
    earlier = release_day - 45 * DAY
    default = (new_year, release_day + DAY) if metric.over_period else (release_day,)
    for by in [(), *[(dimension,) for dimension in finest]]:
        yield Question(name, by, {}, default, release_day, {}, {})
    for params in other_params:
        yield Question(name, finest, {}, default, release_day, params, {})
    if metric.over_period:
        # A whole year; one that begins and ends within months; one over a leap day.
        for start, end in (
            (last_year, new_year),
            (last_year + 45 * DAY, release_day - 20 * DAY),
            (date(2024, 2, 29), date(2024, 3, 1)),
        ):
            for by in ((), finest):
                yield Question(name, by, {}, (start, end), release_day, {}, {"from": start, "to": end})
        asked = {"from": last_year, "to": release_day, "observed_until": earlier}
        yield Question(name, finest, {}, (last_year, release_day), earlier, {}, asked)
    else:
        for as_of in (release_day - DAY, release_day - 200 * DAY, new_year, new_year - DAY, date(2024, 2, 29)):
            for by in ((), finest):
                yield Question(name, by, {}, (as_of,), release_day, {}, {"as_of": as_of})
        yield Question(name, finest, {}, (earlier,), earlier, {}, {"observed_until": earlier})
        asked = {"as_of": earlier - 20 * DAY, "observed_until": earlier}
        yield Question(name, finest, {}, (earlier - 20 * DAY,), earlier, {}, asked)


def filtered(oracle, metric, release_day):
    """The metric limited to the most frequent member of a dimension, by the others."""
    default = (release_day.replace(month=1, day=1), release_day + DAY) if metric.over_period else (release_day,)
    oracle.observe(release_day)
    dimension = "sector" if "sector" in metric.dimensions else metric.dimensions[0]
    members = Counter(case[dimension] for case in oracle.cases(metric.name, default, {}) if case[dimension])
    for member, _ in members.most_common(1):
        rest = tuple(other for other in metric.dimensions if other not in (dimension, "month"))
        yield Question(metric.name, rest, {dimension: member}, default, release_day, {}, {})


def same(ours, theirs, exact):
    """Counts and money exactly, ratios to 1e-12 (of their size, above 1)."""
    if ours is None or theirs is None or isinstance(ours, bool):
        return ours is theirs
    try:
        ours, theirs = Fraction(ours), Fraction(theirs)
    except (TypeError, ValueError):
        return False
    if exact:
        return ours == theirs
    return abs(ours - theirs) <= Fraction(1, 10**12) * max(1, abs(ours))


def compare(question, ours, theirs):
    """Differences in one answer."""
    rows, without_rule = ours
    found = {tuple(row[dimension] for dimension in question.by): row for row in theirs["rows"]}
    if len(found) != len(theirs["rows"]):
        yield f"{question}: the answer has members twice"
    if theirs["without_rule"] != without_rule:
        yield f"{question}: without_rule is {theirs['without_rule']}, here {without_rule}"
    for members in sorted(rows.keys() ^ found.keys()):
        where = "only here" if members in rows else "only in the answer"
        yield f"{question}: {members} is {where}: {shown(rows.get(members) or found.get(members))}"
    for members in sorted(rows.keys() & found.keys()):
        for name, value in rows[members].items():
            # Counts and money are whole or decimal here; what was divided is a fraction.
            if not same(value, found[members].get(name), exact=not isinstance(value, Fraction)):
                yield f"{question}: {members}: {name} is {found[members].get(name)}, here {plain(value)}"


def plain(value):
    return float(value) if isinstance(value, Fraction) else value


def shown(row):
    return ", ".join(f"{name} {plain(value)}" for name, value in row.items())


def compare_findings(oracle, product, until):
    """Differences in the view expense_finding, line by line."""
    rows = product.rows("select insurer_code, line_no, finding from expense_finding")
    theirs = {(row["insurer_code"], row["line_no"], row["finding"]) for row in rows}
    oracle.observe(until)
    ours = set(oracle.engine.execute("select insurer_code, line_no, unnest(findings) from ledger").fetchall())
    for finding in sorted(ours ^ theirs):
        yield f"expense_finding: {finding} is {'only here' if finding in ours else 'only in the view'}"


def parameters(metric, listed):
    """Sets of other parameters to ask with, under the product's names, and differences in the declaration.

    The catalogue names some parameters and gives others only by their default, which finds them here.
    """
    known = PARAMETERS.get(metric, {})
    renamed, differences = {}, []
    for name, declared in (listed.get("params") or {}).items():
        default = declared.get("default") if isinstance(declared, dict) else declared
        ours = name if name in known else next(
            (other for other, (usual, _) in known.items() if Decimal(str(usual)) == Decimal(str(default))), None
        )
        if ours is None:
            differences.append(f"{metric}: parameter {name} is not in the catalogue")
        else:
            renamed[ours] = name
    for name in known.keys() - renamed.keys():
        differences.append(f"{metric}: the product has no parameter for {name} ({known[name][0]})")
    return [({ours: known[ours][1]}, {theirs: known[ours][1]}) for ours, theirs in renamed.items()], differences


def declared(metric, listed):
    """Differences between the catalogue and what the product declares."""
    if set(listed["dimensions"]) != set(metric.dimensions):
        yield f"{metric.name}: dimensions are {listed['dimensions']}, here {list(metric.dimensions)}"
    if (listed["kind"] == "period") != metric.over_period:
        yield f"{metric.name}: kind is {listed['kind']}"


def compare_metric(oracle, product, pool, metric, listed, release_day):
    """Differences in every answer of a metric, and how many answers there were."""
    differences = list(declared(metric, listed))
    others, undeclared = parameters(metric.name, listed)
    differences += undeclared
    theirs_by_ours = {tuple(ours): theirs for ours, theirs in others}
    asked = [
        *questions(metric, release_day, [ours for ours, _ in others]),
        *filtered(oracle, metric, release_day),
    ]
    asked.sort(key=lambda question: question.until, reverse=True)

    def answer(question):
        params = {}
        for name, value in question.params.items():
            params[next(iter(theirs_by_ours[(name,)]))] = value
        try:
            return product.metric(metric.name, question.by, question.where, params=params, **question.asked)
        except Refused as refusal:
            return refusal

    for question, theirs in zip(asked, pool.map(answer, asked)):
        if isinstance(theirs, Refused):
            differences.append(f"{question}: {theirs}")
            continue
        ours = oracle.answer(
            metric.name, question.by, question.where, question.days, question.until, question.params
        )
        differences.extend(compare(question, ours, theirs))
    return differences, len(asked)


def compute_only(oracle, metric, release_day):
    """Runs the SQL of a metric that the product lacks, and says its total."""
    days = (release_day.replace(month=1, day=1), release_day + DAY) if metric.over_period else (release_day,)
    finest, _ = oracle.answer(metric.name, metric.dimensions, {}, days, release_day, {})
    total, without_rule = oracle.answer(metric.name, (), {}, days, release_day, {})
    return f"here {shown(total[()])}, without_rule {without_rule}, {len(finest)} groups"


def load(product, deployment, reference):
    """An oracle over the landed files of a deployment, and the differences in what was held."""
    warehouse, differences = load_all(deployment, product.batches(), reference)
    engine, books = empty_tables(), product.books()
    fill(engine, warehouse, books)
    return Oracle(engine), date.fromisoformat(books["book_release"][0]["day"]), differences


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("deployment", type=Path)
    parser.add_argument("--anze", type=Path, required=True, help="the binary")
    parser.add_argument("--reference", type=Path, default=HERE.parents[1] / "warehouse" / "reference")
    parser.add_argument("--all", action="store_true", help="fail if the product lacks a metric of the catalogue")
    parser.add_argument("--only", nargs="+", choices=METRICS, default=list(METRICS), metavar="METRIC")
    options = parser.parse_args()
    with Served(options.anze, options.deployment) as product:
        sys.exit(compare_all(product, options))


def compare_all(product, options):
    """Compares everything and says what differs; the exit code."""
    oracle, release_day, differences = load(product, options.deployment, options.reference)
    differences.extend(compare_findings(oracle, product, release_day))
    listed, missing, compared = product.metrics(), [], 1
    found, leads = compare_leads(oracle, product, release_day)
    print(f"leads: {leads} compared, {len(found)} differences", flush=True)
    differences.extend(found)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for name in options.only:
            if name not in listed:
                missing.append(name)
                continue
            found, answers = compare_metric(oracle, product, pool, METRICS[name], listed[name], release_day)
            print(f"{name}: {answers} answers, {len(found)} differences", flush=True)
            differences += found
            compared += answers
    for difference in differences[:200]:
        print(difference)
    if len(differences) > 200:
        print(f"… and {len(differences) - 200} more")
    for name in missing:
        print(f"NOT IN THE PRODUCT: {name}: {compute_only(oracle, METRICS[name], release_day)}")
    print(f"{compared} answers compared, {len(differences)} differences, {len(missing)} metrics not in the product")
    return 1 if differences or (options.all and missing) else 0


if __name__ == "__main__":
    main()
