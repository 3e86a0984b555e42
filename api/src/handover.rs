//! Handing work to the server on this machine that holds the writer's lease: one HTTP request over
//! loopback, with the secret that only the owner of the data can read.

use anyhow::{Context, bail};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::exit::Misuse;
use crate::work::Work;

/// Asks the server to do the work and waits for what came of it.
pub async fn hand_over(address: &str, secret: &str, work: &Work) -> anyhow::Result<Value> {
    ask(address, secret, "/api/v1/runs", &serde_json::to_value(work)?).await
}

/// Asks the server at a path of the interface and waits for what came of it.
pub async fn ask(address: &str, secret: &str, path: &str, body: &Value) -> anyhow::Result<Value> {
    let body = serde_json::to_string(body)?;
    let request = format!(
        "POST {path} HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {secret}\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    );
    let mut answer = Vec::new();
    let exchange = async {
        let mut stream = TcpStream::connect(reachable(address)).await?;
        stream.write_all(request.as_bytes()).await?;
        stream.read_to_end(&mut answer).await
    };
    exchange.await.with_context(|| format!("the server at {address} writes this warehouse and did not answer"))?;
    let (status, body) =
        read(&answer).with_context(|| format!("the server at {address} broke off its answer; its log says why"))?;
    let body: Value = serde_json::from_slice(body).context("the server's answer is no JSON")?;
    if status == 200 {
        return Ok(body);
    }
    let text = |name: &str| body.get(name).and_then(Value::as_str).unwrap_or_default();
    let refusal = format!("the running server refused: {} ({})", text("detail"), text("code"));
    match status {
        400 | 404 => Err(Misuse::new(refusal).into()),
        _ => bail!(refusal),
    }
}

/// A server that listens on all addresses is reached on loopback.
fn reachable(address: &str) -> String {
    let unspecified = [("0.0.0.0:", "127.0.0.1:"), ("[::]:", "[::1]:")];
    let local = unspecified.iter().find_map(|(any, own)| address.strip_prefix(any).map(|port| format!("{own}{port}")));
    local.unwrap_or_else(|| address.to_owned())
}

/// Status and body of an answer that says its length and is whole.
fn read(answer: &[u8]) -> Option<(u16, &[u8])> {
    let end = answer.windows(4).position(|window| window == b"\r\n\r\n")?;
    let head = std::str::from_utf8(&answer[..end]).ok()?;
    let status = head.split(' ').nth(1)?.parse().ok()?;
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().ok())?
    })?;
    answer.get(end + 4..end + 4 + length).map(|body| (status, body))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_torn_answer_is_no_answer() {
        let whole = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}";
        assert_eq!(read(whole), Some((200, &b"{}"[..])));
        assert_eq!(read(&whole[..whole.len() - 1]), None);
        assert_eq!(read(b""), None);
    }

    #[test]
    fn a_server_on_all_addresses_is_reached_on_loopback() {
        assert_eq!(reachable("0.0.0.0:8080"), "127.0.0.1:8080");
        assert_eq!(reachable("[::]:8080"), "[::1]:8080");
        assert_eq!(reachable("127.0.0.1:8080"), "127.0.0.1:8080");
    }
}
