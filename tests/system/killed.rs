//! The process is killed anywhere between land and publish; running again ends as if it had not been.

use std::cell::Cell;
use std::process::{Child, Stdio};
use std::thread::park_timeout;
use std::time::{Duration, Instant};

use crate::delivery::plain_feed;
use crate::deployment::{Deployment, setting};
use crate::s3_server::S3Server;

/// How many kills, spread evenly over the time that an undisturbed run takes; in a campaign, half of them all.
const POINTS: u32 = 50;
/// The same where the warehouse lies in a bucket, whose server here is slow.
const POINTS_IN_BUCKET: u32 = 4;
/// Which part of a campaign's kills is dealt here; the three kinds of maintenance share the rest.
const ONE_IN: u32 = 2;
/// How long one run may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);
/// Rows of a delivered file.
const ROWS: usize = 400;
/// Slots of the feeds that deliver more than once.
const SLOTS: usize = 3;

/// What must be the same: everything but when it landed and in how many releases it came.
const CONTENTS: [&str; 9] = [
    "select code, name, batch_id, row_no, version_state, replaced_by from history.insurer \
     order by code, batch_id, row_no",
    "select unit_id, name, region_code, sector, employees, feed_id, reporter, batch_id, row_no, source_updated_at, \
     version_state, replaced_by from history.unit order by unit_id, batch_id, row_no",
    "select policy_no, unit_id, insurer_code, sector, region_code, inception, expiry, premium_written, \
     insured_persons, feed_id, reporter, batch_id, row_no, source_updated_at, version_state, replaced_by \
     from history.policy order by policy_no, unit_id, batch_id, row_no",
    "select receipt_no, policy_no, insurer_code, amount, received_on, payer_kind, batch_id, row_no, \
     source_updated_at, version_state, replaced_by from history.premium_receipt order by receipt_no, batch_id, row_no",
    "select claim_no, policy_no, unit_id, insurer_code, accident_at, reported_at, paid_amount, batch_id, row_no, \
     source_updated_at, version_state, replaced_by from history.claim order by claim_no, batch_id, row_no",
    "select policy_no, unit_id, premium_written, batch_id, row_no from policy order by policy_no, unit_id",
    "select batch_id, feed_id, dataset, object, sha256, rows_read, rows_accepted, rows_superseded, rows_unchanged, \
     rows_quarantined, state, reason from system.batch order by batch_id",
    "select quarantine_id, batch_id, row_no, raw, rule, column_name, message_zh, message_en, state \
     from system.quarantine order by quarantine_id",
    // Which findings came and went depends on what landed together; those that stay do not.
    "select dataset, key, feed_id, batch_id, row_no, rule, column_name from system.finding \
     where cleared_in is null order by dataset, key, feed_id, batch_id, row_no, rule, column_name",
];

/// Batches whose rows in the tables are not as many as their book says, or rows without a book: in
/// a whole release there are none.
const TORN: &str = "with rows_found as (\
       select batch_id from history.insurer union all select batch_id from history.unit \
       union all select batch_id from history.policy union all select batch_id from history.premium_receipt \
       union all select batch_id from history.claim\
     ), found as (select batch_id, count(*) as n from rows_found group by batch_id), \
     booked as (\
       select batch_id, rows_accepted + rows_superseded as n from system.batch \
       where dataset in ('insurer', 'unit', 'policy', 'premium_receipt', 'claim')\
     ) \
     select coalesce(found.batch_id, booked.batch_id) as batch_id, found.n as found, booked.n as booked \
     from found full join booked on found.batch_id = booked.batch_id \
     where coalesce(found.n, 0) <> coalesce(booked.n, 0) order by 1";

#[test]
fn a_killed_run_that_is_run_again_ends_like_an_undisturbed_one() {
    kill_and_run_again(kills("ANZE_KILLS", ONE_IN).unwrap_or(POINTS), Deployment::in_folder);
}

#[test]
fn in_a_bucket_a_killed_run_that_is_run_again_ends_like_an_undisturbed_one() {
    let server = S3Server::start(None);
    let buckets = Cell::new(0);
    kill_and_run_again(kills("ANZE_KILLS_IN_BUCKET", ONE_IN).unwrap_or(POINTS_IN_BUCKET), |settings| {
        buckets.set(buckets.get() + 1);
        server.deployment(&format!("killed-{}", buckets.get()), settings)
    });
}

