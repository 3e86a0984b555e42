"""What cover costs and who pays, worked out by hand."""

MARCH = ("2025-03-01", "2025-04-01")


def receipts_belong_to_the_first_row_of_their_policy_and_refunds_count(world):
    world.add("policy", policy_no="P1", unit_id="U1", inception="2025-03-01", premium_written="600.00")
    world.add(
        "policy", policy_no="P1", unit_id="U2", inception="2025-03-01", premium_written="400.00", region_code="330201"
    )
    world.add("policy", policy_no="P2", inception="2025-04-01")
    world.add("premium_receipt", receipt_no="R1", amount="900.00", received_on="2025-05-01")
    world.add("premium_receipt", receipt_no="R2", amount="-100.00", received_on="2025-06-01")
    world.add("premium_receipt", receipt_no="R3", policy_no="P2", amount="5.00")
    world.expect("premium_collection_rate", *MARCH, gives=(800, 1000, "4/5"))
    world.expect("premium_collection_rate", *MARCH, until="2025-05-31", gives=(900, 1000, "9/10"))
    world.expect(
        "premium_collection_rate", *MARCH, by="city", gives={"330100": (800, 600, "4/3"), "330200": (0, 400, 0)}
    )


def only_premium_paid_by_the_unit_is_lawful(world):
    world.add("policy", policy_no="P1")
    world.add("premium_receipt", receipt_no="R1", amount="75.50", received_on="2025-03-01")
    world.add("premium_receipt", receipt_no="R2", amount="24.50", received_on="2025-03-31", payer_kind="employee")
    world.add("premium_receipt", receipt_no="R3", amount="9.00", received_on="2025-04-01")
    world.add("premium_receipt", receipt_no="R4", amount="1.00", received_on="2025-03-31", policy_no="?")
    world.expect("premium_payer_compliance_rate", *MARCH, gives=("76.50", 101, "153/202"))
    rows = {"330102": ("75.50", 100, "151/200"), "unknown": (1, 1, 1)}
    world.expect("premium_payer_compliance_rate", *MARCH, by="county", gives=rows)


def premium_is_averaged_over_persons_of_policies_incepting(world):
    world.add("policy", policy_no="P1", inception="2025-03-01", premium_written="1000.01", insured_persons=3)
    world.add("policy", policy_no="P2", inception="2025-03-31", premium_written="0.00", insured_persons=1)
    world.add("policy", policy_no="P3", inception="2025-04-01")
    world.expect("average_premium_per_person", *MARCH, gives=("1000.01", 4, "100001/400"))


def a_commission_at_the_cap_is_lawful(world):
    world.add("rule", rule_id="commission_cap", effective_from="2025-03-29", value="0.05")
    for number, rate, inception in ((1, "0.05", "2025-03-29"), (2, "0.050001", "2025-03-31"), (3, "0.01", "2025-03-28")):
        world.add("policy", policy_no=f"P{number}", commission_rate=rate, inception=inception)
    world.add("policy", policy_no="P4", inception="2025-03-30").add(
        "policy", policy_no="P5", inception="2025-04-01", commission_rate="0.01"
    )
    world.expect("commission_compliance_rate", *MARCH, gives=(1, 2, "1/2"), without_rule=1)
    world.expect("commission_compliance_rate", *MARCH, until="2025-03-30", gives=(1, 1, 1), without_rule=1)


def a_rate_must_rise_after_a_claim_paid_by_the_day_of_inception(world):
    for unit, factor, paid_at in (
        ("U1", "1.1", "2026-01-01 23:59"),  # paid on the day: must rise, and does
        ("U2", "1.0", "2026-01-01 00:00"),  # must rise, does not
        ("U3", "1.0", "2026-01-02 00:00"),  # paid too late: must not rise, and does not
        ("U4", "1.1", None),  # no claim, and rises
    ):
        world.add("policy", policy_no=f"O{unit}", unit_id=unit)
        world.add("policy", policy_no=f"A{unit}", unit_id=unit, inception="2024-12-31")
        world.add("policy", policy_no=f"N{unit}", unit_id=unit, inception="2026-01-01", expiry="2027-01-01", float_factor=factor)
        if paid_at:
            world.add("claim", claim_no=f"C{unit}", policy_no=f"O{unit}", unit_id=unit, paid_at=paid_at, paid_amount="1.00")
    world.add("policy", policy_no="P5", unit_id="U5", inception="2026-01-01", expiry="2027-01-01", float_factor="9")
    world.expect("rate_floating_rate", "2026-01-01", "2026-02-01", gives=(2, 4, "1/2"))


def of_two_previous_policies_of_a_day_the_later_number_is_the_previous_one(world):
    world.add("policy", policy_no="O1").add("policy", policy_no="O2")
    world.add("claim", claim_no="C1", policy_no="O1", paid_at="2025-06-01 10:00", paid_amount="1.00")
    world.add("policy", policy_no="N", inception="2026-01-01", expiry="2027-01-01", float_factor="1.2")
    world.expect("rate_floating_rate", "2026-01-01", "2026-02-01", gives=(0, 1, 0))


def a_price_far_below_the_median_of_its_group_is_flagged(world):
    # x falls on ln of 1, 2, 4 …: 10 at 1000, 10 at 2000, 9 at 4000 and 1 at 100 (persons x limit equal).
    # Median ln 2000; deviations ln 2 for 19 of 30, 0 for 10, so MAD = ln 2: the bound is ln(2000) - 4.4478 ln 2,
    # which is the price 91.6: 100 is not flagged, and with 4 x ln 2 (price 125) it is.
    prices = [1000] * 10 + [2000] * 10 + [4000] * 9 + [100]
    for number, price in enumerate(prices):
        inception = "2025-03-01" if price == 100 or number == 0 else "2024-06-01"
        world.add("unit", unit_id=f"U{number}")
        world.add("policy", policy_no=f"P{number}", unit_id=f"U{number}", premium_written=price, inception=inception)
    world.add("policy", policy_no="Q", premium_written=0, inception="2025-03-01")
    world.expect("low_price_policies", *MARCH, gives=(0, 2, 0))
    world.expect("low_price_policies", *MARCH, deviations=4, scale=1, gives=(1, 2, 1))
    world.expect("low_price_policies", *MARCH, least_group=31, gives=(0, 0, None))


def equal_prices_flag_nobody(world):
    for number in range(30):
        price = 1 if number == 0 else 1000
        world.add("policy", policy_no=f"P{number}", premium_written=price, inception="2025-03-01")
    world.expect("low_price_policies", *MARCH, gives=(0, 30, 0))


def the_market_index_is_of_receipts_by_insurer(world):
    world.add("policy", policy_no="P1")
    for number, insurer, amount, day in (
        (1, "A", "60.00", "2025-03-01"), (2, "B", "30.00", "2025-03-31"), (3, "B", "10.00", "2025-03-31"),
        (4, "C", "99.00", "2025-04-01"),
    ):
        world.add("premium_receipt", receipt_no=f"R{number}", insurer_code=insurer, amount=amount, received_on=day)
    rows = world.expect("market_concentration", *MARCH, gives=(5200, 10000, "13/25"))
    assert rows[()]["insurers"] == 2 and float(rows[()]["largest_share"]) == 0.6
