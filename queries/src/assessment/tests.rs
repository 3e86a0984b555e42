//! Assessments worked out by hand, on small releases in memory.

use std::collections::BTreeMap;
use std::sync::Arc;

use anze_warehouse::Release;
use serde_json::json;

use super::document::{Provisional, Scores};
use super::period::period;
use super::rescored::rescored;
use super::run::scores;
use super::scheme::{Scheme, Schemes, SubjectKind};
use crate::handworked::table;
use crate::{Catalogue, LeadRequest, leads};

/// The example of metrics.md.
const EXAMPLE: &str = r#"title = "2025 年度安责险目标责任考核（属地）"
version = 1
valid_from = 2025-01-01
subjects = "city"
period = "year"

[[indicators]]
metric = "coverage_rate"
weight = 60
scoring = { linear = { lo = 0.80, hi = 1.00 } }

[[indicators]]
metric = "uninsured_accidents"
weight = 20
scoring = { deduct = { per = 1, each = 1.5, most = 20 } }

[[indicators]]
metric = "claim_settlement_days"
weight = 20
scoring = { steps = [{ at_most = 10, share = 1.0 }, { at_most = 30, share = 0.6 }], otherwise = 0.0 }
gate = { metric = "reporting_completeness_rate", at_least = 0.95 }

[[vetoes]]
lead = "sham_service"
confirmed_at_least = 3
cap_grade = "合格"

[grades]
"优秀" = 90
"良好" = 80
"合格" = 60
"#;

fn catalogue() -> Catalogue {
    Catalogue::load(None).unwrap()
}

fn scheme(text: &str) -> Result<Scheme, String> {
    Scheme::from_text("example", text, &catalogue()).map_err(|error| error.to_string())
}

fn fault(from: &str, to: &str) -> String {
    assert!(EXAMPLE.contains(from), "{from}");
    scheme(&EXAMPLE.replacen(from, to, 1)).expect_err(to)
}

#[test]
fn the_example_and_the_defaults_are_sound_and_their_weights_sum_to_a_hundred() {
    scheme(EXAMPLE).unwrap();
    let schemes = Schemes::load(None, &catalogue()).unwrap();
    let found: Vec<(&str, &str, usize)> =
        schemes.schemes().iter().map(|one| (one.id.as_str(), one.subjects.name(), one.indicators.len())).collect();
    let expected =
        [("department-2025", "department", 11), ("insurer-2025", "insurer", 14), ("territory-2025", "city", 11)];
    assert_eq!(found, expected);
    let territory = schemes.expect("territory-2025").unwrap();
    assert!(territory.of_subjects(SubjectKind::County, &catalogue()).is_ok());
    let refused = territory.of_subjects(SubjectKind::Insurer, &catalogue()).unwrap_err().to_string();
    assert!(refused.contains("coverage_rate has no such dimension"), "{refused}");
}

#[test]
fn a_fault_names_file_line_and_key() {
    let weights = fault("weight = 60", "weight = 61");
    assert!(
        weights.contains("schemes/example.toml, line 7: indicators: the weights must sum to 100, and sum to 101"),
        "{weights}"
    );
    let metric = fault("\"uninsured_accidents\"", "\"uninsured_accident\"");
    assert!(metric.contains("line 13: indicators[2] (uninsured_accident).metric: there is no metric"), "{metric}");
    assert!(metric.contains("did you mean `uninsured_accidents`?"), "{metric}");
    let dimension = fault("\"uninsured_accidents\"", "\"prevention_spend_ratio\"");
    assert!(dimension.contains("prevention_spend_ratio has no dimension city; it has insurer, month"), "{dimension}");
    let unknown = fault("version = 1", "version = 1\nverson = 2");
    assert!(unknown.contains("line 3: verson: unknown field"), "{unknown}");
    let twice = fault("\"uninsured_accidents\"", "\"coverage_rate\"");
    assert!(twice.contains("is an indicator already"), "{twice}");
}

