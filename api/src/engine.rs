//! Where questions are computed: threads of their own, so that answering from the cache, health
//! checks and the stop stay quick while long questions run.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use futures::stream::BoxStream;
use futures::{Stream, StreamExt};
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::task::AbortHandle;
use tokio::time::{Instant, timeout_at};

use crate::settings::QuerySettings;

/// Why the engine gave a question up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum GivenUp {
    #[error("the question took longer than {0:?}")]
    TooLong(Duration),
    #[error("too many questions at once")]
    Busy,
    #[error("the computation broke off")]
    Broken,
}

/// The threads for questions, with their limits.
#[derive(Debug, Clone)]
pub struct Engine {
    threads: Handle,
    places: Arc<Semaphore>,
    time_limit: Duration,
}

impl Engine {
    /// Questions run on `threads`, which outlive this.
    pub fn new(threads: Handle, settings: &QuerySettings) -> Self {
        Self { threads, places: Arc::new(Semaphore::new(settings.concurrent)), time_limit: settings.deadline.0 }
    }

    /// Computes one thing; dropping the future drops the work.
    pub async fn run<T, E>(&self, work: impl Future<Output = Result<T, E>> + Send + 'static) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<GivenUp> + Send + 'static,
    {
        let (until, place) = self.place().await?;
        let task = self.threads.spawn(async move {
            let _place = place;
            timeout_at(until, work).await
        });
        let _ended_with_us = Ended(task.abort_handle());
        match task.await {
            Ok(Ok(done)) => done,
            Ok(Err(_)) => Err(GivenUp::TooLong(self.time_limit).into()),
            Err(_) => Err(GivenUp::Broken.into()),
        }
    }

    /// Computes one thing however long it takes: a whole assessment, a proof over every file. It goes on to
    /// its end even if nobody waits any more.
    pub async fn run_to_the_end<T, E>(&self, work: impl Future<Output = Result<T, E>> + Send + 'static) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<GivenUp> + Send + 'static,
    {
        let (_, place) = self.place().await?;
        let task = self.threads.spawn(async move {
            let _place = place;
            work.await
        });
        match task.await {
            Ok(done) => done,
            Err(_) => Err(GivenUp::Broken.into()),
        }
    }

    /// Starts a stream there and hands its items on, a few at a time; after the time limit, or if
    /// the computation breaks, the last item is the error. Dropping the stream drops the work.
    pub async fn stream<S, T, E>(
        &self,
        start: impl Future<Output = Result<S, E>> + Send + 'static,
    ) -> Result<BoxStream<'static, Result<T, E>>, E>
    where
        S: Stream<Item = Result<T, E>> + Send + 'static,
        T: Send + 'static,
        E: From<GivenUp> + Send + 'static,
    {
        let (until, place) = self.place().await?;
        let time_limit = self.time_limit;
        let (to_reader, mut from_work) = mpsc::channel(2);
        let task = self.threads.spawn(async move {
            let in_time = timeout_at(until, forward(start, to_reader.clone())).await;
            drop(place);
            if in_time.is_err() {
                // A reader that is gone needs no error.
                let _ = to_reader.send(Progress::Item(Err(GivenUp::TooLong(time_limit).into()))).await;
            }
        });
        let ended_with_us = Ended(task.abort_handle());
        match from_work.recv().await {
            Some(Progress::Started) => {}
            Some(Progress::Item(Err(error))) => return Err(error),
            _ => return Err(GivenUp::Broken.into()),
        }
        let items = futures::stream::unfold(Some((from_work, ended_with_us)), |state| async move {
            let (mut from_work, work) = state?;
            match from_work.recv().await {
                Some(Progress::Item(Ok(item))) => Some((Ok(item), Some((from_work, work)))),
                Some(Progress::Item(Err(error))) => Some((Err(error), None)),
                Some(Progress::Finished) => None,
                // The work ended without saying so: it panicked. Its rows must not look whole.
                Some(Progress::Started) | None => Some((Err(GivenUp::Broken.into()), None)),
            }
        });
        Ok(items.boxed())
    }

    /// A place among the running questions; a full house is waited for half the time limit.
    async fn place(&self) -> Result<(Instant, OwnedSemaphorePermit), GivenUp> {
        let now = Instant::now();
        let places = Arc::clone(&self.places);
        match timeout_at(now + self.time_limit / 2, places.acquire_owned()).await {
            Ok(Ok(place)) => Ok((Instant::now() + self.time_limit, place)),
            _ => Err(GivenUp::Busy),
        }
    }
}

enum Progress<T, E> {
    Started,
    Item(Result<T, E>),
    Finished,
}

async fn forward<S, T, E>(start: impl Future<Output = Result<S, E>>, to_reader: mpsc::Sender<Progress<T, E>>)
where
    S: Stream<Item = Result<T, E>>,
{
    let stream = match start.await {
        Ok(stream) => stream,
        Err(error) => {
            let _ = to_reader.send(Progress::Item(Err(error))).await;
            return;
        }
    };
    let mut stream = std::pin::pin!(stream);
    let mut next = Progress::Started;
    loop {
        let last = matches!(next, Progress::Finished | Progress::Item(Err(_)));
        if to_reader.send(next).await.is_err() || last {
            return;
        }
        next = match stream.next().await {
            Some(item) => Progress::Item(item),
            None => Progress::Finished,
        };
    }
}

/// Ends a task when its reader goes away.
struct Ended(AbortHandle);

impl Drop for Ended {
    fn drop(&mut self) {
        self.0.abort();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn engine(time_limit: &str, concurrent: usize) -> Engine {
        let settings = QuerySettings {
            deadline: time_limit.to_owned().try_into().unwrap(),
            concurrent,
            ..QuerySettings::default()
        };
        Engine::new(Handle::current(), &settings)
    }

    async fn never() -> Result<(), GivenUp> {
        futures::future::pending().await
    }

    #[tokio::test]
    async fn work_that_never_ends_is_given_up() {
        let given_up = engine("20ms", 1).run(never()).await;
        assert_eq!(given_up, Err(GivenUp::TooLong(Duration::from_millis(20))));
    }

    #[tokio::test]
    async fn work_to_the_end_outlives_the_time_limit() {
        let engine = engine("20ms", 1);
        let (done, waited_for) = tokio::sync::oneshot::channel();
        let later = tokio::time::sleep(Duration::from_millis(60));
        tokio::spawn(async move {
            later.await;
            let _ = done.send(7);
        });
        let work = async { waited_for.await.map_err(|_| GivenUp::Broken) };
        assert_eq!(engine.run_to_the_end(work).await, Ok(7));
    }

    #[tokio::test]
    async fn a_full_house_is_told_to_come_back() {
        let engine = engine("80ms", 1);
        let first = engine.run(never());
        let second = engine.run(async { Ok::<_, GivenUp>(()) });
        let (first, second) = futures::join!(first, second);
        assert_eq!(first, Err(GivenUp::TooLong(Duration::from_millis(80))));
        assert_eq!(second, Err(GivenUp::Busy));
    }

    #[tokio::test]
    async fn a_reader_that_leaves_frees_the_place() {
        let engine = engine("10s", 1);
        drop(tokio::time::timeout(Duration::from_millis(10), engine.run(never())).await);
        assert_eq!(engine.run(async { Ok::<_, GivenUp>(1) }).await, Ok(1));
    }

    #[tokio::test]
    async fn a_stream_arrives_whole() {
        let start = async { Ok::<_, GivenUp>(futures::stream::iter((0..10).map(Ok))) };
        let items: Vec<_> = engine("10s", 1).stream(start).await.unwrap().collect().await;
        assert_eq!(items, (0..10).map(Ok).collect::<Vec<_>>());
    }

    #[tokio::test]
    async fn a_stream_that_breaks_ends_with_an_error() {
        let start = async {
            let items = futures::stream::iter(0..3).map(|item| {
                assert!(item < 2, "broken on purpose");
                Ok(item)
            });
            Ok::<_, GivenUp>(items)
        };
        let items: Vec<_> = engine("10s", 1).stream(start).await.unwrap().collect().await;
        assert_eq!(items, [Ok(0), Ok(1), Err(GivenUp::Broken)]);
    }

    #[tokio::test]
    async fn a_stream_that_stalls_ends_with_an_error() {
        let start = async {
            let items = futures::stream::iter([Ok(1)]).chain(futures::stream::pending());
            Ok::<_, GivenUp>(items)
        };
        let items: Vec<_> = engine("50ms", 1).stream(start).await.unwrap().collect().await;
        assert_eq!(items, [Ok(1), Err(GivenUp::TooLong(Duration::from_millis(50)))]);
    }
}
