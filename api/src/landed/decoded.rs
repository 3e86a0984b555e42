//! One record as its feed reads it now.

use std::collections::BTreeMap;
use std::sync::Arc;

use anze_ingest::decode::{DecodedChunk, Format, FormatConfig, Mapping, Message};
use anze_warehouse::contract::Contract;
use serde_json::{Value, json};

use crate::output::cell::{Cell, Cells};
use crate::record::MASK;

/// The contract's columns of one record, and what was wrong with it.
#[derive(Debug, Clone, Default)]
pub struct Decoded {
    pub columns: Vec<DecodedColumn>,
    /// Why the record did not come apart at all.
    pub rejected: Option<(String, String)>,
}

/// One column of the contract as it was read.
#[derive(Debug, Clone)]
pub struct DecodedColumn {
    pub name: String,
    pub title: String,
    pub title_en: String,
    pub value: Value,
    /// What was wrong with the value, in Chinese and English.
    pub failure: Option<(String, String)>,
}

impl Decoded {
    /// What was made of the only record of a chunk.
    pub(super) fn of(chunk: &DecodedChunk, contract: &Contract) -> Self {
        if let Some(rejected) = chunk.rejected.first() {
            return Self { rejected: Some(both(&rejected.message)), ..Self::default() };
        }
        let Ok(cells) = Cells::of(&chunk.rows) else { return Self::default() };
        if cells.rows() == 0 {
            return Self::default();
        }
        let values: Vec<Value> = cells.row(0).map(|cell: Cell| cell.json()).collect();
        let columns = contract.columns.iter().zip(values).enumerate().map(|(index, (column, value))| {
            let failure = chunk.failures.iter().find(|failure| failure.row == 0 && failure.column == index);
            DecodedColumn {
                name: column.name.clone(),
                title: column.title.clone(),
                title_en: column.title_en.clone(),
                value,
                failure: failure.map(|failure| both(&failure.message)),
            }
        });
        Self { columns: columns.collect(), rejected: None }
    }

    /// Hides the values of sensitive columns.
    pub(super) fn mask(&mut self, contract: &Contract) {
        for column in &mut self.columns {
            let sensitive = contract.column(&column.name).is_some_and(|column| column.sensitive);
            if sensitive && (!column.value.is_null() || column.failure.is_some()) {
                column.value = Value::String(MASK.to_owned());
                column.failure = None;
            }
        }
    }

    /// For programs.
    pub fn json(&self) -> Value {
        let column = |column: &DecodedColumn| {
            let failure = column.failure.as_ref().map(|(zh, en)| json!({"message_zh": zh, "message_en": en}));
            json!({"name": column.name, "value": column.value, "failure": failure})
        };
        let rejected = self.rejected.as_ref().map(|(zh, en)| json!({"message_zh": zh, "message_en": en}));
        json!({"columns": self.columns.iter().map(column).collect::<Vec<_>>(), "rejected": rejected})
    }
}

fn both(message: &Message) -> (String, String) {
    (message.zh.clone(), message.en.clone())
}

/// How shipped files are read: UTF-8, our own column names.
pub(super) fn own_names(contract: &Contract) -> Result<(Format, Mapping), String> {
    let broken = |what: &str| format!("shipped data of {} cannot be read: {what}", contract.name);
    let format = Format::new(&FormatConfig::default()).map_err(|_| broken("format"))?;
    let contract = anze_warehouse::contract::builtin()
        .dataset(&contract.name)
        .map(Arc::clone)
        .ok_or_else(|| broken("contract"))?;
    let mapping =
        Mapping::new(&BTreeMap::new(), &BTreeMap::<String, String>::new(), &contract).map_err(|_| broken("mapping"))?;
    Ok((format, mapping))
}
