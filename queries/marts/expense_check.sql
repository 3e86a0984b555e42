-- Grain: one row per ledger line seen, with every finding as a column. A reversal has exactly the
-- findings of its original, plus `unreconciled`, so that it takes back what that line counted, and from
-- the service for which that line counted (`counts_for_service`).
with
line as (
    select
        expense.insurer_code,
        expense.line_no,
        expense.service_no,
        expense.category,
        expense.amount,
        expense.booked_on,
        expense.paid_on,
        expense.budget_year,
        expense.reverses_line_no,
        expense.batch_id,
        expense.row_no
    from seen.expense as expense
),
taken_back as (
    select
        line.insurer_code,
        line.reverses_line_no,
        sum(line.amount) as amount
    from line
    where line.reverses_line_no is not null
    group by line.insurer_code, line.reverses_line_no
),
judged as (
    select
        line.insurer_code,
        line.line_no,
        line.service_no,
        line.category,
        line.amount,
        line.booked_on,
        line.paid_on,
        line.budget_year,
        line.reverses_line_no,
        line.batch_id,
        line.row_no,
        line.reverses_line_no is not null and (
            original.line_no is null
            or original.reverses_line_no is not null
            or abs(taken_back.amount) > abs(original.amount)
        ) as unreconciled,
        case when original.line_no is null then line.line_no else root.root_no end as judged_as
    from line
    left join line as original
        on original.insurer_code = line.insurer_code
        and original.line_no = line.reverses_line_no
    left join taken_back
        on taken_back.insurer_code = line.insurer_code
        and taken_back.reverses_line_no = line.reverses_line_no
    left join expense_root as root
        on root.insurer_code = line.insurer_code
        and root.line_no = line.line_no
),
found as (
    select
        judged.insurer_code,
        judged.line_no,
        judged.service_no,
        judged.category,
        judged.amount,
        judged.booked_on,
        judged.paid_on,
        judged.budget_year,
        judged.reverses_line_no,
        judged.batch_id,
        judged.row_no,
        own.service_no as counts_for_service,
        coalesce(own.unlinked, false) as unlinked,
        coalesce(own.service_not_valid, false) as service_not_valid,
        coalesce(own.pre_accrued, false) as pre_accrued,
        coalesce(own.no_voucher, false) as no_voucher,
        coalesce(own.duplicate_voucher, false) as duplicate_voucher,
        coalesce(own.ineligible_category, false) as ineligible_category,
        coalesce(own.wrong_insurer, false) as wrong_insurer,
        coalesce(own.payee_unqualified, false) as payee_unqualified,
        judged.unreconciled,
        coalesce(own.over_price, false) as over_price,
        coalesce(own.wrong_year, false) as wrong_year
    from judged
    left join expense_own as own
        on own.insurer_code = judged.insurer_code
        and own.line_no = judged.judged_as
)
select
    found.insurer_code,
    found.line_no,
    found.service_no,
    found.counts_for_service,
    found.category,
    found.amount,
    found.booked_on,
    found.paid_on,
    found.budget_year,
    found.reverses_line_no,
    found.unlinked,
    found.service_not_valid,
    found.pre_accrued,
    found.no_voucher,
    found.duplicate_voucher,
    found.ineligible_category,
    found.wrong_insurer,
    found.payee_unqualified,
    found.unreconciled,
    found.over_price,
    found.wrong_year,
    -- Compliant: no finding of severity `violation` (expense_finding_kind).
    not (
        found.unlinked
        or found.service_not_valid
        or found.pre_accrued
        or found.no_voucher
        or found.duplicate_voucher
        or found.ineligible_category
        or found.wrong_insurer
        or found.payee_unqualified
        or found.unreconciled
    ) as is_compliant,
    'expense' as dataset,
    concat_ws(',', found.line_no, found.insurer_code) as key,
    found.batch_id,
    found.row_no
from found
