-- Grain: one row per policy incepting in [$from, $to), with the premium written and what its insurer
-- collected for it; and one per receipt of another insurer for such a policy. A receipt names a policy
-- number: its money stands at the policy's first row by unit_id.
with
policy as (
    select
        placed.policy_no,
        placed.unit_id,
        placed.premium_written,
        placed.county,
        placed.sector,
        placed.insurer,
        placed.dataset,
        placed.key,
        placed.batch_id,
        placed.row_no
    from placed_policy as placed
    where
        placed.inception >= $from
        and placed.inception < $to
),
collected as (
    select
        receipt.policy_no,
        receipt.unit_id,
        receipt.insurer,
        sum(receipt.amount) as amount
    from placed_receipt as receipt
    group by receipt.policy_no, receipt.unit_id, receipt.insurer
)
select
    policy.county,
    policy.sector,
    policy.insurer,
    collected.amount as numerator,
    policy.premium_written as denominator,
    policy.dataset,
    policy.key,
    policy.batch_id,
    policy.row_no
from policy
left join collected
    on collected.policy_no = policy.policy_no
    and collected.unit_id = policy.unit_id
    and collected.insurer = policy.insurer
union all
select
    receipt.county,
    receipt.sector,
    receipt.insurer,
    receipt.amount as numerator,
    cast(null as decimal(18, 2)) as denominator,
    receipt.dataset,
    receipt.key,
    receipt.batch_id,
    receipt.row_no
from placed_receipt as receipt
inner join policy
    on policy.policy_no = receipt.policy_no
    and policy.unit_id = receipt.unit_id
where receipt.insurer <> policy.insurer
