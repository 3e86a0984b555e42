//! One answer: whole, broken, slow, too large, refused, redirected.

use std::time::Duration;

use super::server::{Step, TestServer, answer, ok};
use super::*;

const HELLO_SHA256: &str = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";

async fn fails(script: impl Fn() -> Vec<Step> + Send + Sync + 'static, more: &str) -> Error {
    let server = TestServer::start(move |_, _| script()).await;
    fetch(&place(), &server, "/x?key=s3cret", more).await.unwrap_err()
}

#[tokio::test]
async fn a_whole_answer_is_one_object_of_the_slot() {
    let server = TestServer::start(|_, _| ok("hello")).await;
    let here = place();
    let fetched = fetch(&here, &server, "/x?day={slot_date}", "headers = { Accept = 'text/csv' }").await.unwrap();
    assert_eq!(texts(&fetched), ["hello"]);
    assert_eq!(fetched[0].object, "slot 2026-03-01T18:00:00+00:00");
    assert_eq!(fetched[0].bytes.sha256, HELLO_SHA256);
    let asked = &server.asked()[0];
    assert_eq!((asked.target.as_str(), asked.header("accept")), ("/x?day=2026-03-02", Some("text/csv")));
    assert_eq!(asked.header("accept-encoding"), Some("identity"));
}

#[tokio::test]
async fn an_answer_cut_short_or_half_closed_may_come_whole_another_time_and_its_address_is_not_told() {
    let raw = |text: &str| vec![Step::Send(text.as_bytes().to_vec())];
    for broken in [
        "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
        "HTTP/1.1 200 OK\r\nContent-Le",
        "",
    ] {
        let error = fails(move || raw(broken), "").await;
        assert_eq!(error.kind(), ErrorKind::Retry, "{broken}: {error}");
        let told = format!("{error} {error:?}");
        assert!(!told.contains("s3cret") && !told.contains("127.0.0.1"), "{told}");
    }
}

