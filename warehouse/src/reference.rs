//! The reference data shipped with the product: regions, sectors, seed rules, the calendar.
//!
//! It enters as a built-in first batch of the reporter `anze`; any feed may replace it, key by key.

/// Who answers for shipped rows.
pub const REPORTER: &str = "anze";

/// The shipped files as (dataset, CSV text in UTF-8 whose header names our columns).
pub fn files() -> &'static [(&'static str, &'static str)] {
    crate::embedded::REFERENCE
}
