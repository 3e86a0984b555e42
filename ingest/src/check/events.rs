//! Row rule 5: no event later than a day after landing.

use anze_warehouse::contract::{ColumnType, Contract};
use chrono::{DateTime, Duration, FixedOffset, NaiveDate, Utc};
use datafusion::arrow::array::{Array, Date32Array, RecordBatch, TimestampMicrosecondArray};

use super::{Faults, Reason};

/// China has had one zone without summer time since 1992.
const SHANGHAI_SECONDS: i32 = 8 * 3600;

pub(super) fn check(contract: &Contract, rows: &RecordBatch, landed_at: DateTime<Utc>, faults: &mut Faults) {
    let latest = landed_at + Duration::days(1);
    let latest_micros = latest.timestamp_micros();
    let latest_day = day_in_shanghai(latest);
    for (place, column) in contract.columns.iter().enumerate().filter(|(_, column)| column.event) {
        let values = rows.column(place);
        let late: Vec<usize> = match column.kind {
            ColumnType::Date => {
                let Some(days) = values.as_any().downcast_ref::<Date32Array>() else { continue };
                (0..days.len()).filter(|row| days.is_valid(*row) && days.value(*row) > latest_day).collect()
            }
            _ => {
                let Some(instants) = values.as_any().downcast_ref::<TimestampMicrosecondArray>() else { continue };
                (0..instants.len())
                    .filter(|row| instants.is_valid(*row) && instants.value(*row) > latest_micros)
                    .collect()
            }
        };
        for row in late {
            faults.add(
                row,
                Some(place),
                Reason {
                    rule: "future_event".to_owned(),
                    column: column.name.clone(),
                    message_zh: format!("{}晚于文件到达时间一天以上，尚未发生的事不能上报", column.title),
                    message_en: format!(
                        "{} is more than a day after the file landed; an event cannot be reported before it happened",
                        column.title_en
                    ),
                },
            );
        }
    }
}

fn day_in_shanghai(instant: DateTime<Utc>) -> i32 {
    let offset = FixedOffset::east_opt(SHANGHAI_SECONDS);
    let day = offset.map_or(instant.date_naive(), |offset| instant.with_timezone(&offset).date_naive());
    day.signed_duration_since(NaiveDate::default()).num_days() as i32
}
