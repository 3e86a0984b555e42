//! Prevention services under a policy: planned, done or not, confirmed or not, honest or made up;
//! with the hazards they find and the lines they leave in the ledger.

use super::chance::{Chance, running_sums};
use super::dataset::Dataset;
use super::day::{Day, Moment, in_fishing_moratorium, in_spring_festival};
use super::expense;
use super::hazard;
use super::market::InsurerNo;
use super::policy::Cover;
use super::province::Sector;
use super::record::{self, Cell, Record, Version};
use super::unit::{Size, Unit};
use super::vocabulary::{service_items, service_measures};
use super::world::World;

/// What the ledger needs to know of a service that was done.
pub(super) struct Delivered<'s> {
    pub(super) no: &'s str,
    pub(super) policy_no: &'s str,
    pub(super) insurer: InsurerNo,
    pub(super) kind: &'static str,
    pub(super) finished_at: Moment,
    pub(super) agency: Option<usize>,
    pub(super) attendees: Option<i64>,
    /// Confirmed by both sides.
    pub(super) is_valid: bool,
}

/// How soon the first visit is planned.
const FIRST_VISIT_DAYS: i32 = 150;

/// Plays all services of a policy; `collected` is what they may be paid from.
pub(super) fn serve(world: &mut World, unit: &Unit, cover: &Cover, collected: i64, chance: &mut Chance) {
    let last_day = cover.ends.min(world.until.plus(60));
    let days = last_day.minus(cover.inception);
    let count = how_many(world, unit, cover, collected, chance);
    if days < 20 || count == 0 {
        return;
    }
    let conduct = world.market.conduct(cover.insurer);
    // Some services come to nothing, some lines count for nothing: aim a little higher.
    let spend = collected as f64 * conduct.spend * 1.52 / count as f64;
    let mut spend = if conduct.accrual_only { 0.0 } else { spend };
    if cover.ends > world.until {
        // What falls behind the last day is spent later; the rest must not make up for it.
        spend *= f64::from(days) / f64::from(cover.ends.minus(cover.inception)).max(1.0);
    }
    for number in 1..=count {
        // The first visit follows the policy closely, the others spread over the term.
        let latest = if number == 1 { last_day.min(cover.inception.plus(FIRST_VISIT_DAYS)) } else { last_day };
        let planned_on = visit_day(unit, cover.inception.plus(3), latest, chance);
        let no = format!("S{}{number:02}", serial_part(&cover.no, unit));
        let service = Service::draw(world, unit, cover, no, planned_on, chance);
        let versions = service.versions(world.until, chance);
        world.outbox.report_of_insurer(cover.insurer, &versions);
        world.outbox.truths.services += 1;
        let Some(finished_at) = service.finished_at.filter(|at| at.day() <= world.until) else {
            continue;
        };
        if matches!(service.kind, "T2" | "T4") {
            hazard::find(world, unit, cover.insurer, &service.no, finished_at, chance);
        }
        let delivered = Delivered {
            no: &service.no,
            policy_no: &cover.no,
            insurer: cover.insurer,
            kind: service.kind,
            finished_at,
            agency: service.agency,
            attendees: service.attendees,
            is_valid: service.unit_confirmed_at.is_some() && service.insurer_confirmed_at.is_some(),
        };
        expense::book(world, &delivered, spend, chance);
    }
}

/// Numbers of services must differ between the members of a fleet, who share a policy.
fn serial_part(policy_no: &str, unit: &Unit) -> String {
    if policy_no.starts_with('F') { format!("{policy_no}{:07}", unit.serial) } else { policy_no[1..].to_owned() }
}

/// More for larger units and riskier trades, and where the premium is high enough to pay for more.
fn how_many(world: &World, unit: &Unit, cover: &Cover, collected: i64, chance: &mut Chance) -> usize {
    const FEN_A_VISIT: f64 = 210_000.0;
    let conduct = world.market.conduct(cover.insurer);
    let forgotten = 0.07 / conduct.service_effort;
    if chance.yes(forgotten) {
        return 0;
    }
    let a_year = match unit.size {
        Size::Large => 5.5,
        Size::Medium => 3.2,
        Size::Small => 1.9,
        Size::Micro => 1.25,
    };
    let of_sector = match unit.sector {
        Sector::Hazchem | Sector::Mine | Sector::Metallurgy => 1.35,
        Sector::Other => 0.75,
        _ => 1.0,
    };
    let years = f64::from(cover.ends.minus(cover.inception)) / 365.0;
    let paid_for = collected as f64 * conduct.spend / FEN_A_VISIT;
    let mean = (a_year * of_sector * years).max(paid_for) * conduct.service_effort;
    let drawn = chance.poisson(mean);
    if drawn == 0 && chance.yes(0.6) { 1 } else { drawn.min(40) }
}

