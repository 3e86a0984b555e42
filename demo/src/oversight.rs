//! What others see of a unit, an insurer or an agency: complaints, visits of the departments, what
//! the visits find, and cover put off until a major hazard is gone.

use super::chance::{Chance, Stream};
use super::dataset::Dataset;
use super::day::{Day, Moment};
use super::policy::Cover;
use super::province::{CITIES, Department, Sector};
use super::record::{self, Cell, Record, Version};
use super::unit::Unit;
use super::vocabulary::complaint_kind;
use super::world::World;

const COMPLAINTS_A_YEAR: f64 = 0.006;
const VISITS_A_YEAR: f64 = 0.045;

/// Plays what befalls the unit from outside over the years of the demo.
pub(super) fn watch(world: &mut World, unit: &Unit, covers: &[Cover], chance: &mut Chance) {
    for _ in 0..chance.poisson(COMPLAINTS_A_YEAR * world.years()) {
        complain(world, unit, covers, chance);
    }
    let visits = if unit.sector == Sector::Other { 0.3 } else { 1.0 } * VISITS_A_YEAR;
    for number in 1..=chance.poisson(visits * world.years()) {
        visit_unit(world, unit, covers, number, chance);
    }
    defer(world, unit, covers, chance);
}

fn any_day(world: &World, chance: &mut Chance) -> Day {
    world.history.plus(chance.between(0, world.until.minus(world.history)))
}

fn complain(world: &mut World, unit: &Unit, covers: &[Cover], chance: &mut Chance) {
    let day = any_day(world, chance);
    let Some(cover) = covers.iter().find(|cover| cover.in_force(day)) else { return };
    let received_at = day.at(i64::from(chance.between(8, 20)), i64::from(chance.between(0, 59)));
    let needs_verification = chance.yes(0.35);
    let takes = if needs_verification { chance.days(17.0, 0.7, 120) } else { chance.days(6.0, 0.7, 90) };
    let replied_at = (!chance.yes(0.03))
        .then(|| received_at.plus_hours(24 * i64::from(takes)).plus_minutes(i64::from(chance.between(0, 300))));
    let (year, month, of_month) = day.civil();
    let complaint = Complaint {
        no: format!("TS{year}{month:02}{of_month:02}{:07}", unit.serial),
        insurer: world.market.code(cover.insurer),
        unit_id: (!chance.yes(0.1)).then_some(unit.id.as_str()),
        received_at,
        kind: complaint_kind(chance),
        needs_verification,
        replied_at: None,
        extended_days: (needs_verification && chance.yes(0.1)).then(|| i64::from(chance.between(5, 30))),
    };
    let mut versions = vec![Version::new(received_at.plus_hours(5), complaint.clone())];
    if let Some(replied_at) = replied_at.filter(|at| at.day() <= world.until) {
        let entered_at = replied_at.plus_hours(6);
        versions.push(Version::new(entered_at, Complaint { replied_at: Some(replied_at), ..complaint }));
    }
    world.outbox.report_of_insurer(cover.insurer, &versions);
}

fn visit_unit(world: &mut World, unit: &Unit, covers: &[Cover], number: usize, chance: &mut Chance) {
    let day = any_day(world, chance);
    if !unit.is_open_on(day) {
        return;
    }
    let visit_no = format!("JC{}{:07}{number}", day.year(), unit.serial);
    let subject = Subject { kind: "unit", id: &unit.id, region: unit.region, sector: Some(unit.sector.code()) };
    let first = unit.sector.department();
    report_visit(world, &visit_no, subject, first, day, chance);
    let is_insured = covers.iter().any(|cover| cover.in_force(day));
    let finds = if is_insured { 0.10 } else { 0.8 };
    if !chance.yes(finds) {
        return;
    }
    let violation = if is_insured {
        chance.pick(&["under_headcount", "under_headcount", "under_limit", "false_insurance"])
    } else {
        "uninsured"
    };
    report_finding(world, &visit_no, subject, first, day, violation, chance);
}

