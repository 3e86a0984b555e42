-- Grain: one row per major hazard found in [$from, $to), judged by the rule of the day it was found.
with
hazard as (
    select
        placed.county,
        placed.sector,
        placed.size,
        placed.insurer,
        cast(placed.department_notified_at as bigint) - cast(placed.found_at as bigint) as microseconds,
        rule_value('major_hazard_notice_hours', placed.county, placed.sector, placed.found_on) as hours,
        placed.dataset,
        placed.key,
        placed.batch_id,
        placed.row_no
    from placed_hazard as placed
    where
        placed.grade = 'major'
        and placed.found_on >= $from
        and placed.found_on < $to
)
select
    hazard.county,
    hazard.sector,
    hazard.size,
    hazard.insurer,
    case when hazard.microseconds <= hazard.hours * 3600000000 then 1 else 0 end as numerator,
    1 as denominator,
    hazard.hours is null as without_rule,
    hazard.dataset,
    hazard.key,
    hazard.batch_id,
    hazard.row_no
from hazard
