-- Grain: one row per claim with a death, reported in [$from, $to) and not refused, that had an advance
-- or should have had one by the observation day.
with
claim as (
    select
        placed.county,
        placed.sector,
        placed.insurer,
        local_date(placed.reported_at) as reported_on,
        local_date(placed.advance_paid_at) as advanced_on,
        local_date(placed.paid_at) as paid_on,
        rule_value(
            'claim_advance_days', placed.county, placed.sector, local_date(placed.reported_at)
        ) as days,
        placed.dataset,
        placed.key,
        placed.batch_id,
        placed.row_no
    from placed_claim as placed
    where
        placed.deaths > 0
        and placed.refused_at is null
)
select
    claim.county,
    claim.sector,
    claim.insurer,
    case
        when
            claim.advanced_on - claim.reported_on <= claim.days
            and (claim.paid_on is null or claim.advanced_on <= claim.paid_on)
            then 1
        else 0
    end as numerator,
    1 as denominator,
    claim.days is null as without_rule,
    claim.dataset,
    claim.key,
    claim.batch_id,
    claim.row_no
from claim
where
    claim.reported_on >= $from
    and claim.reported_on < $to
    and (
        claim.days is null
        or claim.advanced_on is not null
        or (
            $observed_until - claim.reported_on >= claim.days
            and (claim.paid_on is null or claim.paid_on - claim.reported_on > claim.days)
        )
    )
