"""Leads: kind, subject and key of the rows that stand on 30 June 2026, or on another day."""

from datetime import date, timedelta

from answers import Oracle

DAY = timedelta(days=1)


def leads(world, until="2026-06-30"):
    day = date.fromisoformat(until)
    oracle = Oracle(world.engine)
    oracle.observe(day)
    span = f"date '{day}', date '{day.replace(month=1, day=1)}', date '{day + DAY}'"
    return set(oracle.engine.execute(f"select kind, subject, key from leads({span})").fetchall())


def expect(of, *kinds, gives, until="2026-06-30"):
    found = {lead for lead in leads(of, until) if lead[0] in kinds}
    assert found == set(gives), f"{until}: {sorted(found)} instead of {sorted(gives)}"


def insured_before_or_never(world):
    for unit in ("U1", "U2", "U3"):
        world.add("unit", unit_id=unit).add("roster", unit_id=unit)
    world.add("policy", policy_no="P1", unit_id="U1", inception="2025-06-30", expiry="2026-06-30")
    world.add("policy", policy_no="P2", unit_id="U2", inception="2025-01-01", cancelled_on="2025-01-01")
    world.add("policy", policy_no="P3", unit_id="U3", inception="2026-06-30", expiry="2027-06-30")
    gives = [("lapsed", "U1", "U1,mine,2025-01-01"), ("uninsured", "U2", "U2,mine,2025-01-01")]
    expect(world, "lapsed", "uninsured", gives=gives)
    before = [("uninsured", unit, f"{unit},mine,2025-01-01") for unit in ("U2", "U3")]
    expect(world, "lapsed", "uninsured", gives=before, until="2026-06-29")


def on_the_roster_once_or_never(world):
    for unit in ("U1", "U2", "U3"):
        world.add("unit", unit_id=unit)
    world.add("unit", unit_id="U4", status="closed").add("unit", unit_id="U5", sector="other")
    world.add("roster", unit_id="U1", valid_to="2026-06-30").add("roster", unit_id="U2", valid_from="2026-07-01")
    world.add("roster", unit_id="U3", valid_to="2025-01-01")
    gives = [
        ("removed_from_roster", "U1", "U1"), ("missing_from_roster", "U2", "U2"), ("missing_from_roster", "U3", "U3"),
    ]
    expect(world, "removed_from_roster", "missing_from_roster", gives=gives)


def fewer_persons_and_lower_limits(world):
    world.add("unit", unit_id="U1", employees=10).add("roster", unit_id="U1")
    world.add("unit", unit_id="U2", employees=10).add("roster", unit_id="U2")
    world.add("rule", rule_id="min_death_limit", value="400000", effective_from="2025-03-29")
    world.add("policy", policy_no="P1", unit_id="U1", inception="2026-01-01", expiry="2027-01-01", insured_persons=9)
    world.add("policy", policy_no="P2", unit_id="U2", inception="2026-01-01", expiry="2027-01-01",
              death_limit_per_person="399999.99")
    gives = [("under_headcount", "U1", "U1,mine,2025-01-01"), ("under_limit", "U2", "P2,U2")]
    expect(world, "under_headcount", "under_limit", gives=gives)


def sixty_days_after_inception(world):
    for number, inception in (("P1", "2026-05-01"), ("P2", "2026-05-02")):
        world.add("policy", policy_no=number, inception=inception, expiry="2027-05-01", premium_written="100.00")
    world.add("premium_receipt", receipt_no="R1", policy_no="P1", amount="99.99", received_on="2026-05-02")
    expect(world, "premium_unpaid", gives=[("premium_unpaid", "U1", "P1,U1")])
    world.add("premium_receipt", receipt_no="R2", policy_no="P1", amount="0.01", received_on="2026-06-30",
              payer_kind="employee")
    expect(world, "premium_unpaid", "premium_from_employees", gives=[("premium_from_employees", "U1", "R2")])


def ninety_days_without_a_service(world):
    for number, inception in (("P1", "2026-04-01"), ("P2", "2026-04-02")):
        world.add("policy", policy_no=number, inception=inception, expiry="2027-04-01")
    expect(world, "no_service", gives=[("no_service", "A", "P1,U1")])


def services_that_cannot_have_been(world):
    at = {"lead_expert": "王", "insurer_code": "A"}
    # S1 and S2 share half an hour at two units, S3 begins as S2 ends, S4 is confirmed a minute early.
    for number, unit, start, end in (
        ("S1", "U1", "09:00", "10:30"), ("S2", "U2", "10:00", "11:00"), ("S3", "U1", "11:00", "12:00"),
    ):
        world.add("service", service_no=number, unit_id=unit, started_at=f"2026-03-01 {start}",
                  finished_at=f"2026-03-01 {end}", **at)
    world.add("service", service_no="S4", finished_at="2026-03-02 10:00", unit_confirmed_at="2026-03-02 09:59")
    expect(world, "sham_service", gives=[("sham_service", "A", number) for number in ("S1", "S2", "S4")])
    expect(world, "sham_service", gives=[], until="2026-02-28")


