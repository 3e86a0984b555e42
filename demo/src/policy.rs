//! One policy from issue to end: its price, its endorsements and corrections, its cancellation; and
//! what follows from it: receipts, claims, services.

use super::chance::{Chance, running_sums};
use super::claim;
use super::dataset::Dataset;
use super::day::{Day, Moment};
use super::holder::Habits;
use super::market::InsurerNo;
use super::premium;
use super::province::Sector;
use super::record::{self, Cell, Record, Version};
use super::service;
use super::unit::{Size, Unit};
use super::world::World;

/// What a unit and an insurer agree on.
pub(super) struct Terms {
    pub(super) insurer: InsurerNo,
    pub(super) inception: Day,
    pub(super) expiry: Day,
    /// Share of the employees under this policy, where a second one covers the rest.
    pub(super) persons_share: f64,
    pub(super) coinsurance: Coinsurance,
    /// The fleet whose policy this is a part of.
    pub(super) fleet: Option<u32>,
    pub(super) in_time: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Coinsurance {
    None,
    Lead,
    Follow,
}

/// A policy as the rest of the simulation sees it.
pub(super) struct Cover {
    pub(super) no: String,
    pub(super) insurer: InsurerNo,
    pub(super) inception: Day,
    /// The day it ends, cancelled or expired.
    pub(super) ends: Day,
    pub(super) limit_fen: i64,
    pub(super) persons: i64,
    /// The first day on which a claim under it was paid.
    pub(super) claim_paid_on: Option<Day>,
}

impl Cover {
    pub(super) fn in_force(&self, day: Day) -> bool {
        self.inception <= day && day < self.ends
    }
}

/// The rule of 2025 on the death limit, and until when old products were still about.
const NEW_DEATH_LIMIT: Day = Day::of(2025, 3, 29);
const OLD_PRODUCTS_GONE: Day = Day::of(2025, 8, 1);

pub(super) fn take_out(
    world: &mut World,
    unit: &Unit,
    habits: &Habits,
    terms: Terms,
    before: &[Cover],
    chance: &mut Chance,
) -> Cover {
    let previous = before.last();
    let issued_at = issue_moment(&terms, chance);
    let no = policy_no(world, unit, &terms, before.len());
    let mut first = price(world, unit, habits, &terms, previous, chance);
    first.no = &no;
    first.issued_at = issued_at;
    let cancelled = draw_cancellation(unit, &terms, chance);
    let ends = cancelled.map_or(terms.expiry, |(day, _)| day);
    let mut cover = Cover {
        no: no.clone(),
        insurer: terms.insurer,
        inception: terms.inception,
        ends,
        limit_fen: first.death_limit_fen,
        persons: first.insured_persons,
        claim_paid_on: None,
    };
    if issued_at.day() > world.until {
        return cover;
    }
    let mut dues = vec![(terms.inception, first.premium_fen)];
    let versions = versions(unit, first, &terms, ends, cancelled, &mut dues, chance);
    world.outbox.report_of_insurer(terms.insurer, &versions);
    world.outbox.truths.policies += 1;
    let collected = premium::collect(world, unit, &cover, &dues, issued_at.day(), chance);
    cover.claim_paid_on = claim::under(world, unit, &cover, chance);
    service::serve(world, unit, &cover, collected, chance);
    cover
}

fn policy_no(world: &World, unit: &Unit, terms: &Terms, before: usize) -> String {
    let code = world.market.code(terms.insurer);
    let year = terms.inception.year();
    match terms.fleet {
        Some(fleet) => format!("F{code}{year}{fleet:06}"),
        None => format!("P{code}{year}{:07}{before:02}", unit.serial),
    }
}

fn issue_moment(terms: &Terms, chance: &mut Chance) -> Moment {
    let days_ahead = match terms.fleet {
        // One contract for the fleet, signed on one day.
        Some(fleet) => 5 + (fleet % 20) as i32,
        None if terms.in_time => chance.days(14.0, 0.7, 60),
        None => chance.days(1.5, 0.6, 5),
    };
    terms
        .inception
        .plus(-days_ahead)
        .at(i64::from(chance.between(8, 17)), i64::from(chance.between(0, 59)))
        .plus_seconds(i64::from(chance.between(0, 59)))
}

/// The policy as first issued.
fn price<'p>(
    world: &World,
    unit: &'p Unit,
    habits: &Habits,
    terms: &Terms,
    previous: Option<&'p Cover>,
    chance: &mut Chance,
) -> PolicyRecord<'p> {
    let conduct = world.market.conduct(terms.insurer);
    let employees = unit.employees_on(terms.inception);
    let persons = insured_persons(employees, habits.insured_share * terms.persons_share);
    let death_limit_fen = death_limit(conduct.under_limit, terms.inception, chance);
    let is_cheap = chance.yes(conduct.low_price);
    let cheap = if is_cheap { 0.04 + 0.08 * chance.share() } else { 1.0 };
    let rate = base_rate(unit) * habits.price_level * chance.log_normal(1.0, 0.08) * cheap;
    let rate_millionths = ((rate * 1e6).round() as i64).max(1);
    let factor = float_factor(previous, terms.inception, chance);
    let (role, share_millionths) = match terms.coinsurance {
        Coinsurance::None => (chance.yes(0.9).then_some("none"), None),
        Coinsurance::Lead => (Some("lead"), Some(600_000)),
        Coinsurance::Follow => (Some("follow"), Some(400_000)),
    };
    let years = f64::from(terms.expiry.minus(terms.inception)) / 365.0;
    let premium_fen = persons as f64
        * death_limit_fen as f64
        * rate_millionths as f64
        * 1e-6
        * factor as f64
        * 1e-4
        * years.powf(0.8)
        * share_millionths.map_or(1.0, |share: i64| share as f64 * 1e-6);
    PolicyRecord {
        no: "",
        unit,
        insurer: world.market.code(terms.insurer),
        branch: super::province::CITIES[unit.city].code,
        product: product(unit, terms),
        role,
        share_millionths,
        sector: unit.sector.code(),
        region: unit.region_as_written(chance),
        inception: terms.inception,
        expiry: terms.expiry,
        issued_at: terms.inception.at(0, 0),
        premium_fen: premium_fen.round() as i64,
        commission_millionths: commission(conduct.commission_over_cap, terms.inception, chance),
        death_limit_fen,
        aggregate_limit_fen: death_limit_fen * persons.clamp(3, 20),
        insured_persons: persons,
        employees_declared: (!chance.yes(0.05)).then_some(employees),
        rate_millionths,
        factor_ten_thousandths: factor,
        // Another insurer's number is often not asked for.
        previous: previous
            .filter(|previous| previous.insurer == terms.insurer || chance.yes(0.5))
            .map(|previous| previous.no.as_str()),
        endorsement: 0,
        cancelled: None,
    }
}

