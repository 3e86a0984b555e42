-- Grain: one row per valid service finished in [$from, $to).
select
    service.county,
    service.sector,
    service.insurer,
    service.service_type,
    case when service.provider_kind = 'agency' then 1 else 0 end as numerator,
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
