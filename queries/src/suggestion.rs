//! "Did you mean": the nearest of the names that exist.

/// `; did you mean `city`?`, or nothing where no name is near.
pub(crate) fn did_you_mean<S: AsRef<str>>(asked: &str, names: impl IntoIterator<Item = S>) -> String {
    let nearest = names
        .into_iter()
        .map(|name| (strangeness(asked, name.as_ref()), name))
        .min_by(|(a, left), (b, right)| a.cmp(b).then_with(|| left.as_ref().cmp(right.as_ref())));
    match nearest {
        Some((edits, name)) if edits <= 2.max(asked.chars().count() / 3) => {
            format!("; did you mean `{}`?", name.as_ref())
        }
        _ => String::new(),
    }
}

/// How far a name is from what was asked; a name that contains it is near.
fn strangeness(asked: &str, name: &str) -> usize {
    let edits = distance(asked, name);
    if asked.chars().count() >= 3 && name.contains(asked) { edits.min(2) } else { edits }
}

/// Number of single-character edits between two names.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, left) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, right) in b.iter().enumerate() {
            let substituted = diagonal + usize::from(left != *right);
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_near_name_is_offered_and_a_far_one_is_not() {
        assert_eq!(did_you_mean("secter", ["city", "sector"]), "; did you mean `sector`?");
        assert_eq!(did_you_mean("coverage", ["coverage_rate"]), "; did you mean `coverage_rate`?");
        assert_eq!(did_you_mean("zzz", ["city"]), "");
        assert_eq!(distance("kitten", "sitting"), 3);
    }
}
