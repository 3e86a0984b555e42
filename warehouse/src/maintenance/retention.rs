//! Which releases are kept: all of the last 30 days, the last one of every month for ever, those that
//! assessments need, and the newest.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Datelike, TimeDelta, Utc};

use crate::release::Manifest;

/// For so many days every release is kept.
pub const KEPT_DAYS: i64 = 30;

/// Whether a release is kept for its age alone.
pub(super) fn is_young(manifest: &Manifest, at: DateTime<Utc>) -> bool {
    manifest.published_at > at - TimeDelta::days(KEPT_DAYS)
}

/// The numbers of the releases that are kept at an instant. Months go by the observation day.
pub(super) fn kept(manifests: &[Manifest], pinned: &BTreeSet<u64>, at: DateTime<Utc>) -> BTreeSet<u64> {
    let mut month_ends: BTreeMap<(i32, u32), u64> = BTreeMap::new();
    for manifest in manifests {
        let last = month_ends.entry((manifest.day.year(), manifest.day.month())).or_default();
        *last = (*last).max(manifest.release);
    }
    let young = manifests.iter().filter(|manifest| is_young(manifest, at)).map(|manifest| manifest.release);
    let newest = manifests.iter().map(|manifest| manifest.release).max();
    let known = |number: &&u64| manifests.iter().any(|manifest| manifest.release == **number);
    young.chain(newest).chain(month_ends.into_values()).chain(pinned.iter().filter(known).copied()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifests(days: &[&str]) -> Vec<Manifest> {
        let manifest = |(number, day): (usize, &&str)| Manifest {
            release: number as u64 + 1,
            published_at: format!("{day}T02:00:00Z").parse().unwrap(),
            ..Manifest::first(day.parse().unwrap())
        };
        days.iter().enumerate().map(manifest).collect()
    }

    fn kept_at(days: &[&str], pinned: &[u64], at: &str) -> Vec<u64> {
        kept(&manifests(days), &pinned.iter().copied().collect(), at.parse().unwrap()).into_iter().collect()
    }

    #[test]
    fn month_ends_are_kept_for_ever_and_everything_for_thirty_days() {
        let days = ["2024-01-30", "2024-01-31", "2024-02-01", "2024-02-29", "2025-06-01", "2025-06-02", "2025-06-15"];
        // Of June the newest is its last so far; by the 1st of July the 1st of June is 30 days old, to the instant.
        assert_eq!(kept_at(&days, &[], "2025-06-20T00:00:00Z"), [2, 4, 5, 6, 7]);
        assert_eq!(kept_at(&days, &[], "2025-07-01T02:00:00Z"), [2, 4, 6, 7]);
        assert_eq!(kept_at(&days, &[], "2030-01-01T00:00:00Z"), [2, 4, 7]);
    }

    #[test]
    fn what_an_assessment_needs_is_kept_and_what_never_was_is_not_made_up() {
        let days = ["2024-01-30", "2024-01-31", "2024-02-01", "2024-02-29"];
        assert_eq!(kept_at(&days, &[3, 9], "2030-01-01T00:00:00Z"), [2, 3, 4]);
    }

    #[test]
    fn several_releases_of_the_last_day_of_a_month_leave_the_last_of_them() {
        let days = ["2024-01-31", "2024-01-31", "2024-02-29"];
        assert_eq!(kept_at(&days, &[], "2030-01-01T00:00:00Z"), [2, 3]);
        assert_eq!(kept_at(&[], &[], "2030-01-01T00:00:00Z"), Vec::<u64>::new());
    }
}
