//! Which rows name something that is not there.
//!
//! Of the rows that a release brings so many at a time are held that memory stays bounded, and the
//! keys they name are looked for in the other side's key columns alone, as upserts look for theirs.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray, BooleanArray, RecordBatch, UInt32Array};
use datafusion::arrow::compute::{concat_batches, is_not_null, take_record_batch};
use datafusion::arrow::datatypes::{Schema, SchemaRef};
use datafusion::common::DFSchema;
use datafusion::prelude::SessionContext;
use futures::future::try_join_all;

use super::files;
use super::wanted::Wanted;
use crate::contract::{Contract, Reference};
use crate::error::{Error, ErrorKind, Result};
use crate::lineage;
use crate::store::Store;
use crate::table::{DataFile, TableName, TableVersion};

/// Rows whose references are looked up together.
const ROWS_AT_ONCE: usize = 256 * 1024;

/// Rows that name something, and what they name.
pub(super) struct Naming {
    pub(super) contract: Arc<Contract>,
    /// Place of the reference in the contract.
    reference: usize,
    /// Key, lineage and naming columns of rows of the dataset.
    rows: RecordBatch,
    /// The rows of it that name something.
    naming: Vec<u32>,
    wanted: Wanted,
}

impl Naming {
    pub(super) fn reference(&self) -> &Reference {
        &self.contract.references[self.reference]
    }

    /// The rows whose other side was not met.
    pub(super) fn missing(&self) -> Result<RecordBatch> {
        let missing = self.naming.iter().enumerate().filter(|(place, _)| !self.wanted.is_met(*place));
        let rows: UInt32Array = missing.map(|(_, row)| *row).collect();
        Ok(take_record_batch(&self.rows, &rows)?)
    }
}

/// Reads the rows that datasets bring, so many at a time, and says what they name.
pub(super) struct Newcomers<'n> {
    store: &'n Store,
    planner: &'n SessionContext,
    left: Vec<(Arc<Contract>, TableVersion)>,
}

impl<'n> Newcomers<'n> {
    /// Over the rows that each dataset brings.
    pub(super) fn new(
        store: &'n Store,
        planner: &'n SessionContext,
        mut fresh: Vec<(Arc<Contract>, TableVersion)>,
    ) -> Self {
        fresh.retain(|(contract, version)| !contract.references.is_empty() && version.rows() > 0);
        fresh.reverse();
        Self { store, planner, left: fresh }
    }

    /// Whether all were looked at.
    pub(super) fn is_done(&self) -> bool {
        self.left.is_empty()
    }

    /// The next of them.
    pub(super) async fn next(&mut self) -> Result<Vec<Naming>> {
        let (mut read, mut rows) = (Vec::new(), 0);
        while rows < ROWS_AT_ONCE
            && let Some((contract, version)) = self.left.last_mut()
        {
            let taken = files_for(version, ROWS_AT_ONCE - rows);
            rows += taken.iter().map(|file| file.rows as usize).sum::<usize>();
            read.push(named_in(self.store, self.planner.clone(), Arc::clone(contract), version.name.clone(), taken));
            if version.files.is_empty() {
                self.left.pop();
            }
        }
        Ok(try_join_all(read).await?.into_iter().flatten().collect())
    }
}

/// What the rows of some files of a dataset name.
async fn named_in(
    store: &Store,
    planner: SessionContext,
    contract: Arc<Contract>,
    table: TableName,
    read: Vec<DataFile>,
) -> Result<Vec<Naming>> {
    let mut bytes = Vec::with_capacity(read.len());
    for file in &read {
        bytes.push(files::bytes(store, &table, file).await?);
    }
    files::blocking(move || {
        let schema = needed(&planner, &contract)?;
        let columns: Vec<&str> = schema.fields().iter().map(|field| field.name().as_str()).collect();
        let mut batches = Vec::new();
        for bytes in bytes {
            for batch in files::read_bytes(bytes, Some(&columns))? {
                batches.push(files::conform(&batch?, &schema)?);
            }
        }
        let rows = concat_batches(&schema, &batches)?;
        let named = (0..contract.references.len()).map(|reference| naming(&planner, &contract, reference, &rows));
        Ok(named.collect::<Result<Vec<_>>>()?.into_iter().flatten().collect())
    })
    .await
}

/// Takes files off a version until they have about so many rows, one at least.
fn files_for(version: &mut TableVersion, rows: usize) -> Vec<DataFile> {
    let mut files = version.files.to_vec();
    let mut count = 0;
    let enough = files.iter().position(|file| {
        count += file.rows as usize;
        count >= rows
    });
    let rest = files.split_off(enough.map_or(files.len(), |last| last + 1));
    version.files = Arc::new(rest);
    files
}

