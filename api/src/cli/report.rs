//! `anze report`: the brief of a city and month for the consultation, as one file to print.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context;
use clap::Args;

use super::noted::{Handed, note};
use super::{Desk, ReleaseArgs};
use crate::brief::{self, Month};
use crate::exit::Outcome;
use crate::page::{self, Lang};
use crate::permission::Permission;

/// The brief of a city and month for the consultation (会商)
#[derive(Debug, Args)]
pub struct Report {
    /// Code of the city, for example 330100
    city: String,
    /// The month, for example 2026-06
    #[arg(long)]
    month: Month,
    /// The file to write: one page of HTML that needs nothing else
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    /// In English
    #[arg(long)]
    english: bool,
    #[command(flatten)]
    release: ReleaseArgs,
}

impl Report {
    pub(super) async fn run(self, desk: &Desk) -> anyhow::Result<Outcome> {
        let deployment = Arc::new(desk.deployment()?);
        let operator = Permission::operator();
        let granted = brief::granted(&deployment, &operator, &self.city, self.month, self.release.choice()?).await?;
        let brief = granted.brief().await?;
        let handed = Handed {
            action: "report",
            dataset: None,
            metric: None,
            request: format!("report {} --month {}", self.city, self.month),
            release: brief["release"].as_u64().unwrap_or_default(),
            rows: Some(page::brief::leads_listed(&brief)),
        };
        note(&deployment, handed).await?;
        let text = page::brief::file(&brief, if self.english { Lang::En } else { Lang::Zh });
        std::fs::write(&self.output, text).with_context(|| format!("{} cannot be written", self.output.display()))?;
        desk.terminal.say(&format!(
            "{}: {} {}, release {}",
            self.output.display(),
            self.city,
            self.month,
            brief["release"]
        ));
        Ok(Outcome::Done)
    }
}
