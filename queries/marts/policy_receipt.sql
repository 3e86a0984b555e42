-- Grain: one row per premium receipt seen whose policy is known, with the day on which that policy begins.
-- The money of a policy number stands at its first row by unit_id, as in placed_receipt.
select
    receipt.receipt_no,
    receipt.policy_no,
    receipt.unit_id,
    receipt.amount,
    receipt.county,
    receipt.sector,
    receipt.insurer,
    policy.insurer_code as policy_insurer,
    policy.inception,
    receipt.dataset,
    receipt.key,
    receipt.batch_id,
    receipt.row_no
from placed_receipt as receipt
inner join policy
    on policy.policy_no = receipt.policy_no
    and policy.unit_id = receipt.unit_id
