//! The brief of a city and month for the consultation (会商): key metrics beside the month before and the
//! province, open leads, hazards, claims, reporting. Everything is asked of one release.

use std::collections::BTreeMap;
use std::str::FromStr;
use std::sync::Arc;

use anze_queries::{Dimension, Kind, LeadRequest, MetricRequest, lead_counts, lead_kinds, leads, region_name};
use anze_warehouse::Release;
use chrono::{Days, Months, NaiveDate};
use serde_json::{Value, json};

use crate::deployment::Deployment;
use crate::output::instant;
use crate::permission::{Access, Permission};
use crate::problem::Problem;
use crate::question::{About, Question};
use crate::release_choice::ReleaseChoice;

/// The parts of a brief with the metrics of each, in the order in which they are read out.
const PARTS: [(&str, &str, &str, &[&str]); 4] = [
    (
        "overview",
        "总体情况",
        "Overview",
        &[
            "coverage_rate",
            "roster_completeness_rate",
            "headcount_coverage_rate",
            "death_limit_compliance_rate",
            "renewal_rate",
            "cancellation_rate",
            "premium_collection_rate",
            "premium_payer_compliance_rate",
            "service_coverage_rate",
            "service_frequency_rate",
            "uninsured_accidents",
            "unclaimed_accidents",
        ],
    ),
    (
        "rectification",
        "隐患整改",
        "Rectification",
        &[
            "hazards_per_service",
            "hazard_rectification_rate",
            "hazard_on_time_rate",
            "major_hazard_notice_rate",
            "enforcement_correction_rate",
        ],
    ),
    (
        "claims",
        "理赔",
        "Claims",
        &["claim_settlement_days", "claim_statutory_rate", "claim_advance_rate", "claim_closure_rate", "loss_ratio"],
    ),
    ("reporting", "数据报送", "Reporting", &["reporting_timeliness_rate", "reporting_completeness_rate"]),
];
/// Leads of each kind that are listed.
const TOP: usize = 5;
/// Feeds that are named.
const MOST_FEEDS: usize = 1000;

/// A calendar month, `2026-06`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Month {
    first: NaiveDate,
}

impl FromStr for Month {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let first = NaiveDate::parse_from_str(&format!("{text}-01"), "%Y-%m-%d").ok();
        let first = first.filter(|_| text.len() == "2026-06".len());
        first.map(|first| Self { first }).ok_or_else(|| format!("`{text}` is no month; an example is 2026-06"))
    }
}

impl std::fmt::Display for Month {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.first.format("%Y-%m"))
    }
}

/// The days of a month as far as they are known of: first, last, first day after.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Span {
    from: NaiveDate,
    last: NaiveDate,
    to: NaiveDate,
}

impl Month {
    fn span(self, until: NaiveDate) -> Result<Span, Problem> {
        if self.first > until {
            let detail = format!("{self} has not begun by {until}, the day of the release");
            return Err(Problem::bad_request("bad_parameter", detail));
        }
        let next = self.first.checked_add_months(Months::new(1)).unwrap_or(self.first);
        let tomorrow = until.checked_add_days(Days::new(1)).unwrap_or(until);
        let to = next.min(tomorrow);
        Ok(Span { from: self.first, last: to.checked_sub_days(Days::new(1)).unwrap_or(to), to })
    }

    fn before(self) -> Self {
        Self { first: self.first.checked_sub_months(Months::new(1)).unwrap_or(self.first) }
    }
}

/// A brief that its asker may have, of a release that exists.
pub struct Granted {
    deployment: Arc<Deployment>,
    permission: Permission,
    release: Arc<Release>,
    city: String,
    month: Month,
    reviews: u64,
}

/// Checks permission, release and month.
pub async fn granted(
    deployment: &Arc<Deployment>,
    permission: &Permission,
    city: &str,
    month: Month,
    release: ReleaseChoice,
) -> Result<Granted, Problem> {
    permission.may(Access::Leads)?;
    let is_city = city.len() == 6 && city.ends_with("00") && !city.ends_with("0000");
    if !is_city || !city.bytes().all(|digit| digit.is_ascii_digit()) {
        let detail = format!("`{city}` is no city; give its code, such as 330100");
        return Err(Problem::bad_request("bad_parameter", detail));
    }
    let release = deployment.release(release).await?;
    month.span(release.day())?;
    let reviews = deployment.warehouse().live("lead_review")?.size_bytes()?;
    Ok(Granted {
        deployment: Arc::clone(deployment),
        permission: permission.clone(),
        release,
        city: city.to_owned(),
        month,
        reviews,
    })
}

impl Granted {
    /// The release asked.
    pub fn release(&self) -> &Arc<Release> {
        &self.release
    }

    /// The question as one unambiguous text.
    pub fn canonical(&self) -> String {
        json!(["brief", self.city, self.month.to_string(), self.reviews]).to_string()
    }

    /// Computes it.
    pub async fn brief(self) -> Result<Value, Problem> {
        let span = self.month.span(self.release.day())?;
        let mut parts = Vec::new();
        for (id, title, title_en, metrics) in PARTS {
            let mut figures = Vec::new();
            for metric in metrics {
                figures.push(self.figure(metric, span).await?);
            }
            parts.push(json!({"id": id, "title": title, "title_en": title_en, "metrics": figures}));
        }
        let late = self.late_feeds(span).await?;
        Ok(json!({
            "city": self.city,
            "city_name": region_name(&self.release, &self.city).await?,
            "month": self.month.to_string(),
            "previous_month": self.month.before().to_string(),
            "from": span.from,
            "last": span.last,
            "release": self.release.number(),
            "day": self.release.day(),
            "published_at": instant(self.release.published_at()),
            "parts": parts,
            "leads": self.leads(span).await?,
            "late": late,
        }))
    }

