use super::*;

fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

/// One feed, `unit`, with these lines in its file.
fn feeds(lines: &str) -> Feeds {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("feeds")).unwrap();
    let text = format!(
        "dataset = \"unit\"\nreporter = \"bureau\"\n{lines}\n\
         [source]\nkind = \"directory\"\npath = \"inbox\"\n[format]\nkind = \"csv\"\n"
    );
    std::fs::write(folder.path().join("feeds/unit.toml"), text).unwrap();
    Feeds::load(folder.path()).unwrap()
}

const DAILY: &str = "schedule = \"0 0 2 * * *\"";

/// A planner over a warehouse of its own, looked at step by step.
struct Bench {
    warehouse: Arc<Warehouse>,
    planner: Planner,
    feeds: Feeds,
    calendar: Workdays,
    _folder: tempfile::TempDir,
}

impl Bench {
    fn new(lines: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let warehouse = Warehouse::open(folder.path()).unwrap();
        let planner = Planner::open(&warehouse).unwrap();
        Self { warehouse, planner, feeds: feeds(lines), calendar: Workdays::default(), _folder: folder }
    }

    fn look(&mut self, now: &str) {
        self.planner.look(&self.feeds, &self.calendar, at(now), &BTreeSet::new()).unwrap();
    }

    fn look_while_running(&mut self, now: &str) {
        let busy = BTreeSet::from(["unit".to_owned()]);
        self.planner.look(&self.feeds, &self.calendar, at(now), &busy).unwrap();
    }

    fn startable(&self, now: &str) -> Vec<DateTime<Utc>> {
        self.planner.startable(&self.feeds, at(now)).iter().map(|planned| planned.slot_at).collect()
    }

    fn restart(&mut self) {
        self.planner = Planner::open(&self.warehouse).unwrap();
        self.planner.adopt().unwrap();
    }

    /// The states by slot, as a process that opens the table finds them.
    fn states(&self) -> Vec<(DateTime<Utc>, SlotState)> {
        let planner = Planner::open(&self.warehouse).unwrap();
        planner.slots.values().map(|slot| (slot.slot_at, slot.state)).collect()
    }
}

/// Looks at a first instant, then again after five days without a look.
fn slots_after_five_days(lines: &str) -> (usize, usize) {
    let mut bench = Bench::new(&format!("{DAILY}\n{lines}"));
    bench.look("2026-03-02T00:00:00Z");
    assert!(bench.states().is_empty());
    bench.look("2026-03-07T00:00:00Z");
    (bench.startable("2026-03-07T00:00:00Z").len(), bench.states().len())
}

#[test]
fn missed_slots_are_run_as_the_feed_says_and_every_one_is_a_row() {
    assert_eq!(slots_after_five_days("catch_up = \"none\""), (0, 5));
    assert_eq!(slots_after_five_days("catch_up = \"last\""), (1, 5));
    assert_eq!(slots_after_five_days("catch_up = \"all\""), (5, 5));
    // Slots of 2, 3, 4, 5 and 6 March 18:00 UTC; the last two are at most 2 days old on the 7th.
    assert_eq!(slots_after_five_days("catch_up = \"all\"\ncatch_up_window = \"2d\""), (2, 5));
}

#[test]
fn a_fulfilled_slot_stays_fulfilled_by_the_first_that_came() {
    let mut bench = Bench::new(DAILY);
    bench.look("2026-03-02T00:00:00Z");
    bench.look("2026-03-02T18:00:01Z");
    let slot = bench.startable("2026-03-02T18:00:01Z")[0];
    bench.planner.settle(&[("unit", slot)], SlotState::Failed).unwrap();
    bench.planner.fulfil("unit", slot, "b1", at("2026-03-02T18:05:00Z")).unwrap();
    bench.planner.fulfil("unit", slot, "b2", at("2026-03-02T18:06:00Z")).unwrap();
    bench.planner.settle(&[("unit", slot)], SlotState::Failed).unwrap();
    let rows = bench.planner.rows().unwrap();
    assert_eq!((&rows[0]["state"], &rows[0]["fulfilled_by"]), (&"fulfilled".into(), &"b1".into()));
    assert_eq!(bench.planner.slot_before("unit", at("2026-03-05T00:00:00Z")), Some(slot));
}

#[test]
fn a_changed_schedule_starts_from_now_even_across_a_restart() {
    let mut bench = Bench::new(DAILY);
    bench.look("2026-03-02T00:00:00Z");
    // From now on at 08:00 in Shanghai, which is midnight UTC: today's has just passed.
    bench.feeds = feeds("schedule = \"0 0 8 * * *\"");
    bench.look("2026-03-04T00:00:01Z");
    assert!(bench.states().is_empty(), "nothing of the old schedule, nothing of the new one before now");
    bench.restart();
    bench.look("2026-03-05T00:00:00Z");
    assert_eq!(bench.states(), [(at("2026-03-05T00:00:00Z"), SlotState::Open)]);
}

