"""Claims, worked out by hand."""

MARCH = ("2025-03-01", "2025-04-01")


def the_median_is_the_first_day_on_which_half_are_paid(world):
    # Days: 0 and 4 paid, 4 censored (open, reported four days before o), 10 paid. S: 3/4 at 0, 1/2 at 4, 0 at 10.
    world.add("policy", policy_no="P1")
    world.add("claim", claim_no="C1", reported_at="2025-03-01 00:00", paid_at="2025-03-01 23:00", paid_amount="1")
    world.add("claim", claim_no="C2", reported_at="2025-03-01 23:59", paid_at="2025-03-05 00:00", paid_amount="1")
    world.add("claim", claim_no="C3", reported_at="2025-03-27 10:00")
    world.add("claim", claim_no="C4", reported_at="2025-03-10 10:00", paid_at="2025-03-20 10:00", paid_amount="1")
    world.add("claim", claim_no="C5", reported_at="2025-03-10 10:00", refused_at="2025-03-31 10:00")
    world.add("claim", claim_no="C6", reported_at="2025-02-28 23:59").add("claim", claim_no="C7", reported_at="2025-04-01 00:00")
    row = world.expect("claim_settlement_days", *MARCH, until="2025-03-31", gives=(3, 4, 4))[()]
    assert (row["p90"], row["within_10"], row["not_reached"]) == (10, 1, None)
    # A day earlier the refusal is not known: five cases, C5 censored at 20 days.
    row = world.expect("claim_settlement_days", *MARCH, until="2025-03-30", gives=(3, 5, 10))[()]
    assert row["p90"] is None


def every_clock_that_runs_must_be_kept_to_the_day(world):
    for rule, days in (("assess", 30), ("pay", 10), ("refuse", 3)):
        world.add("rule", rule_id=f"claim_{rule}_days", value=days, effective_from="2025-01-01")
    world.add("policy", policy_no="P1")
    documents = {"documents_complete_at": "2025-02-01 00:00"}
    world.add("claim", claim_no="C1", assessed_at="2025-03-03 23:59", paid_at="2025-03-31 23:59", **documents)  # day 30
    world.add("claim", claim_no="C2", assessed_at="2025-03-04 00:00", paid_at="2025-03-31 23:59", **documents)  # day 31
    world.add("claim", claim_no="C3", agreed_at="2025-03-01 10:00", paid_at="2025-03-11 23:00", **{**documents, "assessed_at": "2025-02-02 10:00"})
    world.add("claim", claim_no="C4", agreed_at="2025-03-01 10:00", paid_at="2025-03-12 00:00")
    world.add("claim", claim_no="C5", refused_at="2025-03-01 10:00", refusal_notified_at="2025-03-04 23:00")
    world.add("claim", claim_no="C6", refused_at="2025-03-01 10:00")
    world.add("claim", claim_no="C7", paid_at="2025-03-01 10:00")  # no clock
    world.add("claim", claim_no="C8", refused_at="2025-04-01 00:00")  # another period
    world.add("claim", claim_no="C9", documents_complete_at="2024-12-31 10:00", paid_at="2025-03-01 10:00")  # no rule yet
    world.expect("claim_statutory_rate", *MARCH, gives=(3, 6, "1/2"), without_rule=1)


