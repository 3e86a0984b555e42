-- Grain: one row per roster entry standing at $as_of, with how many of five attributes its unit has.
select
    entry.county,
    entry.sector,
    entry.size,
    entry.department,
    case when entry.employees is not null then 1 else 0 end
        + case when entry.size is not null then 1 else 0 end
        + case when entry.risk_level is not null then 1 else 0 end
        + case when entry.standardisation_level is not null then 1 else 0 end
        + case when entry.industry_code is not null then 1 else 0 end as numerator,
    5 as denominator,
    entry.dataset,
    entry.key,
    entry.batch_id,
    entry.row_no
from placed_roster as entry
where on_roster(entry.valid_from, entry.valid_to, $as_of)
