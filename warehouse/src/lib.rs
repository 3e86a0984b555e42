//! The warehouse of Anze: contracts, tables, releases, scans.
//!
//! A release is one consistent version of all tables; readers see releases and nothing else.

pub mod assessments;
pub mod contract;
pub mod credit_code;
pub mod error;
pub mod functions;
pub mod lineage;
pub mod live;
pub mod maintenance;
pub mod metric_values;
pub mod publication;
pub mod reading;
pub mod reference;
pub mod release;
pub mod session;
pub mod store;
pub mod table;
pub mod warehouse;

#[cfg(test)]
mod tests;

mod embedded {
    include!(concat!(env!("OUT_DIR"), "/embedded.rs"));
}

pub use error::{Error, ErrorKind, Result, advice};
pub use release::Release;
pub use store::create_folders;
pub use warehouse::Warehouse;
