//! Figures beside others: a year before, the whole province; and what a limited caller gets of them.

use serde_json::{Value, json};

use crate::assessed::{done, province};
use crate::deployment::Deployment;
use crate::served::{Reply, Server};

fn token(deployment: &Deployment, limits: &[&str]) -> String {
    done(deployment, &[&["token", "create"], limits].concat())["token"].as_str().unwrap().to_owned()
}

fn get(server: &Server, token: &str, path: &str) -> Reply {
    server.send("GET", path, &format!("Authorization: Bearer {token}\r\n"), "")
}

#[test]
fn a_figure_stands_beside_that_of_the_year_before_in_every_form() {
    let deployment = province();
    let asked = ["metrics", "run", "coverage_rate", "--by", "city", "--as-of", "2026-06-30", "--compare", "yoy"];
    // Every policy ended with 2025: nobody is insured now, and a year ago 3 of 4 and 2 of 2 were.
    let answer = done(&deployment, &asked);
    assert_eq!(answer["rows"][0]["numerator"], 0);
    let year_before = json!({"as_of": "2025-06-30", "numerator": 3, "denominator": 4, "value": 0.75});
    assert_eq!(answer["rows"][0]["previous"], year_before);
    let csv = deployment.run(&[&asked[..], &["--format", "csv"]].concat()).text();
    let head = csv.lines().next().unwrap();
    assert!(head.ends_with("previous_as_of,previous_numerator,previous_denominator,previous_value"), "{csv}");
    assert!(csv.lines().nth(1).unwrap().ends_with("2025-06-30,3,4,0.75"), "{csv}");
    let table = deployment.run(&asked).text();
    assert!(table.contains("previous_value") && table.contains("0.75"), "{table}");
    let wrong = deployment.run(&["metrics", "run", "coverage_rate", "--compare", "decade"]);
    assert_eq!(wrong.code, Some(2), "{wrong:?}");
    assert!(wrong.stderr.contains("neither yoy nor mom"), "{wrong:?}");
}

#[test]
fn over_http_the_province_stands_beside_a_city_and_the_public_gets_no_earlier_figures() {
    let deployment = province();
    let admin = token(&deployment, &["--role", "admin"]);
    let hangzhou = token(&deployment, &["--role", "official", "--region", "3301"]);
    let public = token(&deployment, &["--role", "public"]);
    let server = Server::start(&deployment);
    let path = "/api/v1/metrics/coverage_rate?as_of=2025-06-30&benchmarks=province,nation";
    let whole = get(&server, &admin, &format!("{path}&by=city")).json();
    let of_province = json!({"as_of": "2025-06-30", "numerator": 5, "denominator": 6, "value": whole["rows"][0]["province"]["value"]});
    assert_eq!(whole["rows"][1]["province"], of_province);
    assert_eq!(whole["rows"][0]["nation"], Value::Null, "nobody published one");
    // Beyond Hangzhou there are two entries: their cell is small, and the difference would tell it.
    let own = get(&server, &hangzhou, path).json();
    assert_eq!((&own["rows"][0]["numerator"], &own["rows"][0]["denominator"]), (&json!(3), &json!(4)));
    assert_eq!(own["rows"][0]["province"]["suppressed"], true);
    assert_eq!(get(&server, &public, "/api/v1/metrics/coverage_rate?compare=yoy").status, 403);
    assert_eq!(get(&server, &public, "/api/v1/metrics/coverage_rate").status, 200);
    assert_eq!(get(&server, &admin, "/api/v1/metrics/coverage_rate?compare=decade").status, 400);
    assert_eq!(get(&server, &admin, "/api/v1/metrics/coverage_rate?benchmarks=city").status, 400);
    assert_eq!(get(&server, &admin, "/api/v1/metrics/coverage_rate/trend?compare=yoy").status, 400);
    let page = get(&server, &admin, "/").body;
    assert!(page.contains("上年同期"), "{page}");
    let page = get(&server, &hangzhou, "/").body;
    assert!(page.contains("授权范围内") && page.contains("全省"), "{page}");
    assert!(!get(&server, &public, "/").body.contains("上年同期"));
}

#[test]
fn a_limited_caller_gets_what_an_admin_gets_with_where_set_to_the_scope() {
    let deployment = province();
    let admin = token(&deployment, &["--role", "admin"]);
    let scopes: [(&[&str], &str); 5] = [
        (&["--role", "official", "--region", "3301"], "where.city=330100"),
        (&["--role", "official", "--region", "330105"], "where.county=330105"),
        (&["--role", "analyst", "--sector", "mine"], "where.sector=mine"),
        (&["--role", "insurer", "--insurer", "PICC"], "where.insurer=PICC"),
        (&["--role", "official", "--region", "3302", "--sector", "mine"], "where.city=330200&where.sector=mine"),
    ];
    let limited: Vec<(String, &str)> =
        scopes.iter().map(|(limits, filter)| (token(&deployment, limits), *filter)).collect();
    let server = Server::start(&deployment);
    let metrics = get(&server, &admin, "/api/v1/metrics").json()["metrics"].as_array().unwrap().clone();
    let mut compared = 0;
    for metric in &metrics {
        let id = metric["id"].as_str().unwrap();
        let days = if metric["kind"] == "as_of" { "as_of=2025-06-30" } else { "from=2025-01-01&to=2026-01-01" };
        for (token, filter) in &limited {
            for form in [format!("{id}?{days}"), format!("{id}/evidence?side=denominator&{days}")] {
                let own = get(&server, token, &format!("/api/v1/metrics/{form}"));
                if own.status == 403 {
                    // The metric cannot be limited to this scope: nothing of it is handed out.
                    assert!(own.body.contains("outside_scope"), "{form}: {}", own.body);
                    continue;
                }
                assert_eq!(own.status, 200, "{form}: {}", own.body);
                let theirs = get(&server, &admin, &format!("/api/v1/metrics/{form}&{filter}"));
                let (mut own, mut theirs) = (own.json(), theirs.json());
                // A cursor names its question.
                for answer in [&mut own, &mut theirs] {
                    answer.as_object_mut().unwrap().remove("next");
                }
                assert_eq!(own, theirs, "{form} {filter}");
                compared += 1;
            }
        }
    }
    assert!(compared > 100, "{compared}");
}
