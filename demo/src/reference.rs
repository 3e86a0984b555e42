//! The lists everything else refers to: insurers, agencies, service norms, and the price caps that
//! the province of the demo has set itself.

use super::dataset::Dataset;
use super::day::Day;
use super::expense::{INSPECTION_CAP_FEN, TRAINING_CAP_FEN};
use super::market::Insurer;
use super::province::Sector;
use super::record::{self, Cell, Record, Version};
use super::unit::Size;
use super::world::World;

pub(super) fn report(world: &mut World) {
    for insurer in &world.market.insurers {
        // The newcomer's entry follows its first policies.
        let registered = match insurer.opens {
            Some(opens) => opens.plus(25),
            None => world.start.plus(-90),
        };
        world.outbox.report(&[Version::new(registered.at(9, 0), InsurerRecord(insurer))]);
    }
    world.agencies.report(&mut world.outbox, world.start);
    for norm in norms(world.start) {
        let entered_at = norm.from.plus(-20).at(14, 0);
        let mut versions = vec![Version::new(entered_at, ServiceNorm { to: None, ..norm })];
        if let Some(to) = norm.to {
            versions.push(Version::new(to.plus(-25).at(14, 0), norm));
        }
        world.outbox.report(&versions);
    }
    let caps = [
        PriceCap { rule_id: "price_cap_T4", fen: INSPECTION_CAP_FEN, unit: "per_visit" },
        PriceCap { rule_id: "price_cap_T1", fen: TRAINING_CAP_FEN, unit: "per_person" },
    ];
    for cap in caps {
        world.outbox.report(&[Version::new(world.start.plus(-60).at(10, 0), cap)]);
    }
}

/// Visits a year by sector and size; the notice wanted them by mid-2023. Fishing boats have the
/// norm of their ministry, which is valid everywhere and says nothing about the smallest.
fn norms(start: Day) -> Vec<ServiceNorm> {
    const SIZES: [Size; 4] = [Size::Large, Size::Medium, Size::Small, Size::Micro];
    let issued = Day::of(2023, 7, 1).min(start.plus(-500));
    let revised = Day::of(2025, 7, 1);
    let mut norms = Vec::new();
    for sector in Sector::ALL {
        for size in SIZES {
            let is_risky = matches!(sector, Sector::Hazchem | Sector::Mine | Sector::Metallurgy);
            let visits = match size {
                Size::Large => 4,
                Size::Medium => 2,
                Size::Small => {
                    if is_risky {
                        2
                    } else {
                        1
                    }
                }
                Size::Micro => 1,
            };
            let has_none = sector == Sector::Other
                || (sector == Sector::Fishery && size == Size::Micro)
                || (sector == Sector::CivilExplosives && size == Size::Micro);
            if has_none {
                continue;
            }
            let region = if sector == Sector::Fishery { "" } else { "330000" };
            let is_revised = sector == Sector::Hazchem && size == Size::Small && revised > issued;
            let to = is_revised.then(|| revised.plus(-1));
            let norm = ServiceNorm { region, sector, size, from: issued, to, visits };
            norms.push(norm);
            if is_revised {
                norms.push(ServiceNorm { from: revised, to: None, visits: 3, ..norm });
            }
            if is_risky && size <= Size::Medium {
                let from = Day::of(2024, 1, 1).max(issued);
                norms.push(ServiceNorm { region: "330200", from, to: None, visits: visits + 1, ..norm });
            }
        }
    }
    norms
}

struct InsurerRecord<'i>(&'i Insurer);

impl Record for InsurerRecord<'_> {
    const DATASET: Dataset = Dataset::Insurer;

    fn cells<'a>(&'a self, row: &mut Vec<Cell<'a>>) {
        row.extend([
            Cell::Text(self.0.code),
            Cell::Text(&self.0.name),
            Cell::Text(&self.0.uscc),
            Cell::Text(self.0.regulator),
        ]);
    }
}

#[derive(Clone, Copy)]
struct ServiceNorm {
    region: &'static str,
    sector: Sector,
    size: Size,
    from: Day,
    to: Option<Day>,
    visits: i64,
}

impl Record for ServiceNorm {
    const DATASET: Dataset = Dataset::ServiceNorm;

    fn cells<'a>(&'a self, row: &mut Vec<Cell<'a>>) {
        row.extend([
            Cell::Text(self.region),
            Cell::Text(self.sector.code()),
            Cell::Text(self.size.code()),
            Cell::Day(self.from),
            record::day(self.to),
            Cell::Int(self.visits),
            Cell::Text(self.sector.department().code()),
            Cell::Day(self.from.plus(-30)),
            Cell::Text("示例文号"),
        ]);
    }
}

#[derive(Clone, Copy)]
struct PriceCap {
    rule_id: &'static str,
    fen: i64,
    unit: &'static str,
}

impl Record for PriceCap {
    const DATASET: Dataset = Dataset::Rule;

    fn cells<'a>(&'a self, row: &mut Vec<Cell<'a>>) {
        row.extend([
            Cell::Text(self.rule_id),
            Cell::Text("330000"),
            Cell::Empty,
            Cell::Day(Day::of(2022, 1, 1)),
            Cell::Empty,
            Cell::Fen(self.fen),
            Cell::Text(self.unit),
            Cell::Text("演示用,非真实规定"),
        ]);
    }
}
