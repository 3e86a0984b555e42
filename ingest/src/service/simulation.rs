//! Three weeks around the Spring Festival of 2026 on a simulated clock: feeds with outages, a
//! machine that stops, crashes and starts again, and a calendar with holidays and worked Saturdays.
//! What the tables say at the end is compared with a model that knows none of our code.

mod books;
mod machine;
mod model;
mod world;

use std::collections::BTreeMap;

use machine::Machine;
use model::expected;
use world::{Ending, World};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_weeks_of_forty_feeds_end_as_the_model_says() {
    simulate(1, 40).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn other_outages_of_a_few_feeds_end_as_the_model_says() {
    for seed in [2, 3] {
        simulate(seed, 6).await;
    }
}

async fn simulate(seed: u64, feeds: usize) {
    let world = World::new(seed, feeds);
    for period in &world.periods {
        world.clock.set(period.from);
        let mut machine = Machine::start(&world).await;
        let mut now = period.from;
        while now < period.to {
            machine.settle().await;
            now = world.next_instant(now).min(period.to);
            world.clock.set(now);
        }
        match period.ending {
            Ending::Stopped => machine.stop().await,
            Ending::Crashed => machine.crash().await,
            Ending::CrashedBeforeLoading => {
                machine.work().await;
                machine.crash().await;
            }
            Ending::Finished => {
                machine.settle().await;
                machine.stop().await;
            }
        }
    }
    let expected = expected(&world);
    let kinds: BTreeMap<&str, usize> = expected.values().fold(BTreeMap::new(), |mut kinds, slot| {
        *kinds.entry(slot.state).or_default() += 1;
        kinds
    });
    if feeds == 40 {
        for state in ["fulfilled", "empty", "failed", "missed", "skipped"] {
            assert!(kinds.get(state).is_some_and(|count| *count > 0), "the weeks have no {state} slot: {kinds:?}");
        }
    }
    books::slots_end_in_one_state(&world, &expected);
    books::nothing_is_fetched_without_need(&world, &expected);
    books::each_deadline_is_told_once(&world, &expected);
    books::runs_tell_what_ran(&world, &expected);
    books::batches_are_those_of_the_slots(&world, &expected).await;
}
