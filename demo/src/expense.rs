//! The ledger of prevention spending: lines for services that were done, and every way a line can
//! fail to be one.

use super::chance::{Chance, Stream, running_sums};
use super::credit_code::credit_code;
use super::dataset::Dataset;
use super::day::Day;
use super::market::InsurerNo;
use super::record::{self, Cell, Record, Version};
use super::service::Delivered;
use super::world::World;

/// The findings of the expense ledger, as the metrics name them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Finding {
    Unlinked,
    ServiceNotValid,
    PreAccrued,
    NoVoucher,
    DuplicateVoucher,
    IneligibleCategory,
    WrongInsurer,
    PayeeUnqualified,
    Unreconciled,
    OverPrice,
    WrongYear,
}

#[cfg(test)]
impl Finding {
    pub(super) const ALL: [Finding; 11] = [
        Finding::Unlinked,
        Finding::ServiceNotValid,
        Finding::PreAccrued,
        Finding::NoVoucher,
        Finding::DuplicateVoucher,
        Finding::IneligibleCategory,
        Finding::WrongInsurer,
        Finding::PayeeUnqualified,
        Finding::Unreconciled,
        Finding::OverPrice,
        Finding::WrongYear,
    ];
}

/// The province's price caps of the demo: a visit of inspection, and one person's training.
pub(super) const INSPECTION_CAP_FEN: i64 = 300_000;
pub(super) const TRAINING_CAP_FEN: i64 = 3_000;

/// Sums that the yearly budgets and the accruals are made of.
pub(super) struct Ledgers {
    first_year: i32,
    /// Fen by insurer and quarter since the first year.
    collected: Vec<Vec<i64>>,
    booked: Vec<Vec<i64>>,
    /// The last service of another insurer, for lines that claim it.
    last_service: Option<(InsurerNo, String)>,
    vouchers: u64,
}

impl Ledgers {
    pub(super) fn new(insurers: usize, first_year: i32, last_year: i32) -> Self {
        // Receipts may come a year before the first and after the last policy begins.
        let first_year = first_year - 1;
        let quarters = (last_year - first_year + 2) as usize * 4;
        Ledgers {
            first_year,
            collected: vec![vec![0; quarters]; insurers],
            booked: vec![vec![0; quarters]; insurers],
            last_service: None,
            vouchers: 0,
        }
    }

    pub(super) fn collect(&mut self, insurer: InsurerNo, on: Day, fen: i64) {
        let quarter = self.quarter(on);
        self.collected[insurer][quarter] += fen;
    }

    fn spend(&mut self, insurer: InsurerNo, on: Day, fen: i64) {
        let quarter = self.quarter(on);
        self.booked[insurer][quarter] += fen;
    }

    fn quarter(&self, day: Day) -> usize {
        let (year, month, _) = day.civil();
        let quarter = (year - self.first_year) * 4 + (month as i32 - 1) / 3;
        (quarter.max(0) as usize).min(self.collected[0].len() - 1)
    }

    fn of_year(&self, sums: &[Vec<i64>], insurer: InsurerNo, year: i32) -> i64 {
        let first = ((year - self.first_year) * 4) as usize;
        sums[insurer][first..first + 4].iter().sum()
    }

    fn next_voucher(&mut self, insurer: &str, on: Day) -> String {
        self.vouchers += 1;
        let (year, month, _) = on.civil();
        format!("PZ{insurer}{year}{month:02}{:06}", self.vouchers)
    }
}

/// Books the cost of a service that was done; `spend` fen are meant for it.
pub(super) fn book(world: &mut World, service: &Delivered<'_>, spend: f64, chance: &mut Chance) {
    if spend < 100.0 || chance.yes(0.06) {
        world.ledgers.last_service = Some((service.insurer, service.no.to_owned()));
        return;
    }
    let conduct = world.market.conduct(service.insurer);
    let slips = [
        (None, 1.0),
        (Some(Finding::Unlinked), 0.006),
        (Some(Finding::PreAccrued), 0.008),
        (Some(Finding::NoVoucher), 0.006),
        (Some(Finding::DuplicateVoucher), 0.005),
        (Some(Finding::IneligibleCategory), conduct.ineligible_expense),
        (Some(Finding::WrongInsurer), 0.003),
        (Some(Finding::PayeeUnqualified), 0.006),
        (Some(Finding::Unreconciled), 0.003),
        (Some(Finding::OverPrice), 0.007),
        (Some(Finding::WrongYear), 0.005),
    ];
    let slip = slips[chance.weighted(&running_sums(slips.map(|(_, share)| share)))].0;
    let fen = amount(service, spend, slip, chance);
    let done_on = service.finished_at.day();
    let booked_on = if slip == Some(Finding::PreAccrued) {
        done_on.plus(-chance.between(2, 45))
    } else {
        done_on.plus(chance.between(1, 35))
    };
    if booked_on > world.until {
        return;
    }
    let mut line = world.line(service, fen, done_on.min(booked_on), booked_on, chance);
    world.spoil(&mut line, service, slip, chance);
    world.enter(service.insurer, &line, chance);
    match slip {
        Some(Finding::DuplicateVoucher) => {
            let second = Line { no: format!("{}B", line.no), fen: fen / 3, ..line.clone() };
            world.enter(service.insurer, &second, chance);
        }
        Some(Finding::Unreconciled) => world.reverse(service.insurer, &line, fen * 2, chance),
        None if chance.yes(0.008) => world.reverse(service.insurer, &line, fen, chance),
        _ => {}
    }
    world.ledgers.last_service = Some((service.insurer, service.no.to_owned()));
}

