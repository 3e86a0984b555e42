-- Grain: one row per slot whose deadline lies in [$from, $to) and was over before the release. A slot
-- for which nothing ever ran is a row like any other.
select
    due.feed_id as feed,
    feed.reporter,
    feed.dataset as of_dataset,
    feed.region_code as county,
    feed.department,
    case when due.was_in_time then 1 else 0 end as numerator,
    1 as denominator,
    'slot_state' as dataset,
    concat(due.feed_id, ',', cast(due.slot_at as varchar)) as key,
    due.fulfilled_by as batch_id,
    cast(null as bigint) as row_no
from due_slot as due
left join system.feed_state as feed on feed.feed_id = due.feed_id
where
    due.due_on >= $from
    and due.due_on < $to
