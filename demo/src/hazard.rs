//! Hazards found in a service: told to the unit, put right and verified, or left lying; major ones
//! reported to the department in time, late or never.

use super::chance::Chance;
use super::dataset::Dataset;
use super::day::{Day, Moment};
use super::market::InsurerNo;
use super::province::Sector;
use super::record::{self, Cell, Record, Version};
use super::unit::{Size, Unit};
use super::vocabulary::hazard_category;
use super::world::World;

pub(super) fn find(
    world: &mut World,
    unit: &Unit,
    insurer: InsurerNo,
    service_no: &str,
    finished_at: Moment,
    chance: &mut Chance,
) {
    let kept_back = world.market.conduct(insurer).major_hazard_kept_back;
    for number in 1..=how_many(unit, chance) {
        let hazard = Hazard::draw(unit, service_no, number, finished_at, kept_back, chance);
        let versions = hazard.versions(world.until, chance);
        world.outbox.report_of_insurer(insurer, &versions);
        world.outbox.truths.hazards += 1;
    }
}

/// Four to nine a visit on average, and widely scattered.
fn how_many(unit: &Unit, chance: &mut Chance) -> usize {
    let of_sector = match unit.sector {
        Sector::Metallurgy => 9.0,
        Sector::Hazchem | Sector::Mine | Sector::Construction => 7.5,
        Sector::CivilExplosives | Sector::Fireworks => 4.5,
        Sector::Transport | Sector::Fishery => 4.6,
        Sector::Other => 6.0,
    };
    let of_size = match unit.size {
        Size::Large => 1.6,
        Size::Medium => 1.3,
        Size::Small => 1.1,
        Size::Micro => 0.85,
    };
    chance.negative_binomial(of_sector * of_size, 1.4).min(80)
}

#[derive(Clone)]
struct Hazard<'s> {
    no: String,
    service_no: &'s str,
    unit_id: &'s str,
    is_major: bool,
    category: &'static str,
    found_at: Moment,
    unit_notified_at: Option<Moment>,
    department_notified_at: Option<Moment>,
    due_on: Day,
    rectified_on: Option<Day>,
    verified_on: Option<Day>,
}

impl<'s> Hazard<'s> {
    fn draw(
        unit: &'s Unit,
        service_no: &'s str,
        number: usize,
        finished_at: Moment,
        kept_back: f64,
        chance: &mut Chance,
    ) -> Self {
        let is_major = chance.yes(0.015);
        let found_at = finished_at.plus_minutes(-i64::from(chance.between(1, 40)));
        let department_notified_at = (is_major && !chance.yes(kept_back)).then(|| {
            let in_time = chance.yes(0.85);
            let hours = if in_time { chance.between(1, 22) } else { chance.between(25, 400) };
            found_at.plus_hours(i64::from(hours))
        });
        let allowed = if is_major { chance.pick(&[3, 7, 15]) } else { chance.pick(&[7, 15, 15, 30]) };
        let takes = chance.days(f64::from(allowed) * 0.62, 0.55, 200);
        let rectified_on = chance.yes(0.93).then(|| found_at.day().plus(takes));
        let verified_on = match rectified_on {
            Some(day) => chance.yes(0.965).then(|| day.plus(chance.days(4.0, 0.8, 60))),
            // Someone ticked the second box and forgot the first.
            None => chance.yes(0.02).then(|| found_at.day().plus(allowed + 3)),
        };
        Hazard {
            no: format!("H{}{number:02}", &service_no[1..]),
            service_no,
            unit_id: &unit.id,
            is_major,
            category: hazard_category(chance, unit.sector),
            found_at,
            unit_notified_at: (!chance.yes(0.01)).then(|| found_at.plus_minutes(i64::from(chance.between(30, 1_500)))),
            department_notified_at,
            due_on: found_at.day().plus(allowed),
            rectified_on,
            verified_on,
        }
    }

    /// The finding, and what became of it.
    fn versions(&self, until: Day, chance: &mut Chance) -> Vec<Version<Hazard<'s>>> {
        let told = self.unit_notified_at.max(self.department_notified_at).unwrap_or(self.found_at);
        let mut entered = vec![self.found_at.plus_minutes(i64::from(chance.between(60, 4_000))), told.plus_minutes(10)];
        let later = self.verified_on.max(self.rectified_on);
        entered.extend(later.map(|day| day.at(17, 30).plus_minutes(i64::from(chance.between(0, 2_900)))));
        entered.sort_unstable();
        entered.dedup();
        entered.retain(|at| at.day() <= until);
        entered.into_iter().map(|at| Version::new(at, self.as_known_at(at))).collect()
    }

    fn as_known_at(&self, at: Moment) -> Self {
        Hazard {
            unit_notified_at: self.unit_notified_at.filter(|moment| *moment <= at),
            department_notified_at: self.department_notified_at.filter(|moment| *moment <= at),
            rectified_on: self.rectified_on.filter(|day| *day <= at.day()),
            verified_on: self.verified_on.filter(|day| *day <= at.day()),
            ..self.clone()
        }
    }
}

impl Record for Hazard<'_> {
    const DATASET: Dataset = Dataset::Hazard;

    fn cells<'a>(&'a self, row: &mut Vec<Cell<'a>>) {
        row.extend([
            Cell::Text(&self.no),
            Cell::Text(self.service_no),
            Cell::Text(self.unit_id),
            Cell::Text(if self.is_major { "major" } else { "general" }),
            Cell::Text(self.category),
            Cell::Moment(self.found_at),
            record::moment(self.unit_notified_at),
            record::moment(self.department_notified_at),
            Cell::Day(self.due_on),
            record::day(self.rectified_on),
            record::day(self.verified_on),
        ]);
    }
}
