//! A PostgreSQL database: one table or select per slot, copied out as CSV.

use async_trait::async_trait;
use chrono_tz::Tz as Zone;
use futures::TryStreamExt;
use sqlx::error::DatabaseError;
use sqlx::postgres::{PgConnectOptions, PgSslMode};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Executor, PgConnection};

use super::cursor::Position;
use super::database::{Address, CONNECT_LIMIT, DatabaseConfig, MISSING, Offset, Tls, failed, literal, too_slow, whole};
use super::{Fetched, Request, Source};
use crate::error::{Error, ErrorKind, Result};
use crate::landing::{Incoming, Landing};
use crate::secret::Environment;

/// A PostgreSQL source of a feed.
pub struct PostgresSource {
    config: DatabaseConfig,
    zone: Zone,
    environment: Environment,
}

impl PostgresSource {
    /// A source whose times are those of a zone, with where its secrets are looked up.
    pub fn new(config: DatabaseConfig, zone: Zone, environment: Environment) -> Self {
        Self { config, zone, environment }
    }

    fn options(&self, address: &Address, request: &Request) -> PgConnectOptions {
        let mut options = PgConnectOptions::new_without_pgpass()
            .host(&address.host)
            .port(address.port.unwrap_or(5432))
            .database(&address.database)
            .username(&address.user)
            .password(address.password.as_ref().map_or("", |password| password.reveal()))
            .application_name("anze")
            .ssl_mode(match address.tls {
                Tls::Verify => PgSslMode::VerifyFull,
                Tls::Require => PgSslMode::Require,
                Tls::Prefer => PgSslMode::Prefer,
                Tls::Disable => PgSslMode::Disable,
            });
        if let Some(authority) = &self.config.tls_ca_file {
            options = options.ssl_root_cert(request.deployment.join(authority));
        }
        options.disable_statement_logging()
    }

    async fn connect(&self, address: &Address, request: &Request) -> Result<PgConnection> {
        let options = self.options(address, request);
        let mut connection = match tokio::time::timeout(CONNECT_LIMIT, options.connect()).await {
            Ok(connected) => connected.map_err(|error| failed(error, may_pass))?,
            Err(_) => return Err(Error::new(ErrorKind::Retry, "the database does not answer")),
        };
        let limit_ms = self.config.timeout.0.as_millis().min(i32::MAX as u128);
        for settings in [
            format!("set statement_timeout = {limit_ms}"),
            format!("set timezone = '{}'", self.zone.name()),
            "set datestyle = 'ISO, YMD'".to_owned(),
            "set standard_conforming_strings = on".to_owned(),
            // One state of the database from the first row to the last, and no way to change it.
            "begin isolation level repeatable read read only".to_owned(),
        ] {
            connection.execute(AssertSqlSafe(settings)).await.map_err(|error| failed(error, may_pass))?;
        }
        Ok(connection)
    }

    async fn read(&self, request: &Request, into: &Landing) -> Result<Incoming> {
        let address = self.config.address(["postgres", "postgresql"], &request.deployment, self.environment)?;
        let mut connection = self.connect(&address, request).await?;
        let since = request.cursor.as_deref().and_then(Position::parse);
        let since = since.map(|position| literal(position, self.zone, Offset::Written));
        let statement = self.config.statement('"', since.as_deref());
        let copy = format!("copy (\n{statement}\n) to stdout (format csv, header, null '{MISSING}')");
        let bytes = {
            let rows = connection.copy_out_raw(&copy).await.map_err(|error| failed(error, may_pass))?;
            into.receive(rows.map_err(|error| failed(error, may_pass)), self.config.max_bytes).await?
        };
        // Everything has come; how the server takes our leave is its own affair.
        let _ = connection.close().await;
        Ok(bytes)
    }
}

/// Answers that another try can change (SQLSTATE classes, appendix A of the PostgreSQL manual):
/// connection, transaction rolled back, resources, operator intervention and time-out, system.
fn may_pass(answer: &dyn DatabaseError) -> bool {
    let code = answer.code().unwrap_or_default();
    matches!(code.get(..2), Some("08" | "40" | "53" | "57" | "58"))
}

#[async_trait]
impl Source for PostgresSource {
    async fn fetch(&self, request: &Request, into: &Landing) -> Result<Vec<Fetched>> {
        let limit = self.config.timeout;
        let bytes = match tokio::time::timeout(whole(limit), self.read(request, into)).await {
            Ok(read) => read?,
            Err(_) => return Err(too_slow(limit)),
        };
        Ok(vec![Fetched { object: format!("slot {}", request.slot_at.to_rfc3339()), bytes }])
    }
}
