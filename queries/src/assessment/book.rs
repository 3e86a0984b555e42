//! The book of assessments: drafts that may be dropped, and frozen ones in a chain that never change.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use anze_warehouse::assessments::Assessments;
use anze_warehouse::live::LiveRow;
use anze_warehouse::{Release, Warehouse};
use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::document::{Assessment, Definition, Period, Pinned, SampleRow, SchemeUsed, Scores, State};
use super::measured::samples;
use super::period::period;
use super::run::scores;
use super::scheme::{Scheme, Schemes, SubjectKind};
use super::seal::{self, NONE_BEFORE, seal, sha256};
use super::succession::{Compared, Succession, succession};
use super::verification::{self, Verification, data_files};
use crate::catalogue::Catalogue;
use crate::embedded;
use crate::error::{Error, ErrorKind, Result};

/// The assessments of a warehouse.
#[derive(Clone)]
pub struct Book {
    pub(super) warehouse: Arc<Warehouse>,
    pub(super) catalogue: Arc<Catalogue>,
}

/// What is asked to be assessed.
#[derive(Debug, Clone)]
pub struct Asked {
    /// The scheme.
    pub scheme: String,
    /// First day of the period; of the last one that is over by default.
    pub from: Option<NaiveDate>,
    /// First day after it; the period's end by default.
    pub to: Option<NaiveDate>,
    /// Other subjects than the scheme's.
    pub subjects: Option<SubjectKind>,
    /// The assessment that this one corrects.
    pub succeeds: Option<String>,
    /// Who asks.
    pub by: String,
    /// When.
    pub at: DateTime<Utc>,
}

/// An assessment in a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listed {
    /// Its name.
    pub assessment_id: String,
    /// Draft or frozen.
    pub state: State,
    /// The scheme's title.
    pub title: String,
    /// The scheme.
    pub scheme: String,
    /// Its version.
    pub scheme_version: u32,
    /// Who is assessed.
    pub subjects: SubjectKind,
    /// Name of the period.
    pub period: String,
    /// First day.
    pub from: NaiveDate,
    /// First day after it.
    pub to: NaiveDate,
    /// The release.
    pub release: u64,
    /// When it was computed.
    pub created_at: DateTime<Utc>,
    /// By whom.
    pub created_by: String,
    /// When it was frozen.
    pub frozen_at: Option<DateTime<Utc>>,
    /// By whom.
    pub frozen_by: Option<String>,
    /// Its number among the frozen ones.
    pub number: Option<u64>,
    /// SHA-256 of its frozen content.
    pub sha256: Option<String>,
    /// SHA-256 of the frozen one before it.
    pub previous: Option<String>,
    /// The assessment that it corrects.
    pub succeeds: Option<String>,
}

/// What stands in the entry of an assessment.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Entry {
    Draft(Box<Assessment>),
    Frozen(Box<Listed>),
    Dropped { by: String, at: DateTime<Utc> },
}

impl Book {
    /// The book of a warehouse.
    pub fn new(warehouse: Arc<Warehouse>, catalogue: Arc<Catalogue>) -> Self {
        Self { warehouse, catalogue }
    }

    /// Computes a scheme on a release and keeps nothing.
    ///
    /// # Errors
    /// Question, where what is asked cannot be assessed.
    pub async fn compute(&self, schemes: &Schemes, release: &Arc<Release>, asked: &Asked) -> Result<Assessment> {
        let scheme = schemes.expect(&asked.scheme)?;
        let scheme = match asked.subjects {
            Some(subjects) => scheme.of_subjects(subjects, &self.catalogue)?,
            None => scheme.clone(),
        };
        let period = period(&scheme, asked.from, asked.to, release.day())?;
        let scores = scores(&self.catalogue, release, &scheme, &period, asked.at).await?;
        let mut assessment = self.document(&scheme, release, period, scores, asked);
        if let Some(id) = &asked.succeeds {
            assessment.succeeds = Some(self.moved_since(id, &scheme, release, &assessment).await?);
        }
        Ok(assessment)
    }