fn amount(service: &Delivered<'_>, spend: f64, slip: Option<Finding>, chance: &mut Chance) -> i64 {
    let wanted = (spend * chance.log_normal(1.0, 0.22)).round() as i64;
    let cap = match service.kind {
        "T4" => INSPECTION_CAP_FEN,
        "T1" => TRAINING_CAP_FEN * service.attendees.unwrap_or(10),
        _ => i64::MAX,
    };
    let exceeds = slip == Some(Finding::OverPrice) && cap < i64::MAX;
    let fen = if exceeds { cap + cap / 4 + i64::from(chance.between(100, 90_000)) } else { wanted.min(cap) };
    // Most prices are whole yuan.
    (if chance.yes(0.7) { fen / 100 * 100 } else { fen }).max(1_000)
}

impl World {
    fn line<'s>(
        &mut self,
        service: &Delivered<'s>,
        fen: i64,
        incurred_on: Day,
        booked_on: Day,
        chance: &mut Chance,
    ) -> Line<'s> {
        let insurer = self.market.code(service.insurer);
        let payee = match service.agency {
            Some(agency) => self.agencies.list[agency].uscc.clone(),
            None => self.market.insurers[service.insurer].uscc.clone(),
        };
        Line {
            no: format!("E{}", &service.no[1..]),
            insurer,
            service_no: Some(service.no.to_owned()),
            policy_no: Some(service.policy_no),
            category: service.kind,
            fen,
            incurred_on,
            booked_on,
            paid_on: chance.yes(0.96).then(|| booked_on.plus(chance.between(0, 25))),
            payee: Some(payee),
            voucher: Some(self.ledgers.next_voucher(insurer, booked_on)),
            reverses: None,
            budget_year: booked_on.year(),
        }
    }

    /// Makes the line what the slip asks for, and counts what is wrong with it.
    fn spoil(&mut self, line: &mut Line<'_>, service: &Delivered<'_>, slip: Option<Finding>, chance: &mut Chance) {
        let mut found = slip;
        match slip {
            Some(Finding::Unlinked) => {
                line.service_no = chance.yes(0.5).then(|| format!("{}X", service.no));
            }
            Some(Finding::NoVoucher) => line.voucher = None,
            Some(Finding::IneligibleCategory) => {
                line.category = chance.pick(&["业务招待费", "佣金", "管理费", "宣传品", "办公用品"]);
            }
            Some(Finding::WrongInsurer) => match &self.ledgers.last_service {
                Some((other, no)) if *other != service.insurer => line.service_no = Some(no.clone()),
                _ => found = None,
            },
            Some(Finding::PayeeUnqualified) if service.agency.is_some() => {
                line.payee = chance.yes(0.5).then(|| credit_code("330100", 77_000_000 + chance.below(1_000) as u64));
            }
            Some(Finding::OverPrice) if !matches!(service.kind, "T1" | "T4") => found = None,
            Some(Finding::PayeeUnqualified) => found = None,
            Some(Finding::WrongYear) => line.budget_year -= 1,
            _ => {}
        }
        found.into_iter().for_each(|finding| self.outbox.truths.finding(finding));
        if !service.is_valid {
            self.outbox.truths.finding(Finding::ServiceNotValid);
        }
        let agency = service.agency.map(|agency| &self.agencies.list[agency]);
        if agency.is_some_and(|agency| !agency.is_qualified(line.booked_on)) {
            self.outbox.truths.finding(Finding::PayeeUnqualified);
        }
    }

    fn reverse(&mut self, insurer: InsurerNo, line: &Line<'_>, fen: i64, chance: &mut Chance) {
        let booked_on = line.booked_on.plus(chance.between(5, 60));
        if booked_on > self.until {
            return;
        }
        let reversal = Line {
            no: format!("{}R", line.no),
            fen: -fen,
            incurred_on: booked_on,
            booked_on,
            paid_on: Some(booked_on),
            reverses: Some(line.no.clone()),
            voucher: Some(self.ledgers.next_voucher(line.insurer, booked_on)),
            budget_year: booked_on.year(),
            ..line.clone()
        };
        self.enter(insurer, &reversal, chance);
    }

    /// Sends the line when it is booked, and again when it is paid.
    fn enter(&mut self, insurer: InsurerNo, line: &Line<'_>, chance: &mut Chance) {
        self.ledgers.spend(insurer, line.booked_on, line.fen);
        let booked_at = line.booked_on.at(17, 0).plus_minutes(i64::from(chance.between(0, 1_800)));
        let unpaid = Line { paid_on: None, ..line.clone() };
        let mut versions = vec![Version::new(booked_at, unpaid)];
        if let Some(paid_on) = line.paid_on.filter(|day| *day <= self.until) {
            let paid_at = paid_on.at(18, 0).plus_minutes(i64::from(chance.between(0, 1_800)));
            versions.push(Version::new(paid_at.max(booked_at.plus_minutes(3)), line.clone()));
        }
        self.outbox.report_of_insurer(insurer, &versions);
    }
}

