//! How many values columns have, as far as contracts and numbers of rows tell it, so that the engine joins tables
//! in a good order: a key of one column has as many as its table has rows, and a reference no more than the dataset
//! has rows that it leads to.

use std::collections::BTreeMap;

use crate::contract::Contracts;
use crate::table::{TableKind, TableName, TableVersion};

/// The number of values of columns of one table of a release, at most and about.
pub(super) fn distinct(contracts: &Contracts, table: &TableVersion, release: &[TableVersion]) -> BTreeMap<String, u64> {
    let mut distinct = BTreeMap::new();
    if table.name.kind != TableKind::Data {
        return distinct;
    }
    let Some(contract) = contracts.dataset(&table.name.name) else { return distinct };
    for reference in &contract.references {
        let other = TableName::new(TableKind::Data, &reference.dataset);
        let rows = release.iter().find(|version| version.name == other).map_or(0, TableVersion::rows);
        // A reference that only some rows make says nothing of the column, nor does one that leads nowhere.
        if let [column] = reference.columns.as_slice()
            && reference.when.is_none()
            && rows > 0
        {
            distinct.insert(column.clone(), rows.min(table.rows()));
        }
    }
    if let [key] = contract.key.as_slice() {
        distinct.insert(key.clone(), table.rows());
    }
    distinct
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::contract;
    use crate::table::{DataFile, FileStats};

    fn table(path: &str, rows: &[u64]) -> TableVersion {
        let file = |rows: &u64| DataFile { path: "f".to_owned(), size: 1, rows: *rows, stats: FileStats::default() };
        TableVersion {
            name: TableName::parse(path).unwrap(),
            version: 1,
            files: Arc::new(rows.iter().map(file).collect()),
        }
    }

    fn told(of: &TableVersion, release: &[TableVersion]) -> Vec<(String, u64)> {
        distinct(contract::builtin(), of, release).into_iter().collect()
    }

    #[test]
    fn keys_are_counted_by_their_rows_and_references_by_those_they_lead_to() {
        let release = [
            table("tables/hazard", &[700, 300]),
            table("tables/service", &[100, 20]),
            table("tables/unit", &[10]),
            table("tables/premium_receipt", &[50]),
            table("tables/policy", &[80]),
            table("history/hazard", &[9]),
        ];
        let pairs =
            |pairs: &[(&str, u64)]| pairs.iter().map(|(column, n)| ((*column).to_owned(), *n)).collect::<Vec<_>>();
        assert_eq!(told(&release[0], &release), pairs(&[("hazard_no", 1000), ("service_no", 120), ("unit_id", 10)]));
        // No more values than rows.
        assert_eq!(told(&release[3], &release), pairs(&[("policy_no", 50), ("receipt_no", 50)]));
        assert_eq!(told(&release[5], &release), pairs(&[]));
        // Where the other side has not come nothing is known.
        assert_eq!(told(&release[0], &release[..1]), pairs(&[("hazard_no", 1000)]));
    }
}
