-- Grain: one row per accident in the numerator of uninsured_accidents.
with
counted as (
    select
        hit.key,
        hit.dataset,
        hit.batch_id,
        hit.row_no
    from metric.uninsured_accidents as hit
    where hit.numerator = 1
)
select
    'uninsured_accident' as kind,
    'unit' as subject_kind,
    accident.unit_id as subject_id,
    accident.county as region_code,
    accident.sector,
    accident.occurred_on as since,
    accident.deaths as heads,
    counted.dataset,
    counted.key,
    counted.batch_id,
    counted.row_no
from counted
inner join placed_accident as accident on accident.key = counted.key