#[test]
fn bad_scoring_gates_vetoes_and_grades_are_refused() {
    let cases = [
        ("hi = 1.00", "hi = 0.8", "lo and hi must differ"),
        ("weight = 60", "weight = -60", "a weight is above 0"),
        ("lo = 0.80", "lo = 8e-1", "`8e-1` is no plain number"),
        ("lo = 0.80", "lo = \"0.80\"", "is no plain number"),
        ("share = 1.0 }", "share = 1.1 }", "a share lies between 0 and 1"),
        ("at_most = 10, share = 1.0", "share = 1.0", "a step has at_most, at_least or both"),
        ("at_most = 10, ", "at_most = 10, at_least = 11, ", "nothing can match"),
        (", otherwise = 0.0", "", "steps need `otherwise`"),
        ("per = 1,", "per = 0,", "deduct.per: a number above 0"),
        ("most = 20", "most = 20.01", "no more can be taken off than the weight"),
        (
            "deduct = {",
            "linear = { lo = 0, hi = 1 }, deduct = {",
            "exactly one of linear, steps with otherwise, and deduct",
        ),
        (", at_least = 0.95", "", "a gate has at_least, at_most or both"),
        ("metric = \"reporting_completeness_rate\"", "metric = \"reporting\"", "there is no metric `reporting`"),
        ("\"sham_service\"", "\"sham_servic\"", "did you mean `sham_service`?"),
        ("confirmed_at_least = 3", "confirmed_at_least = 0", "a whole number from 1 on"),
        ("cap_grade = \"合格\"", "cap_grade = \"中等\"", "`中等` is none of the grades"),
        ("\"良好\" = 80", "\"良好\" = 90", "begins at the same points"),
        ("\"优秀\" = 90", "\"优秀\" = 100.5", "above 0 and at 100 at most"),
        ("\"合格\" = 60", "\"不合格\" = 60", "leave it out"),
        ("subjects = \"city\"", "subjects = \"cities\"", "`cities` is none of city, county"),
        ("period = \"year\"", "period = \"month\"", "`month` is none of year, half, quarter"),
        ("valid_from = 2025-01-01", "valid_from = 2025-01-01\nvalid_to = 2024-12-31", "before it begins"),
        (
            "scoring = { linear",
            "params = { grace_days = 3 }\nscoring = { linear",
            "coverage_rate has no such parameter",
        ),
        ("scoring = { linear", "sector_weights = { mining = 3 }\nscoring = { linear", "there is no sector `mining`"),
    ];
    for (from, to, expected) in cases {
        let said = fault(from, to);
        assert!(said.contains(expected) && said.contains("schemes/example.toml, line "), "{to}: {said}");
    }
}

#[test]
fn every_fault_of_a_file_is_told_at_once() {
    let text = EXAMPLE.replace("weight = 60", "weight = 61").replace("period = \"year\"", "period = \"month\"");
    let said = scheme(&text).unwrap_err();
    assert_eq!(said.lines().count(), 2, "{said}");
}

#[test]
fn periods_are_whole_ones_of_the_scheme_or_a_part_so_far() {
    let scheme = scheme(EXAMPLE).unwrap();
    let day = |text: &str| text.parse().unwrap();
    let of = |from: Option<&str>, to: Option<&str>, until: &str| {
        let period = period(&scheme, from.map(day), to.map(day), day(until)).map_err(|error| error.to_string())?;
        Ok::<_, String>((period.name.clone(), period.from.to_string(), period.to.to_string(), period.partial))
    };
    let year = |partial| ("2025".to_owned(), "2025-01-01".to_owned(), "2026-01-01".to_owned(), partial);
    assert_eq!(of(None, None, "2026-06-30"), Ok(year(false)));
    assert_eq!(of(None, None, "2025-12-31"), Ok(year(false)), "the last day is over with its end");
    assert_eq!(of(Some("2025-01-01"), Some("2026-01-01"), "2026-06-30"), Ok(year(false)));
    let part = of(Some("2026-01-01"), Some("2026-07-01"), "2026-06-30").unwrap();
    assert_eq!((part.0.as_str(), part.3), ("2026", true));
    assert!(of(Some("2026-01-01"), None, "2026-06-30").unwrap_err().contains("--to 2026-07-01"));
    assert!(of(Some("2025-02-01"), None, "2026-06-30").unwrap_err().contains("such as 2025-01-01"));
    assert!(of(Some("2025-01-01"), Some("2026-02-01"), "2026-06-30").is_err());
    assert!(of(Some("2024-01-01"), None, "2026-06-30").unwrap_err().contains("valid from 2025-01-01"));
    assert!(of(None, None, "2025-06-30").unwrap_err().contains("valid from 2025-01-01"), "2024 is the last one over");
}

