-- Grain: one row per roster entry in the gap of headcount_coverage_rate.
with
gap as (
    select
        missed.key,
        missed.county,
        missed.sector,
        missed.department,
        missed.numerator as persons,
        missed.denominator as employees,
        missed.dataset,
        missed.batch_id,
        missed.row_no
    from metric.headcount_coverage_rate as missed
    where missed.numerator < missed.denominator
),
latest_cover as (
    select
        policy.unit_id,
        max(policy.inception) as inception
    from seen.policy as policy
    where in_force(policy.inception, policy.expiry, policy.cancelled_on, $as_of)
    group by policy.unit_id
)
select
    'under_headcount' as kind,
    'unit' as subject_kind,
    entry.unit_id as subject_id,
    gap.county as region_code,
    gap.sector,
    gap.department,
    latest_cover.inception as since,
    gap.employees - gap.persons as heads,
    gap.persons as found,
    gap.employees as required,
    gap.dataset,
    gap.key,
    gap.batch_id,
    gap.row_no
from gap
inner join placed_roster as entry on entry.key = gap.key
left join latest_cover on latest_cover.unit_id = entry.unit_id
