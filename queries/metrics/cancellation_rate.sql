-- Grain: one row per policy with a day of its term in [$from, $to) that was not cancelled before.
select
    policy.county,
    policy.sector,
    policy.size,
    policy.insurer,
    case
        when
            policy.cancelled_on < $to
            and (policy.cancel_reason is null or policy.cancel_reason <> 'closure')
            then 1
        else 0
    end as numerator,
    1 as denominator,
    policy.dataset,
    policy.key,
    policy.batch_id,
    policy.row_no
from placed_policy as policy
where
    policy.inception < $to
    and policy.expiry > $from
    and (policy.cancelled_on is null or policy.cancelled_on >= $from)
