-- Grain: one row per policy in the gap of service_frequency_rate.
with
gap as (
    select
        missed.key,
        missed.dataset,
        missed.batch_id,
        missed.row_no
    from metric.service_frequency_rate as missed
    where
        missed.numerator = 0
        and not missed.without_rule
)
select
    'service_below_norm' as kind,
    'insurer' as subject_kind,
    placed.insurer as subject_id,
    placed.county as region_code,
    placed.sector,
    placed.insurer as insurer_code,
    placed.inception as since,
    placed.premium_written as amount,
    placed.insured_persons as heads,
    gap.dataset,
    gap.key,
    gap.batch_id,
    gap.row_no
from gap
inner join placed_policy as placed on placed.key = gap.key
