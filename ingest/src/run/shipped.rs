//! The feeds of the reference data that the product ships.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anze_warehouse::contract;
use anze_warehouse::reference;

use crate::decode::{Format, FormatConfig, Mapping};
use crate::error::{Error, ErrorKind, Result};
use crate::feed::{CatchUp, Feed, Mode, Overlap, Policy, Retry};
use crate::source::{DirectoryConfig, SourceConfig};
use crate::span::Span;

/// Each shipped file with a feed of its own: reporter `anze`, our own column names.
pub(super) fn feeds() -> Result<Vec<(Arc<Feed>, &'static str)>> {
    reference::files().iter().map(|(dataset, text)| Ok((Arc::new(feed(dataset)?), *text))).collect()
}

fn feed(dataset: &str) -> Result<Feed> {
    let broken = || Error::new(ErrorKind::Refused, format!("shipped data for {dataset}, which is no dataset"));
    let contract = contract::builtin().dataset(dataset).map(Arc::clone).ok_or_else(broken)?;
    let format = Format::new(&FormatConfig::default()).map_err(|_| broken())?;
    let mapping =
        Mapping::new(&BTreeMap::new(), &BTreeMap::<String, String>::new(), &contract).map_err(|_| broken())?;
    Ok(Feed {
        feed_id: format!("{}-{dataset}", reference::REPORTER),
        title: contract.title.clone(),
        contract,
        reporter: reference::REPORTER.to_owned(),
        region_code: None,
        department: None,
        mode: Mode::Upsert,
        schedule: None,
        catch_up: CatchUp::None,
        catch_up_window: Span(Duration::ZERO),
        overlap: Overlap::Skip,
        jitter: Span(Duration::ZERO),
        deadline: None,
        retry: Retry::default(),
        takes_over: Vec::new(),
        // Never asked: shipped files come from the binary.
        source: SourceConfig::Directory(DirectoryConfig {
            path: PathBuf::new(),
            pattern: None,
            stable_for: Span(Duration::ZERO),
        }),
        format,
        mapping,
        policy: Policy::default(),
    })
}
