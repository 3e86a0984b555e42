//! `anze demo`: the synthetic province sends, and a deployment takes in what it sends.

mod feed_server;
mod run;

pub(crate) use run::{Finished, run};
