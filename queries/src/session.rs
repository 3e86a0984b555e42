//! A session over one release at one observation day: its tables, the views of metrics.md over
//! them and our functions. Built once for each and kept while the release is.

mod cache;
mod folders;
mod kept;
mod marts;
mod seen;

use std::sync::Arc;

use anze_warehouse::Release;
use chrono::NaiveDate;
use datafusion::prelude::SessionContext;

pub use cache::forget;
pub use kept::each_scan;

use crate::error::{Error, Result};
use crate::functions;
use crate::names::Names;
use crate::province::Province;
use crate::rule_book::RuleBook;
use crate::stale::stale_feeds;

/// A session with everything a question needs.
pub(crate) struct Observed {
    /// The session; read-only use.
    pub(crate) context: SessionContext,
    /// The observation day.
    pub(crate) until: NaiveDate,
    /// The deployment's province.
    pub(crate) province: Province,
    /// The rules of the release.
    pub(crate) rules: Arc<RuleBook>,
    /// Names of regions, sectors, insurers and agencies.
    pub(crate) names: Names,
    /// Feeds whose latest due slot is unfulfilled at the release.
    pub(crate) stale_feeds: Vec<String>,
}

/// A session over a release as seen at the end of `observed_until` (the release's day by default):
/// every table, schema `seen`, the marts and the functions. For reading only, and to be held while rows come.
///
/// # Errors
/// Question, where the observation day is later than the release's.
pub async fn session(release: &Arc<Release>, observed_until: Option<NaiveDate>) -> Result<SessionContext> {
    Ok(observed(release, observed_until).await?.context.clone())
}

/// The session for a release and an observation day, from the cache where it is there.
pub(crate) async fn observed(release: &Arc<Release>, observed_until: Option<NaiveDate>) -> Result<Arc<Observed>> {
    let until = observed_until.unwrap_or(release.day());
    if until > release.day() {
        let day = release.day();
        return Err(Error::question(format!(
            "observed_until {until} is after the day of release {}, {day}",
            release.number()
        )));
    }
    if let Some(known) = cache::get(release, until) {
        return Ok(known);
    }
    let built = Arc::new(build(release, until).await?);
    cache::put(release, until, &built);
    Ok(built)
}

async fn build(release: &Arc<Release>, until: NaiveDate) -> Result<Observed> {
    let context = release.session(&release.reading().limits)?;
    let province = Province::of_reading(release.reading());
    {
        let state = context.state_ref();
        let mut state = state.write();
        province.clone().tell(state.config_mut());
        kept::allow(state.config_mut());
        let options = state.config_mut().options_mut();
        // Faults then carry their line and column.
        options.sql_parser.collect_spans = true;
        // EXPLAIN shows what is computed, not the files of the store.
        options.explain.logical_plan_only = true;
    }
    let rules = Arc::new(RuleBook::read(&context).await?);
    let norms = Arc::new(RuleBook::norms(&context).await?);
    functions::register(&context, &rules, &norms)?;
    seen::register(&context, until).await?;
    marts::register(&context, until, &province).await?;
    crate::lead::register(&context, until)?;
    let names = Names::read(&context).await?;
    let stale_feeds = stale_feeds(&context, release.published_at()).await?;
    Ok(Observed { context, until, province, rules, names, stale_feeds })
}
