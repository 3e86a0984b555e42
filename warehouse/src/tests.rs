//! The warehouse as a whole: published to, looked after, broken and read again.

mod copied;
mod differing;
mod failing;
mod kept;
mod ledger;
mod parts;
pub(crate) mod place;
