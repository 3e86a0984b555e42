//! What a run is asked to do, wherever the writer is: in this process or in a running server.

use std::path::PathBuf;

use anze_ingest::Ingest;
use anze_ingest::run::{Job, Publish, RunReport};
use anze_warehouse::publication::Writer;
use serde::{Deserialize, Serialize};

use crate::problem::Problem;

/// A job for the writer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Work {
    /// These feeds, published once.
    Feeds(Vec<String>),
    /// All feeds, published after each stage.
    All,
    /// A file in hand, for a feed.
    File { feed: String, path: PathBuf },
}

impl Work {
    /// The feeds to fetch; a name that is no feed is refused. A file is not fetched.
    pub fn jobs(&self, ingest: &Ingest) -> Result<(Vec<Job>, Publish), Problem> {
        let job = |feed| Job { feed, slot_at: None };
        match self {
            Self::All => Ok((ingest.feeds().iter().cloned().map(job).collect(), Publish::EachStage)),
            Self::Feeds(names) => {
                let jobs = names.iter().map(|name| find(ingest, name).map(job)).collect::<Result<_, _>>()?;
                Ok((jobs, Publish::Once))
            }
            Self::File { feed, .. } => {
                find(ingest, feed)?;
                Ok((Vec::new(), Publish::Once))
            }
        }
    }

    /// Does it with the writer in hand.
    pub async fn run(&self, ingest: &Ingest, writer: &Writer, asked_by: &str) -> anyhow::Result<RunReport> {
        if let Self::File { feed, path } = self {
            let feed = find(ingest, feed)?;
            return Ok(ingest.take_file(writer, &feed, path, asked_by).await?);
        }
        let (jobs, publish) = self.jobs(ingest)?;
        Ok(ingest.run(writer, jobs, asked_by, publish).await?)
    }
}

fn find(ingest: &Ingest, name: &str) -> Result<std::sync::Arc<anze_ingest::feed::Feed>, Problem> {
    ingest.feeds().get(name).cloned().ok_or_else(|| {
        Problem::not_found("no_such_feed", format!("there is no feed `{name}`; anze feeds list shows them"))
    })
}
