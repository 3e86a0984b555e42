"""Rosters and policies, worked out by hand."""

YEAR = ("2025-01-01", "2026-01-01")


def an_entry_is_covered_from_the_day_of_inception_and_not_on_the_day_of_expiry(world):
    world.add("unit", unit_id="U1").add("roster").add("roster", unit_id="U2", sector="other", department="other")
    world.add("policy", policy_no="P1", inception="2025-02-01", expiry="2026-02-01", sector="construction")
    world.expect("coverage_rate", "2025-01-31", gives=(0, 2, 0))
    world.expect("coverage_rate", "2025-02-01", gives=(1, 2, "1/2"))
    world.expect("coverage_rate", "2026-01-31", gives=(1, 2, "1/2"))
    world.expect("coverage_rate", "2026-02-01", gives=(0, 2, 0))
    world.expect("coverage_rate", "2025-02-01", by="size", gives={"S": (1, 1, 1), "unknown": (0, 1, 0)})
    world.expect("coverage_rate", "2025-02-01", by="department", gives={"emergency": (1, 1, 1), "other": (0, 1, 0)})


def a_cancellation_ends_cover_on_its_day_and_is_unknown_before_it(world):
    world.add("roster").add("policy", policy_no="P1", cancelled_on="2025-06-01")
    world.expect("coverage_rate", "2025-05-31", gives=(1, 1, 1))
    world.expect("coverage_rate", "2025-06-01", gives=(0, 1, 0))


def a_roster_entry_ends_on_the_day_it_is_valid_to(world):
    world.add("roster", valid_from="2025-03-01", valid_to="2025-04-01")
    world.expect("coverage_rate", "2025-02-28", gives=(0, 0, None))
    world.expect("coverage_rate", "2025-03-31", gives=(0, 1, 0))
    world.expect("coverage_rate", "2025-04-01", gives=(0, 0, None))


def only_open_units_of_high_hazard_sectors_belong_on_the_roster(world):
    world.add("unit", unit_id="U1").add("unit", unit_id="U2").add("unit", unit_id="U3", status="closed")
    world.add("unit", unit_id="U4", sector="other").add("roster", valid_from="2025-01-01", sector="construction")
    world.expect("roster_completeness_rate", "2025-01-01", gives=(1, 2, "1/2"))
    world.expect("roster_completeness_rate", "2024-12-31", gives=(0, 2, 0))


def persons_insured_count_up_to_the_employees(world):
    world.add("unit", unit_id="U1", employees=10).add("unit", unit_id="U2", employees=20)
    world.add("unit", unit_id="U3", employees=0)
    world.add("roster").add("roster", unit_id="U2").add("roster", unit_id="U3")
    world.add("policy", policy_no="P1", insured_persons=8).add("policy", policy_no="P2", insured_persons=5)
    world.add("policy", policy_no="P3", unit_id="U2", insured_persons=12).add("policy", policy_no="P4", unit_id="U3")
    world.expect("headcount_coverage_rate", "2025-01-01", gives=(22, 30, "22/30"))
    world.expect("headcount_coverage_rate", "2026-01-01", gives=(0, 0, None))


def a_limit_is_judged_by_the_rule_on_the_day_of_inception(world):
    world.add("rule", rule_id="min_death_limit", effective_from="2020-01-01", effective_to="2025-03-28", value=300000)
    world.add("rule", rule_id="min_death_limit", effective_from="2025-03-29", value=400000)
    limits = [("P1", "2025-03-28"), ("P2", "2025-03-29"), ("P3", "2019-12-31")]
    for policy_no, inception in limits:
        world.add(
            "policy", policy_no=policy_no, inception=inception, expiry="2026-03-01", death_limit_per_person=300000
        )
    world.add("policy", policy_no="P4", inception="2025-03-29", expiry="2026-03-01", death_limit_per_person=None)
    world.expect("death_limit_compliance_rate", "2025-04-01", gives=(1, 3, "1/3"), without_rule=1)


def a_rule_of_the_county_wins_over_one_of_the_sector(world):
    world.add("rule", rule_id="min_death_limit", sector="mine", value=500000)
    world.add("rule", rule_id="min_death_limit", region_code="330102", value=300000)
    world.add("rule", rule_id="min_death_limit", region_code="330200", value=900000)
    world.add("policy", policy_no="P1").add("policy", policy_no="P2", region_code="330103")
    world.expect("death_limit_compliance_rate", "2025-04-01", by="county", gives={"330102": (1, 1, 1), "330103": (0, 1, 0)})