/// Hangzhou: 10 roster entries, A0 to A8 insured. Ningbo: 2, both insured. Wenzhou: an open mine and no
/// roster entry. 330400 ends with the year and is no subject on its last day.
fn province() -> Vec<(String, String)> {
    let numbered = |from: usize, to: usize, line: fn(usize) -> String| (from..to).map(line).collect::<String>();
    let roster = "unit_id | sector | valid_from | valid_to | department | region_code | kind\n".to_owned()
        + &numbered(0, 10, |n| format!("A{n} | mine | 2025-01-01 | | emergency | 330102 | annual\n"))
        + &numbered(0, 2, |n| format!("B{n} | mine | 2025-01-01 | | emergency | 330203 | annual\n"));
    let policy = "policy_no | unit_id | insurer_code | sector | region_code | inception | expiry\n".to_owned()
        + &numbered(0, 9, |n| format!("PA{n} | A{n} | PICC | mine | 330102 | 2025-01-01 | 2026-01-01\n"))
        + &numbered(0, 2, |n| format!("PB{n} | B{n} | PICC | mine | 330203 | 2025-01-01 | 2026-01-01\n"));
    let unit = "unit_id | region_code | sector | status\n".to_owned()
        + &numbered(0, 10, |n| format!("A{n} | 330102 | mine | open\n"))
        + &numbered(0, 2, |n| format!("B{n} | 330203 | mine | open\n"))
        + "C0 | 330302 | mine | open\n";
    [
        (
            "region",
            "code | name | level | valid_to\n330000 | 浙江省 | province |\n330100 | 杭州市 | city |\n\
                    330200 | 宁波市 | city |\n330300 | 温州市 | city |\n330400 | 旧市 | city | 2025-12-31\n\
                    320200 | 无锡市 | city |\n330102 | 上城区 | county |\n330203 | 海曙区 | county |\n\
                    330302 | 鹿城区 | county |\n"
                .to_owned(),
        ),
        (
            "sector",
            "code | name | high_hazard | department\nmine | 矿山 | true | emergency\n\
                    other | 其他 | false | other\n"
                .to_owned(),
        ),
        ("insurer", "code | name\nPICC | 人保\nCPIC | 太保\n".to_owned()),
        ("unit", unit),
        ("roster", roster),
        ("policy", policy),
        // A9 has no policy.
        (
            "accident",
            "accident_no | unit_id | region_code | sector | occurred_at\n\
                      X1 | A9 | 330102 | mine | 2025-03-01 08:00\nX2 | A0 | 330102 | mine | 2025-12-31 23:59\n\
                      X3 | A9 | 330102 | mine | 2026-01-01 00:00\n"
                .to_owned(),
        ),
        // The claim of Hangzhou is paid after 10 days, that of Ningbo is open at the observation day.
        (
            "claim",
            "claim_no | policy_no | unit_id | insurer_code | reported_at | paid_at | paid_amount\n\
                   C1 | PA0 | A0 | PICC | 2025-03-01 08:00 | 2025-03-11 08:00 | 100.00\n\
                   C2 | PB0 | B0 | PICC | 2025-03-01 08:00 | | \n"
                .to_owned(),
        ),
        // Ningbo's own feed holds 1 of 10 rows back; nothing of Hangzhou's.
        (
            "system.feed_state",
            "feed_id | dataset | reporter | region_code | department\n\
                               hz-unit | unit | HZ | 330100 | emergency\nnb-unit | unit | NB | 330200 | emergency\n\
                               nb-visit | visit | NB | 330200 | emergency\n"
                .to_owned(),
        ),
        (
            "system.batch",
            "batch_id | feed_id | dataset | reporter | state | landed_at | rows_read | rows_quarantined\n\
                          B1 | hz-unit | unit | HZ | published | 2025-04-01 08:00 | 10 | 0\n\
                          B2 | nb-unit | unit | NB | published | 2025-04-01 08:00 | 8 | 1\n\
                          B3 | nb-visit | visit | NB | published | 2025-04-01 08:00 | 2 | 0\n"
                .to_owned(),
        ),
    ]
    .map(|(name, text)| (name.to_owned(), text))
    .into()
}

