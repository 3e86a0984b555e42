//! An assessment as the workbook that a bureau circulates: scores and ranks, a sheet for each subject, the
//! evidence of each indicator, the rules it rests on. Charts are Excel's own.

mod basis_sheet;
mod evidence_sheets;
mod look;
mod score_sheet;
mod subject_sheets;

use std::collections::HashMap;

use anze_queries::assessment::SampleRow;
use rust_xlsxwriter::{DocProperties, ExcelDateTime, Workbook, XlsxError};

use super::Handed;
use crate::deployment::Deployment;
use crate::problem::Problem;
use look::Look;

/// Rows of evidence of one subject and indicator; the sheet says where there are more.
const MOST_ROWS: usize = 2_000;

/// A workbook on its way out.
#[derive(Debug, Clone)]
pub struct Exported {
    pub bytes: Vec<u8>,
    /// Number of rows of evidence in it.
    pub rows: usize,
}

/// The workbook, with nothing in it that is not in `handed`.
pub async fn workbook(deployment: &Deployment, handed: &Handed) -> Result<Exported, Problem> {
    let book = deployment.book();
    let mut evidence = Vec::new();
    for used in &handed.assessment.scores.indicators {
        evidence.push(book.evidence(&handed.assessment, &used.metric, MOST_ROWS).await?);
    }
    let landed = evidence_sheets::landed(deployment, handed).await?;
    let bytes = written(handed, &evidence, &landed).map_err(|error| Problem::internal(&error))?;
    let subjects = handed.assessment.scores.subjects.iter();
    let of_subject = |code: &str| evidence.iter().filter_map(|rows| rows.get(code)).map(Vec::len).sum::<usize>();
    Ok(Exported { bytes, rows: subjects.map(|subject| of_subject(&subject.code)).sum() })
}

/// SHA-256 of the landed file of each batch.
type Landed = HashMap<String, String>;

fn written(
    handed: &Handed,
    evidence: &[HashMap<String, Vec<SampleRow>>],
    landed: &Landed,
) -> Result<Vec<u8>, XlsxError> {
    let look = Look::new();
    let mut workbook = Workbook::new();
    let one = &handed.assessment;
    // The time of the assessment, not of the export: the same assessment is the same file.
    let created = ExcelDateTime::from_timestamp(one.frozen_at.unwrap_or(one.created_at).timestamp())?;
    let properties = DocProperties::new().set_title(&one.title).set_subject(&one.id).set_creation_datetime(&created);
    workbook.set_properties(&properties);
    score_sheet::write(workbook.add_worksheet(), handed, &look)?;
    for subject in &one.scores.subjects {
        subject_sheets::write(workbook.add_worksheet(), handed, subject, &look)?;
    }
    for (used, rows) in one.scores.indicators.iter().zip(evidence) {
        evidence_sheets::write(workbook.add_worksheet(), handed, used, rows, landed, &look)?;
    }
    basis_sheet::write(workbook.add_worksheet(), handed, &look)?;
    workbook.save_to_buffer()
}

#[cfg(test)]
mod tests;
