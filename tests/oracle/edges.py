"""A world of edge cases, generated and delivered to the real binary, twice.

    python tests/oracle/edges.py ANZE FOLDER [--seed 1]

Every dataset gets rows on the days where one step further the answer is another: beginning, end and
cancellation, the leap day, the end of the year, midnight in Asia/Shanghai against UTC, the days on which rules
change, the bounds of the periods that oracle.py asks about, and the observation day; with values that are
missing, zero, equal or over a limit by the least amount, with references that nobody knows, refunds and
reversals. Each key comes in several versions.

The same rows are delivered in `FOLDER/in-order` and, shuffled and cut into other files and runs, in
`FOLDER/shuffled`, for oracle.py to compare with the independent computation. Here every answer of the one is
compared with that of the other, because neither the order of arrival nor the bounds of batches may matter.
Exit code 0: all equal; 1: something differs.
"""

import argparse
import csv
import io
import random
import subprocess
import sys
from datetime import date, datetime, timedelta, timezone
from pathlib import Path

from catalogue import METRICS
from datasets import ALPHABET, LETTERS, WEIGHTS_18, WEIGHTS_9, columns
from product import Served

DAY = timedelta(days=1)
SHANGHAI = timezone(timedelta(hours=8))

COUNTIES = ["330102", "330105", "330203", "330212", "330303", "330702"]
# Merged into 330105 and 330113; rows that name them are mapped.
FORMER = ["330103", "330104"]
SECTORS = ["mine", "hazchem", "fireworks", "metallurgy", "construction", "other"]
SIZES = ["L", "M", "S", "XS", None]
INSURERS = ["PICC", "CPIC", "PAIC"]
DEPARTMENTS = ["emergency", "construction", "transport", "other"]
TYPES = ["T1", "T2", "T4", "T9"]


def credit_code(number):
    """A credit code with both check characters, made of a number."""
    body = f"MA{number:06d}"
    rest = 11 - sum(w * LETTERS.index(c) for w, c in zip(WEIGHTS_9, body)) % 11
    code = "91330100" + body + {10: "X", 11: "0"}.get(rest, str(rest))
    total = sum(w * ALPHABET.index(c) for w, c in zip(WEIGHTS_18, code))
    return code + ALPHABET[(31 - total % 31) % 31]


AGENCIES = [credit_code(number) for number in (1, 2, 3, 4)]
STRANGER = credit_code(99)