def seven_services_in_a_day(world):
    for number in range(6):
        world.add("service", service_no=f"S{number}", lead_expert="王", finished_at="2026-03-01 10:00")
    expect(world, "sham_service", gives=[])
    world.add("service", service_no="S6", lead_expert="王", service_type="T2", finished_at="2026-03-01 23:59")
    expect(world, "sham_service", gives=[("sham_service", "A", f"S{number}") for number in range(7)])


def lines_with_findings(world):
    world.valid_service("S1", "2026-03-01")
    world.add("expense", line_no="L1", service_no="S1", amount="1.00", booked_on="2026-02-28", voucher_no="V1")
    world.add("expense", line_no="L2", service_no="S1", amount="1.00", booked_on="2026-03-01", voucher_no="V2",
              category="佣金")
    gives = [
        ("pre_accrued", "A", "L1,A"), ("ringfence_violation", "A", "L1,A"), ("ringfence_violation", "A", "L2,A"),
        ("diverted_funds", "A", "L2,A"),
    ]
    expect(world, "pre_accrued", "ringfence_violation", "diverted_funds", gives=gives)


def a_fen_outside_the_bounds(world):
    world.add("rule", rule_id="prevention_spend_cap", value="0.21").add(
        "rule", rule_id="prevention_spend_floor", value="0.15", region_code="330000"
    )
    world.valid_service("S1", "2026-01-01").valid_service("S2", "2026-01-01", insurer_code="B")
    for insurer, service, amount in (("A", "S1", "149.99"), ("B", "S2", "210.01")):
        world.add("premium_receipt", receipt_no=f"R{insurer}", insurer_code=insurer, amount="1000.00",
                  received_on="2026-01-01")
        world.add("expense", line_no=f"L{insurer}", insurer_code=insurer, service_no=service, amount=amount,
                  booked_on="2026-06-30", voucher_no="V1")
    gives = [("spend_below_floor", "A", "A"), ("spend_above_cap", "B", "B")]
    expect(world, "spend_below_floor", "spend_above_cap", gives=gives)


def hazards_not_told_of_and_overdue(world):
    world.add("rule", rule_id="major_hazard_notice_hours", value="24").add("service", service_no="S1")
    world.add("hazard", hazard_no="H1", grade="major", found_at="2026-06-29 23:59", due_on="2026-06-29")
    world.add("hazard", hazard_no="H2", grade="major", found_at="2026-06-30 00:00", due_on="2026-06-30")
    world.add("hazard", hazard_no="H3", grade="major", found_at="2026-03-01 10:00",
              department_notified_at="2026-03-02 10:01", verified_on="2026-06-30", due_on="2026-03-31")
    gives = [
        ("major_hazard_unreported", "A", "H1"), ("major_hazard_unreported", "A", "H3"), ("hazard_overdue", "U1", "H1"),
    ]
    expect(world, "major_hazard_unreported", "hazard_overdue", gives=gives)


def clocks_over_and_not_stopped(world):
    world.add("policy", policy_no="P1", inception="2026-01-01", expiry="2027-01-01")
    for clock, days in (("assess", "30"), ("pay", "10"), ("refuse", "3")):
        world.add("rule", rule_id=f"claim_{clock}_days", value=days)
    world.add("claim", claim_no="C1", documents_complete_at="2026-05-30 23:59")
    world.add("claim", claim_no="C2", documents_complete_at="2026-05-31 00:00")
    world.add("claim", claim_no="C3", agreed_at="2026-06-19 09:00")
    world.add("claim", claim_no="C4", refused_at="2026-06-26 09:00", refusal_notified_at="2026-06-30 09:00")
    expect(world, "claim_overdue", gives=[("claim_overdue", "A", "C1"), ("claim_overdue", "A", "C3")])


def a_market_of_one(world):
    for number in range(10):
        world.add("policy", policy_no=f"P{number}", unit_id=f"U{number}", inception="2026-01-01", expiry="2027-01-01")
        world.add("premium_receipt", receipt_no=f"R{number}", policy_no=f"P{number}", amount="100.00",
                  insurer_code="B" if number == 9 else "A", received_on="2025-07-01" if number == 0 else "2026-06-30")
    expect(world, "market_division", gives=[("market_division", "330102,mine", "A")])
    world.add("premium_receipt", receipt_no="RX", policy_no="P0", amount="0.01", insurer_code="B",
              received_on="2026-06-30")
    expect(world, "market_division", gives=[])
