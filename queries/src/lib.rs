//! What the numbers mean: the catalogue of metrics, the marts they read, the engine that answers, and
//! the assessments that are made of them.
//!
//! A metric's SQL returns cases; the engine sums them up, so that the evidence of an answer is the
//! same rows. Values are bound, never pasted; sums are exact.

mod answer;
pub mod assessment;
mod cases;
mod catalogue;
mod comparison;
mod concentration;
mod dimension;
mod engine;
mod error;
mod evidence;
mod functions;
mod groups;
#[cfg(test)]
mod handworked;
mod lead;
mod names;
mod own_files;
#[cfg(test)]
mod properties;
mod province;
mod quantity;
mod question;
mod rule_book;
mod session;
mod span;
mod sql;
mod stale;
mod statement;
mod suggestion;
mod survival;
mod trend;
mod values;

mod embedded {
    include!(concat!(env!("OUT_DIR"), "/embedded.rs"));
}

pub use answer::{Compared, Figure, Member, MetricAnswer, Row};
pub use catalogue::{Catalogue, Direction, Kind, Metric, Parameter, ParameterType, Unit};
pub use comparison::{Benchmark, Compare, Comparison, Reach, answer_compared};
pub use dimension::{Dimension, UNKNOWN};
pub use engine::answer;
pub use error::{Error, ErrorKind, Position, Result};
pub use evidence::{EvidencePage, EvidenceRow, MOST_ROWS, Side, evidence};
pub use lead::{Lead, LeadCount, LeadKind, LeadPage, LeadRequest, LeadScope, lead, lead_counts, lead_kinds, leads};
pub use names::{name_en, region_name};
pub use quantity::Quantity;
pub use question::MetricRequest;
pub use session::{each_scan, forget, session};
pub use span::Span;
pub use sql::{QueryLimits, sql, sql_with};
pub use statement::Value;
pub use trend::trend;
pub use values::{MetricValues, metric_values};