/// A day in the term: rarely around the Spring Festival, often at the end of the year; on fishing
/// boats when they lie in port.
fn visit_day(unit: &Unit, from: Day, to: Day, chance: &mut Chance) -> Day {
    const OF_MONTH: [f64; 12] = [0.42, 0.25, 0.55, 0.60, 0.62, 0.72, 0.55, 0.52, 0.56, 0.58, 0.88, 1.0];
    let mut day = from;
    for _ in 0..30 {
        day = from.plus(chance.between(0, to.minus(from).max(1)));
        let mut likely = OF_MONTH[day.month() as usize - 1];
        if in_spring_festival(day) {
            likely *= 0.06;
        }
        if unit.sector == Sector::Fishery && !in_fishing_moratorium(day) {
            likely *= 0.4;
        }
        if chance.yes(likely) {
            break;
        }
    }
    day
}

#[derive(Clone)]
struct Service<'p> {
    no: String,
    policy_no: &'p str,
    unit: &'p Unit,
    insurer: &'static str,
    kind: &'static str,
    agency: Option<usize>,
    agency_uscc: Option<String>,
    plan_no: Option<String>,
    planned_on: Option<Day>,
    started_at: Option<Moment>,
    finished_at: Option<Moment>,
    unit_confirmed_at: Option<Moment>,
    insurer_confirmed_at: Option<Moment>,
    place: Option<&'static str>,
    items: Option<&'static str>,
    measures: Option<&'static str>,
    record_uri: Option<String>,
    lead_expert: Option<String>,
    experts: Option<i64>,
    attendees: Option<i64>,
    satisfaction: Option<i64>,
    revisited_on: Option<Day>,
    declined_on: Option<Day>,
}

impl<'p> Service<'p> {
    fn draw(
        world: &mut World,
        unit: &'p Unit,
        cover: &'p Cover,
        no: String,
        planned_on: Day,
        chance: &mut Chance,
    ) -> Self {
        const KINDS: [&str; 7] = ["T4", "T2", "T1", "T5", "T3", "T6", "T9"];
        let kind = KINDS[chance.weighted(&running_sums([0.50, 0.14, 0.18, 0.06, 0.05, 0.03, 0.04]))];
        let agency = chance.yes(0.7).then(|| world.agencies.choose(chance, unit.city, planned_on));
        let is_planned = !chance.yes(0.03);
        let mut service = Service {
            plan_no: is_planned.then(|| format!("JH{no}")),
            planned_on: is_planned.then_some(planned_on),
            no,
            policy_no: &cover.no,
            unit,
            insurer: world.market.code(cover.insurer),
            kind,
            agency,
            agency_uscc: agency.map(|agency| world.agencies.list[agency].uscc.clone()),
            started_at: None,
            finished_at: None,
            unit_confirmed_at: None,
            insurer_confirmed_at: None,
            place: None,
            items: None,
            measures: None,
            record_uri: None,
            lead_expert: None,
            experts: None,
            attendees: None,
            satisfaction: None,
            revisited_on: None,
            declined_on: None,
        };
        match chance.weighted(&running_sums([0.945, 0.015, 0.04])) {
            0 => service.be_done(world, cover, planned_on, chance),
            1 => service.declined_on = Some(planned_on.plus(chance.between(-10, 3))),
            _ => {}
        }
        service
    }

    fn be_done(&mut self, world: &mut World, cover: &Cover, planned_on: Day, chance: &mut Chance) {
        let staff = self.agency.unwrap_or_else(|| world.own_staff(cover.insurer));
        let is_made_up = self.agency.is_some_and(|agency| world.agencies.list[agency].makes_up_visits);
        let day = planned_on.plus(if chance.yes(0.7) { 0 } else { chance.between(1, 25) });
        let booking = if is_made_up && chance.yes(0.6) {
            // Everything of the month is put down on its last working days.
            let (year, month, _) = day.civil();
            world.diaries.pretend(staff, Day::of(year, month, 27), chance)
        } else {
            world.diaries.book(staff, day, chance)
        };
        let finished_at = booking.starts_at.plus_minutes(i64::from(chance.between(45, 105)));
        self.started_at = Some(booking.starts_at);
        self.finished_at = Some(finished_at);
        self.lead_expert = (!chance.yes(0.01)).then_some(booking.expert);
        self.be_confirmed(world, cover, finished_at, chance);
        self.be_recorded(finished_at, chance);
    }

    fn be_confirmed(&mut self, world: &World, cover: &Cover, finished_at: Moment, chance: &mut Chance) {
        let made_up = chance.yes(world.market.conduct(cover.insurer).sham_service);
        let minutes = |chance: &mut Chance, most: i32| i64::from(chance.between(5, most));
        self.unit_confirmed_at = (!chance.yes(0.03)).then(|| {
            if made_up {
                finished_at.plus_minutes(-minutes(chance, 2_000))
            } else {
                finished_at.plus_minutes(minutes(chance, 2_000))
            }
        });
        self.insurer_confirmed_at = (!chance.yes(0.025)).then(|| {
            let days = i64::from(chance.days(2.5, 0.9, 60));
            finished_at.plus_hours(24 * days).plus_minutes(minutes(chance, 400))
        });
    }

