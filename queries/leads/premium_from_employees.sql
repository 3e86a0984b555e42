-- Grain: one row per premium receipt in [$from, $to) that employees paid.
select
    'premium_from_employees' as kind,
    'unit' as subject_kind,
    coalesce(receipt.unit_id, 'unknown') as subject_id,
    receipt.county as region_code,
    receipt.sector,
    receipt.insurer as insurer_code,
    receipt.received_on as since,
    receipt.amount,
    receipt.dataset,
    receipt.key,
    receipt.batch_id,
    receipt.row_no
from placed_receipt as receipt
where
    receipt.payer_kind = 'employee'
    and receipt.received_on >= $from
    and receipt.received_on < $to
