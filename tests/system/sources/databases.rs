//! PostgreSQL and MariaDB: the same story told to both.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::Path;
use std::process::Command;

use super::certificates::certificates;
use super::{batches, feed, line, only_failure, run, tries, units};
use crate::daemon::{Daemon, folder, free_port, installed, succeed, unprivileged};
use crate::deployment::Deployment;

const PASSWORD: &str = "hush-hush";
const SECRET: [(&str, &str); 1] = [("UNITS_PASSWORD", PASSWORD)];

/// A database server with the schema `safety` and the user `reader`.
struct Server {
    kind: &'static str,
    port: u16,
    /// Its type for instants.
    instant: &'static str,
    daemon: Daemon,
}

/// Whether a server encrypts, with a certificate of a private authority.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Encryption {
    None,
    /// The reader is let in over an encrypted connection only.
    Required,
}

/// Certificates in the folder of a server, readable for whom it runs as.
fn certify(folder: &Path) {
    certificates(folder);
    for name in ["server.pem", "server.key", "ca.pem"] {
        let file = folder.join(name);
        let owner = fs::metadata(folder).unwrap();
        chown(&file, Some(owner.uid()), Some(owner.gid())).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    }
}

fn postgres() -> Server {
    postgres_with(Encryption::None)
}

fn postgres_with(encryption: Encryption) -> Server {
    let folder = folder();
    let path = folder.path().to_owned();
    fs::write(path.join("password"), PASSWORD).unwrap();
    let mut create = unprivileged("initdb", &path);
    create.args(["-D", "data", "-U", "postgres", "-A", "scram-sha-256", "--pwfile", "password", "-E", "UTF8"]);
    succeed(create.args(["--locale", "C", "--no-sync"]));
    let port = free_port();
    let mut serve = unprivileged("postgres", &path);
    serve.args(["-D", "data", "-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=", "-c", "fsync=off"]);
    if encryption == Encryption::Required {
        certify(&path);
        serve.args(["-c", "ssl=on", "-c", "ssl_cert_file=../server.pem", "-c", "ssl_key_file=../server.key"]);
        let rules = path.join("data/pg_hba.conf");
        let rules_before = fs::read_to_string(&rules).unwrap();
        fs::write(&rules, format!("hostnossl all reader 127.0.0.1/32 reject\n{rules_before}")).unwrap();
    }
    let daemon = Daemon::start(folder, serve.args(["-p", &port.to_string()]));
    let mut server = Server { kind: "postgres", port, instant: "timestamptz", daemon };
    server.wait();
    server.sql(&format!(
        "create schema safety; create role reader login password '{PASSWORD}'; \
         grant usage on schema safety to reader; alter default privileges in schema safety grant select on tables to reader"
    ));
    server
}

fn mariadb() -> Server {
    mariadb_with(Encryption::None)
}

fn mariadb_with(encryption: Encryption) -> Server {
    let folder = folder();
    let path = folder.path().to_owned();
    let data = format!("--datadir={}", path.join("data").display());
    let mut create = unprivileged("mariadb-install-db", &path);
    create.args(["--no-defaults", &data, "--skip-test-db", "--auth-root-authentication-method=normal"]);
    succeed(&mut create);
    let port = free_port();
    let mut serve = unprivileged("mariadbd", &path);
    serve.args([
        "--no-defaults",
        &data,
        "--bind-address=127.0.0.1",
        "--character-set-server=utf8mb4",
        "--skip-log-bin",
    ]);
    serve.args([&format!("--port={port}"), &format!("--socket={}", path.join("socket").display())]);
    let mut how = "";
    if encryption == Encryption::Required {
        certify(&path);
        for (option, file) in [("ca", "ca.pem"), ("cert", "server.pem"), ("key", "server.key")] {
            serve.arg(format!("--ssl-{option}={}", path.join(file).display()));
        }
        how = "require ssl";
    }
    let daemon = Daemon::start(folder, serve.args(["--pid-file=pid", "--innodb-flush-log-at-trx-commit=0"]));
    let mut server = Server { kind: "mysql", port, instant: "datetime(6)", daemon };
    server.wait();
    server.sql(&format!(
        "create database safety; create user reader@'%' identified by '{PASSWORD}' {how}; grant select on safety.* to reader@'%'"
    ));
    server
}

