//! Which of the names in a folder, bucket or server a source takes.

use serde::Deserialize;

use crate::decode::{Compression, FormatKind};

/// The names taken.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(from = "String")]
pub enum Names {
    /// Those that match a pattern: `*` and `?` as in a shell.
    Matching(String),
    /// Where a feed has no pattern: names with one of these endings, in small letters or capitals,
    /// without those that are hidden or mark a workbook as open.
    Ending(Vec<String>),
}

impl From<String> for Names {
    fn from(pattern: String) -> Self {
        Self::Matching(pattern)
    }
}

impl Names {
    /// What files of a format are called, also packed ones: `.csv`, `.csv.gz` and so on.
    pub fn of_format(kind: FormatKind, compression: Compression) -> Self {
        let of_kind: &[&str] = match kind {
            FormatKind::Csv => &["csv"],
            FormatKind::Ndjson => &["ndjson", "jsonl"],
            FormatKind::Json => &["json"],
            FormatKind::Xlsx => &["xlsx", "xlsm", "xlsb", "xls"],
            FormatKind::Parquet => &["parquet"],
        };
        let alone = |ending: &str| vec![format!(".{ending}")];
        let within = |packed: &str| of_kind.iter().map(|ending| format!(".{ending}.{packed}")).collect();
        let endings = match compression {
            // What is inside need not be named outside where the feed says that it is packed.
            Compression::Gzip => alone("gz"),
            Compression::Zip => alone("zip"),
            Compression::Zstd => alone("zst"),
            Compression::None => of_kind.iter().map(|ending| format!(".{ending}")).collect(),
            Compression::Auto => {
                let plain = of_kind.iter().map(|ending| format!(".{ending}")).collect::<Vec<_>>();
                [plain, within("gz"), within("zip"), within("zst")].concat()
            }
        };
        Self::Ending(endings)
    }

    /// Whether a name is one of them.
    pub fn take(&self, name: &str) -> bool {
        match self {
            Self::Matching(pattern) => matches(pattern, name),
            Self::Ending(endings) => {
                let name = name.to_ascii_lowercase();
                let is_set_aside = name.starts_with('.') || name.starts_with("~$");
                !is_set_aside && endings.iter().any(|ending| name.ends_with(ending.as_str()))
            }
        }
    }

    /// What is wrong with them, if anything.
    pub(super) fn fault(&self) -> Option<String> {
        match self {
            Self::Matching(pattern) if pattern.contains('/') => {
                Some("source.pattern: is a name, without folders".to_owned())
            }
            _ => None,
        }
    }
}

impl std::fmt::Display for Names {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Matching(pattern) => f.write_str(pattern),
            Self::Ending(endings) => {
                f.write_str(&endings.iter().map(|ending| format!("*{ending}")).collect::<Vec<_>>().join(" "))
            }
        }
    }
}

/// Whether a name matches a shell pattern of `*` and `?`.
fn matches(pattern: &str, name: &str) -> bool {
    let (pattern, name): (Vec<char>, Vec<char>) = (pattern.chars().collect(), name.chars().collect());
    let (mut p, mut n, mut star) = (0, 0, None);
    while n < name.len() {
        if p < pattern.len() && (pattern[p] == '?' || pattern[p] == name[n]) && pattern[p] != '*' {
            (p, n) = (p + 1, n + 1);
        } else if p < pattern.len() && pattern[p] == '*' {
            star = Some((p, n));
            p += 1;
        } else if let Some((star_p, star_n)) = star {
            (p, n) = (star_p + 1, star_n + 1);
            star = Some((star_p, star_n + 1));
        } else {
            return false;
        }
    }
    pattern[p..].iter().all(|c| *c == '*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_as_in_a_shell() {
        assert!(matches("*.csv", "保单.csv"));
        assert!(matches("policy-????.csv", "policy-2026.csv"));
        assert!(matches("*a*b", "xxaxxb"));
        assert!(!matches("*.csv", "policy.csv.part"));
        assert!(!matches("?.csv", ".csv"));
    }

    #[test]
    fn without_a_pattern_the_names_follow_the_format_and_its_packing() {
        let takes = |kind, compression, name| Names::of_format(kind, compression).take(name);
        use Compression::{Auto, Gzip, None};
        for name in ["保单.csv", "P.CSV", "p.csv.gz", "p.csv.zip", "p.csv.zst"] {
            assert!(takes(FormatKind::Csv, Auto, name), "{name}");
        }
        for name in ["p.xlsx", ".p.csv", "p.csv.part", "csv", "p.zip"] {
            assert!(!takes(FormatKind::Csv, Auto, name), "{name}");
        }
        assert!(takes(FormatKind::Xlsx, Auto, "台账.xls") && takes(FormatKind::Xlsx, Auto, "a.xlsb"));
        assert!(!takes(FormatKind::Xlsx, Auto, "~$台账.xlsx"), "the mark of a workbook that is open");
        assert!(takes(FormatKind::Ndjson, Auto, "a.jsonl") && takes(FormatKind::Json, Auto, "a.json"));
        assert!(takes(FormatKind::Parquet, Auto, "a.parquet") && !takes(FormatKind::Parquet, Auto, "a.csv"));
        assert!(takes(FormatKind::Csv, Gzip, "a.gz") && !takes(FormatKind::Csv, None, "a.csv.gz"));
    }
}
