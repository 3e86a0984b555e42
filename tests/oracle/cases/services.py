"""Prevention services and hazards, worked out by hand."""

MARCH = ("2025-03-01", "2025-04-01")


def a_service_counts_from_inception_to_the_day_and_only_for_its_own_policy_and_unit(world):
    world.add("policy", policy_no="P1", inception="2025-02-01", expiry="2026-02-01")
    world.add("policy", policy_no="P1", unit_id="U2", inception="2025-02-01", expiry="2026-02-01")
    world.valid_service("S0", "2025-01-31").valid_service("S1", "2025-03-01")
    world.add("service", service_no="S2", unit_id="U2", finished_at="2025-02-02 10:00", unit_confirmed_at="2025-02-02 11:00")
    world.expect("service_coverage_rate", "2025-02-28", gives=(0, 2, 0))
    world.expect("service_coverage_rate", "2025-03-01", gives=(1, 2, "1/2"))
    world.expect("service_coverage_rate", "2025-02-28", until="2025-02-28", gives=(0, 2, 0))


def a_service_that_ends_after_midnight_in_shanghai_is_of_the_next_day(world):
    world.add("policy", policy_no="P1").valid_service("S1", "2025-03-01")
    at = "2025-03-31 23:59:59.999999"
    world.add("service", service_no="S2", finished_at=at, unit_confirmed_at=at, insurer_confirmed_at=at)
    at = "2025-04-01 00:00"
    world.add("service", service_no="S3", finished_at=at, unit_confirmed_at=at, insurer_confirmed_at=at)
    world.expect("agency_service_share", *MARCH, gives=(0, 2, 0))


def visits_fall_due_in_whole_parts_of_the_year(world):
    # Two a year: floor(2 x days / 365) is 0 on day 182, 1 on day 183 (2 July), 2 on day 365.
    world.add("unit", unit_id="U1").add("service_norm", effective_to="2025-01-01", visits_per_year=2)
    world.add("policy", policy_no="P1").add("policy", policy_no="P2", unit_id="U2")
    world.expect("service_frequency_rate", "2025-07-02", gives=(1, 1, 1), without_rule=1)
    world.expect("service_frequency_rate", "2025-07-03", gives=(0, 1, 0), without_rule=1)
    world.valid_service("S1", "2025-07-03")
    world.expect("service_frequency_rate", "2025-07-03", gives=(1, 1, 1), without_rule=1)


def a_norm_of_the_city_wins_over_an_empty_region(world):
    world.add("unit", unit_id="U1").add("service_norm", visits_per_year=0)
    world.add("service_norm", region_code="330100", visits_per_year=12).add("policy", policy_no="P1")
    world.expect("service_frequency_rate", "2025-12-31", gives=(0, 1, 0))


def a_plan_is_kept_by_finishing_before_the_period_ends_unless_the_unit_declined(world):
    world.add("service", service_no="S1", planned_on="2025-03-01", finished_at="2025-03-31 23:59")
    world.add("service", service_no="S2", planned_on="2025-03-31", finished_at="2025-04-01 00:00")
    world.add("service", service_no="S3", planned_on="2025-03-31")
    world.add("service", service_no="S4", planned_on="2025-03-31", declined_on="2025-03-20")
    world.add("service", service_no="S5", planned_on="2025-04-01", finished_at="2025-03-02 10:00")
    world.expect("service_plan_completion_rate", *MARCH, gives=(1, 3, "1/3"))
    world.expect("service_plan_completion_rate", *MARCH, until="2025-03-19", gives=(0, 4, 0))


def a_record_is_complete_with_all_seven_parts(world):
    parts = {"place": "厂区", "lead_expert": "E1", "items": "a", "measures": "b", "record_uri": "u"}
    world.valid_service("S1", "2025-03-01", **parts).valid_service("S2", "2025-03-31", **{**parts, "items": None})
    world.add("service", service_no="S3", finished_at="2025-03-31 10:00", unit_confirmed_at="2025-03-31 10:00", **parts)
    world.valid_service("S4", "2025-04-01", **parts)
    world.expect("service_record_completeness_rate", *MARCH, gives=(1, 3, "1/3"))


def satisfaction_is_averaged_over_services_with_a_rating(world):
    world.add("service", service_no="S1", finished_at="2025-03-01 00:00", satisfaction=5)
    world.add("service", service_no="S2", finished_at="2025-03-31 23:59", satisfaction=2, agency_uscc="G1")
    world.add("service", service_no="S3", finished_at="2025-03-10 10:00")
    world.add("service", service_no="S4", finished_at="2025-04-01 00:00", satisfaction=1)
    world.expect("service_satisfaction", *MARCH, gives=(7, 2, "7/2"))
    world.expect("service_satisfaction", *MARCH, by="agency", gives={"G1": (2, 1, 2), "unknown": (5, 1, 5)})


