-- Grain: one row per policy in force at $as_of, judged by the service norm in effect at its inception.
with
served as (
    select
        service.policy_no,
        service.unit_id,
        count(*) as services
    from policy_service as service
    where
        in_force(service.inception, service.expiry, service.cancelled_on, $as_of)
        and service.finished_on <= $as_of
    group by service.policy_no, service.unit_id
),
policy as (
    select
        placed.policy_no,
        placed.unit_id,
        placed.county,
        placed.sector,
        placed.size,
        placed.insurer,
        $as_of - placed.inception as days,
        norm_visits(placed.size, placed.county, placed.sector, placed.inception) as visits_per_year,
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
    -- Whole numbers on both sides: the division drops the fraction, which is the floor.
    case
        when coalesce(served.services, 0) >= policy.visits_per_year * policy.days / 365 then 1
        else 0
    end as numerator,
    1 as denominator,
    policy.visits_per_year is null as without_rule,
    policy.dataset,
    policy.key,
    policy.batch_id,
    policy.row_no
from policy
left join served
    on served.policy_no = policy.policy_no
    and served.unit_id = policy.unit_id