#[tokio::test]
async fn nothing_of_an_answer_cut_short_stays_on_disk() {
    let place = place();
    let server =
        TestServer::start(|_, _| vec![Step::Send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello".to_vec())])
            .await;
    fetch(&place, &server, "/x", "").await.unwrap_err();
    assert_eq!(std::fs::read_dir(place.folder.path().join("data/incoming")).unwrap().count(), 0);
}

#[tokio::test]
async fn a_source_that_falls_silent_is_given_up_after_the_idle_limit() {
    let half = || vec![Step::Send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello".to_vec()), Step::FallSilent];
    let error = fails(half, "idle_timeout = '50ms'").await;
    assert_eq!(error.kind(), ErrorKind::Retry);
    assert!(error.to_string().contains("source.idle_timeout"), "{error}");
}

#[tokio::test]
async fn a_source_that_never_answers_and_one_that_trickles_are_given_up_after_the_whole_limit() {
    let trickle = || vec![Step::Send(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n".to_vec()), Step::Trickle];
    for error in
        [fails(|| vec![Step::FallSilent], "timeout = '100ms'").await, fails(trickle, "timeout = '100ms'").await]
    {
        assert_eq!(error.kind(), ErrorKind::Retry);
        assert!(error.to_string().contains("source.timeout"), "{error}");
    }
}

#[tokio::test]
async fn a_source_that_cannot_be_reached_may_be_another_time() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let here = place();
    let error = fetch_from(&here, &format!("http://{address}/?key=s3cret"), "").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Retry);
    assert!(!format!("{error} {error:?}").contains("s3cret"), "{error:?}");
}

#[tokio::test]
async fn more_bytes_than_allowed_are_refused_whether_they_are_announced_or_not() {
    let unannounced = || vec![Step::Send(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhello".to_vec())];
    for error in [fails(|| ok("hello"), "max_bytes = 4").await, fails(unannounced, "max_bytes = 4").await] {
        assert_eq!(error.kind(), ErrorKind::Source);
        assert!(error.to_string().contains("max_bytes"), "{error}");
    }
    let server = TestServer::start(|_, _| ok("hello")).await;
    assert!(fetch(&place(), &server, "/", "max_bytes = 5").await.is_ok());
}

#[tokio::test]
async fn bytes_that_match_their_checksum_are_taken_and_others_are_fetched_again() {
    let checksum = "checksum = { header = 'X-Content-SHA256' }";
    let right =
        TestServer::start(|_, _| answer("200 OK", &format!("X-Content-SHA256: {HELLO_SHA256}\r\n"), "hello")).await;
    let here = place();
    assert_eq!(texts(&fetch(&here, &right, "/", checksum).await.unwrap()), ["hello"]);
    let standard = "Content-Digest: sha-256=:LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ=:\r\n";
    let digest = TestServer::start(move |_, _| answer("200 OK", standard, "hello")).await;
    assert!(fetch(&place(), &digest, "/", "checksum = { header = 'Content-Digest' }").await.is_ok());
    let wrong = fails(|| answer("200 OK", &format!("X-Content-SHA256: {HELLO_SHA256}\r\n"), "hullo"), checksum).await;
    assert_eq!(wrong.kind(), ErrorKind::Retry, "{wrong}");
    let missing = fails(|| ok("hello"), checksum).await;
    assert_eq!(missing.kind(), ErrorKind::Source);
    assert!(missing.to_string().contains("X-Content-SHA256"), "{missing}");
}

#[tokio::test]
async fn the_servers_own_trouble_may_pass_and_ours_does_not() {
    for status in ["500 Oops", "502 Bad Gateway", "503 Busy", "408 Timeout", "429 Too Many"] {
        let error = fails(move || answer(status, "", "secret page"), "").await;
        assert_eq!((error.kind(), error.retry_after()), (ErrorKind::Retry, None), "{error}");
        assert!(error.to_string().contains(&status[..3]) && !error.to_string().contains("secret"), "{error}");
    }
    for (status, told) in
        [("404 None", "404"), ("401 Who", "secret (401)"), ("403 No", "secret (403)"), ("400 What", "400")]
    {
        let error = fails(move || answer(status, "Retry-After: 5\r\n", ""), "").await;
        assert_eq!((error.kind(), error.retry_after()), (ErrorKind::Source, None), "{error}");
        assert!(error.to_string().contains(told), "{error}");
    }
}

#[tokio::test]
async fn the_wait_that_a_busy_source_asks_for_is_told() {
    let seconds = fails(|| answer("429 Too Many", "Retry-After: 7\r\n", ""), "").await;
    assert_eq!(seconds.retry_after(), Some(Duration::from_secs(7)));
    let moment = "Date: Mon, 02 Mar 2026 02:00:00 GMT\r\nRetry-After: Mon, 02 Mar 2026 02:01:30 GMT\r\n";
    let moment = fails(move || answer("503 Busy", moment, ""), "").await;
    assert_eq!(moment.retry_after(), Some(Duration::from_secs(90)));
}

#[tokio::test]
async fn no_content_is_nothing() {
    let server = TestServer::start(|_, _| answer("204 No Content", "", "")).await;
    assert!(fetch(&place(), &server, "/", "").await.unwrap().is_empty());
}

#[tokio::test]
async fn a_redirect_on_the_same_host_is_followed_with_the_secret() {
    let server = TestServer::start(|asked, _| match asked.target.as_str() {
        "/a" => answer("302 Found", "Location: b?x=1\r\n", ""),
        _ => ok("hello"),
    })
    .await;
    let here = place();
    let fetched = fetch(&here, &server, "/a", "auth = { bearer_env = 'TOKEN' }").await.unwrap();
    assert_eq!(texts(&fetched), ["hello"]);
    assert_eq!(server.targets(), ["/a", "/b?x=1"]);
    assert!(server.asked().iter().all(|asked| asked.header("authorization") == Some("Bearer s3cret")));
}

#[tokio::test]
async fn a_redirect_to_another_host_is_refused_unless_allowed_and_then_goes_without_the_secret() {
    let other = TestServer::start(|_, _| ok("hello")).await;
    let place_there = other.url("localhost", "/y?ticket=t1cket");
    let home = TestServer::start(move |_, _| answer("307 There", &format!("Location: {place_there}\r\n"), "")).await;
    let auth = "auth = { header = { name = 'X-Api-Key', value_file = 'token' } }";
    let here = place();
    let refused = fetch(&here, &home, "/x", auth).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Source);
    assert!(refused.to_string().contains("`localhost`") && !refused.to_string().contains("t1cket"), "{refused}");
    assert!(other.asked().is_empty());
    let here = place();
    let allowed = fetch(&here, &home, "/x", &format!("{auth}\nallowed_hosts = ['localhost']")).await.unwrap();
    assert_eq!(texts(&allowed), ["hello"]);
    assert_eq!(home.asked()[1].header("x-api-key"), Some("s3cret"));
    assert_eq!(other.asked()[0].header("x-api-key"), None);
}

#[tokio::test]
async fn redirects_in_a_circle_or_without_an_end_are_told_as_such() {
    let circle = TestServer::start(|asked, _| {
        let next = if asked.target == "/a" { "Location: /b\r\n" } else { "Location: /a\r\n" };
        answer("301 Moved", next, "")
    })
    .await;
    let here = place();
    let error = fetch(&here, &circle, "/a", "").await.unwrap_err();
    assert_eq!((error.kind(), circle.asked().len()), (ErrorKind::Source, 2));
    assert!(error.to_string().contains("circle"), "{error}");
    let endless = TestServer::start(|_, before| answer("302 Found", &format!("Location: /{before}\r\n"), "")).await;
    let here = place();
    let error = fetch(&here, &endless, "/start", "").await.unwrap_err();
    assert_eq!((error.kind(), endless.asked().len()), (ErrorKind::Source, 11));
    assert!(error.to_string().contains("more than 10 times"), "{error}");
    let nowhere = fails(|| answer("302 Found", "", ""), "").await;
    assert!(nowhere.to_string().contains("Location"), "{nowhere}");
}

#[tokio::test]
async fn we_say_who_we_are_in_the_way_that_the_feed_names() {
    // base64 of `me:s3cret`
    for (auth, name, value) in [
        ("bearer_file = 'token'", "authorization", "Bearer s3cret"),
        ("bearer_env = 'TOKEN'", "authorization", "Bearer s3cret"),
        ("basic = { user = 'me', password_env = 'TOKEN' }", "authorization", "Basic bWU6czNjcmV0"),
        ("header = { name = 'X-Api-Key', value_env = 'TOKEN' }", "x-api-key", "s3cret"),
    ] {
        let server = TestServer::start(|_, _| ok("hello")).await;
        fetch(&place(), &server, "/", &format!("auth = {{ {auth} }}")).await.unwrap();
        assert_eq!(server.asked()[0].header(name), Some(value), "{auth}");
    }
}

#[tokio::test]
async fn a_missing_secret_or_certificate_is_refused_by_name_before_anything_is_sent() {
    let server = TestServer::start(|_, _| ok("hello")).await;
    for (more, named) in [
        ("auth = { bearer_env = 'NO_SUCH' }", "NO_SUCH"),
        ("auth = { bearer_file = 'secrets/none' }", "secrets/none"),
        ("auth = { client_certificate = { pem_file = 'none.pem' } }", "none.pem"),
        ("auth = { client_certificate = { pem_file = 'token' } }", "token"),
        ("ca_file = 'token'", "token"),
    ] {
        let here = place();
        let error = fetch(&here, &server, "/", more).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Refused, "{more}");
        let told = format!("{error} {error:?}");
        assert!(told.contains(named) && !told.contains("s3cret"), "{told}");
    }
    assert!(server.asked().is_empty());
}
