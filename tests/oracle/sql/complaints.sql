-- Complaints about insurers.

create or replace macro complaint_rate(since, before) as table
select insurer, 1 as numerator, null::integer as denominator, false as without_rule
from seen_complaint
where received_on >= since and received_on < before
union all
select insurer, 0, 1, false
from finished_services(since, before)
where valid;

create or replace macro complaint_reply_rate(since, before) as table
with ruled as (
    select
        c.*,
        rule_at(
            case when c.needs_verification then 'complaint_reply_workdays_verified' else 'complaint_reply_workdays' end,
            '000000', null, c.received_on
        ) as workdays
    from seen_complaint as c
    where c.received_on >= since and c.received_on < before
),
numbered as (
    select
        r.*,
        (select count(*) from workday as w where w.day <= r.received_on) + cast(r.workdays as bigint) as due_number
    from ruled as r
),
judged as (
    select n.*, w.day + cast(n.extended_days as integer) as due_on
    from numbered as n
    left join workday as w on w.number = n.due_number
)
select
    insurer,
    case when due_on is not null then cast(coalesce(replied_on <= due_on, false) as integer) end as numerator,
    case when due_on is not null then 1 end as denominator,
    due_on is null as without_rule
from judged
where due_on is null or replied_on is not null or due_on < o();
