-- Grain: one row per complaint seen, with the last day for its reply: the n-th workday after the day of
-- receipt and the days of extension after that. `workdays` is n, empty where no rule gives it; the deadline
-- is empty where its workday lies beyond the observation day. A day that the calendar does not know is a
-- workday by its weekday, and the deadline counted over it `is_provisional`.
with
complaint as (
    select
        seen.complaint_no,
        seen.insurer_code,
        local_date(seen.received_at) as received_on,
        local_date(seen.replied_at) as replied_on,
        coalesce(seen.extended_days, 0) as extended_days,
        rule_value(
            case
                when seen.needs_verification then 'complaint_reply_workdays_verified'
                else 'complaint_reply_workdays'
            end,
            '000000',
            null,
            local_date(seen.received_at)
        ) as workdays,
        seen.batch_id,
        seen.row_no
    from seen.complaint as seen
),
span as (
    select unnest(generate_series(min(complaint.received_on), $observed_until, interval '1 day')) as day
    from complaint
),
counted as (
    select
        cast(span.day as date) as day,
        coalesce(calendar.is_workday, date_part('dow', span.day) between 1 and 5) as is_workday,
        calendar.is_workday is null as is_assumed
    from span
    left join calendar on calendar.day = cast(span.day as date)
),
numbered as (
    select
        counted.day,
        counted.is_workday,
        sum(case when counted.is_workday then 1 else 0 end) over (order by counted.day) as workdays,
        sum(case when counted.is_assumed then 1 else 0 end) over (order by counted.day) as assumed
    from counted
),
last_day as (
    select max(numbered.assumed) as assumed
    from numbered
)
select
    complaint.complaint_no,
    complaint.insurer_code as insurer,
    complaint.received_on,
    complaint.replied_on,
    complaint.workdays,
    cast(due.day + cast(complaint.extended_days as int) as date) as deadline,
    complaint.workdays is not null
        and coalesce(due.assumed, last_day.assumed) > received.assumed as is_provisional,
    'complaint' as dataset,
    complaint.complaint_no as key,
    complaint.batch_id,
    complaint.row_no
from complaint
inner join numbered as received on received.day = complaint.received_on
cross join last_day
left join numbered as due
    on due.is_workday
    and due.workdays = received.workdays + cast(complaint.workdays as bigint)
