-- What cover costs and who pays.

create or replace macro premium_collection_rate(since, before) as table
select
    county, sector, insurer, department,
    0.00 as numerator, premium_written as denominator, false as without_rule
from seen_policy
where inception >= since and inception < before
union all
select county, sector, insurer, department, amount, null, false
from seen_receipt
where policy_inception >= since and policy_inception < before;

create or replace macro premium_payer_compliance_rate(since, before) as table
select
    county, sector, insurer, department,
    case when payer_kind = 'unit' then amount else 0.00 end as numerator,
    amount as denominator, false as without_rule
from seen_receipt
where received_on >= since and received_on < before;

create or replace macro average_premium_per_person(since, before) as table
select
    county, sector, size, insurer, department,
    premium_written as numerator, insured_persons as denominator, false as without_rule
from seen_policy
where inception >= since and inception < before;

create or replace macro commission_compliance_rate(since, before) as table
select
    county, sector, insurer, department,
    case when cap is not null then cast(commission_rate <= cap as integer) end as numerator,
    case when cap is not null then 1 end as denominator,
    cap is null as without_rule
from (
    select p.*, rule_at('commission_cap', p.county, p.sector, p.inception) as cap
    from seen_policy as p
    where
        p.inception >= since and p.inception < before and p.inception <= o()
        and p.commission_rate is not null
);

create or replace macro rate_floating_rate(since, before) as table
with with_previous as (
    select distinct on (p.policy_no, p.unit_id) p.*, q.policy_no as previous_no
    from seen_policy as p
    join seen_policy as q on q.unit_id = p.unit_id and q.inception < p.inception
    where
        p.inception >= since and p.inception < before and p.inception <= o()
        and p.float_factor is not null
    order by p.policy_no, p.unit_id, q.inception desc, q.policy_no desc
),
judged as (
    select
        w.*,
        exists (
            from seen_claim as c
            where
                c.policy_no = w.previous_no and c.unit_id = w.unit_id
                and c.paid_amount > 0 and c.paid_on <= w.inception
        ) as claimed
    from with_previous as w
)
select
    county, sector, size, insurer, department,
    cast(case when claimed then float_factor > 1 else float_factor <= 1 end as integer) as numerator,
    1 as denominator, false as without_rule
from judged;

-- Medians are of all policies of the release that have the three numbers, whatever their inception.
create or replace macro low_price_policies(since, before, deviations := 3, scale := 1.4826, least_group := 30) as table
with rated as (
    select
        *,
        ln(cast(premium_written as double) / (insured_persons * cast(death_limit_per_person as double))) as x
    from seen_policy
    where premium_written > 0 and insured_persons > 0 and death_limit_per_person > 0
),
middles as (
    select sector, size, median(x) as middle, count(*) as policies
    from rated
    group by all
),
spreads as (
    select r.sector, r.size, median(abs(r.x - m.middle)) as mad
    from rated as r
    join middles as m on m.sector = r.sector and m.size is not distinct from r.size
    group by all
)
select
    r.county, r.sector, r.size, r.insurer, r.department,
    cast(s.mad > 0 and m.middle - r.x > cast(deviations as double) * cast(scale as double) * s.mad as integer)
        as numerator,
    1 as denominator, false as without_rule
from rated as r
join middles as m on m.sector = r.sector and m.size is not distinct from r.size
join spreads as s on s.sector = r.sector and s.size is not distinct from r.size
where
    r.inception >= since and r.inception < before and r.inception <= o()
    and m.policies >= least_group;

-- The index of a group is worked out from its receipts outside.
create or replace macro market_concentration(since, before) as table
select county, sector, insurer, department, amount, 0 as numerator, 1 as denominator, false as without_rule
from seen_receipt
where received_on >= since and received_on < before;
