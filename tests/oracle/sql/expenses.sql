-- Prevention spend: its amount, its discipline, its plan.

create or replace macro cost_per_service(since, before) as table
select
    county, sector, size, insurer, department, service_type,
    0.00 as numerator, 1 as denominator, false as without_rule
from finished_services(since, before)
where valid
union all
select v.county, v.sector, v.size, l.insurer_code, v.department, v.service_type, l.amount, null, false
from ledger as l
join finished_services(since, before) as v on v.service_no = l.linked_service_no
where v.valid and l.compliant;

create or replace macro prevention_spend_ratio(since, before) as table
select insurer_code as insurer, amount as numerator, null::decimal(18,2) as denominator, false as without_rule
from ledger
where compliant and booked_on >= since and booked_on < before
union all
select insurer, 0.00, amount, false
from seen_receipt
where received_on >= since and received_on < before;

-- Rules are those of the deployment's province on the last day of the period.
create or replace macro prevention_spend_within_bounds(since, before, province := '330000') as table
with receipts as (
    select insurer, cast(sum(amount) as decimal(20,2)) as collected
    from seen_receipt
    where received_on >= since and received_on < before
    group by all
    having sum(amount) > 0
),
spend as (
    select insurer_code as insurer, cast(sum(amount) as decimal(20,2)) as spent
    from ledger
    where compliant and booked_on >= since and booked_on < before
    group by all
),
bounds as (
    select
        rule_at('prevention_spend_floor', province, null, cast(before - 1 as date)) as least_share,
        rule_at('prevention_spend_cap', province, null, cast(before - 1 as date)) as most_share
),
judged as (
    select r.insurer, r.collected, coalesce(s.spent, 0) as spent, b.least_share, b.most_share
    from receipts as r
    cross join bounds as b
    left join spend as s using (insurer)
)
select
    insurer,
    case when coalesce(least_share, most_share) is not null then cast(
        coalesce(spent >= least_share * collected, true) and coalesce(spent <= most_share * collected, true)
        as integer
    ) end as numerator,
    case when coalesce(least_share, most_share) is not null then 1 end as denominator,
    coalesce(least_share, most_share) is null as without_rule
from judged;

create or replace macro booked_lines(since, before) as table
select * from ledger where booked_on >= since and booked_on < before;

create or replace macro ringfence_compliance_rate(since, before) as table
select
    insurer_code as insurer, case when compliant then amount else 0.00 end as numerator,
    amount as denominator, false as without_rule
from booked_lines(since, before);

create or replace macro pre_accrual_amount(since, before) as table
select
    insurer_code as insurer,
    case when list_contains(findings, 'pre_accrued') then amount else 0.00 end as numerator,
    amount as denominator, false as without_rule
from booked_lines(since, before);

create or replace macro ledger_completeness_rate(since, before) as table
select
    insurer_code as insurer,
    cast(
        service_no is not null and voucher_no is not null and payee_uscc is not null
        and category in ('T1', 'T2', 'T3', 'T4', 'T5', 'T6', 'T9') as integer
    ) as numerator,
    1 as denominator, false as without_rule
from booked_lines(since, before)
where reverses_line_no is null;

-- The year is that of the last day of the period, from its 1 January on; `since` plays no part.
create or replace macro budget_execution_rate(since, before) as table
select insurer_code as insurer, amount as numerator, null::decimal(18,2) as denominator, false as without_rule
from ledger
where compliant and booked_on >= make_date(year(before - 1), 1, 1) and booked_on < before
union all
select insurer_code, 0.00, amount, false
from budget
where year = year(before - 1);