    /// A metric of the city, of the month before, and of the province.
    async fn figure(&self, id: &str, span: Span) -> Result<Value, Problem> {
        let Some(metric) = self.deployment.catalogue().metric(id) else {
            return Err(Problem::internal(&format!("the brief names a metric that there is not: {id}")));
        };
        let before = self.month.before().span(self.release.day())?;
        // What the whole province has is a benchmark that everybody may see.
        let everybody = Permission::operator();
        let now = self.row(id, metric.kind, span, Some(&self.city), &self.permission).await?;
        let previous = self.row(id, metric.kind, before, Some(&self.city), &self.permission).await?;
        let province = self.row(id, metric.kind, span, None, &everybody).await?;
        Ok(json!({
            "id": id,
            "title": metric.title,
            "title_en": metric.title_en,
            "unit": metric.unit,
            "kind": metric.kind,
            "direction": metric.direction,
            "now": now,
            "previous": previous,
            "province": province,
        }))
    }

    async fn row(
        &self,
        id: &str,
        kind: Kind,
        span: Span,
        city: Option<&str>,
        permission: &Permission,
    ) -> Result<Value, Problem> {
        let request = self.request(id, kind, span, city);
        let answer = self.ask(request, permission).await?;
        Ok(answer["rows"].as_array().and_then(|rows| rows.first()).cloned().unwrap_or(Value::Null))
    }

    fn request(&self, id: &str, kind: Kind, span: Span, city: Option<&str>) -> MetricRequest {
        let filters = city.map(|city| ("city".to_owned(), city.to_owned()));
        let (as_of, from, to) = match kind {
            Kind::AsOf => (Some(span.last), None, None),
            Kind::Period => (None, Some(span.from), Some(span.to)),
        };
        MetricRequest {
            id: id.to_owned(),
            as_of,
            from,
            to,
            filters: filters.into_iter().collect(),
            ..MetricRequest::default()
        }
    }

    async fn ask(&self, request: MetricRequest, permission: &Permission) -> Result<Value, Problem> {
        let release = ReleaseChoice::Number(self.release.number());
        let question = Question { about: About::Value(Default::default()), request, release };
        question.granted(&self.deployment, permission).await?.answer().await
    }

    /// The feeds of the city's own reporters that were late in the month, and all that were late at the release.
    async fn late_feeds(&self, span: Span) -> Result<Value, Problem> {
        let mut request = self.request("reporting_timeliness_rate", Kind::Period, span, Some(&self.city));
        request.by = vec!["feed".to_owned()];
        let answer = self.ask(request, &self.permission).await?;
        let rows = answer["rows"].as_array().into_iter().flatten();
        let late: Vec<&Value> = rows.filter(|row| row["numerator"] != row["denominator"]).take(MOST_FEEDS).collect();
        Ok(json!({"feeds": late, "stale_feeds": answer["stale_feeds"]}))
    }

    /// The open leads of every kind, and the first of each.
    async fn leads(&self, span: Span) -> Result<Vec<Value>, Problem> {
        let request = LeadRequest {
            as_of: Some(span.last),
            from: Some(span.from),
            to: Some(span.to),
            filters: BTreeMap::from([("city".to_owned(), self.city.clone()), ("state".to_owned(), "open".to_owned())]),
            within: self.permission.leads()?,
            ..LeadRequest::default()
        };
        let counts = lead_counts(&self.release, &request, Option::<Dimension>::None).await?;
        let mut listed = Vec::new();
        for kind in lead_kinds()? {
            let open: i64 = counts.iter().filter(|count| count.kind == kind.id).map(|count| count.leads).sum();
            if open == 0 {
                continue;
            }
            let mut of_kind = LeadRequest { kind: Some(kind.id.clone()), ..request.clone() };
            match kind.span {
                Kind::AsOf => (of_kind.from, of_kind.to) = (None, None),
                Kind::Period => of_kind.as_of = None,
            }
            let top = leads(&self.release, &of_kind, None, None, TOP).await?;
            listed.push(json!({
                "kind": kind.id,
                "title": kind.title,
                "title_en": kind.title_en,
                "basis": kind.basis,
                "open": open,
                "top": top.rows,
            }));
        }
        Ok(listed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_month_ends_where_the_release_does() {
        let month: Month = "2026-02".parse().unwrap();
        let span =
            |until: &str| month.span(until.parse().unwrap()).map(|span| (span.last.to_string(), span.to.to_string()));
        assert_eq!(span("2026-06-30").unwrap(), ("2026-02-28".into(), "2026-03-01".into()));
        assert_eq!(span("2026-02-15").unwrap(), ("2026-02-15".into(), "2026-02-16".into()));
        assert!(span("2026-01-31").is_err());
        assert_eq!(month.before().to_string(), "2026-01");
        assert_eq!("2026-01".parse::<Month>().unwrap().before().to_string(), "2025-12");
        for wrong in ["2026-13", "2026-6", "202606", "2026-06-30", ""] {
            assert!(wrong.parse::<Month>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn every_metric_of_the_brief_can_be_asked_of_a_city() {
        let catalogue = anze_queries::Catalogue::load(None).unwrap();
        for id in PARTS.iter().flat_map(|(_, _, _, metrics)| *metrics) {
            let metric = catalogue.metric(id).unwrap_or_else(|| panic!("no metric {id}"));
            assert!(metric.dimensions.contains(&Dimension::City), "{id}");
        }
    }
}