fn insured_persons(employees: i64, share: f64) -> i64 {
    if share >= 1.0 { employees } else { ((employees as f64 * share).round() as i64).max(1) }
}

fn product(unit: &Unit, terms: &Terms) -> &'static str {
    match unit.sector {
        Sector::Construction => "AZX-GC",
        Sector::Fishery => "AZX-YY",
        _ if terms.persons_share < 0.5 => "AZX-FJ",
        _ => "AZX-01",
    }
}

/// Premium per person and yuan of the death limit, in a year.
fn base_rate(unit: &Unit) -> f64 {
    let per_mille = match unit.sector {
        Sector::Mine => 1.4,
        Sector::Hazchem => 0.95,
        Sector::Fireworks => 0.9,
        Sector::Transport => 0.85,
        Sector::Construction => 1.1,
        Sector::CivilExplosives => 1.1,
        Sector::Metallurgy => 0.8,
        Sector::Fishery => 1.5,
        Sector::Other => 0.5,
    };
    let of_size = match unit.size {
        Size::Large => 0.42,
        Size::Medium => 0.75,
        Size::Small => 0.95,
        Size::Micro => 1.1,
    };
    per_mille * of_size * 1.15e-3
}

fn death_limit(under_limit: f64, inception: Day, chance: &mut Chance) -> i64 {
    const YUAN: [i64; 6] = [300_000, 400_000, 500_000, 600_000, 800_000, 1_000_000];
    let old_rule = inception < NEW_DEATH_LIMIT;
    let habit = if old_rule || inception >= OLD_PRODUCTS_GONE { 0.0 } else { 0.10 };
    let yuan = if chance.yes(under_limit + habit) {
        if old_rule { chance.pick(&[200_000, 250_000]) } else { chance.pick(&[300_000, 300_000, 350_000]) }
    } else if old_rule {
        YUAN[chance.weighted(&running_sums([0.16, 0.12, 0.28, 0.22, 0.14, 0.08]))]
    } else {
        YUAN[chance.weighted(&running_sums([0.0, 0.18, 0.26, 0.26, 0.19, 0.11]))]
    };
    yuan * 100
}

