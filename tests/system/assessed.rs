//! Assessments through the real binary: run, frozen, more deliveries, proved, edited and found out,
//! corrected by a successor, handed out by scope.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::delivery::plain_feed;
use crate::deployment::Deployment;
use crate::served::Server;

const POLICY_TITLES: &str =
    "policy_no,unit_id,insurer_code,sector,region_code,policy_type,inception,expiry,premium_written,insured_persons\n";

fn policy(unit: &str, county: &str) -> String {
    format!("P-{unit},{unit},PICC,mine,{county},annual,2025-01-01,2026-01-01,1000.00,5\n")
}

/// Hangzhou with four mines on the roster, three of them insured; Ningbo with two, both insured.
pub fn province() -> Deployment {
    let deployment = Deployment::new();
    for (dataset, reporter, folder) in [
        ("insurer", "NFRA", "insurers"),
        ("unit", "YJT", "units"),
        ("roster", "YJT", "rosters"),
        ("policy", "PICC", "policies"),
    ] {
        deployment.write(&format!("feeds/{folder}.toml"), plain_feed(dataset, reporter, folder));
    }
    deployment.write("inbox/insurers/a.csv", "code,name\nPICC,人保财险\nCPIC,太保产险\n");
    let places =
        [("A1", "330102"), ("A2", "330102"), ("A3", "330102"), ("A4", "330105"), ("B1", "330203"), ("B2", "330203")];
    let mut units = "unit_id,id_kind,name,region_code,sector,size,employees,status\n".to_owned();
    let mut roster = "unit_id,sector,valid_from,department,region_code,kind\n".to_owned();
    let mut policies = POLICY_TITLES.to_owned();
    for (unit, county) in places {
        units += &format!("{unit},permit,矿山{unit},{county},mine,S,5,open\n");
        roster += &format!("{unit},mine,2025-01-01,emergency,{county},annual\n");
        if unit != "A4" {
            policies += &policy(unit, county);
        }
    }
    deployment.write("inbox/units/a.csv", units);
    deployment.write("inbox/rosters/a.csv", roster);
    deployment.write("inbox/policies/a.csv", policies);
    deployment.write("schemes/mines.toml", SCHEME);
    ingested(&deployment);
    deployment
}

const SCHEME: &str = r#"title = "矿山投保考核"
version = 1
valid_from = 2025-01-01
subjects = "city"
period = "year"

[[indicators]]
metric = "coverage_rate"
weight = 80
scoring = { linear = { lo = 0.50, hi = 1.00 } }

[[indicators]]
metric = "death_limit_compliance_rate"
weight = 20
scoring = { linear = { lo = 0, hi = 1 } }

[grades]
"优秀" = 90
"合格" = 60
"#;

fn ingested(deployment: &Deployment) {
    let answer = deployment.ingest();
    assert_eq!(answer.code, Some(0), "{answer:?}");
}

/// Runs a command that must end well, and reads its JSON.
pub fn done(deployment: &Deployment, args: &[&str]) -> Value {
    let answer = deployment.run(&[args, &["--format", "json"]].concat());
    assert_eq!(answer.code, Some(0), "{args:?}: {answer:?}");
    answer.json()
}

fn run(deployment: &Deployment, further: &[&str]) -> Value {
    let year = ["assess", "run", "mines", "--from", "2025-01-01", "--to", "2026-01-01"];
    done(deployment, &[&year, further].concat())
}

const NOTHING: [(String, String); 0] = [];

