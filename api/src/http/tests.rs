//! The endpoint as a whole, spoken to over a socket as any client would.

mod push;

use std::net::SocketAddr;
use std::sync::Arc;

use anze_ingest::clock::Clock;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Handle;

use super::*;
use crate::deployment::Deployment;
use crate::engine::Engine;
use crate::permission::{Role, Scope, Sensitive};
use crate::settings::Settings;
use crate::token::{Secret, Token};

/// An application over an empty deployment.
pub(super) fn app() -> AppState {
    let folder = tempfile::tempdir().unwrap();
    let deployment = Arc::new(Deployment::with_settings(folder.path(), Settings::default()).unwrap());
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let engine = Engine::new(runtime.handle().clone(), &deployment.settings().query);
    let door = Door::new("127.0.0.1:1".parse().unwrap(), &deployment.settings().server);
    Arc::new(App::new(deployment, engine, door, Arc::new(Clock::Wall)))
}

struct Running {
    server: Server,
    _folder: tempfile::TempDir,
}

async fn running(role: Role) -> Running {
    running_in(tempfile::tempdir().unwrap(), role).await
}

async fn running_in(folder: tempfile::TempDir, role: Role) -> Running {
    let mut settings = Settings::default();
    settings.server.loopback_role = role;
    let deployment = Arc::new(Deployment::with_settings(folder.path(), settings).unwrap());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let door = Door::new(listener.local_addr().unwrap(), &deployment.settings().server);
    let engine = Engine::new(Handle::current(), &deployment.settings().query);
    Running {
        server: Server::start(listener, App::new(deployment, engine, door, Arc::new(Clock::Wall))).unwrap(),
        _folder: folder,
    }
}

struct Answer {
    status: u16,
    head: String,
    body: String,
}

impl Answer {
    fn header(&self, name: &str) -> Option<&str> {
        let of = |line: &'_ str| {
            line.split_once(": ")
                .filter(|(known, _)| known.eq_ignore_ascii_case(name))
                .map(|(known, _)| known.len() + 2)
        };
        self.head.lines().find_map(|line| of(line).map(|start| &line[start..]))
    }

    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }
}

