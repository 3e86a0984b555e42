-- Grain: one row per hazard found in [$from, $to) that was due before the observation day.
select
    hazard.county,
    hazard.sector,
    hazard.size,
    hazard.insurer,
    case when hazard.rectified_on <= hazard.due_on then 1 else 0 end as numerator,
    1 as denominator,
    hazard.dataset,
    hazard.key,
    hazard.batch_id,
    hazard.row_no
from placed_hazard as hazard
where
    hazard.found_on >= $from
    and hazard.found_on < $to
    and hazard.due_on < $observed_until
