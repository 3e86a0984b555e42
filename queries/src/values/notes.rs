//! What is noted with a sheet, so that the next one need not compute what has stayed the same.

use std::collections::{BTreeMap, BTreeSet};

use anze_warehouse::Release;
use anze_warehouse::contract;
use anze_warehouse::live::is_live;
use anze_warehouse::table::{TableKind, TableName};
use chrono::NaiveDate;
use datafusion::common::TableReference;
use datafusion::logical_expr::LogicalPlan;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use sha2::{Digest, Sha256};

use super::prints::{self, Printing, Prints};
use super::strand::by_source;
use super::{Strand, asked, span_of};
use crate::catalogue::{Catalogue, Metric};
use crate::embedded;
use crate::error::{Error, Result};
use crate::session::{Observed, each_scan};
use crate::span::Month;

/// What every metric may read without its SQL saying so, or so rarely changed that all is computed then.
const REFERENCE: [&str; 4] = ["rule", "service_norm", "calendar", "sector"];

/// The notes of a sheet.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Notes {
    /// What the metrics meant.
    definitions: String,
    /// The observation day.
    day: NaiveDate,
    /// The months it has.
    months: BTreeSet<String>,
    /// Versions of the tables of its release.
    tables: BTreeMap<String, u64>,
    /// What the reference tables held.
    reference: String,
    /// Prints of each strand, by its declaration.
    prints: BTreeMap<String, Prints>,
    /// Tables that each source or metric without strands reads.
    reads: BTreeMap<String, BTreeSet<String>>,
}

impl Notes {
    /// Reads notes; those of another shape are as good as none.
    pub(super) fn read(json: &Json) -> Option<Self> {
        Self::deserialize(json).ok()
    }

    pub(super) fn write(&self) -> Result<Json> {
        serde_json::to_value(self).map_err(|error| Error::new(crate::ErrorKind::Internal, "notes").because(error))
    }

    /// Whether they were made with the same meanings.
    pub(super) fn fits(&self, catalogue: &Catalogue) -> bool {
        self.definitions == definitions(catalogue)
    }

    /// Takes the notes of a release. A source whose tables and day are those of `before` is not read again.
    pub(super) async fn take(
        catalogue: &Catalogue,
        release: &Release,
        observed: &Observed,
        months: &[Month],
        before: Option<&Self>,
    ) -> Result<Self> {
        let labels: BTreeSet<String> = months.iter().map(|month| month.label()).collect();
        let mut notes = Self {
            definitions: definitions(catalogue),
            day: observed.until,
            months: labels,
            tables: release.manifest().tables.clone(),
            reference: String::new(),
            prints: BTreeMap::new(),
            reads: BTreeMap::new(),
        };
        let before = before.filter(|before| before.day == notes.day && before.months == notes.months);
        let same = |notes: &Self, reads: &BTreeSet<String>| before.filter(|before| notes.agrees(before, reads));
        let reference: BTreeSet<String> = REFERENCE.iter().map(|table| format!("tables/{table}")).collect();
        notes.reference = match same(&notes, &reference) {
            Some(before) => before.reference.clone(),
            None => {
                let mut tables = Vec::new();
                for table in REFERENCE {
                    tables.push(observed.context.table(table).await?);
                }
                prints::whole(tables).await?
            }
        };
        let strands = catalogue.metrics().iter().flat_map(|metric| metric.months.iter().flatten());
        for (source, strands) in by_source(strands) {
            let frame = observed.context.table(source).await?;
            let reads = tables_of(&observed.context.state().optimize(frame.logical_plan())?)?;
            // What a source reads besides its tables are the rules of law, which are reference.
            if let Some(before) = same(&notes, &reads).filter(|before| before.reference == notes.reference)
                && strands.iter().all(|strand| before.prints.contains_key(&strand.to_string()))
            {
                for strand in strands {
                    notes.prints.insert(strand.to_string(), before.prints[&strand.to_string()].clone());
                }
                continue;
            }
            let printing = strands.iter().map(|strand| Printing::new(strand, notes.day, months)).collect();
            for (strand, prints) in strands.iter().zip(prints::print(frame, printing).await?) {
                notes.prints.insert(strand.to_string(), prints::by_month(months, &prints));
            }
        }
        for metric in catalogue.metrics().iter().filter(|metric| metric.months.is_none()) {
            if let Some(month) = months.last() {
                notes.reads.insert(metric.id.clone(), reads(catalogue, metric, *month, observed).await?);
            }
        }
        Ok(notes)
    }

