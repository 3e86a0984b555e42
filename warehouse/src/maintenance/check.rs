//! Checking: everything that a kept release names is there and says what it must, landed files hash to
//! their names, books add up, chains hold. It only reads, beside a writer and readers.

mod books;
mod chains;
mod files;
mod landed;

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::trouble::Trouble;
use crate::error::Result;
use crate::session::Limits;
use crate::warehouse::Warehouse;

/// How closely is looked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    /// Names, sizes and chains.
    Names,
    /// Every byte besides: rows are decoded and counted, landed files hashed, books added up.
    Contents,
}

/// What a check saw.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct CheckReport {
    /// The newest release; 0 where nothing is published.
    pub release: u64,
    /// Releases that are answered from.
    pub kept: u64,
    /// Releases no longer kept.
    pub dropped: u64,
    /// Data files that kept releases name.
    pub files: u64,
    /// Their size in bytes.
    pub bytes: u64,
    /// Landed files looked at.
    pub landed: u64,
    /// Landed files gone after their years of keeping.
    pub archived: u64,
    /// Data files that nothing names; vacuum removes them.
    pub unnamed: u64,
    /// What is wrong.
    pub findings: Vec<Trouble>,
}

impl Warehouse {
    /// Looks at everything.
    ///
    /// # Errors
    /// Storage, where the store itself does not answer. What is wrong with what it holds is in the report.
    pub async fn check(&self, depth: Depth, at: DateTime<Utc>, limits: &Limits) -> Result<CheckReport> {
        let mut report = CheckReport::default();
        files::check(self, depth, &mut report).await?;
        chains::check(self, &mut report).await?;
        // What cannot be opened was told of above, and its books cannot be read.
        if let Some(release) = self.latest().await.ok().flatten() {
            let books = async {
                landed::check(self, &release, depth, at, limits, &mut report).await?;
                match depth {
                    Depth::Contents => books::check(&release, limits, &mut report).await,
                    Depth::Names => Ok(()),
                }
            };
            if let Err(error) = books.await {
                report.findings.push(unreadable("releases", &error));
            }
        }
        Ok(report)
    }
}

fn unreadable(object: &str, error: &crate::error::Error) -> Trouble {
    Trouble::new(
        "unreadable",
        object,
        format!("无法读取：{error}；请从备份恢复"),
        format!("cannot be read: {error}; restore it from a backup"),
    )
}