/// Findings of a verification, as kind and name; none where it holds.
fn findings(deployment: &Deployment, id: &str) -> Vec<(String, String)> {
    let answer = deployment.run(&["assess", "verify", id, "--format", "json"]);
    let found = answer.json();
    let findings: Vec<(String, String)> = found["findings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| (one["kind"].as_str().unwrap().to_owned(), one["name"].as_str().unwrap().to_owned()))
        .collect();
    assert_eq!(answer.code, Some(if findings.is_empty() { 0 } else { 3 }), "{answer:?}");
    assert_eq!(found["sound"], findings.is_empty());
    findings
}

/// Does something while one byte of a file is another, and mends it.
fn with_an_edited_byte<T>(path: &Path, look: impl FnOnce() -> T) -> T {
    let sound = fs::read(path).unwrap();
    let mut edited = sound.clone();
    let middle = edited.len() / 2;
    edited[middle] ^= 1;
    let permissions = fs::metadata(path).unwrap().permissions();
    fs::remove_file(path).unwrap();
    fs::write(path, edited).unwrap();
    let seen = look();
    fs::write(path, sound).unwrap();
    fs::set_permissions(path, permissions).unwrap();
    seen
}

fn maintained(deployment: &Deployment) {
    for args in [&["maintain", "compact"][..], &["maintain", "vacuum"]] {
        let answer = deployment.run(args);
        assert_eq!(answer.code, Some(0), "{answer:?}");
    }
}

fn files_below(folder: &Path, ending: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => found.extend(files_below(&path, ending)),
            false => found.extend(path.to_str().is_some_and(|name| name.ends_with(ending)).then_some(path)),
        }
    }
    found.sort();
    found
}

#[test]
fn a_frozen_assessment_holds_through_later_batches_and_names_every_edited_byte() {
    let deployment = province();
    let draft = run(&deployment, &[]);
    let id = draft["assessment_id"].as_str().unwrap();
    assert_eq!(id, "mines-0001");
    // Ningbo 2/2; Hangzhou 3/4: half of the way from 0.5 to 1. No policy says its limit: none complies.
    let rows: Vec<_> = draft["rows"]
        .as_array()
        .unwrap()
        .iter()
        .take(2)
        .map(|row| (row["subject"].clone(), row["total"].clone(), row["grade"].clone()))
        .collect();
    assert_eq!(rows[0], ("330200".into(), 80.into(), "合格".into()));
    assert_eq!(rows[1], ("330100".into(), 40.into(), "不合格".into()));
    assert_eq!(draft["rows"].as_array().unwrap().len(), 11, "every city is listed");

    let frozen = done(&deployment, &["assess", "freeze", id]);
    assert_eq!(frozen["number"], 1);
    assert_eq!(frozen["sha256"].as_str().unwrap().len(), 64);
    assert_eq!(done(&deployment, &["assess", "freeze", id])["sha256"], frozen["sha256"], "again changes nothing");
    assert_eq!(findings(&deployment, id), NOTHING);

    // A fourth policy arrives, and all others are corrected two hundred times, one batch each.
    for round in 0..4 {
        for batch in 0..50 {
            let mut lines = POLICY_TITLES.to_owned();
            for (unit, county) in [("A1", "330102"), ("A2", "330102"), ("B1", "330203"), ("A4", "330105")] {
                lines += &policy(unit, county).replace("1000.00", &format!("{}.00", 2000 + round * 50 + batch));
            }
            deployment.write(&format!("inbox/policies/later-{round}-{batch:02}.csv"), lines);
        }
        ingested(&deployment);
    }
    assert_eq!(deployment.csv("select count(*) as n from system.batch where feed_id = 'policies'"), "n\n201\n");
    assert_eq!(findings(&deployment, id), NOTHING, "later batches change nothing");
    maintained(&deployment);
    assert_eq!(findings(&deployment, id), NOTHING, "nor do compaction and vacuum");
    assert_eq!(deployment.csv("select count(*) as n from system.assessment where state = 'frozen'"), "n\n1\n");
    let total = "select points, grade from system.assessment_score where subject = '330100' and metric_id = ''";
    assert_eq!(deployment.csv(total), "points,grade\n40.0000,不合格\n");

    let data = deployment.path().join("data");
    let named = |path: &Path| path.strip_prefix(&data).unwrap().to_str().unwrap().to_owned();
    let frozen_file = data.join("assessments/frozen/0000000001.json");
    let found = with_an_edited_byte(&frozen_file, || findings(&deployment, id));
    assert!(found.contains(&("frozen_assessment".into(), named(&frozen_file))), "{found:?}");

    let landed = deployment.sql("select landed_path from system.batch where feed_id = 'rosters'");
    let landed = data.join(landed[0]["landed_path"].as_str().unwrap());
    let found = with_an_edited_byte(&landed, || findings(&deployment, id));
    assert_eq!(found, [("landed_file".to_owned(), named(&landed))]);

    // The data file of the roster as it was frozen: the first one written.
    let roster = &files_below(&data.join("tables/roster"), ".parquet")[0];
    let found = with_an_edited_byte(roster, || findings(&deployment, id));
    assert!(found.contains(&("data_file".into(), named(roster))), "{found:?}");
    assert_eq!(findings(&deployment, id), NOTHING, "mended");
}

