//! What the writer is asked to do about things that came before: replay, discard, backfill;
//! wherever the writer is, in this process or in a running server.

use std::sync::Arc;

use anze_ingest::clock::Clock;
use anze_ingest::quarantine::{DiscardAsk, ReplayAsk};
use anze_ingest::run::BackfillAsk;
use anze_ingest::{Ingest, Result as IngestResult};
use anze_warehouse::publication::Writer;
use anze_warehouse::warehouse::Holder;
use chrono::DateTime;
use futures::future::BoxFuture;
use serde_json::{Value, json};

use crate::deployment::Deployment;
use crate::output::{Report, instant};
use crate::rows::{Row, text};
use crate::{handover, writer};

/// A job for the writer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Settling {
    /// Held records are read again.
    Replay(ReplayAsk),
    /// Held records are given up.
    Discard(DiscardAsk),
    /// A past period is fetched again.
    Backfill(BackfillAsk),
}

impl Settling {
    /// Does it with the writer in hand.
    pub fn run<'w>(
        self,
        ingest: &'w Ingest,
        writer: &'w Writer,
        asked_by: String,
    ) -> BoxFuture<'w, IngestResult<Value>> {
        Box::pin(async move {
            Ok(match self {
                Self::Replay(ask) => json!(ingest.replay(writer, &ask, &asked_by).await?),
                Self::Discard(ask) => json!(ingest.discard(writer, &ask, &asked_by).await?),
                Self::Backfill(ask) => {
                    let report = ingest.backfill(writer, &ask, &asked_by).await?;
                    let (failed, held) = (report.has_failed(), report.has_held());
                    let mut done = in_local_time(json!(report));
                    done["failed"] = json!(failed);
                    done["held"] = json!(held);
                    done
                }
            })
        })
    }

    /// Where a server takes it, and with what body.
    fn request(&self) -> (String, Value) {
        match self {
            Self::Replay(ask) => ("/api/v1/quarantine/replay".to_owned(), json!(ask)),
            Self::Discard(ask) => ("/api/v1/quarantine/discard".to_owned(), json!(ask)),
            Self::Backfill(ask) => {
                let body = json!({"from": ask.from, "to": ask.to, "preview": ask.preview});
                (format!("/api/v1/feeds/{}/backfill", ask.feed), body)
            }
        }
    }
}

/// Does it: in the running server if there is one, else in this process.
pub async fn run(deployment: &Deployment, settling: Settling) -> anyhow::Result<Value> {
    let holder = deployment.warehouse().writer_holder()?;
    if let Some(Holder { address: Some(address), secret: Some(secret), .. }) = holder {
        let (path, body) = settling.request();
        return handover::ask(&address, &secret, &path, &body).await;
    }
    let feeds = deployment.feeds()?;
    let warehouse = Arc::clone(deployment.warehouse());
    let ingest = Ingest::open(Arc::clone(&warehouse), deployment.dir(), feeds, Arc::new(Clock::Wall))?;
    let writer = warehouse.writer(&writer::holder("anze quarantine"), writer::WAIT).await?;
    ingest.prepare(&writer).await?;
    Ok(settling.run(&ingest, &writer, "operator".to_owned()).await?)
}

/// Answers show instants with +08:00.
fn in_local_time(mut report: Value) -> Value {
    for slot in report["slots"].as_array_mut().into_iter().flatten() {
        let at = slot["slot_at"].as_str().and_then(|text| DateTime::parse_from_rfc3339(text).ok());
        if let Some(at) = at {
            slot["slot_at"] = json!(instant(at.to_utc()));
        }
    }
    report
}