fn commission(over_cap: f64, inception: Day, chance: &mut Chance) -> Option<i64> {
    if chance.yes(0.03) {
        return None;
    }
    let thousandths = if chance.yes(over_cap) {
        chance.between(16, 32) * 5
    } else if inception < NEW_DEATH_LIMIT {
        chance.between(4, 24) * 5
    } else {
        chance.between(2, 10) * 5
    };
    Some(i64::from(thousandths) * 1_000)
}

/// In ten-thousandths: above one after a paid claim, else at most one; most insurers comply.
fn float_factor(previous: Option<&Cover>, inception: Day, chance: &mut Chance) -> i64 {
    let Some(previous) = previous else { return 10_000 };
    let had_claim = previous.claim_paid_on.is_some_and(|paid| paid <= inception);
    let complies = chance.yes(0.9);
    if had_claim == complies {
        10_000 + i64::from(chance.between(1, 6)) * 500
    } else {
        10_000 - i64::from(chance.between(0, 6)) * 500
    }
}

fn draw_cancellation(unit: &Unit, terms: &Terms, chance: &mut Chance) -> Option<(Day, Option<&'static str>)> {
    let days = terms.expiry.minus(terms.inception);
    if let Some(closed) = unit.closed.filter(|closed| !unit.is_project() && *closed < terms.expiry) {
        return chance.yes(0.7).then(|| (closed.max(terms.inception.plus(1)), Some("closure")));
    }
    if terms.fleet.is_some() || days < 60 || !chance.yes(0.016) {
        return None;
    }
    let reasons = running_sums([0.15, 0.45, 0.3, 0.1]);
    let reason = [Some("closure"), Some("switch"), Some("other"), None][chance.weighted(&reasons)];
    Some((terms.inception.plus(chance.between(15, days - 10)), reason))
}

/// All states of the policy, and what each change adds to the premium that is due.
fn versions<'p>(
    unit: &Unit,
    first: PolicyRecord<'p>,
    terms: &Terms,
    ends: Day,
    cancelled: Option<(Day, Option<&'static str>)>,
    dues: &mut Vec<(Day, i64)>,
    chance: &mut Chance,
) -> Vec<Version<PolicyRecord<'p>>> {
    let mut versions = Vec::with_capacity(6);
    let mut entered_at = first.issued_at.plus_minutes(i64::from(chance.between(20, 1_800)));
    if chance.yes(0.015) {
        let slip = PolicyRecord { insured_persons: first.insured_persons * 10, ..first };
        versions.push(Version::new(entered_at, slip));
        entered_at = entered_at.plus_hours(i64::from(chance.between(20, 900)));
    }
    versions.push(Version::new(entered_at, first));
    let mut now = PolicyRecord { region: unit.region, ..first };
    for day in endorsement_days(terms.inception, ends, chance) {
        now.endorsement += 1;
        endorse(unit, &mut now, terms, day, dues, chance);
        let told = day.at(i64::from(chance.between(9, 20)), i64::from(chance.between(0, 59)));
        entered_at = told.max(entered_at.plus_minutes(7));
        versions.push(Version::new(entered_at, now));
    }
    if let Some((day, reason)) = cancelled {
        now.endorsement += 1;
        now.cancelled = Some((day, reason));
        let told = day.plus(chance.between(0, 9)).at(16, i64::from(chance.between(0, 59)));
        versions.push(Version::new(told.max(entered_at.plus_minutes(11)), now));
        let unearned = f64::from(terms.expiry.minus(day)) / f64::from(terms.expiry.minus(terms.inception));
        dues.push((day, -((now.premium_fen as f64 * unearned * 0.9).round() as i64)));
    }
    versions
}

