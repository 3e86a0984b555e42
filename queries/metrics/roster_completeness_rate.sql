-- Grain: one row per open unit of a high-hazard sector.
with
listed as (
    select distinct entry.unit_id
    from roster as entry
    where on_roster(entry.valid_from, entry.valid_to, $as_of)
)
select
    unit.county,
    unit.sector,
    unit.size,
    case when listed.unit_id is not null then 1 else 0 end as numerator,
    1 as denominator,
    unit.dataset,
    unit.key,
    unit.batch_id,
    unit.row_no
from placed_unit as unit
left join listed on listed.unit_id = unit.unit_id
where unit.must_insure
