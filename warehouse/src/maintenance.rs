//! Looking after the warehouse: compaction, vacuum, checks, backup and restore (decisions 0022, 0023).
//!
//! What changes something is done by the one writer; what only looks is done by anybody.

mod backup;
mod check;
mod compact;
mod needed;
mod note;
mod retention;
mod trouble;
mod vacuum;

pub use backup::{BackupReport, RestoreReport};
pub use check::{CheckReport, Depth};
pub use compact::{CompactReport, CompactedTable, Compaction};
pub use note::{Kind, MaintenanceLog, Noted, Outcome};
pub use retention::KEPT_DAYS;
pub use trouble::Trouble;
pub use vacuum::{Removal, VacuumReport};
