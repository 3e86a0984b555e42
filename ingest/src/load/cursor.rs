//! How far the cursor of a feed moves with a batch: to the greatest value in rows that passed.
//!
//! Rows that changed nothing count too, for the source need not give them again. Held rows do not:
//! the bytes of a held row stay in the quarantine, but it must not carry the others past what else
//! the source has. Values after the instant of landing do not either: one slip of the pen, a row of
//! the year 2099, would end the feed.

use anze_warehouse::publication::{DatasetChange, Outcome};
use chrono::{DateTime, NaiveDate};
use datafusion::arrow::array::{Array, AsArray, RecordBatch};
use datafusion::arrow::datatypes::{DataType, Date32Type, Int64Type, TimeUnit, TimestampMicrosecondType};

use super::Due;
use crate::schedule::day_of;
use crate::source::cursor::{FeedCursor, Position};

/// The cursor of a batch's feed while the batch is being loaded.
pub(super) struct CursorWatch {
    cursor: FeedCursor,
    /// The batch landed then.
    now: Position,
    today: Position,
    greatest: Option<Position>,
}

impl CursorWatch {
    /// `None`, where the feed has no cursor.
    pub(super) fn of(due: &Due) -> Option<Self> {
        // What is wrong with a cursor was told when the feed was read.
        let cursor = FeedCursor::of(&due.feed.source, &due.feed.mapping).ok().flatten()?;
        let landed_at = due.delivery.landed_at;
        let (now, today) = (Position::Instant(landed_at), Position::Day(day_of(landed_at)));
        Some(Self { cursor, now, today, greatest: None })
    }

    /// Looks at rows that have contended.
    pub(super) fn see(&mut self, rows: &RecordBatch, outcomes: &[Outcome]) {
        let Some(column) = rows.column_by_name(&self.cursor.ours) else { return };
        for (row, outcome) in outcomes.iter().enumerate() {
            if matches!(outcome, Outcome::KeyOfAnother { .. }) || column.is_null(row) {
                continue;
            }
            let Some(position) = position(column.as_ref(), row) else { continue };
            let is_yet_to_come = match position {
                Position::Instant(_) => position > self.now,
                Position::Day(_) => position > self.today,
                Position::Number(_) => false,
            };
            if !is_yet_to_come {
                self.greatest = self.greatest.max(Some(position));
            }
        }
    }

    /// Moves the feed's cursor in a publication that has the batch, and never back.
    pub(super) fn keep(&self, feed_id: &str, change: &mut DatasetChange) {
        let Some(greatest) = self.greatest else { return };
        let before = change.cursor(feed_id).and_then(|kept| self.cursor.position(kept));
        if before.is_none_or(|before| !before.is_like(greatest) || before < greatest) {
            change.set_cursor(feed_id, self.cursor.kept(greatest));
        }
    }
}

fn position(column: &dyn Array, row: usize) -> Option<Position> {
    match column.data_type() {
        DataType::Int64 => Some(Position::Number(column.as_primitive::<Int64Type>().value(row))),
        DataType::Date32 => {
            let days = column.as_primitive::<Date32Type>().value(row);
            NaiveDate::from_epoch_days(days).map(Position::Day)
        }
        DataType::Timestamp(TimeUnit::Microsecond, _) => {
            let micros = column.as_primitive::<TimestampMicrosecondType>().value(row);
            DateTime::from_timestamp_micros(micros).map(Position::Instant)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use datafusion::arrow::array::{ArrayRef, TimestampMicrosecondArray};

    use super::*;

    fn watch(landed_at: &str) -> CursorWatch {
        let contract = anze_warehouse::contract::builtin().dataset("policy").unwrap();
        let none = std::collections::BTreeMap::<String, String>::new();
        let mapping = crate::decode::Mapping::new(&Default::default(), &none, contract).unwrap();
        let source = "kind = 'postgres'\nurl_env = 'DB'\ntable = 't'\ncursor = { column = 'source_updated_at' }";
        let cursor = FeedCursor::of(&toml::from_str(source).unwrap(), &mapping).unwrap().unwrap();
        let landed_at: DateTime<chrono::Utc> = landed_at.parse().unwrap();
        let (now, today) = (Position::Instant(landed_at), Position::Day(day_of(landed_at)));
        CursorWatch { cursor, now, today, greatest: None }
    }

    fn rows(times: &[Option<&str>]) -> RecordBatch {
        let micros =
            times.iter().map(|time| time.map(|time| time.parse::<DateTime<chrono::Utc>>().unwrap().timestamp_micros()));
        let column: ArrayRef = Arc::new(micros.collect::<TimestampMicrosecondArray>().with_timezone("UTC"));
        RecordBatch::try_from_iter_with_nullable([("source_updated_at", column, true)]).unwrap()
    }

    #[test]
    fn rows_that_passed_move_the_cursor_and_held_or_future_ones_do_not() {
        let mut watch = watch("2026-03-10T00:00:00Z");
        let rows = rows(&[
            Some("2026-03-01T00:00:00Z"),
            Some("2026-03-02T00:00:00Z"),
            None,
            Some("2026-03-05T00:00:00Z"),
            Some("2099-01-01T00:00:00Z"),
        ]);
        let outcomes = [
            Outcome::Accepted,
            Outcome::Unchanged,
            Outcome::Accepted,
            Outcome::KeyOfAnother { owner: "CPIC".into() },
            Outcome::Accepted,
        ];
        watch.see(&rows, &outcomes);
        assert_eq!(watch.greatest, Position::parse("2026-03-02T00:00:00Z"));
    }

    #[test]
    fn later_segments_of_a_batch_with_smaller_values_do_not_move_it_back() {
        let mut watch = watch("2026-03-10T00:00:00Z");
        watch.see(&rows(&[Some("2026-03-02T00:00:00Z")]), &[Outcome::Accepted]);
        watch.see(&rows(&[Some("2026-03-01T00:00:00Z")]), &[Outcome::Superseded]);
        assert_eq!(watch.greatest, Position::parse("2026-03-02T00:00:00Z"));
    }
}
