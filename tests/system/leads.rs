//! Leads for enforcement: listed, decided about, limited to a scope; and every row handed out is noted.

use std::fs;

use serde_json::{Value, json};

use crate::delivery::{INSURER, PolicyLine, REGION, insurer_with_policies, policy_file};
use crate::deployment::Deployment;
use crate::served::{Reply, Server};

const KIND: &str = "premium_unpaid";
const LOG: &str = "data/live/access_log.ndjson";

/// Three policies without a receipt: two in Hangzhou, one of them CPIC's, and one in Ningbo.
fn unpaid() -> Deployment {
    let deployment = insurer_with_policies();
    let lines =
        [PolicyLine::sound(1), PolicyLine::sound(2).with(INSURER, "CPIC"), PolicyLine::sound(3).with(REGION, "330203")];
    deployment.write("inbox/policies/a.csv", policy_file(&lines));
    assert_eq!(deployment.ingest().code, Some(0));
    deployment
}

fn leads(deployment: &Deployment, more: &[&str]) -> Vec<Value> {
    let answer = deployment.run(&[&["leads", "list", KIND, "--format", "json"][..], more].concat());
    assert_eq!(answer.code, Some(0), "{answer:?}");
    answer.json()["rows"].as_array().unwrap().clone()
}

fn keys(rows: &[Value]) -> Vec<&str> {
    let mut keys: Vec<&str> = rows.iter().map(|row| row["key"].as_str().unwrap()).collect();
    keys.sort_unstable();
    keys
}

fn token(deployment: &Deployment, limits: &[&str]) -> String {
    let made = deployment.run(&[&["token", "create", "--format", "json"][..], limits].concat());
    assert_eq!(made.code, Some(0), "{made:?}");
    made.json()["token"].as_str().unwrap().to_owned()
}

fn get(server: &Server, path: &str, token: &str) -> Reply {
    server.send("GET", path, &format!("Authorization: Bearer {token}\r\n"), "")
}

fn post(server: &Server, path: &str, token: &str, body: &Value) -> Reply {
    let headers = format!("Authorization: Bearer {token}\r\nContent-Type: application/json\r\n");
    server.send("POST", path, &headers, &body.to_string())
}

