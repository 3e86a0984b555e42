//! What is printed and sent: Arrow batches and answers as tables, JSON and CSV.
//!
//! One set of rules for the command line and HTTP: counts are numbers, money is decimal strings,
//! ratios are numbers or null, dates `YYYY-MM-DD`, instants RFC 3339 with +08:00.

pub mod base64;
pub mod cell;
pub mod csv;
pub mod json;
mod report;
pub mod table;
mod terminal;

pub use report::{Report, flat, shown};
pub use terminal::{Format, Terminal};

use chrono::{DateTime, FixedOffset, Offset, SecondsFormat, TimeZone, Utc};

/// An instant as every answer shows it: `2026-06-30T02:30:00+08:00`.
pub fn instant(at: DateTime<Utc>) -> String {
    let local = chrono_tz::Asia::Shanghai.from_utc_datetime(&at.naive_utc());
    let fixed: DateTime<FixedOffset> = local.with_timezone(&local.offset().fix());
    fixed.to_rfc3339_opts(SecondsFormat::AutoSi, false)
}

#[cfg(test)]
mod tests {
    #[test]
    fn instants_are_shown_in_shanghai() {
        let show = |text: &str| super::instant(text.parse().unwrap());
        assert_eq!(show("2026-06-29T18:30:00Z"), "2026-06-30T02:30:00+08:00");
        assert_eq!(show("2026-06-29T18:30:00.5Z"), "2026-06-30T02:30:00.500+08:00");
    }
}
