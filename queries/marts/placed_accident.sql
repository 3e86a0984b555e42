-- Grain: one row per accident seen, with what it counts under and whether its unit was insured that
-- day. The place and sector are the accident's own.
with
accident as (
    select
        accident.accident_no,
        accident.unit_id,
        local_date(accident.occurred_at) as occurred_on,
        accident.deaths,
        accident.serious_injuries,
        accident.region_code,
        accident.sector,
        accident.batch_id,
        accident.row_no
    from seen.accident as accident
),
insured as (
    select distinct accident.accident_no
    from accident
    inner join seen.policy as policy on policy.unit_id = accident.unit_id
    where in_force(policy.inception, policy.expiry, policy.cancelled_on, accident.occurred_on)
)
select
    accident.accident_no,
    accident.unit_id,
    accident.occurred_on,
    accident.deaths,
    accident.serious_injuries,
    insured.accident_no is not null as was_insured,
    accident.region_code as county,
    accident.sector,
    'accident' as dataset,
    accident.accident_no as key,
    accident.batch_id,
    accident.row_no
from accident
left join insured on insured.accident_no = accident.accident_no