/// One part in so many of the kills of a campaign.
pub fn kills(name: &str, one_in: u32) -> Option<u32> {
    setting(name).map(|all| all.to_str().unwrap().parse::<u32>().unwrap().div_ceil(one_in))
}

/// `new` makes a deployment with lines of its `anze.toml`.
fn kill_and_run_again(points: u32, new: impl Fn(&str) -> Deployment) {
    // What metrics make of a release comes after it; the kills are for what comes before.
    let delivered = || delivered(new("[metric_value]\nfollow = false\n"));
    let (undisturbed, mut time) = undisturbed(delivered);
    let mut wrong = Vec::new();
    let mut killed = 0;
    for point in 1..=points {
        let deployment = delivered();
        let mut run = start(&deployment);
        let begun = Instant::now();
        while run.try_wait().unwrap().is_none() && begun.elapsed() < time * point / points {
            park_timeout(Duration::from_millis(1));
        }
        if run.try_wait().unwrap().is_some() {
            // The machine was busier when its time was taken.
            time = time.min(begun.elapsed());
        }
        // SIGKILL: nothing is tidied up.
        run.kill().unwrap();
        killed += u32::from(run.wait().unwrap().code().is_none());
        let reading = format!("point {point} of {points}, after {:?}", time * point / points);
        wrong.extend(torn(&deployment).map(|torn| format!("{reading}, read after the kill: {torn}")));

        let mut again = start(&deployment);
        let deadline = Instant::now() + PATIENCE;
        let ended = loop {
            wrong.extend(torn(&deployment).map(|torn| format!("{reading}, read while running again: {torn}")));
            if let Some(ended) = again.try_wait().unwrap() {
                break ended;
            }
            assert!(Instant::now() < deadline, "{reading}: the second run does not end");
        };
        // 3: some rows are held. 0: the first run had published them all before it was killed.
        assert!(matches!(ended.code(), Some(0 | 3)), "{reading}: {ended}");
        wrong.extend(difference(&undisturbed, &contents(&deployment)).map(|text| format!("{reading}: {text}")));
        let check = deployment.run(&["maintain", "check", "--format", "json"]);
        if check.code != Some(0) {
            wrong.push(format!("{reading}, checked: {check:?}"));
        }
    }
    assert!(wrong.is_empty(), "{} of {points} kills left traces:\n{}", wrong.len(), wrong.join("\n"));
    assert!(killed * 3 >= points, "only {killed} of {points} runs were still running when they were killed");
}

/// The contents after a run that nobody disturbed, and how long the longest of three took.
fn undisturbed(delivered: impl Fn() -> Deployment) -> (Vec<String>, Duration) {
    let mut runs = (0..3).map(|_| {
        let deployment = delivered();
        let begun = Instant::now();
        let ended = start(&deployment).wait().unwrap();
        let time = begun.elapsed();
        assert_eq!(ended.code(), Some(3), "one claim in fifty is held");
        assert_eq!(torn(&deployment), None);
        (contents(&deployment), time)
    });
    let (contents, mut longest) = runs.next().unwrap();
    for (again, time) in runs {
        assert_eq!(difference(&contents, &again), None, "two undisturbed runs differ");
        longest = longest.max(time);
    }
    let read: usize = contents.iter().map(|table| table.lines().count()).sum();
    assert!(read > 5000, "only {read} rows to compare");
    assert!(contents.iter().all(|table| table.lines().count() > 1), "a table without rows proves nothing");
    (contents, longest)
}

