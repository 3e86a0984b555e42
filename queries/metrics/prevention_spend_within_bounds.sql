-- Grain: one row per insurer that has collected premium in [$from, $to), judged by the rules of the
-- deployment's province on the last day.
with
collected as (
    select
        receipt.insurer_code,
        sum(receipt.amount) as amount
    from seen.premium_receipt as receipt
    where
        receipt.received_on >= $from
        and receipt.received_on < $to
    group by receipt.insurer_code
),
spent as (
    select
        line.insurer_code,
        sum(line.amount) as amount
    from expense_check as line
    where
        line.is_compliant
        and line.booked_on >= $from
        and line.booked_on < $to
    group by line.insurer_code
),
bound as (
    select
        rule_value('prevention_spend_floor', $province, cast(null as varchar), $to - 1) as floor,
        rule_value('prevention_spend_cap', $province, cast(null as varchar), $to - 1) as cap
),
account as (
    select
        collected.insurer_code,
        coalesce(spent.amount, 0) as spent,
        bound.floor * collected.amount as least_spend,
        bound.cap * collected.amount as most_spend
    from collected
    cross join bound
    left join spent on spent.insurer_code = collected.insurer_code
    -- Refunds alone are no receipts that a share could be spent of.
    where collected.amount > 0
)
select
    account.insurer_code as insurer,
    case
        when
            (account.least_spend is null or account.spent >= account.least_spend)
            and (account.most_spend is null or account.spent <= account.most_spend)
            then 1
        else 0
    end as numerator,
    1 as denominator,
    account.least_spend is null and account.most_spend is null as without_rule,
    'insurer' as dataset,
    account.insurer_code as key,
    insurer.batch_id,
    insurer.row_no
from account
left join insurer on insurer.code = account.insurer_code
