//! An S3 store: the moto server.

use super::{batches, feed, only_failure, run, units};
use crate::deployment::Deployment;
use crate::s3_server::S3Server;

const HEADER: &str = "unit_id,id_kind,name,region_code,sector\n";
const KEYS: [(&str, &str); 2] = [("UNITS_ACCESS_KEY", "reader"), ("UNITS_SECRET_KEY", "hush-hush")];

/// A store with the bucket `feeds`.
struct Store(S3Server);

/// A store that asks for keys after so many calls; `None`: never.
fn store(free_calls: Option<u32>) -> Store {
    let server = S3Server::start(free_calls);
    server.make_bucket("feeds");
    Store(server)
}

impl Store {
    fn deliver(&self, path: &str, unit: &str, name: &str) {
        self.0.put(&format!("/feeds/{path}"), &format!("{HEADER}{unit},permit,{name},330102,mine\n"));
    }

    /// How often an object was fetched.
    fn fetches(&self, path: &str) -> usize {
        self.0.log().matches(&format!("\"GET /feeds/{path} ")).count()
    }

    fn deployment(&self, bucket: &str) -> Deployment {
        let deployment = Deployment::new();
        let source = format!(
            "kind = \"s3\"\nbucket = \"{bucket}\"\nprefix = \"hz\"\npattern = \"units-*.csv\"\nendpoint = \"http://{}\"\n\
             allow_http = true\naccess_key_env = \"UNITS_ACCESS_KEY\"\nsecret_key_env = \"UNITS_SECRET_KEY\"\n\n\
             [format]\nkind = \"csv\"\n",
            self.0.host()
        );
        deployment.write("feeds/units.toml", feed(&source));
        deployment
    }
}

#[test]
fn objects_below_the_prefix_are_taken_once_and_again_when_they_change() {
    let store = store(None);
    store.deliver("hz/2026/units-b.csv", "U2", "二矿");
    store.deliver("hz/units-a.csv", "U1", "一矿");
    store.deliver("hz/other.csv", "U8", "八矿");
    store.deliver("nb/units-a.csv", "U9", "九矿");
    let deployment = store.deployment("feeds");
    let first = run(&deployment, &KEYS);
    assert_eq!(first.code, Some(0), "{first:?}");
    assert_eq!(units(&deployment), "U1 一矿, U2 二矿");
    let objects = deployment.csv("select object from system.batch where feed_id = 'units' order by object");
    assert_eq!(objects, "object\nhz/2026/units-b.csv\nhz/units-a.csv\n");

    store.deliver("hz/units-c.csv", "U3", "三矿");
    let second = run(&deployment, &KEYS);
    assert_eq!(second.code, Some(0), "{second:?}");
    assert_eq!(units(&deployment), "U1 一矿, U2 二矿, U3 三矿");
    assert_eq!((store.fetches("hz/units-a.csv"), store.fetches("hz/units-c.csv")), (1, 1));

    store.deliver("hz/units-a.csv", "U1", "一号矿");
    let third = run(&deployment, &KEYS);
    assert_eq!(third.code, Some(0), "{third:?}");
    assert_eq!(units(&deployment), "U1 一号矿, U2 二矿, U3 三矿");
    assert_eq!((store.fetches("hz/units-a.csv"), store.fetches("hz/units-c.csv")), (2, 1));
    assert_eq!(batches(&deployment), [[1, 1, 0, 0]; 4]);
}

#[test]
fn a_missing_bucket_is_told_and_not_tried_again() {
    let store = store(None);
    let deployment = store.deployment("nowhere");
    let answer = run(&deployment, &KEYS);
    assert_eq!(answer.code, Some(1), "{answer:?}");
    let error = only_failure(&deployment);
    assert!(error.contains("nowhere"), "{error}");
}

#[test]
fn keys_that_the_store_does_not_know_are_told_without_showing_them() {
    // One call makes the bucket; from then on the store asks who calls.
    let store = store(Some(1));
    let deployment = store.deployment("feeds");
    let answer = run(&deployment, &KEYS);
    assert_eq!(answer.code, Some(1), "{answer:?}");
    let error = only_failure(&deployment);
    assert!(error.contains("keys") && error.contains("feeds"), "{error}");
    let told = format!("{error}{}{}", answer.text(), answer.stderr);
    assert!(!told.contains(KEYS[1].1), "the secret is told: {told}");
}
