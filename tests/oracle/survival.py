"""Kaplan–Meier against an independent implementation, lifelines, on random censored samples.

    python survival.py ANZE DEPLOYMENT [--samples 1000] [--seed 1]

Needs `lifelines` from PyPI and a deployment with a release; its rows play no part. The samples have ties,
payments on the day of the report, payments and censoring on one day, and some that never come down to a half.
lifelines multiplies floats, so that a curve which is exactly a half (or a tenth) may stand a last digit above
it there: its curve is read with a tolerance of 1e-12, while the product's is exact. Exit code 0: all equal.
"""

import argparse
import random
import sys
import warnings
from decimal import Decimal
from pathlib import Path

from lifelines import KaplanMeierFitter
from product import Product

TOLERANCE = 1e-12
AT_ONCE = 50


def sample(chance):
    """Days and events of one to forty cases."""
    size, most = chance.choice([1, 2, 3, 5, 10, 20, 40]), chance.choice([1, 5, 30, 400])
    paid = chance.choice([0.0, 0.2, 0.5, 0.8, 1.0])
    return [(chance.randrange(most + 1), chance.random() < paid) for _ in range(size)]


def independent(cases):
    """Median, the day when nine in ten are paid, and the share within thirty days, by lifelines."""
    fitter = KaplanMeierFitter().fit([day for day, _ in cases], [event for _, event in cases])
    curve = fitter.survival_function_["KM_estimate"]

    def first(most):
        return next((int(day) for day, share in curve.items() if share <= most + TOLERANCE), None)

    return first(0.5), first(0.1), 1 - float(fitter.survival_function_at_times(30).iloc[0])


def asked(product, samples):
    """The same of every sample, by the product's aggregates."""
    rows = ", ".join(
        f"({number}, {day}, {str(event).lower()})"
        for number, cases in enumerate(samples)
        for day, event in cases
    )
    found = product.rows(
        "select sample, kaplan_meier(day, paid, '0.5') as median, kaplan_meier(day, paid, '0.1') as p90, "
        "kaplan_meier_within(day, paid, 30) as within_30 "
        f"from (values {rows}) as cases (sample, day, paid) group by sample order by sample"
    )
    return [(row["median"], row["p90"], Decimal(row["within_30"])) for row in found]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("anze", type=Path)
    parser.add_argument("deployment", type=Path)
    parser.add_argument("--samples", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    chance = random.Random(options.seed)
    samples = [sample(chance) for _ in range(options.samples)]
    product = Product(options.anze, options.deployment)
    differences = reached = 0
    for start in range(0, len(samples), AT_ONCE):
        part = samples[start : start + AT_ONCE]
        for cases, (median, p90, within) in zip(part, asked(product, part), strict=True):
            theirs = independent(cases)
            reached += median is not None
            same = (median, p90) == theirs[:2] and abs(float(within) - theirs[2]) <= TOLERANCE
            if not same:
                differences += 1
                print(f"{sorted(cases)}: {median}, {p90}, {within}; lifelines has {theirs}")
    print(f"Kaplan–Meier: {len(samples)} samples, {reached} with a median, {differences} differ from lifelines")
    sys.exit(1 if differences else 0)


if __name__ == "__main__":
    main()
