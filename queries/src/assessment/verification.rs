//! Proving a frozen assessment years later: every byte that it rests on, and every number.

use std::collections::BTreeMap;
use std::sync::Arc;

use anze_warehouse::assessments::frozen_path;
use anze_warehouse::session::Limits;
use anze_warehouse::{Release, Warehouse};
use datafusion::arrow::array::AsArray;
use datafusion::arrow::datatypes::DataType;
use datafusion::logical_expr::cast;
use datafusion::object_store::path::Path;
use datafusion::object_store::{GetResultPayload, ObjectStoreExt};
use datafusion::prelude::col;
use futures::TryStreamExt;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::book::{Book, Listed, definitions};
use super::difference::differences;
use super::document::{Assessment, DataFile};
use super::run::scores;
use super::seal::{self, NONE_BEFORE, hex};
use crate::error::{Error, ErrorKind, Result};

/// Numbers listed that differ; the last finding says how many more there are.
const MOST_NUMBERS: usize = 50;

/// What came out of a verification.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Verification {
    /// The assessment.
    pub assessment_id: String,
    /// Its number in the chain.
    pub number: u64,
    /// Its SHA-256 as it stands in the file.
    pub sha256: String,
    /// Whether nothing is wrong.
    pub sound: bool,
    /// Frozen assessments looked at: this one, all before it and the one after.
    pub frozen: u64,
    /// Data files looked at.
    pub data_files: u64,
    /// Landed files looked at.
    pub landed_files: u64,
    /// Bytes read.
    pub bytes: u64,
    /// Whether every number was computed once more.
    pub recomputed: bool,
    /// What is wrong.
    pub findings: Vec<Finding>,
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// What kind of thing.
    pub kind: FindingKind,
    /// Which: a path in the warehouse, or the place of a number.
    pub name: String,
    /// What is wrong with it.
    pub detail: String,
}

/// What kind of thing is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FindingKind {
    /// A frozen assessment was changed or is missing.
    FrozenAssessment,
    /// A frozen assessment does not name the one before it.
    Chain,
    /// The list of the release's tables was changed or is missing.
    Release,
    /// A data file was changed or is missing.
    DataFile,
    /// A landed file was changed or is missing.
    LandedFile,
    /// A metric is defined otherwise now.
    Definition,
    /// A number computed once more is another.
    Number,
    /// The numbers could not be computed once more.
    Recomputation,
}

impl FindingKind {
    /// What people read.
    pub fn title(self) -> &'static str {
        match self {
            Self::FrozenAssessment => "考核文件 frozen assessment",
            Self::Chain => "考核链 chain",
            Self::Release => "发布清单 release",
            Self::DataFile => "数据文件 data file",
            Self::LandedFile => "报送文件 landed file",
            Self::Definition => "指标定义 definition",
            Self::Number => "数值 number",
            Self::Recomputation => "重新计算 recomputation",
        }
    }
}

/// Proves a frozen assessment.
pub(super) async fn verify(book: &Book, listed: &Listed) -> Result<Verification> {
    let number = listed.number.unwrap_or_default();
    let mut found = Verification {
        assessment_id: listed.assessment_id.clone(),
        number,
        sha256: listed.sha256.clone().unwrap_or_default(),
        sound: false,
        frozen: 0,
        data_files: 0,
        landed_files: 0,
        bytes: 0,
        recomputed: false,
        findings: Vec::new(),
    };
    let assessment = chain(book, number, listed, &mut found).await?;
    if let Some(assessment) = assessment {
        release_and_files(book, &assessment, &mut found).await;
        landed_and_numbers(book, &assessment, &mut found).await;
    }
    found.sound = found.findings.is_empty();
    Ok(found)
}

impl Verification {
    fn find(&mut self, kind: FindingKind, name: impl Into<String>, detail: impl Into<String>) {
        self.findings.push(Finding { kind, name: name.into(), detail: detail.into() });
    }

    /// Looks at a file of which size and digest are known.
    async fn file(&mut self, warehouse: &Warehouse, kind: FindingKind, path: &str, expected: &str) {
        match hash(warehouse, path).await {
            Ok(Some((bytes, sha256))) => {
                self.bytes += bytes;
                if sha256 != expected {
                    self.find(kind, path, format!("its SHA-256 is {sha256}, and was {expected}"));
                }
            }
            Ok(None) => self.find(kind, path, "it is missing"),
            Err(error) => self.find(kind, path, format!("it cannot be read: {}", causes(&error))),
        }
    }
}

