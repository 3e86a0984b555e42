"""The expense ledger, worked out by hand."""

APRIL = ("2025-04-01", "2025-05-01")


def a_good_line(world, line_no, amount, **values):
    values = {"service_no": "S1", "voucher_no": f"V-{line_no}", "payee_uscc": "X", **values}
    return world.add("expense", line_no=line_no, amount=amount, **values)




def a_reversal_without_a_service_takes_back_what_its_original_counted(world):
    world.valid_service("S1", "2025-03-31").valid_service("S2", "2025-04-01")
    a_good_line(world, "L1", "100.00")
    a_good_line(world, "L2", "-40.00", service_no=None, reverses_line_no="L1")
    a_good_line(world, "L3", "7.00", service_no="S2", category="招待费")
    world.expect("cost_per_service", "2025-03-31", "2025-04-01", gives=(60, 1, 60))
    world.expect("cost_per_service", *APRIL, gives=(0, 1, 0))


def spend_counts_on_the_day_it_is_booked(world):
    world.valid_service("S1", "2025-03-31").add("policy", policy_no="P1")
    for number, day in enumerate(["2025-03-31", "2025-04-01", "2025-04-30", "2025-05-01"]):
        a_good_line(world, f"L{number}", "10.01", booked_on=day)
        world.add("premium_receipt", receipt_no=f"R{number}", received_on=day, amount="50.00")
    world.add("premium_receipt", receipt_no="R9", received_on="2025-04-30", amount="-20.00", insurer_code="B")
    world.expect("prevention_spend_ratio", *APRIL, gives=("20.02", 80, "1001/4000"))
    world.expect("prevention_spend_ratio", *APRIL, by="insurer", gives={"A": ("20.02", 100, "1001/5000"), "B": (0, -20, None)})
    world.expect("prevention_spend_ratio", *APRIL, until="2025-04-29", gives=("10.01", 50, "1001/5000"))


def spend_at_the_floor_or_the_cap_is_within_bounds(world):
    world.add("rule", rule_id="prevention_spend_floor", effective_from="2025-04-30", value="0.1", region_code="330000")
    world.add("rule", rule_id="prevention_spend_cap", effective_from="2025-04-30", value="0.2")
    world.add("rule", rule_id="prevention_spend_cap", region_code="330100", value="0.9")
    for insurer, spent in (("A", "10.00"), ("B", "9.99"), ("C", "20.00"), ("D", "20.01")):
        world.valid_service(f"S{insurer}", "2025-03-31", insurer_code=insurer)
        a_good_line(world, "L1", spent, insurer_code=insurer, service_no=f"S{insurer}", voucher_no="V")
        world.add("premium_receipt", receipt_no=insurer, insurer_code=insurer, received_on="2025-04-01", amount="100.00")
    world.add("premium_receipt", receipt_no="E", insurer_code="E", received_on="2025-04-01", amount="0.00")
    world.expect("prevention_spend_within_bounds", *APRIL, gives=(2, 4, "1/2"))
    world.expect("prevention_spend_within_bounds", "2025-04-01", "2025-04-30", gives=(0, 0, None), without_rule=4)


def every_finding_but_the_two_warnings_breaks_the_ring(world):
    world.valid_service("S1", "2025-04-02", insurer_code="A")
    world.valid_service("S2", "2025-04-01", provider_kind="agency", service_type="T1", attendees=2)
    world.add("service", service_no="S3", finished_at="2025-04-01 10:00")
    world.add("agency", uscc="G1", valid_to="2025-04-10")
    world.add("rule", rule_id="price_cap_T4", value="10", unit="per_visit")
    day = {"booked_on": "2025-04-10"}
    a_good_line(world, "01", "1.00", booked_on="2025-04-02")  # booked on the day it finished: fine
    a_good_line(world, "02", "2.00", booked_on="2025-04-01")  # pre_accrued
    a_good_line(world, "03", "4.00", service_no=None, voucher_no=None)  # unlinked, pre_accrued, no_voucher
    a_good_line(world, "04", "8.00", service_no="S3", **day)  # service_not_valid
    a_good_line(world, "05", "16.00", service_no="S2", payee_uscc="G1", booked_on="2025-04-09")  # fine
    a_good_line(world, "06", "32.00", service_no="S2", payee_uscc="G1", **day)  # payee_unqualified that day
    a_good_line(world, "07", "64.00", budget_year=2024, voucher_no="D", **day)  # wrong_year, duplicate_voucher
    a_good_line(world, "08", "128.00", voucher_no="D", **day)  # duplicate_voucher
    a_good_line(world, "09", "256.00", category="佣金", **day)  # ineligible_category
    a_good_line(world, "10", "512.00", insurer_code="B", **day)  # wrong_insurer
    a_good_line(world, "11", "-1024.00", reverses_line_no="99", **day)  # unreconciled
    a_good_line(world, "12", "2048.00", budget_year=2024, **day)  # wrong_year and over_price: warnings
    wrong = {"A": (1 + 16 + 2048, 1535, "2065/1535"), "B": (0, 512, 0)}
    world.expect("ringfence_compliance_rate", *APRIL, gives=(2065, 2047, "2065/2047"))
    world.expect("ringfence_compliance_rate", *APRIL, by="insurer", gives=wrong)
    world.expect("pre_accrual_amount", *APRIL, gives=(6, 2047, 6))
    # Of 11 lines that are no reversals: 03 lacks its service, 09 an eligible category.
    world.expect("ledger_completeness_rate", *APRIL, gives=(9, 11, "9/11"))
    # On 1 April only 02 and 03 are booked.
    world.expect("ledger_completeness_rate", *APRIL, until="2025-04-01", gives=(1, 2, "1/2"))


def reversals_beyond_their_original_are_unreconciled_all_of_them(world):
    world.valid_service("S1", "2025-04-01")
    a_good_line(world, "L1", "100.00")
    a_good_line(world, "L2", "-60.00", reverses_line_no="L1")
    world.expect("ringfence_compliance_rate", *APRIL, gives=(40, 40, 1))
    a_good_line(world, "L3", "-41.00", reverses_line_no="L1")
    world.expect("ringfence_compliance_rate", *APRIL, gives=(100, -1, None))


def a_budget_is_used_from_1_january_of_the_year_of_the_last_day(world):
    world.valid_service("S1", "2024-12-01")
    for number, day in enumerate(["2024-12-31", "2025-01-01", "2025-04-30", "2025-05-01"]):
        a_good_line(world, f"L{number}", "10.00", booked_on=day)
    world.add("budget", amount="80.00").add("budget", year=2024, amount="40.00")
    world.expect("budget_execution_rate", *APRIL, gives=(20, 80, "1/4"))
    world.expect("budget_execution_rate", "2024-07-01", "2025-01-01", gives=(10, 40, "1/4"))