fn access_log(deployment: &Deployment) -> Vec<Value> {
    let text = fs::read_to_string(deployment.path().join(LOG)).unwrap_or_default();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn a_review_says_who_when_and_why_and_stands_in_later_releases() {
    let deployment = unpaid();
    let rows = leads(&deployment, &[]);
    assert_eq!(keys(&rows), ["P0001,U0001", "P0002,U0002", "P0003,U0003"]);
    let first = rows.iter().find(|row| row["key"] == "P0001,U0001").unwrap();
    assert_eq!((&first["amount"], &first["state"], &first["row_no"]), (&json!("12500.00"), &json!("open"), &json!(1)));
    let id = first["lead_id"].as_str().unwrap();

    let without = deployment.run(&["leads", "confirm", id, "--reason", "  "]);
    assert_eq!(without.code, Some(2), "{without:?}");
    let unknown = deployment.run(&["leads", "confirm", "0123456789abcdef", "--reason", "核实"]);
    assert_eq!(unknown.code, Some(2), "{unknown:?}");
    assert_eq!(deployment.run(&["leads", "confirm", id, "--reason", "现场核实"]).code, Some(0));
    assert_eq!(deployment.run(&["leads", "dismiss", id, "--reason", "已补缴"]).code, Some(0));

    let release = deployment.sql("select max(release) as n from system.release")[0]["n"].to_string();
    // A further release: the name is the same, and so is what was decided.
    deployment.write("inbox/policies/b.csv", policy_file(&[PolicyLine::sound(4)]));
    assert_eq!(deployment.ingest().code, Some(0));
    let dismissed = leads(&deployment, &["--where", "state=dismissed"]);
    assert_eq!(keys(&dismissed), ["P0001,U0001"]);
    let told = |name: &str| dismissed[0][name].as_str().unwrap();
    assert_eq!((told("lead_id"), told("reviewed_by"), told("review_reason")), (id, "operator", "已补缴"));
    assert_eq!(leads(&deployment, &["--where", "state=open"]).len(), 3);
    let reviews = deployment.sql("select state, reason from system.lead_review order by reviewed_at");
    assert_eq!(
        json!(reviews),
        json!([{"state": "confirmed", "reason": "现场核实"}, {"state": "dismissed", "reason": "已补缴"}])
    );
    // For machines: what is new since then.
    assert_eq!(keys(&leads(&deployment, &["--since", &release])), ["P0004,U0004"]);
}

#[test]
fn a_running_server_takes_the_review_of_a_command_and_keeps_it_over_a_restart() {
    let deployment = unpaid();
    let id = leads(&deployment, &["--limit", "1"])[0]["lead_id"].as_str().unwrap().to_owned();
    let server = Server::start(&deployment);
    let done = deployment.run(&["leads", "confirm", &id, "--reason", "现场核实", "--format", "json"]);
    assert_eq!(done.code, Some(0), "{done:?}");
    assert_eq!((&done.json()["before"], &done.json()["state"]), (&json!("open"), &json!("confirmed")));
    assert!(server.stop().success());
    let server = Server::start(&deployment);
    let admin = token(&deployment, &["--role", "admin"]);
    let page = get(&server, &format!("/api/v1/leads/{KIND}?where.state=confirmed"), &admin);
    assert_eq!(page.json()["rows"][0]["lead_id"], json!(id));
    // An answer kept from before a review is not given after it.
    let path = format!("/api/v1/leads/{KIND}?where.state=open&limit=1");
    let open = get(&server, &path, &admin).json();
    let other = open["rows"][0]["lead_id"].as_str().unwrap().to_owned();
    let review = json!({"state": "dismissed", "reason": "重复"});
    let reviewed = post(&server, &format!("/api/v1/leads/{other}/review"), &admin, &review);
    assert_eq!(reviewed.status, 200, "{}", reviewed.body);
    assert_ne!(get(&server, &path, &admin).json()["rows"][0]["lead_id"], json!(other));
}

#[test]
fn whoever_is_limited_sees_what_an_admin_sees_with_the_same_limit() {
    let deployment = unpaid();
    let admin = token(&deployment, &["--role", "admin"]);
    let hangzhou = token(&deployment, &["--role", "official", "--region", "330100"]);
    let cpic = token(&deployment, &["--role", "insurer", "--insurer", "CPIC"]);
    let server = Server::start(&deployment);
    let rows = |token: &str, more: &str| {
        let answer = get(&server, &format!("/api/v1/leads/{KIND}?{more}"), token);
        assert_eq!(answer.status, 200, "{}", answer.body);
        answer.json()["rows"].clone()
    };
    assert_eq!(rows(&admin, "").as_array().unwrap().len(), 3);
    assert_eq!(rows(&hangzhou, ""), rows(&admin, "where.city=330100"));
    assert_eq!(rows(&hangzhou, "where.city=330200"), json!([]));
    assert_eq!(rows(&cpic, ""), rows(&admin, "where.insurer=CPIC"));
    assert_eq!(rows(&cpic, "").as_array().unwrap().len(), 1);
    let counted = |token: &str| {
        let kinds = get(&server, "/api/v1/leads", token).json()["kinds"].as_array().unwrap().clone();
        kinds.iter().find(|kind| kind["kind"] == KIND).unwrap()["open"].clone()
    };
    assert_eq!((counted(&admin), counted(&hangzhou), counted(&cpic)), (json!(3), json!(2), json!(1)));

    // Who may review, and what: an official within the place, an insurer never.
    let all = rows(&admin, "");
    let id_at = |city: &str| {
        let at = |row: &&Value| row["region_code"].as_str().unwrap().starts_with(city);
        all.as_array().unwrap().iter().find(at).unwrap()["lead_id"].as_str().unwrap().to_owned()
    };
    let review = json!({"state": "confirmed", "reason": "现场核实"});
    let reviewed = |token: &str, id: &str| post(&server, &format!("/api/v1/leads/{id}/review"), token, &review).status;
    assert_eq!(reviewed(&hangzhou, &id_at("3301")), 200);
    assert_eq!(reviewed(&hangzhou, &id_at("3302")), 404);
    assert_eq!(reviewed(&cpic, &id_at("3301")), 403);
}

#[test]
fn pages_lead_from_the_kinds_to_the_landed_line_and_the_brief_is_one_file() {
    let deployment = unpaid();
    let admin = token(&deployment, &["--role", "admin"]);
    let server = Server::start(&deployment);
    assert!(get(&server, "/", &admin).body.contains("href=\"/leads\""));
    assert!(get(&server, "/leads", &admin).body.contains(&format!("href=\"/leads/{KIND}\"")));
    let page = get(&server, &format!("/leads/{KIND}"), &admin).body;
    assert!(page.contains("12,500.00") && page.contains("/records/policy/P0001,U0001"), "{page}");
    let mut lines = page.split("href=\"").map(|rest| rest.split('"').next().unwrap());
    let line = lines.find(|address| address.starts_with("/batches/")).expect("a link to the landed line");
    assert_eq!(get(&server, line, &admin).status, 200);
    let brief = get(&server, "/reports/330100/2026-01", &admin);
    assert_eq!(brief.status, 200, "{}", brief.body);
    assert_eq!(get(&server, "/reports/330102/2026-01", &admin).status, 400);
    assert_eq!(get(&server, "/reports/330100/2999-01", &admin).status, 400);
    drop(server);

    let file = deployment.path().join("brief.html");
    let done = deployment.run(&["report", "330100", "--month", "2026-01", "-o", file.to_str().unwrap()]);
    assert_eq!(done.code, Some(0), "{done:?}");
    let text = fs::read_to_string(file).unwrap();
    assert!(text.contains("保费未足额缴纳") && text.contains("投保覆盖率") && text.contains("<style>"), "{text}");
    assert!(!text.contains("<link") && !text.contains("<script"), "{text}");
}

#[test]
fn every_access_to_rows_is_noted_and_a_changed_log_is_found() {
    let deployment = unpaid();
    let admin = token(&deployment, &["--role", "admin"]);
    let insurer = token(&deployment, &["--role", "insurer", "--insurer", "CPIC"]);
    let before = access_log(&deployment).len();
    let server = Server::start(&deployment);
    let batch = get(&server, &format!("/api/v1/leads/{KIND}"), &admin).json()["rows"][0]["batch_id"].clone();
    let line = format!("/api/v1/batches/{}/rows/1", batch.as_str().unwrap());
    for (path, token) in [
        ("/api/v1/metrics/coverage_rate/evidence", &admin),
        ("/api/v1/records/policy/P0001", &admin),
        (line.as_str(), &admin),
        ("/records/policy/P0001", &admin),
        (line.as_str(), &insurer),
    ] {
        get(&server, path, token);
    }
    let statement = json!({"sql": "select policy_no from policy"});
    assert_eq!(post(&server, "/api/v1/sql", &admin, &statement).status, 200);
    for _ in 0..2 {
        assert_eq!(get(&server, "/api/v1/metrics/premium_collection_rate", &insurer).status, 200);
    }
    assert!(server.stop().success());

    let log = access_log(&deployment);
    let told = |row: &Value| {
        let of = |name: &str| row[name].as_str().unwrap_or("-").to_owned();
        let rows = row["rows"].as_u64().map_or("-".to_owned(), |rows| rows.to_string());
        [of("door"), of("role"), of("action"), of("outcome"), rows].join(" ")
    };
    let (polls, rows): (Vec<&Value>, Vec<&Value>) = log[before..].iter().partition(|row| row["action"] == "metric");
    let told: Vec<String> = rows.into_iter().map(told).collect();
    let expected = [
        "http admin leads given 3",
        "http admin evidence given 0",
        "http admin record given 1",
        "http admin landed_line given 1",
        "pages admin record given 1",
        "http insurer landed_line denied -",
        "http admin sql given -",
        "http admin sql_end given 3",
    ];
    assert_eq!(told, expected);
    // Two polls, in one minute or on both sides of its end.
    let times: u64 = polls.iter().map(|poll| poll["times"].as_u64().unwrap()).sum();
    assert_eq!((times, polls[0]["metric_id"].as_str()), (2, Some("premium_collection_rate")));
    let sql = log.iter().find(|row| row["action"] == "sql").unwrap();
    assert!(sql["request"].as_str().unwrap().contains("select policy_no from policy"));
    assert!(log.iter().all(|row| !row["hash"].as_str().unwrap().is_empty()));

    assert_eq!(deployment.run(&["check"]).code, Some(0));
    let path = deployment.path().join(LOG);
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.replacen("\"rows\":3", "\"rows\":2", 1)).unwrap();
    let found = deployment.run(&["check"]);
    assert_eq!(found.code, Some(3), "{found:?}");
    assert!(found.text().contains(&format!("line {}", before + 1)), "{}", found.text());
}
