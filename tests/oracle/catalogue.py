"""The catalogue of metrics.md: kind, unit, dimensions and parameters of every metric."""

from typing import NamedTuple

LETTERS = {
    "c": "city",
    "k": "county",
    "s": "sector",
    "z": "size",
    "i": "insurer",
    "d": "department",
    "t": "service_type",
    "g": "agency",
    "m": "month",
    "f": "feed",
    "r": "reporter",
    "n": "dataset",
    "v": "violation",
}

# Kind (A as of a day, P over a period), unit, dimensions. `department` stands wherever `sector` does.
TABLE = """
coverage_rate                  A ratio     c k s z d
roster_completeness_rate       A ratio     c k s z d
headcount_coverage_rate        A ratio     c k s z d
death_limit_compliance_rate    A ratio     c k s z i
average_death_limit            A mean      c k s z i
voluntary_units                A count     c k s z
renewal_rate                   P ratio     c k s z i m
lapse_rate                     P ratio     c k s z d m
cancellation_rate              P ratio     c k s z i m
premium_collection_rate        P ratio     c k s i m
premium_payer_compliance_rate  P ratio     c k s i m
average_premium_per_person     P mean      c k s z i m
commission_compliance_rate     P ratio     c k s i m
rate_floating_rate             P ratio     c k s z i m
low_price_policies             P count     c k s z i
service_coverage_rate          A ratio     c k s z i
service_frequency_rate         A ratio     c k s z i
service_plan_completion_rate   P ratio     c k s i t g m
service_record_completeness_rate P ratio   c k s i t g m
service_satisfaction           P mean      c k s i t g m
service_norm_rate              A ratio     s z
agency_service_share           P ratio     c k s i t m
agency_compliance_rate         P ratio     c k s i g m
hazards_per_service            P mean      c k s z i t g m
cost_per_service               P mean      c k s z i t m
prevention_spend_ratio         P ratio     i m
prevention_spend_within_bounds P ratio     i
ringfence_compliance_rate      P ratio     i m
pre_accrual_amount             P amount    i m
ledger_completeness_rate       P ratio     i m
budget_execution_rate          P ratio     i
hazard_rectification_rate      P ratio     c k s z i m
hazard_on_time_rate            P ratio     c k s z i m
major_hazard_notice_rate       P ratio     c k s z i m
claim_settlement_days          P days      c k s i m
claim_statutory_rate           P ratio     c k s i m
claim_advance_rate             P ratio     c k s i m
claim_closure_rate             P ratio     c k s i m
loss_ratio                     P ratio     c k s i m
accident_period_loss_ratio     P ratio     c k s i
accident_rate                  P per_mille c k s m
uninsured_accidents            P count     c k s m
unclaimed_accidents            P count     c k s m
complaint_rate                 P per_mille i m
complaint_reply_rate           P ratio     i m
reporting_timeliness_rate      P ratio     f r n c k d m
reporting_completeness_rate    P ratio     f r n c k d m
register_completeness_rate     A ratio     c k s z d
market_concentration           P index     c k s
visits                         P count     c k s d m
enforcement_correction_rate    P ratio     c k s d m v
"""

# Default and one other value, by name.
PARAMETERS = {
    "renewal_rate": {"grace_days": (0, 30)},
    "unclaimed_accidents": {"report_days": (30, 3)},
    "low_price_policies": {"deviations": (3, 1), "scale": ("1.4826", 1), "least_group": (30, 10)},
}


class Metric(NamedTuple):
    """A metric of the catalogue."""

    name: str
    over_period: bool
    unit: str
    dimensions: tuple


def read():
    """Every metric by its id."""
    metrics = {}
    for line in TABLE.strip().splitlines():
        name, kind, unit, *letters = line.split()
        dimensions = [LETTERS[letter] for letter in letters]
        if "sector" in dimensions and "department" not in dimensions:
            dimensions.append("department")
        metrics[name] = Metric(name, kind == "P", unit, tuple(dimensions))
    return metrics


METRICS = read()
assert len(METRICS) == 51
