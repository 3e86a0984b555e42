//! What PostgreSQL and MySQL sources have in common: where the database is, what is read of it, and
//! how what they read is written down.
//!
//! A read lands as CSV in UTF-8 with a header. A missing value is `\N` without quotes, an empty text
//! is nothing, and a text that is `\N` itself stands in quotes. The feed's `[format]` is implied; it
//! may set `timezone`, which the session has too, and `null`, by default the empty text. A text of
//! nothing but `\N`, the mark of database dumps for a missing value, is read as missing.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;
use sqlx::error::DatabaseError;
use url::{Host, Url};

use super::cursor::{CursorConfig, Position};
use crate::error::{Error, ErrorKind, Result};
use crate::secret::{Environment, Secret, SecretRef};
use crate::span::Span;

/// The mark of a missing value in the files that these sources land.
pub const MISSING: &str = "\\N";

/// How long connecting may take.
pub(super) const CONNECT_LIMIT: Duration = Duration::from_secs(30);

/// `[source] kind = "postgres"` or `"mysql"`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DatabaseConfig {
    /// Environment variable with the whole address, `postgres://user:password@host:port/database`.
    pub url_env: Option<String>,
    /// File with the whole address, relative to the deployment.
    pub url_file: Option<PathBuf>,
    /// Name or address of the server, where no address is given whole.
    pub host: Option<String>,
    /// Port; default that of the kind.
    pub port: Option<u16>,
    /// Name of the database.
    pub database: Option<String>,
    /// Who we are there.
    pub user: Option<String>,
    /// Environment variable with the password.
    pub password_env: Option<String>,
    /// File with the password, relative to the deployment.
    pub password_file: Option<PathBuf>,
    /// Whether the connection is encrypted; default `require`, on this machine `prefer`.
    pub tls: Option<Tls>,
    /// Certificates (PEM) of whoever vouches for the server, with `tls = "verify"`, relative to the
    /// deployment; default those that the system trusts.
    pub tls_ca_file: Option<PathBuf>,
    /// Table or view: `schema.table` or `table`.
    pub table: Option<String>,
    /// One select, instead of a table.
    pub query: Option<String>,
    /// Reads only what is not before the cursor; none: everything, every time.
    pub cursor: Option<CursorConfig>,
    /// Limit for the whole read.
    #[serde(default = "half_an_hour")]
    pub timeout: Span,
    /// Largest read taken, bytes of CSV.
    #[serde(default = "super::largest")]
    pub max_bytes: u64,
}

/// Whether a connection to a database is encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Tls {
    /// Encrypted, with a server whose certificate is vouched for under its name.
    Verify,
    /// Encrypted, whoever the server is.
    Require,
    /// Encrypted where the server can.
    Prefer,
    /// Plain.
    Disable,
}

fn half_an_hour() -> Span {
    Span(Duration::from_secs(1800))
}

/// Where a database is.
pub(super) struct Address {
    pub(super) host: String,
    pub(super) port: Option<u16>,
    pub(super) database: String,
    pub(super) user: String,
    pub(super) password: Option<Password>,
    pub(super) tls: Tls,
}

/// A password in hand.
pub(super) struct Password(String);

impl Password {
    /// The password itself, for the call that sends it.
    pub(super) fn reveal(&self) -> &str {
        &self.0
    }
}

impl DatabaseConfig {
    pub(super) fn fault(&self) -> Option<String> {
        self.place_fault().or_else(|| self.tls_fault()).or_else(|| self.what_fault())
    }

    fn place_fault(&self) -> Option<String> {
        let parts = [
            self.host.is_some(),
            self.port.is_some(),
            self.database.is_some(),
            self.user.is_some(),
            self.password_env.is_some() || self.password_file.is_some(),
        ];
        let needed = self.host.is_some() && self.database.is_some() && self.user.is_some();
        match (self.has_url(), parts.contains(&true)) {
            (true, true) => {
                Some("source: the url says it whole; leave host, port, database, user and password out".to_owned())
            }
            (false, _) if !needed => {
                Some("source: say where the database is: url_env or url_file, or host, database and user".to_owned())
            }
            (true, false) => self.url().err(),
            (false, _) => self.password().err(),
        }
    }

