-- Grain: one row per claim with a statutory clock over by $as_of and not stopped: the one that ran out
-- first.
with
late as (
    select
        clock.claim_no,
        clock.rule_id,
        clock.days,
        $as_of - clock.started_on as waited,
        cast(clock.started_on + cast(clock.days as int) + 1 as date) as since,
        row_number() over (
            partition by clock.claim_no
            order by clock.started_on + cast(clock.days as int), clock.place
        ) as turn
    from claim_clock as clock
    where
        $as_of - clock.started_on > clock.days
        and (clock.stopped_on is null or clock.stopped_on > $as_of)
)
select
    'claim_overdue' as kind,
    'insurer' as subject_kind,
    claim.insurer as subject_id,
    claim.county as region_code,
    claim.sector,
    claim.insurer as insurer_code,
    late.since,
    claim.reserve as amount,
    claim.deaths as heads,
    late.rule_id,
    late.rule_id as occasion,
    late.waited as found,
    late.days as required,
    claim.dataset,
    claim.key,
    claim.batch_id,
    claim.row_no
from late
inner join placed_claim as claim on claim.claim_no = late.claim_no
where late.turn = 1
