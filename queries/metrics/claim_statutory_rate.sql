-- Grain: one row per claim paid or refused in [$from, $to) with the start of a clock. A clock is null
-- where it did not start or where no rule sets it.
with
claim as (
    select
        placed.county,
        placed.sector,
        placed.insurer,
        local_date(placed.documents_complete_at) as documents_complete_on,
        local_date(placed.assessed_at) as assessed_on,
        local_date(placed.agreed_at) as agreed_on,
        local_date(placed.paid_at) as paid_on,
        local_date(placed.refused_at) as refused_on,
        local_date(placed.refusal_notified_at) as notified_on,
        placed.dataset,
        placed.key,
        placed.batch_id,
        placed.row_no
    from placed_claim as placed
),
timed as (
    select
        claim.county,
        claim.sector,
        claim.insurer,
        claim.documents_complete_on,
        claim.assessed_on,
        claim.agreed_on,
        claim.paid_on,
        claim.refused_on,
        claim.notified_on,
        rule_value(
            'claim_assess_days', claim.county, claim.sector, claim.documents_complete_on
        ) as assess_days,
        case
            when claim.paid_on is not null
                then rule_value('claim_pay_days', claim.county, claim.sector, claim.agreed_on)
        end as pay_days,
        rule_value('claim_refuse_days', claim.county, claim.sector, claim.refused_on) as refuse_days,
        claim.dataset,
        claim.key,
        claim.batch_id,
        claim.row_no
    from claim
    where
        (
            (claim.paid_on >= $from and claim.paid_on < $to)
            or (claim.refused_on >= $from and claim.refused_on < $to)
        )
        and (
            claim.documents_complete_on is not null
            or (claim.agreed_on is not null and claim.paid_on is not null)
            or claim.refused_on is not null
        )
)
select
    timed.county,
    timed.sector,
    timed.insurer,
    case
        when
            (timed.assess_days is null
                or coalesce(timed.assessed_on - timed.documents_complete_on <= timed.assess_days, false))
            and (timed.pay_days is null or timed.paid_on - timed.agreed_on <= timed.pay_days)
            and (timed.refuse_days is null
                or coalesce(timed.notified_on - timed.refused_on <= timed.refuse_days, false))
            then 1
        else 0
    end as numerator,
    1 as denominator,
    timed.assess_days is null and timed.pay_days is null and timed.refuse_days is null as without_rule,
    timed.dataset,
    timed.key,
    timed.batch_id,
    timed.row_no
from timed
