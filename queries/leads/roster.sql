-- Grain: one row per unit in the gap of roster_completeness_rate, told apart by whether it ever stood
-- on the roster.
with
gap as (
    select
        missed.key,
        missed.county,
        missed.sector,
        missed.dataset,
        missed.batch_id,
        missed.row_no
    from metric.roster_completeness_rate as missed
    where missed.numerator = 0
),
-- An entry that ends on the day it begins never stood.
stood as (
    select
        entry.unit_id,
        max(entry.valid_to) as ended_on
    from roster as entry
    where
        entry.valid_from <= $as_of
        and on_roster(entry.valid_from, entry.valid_to, entry.valid_from)
    group by entry.unit_id
)
select
    case when stood.unit_id is null then 'missing_from_roster' else 'removed_from_roster' end as kind,
    'unit' as subject_kind,
    gap.key as subject_id,
    gap.county as region_code,
    gap.sector,
    stood.ended_on as since,
    unit.employees as heads,
    gap.dataset,
    gap.key,
    gap.batch_id,
    gap.row_no
from gap
left join unit on unit.unit_id = gap.key
left join stood on stood.unit_id = gap.key
