-- Grain: one row per policy in the gap of death_limit_compliance_rate.
with
gap as (
    select
        missed.key,
        missed.dataset,
        missed.batch_id,
        missed.row_no
    from metric.death_limit_compliance_rate as missed
    where
        missed.numerator = 0
        and not missed.without_rule
)
select
    'under_limit' as kind,
    'unit' as subject_kind,
    placed.unit_id as subject_id,
    placed.county as region_code,
    placed.sector,
    placed.insurer as insurer_code,
    placed.inception as since,
    placed.insured_persons as heads,
    placed.death_limit_per_person as found,
    rule_value('min_death_limit', placed.county, placed.sector, placed.inception) as required,
    gap.dataset,
    gap.key,
    gap.batch_id,
    gap.row_no
from gap
inner join placed_policy as placed on placed.key = gap.key