def limits_are_averaged_over_persons(world):
    world.add("policy", policy_no="P1", insured_persons=10, death_limit_per_person="400000.00")
    world.add("policy", policy_no="P2", insured_persons=30, death_limit_per_person="800000.50", expiry="2025-07-01")
    world.add("policy", policy_no="P3", insured_persons=30, death_limit_per_person=None)
    world.expect("average_death_limit", "2025-06-30", gives=(28000015, 40, "28000015/40"))
    world.expect("average_death_limit", "2025-07-01", gives=(4000000, 10, 400000))


def a_unit_is_voluntary_once_it_left_the_roster(world):
    world.add("unit", unit_id="U1").add("roster", valid_to="2025-03-01")
    world.add("policy", policy_no="P1").add("policy", policy_no="P2").add("policy", policy_no="P3", unit_id="U9")
    world.expect("voluntary_units", "2025-02-28", gives=(1, 2, 1))
    world.expect("voluntary_units", "2025-03-01", gives=(2, 2, 2))
    world.expect("voluntary_units", "2025-03-01", by="county", gives={"330102": (1, 1, 1), "unknown": (1, 1, 1)})


def a_successor_may_begin_on_the_day_of_expiry_and_later_only_by_grace(world):
    for number, inception in (("1", "2026-01-01"), ("2", "2026-01-02"), ("3", "2026-01-31"), ("4", "2026-02-01")):
        world.add("roster", unit_id=f"U{number}").add("policy", policy_no=f"P{number}", unit_id=f"U{number}")
        world.add("policy", policy_no=f"N{number}", unit_id=f"U{number}", inception=inception, expiry="2027-01-01")
    world.add("policy", policy_no="P5", unit_id="U5")  # never on the roster
    world.add("policy", policy_no="P6", unit_id="U1", policy_type="project")
    period = ("2026-01-01", "2026-02-01")
    world.expect("renewal_rate", *period, gives=(1, 4, "1/4"))
    world.expect("renewal_rate", *period, grace_days=30, gives=(3, 4, "3/4"))
    world.expect("renewal_rate", "2025-12-01", "2026-01-01", gives=(0, 0, None))
    world.expect("renewal_rate", *period, until="2025-12-31", gives=(0, 0, None))


def a_successor_that_ended_on_the_day_of_expiry_renews_nothing(world):
    world.add("roster").add("policy", policy_no="P1")
    world.add("policy", policy_no="N1", inception="2025-12-01", expiry="2026-12-01", cancelled_on="2026-01-01")
    world.expect("renewal_rate", "2026-01-01", "2026-02-01", gives=(0, 1, 0))


def lapsed_days_lie_between_inceptions_on_the_roster(world):
    # On the roster 28 Feb to 4 Mar 2024: 28, 29 Feb, 1, 2, 3 Mar. Covered on 29 Feb and 1 Mar.
    world.add("unit", unit_id="U1").add("roster", valid_from="2024-02-28", valid_to="2024-03-04")
    world.add("policy", policy_no="P1", inception="2024-02-29", expiry="2025-02-28", cancelled_on="2024-03-02")
    world.expect("lapse_rate", "2024-01-01", "2025-01-01", gives=(3, 5, "3/5"))
    world.expect("lapse_rate", "2024-01-01", "2025-01-01", until="2024-03-02", gives=(2, 4, "1/2"))
    months = {"2024-02": (1, 2, "1/2"), "2024-03": (2, 3, "2/3")}
    world.expect("lapse_rate", "2024-01-01", "2025-01-01", by="month", gives=months)


def a_cancellation_counts_in_the_period_of_its_day_unless_for_closure(world):
    world.add("policy", policy_no="P1", cancelled_on="2025-03-01", cancel_reason="switch")
    world.add("policy", policy_no="P2", cancelled_on="2025-03-31", cancel_reason=None)
    world.add("policy", policy_no="P3", cancelled_on="2025-03-10", cancel_reason="closure")
    world.add("policy", policy_no="P4", cancelled_on="2025-02-28", cancel_reason="other")
    world.add("policy", policy_no="P5", cancelled_on="2025-04-01", cancel_reason="other")
    world.add("policy", policy_no="P6", expiry="2025-03-01").add("policy", policy_no="P7", inception="2025-04-01")
    world.expect("cancellation_rate", "2025-03-01", "2025-04-01", gives=(2, 4, "1/2"))
    world.expect("cancellation_rate", "2025-03-01", "2025-04-01", until="2025-03-30", gives=(1, 4, "1/4"))


def each_attribute_filled_counts_for_a_fifth(world):
    world.add("unit", unit_id="U1", risk_level="red", standardisation_level=None, industry_code="B06")
    world.add("roster", valid_from="2025-03-01").add("roster", unit_id="U2", valid_from="2025-03-01")
    world.expect("register_completeness_rate", "2025-03-01", gives=(4, 10, "4/10"))
    world.expect("register_completeness_rate", "2025-02-28", gives=(0, 0, None))
