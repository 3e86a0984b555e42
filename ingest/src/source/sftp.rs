//! An SFTP server: whole files of one folder, by name in byte order; nothing is moved or deleted.
//! The server is known by the fingerprint of its key, which the feed pins; a file whose size and
//! time of change are those of the last fetch is not fetched again.

mod connection;

use std::path::PathBuf;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream;
use russh_sftp::client::SftpSession;
use russh_sftp::client::error::Error as SftpError;
use russh_sftp::protocol::StatusCode;
use serde::Deserialize;
use tokio::io::AsyncReadExt;

use super::directory::at_once;
use super::names::Names;
use super::seen::{Kept, Seen};
use super::{Fetched, Request, Source};
use crate::error::{Error, ErrorKind, Result};
use crate::landing::{Incoming, Landing};
use crate::secret::{Environment, SecretRef};
use crate::span::Span;
use connection::Connection;

/// Bytes read at a time.
const PART_BYTES: usize = 256 << 10;

/// `[source] kind = "sftp"`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SftpConfig {
    /// Name or address of the server.
    pub host: String,
    /// Port; default 22.
    #[serde(default = "ssh_port")]
    pub port: u16,
    /// Who we are there.
    pub user: String,
    /// The folder, as the server knows it.
    pub path: String,
    /// Names taken: `*` and `?` as in a shell; default those of the feed's format.
    pub pattern: Option<Names>,
    /// How long a file must not have changed; files are best renamed into place.
    #[serde(default = "at_once")]
    pub stable_for: Span,
    /// Fingerprint of the server's key, `SHA256:…`, as `ssh-keygen -lf` prints it. Of several keys
    /// the one counts that the server shows first: Ed25519 before ECDSA before RSA.
    pub host_key: String,
    /// Environment variable with the password.
    pub password_env: Option<String>,
    /// File with the password, relative to the deployment.
    pub password_file: Option<PathBuf>,
    /// File with a private key of OpenSSH or PEM, relative to the deployment.
    pub key_file: Option<PathBuf>,
    /// Environment variable with the passphrase of that key.
    pub passphrase_env: Option<String>,
    /// File with the passphrase of that key, relative to the deployment.
    pub passphrase_file: Option<PathBuf>,
    /// Limit for one answer of the server, not for a whole file.
    #[serde(default = "half_a_minute")]
    pub timeout: Span,
    /// Largest file taken, bytes.
    #[serde(default = "super::largest")]
    pub max_bytes: u64,
}

fn ssh_port() -> u16 {
    22
}

fn half_a_minute() -> Span {
    Span(Duration::from_secs(30))
}

/// How we prove who we are.
enum Login {
    Password(SecretRef),
    Key { file: PathBuf, passphrase: Option<SecretRef> },
}

impl SftpConfig {
    pub(super) fn fault(&self) -> Option<String> {
        if let Some(fault) = self.pattern.as_ref().and_then(Names::fault) {
            return Some(fault);
        }
        if connection::fingerprint(&self.host_key).is_none() {
            let what =
                "source.host_key: write the fingerprint of the server's key as ssh-keygen -lf prints it, SHA256:…";
            return Some(what.to_owned());
        }
        self.login().err()
    }

    fn login(&self) -> Result<Login, String> {
        let secret = |name, env: &Option<String>, file: &Option<PathBuf>| {
            SecretRef::of(name, env.as_ref(), file.as_ref()).map_err(|fault| format!("source: {fault}"))
        };
        let has_password = self.password_env.is_some() || self.password_file.is_some();
        let has_passphrase = self.passphrase_env.is_some() || self.passphrase_file.is_some();
        match &self.key_file {
            Some(_) if has_password => Err("source: keep one of key_file and password_env or password_file".to_owned()),
            Some(file) => {
                let passphrase = has_passphrase
                    .then(|| secret("passphrase", &self.passphrase_env, &self.passphrase_file))
                    .transpose()?;
                Ok(Login::Key { file: file.clone(), passphrase })
            }
            None if has_passphrase => Err("source: a passphrase opens a key_file; name the file too".to_owned()),
            None => secret("password", &self.password_env, &self.password_file).map(Login::Password),
        }
    }
}

/// An SFTP source of a feed.
pub struct SftpSource {
    config: SftpConfig,
    feed_id: String,
    environment: Environment,
    kept: Kept,
}

/// A file that is taken.
struct Listed {
    name: String,
    size: u64,
    /// Seconds since 1970, by the server.
    changed: u32,
}

impl Listed {
    fn fingerprint(&self) -> String {
        format!("{} {}", self.changed, self.size)
    }
}

impl SftpSource {
    /// A source of a feed, with where its secrets are looked up and what failed tries keep.
    pub fn new(config: SftpConfig, feed_id: String, environment: Environment, kept: Kept) -> Self {
        Self { config, feed_id, environment, kept }
    }

