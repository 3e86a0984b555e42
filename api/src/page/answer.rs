//! Reading an answer for a page: its rows, and what every number must show of itself.

use maud::{Markup, html};
use serde_json::{Map, Value};

use super::{Address, Lang, chart, figure};
use crate::problem::Problem;

/// An answer, as a program would get it.
pub(super) type Answer = Map<String, Value>;
/// One part's answer, or why there is none.
pub(super) type Part = Result<Answer, Problem>;

/// What the links on a page may lead to, and whose numbers they are.
#[derive(Clone, Copy)]
pub(super) struct Viewer {
    /// May see the rows behind a cell.
    pub(super) evidence: bool,
    /// Is limited to a part of the province or of the market.
    pub(super) limited: bool,
    pub(super) lang: Lang,
}

impl Viewer {
    /// What the totals are about.
    pub(super) fn whole(self) -> &'static str {
        match (self.limited, self.lang) {
            (false, Lang::Zh) => "全省",
            (false, Lang::En) => "Province",
            (true, Lang::Zh) => "授权范围内",
            (true, Lang::En) => "Within your scope",
        }
    }
}

/// The rows of an answer.
pub(super) fn rows(answer: &Answer) -> impl Iterator<Item = &Map<String, Value>> {
    answer.get("rows").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_object)
}

/// A text of an answer or row.
pub(super) fn text<'a>(of: &'a Map<String, Value>, name: &str) -> Option<&'a str> {
    of.get(name).and_then(Value::as_str)
}

/// The unit of an answer's values.
pub(super) fn unit(answer: &Answer) -> &str {
    text(answer, "unit").unwrap_or_default()
}

/// The name of a row's member of a dimension.
pub(super) fn name<'a>(row: &'a Map<String, Value>, dimension: &str) -> &'a str {
    text(row, &format!("{dimension}_name")).or_else(|| text(row, dimension)).unwrap_or("—")
}

/// Day or period, release and freshness of an answer, and its unit where it has one.
pub(super) fn standing(answer: &Answer, lang: Lang) -> Markup {
    let late = answer.get("stale_feeds").and_then(Value::as_array).map(|feeds| feeds.len() as u64);
    let late = late.or_else(|| answer.get("stale_feed_count").and_then(Value::as_u64));
    html! {
        @if !unit(answer).is_empty() { (lang.pick("单位", "unit")) " " (figure::unit_name(unit(answer), lang)) " · " }
        @if let Some(day) = text(answer, "as_of") {
            (lang.pick("截至", "as of")) " " (day)
        } @else if let (Some(from), Some(to)) = (text(answer, "from"), text(answer, "to")) {
            (from) " " (lang.pick("起至", "to before")) " " (to) (lang.pick("（不含）", ""))
        }
        " · " (lang.pick("发布", "release")) " " (figure::exact(answer.get("release")))
        @match late {
            None => {},
            Some(0) => { " · " (lang.pick("发布时各源均按时", "all feeds on time at the release")) },
            Some(late) => { " · " (lang.pick("发布时逾期报送源", "feeds late at the release")) " " (late) },
        }
    }
}

/// The page of rows behind an answer.
pub(super) fn gap_address(answer: &Answer, side: Option<&str>) -> Address {
    let address = Address::joined(&["metrics", text(answer, "metric").unwrap_or_default(), "gap"]);
    match side {
        Some(side) => address.with("side", side),
        None => address,
    }
}

/// The link to a cell's gap list, with how much is missing where that is a count.
pub(super) fn gap(answer: &Answer, row: &Map<String, Value>, dimension: &str, lang: Lang) -> Markup {
    let Some(member) = text(row, dimension) else { return html! {} };
    let count = |name: &str| row.get(name).and_then(Value::as_i64);
    let missing = count("denominator").zip(count("numerator")).map(|(all, done)| all - done);
    if missing == Some(0) {
        return html! { "0" };
    }
    let words = missing.map_or_else(|| lang.pick("明细", "rows").to_owned(), |missing| figure::plain(missing as f64));
    let address = gap_address(answer, None).with(&format!("where.{dimension}"), member);
    html! { a href=(address.to(lang)) { (words) } }
}

/// Name, value, and a bar with what the value is made of: the first cells of a row of ratios.
pub(super) fn ratio_cells(
    answer: &Answer,
    row: &Map<String, Value>,
    dimension: &str,
    axis: chart::Axis,
    lang: Lang,
) -> Markup {
    html! {
        th scope="row" lang="zh-CN" { (name(row, dimension)) }
        td.number { (figure::value(unit(answer), row, lang)) }
        td.drawn {
            (chart::bar(row.get("value").and_then(figure::number), axis))
            span.made { (figure::exact(row.get("numerator"))) " / " (figure::exact(row.get("denominator"))) }
        }
    }
}

/// Whether its rows have an earlier figure beside them.
pub(super) fn is_compared(answer: &Answer) -> bool {
    rows(answer).any(|row| row.contains_key("previous"))
}

/// Why a part of a page is not there.
pub(super) fn missing(problem: &Problem, lang: Lang) -> Markup {
    html! { p.empty { (lang.pick(problem.title, problem.title_en)) (lang.pick("：", ": ")) (problem.detail) } }
}
