//! The SFTP server of OpenSSH.

use std::fs::{self, File};
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, SystemTime};

use super::daemon::{Daemon, free_port, installed, succeed};
use super::{batches, feed, line, only_failure, run, tries, units};
use crate::deployment::Deployment;

const HEADER: &str = "unit_id,id_kind,name,region_code,sector\n";
const SECRET: [(&str, &str); 1] = [("UNITS_PASSPHRASE", "open sesame")];
/// The fingerprint of somebody else's key.
const ANOTHER: &str = "SHA256:uNiVztksCsDhcc0u9e8BrNXURh2gFpQLy3vnSdmEVE4";

/// A server with a folder of files, and a key that it lets in.
struct Server {
    daemon: Daemon,
    port: u16,
    fingerprint: String,
    user: String,
}

fn sshd() -> Server {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_owned();
    fs::create_dir(path.join("files")).unwrap();
    let keygen = |file: &str, passphrase: &str| {
        let mut command = Command::new(installed("ssh-keygen"));
        succeed(command.current_dir(&path).args(["-q", "-t", "ed25519", "-N", passphrase, "-f", file]));
    };
    keygen("host", "");
    keygen("client", SECRET[0].1);
    let shown = succeed(Command::new(installed("ssh-keygen")).current_dir(&path).args(["-lf", "host.pub"])).stdout;
    let fingerprint = String::from_utf8(shown).unwrap().split(' ').nth(1).unwrap().to_owned();
    let user = String::from_utf8(succeed(Command::new("id").arg("-un")).stdout).unwrap().trim().to_owned();
    if user == "root" {
        // sshd asks for it before it gives up its rights.
        fs::create_dir_all("/run/sshd").unwrap();
    }
    let port = free_port();
    let place = |name: &str| path.join(name).display().to_string();
    fs::write(
        path.join("config"),
        format!(
            "Port {port}\nListenAddress 127.0.0.1\nHostKey {}\nAuthorizedKeysFile {}\nPasswordAuthentication no\n\
             KbdInteractiveAuthentication no\nUsePAM no\nStrictModes no\nPidFile none\nSubsystem sftp internal-sftp\n",
            place("host"),
            place("client.pub")
        ),
    )
    .unwrap();
    let mut serve = Command::new(installed("sshd"));
    let mut daemon = Daemon::start(folder, serve.args(["-D", "-e", "-f", &place("config")]));
    daemon.until("listening", |_| TcpStream::connect(("127.0.0.1", port)).ok());
    Server { daemon, port, fingerprint, user }
}

impl Server {
    fn files(&self) -> std::path::PathBuf {
        self.daemon.path().join("files")
    }

    fn write(&self, name: &str, rows: &str) {
        fs::write(self.files().join(name), format!("{HEADER}{rows}")).unwrap();
    }

    fn deployment(&self, port: u16, fingerprint: &str, more: &str) -> Deployment {
        let deployment = Deployment::new();
        deployment.write("secrets/id", fs::read(self.daemon.path().join("client")).unwrap());
        let source = format!(
            "kind = \"sftp\"\nhost = \"127.0.0.1\"\nport = {port}\nuser = \"{}\"\npath = \"{}\"\nhost_key = \"{fingerprint}\"\n\
             key_file = \"secrets/id\"\npassphrase_env = \"UNITS_PASSPHRASE\"\n{more}\n[format]\nkind = \"csv\"\n",
            self.user,
            self.files().display()
        );
        deployment.write("feeds/units.toml", feed(&source));
        deployment
    }
}

fn row(unit: &str, name: &str) -> String {
    format!("{unit},permit,{name},330102,mine\n")
}

fn set_changed(file: &Path, changed: SystemTime) {
    File::options().write(true).open(file).unwrap().set_modified(changed).unwrap();
}

