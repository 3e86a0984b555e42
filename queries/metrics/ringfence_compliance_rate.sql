-- Grain: one row per ledger line booked in [$from, $to), reversals among them.
select
    line.insurer_code as insurer,
    case when line.is_compliant then line.amount end as numerator,
    line.amount as denominator,
    line.dataset,
    line.key,
    line.batch_id,
    line.row_no
from expense_check as line
where
    line.booked_on >= $from
    and line.booked_on < $to
