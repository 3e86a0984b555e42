-- Grain: one row per claim reported in [$from, $to) and not refused, with the days it took or, while
-- it is open, the days it has waited.
select
    claim.county,
    claim.sector,
    claim.insurer,
    case when claim.paid_at is not null then 1 else 0 end as numerator,
    1 as denominator,
    coalesce(local_date(claim.paid_at), $observed_until) - local_date(claim.reported_at) as days,
    claim.paid_at is not null as event,
    claim.dataset,
    claim.key,
    claim.batch_id,
    claim.row_no
from placed_claim as claim
where
    local_date(claim.reported_at) >= $from
    and local_date(claim.reported_at) < $to
    and claim.refused_at is null
