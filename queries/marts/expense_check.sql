-- Grain: one row per ledger line seen, with every finding as a column: its own (expense_own), or, where it
-- takes another line back, those of that line (expense_reversal).
with
line as (
    select
        own.insurer_code,
        own.line_no,
        own.service_no,
        own.service_no as counts_for_service,
        own.category,
        own.amount,
        own.booked_on,
        own.paid_on,
        own.budget_year,
        own.reverses_line_no,
        own.unlinked,
        own.service_not_valid,
        own.pre_accrued,
        own.no_voucher,
        own.duplicate_voucher,
        own.ineligible_category,
        own.wrong_insurer,
        own.payee_unqualified,
        false as unreconciled,
        own.over_price,
        own.wrong_year,
        own.batch_id,
        own.row_no
    from expense_own as own
    where own.reverses_line_no is null
    union all
    select
        reversal.insurer_code,
        reversal.line_no,
        reversal.service_no,
        reversal.counts_for_service,
        reversal.category,
        reversal.amount,
        reversal.booked_on,
        reversal.paid_on,
        reversal.budget_year,
        reversal.reverses_line_no,
        reversal.unlinked,
        reversal.service_not_valid,
        reversal.pre_accrued,
        reversal.no_voucher,
        reversal.duplicate_voucher,
        reversal.ineligible_category,
        reversal.wrong_insurer,
        reversal.payee_unqualified,
        reversal.unreconciled,
        reversal.over_price,
        reversal.wrong_year,
        reversal.batch_id,
        reversal.row_no
    from expense_reversal as reversal
)
select
    line.insurer_code,
    line.line_no,
    line.service_no,
    line.counts_for_service,
    line.category,
    line.amount,
    line.booked_on,
    line.paid_on,
    line.budget_year,
    line.reverses_line_no,
    line.unlinked,
    line.service_not_valid,
    line.pre_accrued,
    line.no_voucher,
    line.duplicate_voucher,
    line.ineligible_category,
    line.wrong_insurer,
    line.payee_unqualified,
    line.unreconciled,
    line.over_price,
    line.wrong_year,
    -- Compliant: no finding of severity `violation` (expense_finding_kind).
    not (
        line.unlinked
        or line.service_not_valid
        or line.pre_accrued
        or line.no_voucher
        or line.duplicate_voucher
        or line.ineligible_category
        or line.wrong_insurer
        or line.payee_unqualified
        or line.unreconciled
    ) as is_compliant,
    'expense' as dataset,
    concat_ws(',', line.line_no, line.insurer_code) as key,
    line.batch_id,
    line.row_no
from line
