-- Grain: one row per compliant ledger line booked in [$from, $to), and one per premium receipt in it.
-- A ledger line is no case of the denominator, a receipt adds nothing to the numerator.
select
    line.insurer_code as insurer,
    line.amount as numerator,
    cast(null as decimal(18, 2)) as denominator,
    line.dataset,
    line.key,
    line.batch_id,
    line.row_no
from expense_check as line
where
    line.is_compliant
    and line.booked_on >= $from
    and line.booked_on < $to
union all
select
    receipt.insurer_code as insurer,
    cast(0 as decimal(18, 2)) as numerator,
    receipt.amount as denominator,
    'premium_receipt' as dataset,
    receipt.receipt_no as key,
    receipt.batch_id,
    receipt.row_no
from seen.premium_receipt as receipt
where
    receipt.received_on >= $from
    and receipt.received_on < $to
