-- Grain: one row per service finished in [$from, $to), valid or not.
select
    service.county,
    service.sector,
    service.insurer,
    service.service_type,
    service.agency,
    case when service.is_recorded then 1 else 0 end as numerator,
    1 as denominator,
    service.dataset,
    service.key,
    service.batch_id,
    service.row_no
from placed_service as service
where
    service.finished_on >= $from
    and service.finished_on < $to
