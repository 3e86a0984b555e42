//! Landing: the bytes, unchanged, under their SHA-256, synced, before anything looks at them.
//!
//! A landed file lies at `landed/<first two>/<sha256>`. A delivery that is not in a release yet
//! has a note in `pending/`; what was landed and not loaded at a crash is loaded by the next run.

use std::fs::{self, File};
use std::io::{BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use anze_warehouse::Warehouse;
use anze_warehouse::store::Store;
use bytes::Bytes;
use chrono::{DateTime, Utc};
use futures::{Stream, StreamExt};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::error::{Error, ErrorKind, Result};

/// Bytes on their way in: complete and hashed, not landed yet, or landed once before.
#[derive(Debug)]
pub struct Incoming {
    place: Place,
    /// SHA-256 in lower-case hexadecimal.
    pub sha256: String,
    /// Size in bytes.
    pub size: u64,
}

/// Where bytes on their way in are.
#[derive(Debug)]
enum Place {
    /// In a file of their own.
    Received(PathBuf),
    /// In their landing place already, from an earlier delivery.
    Landed(Box<Store>),
}

impl Drop for Incoming {
    fn drop(&mut self) {
        // Landed files were renamed away; what is still here was not wanted.
        if let Place::Received(file) = &self.place {
            let _ = fs::remove_file(file);
        }
    }
}

impl Incoming {
    /// Whether nothing was sent: the source has what it gave before.
    pub fn is_known(&self) -> bool {
        matches!(self.place, Place::Landed(_))
    }

    /// Whether the bytes are still where they were received.
    pub(crate) fn is_there(&self) -> bool {
        match &self.place {
            Place::Received(file) => file.is_file(),
            Place::Landed(_) => true,
        }
    }

    /// Opens the bytes for reading from their beginning.
    ///
    /// # Errors
    /// Warehouse.
    pub fn open(&self) -> Result<BufReader<File>> {
        let file = match &self.place {
            Place::Received(file) => File::open(file)?,
            Place::Landed(store) => store.open_file(&landed_path(&self.sha256))?,
        };
        Ok(BufReader::with_capacity(1 << 16, file))
    }
}

/// One delivery, landed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivery {
    /// Its batch.
    pub batch_id: String,
    /// Its feed.
    pub feed_id: String,
    /// Path, slot or push key.
    pub object: String,
    /// SHA-256 of the bytes.
    pub sha256: String,
    /// Size of the bytes.
    pub bytes: u64,
    /// Where they lie, below the warehouse.
    pub landed_path: String,
    /// When they landed.
    pub landed_at: DateTime<Utc>,
    /// The slot they fulfil.
    pub slot_at: Option<DateTime<Utc>>,
}

/// The landing place of a warehouse.
#[derive(Debug, Clone)]
pub struct Landing {
    store: Store,
}

static INCOMING: AtomicU64 = AtomicU64::new(0);

impl Landing {
    /// The landing place of a warehouse.
    pub fn of(warehouse: &Warehouse) -> Self {
        Self { store: warehouse.store().clone() }
    }

    /// Takes in a stream of bytes, up to a limit.
    ///
    /// # Errors
    /// As the stream's; Source, where there is more than `limit`.
    pub async fn receive(&self, mut bytes: impl Stream<Item = Result<Bytes>> + Unpin, limit: u64) -> Result<Incoming> {
        let mut receiving = Receiving::start(self)?;
        while let Some(part) = bytes.next().await {
            receiving.write(&part?)?;
            if receiving.incoming.size > limit {
                let what = format!("the source sent more than {limit} bytes; raise max_bytes if that is right");
                return Err(Error::new(ErrorKind::Source, what));
            }
        }
        receiving.finish()
    }

    /// Takes in a copy of a file.
    ///
    /// # Errors
    /// Source, where the file cannot be read.
    pub async fn copy(&self, file: &Path) -> Result<Incoming> {
        let (landing, file) = (self.clone(), file.to_owned());
        blocking(move || {
            let explain =
                |error| Error::caused(ErrorKind::Source, format!("the file {} cannot be read", file.display()), error);
            let mut source = File::open(&file).map_err(explain)?;
            let mut receiving = Receiving::start(&landing)?;
            let mut buffer = vec![0; 1 << 20];
            loop {
                match source.read(&mut buffer).map_err(explain)? {
                    0 => return receiving.finish(),
                    read => receiving.write(&buffer[..read])?,
                }
            }
        })
        .await
    }

    /// Bytes that landed before and are delivered again without being sent: the source says that
    /// what it has is still what it gave. `None` where they lie here no more.
    pub fn landed_before(&self, sha256: &str) -> Option<Incoming> {
        // Where that cannot be found out, they are fetched again.
        let size = self.store.size_bytes(&landed_path(sha256)).ok().flatten()?;
        Some(Incoming { place: Place::Landed(Box::new(self.store.clone())), sha256: sha256.to_owned(), size })
    }

    /// The folder of the live files, where a source may remember what costs only a fetch to lose.
    pub fn live_folder(&self) -> PathBuf {
        self.store.path().join("live")
    }

