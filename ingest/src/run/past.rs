//! The schedule of the past, quickened: a clock that jumps from one instant to the next. While the
//! loader is at what one instant brought, the next one is fetched and landed.
//!
//! The tables are those of a schedule that was lived through: what is loaded bears the instant that
//! brought it, and the slots as they stood then.

use anze_warehouse::live::LiveRow;
use anze_warehouse::publication::Writer;
use chrono::{DateTime, Utc};
use futures::future::OptionFuture;

use super::landing::Landed;
use super::{Ingest, Publish, RunReport, SCHEDULE};
use crate::error::{Error, Result};

/// When a load happens.
pub(crate) enum Moment {
    /// As it is carried out.
    Now,
    /// At an instant that the clock may have left behind, with the slots as they stood.
    Past(DateTime<Utc>, Vec<LiveRow>),
}

/// What the schedule brought at an instant, to be loaded.
struct Brought {
    moment: Moment,
    landed: Vec<Landed>,
    failures: Vec<(String, Error)>,
}

impl Ingest {
    /// Runs the slots that are due at each of some instants, which are in order, and publishes for each
    /// of them; `told` hears of one after the other. Moves the clock, which must be a set one.
    ///
    /// The workday calendar and the cursors of feeds are those of the release before the last one: both
    /// must not come from the feeds themselves.
    ///
    /// # Errors
    /// Warehouse. A failing feed is in its report and does not stop the others.
    pub async fn run_past(
        &self,
        writer: &Writer,
        instants: &[DateTime<Utc>],
        mut told: impl FnMut(DateTime<Utc>, RunReport),
    ) -> Result<()> {
        let mut waiting: Option<(DateTime<Utc>, Brought)> = None;
        for instant in instants.iter().copied().map(Some).chain([None]) {
            let loading = waiting
                .take()
                .map(|(at, brought)| async move { Ok::<_, Error>((at, self.load_brought(writer, brought).await?)) });
            let bringing = instant.map(|instant| async move { Ok::<_, Error>((instant, self.bring(instant).await?)) });
            let (loaded, brought) = futures::join!(OptionFuture::from(loading), OptionFuture::from(bringing));
            if let Some((at, report)) = loaded.transpose()? {
                told(at, report);
            }
            waiting = brought.transpose()?;
        }
        Ok(())
    }

    /// Fetches and lands what is due at an instant.
    async fn bring(&self, at: DateTime<Utc>) -> Result<Brought> {
        self.clock.set(at);
        let jobs = self.look(&std::collections::BTreeSet::new()).await?;
        self.review_deadlines().await?;
        let (landed, failures) = self.take(jobs, SCHEDULE).await?;
        self.review_deadlines().await?;
        let slots = self.planner.lock().await.rows()?;
        Ok(Brought { moment: Moment::Past(at, slots), landed, failures })
    }

    async fn load_brought(&self, writer: &Writer, brought: Brought) -> Result<RunReport> {
        let Brought { moment, landed, failures } = brought;
        let mut report = RunReport { failures, ..RunReport::default() };
        self.load_landed(writer, landed, Publish::Once, &moment, &mut report).await?;
        if report.release.is_none() {
            report.release = self.publish_day(writer, &moment).await?;
        }
        Ok(report)
    }

    /// The instant that a load bears.
    pub(super) fn instant(&self, moment: &Moment) -> DateTime<Utc> {
        match moment {
            Moment::Now => self.clock.now(),
            Moment::Past(at, _) => *at,
        }
    }

    /// The slots that a release shows.
    pub(super) async fn slots(&self, moment: &Moment) -> Result<Vec<LiveRow>> {
        match moment {
            Moment::Now => self.planner.lock().await.rows(),
            Moment::Past(_, slots) => Ok(slots.clone()),
        }
    }
}

#[cfg(test)]
mod tests;
