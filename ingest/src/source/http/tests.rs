//! The source against a server that fails on command.

mod again;
mod behaviour;
mod paged;
mod running;
mod server;
mod unchanged;

use anze_warehouse::Warehouse;

use super::*;
use server::TestServer;

/// A landing place, and a deployment with a file `token` in it.
struct Place {
    folder: tempfile::TempDir,
    landing: Landing,
}

fn place() -> Place {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("token"), "s3cret\n").unwrap();
    let warehouse = Warehouse::open(&folder.path().join("data")).unwrap();
    let landing = Landing::of(&warehouse);
    Place { folder, landing }
}

fn environment(name: &str) -> Option<String> {
    (name == "TOKEN").then(|| "s3cret".to_owned())
}

/// Fetches `target` of a server for the slot of 2 March 2026, 02:00 in Shanghai.
async fn fetch(place: &Place, server: &TestServer, target: &str, more: &str) -> Result<Vec<Fetched>> {
    fetch_from(place, &server.url("127.0.0.1", target), more).await
}

async fn fetch_from(place: &Place, url: &str, more: &str) -> Result<Vec<Fetched>> {
    let config: HttpConfig = toml::from_str(&format!("url = '{url}'\n{more}")).unwrap();
    assert_eq!(config.fault(), None);
    let deployment = place.folder.path().to_owned();
    let around = Surroundings { deployment: deployment.clone(), environment, client: shared_client().unwrap() };
    let request = Request {
        deployment,
        slot_at: "2026-03-01T18:00:00Z".parse().unwrap(),
        slot_date: "2026-03-02".parse().unwrap(),
        cursor: None,
    };
    HttpSource::new("picc-policy", config, around).fetch(&request, &place.landing).await
}

fn text(fetched: &Fetched) -> String {
    use std::io::Read;
    let mut text = String::new();
    fetched.bytes.open().unwrap().read_to_string(&mut text).unwrap();
    text
}

fn texts(fetched: &[Fetched]) -> Vec<String> {
    fetched.iter().map(text).collect()
}
