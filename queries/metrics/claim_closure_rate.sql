-- Grain: one row per claim reported in [$from, $to).
select
    claim.county,
    claim.sector,
    claim.insurer,
    case when claim.closed_at is not null then 1 else 0 end as numerator,
    1 as denominator,
    claim.dataset,
    claim.key,
    claim.batch_id,
    claim.row_no
from placed_claim as claim
where
    local_date(claim.reported_at) >= $from
    and local_date(claim.reported_at) < $to
