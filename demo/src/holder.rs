//! A unit as a policyholder: when it first insures, whether it renews in time, late or not at all,
//! with whom, and what of it is left uninsured.

use super::chance::{Chance, Stream, running_sums};
use super::claim;
use super::day::Day;
use super::market::{ISLAND_COUNTY, ISLAND_INSURER, InsurerNo};
use super::oversight;
use super::policy::{self, Coinsurance, Cover, Terms};
use super::province::Sector;
use super::unit::{Size, Unit};
use super::world::World;

/// Policies are issued some weeks ahead, so some that begin after the last day are known by then.
const LOOK_AHEAD_DAYS: i32 = 40;

/// What a unit is like as a customer, for as long as it lives.
pub(super) struct Habits {
    /// Its price against that of its sector and size.
    pub(super) price_level: f64,
    /// Share of its employees that it insures.
    pub(super) insured_share: f64,
    /// Place in the order of those who come to insure: the lower, the earlier.
    eagerness: f64,
}

/// Plays the whole life of a unit's covers and everything that hangs on them.
pub(super) fn live(world: &mut World, unit: &Unit, chance: &mut Chance) {
    let habits = Habits::draw(unit, chance);
    let mut holder = Holder { unit, habits, covers: Vec::new() };
    if unit.is_project() {
        holder.insure_project(world, chance);
    } else {
        holder.insure_by_the_year(world, chance);
    }
    claim::accidents_without_cover(world, unit, &holder.covers, chance);
    oversight::watch(world, unit, &holder.covers, chance);
}

struct Holder<'u> {
    unit: &'u Unit,
    habits: Habits,
    covers: Vec<Cover>,
}

/// How the next policy follows the last one.
enum Renewal {
    OnTime,
    Early { days: i32 },
    Late { days: i32 },
    Never,
}

