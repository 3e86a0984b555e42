//! A disk that takes no more: the last release is served, the message says what to do, and once there is room
//! the same command does its work.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::delivery::plain_feed;
use crate::deployment::{Answer, Deployment, finish};

/// Few, so that what lands is smaller than what is written of it.
const ROWS: usize = 40;

fn deployment() -> Deployment {
    let deployment = Deployment::new();
    deployment.write("feeds/insurers.toml", plain_feed("insurer", "NFRA", "insurers"));
    deliver(&deployment, 1);
    deployment
}

fn deliver(deployment: &Deployment, batch: usize) {
    let rows: String = (0..ROWS).map(|n| format!("I{batch}-{n},机构 {batch} {n}\n")).collect();
    deployment.write(&format!("inbox/insurers/{batch}.csv"), format!("code,name\n{rows}"));
}

fn count(deployment: &Deployment) -> String {
    deployment.csv("select count(*) as n from insurer")
}

fn assert_whole(deployment: &Deployment, what: &str) {
    let check = deployment.run(&["maintain", "check", "--format", "json"]);
    assert_eq!(check.code, Some(0), "{what}: {check:?}");
}

/// All it said: what fails in a feed is in the report of the run.
fn said(answer: &Answer) -> String {
    answer.text() + &answer.stderr
}

/// The command where no file may grow beyond so many KiB.
fn limited(deployment: &Deployment, kib: usize, arguments: &[&str]) -> Answer {
    let plain = deployment.command(arguments);
    let mut command = Command::new("bash");
    // Ignored, the signal becomes an error of the write.
    command.arg("-c").arg(format!("trap '' XFSZ; ulimit -f {kib}; exec \"$0\" \"$@\""));
    command.arg(plain.get_program()).args(plain.get_args());
    finish(&mut command)
}

#[test]
fn a_write_that_fails_anywhere_leaves_the_last_release_and_running_again_ends_well() {
    let deployment = deployment();
    assert_eq!(deployment.ingest().code, Some(0));
    let before = count(&deployment);
    assert_eq!(before, format!("n\n{ROWS}\n"));
    deliver(&deployment, 2);
    let mut failed = 0;
    // Each limit lets the run come further, from its first note to its last file.
    for kib in [1, 2, 4, 8, 16, 32, 64] {
        let answer = limited(&deployment, kib, &["ingest", "run", "--all"]);
        if answer.code == Some(0) {
            break;
        }
        failed += 1;
        assert_eq!(answer.code, Some(1), "{kib} KiB: {answer:?}");
        let said = said(&answer);
        assert!(said.contains("文件超出系统允许的大小") && said.contains("the last release stands"), "{answer:?}");
        assert_eq!(count(&deployment), before, "{kib} KiB");
        assert_whole(&deployment, &format!("{kib} KiB"));
    }
    assert!(failed >= 3, "only {failed} limits were too small");
    assert!(matches!(deployment.ingest().code, Some(0)));
    assert_eq!(count(&deployment), format!("n\n{}\n", 2 * ROWS));
    assert_eq!(deployment.run(&["maintain", "vacuum"]).code, Some(0));
    assert_whole(&deployment, "after all");
}

/// A file system of its own in memory; none where this machine does not let us mount one.
struct Disk(PathBuf);

impl Disk {
    fn of(place: &Path, mib: usize) -> Option<Self> {
        std::fs::create_dir_all(place).unwrap();
        let options = format!("size={mib}m");
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", &options, "tmpfs"]).arg(place).output();
        mounted.is_ok_and(|done| done.status.success()).then(|| Self(place.to_owned()))
    }

    fn remount(&self, options: &str) {
        assert!(Command::new("mount").args(["-o", options]).arg(&self.0).status().unwrap().success());
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // What is left goes with the machine's next start.
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

/// Takes all the room there is, page by page, and gives so many bytes back.
fn fill(filler: &Path, room_left: u64) {
    let mut file = File::create(filler).unwrap();
    while file.write_all(&[0; 4096]).is_ok() {}
    let length = file.metadata().unwrap().len();
    file.set_len(length.saturating_sub(room_left)).unwrap();
}

#[test]
fn a_full_disk_and_a_read_only_one_say_what_to_do() {
    let deployment = deployment();
    let place = deployment.path().join("data");
    // Without the right to mount, the limits above are what can be shown.
    let Some(disk) = Disk::of(&place, 8) else { return };
    assert_eq!(deployment.ingest().code, Some(0));
    deliver(&deployment, 2);
    let filler = place.join("filler");
    // All the room there is, less a little, so that something can be begun.
    for room_left in [0, 4 << 10, 12 << 10, 24 << 10] {
        fill(&filler, room_left);
        let full = deployment.ingest();
        assert_eq!(full.code, Some(1), "{room_left}: {full:?}");
        assert!(said(&full).contains("磁盘已满") && said(&full).contains("the disk is full"), "{full:?}");
        assert_eq!(count(&deployment), format!("n\n{ROWS}\n"));
    }
    std::fs::remove_file(&filler).unwrap();

    disk.remount("remount,ro");
    let read_only = deployment.ingest();
    assert_eq!(read_only.code, Some(1), "{read_only:?}");
    assert!(said(&read_only).contains("文件系统为只读"), "{read_only:?}");
    assert_eq!(count(&deployment), format!("n\n{ROWS}\n"));
    disk.remount("remount,rw");

    assert_eq!(deployment.ingest().code, Some(0));
    assert_eq!(count(&deployment), format!("n\n{}\n", 2 * ROWS));
    assert_whole(&deployment, "after all");
}
