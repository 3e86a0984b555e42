//! What a figure is compared with: itself a year or a period before, the whole province, the nation.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use anze_warehouse::Release;
use chrono::{Datelike, Days, Months, NaiveDate};
use datafusion::arrow::datatypes::Date32Type;
use num_bigint::BigInt;

use crate::answer::{Compared, MetricAnswer, Row};
use crate::catalogue::Catalogue;
use crate::dimension::Dimension;
use crate::engine::{Rows, assemble, empty_row, in_order, rows, rows_over, spans};
use crate::error::Result;
use crate::quantity::number;
use crate::question::{MetricRequest, Question};
use crate::rule_book::VALUE_SCALE;
use crate::session::{self, Observed};
use crate::span::Span;

/// A benchmark of fewer cases than this outside the asker's reach is not handed out.
const SMALLEST: i64 = 5;
/// The dimensions that say where or with whom; the others say what.
const PLACES: [Dimension; 6] =
    [Dimension::City, Dimension::County, Dimension::Insurer, Dimension::Agency, Dimension::Feed, Dimension::Reporter];

/// Which earlier figure stands beside each row as `previous`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Compare {
    /// 同比: a year before.
    Yoy,
    /// 环比: the period before; of a day, a month before.
    Mom,
}

/// Whose figure stands beside each row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Benchmark {
    /// The whole province, as `province`.
    Province,
    /// The nation, as `nation`, where somebody published it: the rule `benchmark.<metric id>`.
    Nation,
}

/// What an answer is compared with.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Comparison {
    /// An earlier figure.
    pub earlier: Option<Compare>,
    /// Figures of others.
    pub benchmarks: Vec<Benchmark>,
}

/// How far the asker may see.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Reach {
    /// All of it.
    #[default]
    Everything,
    /// What one of these filters holds; no two of them hold the same case.
    Within(Vec<BTreeMap<String, String>>),
}

impl Compare {
    /// `yoy` or `mom`.
    pub fn parse(name: &str) -> Option<Self> {
        match name {
            "yoy" => Some(Self::Yoy),
            "mom" => Some(Self::Mom),
            _ => None,
        }
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Yoy => "yoy",
            Self::Mom => "mom",
        }
    }

    /// What a span is compared with. The last day of a month goes with the last day of a month. The period
    /// before one begins as many months earlier as it spans, so that calendar months, quarters and halves go
    /// with their like.
    fn before(self, span: Span) -> Span {
        match span {
            Span::AsOf(day) => Span::AsOf(day_before(day, self.months(1))),
            Span::Period { from, to } => {
                let spanned = (1..).find(|months| to <= moved(from, *months)).unwrap_or(1);
                let months = self.months(spanned);
                Span::Period { from: moved(from, -months), to: moved(to, -months) }
            }
        }
    }

    fn months(self, spanned: i32) -> i32 {
        match self {
            Self::Yoy => 12,
            Self::Mom => spanned,
        }
    }
}

impl Benchmark {
    /// `province` or `nation`.
    pub fn parse(name: &str) -> Option<Self> {
        match name {
            "province" => Some(Self::Province),
            "nation" => Some(Self::Nation),
            _ => None,
        }
    }

    /// Its name, which is that of the field.
    pub fn name(self) -> &'static str {
        match self {
            Self::Province => "province",
            Self::Nation => "nation",
        }
    }
}

/// Answers a question, each row compared with what is asked for. A member that has cases in the earlier span
/// alone has a row too, so that the earlier figures add up as well.
///
/// # Errors
/// As [`crate::answer`].
pub async fn answer_compared(
    catalogue: &Catalogue,
    release: &Arc<Release>,
    request: &MetricRequest,
    comparison: &Comparison,
    reach: &Reach,
) -> Result<MetricAnswer> {
    let observed = session::observed(release, request.observed_until).await?;
    let question = Question::read(catalogue, &observed, request)?;
    let mut answered = rows(&question, &observed).await?;
    if let Some(compare) = comparison.earlier {
        earlier(&question, &observed, compare, &mut answered).await?;
    }
    for benchmark in &comparison.benchmarks {
        match benchmark {
            Benchmark::Province => province(catalogue, &question, &observed, request, reach, &mut answered).await?,
            Benchmark::Nation => nation(&question, &observed, &mut answered),
        }
    }
    Ok(assemble(&question, &observed, release, answered))
}

type Codes = Vec<String>;

