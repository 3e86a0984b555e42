-- The seven metrics once more, for DuckDB, written from metrics.md. Every macro returns cases:
-- county, sector, size, insurer, department, numerator, denominator (null: no case of it), without_rule.
-- `d` is a day, `f` and `t` a half-open period, `o` the observation day. Instants are naive and in UTC.

create or replace macro shanghai_day(instant) as cast(instant + interval 8 hour as date);

-- rule(id, region, sector, d): the rank orders region before sector before start.
create or replace macro rule_at(id, region, sec, d) as (
    select arg_max(r.value, {
        'region': case r.region_code
            when region then 3
            when region[1:4] || '00' then 2
            when region[1:2] || '0000' then 1
            else 0
        end,
        'sector': case when coalesce(r.sector, '') = '' then 0 else 1 end,
        'start': r.effective_from
    })
    from rule as r
    where
        r.rule_id = id
        and r.effective_from <= d
        and d <= coalesce(r.effective_to, date '9999-12-31')
        and (coalesce(r.sector, '') = '' or r.sector = sec)
        and (r.region_code = '000000' or r.region_code in (region, region[1:4] || '00', region[1:2] || '0000'))
);

create or replace macro rule_unit_at(id, region, sec, d) as (
    select arg_max(r.unit, {
        'region': case r.region_code
            when region then 3
            when region[1:4] || '00' then 2
            when region[1:2] || '0000' then 1
            else 0
        end,
        'sector': case when coalesce(r.sector, '') = '' then 0 else 1 end,
        'start': r.effective_from
    })
    from rule as r
    where
        r.rule_id = id
        and r.effective_from <= d
        and d <= coalesce(r.effective_to, date '9999-12-31')
        and (coalesce(r.sector, '') = '' or r.sector = sec)
        and (r.region_code = '000000' or r.region_code in (region, region[1:4] || '00', region[1:2] || '0000'))
);

create or replace macro known_until(day, o) as case when day <= o then day end;

-- Policies in force on a day, cancellations as known at o.
create or replace macro covers(d, o) as table
select * from policy
where inception <= d and expiry > d and coalesce(known_until(cancelled_on, o) > d, true);

create or replace macro coverage_rate(d, o) as table
select
    r.region_code as county, r.sector, u.size, null as insurer, r.department,
    cast(r.unit_id in (select unit_id from covers(d, o)) as integer) as numerator,
    1 as denominator, false as without_rule
from roster as r
left join unit as u using (unit_id)
where d >= r.valid_from and coalesce(d < r.valid_to, true);

create or replace macro headcount_coverage_rate(d, o) as table
select
    r.region_code as county, r.sector, u.size, null as insurer, r.department,
    case when c.persons > u.employees then u.employees else c.persons end as numerator,
    u.employees as denominator, false as without_rule
from roster as r
join unit as u using (unit_id)
join (select unit_id, sum(insured_persons) as persons from covers(d, o) group by all) as c using (unit_id)
where d >= r.valid_from and coalesce(d < r.valid_to, true) and u.employees > 0;

create or replace macro death_limit_compliance_rate(d, o) as table
select
    p.region_code as county, p.sector, u.size, p.insurer_code as insurer, s.department,
    case when limit_due is not null then cast(coalesce(p.death_limit_per_person, -1) >= limit_due as integer) end
        as numerator,
    case when limit_due is not null then 1 end as denominator,
    limit_due is null as without_rule
from (
    select c.*, rule_at('min_death_limit', c.region_code, c.sector, c.inception) as limit_due
    from covers(d, o) as c
) as p
left join unit as u using (unit_id)
left join sector as s on s.code = p.sector;

create or replace macro renewal_rate(f, t, o) as table
with due as (
    select p.* from policy as p
    where
        p.policy_type = 'annual' and p.expiry between f and least(t - 1, o)
        and known_until(p.cancelled_on, o) is null
        and exists (
            from roster as r
            where r.unit_id = p.unit_id and p.expiry >= r.valid_from and coalesce(p.expiry < r.valid_to, true)
        )
)
select
    p.region_code as county, p.sector, u.size, p.insurer_code as insurer, s.department,
    (
        select cast(count(*) > 0 as integer)
        from policy as n
        where
            n.unit_id = p.unit_id and n.policy_no != p.policy_no and n.inception <= p.expiry
            and coalesce(known_until(n.cancelled_on, o), n.expiry) > p.expiry
    ) as numerator,
    1 as denominator, false as without_rule
from due as p
left join unit as u using (unit_id)
left join sector as s on s.code = p.sector;

-- Also days and paid: the value is worked out from them outside.
create or replace macro claim_settlement_days(f, t, o) as table
with seen as (
    select
        c.policy_no, c.unit_id, c.insurer_code, shanghai_day(c.reported_at) as reported,
        known_until(shanghai_day(c.paid_at), o) as paid, known_until(shanghai_day(c.refused_at), o) as refused
    from claim as c
)
select
    p.region_code as county, p.sector, null as size, c.insurer_code as insurer, s.department,
    cast(c.paid is not null as integer) as numerator,
    1 as denominator, false as without_rule,
    date_diff('day', c.reported, coalesce(c.paid, o)) as days, c.paid is not null as paid
from seen as c
left join policy as p using (policy_no, unit_id)
left join sector as s on s.code = p.sector
where c.reported >= f and c.reported < t and c.reported <= o and c.refused is null;

