-- The findings on the expense ledger as seen on the observation day: table `ledger`, one row a line.
-- Run after observed.sql.

-- The findings of a line by itself; a reversal takes those of the line where its chain ends.
create or replace temp table own_finding as
with vouchers as (
    select insurer_code, voucher_no
    from seen_expense
    where reverses_line_no is null and voucher_no is not null
    group by all
    having count(*) > 1
),
totals as (
    select service_no, sum(amount) as total
    from seen_expense
    where reverses_line_no is null and service_no is not null
    group by all
),
caps as (
    select
        service_no, attendees,
        rule_row('price_cap_' || service_type, county, sector, finished_on) as cap
    from seen_service
)
select
    l.insurer_code, l.line_no,
    list_filter([
        case when v.service_no is null then 'unlinked' end,
        case when v.service_no is not null and not v.valid then 'service_not_valid' end,
        case
            when v.service_no is not null and coalesce(l.booked_on < v.finished_on, true) then 'pre_accrued'
            when v.service_no is null and l.voucher_no is null then 'pre_accrued'
        end,
        case when l.voucher_no is null then 'no_voucher' end,
        case when
            l.reverses_line_no is null
            and (l.insurer_code, l.voucher_no) in (select (insurer_code, voucher_no) from vouchers)
            then 'duplicate_voucher' end,
        case when l.category not in ('T1', 'T2', 'T3', 'T4', 'T5', 'T6', 'T9') then 'ineligible_category' end,
        case when v.insurer != l.insurer_code then 'wrong_insurer' end,
        case when v.provider_kind = 'agency' and not qualified(l.payee_uscc, l.booked_on)
            then 'payee_unqualified' end,
        case when t.total > case c.cap.unit
            when 'per_visit' then c.cap.value
            when 'per_person' then c.cap.value * c.attendees
        end then 'over_price' end,
        case when l.budget_year != year(l.booked_on) then 'wrong_year' end
    ], lambda finding: finding is not null) as findings
from seen_expense as l
left join seen_service as v using (service_no)
left join totals as t using (service_no)
left join caps as c using (service_no);

create or replace temp table ledger as
-- Each line is followed along what it reverses; a chain that comes back to itself never ends.
with recursive walk as (
    select insurer_code, line_no, line_no as at, 0 as steps from seen_expense
    union all
    select w.insurer_code, w.line_no, up.line_no, w.steps + 1
    from walk as w
    join seen_expense as here on here.insurer_code = w.insurer_code and here.line_no = w.at
    join seen_expense as up on up.insurer_code = w.insurer_code and up.line_no = here.reverses_line_no
    where w.steps < 20
),
ends as (
    select w.insurer_code, w.line_no, w.at, here.service_no
    from walk as w
    join seen_expense as here on here.insurer_code = w.insurer_code and here.line_no = w.at
    left join seen_expense as up on up.insurer_code = w.insurer_code and up.line_no = here.reverses_line_no
    where up.line_no is null
),
reversed as (
    select insurer_code, reverses_line_no as line_no, sum(amount) as amount
    from seen_expense
    where reverses_line_no is not null
    group by all
),
found as (
    select
        l.insurer_code, l.line_no,
        list_concat(
            coalesce(f.findings, []),
            case when
                l.reverses_line_no is not null
                and (up.line_no is null or up.reverses_line_no is not null or abs(r.amount) > abs(up.amount))
                then ['unreconciled'] else [] end
        ) as findings,
        -- A reversal takes back what its original counted, so it is linked where that one is.
        e.service_no as linked_service_no
    from seen_expense as l
    left join ends as e on e.insurer_code = l.insurer_code and e.line_no = l.line_no
    left join own_finding as f on f.insurer_code = l.insurer_code and f.line_no = e.at
    left join seen_expense as up on up.insurer_code = l.insurer_code and up.line_no = l.reverses_line_no
    left join reversed as r on r.insurer_code = l.insurer_code and r.line_no = l.reverses_line_no
)
select
    l.insurer_code, l.line_no, l.amount, l.booked_on, l.service_no, l.category, l.payee_uscc, l.voucher_no,
    l.reverses_line_no, f.linked_service_no, f.findings,
    len(list_filter(f.findings, lambda finding: finding not in ('over_price', 'wrong_year'))) = 0 as compliant
from seen_expense as l
join found as f using (insurer_code, line_no);