fn release(tables: &[(String, String)]) -> Arc<Release> {
    let rows = tables.iter().map(|(name, text)| (name.clone(), table::batch(name, text))).collect();
    Release::in_memory("2026-06-30".parse().unwrap(), rows).unwrap()
}

async fn run(text: &str, tables: &[(String, String)]) -> Scores {
    let catalogue = catalogue();
    let scheme = scheme(text).unwrap();
    let release = release(tables);
    let period = period(&scheme, None, None, release.day()).unwrap();
    scores(&catalogue, &release, &scheme, &period, "2026-06-30T00:00:00Z".parse().unwrap()).await.unwrap()
}

#[tokio::test]
async fn cities_are_scored_ranked_and_graded_as_worked_out_by_hand() {
    let scores = run(EXAMPLE, &province()).await;
    let shown: Vec<_> = scores
        .subjects
        .iter()
        .map(|one| {
            (
                one.code.as_str(),
                one.name.as_str(),
                one.total.as_ref().map(ToString::to_string),
                one.rank,
                one.grade.as_deref(),
            )
        })
        .collect();
    // Hangzhou: 9/10 → (0.9 − 0.8) / 0.2 × 60 = 30; 1 of 2 accidents uninsured → 20 − 1.5 = 18.5; 10 days → 20.
    // Ningbo: 2/2 → 60; no accident: its 20 are shared, so 60 weighs 75 and 20 weighs 25; never paid → 0.
    // Wenzhou: nothing is applicable; it is listed last, without a score.
    let expected = [
        ("330200", "宁波市", Some("75".to_owned()), Some(1), Some("合格")),
        ("330100", "杭州市", Some("68.5".to_owned()), Some(2), Some("合格")),
        ("330300", "温州市", None, None, None),
    ];
    assert_eq!(shown, expected);
    let points = |code: &str| -> Vec<_> {
        let subject = scores.subject(code).unwrap();
        subject.indicators.iter().map(|one| one.points.as_ref().map(ToString::to_string)).collect()
    };
    let some = |text: &str| Some(text.to_owned());
    assert_eq!(points("330100"), [some("30"), some("18.5"), some("20")]);
    assert_eq!(points("330200"), [some("75"), None, some("0")]);
    assert_eq!(points("330300"), [None, None, None]);
}

#[tokio::test]
async fn values_are_kept_with_numerator_denominator_cases_and_rows() {
    let scores = run(EXAMPLE, &province()).await;
    let coverage = &scores.subject("330100").unwrap().indicators[0];
    assert_eq!((&coverage.numerator, &coverage.denominator), (&json!(9), &json!(10)));
    assert_eq!(coverage.exact.as_deref(), Some("9/10"));
    assert_eq!(coverage.cases, super::CaseCounts { denominator: 10, numerator: 9, gap: 1 });
    assert_eq!(coverage.sample.len(), 1);
    assert_eq!(coverage.sample[0].key, "A9,mine,2025-01-01");
    assert_eq!(coverage.sample[0].row_no, Some(10));
    let settlement = &scores.subject("330200").unwrap().indicators[2];
    assert!(settlement.not_reached && settlement.value.is_none());
    let accidents = &scores.subject("330100").unwrap().indicators[1];
    assert_eq!((&accidents.numerator, accidents.exact.as_deref()), (&json!(1), Some("1")));
    let used = &scores.indicators;
    assert_eq!(used[0].as_of.map(|day| day.to_string()).as_deref(), Some("2025-12-31"), "a day is the period's last");
    assert_eq!(used[1].as_of, None);
}