/// Visits to insurers and agencies, a few in each year.
pub(super) fn watch_market(world: &mut World) {
    let insurers = world.market.insurers.iter().map(|insurer| ("insurer", insurer.code.to_owned()));
    let agencies = world.agencies.list.iter().map(|agency| ("agency", agency.uscc.clone()));
    let subjects: Vec<(&'static str, String)> = insurers.chain(agencies).collect();
    for (number, (kind, id)) in subjects.iter().enumerate() {
        let mut chance = world.seed.stream(Stream::Oversight, number as u64);
        for turn in 0..chance.poisson(0.5 * world.years()) {
            let day = any_day(world, &mut chance);
            let visit_no = format!("JC{}{}{number:04}{turn}", day.year(), if *kind == "agency" { "F" } else { "B" });
            let region = CITIES[chance.below(CITIES.len())].code;
            let subject = Subject { kind, id, region, sector: None };
            report_visit(world, &visit_no, subject, Department::Emergency, day, &mut chance);
            if chance.yes(0.4) {
                let irregular = if *kind == "agency" { "irregular_service" } else { "irregular_underwriting" };
                report_finding(world, &visit_no, subject, Department::Emergency, day, irregular, &mut chance);
            }
        }
    }
}

/// One row for each department: some visits are joint ones.
fn report_visit(
    world: &mut World,
    visit_no: &str,
    subject: Subject<'_>,
    first: Department,
    day: Day,
    chance: &mut Chance,
) {
    let entered_at = day.at(18, 0).plus_minutes(i64::from(chance.between(0, 4_000)));
    let visit = Visit { no: visit_no, subject, department: first, day };
    world.outbox.report(&[Version::new(entered_at, visit)]);
    if chance.yes(0.18) {
        let second = if first == Department::Emergency { Department::Transport } else { Department::Emergency };
        let joint = Visit { department: second, ..visit };
        world.outbox.report(&[Version::new(entered_at.plus_minutes(40), joint)]);
    }
}

fn report_finding(
    world: &mut World,
    visit_no: &str,
    subject: Subject<'_>,
    department: Department,
    day: Day,
    violation: &'static str,
    chance: &mut Chance,
) {
    let entered_at = day.at(20, 0).plus_minutes(i64::from(chance.between(0, 5_000)));
    let finding = Inspection {
        no: format!("WT{}", &visit_no[2..]),
        visit_no: (!chance.yes(0.05)).then_some(visit_no),
        subject,
        department,
        day,
        violation,
        penalty_fen: chance.yes(0.35).then(|| i64::from(chance.between(1, 20)) * 500_000),
        corrected_on: None,
    };
    let mut versions = vec![Version::new(entered_at, finding.clone())];
    let corrected_on = day.plus(chance.days(24.0, 0.6, 200));
    if chance.yes(0.86) && corrected_on <= world.until {
        let told_at = corrected_on.at(17, 45).max(entered_at.plus_minutes(9));
        versions.push(Version::new(told_at, Inspection { corrected_on: Some(corrected_on), ..finding }));
    }
    world.outbox.report(&versions);
}

/// Some gaps have a reason: no insurer takes the unit until a major hazard is gone.
fn defer(world: &mut World, unit: &Unit, covers: &[Cover], chance: &mut Chance) {
    let gap = covers.windows(2).find(|pair| pair[1].inception.minus(pair[0].ends) > 20);
    let (Some(gap), true) = (gap, chance.yes(0.12)) else { return };
    let deferral = Deferral {
        unit_id: &unit.id,
        insurer: world.market.code(gap[0].insurer),
        from: gap[0].ends,
        to: None,
        hazard_no: format!("ZD{}{:07}", gap[0].ends.year(), unit.serial),
    };
    let to = Some(gap[1].inception);
    let versions = [
        Version::new(deferral.from.plus(3).at(11, 0), deferral.clone()),
        Version::new(gap[1].inception.plus(2).at(11, 0), Deferral { to, ..deferral }),
    ];
    world.outbox.report(&versions);
}

#[derive(Clone, Copy)]
struct Subject<'s> {
    kind: &'static str,
    id: &'s str,
    region: &'static str,
    sector: Option<&'static str>,
}

#[derive(Clone)]
struct Complaint<'u> {
    no: String,
    insurer: &'static str,
    unit_id: Option<&'u str>,
    received_at: Moment,
    kind: &'static str,
    needs_verification: bool,
    replied_at: Option<Moment>,
    extended_days: Option<i64>,
}

impl Record for Complaint<'_> {
    const DATASET: Dataset = Dataset::Complaint;

    fn cells<'a>(&'a self, row: &mut Vec<Cell<'a>>) {
        row.extend([
            Cell::Text(&self.no),
            Cell::Text(self.insurer),
            record::text(self.unit_id),
            Cell::Moment(self.received_at),
            Cell::Text(self.kind),
            Cell::Flag(self.needs_verification),
            record::moment(self.replied_at),
            record::int(self.extended_days),
        ]);
    }
}

#[derive(Clone, Copy)]
struct Visit<'s> {
    no: &'s str,
    subject: Subject<'s>,
    department: Department,
    day: Day,
}

impl Record for Visit<'_> {
    const DATASET: Dataset = Dataset::Visit;

    fn cells<'a>(&'a self, row: &mut Vec<Cell<'a>>) {
        row.extend([
            Cell::Text(self.no),
            Cell::Text(self.department.code()),
            Cell::Text(self.subject.kind),
            Cell::Text(self.subject.id),
            Cell::Text(self.subject.region),
            record::text(self.subject.sector),
            Cell::Day(self.day),
        ]);
    }
}

#[derive(Clone)]
struct Inspection<'s> {
    no: String,
    visit_no: Option<&'s str>,
    subject: Subject<'s>,
    department: Department,
    day: Day,
    violation: &'static str,
    penalty_fen: Option<i64>,
    corrected_on: Option<Day>,
}

impl Record for Inspection<'_> {
    const DATASET: Dataset = Dataset::Inspection;

    fn cells<'a>(&'a self, row: &mut Vec<Cell<'a>>) {
        row.extend([
            Cell::Text(&self.no),
            record::text(self.visit_no),
            Cell::Text(self.subject.kind),
            Cell::Text(self.subject.id),
            Cell::Text(self.department.code()),
            Cell::Text(self.subject.region),
            record::text(self.subject.sector),
            Cell::Day(self.day),
            Cell::Text(self.violation),
            record::fen(self.penalty_fen),
            record::day(self.corrected_on),
        ]);
    }
}

#[derive(Clone)]
struct Deferral<'u> {
    unit_id: &'u str,
    insurer: &'static str,
    from: Day,
    to: Option<Day>,
    hazard_no: String,
}

impl Record for Deferral<'_> {
    const DATASET: Dataset = Dataset::Deferral;

    fn cells<'a>(&'a self, row: &mut Vec<Cell<'a>>) {
        row.extend([
            Cell::Text(self.unit_id),
            Cell::Text(self.insurer),
            Cell::Day(self.from),
            record::day(self.to),
            Cell::Text(&self.hazard_no),
            Cell::Empty,
        ]);
    }
}
