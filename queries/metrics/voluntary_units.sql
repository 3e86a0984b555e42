-- Grain: one row per unit with a policy in force at $as_of. A unit that only its policies name is
-- shown by the first of them.
with
insured as (
    select
        policy.unit_id,
        min(policy.policy_no) as policy_no
    from seen.policy as policy
    where in_force(policy.inception, policy.expiry, policy.cancelled_on, $as_of)
    group by policy.unit_id
),
listed as (
    select distinct entry.unit_id
    from roster as entry
    where on_roster(entry.valid_from, entry.valid_to, $as_of)
)
select
    unit.county,
    unit.sector,
    unit.size,
    case when listed.unit_id is null then 1 else 0 end as numerator,
    1 as denominator,
    coalesce(unit.dataset, policy.dataset) as dataset,
    coalesce(unit.key, policy.key) as key,
    coalesce(unit.batch_id, policy.batch_id) as batch_id,
    coalesce(unit.row_no, policy.row_no) as row_no
from insured
left join listed on listed.unit_id = insured.unit_id
left join placed_unit as unit on unit.unit_id = insured.unit_id
left join placed_policy as policy
    on policy.policy_no = insured.policy_no
    and policy.unit_id = insured.unit_id
