-- Leads: kind, subject and the key of the row. `on_day` is for kinds of a day, `since` and `before` for
-- those of a period. Run once, after the subjects.

create or replace macro uncovered(on_day) as table
select
    r.unit_id, concat_ws(',', r.unit_id, r.sector, r.valid_from) as key,
    exists (
        from seen_policy as p
        where p.unit_id = r.unit_id and p.inception <= on_day and p.inception < p.term_end
    ) as was_insured
from on_roster(on_day) as r
where r.unit_id not in (select unit_id from in_force(on_day));

create or replace macro unlisted(on_day) as table
select
    u.unit_id,
    exists (
        from roster_entry as r
        where r.unit_id = u.unit_id and r.valid_from <= on_day and r.valid_from < r.valid_to
    ) as was_listed
from unit as u
join sector as s on s.code = u.sector
where u.status = 'open' and s.high_hazard and u.unit_id not in (select unit_id from on_roster(on_day));

create or replace macro unpaid(on_day, days := 60) as table
with first_row as (
    select distinct on (policy_no) policy_no, unit_id, inception, cancelled_on
    from seen_policy
    order by policy_no, unit_id
),
owed as (
    select policy_no, sum(premium_written) as amount
    from seen_policy
    group by all
),
paid as (
    select policy_no, sum(amount) as amount
    from seen_receipt
    where received_on <= on_day
    group by all
)
select f.policy_no, f.unit_id
from first_row as f
join owed as o using (policy_no)
left join paid as p using (policy_no)
where
    f.inception + days <= on_day
    and coalesce(f.cancelled_on > on_day, true)
    and coalesce(p.amount, 0) < o.amount;

create or replace macro sham(since, before) as table
with given as (
    select
        service_no, unit_id, service_type, insurer_code,
        case when provider_kind = 'agency' then agency_uscc end as agency_uscc,
        case provider_kind when 'agency' then 'a' || agency_uscc else 'i' || insurer_code end as house,
        lead_expert, started_at, finished_at, shanghai_day(finished_at) as finished_on,
        case when shanghai_day(unit_confirmed_at) <= o() then unit_confirmed_at end as unit_at,
        case when shanghai_day(insurer_confirmed_at) <= o() then insurer_confirmed_at end as insurer_at,
        case when shanghai_day(started_at) <= o() then started_at end as began_at
    from service
    where shanghai_day(finished_at) <= o()
),
busy as (
    select house, lead_expert, finished_on
    from given
    where service_type in ('T2', 'T4') and house is not null and lead_expert is not null
    group by all
    having count(*) > 6
),
-- Each service beside the latest end among those of the same expert that began before it; and turned round.
clashes as (
    select a.service_no
    from given as a
    join given as b on b.house = a.house and b.lead_expert = a.lead_expert
    where
        a.unit_id != b.unit_id
        and b.began_at < a.finished_at
        and a.began_at < b.finished_at
)
select g.service_no, coalesce(g.agency_uscc, g.insurer_code) as subject
from given as g
where
    g.finished_on >= since and g.finished_on < before
    and (
        coalesce(least(g.unit_at, g.insurer_at) < g.finished_at, false)
        or g.service_no in (select service_no from clashes)
        or (g.service_type in ('T2', 'T4') and (g.house, g.lead_expert, g.finished_on) in (from busy))
    );

create or replace macro spent_outside(on_day) as table
with span as (
    select make_date(cast(year(on_day) as integer), 1, 1) as since
),
sums as (
    select
        r.insurer, sum(r.amount) as collected,
        coalesce((
            select sum(l.amount)
            from ledger as l
            where
                l.insurer_code = r.insurer and l.compliant
                and l.booked_on >= any_value(span.since) and l.booked_on <= on_day
        ), 0) as spent
    from seen_receipt as r
    cross join span
    where r.received_on >= span.since and r.received_on <= on_day
    group by r.insurer
    having sum(r.amount) > 0
)
select
    insurer,
    spent < rule_at('prevention_spend_floor', '330000', null, on_day) * collected as is_below,
    spent > rule_at('prevention_spend_cap', '330000', null, on_day) * collected as is_above
from sums;

