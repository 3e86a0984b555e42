//! Contracts: everything about a dataset, said once, in `tables/<dataset>.toml`.
//!
//! The Arrow schema, the checks, the dictionary and the SQL names all come from here.

mod column;
mod load;
mod rule;

use std::sync::{Arc, OnceLock};

use datafusion::arrow::datatypes::{Schema, SchemaRef};

pub use column::{Column, ColumnType, KnownCode, TextFormat};
pub use rule::{Reference, RowRule, Severity};

use crate::error::Result;
use crate::lineage;
use crate::session::DEFAULT_SCHEMA;
use crate::table::{TableKind, TableName};

/// When a dataset is published by a run over all feeds; references come before what names them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// Codes, rules, calendar, insurers, agencies.
    Reference,
    /// Units and rosters.
    Units,
    /// Everything that happens.
    Facts,
    /// The warehouse's own books.
    System,
}

/// One dataset or system table.
#[derive(Debug, Clone)]
pub struct Contract {
    /// Name of the table in SQL, in URLs and in feeds.
    pub name: String,
    /// Chinese title.
    pub title: String,
    /// English title.
    pub title_en: String,
    /// What a row is, in Chinese.
    pub description: String,
    /// What a row is, in English.
    pub description_en: String,
    /// Names of the key columns, in order.
    pub key: Vec<String>,
    /// When it is published.
    pub stage: Stage,
    /// Columns, in order.
    pub columns: Vec<Column>,
    /// Row rules beyond those of single columns.
    pub rules: Vec<RowRule>,
    /// References that never hold a row.
    pub references: Vec<Reference>,
    /// The column that ends a row's span when a snapshot no longer has it.
    pub span_end: Option<String>,
    /// The column that starts the span, where overlapping rows of one subject are a finding.
    pub span_start: Option<String>,
}

impl Contract {
    /// The contract's columns as an Arrow schema, in order; nullable unless required.
    pub fn schema(&self) -> SchemaRef {
        Arc::new(Schema::new(self.columns.iter().map(Column::field).collect::<Vec<_>>()))
    }

    /// The schema of the dataset's table: the contract's columns, then the lineage.
    ///
    /// Every column is nullable in storage: required values are enforced by the checks, and a
    /// tombstone in the history need not repeat them.
    pub fn table_schema(&self) -> SchemaRef {
        let columns = self.columns.iter().map(|column| column.field().with_nullable(true));
        let lineage = match self.stage {
            Stage::System => Vec::new(),
            _ => lineage::fields(),
        };
        Arc::new(Schema::new(columns.chain(lineage).collect::<Vec<_>>()))
    }

    /// Position of a column of the contract.
    pub fn position(&self, column: &str) -> Option<usize> {
        self.columns.iter().position(|candidate| candidate.name == column)
    }

    /// Positions of the key columns.
    pub fn key_positions(&self) -> Vec<usize> {
        self.key.iter().filter_map(|name| self.position(name)).collect()
    }

    /// A column by name.
    pub fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.name == name)
    }
}

/// All contracts of the product.
#[derive(Debug)]
pub struct Contracts {
    datasets: Vec<Arc<Contract>>,
    system: Vec<Arc<Contract>>,
}

impl Contracts {
    /// The datasets, by name in byte order.
    pub fn datasets(&self) -> &[Arc<Contract>] {
        &self.datasets
    }

    /// The system tables, by name in byte order.
    pub fn system_tables(&self) -> &[Arc<Contract>] {
        &self.system
    }

    /// A dataset by name.
    pub fn dataset(&self, name: &str) -> Option<&Arc<Contract>> {
        self.datasets.iter().find(|contract| contract.name == name)
    }

    /// The name of a system table in SQL, with the schema that it stands in.
    pub fn system_name(&self, contract: &Contract) -> String {
        let table = TableName::new(TableKind::System, contract.name.as_str());
        match table.sql_schema() {
            DEFAULT_SCHEMA => table.name,
            schema => format!("{schema}.{}", table.name),
        }
    }

    /// A system table by name, without the schema.
    pub fn system_table(&self, name: &str) -> Option<&Arc<Contract>> {
        self.system.iter().find(|contract| contract.name == name)
    }
}

/// The contracts inside this binary, read and validated once.
///
/// # Panics
/// Never in a released binary: a test loads them all.
pub fn builtin() -> &'static Contracts {
    static CONTRACTS: OnceLock<Contracts> = OnceLock::new();
    CONTRACTS.get_or_init(|| try_builtin().expect("the embedded contracts are tested"))
}

fn try_builtin() -> Result<Contracts> {
    let load_all = |files: &[(&str, &str)]| {
        files.iter().map(|(name, text)| load::contract(name, text).map(Arc::new)).collect::<Result<Vec<_>>>()
    };
    let datasets = load_all(crate::embedded::TABLES)?;
    let system = load_all(crate::embedded::SYSTEM)?;
    load::references_exist(&datasets)?;
    Ok(Contracts { datasets, system })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_21_datasets_and_the_system_tables_load() {
        let contracts = try_builtin().unwrap();
        assert_eq!(contracts.datasets().len(), 21);
        assert!(contracts.system_table("batch").is_some());
        assert!(contracts.system_table("quarantine").is_some());
    }

    #[test]
    fn lineage_stands_at_the_end_of_every_dataset() {
        for contract in builtin().datasets() {
            let schema = contract.table_schema();
            let last = schema.fields().last().unwrap();
            assert_eq!(last.name(), lineage::KEY_REPORTER, "{}", contract.name);
        }
    }
}
