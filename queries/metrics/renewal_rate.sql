-- Grain: one row per annual policy that ran out in [$from, $to), up to the observation day, while
-- its unit stood on the roster.
with
expired as (
    select
        policy.policy_no,
        policy.unit_id,
        policy.expiry,
        policy.county,
        policy.sector,
        policy.size,
        policy.insurer,
        policy.dataset,
        policy.key,
        policy.batch_id,
        policy.row_no
    from placed_policy as policy
    where
        policy.policy_type = 'annual'
        and policy.expiry >= $from
        and policy.expiry < $to
        and policy.expiry <= $observed_until
        and policy.cancelled_on is null
        and exists (
            select 1
            from roster as entry
            where
                entry.unit_id = policy.unit_id
                and on_roster(entry.valid_from, entry.valid_to, policy.expiry)
        )
),
-- Another policy of the unit, with any insurer, that takes over in time and lasts beyond.
succeeded as (
    select distinct
        expired.policy_no,
        expired.unit_id
    from expired
    inner join seen.policy as successor
        on successor.unit_id = expired.unit_id
        and successor.policy_no <> expired.policy_no
    where
        successor.inception - expired.expiry <= $grace_days
        and term_end(successor.expiry, successor.cancelled_on) > expired.expiry
)
select
    expired.county,
    expired.sector,
    expired.size,
    expired.insurer,
    case when succeeded.policy_no is not null then 1 else 0 end as numerator,
    1 as denominator,
    expired.dataset,
    expired.key,
    expired.batch_id,
    expired.row_no
from expired
left join succeeded
    on succeeded.policy_no = expired.policy_no
    and succeeded.unit_id = expired.unit_id