create or replace macro overdue_claims(on_day) as table
select claim_no, insurer
from seen_claim as c
where
    (coalesce(documents_on + cast(rule_at('claim_assess_days', c.county, c.sector, documents_on) as integer) < on_day, false)
        and coalesce(assessed_on > on_day, true))
    or (coalesce(agreed_on + cast(rule_at('claim_pay_days', c.county, c.sector, agreed_on) as integer) < on_day, false)
        and coalesce(paid_on > on_day, true))
    or (coalesce(refused_on + cast(rule_at('claim_refuse_days', c.county, c.sector, refused_on) as integer) < on_day, false)
        and coalesce(refusal_notified_on > on_day, true));

create or replace macro markets(on_day) as table
with receipts as (
    select
        s.county, s.sector, s.insurer, s.amount,
        (select min(p.unit_id) from policy as p where p.policy_no = s.policy_no) as unit_id
    from seen_receipt as s
    where s.received_on > on_day - interval 12 month and s.received_on <= on_day
),
market as (
    select county, sector, sum(amount) as amount, count(distinct unit_id) as units
    from receipts
    where county is not null and sector is not null
    group by all
),
party as (
    select county, sector, insurer, sum(amount) as amount
    from receipts
    group by all
)
select m.county || ',' || m.sector as subject, p.insurer
from market as m
join party as p on p.county = m.county and p.sector = m.sector
where m.amount > 0 and m.units >= 10 and 10 * p.amount >= 9 * m.amount;

create or replace macro late_slots(since, before) as table
select s.feed_id, s.slot_at, coalesce(f.reporter, s.feed_id) as subject
from book_slot as s
left join book_feed as f using (feed_id)
where
    shanghai_day(s.due_at) >= since and shanghai_day(s.due_at) < before
    and s.due_at < (select published_at from book_release)
    and not exists (
        from book_batch as b
        where
            (b.batch_id = s.fulfilled_by or (b.feed_id = s.feed_id and b.slot_at = s.slot_at))
            and b.state = 'published'
            and b.landed_at <= s.due_at
    );

-- The policies of a period's or a day's cases, by their keys.
create or replace macro policy_key(policy_no, unit_id) as policy_no || ',' || unit_id;

create or replace macro floated_wrongly(since, before) as table
select p.policy_no, p.unit_id, p.insurer
from seen_policy as p
where
    p.inception >= since and p.inception < before and p.inception <= o() and p.float_factor is not null
    and exists (from seen_policy as q where q.unit_id = p.unit_id and q.inception < p.inception)
    and (p.float_factor > 1) != exists (
        from seen_claim as c
        where
            c.unit_id = p.unit_id and c.paid_amount > 0 and c.paid_on <= p.inception
            and c.policy_no = (
                select arg_max(q.policy_no, {'start': q.inception, 'number': q.policy_no})
                from seen_policy as q
                where q.unit_id = p.unit_id and q.inception < p.inception
            )
    );

create or replace macro priced_low(since, before) as table
with rated as (
    select
        *,
        ln(cast(premium_written as double) / (insured_persons * cast(death_limit_per_person as double))) as x
    from seen_policy
    where premium_written > 0 and insured_persons > 0 and death_limit_per_person > 0
),
centred as (
    select
        *,
        median(x) over (partition by sector, size) as middle,
        count(*) over (partition by sector, size) as policies
    from rated
),
spread as (
    select *, median(abs(x - middle)) over (partition by sector, size) as mad
    from centred
)
select policy_no, unit_id, insurer
from spread
where
    inception >= since and inception < before and inception <= o()
    and policies >= 30 and mad > 0 and middle - x > 3 * cast(1.4826 as double) * mad;

create or replace macro leads(on_day, since, before) as table
select case when was_insured then 'lapsed' else 'uninsured' end as kind, unit_id as subject, key from uncovered(on_day)
union all
select case when was_listed then 'removed_from_roster' else 'missing_from_roster' end, unit_id, unit_id
from unlisted(on_day)
union all
select 'under_headcount', r.unit_id, concat_ws(',', r.unit_id, r.sector, r.valid_from)
from on_roster(on_day) as r
join (select unit_id, sum(insured_persons) as persons from in_force(on_day) group by all) as c using (unit_id)
where r.employees > 0 and c.persons < r.employees
union all
select 'under_limit', unit_id, policy_key(policy_no, unit_id)
from in_force(on_day) as p
where coalesce(death_limit_per_person, -1) < rule_at('min_death_limit', p.county, p.sector, p.inception)
union all
select 'cancelled_without_cause', unit_id, policy_key(policy_no, unit_id)
from seen_policy
where
    cancelled_on >= since and cancelled_on < before and cancel_reason is distinct from 'closure'
    and inception < before and expiry > since
