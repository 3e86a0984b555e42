-- Grain: one row per unit, with what it counts under by its own place, sector and size, and whether
-- it is one that must be insured: open, of a high-hazard sector.
select
    unit.unit_id,
    unit.status = 'open' and sector.high_hazard as must_insure,
    unit.region_code as county,
    unit.sector,
    unit.size,
    'unit' as dataset,
    unit.unit_id as key,
    unit.batch_id,
    unit.row_no
from unit
left join sector on sector.code = unit.sector
