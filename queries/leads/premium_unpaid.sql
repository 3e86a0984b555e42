-- Grain: one row per policy number, at its first row by unit_id, where receipts stand too.
with
written as (
    select
        placed.policy_no,
        min(placed.unit_id) as unit_id,
        sum(placed.premium_written) as amount
    from placed_policy as placed
    group by placed.policy_no
),
received as (
    select
        receipt.policy_no,
        sum(receipt.amount) as amount
    from placed_receipt as receipt
    where receipt.received_on <= $as_of
    group by receipt.policy_no
)
select
    'premium_unpaid' as kind,
    'unit' as subject_kind,
    placed.unit_id as subject_id,
    placed.county as region_code,
    placed.sector,
    placed.insurer as insurer_code,
    cast(placed.inception + cast($days as int) as date) as since,
    written.amount - coalesce(received.amount, 0) as amount,
    coalesce(received.amount, 0) as found,
    written.amount as required,
    placed.dataset,
    placed.key,
    placed.batch_id,
    placed.row_no
from written
inner join placed_policy as placed
    on placed.policy_no = written.policy_no
    and placed.unit_id = written.unit_id
left join received on received.policy_no = written.policy_no
where
    $as_of - placed.inception >= $days
    -- After a cancellation what is written is no longer what is owed.
    and (placed.cancelled_on is null or placed.cancelled_on > $as_of)
    and coalesce(received.amount, 0) < written.amount
