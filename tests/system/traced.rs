//! `anze trace`: every version of a record and the bytes it came from.

use crate::delivery::{PREMIUM, PolicyLine, UPDATED_AT, insurer_with_policies, policy_file};

#[test]
fn every_version_of_a_policy_shows_its_landed_line_byte_for_byte() {
    let first = PolicyLine::sound(7);
    let older = PolicyLine::sound(7).with(PREMIUM, "0.5").with(UPDATED_AT, "2025-02-05 08:00:00");
    let newer = PolicyLine::sound(7).with(PREMIUM, "\"2.50\"").with(UPDATED_AT, "2025-02-20 08:00:00");
    let deployment = insurer_with_policies();
    deployment.write("inbox/policies/a.csv", policy_file(&[PolicyLine::sound(6), first.clone()]));
    assert_eq!(deployment.ingest().code, Some(0));
    deployment.write("inbox/policies/b.csv", policy_file(&[newer.clone(), PolicyLine::sound(8)]));
    assert_eq!(deployment.ingest().code, Some(0));
    deployment.write("inbox/policies/c.csv", policy_file(&[PolicyLine::sound(9), older.clone()]));
    assert_eq!(deployment.ingest().code, Some(0));

    let traced = deployment.run(&["trace", "policy", "P0007", "--format", "json"]);
    assert_eq!(traced.code, Some(0), "{traced:?}");
    let traced = traced.json();
    let versions: Vec<(&str, &str, u64, &str)> = traced["versions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|version| {
            let of = |value: &'static str| version["values"][value].as_str().unwrap();
            let row = version["landed"]["row_no"].as_u64().unwrap();
            (version["version_state"].as_str().unwrap(), of("premium_written"), row, landed_object(version))
        })
        .collect();
    assert_eq!(
        versions,
        [
            ("superseded", "5000.00", 2, "c.csv"),
            ("replaced", "12500.00", 2, "a.csv"),
            ("current", "25000.00", 1, "b.csv")
        ]
    );

    let raw = deployment.run(&["trace", "policy", "P0007", "--raw"]);
    let expected: Vec<u8> =
        [older, first, newer].iter().flat_map(|line| [line.bytes(), b"\n".to_vec()].concat()).collect();
    assert_eq!(raw.stdout, expected);
}

/// The name of the delivered file.
fn landed_object(version: &serde_json::Value) -> &str {
    let object = version["landed"]["batch"]["object"].as_str().unwrap();
    object.rsplit('/').next().unwrap()
}
