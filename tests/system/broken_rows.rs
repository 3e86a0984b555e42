//! A file with broken rows: every row is accounted for, and each held one says why.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::delivery::{
    EXPIRY, INCEPTION, INSURER, ISSUED_AT, PERSONS, POLICY_TYPE, PREMIUM, PRODUCT_CODE, PolicyLine, REGION, SECTOR,
    UNIT, UPDATED_AT, insurer_with_policies, plain_feed, policy_file,
};
use crate::deployment::Deployment;

/// Twenty broken lines, each with the rule that holds it.
fn broken() -> Vec<(&'static str, PolicyLine)> {
    let line = |number: usize| PolicyLine::sound(9000 + number);
    vec![
        ("unknown_region", line(1).with(REGION, "999999")),
        ("unknown_sector", line(2).with(SECTOR, "farming")),
        ("unknown_insurer", line(3).with(INSURER, "NOBODY")),
        ("impossible_date", line(4).with(INCEPTION, "2025/02/30")),
        ("expiry_after_inception", line(5).with(EXPIRY, "2025/02/01")),
        ("number_too_large", line(6).with(PREMIUM, "12345678901234567890")),
        ("too_many_fraction_digits", line(7).with(PREMIUM, "1.2345678")),
        ("too_few_fields", line(8).truncated()),
        ("invalid_encoding", line(9).with(PRODUCT_CODE, b"\xb0\xb2\xff")),
        ("control_character", line(10).with(PRODUCT_CODE, b"A\0B")),
        ("too_many_fields", line(11).longer()),
        ("bad_quote", line(12).with(PRODUCT_CODE, "A\"B")),
        ("future_event", line(13).with(ISSUED_AT, "2199-01-01 00:00:00")),
        ("required", line(14).with(UNIT, "")),
        ("not_in_code_list", line(15).with(POLICY_TYPE, "monthly")),
        ("out_of_range", line(16).with(PREMIUM, "-1.25")),
        ("not_a_number", line(17).with(PREMIUM, "abc")),
        ("not_an_int", line(18).with(PERSONS, "3.5")),
        ("not_a_date", line(19).with(INCEPTION, "soon")),
        ("date_out_of_range", line(20).with(INCEPTION, "1850/01/01")),
    ]
}

/// 200 lines: 150 policies, 10 of them again as they are, 10 of them in an older and 10 in a newer
/// version, and 20 broken lines spread among them.
fn lines() -> Vec<PolicyLine> {
    let mut lines: Vec<PolicyLine> = (1..=150).map(PolicyLine::sound).collect();
    lines.extend((1..=10).map(PolicyLine::sound));
    lines.extend((11..=20).map(|n| PolicyLine::sound(n).with(PREMIUM, "0.5").with(UPDATED_AT, "2025-02-05 08:00:00")));
    lines.extend((21..=30).map(|n| PolicyLine::sound(n).with(PREMIUM, "2").with(UPDATED_AT, "2025-02-20 08:00:00")));
    for (index, (_, line)) in broken().into_iter().enumerate() {
        lines.insert(index * 9, line);
    }
    lines
}

fn delivered() -> Deployment {
    let deployment = insurer_with_policies();
    assert_eq!(lines().len(), 200);
    deployment.write("inbox/policies/policies-1.csv", policy_file(&lines()));
    let ingest = deployment.ingest();
    assert_eq!(ingest.code, Some(3), "held rows are exit code 3: {ingest:?}");
    deployment
}

#[test]
fn every_row_of_a_file_with_broken_rows_is_accounted_for() {
    let deployment = delivered();
    let batch = deployment.sql(
        "select rows_read, rows_accepted, rows_quarantined, rows_unchanged, rows_superseded, state \
         from system.batch where feed_id = 'policies'",
    );
    // Of two versions in one file the older one is superseded: 10 that came late, 10 that were followed.
    assert_eq!(
        batch,
        [json!({
            "rows_read": 200, "rows_accepted": 150, "rows_quarantined": 20, "rows_unchanged": 10,
            "rows_superseded": 20, "state": "published",
        })]
    );
    let states = deployment.csv("select version_state, count(*) as n from history.policy group by 1 order by 1");
    assert_eq!(states, "version_state,n\ncurrent,150\nsuperseded,20\n");
    // 140 at 1.25 万元 and 10 at 2 万元.
    let premium = deployment.csv("select count(*) as n, sum(premium_written) as premium from policy");
    assert_eq!(premium, "n,premium\n150,1950000.00\n");
}

#[test]
fn every_broken_row_is_held_with_its_reason_in_both_languages() {
    let deployment = delivered();
    let held = deployment.sql(
        "select row_no, rule, message_zh, message_en, state from system.quarantine where feed_id = 'policies' order by row_no",
    );
    let expected: BTreeMap<u64, &str> =
        broken().iter().enumerate().map(|(index, (rule, _))| (index as u64 * 9 + 1, *rule)).collect();
    let found: BTreeMap<u64, &str> =
        held.iter().map(|row| (row["row_no"].as_u64().unwrap(), row["rule"].as_str().unwrap())).collect();
    assert_eq!(found, expected);
    assert_eq!(held.len(), 20);
    for row in &held {
        assert_eq!(row["state"], "held");
        assert!(is_chinese(&row["message_zh"]), "{row}");
        assert!(is_english(&row["message_en"]), "{row}");
    }
}

#[test]
fn a_credit_code_with_a_wrong_check_character_is_held() {
    let deployment = Deployment::new();
    deployment.write("feeds/units.toml", plain_feed("unit", "YJT", "units"));
    let mut file = "unit_id,id_kind,name,region_code,sector\n".to_owned();
    for number in 1..=9 {
        file += &format!("V{number},vessel,浙渔{number}号,330102,fishery\n");
    }
    file += "913301007996550580,uscc,某公司,330102,mine\n";
    deployment.write("inbox/units/units.csv", file);
    assert_eq!(deployment.ingest().code, Some(3));
    let held = deployment.csv("select row_no, rule from system.quarantine");
    assert_eq!(held, "row_no,rule\n10,unit_id_check_characters\n");
    assert_eq!(deployment.csv("select count(*) as n from unit"), "n\n9\n");
}

#[test]
fn a_file_with_more_broken_rows_than_its_feed_allows_is_held_whole() {
    let deployment = insurer_with_policies();
    let mut lines: Vec<PolicyLine> = (1..=79).map(PolicyLine::sound).collect();
    lines.extend((80..=100).map(|number| PolicyLine::sound(number).with(PREMIUM, "abc")));
    deployment.write("inbox/policies/policies-1.csv", policy_file(&lines));
    assert_eq!(deployment.ingest().code, Some(3), "21 % is over 20 %");
    assert_eq!(deployment.csv("select state from system.batch where feed_id = 'policies'"), "state\nheld\n");
    assert_eq!(deployment.csv("select count(*) as n from history.policy"), "n\n0\n");
}

fn is_chinese(text: &Value) -> bool {
    text.as_str().is_some_and(|text| text.chars().any(|char| ('\u{4e00}'..='\u{9fff}').contains(&char)))
}

/// English words, which may quote their column titles and values.
fn is_english(text: &Value) -> bool {
    text.as_str().is_some_and(|text| text.split(' ').filter(|word| word.is_ascii()).count() >= 3)
}
