"""Complaints, worked out by hand."""

from datetime import date, timedelta

MARCH = ("2025-03-01", "2025-04-01")


def complaints_are_counted_per_thousand_valid_services(world):
    world.valid_service("S1", "2025-03-01").valid_service("S2", "2025-03-31").valid_service("S3", "2025-04-01")
    world.add("complaint", complaint_no="K1", received_at="2025-03-31 23:59")
    world.add("complaint", complaint_no="K2", received_at="2025-04-01 00:00")
    world.add("complaint", complaint_no="K3", received_at="2025-03-01 00:00", insurer_code="B")
    world.expect("complaint_rate", *MARCH, gives=(2, 2, 1000))
    world.expect("complaint_rate", *MARCH, by="insurer", gives={"A": (1, 2, 500), "B": (1, 0, None)})


def a_reply_is_due_on_the_nth_workday_after_the_day_of_receipt(world):
    # Friday 7 March 2025 and two workdays: Tuesday 11 March. Wednesday the 12th is a holiday here, so three
    # workdays end on Thursday 13 March.
    for number in range(60):
        day = date(2025, 3, 1) + timedelta(days=number)
        world.add("calendar", day=day, is_workday=day.weekday() < 5 and day != date(2025, 3, 12))
    world.add("rule", rule_id="complaint_reply_workdays", value=2)
    world.add("rule", rule_id="complaint_reply_workdays_verified", value=3)
    world.add("rule", rule_id="complaint_reply_workdays", region_code="330000", value=50)
    friday = {"received_at": "2025-03-07 23:59"}
    world.add("complaint", complaint_no="K1", replied_at="2025-03-11 23:59", **friday)
    world.add("complaint", complaint_no="K2", replied_at="2025-03-12 00:00", **friday)
    world.add("complaint", complaint_no="K3", replied_at="2025-03-13 10:00", needs_verification=True, **friday)
    world.add("complaint", complaint_no="K4", replied_at="2025-03-12 10:00", extended_days=1, **friday)
    world.add("complaint", complaint_no="K5", **friday)
    world.expect("complaint_reply_rate", *MARCH, gives=(3, 5, "3/5"))
    # On the day of the deadline the open ones are not late yet; K1 has its reply.
    world.expect("complaint_reply_rate", *MARCH, until="2025-03-11", gives=(1, 1, 1))
    world.expect("complaint_reply_rate", *MARCH, until="2025-03-12", gives=(2, 4, "1/2"))
    # The calendar ends with 29 April, a Tuesday. Days beyond it count by their weekday: Thursday 1 May.
    world.add("complaint", complaint_no="K6", received_at="2025-04-29 10:00", replied_at="2025-05-01 23:59")
    world.add("complaint", complaint_no="K7", received_at="2025-04-29 10:00", replied_at="2025-05-02 00:00")
    world.expect("complaint_reply_rate", "2025-04-01", "2025-05-01", gives=(1, 2, "1/2"))
