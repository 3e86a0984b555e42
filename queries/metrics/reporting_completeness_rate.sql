-- Grain: one row per batch that landed in [$from, $to) with a record in it. Records held or discarded
-- are counted as they stand at the release: a replay takes them back.
select
    batch.feed_id as feed,
    batch.reporter,
    batch.dataset as of_dataset,
    feed.region_code as county,
    feed.department,
    batch.rows_read - batch.rows_quarantined as numerator,
    batch.rows_read as denominator,
    'batch' as dataset,
    batch.batch_id as key,
    batch.batch_id,
    cast(null as bigint) as row_no
from system.batch as batch
left join system.feed_state as feed on feed.feed_id = batch.feed_id
where
    local_date(batch.landed_at) >= $from
    and local_date(batch.landed_at) < $to
    and batch.rows_read > 0
