-- Grain: one row per policy in force at $as_of, judged by the rule in force at its inception.
with
policy as (
    select
        placed.county,
        placed.sector,
        placed.size,
        placed.insurer,
        placed.death_limit_per_person as death_limit,
        rule_value('min_death_limit', placed.county, placed.sector, placed.inception) as least_limit,
        placed.dataset,
        placed.key,
        placed.batch_id,
        placed.row_no
    from placed_policy as placed
    where in_force(placed.inception, placed.expiry, placed.cancelled_on, $as_of)
)
select
    policy.county,
    policy.sector,
    policy.size,
    policy.insurer,
    -- A policy without a limit does not meet it.
    case when policy.death_limit >= policy.least_limit then 1 else 0 end as numerator,
    1 as denominator,
    policy.least_limit is null as without_rule,
    policy.dataset,
    policy.key,
    policy.batch_id,
    policy.row_no
from policy
