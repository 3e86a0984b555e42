//! Accidents and claims: minor ones known to the insurer only, serious ones to the authorities too;
//! paid, refused, advanced, reopened, each against the clocks of the law.

use super::chance::{Chance, running_sums};
use super::dataset::Dataset;
use super::day::{Day, Moment, in_fishing_moratorium};
use super::policy::Cover;
use super::province::Sector;
use super::record::{self, Cell, Record, Version};
use super::unit::Unit;
use super::world::World;

/// Share of the accidents that kill or maim; others never reach the authorities.
const SERIOUS: f64 = 0.045;
const DEADLY_OF_SERIOUS: f64 = 0.34;

/// Plays the accidents of a policy's term; the first day on which a claim under it was paid.
pub(super) fn under(world: &mut World, unit: &Unit, cover: &Cover, chance: &mut Chance) -> Option<Day> {
    let last_day = cover.ends.min(world.until);
    let days = last_day.minus(cover.inception);
    if days < 1 {
        return None;
    }
    let mut first_paid: Option<Day> = None;
    for number in 1..=chance.poisson(accidents_a_year(unit, cover.persons) * f64::from(days) / 365.0) {
        let Some(day) = accident_day(unit, cover.inception, days, chance) else { continue };
        let harm = Harm::draw(chance);
        let at = moment_in(day, chance);
        let accident_no = harm.is_serious().then(|| accident_number(unit, at));
        if let Some(accident_no) = &accident_no {
            report_accident(world, unit, accident_no, at, harm, chance);
            if chance.yes(0.05) {
                continue; // never claimed
            }
        }
        let no = format!("C{}{:07}{number}", &cover.no[1..], unit.serial);
        let written_no = accident_no.filter(|_| chance.yes(0.9));
        let claim = Claim::draw(world, unit, cover, no, written_no, at, harm, chance);
        let paid_on = claim.paid_at.filter(|_| claim.paid_fen > Some(0)).map(Moment::day);
        first_paid = match (first_paid, paid_on) {
            (Some(one), Some(other)) => Some(one.min(other)),
            (one, other) => one.or(other),
        };
        let versions = claim.versions(world.until, chance);
        world.outbox.report_of_insurer(cover.insurer, &versions);
        world.outbox.truths.claims += 1;
    }
    first_paid
}

/// Serious accidents on the days on which the unit has no cover.
pub(super) fn accidents_without_cover(world: &mut World, unit: &Unit, covers: &[Cover], chance: &mut Chance) {
    let from = unit.opened.max(world.history);
    let to = unit.closed.unwrap_or(world.until).min(world.until);
    let days = to.minus(from);
    let rate = accidents_a_year(unit, unit.employees_on(from)) * SERIOUS;
    if days < 1 {
        return;
    }
    for _ in 0..chance.poisson(rate * f64::from(days) / 365.0) {
        let Some(day) = accident_day(unit, from, days, chance) else { continue };
        if covers.iter().any(|cover| cover.in_force(day)) {
            continue;
        }
        let harm = Harm::draw_serious(chance);
        let at = moment_in(day, chance);
        report_accident(world, unit, &accident_number(unit, at), at, harm, chance);
    }
}

fn accidents_a_year(unit: &Unit, persons: i64) -> f64 {
    let of_sector = match unit.sector {
        Sector::Construction => 1.5,
        Sector::Metallurgy | Sector::Mine => 1.3,
        Sector::Transport | Sector::Fishery => 1.15,
        Sector::Hazchem | Sector::CivilExplosives | Sector::Fireworks => 0.6,
        Sector::Other => 0.9,
    };
    0.037 * of_sector * (persons.max(1) as f64).sqrt()
}

fn accident_day(unit: &Unit, from: Day, days: i32, chance: &mut Chance) -> Option<Day> {
    let day = from.plus(chance.between(0, days - 1));
    let in_port = unit.sector == Sector::Fishery && in_fishing_moratorium(day);
    (!in_port || chance.yes(0.06)).then_some(day)
}

