-- Prevention services and the hazards found in them.

create or replace macro service_coverage_rate(on_day) as table
select
    p.county, p.sector, p.size, p.insurer, p.department,
    cast(exists (
        from seen_service as v
        where
            v.valid and v.policy_no = p.policy_no and v.unit_id = p.unit_id
            and v.finished_on >= p.inception and v.finished_on <= on_day
    ) as integer) as numerator,
    1 as denominator, false as without_rule
from in_force(on_day) as p;

create or replace macro service_frequency_rate(on_day) as table
with served as (
    select p.policy_no, p.unit_id, count(*) as services
    from in_force(on_day) as p
    join seen_service as v on v.policy_no = p.policy_no and v.unit_id = p.unit_id
    where v.valid and v.finished_on >= p.inception and v.finished_on <= on_day
    group by all
),
judged as (
    select
        p.*, coalesce(s.services, 0) as services,
        visits_due_at(p.county, p.sector, p.size, p.inception) as visits_per_year
    from in_force(on_day) as p
    left join served as s on s.policy_no = p.policy_no and s.unit_id = p.unit_id
)
select
    county, sector, size, insurer, department,
    case when visits_per_year is not null
        then cast(services >= (visits_per_year * (on_day - inception)) // 365 as integer) end as numerator,
    case when visits_per_year is not null then 1 end as denominator,
    visits_per_year is null as without_rule
from judged;

create or replace macro service_plan_completion_rate(since, before) as table
select
    county, sector, insurer, department, service_type, agency,
    cast(coalesce(finished_on < before, false) as integer) as numerator,
    1 as denominator, false as without_rule
from seen_service
where planned_on >= since and planned_on < before and declined_on is null;

create or replace macro finished_services(since, before) as table
select * from seen_service where finished_on >= since and finished_on < before;

create or replace macro service_record_completeness_rate(since, before) as table
select
    county, sector, insurer, department, service_type, agency,
    cast(
        confirmed and place is not null and lead_expert is not null and items is not null
        and measures is not null and record_uri is not null as integer
    ) as numerator,
    1 as denominator, false as without_rule
from finished_services(since, before);

create or replace macro service_satisfaction(since, before) as table
select
    county, sector, insurer, department, service_type, agency,
    satisfaction as numerator, 1 as denominator, false as without_rule
from finished_services(since, before)
where satisfaction is not null;

create or replace macro service_norm_rate(on_day) as table
select
    s.code as sector, z.size, s.department,
    cast(exists (
        from service_norm as n
        where
            n.sector = s.code and n.size = z.size
            and n.effective_from <= on_day and on_day <= coalesce(n.effective_to, date '9999-12-31')
    ) as integer) as numerator,
    1 as denominator, false as without_rule
from sector as s
cross join (select unnest(['L', 'M', 'S', 'XS']) as size) as z
where s.high_hazard;

create or replace macro agency_service_share(since, before) as table
select
    county, sector, insurer, department, service_type,
    cast(provider_kind = 'agency' as integer) as numerator, 1 as denominator, false as without_rule
from finished_services(since, before)
where valid;

create or replace macro agency_compliance_rate(since, before) as table
select
    v.county, v.sector, v.insurer, v.department, v.agency,
    cast(qualified(v.agency, v.finished_on) as integer) as numerator,
    1 as denominator, false as without_rule
from finished_services(since, before) as v
where v.provider_kind = 'agency';

-- A hazard is a case of its own, because its size is that of its own unit.
create or replace macro hazards_per_service(since, before) as table
select
    county, sector, size, insurer, department, service_type, agency,
    0 as numerator, 1 as denominator, false as without_rule
from finished_services(since, before)
where valid
union all
select county, sector, size, insurer, department, service_type, agency, 1, null, false
from seen_hazard
where service_valid and service_finished_on >= since and service_finished_on < before;

create or replace macro hazard_rectification_rate(since, before) as table
select
    county, sector, size, insurer, department,
    cast(verified_on is not null as integer) as numerator, 1 as denominator, false as without_rule
from seen_hazard
where found_on >= since and found_on < before;

create or replace macro hazard_on_time_rate(since, before) as table
select
    county, sector, size, insurer, department,
    cast(coalesce(rectified_on <= due_on, false) as integer) as numerator,
    1 as denominator, false as without_rule
from seen_hazard
where found_on >= since and found_on < before and due_on < o();

create or replace macro major_hazard_notice_rate(since, before) as table
select
    county, sector, size, insurer, department,
    case when hours is not null then cast(coalesce(
        epoch_us(department_notified_at) - epoch_us(found_at) <= hours * 3600000000, false
    ) as integer) end as numerator,
    case when hours is not null then 1 end as denominator,
    hours is null as without_rule
from (
    select h.*, rule_at('major_hazard_notice_hours', h.county, h.sector, h.found_on) as hours
    from seen_hazard as h
    where h.grade = 'major' and h.found_on >= since and h.found_on < before
);
