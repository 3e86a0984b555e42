//! An HTTPS server that knows its clients by certificates of a private authority: Python's own.

use std::fs;
use std::process::Command;

use super::certificates::certificates;
use super::{batches, feed, run, tries, units};
use crate::daemon::{Daemon, installed};
use crate::deployment::Deployment;

/// Serves the files of its folder to whoever the authority knows, and tells its port.
const SERVER: &str = "
import http.server, ssl
context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile='ca.pem')
context.verify_mode = ssl.CERT_REQUIRED
context.load_cert_chain('server.pem')
server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), http.server.SimpleHTTPRequestHandler)
server.socket = context.wrap_socket(server.socket, server_side=True)
print('port', server.server_port, flush=True)
server.serve_forever()
";

/// A server with the file `units.csv`, and its port.
fn server() -> (Daemon, u16) {
    let folder = tempfile::tempdir().unwrap();
    certificates(folder.path());
    let file = "unit_id,id_kind,name,region_code,sector\nU1,permit,一矿,330102,mine\n";
    fs::write(folder.path().join("units.csv"), file).unwrap();
    let mut serve = Command::new(installed("python3"));
    serve.current_dir(folder.path()).args(["-c", SERVER]);
    let mut daemon = Daemon::start(folder, &mut serve);
    let port = daemon.until("listening", |daemon| {
        let log = daemon.log();
        log.lines().find_map(|line| line.strip_prefix("port ")?.parse().ok())
    });
    (daemon, port)
}

fn deployment(server: &Daemon, port: u16, keys: &str) -> Deployment {
    let deployment = Deployment::new();
    for name in ["ca.pem", "client.pem"] {
        deployment.write(&format!("secrets/{name}"), fs::read(server.path().join(name)).unwrap());
    }
    let source =
        format!("kind = \"http\"\nurl = \"https://127.0.0.1:{port}/units.csv\"\n{keys}\n[format]\nkind = \"csv\"\n");
    deployment.write("feeds/units.toml", feed(&source));
    deployment
}

const AUTHORITY: &str = "ca_file = \"secrets/ca.pem\"\n";
const CERTIFICATE: &str = "auth = { client_certificate = { pem_file = \"secrets/client.pem\" } }\n";

#[test]
fn a_source_with_certificates_is_read_once_and_asked_only_whether_it_has_changed() {
    let (server, port) = server();
    let deployment = deployment(&server, port, &format!("{AUTHORITY}{CERTIFICATE}"));
    for _ in 0..2 {
        let ran = run(&deployment, &[]);
        assert_eq!(ran.code, Some(0), "{ran:?}\n{}", server.log());
    }
    assert_eq!(units(&deployment), "U1 一矿");
    assert_eq!(batches(&deployment), [[1, 1, 0, 0]]);
    let answers: Vec<String> = server
        .log()
        .lines()
        .filter_map(|line| Some(line.split_once("\"GET /units.csv ")?.1.split(' ').nth(1)?.to_owned()))
        .collect();
    assert_eq!(answers, ["200", "304"]);
}

#[test]
fn neither_a_server_that_we_do_not_know_nor_one_that_does_not_know_us_is_read() {
    let (server, port) = server();
    for keys in [CERTIFICATE, AUTHORITY] {
        let deployment = deployment(&server, port, keys);
        let ran = run(&deployment, &[]);
        assert_eq!(ran.code, Some(1), "{ran:?}");
        let tries = tries(&deployment);
        assert!(!tries.is_empty() && tries.iter().all(|(_, outcome, _)| outcome == "failed"), "{tries:?}");
        // A server that does not know us may close before it says why.
        let is_told = tries.iter().all(|(_, _, error)| error.contains("certificate"));
        assert!(is_told || keys == AUTHORITY, "{tries:?}");
    }
    assert!(!server.log().contains("GET /units.csv"), "{}", server.log());
}
