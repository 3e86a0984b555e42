-- Grain: one row per kind and ledger line booked in [$from, $to) with a finding of that kind. The place
-- and sector are those of the service that the line counts for.
with
about (kind) as (
    values ('pre_accrued'), ('ringfence_violation'), ('diverted_funds')
),
violation as (
    select
        finding.insurer_code,
        finding.line_no,
        string_agg(finding.finding, ',' order by finding.place) as findings
    from expense_finding as finding
    where finding.severity = 'violation'
    group by finding.insurer_code, finding.line_no
)
select
    about.kind,
    'insurer' as subject_kind,
    line.insurer_code as subject_id,
    service.county as region_code,
    service.sector,
    line.insurer_code,
    line.booked_on as since,
    line.amount,
    case
        when about.kind = 'ringfence_violation' then split_part(violation.findings, ',', 1)
        when about.kind = 'pre_accrued' then 'pre_accrued'
        when line.ineligible_category then 'ineligible_category'
        else 'wrong_insurer'
    end as rule_id,
    violation.findings as detail,
    line.dataset,
    line.key,
    line.batch_id,
    line.row_no
from expense_check as line
cross join about
inner join violation
    on violation.insurer_code = line.insurer_code
    and violation.line_no = line.line_no
left join placed_service as service on service.service_no = line.counts_for_service
where
    line.booked_on >= $from
    and line.booked_on < $to
    and case about.kind
        when 'pre_accrued' then line.pre_accrued
        when 'ringfence_violation' then not line.is_compliant
        when 'diverted_funds' then line.ineligible_category or line.wrong_insurer
    end
