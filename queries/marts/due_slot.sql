-- Grain: one row per slot whose deadline was over before the release, with whether a batch landed for it by
-- then. A batch counts for the slot it landed for, and bytes that a source gave again for the slots they
-- fulfilled again. A slot for which nothing ever ran is a row like any other.
with
published as (
    select max(known.published_at) as moment
    from system.release as known
),
due as (
    select
        slot.feed_id,
        slot.slot_at,
        slot.due_at,
        slot.fulfilled_by
    from system.slot_state as slot
    cross join published
    where slot.due_at < published.moment
),
landed as (
    select
        batch.batch_id,
        batch.feed_id,
        batch.slot_at,
        batch.landed_at
    from system.batch as batch
    where batch.state = 'published'
),
of_slot as (
    select
        due.feed_id,
        due.slot_at
    from due
    inner join landed on landed.feed_id = due.feed_id and landed.slot_at = due.slot_at
    where landed.landed_at <= due.due_at
    union all
    select
        due.feed_id,
        due.slot_at
    from due
    inner join landed on landed.batch_id = due.fulfilled_by
    where landed.landed_at <= due.due_at
),
in_time as (
    select distinct
        of_slot.feed_id,
        of_slot.slot_at
    from of_slot
)
select
    due.feed_id,
    due.slot_at,
    due.due_at,
    local_date(due.due_at) as due_on,
    due.fulfilled_by,
    in_time.feed_id is not null as was_in_time
from due
left join in_time on in_time.feed_id = due.feed_id and in_time.slot_at = due.slot_at
