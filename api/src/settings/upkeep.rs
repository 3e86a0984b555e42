//! `[maintenance]`: what a running server does by itself to look after the warehouse.

use std::time::Duration;

use anze_ingest::span::Span;
use serde::Deserialize;

/// Whether and how often small files are put together, old ones removed, and everything looked at.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct UpkeepSettings {
    /// Whether it is done at all by itself.
    pub automatic: bool,
    /// How often.
    pub every: Span,
}

impl Default for UpkeepSettings {
    fn default() -> Self {
        Self { automatic: true, every: Span(Duration::from_secs(24 * 3600)) }
    }
}
