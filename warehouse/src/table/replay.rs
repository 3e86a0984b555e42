//! Reading many versions of a table, each by as little as it takes.

use std::collections::BTreeMap;

use datafusion::arrow::array::{Array, AsArray};
use datafusion::arrow::datatypes::Int64Type;
use datafusion::object_store::ObjectStoreExt;
use datafusion::parquet::arrow::ProjectionMask;
use datafusion::parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use deltalake_core::Path;
use deltalake_core::kernel::{Action, Version};
use deltalake_core::logstore::get_actions;

use super::{DataFile, TableLog};
use crate::error::{Error, ErrorKind, Result};

/// From further away a version is read by itself, from its nearest checkpoint.
const FAR: Version = 64;

/// The files of a table at one version after the other.
///
/// Where the commits in between are there, only they are read: a look at every release of a month reads each commit
/// once. Of a version that was set apart only its checkpoint is read. Any other is read as readers do, who list the
/// whole log.
pub struct Replay {
    log: TableLog,
    stands: Option<(Version, BTreeMap<String, DataFile>)>,
}

impl TableLog {
    /// Reads versions, best from the oldest to the newest.
    pub fn replay(self) -> Replay {
        Replay { log: self, stands: None }
    }
}

impl Replay {
    /// The files at a version, by name.
    ///
    /// # Errors
    /// Storage, or Corrupt where the log says what it must not.
    pub async fn files(&mut self, version: Version) -> Result<&BTreeMap<String, DataFile>> {
        let files = match self.followed(version).await? {
            Some(files) => files,
            None => match self.log.checkpointed(version).await? {
                Some(files) => by_name(files),
                None => by_name(self.log.read(version).await?.files.to_vec()),
            },
        };
        Ok(&self.stands.insert((version, files)).1)
    }

    /// The files at a version, from those of the last one asked for; `None` where commits in between are gone.
    async fn followed(&mut self, version: Version) -> Result<Option<BTreeMap<String, DataFile>>> {
        let Some((stands, mut files)) = self.stands.take() else { return Ok(None) };
        if stands > version || version - stands > FAR {
            return Ok(None);
        }
        for next in stands + 1..=version {
            let Some(commit) = self.log.log.read_commit_entry(next).await? else { return Ok(None) };
            for action in get_actions(next, &commit)? {
                match action {
                    Action::Add(add) => {
                        let file = DataFile::logged(add.path, add.size, add.stats.as_deref())?;
                        files.insert(file.path.clone(), file);
                    }
                    Action::Remove(remove) => drop(files.remove(&remove.path)),
                    _ => {}
                }
            }
        }
        Ok(Some(files))
    }
}

fn by_name(files: Vec<DataFile>) -> BTreeMap<String, DataFile> {
    files.into_iter().map(|file| (file.path.clone(), file)).collect()
}

impl TableLog {
    /// The files that the checkpoint of a version names; `None` where it has none.
    async fn checkpointed(&self, version: Version) -> Result<Option<Vec<DataFile>>> {
        let path = Path::from(format!("_delta_log/{version:020}.checkpoint.parquet"));
        let bytes = match self.log.object_store(None).get(&path).await {
            Ok(found) => found.bytes().await?,
            Err(datafusion::object_store::Error::NotFound { .. }) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let builder = ParquetRecordBatchReaderBuilder::try_new(bytes)?;
        let adds = ProjectionMask::columns(builder.parquet_schema(), ["add.path", "add.size", "add.stats"]);
        let mut files = Vec::new();
        for rows in builder.with_projection(adds).build()? {
            let rows = rows?;
            let add = rows.column(0).as_struct();
            let damaged = || {
                Error::new(ErrorKind::Corrupt, format!("the checkpoint {version} of {} is damaged", self.name.path()))
            };
            let texts = |name: &str| {
                add.column_by_name(name).and_then(|column| column.as_string_opt::<i32>()).ok_or_else(damaged)
            };
            let (paths, stats) = (texts("path")?, texts("stats")?);
            let sizes = add
                .column_by_name("size")
                .and_then(|column| column.as_primitive_opt::<Int64Type>())
                .ok_or_else(damaged)?;
            for row in (0..add.len()).filter(|row| add.is_valid(*row)) {
                let stats = stats.is_valid(row).then(|| stats.value(row));
                files.push(DataFile::logged(paths.value(row).to_owned(), sizes.value(row), stats)?);
            }
        }
        Ok(Some(files))
    }
}
