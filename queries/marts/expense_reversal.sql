-- Grain: one row per ledger line seen that takes another back. It has exactly the findings of the line at the
-- end of its chain (expense_root), or its own where it has no original, plus `unreconciled`, so that it takes
-- back what that line counted, and from the service for which that line counted (`counts_for_service`).
with
reversal as (
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
        line.row_no
    from expense_own as line
    where line.reverses_line_no is not null
),
taken_back as (
    select
        reversal.insurer_code,
        reversal.reverses_line_no,
        sum(reversal.amount) as amount
    from reversal
    group by reversal.insurer_code, reversal.reverses_line_no
),
judged as (
    select
        reversal.insurer_code,
        reversal.line_no,
        reversal.service_no,
        reversal.category,
        reversal.amount,
        reversal.booked_on,
        reversal.paid_on,
        reversal.budget_year,
        reversal.reverses_line_no,
        reversal.batch_id,
        reversal.row_no,
        original.line_no is null
            or original.reverses_line_no is not null
            or abs(taken_back.amount) > abs(original.amount) as unreconciled,
        case when original.line_no is null then reversal.line_no else root.root_no end as judged_as
    from reversal
    inner join taken_back
        on taken_back.insurer_code = reversal.insurer_code
        and taken_back.reverses_line_no = reversal.reverses_line_no
    left join expense_own as original
        on original.insurer_code = reversal.insurer_code
        and original.line_no = reversal.reverses_line_no
    left join expense_root as root
        on root.insurer_code = reversal.insurer_code
        and root.line_no = reversal.line_no
)
select
    judged.insurer_code,
    judged.line_no,
    judged.service_no,
    own.service_no as counts_for_service,
    judged.category,
    judged.amount,
    judged.booked_on,
    judged.paid_on,
    judged.budget_year,
    judged.reverses_line_no,
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
    coalesce(own.wrong_year, false) as wrong_year,
    judged.batch_id,
    judged.row_no
from judged
left join expense_own as own
    on own.insurer_code = judged.insurer_code
    and own.line_no = judged.judged_as
