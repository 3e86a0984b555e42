//! `metric_value` against the direct answers, over releases of a warehouse in a folder.

mod province;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use anze_warehouse::publication::Writer;
use anze_warehouse::warehouse::Holder;
use anze_warehouse::{Release, Warehouse};
use chrono::{Days, NaiveDate};
use datafusion::arrow::array::AsArray;
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::DataType;
use serde_json::Value as Json;

use super::{MetricValues, computed, metric_values};
use crate::dimension::Dimension;
use crate::span::first_of_month;
use crate::{Catalogue, MetricRequest, session, trend};
use province::{Chance, Province};

/// Metric, month, dimension, member → numerator, denominator, value.
type Values = BTreeMap<[String; 4], [String; 3]>;

struct Bench {
    _folder: tempfile::TempDir,
    warehouse: Arc<Warehouse>,
    writer: Writer,
    catalogue: Catalogue,
}

impl Bench {
    async fn open() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let warehouse = Warehouse::open(folder.path()).unwrap();
        let holder = Holder { what: "a test".into(), process: 1, address: None, secret: None };
        let writer = warehouse.writer(&holder, Duration::from_secs(1)).await.unwrap();
        Self { _folder: folder, warehouse, writer, catalogue: Catalogue::load(None).unwrap() }
    }

    /// Brings `metric_value` up to date with a release, as a server does.
    async fn follow(&self, release: &Arc<Release>) -> MetricValues {
        let values = self.warehouse.metric_values();
        let notes = match values.newest().await.unwrap() {
            Some(sheet) => values.notes(&sheet).await.unwrap(),
            None => None,
        };
        let made = metric_values(&self.catalogue, release, notes.as_ref()).await.unwrap();
        let MetricValues { anew, all, notes } = made.clone();
        self.writer.follow(release, anew, &all, notes).await.unwrap();
        made
    }
}

/// What SQL reads from a release, and the releases that the rows name.
async fn read(release: &Arc<Release>) -> (Values, BTreeSet<String>) {
    let sql = "select metric_id, month, dimension, member, numerator, denominator, value, release from metric_value";
    let rows = session(release, None).await.unwrap().sql(sql).await.unwrap().collect().await.unwrap();
    let (mut values, mut releases) = (Values::new(), BTreeSet::new());
    for batch in rows {
        let texts: Vec<_> = batch.columns().iter().map(|column| cast(column, &DataType::Utf8).unwrap()).collect();
        let text = |column: usize, row: usize| match texts[column].as_string::<i32>() {
            texts if datafusion::arrow::array::Array::is_null(texts, row) => "null".to_owned(),
            texts => texts.value(row).to_owned(),
        };
        for row in 0..batch.num_rows() {
            let key = [0, 1, 2, 3].map(|column| text(column, row));
            assert!(values.insert(key.clone(), [4, 5, 6].map(|column| text(column, row))).is_none(), "{key:?} twice");
            releases.insert(text(7, row));
        }
    }
    (values, releases)
}

/// The same asked for directly: the trend of a metric in total or by one dimension.
async fn direct(
    catalogue: &Catalogue,
    release: &Arc<Release>,
    id: &str,
    by: Option<Dimension>,
    first: NaiveDate,
) -> Values {
    let tomorrow = release.day().checked_add_days(Days::new(1)).unwrap();
    let request = MetricRequest {
        id: id.to_owned(),
        by: by.iter().map(|by| by.name().to_owned()).collect(),
        from: Some(first),
        to: Some(tomorrow),
        ..MetricRequest::default()
    };
    let answer = trend(catalogue, release, &request).await.unwrap();
    let mut values = Values::new();
    for row in answer.rows {
        let decimal = |units: i128, scale: u32| {
            let sign = if units < 0 { "-" } else { "" };
            let power = 10_u128.pow(scale);
            let (whole, rest) = (units.unsigned_abs() / power, units.unsigned_abs() % power);
            format!("{sign}{whole}.{rest:0width$}", width = scale as usize)
        };
        let part = |part| decimal(computed::at_scale(part, 6).unwrap(), 6);
        let member = row.members.get(1).map_or(String::new(), |member| member.code.clone());
        let dimension = by.map_or("", Dimension::name).to_owned();
        let value = row.value.as_ref().map_or("null".to_owned(), |value| decimal(computed::figure(value).unwrap(), 9));
        let denominator = row.denominator.map_or("null".to_owned(), part);
        values.insert(
            [id.to_owned(), row.members[0].code.clone(), dimension, member],
            [part(row.numerator), denominator, value],
        );
    }
    values
}

