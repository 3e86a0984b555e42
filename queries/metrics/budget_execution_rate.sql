-- Grain: one row per compliant ledger line booked before $to in the year of the day before, and one
-- per budget of that year.
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
    and line.booked_on >= make_date(date_part('year', $to - 1), 1, 1)
    and line.booked_on < $to
union all
select
    budget.insurer_code as insurer,
    cast(0 as decimal(18, 2)) as numerator,
    budget.amount as denominator,
    'budget' as dataset,
    concat_ws(',', budget.insurer_code, budget.year) as key,
    budget.batch_id,
    budget.row_no
from budget
where budget.year = date_part('year', $to - 1)
