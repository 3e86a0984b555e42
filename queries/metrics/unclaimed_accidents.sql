-- Grain: one row per accident in [$from, $to) with deaths or serious injuries and a policy in force
-- that day, once the days for its report are over.
with
accident as (
    select
        placed.accident_no,
        placed.unit_id,
        placed.occurred_on,
        placed.county,
        placed.sector,
        placed.dataset,
        placed.key,
        placed.batch_id,
        placed.row_no
    from placed_accident as placed
    where
        placed.occurred_on >= $from
        and placed.occurred_on < $to
        and $observed_until - placed.occurred_on >= $report_days
        and placed.was_insured
        and (placed.deaths > 0 or placed.serious_injuries > 0)
),
claim as (
    select
        placed.accident_no,
        placed.unit_id,
        local_date(placed.accident_at) as accident_on,
        local_date(placed.reported_at) as reported_on
    from placed_claim as placed
),
claimed as (
    select accident.accident_no
    from accident
    inner join claim on claim.accident_no = accident.accident_no
    where
        claim.reported_on >= accident.occurred_on
        and claim.reported_on - accident.occurred_on <= $report_days
    union
    select accident.accident_no
    from accident
    inner join claim
        on claim.unit_id = accident.unit_id
        and claim.accident_on = accident.occurred_on
    where
        claim.reported_on >= accident.occurred_on
        and claim.reported_on - accident.occurred_on <= $report_days
)
select
    accident.county,
    accident.sector,
    case when claimed.accident_no is null then 1 else 0 end as numerator,
    1 as denominator,
    accident.dataset,
    accident.key,
    accident.batch_id,
    accident.row_no
from accident
left join claimed on claimed.accident_no = accident.accident_no
