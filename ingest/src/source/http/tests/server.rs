//! A server that fails on command: raw bytes, so that it can break every promise of HTTP.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// What the server does on a connection, one after the other; then it closes.
#[derive(Clone)]
pub enum Step {
    Send(Vec<u8>),
    /// Nothing more, until the client goes.
    FallSilent,
    /// A byte now and then, until the client goes.
    Trickle,
}

/// A request as it came.
#[derive(Debug, Clone)]
pub struct Asked {
    /// Path and query.
    pub target: String,
    head: String,
}

impl Asked {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (found, value) = line.split_once(':')?;
            found.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }
}

pub struct TestServer {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<Asked>>>,
    task: JoinHandle<()>,
}

impl Drop for TestServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl TestServer {
    /// Answers each request as `script` says; it is told how many came before.
    pub async fn start(script: impl Fn(&Asked, usize) -> Vec<Step> + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let asked: Arc<Mutex<Vec<Asked>>> = Arc::default();
        let (script, known) = (Arc::new(script), Arc::clone(&asked));
        let task = tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let (script, known) = (Arc::clone(&script), Arc::clone(&known));
                tokio::spawn(async move {
                    let Some(request) = read_head(&mut stream).await else { return };
                    let steps = {
                        let mut known = known.lock().unwrap();
                        known.push(request.clone());
                        script(&request, known.len() - 1)
                    };
                    for step in steps {
                        take(&mut stream, step).await;
                    }
                });
            }
        });
        Self { address, asked, task }
    }

    /// Its address as a host of this name sees it.
    pub fn url(&self, host: &str, target: &str) -> String {
        format!("http://{host}:{}{target}", self.address.port())
    }

    /// The requests that came.
    pub fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    /// Paths and queries of the requests that came.
    pub fn targets(&self) -> Vec<String> {
        self.asked().into_iter().map(|asked| asked.target).collect()
    }
}

async fn read_head(stream: &mut TcpStream) -> Option<Asked> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    let head = String::from_utf8(head).unwrap();
    let target = head.split(' ').nth(1)?.to_owned();
    Some(Asked { target, head })
}

async fn take(stream: &mut TcpStream, step: Step) {
    match step {
        // The client may have gone; that is what some tests are about.
        Step::Send(bytes) => drop(stream.write_all(&bytes).await),
        Step::FallSilent => drop(stream.read_u8().await),
        Step::Trickle => {
            while stream.write_all(b"x").await.is_ok() {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        }
    }
}

/// An answer with headers and a body whose length is said.
pub fn answer(status: &str, headers: &str, body: &str) -> Vec<Step> {
    let length = body.len();
    vec![Step::Send(
        format!("HTTP/1.1 {status}\r\n{headers}Content-Length: {length}\r\nConnection: close\r\n\r\n{body}")
            .into_bytes(),
    )]
}

/// 200 with a body.
pub fn ok(body: &str) -> Vec<Step> {
    answer("200 OK", "", body)
}
