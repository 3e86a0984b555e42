//! An S3 server on this machine: moto's.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::Command;

use crate::daemon::{Daemon, installed};
use crate::deployment::{Deployment, setting};

/// The server; it ends with its test.
pub struct S3Server {
    daemon: Daemon,
    host: String,
}

impl S3Server {
    /// Starts one that asks for keys after so many calls; `None`: never.
    pub fn start(free_calls: Option<u32>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let program = setting("MOTO_SERVER").map_or_else(|| installed("moto_server"), PathBuf::from);
        let mut serve = Command::new(program);
        serve.args(["-H", "127.0.0.1", "-p", "0"]).env("PYTHONUNBUFFERED", "1");
        if let Some(calls) = free_calls {
            serve.env("INITIAL_NO_AUTH_ACTION_COUNT", calls.to_string());
        }
        let mut daemon = Daemon::start(folder, &mut serve);
        let host = daemon.until("listening", |daemon| {
            let log = daemon.log();
            let (_, after) = log.split_once("Running on http://")?;
            after.split_once('\n').map(|(host, _)| host.trim().to_owned())
        });
        Self { daemon, host }
    }

    /// Host and port.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Every call so far, a line each.
    pub fn log(&self) -> String {
        self.daemon.log()
    }

    /// Makes a bucket.
    pub fn make_bucket(&self, name: &str) {
        self.put(&format!("/{name}"), "");
    }

    /// Puts an object, as somebody who delivers would.
    pub fn put(&self, path: &str, body: &str) {
        let mut connection = TcpStream::connect(&self.host).unwrap();
        // Somebody with a name, or the server lets no object be replaced; it does not check the signature.
        let name = "AWS4-HMAC-SHA256 Credential=deliverer/20260101/us-east-1/s3/aws4_request, \
                    SignedHeaders=host, Signature=0";
        let head =
            format!("PUT {path} HTTP/1.1\r\nHost: {}\r\nAuthorization: {name}\r\nConnection: close\r\n", self.host);
        write!(connection, "{head}Content-Length: {}\r\n\r\n{body}", body.len()).unwrap();
        let mut answer = String::new();
        connection.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }

    /// A deployment whose warehouse lies in a new bucket, with further lines of its `anze.toml`.
    pub fn deployment(&self, bucket: &str, further: &str) -> Deployment {
        self.make_bucket(bucket);
        let deployment = Deployment::new();
        deployment.write("secrets/access", "writer\n");
        deployment.write("secrets/secret", "hush-hush\n");
        let settings = format!(
            "[data]\npath = \"s3://{bucket}/anze\"\nlease = \"1s\"\n\n\
             [bucket]\nendpoint = \"http://{}\"\nallow_http = true\n\
             access_key_file = \"secrets/access\"\nsecret_key_file = \"secrets/secret\"\n\n{further}",
            self.host
        );
        deployment.write("anze.toml", settings);
        deployment
    }
}
