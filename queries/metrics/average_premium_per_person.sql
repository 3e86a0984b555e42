-- Grain: one row per policy incepting in [$from, $to).
select
    policy.county,
    policy.sector,
    policy.size,
    policy.insurer,
    policy.premium_written as numerator,
    policy.insured_persons as denominator,
    policy.dataset,
    policy.key,
    policy.batch_id,
    policy.row_no
from placed_policy as policy
where
    policy.inception >= $from
    and policy.inception < $to
