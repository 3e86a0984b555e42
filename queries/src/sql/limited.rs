//! A stream of rows that ends with an error when it passes its time or its number of rows.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::{RecordBatchStream, SendableRecordBatchStream};
use futures::{FutureExt, Stream, StreamExt};
use tokio::time::{Instant, Sleep, sleep_until};

use super::QueryLimits;
use crate::error::{Error, ErrorKind};
use crate::session::Observed;

/// The stream of a session within its limits.
pub(super) fn within(
    stream: SendableRecordBatchStream,
    session: Arc<Observed>,
    deadline: Instant,
    limits: QueryLimits,
) -> SendableRecordBatchStream {
    let schema = stream.schema();
    let alarm = Box::pin(sleep_until(deadline));
    Box::pin(Limited { schema, stream: Some(stream), _session: session, alarm, limits, rows: 0 })
}

/// The error of a statement that took too long.
pub(super) fn out_of_time(time: Duration) -> Error {
    Error::new(ErrorKind::Limit, format!("the statement took longer than {} seconds", time.as_secs_f64()))
}

struct Limited {
    schema: SchemaRef,
    /// Dropped at the end, whatever it is: a hanging statement must not go on in the background.
    stream: Option<SendableRecordBatchStream>,
    /// Marts that it reads may be kept in files, which go with the session.
    _session: Arc<Observed>,
    alarm: Pin<Box<Sleep>>,
    limits: QueryLimits,
    rows: u64,
}

impl Limited {
    fn end(&mut self, error: Error) -> Poll<Option<Result<RecordBatch>>> {
        self.stream = None;
        Poll::Ready(Some(Err(DataFusionError::External(Box::new(error)))))
    }
}

impl Stream for Limited {
    type Item = Result<RecordBatch>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.stream.is_none() {
            return Poll::Ready(None);
        }
        if self.alarm.poll_unpin(context).is_ready() {
            let error = out_of_time(self.limits.time);
            return self.end(error);
        }
        let Some(stream) = self.stream.as_mut() else { return Poll::Ready(None) };
        match stream.poll_next_unpin(context) {
            Poll::Ready(Some(Ok(batch))) => {
                self.rows += batch.num_rows() as u64;
                let most = self.limits.rows;
                if self.rows > most {
                    let message = format!("the statement has more than {most} rows; narrow it or add a limit");
                    return self.end(Error::new(ErrorKind::Limit, message));
                }
                Poll::Ready(Some(Ok(batch)))
            }
            Poll::Ready(end) => {
                self.stream = None;
                Poll::Ready(end)
            }
            Poll::Pending => Poll::Pending,
        }
    }
}

impl RecordBatchStream for Limited {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }
}
