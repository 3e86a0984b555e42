-- Grain: one row per ledger line seen and finding on it.
select
    line.insurer_code,
    line.line_no,
    kind.finding,
    kind.severity,
    kind.place,
    line.service_no,
    line.category,
    line.amount,
    line.booked_on,
    line.budget_year,
    line.reverses_line_no,
    line.dataset,
    line.key,
    line.batch_id,
    line.row_no
from expense_check as line
cross join expense_finding_kind as kind
where
    case kind.finding
        when 'unlinked' then line.unlinked
        when 'service_not_valid' then line.service_not_valid
        when 'pre_accrued' then line.pre_accrued
        when 'no_voucher' then line.no_voucher
        when 'duplicate_voucher' then line.duplicate_voucher
        when 'ineligible_category' then line.ineligible_category
        when 'wrong_insurer' then line.wrong_insurer
        when 'payee_unqualified' then line.payee_unqualified
        when 'unreconciled' then line.unreconciled
        when 'over_price' then line.over_price
        when 'wrong_year' then line.wrong_year
    end