/// Two to four days within the term.
fn endorsement_days(inception: Day, ends: Day, chance: &mut Chance) -> Vec<Day> {
    let days = ends.minus(inception);
    if days < 40 {
        return Vec::new();
    }
    let mut at: Vec<Day> = (0..chance.between(2, 4)).map(|_| inception.plus(chance.between(5, days - 5))).collect();
    at.sort_unstable();
    at
}

/// People come and go, limits rise, projects take longer; the rest changes only the wording.
fn endorse(
    unit: &Unit,
    now: &mut PolicyRecord<'_>,
    terms: &Terms,
    day: Day,
    dues: &mut Vec<(Day, i64)>,
    chance: &mut Chance,
) {
    let before = now.premium_fen;
    let rest = f64::from(now.expiry.minus(day)) / f64::from(now.expiry.minus(now.inception));
    match chance.weighted(&running_sums([0.42, 0.06, 0.52])) {
        0 => {
            let wanted = insured_persons(unit.employees_on(day), terms.persons_share);
            let drift = chance.log_normal(1.0, 0.06);
            let persons = if wanted > now.insured_persons && chance.yes(0.3) {
                wanted
            } else {
                ((now.insured_persons as f64 * drift).round() as i64).max(1)
            };
            let change = persons as f64 / now.insured_persons as f64 - 1.0;
            now.insured_persons = persons;
            now.premium_fen += (before as f64 * change * rest).round() as i64;
        }
        1 if unit.is_project() => now.expiry = now.expiry.plus(chance.between(20, 120)),
        1 => {
            now.death_limit_fen += 10_000_000;
            now.aggregate_limit_fen += 30_000_000;
            now.premium_fen += (before as f64 * 0.12 * rest).round() as i64;
        }
        _ => {}
    }
    now.premium_fen = now.premium_fen.max(0);
    if (now.premium_fen - before).abs() > 2_000 {
        dues.push((day, now.premium_fen - before));
    }
}

#[derive(Clone, Copy)]
struct PolicyRecord<'p> {
    no: &'p str,
    unit: &'p Unit,
    insurer: &'static str,
    branch: &'static str,
    product: &'static str,
    role: Option<&'static str>,
    share_millionths: Option<i64>,
    sector: &'static str,
    region: &'static str,
    inception: Day,
    expiry: Day,
    issued_at: Moment,
    premium_fen: i64,
    commission_millionths: Option<i64>,
    death_limit_fen: i64,
    aggregate_limit_fen: i64,
    insured_persons: i64,
    employees_declared: Option<i64>,
    rate_millionths: i64,
    factor_ten_thousandths: i64,
    previous: Option<&'p str>,
    endorsement: i64,
    cancelled: Option<(Day, Option<&'static str>)>,
}

impl Record for PolicyRecord<'_> {
    const DATASET: Dataset = Dataset::Policy;

    fn cells<'a>(&'a self, row: &mut Vec<Cell<'a>>) {
        row.extend([
            Cell::Text(self.no),
            Cell::Text(&self.unit.id),
            Cell::Text(self.insurer),
            Cell::Text(self.branch),
            Cell::Text(self.product),
            record::text(self.role),
            self.share_millionths.map_or(Cell::Empty, Cell::Millionths),
            Cell::Text(self.sector),
            Cell::Text(self.region),
            Cell::Text(if self.unit.is_project() { "project" } else { "annual" }),
            Cell::Day(self.inception),
            Cell::Day(self.expiry),
            Cell::Moment(self.issued_at),
            Cell::Fen(self.premium_fen),
            self.commission_millionths.map_or(Cell::Empty, Cell::Millionths),
            Cell::Fen(self.death_limit_fen),
            Cell::Fen(self.aggregate_limit_fen),
            Cell::Int(self.insured_persons),
            record::int(self.employees_declared),
            Cell::Millionths(self.rate_millionths),
            Cell::TenThousandths(self.factor_ten_thousandths),
            record::text(self.previous),
            Cell::Int(self.endorsement),
            record::day(self.cancelled.map(|(day, _)| day)),
            record::text(self.cancelled.and_then(|(_, reason)| reason)),
        ]);
    }
}
