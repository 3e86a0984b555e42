//! Schedules: cron with seconds in Asia/Shanghai, slots, deadlines by the workday calendar.

mod calendar;
mod cron;
mod planner;
mod ticker;

pub use calendar::Workdays;
pub use cron::CronSchedule;
pub use planner::{Planned, Planner, SlotState};
pub use ticker::Ticker;

use chrono::{DateTime, NaiveDate, Utc};
use chrono_tz::Asia::Shanghai;

/// The zone of schedules and observation days.
pub const ZONE: chrono_tz::Tz = Shanghai;

/// The day of an instant in the deployment's zone.
pub fn day_of(instant: DateTime<Utc>) -> NaiveDate {
    instant.with_timezone(&ZONE).date_naive()
}
