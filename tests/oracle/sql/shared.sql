-- The shared terms of metrics.md, for DuckDB. Instants are naive and in UTC.
-- The observation day is the session variable `o`; `observed.sql` makes the tables seen from it.

create or replace macro o() as getvariable('o');

create or replace macro shanghai_day(instant) as cast(instant + interval 8 hour as date);

create or replace macro known(event_day) as case when event_day <= o() then event_day end;

-- A whole number of parts of a unit, as an exact decimal. Division would go through floats.
create or replace macro hundredths(whole) as
    cast(concat(whole // 100, '.', lpad(cast(whole % 100 as varchar), 2, '0')) as decimal(38,2));
create or replace macro millionths(whole) as
    cast(concat(whole // 1000000, '.', lpad(cast(whole % 1000000 as varchar), 6, '0')) as decimal(38,6));

-- A quotient of whole numbers, rounded to a whole one, half away from zero. Both are positive or zero.
create or replace macro rounded_quotient(above, below) as
    (2 * cast(above as hugeint) + below) // (2 * cast(below as hugeint));

create or replace macro region_rank(theirs, place) as case theirs
    when place then 3
    when place[1:4] || '00' then 2
    when place[1:2] || '0000' then 1
    when '000000' then 0
end;

-- rule(id, region, sector, day): the rank orders region before sector before start.
create or replace macro rule_row(id, place, branch, start_day) as (
    select arg_max({'value': r.value, 'unit': r.unit}, {
        'region': region_rank(r.region_code, place),
        'sector': case when coalesce(r.sector, '') = '' then 0 else 1 end,
        'start': r.effective_from
    })
    from rule as r
    where
        r.rule_id = id
        and r.effective_from <= start_day
        and start_day <= coalesce(r.effective_to, date '9999-12-31')
        and (coalesce(r.sector, '') = '' or r.sector = branch)
        and region_rank(r.region_code, place) is not null
);
create or replace macro rule_at(id, place, branch, start_day) as rule_row(id, place, branch, start_day).value;

-- The same for service_norm. An empty region is the nation, and gives way to a written 000000.
create or replace macro visits_due_at(place, branch, unit_size, start_day) as (
    select arg_max(n.visits_per_year, {
        'region': region_rank(coalesce(nullif(n.region_code, ''), '000000'), place),
        'start': n.effective_from,
        'written': coalesce(n.region_code, '')
    })
    from service_norm as n
    where
        n.sector = branch
        and n.size = unit_size
        and n.effective_from <= start_day
        and start_day <= coalesce(n.effective_to, date '9999-12-31')
        and region_rank(coalesce(nullif(n.region_code, ''), '000000'), place) is not null
);

-- Days from long before the first record to long after the last.
create or replace table axis as
select cast(day as date) as day
from range(timestamp '2005-01-01', timestamp '2045-01-01', interval 1 day) as days(day);

-- The n-th workday has number n. A day that the calendar does not know counts by its weekday.
create or replace table workday as
select a.day, row_number() over (order by a.day) as number
from axis as a
left join calendar as c on c.day = a.day
where coalesce(c.is_workday, isodow(a.day) <= 5);

create or replace table roster_entry as
select
    r.unit_id, r.sector, r.valid_from, coalesce(r.valid_to, date '9999-12-31') as valid_to,
    r.region_code as county, u.size, r.department, u.employees
from roster as r
left join unit as u using (unit_id);

create or replace macro on_roster(on_day) as table
select unit_id, sector, valid_from, county, size, department, employees
from roster_entry
where valid_from <= on_day and on_day < valid_to;

create or replace macro qualified(credit_code, on_day) as exists (
    from agency as a
    where
        a.uscc = credit_code
        and a.qualification is not null
        and coalesce(a.valid_from <= on_day, true)
        and coalesce(on_day < a.valid_to, true)
);
