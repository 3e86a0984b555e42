//! The model: what must come of each slot, worked out feed by feed from the policies in words.

use std::collections::{BTreeMap, VecDeque};

use chrono::{DateTime, Duration, Utc};

use super::world::{ATTEMPTS, Behaviour, Ending, Feed, Period, SLOW, World};

/// What must be said of a slot at the end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Expected {
    pub(super) state: &'static str,
    /// How often its sender is asked.
    pub(super) fetches: u32,
    /// How each of these ends, in any order.
    pub(super) outcomes: Vec<&'static str>,
    /// When something landed, to within an hour.
    pub(super) landed_at: Option<DateTime<Utc>>,
    pub(super) due_at: Option<DateTime<Utc>>,
    /// Whether its deadline passed before anything landed.
    pub(super) is_overdue: bool,
}

pub(super) type Slots = BTreeMap<(String, DateTime<Utc>), Expected>;

pub(super) fn expected(world: &World) -> Slots {
    let mut slots = Slots::new();
    for feed in &world.feeds {
        Life::new(world, feed).live(&mut slots);
    }
    let end = world.periods[world.periods.len() - 1].to;
    for slot in slots.values_mut() {
        slot.is_overdue = slot.due_at.is_some_and(|due| due < end && slot.landed_at.is_none_or(|landed| landed > due));
    }
    slots
}

/// One feed through the three weeks.
struct Life<'w> {
    world: &'w World,
    feed: &'w Feed,
    /// Slots that are to be run, oldest first.
    open: VecDeque<DateTime<Utc>>,
    now: DateTime<Utc>,
    /// Until when it runs; for ever once the machine goes down under it.
    busy_until: DateTime<Utc>,
}

impl<'w> Life<'w> {
    fn new(world: &'w World, feed: &'w Feed) -> Self {
        let now = world.periods[0].from;
        Self { world, feed, open: VecDeque::new(), now, busy_until: now }
    }

    fn live(mut self, slots: &mut Slots) {
        let all = self.world.slots(self.feed);
        for slot in &all {
            let due_at = self.world.due(self.feed, *slot);
            let (fetches, outcomes, landed_at, is_overdue) = (0, Vec::new(), None, false);
            let expected = Expected { state: "open", fetches, outcomes, landed_at, due_at, is_overdue };
            slots.insert((self.feed.feed_id.clone(), *slot), expected);
        }
        let mut seen_until = self.world.periods[0].from;
        for period in &self.world.periods {
            (self.now, self.busy_until) = (period.from, period.from);
            let missed: Vec<_> =
                all.iter().copied().filter(|slot| *slot > seen_until && *slot <= period.from).collect();
            self.catch_up(missed, slots);
            for slot in all.iter().copied().filter(|slot| *slot > period.from && *slot <= period.to) {
                self.run_until(slot, period, slots);
                self.comes_due(slot, slots);
            }
            // What begins at the very end is begun only where the machine is still worked then.
            let is_worked = matches!(period.ending, Ending::CrashedBeforeLoading | Ending::Finished);
            let last = if is_worked { Duration::microseconds(1) } else { Duration::zero() };
            self.run_until(period.to + last, period, slots);
            seen_until = period.to;
        }
    }

    /// Slots that came due while the machine was down: none, the last one or all of them are run.
    fn catch_up(&mut self, missed: Vec<DateTime<Utc>>, slots: &mut Slots) {
        let last = missed.last().copied();
        for slot in missed {
            let runs = match self.feed.catch_up {
                "all" => true,
                "last" => Some(slot) == last,
                _ => false,
            };
            if runs {
                self.open.push_back(slot);
            } else {
                self.of(slots, slot).state = "missed";
            }
        }
    }

    /// A slot comes due while the machine is up.
    fn comes_due(&mut self, slot: DateTime<Utc>, slots: &mut Slots) {
        if self.busy_until > slot && self.feed.overlap == "skip" {
            self.of(slots, slot).state = "skipped";
        } else {
            self.open.push_back(slot);
        }
    }

    /// Begins what is open, one after the other, before an instant.
    fn run_until(&mut self, until: DateTime<Utc>, period: &Period, slots: &mut Slots) {
        while let Some(slot) = self.open.front().copied() {
            let earliest = slot + Duration::seconds(if self.feed.jitter { 30 } else { 0 });
            let begins = earliest.max(self.busy_until).max(self.now);
            if begins >= until {
                break;
            }
            self.open.pop_front();
            self.run(slot, begins, period, slots);
        }
        self.now = self.now.max(until);
    }

    fn run(&mut self, slot: DateTime<Utc>, begins: DateTime<Utc>, period: &Period, slots: &mut Slots) {
        let behaviour = self.world.behaviour(&self.feed.feed_id, slot);
        let expected = slots.get_mut(&(self.feed.feed_id.clone(), slot)).unwrap();
        let stops = matches!(period.ending, Ending::Stopped | Ending::Finished);
        // Landed in the last instant, not loaded: the run never ends.
        let done = if begins == period.to && !stops { "interrupted" } else { "done" };
        let mut at = begins;
        for attempt in 1..=ATTEMPTS {
            expected.fetches += 1;
            match behaviour {
                Behaviour::Down(failures) if expected.fetches <= failures => {
                    expected.outcomes.push("failed");
                    if attempt == ATTEMPTS {
                        expected.state = "failed";
                        break;
                    }
                    // It waits for at least half of ten minutes.
                    if at + Duration::minutes(5) > period.to {
                        if stops {
                            expected.outcomes.pop();
                            expected.outcomes.push("stopped");
                        }
                        self.open.push_front(slot);
                        self.busy_until = DateTime::<Utc>::MAX_UTC;
                        return;
                    }
                    at += Duration::minutes(15);
                    continue;
                }
                Behaviour::Slow if expected.fetches == 1 => {
                    at += Duration::from_std(SLOW).unwrap();
                    if at >= period.to {
                        expected.outcomes.push(if stops { "stopped" } else { "interrupted" });
                        self.open.push_front(slot);
                        self.busy_until = DateTime::<Utc>::MAX_UTC;
                        return;
                    }
                    (expected.state, expected.landed_at) = ("fulfilled", Some(at));
                    expected.outcomes.push(done);
                }
                Behaviour::Refuses => {
                    expected.state = "failed";
                    expected.outcomes.push("failed");
                }
                Behaviour::HasNothing => {
                    expected.state = "empty";
                    expected.outcomes.push("nothing_new");
                }
                Behaviour::Good | Behaviour::Down(_) | Behaviour::Slow => {
                    (expected.state, expected.landed_at) = ("fulfilled", Some(at));
                    expected.outcomes.push(done);
                }
            }
            break;
        }
        self.busy_until = at;
    }

    fn of<'s>(&self, slots: &'s mut Slots, slot: DateTime<Utc>) -> &'s mut Expected {
        slots.get_mut(&(self.feed.feed_id.clone(), slot)).unwrap()
    }
}
