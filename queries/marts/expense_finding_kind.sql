-- Grain: one row per kind of finding on the ledger; `place` is its order, by which a line's first
-- violation is its bucket in the reconciliation.
select
    kind.column1 as finding,
    kind.column2 as severity,
    kind.column3 as place
from (
    values
        ('unlinked', 'violation', 1),
        ('service_not_valid', 'violation', 2),
        ('pre_accrued', 'violation', 3),
        ('no_voucher', 'violation', 4),
        ('duplicate_voucher', 'violation', 5),
        ('ineligible_category', 'violation', 6),
        ('wrong_insurer', 'violation', 7),
        ('payee_unqualified', 'violation', 8),
        ('unreconciled', 'violation', 9),
        ('over_price', 'warning', 10),
        ('wrong_year', 'warning', 11)
) as kind
