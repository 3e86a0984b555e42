//! `anze maintain` and `anze releases diff`, as an operator uses them.

use serde_json::{Value, json};

use crate::delivery::plain_feed;
use crate::deployment::Deployment;
use crate::served::{Server, until};

/// Five releases, each with a batch that renames the first insurer and brings another one. The first three
/// were published in March 2020.
pub fn five_releases() -> Deployment {
    let deployment = Deployment::new();
    deployment.write("feeds/insurers.toml", plain_feed("insurer", "NFRA", "insurers"));
    for n in 1..=5 {
        deployment.write(&format!("inbox/insurers/{n}.csv"), format!("code,name\nFIRST,首家{n}\nI{n},机构{n}\n"));
        assert_eq!(deployment.ingest().code, Some(0));
    }
    let newest = deployment.releases()["releases"][0]["release"].as_u64().unwrap();
    for release in 1..=newest - 2 {
        let path = deployment.path().join(format!("data/releases/{release:010}.json"));
        let mut manifest: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        manifest["published_at"] = json!(format!("2020-03-{release:02}T02:00:00Z"));
        manifest["day"] = json!(format!("2020-03-{release:02}"));
        deployment.write(&format!("data/releases/{release:010}.json"), manifest.to_string());
    }
    deployment
}

fn maintained(deployment: &Deployment, arguments: &[&str]) -> Value {
    let answer = deployment.run(&[&["maintain"], arguments, &["--format", "json"]].concat());
    assert_eq!(answer.code, Some(0), "{arguments:?}: {answer:?}");
    answer.json()
}

fn newest(deployment: &Deployment) -> u64 {
    deployment.releases()["releases"][0]["release"].as_u64().unwrap()
}

#[test]
fn vacuum_keeps_what_it_must_and_a_release_past_its_time_says_so() {
    let deployment = five_releases();
    let newest = newest(&deployment);
    let before = deployment.csv("select code, name from insurer order by code");
    let versions = deployment.csv("select count(*) as n from history.insurer");
    let preview = maintained(&deployment, &["vacuum", "--dry-run"]);
    let done = maintained(&deployment, &["vacuum"]);
    assert_eq!((&done["dropped"], &done["removed"]), (&preview["dropped"], &preview["removed"]));
    // Of March 2020 the last release stays, and those of today.
    let dropped: Vec<u64> = (1..newest - 2).collect();
    assert_eq!(done["dropped"], json!(dropped));
    assert!(!done["removed"].as_array().unwrap().is_empty());
    assert_eq!(deployment.csv("select code, name from insurer order by code"), before);
    assert_eq!(deployment.csv("select count(*) as n from history.insurer"), versions);
    let kept = deployment.run(&["sql", "--release", &(newest - 2).to_string(), "select 1"]);
    assert_eq!(kept.code, Some(0), "{kept:?}");
    let asked: [&[&str]; 3] = [
        &["sql", "--release", "1", "select 1"],
        &["trace", "insurer", "FIRST", "--known-at", "2020-03-01"],
        &["releases", "show", "1"],
    ];
    for command in asked {
        let gone = deployment.run(command);
        assert_eq!(gone.code, Some(1), "{gone:?}");
        assert!(gone.stderr.contains("release 1 is no longer kept") && gone.stderr.contains("不再保留"), "{gone:?}");
    }
    let listed = deployment.releases();
    let kept: Vec<bool> = listed["releases"].as_array().unwrap().iter().map(|row| row["kept"] == true).collect();
    assert_eq!(kept.iter().filter(|kept| **kept).count(), 3, "{listed}");
    assert_eq!(maintained(&deployment, &["check"])["findings"], json!([]));
    let books = deployment.csv("select kind, outcome, asked_by from system.maintenance order by started_at");
    assert_eq!(books, "kind,outcome,asked_by\nvacuum,done,operator\ncheck,done,operator\n");
}

#[test]
fn a_check_that_finds_something_says_so_in_both_languages_and_ends_with_3() {
    let deployment = five_releases();
    let landed = deployment.csv("select landed_path from system.batch where object like '%1.csv'");
    std::fs::write(deployment.path().join("data").join(landed.lines().nth(1).unwrap()), "other").unwrap();
    let found = deployment.run(&["maintain", "check"]);
    assert_eq!(found.code, Some(3), "{found:?}");
    let text = found.text();
    for part in ["wrong_hash", "SHA-256", "请从备份恢复", "restore it from a backup", "发现 2 个问题 findings: 2"]
    {
        assert!(text.contains(part), "{part}: {text}");
    }
    // A quick look sees sizes, not contents.
    let quick = deployment.run(&["maintain", "check", "--quick", "--format", "json"]);
    assert_eq!(quick.json()["findings"][0]["code"], "wrong_size");
}

