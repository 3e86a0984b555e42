-- Grain: one row per service planned in [$from, $to) that the unit has not declined.
select
    service.county,
    service.sector,
    service.insurer,
    service.service_type,
    service.agency,
    case when service.finished_on < $to then 1 else 0 end as numerator,
    1 as denominator,
    service.dataset,
    service.key,
    service.batch_id,
    service.row_no
from placed_service as service
where
    service.planned_on >= $from
    and service.planned_on < $to
    and not service.is_declined
