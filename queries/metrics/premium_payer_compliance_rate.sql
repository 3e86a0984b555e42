-- Grain: one row per premium receipt in [$from, $to), refunds among them.
select
    receipt.county,
    receipt.sector,
    receipt.insurer,
    case when receipt.payer_kind = 'unit' then receipt.amount end as numerator,
    receipt.amount as denominator,
    receipt.dataset,
    receipt.key,
    receipt.batch_id,
    receipt.row_no
from placed_receipt as receipt
where
    receipt.received_on >= $from
    and receipt.received_on < $to
