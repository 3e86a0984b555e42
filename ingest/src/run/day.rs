//! The observation day: a release at least once a day, so that it moves.

use std::sync::Arc;

use anze_warehouse::Release;
use anze_warehouse::publication::Writer;

use super::{Ingest, Moment};
use crate::books::Books;
use crate::error::Result;
use crate::schedule::day_of;

impl Ingest {
    /// Publishes a release without batches when the observation day has moved.
    pub(crate) async fn publish_day(&self, writer: &Writer, moment: &Moment) -> Result<Option<Arc<Release>>> {
        let now = self.instant(moment);
        match self.warehouse.latest().await? {
            Some(latest) if latest.day() < day_of(now) => {
                let mut publication = writer.begin(now, day_of(now)).await?;
                publication.replace_system("slot_state", self.slots(moment).await?).await?;
                publication.renew_system("feed_state", Books::feed_rows(&self.feeds)).await?;
                Ok(Some(publication.publish().await?))
            }
            _ => Ok(None),
        }
    }
}
