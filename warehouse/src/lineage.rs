//! The lineage on every row: where it came from, down to the line of the landed file.

use datafusion::arrow::datatypes::{DataType, Field, TimeUnit};

/// The batch that brought the row.
pub const BATCH_ID: &str = "batch_id";
/// Number of the data record in the landed file, from 1.
pub const ROW_NO: &str = "row_no";
/// The feed.
pub const FEED_ID: &str = "feed_id";
/// Who answers for the feed.
pub const REPORTER: &str = "reporter";
/// When the bytes landed.
pub const LANDED_AT: &str = "landed_at";
/// The source's own clock, where the feed gives it.
pub const SOURCE_UPDATED_AT: &str = "source_updated_at";
/// Whose key it is: the reporter of the key's first accepted version (datasets.md, row rule 6).
pub const KEY_REPORTER: &str = "key_reporter";

/// Names of the lineage, in storage order.
pub const NAMES: [&str; 7] = [BATCH_ID, ROW_NO, FEED_ID, REPORTER, LANDED_AT, SOURCE_UPDATED_AT, KEY_REPORTER];

/// Whether a name is kept for lineage, so that no contract may use it.
pub fn is_lineage(name: &str) -> bool {
    NAMES.contains(&name)
}

/// The Arrow type of instants: microseconds in UTC.
pub fn instant() -> DataType {
    DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()))
}

/// The lineage columns, in storage order.
pub fn fields() -> Vec<Field> {
    vec![
        Field::new(BATCH_ID, DataType::Utf8, true),
        Field::new(ROW_NO, DataType::Int64, true),
        Field::new(FEED_ID, DataType::Utf8, true),
        Field::new(REPORTER, DataType::Utf8, true),
        Field::new(LANDED_AT, instant(), true),
        Field::new(SOURCE_UPDATED_AT, instant(), true),
        Field::new(KEY_REPORTER, DataType::Utf8, true),
    ]
}
