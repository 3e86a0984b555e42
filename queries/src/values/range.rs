//! The months that have values: from the first in which anything is known to have happened to the
//! observation day's.

use chrono::{Days, Months, NaiveDate};
use datafusion::arrow::array::AsArray;
use datafusion::arrow::datatypes::Date32Type;
use datafusion::prelude::DataFrame;

use crate::error::Result;
use crate::session::Observed;
use crate::span::{Month, first_of_month};
use crate::statement::Statement;

/// More would be one mistyped year: a policy of 1900 has twelve hundred months.
const MOST_MONTHS: u32 = 240;

/// Rosters are left out: an entry often begins long before the warehouse knows of anything else.
const FIRST_DAYS: &str = "
    select min(policy.inception) as day from policy
    union all select min(receipt.received_on) from premium_receipt as receipt
    union all select local_date(min(service.finished_at)) from service
    union all select min(service.planned_on) from service
    union all select local_date(min(hazard.found_at)) from hazard
    union all select min(expense.booked_on) from expense
    union all select local_date(min(claim.accident_at)) from claim
    union all select local_date(min(accident.occurred_at)) from accident
    union all select local_date(min(complaint.received_at)) from complaint
    union all select min(visit.visited_on) from visit
    union all select min(inspection.found_on) from inspection
    union all select local_date(min(batch.landed_at)) from system.batch as batch
    union all select local_date(min(slot.due_at)) from system.slot_state as slot";

/// The months, in order; the last one is cut after the observation day.
pub(super) async fn months(observed: &Observed) -> Result<Vec<Month>> {
    let plan = Statement::parse(FIRST_DAYS)?.plan(&observed.context).await?;
    let mut first = observed.until;
    for batch in DataFrame::new(observed.context.state(), plan).collect().await? {
        let days = batch.column(0).as_primitive::<Date32Type>();
        first = days.iter().flatten().filter_map(Date32Type::to_naive_date_opt).fold(first, NaiveDate::min);
    }
    let earliest = first_of_month(observed.until).checked_sub_months(Months::new(MOST_MONTHS - 1));
    let first = first_of_month(first).max(earliest.unwrap_or(first));
    let tomorrow = observed.until.checked_add_days(Days::new(1)).unwrap_or(observed.until);
    Ok(Month::all(first, tomorrow))
}
