//! Which release is asked: the newest, one by number, or the one known at an instant.

use std::str::FromStr;

use chrono::{DateTime, Days, NaiveDate, NaiveTime, TimeZone, Utc};

/// The release a question is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ReleaseChoice {
    #[default]
    Latest,
    Number(u64),
    /// The newest one published at or before this instant.
    KnownAt(KnownAt),
}

impl ReleaseChoice {
    /// From the two ways to say it; both at once is a contradiction.
    pub fn of(number: Option<u64>, known_at: Option<KnownAt>) -> Result<Self, String> {
        match (number, known_at) {
            (None, None) => Ok(Self::Latest),
            (Some(0), _) => Err("releases are numbered from 1".to_owned()),
            (Some(number), None) => Ok(Self::Number(number)),
            (None, Some(known_at)) => Ok(Self::KnownAt(known_at)),
            (Some(_), Some(_)) => Err("give either release or known_at, not both".to_owned()),
        }
    }
}

/// An instant, written in RFC 3339 or as a day, which means the end of that day in Shanghai.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KnownAt(pub DateTime<Utc>);

impl FromStr for KnownAt {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let end_of_day = |day: NaiveDate| {
            let next = day.checked_add_days(Days::new(1))?.and_time(NaiveTime::MIN);
            let next = chrono_tz::Asia::Shanghai.from_local_datetime(&next).earliest()?;
            Some(next.to_utc() - chrono::TimeDelta::microseconds(1))
        };
        let instant = DateTime::parse_from_rfc3339(text).map(|at| at.to_utc()).ok();
        instant
            .or_else(|| text.parse().ok().and_then(end_of_day))
            .map(Self)
            .ok_or_else(|| format!("`{text}` is no instant; examples are 2026-06-30T08:00:00+08:00 and 2026-06-30"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_means_its_end_in_shanghai() {
        let known_at: KnownAt = "2026-06-30".parse().unwrap();
        assert_eq!(known_at.0.to_rfc3339(), "2026-06-30T15:59:59.999999+00:00");
        let known_at: KnownAt = "2026-06-30T08:00:00+08:00".parse().unwrap();
        assert_eq!(known_at.0.to_rfc3339(), "2026-06-30T00:00:00+00:00");
        assert!("yesterday".parse::<KnownAt>().is_err());
    }

    #[test]
    fn two_ways_at_once_are_a_contradiction() {
        let known_at = "2026-06-30".parse().unwrap();
        assert!(ReleaseChoice::of(Some(3), Some(known_at)).is_err());
        assert!(ReleaseChoice::of(Some(0), None).is_err());
        assert_eq!(ReleaseChoice::of(None, None), Ok(ReleaseChoice::Latest));
    }
}
