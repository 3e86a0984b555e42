-- Grain: one row per roster entry in the gap of coverage_rate, told apart by whether the unit was ever
-- insured before; what defers its cover stands beside it.
with
gap as (
    select
        missed.key,
        missed.county,
        missed.sector,
        missed.department,
        missed.dataset,
        missed.batch_id,
        missed.row_no
    from metric.coverage_rate as missed
    where missed.numerator = 0
),
-- A policy cancelled on the day of its inception was never in force.
last_cover as (
    select
        policy.unit_id,
        max(term_end(policy.expiry, policy.cancelled_on)) as ended_on
    from seen.policy as policy
    where
        policy.inception <= $as_of
        and policy.inception < term_end(policy.expiry, policy.cancelled_on)
    group by policy.unit_id
),
deferred as (
    select
        held_off.unit_id,
        string_agg(
            concat_ws(' ', held_off.insurer_code, coalesce(held_off.document_no, held_off.hazard_no)),
            '; ' order by held_off.insurer_code, held_off.valid_from
        ) as deferral
    from deferral as held_off
    where on_roster(held_off.valid_from, held_off.valid_to, $as_of)
    group by held_off.unit_id
)
select
    case when last_cover.unit_id is null then 'uninsured' else 'lapsed' end as kind,
    'unit' as subject_kind,
    entry.unit_id as subject_id,
    gap.county as region_code,
    gap.sector,
    gap.department,
    greatest(entry.valid_from, coalesce(last_cover.ended_on, entry.valid_from)) as since,
    entry.employees as heads,
    deferred.deferral,
    gap.dataset,
    gap.key,
    gap.batch_id,
    gap.row_no
from gap
inner join placed_roster as entry on entry.key = gap.key
left join last_cover on last_cover.unit_id = entry.unit_id
left join deferred on deferred.unit_id = entry.unit_id
