//! What holds of every metric whatever the rows are, tried on random ones.
//!
//! Every run tries new rows; `ANZE_PROPERTY_WORLDS` says how many worlds each metric meets (1 by default).

mod world;

use std::collections::BTreeMap;
use std::sync::Arc;

use anze_warehouse::Release;
use chrono::{Days, NaiveDate};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, TestRunner};
use tokio::runtime::{Builder, Runtime};

use crate::catalogue::Kind;
use crate::handworked::laws;
use crate::quantity::Quantity;
use crate::{Catalogue, Metric, MetricRequest, answer};
use world::{DAY, EDGES, World, worlds};

#[allow(clippy::disallowed_methods, reason = "only the product has one place that reads its environment")]
fn runner() -> TestRunner {
    let worlds = std::env::var("ANZE_PROPERTY_WORLDS").ok().and_then(|text| text.parse().ok()).unwrap_or(1);
    TestRunner::new(Config { cases: worlds, max_shrink_iters: 200, failure_persistence: None, ..Config::default() })
}

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

/// A question about days on the edges: by them, by nothing else.
fn about_edges(metric: &Metric, places: (usize, usize)) -> MetricRequest {
    let (one, other) = (EDGES[places.0 % EDGES.len()], EDGES[places.1 % EDGES.len()]);
    let (from, to) = (one.min(other), one.max(other));
    let over_period = metric.kind == Kind::Period;
    MetricRequest {
        id: metric.id.clone(),
        as_of: (!over_period).then(|| day(one)),
        from: over_period.then(|| day(from)),
        to: over_period.then(|| day(to).checked_add_days(Days::new(1)).unwrap()),
        ..MetricRequest::default()
    }
}

