"""Leads of both sides: for each kind the set of subjects and keys."""

from collections import defaultdict
from datetime import timedelta

DAY = timedelta(days=1)
KINDS = 27


def spans(release_day):
    """Day, period and observation day of each question, with the options of the product."""
    new_year = release_day.replace(month=1, day=1)
    yield release_day, new_year, release_day + DAY, release_day, {}
    earlier = release_day - 45 * DAY
    yield earlier, earlier.replace(month=1, day=1), earlier + DAY, earlier, {"observed_until": earlier}
    last_year = new_year.replace(year=new_year.year - 1)
    on_day = release_day - 100 * DAY
    yield on_day, last_year, new_year, release_day, {"as_of": on_day, "from": last_year, "to": new_year}


def compare_leads(oracle, product, release_day):
    """Differences by kind, and how many leads were compared."""
    differences, compared = [], 0
    kinds = {kind["kind"]: kind for kind in product.ask("leads", "list")["kinds"]}
    if len(kinds) != KINDS:
        differences.append(f"leads: {len(kinds)} kinds instead of {KINDS}")
    for on_day, since, before, until, options in spans(release_day):
        oracle.observe(until)
        ours = defaultdict(set)
        for kind, subject, key in oracle.engine.execute(
            f"select kind, subject, key from leads(date '{on_day}', date '{since}', date '{before}')"
        ).fetchall():
            ours[kind].add((subject, key))
        for kind, declared in sorted(kinds.items()):
            wanted = ("from", "to") if declared["span"] == "period" else ("as_of",)
            asked = []
            for name, value in options.items():
                if name in wanted or name == "observed_until":
                    asked += [f"--{name.replace('_', '-')}", str(value)]
            rows = product.ask("leads", "list", kind, *asked)["rows"]
            theirs = {(row["subject_id"], row["key"]) for row in rows}
            compared += len(rows)
            if len(theirs) != len(rows) or len({row["lead_id"] for row in rows}) != len(rows):
                differences.append(f"leads {kind}: a lead stands twice")
            if declared["open"] != len(rows) and not options:
                differences.append(f"leads {kind}: {declared['open']} counted, {len(rows)} listed")
            for lead in sorted(ours[kind] ^ theirs)[:20]:
                place = "only here" if lead in ours[kind] else "only in the product"
                differences.append(f"leads {kind} {options}: {lead} is {place}")
    return differences, compared
