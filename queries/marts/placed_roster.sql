-- Grain: one row per roster entry, with what it counts under. The place, sector and department are
-- the roster's own; the size and the employees are the unit's.
select
    entry.unit_id,
    entry.valid_from,
    entry.valid_to,
    entry.region_code as county,
    entry.sector,
    entry.department,
    unit.size,
    unit.employees,
    'roster' as dataset,
    concat_ws(',', entry.unit_id, entry.sector, entry.valid_from) as key,
    entry.batch_id,
    entry.row_no
from roster as entry
left join unit on unit.unit_id = entry.unit_id
