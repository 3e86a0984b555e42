-- Grain: one row per valid service finished in [$from, $to), and one per compliant ledger line that counts
-- for one of them, whenever it was booked. A line is no case of the denominator, a service adds nothing to
-- the numerator.
select
    service.county,
    service.sector,
    service.size,
    service.insurer,
    service.service_type,
    cast(0 as decimal(18, 2)) as numerator,
    1 as denominator,
    service.dataset,
    service.key,
    service.batch_id,
    service.row_no
from placed_service as service
where
    service.is_valid
    and service.finished_on >= $from
    and service.finished_on < $to
union all
select
    line.county,
    line.sector,
    line.size,
    line.insurer,
    line.service_type,
    line.amount as numerator,
    cast(null as bigint) as denominator,
    line.dataset,
    line.key,
    line.batch_id,
    line.row_no
from service_expense as line
where
    line.is_compliant
    and line.is_valid
    and line.finished_on >= $from
    and line.finished_on < $to
