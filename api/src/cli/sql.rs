//! `anze sql`: one statement, or a shell.

use std::sync::Arc;

use anze_warehouse::Release;
use clap::Args;
use futures::TryStreamExt;

use super::noted::{Handed, note};
use super::{Desk, ReleaseArgs, shell};
use crate::deployment::Deployment;
use crate::exit::Outcome;
use crate::output::{Format, Terminal, cell, csv, json, table};
use crate::permission::Permission;
use crate::problem::Problem;
use crate::statement::{self, Asked};

/// One read-only SQL statement, or a shell
#[derive(Debug, Args)]
pub struct Sql {
    /// The statement; without one a shell reads statements that end in a semicolon
    statement: Option<String>,
    #[command(flatten)]
    release: ReleaseArgs,
}

impl Sql {
    pub(super) async fn run(self, desk: &Desk) -> anyhow::Result<Outcome> {
        let deployment = desk.deployment()?;
        let release = deployment.release(self.release.choice()?).await?;
        match &self.statement {
            Some(sql) => print(desk.terminal, &deployment, &release, sql).await?,
            None => shell::run(desk.terminal, &deployment, &release).await?,
        }
        Ok(Outcome::Done)
    }
}

/// Runs a statement and prints its rows as they come; tables wait for all of them.
pub(super) async fn print(
    terminal: Terminal,
    deployment: &Deployment,
    release: &Arc<Release>,
    sql: &str,
) -> anyhow::Result<()> {
    let asked = Asked { sql: sql.to_owned(), params: Default::default(), permission: Permission::operator() };
    let rows = statement::run(deployment, release, asked).await?;
    let handed = |action, rows| Handed {
        action,
        dataset: None,
        metric: None,
        request: sql.to_owned(),
        release: release.number(),
        rows,
    };
    note(deployment, handed("sql", None)).await?;
    let mut counted = 0;
    let schema = rows.schema();
    let rows = statement::items(rows).inspect_ok(|batch| counted += batch.num_rows());
    let mut batches = Box::pin(rows);
    let internal = |error: datafusion::arrow::error::ArrowError| Problem::internal(&error);
    match terminal.format {
        Format::Table => {
            let batches: Vec<_> = batches.as_mut().try_collect().await?;
            terminal.write(&table::batches(&schema, &batches).map_err(internal)?)?;
        }
        Format::Csv => {
            terminal.write(&csv::header(&cell::names(&schema)))?;
            while let Some(batch) = batches.try_next().await? {
                terminal.write(&csv::rows(&batch).map_err(internal)?)?;
            }
        }
        Format::Json if terminal.pretty => {
            let mut listed = Vec::new();
            while let Some(batch) = batches.try_next().await? {
                listed.extend(json::objects(&batch).map_err(internal)?);
            }
            let columns = json::columns(&schema);
            terminal
                .write_json(&serde_json::json!({"release": release.number(), "columns": columns, "rows": listed}))?;
        }
        Format::Json => {
            let mut writer = json::RowsWriter::new(&schema);
            terminal.write(&writer.start(release.number(), &schema))?;
            while let Some(batch) = batches.try_next().await? {
                terminal.write(&writer.rows(&batch).map_err(internal)?)?;
            }
            terminal.write(writer.end())?;
        }
    }
    drop(batches);
    note(deployment, handed("sql_end", Some(counted))).await
}
