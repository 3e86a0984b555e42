-- Grain: one row per hazard found by $as_of, due before it and not verified by it.
select
    'hazard_overdue' as kind,
    'unit' as subject_kind,
    hazard.unit_id as subject_id,
    hazard.county as region_code,
    hazard.sector,
    hazard.insurer as insurer_code,
    cast(hazard.due_on + 1 as date) as since,
    $as_of - hazard.due_on as found,
    hazard.grade as detail,
    hazard.dataset,
    hazard.key,
    hazard.batch_id,
    hazard.row_no
from placed_hazard as hazard
where
    hazard.found_on <= $as_of
    and hazard.due_on < $as_of
    and (hazard.verified_on is null or hazard.verified_on > $as_of)
