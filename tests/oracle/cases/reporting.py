"""How feeds report, worked out by hand."""

MARCH = ("2025-03-01", "2025-04-01")


def a_slot_is_kept_by_a_batch_landed_by_the_deadline_and_not_held_whole(world):
    world.add("book_release", published_at="2025-03-20 12:00", day="2025-03-20")
    world.add("book_feed", feed_id="f1").add("book_feed", feed_id="f2", region_code="330100", department="transport")
    world.add("book_batch", batch_id="B1", feed_id="f1", landed_at="2025-03-03 18:00", rows_read=1)
    world.add("book_batch", batch_id="B2", feed_id="f1", landed_at="2025-03-04 18:00:01", rows_read=1)
    world.add("book_batch", batch_id="B3", feed_id="f1", landed_at="2025-03-05 10:00", rows_read=1, state="held")
    for day, batch in (("03", "B1"), ("04", "B2"), ("05", "B3"), ("06", None), ("07", "B1")):
        world.add("book_slot", feed_id="f1", slot_at=f"2025-03-{day} 02:00", due_at=f"2025-03-{day} 18:00", fulfilled_by=batch)
    # A batch that was held, and one landed in time for the same slot after it.
    world.add("book_slot", feed_id="f2", slot_at="2025-03-08 02:00", due_at="2025-03-08 18:00", fulfilled_by="B4")
    world.add("book_batch", batch_id="B4", feed_id="f2", slot_at="2025-03-08 02:00", landed_at="2025-03-08 03:00", state="held")
    world.add("book_batch", batch_id="B5", feed_id="f2", slot_at="2025-03-08 02:00", landed_at="2025-03-08 18:00")
    # Not over at the release; due in another period.
    world.add("book_slot", feed_id="f1", slot_at="2025-03-20 02:00", due_at="2025-03-20 18:00")
    world.add("book_slot", feed_id="f1", slot_at="2025-02-27 02:00", due_at="2025-02-28 23:59")
    world.expect("reporting_timeliness_rate", *MARCH, gives=(3, 6, "1/2"))
    world.expect("reporting_timeliness_rate", *MARCH, by="city", gives={"330000": (2, 5, "2/5"), "330100": (1, 1, 1)})
    rows = {"unknown": (2, 5, "2/5"), "transport": (1, 1, 1)}
    world.expect("reporting_timeliness_rate", *MARCH, by="department", gives=rows)


def rows_held_or_discarded_now_are_missing_from_what_was_read(world):
    world.add("book_feed", feed_id="f1")
    world.add("book_batch", batch_id="B1", feed_id="f1", landed_at="2025-03-01 00:00", rows_read=10)
    world.add("book_batch", batch_id="B2", feed_id="f1", landed_at="2025-03-31 23:59", rows_read=5, state="held")
    world.add("book_batch", batch_id="B3", feed_id="f1", landed_at="2025-04-01 00:00", rows_read=7)
    for row_no, state in ((1, "held"), (2, "discarded"), (3, "replayed")):
        world.add("book_quarantine", batch_id="B1", row_no=row_no, state=state)
    world.add("book_quarantine", batch_id="B2", state="held")
    world.expect("reporting_completeness_rate", *MARCH, gives=(8, 15, "8/15"))
    world.expect("reporting_completeness_rate", *MARCH, by=("feed", "month"), gives={("f1", "2025-03"): (8, 15, "8/15")})