    fn be_recorded(&mut self, finished_at: Moment, chance: &mut Chance) {
        let filled = |chance: &mut Chance| !chance.yes(0.012);
        self.place = filled(chance).then(|| chance.pick(&["生产车间", "施工现场", "厂区", "库区", "码头", "会议室"]));
        self.items = filled(chance).then(|| service_items(chance));
        self.measures = filled(chance).then(|| service_measures(chance));
        let uri = filled(chance).then(|| format!("https://records.example/{}", self.no));
        self.record_uri = uri;
        self.experts = Some(i64::from(if self.kind == "T4" { chance.between(1, 4) } else { chance.between(1, 2) }));
        let most = if self.unit.size == Size::Micro { 25 } else { 90 };
        self.attendees = matches!(self.kind, "T1" | "T5").then(|| i64::from(chance.between(8, most)));
        self.satisfaction =
            chance.yes(0.82).then(|| chance.weighted(&running_sums([0.01, 0.02, 0.10, 0.37, 0.50])) as i64 + 1);
        self.revisited_on = chance.yes(0.3).then(|| finished_at.day().plus(chance.between(10, 45)));
    }

    /// The plan, the visit, and what was confirmed later.
    fn versions(&self, until: Day, chance: &mut Chance) -> Vec<Version<Service<'p>>> {
        let mut entered = Vec::with_capacity(4);
        if let Some(planned_on) = self.planned_on
            && chance.yes(0.6)
        {
            let hour = i64::from(chance.between(8, 17));
            entered.push(planned_on.plus(-chance.between(12, 60)).at(hour, 15));
        }
        let known_at = [
            self.finished_at.map(|at| at.plus_minutes(i64::from(chance.between(90, 3_000)))),
            self.insurer_confirmed_at.max(self.unit_confirmed_at).map(|at| at.plus_minutes(30)),
            self.revisited_on.map(|day| day.at(18, 5)),
            self.declined_on.map(|day| day.at(19, 0)),
        ];
        entered.extend(known_at.into_iter().flatten());
        if entered.is_empty()
            && let Some(planned_on) = self.planned_on
        {
            entered.push(planned_on.plus(-20).at(9, 0));
        }
        entered.sort_unstable();
        entered.dedup();
        entered.retain(|at| at.day() <= until);
        entered.into_iter().map(|at| Version::new(at, self.as_known_at(at))).collect()
    }

    fn as_known_at(&self, at: Moment) -> Self {
        let seen = |moment: Option<Moment>| moment.filter(|moment| *moment <= at);
        let mut known = Service {
            finished_at: seen(self.finished_at),
            unit_confirmed_at: seen(self.unit_confirmed_at),
            insurer_confirmed_at: seen(self.insurer_confirmed_at),
            revisited_on: self.revisited_on.filter(|day| *day <= at.day()),
            declined_on: self.declined_on.filter(|day| *day <= at.day()),
            ..self.clone()
        };
        if known.finished_at.is_none() {
            known.unit_confirmed_at = None;
            known.insurer_confirmed_at = None;
            known.started_at = None;
            known.place = None;
            known.items = None;
            known.measures = None;
            known.record_uri = None;
            known.lead_expert = None;
            known.experts = None;
            known.attendees = None;
            known.satisfaction = None;
        }
        known
    }
}

impl Record for Service<'_> {
    const DATASET: Dataset = Dataset::Service;

    fn cells<'a>(&'a self, row: &mut Vec<Cell<'a>>) {
        row.extend([
            Cell::Text(&self.no),
            Cell::Text(self.policy_no),
            Cell::Text(&self.unit.id),
            Cell::Text(self.insurer),
            Cell::Text(self.unit.sector.code()),
            Cell::Text(self.unit.region),
            Cell::Text(self.kind),
            Cell::Text(if self.agency.is_some() { "agency" } else { "own" }),
            record::text(self.agency_uscc.as_deref()),
            record::text(self.plan_no.as_deref()),
            record::day(self.planned_on),
            record::moment(self.started_at),
            record::moment(self.finished_at),
            record::moment(self.unit_confirmed_at),
            record::moment(self.insurer_confirmed_at),
            record::text(self.place),
            record::text(self.items),
            record::text(self.measures),
            record::text(self.record_uri.as_deref()),
            record::text(self.lead_expert.as_deref()),
            record::int(self.experts),
            record::int(self.attendees),
            record::int(self.satisfaction),
            record::day(self.revisited_on),
            record::day(self.declined_on),
        ]);
    }
}
