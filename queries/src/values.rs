//! Every metric by month, in total and by each single dimension: the rows of `metric_value`.
//!
//! What a later release changes of them is told by prints (`prints`): of each source of a metric one
//! number a month. Only the months whose print differs are computed again (decision 0031).

mod computed;
mod notes;
mod prints;
mod range;
mod strand;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use anze_warehouse::Release;
use anze_warehouse::publication::MonthValues;
use serde_json::Value as Json;

pub(crate) use strand::{Strand, StrandEntry};

use crate::catalogue::{Catalogue, Kind, Metric};
use crate::error::Result;
use crate::groups::Group;
use crate::question::{MetricRequest, Question};
use crate::session::{self, Observed};
use crate::span::{Month, Span};
use notes::Notes;

/// What of `metric_value` is to be written after a release.
#[derive(Debug, Clone)]
pub struct MetricValues {
    /// The months computed anew, each with the metrics that were.
    pub anew: Vec<MonthValues>,
    /// Every month that the table has then.
    pub all: BTreeSet<String>,
    /// For the next time.
    pub notes: Json,
}

impl MetricValues {
    /// How many values of metric and month were computed.
    pub fn computed(&self) -> usize {
        self.anew.iter().map(|month| month.metrics.as_ref().map_or(0, BTreeSet::len)).sum()
    }
}

/// Computes what a release changes of `metric_value`. `notes` are those of the sheet that stands, `None`
/// where there is none: then every month is computed.
///
/// # Errors
/// Catalogue, Limit and Internal from the engine.
pub async fn metric_values(
    catalogue: &Catalogue,
    release: &Arc<Release>,
    notes: Option<&Json>,
) -> Result<MetricValues> {
    let observed = session::observed(release, None).await?;
    let months = range::months(&observed).await?;
    let before = notes.and_then(Notes::read).filter(|before| before.fits(catalogue));
    let now = Notes::take(catalogue, release, &observed, &months, before.as_ref()).await?;
    let mut anew: BTreeMap<String, MonthValues> = BTreeMap::new();
    for metric in catalogue.metrics() {
        let touched = now.touched(before.as_ref(), metric);
        for month in months.iter().filter(|month| touched.contains(&month.label())) {
            let question = Question { span: span_of(metric, *month), ..asked(catalogue, metric, &observed)? };
            let groups = match now.has_nothing(metric, &month.label()) {
                true => vec![(None, Group::empty())],
                false => computed::groups(&question, &observed).await?,
            };
            let rows = computed::rows(&question, *month, &observed, release.number(), groups)?;
            let of_month = anew.entry(month.label()).or_insert_with(|| MonthValues {
                month: month.label(),
                metrics: Some(BTreeSet::new()),
                rows: Vec::new(),
            });
            of_month.metrics.get_or_insert_default().insert(metric.id.clone());
            of_month.rows.push(rows);
        }
    }
    if before.is_none() {
        // Nothing of an older sheet stays, not even of metrics that are gone.
        anew.values_mut().for_each(|month| month.metrics = None);
    }
    let all = months.iter().map(|month| month.label()).collect();
    Ok(MetricValues { anew: anew.into_values().collect(), all, notes: now.write()? })
}

/// The question for a metric with its defaults.
fn asked<'c>(catalogue: &'c Catalogue, metric: &Metric, observed: &Observed) -> Result<Question<'c>> {
    let request = MetricRequest { id: metric.id.clone(), ..MetricRequest::default() };
    Question::read(catalogue, observed, &request)
}

/// A month of a metric as its trend has it: the month, or the state at its last day known.
fn span_of(metric: &Metric, month: Month) -> Span {
    match metric.kind {
        Kind::Period => month.period(),
        Kind::AsOf => Span::AsOf(month.period().last_day()),
    }
}
