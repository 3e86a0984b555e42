//! A production or business unit: what it is, how it changes, and when it stands on a roster.

use super::chance::{Chance, Stream, running_sums};
use super::credit_code::credit_code;
use super::dataset::Dataset;
use super::day::{Day, Moment};
use super::province::{Department, Sector};
use super::record::{self, Cell, Record, Version};
use super::vocabulary::{brand, road, roster_reason, trade};
use super::world::World;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Size {
    Large,
    Medium,
    Small,
    Micro,
}

impl Size {
    pub(super) fn code(self) -> &'static str {
        match self {
            Size::Large => "L",
            Size::Medium => "M",
            Size::Small => "S",
            Size::Micro => "XS",
        }
    }

    fn employees(self, chance: &mut Chance) -> i64 {
        let (median, sigma, least, most) = match self {
            Size::Large => (520.0, 0.5, 300.0, 6_000.0),
            Size::Medium => (110.0, 0.45, 50.0, 299.0),
            Size::Small => (20.0, 0.5, 10.0, 49.0),
            Size::Micro => (5.5, 0.4, 2.0, 9.0),
        };
        chance.log_normal(median, sigma).round().clamp(least, most) as i64
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum IdKind {
    Uscc,
    Vessel,
    Permit,
    Project,
}

impl IdKind {
    fn code(self) -> &'static str {
        match self {
            IdKind::Uscc => "uscc",
            IdKind::Vessel => "vessel",
            IdKind::Permit => "permit",
            IdKind::Project => "project",
        }
    }
}

pub(super) struct Unit {
    /// Its number in the demo, from which policy numbers are made.
    pub(super) serial: u64,
    pub(super) id: String,
    id_kind: IdKind,
    name: String,
    address: String,
    pub(super) county: usize,
    pub(super) region: &'static str,
    former_region: Option<&'static str>,
    pub(super) city: usize,
    pub(super) sector: Sector,
    industry: &'static str,
    pub(super) size: Size,
    /// Number of employees from each of these days on, in order.
    headcounts: Vec<(Day, i64)>,
    pub(super) opened: Day,
    pub(super) closed: Option<Day>,
    pub(super) roster: Vec<RosterEntry>,
    /// Vessels of one fleet are insured together.
    pub(super) fleet: Option<u32>,
    /// How much of its register is filled in.
    register: Register,
}

#[derive(Clone, Copy)]
struct Register {
    headcount: bool,
    size: bool,
    risk: Option<&'static str>,
    standardisation: Option<i64>,
    industry: bool,
}

#[derive(Clone)]
pub(super) struct RosterEntry {
    sector: Sector,
    pub(super) from: Day,
    pub(super) to: Option<Day>,
    reason: &'static str,
}

/// Shares of the units that are no projects, in the order of [`Sector::ALL`].
const SECTOR_SHARES: [f64; 9] = [1_000.0, 9_000.0, 1_500.0, 21_000.0, 0.0, 60.0, 3_800.0, 14_000.0, 60_640.0];

/// Share of the units that are running projects, and how long one runs.
const PROJECT_SHARE: f64 = 0.075;
const PROJECT_DAYS: f64 = 540.0;
const OPENINGS_A_YEAR: f64 = 0.03;
const CLOSURES_A_YEAR: f64 = 0.028;

const PROJECT_SERIALS: u64 = 5_000_000;

/// How many units live at some time of the demo: those of old, new ones, and projects.
pub(super) fn population(world: &World) -> (usize, usize, usize) {
    let units = world.units() as f64;
    let standing = units * (1.0 - PROJECT_SHARE);
    let opened = standing * OPENINGS_A_YEAR * world.years();
    let span = f64::from(world.until.minus(world.history)) + PROJECT_DAYS;
    let projects = units * PROJECT_SHARE * span / PROJECT_DAYS;
    (standing.round() as usize, opened.round() as usize, projects.round() as usize)
}

