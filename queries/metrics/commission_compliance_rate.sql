-- Grain: one row per policy incepting in [$from, $to), up to the observation day, with a commission
-- rate, judged by the cap in force at its inception.
with
policy as (
    select
        placed.county,
        placed.sector,
        placed.insurer,
        placed.commission_rate,
        rule_value('commission_cap', placed.county, placed.sector, placed.inception) as cap,
        placed.dataset,
        placed.key,
        placed.batch_id,
        placed.row_no
    from placed_policy as placed
    where
        placed.inception >= $from
        and placed.inception < $to
        and placed.inception <= $observed_until
        and placed.commission_rate is not null
)
select
    policy.county,
    policy.sector,
    policy.insurer,
    case when policy.commission_rate <= policy.cap then 1 else 0 end as numerator,
    1 as denominator,
    policy.cap is null as without_rule,
    policy.dataset,
    policy.key,
    policy.batch_id,
    policy.row_no
from policy