    fn tls_fault(&self) -> Option<String> {
        let is_idle = self.tls_ca_file.is_some() && self.tls != Some(Tls::Verify);
        is_idle.then(|| "source.tls_ca_file: is for tls = \"verify\"".to_owned())
    }

    fn what_fault(&self) -> Option<String> {
        match (&self.table, &self.query) {
            (Some(table), None) => {
                let parts: Vec<&str> = table.split('.').collect();
                let sound = parts.len() <= 2 && parts.iter().all(|part| !part.is_empty() && !part.contains('\0'));
                (!sound).then(|| "source.table: write schema.table; for other names write a query".to_owned())
            }
            (None, Some(query)) if query.trim().is_empty() || query.contains([';', '\0']) => {
                Some("source.query: is one select without a semicolon".to_owned())
            }
            (None, Some(_)) => None,
            _ => Some("source: say what is read, either table or query".to_owned()),
        }
    }

    fn has_url(&self) -> bool {
        self.url_env.is_some() || self.url_file.is_some()
    }

    /// What answers for it, as far as the feed says it outside its secrets.
    pub(crate) fn place(&self) -> String {
        let text = |part: &Option<String>| part.as_deref().unwrap_or_default().to_lowercase();
        match (&self.url_env, &self.url_file) {
            (Some(variable), _) => format!("${variable}"),
            (None, Some(file)) => file.display().to_string(),
            (None, None) => format!("{}:{}", text(&self.host), self.port.unwrap_or_default()),
        }
    }

    fn url(&self) -> Result<SecretRef, String> {
        let found = SecretRef::of("url", self.url_env.as_ref(), self.url_file.as_ref());
        found.map_err(|fault| format!("source: {fault}"))
    }

    /// Where the password is; `None`: the server asks for none.
    fn password(&self) -> Result<Option<SecretRef>, String> {
        let (env, file) = (self.password_env.as_ref(), self.password_file.as_ref());
        let found = (env.is_some() || file.is_some()).then(|| SecretRef::of("password", env, file)).transpose();
        found.map_err(|fault| format!("source: {fault}"))
    }

    /// Where the database is, with its secrets read; `schemes` are those of its addresses.
    pub(super) fn address(&self, schemes: [&str; 2], deployment: &Path, environment: Environment) -> Result<Address> {
        let refused = |what: String| Error::new(ErrorKind::Refused, what);
        let mut address = if self.has_url() {
            let place = self.url().map_err(refused)?;
            let url = place.read(deployment, environment)?;
            // What the secret holds is not repeated, whatever is wrong with it.
            parsed(&url, schemes).ok_or_else(|| {
                refused(format!("{place} must hold {}://user:password@host:port/database and no more", schemes[0]))
            })?
        } else {
            let password = self.password().map_err(refused)?;
            let password = password.map(|place| place.read(deployment, environment)).transpose()?;
            Address {
                host: self.host.clone().unwrap_or_default(),
                port: self.port,
                database: self.database.clone().unwrap_or_default(),
                user: self.user.clone().unwrap_or_default(),
                password: password.map(|secret| Password(secret.reveal().to_owned())),
                tls: Tls::Require,
            }
        };
        address.tls = self.tls.unwrap_or(if is_here(&address.host) { Tls::Prefer } else { Tls::Require });
        Ok(address)
    }

    /// The statement that reads what is not before a position, with names quoted by `quote`.
    pub(super) fn statement(&self, quote: char, since: Option<&str>) -> String {
        let quoted = |name: &str| {
            let doubled = name.replace(quote, &format!("{quote}{quote}"));
            format!("{quote}{doubled}{quote}")
        };
        let all = match (&self.table, &self.query) {
            (Some(table), _) => {
                let parts: Vec<String> = table.split('.').map(quoted).collect();
                format!("select * from {}", parts.join("."))
            }
            // On lines of its own: it may end in a comment.
            (None, query) => query.clone().unwrap_or_default(),
        };
        match (&self.cursor, since) {
            (Some(cursor), Some(since)) => {
                let column = quoted(&cursor.column);
                // Rows without a value of the cursor have no place in its order, so they always come.
                let within = quoted("within");
                format!("select * from (\n{all}\n) as {within} where {column} >= {since} or {column} is null")
            }
            _ => all,
        }
    }
}