/// The columns that looking up references needs, in storage order.
fn needed(planner: &SessionContext, contract: &Contract) -> Result<SchemaRef> {
    let schema = contract.table_schema();
    let mut names: BTreeSet<String> = contract.key.iter().cloned().collect();
    names.extend([lineage::FEED_ID, lineage::BATCH_ID, lineage::ROW_NO].map(str::to_owned));
    let whole = DFSchema::try_from(Arc::clone(&schema))?;
    for reference in &contract.references {
        names.extend(reference.columns.iter().cloned());
        if let Some(when) = &reference.when {
            let condition = planner.parse_sql_expr(when, &whole)?;
            names.extend(condition.column_refs().into_iter().map(|column| column.name.clone()));
        }
    }
    let fields = schema.fields().iter().filter(|field| names.contains(field.name())).cloned();
    Ok(Arc::new(Schema::new(fields.collect::<Vec<_>>())))
}

/// What rows name by one reference; `None`: nothing.
fn naming(
    planner: &SessionContext,
    contract: &Arc<Contract>,
    reference: usize,
    rows: &RecordBatch,
) -> Result<Option<Naming>> {
    let columns = columns(rows, &contract.references[reference].columns)?;
    let mut applies = vec![true; rows.num_rows()];
    let mut narrow = |holds: &BooleanArray| {
        applies.iter_mut().enumerate().for_each(|(row, applies)| *applies &= holds.is_valid(row) && holds.value(row));
    };
    for column in &columns {
        narrow(&is_not_null(column)?);
    }
    if let Some(when) = &contract.references[reference].when {
        let schema = DFSchema::try_from(rows.schema())?;
        let condition = planner.create_physical_expr(planner.parse_sql_expr(when, &schema)?, &schema)?;
        let holds = condition.evaluate(rows)?.into_array(rows.num_rows())?;
        let holds = holds.as_boolean_opt().ok_or_else(|| {
            Error::new(
                ErrorKind::Internal,
                format!("{}: a reference applies when neither true nor false", contract.name),
            )
        })?;
        narrow(holds);
    }
    let naming: Vec<u32> = (0..rows.num_rows() as u32).filter(|row| applies[*row as usize]).collect();
    if naming.is_empty() {
        return Ok(None);
    }
    let picked = UInt32Array::from(naming.clone());
    let columns = columns.iter().map(|column| datafusion::arrow::compute::take(column, &picked, None));
    let wanted = Wanted::new(&columns.collect::<std::result::Result<Vec<_>, _>>()?)?;
    Ok(Some(Naming { contract: Arc::clone(contract), reference, rows: rows.clone(), naming, wanted }))
}

pub(super) fn columns(rows: &RecordBatch, names: &[String]) -> Result<Vec<ArrayRef>> {
    let column = |name: &String| {
        let column = rows.column_by_name(name).map(Arc::clone);
        column.ok_or_else(|| Error::new(ErrorKind::Internal, format!("rows lack the column {name}")))
    };
    names.iter().map(column).collect()
}

/// Looks for the other sides of all that is named: a table that several name is read once.
pub(super) async fn look_up(
    store: &Store,
    namings: Vec<Naming>,
    standing: &BTreeMap<String, TableVersion>,
) -> Result<Vec<Naming>> {
    let mut sides: BTreeMap<(String, Vec<String>), Vec<Naming>> = BTreeMap::new();
    for naming in namings {
        let reference = naming.reference();
        let side = (reference.dataset.clone(), reference.dataset_columns.clone());
        sides.entry(side).or_default().push(naming);
    }
    let looked = sides.into_iter().map(|((dataset, columns), namings)| async move {
        match standing.get(&dataset) {
            Some(version) => meet(store.clone(), version.clone(), columns, namings).await,
            None => Ok(namings),
        }
    });
    Ok(try_join_all(looked).await?.into_iter().flatten().collect())
}

async fn meet(
    store: Store,
    version: TableVersion,
    names: Vec<String>,
    mut namings: Vec<Naming>,
) -> Result<Vec<Naming>> {
    for file in version.files.iter() {
        let column = names.first().map_or("", String::as_str);
        let concerns = |naming: &Naming| !naming.wanted.is_done() && !naming.wanted.misses(file, column);
        if !namings.iter().any(concerns) {
            continue;
        }
        let bytes = files::bytes(&store, &version.name, file).await?;
        let names = names.clone();
        namings = files::blocking(move || {
            let wanted: Vec<&str> = names.iter().map(String::as_str).collect();
            for batch in files::read_bytes(bytes, Some(&wanted))? {
                // A file from before one of the columns has nobody's key.
                let Ok(columns) = columns(&batch?, &names) else { continue };
                namings.iter_mut().try_for_each(|naming| naming.wanted.meet(&columns))?;
            }
            Ok(namings)
        })
        .await?;
    }
    Ok(namings)
}