impl Unit {
    /// The `number`-th unit that is no project; those after the first `standing` open midway.
    pub(super) fn draw(world: &World, number: usize, standing: usize) -> (Unit, Chance) {
        let mut chance = world.seed.stream(Stream::Unit, number as u64);
        let sector = Sector::ALL[chance.weighted(&running_sums(SECTOR_SHARES))];
        let opened = if number < standing {
            world.history.plus(-chance.between(400, 6_000))
        } else {
            world.history.plus(chance.between(0, world.until.minus(world.history)))
        };
        let lives_days = (-(1.0 - chance.share()).ln() / CLOSURES_A_YEAR * 365.0).min(90_000.0) as i32;
        let closed = Some(opened.max(world.history).plus(lives_days.max(120)));
        let closed = closed.filter(|closed| *closed <= world.until);
        let mut unit = Unit::described(world, &mut chance, number, sector, opened, closed);
        unit.enter_roster(world, &mut chance);
        (unit, chance)
    }

    /// The `number`-th construction project, or nothing if it was finished before the demo begins.
    pub(super) fn draw_project(world: &World, number: usize) -> Option<(Unit, Chance)> {
        let mut chance = world.seed.stream(Stream::Project, number as u64);
        let days = chance.log_normal(PROJECT_DAYS * 0.9, 0.45).clamp(120.0, 1_500.0) as i32;
        let span = world.until.minus(world.history) + PROJECT_DAYS as i32;
        let opened = world.until.plus(-chance.between(0, span));
        let closed = opened.plus(days);
        if closed <= world.history {
            return None;
        }
        let sector = Sector::Construction;
        let mut unit = Unit::described(world, &mut chance, number, sector, opened, Some(closed));
        unit.enter_roster(world, &mut chance);
        Some((unit, chance))
    }

    fn described(
        world: &World,
        chance: &mut Chance,
        number: usize,
        sector: Sector,
        opened: Day,
        closed: Option<Day>,
    ) -> Unit {
        let county = world.province.draw(chance, sector);
        let place = &world.province.counties[county];
        let size = draw_size(chance, sector);
        let id_kind = match sector {
            Sector::Construction => IdKind::Project,
            Sector::Fishery if size != Size::Medium => IdKind::Vessel,
            Sector::Transport if size == Size::Micro && chance.yes(0.6) => IdKind::Permit,
            _ => IdKind::Uscc,
        };
        let fleet = (id_kind == IdKind::Vessel && chance.yes(0.35)).then(|| {
            let vessels = world.units() as f64 * 0.11 * world.province.share(sector, county);
            let fleets = ((vessels * 0.35 / 9.0).ceil() as usize).max(1);
            (county * 1_000 + chance.below(fleets)) as u32
        });
        let (trade, industry) = trade(chance, sector);
        let id = unit_id(world, chance, id_kind, county, number, opened);
        let name = match id_kind {
            IdKind::Vessel => id.clone(),
            IdKind::Permit => format!("{}{}运输户", place.name, brand(chance)),
            IdKind::Project => format!("{}{}{trade}项目{number}", place.name, brand(chance)),
            IdKind::Uscc => {
                format!("{}{}{trade}有限公司", place.name.trim_end_matches(['市', '县', '区']), brand(chance))
            }
        };
        let headcounts = headcounts(world, chance, size, opened);
        Unit {
            serial: number as u64 + if id_kind == IdKind::Project { PROJECT_SERIALS } else { 0 },
            address: format!("{}{}{}号", place.name, road(chance), chance.between(1, 899)),
            register: Register::draw(chance, sector),
            former_region: place.former_code.filter(|_| chance.yes(0.12)),
            region: place.code,
            city: place.city,
            id,
            id_kind,
            name,
            county,
            sector,
            industry,
            size,
            headcounts,
            opened,
            closed,
            roster: Vec::new(),
            fleet,
        }
    }

    pub(super) fn is_project(&self) -> bool {
        self.id_kind == IdKind::Project
    }

    pub(super) fn employees_on(&self, day: Day) -> i64 {
        let known = self.headcounts.partition_point(|(from, _)| *from <= day);
        self.headcounts[known.saturating_sub(1)].1
    }

    pub(super) fn is_open_on(&self, day: Day) -> bool {
        self.opened <= day && self.closed.is_none_or(|closed| day < closed)
    }

