//! A deployment whose warehouse lies in a bucket, used like any other.

use crate::delivery::plain_feed;
use crate::deployment::Deployment;
use crate::s3_server::S3Server;
use crate::served::{Server, until};

const CONTENTS: [&str; 3] = [
    "select code, name, batch_id, row_no, reporter from insurer order by code",
    "select code, name, batch_id, row_no, version_state, replaced_by from history.insurer order by code, batch_id",
    "select batch_id, sha256, landed_path, rows_read, rows_accepted, rows_superseded from system.batch order by batch_id",
];

/// Takes in two files of insurers, the second of which renames one.
fn delivered(deployment: Deployment) -> Deployment {
    deployment.write("feeds/insurers.toml", plain_feed("insurer", "NFRA", "insurers"));
    for n in 1..=2 {
        deployment.write(&format!("inbox/insurers/{n}.csv"), format!("code,name\nFIRST,首家{n}\nI{n},机构{n}\n"));
        let done = deployment.ingest();
        assert_eq!(done.code, Some(0), "{done:?}");
    }
    deployment
}

fn contents(deployment: &Deployment) -> Vec<String> {
    CONTENTS.iter().map(|statement| deployment.csv(statement)).collect()
}

/// Every version of an insurer with its landed line, without the instants at which they landed.
fn traced(deployment: &Deployment) -> Vec<String> {
    let trace = deployment.run(&["trace", "insurer", "FIRST"]);
    assert_eq!(trace.code, Some(0), "{trace:?}");
    let text = trace.text();
    let lines = text.lines().filter(|line| line.contains("sha256") || line.contains("首家"));
    lines.map(str::to_owned).collect()
}

fn succeed(deployment: &Deployment, arguments: &[&str]) -> String {
    let answer = deployment.run(arguments);
    assert_eq!(answer.code, Some(0), "{arguments:?}: {answer:?}");
    answer.text()
}

#[test]
fn a_warehouse_in_a_bucket_holds_answers_and_explains_what_one_in_a_folder_does() {
    let server = S3Server::start(None);
    let folder = delivered(Deployment::new());
    let bucket = delivered(server.deployment("anze", ""));
    let expected = contents(&folder);
    assert_eq!(contents(&bucket), expected);
    // Another machine has nothing of it on its own disk.
    std::fs::remove_dir_all(bucket.path().join("work")).unwrap();
    assert_eq!(traced(&bucket), traced(&folder));
    assert!(traced(&bucket).iter().any(|line| line.contains("FIRST,首家1")), "{:?}", traced(&bucket));
    assert!(!bucket.path().join("data").exists(), "nothing of the warehouse lies in the folder");
    assert!(succeed(&bucket, &["maintain", "check"]).contains("nothing wrong"));
    succeed(&bucket, &["check"]);

    // What was delivered before is known, to whoever comes without a local copy too.
    let again = bucket.ingest();
    assert_eq!(again.code, Some(0), "{again:?}");
    assert_eq!(contents(&bucket), expected);
}

#[test]
fn a_landed_file_that_was_changed_in_the_bucket_is_told() {
    let server = S3Server::start(None);
    let deployment = delivered(server.deployment("anze", ""));
    let path = deployment.csv("select landed_path from system.batch where object like '%1.csv'");
    server.put(&format!("/anze/anze/{}", path.lines().nth(1).unwrap()), "code,name\nFIRST,别家\n");
    std::fs::remove_dir_all(deployment.path().join("work")).unwrap();
    let trace = deployment.run(&["trace", "insurer", "FIRST"]);
    let text = trace.text();
    assert!(text.contains("is not what its SHA-256 says; restore it from a backup"), "{text}");
    assert!(!text.contains("别家") && text.contains("FIRST,首家2"), "{text}");
    let check = deployment.run(&["maintain", "check"]);
    assert_eq!(check.code, Some(3), "{check:?}");
}

#[test]
fn a_backup_moves_a_warehouse_between_buckets_and_folders() {
    let server = S3Server::start(None);
    server.make_bucket("backups");
    let origin = delivered(server.deployment("origin", ""));
    let expected = contents(&origin);
    let runs = "select count(*) as n from system.run";
    let before = origin.csv(runs);
    succeed(&origin, &["maintain", "backup", "s3://backups/zj"]);
    let inside = origin.run(&["maintain", "backup", "s3://origin/anze/backups"]);
    assert_eq!(inside.code, Some(2), "{inside:?}");

    let other = server.deployment("other", "");
    succeed(&other, &["maintain", "restore", "s3://backups/zj"]);
    let folder = Deployment::in_folder(&settings_of_backups(&server));
    for key in ["access", "secret"] {
        folder.write(&format!("secrets/{key}"), "reader");
    }
    succeed(&folder, &["maintain", "restore", "s3://backups/zj"]);
    for restored in [&other, &folder] {
        assert_eq!(contents(restored), expected);
        assert_eq!(restored.csv(runs), before);
    }
    let copy = tempfile::tempdir().unwrap();
    let copy = copy.path().to_str().unwrap();
    succeed(&folder, &["maintain", "backup", copy]);
    let back = server.deployment("back", "");
    succeed(&back, &["maintain", "restore", copy]);
    assert_eq!((contents(&back), back.csv(runs)), (expected, before));
}

/// Settings of a warehouse in a folder whose backups go to the server.
fn settings_of_backups(server: &S3Server) -> String {
    format!(
        "[backup]\nendpoint = \"http://{}\"\nallow_http = true\naccess_key_file = \"secrets/access\"\n\
         secret_key_file = \"secrets/secret\"\n",
        server.host()
    )
}

#[test]
fn a_token_made_by_a_command_is_known_to_a_server_and_soon_unknown_when_it_is_revoked() {
    let s3 = S3Server::start(None);
    let deployment = delivered(s3.deployment("anze", "[server]\nloopback_role = \"public\"\n"));
    let created = deployment.run(&["token", "create", "--role", "admin", "--format", "json"]).json();
    let server = Server::start(&deployment);
    let authorized = format!("Authorization: Bearer {}\r\n", created["token"].as_str().unwrap());
    let asked = || server.send("GET", "/api/v1/feeds", &authorized, "").status;
    assert_eq!(asked(), 200);
    succeed(&deployment, &["token", "revoke", created["token_id"].as_str().unwrap()]);
    until("the token is refused", || (asked() == 401).then_some(()));
    assert_eq!(server.stop().code(), Some(0));
}

#[test]
fn a_bucket_that_is_not_there_is_told_in_words() {
    let server = S3Server::start(None);
    let deployment = server.deployment("anze", "");
    let settings = std::fs::read_to_string(deployment.path().join("anze.toml")).unwrap();
    deployment.write("anze.toml", settings.replace("s3://anze/", "s3://nowhere/"));
    let answer = deployment.ingest();
    assert_eq!(answer.code, Some(1), "{answer:?}");
    assert!(answer.stderr.contains("nowhere") || answer.stderr.contains("NoSuchBucket"), "{answer:?}");
    let keyless = settings.replace("access_key_file = \"secrets/access\"\n", "");
    deployment.write("anze.toml", keyless);
    let answer = deployment.ingest();
    assert_eq!(answer.code, Some(2), "{answer:?}");
    assert!(answer.stderr.contains("[bucket] access_key_env"), "{answer:?}");
}