#[test]
fn a_total_is_explained_down_to_the_landed_line_in_one_command() {
    let deployment = province();
    let id = run(&deployment, &[])["assessment_id"].as_str().unwrap().to_owned();
    let explained = done(&deployment, &["assess", "explain", &id, "330100", "--indicator", "coverage_rate"]);
    assert_eq!((&explained["total"], &explained["rank"]), (&40.into(), &2.into()));
    let coverage = &explained["indicators"][0];
    assert_eq!((&coverage["numerator"], &coverage["denominator"]), (&3.into(), &4.into()));
    let row = &coverage["rows"][0];
    assert_eq!((row["dataset"].as_str(), row["key"].as_str()), (Some("roster"), Some("A4,mine,2025-01-01")));
    let landed = &row["landed"];
    assert_eq!(landed["line"], "A4,mine,2025-01-01,emergency,330105,annual");
    let bytes = fs::read(deployment.path().join("data").join(landed["landed_path"].as_str().unwrap())).unwrap();
    assert_eq!(bytes, fs::read(deployment.path().join("inbox/rosters/a.csv")).unwrap());
    assert!(landed["landed_path"].as_str().unwrap().ends_with(landed["sha256"].as_str().unwrap()));
    let said = deployment.run(&["assess", "explain", &id, "330100"]).text();
    assert!(said.contains("3 / 4 = 0.75; linear 0.5 → 1 × 80 → 40") && said.contains("| A4,mine,"), "{said}");
}

#[test]
fn a_successor_shows_what_moved_and_which_delivery_moved_it() {
    let deployment = province();
    let first = run(&deployment, &[])["assessment_id"].as_str().unwrap().to_owned();
    done(&deployment, &["assess", "freeze", &first]);
    deployment.write("inbox/policies/late.csv", POLICY_TITLES.to_owned() + &policy("A4", "330105"));
    ingested(&deployment);
    let second = run(&deployment, &["--succeeds", &first]);
    let id = second["assessment_id"].as_str().unwrap().to_owned();
    let moved = &second["succession"]["moved"];
    assert_eq!(moved.as_array().unwrap().len(), 1, "{moved}");
    assert_eq!(
        (&moved[0]["code"], &moved[0]["total"], &moved[0]["rank"]),
        (&"330100".into(), &serde_json::json!([40, 80]), &serde_json::json!([2, 1]))
    );
    let coverage = &moved[0]["indicators"][0];
    assert_eq!((&coverage["metric"], &coverage["numerator"]), (&"coverage_rate".into(), &serde_json::json!([3, 4])));
    assert_eq!(
        (&coverage["rows_changed"], &coverage["rows"][0]["after"]["key"]),
        (&1.into(), &"A4,mine,2025-01-01".into())
    );
    assert_eq!(second["succession"]["causes"][0]["cause"], "release");
    done(&deployment, &["assess", "freeze", &id]);
    let listed = done(&deployment, &["assess", "list"]);
    assert_eq!(
        (&listed["assessments"][0]["number"], &listed["assessments"][0]["succeeds"]),
        (&2.into(), &first.clone().into())
    );
    assert_eq!(listed["assessments"][0]["previous"], listed["assessments"][1]["sha256"], "a chain");
    let told = deployment.run(&["assess", "diff", &first, &id]);
    assert!(told.text().contains("40 → 80"), "{told:?}");
    assert_eq!([findings(&deployment, &first), findings(&deployment, &id)], [NOTHING, NOTHING]);
    // The first one vouches for nothing once it is gone.
    let frozen_file = deployment.path().join("data/assessments/frozen/0000000001.json");
    let found = with_an_edited_byte(&frozen_file, || findings(&deployment, &id));
    assert_eq!(found[0], ("frozen_assessment".into(), "assessments/frozen/0000000001.json".into()));
}