    /// Computes a scheme on a release and keeps it as a draft, whose release is pinned.
    ///
    /// # Errors
    /// As [`Book::compute`]; Internal, where it cannot be kept.
    pub async fn run(&self, schemes: &Schemes, release: &Arc<Release>, asked: &Asked) -> Result<Assessment> {
        let mut assessment = self.compute(schemes, release, asked).await?;
        let kept = self.kept();
        loop {
            assessment.id = next_id(&kept, &assessment.scheme.id).await?;
            kept.pin(assessment.release.release, &assessment.id).await?;
            let bytes = written(&Entry::Draft(Box::new(assessment.clone())))?;
            if kept.create_entry(&assessment.id, bytes).await? {
                self.note(&[listed(&assessment, None)])?;
                return Ok(assessment);
            }
            // Somebody else took the name meanwhile, perhaps for the same release: its pin stays.
        }
    }

    /// Every assessment that was not dropped, the newest first.
    ///
    /// # Errors
    /// Internal.
    pub async fn list(&self) -> Result<Vec<Listed>> {
        let mut found = Vec::new();
        for id in self.kept().ids().await? {
            match self.entry(&id).await? {
                Some(Entry::Draft(assessment)) => found.push(listed(&assessment, None)),
                Some(Entry::Frozen(listed)) => found.push(*listed),
                Some(Entry::Dropped { .. }) | None => {}
            }
        }
        found.sort_by(|a, b| (b.created_at, &b.assessment_id).cmp(&(a.created_at, &a.assessment_id)));
        Ok(found)
    }

    /// An assessment by its id, with its SHA-256 where it is frozen.
    ///
    /// # Errors
    /// Question, where there is none; Internal, where the frozen file is damaged: verify then says how.
    pub async fn get(&self, id: &str) -> Result<(Assessment, Option<String>)> {
        match self.entry(id).await? {
            Some(Entry::Draft(assessment)) => Ok((*assessment, None)),
            Some(Entry::Frozen(listed)) => {
                let number = listed.number.unwrap_or_default();
                let path = anze_warehouse::assessments::frozen_path(number);
                let damaged = |fault: &str| {
                    Error::new(
                        ErrorKind::Internal,
                        format!("{path} is damaged: {fault}; anze assess verify {id} says more"),
                    )
                };
                let bytes = self.kept().frozen(number).await?.ok_or_else(|| damaged("it is missing"))?;
                let opened = seal::open(&bytes);
                match (opened.fault, opened.assessment) {
                    (None, Some(assessment)) => Ok((assessment, Some(opened.sha256))),
                    (fault, _) => Err(damaged(&fault.unwrap_or_default())),
                }
            }
            Some(Entry::Dropped { by, at }) => {
                Err(Error::question(format!("the draft {id} was dropped by {by} at {at}")))
            }
            None => Err(Error::question(format!("no assessment `{id}`; anze assess list shows what there is"))),
        }
    }

