-- Grain: one row per hazard seen that was found in a known service, with what both count under and the day
-- of the service. The place, sector, insurer, type and agency are the service's; the size is the hazard's.
select
    service.service_no,
    service.finished_on,
    service.is_valid,
    service.service_type,
    service.agency,
    service.county,
    service.sector,
    hazard.size,
    service.insurer,
    hazard.dataset,
    hazard.key,
    hazard.batch_id,
    hazard.row_no
from placed_hazard as hazard
inner join placed_service as service on service.service_no = hazard.service_no
