-- Grain: one row per complaint received in [$from, $to). One that is neither answered nor due is no case
-- yet, but whether it is due may rest on days that the calendar does not know.
with
complaint as (
    select
        received.insurer,
        received.replied_on <= coalesce(received.deadline, received.replied_on) as in_time,
        received.replied_on is not null
            or coalesce(received.deadline < $observed_until, false) as is_case,
        received.workdays is null as without_rule,
        received.is_provisional,
        received.dataset,
        received.key,
        received.batch_id,
        received.row_no
    from complaint_deadline as received
    where
        received.received_on >= $from
        and received.received_on < $to
)
select
    complaint.insurer,
    case
        when not complaint.is_case then null
        when complaint.in_time then 1
        else 0
    end as numerator,
    case when complaint.is_case then 1 end as denominator,
    complaint.without_rule,
    complaint.is_provisional as provisional,
    complaint.dataset,
    complaint.key,
    complaint.batch_id,
    complaint.row_no
from complaint
