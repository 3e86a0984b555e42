//! What a feed asks the next time: after a failure, and from its cursor on.

use std::time::Instant;

use super::running::{FIRST_LOOK, running};
use super::server::{TestServer, answer, ok};
use super::*;
use crate::clock::Clock;

#[tokio::test]
async fn a_busy_source_is_left_alone_as_long_as_it_asks_but_no_longer_than_the_feed_allows() {
    let server = TestServer::start(|_, before| match before {
        0 => answer("429 Too Many", "Retry-After: 3600\r\n", ""),
        _ => ok("code,name\nPICC,人保财险\n"),
    })
    .await;
    let running = running(&server.url("127.0.0.1", "/"), "", Clock::Wall).await;
    let began = Instant::now();
    let report = running.run().await;
    // Without the wish of the source the wait would be 1 ms, without the limit of the feed an hour.
    assert!(began.elapsed() >= Duration::from_millis(300));
    assert_eq!((report.failures.len(), report.batches.len(), server.asked().len()), (0, 1, 2));
}

#[tokio::test]
async fn a_source_that_does_not_accept_our_secret_is_not_asked_again() {
    let server = TestServer::start(|_, _| answer("401 Who", "", "")).await;
    let running = running(&server.url("127.0.0.1", "/"), "", Clock::Wall).await;
    let report = running.run().await;
    assert_eq!((report.failures.len(), server.asked().len()), (1, 1));
}

#[tokio::test]
async fn the_next_slot_asks_from_the_greatest_value_taken_less_the_lag() {
    let server = TestServer::start(|_, before| match before {
        // The later value stands first; 08:00 in Shanghai is midnight in UTC.
        0 => ok("code,name,source_updated_at\nPICC,人保财险,2026-02-27 08:00:00\nCPIC,太保产险,2026-02-26 08:00:00\n"),
        _ => ok("code,name,source_updated_at\n"),
    })
    .await;
    let cursor = "cursor = { column = \"source_updated_at\", lag = \"1d\" }";
    let url = server.url("127.0.0.1", "/?since={cursor}");
    let running = running(&url, cursor, Clock::at(FIRST_LOOK.parse().unwrap())).await;
    for slot in ["2026-03-01T18:00:01Z", "2026-03-02T18:00:01Z"] {
        assert!(running.run_at(slot).await.failures.is_empty());
    }
    assert_eq!(server.targets(), ["/?since=", "/?since=2026-02-26T00%3A00%3A00.000000Z"]);
}
