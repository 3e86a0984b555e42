//! A synthetic Zhejiang: units, insurers and departments that live through some years and report
//! what happens to them as real ones do, late, corrected and partly broken. Everything follows from
//! the plan: the same plan gives the same bytes, whatever the machine, the day or the thread.

mod agency;
mod breakage;
mod chance;
mod claim;
mod credit_code;
mod dataset;
mod day;
mod dialect;
mod expense;
mod feed;
mod hazard;
mod holder;
mod market;
mod outbox;
mod oversight;
mod policy;
mod premium;
mod province;
mod record;
mod reference;
mod scribe;
mod service;
mod staff;
#[cfg(test)]
mod tests;
mod truths;
mod unit;
mod vocabulary;
mod world;

use anyhow::{Context, Result, ensure};
use chrono::{DateTime, NaiveDate, Utc};
use std::fs;
use std::path::Path;
use truths::Truths;
use unit::Unit;
use world::World;

/// What to simulate.
#[derive(Clone, Debug)]
pub struct DemoPlan {
    /// 1.0 is a province of 120,000 units.
    pub scale: f64,
    /// How long the schedule has been running on the last day.
    pub years: u32,
    /// The last day; nothing later is known to anyone.
    pub until: NaiveDate,
    pub seed: u64,
}

/// The feeds that were written, and what the generator knows about them.
#[derive(Debug)]
#[cfg_attr(not(test), allow(dead_code, reason = "what the generator knows is compared by tests"))]
pub struct DemoSlots {
    /// In the order of reporting: references, units and rosters, facts.
    pub feeds: Vec<FeedSlots>,
    pub(crate) truths: Truths,
}

/// A feed and the instants at which it is due, oldest first.
#[derive(Debug)]
#[cfg_attr(not(test), allow(dead_code, reason = "the running demo needs the instants alone, tests the rest"))]
pub struct FeedSlots {
    pub id: String,
    pub dataset: &'static str,
    pub reporter: &'static str,
    pub slots: Vec<DateTime<Utc>>,
}

/// How far the simulation is, in units of the province.
#[derive(Clone, Copy, Debug)]
pub struct Progress {
    pub done: usize,
    pub total: usize,
}

/// Writes `feeds/*.toml` and the files they will find under `outbox/<feed>/<slot day>.<ext>` into
/// `dir`, which must not hold an outbox yet. `feed_server` is the base address the feeds ask.
pub fn write_deployment(
    dir: &Path,
    plan: &DemoPlan,
    feed_server: &str,
    progress: &dyn Fn(Progress),
) -> Result<DemoSlots> {
    ensure!(plan.scale > 0.0 && plan.scale <= 20.0, "the scale must be above 0 and at most 20");
    ensure!((1..=20).contains(&plan.years), "the demo runs for 1 to 20 years");
    let outbox = dir.join("outbox");
    ensure!(!outbox.exists(), "{} is there already: choose another folder", outbox.display());
    let mut world = World::new(&outbox, plan)?;
    populate(&mut world, progress);
    expense::accrue(&mut world);
    expense::set_budgets(&mut world);
    oversight::watch_market(&mut world);
    reference::report(&mut world);
    let folder = dir.join("feeds");
    fs::create_dir_all(&folder).with_context(|| format!("creating {}", folder.display()))?;
    let mut feeds = Vec::new();
    for (feed, slots) in world.outbox.feeds() {
        let path = folder.join(format!("{}.toml", feed.id));
        fs::write(&path, feed.toml(feed_server)).with_context(|| format!("writing {}", path.display()))?;
        feeds.push(FeedSlots {
            id: feed.id.clone(),
            dataset: feed.dataset.name(),
            reporter: feed.reporter,
            slots: slots.map(day::Moment::utc).collect(),
        });
    }
    let mut truths = world.outbox.finish()?;
    truths.name_the_misbehaving();
    Ok(DemoSlots { feeds, truths })
}

fn populate(world: &mut World, progress: &dyn Fn(Progress)) {
    const PROGRESS_EVERY: usize = 256;
    let (standing, opened, projects) = unit::population(world);
    let total = standing + opened + projects;
    for number in 0..total {
        if number % PROGRESS_EVERY == 0 {
            progress(Progress { done: number, total });
        }
        let drawn = if number < standing + opened {
            Some(Unit::draw(world, number, standing))
        } else {
            Unit::draw_project(world, number - standing - opened)
        };
        let Some((unit, mut chance)) = drawn else { continue };
        unit.report(world, &mut chance);
        holder::live(world, &unit, &mut chance);
    }
    progress(Progress { done: total, total });
}
