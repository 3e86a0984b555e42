//! A question about a metric: its cells, its course over the months, or the rows behind it.

use std::collections::BTreeMap;
use std::sync::Arc;

use anze_queries::{Catalogue, Comparison, MetricRequest, Side};
use anze_warehouse::Release;
use serde_json::{Map, Value};

use crate::deployment::Deployment;
use crate::permission::{Access, MetricGrant, Permission, suppress_small_cells};
use crate::problem::Problem;
use crate::release_choice::ReleaseChoice;

/// What is asked about a metric.
#[derive(Debug, Clone, PartialEq)]
pub enum About {
    /// Its cells, each compared with what is asked for.
    Value(Comparison),
    /// Its cells month by month.
    Trend,
    /// A page of the rows behind them.
    Evidence { side: Side, cursor: Option<String>, limit: usize },
}

/// A question, as it was asked.
#[derive(Debug, Clone, PartialEq)]
pub struct Question {
    pub about: About,
    pub request: MetricRequest,
    pub release: ReleaseChoice,
}

/// A question that its asker may ask, of a release that exists.
#[derive(Clone)]
pub struct Granted {
    about: About,
    grant: MetricGrant,
    release: Arc<Release>,
    catalogue: Arc<Catalogue>,
}

impl Question {
    /// Checks metric, permission and release; nothing is computed yet.
    pub async fn granted(self, deployment: &Deployment, permission: &Permission) -> Result<Granted, Problem> {
        let access = match self.about {
            About::Value(_) | About::Trend => Access::Metrics,
            About::Evidence { .. } => Access::Evidence,
        };
        permission.may(access)?;
        let catalogue = deployment.catalogue();
        let published = &deployment.settings().public.metrics;
        let dimensions = match catalogue.metric(&self.request.id) {
            Some(metric) => metric.dimensions.iter().map(ToString::to_string).collect(),
            // Callers who may not see every metric are not told which ones exist.
            None if permission.sees_metric(&self.request.id, published) => {
                let detail = format!("no metric `{}`; /api/v1/metrics lists them", self.request.id);
                return Err(Problem::not_found("no_such_metric", detail));
            }
            None => Vec::new(),
        };
        let latest = self.release == ReleaseChoice::Latest;
        let grant = permission.metric(self.request, &dimensions, published, latest)?;
        if let About::Value(Comparison { earlier: Some(_), .. }) = self.about
            && grant.suppress
        {
            let detail = "公开指标不提供同比、环比 / published cells come without comparisons";
            return Err(Problem::forbidden("not_published", detail));
        }
        let release = deployment.release(self.release).await?;
        Ok(Granted { about: self.about, grant, release, catalogue: Arc::clone(catalogue) })
    }
}

impl Granted {
    /// The release asked.
    pub fn release(&self) -> &Arc<Release> {
        &self.release
    }

    /// The question as one unambiguous text: the same for the same answer.
    pub fn canonical(&self) -> String {
        let request = &self.grant.request;
        let day = |day: &Option<chrono::NaiveDate>| day.map(|day| day.to_string());
        let pairs = |pairs: &BTreeMap<String, String>| serde_json::json!(pairs);
        let about = match &self.about {
            About::Value(comparison) => {
                let benchmarks: Vec<&str> = comparison.benchmarks.iter().map(|one| one.name()).collect();
                serde_json::json!(["value", comparison.earlier.map(|earlier| earlier.name()), benchmarks])
            }
            About::Trend => serde_json::json!("trend"),
            About::Evidence { side, cursor, limit } => serde_json::json!([side.name(), cursor, limit]),
        };
        serde_json::json!([
            about,
            request.id,
            request.by,
            [day(&request.as_of), day(&request.from), day(&request.to), day(&request.observed_until)],
            pairs(&request.filters),
            pairs(&request.params),
            self.grant.only_city,
            self.grant.suppress,
        ])
        .to_string()
    }

    /// Computes the answer, with nothing in it that the asker may not see.
    pub async fn answer(self) -> Result<Value, Problem> {
        let Self { about, grant, release, catalogue } = self;
        let request = &grant.request;
        let mut answer = match about {
            About::Value(comparison) => {
                json(&anze_queries::answer_compared(&catalogue, &release, request, &comparison, &grant.reach).await?)?
            }
            About::Trend => json(&anze_queries::trend(&catalogue, &release, request).await?)?,
            About::Evidence { side, cursor, limit } => {
                json(&anze_queries::evidence(&catalogue, &release, request, side, cursor, limit).await?)?
            }
        };
        if grant.suppress {
            publish(&mut answer, &grant);
        }
        Ok(answer)
    }
}

fn json(answer: &impl serde::Serialize) -> Result<Value, Problem> {
    serde_json::to_value(answer).map_err(|error| Problem::internal(&error))
}

/// What anybody may see of an answer: large cells, and no names of feeds.
fn publish(answer: &mut Value, grant: &MetricGrant) {
    let Some(answer) = answer.as_object_mut() else { return };
    let mut dimensions = grant.request.by.clone();
    dimensions.push("month".to_owned());
    if let Some(Value::Array(rows)) = answer.get_mut("rows") {
        let mut cells: Vec<Map<String, Value>> =
            rows.drain(..).filter_map(|row| if let Value::Object(row) = row { Some(row) } else { None }).collect();
        suppress_small_cells(&mut cells, &dimensions);
        if let Some(city) = &grant.only_city {
            cells.retain(|cell| cell.get("city").and_then(Value::as_str) == Some(city));
        }
        rows.extend(cells.into_iter().map(Value::Object));
    }
    if let Some(stale) = answer.remove("stale_feeds") {
        answer.insert("stale_feed_count".to_owned(), Value::from(stale.as_array().map_or(0, Vec::len)));
    }
    answer.remove("without_rule");
}