#[test]
fn files_are_taken_by_name_and_not_fetched_again_until_they_change() {
    let server = sshd();
    server.write("b.csv", &row("U2", "二矿"));
    server.write("a.csv", &row("U1", "一矿"));
    server.write("a.csv.part", &row("U9", "半矿"));
    let deployment = server.deployment(server.port, &server.fingerprint, "");
    let first = run(&deployment, &SECRET);
    assert_eq!(first.code, Some(0), "{first:?}");
    assert_eq!(units(&deployment), "U1 一矿, U2 二矿");
    let objects = deployment.csv("select object from system.batch where feed_id = 'units' order by object");
    let path = |name: &str| server.files().join(name).display().to_string();
    assert_eq!(objects, format!("object\n{}\n{}\n", path("a.csv"), path("b.csv")));

    // Other bytes behind the same size and time cannot be seen without fetching: they must not be.
    let file = server.files().join("a.csv");
    let changed = fs::metadata(&file).unwrap().modified().unwrap();
    server.write("a.csv", &row("U1", "丁矿"));
    set_changed(&file, changed);
    server.write("c.csv", &row("U3", "三矿"));
    let second = run(&deployment, &SECRET);
    assert_eq!(second.code, Some(0), "{second:?}");
    assert_eq!(units(&deployment), "U1 一矿, U2 二矿, U3 三矿");

    set_changed(&file, changed + Duration::from_secs(5));
    let third = run(&deployment, &SECRET);
    assert_eq!(third.code, Some(0), "{third:?}");
    assert_eq!(units(&deployment), "U1 丁矿, U2 二矿, U3 三矿");
    assert_eq!(batches(&deployment).len(), 4);

    // What is remembered may be lost: everything is fetched again, and nothing is taken twice.
    fs::remove_dir_all(deployment.path().join("data/live/seen")).unwrap();
    let fourth = run(&deployment, &SECRET);
    assert_eq!(fourth.code, Some(0), "{fourth:?}");
    assert_eq!(batches(&deployment).len(), 4);
}

#[test]
fn a_server_with_another_key_is_refused_once_and_both_fingerprints_are_told() {
    let server = sshd();
    server.write("a.csv", &row("U1", "一矿"));
    let deployment = server.deployment(server.port, ANOTHER, "");
    let answer = run(&deployment, &SECRET);
    assert_eq!(answer.code, Some(1), "{answer:?}");
    let error = only_failure(&deployment);
    assert!(error.contains(ANOTHER) && error.contains(&server.fingerprint), "{error}");
    assert_eq!(batches(&deployment).len(), 0);
}

#[test]
fn a_file_that_is_not_yet_stable_waits() {
    let server = sshd();
    server.write("a.csv", &row("U1", "一矿"));
    server.write("b.csv", &row("U2", "二矿"));
    set_changed(&server.files().join("a.csv"), SystemTime::now() - Duration::from_secs(7200));
    let deployment = server.deployment(server.port, &server.fingerprint, "stable_for = \"1h\"");
    let answer = run(&deployment, &SECRET);
    assert_eq!(answer.code, Some(0), "{answer:?}");
    assert_eq!(units(&deployment), "U1 一矿");
}

#[test]
fn a_missing_folder_is_told_and_not_tried_again() {
    let server = sshd();
    let deployment = server.deployment(server.port, &server.fingerprint, "");
    fs::remove_dir(server.files()).unwrap();
    let answer = run(&deployment, &SECRET);
    assert_eq!(answer.code, Some(1), "{answer:?}");
    let error = only_failure(&deployment);
    assert!(error.contains("files"), "{error}");
}

#[test]
fn a_line_that_breaks_in_the_middle_of_a_file_is_tried_again() {
    let server = sshd();
    let rows: String = (0..20_000).map(|number| row(&format!("U{number}"), "某矿")).collect();
    server.write("a.csv", &rows);
    let port = line::that_breaks_once(server.port, 200_000);
    let deployment = server.deployment(port, &server.fingerprint, "");
    let answer = run(&deployment, &SECRET);
    assert_eq!(answer.code, Some(0), "{answer:?}");
    let outcomes: Vec<String> = tries(&deployment).into_iter().map(|(_, outcome, _)| outcome).collect();
    assert_eq!(outcomes, ["failed", "done"]);
    assert_eq!(batches(&deployment), [[20_000, 20_000, 0, 0]]);
}
