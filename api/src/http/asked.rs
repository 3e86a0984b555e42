//! A question about a metric, read from the address. The pages read theirs in the same way.

use anze_queries::{Benchmark, Compare, Comparison, MOST_ROWS, MetricRequest, Side};

use super::parameters::Parameters;
use crate::problem::Problem;
use crate::question::{About, Question};
use crate::release_choice::ReleaseChoice;

/// Rows on a page of evidence, unless told otherwise.
const PAGE: usize = 100;

/// What kind of question a route asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asked {
    Value,
    Trend,
    Evidence,
}

/// Reads the question; parameters that are not its own are left.
pub fn question(id: String, asked: Asked, parameters: &mut Parameters) -> Result<Question, Problem> {
    let about = match asked {
        Asked::Value => About::Value(comparison(parameters)?),
        Asked::Trend => About::Trend,
        Asked::Evidence => About::Evidence {
            side: side(parameters.one("side")?.as_deref())?,
            cursor: parameters.one("cursor")?,
            limit: limit(parameters.parsed("limit")?)?,
        },
    };
    let request = MetricRequest {
        id,
        by: parameters.list("by"),
        as_of: parameters.day("as_of")?,
        from: parameters.day("from")?,
        to: parameters.day("to")?,
        observed_until: parameters.day("observed_until")?,
        filters: parameters.prefixed("where")?,
        params: parameters.prefixed("param")?,
    };
    Ok(Question { about, request, release: release(parameters)? })
}

/// The release asked: `release=N` or `known_at=T`.
pub fn release(parameters: &mut Parameters) -> Result<ReleaseChoice, Problem> {
    let (number, known_at) = (parameters.parsed("release")?, parameters.parsed("known_at")?);
    ReleaseChoice::of(number, known_at).map_err(|error| Problem::bad_request("bad_parameter", error))
}

/// `compare=yoy|mom` and `benchmarks=province,nation`.
fn comparison(parameters: &mut Parameters) -> Result<Comparison, Problem> {
    let earlier = parameters.one("compare")?.map(|name| {
        Compare::parse(&name)
            .ok_or_else(|| Problem::bad_request("bad_parameter", format!("`compare`: `{name}` is neither yoy nor mom")))
    });
    let benchmarks = parameters.list("benchmarks").into_iter().map(|name| {
        Benchmark::parse(&name).ok_or_else(|| {
            Problem::bad_request("bad_parameter", format!("`benchmarks`: `{name}` is neither province nor nation"))
        })
    });
    Ok(Comparison { earlier: earlier.transpose()?, benchmarks: benchmarks.collect::<Result<_, _>>()? })
}

fn side(text: Option<&str>) -> Result<Side, Problem> {
    let asked = text.unwrap_or(Side::Gap.name());
    Side::parse(asked).ok_or_else(|| {
        Problem::bad_request("bad_parameter", format!("`side`: `{asked}` is neither gap, numerator nor denominator"))
    })
}

/// How many rows a page has.
pub fn limit(asked: Option<usize>) -> Result<usize, Problem> {
    match asked {
        None => Ok(PAGE),
        Some(rows) if (1..=MOST_ROWS).contains(&rows) => Ok(rows),
        Some(_) => Err(Problem::bad_request("bad_parameter", format!("`limit` is between 1 and {MOST_ROWS}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_parameter_finds_its_place() {
        let text = "by=city&from=2026-01-01&to=2026-07-01&observed_until=2026-06-30&where.sector=mine&param.grace_days=30&release=3&side=numerator&limit=5&cursor=abc";
        let mut parameters = Parameters::of(Some(text));
        let question = question("renewal_rate".into(), Asked::Evidence, &mut parameters).unwrap();
        assert_eq!(parameters.finish(), Ok(()));
        assert_eq!(question.release, ReleaseChoice::Number(3));
        assert_eq!(question.about, About::Evidence { side: Side::Numerator, cursor: Some("abc".into()), limit: 5 });
        assert_eq!(question.request.by, ["city"]);
        assert_eq!(question.request.params["grace_days"], "30");
    }

    #[test]
    fn evidence_is_the_gap_unless_told_otherwise() {
        let question = question("x".into(), Asked::Evidence, &mut Parameters::of(None)).unwrap();
        assert_eq!(question.about, About::Evidence { side: Side::Gap, cursor: None, limit: PAGE });
    }

    #[test]
    fn pages_of_no_or_too_many_rows_are_refused() {
        assert!(limit(Some(0)).is_err());
        assert!(limit(Some(MOST_ROWS + 1)).is_err());
    }
}
