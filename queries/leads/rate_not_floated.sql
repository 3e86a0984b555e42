-- Grain: one row per policy in the gap of rate_floating_rate.
with
gap as (
    select
        missed.key,
        missed.dataset,
        missed.batch_id,
        missed.row_no
    from metric.rate_floating_rate as missed
    where missed.numerator = 0
)
select
    'rate_not_floated' as kind,
    'insurer' as subject_kind,
    placed.insurer as subject_id,
    placed.county as region_code,
    placed.sector,
    placed.insurer as insurer_code,
    placed.inception as since,
    placed.premium_written as amount,
    placed.float_factor as found,
    gap.dataset,
    gap.key,
    gap.batch_id,
    gap.row_no
from gap
inner join placed_policy as placed on placed.key = gap.key