/// Random rows of every dataset, random batches in random order, days that pass: after every release the
/// table says what the direct answers say, in total and by a dimension drawn for each metric.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_table_equals_the_direct_answers_whatever_arrives_in_whatever_order() {
    let rounds: u32 = setting("ANZE_VALUES_ROUNDS").unwrap_or(3);
    let seed: u64 = setting("ANZE_VALUES_SEED").unwrap_or(20_260_401);
    let bench = Bench::open().await;
    let mut province = Province::new(Chance::new(seed));
    for round in 0..rounds {
        let release = province.publish(&bench.writer, round).await;
        let made = bench.follow(&release).await;
        let (values, _) = read(&release).await;
        let first: NaiveDate = format!("{}-01", made.all.first().unwrap()).parse().unwrap();
        assert_eq!(first, first_of_month(first));
        for metric in bench.catalogue.metrics() {
            let dimensions: Vec<Dimension> =
                metric.dimensions.iter().copied().filter(|dimension| *dimension != Dimension::Month).collect();
            let drawn = dimensions[province.chance.below(dimensions.len() as u64) as usize];
            // Of a third of the metrics a dimension too: each answer is computed again on its own.
            let drawn = province.chance.once_in(3).then_some(drawn);
            for by in [None].into_iter().chain(drawn.map(Some)) {
                let expected = direct(&bench.catalogue, &release, &metric.id, by, first).await;
                let name = by.map_or("", Dimension::name);
                let stored: Values = values
                    .iter()
                    .filter(|(key, _)| key[0] == metric.id && key[2] == name)
                    .map(|(key, value)| (key.clone(), value.clone()))
                    .collect();
                assert_eq!(stored, expected, "seed {seed}, round {round}: {} by {name:?}", metric.id);
            }
        }
        assert!(values.keys().any(|key| key[0] == "coverage_rate" && key[2] == "county"));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_what_a_release_touched_is_computed_again() {
    let bench = Bench::open().await;
    let mut province = Province::new(Chance::new(7));
    let release = province.publish(&bench.writer, 0).await;
    let first = bench.follow(&release).await;
    let metrics = bench.catalogue.metrics().len();
    assert_eq!(first.anew.len(), first.all.len());
    assert!(first.anew.iter().all(|month| month.metrics.is_none()), "the first sheet is of all metrics");

    // The same release again, and one that brought nothing: nothing is computed.
    assert_eq!(bench.follow(&release).await.computed(), 0);
    let release = province.publish_nothing(&bench.writer).await;
    assert_eq!(touched(&bench.follow(&release).await), BTreeMap::new());

    // A visit of November: visits of November, and no more.
    let release = province.publish_visit(&bench.writer, "2025-11-05").await;
    let made = bench.follow(&release).await;
    let expected = BTreeMap::from([("visits".to_owned(), vec!["2025-11".to_owned()])]);
    assert_eq!(touched(&made), expected);

    // Untouched months name the release they were computed on.
    let (_, releases) = read(&release).await;
    assert_eq!(releases, BTreeSet::from(["1".to_owned(), "3".to_owned()]));

    // The day moves into the next month: every metric in the month that was cut and in the new one.
    let release = province.publish_on(&bench.writer, "2026-03-20").await;
    let made = bench.follow(&release).await;
    let by_month = |month: &str| made.anew.iter().find(|anew| anew.month == month).unwrap().metrics.clone().unwrap();
    assert_eq!(by_month("2026-02").len(), metrics);
    assert_eq!(by_month("2026-03").len(), metrics);
    // Nothing of July waits for a day; medians are of the whole release, so they are taken again.
    assert_eq!(by_month("2025-07"), BTreeSet::from(["low_price_policies".to_owned()]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_release_is_read_with_the_sheet_that_followed_it() {
    let bench = Bench::open().await;
    let mut province = Province::new(Chance::new(11));
    let first = province.publish(&bench.writer, 0).await;
    assert_eq!(read(&first).await.0.len(), 0, "before its sheet there is nothing");
    bench.follow(&first).await;
    let before = read(&first).await;
    let second = province.publish_visit(&bench.writer, "2025-11-05").await;
    assert_eq!(read(&second).await, before, "until its own sheet is there, a release shows the one before");
    bench.follow(&second).await;
    assert_ne!(read(&second).await, before);

    // Another process reads the same.
    let again = Warehouse::open(bench.warehouse.store().path()).unwrap();
    assert_eq!(read(&again.release(1).await.unwrap().unwrap()).await, before);
    assert_eq!(read(&again.release(2).await.unwrap().unwrap()).await, read(&second).await);
}

/// The months computed again, by metric.
fn touched(made: &MetricValues) -> BTreeMap<String, Vec<String>> {
    let mut touched: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for month in &made.anew {
        for metric in month.metrics.iter().flatten() {
            touched.entry(metric.clone()).or_default().push(month.month.clone());
        }
    }
    touched
}

#[test]
fn every_built_in_metric_but_one_says_when_its_rows_count() {
    let catalogue = Catalogue::load(None).unwrap();
    let silent: Vec<&str> =
        catalogue.metrics().iter().filter(|metric| metric.months.is_none()).map(|metric| metric.id.as_str()).collect();
    // Its medians are of the whole release: a row of any month can alter any other.
    assert_eq!(silent, ["low_price_policies"]);
}

#[allow(clippy::disallowed_methods, reason = "campaigns choose length and seed by the environment")]
fn setting<T: std::str::FromStr>(name: &str) -> Option<T> {
    std::env::var(name).ok()?.parse().ok()
}

fn row(json: Json) -> anze_warehouse::live::LiveRow {
    json.as_object().unwrap().clone()
}
