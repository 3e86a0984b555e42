//! Deliveries pushed to the running `anze`: once, again, in conflict, too large, by the wrong sender.

use crate::deployment::Deployment;
use crate::served::{Reply, Server, until};

const FEED: &str = "dataset = \"insurer\"\nreporter = \"NFRA\"\n\n[source]\nkind = \"push\"\nmax_bytes = 1000\n\n\
                    [format]\nkind = \"csv\"\n";
const TEXT: &str = "code,name\nPICC,人保财险\nCPIC,太保产险\n";

/// A reporter's token for one feed.
fn token(deployment: &Deployment, feed: &str) -> String {
    let made = deployment.run(&["token", "create", "--role", "reporter", "--feed", feed, "--format", "json"]);
    assert_eq!(made.code, Some(0), "{made:?}");
    made.json()["token"].as_str().unwrap().to_owned()
}

/// Pushes to the feed `insurers`, as soon as the server takes deliveries.
fn push(server: &Server, token: &str, key: &str, body: &str) -> Reply {
    let (path, bearer) =
        (format!("/api/v1/feeds/insurers/batches/{key}"), format!("Authorization: Bearer {token}\r\n"));
    until("deliveries are taken", || {
        let reply = server.send("PUT", &path, &bearer, body);
        (reply.status != 503).then_some(reply)
    })
}

#[test]
fn a_push_counts_once_however_often_it_is_sent_even_after_a_restart() {
    let deployment = Deployment::new();
    deployment.write("feeds/insurers.toml", FEED);
    let token = token(&deployment, "insurers");
    let server = Server::start(&deployment);
    let first = push(&server, &token, "2026-03.csv", TEXT);
    assert_eq!((first.status, first.json()["rows_accepted"].as_u64()), (201, Some(2)), "{}", first.body);
    let again = push(&server, &token, "2026-03.csv", TEXT);
    assert_eq!((again.status, &again.json()["batch_id"]), (200, &first.json()["batch_id"]), "{}", again.body);
    let other = push(&server, &token, "2026-03.csv", "code,name\nPICC,人保\n");
    assert_eq!((other.status, other.json()["code"].as_str()), (409, Some("key_used")), "{}", other.body);
    assert_eq!(server.stop().code(), Some(0));
    let server = Server::start(&deployment);
    assert_eq!(push(&server, &token, "2026-03.csv", TEXT).status, 200);
    assert_eq!(server.stop().code(), Some(0));
    let batches = "select object, rows_read, rows_accepted, state from system.batch where feed_id = 'insurers'";
    assert_eq!(deployment.csv(batches), "object,rows_read,rows_accepted,state\npush 2026-03.csv,2,2,published\n");
}

#[test]
fn a_push_that_is_too_large_or_from_the_wrong_sender_leaves_nothing_behind() {
    let deployment = Deployment::new();
    deployment.write("feeds/insurers.toml", FEED);
    let (right, wrong) = (token(&deployment, "insurers"), token(&deployment, "policies"));
    let server = Server::start(&deployment);
    let large = push(&server, &right, "a", &"x".repeat(1001));
    assert_eq!((large.status, large.json()["code"].as_str()), (413, Some("too_large")), "{}", large.body);
    assert_eq!(push(&server, &wrong, "a", TEXT).status, 404, "a feed of others is not there");
    let unknown = format!("{}x", &right[..right.len() - 1]);
    let unknown = if unknown == right { format!("{}y", &right[..right.len() - 1]) } else { unknown };
    assert_eq!(push(&server, &unknown, "a", TEXT).status, 401);
    assert_eq!(push(&server, &right, "a", TEXT).status, 201);
    assert_eq!(server.stop().code(), Some(0));
    assert_eq!(deployment.sql("select batch_id from system.batch where feed_id = 'insurers'").len(), 1);
}