fn moment_in(day: Day, chance: &mut Chance) -> Moment {
    day.at(i64::from(chance.between(5, 22)), i64::from(chance.between(0, 59)))
}

fn accident_number(unit: &Unit, at: Moment) -> String {
    let (year, month, day) = at.day().civil();
    let (hour, minute, _) = at.clock();
    format!("A{year}{month:02}{day:02}{hour:02}{minute:02}{:07}", unit.serial)
}

#[derive(Clone, Copy)]
struct Harm {
    deaths: i64,
    serious: i64,
    injured: i64,
}

impl Harm {
    fn draw(chance: &mut Chance) -> Self {
        if chance.yes(SERIOUS) {
            return Harm::draw_serious(chance);
        }
        Harm { deaths: 0, serious: 0, injured: i64::from(chance.yes(0.75)) }
    }

    fn draw_serious(chance: &mut Chance) -> Self {
        if chance.yes(DEADLY_OF_SERIOUS) {
            let deaths = [1, 2, 3, 5, 11][chance.weighted(&running_sums([0.9, 0.07, 0.02, 0.009, 0.001]))];
            let serious = i64::from(chance.yes(0.2));
            Harm { deaths, serious, injured: serious + i64::from(chance.between(0, 2)) }
        } else {
            let serious = 1 + i64::from(chance.yes(0.12));
            Harm { deaths: 0, serious, injured: serious + i64::from(chance.yes(0.3)) }
        }
    }

    fn is_serious(self) -> bool {
        self.deaths + self.serious > 0
    }
}

/// The accident as the authorities register it; the grade may be revised within thirty days.
fn report_accident(world: &mut World, unit: &Unit, no: &str, at: Moment, harm: Harm, chance: &mut Chance) {
    let loss_fen = chance.log_normal(30_000_000.0, 0.9) as i64 + harm.deaths * 100_000_000;
    let accident = Accident { no, unit, at, harm, loss_fen };
    let entered_at = at.plus_hours(i64::from(chance.between(6, 300)));
    let mut versions = vec![Version::new(entered_at, accident)];
    if chance.yes(0.06) {
        // Someone dies of the injuries within thirty days.
        let worse = Harm { deaths: harm.deaths + 1, serious: (harm.serious - 1).max(0), ..harm };
        let revised_at = at.plus_hours(i64::from(chance.between(310, 700)));
        versions.push(Version::new(revised_at, Accident { harm: worse, ..accident }));
    }
    world.outbox.report(&versions);
    world.outbox.truths.accidents += 1;
}

#[derive(Clone)]
struct Claim<'p> {
    no: String,
    policy_no: &'p str,
    unit_id: &'p str,
    insurer: &'static str,
    accident_no: Option<String>,
    accident_at: Moment,
    reported_at: Moment,
    filed_at: Option<Moment>,
    documents_at: Option<Moment>,
    assessed_at: Option<Moment>,
    agreed_at: Option<Moment>,
    advance_fen: Option<i64>,
    advance_at: Option<Moment>,
    paid_fen: Option<i64>,
    paid_at: Option<Moment>,
    reserve_fen: i64,
    refused_at: Option<Moment>,
    refusal_told_at: Option<Moment>,
    closed_at: Option<Moment>,
    harm: Harm,
    /// A second payment: what it came to in the end, and when.
    reopened: Option<Reopening>,
}

#[derive(Clone, Copy)]
struct Reopening {
    at: Moment,
    paid_at: Moment,
    paid_fen: i64,
}

