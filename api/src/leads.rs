//! Leads for enforcement, as command line, HTTP and pages alike ask for them.

use std::collections::BTreeMap;
use std::sync::Arc;

use anze_queries::{LeadCount, LeadKind, LeadRequest, lead_counts, lead_kinds, leads};
use anze_warehouse::Release;
use serde_json::{Value, json};

use crate::deployment::Deployment;
use crate::permission::{Access, Permission};
use crate::problem::Problem;
use crate::release_choice::ReleaseChoice;

/// A question for the leads of one kind.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LeadQuestion {
    pub request: LeadRequest,
    pub release: ReleaseChoice,
    /// Only those that did not stand in this earlier release.
    pub since: Option<u64>,
    pub cursor: Option<String>,
    pub limit: usize,
}

/// A question that its asker may ask, of releases that exist.
pub struct GrantedLeads {
    question: LeadQuestion,
    release: Arc<Release>,
    since: Option<Arc<Release>>,
    reviews: u64,
}

impl LeadQuestion {
    /// Checks permission and releases, and limits the request to the asker's scope.
    pub async fn granted(mut self, deployment: &Deployment, permission: &Permission) -> Result<GrantedLeads, Problem> {
        permission.may(Access::Leads)?;
        self.request.within = permission.leads()?;
        if let Some(kind) = &self.request.kind {
            known_kind(kind)?;
        }
        let release = deployment.release(self.release).await?;
        let since = match self.since {
            Some(number) => Some(deployment.release(ReleaseChoice::Number(number)).await?),
            None => None,
        };
        Ok(GrantedLeads { question: self, release, since, reviews: reviews(deployment)? })
    }
}

impl GrantedLeads {
    /// The release asked.
    pub fn release(&self) -> &Arc<Release> {
        &self.release
    }

    /// The question as one unambiguous text. Reviews are no part of a release, so they are part of it.
    pub fn canonical(&self) -> String {
        let question = &self.question;
        let of = &question.request;
        let days = [of.as_of, of.from, of.to, of.observed_until];
        let within = [&of.within.regions, &of.within.sectors, &of.within.insurers];
        let page = json!([question.since, question.cursor, question.limit, self.reviews]);
        json!(["leads", of.kind, days, of.filters, of.params, within, page]).to_string()
    }

    /// A page of leads.
    pub async fn page(self) -> Result<Value, Problem> {
        let Self { question, release, since, .. } = self;
        let LeadQuestion { request, cursor, limit, .. } = question;
        let kind = known_kind(request.kind.as_deref().unwrap_or_default())?;
        let page = leads(&release, &request, since.as_ref(), cursor.as_deref(), limit).await?;
        Ok(json!({
            "kind": kind.id,
            "title": kind.title,
            "title_en": kind.title_en,
            "measure": kind.measure,
            "release": page.release,
            "observed_until": page.observed_until,
            "since": page.release,
            "rows": page.rows,
            "next": page.next,
        }))
    }

    /// How many there are of every kind, with what the kinds mean.
    pub async fn counts(self) -> Result<Value, Problem> {
        let counts = lead_counts(&self.release, &self.question.request, None).await?;
        let until = self.question.request.observed_until.unwrap_or(self.release.day());
        let kinds: Vec<Value> = lead_kinds()?.into_iter().map(|kind| counted(kind, &counts)).collect();
        Ok(json!({"release": self.release.number(), "observed_until": until, "kinds": kinds}))
    }
}

/// What is kept of reviews so far; another size is another answer.
fn reviews(deployment: &Deployment) -> Result<u64, Problem> {
    Ok(deployment.warehouse().live("lead_review")?.size_bytes()?)
}

/// The kind of this name.
pub fn known_kind(name: &str) -> Result<&'static LeadKind, Problem> {
    lead_kinds()?.into_iter().find(|kind| kind.id == name).ok_or_else(|| {
        Problem::not_found("no_such_kind", format!("there are no leads of kind `{name}`; /api/v1/leads lists them"))
    })
}

fn counted(kind: &LeadKind, counts: &[LeadCount]) -> Value {
    let mut states = BTreeMap::from([("open", 0), ("confirmed", 0), ("dismissed", 0)]);
    for count in counts.iter().filter(|count| count.kind == kind.id) {
        if let Some(leads) = states.get_mut(count.state.as_str()) {
            *leads += count.leads;
        }
    }
    json!({
        "kind": kind.id,
        "title": kind.title,
        "title_en": kind.title_en,
        "definition": kind.definition,
        "definition_en": kind.definition_en,
        "basis": kind.basis,
        "rule": kind.rule,
        "span": kind.span,
        "open": states["open"],
        "confirmed": states["confirmed"],
        "dismissed": states["dismissed"],
    })
}
