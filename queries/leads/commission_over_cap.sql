-- Grain: one row per policy in the gap of commission_compliance_rate.
with
gap as (
    select
        missed.key,
        missed.dataset,
        missed.batch_id,
        missed.row_no
    from metric.commission_compliance_rate as missed
    where
        missed.numerator = 0
        and not missed.without_rule
)
select
    'commission_over_cap' as kind,
    'insurer' as subject_kind,
    placed.insurer as subject_id,
    placed.county as region_code,
    placed.sector,
    placed.insurer as insurer_code,
    placed.inception as since,
    placed.premium_written as amount,
    placed.commission_rate as found,
    rule_value('commission_cap', placed.county, placed.sector, placed.inception) as required,
    gap.dataset,
    gap.key,
    gap.batch_id,
    gap.row_no
from gap
inner join placed_policy as placed on placed.key = gap.key
