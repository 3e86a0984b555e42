//! What was held comes in after a fix, by itself when its code arrives, or not at all: as somebody
//! decides, and never silently.

use serde_json::{Value, json};

use crate::delivery::{INSURER, PREMIUM, PolicyLine, SECTOR, insurer_with_policies, policy_file};
use crate::deployment::Deployment;

/// Twenty policies, of which three have a code for their sector that the feed does not map.
fn with_unmapped_codes() -> Deployment {
    let deployment = insurer_with_policies();
    let mut lines: Vec<PolicyLine> = (1..=20).map(PolicyLine::sound).collect();
    for line in &mut lines[..3] {
        *line = line.clone().with(SECTOR, "J");
    }
    deployment.write("inbox/policies/a.csv", policy_file(&lines));
    assert_eq!(deployment.ingest().code, Some(3));
    deployment
}

/// Writes the missing code into the feed.
pub fn mend_the_feed(deployment: &Deployment) {
    let path = deployment.path().join("feeds/policies.toml");
    let text = std::fs::read_to_string(path).unwrap();
    let mended = text.replace("{ \"K\" = \"mine\" }", "{ \"K\" = \"mine\", \"J\" = \"hazchem\" }");
    assert_ne!(mended, text);
    deployment.write("feeds/policies.toml", mended);
}

fn replay(deployment: &Deployment, more: &[&str]) -> (Option<i32>, Value) {
    let args = [&["quarantine", "replay", "--format", "json"], more].concat();
    let answer = deployment.run(&args);
    assert!(matches!(answer.code, Some(0 | 3)), "{answer:?}");
    (answer.code, answer.json())
}

const COUNTS: &str = "select rows_read, rows_accepted, rows_quarantined, state from system.batch \
                      where feed_id = 'policies'";

#[test]
fn after_the_feed_is_mended_a_replay_loads_what_was_held_and_counts_before_and_after() {
    let deployment = with_unmapped_codes();
    assert_eq!(deployment.csv(COUNTS), "rows_read,rows_accepted,rows_quarantined,state\n20,17,3,published\n");
    let (code, done) = replay(&deployment, &[]);
    assert_eq!(code, Some(3), "they are as bad as before: {done}");
    assert_eq!(done["release"], Value::Null, "nothing changed: {done}");

    mend_the_feed(&deployment);
    let expected = json!([{"feed_id": "policies", "rule": "unknown_sector", "before": 3, "after": 0}]);
    let (code, preview) = replay(&deployment, &["--preview"]);
    assert_eq!((code, &preview["rows"]), (Some(0), &expected));
    assert_eq!(deployment.csv("select count(*) as n from policy"), "n\n17\n");
    let (code, done) = replay(&deployment, &["--feed", "policies"]);
    assert_eq!((code, &done["rows"]), (Some(0), &expected));
    assert_eq!(deployment.csv(COUNTS), "rows_read,rows_accepted,rows_quarantined,state\n20,20,0,published\n");
    assert_eq!(deployment.csv("select count(*) as n from policy where sector = 'hazchem'"), "n\n3\n");
    let (code, again) = replay(&deployment, &[]);
    assert_eq!((code, &again["rows"], &again["release"]), (Some(0), &json!([]), &Value::Null));
}

#[test]
fn a_held_record_is_shown_beside_its_reasons() {
    let deployment = with_unmapped_codes();
    let held = deployment.sql("select quarantine_id from system.quarantine where row_no = 2");
    let id = held[0]["quarantine_id"].as_str().unwrap();
    let shown = deployment.run(&["quarantine", "show", id]).text();
    assert!(shown.contains("P0002,U0002,PICC,J,330102") && shown.contains("unknown_sector"), "{shown}");
    let shown = deployment.run(&["quarantine", "show", id, "--format", "json"]).json();
    assert_eq!(shown["failures"][0]["rule"], "unknown_sector");
}

