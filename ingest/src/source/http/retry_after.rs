//! `Retry-After`: how long a source asks us to wait, in seconds or until a moment (RFC 9110, 10.2.3).

use std::time::Duration;

use chrono::{DateTime, NaiveDateTime, Utc};
use reqwest::header::{DATE, HeaderMap, HeaderName, RETRY_AFTER};

/// The wait that an answer asks for. A moment counts from the answer's own `Date`, so that it does
/// not matter how our clock differs from theirs; without one it asks for nothing.
pub(super) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim);
    let asked = text(RETRY_AFTER)?;
    if let Ok(seconds) = asked.parse::<u64>() {
        return Some(Duration::from_secs(seconds));
    }
    let (until, now) = (moment(asked)?, moment(text(DATE)?)?);
    Some((until - now).to_std().unwrap_or_default())
}

/// A moment in one of the three forms that recipients must read (RFC 9110, 5.6.7).
fn moment(text: &str) -> Option<DateTime<Utc>> {
    let preferred = DateTime::parse_from_rfc2822(text).ok().map(|at| at.to_utc());
    preferred.or_else(|| {
        let obsolete = ["%A, %d-%b-%y %H:%M:%S GMT", "%a %b %e %H:%M:%S %Y"];
        obsolete.iter().find_map(|form| NaiveDateTime::parse_from_str(text, form).ok()).map(|at| at.and_utc())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(pairs: &[(&'static str, &'static str)]) -> Option<Duration> {
        retry_after(&pairs.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect())
    }

    #[test]
    fn a_wait_is_read_in_seconds_and_as_a_moment_in_every_form() {
        assert_eq!(asked(&[("retry-after", "120")]), Some(Duration::from_secs(120)));
        for until in ["Sun, 06 Nov 1994 08:51:37 GMT", "Sunday, 06-Nov-94 08:51:37 GMT", "Sun Nov  6 08:51:37 1994"] {
            let headers = [("date", "Sun, 06 Nov 1994 08:49:37 GMT"), ("retry-after", until)];
            assert_eq!(asked(&headers), Some(Duration::from_secs(120)), "{until}");
        }
    }

    #[test]
    fn a_moment_that_has_passed_asks_for_no_wait_and_one_without_a_date_for_nothing() {
        let passed = [("date", "Sun, 06 Nov 1994 08:49:37 GMT"), ("retry-after", "Sun, 06 Nov 1994 08:00:00 GMT")];
        assert_eq!(asked(&passed), Some(Duration::ZERO));
        assert_eq!(asked(&[("retry-after", "Sun, 06 Nov 1994 08:51:37 GMT")]), None);
        assert_eq!(asked(&[("retry-after", "soon")]), None);
        assert_eq!(asked(&[]), None);
    }
}
