-- Grain: one row per claim and statutory clock that began and that a rule sets, with the day it stopped:
-- documents complete to assessed, agreed to paid, refused to notified. `place` is their order.
with
clock as (
    select
        claim.claim_no,
        1 as place,
        'claim_assess_days' as rule_id,
        local_date(claim.documents_complete_at) as started_on,
        local_date(claim.assessed_at) as stopped_on,
        claim.county,
        claim.sector
    from placed_claim as claim
    union all
    select
        claim.claim_no,
        2 as place,
        'claim_pay_days' as rule_id,
        local_date(claim.agreed_at) as started_on,
        local_date(claim.paid_at) as stopped_on,
        claim.county,
        claim.sector
    from placed_claim as claim
    union all
    select
        claim.claim_no,
        3 as place,
        'claim_refuse_days' as rule_id,
        local_date(claim.refused_at) as started_on,
        local_date(claim.refusal_notified_at) as stopped_on,
        claim.county,
        claim.sector
    from placed_claim as claim
),
timed as (
    select
        clock.claim_no,
        clock.place,
        clock.rule_id,
        clock.started_on,
        clock.stopped_on,
        rule_value(clock.rule_id, clock.county, clock.sector, clock.started_on) as days
    from clock
    where clock.started_on is not null
)
select
    timed.claim_no,
    timed.place,
    timed.rule_id,
    timed.started_on,
    timed.stopped_on,
    timed.days
from timed
where timed.days is not null
