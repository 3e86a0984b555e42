-- Grain: one row per visit in [$from, $to): of a joint one the row of the department that comes first by
-- name, so that departments add up.
with
visit as (
    select
        seen.visit_no,
        seen.department,
        seen.region_code,
        seen.sector,
        row_number() over (
            partition by seen.visit_no
            order by seen.department
        ) as place,
        count(*) over (partition by seen.visit_no) as departments,
        seen.batch_id,
        seen.row_no
    from seen.visit as seen
    where
        seen.visited_on >= $from
        and seen.visited_on < $to
)
select
    visit.region_code as county,
    visit.sector,
    visit.department,
    1 as numerator,
    case when visit.departments > 1 then 1 else 0 end as joint,
    'visit' as dataset,
    concat_ws(',', visit.visit_no, visit.department) as key,
    visit.batch_id,
    visit.row_no
from visit
where visit.place = 1