#[test]
fn maintenance_is_handed_to_the_server_that_writes_which_also_does_its_own() {
    let deployment = five_releases();
    let server = Server::start(&deployment);
    let done = until("the server has compacted", || {
        let answer = deployment.run(&["maintain", "compact", "--format", "json"]);
        (answer.code == Some(0)).then(|| answer.json())
    });
    assert_eq!(done["release"], newest(&deployment));
    assert!(!done["tables"].as_array().unwrap().is_empty());
    let own =
        "select kind, outcome from system.maintenance where asked_by = 'schedule' and kind <> 'compact' order by kind";
    until("the server has looked after itself", || {
        (deployment.csv(own) == "kind,outcome\ncheck,done\nvacuum,done\n").then_some(())
    });
    let refused =
        server.send("POST", "/api/v1/maintenance", "Content-Type: application/json\r\n", "{\"kind\":\"burn\"}");
    assert_eq!(refused.status, 400, "{}", refused.body);
    let gone = server.send("GET", "/api/v1/releases/1", "", "");
    assert_eq!((gone.status, &gone.json()["code"]), (410, &json!("release_not_kept")));
    assert_eq!(server.stop().code(), Some(0));
}

#[test]
fn what_changed_between_two_releases_is_told_by_key() {
    let deployment = five_releases();
    let newest = newest(&deployment);
    let (from, to) = ((newest - 2).to_string(), newest.to_string());
    let told = deployment.run(&["releases", "diff", &from, &to, "--format", "json"]).json();
    let insurer = &told["datasets"][0];
    assert_eq!(insurer["dataset"], "insurer");
    assert_eq!((&insurer["added"], &insurer["replaced"], &insurer["removed"]), (&json!(2), &json!(1), &json!(0)));
    let keys: Vec<(&str, &str)> = insurer["keys"]
        .as_array()
        .unwrap()
        .iter()
        .map(|key| (key["change"].as_str().unwrap(), key["key"][0].as_str().unwrap()))
        .collect();
    assert_eq!(keys, [("replaced", "FIRST"), ("added", "I4"), ("added", "I5")]);
    assert_eq!(told["batches"].as_array().unwrap().len(), 2);
    assert_eq!(told["contracts_changed"], false);
    let text = deployment.run(&["releases", "diff", &from, &to, "--keys", "1"]).text();
    assert!(text.contains("added 2, replaced 1, removed 0") && text.contains("只列出前 1 个键"), "{text}");
    let wrong = deployment.run(&["releases", "diff", &to, &from]);
    assert_eq!(wrong.code, Some(2), "{wrong:?}");
    let server = Server::start(&deployment);
    let over_http = server.send("GET", &format!("/api/v1/releases/{from}/diff/{to}"), "", "");
    assert_eq!(over_http.json()["datasets"], told["datasets"]);
}

#[test]
fn a_restored_backup_answers_the_same_numbers() {
    let deployment = five_releases();
    let questions = [
        "select code, name, batch_id, row_no, reporter from insurer order by code",
        "select code, name, batch_id, version_state, replaced_by from history.insurer order by code, batch_id",
        "select batch_id, sha256, rows_read, rows_accepted, rows_superseded from system.batch order by batch_id",
    ];
    let expected: Vec<String> = questions.iter().map(|question| deployment.csv(question)).collect();
    let copy = tempfile::tempdir().unwrap();
    let place = copy.path().join("backup").to_str().unwrap().to_owned();
    let first = maintained(&deployment, &["backup", &place]);
    assert_eq!(first["release"], newest(&deployment));
    let second = maintained(&deployment, &["backup", &place]);
    // Only the note of the first backup is new.
    assert_eq!(second["copied"], 1, "{second}");

    let other = Deployment::new();
    other.write("feeds/insurers.toml", plain_feed("insurer", "NFRA", "insurers"));
    let restored = maintained(&other, &["restore", &place]);
    assert_eq!(restored["check"]["findings"], json!([]));
    let answers: Vec<String> = questions.iter().map(|question| other.csv(question)).collect();
    assert_eq!(answers, expected);
    let refused = other.run(&["maintain", "restore", &place]);
    assert_eq!(refused.code, Some(2), "{refused:?}");
    // It goes on: the same files are known, a new one is taken.
    for n in 1..=5 {
        other.write(&format!("inbox/insurers/{n}.csv"), format!("code,name\nFIRST,首家{n}\nI{n},机构{n}\n"));
    }
    other.write("inbox/insurers/6.csv", "code,name\nI6,机构6\n");
    assert_eq!(other.ingest().code, Some(0));
    assert_eq!(other.csv("select count(*) as n from insurer"), "n\n7\n");
    assert_eq!(maintained(&other, &["check"])["findings"], json!([]));
    let inside = deployment.path().join("data/backup");
    let refused = deployment.run(&["maintain", "backup", inside.to_str().unwrap()]);
    assert_eq!(refused.code, Some(2), "{refused:?}");
}
