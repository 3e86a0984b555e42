-- Grain: one row per major hazard in the gap of major_hazard_notice_rate whose hours are over by the end
-- of the observation day.
with
gap as (
    select
        missed.key,
        missed.dataset,
        missed.batch_id,
        missed.row_no
    from metric.major_hazard_notice_rate as missed
    where
        missed.numerator = 0
        and not missed.without_rule
),
waited as (
    select
        placed.insurer,
        placed.county,
        placed.sector,
        placed.found_on,
        rule_value('major_hazard_notice_hours', placed.county, placed.sector, placed.found_on) as hours,
        -- Until the department was told, or until the observation day ends in Asia/Shanghai (UTC+8).
        coalesce(
            cast(placed.department_notified_at as bigint),
            ($observed_until - date '1970-01-01' + 1) * 86400000000 - 8 * 3600000000
        ) - cast(placed.found_at as bigint) as microseconds,
        gap.dataset,
        gap.key,
        gap.batch_id,
        gap.row_no
    from gap
    inner join placed_hazard as placed on placed.key = gap.key
)
select
    'major_hazard_unreported' as kind,
    'insurer' as subject_kind,
    coalesce(waited.insurer, 'unknown') as subject_id,
    waited.county as region_code,
    waited.sector,
    waited.insurer as insurer_code,
    waited.found_on as since,
    cast(waited.microseconds as decimal(30, 6)) / 3600000000 as found,
    waited.hours as required,
    waited.dataset,
    waited.key,
    waited.batch_id,
    waited.row_no
from waited
where waited.microseconds > waited.hours * 3600000000
