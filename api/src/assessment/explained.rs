//! From a total to its indicators, their metrics, the rows behind them, and the landed line of each row
//! with the hash of its file.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use anze_ingest::decode::records_at;
use anze_ingest::landing::Landing;
use anze_queries::assessment::{IndicatorScore, IndicatorUsed, LandedBatch, SampleRow};
use serde_json::{Value, json};

use super::Handed;
use crate::deployment::Deployment;
use crate::landed::reading;
use crate::permission::{Access, Permission};
use crate::problem::{Problem, causes};
use crate::record::{self, is_sensitive};

/// A subject, explained.
#[derive(Debug, Clone)]
pub struct Explained {
    /// For programs.
    pub json: Value,
}

impl Explained {
    /// Number of rows of evidence in it.
    pub fn rows(&self) -> usize {
        let indicators = self.json["indicators"].as_array().into_iter().flatten();
        indicators.filter_map(|indicator| indicator["rows"].as_array()).map(Vec::len).sum()
    }
}

/// Explains the score of a subject, with so many rows for each indicator, or for one of them alone.
pub async fn explain(
    deployment: &Arc<Deployment>,
    handed: &Handed,
    code: &str,
    only: Option<&str>,
    most_rows: usize,
    permission: &Permission,
) -> Result<Explained, Problem> {
    let subject = handed.subject(code)?;
    let used = &handed.assessment.scores.indicators;
    let asked: Vec<(&IndicatorUsed, &IndicatorScore)> =
        used.iter().zip(&subject.indicators).filter(|(used, _)| only.is_none_or(|only| only == used.metric)).collect();
    if asked.is_empty() {
        let detail = format!("{} has no indicator `{}`", handed.assessment.id, only.unwrap_or_default());
        return Err(Problem::bad_request("bad_question", detail));
    }
    let rows: Vec<&SampleRow> = asked.iter().flat_map(|(_, score)| score.sample.iter().take(most_rows)).collect();
    let batches = &handed.assessment.scores.batches;
    let lines = lines(deployment, batches, &rows, permission).await?;
    let indicators: Vec<Value> = asked
        .iter()
        .map(|(used, score)| {
            let mut indicator = json!(score);
            indicator["title"] = json!(used.title);
            indicator["unit"] = json!(used.unit);
            indicator["scoring"] = json!(used.scoring);
            indicator["scheme_weight"] = json!(used.weight);
            indicator["as_of"] = json!(used.as_of);
            indicator["formula"] = json!(formula(used, score));
            if let Some(fields) = indicator.as_object_mut() {
                fields.remove("sample");
            }
            let rows = score.sample.iter().take(most_rows).map(|row| with_line(row, batches, &lines));
            indicator["rows"] = Value::Array(rows.collect());
            indicator
        })
        .collect();
    let mut answer = handed.header();
    let mut put = |name: &str, value: Value| answer.insert(name.to_owned(), value);
    put("subject", json!(subject.code));
    put("subject_name", json!(subject.name));
    put("total", json!(subject.total));
    put("rank", json!(subject.rank));
    put("of", json!(handed.assessment.scores.subjects.iter().filter(|one| one.rank.is_some()).count()));
    put("grade", json!(subject.grade));
    put("capped", json!(subject.capped));
    put("provisional", json!(subject.provisional));
    let leads = handed.assessment.scores.leads.iter().filter(|lead| lead.subject == subject.code);
    put("leads", json!(leads.collect::<Vec<_>>()));
    put("indicators", Value::Array(indicators));
    Ok(Explained { json: Value::Object(answer) })
}

/// How an indicator's points come from its numbers, in one line.
fn formula(used: &IndicatorUsed, score: &IndicatorScore) -> String {
    let shown = |value: &Value| match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let Some(points) = &score.points else {
        return "不适用，权重由其他指标分担 not applicable: its weight is shared among the others".to_owned();
    };
    let weight = score.weight.as_ref().map_or_else(|| used.weight.to_string(), ToString::to_string);
    let value = match (&score.value, score.denominator.is_null()) {
        _ if !used.sector_weights.is_empty() => "分行业加权 weighed by sector".to_owned(),
        (Some(value), false) => format!("{} / {} = {value}", shown(&score.numerator), shown(&score.denominator)),
        (Some(value), true) => value.to_string(),
        (None, _) => "未达到，按最差计 not reached, scored as the worst".to_owned(),
    };
    format!("{value}; {} × {weight} → {points}", used.scoring)
}

