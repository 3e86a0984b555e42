//! Spans of time as configuration writes them: `10s`, `10m`, `2h`, `7d`.

use std::time::Duration;

use serde::Deserialize;

/// A span read from `10s`, `500ms`, `10m`, `2h` or `7d`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(try_from = "String")]
pub struct Span(pub Duration);

impl TryFrom<String> for Span {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let fault = || format!("`{text}` is no span of time; write for example 10s, 10m, 2h or 7d");
        let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
        let (number, unit) = text.split_at(digits);
        let number: u64 = number.parse().map_err(|_| fault())?;
        let millis: u64 = match unit {
            "ms" => 1,
            "s" => 1_000,
            "m" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            _ => return Err(fault()),
        };
        number.checked_mul(millis).map(|total| Self(Duration::from_millis(total))).ok_or_else(fault)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_read_as_they_are_written_and_others_are_refused() {
        assert_eq!(Span::try_from("10m".to_owned()), Ok(Span(Duration::from_secs(600))));
        assert_eq!(Span::try_from("7d".to_owned()), Ok(Span(Duration::from_secs(604_800))));
        for wrong in ["", "10", "m", "1.5h", "10 m", "-3s"] {
            assert!(Span::try_from(wrong.to_owned()).is_err(), "{wrong}");
        }
    }
}