impl<'p> Claim<'p> {
    #[allow(clippy::too_many_arguments, reason = "each is a fact of its own about the claim")]
    fn draw(
        world: &World,
        unit: &'p Unit,
        cover: &'p Cover,
        no: String,
        accident_no: Option<String>,
        accident_at: Moment,
        harm: Harm,
        chance: &mut Chance,
    ) -> Self {
        let slow = world.market.conduct(cover.insurer).claim_days;
        let after = |at: Moment, median: f64, chance: &mut Chance| {
            let hours = chance.log_normal(median * slow * 24.0, 0.75).clamp(1.0, 500.0 * 24.0);
            at.plus_hours(hours as i64).plus_minutes(i64::from(chance.between(0, 59)))
        };
        let reported_at = accident_at.plus_hours(chance.log_normal(14.0, 1.1).clamp(1.0, 2_400.0) as i64);
        let filed_at = reported_at.plus_hours(i64::from(chance.between(1, 60)));
        let documents_at = after(filed_at, if harm.is_serious() { 14.0 } else { 5.5 }, chance);
        let assessed_at = after(documents_at, 4.0, chance);
        let agreed_at = after(assessed_at, 1.6, chance);
        let paid_at = after(agreed_at, 1.8, chance);
        let closed_at = paid_at.plus_hours(i64::from(chance.between(2, 400)));
        let is_refused = chance.yes(0.04);
        let told_hours = if chance.yes(0.9) { chance.between(2, 60) } else { chance.between(80, 500) };
        let paid_fen = loss(cover, harm, chance);
        let advance = (harm.deaths > 0 && !is_refused && chance.yes(0.72)).then(|| {
            let days = if chance.yes(0.85) { chance.between(3, 50) } else { chance.between(61, 120) };
            (paid_fen / 10 * i64::from(chance.between(3, 6)), reported_at.plus_hours(i64::from(days) * 24))
        });
        let advance = advance.filter(|(_, at)| *at < paid_at);
        let stalls = chance.yes(0.015);
        let is_paid = !is_refused && !stalls;
        let reopened_at = closed_at.plus_hours(i64::from(chance.between(200, 4_000)));
        Claim {
            no,
            policy_no: &cover.no,
            unit_id: &unit.id,
            insurer: world.market.code(cover.insurer),
            accident_no,
            accident_at,
            reported_at,
            filed_at: Some(filed_at),
            documents_at: (!stalls).then_some(documents_at),
            assessed_at: is_paid.then_some(assessed_at),
            agreed_at: (is_paid && chance.yes(0.95)).then_some(agreed_at),
            advance_fen: advance.map(|(fen, _)| fen),
            advance_at: advance.map(|(_, at)| at),
            paid_fen: is_paid.then_some(paid_fen),
            paid_at: is_paid.then_some(paid_at),
            reserve_fen: paid_fen / 100_000 * 100_000,
            refused_at: is_refused.then_some(assessed_at),
            refusal_told_at: (is_refused && chance.yes(0.96)).then(|| assessed_at.plus_hours(i64::from(told_hours))),
            closed_at: (!stalls).then_some(closed_at),
            harm,
            reopened: (is_paid && chance.yes(0.03)).then(|| Reopening {
                at: reopened_at,
                paid_at: after(reopened_at, 12.0, chance),
                paid_fen: paid_fen + paid_fen / 4,
            }),
        }
    }

    fn versions(&self, until: Day, chance: &mut Chance) -> Vec<Version<Claim<'p>>> {
        let entry = |at: Moment, chance: &mut Chance| at.plus_minutes(i64::from(chance.between(15, 1_400)));
        let mut entered: Vec<Moment> = [
            Some(self.reported_at),
            self.documents_at,
            self.advance_at,
            self.paid_at,
            self.refused_at,
            self.refusal_told_at,
            self.closed_at,
            self.reopened.map(|reopened| reopened.at),
            self.reopened.map(|reopened| reopened.paid_at),
        ]
        .into_iter()
        .flatten()
        .map(|at| entry(at, chance))
        .collect();
        entered.sort_unstable();
        entered.dedup();
        entered.retain(|at| at.day() <= until);
        entered.into_iter().map(|at| Version::new(at, self.as_known_at(at))).collect()
    }

    fn as_known_at(&self, at: Moment) -> Self {
        let seen = |moment: Option<Moment>| moment.filter(|moment| *moment <= at);
        let mut known = Claim {
            filed_at: seen(self.filed_at),
            documents_at: seen(self.documents_at),
            assessed_at: seen(self.assessed_at),
            agreed_at: seen(self.agreed_at),
            advance_at: seen(self.advance_at),
            paid_at: seen(self.paid_at),
            refused_at: seen(self.refused_at),
            refusal_told_at: seen(self.refusal_told_at),
            closed_at: seen(self.closed_at),
            ..self.clone()
        };
        known.advance_fen = known.advance_at.and(self.advance_fen);
        known.paid_fen = known.paid_at.and(self.paid_fen);
        if known.paid_at.is_some() || known.refused_at.is_some() {
            known.reserve_fen = 0;
        }
        if let Some(reopened) = self.reopened.filter(|reopened| reopened.at <= at) {
            if reopened.paid_at <= at {
                known.paid_at = Some(reopened.paid_at);
                known.paid_fen = Some(reopened.paid_fen);
                known.closed_at = Some(reopened.paid_at);
            } else {
                known.closed_at = None;
                known.reserve_fen = reopened.paid_fen - self.paid_fen.unwrap_or(0);
            }
        }
        known
    }
}

