//! `anze demo`: a synthetic province, from feeds to pages.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use anyhow::Context;
use anze_demo::DemoPlan;
use chrono::NaiveDate;
use clap::Args;
use tokio::runtime::Runtime;

use super::{Desk, threads};
use crate::demo::Finished;
use crate::deployment::Deployment;
use crate::exit::{Misuse, Outcome};
use crate::serve::serve;
use crate::settings::Settings;

/// A synthetic province on a simulated clock
#[derive(Debug, Args)]
pub struct Demo {
    /// Size: 1 is a province of 120,000 units
    #[arg(long, default_value_t = 0.1)]
    pub scale: f64,
    /// How many years of deliveries
    #[arg(long, default_value_t = 3)]
    pub years: u32,
    /// The last day
    #[arg(long, value_name = "DAY", default_value = "2026-06-30")]
    pub until: NaiveDate,
    /// Port of the interface and the pages, on loopback; 0 takes a free one
    #[arg(long, default_value_t = 8080)]
    pub port: u16,
    /// The same seed gives the same province
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Folder of the demo; it must not exist yet [default: a new one among the temporary folders]
    #[arg(long, value_name = "DIR")]
    pub dir: Option<PathBuf>,
    /// Stop when the releases are there, without serving
    #[arg(long)]
    pub no_serve: bool,
}

impl Demo {
    pub(super) fn run(self, desk: &Desk, main: &Runtime) -> anyhow::Result<Outcome> {
        let begun = Instant::now();
        let dir = self.folder()?;
        let plan = DemoPlan { scale: self.scale, years: self.years, until: self.until, seed: self.seed };
        let mut finished = main.block_on(crate::demo::run(&dir, &plan))?;
        desk.terminal.say(&format!(
            "{} 个批次、{} 行、{} 条暂存，发布至第 {} 版，用时 {:.1} 秒\n\
             {} batches, {} rows, {} held; release {} after {:.1} s\n",
            finished.batches,
            finished.rows,
            finished.held,
            finished.release,
            begun.elapsed().as_secs_f64(),
            finished.batches,
            finished.rows,
            finished.held,
            finished.release,
            begun.elapsed().as_secs_f64(),
        ));
        if self.no_serve {
            desk.terminal.write(&format!("{}\n", dir.display()))?;
            main.block_on(finished.senders.stop());
            return Ok(Outcome::Done);
        }
        let mut settings = Settings::load(&dir)?;
        settings.server.bind.set_port(self.port);
        let deployment = Arc::new(Deployment::with_settings(&dir, settings)?);
        let questions = threads("question")?;
        let terminal = desk.terminal;
        let next = what_next(&dir, &std::mem::take(&mut finished.tokens), &finished);
        let announce = |address: &str| {
            // A closed standard output is no reason to stop serving.
            let _ = terminal.write(&format!("{address}\n"));
            terminal.say(&next.replace("{address}", address));
        };
        let clock = Arc::clone(&finished.clock);
        let served = main.block_on(serve(deployment, None, clock, questions.handle().clone(), announce));
        main.block_on(finished.senders.stop());
        questions.shutdown_background();
        served.map(|()| Outcome::Done)
    }

    fn folder(&self) -> anyhow::Result<PathBuf> {
        let dir = match &self.dir {
            Some(dir) => dir.clone(),
            None => std::env::temp_dir().join(format!("anze-demo-{}", std::process::id())),
        };
        if dir.exists() && std::fs::read_dir(&dir).context("cannot read the demo's folder")?.next().is_some() {
            let message = format!("{} is not empty; nothing was written: name a new folder with --dir", dir.display());
            return Err(Misuse::new(message).into());
        }
        Ok(dir)
    }
}

/// What to open next, and the tokens to try.
fn what_next(dir: &std::path::Path, tokens: &[(&'static str, String)], finished: &Finished) -> String {
    let dir = dir.display();
    let mut text = format!(
        "打开 open        {{address}}/\n\
         指标 a metric    curl '{{address}}/api/v1/metrics/coverage_rate?by=city'\n\
         缺口 its gap     {{address}}/metrics/coverage_rate/gap\n\
         命令行 shell     anze -C {dir} sql\n\
         第 {} 版 release  anze -C {dir} releases list\n\
         \n令牌 tokens, one per role (Authorization: Bearer …)\n",
        finished.release
    );
    for (role, token) in tokens {
        text.push_str(&format!("  {role:<16} {token}\n"));
    }
    text.push_str("\nctrl-c 停止 stops");
    text
}
