//! Maintenance is killed anywhere: everything is still there, and asked again it does the rest.

use std::cell::Cell;
use std::process::Stdio;
use std::thread::park_timeout;
use std::time::{Duration, Instant};

use crate::deployment::Deployment;
use crate::killed::kills;
use crate::maintained::five_releases;
use crate::s3_server::S3Server;

/// Kills of each kind of maintenance, spread evenly over its time; in a campaign, a sixth of them all.
const POINTS: u32 = 5;
/// The same where the warehouse lies in a bucket, whose server here is slow.
const POINTS_IN_BUCKET: u32 = 2;
const ONE_IN: u32 = 6;

const CONTENTS: [&str; 3] = [
    "select code, name, batch_id, row_no from insurer order by code",
    "select code, name, batch_id, row_no, version_state, replaced_by from history.insurer order by code, batch_id",
    "select batch_id, sha256, rows_read, rows_accepted, rows_superseded from system.batch order by batch_id",
];

#[test]
fn maintenance_that_is_killed_and_asked_again_loses_nothing_and_ends_well() {
    let elsewhere = tempfile::tempdir().unwrap();
    let new_place = |name: &str| elsewhere.path().join(name).to_str().unwrap().to_owned();
    kill_and_ask_again(kills("ANZE_KILLS", ONE_IN).unwrap_or(POINTS), Deployment::new, new_place);
}

#[test]
fn in_a_bucket_maintenance_that_is_killed_and_asked_again_loses_nothing_and_ends_well() {
    let server = S3Server::start(None);
    server.make_bucket("backups");
    let buckets = Cell::new(0);
    let new = || {
        buckets.set(buckets.get() + 1);
        server.deployment(&format!("upkeep-{}", buckets.get()), "")
    };
    kill_and_ask_again(kills("ANZE_KILLS_IN_BUCKET", ONE_IN).unwrap_or(POINTS_IN_BUCKET), new, |name| {
        format!("s3://backups/{name}")
    });
}

/// `new` makes an empty deployment, `new_place` names a place for backups.
fn kill_and_ask_again(points: u32, new: impl Fn() -> Deployment, new_place: impl Fn(&str) -> String) {
    let template = five_releases();
    let expected = contents(&template);
    let kept = tempfile::tempdir().unwrap();
    let backup = kept.path().to_str().unwrap();
    assert_eq!(template.run(&["maintain", "backup", backup]).code, Some(0));
    let copied = || {
        let deployment = new();
        let restored = deployment.run(&["maintain", "restore", backup]);
        assert_eq!(restored.code, Some(0), "{restored:?}");
        deployment
    };
    let jobs: [(&str, bool); 3] = [("compact", false), ("vacuum", false), ("backup", true)];
    for (name, to_a_place) in jobs {
        // Each time to a place of its own: one that holds most of a backup already is done at once.
        let place = |point: u32| new_place(&format!("{name}-{point}"));
        let mut time = undisturbed(&copied(), name, to_a_place.then(|| place(0)).as_deref());
        let mut killed = 0;
        for point in 1..=points {
            let deployment = copied();
            let place = to_a_place.then(|| place(point));
            let mut run = deployment.command(&job(name, place.as_deref()));
            let mut run = run.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
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
            let reading = format!("{name}, point {point} of {points}");
            assert_whole(&deployment, &expected, &reading);
            let again = deployment.run(&job(name, place.as_deref()));
            assert_eq!(again.code, Some(0), "{reading}: {again:?}");
            assert_whole(&deployment, &expected, &format!("{reading}, asked again"));
            if let Some(place) = place {
                // What a broken-off backup left behind and the next one completed is a backup all the same.
                let restored = new();
                let answer = restored.run(&["maintain", "restore", &place]);
                assert_eq!(answer.code, Some(0), "{reading}: {answer:?}");
                assert_whole(&restored, &expected, &format!("{reading}, restored"));
            }
        }
        assert!(killed * 3 >= points, "{name}: only {killed} of {points} were still running when they were killed");
    }
}

fn job<'a>(name: &'a str, place: Option<&'a str>) -> Vec<&'a str> {
    ["maintain", name].into_iter().chain(place).collect()
}

fn undisturbed(deployment: &Deployment, name: &str, place: Option<&str>) -> Duration {
    let begun = Instant::now();
    let done = deployment.run(&job(name, place));
    assert_eq!(done.code, Some(0), "{done:?}");
    begun.elapsed()
}

fn contents(deployment: &Deployment) -> Vec<String> {
    CONTENTS.iter().map(|statement| deployment.csv(statement)).collect()
}

fn assert_whole(deployment: &Deployment, expected: &[String], reading: &str) {
    let check = deployment.run(&["maintain", "check", "--format", "json"]);
    assert_eq!(check.code, Some(0), "{reading}: {check:?}");
    assert_eq!(contents(deployment), expected, "{reading}");
}
