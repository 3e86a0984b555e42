-- Grain: one row per service, with what it counts under, whether it is valid (finished and confirmed by
-- both sides, as seen) and whether its record is complete. Its day is the day it finished.
select
    service.service_no,
    service.policy_no,
    service.unit_id,
    service.service_type,
    service.provider_kind,
    service.attendees,
    service.satisfaction,
    service.planned_on,
    service.declined_on is not null as is_declined,
    local_date(service.finished_at) as finished_on,
    service.finished_at is not null
        and service.unit_confirmed_at is not null
        and service.insurer_confirmed_at is not null as is_valid,
    service.place is not null
        and service.lead_expert is not null
        and service.items is not null
        and service.measures is not null
        and service.record_uri is not null
        and service.unit_confirmed_at is not null
        and service.insurer_confirmed_at is not null as is_recorded,
    qualified(agency.qualification, agency.valid_from, agency.valid_to, local_date(service.finished_at))
        as agency_is_qualified,
    service.region_code as county,
    service.sector,
    unit.size,
    service.insurer_code as insurer,
    case when service.provider_kind = 'agency' then service.agency_uscc end as agency,
    'service' as dataset,
    service.service_no as key,
    service.batch_id,
    service.row_no
from seen.service as service
left join unit on unit.unit_id = service.unit_id
left join agency on agency.uscc = service.agency_uscc and service.provider_kind = 'agency'
