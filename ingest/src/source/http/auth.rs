//! How we say who we are: a token, a login, a header, a certificate; the secrets only by reference.

use std::path::PathBuf;

use reqwest::RequestBuilder;
use reqwest::header::{AUTHORIZATION, HeaderName, HeaderValue};
use serde::Deserialize;

use super::Surroundings;
use crate::error::{Error, ErrorKind, Result};
use crate::secret::{Secret, SecretRef};

/// `auth` of an HTTP source: one of bearer, basic and header, with or without a certificate.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AuthConfig {
    /// Variable that holds a bearer token.
    bearer_env: Option<String>,
    /// File that holds a bearer token, relative to the deployment.
    bearer_file: Option<PathBuf>,
    /// A user with a password.
    basic: Option<BasicConfig>,
    /// A header of the source's own.
    header: Option<HeaderConfig>,
    /// A certificate by which the source knows us.
    pub(super) client_certificate: Option<CertificateConfig>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct BasicConfig {
    user: String,
    password_env: Option<String>,
    password_file: Option<PathBuf>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct HeaderConfig {
    name: String,
    value_env: Option<String>,
    value_file: Option<PathBuf>,
}

/// A certificate with its private key in one PEM file, relative to the deployment.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CertificateConfig {
    pub(super) pem_file: PathBuf,
}

/// What is sent with a request so that the source knows us.
#[derive(Debug, Clone)]
pub(super) enum Credential {
    /// A header whose value is the secret.
    Header(HeaderName, HeaderValue),
    /// A login.
    Basic(String, Secret),
}

/// Where a credential comes from.
enum Kept {
    Bearer(SecretRef),
    Basic(String, SecretRef),
    Header(HeaderName, SecretRef),
}

impl AuthConfig {
    pub(super) fn fault(&self) -> Option<String> {
        match self.kept() {
            Err(fault) => Some(format!("source.auth: {fault}")),
            Ok(None) if self.client_certificate.is_none() => {
                Some("source.auth: name one of bearer_env, bearer_file, basic, header, client_certificate".to_owned())
            }
            Ok(_) => None,
        }
    }

    /// Reads the secret.
    ///
    /// # Errors
    /// Refused, naming the variable or file that is missing.
    pub(super) fn credential(&self, around: &Surroundings) -> Result<Option<Credential>> {
        let Some(kept) = self.kept().map_err(|fault| Error::new(ErrorKind::Refused, fault))? else { return Ok(None) };
        let read = |place: &SecretRef| place.read(&around.deployment, around.environment);
        Ok(Some(match kept {
            Kept::Bearer(place) => {
                Credential::Header(AUTHORIZATION, hidden(&format!("Bearer {}", read(&place)?.reveal()), &place)?)
            }
            Kept::Header(name, place) => Credential::Header(name, hidden(read(&place)?.reveal(), &place)?),
            Kept::Basic(user, place) => Credential::Basic(user, read(&place)?),
        }))
    }

    /// Where the credential is kept, or what is wrong with the configuration.
    fn kept(&self) -> Result<Option<Kept>, String> {
        let bearer = (self.bearer_env.is_some() || self.bearer_file.is_some())
            .then(|| SecretRef::of("bearer", self.bearer_env.as_ref(), self.bearer_file.as_ref()).map(Kept::Bearer));
        let basic = self.basic.as_ref().map(|basic| {
            if basic.user.contains(':') {
                return Err("basic.user: a user name has no colon".to_owned());
            }
            let place = SecretRef::of("password", basic.password_env.as_ref(), basic.password_file.as_ref());
            place.map(|place| Kept::Basic(basic.user.clone(), place)).map_err(|fault| format!("basic: {fault}"))
        });
        let header = self.header.as_ref().map(|header| {
            let name = HeaderName::try_from(header.name.as_str())
                .map_err(|_| format!("header.name: `{}` is no name of a header", header.name))?;
            let place = SecretRef::of("value", header.value_env.as_ref(), header.value_file.as_ref());
            place.map(|place| Kept::Header(name, place)).map_err(|fault| format!("header: {fault}"))
        });
        let mut named = [bearer, basic, header].into_iter().flatten();
        match (named.next(), named.next()) {
            (Some(_), Some(_)) => Err("name one of bearer, basic and header, not several".to_owned()),
            (one, _) => one.transpose(),
        }
    }
}

impl Credential {
    /// The request with the credential.
    pub(super) fn apply(&self, call: RequestBuilder) -> RequestBuilder {
        match self {
            Self::Header(name, value) => call.header(name.clone(), value.clone()),
            Self::Basic(user, password) => call.basic_auth(user, Some(password.reveal())),
        }
    }
}

/// A header's value that nothing prints.
fn hidden(text: &str, place: &SecretRef) -> Result<HeaderValue> {
    // The cause would say nothing more, and must not say what the secret is.
    let mut value = HeaderValue::from_str(text).map_err(|_| {
        Error::new(ErrorKind::Refused, format!("the secret in {place} has characters that a header cannot carry"))
    })?;
    value.set_sensitive(true);
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn auth(text: &str) -> AuthConfig {
        toml::from_str(text).unwrap()
    }

    #[test]
    fn one_way_of_saying_who_we_are_is_enough_and_two_are_too_many() {
        for sound in [
            "bearer_env = 'T'",
            "bearer_file = 'token'",
            "basic = { user = 'me', password_env = 'P' }",
            "header = { name = 'X-Api-Key', value_file = 'key' }",
            "client_certificate = { pem_file = 'me.pem' }",
            "bearer_env = 'T'\nclient_certificate = { pem_file = 'me.pem' }",
        ] {
            assert_eq!(auth(sound).fault(), None, "{sound}");
        }
        for wrong in [
            "",
            "bearer_env = 'T'\nbearer_file = 't'",
            "bearer_env = 'T'\nbasic = { user = 'me', password_env = 'P' }",
            "basic = { user = 'me' }",
            "basic = { user = 'm:e', password_env = 'P' }",
            "header = { name = 'X Api', value_env = 'K' }",
        ] {
            assert!(auth(wrong).fault().is_some(), "{wrong}");
        }
        assert!(toml::from_str::<AuthConfig>("bearer = 'a secret in the open'").is_err());
    }
}
