//! Settling what is held: by a person who asks, and by the system when a code arrives.

use std::sync::Arc;

use anze_warehouse::Release;
use anze_warehouse::publication::{Publication, Writer};
use anze_warehouse::session::Limits;
use chrono::{DateTime, Utc};

use super::Ingest;
use crate::error::{Error, ErrorKind, Result};
use crate::feed::Feeds;
use crate::load::BatchReport;
use crate::quarantine::{
    self, Decision, DiscardAsk, DiscardReport, FeedBook, FeedLimits, Replay, ReplayAsk, ReplayReport,
};
use crate::schedule::day_of;

impl Ingest {
    /// Reads held records again, loads the good ones and publishes; `by` is who asked.
    ///
    /// A second replay of the same finds nothing to change and publishes nothing.
    ///
    /// # Errors
    /// Refused, where a batch is to be accepted that is not held whole, or a feed's file is faulty;
    /// Warehouse.
    pub async fn replay(&self, writer: &Writer, ask: &ReplayAsk, by: &str) -> Result<ReplayReport> {
        let at = self.clock.now();
        let mut publication = writer.begin(at, day_of(at)).await?;
        let session = publication.session(&Limits::default()).await?;
        let limits = match (ask.accept, &ask.batch) {
            (false, _) => FeedLimits::Kept,
            (true, Some(batch)) if quarantine::batches_held_whole(&session).await?.contains(batch) => {
                FeedLimits::Lifted
            }
            (true, batch) => {
                let which = batch.as_deref().unwrap_or("(none given)");
                let what = format!(
                    "batch {which} is not held whole, so there is nothing to accept; \
                     anze quarantine list --rule batch_held shows the batches that are"
                );
                return Err(Error::new(ErrorKind::Refused, what));
            }
        };
        let held = quarantine::select(&session, &ask.selection()).await?;
        let feeds = self.feed_book()?;
        let decision = Decision { by: by.to_owned(), at, reason: ask.reason.clone() };
        let replay = Replay {
            publication: &mut publication,
            landing: &self.landing,
            feeds: &feeds,
            decision: &decision,
            limits,
        };
        let mut settlement = replay.run(held).await?;
        if settlement.brings_codes() {
            settlement.absorb(quarantine::replay_arrived(&mut publication, &self.landing, &feeds, at).await?);
        }
        let changed = settlement.changed;
        let mut report = settlement.report();
        report.preview = ask.preview;
        if changed && !ask.preview {
            report.release = Some(self.publish_settled(publication).await?.number());
        }
        Ok(report)
    }

    /// Gives held records up and publishes; `by` is who asked.
    ///
    /// # Errors
    /// Refused, without a reason, without a limit on what is discarded, or where nothing held
    /// matches; Warehouse.
    pub async fn discard(&self, writer: &Writer, ask: &DiscardAsk, by: &str) -> Result<DiscardReport> {
        let refuse = |what: &str| Err(Error::new(ErrorKind::Refused, what));
        if ask.reason.trim().is_empty() {
            return refuse("a discard needs a reason: say why with --reason");
        }
        let selection = ask.selection();
        if selection.is_everything() {
            return refuse("say what is to be discarded: a feed, a batch or a rule");
        }
        let at = self.clock.now();
        let mut publication = writer.begin(at, day_of(at)).await?;
        let decision = Decision { by: by.to_owned(), at, reason: Some(ask.reason.trim().to_owned()) };
        let mut report = quarantine::discard(&mut publication, &selection, &decision).await?;
        report.release = Some(self.publish_settled(publication).await?.number());
        Ok(report)
    }

    /// Replays what was held for codes that this publication brings.
    pub(super) async fn replay_arrived(
        &self,
        publication: &mut Publication<'_>,
        batches: &[BatchReport],
        at: DateTime<Utc>,
    ) -> Result<()> {
        let brings_codes = |batch: &BatchReport| quarantine::is_code_list(&batch.dataset) && batch.accepted > 0;
        if publication.last().is_none() || !batches.iter().any(brings_codes) {
            return Ok(());
        }
        let feeds = FeedBook { today: self.feeds.clone(), begun: Feeds::default() };
        quarantine::replay_arrived(publication, &self.landing, &feeds, at).await?;
        Ok(())
    }

    /// The feeds as their files say now: a replay mostly follows a change in one of them.
    fn feed_book(&self) -> Result<FeedBook> {
        Ok(FeedBook { today: Feeds::load(&self.deployment)?, begun: self.feeds.clone() })
    }

    async fn publish_settled(&self, publication: Publication<'_>) -> Result<Arc<Release>> {
        let release = publication.publish().await?;
        self.remember_taken(&release, &[]).await;
        Ok(release)
    }
}