fn day(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

#[test]
fn parts_add_up_to_the_whole_and_shares_to_the_answer_on_random_rows() {
    let (catalogue, runtime) = (Catalogue::load(None).unwrap(), runtime());
    for metric in catalogue.metrics() {
        let found = runner().run(&(worlds(), any::<(usize, usize)>()), |(world, places)| {
            let request = about_edges(metric, places);
            let release = runtime.block_on(world.release());
            let held = laws::hold(&catalogue, &release, &request, &metric.id);
            runtime.block_on(held);
            Ok(())
        });
        found.unwrap_or_else(|error| panic!("{}: {error}", metric.id));
    }
}

#[test]
fn neither_the_order_of_rows_nor_the_bounds_of_batches_play_a_part() {
    let (catalogue, runtime) = (Catalogue::load(None).unwrap(), runtime());
    let cut = (worlds(), any::<u64>(), 1..5_usize, any::<(usize, usize)>());
    let found = runner().run(&cut, |(world, order, parts, places)| {
        let one = runtime.block_on(world.release());
        let other = runtime.block_on(world.shuffled(order, parts));
        for metric in catalogue.metrics() {
            let by = metric.dimensions.iter().map(|dimension| dimension.name().to_owned()).collect();
            let request = MetricRequest { by, ..about_edges(metric, places) };
            let given = |release: &Arc<Release>| {
                let answer = runtime.block_on(answer(&catalogue, release, &request)).unwrap();
                let json = serde_json::to_value(answer).unwrap();
                (json["rows"].clone(), json["without_rule"].clone())
            };
            prop_assert_eq!(given(&one), given(&other), "{}", &metric.id);
        }
        Ok(())
    });
    found.unwrap();
}

/// A roster entry counts on a day, and a policy covers its unit on a day: term by term, day by day.
fn joined_directly(world: &World, day: &str) -> (i64, i64) {
    let ended = |end: Option<&str>| end.is_some_and(|end| end <= day);
    let policies: Vec<BTreeMap<&str, &str>> = world.rows("policy");
    let covered = |unit: &str| {
        policies.iter().any(|policy| {
            let begun = policy["inception"] <= day && day < policy["expiry"];
            policy["unit_id"] == unit && begun && !ended(policy.get("cancelled_on").copied())
        })
    };
    let standing: Vec<BTreeMap<&str, &str>> = world.rows("roster");
    let standing = standing.iter().filter(|entry| entry["valid_from"] <= day && !ended(entry.get("valid_to").copied()));
    let units: Vec<&str> = standing.map(|entry| entry["unit_id"]).collect();
    let insured = units.iter().filter(|unit| covered(unit)).count();
    (i64::try_from(insured).unwrap(), i64::try_from(units.len()).unwrap())
}

#[test]
fn coverage_by_events_is_on_each_day_what_a_direct_join_says() {
    let (catalogue, runtime) = (Catalogue::load(None).unwrap(), runtime());
    let mut runner = TestRunner::new(Config { cases: 4, failure_persistence: None, ..Config::default() });
    let found = runner.run(&worlds(), |world| {
        let release = runtime.block_on(world.release());
        let sums = |request: MetricRequest| {
            let answer = runtime.block_on(answer(&catalogue, &release, &request)).unwrap();
            let count = |quantity: Quantity| i64::try_from(quantity.parts().0).unwrap();
            (count(answer.rows[0].numerator), answer.rows[0].denominator.map_or(0, count))
        };
        let (first, last) = (day("2024-02-27"), day("2024-03-03"));
        let mut uncovered = 0;
        let mut entries = 0;
        for on in first.iter_days().take_while(|on| *on <= last) {
            let expected = joined_directly(&world, &on.to_string());
            let as_of = MetricRequest { id: "coverage_rate".into(), as_of: Some(on), ..MetricRequest::default() };
            prop_assert_eq!(sums(as_of), expected, "coverage on {}", on);
            // One day as a period, from the beginnings and ends of entries and terms.
            let period = |from: NaiveDate, to: NaiveDate| MetricRequest {
                id: "lapse_rate".into(),
                from: Some(from),
                to: to.checked_add_days(Days::new(1)),
                ..MetricRequest::default()
            };
            let (covered, standing) = expected;
            prop_assert_eq!(sums(period(on, on)), (standing - covered, standing), "events on {}", on);
            uncovered += standing - covered;
            entries += standing;
            prop_assert_eq!(sums(period(first, on)), (uncovered, entries), "events from {} to {}", first, on);
        }
        Ok(())
    });
    found.unwrap();
}

#[test]
fn a_random_world_has_rows_of_every_kind() {
    // Otherwise the properties above would hold of nothing.
    let runtime = runtime();
    let mut runner = TestRunner::deterministic();
    let catalogue = Catalogue::load(None).unwrap();
    // Groups of thirty, the books of deliveries, and chains of days under a rule in force are not made here; the
    // edge cases of tests/oracle have them.
    let beyond = [
        "claim_advance_rate",
        "complaint_reply_rate",
        "low_price_policies",
        "reporting_completeness_rate",
        "reporting_timeliness_rate",
    ];
    let mut missed: Vec<&Metric> =
        catalogue.metrics().iter().filter(|metric| !beyond.contains(&metric.id.as_str())).collect();
    // As of a day in the middle, when policies are in force; over all that was before it.
    let middle = EDGES.len() / 2;
    for _ in 0..40 {
        let world = worlds().new_tree(&mut runner).unwrap().current();
        let release = runtime.block_on(world.release());
        missed.retain(|metric| {
            let request = about_edges(metric, (middle, 0));
            let answer = runtime.block_on(answer(&catalogue, &release, &request)).unwrap();
            let row = &answer.rows[0];
            row.numerator.is_zero() && row.denominator.is_none_or(Quantity::is_zero)
        });
    }
    let missed: Vec<&str> = missed.iter().map(|metric| metric.id.as_str()).collect();
    assert!(missed.is_empty(), "no random world has a case of {missed:?}");
    assert_eq!(release_day(), day(DAY));
}

fn release_day() -> NaiveDate {
    runtime().block_on(World::default().release()).day()
}
