-- Grain: one row per finding of enforcement in [$from, $to).
select
    finding.region_code as county,
    finding.sector,
    finding.department,
    finding.violation,
    case when finding.corrected_on is not null then 1 else 0 end as numerator,
    1 as denominator,
    'inspection' as dataset,
    finding.finding_no as key,
    finding.batch_id,
    finding.row_no
from seen.inspection as finding
where
    finding.found_on >= $from
    and finding.found_on < $to
