//! What holds of every answer, whatever the metric.

use std::collections::BTreeMap;
use std::sync::Arc;

use anze_warehouse::Release;

use crate::quantity::Quantity;
use crate::{Catalogue, Dimension, EvidenceRow, MetricAnswer, MetricRequest, Row, Side, answer, evidence};

/// Numerators and denominators add up to the total over every dimension but the month, except those of a
/// concentration; an answer under `where` equals its row; the shares of the evidence add up to the answer.
pub(crate) async fn hold(catalogue: &Catalogue, release: &Arc<Release>, request: &MetricRequest, place: &str) {
    let total = asked(catalogue, release, request, &[], &request.filters).await;
    let metric = catalogue.metric(&request.id).unwrap();
    for dimension in &metric.dimensions {
        if *dimension == Dimension::Month {
            continue;
        }
        let place = format!("{place}: by {dimension}");
        let parts = asked(catalogue, release, request, &[*dimension], &request.filters).await;
        if metric.value.adds_up() {
            assert_eq!(added(&parts, |row| row.0), only(&total).0, "{place}");
            assert_eq!(added(&parts, |row| row.1), only(&total).1, "{place}");
        }
        for row in &parts.rows {
            let mut filters = request.filters.clone();
            filters.insert(dimension.name().to_owned(), row.members[0].code.clone());
            let alone = asked(catalogue, release, request, &[], &filters).await;
            let alone = &alone.rows[0];
            assert_eq!((alone.numerator, alone.denominator), (row.numerator, row.denominator), "{place}");
            assert_eq!((&alone.value, &alone.fields), (&row.value, &row.fields), "{place}");
        }
    }
    let numerator = shares(catalogue, release, request, Side::Numerator).await;
    let denominator = shares(catalogue, release, request, Side::Denominator).await;
    let gap = shares(catalogue, release, request, Side::Gap).await;
    let (of_numerator, of_denominator) = only(&total);
    assert_eq!(numerator, of_numerator, "{place}: shares of the numerator");
    assert_eq!(denominator, of_denominator, "{place}: shares of the denominator");
    let missing = if metric.value.has_denominator() { of_denominator - of_numerator } else { 0 };
    assert_eq!(gap, missing, "{place}: shares of the gap");
}

async fn asked(
    catalogue: &Catalogue,
    release: &Arc<Release>,
    request: &MetricRequest,
    by: &[Dimension],
    filters: &BTreeMap<String, String>,
) -> MetricAnswer {
    let by = by.iter().map(|dimension| dimension.name().to_owned()).collect();
    let request = MetricRequest { by, filters: filters.clone(), ..request.clone() };
    answer(catalogue, release, &request).await.unwrap()
}

/// Both sums in millionths.
fn only(answer: &MetricAnswer) -> (i128, i128) {
    assert_eq!(answer.rows.len(), 1);
    both(&answer.rows[0])
}

fn added(answer: &MetricAnswer, part: impl Fn((i128, i128)) -> i128) -> i128 {
    answer.rows.iter().map(|row| part(both(row))).sum()
}

fn both(row: &Row) -> (i128, i128) {
    (millionths(row.numerator), row.denominator.map_or(0, millionths))
}

fn millionths(quantity: Quantity) -> i128 {
    let (units, scale) = quantity.parts();
    units * 10_i128.pow(6 - u32::from(scale))
}

/// The sum of the shares over all pages of two rows, which must come in one total order.
async fn shares(catalogue: &Catalogue, release: &Arc<Release>, request: &MetricRequest, side: Side) -> i128 {
    let mut rows: Vec<EvidenceRow> = Vec::new();
    let mut cursor = None;
    loop {
        let page = evidence(catalogue, release, request, side, cursor, 2).await.unwrap();
        rows.extend(page.rows);
        cursor = page.next;
        if cursor.is_none() {
            break;
        }
    }
    let members = |row: &EvidenceRow| row.members.iter().map(|member| member.code.clone()).collect::<Vec<_>>();
    let places: Vec<_> = rows.iter().map(|row| (&row.dataset, &row.key, members(row))).collect();
    assert!(places.windows(2).all(|pair| pair[0] < pair[1]), "{places:?}");
    rows.iter().map(|row| millionths(row.share)).sum()
}
