-- Grain: one row per roster entry, with what it counts under. The place, sector and department are
-- the roster's own; what else is said of the unit is the unit's.
select
    entry.unit_id,
    entry.valid_from,
    entry.valid_to,
    entry.region_code as county,
    entry.sector,
    entry.department,
    unit.size,
    unit.employees,
    unit.risk_level,
    unit.standardisation_level,
    unit.industry_code,
    'roster' as dataset,
    concat_ws(',', entry.unit_id, entry.sector, entry.valid_from) as key,
    entry.batch_id,
    entry.row_no
from roster as entry
left join unit on unit.unit_id = entry.unit_id