class World:
    """Rows of every dataset, each with its key's versions."""

    def __init__(self, seed, today):
        self.random, self.today = random.Random(seed), today
        self.rows = {}
        new_year = today.replace(month=1, day=1)
        last_year = new_year.replace(year=new_year.year - 1)
        earlier = today - 45 * DAY
        bounds = [
            date(2024, 2, 29), date(2024, 3, 1), date(2025, 3, 29), new_year, last_year, earlier, today,
            today - 200 * DAY, last_year + 45 * DAY, today - 20 * DAY, earlier - 20 * DAY,
            last_year.replace(month=7), new_year.replace(month=7),
        ]  # fmt: skip
        self.edges = sorted({bound + step * DAY for bound in bounds for step in (-1, 0, 1)})
        self.past = [day for day in self.edges if day <= today]
        for dataset in ORDER:
            self.rows[dataset] = []
            getattr(self, dataset)()

    # What values are drawn from.

    def one(self, values, *more):
        return self.random.choice([*values, *more])

    def maybe(self, value, share=0.25):
        return None if self.random.random() < share else value

    def day(self, past=False):
        """A day on an edge, or any other of three years."""
        if self.random.random() < 0.75:
            return self.one(self.past if past else self.edges)
        return self.today - self.random.randrange(1000) * DAY

    def instant(self, after=None, within=40):
        """An instant that has passed, on the edge of a day in Asia/Shanghai or in UTC."""
        day = self.day(past=True) if after is None else after + self.random.choice([0, 1, 2, 9, 10, 11, within]) * DAY
        day = min(day, self.today)
        clock = self.one(["00:00:00", "23:59:59.999999", "07:59:59", "08:00:00", "12:00:00"])
        # No event is later than now.
        return datetime.combine(min(day, self.today - DAY), datetime.strptime(clock[:8], "%H:%M:%S").time(), SHANGHAI)

    def unit_id(self):
        """A unit that is known, or one that is not."""
        return self.one(self.units) if self.random.random() < 0.92 else "UX"

    def place(self):
        return self.one(COUNTIES) if self.random.random() < 0.9 else self.one(FORMER)

    def money(self, *values):
        return self.one(values or ["0.00", "0.01", "1000.00", "1000.01", "99999.99", "33.33"])

    def add(self, dataset, **row):
        self.rows[dataset].append(row)
        return row

    # The datasets.

    def insurer(self):
        for code in INSURERS:
            self.add("insurer", code=code, name=code)

    def agency(self):
        for number, code in enumerate(AGENCIES):
            self.add(
                "agency", uscc=code, name=f"机构{number}", qualification=None if number == 3 else "甲级",
                valid_from=self.maybe(self.day()), valid_to=self.maybe(self.day(), 0.4),
            )  # fmt: skip

    def service_norm(self):
        for number in range(14):
            start = self.day()
            self.add(
                "service_norm", region_code=self.one([None, "330000", "330100", *COUNTIES]), sector=self.one(SECTORS),
                size=self.one(SIZES[:4]), effective_from=start, effective_to=self.maybe(start + 300 * DAY, 0.6),
                visits_per_year=self.one([0, 1, 2, 12]),
            )  # fmt: skip

    def rule(self):
        for rule_id, values in RULES.items():
            for region in ("000000", "330000", self.one(["330100", *COUNTIES])):
                start = self.day()
                self.add(
                    "rule", rule_id=rule_id, region_code=region,
                    sector=None if self.random.random() < 0.7 else self.one(SECTORS), effective_from=start,
                    effective_to=self.maybe(start + self.one([0, 1, 30, 365]) * DAY, 0.5), value=self.one(values),
                    unit=self.one(["per_visit", "per_person"]) if rule_id.startswith("price_cap") else None,
                )  # fmt: skip

    def unit(self):
        self.units = [f"U{number:02}" for number in range(60)]
        for number, unit_id in enumerate(self.units):
            # Forty alike, so that low prices have a group of thirty to be judged in.
            alike = number < 40
            self.add(
                "unit", unit_id=unit_id, id_kind="permit", name=f"单位{number}", region_code=self.place(),
                sector="mine" if alike else self.one(SECTORS), industry_code=self.maybe("0610"),
                size="S" if alike else self.one(SIZES), employees=self.maybe(self.one([0, 1, 10, 50])),
                risk_level=self.maybe("red"), standardisation_level=self.maybe(self.one([1, 3])),
                status=self.one(["open", "open", "closed", "suspended", None]),
            )  # fmt: skip

    def roster(self):
        for unit_id in [*self.units[::2], "UX", "UY"]:
            for _ in range(self.one([1, 1, 2])):
                start = self.day()
                self.add(
                    "roster", unit_id=unit_id, sector=self.one(SECTORS), valid_from=start,
                    valid_to=self.maybe(start + self.one([0, 1, 30, 366]) * DAY, 0.6),
                    department=self.one(DEPARTMENTS), region_code=self.place(), kind="annual",
                )  # fmt: skip

    def policy(self):
        self.policies = []
        for number in range(130):
            unit_id = self.units[number % 40] if number < 80 else self.unit_id()
            # Some numbers have two units.
            policy_no = f"P{number - 1:03}" if number % 13 == 12 else f"P{number:03}"
            start = self.day()
            end = start + self.one([1, 365, 366, 30]) * DAY
            if self.random.random() < 0.2:
                end = max(self.day(), start + DAY)
            cancelled = self.maybe(self.one([start, end, start + (end - start) // 2]), 0.7)
            alike = number < 80
            premium = self.one(["1000.00", "1010.00", "990.00", "1000.00"]) if alike else self.money()
            row = self.add(
                "policy", policy_no=policy_no, unit_id=unit_id, insurer_code=self.one(INSURERS),
                sector="mine" if alike else self.one(SECTORS), region_code=self.place(),
                policy_type=self.one(["annual", "annual", "project"]), inception=start, expiry=end,
                premium_written="1.00" if number in (7, 19) else premium,
                commission_rate=self.maybe(self.one(["0", "0.05", "0.050001", "0.049999", "1"])),
                death_limit_per_person=self.maybe(
                    "400000.00" if alike else self.one(["0", "299999.99", "300000", "399999.99", "400000", "1000000"]), 0.1
                ),
                insured_persons=10 if alike else self.one([0, 1, 10, 60]),
                float_factor=self.maybe(self.one(["0.9", "1", "1.0001", "1.2"])),
                cancelled_on=cancelled,
                cancel_reason=None if cancelled is None else self.one(["closure", "switch", "other", None]),
            )  # fmt: skip
            self.policies.append(row)

    def insured(self):
        """Number, unit and insurer of a policy; sometimes of none."""
        if self.random.random() < 0.08:
            return "PX", self.unit_id(), self.one(INSURERS)
        policy = self.one(self.policies)
        unit_id = policy["unit_id"] if self.random.random() < 0.9 else self.unit_id()
        return policy["policy_no"], unit_id, policy["insurer_code"]

    def premium_receipt(self):
        for number in range(160):
            policy_no, _, insurer = self.insured()
            self.add(
                "premium_receipt", receipt_no=f"R{number:03}", policy_no=policy_no,
                insurer_code=insurer if self.random.random() < 0.9 else self.one(INSURERS),
                amount=self.money("1000.00", "500.00", "-500.00", "-1000.00", "0.01", "-0.01", "0.00", "333.33"),
                received_on=self.day(past=True), payer_kind=self.one(["unit", "unit", "employee", "third_party"]),
            )  # fmt: skip

    def service(self):
        self.services = []
        for number in range(150):
            policy_no, unit_id, insurer = self.insured()
            start = self.maybe(self.instant(), 0.1)
            end = self.maybe(self.instant(start.date(), 3) if start else self.instant(), 0.2)
            if start and end and end < start:
                end = start
            kind = self.one(["own", "agency"])
            row = self.add(
                "service", service_no=f"S{number:03}", policy_no=policy_no, unit_id=unit_id,
                insurer_code=insurer if self.random.random() < 0.9 else self.one(INSURERS), sector=self.one(SECTORS),
                region_code=self.place(), service_type=self.one(TYPES), provider_kind=kind,
                agency_uscc=self.maybe(self.one([*AGENCIES, STRANGER]), 0.15) if kind == "agency" else None,
                planned_on=self.maybe(self.day()), started_at=start, finished_at=end,
                unit_confirmed_at=self.maybe(self.instant(end.date()) if end else self.instant(), 0.15),
                insurer_confirmed_at=self.maybe(self.instant(end.date()) if end else self.instant(), 0.15),
                place=self.maybe("矿区", 0.1), items=self.maybe("排查", 0.1), measures=self.maybe("整改", 0.1),
                record_uri=self.maybe("a:1", 0.1), lead_expert=self.maybe(self.one(["甲", "乙"]), 0.1), experts=1,
                attendees=self.maybe(self.one([0, 1, 20])), satisfaction=self.maybe(self.one([1, 3, 5])),
                declined_on=self.maybe(self.day(past=True), 0.85),
            )  # fmt: skip
            self.services.append(row)

    def hazard(self):
        for number in range(100):
            service = self.one(self.services)
            found = self.instant()
            fixed = self.maybe(min(found.date() + self.one([0, 1, 15, 30]) * DAY, self.today))
            verified = None if fixed is None else self.maybe(min(fixed + self.one([0, 1]) * DAY, self.today))
            notified = found + self.one([timedelta(hours=24), timedelta(hours=24, microseconds=1), timedelta(hours=-1)])
            self.add(
                "hazard", hazard_no=f"H{number:03}",
                service_no="SX" if self.random.random() < 0.08 else service["service_no"],
                unit_id=service["unit_id"] if self.random.random() < 0.8 else self.unit_id(),
                grade=self.one(["general", "major"]), found_at=found, department_notified_at=self.maybe(notified),
                due_on=self.maybe(self.one([fixed or self.today, (fixed or self.today) - DAY, self.day()])),
                rectified_on=fixed, verified_on=verified,
            )  # fmt: skip

    def expense(self):
        lines = []
        for number in range(170):
            service = self.one(self.services)
            insurer = service["insurer_code"] if self.random.random() < 0.9 else self.one(INSURERS)
            booked = self.day(past=True)
            if service["finished_at"] and self.random.random() < 0.7:
                booked = min(service["finished_at"].date() + self.one([-1, 0, 1]) * DAY, self.today)
            row = {
                "line_no": f"E{number:03}", "insurer_code": insurer,
                "service_no": self.one([None, "SX"]) if self.random.random() < 0.1 else service["service_no"],
                "category": self.one(["T1", "T2", "T9", "T9", "commission"]),
                "amount": self.money("100.00", "0.01", "1000.00", "0.00", "33.33"), "booked_on": booked,
                "paid_on": self.maybe(min(booked + self.one([0, 1, 60]) * DAY, self.today)),
                "payee_uscc": self.maybe(self.one([*AGENCIES, STRANGER])),
                "voucher_no": self.maybe(f"V{self.random.randrange(140)}", 0.1), "reverses_line_no": None,
                "budget_year": booked.year if self.random.random() < 0.9 else booked.year - 1,
            }  # fmt: skip
            if lines and self.random.random() < 0.25:
                # Some reverse a part, some too much, some a reversal, some nothing that there is.
                original = self.one(lines)
                row["insurer_code"] = original["insurer_code"] if self.random.random() < 0.9 else insurer
                row["reverses_line_no"] = original["line_no"] if self.random.random() < 0.9 else "EX"
                row["amount"] = self.one([f"-{original['amount'].lstrip('-')}", "-0.01", "-2000.00"])
            lines.append(self.add("expense", **row))

    def budget(self):
        for insurer in INSURERS:
            for year in {day.year for day in self.edges}:
                if self.random.random() < 0.8:
                    self.add("budget", insurer_code=insurer, year=year, amount=self.money("0.00", "10000.00", "1.00"))

    def claim(self):
        for number in range(120):
            policy_no, unit_id, insurer = self.insured()
            accident = self.instant()
            reported = max(self.instant(accident.date()), accident)
            after = lambda start: max(self.instant(start.date()), start)  # noqa: E731
            complete = self.maybe(after(reported))
            assessed = self.maybe(after(complete or reported))
            agreed = self.maybe(after(assessed or reported))
            advanced = self.maybe(after(reported), 0.7)
            paid = self.maybe(after(agreed or reported), 0.4)
            refused = self.maybe(after(assessed or reported), 0.85)
            self.add(
                "claim", claim_no=f"C{number:03}", policy_no=policy_no, unit_id=unit_id, insurer_code=insurer,
                accident_no=self.maybe(f"A{self.random.randrange(45):03}", 0.5), accident_at=accident,
                reported_at=reported, documents_complete_at=complete, assessed_at=assessed, agreed_at=agreed,
                advance_amount=self.maybe(self.money(), 0.5), advance_paid_at=advanced,
                paid_amount=self.maybe(self.money(), 0.3), paid_at=paid, reserve=self.maybe(self.money()),
                refused_at=refused, refusal_notified_at=self.maybe(after(refused or reported)),
                closed_at=self.maybe(after(reported), 0.6), deaths=self.maybe(self.one([0, 1, 2])), injuries=0,
            )  # fmt: skip

    def accident(self):
        for number in range(40):
            self.add(
                "accident", accident_no=f"A{number:03}", unit_id=self.unit_id(), region_code=self.place(),
                sector=self.one(SECTORS), occurred_at=self.instant(), grade="general",
                deaths=self.maybe(self.one([0, 1])), serious_injuries=self.maybe(self.one([0, 1])),
            )  # fmt: skip

    def complaint(self):
        for number in range(60):
            received = self.instant()
            self.add(
                "complaint", complaint_no=f"K{number:03}", insurer_code=self.one(INSURERS), received_at=received,
                needs_verification=self.maybe(self.one([True, False])),
                replied_at=self.maybe(max(self.instant(received.date(), 14), received)),
                extended_days=self.maybe(self.one([0, 1, 30])),
            )  # fmt: skip

    def visit(self):
        for number in range(50):
            # Several departments under one number make a joint visit.
            for department in self.random.sample(DEPARTMENTS, self.one([1, 1, 2, 3])):
                self.add(
                    "visit", visit_no=f"V{number:03}", department=department, subject_kind="unit",
                    subject_id=self.unit_id(), region_code=self.place(), sector=self.maybe(self.one(SECTORS)),
                    visited_on=self.day(past=True),
                )  # fmt: skip

    def inspection(self):
        for number in range(60):
            found = self.day(past=True)
            self.add(
                "inspection", finding_no=f"F{number:03}", subject_kind="unit", subject_id=self.unit_id(),
                department=self.one(DEPARTMENTS), region_code=self.place(), sector=self.maybe(self.one(SECTORS)),
                found_on=found, violation=self.one(["uninsured", "under_limit", "false_insurance"]),
                corrected_on=self.maybe(min(found + self.one([0, 1, 30]) * DAY, self.today)),
            )  # fmt: skip

    # Deliveries.

    def versions(self):
        """Every row in one to three versions, the last of them the true one, each with its own clock."""
        clock = datetime.combine(self.today - 30 * DAY, datetime.min.time(), SHANGHAI)
        for dataset in ORDER:
            seen = set()
            keys = [column.name for column in columns(dataset) if column.key]
            for row in self.rows[dataset]:
                key = tuple(row.get(name) for name in keys)
                if key in seen:
                    continue
                seen.add(key)
                others = [other for other in self.rows[dataset] if other is not row]
                for _ in range(self.one([0, 0, 0, 1, 2])):
                    # An earlier version says something else: what another row says, under this key.
                    clock += timedelta(seconds=1)
                    stale = {**(self.one(others) if others else row), **{name: row.get(name) for name in keys}}
                    yield dataset, {**stale, "source_updated_at": clock}
                clock += timedelta(seconds=1)
                yield dataset, {**row, "source_updated_at": clock}


ORDER = [
    "insurer", "agency", "service_norm", "rule", "unit", "roster", "policy", "premium_receipt", "service", "hazard",
    "expense", "budget", "claim", "accident", "complaint", "visit", "inspection",
]  # fmt: skip

# Rules with the values that are tried; `prevention_spend_floor` has none for the province in law.
RULES = {
    "min_death_limit": ["300000", "400000"],
    "commission_cap": ["0.05", "0.049999"],
    "prevention_spend_floor": ["0.001", "0.2"],
    "prevention_spend_cap": ["0.21", "1000"],
    "major_hazard_notice_hours": ["24", "0"],
    "claim_assess_days": ["10", "30"],
    "claim_pay_days": ["1", "10"],
    "claim_refuse_days": ["0", "3"],
    "claim_advance_days": ["9", "60"],
    "complaint_reply_workdays": ["1", "10"],
    "complaint_reply_workdays_verified": ["2", "30"],
    "price_cap_T1": ["100", "1"],
    "price_cap_T2": ["1000"],
    "target.coverage_rate": ["0.9"],
}


def written(value):
    """A value as it stands in a file; instants in turn with the zone of UTC and of Shanghai."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        return value.astimezone(timezone.utc).isoformat() if value.minute == 59 else value.isoformat()
    return str(value)


def feed(folder, dataset):
    """Writes the feed of a dataset; half of them are some place's own."""
    place = ORDER.index(dataset)
    region, department = COUNTIES[place % len(COUNTIES)], DEPARTMENTS[place % len(DEPARTMENTS)]
    text = (
        f'title = "{dataset}"\ndataset = "{dataset}"\nreporter = "R{place % 3}"\n'
        f'region_code = "{region}"\ndepartment = "{department}"\n'
        f'[source]\nkind = "directory"\npath = "inbox/{dataset}"\npattern = "*.csv"\n'
        f'[format]\nkind = "csv"\n[contract]\nmax_quarantined = "100%"\n'
    )
    (folder / "feeds").mkdir(parents=True, exist_ok=True)
    (folder / "feeds" / f"{dataset}.toml").write_text(text, encoding="utf-8")
    (folder / "inbox" / dataset).mkdir(parents=True, exist_ok=True)


def deliver(anze, folder, rounds):
    """Makes a deployment that takes in these rounds of files, each round by one run."""
    subprocess.run([anze, "init", folder], check=True, capture_output=True)
    for example in (folder / "feeds").glob("*.toml"):
        example.unlink()
    for dataset in ORDER:
        feed(folder, dataset)
    for number, files in enumerate(rounds):
        for place, (dataset, rows) in enumerate(files):
            names = [column.name for column in columns(dataset)] + ["source_updated_at"]
            text = io.StringIO()
            writer = csv.writer(text)
            writer.writerow(names)
            writer.writerows([written(row.get(name)) for name in names] for row in rows)
            path = folder / "inbox" / dataset / f"{number:02}-{place:03}.csv"
            path.write_text(text.getvalue(), encoding="utf-8")
        done = subprocess.run([anze, "-C", folder, "ingest", "run", "--all"], capture_output=True, text=True)
        if done.returncode not in (0, 3):
            sys.exit(f"ingest failed in {folder}:\n{done.stdout}{done.stderr}")


def in_order(versions):
    """One file a dataset, all in one run."""
    return [[(dataset, [row for other, row in versions if other == dataset]) for dataset in ORDER]]


def shuffled(versions, chance):
    """The same rows in any order, in files of any size, over two runs."""
    rounds = []
    rows = list(versions)
    chance.shuffle(rows)
    for number in range(2):
        part = rows[number::2]
        files = []
        for dataset in ORDER:
            own = [row for other, row in part if other == dataset]
            while own:
                size = chance.choice([20, 60, 200])
                files.append((dataset, own[:size]))
                own = own[size:]
        rounds.append(files)
    return rounds


def answers(anze, folder):
    """Every metric in total, by each dimension and by all of them, and what its rows are."""
    found = {}
    with Served(anze, folder) as product:
        for name, metric in METRICS.items():
            # What is said of deliveries depends on how things were delivered.
            if name.startswith("reporting_"):
                continue
            for by in [(), *[(dimension,) for dimension in metric.dimensions], metric.dimensions]:
                answer = product.metric(name, by, {})
                found[name, by] = (answer["rows"], answer["without_rule"])
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("anze", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    anze = options.anze.resolve()
    today = datetime.now(SHANGHAI).date()
    versions = list(World(options.seed, today).versions())
    chance = random.Random(options.seed)
    ways = {"in-order": in_order(versions), "shuffled": shuffled(versions, chance)}
    found = {}
    for name, rounds in ways.items():
        deliver(anze, options.folder / name, rounds)
        found[name] = answers(anze, options.folder / name)
    one, other = found.values()
    differences = [question for question in one if one[question] != other[question]]
    for metric, by in differences:
        print(f"{metric} by {','.join(by) or 'nothing'}: {one[metric, by]}\n  shuffled: {other[metric, by]}")
    print(
        f"seed {options.seed}: {len(versions)} rows in {sum(map(len, ways['shuffled']))} batches instead of "
        f"{len(ORDER)}: {len(one)} answers, {len(differences)} differ"
    )
    sys.exit(1 if differences else 0)


if __name__ == "__main__":
    main()
