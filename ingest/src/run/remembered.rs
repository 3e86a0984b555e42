//! What runs need to know of the newest release, read once for it.

use anze_warehouse::Release;
use anze_warehouse::session::Limits;

use super::Ingest;
use super::taken::Taken;
use crate::error::Result;
use crate::landing::Delivery;
use crate::schedule::Workdays;

/// The workday calendar with the version of its table.
pub(super) type KnownWorkdays = Option<(Option<u64>, Workdays)>;
/// What was taken, with the number of the release it was read from.
pub(super) type KnownTaken = Option<(u64, Taken)>;

impl Ingest {
    /// The workdays as the newest release has them.
    pub(super) async fn workdays(&self) -> Result<Workdays> {
        let Some(release) = self.warehouse.latest().await? else { return Ok(Workdays::default()) };
        let version = release.manifest().tables.get("tables/calendar").copied();
        let mut remembered = self.workdays.lock().await;
        match remembered.as_ref() {
            Some((known, workdays)) if *known == version => Ok(workdays.clone()),
            _ => {
                let workdays = Workdays::read(&release.session(&Limits::default())?).await?;
                *remembered = Some((version, workdays.clone()));
                Ok(workdays)
            }
        }
    }

    /// What the newest release names and what is pending.
    pub(super) async fn known<'t>(&self, held: &'t mut KnownTaken) -> Result<&'t mut Taken> {
        let latest = self.warehouse.latest().await?;
        let number = latest.as_ref().map_or(0, |release| release.number());
        let taken = match held.take() {
            Some((known, taken)) if known == number => taken,
            _ => return self.read_taken(held).await,
        };
        Ok(&mut held.insert((number, taken)).1)
    }

    async fn read_taken<'t>(&self, held: &'t mut KnownTaken) -> Result<&'t mut Taken> {
        // In this order: what a load beside us publishes in between is then in both, never in neither.
        let pending = self.landing.pending()?;
        let (number, mut taken) = match self.warehouse.latest().await? {
            Some(release) => (release.number(), Taken::read(&release).await?),
            None => (0, Taken::default()),
        };
        for delivery in &pending {
            if !taken.is_released(&delivery.batch_id) {
                taken.note(delivery);
            }
        }
        Ok(&mut held.insert((number, taken)).1)
    }

    /// After a release of our own, what was taken is known without reading it.
    pub(super) async fn remember_taken(&self, release: &Release, deliveries: &[Delivery]) {
        if let Some((number, taken)) = self.taken.lock().await.as_mut()
            && *number + 1 == release.number()
        {
            *number = release.number();
            taken.release(deliveries.iter().map(|delivery| delivery.batch_id.as_str()));
        }
    }
}