impl Holder<'_> {
    fn insure_by_the_year(&mut self, world: &mut World, chance: &mut Chance) {
        let Some(mut inception) = self.first_inception(world, chance) else { return };
        let mut insurer = self.choose_insurer(world, inception, chance);
        let mut in_time = true;
        while inception <= world.until.plus(LOOK_AHEAD_DAYS) && self.unit.is_open_on(inception) {
            let (ends, expired) = self.take_out_year(world, insurer, inception, in_time, chance);
            if !self.unit.is_open_on(ends) {
                return;
            }
            let renewal = if expired {
                draw_renewal(world, self.unit, chance)
            } else if chance.yes(0.7) {
                Renewal::OnTime
            } else {
                Renewal::Late { days: chance.between(5, 200) }
            };
            let switches = !expired || chance.yes(0.08);
            (inception, in_time) = match renewal {
                Renewal::OnTime => (ends, true),
                Renewal::Early { days } => (ends.plus(-days), true),
                Renewal::Late { days } => (ends.plus(days), false),
                Renewal::Never => return,
            };
            if switches {
                insurer = self.choose_insurer(world, inception, chance);
            }
        }
    }

    /// One year's policy, and those beside it; the day the main one ends and whether it ran its
    /// course.
    fn take_out_year(
        &mut self,
        world: &mut World,
        insurer: InsurerNo,
        inception: Day,
        in_time: bool,
        chance: &mut Chance,
    ) -> (Day, bool) {
        let unit = self.unit;
        let mut expiry = inception.plus_years(1);
        let fleet = unit.fleet.filter(|_| is_end_of_moratorium(inception));
        if unit.fleet.is_some() && fleet.is_none() {
            expiry = next_end_of_moratorium(inception.plus(30));
        }
        let has_second_site = fleet.is_none() && chance.yes(second_site_share(unit.size));
        let is_coinsured = fleet.is_none() && unit.size <= Size::Medium && chance.yes(0.06);
        let terms = Terms {
            insurer: fleet.map_or(insurer, |fleet| fleet_insurer(world, fleet, inception)),
            inception,
            expiry,
            persons_share: if has_second_site { 0.7 } else { 1.0 },
            coinsurance: if is_coinsured { Coinsurance::Lead } else { Coinsurance::None },
            fleet,
            in_time,
        };
        let main = self.take_out(world, terms, chance);
        let expired = self.covers[main].ends == expiry;
        let ends = self.covers[main].ends;
        if has_second_site || is_coinsured {
            let other = world.market.choose(chance, unit.city, inception);
            let terms = Terms {
                insurer: if has_second_site && chance.yes(0.6) { insurer } else { other },
                inception,
                expiry: ends,
                persons_share: if has_second_site { 0.3 } else { 1.0 },
                coinsurance: if is_coinsured { Coinsurance::Follow } else { Coinsurance::None },
                fleet: None,
                in_time,
            };
            self.take_out(world, terms, chance);
        }
        (ends, expired)
    }

    /// A project is insured once, from the start of works to completion, now and then too late.
    fn insure_project(&mut self, world: &mut World, chance: &mut Chance) {
        let unit = self.unit;
        let Some(completion) = unit.closed else { return };
        if self.habits.eagerness >= reached(world, unit, unit.opened) + 0.01 {
            return;
        }
        let delay = if chance.yes(0.07) { chance.between(8, 120) } else { 0 };
        let inception = unit.opened.plus(delay);
        if inception >= completion || inception > world.until.plus(LOOK_AHEAD_DAYS) {
            return;
        }
        let terms = Terms {
            insurer: world.market.choose(chance, unit.city, inception),
            inception,
            expiry: completion.plus(chance.between(-20, 60)).max(inception.plus(60)),
            persons_share: 1.0,
            coinsurance: Coinsurance::None,
            fleet: None,
            in_time: delay == 0,
        };
        self.take_out(world, terms, chance);
    }

    fn take_out(&mut self, world: &mut World, terms: Terms, chance: &mut Chance) -> usize {
        let cover = policy::take_out(world, self.unit, &self.habits, terms, &self.covers, chance);
        self.covers.push(cover);
        self.covers.len() - 1
    }

    fn choose_insurer(&self, world: &World, day: Day, chance: &mut Chance) -> InsurerNo {
        if self.unit.sector == Sector::Fishery && self.unit.region == ISLAND_COUNTY && chance.yes(0.97) {
            return ISLAND_INSURER;
        }
        world.market.choose(chance, self.unit.city, day)
    }

    /// The day its first policy of the demo begins, or nothing if it never insures.
    fn first_inception(&self, world: &World, chance: &mut Chance) -> Option<Day> {
        let unit = self.unit;
        let first_day = unit.opened.max(world.history);
        let eagerness = self.habits.eagerness;
        if eagerness < reached(world, unit, first_day) {
            return Some(if unit.opened > world.history {
                unit.opened.plus(chance.between(3, 60))
            } else if unit.fleet.is_some() {
                next_end_of_moratorium(world.history)
            } else {
                anniversary(chance, unit.sector, world.history)
            });
        }
        let late = reached(world, unit, world.until) - eagerness;
        if late <= 0.0 {
            return None;
        }
        let years_before = late / gained_per_year(world, unit);
        let day = world.until.plus(-(years_before * 365.25) as i32);
        Some(day.max(first_day).plus(chance.between(0, 60)))
    }
}

impl Habits {
    fn draw(unit: &Unit, chance: &mut Chance) -> Self {
        let insures_too_few = unit.size != Size::Micro && chance.yes(0.10);
        Habits {
            price_level: chance.log_normal(1.0, 0.25),
            insured_share: if insures_too_few { 0.45 + 0.5 * chance.share() } else { 1.0 },
            eagerness: chance.share(),
        }
    }
}

