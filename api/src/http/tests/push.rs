//! Pushing, with the service behind the endpoint.

use std::time::Duration;

use anze_ingest::Ingest;
use anze_ingest::service::Service;
use anze_warehouse::warehouse::Holder;

use super::*;

const FEED: &str = "dataset = \"insurer\"\nreporter = \"NFRA\"\n[source]\nkind = \"push\"\nmax_bytes = 100\n\
                    [format]\nkind = \"csv\"\n";
const FETCHED: &str = "dataset = \"insurer\"\nreporter = \"NFRA\"\n[source]\nkind = \"directory\"\npath = \"inbox\"\n\
                       [format]\nkind = \"csv\"\n";
const TEXT: &str = "code,name\nPICC,人保财险\nCPIC,太保产险\n";

struct Pushing {
    running: Running,
    service: Service,
    /// A reporter's token for the feed `insurers`.
    secret: String,
}

async fn pushing() -> Pushing {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("feeds")).unwrap();
    std::fs::write(folder.path().join("feeds/insurers.toml"), FEED).unwrap();
    std::fs::write(folder.path().join("feeds/fetched.toml"), FETCHED).unwrap();
    let running = running_in(folder, Role::Public).await;
    let app = running.server.app();
    let warehouse = Arc::clone(app.deployment.warehouse());
    let holder = Holder { what: "test".into(), process: std::process::id(), address: None, secret: None };
    let writer = warehouse.writer(&holder, Duration::from_secs(1)).await.unwrap();
    let feeds = app.deployment.feeds().unwrap();
    let ingest = Arc::new(Ingest::open(warehouse, app.deployment.dir(), feeds, Arc::new(Clock::Wall)).unwrap());
    let service = Service::start(Arc::clone(&ingest), writer, None).await.unwrap();
    app.desk.open(ingest, service.handle());
    let scope = Scope { feeds: vec!["insurers".into(), "fetched".into()], ..Scope::default() };
    let (token, secret) = Token::create(Role::Reporter, scope, Sensitive::Masked, None, chrono::Utc::now()).unwrap();
    app.deployment.tokens().add(&token).unwrap();
    Pushing { secret: secret.reveal().to_owned(), running, service }
}

impl Pushing {
    async fn put(&self, path: &str, headers: &str, body: &str) -> Answer {
        let (secret, length) = (&self.secret, body.len());
        let request = format!(
            "PUT /api/v1/feeds/{path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {secret}\r\n{headers}\
             Content-Length: {length}\r\nConnection: close\r\n\r\n{body}"
        );
        send(self.running.server.address(), request).await
    }

    async fn stop(self) {
        let app = Arc::clone(self.running.server.app());
        self.running.server.stop().await;
        self.service.stop().await;
        app.desk.drain().await;
    }
}

fn code(answer: &Answer) -> (u16, String) {
    assert_eq!(answer.header("content-type"), Some("application/problem+json"), "{}", answer.body);
    (answer.status, answer.json()["code"].as_str().unwrap().to_owned())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_push_is_loaded_once_and_its_key_stands_for_its_bytes() {
    let pushing = pushing().await;
    let path = "insurers/batches/2026-03";
    let first = pushing.put(path, "", TEXT).await;
    assert_eq!(first.status, 201, "{}", first.body);
    let told = first.json();
    assert_eq!((&told["state"], &told["is_new"]), (&Value::from("published"), &Value::from(true)));
    for (name, rows) in [("read", 2), ("accepted", 2), ("superseded", 0), ("unchanged", 0), ("quarantined", 0)] {
        assert_eq!(told[format!("rows_{name}")].as_u64(), Some(rows), "{name}: {told}");
    }
    let again = pushing.put(path, "", TEXT).await;
    assert_eq!((again.status, &again.json()["is_new"]), (200, &Value::from(false)), "{}", again.body);
    assert_eq!(again.json()["batch_id"], told["batch_id"]);
    let other = pushing.put(path, "", "code,name\nPICC,人保\n").await;
    assert_eq!(code(&other), (409, "key_used".to_owned()));
    assert!(other.json()["detail"].as_str().unwrap().contains(told["batch_id"].as_str().unwrap()));
    let unread = pushing.put("insurers/batches/2026-04?wait=false", "", "code,name\nCPIC,太保\n").await;
    assert!(matches!(unread.status, 201 | 202), "{}", unread.body);
    assert!(unread.json()["batch_id"].is_string());
    pushing.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_not_to_be_taken_is_refused_with_its_reason() {
    let pushing = pushing().await;
    let large = "x".repeat(101);
    // SHA-256 of `hello`, which is not what is sent.
    let digest = "Content-Digest: sha-256=:LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ=:\r\n";
    for (path, headers, body, status, why) in [
        ("insurers/batches/a", "", large.as_str(), 413, "too_large"),
        ("insurers/batches/a", digest, TEXT, 400, "digest_mismatch"),
        ("insurers/batches/a", "Content-Digest: md5=:abc:\r\n", TEXT, 400, "bad_digest"),
        ("insurers/batches/a%20b", "", TEXT, 400, "bad_key"),
        ("insurers/batches/a?wiat=false", "", TEXT, 400, "bad_parameter"),
        ("fetched/batches/a", "", TEXT, 400, "not_a_push_feed"),
        ("policies/batches/a", "", TEXT, 404, "no_such_feed"),
    ] {
        let answer = pushing.put(path, headers, body).await;
        assert_eq!(code(&answer), (status, why.to_owned()), "{path}");
    }
    let chunked = format!(
        "PUT /api/v1/feeds/insurers/batches/a HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {}\r\n\
         Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n65\r\n{large}\r\n0\r\n\r\n",
        pushing.secret
    );
    let chunked = send(pushing.running.server.address(), chunked).await;
    assert_eq!(code(&chunked), (413, "too_large".to_owned()), "a size that was not announced counts too");
    let right = digest.replace("LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ=", &sha256_of(TEXT));
    assert_eq!(pushing.put("insurers/batches/a", &right, TEXT).await.status, 201, "nothing of all that was taken");
    pushing.stop().await;
}

#[tokio::test]
async fn only_who_is_named_for_a_feed_pushes_to_it_and_nothing_is_taken_where_nothing_writes() {
    let running = running(Role::Public).await;
    let address = running.server.address();
    let status = async |role, feeds: &[&str]| {
        let feeds = feeds.iter().map(|feed| (*feed).to_owned()).collect();
        let scope = Scope { feeds, ..Scope::default() };
        let (token, secret) = Token::create(role, scope, Sensitive::Masked, None, chrono::Utc::now()).unwrap();
        running.server.app().deployment.tokens().add(&token).unwrap();
        let request = format!(
            "PUT /api/v1/feeds/insurers/batches/a HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {}\r\n\
             Content-Length: 0\r\nConnection: close\r\n\r\n",
            secret.reveal()
        );
        send(address, request).await.status
    };
    assert_eq!(status(Role::Reporter, &["insurers"]).await, 503);
    assert_eq!(status(Role::Admin, &[]).await, 503);
    assert_eq!(status(Role::Reporter, &["policies"]).await, 404);
    assert_eq!(status(Role::Official, &[]).await, 403);
    running.server.stop().await;
}

fn sha256_of(text: &str) -> String {
    use sha2::{Digest, Sha256};
    crate::output::base64::encode(&Sha256::digest(text))
}
