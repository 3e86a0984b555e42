//! Row groups encoded side by side: those of one file on as many threads as there are cores.

use std::sync::{Mutex, PoisonError};
use std::thread;

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::parquet::arrow::arrow_writer::{ArrowColumnChunk, ArrowRowGroupWriterFactory, compute_leaves};
use datafusion::parquet::file::writer::SerializedFileWriter;

use super::{Layout, note};
use crate::error::Result;
use crate::table::FileStats;

/// An encoded row group that is in no file yet.
pub(super) struct Group {
    columns: Vec<ArrowColumnChunk>,
    /// Of its rows alone.
    stats: FileStats,
}

impl Group {
    /// Encodes the rows of one group; `place` is the group's in its file.
    pub(super) fn encode(
        factory: &ArrowRowGroupWriterFactory,
        place: usize,
        schema: &SchemaRef,
        layout: &Layout,
        rows: impl Iterator<Item = Result<RecordBatch>>,
    ) -> Result<Self> {
        let mut columns = factory.create_column_writers(place)?;
        let mut stats = FileStats::default();
        for rows in rows {
            let rows = rows?;
            note(&mut stats, layout, &rows);
            let mut writers = columns.iter_mut();
            for (field, column) in schema.fields().iter().zip(rows.columns()) {
                for leaf in compute_leaves(field, column)? {
                    if let Some(writer) = writers.next() {
                        writer.write(&leaf)?;
                    }
                }
            }
        }
        let columns = columns.into_iter().map(|column| column.close()).collect::<std::result::Result<_, _>>()?;
        Ok(Self { columns, stats })
    }

    /// Appends the group to a file.
    pub(super) fn append(self, writer: &mut SerializedFileWriter<Vec<u8>>, stats: &mut FileStats) -> Result<()> {
        let mut out = writer.next_row_group()?;
        for column in self.columns {
            column.append_to_row_group(&mut out)?;
        }
        out.close()?;
        stats.absorb(self.stats);
        Ok(())
    }
}

/// Does some pieces of work on as many threads as there are cores; what they give is in their order.
pub(super) fn side_by_side<T: Send, R: Send>(pieces: Vec<T>, work: impl Fn(T) -> Result<R> + Sync) -> Result<Vec<R>> {
    let threads = thread::available_parallelism().map_or(1, std::num::NonZero::get).min(pieces.len());
    if threads < 2 {
        return pieces.into_iter().map(work).collect();
    }
    let count = pieces.len();
    let waiting = Mutex::new(pieces.into_iter().enumerate());
    let next = || waiting.lock().unwrap_or_else(PoisonError::into_inner).next();
    let share = || {
        let mut done = Vec::with_capacity(count);
        while let Some((place, piece)) = next() {
            done.push((place, work(piece)?));
        }
        Ok(done)
    };
    let shares: Vec<Result<Vec<(usize, R)>>> = thread::scope(|scope| {
        let others: Vec<_> = (1..threads).map(|_| scope.spawn(share)).collect();
        let own = share();
        let others =
            others.into_iter().map(|thread| thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
        std::iter::once(own).chain(others).collect()
    });
    let mut done: Vec<(usize, R)> = shares.into_iter().collect::<Result<Vec<_>>>()?.into_iter().flatten().collect();
    done.sort_unstable_by_key(|(place, _)| *place);
    Ok(done.into_iter().map(|(_, result)| result).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::{Error, ErrorKind};

    #[test]
    fn pieces_are_given_back_in_their_order_and_a_failing_one_is_told() {
        let doubled = side_by_side((0..100).collect(), |number: i32| Ok(number * 2)).unwrap();
        assert_eq!(doubled, (0..100).map(|number| number * 2).collect::<Vec<_>>());
        assert!(side_by_side(Vec::<i32>::new(), Ok).unwrap().is_empty());
        let failed = side_by_side((0..100).collect(), |number: i32| match number {
            63 => Err(Error::new(ErrorKind::Internal, "63")),
            _ => Ok(number),
        });
        assert_eq!(failed.unwrap_err().to_string(), "63");
    }
}
