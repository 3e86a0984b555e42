-- What is seen on the observation day: rows whose own event is later are absent, later events read as
-- null. Each row has the dimensions of its figures: county, sector, size, insurer, department.
-- Run again whenever the variable `o` changes.

create or replace temp table seen_policy as
select
    p.policy_no, p.unit_id, p.region_code as county, p.sector, u.size, p.insurer_code as insurer, s.department,
    p.policy_type, p.inception, p.expiry, known(p.cancelled_on) as cancelled_on,
    case when p.cancelled_on <= o() then p.cancel_reason end as cancel_reason,
    coalesce(known(p.cancelled_on), p.expiry) as term_end,
    p.premium_written, p.commission_rate, p.death_limit_per_person, p.insured_persons, p.float_factor
from policy as p
left join unit as u using (unit_id)
left join sector as s on s.code = p.sector;

-- A receipt belongs to the first row of its policy, by unit.
create or replace temp table seen_receipt as
with first_row as (
    select distinct on (policy_no) policy_no, county, sector, department, inception
    from seen_policy
    order by policy_no, unit_id
)
select
    r.receipt_no, r.policy_no, p.county, p.sector, r.insurer_code as insurer, p.department,
    p.inception as policy_inception, r.amount, r.received_on, r.payer_kind
from premium_receipt as r
left join first_row as p using (policy_no)
where r.received_on <= o();

create or replace temp table seen_service as
select
    v.service_no, v.policy_no, v.unit_id, v.region_code as county, v.sector, u.size, v.insurer_code as insurer,
    s.department, v.service_type, v.provider_kind, v.agency_uscc as agency, v.planned_on,
    known(v.declined_on) as declined_on, known(shanghai_day(v.finished_at)) as finished_on,
    known(shanghai_day(v.unit_confirmed_at)) is not null
    and known(shanghai_day(v.insurer_confirmed_at)) is not null as confirmed,
    known(shanghai_day(v.finished_at)) is not null
    and known(shanghai_day(v.unit_confirmed_at)) is not null
    and known(shanghai_day(v.insurer_confirmed_at)) is not null as valid,
    v.place, v.items, v.measures, v.record_uri, v.lead_expert, v.attendees, v.satisfaction
from service as v
left join unit as u using (unit_id)
left join sector as s on s.code = v.sector;

create or replace temp table seen_hazard as
select
    h.hazard_no, h.service_no, v.county, v.sector, u.size, v.insurer, v.department, v.service_type, v.agency,
    coalesce(v.valid, false) as service_valid, v.finished_on as service_finished_on,
    h.grade, h.found_at, shanghai_day(h.found_at) as found_on,
    case when shanghai_day(h.department_notified_at) <= o() then h.department_notified_at end
        as department_notified_at,
    h.due_on, known(h.rectified_on) as rectified_on, known(h.verified_on) as verified_on
from hazard as h
left join seen_service as v using (service_no)
left join unit as u on u.unit_id = h.unit_id
where shanghai_day(h.found_at) <= o();

create or replace temp table seen_claim as
select
    c.claim_no, c.policy_no, c.unit_id, p.county, p.sector, c.insurer_code as insurer, p.department, c.accident_no,
    known(shanghai_day(c.accident_at)) as accident_on, shanghai_day(c.reported_at) as reported_on,
    known(shanghai_day(c.documents_complete_at)) as documents_on,
    known(shanghai_day(c.assessed_at)) as assessed_on, known(shanghai_day(c.agreed_at)) as agreed_on,
    case when shanghai_day(c.advance_paid_at) <= o() then c.advance_amount end as advance_amount,
    known(shanghai_day(c.advance_paid_at)) as advance_paid_on,
    case when shanghai_day(c.paid_at) <= o() then c.paid_amount end as paid_amount,
    known(shanghai_day(c.paid_at)) as paid_on, c.reserve,
    known(shanghai_day(c.refused_at)) as refused_on,
    known(shanghai_day(c.refusal_notified_at)) as refusal_notified_on,
    known(shanghai_day(c.closed_at)) as closed_on, c.deaths
from claim as c
left join seen_policy as p using (policy_no, unit_id)
where shanghai_day(c.reported_at) <= o();

create or replace temp table seen_accident as
select
    a.accident_no, a.unit_id, a.region_code as county, a.sector, s.department,
    shanghai_day(a.occurred_at) as occurred_on, a.deaths, a.serious_injuries
from accident as a
left join sector as s on s.code = a.sector
where shanghai_day(a.occurred_at) <= o();

create or replace temp table seen_complaint as
select
    insurer_code as insurer, shanghai_day(received_at) as received_on, known(shanghai_day(replied_at)) as replied_on,
    coalesce(needs_verification, false) as needs_verification, coalesce(extended_days, 0) as extended_days
from complaint
where shanghai_day(received_at) <= o();

create or replace temp table seen_visit as
select visit_no, department, region_code as county, sector, visited_on
from visit
where visited_on <= o();

create or replace temp table seen_inspection as
select region_code as county, sector, department, violation, found_on, known(corrected_on) as corrected_on
from inspection
where found_on <= o();

create or replace temp table seen_expense as
select
    line_no, insurer_code, service_no, category, amount, booked_on, payee_uscc, voucher_no, reverses_line_no, budget_year
from expense
where booked_on <= o();
