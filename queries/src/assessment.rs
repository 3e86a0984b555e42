//! Target-responsibility assessment (目标责任考核): schemes, their scores, and assessments that never
//! change once they are frozen.

mod batches;
mod book;
mod difference;
mod document;
mod exact;
mod leads;
mod measured;
mod period;
mod ranking;
mod rescored;
mod rules;
mod run;
mod scheme;
mod scoring;
mod seal;
mod subjects;
mod succession;
#[cfg(test)]
mod tests;
mod verification;

pub use book::{Asked, Book, Listed};
pub use difference::{Difference, differences};
pub use document::{
    Assessment, Capped, CaseCounts, ConfirmedLead, DataFile, Definition, IndicatorScore, IndicatorUsed, LandedBatch,
    Outside, Period, Pinned, Provisional, RuleRow, SampleRow, SchemeUsed, Scores, SectorScore, State, SubjectScore,
};
pub use period::PeriodKind;
pub use rescored::what_if;
pub use scheme::{Grade, Indicator, Scheme, Schemes, Scoring, SubjectKind, Veto};
pub use succession::{Cause, Moved, MovedIndicator, RowChange, Succession};
pub use verification::{Finding, FindingKind, Verification};
