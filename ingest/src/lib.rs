//! Ingestion: feeds are fetched on schedule, landed, decoded, checked, loaded and published.

pub mod books;
pub mod check;
pub mod clock;
pub mod decode;
#[cfg(test)]
mod desk;
pub mod digest;
pub mod error;
pub mod expression;
pub mod feed;
pub mod landing;
pub mod load;
pub mod quarantine;
pub mod run;
pub mod schedule;
pub mod secret;
pub mod service;
pub mod source;
pub mod span;

pub use error::{Error, ErrorKind, Result};
pub use run::Ingest;
