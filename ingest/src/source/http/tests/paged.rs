//! Answers in pages.

use super::server::{TestServer, answer, ok};
use super::*;

fn json(body: &str) -> Vec<super::server::Step> {
    answer("200 OK", "Content-Type: application/json; charset=utf-8\r\n", body)
}

#[tokio::test]
async fn each_page_is_an_object_of_its_own_and_the_header_leads_to_the_next() {
    let server = TestServer::start(|asked, _| match asked.target.as_str() {
        "/p" => answer("200 OK", "Link: </p?after=1>; rel=\"next\", </p>; rel=\"first\"\r\n", "one"),
        "/p?after=1" => answer("200 OK", "Link: <?after=2>; rel=next\r\n", "two"),
        _ => ok("three"),
    })
    .await;
    let here = place();
    let fetched = fetch(&here, &server, "/p", "paging = { kind = 'next_link' }").await.unwrap();
    assert_eq!(texts(&fetched), ["one", "two", "three"]);
    let objects: Vec<&str> = fetched.iter().map(|fetched| fetched.object.as_str()).collect();
    let slot = "slot 2026-03-01T18:00:00+00:00";
    assert_eq!(objects, [1, 2, 3].map(|page| format!("{slot} page {page:05}")));
    assert_eq!(server.targets(), ["/p", "/p?after=1", "/p?after=2"]);
}