impl Server {
    fn client(&self) -> Command {
        let port = self.port.to_string();
        match self.kind {
            "postgres" => {
                let mut client = Command::new(installed("psql"));
                client.env("PGPASSWORD", PASSWORD).env("PGTZ", "Asia/Shanghai");
                client.args([
                    "-X",
                    "-q",
                    "-h",
                    "127.0.0.1",
                    "-p",
                    &port,
                    "-U",
                    "postgres",
                    "-v",
                    "ON_ERROR_STOP=1",
                    "-c",
                ]);
                client
            }
            _ => {
                let mut client = Command::new(installed("mariadb"));
                client.args(["--no-defaults", "--protocol=tcp", "-h", "127.0.0.1", "-P", &port, "-u", "root"]);
                client.args(["--default-character-set=utf8mb4", "-e"]);
                client
            }
        }
    }

    fn wait(&mut self) {
        let mut client = self.client();
        client.arg("select 1");
        self.daemon.until("ready", |_| client.output().unwrap().status.success().then_some(()));
    }

    fn sql(&self, statements: &str) {
        succeed(self.client().arg(statements));
    }

    /// Two units, changed on the first and the tenth of March.
    fn create_units(&self) {
        self.sql(&format!(
            "create table safety.units (unit_id varchar(20) primary key, id_kind varchar(10), name varchar(40), \
             region_code varchar(6), sector varchar(10), address varchar(100), employees int, changed {})",
            self.instant
        ));
        self.put("U1", "'一矿'", "2025-03-01 08:00:00");
        self.put("U2", "'二矿'", "2025-03-10 08:00:00");
    }

    fn put(&self, unit: &str, name: &str, changed: &str) {
        self.sql(&format!(
            "delete from safety.units where unit_id = '{unit}'; insert into safety.units values \
             ('{unit}', 'permit', {name}, '330102', 'mine', null, 12, '{changed}')"
        ));
    }

    fn feed(&self, what: &str) -> String {
        self.feed_at(self.port, what)
    }

    fn feed_at(&self, port: u16, what: &str) -> String {
        let database = if self.kind == "postgres" { "postgres" } else { "safety" };
        feed(&format!(
            "kind = \"{}\"\nhost = \"127.0.0.1\"\nport = {port}\ndatabase = \"{database}\"\nuser = \"reader\"\n\
             password_env = \"UNITS_PASSWORD\"\n{what}\n\n[columns]\nchanged = \"source_updated_at\"\n",
            self.kind
        ))
    }

    fn deployment(&self, what: &str) -> Deployment {
        let deployment = Deployment::new();
        deployment.write("feeds/units.toml", self.feed(what));
        deployment
    }
}

const INCREMENTAL: &str = "table = \"safety.units\"\ncursor = { column = \"changed\", lag = \"2d\" }";

#[test]
fn postgres_is_read_on_from_the_cursor_less_the_lag() {
    is_read_on_from_the_cursor_less_the_lag(&postgres());
}

#[test]
fn mariadb_is_read_on_from_the_cursor_less_the_lag() {
    is_read_on_from_the_cursor_less_the_lag(&mariadb());
}

