//! The clock, passed in: the wall clock in service, a set one in the demo and in tests.

use std::sync::atomic::{AtomicI64, Ordering};

use chrono::{DateTime, Utc};

/// Where "now" comes from.
#[derive(Debug)]
pub enum Clock {
    /// The wall clock.
    Wall,
    /// An instant that stands until it is moved.
    Set(AtomicI64),
}

impl Clock {
    /// A clock that stands at an instant.
    pub fn at(instant: DateTime<Utc>) -> Self {
        Self::Set(AtomicI64::new(instant.timestamp_micros()))
    }

    /// Moves a set clock; the wall clock goes its own way.
    pub fn set(&self, instant: DateTime<Utc>) {
        if let Self::Set(micros) = self {
            micros.store(instant.timestamp_micros(), Ordering::SeqCst);
        }
    }

    /// The instant, to the microsecond.
    pub fn now(&self) -> DateTime<Utc> {
        let micros = match self {
            Self::Wall => Utc::now().timestamp_micros(),
            Self::Set(micros) => micros.load(Ordering::SeqCst),
        };
        DateTime::from_timestamp_micros(micros).unwrap_or_default()
    }
}