    /// Whether no row of any source of a metric counts in a month, so that it has no case there.
    pub(super) fn has_nothing(&self, metric: &Metric, month: &str) -> bool {
        let nothing = |strand: &Strand| {
            let print = self.prints.get(&strand.to_string()).and_then(|prints| prints.get(month));
            print.is_some_and(|print| print.bytes().all(|digit| digit == b'0'))
        };
        metric.months.as_ref().is_some_and(|strands| strands.iter().all(nothing))
    }

    /// Whether some tables are the same in two releases; of what is in no release that cannot be known.
    fn agrees(&self, before: &Self, tables: &BTreeSet<String>) -> bool {
        let versioned = |path: &String| {
            TableName::parse(path).is_some_and(|table| match table.kind {
                TableKind::Data => contract::builtin().dataset(&table.name).is_some(),
                TableKind::History => false,
                TableKind::System => !is_live(&table.name),
            })
        };
        tables.iter().all(|path| versioned(path) && before.tables.get(path) == self.tables.get(path))
    }

    /// The months of a metric that are not as `before` has them.
    pub(super) fn touched(&self, before: Option<&Self>, metric: &Metric) -> BTreeSet<String> {
        let Some(before) = before.filter(|before| before.reference == self.reference) else {
            return self.months.clone();
        };
        let Some(strands) = &metric.months else {
            let reads = self.reads.get(&metric.id);
            let same = before.day == self.day && reads.is_some_and(|reads| self.agrees(before, reads));
            return if same { &self.months - &before.months } else { self.months.clone() };
        };
        // The months that had not ended on the day before are cut by it.
        let cut = before.day.format("%Y-%m").to_string();
        let moved = before.day != self.day;
        let differs = |month: &String, strand: &Strand| {
            let strand = strand.to_string();
            let print = |notes: &Self| notes.prints.get(&strand).and_then(|prints| prints.get(month)).cloned();
            print(self) != print(before)
        };
        let touched = self.months.iter().filter(|month| {
            !before.months.contains(*month)
                || moved && **month >= cut
                || strands.iter().any(|strand| differs(month, strand))
        });
        touched.cloned().collect()
    }
}

/// A digest of all that decides what a metric says.
fn definitions(catalogue: &Catalogue) -> String {
    let mut digest = Sha256::new();
    let mut add = |text: &str| {
        digest.update(text);
        digest.update([0]);
    };
    add(env!("CARGO_PKG_VERSION"));
    for metric in catalogue.metrics() {
        add(&metric.id);
        add(&metric.sql);
        add(&format!("{:?}", (metric.unit, metric.kind, &metric.dimensions, &metric.params, &metric.rules)));
        add(&format!("{:?}", (&metric.value, &metric.months)));
    }
    embedded::MARTS.iter().for_each(|(name, sql)| {
        add(name);
        add(sql);
    });
    digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The tables that a metric's SQL reads, as manifests name them.
async fn reads(catalogue: &Catalogue, metric: &Metric, month: Month, observed: &Observed) -> Result<BTreeSet<String>> {
    let values = asked(catalogue, metric, observed)?.values(&span_of(metric, month));
    let plan = metric.cases.clone().bind(&values)?.plan(&observed.context).await?;
    tables_of(&observed.context.state().optimize(&plan)?)
}

fn tables_of(plan: &LogicalPlan) -> Result<BTreeSet<String>> {
    let mut tables = BTreeSet::new();
    each_scan(plan, &mut |scan| {
        tables.insert(path(&scan.table_name));
        Ok(())
    })?;
    Ok(tables)
}

fn path(table: &TableReference) -> String {
    let folder = match table.schema() {
        None | Some("public") => "tables",
        Some(schema) => schema,
    };
    format!("{folder}/{}", table.table())
}
