//! Clients: one that all sources share, and one of its own for a source with certificates.

use std::time::Duration;

use reqwest::{Certificate, Client, ClientBuilder, Identity};
use url::Url;

use super::address::is_same_server;
use super::{HttpConfig, Surroundings};
use crate::error::{Error, ErrorKind, Result};

/// How long connecting may take, unless a source says otherwise.
pub(super) const CONNECT: Duration = Duration::from_secs(10);

/// The client for sources that need nothing of their own.
///
/// # Errors
/// Refused, where it does not start.
pub fn shared_client() -> Result<Client> {
    start(builder(CONNECT))
}

/// The clients of one source.
#[derive(Debug)]
pub(super) struct Clients {
    home: Client,
    /// For other hosts, which must not see our certificate.
    elsewhere: Client,
}

impl Clients {
    pub(super) fn of(config: &HttpConfig, around: &Surroundings) -> Result<Self> {
        let certificate = config.auth.as_ref().and_then(|auth| auth.client_certificate.as_ref());
        if certificate.is_none() && config.ca_file.is_none() && config.connect_timeout.0 == CONNECT {
            return Ok(Self { home: around.client.clone(), elsewhere: around.client.clone() });
        }
        let read = |path: &std::path::Path| {
            std::fs::read(around.deployment.join(path))
                .map_err(|error| Error::caused(ErrorKind::Refused, format!("{} cannot be read", path.display()), error))
        };
        let roots = match &config.ca_file {
            None => Vec::new(),
            Some(path) => match Certificate::from_pem_bundle(&read(path)?) {
                Ok(roots) if !roots.is_empty() => roots,
                _ => return Err(no_certificate(path, "certificate")),
            },
        };
        let plain = || builder(config.connect_timeout.0).tls_certs_merge(roots.clone());
        let elsewhere = start(plain())?;
        let home = match certificate {
            None => elsewhere.clone(),
            Some(certificate) => {
                let path = &certificate.pem_file;
                // The cause could quote the file.
                let identity = Identity::from_pem(&read(path)?)
                    .map_err(|_| no_certificate(path, "certificate with its private key"))?;
                start(plain().identity(identity))?
            }
        };
        Ok(Self { home, elsewhere })
    }

    /// The client for an address, which is on the source's own server or not.
    pub(super) fn toward(&self, home: &Url, address: &Url) -> &Client {
        if is_same_server(home, address) { &self.home } else { &self.elsewhere }
    }
}

/// Redirects are followed by our own rules, and bytes land as they are sent: nothing is unpacked.
fn builder(connect: Duration) -> ClientBuilder {
    Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .referer(false)
        .no_gzip()
        .no_brotli()
        .no_zstd()
        .no_deflate()
        .connect_timeout(connect)
}

fn start(builder: ClientBuilder) -> Result<Client> {
    builder.build().map_err(|error| Error::caused(ErrorKind::Refused, "the HTTP client does not start", error))
}

fn no_certificate(path: &std::path::Path, what: &str) -> Error {
    Error::new(ErrorKind::Refused, format!("{} holds no {what} in PEM", path.display()))
}
