//! Running the demo: the schedule quickened on a simulated clock, from the first slot to the last
//! day, then the endpoint over what came of it.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use anyhow::Context;
use anze_demo::{DemoPlan, DemoSlots, write_deployment};
use anze_ingest::Ingest;
use anze_ingest::clock::Clock;
use anze_ingest::run::RunReport;
use anze_ingest::schedule::ZONE;
use chrono::{DateTime, Duration, NaiveDate, TimeZone, Utc};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::feed_server::serve_feeds;
use crate::deployment::Deployment;
use crate::permission::{Role, Scope, Sensitive};
use crate::token::Token;
use crate::writer;

/// The settings of the demo's deployment.
const SETTINGS: &str = "# 演示部署 / the demo's deployment\n[server]\nloopback_role = \"admin\"\n\
    # 演示保留每一次发布 / every release of the demo is kept\n[maintenance]\nautomatic = false\n";

/// The senders of the demo, answering over HTTP until they are stopped.
pub(crate) struct Senders {
    stop: oneshot::Sender<()>,
    task: JoinHandle<anyhow::Result<()>>,
}

impl Senders {
    /// Stops answering.
    pub(crate) async fn stop(self) {
        // A receiver that is gone means that the task has ended already.
        let _ = self.stop.send(());
        match self.task.await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(%error, "the senders of the demo did not stop cleanly"),
            Err(error) => tracing::warn!(%error, "the senders of the demo did not stop cleanly"),
        }
    }
}