#[test]
fn a_slot_that_comes_due_while_its_feed_runs_is_skipped_or_waits() {
    let mut bench = Bench::new(DAILY);
    bench.look("2026-03-02T00:00:00Z");
    bench.look_while_running("2026-03-02T18:00:00Z");
    assert_eq!(bench.states(), [(at("2026-03-02T18:00:00Z"), SlotState::Skipped)]);
    let mut bench = Bench::new(&format!("{DAILY}\noverlap = \"queue\""));
    bench.look("2026-03-02T00:00:00Z");
    bench.look_while_running("2026-03-02T18:00:00Z");
    assert_eq!(bench.startable("2026-03-02T18:00:01Z"), [at("2026-03-02T18:00:00Z")]);
}

#[test]
fn a_clock_that_jumps_back_runs_no_slot_again_and_one_that_jumps_ahead_misses_none_unseen() {
    let mut bench = Bench::new(DAILY);
    bench.look("2026-03-02T00:00:00Z");
    // Ahead by four days: 2, 3, 4 and 5 March at 18:00; the last is caught up.
    bench.look("2026-03-06T00:00:00Z");
    let slot = at("2026-03-05T18:00:00Z");
    assert_eq!(bench.startable("2026-03-06T00:00:00Z"), [slot]);
    bench.planner.fulfil("unit", slot, "b1", at("2026-03-06T00:00:00Z")).unwrap();
    // Back to the second: the slot of the 2nd was missed by a wrong clock and is met after all.
    bench.look("2026-03-02T17:00:00Z");
    assert!(bench.startable("2026-03-02T17:00:00Z").is_empty());
    bench.look("2026-03-02T18:00:01Z");
    assert_eq!(bench.startable("2026-03-02T18:00:01Z"), [at("2026-03-02T18:00:00Z")]);
    bench.planner.settle(&[("unit", at("2026-03-02T18:00:00Z"))], SlotState::Empty).unwrap();
    // Back by a second: it was met, and is not met again.
    bench.look("2026-03-02T17:59:59Z");
    bench.look("2026-03-02T18:00:02Z");
    assert!(bench.startable("2026-03-02T18:00:02Z").is_empty());
    assert_eq!(bench.states().len(), 4, "each slot is one row");
}

#[test]
fn a_slot_waits_for_its_jitter_and_for_as_long_after_a_restart() {
    let mut bench = Bench::new(&format!("{DAILY}\njitter = \"10m\""));
    bench.look("2026-03-02T00:00:00Z");
    bench.look("2026-03-02T18:00:00Z");
    let slot = at("2026-03-02T18:00:00Z");
    let wait = jitter::of_slot("unit", slot, std::time::Duration::from_secs(600));
    assert!(wait > chrono::Duration::zero());
    let (before, then) = (slot + wait - chrono::Duration::microseconds(1), slot + wait);
    for _ in 0..2 {
        assert!(bench.startable(&before.to_rfc3339()).is_empty());
        assert_eq!(bench.startable(&then.to_rfc3339()), [slot]);
        bench.restart();
    }
}

#[test]
fn a_slot_whose_run_died_with_its_process_is_open_again() {
    let mut bench = Bench::new(DAILY);
    bench.look("2026-03-02T00:00:00Z");
    bench.look("2026-03-02T18:00:00Z");
    let slot = at("2026-03-02T18:00:00Z");
    bench.planner.settle(&[("unit", slot)], SlotState::Running).unwrap();
    assert!(bench.startable("2026-03-02T18:00:01Z").is_empty());
    bench.restart();
    assert_eq!(bench.startable("2026-03-02T19:00:00Z"), [slot]);
}

#[test]
fn an_open_slot_of_a_feed_that_was_taken_out_is_cancelled() {
    let mut bench = Bench::new(DAILY);
    bench.look("2026-03-02T00:00:00Z");
    bench.look("2026-03-02T18:00:00Z");
    bench.feeds = Feeds::default();
    bench.look("2026-03-02T18:00:01Z");
    assert_eq!(bench.states(), [(at("2026-03-02T18:00:00Z"), SlotState::Cancelled)]);
}

const WITH_DEADLINE: &str = "schedule = \"0 0 2 * * *\"\ndeadline = { workdays = 1, at = \"18:00\" }";

#[test]
fn a_deadline_passes_once_though_nothing_ever_ran() {
    let mut bench = Bench::new(&format!("{WITH_DEADLINE}\ncatch_up = \"none\""));
    bench.look("2026-03-02T00:00:00Z");
    // 3 March 02:00 in Shanghai is a Tuesday; its deadline is Wednesday 4 March 18:00, 10:00 UTC.
    bench.look("2026-03-03T00:00:00Z");
    assert!(bench.startable("2026-03-03T00:00:00Z").is_empty());
    bench.planner.note_overdue(&bench.feeds, at("2026-03-04T10:00:00Z")).unwrap();
    assert!(bench.planner.outstanding("unit").is_empty(), "the deadline itself is in time");
    for now in ["2026-03-04T10:00:01Z", "2026-03-04T10:00:02Z"] {
        bench.planner.note_overdue(&bench.feeds, at(now)).unwrap();
        bench.restart();
    }
    let overdue: Vec<_> = bench.planner.outstanding("unit").iter().map(|slot| slot.overdue_at).collect();
    assert_eq!(overdue, [Some(at("2026-03-04T10:00:01Z"))]);
}