#[tokio::test]
async fn a_pointer_into_the_answer_leads_to_the_next_page_too() {
    let server = TestServer::start(|asked, _| match asked.target.as_str() {
        "/p" => json(r#"{"rows": [1], "links": {"next": "/p?page=b"}}"#),
        _ => json(r#"{"rows": [2], "links": {"next": null}}"#),
    })
    .await;
    let paging = "paging = { kind = 'next_link', pointer = '/links/next' }";
    assert_eq!(fetch(&place(), &server, "/p", paging).await.unwrap().len(), 2);
    assert_eq!(server.targets(), ["/p", "/p?page=b"]);
}

#[tokio::test]
async fn a_cursor_is_asked_with_what_the_page_before_gave() {
    let server = TestServer::start(|asked, _| match asked.target.as_str() {
        "/p?day=2026-03-02" => json(r#"{"rows": [1], "next_cursor": "a b&c"}"#),
        "/p?day=2026-03-02&cursor=a+b%26c" => json(r#"{"rows": [2], "next_cursor": 7}"#),
        _ => json(r#"{"rows": [], "next_cursor": ""}"#),
    })
    .await;
    let paging = "paging = { kind = 'cursor', pointer = '/next_cursor' }";
    assert_eq!(fetch(&place(), &server, "/p?day={slot_date}", paging).await.unwrap().len(), 3);
    let day = "/p?day=2026-03-02";
    assert_eq!(server.targets(), [day.to_owned(), format!("{day}&cursor=a+b%26c"), format!("{day}&cursor=7")]);
}

#[tokio::test]
async fn numbered_pages_end_with_the_first_that_has_no_rows() {
    let server = TestServer::start(|asked, _| match asked.target.as_str() {
        "/p?n=2&page=0" => json(r#"{"data": [1, 2]}"#),
        "/p?n=2&page=1" => json(r#"{"data": [3, 4]}"#),
        _ => json(r#"{"data": []}"#),
    })
    .await;
    let paging = "paging = { kind = 'page', first = 0, size_parameter = 'n', size = 2, rows = '/data' }";
    assert_eq!(fetch(&place(), &server, "/p", paging).await.unwrap().len(), 2);
    assert_eq!(server.targets().len(), 3);
}

#[tokio::test]
async fn numbered_pages_of_csv_end_with_the_first_that_has_titles_only() {
    let server = TestServer::start(|asked, _| match asked.target.as_str() {
        "/p?page=1" => ok("code,name\nA,1\n"),
        "/p?page=2" => ok("code,name\nB,2\n"),
        _ => ok("code,name\n"),
    })
    .await;
    let here = place();
    let fetched = fetch(&here, &server, "/p", "paging = { kind = 'page' }").await.unwrap();
    assert_eq!(texts(&fetched), ["code,name\nA,1\n", "code,name\nB,2\n"]);
    assert_eq!(server.targets(), ["/p?page=1", "/p?page=2", "/p?page=3"]);
}

#[tokio::test]
async fn numbered_pages_end_with_fewer_rows_than_a_full_page_where_the_feed_says_so() {
    let server =
        TestServer::start(|asked, _| if asked.target == "/p?page=1" { json("[1, 2]") } else { json("[3]") }).await;
    let paging = "paging = { kind = 'page', size = 2, ends = 'fewer' }";
    let here = place();
    assert_eq!(texts(&fetch(&here, &server, "/p", paging).await.unwrap()), ["[1, 2]", "[3]"]);
    assert_eq!(server.targets().len(), 2);
}

#[tokio::test]
async fn a_later_page_that_is_not_there_is_the_end_and_a_first_one_is_an_error() {
    for status in ["404 None", "204 No Content"] {
        let server = TestServer::start(
            move |_, before| if before < 2 { ok(&format!("{before}")) } else { answer(status, "", "") },
        )
        .await;
        let here = place();
        let fetched = fetch(&here, &server, "/p", "paging = { kind = 'page', ends = 'missing' }").await.unwrap();
        assert_eq!(texts(&fetched), ["0", "1"], "{status}");
    }
    let nothing = TestServer::start(|_, _| answer("404 None", "", "")).await;
    let here = place();
    let error = fetch(&here, &nothing, "/p", "paging = { kind = 'page' }").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Source);
}

#[tokio::test]
async fn a_first_page_without_rows_is_an_answer_all_the_same() {
    let server = TestServer::start(|_, _| json("[]")).await;
    let here = place();
    assert_eq!(texts(&fetch(&here, &server, "/p", "paging = { kind = 'page' }").await.unwrap()), ["[]"]);
    assert_eq!(server.targets().len(), 1);
}

#[tokio::test]
async fn pages_that_lead_back_repeat_or_never_end_are_errors_and_nothing_is_taken() {
    let back = TestServer::start(|_, _| answer("200 OK", "Link: </p>; rel=next\r\n", "x")).await;
    let here = place();
    let error = fetch(&here, &back, "/p", "paging = { kind = 'next_link' }").await.unwrap_err();
    assert!(error.kind() == ErrorKind::Source && error.to_string().contains("asked before"), "{error}");
    let deaf = TestServer::start(|_, _| json("[1]")).await;
    let here = place();
    let error = fetch(&here, &deaf, "/p", "paging = { kind = 'page', parameter = 'seite' }").await.unwrap_err();
    assert!(error.kind() == ErrorKind::Source && error.to_string().contains("`seite`"), "{error}");
    let endless = TestServer::start(|_, before| ok(&format!("{before}"))).await;
    let most = "max_pages = 3\npaging = { kind = 'page' }";
    let here = place();
    let error = fetch(&here, &endless, "/p", most).await.unwrap_err();
    assert!(error.kind() == ErrorKind::Source && error.to_string().contains("source.max_pages"), "{error}");
    assert_eq!(endless.targets().len(), 3);
}

#[tokio::test]
async fn a_next_page_on_another_host_is_not_asked() {
    let other = TestServer::start(|_, _| ok("x")).await;
    let link = format!("Link: <{}>; rel=next\r\n", other.url("localhost", "/p?key=s3cret"));
    let home = TestServer::start(move |_, _| answer("200 OK", &link, "x")).await;
    let here = place();
    let error = fetch(&here, &home, "/p", "paging = { kind = 'next_link' }").await.unwrap_err();
    assert!(error.to_string().contains("allowed_hosts") && !error.to_string().contains("s3cret"), "{error}");
    assert!(other.asked().is_empty());
}

#[tokio::test]
async fn a_later_page_that_fails_fails_the_whole_fetch() {
    let server = TestServer::start(|_, before| if before == 0 { ok("one") } else { answer("503 Busy", "", "") }).await;
    let here = place();
    let error = fetch(&here, &server, "/p", "paging = { kind = 'page' }").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Retry);
}
