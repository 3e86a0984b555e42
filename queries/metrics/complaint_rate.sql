-- Grain: one row per complaint received in [$from, $to), and one per valid service finished in it. A
-- complaint is no case of the denominator, a service adds nothing to the numerator.
select
    complaint.insurer_code as insurer,
    1 as numerator,
    cast(null as bigint) as denominator,
    'complaint' as dataset,
    complaint.complaint_no as key,
    complaint.batch_id,
    complaint.row_no
from seen.complaint as complaint
where
    local_date(complaint.received_at) >= $from
    and local_date(complaint.received_at) < $to
union all
select
    service.insurer,
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
