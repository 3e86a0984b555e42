-- Grain: one row per roster entry standing at $as_of whose unit has employees and a policy in force.
with
insured as (
    select
        policy.unit_id,
        sum(policy.insured_persons) as persons
    from seen.policy as policy
    where in_force(policy.inception, policy.expiry, policy.cancelled_on, $as_of)
    group by policy.unit_id
)
select
    entry.county,
    entry.sector,
    entry.size,
    entry.department,
    least(insured.persons, entry.employees) as numerator,
    entry.employees as denominator,
    entry.dataset,
    entry.key,
    entry.batch_id,
    entry.row_no
from placed_roster as entry
inner join insured on insured.unit_id = entry.unit_id
where
    on_roster(entry.valid_from, entry.valid_to, $as_of)
    and entry.employees > 0
