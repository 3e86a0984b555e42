//! One deployment, opened: settings, warehouse, catalogue, feeds, tokens. What the other crates are
//! called is known here and nowhere else in the binary.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anze_ingest::feed::Feeds;
use anze_queries::assessment::{Book, Schemes};
use anze_queries::{Catalogue, QueryLimits};
use anze_warehouse::reading::Reading;
use anze_warehouse::session::Limits;
use anze_warehouse::store::Store;
use anze_warehouse::{Release, Warehouse};
use sha2::{Digest, Sha256};

use crate::definition;
use crate::place;
use crate::problem::Problem;
use crate::release_choice::ReleaseChoice;
use crate::settings::Settings;
use crate::token::{Token, TokenFile};

/// For this long the newest release is taken for the newest without looking again.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// A deployment, opened for reading.
pub struct Deployment {
    dir: PathBuf,
    settings: Settings,
    warehouse: Arc<Warehouse>,
    catalogue: Arc<Catalogue>,
    schemes: Arc<Schemes>,
    tokens: TokenFile,
    definitions: [u8; 32],
    newest: Mutex<Option<(Instant, Arc<Release>)>>,
}

impl Deployment {
    /// Opens the deployment in a folder: settings, catalogue and warehouse must be sound.
    pub fn open(dir: &Path) -> anyhow::Result<Self> {
        let settings = Settings::load(dir)?;
        Self::with_settings(dir, settings)
    }

    /// Opens a deployment whose settings were read, and perhaps changed, before.
    pub fn with_settings(dir: &Path, settings: Settings) -> anyhow::Result<Self> {
        let catalogue = Arc::new(catalogue(dir)?);
        let schemes = Arc::new(schemes(dir, &catalogue)?);
        let store = place::warehouse(dir, &settings)?;
        let tokens = TokenFile::of(&store);
        let warehouse = Warehouse::at(store, reading(&settings));
        let definitions = definitions(&catalogue, &settings);
        let newest = Mutex::new(None);
        Ok(Self { dir: dir.to_owned(), settings, warehouse, catalogue, schemes, tokens, definitions, newest })
    }

    /// The folder it lies in.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// What `anze.toml` says.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The tables and releases.
    pub fn warehouse(&self) -> &Arc<Warehouse> {
        &self.warehouse
    }

    /// The metrics.
    pub fn catalogue(&self) -> &Arc<Catalogue> {
        &self.catalogue
    }

    /// The schemes of assessments.
    pub fn schemes(&self) -> &Arc<Schemes> {
        &self.schemes
    }

    /// The assessments.
    pub fn book(&self) -> Book {
        Book::new(Arc::clone(&self.warehouse), Arc::clone(&self.catalogue))
    }

    /// What the metrics mean, as a digest: program, own definitions, published cells.
    pub fn definitions(&self) -> [u8; 32] {
        self.definitions
    }

    /// Who may call.
    pub fn tokens(&self) -> &TokenFile {
        &self.tokens
    }

    /// What all readings of tables may use together.
    pub fn limits(&self) -> Limits {
        self.warehouse.limits().clone()
    }

    /// What one statement may use.
    pub fn sql_limits(&self) -> QueryLimits {
        let query = &self.settings.query;
        QueryLimits { time: query.deadline.0, rows: query.rows as u64 }
    }

    /// The feeds as their files say now.
    pub fn feeds(&self) -> anyhow::Result<Feeds> {
        Ok(Feeds::load(&self.dir)?)
    }

    /// Writes the tokens, without their hashes, where SQL reads them: `system.token`.
    pub fn note_tokens(store: Store, file: &TokenFile) -> anyhow::Result<()> {
        let rows: Vec<_> = file.tokens()?.iter().filter_map(system_row).collect();
        Ok(Warehouse::at(store, Reading::default()).live("token")?.replace(&rows)?)
    }

    /// The release that a question is about.
    pub async fn release(&self, choice: ReleaseChoice) -> Result<Arc<Release>, Problem> {
        let found = match choice {
            ReleaseChoice::Latest => return self.newest().await?.ok_or_else(Problem::no_release),
            ReleaseChoice::Number(number) => self.warehouse.release(number).await?,
            ReleaseChoice::KnownAt(known_at) => self.warehouse.release_known_at(known_at.0).await?,
        };
        found.ok_or_else(|| {
            let asked = match choice {
                ReleaseChoice::Number(number) => format!("there is no release {number}"),
                _ => "nothing was published by then".to_owned(),
            };
            Problem::not_found("no_such_release", format!("{asked}; anze releases list shows what there is"))
        })
    }

    /// The newest release, if anything is published.
    pub async fn newest(&self) -> Result<Option<Arc<Release>>, Problem> {
        let known = self.newest.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some((looked_at, release)) = known
            && looked_at.elapsed() < LOOK_AGAIN
        {
            return Ok(Some(release));
        }
        let found = self.warehouse.latest().await?;
        if let Some(release) = &found {
            let known = (Instant::now(), Arc::clone(release));
            *self.newest.lock().unwrap_or_else(PoisonError::into_inner) = Some(known);
        }
        Ok(found)
    }

    /// Looks again for the newest release at the next question; called after one was published.
    pub fn forget_newest(&self) {
        *self.newest.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

fn system_row(token: &Token) -> Option<anze_warehouse::live::LiveRow> {
    let regions: Vec<String> = token.scope.regions.iter().map(ToString::to_string).collect();
    let listed = |list: &[String]| (!list.is_empty()).then(|| list.join(","));
    let at = |at: chrono::DateTime<chrono::Utc>| at.to_rfc3339();
    let row = serde_json::json!({
        "token_id": token.id,
        "role": token.role,
        "regions": listed(&regions),
        "sectors": listed(&token.scope.sectors),
        "insurers": listed(&token.scope.insurers),
        "feeds": listed(&token.scope.feeds),
        "sees_sensitive": token.permission().sees_sensitive(),
        "created_at": at(token.created_at),
        "expires_at": token.expires_at.map(at),
        "revoked_at": token.revoked_at.map(at),
    });
    row.as_object().cloned()
}

/// A digest of what answers mean: another meaning must have another ETag.
fn definitions(catalogue: &Catalogue, settings: &Settings) -> [u8; 32] {
    let mut hash = Sha256::new();
    let mut add = |text: &str| {
        hash.update(text);
        hash.update([0]);
    };
    add(env!("CARGO_PKG_VERSION"));
    for metric in catalogue.metrics() {
        add(&definition::of(metric).to_string());
        add(&metric.sql);
    }
    settings.public.metrics.iter().for_each(|metric| add(metric));
    add(&settings.deployment.province);
    hash.finalize().into()
}

/// How releases are read, metrics included.
fn reading(settings: &Settings) -> Reading {
    Reading { limits: Limits::of_memory(settings.query.memory.size()), province: settings.deployment.province.clone() }
}

/// The built-in metrics and those of the deployment.
pub fn catalogue(dir: &Path) -> anyhow::Result<Catalogue> {
    let own = dir.join("metrics");
    Ok(Catalogue::load(own.is_dir().then_some(own.as_path()))?)
}

/// The schemes inside the binary and those of the deployment.
pub fn schemes(dir: &Path, catalogue: &Catalogue) -> anyhow::Result<Schemes> {
    let own = dir.join("schemes");
    Ok(Schemes::load(own.is_dir().then_some(own.as_path()), catalogue)?)
}