#[tokio::test]
async fn an_empty_roster_beside_open_units_is_provisional_and_a_gate_names_the_feeds() {
    let scores = run(EXAMPLE, &province()).await;
    let empty = Provisional::EmptyRoster { open_units: json!(1) };
    assert_eq!(scores.subject("330300").unwrap().provisional, [empty]);
    assert!(scores.subject("330100").unwrap().provisional.is_empty());
    // Ningbo 9/10 < 0.95; of its feeds only nb-unit with 7/8 is below itself.
    let doubts = |code: &str| scores.subject(code).unwrap().indicators[2].provisional.clone();
    let [Provisional::Gate { metric, value, feeds }] = <[Provisional; 1]>::try_from(doubts("330200")).unwrap() else {
        panic!("no gate")
    };
    assert_eq!((metric.as_str(), value.unwrap().to_string().as_str()), ("reporting_completeness_rate", "0.9"));
    assert_eq!(feeds, ["nb-unit"]);
    assert!(doubts("330100").is_empty() && doubts("330300").is_empty());
}

#[tokio::test]
async fn departments_and_insurers_are_listed_with_rows_or_without() {
    let department = EXAMPLE
        .replace("subjects = \"city\"", "subjects = \"department\"")
        .replace("uninsured_accidents", "renewal_rate");
    let department = department.replace("deduct = { per = 1, each = 1.5, most = 20 }", "linear = { lo = 0, hi = 1 }");
    let scores_of_departments = run(&department, &province()).await;
    let codes: Vec<_> = scores_of_departments.subjects.iter().map(|one| one.code.as_str()).collect();
    assert_eq!(codes, ["emergency"], "the department of the other sectors answers for none of high hazard");
    let insurer = "title = 't'\nversion = 1\nvalid_from = 2025-01-01\nsubjects = 'insurer'\nperiod = 'year'\n[grades]\n'合格' = 60\n\
                   [[indicators]]\nmetric = 'claim_closure_rate'\nweight = 100\nscoring = { linear = { lo = 0, hi = 1 } }\n";
    let scores_of_insurers = run(insurer, &province()).await;
    let listed: Vec<_> = scores_of_insurers.subjects.iter().map(|one| (one.code.as_str(), one.rank)).collect();
    assert_eq!(listed, [("PICC", Some(1)), ("CPIC", None)]);
}

#[tokio::test]
async fn what_belongs_to_no_subject_is_told_and_not_lost() {
    let mut tables = province();
    for (name, text) in &mut tables {
        if name == "accident" {
            text.push_str("X9 | A9 | | mine | 2025-05-01 08:00\n");
        }
    }
    let scores = run(EXAMPLE, &tables).await;
    let outside: Vec<_> =
        scores.outside.iter().map(|one| (one.metric.as_str(), one.member.as_str(), one.denominator.clone())).collect();
    assert_eq!(outside, [("uninsured_accidents", "unknown", json!(1))]);
}

#[tokio::test]
async fn other_weights_are_tried_on_the_kept_values_and_give_what_a_run_would_give() {
    let kept = run(EXAMPLE, &province()).await;
    let scheme = scheme(EXAMPLE).unwrap();
    let weights = |pairs: &[(&str, &str)]| -> BTreeMap<String, String> {
        pairs.iter().map(|(metric, weight)| ((*metric).to_owned(), (*weight).to_owned())).collect()
    };
    let other = scheme.with_weights(&weights(&[("coverage_rate", "40"), ("claim_settlement_days", "40")])).unwrap();
    let tried = rescored(&other, &kept);
    // Hangzhou: 20 + 18.5 + 40; Ningbo: 40 of 80 → 50.
    let totals: Vec<_> = tried
        .subjects
        .iter()
        .map(|one| (one.code.as_str(), one.total.clone().map(|total| total.to_string())))
        .collect();
    assert_eq!(totals, [("330100", Some("78.5".into())), ("330200", Some("50".into())), ("330300", None)]);
    let text = EXAMPLE.replacen("weight = 60", "weight = 40", 1).replacen(
        "weight = 20\nscoring = { steps",
        "weight = 40\nscoring = { steps",
        1,
    );
    assert_eq!(run(&text, &province()).await, tried);
    assert!(
        scheme
            .with_weights(&weights(&[("coverage_rate", "40")]))
            .unwrap_err()
            .to_string()
            .contains("sum to 100, not to 80")
    );
    assert!(scheme.with_weights(&weights(&[("coverage", "40")])).unwrap_err().to_string().contains("did you mean"));
    assert!(scheme.with_weights(&weights(&[("coverage_rate", "1e1")])).is_err());
}

