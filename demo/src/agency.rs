//! The technical service agencies: where they work, with how many experts, and which of them lack a
//! qualification, lost it midway, or make up their visits.

use super::chance::{Chance, Seed, Stream};
use super::credit_code::credit_code;
use super::dataset::Dataset;
use super::day::Day;
use super::outbox::Outbox;
use super::province::CITIES;
use super::record::{self, Cell, Record, Version};

pub(super) struct Agency {
    pub(super) uscc: String,
    name: String,
    city: usize,
    qualification: Option<&'static str>,
    pub(super) experts: usize,
    valid_from: Day,
    pub(super) valid_to: Option<Day>,
    /// Puts one expert down for several visits at a time.
    pub(super) makes_up_visits: bool,
}

pub(super) struct Agencies {
    pub(super) list: Vec<Agency>,
    by_city: Vec<Vec<usize>>,
}

impl Agencies {
    /// `services_a_year` sizes the staffs: about sixty visits a year for each expert.
    pub(super) fn new(seed: &Seed, count: usize, services_a_year: f64, start: Day, until: Day) -> Self {
        let mut chance = seed.stream(Stream::Market, 1);
        let experts = (services_a_year * 0.75 / 50.0 / count as f64).max(4.0);
        let list: Vec<Agency> =
            (0..count).map(|number| Agency::draw(&mut chance, number, experts, start, until)).collect();
        let mut by_city = vec![Vec::new(); CITIES.len()];
        for (number, agency) in list.iter().enumerate() {
            by_city[agency.city].push(number);
        }
        Agencies { list, by_city }
    }

    /// Mostly one of the city's own, and rarely one without a qualification.
    pub(super) fn choose(&self, chance: &mut Chance, city: usize, day: Day) -> usize {
        let local = &self.by_city[city];
        let mut chosen = 0;
        for _ in 0..3 {
            chosen =
                if !local.is_empty() && chance.yes(0.75) { chance.pick(local) } else { chance.below(self.list.len()) };
            if self.list[chosen].is_qualified(day) || chance.yes(0.12) {
                break;
            }
        }
        chosen
    }

    pub(super) fn report(&self, outbox: &mut Outbox, start: Day) {
        for agency in &self.list {
            outbox.report(&agency.versions(start));
        }
    }
}

impl Agency {
    fn draw(chance: &mut Chance, number: usize, experts: f64, start: Day, until: Day) -> Self {
        // The first eleven cover the cities, the rest follow the size of the market.
        let city = if number < CITIES.len() { number } else { chance.pick(&[0, 0, 1, 1, 2, 3, 4, 5, 6, 9]) };
        let span = until.minus(start).max(2);
        let loses_it = number % 23 == 5;
        Agency {
            uscc: credit_code(CITIES[city].code, 75_000_000 + number as u64),
            name: format!("{}{}安全技术服务有限公司", CITIES[city].name, super::vocabulary::brand(chance)),
            city,
            qualification: (number % 31 != 17)
                .then(|| chance.pick(&["安全评价甲级", "安全评价乙级", "安全生产技术服务"])),
            experts: (experts * chance.log_normal(1.0, 0.3)).round().clamp(4.0, 400.0) as usize,
            valid_from: start.plus(-chance.between(420, 1_200)),
            valid_to: if loses_it {
                Some(start.plus(span / 4 + chance.between(0, span / 2)))
            } else {
                chance.yes(0.6).then(|| until.plus(chance.between(60, 900)))
            },
            makes_up_visits: number % 67 == 1,
        }
    }

    pub(super) fn is_qualified(&self, day: Day) -> bool {
        self.qualification.is_some() && self.valid_to.is_none_or(|until| day < until)
    }

    fn versions(&self, start: Day) -> Vec<Version<AgencyRecord<'_>>> {
        let registered = start.plus(-60).at(10, 0);
        let grown = start.plus(200).at(9, 30);
        let record = |expert_count| AgencyRecord { agency: self, expert_count };
        vec![
            Version::new(registered, record(self.experts as i64)),
            Version::new(grown, record(self.experts as i64 + 1)),
        ]
    }
}

struct AgencyRecord<'a> {
    agency: &'a Agency,
    expert_count: i64,
}

impl Record for AgencyRecord<'_> {
    const DATASET: Dataset = Dataset::Agency;

    fn cells<'a>(&'a self, row: &mut Vec<Cell<'a>>) {
        let agency = self.agency;
        row.extend([
            Cell::Text(&agency.uscc),
            Cell::Text(&agency.name),
            record::text(agency.qualification),
            Cell::Int(self.expert_count),
            Cell::Text("气体检测仪;红外热像仪;接地电阻测试仪"),
            Cell::Text(CITIES[agency.city].code),
            Cell::Day(agency.valid_from),
            record::day(agency.valid_to),
        ]);
    }
}
