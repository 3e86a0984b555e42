//! Small cells are blanked before they are published, and so is what would give them away.

use serde_json::{Map, Value};

/// A cell with a smaller denominator is not published.
const SMALLEST: f64 = 5.0;

/// Blanks the small cells among the rows of an answer.
///
/// The total is published too, so one blank alone could be computed from the rest: the next
/// smallest cell goes with it, until the blanks together are no small cell either. Rows of
/// different months are judged by themselves.
pub fn suppress_small_cells(rows: &mut [Map<String, Value>], dimensions: &[String]) {
    let mut months: Vec<Option<String>> = rows.iter().map(month).collect();
    months.sort_unstable();
    months.dedup();
    for of in months {
        let mut cells: Vec<&mut Map<String, Value>> = rows.iter_mut().filter(|row| month(row) == of).collect();
        cells.sort_by(|one, other| denominator(one).total_cmp(&denominator(other)));
        let divided = cells.len() > 1;
        let mut blanked = 0.0;
        let mut count = 0_usize;
        for cell in cells {
            let size = denominator(cell);
            let gives_away = divided && count > 0 && (count < 2 || blanked < SMALLEST);
            if size < SMALLEST || gives_away {
                blanked += size;
                count += 1;
                blank(cell, dimensions);
            }
        }
    }
}

fn month(row: &Map<String, Value>) -> Option<String> {
    row.get("month").and_then(Value::as_str).map(str::to_owned)
}

/// The denominator of a row; one that cannot be read counts as small.
fn denominator(row: &Map<String, Value>) -> f64 {
    match row.get("denominator") {
        Some(Value::Number(number)) => number.as_f64().unwrap_or(0.0),
        Some(Value::String(text)) => text.parse().unwrap_or(0.0),
        _ => 0.0,
    }
}

fn blank(row: &mut Map<String, Value>, dimensions: &[String]) {
    for (name, value) in row.iter_mut() {
        let kept =
            dimensions.iter().any(|dimension| name == dimension || name.strip_suffix("_name") == Some(dimension));
        if !kept {
            *value = Value::Null;
        }
    }
    row.insert("suppressed".to_owned(), Value::Bool(true));
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn published(denominators: &[i64]) -> Vec<bool> {
        let mut rows: Vec<Map<String, Value>> = denominators
            .iter()
            .enumerate()
            .map(|(city, size)| {
                let row = json!({"city": city.to_string(), "city_name": "x", "numerator": 1, "denominator": size, "value": 0.5, "p90": 3});
                row.as_object().unwrap().clone()
            })
            .collect();
        suppress_small_cells(&mut rows, &["city".to_owned()]);
        rows.iter().map(|row| !row.contains_key("suppressed")).collect()
    }

    #[test]
    fn large_cells_stay() {
        assert_eq!(published(&[5, 6, 700]), [true, true, true]);
        assert_eq!(published(&[]), [true; 0]);
    }

    #[test]
    fn one_small_cell_takes_the_next_smallest_with_it() {
        assert_eq!(published(&[900, 4, 30, 20]), [true, false, true, false]);
    }

    #[test]
    fn several_small_cells_hide_each_other_only_if_they_are_many() {
        assert_eq!(published(&[4, 4, 30, 20]), [false, false, true, true]);
        assert_eq!(published(&[1, 1, 30, 20]), [false, false, true, false]);
    }

    #[test]
    fn a_small_total_is_blanked_alone() {
        assert_eq!(published(&[3]), [false]);
        assert_eq!(published(&[0]), [false]);
    }

    #[test]
    fn nothing_but_the_names_is_left_of_a_blanked_cell() {
        let row = json!({"city": "330100", "city_name": "杭州市", "month": "2026-01", "numerator": 1, "denominator": 2, "value": 0.5, "p90": 3, "provisional": true});
        let mut rows = vec![row.as_object().unwrap().clone()];
        suppress_small_cells(&mut rows, &["city".to_owned(), "month".to_owned()]);
        let left = json!({"city": "330100", "city_name": "杭州市", "month": "2026-01", "numerator": null, "denominator": null, "value": null, "p90": null, "provisional": null, "suppressed": true});
        assert_eq!(Value::Object(rows.remove(0)), left);
    }

    #[test]
    fn each_month_is_judged_by_itself() {
        let cell = |month: &str, size: i64| json!({"month": month, "denominator": size}).as_object().unwrap().clone();
        let mut rows = vec![cell("2026-01", 3), cell("2026-02", 50), cell("2026-03", 60)];
        suppress_small_cells(&mut rows, &["month".to_owned()]);
        let blanked: Vec<bool> = rows.iter().map(|row| row.contains_key("suppressed")).collect();
        assert_eq!(blanked, [true, false, false]);
    }
}
