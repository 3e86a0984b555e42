//! What runs need to know of the newest release, read once for it.

use anze_warehouse::Release;
use anze_warehouse::session::Limits;

use super::Ingest;
use super::taken::Taken;
use crate::error::Result;
use crate::landing::Delivery;
use crate::schedule::Workdays;

/// What runs need to know of a release.
#[derive(Debug, Default)]
pub(super) struct Remembered {
    pub(super) taken: Option<(u64, Taken)>,
    pub(super) workdays: Option<(Option<u64>, Workdays)>,
}

impl Ingest {
    pub(super) async fn workdays(&self) -> Result<Workdays> {
        let Some(release) = self.warehouse.latest().await? else { return Ok(Workdays::default()) };
        let version = release.manifest().tables.get("tables/calendar").copied();
        let mut remembered = self.remembered.lock().await;
        match &remembered.workdays {
            Some((known, workdays)) if *known == version => Ok(workdays.clone()),
            _ => {
                let workdays = Workdays::read(&release.session(&Limits::default())?).await?;
                remembered.workdays = Some((version, workdays.clone()));
                Ok(workdays)
            }
        }
    }

    /// What the newest release names and what is pending.
    pub(super) async fn taken(&self) -> Result<Taken> {
        // In this order: what a run beside us publishes in between is then in both, never in neither.
        let pending = self.landing.pending()?;
        let mut taken = self.taken_of_releases().await?;
        for delivery in pending {
            if !taken.has_batch(&delivery.batch_id) {
                taken.note(&delivery);
            }
        }
        Ok(taken)
    }

    /// What the newest release names.
    pub(super) async fn taken_of_releases(&self) -> Result<Taken> {
        let Some(release) = self.warehouse.latest().await? else { return Ok(Taken::default()) };
        let mut remembered = self.remembered.lock().await;
        match &remembered.taken {
            Some((number, taken)) if *number == release.number() => Ok(taken.clone()),
            _ => {
                let taken = Taken::read(&release).await?;
                remembered.taken = Some((release.number(), taken.clone()));
                Ok(taken)
            }
        }
    }

    /// After a release of our own, what was taken is known without reading it.
    pub(super) async fn remember_taken(&self, release: &Release, deliveries: &[Delivery]) {
        if let Some((number, taken)) = &mut self.remembered.lock().await.taken
            && *number + 1 == release.number()
        {
            *number = release.number();
            deliveries.iter().for_each(|delivery| taken.note(delivery));
        }
    }
}