/// A replay or a discard for people: held records before and after, and what became of batches.
pub fn held_report(done: Value) -> Report {
    let rows = list(&done, "rows");
    let total = |name: &str| rows.iter().filter_map(|row| row.get(name).and_then(Value::as_u64)).sum::<u64>();
    let mut notes = vec![format!("暂扣 held: {} → {}", total("before"), total("after"))];
    for batch in list(&done, "batches") {
        let (state, before) = (text(&batch, "state"), text(&batch, "state_before"));
        let reason = text(&batch, "reason").map(|reason| format!(": {reason}")).unwrap_or_default();
        if state != before || !reason.is_empty() {
            let of = |name| text(&batch, name).unwrap_or_default();
            notes.push(format!(
                "{} {}: {} → {}{reason}",
                of("feed_id"),
                of("batch_id"),
                before.unwrap_or_default(),
                state.unwrap_or_default()
            ));
        }
    }
    notes.push(published(&done));
    let columns = if rows.is_empty() { Vec::new() } else { names(&["feed_id", "rule", "before", "after"]) };
    Report { json: done, columns, rows, notes, ..Report::default() }
}

/// A backfill for people, slot by slot.
pub fn backfill_report(done: Value) -> Report {
    let rows = list(&done, "slots");
    let mut notes: Vec<String> =
        rows.iter().filter_map(|row| Some(format!("{}: {}", text(row, "slot_date")?, text(row, "reason")?))).collect();
    let frozen = done["frozen_assessments"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let frozen: Vec<&str> = frozen.collect();
    notes.push(match frozen.as_slice() {
        [] => "该期间没有已冻结的考核结果 no frozen assessment covers the period".to_owned(),
        some => format!(
            "{} 项已冻结的考核结果涉及该期间，均不改变 frozen assessments cover the period, none is altered: {}",
            some.len(),
            some.join(", ")
        ),
    });
    notes.push(published(&done));
    let columns = names(&[
        "slot_date",
        "slot_at",
        "outcome",
        "bytes",
        "read",
        "accepted",
        "superseded",
        "unchanged",
        "quarantined",
    ]);
    Report { json: done, columns, rows, notes, ..Report::default() }
}

fn published(done: &Value) -> String {
    match (done["preview"].as_bool(), done["release"].as_u64()) {
        (Some(true), _) => "预览，未作任何更改 a preview: nothing was changed".to_owned(),
        (_, Some(release)) => format!("发布 published: release {release}"),
        (_, None) => "没有变化，未发布 nothing changed, nothing published".to_owned(),
    }
}

fn list(done: &Value, name: &str) -> Vec<Row> {
    let items = done.get(name).and_then(Value::as_array);
    items.into_iter().flatten().filter_map(|row| row.as_object().cloned()).collect()
}

fn names(columns: &[&str]) -> Vec<String> {
    columns.iter().map(|column| (*column).to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_replay_says_how_many_were_held_before_and_after() {
        let report = held_report(json!({
            "preview": false, "release": 7,
            "rows": [
                {"feed_id": "f", "rule": "not_a_number", "before": 5, "after": 1},
                {"feed_id": "f", "rule": "required", "before": 0, "after": 2},
            ],
            "batches": [
                {"feed_id": "f", "batch_id": "b", "state_before": "held", "state": "published", "reason": null},
            ],
        }));
        let said = report.table();
        assert!(said.contains("held: 5 → 3"), "{said}");
        assert!(said.contains("f b: held → published"), "{said}");
        assert!(said.contains("release 7"), "{said}");
    }

    #[test]
    fn a_backfill_names_the_frozen_assessments_that_it_touches() {
        let done = |frozen: Value| json!({"preview": true, "slots": [], "frozen_assessments": frozen});
        let said = backfill_report(done(json!(["a-1", "a-2"]))).table();
        assert!(said.contains("none is altered: a-1, a-2"), "{said}");
        assert!(backfill_report(done(json!([]))).table().contains("no frozen assessment"));
    }

    #[test]
    fn what_is_handed_to_a_server_is_read_there_as_it_was_meant() {
        let ask = ReplayAsk { batch: Some("b".into()), accept: true, ..ReplayAsk::default() };
        let (path, body) = Settling::Replay(ask.clone()).request();
        assert_eq!(path, "/api/v1/quarantine/replay");
        assert_eq!(serde_json::from_value::<ReplayAsk>(body).unwrap(), ask);
        let ask = DiscardAsk { rule: Some("required".into()), reason: "重复".into(), ..DiscardAsk::default() };
        let (_, body) = Settling::Discard(ask.clone()).request();
        assert_eq!(serde_json::from_value::<DiscardAsk>(body).unwrap(), ask);
    }
}