#[test]
fn what_comes_makes_good_the_slots_before_it() {
    let mut bench = Bench::new(&format!("{WITH_DEADLINE}\ncatch_up = \"none\""));
    bench.look("2026-03-02T00:00:00Z");
    bench.look("2026-03-05T00:00:00Z");
    bench.planner.note_overdue(&bench.feeds, at("2026-03-20T00:00:00Z")).unwrap();
    let outstanding = |bench: &Bench| bench.planner.outstanding("unit").len();
    assert_eq!(outstanding(&bench), 3);
    bench.planner.fulfil("unit", at("2026-03-03T18:00:00Z"), "b1", at("2026-03-20T00:00:00Z")).unwrap();
    assert_eq!(outstanding(&bench), 1);
    bench.planner.fulfil("unit", at("2026-03-04T18:00:00Z"), "b2", at("2026-03-20T00:00:00Z")).unwrap();
    assert_eq!(outstanding(&bench), 0);
}

#[test]
fn a_calendar_published_later_moves_deadlines_that_lie_ahead() {
    let mut bench = Bench::new(WITH_DEADLINE);
    bench.look("2026-02-13T00:00:00Z");
    // The slot of Saturday 14 February: by weekdays due on Monday the 16th.
    bench.look("2026-02-13T18:00:00Z");
    let slot = at("2026-02-13T18:00:00Z");
    assert_eq!(bench.planner.due("unit", slot), Some(at("2026-02-16T10:00:00Z")));
    // The Spring Festival lasts from the 15th to the 23rd.
    let days = (15..=23).map(|day| chrono::NaiveDate::from_ymd_opt(2026, 2, day).unwrap());
    bench.calendar = days.map(|day| (day, false)).collect();
    bench.look("2026-02-13T18:00:01Z");
    assert_eq!(bench.planner.due("unit", slot), Some(at("2026-02-24T10:00:00Z")));
}

#[test]
fn a_slot_that_failed_is_overdue_though_a_later_one_came_before_its_deadline() {
    let mut bench = Bench::new(&format!("{WITH_DEADLINE}\ncatch_up = \"all\""));
    bench.look("2026-03-02T00:00:00Z");
    // The slots of 3 and 4 March in Shanghai; the first is due on the 4th at 10:00 UTC.
    bench.look("2026-03-03T18:00:00Z");
    let (first, second) = (at("2026-03-02T18:00:00Z"), at("2026-03-03T18:00:00Z"));
    bench.planner.settle(&[("unit", first)], SlotState::Failed).unwrap();
    bench.planner.fulfil("unit", second, "b1", at("2026-03-03T18:00:00Z")).unwrap();
    bench.planner.note_overdue(&bench.feeds, at("2026-03-04T10:00:01Z")).unwrap();
    bench.restart();
    assert_eq!(bench.planner.outstanding("unit").iter().map(|slot| slot.slot_at).collect::<Vec<_>>(), [first]);
    bench.look("2026-03-04T18:00:00Z");
    bench.planner.fulfil("unit", at("2026-03-04T18:00:00Z"), "b2", at("2026-03-04T18:00:00Z")).unwrap();
    bench.restart();
    assert!(bench.planner.outstanding("unit").is_empty(), "the feed is back");
}

#[test]
fn a_slot_of_a_push_feed_stays_open_without_being_run_until_a_push_fulfils_it() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("feeds")).unwrap();
    let text = format!(
        "dataset = \"unit\"\nreporter = \"bureau\"\n{DAILY}\n[source]\nkind = \"push\"\n[format]\nkind = \"csv\"\n"
    );
    std::fs::write(folder.path().join("feeds/unit.toml"), text).unwrap();
    let feeds = Feeds::load(folder.path()).unwrap();
    let mut bench = Bench { feeds, ..Bench::new(DAILY) };
    bench.look("2026-03-02T00:00:00Z");
    bench.look("2026-03-04T00:00:00Z");
    assert!(bench.planner.startable(&bench.feeds, at("2026-03-04T00:00:00Z")).is_empty());
    let states = |planner: &Planner| {
        planner.rows().unwrap().iter().map(|row| row["state"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(states(&bench.planner), ["open", "open"]);
    let slot = bench.planner.slot_before("unit", at("2026-03-04T00:00:00Z")).unwrap();
    bench.planner.fulfil("unit", slot, "b1", at("2026-03-04T00:00:00Z")).unwrap();
    assert_eq!(states(&bench.planner), ["open", "fulfilled"]);
}
