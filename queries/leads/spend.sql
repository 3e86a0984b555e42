-- Grain: one row per insurer outside the bounds of prevention_spend_within_bounds, from 1 January of the
-- year of $as_of to that day. The sums are those of prevention_spend_ratio.
with
outside as (
    select
        missed.insurer,
        missed.dataset,
        missed.key,
        missed.batch_id,
        missed.row_no
    from metric.prevention_spend_within_bounds as missed
    where
        missed.numerator = 0
        and not missed.without_rule
),
summed as (
    select
        share.insurer,
        coalesce(sum(share.numerator), 0) as spent,
        sum(share.denominator) as collected
    from metric.prevention_spend_ratio as share
    group by share.insurer
),
least_and_most as (
    select
        rule_value('prevention_spend_floor', $province, cast(null as varchar), $as_of) as floor,
        rule_value('prevention_spend_cap', $province, cast(null as varchar), $as_of) as cap
),
measured as (
    select
        outside.insurer,
        summed.spent,
        least_and_most.floor * summed.collected as floor_amount,
        least_and_most.cap * summed.collected as cap_amount,
        outside.dataset,
        outside.key,
        outside.batch_id,
        outside.row_no
    from outside
    inner join summed on summed.insurer = outside.insurer
    cross join least_and_most
)
select
    case when measured.spent > measured.cap_amount then 'spend_above_cap' else 'spend_below_floor' end as kind,
    'insurer' as subject_kind,
    measured.insurer as subject_id,
    measured.insurer as insurer_code,
    $from as since,
    round(
        case
            when measured.spent > measured.cap_amount then measured.spent - measured.cap_amount
            else measured.floor_amount - measured.spent
        end, 2
    ) as amount,
    measured.spent as found,
    case
        when measured.spent > measured.cap_amount then measured.cap_amount
        else measured.floor_amount
    end as required,
    cast(date_part('year', $as_of) as varchar) as occasion,
    measured.dataset,
    measured.key,
    measured.batch_id,
    measured.row_no
from measured
