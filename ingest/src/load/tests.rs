//! What feeds say of their files, from the file to the tables.

use crate::desk::Desk;
use crate::quarantine::ReplayAsk;

const BUDGET: &str = "insurer_code,year,amount\n";

async fn desk_with_insurers() -> Desk {
    let desk = Desk::open().await;
    desk.feed("insurer", "upsert", "");
    desk.write("inbox/insurer/a.csv", "code,name\nPICC,人保财险\nCPIC,太保产险\n");
    desk
}

/// Ten sound rows of theirs, in tens of thousands with the rebate apart.
fn theirs(others: &str) -> String {
    let rows: String = (2001..=2010).map(|year| format!("人保,{year},1.50,0.25,在册\n")).collect();
    format!("公司,年,总额(万元),返还(万元),状态\n{rows}{others}")
}

const COMPUTED: &str = r#"
"公司" = { to = "insurer_code", codes = { "人保" = "PICC" } }
"年" = "year"
[expressions]
amount = { expr = '''cast("总额(万元)" as decimal(18,4)) - coalesce(cast("返还(万元)" as decimal(18,4)), 0)''', scale = 10000 }
reported_spend = "case when \"状态\" = '无' then '' else \"总额(万元)\" end"
"#;

#[tokio::test]
async fn columns_are_computed_from_several_of_theirs_and_a_row_that_cannot_be_is_held_alone() {
    let desk = desk_with_insurers().await;
    desk.feed("budget", "upsert", COMPUTED);
    desk.write("inbox/budget/a.csv", &theirs("人保,2011,2,,无\n人保,2012,多,0,在册\n"));
    desk.run().await;
    assert_eq!(desk.batches("budget").await, "12 11 0 0 1 published");
    assert_eq!(
        desk.sql("select year, amount, reported_spend from budget where year in (2001, 2011) order by year").await,
        "2001 12500.00 1.50\n2011 20000.00 -"
    );
    assert_eq!(
        desk.sql("select row_no, rule, column_name from system.quarantine").await,
        "12 expression_failed amount"
    );
    let told = desk.sql("select message_zh from system.quarantine").await;
    assert!(told.contains("“amount”") && told.contains('多'), "{told}");
    // Once the feed says what that means, the row comes in as any other.
    desk.feed("budget", "upsert", &COMPUTED.replace("cast(\"总额(万元)\"", "cast(nullif(\"总额(万元)\", '多')"));
    let replayed = desk.replay(&ReplayAsk::default()).await;
    assert!(replayed.held, "no amount at all is no budget: {replayed:?}");
    assert_eq!(desk.sql("select rule, column_name from system.quarantine").await, "required amount");
}

#[tokio::test]
async fn a_file_without_a_column_that_something_is_computed_from_is_held_whole() {
    let desk = desk_with_insurers().await;
    desk.feed("budget", "upsert", COMPUTED);
    desk.write("inbox/budget/a.csv", &theirs("").replace("返还(万元)", "返还"));
    desk.run().await;
    assert_eq!(desk.batches("budget").await, "0 0 0 0 0 held");
    let told = desk.sql("select reason from system.batch where feed_id = 'budget'").await;
    assert!(told.contains("“返还(万元)”"), "{told}");
}

#[tokio::test]
async fn a_condition_deletes_keys_and_a_row_for_which_it_fails_is_held() {
    let desk = desk_with_insurers().await;
    desk.feed("budget", "upsert", "");
    let feed =
        desk.read("feeds/budget.toml").replace("[contract]", "[contract]\ndeleted_when = \"cast(flag as int) = 1\"");
    desk.write("feeds/budget.toml", &feed);
    let rows: String = (2001..=2010).map(|year| format!("PICC,{year},1.00,0\n")).collect();
    desk.write("inbox/budget/a.csv", &format!("insurer_code,year,amount,flag\n{rows}"));
    desk.run().await;
    let again = rows.replace("2001,1.00,0", "2001,1.00,1").replace("2002,1.00,0", "2002,3.00,x");
    desk.write("inbox/budget/b.csv", &format!("insurer_code,year,amount,flag\n{again}"));
    desk.run().await;
    assert_eq!(desk.batches("budget").await, "10 10 0 0 0 published\n10 1 0 8 1 published");
    assert_eq!(desk.sql("select year, amount from budget where year < 2003").await, "2002 1.00");
    assert_eq!(desk.sql("select row_no, rule from system.quarantine").await, "2 expression_failed");
}

#[tokio::test]
async fn a_key_that_an_append_feed_sends_again_is_told_and_the_newer_version_counts() {
    let desk = desk_with_insurers().await;
    desk.feed("budget", "append", "");
    desk.write("inbox/budget/a.csv", &format!("{BUDGET}PICC,2024,1.00\nPICC,2025,2.00\n"));
    desk.run().await;
    desk.write("inbox/budget/b.csv", &format!("{BUDGET}PICC,2024,1.00\nPICC,2025,2.50\nPICC,2026,3.00\n"));
    desk.run().await;
    assert_eq!(desk.batches("budget").await, "2 2 0 0 0 published\n3 2 0 1 0 published");
    assert_eq!(desk.sql("select amount from budget order by year").await, "1.00\n2.50\n3.00");
    assert_eq!(
        desk.sql("select key, row_no, rule from system.finding").await,
        "PICC,2025 2 key_sent_again",
        "the same row again says nothing new"
    );
    // The same feed as an upsert finds nothing worth telling.
    desk.feed("budget", "upsert", "");
    desk.write("inbox/budget/c.csv", &format!("{BUDGET}PICC,2025,2.75\n"));
    desk.run().await;
    assert_eq!(desk.sql("select count(*) from system.finding").await, "1");
}

#[tokio::test]
async fn a_folder_of_files_in_another_format_is_found_without_a_pattern() {
    let desk = desk_with_insurers().await;
    desk.feed("budget", "upsert", "");
    let feed = desk.read("feeds/budget.toml").replace("kind = \"csv\"", "kind = \"ndjson\"");
    desk.write("feeds/budget.toml", &feed);
    desk.write("inbox/budget/a.jsonl", "{\"insurer_code\":\"PICC\",\"year\":2025,\"amount\":\"1.00\"}\n");
    desk.write("inbox/budget/read me.txt", "not data");
    desk.run().await;
    assert_eq!(desk.batches("budget").await, "1 1 0 0 0 published");
}
