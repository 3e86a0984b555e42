-- Grain: one row per claim with its accident in [$from, $to), and one per policy with a day of its
-- term in the period, up to the observation day, with the premium earned in those days.
with
term as (
    select
        policy.premium_written,
        policy.expiry - policy.inception as days,
        least(term_end(policy.expiry, policy.cancelled_on), $to, $observed_until + 1)
            - greatest(policy.inception, $from) as earned_days,
        policy.county,
        policy.sector,
        policy.insurer,
        policy.dataset,
        policy.key,
        policy.batch_id,
        policy.row_no
    from placed_policy as policy
    where
        policy.inception < $to
        and policy.inception <= $observed_until
        and policy.expiry > $from
)
select
    claim.county,
    claim.sector,
    claim.insurer,
    coalesce(claim.paid_amount, claim.advance_amount, 0) + coalesce(claim.reserve, 0) as numerator,
    cast(null as decimal(18, 2)) as denominator,
    claim.dataset,
    claim.key,
    claim.batch_id,
    claim.row_no
from placed_claim as claim
where
    local_date(claim.accident_at) >= $from
    and local_date(claim.accident_at) < $to
union all
select
    term.county,
    term.sector,
    term.insurer,
    cast(0 as decimal(18, 2)) as numerator,
    -- The quotient is cut at six digits; the cast rounds it to the fen, half away from zero.
    cast(term.premium_written * term.earned_days / term.days as decimal(18, 2)) as denominator,
    term.dataset,
    term.key,
    term.batch_id,
    term.row_no
from term
where term.earned_days > 0
