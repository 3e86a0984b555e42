//! Leads for enforcement (线索): the rows behind what the metrics only count, each with who, where, since
//! when, the rule broken and the landed line.
//!
//! A family of kinds is data: `leads/<family>.sql` returns the rows, `.toml` says what its kinds mean, and
//! `.test.toml` holds what was worked out by hand. In its SQL `metric.<id>` is the cases of that metric, so
//! that a lead cannot say otherwise than the number. The view `lead` of every session is all of them, as
//! of the observation day and since 1 January.

mod ask;
mod columns;
mod cursor;
mod declaration;
mod family;
mod found;
mod rows;
mod table;

pub use ask::{LeadRequest, LeadScope};
pub(crate) use family::check;
pub use family::{LeadKind, lead_kinds};
pub use found::{Lead, LeadCount, LeadPage, lead, lead_counts, leads};
pub(crate) use table::register;
