-- Grain: one row per service finished in [$from, $to) that cannot have been given as it is recorded.
-- An expert is one name within one agency, or within one insurer where it serves itself.
with
given as (
    select
        service.service_no,
        service.unit_id,
        service.service_type,
        case when service.provider_kind = 'agency' then service.agency_uscc end as agency,
        service.insurer_code,
        service.region_code,
        service.sector,
        case
            when service.provider_kind = 'agency' then 'agency ' || service.agency_uscc
            else 'insurer ' || service.insurer_code
        end as provider,
        service.lead_expert,
        service.started_at,
        service.finished_at,
        local_date(service.started_at) as started_on,
        local_date(service.finished_at) as finished_on,
        -- Instants: a confirmation an hour before the end is before it.
        coalesce(service.unit_confirmed_at < service.finished_at, false)
            or coalesce(service.insurer_confirmed_at < service.finished_at, false) as is_confirmed_early,
        service.batch_id,
        service.row_no
    from seen.service as service
    where service.finished_at is not null
),
-- Services that overlap share a day, so that few of them need to be compared.
day_of_service as (
    select
        given.service_no,
        given.unit_id,
        given.provider,
        given.lead_expert,
        given.started_at,
        given.finished_at,
        unnest(generate_series(given.started_on, given.finished_on, interval '1 day')) as day
    from given
    where given.started_at is not null
),
overlapping as (
    select distinct one.service_no
    from day_of_service as one
    inner join day_of_service as other
        on other.provider = one.provider
        and other.lead_expert = one.lead_expert
        and other.day = one.day
    where
        other.unit_id <> one.unit_id
        and other.started_at < one.finished_at
        and one.started_at < other.finished_at
),
crowded as (
    select
        given.provider,
        given.lead_expert,
        given.finished_on,
        count(*) as services
    from given
    where given.service_type in ('T2', 'T4')
    group by given.provider, given.lead_expert, given.finished_on
    having count(*) > $most_a_day
),
judged as (
    select
        given.service_no,
        given.agency,
        given.insurer_code,
        given.region_code,
        given.sector,
        given.finished_on,
        given.is_confirmed_early,
        overlapping.service_no is not null as is_overlapping,
        crowded.services is not null as is_crowded,
        given.batch_id,
        given.row_no
    from given
    left join overlapping on overlapping.service_no = given.service_no
    left join crowded
        on crowded.provider = given.provider
        and crowded.lead_expert = given.lead_expert
        and crowded.finished_on = given.finished_on
        and given.service_type in ('T2', 'T4')
    where
        given.finished_on >= $from
        and given.finished_on < $to
)
select
    'sham_service' as kind,
    case when judged.agency is null then 'insurer' else 'agency' end as subject_kind,
    coalesce(judged.agency, judged.insurer_code) as subject_id,
    judged.region_code,
    judged.sector,
    judged.insurer_code,
    judged.finished_on as since,
    concat_ws(
        ',',
        case when judged.is_confirmed_early then 'confirmed_early' end,
        case when judged.is_overlapping then 'overlapping' end,
        case when judged.is_crowded then 'too_many_a_day' end
    ) as detail,
    'service' as dataset,
    judged.service_no as key,
    judged.batch_id,
    judged.row_no
from judged
where judged.is_confirmed_early or judged.is_overlapping or judged.is_crowded