    /// The region a hasty sender writes: now and then the code the county had years ago.
    pub(super) fn region_as_written(&self, chance: &mut Chance) -> &'static str {
        match self.former_region {
            Some(former) if chance.yes(0.3) => former,
            _ => self.region,
        }
    }

    fn enter_roster(&mut self, world: &World, chance: &mut Chance) {
        let city = world.province.city_of(self.county);
        if self.sector == Sector::Other || !chance.yes(city.on_roster) {
            return;
        }
        let from = if self.is_project() || self.opened > world.history {
            self.opened.plus(if self.is_project() { 0 } else { chance.between(8, 70) })
        } else {
            world.history.plus(-chance.between(30, 1_100)).max(self.opened)
        };
        let left = self.closed.map(|closed| closed.plus(chance.between(5, 90)));
        let reason = if self.is_project() { "取得施工许可" } else { roster_reason(chance) };
        let mut entry = RosterEntry { sector: self.sector, from, to: left, reason };
        if self.sector == Sector::Hazchem && chance.yes(0.03) {
            // A chemical plant with its own tankers stands on two rosters.
            let second = RosterEntry { sector: Sector::Transport, ..entry.clone() };
            self.roster.push(second);
        }
        let span = world.until.minus(world.history);
        if !self.is_project() && chance.yes(0.008 * world.years()) {
            let removed = world.history.plus(chance.between(0, span));
            if removed > from && left.is_none_or(|left| removed < left) {
                entry.to = Some(removed);
                let back = removed.plus(chance.between(60, 500));
                if left.is_none_or(|left| back < left) && chance.yes(0.5) {
                    let again = RosterEntry { from: back, to: left, reason: "复核纳入", ..entry.clone() };
                    self.roster.push(again);
                }
            }
        }
        self.roster.push(entry);
    }

    /// Sends the unit to the department that keeps its register, and its entries to the rosters.
    pub(super) fn report(&self, world: &mut World, chance: &mut Chance) {
        let keeper = match self.id_kind {
            IdKind::Project => Department::Construction,
            IdKind::Vessel => Department::AgricultureFishery,
            _ => Department::Emergency,
        };
        let versions = self.versions(world, chance);
        world.outbox.report_unit(keeper, &versions);
        world.outbox.truths.units += 1;
        for entry in &self.roster {
            let record = RosterRecord { unit: self, entry };
            world.outbox.list(entry.sector.department(), &record, entry.from, entry.to);
            world.outbox.truths.roster_entries += 1;
        }
    }

    fn versions(&self, world: &World, chance: &mut Chance) -> Vec<Version<UnitRecord<'_>>> {
        let registered = if self.opened < world.history {
            world.history.plus(-chance.between(20, 380))
        } else {
            self.opened.plus(chance.between(2, 20))
        };
        let entered = |day: Day, chance: &mut Chance| {
            day.at(i64::from(chance.between(8, 17)), i64::from(chance.between(0, 59)))
                .plus_seconds(i64::from(chance.between(0, 59)))
        };
        let first = self.headcounts[0].1;
        let mut versions: Vec<Version<UnitRecord<'_>>> = Vec::new();
        let mut entered_at = entered(registered, chance);
        let mut add = |at: Moment, employees: i64, region: &'static str, status: &'static str| {
            entered_at = entered_at.plus_seconds(1).max(at);
            let employees = self.register.headcount.then_some(employees);
            versions.push(Version::new(entered_at, UnitRecord { unit: self, employees, region, status }));
        };
        if chance.yes(0.03) {
            let mistyped = self.region_as_written(chance);
            add(entered(registered, chance), first * 10, mistyped, "open");
            add(entered(registered.plus(chance.between(4, 60)), chance), first, self.region, "open");
        } else {
            add(entered(registered, chance), first, self.region_as_written(chance), "open");
        }
        for (day, employees) in &self.headcounts[1..] {
            let told = day.plus(chance.between(1, 40)).max(registered);
            add(entered(told, chance), *employees, self.region, "open");
        }
        if let Some(closed) = self.closed {
            if !self.is_project() && chance.yes(0.2) {
                add(entered(closed.plus(-30), chance), self.employees_on(closed), self.region, "suspended");
            }
            let told = closed.plus(chance.between(2, 60));
            add(entered(told, chance), self.employees_on(closed), self.region, "closed");
        }
        versions
    }
}