/// Share of the units like this one that have come to insure by the day.
fn reached(world: &World, unit: &Unit, day: Day) -> f64 {
    let city = world.province.city_of(unit.county);
    let years_ago = f64::from(world.until.minus(day)) / 365.25;
    let at_the_end = match unit.sector {
        Sector::Other => 0.78 * city.reached,
        Sector::Hazchem | Sector::Mine | Sector::CivilExplosives => city.reached + 0.015,
        Sector::Fishery => city.reached - 0.03,
        Sector::Transport => city.reached - 0.015,
        Sector::Fireworks | Sector::Construction | Sector::Metallurgy => city.reached,
    };
    (at_the_end - gained_per_year(world, unit) * years_ago).clamp(0.35, 0.998)
}

fn gained_per_year(world: &World, unit: &Unit) -> f64 {
    let gained = world.province.city_of(unit.county).gained_per_year;
    if unit.sector == Sector::Other { 2.0 * gained } else { gained }
}

fn draw_renewal(world: &World, unit: &Unit, chance: &mut Chance) -> Renewal {
    // Where fewer insure, fewer renew in time too.
    let care = world.province.city_of(unit.county).reached;
    let slack = 1.0 + 9.0 * (0.99 - care).max(0.0);
    let voluntary = if unit.sector == Sector::Other { 1.6 } else { 1.0 };
    let sums = running_sums([0.88, 0.06, 0.036 * slack, 0.016 * slack * voluntary, 0.002 * slack * voluntary]);
    match chance.weighted(&sums) {
        0 => Renewal::OnTime,
        1 => Renewal::Early { days: chance.between(1, 25) },
        2 => Renewal::Late { days: 1 + chance.days(16.0, 0.9, 150) },
        3 => Renewal::Late { days: chance.between(60, 420) },
        _ => Renewal::Never,
    }
}

fn second_site_share(size: Size) -> f64 {
    match size {
        Size::Large => 0.85,
        Size::Medium => 0.7,
        Size::Small => 0.5,
        Size::Micro => 0.36,
    }
}

/// The day of the year on which a unit's policies begin: New Year, the month of its permit, any.
fn anniversary(chance: &mut Chance, sector: Sector, from: Day) -> Day {
    let months: &[u32] = match sector {
        Sector::Mine => &[4],
        Sector::Hazchem => &[3, 6],
        Sector::Fireworks => &[11, 12],
        Sector::Transport => &[1, 7],
        Sector::Metallurgy => &[5],
        Sector::CivilExplosives => &[10],
        Sector::Fishery | Sector::Construction | Sector::Other => &[3, 9],
    };
    let day = match chance.weighted(&running_sums([0.34, 0.24, 0.42])) {
        _ if sector == Sector::Fishery && chance.yes(0.5) => return next_end_of_moratorium(from),
        0 => Day::of(from.year(), 1, 1),
        1 => {
            let of_month = if chance.yes(0.4) { 1 } else { chance.between(1, 28) as u32 };
            Day::of(from.year(), chance.pick(months), of_month)
        }
        _ => from.plus(chance.between(0, 364)),
    };
    if day < from { day.plus_years(1) } else { day }
}

fn is_end_of_moratorium(day: Day) -> bool {
    let (_, month, of_month) = day.civil();
    month == 9 && of_month == 17
}

fn next_end_of_moratorium(from: Day) -> Day {
    let day = Day::of(from.year(), 9, 17);
    if day < from { day.plus_years(1) } else { day }
}

/// Vessels of a fleet sail under one policy a year, so its insurer must not depend on the vessel.
fn fleet_insurer(world: &World, fleet: u32, inception: Day) -> InsurerNo {
    let county = fleet as usize / 1_000;
    if world.province.counties[county].code == ISLAND_COUNTY {
        return ISLAND_INSURER;
    }
    let mut chance = world.seed.stream(Stream::FleetCover, u64::from(fleet));
    let city = world.province.counties[county].city;
    let habitual = world.market.choose(&mut chance, city, world.history);
    let year = inception.year().unsigned_abs();
    let mut of_the_year = world.seed.stream(Stream::FleetCover, u64::from(fleet) | u64::from(year) << 24);
    if of_the_year.yes(0.1) { world.market.choose(&mut of_the_year, city, inception) } else { habitual }
}
