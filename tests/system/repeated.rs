//! Running again, and files that say what an earlier one said.

use crate::delivery::{PREMIUM, PolicyLine, UPDATED_AT, insurer_with_policies, policy_file};

#[test]
fn running_again_publishes_nothing_new() {
    let deployment = insurer_with_policies();
    deployment.write("inbox/policies/a.csv", policy_file(&[PolicyLine::sound(1), PolicyLine::sound(2)]));
    assert_eq!(deployment.ingest().code, Some(0));
    let before = (deployment.releases(), deployment.csv(HISTORY), deployment.csv(BATCHES));
    let again = deployment.ingest();
    assert_eq!(again.code, Some(0), "{again:?}");
    assert_eq!((deployment.releases(), deployment.csv(HISTORY), deployment.csv(BATCHES)), before);
}

#[test]
fn the_same_rows_in_another_file_change_no_row() {
    let deployment = insurer_with_policies();
    let lines = [PolicyLine::sound(1), PolicyLine::sound(2)];
    deployment.write("inbox/policies/a.csv", policy_file(&lines));
    assert_eq!(deployment.ingest().code, Some(0));
    let before = deployment.csv(HISTORY);
    let [first, second] = lines;
    deployment.write("inbox/policies/b.csv", policy_file(&[second, first]));
    assert_eq!(deployment.ingest().code, Some(0));
    assert_eq!(deployment.csv(HISTORY), before);
    let unchanged = deployment.csv("select rows_unchanged as n from system.batch where object like '%b.csv'");
    assert_eq!(unchanged, "n\n2\n");
}

#[test]
fn a_file_equal_to_an_earlier_one_is_not_taken_late() {
    let deployment = insurer_with_policies();
    let at = |premium: &str| policy_file(&[PolicyLine::sound(1).with(PREMIUM, premium).with(UPDATED_AT, "")]);
    for (name, premium) in [("a", "1"), ("b", "1"), ("c", "2")] {
        deployment.write(&format!("inbox/policies/{name}.csv"), at(premium));
    }
    assert_eq!(deployment.ingest().code, Some(0));
    let before = (deployment.releases(), deployment.csv(HISTORY));
    assert_eq!(deployment.csv("select premium_written as p from policy"), "p\n20000.00\n");
    assert_eq!(deployment.ingest().code, Some(0));
    assert_eq!((deployment.releases(), deployment.csv(HISTORY)), before);
}

#[test]
fn a_file_that_goes_from_a_to_b_and_back_to_a_ends_as_a() {
    let deployment = insurer_with_policies();
    // Without a clock of the sender the later delivery is the newer one.
    let at = |premium: &str| policy_file(&[PolicyLine::sound(1).with(PREMIUM, premium).with(UPDATED_AT, "")]);
    for (premium, expected) in [("1", "10000.00"), ("2", "20000.00"), ("1", "10000.00")] {
        deployment.write("inbox/policies/a.csv", at(premium));
        assert_eq!(deployment.ingest().code, Some(0));
        assert_eq!(deployment.csv("select premium_written as p from policy"), format!("p\n{expected}\n"));
    }
    let batches = deployment.csv("select count(*) as n from system.batch where feed_id = 'policies'");
    assert_eq!(batches, "n\n3\n");
    let versions = deployment.csv("select version_state, count(*) as n from history.policy group by 1 order by 1");
    assert_eq!(versions, "version_state,n\ncurrent,1\nreplaced,2\n");
}

const HISTORY: &str = "select policy_no, unit_id, premium_written, batch_id, row_no, landed_at, version_state \
                       from history.policy order by policy_no, batch_id, row_no";
const BATCHES: &str = "select batch_id, rows_read, rows_accepted, landed_at from system.batch order by batch_id";