#[test]
fn weights_are_tried_without_keeping_and_a_part_of_a_year_is_never_frozen() {
    let deployment = province();
    let id = run(&deployment, &[])["assessment_id"].as_str().unwrap().to_owned();
    let before = fs::read(deployment.path().join("data/assessments/entries").join(format!("{id}.json"))).unwrap();
    let weights = ["--weight", "coverage_rate=50", "--weight", "death_limit_compliance_rate=50"];
    let tried = done(&deployment, &[&["assess", "what-if", &id][..], &weights[..]].concat());
    let hangzhou = tried["rows"].as_array().unwrap().iter().find(|row| row["subject"] == "330100").unwrap();
    assert_eq!((&hangzhou["total"], &hangzhou["total_kept"]), (&25.into(), &40.into()));
    assert_eq!(
        fs::read(deployment.path().join("data/assessments/entries").join(format!("{id}.json"))).unwrap(),
        before
    );
    let wrong = deployment.run(&["assess", "what-if", &id, "--weight", "coverage_rate=50"]);
    assert_eq!(wrong.code, Some(2), "{wrong:?}");
    assert!(wrong.stderr.contains("sum to 100, not to 70"), "{wrong:?}");

    let part = done(&deployment, &["assess", "run", "mines", "--from", "2026-01-01", "--to", "2026-07-01"]);
    assert_eq!(part["partial"], true);
    let refused = deployment.run(&["assess", "freeze", part["assessment_id"].as_str().unwrap()]);
    assert_eq!(refused.code, Some(2), "{refused:?}");
    assert!(refused.stderr.contains("a period is frozen when it is over"), "{refused:?}");

    deployment.write("schemes/mines.toml", SCHEME.replace("weight = 80", "weight = 81"));
    let checked = deployment.run(&["check"]);
    assert_eq!(checked.code, Some(2), "{checked:?}");
    assert!(
        checked.stderr.contains("schemes/mines.toml, line 7: indicators: the weights must sum to 100"),
        "{checked:?}"
    );
}