#[tokio::test]
async fn the_same_release_gives_the_same_scores_in_any_order_of_rows() {
    let reversed: Vec<(String, String)> = province()
        .into_iter()
        .map(|(name, text)| {
            let mut lines: Vec<&str> = text.lines().collect();
            lines[1..].reverse();
            (name, lines.join("\n"))
        })
        .collect();
    let (mut one, mut other) = (run(EXAMPLE, &province()).await, run(EXAMPLE, &reversed).await);
    // Row numbers follow the order; all else must not.
    for scores in [&mut one, &mut other] {
        for subject in &mut scores.subjects {
            subject.indicators.iter_mut().for_each(|indicator| indicator.sample.clear());
        }
        scores.rules.clear();
    }
    assert_eq!(one, other);
    assert!(super::differences(&one, &other).is_empty());
    one.subjects[0].indicators[0].numerator = json!(8);
    let found = super::differences(&one, &other);
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].place, "subjects.330200.indicators.coverage_rate.numerator");
    assert_eq!((found[0].first.as_deref(), found[0].second.as_deref()), (Some("8"), Some("2")));
}

/// Two services of Hangzhou that were confirmed before they finished.
fn with_sham_services() -> Vec<(String, String)> {
    let services = "service_no | policy_no | unit_id | insurer_code | sector | region_code | service_type | \
                    provider_kind | started_at | finished_at | unit_confirmed_at | insurer_confirmed_at\n\
                    S1 | PA0 | A0 | PICC | mine | 330102 | T1 | own | 2025-05-01 08:00 | 2025-05-01 10:00 | \
                    2025-05-01 09:00 | 2025-05-02 09:00\n\
                    S2 | PA1 | A1 | PICC | mine | 330102 | T1 | own | 2025-06-01 08:00 | 2025-06-01 10:00 | \
                    2025-06-01 09:00 | 2025-06-02 09:00\n";
    let mut tables = province();
    tables.push(("service".to_owned(), services.to_owned()));
    tables
}

/// The names of the leads of a kind over 2025.
async fn named(tables: &[(String, String)], kind: &str) -> BTreeMap<String, String> {
    let request = LeadRequest {
        kind: Some(kind.to_owned()),
        from: "2025-01-01".parse().ok(),
        to: "2026-01-01".parse().ok(),
        ..LeadRequest::default()
    };
    let page = leads(&release(tables), &request, None, None, 100).await.unwrap();
    page.rows.into_iter().map(|lead| (lead.key, lead.lead_id)).collect()
}

#[tokio::test]
async fn a_veto_counts_what_was_confirmed_up_to_the_instant_of_the_assessment() {
    let mut tables = with_sham_services();
    let ids = named(&tables, "sham_service").await;
    // The instant is midnight in UTC. S1 is confirmed before it and dismissed after it, S2 confirmed after it.
    let reviews = format!(
        "lead_id | state | reviewed_by | reviewed_at | reason\n\
         {0} | dismissed | t1 | 2026-06-28T00:00:00Z | mistaken\n\
         {0} | confirmed | t1 | 2026-06-29T23:59:59Z | seen on site\n\
         {0} | dismissed | t1 | 2026-06-30T00:00:01Z | again\n\
         {1} | confirmed | t2 | 2026-06-30T00:00:01Z | seen on site\n",
        ids["S1"], ids["S2"]
    );
    tables.push(("system.lead_review".to_owned(), reviews));
    let vetoed = EXAMPLE
        .replace("confirmed_at_least = 3", "confirmed_at_least = 1")
        .replace("cap_grade = \"合格\"", "cap_grade = \"不合格\"");
    let scores = run(&vetoed, &tables).await;
    let hangzhou = scores.subject("330100").unwrap();
    assert_eq!(
        (hangzhou.total.clone().unwrap().to_string().as_str(), hangzhou.grade.as_deref()),
        ("68.5", Some("不合格"))
    );
    let capped = &hangzhou.capped[0];
    assert_eq!((capped.lead.as_str(), capped.confirmed, capped.by_points.as_str()), ("sham_service", 1, "合格"));
    assert_eq!(scores.subject("330200").unwrap().grade.as_deref(), Some("合格"), "nothing of it was confirmed");
    let counted: Vec<_> = scores.leads.iter().map(|lead| (lead.subject.as_str(), lead.key.as_str())).collect();
    assert_eq!(counted, [("330100", "S1")]);
    assert_eq!(scores.leads[0].reviewed_by, "t1");
    // Two are needed for the cap: one does not do.
    let two = vetoed.replace("confirmed_at_least = 1", "confirmed_at_least = 2");
    assert_eq!(run(&two, &tables).await.subject("330100").unwrap().grade.as_deref(), Some("合格"));
}