    /// Lands bytes for a delivery and notes it as pending; both survive a power cut.
    ///
    /// # Errors
    /// Warehouse.
    pub async fn land(&self, incoming: Incoming, delivery: Delivery) -> Result<Delivery> {
        match &incoming.place {
            Place::Received(file) => self.store.put_file(file, &delivery.landed_path, &delivery.sha256).await?,
            Place::Landed(store) if store.size_bytes(&delivery.landed_path)?.is_none() => {
                let what = "bytes that lay landed are gone from their place; they will be fetched anew";
                return Err(Error::new(ErrorKind::Retry, what));
            }
            Place::Landed(_) => {}
        }
        let landing = self.clone();
        blocking(move || {
            landing.store.put_note(&note(&delivery), serde_json::to_vec_pretty(&delivery)?)?;
            Ok(delivery)
        })
        .await
    }

    /// Deliveries landed and not noted as loaded, in order of landing, feed and object.
    ///
    /// # Errors
    /// Warehouse, where a note does not parse.
    pub fn pending(&self) -> Result<Vec<Delivery>> {
        let notes = self.store.notes(PENDING)?;
        let mut pending: Vec<Delivery> =
            notes.iter().map(|note| serde_json::from_slice(note)).collect::<std::result::Result<_, _>>()?;
        pending.sort_by(|a, b| (a.landed_at, &a.feed_id, &a.object).cmp(&(b.landed_at, &b.feed_id, &b.object)));
        Ok(pending)
    }

    /// Forgets the note of a delivery whose batch is in a release.
    ///
    /// # Errors
    /// Warehouse.
    pub fn loaded(&self, delivery: &Delivery) -> Result<()> {
        Ok(self.store.remove_note(&note(delivery))?)
    }

    /// Where bytes lie that have not landed, below the warehouse, to be looked at while they wait.
    pub(crate) fn waiting_path(&self, incoming: &Incoming) -> String {
        match &incoming.place {
            Place::Received(file) => {
                file.strip_prefix(self.store.path()).unwrap_or(file).to_string_lossy().into_owned()
            }
            Place::Landed(_) => landed_path(&incoming.sha256),
        }
    }

    /// Opens a landed file for reading from its beginning.
    ///
    /// # Errors
    /// Warehouse, naming the file that is missing.
    pub fn open(&self, landed_path: &str) -> Result<BufReader<File>> {
        Ok(BufReader::with_capacity(1 << 20, self.open_file(landed_path)?))
    }

    /// Opens a landed file for reading here and there.
    ///
    /// # Errors
    /// Warehouse, naming the file that is missing.
    pub fn open_file(&self, landed_path: &str) -> Result<File> {
        self.store.open_file(landed_path).map_err(|error| {
            Error::caused(ErrorKind::Warehouse, format!("the landed file {landed_path} cannot be read"), error)
        })
    }

    /// Removes bytes that a crash left on their way in; only the writer may.
    pub fn sweep(&self) -> Result<()> {
        let Ok(entries) = fs::read_dir(self.store.path().join("incoming")) else { return Ok(()) };
        for entry in entries {
            fs::remove_file(entry?.path())?;
        }
        Ok(())
    }
}

/// Where deliveries that are not in a release yet are noted.
const PENDING: &str = "pending";

fn note(delivery: &Delivery) -> String {
    format!("{PENDING}/{}.json", delivery.batch_id)
}

/// Where bytes with this hash lie, below the warehouse.
pub fn landed_path(sha256: &str) -> String {
    format!("landed/{}/{sha256}", &sha256[..2])
}

/// The name of a batch: the same delivery has the same name on any machine.
///
/// `occurrence` counts how often this feed took this object with these bytes before.
pub fn batch_id(feed_id: &str, object: &str, sha256: &str, occurrence: u64) -> String {
    let mut digest = Sha256::new();
    for part in [feed_id, object, sha256, &occurrence.to_string()] {
        digest.update(part.as_bytes());
        digest.update([0]);
    }
    hex(&digest.finalize()[..10])
}

struct Receiving {
    file: File,
    digest: Sha256,
    incoming: Incoming,
    store: Store,
}

impl Receiving {
    fn start(landing: &Landing) -> Result<Self> {
        let store = landing.store.clone();
        let folder = store.path().join("incoming");
        store.syncs().create_folders(&folder)?;
        let number = INCOMING.fetch_add(1, Ordering::Relaxed);
        let path = folder.join(format!("{}-{number}", std::process::id()));
        let file = File::create(&path)?;
        let incoming = Incoming { place: Place::Received(path), sha256: String::new(), size: 0 };
        Ok(Self { file, digest: Sha256::new(), incoming, store })
    }

    fn write(&mut self, part: &[u8]) -> Result<()> {
        self.file.write_all(part)?;
        self.digest.update(part);
        self.incoming.size += part.len() as u64;
        Ok(())
    }

    fn finish(mut self) -> Result<Incoming> {
        self.store.syncs().file(&self.file)?;
        self.incoming.sha256 = hex(&self.digest.finalize());
        Ok(self.incoming)
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|error| Error::caused(ErrorKind::Warehouse, "landing was interrupted", error))?
}
