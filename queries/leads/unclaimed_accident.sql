-- Grain: one row per accident in the numerator of unclaimed_accidents.
with
unclaimed as (
    select
        hit.key,
        hit.dataset,
        hit.batch_id,
        hit.row_no
    from metric.unclaimed_accidents as hit
    where hit.numerator = 1
)
select
    'unclaimed_accident' as kind,
    'unit' as subject_kind,
    accident.unit_id as subject_id,
    accident.county as region_code,
    accident.sector,
    accident.occurred_on as since,
    accident.deaths as heads,
    unclaimed.dataset,
    unclaimed.key,
    unclaimed.batch_id,
    unclaimed.row_no
from unclaimed
inner join placed_accident as accident on accident.key = unclaimed.key