create or replace macro hazard_rectification_rate(f, t, o) as table
select
    v.region_code as county, v.sector, u.size, v.insurer_code as insurer, s.department,
    cast(known_until(h.verified_on, o) is not null as integer) as numerator,
    1 as denominator, false as without_rule
from hazard as h
left join service as v using (service_no)
left join unit as u on u.unit_id = h.unit_id
left join sector as s on s.code = v.sector
where shanghai_day(h.found_at) >= f and shanghai_day(h.found_at) < t and shanghai_day(h.found_at) <= o;

-- The findings of a line by itself, as a list; `reversal` lines have them from where their chain ends.
create or replace macro findings_of_lines(o) as table
with line as (
    select * from expense where booked_on <= o
),
svc as (
    select
        *, known_until(shanghai_day(finished_at), o) as finished,
        known_until(shanghai_day(unit_confirmed_at), o) is not null
        and known_until(shanghai_day(insurer_confirmed_at), o) is not null as confirmed
    from service
),
vouchers as (
    select insurer_code, voucher_no from line
    where reverses_line_no is null and voucher_no is not null
    group by all having count(*) > 1
),
totals as (
    select service_no, sum(amount) as total from line
    where reverses_line_no is null and service_no is not null group by all
),
caps as (
    select
        service_no,
        rule_at('price_cap_' || service_type, region_code, sector, finished) as cap,
        rule_unit_at('price_cap_' || service_type, region_code, sector, finished) as per,
        attendees
    from svc
)
select
    l.insurer_code, l.line_no,
    list_filter([
        case when v.service_no is null then 'unlinked' end,
        case when v.service_no is not null and not (v.finished is not null and v.confirmed) then 'service_not_valid' end,
        case when v.service_no is not null and coalesce(l.booked_on < v.finished, true) then 'pre_accrued'
             when v.service_no is null and l.voucher_no is null then 'pre_accrued' end,
        case when l.voucher_no is null then 'no_voucher' end,
        case when l.reverses_line_no is null and (l.insurer_code, l.voucher_no) in (select (insurer_code, voucher_no) from vouchers)
            then 'duplicate_voucher' end,
        case when l.category not in ('T1', 'T2', 'T3', 'T4', 'T5', 'T6', 'T9') then 'ineligible_category' end,
        case when v.insurer_code != l.insurer_code then 'wrong_insurer' end,
        case when v.provider_kind = 'agency' and not exists (
                from agency as a
                where a.uscc = l.payee_uscc and a.qualification is not null
                    and coalesce(a.valid_from <= l.booked_on, true) and coalesce(a.valid_to > l.booked_on, true)
            ) then 'payee_unqualified' end,
        case when t.total > case c.per when 'per_visit' then c.cap when 'per_person' then c.cap * c.attendees end
            then 'over_price' end,
        case when l.budget_year != year(l.booked_on) then 'wrong_year' end
    ], lambda finding: finding is not null) as findings
from line as l
left join svc as v using (service_no)
left join totals as t using (service_no)
left join caps as c using (service_no);

create or replace macro ledger(o) as table
with recursive line as (
    select * from expense where booked_on <= o
),
-- Each line is followed along what it reverses; a chain that comes back to itself never ends.
walk as (
    select insurer_code, line_no, line_no as at, 0 as steps from line
    union all
    select w.insurer_code, w.line_no, up.line_no, w.steps + 1
    from walk as w
    join line as here on here.insurer_code = w.insurer_code and here.line_no = w.at
    join line as up on up.insurer_code = w.insurer_code and up.line_no = here.reverses_line_no
    where w.steps < 20
),
ends as (
    select w.insurer_code, w.line_no, w.at
    from walk as w
    join line as here on here.insurer_code = w.insurer_code and here.line_no = w.at
    left join line as up on up.insurer_code = w.insurer_code and up.line_no = here.reverses_line_no
    where up.line_no is null
),
reversed as (
    select insurer_code, reverses_line_no as line_no, sum(amount) as amount from line
    where reverses_line_no is not null group by all
)
select
    l.insurer_code, l.line_no, l.amount, l.booked_on,
    list_concat(
        coalesce(f.findings, []),
        case when l.reverses_line_no is not null and (
                up.line_no is null or up.reverses_line_no is not null or abs(r.amount) > abs(up.amount)
            ) then ['unreconciled'] else [] end
    ) as findings
from line as l
left join ends as e on e.insurer_code = l.insurer_code and e.line_no = l.line_no
left join findings_of_lines(o) as f on f.insurer_code = l.insurer_code and f.line_no = e.at
left join line as up on up.insurer_code = l.insurer_code and up.line_no = l.reverses_line_no
left join reversed as r on r.insurer_code = l.insurer_code and r.line_no = l.reverses_line_no;

create or replace macro prevention_spend_ratio(f, t, o) as table
select
    null as county, null as sector, null as size, l.insurer_code as insurer, null as department,
    l.amount as numerator, null::decimal(18,2) as denominator, false as without_rule
from ledger(o) as l
where
    l.booked_on >= f and l.booked_on < t
    and len(list_filter(l.findings, lambda finding: finding not in ('over_price', 'wrong_year'))) = 0
union all
select null, null, null, insurer_code, null, 0.00, amount, false
from premium_receipt
where received_on >= f and received_on < t and received_on <= o;