def an_advance_is_due_within_sixty_days_of_the_report(world):
    world.add("rule", rule_id="claim_advance_days", value=60, effective_from="2025-03-01").add("policy", policy_no="P1")
    death = {"deaths": 1, "reported_at": "2025-03-01 10:00"}  # 60 days later: 30 April
    world.add("claim", claim_no="C1", advance_paid_at="2025-04-30 23:59", advance_amount=1, **death)
    world.add("claim", claim_no="C2", advance_paid_at="2025-05-01 00:00", advance_amount=1, **death)
    world.add("claim", claim_no="C3", advance_paid_at="2025-04-02 10:00", paid_at="2025-04-01 10:00", **death)
    world.add("claim", claim_no="C4", paid_at="2025-04-30 10:00", **death)  # paid in time, no advance needed
    world.add("claim", claim_no="C5", paid_at="2025-05-01 10:00", **death)
    world.add("claim", claim_no="C6", **death).add("claim", claim_no="C7", refused_at="2025-03-02 10:00", **death)
    world.add("claim", claim_no="C8", deaths=0)
    world.expect("claim_advance_rate", *MARCH, gives=(1, 5, "1/5"))
    # On 29 April: C1, C2, C5 and C6 have nothing and are not due; C3 had its advance too late.
    world.expect("claim_advance_rate", *MARCH, until="2025-04-29", gives=(0, 1, 0))
    world.expect("claim_advance_rate", *MARCH, until="2025-04-30", gives=(1, 5, "1/5"))
    world.add("claim", claim_no="C9", deaths=1, reported_at="2025-02-28 10:00")
    world.expect("claim_advance_rate", "2025-02-01", "2025-03-01", gives=(0, 0, None), without_rule=1)


def a_claim_is_closed_when_that_is_seen(world):
    world.add("policy", policy_no="P1").add("claim", claim_no="C1", reported_at="2025-03-31 23:59", closed_at="2025-05-01 10:00")
    world.add("claim", claim_no="C2", policy_no="?", refused_at="2025-03-05 10:00")
    world.expect("claim_closure_rate", *MARCH, gives=(1, 2, "1/2"))
    world.expect("claim_closure_rate", *MARCH, until="2025-04-30", gives=(0, 2, 0))
    world.expect("claim_closure_rate", *MARCH, by="county", gives={"330102": (1, 1, 1), "unknown": (0, 1, 0)})


def losses_paid_stand_against_premium_received(world):
    world.add("policy", policy_no="P1")
    world.add("claim", claim_no="C1", paid_at="2025-03-31 23:59", paid_amount="30.10", advance_amount="9")
    world.add("claim", claim_no="C2", paid_at="2025-04-01 00:00", paid_amount="5")
    world.add("claim", claim_no="C3", advance_paid_at="2025-03-05 00:00", advance_amount="7")
    world.add("premium_receipt", receipt_no="R1", received_on="2025-03-01", amount="200.00")
    world.add("premium_receipt", receipt_no="R2", received_on="2025-04-01", amount="1.00")
    world.expect("loss_ratio", *MARCH, gives=("30.10", 200, "301/2000"))


def premium_is_earned_by_the_day_and_rounded_to_the_fen(world):
    # P1: 31 of 365 days of 1000: 84.9315 -> 84.93. P2: cancelled on 16 March: 15 of 200 days of 0.20: 0.015 -> 0.02.
    world.add("policy", policy_no="P1")
    world.add("policy", policy_no="P2", inception="2025-03-01", expiry="2025-09-17", cancelled_on="2025-03-16", premium_written="0.20")
    world.add("policy", policy_no="P3", inception="2025-04-01")
    world.add("claim", claim_no="C1", accident_at="2025-03-01 00:00", advance_amount="10", advance_paid_at="2025-03-05 10:00", reserve="5")
    world.add("claim", claim_no="C2", accident_at="2025-03-31 23:59", reported_at="2025-04-02 10:00", advance_amount="10",
              advance_paid_at="2025-04-05 10:00", paid_amount="25", paid_at="2025-05-01 10:00")
    world.add("claim", claim_no="C3", accident_at="2025-04-01 00:00", reported_at="2025-04-02 10:00", reserve="99")
    world.expect("accident_period_loss_ratio", *MARCH, gives=(40, "84.95", "4000/8495"))
    # On 15 March: P1 15 of 365 days: 41.0958 -> 41.10; P2 15 of 200 days: 0.02; C2 not reported.
    world.expect("accident_period_loss_ratio", *MARCH, until="2025-03-15", gives=(15, "41.12", "1500/4112"))
