"""Accidents, worked out by hand."""

MARCH = ("2025-03-01", "2025-04-01")


def accidents_stand_against_the_average_roster(world):
    # 31 days: one entry the whole month, one from 31 March: 1/31 = 0.032258.
    world.add("roster").add("roster", unit_id="U2", valid_from="2025-03-31", sector="other", department="other")
    world.add("accident", accident_no="A1", occurred_at="2025-03-31 23:59")
    world.add("accident", accident_no="A2", occurred_at="2025-04-01 00:00")
    world.expect("accident_rate", *MARCH, gives=(1, "1.032258", "1000000000/1032258"))
    world.expect("accident_rate", *MARCH, by="department", gives={"emergency": (1, 1, 1000), "other": (0, "0.032258", 0)})
    world.expect("accident_rate", *MARCH, until="2025-03-30", gives=(0, 1, 0))


def a_unit_is_uninsured_on_the_day_its_policy_expires(world):
    world.add("policy", policy_no="P1", inception="2024-03-15", expiry="2025-03-15")
    world.add("accident", accident_no="A1", occurred_at="2025-03-14 23:59")
    world.add("accident", accident_no="A2", occurred_at="2025-03-15 00:00")
    world.add("accident", accident_no="A3", occurred_at="2025-02-28 23:59")
    world.expect("uninsured_accidents", *MARCH, gives=(1, 2, 1))
    world.expect("uninsured_accidents", *MARCH, until="2025-03-14", gives=(0, 1, 0))


def an_accident_is_unclaimed_when_the_days_to_report_are_over(world):
    world.add("policy", policy_no="P1")
    for unit in ("U2", "U3", "U4"):
        world.add("policy", policy_no=f"P{unit}", unit_id=unit)
    for number, unit in ((1, "U1"), (2, "U2"), (3, "U3")):
        world.add("accident", accident_no=f"A{number}", unit_id=unit, occurred_at="2025-03-01 10:00", serious_injuries=1)
    world.add("accident", accident_no="A4", unit_id="U4", occurred_at="2025-03-01 10:00", deaths=0)
    world.add("accident", accident_no="A5", unit_id="U5", occurred_at="2025-03-01 10:00", deaths=1)
    # Reported on the 30th day (by unit and day), on the 31st, and by the number of the accident.
    world.add("claim", claim_no="C1", unit_id="U1", accident_at="2025-03-01 23:59", reported_at="2025-03-31 23:59")
    world.add("claim", claim_no="C2", unit_id="U2", accident_at="2025-03-01 10:00", reported_at="2025-04-01 00:00")
    world.add("claim", claim_no="C3", unit_id="U9", accident_no="A3", accident_at="2025-02-28 10:00", reported_at="2025-03-01 10:00")
    world.expect("unclaimed_accidents", *MARCH, gives=(1, 3, 1))
    world.expect("unclaimed_accidents", *MARCH, until="2025-03-30", gives=(0, 0, None))
    world.expect("unclaimed_accidents", *MARCH, until="2025-03-31", gives=(1, 3, 1))
    world.expect("unclaimed_accidents", *MARCH, report_days=3, gives=(2, 3, 2))
