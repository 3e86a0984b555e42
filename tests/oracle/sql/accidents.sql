-- Accidents, by place and sector of their own.

-- Average entries are rounded one by one, so that they add up over any dimension.
create or replace macro accident_rate(since, before) as table
with span as (
    select least(before, cast(o() + 1 as date)) - since as days
),
entries as (
    select
        r.county, r.sector, r.department,
        least(r.valid_to, before, cast(o() + 1 as date)) - greatest(r.valid_from, since) as entry_days
    from roster_entry as r
)
select
    county, sector, department, 1 as numerator, null::decimal(38,6) as denominator, false as without_rule
from seen_accident
where occurred_on >= since and occurred_on < before
union all
select e.county, e.sector, e.department, 0, millionths(rounded_quotient(e.entry_days * 1000000, s.days)), false
from entries as e
cross join span as s
where e.entry_days > 0;

create or replace macro uninsured_accidents(since, before) as table
select
    a.county, a.sector, a.department,
    cast(not exists (
        from seen_policy as p
        where p.unit_id = a.unit_id and p.inception <= a.occurred_on and a.occurred_on < p.term_end
    ) as integer) as numerator,
    1 as denominator, false as without_rule
from seen_accident as a
where a.occurred_on >= since and a.occurred_on < before;

create or replace macro unclaimed_accidents(since, before, report_days := 30) as table
select
    a.county, a.sector, a.department,
    cast(not exists (
        from seen_claim as c
        where
            (c.accident_no = a.accident_no or (c.unit_id = a.unit_id and c.accident_on = a.occurred_on))
            and c.reported_on >= a.occurred_on and c.reported_on <= a.occurred_on + report_days
    ) as integer) as numerator,
    1 as denominator, false as without_rule
from seen_accident as a
where
    a.occurred_on >= since and a.occurred_on < before
    and (a.deaths > 0 or a.serious_injuries > 0)
    and a.occurred_on + report_days <= o()
    and exists (
        from seen_policy as p
        where p.unit_id = a.unit_id and p.inception <= a.occurred_on and a.occurred_on < p.term_end
    );
