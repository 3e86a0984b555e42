//! `anze`: the command line, the interface over HTTP and the pages.

#![allow(
    unreachable_pub,
    reason = "nothing of a binary is reachable from outside: `pub` says what a module offers the others"
)]

mod access_log;
mod assessment;
mod brief;
mod cli;
mod definition;
mod demo;
mod deployment;
mod dictionary;
mod engine;
mod environment;
mod exit;
mod feed_state;
mod following;
mod handover;
mod held;
mod http;
mod landed;
mod leads;
mod maintenance;
mod output;
mod page;
mod permission;
mod place;
mod problem;
mod published;
mod question;
mod record;
mod release_choice;
mod reviewing;
mod rows;
mod run_report;
mod serve;
mod settings;
mod settling;
mod statement;
mod token;
mod upkeep;
mod work;
mod writer;

use std::io::{IsTerminal, Write};
use std::process::ExitCode;

use clap::Parser;
use tracing_subscriber::EnvFilter;

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// Our own steps, and what the libraries below warn of.
const SERVICE_LOG: &str = "warn,anze=info,anze_ingest=info,anze_queries=info,anze_warehouse=info";

fn main() -> ExitCode {
    let cli = cli::Cli::parse();
    log(if cli.is_service() { SERVICE_LOG } else { "warn" });
    let (code, said) = exit::conclude(cli.run());
    anze_queries::forget();
    if let Some(said) = said {
        // If nobody can hear us the exit code must do.
        let _ = writeln!(std::io::stderr().lock(), "{said}");
    }
    code
}

/// Logs go to standard error, so that answers stay clean.
fn log(level: &str) {
    let filter = environment::log_filter().unwrap_or_else(|| level.to_owned());
    let colours = std::io::stderr().is_terminal() && !environment::no_colour();
    tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::new(filter))
        .with_writer(std::io::stderr)
        .with_ansi(colours)
        .init();
}