/// A position as a literal that compares with a column of a date, time or whole number: digits and
/// signs alone, so that nothing in it can end the literal.
pub(super) fn literal(position: Position, zone: chrono_tz::Tz, offset: Offset) -> String {
    match (position, offset) {
        (Position::Number(number), _) => number.to_string(),
        (Position::Day(day), _) => format!("'{}'", day.format("%Y-%m-%d")),
        (Position::Instant(at), Offset::Written) => {
            format!("'{}'", at.with_timezone(&zone).format("%Y-%m-%d %H:%M:%S%.6f%:z"))
        }
        (Position::Instant(at), Offset::OfSession) => {
            format!("'{}'", at.with_timezone(&zone).format("%Y-%m-%d %H:%M:%S%.6f"))
        }
    }
}

/// Whether a literal of an instant says its offset from UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Offset {
    /// It does; columns without a zone do not look at it.
    Written,
    /// It does not: the session has the zone.
    OfSession,
}

fn parsed(url: &Secret, schemes: [&str; 2]) -> Option<Address> {
    let url = Url::parse(url.reveal()).ok()?;
    if !schemes.contains(&url.scheme()) || url.query().is_some() || url.fragment().is_some() {
        return None;
    }
    let database = decoded(url.path().strip_prefix('/')?);
    let (host, user) = (url.host_str()?.trim_matches(['[', ']']).to_owned(), decoded(url.username()));
    if host.is_empty() || user.is_empty() || database.is_empty() || database.contains('/') {
        return None;
    }
    let password = url.password().map(|text| Password(decoded(text)));
    Some(Address { host, port: url.port(), database, user, password, tls: Tls::Require })
}

/// Text of an address with `%40` and the like read.
fn decoded(text: &str) -> String {
    let form = format!("v={}", text.replace('+', "%2B").replace('&', "%26"));
    url::form_urlencoded::parse(form.as_bytes()).next().map(|(_, value)| value.into_owned()).unwrap_or_default()
}

fn is_here(host: &str) -> bool {
    match Host::parse(host) {
        Ok(Host::Ipv4(address)) => address.is_loopback(),
        Ok(Host::Domain(name)) => name == "localhost",
        _ => host == "::1" || host.starts_with('/'),
    }
}

/// How long a read may take in all, connecting included.
pub(super) fn whole(limit: Span) -> Duration {
    limit.0.saturating_add(CONNECT_LIMIT)
}

/// A failure of the driver, in the terms of a feed. `may_pass` tells the answers of the database
/// that another try can change.
pub(super) fn failed(error: sqlx::Error, may_pass: fn(&dyn DatabaseError) -> bool) -> Error {
    let (kind, what) = match &error {
        sqlx::Error::Database(answer) if may_pass(answer.as_ref()) => {
            (ErrorKind::Retry, "the database broke off the read")
        }
        sqlx::Error::Database(_) => (ErrorKind::Source, "the database refused"),
        sqlx::Error::Tls(_) => (ErrorKind::Source, "no encrypted connection to the database (source.tls)"),
        sqlx::Error::Configuration(_) => (ErrorKind::Refused, "the database cannot be addressed"),
        sqlx::Error::Io(cause) if cause.kind() == std::io::ErrorKind::ConnectionRefused => {
            (ErrorKind::Retry, "the database cannot be reached")
        }
        _ => (ErrorKind::Retry, "the connection to the database broke"),
    };
    match error {
        // Its own words name the table or the user, and no secret.
        sqlx::Error::Database(answer) => Error::caused(kind, what, answer.message().to_owned()),
        sqlx::Error::Io(cause) => Error::caused(kind, what, cause),
        sqlx::Error::Tls(cause) => Error::caused(kind, what, cause),
        _ => Error::new(kind, what),
    }
}

/// The read took longer than its feed allows.
pub(super) fn too_slow(limit: Span) -> Error {
    let what =
        format!("the database took more than {} s; raise timeout, or read less with a cursor", limit.0.as_secs());
    Error::new(ErrorKind::Retry, what)
}

#[cfg(test)]
mod tests;
