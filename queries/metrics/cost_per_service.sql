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
    service.county,
    service.sector,
    service.size,
    line.insurer_code as insurer,
    service.service_type,
    line.amount as numerator,
    cast(null as bigint) as denominator,
    line.dataset,
    line.key,
    line.batch_id,
    line.row_no
from expense_check as line
inner join placed_service as service on service.service_no = line.counts_for_service
where
    line.is_compliant
    and service.is_valid
    and service.finished_on >= $from
    and service.finished_on < $to
