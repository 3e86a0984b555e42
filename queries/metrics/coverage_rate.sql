-- Grain: one row per roster entry standing on the roster at $as_of.
with
insured as (
    select distinct policy.unit_id
    from seen.policy as policy
    where in_force(policy.inception, policy.expiry, policy.cancelled_on, $as_of)
)
select
    entry.county,
    entry.sector,
    entry.size,
    entry.department,
    case when insured.unit_id is not null then 1 else 0 end as numerator,
    1 as denominator,
    entry.dataset,
    entry.key,
    entry.batch_id,
    entry.row_no
from placed_roster as entry
left join insured on insured.unit_id = entry.unit_id
where on_roster(entry.valid_from, entry.valid_to, $as_of)
