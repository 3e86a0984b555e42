-- Grain: one row per policy in force at $as_of.
with
served as (
    select distinct
        service.policy_no,
        service.unit_id
    from policy_service as service
    where
        in_force(service.inception, service.expiry, service.cancelled_on, $as_of)
        and service.finished_on <= $as_of
)
select
    policy.county,
    policy.sector,
    policy.size,
    policy.insurer,
    case when served.policy_no is not null then 1 else 0 end as numerator,
    1 as denominator,
    policy.dataset,
    policy.key,
    policy.batch_id,
    policy.row_no
from placed_policy as policy
left join served
    on served.policy_no = policy.policy_no
    and served.unit_id = policy.unit_id
where in_force(policy.inception, policy.expiry, policy.cancelled_on, $as_of)
