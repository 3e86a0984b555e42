-- Grain: one row per policy in the numerator of low_price_policies.
with
flagged as (
    select
        counted.key,
        counted.dataset,
        counted.batch_id,
        counted.row_no
    from metric.low_price_policies as counted
    where counted.numerator = 1
)
select
    'low_price' as kind,
    'insurer' as subject_kind,
    placed.insurer as subject_id,
    placed.county as region_code,
    placed.sector,
    placed.insurer as insurer_code,
    placed.inception as since,
    placed.premium_written as amount,
    placed.insured_persons as heads,
    flagged.dataset,
    flagged.key,
    flagged.batch_id,
    flagged.row_no
from flagged
inner join placed_policy as placed on placed.key = flagged.key
