//! The real `anze`, used as its users would use it: files in, releases out.

#![allow(clippy::unwrap_used, reason = "a helper of a test fails its test")]

mod broken_rows;
mod delivery;
mod deployment;
mod formats;
mod killed;
mod leads;
mod pushed;
mod quarantined;
mod repeated;
mod served;
mod sources;
mod traced;
