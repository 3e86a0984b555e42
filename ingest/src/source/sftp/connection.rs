//! The SSH connection below an SFTP source: the pinned key of the server, then the login.

use std::sync::Arc;

use russh::client::{self, AuthResult, Handle, Handler};
use russh::keys::ssh_key::Fingerprint;
use russh::keys::{HashAlg, PrivateKeyWithHashAlg, PublicKeyOrCertificate, decode_secret_key};
use russh_sftp::client::{Config, SftpSession};

use super::{Login, SftpConfig};
use crate::error::{Error, ErrorKind, Result};
use crate::secret::Environment;
use crate::source::Request;

/// A fingerprint as feeds pin it; only SHA-256 is strong and common.
pub(super) fn fingerprint(text: &str) -> Option<Fingerprint> {
    text.parse().ok().filter(|fingerprint| matches!(fingerprint, Fingerprint::Sha256(_)))
}

/// A connection, logged in, with its file protocol.
pub(super) struct Connection {
    ssh: Handle<PinnedServer>,
    sftp: SftpSession,
}

impl Connection {
    /// Connects, makes sure of the server, and logs in.
    ///
    /// # Errors
    /// Retry, where the server cannot be reached; Source, where it is not the pinned one or does not
    /// accept our secret; Refused, where a secret of ours is missing.
    pub(super) async fn open(config: &SftpConfig, request: &Request, environment: Environment) -> Result<Self> {
        let refused = |what: String| Error::new(ErrorKind::Refused, what);
        let pinned =
            fingerprint(&config.host_key).ok_or_else(|| refused("source.host_key is no fingerprint".into()))?;
        let login = config.login().map_err(refused)?;
        let limit = config.timeout.0;
        let opened = async {
            let settings = client::Config {
                keepalive_interval: Some(limit),
                inactivity_timeout: Some(limit.saturating_mul(4)),
                nodelay: true,
                ..client::Config::default()
            };
            let address = (config.host.as_str(), config.port);
            let server = PinnedServer { pinned, host: config.host.clone() };
            let mut ssh = client::connect(Arc::new(settings), address, server).await?;
            log_in(&mut ssh, config, &login, request, environment).await?;
            let channel = ssh.channel_open_session().await?;
            channel.request_subsystem(true, "sftp").await?;
            let settings = Config { request_timeout_secs: limit.as_secs().max(1), ..Config::default() };
            let sftp = SftpSession::new_with_config(channel.into_stream(), settings)
                .await
                .map_err(|error| Error::caused(ErrorKind::Source, "the server does not speak SFTP with us", error))?;
            Ok::<_, Failure>(Self { ssh, sftp })
        };
        // Four steps, each of which may take as long as an answer may.
        match tokio::time::timeout(limit.saturating_mul(4), opened).await {
            Ok(opened) => opened.map_err(|failure| failure.0),
            Err(_) => Err(Error::new(ErrorKind::Retry, format!("{} did not answer in time", config.host))),
        }
    }

    /// The file protocol.
    pub(super) fn sftp(&self) -> &SftpSession {
        &self.sftp
    }

    /// Takes leave of the server.
    pub(super) async fn close(self) {
        // Everything is read; a server that has gone already is no fault.
        let _ = self.sftp.close().await;
        let _ = self.ssh.disconnect(russh::Disconnect::ByApplication, "", "").await;
    }
}

async fn log_in(
    ssh: &mut Handle<PinnedServer>,
    config: &SftpConfig,
    login: &Login,
    request: &Request,
    environment: Environment,
) -> Result<(), Failure> {
    let deployment = &request.deployment;
    let answer = match login {
        Login::Password(password) => {
            let password = password.read(deployment, environment)?;
            ssh.authenticate_password(config.user.as_str(), password.reveal()).await?
        }
        Login::Key { file, passphrase } => {
            let told = |what: &str| format!("source.key_file: {} {what}", file.display());
            let text = std::fs::read_to_string(deployment.join(file))
                .map_err(|error| Error::caused(ErrorKind::Refused, told("cannot be read"), error))?;
            let passphrase = passphrase.as_ref().map(|secret| secret.read(deployment, environment)).transpose()?;
            let key = decode_secret_key(&text, passphrase.as_ref().map(|secret| secret.reveal()))
                .map_err(|_| Error::new(ErrorKind::Refused, told("is no private key that its passphrase opens")))?;
            let hash = match key.algorithm().is_rsa() {
                true => ssh.best_supported_rsa_hash().await?.unwrap_or(Some(HashAlg::Sha256)),
                false => None,
            };
            let key = PrivateKeyWithHashAlg::new(Arc::new(key), hash);
            ssh.authenticate_publickey(config.user.as_str(), key).await?
        }
    };
    match answer {
        AuthResult::Success => Ok(()),
        AuthResult::Failure { .. } => {
            let what = format!("{} does not accept our secret for user {}", config.host, config.user);
            Err(Error::new(ErrorKind::Source, what).into())
        }
    }
}

/// A server that is talked to only if it has the pinned key.
struct PinnedServer {
    pinned: Fingerprint,
    host: String,
}

/// An error of ours, raised inside the library too.
#[derive(Debug)]
struct Failure(Error);

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self(error)
    }
}

impl From<russh::Error> for Failure {
    fn from(error: russh::Error) -> Self {
        let (kind, what) = match &error {
            russh::Error::NoCommonAlgo { .. } => (ErrorKind::Source, "the server speaks no algorithm that we trust"),
            russh::Error::IO(_) => (ErrorKind::Retry, "the server cannot be reached"),
            _ => (ErrorKind::Retry, "the connection to the server broke"),
        };
        Self(Error::caused(kind, what, error))
    }
}

impl Handler for PinnedServer {
    type Error = Failure;

    async fn check_server_key(&mut self, key: &PublicKeyOrCertificate) -> Result<bool, Failure> {
        let found = match key {
            PublicKeyOrCertificate::PublicKey { key, .. } => key.fingerprint(HashAlg::Sha256),
            PublicKeyOrCertificate::Certificate(certificate) => certificate.public_key().fingerprint(HashAlg::Sha256),
        };
        if found == self.pinned {
            return Ok(true);
        }
        let (host, pinned) = (&self.host, self.pinned);
        let what = format!(
            "{host} is not the pinned server: its key is {found}, the feed pins {pinned}; nothing was sent. \
             Ask who runs it whether the key changed before you change host_key"
        );
        Err(Error::new(ErrorKind::Source, what).into())
    }
}
