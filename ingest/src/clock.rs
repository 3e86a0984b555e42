//! The clock, passed in: the wall clock in service, a set one in the demo, a simulated one in tests.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::sync::{Notify, watch};

/// Where "now" comes from, and how long a wait lasts.
#[derive(Debug)]
pub enum Clock {
    /// The wall clock.
    Wall,
    /// An instant that stands until it is moved; waits are over at once.
    Set(AtomicI64),
    /// An instant that stands until it is moved; waits last until it was moved far enough.
    Simulated(Simulated),
}

/// A clock that a test moves, with those who wait for it.
#[derive(Debug)]
pub struct Simulated {
    micros: watch::Sender<i64>,
    /// Until when each sleeper sleeps.
    sleepers: Mutex<BTreeMap<u64, i64>>,
    next: AtomicU64,
    fell_asleep: Notify,
}

impl Clock {
    /// A clock that stands at an instant.
    pub fn at(instant: DateTime<Utc>) -> Self {
        Self::Set(AtomicI64::new(instant.timestamp_micros()))
    }

    /// A clock on which waits last until it is moved.
    pub fn simulated(instant: DateTime<Utc>) -> Self {
        Self::Simulated(Simulated {
            micros: watch::Sender::new(instant.timestamp_micros()),
            sleepers: Mutex::default(),
            next: AtomicU64::new(0),
            fell_asleep: Notify::new(),
        })
    }

    /// Moves a set or simulated clock; the wall clock goes its own way.
    pub fn set(&self, instant: DateTime<Utc>) {
        match self {
            Self::Wall => {}
            Self::Set(micros) => micros.store(instant.timestamp_micros(), Ordering::SeqCst),
            Self::Simulated(simulated) => {
                simulated.micros.send_replace(instant.timestamp_micros());
            }
        }
    }

    /// The instant, to the microsecond.
    pub fn now(&self) -> DateTime<Utc> {
        let micros = match self {
            Self::Wall => Utc::now().timestamp_micros(),
            Self::Set(micros) => micros.load(Ordering::SeqCst),
            Self::Simulated(simulated) => *simulated.micros.borrow(),
        };
        DateTime::from_timestamp_micros(micros).unwrap_or_default()
    }

    /// Waits.
    pub async fn sleep(&self, span: Duration) {
        match self {
            Self::Wall => tokio::time::sleep(span).await,
            Self::Set(_) => {}
            Self::Simulated(simulated) => simulated.sleep(span).await,
        }
    }
}

impl Simulated {
    async fn sleep(&self, span: Duration) {
        let mut micros = self.micros.subscribe();
        let now = *micros.borrow();
        let until = now.saturating_add(i64::try_from(span.as_micros()).unwrap_or(i64::MAX));
        let sleeper = self.next.fetch_add(1, Ordering::Relaxed);
        self.sleepers().insert(sleeper, until);
        let _asleep = Asleep { clock: self, sleeper };
        self.fell_asleep.notify_one();
        // The sender lives as long as the clock that is borrowed here.
        let _ = micros.wait_for(|now| *now >= until).await;
    }

    /// How many wait for a later instant than now.
    pub fn asleep(&self) -> usize {
        let now = *self.micros.borrow();
        self.sleepers().values().filter(|until| **until > now).count()
    }

    /// When the first of them wakes.
    pub fn next_wake(&self) -> Option<DateTime<Utc>> {
        let now = *self.micros.borrow();
        let first = self.sleepers().values().copied().filter(|until| *until > now).min()?;
        DateTime::from_timestamp_micros(first)
    }

    /// Returns after somebody began to wait.
    pub async fn fell_asleep(&self) {
        self.fell_asleep.notified().await;
    }

    fn sleepers(&self) -> MutexGuard<'_, BTreeMap<u64, i64>> {
        self.sleepers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Takes a sleeper off the list, however its wait ended.
struct Asleep<'c> {
    clock: &'c Simulated,
    sleeper: u64,
}

impl Drop for Asleep<'_> {
    fn drop(&mut self) {
        self.clock.sleepers().remove(&self.sleeper);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[tokio::test]
    async fn a_wait_on_a_simulated_clock_lasts_until_it_was_moved_far_enough() {
        let start: DateTime<Utc> = "2026-03-02T00:00:00Z".parse().unwrap();
        let clock = Arc::new(Clock::simulated(start));
        let Clock::Simulated(simulated) = clock.as_ref() else { panic!("it is simulated") };
        let sleeper = tokio::spawn({
            let clock = Arc::clone(&clock);
            async move { clock.sleep(Duration::from_secs(60)).await }
        });
        simulated.fell_asleep().await;
        assert_eq!(simulated.next_wake(), Some(start + chrono::Duration::seconds(60)));
        clock.set(start + chrono::Duration::seconds(59));
        assert_eq!(simulated.asleep(), 1);
        clock.set(start + chrono::Duration::seconds(60));
        assert_eq!(simulated.asleep(), 0);
        sleeper.await.unwrap();
        assert_eq!(simulated.next_wake(), None);
    }
}
