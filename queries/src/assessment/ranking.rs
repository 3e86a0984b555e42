//! Totals as they are shown, ranks and grades.

use super::exact::Exact;
use super::scheme::{BELOW, Grade};

/// Digits after the point of points and totals.
pub(crate) const DIGITS: u32 = 4;

/// The rank of each total, as shown: equal ones share a rank and the next is skipped (1, 1, 3); what has no
/// total has no rank.
pub(crate) fn ranks(totals: &[Option<Exact>]) -> Vec<Option<u32>> {
    let rank = |total: &Exact| {
        let better = totals.iter().flatten().filter(|other| *other > total).count();
        u32::try_from(better + 1).unwrap_or(u32::MAX)
    };
    totals.iter().map(|total| total.as_ref().map(rank)).collect()
}

/// The grade of a total; the grades stand the best first.
pub(crate) fn grade<'g>(grades: &'g [Grade], total: &Exact) -> &'g str {
    grades.iter().find(|grade| *total >= grade.from).map_or(BELOW, |grade| grade.name.as_str())
}

/// A grade held down to a cap: the worse of the two.
pub(crate) fn capped<'g>(grades: &'g [Grade], grade: &'g str, cap: &'g str) -> &'g str {
    let place = |name: &str| grades.iter().position(|grade| grade.name == name).unwrap_or(grades.len());
    if place(cap) > place(grade) { cap } else { grade }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn exact(text: &str) -> Exact {
        Exact::parse(text).unwrap()
    }

    fn grades() -> Vec<Grade> {
        let grade = |name: &str, from: &str| Grade { name: name.to_owned(), from: exact(from) };
        vec![grade("优秀", "90"), grade("良好", "80"), grade("合格", "60")]
    }

    #[test]
    fn equal_totals_share_a_rank_and_the_next_is_skipped() {
        let totals = ["80", "91.5", "91.5", "", "79.9999"].map(Exact::parse);
        assert_eq!(ranks(&totals), [Some(3), Some(1), Some(1), None, Some(4)]);
    }

    #[test]
    fn a_grade_begins_with_its_points() {
        for (total, expected) in [
            ("100", "优秀"),
            ("90", "优秀"),
            ("89.9999", "良好"),
            ("60", "合格"),
            ("59.9999", "不合格"),
            ("0", "不合格"),
        ] {
            assert_eq!(grade(&grades(), &exact(total)), expected, "{total}");
        }
    }

    #[test]
    fn a_cap_lowers_and_never_raises() {
        assert_eq!(capped(&grades(), "优秀", "合格"), "合格");
        assert_eq!(capped(&grades(), "不合格", "合格"), "不合格");
        assert_eq!(capped(&grades(), "合格", "不合格"), "不合格");
        assert_eq!(capped(&grades(), "良好", "良好"), "良好");
    }

    proptest! {
        #[test]
        fn ranks_count_those_before_whatever_the_order(totals in proptest::collection::vec(proptest::option::of(0_i64..5), 0..12)) {
            let exacts: Vec<_> = totals.iter().map(|total| total.map(Exact::whole)).collect();
            let given = ranks(&exacts);
            let reversed: Vec<_> = ranks(&exacts.iter().rev().cloned().collect::<Vec<_>>()).into_iter().rev().collect();
            prop_assert_eq!(&given, &reversed);
            // Sorted by rank, the k-th has rank k, or that of its equal before it.
            let mut sorted: Vec<_> = totals.iter().zip(&given).filter_map(|(total, rank)| Some(((*rank)?, (*total)?))).collect();
            sorted.sort_by_key(|(rank, total)| (*rank, std::cmp::Reverse(*total)));
            for (place, (rank, total)) in sorted.iter().enumerate() {
                let first = sorted.iter().position(|(_, other)| other == total).unwrap();
                prop_assert_eq!(*rank as usize, first + 1, "place {}", place);
            }
        }
    }
}
