-- Grain: one row per policy incepting in [$from, $to), up to the observation day, with a factor and a
-- previous policy of its unit.
with
-- Of policies that begin on one day the one with the greatest number is the previous policy of those
-- that begin later.
start as (
    select
        policy.unit_id,
        policy.inception,
        max(policy.policy_no) as policy_no
    from seen.policy as policy
    where policy.inception <= $observed_until
    group by policy.unit_id, policy.inception
),
previous as (
    select
        start.unit_id,
        start.inception,
        lag(start.policy_no) over (partition by start.unit_id order by start.inception) as policy_no
    from start
),
rated as (
    select
        policy.policy_no,
        policy.unit_id,
        policy.inception,
        policy.float_factor,
        previous.policy_no as previous_no,
        policy.county,
        policy.sector,
        policy.size,
        policy.insurer,
        policy.dataset,
        policy.key,
        policy.batch_id,
        policy.row_no
    from placed_policy as policy
    inner join previous
        on previous.unit_id = policy.unit_id
        and previous.inception = policy.inception
    where
        policy.inception >= $from
        and policy.inception < $to
        and policy.inception <= $observed_until
        and policy.float_factor is not null
        and previous.policy_no is not null
),
first_payment as (
    select
        claim.policy_no,
        claim.unit_id,
        min(local_date(claim.paid_at)) as paid_on
    from seen.claim as claim
    where claim.paid_amount > 0
    group by claim.policy_no, claim.unit_id
)
select
    rated.county,
    rated.sector,
    rated.size,
    rated.insurer,
    case
        when first_payment.paid_on <= rated.inception then case when rated.float_factor > 1 then 1 else 0 end
        when rated.float_factor <= 1 then 1
        else 0
    end as numerator,
    1 as denominator,
    rated.dataset,
    rated.key,
    rated.batch_id,
    rated.row_no
from rated
left join first_payment
    on first_payment.policy_no = rated.previous_no
    and first_payment.unit_id = rated.unit_id
