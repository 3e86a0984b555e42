//! Answers in pages: which address comes next, and when it was the last.

use std::collections::HashSet;
use std::io::Read;

use serde::Deserialize;
use url::Url;

use super::address::with_parameter;
use super::call::Answer;
use super::json_pointer::Pointer;
use super::link::next_link;
use super::redirects::landing_place;
use crate::error::{Error, ErrorKind, Result};

/// `paging` of an HTTP source.
#[derive(Debug, Clone, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum PagingConfig {
    /// Each page names the next: in its `Link` header (RFC 8288), or in its JSON.
    NextLink(NextLink),
    /// Pages have numbers.
    Page(Numbered),
    /// Each page gives what the next is asked with.
    Cursor(Cursor),
}

/// `paging = { kind = "next_link" }`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NextLink {
    /// Where a JSON answer names the next page; none: in the header.
    pointer: Option<Pointer>,
}

/// `paging = { kind = "page" }`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Numbered {
    #[serde(default = "page")]
    parameter: String,
    #[serde(default = "one")]
    first: u64,
    size_parameter: Option<String>,
    size: Option<u64>,
    #[serde(default)]
    ends: Ends,
    /// Where a JSON answer has its rows; none: the answer itself is their array.
    rows: Option<Pointer>,
}

/// `paging = { kind = "cursor" }`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cursor {
    #[serde(default = "cursor")]
    parameter: String,
    pointer: Pointer,
}

/// What tells that numbered pages have ended; a later page that answers 404 or 204 always does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Ends {
    /// A page without rows.
    #[default]
    Empty,
    /// A page without rows, or with fewer than `size`.
    Fewer,
    /// Only 404 or 204.
    Missing,
}

fn page() -> String {
    "page".to_owned()
}

fn cursor() -> String {
    "cursor".to_owned()
}

fn one() -> u64 {
    1
}

impl PagingConfig {
    pub(super) fn fault(&self) -> Option<&'static str> {
        match self {
            Self::Page(pages) if pages.size == Some(0) => Some("source.paging.size: a page has at least one row"),
            Self::Page(pages) if pages.ends == Ends::Fewer && pages.size.is_none() => {
                Some("source.paging.size: say how many rows a full page has, so that one with fewer is known")
            }
            Self::Page(pages) if pages.size_parameter.is_some() && pages.size.is_none() => {
                Some("source.paging.size: is what size_parameter asks for; give both")
            }
            _ => None,
        }
    }

    /// Whether an answer that is unchanged leads to the same next page. It does not where a header
    /// names the next page: a full last page stays what it is when one more follows it.
    pub(super) fn may_ask_conditionally(&self) -> bool {
        !matches!(self, Self::NextLink(NextLink { pointer: None }))
    }
}

/// What became of a page.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It is taken, and the next address follows.
    Next(Url),
    /// It is taken, and was the last.
    Last,
    /// It lies past the end, and is not taken.
    PastTheEnd,
}

/// The pages of one fetch.
pub(super) struct Pages<'a> {
    config: &'a PagingConfig,
    first: Url,
    asked: HashSet<String>,
    taken: u64,
    /// The first line of the first page, of which a page of text may consist that has no rows.
    first_line: Vec<u8>,
    last_sha256: String,
}

impl<'a> Pages<'a> {
    /// The pages, and the address of the first.
    pub(super) fn start(config: &'a PagingConfig, address: Url) -> (Self, Url) {
        let first = match config {
            PagingConfig::Page(pages) => {
                let sized = match (&pages.size_parameter, pages.size) {
                    (Some(parameter), Some(size)) => with_parameter(&address, parameter, &size.to_string()),
                    _ => address,
                };
                with_parameter(&sized, &pages.parameter, &pages.first.to_string())
            }
            PagingConfig::NextLink(_) | PagingConfig::Cursor(_) => address,
        };
        let asked = HashSet::from([first.as_str().to_owned()]);
        let last_sha256 = String::new();
        (Self { config, first: first.clone(), asked, taken: 0, first_line: Vec::new(), last_sha256 }, first)
    }