fn is_read_on_from_the_cursor_less_the_lag(server: &Server) {
    server.create_units();
    let deployment = server.deployment(INCREMENTAL);
    let first = run(&deployment, &SECRET);
    assert_eq!(first.code, Some(0), "{first:?}");
    assert_eq!(units(&deployment), "U1 一矿, U2 二矿");
    let clocks = deployment.csv("select source_updated_at as clock from unit order by unit_id");
    assert_eq!(clocks, "clock\n2025-03-01T08:00:00+08:00\n2025-03-10T08:00:00+08:00\n", "times are those of Shanghai");

    // One is changed; one was written late, inside the lag; one stands before it and is not asked for.
    server.put("U1", "'一号矿'", "2025-03-11 08:00:00");
    server.put("U3", "'三矿'", "2025-03-09 08:00:00");
    server.put("U4", "'四矿'", "2025-03-02 08:00:00");
    let second = run(&deployment, &SECRET);
    assert_eq!(second.code, Some(0), "{second:?}");
    assert_eq!(units(&deployment), "U1 一号矿, U2 二矿, U3 三矿");
    assert_eq!(batches(&deployment), [[2, 2, 0, 0], [3, 2, 1, 0]], "read, accepted, unchanged, held");

    // A batch that is held whole moves no cursor: what lies between is still asked for.
    deployment.write("feeds/units.toml", server.feed(INCREMENTAL) + "\n[contract]\nmax_quarantined = \"0%\"\n");
    server.put("U5", "null", "2025-03-20 08:00:00");
    let held = run(&deployment, &SECRET);
    assert_eq!(held.code, Some(3), "{held:?}");
    server.put("U5", "'五矿'", "2025-03-12 08:00:00");
    let mended = run(&deployment, &SECRET);
    assert_eq!(mended.code, Some(0), "{mended:?}");
    assert_eq!(units(&deployment), "U1 一号矿, U2 二矿, U3 三矿, U5 五矿");
}

#[test]
fn postgres_is_read_over_tls_and_only_from_the_server_that_the_authority_vouches_for() {
    is_read_over_tls(&postgres_with(Encryption::Required));
}

#[test]
fn mariadb_is_read_over_tls_and_only_from_the_server_that_the_authority_vouches_for() {
    is_read_over_tls(&mariadb_with(Encryption::Required));
}

fn is_read_over_tls(server: &Server) {
    server.create_units();
    let deployment = |tls: &str, authority: &Path| {
        let deployment = server.deployment(&format!("table = \"safety.units\"\n{tls}"));
        deployment.write("secrets/ca.pem", fs::read(authority.join("ca.pem")).unwrap());
        deployment
    };
    let verify = "tls = \"verify\"\ntls_ca_file = \"secrets/ca.pem\"";
    for tls in [verify, "tls = \"require\"", ""] {
        let deployment = deployment(tls, server.daemon.path());
        let read = run(&deployment, &SECRET);
        assert_eq!(read.code, Some(0), "{tls}: {read:?}\n{}", server.daemon.log());
        assert_eq!(units(&deployment), "U1 一矿, U2 二矿");
    }
    // Somebody else's authority: nothing is sent to a server that it does not vouch for.
    let other = tempfile::tempdir().unwrap();
    certificates(other.path());
    let stranger = deployment(verify, other.path());
    let refused = run(&stranger, &SECRET);
    assert_eq!(refused.code, Some(1), "{refused:?}");
    let (_, _, error) = tries(&stranger).pop().unwrap();
    assert!(error.to_lowercase().contains("certificate"), "{error}");
    assert!(!format!("{error}{}{}", refused.text(), refused.stderr).contains(PASSWORD));
    // In plain text the server lets nobody in.
    let plain = deployment("tls = \"disable\"", server.daemon.path());
    let refused = run(&plain, &SECRET);
    assert_eq!(refused.code, Some(1), "{refused:?}");
    only_failure(&plain);
}

#[test]
fn postgres_lands_missing_and_empty_apart() {
    lands_missing_and_empty_apart(&postgres());
}

#[test]
fn mariadb_lands_missing_and_empty_apart() {
    lands_missing_and_empty_apart(&mariadb());
}

