//! The parts of a landed file: cut from it by one thread, read and checked by as many as there are
//! cores, handed over in their order, a bounded number ahead of whoever loads them.

use std::num::NonZero;
use std::sync::Arc;

use anze_warehouse::contract::Contract;
use tokio::runtime::Handle;
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinHandle;

use super::Due;
use crate::check::{Checked, Checker, KnownCodes, Origin};
use crate::decode::{DecodeError, Decoder, Input, RecordChunk, Records, RowReader};
use crate::error::{Error, ErrorKind, Result};
use crate::feed::{Feed, UnknownColumns};
use crate::landing::Landing;

/// Parts that are read ahead: enough that each core has one and the next one is there, few enough
/// that what waits stays far below a segment.
const AHEAD: usize = 4;

/// A part of a batch on its way from the decoder.
pub(super) enum Part {
    /// Rows checked.
    Checked(Box<Checked>),
    /// The file, or what is left of it, cannot be read.
    Refused((String, String)),
}

/// The parts of one file, in order.
pub(super) struct Parts {
    coming: mpsc::Receiver<Coming>,
}

/// A part that is there, or being read.
enum Coming {
    There(Result<Part>),
    Underway(JoinHandle<Result<Part>>),
}

impl Parts {
    /// Begins to decode and check a landed file.
    ///
    /// # Errors
    /// Warehouse, where the file is not there; Refused, where a check does not plan.
    pub(super) fn of(landing: &Landing, contract: &Arc<Contract>, due: &Due, codes: KnownCodes) -> Result<Self> {
        let file = landing.open(&due.delivery.landed_path)?;
        let feed = Arc::clone(&due.feed);
        let origin = Origin {
            batch_id: due.delivery.batch_id.clone(),
            feed_id: feed.feed_id.clone(),
            reporter: feed.reporter.clone(),
            landed_at: due.delivery.landed_at,
        };
        let checker = Checker::new(contract, codes, feed.policy.deleted_when.clone(), origin)?;
        let (send, coming) = mpsc::channel(AHEAD);
        tokio::task::spawn_blocking(move || match open(file, &feed, &checker) {
            Ok((records, reader)) => read(records, &reader, &Arc::new(checker), &send),
            Err(refused) => drop(send.blocking_send(Coming::There(refused))),
        });
        Ok(Self { coming })
    }

    /// The next part; `None` at the end of the file.
    pub(super) async fn next(&mut self) -> Option<Result<Part>> {
        Some(match self.coming.recv().await? {
            Coming::There(part) => part,
            Coming::Underway(part) => part.await.unwrap_or_else(|error| {
                Err(Error::caused(ErrorKind::Warehouse, "reading a landed file was interrupted", error))
            }),
        })
    }
}

/// The records of a file and what reads their values, or the one part that refuses the file.
fn open(
    file: impl Input + 'static,
    feed: &Feed,
    checker: &Checker,
) -> std::result::Result<(Records, Arc<RowReader>), Result<Part>> {
    let decoder = Decoder::open(file, &feed.format, &feed.mapping, checker.source_columns()).map_err(refusal)?;
    let unknown = decoder.unknown_columns();
    if feed.policy.unknown_columns == UnknownColumns::Refuse && !unknown.is_empty() {
        let list = unknown.join(", ");
        let reason = (format!("文件含有未知列：{list}"), format!("the file has unknown columns: {list}"));
        return Err(Ok(Part::Refused(reason)));
    }
    Ok(decoder.split())
}

/// Cuts the file to its end, or until nobody wants its parts any more.
fn read(records: Records, reader: &Arc<RowReader>, checker: &Arc<Checker>, send: &mpsc::Sender<Coming>) {
    // More threads than cores would only take them from the loading of other parts.
    let cores = Arc::new(Semaphore::new(std::thread::available_parallelism().map_or(2, NonZero::get)));
    for chunk in records {
        let coming = match chunk {
            Ok(chunk) => {
                let Ok(core) = Handle::current().block_on(Arc::clone(&cores).acquire_owned()) else { return };
                let (reader, checker) = (Arc::clone(reader), Arc::clone(checker));
                Coming::Underway(tokio::task::spawn_blocking(move || {
                    let part = part(chunk, &reader, &checker);
                    drop(core);
                    part
                }))
            }
            Err(error) => Coming::There(refusal(error)),
        };
        let is_last = matches!(coming, Coming::There(_));
        if send.blocking_send(coming).is_err() || is_last {
            return;
        }
    }
}

fn part(chunk: RecordChunk, reader: &RowReader, checker: &Checker) -> Result<Part> {
    checker.check(reader.read(chunk)).map(|checked| Part::Checked(Box::new(checked)))
}

fn refusal(error: DecodeError) -> Result<Part> {
    match error {
        DecodeError::Refused(refused) => Ok(Part::Refused((refused.message.zh, refused.message.en))),
        other => Err(Error::caused(ErrorKind::Warehouse, "a landed file could not be read", other)),
    }
}
