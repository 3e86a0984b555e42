//! A MySQL or MariaDB database: one table or select per slot, its rows written as CSV.

mod csv;

use async_trait::async_trait;
use bytes::Bytes;
use chrono::{Datelike, Offset as _, TimeZone, Utc};
use chrono_tz::Tz as Zone;
use futures::{StreamExt, TryStreamExt, stream};
use sqlx::error::DatabaseError;
use sqlx::mysql::{MySqlConnectOptions, MySqlDatabaseError, MySqlSslMode};
use sqlx::{AssertSqlSafe, Column, ConnectOptions, Connection, Executor, MySqlConnection, SqlSafeStr, Statement};

use super::cursor::Position;
use super::database::{Address, CONNECT_LIMIT, DatabaseConfig, Offset, Tls, failed, literal, too_slow, whole};
use super::{Fetched, Request, Source};
use crate::error::{Error, ErrorKind, Result};
use crate::landing::{Incoming, Landing};
use crate::secret::Environment;
use csv::{CsvRows, header};

/// A MySQL source of a feed.
pub struct MysqlSource {
    config: DatabaseConfig,
    zone: Zone,
    environment: Environment,
}

impl MysqlSource {
    /// A source whose times are those of a zone, with where its secrets are looked up.
    pub fn new(config: DatabaseConfig, zone: Zone, environment: Environment) -> Self {
        Self { config, zone, environment }
    }

    fn options(&self, address: &Address, request: &Request) -> MySqlConnectOptions {
        let mut options = MySqlConnectOptions::new()
            .host(&address.host)
            .port(address.port.unwrap_or(3306))
            .database(&address.database)
            .username(&address.user)
            .charset("utf8mb4")
            // Statements mean what they mean on the server.
            .pipes_as_concat(false)
            .no_engine_substitution(false)
            .timezone(Some(self.session_zone()))
            .ssl_mode(match address.tls {
                Tls::Verify => MySqlSslMode::VerifyIdentity,
                Tls::Require => MySqlSslMode::Required,
                Tls::Prefer => MySqlSslMode::Preferred,
                Tls::Disable => MySqlSslMode::Disabled,
            });
        if let Some(password) = &address.password {
            options = options.password(password.reveal());
        }
        if let Some(authority) = &self.config.tls_ca_file {
            options = options.ssl_ca(request.deployment.join(authority));
        }
        options.disable_statement_logging()
    }

    /// The zone as the server can know it: an offset where the zone has one all year, because many
    /// servers have no table of zones; else its name.
    fn session_zone(&self) -> String {
        let year = Utc::now().year();
        let offset = |month| {
            let noon = Utc.with_ymd_and_hms(year, month, 1, 12, 0, 0).single()?;
            Some(self.zone.offset_from_utc_datetime(&noon.naive_utc()).fix())
        };
        match (offset(1), offset(7)) {
            (Some(winter), Some(summer)) if winter == summer => winter.to_string(),
            _ => self.zone.name().to_owned(),
        }
    }

    async fn connect(&self, address: &Address, request: &Request) -> Result<MySqlConnection> {
        let options = self.options(address, request);
        let mut connection = match tokio::time::timeout(CONNECT_LIMIT, options.connect()).await {
            Ok(connected) => connected.map_err(|error| failed(error, may_pass))?,
            Err(_) => return Err(Error::new(ErrorKind::Retry, "the database does not answer")),
        };
        // MySQL and MariaDB name the limit differently and count it in milliseconds and seconds; the
        // server that knows neither is held to the limit by our own clock.
        let limit = self.config.timeout.0;
        for limit in [
            format!("set session max_execution_time = {}", limit.as_millis()),
            format!("set session max_statement_time = {}", limit.as_secs_f64()),
        ] {
            match connection.execute(AssertSqlSafe(limit)).await {
                Ok(_) | Err(sqlx::Error::Database(_)) => {}
                Err(error) => return Err(failed(error, may_pass)),
            }
        }
        // One state of the database from the first row to the last, and no way to change it.
        for settings in [
            "set session transaction isolation level repeatable read",
            "start transaction with consistent snapshot, read only",
        ] {
            connection.execute(settings).await.map_err(|error| failed(error, may_pass))?;
        }
        Ok(connection)
    }

    async fn read(&self, request: &Request, into: &Landing) -> Result<Incoming> {
        let address = self.config.address(["mysql", "mariadb"], &request.deployment, self.environment)?;
        let mut connection = self.connect(&address, request).await?;
        let since = request.cursor.as_deref().and_then(Position::parse);
        let since = since.map(|position| literal(position, self.zone, Offset::OfSession));
        let statement = self.config.statement('`', since.as_deref());
        // Asked first: rows bring their titles along, and there may be none.
        let titles: Vec<String> = {
            let prepared = connection.prepare(AssertSqlSafe(statement.clone()).into_sql_str()).await;
            let prepared = prepared.map_err(|error| failed(error, may_pass))?;
            prepared.columns().iter().map(|column| column.name().to_owned()).collect()
        };
        let bytes = {
            let rows = sqlx::raw_sql(AssertSqlSafe(statement)).fetch(&mut connection);
            let rows = CsvRows::new(rows.map_err(|error| failed(error, may_pass)));
            let file = stream::once(futures::future::ready(Ok(Bytes::from(header(&titles))))).chain(rows.into_blocks());
            into.receive(Box::pin(file), self.config.max_bytes).await?
        };
        // Everything has come; how the server takes our leave is its own affair.
        let _ = connection.close().await;
        Ok(bytes)
    }
}

/// Answers that another try can change, by the numbers of MySQL's and MariaDB's error references:
/// too many connections, shutdown, a broken packet, lock wait, deadlock, interrupted, out of time,
/// killed, idle.
fn may_pass(answer: &dyn DatabaseError) -> bool {
    let number = answer.try_downcast_ref::<MySqlDatabaseError>().map(MySqlDatabaseError::number);
    matches!(
        number,
        Some(1040 | 1053 | 1077 | 1079 | 1158..=1161 | 1203 | 1205 | 1213 | 1317 | 1927 | 1969 | 3024 | 4031)
    )
}

#[async_trait]
impl Source for MysqlSource {
    async fn fetch(&self, request: &Request, into: &Landing) -> Result<Vec<Fetched>> {
        let limit = self.config.timeout;
        let bytes = match tokio::time::timeout(whole(limit), self.read(request, into)).await {
            Ok(read) => read?,
            Err(_) => return Err(too_slow(limit)),
        };
        Ok(vec![Fetched { object: format!("slot {}", request.slot_at.to_rfc3339()), bytes }])
    }
}
