-- How the feeds report, from the books of the release. The observation day plays no part: the books
-- say what was known at the release.

create or replace macro reporting_timeliness_rate(since, before) as table
select
    s.feed_id as feed, f.reporter, f.dataset, f.region_code as county, f.department,
    cast(exists (
        from book_batch as b
        where
            (b.batch_id = s.fulfilled_by or (b.feed_id = s.feed_id and b.slot_at = s.slot_at))
            and b.state = 'published'
            and b.landed_at <= s.due_at
    ) as integer) as numerator,
    1 as denominator, false as without_rule
from book_slot as s
left join book_feed as f using (feed_id)
where
    shanghai_day(s.due_at) >= since and shanghai_day(s.due_at) < before
    and s.due_at < (select published_at from book_release);

create or replace macro reporting_completeness_rate(since, before) as table
select
    b.feed_id as feed, b.reporter, b.dataset, f.region_code as county, f.department,
    case when b.state = 'published' then b.rows_read - coalesce(q.lost, 0) else 0 end as numerator,
    b.rows_read as denominator, false as without_rule
from book_batch as b
left join book_feed as f using (feed_id)
left join (
    select batch_id, count(*) as lost
    from book_quarantine
    where state in ('held', 'discarded')
    group by all
) as q using (batch_id)
where shanghai_day(b.landed_at) >= since and shanghai_day(b.landed_at) < before
    -- A batch without records has no case.
    and b.rows_read > 0;
