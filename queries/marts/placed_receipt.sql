-- Grain: one row per premium receipt seen, with what it counts under. The place and sector are those
-- of its policy's first row by unit_id; the insurer is the receipt's own.
with
first_row as (
    select
        policy.policy_no,
        min(policy.unit_id) as unit_id
    from policy
    group by policy.policy_no
)
select
    receipt.receipt_no,
    receipt.policy_no,
    policy.unit_id,
    receipt.amount,
    receipt.received_on,
    receipt.payer_kind,
    policy.region_code as county,
    policy.sector,
    receipt.insurer_code as insurer,
    'premium_receipt' as dataset,
    receipt.receipt_no as key,
    receipt.batch_id,
    receipt.row_no
from seen.premium_receipt as receipt
left join first_row on first_row.policy_no = receipt.policy_no
left join policy
    on policy.policy_no = first_row.policy_no
    and policy.unit_id = first_row.unit_id
