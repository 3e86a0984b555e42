//! The real `anze`, used as its users would use it: files in, releases out.

#![allow(clippy::unwrap_used, reason = "a helper of a test fails its test")]

mod assessed;
mod broken_rows;
mod compared;
mod daemon;
mod delivery;
mod deployment;
mod formats;
mod full_disk;
mod in_bucket;
mod killed;
mod killed_upkeep;
mod leads;
mod maintained;
mod many_rows;
mod pushed;
mod quarantined;
mod repeated;
mod s3_server;
mod served;
mod sources;
mod traced;
