"""Visits and findings, worked out by hand."""

MARCH = ("2025-03-01", "2025-04-01")


def a_joint_visit_counts_once_with_its_first_department(world):
    world.add("visit", visit_no="V1", visited_on="2025-03-31")
    world.add("visit", visit_no="V1", visited_on="2025-03-31", department="construction")
    world.add("visit", visit_no="V2", visited_on="2025-03-01", sector=None)
    world.add("visit", visit_no="V3", visited_on="2025-04-01")
    rows = world.expect("visits", *MARCH, gives=(2, None, 2))
    assert rows[()]["joint"] == 1
    world.expect("visits", *MARCH, by="department", gives={"construction": (1, None, 1), "emergency": (1, None, 1)})
    world.expect("visits", *MARCH, until="2025-03-30", by="sector", gives={"unknown": (1, None, 1)})


def a_finding_is_corrected_when_that_is_seen(world):
    world.add("inspection", finding_no="F1", found_on="2025-03-31", corrected_on="2025-04-10")
    world.add("inspection", finding_no="F2", violation="under_limit", department="construction")
    world.add("inspection", finding_no="F3", found_on="2025-04-01", corrected_on="2025-04-01")
    world.expect("enforcement_correction_rate", *MARCH, gives=(1, 2, "1/2"))
    world.expect("enforcement_correction_rate", *MARCH, until="2025-04-09", gives=(0, 2, 0))
    rows = {"uninsured": (1, 1, 1), "under_limit": (0, 1, 0)}
    world.expect("enforcement_correction_rate", *MARCH, by="violation", gives=rows)
    rows = {"emergency": (1, 1, 1), "construction": (0, 1, 0)}
    world.expect("enforcement_correction_rate", *MARCH, by="department", gives=rows)