/// Walks the chain from the first to the one after this; what this one says, as far as it can be read.
async fn chain(book: &Book, number: u64, listed: &Listed, found: &mut Verification) -> Result<Option<Assessment>> {
    let kept = book.kept();
    let mut previous = NONE_BEFORE.to_owned();
    let mut own = None;
    let last = kept.frozen_numbers().await?.last().copied().unwrap_or_default().min(number + 1).max(number);
    for at in 1..=last {
        let path = frozen_path(at);
        let Some(bytes) = kept.frozen(at).await? else {
            found.find(FindingKind::FrozenAssessment, path, "it is missing");
            previous = String::new();
            continue;
        };
        found.frozen += 1;
        found.bytes += bytes.len() as u64;
        let opened = seal::open(&bytes);
        if let Some(fault) = &opened.fault {
            found.find(FindingKind::FrozenAssessment, path.clone(), fault.clone());
        }
        if let Some(assessment) = &opened.assessment {
            let named = assessment.previous.clone().unwrap_or_default();
            if named != previous && !previous.is_empty() && opened.fault.is_none() {
                let detail = format!("it names {named} as the one before it, which is {previous}");
                found.find(FindingKind::Chain, path.clone(), detail);
            }
        }
        previous = opened.sha256.clone();
        if at == number {
            found.sha256 = opened.sha256.clone();
            if listed.sha256.as_ref() != Some(&opened.sha256) {
                let detail = format!(
                    "the book says its SHA-256 is {}, the file {}",
                    listed.sha256.as_deref().unwrap_or("none"),
                    opened.sha256
                );
                found.find(FindingKind::FrozenAssessment, path, detail);
            }
            own = opened.assessment;
        }
    }
    Ok(own)
}

/// The release's own list of tables, and every data file, against what was frozen.
async fn release_and_files(book: &Book, assessment: &Assessment, found: &mut Verification) {
    let number = assessment.release.release;
    let path = format!("releases/{number:010}.json");
    match book.warehouse.store().read(&path).await {
        Ok(Some(bytes)) => match serde_json::from_slice::<anze_warehouse::release::Manifest>(&bytes) {
            Ok(manifest) => {
                let pinned = &assessment.release;
                let same = manifest.tables == pinned.tables
                    && manifest.day == pinned.day
                    && manifest.published_at == pinned.published_at
                    && manifest.contracts == pinned.contracts;
                if !same {
                    found.find(FindingKind::Release, path, "it is not the list that was pinned");
                }
            }
            Err(error) => found.find(FindingKind::Release, path, format!("it cannot be read: {error}")),
        },
        Ok(None) => found.find(FindingKind::Release, path, "it is missing"),
        Err(error) => found.find(FindingKind::Release, path, format!("it cannot be read: {error}")),
    }
    for file in &assessment.files {
        found.data_files += 1;
        found.file(&book.warehouse, FindingKind::DataFile, &file.path, &file.sha256).await;
    }
}

/// Every landed file that the release knows, and every number computed once more.
async fn landed_and_numbers(book: &Book, assessment: &Assessment, found: &mut Verification) {
    let release = match book.release(assessment).await {
        Ok(release) => release,
        Err(error) => {
            found.find(FindingKind::Release, format!("release {}", assessment.release.release), causes(&error));
            return;
        }
    };
    let named: Vec<String> = files_of(&release).into_keys().collect();
    let frozen: Vec<&String> = assessment.files.iter().map(|file| &file.path).collect();
    for stranger in named.iter().filter(|path| !frozen.contains(path)) {
        found.find(
            FindingKind::Release,
            stranger.clone(),
            "the release names this file now, and did not when it was frozen",
        );
    }
    match landed_files(&release).await {
        Ok(files) => {
            for (path, sha256) in files {
                found.landed_files += 1;
                found.file(&book.warehouse, FindingKind::LandedFile, &path, &sha256).await;
            }
        }
        Err(error) => found.find(FindingKind::Recomputation, "system.batch", causes(&error)),
    }
    let scheme = match book.scheme_of(assessment) {
        Ok(scheme) => scheme,
        Err(error) => return found.find(FindingKind::Recomputation, &assessment.scheme.id, causes(&error)),
    };
    for now in definitions(&book.catalogue, &scheme) {
        if assessment.definitions.iter().any(|then| then.metric == now.metric && then.sha256 != now.sha256) {
            let detail = format!("it is defined otherwise than in version {} of the program", assessment.program);
            found.find(FindingKind::Definition, now.metric, detail);
        }
    }
    let again = scores(&book.catalogue, &release, &scheme, &assessment.period, assessment.reviews_until).await;
    match again {
        Ok(again) => {
            found.recomputed = true;
            let differences = differences(&assessment.scores, &again);
            for difference in differences.iter().take(MOST_NUMBERS) {
                let text = |side: &Option<String>| side.clone().unwrap_or_else(|| "missing".to_owned());
                let detail = format!("frozen {}, computed {}", text(&difference.first), text(&difference.second));
                found.find(FindingKind::Number, difference.place.clone(), detail);
            }
            if differences.len() > MOST_NUMBERS {
                let more = differences.len() - MOST_NUMBERS;
                found.find(FindingKind::Number, "…", format!("{more} more numbers differ"));
            }
        }
        Err(error) => found.find(FindingKind::Recomputation, &assessment.scheme.id, causes(&error)),
    }
}

