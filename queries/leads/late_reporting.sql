-- Grain: one row per slot in the gap of reporting_timeliness_rate. A reporter that is an insurer is named
-- as such.
with
late as (
    select
        missed.feed,
        missed.reporter,
        missed.county,
        missed.department,
        missed.dataset,
        missed.key,
        missed.batch_id,
        missed.row_no
    from metric.reporting_timeliness_rate as missed
    where missed.numerator = 0
)
select
    'late_reporting' as kind,
    'reporter' as subject_kind,
    coalesce(late.reporter, late.feed) as subject_id,
    late.county as region_code,
    late.department,
    insurer.code as insurer_code,
    local_date(slot.due_at) as since,
    case when slot.fulfilled_by is null then 'missing' else 'late' end as detail,
    late.dataset,
    late.key,
    late.batch_id,
    late.row_no
from late
inner join system.slot_state as slot
    on slot.feed_id = late.feed
    and concat(slot.feed_id, ',', cast(slot.slot_at as varchar)) = late.key
left join insurer on insurer.code = late.reporter
