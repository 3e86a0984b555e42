//! Confirmed leads, which veto grades: those of the view `lead` on the days of the assessment, as they were
//! reviewed up to its instant, so that what is reviewed later changes nothing that is frozen.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use anze_warehouse::Release;
use chrono::{DateTime, Utc};

use super::document::{ConfirmedLead, Period};
use super::scheme::{Scheme, SubjectKind};
use crate::catalogue::Kind;
use crate::dimension;
use crate::error::Result;
use crate::evidence::MOST_ROWS;
use crate::lead::{Lead, LeadRequest, lead_kinds, leads};

/// The confirmed leads of the kinds that veto, each with the subject that it counts for.
pub(crate) async fn confirmed(
    release: &Arc<Release>,
    scheme: &Scheme,
    period: &Period,
    reviews_until: DateTime<Utc>,
) -> Result<Vec<ConfirmedLead>> {
    let vetoing: BTreeSet<&str> = scheme.vetoes.iter().map(|veto| veto.lead.as_str()).collect();
    let mut found = Vec::new();
    for kind in lead_kinds()?.into_iter().filter(|kind| vetoing.contains(kind.id.as_str())) {
        let over_period = kind.span == Kind::Period;
        let request = LeadRequest {
            kind: Some(kind.id.clone()),
            as_of: (!over_period).then(|| period.last_day()),
            from: over_period.then_some(period.from),
            to: over_period.then_some(period.to),
            filters: BTreeMap::from([("state".to_owned(), "confirmed".to_owned())]),
            reviewed_until: Some(reviews_until),
            ..LeadRequest::default()
        };
        let mut cursor = None;
        loop {
            let page = leads(release, &request, None, cursor.as_deref(), MOST_ROWS).await?;
            found.extend(page.rows.into_iter().filter_map(|lead| counted(scheme.subjects, lead)));
            cursor = page.next;
            if cursor.is_none() {
                break;
            }
        }
    }
    found.sort();
    Ok(found)
}

/// A lead with the subject that it counts for; none where the row does not say whose it is.
fn counted(subjects: SubjectKind, lead: Lead) -> Option<ConfirmedLead> {
    let subject = match subjects {
        SubjectKind::City => dimension::city_of(lead.region_code.as_deref()?)?,
        SubjectKind::County => lead.region_code?,
        SubjectKind::Department => lead.department?,
        SubjectKind::Insurer => lead.insurer_code?,
    };
    Some(ConfirmedLead {
        kind: lead.kind,
        subject,
        lead_id: lead.lead_id,
        reviewed_by: lead.reviewed_by.unwrap_or_default(),
        reviewed_at: lead.reviewed_at.unwrap_or_default(),
        dataset: lead.dataset,
        key: lead.key,
        batch_id: lead.batch_id,
        row_no: lead.row_no,
    })
}
