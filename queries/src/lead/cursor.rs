//! Where a page of leads ended: opaque to the caller, and good for one question on one release only.

use chrono::NaiveDate;

use crate::error::{Error, Result};

/// The last lead of a page, by the order of pages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Cursor {
    pub(super) since: NaiveDate,
    pub(super) lead_id: String,
}

impl Cursor {
    pub(super) fn write(&self, release: u64, question: u64) -> String {
        format!("{release}.{question:016x}.{}.{}", self.since.format("%Y%m%d"), self.lead_id)
    }

    pub(super) fn read(text: &str, release: u64, question: u64) -> Result<Self> {
        let damaged = || Error::question("the cursor is damaged; start from the first page");
        let parts: Vec<&str> = text.split('.').collect();
        let [of_release, of_question, since, lead_id] = parts.as_slice() else { return Err(damaged()) };
        let since = NaiveDate::parse_from_str(since, "%Y%m%d").map_err(|_| damaged())?;
        if of_release.parse() != Ok(release) {
            return Err(Error::question(format!(
                "the cursor is of release {of_release}, not of {release}; ask with release={of_release}"
            )));
        }
        if u64::from_str_radix(of_question, 16) != Ok(question) {
            return Err(Error::question("the cursor is of another question; start from the first page"));
        }
        Ok(Self { since, lead_id: (*lead_id).to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_comes_back_as_it_was_for_its_own_question_only() {
        let cursor = Cursor { since: "2026-02-28".parse().unwrap(), lead_id: "ab12".into() };
        let text = cursor.write(3, 77);
        assert_eq!(Cursor::read(&text, 3, 77).unwrap(), cursor);
        assert!(Cursor::read(&text, 4, 77).unwrap_err().to_string().contains("release=3"));
        assert!(Cursor::read(&text, 3, 78).unwrap_err().to_string().contains("another question"));
        assert!(Cursor::read("3.x", 3, 77).unwrap_err().to_string().contains("damaged"));
    }
}
