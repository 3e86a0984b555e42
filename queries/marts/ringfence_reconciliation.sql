-- Grain: one row per insurer and calendar year with receipts, ledger lines (by the day of booking) or a
-- budget. Money side: what was collected, what the rules of the province make of it on the year's last day
-- or the observation day, whichever is first, and the budget. Ledger side: booked = compliant + one bucket
-- for each violation, a line counting under its first one = paid + unpaid. `booked` is summed apart from
-- the buckets, so that a line lost or doubled between them shows as `unbalanced`.
with
line as (
    select
        checked.insurer_code,
        cast(date_part('year', checked.booked_on) as bigint) as year,
        checked.amount,
        checked.paid_on is not null as is_paid,
        -- The order of expense_finding_kind.
        case
            when checked.is_compliant then 'compliant'
            when checked.unlinked then 'unlinked'
            when checked.service_not_valid then 'service_not_valid'
            when checked.pre_accrued then 'pre_accrued'
            when checked.no_voucher then 'no_voucher'
            when checked.duplicate_voucher then 'duplicate_voucher'
            when checked.ineligible_category then 'ineligible_category'
            when checked.wrong_insurer then 'wrong_insurer'
            when checked.payee_unqualified then 'payee_unqualified'
            when checked.unreconciled then 'unreconciled'
        end as bucket
    from expense_check as checked
),
sorted as (
    select
        line.insurer_code,
        line.year,
        sum(case when line.bucket = 'compliant' then line.amount else 0 end) as compliant,
        sum(case when line.bucket = 'unlinked' then line.amount else 0 end) as unlinked,
        sum(case when line.bucket = 'service_not_valid' then line.amount else 0 end) as service_not_valid,
        sum(case when line.bucket = 'pre_accrued' then line.amount else 0 end) as pre_accrued,
        sum(case when line.bucket = 'no_voucher' then line.amount else 0 end) as no_voucher,
        sum(case when line.bucket = 'duplicate_voucher' then line.amount else 0 end) as duplicate_voucher,
        sum(case when line.bucket = 'ineligible_category' then line.amount else 0 end) as ineligible_category,
        sum(case when line.bucket = 'wrong_insurer' then line.amount else 0 end) as wrong_insurer,
        sum(case when line.bucket = 'payee_unqualified' then line.amount else 0 end) as payee_unqualified,
        sum(case when line.bucket = 'unreconciled' then line.amount else 0 end) as unreconciled,
        sum(case when line.is_paid then line.amount else 0 end) as paid,
        sum(case when not line.is_paid then line.amount else 0 end) as unpaid
    from line
    group by line.insurer_code, line.year
),
booked as (
    select
        expense.insurer_code,
        cast(date_part('year', expense.booked_on) as bigint) as year,
        sum(expense.amount) as amount
    from seen.expense as expense
    group by expense.insurer_code, cast(date_part('year', expense.booked_on) as bigint)
),
collected as (
    select
        receipt.insurer_code,
        cast(date_part('year', receipt.received_on) as bigint) as year,
        sum(receipt.amount) as amount
    from seen.premium_receipt as receipt
    group by receipt.insurer_code, cast(date_part('year', receipt.received_on) as bigint)
),
account as (
    select booked.insurer_code, booked.year
    from booked
    union
    select collected.insurer_code, collected.year
    from collected
    union
    select budget.insurer_code, budget.year
    from budget
),
-- One row for each year: few look-ups of the rules.
bound as (
    select
        of_year.year,
        rule_value('prevention_spend_floor', $province, cast(null as varchar), of_year.day) as floor,
        rule_value('prevention_spend_cap', $province, cast(null as varchar), of_year.day) as cap
    from (
        select distinct
            account.year,
            least(make_date(account.year, 12, 31), $observed_until) as day
        from account
    ) as of_year
),
reconciled as (
    select
        account.insurer_code,
        account.year,
        coalesce(collected.amount, 0) as collected,
        bound.floor * coalesce(collected.amount, 0) as floor_amount,
        bound.cap * coalesce(collected.amount, 0) as cap_amount,
        budget.amount as budget,
        coalesce(booked.amount, 0) as booked,
        coalesce(sorted.compliant, 0) as compliant,
        coalesce(sorted.unlinked, 0) as unlinked,
        coalesce(sorted.service_not_valid, 0) as service_not_valid,
        coalesce(sorted.pre_accrued, 0) as pre_accrued,
        coalesce(sorted.no_voucher, 0) as no_voucher,
        coalesce(sorted.duplicate_voucher, 0) as duplicate_voucher,
        coalesce(sorted.ineligible_category, 0) as ineligible_category,
        coalesce(sorted.wrong_insurer, 0) as wrong_insurer,
        coalesce(sorted.payee_unqualified, 0) as payee_unqualified,
        coalesce(sorted.unreconciled, 0) as unreconciled,
        coalesce(sorted.paid, 0) as paid,
        coalesce(sorted.unpaid, 0) as unpaid,
        budget.reported_spend
    from account
    inner join bound on bound.year = account.year
    left join collected on collected.insurer_code = account.insurer_code and collected.year = account.year
    left join booked on booked.insurer_code = account.insurer_code and booked.year = account.year
    left join sorted on sorted.insurer_code = account.insurer_code and sorted.year = account.year
    left join budget on budget.insurer_code = account.insurer_code and budget.year = account.year
)
select
    account.insurer_code,
    account.year,
    account.collected,
    account.floor_amount,
    account.cap_amount,
    account.budget,
    account.booked,
    account.compliant,
    account.unlinked,
    account.service_not_valid,
    account.pre_accrued,
    account.no_voucher,
    account.duplicate_voucher,
    account.ineligible_category,
    account.wrong_insurer,
    account.payee_unqualified,
    account.unreconciled,
    account.paid,
    account.unpaid,
    account.reported_spend,
    account.reported_spend - account.booked as difference,
    case
        when
            account.booked = account.compliant + account.unlinked + account.service_not_valid
                + account.pre_accrued + account.no_voucher + account.duplicate_voucher
                + account.ineligible_category + account.wrong_insurer + account.payee_unqualified
                + account.unreconciled
            and account.booked = account.paid + account.unpaid
            then 'balanced'
        else 'unbalanced'
    end as state
from reconciled as account