union all
select
    'premium_from_employees',
    coalesce((select min(p.unit_id) from policy as p where p.policy_no = r.policy_no), 'unknown'), r.receipt_no
from seen_receipt as r
where r.payer_kind = 'employee' and r.received_on >= since and r.received_on < before
union all
select 'premium_unpaid', unit_id, policy_key(policy_no, unit_id) from unpaid(on_day)
union all
select 'commission_over_cap', insurer, policy_key(policy_no, unit_id)
from seen_policy as p
where
    inception >= since and inception < before and inception <= o()
    and commission_rate > rule_at('commission_cap', p.county, p.sector, p.inception)
union all
select 'rate_not_floated', insurer, policy_key(policy_no, unit_id) from floated_wrongly(since, before)
union all
select 'low_price', insurer, policy_key(policy_no, unit_id) from priced_low(since, before)
union all
select 'no_service', insurer, policy_key(policy_no, unit_id)
from in_force(on_day) as p
where
    p.inception + 90 <= on_day
    and not exists (
        from seen_service as v
        where
            v.valid and v.policy_no = p.policy_no and v.unit_id = p.unit_id
            and v.finished_on between p.inception and on_day
    )
union all
select 'service_below_norm', insurer, policy_key(policy_no, unit_id)
from in_force(on_day) as p
where (
    select count(*)
    from seen_service as v
    where
        v.valid and v.policy_no = p.policy_no and v.unit_id = p.unit_id
        and v.finished_on between p.inception and on_day
) < (visits_due_at(p.county, p.sector, p.size, p.inception) * (on_day - p.inception)) // 365
union all
select 'sham_service', subject, service_no from sham(since, before)
union all
select about.kind, l.insurer_code, l.line_no || ',' || l.insurer_code
from ledger as l
cross join (values ('pre_accrued'), ('ringfence_violation'), ('diverted_funds')) as about (kind)
where
    l.booked_on >= since and l.booked_on < before
    and case about.kind
        when 'pre_accrued' then list_contains(l.findings, 'pre_accrued')
        when 'ringfence_violation' then not l.compliant
        else list_has_any(l.findings, ['ineligible_category', 'wrong_insurer'])
    end
union all
select 'spend_below_floor', insurer, insurer from spent_outside(on_day) where is_below
union all
select 'spend_above_cap', insurer, insurer from spent_outside(on_day) where is_above
union all
select 'major_hazard_unreported', coalesce(insurer, 'unknown'), hazard_no
from seen_hazard as h
where
    grade = 'major' and found_on >= since and found_on < before
    -- The observation day ends at 16:00 UTC.
    and epoch_us(coalesce(department_notified_at, cast(o() as timestamp) + interval 16 hour)) - epoch_us(found_at)
        > rule_at('major_hazard_notice_hours', h.county, h.sector, h.found_on) * 3600000000
union all
select 'hazard_overdue', (select x.unit_id from hazard as x where x.hazard_no = h.hazard_no), hazard_no
from seen_hazard as h
where found_on <= on_day and due_on < on_day and coalesce(verified_on > on_day, true)
union all
select 'claim_overdue', insurer, claim_no from overdue_claims(on_day)
union all
select 'uninsured_accident', a.unit_id, a.accident_no
from seen_accident as a
where
    a.occurred_on >= since and a.occurred_on < before
    and not exists (
        from seen_policy as p
        where p.unit_id = a.unit_id and p.inception <= a.occurred_on and a.occurred_on < p.term_end
    )
union all
select 'unclaimed_accident', a.unit_id, a.accident_no
from seen_accident as a
where
    a.occurred_on >= since and a.occurred_on < before and a.occurred_on + 30 <= o()
    and (a.deaths > 0 or a.serious_injuries > 0)
    and exists (
        from seen_policy as p
        where p.unit_id = a.unit_id and p.inception <= a.occurred_on and a.occurred_on < p.term_end
    )
    and not exists (
        from seen_claim as c
        where
            (c.accident_no = a.accident_no or (c.unit_id = a.unit_id and c.accident_on = a.occurred_on))
            and c.reported_on between a.occurred_on and a.occurred_on + 30
    )
union all
select 'late_reporting', subject, feed_id || ',' || strftime(slot_at, '%Y-%m-%dT%H:%M:%SZ') from late_slots(since, before)
union all
select 'market_division', subject, insurer from markets(on_day);
