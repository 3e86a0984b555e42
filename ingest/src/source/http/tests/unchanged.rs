//! Answers that are what they were: asked for by their marks, and standing where they are unchanged.

use super::running::{FIRST_LOOK, running};
use super::server::{Asked, Step, TestServer, answer};
use super::*;
use crate::clock::Clock;
use crate::landing::{Delivery, landed_path};

const TAG: &str = "ETag: \"v1\"\r\nLast-Modified: Mon, 02 Mar 2026 00:00:00 GMT\r\n";
const TEXT: &str = "code,name\nPICC,人保财险\n";

/// Sends the file once, and 304 to whoever has it.
fn once(asked: &Asked, _: usize) -> Vec<Step> {
    match asked.header("if-none-match") {
        Some("\"v1\"") => vec![Step::Send(b"HTTP/1.1 304 Not Modified\r\nConnection: close\r\n\r\n".to_vec())],
        _ => answer("200 OK", TAG, TEXT),
    }
}

async fn land(place: &Place, fetched: Fetched) {
    let delivery = Delivery {
        batch_id: "b1".to_owned(),
        feed_id: "picc-policy".to_owned(),
        object: fetched.object,
        landed_path: landed_path(&fetched.bytes.sha256),
        sha256: fetched.bytes.sha256.clone(),
        bytes: fetched.bytes.size,
        landed_at: chrono::DateTime::UNIX_EPOCH,
        slot_at: None,
    };
    place.landing.land(fetched.bytes, delivery).await.unwrap();
}

#[tokio::test]
async fn bytes_that_lie_landed_are_asked_for_by_their_marks_and_stand_when_unchanged() {
    let (place, server) = (place(), TestServer::start(once).await);
    let first = fetch(&place, &server, "/x", "").await.unwrap().remove(0);
    let sha256 = first.bytes.sha256.clone();
    land(&place, first).await;
    for _ in 0..2 {
        let again = fetch(&place, &server, "/x", "").await.unwrap().remove(0);
        assert_eq!((again.bytes.sha256.as_str(), text(&again).as_str()), (sha256.as_str(), TEXT));
    }
    let asked = server.asked();
    assert_eq!(asked[0].header("if-none-match"), None);
    assert_eq!(asked[2].header("if-none-match"), Some("\"v1\""));
    assert_eq!(asked[2].header("if-modified-since"), Some("Mon, 02 Mar 2026 00:00:00 GMT"));
    assert!(place.folder.path().join("data").join(landed_path(&sha256)).exists(), "what stands is not removed");
}

#[tokio::test]
async fn bytes_that_never_landed_or_another_address_are_asked_for_whole() {
    let (place, server) = (place(), TestServer::start(once).await);
    // Fetched and dropped, as at a crash before landing.
    fetch(&place, &server, "/x", "").await.unwrap();
    let first = fetch(&place, &server, "/x", "").await.unwrap().remove(0);
    land(&place, first).await;
    fetch(&place, &server, "/y", "").await.unwrap();
    assert!(server.asked().iter().all(|asked| asked.header("if-none-match").is_none()));
}

#[tokio::test]
async fn what_is_remembered_names_no_address_and_may_be_lost() {
    let (place, server) = (place(), TestServer::start(once).await);
    let first = fetch(&place, &server, "/x?key=s3cret", "").await.unwrap().remove(0);
    land(&place, first).await;
    let remembered = place.folder.path().join("data/live/http-picc-policy.json");
    assert!(!std::fs::read_to_string(&remembered).unwrap().contains("s3cret"));
    std::fs::write(&remembered, "torn").unwrap();
    fetch(&place, &server, "/x?key=s3cret", "").await.unwrap();
    assert_eq!(server.asked()[1].header("if-none-match"), None);
}

#[tokio::test]
async fn pages_that_are_unchanged_lead_on_to_those_that_are_not() {
    let server = TestServer::start(|asked, _| match (asked.target.as_str(), asked.header("if-none-match")) {
        ("/p?page=1", None) => answer("200 OK", TAG, "code,name\nA,1\n"),
        ("/p?page=1", Some(_)) => {
            vec![Step::Send(b"HTTP/1.1 304 Not Modified\r\nConnection: close\r\n\r\n".to_vec())]
        }
        ("/p?page=2", _) => answer("200 OK", "", "code,name\nB,2\n"),
        _ => answer("404 None", "", ""),
    })
    .await;
    let place = place();
    let paging = "paging = { kind = 'page' }";
    for fetched in fetch(&place, &server, "/p", paging).await.unwrap() {
        land(&place, fetched).await;
    }
    let again = fetch(&place, &server, "/p", paging).await.unwrap();
    assert_eq!(texts(&again), ["code,name\nA,1\n", "code,name\nB,2\n"]);
    assert_eq!(server.asked()[3].header("if-none-match"), Some("\"v1\""));
}

#[tokio::test]
async fn pages_named_by_a_header_are_asked_for_whole_because_a_new_last_page_changes_none_before_it() {
    let (place, server) = (place(), TestServer::start(once).await);
    for _ in 0..2 {
        let fetched = fetch(&place, &server, "/x", "paging = { kind = 'next_link' }").await.unwrap().remove(0);
        land(&place, fetched).await;
    }
    assert!(server.asked().iter().all(|asked| asked.header("if-none-match").is_none()));
}

#[tokio::test]
async fn a_slot_whose_answer_is_unchanged_is_fulfilled_by_the_batch_that_stands() {
    let server = TestServer::start(once).await;
    let running = running(&server.url("127.0.0.1", "/insurers"), "", Clock::at(FIRST_LOOK.parse().unwrap())).await;
    let mut batches = 0;
    for slot in ["2026-03-01T18:00:01Z", "2026-03-02T18:00:01Z"] {
        batches += running.run_at(slot).await.batches.len();
    }
    assert_eq!((batches, server.asked().len()), (1, 2));
    assert_eq!(server.asked()[1].header("if-none-match"), Some("\"v1\""));
    let slots = running.warehouse.live("slot").unwrap().rows().unwrap();
    assert_eq!(slots.len(), 2);
    assert!(slots.iter().all(|slot| slot["state"] == "fulfilled"), "{slots:?}");
    assert_eq!(slots[0]["fulfilled_by"], slots[1]["fulfilled_by"]);
    assert!(slots[0]["fulfilled_by"].is_string());
}
