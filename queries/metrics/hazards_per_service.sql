-- Grain: one row per valid service finished in [$from, $to), and one per hazard found in one of them.
-- A hazard is no case of the denominator, a service adds nothing to the numerator.
select
    service.county,
    service.sector,
    service.size,
    service.insurer,
    service.service_type,
    service.agency,
    0 as numerator,
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
    hazard.county,
    hazard.sector,
    hazard.size,
    hazard.insurer,
    hazard.service_type,
    hazard.agency,
    1 as numerator,
    cast(null as bigint) as denominator,
    hazard.dataset,
    hazard.key,
    hazard.batch_id,
    hazard.row_no
from service_hazard as hazard
where
    hazard.is_valid
    and hazard.finished_on >= $from
    and hazard.finished_on < $to
