//! The files of metrics: those inside the binary and those of a deployment.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::Metric;
use super::declaration::{Source, metric};
use crate::embedded;
use crate::error::{Error, Result};
use crate::own_files::own_files;

const SQL: &str = ".sql";
const TOML: &str = ".toml";
const TEST: &str = ".test.toml";

/// The built-in metrics: three files each.
pub(super) fn builtin() -> Result<Vec<Metric>> {
    read("metrics", embedded::METRICS.iter().copied(), &[SQL, TOML, TEST])
}

/// The metrics of a deployment's folder: two files each, a test where there is one.
pub(super) fn own(folder: &Path) -> Result<Vec<Metric>> {
    let texts = own_files(folder, &[SQL, TOML])?;
    let files = texts.iter().map(|(name, text)| (name.as_str(), text.as_str()));
    read(&folder.display().to_string(), files, &[SQL, TOML])
}

fn read<'a>(folder: &str, files: impl Iterator<Item = (&'a str, &'a str)>, needed: &[&str]) -> Result<Vec<Metric>> {
    let files: BTreeMap<&str, &str> = files.collect();
    let ids: BTreeSet<&str> = files.keys().filter_map(|name| id(name)).collect();
    let read: Vec<Result<Metric>> = ids
        .into_iter()
        .map(|id| {
            let missing: Vec<String> = needed
                .iter()
                .map(|ending| format!("{id}{ending}"))
                .filter(|file| !files.contains_key(file.as_str()))
                .collect();
            let text = |ending: &str| files.get(format!("{id}{ending}").as_str()).copied();
            match (text(SQL), text(TOML)) {
                (Some(sql), Some(toml)) if missing.is_empty() => metric(Source {
                    id,
                    toml_file: format!("{folder}/{id}{TOML}"),
                    toml,
                    sql_file: format!("{folder}/{id}{SQL}"),
                    sql,
                }),
                _ => {
                    let there = needed.join(", ");
                    let message = format!("{folder}: the metric {id} lacks {}", missing.join(", "));
                    Err(Error::catalogue(format!("{message}; it needs {id} with {there}")))
                }
            }
        })
        .collect();
    all_or_every_fault(read)
}

/// All of them, or one error with the fault of each that is wrong.
pub(super) fn all_or_every_fault<T>(read: Vec<Result<T>>) -> Result<Vec<T>> {
    let (mut sound, mut faults) = (Vec::new(), Vec::new());
    for one in read {
        match one {
            Ok(one) => sound.push(one),
            Err(error) => faults.push(error.to_string()),
        }
    }
    if faults.is_empty() { Ok(sound) } else { Err(Error::catalogue(faults.join("\n"))) }
}

/// The id that a file belongs to.
fn id(name: &str) -> Option<&str> {
    [TEST, TOML, SQL].iter().find_map(|ending| name.strip_suffix(ending)).filter(|id| !id.is_empty())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_built_in_metric_without_its_test_is_refused_by_the_name_of_the_file() {
        let files = [("rate.sql", "select 1"), ("rate.toml", "")];
        let error = read("metrics", files.into_iter(), &[SQL, TOML, TEST]).unwrap_err();
        assert!(error.to_string().contains("the metric rate lacks rate.test.toml"), "{error}");
    }

    #[test]
    fn a_deployments_metric_needs_two_files_and_its_folder_may_be_missing() {
        let folder = tempfile::tempdir().unwrap();
        assert!(own(&folder.path().join("metrics")).unwrap().is_empty());
        fs::write(folder.path().join("mine.toml"), "").unwrap();
        let error = own(folder.path()).unwrap_err();
        assert!(error.to_string().contains("the metric mine lacks mine.sql"), "{error}");
    }

    #[test]
    fn every_built_in_metric_loads() {
        let ids: Vec<String> = builtin().unwrap().into_iter().map(|metric| metric.id).collect();
        assert!(ids.contains(&"coverage_rate".to_owned()), "{ids:?}");
    }
}