impl Register {
    fn draw(chance: &mut Chance, sector: Sector) -> Self {
        let risk = if chance.yes(0.07) {
            None
        } else {
            let levels = running_sums(match sector {
                Sector::Other => [0.01, 0.06, 0.33, 0.60],
                Sector::Hazchem | Sector::Mine | Sector::CivilExplosives => [0.08, 0.27, 0.45, 0.20],
                _ => [0.03, 0.15, 0.47, 0.35],
            });
            Some(["red", "orange", "yellow", "blue"][chance.weighted(&levels)])
        };
        let standardisation = match chance.weighted(&running_sums([0.02, 0.16, 0.52, 0.30])) {
            3 => None,
            level => Some(level as i64 + 1),
        };
        Register {
            headcount: !chance.yes(0.03),
            size: !chance.yes(0.02),
            risk,
            standardisation,
            industry: !chance.yes(0.05),
        }
    }
}

fn draw_size(chance: &mut Chance, sector: Sector) -> Size {
    let shares = running_sums(match sector {
        Sector::Mine => [0.03, 0.25, 0.60, 0.12],
        Sector::Hazchem => [0.02, 0.14, 0.54, 0.30],
        Sector::Fireworks => [0.0, 0.01, 0.20, 0.79],
        Sector::Transport => [0.005, 0.05, 0.35, 0.595],
        Sector::Construction => [0.06, 0.30, 0.54, 0.10],
        Sector::CivilExplosives => [0.10, 0.50, 0.40, 0.0],
        Sector::Metallurgy => [0.02, 0.13, 0.55, 0.30],
        Sector::Fishery => [0.0, 0.02, 0.28, 0.70],
        Sector::Other => [0.008, 0.06, 0.42, 0.512],
    });
    [Size::Large, Size::Medium, Size::Small, Size::Micro][chance.weighted(&shares)]
}

fn headcounts(world: &World, chance: &mut Chance, size: Size, opened: Day) -> Vec<(Day, i64)> {
    let mut employees = size.employees(chance);
    let mut headcounts = vec![(opened, employees)];
    let mut day = opened.max(world.history).plus(chance.between(60, 500));
    while day < world.until {
        employees = ((employees as f64 * chance.log_normal(1.0, 0.14)).round() as i64).max(1);
        headcounts.push((day, employees));
        day = day.plus(chance.between(250, 1_000));
    }
    headcounts
}

fn unit_id(world: &World, chance: &mut Chance, id_kind: IdKind, county: usize, number: usize, opened: Day) -> String {
    let place = &world.province.counties[county];
    match id_kind {
        IdKind::Vessel => format!("浙{}渔{number:05}", place.vessel_letter),
        IdKind::Permit => format!("{}{number:07}", place.code),
        IdKind::Project => {
            let (year, month, day) = opened.civil();
            format!("{}{year}{month:02}{day:02}{number:05}", place.code)
        }
        IdKind::Uscc => {
            // A tenth is registered elsewhere: the code tells nothing about the place of work.
            let registered = if chance.yes(0.1) { chance.below(world.province.counties.len()) } else { county };
            credit_code(world.province.counties[registered].code, number as u64)
        }
    }
}

struct UnitRecord<'u> {
    unit: &'u Unit,
    employees: Option<i64>,
    region: &'static str,
    status: &'static str,
}

impl Record for UnitRecord<'_> {
    const DATASET: Dataset = Dataset::Unit;

    fn cells<'a>(&'a self, row: &mut Vec<Cell<'a>>) {
        let unit = self.unit;
        let register = unit.register;
        row.extend([
            Cell::Text(&unit.id),
            Cell::Text(unit.id_kind.code()),
            Cell::Text(&unit.name),
            Cell::Text(self.region),
            Cell::Text(&unit.address),
            Cell::Text(unit.sector.code()),
            record::text(register.industry.then_some(unit.industry)),
            record::text(register.size.then_some(unit.size.code())),
            record::int(self.employees),
            record::text(register.risk),
            record::int(register.standardisation),
            Cell::Text(self.status),
        ]);
    }
}

struct RosterRecord<'u> {
    unit: &'u Unit,
    entry: &'u RosterEntry,
}

impl Record for RosterRecord<'_> {
    const DATASET: Dataset = Dataset::Roster;

    fn cells<'a>(&'a self, row: &mut Vec<Cell<'a>>) {
        row.extend([
            Cell::Text(&self.unit.id),
            Cell::Text(self.entry.sector.code()),
            Cell::Day(self.entry.from),
            Cell::Empty,
            Cell::Text(self.entry.sector.department().code()),
            Cell::Text(self.unit.region),
            Cell::Text(if self.unit.is_project() { "project" } else { "annual" }),
            Cell::Text(self.entry.reason),
        ]);
    }
}
