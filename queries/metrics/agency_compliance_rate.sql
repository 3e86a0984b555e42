-- Grain: one row per service by an agency finished in [$from, $to), valid or not.
select
    service.county,
    service.sector,
    service.insurer,
    service.agency,
    case when service.agency_is_qualified then 1 else 0 end as numerator,
    1 as denominator,
    service.dataset,
    service.key,
    service.batch_id,
    service.row_no
from placed_service as service
where
    service.finished_on >= $from
    and service.finished_on < $to
    and service.provider_kind = 'agency'
