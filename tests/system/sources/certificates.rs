//! Certificates of a private authority, made by openssl.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::daemon::{installed, succeed};

const EXTENSIONS: &str = "
[req]
distinguished_name = name
[name]
[ca]
basicConstraints = critical, CA:TRUE
[server]
basicConstraints = CA:FALSE
subjectAltName = IP:127.0.0.1
extendedKeyUsage = serverAuth
[client]
basicConstraints = CA:FALSE
extendedKeyUsage = clientAuth
";

/// Certificates with their keys: `ca.pem`, `server.pem` and `client.pem` of the authority; the
/// server is `127.0.0.1`.
pub fn certificates(folder: &Path) {
    fs::write(folder.join("extensions"), EXTENSIONS).unwrap();
    for who in ["ca", "server", "client"] {
        let mut command = Command::new(installed("openssl"));
        command.current_dir(folder).args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]);
        command.args(["-nodes", "-days", "2", "-config", "extensions", "-extensions", who]);
        command.args(["-subj", &format!("/CN={who}"), "-keyout", &format!("{who}.key"), "-out", &format!("{who}.pem")]);
        if who != "ca" {
            command.args(["-CA", "ca.pem", "-CAkey", "ca.key"]);
        }
        succeed(&mut command);
    }
    for who in ["server", "client"] {
        let both = [format!("{who}.key"), format!("{who}.pem")].map(|name| fs::read(folder.join(name)).unwrap());
        fs::write(folder.join(format!("{who}.pem")), both.concat()).unwrap();
    }
}
