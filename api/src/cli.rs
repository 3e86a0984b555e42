//! The command line: one file a command.

mod assess;
mod check;
mod demo;
mod feeds;
mod ingest;
mod init;
mod leads;
mod maintain;
mod metrics;
mod noted;
mod quarantine;
mod releases;
mod report;
mod serve;
mod shell;
mod sql;
mod token;
mod trace;

use std::path::PathBuf;

use anyhow::Context;
use clap::{Args, Parser, Subcommand};
use tokio::runtime::{Builder, Runtime};

use crate::deployment::Deployment;
use crate::exit::Outcome;
use crate::output::{Format, Terminal};
use crate::release_choice::{KnownAt, ReleaseChoice};

/// 安责险数据仓库 — a warehouse for work-safety liability insurance: feeds in, explainable numbers out
#[derive(Debug, Parser)]
#[command(name = "anze", version, max_term_width = 100, arg_required_else_help = true)]
pub struct Cli {
    /// Folder of the deployment
    // The id keeps it apart from arguments named `dir` of the commands.
    #[arg(id = "deployment", short = 'C', value_name = "DIR", global = true, default_value = ".")]
    pub dir: PathBuf,
    /// How answers are printed
    #[arg(long, value_enum, global = true, default_value_t)]
    pub format: Format,
    /// JSON on many lines
    #[arg(long, global = true)]
    pub pretty: bool,
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Write a commented deployment into a folder
    Init(init::Init),
    /// Validate settings, feeds, metrics and schemes without running anything
    Check,
    /// A synthetic province on a simulated clock: feeds, releases, numbers, pages
    Demo(demo::Demo),
    /// Run feeds by their schedules and answer over HTTP
    Serve(serve::Serve),
    /// Take data in
    #[command(subcommand)]
    Ingest(ingest::Ingest),
    /// What the numbers mean, and the numbers
    #[command(subcommand)]
    Metrics(metrics::Metrics),
    /// Leads for enforcement, and what is decided about them
    #[command(subcommand)]
    Leads(leads::Leads),
    /// The brief of a city and month for the consultation (会商)
    Report(report::Report),
    /// One read-only SQL statement, or a shell
    Sql(sql::Sql),
    /// Target-responsibility assessments (目标责任考核)
    #[command(subcommand)]
    Assess(assess::Assess),
    /// What is published
    #[command(subcommand)]
    Releases(releases::Releases),
    /// Every version of a record and the landed line of each
    Trace(trace::Trace),
    /// Records that were held
    #[command(subcommand)]
    Quarantine(quarantine::Quarantine),
    /// What is delivered, and how it stands
    #[command(subcommand)]
    Feeds(feeds::Feeds),
    /// Look after the warehouse; a running server does so by itself
    #[command(subcommand)]
    Maintain(maintain::Maintain),
    /// Who may call
    #[command(subcommand)]
    Token(token::Token),
}

/// Which release a command reads.
#[derive(Debug, Clone, Copy, Args)]
pub struct ReleaseArgs {
    /// The release with this number
    #[arg(long, value_name = "N", conflicts_with = "known_at")]
    release: Option<u64>,
    /// The release that was the newest at this instant; a day means its end
    #[arg(long, value_name = "TIME")]
    known_at: Option<KnownAt>,
}

impl ReleaseArgs {
    fn choice(self) -> anyhow::Result<ReleaseChoice> {
        ReleaseChoice::of(self.release, self.known_at).map_err(|message| crate::exit::Misuse::new(message).into())
    }
}

/// What every command works with.
pub struct Desk {
    dir: PathBuf,
    terminal: Terminal,
}

impl Desk {
    /// The deployment, opened.
    fn deployment(&self) -> anyhow::Result<Deployment> {
        Deployment::open(&self.dir)
    }
}

impl Cli {
    /// Whether the command runs for long and talks meanwhile.
    pub fn is_service(&self) -> bool {
        matches!(self.command, Command::Serve(_) | Command::Demo(_))
    }

    /// Runs the command.
    pub fn run(self) -> anyhow::Result<Outcome> {
        let terminal = Terminal { format: self.format, pretty: self.pretty };
        let desk = Desk { dir: self.dir, terminal };
        let threads = threads("anze")?;
        let done = match self.command {
            Command::Init(command) => command.run(&desk),
            Command::Check => threads.block_on(check::run(&desk)),
            Command::Demo(command) => command.run(&desk, &threads),
            Command::Serve(command) => command.run(&desk, &threads),
            Command::Ingest(command) => threads.block_on(command.run(&desk)),
            Command::Metrics(command) => threads.block_on(command.run(&desk)),
            Command::Leads(command) => threads.block_on(command.run(&desk)),
            Command::Report(command) => threads.block_on(command.run(&desk)),
            Command::Sql(command) => threads.block_on(command.run(&desk)),
            Command::Assess(command) => threads.block_on(command.run(&desk)),
            Command::Releases(command) => threads.block_on(command.run(&desk)),
            Command::Trace(command) => threads.block_on(command.run(&desk)),
            Command::Quarantine(command) => threads.block_on(command.run(&desk)),
            Command::Feeds(command) => threads.block_on(command.run(&desk)),
            Command::Maintain(command) => threads.block_on(command.run(&desk)),
            Command::Token(command) => command.run(&desk),
        };
        // A computation that does not end must not keep a finished command.
        threads.shutdown_background();
        done
    }
}

/// Threads with a name.
fn threads(name: &str) -> anyhow::Result<Runtime> {
    Builder::new_multi_thread().thread_name(name).enable_all().build().context("cannot start threads")
}

/// `name=value` of a repeated option.
fn pair(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or_else(|| format!("`{text}` must be NAME=VALUE"))?;
    if name.is_empty() { Err(format!("`{text}` must be NAME=VALUE")) } else { Ok((name.to_owned(), value.to_owned())) }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn help_says_that_to_is_exclusive() {
        let mut command = Cli::command();
        let run = command.find_subcommand_mut("metrics").unwrap().find_subcommand_mut("run").unwrap();
        let help = run.render_long_help().to_string();
        let words = help.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(words.contains("exclusive") && words.contains("--from 2026-01-01 --to 2026-07-01"), "{help}");
    }

    #[test]
    fn the_folder_of_a_command_is_not_that_of_the_deployment() {
        let cli = Cli::try_parse_from(["anze", "init", "new"]).unwrap();
        assert_eq!(cli.dir, PathBuf::from("."));
        let cli = Cli::try_parse_from(["anze", "-C", "mine", "demo", "--dir", "new"]).unwrap();
        assert_eq!(cli.dir, PathBuf::from("mine"));
        let cli = Cli::try_parse_from(["anze", "check", "-C", "mine"]).unwrap();
        assert_eq!(cli.dir, PathBuf::from("mine"));
    }

    #[test]
    fn pairs_have_a_name() {
        assert_eq!(pair("sector=mine"), Ok(("sector".into(), "mine".into())));
        assert_eq!(pair("x=a=b"), Ok(("x".into(), "a=b".into())));
        assert!(pair("sector").is_err() && pair("=x").is_err());
    }
}