/// Every data file of a release, with its digest.
pub(super) async fn data_files(warehouse: &Warehouse, release: &Arc<Release>) -> Result<Vec<DataFile>> {
    let mut files = Vec::new();
    for (path, _) in files_of(release) {
        let hashed = hash(warehouse, &path).await?;
        let (bytes, sha256) = hashed.ok_or_else(|| {
            let message = format!("{path} is missing, and release {} names it", release.number());
            Error::new(ErrorKind::Internal, message)
        })?;
        files.push(DataFile { path, bytes, sha256 });
    }
    Ok(files)
}

/// Paths and sizes of the data files of a release, in order.
fn files_of(release: &Release) -> BTreeMap<String, u64> {
    let versions = release.versions().iter();
    let named = versions.flat_map(|version| {
        let folder = version.name.path();
        version.files.iter().map(move |file| (format!("{folder}/{}", file.path), file.size))
    });
    named.collect()
}

/// The landed files of a release's batches: path and digest.
async fn landed_files(release: &Arc<Release>) -> Result<BTreeMap<String, String>> {
    let session = release.session(&Limits::default())?;
    let text = |name: &str| cast(col(name), DataType::Utf8);
    let batches = session.table("system.batch").await?.select(vec![text("landed_path"), text("sha256")])?;
    let mut files = BTreeMap::new();
    for batch in batches.collect().await? {
        let (paths, digests) = (batch.column(0).as_string::<i32>(), batch.column(1).as_string::<i32>());
        files.extend(
            paths.iter().zip(digests).filter_map(|(path, digest)| Some((path?.to_owned(), digest?.to_owned()))),
        );
    }
    Ok(files)
}

/// Size and SHA-256 of a file in the warehouse; none where it is missing.
async fn hash(warehouse: &Warehouse, path: &str) -> Result<Option<(u64, String)>> {
    let unreadable = |error: datafusion::object_store::Error| Error::from(anze_warehouse::Error::from(error));
    let got = match warehouse.store().inside().get(&Path::from(path)).await {
        Ok(got) => got,
        Err(datafusion::object_store::Error::NotFound { .. }) => return Ok(None),
        Err(error) => return Err(unreadable(error)),
    };
    match got.payload {
        GetResultPayload::File(file, _) => {
            let hashed = tokio::task::spawn_blocking(move || of_reader(file)).await;
            let hashed = hashed
                .map_err(|error| Error::new(ErrorKind::Internal, "a file was not read to its end").because(error))?;
            hashed.map(Some).map_err(|error| Error::new(ErrorKind::Internal, "a file cannot be read").because(error))
        }
        GetResultPayload::Stream(mut stream) => {
            let (mut bytes, mut digest) = (0, Sha256::new());
            while let Some(part) = stream.try_next().await.map_err(unreadable)? {
                bytes += part.len() as u64;
                digest.update(&part);
            }
            Ok(Some((bytes, hex(&digest.finalize()))))
        }
    }
}

fn of_reader(mut file: std::fs::File) -> std::io::Result<(u64, String)> {
    use std::io::Read;
    let mut buffer = vec![0; 1 << 20];
    let (mut bytes, mut digest) = (0, Sha256::new());
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok((bytes, hex(&digest.finalize()))),
            read => {
                bytes += read as u64;
                digest.update(&buffer[..read]);
            }
        }
    }
}

/// An error with its causes: whoever verifies must know what exactly failed.
fn causes(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}
