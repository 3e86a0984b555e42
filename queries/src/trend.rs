//! The trend: a metric by month.

use std::sync::Arc;

use anze_warehouse::Release;
use chrono::{Days, Months, NaiveDate};

use crate::answer::{Member, MetricAnswer};
use crate::catalogue::{Catalogue, Kind};
use crate::dimension::Dimension;
use crate::engine::{Rows, assemble, rows};
use crate::error::{Error, Result};
use crate::question::{MetricRequest, Question};
use crate::session;
use crate::span::{Month, Span, first_of_month};

/// Months of a trend without dates: the current one and the eleven before.
const MONTHS: u32 = 12;

/// A metric by month: of a period each month by itself, of a day the state at each month's end. The
/// months run from `from` to `to`; by default the last twelve up to the observation day, whose own
/// month ends with that day. Further dimensions stand after the month.
///
/// # Errors
/// As [`crate::answer`].
pub async fn trend(catalogue: &Catalogue, release: &Arc<Release>, request: &MetricRequest) -> Result<MetricAnswer> {
    let metric = catalogue.expect(&request.id)?;
    if request.as_of.is_some() {
        return Err(Error::question("a trend has months: ask with from and to, not with as_of"));
    }
    let observed = session::observed(release, request.observed_until).await?;
    let (from, to) = span(request, observed.until)?;
    let plain = MetricRequest {
        from: (metric.kind == Kind::Period).then_some(from),
        to: (metric.kind == Kind::Period).then_some(to),
        by: request.by.iter().filter(|by| *by != Dimension::Month.name()).cloned().collect(),
        ..request.clone()
    };
    let question = Question::read(catalogue, &observed, &plain)?;
    let mut trend = Rows::default();
    for month in Month::all(from, to) {
        let span = match metric.kind {
            Kind::Period => month.period(),
            Kind::AsOf => Span::AsOf(month.period().last_day().min(observed.until)),
        };
        let of_month = rows(&Question { span, ..question.clone() }, &observed).await?;
        trend.without_rule += of_month.without_rule;
        trend.provisional |= of_month.provisional;
        for mut row in of_month.rows {
            let label = month.label();
            row.members.insert(0, Member { dimension: Dimension::Month, code: label.clone(), name: label });
            if let Span::AsOf(day) = span {
                row.as_of = Some(day);
            }
            trend.rows.push(row);
        }
    }
    let by = [Dimension::Month].into_iter().chain(question.by.iter().copied()).collect();
    let question = Question { by, span: Span::Period { from, to }, ..question };
    Ok(assemble(&question, &observed, release, trend))
}

/// The months asked for; none of them begins after the observation day.
fn span(request: &MetricRequest, until: NaiveDate) -> Result<(NaiveDate, NaiveDate)> {
    let tomorrow = until.checked_add_days(Days::new(1)).unwrap_or(until);
    let to = request.to.unwrap_or(tomorrow).min(tomorrow);
    let last = to.checked_sub_days(Days::new(1)).unwrap_or(to);
    let earliest = first_of_month(last).checked_sub_months(Months::new(MONTHS - 1)).unwrap_or(last);
    let from = request.from.unwrap_or(earliest);
    if from >= to {
        return Err(Error::question(format!("from {from} to {to} has no month in it")));
    }
    Ok((from, to))
}