/// What a finished demo can say of itself.
pub(crate) struct Finished {
    /// The clock, standing at the end of the last day.
    pub(crate) clock: Arc<Clock>,
    /// The senders, still answering.
    pub(crate) senders: Senders,
    /// Batches loaded, rows read, records held.
    pub(crate) batches: usize,
    pub(crate) rows: u64,
    pub(crate) held: u64,
    /// Number of the last release.
    pub(crate) release: u64,
    /// One token per role, with its role's name.
    pub(crate) tokens: Vec<(&'static str, String)>,
}

/// Writes the feeds, serves them over HTTP and runs every slot up to the last day.
pub(crate) async fn run(dir: &Path, plan: &DemoPlan) -> anyhow::Result<Finished> {
    std::fs::create_dir_all(dir).with_context(|| format!("cannot create {}", dir.display()))?;
    std::fs::write(dir.join("anze.toml"), SETTINGS).with_context(|| format!("cannot write into {}", dir.display()))?;
    let listener = TcpListener::bind((std::net::Ipv4Addr::LOCALHOST, 0)).await.context("cannot listen on loopback")?;
    let address = listener.local_addr().context("the senders have no address")?;
    let slots = write_feeds(dir, plan, address).await?;
    let (stop, stopped) = oneshot::channel();
    let outbox = dir.join("outbox");
    let task = tokio::spawn(serve_feeds(outbox, listener, async {
        // Dropping the sender stops it as well.
        let _ = stopped.await;
    }));
    let senders = Senders { stop, task };
    let deployment = Deployment::open(dir)?;
    // The province can be made again from its seed: its years are synced once, at the end.
    let put_off = deployment.warehouse().store().put_off_syncs();
    let first = slots.feeds.iter().filter_map(|feed| feed.slots.first()).min().copied().unwrap_or_default();
    let clock = Arc::new(Clock::at(first - Duration::seconds(1)));
    let mut finished =
        Finished { clock, senders, batches: 0, rows: 0, held: 0, release: 0, tokens: tokens(&deployment)? };
    ingest(&deployment, &slots, plan.until, &mut finished).await?;
    let data = deployment.warehouse().store().path().to_owned();
    let synced = tokio::task::spawn_blocking(move || put_off.end(&data)).await.context("syncing was interrupted")?;
    synced.context("the demo could not be synced")?;
    Ok(finished)
}

async fn write_feeds(dir: &Path, plan: &DemoPlan, address: SocketAddr) -> anyhow::Result<DemoSlots> {
    let (dir, plan) = (dir.to_owned(), plan.clone());
    tokio::task::spawn_blocking(move || {
        let bar = bar("写入报送文件 writing feeds", 0);
        let slots = write_deployment(&dir, &plan, &format!("http://{address}"), &|progress| {
            bar.set_length(progress.total as u64);
            bar.set_position(progress.done as u64);
        });
        bar.finish_and_clear();
        slots
    })
    .await
    .context("writing the feeds was interrupted")?
}

/// Runs the slots in order: the clock jumps from one instant with slots to the next.
async fn ingest(
    deployment: &Deployment,
    slots: &DemoSlots,
    until: NaiveDate,
    finished: &mut Finished,
) -> anyhow::Result<()> {
    let warehouse = Arc::clone(deployment.warehouse());
    let ingest =
        Ingest::open(Arc::clone(&warehouse), deployment.dir(), deployment.feeds()?, Arc::clone(&finished.clock))?;
    let writer = warehouse.writer(&writer::holder("anze demo"), writer::WAIT).await?;
    ingest.prepare(&writer).await?;
    ingest.run_due(&writer).await?;
    let end = end_of(until);
    let mut instants: Vec<DateTime<Utc>> =
        slots.feeds.iter().flat_map(|feed| feed.slots.iter().copied()).filter(|slot| *slot <= end).collect();
    instants.sort_unstable();
    instants.dedup();
    instants.push(end);
    let bar = bar("按日程采集 running the schedule", instants.len() as u64);
    let told = |instant: DateTime<Utc>, report: RunReport| {
        bar.set_message(instant.with_timezone(&ZONE).format("%Y-%m-%d").to_string());
        finished.batches += report.batches.len();
        finished.rows += report.batches.iter().map(|batch| batch.read).sum::<u64>();
        finished.held += report.batches.iter().map(|batch| batch.quarantined).sum::<u64>();
        if let Some(release) = report.release {
            finished.release = release.number();
        }
        bar.inc(1);
    };
    ingest.run_past(&writer, &instants, told).await?;
    bar.finish_and_clear();
    Ok(())
}

/// The last instant of a day in the deployment's zone, to the second.
fn end_of(day: NaiveDate) -> DateTime<Utc> {
    let next = day.succ_opt().unwrap_or(day).and_time(chrono::NaiveTime::MIN);
    let midnight = ZONE.from_local_datetime(&next).earliest();
    midnight.map_or_else(|| next.and_utc(), |midnight| midnight.with_timezone(&Utc)) - Duration::seconds(1)
}

/// One token per role, each with a scope that shows what the role is for.
fn tokens(deployment: &Deployment) -> anyhow::Result<Vec<(&'static str, String)>> {
    let scope = |regions: &[&str], insurers: &[&str], feeds: &[&str]| -> anyhow::Result<Scope> {
        let own = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        let regions = regions.iter().map(|region| region.parse()).collect::<Result<_, _>>();
        let regions = regions.map_err(|message: String| anyhow::anyhow!(message))?;
        Ok(Scope { regions, insurers: own(insurers), feeds: own(feeds), ..Scope::default() })
    };
    let roles = [
        ("admin", Role::Admin, scope(&[], &[], &[])?),
        ("official", Role::Official, scope(&[], &[], &[])?),
        ("official 杭州市", Role::Official, scope(&["3301"], &[], &[])?),
        ("analyst", Role::Analyst, scope(&[], &[], &[])?),
        ("insurer ZJPC", Role::Insurer, scope(&[], &["ZJPC"], &[])?),
        ("reporter", Role::Reporter, scope(&[], &[], &["zjpc-policy"])?),
        ("public", Role::Public, scope(&[], &[], &[])?),
    ];
    let mut shown = Vec::new();
    for (name, role, scope) in roles {
        let (token, secret) = Token::create(role, scope, Sensitive::default(), None, Utc::now())?;
        deployment.tokens().add(&token)?;
        shown.push((name, secret.reveal().to_owned()));
    }
    Ok(shown)
}

/// A progress bar for people at a terminal, hidden elsewhere.
fn bar(what: &str, length: u64) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(Some(length), ProgressDrawTarget::stderr());
    let style = ProgressStyle::with_template("{prefix} {bar:32} {pos}/{len} {msg} {elapsed}")
        .unwrap_or_else(|_| ProgressStyle::default_bar());
    bar.with_style(style).with_prefix(what.to_owned())
}
