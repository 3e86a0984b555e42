//! Schedules: cron with seconds in Asia/Shanghai, slots, deadlines by the workday calendar, alerts.

mod alert;
mod calendar;
mod cron;
pub(crate) mod jitter;
mod planner;
mod policy;
mod slot;
mod ticker;
mod trouble;

pub use alert::{Alert, AlertKind, Alerts, Trouble};
pub use calendar::Workdays;
pub use cron::CronSchedule;
pub use planner::{Planned, Planner};
pub use slot::{Slot, SlotState};
pub use ticker::Ticker;

use chrono::{DateTime, NaiveDate, Utc};
use chrono_tz::Asia::Shanghai;

/// The zone of schedules and observation days.
pub const ZONE: chrono_tz::Tz = Shanghai;

/// The day of an instant in the deployment's zone.
pub fn day_of(instant: DateTime<Utc>) -> NaiveDate {
    instant.with_timezone(&ZONE).date_naive()
}
