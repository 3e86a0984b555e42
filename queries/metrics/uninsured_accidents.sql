-- Grain: one row per accident in [$from, $to).
select
    accident.county,
    accident.sector,
    case when accident.was_insured then 0 else 1 end as numerator,
    1 as denominator,
    accident.dataset,
    accident.key,
    accident.batch_id,
    accident.row_no
from placed_accident as accident
where
    accident.occurred_on >= $from
    and accident.occurred_on < $to
