-- Rosters and policies. Every macro returns cases: dimensions, numerator, denominator (null: no case
-- of it), without_rule. `on_day` is a day, `since` and `before` a half-open period.

create or replace macro in_force(on_day) as table
select policy_no, unit_id, county, sector, size, insurer, department, inception, insured_persons, death_limit_per_person
from seen_policy
where inception <= on_day and on_day < term_end;

create or replace macro coverage_rate(on_day) as table
select
    r.county, r.sector, r.size, r.department,
    cast(r.unit_id in (select unit_id from in_force(on_day)) as integer) as numerator,
    1 as denominator, false as without_rule
from on_roster(on_day) as r;

create or replace macro roster_completeness_rate(on_day) as table
select
    u.region_code as county, u.sector, u.size, s.department,
    cast(u.unit_id in (select unit_id from on_roster(on_day)) as integer) as numerator,
    1 as denominator, false as without_rule
from unit as u
join sector as s on s.code = u.sector
where u.status = 'open' and s.high_hazard;

create or replace macro headcount_coverage_rate(on_day) as table
select
    r.county, r.sector, r.size, r.department,
    least(c.persons, r.employees) as numerator,
    r.employees as denominator, false as without_rule
from on_roster(on_day) as r
join (select unit_id, sum(insured_persons) as persons from in_force(on_day) group by all) as c using (unit_id)
where r.employees > 0;

create or replace macro death_limit_compliance_rate(on_day) as table
select
    p.county, p.sector, p.size, p.insurer, p.department,
    case when limit_due is not null then cast(coalesce(p.death_limit_per_person >= limit_due, false) as integer) end
        as numerator,
    case when limit_due is not null then 1 end as denominator,
    limit_due is null as without_rule
from (
    select f.*, rule_at('min_death_limit', f.county, f.sector, f.inception) as limit_due
    from in_force(on_day) as f
) as p;

create or replace macro average_death_limit(on_day) as table
select
    county, sector, size, insurer, department,
    death_limit_per_person * insured_persons as numerator,
    insured_persons as denominator, false as without_rule
from in_force(on_day)
where death_limit_per_person is not null;

create or replace macro voluntary_units(on_day) as table
select
    u.region_code as county, u.sector, u.size, s.department,
    cast(p.unit_id not in (select unit_id from on_roster(on_day)) as integer) as numerator,
    1 as denominator, false as without_rule
from (select distinct unit_id from in_force(on_day)) as p
left join unit as u using (unit_id)
left join sector as s on s.code = u.sector;

create or replace macro renewal_rate(since, before, grace_days := 0) as table
with due as (
    select p.*
    from seen_policy as p
    where
        p.policy_type = 'annual'
        and p.expiry >= since and p.expiry < before and p.expiry <= o()
        and p.cancelled_on is null
        and exists (
            from roster_entry as r
            where r.unit_id = p.unit_id and r.valid_from <= p.expiry and p.expiry < r.valid_to
        )
)
select
    p.county, p.sector, p.size, p.insurer, p.department,
    cast(exists (
        from seen_policy as n
        where
            n.unit_id = p.unit_id
            and n.policy_no != p.policy_no
            and n.inception <= p.expiry + grace_days
            and n.term_end > p.expiry
    ) as integer) as numerator,
    1 as denominator, false as without_rule
from due as p;

create or replace macro lapse_rate(since, before) as table
with entry_days as (
    select r.unit_id, r.sector, r.valid_from, r.county, r.size, r.department, a.day
    from roster_entry as r
    join axis as a on a.day >= r.valid_from and a.day < r.valid_to
    where a.day >= since and a.day < before and a.day <= o()
),
covered as (
    select distinct p.unit_id, a.day
    from seen_policy as p
    join axis as a on a.day >= p.inception and a.day < p.term_end
    where a.day >= since and a.day < before and a.day <= o()
)
select
    e.county, e.sector, e.size, e.department,
    count(*) filter (c.day is null) as numerator, count(*) as denominator, false as without_rule
from entry_days as e
left join covered as c on c.unit_id = e.unit_id and c.day = e.day
group by e.unit_id, e.valid_from, e.county, e.sector, e.size, e.department;

create or replace macro cancellation_rate(since, before) as table
select
    county, sector, size, insurer, department,
    cast(coalesce(
        cancelled_on >= since and cancelled_on < before and cancel_reason is distinct from 'closure', false
    ) as integer) as numerator,
    1 as denominator, false as without_rule
from seen_policy
where inception < before and expiry > since and coalesce(cancelled_on >= since, true);

create or replace macro register_completeness_rate(on_day) as table
select
    r.county, r.sector, r.size, r.department,
    (u.employees is not null)::integer + (u.size is not null)::integer + (u.risk_level is not null)::integer
    + (u.standardisation_level is not null)::integer + (u.industry_code is not null)::integer as numerator,
    5 as denominator, false as without_rule
from on_roster(on_day) as r
left join unit as u using (unit_id);
