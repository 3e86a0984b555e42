-- Claims and what they cost.

-- Also days and paid: the value is worked out from them outside.
create or replace macro claim_settlement_days(since, before) as table
select
    county, sector, insurer, department,
    cast(paid_on is not null as integer) as numerator, 1 as denominator, false as without_rule,
    coalesce(paid_on, o()) - reported_on as days, paid_on is not null as paid
from seen_claim
where reported_on >= since and reported_on < before and refused_on is null;

create or replace macro claim_statutory_rate(since, before) as table
with clocked as (
    select
        c.*,
        documents_on is not null as assess_runs,
        agreed_on is not null and paid_on is not null as pay_runs,
        refused_on is not null as refuse_runs,
        rule_at('claim_assess_days', c.county, c.sector, c.documents_on) as assess_days,
        rule_at('claim_pay_days', c.county, c.sector, c.agreed_on) as pay_days,
        rule_at('claim_refuse_days', c.county, c.sector, c.refused_on) as refuse_days
    from seen_claim as c
    where
        coalesce(c.paid_on >= since and c.paid_on < before, false)
        or coalesce(c.refused_on >= since and c.refused_on < before, false)
),
judged as (
    select
        *,
        (assess_runs and assess_days is not null) or (pay_runs and pay_days is not null)
        or (refuse_runs and refuse_days is not null) as applies,
        -- A clock that does not run or has no rule is no obstacle.
        (not assess_runs or assess_days is null or coalesce(assessed_on - documents_on <= assess_days, false))
        and (not pay_runs or pay_days is null or paid_on - agreed_on <= pay_days)
        and (not refuse_runs or refuse_days is null or coalesce(refusal_notified_on - refused_on <= refuse_days, false))
            as kept
    from clocked
    where assess_runs or pay_runs or refuse_runs
)
select
    county, sector, insurer, department,
    case when applies then cast(kept as integer) end as numerator,
    case when applies then 1 end as denominator,
    not applies as without_rule
from judged;

create or replace macro claim_advance_rate(since, before) as table
with judged as (
    select c.*, rule_at('claim_advance_days', c.county, c.sector, c.reported_on) as days
    from seen_claim as c
    where c.deaths > 0 and c.reported_on >= since and c.reported_on < before and c.refused_on is null
)
select
    county, sector, insurer, department,
    case when days is not null then cast(coalesce(
        advance_paid_on - reported_on <= days and coalesce(advance_paid_on <= paid_on, true), false
    ) as integer) end as numerator,
    case when days is not null then 1 end as denominator,
    days is null as without_rule
from judged
where
    days is null
    or advance_paid_on is not null
    or (coalesce(paid_on - reported_on > days, true) and o() - reported_on >= days);

create or replace macro claim_closure_rate(since, before) as table
select
    county, sector, insurer, department,
    cast(closed_on is not null as integer) as numerator, 1 as denominator, false as without_rule
from seen_claim
where reported_on >= since and reported_on < before;

create or replace macro loss_ratio(since, before) as table
select
    county, sector, insurer, department,
    coalesce(paid_amount, 0.00) as numerator, null::decimal(18,2) as denominator, false as without_rule
from seen_claim
where paid_on >= since and paid_on < before
union all
select county, sector, insurer, department, 0.00, amount, false
from seen_receipt
where received_on >= since and received_on < before;

create or replace macro accident_period_loss_ratio(since, before) as table
with earning as (
    select
        *,
        least(term_end, before, cast(o() + 1 as date)) - greatest(inception, since) as earned_days,
        expiry - inception as all_days
    from seen_policy
)
select
    county, sector, insurer, department,
    coalesce(paid_amount, advance_amount, 0.00) + coalesce(reserve, 0.00) as numerator,
    null::decimal(38,2) as denominator, false as without_rule
from seen_claim
where accident_on >= since and accident_on < before
union all
select
    county, sector, insurer, department, 0.00,
    hundredths(rounded_quotient(cast(premium_written * 100 as hugeint) * earned_days, all_days)), false
from earning
where earned_days > 0;
