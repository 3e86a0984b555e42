//! What was done to look after the warehouse, in the live table `system.maintenance`.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use crate::error::Result;
use crate::live::{LiveFile, LiveRow};
use crate::warehouse::Warehouse;

/// What is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Small files put together.
    Compact,
    /// Files removed that no kept release names.
    Vacuum,
    /// Everything looked at.
    Check,
    /// Everything copied elsewhere.
    Backup,
    /// Everything copied back.
    Restore,
}

impl Kind {
    /// The word in the table.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Compact => "compact",
            Self::Vacuum => "vacuum",
            Self::Check => "check",
            Self::Backup => "backup",
            Self::Restore => "restore",
        }
    }
}

/// How it ended.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Outcome {
    /// The newest release afterwards.
    pub release: Option<u64>,
    /// How many files it concerned.
    pub files: Option<u64>,
    /// Their size.
    pub bytes: Option<u64>,
    /// Findings of a check.
    pub findings: Option<u64>,
    /// In Chinese.
    pub message_zh: String,
    /// In English.
    pub message_en: String,
}

/// One piece of maintenance, under way.
#[derive(Debug)]
pub struct Noted {
    row: LiveRow,
}

/// The live table.
#[derive(Debug, Clone)]
pub struct MaintenanceLog {
    file: LiveFile,
}

impl MaintenanceLog {
    /// That of a warehouse.
    ///
    /// # Errors
    /// NotFound, where it has no contract.
    pub fn of(warehouse: &Warehouse) -> Result<Self> {
        Ok(Self { file: warehouse.live("maintenance")? })
    }

    /// Notes that something begins.
    ///
    /// # Errors
    /// Storage.
    pub fn begin(&self, kind: Kind, at: DateTime<Utc>, asked_by: &str) -> Result<Noted> {
        let row = json!({
            "kind": kind.as_str(), "started_at": at.to_rfc3339(), "outcome": "running", "asked_by": asked_by,
        });
        let row = row.as_object().cloned().unwrap_or_default();
        self.file.append(std::slice::from_ref(&row))?;
        Ok(Noted { row })
    }

    /// Notes how it ended.
    ///
    /// # Errors
    /// Storage.
    pub fn end(&self, noted: Noted, at: DateTime<Utc>, ended: std::result::Result<&Outcome, String>) -> Result<()> {
        let mut row = noted.row;
        let mut set = |name: &str, value: Value| row.insert(name.to_owned(), value);
        set("finished_at", json!(at.to_rfc3339()));
        match ended {
            Ok(outcome) => {
                let found = outcome.findings.is_some_and(|findings| findings > 0);
                set("outcome", json!(if found { "findings" } else { "done" }));
                set("release", json!(outcome.release));
                set("files", json!(outcome.files));
                set("bytes", json!(outcome.bytes));
                set("findings", json!(outcome.findings));
                set("message_zh", json!(outcome.message_zh));
                set("message_en", json!(outcome.message_en));
            }
            Err(message) => {
                set("outcome", json!("failed"));
                set("message_en", json!(message));
            }
        }
        self.file.append(&[row])
    }

    /// Notes of what the last writer left running that a crash interrupted it; the new writer does so.
    ///
    /// # Errors
    /// Storage.
    pub fn note_interrupted(&self) -> Result<()> {
        let mut left = self.file.rows()?;
        // Checks and backups go on beside a writer, in processes of their own.
        left.retain(|row| row["outcome"] == "running" && ["compact", "vacuum"].iter().any(|kind| row["kind"] == *kind));
        for row in &mut left {
            row.insert("outcome".to_owned(), json!("interrupted"));
        }
        if left.is_empty() { Ok(()) } else { self.file.append(&left) }
    }

    /// When a kind was last begun and ended well.
    ///
    /// # Errors
    /// Storage.
    pub fn last_done(&self, kind: Kind) -> Result<Option<DateTime<Utc>>> {
        let done =
            |row: &LiveRow| row["kind"] == kind.as_str() && (row["outcome"] == "done" || row["outcome"] == "findings");
        let started = |row: &LiveRow| DateTime::parse_from_rfc3339(row["started_at"].as_str()?).ok();
        Ok(self.file.rows()?.iter().filter(|row| done(row)).filter_map(started).max().map(|at| at.to_utc()))
    }
}
