-- Grain: one row per valid service of a known policy (policy_no and unit_id) that finished on the day of
-- its inception or later, with the policy's term.
select
    policy.policy_no,
    policy.unit_id,
    policy.inception,
    policy.expiry,
    policy.cancelled_on,
    service.service_no,
    service.finished_on
from seen.policy as policy
inner join placed_service as service
    on service.policy_no = policy.policy_no
    and service.unit_id = policy.unit_id
where
    service.is_valid
    and service.finished_on >= policy.inception
