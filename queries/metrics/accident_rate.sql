-- Grain: one row per accident in [$from, $to), and one per roster entry that stands on a day of it, up
-- to the observation day, with its share of the days as its part of the average roster.
with
entry as (
    select
        least(coalesce(placed.valid_to, $to), $to, $observed_until + 1)
            - greatest(placed.valid_from, $from) as days,
        placed.county,
        placed.sector,
        placed.department,
        placed.dataset,
        placed.key,
        placed.batch_id,
        placed.row_no
    from placed_roster as placed
    where
        placed.valid_from < $to
        and placed.valid_from <= $observed_until
        and (placed.valid_to is null or placed.valid_to > $from)
)
select
    accident.county,
    accident.sector,
    sector.department,
    1 as numerator,
    cast(null as decimal(38, 6)) as denominator,
    cast(null as bigint) as entry_days,
    accident.dataset,
    accident.key,
    accident.batch_id,
    accident.row_no
from placed_accident as accident
left join sector on sector.code = accident.sector
where
    accident.occurred_on >= $from
    and accident.occurred_on < $to
union all
select
    entry.county,
    entry.sector,
    entry.department,
    0 as numerator,
    -- The quotient is cut at eight digits; the cast rounds it to six, half away from zero.
    cast(
        cast(entry.days as decimal(20, 4)) / (least($to, $observed_until + 1) - $from) as decimal(38, 6)
    ) as denominator,
    entry.days as entry_days,
    entry.dataset,
    entry.key,
    entry.batch_id,
    entry.row_no
from entry
where entry.days > 0
