-- Grain: one row per hazard seen, with what it counts under. The place, sector and insurer are its
-- service's; the size is that of its own unit.
select
    hazard.hazard_no,
    hazard.service_no,
    hazard.unit_id,
    hazard.grade,
    hazard.found_at,
    local_date(hazard.found_at) as found_on,
    hazard.department_notified_at,
    hazard.due_on,
    hazard.rectified_on,
    hazard.verified_on,
    service.region_code as county,
    service.sector,
    unit.size,
    service.insurer_code as insurer,
    'hazard' as dataset,
    hazard.hazard_no as key,
    hazard.batch_id,
    hazard.row_no
from seen.hazard as hazard
left join service on service.service_no = hazard.service_no
left join unit on unit.unit_id = hazard.unit_id
