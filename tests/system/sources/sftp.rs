//! The SFTP server of OpenSSH.

use std::fs::{self, File};
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, SystemTime};

use super::{batches, feed, line, only_failure, run, tries, units};
use crate::daemon::{Daemon, free_port, installed, succeed};
use crate::deployment::Deployment;

const HEADER: &str = "unit_id,id_kind,name,region_code,sector\n";
const SECRET: [(&str, &str); 1] = [("UNITS_PASSPHRASE", "open sesame")];
const PASSWORD: [(&str, &str); 1] = [("UNITS_PASSWORD", "hush-hush")];
/// The fingerprint of somebody else's key.
const ANOTHER: &str = "SHA256:uNiVztksCsDhcc0u9e8BrNXURh2gFpQLy3vnSdmEVE4";

/// A server with a folder of files, and a key that it lets in.
struct Server {
    daemon: Daemon,
    port: u16,
    fingerprint: String,
    user: String,
}

/// How clients prove who they are.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Login {
    Key,
    Password,
}

/// A server that lets the one who runs the tests in, by key.
fn sshd() -> Server {
    start(Login::Key)
}

fn start(login: Login) -> Server {
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
    let id = |what: &str| {
        let told = succeed(Command::new("id").arg(what)).stdout;
        String::from_utf8(told).unwrap().trim().to_owned()
    };
    let user = match login {
        Login::Key => id("-un"),
        Login::Password => "reader".to_owned(),
    };
    if id("-u") == "0" {
        // sshd asks for it before it gives up its rights.
        fs::create_dir_all("/run/sshd").unwrap();
    }
    let port = free_port();
    let place = |name: &str| path.join(name).display().to_string();
    fs::write(
        path.join("config"),
        format!(
            "Port {port}\nListenAddress 127.0.0.1\nHostKey {}\nAuthorizedKeysFile {}\nPasswordAuthentication {}\n\
             PermitRootLogin yes\nKbdInteractiveAuthentication no\nUsePAM no\nStrictModes no\nPidFile none\nSubsystem sftp internal-sftp\n",
            place("host"),
            place("client.pub"),
            if login == Login::Password { "yes" } else { "no" },
        ),
    )
    .unwrap();
    let mut serve = Command::new(installed("sshd"));
    if login == Login::Password {
        // Users and passwords of its own, whatever machine this is: those of the machine stay untouched.
        let hashed = succeed(Command::new(installed("openssl")).args(["passwd", "-6", PASSWORD[0].1])).stdout;
        let hashed = String::from_utf8(hashed).unwrap();
        let (uid, gid, home) = (id("-u"), id("-g"), path.display());
        fs::write(
            path.join("users"),
            format!(
                "reader:x:{uid}:{gid}::{home}:/bin/sh\nsshd:x:64999:64999::/run/sshd:/usr/sbin/nologin\n\
                 root:x:0:0:root:/root:/bin/sh\n"
            ),
        )
        .unwrap();
        fs::write(path.join("groups"), format!("readers:x:{gid}:\nsshd:x:64999:\n")).unwrap();
        fs::write(path.join("shadow"), format!("reader:{}:19000:0:99999:7:::\n", hashed.trim())).unwrap();
        serve.env("LD_PRELOAD", "libnss_wrapper.so").env("NSS_WRAPPER_PASSWD", place("users"));
        serve.env("NSS_WRAPPER_GROUP", place("groups")).env("NSS_WRAPPER_SHADOW", place("shadow"));
    }
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
        let login = "key_file = \"secrets/id\"\npassphrase_env = \"UNITS_PASSPHRASE\"\n";
        self.deployment_by(port, fingerprint, &format!("{login}{more}"))
    }

    /// A deployment that logs in as it is told.
    fn deployment_by(&self, port: u16, fingerprint: &str, login: &str) -> Deployment {
        let deployment = Deployment::new();
        deployment.write("secrets/id", fs::read(self.daemon.path().join("client")).unwrap());
        let source = format!(
            "kind = \"sftp\"\nhost = \"127.0.0.1\"\nport = {port}\nuser = \"{}\"\npath = \"{}\"\nhost_key = \"{fingerprint}\"\n\
             {login}\n[format]\nkind = \"csv\"\n",
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
fn a_password_lets_us_in_and_another_one_does_not_and_is_not_told() {
    let server = start(Login::Password);
    server.write("a.csv", &row("U1", "一矿"));
    let login = "password_env = \"UNITS_PASSWORD\"";
    let deployment = server.deployment_by(server.port, &server.fingerprint, login);
    let wrong = run(&deployment, &[("UNITS_PASSWORD", "guessed-wrong")]);
    assert_eq!(wrong.code, Some(1), "{wrong:?}");
    let error = only_failure(&deployment);
    assert!(error.contains("reader") && error.contains("secret"), "{error}");
    let told = format!("{error}{}{}", wrong.text(), wrong.stderr);
    assert!(!told.contains("guessed-wrong"), "the secret is told: {told}");

    let deployment = server.deployment_by(server.port, &server.fingerprint, login);
    let right = run(&deployment, &PASSWORD);
    assert_eq!(right.code, Some(0), "{right:?}\n{}", server.daemon.log());
    assert_eq!(units(&deployment), "U1 一矿");
    let told = format!("{}{}{}", right.text(), right.stderr, deployment.csv("select * from system.feed"));
    assert!(!told.contains(PASSWORD[0].1), "the secret is told: {told}");
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