/// Books the accruals of the insurers that know no other kind of line, quarter by quarter.
pub(super) fn accrue(world: &mut World) {
    for insurer in 0..world.market.insurers.len() {
        if !world.market.conduct(insurer).accrual_only {
            continue;
        }
        let mut chance = world.seed.stream(Stream::Ledger, 1_000 + insurer as u64);
        let code = world.market.code(insurer);
        for quarter in 0..world.ledgers.collected[insurer].len() {
            let year = world.ledgers.first_year + quarter as i32 / 4;
            let month = (quarter as u32 % 4 + 1) * 3;
            let booked_on = Day::of(year, month, 28);
            let fen = world.ledgers.collected[insurer][quarter] / 5;
            if fen <= 0 || booked_on > world.until {
                continue;
            }
            let line = Line {
                no: format!("EJT{code}{year}{month:02}"),
                insurer: code,
                service_no: None,
                policy_no: None,
                category: chance.pick(&["T4", "T9", "预防费计提"]),
                fen: fen / 10_000 * 10_000,
                incurred_on: booked_on,
                booked_on,
                paid_on: None,
                payee: None,
                voucher: None,
                reverses: None,
                budget_year: year,
            };
            world.outbox.truths.finding(Finding::PreAccrued);
            world.enter(insurer, &line, &mut chance);
        }
    }
}

/// Sends each insurer's budget in January, and its own total in the February after.
pub(super) fn set_budgets(world: &mut World) {
    for insurer in 0..world.market.insurers.len() {
        let mut chance = world.seed.stream(Stream::Ledger, insurer as u64);
        let conduct = world.market.conduct(insurer).clone();
        for year in world.history.year()..=world.until.year() {
            let ledgers = &world.ledgers;
            let collected = ledgers.of_year(&ledgers.collected, insurer, year) as f64;
            let booked = ledgers.of_year(&ledgers.booked, insurer, year) as f64;
            let opens = world.market.insurers[insurer].opens;
            if opens.is_some_and(|opens| opens.year() > year) {
                continue;
            }
            let wanted = collected * conduct.spend * (0.92 + 0.2 * chance.share());
            let budget = Budget {
                insurer: world.market.code(insurer),
                year,
                fen: ((wanted / 1e6).round() as i64).max(1) * 1_000_000,
                reported_fen: None,
            };
            let reported_fen = Some((booked * conduct.reported_spend).round() as i64);
            let set_at = Day::of(year, 1, 8).plus(chance.between(0, 14)).at(10, 30);
            let told_at = Day::of(year + 1, 2, 4).plus(chance.between(0, 20)).at(15, 0);
            let mut versions = vec![Version::new(set_at, budget)];
            if told_at.day() <= world.until {
                versions.push(Version::new(told_at, Budget { reported_fen, ..budget }));
            }
            world.outbox.report_of_insurer(insurer, &versions);
        }
    }
}

#[derive(Clone)]
struct Line<'s> {
    no: String,
    insurer: &'static str,
    service_no: Option<String>,
    policy_no: Option<&'s str>,
    category: &'static str,
    fen: i64,
    incurred_on: Day,
    booked_on: Day,
    paid_on: Option<Day>,
    payee: Option<String>,
    voucher: Option<String>,
    reverses: Option<String>,
    budget_year: i32,
}

impl Record for Line<'_> {
    const DATASET: Dataset = Dataset::Expense;

    fn cells<'a>(&'a self, row: &mut Vec<Cell<'a>>) {
        row.extend([
            Cell::Text(&self.no),
            Cell::Text(self.insurer),
            record::text(self.service_no.as_deref()),
            record::text(self.policy_no),
            Cell::Text(self.category),
            Cell::Fen(self.fen),
            Cell::Day(self.incurred_on),
            Cell::Day(self.booked_on),
            record::day(self.paid_on),
            record::text(self.payee.as_deref()),
            record::text(self.voucher.as_deref()),
            record::text(self.reverses.as_deref()),
            Cell::Int(i64::from(self.budget_year)),
        ]);
    }
}

#[derive(Clone, Copy)]
struct Budget {
    insurer: &'static str,
    year: i32,
    fen: i64,
    reported_fen: Option<i64>,
}

impl Record for Budget {
    const DATASET: Dataset = Dataset::Budget;

    fn cells<'a>(&'a self, row: &mut Vec<Cell<'a>>) {
        row.extend([
            Cell::Text(self.insurer),
            Cell::Int(i64::from(self.year)),
            Cell::Fen(self.fen),
            record::fen(self.reported_fen),
        ]);
    }
}