/// What is paid: wages and hospital bills mostly, the death limit where someone died.
fn loss(cover: &Cover, harm: Harm, chance: &mut Chance) -> i64 {
    let minor = chance.log_normal(1_450_000.0, 1.15) as i64;
    let serious = harm.serious * (cover.limit_fen as f64 * (0.15 + 0.5 * chance.share())) as i64;
    let deaths = harm.deaths * (cover.limit_fen as f64 * (0.85 + 0.15 * chance.share())) as i64;
    (minor.min(cover.limit_fen) + serious + deaths).max(20_000)
}

impl Record for Claim<'_> {
    const DATASET: Dataset = Dataset::Claim;

    fn cells<'a>(&'a self, row: &mut Vec<Cell<'a>>) {
        row.extend([
            Cell::Text(&self.no),
            Cell::Text(self.policy_no),
            Cell::Text(self.unit_id),
            Cell::Text(self.insurer),
            record::text(self.accident_no.as_deref()),
            Cell::Moment(self.accident_at),
            Cell::Moment(self.reported_at),
            record::moment(self.filed_at),
            record::moment(self.documents_at),
            record::moment(self.assessed_at),
            record::moment(self.agreed_at),
            record::fen(self.advance_fen),
            record::moment(self.advance_at),
            record::fen(self.paid_fen),
            record::moment(self.paid_at),
            Cell::Fen(self.reserve_fen),
            record::moment(self.refused_at),
            record::moment(self.refusal_told_at),
            record::moment(self.closed_at),
            Cell::Int(self.harm.deaths),
            Cell::Int(self.harm.injured),
        ]);
    }
}

#[derive(Clone, Copy)]
struct Accident<'u> {
    no: &'u str,
    unit: &'u Unit,
    at: Moment,
    harm: Harm,
    loss_fen: i64,
}

impl Accident<'_> {
    /// The highest grade of the three measures (State Council order 493).
    fn grade(&self) -> &'static str {
        const YUAN: i64 = 100;
        let loss = self.loss_fen / YUAN;
        if self.harm.deaths >= 30 || self.harm.serious >= 100 || loss >= 100_000_000 {
            "extraordinary"
        } else if self.harm.deaths >= 10 || self.harm.serious >= 50 || loss >= 50_000_000 {
            "major"
        } else if self.harm.deaths >= 3 || self.harm.serious >= 10 || loss >= 10_000_000 {
            "larger"
        } else {
            "general"
        }
    }
}

impl Record for Accident<'_> {
    const DATASET: Dataset = Dataset::Accident;

    fn cells<'a>(&'a self, row: &mut Vec<Cell<'a>>) {
        row.extend([
            Cell::Text(self.no),
            Cell::Text(&self.unit.id),
            Cell::Text(self.unit.region),
            Cell::Text(self.unit.sector.code()),
            Cell::Moment(self.at),
            Cell::Text(self.grade()),
            Cell::Int(self.harm.deaths),
            Cell::Int(self.harm.serious),
            Cell::Fen(self.loss_fen),
        ]);
    }
}