fn codes(row: &Row) -> Codes {
    row.members.iter().map(|member| member.code.clone()).collect()
}

async fn earlier(question: &Question<'_>, observed: &Observed, compare: Compare, answered: &mut Rows) -> Result<()> {
    let now = spans(question)?;
    let then: Vec<_> = now.iter().map(|(span, month)| (compare.before(*span), *month)).collect();
    let found = rows_over(question, observed, &then).await?;
    // What is said of cases without a rule and of workdays is said of both spans.
    answered.without_rule += found.without_rule;
    answered.provisional |= found.provisional;
    let mut found: HashMap<Codes, Row> = found.rows.into_iter().map(|row| (codes(&row), row)).collect();
    for row in &mut answered.rows {
        let then = match found.remove(&codes(row)) {
            Some(then) => then,
            None => empty_row(question, observed, compare.before(row.span), row),
        };
        row.compared.push(("previous", then.into()));
    }
    for gone in found.into_values() {
        let span =
            now.iter().find(|(span, _)| compare.before(*span) == gone.span).map_or(question.span, |(now, _)| *now);
        let mut row = empty_row(question, observed, span, &gone);
        row.compared.push(("previous", gone.into()));
        answered.rows.push(row);
    }
    answered.rows.sort_by(|a, b| in_order(&a.members, &b.members));
    Ok(())
}

/// The same question about the whole province: without places and parties, by what else it is asked by.
async fn province(
    catalogue: &Catalogue,
    question: &Question<'_>,
    observed: &Observed,
    request: &MetricRequest,
    reach: &Reach,
    answered: &mut Rows,
) -> Result<()> {
    let is_kept = |dimension: &Dimension| !PLACES.contains(dimension);
    let named = |name: &String| Dimension::parse(name).is_some_and(|dimension| is_kept(&dimension));
    let wide = MetricRequest {
        by: request.by.iter().filter(|name| named(name)).cloned().collect(),
        filters: request.filters.iter().filter(|(name, _)| named(name)).map(|(k, v)| (k.clone(), v.clone())).collect(),
        ..request.clone()
    };
    let all = by_codes(rows(&Question::read(catalogue, observed, &wide)?, observed).await?);
    let mut seen: HashMap<Codes, i64> = HashMap::new();
    if let Reach::Within(parts) = reach {
        // A part that the question itself leaves out holds nothing of it.
        let asked = |part: &&BTreeMap<String, String>| {
            part.iter().all(|(name, member)| wide.filters.get(name).is_none_or(|asked| asked == member))
        };
        for part in parts.iter().filter(asked) {
            let filters = part.iter().map(|(name, member)| (name.clone(), member.clone()));
            let within =
                MetricRequest { filters: wide.filters.clone().into_iter().chain(filters).collect(), ..wide.clone() };
            for (codes, row) in by_codes(rows(&Question::read(catalogue, observed, &within)?, observed).await?) {
                *seen.entry(codes).or_default() += row.cases;
            }
        }
    }
    for row in &mut answered.rows {
        let kept: Codes =
            row.members.iter().filter(|member| is_kept(&member.dimension)).map(|member| member.code.clone()).collect();
        let cell = all.get(&kept).cloned().unwrap_or_else(|| empty_row(question, observed, row.span, row));
        let outside = cell.cases - seen.get(&kept).copied().unwrap_or_default();
        let hidden = *reach != Reach::Everything && (1..SMALLEST).contains(&outside);
        let shown = if hidden { Compared::Suppressed(cell.span) } else { cell.into() };
        row.compared.push((Benchmark::Province.name(), shown));
    }
    Ok(())
}

fn by_codes(rows: Rows) -> HashMap<Codes, Row> {
    rows.rows.into_iter().map(|row| (codes(&row), row)).collect()
}

/// What somebody published for the nation, of the row's sector, on the last day of its span.
fn nation(question: &Question<'_>, observed: &Observed, answered: &mut Rows) {
    let id = format!("benchmark.{}", question.metric.id);
    for row in &mut answered.rows {
        let sector = row.member(Dimension::Sector).or_else(|| question.filter(Dimension::Sector));
        let day = Date32Type::from_naive_date(row.span.last_day());
        let published = observed.rules.find(&id, None, sector, day).map_or(Compared::Nothing, |rule| {
            Compared::Published(number(&BigInt::from(rule.value), usize::from(VALUE_SCALE.unsigned_abs())))
        });
        row.compared.push((Benchmark::Nation.name(), published));
    }
}