    /// The files that are taken, by name in byte order.
    async fn list(&self, sftp: &SftpSession, now: i64) -> Result<Vec<Listed>> {
        let folder = &self.config.path;
        let entries = sftp.read_dir(folder.clone()).await.map_err(|error| self.failed(folder, error))?;
        let mut listed = Vec::new();
        for entry in entries {
            let name = entry.file_name();
            if !self.config.pattern.as_ref().is_some_and(|names| names.take(&name)) {
                continue;
            }
            let mut about = entry.metadata();
            if about.is_symlink() || about.size.is_none() || about.mtime.is_none() {
                let path = self.path_of(&name);
                about = sftp.metadata(path.clone()).await.map_err(|error| self.failed(&path, error))?;
            }
            let (size, changed) = (about.size.unwrap_or_default(), about.mtime.unwrap_or_default());
            let age = now.saturating_sub(i64::from(changed));
            let is_stable = self.config.stable_for.0.is_zero()
                || u64::try_from(age).is_ok_and(|age| age >= self.config.stable_for.0.as_secs());
            if about.file_type().is_file() && is_stable {
                listed.push(Listed { name, size, changed });
            }
        }
        listed.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(listed)
    }

    async fn file(&self, sftp: &SftpSession, listed: &Listed, into: &Landing) -> Result<Incoming> {
        let path = self.path_of(&listed.name);
        let file = sftp.open(path.clone()).await.map_err(|error| self.failed(&path, error))?;
        let limit = self.config.timeout.0;
        let named = path.as_str();
        let parts = stream::try_unfold(file, move |mut file| async move {
            let mut part = vec![0; PART_BYTES];
            let read = tokio::time::timeout(limit, file.read(&mut part)).await;
            let read = read.map_err(|_| Error::new(ErrorKind::Retry, format!("{named} stopped coming in")))?;
            let broke = || format!("the connection broke while {named} was read");
            let read = read.map_err(|error| Error::caused(ErrorKind::Retry, broke(), error))?;
            part.truncate(read);
            Ok((read > 0).then(|| (Bytes::from(part), file)))
        });
        let bytes = into.receive(Box::pin(parts), self.config.max_bytes).await?;
        if bytes.size == listed.size {
            return Ok(bytes);
        }
        let what =
            format!("{path} had {} bytes when listed and {} when read; it is being written", listed.size, bytes.size);
        Err(Error::new(ErrorKind::Retry, what))
    }

    fn path_of(&self, name: &str) -> String {
        match self.config.path.trim_end_matches('/') {
            "" if self.config.path.is_empty() => name.to_owned(),
            folder => format!("{folder}/{name}"),
        }
    }

    fn failed(&self, path: &str, error: SftpError) -> Error {
        let (kind, what) = match &error {
            SftpError::Status(status) => match status.status_code {
                StatusCode::NoSuchFile => (ErrorKind::Source, format!("there is no {path} on the server")),
                StatusCode::PermissionDenied => {
                    (ErrorKind::Source, format!("{} may not read {path} on the server", self.config.user))
                }
                other => (ErrorKind::Retry, format!("the server answered {other} for {path}")),
            },
            _ => (ErrorKind::Retry, format!("the connection broke while {path} was read")),
        };
        Error::caused(kind, what, error)
    }
}

#[async_trait]
impl Source for SftpSource {
    async fn fetch(&self, request: &Request, into: &Landing) -> Result<Vec<Fetched>> {
        let connection = Connection::open(&self.config, request, self.environment).await?;
        let mut seen = Seen::of(into, &self.feed_id, &self.kept);
        let mut fetched = Vec::new();
        let outcome = self.fetch_all(connection.sftp(), into, &mut seen, &mut fetched).await;
        if outcome.is_ok() {
            connection.close().await;
        }
        seen.end(outcome, fetched)
    }
}

impl SftpSource {
    async fn fetch_all(
        &self,
        sftp: &SftpSession,
        into: &Landing,
        seen: &mut Seen,
        fetched: &mut Vec<Fetched>,
    ) -> Result<()> {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        let now = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
        for listed in self.list(sftp, now).await? {
            let (object, fingerprint) = (self.path_of(&listed.name), listed.fingerprint());
            if let Some(landed) = seen.landed(&object, &fingerprint, into) {
                fetched.push(landed);
                continue;
            }
            let bytes = self.file(sftp, &listed, into).await?;
            seen.note(&object, &fingerprint, &bytes);
            fetched.push(Fetched { object, bytes });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOUND: &str = "host = 'files.example'\nuser = 'anze'\npath = '/out'\n\
                         host_key = 'SHA256:uNiVztksCsDhcc0u9e8BrNXURh2gFpQLy3vnSdmEVE4'\n";

    fn fault(keys: &str) -> Option<String> {
        toml::from_str::<SftpConfig>(&format!("{SOUND}{keys}")).unwrap().fault()
    }

    #[test]
    fn one_way_to_log_in_is_named_and_no_more() {
        assert_eq!(fault("password_env = 'P'"), None);
        assert_eq!(fault("key_file = 'secrets/id'\npassphrase_env = 'P'"), None);
        assert!(fault("").is_some());
        assert!(fault("key_file = 'secrets/id'\npassword_env = 'P'").is_some());
        assert!(fault("passphrase_env = 'P'").is_some());
    }

    #[test]
    fn a_server_without_a_pinned_key_is_refused() {
        let unpinned = SOUND.lines().filter(|line| !line.starts_with("host_key")).collect::<Vec<_>>().join("\n");
        assert!(toml::from_str::<SftpConfig>(&unpinned).is_err());
        let md5 = SOUND.replace("SHA256:uNiVztksCsDhcc0u9e8BrNXURh2gFpQLy3vnSdmEVE4", "16:27:ac:a5");
        let config: SftpConfig = toml::from_str(&format!("{md5}password_env = 'P'")).unwrap();
        assert!(config.fault().unwrap().contains("host_key"));
    }
}