    /// Freezes a draft: its numbers are computed once more and must be the same, its data files are hashed,
    /// and it joins the chain. A frozen one stays as it is. The caller holds the writer's lease.
    ///
    /// # Errors
    /// Question: no such draft, a period that is not over, or numbers that are no longer those of its data.
    pub async fn freeze(&self, id: &str, by: &str, at: DateTime<Utc>) -> Result<(Assessment, String)> {
        static FREEZING: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());
        let _one_at_a_time = FREEZING.lock().await;
        self.finish_torn().await?;
        let (mut assessment, sha256) = self.get(id).await?;
        if let Some(sha256) = sha256 {
            return Ok((assessment, sha256));
        }
        if assessment.period.partial {
            let message =
                format!("{id} is about a part of {} only: a period is frozen when it is over", assessment.period.name);
            return Err(Error::question(message));
        }
        let release = self.release(&assessment).await?;
        let scheme = self.scheme_of(&assessment)?;
        let again = scores(&self.catalogue, &release, &scheme, &assessment.period, assessment.reviews_until).await?;
        if let Some(first) = super::difference::differences(&assessment.scores, &again).first() {
            let message = format!(
                "{id} no longer says what its data say: {} was {} and is {}; run the scheme again",
                first.place,
                first.first.as_deref().unwrap_or("missing"),
                first.second.as_deref().unwrap_or("missing"),
            );
            return Err(Error::question(message));
        }
        assessment.files = data_files(&self.warehouse, &release).await?;
        assessment.state = State::Frozen;
        assessment.frozen_at = Some(at);
        assessment.frozen_by = Some(by.to_owned());
        let kept = self.kept();
        loop {
            let (number, previous) = self.chain_end().await?;
            assessment.number = Some(number + 1);
            assessment.previous = Some(previous);
            let (bytes, sha256) = seal(&assessment)?;
            if kept.create_frozen(number + 1, bytes).await? {
                self.index(&assessment, &sha256).await?;
                return Ok((assessment, sha256));
            }
        }
    }

    /// Drops a draft and lets its release go.
    ///
    /// # Errors
    /// Question, where there is no such draft, or it is frozen.
    pub async fn drop_draft(&self, id: &str, by: &str, at: DateTime<Utc>) -> Result<()> {
        let (assessment, frozen) = self.get(id).await?;
        if frozen.is_some() {
            return Err(Error::question(format!("{id} is frozen: it never changes and is never dropped")));
        }
        let kept = self.kept();
        kept.replace_entry(id, written(&Entry::Dropped { by: by.to_owned(), at })?).await?;
        kept.unpin(assessment.release.release, id).await?;
        let mut row = row(&listed(&assessment, None));
        row.insert("state".to_owned(), json!("dropped"));
        self.warehouse.live("assessment")?.append(&[row])?;
        Ok(())
    }

    /// Proves a frozen assessment: its bytes, the chain, every data file and landed file of its release, and
    /// every number computed once more. Findings name what is wrong.
    ///
    /// # Errors
    /// Question, where there is no such frozen assessment.
    pub async fn verify(&self, id: &str) -> Result<Verification> {
        match self.entry(id).await? {
            Some(Entry::Frozen(listed)) => verification::verify(self, &listed).await,
            Some(Entry::Draft(_)) => Err(Error::question(format!("{id} is a draft; freeze it first"))),
            Some(Entry::Dropped { .. }) | None => Err(Error::question(format!("no frozen assessment `{id}`"))),
        }
    }

    /// The rows of an indicator's gap, or of its numerator where nothing can be missing: so many of each
    /// subject, in the order of evidence.
    ///
    /// # Errors
    /// Question, where the assessment has no such indicator.
    pub async fn evidence(
        &self,
        assessment: &Assessment,
        metric: &str,
        most: usize,
    ) -> Result<HashMap<String, Vec<SampleRow>>> {
        let (scheme, release) = (self.scheme_of(assessment)?, self.release(assessment).await?);
        let indicator = scheme.indicators.iter().find(|indicator| indicator.metric == metric);
        let indicator = indicator.ok_or_else(|| Error::question(format!("no indicator `{metric}`")))?;
        let observed = crate::session::observed(&release, None).await?;
        samples(&self.catalogue, &observed, assessment.subjects, indicator, &assessment.period, most).await
    }

    /// The scheme of an assessment, for its subjects.
    pub(super) fn scheme_of(&self, assessment: &Assessment) -> Result<Scheme> {
        let scheme = Scheme::from_text(&assessment.scheme.id, &assessment.scheme.text, &self.catalogue)?;
        scheme.of_subjects(assessment.subjects, &self.catalogue)
    }

    /// The pinned release of an assessment.
    ///
    /// # Errors
    /// Internal, where it is not there any more.
    pub async fn release(&self, assessment: &Assessment) -> Result<Arc<Release>> {
        let number = assessment.release.release;
        self.warehouse.release(number).await?.ok_or_else(|| {
            Error::new(ErrorKind::Internal, format!("the pinned release {number} of {} is missing", assessment.id))
        })
    }

    pub(super) fn kept(&self) -> Assessments {
        self.warehouse.assessments()
    }

    async fn entry(&self, id: &str) -> Result<Option<Entry>> {
        let Some(bytes) = self.kept().entry(id).await? else { return Ok(None) };
        serde_json::from_slice(&bytes).map(Some).map_err(|error| {
            Error::new(ErrorKind::Internal, format!("assessments/entries/{id}.json is damaged")).because(error)
        })
    }

    async fn moved_since(
        &self,
        id: &str,
        scheme: &Scheme,
        release: &Arc<Release>,
        new: &Assessment,
    ) -> Result<Succession> {
        let (old, sha256) = self.get(id).await?;
        let (old_release, old_scheme) = (self.release(&old).await?, self.scheme_of(&old)?);
        let before = Compared { assessment: &old, scheme: &old_scheme, release: &old_release };
        let after = Compared { assessment: new, scheme, release };
        succession(&self.catalogue, &before, sha256, &after).await
    }

    /// What moved between two kept assessments, and why.
    ///
    /// # Errors
    /// Question, where they are not about the same subjects and period.
    pub async fn difference(&self, before: &str, after: &str) -> Result<Succession> {
        let (new, _) = self.get(after).await?;
        let (release, scheme) = (self.release(&new).await?, self.scheme_of(&new)?);
        self.moved_since(before, &scheme, &release, &new).await
    }

    fn document(
        &self,
        scheme: &Scheme,
        release: &Release,
        period: Period,
        scores: Scores,
        asked: &Asked,
    ) -> Assessment {
        let manifest = release.manifest();
        Assessment {
            id: String::new(),
            state: State::Draft,
            title: scheme.title.clone(),
            subjects: scheme.subjects,
            period,
            scheme: SchemeUsed {
                id: scheme.id.clone(),
                version: scheme.version,
                sha256: sha256(scheme.text.as_bytes()),
                text: scheme.text.clone(),
            },
            release: Pinned {
                release: manifest.release,
                published_at: manifest.published_at,
                day: manifest.day,
                contracts: manifest.contracts.clone(),
                tables: manifest.tables.clone(),
            },
            reviews_until: asked.at,
            program: env!("CARGO_PKG_VERSION").to_owned(),
            definitions: definitions(&self.catalogue, scheme),
            created_at: asked.at,
            created_by: asked.by.clone(),
            frozen_at: None,
            frozen_by: None,
            number: None,
            previous: None,
            succeeds: None,
            scores,
            files: Vec::new(),
        }
    }

    /// The number and digest of the last frozen assessment.
    async fn chain_end(&self) -> Result<(u64, String)> {
        let kept = self.kept();
        match kept.frozen_numbers().await?.last() {
            None => Ok((0, NONE_BEFORE.to_owned())),
            Some(number) => {
                let bytes = kept.frozen(*number).await?.unwrap_or_default();
                Ok((*number, seal::open(&bytes).sha256))
            }
        }
    }

    /// A crash between the creation of a frozen file and its entry leaves the last one without: it is
    /// finished here, so that no draft is frozen twice.
    async fn finish_torn(&self) -> Result<()> {
        let kept = self.kept();
        let Some(number) = kept.frozen_numbers().await?.last().copied() else { return Ok(()) };
        let opened = seal::open(&kept.frozen(number).await?.unwrap_or_default());
        let Some(assessment) = opened.assessment.filter(|_| opened.fault.is_none()) else { return Ok(()) };
        match self.entry(&assessment.id).await? {
            Some(Entry::Draft(_)) | None => self.index(&assessment, &opened.sha256).await,
            Some(Entry::Frozen(_) | Entry::Dropped { .. }) => Ok(()),
        }
    }

    /// Enters a frozen assessment where it is looked for by id, and in the tables.
    async fn index(&self, assessment: &Assessment, sha256: &str) -> Result<()> {
        let listed = listed(assessment, Some(sha256.to_owned()));
        self.kept().replace_entry(&assessment.id, written(&Entry::Frozen(Box::new(listed.clone())))?).await?;
        self.warehouse.live("assessment_score")?.append(&score_rows(assessment))?;
        self.note(&[listed])
    }

    /// Writes rows of `system.assessment`.
    fn note(&self, listed: &[Listed]) -> Result<()> {
        let rows: Vec<LiveRow> = listed.iter().map(row).collect();
        Ok(self.warehouse.live("assessment")?.append(&rows)?)
    }
}

