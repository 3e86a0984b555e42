//! A small warehouse for tests: insurers delivered in batches, with books that add up.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use datafusion::arrow::array::{
    ArrayRef, AsArray, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray, new_null_array,
};
use datafusion::arrow::datatypes::Int64Type;
use serde_json::json;
use sha2::{Digest, Sha256};

use crate::contract::{self, Contract};
use crate::lineage;
use crate::publication::{Arrival, Keys, Outcome, Writer};
use crate::release::Release;
use crate::session::Limits;
use crate::warehouse::{Holder, Warehouse};

/// Who writes in tests.
pub(crate) fn holder(what: &str) -> Holder {
    Holder { what: what.to_owned(), process: 1, address: None, secret: None }
}

pub(crate) fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

/// A warehouse, written to.
pub(crate) struct Ledger {
    pub(crate) warehouse: Arc<Warehouse>,
    pub(crate) writer: Writer,
}

impl Ledger {
    /// Opens it, as the one writer.
    pub(crate) async fn open(warehouse: Arc<Warehouse>) -> crate::Result<Self> {
        let writer = warehouse.writer(&holder("a test"), Duration::ZERO).await?;
        Ok(Self { warehouse, writer })
    }

    /// Lands, loads and publishes one batch of insurers: codes and names.
    pub(crate) async fn deliver(&self, day: &str, insurers: &[(&str, &str)]) -> crate::Result<u64> {
        let instant = at(&format!("{day}T02:00:00Z"));
        let text: String = insurers.iter().map(|(code, name)| format!("{code},{name}\n")).collect();
        let sha256: String = Sha256::digest(&text).iter().map(|byte| format!("{byte:02x}")).collect();
        let landed = format!("landed/{}/{sha256}", &sha256[..2]);
        self.warehouse.store().replace(&landed, text.clone().into_bytes()).await?;
        let id = format!("b-{day}-{}", &sha256[..6]);
        let mut publication = self.writer.begin(instant, day.parse().unwrap()).await?;
        let mut change = publication.change(insurer()).await?;
        let upserted = change.upsert(&[arrival(&id, instant, insurers)]).await?;
        let outcomes: Vec<&Outcome> = upserted.outcomes.iter().flatten().collect();
        let count = |outcome: Outcome| outcomes.iter().filter(|found| ***found == outcome).count();
        let book = json!({
            "batch_id": id, "feed_id": "f", "dataset": "insurer", "reporter": "R", "mode": "upsert", "object": day,
            "sha256": sha256, "landed_path": landed, "bytes": text.len(), "rows_read": insurers.len(),
            "rows_accepted": count(Outcome::Accepted), "rows_superseded": count(Outcome::Superseded),
            "rows_unchanged": count(Outcome::Unchanged), "rows_quarantined": 0, "state": "published",
            "landed_at": instant.to_rfc3339(),
        });
        change.append_system("batch", vec![book.as_object().unwrap().clone()]);
        change.note_batch(&id);
        publication.accept(change);
        Ok(publication.publish().await?.number())
    }

    /// Days of one month, each with a batch that brings a new insurer and renames the first.
    pub(crate) async fn deliver_month(&self, month: &str, days: u32) {
        for day in 1..=days {
            let code = format!("{month}-{day:02}");
            self.deliver(&code, &[("FIRST", &format!("名 {code}")), (&code, "新")]).await.unwrap();
        }
    }
}

/// What a reader of a release sees: insurers by code.
pub(crate) async fn insurers(release: &Release) -> crate::Result<BTreeMap<String, String>> {
    let session = release.session(&Limits::default())?;
    let mut found = BTreeMap::new();
    for rows in session.sql("select code, name from insurer").await?.collect().await? {
        let text = |column: usize, row: usize| {
            datafusion::arrow::util::display::array_value_to_string(rows.column(column), row).unwrap()
        };
        found.extend((0..rows.num_rows()).map(|row| (text(0, row), text(1, row))));
    }
    Ok(found)
}

/// The number that a statement gives.
pub(crate) async fn number(release: &Release, statement: &str) -> crate::Result<i64> {
    let session = release.session(&Limits::default())?;
    let rows = session.sql(statement).await?.collect().await?;
    Ok(rows[0].column(0).as_primitive::<Int64Type>().value(0))
}

pub(crate) fn insurer() -> &'static Arc<Contract> {
    contract::builtin().dataset("insurer").unwrap()
}

pub(crate) fn arrival(batch: &str, landed: DateTime<Utc>, insurers: &[(&str, &str)]) -> Arrival {
    let schema = insurer().table_schema();
    let rows = insurers.len();
    let mut columns: Vec<ArrayRef> =
        schema.fields().iter().map(|field| new_null_array(field.data_type(), rows)).collect();
    let mut set = |name: &str, column: ArrayRef| columns[schema.index_of(name).unwrap()] = column;
    let texts = |texts: Vec<&str>| Arc::new(StringArray::from(texts));
    set("code", texts(insurers.iter().map(|(code, _)| *code).collect()));
    set("name", texts(insurers.iter().map(|(_, name)| *name).collect()));
    set(lineage::BATCH_ID, texts(vec![batch; rows]));
    set(lineage::FEED_ID, texts(vec!["f"; rows]));
    set(lineage::REPORTER, texts(vec!["R"; rows]));
    set(lineage::ROW_NO, Arc::new(Int64Array::from_iter_values(1..=rows as i64)));
    let landed = TimestampMicrosecondArray::from(vec![landed.timestamp_micros(); rows]);
    set(lineage::LANDED_AT, Arc::new(landed.with_timezone("UTC")));
    Arrival {
        rows: RecordBatch::try_new(schema, columns).unwrap(),
        deleted: None,
        takes_over: Vec::new(),
        keys: Keys::default(),
    }
}