fn lands_missing_and_empty_apart(server: &Server) {
    server.create_units();
    server.sql("update safety.units set address = '' where unit_id = 'U2'");
    let query = "query = \"select unit_id, address, id_kind, name, region_code, sector from safety.units order by 1\"";
    let deployment = server.deployment(query);
    let taken = run(&deployment, &SECRET);
    assert_eq!(taken.code, Some(0), "{taken:?}");
    let path = deployment.sql("select landed_path from system.batch where feed_id = 'units'")[0]["landed_path"].clone();
    let landed = fs::read_to_string(deployment.path().join("data").join(path.as_str().unwrap())).unwrap();
    assert_eq!(
        landed,
        "unit_id,address,id_kind,name,region_code,sector\n\
         U1,\\N,permit,一矿,330102,mine\nU2,,permit,二矿,330102,mine\n"
    );
    assert_eq!(deployment.csv("select count(address) as n from unit"), "n\n0\n", "an empty text is no address");
}

#[test]
fn postgres_refusals_are_not_tried_again() {
    refusals_are_not_tried_again(&postgres(), "does not exist");
}

#[test]
fn mariadb_refusals_are_not_tried_again() {
    refusals_are_not_tried_again(&mariadb(), "safety.gone");
}

fn refusals_are_not_tried_again(server: &Server, missing: &str) {
    server.create_units();
    let deployment = server.deployment("table = \"safety.units\"");
    let answer = run(&deployment, &[("UNITS_PASSWORD", "guessed-wrong")]);
    assert_eq!(answer.code, Some(1), "{answer:?}");
    let error = only_failure(&deployment);
    assert!(error.contains("reader"), "{error}");
    let told = format!("{error}{}{}", answer.text(), answer.stderr);
    assert!(!told.contains("guessed-wrong"), "the secret is told: {told}");

    let deployment = server.deployment("table = \"safety.gone\"");
    let answer = run(&deployment, &SECRET);
    assert_eq!(answer.code, Some(1), "{answer:?}");
    let error = only_failure(&deployment);
    assert!(error.contains(missing) && error.contains("gone"), "{error}");

    let answer = run(&deployment, &[]);
    assert_eq!(answer.code, Some(1), "{answer:?}");
    let (_, _, error) = tries(&deployment).pop().unwrap();
    assert!(error.contains("UNITS_PASSWORD"), "the variable that is not set is named: {error}");
}

#[test]
fn a_line_to_postgres_that_breaks_midway_is_tried_again() {
    a_line_that_breaks_midway_is_tried_again(&postgres());
}

#[test]
fn a_line_to_mariadb_that_breaks_midway_is_tried_again() {
    a_line_that_breaks_midway_is_tried_again(&mariadb());
}

fn a_line_that_breaks_midway_is_tried_again(server: &Server) {
    server.create_units();
    // Ten times ten times … : 10,000 rows of more than 40 bytes.
    let digits = "(select 0 as n union all select 1 union all select 2 union all select 3 union all select 4 union all \
                  select 5 union all select 6 union all select 7 union all select 8 union all select 9)";
    let number = "a.n * 1000 + b.n * 100 + c.n * 10 + d.n";
    server.sql(&format!(
        "insert into safety.units select concat('N', {number}), 'permit', '某矿', '330102', 'mine', null, 1, \
         '2025-03-01 08:00:00' from {digits} a, {digits} b, {digits} c, {digits} d"
    ));
    let deployment = Deployment::new();
    let port = line::that_breaks_once(server.port, 100_000);
    deployment.write("feeds/units.toml", server.feed_at(port, "table = \"safety.units\""));
    let answer = run(&deployment, &SECRET);
    assert_eq!(answer.code, Some(0), "{answer:?}");
    let outcomes: Vec<(u64, String)> =
        tries(&deployment).into_iter().map(|(attempt, outcome, _)| (attempt, outcome)).collect();
    assert_eq!(outcomes, [(1, "failed".to_owned()), (2, "done".to_owned())]);
    assert_eq!(batches(&deployment), [[10_002, 10_002, 0, 0]], "nothing of the broken read is there");
}
