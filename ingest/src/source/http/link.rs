//! The `Link` header (RFC 8288), as far as the next page is concerned.

/// The target of the first link whose relation is `next`, in all values of the header.
pub(super) fn next_link(values: &[String]) -> Option<String> {
    values.iter().find_map(|value| in_value(value))
}

fn in_value(mut rest: &str) -> Option<String> {
    loop {
        let start = rest.find('<')?;
        let end = start + rest[start..].find('>')?;
        let target = &rest[start + 1..end];
        let (parameters, after) = parameters(&rest[end + 1..]);
        if is_next(&parameters) {
            return Some(target.to_owned());
        }
        rest = after;
    }
}

/// The parameters of a link as names and values, and what follows after its comma.
fn parameters(text: &str) -> (Vec<(String, String)>, &str) {
    let mut parts = vec![String::new()];
    let (mut is_quoted, mut is_escaped) = (false, false);
    let mut after = "";
    for (at, letter) in text.char_indices() {
        match letter {
            _ if is_escaped => is_escaped = false,
            '\\' if is_quoted => {
                is_escaped = true;
                continue;
            }
            '"' => {
                is_quoted = !is_quoted;
                continue;
            }
            ';' if !is_quoted => {
                parts.push(String::new());
                continue;
            }
            ',' if !is_quoted => {
                after = &text[at + 1..];
                break;
            }
            _ => {}
        }
        if let Some(part) = parts.last_mut() {
            part.push(letter);
        }
    }
    let named = parts.iter().filter_map(|part| {
        let (name, value) = part.split_once('=')?;
        Some((name.trim().to_ascii_lowercase(), value.trim().to_owned()))
    });
    (named.collect(), after)
}

/// Only the first `rel` counts (RFC 8288, 3.3); it may name several relations.
fn is_next(parameters: &[(String, String)]) -> bool {
    let relations = parameters.iter().find(|(name, _)| name == "rel").map(|(_, value)| value.as_str());
    relations.is_some_and(|names| names.split_ascii_whitespace().any(|name| name.eq_ignore_ascii_case("next")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn next(values: &[&str]) -> Option<String> {
        next_link(&values.iter().map(|value| (*value).to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn the_next_page_is_found_among_the_other_links() {
        for values in [
            &["</p?page=2>; rel=\"next\""][..],
            &["</p?page=2>;rel=next"],
            &["</p?page=1>; rel=\"prev\", </p?page=2>; title=\"a, \\\"b\\\"; rel=prev\"; rel=\"last NEXT\""],
            &["</p?page=1>; rel=prev", "</p?page=2>; Rel=\"next\""],
        ] {
            assert_eq!(next(values).as_deref(), Some("/p?page=2"), "{values:?}");
        }
    }

    #[test]
    fn without_a_link_to_the_next_page_there_is_none() {
        for values in
            [&[][..], &["</p>; rel=prev"], &["</p>; rel=prev; rel=next"], &["</p; rel=next"], &["</p>; rel=nextish"]]
        {
            assert_eq!(next(values), None, "{values:?}");
        }
    }
}