def a_norm_stands_through_the_last_day_it_is_in_effect(world):
    world.add("service_norm", effective_from="2025-01-01", effective_to="2025-06-30", visits_per_year=2)
    world.add("service_norm", sector="construction", size="L", visits_per_year=2, region_code="330200")
    world.expect("service_norm_rate", "2025-06-30", gives=(2, 8, "1/4"))
    rows = {"mine": (0, 4, 0), "construction": (1, 4, "1/4")}
    world.expect("service_norm_rate", "2025-07-01", by="sector", gives=rows)


def agencies_give_a_share_of_valid_services(world):
    world.valid_service("S1", "2025-03-01", provider_kind="agency").valid_service("S2", "2025-03-31")
    world.add("service", service_no="S3", provider_kind="agency", finished_at="2025-03-02 10:00")
    world.expect("agency_service_share", *MARCH, gives=(1, 2, "1/2"))


def an_agency_must_be_qualified_on_the_day_it_finished(world):
    world.add("agency", uscc="G1", valid_from="2025-03-02", valid_to="2025-03-10").add("agency", uscc="G2", qualification=None)
    for number, (agency, day) in enumerate([("G1", "01"), ("G1", "02"), ("G1", "09"), ("G1", "10"), ("G2", "09"), (None, "09")]):
        world.add("service", service_no=f"S{number}", provider_kind="agency", agency_uscc=agency, finished_at=f"2025-03-{day} 10:00")
    world.expect("agency_compliance_rate", *MARCH, gives=(2, 6, "1/3"))


def hazards_count_where_their_own_unit_has_its_size(world):
    world.add("unit", unit_id="U1").add("unit", unit_id="U2", size="L")
    world.valid_service("S1", "2025-03-31").valid_service("S2", "2025-04-01")
    world.add("hazard", hazard_no="H1").add("hazard", hazard_no="H2", unit_id="U2", found_at="2025-04-01 10:00")
    world.add("hazard", hazard_no="H3", service_no="S2").add("hazard", hazard_no="H4", service_no="?")
    world.expect("hazards_per_service", *MARCH, gives=(2, 1, 2))
    world.expect("hazards_per_service", *MARCH, until="2025-03-31", gives=(1, 1, 1))
    world.expect("hazards_per_service", *MARCH, by="size", gives={"S": (1, 1, 1), "L": (1, 0, None)})


def a_hazard_is_rectified_once_it_is_verified(world):
    world.add("service", service_no="S1")
    world.add("hazard", hazard_no="H1", found_at="2025-03-01 00:00", rectified_on="2025-03-05", verified_on="2025-04-10")
    world.add("hazard", hazard_no="H2", found_at="2025-03-31 23:59", rectified_on="2025-04-01", service_no="?")
    world.add("hazard", hazard_no="H3", found_at="2025-04-01 00:00", verified_on="2025-04-01")
    world.expect("hazard_rectification_rate", *MARCH, gives=(1, 2, "1/2"))
    world.expect("hazard_rectification_rate", *MARCH, until="2025-04-09", gives=(0, 2, 0))
    world.expect("hazard_rectification_rate", *MARCH, by="sector", gives={"mine": (1, 1, 1), "unknown": (0, 1, 0)})


def a_hazard_rectified_on_the_due_day_is_on_time_once_that_day_is_over(world):
    world.add("service", service_no="S1")
    world.add("hazard", hazard_no="H1", due_on="2025-03-20", rectified_on="2025-03-20")
    world.add("hazard", hazard_no="H2", due_on="2025-03-20", rectified_on="2025-03-21")
    world.add("hazard", hazard_no="H3", due_on="2025-03-20").add("hazard", hazard_no="H4")
    world.expect("hazard_on_time_rate", *MARCH, gives=(1, 3, "1/3"))
    world.expect("hazard_on_time_rate", *MARCH, until="2025-03-20", gives=(0, 0, None))


def a_major_hazard_is_reported_within_hours_to_the_instant(world):
    world.add("service", service_no="S1").add("service", service_no="S2", region_code="340100")
    world.add("rule", rule_id="major_hazard_notice_hours", region_code="330000", value=24)
    major = {"grade": "major", "found_at": "2025-03-01 10:00"}
    world.add("hazard", hazard_no="H1", department_notified_at="2025-03-02 10:00", **major)
    world.add("hazard", hazard_no="H2", department_notified_at="2025-03-02 10:00:00.000001", **major)
    world.add("hazard", hazard_no="H3", **major).add("hazard", hazard_no="H4")
    world.add("hazard", hazard_no="H5", service_no="S2", **major)
    world.expect("major_hazard_notice_rate", *MARCH, gives=(1, 3, "1/3"), without_rule=1)
    world.expect("major_hazard_notice_rate", *MARCH, until="2025-03-01", gives=(0, 3, 0), without_rule=1)
