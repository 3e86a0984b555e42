//! The diaries of the experts: who is where at what time, so that honest experts are never in two
//! places at once, and those who are can be told from the data.

use super::chance::Chance;
use super::day::{Day, Moment};
use super::vocabulary::expert_name;

/// When the four visits of a working day begin; none lasts into the next.
const VISIT_HOURS: [i64; 4] = [8, 10, 13, 15];

/// The experts of one agency or insurer.
struct Staff {
    experts: usize,
    /// One bit per expert, day and visit.
    taken: Vec<u64>,
}

pub(super) struct Diaries {
    first_day: Day,
    days: usize,
    staffs: Vec<Staff>,
}

pub(super) struct Booking {
    pub(super) expert: String,
    pub(super) starts_at: Moment,
}

impl Diaries {
    pub(super) fn new(first_day: Day, last_day: Day, experts: impl Iterator<Item = usize>) -> Self {
        let days = (last_day.minus(first_day) + 60).max(1) as usize;
        let staffs = experts
            .map(|experts| Staff {
                experts: experts.max(1),
                taken: vec![0; (experts.max(1) * days * VISIT_HOURS.len()).div_ceil(64)],
            })
            .collect();
        Diaries { first_day, days, staffs }
    }

    /// A free expert of the staff on that day, or on one of the days after it.
    pub(super) fn book(&mut self, staff: usize, day: Day, chance: &mut Chance) -> Booking {
        for later in 0..60 {
            let on = day.plus(later);
            if on.is_sunday() {
                continue;
            }
            let experts = self.staffs[staff].experts;
            let first = chance.below(experts * VISIT_HOURS.len());
            for turn in 0..experts * VISIT_HOURS.len() {
                let place = (first + turn) % (experts * VISIT_HOURS.len());
                let (expert, visit) = (place / VISIT_HOURS.len(), place % VISIT_HOURS.len());
                if self.take(staff, expert, on, visit) {
                    return booking(staff, expert, on, VISIT_HOURS[visit], chance);
                }
            }
        }
        // A staff booked out for weeks works on Sundays and nights.
        let hour = 18 + chance.between(0, 3);
        booking(staff, chance.below(self.staffs[staff].experts), day, i64::from(hour), chance)
    }

    /// Puts down the staff's busiest expert, wherever that person may be already.
    pub(super) fn pretend(&self, staff: usize, day: Day, chance: &mut Chance) -> Booking {
        let hour = i64::from(chance.between(8, 16));
        booking(staff, 0, day, hour, chance)
    }

    fn take(&mut self, staff: usize, expert: usize, day: Day, visit: usize) -> bool {
        let day = (day.minus(self.first_day).max(0) as usize).min(self.days - 1);
        let place = (expert * self.days + day) * VISIT_HOURS.len() + visit;
        let word = &mut self.staffs[staff].taken[place / 64];
        let bit = 1 << (place % 64);
        let is_free = *word & bit == 0;
        *word |= bit;
        is_free
    }
}

fn booking(staff: usize, expert: usize, day: Day, hour: i64, chance: &mut Chance) -> Booking {
    Booking { expert: expert_name(staff, expert), starts_at: day.at(hour, i64::from(chance.between(0, 9))) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chance::{Seed, Stream};
    use std::collections::BTreeSet;

    #[test]
    fn an_honest_expert_is_never_booked_twice_at_a_time() {
        let day = Day::of(2025, 3, 3);
        let mut diaries = Diaries::new(day, day.plus(400), [5].into_iter());
        let mut chance = Seed::new(1).stream(Stream::Unit, 0);
        let mut seen = BTreeSet::new();
        for _ in 0..200 {
            let booking = diaries.book(0, day, &mut chance);
            let (hour, _, _) = booking.starts_at.clock();
            assert!(seen.insert((booking.expert, booking.starts_at.day(), hour)));
        }
    }
}
