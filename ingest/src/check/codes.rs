//! Known codes: regions, sectors, insurers. An unknown one holds the row until the code arrives; a
//! former region with a successor is mapped, with a remark.

use std::sync::Arc;

use anze_warehouse::contract::{Column, Contract, KnownCode};
use datafusion::arrow::array::{Array, AsArray, RecordBatch, StringArray};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::DataType;
use datafusion::common::HashMap;
use datafusion::prelude::SessionContext;

use super::{Faults, Reason};
use crate::error::Result;

/// The codes known when a batch is checked.
#[derive(Debug, Clone, Default)]
pub struct KnownCodes {
    /// Every known code with its successor, if it has one.
    codes: Arc<HashMap<KnownCode, HashMap<String, Option<String>>>>,
}

impl KnownCodes {
    /// Reads the codes a session sees.
    ///
    /// # Errors
    /// Warehouse.
    pub async fn read(session: &SessionContext) -> Result<Self> {
        let mut codes = HashMap::new();
        for (kind, sql) in [
            (KnownCode::Region, "select code, successor_code from region"),
            (KnownCode::Sector, "select code, cast(null as varchar) from sector"),
            (KnownCode::Insurer, "select code, cast(null as varchar) from insurer"),
        ] {
            let mut known = HashMap::new();
            for batch in session.sql(sql).await?.collect().await? {
                let code = cast(batch.column(0), &DataType::Utf8)?;
                let successor = cast(batch.column(1), &DataType::Utf8)?;
                let (code, successor) = (code.as_string::<i32>(), successor.as_string::<i32>());
                for row in 0..batch.num_rows() {
                    let next = successor.is_valid(row).then(|| successor.value(row).to_owned());
                    known.insert(code.value(row).to_owned(), next);
                }
            }
            codes.insert(kind, known);
        }
        Ok(Self { codes: Arc::new(codes) })
    }

    /// Whether a reason to hold a row is a code that is known by now.
    pub(crate) fn answers(&self, rule: &str, message_en: &str) -> bool {
        let kind = match rule {
            "unknown_region" => KnownCode::Region,
            "unknown_sector" => KnownCode::Sector,
            "unknown_insurer" => KnownCode::Insurer,
            _ => return false,
        };
        let known = self.codes.get(&kind);
        unknown_code(message_en).is_some_and(|code| known.is_some_and(|known| known.contains_key(code)))
    }

    /// Holds rows with unknown codes and maps former ones.
    pub(super) fn check(
        &self,
        contract: &Contract,
        rows: RecordBatch,
        faults: &mut Faults,
        remarks: &mut Vec<(usize, Reason)>,
    ) -> Result<RecordBatch> {
        let mut columns = rows.columns().to_vec();
        for (place, column) in contract.columns.iter().enumerate() {
            let Some(kind) = column.known else { continue };
            let known = self.codes.get(&kind);
            let values = columns[place].as_string::<i32>();
            let mut mapped: Option<Vec<Option<String>>> = None;
            let mut last: Option<(&str, Known)> = None;
            for row in 0..values.len() {
                if values.is_null(row) {
                    continue;
                }
                let value = values.value(row);
                let verdict = match &last {
                    Some((code, verdict)) if *code == value => verdict.clone(),
                    _ => Known::of(known, value),
                };
                match &verdict {
                    Known::Yes => {}
                    Known::No => faults.add(row, Some(place), unknown(column, kind, value)),
                    Known::Former(successor) => {
                        remarks.push((row, former(column, value, successor)));
                        mapped.get_or_insert_with(|| owned(values))[row] = Some(successor.clone());
                    }
                }
                last = Some((value, verdict));
            }
            if let Some(mapped) = mapped {
                columns[place] = Arc::new(StringArray::from(mapped));
            }
        }
        Ok(RecordBatch::try_new(rows.schema(), columns)?)
    }
}

#[derive(Clone)]
enum Known {
    Yes,
    No,
    Former(String),
}

impl Known {
    fn of(known: Option<&HashMap<String, Option<String>>>, code: &str) -> Self {
        match known.and_then(|known| known.get(code)) {
            None => Self::No,
            Some(None) => Self::Yes,
            Some(Some(successor)) => Self::Former(successor.clone()),
        }
    }
}

fn owned(values: &StringArray) -> Vec<Option<String>> {
    values.iter().map(|value| value.map(str::to_owned)).collect()
}

fn unknown(column: &Column, kind: KnownCode, value: &str) -> Reason {
    let (rule, zh, en) = match kind {
        KnownCode::Region => ("unknown_region", "行政区划", "region"),
        KnownCode::Sector => ("unknown_sector", "行业", "sector"),
        KnownCode::Insurer => ("unknown_insurer", "保险机构", "insurer"),
    };
    Reason {
        rule: rule.to_owned(),
        column: column.name.clone(),
        message_zh: format!("{}“{value}”不在{zh}代码表中；代码补入后本行自动重放", column.title),
        message_en: format!(
            "{} `{value}` is no known {en}; the row is replayed when the code arrives",
            column.title_en
        ),
    }
}

/// The code that a message of [`unknown`] is about.
fn unknown_code(message_en: &str) -> Option<&str> {
    let (_, rest) = message_en.split_once('`')?;
    rest.rsplit_once("` is no known ").map(|(code, _)| code)
}

fn former(column: &Column, value: &str, successor: &str) -> Reason {
    Reason {
        rule: "former_code".to_owned(),
        column: column.name.clone(),
        message_zh: format!("{}“{value}”已撤销，按现行代码“{successor}”入库", column.title),
        message_en: format!("{} `{value}` is a former code; `{successor}` was stored", column.title_en),
    }
}

#[cfg(test)]
mod tests {
    use anze_warehouse::contract::builtin;

    use super::*;

    #[test]
    fn a_reason_is_answered_by_its_own_code_in_its_own_list_and_by_nothing_else() {
        let insurers = HashMap::from([("NEW".to_owned(), None), ("A` is no known b".to_owned(), None)]);
        let codes = KnownCodes { codes: Arc::new(HashMap::from([(KnownCode::Insurer, insurers)])) };
        let policy = builtin().dataset("policy").unwrap();
        let column = policy.column("insurer_code").unwrap();
        let said = |code: &str| unknown(column, KnownCode::Insurer, code).message_en;
        assert!(codes.answers("unknown_insurer", &said("NEW")));
        assert!(codes.answers("unknown_insurer", &said("A` is no known b")));
        assert!(!codes.answers("unknown_insurer", &said("OLD")));
        assert!(!codes.answers("unknown_region", &said("NEW")), "the code of another list");
        assert!(!codes.answers("required", &said("NEW")));
    }
}