#[test]
fn a_policy_of_an_unknown_insurer_appears_when_the_insurer_does() {
    let deployment = insurer_with_policies();
    let mut lines: Vec<PolicyLine> = (1..=9).map(PolicyLine::sound).collect();
    lines.push(PolicyLine::sound(10).with(INSURER, "NEW"));
    deployment.write("inbox/policies/a.csv", policy_file(&lines));
    assert_eq!(deployment.ingest().code, Some(3));
    assert_eq!(deployment.csv("select count(*) as n from policy"), "n\n9\n");
    deployment.write("inbox/insurers/new.csv", "code,name\nNEW,新公司\n");
    assert_eq!(deployment.ingest().code, Some(0));
    assert_eq!(deployment.csv("select policy_no from policy where insurer_code = 'NEW'"), "policy_no\nP0010\n");
    let held = deployment.csv("select state, state_by from system.quarantine");
    assert_eq!(held, "state,state_by\nreplayed,system\n");
}

#[test]
fn nothing_is_discarded_without_a_reason_and_what_is_discarded_stays_listed() {
    let deployment = with_unmapped_codes();
    let refused = deployment.run(&["quarantine", "discard", "--feed", "policies"]);
    assert_eq!(refused.code, Some(2), "{refused:?}");
    let everything = deployment.run(&["quarantine", "discard", "--reason", "重复"]);
    assert_eq!(everything.code, Some(2), "{everything:?}");
    let done =
        deployment.run(&["quarantine", "discard", "--rule", "unknown_sector", "--reason", "重复", "--format", "json"]);
    assert_eq!(done.code, Some(0), "{done:?}");
    let listed = deployment.run(&["quarantine", "list", "--state", "discarded", "--format", "json"]).json();
    assert_eq!(listed["rows"].as_array().unwrap().len(), 3);
    assert_eq!(listed["rows"][0]["reason"], "重复");
    // They still count: read = accepted + superseded + unchanged + quarantined.
    assert_eq!(deployment.csv(COUNTS), "rows_read,rows_accepted,rows_quarantined,state\n20,17,3,published\n");
    mend_the_feed(&deployment);
    assert_eq!(replay(&deployment, &[]).1["rows"], json!([]), "given up is given up");
}

#[test]
fn a_batch_over_its_limit_waits_for_a_person_who_may_accept_it() {
    let deployment = insurer_with_policies();
    let mut lines: Vec<PolicyLine> = (1..=79).map(PolicyLine::sound).collect();
    lines.extend((80..=100).map(|number| PolicyLine::sound(number).with(PREMIUM, "abc")));
    deployment.write("inbox/policies/a.csv", policy_file(&lines));
    assert_eq!(deployment.ingest().code, Some(3));
    let held = deployment.sql("select batch_id from system.batch where state = 'held'");
    let batch = held[0]["batch_id"].as_str().unwrap();
    let status = deployment.run(&["feeds", "status", "--format", "json"]).json();
    let feeds = status["feeds"].as_array().unwrap();
    let policies = feeds.iter().find(|feed| feed["feed_id"] == "policies").unwrap();
    assert_eq!((&policies["held_rows"], &policies["held_batches"][0]["batch_id"]), (&json!(100), &json!(batch)));
    assert_eq!(replay(&deployment, &["--batch", batch]).0, Some(3));
    assert_eq!(deployment.csv(COUNTS), "rows_read,rows_accepted,rows_quarantined,state\n100,0,100,held\n");
    let (code, done) = replay(&deployment, &["--batch", batch, "--accept", "--reason", "已核实"]);
    assert_eq!(code, Some(3), "21 records are still held: {done}");
    assert_eq!(deployment.csv(COUNTS), "rows_read,rows_accepted,rows_quarantined,state\n100,79,21,published\n");
    let decided = deployment.csv("select decided_by, reason from system.batch where feed_id = 'policies'");
    assert_eq!(decided, "decided_by,reason\noperator,已核实\n");
    let twice = deployment.run(&["quarantine", "replay", "--batch", batch, "--accept"]);
    assert_eq!(twice.code, Some(2), "{twice:?}");
}