#[tokio::test]
async fn a_veto_counts_for_the_insurer_of_the_row_and_within_the_period_alone() {
    let mut tables = with_sham_services();
    let ids = named(&tables, "sham_service").await;
    let mut reviews = "lead_id | state | reviewed_by | reviewed_at | reason\n".to_owned();
    for id in ids.values() {
        reviews += &format!("{id} | confirmed | t1 | 2026-06-01T00:00:00Z | seen on site\n");
    }
    tables.push(("system.lead_review".to_owned(), reviews));
    let insurer = "title = 't'\nversion = 1\nvalid_from = 2025-01-01\nsubjects = 'insurer'\nperiod = 'half'\n[grades]\n'合格' = 60\n\
                   [[indicators]]\nmetric = 'claim_closure_rate'\nweight = 100\nscoring = { linear = { lo = -1, hi = 0 } }\n\
                   [[vetoes]]\nlead = 'sham_service'\nconfirmed_at_least = 2\ncap_grade = '不合格'\n";
    let (catalogue, scheme, release) = (catalogue(), scheme(insurer).unwrap(), release(&tables));
    let mut grades = Vec::new();
    for from in ["2025-01-01", "2025-07-01"] {
        let period = period(&scheme, from.parse().ok(), None, release.day()).unwrap();
        let until = "2026-06-30T00:00:00Z".parse().unwrap();
        let scores = scores(&catalogue, &release, &scheme, &period, until).await.unwrap();
        let picc = scores.subject("PICC").unwrap();
        grades.push((picc.leads["sham_service"], picc.grade.clone()));
    }
    // The claim of PICC was reported in March: the second half has none, and so no score.
    assert_eq!(grades, [(2, Some("不合格".to_owned())), (0, None)]);
}

#[test]
fn a_sealed_document_shows_every_edited_byte() {
    let document = json!({
        "id": "a-1", "state": "frozen", "title": "t", "subjects": "city",
        "period": {"name": "2025", "from": "2025-01-01", "to": "2026-01-01", "partial": false},
        "scheme": {"id": "a", "version": 1, "sha256": "", "text": ""},
        "release": {"release": 1, "published_at": "2026-01-01T00:00:00Z", "day": "2026-01-01", "contracts": "", "tables": {}},
        "reviews_until": "2026-01-01T00:00:00Z", "program": "0", "definitions": [], "created_at": "2026-01-01T00:00:00Z",
        "created_by": "x", "frozen_at": null, "frozen_by": null, "number": 1, "previous": super::seal::NONE_BEFORE, "succeeds": null,
        "scores": {"indicators": [], "subjects": [], "outside": [], "rules": [], "leads": [], "batches": {}}, "files": [],
    });
    let assessment: super::Assessment = serde_json::from_value(document).unwrap();
    let (bytes, sha256) = super::seal::seal(&assessment).unwrap();
    let opened = super::seal::open(&bytes);
    assert_eq!((opened.fault, opened.sha256, opened.assessment), (None, sha256, Some(assessment)));
    for place in 0..bytes.len() {
        let mut edited = bytes.clone();
        edited[place] ^= 1;
        assert!(super::seal::open(&edited).fault.is_some(), "byte {place}");
    }
    assert!(super::seal::open(&bytes[..bytes.len() - 1]).fault.is_some());
    assert!(super::seal::open(&[bytes.as_slice(), b"\n"].concat()).fault.is_some());
    assert!(super::seal::open(b"").fault.is_some());
}
