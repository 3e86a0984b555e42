//! Everything a unit's life touches: the map, the market, the experts' diaries, the files.

use super::DemoPlan;
use super::agency::Agencies;
use super::chance::Seed;
use super::day::Day;
use super::expense::Ledgers;
use super::feed::feeds;
use super::market::{Market, market_share};
use super::outbox::Outbox;
use super::province::Province;
use super::staff::Diaries;
use anyhow::Result;
use std::path::Path;

pub(super) struct World {
    pub(super) seed: Seed,
    /// The day the schedule starts.
    pub(super) start: Day,
    pub(super) until: Day,
    /// Policies that begin before this day are nobody's business any more.
    pub(super) history: Day,
    pub(super) scale: f64,
    pub(super) province: Province,
    pub(super) market: Market,
    pub(super) agencies: Agencies,
    pub(super) diaries: Diaries,
    pub(super) ledgers: Ledgers,
    pub(super) outbox: Outbox,
}

/// At scale 1; the other sizes follow from the units.
const UNITS: f64 = 120_000.0;
const AGENCIES: f64 = 200.0;
const SERVICES_A_YEAR: f64 = 250_000.0;

impl World {
    pub(super) fn new(outbox: &Path, plan: &DemoPlan) -> Result<Self> {
        let seed = Seed::new(plan.seed);
        let until = Day::from_date(plan.until);
        let start = until.plus_years(-(plan.years as i32));
        let history = start.plus_years(-1);
        let market = Market::new(&seed, newcomer_opens(start, until));
        let services_a_year = SERVICES_A_YEAR * plan.scale;
        let agency_count = (AGENCIES * plan.scale).round().max(24.0) as usize;
        let agencies = Agencies::new(&seed, agency_count, services_a_year, start, until);
        let own_experts = (0..market.insurers.len())
            .map(|insurer| (market_share(insurer) * services_a_year * 0.3 / 40.0).ceil() as usize + 3);
        let experts = agencies.list.iter().map(|agency| agency.experts).chain(own_experts);
        let diaries = Diaries::new(history, until, experts);
        let feeds = feeds(&market, start);
        let outbox = Outbox::new(outbox, feeds, &seed, start, until)?;
        Ok(World {
            ledgers: Ledgers::new(market.insurers.len(), history.year(), until.year()),
            seed,
            start,
            until,
            history,
            scale: plan.scale,
            province: Province::new(),
            market,
            agencies,
            diaries,
            outbox,
        })
    }

    pub(super) fn units(&self) -> usize {
        (UNITS * self.scale).round().max(1.0) as usize
    }

    pub(super) fn years(&self) -> f64 {
        f64::from(self.until.minus(self.history)) / 365.25
    }

    /// The place of an insurer's own experts in the diaries, behind those of the agencies.
    pub(super) fn own_staff(&self, insurer: usize) -> usize {
        self.agencies.list.len() + insurer
    }
}

/// The newcomer sells for two weeks before the list of insurers that names it comes in with the
/// third quarter: until then its rows wait for its code.
fn newcomer_opens(start: Day, until: Day) -> Day {
    let timing = super::feed::reference_timing(start);
    let slots = timing.slots(start, until);
    match slots.get(2).or(slots.get(1)) {
        Some(registered) => registered.day().plus(-42),
        None => until.plus(400),
    }
}