fn start(deployment: &Deployment) -> Child {
    let mut command = deployment.command(&["ingest", "run", "--all"]);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

/// What a reader sees that is not a whole release; none too where nothing is published yet.
fn torn(deployment: &Deployment) -> Option<String> {
    let answer = deployment.run(&["sql", "--format", "csv", TORN]);
    match answer.code {
        Some(0) if answer.text() == "batch_id,found,booked\n" => None,
        Some(1) if answer.stderr.contains("Nothing is published yet") => None,
        _ => Some(format!("{answer:?}")),
    }
}

fn contents(deployment: &Deployment) -> Vec<String> {
    CONTENTS.iter().map(|statement| deployment.csv(statement)).collect()
}

/// The first line of each table that differs.
fn difference(expected: &[String], found: &[String]) -> Option<String> {
    let differs = expected.iter().zip(found).zip(CONTENTS).filter(|((expected, found), _)| expected != found);
    let told: Vec<String> = differs
        .map(|((expected, found), statement)| {
            let place = expected.lines().zip(found.lines()).position(|(one, other)| one != other);
            let line = |text: &String| {
                let shorter = expected.lines().count().min(found.lines().count());
                text.lines().nth(place.unwrap_or(shorter)).unwrap_or("(end)").to_owned()
            };
            format!(
                "`{statement}` has {} lines, not {}; first other line\n  {}\ninstead of\n  {}",
                found.lines().count(),
                expected.lines().count(),
                line(found),
                line(expected)
            )
        })
        .collect();
    (!told.is_empty()).then(|| told.join("\n"))
}

/// Seven feeds, some thousand rows. Keys of one feed come again in its later files, some newer and
/// some older by the sender's clock. By name the feeds land in another order than they are loaded.
fn delivered(deployment: Deployment) -> Deployment {
    let feeds = [
        ("claims", "claim", "PICC"),
        ("insurers", "insurer", "NFRA"),
        ("policies-cpic", "policy", "CPIC"),
        ("policies-picc", "policy", "PICC"),
        ("receipts", "premium_receipt", "PICC"),
        ("units-city", "unit", "HZ"),
        ("units-vessels", "unit", "NYJ"),
    ];
    for (feed, dataset, reporter) in feeds {
        deployment.write(&format!("feeds/{feed}.toml"), plain_feed(dataset, reporter, feed));
    }
    deployment.write("inbox/insurers/insurers.csv", "code,name\nPICC,人保财险\nCPIC,太保产险\n");
    for slot in 0..SLOTS {
        let put = |feed: &str, text: String| deployment.write(&format!("inbox/{feed}/{feed}-{slot}.csv"), text);
        put("units-city", units("U", slot));
        put("units-vessels", units("V", slot));
        put("policies-picc", policies("PICC", "U", slot));
        put("policies-cpic", policies("CPIC", "V", slot));
        put("receipts", receipts(slot));
        put("claims", claims(slot));
    }
    deployment
}

/// Half of the keys of a file are those of the file before it.
fn numbers(slot: usize) -> std::ops::Range<usize> {
    slot * ROWS / 2..slot * ROWS / 2 + ROWS
}

/// The sender's clock: of the keys that come again every third is older than what came before.
fn clock(slot: usize, number: usize) -> String {
    let day = if number.is_multiple_of(3) { 10 - slot } else { 10 + slot };
    format!("2025-03-{day:02} 08:00:00")
}

fn units(prefix: &str, slot: usize) -> String {
    let mut text = "unit_id,id_kind,name,region_code,sector,employees,source_updated_at\n".to_owned();
    for n in numbers(slot) {
        text += &format!("{prefix}{n},permit,{prefix}单位{n},330102,mine,{},{}\n", n % 90 + slot, clock(slot, n));
    }
    text
}

fn policies(insurer: &str, unit: &str, slot: usize) -> String {
    let mut text = "policy_no,unit_id,insurer_code,sector,region_code,policy_type,inception,expiry,premium_written,\
                    insured_persons,source_updated_at\n"
        .to_owned();
    for n in numbers(slot) {
        text += &format!(
            "{insurer}-{n},{unit}{n},{insurer},mine,330102,annual,2025-02-01,2026-02-01,{}.50,12,{}\n",
            1000 + n + slot,
            clock(slot, n)
        );
    }
    text
}

fn receipts(slot: usize) -> String {
    let mut text = "receipt_no,policy_no,insurer_code,amount,received_on,payer_kind,source_updated_at\n".to_owned();
    for n in numbers(slot) {
        text += &format!("R{n},PICC-{n},PICC,{}.50,2025-02-01,unit,{}\n", 1000 + n + slot, clock(slot, n));
    }
    text
}

/// Every fiftieth was paid before it was reported, which no claim can be; every fortieth other one
/// names a unit that nobody knows, which stays a finding.
fn claims(slot: usize) -> String {
    let mut text = "claim_no,policy_no,unit_id,insurer_code,accident_at,reported_at,paid_amount,paid_at,\
                    source_updated_at\n"
        .to_owned();
    for n in numbers(slot) {
        let paid = if n.is_multiple_of(50) { "2025-02-01 00:00:00" } else { "2025-03-01 00:00:00" };
        let unit = if n.is_multiple_of(40) { "X" } else { "U" };
        text += &format!(
            "C{n},PICC-{n},{unit}{n},PICC,2025-02-10 09:00:00,2025-02-11 09:00:00,{}.00,{paid},{}\n",
            n + slot,
            clock(slot, n)
        );
    }
    text
}