/// The next free name of a scheme's assessments.
async fn next_id(kept: &Assessments, scheme: &str) -> Result<String> {
    let prefix = format!("{scheme}-");
    let numbers = kept.ids().await?;
    let numbers = numbers.iter().filter_map(|id| id.strip_prefix(&prefix)?.parse::<u64>().ok());
    Ok(format!("{prefix}{:04}", numbers.max().unwrap_or_default() + 1))
}

fn written(entry: &Entry) -> Result<Vec<u8>> {
    serde_json::to_vec(entry)
        .map_err(|error| Error::new(ErrorKind::Internal, "an entry cannot be written").because(error))
}

/// The metrics of a scheme as they are defined now, and the shared terms.
pub(super) fn definitions(catalogue: &Catalogue, scheme: &Scheme) -> Vec<Definition> {
    let gates = scheme.indicators.iter().filter_map(|indicator| indicator.gate.as_ref()).map(|gate| &gate.metric);
    let ids = scheme.indicators.iter().map(|indicator| &indicator.metric).chain(gates);
    let mut found: BTreeMap<String, String> = BTreeMap::new();
    for metric in ids.filter_map(|id| catalogue.metric(id)) {
        let defaults: Vec<String> =
            metric.params.iter().map(|param| format!("{}={}", param.name, param.default_text())).collect();
        let decides =
            json!([metric.sql, metric.unit.name(), metric.kind, metric.rules, format!("{:?}", metric.value), defaults]);
        found.insert(metric.id.clone(), sha256(decides.to_string().as_bytes()));
    }
    let marts: Vec<(&str, &str)> = embedded::MARTS.iter().copied().filter(|(file, _)| file.ends_with(".sql")).collect();
    found.insert("marts".to_owned(), sha256(json!(marts).to_string().as_bytes()));
    if !scheme.vetoes.is_empty() {
        let leads: Vec<(&str, &str)> =
            embedded::LEADS.iter().copied().filter(|(file, _)| !file.ends_with(".test.toml")).collect();
        found.insert("leads".to_owned(), sha256(json!(leads).to_string().as_bytes()));
    }
    found.into_iter().map(|(metric, sha256)| Definition { metric, sha256 }).collect()
}

