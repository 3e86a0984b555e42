-- Grain: one row per policy in force at $as_of with a death limit.
select
    policy.county,
    policy.sector,
    policy.size,
    policy.insurer,
    policy.death_limit_per_person * policy.insured_persons as numerator,
    policy.insured_persons as denominator,
    policy.dataset,
    policy.key,
    policy.batch_id,
    policy.row_no
from placed_policy as policy
where
    in_force(policy.inception, policy.expiry, policy.cancelled_on, $as_of)
    and policy.death_limit_per_person is not null
