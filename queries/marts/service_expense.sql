-- Grain: one row per ledger line seen that counts for a known service, with what it counts under and the
-- day of the service. The insurer is the line's, all else the service's.
select
    service.service_no,
    service.finished_on,
    service.is_valid,
    service.service_type,
    service.county,
    service.sector,
    service.size,
    line.insurer_code as insurer,
    line.is_compliant,
    line.amount,
    line.dataset,
    line.key,
    line.batch_id,
    line.row_no
from expense_check as line
inner join placed_service as service on service.service_no = line.counts_for_service