/// An assessment as lists show it.
pub(super) fn listed(assessment: &Assessment, sha256: Option<String>) -> Listed {
    Listed {
        assessment_id: assessment.id.clone(),
        state: assessment.state,
        title: assessment.title.clone(),
        scheme: assessment.scheme.id.clone(),
        scheme_version: assessment.scheme.version,
        subjects: assessment.subjects,
        period: assessment.period.name.clone(),
        from: assessment.period.from,
        to: assessment.period.to,
        release: assessment.release.release,
        created_at: assessment.created_at,
        created_by: assessment.created_by.clone(),
        frozen_at: assessment.frozen_at,
        frozen_by: assessment.frozen_by.clone(),
        number: assessment.number,
        sha256,
        previous: assessment.previous.clone(),
        succeeds: assessment.succeeds.as_ref().map(|succession| succession.id.clone()),
    }
}

/// A row of `system.assessment`.
fn row(listed: &Listed) -> LiveRow {
    let Ok(Value::Object(row)) = serde_json::to_value(listed) else { return LiveRow::new() };
    // `from` and `to` are words of SQL.
    let column = |name: String| match name.as_str() {
        "from" | "to" => format!("period_{name}"),
        _ => name,
    };
    row.into_iter().map(|(name, value)| (column(name), value)).collect()
}

/// The rows of `system.assessment_score`: each subject's total, and each of its indicators.
fn score_rows(assessment: &Assessment) -> Vec<LiveRow> {
    let mut rows = Vec::new();
    for subject in &assessment.scores.subjects {
        let common = json!({
            "assessment_id": assessment.id, "subject": subject.code, "subject_name": subject.name,
        });
        let with = |further: Value| {
            let mut row = common.as_object().cloned().unwrap_or_default();
            row.extend(further.as_object().cloned().unwrap_or_default());
            row
        };
        rows.push(with(json!({
            "metric_id": "", "points": subject.total, "rank": subject.rank, "grade": subject.grade,
            "provisional": subject.is_provisional(),
        })));
        for indicator in &subject.indicators {
            rows.push(with(json!({
                "metric_id": indicator.metric,
                "numerator": shown(&indicator.numerator),
                "denominator": shown(&indicator.denominator),
                "value": indicator.value.as_ref().map(|value| cut(&value.to_string())),
                "weight": indicator.weight,
                "points": indicator.points,
                "provisional": !indicator.provisional.is_empty(),
            })));
        }
    }
    rows
}

/// A kept sum as the decimal of a table.
fn shown(kept: &Value) -> Value {
    match kept {
        Value::String(text) => json!(cut(text)),
        Value::Number(number) => json!(number.to_string()),
        _ => Value::Null,
    }
}

/// At most nine digits after the point, as the table keeps; the document has them all.
fn cut(text: &str) -> String {
    match super::exact::Exact::parse(text) {
        Some(exact) => exact.to_digits(9).to_string(),
        None => text.to_owned(),
    }
}
