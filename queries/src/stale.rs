//! Feeds that are behind: what an answer cannot know yet.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use datafusion::arrow::array::AsArray;
use datafusion::arrow::datatypes::DataType;
use datafusion::logical_expr::cast;
use datafusion::prelude::{DataFrame, SessionContext, col};

use crate::error::Result;
use crate::statement::{Statement, Value};

/// For each feed its latest slot whose deadline was over; listed where nothing fulfilled it.
const SQL: &str = "
    select latest.feed_id
    from (
        select
            slot.feed_id,
            slot.fulfilled_by,
            row_number() over (partition by slot.feed_id order by slot.slot_at desc) as place
        from system.slot_state as slot
        where slot.due_at <= cast($published_at as timestamp)
    ) as latest
    where latest.place = 1 and latest.fulfilled_by is null
    order by latest.feed_id";

/// The feeds whose latest due slot is unfulfilled, as the slots stood at the release.
pub(crate) async fn stale_feeds(session: &SessionContext, published_at: DateTime<Utc>) -> Result<Vec<String>> {
    let at = Value::Text(published_at.naive_utc().to_string());
    let plan = Statement::parse(SQL)?.bind(&BTreeMap::from([("published_at".to_owned(), at)]))?;
    let plan = plan.plan(session).await?;
    let rows = DataFrame::new(session.state(), plan).select(vec![cast(col("feed_id"), DataType::Utf8)])?;
    let mut feeds = Vec::new();
    for batch in rows.collect().await? {
        feeds.extend(batch.column(0).as_string::<i32>().iter().flatten().map(str::to_owned));
    }
    Ok(feeds)
}