async fn send(address: SocketAddr, request: String) -> Answer {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    let answer = String::from_utf8(answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    Answer { status, head: head.to_owned(), body: body.to_owned() }
}

async fn get(address: SocketAddr, path: &str, headers: &str) -> Answer {
    send(address, format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n{headers}Connection: close\r\n\r\n")).await
}

#[tokio::test]
async fn health_is_open_and_readiness_names_the_release() {
    let running = running(Role::Public).await;
    let address = running.server.address();
    assert_eq!(get(address, "/healthz", "").await.status, 200);
    let ready = get(address, "/readyz", "").await;
    assert_eq!((ready.status, ready.json()["release"].clone()), (200, Value::Null));
    running.server.stop().await;
}

#[tokio::test]
async fn a_problem_has_a_code_a_title_in_two_languages_and_a_number() {
    let running = running(Role::Admin).await;
    let answer = get(running.server.address(), "/api/v1/datasets/nothing", "").await;
    assert_eq!(answer.status, 404);
    assert_eq!(answer.header("content-type"), Some("application/problem+json"));
    let problem = answer.json();
    assert_eq!(problem["code"], "no_such_dataset");
    assert_eq!((problem["title"].as_str(), problem["title_en"].as_str()), (Some("没有找到"), Some("Not found")));
    assert_eq!(problem["request_id"].as_str(), answer.header("x-request-id"));
    running.server.stop().await;
}

#[tokio::test]
async fn every_response_carries_the_headers_that_keep_browsers_from_harm() {
    let running = running(Role::Admin).await;
    for path in ["/", "/healthz", "/nowhere", "/api/v1/nowhere"] {
        let answer = get(running.server.address(), path, "").await;
        assert!(answer.header("content-security-policy").unwrap().starts_with("default-src 'none'"), "{path}");
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"), "{path}");
    }
    running.server.stop().await;
}

#[tokio::test]
async fn errors_of_pages_are_pages_and_errors_of_programs_are_json() {
    let running = running(Role::Admin).await;
    let page = get(running.server.address(), "/nowhere?lang=en", "").await;
    assert_eq!((page.status, page.header("content-type")), (404, Some("text/html; charset=utf-8")));
    assert!(page.body.contains("To the first page"));
    let json = get(running.server.address(), "/api/v1/nowhere", "").await;
    assert_eq!((json.status, json.header("content-type")), (404, Some("application/problem+json")));
    running.server.stop().await;
}

#[tokio::test]
async fn a_foreign_host_and_a_foreign_origin_are_refused() {
    let running = running(Role::Admin).await;
    let address = running.server.address();
    let foreign =
        send(address, "GET /healthz HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n".to_owned()).await;
    assert_eq!(
        (foreign.status, foreign.json()["code"].as_str().map(str::to_owned)),
        (421, Some("unknown_host".into()))
    );
    let post = "POST /api/v1/runs HTTP/1.1\r\nHost: localhost\r\nOrigin: http://evil.example\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    assert_eq!(send(address, post.to_owned()).await.json()["code"], "cross_origin");
    running.server.stop().await;
}

#[tokio::test]
async fn forms_are_not_taken_for_statements() {
    let running = running(Role::Admin).await;
    let post = "POST /api/v1/sql HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/plain\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}";
    assert_eq!(send(running.server.address(), post.to_owned()).await.status, 415);
    running.server.stop().await;
}

#[tokio::test]
async fn each_role_reaches_exactly_its_routes() {
    let running = running(Role::Public).await;
    let address = running.server.address();
    let app = Arc::clone(running.server.app());
    let scope_of = |role| match role {
        Role::Insurer => Scope { insurers: vec!["PICC".into()], ..Scope::default() },
        Role::Reporter => Scope { feeds: vec!["picc-policy".into()], ..Scope::default() },
        _ => Scope::default(),
    };
    let (listed, _) = routes(app.clone()).finish();
    for role in [Role::Admin, Role::Official, Role::Analyst, Role::Insurer, Role::Reporter, Role::Public] {
        let (token, secret) = Token::create(role, scope_of(role), Sensitive::Masked, None, chrono::Utc::now()).unwrap();
        let permission = token.permission();
        app.deployment.tokens().add(&token).unwrap();
        for route in &listed {
            let path = route.path.replace("{id}", "x").replace("{dataset}", "policy").replace("{key}", "k");
            let path = path.replace("{name}", "policy").replace("{n}", "1").replace("{file}", "x");
            let bearer = format!("Authorization: Bearer {}\r\n", secret.reveal());
            let method = route.method.to_uppercase();
            let request = format!(
                "{method} {path} HTTP/1.1\r\nHost: localhost\r\n{bearer}Content-Length: 0\r\nConnection: close\r\n\r\n"
            );
            let answer = send(address, request).await;
            let allowed = permission.may(route.access).is_ok();
            let forbidden = answer.status == 403;
            // A route may still refuse more narrowly, but only behind its guard.
            let narrow = matches!(
                route.access,
                crate::permission::Access::Metrics
                    | crate::permission::Access::Evidence
                    | crate::permission::Access::Assessments
            );
            assert!(forbidden != allowed || (allowed && narrow), "{role:?} {method} {path}: {}", answer.status);
            assert!(!(forbidden && allowed && !narrow), "{role:?} {method} {path}: {}", answer.status);
        }
    }
    running.server.stop().await;
}

#[tokio::test]
async fn a_wrong_token_is_asked_for_again() {
    let running = running(Role::Admin).await;
    let wrong = Secret::generate().unwrap().1;
    let bearer = format!("Authorization: Bearer {}\r\n", wrong.reveal());
    let program = get(running.server.address(), "/api/v1/datasets", &bearer).await;
    assert_eq!((program.status, program.header("www-authenticate")), (401, Some("Bearer realm=\"anze\"")));
    let page = get(running.server.address(), "/", &bearer).await;
    assert_eq!((page.status, page.header("www-authenticate")), (401, Some("Basic realm=\"anze\", charset=\"UTF-8\"")));
    running.server.stop().await;
}

#[tokio::test]
async fn a_deployment_without_a_release_says_so() {
    let running = running(Role::Admin).await;
    let page = get(running.server.address(), "/", "").await;
    assert_eq!(page.status, 200);
    assert!(page.body.contains("anze ingest run --all") && page.body.contains("lang=\"zh-CN\""));
    let answer = get(running.server.address(), "/api/v1/metrics/coverage_rate", "").await;
    assert_eq!((answer.status, answer.json()["code"].as_str().map(str::to_owned)), (503, Some("no_release".into())));
    running.server.stop().await;
}

#[tokio::test]
async fn the_style_sheet_has_a_name_of_its_content_and_may_be_kept() {
    let running = running(Role::Public).await;
    let sheet = get(running.server.address(), page::assets::style_sheet(), "").await;
    assert_eq!(sheet.status, 200);
    assert!(sheet.header("cache-control").unwrap().contains("immutable"));
    assert_eq!(get(running.server.address(), "/assets/anze.css", "").await.status, 404);
    running.server.stop().await;
}
