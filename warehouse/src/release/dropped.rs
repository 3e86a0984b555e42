//! Releases that are no longer kept: their manifests stay, so that numbers and days are known for ever,
//! but files that only they named may be gone.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::error::{Error, ErrorKind, Result};
use crate::store::Store;

const PATH: &str = "releases/dropped.json";

/// The numbers of the releases that are no longer kept.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Dropped(BTreeSet<u64>);

/// As it is written: runs of numbers, first and last, for years of them stay a few lines.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    dropped: Vec<(u64, u64)>,
}

impl Dropped {
    /// From numbers.
    pub(crate) fn of(numbers: impl IntoIterator<Item = u64>) -> Self {
        Self(numbers.into_iter().collect())
    }

    /// Whether a release is no longer kept.
    pub fn contains(&self, release: u64) -> bool {
        self.0.contains(&release)
    }

    /// Their numbers, in order.
    pub fn numbers(&self) -> impl Iterator<Item = u64> {
        self.0.iter().copied()
    }

    /// Reads which releases are no longer kept; none where none ever was dropped.
    pub(crate) async fn read(store: &Store) -> Result<Self> {
        let Some(bytes) = store.read(PATH).await? else { return Ok(Self::default()) };
        let written: Written = serde_json::from_slice(&bytes)
            .map_err(|error| Error::caused(ErrorKind::Corrupt, format!("{PATH} is damaged"), error))?;
        Ok(Self(written.dropped.into_iter().flat_map(|(first, last)| first..=last).collect()))
    }

    /// Writes them in one step: from then on they are answered no more.
    pub(crate) async fn write(&self, store: &Store) -> Result<()> {
        let mut dropped: Vec<(u64, u64)> = Vec::new();
        for number in self.numbers() {
            match dropped.last_mut() {
                Some((_, last)) if *last + 1 == number => *last = number,
                _ => dropped.push((number, number)),
            }
        }
        store.replace(PATH, serde_json::to_vec(&Written { dropped })?).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn runs_of_numbers_are_written_by_their_ends() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::folder(folder.path()).unwrap();
        assert_eq!(Dropped::read(&store).await.unwrap(), Dropped::default());
        let dropped = Dropped::of([1, 2, 3, 5, 7, 8]);
        dropped.write(&store).await.unwrap();
        let text = std::fs::read_to_string(folder.path().join(PATH)).unwrap();
        assert_eq!(text, r#"{"dropped":[[1,3],[5,5],[7,8]]}"#);
        assert_eq!(Dropped::read(&store).await.unwrap(), dropped);
        assert!(dropped.contains(2) && !dropped.contains(4));
    }
}
