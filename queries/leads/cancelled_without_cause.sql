-- Grain: one row per policy in the numerator of cancellation_rate.
with
cancelled as (
    select
        counted.key,
        counted.dataset,
        counted.batch_id,
        counted.row_no
    from metric.cancellation_rate as counted
    where counted.numerator = 1
)
select
    'cancelled_without_cause' as kind,
    'unit' as subject_kind,
    placed.unit_id as subject_id,
    placed.county as region_code,
    placed.sector,
    placed.insurer as insurer_code,
    placed.cancelled_on as since,
    placed.premium_written as amount,
    placed.insured_persons as heads,
    placed.cancel_reason as detail,
    cancelled.dataset,
    cancelled.key,
    cancelled.batch_id,
    cancelled.row_no
from cancelled
inner join placed_policy as placed on placed.key = cancelled.key
