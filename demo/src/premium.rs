//! What is paid for a policy: at once or by instalments, now and then late, short or by the wrong
//! payer, and given back when cover ends early.

use super::chance::{Chance, running_sums};
use super::dataset::Dataset;
use super::day::Day;
use super::policy::Cover;
use super::record::{Cell, Record, Version};
use super::unit::Unit;
use super::world::World;

const INSTALMENTS_FROM_FEN: i64 = 2_000_000;

/// Takes in what is due on the days and returns what was collected by the end of the demo.
pub(super) fn collect(
    world: &mut World,
    unit: &Unit,
    cover: &Cover,
    dues: &[(Day, i64)],
    issued_on: Day,
    chance: &mut Chance,
) -> i64 {
    if chance.yes(0.012) {
        return 0; // never pays
    }
    let from_employees = chance.yes(world.market.conduct(cover.insurer).paid_by_employees);
    let payer = if from_employees {
        "employee"
    } else if chance.yes(0.03) {
        "third_party"
    } else {
        "unit"
    };
    let funds = match chance.weighted(&running_sums([0.7, 0.2, 0.1])) {
        _ if unit.is_project() => Some("project_cost"),
        0 => Some("safety_fund"),
        1 => Some("other"),
        _ => None,
    };
    let mut number = 0;
    let mut collected = 0;
    for (day, fen) in payments(dues, issued_on, chance) {
        if fen == 0 || day > world.until {
            continue;
        }
        number += 1;
        let receipt = Receipt {
            no: format!("R{}{:07}{number}", cover.no, unit.serial),
            policy_no: &cover.no,
            insurer: world.market.code(cover.insurer),
            fen,
            received_on: day,
            payer,
            funds,
            void: false,
        };
        collected += fen;
        if chance.yes(0.004) && world.outbox.can_withdraw(cover.insurer) {
            let versions = receipt.booked_twice(chance);
            world.outbox.report_of_insurer(cover.insurer, &versions);
        }
        let versions = receipt.versions(chance);
        world.ledgers.collect(cover.insurer, day, fen);
        world.outbox.report_of_insurer(cover.insurer, &versions);
    }
    collected.max(0)
}

/// The payments that settle the dues: the first one may be split, refunds never.
fn payments(dues: &[(Day, i64)], issued_on: Day, chance: &mut Chance) -> Vec<(Day, i64)> {
    let mut payments = Vec::with_capacity(dues.len() + 3);
    for (number, (day, fen)) in dues.iter().enumerate() {
        let paid_on = if number == 0 {
            let early = day.minus(issued_on).clamp(0, 12);
            day.plus(chance.between(-early, 6))
        } else {
            day.plus(chance.between(0, 20))
        };
        if number == 0 && *fen >= INSTALMENTS_FROM_FEN && chance.yes(0.4) {
            let parts = chance.between(2, 4);
            let part = fen / i64::from(parts);
            for instalment in 0..parts {
                let is_last = instalment + 1 == parts;
                if is_last && chance.yes(0.06) {
                    break; // the last one is never paid
                }
                let due = if is_last { fen - part * i64::from(parts - 1) } else { part };
                payments.push((paid_on.plus(90 * instalment), due));
            }
        } else if number == 0 && chance.yes(0.01) {
            payments.push((paid_on, fen / 2));
        } else {
            payments.push((paid_on, *fen));
        }
    }
    payments
}

#[derive(Clone)]
struct Receipt<'p> {
    no: String,
    policy_no: &'p str,
    insurer: &'static str,
    fen: i64,
    received_on: Day,
    payer: &'static str,
    funds: Option<&'static str>,
    void: bool,
}

impl<'p> Receipt<'p> {
    /// The same money under a second number, withdrawn when someone notices.
    fn booked_twice(&self, chance: &mut Chance) -> Vec<Version<Receipt<'p>>> {
        let second = Receipt { no: format!("{}D", self.no), ..self.clone() };
        let booked_at = self.received_on.at(18, 0).plus_minutes(i64::from(chance.between(0, 3_600)));
        let withdrawn_at = booked_at.plus_hours(i64::from(chance.between(30, 1_500)));
        let void = Receipt { void: true, ..second.clone() };
        vec![Version::new(booked_at, second), Version::new(withdrawn_at, void)]
    }

    fn versions(self, chance: &mut Chance) -> Vec<Version<Receipt<'p>>> {
        let booked_at = self.received_on.at(17, 0).plus_minutes(i64::from(chance.between(0, 3_600)));
        let mut versions = Vec::with_capacity(2);
        if chance.yes(0.008) {
            let slip = Receipt { fen: self.fen / 10 + 1, ..self.clone() };
            versions.push(Version::new(booked_at, slip));
            let corrected_at = booked_at.plus_hours(i64::from(chance.between(10, 1_200)));
            versions.push(Version::new(corrected_at, self));
        } else {
            versions.push(Version::new(booked_at, self));
        }
        versions
    }
}

impl Record for Receipt<'_> {
    const DATASET: Dataset = Dataset::PremiumReceipt;

    fn cells<'a>(&'a self, row: &mut Vec<Cell<'a>>) {
        row.extend([
            Cell::Text(&self.no),
            Cell::Text(self.policy_no),
            Cell::Text(self.insurer),
            Cell::Fen(self.fen),
            Cell::Day(self.received_on),
            Cell::Text(self.payer),
            self.funds.map_or(Cell::Empty, Cell::Text),
        ]);
    }

    fn is_void(&self) -> bool {
        self.void
    }
}