    /// Judges a page.
    ///
    /// # Errors
    /// Source: a page that leads back to one asked before, or does not say what follows.
    pub(super) fn judge(&mut self, at: &Url, answer: &Answer) -> Result<Verdict> {
        let next = match self.config {
            PagingConfig::NextLink(NextLink { pointer: None }) => next_link(&answer.links()),
            PagingConfig::NextLink(NextLink { pointer: Some(pointer) }) => pointer.text(answer.bytes.open()?)?,
            PagingConfig::Cursor(cursor) => {
                let value = cursor.pointer.text(answer.bytes.open()?)?;
                value.map(|value| with_parameter(&self.first, &cursor.parameter, &value).to_string())
            }
            PagingConfig::Page(pages) => match self.numbered(pages, answer)? {
                Verdict::Next(next) => Some(next.to_string()),
                ended => return Ok(ended),
            },
        };
        self.taken += 1;
        let Some(next) = next else { return Ok(Verdict::Last) };
        let next = landing_place(at, &next)
            .ok_or_else(|| Error::new(ErrorKind::Source, "the next page that the source names is no address"))?;
        if !self.asked.insert(next.as_str().to_owned()) {
            let what = format!("page {} of the source leads back to a page asked before", self.taken);
            return Err(Error::new(ErrorKind::Source, what));
        }
        Ok(Verdict::Next(next))
    }

    fn numbered(&mut self, pages: &Numbered, answer: &Answer) -> Result<Verdict> {
        let is_first = self.taken == 0;
        let content = match &pages.rows {
            _ if pages.ends == Ends::Missing => Content { rows: u64::MAX, first_line: Vec::new() },
            None if !answer.is_json => lines(answer.bytes.open()?)?,
            pointer => {
                let whole = Pointer::default();
                let rows = pointer.as_ref().unwrap_or(&whole).count(answer.bytes.open()?)?;
                Content { rows, first_line: Vec::new() }
            }
        };
        let repeats_titles =
            content.rows == 1 && !content.first_line.is_empty() && content.first_line == self.first_line;
        match (content.rows == 0 || repeats_titles, is_first) {
            (true, false) => return Ok(Verdict::PastTheEnd),
            (true, true) => return Ok(Verdict::Last),
            (false, _) => {}
        }
        if answer.bytes.sha256 == self.last_sha256 {
            let what = format!(
                "the pages {} and {} of the source are the same bytes: it seems not to know the parameter `{}`",
                self.taken,
                self.taken + 1,
                pages.parameter
            );
            return Err(Error::new(ErrorKind::Source, what));
        }
        self.last_sha256.clone_from(&answer.bytes.sha256);
        if is_first {
            self.first_line = content.first_line;
        }
        // Titles count as a row of a text, so that a last page may seem full and one more is asked
        // for, which has none; a full page never seems to be the last.
        if pages.ends == Ends::Fewer && pages.size.is_some_and(|size| content.rows < size) {
            return Ok(Verdict::Last);
        }
        let number = pages.first.saturating_add(self.taken).saturating_add(1);
        Ok(Verdict::Next(with_parameter(&self.first, &pages.parameter, &number.to_string())))
    }
}

/// What a page holds.
struct Content {
    rows: u64,
    first_line: Vec<u8>,
}

/// The length to which a first line is compared, bytes.
const TITLES: usize = 64 << 10;

/// Lines that are not blank, and the first of them.
fn lines(mut text: impl Read) -> Result<Content> {
    let mut content = Content { rows: 0, first_line: Vec::new() };
    let mut is_blank = true;
    let mut buffer = vec![0; 64 << 10];
    loop {
        let read = text.read(&mut buffer)?;
        if read == 0 {
            return Ok(content);
        }
        for byte in &buffer[..read] {
            if matches!(byte, b'\n' | b'\r') {
                is_blank = true;
                continue;
            }
            // UTF-16 has zero bytes beside its line ends.
            if is_blank && !matches!(byte, b' ' | b'\t' | 0) {
                is_blank = false;
                content.rows += 1;
            }
            if content.rows == 1 && !is_blank && content.first_line.len() < TITLES {
                content.first_line.push(*byte);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_counted_without_the_blank_ones() {
        let content = lines("a,b\r\n\r\n1,2\n  \n3,4".as_bytes()).unwrap();
        assert_eq!((content.rows, content.first_line), (3, b"a,b".to_vec()));
        assert_eq!(lines(&b""[..]).unwrap().rows, 0);
    }

    #[test]
    fn a_paging_that_cannot_end_as_it_says_is_refused() {
        let fault = |text: &str| toml::from_str::<PagingConfig>(text).unwrap().fault();
        assert_eq!(fault("kind = 'page'\nends = 'fewer'\nsize = 100"), None);
        assert_eq!(fault("kind = 'cursor'\npointer = '/next'"), None);
        assert!(fault("kind = 'page'\nends = 'fewer'").unwrap().contains("size"));
        assert!(fault("kind = 'page'\nsize_parameter = 'n'").unwrap().contains("size"));
        for wrong in ["kind = 'cursor'", "kind = 'page'\nfrist = 0", "kind = 'next_link'\npointer = 'next'"] {
            assert!(toml::from_str::<PagingConfig>(wrong).is_err(), "{wrong}");
        }
    }
}
