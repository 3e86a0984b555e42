//! `anze serve`: answers over HTTP, refusals, and a stop that is clean.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::delivery::{PolicyLine, SECTOR, insurer_with_policies, policy_file};
use crate::deployment::Deployment;
use crate::quarantined::mend_the_feed;

/// How long anything here may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// A server that is ended with its test.
pub struct Server {
    process: Child,
    host: String,
}

/// What the server answered.
pub struct Reply {
    pub status: u16,
    head: String,
    pub body: String,
}

impl Server {
    /// Starts on a free port and waits until it is ready.
    pub fn start(deployment: &Deployment) -> Self {
        let mut command = deployment.command(&["serve", "--bind", "127.0.0.1:0"]);
        let mut process = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut address = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut address).unwrap();
        let host = address.trim().strip_prefix("http://").unwrap_or_default().trim_end_matches('/').to_owned();
        let server = Self { process, host };
        assert!(!server.host.is_empty(), "no address: `{address}`");
        until("the server is ready", || (server.get("/readyz", None).status == 200).then_some(()));
        server
    }

    fn get(&self, path: &str, known: Option<&str>) -> Reply {
        let known = known.map(|etag| format!("If-None-Match: {etag}\r\n")).unwrap_or_default();
        self.send("GET", path, &known, "")
    }

    /// Sends a request with further headers and a body.
    pub fn send(&self, method: &str, path: &str, headers: &str, body: &str) -> Reply {
        let mut connection = TcpStream::connect(&self.host).unwrap();
        connection.set_read_timeout(Some(PATIENCE)).unwrap();
        let length = body.len();
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: {}\r\n{headers}Content-Length: {length}\r\nConnection: close\r\n\r\n{body}",
            self.host
        );
        connection.write_all(request.as_bytes()).unwrap();
        let mut answer = Vec::new();
        connection.read_to_end(&mut answer).unwrap();
        let answer = String::from_utf8_lossy(&answer).into_owned();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Reply { status, head: head.to_owned(), body: body.to_owned() }
    }

    /// Asks it to stop, and waits for its end.
    pub fn stop(mut self) -> ExitStatus {
        let asked = Command::new("kill").arg("-TERM").arg(self.process.id().to_string()).status().unwrap();
        assert!(asked.success());
        until("the server has ended", || self.process.try_wait().unwrap())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself; there is nobody to tell otherwise.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Reply {
    fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (found, value) = line.split_once(':')?;
            found.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }
}

/// Looks again until there is something to see.
pub fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "{what}: not within {PATIENCE:?}");
        std::thread::park_timeout(Duration::from_millis(5));
    }
}

#[test]
fn a_metric_is_answered_once_and_then_known_by_its_etag() {
    let deployment = insurer_with_policies();
    deployment.write("inbox/policies/a.csv", policy_file(&[PolicyLine::sound(1), PolicyLine::sound(2)]));
    assert_eq!(deployment.ingest().code, Some(0));
    let server = Server::start(&deployment);
    let path = "/api/v1/metrics/coverage_rate?as_of=2025-06-30";
    let first = server.get(path, None);
    assert_eq!(first.status, 200, "{}", first.body);
    assert_eq!(first.json()["metric"], "coverage_rate");
    let etag = first.header("etag").expect("an answer carries an ETag");
    let again = server.get(path, Some(etag));
    assert_eq!((again.status, again.body.as_str()), (304, ""));
    // Another question is another answer.
    assert_eq!(server.get("/api/v1/metrics/coverage_rate?as_of=2025-06-29", Some(etag)).status, 200);
    assert_eq!(server.stop().code(), Some(0));
}

#[test]
fn an_unknown_metric_is_a_problem_that_programs_can_read() {
    let deployment = insurer_with_policies();
    deployment.write("inbox/policies/a.csv", policy_file(&[PolicyLine::sound(1)]));
    assert_eq!(deployment.ingest().code, Some(0));
    let server = Server::start(&deployment);
    let unknown = server.get("/api/v1/metrics/no_such_thing", None);
    assert_eq!(unknown.status, 404);
    let kind = unknown.header("content-type").unwrap_or_default();
    assert!(kind.starts_with("application/problem+json"), "{kind}");
    let problem = unknown.json();
    for key in ["code", "title", "detail", "request_id"] {
        assert!(problem[key].as_str().is_some_and(|text| !text.is_empty()), "{key}: {problem}");
    }
    assert_eq!(server.stop().code(), Some(0));
}

#[test]
fn off_loopback_nothing_is_served_without_a_token() {
    let deployment = Deployment::new();
    let mut command = deployment.command(&["serve", "--bind", "0.0.0.0:0"]);
    let mut process = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let deadline = Instant::now() + PATIENCE;
    let ended = loop {
        if let Some(ended) = process.try_wait().unwrap() {
            break ended;
        }
        if Instant::now() > deadline {
            process.kill().unwrap();
            break process.wait().unwrap();
        }
        std::thread::park_timeout(Duration::from_millis(5));
    };
    let mut said = String::new();
    process.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    assert_eq!(ended.code(), Some(2), "{said}");
    assert!(said.contains("token"), "{said}");
}

#[test]
fn a_replay_is_handed_to_the_server_that_writes_and_goes_by_the_feed_of_today() {
    let deployment = insurer_with_policies();
    let mut lines: Vec<PolicyLine> = (1..=9).map(PolicyLine::sound).collect();
    lines.push(PolicyLine::sound(10).with(SECTOR, "J"));
    deployment.write("inbox/policies/a.csv", policy_file(&lines));
    assert_eq!(deployment.ingest().code, Some(3));
    let server = Server::start(&deployment);
    mend_the_feed(&deployment);
    // The server answers a moment before it begins to write, and says so.
    until("the server has replayed it", || {
        let done = deployment.run(&["quarantine", "replay", "--format", "json"]);
        (done.code == Some(0)).then_some(())
    });
    assert_eq!(deployment.csv("select count(*) as n from policy"), "n\n10\n");
    assert_eq!(server.stop().code(), Some(0));
}
