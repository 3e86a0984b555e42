-- Grain: one row per claim paid in [$from, $to), and one per premium receipt in it. A claim is no case
-- of the denominator, a receipt adds nothing to the numerator.
select
    claim.county,
    claim.sector,
    claim.insurer,
    claim.paid_amount as numerator,
    cast(null as decimal(18, 2)) as denominator,
    claim.dataset,
    claim.key,
    claim.batch_id,
    claim.row_no
from placed_claim as claim
where
    local_date(claim.paid_at) >= $from
    and local_date(claim.paid_at) < $to
union all
select
    receipt.county,
    receipt.sector,
    receipt.insurer,
    cast(0 as decimal(18, 2)) as numerator,
    receipt.amount as denominator,
    receipt.dataset,
    receipt.key,
    receipt.batch_id,
    receipt.row_no
from placed_receipt as receipt
where
    receipt.received_on >= $from
    and receipt.received_on < $to
