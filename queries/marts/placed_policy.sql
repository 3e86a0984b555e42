-- Grain: one row per policy and insured unit as seen, with what it counts under. The place, sector
-- and insurer are the policy's own; the size is the unit's.
select
    policy.policy_no,
    policy.unit_id,
    policy.policy_type,
    policy.inception,
    policy.expiry,
    policy.cancelled_on,
    policy.cancel_reason,
    policy.premium_written,
    policy.commission_rate,
    policy.float_factor,
    policy.death_limit_per_person,
    policy.insured_persons,
    policy.region_code as county,
    policy.sector,
    unit.size,
    policy.insurer_code as insurer,
    'policy' as dataset,
    concat_ws(',', policy.policy_no, policy.unit_id) as key,
    policy.batch_id,
    policy.row_no
from seen.policy as policy
left join unit on unit.unit_id = policy.unit_id