/// The texts of landed records, by batch and number; or why one cannot be read any more.
type Lines = BTreeMap<(String, u64), Result<String, String>>;

fn with_line(row: &SampleRow, batches: &BTreeMap<String, LandedBatch>, lines: &Lines) -> Value {
    let mut shown = json!(row);
    let batch = row.batch_id.as_ref().and_then(|id| batches.get(id));
    let line = place(row).and_then(|place| lines.get(&place));
    shown["landed"] = json!({
        "feed_id": batch.map(|batch| &batch.feed_id),
        "object": batch.map(|batch| &batch.object),
        "landed_path": batch.map(|batch| &batch.landed_path),
        "sha256": batch.map(|batch| &batch.sha256),
        "line": line.and_then(|line| line.as_ref().ok()),
        "fault": line.and_then(|line| line.as_ref().err()),
    });
    shown
}

/// The batch and the number of a row's record.
fn place(row: &SampleRow) -> Option<(String, u64)> {
    Some((row.batch_id.clone()?, u64::try_from(row.row_no?).ok()?))
}

/// The landed line of every row, each file opened once.
async fn lines(
    deployment: &Arc<Deployment>,
    batches: &BTreeMap<String, LandedBatch>,
    rows: &[&SampleRow],
    permission: &Permission,
) -> Result<Lines, Problem> {
    if permission.may(Access::LandedLines).is_err() {
        return Ok(Lines::new());
    }
    let mut wanted: BTreeMap<String, BTreeSet<u64>> = BTreeMap::new();
    for (batch, row_no) in rows.iter().filter_map(|row| place(row)) {
        wanted.entry(batch).or_default().insert(row_no);
    }
    let found = wanted.into_iter().filter_map(|(id, row_nos)| Some((batches.get(&id)?.clone(), id, row_nos)));
    let read = found.map(|(batch, id, row_nos)| {
        let (deployment, sees_sensitive) = (Arc::clone(deployment), permission.sees_sensitive());
        tokio::task::spawn_blocking(move || {
            // What cannot be read is told at its row; the rest of the explanation stands.
            match texts(&deployment, &batch, &row_nos, sees_sensitive) {
                Ok(texts) => {
                    texts.into_iter().map(|(row_no, text)| ((id.clone(), row_no), Ok(text))).collect::<Lines>()
                }
                Err(problem) => {
                    // What failed inside is no business of a caller.
                    let fault = match problem.cause {
                        Some(_) => "报送文件无法读取 the landed file cannot be read".to_owned(),
                        None => problem.detail,
                    };
                    row_nos.iter().map(|row_no| ((id.clone(), *row_no), Err(fault.clone()))).collect()
                }
            }
        })
    });
    let mut lines = Lines::new();
    for one in futures::future::join_all(read).await {
        lines.extend(one.map_err(|error| Problem::internal(&error))?);
    }
    Ok(lines)
}

/// The records of a landed file as text; those of sensitive datasets only for who may see them.
fn texts(
    deployment: &Deployment,
    batch: &LandedBatch,
    row_nos: &BTreeSet<u64>,
    sees_sensitive: bool,
) -> Result<BTreeMap<u64, String>, Problem> {
    let contract = record::dataset(&batch.dataset)?;
    if is_sensitive(contract) && !sees_sensitive {
        return Ok(BTreeMap::new());
    }
    let (format, _) = reading(deployment, &batch.feed_id, contract)?;
    let landing = Landing::of(deployment.warehouse());
    let file = landing.open(&batch.landed_path).map_err(|error| Problem::internal(&causes(&error)))?;
    let records = records_at(file, &format, row_nos).map_err(|error| Problem::internal(&causes(&error)))?;
    Ok(records.into_iter().map(|(row_no, bytes)| (row_no, format.readable(&bytes))).collect())
}