/// A day so many months before; the last day of a month goes with the last one.
fn day_before(day: NaiveDate, months: i32) -> NaiveDate {
    let next = day.checked_add_days(Days::new(1)).unwrap_or(day);
    match next.day() {
        1 => moved(next, -months).checked_sub_days(Days::new(1)).unwrap_or(day),
        _ => shifted(day, -months).unwrap_or(day),
    }
}

/// The beginning of a day so many months later or earlier; where the month has no such day, that of the
/// next month: periods that meet still meet.
fn moved(day: NaiveDate, months: i32) -> NaiveDate {
    let Some(shifted) = shifted(day, months) else { return day };
    match shifted.day() == day.day() {
        true => shifted,
        false => shifted.checked_add_days(Days::new(1)).unwrap_or(shifted),
    }
}

/// The same day of another month, or its last one.
fn shifted(day: NaiveDate, months: i32) -> Option<NaiveDate> {
    let by = Months::new(months.unsigned_abs());
    if months < 0 { day.checked_sub_months(by) } else { day.checked_add_months(by) }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value as Json, json};

    use super::*;
    use crate::handworked::table;

    fn day(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    fn before(compare: Compare, from: &str, to: &str) -> String {
        match compare.before(Span::Period { from: day(from), to: day(to) }) {
            Span::Period { from, to } => format!("{from} {to}"),
            Span::AsOf(day) => day.to_string(),
        }
    }

    fn as_of(compare: Compare, text: &str) -> String {
        match compare.before(Span::AsOf(day(text))) {
            Span::AsOf(day) => day.to_string(),
            Span::Period { .. } => String::new(),
        }
    }

    #[test]
    fn a_day_is_compared_with_the_like_of_a_month_or_a_year_before() {
        assert_eq!(as_of(Compare::Mom, "2026-06-17"), "2026-05-17");
        assert_eq!(as_of(Compare::Mom, "2026-06-30"), "2026-05-31", "ends of months go together");
        assert_eq!(as_of(Compare::Mom, "2026-03-30"), "2026-02-28");
        assert_eq!(as_of(Compare::Yoy, "2024-02-29"), "2023-02-28");
        assert_eq!(as_of(Compare::Yoy, "2025-02-28"), "2024-02-29");
        assert_eq!(as_of(Compare::Yoy, "2025-12-31"), "2024-12-31");
    }

    #[test]
    fn a_period_is_compared_with_the_period_before_or_the_same_one_a_year_before() {
        assert_eq!(before(Compare::Mom, "2026-03-01", "2026-04-01"), "2026-02-01 2026-03-01");
        assert_eq!(before(Compare::Mom, "2026-01-01", "2026-07-01"), "2025-07-01 2026-01-01");
        assert_eq!(before(Compare::Mom, "2026-06-01", "2026-06-16"), "2026-05-01 2026-05-16");
        assert_eq!(before(Compare::Yoy, "2026-01-01", "2026-07-01"), "2025-01-01 2025-07-01");
        assert_eq!(before(Compare::Yoy, "2024-02-01", "2024-03-01"), "2023-02-01 2023-03-01");
    }

    #[test]
    fn periods_that_meet_on_a_leap_day_still_meet_a_year_before() {
        assert_eq!(before(Compare::Yoy, "2024-02-01", "2024-02-29"), "2023-02-01 2023-03-01");
        assert_eq!(before(Compare::Yoy, "2024-02-29", "2024-04-01"), "2023-03-01 2023-04-01");
    }

    /// Hangzhou: A1 insured from 2025 on, A2 never. Ningbo: B1 insured until July 2025. Wenzhou: C1 leaves the
    /// roster with the year 2024.
    fn province() -> Arc<Release> {
        let tables = [
            (
                "roster",
                "unit_id | sector | valid_from | valid_to | department | region_code | kind
                 A1 | mine | 2024-01-01 | | emergency | 330102 | annual
                 A2 | mine | 2024-01-01 | | emergency | 330102 | annual
                 B1 | mine | 2024-01-01 | | emergency | 330203 | annual
                 C1 | mine | 2024-01-01 | 2025-01-01 | emergency | 330303 | annual",
            ),
            (
                "policy",
                "policy_no | unit_id | insurer_code | sector | region_code | inception | expiry
                 PA | A1 | PICC | mine | 330102 | 2025-01-01 | 2026-01-01
                 PB | B1 | PICC | mine | 330203 | 2024-01-01 | 2025-07-01",
            ),
            (
                "rule",
                "rule_id | region_code | effective_from | value\nbenchmark.coverage_rate | 000000 | 2025-01-01 | 0.9",
            ),
        ];
        let rows = tables.map(|(name, text)| (name.to_owned(), table::batch(name, text)));
        Release::in_memory(day("2025-06-30"), rows.into()).unwrap()
    }

    async fn compared(by: &[&str], comparison: Comparison, reach: Reach) -> Json {
        let by = by.iter().map(|name| (*name).to_owned()).collect();
        let request = MetricRequest { id: "coverage_rate".into(), by, ..MetricRequest::default() };
        let catalogue = Catalogue::load(None).unwrap();
        let answer = answer_compared(&catalogue, &province(), &request, &comparison, &reach).await.unwrap();
        serde_json::to_value(answer).unwrap()["rows"].take()
    }

    fn cell(row: &Json, name: &str) -> (Json, Json, Json) {
        let cell = &row[name];
        (cell["numerator"].clone(), cell["denominator"].clone(), cell["value"].clone())
    }

    #[tokio::test]
    async fn every_row_has_the_year_before_beside_it_also_where_only_that_has_cases() {
        let comparison = Comparison { earlier: Some(Compare::Yoy), benchmarks: Vec::new() };
        let rows = compared(&["city"], comparison.clone(), Reach::Everything).await;
        let codes: Vec<&str> = rows.as_array().unwrap().iter().map(|row| row["city"].as_str().unwrap()).collect();
        assert_eq!(codes, ["330100", "330200", "330300"]);
        assert_eq!(rows[0]["previous"]["as_of"], "2024-06-30");
        assert_eq!(cell(&rows[0], "previous"), (json!(0), json!(2), json!(0)));
        assert_eq!(cell(&rows[1], "previous"), (json!(1), json!(1), json!(1)));
        assert_eq!(
            (&rows[2]["denominator"], &rows[2]["value"]),
            (&json!(0), &Json::Null),
            "nobody is on the roster now"
        );
        assert_eq!(cell(&rows[2], "previous"), (json!(0), json!(1), json!(0)));
        let total = compared(&[], comparison, Reach::Everything).await;
        assert_eq!((&total[0]["numerator"], &total[0]["denominator"]), (&json!(2), &json!(3)));
        assert_eq!(cell(&total[0], "previous"), (json!(1), json!(4), json!(0.25)));
    }

    #[tokio::test]
    async fn the_month_before_is_asked_of_its_last_day() {
        let comparison = Comparison { earlier: Some(Compare::Mom), benchmarks: Vec::new() };
        let rows = compared(&["sector"], comparison, Reach::Everything).await;
        assert_eq!(rows[0]["previous"]["as_of"], "2025-05-31");
        assert_eq!(cell(&rows[0], "previous").1, json!(3));
    }

    #[tokio::test]
    async fn province_and_nation_stand_beside_each_place_and_small_rests_are_hidden() {
        let benchmarks = vec![Benchmark::Province, Benchmark::Nation];
        let comparison = Comparison { earlier: None, benchmarks };
        let rows = compared(&["city"], comparison.clone(), Reach::Everything).await;
        for row in rows.as_array().unwrap() {
            let (numerator, denominator, _) = cell(row, "province");
            assert_eq!((numerator, denominator), (json!(2), json!(3)));
            assert_eq!(row["nation"], json!({"value": 0.9}));
        }
        // Beyond Hangzhou there is one entry, which the difference would tell.
        let own = Reach::Within(vec![BTreeMap::from([("city".to_owned(), "330100".to_owned())])]);
        let rows = compared(&[], comparison, own).await;
        let hidden = json!({
            "as_of": "2025-06-30", "numerator": null, "denominator": null, "value": null, "suppressed": true
        });
        assert_eq!(rows[0]["province"], hidden);
    }

    #[tokio::test]
    async fn a_reach_over_everything_hides_nothing() {
        let comparison = Comparison { earlier: None, benchmarks: vec![Benchmark::Province] };
        let parts = ["330100", "330200", "330300"].map(|city| BTreeMap::from([("city".to_owned(), city.to_owned())]));
        let rows = compared(&[], comparison, Reach::Within(parts.into())).await;
        assert_eq!(cell(&rows[0], "province").1, json!(3));
    }
}
