-- Visits and what they found.

-- A joint visit counts once, where its first department stands.
create or replace macro visits(since, before) as table
select
    county, sector, department, 1 as numerator, null::integer as denominator, false as without_rule,
    cast(departments > 1 as integer) as joint
from (
    select
        *,
        row_number() over (partition by visit_no order by department) as place,
        count(*) over (partition by visit_no) as departments
    from seen_visit
    where visited_on >= since and visited_on < before
)
where place = 1;

create or replace macro enforcement_correction_rate(since, before) as table
select
    county, sector, department, violation,
    cast(corrected_on is not null as integer) as numerator, 1 as denominator, false as without_rule
from seen_inspection
where found_on >= since and found_on < before;