#[test]
fn over_http_an_assessment_is_made_by_the_province_and_read_by_scope() {
    let deployment = province();
    let token = |args: &[&str]| {
        let made = done(&deployment, &[&["token", "create"], args].concat());
        format!("Authorization: Bearer {}\r\n", made["token"].as_str().unwrap())
    };
    let whole = token(&["--role", "official"]);
    let hangzhou = token(&["--role", "official", "--region", "3301"]);
    let insurer = token(&["--role", "insurer", "--insurer", "PICC"]);
    let public = token(&["--role", "public"]);
    let server = Server::start(&deployment);
    let ask = r#"{"scheme":"mines","from":"2025-01-01","to":"2026-01-01"}"#;
    let post = |who: &str, path: &str, body: &str| {
        server.send("POST", path, &format!("{who}Content-Type: application/json\r\n"), body)
    };
    let get = |who: &str, path: &str| server.send("GET", path, who, "");
    for who in [&hangzhou, &insurer, &public] {
        assert_eq!(post(who, "/api/v1/assessments", ask).status, 403);
    }
    let made = post(&whole, "/api/v1/assessments", ask);
    assert_eq!(made.status, 201, "{}", made.body);
    let id = made.json()["assessment_id"].as_str().unwrap().to_owned();
    let path = format!("/api/v1/assessments/{id}");
    assert_eq!(get(&hangzhou, &path).status, 403, "a draft is no result");
    assert_eq!(post(&hangzhou, &format!("{path}/freeze"), "").status, 403);
    let frozen = post(&whole, &format!("{path}/freeze"), "");
    assert_eq!(frozen.status, 200, "{}", frozen.body);

    let seen = |who: &str| -> Vec<String> {
        let rows = get(who, &path).json()["rows"].as_array().unwrap().clone();
        rows.iter().map(|row| row["subject"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(seen(&whole).len(), 11);
    assert_eq!(seen(&hangzhou), ["330100"]);
    assert_eq!(get(&insurer, &path).status, 403);
    assert_eq!(get(&public, &path).status, 403);
    assert_eq!(get(&hangzhou, &format!("{path}/subjects/330100")).status, 200);
    assert_eq!(get(&hangzhou, &format!("{path}/subjects/330200")).status, 404);
    let lineless = get(&hangzhou, &format!("{path}/subjects/330100")).json();
    assert!(lineless["indicators"][0]["rows"][0]["landed"]["line"].is_null(), "lines are for those who may see them");
    assert_eq!(get(&whole, "/api/v1/assessments/nothing").status, 404);
    assert_eq!(get(&whole, &format!("{path}?colour=red")).status, 400);

    let log = fs::read_to_string(deployment.path().join("data/live/access_log.ndjson")).unwrap();
    let log: Vec<Value> = log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let noted = |action: &str, outcome: &str, path: &str| {
        let is = |row: &&Value| {
            row["action"] == action && row["outcome"] == outcome && row["request"].as_str().unwrap().contains(path)
        };
        log.iter().filter(is).count()
    };
    assert_eq!(noted("assessment", "given", "/subjects/330100"), 2, "each explanation is in the log");
    assert_eq!(noted("assessment", "denied", "POST /api/v1/assessments"), 4, "and so is each refusal");
    let explained = log.iter().find(|row| row["request"].as_str().unwrap().contains("/subjects/330100")).unwrap();
    assert_eq!(explained["rows"], 3, "one row of coverage, two of limits");

    let verified = post(&whole, &format!("{path}/verify"), "");
    assert_eq!((verified.status, &verified.json()["sound"]), (200, &true.into()));
    let workbook = get(&hangzhou, &format!("{path}/export"));
    assert!(workbook.status == 200 && workbook.body.starts_with("PK"), "{}", workbook.status);
    let log = fs::read_to_string(deployment.path().join("data/live/access_log.ndjson")).unwrap();
    let export: Value = log.lines().rev().map(|line| serde_json::from_str(line).unwrap()).next().unwrap();
    // Of Hangzhou: A4 is not insured, and none of three policies says its limit.
    assert_eq!((&export["action"], &export["rows"]), (&"export".into(), &4.into()));
    let page = get(&whole, &format!("/assessments/{id}"));
    assert!(page.status == 200 && page.body.contains("杭州市") && page.body.contains(&id), "{}", page.body);
    let page = get(&whole, &format!("/assessments/{id}/subjects/330100"));
    assert!(page.status == 200 && page.body.contains("A4,mine,2025-01-01,emergency"), "{}", page.body);
    // The server has the lease: a command hands its freeze over.
    let second = run(&deployment, &[])["assessment_id"].as_str().unwrap().to_owned();
    assert_eq!(done(&deployment, &["assess", "freeze", &second])["number"], 2);
    assert_eq!(server.stop().code(), Some(0));
}
