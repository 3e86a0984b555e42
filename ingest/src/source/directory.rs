//! A folder of files: whole files, by name in byte order; nothing is moved or deleted.

use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use serde::Deserialize;

use super::{Fetched, Request, Source};
use crate::error::{Error, ErrorKind, Result};
use crate::landing::Landing;
use crate::span::Span;

/// `[source] kind = "directory"`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DirectoryConfig {
    /// The folder, relative to the deployment.
    pub path: PathBuf,
    /// Names taken: `*` and `?` as in a shell.
    #[serde(default = "any_csv")]
    pub pattern: String,
    /// How long a file must not have changed; files are best renamed into place.
    #[serde(default = "at_once")]
    pub stable_for: Span,
}

pub(super) fn any_csv() -> String {
    "*.csv".to_owned()
}

pub(super) fn at_once() -> Span {
    Span(Duration::ZERO)
}

impl DirectoryConfig {
    pub(super) fn fault(&self) -> Option<String> {
        self.pattern.contains('/').then(|| "source.pattern: is a file name, without folders".to_owned())
    }
}

#[async_trait]
impl Source for DirectoryConfig {
    async fn fetch(&self, request: &Request, into: &Landing) -> Result<Vec<Fetched>> {
        let folder = request.deployment.join(&self.path);
        let entries = std::fs::read_dir(&folder).map_err(|error| {
            Error::caused(ErrorKind::Source, format!("the folder {} cannot be read", self.path.display()), error)
        })?;
        let mut names = Vec::new();
        for entry in entries {
            let entry = entry?;
            let (name, meta) = (entry.file_name(), entry.metadata()?);
            let Some(name) = name.to_str() else { continue };
            if meta.is_file() && matches(&self.pattern, name) && self.is_stable(&meta) {
                names.push(name.to_owned());
            }
        }
        names.sort();
        let mut fetched = Vec::with_capacity(names.len());
        for name in names {
            let bytes = into.copy(&folder.join(&name)).await?;
            fetched.push(Fetched { object: self.path.join(&name).to_string_lossy().into_owned(), bytes });
        }
        Ok(fetched)
    }
}

impl DirectoryConfig {
    fn is_stable(&self, meta: &std::fs::Metadata) -> bool {
        if self.stable_for.0.is_zero() {
            return true;
        }
        let age = meta.modified().ok().and_then(|changed| SystemTime::now().duration_since(changed).ok());
        age.is_some_and(|age| age >= self.stable_for.0)
    }
}

/// Whether a name matches a shell pattern of `*` and `?`.
pub(super) fn matches(pattern: &str, name: &str) -> bool {
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
}
