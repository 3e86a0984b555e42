//! Confirmed leads, which veto grades. A review counts up to the instant of the assessment, so that what is
//! reviewed later changes nothing that is frozen.

use std::sync::Arc;

use anze_warehouse::Release;
use chrono::{DateTime, Utc};

use super::document::{ConfirmedLead, Period};
use super::scheme::Scheme;
use crate::error::Result;
use crate::session::Observed;

/// The kinds of leads (metrics.md, "Leads for enforcement").
pub(crate) const KINDS: [&str; 27] = [
    "uninsured",
    "lapsed",
    "missing_from_roster",
    "removed_from_roster",
    "under_headcount",
    "under_limit",
    "cancelled_without_cause",
    "premium_from_employees",
    "premium_unpaid",
    "commission_over_cap",
    "rate_not_floated",
    "low_price",
    "no_service",
    "service_below_norm",
    "sham_service",
    "pre_accrued",
    "ringfence_violation",
    "diverted_funds",
    "spend_below_floor",
    "spend_above_cap",
    "major_hazard_unreported",
    "hazard_overdue",
    "claim_overdue",
    "uninsured_accident",
    "unclaimed_accident",
    "late_reporting",
    "market_division",
];

/// The confirmed leads of the kinds that veto, each with the subject that it counts for.
pub(crate) async fn confirmed(
    _release: &Arc<Release>,
    _scheme: &Scheme,
    _observed: &Observed,
    _period: &Period,
    _reviews_until: DateTime<Utc>,
) -> Result<Vec<ConfirmedLead>> {
    Ok(Vec::new())
}
