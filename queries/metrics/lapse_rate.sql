-- Grain: one row per roster entry that stands on a day of [$from, $to), up to the observation day,
-- with its days (denominator) and those without a policy of its unit in force (numerator).
with
entry as (
    select
        placed.unit_id,
        greatest(placed.valid_from, $from) as first_day,
        least(coalesce(placed.valid_to, $to), $to, $observed_until + 1) as end_day,
        placed.county,
        placed.sector,
        placed.size,
        placed.department,
        placed.dataset,
        placed.key,
        placed.batch_id,
        placed.row_no
    from placed_roster as placed
    where
        placed.valid_from < $to
        and placed.valid_from <= $observed_until
        and (placed.valid_to is null or placed.valid_to > $from)
),
term as (
    select
        policy.unit_id,
        policy.policy_no,
        policy.inception as first_day,
        term_end(policy.expiry, policy.cancelled_on) as end_day
    from seen.policy as policy
    where
        policy.inception < $to
        and policy.inception <= $observed_until
        and term_end(policy.expiry, policy.cancelled_on) > $from
        and term_end(policy.expiry, policy.cancelled_on) > policy.inception
),
-- Where the terms before have all ended, a stretch without a gap begins.
reached as (
    select
        term.unit_id,
        term.policy_no,
        term.first_day,
        term.end_day,
        max(term.end_day) over (
            partition by term.unit_id
            order by term.first_day, term.policy_no
            rows between unbounded preceding and 1 preceding
        ) as covered_until
    from term
),
numbered as (
    select
        reached.unit_id,
        reached.first_day,
        reached.end_day,
        sum(case when reached.covered_until >= reached.first_day then 0 else 1 end) over (
            partition by reached.unit_id
            order by reached.first_day, reached.policy_no
            rows between unbounded preceding and current row
        ) as stretch
    from reached
),
covered as (
    select
        numbered.unit_id,
        min(numbered.first_day) as first_day,
        max(numbered.end_day) as end_day
    from numbered
    group by numbered.unit_id, numbered.stretch
),
entry_cover as (
    select
        entry.key,
        sum(least(covered.end_day, entry.end_day) - greatest(covered.first_day, entry.first_day)) as days
    from entry
    inner join covered on covered.unit_id = entry.unit_id
    where
        covered.first_day < entry.end_day
        and covered.end_day > entry.first_day
    group by entry.key
)
select
    entry.county,
    entry.sector,
    entry.size,
    entry.department,
    entry.end_day - entry.first_day - coalesce(entry_cover.days, 0) as numerator,
    entry.end_day - entry.first_day as denominator,
    entry.dataset,
    entry.key,
    entry.batch_id,
    entry.row_no
from entry
left join entry_cover on entry_cover.key = entry.key
where entry.end_day > entry.first_day
