-- Grain: one row per claim seen, with what it counts under. The place and sector are those of its
-- policy (policy_no and unit_id); the insurer is the claim's own.
select
    claim.claim_no,
    claim.policy_no,
    claim.unit_id,
    claim.accident_no,
    claim.accident_at,
    claim.reported_at,
    claim.documents_complete_at,
    claim.assessed_at,
    claim.agreed_at,
    claim.advance_paid_at,
    claim.advance_amount,
    claim.paid_at,
    claim.paid_amount,
    claim.reserve,
    claim.refused_at,
    claim.refusal_notified_at,
    claim.closed_at,
    claim.deaths,
    policy.region_code as county,
    policy.sector,
    claim.insurer_code as insurer,
    'claim' as dataset,
    claim.claim_no as key,
    claim.batch_id,
    claim.row_no
from seen.claim as claim
left join policy on policy.policy_no = claim.policy_no and policy.unit_id = claim.unit_id
