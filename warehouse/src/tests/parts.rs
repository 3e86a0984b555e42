//! A batch so large that it is loaded in parts.

use datafusion::arrow::util::display::array_value_to_string;

use super::ledger::{Ledger, arrival, at, insurer};
use crate::publication::Arrival;
use crate::session::Limits;
use crate::warehouse::Warehouse;

/// Rows of one batch: keys come again in the same part, in the next one and later.
const ROWS: [(&str, &str); 12] = [
    ("A", "a1"),
    ("B", "b1"),
    ("A", "a2"),
    ("C", "c1"),
    ("B", "b2"),
    ("D", "d1"),
    ("A", "a3"),
    ("E", "e1"),
    ("C", "c1"),
    ("D", "d2"),
    ("B", "b3"),
    ("F", "f1"),
];

/// What stands and what stood, after a batch before and then [`ROWS`] in so many rows a part.
async fn loaded(rows_per_part: usize) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    let ledger = Ledger::open(Warehouse::open(folder.path()).unwrap()).await.unwrap();
    ledger.deliver("2026-03-01", &[("B", "b0"), ("F", "f0"), ("G", "g0")]).await.unwrap();
    let landed = at("2026-03-02T02:00:00Z");
    let mut publication = ledger.writer.begin(landed, "2026-03-02".parse().unwrap()).await.unwrap();
    let mut change = publication.change(insurer()).await.unwrap();
    let mut outlived = 0;
    // Cut from one, so that the numbers of the rows run on.
    let whole = arrival("large", landed, &ROWS);
    for first in (0..ROWS.len()).step_by(rows_per_part) {
        let rows = whole.rows.slice(first, rows_per_part.min(ROWS.len() - first));
        let is_last = first + rows.num_rows() == ROWS.len();
        let part = Arrival { rows, ..whole.clone() };
        let upserted = match is_last {
            false => change.upsert_part(&part).await.unwrap(),
            true => change.upsert(&[part]).await.unwrap(),
        };
        outlived += upserted.outlived_in_batch;
    }
    // Those that came again in a later part than the one that made them current.
    assert_eq!(outlived > 0, rows_per_part < ROWS.len());
    publication.accept(change);
    let release = publication.publish().await.unwrap();
    let session = release.session(&Limits::default()).unwrap();
    let mut found = Vec::new();
    for statement in [
        "select code, name, batch_id, key_reporter from insurer order by code",
        "select code, name, batch_id, version_state, replaced_by from history.insurer order by code, name",
    ] {
        for rows in session.sql(statement).await.unwrap().collect().await.unwrap() {
            found.extend((0..rows.num_rows()).map(|row| {
                let cells = rows.columns().iter().map(|column| array_value_to_string(column, row).unwrap());
                cells.collect::<Vec<_>>().join(" ")
            }));
        }
    }
    found
}

#[tokio::test]
async fn a_batch_in_parts_ends_as_the_same_batch_at_once() {
    let at_once = loaded(ROWS.len()).await;
    let standing = ["A a3 large R", "B b3 large R", "C c1 large R", "D d2 large R", "E e1 large R", "F f1 large R"];
    assert_eq!(at_once[..6], standing);
    assert!(at_once[6].starts_with("G g0 b-2026-03-01"), "{at_once:?}");
    for rows_per_part in [1, 2, 3, 5, 7] {
        assert_eq!(loaded(rows_per_part).await, at_once, "{rows_per_part} rows a part");
    }
}
