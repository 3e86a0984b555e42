//! A file so large that it contends in parts, with so much for the books that they are written in parts.

use std::fmt::Write;

use crate::delivery::plain_feed;
use crate::deployment::Deployment;

/// Codes that stand twice, one line after the other.
const TWICE: usize = 70_000;
/// Codes that stand once. With the others they are more rows than contend at once.
const ONCE: usize = 400_000;
/// Lines without a code.
const BROKEN: usize = 70_000;
const LINES: usize = 2 * TWICE + ONCE + BROKEN;

fn delivered(most_held: &str) -> Deployment {
    let deployment = Deployment::new();
    let feed = plain_feed("insurer", "NFRA", "insurers");
    deployment.write("feeds/insurers.toml", feed.replace("\"20%\"", &format!("\"{most_held}\"")));
    let mut file = String::from("code,name\n");
    for number in 0..TWICE {
        let _ = writeln!(file, "T{number:06},甲\nT{number:06},乙");
        if number < BROKEN {
            file.push_str(",丙\n");
        }
    }
    for number in 0..ONCE {
        let _ = writeln!(file, "O{number:06},丁");
    }
    deployment.write("inbox/insurers/many.csv", file);
    assert_eq!(deployment.ingest().code, Some(3), "some rows are held");
    deployment
}

const BATCH: &str = "select state, rows_read, rows_accepted, rows_superseded, rows_unchanged, rows_quarantined \
                     from system.batch where feed_id = 'insurers'";
const HELD: &str = "select count(*) as n, count(distinct row_no) as rows, min(raw) as least, max(raw) as most \
                    from system.quarantine where rule <> 'batch_held'";
const FINDINGS: &str = "select rule, count(*) as n, count(distinct key) as keys from system.finding \
                        where feed_id = 'insurers' group by rule order by rule";

#[test]
fn the_books_of_a_very_large_file_are_whole() {
    let deployment = delivered("20%");
    let header = "state,rows_read,rows_accepted,rows_superseded,rows_unchanged,rows_quarantined";
    let current = TWICE + ONCE;
    assert_eq!(deployment.csv(BATCH), format!("{header}\npublished,{LINES},{current},{TWICE},0,{BROKEN}\n"));
    assert_eq!(deployment.csv(HELD), format!("n,rows,least,most\n{BROKEN},{BROKEN},\",丙\",\",丙\"\n"));
    let of_each = format!("rule,n,keys\nduplicate_key,{TWICE},{TWICE}\nequal_clock,{TWICE},{TWICE}\n");
    assert_eq!(deployment.csv(FINDINGS), of_each);
    let names = "select name, count(*) as n from insurer where feed_id = 'insurers' group by name order by n";
    assert_eq!(deployment.csv(names), format!("name,n\n乙,{TWICE}\n丁,{ONCE}\n"), "the later line counts");
}

#[test]
fn a_very_large_file_that_is_held_whole_leaves_its_held_records_and_nothing_else() {
    let deployment = delivered("1%");
    assert_eq!(deployment.csv("select count(*) as n from insurer where feed_id = 'insurers'"), "n\n0\n");
    assert_eq!(deployment.csv(HELD), format!("n,rows,least,most\n{BROKEN},{BROKEN},\",丙\",\",丙\"\n"));
    assert_eq!(deployment.csv(FINDINGS), "rule,n,keys\n", "there is no row to remark on");
    let counts = "select rows_read as read, rows_quarantined as held from system.batch where feed_id = 'insurers'";
    assert_eq!(deployment.csv(counts), format!("read,held\n{LINES},{LINES}\n"));
}
