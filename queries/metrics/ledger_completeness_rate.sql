-- Grain: one row per ledger line booked in [$from, $to) that is no reversal.
select
    line.insurer_code as insurer,
    case
        when
            line.service_no is not null
            and line.voucher_no is not null
            and line.payee_uscc is not null
            and eligible_category(line.category)
            then 1
        else 0
    end as numerator,
    1 as denominator,
    'expense' as dataset,
    concat_ws(',', line.line_no, line.insurer_code) as key,
    line.batch_id,
    line.row_no
from seen.expense as line
where
    line.booked_on >= $from
    and line.booked_on < $to
    and line.reverses_line_no is null
